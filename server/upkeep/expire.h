/*
 * expire: old tickets out of the store, while it is in use.
 *
 * Flow      store snapshot -> [expire: a thread lists what is old enough] ->
 *           a transaction of the writer -> the next ones
 * Effects   one thread while it runs; transactions of EXPIRE_STEP_TICKETS, and
 *           as long a rest after each as it took, so that intake goes on
 *
 * It goes from DATE back to the oldest, then through waiting events, refused
 * lines and persons. What went is gone, so a run that was killed begins again
 * at DATE and finds the rest; the store says that there is one to go on with.
 * Counters stay as they are.
 *
 * Source    docs/storage-format.md, "Expiry"
 */
#ifndef UPKEEP_EXPIRE_H
#define UPKEEP_EXPIRE_H

#include "server/long_run.h"
#include "server/rulebook/rulebook.h"

enum {
    EXPIRE_STEP_TICKETS = 256, /* in one transaction; or events */
    EXPIRE_STEP_SMALL = 1024   /* or refused lines, or persons */
};

struct expire_progress {
    enum long_run_state state;
    struct ledger_expire mark;
    int64_t at_us;       /* has come back to tickets of this time; 0: not yet */
    uint64_t per_second; /* tickets; 0: not known yet */
    struct err err;      /* LONG_RUN_FAILED */
};

struct expire;

/* All arguments are borrowed until expire_free.
 *   rest  pause between the transactions; false for a command by itself */
enum err_code expire_new(const struct store *store,
                         struct writer *writer,
                         struct rulebook *rulebook,
                         bool rest,
                         struct expire **out,
                         struct err *err) MUST_CHECK;
/* Stops behind the present transaction. Before writer_free. Accepts NULL. */
void expire_free(struct expire **expire);

/*
 * Begin to take out what was accepted before before_us; what a run did not
 * finish before is part of it.
 *   open_too  also tickets that were never closed
 * Errors  BAD_VALUE (before_us lies within repeat.window_days), BUSY (a run
 *         with another date or choice is under way), NO_MEMORY
 */
enum err_code expire_start(struct expire *expire,
                           int64_t before_us,
                           bool open_too,
                           struct err *err);

/* Go on if the store says that a run was not finished. */
enum err_code expire_resume(struct expire *expire, struct err *err);

/* Stop behind the present transaction; does not wait. */
void expire_stop(struct expire *expire);

/* Any thread. */
void expire_progress(struct expire *expire, struct expire_progress *out);

/* Wait until it has ended, or for so long; true: it has ended. */
bool expire_wait(struct expire *expire, int64_t timeout_us);

#endif /* UPKEEP_EXPIRE_H */
