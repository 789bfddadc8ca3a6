/*
 * openapi: GET /openapi.json, the API as an OpenAPI 3.1 document.
 *
 * Written from the routes the server really has (http_server_route), the
 * columns and parameters of the lists, the table of roles and the sentences of
 * openapi.def: a route can't be missing.
 */
#ifndef SERVE_OPENAPI_H
#define SERVE_OPENAPI_H

#include "server/serve/list_source.h"

struct http_server; /* server/serve/http.h */

enum { OPENAPI_BYTES_MAX = 1024 * 1024 };

/* What describes itself. */
struct openapi_lists {
    const struct list_source *const *sources;
    size_t source_count;
    const struct list_form *const *forms;
    size_t form_count;
};

/* Errors  TOO_LONG, NO_MEMORY */
enum err_code openapi_put_json(const struct http_server *http,
                               const struct openapi_lists *lists,
                               struct buf *out,
                               struct err *err) MUST_CHECK;

#endif /* SERVE_OPENAPI_H */
