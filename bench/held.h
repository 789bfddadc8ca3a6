/*
 * held: lines that come out later than they were made (late tickets,
 * duplicates, new versions), in the order of the line they wait for.
 */
#ifndef BENCH_HELD_H
#define BENCH_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HELD_MAX = 65536 };

struct held_line {
    uint64_t release_line;
    char *data; /* owned */
    uint32_t bytes;
    uint8_t kind; /* enum generated_kind */
};

/* A binary heap. Zeroed is empty. */
struct held {
    struct held_line *lines;
    size_t count;
    size_t room;
};

/* Copy a line in. False: no room or no memory, nothing was held. */
bool held_add(struct held *held,
              uint64_t release_line,
              const char *data,
              size_t bytes,
              uint8_t kind);

/* Take the first line that is due at `line`; returns its bytes, copied to out,
 * 0 when none is due. */
size_t held_take(struct held *held, uint64_t line, char *out, uint8_t *kind);

void held_release(struct held *held);

#endif /* BENCH_HELD_H */
