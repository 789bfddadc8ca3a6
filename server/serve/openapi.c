/* The API as an OpenAPI 3.1 document, from the routes that are there. */
#include "server/serve/openapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/json_out.h"
#include "server/serve/access.h"
#include "server/serve/http.h"

enum { OPENAPI_METHOD_BYTES = 16, OPENAPI_PATH_BYTES = 64 };

struct route_text {
    enum http_method method;
    const char *pattern;
    const char *sentence;
    const char *parameters;
    const char *body;
    unsigned status;
    const char *answer;
};

static const struct route_text route_texts[] = {
#define OPENAPI_ROUTE(method, pattern, sentence, parameters, body, status,     \
                      answer)                                                  \
    {HTTP_##method, pattern, sentence, parameters, body, status, answer},
#include "server/serve/openapi.def"
#undef OPENAPI_ROUTE
};

static const struct {
    const char *name;
    const char *schema;
    const char *sentence;
} parameter_texts[] = {
#define OPENAPI_PARAMETER(name, schema, sentence) {name, schema, sentence},
#include "server/serve/openapi.def"
#undef OPENAPI_PARAMETER
};

static const struct route_text *
find_text(enum http_method method, const char *pattern)
{
    for (size_t i = 0; i < sizeof(route_texts) / sizeof(route_texts[0]); i++) {
        if (route_texts[i].method == method &&
            strcmp(route_texts[i].pattern, pattern) == 0) {
            return &route_texts[i];
        }
    }
    return NULL;
}

/* Which list and form is it? False: none. */
static bool
find_list(const struct openapi_lists *lists,
          enum http_method method,
          const char *pattern,
          const struct list_source **source,
          const struct list_form **form)
{
    char path[OPENAPI_PATH_BYTES];

    for (size_t s = 0; method == HTTP_GET && s < lists->source_count; s++) {
        for (size_t f = 0; f < lists->form_count; f++) {
            (void)snprintf(path, sizeof(path), "/v1/%s%s",
                           lists->sources[s]->name, lists->forms[f]->suffix);
            if (strcmp(path, pattern) == 0) {
                *source = lists->sources[s];
                *form = lists->forms[f];
                return true;
            }
        }
    }
    return false;
}

/* ---- parameters ---- */

static void
put_parameter(struct json_out *json, struct span name, const char *where)
{
    json_open_object(json);
    json_put_string(json, "name", name);
    json_put_text(json, "in", where);
    if (strcmp(where, "path") == 0) {
        json_put_bool(json, "required", true);
    }
    for (size_t i = 0; i < sizeof(parameter_texts) / sizeof(parameter_texts[0]);
         i++) {
        if (span_is(name, parameter_texts[i].name)) {
            json_put_text(json, "description", parameter_texts[i].sentence);
            json_key(json, "schema");
            json_raw(json, span_of(parameter_texts[i].schema));
        }
    }
    json_close_object(json);
}

static void
put_names(struct json_out *json, const char *const *names)
{
    for (; *names != NULL; names++) {
        put_parameter(json, span_of(*names), "query");
    }
}

/* The parts in braces. */
static void
put_path_parameters(struct json_out *json, const char *pattern)
{
    const char *at = pattern;

    while ((at = strchr(at, '{')) != NULL) {
        size_t bytes = strcspn(++at, "}");

        put_parameter(json, (struct span){at, bytes}, "path");
    }
}

static void
put_text_parameters(struct json_out *json, const char *words)
{
    struct span rest = span_of(words);

    while (rest.bytes > 0) {
        put_parameter(json, span_split(&rest, ','), "query");
    }
}

/* ---- answers ---- */

static const char *
kind_schema(enum list_kind kind)
{
    switch (kind) {
    case LIST_WORDS:
        return "{\"type\":[\"array\",\"null\"],\"items\":{\"type\":"
               "\"string\"}}";
    case LIST_INT:
        return "{\"type\":[\"integer\",\"null\"]}";
    case LIST_REAL:
        return "{\"type\":[\"number\",\"null\"]}";
    case LIST_TIME:
        return "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}";
    case LIST_BOOL:
        return "{\"type\":[\"boolean\",\"null\"]}";
    case LIST_TEXT:
    case LIST_DIGITS:
        break;
    }
    return "{\"type\":[\"string\",\"null\"]}";
}

/* A row as an object; what depends on the request (counters) is left open. */
static void
put_row_schema(struct json_out *json, const struct list_source *source)
{
    void *state = calloc(1, source->state_bytes);
    size_t count = 0;
    const struct list_column *columns =
        state != NULL ? source->columns(state, &count) : NULL;

    json_open_object(json);
    json_put_text(json, "type", "object");
    json_key(json, "properties");
    json_open_object(json);
    for (size_t i = 0; i < count; i++) {
        json_key(json, columns[i].name);
        json_raw(json, span_of(kind_schema(columns[i].kind)));
    }
    json_close_object(json);
    json_close_object(json);
    free(state);
}

static void
put_page_schema(struct json_out *json, const struct list_source *source)
{
    json_open_object(json);
    json_put_text(json, "type", "object");
    json_key(json, "required");
    json_raw(json, SPAN_LITERAL("[\"items\",\"next\",\"snapshot\"]"));
    json_key(json, "properties");
    json_open_object(json);
    json_key(json, "items");
    json_open_object(json);
    json_put_text(json, "type", "array");
    json_key(json, "items");
    put_row_schema(json, source);
    json_close_object(json);
    json_key(json, "next");
    json_raw(json, SPAN_LITERAL("{\"type\":[\"string\",\"null\"]}"));
    json_key(json, "total");
    json_raw(json, SPAN_LITERAL("{\"type\":\"integer\"}"));
    json_key(json, "total_at_least");
    json_raw(json, SPAN_LITERAL("{\"type\":\"integer\"}"));
    json_key(json, "snapshot");
    json_raw(json, SPAN_LITERAL("{\"type\":\"integer\"}"));
    json_close_object(json);
    json_close_object(json);
}

/* "content":{TYPE:{"schema":…}}; `source`: a page of that list. */
static void
put_content(struct json_out *json,
            const char *types,
            const struct list_source *source)
{
    struct span rest = span_of(types);

    json_key(json, "content");
    json_open_object(json);
    while (rest.bytes > 0) {
        struct span type = span_split(&rest, ',');

        json_key_span(json, span_trim(span_split(&type, ';')));
        json_open_object(json);
        json_key(json, "schema");
        if (source != NULL) {
            put_page_schema(json, source);
        } else {
            json_raw(json, SPAN_LITERAL("{}"));
        }
        json_close_object(json);
    }
    json_close_object(json);
}

static void
put_responses(struct json_out *json,
              unsigned status,
              const char *type,
              const struct list_source *source)
{
    char number[16];

    (void)snprintf(number, sizeof(number), "%u", status);
    json_key(json, "responses");
    json_open_object(json);
    json_key(json, number);
    json_open_object(json);
    json_put_text(json, "description", http_status_text(status));
    if (type != NULL) {
        put_content(json, type, source);
    }
    json_close_object(json);
    json_key(json, "default");
    json_raw(json, SPAN_LITERAL("{\"$ref\":\"#/components/responses/"
                                "problem\"}"));
    json_close_object(json);
}

/* ---- operations ---- */

static void
put_roles(struct json_out *json, enum http_method method, const char *pattern)
{
    unsigned roles = access_route_roles(method, pattern);

    json_key(json, "x-roles");
    json_open_array(json);
    for (unsigned r = 0; r < ACCESS_ROLE_COUNT; r++) {
        if (access_may((enum access_role)r, roles)) {
            json_text(json, access_role_name((enum access_role)r));
        }
    }
    json_close_array(json);
    if (access_may(ACCESS_NOBODY, roles)) {
        json_key(json, "security");
        json_raw(json, SPAN_LITERAL("[]"));
    }
}

static void
put_operation(struct json_out *json,
              const struct openapi_lists *lists,
              enum http_method method,
              const char *pattern)
{
    const struct route_text *text = find_text(method, pattern);
    const struct list_source *source = NULL;
    const struct list_form *form = NULL;
    bool is_list = find_list(lists, method, pattern, &source, &form);
    char word[OPENAPI_METHOD_BYTES];
    size_t i;

    (void)snprintf(word, sizeof(word), "%s", http_method_name(method));
    for (i = 0; word[i] != '\0'; i++) {
        word[i] = (char)(word[i] | 0x20); /* letters only: to lower case */
    }
    json_key(json, word);
    json_open_object(json);
    if (text != NULL) {
        json_put_text(json, "summary", text->sentence);
    } else if (is_list) {
        json_put_text(json, "summary",
                      form->paged ? "a list, page by page"
                                  : "the whole list as a file");
    }
    put_roles(json, method, pattern);
    json_key(json, "parameters");
    json_open_array(json);
    put_path_parameters(json, pattern);
    if (is_list) {
        put_names(json, source->params);
        put_names(json, list_common_params);
    } else if (text != NULL) {
        put_text_parameters(json, text->parameters);
    }
    json_close_array(json);
    if (text != NULL && text->body != NULL) {
        json_key(json, "requestBody");
        json_open_object(json);
        json_put_bool(json, "required", true);
        put_content(json, text->body, NULL);
        json_close_object(json);
    }
    put_responses(json, text != NULL ? text->status : 200,
                  text != NULL ? text->answer
                  : is_list    ? form->content_type
                               : NULL,
                  is_list && form->paged ? source : NULL);
    json_close_object(json);
}

/* Did an earlier route have this pattern? */
static bool
is_known(const struct http_server *http, size_t index, const char *pattern)
{
    for (size_t i = 0; i < index; i++) {
        enum http_method method;
        const char *other;

        if (http_server_route(http, i, &method, &other) &&
            strcmp(other, pattern) == 0) {
            return true;
        }
    }
    return false;
}

static void
put_paths(struct json_out *json,
          const struct http_server *http,
          const struct openapi_lists *lists)
{
    enum http_method method;
    const char *pattern;

    json_key(json, "paths");
    json_open_object(json);
    for (size_t i = 0; http_server_route(http, i, &method, &pattern); i++) {
        const char *other;

        if (is_known(http, i, pattern)) {
            continue;
        }
        json_key(json, pattern);
        json_open_object(json);
        for (size_t j = i; http_server_route(http, j, &method, &other); j++) {
            if (strcmp(other, pattern) == 0) {
                put_operation(json, lists, method, pattern);
            }
        }
        json_close_object(json);
    }
    json_close_object(json);
}

static const char components[] =
    "{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
    "\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":"
    "\"" ACCESS_COOKIE "\"}},"
    "\"responses\":{\"problem\":{\"description\":\"what is wrong and how to "
    "mend it (RFC 9457)\",\"content\":{\"application/problem+json\":{"
    "\"schema\":{\"$ref\":\"#/components/schemas/problem\"}}}}},"
    "\"schemas\":{\"problem\":{\"type\":\"object\",\"required\":[\"type\","
    "\"title\",\"status\",\"code\"],\"properties\":{"
    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"integer\"},\"code\":{\"type\":\"string\"},"
    "\"field\":{\"type\":[\"string\",\"null\"]},\"detail\":{\"type\":"
    "\"string\"},\"instance\":{\"type\":\"string\"},\"request_id\":{\"type\":"
    "\"integer\"}}}}}";

enum err_code
openapi_put_json(const struct http_server *http,
                 const struct openapi_lists *lists,
                 struct buf *out,
                 struct err *err)
{
    struct json_out json;

    json_init(&json, out);
    json_open_object(&json);
    json_put_text(&json, "openapi", "3.1.0");
    json_key(&json, "info");
    json_open_object(&json);
    json_put_text(&json, "title", "suqiu");
    json_put_text(&json, "version", SUQIU_VERSION);
    json_put_text(&json, "summary",
                  "hotline work orders of a power company: docs/http-api.md "
                  "says it in words");
    json_close_object(&json);
    put_paths(&json, http, lists);
    json_key(&json, "components");
    json_raw(&json, span_of(components));
    json_key(&json, "security");
    json_raw(&json, SPAN_LITERAL("[{\"token\":[]},{\"session\":[]}]"));
    json_close_object(&json);
    buf_put_char(out, '\n');
    return buf_check(out, err);
}
