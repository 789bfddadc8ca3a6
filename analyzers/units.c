/* Supply units: codes to paths, and the region the grid gives a unit. */
#include "analyzers/units.h"

#include <assert.h>
#include <stdlib.h>

#include "analyzers/dictionary_file.h"

struct unit_row {
    struct span code; /* may be empty */
    struct span path;
    enum ticket_region region;
    size_t row;
};

struct units {
    struct table *table; /* owns the spans */
    struct unit_row *by_path;
    struct unit_row *by_code; /* rows with a code only */
    size_t path_count;
    size_t code_count;
};

static struct span
trim_slashes(struct span path)
{
    path = span_trim(path);
    while (path.bytes > 0 && path.data[0] == '/') {
        path = span_trim((struct span){path.data + 1, path.bytes - 1});
    }
    while (path.bytes > 0 && path.data[path.bytes - 1] == '/') {
        path = span_trim((struct span){path.data, path.bytes - 1});
    }
    return path;
}

/* Cut behind the last level that counts. */
static struct span
cut_levels(struct span path)
{
    size_t levels = 1;

    for (size_t i = 0; i < path.bytes; i++) {
        if (path.data[i] == '/' && ++levels > UNIT_LEVELS_MAX) {
            path.bytes = i;
        }
    }
    return trim_slashes(path);
}

static int
compare_paths(const void *a, const void *b)
{
    const struct unit_row *left = a;
    const struct unit_row *right = b;
    int order = span_compare(left->path, right->path);

    return order != 0 ? order
                      : (left->row > right->row) - (left->row < right->row);
}

static int
compare_codes(const void *a, const void *b)
{
    const struct unit_row *left = a;
    const struct unit_row *right = b;
    int order = span_compare(left->code, right->code);

    return order != 0 ? order
                      : (left->row > right->row) - (left->row < right->row);
}

static const struct unit_row *
find_path(const struct units *units, struct span path)
{
    size_t low = 0;
    size_t high = units->path_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = span_compare(units->by_path[middle].path, path);

        if (order == 0) {
            return &units->by_path[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static const struct unit_row *
find_code(const struct units *units, struct span code)
{
    size_t low = 0;
    size_t high = units->code_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = span_compare(units->by_code[middle].code, code);

        if (order == 0) {
            return &units->by_code[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* A path of 1..UNIT_LEVELS_MAX levels, none of them empty. */
static bool
path_fine(struct span path)
{
    size_t levels = 0;

    if (path.bytes == 0) {
        return false;
    }
    while (path.bytes > 0) {
        if (span_trim(span_split(&path, '/')).bytes == 0) {
            return false;
        }
        levels++;
    }
    return levels <= UNIT_LEVELS_MAX;
}

static enum err_code
read_row(struct units *units,
         size_t row,
         const size_t *columns,
         struct err *err)
{
    struct unit_row unit = {table_cell(units->table, row, columns[0]),
                            table_cell(units->table, row, columns[1]),
                            TICKET_REGION_UNKNOWN, row};
    struct span region = table_cell(units->table, row, columns[2]);

    if (!path_fine(unit.path)) {
        return table_error(units->table, row, columns[1], ERR_BAD_TABLE, err,
                           "'%.*s' is not a path of 1 to %d levels divided by "
                           "single slashes",
                           SPAN_ARGS(unit.path), UNIT_LEVELS_MAX);
    }
    if (span_find(unit.code, SPAN_LITERAL("/"), 0) != SIZE_MAX) {
        return table_error(units->table, row, columns[0], ERR_BAD_TABLE, err,
                           "a code holds no slash");
    }
    if (region.bytes > 0 && !ticket_region_from(region, &unit.region)) {
        return table_error(units->table, row, columns[2], ERR_BAD_TABLE, err,
                           "'%.*s' is not a region; urban, rural, remote or "
                           "empty",
                           SPAN_ARGS(region));
    }
    units->by_path[units->path_count++] = unit;
    if (unit.code.bytes > 0) {
        units->by_code[units->code_count++] = unit;
    }
    return ERR_OK;
}

/* Sort both lists and refuse what is named twice. */
static enum err_code
sort_rows(struct units *units, const size_t *columns, struct err *err)
{
    if (units->path_count == 0) {
        return ERR_OK;
    }
    qsort(units->by_path, units->path_count, sizeof(*units->by_path),
          compare_paths);
    qsort(units->by_code, units->code_count, sizeof(*units->by_code),
          compare_codes);
    for (size_t i = 1; i < units->path_count; i++) {
        const struct unit_row *unit = &units->by_path[i];

        if (span_equal(unit->path, unit[-1].path)) {
            (void)table_error(units->table, unit->row, columns[1],
                              ERR_BAD_TABLE, err,
                              "this path stands on line %zu already; keep one "
                              "of the two",
                              table_row_line(units->table, unit[-1].row));
        }
        if (!table_go_on(units->table, err)) {
            return err->code;
        }
    }
    for (size_t i = 1; i < units->code_count; i++) {
        const struct unit_row *unit = &units->by_code[i];

        if (span_equal(unit->code, unit[-1].code)) {
            (void)table_error(units->table, unit->row, columns[0],
                              ERR_BAD_TABLE, err,
                              "this code stands on line %zu already; keep one "
                              "of the two",
                              table_row_line(units->table, unit[-1].row));
        }
        if (!table_go_on(units->table, err)) {
            return err->code;
        }
    }
    return ERR_OK;
}

enum err_code
units_build(const struct dictionary_file *files,
            size_t file_count,
            struct units **out,
            struct err *err)
{
    static const char *const names[] = {"code", "path", "region", "note"};
    size_t columns[4];
    size_t rows;
    struct units *units = calloc(1, sizeof(*units));
    enum err_code code;

    if (units == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/units.csv");
    }
    code = dictionary_file_table(files, file_count, "units.csv", &units->table,
                                 err);
    if (code != ERR_OK) {
        goto out;
    }
    code = dictionary_file_columns(units->table, names, 4, columns, err);
    if (code != ERR_OK) {
        goto out;
    }
    rows = table_row_count(units->table);
    units->by_path = calloc(rows + 1, sizeof(*units->by_path));
    units->by_code = calloc(rows + 1, sizeof(*units->by_code));
    if (units->by_path == NULL || units->by_code == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "dict/units.csv");
        goto out;
    }
    for (size_t row = 0; row < rows && code == ERR_OK; row++) {
        (void)!read_row(units, row, columns, err);
        code = table_go_on(units->table, err) ? ERR_OK : err->code;
    }
    if (code == ERR_OK) {
        code = sort_rows(units, columns, err);
    }
    if (code == ERR_OK) {
        code = table_end(units->table, err);
    }
    if (code == ERR_OK) {
        *out = units;
        units = NULL;
    }
out:
    units_free(&units);
    return code;
}

void
units_free(struct units **units)
{
    if (*units == NULL) {
        return;
    }
    table_free(&(*units)->table);
    free((*units)->by_path);
    free((*units)->by_code);
    free(*units);
    *units = NULL;
}

static bool
all_digits(struct span word)
{
    for (size_t i = 0; i < word.bytes; i++) {
        if (word.data[i] < '0' || word.data[i] > '9') {
            return false;
        }
    }
    return word.bytes > 0;
}

struct span
units_path(const struct units *units, struct span unit)
{
    const struct unit_row *row;
    struct span code;

    unit = trim_slashes(unit);
    row = find_code(units, unit);
    if (row == NULL && all_digits(unit)) {
        /* ORG_NO is a prefix tree: 5 digits city, 7 county, 9 station */
        for (code = unit; row == NULL && code.bytes > UNIT_CODE_STEP;) {
            code.bytes -= UNIT_CODE_STEP;
            row = find_code(units, code);
        }
    }
    return row != NULL ? row->path : cut_levels(unit);
}

enum ticket_region
units_region(const struct units *units, struct span path, struct span *row_path)
{
    path = cut_levels(trim_slashes(path));
    while (path.bytes > 0) {
        const struct unit_row *row = find_path(units, path);

        if (row != NULL && row->region != TICKET_REGION_UNKNOWN) {
            *row_path = row->path;
            return row->region;
        }
        while (path.bytes > 0 && path.data[path.bytes - 1] != '/') {
            path.bytes--;
        }
        path = trim_slashes(path);
    }
    *row_path = (struct span){NULL, 0};
    return TICKET_REGION_UNKNOWN;
}
