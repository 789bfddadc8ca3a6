/*
 * pipeline: the way of a record, from bytes to the acknowledgement.
 *
 *   ingest ─► judge_line: decode ─► clean ─► classify + region ─► batch
 *          ─► writer thread: ledger (dedupe, repeat, deadlines, put, count,
 *             commit) ─► the batch comes back to whoever sent it
 *
 * Start reading here. Intakes (ingest/) own the bytes and the sockets; a judge
 * is one thread's tools for stages 2 to 4; a batch carries what it made to the
 * writer and back.
 */
#ifndef SERVER_PIPELINE_H
#define SERVER_PIPELINE_H

#include "analyzers/arena.h"
#include "analyzers/classify.h"
#include "analyzers/dictionary.h"
#include "server/base/ring.h"
#include "server/decode/columns.h"
#include "server/decode/ticket_decode.h"
#include "server/ledger/ledger.h"
#include "server/rulebook/rulebook.h"

enum { BATCH_EXCERPT_BYTES_MAX = 4 * DECODE_EXCERPT_CHARS_MAX };

/* A line that was refused, for the sender and the reject list. */
struct batch_reject {
    enum err_code code;
    struct span field;
    struct span detail;
    struct span value; /* never personal */
    struct span id;
    struct span bytes;
    uint64_t line_bytes;
};

enum batch_item_kind { BATCH_TICKET, BATCH_EVENT, BATCH_REJECT };

struct batch_item {
    enum batch_item_kind kind;
    enum ledger_outcome outcome; /* after the commit */
    uint64_t line;               /* of the connection, file or body, from 1 */
    union {
        const struct ticket *ticket;
        const struct ticket_event *event;
        struct batch_reject *reject;
    };
    const struct verdict *verdict; /* BATCH_TICKET; only evidence_count
                                      evidences are there */
};

/*
 * Records on their way to the disk. Everything the items point to lives in the
 * arena, in `room` or in the dictionary until the batch is reset.
 */
struct batch {
    struct arena arena;
    struct batch_item *items;
    size_t item_count;
    size_t items_max;

    char *room; /* for the intake: bytes the lines are views of */
    size_t room_bytes;

    const char *source; /* "feed", "http", "import"; static */
    uint64_t last_line; /* the lines up to here are in this batch or before */
    bool wait_for_room; /* a full disk: keep until there is room */
    struct ring *done;  /* where the batch goes afterwards */
    void *owner;        /* the intake's */
    struct batch *next; /* free list of the intake */
    struct edition *edition; /* the tables that judged it; held */
    struct err err;          /* ERR_OK: on disk */
};

/* NULL when there is no memory. room_bytes may be 0. */
struct batch *batch_new(size_t items_max, size_t room_bytes);
void batch_free(struct batch **batch);
/* Empty it and let go of its tables. */
void batch_reset(struct batch *batch);

/* Tools of one thread. */
struct judge {
    struct rulebook *rulebook;
    struct edition *edition; /* held */
    struct decoder *decoder;
    struct classify_scratch *scratch; /* of the edition */
};

/* `rulebook` is borrowed until judge_release. */
enum err_code judge_init(struct judge *judge,
                         struct rulebook *rulebook,
                         struct err *err) MUST_CHECK;
void judge_release(struct judge *judge);

/*
 * Go over to the tables in force. Between batches, and when a swap wakes a
 * thread that has no work. Where there is no memory for it the old ones stay.
 * Cost    one load when nothing changed
 */
void judge_follow(struct judge *judge);

/* The batch is filled: count the rules that spoke in it. */
void judge_end(struct judge *judge);

/* Begin an empty batch: go over to the tables in force, and hold them until
 * batch_reset. Before the first judge_line. */
void judge_begin(struct judge *judge, struct batch *batch);

/*
 * Stages 2 to 4 for one line of JSON: adds one item to the batch, a reject when
 * the line cannot be read. Blank lines add nothing. `line` is borrowed until
 * batch_reset.
 * Returns false when there is no memory (nothing was added).
 */
bool judge_line(struct judge *judge,
                struct batch *batch,
                struct span line,
                uint64_t line_number);

/* The same for one row of CSV. */
bool judge_row(struct judge *judge,
               struct batch *batch,
               const struct column_map *map,
               const struct csv_row *row);

/* Add a reject that an intake found itself: a line over the limit, a row with
 * too many cells. Texts are copied, `bytes` is borrowed. */
bool judge_refuse(struct batch *batch,
                  uint64_t line_number,
                  const struct err *err,
                  struct span bytes,
                  uint64_t line_bytes);

#endif /* SERVER_PIPELINE_H */
