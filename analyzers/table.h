/*
 * table: the one reader of everything under dict/.
 *
 * CSV as Excel writes it (RFC 4180: commas, double quotes, quoted line breaks;
 * a UTF-8 byte-order mark is skipped) or, when the header line holds a tab and
 * no comma, tab-separated without quoting. Lines beginning with `#` before the
 * header or between rows are comments. The first row names the columns.
 *
 * Effects   allocates; no I/O: the caller hands the bytes of the file
 */
#ifndef ANALYZERS_TABLE_H
#define ANALYZERS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

enum {
    TABLE_ROWS_MAX = 1000000,
    TABLE_COLUMNS_MAX = 64,
    TABLE_CELL_BYTES_MAX = 64 * 1024
};

enum {
    TABLE_FAULTS_MAX = 100 /* told of all tables together, then it is enough */
};

/* Told of one error; false: enough. `err` lasts no longer than the call. */
typedef bool table_report(void *data, const struct err *err);

/*
 * Who hears of the errors of the tables, one after the other. Several tables
 * may share one. Zeroed but for the first two; of the errors behind the
 * TABLE_FAULTS_MAX-th one more is told, as a sign that there are more.
 */
struct table_faults {
    table_report *report;
    void *data;
    bool enough;
    size_t count;
    uint64_t known[TABLE_FAULTS_MAX]; /* hashes: no error is told twice */
};

/* Tell of an error unless it was told. False: enough, stop. Accepts NULL. */
bool table_faults_tell(struct table_faults *faults, const struct err *err);

struct table;

/*
 * Parse `bytes`. `name` ("dict/rules/quality.csv") stands in every message and
 * is copied. The cells are copies: `bytes` may go after the call.
 *
 * Errors  BAD_UTF8, BAD_TABLE (row with another number of cells, unclosed
 *         quote, no header, a column named twice), TOO_LONG, NO_MEMORY
 */
enum err_code table_parse(const char *name,
                          struct span bytes,
                          struct table **out,
                          struct err *err) MUST_CHECK;

/*
 * The same, but with `faults` (NULL: as above) a row with another number of
 * cells is told and left out; table_end gives its error back.
 */
enum err_code table_parse_all(const char *name,
                              struct span bytes,
                              struct table_faults *faults,
                              struct table **out,
                              struct err *err) MUST_CHECK;

/*
 * After one row was read: true when the next one may be. An error in the input
 * is told and taken out of *err when the table has faults; any other error, or
 * enough of them, stays.
 */
bool table_go_on(struct table *table, struct err *err);

/* After the last row: the first error that table_go_on took. */
enum err_code table_end(const struct table *table, struct err *err);

void table_free(struct table **table);

const char *table_name(const struct table *table);
size_t table_row_count(const struct table *table);
size_t table_column_count(const struct table *table);
struct span table_column_name(const struct table *table, size_t column);

/* Position of a column, or SIZE_MAX. */
size_t table_column(const struct table *table, const char *column_name);

/*
 * The same for a column that must exist.
 * Errors  NO_COLUMN naming the file, the column and the columns it has
 */
enum err_code table_need_column(const struct table *table,
                                const char *column_name,
                                size_t *out,
                                struct err *err) MUST_CHECK;

/* The cell, trimmed of blanks; borrowed until table_free. The empty span for
 * column SIZE_MAX. */
struct span table_cell(const struct table *table, size_t row, size_t column);

/* Line of the file on which the row begins, from 1: what an editor shows. */
size_t table_row_line(const struct table *table, size_t row);

/*
 * Begin a message: sets `code` with the detail "NAME: line L, column C: …", and
 * below it, where there is room, the row around the cell with a caret under the
 * cell's first character.
 */
enum err_code table_error(const struct table *table,
                          size_t row,
                          size_t column,
                          enum err_code code,
                          struct err *err,
                          const char *fmt,
                          ...) PRINTF_LIKE(6, 7);

/* The same with the caret under byte `offset` of the cell. */
enum err_code table_error_at(const struct table *table,
                             size_t row,
                             size_t column,
                             size_t offset,
                             enum err_code code,
                             struct err *err,
                             const char *fmt,
                             ...) PRINTF_LIKE(7, 8);

#endif /* ANALYZERS_TABLE_H */
