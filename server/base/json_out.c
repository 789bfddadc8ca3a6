/* JSON writer: separators from a small stack of bits, escapes by table. */
#include "server/base/json_out.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(JSON_OUT_DEPTH_MAX <= 32, "one bit a level");

void
json_init(struct json_out *json, struct buf *buf)
{
    *json = (struct json_out){.buf = buf};
}

static uint32_t
level_bit(const struct json_out *json)
{
    return UINT32_C(1) << (json->depth - 1);
}

/* The comma before a value, if one is due. */
static void
before_value(struct json_out *json)
{
    if (json->after_key) {
        json->after_key = false;
        return;
    }
    if (json->depth == 0) {
        return;
    }
    assert((json->in_object & level_bit(json)) == 0);
    if ((json->has_items & level_bit(json)) != 0) {
        buf_put_char(json->buf, ',');
    }
    json->has_items |= level_bit(json);
}

static void
open_level(struct json_out *json, char bracket, bool object)
{
    before_value(json);
    assert(json->depth < JSON_OUT_DEPTH_MAX);
    json->depth++;
    json->has_items &= ~level_bit(json);
    if (object) {
        json->in_object |= level_bit(json);
    } else {
        json->in_object &= ~level_bit(json);
    }
    buf_put_char(json->buf, bracket);
}

static void
close_level(struct json_out *json, char bracket, bool object)
{
    assert(json->depth > 0 && !json->after_key);
    assert(((json->in_object & level_bit(json)) != 0) == object);
    json->depth--;
    buf_put_char(json->buf, bracket);
}

void
json_open_object(struct json_out *json)
{
    open_level(json, '{', true);
}

void
json_close_object(struct json_out *json)
{
    close_level(json, '}', true);
}

void
json_open_array(struct json_out *json)
{
    open_level(json, '[', false);
}

void
json_close_array(struct json_out *json)
{
    close_level(json, ']', false);
}

/* A byte that stands for itself inside a string and is ASCII. */
static bool
is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

static void
put_escape(struct buf *buf, unsigned char c)
{
    switch (c) {
    case '"':
        buf_put_text(buf, "\\\"");
        return;
    case '\\':
        buf_put_text(buf, "\\\\");
        return;
    case '\n':
        buf_put_text(buf, "\\n");
        return;
    case '\r':
        buf_put_text(buf, "\\r");
        return;
    case '\t':
        buf_put_text(buf, "\\t");
        return;
    default:
        buf_printf(buf, "\\u%04x", c);
    }
}

static void
put_quoted(struct buf *buf, struct span text)
{
    size_t run = 0;
    size_t at = 0;

    buf_put_char(buf, '"');
    while (at < text.bytes) {
        unsigned char c = (unsigned char)text.data[at];
        size_t step = 1;

        if (is_plain(c)) {
            at++;
            continue;
        }
        if (c >= 0x80) {
            step =
                utf8_next((struct span){text.data + at, text.bytes - at}, NULL);
            if (step > 1) {
                at += step;
                continue;
            }
        }
        buf_put(buf, text.data + run, at - run);
        if (c >= 0x80) {
            buf_put_text(buf, "\xEF\xBF\xBD");
        } else {
            put_escape(buf, c);
        }
        at += step;
        run = at;
    }
    if (at > run) {
        buf_put(buf, text.data + run, at - run);
    }
    buf_put_char(buf, '"');
}

void
json_key_span(struct json_out *json, struct span key)
{
    assert(json->depth > 0 && !json->after_key);
    assert((json->in_object & level_bit(json)) != 0);
    if ((json->has_items & level_bit(json)) != 0) {
        buf_put_char(json->buf, ',');
    }
    json->has_items |= level_bit(json);
    put_quoted(json->buf, key);
    buf_put_char(json->buf, ':');
    json->after_key = true;
}

void
json_key(struct json_out *json, const char *key)
{
    json_key_span(json, span_of(key));
}

void
json_string(struct json_out *json, struct span text)
{
    if (text.data == NULL) {
        json_null(json);
        return;
    }
    before_value(json);
    put_quoted(json->buf, text);
}

void
json_text(struct json_out *json, const char *text)
{
    json_string(json, span_of(text));
}

void
json_int(struct json_out *json, int64_t value)
{
    before_value(json);
    if (value < 0) {
        buf_put_char(json->buf, '-');
    }
    buf_put_uint(json->buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void
json_uint(struct json_out *json, uint64_t value)
{
    before_value(json);
    buf_put_uint(json->buf, value);
}

void
json_double(struct json_out *json, double value)
{
    char text[40];

    if (!isfinite(value)) {
        json_null(json);
        return;
    }
    before_value(json);
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, value);
        /* Same locale on both ways, so the comparison holds in any. */
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    for (char *c = text; *c != '\0'; c++) {
        if (*c == ',') {
            *c = '.';
        }
    }
    buf_put_text(json->buf, text);
}

void
json_bool(struct json_out *json, bool value)
{
    before_value(json);
    buf_put_text(json->buf, value ? "true" : "false");
}

void
json_null(struct json_out *json)
{
    before_value(json);
    buf_put_text(json->buf, "null");
}

void
json_raw(struct json_out *json, struct span value)
{
    before_value(json);
    buf_put_span(json->buf, value);
}

void
json_put_text(struct json_out *json, const char *key, const char *text)
{
    json_key(json, key);
    json_text(json, text);
}

void
json_put_string(struct json_out *json, const char *key, struct span text)
{
    json_key(json, key);
    json_string(json, text);
}

void
json_put_int(struct json_out *json, const char *key, int64_t value)
{
    json_key(json, key);
    json_int(json, value);
}

void
json_put_uint(struct json_out *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_uint(json, value);
}

void
json_put_double(struct json_out *json, const char *key, double value)
{
    json_key(json, key);
    json_double(json, value);
}

void
json_put_bool(struct json_out *json, const char *key, bool value)
{
    json_key(json, key);
    json_bool(json, value);
}
