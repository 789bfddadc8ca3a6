/*
 * reclassify: judge every stored ticket again by the tables in force.
 *
 * Flow      store snapshot -> [reclassify: a thread judges some tickets] ->
 *           a transaction of the writer -> the next ones
 * Effects   one thread while it runs; transactions of RECLASSIFY_STEP_TICKETS,
 *           and as long a rest after each as it took, so that intake goes on
 *
 * The position is stored in the transaction that moves the tickets: after a
 * kill it goes on where it stood. When other tables come into force meanwhile
 * it begins again, by those. Supervisors' corrections stay on top.
 */
#ifndef RULEBOOK_RECLASSIFY_H
#define RULEBOOK_RECLASSIFY_H

#include "server/long_run.h"
#include "server/rulebook/rulebook.h"

enum { RECLASSIFY_STEP_TICKETS = 256 };

struct reclassify_progress {
    enum long_run_state state;
    struct ledger_reclassify mark;
    uint64_t per_second; /* 0: not known yet */
    int64_t left_us;     /* until the end at this rate; -1: not known */
    struct err err;      /* LONG_RUN_FAILED */
};

struct reclassify;

/* All arguments are borrowed until reclassify_free.
 *   rest  pause between the transactions; false for a command by itself */
enum err_code reclassify_new(const struct store *store,
                             struct writer *writer,
                             struct rulebook *rulebook,
                             bool rest,
                             struct reclassify **out,
                             struct err *err) MUST_CHECK;
/* Stops behind the present transaction. Before writer_free. Accepts NULL. */
void reclassify_free(struct reclassify **reclassify);

/*
 * Begin, or go on where the stored position is when that is of the tables in
 * force. Nothing happens while it runs.
 * Errors  NO_MEMORY
 */
enum err_code reclassify_start(struct reclassify *reclassify, struct err *err);

/* Go on if the store says that it was not finished. */
enum err_code reclassify_resume(struct reclassify *reclassify, struct err *err);

/* Stop behind the present transaction; does not wait. */
void reclassify_stop(struct reclassify *reclassify);

/* Any thread. */
void reclassify_progress(struct reclassify *reclassify,
                         struct reclassify_progress *out);

/* Wait until it has ended, or for so long; true: it has ended. */
bool reclassify_wait(struct reclassify *reclassify, int64_t timeout_us);

#endif /* RULEBOOK_RECLASSIFY_H */
