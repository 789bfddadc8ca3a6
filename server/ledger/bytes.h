/*
 * bytes: field-by-field writing and reading of stored values and keys.
 *
 * A writer that runs out of room and a reader that runs out of bytes set
 * `failed` and go on harmlessly, so callers check once at the end.
 */
#ifndef SERVER_LEDGER_BYTES_H
#define SERVER_LEDGER_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "analyzers/span.h"

struct byte_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool failed;
};

struct byte_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

enum { VARINT_BYTES_MAX = 10 };

static inline struct byte_writer
byte_writer_on(void *room, size_t bytes)
{
    return (struct byte_writer){room, room, (uint8_t *)room + bytes, false};
}

static inline size_t
byte_writer_used(const struct byte_writer *w)
{
    return (size_t)(w->at - w->start);
}

static inline void
put_u8(struct byte_writer *w, unsigned value)
{
    if (w->at == w->end) {
        w->failed = true;
        return;
    }
    *w->at++ = (uint8_t)value;
}

static inline void
put_varint(struct byte_writer *w, uint64_t value)
{
    if (w->end - w->at < VARINT_BYTES_MAX) {
        w->failed = true;
        return;
    }
    while (value >= 0x80) {
        *w->at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *w->at++ = (uint8_t)value;
}

static inline void
put_zigzag(struct byte_writer *w, int64_t value)
{
    put_varint(w, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static inline void
put_bytes(struct byte_writer *w, const void *data, size_t bytes)
{
    if ((size_t)(w->end - w->at) < bytes) {
        w->failed = true;
        return;
    }
    if (bytes > 0) {
        memcpy(w->at, data, bytes);
        w->at += bytes;
    }
}

static inline void
put_span(struct byte_writer *w, struct span text)
{
    put_varint(w, text.bytes);
    put_bytes(w, text.data, text.bytes);
}

/* Big-endian, for keys: byte order is number order. */
static inline void
put_be64(struct byte_writer *w, uint64_t value)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    }
    put_bytes(w, bytes, sizeof(bytes));
}

static inline void
put_be32(struct byte_writer *w, uint32_t value)
{
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                        (uint8_t)(value >> 8), (uint8_t)value};

    put_bytes(w, bytes, sizeof(bytes));
}

/* Signed instants and days: the sign bit is flipped. */
static inline void
put_be_time(struct byte_writer *w, int64_t at_us)
{
    put_be64(w, (uint64_t)at_us ^ UINT64_C(0x8000000000000000));
}

static inline void
put_be_day(struct byte_writer *w, int32_t day)
{
    put_be32(w, (uint32_t)day ^ UINT32_C(0x80000000));
}

static inline struct byte_reader
byte_reader_on(const void *data, size_t bytes)
{
    return (struct byte_reader){data, (const uint8_t *)data + bytes, false};
}

static inline size_t
byte_reader_left(const struct byte_reader *r)
{
    return (size_t)(r->end - r->at);
}

static inline uint8_t
get_u8(struct byte_reader *r)
{
    if (r->at == r->end) {
        r->failed = true;
        return 0;
    }
    return *r->at++;
}

static inline uint64_t
get_varint(struct byte_reader *r)
{
    uint64_t value = 0;

    if (r->at != r->end && *r->at < 0x80) {
        return *r->at++; /* most are small */
    }
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;

        if (r->at == r->end) {
            break;
        }
        byte = *r->at++;
        if (shift == 63 && byte > 1) {
            break; /* more than 64 bits */
        }
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    r->failed = true;
    return 0;
}

static inline int64_t
get_zigzag(struct byte_reader *r)
{
    uint64_t value = get_varint(r);

    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static inline struct span
get_span(struct byte_reader *r)
{
    uint64_t bytes = get_varint(r);
    struct span text;

    if (r->failed || bytes > byte_reader_left(r)) {
        r->failed = true;
        return (struct span){NULL, 0};
    }
    text = (struct span){bytes > 0 ? (const char *)r->at : NULL, (size_t)bytes};
    r->at += bytes;
    return text;
}

static inline uint64_t
get_be64(struct byte_reader *r)
{
    uint64_t value = 0;

    if (byte_reader_left(r) < 8) {
        r->failed = true;
        return 0;
    }
    for (int i = 0; i < 8; i++) {
        value = value << 8 | *r->at++;
    }
    return value;
}

static inline uint32_t
get_be32(struct byte_reader *r)
{
    uint32_t value = 0;

    if (byte_reader_left(r) < 4) {
        r->failed = true;
        return 0;
    }
    for (int i = 0; i < 4; i++) {
        value = value << 8 | *r->at++;
    }
    return value;
}

static inline int64_t
get_be_time(struct byte_reader *r)
{
    return (int64_t)(get_be64(r) ^ UINT64_C(0x8000000000000000));
}

static inline int32_t
get_be_day(struct byte_reader *r)
{
    return (int32_t)(get_be32(r) ^ UINT32_C(0x80000000));
}

/* Little-endian, for arrays inside values. */
static inline uint64_t
load_le64(const uint8_t *p)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--) {
        value = value << 8 | p[i];
    }
    return value;
}

static inline void
store_le64(uint8_t *p, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        p[i] = (uint8_t)(value >> (8 * i));
    }
}

#endif /* SERVER_LEDGER_BYTES_H */
