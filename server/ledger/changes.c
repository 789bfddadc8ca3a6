/* Which tickets changed since a reader looked last. */
#include "server/ledger/changes.h"

#include <pthread.h>
#include <stdlib.h>

struct change {
    uint64_t number;
    uint64_t txn_id;
};

struct changes {
    pthread_mutex_t mutex;
    size_t count;
    uint64_t lost_txn_id; /* the last one that was forgotten; 0: none */
    struct change items[CHANGES_MAX]; /* in the order of their transactions */
};

struct changes *
changes_new(void)
{
    struct changes *changes = calloc(1, sizeof(*changes));

    if (changes != NULL && pthread_mutex_init(&changes->mutex, NULL) != 0) {
        free(changes);
        return NULL;
    }
    return changes;
}

void
changes_free(struct changes **changes)
{
    if (*changes != NULL) {
        (void)pthread_mutex_destroy(&(*changes)->mutex);
        free(*changes);
        *changes = NULL;
    }
}

void
changes_note(struct changes *changes, uint64_t number, uint64_t txn_id)
{
    (void)pthread_mutex_lock(&changes->mutex);
    if (changes->count == CHANGES_MAX) {
        changes->count = 0;
        changes->lost_txn_id = txn_id;
    }
    changes->items[changes->count++] = (struct change){number, txn_id};
    (void)pthread_mutex_unlock(&changes->mutex);
}

size_t
changes_take(struct changes *changes,
             uint64_t txn_id,
             uint64_t *numbers,
             bool *lost)
{
    size_t taken = 0;
    size_t kept = 0;

    (void)pthread_mutex_lock(&changes->mutex);
    *lost = changes->lost_txn_id != 0;
    if (changes->lost_txn_id <= txn_id) { /* else forgotten ones are to come */
        changes->lost_txn_id = 0;
    }
    for (size_t i = 0; i < changes->count; i++) {
        if (changes->items[i].txn_id <= txn_id) {
            numbers[taken++] = changes->items[i].number;
        } else {
            changes->items[kept++] = changes->items[i];
        }
    }
    changes->count = kept;
    (void)pthread_mutex_unlock(&changes->mutex);
    return taken;
}
