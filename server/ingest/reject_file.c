/* Refused records as a file of the same columns. */
#include "server/ingest/reject_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/decode/columns.h"
#include "server/serve/list.h"
#include "server/sheet/xlsx_write.h"

enum { REJECT_PIECE_BYTES_MAX = 16 * 1024 * 1024 };

struct reject_file {
    const char *path;
    bool is_workbook;
    bool begun;
    uint64_t count;
    FILE *file;
    struct xlsx_writer *workbook;
    struct list_column columns[LIST_COLUMNS_MAX];
    size_t column_count;
    size_t reason_column; /* of the file itself: it came back once already */
    struct arena headings;
    struct list_writer writer;
    struct buf text;
    struct err err;
};

static bool
ends_with(const char *text, const char *suffix)
{
    size_t bytes = strlen(text);

    return bytes >= strlen(suffix) &&
           strcmp(text + bytes - strlen(suffix), suffix) == 0;
}

enum err_code
reject_file_new(const char *path, struct reject_file **out, struct err *err)
{
    struct reject_file *rejects;

    if (!ends_with(path, ".csv") && !ends_with(path, ".xlsx")) {
        return err_set(err, ERR_USAGE,
                       "\"%.200s\": the file for refused records ends in .csv "
                       "or .xlsx",
                       path);
    }
    rejects = calloc(1, sizeof(*rejects));
    if (rejects == NULL) {
        return err_set(err, ERR_NO_MEMORY, "refused records");
    }
    rejects->path = path;
    rejects->is_workbook = ends_with(path, ".xlsx");
    buf_init(&rejects->text, REJECT_PIECE_BYTES_MAX);
    arena_init(&rejects->headings, 8 * 1024);
    *out = rejects;
    return ERR_OK;
}

static void
add_column(struct reject_file *rejects, struct span heading)
{
    char *text = arena_alloc(&rejects->headings, heading.bytes + 1);

    if (text == NULL) {
        (void)err_set(&rejects->err, ERR_NO_MEMORY, "refused records");
        return;
    }
    if (heading.bytes > 0) {
        memcpy(text, heading.data, heading.bytes);
    }
    text[heading.bytes] = '\0';
    rejects->columns[rejects->column_count++] =
        (struct list_column){"", text, LIST_DIGITS};
}

static void
make_columns(struct reject_file *rejects, const struct record_file *file)
{
    rejects->reason_column = SIZE_MAX;
    if (record_file_format(file) == RECORD_CSV) {
        const struct csv_row *header = record_file_header(file);

        for (size_t i = 0; i < header->cell_count; i++) {
            if (span_is(span_trim(header->cells[i]), COLUMNS_REASON_HEADING)) {
                rejects->reason_column = i;
            } else {
                add_column(rejects, header->cells[i]);
            }
        }
    } else {
        add_column(rejects, SPAN_LITERAL("行号"));
        add_column(rejects, SPAN_LITERAL("原文"));
    }
    add_column(rejects, span_of(COLUMNS_REASON_HEADING));
}

static void
begin(struct reject_file *rejects, const struct record_file *file)
{
    struct list_style style = {.for_excel = true};

    rejects->begun = true;
    make_columns(rejects, file);
    if (rejects->err.code != ERR_OK) {
        return;
    }
    if (rejects->is_workbook) {
        if (xlsx_writer_open(rejects->path, &rejects->workbook,
                             &rejects->err) != ERR_OK) {
            return;
        }
    } else {
        rejects->file = fopen(rejects->path, "wb");
        if (rejects->file == NULL) {
            (void)err_set(&rejects->err, err_from_errno(errno),
                          "cannot write '%s': %s", rejects->path,
                          strerror(errno));
            return;
        }
    }
    style.workbook = rejects->workbook;
    list_begin(&rejects->writer,
               rejects->is_workbook ? &list_form_xlsx : &list_form_csv,
               rejects->columns, rejects->column_count, &style, &rejects->text,
               NULL);
}

static void
put_cells(struct reject_file *rejects, const struct file_record *record)
{
    size_t wanted = rejects->column_count - 1;
    size_t done = 0;

    for (size_t i = 0; i < record->row.cell_count && done < wanted; i++) {
        if (i != rejects->reason_column) {
            list_text(&rejects->writer, record->row.cells[i]);
            done++;
        }
    }
    if (record->row.cell_count == 0 && wanted > 0) { /* could not be split */
        list_text(&rejects->writer, record->text);
        done = 1;
    }
    for (; done < wanted; done++) {
        list_none(&rejects->writer);
    }
}

void
reject_file_put(struct reject_file *rejects,
                const struct record_file *file,
                const struct file_record *record,
                struct span reason)
{
    char line[32];

    rejects->count++;
    if (!rejects->begun) {
        begin(rejects, file);
    }
    if (rejects->err.code != ERR_OK) {
        return;
    }
    if (record_file_format(file) == RECORD_CSV) {
        put_cells(rejects, record);
    } else {
        (void)snprintf(line, sizeof(line), "%llu",
                       (unsigned long long)record->line);
        list_text(&rejects->writer, span_of(line));
        list_text(&rejects->writer, record->text);
    }
    list_text(&rejects->writer, reason);
    if (rejects->file != NULL &&
        buf_check(&rejects->text, &rejects->err) == ERR_OK) {
        if (fwrite(rejects->text.data, 1, rejects->text.bytes, rejects->file) !=
            rejects->text.bytes) {
            (void)err_set(&rejects->err, err_from_errno(errno),
                          "cannot write '%s': %s", rejects->path,
                          strerror(errno));
        }
    }
    buf_reset(&rejects->text);
}

uint64_t
reject_file_count(const struct reject_file *rejects)
{
    return rejects->count;
}

enum err_code
reject_file_close(struct reject_file **out, struct err *err)
{
    struct reject_file *rejects = *out;

    if (rejects == NULL) {
        return ERR_OK;
    }
    if (rejects->file != NULL && fclose(rejects->file) != 0) {
        (void)err_set(&rejects->err, err_from_errno(errno),
                      "cannot write '%s': %s", rejects->path, strerror(errno));
    }
    if (rejects->err.code != ERR_OK) {
        xlsx_writer_abandon(&rejects->workbook);
        if (rejects->begun) {
            (void)unlink(rejects->path);
        }
        *err = rejects->err;
    } else if (rejects->workbook != NULL) {
        (void)!xlsx_writer_close(&rejects->workbook, err);
    }
    buf_release(&rejects->text);
    arena_release(&rejects->headings);
    free(rejects);
    *out = NULL;
    return err->code;
}
