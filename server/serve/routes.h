/*
 * routes: the reading side of the HTTP API, bound to its paths.
 *
 *   GET /v1/tickets /v1/repeat-callers /v1/hot-spots /v1/overdue /v1/counters
 *       /v1/indicators /v1/rejects /v1/rules     each also .ndjson and .csv
 *   GET /v1/tickets/{id} /v1/dictionary /v1/stream
 *   POST /v1/explain
 *   PUT /v1/facts
 *   POST /v1/admin/reload
 *   POST, GET, DELETE /v1/admin/reclassify /v1/admin/replay
 *   /v1/admin/expire
 *   GET /metrics /healthz /readyz
 *   GET / /assets/{name}           the page
 *
 * Effects   adds routes; every handler takes short snapshots of the store
 */
#ifndef SERVE_ROUTES_H
#define SERVE_ROUTES_H

#include "server/serve/context.h"

struct http_server; /* server/serve/http.h */
struct serve_routes;

/*
 * Add all routes. `context` is copied; what it points to is borrowed.
 *   out   free with serve_routes_free, after the server
 * Errors  NO_MEMORY
 */
enum err_code serve_routes_new(struct http_server *http,
                               const struct serve_context *context,
                               struct serve_routes **out,
                               struct err *err) MUST_CHECK;

/* The server stops: end the answers that would never end by themselves. */
void serve_routes_drain(struct serve_routes *routes);

void serve_routes_free(struct serve_routes **routes);

#endif /* SERVE_ROUTES_H */
