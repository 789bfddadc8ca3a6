/*
 * xlsx_write: an Excel workbook of plain lists, row after row.
 *
 * Rows go to a temporary file beside the workbook as they come (constant
 * memory); xlsx_writer_close packs them, which takes about as long as writing
 * them did: on a server that is work for a helper thread. The first error
 * sticks; closing tells it.
 *
 *   open -> sheet -> put, put, … a cell each, row after row -> note … -> close
 *
 * The heading row stands still when the sheet is scrolled and has filter
 * buttons; columns are as wide as what is in them, a Chinese character being
 * two wide. When a sheet is full the rows go on in "name (2)".
 *
 * Effects   writes `path` and temporary files in its directory
 */
#ifndef SHEET_XLSX_WRITE_H
#define SHEET_XLSX_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

enum {
    XLSX_COLUMNS_MAX = 257, /* of our sheets; Excel takes 16,384 */
    XLSX_ROWS_MAX = 1048576,
    XLSX_CELL_UNITS_MAX = 32767, /* UTF-16 units in a cell */
    XLSX_NOTES_MAX = 600,
    XLSX_SHEET_NAME_BYTES = 128
};

struct xlsx_writer;

enum xlsx_kind {
    XLSX_TEXT,
    XLSX_NUMBER,
    XLSX_TIME /* a real date, Asia/Shanghai */
};

struct xlsx_column {
    const char *heading;
    enum xlsx_kind kind; /* how empty cells are formatted */
};

/* `path` is made or replaced. Errors  IO, NO_MEMORY */
enum err_code xlsx_writer_open(const char *path,
                               struct xlsx_writer **out,
                               struct err *err) MUST_CHECK;

/* Begin a sheet; the one before ends, at the end of a row. `name`: at most 25
 * characters, none of []:*?/\ ; columns are copied, headings borrowed until
 * the sheet ends. */
void xlsx_sheet(struct xlsx_writer *writer,
                const char *name,
                const struct xlsx_column *columns,
                size_t column_count);

/* A sheet of texts without a heading row: all rows are the caller's. The column
 * `hidden` (SIZE_MAX: none) is not shown. Texts that begin with '#' do not
 * widen their column. */
void xlsx_plain_sheet(struct xlsx_writer *writer,
                      const char *name,
                      size_t column_count,
                      size_t hidden);

/* At the start of a row: it looks like a heading and stands still. */
void xlsx_heading_row(struct xlsx_writer *writer);

/*
 * The next cell. Text is always a text cell: one that Excel would not take
 * (XLSX_CELL_UNITS_MAX, less a mark) is cut and counted, what XML cannot hold
 * is written the way Excel does. xlsx_text puts CELL_GUARD in front of what
 * would run as a formula; xlsx_exact_text leaves the text as it is.
 */
void xlsx_text(struct xlsx_writer *writer, struct span text);
void xlsx_exact_text(struct xlsx_writer *writer, struct span text);
void xlsx_int(struct xlsx_writer *writer, int64_t value);
void xlsx_real(struct xlsx_writer *writer, double value);
/* Microseconds since 1970. */
void xlsx_time(struct xlsx_writer *writer, int64_t at_us);
void xlsx_none(struct xlsx_writer *writer);

/* A line of the last sheet, 说明; copied. */
void xlsx_note(struct xlsx_writer *writer, const char *name, struct span value);

/* Rows of all sheets so far, without headings; cells that were cut. */
uint64_t xlsx_rows(const struct xlsx_writer *writer);
uint64_t xlsx_cut_cells(const struct xlsx_writer *writer);

/* Write the workbook and free the writer. On an error `path` is removed.
 * Errors  DISK_FULL, IO, NO_MEMORY, and what stuck */
enum err_code xlsx_writer_close(struct xlsx_writer **writer,
                                struct err *err) MUST_CHECK;

/* Throw everything away. Accepts NULL. */
void xlsx_writer_abandon(struct xlsx_writer **writer);

#endif /* SHEET_XLSX_WRITE_H */
