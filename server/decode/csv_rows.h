/*
 * csv_rows: the rows of a CSV text as people's programs really write it.
 *
 * Flow      file -> charset -> [csv_rows] -> columns -> ticket_decode
 * Input     the whole text in UTF-8
 * Output    one row of cells a call, views of the text; a cell with doubled
 *           quotes is rewritten into the arena
 * Effects   none but arena bytes
 *
 * The first line that is not blank is the header; its most frequent character
 * of tab, comma and semicolon separates the cells. A bad row is an error of
 * that row: the next call goes on with the next line.
 *
 * Quotes    RFC 4180, read kindly. A quote opens only as the first character
 *           of a cell; anywhere else it is text. It closes before a separator
 *           or a line end; "" inside is one quote; another quote inside is
 *           text as long as the cell is on its first line. In a cell that goes
 *           over several lines it means that the opening quote was never
 *           closed: the row is refused and reading goes on with the line after
 *           the one where it opened, so one stray quote costs one row.
 *           Text with tabs has no quotes, for database exports write raw ones
 *           (Excel's "Unicode text" has them: CSV_QUOTES_ON).
 */
#ifndef SERVER_DECODE_CSV_ROWS_H
#define SERVER_DECODE_CSV_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/arena.h"
#include "analyzers/err.h"
#include "analyzers/span.h"

enum {
    CSV_COLUMNS_MAX = 256,
    CSV_CELL_BYTES_MAX = 1024 * 1024,
    CSV_ROW_BYTES_MAX = 2 * 1024 * 1024
};

enum csv_quotes {
    CSV_QUOTES_AUTO, /* off for tabs, on for the others */
    CSV_QUOTES_ON,
    CSV_QUOTES_OFF
};

struct csv_row {
    const struct span *cells; /* borrowed until the next call */
    size_t cell_count;
    size_t line;      /* on which the row begins, from 1 */
    struct span text; /* the row as it stands, without its line end */
};

struct csv_rows {
    struct span text;
    size_t at;
    size_t line;         /* of `at`, from 1 */
    size_t column_count; /* of the header */
    char separator;
    char line_end; /* '\n', or '\r' in a text that has no other */
    bool quotes;
    struct span cells[CSV_COLUMNS_MAX];
};

/*
 * Begin to read and return the header.
 *
 *   rows, header   written on ERR_OK; both borrow from `text`. Read the header
 *                  before the next call.
 *
 * Errors  NO_COLUMN (empty text), TOO_LONG, BAD_ROW
 */
enum err_code csv_rows_open(struct csv_rows *rows,
                            struct span text,
                            enum csv_quotes quotes,
                            struct arena *arena,
                            struct csv_row *header,
                            struct err *err) MUST_CHECK;

enum csv_next { CSV_ROW, CSV_BAD_ROW, CSV_END };

/*
 * The next row that is not blank.
 *
 *   out   CSV_ROW: the row, with as many cells as the header; CSV_BAD_ROW: its
 *         line and text only, and *err says why: BAD_ROW, TOO_LONG, NO_MEMORY.
 *         Clear *err before the next call: the first error stays in it.
 *
 * A row whose cells are all empty is passed over: Excel leaves such rows.
 * Cost    about 0.5 ns a byte
 */
enum csv_next csv_rows_next(struct csv_rows *rows,
                            struct arena *arena,
                            struct csv_row *out,
                            struct err *err) MUST_CHECK;

#endif /* SERVER_DECODE_CSV_ROWS_H */
