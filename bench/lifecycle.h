/*
 * lifecycle: what happens to a ticket after it was taken, and when: a plan of
 * steps by type, a share of them too late, in a wheel of one slot a minute.
 */
#ifndef BENCH_LIFECYCLE_H
#define BENCH_LIFECYCLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/ticket.h"
#include "bench/random.h"

/* A ticket's number: the day and its place among the tickets of the day. */
struct ticket_key {
    uint32_t date; /* 20250303 */
    uint32_t sequence;
};

struct lifecycle_event {
    struct ticket_key key;
    int64_t at_s;
    enum event_kind kind;
};

struct lifecycle_entry;

struct lifecycle {
    struct lifecycle_entry *entries; /* owned */
    size_t entry_count;
    size_t entry_room;
    uint32_t free_list;
    uint32_t *slots; /* owned: first entry of each minute */
    uint32_t slot_count;
    uint32_t slot; /* the first minute that is not over */
    int64_t start_s;
};

/* Events from start_s on, for `minutes`. False: no memory. */
bool
lifecycle_init(struct lifecycle *lifecycle, int64_t start_s, uint32_t minutes);
void lifecycle_release(struct lifecycle *lifecycle);

/* A ticket was taken. False: no memory. */
bool lifecycle_add(struct lifecycle *lifecycle,
                   struct ticket_key key,
                   enum ticket_type type,
                   int64_t at_s,
                   struct random *random);

/* The next event of a minute that was over at `now_s`; false when there is
 * none. Events of one minute come in any order. */
bool lifecycle_take(struct lifecycle *lifecycle,
                    int64_t now_s,
                    struct random *random,
                    struct lifecycle_event *out);

#endif /* BENCH_LIFECYCLE_H */
