/* Workbooks of plain lists by libxlsxwriter in constant memory. */
#include "server/sheet/xlsx_write.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xlsxwriter.h>

#include "server/base/buf.h"
#include "server/base/cell_guard.h"

enum {
    XLSX_PATH_BYTES_MAX = 2048,
    XLSX_WIDTH_MIN = 8,
    XLSX_WIDTH_MAX = 60,
    XLSX_WIDTH_TIME = 19,
    XLSX_WIDTH_NOTE = 70,
    XLSX_MEASURE_BYTES = 120, /* of a cell are looked at for the width */
    XLSX_TEXT_BYTES_MAX = 8 * XLSX_CELL_UNITS_MAX,
    XLSX_NOTE_BYTES_MAX = 2048
};

static const char cut_mark[] = "…（已截断）";
enum { CUT_MARK_UNITS = 6 };

struct note {
    char *name;
    char *value;
};

struct xlsx_writer {
    char path[XLSX_PATH_BYTES_MAX];
    char directory[XLSX_PATH_BYTES_MAX];
    lxw_workbook *workbook;
    lxw_worksheet *sheet;
    lxw_format *head_format;
    lxw_format *text_format;
    lxw_format *time_format;
    char name[XLSX_SHEET_NAME_BYTES];
    unsigned part; /* of a list that fills several sheets, from 1 */
    struct xlsx_column columns[XLSX_COLUMNS_MAX];
    size_t widths[XLSX_COLUMNS_MAX];
    size_t column_count;
    bool plain;      /* no heading row of ours */
    size_t hidden;   /* SIZE_MAX: none */
    bool is_heading; /* the row in hand */
    size_t column;   /* the next cell */
    lxw_row_t row;   /* the row in hand */
    uint64_t rows;   /* finished, of all sheets */
    uint64_t cut_cells;
    struct note notes[XLSX_NOTES_MAX];
    size_t note_count;
    struct buf scratch;
    struct err err; /* the first one */
};

static void
fail(struct xlsx_writer *writer, lxw_error error)
{
    if (error != LXW_NO_ERROR && writer->err.code == ERR_OK) {
        enum err_code code =
            error == LXW_ERROR_MEMORY_MALLOC_FAILED ? ERR_NO_MEMORY
            : errno == ENOSPC || errno == EDQUOT    ? ERR_DISK_FULL
                                                    : ERR_IO;

        (void)err_set(&writer->err, code, "writing the workbook failed: %s",
                      lxw_strerror(error));
    }
}

/* ---- text ---- */

/* "_x000D_": what Excel reads as a character. */
static bool
is_escape(struct span text)
{
    if (text.bytes < 7 || text.data[0] != '_' || text.data[1] != 'x' ||
        text.data[6] != '_') {
        return false;
    }
    for (size_t i = 2; i < 6; i++) {
        if (strchr("0123456789abcdefABCDEF", text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* The text as a cell may hold it, ended by a NUL, into the scratch. */
static const char *
cell_text(struct xlsx_writer *writer, struct span text, bool guarded)
{
    struct buf *out = &writer->scratch;
    size_t units = 0;

    buf_reset(out);
    if (guarded && cell_is_formula(text)) {
        buf_put_char(out, CELL_GUARD);
        units++;
    }
    while (text.bytes > 0) {
        uint32_t c;
        size_t bytes = utf8_next(text, &c);
        bool escape = (c < 0x20 && c != '\t' && c != '\n');
        size_t wide = escape ? 7 : c > 0xFFFF ? 2 : 1;

        if (is_escape(text)) {
            wide = 7; /* the mark alone is escaped: _x005F_ */
        }
        if (units + wide + CUT_MARK_UNITS > XLSX_CELL_UNITS_MAX) {
            buf_put_text(out, cut_mark);
            writer->cut_cells++;
            break;
        }
        if (escape) {
            buf_printf(out, "_x%04X_", (unsigned)c);
        } else if (wide == 7) {
            buf_put_text(out, "_x005F_");
        } else if (c == 0xFFFE || c == 0xFFFF ||
                   (bytes == 1 && (unsigned char)text.data[0] >= 0x80)) {
            buf_put_text(out, "\xEF\xBF\xBD");
        } else {
            buf_put(out, text.data, bytes);
        }
        units += wide;
        text.data += bytes;
        text.bytes -= bytes;
    }
    buf_put_char(out, '\0');
    if (out->failed != ERR_OK && writer->err.code == ERR_OK) {
        (void)!buf_check(out, &writer->err);
    }
    return out->failed == ERR_OK ? out->data : "";
}

static void
measure(struct xlsx_writer *writer, struct span text)
{
    size_t bytes = text.bytes < XLSX_MEASURE_BYTES
                       ? text.bytes
                       : utf8_cut(text.data, XLSX_MEASURE_BYTES);
    const char *end = bytes > 0 ? memchr(text.data, '\n', bytes) : NULL;
    struct span line = {text.data,
                        end != NULL ? (size_t)(end - text.data) : bytes};
    size_t width = utf8_columns(line) + 2;

    if (writer->plain && line.bytes > 0 && line.data[0] == '#') {
        return; /* a remark may run over its neighbours */
    }
    if (width > writer->widths[writer->column]) {
        writer->widths[writer->column] = width;
    }
}

/* ---- sheets ---- */

static lxw_worksheet *
add_sheet(struct xlsx_writer *writer)
{
    char name[XLSX_SHEET_NAME_BYTES + 16];
    lxw_worksheet *sheet;

    if (writer->part > 1) {
        (void)snprintf(name, sizeof(name), "%s (%u)", writer->name,
                       writer->part);
    } else {
        (void)snprintf(name, sizeof(name), "%s", writer->name);
    }
    sheet = workbook_add_worksheet(writer->workbook, name);
    if (sheet == NULL && writer->err.code == ERR_OK) {
        (void)err_set(&writer->err, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO,
                      "no sheet \"%s\" can be begun", name);
    }
    return sheet;
}

static void
put_headings(struct xlsx_writer *writer)
{
    worksheet_freeze_panes(writer->sheet, 1, 0);
    for (size_t i = 0; i < writer->column_count; i++) {
        struct span heading = span_of(writer->columns[i].heading);

        writer->column = i;
        writer->widths[i] = writer->columns[i].kind == XLSX_TIME
                                ? XLSX_WIDTH_TIME + 1
                                : XLSX_WIDTH_MIN;
        measure(writer, heading);
        writer->widths[i] += 2; /* the filter button */
        fail(writer, worksheet_write_string(writer->sheet, 0, (lxw_col_t)i,
                                            cell_text(writer, heading, false),
                                            writer->head_format));
    }
    writer->column = 0;
    writer->row = 1;
}

static void
begin_sheet(struct xlsx_writer *writer)
{
    writer->sheet = add_sheet(writer);
    writer->row = 0;
    if (writer->sheet == NULL) {
        return;
    }
    (void)worksheet_ignore_errors(
        writer->sheet, LXW_IGNORE_NUMBER_STORED_AS_TEXT, "A1:XFD1048576");
    if (!writer->plain) {
        put_headings(writer);
        return;
    }
    for (size_t i = 0; i < writer->column_count; i++) {
        writer->widths[i] = XLSX_WIDTH_MIN;
    }
}

static lxw_format *
format_of(const struct xlsx_writer *writer, enum xlsx_kind kind)
{
    return kind == XLSX_TEXT   ? writer->text_format
           : kind == XLSX_TIME ? writer->time_format
                               : NULL;
}

/* What is known at the end only. */
static void
end_sheet(struct xlsx_writer *writer)
{
    lxw_col_t last = (lxw_col_t)(writer->column_count - 1);

    if (writer->sheet == NULL) {
        return;
    }
    assert(writer->column == 0);
    for (size_t i = 0; i < writer->column_count; i++) {
        size_t width = writer->widths[i] < XLSX_WIDTH_MAX ? writer->widths[i]
                                                          : XLSX_WIDTH_MAX;
        lxw_row_col_options options = {.hidden = i == writer->hidden};

        fail(writer,
             worksheet_set_column_opt(
                 writer->sheet, (lxw_col_t)i, (lxw_col_t)i, (double)width,
                 format_of(writer, writer->columns[i].kind), &options));
    }
    if (!writer->plain) {
        fail(writer,
             worksheet_autofilter(writer->sheet, 0, 0, writer->row - 1, last));
    }
    writer->sheet = NULL;
}

void
xlsx_sheet(struct xlsx_writer *writer,
           const char *name,
           const struct xlsx_column *columns,
           size_t column_count)
{
    assert(column_count > 0 && column_count <= XLSX_COLUMNS_MAX);
    end_sheet(writer);
    (void)snprintf(writer->name, sizeof(writer->name), "%s", name);
    writer->part = 1;
    memcpy(writer->columns, columns, column_count * sizeof(*columns));
    writer->column_count = column_count;
    writer->plain = false;
    writer->hidden = SIZE_MAX;
    begin_sheet(writer);
}

void
xlsx_plain_sheet(struct xlsx_writer *writer,
                 const char *name,
                 size_t column_count,
                 size_t hidden)
{
    assert(column_count > 0 && column_count <= XLSX_COLUMNS_MAX);
    end_sheet(writer);
    (void)snprintf(writer->name, sizeof(writer->name), "%s", name);
    writer->part = 1;
    for (size_t i = 0; i < column_count; i++) {
        writer->columns[i] = (struct xlsx_column){"", XLSX_TEXT};
    }
    writer->column_count = column_count;
    writer->plain = true;
    writer->hidden = hidden;
    begin_sheet(writer);
}

void
xlsx_heading_row(struct xlsx_writer *writer)
{
    assert(writer->column == 0);
    writer->is_heading = true;
    if (writer->sheet != NULL) {
        worksheet_freeze_panes(writer->sheet, writer->row + 1, 0);
    }
}

/* ---- cells ---- */

static void
cell_done(struct xlsx_writer *writer)
{
    if (++writer->column < writer->column_count) {
        return;
    }
    writer->column = 0;
    writer->is_heading = false;
    writer->rows++;
    if (++writer->row == XLSX_ROWS_MAX) {
        end_sheet(writer);
        writer->part++;
        begin_sheet(writer);
    }
}

static void
put_text(struct xlsx_writer *writer, struct span text, bool guarded)
{
    if (writer->sheet != NULL && text.bytes > 0) {
        measure(writer, text);
        fail(writer, worksheet_write_string(
                         writer->sheet, writer->row, (lxw_col_t)writer->column,
                         cell_text(writer, text, guarded),
                         writer->is_heading ? writer->head_format
                                            : writer->text_format));
    }
    cell_done(writer);
}

void
xlsx_text(struct xlsx_writer *writer, struct span text)
{
    put_text(writer, text, true);
}

void
xlsx_exact_text(struct xlsx_writer *writer, struct span text)
{
    put_text(writer, text, false);
}

static void
put_number(struct xlsx_writer *writer, double value, lxw_format *format)
{
    if (writer->sheet != NULL) {
        fail(writer,
             worksheet_write_number(writer->sheet, writer->row,
                                    (lxw_col_t)writer->column, value, format));
    }
    cell_done(writer);
}

void
xlsx_int(struct xlsx_writer *writer, int64_t value)
{
    put_number(writer, (double)value, NULL);
}

void
xlsx_real(struct xlsx_writer *writer, double value)
{
    put_number(writer, value, NULL);
}

void
xlsx_time(struct xlsx_writer *writer, int64_t at_us)
{
    static const double day_us = 86400e6;
    static const double shanghai_us = 8 * 3600e6;
    static const double day_of_1970 = 25569;

    put_number(writer, ((double)at_us + shanghai_us) / day_us + day_of_1970,
               writer->time_format);
}

void
xlsx_none(struct xlsx_writer *writer)
{
    cell_done(writer);
}

/* ---- the workbook ---- */

void
xlsx_note(struct xlsx_writer *writer, const char *name, struct span value)
{
    struct note *note = &writer->notes[writer->note_count];

    assert(writer->note_count < XLSX_NOTES_MAX);
    if (value.bytes > XLSX_NOTE_BYTES_MAX) {
        value.bytes = utf8_cut(value.data, XLSX_NOTE_BYTES_MAX);
    }
    note->name = strdup(name);
    note->value = strdup(cell_text(writer, value, true));
    if (note->name == NULL || note->value == NULL) {
        (void)err_set(&writer->err, ERR_NO_MEMORY, "workbook");
    }
    writer->note_count++;
}

static void
put_notes(struct xlsx_writer *writer)
{
    lxw_worksheet *sheet = workbook_add_worksheet(writer->workbook, "说明");

    if (sheet == NULL) {
        fail(writer, LXW_ERROR_CREATING_TMPFILE);
        return;
    }
    for (size_t i = 0; i < writer->note_count; i++) {
        fail(writer, worksheet_write_string(sheet, (lxw_row_t)i, 0,
                                            writer->notes[i].name,
                                            writer->head_format));
        fail(writer, worksheet_write_string(sheet, (lxw_row_t)i, 1,
                                            writer->notes[i].value,
                                            writer->text_format));
    }
    fail(writer, worksheet_set_column(sheet, 0, 0, XLSX_WIDTH_TIME, NULL));
    fail(writer, worksheet_set_column(sheet, 1, 1, XLSX_WIDTH_NOTE, NULL));
}

/* The library does not look whether its row files were written. */
static void
check_row_files(struct xlsx_writer *writer)
{
    lxw_worksheet *sheet;

    STAILQ_FOREACH(sheet, writer->workbook->worksheets, list_pointers)
    {
        errno = 0;
        if (sheet->optimize_tmpfile != NULL &&
            (fflush(sheet->optimize_tmpfile) != 0 ||
             ferror(sheet->optimize_tmpfile))) {
            fail(writer, LXW_ERROR_CREATING_TMPFILE);
        }
    }
}

enum err_code
xlsx_writer_open(const char *path, struct xlsx_writer **out, struct err *err)
{
    struct xlsx_writer *writer = calloc(1, sizeof(*writer));
    lxw_workbook_options options = {.constant_memory = LXW_TRUE};
    const char *slash = strrchr(path, '/');

    if (writer == NULL) {
        return err_set(err, ERR_NO_MEMORY, "workbook");
    }
    assert(strlen(path) < sizeof(writer->path));
    (void)snprintf(writer->path, sizeof(writer->path), "%s", path);
    (void)snprintf(writer->directory, sizeof(writer->directory), "%.*s",
                   slash == NULL ? 1 : (int)(slash - path + 1),
                   slash == NULL ? "." : path);
    buf_init(&writer->scratch, XLSX_TEXT_BYTES_MAX);
    options.tmpdir = writer->directory;
    writer->workbook = workbook_new_opt(path, &options);
    if (writer->workbook == NULL) {
        free(writer);
        return err_set(err, ERR_NO_MEMORY, "workbook");
    }
    writer->head_format = workbook_add_format(writer->workbook);
    writer->text_format = workbook_add_format(writer->workbook);
    writer->time_format = workbook_add_format(writer->workbook);
    format_set_bold(writer->head_format);
    format_set_bg_color(writer->head_format, 0xDDEBF7);
    format_set_bottom(writer->head_format, LXW_BORDER_THIN);
    format_set_num_format(writer->text_format, "@");
    format_set_num_format(writer->time_format, "yyyy-mm-dd hh:mm:ss");
    *out = writer;
    return ERR_OK;
}

static void
writer_free(struct xlsx_writer *writer)
{
    for (size_t i = 0; i < writer->note_count; i++) {
        free(writer->notes[i].name);
        free(writer->notes[i].value);
    }
    buf_release(&writer->scratch);
    free(writer);
}

enum err_code
xlsx_writer_close(struct xlsx_writer **out, struct err *err)
{
    struct xlsx_writer *writer = *out;

    end_sheet(writer);
    if (writer->note_count > 0) {
        put_notes(writer);
    }
    check_row_files(writer);
    if (writer->err.code != ERR_OK) {
        *err = writer->err;
        xlsx_writer_abandon(out);
        return err->code;
    }
    *out = NULL;
    errno = 0;
    fail(writer, workbook_close(writer->workbook));
    if (writer->err.code != ERR_OK) {
        (void)unlink(writer->path);
        *err = writer->err;
    }
    writer_free(writer);
    return err->code;
}

void
xlsx_writer_abandon(struct xlsx_writer **out)
{
    struct xlsx_writer *writer = *out;
    lxw_worksheet *sheet;

    if (writer == NULL) {
        return;
    }
    /* Of a workbook that is not written the library keeps these open. */
    STAILQ_FOREACH(sheet, writer->workbook->worksheets, list_pointers)
    {
        if (sheet->optimize_tmpfile != NULL) {
            (void)fclose(sheet->optimize_tmpfile);
            sheet->optimize_tmpfile = NULL;
        }
    }
    lxw_workbook_free(writer->workbook);
    (void)unlink(writer->path);
    writer_free(writer);
    *out = NULL;
}

uint64_t
xlsx_rows(const struct xlsx_writer *writer)
{
    return writer->rows;
}

uint64_t
xlsx_cut_cells(const struct xlsx_writer *writer)
{
    return writer->cut_cells;
}
