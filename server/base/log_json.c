/* A line of the log as one JSON object. */
#include "server/base/log_json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LOG_JSON_END_BYTES = 64 /* braces and "dropped" */ };

struct log_out {
    char *data;
    size_t used;
    size_t room;
};

static void
put(struct log_out *out, struct span text)
{
    assert(text.bytes <= out->room - out->used);
    memcpy(out->data + out->used, text.data, text.bytes);
    out->used += text.bytes;
}

/* In quotes; cut where it does not fit. */
static void
put_string(struct log_out *out, struct span text)
{
    put(out, SPAN_LITERAL("\""));
    while (text.bytes > 0) {
        struct span one = {text.data, utf8_next(text, NULL)};
        bool escape = one.data[0] == '"' || one.data[0] == '\\';

        if (out->room - out->used <
            one.bytes + escape + 1 + LOG_JSON_END_BYTES) {
            break;
        }
        if (escape) {
            put(out, SPAN_LITERAL("\\"));
        }
        put(out, one);
        text.data += one.bytes;
        text.bytes -= one.bytes;
    }
    put(out, SPAN_LITERAL("\""));
}

static void
put_member(struct log_out *out, struct span key, struct span value)
{
    put_string(out, key);
    put(out, SPAN_LITERAL(":"));
    put_string(out, value);
}

/* The bytes of `key=` at the front, without the sign; 0: there is none. */
static size_t
key_bytes(struct span text)
{
    size_t i = 0;

    while (i < text.bytes &&
           ((text.data[i] >= 'a' && text.data[i] <= 'z') ||
            (i > 0 && (text.data[i] == '_' ||
                       (text.data[i] >= '0' && text.data[i] <= '9'))))) {
        i++;
    }
    return i < text.bytes && text.data[i] == '=' ? i : 0;
}

static struct span
from(struct span text, size_t at)
{
    return (struct span){text.data + at, text.bytes - at};
}

/* Does a value that began with a quote end with the one at `at`? */
static bool
quote_ends(struct span text, size_t at)
{
    return at + 1 == text.bytes ||
           (text.data[at + 1] == ' ' && key_bytes(from(text, at + 2)) > 0);
}

/* The value at the front of *text, which moves behind it. */
static struct span
take_value(struct span *text)
{
    struct span value;

    if (text->bytes > 0 && text->data[0] == '"') {
        for (size_t at = 1; at < text->bytes; at++) {
            if (text->data[at] == '"' && quote_ends(*text, at)) {
                value = (struct span){text->data + 1, at - 1};
                *text = from(*text, at + 1);
                return value;
            }
        }
    }
    value = span_split(text, ' ');
    return value;
}

/* Where the first key=value begins; text.bytes when there is none. */
static size_t
message_bytes(struct span text)
{
    for (size_t at = 0; at < text.bytes; at++) {
        if ((at == 0 || text.data[at - 1] == ' ') &&
            key_bytes(from(text, at)) > 0) {
            return at;
        }
    }
    return text.bytes;
}

static void
put_fields(struct log_out *out, struct span text)
{
    bool first = true;

    put(out, SPAN_LITERAL(",\"fields\":{"));
    while ((text = span_trim(text)).bytes > 0 &&
           out->room - out->used > 2 * LOG_JSON_END_BYTES) {
        size_t bytes = key_bytes(text);
        struct span key = {text.data, bytes};

        if (bytes == 0) {
            key = SPAN_LITERAL("more"); /* words behind the values */
        }
        if (key.bytes > LOG_JSON_END_BYTES / 2) {
            key.bytes = LOG_JSON_END_BYTES / 2;
        }
        text = bytes > 0 ? from(text, bytes + 1) : text;
        if (!first) {
            put(out, SPAN_LITERAL(","));
        }
        put_member(out, key,
                   bytes > 0 ? take_value(&text)
                             : (struct span){text.data, text.bytes});
        if (bytes == 0) {
            break;
        }
        first = false;
    }
    put(out, SPAN_LITERAL("}"));
}

size_t
log_json_put(const struct log_line *line, char *out_data, size_t room)
{
    struct log_out out = {out_data, 0, room};
    size_t message = message_bytes(line->text);
    char dropped[40];

    assert(room >= 512);
    put(&out, SPAN_LITERAL("{"));
    put_member(&out, SPAN_LITERAL("time"), line->time);
    put(&out, SPAN_LITERAL(","));
    put_member(&out, SPAN_LITERAL("level"), line->level);
    put(&out, SPAN_LITERAL(","));
    put_member(&out, SPAN_LITERAL("module"), line->module);
    put(&out, SPAN_LITERAL(","));
    put_member(&out, SPAN_LITERAL("message"),
               span_trim((struct span){line->text.data, message}));
    if (message < line->text.bytes &&
        out.room - out.used > 3 * LOG_JSON_END_BYTES) {
        put_fields(&out, from(line->text, message));
    }
    if (line->dropped > 0) {
        (void)snprintf(dropped, sizeof(dropped), ",\"dropped\":%" PRIu64,
                       line->dropped);
        put(&out, span_of(dropped));
    }
    put(&out, SPAN_LITERAL("}"));
    return out.used;
}
