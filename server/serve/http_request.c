/* What handlers ask about a request. */
#include "server/serve/http_internal.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

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
