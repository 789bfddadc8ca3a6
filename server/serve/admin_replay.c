/* What-if: POST begins a replay, GET shows how far it is and its result. */
#include "server/serve/admin.h"

#include <ctype.h>
#include <stdio.h>

#include "server/rulebook/replay_job.h"
#include "server/serve/answer.h"
#include "server/serve/context.h"
#include "server/serve/http.h"
#include "server/serve/problem.h"
#include "server/serve/query.h"

enum { TABLES_NAME_BYTES_MAX = 64, PATH_BYTES_MAX = 4096 };

/* Words of a ticket as the asker may see them. */
struct shown {
    enum mask_role role;
    struct buf scratch;
};

static struct span
show_words(void *data, struct span words)
{
    struct shown *shown = data;

    return mask_field(shown->role, MASK_TEXT, words, &shown->scratch);
}

static void
replay_answer(struct http_request *http,
              const struct serve_context *context,
              unsigned status)
{
    struct replay_job_progress progress;
    struct shown shown;
    struct params params;
    struct list_request request;
    struct json_out json;
    struct buf body;

    answer_request(context, http, &params, &request);
    shown.role = request.role;
    buf_init(&shown.scratch, PATH_BYTES_MAX);
    replay_job_look(context->replay, &progress);
    buf_init(&body, LIST_PAGE_BYTES_MAX);
    json_init(&json, &body);
    json_open_object(&json);
    json_put_text(&json, "state", replay_job_state_name(progress.state));
    json_put_uint(&json, "done", progress.done);
    json_put_uint(&json, "total", progress.total);
    json_key(&json, "eta_seconds");
    if (progress.left_us >= 0) {
        json_uint(&json, (uint64_t)progress.left_us / 1000000);
    } else {
        json_null(&json);
    }
    json_put_text(&json, "error",
                  progress.err != NULL ? progress.err->detail : NULL);
    json_key(&json, "result");
    if (progress.result != NULL) {
        json_open_object(&json);
        replay_put_json(progress.result, show_words, &shown, &json);
        json_close_object(&json);
    } else {
        json_null(&json);
    }
    json_close_object(&json);
    buf_put_char(&body, '\n');
    answer_buf(http, status, "application/json", &body);
    buf_release(&body);
    buf_release(&shown.scratch);
}

/* DIR/tables/NAME; names that could lead elsewhere are refused. */
static enum err_code
tables_path(const struct serve_context *context,
            struct span name,
            char out[PATH_BYTES_MAX],
            struct err *err)
{
    out[0] = '\0';
    if (name.bytes == 0) {
        return ERR_OK;
    }
    for (size_t i = 0; i < name.bytes; i++) {
        unsigned char c = (unsigned char)name.data[i];

        if (name.bytes > TABLES_NAME_BYTES_MAX ||
            (!isalnum(c) && c != '-' && c != '_')) {
            return err_set_field(err, ERR_BAD_VALUE, "tables",
                                 "a name has up to %d letters, digits, - and "
                                 "_; it is a directory of DIR/tables",
                                 TABLES_NAME_BYTES_MAX);
        }
    }
    (void)snprintf(out, PATH_BYTES_MAX, "%s/tables/%.*s", context->store->dir,
                   SPAN_ARGS(name));
    return ERR_OK;
}

static bool
replay_is_there(const struct serve_context *context, struct http_request *http)
{
    if (context->replay == NULL) {
        problem_reply(http, 501, "not_implemented",
                      "this server does not replay tickets");
        return false;
    }
    return true;
}

void
admin_replay_start_handler(struct http_request *http, void *user)
{
    static const char *const known[] = {"from", "to", "limit", "tables", NULL};
    const struct serve_context *context = user;
    char path[PATH_BYTES_MAX];
    struct params params;
    int64_t from_us = 0;
    int64_t to_us = 0;
    uint64_t limit = 0;
    struct err err = {0};

    if (!replay_is_there(context, http)) {
        return;
    }
    params_from_request(http, &params);
    if (params_check(&params, known, NULL, &err) != ERR_OK ||
        params_range(&params, &from_us, &to_us, &err) != ERR_OK ||
        params_uint(&params, "limit", 0, REPLAY_LIST_MAX, REPLAY_LIST_DEFAULT,
                    &limit, &err) != ERR_OK ||
        tables_path(context, params_get(&params, "tables"), path, &err) !=
            ERR_OK ||
        replay_job_start(context->replay, path, from_us, to_us, (size_t)limit,
                         &err) != ERR_OK) {
        problem_reply_err(http, &err);
        return;
    }
    replay_answer(http, context, 202);
}

void
admin_replay_stop_handler(struct http_request *http, void *user)
{
    const struct serve_context *context = user;

    if (replay_is_there(context, http)) {
        replay_job_stop(context->replay);
        replay_answer(http, context, 202);
    }
}

void
admin_replay_handler(struct http_request *http, void *user)
{
    const struct serve_context *context = user;

    if (replay_is_there(context, http)) {
        replay_answer(http, context, 200);
    }
}
