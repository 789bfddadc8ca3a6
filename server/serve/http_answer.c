/* Answers: at once, later, in parts; and the ones we give ourselves. */
#include "server/serve/http_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/serve/problem.h"

#define LOG_MODULE "http"
#include "server/base/log.h"

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
    /* not no-referrer: browsers then send "Origin: null" with a form, and the
     * sign-in would be refused */
    "Referrer-Policy: same-origin\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

static void
put_text(struct evbuffer *out, const char *text)
{
    (void)evbuffer_add(out, text, strlen(text));
}

/* The date of now, made once a second. */
static const char *
http_date(struct http_server *server)
{
    int64_t now_s = clock_now_us() / 1000000;
    time_t now = (time_t)now_s;
    struct tm utc;

    if (server->date_s != now_s) {
        (void)gmtime_r(&now, &utc);
        /* The C locale holds: nothing in the program sets another one. */
        (void)strftime(server->date, sizeof(server->date),
                       "%a, %d %b %Y %H:%M:%S GMT", &utc);
        server->date_s = now_s;
    }
    return server->date;
}

/* Status line and headers; body_bytes is -1 for a stream. */
static void
put_reply_head(struct http_request *request,
               unsigned status,
               const char *content_type,
               long long body_bytes)
{
    struct conn *conn = request->conn;
    struct evbuffer *out = conn->out;
    struct span extra = buf_view(&request->reply_headers);

    assert(status >= 200 && status < 600);
    conn->server->counts.replies_total[status / 100]++;
    (void)evbuffer_add_printf(out, "HTTP/1.1 %u %s\r\nDate: %s\r\n", status,
                              http_status_text(status),
                              http_date(conn->server));
    if (!request->has_content_policy) {
        put_text(out, content_policy);
    }
    put_text(out, safety_headers);
    if (content_type != NULL) {
        put_text(out, "Content-Type: ");
        put_text(out, content_type);
        put_text(out, "\r\n");
    }
    if (!request->has_cache_control) {
        put_text(out, "Cache-Control: no-store\r\n");
    }
    if (request->stream_chunked) {
        put_text(out, "Transfer-Encoding: chunked\r\n");
    } else if (body_bytes >= 0 && status != 204 && status != 304) {
        (void)evbuffer_add_printf(out, "Content-Length: %lld\r\n", body_bytes);
    }
    if (conn->closes) {
        put_text(out, "Connection: close\r\n");
    } else if (request->head.minor == 0) {
        put_text(out, "Connection: keep-alive\r\n");
    }
    (void)evbuffer_add(out, extra.data, extra.bytes);
    put_text(out, "\r\n");
}

/* The answer is complete in the buffer: on to the next request, or the end. */
static void
conn_answered(struct conn *conn)
{
    http_request_free(conn->request);
    conn->state = CONN_IDLE;
    conn->scanned_bytes = 0;
    conn->empty_line_seen = false;
    if (conn->server->draining) {
        conn->closes = true;
    }
    http_conn_flush(conn);
    if (conn->state == CONN_IDLE && !conn->closes) {
        http_conn_set_deadline(conn, conn->server->options.idle_deadline_us);
        http_conn_process(conn);
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
        http_request_free(request);
        return;
    }
    answer_begins(request);
    put_reply_head(request, status, content_type, (long long)body.bytes);
    if (!request->head.is_head && status != 204 && status != 304 &&
        evbuffer_add(conn->out, body.data, body.bytes) != 0) {
        conn->state = CONN_HEAD; /* no callback: the owner is here */
        http_conn_close(conn);
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
    http_conn_want_write(conn);
    /* From here on the end of the client's side means that it has gone. */
    if (conn->peer_ended) {
        http_conn_set_deadline(conn,
                               0); /* not here: the owner is on the stack */
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
        http_conn_set_deadline(conn,
                               0); /* not here: the owner is on the stack */
        return false;
    }
    if (!event_pending(&conn->ev_write, EV_WRITE, NULL)) {
        http_conn_want_write(conn);
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
        http_conn_want_write(request->conn);
    }
}

void
http_stream_end(struct http_request *request, bool whole)
{
    struct conn *conn = request->conn;

    assert(request->streaming);
    if (conn == NULL) {
        http_request_free(request);
        return;
    }
    if (!whole) {
        conn->state = CONN_HEAD; /* no callback: the owner is here */
        http_conn_close(conn);
        return;
    }
    if (request->stream_chunked && !request->head.is_head) {
        (void)evbuffer_add(conn->out, "0\r\n\r\n", 5);
    }
    conn_answered(conn);
}

/* ---- refusing what is no request ---- */

/* Answer by ourselves and close. The text is ours, never the client's. */
void
http_conn_refuse(struct conn *conn, unsigned status, const char *why)
{
    struct http_request *request = conn->request;

    if (request == NULL) {
        request = http_request_new(conn);
        if (request == NULL) {
            http_conn_close(conn);
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

void
http_conn_refuse_malformed(struct conn *conn, unsigned status, const char *why)
{
    conn->server->counts.malformed_total++;
    http_conn_refuse(conn, status, why);
}
