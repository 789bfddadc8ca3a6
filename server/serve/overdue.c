/* GET /v1/overdue: clocks that ran out or are about to, by their due time. */
#include <stdio.h>
#include <string.h>

#include "server/serve/first_of.h"
#include "server/serve/gathered.h"
#include "server/serve/lists.h"
#include "server/serve/query.h"

enum { OVERDUE_ROWS_MAX = 2 * GATHERED_CLOCKS_MAX /* of an export */ };

static const char *const overdue_params[] = {"kind",  "state", "unit", "by",
                                             "order", "open",  NULL};

static const struct list_column overdue_columns[] = {
    {"id", "工单编号", LIST_DIGITS},
    {"kind", "环节", LIST_TEXT},
    {"kind_name", "环节名称", LIST_TEXT},
    {"due_at", "时限", LIST_TIME},
    {"due_soon_at", "预警时间", LIST_TIME},
    {"stopped_at", "完成时间", LIST_TIME},
    {"overdue", "已超时", LIST_BOOL},
    {"open", "未完成", LIST_BOOL},
    {"late_minutes", "超时分钟", LIST_INT},
    {"left_minutes", "剩余分钟", LIST_INT},
    {"provisional", "暂定", LIST_BOOL},
    {"type", "工单类型", LIST_TEXT},
    {"accepted_at", "受理时间", LIST_TIME},
    {"unit", "供电单位", LIST_TEXT},
    {"category", "投诉类别", LIST_TEXT},
    {"subcategory", "二级分类", LIST_TEXT},
    {"region", "城乡", LIST_TEXT},
    {"state", "状态", LIST_TEXT},
    {"calls", "致电次数", LIST_INT},
};

enum overdue_wanted { WANT_OVERDUE, WANT_DUE_SOON, WANT_ALL };

struct overdue_clock {
    int64_t due_us;
    int64_t due_soon_us; /* STATE_NEVER: it ran out */
    uint64_t number;
    uint32_t kind_id;
};

struct overdue_kind {
    uint32_t id;
    uint64_t clocks;
};

struct overdue_list {
    enum overdue_wanted wanted;
    uint32_t kind_id;
    uint32_t unit_id;
    int64_t by_us; /* STATE_NEVER: by due_soon */
    int64_t now_us;
    bool newest_first;
    bool nothing;
    bool open_given;
    bool open;
    bool truncated;
    bool after_given;
    struct overdue_clock after; /* the last row */
    uint64_t total;
    uint64_t left; /* rows behind the one the cursor names */
    bool more;     /* of them on later pages */
    struct overdue_kind kinds[DEADLINE_KINDS_MAX]; /* by their ids */
    size_t kind_count;
    struct first_of page; /* struct overdue_clock */
    size_t at;

    /* while gathering */
    const struct reader *reader;
    struct query_unit_filter units;
    struct err *err;
};

/* ---- gathering ---- */

static int
oldest_first(const void *a, const void *b)
{
    const struct overdue_clock *x = a;
    const struct overdue_clock *y = b;

    if (x->due_us != y->due_us) {
        return x->due_us < y->due_us ? -1 : 1;
    }
    if (x->number != y->number) {
        return x->number < y->number ? -1 : 1;
    }
    return x->kind_id < y->kind_id ? -1 : x->kind_id > y->kind_id;
}

static int
newest_first(const void *a, const void *b)
{
    return oldest_first(b, a);
}

/* Count a clock that was asked for; keep it if it is on the page. */
static bool
take(struct overdue_list *list, const struct overdue_clock *clock)
{
    size_t k = 0;

    while (k < list->kind_count && list->kinds[k].id < clock->kind_id) {
        k++;
    }
    if ((k == list->kind_count || list->kinds[k].id != clock->kind_id) &&
        list->kind_count < DEADLINE_KINDS_MAX) {
        memmove(&list->kinds[k + 1], &list->kinds[k],
                (list->kind_count++ - k) * sizeof(list->kinds[0]));
        list->kinds[k] = (struct overdue_kind){clock->kind_id, 0};
    }
    if (k < list->kind_count && list->kinds[k].id == clock->kind_id) {
        list->kinds[k].clocks++;
    }
    list->total++;
    if (list->after_given && list->page.order(clock, &list->after) <= 0) {
        return true; /* on an earlier page */
    }
    list->left++;
    if (!first_of_add(&list->page, clock)) {
        (void)err_set(list->err, ERR_NO_MEMORY, "overdue");
        return false;
    }
    return true;
}

/* Those that ran out. */
static void
gather_overdue(struct overdue_list *list, const struct ticket_rows *clocks)
{
    for (size_t i = 0; i < clocks->slot_count; i++) {
        const struct gathered_clock *clock =
            (const struct gathered_clock *)ticket_rows_at(clocks, i);

        if (clock->row.number == 0 ||
            (list->kind_id != 0 && clock->kind_id != list->kind_id) ||
            (list->open_given && clock->open != list->open) ||
            !query_unit_below(&list->units, clock->row.unit_id)) {
            continue;
        }
        if (!take(list,
                  &(struct overdue_clock){clock->row.at_us, STATE_NEVER,
                                          clock->row.number, clock->kind_id})) {
            return;
        }
    }
}

/* Of a clock that runs: the unit, and whether it will be stopped too late. */
static bool
passes(struct overdue_list *list, const struct overdue_clock *clock)
{
    struct ticket_state state;

    if (list->unit_id == 0 && !list->open_given) {
        return true;
    }
    if (!reader_state(list->reader, clock->number, &state, list->err)) {
        return false;
    }
    if (!query_unit_below(&list->units, state.unit_id)) {
        return false;
    }
    if (!list->open_given) {
        return true;
    }
    for (uint32_t i = 0; i < state.clock_count; i++) {
        if (state.clocks[i].kind_id == clock->kind_id) {
            return (state.clocks[i].stopped_us == STATE_NEVER) == list->open;
        }
    }
    return false;
}

static bool
gather_running(void *data,
               uint32_t kind_id,
               int64_t due_us,
               int64_t due_soon_us,
               uint64_t number)
{
    struct overdue_list *list = data;
    struct overdue_clock clock = {due_us, due_soon_us, number, kind_id};
    bool wanted = list->by_us != STATE_NEVER || list->wanted == WANT_ALL ||
                  due_soon_us <= list->now_us;

    if (list->by_us != STATE_NEVER && due_us > list->by_us) {
        return false; /* in the order of time: no further one */
    }
    if (!wanted || (list->kind_id != 0 && kind_id != list->kind_id)) {
        return true;
    }
    if (!passes(list, &clock)) {
        return list->err->code == ERR_OK;
    }
    return take(list, &clock);
}

/* ---- cursor ---- */

static enum err_code
read_cursor(struct overdue_list *list, struct span cursor, struct err *err)
{
    char text[128];
    unsigned long long due;
    unsigned long long number;
    unsigned kind;
    int end = 0;

    if (cursor.bytes < sizeof(text)) {
        (void)snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(cursor));
        if (sscanf(text, "%16llx.%16llx.%8x%n", &due, &number, &kind, &end) ==
                3 &&
            (size_t)end == cursor.bytes) {
            list->after =
                (struct overdue_clock){(int64_t)due, STATE_NEVER, number, kind};
            list->after_given = true;
            return ERR_OK;
        }
    }
    return err_set_field(err, ERR_BAD_VALUE, "cursor",
                         "not a cursor of this list: take \"next\" of a page "
                         "as it stands");
}

static void
overdue_put_cursor(const void *state, struct buf *out)
{
    const struct overdue_list *list = state;

    buf_printf(out, "%llx.%llx.%x", (unsigned long long)list->after.due_us,
               (unsigned long long)list->after.number,
               (unsigned)list->after.kind_id);
}

/* ---- opening ---- */

static void
read_kind(struct overdue_list *list,
          const struct list_request *request,
          struct err *err)
{
    const struct deadline_table *table = request->dictionary->deadlines;
    struct span word = params_get(request->params, "kind");

    if (word.bytes == 0) {
        return;
    }
    for (uint32_t i = 0; i < deadline_kind_count(table); i++) {
        if (span_equal(word, deadline_kind_chinese(table, i))) {
            word = deadline_kind_code(table, i);
        }
    }
    list->kind_id =
        names_find(list->reader->store, list->reader->txn, NAME_CLOCK, word);
    if (list->kind_id == 0) {
        list->nothing = true;
        if (deadline_kind_find(table, word) == SIZE_MAX) {
            (void)err_set_field(err, ERR_BAD_VALUE, "kind",
                                "no clock has this code; dict/deadlines.csv "
                                "lists them");
        }
    }
}

static enum err_code
read_filters(struct overdue_list *list,
             const struct list_request *request,
             struct err *err)
{
    const struct params *params = request->params;
    struct span wanted = params_get(params, "state");
    struct span order = params_get(params, "order");
    struct span by = params_get(params, "by");
    bool known;

    list->by_us = STATE_NEVER;
    list->now_us = request->now_us;
    if (span_is(wanted, "due_soon") || (wanted.bytes == 0 && by.bytes > 0)) {
        list->wanted = WANT_DUE_SOON;
    } else if (span_is(wanted, "all")) {
        list->wanted = WANT_ALL;
    } else if (wanted.bytes > 0 && !span_is(wanted, "overdue")) {
        return err_set_field(err, ERR_BAD_VALUE, "state",
                             "state is overdue, due_soon or all");
    }
    /* What runs: the most urgent first; what ran out: the latest first. */
    list->newest_first = list->wanted == WANT_OVERDUE;
    if (span_is(order, "oldest") || span_is(order, "newest")) {
        list->newest_first = span_is(order, "newest");
    } else if (order.bytes > 0) {
        return err_set_field(err, ERR_BAD_VALUE, "order",
                             "order is newest or oldest");
    }
    if ((by.bytes > 0 &&
         query_time_parse(by, true, "by", &list->by_us, err) != ERR_OK) ||
        params_switch(params, "open", &list->open_given, &list->open, err) !=
            ERR_OK) {
        return err->code;
    }
    query_unit(list->reader, request->dictionary, params_get(params, "unit"),
               &list->unit_id, &known);
    list->nothing = !known;
    read_kind(list, request, err);
    return err->code;
}

static enum err_code
overdue_open(void *state,
             const struct list_request *request,
             const struct reader *reader,
             struct span cursor,
             struct err *err)
{
    struct overdue_list *list = state;
    struct gathered *own = NULL;

    list->reader = reader;
    list->err = err;
    if (read_filters(list, request, err) != ERR_OK ||
        (cursor.bytes > 0 && read_cursor(list, cursor, err) != ERR_OK) ||
        list->nothing) {
        return err->code;
    }
    first_of_init(&list->page, sizeof(struct overdue_clock),
                  request->rows_max < OVERDUE_ROWS_MAX ? request->rows_max
                                                       : OVERDUE_ROWS_MAX,
                  list->newest_first ? newest_first : oldest_first);
    query_unit_filter_init(&list->units, reader, list->unit_id);
    if (list->wanted != WANT_DUE_SOON) {
        const struct gathered *gathered =
            list_gathered(request, reader, &own, err);

        if (gathered != NULL) {
            list->truncated = gathered->clocks_cut;
            gather_overdue(list, &gathered->clocks);
        }
        gathered_free(&own);
    }
    if (err->code == ERR_OK && list->wanted != WANT_OVERDUE) {
        (void)!reader_running_clocks(reader, gather_running, list, err);
    }
    first_of_sort(&list->page);
    list->more = list->left > request->rows_max;
    return err->code;
}

static const struct list_column *
overdue_columns_of(const void *state, size_t *count)
{
    (void)state;
    *count = sizeof(overdue_columns) / sizeof(overdue_columns[0]);
    return overdue_columns;
}

/* ---- rows ---- */

static const struct state_clock *
find_clock(const struct ticket_state *state, uint32_t kind_id)
{
    for (uint32_t i = 0; i < state->clock_count; i++) {
        if (state->clocks[i].kind_id == kind_id) {
            return &state->clocks[i];
        }
    }
    return NULL;
}

static void
put_row(const struct overdue_list *list,
        const struct list_request *request,
        const struct reader *reader,
        const struct overdue_clock *row,
        const struct ticket_state *state,
        struct span id,
        struct list_writer *w)
{
    const struct deadline_table *table = request->dictionary->deadlines;
    const struct state_clock *clock = find_clock(state, row->kind_id);
    struct span code = reader_name(reader, row->kind_id);
    size_t kind = deadline_kind_find(table, code);
    int64_t stopped_us = clock != NULL ? clock->stopped_us : STATE_NEVER;
    int64_t end_us = stopped_us < list->now_us ? stopped_us : list->now_us;
    bool late = row->due_us < end_us;

    list_text(w, id);
    list_text(w, code);
    list_text(w, kind != SIZE_MAX ? deadline_kind_chinese(table, (uint32_t)kind)
                                  : code);
    list_time(w, row->due_us);
    list_time(w, clock != NULL ? clock->due_soon_us : row->due_soon_us);
    list_time(w, stopped_us);
    list_bool(w, late);
    list_bool(w, stopped_us == STATE_NEVER);
    if (late) {
        list_int(w, (end_us - row->due_us) / US_PER_MINUTE);
        list_none(w);
    } else {
        list_none(w);
        list_int(w, (row->due_us - list->now_us) / US_PER_MINUTE);
    }
    list_bool(w, clock != NULL && clock->provisional);
    list_text(w, span_of(ticket_type_wire(state->type)));
    list_time(w, state->accepted_at_us);
    list_text(w, reader_name(reader, state->unit_id));
    list_text(w, span_of(ticket_category_wire(state->category)));
    list_text(w, reader_name(reader, state->subcategory_id));
    list_text(w, span_of(ticket_region_wire(state->region)));
    list_text(w, span_of(query_life_wire(query_life_of(state, STATE_NEVER))));
    list_int(w, state->calls);
}

static enum err_code
overdue_fill(void *state,
             const struct list_request *request,
             const struct reader *reader,
             struct list_writer *writer,
             size_t rows_max,
             bool *more,
             struct err *err)
{
    struct overdue_list *list = state;
    struct record record;

    for (size_t rows = 0; rows < rows_max && list->at < list->page.count;
         list->at++) {
        const struct overdue_clock *row =
            (const struct overdue_clock *)(void *)list->page.items + list->at;
        struct ticket_state ticket;

        if (!reader_state(reader, row->number, &ticket, err)) {
            if (err->code != ERR_OK) {
                return err->code;
            }
            continue; /* it expired since the list was gathered */
        }
        if (reader_record(reader, row->number, &record, err) != ERR_OK) {
            return err->code;
        }
        put_row(list, request, reader, row, &ticket, record.ticket.id, writer);
        list->after = *row;
        rows++;
    }
    *more = list->more || list->at < list->page.count;
    return ERR_OK;
}

static void
overdue_put_totals(const void *state,
                   const struct reader *reader,
                   struct json_out *json)
{
    const struct overdue_list *list = state;

    json_put_uint(json, list->truncated ? "total_at_least" : "total",
                  list->total);
    json_key(json, "by_kind");
    json_open_object(json);
    for (size_t k = 0; k < list->kind_count; k++) {
        json_key_span(json, reader_name(reader, list->kinds[k].id));
        json_uint(json, list->kinds[k].clocks);
    }
    json_close_object(json);
}

static void
overdue_close(void *state)
{
    struct overdue_list *list = state;

    first_of_release(&list->page);
}

const struct list_source overdue_source = {
    .name = "overdue",
    .chinese = "时限",
    .params = overdue_params,
    .thread = LIST_ON_GATHERER,
    .state_bytes = sizeof(struct overdue_list),
    .open = overdue_open,
    .columns = overdue_columns_of,
    .fill = overdue_fill,
    .put_cursor = overdue_put_cursor,
    .put_totals = overdue_put_totals,
    .close = overdue_close,
};
