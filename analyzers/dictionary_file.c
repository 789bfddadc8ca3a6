/* Find one file of the dictionary by its path and begin reading its table. */
#include "analyzers/dictionary_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct dictionary_file *
dictionary_find_file(const struct dictionary_file *files,
                     size_t file_count,
                     const char *path)
{
    for (size_t i = 0; i < file_count; i++) {
        if (strcmp(files[i].path, path) == 0) {
            return &files[i];
        }
    }
    return NULL;
}

/* Of a file whose last line has no end. */
static size_t
line_count(struct span bytes)
{
    size_t lines = 0;

    while (bytes.data != NULL) {
        (void)span_split(&bytes, '\n');
        lines++;
    }
    return lines;
}

enum err_code
dictionary_file_parse(const struct dictionary_file *file,
                      struct table **out,
                      struct err *err)
{
    struct span bytes = file->bytes;
    char name[256];

    (void)snprintf(name, sizeof(name), "dict/%s", file->path);
    if (bytes.bytes > 0 && bytes.data[bytes.bytes - 1] != '\n' &&
        bytes.data[bytes.bytes - 1] != '\r') {
        return err_set(err, ERR_BAD_TABLE,
                       "%s: line %zu: the last line has no line end; get the "
                       "file again if it was cut off, else add one",
                       name, line_count(bytes));
    }
    return table_parse_all(name, file->bytes, file->faults, out, err);
}

bool
dictionary_file_next(struct table_faults *faults,
                     const struct err *own,
                     struct err *err)
{
    if (own->code == ERR_OK) {
        return true;
    }
    if (err->code == ERR_OK) {
        *err = *own;
    }
    return err_code_kind(own->code) == ERR_KIND_BAD_INPUT &&
           table_faults_tell(faults, own);
}

enum err_code
dictionary_file_table(const struct dictionary_file *files,
                      size_t file_count,
                      const char *path,
                      struct table **out,
                      struct err *err)
{
    const struct dictionary_file *file =
        dictionary_find_file(files, file_count, path);

    if (file == NULL) {
        return err_set(err, ERR_BAD_TABLE,
                       "dict/%s: the file is missing; put it back or start "
                       "from the dictionary that came with the program",
                       path);
    }
    return dictionary_file_parse(file, out, err);
}

enum err_code
dictionary_file_columns(const struct table *table,
                        const char *const *column_names,
                        size_t column_count,
                        size_t *columns,
                        struct err *err)
{
    for (size_t i = 0; i < column_count; i++) {
        enum err_code code =
            table_need_column(table, column_names[i], &columns[i], err);

        if (code != ERR_OK) {
            return code;
        }
    }
    return ERR_OK;
}

enum err_code
dictionary_file_number(const struct table *table,
                       size_t row,
                       size_t column,
                       uint64_t min,
                       uint64_t max,
                       uint64_t *out,
                       struct err *err)
{
    struct span cell = table_cell(table, row, column);
    bool fine = cell.bytes > 0 && cell.bytes <= 18;
    uint64_t number = 0;

    for (size_t i = 0; fine && i < cell.bytes; i++) {
        fine = cell.data[i] >= '0' && cell.data[i] <= '9';
        number = number * 10 + (uint64_t)(unsigned char)cell.data[i] - '0';
    }
    if (!fine || number < min || number > max) {
        return table_error(table, row, column, ERR_BAD_TABLE, err,
                           "'%.*s' is not a whole number from %" PRIu64
                           " to %" PRIu64,
                           SPAN_ARGS(cell), min, max);
    }
    *out = number;
    return ERR_OK;
}
