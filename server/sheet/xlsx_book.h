/*
 * xlsx_book: what a workbook says about its sheets, texts and formats.
 *
 * Effects   reads the small parts and the shared strings into memory
 */
#ifndef SHEET_XLSX_BOOK_H
#define SHEET_XLSX_BOOK_H

#include "server/base/buf.h"
#include "server/sheet/xlsx_read.h"
#include "server/sheet/zip_xml.h"

struct xlsx_sheet_part {
    char *name; /* as people see it */
    char *part; /* "xl/worksheets/sheet1.xml" */
};

struct xlsx_book {
    struct xlsx_sheet_part sheets[XLSX_READ_SHEETS_MAX];
    size_t sheet_count;
    bool of_1904; /* days are counted from 1904 */

    struct arena string_arena;
    struct span *strings; /* the shared strings */
    size_t string_count;
    size_t string_room;

    bool *is_date; /* by a cell's style */
    size_t style_count;
};

/* Errors  those of xlsx_reader_open. Release it in any case. */
enum err_code xlsx_book_read(struct zip_file *zip,
                             struct xlsx_book *book,
                             struct err *err) MUST_CHECK;
void xlsx_book_release(struct xlsx_book *book);

/* _x000D_ becomes the character; in place, returns the bytes left. */
size_t xlsx_unescape(char *text, size_t bytes);

/* Does a number format show a date or a time? For tests. */
bool xlsx_format_is_date(const char *code);

#endif /* SHEET_XLSX_BOOK_H */
