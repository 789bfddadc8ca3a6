/*
 * arena: memory that dies together, such as everything one batch needs.
 *
 * Allocation moves a pointer; freeing is arena_reset. Blocks are kept for the
 * next use, so a batch in the steady state calls no malloc.
 */
#ifndef ANALYZERS_ARENA_H
#define ANALYZERS_ARENA_H

#include <stddef.h>

#include "analyzers/span.h"

struct arena_block;

struct arena {
    struct arena_block *first;
    struct arena_block *current;
    size_t block_bytes; /* size of an ordinary block */
    size_t used_bytes;  /* handed out since the last reset */
};

void arena_init(struct arena *arena, size_t block_bytes);
void arena_release(struct arena *arena);

/* Forget every allocation, keep the ordinary blocks. */
void arena_reset(struct arena *arena);

/* `bytes` aligned to 16, not cleared; NULL when there is no memory. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* A copy inside the arena; {NULL, 0} when there is no memory or nothing. */
struct span arena_copy(struct arena *arena, struct span bytes);

#endif /* ANALYZERS_ARENA_H */
