/*
 * writer: the one thread that owns the ledger.
 *
 * It takes whatever batches are there (natural group commit: the longer a
 * commit takes, the more batches the next one holds), puts them into one
 * transaction, and hands each batch back to its sender after the commit. When
 * nothing comes it wakes up as clocks run out.
 *
 * On a full disk or map a batch with wait_for_room stays here until there is
 * room and the queue behind it fills up, so its intake stops reading; other
 * batches come back with the error at once. Any error that leaves the outcome
 * of a commit unknown is fatal: on_fatal is called, and nothing is
 * acknowledged any more.
 *
 * A transaction holds batches of one edition of the tables, and its clocks and
 * repeat calls are judged by that edition; one without batches is judged by the
 * edition in force.
 */
#ifndef SERVER_WRITER_H
#define SERVER_WRITER_H

#include "server/base/ring.h"
#include "server/ledger/ledger.h"
#include "server/pipeline.h"

struct writer;

struct writer_options {
    struct rulebook *rulebook; /* borrowed until writer_free; its edition in
                                  force is the one the ledger was opened with */
    size_t queue_batches_max;
    size_t group_records_max; /* in one transaction */
    void (*on_fatal)(void *data, const struct err *err); /* writer thread */
    void *fatal_data;
};

/* Numbers since the start; each is whole. */
struct writer_counts {
    uint64_t commits;
    uint64_t batches;
    uint64_t records;
    uint64_t failed_commits;
    uint64_t commit_us_sum; /* begin to committed */
    uint64_t commit_us_max;
    int64_t last_commit_us; /* wall clock; 0 before the first */
    bool no_room;           /* the last commit failed for want of room */
};

/* Start the thread. `ledger` is borrowed until writer_free. */
enum err_code writer_new(struct ledger *ledger,
                         const struct writer_options *options,
                         struct writer **out,
                         struct err *err) MUST_CHECK;

/* The queue to push batches to: ring_push waits, ring_try_push does not. */
struct ring *writer_queue(struct writer *writer);

/*
 * Run `work` inside a transaction of the writer thread, by itself, and call
 * done(data, err) there afterwards. For rare changes: facts, maintenance.
 * False when the queue is closed.
 */
typedef enum err_code
writer_work(void *data, struct ledger *ledger, struct err *err);
typedef void writer_work_done(void *data, const struct err *err);
bool writer_run(struct writer *writer,
                writer_work *work,
                writer_work_done *done,
                void *data) MUST_CHECK;

void writer_counts(const struct writer *writer, struct writer_counts *out);

/* From now on no batch waits for room: what finds none comes back with the
 * error. For ending while the disk is full. Any thread. */
void writer_stop_waiting(struct writer *writer);

/* Finish what is queued and stop the thread. Accepts NULL. */
void writer_free(struct writer **writer);

#endif /* SERVER_WRITER_H */
