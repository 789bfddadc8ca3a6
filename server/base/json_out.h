/*
 * json_out: write JSON into a buf; commas and escapes look after themselves.
 *
 * No allocation besides the buf. Failures (limit, memory) stick to the buf:
 * check once with buf_check(). A call in the wrong place (a value without a key
 * inside an object, a close without an open) is a programmer error: assert.
 */
#ifndef BASE_JSON_OUT_H
#define BASE_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzers/span.h"
#include "server/base/buf.h"

enum { JSON_OUT_DEPTH_MAX = 32 };

struct json_out {
    struct buf *buf; /* borrowed */
    unsigned depth;
    uint32_t in_object; /* bit d: level d is an object */
    uint32_t has_items; /* bit d: level d has an item already */
    bool after_key;
};

/* Start at the end of `buf`; several values one after another are allowed
 * (the caller writes the line ends of NDJSON with buf_put_char). */
void json_init(struct json_out *json, struct buf *buf);

void json_open_object(struct json_out *json);
void json_close_object(struct json_out *json);
void json_open_array(struct json_out *json);
void json_close_array(struct json_out *json);

/* Key of the next value; plain ASCII known to the program, or any UTF-8. */
void json_key(struct json_out *json, const char *key);
void json_key_span(struct json_out *json, struct span key);

/* Escapes quotes, backslash and control characters; a byte that is not valid
 * UTF-8 becomes U+FFFD, so the output is always valid. NULL text is null. */
void json_string(struct json_out *json, struct span text);
void json_text(struct json_out *json, const char *text);

void json_int(struct json_out *json, int64_t value);
void json_uint(struct json_out *json, uint64_t value);
/* The shortest of 15 to 17 digits that reads back the same; never a locale's
 * comma; null for what is not finite. */
void json_double(struct json_out *json, double value);
void json_bool(struct json_out *json, bool value);
void json_null(struct json_out *json);
/* Bytes that are one JSON value already. */
void json_raw(struct json_out *json, struct span value);

/* key and value in one line, for what is written most */
void json_put_text(struct json_out *json, const char *key, const char *text);
void json_put_string(struct json_out *json, const char *key, struct span text);
void json_put_int(struct json_out *json, const char *key, int64_t value);
void json_put_uint(struct json_out *json, const char *key, uint64_t value);
void json_put_double(struct json_out *json, const char *key, double value);
void json_put_bool(struct json_out *json, const char *key, bool value);

#endif /* BASE_JSON_OUT_H */
