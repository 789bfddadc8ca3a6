/* Reload: the answer says what changed, or every error. Reclassify: how far it
 * has come. */
#include "server/serve/admin.h"

#include "server/rulebook/reclassify.h"
#include "server/rulebook/reload.h"
#include "server/serve/context.h"
#include "server/serve/http.h"
#include "server/serve/problem.h"

enum { HTTP_UNPROCESSABLE = 422 };

static const char *
effect_text(enum reload_effect effect)
{
    return effect == RELOAD_AT_ONCE ? "at_once" : "new_records";
}

static void
put_changes(struct json_out *json, const struct reload_result *result)
{
    json_key(json, "tables");
    json_open_array(json);
    for (size_t i = 0; i < result->change_count; i++) {
        const struct reload_change *one = &result->changes[i];

        json_open_object(json);
        json_put_text(json, "table", one->table);
        json_put_text(json, "change", one->change);
        json_put_text(json, "applies", effect_text(one->effect));
        json_close_object(json);
    }
    json_close_array(json);
}

static const char *
advice(const struct reload_result *result)
{
    if (!result->changed && result->embedded) {
        return "the tables inside the program are in force; start with --dict "
               "DIR to change tables";
    }
    if (!result->changed) {
        return "the tables are those that are in force";
    }
    return result->reclassify
               ? "tickets that are there keep their verdicts and clocks until "
                 "they change or are classified again: suqiu reclassify or "
                 "POST /v1/admin/reclassify"
               : "in force for everything";
}

static void
put_fine(struct buf *body, const struct reload_result *result)
{
    struct json_out json;

    json_init(&json, body);
    json_open_object(&json);
    json_put_bool(&json, "changed", result->changed);
    json_put_text(&json, "dictionary", result->version);
    json_put_text(&json, "previous", result->previous);
    json_put_uint(&json, "rules", result->rules);
    put_changes(&json, result);
    json_put_bool(&json, "reclassify", result->changed && result->reclassify);
    json_put_text(&json, "advice", advice(result));
    json_put_uint(&json, "took_ms", (uint64_t)result->took_us / 1000);
    json_close_object(&json);
    buf_put_char(body, '\n');
}

static void
put_span_or_null(struct json_out *json, const char *key, struct span text)
{
    json_put_string(json, key, text.bytes > 0 ? text : (struct span){NULL, 0});
}

static void
put_errors(struct json_out *json, const struct reload_result *result)
{
    json_key(json, "errors");
    json_open_array(json);
    for (size_t i = 0; i < result->error_count; i++) {
        const struct err *err = &result->errors[i];
        struct reload_place place;

        reload_place_of(err, &place);
        json_open_object(json);
        put_span_or_null(json, "table", place.table);
        json_key(json, "line");
        if (place.line > 0) {
            json_uint(json, place.line);
        } else {
            json_null(json);
        }
        put_span_or_null(json, "column", place.column);
        put_span_or_null(json, "value", place.value);
        json_put_text(json, "code", err_code_name(err->code));
        json_put_string(json, "detail", place.message);
        put_span_or_null(json, "excerpt", place.excerpt);
        json_close_object(json);
    }
    json_close_array(json);
    json_put_uint(json, "error_count", result->error_total);
    json_put_bool(json, "errors_truncated",
                  result->error_count < result->error_total);
}

/* A problem document with the list of errors. */
static void
put_refused(struct buf *body,
            struct http_request *http,
            const struct reload_result *result)
{
    bool english =
        problem_wants_english(http_request_header(http, "accept-language"));
    struct json_out json;

    json_init(&json, body);
    json_open_object(&json);
    json_put_text(&json, "type", "urn:suqiu:problem:bad_table");
    json_put_text(&json, "title",
                  english ? "the tables were refused, the old ones stay"
                          : "词典有错误，未生效，仍使用原来的词典");
    json_put_uint(&json, "status", HTTP_UNPROCESSABLE);
    json_put_text(&json, "code", "bad_table");
    json_put_text(&json, "detail",
                  result->error_count > 0 ? result->errors[0].detail : "");
    json_put_text(&json, "dictionary", result->version);
    put_errors(&json, result);
    json_close_object(&json);
    buf_put_char(body, '\n');
}

static void
reload_answer(void *data, const struct reload_result *result)
{
    struct http_request *http = data;
    struct buf body;

    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    if (result->fine) {
        put_fine(&body, result);
    } else {
        put_refused(&body, http, result);
    }
    http_reply_header(http, "Cache-Control", "no-store");
    http_reply(http, result->fine ? 200 : HTTP_UNPROCESSABLE,
               result->fine ? "application/json" : "application/problem+json",
               buf_view(&body));
    buf_release(&body);
}

void
admin_reload_handler(struct http_request *http, void *user)
{
    const struct serve_context *context = user;
    struct err err = {0};

    if (context->reload == NULL) {
        problem_reply(http, 501, "not_implemented",
                      "this server does not reload its tables");
    } else if (reload_start(context->reload, reload_answer, http, &err) !=
               ERR_OK) {
        problem_reply_err(http, &err);
    }
}

/* ---- reclassify ---- */

static void
put_time(struct json_out *json, const char *key, int64_t at_us)
{
    char text[TICKET_TIME_BYTES];

    json_put_text(json, key,
                  at_us != 0 ? ticket_time_format(at_us, text) : NULL);
}

static void
reclassify_answer(struct http_request *http,
                  struct reclassify *reclassify,
                  unsigned status)
{
    struct reclassify_progress progress;
    struct json_out json;
    struct buf body;

    reclassify_progress(reclassify, &progress);
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    json_init(&json, &body);
    json_open_object(&json);
    json_put_text(&json, "state", long_run_state_name(progress.state));
    json_put_text(&json, "dictionary",
                  progress.mark.dictionary[0] != '\0' ? progress.mark.dictionary
                                                      : NULL);
    json_put_uint(&json, "done", progress.mark.done);
    json_put_uint(&json, "total", progress.mark.total);
    json_put_uint(&json, "moved", progress.mark.moved);
    json_put_uint(&json, "per_second", progress.per_second);
    json_key(&json, "eta_seconds");
    if (progress.left_us >= 0) {
        json_uint(&json, (uint64_t)progress.left_us / 1000000);
    } else {
        json_null(&json);
    }
    put_time(&json, "started_at", progress.mark.started_us);
    put_time(&json, "ended_at", progress.mark.ended_us);
    json_put_text(&json, "error",
                  progress.state == LONG_RUN_FAILED ? progress.err.detail
                                                      : NULL);
    json_close_object(&json);
    buf_put_char(&body, '\n');
    http_reply_header(http, "Cache-Control", "no-store");
    http_reply(http, status, "application/json", buf_view(&body));
    buf_release(&body);
}

static bool
reclassify_is_there(const struct serve_context *context,
                    struct http_request *http)
{
    if (context->reclassify == NULL) {
        problem_reply(http, 501, "not_implemented",
                      "this server does not classify again");
        return false;
    }
    return true;
}

void
admin_reclassify_start_handler(struct http_request *http, void *user)
{
    const struct serve_context *context = user;
    struct err err = {0};

    if (!reclassify_is_there(context, http)) {
        return;
    }
    if (reclassify_start(context->reclassify, &err) != ERR_OK) {
        problem_reply_err(http, &err);
        return;
    }
    reclassify_answer(http, context->reclassify, 202);
}

void
admin_reclassify_stop_handler(struct http_request *http, void *user)
{
    const struct serve_context *context = user;

    if (reclassify_is_there(context, http)) {
        reclassify_stop(context->reclassify);
        reclassify_answer(http, context->reclassify, 202);
    }
}

void
admin_reclassify_handler(struct http_request *http, void *user)
{
    const struct serve_context *context = user;

    if (reclassify_is_there(context, http)) {
        reclassify_answer(http, context->reclassify, 200);
    }
}
