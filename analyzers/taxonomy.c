/* The three levels of complaint topics, read from categories.csv. */
#include "analyzers/taxonomy.h"

#include <stdlib.h>

#include "analyzers/dictionary_file.h"

struct taxonomy {
    struct table *table; /* the spans of the rows borrow from it */
    struct taxonomy_row *rows;
    size_t row_count;
    int32_t classes[TAXONOMY_CLASSES_MAX]; /* row of each second-level name */
    size_t class_count;
};

/* Columns of categories.csv. */
struct taxonomy_columns {
    size_t code;
    size_t chinese;
    size_t english;
    size_t group;
    size_t scored;
    size_t version;
    size_t valid_from;
};

static enum err_code
find_columns(const struct table *table,
             struct taxonomy_columns *columns,
             struct err *err)
{
    enum err_code code;

    if ((code = table_need_column(table, "code", &columns->code, err)) ||
        (code = table_need_column(table, "chinese", &columns->chinese, err)) ||
        (code = table_need_column(table, "english", &columns->english, err)) ||
        (code = table_need_column(table, "group", &columns->group, err)) ||
        (code = table_need_column(table, "scored", &columns->scored, err)) ||
        (code = table_need_column(table, "version", &columns->version, err)) ||
        (code = table_need_column(table, "valid_from", &columns->valid_from,
                                  err))) {
        return code;
    }
    return ERR_OK;
}

/* Dots in a code: 0 first level, 1 second, 2 third. */
static size_t
count_dots(struct span code)
{
    size_t dots = 0;

    for (size_t i = 0; i < code.bytes; i++) {
        dots += code.data[i] == '.';
    }
    return dots;
}

static bool
code_is_well_formed(struct span code)
{
    char before = '.';

    for (size_t i = 0; i < code.bytes; i++) {
        char c = code.data[i];

        if (c == '.' ? before == '.'
                     : !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                         c == '_')) {
            return false;
        }
        before = c;
    }
    return code.bytes > 0 && before != '.';
}

/* The code without its last part. */
static struct span
code_parent(struct span code)
{
    while (code.bytes > 0 && code.data[code.bytes - 1] != '.') {
        code.bytes--;
    }
    if (code.bytes > 0) {
        code.bytes--;
    }
    return code;
}

static int32_t
find_code(const struct taxonomy *taxonomy, struct span code)
{
    for (size_t i = 0; i < taxonomy->row_count; i++) {
        if (span_equal(taxonomy->rows[i].code, code)) {
            return (int32_t)i;
        }
    }
    return TAXONOMY_NONE;
}

/* A first-level row only documents: its code is the wire word, its name the
 * Chinese word of the format. */
static enum err_code
check_first_level(const struct table *table,
                  size_t row,
                  const struct taxonomy_columns *columns,
                  struct err *err)
{
    enum ticket_category category;
    struct span code = table_cell(table, row, columns->code);

    if (!ticket_category_from(code, &category) ||
        category == TICKET_CATEGORY_NONE) {
        return table_error(table, row, columns->code, ERR_BAD_TABLE, err,
                           "'%.*s' is not a first-level code; they are "
                           "service, business, outage, quality, grid",
                           SPAN_ARGS(code));
    }
    return ERR_OK;
}

static enum err_code
read_scored(const struct table *table,
            size_t row,
            size_t column,
            bool *out,
            struct err *err)
{
    struct span cell = table_cell(table, row, column);

    if (!span_is(cell, "yes") && !span_is(cell, "no")) {
        return table_error(table, row, column, ERR_BAD_TABLE, err,
                           "'%.*s' is neither yes nor no", SPAN_ARGS(cell));
    }
    *out = span_is(cell, "yes");
    return ERR_OK;
}

static enum err_code
add_row(struct taxonomy *taxonomy,
        size_t row,
        const struct taxonomy_columns *columns,
        struct err *err)
{
    const struct table *table = taxonomy->table;
    struct taxonomy_row *out = &taxonomy->rows[taxonomy->row_count];
    struct span code = table_cell(table, row, columns->code);
    struct span first = code;
    size_t dots = count_dots(code);
    enum err_code result;

    if (!code_is_well_formed(code) || dots > 2) {
        return table_error(table, row, columns->code, ERR_BAD_TABLE, err,
                           "'%.*s' is not a code; write one to three parts of "
                           "a-z, 0-9 and _ with dots between",
                           SPAN_ARGS(code));
    }
    if (dots == 0) {
        return check_first_level(table, row, columns, err);
    }
    *out = (struct taxonomy_row){.code = code, .parent = TAXONOMY_NONE};
    first = span_split(&first, '.');
    if (!ticket_category_from(first, &out->category) ||
        out->category == TICKET_CATEGORY_NONE) {
        return table_error(table, row, columns->code, ERR_BAD_TABLE, err,
                           "'%.*s' is not below service, business, outage, "
                           "quality or grid",
                           SPAN_ARGS(code));
    }
    if (find_code(taxonomy, code) != TAXONOMY_NONE) {
        return table_error(table, row, columns->code, ERR_BAD_TABLE, err,
                           "the code '%.*s' stands twice", SPAN_ARGS(code));
    }
    if (dots == 2) {
        out->parent = find_code(taxonomy, code_parent(code));
        if (out->parent == TAXONOMY_NONE) {
            return table_error(table, row, columns->code, ERR_BAD_TABLE, err,
                               "the row of '%.*s' must stand above this one",
                               SPAN_ARGS(code_parent(code)));
        }
    }
    out->chinese = table_cell(table, row, columns->chinese);
    out->english = table_cell(table, row, columns->english);
    out->group = table_cell(table, row, columns->group);
    if (out->chinese.bytes == 0) {
        return table_error(table, row, columns->chinese, ERR_BAD_TABLE, err,
                           "the Chinese name is missing");
    }
    if ((dots == 1 &&
         taxonomy_subcategory(taxonomy, out->chinese) != TAXONOMY_NONE) ||
        (dots == 2 && taxonomy_topic(taxonomy, out->parent, out->chinese) !=
                          TAXONOMY_NONE)) {
        return table_error(table, row, columns->chinese, ERR_BAD_TABLE, err,
                           "the name '%.*s' stands twice on its level",
                           SPAN_ARGS(out->chinese));
    }
    result = read_scored(table, row, columns->scored, &out->scored, err);
    if (result != ERR_OK) {
        return result;
    }
    if (dots == 1) {
        if (taxonomy->class_count == TAXONOMY_CLASSES_MAX) {
            return table_error(table, row, columns->code, ERR_BAD_TABLE, err,
                               "more than %d second-level names",
                               TAXONOMY_CLASSES_MAX);
        }
        out->class_index = (int32_t)taxonomy->class_count;
        taxonomy->classes[taxonomy->class_count++] =
            (int32_t)taxonomy->row_count;
    } else {
        out->class_index = taxonomy->rows[out->parent].class_index;
    }
    taxonomy->row_count++;
    return ERR_OK;
}

static enum err_code
read_rows(struct taxonomy *taxonomy, struct err *err)
{
    size_t count = table_row_count(taxonomy->table);
    struct taxonomy_columns columns;
    enum err_code code = find_columns(taxonomy->table, &columns, err);

    if (code != ERR_OK) {
        return code;
    }
    if (count > TAXONOMY_ROWS_MAX) {
        return err_set(err, ERR_TOO_LONG,
                       "dict/categories.csv: %zu rows; at most %d", count,
                       TAXONOMY_ROWS_MAX);
    }
    taxonomy->rows = calloc(count + 1, sizeof(*taxonomy->rows));
    if (taxonomy->rows == NULL) {
        return err_set(err, ERR_NO_MEMORY, "categories.csv");
    }
    for (size_t row = 0; row < count; row++) {
        (void)!add_row(taxonomy, row, &columns, err);
        if (!table_go_on(taxonomy->table, err)) {
            return err->code;
        }
    }
    if (table_end(taxonomy->table, err) != ERR_OK) {
        return err->code;
    }
    if (taxonomy->class_count == 0) {
        return err_set(err, ERR_BAD_TABLE,
                       "dict/categories.csv: there is no second-level row");
    }
    return ERR_OK;
}

enum err_code
taxonomy_build(const struct dictionary_file *files,
               size_t file_count,
               struct taxonomy **out,
               struct err *err)
{
    const struct dictionary_file *file =
        dictionary_find_file(files, file_count, "categories.csv");
    struct taxonomy *taxonomy;
    enum err_code code;

    if (file == NULL) {
        return err_set(err, ERR_NOT_FOUND,
                       "dict/categories.csv: the file is missing; the "
                       "dictionary cannot be used without it");
    }
    taxonomy = calloc(1, sizeof(*taxonomy));
    if (taxonomy == NULL) {
        return err_set(err, ERR_NO_MEMORY, "categories.csv");
    }
    code = dictionary_file_parse(file, &taxonomy->table, err);
    if (code == ERR_OK) {
        code = read_rows(taxonomy, err);
    }
    if (code != ERR_OK) {
        taxonomy_free(&taxonomy);
        return code;
    }
    *out = taxonomy;
    return ERR_OK;
}

void
taxonomy_free(struct taxonomy **taxonomy)
{
    if (*taxonomy == NULL) {
        return;
    }
    table_free(&(*taxonomy)->table);
    free((*taxonomy)->rows);
    free(*taxonomy);
    *taxonomy = NULL;
}

size_t
taxonomy_row_count(const struct taxonomy *taxonomy)
{
    return taxonomy->row_count;
}

const struct taxonomy_row *
taxonomy_row(const struct taxonomy *taxonomy, int32_t row)
{
    if (row < 0 || (size_t)row >= taxonomy->row_count) {
        return NULL;
    }
    return &taxonomy->rows[row];
}

size_t
taxonomy_class_count(const struct taxonomy *taxonomy)
{
    return taxonomy->class_count;
}

int32_t
taxonomy_class_row(const struct taxonomy *taxonomy, size_t class_index)
{
    return class_index < taxonomy->class_count ? taxonomy->classes[class_index]
                                               : TAXONOMY_NONE;
}

size_t
taxonomy_topic_count(const struct taxonomy *taxonomy, int32_t subcategory)
{
    size_t count = 0;

    for (size_t i = 0; i < taxonomy->row_count; i++) {
        count += taxonomy->rows[i].parent == subcategory;
    }
    return subcategory == TAXONOMY_NONE ? 0 : count;
}

int32_t
taxonomy_topic_row(const struct taxonomy *taxonomy,
                   int32_t subcategory,
                   size_t index)
{
    for (size_t i = 0; subcategory != TAXONOMY_NONE && i < taxonomy->row_count;
         i++) {
        if (taxonomy->rows[i].parent == subcategory && index-- == 0) {
            return (int32_t)i;
        }
    }
    return TAXONOMY_NONE;
}

size_t
taxonomy_topic_index(const struct taxonomy *taxonomy, int32_t topic)
{
    size_t index = 0;

    for (int32_t i = 0; i < topic; i++) {
        index += taxonomy->rows[i].parent == taxonomy->rows[topic].parent;
    }
    return index;
}

int32_t
taxonomy_subcategory(const struct taxonomy *taxonomy, struct span name)
{
    for (size_t i = 0; i < taxonomy->class_count; i++) {
        const struct taxonomy_row *row = &taxonomy->rows[taxonomy->classes[i]];

        if (span_equal(row->chinese, name) || span_equal(row->code, name)) {
            return taxonomy->classes[i];
        }
    }
    return TAXONOMY_NONE;
}

int32_t
taxonomy_topic(const struct taxonomy *taxonomy,
               int32_t subcategory,
               struct span name)
{
    for (size_t i = 0; i < taxonomy->row_count; i++) {
        const struct taxonomy_row *row = &taxonomy->rows[i];

        if (row->parent == TAXONOMY_NONE ||
            (subcategory != TAXONOMY_NONE && row->parent != subcategory)) {
            continue;
        }
        if (span_equal(row->chinese, name) || span_equal(row->code, name)) {
            return (int32_t)i;
        }
    }
    return TAXONOMY_NONE;
}
