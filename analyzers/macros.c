/* Word groups: {名} in a pattern becomes the words of that row. */
#include "analyzers/macros.h"

#include <stdlib.h>
#include <string.h>

#include "analyzers/dictionary_file.h"
#include "analyzers/table.h"

struct macro {
    struct span name;
    struct span words;
};

struct macros {
    struct table *table; /* NULL when there is no words.csv */
    struct macro *rows;
    size_t count;
    size_t words_column;
};

/* One expansion under way. */
struct expander {
    const struct macros *macros;
    struct expansion *out;
    struct pattern_fault *fault;
    size_t depth;
    size_t source; /* byte of the outermost pattern that is being expanded */
};

static const struct macro *
find_macro(const struct macros *macros, struct span name)
{
    for (size_t i = 0; i < macros->count; i++) {
        if (span_equal(macros->rows[i].name, name)) {
            return &macros->rows[i];
        }
    }
    return NULL;
}

static bool
refuse(struct expander *x, const char *problem, const char *remedy)
{
    *x->fault = (struct pattern_fault){x->source, problem, remedy};
    return false;
}

static bool
put(struct expander *x, const char *bytes, size_t count)
{
    if (x->out->bytes + count > MACRO_EXPANSION_BYTES_MAX) {
        return refuse(x,
                      "the pattern grows too long when its word groups are "
                      "written out",
                      "split the rule or use smaller groups");
    }
    memcpy(x->out->text + x->out->bytes, bytes, count);
    for (size_t i = 0; i < count; i++) {
        x->out->from[x->out->bytes + i] = (uint16_t)x->source;
    }
    x->out->bytes += count;
    return true;
}

static bool expand(struct expander *x, struct span pattern);

/* The group whose name stands behind `{`; *used gets the bytes with both
 * braces. */
static bool
expand_name(struct expander *x, struct span rest, size_t *used)
{
    const char *close = memchr(rest.data, '}', rest.bytes);
    const struct macro *macro;
    struct span name;

    if (close == NULL) {
        return refuse(x, "{ is not closed",
                      "write }, or \\{ for the character");
    }
    name = (struct span){rest.data + 1, (size_t)(close - rest.data) - 1};
    macro = find_macro(x->macros, name);
    if (macro == NULL) {
        return refuse(x, "no row of words.csv has this name",
                      "add the group to words.csv or correct the name");
    }
    if (x->depth >= MACRO_DEPTH_MAX) {
        return refuse(x, "word groups name each other in a circle",
                      "take one of the names out of words.csv");
    }
    *used = name.bytes + 2;
    x->depth++;
    if (!put(x, "(?:", 3) || !expand(x, macro->words) || !put(x, ")", 1)) {
        return false;
    }
    x->depth--;
    return true;
}

static bool
is_repetition(struct span rest)
{
    return rest.bytes >= 2 && rest.data[1] >= '0' && rest.data[1] <= '9';
}

static bool
expand(struct expander *x, struct span pattern)
{
    size_t at = 0;

    while (at < pattern.bytes) {
        struct span rest = {pattern.data + at, pattern.bytes - at};
        size_t used = utf8_next(rest, NULL);

        if (x->depth == 0) {
            x->source = at;
        }
        if (rest.data[0] == '\\' && rest.bytes > 1) {
            used = 1 + utf8_next((struct span){rest.data + 1, rest.bytes - 1},
                                 NULL);
            if (rest.bytes > 3 && rest.data[1] == 'x' && rest.data[2] == '{') {
                used = 3;
            }
        } else if (rest.data[0] == '{' && !is_repetition(rest)) {
            if (!expand_name(x, rest, &used)) {
                return false;
            }
            at += used;
            continue;
        }
        if (!put(x, rest.data, used)) {
            return false;
        }
        at += used;
    }
    return true;
}

bool
macros_expand(const struct macros *macros,
              struct span pattern,
              struct expansion *out,
              struct pattern_fault *fault)
{
    struct expander x = {.macros = macros, .out = out, .fault = fault};

    out->bytes = 0;
    if (pattern.bytes > PATTERN_BYTES_MAX) {
        *fault = (struct pattern_fault){0, "the pattern is too long",
                                        "at most 4096 bytes; split the rule"};
        return false;
    }
    if (!expand(&x, pattern)) {
        return false;
    }
    out->from[out->bytes] = (uint16_t)pattern.bytes;
    out->text[out->bytes] = '\0';
    return true;
}

static enum err_code
read_row(struct macros *macros,
         size_t row,
         const size_t columns[2],
         struct err *err)
{
    struct macro macro = {table_cell(macros->table, row, columns[0]),
                          table_cell(macros->table, row, columns[1])};

    if (macro.name.bytes == 0 || macro.words.bytes == 0) {
        return table_error(macros->table, row, columns[0], ERR_BAD_TABLE, err,
                           "a word group has a name and words; fill in "
                           "both");
    }
    if (macro.name.data[0] >= '0' && macro.name.data[0] <= '9') {
        return table_error(macros->table, row, columns[0], ERR_BAD_TABLE, err,
                           "the name '%.*s' begins with a digit, as {0,12} "
                           "does; choose another",
                           SPAN_ARGS(macro.name));
    }
    if (macro.words.data[0] == '|' ||
        macro.words.data[macro.words.bytes - 1] == '|') {
        return table_error(macros->table, row, columns[1], ERR_BAD_TABLE, err,
                           "an empty word: remove the | at the end");
    }
    if (find_macro(macros, macro.name) != NULL) {
        return table_error(macros->table, row, columns[0], ERR_BAD_TABLE, err,
                           "the group '%.*s' stands twice; keep one of the "
                           "two",
                           SPAN_ARGS(macro.name));
    }
    macros->rows[macros->count++] = macro;
    return ERR_OK;
}

static enum err_code
read_rows(struct macros *macros,
          const struct dictionary_file *file,
          struct err *err)
{
    static const char *const names[] = {"name", "words"};
    size_t columns[2];
    size_t count;
    enum err_code code = dictionary_file_parse(file, &macros->table, err);

    if (code != ERR_OK ||
        (code = dictionary_file_columns(macros->table, names, 2, columns,
                                        err)) != ERR_OK) {
        return code;
    }
    macros->words_column = columns[1];
    count = table_row_count(macros->table);
    if (count > MACROS_MAX) {
        return err_set(err, ERR_TOO_LONG,
                       "dict/words.csv: %zu rows; at most %d", count,
                       MACROS_MAX);
    }
    macros->rows = calloc(count + 1, sizeof(*macros->rows));
    if (macros->rows == NULL) {
        return err_set(err, ERR_NO_MEMORY, "words.csv");
    }
    for (size_t row = 0; row < count && code == ERR_OK; row++) {
        (void)!read_row(macros, row, columns, err);
        code = table_go_on(macros->table, err) ? ERR_OK : err->code;
    }
    return code == ERR_OK ? table_end(macros->table, err) : code;
}

/* Every group can be written out: no unknown name, no circle. */
static enum err_code
check_rows(const struct macros *macros, struct err *err)
{
    struct expansion *work = malloc(sizeof(*work));
    enum err_code code = ERR_OK;

    if (work == NULL) {
        return err_set(err, ERR_NO_MEMORY, "words.csv");
    }
    for (size_t i = 0; i < macros->count && code == ERR_OK; i++) {
        struct pattern_fault fault;

        if (!macros_expand(macros, macros->rows[i].words, work, &fault)) {
            (void)table_error_at(
                macros->table, i, macros->words_column, fault.offset,
                ERR_BAD_TABLE, err, "group '%.*s': %s; %s",
                SPAN_ARGS(macros->rows[i].name), fault.problem, fault.remedy);
            code = table_go_on(macros->table, err) ? ERR_OK : err->code;
        }
    }
    free(work);
    if (code == ERR_OK && macros->table != NULL) {
        code = table_end(macros->table, err);
    }
    return code;
}

enum err_code
macros_build(const struct dictionary_file *files,
             size_t file_count,
             struct macros **out,
             struct err *err)
{
    const struct dictionary_file *file =
        dictionary_find_file(files, file_count, "words.csv");
    struct macros *macros = calloc(1, sizeof(*macros));
    enum err_code code = ERR_OK;

    if (macros == NULL) {
        return err_set(err, ERR_NO_MEMORY, "words.csv");
    }
    if (file != NULL) {
        code = read_rows(macros, file, err);
    }
    if (code == ERR_OK) {
        code = check_rows(macros, err);
    }
    if (code != ERR_OK) {
        macros_free(&macros);
        return code;
    }
    *out = macros;
    return ERR_OK;
}

void
macros_free(struct macros **macros)
{
    if (*macros != NULL) {
        table_free(&(*macros)->table);
        free((*macros)->rows);
        free(*macros);
        *macros = NULL;
    }
}
