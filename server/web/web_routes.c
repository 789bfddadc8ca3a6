/* The supervisors' page, from the bytes in the program. */
#include "server/web/web_routes.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "server/serve/http.h"
#include "server/serve/problem.h"
#include "server/web/web_embedded.h"

enum { WEB_ETAG_BYTES = 32 };

static const char *
content_type(const char *name)
{
    static const struct {
        const char *suffix;
        const char *type;
    } rows[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"},
    };
    const char *suffix = strrchr(name, '.');

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (suffix != NULL && strcmp(suffix, rows[i].suffix) == 0) {
            return rows[i].type;
        }
    }
    return "application/octet-stream";
}

static const struct web_file *
find_file(struct span name)
{
    for (size_t i = 0; i < web_file_count; i++) {
        if (span_is(name, web_files[i].name)) {
            return &web_files[i];
        }
    }
    return NULL;
}

/* Does a comma list hold the word? What stands behind ';' is left out, but for
 * "q=0", which means no. */
static bool
list_has(struct span list, const char *word)
{
    while (list.data != NULL) {
        struct span item = span_trim(span_split(&list, ','));
        struct span head = span_trim(span_split(&item, ';'));

        if (span_is(head, word)) {
            return item.data == NULL || !span_is(span_trim(item), "q=0");
        }
    }
    return false;
}

static void
send_file(struct http_request *http, const struct web_file *file)
{
    bool packed =
        list_has(http_request_header(http, "accept-encoding"), "gzip");
    char etag[WEB_ETAG_BYTES];
    struct span body = {file->plain_start,
                        (size_t)(file->plain_end - file->plain_start)};

    (void)snprintf(etag, sizeof(etag), "\"%s%s\"", file->hash,
                   packed ? "-gz" : "");
    http_reply_header(http, "ETag", "%s", etag);
    http_reply_header(http, "Cache-Control", "no-cache");
    http_reply_header(http, "Vary", "Accept-Encoding");
    if (list_has(http_request_header(http, "if-none-match"), etag)) {
        http_reply(http, 304, NULL, SPAN_LITERAL(""));
        return;
    }
    if (packed) {
        http_reply_header(http, "Content-Encoding", "gzip");
        body = (struct span){file->packed_start,
                             (size_t)(file->packed_end - file->packed_start)};
    }
    http_reply(http, 200, content_type(file->name), body);
}

static void
page_handler(struct http_request *http, void *user)
{
    (void)user;
    send_file(http, find_file(SPAN_LITERAL("index.html")));
}

static void
asset_handler(struct http_request *http, void *user)
{
    const struct web_file *file = find_file(http_request_path(http, "name"));

    (void)user;
    if (file == NULL) {
        problem_reply(http, 404, "not_found", "the page has no such file");
        return;
    }
    send_file(http, file);
}

void
web_routes_add(struct http_server *http)
{
    http_route(http, HTTP_GET, "/", page_handler, NULL);
    http_route(http, HTTP_GET, "/assets/{name}", asset_handler, NULL);
}
