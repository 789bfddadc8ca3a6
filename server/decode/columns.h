/*
 * columns: which column of a CSV file is which field, and what its codes mean.
 *
 * Flow      csv_rows -> [columns] -> ticket_decode
 * Input     dict/columns.csv (heading,field,note) and dict/column_values.csv
 *           (field,value,means,note)
 * Effects   none after columns_build and columns_map
 *
 * Headings are compared without blanks, underscores, hyphens, case, full-width
 * forms, zero-width characters, asterisks, colons and a unit in brackets.
 */
#ifndef SERVER_DECODE_COLUMNS_H
#define SERVER_DECODE_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/arena.h"
#include "analyzers/dictionary.h"
#include "analyzers/err.h"
#include "server/decode/csv_rows.h"
#include "server/decode/ticket_decode.h"

enum { COLUMNS_HEADING_BYTES_MAX = 256 };

/* A column of files that we gave back; passed over. */
#define COLUMNS_REASON_HEADING "错误原因"

struct columns;

/* Errors  BAD_TABLE, NO_COLUMN and others, naming file, line and column */
enum err_code columns_build(const struct dictionary_file *files,
                            size_t file_count,
                            struct columns **out,
                            struct err *err) MUST_CHECK;
void columns_free(struct columns **columns);

/* The mapping of one file's header. */
struct column_map;

/*
 * Map a header. Tickets need id, accepted_at and text; events id, event and
 * at. A file may hold both: a row is an event when its event cell is filled.
 *
 *   columns   borrowed until columns_map_free
 *   header    copied
 *
 * Errors  NO_COLUMN  naming the missing fields, the headings that would do and
 *                    the headings that the file has
 *         NO_MEMORY
 */
enum err_code columns_map(const struct columns *columns,
                          const struct csv_row *header,
                          struct column_map **out,
                          struct err *err) MUST_CHECK;
/*
 * The same with fields that a person chose: fields[header->cell_count], NONE
 * for a column that is kept as an unknown member. NULL: by the headings.
 * Errors  also DUPLICATE_FIELD (two columns for one field)
 */
enum err_code columns_map_as(const struct columns *columns,
                             const struct csv_row *header,
                             const enum decode_field *fields,
                             struct column_map **out,
                             struct err *err) MUST_CHECK;
void columns_map_free(struct column_map **map);

/* The fields by the headings, also when some are missing:
 * fields[header->cell_count]. */
void columns_guess(const struct columns *columns,
                   const struct csv_row *header,
                   enum decode_field *fields);

/* Which of the fields that a row of this kind needs have no column? Of tickets,
 * unless there is an event column. Up to 3; returns how many. */
size_t columns_missing(const enum decode_field *fields,
                       size_t field_count,
                       enum decode_field missing[3]);

/* The first heading of the table for a field ("工单编号"), "" when it has none.
 */
struct span columns_heading(const struct columns *columns,
                            enum decode_field field);

/* The field of a column (DECODE_FIELD_NONE: kept as an unknown member). */
enum decode_field columns_map_field(const struct column_map *map,
                                    size_t column);

/*
 * Decode one row.
 *
 *   row   of the file whose header was mapped; borrowed as long as *out is used
 *
 * Numbers that Excel has damaged (2.01801E+15 as a work-order number) are
 * refused. A cell `="123"` or `'123` is 123; `'` in front of what would run as
 * a formula (cell_guard.h) is dropped; NULL and \N are empty. Columns without a
 * field are kept as JSON strings in `extra`, empty cells are not.
 *
 * Errors  those of decode_json that concern values; the detail names the column
 */
enum err_code columns_decode(const struct column_map *map,
                             struct decoder *decoder,
                             const struct csv_row *row,
                             struct arena *arena,
                             struct decoded *out,
                             struct err *err) MUST_CHECK;

#endif /* SERVER_DECODE_COLUMNS_H */
