/*
 * access: who may call what over HTTP.
 *
 * Flow      http finds the route -> [guard]: token or session -> role ->
 *           access_routes.def -> handler, or 401, 403, 429
 * Effects   sets guard and route check of the server and adds /sign-in,
 *           /sign-out and /v1/me; sessions live in memory; HTTP thread only
 *
 * To add a route: its row in access_routes.def, its row in the matrix of
 * tests/integration/test_access.c, then http_route(). A handler finds who asks
 * in http_request_caller(). State-changing requests of a browser are refused
 * unless they come from our own pages, so a handler need not care.
 *
 * Who is asking:
 *   Authorization: Bearer TOKEN    programs
 *   Cookie: suqiu_session=...      browsers, after /sign-in
 *   neither, with --auth off       "local", who may do everything, from this
 *                                  machine and by its names only
 */
#ifndef SERVE_ACCESS_H
#define SERVE_ACCESS_H

#include "server/access/audit.h"
#include "server/access/gate.h"
#include "server/access/sessions.h"
#include "server/serve/http.h"

struct access;

enum { ACCESS_URL_BYTES = 256 };

#define ACCESS_COOKIE "suqiu_session"

/*
 * Before any route is added to `http`.
 *   gate     borrowed until access_free; NULL: no access control
 *   secret   copied
 *   audit    borrowed until access_free; NULL: nothing is audited (tests)
 *   out      free with access_free, after the server
 * Errors  NO_MEMORY
 */
enum err_code access_new(struct http_server *http,
                         struct gate *gate,
                         const struct secret *secret,
                         struct audit *audit,
                         struct access **out,
                         struct err *err) MUST_CHECK;
/* Accepts NULL. */
void access_free(struct access **access);

/* Read the tokens again; sessions and streams of those that are gone end. */
enum err_code access_reload(struct access *access, struct err *err) MUST_CHECK;

/*
 * A link that signs in once as an administrator, for SESSION_LINK_S.
 *   host   "127.0.0.1"
 * False: no access control, or no random bytes.
 */
bool access_link(struct access *access,
                 const char *host,
                 uint16_t port,
                 char out[ACCESS_URL_BYTES]);

/* The roles that may call a route; ACCESS_NONE when it is not in the table. */
unsigned access_route_roles(enum http_method method, const char *pattern);

/* The table by position, lists with all their forms; false behind the last.
 * For the test of the matrix and for descriptions of the API. */
bool access_route_at(size_t index,
                     enum http_method *method,
                     char pattern[64],
                     unsigned *roles);

/*
 * Enter something into the audit list for the caller of this request, before
 * its answer leaves. False: answered with the error, nothing may leave.
 */
bool access_enter(struct audit *audit,
                  struct http_request *request,
                  const struct access_caller *caller,
                  const char *action,
                  struct span object,
                  struct span reason) MUST_CHECK;

/* ---- for sign_in.c ---- */

struct audit *access_audit(struct access *access);

/* Cookie of the request, or {NULL, 0}. */
struct span access_session_text(const struct http_request *request);
/* Is this request from one of our own pages, or from no browser at all?
 * `must_say`: a request without Origin is not. */
bool access_same_origin(const struct http_request *request, bool must_say);
struct gate *access_gate(struct access *access); /* NULL: no access control */
struct sessions *access_sessions(struct access *access);
/* 401, 403 or 429 with their headers. */
void access_refuse_wait(struct http_request *request, unsigned wait_s);

#endif /* SERVE_ACCESS_H */
