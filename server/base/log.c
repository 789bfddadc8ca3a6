/* One line an occurrence: stamp, level, module, escaped text, one write(). */
#include "server/base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analyzers/span.h"
#include "server/base/clock.h"

_Atomic int log_level_max = LOG_INFO;

static void (*log_sink)(const char *line, size_t bytes);

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Copy `text` to `out` with everything escaped that could break the line;
 * returns the bytes written, at most room. */
static size_t
escape_line(const char *text, char *out, size_t room)
{
    struct span rest = span_of(text);
    size_t used = 0;

    while (rest.bytes > 0) {
        char piece[12];
        uint32_t code_point = 0;
        size_t step = utf8_next(rest, &code_point);
        unsigned char c = (unsigned char)rest.data[0];
        size_t piece_bytes = step;

        if (step == 1 && (c < 0x20 || c >= 0x7F)) {
            piece_bytes = (size_t)snprintf(piece, sizeof(piece), "\\x%02x", c);
        } else if (step > 1 && (code_point < 0xA0 || code_point == 0x2028 ||
                                code_point == 0x2029)) {
            piece_bytes = (size_t)snprintf(piece, sizeof(piece), "\\u%04x",
                                           (unsigned)code_point);
        } else {
            memcpy(piece, rest.data, step);
        }
        if (piece_bytes > room - used) {
            break;
        }
        memcpy(out + used, piece, piece_bytes);
        used += piece_bytes;
        rest.data += step;
        rest.bytes -= step;
    }
    return used;
}

static void
write_line(enum log_level level,
           const char *module,
           uint64_t dropped,
           const char *fmt,
           va_list args)
{
    char text[LOG_LINE_BYTES_MAX / 2];
    char line[LOG_LINE_BYTES_MAX];
    int64_t now_us = clock_now_us();
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm utc;
    size_t used;

    (void)gmtime_r(&seconds, &utc);
    used = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
    used +=
        (size_t)snprintf(line + used, sizeof(line) - used, ".%06dZ %s %s ",
                         (int)(now_us % 1000000), level_names[level], module);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0) {
        text[0] = '\0';
    }
    used += escape_line(text, line + used, sizeof(line) - used - 40);
    if (dropped > 0) {
        used += (size_t)snprintf(line + used, sizeof(line) - used,
                                 " dropped=%" PRIu64, dropped);
    }
    line[used++] = '\n';
    if (log_sink != NULL) {
        log_sink(line, used);
    } else {
        /* Nobody is left to tell when standard error is gone. */
        ssize_t written = write(STDERR_FILENO, line, used);

        (void)written;
    }
}

void
log_write(enum log_level level, const char *module, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    write_line(level, module, 0, fmt, args);
    va_end(args);
}

void
log_write_limited(struct log_limit *limit,
                  enum log_level level,
                  const char *module,
                  const char *fmt,
                  ...)
{
    int64_t mono_us = clock_mono_us();
    int64_t next = limit->next_mono_us;
    va_list args;

    if ((int)level > log_level_max) {
        return;
    }
    if (mono_us < next ||
        !atomic_compare_exchange_strong(&limit->next_mono_us, &next,
                                        mono_us + limit->interval_us)) {
        limit->dropped++;
        return;
    }
    va_start(args, fmt);
    write_line(level, module, atomic_exchange(&limit->dropped, 0), fmt, args);
    va_end(args);
}

void
log_set_level(enum log_level level)
{
    log_level_max = (int)level;
}

bool
log_level_from_name(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void
log_set_sink(void (*sink)(const char *line, size_t bytes))
{
    log_sink = sink;
}
