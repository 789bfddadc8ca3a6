/*
 * http_intake: POST /v1/records.
 *
 * Takes NDJSON, JSON (one record or an array) and CSV; answers after the
 * commit with what was accepted, was there already, was updated or refused:
 * 200 all accepted, 207 some, 400 none, 503 with Retry-After when the intake is
 * full, 507 when the disk is. A long body is judged in steps, so the loop stays
 * free for others.
 *
 * Threads   all on the loop of the HTTP server
 */
#ifndef INGEST_HTTP_INTAKE_H
#define INGEST_HTTP_INTAKE_H

#include "server/serve/http.h"
#include "server/writer.h"

struct event_base;
struct http_intake;

enum {
    HTTP_INTAKE_ERRORS_MAX = 1000, /* listed in one answer */
    HTTP_INTAKE_JOBS_MAX = 1024    /* requests in hand */
};

struct http_intake_options {
    size_t line_bytes_max;
    size_t batch_records_max;
};

/* All arguments are borrowed until http_intake_free. Adds its route. */
enum err_code http_intake_new(struct event_base *base,
                              struct http_server *http,
                              struct writer *writer,
                              struct rulebook *rulebook,
                              const struct http_intake_options *options,
                              struct http_intake **out,
                              struct err *err) MUST_CHECK;

/* Requests in hand; the loop may end when there are none. */
size_t http_intake_jobs(const struct http_intake *intake);

/* Every batch must be back. Accepts NULL. */
void http_intake_free(struct http_intake **intake);

#endif /* INGEST_HTTP_INTAKE_H */
