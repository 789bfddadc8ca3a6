/* Which handler a request belongs to. */
#include "server/serve/http_internal.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/serve/problem.h"

#define LOG_MODULE "http"
#include "server/base/log.h"

void
http_route(struct http_server *server,
           enum http_method method,
           const char *pattern,
           http_handler *handler,
           void *user)
{
    struct route *route;
    struct span rest;

    assert(server->route_count < HTTP_ROUTES_MAX);
    assert(pattern[0] == '/');
    if (server->route_check != NULL && !server->route_check(method, pattern)) {
        log_error("nobody may call this route: give it a row in "
                  "server/serve/access_routes.def route=\"%s %s\"",
                  http_method_name(method), pattern);
        abort();
    }
    route = &server->routes[server->route_count++];
    *route = (struct route){
        .method = method, .pattern = pattern, .handler = handler, .user = user};
    rest = span_of(pattern + 1);
    do {
        assert(route->part_count < HTTP_ROUTE_PARTS_MAX);
        route->parts[route->part_count++] = span_split(&rest, '/');
    } while (rest.data != NULL);
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
match_route(const struct route *route,
            const struct span *segments,
            size_t segment_count,
            struct parameter path[HTTP_PATH_PARAMETERS_MAX])
{
    int count = 0;

    if (route->part_count != segment_count) {
        return -1;
    }
    for (size_t index = 0; index < segment_count; index++) {
        struct span part = route->parts[index];

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
    }
    return count;
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
        int count = match_route(route, segments, segment_count, path);

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

/* ---- a request begins ---- */

/* conn->request has its head: find the route and ask the guard. */
void
http_conn_begin_request(struct conn *conn)
{
    struct http_request *request = conn->request;
    struct http_server *server = conn->server;
    struct span segments[HTTP_SEGMENTS_MAX];
    size_t segment_count;
    char *room;

    request->body_whole = !http_request_has_body(request);
    request->decoded = malloc(request->head.target.bytes + 1);
    if (request->decoded == NULL) {
        http_conn_refuse(conn, 503, "out of memory; try again");
        return;
    }
    room = request->decoded;
    segment_count = decode_path(request, segments, &room);
    if (segment_count == SIZE_MAX) {
        http_conn_refuse_malformed(conn, 400,
                                   "the path is not percent-encoded UTF-8");
        return;
    }
    if (!decode_query(request, room)) {
        http_conn_refuse_malformed(
            conn, 400,
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
    http_conn_begin_body(conn);
}
