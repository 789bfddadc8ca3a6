/*
 * ring: a bounded queue of pointers between threads.
 *
 * Whole batches cross it, a few hundred a second, so a mutex and two condition
 * variables do. Any number of threads may push and pop. What a pushed pointer
 * points to is given to whoever pops it.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/err.h"

struct ring;
struct wake; /* server/base/wake.h */

enum { RING_WAKES_MAX = 64 };

/* Holds at most items_max (> 0) items. NULL: out of memory. */
struct ring *ring_new(size_t items_max);

/* Must be empty or its items accounted for: they are not freed. Accepts
 * NULL. No thread may be inside a call. */
void ring_free(struct ring **ring);

/* Wait for room; false when the ring is closed (item stays the caller's). */
bool ring_push(struct ring *ring, void *item) MUST_CHECK;

/* Never waits: false when full or closed (item stays the caller's). After
 * that the room wakes are signalled once when room appears. */
bool ring_try_push(struct ring *ring, void *item) MUST_CHECK;

/*
 * Take all that is there, oldest first, at most items_max. ring_pop waits for
 * the first and returns 0 only when closed and empty; ring_try_pop never waits.
 */
size_t ring_pop(struct ring *ring, void **items, size_t items_max);
size_t ring_try_pop(struct ring *ring, void **items, size_t items_max);

/* The same as ring_pop, but gives up after timeout_us: then 0 as well. */
size_t ring_pop_within(struct ring *ring,
                       void **items,
                       size_t items_max,
                       long long timeout_us);

/* No more pushes; what is inside can still be popped. */
void ring_close(struct ring *ring);
bool ring_closed(struct ring *ring);
size_t ring_count(struct ring *ring);

/*
 * For event loops: signal `wake` (borrowed until ring_free) at each push and at
 * close, or at the first pop after a failed ring_try_push. At most
 * RING_WAKES_MAX of each; call before the ring is shared.
 */
void ring_add_item_wake(struct ring *ring, const struct wake *wake);
void ring_add_room_wake(struct ring *ring, const struct wake *wake);

#endif /* BASE_RING_H */
