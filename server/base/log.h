/*
 * log: one line an occurrence on standard error.
 *
 *   2026-03-01T08:00:00.123456Z warn http connection refused open=1024
 *
 * error = somebody must act; warn = we coped; info = the process changed its
 * state; debug = for us. A fixed phrase first, then key=value. What happens to
 * single tickets is a counter, never a line. No ticket text, name, number or
 * hash of them is ever logged.
 *
 * A file that logs says who it is before it includes this:
 *   #define LOG_MODULE "http"
 *
 * Thread-safe: one write() a line. Control characters and bytes that are not
 * UTF-8 are escaped, so nobody outside can write a line of their own.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"

#ifndef LOG_MODULE
#define LOG_MODULE "suqiu"
#endif

enum { LOG_LINE_BYTES_MAX = 2048 };

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above this level cost one comparison. Starts at LOG_INFO. */
extern _Atomic int log_level_max;

#define LOG_AT(level, ...)                                                     \
    do {                                                                       \
        if ((int)(level) <= log_level_max) {                                   \
            log_write((level), LOG_MODULE, __VA_ARGS__);                       \
        }                                                                      \
    } while (0)
#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)

/*
 * For lines that can repeat:
 *   static struct log_limit limit = LOG_LIMIT(1000000);
 *   log_warn_limited(&limit, "accept failed errno=%d", errno);
 * at most one line an interval; the next one ends in dropped=N.
 */
struct log_limit {
    int64_t interval_us;
    _Atomic int64_t next_mono_us;
    _Atomic uint64_t dropped;
};

#define LOG_LIMIT(us)                                                          \
    {                                                                          \
        .interval_us = (us)                                                    \
    }
#define log_warn_limited(limit, ...)                                           \
    log_write_limited((limit), LOG_WARN, LOG_MODULE, __VA_ARGS__)
#define log_error_limited(limit, ...)                                          \
    log_write_limited((limit), LOG_ERROR, LOG_MODULE, __VA_ARGS__)

void log_write(enum log_level level, const char *module, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void log_write_limited(struct log_limit *limit,
                       enum log_level level,
                       const char *module,
                       const char *fmt,
                       ...) PRINTF_LIKE(4, 5);

void log_set_level(enum log_level level);

/* One JSON object a line (log_json.h) instead of text for people. */
void log_set_json(bool json);

/* "error", "warn", "info", "debug"; false when it is none of them. */
bool log_level_from_name(const char *name, enum log_level *out);

/* Hand finished lines (with their line end) to `sink` instead of standard
 * error; NULL restores. For tests, while there is one thread. */
void log_set_sink(void (*sink)(const char *line, size_t bytes));

#endif /* BASE_LOG_H */
