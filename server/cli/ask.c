/* The reading side of the API, over HTTP or from a data directory. */
#include "server/cli/ask.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/http_client.h"
#include "server/cli/cli.h"
#include "server/cli/open_dictionary.h"
#include "server/serve/dictionary_json.h"
#include "server/serve/status.h"

enum { ASK_PATH_BYTES_MAX = 16 * 1024, ASK_DETAIL_BYTES = 400 };

struct ask {
    const char *where;
    struct http_client *client; /* NULL: the directory */
    struct store *store;
    struct dictionary *dictionary;
    struct serve_context context;
};

static const struct dictionary *
tell_dictionary(void *data)
{
    return ((struct ask *)data)->dictionary;
}

static enum err_code
open_directory(struct ask *ask, const struct config *config, struct err *err)
{
    const struct store_options options = {config->map_size_gib << 30};

    ask->where = config->data;
    if (store_open(config->data, STORE_READ, &options, &ask->store, err) !=
            ERR_OK ||
        open_dictionary(config, &ask->dictionary, err) != ERR_OK) {
        return err->code;
    }
    ask->context = (struct serve_context){
        .store = ask->store, .dictionary = tell_dictionary, .data = ask};
    return ERR_OK;
}

enum err_code
ask_open(const struct config *config,
         const char *url,
         unsigned wait_s,
         struct ask **out,
         struct err *err)
{
    struct ask *ask = calloc(1, sizeof(*ask));

    if (ask == NULL) {
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    if (url == NULL && config->data[0] == '\0') {
        url = ASK_URL_DEFAULT;
    }
    if (url != NULL) {
        ask->where = url;
        (void)!cli_client(config, url, wait_s, &ask->client, err);
    } else {
        (void)!open_directory(ask, config, err);
    }
    if (err->code != ERR_OK) {
        ask_close(&ask);
        return err->code;
    }
    *out = ask;
    return ERR_OK;
}

void
ask_close(struct ask **ask)
{
    if (*ask == NULL) {
        return;
    }
    http_client_free(&(*ask)->client);
    dictionary_free(&(*ask)->dictionary);
    store_close(&(*ask)->store);
    free(*ask);
    *ask = NULL;
}

const char *
ask_where(const struct ask *ask)
{
    return ask->where;
}

enum err_code
ask_into_buf(void *data, struct span piece, struct err *err)
{
    buf_put_span(data, piece);
    return buf_check(data, err);
}

/* ---- a server ---- */

static void
put_encoded(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
            (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.') {
            buf_put_char(out, (char)c);
        } else {
            buf_printf(out, "%%%02X", c);
        }
    }
}

/* The member "detail" of a problem document, without its escapes; the whole
 * body when there is none. */
static void
read_detail(struct span body, char out[ASK_DETAIL_BYTES])
{
    struct span key = SPAN_LITERAL("\"detail\":\"");
    size_t at = span_find(body, key, 0);
    bool is_problem = at != SIZE_MAX;
    size_t used = 0;

    for (at = is_problem ? at + key.bytes : 0;
         at < body.bytes && used + 1 < ASK_DETAIL_BYTES; at++) {
        char c = body.data[at];

        if (is_problem && c == '"') {
            break;
        }
        if (is_problem && c == '\\' && at + 1 < body.bytes) {
            c = body.data[++at];
        }
        out[used++] = (char)((unsigned char)c < 0x20 ? ' ' : c);
    }
    while (!utf8_valid((struct span){out, used})) {
        used--; /* it may have been cut inside a character */
    }
    out[used] = '\0';
}

static enum err_code
refused(const struct http_client_answer *answer, struct err *err)
{
    char detail[ASK_DETAIL_BYTES];
    enum err_code code = ERR_IO;

    read_detail(span_trim(answer->body), detail);
    if (answer->status == 400) {
        code = ERR_USAGE;
    } else if (answer->status == 404) {
        code = ERR_NOT_FOUND;
    } else if (answer->status == 503 || answer->status == 429) {
        code = ERR_BUSY;
    }
    return err_set(
        err, code, "the server says %u: %s%s", answer->status, detail,
        answer->status == 401 ? " (--token-file names the token)" : "");
}

static enum err_code
get(struct ask *ask, const char *path, struct span *out, struct err *err)
{
    const struct http_client_request request = {.method = "GET", .path = path};
    struct http_client_answer answer;

    if (http_client_send(ask->client, &request, &answer, err) != ERR_OK) {
        return err->code;
    }
    if (answer.status != 200) {
        return refused(&answer, err);
    }
    *out = answer.body;
    return ERR_OK;
}

static enum err_code
list_of_server(struct ask *ask,
               const struct list_source *source,
               const struct list_form *form,
               const struct params *params,
               ask_sink *sink,
               void *data,
               struct err *err)
{
    struct span body;
    struct buf path;

    buf_init(&path, ASK_PATH_BYTES_MAX);
    buf_printf(&path, "/v1/%s%s", source->name, form->suffix);
    for (size_t i = 0; i < params->count; i++) {
        buf_put_char(&path, i == 0 ? '?' : '&');
        put_encoded(&path, params->items[i].name);
        buf_put_char(&path, '=');
        put_encoded(&path, params->items[i].value);
    }
    buf_put_char(&path, '\0');
    if (buf_check(&path, err) == ERR_OK &&
        get(ask, path.data, &body, err) == ERR_OK) {
        (void)!sink(data, body, err);
    }
    buf_release(&path);
    return err->code;
}

/* ---- a directory ---- */

static struct list_request
request_of(const struct ask *ask, const struct params *params)
{
    return (struct list_request){.context = &ask->context,
                                 .dictionary = ask->dictionary,
                                 .params = params,
                                 .role = MASK_ROLE_VIEWER,
                                 .now_us = clock_now_us()};
}

static enum err_code
export_of_directory(struct ask *ask,
                    const struct list_source *source,
                    const struct list_form *form,
                    const struct list_request *request,
                    ask_sink *sink,
                    void *data,
                    struct err *err)
{
    struct list_export *list = NULL;
    struct buf piece;
    bool more = true;

    buf_init(&piece, LIST_PAGE_BYTES_MAX);
    if (list_export_open(source, form, request, NULL, &list, err) == ERR_OK) {
        while (more && err->code == ERR_OK &&
               list_export_next(list, ask->dictionary, &piece, &more, err) ==
                   ERR_OK) {
            (void)!sink(data, buf_view(&piece), err);
        }
    }
    list_export_close(&list);
    buf_release(&piece);
    return err->code;
}

static enum err_code
list_of_directory(struct ask *ask,
                  const struct list_source *source,
                  const struct list_form *form,
                  const struct params *params,
                  ask_sink *sink,
                  void *data,
                  struct err *err)
{
    struct list_request request = request_of(ask, params);
    struct buf page;

    if (!form->paged) {
        return export_of_directory(ask, source, form, &request, sink, data,
                                   err);
    }
    buf_init(&page, LIST_PAGE_BYTES_MAX);
    if (list_page(source, &request, &page, err) == ERR_OK) {
        (void)!sink(data, buf_view(&page), err);
    }
    buf_release(&page);
    return err->code;
}

enum err_code
ask_list(struct ask *ask,
         const struct list_source *source,
         const struct list_form *form,
         const struct params *params,
         ask_sink *sink,
         void *data,
         struct err *err)
{
    return ask->client != NULL
               ? list_of_server(ask, source, form, params, sink, data, err)
               : list_of_directory(ask, source, form, params, sink, data, err);
}

static enum err_code
get_into(struct ask *ask, const char *path, struct buf *out, struct err *err)
{
    struct span body;

    if (get(ask, path, &body, err) == ERR_OK) {
        buf_put_span(out, body);
    }
    return err->code == ERR_OK ? buf_check(out, err) : err->code;
}

enum err_code
ask_metrics(struct ask *ask, struct buf *out, struct err *err)
{
    const struct params none = {.count = 0};
    struct list_request request;

    buf_reset(out);
    if (ask->client != NULL) {
        return get_into(ask, "/metrics", out, err);
    }
    request = request_of(ask, &none);
    return status_put_metrics(&request, NULL, out, err);
}

enum err_code
ask_dictionary(struct ask *ask, struct buf *out, struct err *err)
{
    buf_reset(out);
    return ask->client != NULL ? get_into(ask, "/v1/dictionary", out, err)
                               : dictionary_put_json(ask->dictionary, out, err);
}
