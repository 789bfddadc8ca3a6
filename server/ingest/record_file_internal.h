/*
 * record_file_internal: a record file from the inside, for record_file.c and
 * record_sheet.c.
 */
#ifndef INGEST_RECORD_FILE_INTERNAL_H
#define INGEST_RECORD_FILE_INTERNAL_H

#include <stdio.h>

#include "server/decode/charset.h"
#include "server/decode/json_row.h"
#include "server/ingest/record_file.h"
#include "server/sheet/xlsx_read.h"

struct record_file {
    const char *name;
    int fd;
    size_t line_bytes_max;
    enum record_format format;
    bool whole;          /* read whole, in UTF-8 now */
    uint64_t file_bytes; /* 0: not known */
    uint64_t read_bytes; /* from fd */

    /* The window: what is read and not handed out. A file that is read whole
     * has all of its text here. */
    char *window;
    size_t window_room;
    size_t from;
    size_t to;
    bool at_end; /* nothing more comes from fd */
    uint64_t line;

    struct charset_text text; /* all but RECORD_LINES in UTF-8 */
    struct json_array array;
    uint64_t elements;
    struct csv_rows rows;
    struct csv_row header;
    struct arena header_arena;
    enum charset charset;

    struct record_file_options options;
    FILE *copy; /* of a pipe's workbook */
    struct xlsx_reader *workbook;
    size_t sheet;
    size_t header_line;
    struct span header_cells[CSV_COLUMNS_MAX];
    struct span row_cells[CSV_COLUMNS_MAX];
};

/* One read behind `to`; at least one byte of room must be there. */
enum err_code record_file_read_some(struct record_file *file,
                                    size_t bytes_max,
                                    struct err *err) MUST_CHECK;

/* The probe shows a zip file: open the workbook and find its header. */
enum err_code record_sheet_open(struct record_file *file,
                                struct err *err) MUST_CHECK;

/* The next row of its sheet. */
enum record_next record_sheet_next(struct record_file *file,
                                   struct arena *arena,
                                   struct file_record *out,
                                   struct err *err) MUST_CHECK;

#endif /* INGEST_RECORD_FILE_INTERNAL_H */
