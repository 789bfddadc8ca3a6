/*
 * http_internal: what the files of the HTTP server share; nobody else includes
 * it.
 *
 *   http_server.c   listening, options, the end
 *   http_conn.c     a connection: bytes in and out, deadlines, its states
 *   http_read.c     a request: head, body by length or in chunks
 *   http_route.c    which handler
 *   http_request.c  what handlers ask about a request
 *   http_answer.c   answers, at once or in parts
 *
 * A connection goes IDLE -> HEAD -> BODY -> ANSWER -> IDLE, or to LINGER and
 * its end. One request a connection at a time; what a client sends ahead waits
 * in the read buffer. A connection is freed one loop turn after its end, never
 * inside its own callback.
 */
#ifndef SERVE_HTTP_INTERNAL_H
#define SERVE_HTTP_INTERNAL_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "server/access/tls.h"
#include "server/base/buf.h"
#include "server/base/listener.h"
#include "server/serve/http.h"
#include "server/serve/http_parse.h"

enum {
    HTTP_READ_BYTES = 256 * 1024,       /* one read of a body */
    HTTP_READ_TURN_BYTES = 1024 * 1024, /* one connection, one loop turn */
    HTTP_CHUNK_FIRST_BYTES = 64 * 1024,
    HTTP_AHEAD_BYTES_MAX = 64 * 1024, /* unsent answers before the next
                                         request of a connection is read */
    HTTP_PEER_BYTES = 64,
    HTTP_WRITE_BYTES = 64 * 1024, /* one write over TLS */
    HTTP_HANDSHAKE_US = 5000000,
    HTTP_LINGER_US = 2000000,
    HTTP_SEGMENTS_MAX = 16,
    HTTP_ROUTE_PARTS_MAX = 8,
    HTTP_REQUESTS_KEPT = 64, /* freed ones, to be used again */
    HTTP_DATE_BYTES = 40
};

enum conn_state {
    CONN_IDLE,   /* between requests */
    CONN_HEAD,   /* a request has begun */
    CONN_BODY,   /* its head is read */
    CONN_ANSWER, /* the handler has it */
    CONN_LINGER, /* answered and shut; reads away what still comes */
    CONN_DEAD    /* closed; freed in the next turn */
};

struct conn {
    TAILQ_ENTRY(conn) link;
    struct http_server *server;
    struct http_request *request; /* NULL in IDLE, HEAD, LINGER, DEAD */
    int fd;
    struct tls_stream *tls; /* NULL: plain */
    enum conn_state state;
    struct event ev_read;
    struct event ev_write;
    struct event ev_deadline;
    struct evbuffer *out;
    char *in; /* in_room bytes */
    size_t in_bytes;
    size_t in_room;
    size_t scanned_bytes; /* of `in`, by http_parse_find_end */
    int64_t begun_mono_us;
    bool empty_line_seen; /* before the request line; one is forgiven */
    bool processing;      /* conn_process is on the stack */
    bool closes;          /* after the answer is sent */
    bool peer_ended;      /* the client sends no more */
    bool loopback;
    char peer[HTTP_PEER_BYTES];
};

struct parameter {
    struct span name;
    struct span value;
};

struct http_request {
    TAILQ_ENTRY(http_request) link;
    struct http_server *server;
    struct conn *conn; /* NULL: the client has gone */
    uint64_t number;
    int64_t begun_mono_us;
    struct http_head head;
    char *head_bytes; /* the head, owned */
    char *decoded;    /* path and query, decoded, owned */
    const struct route *route;
    struct parameter path[HTTP_PATH_PARAMETERS_MAX];
    size_t path_count;
    struct parameter query[HTTP_QUERY_PARAMETERS_MAX];
    size_t query_count;
    char *body; /* owned; NULL without a body */
    size_t body_bytes;
    size_t body_room;
    size_t body_held; /* counted in server->counts.body_bytes_held */
    bool body_whole;
    struct http_chunk chunk;
    struct buf reply_headers;
    bool has_content_policy;
    bool has_cache_control;
    bool streaming;
    bool stream_chunked;
    size_t stream_low_bytes;
    http_stream_cb *stream_cb;
    void *stream_user;
    http_gone_cb *gone_cb;
    void *gone_user;
    struct access_caller caller;
    char peer[HTTP_PEER_BYTES];
    bool loopback;
};

struct route {
    enum http_method method;
    const char *pattern;
    http_handler *handler;
    void *user;
    struct span parts[HTTP_ROUTE_PARTS_MAX]; /* of the pattern */
    size_t part_count;
};

struct http_server {
    struct event_base *base;
    struct http_options options;
    struct listener *listener;
    struct event *ev_reap;
    TAILQ_HEAD(, conn) conns;
    TAILQ_HEAD(, conn) dead;
    TAILQ_HEAD(, http_request) requests;
    TAILQ_HEAD(, http_request) kept; /* freed: only `link` means something */
    size_t kept_count;
    int64_t date_s; /* which second `date` is of */
    char date[HTTP_DATE_BYTES];
    struct route routes[HTTP_ROUTES_MAX];
    size_t route_count;
    http_route_check *route_check;
    http_guard *guard;
    void *guard_user;
    uint64_t next_number;
    bool draining;
    struct http_counts counts;
};

/* ---- http_conn.c ---- */

listener_cb http_conn_accept;
/* Free the connections that ended; an event callback. */
void http_conn_reap(evutil_socket_t fd, short what, void *user);
/* End it now; the request's owner is told. */
void http_conn_close(struct conn *conn);
void http_conn_set_deadline(struct conn *conn, int64_t us);
/* Wait for room to write, with the deadline for a client that takes nothing. */
void http_conn_want_write(struct conn *conn);
/* Send what can be sent; what follows from an empty buffer follows here. */
void http_conn_flush(struct conn *conn);
/* Go on with what was read, as far as it goes. */
void http_conn_process(struct conn *conn);

/* NULL: no memory. */
struct http_request *http_request_new(struct conn *conn);
void http_request_free(struct http_request *request);

/* ---- http_read.c: true when something happened, false: more bytes ---- */

bool http_conn_read_head(struct conn *conn);
bool http_conn_read_length_body(struct conn *conn);
bool http_conn_read_chunked_body(struct conn *conn);
/* Route and guard have let it pass: its body, or its handler. */
void http_conn_begin_body(struct conn *conn);
/* Count bytes that were put into the body; false: refused. */
bool http_conn_hold_body(struct conn *conn, size_t bytes);
void http_conn_end_body(struct conn *conn);
bool http_request_has_body(const struct http_request *request);

/* ---- http_route.c ---- */

/* The head is there: find the route, ask the guard. */
void http_conn_begin_request(struct conn *conn);

/* ---- http_answer.c ---- */

/* Answer by ourselves and close. The text is ours, never the client's. */
void http_conn_refuse(struct conn *conn, unsigned status, const char *why);
void
http_conn_refuse_malformed(struct conn *conn, unsigned status, const char *why);

#endif /* SERVE_HTTP_INTERNAL_H */
