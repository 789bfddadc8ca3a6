/* CSV rows with line numbers, where one bad row costs one row. */
#include "server/decode/csv_rows.h"

#include <string.h>

/* The line at `at`: its end without the line end, and where the next begins. */
struct line {
    size_t begin;
    size_t end;
    size_t next;
};

static struct line
line_at(const struct csv_rows *rows, size_t at)
{
    struct line line = {at, rows->text.bytes, rows->text.bytes};
    const char *found = at < rows->text.bytes
                            ? memchr(rows->text.data + at, rows->line_end,
                                     rows->text.bytes - at)
                            : NULL;

    if (found != NULL) {
        line.end = (size_t)(found - rows->text.data);
        line.next = line.end + 1;
    }
    if (rows->line_end == '\n' && line.end > at &&
        rows->text.data[line.end - 1] == '\r') {
        line.end--;
    }
    return line;
}

static struct span
between(const struct csv_rows *rows, size_t begin, size_t end)
{
    return (struct span){rows->text.data + begin, end - begin};
}

/* What is read, and how far. */
struct reading {
    struct csv_rows *rows;
    struct arena *arena;
    struct err *err;
    struct line line; /* the last line of the row so far */
    size_t lines;     /* how many lines it has */
    size_t cell_count;
};

static bool
add_cell(struct reading *reading, struct span cell)
{
    if (reading->cell_count == CSV_COLUMNS_MAX) {
        (void)err_set(reading->err, ERR_TOO_LONG,
                      "line %zu: more than %d cells", reading->rows->line,
                      CSV_COLUMNS_MAX);
        return false;
    }
    if (cell.bytes > CSV_CELL_BYTES_MAX) {
        (void)err_set(reading->err, ERR_TOO_LONG,
                      "line %zu, cell %zu: %zu bytes, %d are allowed",
                      reading->rows->line, reading->cell_count + 1, cell.bytes,
                      CSV_CELL_BYTES_MAX);
        return false;
    }
    reading->rows->cells[reading->cell_count++] = cell;
    return true;
}

static bool
never_closed(const struct reading *reading)
{
    (void)err_set(reading->err, ERR_BAD_ROW,
                  "line %zu, cell %zu: the double quote that opens here is "
                  "not closed; close it, or write a quote that is text twice",
                  reading->rows->line + reading->lines - 1,
                  reading->cell_count + 1);
    return false;
}

/* `raw` with every "" as one quote. */
static bool
undouble(struct reading *reading, struct span raw, struct span *out)
{
    char *copy = arena_alloc(reading->arena, raw.bytes);
    size_t used = 0;

    if (copy == NULL) {
        (void)err_set(reading->err, ERR_NO_MEMORY, "reading a row");
        return false;
    }
    for (size_t i = 0; i < raw.bytes; i++) {
        copy[used++] = raw.data[i];
        if (raw.data[i] == '"' && i + 1 < raw.bytes && raw.data[i + 1] == '"') {
            i++;
        }
    }
    *out = (struct span){copy, used};
    return true;
}

/* Where the quote that opens before `from` closes; SIZE_MAX when it does not.
 * Moves reading->line on to the line of the closing quote. */
static size_t
closing_quote(struct reading *reading, size_t from, bool *doubled)
{
    const struct csv_rows *rows = reading->rows;
    const char *text = rows->text.data;
    size_t first_line_end = reading->line.end;
    size_t limit = rows->text.bytes - from > CSV_CELL_BYTES_MAX
                       ? from + CSV_CELL_BYTES_MAX
                       : rows->text.bytes;
    size_t at = from;

    for (;;) {
        const char *found =
            at < limit ? memchr(text + at, '"', limit - at) : NULL;
        char behind;

        if (found == NULL) {
            return SIZE_MAX;
        }
        at = (size_t)(found - text);
        while (at >= reading->line.next &&
               reading->line.next < rows->text.bytes) {
            reading->line = line_at(rows, reading->line.next);
            reading->lines++;
        }
        behind = at + 1 < reading->line.end ? text[at + 1] : rows->separator;
        if (behind == rows->separator) {
            return at;
        }
        if (behind == '"') {
            *doubled = true;
            at += 2;
        } else if (at > first_line_end) {
            return SIZE_MAX; /* see the header: never closed */
        } else {
            at++;
        }
    }
}

/* The cell that opens with a quote at *at; moves *at behind its closing one. */
static bool
read_quoted(struct reading *reading, size_t *at)
{
    struct line first = reading->line;
    size_t first_lines = reading->lines;
    size_t from = *at + 1;
    bool doubled = false;
    size_t close = closing_quote(reading, from, &doubled);
    struct span cell;

    if (close == SIZE_MAX) {
        reading->line = first;
        reading->lines = first_lines;
        return never_closed(reading);
    }
    cell = between(reading->rows, from, close);
    if (doubled && !undouble(reading, cell, &cell)) {
        return false;
    }
    *at = close + 1;
    return add_cell(reading, cell);
}

static bool
read_plain(struct reading *reading, size_t *at)
{
    const struct csv_rows *rows = reading->rows;
    const char *found = *at < reading->line.end
                            ? memchr(rows->text.data + *at, rows->separator,
                                     reading->line.end - *at)
                            : NULL;
    size_t end =
        found != NULL ? (size_t)(found - rows->text.data) : reading->line.end;
    struct span cell = between(rows, *at, end);

    *at = end;
    return add_cell(reading, cell);
}

/* All cells of the row that begins with reading->line. */
static bool
read_cells(struct reading *reading)
{
    const struct csv_rows *rows = reading->rows;
    size_t begin = reading->line.begin;
    size_t at = begin;

    for (;;) {
        bool quoted = rows->quotes && at < reading->line.end &&
                      rows->text.data[at] == '"';

        if (!(quoted ? read_quoted(reading, &at) : read_plain(reading, &at))) {
            return false;
        }
        if (at - begin > CSV_ROW_BYTES_MAX) {
            (void)err_set(reading->err, ERR_TOO_LONG,
                          "line %zu: the row is longer than %d bytes",
                          rows->line, CSV_ROW_BYTES_MAX);
            return false;
        }
        if (at >= reading->line.end) {
            return true;
        }
        at++; /* the separator */
    }
}

/* Pass over blank lines; false at the end of the text. */
static bool
find_row(struct csv_rows *rows, struct line *line)
{
    while (rows->at < rows->text.bytes) {
        *line = line_at(rows, rows->at);
        if (span_trim(between(rows, line->begin, line->end)).bytes > 0) {
            return true;
        }
        rows->at = line->next;
        rows->line++;
    }
    return false;
}

static size_t
count_separator(struct span header, char separator)
{
    size_t count = 0;
    bool quoted = false;

    for (size_t i = 0; i < header.bytes; i++) {
        if (header.data[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && header.data[i] == separator) {
            count++;
        }
    }
    return count;
}

static char
choose_separator(struct span header)
{
    static const char candidates[] = "\t,;";
    char best = ',';
    size_t best_count = 0;

    for (size_t i = 0; candidates[i] != '\0'; i++) {
        size_t count = count_separator(header, candidates[i]);

        if (count > best_count) {
            best = candidates[i];
            best_count = count;
        }
    }
    return best;
}

static bool
all_empty(const struct csv_rows *rows, size_t cell_count)
{
    for (size_t i = 0; i < cell_count; i++) {
        if (rows->cells[i].bytes > 0) {
            return false;
        }
    }
    return true;
}

enum err_code
csv_rows_open(struct csv_rows *rows,
              struct span text,
              enum csv_quotes quotes,
              struct arena *arena,
              struct csv_row *header,
              struct err *err)
{
    struct reading reading = {.rows = rows, .arena = arena, .err = err};
    struct span first;

    *rows = (struct csv_rows){.text = text, .line = 1, .line_end = '\n'};
    if (span_starts(text, SPAN_LITERAL("\xEF\xBB\xBF"))) {
        rows->at = 3;
    }
    if (text.bytes > 0 && memchr(text.data, '\n', text.bytes) == NULL) {
        rows->line_end = '\r'; /* old Macintosh, or no line end at all */
    }
    if (!find_row(rows, &reading.line)) {
        return err_set(err, ERR_NO_COLUMN,
                       "the file is empty; its first line must name the "
                       "columns");
    }
    first = between(rows, reading.line.begin, reading.line.end);
    if (first.bytes == 5 && span_starts(first, SPAN_LITERAL("sep="))) {
        rows->separator = first.data[4]; /* Excel's own first line */
        rows->at = reading.line.next;
        rows->line++;
        if (!find_row(rows, &reading.line)) {
            return err_set(err, ERR_NO_COLUMN,
                           "the file ends before the line that names the "
                           "columns");
        }
    } else {
        rows->separator = choose_separator(first);
    }
    rows->quotes = quotes == CSV_QUOTES_ON ||
                   (quotes == CSV_QUOTES_AUTO && rows->separator != '\t');
    reading.lines = 1;
    if (!read_cells(&reading)) {
        return err->code;
    }
    *header = (struct csv_row){rows->cells, reading.cell_count, rows->line,
                               between(rows, rows->at, reading.line.end)};
    rows->column_count = reading.cell_count;
    rows->at = reading.line.next;
    rows->line += reading.lines;
    return ERR_OK;
}

enum csv_next
csv_rows_next(struct csv_rows *rows,
              struct arena *arena,
              struct csv_row *out,
              struct err *err)
{
    for (;;) {
        struct reading reading = {
            .rows = rows, .arena = arena, .err = err, .lines = 1};
        bool fine;

        if (!find_row(rows, &reading.line)) {
            return CSV_END;
        }
        fine = read_cells(&reading);
        if (fine && all_empty(rows, reading.cell_count)) {
            rows->at = reading.line.next;
            rows->line += reading.lines;
            continue;
        }
        *out = (struct csv_row){rows->cells, fine ? reading.cell_count : 0,
                                rows->line,
                                between(rows, rows->at, reading.line.end)};
        if (fine && reading.cell_count != rows->column_count) {
            fine = false;
            out->cell_count = 0;
            (void)err_set(err, ERR_BAD_ROW,
                          "line %zu: %zu cells, the header has %zu; is a cell "
                          "that holds the separator not in double quotes?",
                          rows->line, reading.cell_count, rows->column_count);
        }
        rows->at = reading.line.next;
        rows->line += reading.lines;
        return fine ? CSV_ROW : CSV_BAD_ROW;
    }
}
