/*
 * record_file: one file, or standard input, as a row of records.
 *
 * Flow      file -> [record_file] -> file_intake (store) or upload (server)
 * Input     JSON lines, a JSON array, or CSV with commas, semicolons or tabs;
 *           UTF-8 with or without byte-order mark, UTF-16, GB18030
 * Output    one record a call, not decoded yet
 * Effects   reads; never looks at the file's name
 *
 * The first character that is no blank decides: '{' begins JSON lines, '['
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
    RECORD_FILE_HEAD_BYTES = 16 * 1024   /* kept of a line over the limit */
};

enum record_format { RECORD_LINES, RECORD_ARRAY, RECORD_CSV };

struct record_file;

/*
 * Open `path` ("-": standard input) and decide what it is.
 *
 *   path            borrowed until record_file_close
 *   line_bytes_max  > 0; a longer JSON line is a bad record
 *   out             given: record_file_close
 *
 * Errors  NOT_FOUND, IO, BAD_ENCODING (not text, xlsx, …), TOO_LONG,
 *         NO_COLUMN (CSV without a header), NO_MEMORY; the detail names the
 *         file
 * An empty file is JSON lines without a line.
 */
enum err_code record_file_open(const char *path,
                               size_t line_bytes_max,
                               struct record_file **out,
                               struct err *err) MUST_CHECK;
/* Accepts NULL. */
void record_file_close(struct record_file **file);

enum record_format record_file_format(const struct record_file *file);

/* "quarter.csv"; "standard input" for "-". Borrowed until close. */
const char *record_file_name(const struct record_file *file);

/* RECORD_CSV: the header and the reader, whose separator and line end say how
 * the rows were written. The cells are good until the first record_file_next.
 */
const struct csv_row *record_file_header(const struct record_file *file);
const struct csv_rows *record_file_rows(const struct record_file *file);

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
