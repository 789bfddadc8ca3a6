/*
 * display: text in columns for a terminal, Chinese being two columns wide.
 *
 * Control characters from outside become a blank, so that a ticket can't
 * move the cursor or change colours.
 */
#ifndef BASE_DISPLAY_H
#define BASE_DISPLAY_H

#include <stddef.h>

#include "analyzers/err.h"
#include "analyzers/span.h"
#include "server/base/buf.h"

enum display_align { DISPLAY_LEFT, DISPLAY_RIGHT };

enum { DISPLAY_COLUMNS_MAX = 24, DISPLAY_CELLS_MAX = 200000 };

/* The text without control characters. */
void display_put(struct buf *buf, struct span text);

/* The text padded to `columns`; longer text is cut and ends in "…". */
void display_put_cell(struct buf *buf,
                      struct span text,
                      size_t columns,
                      enum display_align align);

/* A table that finds its own widths: rows of cells, the first is the head. */
struct display_table {
    size_t column_count;
    enum display_align aligns[DISPLAY_COLUMNS_MAX];
    struct buf text;   /* all cells, one after another */
    size_t *cell_ends; /* offset behind each cell in `text` */
    size_t cell_count;
    size_t cell_room;
};

/* aligns[column_count]; 1 <= column_count <= DISPLAY_COLUMNS_MAX. */
void display_table_init(struct display_table *table,
                        size_t column_count,
                        const enum display_align *aligns);
void display_table_release(struct display_table *table);

/* The next cell; after column_count of them the next row begins. */
void display_table_cell(struct display_table *table, struct span text);
void display_table_text(struct display_table *table, const char *text);
void display_table_printf(struct display_table *table, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/* Write all rows, two blanks between columns, a rule under the head. Errors
 * are those of buf_check, of the table or of `buf`. */
enum err_code display_table_put(const struct display_table *table,
                                struct buf *buf,
                                struct err *err) MUST_CHECK;

#endif /* BASE_DISPLAY_H */
