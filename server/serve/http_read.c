/* Reading a request: its head, then its body by length or in chunks. */
#include "server/serve/http_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

bool
http_request_has_body(const struct http_request *request)
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
void
http_conn_begin_body(struct conn *conn)
{
    struct http_request *request = conn->request;
    const struct http_options *options = &conn->server->options;

    if (!http_request_has_body(request)) {
        conn_dispatch(conn);
        return;
    }
    if (request->head.length > options->body_bytes_max) {
        http_conn_refuse(
            conn, 413,
            "the body is longer than http_body_bytes_max; send it in "
            "several requests");
        return;
    }
    if (!body_make_room(request, request->head.chunked
                                     ? HTTP_CHUNK_FIRST_BYTES
                                     : (size_t)request->head.length)) {
        http_conn_refuse(conn, 503, "out of memory; try again");
        return;
    }
    conn->state = CONN_BODY;
    http_conn_set_deadline(conn, options->body_deadline_us);
    if (request->head.expects_continue && conn->in_bytes == 0) {
        (void)evbuffer_add_printf(conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
        http_conn_flush(conn);
    }
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
bool
http_conn_read_head(struct conn *conn)
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
        http_conn_refuse_malformed(conn, 400,
                                   "lines end in CR LF, and NUL is not text");
        return true;
    }
    if (head_bytes == 0) {
        conn->scanned_bytes = conn->in_bytes;
        if (conn->in_bytes < conn->in_room) {
            return false;
        }
        http_conn_refuse(conn, 431,
                         "request line and headers are longer than "
                         "http_header_bytes_max");
        return true;
    }
    request = http_request_new(conn);
    if (request == NULL || (request->head_bytes = malloc(head_bytes)) == NULL) {
        http_conn_close(conn);
        return true;
    }
    conn->server->counts.requests_total++;
    memcpy(request->head_bytes, conn->in, head_bytes);
    conn_drop_front(conn, head_bytes);
    status =
        http_parse_head(request->head_bytes, head_bytes, &request->head, &why);
    if (status != 0) {
        http_conn_refuse_malformed(conn, status, why);
        return true;
    }
    http_conn_begin_request(conn);
    return true;
}

/* Count bytes that were put into the body; false: refused. */
bool
http_conn_hold_body(struct conn *conn, size_t bytes)
{
    struct http_request *request = conn->request;
    struct http_server *server = conn->server;

    request->body_bytes += bytes;
    request->body_held += bytes;
    server->counts.body_bytes_held += bytes;
    if (server->counts.body_bytes_held <= server->options.bodies_bytes_max) {
        return true;
    }
    http_conn_refuse(
        conn, 503,
        "the requests in hand fill http_bodies_bytes_max; try again");
    return false;
}

void
http_conn_end_body(struct conn *conn)
{
    struct http_request *request = conn->request;

    memset(request->body + request->body_bytes, 0, HTTP_BODY_PADDING_BYTES);
    conn_dispatch(conn);
}

bool
http_conn_read_length_body(struct conn *conn)
{
    struct http_request *request = conn->request;
    size_t left = (size_t)request->head.length - request->body_bytes;
    size_t bytes = conn->in_bytes < left ? conn->in_bytes : left;

    memcpy(request->body + request->body_bytes, conn->in, bytes);
    conn_drop_front(conn, bytes);
    if (!http_conn_hold_body(conn, bytes)) {
        return true;
    }
    if (request->body_bytes < request->head.length) {
        return false;
    }
    http_conn_end_body(conn);
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
        http_conn_refuse(
            conn, 413,
            "the body is longer than http_body_bytes_max; send it in "
            "several requests");
        return true;
    }
    if (wanted > request->body_room) {
        size_t room = request->body_room * 2;

        if (!body_make_room(request, room > wanted ? room : wanted)) {
            http_conn_refuse(conn, 503, "out of memory; try again");
            return true;
        }
    }
    memcpy(request->body + request->body_bytes, conn->in, bytes);
    conn_drop_front(conn, bytes);
    chunk->left_bytes -= bytes;
    if (chunk->left_bytes == 0) {
        chunk->state = HTTP_CHUNK_DATA_END;
    }
    (void)http_conn_hold_body(conn, bytes);
    return true;
}

/* One line or one piece of data; false: more bytes are needed. */
bool
http_conn_read_chunked_body(struct conn *conn)
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
        http_conn_refuse_malformed(conn, 400,
                                   "a chunk of the body is malformed");
        return true;
    }
    conn_drop_front(conn, line_bytes + 1);
    if (chunk->state == HTTP_CHUNK_DONE) {
        http_conn_end_body(conn);
    }
    return true;
}
