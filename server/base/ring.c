/* A bounded queue between threads: one mutex, one condition each way. */
#include "server/base/ring.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "server/base/wake.h"

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t has_items;
    pthread_cond_t has_room;
    size_t items_max;
    size_t head; /* index of the oldest */
    size_t count;
    bool closed;
    bool room_wanted; /* a ring_try_push failed since the last pop */
    const struct wake *item_wakes[RING_WAKES_MAX];
    const struct wake *room_wakes[RING_WAKES_MAX];
    size_t item_wake_count;
    size_t room_wake_count;
    void *items[];
};

struct ring *
ring_new(size_t items_max)
{
    struct ring *ring;
    pthread_condattr_t monotonic;

    assert(items_max > 0);
    ring = calloc(1, sizeof(*ring) + items_max * sizeof(ring->items[0]));
    if (ring == NULL) {
        return NULL;
    }
    ring->items_max = items_max;
    (void)pthread_mutex_init(&ring->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&ring->has_items, &monotonic);
    (void)pthread_cond_init(&ring->has_room, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return ring;
}

void
ring_free(struct ring **ring)
{
    if (*ring == NULL) {
        return;
    }
    (void)pthread_cond_destroy(&(*ring)->has_room);
    (void)pthread_cond_destroy(&(*ring)->has_items);
    (void)pthread_mutex_destroy(&(*ring)->lock);
    free(*ring);
    *ring = NULL;
}

static void
signal_wakes(const struct wake *const *wakes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        wake_signal(wakes[i]);
    }
}

/* With the lock held. */
static void
put_item(struct ring *ring, void *item)
{
    assert(ring->count < ring->items_max);
    ring->items[(ring->head + ring->count) % ring->items_max] = item;
    ring->count++;
    (void)pthread_cond_signal(&ring->has_items);
    signal_wakes(ring->item_wakes, ring->item_wake_count);
}

bool
ring_push(struct ring *ring, void *item)
{
    bool open;

    (void)pthread_mutex_lock(&ring->lock);
    while (!ring->closed && ring->count == ring->items_max) {
        (void)pthread_cond_wait(&ring->has_room, &ring->lock);
    }
    open = !ring->closed;
    if (open) {
        put_item(ring, item);
    }
    (void)pthread_mutex_unlock(&ring->lock);
    return open;
}

bool
ring_try_push(struct ring *ring, void *item)
{
    bool taken;

    (void)pthread_mutex_lock(&ring->lock);
    taken = !ring->closed && ring->count < ring->items_max;
    if (taken) {
        put_item(ring, item);
    } else {
        ring->room_wanted = true;
    }
    (void)pthread_mutex_unlock(&ring->lock);
    return taken;
}

/* With the lock held. */
static size_t
take_items(struct ring *ring, void **items, size_t items_max)
{
    size_t taken = 0;

    while (taken < items_max && ring->count > 0) {
        items[taken++] = ring->items[ring->head];
        ring->head = (ring->head + 1) % ring->items_max;
        ring->count--;
    }
    if (taken > 0) {
        (void)pthread_cond_broadcast(&ring->has_room);
        if (ring->room_wanted) {
            ring->room_wanted = false;
            signal_wakes(ring->room_wakes, ring->room_wake_count);
        }
    }
    return taken;
}

size_t
ring_pop(struct ring *ring, void **items, size_t items_max)
{
    size_t taken;

    assert(items_max > 0);
    (void)pthread_mutex_lock(&ring->lock);
    while (!ring->closed && ring->count == 0) {
        (void)pthread_cond_wait(&ring->has_items, &ring->lock);
    }
    taken = take_items(ring, items, items_max);
    (void)pthread_mutex_unlock(&ring->lock);
    return taken;
}

size_t
ring_pop_within(struct ring *ring,
                void **items,
                size_t items_max,
                long long timeout_us)
{
    struct timespec until;
    size_t taken;
    int waited = 0;

    assert(items_max > 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_us / 1000000);
    until.tv_nsec += (long)(timeout_us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&ring->lock);
    while (!ring->closed && ring->count == 0 && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&ring->has_items, &ring->lock, &until);
    }
    taken = take_items(ring, items, items_max);
    (void)pthread_mutex_unlock(&ring->lock);
    return taken;
}

size_t
ring_try_pop(struct ring *ring, void **items, size_t items_max)
{
    size_t taken;

    (void)pthread_mutex_lock(&ring->lock);
    taken = take_items(ring, items, items_max);
    (void)pthread_mutex_unlock(&ring->lock);
    return taken;
}

void
ring_close(struct ring *ring)
{
    (void)pthread_mutex_lock(&ring->lock);
    ring->closed = true;
    (void)pthread_cond_broadcast(&ring->has_items);
    (void)pthread_cond_broadcast(&ring->has_room);
    signal_wakes(ring->item_wakes, ring->item_wake_count);
    signal_wakes(ring->room_wakes, ring->room_wake_count);
    (void)pthread_mutex_unlock(&ring->lock);
}

bool
ring_closed(struct ring *ring)
{
    bool closed;

    (void)pthread_mutex_lock(&ring->lock);
    closed = ring->closed;
    (void)pthread_mutex_unlock(&ring->lock);
    return closed;
}

size_t
ring_count(struct ring *ring)
{
    size_t count;

    (void)pthread_mutex_lock(&ring->lock);
    count = ring->count;
    (void)pthread_mutex_unlock(&ring->lock);
    return count;
}

void
ring_add_item_wake(struct ring *ring, const struct wake *wake)
{
    assert(ring->item_wake_count < RING_WAKES_MAX);
    ring->item_wakes[ring->item_wake_count++] = wake;
}

void
ring_add_room_wake(struct ring *ring, const struct wake *wake)
{
    assert(ring->room_wake_count < RING_WAKES_MAX);
    ring->room_wakes[ring->room_wake_count++] = wake;
}
