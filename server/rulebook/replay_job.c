/* A replay beside everything else: started, watched, stopped. */
#define LOG_MODULE "replay"
#include "server/rulebook/replay_job.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "server/base/clock.h"
#include "server/base/log.h"

struct replay_job {
    const struct store *store;
    struct edition_options options; /* .directory: the one to ask */
    const char *own_directory;
    char directory[CONFIG_TEXT_BYTES + 256];

    pthread_t thread;
    bool thread_started; /* and not joined */
    _Atomic int state;   /* enum replay_job_state; result and err are the
                            thread's while it is RUNNING */
    _Atomic bool stop;
    _Atomic uint64_t done;
    _Atomic uint64_t total;
    _Atomic int64_t started_us;
    int64_t from_us;
    int64_t to_us;
    size_t list_max;
    struct replay_result result;
    struct err err;
};

const char *
replay_job_state_name(enum replay_job_state state)
{
    static const char *const names[] = {"idle", "running", "done", "stopped",
                                        "failed"};

    return names[state];
}

static bool
go_on(void *data, uint64_t tickets)
{
    struct replay_job *job = data;

    atomic_store(&job->done, tickets);
    return !atomic_load(&job->stop);
}

static void *
job_thread(void *data)
{
    struct replay_job *job = data;
    struct replay_options options = {.from_us = job->from_us,
                                     .to_us = job->to_us,
                                     .list_max = job->list_max,
                                     .go_on = go_on,
                                     .data = job};
    enum replay_job_state state = REPLAY_JOB_DONE;
    struct edition *edition = NULL;
    uint64_t total = 0;

    (void)prctl(PR_SET_NAME, "suqiu-replay");
    if (edition_build(&job->options, NULL, &edition, &job->err) == ERR_OK &&
        replay_count(job->store, job->from_us, job->to_us, &total, &job->err) ==
            ERR_OK) {
        atomic_store(&job->total, total);
        atomic_store(&job->started_us, clock_mono_us());
        (void)!replay_run(job->store, edition->dictionary, &options,
                          &job->result, &job->err);
    }
    if (job->err.code != ERR_OK) {
        state =
            atomic_load(&job->stop) ? REPLAY_JOB_STOPPED : REPLAY_JOB_FAILED;
    }
    log_info("%s tickets=%llu moved=%llu", replay_job_state_name(state),
             (unsigned long long)job->result.tickets,
             (unsigned long long)job->result.moved);
    edition_release(&edition);
    atomic_store(&job->state, state);
    return NULL;
}

enum err_code
replay_job_new(const struct store *store,
               const struct edition_options *options,
               struct replay_job **out,
               struct err *err)
{
    struct replay_job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return err_set(err, ERR_NO_MEMORY, "replay");
    }
    job->store = store;
    job->options = *options;
    job->own_directory = options->directory;
    *out = job;
    return ERR_OK;
}

static void
join(struct replay_job *job)
{
    if (job->thread_started) {
        (void)pthread_join(job->thread, NULL);
        job->thread_started = false;
    }
}

void
replay_job_free(struct replay_job **job)
{
    if (*job == NULL) {
        return;
    }
    replay_job_stop(*job);
    join(*job);
    replay_release(&(*job)->result);
    free(*job);
    *job = NULL;
}

enum err_code
replay_job_start(struct replay_job *job,
                 const char *directory,
                 int64_t from_us,
                 int64_t to_us,
                 size_t list_max,
                 struct err *err)
{
    if (atomic_load(&job->state) == REPLAY_JOB_RUNNING) {
        return err_set(err, ERR_BUSY,
                       "a replay is under way; wait for its end or stop it");
    }
    join(job);
    replay_release(&job->result);
    job->err = (struct err){0};
    job->from_us = from_us;
    job->to_us = to_us;
    job->list_max = list_max;
    (void)snprintf(job->directory, sizeof(job->directory), "%s", directory);
    job->options.directory =
        directory[0] != '\0' ? job->directory : job->own_directory;
    atomic_store(&job->stop, false);
    atomic_store(&job->done, 0);
    atomic_store(&job->total, 0);
    atomic_store(&job->state, REPLAY_JOB_RUNNING);
    if (pthread_create(&job->thread, NULL, job_thread, job) != 0) {
        atomic_store(&job->state, REPLAY_JOB_IDLE);
        return err_set(err, ERR_NO_MEMORY, "cannot start a thread");
    }
    job->thread_started = true;
    return ERR_OK;
}

void
replay_job_stop(struct replay_job *job)
{
    atomic_store(&job->stop, true);
}

void
replay_job_look(struct replay_job *job, struct replay_job_progress *out)
{
    int64_t took_us;

    *out = (struct replay_job_progress){
        .state = (enum replay_job_state)atomic_load(&job->state),
        .done = atomic_load(&job->done),
        .total = atomic_load(&job->total),
        .left_us = -1};
    took_us = clock_mono_us() - atomic_load(&job->started_us);
    switch (out->state) {
    case REPLAY_JOB_RUNNING:
        if (out->done > 0 && out->total >= out->done) {
            out->left_us = (int64_t)((double)(out->total - out->done) *
                                     (double)took_us / (double)out->done);
        }
        break;
    case REPLAY_JOB_DONE:
        out->result = &job->result;
        break;
    case REPLAY_JOB_FAILED:
        out->err = &job->err;
        break;
    case REPLAY_JOB_IDLE:
    case REPLAY_JOB_STOPPED:
        break;
    }
}
