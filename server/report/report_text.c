/* The report for people: tables and bars, aligned for Chinese widths. */
#include <stdio.h>

#include "server/base/display.h"
#include "server/report/report_internal.h"

enum { BAR_COLUMNS = 40, BAR_NAME_COLUMNS = 14 };

static void
put_title(struct buf *buf, const char *title)
{
    buf_printf(buf, "\n%s\n", title);
}

static void
put_table(struct buf *buf, struct display_table *table)
{
    struct err err = {0};

    if (display_table_put(table, buf, &err) != ERR_OK &&
        buf->failed == ERR_OK) {
        buf->failed = err.code; /* told by whoever writes the buffer out */
    }
    display_table_release(table);
}

static void
put_head(struct buf *buf, const struct report *report)
{
    char from[REPORT_DATE_BYTES];
    char to[REPORT_DATE_BYTES];
    char name[PERIOD_NAME_BYTES];
    char time[TICKET_TIME_BYTES];

    buf_printf(buf, "供电服务工单分析  %s 至 %s",
               report_date(report->first_day, from),
               report_date(report->last_day, to));
    if (report->is_period && report->period.kind > PERIOD_DAY) {
        buf_printf(buf, "（%s）",
                   period_name(report->period.kind, report->first_day, name));
    }
    buf_put_text(buf, "\n供电单位  ");
    display_put(buf,
                report->unit.bytes > 0 ? report->unit : SPAN_LITERAL("全部"));
    buf_printf(buf, "\n统计截至  %s\n",
               ticket_time_format(report->numbers.query.as_of_us, time));
    buf_printf(buf, "受理工单  %llu 件，其中投诉 %llu 件\n",
               (unsigned long long)report_counter(report, COUNTER_received),
               (unsigned long long)report->complaints_total);
    if (report->numbers.expired > 0) {
        buf_printf(buf, "其中 %llu 件已到期清除，按清除时的状态计数\n",
                   (unsigned long long)report->numbers.expired);
    }
}

/* One row of the table of categories. */
static void
put_category_row(struct display_table *table,
                 const struct report *report,
                 const char *name,
                 enum ticket_category category,
                 bool with_unknown)
{
    const struct report_numbers *numbers = &report->numbers;
    uint64_t count = report_category(numbers, category);

    display_table_text(table, name);
    display_table_printf(table, "%llu",
                         (unsigned long long)report_complaints(
                             numbers, category, TICKET_REGION_URBAN));
    display_table_printf(table, "%llu",
                         (unsigned long long)report_complaints(
                             numbers, category, TICKET_REGION_RURAL));
    if (with_unknown) {
        display_table_printf(table, "%llu",
                             (unsigned long long)report_complaints(
                                 numbers, category, TICKET_REGION_UNKNOWN));
    }
    display_table_printf(table, "%llu", (unsigned long long)count);
    display_table_printf(table, "%.2f %%",
                         report_percent(count, report->complaints_total));
}

static void
put_region_shares(struct display_table *table,
                  const struct report *report,
                  bool with_unknown)
{
    static const enum ticket_region regions[] = {
        TICKET_REGION_URBAN, TICKET_REGION_RURAL, TICKET_REGION_UNKNOWN};

    display_table_text(table, "占比");
    for (int i = 0; i < (with_unknown ? 3 : 2); i++) {
        display_table_printf(
            table, "%.2f %%",
            report_percent(report_complaints(&report->numbers,
                                             TICKET_CATEGORY_COUNT, regions[i]),
                           report->complaints_total));
    }
    display_table_printf(
        table, "%.2f %%",
        report_percent(report->complaints_total, report->complaints_total));
    display_table_text(table, "");
}

static void
put_categories(struct buf *buf, const struct report *report)
{
    static const enum display_align aligns[] = {DISPLAY_LEFT,  DISPLAY_RIGHT,
                                                DISPLAY_RIGHT, DISPLAY_RIGHT,
                                                DISPLAY_RIGHT, DISPLAY_RIGHT};
    const struct report_numbers *numbers = &report->numbers;
    uint64_t remote =
        report_complaints(numbers, TICKET_CATEGORY_COUNT, TICKET_REGION_REMOTE);
    bool with_unknown = report_complaints(numbers, TICKET_CATEGORY_COUNT,
                                          TICKET_REGION_UNKNOWN) > 0;
    struct display_table table;

    put_title(buf, "投诉分类与城乡分布");
    display_table_init(&table, with_unknown ? 6 : 5, aligns);
    display_table_text(&table, "类别");
    display_table_text(&table, "城区");
    display_table_text(&table, "农村");
    if (with_unknown) {
        display_table_text(&table, "未知");
    }
    display_table_text(&table, "合计");
    display_table_text(&table, "占比");
    for (size_t i = 0; i < REPORT_CATEGORIES; i++) {
        enum ticket_category category = report_category_at(i);

        put_category_row(&table, report, ticket_category_chinese(category),
                         category, with_unknown);
    }
    if (report_category(numbers, TICKET_CATEGORY_NONE) > 0) {
        put_category_row(&table, report, "未归类", TICKET_CATEGORY_NONE,
                         with_unknown);
    }
    put_category_row(&table, report, "合计", TICKET_CATEGORY_COUNT,
                     with_unknown);
    put_region_shares(&table, report, with_unknown);
    put_table(buf, &table);
    if (remote > 0) {
        buf_printf(buf, "农村含特殊边远地区 %llu 件\n",
                   (unsigned long long)remote);
    }
}

static void
put_bar(struct buf *buf, const char *name, uint64_t count, uint64_t total)
{
    uint64_t columns =
        total > 0 ? (count * BAR_COLUMNS + total / 2) / total : 0;

    display_put_cell(buf, span_of(name), BAR_NAME_COLUMNS, DISPLAY_LEFT);
    for (uint64_t i = 0; i < BAR_COLUMNS; i++) {
        buf_put_text(buf, i < columns ? "█" : "·");
    }
    buf_printf(buf, " %6.2f %%  %llu\n", report_percent(count, total),
               (unsigned long long)count);
}

static void
put_bars(struct buf *buf, const struct report *report)
{
    put_title(buf, "投诉构成");
    for (size_t i = 0; i < REPORT_CATEGORIES; i++) {
        enum ticket_category category = report_category_at(i);

        put_bar(buf, ticket_category_chinese(category),
                report_category(&report->numbers, category),
                report->complaints_total);
    }
    if (report_category(&report->numbers, TICKET_CATEGORY_NONE) > 0) {
        put_bar(buf, "未归类",
                report_category(&report->numbers, TICKET_CATEGORY_NONE),
                report->complaints_total);
    }
}

static void
put_subcategories(struct buf *buf, const struct report *report)
{
    static const enum display_align aligns[] = {DISPLAY_LEFT,  DISPLAY_LEFT,
                                                DISPLAY_RIGHT, DISPLAY_RIGHT,
                                                DISPLAY_RIGHT, DISPLAY_RIGHT};
    const struct report_numbers *numbers = &report->numbers;
    struct display_table table;

    put_title(buf, "投诉二级分类");
    display_table_init(&table, 6, aligns);
    display_table_text(&table, "类别");
    display_table_text(&table, "二级分类");
    display_table_text(&table, "城区");
    display_table_text(&table, "农村");
    display_table_text(&table, "件数");
    display_table_text(&table, "占比");
    for (size_t i = 0; i < numbers->subcategory_count; i++) {
        const struct report_subcategory *row = &numbers->subcategories[i];

        display_table_text(&table, ticket_category_chinese(row->category));
        display_table_cell(&table, report_subcategory_name(report, row));
        display_table_printf(
            &table, "%llu",
            (unsigned long long)row->by_region[TICKET_REGION_URBAN]);
        display_table_printf(
            &table, "%llu",
            (unsigned long long)(row->by_region[TICKET_REGION_RURAL] +
                                 row->by_region[TICKET_REGION_REMOTE]));
        display_table_printf(&table, "%llu",
                             (unsigned long long)row->complaints);
        display_table_printf(
            &table, "%.2f %%",
            report_percent(row->complaints, report->complaints_total));
    }
    put_table(buf, &table);
    if (numbers->subcategories_truncated) {
        buf_printf(buf, "只列出 %d 种\n", QUERY_SUBCATEGORIES_MAX);
    }
}

static void
put_repeat(struct buf *buf, const struct report *report)
{
    const struct report_numbers *numbers = &report->numbers;

    put_title(buf, "重复致电");
    buf_printf(buf,
               "重复致电工单 %llu 件（占受理 %.2f %%），涉及客户 %llu 户\n",
               (unsigned long long)numbers->repeat_tickets,
               report_percent(numbers->repeat_tickets,
                              report_counter(report, COUNTER_received)),
               (unsigned long long)numbers->repeat_callers);
    buf_printf(buf, "三次及以上致电 %llu 件，短时多次致电 %llu 件\n",
               (unsigned long long)report_counter(report, COUNTER_third_calls),
               (unsigned long long)report_counter(report, COUNTER_bursts));
    buf_printf(buf, "已作最终答复、不计入的重复工单 %llu 件\n",
               (unsigned long long)numbers->repeat_settled);
}

static void
put_overdue(struct buf *buf, const struct report *report)
{
    static const enum display_align aligns[] = {DISPLAY_LEFT, DISPLAY_RIGHT,
                                                DISPLAY_RIGHT};
    const struct deadline_table *deadlines = report->dictionary->deadlines;
    struct display_table table;

    put_title(buf, "超时环节");
    display_table_init(&table, 3, aligns);
    display_table_text(&table, "环节");
    display_table_text(&table, "超时");
    display_table_text(&table, "其中未完成");
    for (uint32_t k = 0; k < deadline_kind_count(deadlines); k++) {
        const struct report_overdue *row =
            report_overdue_of(report, deadline_kind_code(deadlines, k));

        display_table_cell(&table, deadline_kind_chinese(deadlines, k));
        display_table_printf(&table, "%llu", (unsigned long long)row->clocks);
        display_table_printf(&table, "%llu", (unsigned long long)row->open);
    }
    put_table(buf, &table);
    buf_printf(buf, "至少一个环节超时的工单 %llu 件\n",
               (unsigned long long)report_counter(report, COUNTER_overdue));
}

static void
put_types(struct buf *buf, const struct report *report)
{
    static const enum display_align aligns[] = {DISPLAY_LEFT, DISPLAY_RIGHT,
                                                DISPLAY_RIGHT};
    struct display_table table;

    put_title(buf, "工单类型");
    display_table_init(&table, 3, aligns);
    display_table_text(&table, "类型");
    display_table_text(&table, "件数");
    display_table_text(&table, "占比");
    for (int t = 0; t < TICKET_TYPE_COUNT; t++) {
        uint64_t count = report->numbers.received_by_type[t];

        if (count > 0) {
            display_table_text(&table,
                               ticket_type_chinese((enum ticket_type)t));
            display_table_printf(&table, "%llu", (unsigned long long)count);
            display_table_printf(
                &table, "%.2f %%",
                report_percent(count,
                               report_counter(report, COUNTER_received)));
        }
    }
    put_table(buf, &table);
}

static void
put_agreement(struct buf *buf,
              const char *name,
              uint64_t agreed,
              uint64_t reviewed)
{
    if (reviewed > 0) {
        buf_printf(buf, "，%s一致 %.2f %%", name,
                   report_percent(agreed, reviewed));
    }
}

static void
put_work(struct buf *buf, const struct report *report)
{
    const struct report_numbers *numbers = &report->numbers;
    uint64_t reviewed = report_counter(report, COUNTER_reviewed);

    put_title(buf, "投诉处理");
    buf_printf(buf, "已办结 %llu 件，已答复未办结 %llu 件，处理中 %llu 件\n",
               (unsigned long long)numbers->complaints_closed,
               (unsigned long long)numbers->complaints_replied,
               (unsigned long long)numbers->complaints_open);
    buf_printf(buf, "属实（含部分属实） %llu 件\n",
               (unsigned long long)numbers->complaints_substantiated);
    buf_printf(buf, "全部工单：回访有评价 %llu 件，其中满意 %llu 件\n",
               (unsigned long long)report_counter(report, COUNTER_revisited),
               (unsigned long long)report_counter(report, COUNTER_satisfied));
    buf_printf(buf, "人工复核 %llu 件", (unsigned long long)reviewed);
    put_agreement(buf, "大类", report_counter(report, COUNTER_agree_category),
                  reviewed);
    put_agreement(buf, "二级",
                  report_counter(report, COUNTER_agree_subcategory),
                  report_counter(report, COUNTER_reviewed_subcategory));
    put_agreement(buf, "城乡", report_counter(report, COUNTER_agree_region),
                  report_counter(report, COUNTER_reviewed_region));
    buf_put_char(buf, '\n');
}

static void
put_side(struct display_table *table, bool given, double value)
{
    if (!given) {
        display_table_text(table, "无数据");
    } else if (value >= -1e15 && value <= 1e15 &&
               (double)(int64_t)value - value >= 0.0 &&
               (double)(int64_t)value - value <= 0.0) {
        display_table_printf(table, "%lld", (long long)value);
    } else {
        display_table_printf(table, "%.2f", value);
    }
}

static void
put_indicators(struct buf *buf, const struct report *report)
{
    static const enum display_align aligns[] = {
        DISPLAY_RIGHT, DISPLAY_LEFT,  DISPLAY_RIGHT, DISPLAY_LEFT,
        DISPLAY_RIGHT, DISPLAY_RIGHT, DISPLAY_LEFT};
    static const char *const sources[] = {"自动", "代用", "填报"};
    const struct indicator_table *indicators = report->dictionary->indicators;
    struct display_table table;

    put_title(buf, "服务指标");
    display_table_init(&table, 7, aligns);
    display_table_text(&table, "序号");
    display_table_text(&table, "指标");
    display_table_text(&table, "数值");
    display_table_text(&table, "单位");
    display_table_text(&table, "分子");
    display_table_text(&table, "分母");
    display_table_text(&table, "来源");
    for (size_t i = 0; i < indicator_count(indicators); i++) {
        const struct indicator_row *row = indicator_row(indicators, i);
        const struct indicator_answer *answer = &report->answers[i];

        display_table_printf(&table, "%u", (unsigned)row->number);
        display_table_cell(&table, row->name_zh);
        if (answer->missing == INDICATOR_PRESENT) {
            display_table_printf(&table, "%.2f", answer->value);
        } else {
            display_table_text(&table, "无数据");
        }
        display_table_cell(&table, row->unit);
        put_side(&table, answer->has_numerator, answer->numerator);
        put_side(&table, answer->has_denominator, answer->denominator);
        display_table_text(&table, sources[row->source]);
    }
    put_table(buf, &table);
}

void
report_put_text(struct buf *buf, const struct report *report)
{
    put_head(buf, report);
    put_categories(buf, report);
    put_bars(buf, report);
    put_subcategories(buf, report);
    put_repeat(buf, report);
    put_overdue(buf, report);
    put_work(buf, report);
    put_types(buf, report);
    put_indicators(buf, report);
}
