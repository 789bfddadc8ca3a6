/* GET /v1/rejects: the lines that could not be read, newest first. */
#include <stdio.h>

#include "server/serve/lists.h"

static const char *const reject_params[] = {"before", NULL};

static const struct list_column reject_columns[] = {
    {"number", "序号", LIST_INT},       {"at", "时间", LIST_TIME},
    {"source", "来源", LIST_TEXT},      {"line", "行号", LIST_INT},
    {"code", "原因代码", LIST_TEXT},    {"field", "字段", LIST_TEXT},
    {"detail", "原因", LIST_TEXT},      {"line_bytes", "行长", LIST_INT},
    {"truncated", "已截断", LIST_BOOL}, {"bytes", "内容", LIST_TEXT},
};

struct rejects_list {
    uint64_t before; /* 0 = the newest */
    uint64_t total;
};

struct rejects_fill {
    struct rejects_list *list;
    const struct list_request *request;
    struct list_writer *writer;
    size_t rows_left;
    bool stopped;
    struct buf text;
    struct buf scratch;
};

static enum err_code
rejects_open(void *state,
             const struct list_request *request,
             const struct reader *reader,
             struct span cursor,
             struct err *err)
{
    struct rejects_list *list = state;
    struct params from_cursor = {.count = 1};
    struct ledger_totals totals = reader_totals(reader);

    list->total = totals.rejects - totals.expired_rejects;
    if (cursor.bytes > 0) {
        from_cursor.items[0] = (struct param){SPAN_LITERAL("cursor"), cursor};
        return params_uint(&from_cursor, "cursor", 1, UINT64_MAX / 2, 0,
                           &list->before, err);
    }
    return params_uint(request->params, "before", 1, UINT64_MAX / 2, 0,
                       &list->before, err);
}

static const struct list_column *
rejects_columns(const void *state, size_t *count)
{
    (void)state;
    *count = sizeof(reject_columns) / sizeof(reject_columns[0]);
    return reject_columns;
}

/* What is no printable UTF-8 becomes \xNN, so that the bytes can be read. */
static struct span
escape(struct buf *out, struct span bytes)
{
    buf_reset(out);
    for (size_t at = 0; at < bytes.bytes;) {
        struct span rest = {bytes.data + at, bytes.bytes - at};
        size_t n = utf8_next(rest, NULL);
        unsigned char c = (unsigned char)rest.data[0];

        if (c == '\\' || c < 0x20 || c == 0x7F || (n == 1 && c >= 0x80)) {
            buf_printf(out, "\\x%02x", (unsigned)c);
        } else {
            buf_put(out, rest.data, n);
        }
        at += n;
    }
    return buf_view(out);
}

static struct span
given(struct span text)
{
    return text.bytes > 0 ? text : (struct span){NULL, 0};
}

static bool
visit_reject(void *data, const struct reader_reject *reject)
{
    struct rejects_fill *fill = data;
    struct list_writer *w = fill->writer;

    if (fill->rows_left == 0) {
        fill->stopped = true;
        return false;
    }
    list_int(w, (int64_t)reject->number);
    list_time(w, reject->at_us);
    list_text(w, given(reject->source));
    list_int(w, (int64_t)reject->line);
    list_text(w, reject->code);
    list_text(w, given(reject->field));
    list_text(w, given(reject->detail));
    list_int(w, (int64_t)reject->line_bytes);
    list_bool(w, reject->line_bytes > reject->bytes.bytes);
    list_text(w,
              escape(&fill->text, mask_field(fill->request->role, MASK_RAW,
                                             reject->bytes, &fill->scratch)));
    fill->list->before = reject->number;
    fill->rows_left--;
    return true;
}

static enum err_code
rejects_fill(void *state,
             const struct list_request *request,
             const struct reader *reader,
             struct list_writer *writer,
             size_t rows_max,
             bool *more,
             struct err *err)
{
    struct rejects_list *list = state;
    struct rejects_fill fill = {.list = list,
                                .request = request,
                                .writer = writer,
                                .rows_left = rows_max};

    buf_init(&fill.text, LEDGER_REJECT_BYTES_MAX * 4);
    buf_init(&fill.scratch, LEDGER_REJECT_BYTES_MAX * 4);
    *more = reader_rejects(reader, list->before, visit_reject, &fill, err) ==
                ERR_OK &&
            fill.stopped;
    buf_release(&fill.text);
    buf_release(&fill.scratch);
    return err->code;
}

static void
rejects_put_cursor(const void *state, struct buf *out)
{
    const struct rejects_list *list = state;

    buf_printf(out, "%llu", (unsigned long long)list->before);
}

static void
rejects_put_totals(const void *state,
                   const struct reader *reader,
                   struct json_out *json)
{
    const struct rejects_list *list = state;

    (void)reader;
    json_put_uint(json, "total", list->total);
}

const struct list_source rejects_source = {
    .name = "rejects",
    .chinese = "拒收记录",
    .params = reject_params,
    .state_bytes = sizeof(struct rejects_list),
    .open = rejects_open,
    .columns = rejects_columns,
    .fill = rejects_fill,
    .put_cursor = rejects_put_cursor,
    .put_totals = rejects_put_totals,
};
