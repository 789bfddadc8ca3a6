/*
 * list_worker: a thread that writes pages of lists, so that the loop answers
 * others meanwhile. The gatherer owns the rows (serve/gathered.h); the scanner
 * looks at tickets, and keeps no list of the gatherer waiting.
 *
 * Flow      request -> [list_worker] -> page; or the begin of an export
 * Effects   one thread; of the gatherer also a timer: the rows catch up at the
 *           start and every LIST_WORKER_CATCH_UP_S, so that the first list
 *           after a quiet hour waits no longer than others; when that takes
 *           long, as beside a full feed, after a rest as many times as long
 *
 * Jobs are done one after the other, from a snapshot each; at most
 * LIST_WORKER_JOBS_MAX wait, then 503.
 */
#ifndef SERVE_LIST_WORKER_H
#define SERVE_LIST_WORKER_H

#include "server/base/background.h"
#include "server/serve/list_source.h"

struct http_request; /* server/serve/http.h */
struct list_worker;

enum {
    LIST_WORKER_JOBS_MAX = 128,
    LIST_WORKER_CATCH_UP_S = 10,
    LIST_WORKER_REST_TIMES = 4
};

/* `context` is borrowed; without a loop in it *out is NULL.
 * Errors  NO_MEMORY, IO */
enum err_code list_worker_new(const struct serve_context *context,
                              bool gathers,
                              struct list_worker **out,
                              struct err *err) MUST_CHECK;

/* After http_server_free: waits for the jobs under way. Accepts NULL. */
void list_worker_free(struct list_worker **worker);

/* Answer with a page of the list, now or later. */
void list_worker_page(struct list_worker *worker,
                      struct http_request *http,
                      const struct list_source *source);

/* `work` on the thread, with these rows (NULL: the scanner's) and nobody
 * else's; then `done` on the loop. Errors  BUSY */
struct gathered *list_worker_gathered(struct list_worker *worker);
enum err_code list_worker_try(struct list_worker *worker,
                              background_call *work,
                              background_call *done,
                              void *data,
                              struct err *err) MUST_CHECK;

#endif /* SERVE_LIST_WORKER_H */
