/*
 * record_file: one file, or standard input, as a row of records.
 *
 * Flow      file -> [record_file] -> file_intake (store) or upload (server)
 * Input     JSON lines, a JSON array, CSV with commas, semicolons or tabs, or
 *           a sheet of an Excel workbook; text in UTF-8 with or without
 *           byte-order mark, UTF-16, GB18030
 * Output    one record a call, not decoded yet
 * Effects   reads; never looks at the file's name
 *
 * The first bytes decide: a zip file is a workbook; '{' begins JSON lines, '['
 * an array, anything else is CSV. JSON lines in UTF-8 are read block by block,
 * so they may be of any length; every other file is read whole
 * (CHARSET_BYTES_MAX). JSON is taken for UTF-8 line by line when a line at its
 * beginning is; so one damaged line costs one line.
 */
#ifndef INGEST_RECORD_FILE_H
#define INGEST_RECORD_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "server/decode/csv_rows.h"

enum {
    RECORD_FILE_BLOCK_BYTES = 1024 * 1024,
    RECORD_FILE_PROBE_BYTES = 64 * 1024, /* decides format and encoding */
    RECORD_FILE_HEAD_BYTES = 16 * 1024,  /* kept of a line over the limit */
    RECORD_FILE_TITLE_ROWS_MAX = 20      /* of a sheet, above its header */
};

/* RECORD_CSV: rows below a header, of CSV or of a workbook. */
enum record_format { RECORD_LINES, RECORD_ARRAY, RECORD_CSV };

struct record_file;

/*
 * Open `path` ("-": standard input) and decide what it is.
 *
 *   path, options   what they point to is borrowed until record_file_close
 *   out             given: record_file_close
 *
 * Errors  NOT_FOUND (also: no such sheet), IO, BAD_ENCODING (not text, an old
 *         .xls, …), TOO_LONG, NO_COLUMN (CSV without a header), NO_MEMORY; the
 *         detail names the file
 * An empty file is JSON lines without a line.
 */
struct record_file_options {
    size_t line_bytes_max; /* > 0; a longer JSON line is a bad record */
    const char *name;      /* in messages; NULL: the path */
    const char *sheet;     /* of a workbook; NULL: the first */
    /* Is this row the header of a sheet? The first row is when no row of the
     * first RECORD_FILE_TITLE_ROWS_MAX is, or when this is NULL. */
    bool (*is_header)(void *data, const struct csv_row *row);
    void *data;
};
enum err_code record_file_open_with(const char *path,
                                    const struct record_file_options *options,
                                    struct record_file **out,
                                    struct err *err) MUST_CHECK;
/* The same with line_bytes_max alone. */
enum err_code record_file_open(const char *path,
                               size_t line_bytes_max,
                               struct record_file **out,
                               struct err *err) MUST_CHECK;
/* Accepts NULL. */
void record_file_close(struct record_file **file);

enum record_format record_file_format(const struct record_file *file);

/* "quarter.csv"; "standard input" for "-". Borrowed until close. */
const char *record_file_name(const struct record_file *file);

/* RECORD_CSV: the header, and the reader, whose separator and line end say how
 * the rows were written. */
const struct csv_row *record_file_header(const struct record_file *file);
const struct csv_rows *record_file_rows(const struct record_file *file);

/* The sheets of a workbook; 0 for other files. Names are borrowed until close.
 */
size_t record_file_sheet_count(const struct record_file *file);
const char *record_file_sheet_name(const struct record_file *file, size_t i);
/* The one that is read. */
size_t record_file_sheet(const struct record_file *file);
/* "UTF-8", "GB18030", …; "" for a workbook. */
const char *record_file_encoding(const struct record_file *file);

/* Size in bytes, 0 when it is not known (a pipe), and how much is read. */
uint64_t record_file_bytes(const struct record_file *file);
uint64_t record_file_bytes_done(const struct record_file *file);

enum record_next {
    RECORD_JSON,
    RECORD_ROW,
    RECORD_BAD, /* *err says why; clear it before the next call */
    RECORD_END,
    RECORD_FAILED /* *err: IO, NO_MEMORY; the file cannot be read on */
};

struct file_record {
    uint64_t line;    /* from 1; of an array: the place in it */
    struct span text; /* as it stands, without its line end; of a bad line
                         perhaps only the beginning */
    uint64_t text_bytes;
    struct csv_row row; /* RECORD_ROW */
};

/*
 * The next record. Blank lines are passed over.
 *
 *   arena   takes cells with doubled quotes
 *   out     RECORD_LINES: borrowed until the next call; else until close
 *
 * Errors of RECORD_BAD: TOO_LONG, BAD_ROW, BAD_JSON (an array that breaks off)
 */
enum record_next record_file_next(struct record_file *file,
                                  struct arena *arena,
                                  struct file_record *out,
                                  struct err *err) MUST_CHECK;

#endif /* INGEST_RECORD_FILE_H */
