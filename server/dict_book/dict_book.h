/*
 * dict_book: the tables of dict/ as one workbook, and back without loss.
 *
 * A sheet a table ("rules.quality" is rules/quality.csv), every cell text, in
 * the order of the file, comments included. A row that is not written the
 * ordinary way keeps its line in a hidden last column, 原样, which holds as
 * long as the cells are unchanged. The sheet 说明 says which file each sheet
 * is. A column 错误 is ours: it is written by dict_book_write with errors and
 * passed over by dict_book_read.
 *
 * Effects   dict_book_write writes the workbook; dict_book_read reads it
 */
#ifndef DICT_BOOK_DICT_BOOK_H
#define DICT_BOOK_DICT_BOOK_H

#include "analyzers/dictionary.h"
#include "server/base/buf.h"

enum { DICT_BOOK_ERRORS_MAX = 1000, DICT_BOOK_PATH_BYTES = 128 };

/* An error of a table, by the line that the loader named. */
struct dict_book_error {
    char path[DICT_BOOK_PATH_BYTES]; /* "rules/quality.csv" */
    size_t line;                     /* 0: of the whole table */
    char *text;                      /* owned by whoever made it */
};

/*
 * Write all tables to `path`.
 *   errors   errors[error_count], shown beside their rows; may be NULL
 * Errors  BAD_TABLE (a table that cannot be shown row by row), TOO_LONG (a text
 *         that no cell holds), IO, DISK_FULL, NO_MEMORY
 */
enum err_code dict_book_write(const struct dictionary_file *files,
                              size_t file_count,
                              const struct dict_book_error *errors,
                              size_t error_count,
                              const char *path,
                              struct err *err) MUST_CHECK;

struct dict_book {
    struct dictionary_file *files; /* paths and bytes are owned */
    size_t file_count;
};

/*
 * Read a workbook back into tables.
 *   out   release with dict_book_release, also after an error
 * Errors  those of xlsx_reader_open; BAD_TABLE naming sheet and row; NOT_FOUND
 */
enum err_code dict_book_read(const char *path,
                             struct dict_book *out,
                             struct err *err) MUST_CHECK;
void dict_book_release(struct dict_book *book);

#endif /* DICT_BOOK_DICT_BOOK_H */
