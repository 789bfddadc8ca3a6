/* Files to batches in the order of the file, with a bounded number under way.
 */
#include "server/ingest/file_intake.h"

#include <assert.h>
#include <stdlib.h>

struct file_intake {
    struct writer *writer;
    struct judge judge;
    struct file_intake_options options;
    struct import_report *report;
    struct ring *done;
    struct batch *free_batches;
    unsigned in_flight;
    struct err err; /* of the first batch that was not stored */

    /* the file in hand */
    struct record_file *file;
    struct column_map *map;
    uint64_t taken;
};

/* --- batches ------------------------------------------------------------ */

static void
count_refused(struct file_intake *intake, const struct batch_item *item)
{
    const struct batch_reject *reject = item->reject;
    const struct import_refusal refusal = {
        .file = record_file_name(intake->file),
        .place = record_file_format(intake->file) == RECORD_ARRAY ? "record"
                                                                  : "line",
        .line = item->line,
        .code = span_of(err_code_name(reject->code)),
        .field = reject->field,
        .detail = reject->detail,
        .value = reject->value};

    import_report_refuse(intake->report, &refusal);
}

static void
count_item(struct file_intake *intake, const struct batch_item *item)
{
    struct import_report *report = intake->report;

    if (item->kind == BATCH_REJECT) {
        count_refused(intake, item);
        return;
    }
    report->received++;
    switch (item->outcome) {
    case LEDGER_WAITING:
        report->waiting++;
        report->accepted++;
        break;
    case LEDGER_ACCEPTED:
        report->accepted++;
        break;
    case LEDGER_DUPLICATE:
        report->duplicate++;
        break;
    case LEDGER_UPDATED:
        report->updated++;
        break;
    }
}

static void
give_batch(struct file_intake *intake, struct batch *batch)
{
    batch_reset(batch);
    batch->next = intake->free_batches;
    intake->free_batches = batch;
}

/* Wait for batches to come back and count what they brought. */
static void
take_back(struct file_intake *intake)
{
    void *items[FILE_INTAKE_BATCHES];
    size_t count = ring_pop(intake->done, items, FILE_INTAKE_BATCHES);

    for (size_t i = 0; i < count; i++) {
        struct batch *batch = items[i];

        intake->in_flight--;
        if (batch->err.code == ERR_OK) {
            for (size_t k = 0; k < batch->item_count; k++) {
                count_item(intake, &batch->items[k]);
            }
        } else if (intake->err.code == ERR_OK) {
            intake->err = batch->err;
        }
        give_batch(intake, batch);
    }
}

static struct batch *
take_batch(struct file_intake *intake)
{
    struct batch *batch;

    while (intake->free_batches == NULL) {
        take_back(intake);
    }
    batch = intake->free_batches;
    intake->free_batches = batch->next;
    return batch;
}

static void
submit(struct file_intake *intake, struct batch *batch)
{
    judge_end(&intake->judge);
    batch->source = "import";
    batch->done = intake->done;
    batch->owner = intake;
    batch->wait_for_room = false;
    intake->in_flight++;
    if (!ring_push(writer_queue(intake->writer), batch)) {
        intake->in_flight--;
        give_batch(intake, batch);
        if (intake->err.code == ERR_OK) {
            (void)err_set(&intake->err, ERR_INTERNAL, "the writer is gone");
        }
    }
}

/* --- records ------------------------------------------------------------ */

/* A record that the file itself refuses; its bytes move into the batch. */
static bool
refuse_record(struct batch *batch,
              const struct file_record *record,
              const struct err *err)
{
    struct span bytes = record->text;

    if (bytes.bytes > LEDGER_REJECT_BYTES_MAX) {
        bytes.bytes = LEDGER_REJECT_BYTES_MAX;
    }
    return judge_refuse(batch, record->line, err,
                        arena_copy(&batch->arena, bytes), record->text_bytes);
}

static bool
judge_json(struct file_intake *intake,
           struct batch *batch,
           const struct file_record *record)
{
    struct span line = record->text;

    if (record_file_format(intake->file) == RECORD_LINES) {
        line = arena_copy(&batch->arena, line);
        if (line.data == NULL) {
            return false;
        }
    }
    return judge_line(&intake->judge, batch, line, record->line);
}

static void
tell_refused(const struct file_intake *intake,
             const struct batch *batch,
             size_t count_before,
             const struct file_record *record)
{
    const struct batch_item *item = &batch->items[batch->item_count - 1];

    if (intake->options.refused != NULL && batch->item_count > count_before &&
        item->kind == BATCH_REJECT) {
        intake->options.refused(intake->options.refused_data, intake->file,
                                record, item->reject);
    }
}

/* Fill one batch. False: the file is at its end, or *err is set. */
static bool
fill_batch(struct file_intake *intake, struct batch *batch, struct err *err)
{
    size_t bytes = 0;

    while (batch->item_count < batch->items_max &&
           bytes < intake->options.batch_bytes_max) {
        struct file_record record = {0};
        size_t count_before = batch->item_count;
        struct err bad = {0};
        bool fine = true;

        switch (record_file_next(intake->file, &batch->arena, &record, &bad)) {
        case RECORD_END:
            return false;
        case RECORD_FAILED:
            *err = bad;
            return false;
        case RECORD_BAD:
            fine = refuse_record(batch, &record, &bad);
            break;
        case RECORD_JSON:
            fine = judge_json(intake, batch, &record);
            break;
        case RECORD_ROW:
            fine = judge_row(&intake->judge, batch, intake->map, &record.row);
            break;
        }
        if (!fine) {
            (void)err_set(err, ERR_NO_MEMORY, "%s: no memory for a batch",
                          record_file_name(intake->file));
            return false;
        }
        tell_refused(intake, batch, count_before, &record);
        bytes += record.text.bytes;
        intake->taken++;
    }
    return true;
}

enum err_code
file_intake_check(const struct columns *columns,
                  const struct record_file *file,
                  struct err *err)
{
    struct column_map *map = NULL;

    if (record_file_format(file) != RECORD_CSV) {
        return ERR_OK;
    }
    if (columns_map(columns, record_file_header(file), &map, err) != ERR_OK) {
        return err_prefix(err, "%s", record_file_name(file));
    }
    columns_map_free(&map);
    return ERR_OK;
}

enum err_code
file_intake_run(struct file_intake *intake,
                struct record_file *file,
                file_intake_progress *progress,
                void *progress_data,
                struct err *err)
{
    struct edition *edition;
    bool more = true;

    assert(intake->in_flight == 0 && err->code == ERR_OK);
    intake->file = file;
    intake->err = (struct err){0};
    /* The map belongs to these tables, whatever is put in force meanwhile. */
    edition = edition_hold(intake->judge.edition);
    if (record_file_format(file) == RECORD_CSV &&
        columns_map_as(edition->columns, record_file_header(file),
                       intake->options.fields, &intake->map, err) != ERR_OK) {
        edition_release(&edition);
        return err_prefix(err, "%s", record_file_name(file));
    }
    while (more && intake->err.code == ERR_OK) {
        struct batch *batch = take_batch(intake);

        judge_begin(&intake->judge, batch);
        more = fill_batch(intake, batch, err);
        if (batch->item_count == 0 || intake->err.code != ERR_OK) {
            give_batch(intake, batch);
        } else {
            submit(intake, batch);
        }
        progress(progress_data, file, intake->taken);
        if (more && intake->options.stop != NULL &&
            atomic_load(intake->options.stop)) {
            more = false;
            (void)err_set(err, ERR_BUSY,
                          "stopped half-way; send the file again, what is "
                          "there counts as a duplicate");
        }
    }
    /* Rows and elements are views of the file: all of them come back first. */
    while (intake->in_flight > 0) {
        take_back(intake);
    }
    columns_map_free(&intake->map);
    edition_release(&edition);
    if (intake->err.code != ERR_OK) {
        *err = intake->err;
    }
    return err->code;
}

enum err_code
file_intake_new(struct writer *writer,
                struct rulebook *rulebook,
                const struct file_intake_options *options,
                struct import_report *report,
                struct file_intake **out,
                struct err *err)
{
    struct file_intake *intake = calloc(1, sizeof(*intake));

    if (intake == NULL) {
        return err_set(err, ERR_NO_MEMORY, "import");
    }
    intake->writer = writer;
    intake->options = *options;
    intake->report = report;
    intake->done = ring_new(FILE_INTAKE_BATCHES);
    if (intake->done == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "import");
    }
    for (int i = 0; err->code == ERR_OK && i < FILE_INTAKE_BATCHES; i++) {
        struct batch *batch = batch_new(options->batch_records_max, 0);

        if (batch == NULL) {
            (void)err_set(err, ERR_NO_MEMORY, "import");
        } else {
            give_batch(intake, batch);
        }
    }
    if (err->code != ERR_OK ||
        judge_init(&intake->judge, rulebook, err) != ERR_OK) {
        file_intake_free(&intake);
        return err->code;
    }
    *out = intake;
    return ERR_OK;
}

void
file_intake_free(struct file_intake **intake)
{
    if (*intake == NULL) {
        return;
    }
    assert((*intake)->in_flight == 0);
    while ((*intake)->free_batches != NULL) {
        struct batch *batch = take_batch(*intake);

        batch_free(&batch);
    }
    judge_release(&(*intake)->judge);
    columns_map_free(&(*intake)->map);
    ring_free(&(*intake)->done);
    free(*intake);
    *intake = NULL;
}
