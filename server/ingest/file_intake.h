/*
 * file_intake: the records of files, judged and handed to the writer.
 *
 * Flow      record_file -> [file_intake: judge -> batch] -> writer -> report
 * Effects   judges on the calling thread; waits for the writer when
 *           FILE_INTAKE_BATCHES are under way
 *
 * The order of the file is the order of the log, so the same file gives the
 * same store.
 */
#ifndef INGEST_FILE_INTAKE_H
#define INGEST_FILE_INTAKE_H

#include <stdatomic.h>

#include "server/ingest/import_report.h"
#include "server/ingest/record_file.h"
#include "server/writer.h"

enum { FILE_INTAKE_BATCHES = 8 };

struct file_intake;

/* Told of a refused record before the next one is read. */
typedef void file_intake_refused(void *data,
                                 const struct record_file *file,
                                 const struct file_record *record,
                                 const struct batch_reject *reject);

struct file_intake_options {
    size_t batch_records_max;
    size_t batch_bytes_max; /* of lines; a batch holds one more line at most */
    /* What a person chose the columns to be (columns_map_as); borrowed, NULL:
     * by the headings. */
    const enum decode_field *fields;
    file_intake_refused *refused; /* may be NULL */
    void *refused_data;
    const atomic_bool *stop; /* looked at between batches; may be NULL */
};

/* All arguments are borrowed until file_intake_free. */
enum err_code file_intake_new(struct writer *writer,
                              struct rulebook *rulebook,
                              const struct file_intake_options *options,
                              struct import_report *report,
                              struct file_intake **out,
                              struct err *err) MUST_CHECK;
/* Accepts NULL. */
void file_intake_free(struct file_intake **intake);

/* Would this file be taken? NO_COLUMN when a CSV file lacks a column. */
enum err_code file_intake_check(const struct columns *columns,
                                const struct record_file *file,
                                struct err *err) MUST_CHECK;

/* Called now and then with the records taken so far. */
typedef void file_intake_progress(void *data,
                                  const struct record_file *file,
                                  uint64_t records);

/*
 * Take all records of a file; returns when every one is on disk or refused and
 * counted in the report.
 *
 * Errors  BUSY (told to stop); of the file: those of file_intake_check, IO; of
 *         the store: DISK_FULL,
 *         STORE_FULL, IO …; what the report counts is on disk, and after an
 *         error taking the file again is safe: what is there is a duplicate
 */
enum err_code file_intake_run(struct file_intake *intake,
                              struct record_file *file,
                              file_intake_progress *progress,
                              void *progress_data,
                              struct err *err) MUST_CHECK;

#endif /* INGEST_FILE_INTAKE_H */
