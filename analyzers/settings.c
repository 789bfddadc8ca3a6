/* The numbers of dict/settings.csv. */
#include "analyzers/settings.h"

#include "analyzers/dictionary_file.h"

static enum err_code
read_setting(const struct table *table,
             size_t row,
             const size_t *columns,
             const char *prefix,
             const struct setting *known,
             size_t count,
             uint64_t *values,
             struct err *err)
{
    struct span key = table_cell(table, row, columns[0]);
    struct span unit = table_cell(table, row, columns[2]);
    size_t i = 0;

    if (!span_starts(key, span_of(prefix))) {
        return ERR_OK;
    }
    while (i < count && !span_is(key, known[i].key)) {
        i++;
    }
    if (i == count) {
        return table_error(table, row, columns[0], ERR_BAD_TABLE, err,
                           "there is no setting '%.*s'", SPAN_ARGS(key));
    }
    if (values[i] != UINT64_MAX) {
        return table_error(table, row, columns[0], ERR_BAD_TABLE, err,
                           "'%.*s' is set twice", SPAN_ARGS(key));
    }
    if (!span_is(unit, known[i].unit)) {
        return table_error(table, row, columns[2], ERR_BAD_TABLE, err,
                           "'%.*s' is in %s, not in '%.*s'", SPAN_ARGS(key),
                           known[i].unit, SPAN_ARGS(unit));
    }
    return dictionary_file_number(table, row, columns[1], known[i].min,
                                  known[i].max, &values[i], err);
}

static enum err_code
read_settings(struct table *table,
              const char *prefix,
              const struct setting *known,
              size_t count,
              uint64_t *values,
              struct err *err)
{
    static const char *const names[] = {"key", "value", "unit"};
    size_t columns[3];
    enum err_code code = dictionary_file_columns(table, names, 3, columns, err);

    for (size_t i = 0; i < count; i++) {
        values[i] = UINT64_MAX;
    }
    for (size_t row = 0; code == ERR_OK && row < table_row_count(table);
         row++) {
        (void)!read_setting(table, row, columns, prefix, known, count, values,
                            err);
        code = table_go_on(table, err) ? ERR_OK : err->code;
    }
    if (code == ERR_OK) {
        code = table_end(table, err);
    }
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        if (values[i] == UINT64_MAX) {
            code = err_set(err, ERR_BAD_TABLE,
                           "%s: the setting %s is missing; add a row with a "
                           "number of %s",
                           table_name(table), known[i].key, known[i].unit);
        }
    }
    return code;
}

enum err_code
settings_read(const struct dictionary_file *files,
              size_t file_count,
              const char *prefix,
              const struct setting *known,
              size_t count,
              uint64_t *values,
              struct err *err)
{
    struct table *table = NULL;
    enum err_code code =
        dictionary_file_table(files, file_count, "settings.csv", &table, err);

    if (code == ERR_OK) {
        code = read_settings(table, prefix, known, count, values, err);
        table_free(&table);
    }
    return code;
}
