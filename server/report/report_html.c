/* The report as one page of HTML for printing: nothing is loaded, the charts
 * are drawn here. */
#include <math.h>
#include <stdio.h>

#include "server/report/report_internal.h"

enum {
    CHART_WIDTH = 640,
    CHART_HEIGHT = 260,
    CHART_LEFT = 48,
    CHART_BOTTOM = 40,
    CHART_TOP = 16,
    PIE_RADIUS = 100,
    TICKS = 4
};

/* Told apart in print, also without colour, by the numbers beside them. */
static const char *const colours[] = {"#2f6db5", "#e08a1e", "#3a9a5b",
                                      "#b8473f", "#7a5aa6", "#8a8f98"};

static const char style[] =
    "@page{size:A4;margin:16mm}"
    "*{box-sizing:border-box}"
    "body{font:14px/1.6 \"Noto Sans CJK SC\",\"Source Han Sans SC\","
    "\"Microsoft YaHei\",\"PingFang SC\",sans-serif;color:#1c2530;"
    "max-width:178mm;margin:0 auto;padding:8px}"
    "h1{font-size:22px;margin:0 0 4px}"
    "h2{font-size:16px;margin:22px 0 6px;border-bottom:2px solid #2f6db5}"
    "p{margin:4px 0}"
    "table{border-collapse:collapse;width:100%;margin:6px 0;font-size:13px}"
    "th,td{border:1px solid #c5ccd6;padding:3px 8px;text-align:right}"
    "th{background:#ddebf7;-webkit-print-color-adjust:exact;"
    "print-color-adjust:exact}"
    "th:first-child,td:first-child,td.l,th.l{text-align:left}"
    "tr.sum td{font-weight:bold}"
    "svg{display:block;max-width:100%;height:auto;margin:6px 0;"
    "-webkit-print-color-adjust:exact;print-color-adjust:exact}"
    "svg text{font-size:12px;fill:#1c2530}"
    "figure{margin:0;break-inside:avoid}table{break-inside:auto}"
    "tr{break-inside:avoid}h2{break-after:avoid}"
    ".k{display:flex;flex-wrap:wrap;gap:8px;margin:8px 0;padding:0}"
    ".k li{list-style:none;border:1px solid #c5ccd6;padding:4px 12px}"
    ".k b{display:block;font-size:20px}"
    "footer{margin-top:20px;color:#5a6675;font-size:12px}";

static void
put_escaped(struct buf *buf, struct span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.data[i];

        switch (c) {
        case '<':
            buf_put_text(buf, "&lt;");
            break;
        case '>':
            buf_put_text(buf, "&gt;");
            break;
        case '&':
            buf_put_text(buf, "&amp;");
            break;
        case '"':
            buf_put_text(buf, "&quot;");
            break;
        case '\'':
            buf_put_text(buf, "&#39;");
            break;
        default:
            buf_put_char(buf, (unsigned char)c < 0x20 ? ' ' : c);
            break;
        }
    }
}

/* ---- tables ---- */

static void
begin_table(struct buf *buf, const char *const *heads, size_t count)
{
    buf_put_text(buf, "<table><thead><tr>");
    for (size_t i = 0; i < count; i++) {
        buf_printf(buf, "<th>%s</th>", heads[i]);
    }
    buf_put_text(buf, "</tr></thead><tbody>\n");
}

static void
end_table(struct buf *buf)
{
    buf_put_text(buf, "</tbody></table>\n");
}

static void
put_name(struct buf *buf, struct span name)
{
    buf_put_text(buf, "<td class=\"l\">");
    put_escaped(buf, name);
    buf_put_text(buf, "</td>");
}

static void
put_count(struct buf *buf, uint64_t count)
{
    buf_printf(buf, "<td>%llu</td>", (unsigned long long)count);
}

static void
put_share(struct buf *buf, uint64_t part, uint64_t whole)
{
    buf_printf(buf, "<td>%.2f %%</td>", report_percent(part, whole));
}

/* ---- charts ---- */

static void
begin_chart(struct buf *buf, const char *title, int width, int height)
{
    buf_printf(buf,
               "<figure><svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
               "role=\"img\" aria-label=\"%s\"><title>%s</title>\n",
               width, height, width, height, title, title);
}

static void
end_chart(struct buf *buf)
{
    buf_put_text(buf, "</svg></figure>\n");
}

/* A sector from one share of the circle to another, clockwise from the top. */
static void
put_sector(struct buf *buf, double from, double to, const char *colour)
{
    static const double turn = 6.283185307179586;
    double x = PIE_RADIUS + 10;
    double y = PIE_RADIUS + 10;

    if (to - from >= 1.0) {
        buf_printf(buf,
                   "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"%s\"/>\n",
                   x, y, PIE_RADIUS, colour);
        return;
    }
    buf_printf(buf,
               "<path d=\"M%.1f %.1fL%.2f %.2fA%d %d 0 %d 1 %.2f %.2fZ\" "
               "fill=\"%s\" stroke=\"#fff\"/>\n",
               x, y, x + PIE_RADIUS * sin(from * turn),
               y - PIE_RADIUS * cos(from * turn), PIE_RADIUS, PIE_RADIUS,
               to - from > 0.5, x + PIE_RADIUS * sin(to * turn),
               y - PIE_RADIUS * cos(to * turn), colour);
}

static void
put_pie(struct buf *buf, const struct report *report)
{
    uint64_t total = report->complaints_total;
    double from = 0;

    begin_chart(buf, "投诉构成", CHART_WIDTH, 2 * PIE_RADIUS + 20);
    for (size_t i = 0; i <= REPORT_CATEGORIES; i++) {
        bool none = i == REPORT_CATEGORIES;
        enum ticket_category category =
            none ? TICKET_CATEGORY_NONE : report_category_at(i);
        uint64_t count = report_category(&report->numbers, category);
        double share = total > 0 ? (double)count / (double)total : 0;
        int y = 40 + (int)i * 30;

        if (none && count == 0) {
            break;
        }
        if (count > 0) {
            put_sector(buf, from, from + share, colours[i]);
        }
        from += share;
        buf_printf(buf,
                   "<rect x=\"280\" y=\"%d\" width=\"14\" height=\"14\" "
                   "fill=\"%s\"/><text x=\"302\" y=\"%d\">%s %llu 件 %.2f "
                   "%%</text>\n",
                   y - 12, colours[i], y,
                   none ? "未归类" : ticket_category_chinese(category),
                   (unsigned long long)count, report_percent(count, total));
    }
    end_chart(buf);
}

/* The step between the lines of an axis: 1, 2 or 5 times a power of ten. */
static uint64_t
axis_step(uint64_t max)
{
    uint64_t step = 1;

    for (;;) {
        if (step * TICKS >= max) {
            return step;
        }
        if (step * 2 * TICKS >= max) {
            return step * 2;
        }
        if (step * 5 * TICKS >= max) {
            return step * 5;
        }
        step *= 10;
    }
}

static double
height_of(uint64_t value, uint64_t top)
{
    return (double)(CHART_HEIGHT - CHART_TOP - CHART_BOTTOM) * (double)value /
           (double)top;
}

static void
put_axis(struct buf *buf, uint64_t step)
{
    for (uint64_t i = 0; i <= TICKS; i++) {
        double y =
            CHART_HEIGHT - CHART_BOTTOM - height_of(i * step, TICKS * step);

        buf_printf(buf,
                   "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" "
                   "stroke=\"#dfe4ea\"/><text x=\"%d\" y=\"%.1f\" "
                   "text-anchor=\"end\">%llu</text>\n",
                   CHART_LEFT, y, CHART_WIDTH - 8, y, CHART_LEFT - 6, y + 4,
                   (unsigned long long)(i * step));
    }
}

static void
put_legend(struct buf *buf, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int x = CHART_LEFT + 20 + (int)i * 110;

        buf_printf(buf,
                   "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" "
                   "fill=\"%s\"/><text x=\"%d\" y=\"%d\">%s</text>\n",
                   x, CHART_HEIGHT - 14, colours[i], x + 17, CHART_HEIGHT - 3,
                   names[i]);
    }
}

static void
put_columns(struct buf *buf, const struct report *report)
{
    static const char *const names[] = {"城区", "农村"};
    static const enum ticket_region regions[] = {TICKET_REGION_URBAN,
                                                 TICKET_REGION_RURAL};
    double slot = (double)(CHART_WIDTH - CHART_LEFT - 8) / REPORT_CATEGORIES;
    uint64_t max = 1;
    uint64_t step;

    for (size_t i = 0; i < REPORT_CATEGORIES; i++) {
        for (size_t r = 0; r < 2; r++) {
            uint64_t count = report_complaints(
                &report->numbers, report_category_at(i), regions[r]);

            max = count > max ? count : max;
        }
    }
    step = axis_step(max);
    begin_chart(buf, "投诉分类与城乡分布", CHART_WIDTH, CHART_HEIGHT);
    put_axis(buf, step);
    for (size_t i = 0; i < REPORT_CATEGORIES; i++) {
        enum ticket_category category = report_category_at(i);
        double x = CHART_LEFT + slot * (double)i;

        for (size_t r = 0; r < 2; r++) {
            uint64_t count =
                report_complaints(&report->numbers, category, regions[r]);
            double height = height_of(count, TICKS * step);
            double left = x + slot * (r == 0 ? 0.16 : 0.52);
            double top = CHART_HEIGHT - CHART_BOTTOM - height;

            buf_printf(buf,
                       "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                       "height=\"%.1f\" fill=\"%s\"/><text x=\"%.1f\" "
                       "y=\"%.1f\" text-anchor=\"middle\">%llu</text>\n",
                       left, top, slot * 0.32, height, colours[r],
                       left + slot * 0.16, top - 3, (unsigned long long)count);
        }
        buf_printf(buf,
                   "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>"
                   "\n",
                   x + slot / 2, CHART_HEIGHT - CHART_BOTTOM + 16,
                   ticket_category_chinese(category));
    }
    put_legend(buf, names, 2);
    end_chart(buf);
}

static uint64_t
trend_value(const struct report_trend *point, size_t line)
{
    return line == 0   ? point->received
           : line == 1 ? point->complaints
                       : point->repeats;
}

static void
put_trend(struct buf *buf, const struct report *report)
{
    static const char *const names[] = {"受理工单", "投诉", "重复致电"};
    size_t count = report->trend_count;
    double slot = (double)(CHART_WIDTH - CHART_LEFT - 8) /
                  (double)(count > 0 ? count : 1);
    size_t labels = count > 12 ? (count + 11) / 12 : 1;
    uint64_t max = 1;
    uint64_t step;

    for (size_t i = 0; i < count; i++) {
        max = report->trend[i].received > max ? report->trend[i].received : max;
    }
    step = axis_step(max);
    begin_chart(buf, "趋势", CHART_WIDTH, CHART_HEIGHT);
    put_axis(buf, step);
    for (size_t line = 0; line < 3; line++) {
        buf_printf(buf,
                   "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" "
                   "points=\"",
                   colours[line]);
        for (size_t i = 0; i < count; i++) {
            buf_printf(buf, "%.1f,%.1f ", CHART_LEFT + slot * ((double)i + 0.5),
                       CHART_HEIGHT - CHART_BOTTOM -
                           height_of(trend_value(&report->trend[i], line),
                                     TICKS * step));
        }
        buf_put_text(buf, "\"/>\n");
    }
    for (size_t i = 0; i < count; i += labels) {
        const char *name = report->trend[i].name;
        size_t bytes = strlen(name);

        /* "2018-03-31" is told by its month and day */
        buf_printf(buf,
                   "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>"
                   "\n",
                   CHART_LEFT + slot * ((double)i + 0.5),
                   CHART_HEIGHT - CHART_BOTTOM + 16,
                   bytes == 10 ? name + 5 : name);
    }
    put_legend(buf, names, 3);
    end_chart(buf);
}

/* ---- sections ---- */

static void
put_head(struct buf *buf, const struct report *report)
{
    char from[REPORT_DATE_BYTES];
    char to[REPORT_DATE_BYTES];
    char time[TICKET_TIME_BYTES];

    buf_put_text(buf, "<h1>供电服务工单分析</h1>\n");
    buf_printf(buf, "<p>%s 至 %s　供电单位：",
               report_date(report->first_day, from),
               report_date(report->last_day, to));
    put_escaped(buf,
                report->unit.bytes > 0 ? report->unit : SPAN_LITERAL("全部"));
    buf_printf(buf, "　统计截至：%s</p>\n",
               ticket_time_format(report->numbers.query.as_of_us, time));
    if (report->numbers.expired > 0) {
        buf_printf(buf, "<p>%llu 件已到期清除，按清除时的状态计数</p>\n",
                   (unsigned long long)report->numbers.expired);
    }
}

static void
put_key(struct buf *buf, const char *name, uint64_t count)
{
    buf_printf(buf, "<li>%s<b>%llu</b></li>", name, (unsigned long long)count);
}

static void
put_keys(struct buf *buf, const struct report *report)
{
    const struct report_numbers *numbers = &report->numbers;

    buf_put_text(buf, "<ul class=\"k\">");
    put_key(buf, "受理工单", report_counter(report, COUNTER_received));
    put_key(buf, "投诉", report->complaints_total);
    put_key(buf, "投诉已办结", numbers->complaints_closed);
    put_key(buf, "处理中", numbers->complaints_open);
    put_key(buf, "重复致电", numbers->repeat_tickets);
    put_key(buf, "三次及以上", report_counter(report, COUNTER_third_calls));
    put_key(buf, "超时工单", report_counter(report, COUNTER_overdue));
    buf_put_text(buf, "</ul>\n");
}

static void
put_category(struct buf *buf,
             const struct report *report,
             const char *name,
             enum ticket_category category,
             bool sum)
{
    const struct report_numbers *numbers = &report->numbers;
    uint64_t count = report_category(numbers, category);

    buf_put_text(buf, sum ? "<tr class=\"sum\">" : "<tr>");
    put_name(buf, span_of(name));
    put_count(buf, report_complaints(numbers, category, TICKET_REGION_URBAN));
    put_count(buf, report_complaints(numbers, category, TICKET_REGION_RURAL));
    put_count(buf, report_complaints(numbers, category, TICKET_REGION_UNKNOWN));
    put_count(buf, count);
    put_share(buf, count, report->complaints_total);
    buf_put_text(buf, "</tr>\n");
}

static void
put_categories(struct buf *buf, const struct report *report)
{
    static const char *const heads[] = {"类别", "城区", "农村",
                                        "未知", "合计", "占比"};
    uint64_t remote = report_complaints(&report->numbers, TICKET_CATEGORY_COUNT,
                                        TICKET_REGION_REMOTE);

    buf_put_text(buf, "<h2>投诉分类与城乡分布</h2>\n");
    begin_table(buf, heads, 6);
    for (size_t i = 0; i < REPORT_CATEGORIES; i++) {
        enum ticket_category category = report_category_at(i);

        put_category(buf, report, ticket_category_chinese(category), category,
                     false);
    }
    if (report_category(&report->numbers, TICKET_CATEGORY_NONE) > 0) {
        put_category(buf, report, "未归类", TICKET_CATEGORY_NONE, false);
    }
    put_category(buf, report, "合计", TICKET_CATEGORY_COUNT, true);
    end_table(buf);
    if (remote > 0) {
        buf_printf(buf, "<p>农村含特殊边远地区 %llu 件。</p>\n",
                   (unsigned long long)remote);
    }
    put_pie(buf, report);
    put_columns(buf, report);
}

static void
put_subcategories(struct buf *buf, const struct report *report)
{
    static const char *const heads[] = {"类别", "二级分类", "城区",
                                        "农村", "件数",     "占比"};

    buf_put_text(buf, "<h2>投诉二级分类</h2>\n");
    begin_table(buf, heads, 6);
    for (size_t i = 0; i < report->numbers.subcategory_count; i++) {
        const struct report_subcategory *row =
            &report->numbers.subcategories[i];

        buf_put_text(buf, "<tr>");
        put_name(buf, span_of(ticket_category_chinese(row->category)));
        put_name(buf, report_subcategory_name(report, row));
        put_count(buf, row->by_region[TICKET_REGION_URBAN]);
        put_count(buf, row->by_region[TICKET_REGION_RURAL] +
                           row->by_region[TICKET_REGION_REMOTE]);
        put_count(buf, row->complaints);
        put_share(buf, row->complaints, report->complaints_total);
        buf_put_text(buf, "</tr>\n");
    }
    end_table(buf);
}

static void
put_overdue(struct buf *buf, const struct report *report)
{
    static const char *const heads[] = {"环节", "超时", "其中未完成"};
    const struct deadline_table *table = report->dictionary->deadlines;

    buf_put_text(buf, "<h2>重复致电与超时</h2>\n");
    buf_printf(buf,
               "<p>重复致电工单 %llu 件（占受理 %.2f %%），涉及客户 %llu 户；"
               "短时多次致电 %llu 件；已作最终答复、不计入的 %llu 件。</p>\n",
               (unsigned long long)report->numbers.repeat_tickets,
               report_percent(report->numbers.repeat_tickets,
                              report_counter(report, COUNTER_received)),
               (unsigned long long)report->numbers.repeat_callers,
               (unsigned long long)report_counter(report, COUNTER_bursts),
               (unsigned long long)report->numbers.repeat_settled);
    begin_table(buf, heads, 3);
    for (uint32_t k = 0; k < deadline_kind_count(table); k++) {
        const struct report_overdue *row =
            report_overdue_of(report, deadline_kind_code(table, k));

        buf_put_text(buf, "<tr>");
        put_name(buf, deadline_kind_chinese(table, k));
        put_count(buf, row->clocks);
        put_count(buf, row->open);
        buf_put_text(buf, "</tr>\n");
    }
    end_table(buf);
}

static void
put_units(struct buf *buf, const struct report *report)
{
    static const char *const heads[] = {"供电单位", "受理工单", "投诉",
                                        "重复致电", "超时工单"};

    buf_put_text(buf, "<h2>供电单位</h2>\n");
    begin_table(buf, heads, 5);
    for (size_t i = 0; i < report->numbers.unit_count; i++) {
        const struct report_unit *unit = &report->numbers.units[i];
        struct span name = reader_name(report->reader, unit->unit_id);

        buf_put_text(buf, "<tr>");
        put_name(buf, name.bytes > 0 ? name : SPAN_LITERAL("（未填）"));
        put_count(buf, unit->received);
        put_count(buf, unit->complaints);
        put_count(buf, unit->repeats);
        put_count(buf, unit->overdue);
        buf_put_text(buf, "</tr>\n");
    }
    end_table(buf);
}

static void
put_indicators(struct buf *buf, const struct report *report)
{
    static const char *const heads[] = {"指标", "数值", "单位", "来源"};
    static const char *const sources[] = {"自动", "代用", "填报"};
    const struct indicator_table *table = report->dictionary->indicators;

    buf_put_text(buf, "<h2>服务指标</h2>\n");
    begin_table(buf, heads, 4);
    for (size_t i = 0; i < indicator_count(table); i++) {
        const struct indicator_row *row = indicator_row(table, i);
        const struct indicator_answer *answer = &report->answers[i];

        buf_put_text(buf, "<tr>");
        put_name(buf, row->name_zh);
        if (answer->missing == INDICATOR_PRESENT) {
            buf_printf(buf, "<td>%.2f</td>", answer->value);
        } else {
            buf_put_text(buf, "<td>无数据</td>");
        }
        put_name(buf, row->unit);
        buf_printf(buf, "<td>%s</td></tr>\n", sources[row->source]);
    }
    end_table(buf);
}

void
report_put_html(struct buf *buf, const struct report *report)
{
    buf_put_text(buf, "<!doctype html>\n<html lang=\"zh-CN\"><head>"
                      "<meta charset=\"utf-8\"><title>供电服务工单分析</title>"
                      "<meta name=\"viewport\" content=\"width=device-width\">"
                      "<style>");
    buf_put_text(buf, style);
    buf_put_text(buf, "</style></head><body>\n");
    put_head(buf, report);
    put_keys(buf, report);
    put_categories(buf, report);
    buf_put_text(buf, "<h2>趋势</h2>\n");
    put_trend(buf, report);
    put_subcategories(buf, report);
    put_overdue(buf, report);
    put_units(buf, report);
    put_indicators(buf, report);
    buf_put_text(buf,
                 "<footer>suqiu " SUQIU_VERSION "</footer>\n</body></html>\n");
}
