/* GET /v1/indicators: the indicators of a period, with those to compare. */
#include <stdio.h>

#include "analyzers/units.h"
#include "server/serve/indicator_values.h"
#include "server/serve/lists.h"
#include "server/serve/query.h"

static const char *const indicator_params[] = {"period", "unit", NULL};

static const struct list_column indicator_columns[] = {
    {"number", "序号", LIST_INT},
    {"code", "代码", LIST_TEXT},
    {"name", "指标", LIST_TEXT},
    {"name_en", "英文名", LIST_TEXT},
    {"level", "层级", LIST_TEXT},
    {"period", "时段", LIST_TEXT},
    {"value", "值", LIST_REAL},
    {"measure", "单位", LIST_TEXT},
    {"missing", "缺数", LIST_BOOL},
    {"missing_reason", "缺数原因", LIST_TEXT},
    {"numerator", "分子", LIST_REAL},
    {"denominator", "分母", LIST_REAL},
    {"source", "来源", LIST_TEXT},
    {"good", "趋好方向", LIST_TEXT},
    {"target", "目标", LIST_TEXT},
    {"previous_period", "上期", LIST_TEXT},
    {"previous_value", "上期值", LIST_REAL},
    {"last_year_period", "上年同期", LIST_TEXT},
    {"last_year_value", "上年同期值", LIST_REAL},
    {"fed_at", "填报时间", LIST_TIME},
    {"fed_by", "填报人", LIST_TEXT},
    {"formula", "公式", LIST_TEXT},
};

struct indicators_list {
    struct indicator_period period;
    struct indicator_period before;
    struct indicator_period last_year;
    struct span unit; /* path; borrowed from the query or the dictionary */
    char unit_path[NAME_BYTES_MAX + 1];
    size_t at;
    size_t count;
};

static enum err_code
indicators_open(void *state,
                const struct list_request *request,
                const struct reader *reader,
                struct span cursor,
                struct err *err)
{
    struct indicators_list *list = state;
    struct span period = params_get(request->params, "period");
    struct span unit = params_get(request->params, "unit");

    (void)cursor;
    (void)reader;
    if (period.bytes == 0) {
        int32_t today = shanghai_day(request->now_us);

        list->period.kind = PERIOD_MONTH;
        list->period.first_day = period_first_day(PERIOD_MONTH, today);
        list->period.last_day = period_next_day(PERIOD_MONTH, today) - 1;
    } else if (indicator_period_parse(period, &list->period, err) != ERR_OK) {
        return err->code;
    }
    if (list->period.kind == PERIOD_HOUR) {
        return err_set_field(err, ERR_BAD_VALUE, "period",
                             "indicators have days, weeks, months, quarters "
                             "and years, no hours");
    }
    list->before = indicator_period_before(&list->period);
    list->last_year = indicator_period_last_year(&list->period);
    if (unit.bytes > 0) {
        unit = units_path(request->dictionary->units, unit);
        (void)snprintf(list->unit_path, sizeof(list->unit_path), "%.*s",
                       SPAN_ARGS(unit));
        list->unit = span_of(list->unit_path);
    }
    list->count = indicator_count(request->dictionary->indicators);
    return ERR_OK;
}

static const struct list_column *
indicators_columns(const void *state, size_t *count)
{
    (void)state;
    *count = sizeof(indicator_columns) / sizeof(indicator_columns[0]);
    return indicator_columns;
}

static const char *
source_word(enum indicator_source source)
{
    switch (source) {
    case INDICATOR_LIVE:
        return "live";
    case INDICATOR_PROXY:
        return "proxy";
    case INDICATOR_FED:
        break;
    }
    return "fed";
}

static struct span
given(struct span text)
{
    return text.bytes > 0 ? text : (struct span){NULL, 0};
}

static void
put_real(struct list_writer *w, bool given_value, double value)
{
    if (given_value) {
        list_real(w, value);
    } else {
        list_none(w);
    }
}

static void
put_period(struct list_writer *w, const struct indicator_period *period)
{
    char name[PERIOD_NAME_BYTES];

    list_text(w, span_of(period_name(period->kind, period->first_day, name)));
}

static enum err_code
put_row(const struct indicators_list *list,
        const struct indicator_row *row,
        const struct reader *reader,
        uint32_t unit_id,
        struct list_writer *w,
        struct err *err)
{
    struct indicator_answer now;
    struct indicator_answer before;
    struct indicator_answer last_year;
    bool present;

    if (indicator_answer(reader, row, &list->period, unit_id, list->unit, &now,
                         err) != ERR_OK ||
        indicator_answer(reader, row, &list->before, unit_id, list->unit,
                         &before, err) != ERR_OK ||
        indicator_answer(reader, row, &list->last_year, unit_id, list->unit,
                         &last_year, err) != ERR_OK) {
        return err->code;
    }
    present = now.missing == INDICATOR_PRESENT;
    list_int(w, row->number);
    list_text(w, row->code);
    list_text(w, row->name_zh);
    list_text(w, given(row->name_en));
    list_text(w, row->level);
    put_period(w, &list->period);
    put_real(w, present, now.value);
    list_text(w, given(row->unit));
    list_bool(w, !present);
    list_text(w, span_of(indicator_missing_wire(now.missing)));
    put_real(w, now.has_numerator, now.numerator);
    put_real(w, now.has_denominator, now.denominator);
    list_text(w, span_of(source_word(row->source)));
    list_text(w, given(row->good));
    list_text(w, given(row->target));
    put_period(w, &list->before);
    put_real(w, before.missing == INDICATOR_PRESENT, before.value);
    put_period(w, &list->last_year);
    put_real(w, last_year.missing == INDICATOR_PRESENT, last_year.value);
    list_time(w, now.fed_at_us != 0 ? now.fed_at_us : INT64_MAX);
    list_text(w, given(now.fed_by));
    list_text(w, given(row->formula_zh));
    return ERR_OK;
}

static enum err_code
indicators_fill(void *state,
                const struct list_request *request,
                const struct reader *reader,
                struct list_writer *writer,
                size_t rows_max,
                bool *more,
                struct err *err)
{
    struct indicators_list *list = state;
    const struct indicator_table *table = request->dictionary->indicators;
    uint32_t unit_id =
        names_find(reader->store, reader->txn, NAME_UNIT, list->unit);
    size_t count = indicator_count(table);

    /* A unit without tickets has zero complaints, not everybody's. */
    if (list->unit.bytes > 0 && unit_id == 0) {
        unit_id = NAMES_MAX; /* no name has it */
    }
    for (size_t rows = 0; rows < rows_max && list->at < count; rows++) {
        if (put_row(list, indicator_row(table, list->at), reader, unit_id,
                    writer, err) != ERR_OK) {
            return err->code;
        }
        list->at++;
    }
    *more = list->at < count;
    return ERR_OK;
}

static void
indicators_put_totals(const void *state,
                      const struct reader *reader,
                      struct json_out *json)
{
    const struct indicators_list *list = state;

    (void)reader;
    json_put_uint(json, "total", list->count);
    json_key(json, "unit");
    if (list->unit.bytes > 0) {
        json_string(json, list->unit);
    } else {
        json_null(json);
    }
}

const struct list_source indicators_source = {
    .name = "indicators",
    .chinese = "指标",
    .params = indicator_params,
    .state_bytes = sizeof(struct indicators_list),
    .open = indicators_open,
    .columns = indicators_columns,
    .fill = indicators_fill,
    .put_totals = indicators_put_totals,
};
