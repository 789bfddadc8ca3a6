/* GET /v1/tickets: the tickets that pass a filter, newest first. */
#include <stdio.h>
#include <stdlib.h>

#include "server/serve/lists.h"
#include "server/serve/ticket_filter.h"

enum {
    TICKETS_EXCERPT_CHARS = 80, /* of the text, on a page */
    TICKETS_WORDS_MAX = DEADLINE_KINDS_MAX
};

static const struct list_column ticket_columns[] = {
    {"id", "工单编号", LIST_DIGITS},
    {"type", "工单类型", LIST_TEXT},
    {"channel", "受理渠道", LIST_TEXT},
    {"accepted_at", "受理时间", LIST_TIME},
    {"unit", "供电单位", LIST_TEXT},
    {"category", "投诉类别", LIST_TEXT},
    {"subcategory", "二级分类", LIST_TEXT},
    {"topic", "三级分类", LIST_TEXT},
    {"region", "城乡", LIST_TEXT},
    {"confidence", "把握程度", LIST_REAL},
    {"state", "状态", LIST_TEXT},
    {"complaint", "计入投诉", LIST_BOOL},
    {"repeat", "重复致电", LIST_BOOL},
    {"calls", "致电次数", LIST_INT},
    {"repeat_previous", "前次工单", LIST_DIGITS},
    {"overdue", "超时环节", LIST_WORDS},
    {"next_due", "最近时限环节", LIST_TEXT},
    {"next_due_at", "最近时限", LIST_TIME},
    {"flags", "标记", LIST_WORDS},
    {"reviewed", "已复核", LIST_BOOL},
    {"caller", "来电号码", LIST_DIGITS},
    {"customer", "户号", LIST_DIGITS},
    {"name", "客户姓名", LIST_TEXT},
    {"address", "用电地址", LIST_TEXT},
    {"text", "受理内容", LIST_TEXT},
};

struct tickets_list {
    struct ticket_filter filter;
    int64_t after_us; /* the last row, when after_number > 0 */
    uint64_t after_number;
    uint64_t total;
    bool total_at_least;
    bool total_known; /* carried in the cursor, so that pages agree */
};

/* ---- cursor: instant, number and total in hexadecimal ---- */

static enum err_code
read_cursor(struct tickets_list *list, struct span cursor, struct err *err)
{
    char text[128];
    unsigned long long at;
    unsigned long long number;
    unsigned long long total;
    unsigned at_least;
    int end = 0;

    if (cursor.bytes < sizeof(text)) {
        (void)snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(cursor));
        if (sscanf(text, "%16llx.%16llx.%16llx.%1u%n", &at, &number, &total,
                   &at_least, &end) == 4 &&
            (size_t)end == cursor.bytes && number > 0) {
            list->after_us = (int64_t)at;
            list->after_number = number;
            list->total = total;
            list->total_at_least = at_least != 0;
            list->total_known = true;
            return ERR_OK;
        }
    }
    return err_set_field(err, ERR_BAD_VALUE, "cursor",
                         "not a cursor of this list: take \"next\" of a page "
                         "as it stands");
}

static void
tickets_put_cursor(const void *state, struct buf *out)
{
    const struct tickets_list *list = state;

    buf_printf(out, "%llx.%llx.%llx.%u", (unsigned long long)list->after_us,
               (unsigned long long)list->after_number,
               (unsigned long long)list->total, list->total_at_least ? 1u : 0u);
}

static enum err_code
tickets_open(void *state,
             const struct list_request *request,
             const struct reader *reader,
             struct span cursor,
             struct err *err)
{
    struct tickets_list *list = state;

    if (ticket_filter_read(&list->filter, request, reader, err) != ERR_OK ||
        (cursor.bytes > 0 && read_cursor(list, cursor, err) != ERR_OK)) {
        return err->code;
    }
    return ERR_OK;
}

static const struct list_column *
tickets_columns(const void *state, size_t *count)
{
    (void)state;
    *count = sizeof(ticket_columns) / sizeof(ticket_columns[0]);
    return ticket_columns;
}

/* ---- rows ---- */

struct tickets_fill {
    struct tickets_list *list;
    const struct list_request *request;
    const struct reader *reader;
    struct list_writer *writer;
    struct query_unit_filter units;
    struct record record;
    struct buf scratch; /* for masks */
    size_t rows_left;
    size_t scans_left;
    bool stopped; /* before the end */
    struct err *err;
};

static struct span
word_or_missing(const char *word, bool given)
{
    return given ? span_of(word) : (struct span){NULL, 0};
}

static void
put_clocks(struct tickets_fill *fill, const struct ticket_state *state)
{
    struct span overdue[TICKETS_WORDS_MAX];
    size_t overdue_count = 0;
    const struct state_clock *next = NULL;

    for (uint32_t i = 0; i < state->clock_count; i++) {
        const struct state_clock *clock = &state->clocks[i];

        if (clock->overdue) {
            overdue[overdue_count++] =
                reader_name(fill->reader, clock->kind_id);
        } else if (clock->stopped_us == STATE_NEVER &&
                   clock->due_us != STATE_NEVER &&
                   (next == NULL || clock->due_us < next->due_us)) {
            next = clock;
        }
    }
    list_words(fill->writer, overdue, overdue_count);
    list_text(fill->writer, next != NULL
                                ? reader_name(fill->reader, next->kind_id)
                                : (struct span){NULL, 0});
    list_time(fill->writer, next != NULL ? next->due_us : STATE_NEVER);
}

static void
put_flags(struct list_writer *writer, uint32_t flags)
{
    struct span words[VERDICT_FLAG_COUNT];
    size_t count = 0;

    for (unsigned i = 0; i < VERDICT_FLAG_COUNT; i++) {
        if ((flags >> i & 1) != 0) {
            words[count++] =
                span_of(verdict_flag_name((enum verdict_flag)(1u << i)));
        }
    }
    list_words(writer, words, count);
}

/* A page shows the beginning of the text, an export all of it. */
static void
put_text(struct tickets_fill *fill)
{
    struct span text = mask_field(fill->request->role, MASK_TEXT,
                                  fill->record.ticket.text, &fill->scratch);
    size_t bytes = 0;

    if (text.data == NULL) {
        text = SPAN_LITERAL("");
    }
    if (fill->writer->form->paged) {
        for (int i = 0; i < TICKETS_EXCERPT_CHARS && bytes < text.bytes; i++) {
            bytes += utf8_next(
                (struct span){text.data + bytes, text.bytes - bytes}, NULL);
        }
        text.bytes = bytes;
    }
    list_text(fill->writer, text);
}

static void
put_personal(struct tickets_fill *fill,
             enum mask_field field,
             struct span value)
{
    list_text(fill->writer,
              mask_field(fill->request->role, field, value, &fill->scratch));
}

/* `fill->record` is the version in force. */
static void
put_row(struct tickets_fill *fill, const struct ticket_state *state)
{
    struct list_writer *w = fill->writer;
    const struct reader *reader = fill->reader;
    const struct ticket *ticket = &fill->record.ticket;
    struct tally tally;
    struct err err = {0};
    struct record previous;

    tally_state(state, NULL, STATE_NEVER, &tally);
    list_text(w, ticket->id);
    list_text(w, word_or_missing(ticket_type_wire(state->type),
                                 state->type != TICKET_TYPE_UNKNOWN));
    list_text(w, span_of(ticket_channel_wire(state->channel)));
    list_time(w, state->accepted_at_us);
    list_text(w, reader_name(reader, state->unit_id));
    list_text(w, span_of(ticket_category_wire(state->category)));
    list_text(w, reader_name(reader, state->subcategory_id));
    list_text(w, reader_name(reader, state->topic_id));
    list_text(w, span_of(ticket_region_wire(state->region)));
    list_real(w, fill->record.verdict.confidence_permille / 1000.0);
    list_text(w, span_of(query_life_wire(query_life_of(state, STATE_NEVER))));
    list_bool(w, (tally.accepted_set >> COUNTER_complaints & 1) != 0);
    list_bool(w, (tally.accepted_set >> COUNTER_repeats & 1) != 0);
    list_int(w, state->calls);
    if (state->repeat_previous != 0 &&
        reader_record(reader, state->repeat_previous, &previous, &err) ==
            ERR_OK) {
        list_text(w, previous.ticket.id);
    } else {
        list_none(w);
    }
    put_clocks(fill, state);
    put_flags(w, state->verdict_flags);
    list_bool(w, state->reviewed);
    put_personal(fill, MASK_PHONE, ticket->caller);
    put_personal(fill, MASK_CUSTOMER, ticket->customer);
    put_personal(fill, MASK_NAME, ticket->name);
    put_personal(fill, MASK_ADDRESS, ticket->address);
    put_text(fill);
}

static bool
visit_ticket(void *data, int64_t accepted_at_us, uint64_t number)
{
    struct tickets_fill *fill = data;
    struct tickets_list *list = fill->list;
    struct ticket_state state;

    if (fill->rows_left == 0 || fill->scans_left == 0) {
        fill->stopped = true;
        return false;
    }
    if (!reader_state(fill->reader, number, &state, fill->err)) {
        (void)err_set(fill->err, ERR_CORRUPT, "a ticket's state is missing");
        return false;
    }
    fill->scans_left--;
    if (ticket_filter_state(&list->filter, &fill->units, &state)) {
        if (reader_record(fill->reader, state.record_seq, &fill->record,
                          fill->err) != ERR_OK) {
            return false;
        }
        if (ticket_filter_text(&list->filter, &fill->record)) {
            put_row(fill, &state);
            fill->rows_left--;
        }
    }
    list->after_us = accepted_at_us;
    list->after_number = number;
    return true;
}

static enum err_code
tickets_fill(void *state,
             const struct list_request *request,
             const struct reader *reader,
             struct list_writer *writer,
             size_t rows_max,
             bool *more,
             struct err *err)
{
    struct tickets_list *list = state;
    struct tickets_fill fill = {.list = list,
                                .request = request,
                                .reader = reader,
                                .writer = writer,
                                .rows_left = rows_max,
                                .scans_left = LIST_SCAN_MAX,
                                .err = err};

    *more = false;
    if (writer->form->paged && !list->total_known) {
        if (ticket_filter_total(&list->filter, reader, &list->total,
                                &list->total_at_least, err) != ERR_OK) {
            return err->code;
        }
        list->total_known = true;
    }
    if (list->filter.nothing) {
        return ERR_OK;
    }
    buf_init(&fill.scratch, TICKET_TEXT_BYTES_MAX * 2);
    query_unit_filter_init(&fill.units, reader, list->filter.unit_id);
    *more =
        reader_tickets(reader, ticket_filter_scan_from_us(&list->filter),
                       list->filter.to_us, list->after_us, list->after_number,
                       true, visit_ticket, &fill, err) == ERR_OK &&
        fill.stopped;
    buf_release(&fill.scratch);
    return err->code;
}

static void
tickets_put_totals(const void *state,
                   const struct reader *reader,
                   struct json_out *json)
{
    const struct tickets_list *list = state;

    (void)reader;
    json_put_uint(json, list->total_at_least ? "total_at_least" : "total",
                  list->total);
}

const struct list_source tickets_source = {
    .name = "tickets",
    .chinese = "工单",
    .params = ticket_filter_params,
    .thread = LIST_ON_SCANNER,
    .state_bytes = sizeof(struct tickets_list),
    .open = tickets_open,
    .columns = tickets_columns,
    .fill = tickets_fill,
    .put_cursor = tickets_put_cursor,
    .put_totals = tickets_put_totals,
};
