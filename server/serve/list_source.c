/* Lists as pages of JSON and as exports in pieces. */
#include "server/serve/list_source.h"

#include <assert.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/serve/list_encoding.h"

const char *const list_common_params[] = {"limit", "cursor", "excel",
                                          "encoding", NULL};

const struct gathered *
list_gathered(const struct list_request *request,
              const struct reader *reader,
              struct gathered **own,
              struct err *err)
{
    struct gathered *gathered = request->gathered;

    if (gathered == NULL) {
        *own = gathered_new(NULL, GATHERED_PLACES_MAX);
        gathered = *own;
    }
    if (gathered == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "list");
        return NULL;
    }
    return gathered_catch_up(gathered, reader, err) == ERR_OK ? gathered : NULL;
}

size_t
list_rows_to(const struct list_request *request, size_t before)
{
    return request->rows_max > SIZE_MAX - before ? SIZE_MAX
                                                 : before + request->rows_max;
}

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
    list_begin(&writer, &list_form_json, columns, column_count, NULL, out,
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
    struct list_request page = *request;
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
    page.rows_max = source->put_cursor != NULL ? (size_t)limit : SIZE_MAX;
    state = state_open(source, &page, &reader,
                       params_get(request->params, "cursor"), err);
    if (state != NULL) {
        (void)put_page(source, &page, &reader, state, page.rows_max, out, err);
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
    struct reader reader;
    bool reading;             /* `reader` is open */
    int64_t snapshot_mono_us; /* when it was opened */
    uint64_t snapshot;        /* the first one's sequence */
    struct list_writer writer;
    struct list_style style;
    bool begun;
    uint64_t rows_left; /* of an explicit limit */
    enum list_encoding encoding;
    struct list_encoder encoder;
    struct buf plain; /* the piece in UTF-8, when another encoding is asked */
};

static enum err_code
read_encoding(struct list_export *list, struct err *err)
{
    struct span word = params_get(list->request.params, "encoding");

    list->encoding = LIST_UTF8_MARK;
    if (word.bytes == 0) {
        return ERR_OK;
    }
    if (list->form != &list_form_csv) {
        return err_set_field(err, ERR_BAD_VALUE, "encoding",
                             "only the form .csv has encodings; the others are "
                             "always UTF-8");
    }
    if (!list_encoding_from(word, &list->encoding)) {
        return err_set_field(
            err, ERR_BAD_VALUE, "encoding",
            "encoding is utf-8-bom (the default), utf-8, gb18030 or utf-16le");
    }
    list->style.no_mark =
        list->encoding == LIST_UTF8 || list->encoding == LIST_GB18030;
    list->style.separator = list->encoding == LIST_UTF16LE ? '\t' : ',';
    return list_encoder_open(&list->encoder, list->encoding, err);
}

static enum err_code
open_snapshot(struct list_export *list, struct err *err)
{
    int64_t now_us = clock_mono_us();

    if (!list->reading) {
        list->reading = reader_begin(list->request.context->store,
                                     &list->reader, err) == ERR_OK;
        list->snapshot_mono_us = now_us;
    } else if (now_us - list->snapshot_mono_us > LIST_SNAPSHOT_US) {
        list->reading = reader_renew(&list->reader, err) == ERR_OK;
        list->snapshot_mono_us = now_us;
    }
    return err->code;
}

enum err_code
list_export_open(const struct list_source *source,
                 const struct list_form *form,
                 const struct list_request *request,
                 struct xlsx_writer *workbook,
                 struct list_export **out,
                 struct err *err)
{
    struct list_export *list = calloc(1, sizeof(*list));
    bool given;

    assert(form->workbook == (workbook != NULL));
    if (list == NULL) {
        return err_set(err, ERR_NO_MEMORY, "export");
    }
    list->source = source;
    list->form = form;
    list->request = *request;
    list->request.rows_max = SIZE_MAX;
    list->style.workbook = workbook;
    buf_init(&list->plain, LIST_PAGE_BYTES_MAX);
    if (params_check(request->params, source->params, list_common_params,
                     err) == ERR_OK &&
        params_uint(request->params, "limit", 1, UINT32_MAX, UINT64_MAX,
                    &list->rows_left, err) == ERR_OK &&
        params_switch(request->params, "excel", &given, &list->style.for_excel,
                      err) == ERR_OK &&
        read_encoding(list, err) == ERR_OK &&
        open_snapshot(list, err) == ERR_OK) {
        list->snapshot = reader_seq(&list->reader);
        list->state = state_open(source, &list->request, &list->reader,
                                 params_get(request->params, "cursor"), err);
    }
    if (err->code != ERR_OK) {
        list_export_close(&list);
        return err->code;
    }
    *out = list;
    return ERR_OK;
}

const char *
list_export_content_type(const struct list_export *list)
{
    return list->form == &list_form_csv
               ? list_encoding_content_type(list->encoding)
               : list->form->content_type;
}

uint64_t
list_export_snapshot(const struct list_export *list)
{
    return list->snapshot;
}

/* The rows of a piece in UTF-8 behind what is in the writer's buf. */
static enum err_code
fill_piece(struct list_export *list, bool *more, struct err *err)
{
    const struct list_source *source = list->source;
    size_t rows = list->rows_left < LIST_PIECE_ROWS ? (size_t)list->rows_left
                                                    : LIST_PIECE_ROWS;

    list->writer.row_count = 0;
    if (open_snapshot(list, err) != ERR_OK ||
        source->fill(list->state, &list->request, &list->reader, &list->writer,
                     rows, more, err) != ERR_OK) {
        return err->code;
    }
    list->rows_left -= list->writer.row_count;
    *more = *more && list->rows_left > 0;
    if (!*more) {
        list_end(&list->writer);
    }
    return ERR_OK;
}

enum err_code
list_export_next(struct list_export *list,
                 const struct dictionary *dictionary,
                 struct buf *out,
                 bool *more,
                 struct err *err)
{
    bool encoded = list_encoder_needed(&list->encoder);
    struct buf *text = encoded ? &list->plain : out;

    buf_reset(out);
    buf_reset(text);
    list->request.dictionary = dictionary;
    list->writer.buf = text;
    if (!list->begun) {
        size_t count;
        const struct list_column *columns =
            list->source->columns(list->state, &count);

        list_begin(&list->writer, list->form, columns, count, &list->style,
                   text, NULL);
        list->begun = true;
    }
    if (fill_piece(list, more, err) != ERR_OK ||
        buf_check(text, err) != ERR_OK) {
        return err->code;
    }
    if (encoded) {
        list_encoder_put(&list->encoder, buf_view(text), out);
    }
    return buf_check(out, err);
}

void
list_export_rest(struct list_export *list)
{
    if (list->reading &&
        clock_mono_us() - list->snapshot_mono_us > LIST_SNAPSHOT_US) {
        reader_end(&list->reader);
        list->reading = false;
    }
}

void
list_export_close(struct list_export **list)
{
    if (*list == NULL) {
        return;
    }
    state_close((*list)->source, (*list)->state);
    if ((*list)->reading) {
        reader_end(&(*list)->reader);
    }
    list_encoder_close(&(*list)->encoder);
    buf_release(&(*list)->plain);
    free(*list);
    *list = NULL;
}
