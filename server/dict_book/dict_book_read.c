/* A workbook to tables. */
#include "server/dict_book/dict_book.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/dict_files.h"
#include "server/dict_book/dict_book_internal.h"
#include "server/dict_book/dict_text.h"
#include "server/sheet/xlsx_read.h"

/* What 说明 says about a sheet. */
struct sheet_note {
    char sheet[DICT_BOOK_PATH_BYTES];
    char path[DICT_BOOK_PATH_BYTES];
    int mark;
    int crlf;
    int last_line_end;
    int separator;
};

struct book_reading {
    struct xlsx_reader *workbook;
    struct dict_book *out;
    struct sheet_note *notes; /* [note_count] */
    size_t note_count;
    struct arena arena;
};

struct sheet_reading {
    const struct sheet_note *note;
    const char *sheet;
    char separator;
    bool headed;
    size_t column_count;
    size_t raw_column;   /* SIZE_MAX: none */
    size_t error_column; /* SIZE_MAX: none */
    struct arena arena;
    struct buf bytes;
    struct buf line;
};

/* ---- where the files go ---- */

/* Below dict/, nowhere else. */
static bool
is_safe_path(const char *path)
{
    size_t bytes = strlen(path);

    if (path[0] == '/' || path[0] == '.' || strstr(path, "..") != NULL ||
        strstr(path, "/.") != NULL || strstr(path, "//") != NULL || bytes < 5 ||
        (strcmp(path + bytes - 4, ".csv") != 0 &&
         strcmp(path + bytes - 4, ".tsv") != 0)) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        char c = path[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || strchr("_-./", c) != NULL)) {
            return false;
        }
    }
    return true;
}

static enum err_code
read_notes(struct book_reading *reading, struct err *err)
{
    size_t sheet =
        xlsx_sheet_find(reading->workbook, SPAN_LITERAL(DICT_NOTES_SHEET));
    struct xlsx_row row;
    enum xlsx_next next = XLSX_ROW;

    if (sheet == SIZE_MAX) {
        return err_set(err, ERR_BAD_TABLE,
                       "there is no sheet " DICT_NOTES_SHEET ", which says "
                       "which table is which: is it a workbook of \"suqiu "
                       "dict export\"?");
    }
    if (xlsx_sheet_open(reading->workbook, sheet, err) != ERR_OK) {
        return err->code;
    }
    while ((next = xlsx_next(reading->workbook, &reading->arena, &row, err)) ==
               XLSX_ROW &&
           reading->note_count < DICT_FILES_MAX) {
        struct sheet_note *note = &reading->notes[reading->note_count];
        char text[256];

        if (row.cell_count < 2) {
            continue;
        }
        (void)snprintf(note->sheet, sizeof(note->sheet), "%.*s",
                       SPAN_ARGS(row.cells[0]));
        (void)snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(row.cells[1]));
        if (sscanf(text,
                   "文件 %127s 字节标记 %d 回车换行 %d 末行换行 %d 分隔符 %d",
                   note->path, &note->mark, &note->crlf, &note->last_line_end,
                   &note->separator) != 5) {
            continue; /* a person's remark */
        }
        if (!is_safe_path(note->path)) {
            return err_set(err, ERR_BAD_TABLE,
                           "sheet " DICT_NOTES_SHEET ", row %llu: \"%.100s\" "
                           "is no table below dict/",
                           (unsigned long long)row.line, note->path);
        }
        reading->note_count++;
    }
    return err->code;
}

/* ---- rows ---- */

static bool
is_comment(const struct xlsx_row *row)
{
    if (row->cell_count == 0 || row->cells[0].bytes == 0 ||
        row->cells[0].data[0] != '#') {
        return false;
    }
    for (size_t i = 1; i < row->cell_count; i++) {
        if (row->cells[i].bytes > 0) {
            return false;
        }
    }
    return true;
}

static void
end_line(struct sheet_reading *sheet)
{
    buf_put_text(&sheet->bytes, sheet->note->crlf ? "\r\n" : "\n");
}

static void
take_heading(struct sheet_reading *sheet, const struct xlsx_row *row)
{
    sheet->headed = true;
    sheet->raw_column = SIZE_MAX;
    sheet->error_column = SIZE_MAX;
    sheet->column_count = row->cell_count;
    for (size_t i = 0; i < row->cell_count; i++) {
        bool raw = span_is(row->cells[i], DICT_RAW_HEADING);
        bool error = span_is(row->cells[i], DICT_ERROR_HEADING);

        if (raw) {
            sheet->raw_column = i;
        }
        if (error) {
            sheet->error_column = i;
        }
        if ((raw || error) && i < sheet->column_count) {
            sheet->column_count = i;
        }
    }
}

/* The line that was kept with the row, when the cells are still its own. */
static bool
raw_holds(struct sheet_reading *sheet,
          const struct span *cells,
          struct span raw)
{
    struct span kept[DICT_CELLS_MAX];
    size_t count;

    if (raw.bytes == 0) {
        return false;
    }
    count = dict_row_split(raw, sheet->separator, &sheet->arena, kept);
    for (size_t i = 0; i < sheet->column_count || i < count; i++) {
        struct span mine =
            i < sheet->column_count ? cells[i] : (struct span){NULL, 0};
        struct span other = i < count ? kept[i] : (struct span){NULL, 0};

        if (!span_equal(mine, other)) {
            return false;
        }
    }
    return true;
}

static enum err_code
take_row(struct sheet_reading *sheet,
         const struct xlsx_row *row,
         struct err *err)
{
    struct span cells[DICT_CELLS_MAX];
    struct span raw = {NULL, 0};

    if (!sheet->headed) {
        take_heading(sheet, row);
        if (sheet->column_count == 0 || sheet->column_count >= DICT_CELLS_MAX) {
            return err_set(err, ERR_BAD_TABLE,
                           "sheet %s: row %llu: no row of column names",
                           sheet->sheet, (unsigned long long)row->line);
        }
    }
    for (size_t i = 0; i < row->cell_count; i++) {
        if (i == sheet->raw_column) {
            raw = row->cells[i];
        } else if (i >= sheet->column_count && i != sheet->error_column &&
                   row->cells[i].bytes > 0) {
            return err_set(err, ERR_BAD_TABLE,
                           "sheet %s: row %llu: a cell to the right of the "
                           "last column; clear it",
                           sheet->sheet, (unsigned long long)row->line);
        }
    }
    for (size_t i = 0; i < sheet->column_count; i++) {
        cells[i] = i < row->cell_count ? row->cells[i] : (struct span){NULL, 0};
    }
    if (raw_holds(sheet, cells, raw)) {
        buf_put_span(&sheet->bytes, raw);
    } else {
        dict_row_join(cells, sheet->column_count, sheet->separator,
                      &sheet->bytes);
    }
    end_line(sheet);
    return ERR_OK;
}

static enum err_code
take_any(struct sheet_reading *sheet,
         const struct xlsx_row *row,
         struct err *err)
{
    if (!is_comment(row)) {
        return take_row(sheet, row, err);
    }
    if (!span_is(row->cells[0], DICT_BLANK_ROW)) {
        buf_put_span(&sheet->bytes, row->cells[0]);
    }
    end_line(sheet);
    return ERR_OK;
}

/* ---- sheets ---- */

static enum err_code
keep_file(struct book_reading *reading,
          struct sheet_reading *sheet,
          struct err *err)
{
    struct dict_book *out = reading->out;
    struct dictionary_file *file;
    char *path;
    char *bytes;

    if (!sheet->headed) {
        return err_set(err, ERR_BAD_TABLE, "sheet %s: it has no row",
                       sheet->sheet);
    }
    if (!sheet->note->last_line_end) {
        sheet->bytes.bytes -= sheet->note->crlf ? 2 : 1;
    }
    if (buf_check(&sheet->bytes, err) != ERR_OK) {
        return err->code;
    }
    path = strdup(sheet->note->path);
    bytes = malloc(sheet->bytes.bytes + 1);
    if (path == NULL || bytes == NULL) {
        free(path);
        free(bytes);
        return err_set(err, ERR_NO_MEMORY, "workbook");
    }
    memcpy(bytes, sheet->bytes.data, sheet->bytes.bytes);
    bytes[sheet->bytes.bytes] = '\0';
    file = &out->files[out->file_count++];
    file->path = path;
    file->bytes = (struct span){bytes, sheet->bytes.bytes};
    return ERR_OK;
}

static enum err_code
read_sheet(struct book_reading *reading,
           size_t index,
           const struct sheet_note *note,
           struct err *err)
{
    struct sheet_reading sheet = {
        .note = note,
        .sheet = xlsx_sheet_name(reading->workbook, index),
        .separator = note->separator == '\t' ? '\t' : ','};
    enum xlsx_next next = XLSX_ROW;
    struct xlsx_row row;

    arena_init(&sheet.arena, 64 * 1024);
    buf_init(&sheet.bytes, DICT_FILE_BYTES_MAX);
    if (note->mark) {
        buf_put_text(&sheet.bytes, "\xEF\xBB\xBF");
    }
    if (xlsx_sheet_open(reading->workbook, index, err) == ERR_OK) {
        while (err->code == ERR_OK && next == XLSX_ROW) {
            arena_reset(&sheet.arena);
            next = xlsx_next(reading->workbook, &sheet.arena, &row, err);
            if (next == XLSX_ROW) {
                (void)!take_any(&sheet, &row, err);
            } else if (next == XLSX_BAD_ROW) {
                (void)err_prefix(err, "sheet %s", sheet.sheet);
            }
        }
    }
    if (err->code == ERR_OK) {
        (void)!keep_file(reading, &sheet, err);
    }
    buf_release(&sheet.bytes);
    arena_release(&sheet.arena);
    return err->code;
}

static enum err_code
read_sheets(struct book_reading *reading, struct err *err)
{
    for (size_t i = 0; i < xlsx_sheet_count(reading->workbook); i++) {
        const char *name = xlsx_sheet_name(reading->workbook, i);
        const struct sheet_note *note = NULL;

        if (strcmp(name, DICT_NOTES_SHEET) == 0) {
            continue;
        }
        for (size_t k = 0; k < reading->note_count; k++) {
            if (strcmp(reading->notes[k].sheet, name) == 0) {
                note = &reading->notes[k];
            }
        }
        if (note == NULL) {
            return err_set(
                err, ERR_BAD_TABLE,
                "sheet \"%.60s\" is not named on the sheet " DICT_NOTES_SHEET
                "; delete it or write its file "
                "there, as the other rows do",
                name);
        }
        if (read_sheet(reading, i, note, err) != ERR_OK) {
            return err->code;
        }
    }
    return ERR_OK;
}

enum err_code
dict_book_read(const char *path, struct dict_book *out, struct err *err)
{
    struct book_reading reading = {.out = out};
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *out = (struct dict_book){0};
    if (fd < 0) {
        return err_set(err, err_from_errno(errno), "%s: %s", path,
                       strerror(errno));
    }
    arena_init(&reading.arena, 64 * 1024);
    reading.notes = calloc(DICT_FILES_MAX + 1, sizeof(*reading.notes));
    out->files = calloc(XLSX_READ_SHEETS_MAX, sizeof(*out->files));
    if (reading.notes == NULL || out->files == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "workbook");
    } else if (xlsx_reader_open(fd, &reading.workbook, err) == ERR_OK &&
               read_notes(&reading, err) == ERR_OK) {
        (void)!read_sheets(&reading, err);
    }
    if (err->code != ERR_OK) {
        (void)err_prefix(err, "%s", path);
    }
    xlsx_reader_close(&reading.workbook);
    arena_release(&reading.arena);
    free(reading.notes);
    (void)close(fd);
    return err->code;
}

void
dict_book_release(struct dict_book *book)
{
    for (size_t i = 0; i < book->file_count; i++) {
        free((char *)(uintptr_t)book->files[i].path);
        free((char *)(uintptr_t)book->files[i].bytes.data);
    }
    free(book->files);
    *book = (struct dict_book){0};
}
