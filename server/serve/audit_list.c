/* GET /v1/audit: who signed in, unmasked, exported and changed what, newest
 * first. */
#include <string.h>

#include "server/access/audit.h"
#include "server/decode/json_row.h"
#include "server/serve/lists.h"

enum { AUDIT_TOTAL_MAX = 20000, AUDIT_ARENA_BYTES = 16 * 1024 };

static const char *const audit_params[] = {"from", "to", "action", "who", NULL};

static const struct list_column audit_columns[] = {
    {"seq", "序号", LIST_INT},       {"at", "时间", LIST_TIME},
    {"action", "动作", LIST_TEXT},   {"ok", "成功", LIST_BOOL},
    {"who", "用户", LIST_TEXT},      {"role", "角色", LIST_TEXT},
    {"from", "来源地址", LIST_TEXT}, {"object", "对象", LIST_TEXT},
    {"reason", "原因", LIST_TEXT},
};

struct audit_list {
    uint64_t before; /* 0 = the newest */
    int64_t from_us;
    int64_t to_us;
    struct span action;
    struct span who;
    uint64_t total;
    bool total_cut;
};

/* An entry as its line says; all spans borrowed from line or arena. */
struct audit_row {
    uint64_t seq;
    int64_t at_us;
    bool ok;
    struct span texts[6]; /* action, who, role, from, object, reason */
};

static const char *const text_keys[] = {"action", "who",    "role",
                                        "from",   "object", "reason"};

struct audit_walk {
    struct audit_list *list;
    const struct list_request *request;
    struct list_writer *writer; /* NULL: count only */
    struct json_reader *reader;
    struct arena arena;
    struct buf scratch;
    size_t rows_left;
    bool stopped;
};

static bool
read_row(struct audit_walk *walk,
         uint64_t seq,
         struct span line,
         struct audit_row *out)
{
    struct json_row row;
    struct err err = {0};

    arena_reset(&walk->arena);
    *out = (struct audit_row){.seq = seq};
    if (json_reader_read(walk->reader, line, &walk->arena, &row, &err) !=
        ERR_OK) {
        return false;
    }
    for (size_t i = 0; i < row.member_count; i++) {
        const struct json_member *member = &row.members[i];

        if (span_is(member->key, "ok")) {
            out->ok = member->kind == JSON_TRUE;
        } else if (span_is(member->key, "at") &&
                   ticket_time_parse(member->value, &out->at_us, &err) !=
                       ERR_OK) {
            return false;
        }
        for (size_t k = 0; k < sizeof(text_keys) / sizeof(text_keys[0]); k++) {
            if (span_is(member->key, text_keys[k])) {
                out->texts[k] = member->value;
            }
        }
    }
    return true;
}

static bool
is_wanted(const struct audit_list *list, const struct audit_row *row)
{
    return row->at_us >= list->from_us && row->at_us < list->to_us &&
           (list->action.bytes == 0 ||
            span_equal(list->action, row->texts[0])) &&
           (list->who.bytes == 0 || span_equal(list->who, row->texts[1]));
}

static void
put_row(struct audit_walk *walk, const struct audit_row *row)
{
    struct list_writer *w = walk->writer;

    list_int(w, (int64_t)row->seq);
    list_time(w, row->at_us);
    list_text(w, row->texts[0]);
    list_bool(w, row->ok);
    for (size_t i = 1; i < sizeof(text_keys) / sizeof(text_keys[0]); i++) {
        /* A reason is a person's own words. */
        list_text(w, mask_field(walk->request->role, MASK_TEXT, row->texts[i],
                                &walk->scratch));
    }
}

static bool
visit(void *data, uint64_t seq, struct span line)
{
    struct audit_walk *walk = data;
    struct audit_row row;

    if (walk->rows_left == 0) {
        walk->stopped = true;
        return false;
    }
    if (!read_row(walk, seq, line, &row) || !is_wanted(walk->list, &row)) {
        if (row.at_us < walk->list->from_us && row.at_us > 0) {
            return false; /* older ones are not wanted either */
        }
        return true;
    }
    walk->rows_left--;
    if (walk->writer == NULL) {
        walk->list->total++;
        return true;
    }
    put_row(walk, &row);
    walk->list->before = seq;
    return true;
}

static enum err_code
walk_list(struct audit_walk *walk, uint64_t before, struct err *err)
{
    const struct serve_context *context = walk->request->context;

    if (context->audit == NULL) {
        return ERR_OK;
    }
    arena_init(&walk->arena, AUDIT_ARENA_BYTES);
    buf_init(&walk->scratch, AUDIT_LINE_BYTES_MAX);
    if (json_reader_new(&walk->reader, err) == ERR_OK) {
        (void)!audit_read(context->data_dir, before, visit, walk, err);
    }
    json_reader_free(&walk->reader);
    buf_release(&walk->scratch);
    arena_release(&walk->arena);
    return err->code;
}

static enum err_code
audit_list_open(void *state,
                const struct list_request *request,
                const struct reader *reader,
                struct span cursor,
                struct err *err)
{
    struct audit_list *list = state;
    struct audit_walk walk = {
        .list = list, .request = request, .rows_left = AUDIT_TOTAL_MAX};
    struct params from_cursor = {.count = 1};

    (void)reader;
    if (params_range(request->params, &list->from_us, &list->to_us, err) !=
        ERR_OK) {
        return err->code;
    }
    list->action = params_get(request->params, "action");
    list->who = params_get(request->params, "who");
    if (walk_list(&walk, 0, err) != ERR_OK) {
        return err->code;
    }
    list->total_cut = walk.stopped;
    from_cursor.items[0] = (struct param){SPAN_LITERAL("cursor"), cursor};
    return cursor.bytes > 0 ? params_uint(&from_cursor, "cursor", 1,
                                          UINT64_MAX / 2, 0, &list->before, err)
                            : ERR_OK;
}

static const struct list_column *
audit_list_columns(const void *state, size_t *count)
{
    (void)state;
    *count = sizeof(audit_columns) / sizeof(audit_columns[0]);
    return audit_columns;
}

static enum err_code
audit_list_fill(void *state,
                const struct list_request *request,
                const struct reader *reader,
                struct list_writer *writer,
                size_t rows_max,
                bool *more,
                struct err *err)
{
    struct audit_list *list = state;
    struct audit_walk walk = {.list = list,
                              .request = request,
                              .writer = writer,
                              .rows_left = rows_max};

    (void)reader;
    *more = walk_list(&walk, list->before, err) == ERR_OK && walk.stopped;
    return err->code;
}

static void
audit_list_cursor(const void *state, struct buf *out)
{
    const struct audit_list *list = state;

    buf_printf(out, "%llu", (unsigned long long)list->before);
}

static void
audit_list_totals(const void *state,
                  const struct reader *reader,
                  struct json_out *json)
{
    const struct audit_list *list = state;

    (void)reader;
    json_put_uint(json, list->total_cut ? "total_at_least" : "total",
                  list->total);
}

const struct list_source audit_source = {
    .name = "audit",
    .chinese = "审计记录",
    .params = audit_params,
    .state_bytes = sizeof(struct audit_list),
    .open = audit_list_open,
    .columns = audit_list_columns,
    .fill = audit_list_fill,
    .put_cursor = audit_list_cursor,
    .put_totals = audit_list_totals,
};
