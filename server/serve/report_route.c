/* GET /v1/report. */
#include "server/serve/report_route.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/base/background.h"
#include "server/base/clock.h"
#include "server/report/report.h"
#include "server/serve/answer.h"
#include "server/serve/http.h"
#include "server/serve/problem.h"

enum { REPORT_UNIT_BYTES = 1024 };

static const char *const report_params[] = {"from",  "to",     "unit",
                                            "as_of", "format", NULL};

struct report_route {
    const struct serve_context *context;
    struct background *background;
};

struct report_job {
    struct report_route *route;
    struct http_request *http; /* NULL: the client has gone */
    const struct report_form *form;
    struct report_query query;
    char unit[REPORT_UNIT_BYTES];
    const struct dictionary *dictionary;
    struct edition *edition; /* holds the dictionary; NULL: it never changes */
    struct buf out;
    struct err err;
};

static void
job_free(struct report_job *job)
{
    const struct serve_context *context = job->route->context;

    if (job->edition != NULL) {
        context->drop_edition(context->data, &job->edition);
    }
    buf_release(&job->out);
    free(job);
}

static void
job_gone(struct http_request *http, void *user)
{
    struct report_job *job = user;

    job->http = NULL;
    http_reply(http, 503, NULL, (struct span){NULL, 0}); /* to nobody */
}

/* Helper thread. */
static void
job_work(void *data)
{
    struct report_job *job = data;

    (void)!report_write(job->form, job->route->context->store, job->dictionary,
                        span_of(job->unit), &job->query, &job->out, &job->err);
}

static void
job_done(void *data)
{
    struct report_job *job = data;
    struct http_request *http = job->http;

    if (http == NULL) {
        job_free(job);
        return;
    }
    if (job->err.code != ERR_OK) {
        struct err err = job->err;

        job_free(job);
        problem_reply_err(http, &err);
        return;
    }
    if (job->form->is_binary) {
        http_reply_header(http, "Content-Disposition",
                          "attachment; filename=\"report.%s\"",
                          job->form->name);
    }
    /* The page carries its style with it, and nothing else. */
    http_reply_header(http, "Content-Security-Policy",
                      "default-src 'none'; style-src 'unsafe-inline'; "
                      "base-uri 'none'; form-action 'none'; frame-ancestors "
                      "'none'");
    answer_buf(http, 200, job->form->content_type, &job->out);
    job_free(job);
}

static enum err_code
read_request(struct report_job *job,
             const struct params *params,
             struct err *err)
{
    struct span format = params_get(params, "format");
    struct span unit = params_get(params, "unit");

    if (params_check(params, report_params, NULL, err) != ERR_OK) {
        return err->code;
    }
    job->form =
        report_form_find(format.bytes > 0 ? format : SPAN_LITERAL("json"));
    if (job->form == NULL) {
        return err_set_field(err, ERR_BAD_VALUE, "format",
                             "format is " REPORT_FORM_NAMES);
    }
    if (unit.bytes >= sizeof(job->unit)) {
        return err_set_field(err, ERR_TOO_LONG, "unit", "no unit is so long");
    }
    (void)snprintf(job->unit, sizeof(job->unit), "%.*s", SPAN_ARGS(unit));
    return report_range(params_get(params, "from"), params_get(params, "to"),
                        params_get(params, "as_of"), "", clock_now_us(),
                        &job->query, err);
}

static void
report_handler(struct http_request *http, void *user)
{
    struct report_route *route = user;
    const struct serve_context *context = route->context;
    struct report_job *job = calloc(1, sizeof(*job));
    struct params params;
    struct err err = {0};

    if (job == NULL) {
        (void)err_set(&err, ERR_NO_MEMORY, "report");
        problem_reply_err(http, &err);
        return;
    }
    job->route = route;
    job->http = http;
    buf_init(&job->out, REPORT_BYTES_MAX);
    params_from_request(http, &params);
    if (read_request(job, &params, &err) == ERR_OK) {
        job->dictionary = context->dictionary(context->data);
        if (context->keep_edition != NULL) {
            job->edition = context->keep_edition(context->data);
        }
        if (!background_try(route->background, job_work, job_done, job)) {
            (void)err_set(&err, ERR_BUSY,
                          "%d reports are being written; try again in a moment",
                          REPORT_ROUTE_JOBS_MAX);
        }
    }
    if (err.code != ERR_OK) {
        job_free(job);
        problem_reply_err(http, &err);
        return;
    }
    http_request_on_gone(http, job_gone, job);
}

enum err_code
report_route_new(struct http_server *http,
                 const struct serve_context *context,
                 struct report_route **out,
                 struct err *err)
{
    struct report_route *route;

    *out = NULL;
    if (context->base == NULL) {
        return ERR_OK;
    }
    route = calloc(1, sizeof(*route));
    if (route == NULL) {
        return err_set(err, ERR_NO_MEMORY, "report");
    }
    route->context = context;
    if (background_new(context->base, REPORT_ROUTE_JOBS_MAX, &route->background,
                       err) != ERR_OK) {
        free(route);
        return err->code;
    }
    http_route(http, HTTP_GET, "/v1/report", report_handler, route);
    *out = route;
    return ERR_OK;
}

void
report_route_free(struct report_route **route)
{
    if (*route == NULL) {
        return;
    }
    background_free(&(*route)->background);
    free(*route);
    *route = NULL;
}
