/* A growing run of bytes: doubles up to its limit, remembers a failure. */
#include "server/base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_BYTES = 256 };

void
buf_init(struct buf *buf, size_t bytes_max)
{
    assert(bytes_max > 0);
    *buf = (struct buf){.bytes_max = bytes_max};
}

void
buf_release(struct buf *buf)
{
    size_t bytes_max = buf->bytes_max;

    free(buf->data);
    *buf = (struct buf){.bytes_max = bytes_max};
}

void
buf_reset(struct buf *buf)
{
    buf->bytes = 0;
    buf->failed = ERR_OK;
}

char *
buf_reserve(struct buf *buf, size_t bytes)
{
    size_t room = buf->room_bytes > 0 ? buf->room_bytes : BUF_FIRST_BYTES;
    char *grown;

    if (buf->failed != ERR_OK) {
        return NULL;
    }
    if (bytes > buf->bytes_max - buf->bytes) {
        buf->failed = ERR_TOO_LONG;
        return NULL;
    }
    if (bytes <= buf->room_bytes - buf->bytes && buf->data != NULL) {
        return buf->data + buf->bytes;
    }
    while (room < buf->bytes + bytes) {
        room = room > SIZE_MAX / 2 ? SIZE_MAX : room * 2;
    }
    if (room > buf->bytes_max) {
        room = buf->bytes_max;
    }
    grown = realloc(buf->data, room);
    if (grown == NULL) {
        buf->failed = ERR_NO_MEMORY;
        return NULL;
    }
    buf->data = grown;
    buf->room_bytes = room;
    return buf->data + buf->bytes;
}

void
buf_grow(struct buf *buf, size_t bytes)
{
    assert(bytes <= buf->room_bytes - buf->bytes);
    buf->bytes += bytes;
}

void
buf_put(struct buf *buf, const void *data, size_t bytes)
{
    char *room;

    if (bytes == 0) {
        return;
    }
    room = buf_reserve(buf, bytes);
    if (room != NULL) {
        memcpy(room, data, bytes);
        buf->bytes += bytes;
    }
}

void
buf_put_span(struct buf *buf, struct span span)
{
    buf_put(buf, span.data, span.bytes);
}

void
buf_put_text(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void
buf_put_char(struct buf *buf, char c)
{
    buf_put(buf, &c, 1);
}

void
buf_put_uint(struct buf *buf, uint64_t value)
{
    char text[20];
    char *at = text + sizeof(text);

    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buf_put(buf, at, (size_t)(text + sizeof(text) - at));
}

void
buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vprintf(buf, fmt, args);
    va_end(args);
}

void
buf_vprintf(struct buf *buf, const char *fmt, va_list args)
{
    char small[512];
    va_list again;
    int wanted;
    char *text;

    va_copy(again, args);
    wanted = vsnprintf(small, sizeof(small), fmt, args);
    if (wanted < 0) {
        buf->failed = buf->failed != ERR_OK ? buf->failed : ERR_NO_MEMORY;
    } else if ((size_t)wanted < sizeof(small)) {
        buf_put(buf, small, (size_t)wanted);
    } else if ((text = malloc((size_t)wanted + 1)) == NULL) {
        buf->failed = buf->failed != ERR_OK ? buf->failed : ERR_NO_MEMORY;
    } else {
        (void)vsnprintf(text, (size_t)wanted + 1, fmt, again);
        buf_put(buf, text, (size_t)wanted);
        free(text);
    }
    va_end(again);
}

void
buf_drop_front(struct buf *buf, size_t bytes)
{
    assert(bytes <= buf->bytes);
    if (bytes > 0) {
        memmove(buf->data, buf->data + bytes, buf->bytes - bytes);
        buf->bytes -= bytes;
    }
}

struct span
buf_view(const struct buf *buf)
{
    return (struct span){buf->data != NULL ? buf->data : "", buf->bytes};
}

enum err_code
buf_check(const struct buf *buf, struct err *err)
{
    if (buf->failed == ERR_TOO_LONG) {
        return err_set(err, ERR_TOO_LONG,
                       "the output is longer than %zu bytes; ask for less",
                       buf->bytes_max);
    }
    if (buf->failed != ERR_OK) {
        return err_set(err, buf->failed, "out of memory while writing");
    }
    return ERR_OK;
}
