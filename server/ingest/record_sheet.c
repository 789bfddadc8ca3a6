/* A sheet of a workbook as a row of records. */
#include "server/ingest/record_file_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "server/base/buf.h"

static void
put_csv_cell(struct buf *out, struct span cell)
{
    buf_put_char(out, '"');
    for (size_t i = 0; i < cell.bytes; i++) {
        if (cell.data[i] == '"') {
            buf_put_char(out, '"');
        }
        buf_put_char(out, cell.data[i]);
    }
    buf_put_char(out, '"');
}

/* The row as a line of CSV, for the reject list and for sending it on. */
static struct span
row_text(const struct span *cells, size_t cell_count, struct arena *arena)
{
    struct span text;
    struct buf out;

    buf_init(&out, 2 * CSV_ROW_BYTES_MAX + 4 * CSV_COLUMNS_MAX);
    for (size_t i = 0; i < cell_count; i++) {
        if (i > 0) {
            buf_put_char(&out, ',');
        }
        if (cells[i].bytes > 0) {
            put_csv_cell(&out, cells[i]);
        }
    }
    text = arena_copy(arena, buf_view(&out));
    buf_release(&out);
    return text;
}

/* A pipe cannot be sought: its bytes go to a temporary file. */
static enum err_code
copy_pipe(struct record_file *file, int *fd, struct err *err)
{
    bool fine;

    file->copy = tmpfile();
    if (file->copy == NULL) {
        return err_set(err, ERR_IO, "%s: no temporary file: %s", file->name,
                       strerror(errno));
    }
    do {
        fine = fwrite(file->window, 1, file->to, file->copy) == file->to;
        if (!fine || file->read_bytes > CHARSET_BYTES_MAX) {
            return err_set(err, fine ? ERR_TOO_LONG : ERR_DISK_FULL,
                           "%s: too long for a workbook on a pipe", file->name);
        }
        file->to = 0;
        if (!file->at_end &&
            record_file_read_some(file, SIZE_MAX, err) != ERR_OK) {
            return err->code;
        }
    } while (file->to > 0);
    (void)fflush(file->copy);
    *fd = fileno(file->copy);
    return ERR_OK;
}

static enum err_code
choose_sheet(struct record_file *file, struct err *err)
{
    const char *wanted = file->options.sheet;
    char names[ERR_DETAIL_BYTES / 2] = "";
    size_t used = 0;

    if (wanted == NULL) {
        return ERR_OK;
    }
    file->sheet = xlsx_sheet_find(file->workbook, span_of(wanted));
    if (file->sheet != SIZE_MAX) {
        return ERR_OK;
    }
    for (size_t i = 0;
         i < xlsx_sheet_count(file->workbook) && used < sizeof(names); i++) {
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s\"%s\"",
                                 i > 0 ? ", " : "",
                                 xlsx_sheet_name(file->workbook, i));
    }
    return err_set(err, ERR_NOT_FOUND,
                   "%s: there is no sheet \"%.60s\"; the workbook has: %s",
                   file->name, wanted, names);
}

/* Find the header among the first rows and stand behind it. */
static enum err_code
find_header(struct record_file *file, struct err *err)
{
    struct arena arena;
    struct xlsx_row row;
    struct err bad = {0};
    enum xlsx_next next = XLSX_ROW;
    size_t first_line = 0;
    bool found = false;

    arena_init(&arena, 64 * 1024);
    for (int i = 0; i < RECORD_FILE_TITLE_ROWS_MAX && !found; i++) {
        next = xlsx_next(file->workbook, &arena, &row, &bad);
        if (next == XLSX_END || next == XLSX_FAILED) {
            break;
        }
        bad = (struct err){0};
        first_line = first_line == 0 ? (size_t)row.line : first_line;
        found = file->options.is_header == NULL ||
                file->options.is_header(file->options.data,
                                        &(struct csv_row){row.cells,
                                                          row.cell_count,
                                                          (size_t)row.line,
                                                          {NULL, 0}});
    }
    arena_release(&arena);
    if (next == XLSX_FAILED) {
        *err = bad;
        return err->code;
    }
    if (first_line == 0) {
        return err_set(err, ERR_NO_COLUMN, "the sheet is empty");
    }
    file->header_line = found ? (size_t)row.line : first_line;
    return xlsx_sheet_open(file->workbook, file->sheet, err);
}

/* Stand behind the header and keep it. */
static enum err_code
take_header(struct record_file *file, struct err *err)
{
    struct err bad = {0};
    struct xlsx_row row;

    do {
        enum xlsx_next next =
            xlsx_next(file->workbook, &file->header_arena, &row, &bad);

        if (next == XLSX_END || next == XLSX_FAILED) {
            return err_set(err, ERR_CORRUPT, "the sheet changed");
        }
        bad = (struct err){0};
    } while (row.line < file->header_line);
    for (size_t i = 0; i < row.cell_count; i++) {
        file->header_cells[i] =
            row.cells[i].bytes > 0
                ? arena_copy(&file->header_arena, row.cells[i])
                : (struct span){"", 0};
    }
    file->header = (struct csv_row){
        file->header_cells, row.cell_count, file->header_line,
        row_text(row.cells, row.cell_count, &file->header_arena)};
    file->rows.separator = ',';
    file->rows.line_end = '\n';
    file->rows.quotes = true;
    file->rows.column_count = row.cell_count;
    return ERR_OK;
}

enum err_code
record_sheet_open(struct record_file *file, struct err *err)
{
    int fd = file->fd;

    file->format = RECORD_CSV;
    file->whole = true;
    if ((file->file_bytes == 0 && copy_pipe(file, &fd, err) != ERR_OK) ||
        xlsx_reader_open(fd, &file->workbook, err) != ERR_OK ||
        choose_sheet(file, err) != ERR_OK ||
        xlsx_sheet_open(file->workbook, file->sheet, err) != ERR_OK ||
        find_header(file, err) != ERR_OK || take_header(file, err) != ERR_OK) {
        return err_prefix(err, "%s", file->name);
    }
    free(file->window);
    file->window = NULL;
    return ERR_OK;
}

enum record_next
record_sheet_next(struct record_file *file,
                  struct arena *arena,
                  struct file_record *out,
                  struct err *err)
{
    size_t column_count = file->header.cell_count;
    struct xlsx_row row;
    enum xlsx_next next = xlsx_next(file->workbook, arena, &row, err);

    if (next == XLSX_END) {
        return RECORD_END;
    }
    if (next == XLSX_FAILED) {
        return RECORD_FAILED;
    }
    for (size_t i = 0; i < column_count; i++) {
        file->row_cells[i] =
            i < row.cell_count ? row.cells[i] : (struct span){"", 0};
    }
    *out = (struct file_record){.line = row.line};
    /* With as many cells as the header, as the same row of CSV would have. */
    out->text = row.cell_count > column_count
                    ? row_text(row.cells, row.cell_count, arena)
                    : row_text(file->row_cells, column_count, arena);
    out->text_bytes = out->text.bytes;
    out->row = (struct csv_row){file->row_cells, column_count, (size_t)row.line,
                                out->text};
    if (next == XLSX_ROW && row.cell_count > column_count) {
        (void)err_set(err, ERR_BAD_ROW,
                      "the row has %zu cells, the header has %zu; clear the "
                      "cells to the right or give them headings",
                      row.cell_count, column_count);
        return RECORD_BAD;
    }
    return next == XLSX_ROW ? RECORD_ROW : RECORD_BAD;
}

size_t
record_file_sheet_count(const struct record_file *file)
{
    return file->workbook != NULL ? xlsx_sheet_count(file->workbook) : 0;
}

const char *
record_file_sheet_name(const struct record_file *file, size_t i)
{
    return xlsx_sheet_name(file->workbook, i);
}

size_t
record_file_sheet(const struct record_file *file)
{
    return file->sheet;
}
