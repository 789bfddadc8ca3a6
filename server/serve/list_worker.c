/* Threads that write pages of lists. */
#define LOG_MODULE "lists"
#include "server/serve/list_worker.h"

#include <event2/event.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/serve/answer.h"
#include "server/serve/http.h"
#include "server/serve/problem.h"

struct list_worker {
    const struct serve_context *context;
    struct background *background;
    struct gathered *gathered; /* of the thread; NULL: the scanner */
    struct event *ev_catch_up; /* the timer of the next time */
    int64_t took_us;           /* the last time; of the thread, then the loop */
};

enum err_code
list_worker_try(struct list_worker *worker,
                background_call *work,
                background_call *done,
                void *data,
                struct err *err)
{
    return background_try(worker->background, work, done, data)
               ? ERR_OK
               : err_set(err, ERR_BUSY,
                         "%d lists are being read; try again in a moment",
                         LIST_WORKER_JOBS_MAX);
}

struct gathered *
list_worker_gathered(struct list_worker *worker)
{
    return worker->gathered;
}

/* ---- pages ---- */

struct page_job {
    struct list_worker *worker;
    struct http_request *http; /* NULL: the client has gone */
    const struct list_source *source;
    struct params params;
    char *params_bytes;
    struct list_request request;
    struct edition *edition; /* holds the dictionary; NULL: it never changes */
    struct buf body;
    struct err err;
};

static void
page_free(struct page_job *job)
{
    const struct serve_context *context = job->worker->context;

    if (job->edition != NULL) {
        context->drop_edition(context->data, &job->edition);
    }
    buf_release(&job->body);
    free(job->params_bytes);
    free(job);
}

static void
page_gone(struct http_request *http, void *user)
{
    struct page_job *job = user;

    job->http = NULL;
    http_reply(http, 503, NULL, (struct span){NULL, 0}); /* to nobody */
}

static void
page_work(void *data)
{
    struct page_job *job = data;

    (void)!list_page(job->source, &job->request, &job->body, &job->err);
}

static void
page_done(void *data)
{
    struct page_job *job = data;

    if (job->http != NULL && job->err.code != ERR_OK) {
        problem_reply_err(job->http, &job->err);
    } else if (job->http != NULL) {
        answer_buf(job->http, 200, list_form_json.content_type, &job->body);
    }
    page_free(job);
}

void
list_worker_page(struct list_worker *worker,
                 struct http_request *http,
                 const struct list_source *source)
{
    const struct serve_context *context = worker->context;
    struct page_job *job = calloc(1, sizeof(*job));
    struct params params;
    struct err err = {0};

    if (job == NULL) {
        (void)err_set(&err, ERR_NO_MEMORY, "list");
        problem_reply_err(http, &err);
        return;
    }
    job->worker = worker;
    job->http = http;
    job->source = source;
    buf_init(&job->body, LIST_PAGE_BYTES_MAX);
    answer_request(context, http, &params, &job->request);
    job->params_bytes = params_copy(&params, &job->params);
    job->request.params = &job->params;
    job->request.gathered = worker->gathered;
    if (context->keep_edition != NULL) {
        job->edition = context->keep_edition(context->data);
    }
    if (job->params_bytes == NULL) {
        (void)err_set(&err, ERR_NO_MEMORY, "list");
    } else if (list_worker_try(worker, page_work, page_done, job, &err) ==
               ERR_OK) {
        http_request_on_gone(http, page_gone, job);
        return;
    }
    page_free(job);
    problem_reply_err(http, &err);
}

/* ---- keeping up ---- */

static void
catch_up_work(void *data)
{
    struct list_worker *worker = data;
    int64_t start_us = clock_mono_us();
    struct reader reader;
    struct err err = {0};

    if (reader_begin(worker->context->store, &reader, &err) == ERR_OK) {
        (void)!gathered_catch_up(worker->gathered, &reader, &err);
        reader_end(&reader);
    }
    if (err.code != ERR_OK) {
        log_warn("the lists cannot be read: %s", err.detail);
    }
    worker->took_us = clock_mono_us() - start_us;
}

/* Beside a full feed there is always something to catch up with: the rest makes
 * it a fifth of a processor at most. */
static void
rest(struct list_worker *worker)
{
    int64_t rest_us = worker->took_us * LIST_WORKER_REST_TIMES;
    struct timeval wait = {LIST_WORKER_CATCH_UP_S, 0};

    if (rest_us > LIST_WORKER_CATCH_UP_S * US_PER_SECOND) {
        wait.tv_sec = (time_t)(rest_us / US_PER_SECOND);
    }
    (void)event_add(worker->ev_catch_up, &wait);
}

static void
catch_up_done(void *data)
{
    rest(data);
}

static void
catch_up_cb(evutil_socket_t fd, short what, void *data)
{
    struct list_worker *worker = data;

    (void)fd;
    (void)what;
    if (!background_try(worker->background, catch_up_work, catch_up_done,
                        worker)) {
        rest(worker); /* the lists that are asked for catch up themselves */
    }
}

static enum err_code
begin_gathering(struct list_worker *worker, struct err *err)
{
    const struct serve_context *context = worker->context;

    worker->gathered = gathered_new(context->changes, GATHERED_PLACES_MAX);
    if (worker->gathered == NULL) {
        return err_set(err, ERR_NO_MEMORY, "lists");
    }
    if (context->changes == NULL) {
        return ERR_OK; /* every look reads everything: only when asked */
    }
    worker->ev_catch_up = event_new(context->base, -1, 0, catch_up_cb, worker);
    if (worker->ev_catch_up == NULL) {
        return err_set(err, ERR_NO_MEMORY, "lists");
    }
    catch_up_cb(-1, 0, worker);
    return ERR_OK;
}

enum err_code
list_worker_new(const struct serve_context *context,
                bool gathers,
                struct list_worker **out,
                struct err *err)
{
    struct list_worker *worker;

    *out = NULL;
    if (context->base == NULL) {
        return ERR_OK;
    }
    worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        return err_set(err, ERR_NO_MEMORY, "lists");
    }
    worker->context = context;
    if (background_new(context->base, LIST_WORKER_JOBS_MAX, &worker->background,
                       err) == ERR_OK &&
        gathers) {
        (void)!begin_gathering(worker, err);
    }
    if (err->code != ERR_OK) {
        list_worker_free(&worker);
        return err->code;
    }
    *out = worker;
    return ERR_OK;
}

void
list_worker_free(struct list_worker **worker)
{
    if (*worker == NULL) {
        return;
    }
    background_free(&(*worker)->background);
    if ((*worker)->ev_catch_up != NULL) {
        event_free((*worker)->ev_catch_up);
    }
    gathered_free(&(*worker)->gathered);
    free(*worker);
    *worker = NULL;
}
