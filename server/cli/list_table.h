/*
 * list_table: a list as a table for a terminal, in Chinese.
 *
 * Effects   none but the bufs
 */
#ifndef CLI_LIST_TABLE_H
#define CLI_LIST_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/err.h"
#include "analyzers/span.h"
#include "server/base/buf.h"

enum { LIST_TABLE_ROWS_MAX = 10000, LIST_TABLE_BYTES_MAX = 64 * 1024 * 1024 };

/*
 * Put the columns of `name` that people read first, at most rows_max rows.
 *
 *   name   a list of the API that list_table_knows
 *   csv    the list as the form .csv gives it
 *   more   were there rows beyond rows_max?
 *
 * Times are shown to the minute, units by their last part, long texts are cut
 * ("…"), control characters are blanks.
 *
 * Errors  those of csv_rows (not this program's CSV), TOO_LONG, NO_MEMORY
 */
enum err_code list_table_put(const char *name,
                             struct span csv,
                             size_t rows_max,
                             struct buf *out,
                             bool *more,
                             struct err *err) MUST_CHECK;

bool list_table_knows(const char *name);

#endif /* CLI_LIST_TABLE_H */
