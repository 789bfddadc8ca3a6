/*
 * upload: the records of files, sent to a running server.
 *
 * Flow      record_file -> [upload: chunks] -> POST /v1/records -> report
 * Effects   one request after another over one connection; waits between tries
 *
 * Lines go as NDJSON, rows as CSV with the header again in every chunk, both in
 * UTF-8. What the server refuses is on its reject list and in the report, under
 * the line of the file it came from. Sending a record twice is safe: the second
 * time it is a duplicate.
 */
#ifndef INGEST_UPLOAD_H
#define INGEST_UPLOAD_H

#include "server/base/http_client.h"
#include "server/ingest/import_report.h"
#include "server/ingest/record_file.h"

enum {
    UPLOAD_CHUNK_BYTES_MAX = 4 * 1024 * 1024,
    UPLOAD_CHUNK_RECORDS_MAX = 4000,
    UPLOAD_TRIES_MAX = 20, /* of one chunk, while the server is busy */
    UPLOAD_WAIT_S_MAX = 30 /* between two tries, whatever Retry-After says */
};

struct upload;

/* client and report are borrowed until upload_free. record_bytes_max is that
 * of the files' lines: a longer record is not sent. */
enum err_code upload_new(struct http_client *client,
                         size_t record_bytes_max,
                         struct import_report *report,
                         struct upload **out,
                         struct err *err) MUST_CHECK;
/* Accepts NULL. */
void upload_free(struct upload **upload);

/* Called after every chunk with the records sent so far. */
typedef void
upload_progress(void *data, const struct record_file *file, uint64_t records);

/*
 * Send all records of a file.
 *
 * Errors  of the file: IO; of the way: those of http_client_send; of the
 *         server: BUSY after UPLOAD_TRIES_MAX tries, DISK_FULL (507), BAD_VALUE
 *         (it refused the request: the detail is its own); what the report
 *         counts is on the server's disk
 */
enum err_code upload_run(struct upload *upload,
                         struct record_file *file,
                         upload_progress *progress,
                         void *progress_data,
                         struct err *err) MUST_CHECK;

#endif /* INGEST_UPLOAD_H */
