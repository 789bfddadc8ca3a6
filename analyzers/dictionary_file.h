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
 * Parse the file, named "dict/…"; its faults hear of bad rows.
 *
 *   out   given on ERR_OK: free with table_free
 *
 * Errors  those of table_parse_all; BAD_TABLE for a last line without an end: a
 *         file that was cut off must not lose half a row silently
 */
enum err_code dictionary_file_parse(const struct dictionary_file *file,
                                    struct table **out,
                                    struct err *err) MUST_CHECK;

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
 * For a builder of several tables, after one of them was read with an error of
 * its own: tell `own` unless it was told, keep the first error in *err. True:
 * the next table may be read, too.
 */
bool dictionary_file_next(struct table_faults *faults,
                          const struct err *own,
                          struct err *err);

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
