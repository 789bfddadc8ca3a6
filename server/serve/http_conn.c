/* A connection: bytes in and out, deadlines, its states. */
#include "server/serve/http_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/clock.h"

static struct timeval
timeval_of(int64_t us)
{
    return (struct timeval){(time_t)(us / 1000000),
                            (suseconds_t)(us % 1000000)};
}

static void conn_read_cb(evutil_socket_t fd, short what, void *user);

/* ---- the request's life ---- */

struct http_request *
http_request_new(struct conn *conn)
{
    struct http_server *server = conn->server;
    struct http_request *request = TAILQ_FIRST(&server->kept);

    if (request != NULL) {
        TAILQ_REMOVE(&server->kept, request, link);
        server->kept_count--;
    } else if ((request = malloc(sizeof(*request))) == NULL) {
        return NULL;
    }
    memset(request, 0, sizeof(*request));
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

void
http_request_free(struct http_request *request)
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
    if (server->kept_count == HTTP_REQUESTS_KEPT) {
        free(request);
        return;
    }
    TAILQ_INSERT_HEAD(&server->kept, request, link);
    server->kept_count++;
}

/* Was nothing of it given to a handler or guard yet? */
static bool
request_is_ours(const struct conn *conn)
{
    return conn->state != CONN_ANSWER;
}

/* ---- the connection's end ---- */

void
http_conn_close(struct conn *conn)
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
        http_request_free(request);
    } else if (request->gone_cb != NULL) {
        request->gone_cb(request, request->gone_user);
    }
}

void
http_conn_reap(evutil_socket_t fd, short what, void *user)
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

void
http_conn_set_deadline(struct conn *conn, int64_t us)
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
        http_conn_close(conn);
        return;
    }
    conn->state = CONN_LINGER;
    conn->in_bytes = 0;
    http_conn_set_deadline(conn, HTTP_LINGER_US);
    (void)event_add(&conn->ev_read, NULL);
}

/* ---- writing ---- */

void
http_conn_want_write(struct conn *conn)
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
void
http_conn_flush(struct conn *conn)
{
    while (evbuffer_get_length(conn->out) > 0) {
        int sent = conn_send(conn);

        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno != EAGAIN) {
            http_conn_close(conn);
            return;
        }
        if (sent <= 0) {
            http_conn_want_write(conn);
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
        http_conn_close(conn);
        return;
    }
    http_conn_flush(conn);
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
    http_conn_process(conn);
}

/* ---- going on with what was read ---- */

/* The client sends no more: nothing can follow but what is still to be sent. */
static void
conn_peer_is_done(struct conn *conn)
{
    if (conn->state == CONN_IDLE && conn->in_bytes > 0 && !conn->closes) {
        return; /* requests that were sent ahead wait for room */
    }
    if (evbuffer_get_length(conn->out) == 0) {
        http_conn_close(conn);
        return;
    }
    if (conn->request != NULL) {
        http_request_free(conn->request); /* half a request */
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
void
http_conn_process(struct conn *conn)
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
            http_conn_set_deadline(conn,
                                   conn->server->options.header_deadline_us);
            moved = true;
            break;
        case CONN_HEAD:
            moved = http_conn_read_head(conn);
            break;
        case CONN_BODY:
            moved = conn->request->head.chunked
                        ? http_conn_read_chunked_body(conn)
                        : http_conn_read_length_body(conn);
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
        http_conn_process(conn);
        return;
    }
    if (http_conn_hold_body(conn, bytes) &&
        conn->request->body_bytes == conn->request->head.length) {
        conn->processing = true;
        http_conn_end_body(conn);
        conn->processing = false;
    }
    http_conn_process(conn);
}

static void
conn_peer_ended(struct conn *conn)
{
    conn->peer_ended = true;
    (void)event_del(&conn->ev_read);
    if (conn->state == CONN_LINGER ||
        (conn->state == CONN_ANSWER && conn->request->streaming)) {
        http_conn_close(conn);
        return;
    }
    /* A client may end its side and still wait for the answer. */
    http_conn_process(conn);
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
                http_conn_want_write(conn);
            }
            return;
        }
        if (got < 0) {
            http_conn_close(conn);
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
        http_conn_close(conn);
    } else if (conn->state == CONN_HEAD || conn->state == CONN_BODY) {
        conn->server->counts.timeouts_total++;
        http_conn_refuse(conn, 408, "the request did not arrive in time");
    } else if (conn->state == CONN_IDLE && evbuffer_get_length(conn->out) > 0) {
        conn->closes = true; /* its write deadline goes on */
    } else {
        http_conn_close(conn);
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

void
http_conn_accept(int fd,
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
    http_conn_set_deadline(conn, conn->tls != NULL &&
                                         server->options.header_deadline_us >
                                             HTTP_HANDSHAKE_US
                                     ? HTTP_HANDSHAKE_US
                                     : server->options.header_deadline_us);
    if (event_add(&conn->ev_read, NULL) != 0) {
        http_conn_close(conn);
    }
}
