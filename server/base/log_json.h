/*
 * log_json: a line of the log as one JSON object.
 *
 *   {"time":"…","level":"warn","module":"http","message":"connection refused",
 *    "fields":{"open":"1024"}}
 *
 * The words up to the first key=value are the message, the rest are fields;
 * all values are texts.
 *
 * Effects   none: thread-safe, no allocation
 */
#ifndef BASE_LOG_JSON_H
#define BASE_LOG_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "analyzers/span.h"

struct log_line {
    struct span time;
    struct span level;
    struct span module;
    struct span text; /* valid UTF-8 without control characters */
    uint64_t dropped; /* lines left out before this one */
};

/* Write it without a line end; returns the bytes, at most `room`. What does not
 * fit is left out in such a way that it stays one object; room >= 512. */
size_t log_json_put(const struct log_line *line, char *out, size_t room);

#endif /* BASE_LOG_JSON_H */
