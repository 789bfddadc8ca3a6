/*
 * web_routes: the supervisors' page, from the bytes in the program.
 *
 *   GET /               the page
 *   GET /assets/{name}  its modules, styles and charts
 *
 * Answers carry an ETag and are asked for again with If-None-Match; those who
 * take gzip get the bytes the build packed. Nothing is read from a disk.
 */
#ifndef WEB_ROUTES_H
#define WEB_ROUTES_H

struct http_server; /* server/serve/http.h */

/* Add the routes; before the loop runs. */
void web_routes_add(struct http_server *http);

#endif /* WEB_ROUTES_H */
