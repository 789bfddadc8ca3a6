/*
 * changes: which tickets changed since a reader looked last, for what is kept
 * in memory beside the store (serve/gathered.h).
 *
 * The writer notes the number of every ticket that was there already and now
 * shows itself differently in a list, with the transaction that changes it,
 * before that is committed. A reader whose snapshot is transaction N takes what
 * was noted up to N: nothing that its snapshot shows is missing. New tickets
 * are not noted: their numbers are larger than all before. What a transaction
 * noted that failed costs a needless look.
 *
 * At most CHANGES_MAX wait; when there are more they are forgotten and the
 * reader is told to read everything anew: the writer never waits.
 *
 * Threads   one notes, one takes; a mutex, held for some nanoseconds
 */
#ifndef SERVER_LEDGER_CHANGES_H
#define SERVER_LEDGER_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHANGES_MAX = 1 << 20 /* 16 bytes each, touched as they come */ };

struct changes;

/* NULL when there is no memory. */
struct changes *changes_new(void);
/* Accepts NULL. */
void changes_free(struct changes **changes);

/* `txn_id`: mdb_txn_id of the transaction that changes the ticket. */
void changes_note(struct changes *changes, uint64_t number, uint64_t txn_id);

/*
 * Take what snapshots from `txn_id` on show, at most CHANGES_MAX numbers;
 * returns how many. A number may come twice. *lost: some were forgotten; then
 * nothing is known of what changed.
 */
size_t changes_take(struct changes *changes,
                    uint64_t txn_id,
                    uint64_t *numbers,
                    bool *lost);

#endif /* SERVER_LEDGER_CHANGES_H */
