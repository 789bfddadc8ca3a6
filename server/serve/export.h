/*
 * export: a whole list as an answer: NDJSON, CSV or a workbook.
 *
 * Rows are read a piece a turn of the loop, and what has to be gathered before
 * is gathered by the list worker, so an export holds up nobody. The
 * text forms go to the client as they come, compressed when it takes gzip. A
 * workbook is written to DATA/spool, packed by a helper thread and then sent;
 * its file is gone when the server ends.
 */
#ifndef SERVE_EXPORT_H
#define SERVE_EXPORT_H

#include "server/serve/list_source.h"

struct http_request; /* server/serve/http.h */
struct list_worker;  /* server/serve/list_worker.h */
struct exports;

enum {
    EXPORTS_MAX = 64,             /* each may hold a snapshot; then 503 */
    EXPORT_WORKBOOKS_MAX = 4,     /* in the making; then 503 */
    EXPORT_LOW_BYTES = 64 * 1024, /* the client took so much: go on */
};

/* `context` and `worker` (NULL: none) are borrowed. Without a spool directory
 * or a loop in it workbooks are answered with 501. Errors  IO, NO_MEMORY */
enum err_code exports_new(const struct serve_context *context,
                          struct list_worker *worker,
                          struct exports **out,
                          struct err *err) MUST_CHECK;

/* After http_server_free: no client waits any more. Accepts NULL. */
void exports_free(struct exports **exports);

/* Answer with all rows of the list. */
void exports_answer(struct exports *exports,
                    struct http_request *http,
                    const struct list_source *source,
                    const struct list_form *form);

#endif /* SERVE_EXPORT_H */
