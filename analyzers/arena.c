/* Memory that dies together: a chain of blocks and a moving pointer. */
#include "analyzers/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t bytes;
    size_t used;
    alignas(16) char data[];
};

void
arena_init(struct arena *arena, size_t block_bytes)
{
    *arena = (struct arena){NULL, NULL, block_bytes, 0};
}

void
arena_release(struct arena *arena)
{
    struct arena_block *block = arena->first;

    while (block != NULL) {
        struct arena_block *next = block->next;

        free(block);
        block = next;
    }
    arena_init(arena, arena->block_bytes);
}

void
arena_reset(struct arena *arena)
{
    struct arena_block **link = &arena->first;

    while (*link != NULL) {
        struct arena_block *block = *link;

        if (block->bytes > arena->block_bytes) {
            *link = block->next; /* an outsize block is not kept */
            free(block);
            continue;
        }
        block->used = 0;
        link = &block->next;
    }
    arena->current = arena->first;
    arena->used_bytes = 0;
}

/* Put a block of at least `bytes` behind the current one. */
static struct arena_block *
arena_grow(struct arena *arena, size_t bytes)
{
    size_t room = bytes > arena->block_bytes ? bytes : arena->block_bytes;
    struct arena_block *block = malloc(sizeof(*block) + room);

    if (block == NULL) {
        return NULL;
    }
    block->bytes = room;
    block->used = 0;
    if (arena->current == NULL) {
        block->next = arena->first;
        arena->first = block;
    } else {
        block->next = arena->current->next;
        arena->current->next = block;
    }
    return block;
}

void *
arena_alloc(struct arena *arena, size_t bytes)
{
    size_t rounded = (bytes + 15) & ~(size_t)15;
    struct arena_block *block = arena->current;
    void *out;

    if (block == NULL || block->bytes - block->used < rounded) {
        struct arena_block *next =
            block != NULL ? block->next : arena->first;

        if (next == NULL || next->used != 0 || next->bytes < rounded) {
            next = arena_grow(arena, rounded);
            if (next == NULL) {
                return NULL;
            }
        }
        block = next;
        arena->current = block;
    }
    out = block->data + block->used;
    block->used += rounded;
    arena->used_bytes += rounded;
    return out;
}

struct span
arena_copy(struct arena *arena, struct span bytes)
{
    char *copy;

    if (bytes.bytes == 0) {
        return (struct span){NULL, 0};
    }
    copy = arena_alloc(arena, bytes.bytes);
    if (copy == NULL) {
        return (struct span){NULL, 0};
    }
    memcpy(copy, bytes.data, bytes.bytes);
    return (struct span){copy, bytes.bytes};
}
