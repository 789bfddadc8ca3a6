/* Lists as pages of JSON and as exports in pieces. */
#include "server/serve/list_source.h"

#include <assert.h>
#include <stdlib.h>

const char *const list_common_params[] = {"limit", "cursor", "excel", NULL};

static void *
state_open(const struct list_source *source,
           const struct list_request *request,
           const struct reader *reader,
           struct span cursor,
           struct err *err)
{
    void *state;

    assert(source->state_bytes <= LIST_STATE_BYTES_MAX);
    state = calloc(1, source->state_bytes);
    if (state == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "list");
        return NULL;
    }
    if (source->open(state, request, reader, cursor, err) != ERR_OK) {
        if (source->close != NULL) {
            source->close(state);
        }
        free(state);
        return NULL;
    }
    return state;
}

static void
state_close(const struct list_source *source, void *state)
{
    if (state != NULL && source->close != NULL) {
        source->close(state);
    }
    free(state);
}

static void
put_next(const struct list_source *source,
         const void *state,
         bool more,
         struct json_out *json)
{
    struct buf cursor;

    json_key(json, "next");
    if (!more || source->put_cursor == NULL) {
        json_null(json);
        return;
    }
    buf_init(&cursor, 256);
    source->put_cursor(state, &cursor);
    json_string(json, buf_view(&cursor));
    buf_release(&cursor);
}

static enum err_code
put_page(const struct list_source *source,
         const struct list_request *request,
         const struct reader *reader,
         void *state,
         size_t limit,
         struct buf *out,
         struct err *err)
{
    struct list_writer writer;
    struct json_out json;
    const struct list_column *columns;
    size_t column_count;
    bool more = true;

    columns = source->columns(state, &column_count);
    json_init(&json, out);
    json_open_object(&json);
    json_key(&json, "items");
    list_begin(&writer, &list_form_json, columns, column_count, false, out,
               &json);
    if (source->fill(state, request, reader, &writer, limit, &more, err) !=
        ERR_OK) {
        return err->code;
    }
    list_end(&writer);
    put_next(source, state, more, &json);
    if (source->put_totals != NULL) {
        source->put_totals(state, reader, &json);
    }
    json_put_uint(&json, "snapshot", reader_seq(reader));
    json_close_object(&json);
    buf_put_char(out, '\n');
    return buf_check(out, err);
}

enum err_code
list_page(const struct list_source *source,
          const struct list_request *request,
          struct buf *out,
          struct err *err)
{
    struct reader reader;
    void *state;
    uint64_t limit;

    if (params_check(request->params, source->params, list_common_params,
                     err) != ERR_OK ||
        params_uint(request->params, "limit", 1, LIST_LIMIT_MAX,
                    LIST_LIMIT_DEFAULT, &limit, err) != ERR_OK ||
        reader_begin(request->context->store, &reader, err) != ERR_OK) {
        return err->code;
    }
    state = state_open(source, request, &reader,
                       params_get(request->params, "cursor"), err);
    if (state != NULL) {
        (void)put_page(source, request, &reader, state,
                       source->put_cursor != NULL ? (size_t)limit : SIZE_MAX,
                       out, err);
    }
    state_close(source, state);
    reader_end(&reader);
    return err->code;
}

/* ---- exports ---- */

struct list_export {
    const struct list_source *source;
    const struct list_form *form;
    struct list_request request;
    void *state;
    struct list_writer writer;
    bool begun;
    uint64_t rows_left; /* of an explicit limit */
    bool for_excel;
};

enum err_code
list_export_open(const struct list_source *source,
                 const struct list_form *form,
                 const struct list_request *request,
                 struct list_export **out,
                 struct err *err)
{
    struct list_export *list = calloc(1, sizeof(*list));
    struct reader reader;
    bool given;

    if (list == NULL) {
        return err_set(err, ERR_NO_MEMORY, "export");
    }
    list->source = source;
    list->form = form;
    list->request = *request;
    if (params_check(request->params, source->params, list_common_params,
                     err) == ERR_OK &&
        params_uint(request->params, "limit", 1, UINT32_MAX, UINT64_MAX,
                    &list->rows_left, err) == ERR_OK &&
        params_switch(request->params, "excel", &given, &list->for_excel,
                      err) == ERR_OK &&
        reader_begin(request->context->store, &reader, err) == ERR_OK) {
        list->state = state_open(source, request, &reader,
                                 params_get(request->params, "cursor"), err);
        reader_end(&reader);
    }
    if (err->code != ERR_OK) {
        list_export_close(&list);
        return err->code;
    }
    *out = list;
    return ERR_OK;
}

enum err_code
list_export_next(struct list_export *list,
                 const struct dictionary *dictionary,
                 struct buf *out,
                 bool *more,
                 struct err *err)
{
    const struct list_source *source = list->source;
    size_t rows = list->rows_left < LIST_PIECE_ROWS ? (size_t)list->rows_left
                                                    : LIST_PIECE_ROWS;
    struct reader reader;

    buf_reset(out);
    list->request.dictionary = dictionary;
    if (!list->begun) {
        size_t count;
        const struct list_column *columns =
            source->columns(list->state, &count);

        list_begin(&list->writer, list->form, columns, count, list->for_excel,
                   out, NULL);
        list->begun = true;
    }
    list->writer.row_count = 0;
    if (reader_begin(list->request.context->store, &reader, err) != ERR_OK) {
        return err->code;
    }
    (void)source->fill(list->state, &list->request, &reader, &list->writer,
                       rows, more, err);
    reader_end(&reader);
    if (err->code != ERR_OK) {
        return err->code;
    }
    list->rows_left -= list->writer.row_count;
    *more = *more && list->rows_left > 0;
    if (!*more) {
        list_end(&list->writer);
    }
    return buf_check(out, err);
}

void
list_export_close(struct list_export **list)
{
    if (*list == NULL) {
        return;
    }
    state_close((*list)->source, (*list)->state);
    free(*list);
    *list = NULL;
}
