/* The reading side of the HTTP API, bound to its paths. */
#include "server/serve/routes.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/serve/admin.h"
#include "server/serve/answer.h"
#include "server/serve/dictionary_json.h"
#include "server/serve/explain_one.h"
#include "server/serve/export.h"
#include "server/serve/facts.h"
#include "server/serve/http.h"
#include "server/serve/list_worker.h"
#include "server/serve/lists.h"
#include "server/serve/openapi.h"
#include "server/serve/problem.h"
#include "server/serve/report_route.h"
#include "server/serve/status.h"
#include "server/serve/stream.h"
#include "server/serve/ticket_one.h"
#include "server/serve/unmask.h"
#include "server/web/web_routes.h"

enum { ROUTES_PATH_BYTES = 64, ROUTES_FACTS_ARENA_BYTES = 64 * 1024 };

static const struct list_source *const sources[] = {
    &tickets_source, &repeat_callers_source, &hot_spots_source,
    &overdue_source, &counters_source,       &indicators_source,
    &rejects_source, &rules_source,          &audit_source,
};

static const struct list_form *const forms[] = {
    &list_form_json, &list_form_ndjson, &list_form_csv, &list_form_xlsx};

enum {
    SOURCE_COUNT = sizeof(sources) / sizeof(sources[0]),
    FORM_COUNT = sizeof(forms) / sizeof(forms[0])
};

struct list_route {
    struct serve_routes *routes;
    const struct list_source *source;
    const struct list_form *form;
    char path[ROUTES_PATH_BYTES];
};

struct serve_routes {
    struct http_server *http;
    struct serve_context context;
    struct list_worker *scanner; /* NULL: without a loop */
    struct list_worker *gatherer;
    struct exports *exports;
    struct report_route *report;
    struct stream_hub *stream; /* NULL: without a loop */
    struct list_route lists[SOURCE_COUNT * FORM_COUNT];
};

/* ---- lists ---- */

/* NULL: the page is written on the loop. */
static struct list_worker *
worker_of(const struct list_route *route)
{
    switch (route->source->thread) {
    case LIST_ON_LOOP:
        break;
    case LIST_ON_SCANNER:
        return route->routes->scanner;
    case LIST_ON_GATHERER:
        return route->routes->gatherer;
    }
    return NULL;
}

static void
list_page_handler(struct http_request *http, void *user)
{
    const struct list_route *route = user;
    struct params params;
    struct list_request request;
    struct buf body;
    struct err err = {0};

    if (worker_of(route) != NULL) {
        list_worker_page(worker_of(route), http, route->source);
        return;
    }
    answer_request(&route->routes->context, http, &params, &request);
    buf_init(&body, LIST_PAGE_BYTES_MAX);
    if (list_page(route->source, &request, &body, &err) == ERR_OK) {
        answer_buf(http, 200, route->form->content_type, &body);
    } else {
        problem_reply_err(http, &err);
    }
    buf_release(&body);
}

static void
list_export_handler(struct http_request *http, void *user)
{
    const struct list_route *route = user;

    exports_answer(route->routes->exports, http, route->source, route->form);
}

/* ---- one ticket ---- */

static void
ticket_handler(struct http_request *http, void *user)
{
    const struct serve_routes *routes = user;
    struct params params;
    struct list_request request;
    struct buf body;
    struct err err = {0};

    answer_request(&routes->context, http, &params, &request);
    buf_init(&body, TICKET_JSON_BYTES_MAX);
    if (ticket_one_put_json(&request, http_request_path(http, "id"), &body,
                            &err) == ERR_OK) {
        answer_buf(http, 200, "application/json", &body);
    } else {
        problem_reply_err(http, &err);
    }
    buf_release(&body);
}

/* ---- the tables in force ---- */

static void
dictionary_handler(struct http_request *http, void *user)
{
    const struct serve_routes *routes = user;
    const struct serve_context *context = &routes->context;
    struct buf body;
    struct err err = {0};

    buf_init(&body, DICTIONARY_JSON_BYTES_MAX);
    if (dictionary_put_json(context->dictionary(context->data), &body, &err) ==
        ERR_OK) {
        answer_buf(http, 200, "application/json", &body);
    } else {
        problem_reply_err(http, &err);
    }
    buf_release(&body);
}

static void
explain_handler(struct http_request *http, void *user)
{
    const struct serve_routes *routes = user;
    const struct serve_context *context = &routes->context;
    struct buf body;
    struct err err = {0};

    if (!http_request_has_type(http, "application/json")) {
        problem_reply(http, 415, "unsupported_media_type",
                      "send application/json: {\"text\":\"…\"}");
        return;
    }
    buf_init(&body, EXPLAIN_JSON_BYTES_MAX);
    if (explain_put_json(http_request_body(http),
                         context->dictionary(context->data), &body,
                         &err) == ERR_OK) {
        answer_buf(http, 200, "application/json", &body);
    } else {
        problem_reply_err(http, &err);
    }
    buf_release(&body);
}

static void
openapi_handler(struct http_request *http, void *user)
{
    const struct serve_routes *routes = user;
    const struct openapi_lists lists = {sources, SOURCE_COUNT, forms,
                                        FORM_COUNT};
    struct buf body;
    struct err err = {0};

    buf_init(&body, OPENAPI_BYTES_MAX);
    if (openapi_put_json(routes->http, &lists, &body, &err) == ERR_OK) {
        answer_buf(http, 200, "application/json", &body);
    } else {
        problem_reply_err(http, &err);
    }
    buf_release(&body);
}

static void
stream_handler(struct http_request *http, void *user)
{
    const struct serve_routes *routes = user;

    if (routes->stream == NULL) {
        problem_reply(http, 501, "not_implemented",
                      "this server has no event stream");
        return;
    }
    stream_open(routes->stream, http);
}

/* ---- facts ---- */

struct facts_job {
    struct http_request *http;
    size_t count;
};

static void
facts_done(void *data, const struct err *err)
{
    struct facts_job *job = data;
    struct buf body;

    if (err->code != ERR_OK) {
        problem_reply_err(job->http, err);
    } else {
        buf_init(&body, 256);
        buf_printf(&body, "{\"received\":%zu,\"stored\":%zu}\n", job->count,
                   job->count);
        http_reply(job->http, 200, "application/json", buf_view(&body));
        buf_release(&body);
    }
    free(job);
}

/* Read the body and hand it over; false: err says why not. */
static bool
facts_submit(const struct serve_routes *routes,
             struct http_request *http,
             struct facts_job *job,
             struct err *err)
{
    const struct serve_context *context = &routes->context;
    struct ledger_fact *facts = malloc(FACTS_MAX * sizeof(*facts));
    struct arena arena;
    bool handed = false;

    if (facts == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "facts");
        return false;
    }
    arena_init(&arena, ROUTES_FACTS_ARENA_BYTES);
    if (facts_read(http_request_body(http), context->dictionary(context->data),
                   clock_now_us(), &arena, facts, &job->count, err) == ERR_OK) {
        handed = context->put_facts(context->data, facts, job->count,
                                    facts_done, job, err) == ERR_OK;
    }
    arena_release(&arena);
    free(facts);
    return handed;
}

static void
facts_handler(struct http_request *http, void *user)
{
    const struct serve_routes *routes = user;
    struct facts_job *job;
    struct err err = {0};

    if (routes->context.put_facts == NULL) {
        problem_reply(http, 501, "not_implemented",
                      "this server takes no facts");
        return;
    }
    if (!http_request_has_type(http, "application/json")) {
        problem_reply(http, 415, "unsupported_media_type",
                      "send application/json: a fact or an array of facts");
        return;
    }
    job = calloc(1, sizeof(*job));
    if (job == NULL) {
        (void)err_set(&err, ERR_NO_MEMORY, "facts");
    } else {
        job->http = http;
    }
    if (job == NULL || !facts_submit(routes, http, job, &err)) {
        free(job);
        problem_reply_err(http, &err);
    }
}

/* ---- operators ---- */

static void
metrics_handler(struct http_request *http, void *user)
{
    const struct serve_routes *routes = user;
    struct http_counts counts;
    struct params params;
    struct list_request request;
    struct buf body;
    struct err err = {0};

    answer_request(&routes->context, http, &params, &request);
    http_server_counts(routes->http, &counts);
    buf_init(&body, STATUS_BYTES_MAX);
    if (status_put_metrics(&request, &counts, &body, &err) == ERR_OK) {
        answer_buf(http, 200, "text/plain; version=0.0.4; charset=utf-8",
                   &body);
    } else {
        problem_reply_err(http, &err);
    }
    buf_release(&body);
}

static void
health_handler(struct http_request *http, void *user)
{
    (void)user;
    http_reply_header(http, "Cache-Control", "no-store");
    http_reply(http, 200, "application/json",
               SPAN_LITERAL("{\"alive\":true}\n"));
}

static void
ready_handler(struct http_request *http, void *user)
{
    const struct serve_routes *routes = user;
    struct params params;
    struct list_request request;
    struct buf body;
    bool ready = false;

    answer_request(&routes->context, http, &params, &request);
    buf_init(&body, STATUS_BYTES_MAX);
    status_put_ready(&request, &body, &ready);
    answer_buf(http, ready ? 200 : 503, "application/json", &body);
    buf_release(&body);
}

enum err_code
serve_routes_new(struct http_server *http,
                 const struct serve_context *context,
                 struct serve_routes **out,
                 struct err *err)
{
    struct serve_routes *routes = calloc(1, sizeof(*routes));

    if (routes == NULL) {
        return err_set(err, ERR_NO_MEMORY, "routes");
    }
    routes->http = http;
    routes->context = *context;
    if (list_worker_new(&routes->context, false, &routes->scanner, err) !=
            ERR_OK ||
        list_worker_new(&routes->context, true, &routes->gatherer, err) !=
            ERR_OK ||
        exports_new(&routes->context, routes->gatherer, &routes->exports,
                    err) != ERR_OK ||
        report_route_new(http, &routes->context, &routes->report, err) !=
            ERR_OK ||
        (context->events != NULL &&
         stream_hub_new(&routes->context, &routes->stream, err) != ERR_OK)) {
        serve_routes_free(&routes);
        return err->code;
    }
    for (size_t s = 0; s < SOURCE_COUNT; s++) {
        for (size_t f = 0; f < FORM_COUNT; f++) {
            struct list_route *route = &routes->lists[s * FORM_COUNT + f];

            route->routes = routes;
            route->source = sources[s];
            route->form = forms[f];
            (void)snprintf(route->path, sizeof(route->path), "/v1/%s%s",
                           sources[s]->name, forms[f]->suffix);
            http_route(http, HTTP_GET, route->path,
                       forms[f]->paged ? list_page_handler
                                       : list_export_handler,
                       route);
        }
    }
    http_route(http, HTTP_GET, "/v1/tickets/{id}", ticket_handler, routes);
    http_route(http, HTTP_POST, "/v1/tickets/{id}/unmask", unmask_handler,
               &routes->context);
    http_route(http, HTTP_GET, "/openapi.json", openapi_handler, routes);
    http_route(http, HTTP_GET, "/v1/stream", stream_handler, routes);
    http_route(http, HTTP_GET, "/v1/dictionary", dictionary_handler, routes);
    http_route(http, HTTP_POST, "/v1/explain", explain_handler, routes);
    http_route(http, HTTP_PUT, "/v1/facts", facts_handler, routes);
    http_route(http, HTTP_POST, "/v1/admin/reload", admin_reload_handler,
               &routes->context);
    http_route(http, HTTP_POST, "/v1/admin/reclassify",
               admin_reclassify_start_handler, &routes->context);
    http_route(http, HTTP_DELETE, "/v1/admin/reclassify",
               admin_reclassify_stop_handler, &routes->context);
    http_route(http, HTTP_GET, "/v1/admin/reclassify", admin_reclassify_handler,
               &routes->context);
    http_route(http, HTTP_POST, "/v1/admin/expire", admin_expire_start_handler,
               &routes->context);
    http_route(http, HTTP_DELETE, "/v1/admin/expire", admin_expire_stop_handler,
               &routes->context);
    http_route(http, HTTP_GET, "/v1/admin/expire", admin_expire_handler,
               &routes->context);
    http_route(http, HTTP_POST, "/v1/admin/replay", admin_replay_start_handler,
               &routes->context);
    http_route(http, HTTP_DELETE, "/v1/admin/replay", admin_replay_stop_handler,
               &routes->context);
    http_route(http, HTTP_GET, "/v1/admin/replay", admin_replay_handler,
               &routes->context);
    http_route(http, HTTP_GET, "/metrics", metrics_handler, routes);
    http_route(http, HTTP_GET, "/healthz", health_handler, routes);
    http_route(http, HTTP_GET, "/readyz", ready_handler, routes);
    web_routes_add(http);
    *out = routes;
    return ERR_OK;
}

void
serve_routes_drain(struct serve_routes *routes)
{
    if (routes->stream != NULL) {
        stream_end_all(routes->stream);
    }
}

void
serve_routes_free(struct serve_routes **routes)
{
    if (*routes == NULL) {
        return;
    }
    report_route_free(&(*routes)->report);
    list_worker_free(&(*routes)->scanner);
    list_worker_free(&(*routes)->gatherer); /* before the exports: their jobs */
    exports_free(&(*routes)->exports);
    stream_hub_free(&(*routes)->stream);
    free(*routes);
    *routes = NULL;
}
