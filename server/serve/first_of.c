/* The first few of many items: a heap with the last of them on top. */
#include "server/serve/first_of.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_OF_ROOM_MIN = 128 };

void
first_of_init(struct first_of *first,
              size_t item_bytes,
              size_t items_max,
              first_of_order *order)
{
    assert(item_bytes <= FIRST_OF_BYTES_MAX);
    *first = (struct first_of){
        .order = order, .item_bytes = item_bytes, .items_max = items_max};
}

void
first_of_release(struct first_of *first)
{
    free(first->items);
    first->items = NULL;
    first->count = 0;
}

static char *
item_at(const struct first_of *first, size_t at)
{
    return first->items + at * first->item_bytes;
}

/* Let the item at `at` sink until none below it comes later. */
static void
sink(struct first_of *first, size_t at)
{
    char moved[FIRST_OF_BYTES_MAX];

    memcpy(moved, item_at(first, at), first->item_bytes);
    for (size_t child; (child = 2 * at + 1) < first->count; at = child) {
        if (child + 1 < first->count &&
            first->order(item_at(first, child + 1), item_at(first, child)) >
                0) {
            child++;
        }
        if (first->order(item_at(first, child), moved) <= 0) {
            break;
        }
        memcpy(item_at(first, at), item_at(first, child), first->item_bytes);
    }
    memcpy(item_at(first, at), moved, first->item_bytes);
}

static bool
make_room(struct first_of *first)
{
    size_t room =
        first->room == 0 ? (size_t)FIRST_OF_ROOM_MIN : first->room * 2;
    char *larger;

    if (first->count < first->room) {
        return true;
    }
    room = room < first->items_max ? room : first->items_max;
    larger = realloc(first->items, room * first->item_bytes);
    if (larger == NULL) {
        return false;
    }
    first->items = larger;
    first->room = room;
    return true;
}

bool
first_of_add(struct first_of *first, const void *item)
{
    if (first->count < first->items_max) {
        if (!make_room(first)) {
            return false;
        }
        memcpy(item_at(first, first->count++), item, first->item_bytes);
        for (size_t i = first->count / 2;
             first->count == first->items_max && i > 0; i--) {
            sink(first, i - 1);
        }
        return true;
    }
    if (first->count > 0 && first->order(item, first->items) < 0) {
        memcpy(first->items, item, first->item_bytes);
        sink(first, 0);
    }
    return true;
}

void
first_of_sort(struct first_of *first)
{
    if (first->count > 1) {
        qsort(first->items, first->count, first->item_bytes, first->order);
    }
}
