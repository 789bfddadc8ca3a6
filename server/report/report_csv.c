/* The report as rows of section, name, value: for a spreadsheet. */
#include <stdio.h>

#include "server/report/report_internal.h"

/* A cell; quoted where needed. A beginning that a spreadsheet takes for a
 * formula gets an apostrophe. */
static void
put_cell(struct buf *buf, struct span text)
{
    bool quoted = false;

    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.data[i];

        quoted |= c == ',' || c == '"' || c == '\n' || c == '\r';
    }
    if (quoted) {
        buf_put_char(buf, '"');
    }
    if (text.bytes > 0 &&
        (text.data[0] == '=' || text.data[0] == '+' || text.data[0] == '@')) {
        buf_put_char(buf, '\'');
    }
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] == '"') {
            buf_put_char(buf, '"');
        }
        buf_put_char(buf, text.data[i]);
    }
    if (quoted) {
        buf_put_char(buf, '"');
    }
}

static void
put_start(struct buf *buf, const char *section, struct span name)
{
    put_cell(buf, span_of(section));
    buf_put_char(buf, ',');
    put_cell(buf, name);
    buf_put_char(buf, ',');
}

static void
put_text(struct buf *buf,
         const char *section,
         const char *name,
         struct span value)
{
    put_start(buf, section, span_of(name));
    put_cell(buf, value);
    buf_put_text(buf, "\r\n");
}

static void
put_count(struct buf *buf,
          const char *section,
          struct span name,
          uint64_t count)
{
    put_start(buf, section, name);
    buf_printf(buf, "%llu\r\n", (unsigned long long)count);
}

static void
put_percent(struct buf *buf,
            const char *section,
            struct span name,
            uint64_t part,
            uint64_t whole)
{
    put_start(buf, section, name);
    if (whole > 0) {
        buf_printf(buf, "%.2f", report_percent(part, whole));
    } else {
        buf_put_text(buf, "无数据");
    }
    buf_put_text(buf, "\r\n");
}

static void
put_head(struct buf *buf, const struct report *report)
{
    char date[REPORT_DATE_BYTES];
    char time[TICKET_TIME_BYTES];

    put_text(buf, "报告", "起", span_of(report_date(report->first_day, date)));
    put_text(buf, "报告", "止", span_of(report_date(report->last_day, date)));
    put_text(buf, "报告", "供电单位",
             report->unit.bytes > 0 ? report->unit : SPAN_LITERAL("全部"));
    put_text(buf, "报告", "统计截至",
             span_of(ticket_time_format(report->numbers.query.as_of_us, time)));
    if (report->numbers.expired > 0) {
        put_count(buf, "报告",
                  SPAN_LITERAL("已到期清除的工单（按清除时的状态计数）"),
                  report->numbers.expired);
    }
}

static void
put_categories(struct buf *buf, const struct report *report)
{
    const struct report_numbers *numbers = &report->numbers;

    put_count(buf, "投诉", SPAN_LITERAL("合计"), report->complaints_total);
    for (size_t i = 0; i < REPORT_CATEGORIES; i++) {
        enum ticket_category category = report_category_at(i);
        struct span name = span_of(ticket_category_chinese(category));
        uint64_t count = report_category(numbers, category);

        put_count(buf, "投诉", name, count);
        put_percent(buf, "投诉占比%", name, count, report->complaints_total);
        put_count(buf, "城区投诉", name,
                  report_complaints(numbers, category, TICKET_REGION_URBAN));
        put_count(buf, "农村投诉", name,
                  report_complaints(numbers, category, TICKET_REGION_RURAL));
    }
    for (int r = TICKET_REGION_URBAN; r <= TICKET_REGION_RURAL; r++) {
        enum ticket_region region = (enum ticket_region)r;
        struct span name = span_of(ticket_region_chinese(region));
        uint64_t count =
            report_complaints(numbers, TICKET_CATEGORY_COUNT, region);

        put_count(buf, "投诉地区", name, count);
        put_percent(buf, "投诉地区占比%", name, count,
                    report->complaints_total);
    }
    put_count(buf, "投诉地区", SPAN_LITERAL("其中特殊边远地区"),
              report_complaints(numbers, TICKET_CATEGORY_COUNT,
                                TICKET_REGION_REMOTE));
    put_count(buf, "投诉地区", SPAN_LITERAL("未知"),
              report_complaints(numbers, TICKET_CATEGORY_COUNT,
                                TICKET_REGION_UNKNOWN));
    for (size_t i = 0; i < numbers->subcategory_count; i++) {
        const struct report_subcategory *row = &numbers->subcategories[i];
        struct span name = report_subcategory_name(report, row);
        char section[64];

        (void)snprintf(section, sizeof(section), "二级分类 %s",
                       ticket_category_chinese(row->category));
        put_count(buf, section, name, row->complaints);
    }
}

static void
put_work(struct buf *buf, const struct report *report)
{
    static const enum counter shown[] = {
        COUNTER_received,  COUNTER_dispatched,    COUNTER_replied,
        COUNTER_closed,    COUNTER_urged,         COUNTER_final_replies,
        COUNTER_verified,  COUNTER_substantiated, COUNTER_revisited,
        COUNTER_satisfied, COUNTER_overdue};
    const struct report_numbers *numbers = &report->numbers;
    const struct deadline_table *table = report->dictionary->deadlines;

    for (int t = 0; t < TICKET_TYPE_COUNT; t++) {
        put_count(buf, "工单类型",
                  span_of(ticket_type_chinese((enum ticket_type)t)),
                  numbers->received_by_type[t]);
    }
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        put_count(buf, "处理", span_of(counter_chinese(shown[i])),
                  report_counter(report, shown[i]));
    }
    put_count(buf, "重复致电", SPAN_LITERAL("工单"), numbers->repeat_tickets);
    put_count(buf, "重复致电", SPAN_LITERAL("客户"), numbers->repeat_callers);
    put_count(buf, "重复致电", SPAN_LITERAL("三次及以上"),
              report_counter(report, COUNTER_third_calls));
    put_count(buf, "重复致电", SPAN_LITERAL("短时多次"),
              report_counter(report, COUNTER_bursts));
    put_count(buf, "重复致电", SPAN_LITERAL("已最终答复不计"),
              numbers->repeat_settled);
    for (uint32_t k = 0; k < deadline_kind_count(table); k++) {
        const struct report_overdue *row =
            report_overdue_of(report, deadline_kind_code(table, k));

        put_count(buf, "超时环节", deadline_kind_chinese(table, k),
                  row->clocks);
        put_count(buf, "超时未完成", deadline_kind_chinese(table, k),
                  row->open);
    }
}

static void
put_review(struct buf *buf, const struct report *report)
{
    put_count(buf, "复核", SPAN_LITERAL("已复核"),
              report_counter(report, COUNTER_reviewed));
    put_percent(buf, "复核", SPAN_LITERAL("大类一致%"),
                report_counter(report, COUNTER_agree_category),
                report_counter(report, COUNTER_reviewed));
    put_percent(buf, "复核", SPAN_LITERAL("二级一致%"),
                report_counter(report, COUNTER_agree_subcategory),
                report_counter(report, COUNTER_reviewed_subcategory));
    put_percent(buf, "复核", SPAN_LITERAL("城乡一致%"),
                report_counter(report, COUNTER_agree_region),
                report_counter(report, COUNTER_reviewed_region));
}

static void
put_indicators(struct buf *buf, const struct report *report)
{
    const struct indicator_table *table = report->dictionary->indicators;

    for (size_t i = 0; i < indicator_count(table); i++) {
        const struct indicator_answer *answer = &report->answers[i];

        put_start(buf, "指标", indicator_row(table, i)->name_zh);
        if (answer->missing == INDICATOR_PRESENT) {
            buf_printf(buf, "%.4f", answer->value);
        } else {
            buf_put_text(buf, "无数据");
        }
        buf_put_text(buf, "\r\n");
    }
}

void
report_put_csv(struct buf *buf, const struct report *report)
{
    buf_put_text(buf, "\xEF\xBB\xBFsection,name,value\r\n");
    put_head(buf, report);
    put_categories(buf, report);
    put_work(buf, report);
    put_review(buf, report);
    put_indicators(buf, report);
}
