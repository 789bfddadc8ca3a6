/*
 * replay_job: one replay at a time, on a thread of its own.
 *
 * Effects   one thread while it runs; reads tables and store, changes nothing
 */
#ifndef RULEBOOK_REPLAY_JOB_H
#define RULEBOOK_REPLAY_JOB_H

#include "server/rulebook/replay.h"
#include "server/rulebook/rulebook.h"

enum replay_job_state {
    REPLAY_JOB_IDLE,
    REPLAY_JOB_RUNNING,
    REPLAY_JOB_DONE,
    REPLAY_JOB_STOPPED,
    REPLAY_JOB_FAILED
};
const char *replay_job_state_name(enum replay_job_state state);

struct replay_job;

/* `store` and the texts of `options` are borrowed until replay_job_free. */
enum err_code replay_job_new(const struct store *store,
                             const struct edition_options *options,
                             struct replay_job **out,
                             struct err *err) MUST_CHECK;
/* Stops and waits. Accepts NULL. */
void replay_job_free(struct replay_job **job);

/*
 * Begin; the result of the one before is forgotten.
 *   directory  with the tables; "" reads those of the options again
 *   list_max   moves that are kept
 * Errors  BUSY while one runs; NO_MEMORY
 */
enum err_code replay_job_start(struct replay_job *job,
                               const char *directory,
                               int64_t from_us,
                               int64_t to_us,
                               size_t list_max,
                               struct err *err) MUST_CHECK;

/* Stop behind the present piece; does not wait. */
void replay_job_stop(struct replay_job *job);

struct replay_job_progress {
    enum replay_job_state state;
    uint64_t done;
    uint64_t total;        /* 0: not known yet */
    int64_t left_us;       /* at this rate; -1: not known */
    const struct err *err; /* REPLAY_JOB_FAILED: good until the next start */
    const struct replay_result *result; /* REPLAY_JOB_DONE: the same */
};
/* On the thread that starts. */
void replay_job_look(struct replay_job *job, struct replay_job_progress *out);

#endif /* RULEBOOK_REPLAY_JOB_H */
