/* One ticket unmasked, for a reason. */
#include "server/serve/unmask.h"

#include "server/decode/json_row.h"
#include "server/serve/access.h"
#include "server/serve/answer.h"
#include "server/serve/problem.h"
#include "server/serve/ticket_one.h"

enum { UNMASK_ARENA_BYTES = 4096 };

/* The reason of {"reason":"..."}; borrowed from body and arena. */
static enum err_code
read_reason(struct json_reader *reader,
            struct span body,
            struct arena *arena,
            struct span *out,
            struct err *err)
{
    struct json_row row;
    size_t chars;

    *out = (struct span){NULL, 0};
    if (json_reader_read(reader, body, arena, &row, err) != ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < row.member_count; i++) {
        if (span_is(row.members[i].key, "reason") &&
            row.members[i].kind == JSON_STRING) {
            *out = span_trim(row.members[i].value);
        }
    }
    chars = utf8_count(*out);
    if (chars < UNMASK_REASON_CHARS_MIN || chars > UNMASK_REASON_CHARS_MAX) {
        return err_set_field(err, ERR_BAD_VALUE, "reason",
                             "say why, in %d to %d characters: "
                             "{\"reason\":\"...\"}",
                             UNMASK_REASON_CHARS_MIN, UNMASK_REASON_CHARS_MAX);
    }
    return ERR_OK;
}

/* The ticket is looked up first: only what leaves is entered. */
static void
answer_whole(const struct serve_context *context,
             struct http_request *http,
             struct span reason,
             struct err *err)
{
    struct span id = http_request_path(http, "id");
    struct params params;
    struct list_request request;
    struct buf body;

    answer_request(context, http, &params, &request);
    request.role = MASK_ROLE_SUPERVISOR;
    buf_init(&body, TICKET_JSON_BYTES_MAX);
    if (ticket_one_put_json(&request, id, &body, err) != ERR_OK) {
        problem_reply_err(http, err);
    } else if (access_enter(context->audit, http, http_request_caller(http),
                            "unmask", id, reason)) {
        http_reply_header(http, "Cache-Control", "no-store");
        http_reply(http, 200, "application/json", buf_view(&body));
    }
    buf_release(&body);
}

void
unmask_handler(struct http_request *http, void *user)
{
    struct json_reader *reader = NULL;
    struct arena arena;
    struct span reason;
    struct err err = {0};

    if (!http_request_has_type(http, "application/json")) {
        problem_reply(http, 415, "unsupported_media_type",
                      "send {\"reason\":\"...\"} as application/json");
        return;
    }
    arena_init(&arena, UNMASK_ARENA_BYTES);
    if (json_reader_new(&reader, &err) == ERR_OK &&
        read_reason(reader, http_request_body(http), &arena, &reason, &err) ==
            ERR_OK) {
        answer_whole(user, http, reason, &err);
    } else {
        problem_reply_err(http, &err);
    }
    json_reader_free(&reader);
    arena_release(&arena);
}
