/*
 * http_client: one request after another to one server, waiting for each.
 *
 * HTTP/1.1 over one kept connection, in the open or over TLS. For commands that
 * talk to a running suqiu; no proxies, no redirects.
 */
#ifndef BASE_HTTP_CLIENT_H
#define BASE_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

enum {
    HTTP_CLIENT_WAIT_S_DEFAULT = 120,
    HTTP_CLIENT_RETRY_S = 1,
    HTTP_CLIENT_TOKEN_BYTES_MAX = 255,
    HTTP_CLIENT_HEAD_BYTES_MAX = 64 * 1024,
    HTTP_CLIENT_BODY_BYTES_MAX = 64 * 1024 * 1024
};

struct http_client;

struct http_client_answer {
    unsigned status;
    unsigned retry_after_s; /* HTTP_CLIENT_RETRY_S when it is not said */
    char type[128];         /* Content-Type, "" when there is none */
    struct span body;       /* borrowed until the next request */
};

/*
 *   url     "http://HOST[:PORT][/PREFIX]" or "https://...", HOST a name, an
 * IPv4 address or an IPv6 address in brackets; the port is 80 or 443 unless
 *           given
 *   wait_s  > 0: how long to wait for the connection and for each read or write
 *   out     given: http_client_free. Nothing is connected yet.
 *
 * Errors  BAD_VALUE saying what is wrong with the URL; NO_MEMORY
 */
enum err_code http_client_new(const char *url,
                              unsigned wait_s,
                              struct http_client **out,
                              struct err *err) MUST_CHECK;
/*
 * Over https trust the certificates of this file alone (tls_trust_new); without
 * this call, or with "", those of the system. Before the first request.
 *
 * Errors  those of tls_trust_new
 */
enum err_code http_client_trust(struct http_client *client,
                                const char *ca_path,
                                struct err *err) MUST_CHECK;
/* Show this token with every request from now on: at most
 * HTTP_CLIENT_TOKEN_BYTES_MAX bytes, copied. */
void http_client_set_token(struct http_client *client, const char *token);
/* Accepts NULL. */
void http_client_free(struct http_client **client);

/* "GET" without a body, "POST" with one. */
struct http_client_request {
    const char *method;
    const char *path; /* "/v1/records", put behind the URL's prefix */
    const char *type; /* Content-Type of the body; NULL without one */
    struct span body;
};

/*
 * Send and wait for the whole answer. A kept connection that the server has
 * closed meanwhile is opened again once, so a request may arrive twice: only
 * for requests that may be repeated.
 *
 * Errors  NOT_FOUND (no such host), IO (refused, cut off, no HTTP), BUSY (no
 *         answer in time), BAD_VALUE (a certificate that is not accepted),
 *         TOO_LONG, NO_MEMORY; the detail names host and port
 */
enum err_code http_client_send(struct http_client *client,
                               const struct http_client_request *request,
                               struct http_client_answer *out,
                               struct err *err) MUST_CHECK;

#endif /* BASE_HTTP_CLIENT_H */
