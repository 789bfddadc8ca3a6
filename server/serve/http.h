/*
 * http: a small, strict HTTP/1.1 server on one event loop.
 *
 * Flow      sockets -> [http] -> handlers (serve/routes) -> [http] -> sockets
 * Input     requests: GET, HEAD, POST, PUT, DELETE; Content-Length or chunked
 * Output    answers at once, later, or as a stream
 * Effects   one loop, one thread: every function here belongs to the thread of
 *           the event_base; other threads reach it through a ring and a wake
 * Source    RFC 9110, RFC 9112 for what is refused; ARCHITECTURE.md says why
 *           this is not evhttp
 *
 * Everything that could be read in two ways is refused with 400 and the end of
 * the connection: two lengths, a length beside Transfer-Encoding, signs or
 * blanks in numbers, bare CR or LF, NUL, folded lines, none or two Host.
 * Header, body, connections, time and memory have limits (struct http_options).
 * Errors are problem documents (problem.h).
 */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"
#include "server/access/roles.h"

struct event_base; /* libevent */
struct http_server;
struct http_request;
struct config; /* server/base/config.h */
struct tls;    /* server/access/tls.h */

enum {
    HTTP_ROUTES_MAX = 128,
    HTTP_PATH_PARAMETERS_MAX = 4,
    HTTP_QUERY_PARAMETERS_MAX = 64,
    HTTP_HEADERS_MAX = 100,
    HTTP_REPLY_HEADERS_BYTES_MAX = 8192,
    /* Readable zero bytes behind every body, for parsers that read ahead. */
    HTTP_BODY_PADDING_BYTES = 64
};

enum http_method {
    HTTP_GET, /* also HEAD: the handler answers as for GET, no body is sent */
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_METHOD_COUNT
};

struct http_options {
    const char *bind; /* numeric address */
    uint16_t port;    /* 0: the system chooses; see http_server_port */
    struct tls *tls;  /* borrowed; NULL: plain HTTP */
    unsigned connections_max;
    size_t header_bytes_max;    /* request line and headers: 431 */
    size_t body_bytes_max;      /* one body: 413 */
    size_t bodies_bytes_max;    /* all bodies in hand: 503 */
    int64_t header_deadline_us; /* first byte to end of headers: 408 */
    int64_t body_deadline_us;   /* end of headers to end of body: 408 */
    int64_t idle_deadline_us;   /* no request begun: closed */
    int64_t write_deadline_us;  /* client takes nothing: closed */
};

/* What an operator wants to see; counts since the start. */
struct http_counts {
    uint64_t connections_open;
    uint64_t connections_total;
    uint64_t connections_refused; /* over connections_max or no descriptors */
    uint64_t requests_total;
    uint64_t malformed_total;  /* 400 before any handler */
    uint64_t timeouts_total;   /* header, body or write deadline */
    uint64_t replies_total[6]; /* by the first digit of the status */
    uint64_t body_bytes_held;
};

/* From the settings; borrows config->http_bind. */
struct http_options http_options_from(const struct config *config);

/*
 * Listen.
 *
 *   base  borrowed until http_server_free
 *   out   set on ERR_OK; free with http_server_free
 *
 * Errors  LOCKED  the port is in use;  IO, NO_MEMORY, BAD_VALUE (address)
 */
enum err_code http_server_new(struct event_base *base,
                              const struct http_options *options,
                              struct http_server **out,
                              struct err *err) MUST_CHECK;

/* The port it listens on. */
uint16_t http_server_port(const struct http_server *server);

/* "https" or "http". */
const char *http_server_scheme(const struct http_server *server);

/* Accept no more connections and close the idle ones; what is being answered
 * goes on. */
void http_server_drain(struct http_server *server);

/* Cut the streams of those for whom `keep` says no; each is told through its
 * gone callback. */
void http_server_sift_streams(struct http_server *server,
                              bool (*keep)(void *data,
                                           const struct access_caller *caller),
                              void *data);

/* No connection is left. For a loop that ends after http_server_drain. */
bool http_server_idle(const struct http_server *server);

/*
 * Close all connections at once. Every request not answered yet is told through
 * its gone callback and its handle must not be used afterwards. Accepts NULL.
 */
void http_server_free(struct http_server **server);

void http_server_counts(const struct http_server *server,
                        struct http_counts *out);

/* ---- routes ---- */

/*
 * Called with a whole request. It answers with http_reply or http_stream_start,
 * now or later; until then `request` stays valid, whatever the client does.
 */
typedef void http_handler(struct http_request *request, void *user);

/*
 * `pattern` is borrowed: "/v1/tickets/{id}"; a part in braces matches one
 * segment, a literal one wins over it. HEAD and the 405 answer with Allow come
 * by themselves. At most HTTP_ROUTES_MAX; before the loop runs.
 */
void http_route(struct http_server *server,
                enum http_method method,
                const char *pattern,
                http_handler *handler,
                void *user);

/*
 * Asked by http_route: may there be such a route? For the table of who may call
 * what (access.h): a route that is not in it ends the program, saying so.
 */
typedef bool http_route_check(enum http_method method, const char *pattern);
void http_set_route_check(struct http_server *server, http_route_check *check);

/* The routes by position, in the order of adding; false behind the last. */
bool http_server_route(const struct http_server *server,
                       size_t index,
                       enum http_method *method,
                       const char **pattern);

/* "GET"; static storage. */
const char *http_method_name(enum http_method method);

/*
 * Asked when the route is found and before the body is read: for
 * authorisation. Returns false when it answers itself. One a server.
 */
typedef bool http_guard(struct http_request *request, void *user);
void http_set_guard(struct http_server *server, http_guard *guard, void *user);

/* ---- the request; all spans are borrowed until it is answered ---- */

enum http_method http_request_method(const struct http_request *request);
bool http_request_is_head(const struct http_request *request);
/* The pattern of the route, for counters: never a client's text. */
const char *http_request_pattern(const struct http_request *request);
/* As sent, still percent-encoded, with the query. For "instance". */
struct span http_request_target(const struct http_request *request);
/* Value of {name}, decoded; {NULL, 0} when the pattern has no such part. */
struct span http_request_path(const struct http_request *request,
                              const char *name);
/* Decoded value of a query parameter, the first one of that name; {NULL, 0}
 * when not given, {"", 0} when empty. Always UTF-8. */
struct span http_request_query(const struct http_request *request,
                               const char *name);
/* Query parameters by position, to refuse unknown or doubled ones. */
size_t http_request_query_count(const struct http_request *request);
void http_request_query_at(const struct http_request *request,
                           size_t index,
                           struct span *name,
                           struct span *value);
/* First header of that lower-case name, trimmed; {NULL, 0} when not given. */
struct span http_request_header(const struct http_request *request,
                                const char *name);
/* Media type alone, "text/csv" of "Text/CSV; charset=gb18030"; compared without
 * regard to case. */
bool http_request_has_type(const struct http_request *request,
                           const char *media_type);
/* Value of a parameter of Content-Type, without quotes; {NULL, 0} if none. */
struct span http_request_type_parameter(const struct http_request *request,
                                        const char *name);
/* The whole body, HTTP_BODY_PADDING_BYTES of zeros behind it. */
struct span http_request_body(const struct http_request *request);
/*
 * Take the body out of the request (given: free() it), so that another thread
 * can work on it after the answer. NULL when there is none.
 */
char *http_request_take_body(struct http_request *request, size_t *bytes);
/* Who asks: nobody until the guard has written it; for handlers to read. */
struct access_caller *http_request_caller(struct http_request *request);
/* It came over TLS. */
bool http_request_is_tls(const struct http_request *request);
/* The peer's address is of this machine. */
bool http_request_is_loopback(const struct http_request *request);
/* The peer's address as text. */
const char *http_request_peer(const struct http_request *request);
/* A number that no other request of this process has. */
uint64_t http_request_number(const struct http_request *request);
/* Arrived at this monotonic instant (its first byte). */
int64_t http_request_begun_mono_us(const struct http_request *request);

/* The client has gone; an answer is still allowed and goes nowhere. */
bool http_request_gone(const struct http_request *request);

/*
 * Called once when the client goes before the answer is complete (also from
 * http_server_free). The handle stays valid: answer or http_stream_end it, to
 * give it back; in the callback is a good place.
 */
typedef void http_gone_cb(struct http_request *request, void *user);
void http_request_on_gone(struct http_request *request,
                          http_gone_cb *cb,
                          void *user);

/* ---- answers ---- */

/*
 * Add a header to the answer, before it is sent. Value: printf text; a line end
 * in it is a programmer error (assert). Content-Length, Date, Connection and
 * Transfer-Encoding are ours.
 */
void http_reply_header(struct http_request *request,
                       const char *name,
                       const char *fmt,
                       ...) PRINTF_LIKE(3, 4);

/*
 * Answer and give the handle back: it must not be used afterwards. The body is
 * copied. content_type may be NULL when there is no body.
 */
void http_reply(struct http_request *request,
                unsigned status,
                const char *content_type,
                struct span body);

/*
 * Answer in parts, for exports and events. After start any number of
 * http_stream_put, then http_stream_end, which gives the handle back.
 */
void http_stream_start(struct http_request *request,
                       unsigned status,
                       const char *content_type);

/* Copy bytes out; false when the client has gone (still call http_stream_end).
 * For HEAD the bytes are dropped. */
bool http_stream_put(struct http_request *request, struct span bytes);

/* Bytes put that the client has not taken yet. A source stops at some limit and
 * goes on in the callback below. */
size_t http_stream_pending_bytes(const struct http_request *request);

/* Called from the loop whenever pending bytes fall to low_bytes or below. */
typedef void http_stream_cb(struct http_request *request, void *user);
void http_stream_on_room(struct http_request *request,
                         size_t low_bytes,
                         http_stream_cb *cb,
                         void *user);

/* Complete the answer. `whole` false: the source failed half-way, so the
 * connection is cut and the client can see that it is not complete. */
void http_stream_end(struct http_request *request, bool whole);

/* "Not Found"; "Unknown" for a status we never send. */
const char *http_status_text(unsigned status);

#endif /* SERVE_HTTP_H */
