/* Borrowed bytes and UTF-8: comparing, splitting, validating, measuring. */
#include "analyzers/span.h"

#include <assert.h>

int
span_compare(struct span a, struct span b)
{
    size_t shorter = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

    if (order != 0) {
        return order;
    }
    return a.bytes < b.bytes ? -1 : a.bytes > b.bytes;
}

size_t
span_find(struct span hay, struct span needle, size_t from)
{
    if (needle.bytes == 0) {
        return from <= hay.bytes ? from : SIZE_MAX;
    }
    while (from < hay.bytes && hay.bytes - from >= needle.bytes) {
        const char *hit = memchr(hay.data + from, needle.data[0],
                                 hay.bytes - from - needle.bytes + 1);

        if (hit == NULL) {
            return SIZE_MAX;
        }
        from = (size_t)(hit - hay.data);
        if (memcmp(hit, needle.data, needle.bytes) == 0) {
            return from;
        }
        from++;
    }
    return SIZE_MAX;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
span_trim(struct span a)
{
    while (a.bytes > 0 && is_blank(a.data[0])) {
        a.data++;
        a.bytes--;
    }
    while (a.bytes > 0 && is_blank(a.data[a.bytes - 1])) {
        a.bytes--;
    }
    return a;
}

struct span
span_split(struct span *rest, char separator)
{
    struct span part = *rest;
    const char *hit =
        rest->bytes > 0 ? memchr(rest->data, separator, rest->bytes) : NULL;

    if (hit == NULL) {
        *rest = (struct span){NULL, 0};
        return part;
    }
    part.bytes = (size_t)(hit - part.data);
    rest->data = hit + 1;
    rest->bytes -= part.bytes + 1;
    return part;
}

/* Bytes of the well-formed sequence at p, or 0. */
static size_t
utf8_sequence(const unsigned char *p, size_t left, uint32_t *code_point)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t c = p[0];
    size_t bytes;

    if (c < 0x80) {
        *code_point = c;
        return 1;
    }
    if (c >= 0xE1 && c <= 0xEC && left >= 3 && (p[1] & 0xC0) == 0x80 &&
        (p[2] & 0xC0) == 0x80) {
        /* Most of Chinese, and nothing in there is forbidden. */
        *code_point = (c & 0x0F) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        return 3;
    }
    if (c >= 0xC2 && c <= 0xDF) {
        bytes = 2;
        c &= 0x1F;
    } else if (c >= 0xE0 && c <= 0xEF) {
        bytes = 3;
        c &= 0x0F;
    } else if (c >= 0xF0 && c <= 0xF4) {
        bytes = 4;
        c &= 0x07;
    } else {
        return 0;
    }
    if (left < bytes) {
        return 0;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3Fu);
    }
    if (c < smallest[bytes] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
        return 0;
    }
    *code_point = c;
    return bytes;
}

/* Are these eight bytes ASCII? */
static bool
all_ascii(const char *bytes)
{
    uint64_t eight;

    memcpy(&eight, bytes, sizeof(eight));
    return (eight & UINT64_C(0x8080808080808080)) == 0;
}

bool
utf8_valid(struct span a)
{
    const unsigned char *p = (const unsigned char *)a.data;
    size_t left = a.bytes;
    uint32_t code_point;

    while (left > 0) {
        size_t bytes = left >= 8 && all_ascii((const char *)p)
                           ? 8
                           : utf8_sequence(p, left, &code_point);

        if (bytes == 0) {
            return false;
        }
        p += bytes;
        left -= bytes;
    }
    return true;
}

size_t
utf8_next(struct span a, uint32_t *code_point)
{
    uint32_t c = 0;
    size_t bytes;

    if (a.bytes == 0) {
        return 0;
    }
    bytes = utf8_sequence((const unsigned char *)a.data, a.bytes, &c);
    if (bytes == 0) {
        c = (unsigned char)a.data[0];
        bytes = 1;
    }
    if (code_point != NULL) {
        *code_point = c;
    }
    return bytes;
}

size_t
utf8_put(uint32_t c, char *out)
{
    assert(c <= 0x10FFFF);
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

size_t
utf8_count(struct span a)
{
    size_t count = 0;

    for (size_t i = 0; i < a.bytes; i++) {
        count += ((unsigned char)a.data[i] & 0xC0) != 0x80;
    }
    return count;
}

size_t
utf8_cut(const char *text, size_t bytes)
{
    size_t start = bytes;
    uint32_t code_point;
    size_t wanted;

    if (bytes == 0) {
        return 0;
    }
    /* Step back to the start of the last character and see if it is whole. */
    do {
        start--;
    } while (start > 0 && bytes - start < 4 &&
             ((unsigned char)text[start] & 0xC0) == 0x80);
    wanted = utf8_sequence((const unsigned char *)text + start, bytes - start,
                           &code_point);
    return wanted == bytes - start ? bytes : start;
}

static size_t
code_point_columns(uint32_t c)
{
    if (c == 0 || (c >= 0x300 && c <= 0x36F) || (c >= 0x200B && c <= 0x200F) ||
        c == 0xFEFF || (c >= 0xFE00 && c <= 0xFE0F)) {
        return 0;
    }
    if ((c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0x303E) ||
        (c >= 0x3041 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
        (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) ||
        (c >= 0xFF00 && c <= 0xFF60) || (c >= 0xFFE0 && c <= 0xFFE6) ||
        (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD)) {
        return 2;
    }
    return 1;
}

size_t
utf8_columns(struct span a)
{
    size_t columns = 0;

    while (a.bytes > 0) {
        uint32_t code_point;
        size_t bytes = utf8_next(a, &code_point);

        columns += code_point_columns(code_point);
        a.data += bytes;
        a.bytes -= bytes;
    }
    return columns;
}
