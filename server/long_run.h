/*
 * long_run: a thread that changes the store in many small steps, each inside a
 * transaction of the writer, while the store is in use: tickets judged again,
 * tickets that expire.
 *
 * Flow      start -> thread: [look, write a step, rest] ... -> end
 * Effects   one thread while it runs; the writer is held a step at a time
 *
 * The owner keeps what it shows of its progress under `lock`. What a step was
 * and how far the run has come is the owner's; that a kill loses nothing, too:
 * it writes its position in the transaction of the step.
 */
#ifndef SERVER_LONG_RUN_H
#define SERVER_LONG_RUN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "server/writer.h"

enum long_run_state {
    LONG_RUN_IDLE,    /* never asked for */
    LONG_RUN_RUNNING, /* also while the disk is full */
    LONG_RUN_DONE,
    LONG_RUN_STOPPED, /* asked to stop; the position is kept */
    LONG_RUN_FAILED
};
const char *long_run_state_name(enum long_run_state state); /* "running" */

/* Part of its owner; only `lock` is for others than long_run.c. */
struct long_run {
    struct writer *writer; /* borrowed */
    pthread_mutex_t lock;  /* over all below and the owner's progress */
    pthread_cond_t moved;  /* the writer answered, stop was asked, it ended */
    pthread_t thread;
    bool thread_started; /* and not joined */
    bool stop;
    enum long_run_state state;
    struct err err;     /* LONG_RUN_FAILED */
    int64_t started_us; /* monotonic; of this thread */
    writer_work *work;  /* the step that is written, its data and its end */
    void *work_data;
    bool written;
    struct err work_err;
};

void long_run_init(struct long_run *run, struct writer *writer);
/* Stop, wait for the end, release. */
void long_run_release(struct long_run *run);

/* ---- by one thread, the owner's ---- */

/* Run `thread` with `data`; not while one runs. Errors  NO_MEMORY */
enum err_code long_run_start(struct long_run *run,
                             void *(*thread)(void *),
                             void *data,
                             struct err *err) MUST_CHECK;
/* Nothing is there to be run: what the store said of the last one. */
void long_run_was_done(struct long_run *run);

/* ---- by any thread ---- */

/* Ask for the end, do not wait. */
void long_run_stop(struct long_run *run);
enum long_run_state long_run_state(struct long_run *run);
/* False: it still ran after timeout_us. */
bool long_run_wait(struct long_run *run, int64_t timeout_us);

/* ---- inside the thread ---- */

bool long_run_stop_asked(struct long_run *run);
/* Wait for so long, or until stop is asked. */
void long_run_rest(struct long_run *run, int64_t us);
/* Let the writer do `work` in a transaction, and wait for its commit.
 * Errors  those of work and of the commit; BUSY: the server is stopping */
enum err_code long_run_write(struct long_run *run,
                             writer_work *work,
                             void *data,
                             struct err *err);
/* The last thing the thread does; err for LONG_RUN_FAILED. */
void long_run_end(struct long_run *run,
                  enum long_run_state state,
                  const struct err *err);

#endif /* SERVER_LONG_RUN_H */
