/* The thread, its rests and its steps through the writer. */
#include "server/long_run.h"

#include <time.h>

#include "server/base/clock.h"

const char *
long_run_state_name(enum long_run_state state)
{
    static const char *const names[] = {"idle", "running", "done", "stopped",
                                        "failed"};

    return names[state];
}

void
long_run_init(struct long_run *run, struct writer *writer)
{
    pthread_condattr_t attributes;

    *run = (struct long_run){.writer = writer};
    (void)pthread_mutex_init(&run->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&run->moved, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static void
join(struct long_run *run)
{
    if (run->thread_started) {
        (void)pthread_join(run->thread, NULL);
        run->thread_started = false;
    }
}

void
long_run_release(struct long_run *run)
{
    long_run_stop(run);
    join(run);
    (void)pthread_cond_destroy(&run->moved);
    (void)pthread_mutex_destroy(&run->lock);
}

enum err_code
long_run_start(struct long_run *run,
               void *(*thread)(void *),
               void *data,
               struct err *err)
{
    join(run);
    (void)pthread_mutex_lock(&run->lock);
    run->state = LONG_RUN_RUNNING;
    run->err = (struct err){0};
    run->started_us = clock_mono_us();
    run->stop = false;
    (void)pthread_mutex_unlock(&run->lock);
    if (pthread_create(&run->thread, NULL, thread, data) != 0) {
        (void)err_set(err, ERR_NO_MEMORY, "cannot start a thread");
        long_run_end(run, LONG_RUN_FAILED, err);
        return err->code;
    }
    run->thread_started = true;
    return ERR_OK;
}

void
long_run_was_done(struct long_run *run)
{
    (void)pthread_mutex_lock(&run->lock);
    run->state = LONG_RUN_DONE;
    (void)pthread_mutex_unlock(&run->lock);
}

void
long_run_stop(struct long_run *run)
{
    (void)pthread_mutex_lock(&run->lock);
    run->stop = true;
    (void)pthread_cond_broadcast(&run->moved);
    (void)pthread_mutex_unlock(&run->lock);
}

enum long_run_state
long_run_state(struct long_run *run)
{
    enum long_run_state state;

    (void)pthread_mutex_lock(&run->lock);
    state = run->state;
    (void)pthread_mutex_unlock(&run->lock);
    return state;
}

static struct timespec
mono_in(int64_t us)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    us += until.tv_nsec / 1000;
    until.tv_sec += us / 1000000;
    until.tv_nsec = us % 1000000 * 1000;
    return until;
}

bool
long_run_wait(struct long_run *run, int64_t timeout_us)
{
    struct timespec until = mono_in(timeout_us);
    bool ended;
    int rc = 0;

    (void)pthread_mutex_lock(&run->lock);
    while (run->state == LONG_RUN_RUNNING && rc == 0) {
        rc = pthread_cond_timedwait(&run->moved, &run->lock, &until);
    }
    ended = run->state != LONG_RUN_RUNNING;
    (void)pthread_mutex_unlock(&run->lock);
    return ended;
}

bool
long_run_stop_asked(struct long_run *run)
{
    bool stop;

    (void)pthread_mutex_lock(&run->lock);
    stop = run->stop;
    (void)pthread_mutex_unlock(&run->lock);
    return stop;
}

void
long_run_rest(struct long_run *run, int64_t us)
{
    struct timespec until = mono_in(us);

    (void)pthread_mutex_lock(&run->lock);
    while (!run->stop &&
           pthread_cond_timedwait(&run->moved, &run->lock, &until) == 0) {
    }
    (void)pthread_mutex_unlock(&run->lock);
}

/* Writer thread, inside a transaction. */
static enum err_code
do_work(void *data, struct ledger *ledger, struct err *err)
{
    struct long_run *run = data;

    return run->work(run->work_data, ledger, err);
}

/* Writer thread. */
static void
work_done(void *data, const struct err *err)
{
    struct long_run *run = data;

    (void)pthread_mutex_lock(&run->lock);
    run->work_err = *err;
    run->written = true;
    (void)pthread_cond_broadcast(&run->moved);
    (void)pthread_mutex_unlock(&run->lock);
}

enum err_code
long_run_write(struct long_run *run,
               writer_work *work,
               void *data,
               struct err *err)
{
    run->work = work;
    run->work_data = data;
    run->written = false;
    if (!writer_run(run->writer, do_work, work_done, run)) {
        return err_set(err, ERR_BUSY, "the server is stopping");
    }
    (void)pthread_mutex_lock(&run->lock);
    while (!run->written) {
        (void)pthread_cond_wait(&run->moved, &run->lock);
    }
    *err = run->work_err;
    (void)pthread_mutex_unlock(&run->lock);
    return err->code;
}

void
long_run_end(struct long_run *run,
             enum long_run_state state,
             const struct err *err)
{
    (void)pthread_mutex_lock(&run->lock);
    run->state = state;
    run->err = *err;
    (void)pthread_cond_broadcast(&run->moved);
    (void)pthread_mutex_unlock(&run->lock);
}
