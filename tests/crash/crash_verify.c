/* Is everything that was acknowledged in the store, once, and nothing else? */
#include <stdio.h>
#include <string.h>

#include "server/ledger/fsck.h"
#include "server/ledger/reader.h"
#include "tests/crash/crash.h"

static const struct store_options store_options = {UINT64_C(64) << 30};

static bool
holds(struct span line, struct span part)
{
    return part.bytes == 0 ||
           memmem(line.data, line.bytes, part.data, part.bytes) != NULL;
}

/* The record at the place of the log where `line` must be. */
static void
compare_record(struct crash *crash,
               const struct reader *reader,
               struct span line,
               enum model_outcome outcome)
{
    struct span id = model_line_id(line);
    struct record record;
    struct err err = {0};
    struct span stored_id;
    struct span stored_word;

    if (reader_record(reader, crash->log_seq, &record, &err) != ERR_OK) {
        crash_fail(crash, "log record %llu: %s",
                   (unsigned long long)crash->log_seq, err.detail);
    }
    if ((record.kind == RECORD_TICKET) != (outcome == MODEL_TICKET)) {
        crash_fail(crash, "log record %llu has the wrong kind",
                   (unsigned long long)crash->log_seq);
    }
    if (record.kind == RECORD_TICKET) {
        stored_id = record.ticket.id;
        stored_word = record.ticket.text;
    } else {
        stored_id = record.event.id;
        stored_word = span_of(event_kind_wire(record.event.kind));
    }
    if (stored_id.bytes != id.bytes ||
        memcmp(stored_id.data, id.data, id.bytes) != 0 ||
        !holds(line, stored_word)) {
        crash_fail(crash, "log record %llu is not the line that was sent: %.*s",
                   (unsigned long long)crash->log_seq, (int)id.bytes, id.data);
    }
    crash->log_seq++;
}

static void
compare_totals(const struct crash *crash, const struct ledger_totals *totals)
{
    const struct model *model = &crash->model;
    const struct {
        const char *name;
        uint64_t stored;
        uint64_t expected;
    } rows[] = {
        {"tickets", totals->tickets, model->tickets},
        {"events", totals->events, model->events},
        {"duplicates", totals->duplicates, model->duplicates},
        {"versions", totals->versions, model->versions},
        {"waiting", totals->waiting, model->waiting},
        {"rejects", totals->rejects, model->rejects},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].stored != rows[i].expected) {
            crash_fail(crash, "%s: the store has %llu, sent were %llu",
                       rows[i].name, (unsigned long long)rows[i].stored,
                       (unsigned long long)rows[i].expected);
        }
    }
}

static void
take_line(struct crash *crash, const struct reader *reader, size_t index)
{
    struct span line = crash_line(crash, index);
    enum model_outcome outcome;

    if (!model_take(&crash->model, line,
                    (enum generated_kind)crash->lines.kinds[index], &outcome)) {
        crash_fail(crash, "out of memory");
    }
    if (outcome == MODEL_TICKET || outcome == MODEL_EVENT) {
        compare_record(crash, reader, line, outcome);
    }
}

static void
compare(struct crash *crash,
        const struct reader *reader,
        const struct crash_stream *stream)
{
    struct ledger_totals totals = reader_totals(reader);
    uint64_t taken = totals.tickets + totals.events + totals.duplicates +
                     totals.versions + totals.rejects;
    uint64_t before = model_lines(&crash->model);
    uint64_t kept = taken - before;

    if (taken < before || kept < stream->acked) {
        crash_fail(
            crash, "%llu lines were acknowledged, the store has taken %lld",
            (unsigned long long)stream->acked, (long long)(taken - before));
    }
    if (kept > stream->sent) {
        crash_fail(crash, "%llu lines were sent, the store has taken %llu",
                   (unsigned long long)stream->sent, (unsigned long long)kept);
    }
    for (uint64_t i = 0; i < kept; i++) {
        take_line(crash, reader, crash->position + (size_t)i);
    }
    if (reader_seq(reader) != crash->log_seq) {
        crash_fail(crash, "the log ends at %llu instead of %llu",
                   (unsigned long long)reader_seq(reader),
                   (unsigned long long)crash->log_seq);
    }
    compare_totals(crash, &totals);
    crash->acked += stream->acked;
    crash->unacked_kept += kept - stream->acked;
    crash->silent_rounds += stream->acked == 0;
}

void
crash_verify(struct crash *crash, const struct crash_stream *stream)
{
    struct store *store = NULL;
    struct reader reader;
    struct err err = {0};

    if (store_open(crash->data, STORE_READ, &store_options, &store, &err) !=
        ERR_OK) {
        if (err.code == ERR_NOT_FOUND && model_lines(&crash->model) == 0 &&
            stream->acked == 0) {
            return; /* killed before it made the store */
        }
        crash_fail(crash, "open the store: %s", err.detail);
    }
    if (reader_begin(store, &reader, &err) != ERR_OK) {
        crash_fail(crash, "read the store: %s", err.detail);
    }
    compare(crash, &reader, stream);
    reader_end(&reader);
    store_close(&store);
}

static void
print_difference(void *data, const char *text)
{
    (void)data;
    (void)fprintf(stderr, "fsck: %s\n", text);
}

void
crash_fsck(struct crash *crash)
{
    const struct fsck_options options = {.lines_max = 20,
                                         .line = print_difference};
    struct fsck_result result = {0};
    struct store *store = NULL;
    struct err err = {0};

    if (store_open(crash->data, STORE_READ, &store_options, &store, &err) !=
            ERR_OK ||
        fsck_run(store, crash->dictionary, &options, &result, &err) != ERR_OK) {
        crash_fail(crash, "fsck: %s", err.detail);
    }
    store_close(&store);
    if (result.differences > 0) {
        crash_fail(crash, "fsck found %llu differences",
                   (unsigned long long)result.differences);
    }
    if (result.tickets != crash->model.tickets ||
        result.events != crash->model.events || result.judged_by_others > 0) {
        crash_fail(crash,
                   "fsck saw %llu tickets and %llu events, %llu of them "
                   "judged by other tables",
                   (unsigned long long)result.tickets,
                   (unsigned long long)result.events,
                   (unsigned long long)result.judged_by_others);
    }
    crash->fsck_runs++;
}
