/* CSV bytes to rows with line numbers; the one reader of every table. */
#include "analyzers/table.h"

#include <csv.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct table {
    char *name;
    char *text; /* all cells, one after the other */
    size_t text_bytes;
    size_t text_room;
    struct table_cell {
        size_t at;
        size_t bytes;
    } *cells;
    size_t cell_count;
    size_t cell_room;
    size_t *row_lines; /* [0] is the header */
    size_t row_count;  /* with the header */
    size_t row_room;
    size_t column_count;
};

/* What a row being read needs to know. */
struct table_reader {
    struct table *table;
    struct err *err;
    size_t row_first_cell;
    size_t row_line;
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
                          "%s: %zu columns, %d are allowed", table->name,
                          cells, TABLE_COLUMNS_MAX);
            return;
        }
    } else if (cells != table->column_count) {
        (void)err_set(reader->err, ERR_BAD_TABLE,
                      "%s: line %zu: %zu cells, the header has %zu; a cell "
                      "that holds a comma must be put in double quotes",
                      table->name, reader->row_line, cells,
                      table->column_count);
        return;
    }
    if (table->row_count > TABLE_ROWS_MAX) {
        (void)err_set(reader->err, ERR_TOO_LONG,
                      "%s: more than %d rows", table->name, TABLE_ROWS_MAX);
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

static void
read_tab_row(struct table_reader *reader, struct span row)
{
    struct span rest = row;

    if (rest.bytes > 0 && rest.data[rest.bytes - 1] == '\n') {
        rest.bytes--;
    }
    if (rest.bytes > 0 && rest.data[rest.bytes - 1] == '\r') {
        rest.bytes--;
    }
    do {
        struct span cell = span_split(&rest, '\t');

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
    bool tabs = false;

    while (at < bytes.bytes && reader->err->code == ERR_OK) {
        size_t start = at;
        struct span row;
        size_t lines = 1;

        if (bytes.data[at] == '#' || tabs || reader->table->row_count == 0) {
            const char *end = memchr(bytes.data + at, '\n', bytes.bytes - at);

            at = end != NULL ? (size_t)(end - bytes.data) + 1 : bytes.bytes;
            row = (struct span){bytes.data + start, at - start};
            if (reader->table->row_count == 0 && row.data[0] != '#' &&
                span_trim(row).bytes > 0) {
                tabs = header_has_tabs(row);
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
        if (tabs) {
            read_tab_row(reader, row);
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

enum err_code
table_parse(const char *name,
            struct span bytes,
            struct table **out,
            struct err *err)
{
    struct table *table = calloc(1, sizeof(*table));
    struct table_reader reader = {table, err, 0, 1};

    if (table == NULL || (table->name = strdup(name)) == NULL) {
        table_free(&table);
        return err_set(err, ERR_NO_MEMORY, "%s", name);
    }
    if (bytes.bytes >= 3 && memcmp(bytes.data, "\xEF\xBB\xBF", 3) == 0) {
        bytes.data += 3;
        bytes.bytes -= 3;
    }
    if (!utf8_valid(bytes)) {
        table_free(&table);
        return err_set(err, ERR_BAD_UTF8,
                       "%s: not UTF-8; in Excel save it as \"CSV UTF-8\"",
                       name);
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

enum err_code
table_error(const struct table *table,
            size_t row,
            size_t column,
            enum err_code code,
            struct err *err,
            const char *fmt,
            ...)
{
    char what[ERR_DETAIL_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    return err_set(err, code, "%s: line %zu, column '%.*s': %s", table->name,
                   table_row_line(table, row),
                   SPAN_ARGS(table_column_name(table, column)), what);
}
