/* The one thread that owns the ledger: groups batches, commits, hands back. */
#define LOG_MODULE "writer"
#include "server/writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "server/base/clock.h"
#include "server/base/log.h"

enum {
    WRITER_GROUP_BATCHES_MAX = 64,
    WRITER_IDLE_US = 1000000, /* look at the clock at least this often */
    WRITER_RETRY_US = 500000  /* a full disk: try again */
};

/* What goes through the queue: a batch, or work to run by itself. */
struct writer_job {
    writer_work *work;
    writer_work_done *done;
    void *data;
};

struct writer {
    struct ledger *ledger;
    struct edition *edition; /* what the ledger judges by; held */
    struct writer_options options;
    struct ring *queue; /* of struct batch, tagged pointers for jobs */
    pthread_t thread;
    bool started;
    bool stopped;         /* after a fatal error nothing is written any more */
    int64_t next_due_us;  /* look at the clocks again */
    struct batch **group; /* those that wait for room, then new ones */
    size_t group_room;

    _Atomic uint64_t commits;
    _Atomic uint64_t batches;
    _Atomic uint64_t records;
    _Atomic uint64_t failed_commits;
    _Atomic uint64_t commit_us_sum;
    _Atomic uint64_t commit_us_max;
    _Atomic int64_t last_commit_us;
    _Atomic bool no_room;
    _Atomic bool no_waiting; /* batches do not wait for room any more */
};

/* Jobs are told from batches by the lowest bit of the pointer. */
static void *
tag_job(struct writer_job *job)
{
    return (void *)((uintptr_t)job | 1u);
}

static struct writer_job *
job_of(void *item)
{
    return ((uintptr_t)item & 1u) != 0
               ? (struct writer_job *)((uintptr_t)item & ~(uintptr_t)1)
               : NULL;
}

static void
hand_back(struct batch *batch, const struct err *err)
{
    struct ring *done = batch->done;

    batch->err = *err;
    /* The ring has room for every batch its owner has; it is closed only when
     * the owner is gone, and then nobody waits. */
    (void)!ring_push(done, batch);
}

static enum err_code
put_reject(struct writer *writer,
           const struct batch *batch,
           const struct batch_item *item,
           struct err *err)
{
    const struct batch_reject *reject = item->reject;
    struct ledger_reject out = {.at_us = clock_now_us(),
                                .line = item->line,
                                .code = reject->code,
                                .source = span_of(batch->source),
                                .field = reject->field,
                                .detail = reject->detail,
                                .bytes = reject->bytes,
                                .line_bytes = reject->line_bytes};

    return ledger_put_reject(writer->ledger, &out, err);
}

/* An error of one record alone: it becomes a reject, the batch goes on. */
static enum err_code
refuse_item(struct writer *writer,
            struct batch *batch,
            struct batch_item *item,
            struct err *err)
{
    struct batch_reject *reject = arena_alloc(&batch->arena, sizeof(*reject));

    if (reject == NULL) {
        return err_set(err, ERR_NO_MEMORY, "batch");
    }
    *reject = (struct batch_reject){
        .code = err->code,
        .field = arena_copy(&batch->arena, span_of(err->field)),
        .detail = arena_copy(&batch->arena, span_of(err->detail))};
    item->kind = BATCH_REJECT;
    item->reject = reject;
    *err = (struct err){0};
    return put_reject(writer, batch, item, err);
}

static enum err_code
put_batch(struct writer *writer, struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->item_count && err->code == ERR_OK; i++) {
        struct batch_item *item = &batch->items[i];

        switch (item->kind) {
        case BATCH_TICKET:
            (void)!ledger_put_ticket(writer->ledger, item->ticket,
                                     item->verdict, &item->outcome, err);
            if (err->code == ERR_EXPIRED) {
                (void)!refuse_item(writer, batch, item, err);
            }
            break;
        case BATCH_EVENT:
            (void)!ledger_put_event(writer->ledger, item->event, &item->outcome,
                                    err);
            if (err->code == ERR_EXPIRED ||
                err_code_kind(err->code) == ERR_KIND_BUSY) {
                (void)!refuse_item(writer, batch, item, err);
            }
            break;
        case BATCH_REJECT:
            (void)!put_reject(writer, batch, item, err);
            break;
        }
    }
    return err->code;
}

static void
note_room(struct writer *writer, const struct err *err)
{
    bool no_room = err_code_kind(err->code) == ERR_KIND_NO_ROOM;

    if (no_room == atomic_load(&writer->no_room)) {
        return;
    }
    if (no_room) {
        log_error("no room to write, intake waits err=%s ctx=\"%s\"",
                  err_code_name(err->code), err->detail);
    } else {
        log_info("there is room again, intake goes on");
    }
    atomic_store(&writer->no_room, no_room);
}

static void
note_commit(struct writer *writer,
            const struct err *err,
            int64_t took_us,
            size_t batch_count,
            uint64_t records)
{
    note_room(writer, err);
    if (err->code != ERR_OK) {
        atomic_fetch_add(&writer->failed_commits, 1);
        return;
    }
    atomic_fetch_add(&writer->commits, 1);
    atomic_store(&writer->last_commit_us, clock_now_us());
    atomic_fetch_add(&writer->batches, batch_count);
    atomic_fetch_add(&writer->records, records);
    atomic_fetch_add(&writer->commit_us_sum, (uint64_t)took_us);
    if ((uint64_t)took_us > atomic_load(&writer->commit_us_max)) {
        atomic_store(&writer->commit_us_max, (uint64_t)took_us);
    }
}

/* A failure after which nothing may be acknowledged any more. */
static bool
is_fatal(const struct err *err)
{
    enum err_kind kind = err_code_kind(err->code);

    return kind == ERR_KIND_FAILED;
}

static void
stop_for_good(struct writer *writer, const struct err *err)
{
    if (!writer->stopped) {
        writer->stopped = true;
        log_error("writing failed, nothing is acknowledged any more err=%s "
                  "ctx=\"%s\"",
                  err_code_name(err->code), err->detail);
        writer->options.on_fatal(writer->options.fatal_data, err);
    }
}

/* When to look at the clocks again if no batch comes before. */
static void
look_at_clocks_next(struct writer *writer, const struct err *commit_err)
{
    struct err err = {0};
    int64_t due_us;

    if (commit_err->code != ERR_OK) {
        due_us = clock_now_us() + WRITER_RETRY_US;
        if (writer->next_due_us < due_us) {
            writer->next_due_us = due_us;
        }
        return;
    }
    due_us = ledger_next_due_us(writer->ledger, &err);
    writer->next_due_us =
        err.code == ERR_OK ? due_us : clock_now_us() + WRITER_IDLE_US;
}

/* Let the ledger judge by these tables; takes the hold over. */
static void
use_edition(struct writer *writer, struct edition *edition)
{
    if (edition != writer->edition) {
        ledger_set_dictionary(writer->ledger, edition->dictionary);
    }
    edition_release(&writer->edition);
    writer->edition = edition;
}

/* One transaction for batch_count batches of one edition (0: only the clocks),
 * or for the first of them when the ledger is full; how many. */
static size_t
commit_group(struct writer *writer,
             struct batch **batches,
             size_t batch_count,
             struct err *err)
{
    int64_t start_us = clock_mono_us();
    uint64_t records = 0;

    use_edition(writer, batch_count > 0
                            ? edition_hold(batches[0]->edition)
                            : rulebook_hold(writer->options.rulebook));
    if (ledger_begin(writer->ledger, clock_now_us(), err) == ERR_OK) {
        for (size_t i = 0; i < batch_count && err->code == ERR_OK; i++) {
            if (i > 0 && ledger_is_full(writer->ledger)) {
                batch_count = i;
                break;
            }
            records += batches[i]->item_count;
            (void)!put_batch(writer, batches[i], err);
        }
        if (err->code != ERR_OK) {
            ledger_abort(writer->ledger);
        } else {
            (void)!ledger_commit(writer->ledger, err);
        }
    }
    note_commit(writer, err, clock_mono_us() - start_us, batch_count, records);
    if (is_fatal(err)) {
        stop_for_good(writer, err);
    }
    look_at_clocks_next(writer, err);
    return batch_count;
}

static bool
must_wait(struct writer *writer,
          const struct batch *batch,
          const struct err *err)
{
    return err_code_kind(err->code) == ERR_KIND_NO_ROOM &&
           batch->wait_for_room && !atomic_load(&writer->no_waiting);
}

/*
 * Commit the batches in groups and hand them back. When one finds no room those
 * behind it are not tried. What has to wait for room is moved to the front of
 * the group; returns how many that are.
 */
static size_t
commit_and_hand_back(struct writer *writer, size_t batch_count)
{
    struct batch **group = writer->group;
    struct err err = {0};
    size_t waiting = 0;
    size_t from = 0;

    do {
        size_t to = from;
        uint64_t records = 0;

        while (to < batch_count &&
               records < writer->options.group_records_max &&
               group[to]->edition == group[from]->edition) {
            records += group[to++]->item_count;
        }
        if (writer->stopped) {
            err = (struct err){0};
            (void)err_set(&err, ERR_IO,
                          "the store failed; the server is stopping");
        } else if (err_code_kind(err.code) != ERR_KIND_NO_ROOM) {
            err = (struct err){0};
            to = from + commit_group(writer, group + from, to - from, &err);
        }
        for (; from < to; from++) {
            if (must_wait(writer, group[from], &err)) {
                group[waiting++] = group[from];
            } else {
                hand_back(group[from], &err);
            }
        }
    } while (from < batch_count);
    return waiting;
}

static void
run_job(struct writer *writer, struct writer_job *job)
{
    struct err err = {0};

    if (writer->stopped) {
        (void)err_set(&err, ERR_IO, "the store failed; the server is stopping");
    } else {
        use_edition(writer, rulebook_hold(writer->options.rulebook));
        if (ledger_begin(writer->ledger, clock_now_us(), &err) == ERR_OK) {
            if (job->work(job->data, writer->ledger, &err) != ERR_OK) {
                ledger_abort(writer->ledger);
            } else {
                (void)!ledger_commit(writer->ledger, &err);
            }
            if (is_fatal(&err)) {
                stop_for_good(writer, &err);
            }
        }
    }
    job->done(job->data, &err);
    free(job);
}

/* How long to wait for the next batch. */
static long long
wait_us(struct writer *writer, size_t waiting)
{
    int64_t until_due_us;

    if (waiting > 0 || atomic_load(&writer->no_room)) {
        return WRITER_RETRY_US;
    }
    until_due_us = writer->stopped || writer->next_due_us == STATE_NEVER
                       ? WRITER_IDLE_US
                       : writer->next_due_us + 1 - clock_now_us();
    if (until_due_us < 0) {
        return 0;
    }
    return until_due_us < WRITER_IDLE_US ? until_due_us : WRITER_IDLE_US;
}

/* Room in the group for what is taken off the queue next. The queue is never
 * left alone, or whoever pushes to it would wait as long as the batches that
 * wait for room do. */
static bool
make_group_room(struct writer *writer, size_t waiting)
{
    size_t room = waiting + WRITER_GROUP_BATCHES_MAX;
    struct batch **larger;

    if (room <= writer->group_room) {
        return true;
    }
    larger = realloc(writer->group, 2 * room * sizeof(*larger));
    if (larger == NULL) {
        return false;
    }
    writer->group = larger;
    writer->group_room = 2 * room;
    return true;
}

/* Run what is work, add the batches to the group; returns the batches in it. */
static size_t
sort_items(struct writer *writer, void **items, size_t count, size_t taken)
{
    for (size_t i = 0; i < count; i++) {
        struct writer_job *job = job_of(items[i]);

        if (job != NULL) {
            run_job(writer, job);
        } else {
            writer->group[taken++] = items[i];
        }
    }
    return taken;
}

static void *
writer_thread(void *data)
{
    struct writer *writer = data;
    size_t waiting = 0;

    (void)prctl(PR_SET_NAME, "suqiu-writer");
    for (;;) {
        void *items[WRITER_GROUP_BATCHES_MAX];
        bool closed = ring_closed(writer->queue);
        size_t count;
        size_t taken;

        if (!make_group_room(writer, waiting)) {
            struct err err = {0};

            (void)err_set(&err, ERR_NO_MEMORY, "batches");
            stop_for_good(writer, &err);
            waiting = commit_and_hand_back(writer, waiting);
        }
        count = ring_pop_within(writer->queue, items, WRITER_GROUP_BATCHES_MAX,
                                wait_us(writer, waiting));
        if (count == 0 && closed &&
            (waiting == 0 || writer->stopped ||
             atomic_load(&writer->no_room))) {
            break;
        }
        taken = sort_items(writer, items, count, waiting);
        if (taken > 0 ||
            (!writer->stopped && clock_now_us() > writer->next_due_us)) {
            waiting = commit_and_hand_back(writer, taken);
        } else if (atomic_load(&writer->no_room) &&
                   ledger_has_room(writer->ledger)) {
            /* Nothing waits here, but HTTP sends nothing until it is told. */
            note_room(writer, &(struct err){0});
        }
    }
    if (waiting > 0) {
        struct err err = {0};

        (void)err_set(&err, ERR_DISK_FULL, "stopped while there was no room");
        for (size_t i = 0; i < waiting; i++) {
            hand_back(writer->group[i], &err);
        }
    }
    return NULL;
}

enum err_code
writer_new(struct ledger *ledger,
           const struct writer_options *options,
           struct writer **out,
           struct err *err)
{
    struct writer *writer = calloc(1, sizeof(*writer));

    if (writer == NULL) {
        return err_set(err, ERR_NO_MEMORY, "writer");
    }
    writer->ledger = ledger;
    writer->options = *options;
    writer->edition = rulebook_hold(options->rulebook);
    writer->next_due_us = ledger_next_due_us(ledger, err);
    writer->queue = ring_new(options->queue_batches_max);
    if (writer->queue == NULL || !make_group_room(writer, 0)) {
        (void)err_set(err, ERR_NO_MEMORY, "writer");
    } else if (err->code == ERR_OK &&
               pthread_create(&writer->thread, NULL, writer_thread, writer) !=
                   0) {
        (void)err_set(err, ERR_NO_MEMORY, "cannot start the writer thread");
    } else {
        writer->started = err->code == ERR_OK;
    }
    if (err->code != ERR_OK) {
        writer_free(&writer);
        return err->code;
    }
    *out = writer;
    return ERR_OK;
}

struct ring *
writer_queue(struct writer *writer)
{
    return writer->queue;
}

bool
writer_run(struct writer *writer,
           writer_work *work,
           writer_work_done *done,
           void *data)
{
    struct writer_job *job = malloc(sizeof(*job));

    if (job == NULL) {
        return false;
    }
    *job = (struct writer_job){work, done, data};
    if (!ring_push(writer->queue, tag_job(job))) {
        free(job);
        return false;
    }
    return true;
}

void
writer_counts(const struct writer *writer, struct writer_counts *out)
{
    struct writer *w = (struct writer *)(uintptr_t)writer;

    out->commits = atomic_load(&w->commits);
    out->batches = atomic_load(&w->batches);
    out->records = atomic_load(&w->records);
    out->failed_commits = atomic_load(&w->failed_commits);
    out->commit_us_sum = atomic_load(&w->commit_us_sum);
    out->commit_us_max = atomic_load(&w->commit_us_max);
    out->last_commit_us = atomic_load(&w->last_commit_us);
    out->no_room = atomic_load(&w->no_room);
}

void
writer_stop_waiting(struct writer *writer)
{
    atomic_store(&writer->no_waiting, true);
}

void
writer_free(struct writer **writer)
{
    if (*writer == NULL) {
        return;
    }
    if ((*writer)->started) {
        ring_close((*writer)->queue);
        (void)pthread_join((*writer)->thread, NULL);
    }
    ring_free(&(*writer)->queue);
    edition_release(&(*writer)->edition);
    free((*writer)->group);
    free(*writer);
    *writer = NULL;
}
