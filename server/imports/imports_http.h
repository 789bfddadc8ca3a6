/*
 * imports_http: the routes of /v1/imports (docs/http-api.md).
 */
#ifndef IMPORTS_IMPORTS_HTTP_H
#define IMPORTS_IMPORTS_HTTP_H

#include "server/imports/imports.h"

struct http_server; /* server/serve/http.h */
struct imports_http;

/* `imports` is borrowed as long as requests come. Errors  NO_MEMORY */
enum err_code imports_http_new(struct http_server *http,
                               struct imports *imports,
                               struct rulebook *rulebook,
                               struct imports_http **out,
                               struct err *err) MUST_CHECK;
/* After http_server_free. Accepts NULL. */
void imports_http_free(struct imports_http **routes);

#endif /* IMPORTS_IMPORTS_HTTP_H */
