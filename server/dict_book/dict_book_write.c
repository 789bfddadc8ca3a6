/* Tables to a workbook. */
#include "server/dict_book/dict_book.h"

#include <stdio.h>
#include <string.h>

#include "server/dict_book/dict_book_internal.h"
#include "server/dict_book/dict_text.h"
#include "server/sheet/xlsx_write.h"

enum { LINE_BYTES_MAX = 4 * 1024 * 1024 };

struct table_writing {
    struct xlsx_writer *workbook;
    const struct dictionary_file *file;
    const struct dict_book_error *errors;
    size_t error_count;
    struct dict_text text;
    struct arena arena;
    struct buf line;
    size_t raw_column;   /* SIZE_MAX: every row is written the ordinary way */
    size_t error_column; /* SIZE_MAX: none */
    size_t column_count;
    bool headed; /* the row of names is written */
};

/* "rules/quality.csv" -> "rules.quality" */
static void
sheet_name(const char *path, char out[DICT_BOOK_PATH_BYTES])
{
    size_t bytes;

    (void)snprintf(out, DICT_BOOK_PATH_BYTES, "%s", path);
    bytes = strlen(out);
    if (bytes > 4 && strcmp(out + bytes - 4, ".csv") == 0) {
        out[bytes - 4] = '\0';
    }
    for (char *c = out; *c != '\0'; c++) {
        *c = *c == '/' ? '.' : *c;
    }
}

static bool
is_ordinary(struct table_writing *writing, const struct dict_record *record)
{
    struct span cells[DICT_CELLS_MAX];
    size_t count = dict_row_split(record->raw, writing->text.separator,
                                  &writing->arena, cells);

    bool all_empty = true;

    for (size_t i = 0; i < count; i++) {
        all_empty = all_empty && cells[i].bytes == 0;
    }
    buf_reset(&writing->line);
    dict_row_join(cells, count, writing->text.separator, &writing->line);
    return !all_empty && count == writing->text.column_count &&
           span_equal(buf_view(&writing->line), record->raw);
}

/* Which extra columns are there? */
static enum err_code
find_columns(struct table_writing *writing, struct err *err)
{
    struct dict_text ahead = writing->text;
    struct dict_record record;
    bool all_ordinary = true;

    while (dict_text_next(&ahead, &record)) {
        struct span cells[DICT_CELLS_MAX];

        arena_reset(&writing->arena);
        if (record.kind != DICT_ROW) {
            continue;
        }
        if (dict_row_split(record.raw, writing->text.separator, &writing->arena,
                           cells) > writing->text.column_count) {
            return err_set(err, ERR_BAD_TABLE,
                           "line %zu has more cells than the row of names",
                           record.line);
        }
        all_ordinary = all_ordinary && is_ordinary(writing, &record);
    }
    writing->column_count = writing->text.column_count;
    writing->raw_column = all_ordinary ? SIZE_MAX : writing->column_count++;
    writing->error_column =
        writing->errors != NULL ? writing->column_count++ : SIZE_MAX;
    return ERR_OK;
}

/* The errors of these lines, one under another. */
static struct span
errors_of(struct table_writing *writing, size_t line, size_t line_end)
{
    buf_reset(&writing->line);
    for (size_t i = 0; i < writing->error_count; i++) {
        const struct dict_book_error *error = &writing->errors[i];

        if (strcmp(error->path, writing->file->path) == 0 &&
            error->line >= line && error->line < line_end) {
            buf_put_text(&writing->line, writing->line.bytes > 0 ? "\n" : "");
            buf_put_text(&writing->line, error->text);
        }
    }
    return buf_view(&writing->line);
}

static void
put_row(struct table_writing *writing, const struct dict_record *record)
{
    struct span cells[DICT_CELLS_MAX];
    bool heading = record->kind == DICT_ROW && !writing->headed;
    size_t count = 1;

    arena_reset(&writing->arena);
    if (record->kind == DICT_ROW) {
        count = dict_row_split(record->raw, writing->text.separator,
                               &writing->arena, cells);
    } else {
        cells[0] = record->kind == DICT_BLANK ? SPAN_LITERAL(DICT_BLANK_ROW)
                                              : record->raw;
    }
    if (heading) {
        writing->headed = true;
        xlsx_heading_row(writing->workbook);
    }
    for (size_t i = 0; i < writing->column_count; i++) {
        if (i < count && i < writing->text.column_count) {
            xlsx_exact_text(writing->workbook, cells[i]);
        } else if (i == writing->raw_column) {
            bool raw =
                record->kind == DICT_ROW && !is_ordinary(writing, record);

            xlsx_exact_text(writing->workbook,
                            heading ? SPAN_LITERAL(DICT_RAW_HEADING)
                            : raw   ? record->raw
                                    : (struct span){NULL, 0});
        } else if (i == writing->error_column) {
            xlsx_exact_text(
                writing->workbook,
                heading ? SPAN_LITERAL(DICT_ERROR_HEADING)
                        : errors_of(writing, record->line, record->line_end));
        } else {
            xlsx_none(writing->workbook);
        }
    }
}

static enum err_code
write_rows(struct table_writing *writing, struct err *err)
{
    const struct dict_text *text = &writing->text;
    char name[DICT_BOOK_PATH_BYTES];
    char note[2 * DICT_BOOK_PATH_BYTES];
    struct dict_record record;

    if (find_columns(writing, err) != ERR_OK) {
        return err->code;
    }
    sheet_name(writing->file->path, name);
    (void)snprintf(note, sizeof(note), DICT_NOTE_FORMAT, writing->file->path,
                   text->mark, text->crlf, text->last_line_end,
                   text->separator);
    xlsx_note(writing->workbook, name, span_of(note));
    xlsx_plain_sheet(writing->workbook, name, writing->column_count,
                     writing->raw_column);
    while (dict_text_next(&writing->text, &record)) {
        put_row(writing, &record);
    }
    return buf_check(&writing->line, err);
}

static enum err_code
write_table(struct xlsx_writer *workbook,
            const struct dictionary_file *file,
            const struct dict_book_error *errors,
            size_t error_count,
            struct err *err)
{
    struct table_writing writing = {.workbook = workbook,
                                    .file = file,
                                    .errors = errors,
                                    .error_count = error_count};

    arena_init(&writing.arena, 64 * 1024);
    buf_init(&writing.line, LINE_BYTES_MAX);
    if (dict_text_open(&writing.text, file->bytes, err) != ERR_OK ||
        write_rows(&writing, err) != ERR_OK) {
        (void)err_prefix(err, "dict/%s", file->path);
    }
    buf_release(&writing.line);
    arena_release(&writing.arena);
    return err->code;
}

enum err_code
dict_book_write(const struct dictionary_file *files,
                size_t file_count,
                const struct dict_book_error *errors,
                size_t error_count,
                const char *path,
                struct err *err)
{
    struct xlsx_writer *workbook = NULL;

    if (xlsx_writer_open(path, &workbook, err) != ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < file_count; i++) {
        if (write_table(workbook, &files[i], errors, error_count, err) !=
            ERR_OK) {
            xlsx_writer_abandon(&workbook);
            return err->code;
        }
    }
    if (xlsx_cut_cells(workbook) > 0) {
        xlsx_writer_abandon(&workbook);
        return err_set(err, ERR_TOO_LONG,
                       "a cell of the tables is longer than Excel takes (%d "
                       "characters)",
                       XLSX_CELL_UNITS_MAX);
    }
    return xlsx_writer_close(&workbook, err);
}
