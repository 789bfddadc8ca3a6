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
#include "server/base/log_json.h"

enum { LOG_STAMP_BYTES = 40 };

_Atomic int log_level_max = LOG_INFO;

static atomic_bool log_as_json;

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

/* "2026-03-01T08:00:00.123456Z" */
static size_t
put_stamp(char out[LOG_STAMP_BYTES])
{
    int64_t now_us = clock_now_us();
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm utc;
    size_t used;

    (void)gmtime_r(&seconds, &utc);
    used = strftime(out, LOG_STAMP_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    used += (size_t)snprintf(out + used, LOG_STAMP_BYTES - used, ".%06dZ",
                             (int)(now_us % 1000000));
    return used;
}

/* For people; `line` has LOG_LINE_BYTES_MAX. */
static size_t
put_text(const struct log_line *parts, char *line)
{
    size_t used = (size_t)snprintf(
        line, LOG_LINE_BYTES_MAX, "%.*s %.*s %.*s ", SPAN_ARGS(parts->time),
        SPAN_ARGS(parts->level), SPAN_ARGS(parts->module));
    size_t room = LOG_LINE_BYTES_MAX - used - 41;
    size_t bytes = parts->text.bytes;

    if (bytes > room) {
        bytes = utf8_cut(parts->text.data, room);
    }
    memcpy(line + used, parts->text.data, bytes);
    used += bytes;
    if (parts->dropped > 0) {
        used += (size_t)snprintf(line + used, LOG_LINE_BYTES_MAX - used,
                                 " dropped=%" PRIu64, parts->dropped);
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
    char escaped[LOG_LINE_BYTES_MAX];
    char stamp[LOG_STAMP_BYTES];
    char line[LOG_LINE_BYTES_MAX];
    struct log_line parts = {.level = span_of(level_names[level]),
                             .module = span_of(module),
                             .dropped = dropped};
    size_t used;

    if (vsnprintf(text, sizeof(text), fmt, args) < 0) {
        text[0] = '\0';
    }
    parts.time = (struct span){stamp, put_stamp(stamp)};
    parts.text =
        (struct span){escaped, escape_line(text, escaped, sizeof(escaped) - 1)};
    escaped[parts.text.bytes] = '\0';
    used = log_as_json ? log_json_put(&parts, line, sizeof(line) - 1)
                       : put_text(&parts, line);
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

void
log_set_json(bool json)
{
    log_as_json = json;
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
