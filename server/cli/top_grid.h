/*
 * top_grid: a screen as cells, drawn from numbers by a pure function.
 *
 * A wide character takes two cells, the second one empty; one that would hang
 * over the edge becomes a blank. What does not fit is left out.
 */
#ifndef CLI_TOP_GRID_H
#define CLI_TOP_GRID_H

#include "server/base/buf.h"
#include "server/cli/top_numbers.h"

enum { TOP_CELL_BYTES = 5, TOP_COLUMNS_MAX = 400, TOP_ROWS_MAX = 200 };

enum top_style {
    TOP_PLAIN,
    TOP_TITLE, /* the line at the top */
    TOP_HEAD,  /* headings */
    TOP_GOOD,
    TOP_WARN,
    TOP_BAD
};

struct top_cell {
    char text[TOP_CELL_BYTES]; /* one character, ended by NUL; "" is the second
                                  half of a wide one */
    unsigned char style;       /* enum top_style */
};

struct top_grid {
    struct top_cell *cells; /* cells[rows * columns], row by row */
    size_t columns;
    size_t rows;
};

/* Blanks. At most TOP_COLUMNS_MAX by TOP_ROWS_MAX, larger sizes are cut.
 * Errors  NO_MEMORY; then there are no cells and drawing does nothing. */
enum err_code top_grid_open(struct top_grid *grid,
                            size_t columns,
                            size_t rows,
                            struct err *err) MUST_CHECK;
void top_grid_close(struct top_grid *grid);

/* Put a text; returns the column behind it, also when it was cut. */
size_t top_grid_put(struct top_grid *grid,
                    size_t row,
                    size_t column,
                    enum top_style style,
                    const char *text);

/* A number, its last digit in `column` - 1. */
void top_grid_number(struct top_grid *grid,
                     size_t row,
                     size_t column,
                     enum top_style style,
                     int64_t number);

/* What the screen says besides the numbers. */
struct top_note {
    const char *where;   /* the server's URL or the directory */
    const char *trouble; /* why the numbers are old; NULL: they are not */
    bool keys;           /* tell which key ends it */
};

/* Draw everything; 80 by 24 holds all of it, less shows what comes first. */
void top_draw(struct top_grid *grid,
              const struct top_numbers *numbers,
              const struct top_rates *rates,
              const struct top_note *note);

/* Rows as lines of text, without blanks at their ends and without empty lines
 * at the end. */
void top_grid_text(const struct top_grid *grid, struct buf *out);

#endif /* CLI_TOP_GRID_H */
