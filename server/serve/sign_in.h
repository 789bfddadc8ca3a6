/*
 * sign_in: how a browser gets in and out.
 *
 *   GET  /sign-in?ticket=T   the one-time link: a session, then on to /
 *   GET  /sign-in            a form for the token; works without scripts
 *   POST /sign-in            the form, or {"token":"..."} as application/json
 *   POST /sign-out           ends the session
 *   GET  /v1/me              {"name":…,"role":…,"auth":…,"masked":…}
 */
#ifndef SERVE_SIGN_IN_H
#define SERVE_SIGN_IN_H

struct http_server; /* server/serve/http.h */
struct access;      /* server/serve/access.h */

/* Add the routes; `access` is borrowed as long as the server. */
void sign_in_routes(struct http_server *http, struct access *access);

#endif /* SERVE_SIGN_IN_H */
