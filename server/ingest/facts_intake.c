/* Fed values to the writer and the answer back. */
#include "server/ingest/facts_intake.h"

#include <event2/event.h>
#include <stdlib.h>

#include "server/base/wake.h"

enum { FACTS_ARENA_BYTES = 16 * 1024 };

struct facts_job {
    struct facts_intake *intake;
    struct arena arena; /* what the facts point to */
    struct ledger_fact *facts;
    size_t fact_count;
    facts_intake_done *done;
    void *done_data;
    struct err err;
};

struct facts_intake {
    struct writer *writer;
    struct ring *answers;
    struct wake wake;
    struct event *ev_answers;
    size_t jobs;
};

static void
job_free(struct facts_job *job)
{
    arena_release(&job->arena);
    free(job);
}

/* Writer thread. */
static enum err_code
put_facts(void *data, struct ledger *ledger, struct err *err)
{
    struct facts_job *job = data;

    for (size_t i = 0; i < job->fact_count; i++) {
        if (ledger_put_fact(ledger, &job->facts[i], err) != ERR_OK) {
            return err->code;
        }
    }
    return ERR_OK;
}

/* Writer thread. */
static void
facts_written(void *data, const struct err *err)
{
    struct facts_job *job = data;

    job->err = *err;
    if (!ring_push(job->intake->answers, job)) {
        job_free(job); /* nobody waits any more */
    }
}

static void
answers_cb(evutil_socket_t fd, short what, void *data)
{
    struct facts_intake *intake = data;
    void *item;

    (void)fd;
    (void)what;
    wake_clear(&intake->wake);
    while (ring_try_pop(intake->answers, &item, 1) == 1) {
        struct facts_job *job = item;

        intake->jobs--;
        job->done(job->done_data, &job->err);
        job_free(job);
    }
}

static bool
copy_facts(struct facts_job *job, const struct ledger_fact *facts, size_t count)
{
    job->facts = arena_alloc(&job->arena, (count + 1) * sizeof(*job->facts));
    if (job->facts == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct ledger_fact *copy = &job->facts[i];

        *copy = facts[i];
        copy->name = arena_copy(&job->arena, facts[i].name);
        copy->unit = arena_copy(&job->arena, facts[i].unit);
        copy->period = arena_copy(&job->arena, facts[i].period);
        copy->by = arena_copy(&job->arena, facts[i].by);
    }
    job->fact_count = count;
    return true;
}

enum err_code
facts_intake_put(struct facts_intake *intake,
                 const struct ledger_fact *facts,
                 size_t fact_count,
                 facts_intake_done *done,
                 void *done_data,
                 struct err *err)
{
    struct facts_job *job;

    if (intake->jobs >= FACTS_INTAKE_JOBS_MAX) {
        return err_set(err, ERR_BUSY, "%d sets of facts are being written",
                       FACTS_INTAKE_JOBS_MAX);
    }
    job = calloc(1, sizeof(*job));
    if (job == NULL) {
        return err_set(err, ERR_NO_MEMORY, "facts");
    }
    arena_init(&job->arena, FACTS_ARENA_BYTES);
    job->intake = intake;
    job->done = done;
    job->done_data = done_data;
    if (!copy_facts(job, facts, fact_count)) {
        job_free(job);
        return err_set(err, ERR_NO_MEMORY, "facts");
    }
    if (!writer_run(intake->writer, put_facts, facts_written, job)) {
        job_free(job);
        return err_set(err, ERR_BUSY, "the server is stopping");
    }
    intake->jobs++;
    return ERR_OK;
}

enum err_code
facts_intake_new(struct event_base *base,
                 struct writer *writer,
                 struct facts_intake **out,
                 struct err *err)
{
    struct facts_intake *intake = calloc(1, sizeof(*intake));

    if (intake == NULL) {
        return err_set(err, ERR_NO_MEMORY, "facts");
    }
    intake->writer = writer;
    intake->wake.fd = -1;
    intake->answers = ring_new(FACTS_INTAKE_JOBS_MAX);
    if (intake->answers == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "facts");
    } else if (wake_open(&intake->wake, err) == ERR_OK) {
        ring_add_item_wake(intake->answers, &intake->wake);
        intake->ev_answers =
            event_new(base, wake_fd(&intake->wake), EV_READ | EV_PERSIST,
                      answers_cb, intake);
        if (intake->ev_answers == NULL ||
            event_add(intake->ev_answers, NULL) != 0) {
            (void)err_set(err, ERR_NO_MEMORY, "facts");
        }
    }
    if (err->code != ERR_OK) {
        facts_intake_free(&intake);
        return err->code;
    }
    *out = intake;
    return ERR_OK;
}

void
facts_intake_free(struct facts_intake **intake)
{
    void *item;

    if (*intake == NULL) {
        return;
    }
    while ((*intake)->answers != NULL &&
           ring_try_pop((*intake)->answers, &item, 1) == 1) {
        job_free(item);
    }
    if ((*intake)->ev_answers != NULL) {
        event_free((*intake)->ev_answers);
    }
    wake_close(&(*intake)->wake);
    ring_free(&(*intake)->answers);
    free(*intake);
    *intake = NULL;
}
