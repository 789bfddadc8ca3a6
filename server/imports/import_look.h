/*
 * import_look: what would become of this file? Nothing is stored.
 *
 * Flow      an uploaded file -> record_file -> judge -> [import_look] -> JSON
 * Effects   reads the file; half a second at most for a large one (the shared
 *           strings of a workbook): work for a helper thread
 */
#ifndef IMPORTS_IMPORT_LOOK_H
#define IMPORTS_IMPORT_LOOK_H

#include "server/base/json_out.h"
#include "server/ingest/record_file.h"
#include "server/rulebook/rulebook.h"

enum {
    IMPORT_LOOK_ROWS_MAX = 1000, /* judged */
    IMPORT_SHOWN_ROWS_MAX = 20,
    IMPORT_SAMPLES_MAX = 3, /* of a column */
    IMPORT_ERRORS_MAX = 100,
    IMPORT_CELL_SHOWN_BYTES_MAX = 400,
    IMPORT_JSON_BYTES_MAX = 16 * 1024 * 1024
};

struct import_look_options {
    const char *path;
    const char *name;                /* for messages */
    const char *sheet;               /* NULL: the first */
    const enum decode_field *fields; /* NULL: by the headings */
    size_t field_count;
    size_t line_bytes_max;
    struct rulebook *rulebook;
};

/* Zero it before the first use; import_look_release. */
struct import_look {
    const char *format;   /* "xlsx", "csv", "ndjson", "json" */
    const char *encoding; /* "UTF-8", …; "" of a workbook */
    bool has_columns;
    size_t sheet;
    size_t header_line;
    enum decode_field fields[CSV_COLUMNS_MAX];
    size_t field_count;
    size_t missing_count; /* fields without a column: cannot be imported */
    uint64_t rows;        /* looked at */
    bool whole;           /* that was all of the file */
    uint64_t error_count;
    /* JSON values for the API */
    struct buf sheet_names;
    struct buf sheet_name;
    struct buf columns;
    struct buf missing;
    struct buf preview;
    struct buf errors;
};

/* Errors  of record_file_open_with; DUPLICATE_FIELD; BAD_VALUE when
 *         field_count is not the file's */
enum err_code import_look_run(const struct import_look_options *options,
                              struct import_look *out,
                              struct err *err) MUST_CHECK;
void import_look_release(struct import_look *look);

/*
 * The members of an error, in an open object: line, code, title (Chinese),
 * field, column, heading, detail.
 *   header, fields  of the file; NULL when it has no columns
 */
void import_put_error(struct json_out *json,
                      uint64_t line,
                      enum err_code code,
                      struct span field,
                      struct span detail,
                      const struct csv_row *header,
                      const enum decode_field *fields);

/* Is this row the header of records? `data`: struct columns. */
bool import_is_header(void *data, const struct csv_row *row);

#endif /* IMPORTS_IMPORT_LOOK_H */
