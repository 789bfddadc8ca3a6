/* CSV bytes to rows with line numbers; the one reader of every table. */
#include "analyzers/table.h"

#include <csv.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct table {
    char *name;
    char *text; /* all cells, one after the other */
    size_t text_bytes;
    size_t text_room;
    struct table_cell {
        size_t at;
        size_t bytes;
    } * cells;
    size_t cell_count;
    size_t cell_room;
    size_t *row_lines; /* [0] is the header */
    size_t row_count;  /* with the header */
    size_t row_room;
    size_t column_count;
    struct table_faults *faults; /* NULL: the first error ends it */
    struct err first;            /* of those that were told */
};

/* What a row being read needs to know. */
struct table_reader {
    struct table *table;
    struct err *err;
    size_t row_first_cell;
    size_t row_line;
    bool tabs; /* between cells, instead of commas */
};

/* Make room for one more element of `bytes`; doubles. */
static bool
grow(void **array, size_t *room, size_t wanted, size_t bytes)
{
    size_t larger = *room < 64 ? 64 : *room;
    void *moved;

    if (wanted <= *room) {
        return true;
    }
    while (larger < wanted) {
        larger *= 2;
    }
    moved = realloc(*array, larger * bytes);
    if (moved == NULL) {
        return false;
    }
    *array = moved;
    *room = larger;
    return true;
}

static void
add_cell(struct table_reader *reader, const char *data, size_t bytes)
{
    struct table *table = reader->table;

    if (reader->err->code != ERR_OK) {
        return;
    }
    if (bytes > TABLE_CELL_BYTES_MAX) {
        (void)err_set(reader->err, ERR_TOO_LONG,
                      "%s: line %zu: a cell of %zu bytes, %d are allowed; is "
                      "a closing quote missing?",
                      table->name, reader->row_line, bytes,
                      TABLE_CELL_BYTES_MAX);
        return;
    }
    if (!grow((void **)&table->text, &table->text_room,
              table->text_bytes + bytes, 1) ||
        !grow((void **)&table->cells, &table->cell_room, table->cell_count + 1,
              sizeof(*table->cells))) {
        (void)err_set(reader->err, ERR_NO_MEMORY, "%s", table->name);
        return;
    }
    if (bytes > 0) {
        memcpy(table->text + table->text_bytes, data, bytes);
    }
    table->cells[table->cell_count].at = table->text_bytes;
    table->cells[table->cell_count].bytes = bytes;
    table->cell_count++;
    table->text_bytes += bytes;
}

static void
end_row(struct table_reader *reader)
{
    struct table *table = reader->table;
    size_t cells = table->cell_count - reader->row_first_cell;

    if (reader->err->code != ERR_OK) {
        return;
    }
    if (table->row_count == 0) {
        table->column_count = cells;
        if (cells > TABLE_COLUMNS_MAX) {
            (void)err_set(reader->err, ERR_BAD_TABLE,
                          "%s: %zu columns, %d are allowed", table->name, cells,
                          TABLE_COLUMNS_MAX);
            return;
        }
    } else if (cells != table->column_count) {
        (void)err_set(reader->err, ERR_BAD_TABLE,
                      "%s: line %zu: %zu cells, the header has %zu; %s",
                      table->name, reader->row_line, cells, table->column_count,
                      cells < table->column_count
                          ? "add the missing ones, or get the file again if "
                            "it was cut off"
                      : reader->tabs ? "take the others away"
                                     : "a cell that holds a comma must be put "
                                       "in double quotes");
        if (table_go_on(table, reader->err)) {
            table->cell_count = reader->row_first_cell; /* without this row */
        }
        return;
    }
    if (table->row_count > TABLE_ROWS_MAX) {
        (void)err_set(reader->err, ERR_TOO_LONG, "%s: more than %d rows",
                      table->name, TABLE_ROWS_MAX);
        return;
    }
    if (!grow((void **)&table->row_lines, &table->row_room,
              table->row_count + 1, sizeof(*table->row_lines))) {
        (void)err_set(reader->err, ERR_NO_MEMORY, "%s", table->name);
        return;
    }
    table->row_lines[table->row_count] = reader->row_line;
    table->row_count++;
    reader->row_first_cell = table->cell_count;
}

static void
csv_cell_cb(void *data, size_t bytes, void *reader)
{
    add_cell(reader, data, bytes);
}

static void
csv_row_cb(int end, void *reader)
{
    (void)end;
    end_row(reader);
}

/*
 * One logical row of comma-separated text, from *at to behind its line end.
 * Quoted line breaks belong to it. Returns the number of lines it spans.
 */
static size_t
logical_row(struct span bytes, size_t *at)
{
    bool quoted = false;
    size_t lines = 1;

    while (*at < bytes.bytes) {
        char c = bytes.data[(*at)++];

        if (c == '"') {
            quoted = !quoted;
        } else if (c == '\n') {
            if (!quoted) {
                break;
            }
            lines++;
        }
    }
    return lines;
}

static void
read_comma_row(struct table_reader *reader, struct span row)
{
    struct csv_parser parser;

    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        (void)err_set(reader->err, ERR_NO_MEMORY, "%s", reader->table->name);
        return;
    }
    if (csv_parse(&parser, row.data, row.bytes, csv_cell_cb, csv_row_cb,
                  reader) != row.bytes ||
        csv_fini(&parser, csv_cell_cb, csv_row_cb, reader) != 0) {
        (void)err_set(reader->err, ERR_BAD_TABLE,
                      "%s: line %zu: a double quote is not closed or stands "
                      "inside an unquoted cell; write it twice inside quotes",
                      reader->table->name, reader->row_line);
    }
    csv_free(&parser);
}

/* Neither quotes nor a line end but the last: most rows of the large tables. */
static bool
is_plain(struct span row)
{
    const char *back = memchr(row.data, '\r', row.bytes);

    return memchr(row.data, '"', row.bytes) == NULL &&
           (back == NULL ||
            (row.data + row.bytes - back == 2 && back[1] == '\n'));
}

/* A row whose cells are divided by `separator` and by nothing else. */
static void
read_plain_row(struct table_reader *reader, struct span row, char separator)
{
    struct span rest = row;

    if (rest.bytes > 0 && rest.data[rest.bytes - 1] == '\n') {
        rest.bytes--;
    }
    if (rest.bytes > 0 && rest.data[rest.bytes - 1] == '\r') {
        rest.bytes--;
    }
    do {
        struct span cell = span_split(&rest, separator);

        add_cell(reader, cell.data, cell.bytes);
    } while (rest.data != NULL);
    end_row(reader);
}

/* The header decides: a tab and no comma means tab-separated. */
static bool
header_has_tabs(struct span row)
{
    return memchr(row.data, '\t', row.bytes) != NULL &&
           memchr(row.data, ',', row.bytes) == NULL;
}

static void
read_rows(struct table_reader *reader, struct span bytes)
{
    size_t at = 0;
    size_t line = 1;

    while (at < bytes.bytes && reader->err->code == ERR_OK) {
        size_t start = at;
        struct span row;
        size_t lines = 1;

        if (bytes.data[at] == '#' || reader->tabs ||
            reader->table->row_count == 0) {
            const char *end = memchr(bytes.data + at, '\n', bytes.bytes - at);

            at = end != NULL ? (size_t)(end - bytes.data) + 1 : bytes.bytes;
            row = (struct span){bytes.data + start, at - start};
            if (reader->table->row_count == 0 && row.data[0] != '#' &&
                span_trim(row).bytes > 0) {
                reader->tabs = header_has_tabs(row);
            }
        } else {
            lines = logical_row(bytes, &at);
            row = (struct span){bytes.data + start, at - start};
        }
        reader->row_line = line;
        line += lines;
        if (row.data[0] == '#' || span_trim(row).bytes == 0) {
            continue;
        }
        if (reader->tabs) {
            read_plain_row(reader, row, '\t');
        } else if (is_plain(row)) {
            read_plain_row(reader, row, ',');
        } else {
            read_comma_row(reader, row);
        }
    }
}

static void
check_header(const struct table *table, struct err *err)
{
    if (err->code != ERR_OK) {
        return;
    }
    if (table->row_count == 0) {
        (void)err_set(err, ERR_BAD_TABLE,
                      "%s: the file is empty; its first row must name the "
                      "columns",
                      table->name);
        return;
    }
    for (size_t i = 0; i < table->column_count; i++) {
        struct span name = table_column_name(table, i);

        for (size_t k = 0; k < i; k++) {
            if (span_equal(name, table_column_name(table, k))) {
                (void)err_set(err, ERR_BAD_TABLE,
                              "%s: line %zu: column %zu and column %zu are "
                              "both named '%.*s'",
                              table->name, table->row_lines[0], k + 1, i + 1,
                              SPAN_ARGS(name));
                return;
            }
        }
    }
}

/* The first line that is not UTF-8, from 1. */
static size_t
bad_line(struct span bytes)
{
    size_t line = 1;

    while (utf8_valid(span_split(&bytes, '\n'))) {
        line++;
    }
    return line;
}

enum err_code
table_parse(const char *name,
            struct span bytes,
            struct table **out,
            struct err *err)
{
    return table_parse_all(name, bytes, NULL, out, err);
}

enum err_code
table_parse_all(const char *name,
                struct span bytes,
                struct table_faults *faults,
                struct table **out,
                struct err *err)
{
    struct table *table = calloc(1, sizeof(*table));
    struct table_reader reader = {.table = table, .err = err};

    if (table == NULL || (table->name = strdup(name)) == NULL) {
        table_free(&table);
        return err_set(err, ERR_NO_MEMORY, "%s", name);
    }
    table->faults = faults;
    if (bytes.bytes >= 3 && memcmp(bytes.data, "\xEF\xBB\xBF", 3) == 0) {
        bytes.data += 3;
        bytes.bytes -= 3;
    }
    if (!utf8_valid(bytes)) {
        table_free(&table);
        return err_set(err, ERR_BAD_UTF8,
                       "%s: line %zu: not UTF-8; in Excel save it as \"CSV "
                       "UTF-8\"",
                       name, bad_line(bytes));
    }
    read_rows(&reader, bytes);
    check_header(table, err);
    if (err->code != ERR_OK) {
        table_free(&table);
        return err->code;
    }
    *out = table;
    return ERR_OK;
}

void
table_free(struct table **table)
{
    if (*table == NULL) {
        return;
    }
    free((*table)->name);
    free((*table)->text);
    free((*table)->cells);
    free((*table)->row_lines);
    free(*table);
    *table = NULL;
}

const char *
table_name(const struct table *table)
{
    return table->name;
}

size_t
table_row_count(const struct table *table)
{
    return table->row_count - 1;
}

size_t
table_column_count(const struct table *table)
{
    return table->column_count;
}

static struct span
cell_at(const struct table *table, size_t index)
{
    const struct table_cell *cell = &table->cells[index];

    return span_trim((struct span){table->text + cell->at, cell->bytes});
}

struct span
table_column_name(const struct table *table, size_t column)
{
    return cell_at(table, column);
}

size_t
table_column(const struct table *table, const char *column_name)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (span_is(table_column_name(table, i), column_name)) {
            return i;
        }
    }
    return SIZE_MAX;
}

enum err_code
table_need_column(const struct table *table,
                  const char *column_name,
                  size_t *out,
                  struct err *err)
{
    char names[256] = "";

    *out = table_column(table, column_name);
    if (*out != SIZE_MAX) {
        return ERR_OK;
    }
    for (size_t i = 0; i < table->column_count; i++) {
        size_t used = strlen(names);

        (void)snprintf(names + used, sizeof(names) - used, "%s%.*s",
                       i > 0 ? ", " : "",
                       SPAN_ARGS(table_column_name(table, i)));
    }
    return err_set(err, ERR_NO_COLUMN,
                   "%s: line %zu: there is no column '%s'; it has: %s",
                   table->name, table->row_lines[0], column_name, names);
}

struct span
table_cell(const struct table *table, size_t row, size_t column)
{
    if (column == SIZE_MAX) {
        return (struct span){NULL, 0};
    }
    return cell_at(table, (row + 1) * table->column_count + column);
}

size_t
table_row_line(const struct table *table, size_t row)
{
    return table->row_lines[row + 1];
}

/* ------------------------------------------------------------------- faults */

bool
table_faults_tell(struct table_faults *faults, const struct err *err)
{
    uint64_t hash = XXH3_64bits(err->detail, strlen(err->detail));

    if (faults == NULL || faults->enough) {
        return false;
    }
    for (size_t i = 0; i < faults->count; i++) {
        if (faults->known[i] == hash) {
            return true;
        }
    }
    if (!faults->report(faults->data, err) ||
        faults->count == TABLE_FAULTS_MAX) {
        faults->enough = true;
        return false;
    }
    faults->known[faults->count++] = hash;
    return true;
}

bool
table_go_on(struct table *table, struct err *err)
{
    if (err->code == ERR_OK) {
        return true;
    }
    if (table->faults == NULL ||
        err_code_kind(err->code) != ERR_KIND_BAD_INPUT) {
        return false;
    }
    if (table->first.code == ERR_OK) {
        table->first = *err;
    }
    if (!table_faults_tell(table->faults, err)) {
        return false;
    }
    *err = (struct err){0};
    return true;
}

enum err_code
table_end(const struct table *table, struct err *err)
{
    if (err->code == ERR_OK) {
        *err = table->first;
    }
    return err->code;
}

/* ----------------------------------------------------------------- messages */

enum {
    CARET_BEFORE_CHARS = 24,
    CARET_AFTER_CHARS = 24,
    EXCERPT_BYTES_MAX = 3 * (CARET_BEFORE_CHARS + CARET_AFTER_CHARS + 2) + 8
};

/* A row as one line, as far as an excerpt needs it. */
struct excerpt {
    char line[4 * EXCERPT_BYTES_MAX];
    size_t bytes;
    size_t caret; /* byte of `line` */
};

/* At most `chars` whole characters of the end of `text`. */
static struct span
last_chars(struct span text, size_t chars)
{
    size_t at = text.bytes;

    while (at > 0 && chars > 0) {
        at--;
        while (at > 0 && ((unsigned char)text.data[at] & 0xC0) == 0x80) {
            at--;
        }
        chars--;
    }
    return (struct span){text.data + at, text.bytes - at};
}

static struct span
first_chars(struct span text, size_t chars)
{
    size_t at = 0;

    while (at < text.bytes && chars-- > 0) {
        at += utf8_next((struct span){text.data + at, text.bytes - at}, NULL);
    }
    return (struct span){text.data, at};
}

/* Bytes below blank would break the line. */
static void
excerpt_put(struct excerpt *out, struct span text)
{
    for (size_t i = 0; i < text.bytes && out->bytes < sizeof(out->line); i++) {
        out->line[out->bytes++] =
            (unsigned char)text.data[i] < ' ' ? ' ' : text.data[i];
    }
}

/* The cells before the place, the place, the cells behind it. */
static void
excerpt_of(const struct table *table,
           size_t row,
           size_t column,
           size_t offset,
           struct excerpt *out)
{
    struct span cell = table_cell(table, row, column);
    struct span head = {cell.data, offset < cell.bytes ? offset : cell.bytes};
    struct span tail = {cell.data + head.bytes, cell.bytes - head.bytes};
    size_t used = utf8_count(head);
    size_t first = column;

    out->bytes = 0;
    while (first > 0 && used < CARET_BEFORE_CHARS) {
        used += 1 + utf8_count(table_cell(table, row, --first));
    }
    for (size_t i = first; i < column; i++) {
        excerpt_put(out,
                    last_chars(table_cell(table, row, i), CARET_BEFORE_CHARS));
        excerpt_put(out, SPAN_LITERAL(","));
    }
    excerpt_put(out, last_chars(head, CARET_BEFORE_CHARS));
    head = last_chars((struct span){out->line, out->bytes}, CARET_BEFORE_CHARS);
    memmove(out->line, head.data, head.bytes);
    out->bytes = head.bytes;
    out->caret = head.bytes;
    used = utf8_count(tail);
    excerpt_put(out, first_chars(tail, CARET_AFTER_CHARS));
    for (size_t i = column + 1;
         i < table->column_count && used < CARET_AFTER_CHARS; i++) {
        struct span next =
            first_chars(table_cell(table, row, i), CARET_AFTER_CHARS - used);

        excerpt_put(out, SPAN_LITERAL(","));
        excerpt_put(out, next);
        used += 1 + utf8_count(next);
    }
}

static enum err_code
table_verror(const struct table *table,
             size_t row,
             size_t column,
             size_t offset,
             enum err_code code,
             struct err *err,
             const char *fmt,
             va_list args)
{
    char what[ERR_DETAIL_BYTES];
    struct span name = table_column_name(table, column);
    struct excerpt excerpt;
    size_t bytes;
    size_t blanks;

    (void)vsnprintf(what, sizeof(what), fmt, args);
    excerpt_of(table, row, column, offset, &excerpt);
    blanks = utf8_columns((struct span){excerpt.line, excerpt.caret});
    bytes = strlen(table->name) + strlen(what) + name.bytes + excerpt.bytes +
            blanks;
    if (bytes + sizeof(": line 1000000, column '': \n    \n    ^") >
        ERR_DETAIL_BYTES) {
        return err_set(err, code, "%s: line %zu, column '%.*s': %s",
                       table->name, table_row_line(table, row), SPAN_ARGS(name),
                       what);
    }
    return err_set(err, code,
                   "%s: line %zu, column '%.*s': %s\n    %.*s\n    %*s^",
                   table->name, table_row_line(table, row), SPAN_ARGS(name),
                   what, (int)excerpt.bytes, excerpt.line, (int)blanks, "");
}

enum err_code
table_error(const struct table *table,
            size_t row,
            size_t column,
            enum err_code code,
            struct err *err,
            const char *fmt,
            ...)
{
    va_list args;

    va_start(args, fmt);
    code = table_verror(table, row, column, 0, code, err, fmt, args);
    va_end(args);
    return code;
}

enum err_code
table_error_at(const struct table *table,
               size_t row,
               size_t column,
               size_t offset,
               enum err_code code,
               struct err *err,
               const char *fmt,
               ...)
{
    va_list args;

    va_start(args, fmt);
    code = table_verror(table, row, column, offset, code, err, fmt, args);
    va_end(args);
    return code;
}
