/*
 * A strict HTTP/1.1 server on one event loop: connections, deadlines, routes,
 * answers now, later or in parts. The reading rules are in http_parse.c.
 *
 * A connection goes IDLE -> HEAD -> BODY -> ANSWER -> IDLE, or to LINGER and
 * its end. One request a connection at a time; what a client sends ahead waits
 * in the read buffer. A connection is freed one loop turn after its end, never
 * inside its own callback.
 */
#include "server/serve/http.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/access/tls.h"
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/listener.h"
#include "server/serve/http_parse.h"
#include "server/serve/problem.h"

#define LOG_MODULE "http"
#include "server/base/log.h"

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
    HTTP_SEGMENTS_MAX = 16
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
};

struct http_server {
    struct event_base *base;
    struct http_options options;
    struct listener *listener;
    struct event *ev_reap;
    TAILQ_HEAD(, conn) conns;
    TAILQ_HEAD(, conn) dead;
    TAILQ_HEAD(, http_request) requests;
    struct route routes[HTTP_ROUTES_MAX];
    size_t route_count;
    http_route_check *route_check;
    http_guard *guard;
    void *guard_user;
    uint64_t next_number;
    bool draining;
    struct http_counts counts;
};

static void conn_process(struct conn *conn);
static void conn_flush(struct conn *conn);
static void conn_read_cb(evutil_socket_t fd, short what, void *user);

/* ---- small things ---- */

static struct timeval
timeval_of(int64_t us)
{
    return (struct timeval){(time_t)(us / 1000000),
                            (suseconds_t)(us % 1000000)};
}

struct http_options
http_options_from(const struct config *config)
{
    return (struct http_options){
        .bind = config->http_bind,
        .port = (uint16_t)config->http_port,
        .connections_max = (unsigned)config->http_connections_max,
        .header_bytes_max = config->http_header_bytes_max,
        .body_bytes_max = config->http_body_bytes_max,
        .bodies_bytes_max = config->http_bodies_bytes_max,
        .header_deadline_us = (int64_t)config->http_header_deadline_s * 1000000,
        .body_deadline_us = (int64_t)config->http_body_deadline_s * 1000000,
        .idle_deadline_us = (int64_t)config->http_idle_deadline_s * 1000000,
        .write_deadline_us = (int64_t)config->http_write_deadline_s * 1000000,
    };
}

const char *
http_status_text(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } rows[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {207, "Multi-Status"},
        {301, "Moved Permanently"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].status == status) {
            return rows[i].text;
        }
    }
    return "Unknown";
}

/* ---- the request's life ---- */

static struct http_request *
request_new(struct conn *conn)
{
    struct http_request *request = calloc(1, sizeof(*request));

    if (request == NULL) {
        return NULL;
    }
    request->server = conn->server;
    request->conn = conn;
    request->number = ++conn->server->next_number;
    request->begun_mono_us = conn->begun_mono_us;
    request->loopback = conn->loopback;
    memcpy(request->peer, conn->peer, sizeof(request->peer));
    request->head.minor = 1;
    buf_init(&request->reply_headers, HTTP_REPLY_HEADERS_BYTES_MAX);
    conn->request = request;
    TAILQ_INSERT_TAIL(&conn->server->requests, request, link);
    return request;
}

static void
request_free(struct http_request *request)
{
    struct http_server *server = request->server;

    assert(server->counts.body_bytes_held >= request->body_held);
    server->counts.body_bytes_held -= request->body_held;
    if (request->conn != NULL) {
        request->conn->request = NULL;
    }
    TAILQ_REMOVE(&server->requests, request, link);
    buf_release(&request->reply_headers);
    free(request->head_bytes);
    free(request->decoded);
    free(request->body);
    free(request);
}

/* Was nothing of it given to a handler or guard yet? */
static bool
request_is_ours(const struct conn *conn)
{
    return conn->state != CONN_ANSWER;
}

/* ---- the connection's end ---- */

static void
conn_close(struct conn *conn)
{
    struct http_server *server = conn->server;
    struct http_request *request = conn->request;
    struct timeval at_once = {0, 0};
    bool ours = request_is_ours(conn);

    if (conn->state == CONN_DEAD) {
        return;
    }
    conn->state = CONN_DEAD;
    (void)event_del(&conn->ev_read);
    (void)event_del(&conn->ev_write);
    (void)event_del(&conn->ev_deadline);
    tls_stream_free(&conn->tls);
    (void)close(conn->fd);
    conn->fd = -1;
    conn->request = NULL;
    TAILQ_REMOVE(&server->conns, conn, link);
    TAILQ_INSERT_TAIL(&server->dead, conn, link);
    server->counts.connections_open--;
    (void)event_add(server->ev_reap, &at_once);
    if (request == NULL) {
        return;
    }
    request->conn = NULL;
    if (ours) {
        request_free(request);
    } else if (request->gone_cb != NULL) {
        request->gone_cb(request, request->gone_user);
    }
}

static void
reap_cb(evutil_socket_t fd, short what, void *user)
{
    struct http_server *server = user;
    struct conn *conn;

    (void)fd;
    (void)what;
    while ((conn = TAILQ_FIRST(&server->dead)) != NULL) {
        TAILQ_REMOVE(&server->dead, conn, link);
        evbuffer_free(conn->out);
        free(conn->in);
        free(conn);
    }
}

static void
conn_set_deadline(struct conn *conn, int64_t us)
{
    struct timeval after = timeval_of(us);

    (void)evtimer_add(&conn->ev_deadline, &after);
}

/* Everything is sent and this was the last answer: say so, then read away what
 * still comes, so that the kernel does not reset the answer away. */
static void
conn_linger(struct conn *conn)
{
    if (!tls_shut(conn->tls, conn->fd) || conn->peer_ended) {
        conn_close(conn);
        return;
    }
    conn->state = CONN_LINGER;
    conn->in_bytes = 0;
    conn_set_deadline(conn, HTTP_LINGER_US);
    (void)event_add(&conn->ev_read, NULL);
}

/* ---- writing ---- */

static void
conn_want_write(struct conn *conn)
{
    struct timeval deadline =
        timeval_of(conn->server->options.write_deadline_us);

    (void)event_add(&conn->ev_write, &deadline);
}

static int
conn_send(struct conn *conn)
{
    struct evbuffer_iovec piece;
    size_t bytes;
    ssize_t sent;

    if (conn->tls == NULL) {
        return evbuffer_write(conn->out, conn->fd);
    }
    if (evbuffer_peek(conn->out, -1, NULL, &piece, 1) < 1) {
        return 0;
    }
    bytes = piece.iov_len < HTTP_WRITE_BYTES ? piece.iov_len : HTTP_WRITE_BYTES;
    sent = tls_write(conn->tls, conn->fd, piece.iov_base, bytes);
    if (sent > 0) {
        (void)evbuffer_drain(conn->out, (size_t)sent);
    }
    return (int)sent;
}

/* Send what can be sent; what follows from an empty buffer follows here. */
static void
conn_flush(struct conn *conn)
{
    while (evbuffer_get_length(conn->out) > 0) {
        int sent = conn_send(conn);

        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno != EAGAIN) {
            conn_close(conn);
            return;
        }
        if (sent <= 0) {
            conn_want_write(conn);
            return;
        }
    }
    if (conn->request == NULL && conn->closes && conn->state != CONN_LINGER) {
        conn_linger(conn);
    }
}

static void
conn_write_cb(evutil_socket_t fd, short what, void *user)
{
    struct conn *conn = user;
    struct http_request *request;

    if ((what & EV_TIMEOUT) != 0) {
        conn->server->counts.timeouts_total++;
        conn_close(conn);
        return;
    }
    conn_flush(conn);
    if (conn->state == CONN_DEAD) {
        return;
    }
    if (tls_wants_write(conn->tls)) {
        conn_read_cb(fd, EV_READ, conn); /* it waited for this */
        return;
    }
    request = conn->request;
    if (request != NULL && request->streaming && request->stream_cb != NULL &&
        evbuffer_get_length(conn->out) <= request->stream_low_bytes) {
        request->stream_cb(request, request->stream_user);
        return;
    }
    conn_process(conn);
}

/* ---- answers ---- */

void
http_reply_header(struct http_request *request,
                  const char *name,
                  const char *fmt,
                  ...)
{
    size_t before = request->reply_headers.bytes;
    va_list args;

    buf_printf(&request->reply_headers, "%s: ", name);
    va_start(args, fmt);
    buf_vprintf(&request->reply_headers, fmt, args);
    va_end(args);
    for (size_t i = before; i < request->reply_headers.bytes; i++) {
        unsigned char c = (unsigned char)request->reply_headers.data[i];

        assert(c >= 0x20 && c != 0x7F);
    }
    buf_put_text(&request->reply_headers, "\r\n");
    if (strcasecmp(name, "content-security-policy") == 0) {
        request->has_content_policy = true;
    }
    if (strcasecmp(name, "cache-control") == 0) {
        request->has_cache_control = true;
    }
}

/* On every answer that has no policy of its own: nothing but our own files may
 * be loaded, run or framed. */
static const char content_policy[] =
    "Content-Security-Policy: default-src 'self'; img-src 'self' data:; "
    "object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'\r\n";
static const char safety_headers[] =
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

/* Status line and headers; body_bytes is -1 for a stream. */
static void
put_reply_head(struct http_request *request,
               unsigned status,
               const char *content_type,
               long long body_bytes)
{
    struct conn *conn = request->conn;
    struct evbuffer *out = conn->out;
    time_t now = (time_t)(clock_now_us() / 1000000);
    struct tm utc;
    char date[40];
    struct span extra = buf_view(&request->reply_headers);

    (void)gmtime_r(&now, &utc);
    /* The C locale holds: nothing in the program sets another one. */
    (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    assert(status >= 200 && status < 600);
    conn->server->counts.replies_total[status / 100]++;
    (void)evbuffer_add_printf(out,
                              "HTTP/1.1 %u %s\r\nDate: %s\r\n"
                              "%s%s",
                              status, http_status_text(status), date,
                              request->has_content_policy ? "" : content_policy,
                              safety_headers);
    if (content_type != NULL) {
        (void)evbuffer_add_printf(out, "Content-Type: %s\r\n", content_type);
    }
    if (!request->has_cache_control) {
        (void)evbuffer_add_printf(out, "Cache-Control: no-store\r\n");
    }
    if (request->stream_chunked) {
        (void)evbuffer_add_printf(out, "Transfer-Encoding: chunked\r\n");
    } else if (body_bytes >= 0 && status != 204 && status != 304) {
        (void)evbuffer_add_printf(out, "Content-Length: %lld\r\n", body_bytes);
    }
    if (conn->closes) {
        (void)evbuffer_add_printf(out, "Connection: close\r\n");
    } else if (request->head.minor == 0) {
        (void)evbuffer_add_printf(out, "Connection: keep-alive\r\n");
    }
    (void)evbuffer_add(out, extra.data, extra.bytes);
    (void)evbuffer_add(out, "\r\n", 2);
}

/* The answer is complete in the buffer: on to the next request, or the end. */
static void
conn_answered(struct conn *conn)
{
    request_free(conn->request);
    conn->state = CONN_IDLE;
    conn->scanned_bytes = 0;
    conn->empty_line_seen = false;
    if (conn->server->draining) {
        conn->closes = true;
    }
    conn_flush(conn);
    if (conn->state == CONN_IDLE && !conn->closes) {
        conn_set_deadline(conn, conn->server->options.idle_deadline_us);
        conn_process(conn);
    }
}

static void
answer_begins(struct http_request *request)
{
    struct conn *conn = request->conn;

    assert(!request->streaming);
    conn->closes |= !request->head.keep_alive || !request->body_whole ||
                    conn->server->draining ||
                    (conn->peer_ended && conn->in_bytes == 0);
    if (buf_check(&request->reply_headers, NULL) != ERR_OK) {
        log_error("answer headers too long, left out route=\"%s\"",
                  http_request_pattern(request));
        buf_reset(&request->reply_headers);
    }
}

void
http_reply(struct http_request *request,
           unsigned status,
           const char *content_type,
           struct span body)
{
    struct conn *conn = request->conn;

    if (conn == NULL) {
        request_free(request);
        return;
    }
    answer_begins(request);
    put_reply_head(request, status, content_type, (long long)body.bytes);
    if (!request->head.is_head && status != 204 && status != 304 &&
        evbuffer_add(conn->out, body.data, body.bytes) != 0) {
        conn->state = CONN_HEAD; /* no callback: the owner is here */
        conn_close(conn);
        return;
    }
    conn_answered(conn);
}

void
http_stream_start(struct http_request *request,
                  unsigned status,
                  const char *content_type)
{
    struct conn *conn = request->conn;

    if (conn == NULL) {
        request->streaming = true;
        return;
    }
    answer_begins(request);
    request->stream_chunked = request->head.minor > 0;
    if (!request->stream_chunked) {
        conn->closes = true; /* the end of the connection ends the body */
    }
    put_reply_head(request, status, content_type, -1);
    request->streaming = true;
    conn_want_write(conn);
    /* From here on the end of the client's side means that it has gone. */
    if (conn->peer_ended) {
        conn_set_deadline(conn, 0); /* not here: the owner is on the stack */
    }
}

bool
http_stream_put(struct http_request *request, struct span bytes)
{
    struct conn *conn = request->conn;
    int failed = 0;

    assert(request->streaming);
    if (conn == NULL) {
        return false;
    }
    if (bytes.bytes == 0 || request->head.is_head) {
        return true;
    }
    if (request->stream_chunked) {
        failed |= evbuffer_add_printf(conn->out, "%zx\r\n", bytes.bytes) < 0;
    }
    failed |= evbuffer_add(conn->out, bytes.data, bytes.bytes);
    if (request->stream_chunked) {
        failed |= evbuffer_add(conn->out, "\r\n", 2);
    }
    if (failed != 0) {
        conn_set_deadline(conn, 0); /* not here: the owner is on the stack */
        return false;
    }
    if (!event_pending(&conn->ev_write, EV_WRITE, NULL)) {
        conn_want_write(conn);
    }
    return true;
}

size_t
http_stream_pending_bytes(const struct http_request *request)
{
    return request->conn != NULL ? evbuffer_get_length(request->conn->out) : 0;
}

void
http_stream_on_room(struct http_request *request,
                    size_t low_bytes,
                    http_stream_cb *cb,
                    void *user)
{
    request->stream_low_bytes = low_bytes;
    request->stream_cb = cb;
    request->stream_user = user;
    if (request->conn != NULL &&
        !event_pending(&request->conn->ev_write, EV_WRITE, NULL)) {
        conn_want_write(request->conn);
    }
}

void
http_stream_end(struct http_request *request, bool whole)
{
    struct conn *conn = request->conn;

    assert(request->streaming);
    if (conn == NULL) {
        request_free(request);
        return;
    }
    if (!whole) {
        conn->state = CONN_HEAD; /* no callback: the owner is here */
        conn_close(conn);
        return;
    }
    if (request->stream_chunked && !request->head.is_head) {
        (void)evbuffer_add(conn->out, "0\r\n\r\n", 5);
    }
    conn_answered(conn);
}

/* ---- refusing what is no request ---- */

/* Answer by ourselves and close. The text is ours, never the client's. */
static void
conn_refuse(struct conn *conn, unsigned status, const char *why)
{
    struct http_request *request = conn->request;

    if (request == NULL) {
        request = request_new(conn);
        if (request == NULL) {
            conn_close(conn);
            return;
        }
    }
    (void)evtimer_del(&conn->ev_deadline);
    conn->closes = true;
    conn->state = CONN_ANSWER;
    problem_reply(request, status,
                  status == 408   ? "too_slow"
                  : status == 413 ? "body_too_long"
                  : status == 431 ? "headers_too_long"
                  : status == 503 ? "busy"
                                  : "malformed_request",
                  "%s", why);
}

static void
conn_refuse_malformed(struct conn *conn, unsigned status, const char *why)
{
    conn->server->counts.malformed_total++;
    conn_refuse(conn, status, why);
}

/* ---- routes ---- */

void
http_route(struct http_server *server,
           enum http_method method,
           const char *pattern,
           http_handler *handler,
           void *user)
{
    assert(server->route_count < HTTP_ROUTES_MAX);
    assert(pattern[0] == '/');
    if (server->route_check != NULL && !server->route_check(method, pattern)) {
        log_error("nobody may call this route: give it a row in "
                  "server/serve/access_routes.def route=\"%s %s\"",
                  http_method_name(method), pattern);
        abort();
    }
    server->routes[server->route_count++] =
        (struct route){method, pattern, handler, user};
}

void
http_set_route_check(struct http_server *server, http_route_check *check)
{
    server->route_check = check;
}

bool
http_server_route(const struct http_server *server,
                  size_t index,
                  enum http_method *method,
                  const char **pattern)
{
    if (index >= server->route_count) {
        return false;
    }
    *method = server->routes[index].method;
    *pattern = server->routes[index].pattern;
    return true;
}

const char *
http_method_name(enum http_method method)
{
    static const char *const names[HTTP_METHOD_COUNT] = {"GET", "POST", "PUT",
                                                         "DELETE"};

    assert((size_t)method < HTTP_METHOD_COUNT);
    return names[method];
}

void
http_set_guard(struct http_server *server, http_guard *guard, void *user)
{
    server->guard = guard;
    server->guard_user = user;
}

/*
 * Does the pattern fit the decoded segments? Fills `path`; returns the number
 * of parameters, or -1.
 */
static int
match_pattern(const char *pattern,
              const struct span *segments,
              size_t segment_count,
              struct parameter path[HTTP_PATH_PARAMETERS_MAX])
{
    struct span rest = span_of(pattern + 1);
    size_t index = 0;
    int count = 0;

    while (rest.data != NULL) {
        struct span part = span_split(&rest, '/');

        if (index == segment_count) {
            return -1;
        }
        if (part.bytes > 2 && part.data[0] == '{') {
            if (segments[index].bytes == 0) {
                return -1;
            }
            assert(count < HTTP_PATH_PARAMETERS_MAX);
            path[count++] = (struct parameter){{part.data + 1, part.bytes - 2},
                                               segments[index]};
        } else if (!span_equal(part, segments[index])) {
            return -1;
        }
        index++;
    }
    return index == segment_count ? count : -1;
}

/* Split and decode the path into `segments`; SIZE_MAX when it can't be. */
static size_t
decode_path(struct http_request *request,
            struct span segments[HTTP_SEGMENTS_MAX],
            char **room)
{
    struct span rest = {request->head.path.data + 1,
                        request->head.path.bytes - 1};
    size_t count = 0;

    do {
        struct span part = span_split(&rest, '/');
        size_t bytes = http_parse_decode(part, false, *room);

        if (bytes == SIZE_MAX || count == HTTP_SEGMENTS_MAX) {
            return SIZE_MAX;
        }
        segments[count++] = (struct span){*room, bytes};
        *room += bytes;
    } while (rest.data != NULL);
    return count;
}

static bool
decode_query(struct http_request *request, char *room)
{
    struct span rest = request->head.query;

    while (rest.data != NULL) {
        struct span value = span_split(&rest, '&');
        struct span name = span_split(&value, '=');
        struct parameter *parameter;
        size_t bytes;

        if (name.bytes == 0 && value.data == NULL) {
            continue; /* "a=1&&b=2" */
        }
        if (request->query_count == HTTP_QUERY_PARAMETERS_MAX) {
            return false;
        }
        parameter = &request->query[request->query_count++];
        bytes = http_parse_decode(name, true, room);
        if (bytes == SIZE_MAX) {
            return false;
        }
        parameter->name = (struct span){room, bytes};
        room += bytes;
        bytes = http_parse_decode(value, true, room);
        if (bytes == SIZE_MAX) {
            return false;
        }
        parameter->value = (struct span){room, bytes};
        room += bytes;
    }
    return true;
}

/* Find request->route; else answer 404 or 405 and return false. */
static bool
find_route(struct http_request *request,
           const struct span *segments,
           size_t segment_count)
{
    static const char *const names[HTTP_METHOD_COUNT] = {"GET, HEAD", "POST",
                                                         "PUT", "DELETE"};
    const struct http_server *server = request->server;
    struct parameter path[HTTP_PATH_PARAMETERS_MAX];
    bool allowed[HTTP_METHOD_COUNT] = {false};
    char allow[64] = "";
    int best = INT_MAX;

    for (size_t i = 0; i < server->route_count; i++) {
        const struct route *route = &server->routes[i];
        int count =
            match_pattern(route->pattern, segments, segment_count, path);

        if (count < 0) {
            continue;
        }
        allowed[route->method] = true;
        if (route->method == request->head.method && count < best) {
            best = count;
            request->route = route;
            request->path_count = (size_t)count;
            memcpy(request->path, path, sizeof(path));
        }
    }
    if (request->route != NULL) {
        return true;
    }
    for (int i = 0; i < HTTP_METHOD_COUNT; i++) {
        if (allowed[i]) {
            size_t used = strlen(allow);

            (void)snprintf(allow + used, sizeof(allow) - used, "%s%s",
                           used > 0 ? ", " : "", names[i]);
        }
    }
    if (allow[0] == '\0') {
        problem_reply(request, 404, "no_route",
                      "there is nothing at this address; docs/http-api.md "
                      "lists what there is");
    } else {
        http_reply_header(request, "Allow", "%s", allow);
        problem_reply(request, 405, "method_not_allowed",
                      "this address takes %s", allow);
    }
    return false;
}

/* ---- reading a request ---- */

/* The body is complete, or there is none: the handler's turn. */
static void
conn_dispatch(struct conn *conn)
{
    struct http_request *request = conn->request;

    request->body_whole = true;
    conn->state = CONN_ANSWER;
    (void)evtimer_del(&conn->ev_deadline);
    request->route->handler(request, request->route->user);
}

static bool
has_body(const struct http_request *request)
{
    return request->head.chunked ||
           (request->head.has_length && request->head.length > 0);
}

/* Room for `bytes` of body in all, and the zeros behind them. */
static bool
body_make_room(struct http_request *request, size_t bytes)
{
    char *grown = realloc(request->body, bytes + HTTP_BODY_PADDING_BYTES);

    if (grown == NULL) {
        return false;
    }
    request->body = grown;
    request->body_room = bytes;
    return true;
}

/* Route, guard and limits are looked at before a byte of the body is read. */
static void
conn_begin_body(struct conn *conn)
{
    struct http_request *request = conn->request;
    const struct http_options *options = &conn->server->options;

    if (!has_body(request)) {
        conn_dispatch(conn);
        return;
    }
    if (request->head.length > options->body_bytes_max) {
        conn_refuse(conn, 413,
                    "the body is longer than http_body_bytes_max; send it in "
                    "several requests");
        return;
    }
    if (!body_make_room(request, request->head.chunked
                                     ? HTTP_CHUNK_FIRST_BYTES
                                     : (size_t)request->head.length)) {
        conn_refuse(conn, 503, "out of memory; try again");
        return;
    }
    conn->state = CONN_BODY;
    conn_set_deadline(conn, options->body_deadline_us);
    if (request->head.expects_continue && conn->in_bytes == 0) {
        (void)evbuffer_add_printf(conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
        conn_flush(conn);
    }
}

/* conn->request has its head: find the route and ask the guard. */
static void
conn_begin_request(struct conn *conn)
{
    struct http_request *request = conn->request;
    struct http_server *server = conn->server;
    struct span segments[HTTP_SEGMENTS_MAX];
    size_t segment_count;
    char *room;

    request->body_whole = !has_body(request);
    request->decoded = malloc(request->head.target.bytes + 1);
    if (request->decoded == NULL) {
        conn_refuse(conn, 503, "out of memory; try again");
        return;
    }
    room = request->decoded;
    segment_count = decode_path(request, segments, &room);
    if (segment_count == SIZE_MAX) {
        conn_refuse_malformed(conn, 400,
                              "the path is not percent-encoded UTF-8");
        return;
    }
    if (!decode_query(request, room)) {
        conn_refuse_malformed(conn, 400,
                              "the query is not percent-encoded UTF-8, or has "
                              "too many parameters");
        return;
    }
    conn->state = CONN_ANSWER; /* from here on others may answer */
    (void)evtimer_del(&conn->ev_deadline);
    if (!find_route(request, segments, segment_count)) {
        return;
    }
    if (server->guard != NULL && !server->guard(request, server->guard_user)) {
        return;
    }
    conn_begin_body(conn);
}

static void
conn_drop_front(struct conn *conn, size_t bytes)
{
    assert(bytes <= conn->in_bytes);
    memmove(conn->in, conn->in + bytes, conn->in_bytes - bytes);
    conn->in_bytes -= bytes;
    conn->scanned_bytes = 0;
}

/* Returns false when more bytes are needed. */
static bool
conn_read_head(struct conn *conn)
{
    const char *why = "";
    struct http_request *request;
    size_t head_bytes;
    unsigned status;

    if (!conn->empty_line_seen && conn->in_bytes >= 2 &&
        memcmp(conn->in, "\r\n", 2) == 0) {
        conn->empty_line_seen = true; /* RFC 9112 section 2.2 */
        conn_drop_front(conn, 2);
        return conn->in_bytes > 0;
    }
    head_bytes =
        http_parse_find_end(conn->in, conn->in_bytes, conn->scanned_bytes);
    if (head_bytes == SIZE_MAX) {
        conn_refuse_malformed(conn, 400,
                              "lines end in CR LF, and NUL is not text");
        return true;
    }
    if (head_bytes == 0) {
        conn->scanned_bytes = conn->in_bytes;
        if (conn->in_bytes < conn->in_room) {
            return false;
        }
        conn_refuse(conn, 431,
                    "request line and headers are longer than "
                    "http_header_bytes_max");
        return true;
    }
    request = request_new(conn);
    if (request == NULL || (request->head_bytes = malloc(head_bytes)) == NULL) {
        conn_close(conn);
        return true;
    }
    conn->server->counts.requests_total++;
    memcpy(request->head_bytes, conn->in, head_bytes);
    conn_drop_front(conn, head_bytes);
    status =
        http_parse_head(request->head_bytes, head_bytes, &request->head, &why);
    if (status != 0) {
        conn_refuse_malformed(conn, status, why);
        return true;
    }
    conn_begin_request(conn);
    return true;
}

/* Count bytes that were put into the body; false: refused. */
static bool
body_hold(struct conn *conn, size_t bytes)
{
    struct http_request *request = conn->request;
    struct http_server *server = conn->server;

    request->body_bytes += bytes;
    request->body_held += bytes;
    server->counts.body_bytes_held += bytes;
    if (server->counts.body_bytes_held <= server->options.bodies_bytes_max) {
        return true;
    }
    conn_refuse(conn, 503,
                "the requests in hand fill http_bodies_bytes_max; try again");
    return false;
}

static void
conn_end_body(struct conn *conn)
{
    struct http_request *request = conn->request;

    memset(request->body + request->body_bytes, 0, HTTP_BODY_PADDING_BYTES);
    conn_dispatch(conn);
}

static bool
conn_read_length_body(struct conn *conn)
{
    struct http_request *request = conn->request;
    size_t left = (size_t)request->head.length - request->body_bytes;
    size_t bytes = conn->in_bytes < left ? conn->in_bytes : left;

    memcpy(request->body + request->body_bytes, conn->in, bytes);
    conn_drop_front(conn, bytes);
    if (!body_hold(conn, bytes)) {
        return true;
    }
    if (request->body_bytes < request->head.length) {
        return false;
    }
    conn_end_body(conn);
    return true;
}

/* Move chunk data out of `in`; true: something happened. */
static bool
conn_read_chunk_data(struct conn *conn)
{
    struct http_request *request = conn->request;
    struct http_chunk *chunk = &request->chunk;
    size_t bytes = conn->in_bytes < chunk->left_bytes
                       ? conn->in_bytes
                       : (size_t)chunk->left_bytes;
    size_t wanted = request->body_bytes + bytes;

    if (bytes == 0) {
        return false;
    }
    if (chunk->left_bytes >
        conn->server->options.body_bytes_max - request->body_bytes) {
        conn_refuse(conn, 413,
                    "the body is longer than http_body_bytes_max; send it in "
                    "several requests");
        return true;
    }
    if (wanted > request->body_room) {
        size_t room = request->body_room * 2;

        if (!body_make_room(request, room > wanted ? room : wanted)) {
            conn_refuse(conn, 503, "out of memory; try again");
            return true;
        }
    }
    memcpy(request->body + request->body_bytes, conn->in, bytes);
    conn_drop_front(conn, bytes);
    chunk->left_bytes -= bytes;
    if (chunk->left_bytes == 0) {
        chunk->state = HTTP_CHUNK_DATA_END;
    }
    (void)body_hold(conn, bytes);
    return true;
}

/* One line or one piece of data; false: more bytes are needed. */
static bool
conn_read_chunked_body(struct conn *conn)
{
    struct http_chunk *chunk = &conn->request->chunk;
    const char *end;
    size_t line_bytes;

    if (chunk->state == HTTP_CHUNK_DATA) {
        return conn_read_chunk_data(conn);
    }
    end = memchr(conn->in, '\n', conn->in_bytes);
    if (end == NULL && conn->in_bytes <= HTTP_CHUNK_LINE_BYTES_MAX) {
        return false;
    }
    line_bytes = end != NULL ? (size_t)(end - conn->in) : SIZE_MAX;
    if (end == NULL || line_bytes == 0 || conn->in[line_bytes - 1] != '\r' ||
        line_bytes > HTTP_CHUNK_LINE_BYTES_MAX ||
        !http_chunk_line(chunk, (struct span){conn->in, line_bytes - 1})) {
        conn_refuse_malformed(conn, 400, "a chunk of the body is malformed");
        return true;
    }
    conn_drop_front(conn, line_bytes + 1);
    if (chunk->state == HTTP_CHUNK_DONE) {
        conn_end_body(conn);
    }
    return true;
}

/* The client sends no more: nothing can follow but what is still to be sent. */
static void
conn_peer_is_done(struct conn *conn)
{
    if (conn->state == CONN_IDLE && conn->in_bytes > 0 && !conn->closes) {
        return; /* requests that were sent ahead wait for room */
    }
    if (evbuffer_get_length(conn->out) == 0) {
        conn_close(conn);
        return;
    }
    if (conn->request != NULL) {
        request_free(conn->request); /* half a request */
    }
    (void)evtimer_del(&conn->ev_deadline);
    conn->state = CONN_IDLE;
    conn->in_bytes = 0;
    conn->closes = true;
}

/* What is decrypted already does not make the socket readable. */
static void
conn_want_read(struct conn *conn)
{
    (void)event_add(&conn->ev_read, NULL);
    if (tls_pending(conn->tls) > 0) {
        event_active(&conn->ev_read, EV_READ, 0);
    }
}

/* Go on with what was read, as far as it goes. */
static void
conn_process(struct conn *conn)
{
    bool moved = true;

    if (conn->processing) {
        return;
    }
    conn->processing = true;
    while (moved) {
        moved = false;
        switch (conn->state) {
        case CONN_IDLE:
            if (conn->in_bytes == 0 || conn->closes ||
                evbuffer_get_length(conn->out) > HTTP_AHEAD_BYTES_MAX) {
                break;
            }
            conn->state = CONN_HEAD;
            conn->begun_mono_us = clock_mono_us();
            conn_set_deadline(conn, conn->server->options.header_deadline_us);
            moved = true;
            break;
        case CONN_HEAD:
            moved = conn_read_head(conn);
            break;
        case CONN_BODY:
            moved = conn->request->head.chunked ? conn_read_chunked_body(conn)
                                                : conn_read_length_body(conn);
            break;
        case CONN_LINGER:
            conn->in_bytes = 0;
            break;
        case CONN_ANSWER:
        case CONN_DEAD:
            break;
        }
    }
    conn->processing = false;
    if (conn->state == CONN_DEAD) {
        return;
    }
    if (conn->peer_ended && conn->state != CONN_ANSWER) {
        conn_peer_is_done(conn);
    } else if (conn->in_bytes < conn->in_room && !conn->peer_ended &&
               !event_pending(&conn->ev_read, EV_READ, NULL)) {
        conn_want_read(conn);
    }
}

/* ---- reading bytes ---- */

/* Where the next bytes belong: straight into a body of known length, else into
 * `in`. */
static size_t
conn_read_target(struct conn *conn, char **target)
{
    struct http_request *request = conn->request;

    if (conn->state == CONN_BODY && !request->head.chunked &&
        conn->in_bytes == 0) {
        size_t left = (size_t)request->head.length - request->body_bytes;

        *target = request->body + request->body_bytes;
        return left < HTTP_READ_BYTES ? left : HTTP_READ_BYTES;
    }
    *target = conn->in + conn->in_bytes;
    return conn->in_room - conn->in_bytes;
}

static void
conn_got_bytes(struct conn *conn, const char *target, size_t bytes)
{
    if (target == conn->in + conn->in_bytes) {
        conn->in_bytes += bytes;
        conn_process(conn);
        return;
    }
    if (body_hold(conn, bytes) &&
        conn->request->body_bytes == conn->request->head.length) {
        conn->processing = true;
        conn_end_body(conn);
        conn->processing = false;
    }
    conn_process(conn);
}

static void
conn_peer_ended(struct conn *conn)
{
    conn->peer_ended = true;
    (void)event_del(&conn->ev_read);
    if (conn->state == CONN_LINGER ||
        (conn->state == CONN_ANSWER && conn->request->streaming)) {
        conn_close(conn);
        return;
    }
    /* A client may end its side and still wait for the answer. */
    conn_process(conn);
}

static void
conn_read_cb(evutil_socket_t fd, short what, void *user)
{
    struct conn *conn = user;
    size_t turn_bytes = 0;

    (void)what;
    while (turn_bytes < HTTP_READ_TURN_BYTES) {
        char *target;
        size_t room = conn_read_target(conn, &target);
        ssize_t got;

        if (room == 0) {
            (void)event_del(&conn->ev_read); /* conn_process adds it again */
            return;
        }
        /* After our end nothing more of it matters. */
        got = tls_read(conn->state == CONN_LINGER ? NULL : conn->tls, fd,
                       target, room);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            if (tls_wants_write(conn->tls)) {
                conn_want_write(conn);
            }
            return;
        }
        if (got < 0) {
            conn_close(conn);
            return;
        }
        if (got == 0) {
            conn_peer_ended(conn);
            return;
        }
        turn_bytes += (size_t)got;
        conn_got_bytes(conn, target, (size_t)got);
        if (conn->state == CONN_DEAD ||
            ((size_t)got < room && conn->tls == NULL)) {
            return;
        }
    }
    if (tls_pending(conn->tls) > 0) {
        event_active(&conn->ev_read, EV_READ, 0);
    }
}

static void
conn_deadline_cb(evutil_socket_t fd, short what, void *user)
{
    struct conn *conn = user;

    (void)fd;
    (void)what;
    if (!tls_is_ready(conn->tls)) {
        conn->server->counts.timeouts_total++;
        conn_close(conn);
    } else if (conn->state == CONN_HEAD || conn->state == CONN_BODY) {
        conn->server->counts.timeouts_total++;
        conn_refuse(conn, 408, "the request did not arrive in time");
    } else if (conn->state == CONN_IDLE && evbuffer_get_length(conn->out) > 0) {
        conn->closes = true; /* its write deadline goes on */
    } else {
        conn_close(conn);
    }
}

/* ---- accepting ---- */

/* A last word for a connection over the limit; if it does not fit, so be it. */
static void
refuse_connection(struct http_server *server, int fd)
{
    static const char answer[] =
        "HTTP/1.1 503 Service Unavailable\r\n"
        "Content-Type: application/problem+json\r\n"
        "Retry-After: 1\r\nConnection: close\r\nContent-Length: 91\r\n\r\n"
        "{\"type\":\"urn:suqiu:problem:busy\",\"title\":"
        "\"too many connections\",\"status\":503,\"code\":\"busy\"}";
    ssize_t sent;

    _Static_assert(sizeof("{\"type\":\"urn:suqiu:problem:busy\",\"title\":"
                          "\"too many connections\",\"status\":503,\"code\":"
                          "\"busy\"}") -
                           1 ==
                       91,
                   "Content-Length above");
    if (server->options.tls == NULL) {
        sent =
            send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)sent;
    }
    (void)close(fd);
    server->counts.connections_refused++;
}

static void
server_accept_cb(int fd,
                 const struct sockaddr *peer,
                 socklen_t peer_bytes,
                 void *user)
{
    struct http_server *server = user;
    struct conn *conn;

    (void)peer_bytes;
    if (server->counts.connections_open >= server->options.connections_max) {
        refuse_connection(server, fd);
        return;
    }
    conn = calloc(1, sizeof(*conn));
    if (conn == NULL ||
        (conn->in = malloc(server->options.header_bytes_max)) == NULL ||
        (server->options.tls != NULL &&
         (conn->tls = tls_accept(server->options.tls, fd)) == NULL) ||
        (conn->out = evbuffer_new()) == NULL) {
        if (conn != NULL) {
            free(conn->in);
            tls_stream_free(&conn->tls);
        }
        free(conn);
        refuse_connection(server, fd);
        return;
    }
    conn->server = server;
    conn->fd = fd;
    conn->in_room = server->options.header_bytes_max;
    conn->loopback = listener_peer_is_loopback(peer);
    listener_peer_text(peer, conn->peer, sizeof(conn->peer));
    (void)event_assign(&conn->ev_read, server->base, fd, EV_READ | EV_PERSIST,
                       conn_read_cb, conn);
    (void)event_assign(&conn->ev_write, server->base, fd, EV_WRITE,
                       conn_write_cb, conn);
    (void)evtimer_assign(&conn->ev_deadline, server->base, conn_deadline_cb,
                         conn);
    TAILQ_INSERT_TAIL(&server->conns, conn, link);
    server->counts.connections_open++;
    server->counts.connections_total++;
    /* A new connection is here to ask; only later may it idle. */
    conn_set_deadline(conn,
                      conn->tls != NULL && server->options.header_deadline_us >
                                               HTTP_HANDSHAKE_US
                          ? HTTP_HANDSHAKE_US
                          : server->options.header_deadline_us);
    if (event_add(&conn->ev_read, NULL) != 0) {
        conn_close(conn);
    }
}

enum err_code
http_server_new(struct event_base *base,
                const struct http_options *options,
                struct http_server **out,
                struct err *err)
{
    struct http_server *server = calloc(1, sizeof(*server));
    enum err_code code;

    if (server == NULL) {
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    assert(options->header_bytes_max > HTTP_CHUNK_LINE_BYTES_MAX);
    server->base = base;
    server->options = *options;
    TAILQ_INIT(&server->conns);
    TAILQ_INIT(&server->dead);
    TAILQ_INIT(&server->requests);
    server->ev_reap = evtimer_new(base, reap_cb, server);
    if (server->ev_reap == NULL) {
        free(server);
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    code = listener_new(base, options->bind, options->port, server_accept_cb,
                        server, &server->listener, err);
    if (code != ERR_OK) {
        event_free(server->ev_reap);
        free(server);
        return code;
    }
    *out = server;
    return ERR_OK;
}

uint16_t
http_server_port(const struct http_server *server)
{
    return listener_port(server->listener);
}

const char *
http_server_scheme(const struct http_server *server)
{
    return server->options.tls != NULL ? "https" : "http";
}

void
http_server_drain(struct http_server *server)
{
    struct conn *conn = TAILQ_FIRST(&server->conns);

    server->draining = true;
    listener_pause(server->listener);
    while (conn != NULL) {
        struct conn *next = TAILQ_NEXT(conn, link);

        if (conn->state == CONN_IDLE && evbuffer_get_length(conn->out) == 0) {
            conn_close(conn);
        } else if (conn->state == CONN_IDLE) {
            conn->closes = true;
        }
        conn = next;
    }
}

bool
http_server_idle(const struct http_server *server)
{
    return TAILQ_EMPTY(&server->conns);
}

void
http_server_free(struct http_server **server_at)
{
    struct http_server *server = *server_at;
    struct http_request *request;
    struct conn *conn;

    if (server == NULL) {
        return;
    }
    while ((conn = TAILQ_FIRST(&server->conns)) != NULL) {
        conn_close(conn);
    }
    reap_cb(-1, 0, server);
    while ((request = TAILQ_FIRST(&server->requests)) != NULL) {
        request_free(request);
    }
    listener_free(&server->listener);
    event_free(server->ev_reap);
    free(server);
    *server_at = NULL;
}

void
http_server_counts(const struct http_server *server, struct http_counts *out)
{
    *out = server->counts;
    out->connections_refused += listener_dropped_total(server->listener);
}

/* ---- looking at a request ---- */

enum http_method
http_request_method(const struct http_request *request)
{
    return request->head.method;
}

bool
http_request_is_head(const struct http_request *request)
{
    return request->head.is_head;
}

const char *
http_request_pattern(const struct http_request *request)
{
    return request->route != NULL ? request->route->pattern : "";
}

struct span
http_request_target(const struct http_request *request)
{
    return request->head.target;
}

static struct span
find_parameter(const struct parameter *parameters,
               size_t count,
               const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (span_is(parameters[i].name, name)) {
            return parameters[i].value;
        }
    }
    return (struct span){NULL, 0};
}

struct span
http_request_path(const struct http_request *request, const char *name)
{
    return find_parameter(request->path, request->path_count, name);
}

struct span
http_request_query(const struct http_request *request, const char *name)
{
    return find_parameter(request->query, request->query_count, name);
}

size_t
http_request_query_count(const struct http_request *request)
{
    return request->query_count;
}

void
http_request_query_at(const struct http_request *request,
                      size_t index,
                      struct span *name,
                      struct span *value)
{
    assert(index < request->query_count);
    *name = request->query[index].name;
    *value = request->query[index].value;
}

struct span
http_request_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->head.field_count; i++) {
        if (span_is(request->head.fields[i].name, name)) {
            return request->head.fields[i].value;
        }
    }
    return (struct span){NULL, 0};
}

bool
http_request_has_type(const struct http_request *request,
                      const char *media_type)
{
    struct span rest = http_request_header(request, "content-type");
    struct span type = span_trim(span_split(&rest, ';'));

    return type.bytes == strlen(media_type) &&
           strncasecmp(type.data, media_type, type.bytes) == 0;
}

struct span
http_request_type_parameter(const struct http_request *request,
                            const char *name)
{
    struct span rest = http_request_header(request, "content-type");

    (void)span_split(&rest, ';');
    while (rest.data != NULL) {
        struct span value = span_split(&rest, ';');
        struct span word = span_trim(span_split(&value, '='));

        if (word.bytes == strlen(name) &&
            strncasecmp(word.data, name, word.bytes) == 0) {
            value = span_trim(value);
            if (value.bytes >= 2 && value.data[0] == '"' &&
                value.data[value.bytes - 1] == '"') {
                value.data++;
                value.bytes -= 2;
            }
            return value;
        }
    }
    return (struct span){NULL, 0};
}

struct span
http_request_body(const struct http_request *request)
{
    return (struct span){request->body, request->body_bytes};
}

char *
http_request_take_body(struct http_request *request, size_t *bytes)
{
    char *body = request->body;

    *bytes = request->body_bytes;
    request->body = NULL;
    request->body_bytes = 0;
    return body;
}

struct access_caller *
http_request_caller(struct http_request *request)
{
    return &request->caller;
}

bool
http_request_is_tls(const struct http_request *request)
{
    return request->server->options.tls != NULL;
}

bool
http_request_is_loopback(const struct http_request *request)
{
    return request->loopback;
}

const char *
http_request_peer(const struct http_request *request)
{
    return request->peer;
}

uint64_t
http_request_number(const struct http_request *request)
{
    return request->number;
}

int64_t
http_request_begun_mono_us(const struct http_request *request)
{
    return request->begun_mono_us;
}

bool
http_request_gone(const struct http_request *request)
{
    return request->conn == NULL;
}

void
http_request_on_gone(struct http_request *request, http_gone_cb *cb, void *user)
{
    request->gone_cb = cb;
    request->gone_user = user;
}
