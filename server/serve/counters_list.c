/* GET /v1/counters: sums of the counters by period and properties. */
#include <stdio.h>

#include "server/serve/counter_rows.h"
#include "server/serve/lists.h"

static const char *const counters_params[] = {"from", "to",   "period",
                                              "by",   "unit", NULL};

struct counters_list {
    struct counter_rows_query query;
    struct counter_rows rows;
    struct list_column columns[LIST_COLUMNS_MAX];
    size_t column_count;
    size_t at;
};

static const struct list_column by_columns[COUNTER_BY_COUNT] = {
    [COUNTER_BY_CATEGORY] = {"category", "投诉类别", LIST_TEXT},
    [COUNTER_BY_REGION] = {"region", "城乡", LIST_TEXT},
    [COUNTER_BY_SUBCATEGORY] = {"subcategory", "二级分类", LIST_TEXT},
    [COUNTER_BY_CHANNEL] = {"channel", "受理渠道", LIST_TEXT},
    [COUNTER_BY_TYPE] = {"type", "工单类型", LIST_TEXT},
    [COUNTER_BY_UNIT] = {"unit", "供电单位", LIST_TEXT},
    [COUNTER_BY_CLOCK] = {"clock", "时限环节", LIST_TEXT},
};

static const struct {
    const char *word;
    unsigned period;
} period_words[] = {
    {"all", COUNTER_PERIOD_ALL}, {"hour", PERIOD_HOUR},
    {"day", PERIOD_DAY},         {"week", PERIOD_WEEK},
    {"month", PERIOD_MONTH},     {"quarter", PERIOD_QUARTER},
    {"year", PERIOD_YEAR},
};

static bool
by_word(struct span word, unsigned *out)
{
    enum counter_by by;

    if (!counter_by_from(word, &by)) {
        return false;
    }
    *out = by;
    return true;
}

static enum err_code
read_period(const struct params *params, unsigned *out, struct err *err)
{
    struct span word = params_get(params, "period");

    *out = COUNTER_PERIOD_ALL;
    if (word.bytes == 0) {
        return ERR_OK;
    }
    for (size_t i = 0; i < sizeof(period_words) / sizeof(period_words[0]);
         i++) {
        if (span_is(word, period_words[i].word)) {
            *out = period_words[i].period;
            return ERR_OK;
        }
    }
    return err_set_field(
        err, ERR_BAD_VALUE, "period",
        "period is hour, day, week, month, quarter, year or all");
}

static void
make_columns(struct counters_list *list)
{
    struct list_column *columns = list->columns;
    size_t count = 0;

    columns[count++] = (struct list_column){"period", "时段", LIST_TEXT};
    columns[count++] = (struct list_column){"start", "开始", LIST_TIME};
    for (unsigned b = 0; b < COUNTER_BY_COUNT; b++) {
        if ((list->query.by >> b & 1) != 0) {
            columns[count++] = by_columns[b];
        }
    }
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        if ((list->query.by >> COUNTER_BY_CLOCK & 1) == 0 ||
            c == COUNTER_overdue_clocks) {
            columns[count++] = (struct list_column){
                counter_name((enum counter)c), counter_chinese((enum counter)c),
                LIST_INT};
        }
    }
    list->column_count = count;
}

static enum err_code
counters_open(void *state,
              const struct list_request *request,
              const struct reader *reader,
              struct span cursor,
              struct err *err)
{
    struct counters_list *list = state;
    const struct params *params = request->params;
    bool known;

    (void)cursor;
    if (params_range(params, &list->query.from_us, &list->query.to_us, err) !=
            ERR_OK ||
        read_period(params, &list->query.period, err) != ERR_OK ||
        params_set(params, "by", by_word, ERR_BAD_VALUE,
                   "category, region, subcategory, channel, type, unit, clock",
                   &list->query.by, err) != ERR_OK) {
        return err->code;
    }
    query_unit(reader, request->dictionary, params_get(params, "unit"),
               &list->query.unit_id, &known);
    make_columns(list);
    return known ? counter_rows_read(reader, &list->query, &list->rows, err)
                 : ERR_OK;
}

static const struct list_column *
counters_columns(const void *state, size_t *count)
{
    const struct counters_list *list = state;

    *count = list->column_count;
    return list->columns;
}

/* "2018-01-01/2018-03-31" for the whole range. */
static struct span
period_text(const struct counter_rows_query *query,
            const struct counter_row *row,
            char *out,
            size_t room)
{
    char to[PERIOD_NAME_BYTES];
    char day[PERIOD_NAME_BYTES];

    if (query->period == COUNTER_PERIOD_ALL) {
        if (query->from_us == QUERY_FROM_MIN_US &&
            query->to_us == QUERY_TO_MAX_US) {
            return SPAN_LITERAL("all");
        }
        (void)snprintf(
            out, room, "%s/%s",
            period_name(PERIOD_DAY, shanghai_day(query->from_us), day),
            period_name(PERIOD_DAY, shanghai_day(query->to_us - 1), to));
    } else if (query->period == PERIOD_HOUR) {
        (void)snprintf(out, room, "%sT%02u",
                       period_name(PERIOD_DAY, row->day, day),
                       (unsigned)row->hour);
    } else {
        (void)snprintf(
            out, room, "%s",
            period_name((enum period_kind)query->period, row->day, day));
    }
    return span_of(out);
}

static struct span
value_text(const struct reader *reader, enum counter_by by, uint32_t value)
{
    switch (by) {
    case COUNTER_BY_CATEGORY:
        return span_of(ticket_category_wire((enum ticket_category)value));
    case COUNTER_BY_REGION:
        return span_of(ticket_region_wire((enum ticket_region)value));
    case COUNTER_BY_CHANNEL:
        return span_of(ticket_channel_wire((enum ticket_channel)value));
    case COUNTER_BY_TYPE:
        return span_of(ticket_type_wire((enum ticket_type)value));
    case COUNTER_BY_SUBCATEGORY:
    case COUNTER_BY_UNIT:
    case COUNTER_BY_CLOCK:
    case COUNTER_BY_COUNT:
        break;
    }
    return reader_name(reader, value);
}

static void
put_row(const struct counters_list *list,
        const struct reader *reader,
        const struct counter_row *row,
        struct list_writer *w)
{
    char period[2 * PERIOD_NAME_BYTES + 2];

    list_text(w, period_text(&list->query, row, period, sizeof(period)));
    list_time(w, shanghai_day_start_us(row->day) + row->hour * US_PER_HOUR);
    for (unsigned b = 0; b < COUNTER_BY_COUNT; b++) {
        if ((list->query.by >> b & 1) != 0) {
            list_text(w, value_text(reader, (enum counter_by)b, row->value[b]));
        }
    }
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        if ((list->query.by >> COUNTER_BY_CLOCK & 1) != 0 &&
            c != COUNTER_overdue_clocks) {
            continue;
        }
        if (counter_rows_has(&list->query, row, (enum counter)c)) {
            list_int(w, row->counts[c]);
        } else {
            list_none(w);
        }
    }
}

static enum err_code
counters_fill(void *state,
              const struct list_request *request,
              const struct reader *reader,
              struct list_writer *writer,
              size_t rows_max,
              bool *more,
              struct err *err)
{
    struct counters_list *list = state;

    (void)request;
    (void)err;
    for (size_t rows = 0; rows < rows_max && list->at < list->rows.count;
         rows++) {
        put_row(list, reader, &list->rows.rows[list->at++], writer);
    }
    *more = list->at < list->rows.count;
    return ERR_OK;
}

static void
counters_put_totals(const void *state,
                    const struct reader *reader,
                    struct json_out *json)
{
    const struct counters_list *list = state;
    int64_t tick_us = reader_tick_us(reader);
    char time[TICKET_TIME_BYTES];

    json_put_uint(json, "total", list->rows.count);
    json_key(json, "as_of");
    if (tick_us == INT64_MIN) {
        json_null(json);
    } else {
        json_text(json, ticket_time_format(tick_us, time));
    }
}

static void
counters_close(void *state)
{
    struct counters_list *list = state;

    counter_rows_release(&list->rows);
}

const struct list_source counters_source = {
    .name = "counters",
    .chinese = "统计",
    .params = counters_params,
    .state_bytes = sizeof(struct counters_list),
    .open = counters_open,
    .columns = counters_columns,
    .fill = counters_fill,
    .put_totals = counters_put_totals,
    .close = counters_close,
};
