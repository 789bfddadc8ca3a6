/* Tickets judged again, some in each transaction of the writer. */
#define LOG_MODULE "reclassify"
#include "server/rulebook/reclassify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "analyzers/classify.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/ledger/names.h"
#include "server/ledger/reader.h"

enum { RECLASSIFY_RETRY_US = 1000000 }; /* no room on the disk: try again */

/* One ticket judged again. */
struct judged {
    uint64_t number;
    uint64_t record_seq;
    uint64_t done_before;   /* tickets looked at before it */
    struct verdict verdict; /* spans of the edition; evidence texts are gone */
};

/* The tickets of one transaction. */
struct step {
    const struct edition *edition;
    struct judged tickets[RECLASSIFY_STEP_TICKETS];
    size_t count;
    struct ledger_reclassify mark; /* how it will stand behind it */
    uint64_t skipped;              /* judged by these tables already */
    bool outdated;                 /* other tables are in force */
    bool ended;                    /* no ticket is left */
};

struct reclassify {
    const struct store *store;
    struct rulebook *rulebook;
    bool rest;

    struct long_run run;
    struct reclassify_progress progress; /* but state and err: the run's */
    uint64_t run_done_before;            /* for the rate */
    struct step step; /* the thread's, the writer's while it is written */
};

/* ---- the writer's part ---- */

/* Writer thread, inside a transaction. */
static enum err_code
write_step(void *data, struct ledger *ledger, struct err *err)
{
    struct step *step = data;
    struct ledger_reclassify *mark = &step->mark;

    if (ledger_dictionary(ledger) != step->edition->dictionary) {
        step->outdated = true;
        return ERR_OK;
    }
    for (size_t i = 0; i < step->count; i++) {
        const struct judged *one = &step->tickets[i];
        enum ledger_rejudged outcome;

        if (ledger_put_verdict(ledger, one->number, one->record_seq,
                               &one->verdict, &outcome, err) != ERR_OK) {
            return err->code;
        }
        if (outcome == LEDGER_REJUDGED_STALE) {
            /* It has a version since, or has expired: look at it again in the
             * next step. */
            mark->next = one->number;
            mark->done = one->done_before;
            mark->ended_us = 0;
            step->ended = false;
            break;
        }
        mark->moved += outcome == LEDGER_REJUDGED_MOVED;
    }
    return ledger_put_reclassify(ledger, mark, err);
}

/* ---- judging ---- */

/* Judged by these tables already, text and clocks? */
static bool
is_judged(const struct reader *reader,
          const struct record *record,
          const struct ticket_state *state,
          const char *version)
{
    return record->verdict.dictionary_id == state->judged_by &&
           span_equal(reader_name(reader, state->judged_by), span_of(version));
}

/* Fill the step from one snapshot. */
static enum err_code
judge_step(struct reclassify *reclassify,
           struct classify_scratch *scratch,
           struct err *err)
{
    struct step *step = &reclassify->step;
    uint64_t number = step->mark.next > 0 ? step->mark.next - 1 : 0;
    uint64_t looked_at = 0;
    struct reader reader;

    step->count = 0;
    step->skipped = 0;
    step->ended = false;
    if (reader_begin(reclassify->store, &reader, err) != ERR_OK) {
        return err->code;
    }
    while (step->count < RECLASSIFY_STEP_TICKETS &&
           looked_at < (uint64_t)16 * RECLASSIFY_STEP_TICKETS) {
        struct judged *one = &step->tickets[step->count];
        struct ticket_state state;
        struct record record;

        number = reader_next_ticket(&reader, number, err);
        if (number == 0) {
            step->ended = err->code == ERR_OK;
            break;
        }
        if (!reader_state(&reader, number, &state, err) ||
            reader_record(&reader, state.record_seq, &record, err) != ERR_OK) {
            (void)err_set(err, ERR_CORRUPT, "ticket %llu has no state",
                          (unsigned long long)number);
            break;
        }
        looked_at++;
        step->mark.next = number + 1;
        if (is_judged(&reader, &record, &state,
                      step->edition->dictionary->version)) {
            step->skipped++;
            continue;
        }
        classify_ticket(step->edition->dictionary, scratch, &record.ticket,
                        &one->verdict);
        one->number = number;
        one->record_seq = state.record_seq;
        one->done_before = step->mark.done + looked_at - 1;
        step->count++;
    }
    step->mark.done += looked_at;
    if (step->mark.total < step->mark.done) {
        step->mark.total = step->mark.done; /* tickets that came meanwhile */
    }
    reader_end(&reader);
    return err->code;
}

/* ---- the thread ---- */

/* Hand the step to the writer and wait for its commit; how long it took. */
static int64_t
commit_step(struct reclassify *reclassify, struct err *err)
{
    struct step *step = &reclassify->step;
    int64_t start_us = clock_mono_us();

    step->outdated = false;
    step->mark.ended_us = step->ended ? clock_now_us() : 0;
    (void)long_run_write(&reclassify->run, write_step, step, err);
    return clock_mono_us() - start_us;
}

/* Where to begin: where it stood, by the same tables, or in front. */
static enum err_code
first_mark(struct reclassify *reclassify,
           const struct edition *edition,
           struct ledger_reclassify *out,
           struct err *err)
{
    const char *version = edition->dictionary->version;
    struct ledger_totals totals;
    struct reader reader;

    if (reader_begin(reclassify->store, &reader, err) != ERR_OK) {
        return err->code;
    }
    totals = reader_totals(&reader);
    if (!reader_reclassify(&reader, out, err) || out->ended_us != 0 ||
        strcmp(out->dictionary, version) != 0) {
        *out =
            (struct ledger_reclassify){.next = 1,
                                       .total = ledger_tickets_there(&totals),
                                       .started_us = clock_now_us()};
        memcpy(out->dictionary, version, sizeof(out->dictionary));
    }
    reader_end(&reader);
    return err->code;
}

static void
publish(struct reclassify *reclassify, bool new_run)
{
    const struct ledger_reclassify *mark = &reclassify->step.mark;

    (void)pthread_mutex_lock(&reclassify->run.lock);
    reclassify->progress.mark = *mark;
    if (new_run) {
        reclassify->run.started_us = clock_mono_us();
        reclassify->run_done_before = mark->done;
    }
    (void)pthread_mutex_unlock(&reclassify->run.lock);
}

static void
end_run(struct reclassify *reclassify,
        enum long_run_state state,
        const struct err *err)
{
    const struct ledger_reclassify *mark = &reclassify->step.mark;

    if (state == LONG_RUN_FAILED) {
        log_error("stopped err=%s ctx=\"%s\"", err_code_name(err->code),
                  err->detail);
    } else {
        log_info("%s tables=%s done=%llu moved=%llu",
                 long_run_state_name(state), mark->dictionary,
                 (unsigned long long)mark->done,
                 (unsigned long long)mark->moved);
    }
    long_run_end(&reclassify->run, state, err);
}

/* Steps by one edition. True: other tables are in force, begin again. */
static bool
run_edition(struct reclassify *reclassify, struct edition *edition)
{
    struct step *step = &reclassify->step;
    struct classify_scratch *scratch = NULL;
    enum long_run_state state = LONG_RUN_STOPPED;
    struct err err = {0};
    bool again = false;

    step->edition = edition;
    if (classify_scratch_new(edition->dictionary, &scratch, &err) != ERR_OK ||
        first_mark(reclassify, edition, &step->mark, &err) != ERR_OK) {
        state = LONG_RUN_FAILED;
    } else {
        publish(reclassify, true);
        log_info("by tables %s from=%llu", step->mark.dictionary,
                 (unsigned long long)step->mark.next);
    }
    while (err.code == ERR_OK && !long_run_stop_asked(&reclassify->run)) {
        struct ledger_reclassify before = step->mark;
        int64_t took_us;

        if (!rulebook_is_current(reclassify->rulebook, edition)) {
            again = true;
            break;
        }
        if (judge_step(reclassify, scratch, &err) != ERR_OK) {
            state = LONG_RUN_FAILED;
            break;
        }
        took_us = commit_step(reclassify, &err);
        if (step->outdated || err_code_kind(err.code) == ERR_KIND_NO_ROOM) {
            step->mark = before;
            err = (struct err){0};
            long_run_rest(&reclassify->run,
                          step->outdated ? 0 : RECLASSIFY_RETRY_US);
            continue;
        }
        if (err.code != ERR_OK) {
            step->mark = before;
            state = err.code == ERR_BUSY ? LONG_RUN_STOPPED : LONG_RUN_FAILED;
            break;
        }
        publish(reclassify, false);
        if (step->ended) {
            state = LONG_RUN_DONE;
            break;
        }
        if (reclassify->rest) {
            long_run_rest(&reclassify->run, took_us);
        }
    }
    classify_scratch_free(&scratch);
    if (!again) {
        end_run(reclassify, state, &err);
    }
    return again;
}

static void *
reclassify_thread(void *data)
{
    struct reclassify *reclassify = data;
    bool again = true;

    (void)prctl(PR_SET_NAME, "suqiu-rejudge");
    while (again) {
        struct edition *edition = rulebook_hold(reclassify->rulebook);

        again = run_edition(reclassify, edition);
        edition_release(&edition);
    }
    return NULL;
}

/* ---- for the others ---- */

enum err_code
reclassify_new(const struct store *store,
               struct writer *writer,
               struct rulebook *rulebook,
               bool rest,
               struct reclassify **out,
               struct err *err)
{
    struct reclassify *reclassify = calloc(1, sizeof(*reclassify));

    if (reclassify == NULL) {
        return err_set(err, ERR_NO_MEMORY, "reclassify");
    }
    reclassify->store = store;
    reclassify->rulebook = rulebook;
    reclassify->rest = rest;
    long_run_init(&reclassify->run, writer);
    *out = reclassify;
    return ERR_OK;
}

void
reclassify_free(struct reclassify **reclassify)
{
    if (*reclassify == NULL) {
        return;
    }
    long_run_release(&(*reclassify)->run);
    free(*reclassify);
    *reclassify = NULL;
}

/* `mark`: what to show until the thread has looked itself. */
static enum err_code
begin(struct reclassify *reclassify,
      const struct ledger_reclassify *mark,
      struct err *err)
{
    if (long_run_state(&reclassify->run) == LONG_RUN_RUNNING) {
        return ERR_OK;
    }
    (void)pthread_mutex_lock(&reclassify->run.lock);
    reclassify->progress.mark = *mark;
    reclassify->run_done_before = mark->done;
    (void)pthread_mutex_unlock(&reclassify->run.lock);
    return long_run_start(&reclassify->run, reclassify_thread, reclassify, err);
}

enum err_code
reclassify_start(struct reclassify *reclassify, struct err *err)
{
    const struct ledger_reclassify none = {.next = 0};

    return begin(reclassify, &none, err);
}

enum err_code
reclassify_resume(struct reclassify *reclassify, struct err *err)
{
    struct ledger_reclassify mark;
    struct reader reader;
    bool any;

    if (reader_begin(reclassify->store, &reader, err) != ERR_OK) {
        return err->code;
    }
    any = reader_reclassify(&reader, &mark, err);
    reader_end(&reader);
    if (err->code != ERR_OK || !any) {
        return err->code;
    }
    if (mark.ended_us == 0) {
        return begin(reclassify, &mark, err);
    }
    reclassify->progress.mark = mark;
    long_run_was_done(&reclassify->run);
    return ERR_OK;
}

void
reclassify_stop(struct reclassify *reclassify)
{
    long_run_stop(&reclassify->run);
}

void
reclassify_progress(struct reclassify *reclassify,
                    struct reclassify_progress *out)
{
    uint64_t done;
    int64_t took_us;

    (void)pthread_mutex_lock(&reclassify->run.lock);
    *out = reclassify->progress;
    out->state = reclassify->run.state;
    out->err = reclassify->run.err;
    done = out->mark.done - reclassify->run_done_before;
    took_us = clock_mono_us() - reclassify->run.started_us;
    (void)pthread_mutex_unlock(&reclassify->run.lock);
    out->left_us = -1;
    if (out->state == LONG_RUN_RUNNING && done > 0 && took_us > 0) {
        uint64_t left = out->mark.total > out->mark.done
                            ? out->mark.total - out->mark.done
                            : 0;

        out->per_second = done * UINT64_C(1000000) / (uint64_t)took_us;
        out->left_us = (int64_t)((double)left * (double)took_us / (double)done);
    }
}

bool
reclassify_wait(struct reclassify *reclassify, int64_t timeout_us)
{
    return long_run_wait(&reclassify->run, timeout_us);
}
