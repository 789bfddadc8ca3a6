/*
 * first_of: the first few of many items by an order, without sorting them all:
 * a page of a list.
 *
 * Cost  O(log items_max) an item, mostly one comparison
 */
#ifndef SERVE_FIRST_OF_H
#define SERVE_FIRST_OF_H

#include <stdbool.h>
#include <stddef.h>

enum { FIRST_OF_BYTES_MAX = 64 /* of an item */ };

/* As for qsort. */
typedef int first_of_order(const void *a, const void *b);

struct first_of {
    first_of_order *order;
    size_t item_bytes;
    size_t items_max;
    size_t count;
    size_t room;
    char *items; /* owned: count of them; a heap once there are items_max */
};

/* Keep at most items_max items (SIZE_MAX: all). */
void first_of_init(struct first_of *first,
                   size_t item_bytes,
                   size_t items_max,
                   first_of_order *order);
void first_of_release(struct first_of *first);

/* Copy an item in if it is among the first. False: no memory. */
bool first_of_add(struct first_of *first, const void *item);

/* Put them in order: items[0] is the first. Nothing can be added after. */
void first_of_sort(struct first_of *first);

#endif /* SERVE_FIRST_OF_H */
