/* A growing table from a 64-bit key to a 64-bit value. */
#include "server/serve/u64_map.h"

#include <assert.h>
#include <stdlib.h>

enum { U64_MAP_ROOM_MIN = 64 };

struct u64_pair {
    uint64_t key; /* 0 is free */
    uint64_t value;
};

void
u64_map_init(struct u64_map *map)
{
    *map = (struct u64_map){NULL, 0, 0};
}

void
u64_map_release(struct u64_map *map)
{
    free(map->pairs);
    u64_map_init(map);
}

static struct u64_pair *
slot_of(const struct u64_map *map, uint64_t key)
{
    size_t at = (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 20);

    while (map->pairs[at & (map->room - 1)].key != 0 &&
           map->pairs[at & (map->room - 1)].key != key) {
        at++;
    }
    return &map->pairs[at & (map->room - 1)];
}

static bool
grow(struct u64_map *map)
{
    struct u64_map larger = {
        NULL, map->room == 0 ? U64_MAP_ROOM_MIN : map->room * 2, map->count};

    larger.pairs = calloc(larger.room, sizeof(*larger.pairs));
    if (larger.pairs == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->room; i++) {
        if (map->pairs[i].key != 0) {
            *slot_of(&larger, map->pairs[i].key) = map->pairs[i];
        }
    }
    free(map->pairs);
    *map = larger;
    return true;
}

uint64_t *
u64_map_at(struct u64_map *map, uint64_t key)
{
    struct u64_pair *pair;

    assert(key != 0);
    if ((map->count + 1) * 2 > map->room && !grow(map)) {
        return NULL;
    }
    pair = slot_of(map, key);
    if (pair->key == 0) {
        pair->key = key;
        map->count++;
    }
    return &pair->value;
}

uint64_t
u64_map_get(const struct u64_map *map, uint64_t key)
{
    return map->room == 0 ? 0 : slot_of(map, key)->value;
}

bool
u64_map_add(struct u64_map *map, uint64_t key, bool *added)
{
    uint64_t *value = u64_map_at(map, key);

    if (value == NULL) {
        return false;
    }
    *added = *value == 0;
    *value = 1;
    return true;
}
