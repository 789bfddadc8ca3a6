/* Answers with a body: ETag, compression. */
#include "server/serve/answer.h"

#include <stdio.h>
#include <xxhash.h>

#include "server/base/clock.h"
#include "server/base/gzip.h"
#include "server/serve/http.h"

enum { ANSWER_TAG_BYTES = 32 };

void
answer_request(const struct serve_context *context,
               struct http_request *http,
               struct params *params,
               struct list_request *out)
{
    params_from_request(http, params);
    *out = (struct list_request){
        .context = context,
        .dictionary = context->dictionary(context->data),
        .params = params,
        .role = http_request_caller(http)->whole ? MASK_ROLE_SUPERVISOR
                                                 : MASK_ROLE_VIEWER,
        .now_us = clock_now_us()};
}

bool
answer_gzip(const struct http_request *http)
{
    return gzip_accepted(http_request_header(http, "accept-encoding"));
}

/* Weak, so that the compressed body and the plain one share it. */
static bool
client_has(const struct http_request *http, const char *tag)
{
    struct span known = http_request_header(http, "if-none-match");

    return span_is(known, "*") ||
           span_find(known, span_of(tag + 2), 0) != SIZE_MAX;
}

static bool
put_gzip(struct span body, struct buf *out)
{
    struct gzip_stream *stream = gzip_new();

    if (stream == NULL) {
        return false;
    }
    gzip_put(stream, body, true, out);
    gzip_free(&stream);
    return out->failed == ERR_OK;
}

void
answer_buf(struct http_request *http,
           unsigned status,
           const char *content_type,
           const struct buf *body)
{
    struct span view = buf_view(body);
    char tag[ANSWER_TAG_BYTES];
    struct buf packed;

    http_reply_header(http, "Cache-Control", "no-store");
    if (status == 200) {
        (void)snprintf(tag, sizeof(tag), "W/\"%016llx\"",
                       (unsigned long long)XXH3_64bits(view.data, view.bytes));
        http_reply_header(http, "ETag", "%s", tag);
        if (client_has(http, tag)) {
            http_reply(http, 304, NULL, (struct span){NULL, 0});
            return;
        }
    }
    buf_init(&packed, LIST_PAGE_BYTES_MAX);
    if (view.bytes >= GZIP_BYTES_MIN) {
        http_reply_header(http, "Vary", "Accept-Encoding");
        if (answer_gzip(http) && put_gzip(view, &packed)) {
            http_reply_header(http, "Content-Encoding", "gzip");
            view = buf_view(&packed);
        }
    }
    http_reply(http, status, content_type, view);
    buf_release(&packed);
}
