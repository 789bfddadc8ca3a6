/*
 * xlsx_read: the rows of one sheet of an Excel workbook, as texts.
 *
 * Flow      zip_xml -> [xlsx_read] -> record_file, dict_import
 * Input     .xlsx and .xlsm of Excel, WPS, LibreOffice, POI, …
 * Output    one row a call; every cell as the text that a CSV would hold
 * Effects   reads the file descriptor; memory: the shared strings (at most
 *           XLSX_STRINGS_BYTES_MAX) and one block of rows
 *
 * Cells     shared, inline and formula strings without phonetic hints; dates
 *           of the 1900 and the 1904 system as 2018-01-31 09:05:00, by the
 *           cell's format; a number without its exponent as long as Excel kept
 *           all its digits (15), a longer one as 2.01803041234567E+15, which
 *           the columns of numbers refuse. A formula counts as its last result.
 *           A cell with an error (#N/A) makes its row a bad row.
 */
#ifndef SHEET_XLSX_READ_H
#define SHEET_XLSX_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/arena.h"
#include "analyzers/err.h"
#include "analyzers/span.h"

enum {
    XLSX_READ_COLUMNS_MAX = 256,
    XLSX_READ_CELL_BYTES_MAX = 1024 * 1024,
    XLSX_READ_SHEETS_MAX = 256,
    XLSX_STRINGS_MAX = 8 * 1024 * 1024,
    XLSX_STRINGS_BYTES_MAX = 512 * 1024 * 1024,
    XLSX_FORMATS_MAX = 65536
};

struct xlsx_reader;

/*
 * `fd` can be sought and is borrowed until xlsx_reader_close.
 *
 * Errors  BAD_ENCODING (no workbook, damaged, password, entities), TOO_LONG,
 *         TOO_DEEP, NO_MEMORY; the detail says how to mend it
 */
enum err_code
xlsx_reader_open(int fd, struct xlsx_reader **out, struct err *err) MUST_CHECK;
/* Accepts NULL. */
void xlsx_reader_close(struct xlsx_reader **reader);

size_t xlsx_sheet_count(const struct xlsx_reader *reader);
/* Borrowed until close. */
const char *xlsx_sheet_name(const struct xlsx_reader *reader, size_t sheet);
/* The sheet of that name, SIZE_MAX when there is none. */
size_t xlsx_sheet_find(const struct xlsx_reader *reader, struct span name);

/* Read from the first row of a sheet; may be called again. Errors as open. */
enum err_code xlsx_sheet_open(struct xlsx_reader *reader,
                              size_t sheet,
                              struct err *err) MUST_CHECK;

enum xlsx_next { XLSX_ROW, XLSX_BAD_ROW, XLSX_END, XLSX_FAILED };

struct xlsx_row {
    const struct span *cells; /* borrowed until the next call */
    size_t cell_count;        /* up to the last one that is not empty */
    uint64_t line;            /* the row's number in Excel */
};

/*
 * The next row with anything in it. Texts lie in `arena` or in the reader: good
 * as long as both.
 *
 * XLSX_BAD_ROW: the row is given, *err says what is wrong with it (BAD_ROW,
 * TOO_LONG); clear it before the next call. XLSX_FAILED: *err as of open.
 */
enum xlsx_next xlsx_next(struct xlsx_reader *reader,
                         struct arena *arena,
                         struct xlsx_row *out,
                         struct err *err) MUST_CHECK;

/* How much of the sheet is read, 0 to 1; a guess. */
double xlsx_progress(const struct xlsx_reader *reader);

#endif /* SHEET_XLSX_READ_H */
