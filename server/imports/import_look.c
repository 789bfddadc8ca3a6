/* What would become of this file? */
#include "server/imports/import_look.h"

#include <stdlib.h>

#include "analyzers/taxonomy.h"
#include "server/pipeline.h"
#include "server/serve/problem.h"

enum { LOOK_BATCH_RECORDS = 100, LOOK_BYTES_MAX = 64 * 1024 * 1024 };

struct looking {
    const struct import_look_options *options;
    struct import_look *look;
    struct record_file *file;
    struct edition *edition;
    struct column_map *map; /* NULL: a field has no column */
    struct judge judge;
    struct batch *batch;
    struct json_out preview;
    struct json_out errors;
    struct buf samples[CSV_COLUMNS_MAX]; /* JSON texts with commas */
    unsigned sample_count[CSV_COLUMNS_MAX];
};

bool
import_is_header(void *data, const struct csv_row *row)
{
    struct column_map *map = NULL;
    struct err err = {0};
    bool yes = columns_map(data, row, &map, &err) == ERR_OK;

    columns_map_free(&map);
    return yes;
}

static struct span
shown(struct span text)
{
    if (text.bytes > IMPORT_CELL_SHOWN_BYTES_MAX) {
        text.bytes = utf8_cut(text.data, IMPORT_CELL_SHOWN_BYTES_MAX);
    }
    return text.data != NULL ? text : (struct span){"", 0};
}

void
import_put_error(struct json_out *json,
                 uint64_t line,
                 enum err_code code,
                 struct span field,
                 struct span detail,
                 const struct csv_row *header,
                 const enum decode_field *fields)
{
    enum decode_field wanted = decode_field_from(field);
    size_t column = SIZE_MAX;

    for (size_t i = 0; header != NULL && wanted != DECODE_FIELD_NONE &&
                       i < header->cell_count;
         i++) {
        column = column == SIZE_MAX && fields[i] == wanted ? i : column;
    }
    json_put_uint(json, "line", line);
    json_put_text(json, "code", err_code_name(code));
    json_put_text(json, "title", problem_title(code, false));
    json_key(json, "field");
    json_string(json, field.bytes > 0 ? field : (struct span){NULL, 0});
    json_key(json, "column");
    if (column == SIZE_MAX) {
        json_null(json);
    } else {
        json_uint(json, column);
    }
    json_key(json, "heading");
    json_string(json, column == SIZE_MAX ? (struct span){NULL, 0}
                                         : shown(header->cells[column]));
    json_put_string(json, "detail", detail);
}

/* ---- the file ---- */

static const char *
format_of(const struct record_file *file)
{
    switch (record_file_format(file)) {
    case RECORD_LINES:
        return "ndjson";
    case RECORD_ARRAY:
        return "json";
    case RECORD_CSV:
        break;
    }
    return record_file_sheet_count(file) > 0 ? "xlsx" : "csv";
}

static void
put_sheets(struct looking *looking)
{
    struct record_file *file = looking->file;
    size_t count = record_file_sheet_count(file);
    struct json_out json;

    json_init(&json, &looking->look->sheet_names);
    json_open_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_text(&json, record_file_sheet_name(file, i));
    }
    json_close_array(&json);
    json_init(&json, &looking->look->sheet_name);
    if (count > 0) {
        json_text(&json, record_file_sheet_name(file, record_file_sheet(file)));
    } else {
        json_null(&json);
    }
}

/* Guess or take the fields; no map when one is missing. */
static enum err_code
map_columns(struct looking *looking, struct err *err)
{
    const struct import_look_options *options = looking->options;
    struct import_look *look = looking->look;
    const struct csv_row *header = record_file_header(looking->file);
    const struct columns *columns = looking->edition->columns;
    enum decode_field missing[3];
    struct json_out json;

    look->has_columns = true;
    look->header_line = header->line;
    look->field_count = header->cell_count;
    columns_guess(columns, header, look->fields);
    if (options->fields != NULL) {
        if (options->field_count != header->cell_count) {
            return err_set(err, ERR_BAD_VALUE,
                           "the file has %zu columns, not %zu",
                           header->cell_count, options->field_count);
        }
        memcpy(look->fields, options->fields,
               header->cell_count * sizeof(look->fields[0]));
    }
    look->missing_count =
        columns_missing(look->fields, look->field_count, missing);
    json_init(&json, &look->missing);
    json_open_array(&json);
    for (size_t i = 0; i < look->missing_count; i++) {
        json_text(&json, decode_field_name(missing[i]));
    }
    json_close_array(&json);
    return look->missing_count > 0
               ? ERR_OK
               : columns_map_as(columns, header, look->fields, &looking->map,
                                err);
}

static void
put_columns(struct looking *looking)
{
    struct import_look *look = looking->look;
    struct json_out json;

    json_init(&json, &look->columns);
    json_open_array(&json);
    for (size_t i = 0; i < look->field_count; i++) {
        const struct csv_row *header = record_file_header(looking->file);

        json_open_object(&json);
        json_put_uint(&json, "index", i);
        json_put_string(&json, "heading", shown(header->cells[i]));
        json_key(&json, "field");
        json_text(&json, look->fields[i] != DECODE_FIELD_NONE
                             ? decode_field_name(look->fields[i])
                             : NULL);
        json_key(&json, "samples");
        buf_put_char(&looking->samples[i], ']');
        json_raw(&json, buf_view(&looking->samples[i]));
        json_close_object(&json);
    }
    json_close_array(&json);
}

/* ---- rows ---- */

static void
take_samples(struct looking *looking, const struct csv_row *row)
{
    for (size_t i = 0; i < row->cell_count; i++) {
        struct span cell = shown(row->cells[i]);
        struct json_out json;

        if (cell.bytes == 0 || looking->sample_count[i] == IMPORT_SAMPLES_MAX) {
            continue;
        }
        if (looking->sample_count[i]++ > 0) {
            buf_put_char(&looking->samples[i], ',');
        }
        json_init(&json, &looking->samples[i]);
        json_string(&json, cell);
    }
}

static void
put_verdict(struct looking *looking, const struct batch_item *item)
{
    struct json_out *json = &looking->preview;
    const struct verdict *verdict = item->verdict;
    const struct taxonomy *taxonomy =
        looking->batch->edition->dictionary->taxonomy;

    json_key(json, "verdict");
    if (item->kind != BATCH_TICKET) {
        json_null(json);
        return;
    }
    json_open_object(json);
    json_put_text(json, "category", ticket_category_wire(verdict->category));
    json_key(json, "subcategory");
    json_string(json,
                verdict->subcategory != TAXONOMY_NONE
                    ? taxonomy_row(taxonomy, verdict->subcategory)->chinese
                    : (struct span){NULL, 0});
    json_put_double(json, "confidence", verdict->confidence_permille / 1000.0);
    json_put_text(json, "region", ticket_region_wire(verdict->region));
    json_close_object(json);
}

static void
put_item_error(struct looking *looking,
               struct json_out *json,
               const struct batch_item *item)
{
    const struct csv_row *header =
        looking->look->has_columns ? record_file_header(looking->file) : NULL;

    json_open_object(json);
    import_put_error(json, item->line, item->reject->code, item->reject->field,
                     item->reject->detail, header, looking->look->fields);
    json_close_object(json);
}

static struct span
id_of(const struct batch_item *item)
{
    return item->kind == BATCH_TICKET  ? item->ticket->id
           : item->kind == BATCH_EVENT ? item->event->id
                                       : item->reject->id;
}

/* `item` NULL: not judged, for a field has no column. */
static void
show_row(struct looking *looking,
         const struct file_record *record,
         const struct batch_item *item)
{
    struct json_out *json = &looking->preview;

    json_open_object(json);
    json_put_uint(json, "line", record->line);
    json_key(json, "id");
    json_string(json, item != NULL ? id_of(item) : (struct span){NULL, 0});
    json_key(json, "record");
    json_text(json, item == NULL || item->kind == BATCH_REJECT ? NULL
                    : item->kind == BATCH_EVENT                ? "event"
                                                               : "ticket");
    json_key(json, "cells");
    json_open_array(json);
    for (size_t i = 0; i < record->row.cell_count; i++) {
        json_string(json, shown(record->row.cells[i]));
    }
    if (record->row.cell_count == 0) {
        json_string(json, shown(record->text));
    }
    json_close_array(json);
    if (item == NULL) {
        json_put_text(json, "verdict", NULL);
        json_put_text(json, "error", NULL);
    } else {
        put_verdict(looking, item);
        json_key(json, "error");
        if (item->kind == BATCH_REJECT) {
            put_item_error(looking, json, item);
        } else {
            json_null(json);
        }
    }
    json_close_object(json);
}

/* Judge one record: its item, NULL when it was not judged. */
static const struct batch_item *
judge_record(struct looking *looking,
             enum record_next next,
             const struct file_record *record,
             const struct err *bad,
             struct err *err)
{
    struct batch *batch = looking->batch;
    size_t before;
    bool fine = true;

    if (looking->look->has_columns && looking->map == NULL) {
        return NULL;
    }
    if (batch->item_count == batch->items_max) {
        batch->item_count = 0; /* the arena goes on: rows lie in it */
    }
    before = batch->item_count;
    switch (next) {
    case RECORD_BAD:
        fine = judge_refuse(batch, record->line, bad, record->text,
                            record->text_bytes);
        break;
    case RECORD_JSON:
        fine =
            judge_line(&looking->judge, batch,
                       arena_copy(&batch->arena, record->text), record->line);
        break;
    case RECORD_ROW:
        fine = judge_row(&looking->judge, batch, looking->map, &record->row);
        break;
    case RECORD_END:
    case RECORD_FAILED:
        break;
    }
    if (!fine) {
        (void)err_set(err, ERR_NO_MEMORY, "looking at a file");
    }
    return batch->item_count > before ? &batch->items[before] : NULL;
}

static enum err_code
look_at_rows(struct looking *looking, struct err *err)
{
    struct import_look *look = looking->look;

    judge_begin(&looking->judge, looking->batch);
    json_init(&looking->preview, &look->preview);
    json_init(&looking->errors, &look->errors);
    json_open_array(&looking->preview);
    json_open_array(&looking->errors);
    while (look->rows < IMPORT_LOOK_ROWS_MAX && err->code == ERR_OK &&
           looking->batch->arena.used_bytes < LOOK_BYTES_MAX) {
        struct file_record record = {0};
        struct err bad = {0};
        enum record_next next = record_file_next(
            looking->file, &looking->batch->arena, &record, &bad);
        const struct batch_item *item;

        if (next == RECORD_FAILED) {
            *err = bad;
            break;
        }
        if (next == RECORD_END) {
            look->whole = true;
            break;
        }
        item = judge_record(looking, next, &record, &bad, err);
        if (look->rows++ < IMPORT_SHOWN_ROWS_MAX) {
            show_row(looking, &record, item);
        }
        if (next == RECORD_ROW) {
            take_samples(looking, &record.row);
        }
        if (item != NULL && item->kind == BATCH_REJECT &&
            look->error_count++ < IMPORT_ERRORS_MAX) {
            put_item_error(looking, &looking->errors, item);
        }
    }
    json_close_array(&looking->preview);
    json_close_array(&looking->errors);
    return err->code;
}

static enum err_code
look_at_file(struct looking *looking, struct err *err)
{
    const struct import_look_options *options = looking->options;
    struct import_look *look = looking->look;
    const struct record_file_options file_options = {
        .line_bytes_max = options->line_bytes_max,
        .name = options->name,
        .sheet = options->sheet,
        .is_header = import_is_header,
        .data = looking->edition->columns};

    if (record_file_open_with(options->path, &file_options, &looking->file,
                              err) != ERR_OK) {
        return err->code;
    }
    look->format = format_of(looking->file);
    look->encoding = record_file_encoding(looking->file);
    look->sheet = record_file_sheet(looking->file);
    put_sheets(looking);
    for (size_t i = 0; i < CSV_COLUMNS_MAX; i++) {
        buf_init(&looking->samples[i], 64 * 1024);
        buf_put_char(&looking->samples[i], '[');
    }
    if (record_file_format(looking->file) == RECORD_CSV) {
        if (map_columns(looking, err) != ERR_OK) {
            return err->code;
        }
    } else {
        buf_put_text(&look->missing, "[]");
    }
    if (look_at_rows(looking, err) == ERR_OK) {
        put_columns(looking);
    }
    return err->code;
}

enum err_code
import_look_run(const struct import_look_options *options,
                struct import_look *out,
                struct err *err)
{
    struct looking *looking = calloc(1, sizeof(*looking));
    struct buf *const bufs[] = {&out->sheet_names, &out->sheet_name,
                                &out->columns,     &out->missing,
                                &out->preview,     &out->errors};

    import_look_release(out);
    for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++) {
        buf_init(bufs[i], IMPORT_JSON_BYTES_MAX);
    }
    if (looking == NULL) {
        return err_set(err, ERR_NO_MEMORY, "looking at a file");
    }
    looking->options = options;
    looking->look = out;
    looking->edition = rulebook_hold(options->rulebook);
    looking->batch = batch_new(LOOK_BATCH_RECORDS, 0);
    if (looking->batch == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "looking at a file");
    } else if (judge_init(&looking->judge, options->rulebook, err) == ERR_OK) {
        (void)!look_at_file(looking, err);
        batch_reset(looking->batch);
        judge_release(&looking->judge);
    }
    for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++) {
        if (err->code == ERR_OK) {
            (void)!buf_check(bufs[i], err);
        }
    }
    for (size_t i = 0; i < CSV_COLUMNS_MAX; i++) {
        buf_release(&looking->samples[i]);
    }
    columns_map_free(&looking->map);
    record_file_close(&looking->file);
    batch_free(&looking->batch);
    edition_release(&looking->edition);
    free(looking);
    return err->code;
}

void
import_look_release(struct import_look *look)
{
    buf_release(&look->sheet_names);
    buf_release(&look->sheet_name);
    buf_release(&look->columns);
    buf_release(&look->missing);
    buf_release(&look->preview);
    buf_release(&look->errors);
    *look = (struct import_look){0};
}
