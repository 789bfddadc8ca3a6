/*
 * dict_text: a table of dict/ as its lines stand, so that it can be written
 * again byte for byte.
 *
 * Lines that begin with '#' are comments; the first other line names the
 * columns, and a tab without a comma in it makes the table tab-separated, as in
 * analyzers/table.h.
 */
#ifndef DICT_BOOK_DICT_TEXT_H
#define DICT_BOOK_DICT_TEXT_H

#include "analyzers/arena.h"
#include "server/base/buf.h"

enum { DICT_CELLS_MAX = 250 };

struct dict_text {
    struct span rest;
    size_t line; /* of the next record */
    char separator;
    bool mark;          /* begins with a byte-order mark */
    bool crlf;          /* lines end in CR LF */
    bool last_line_end; /* the last line has its end */
    size_t column_count;
};

enum dict_record_kind { DICT_COMMENT, DICT_BLANK, DICT_ROW };

struct dict_record {
    enum dict_record_kind kind;
    struct span raw; /* without its line end */
    size_t line;     /* on which it begins, from 1 */
    size_t line_end; /* behind its last one */
};

/* Errors  BAD_TABLE: no row at all, too many columns, both kinds of line ends
 */
enum err_code dict_text_open(struct dict_text *text,
                             struct span bytes,
                             struct err *err) MUST_CHECK;

/* False: the end. */
bool dict_text_next(struct dict_text *text, struct dict_record *out);

/* The cells of a row, without quotes; returns how many, at most
 * DICT_CELLS_MAX. */
size_t dict_row_split(struct span raw,
                      char separator,
                      struct arena *arena,
                      struct span cells[DICT_CELLS_MAX]);

/* The row as a line: quoted only where it must be. */
void dict_row_join(const struct span *cells,
                   size_t cell_count,
                   char separator,
                   struct buf *out);

#endif /* DICT_BOOK_DICT_TEXT_H */
