/*
 * u64_map: a growing table from a 64-bit key that is not 0 to a 64-bit value.
 *
 * For one scan: ticket numbers, hashes of persons. Keys are our own numbers or
 * keyed hashes, so nobody can choose colliding ones.
 */
#ifndef SERVE_U64_MAP_H
#define SERVE_U64_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct u64_map {
    struct u64_pair *pairs; /* owned */
    size_t room;            /* a power of two */
    size_t count;
};

void u64_map_init(struct u64_map *map);
void u64_map_release(struct u64_map *map);

/* The value of `key` to read or write, 0 when it is new; valid until the next
 * call. NULL when there is no memory. */
uint64_t *u64_map_at(struct u64_map *map, uint64_t key);

/* The value, or 0 when there is none. */
uint64_t u64_map_get(const struct u64_map *map, uint64_t key);

/* Remember the key; *added says whether it is new. False: no memory. */
bool u64_map_add(struct u64_map *map, uint64_t key, bool *added);

#endif /* SERVE_U64_MAP_H */
