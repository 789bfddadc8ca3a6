/*
 * backoff: who failed to sign in too often waits, longer each time.
 *
 * The first BACKOFF_FREE failures cost nothing; then 1 s, doubling to
 * BACKOFF_WAIT_S_MAX. While the wait runs nothing is looked at, not even the
 * right token. A success, or BACKOFF_FORGET_S without a failure, forgets all.
 *
 * The table is bounded: full, it drops the one that failed longest ago. Not
 * shared between threads. No clock: the caller says what time it is.
 */
#ifndef ACCESS_BACKOFF_H
#define ACCESS_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzers/span.h"

enum {
    BACKOFF_ENTRIES = 512,
    BACKOFF_KEY_BYTES = 80,
    BACKOFF_FREE = 5,
    BACKOFF_WAIT_S_MAX = 300,
    BACKOFF_FORGET_S = 3600
};

struct backoff_entry {
    char key[BACKOFF_KEY_BYTES]; /* "" = free */
    unsigned failures;
    int64_t last_mono_us;
    int64_t until_mono_us;
};

struct backoff {
    struct backoff_entry entries[BACKOFF_ENTRIES];
    unsigned used; /* 0: nothing to look for */
};

/*
 * The key of an address and what it tries: an IPv4 address as it is, of IPv6
 * the first 64 bits (one network is one client).
 */
void
backoff_key(const char *address, struct span what, char out[BACKOFF_KEY_BYTES]);

/* Seconds still to wait, 0: go on. */
unsigned
backoff_wait_s(const struct backoff *backoff, const char *key, int64_t mono_us);

/* It failed; returns how often so far. */
unsigned
backoff_failed(struct backoff *backoff, const char *key, int64_t mono_us);

/* It succeeded. */
void backoff_forget(struct backoff *backoff, const char *key);

#endif /* ACCESS_BACKOFF_H */
