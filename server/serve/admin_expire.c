/* Old tickets taken out: begin, stop, how far it has come. */
#include "server/serve/admin.h"

#include "server/serve/answer.h"
#include "server/serve/context.h"
#include "server/serve/http.h"
#include "server/serve/params.h"
#include "server/serve/problem.h"
#include "server/serve/query.h"
#include "server/upkeep/expire.h"

/* Null for a time that has not come. */
static void
put_time(struct json_out *json, const char *key, int64_t at_us)
{
    char text[TICKET_TIME_BYTES];

    json_put_text(json, key,
                  at_us != 0 && at_us != INT64_MIN
                      ? ticket_time_format(at_us, text)
                      : NULL);
}

static void
expire_answer(struct http_request *http, struct expire *expire, unsigned status)
{
    struct expire_progress progress;
    const struct ledger_expire *mark = &progress.mark;
    struct json_out json;
    struct buf body;

    expire_progress(expire, &progress);
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    json_init(&json, &body);
    json_open_object(&json);
    json_put_text(&json, "state", long_run_state_name(progress.state));
    put_time(&json, "before",
             progress.state != LONG_RUN_IDLE ? mark->before_us : 0);
    json_put_bool(&json, "open", mark->open_too);
    json_put_uint(&json, "tickets", mark->tickets);
    json_put_uint(&json, "events", mark->events);
    json_put_uint(&json, "rejects", mark->rejects);
    json_put_uint(&json, "stay_open", mark->open);
    json_put_uint(&json, "stay_named", mark->named);
    put_time(&json, "at", progress.at_us);
    json_put_uint(&json, "per_second", progress.per_second);
    put_time(&json, "started_at", mark->started_us);
    put_time(&json, "ended_at", mark->ended_us);
    json_put_text(&json, "error",
                  progress.state == LONG_RUN_FAILED ? progress.err.detail : NULL);
    json_close_object(&json);
    buf_put_char(&body, '\n');
    answer_buf(http, status, "application/json", &body);
    buf_release(&body);
}

static bool
expire_is_there(const struct serve_context *context, struct http_request *http)
{
    if (context->expire == NULL) {
        problem_reply(http, 501, "not_implemented",
                      "this server does not let tickets expire");
        return false;
    }
    return true;
}

void
admin_expire_start_handler(struct http_request *http, void *user)
{
    static const char *const known[] = {"before", "open", NULL};
    const struct serve_context *context = user;
    struct params params;
    struct err err = {0};
    int64_t before_us = 0;
    bool given;
    bool open_too = false;

    if (!expire_is_there(context, http)) {
        return;
    }
    params_from_request(http, &params);
    if (params_get(&params, "before").bytes == 0) {
        (void)err_set_field(&err, ERR_BAD_VALUE, "before",
                            "say which tickets: before=2020-01-01, what was "
                            "accepted before that day");
    }
    if (params_check(&params, known, NULL, &err) != ERR_OK ||
        query_time_parse(params_get(&params, "before"), false, "before",
                         &before_us, &err) != ERR_OK ||
        params_switch(&params, "open", &given, &open_too, &err) != ERR_OK ||
        expire_start(context->expire, before_us, open_too, &err) != ERR_OK) {
        problem_reply_err(http, &err);
        return;
    }
    expire_answer(http, context->expire, 202);
}

void
admin_expire_stop_handler(struct http_request *http, void *user)
{
    const struct serve_context *context = user;

    if (expire_is_there(context, http)) {
        expire_stop(context->expire);
        expire_answer(http, context->expire, 202);
    }
}

void
admin_expire_handler(struct http_request *http, void *user)
{
    const struct serve_context *context = user;

    if (expire_is_there(context, http)) {
        expire_answer(http, context->expire, 200);
    }
}
