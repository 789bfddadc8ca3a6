/* A bounded table of failures by address. */
#include "server/access/backoff.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const int64_t us_per_s = 1000000;

void
backoff_key(const char *address, struct span what, char out[BACKOFF_KEY_BYTES])
{
    struct in6_addr v6;
    char network[INET6_ADDRSTRLEN];

    (void)snprintf(network, sizeof(network), "%s", address);
    if (inet_pton(AF_INET6, address, &v6) == 1) {
        if (IN6_IS_ADDR_V4MAPPED(&v6)) {
            (void)inet_ntop(AF_INET, &v6.s6_addr[12], network, sizeof(network));
        } else {
            memset(&v6.s6_addr[8], 0, 8);
            (void)inet_ntop(AF_INET6, &v6, network, sizeof(network));
        }
    }
    (void)snprintf(out, BACKOFF_KEY_BYTES, "%s %.*s", network,
                   (int)(what.bytes < 24 ? what.bytes : 24),
                   what.data != NULL ? what.data : "");
}

static const struct backoff_entry *
find(const struct backoff *backoff, const char *key)
{
    for (size_t i = 0; backoff->used > 0 && i < BACKOFF_ENTRIES; i++) {
        if (strcmp(backoff->entries[i].key, key) == 0) {
            return &backoff->entries[i];
        }
    }
    return NULL;
}

unsigned
backoff_wait_s(const struct backoff *backoff, const char *key, int64_t mono_us)
{
    const struct backoff_entry *entry = find(backoff, key);

    if (entry == NULL || entry->until_mono_us <= mono_us) {
        return 0;
    }
    return (unsigned)((entry->until_mono_us - mono_us + us_per_s - 1) /
                      us_per_s);
}

/* The entry of this key; else a free one; else the one that failed first. */
static struct backoff_entry *
entry_for(struct backoff *backoff, const char *key)
{
    struct backoff_entry *best = &backoff->entries[0];

    for (size_t i = 0; i < BACKOFF_ENTRIES; i++) {
        struct backoff_entry *entry = &backoff->entries[i];

        if (strcmp(entry->key, key) == 0) {
            return entry;
        }
        if (best->key[0] != '\0' &&
            (entry->key[0] == '\0' ||
             entry->last_mono_us < best->last_mono_us)) {
            best = entry;
        }
    }
    if (best->key[0] == '\0') {
        backoff->used++;
    }
    *best = (struct backoff_entry){0};
    (void)snprintf(best->key, sizeof(best->key), "%s", key);
    return best;
}

unsigned
backoff_failed(struct backoff *backoff, const char *key, int64_t mono_us)
{
    struct backoff_entry *entry = entry_for(backoff, key);

    if (mono_us - entry->last_mono_us > BACKOFF_FORGET_S * us_per_s) {
        entry->failures = 0;
    }
    entry->failures++;
    entry->last_mono_us = mono_us;
    if (entry->failures > BACKOFF_FREE) {
        unsigned doublings = entry->failures - BACKOFF_FREE - 1;
        int64_t wait_s =
            doublings < 9 ? INT64_C(1) << doublings : BACKOFF_WAIT_S_MAX;

        entry->until_mono_us =
            mono_us +
            (wait_s < BACKOFF_WAIT_S_MAX ? wait_s : BACKOFF_WAIT_S_MAX) *
                us_per_s;
    }
    return entry->failures;
}

void
backoff_forget(struct backoff *backoff, const char *key)
{
    struct backoff_entry *entry =
        (struct backoff_entry *)(uintptr_t)find(backoff, key);

    if (entry != NULL) {
        *entry = (struct backoff_entry){0};
        backoff->used--;
    }
}
