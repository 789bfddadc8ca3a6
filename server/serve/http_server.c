/* A strict HTTP/1.1 server on one event loop: listening, options, the end. */
#include "server/serve/http_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "server/base/config.h"

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

/* ---- the server ---- */

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
    TAILQ_INIT(&server->kept);
    server->date_s = -1;
    server->ev_reap = evtimer_new(base, http_conn_reap, server);
    if (server->ev_reap == NULL) {
        free(server);
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    code = listener_new(base, options->bind, options->port, http_conn_accept,
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
            http_conn_close(conn);
        } else if (conn->state == CONN_IDLE) {
            conn->closes = true;
        }
        conn = next;
    }
}

void
http_server_sift_streams(struct http_server *server,
                         bool (*keep)(void *data,
                                      const struct access_caller *caller),
                         void *data)
{
    struct http_request *request = TAILQ_FIRST(&server->requests);

    while (request != NULL) {
        struct http_request *next = TAILQ_NEXT(request, link);

        if (request->streaming && request->conn != NULL &&
            request->caller.role != ACCESS_NOBODY &&
            !keep(data, &request->caller)) {
            http_conn_close(request->conn);
        }
        request = next;
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
        http_conn_close(conn);
    }
    http_conn_reap(-1, 0, server);
    while ((request = TAILQ_FIRST(&server->requests)) != NULL) {
        http_request_free(request);
    }
    while ((request = TAILQ_FIRST(&server->kept)) != NULL) {
        TAILQ_REMOVE(&server->kept, request, link);
        free(request);
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
