/*
 * report_route: GET /v1/report?from&to&unit&as_of&format
 *
 * The numbers of a whole quarter take a while to count: a helper thread does it
 * from its own snapshot, with the tables in force when the request came.
 */
#ifndef SERVE_REPORT_ROUTE_H
#define SERVE_REPORT_ROUTE_H

#include "server/serve/context.h"

struct http_server; /* server/serve/http.h */
struct report_route;

enum { REPORT_ROUTE_JOBS_MAX = 4 /* at a time; then 503 */ };

/* Without a loop in the context nothing is routed and *out is NULL; `context`
 * is borrowed. Errors  NO_MEMORY, IO */
enum err_code report_route_new(struct http_server *http,
                               const struct serve_context *context,
                               struct report_route **out,
                               struct err *err) MUST_CHECK;

/* After http_server_free. Accepts NULL. */
void report_route_free(struct report_route **route);

#endif /* SERVE_REPORT_ROUTE_H */
