/*
 * span: borrowed bytes, a pointer and a length; UTF-8 helpers.
 *
 * A span never owns its bytes and they need no terminating NUL. The empty span
 * {NULL, 0} means "not given".
 */
#ifndef ANALYZERS_SPAN_H
#define ANALYZERS_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *data;
    size_t bytes;
};

#define SPAN_LITERAL(s) ((struct span){(s), sizeof(s) - 1})
/* For printf("%.*s", SPAN_ARGS(s)). */
#define SPAN_ARGS(s) (int)(s).bytes, (s).data != NULL ? (s).data : ""

static inline struct span
span_of(const char *text)
{
    return (struct span){text, text != NULL ? strlen(text) : 0};
}

static inline bool
span_equal(struct span a, struct span b)
{
    return a.bytes == b.bytes &&
           (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

static inline bool
span_is(struct span a, const char *text)
{
    return span_equal(a, span_of(text));
}

static inline bool
span_starts(struct span a, struct span prefix)
{
    return a.bytes >= prefix.bytes &&
           (prefix.bytes == 0 || memcmp(a.data, prefix.data, prefix.bytes) == 0);
}

/* Byte-wise order, shorter first when one is a prefix of the other. */
int span_compare(struct span a, struct span b);

/* Position of `needle` in `hay` at or after `from`, or SIZE_MAX. O(n·m). */
size_t span_find(struct span hay, struct span needle, size_t from);

/* Without leading and trailing blanks, tabs and line ends. */
struct span span_trim(struct span a);

/*
 * Split at the next `separator`: returns the part before it and moves *rest
 * behind it. When there is none the whole rest is returned and *rest becomes
 * {NULL, 0}.
 */
struct span span_split(struct span *rest, char separator);

/* Is it valid UTF-8 (RFC 3629: no surrogates, no overlong forms)? O(n). */
bool utf8_valid(struct span a);

/*
 * Bytes of the first character, 1..4, or 0 for the empty span; an invalid byte
 * counts as one character of one byte. *code_point may be NULL.
 */
size_t utf8_next(struct span a, uint32_t *code_point);

/* Write one code point; returns bytes written, 1..4. `out` has room for 4. */
size_t utf8_put(uint32_t code_point, char *out);

/* Number of characters of valid UTF-8. */
size_t utf8_count(struct span a);

/* The largest length <= bytes that does not cut a character of `text`. */
size_t utf8_cut(const char *text, size_t bytes);

/* Columns on a terminal: 2 for East Asian wide and full-width, 0 for
 * combining and zero-width characters, else 1. */
size_t utf8_columns(struct span a);

#endif /* ANALYZERS_SPAN_H */
