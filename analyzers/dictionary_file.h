/*
 * dictionary_file: what every loader of a single table does first.
 *
 * Effects   allocates the table; no I/O
 */
#ifndef ANALYZERS_DICTIONARY_FILE_H
#define ANALYZERS_DICTIONARY_FILE_H

#include "analyzers/dictionary.h"
#include "analyzers/table.h"

/*
 * Find the file "calendar.csv" and parse it as "dict/calendar.csv".
 *
 *   out   given on ERR_OK: free with table_free
 *
 * Errors  BAD_TABLE when there is no such file, those of table_parse
 */
enum err_code dictionary_file_table(const struct dictionary_file *files,
                                    size_t file_count,
                                    const char *path,
                                    struct table **out,
                                    struct err *err) MUST_CHECK;

/*
 * The positions of the column_count columns, all of which must exist.
 * Errors  NO_COLUMN
 */
enum err_code dictionary_file_columns(const struct table *table,
                                      const char *const *column_names,
                                      size_t column_count,
                                      size_t *columns,
                                      struct err *err) MUST_CHECK;

/*
 * The cell as a whole number, min <= number <= max, digits only.
 * Errors  BAD_TABLE naming line, column and range
 */
enum err_code dictionary_file_number(const struct table *table,
                                     size_t row,
                                     size_t column,
                                     uint64_t min,
                                     uint64_t max,
                                     uint64_t *out,
                                     struct err *err) MUST_CHECK;

#endif /* ANALYZERS_DICTIONARY_FILE_H */
