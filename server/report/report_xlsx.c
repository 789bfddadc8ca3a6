/* The report as a workbook: a sheet a matter, with charts that Excel draws. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xlsxwriter.h>

#include "server/base/cell_guard.h"
#include "server/report/report_internal.h"

enum {
    XLSX_TEXT_BYTES = 1024,
    XLSX_READ_BYTES = 64 * 1024,
    CHART_WIDTH = 620,
    CHART_HEIGHT = 320
};

struct book {
    const struct report *report;
    lxw_workbook *workbook;
    lxw_worksheet *sheet;
    lxw_format *title;
    lxw_format *head;
    lxw_format *percent;
    lxw_format *hundredths;
    lxw_row_t row;
};

/* ---- cells ---- */

static void
put_text(struct book *book,
         lxw_col_t column,
         struct span text,
         lxw_format *format)
{
    char cell[XLSX_TEXT_BYTES];
    size_t room = sizeof(cell) - 2;
    size_t bytes = text.bytes < room ? text.bytes : utf8_cut(text.data, room);

    (void)snprintf(cell, sizeof(cell), "%s%.*s",
                   cell_is_formula(text) ? "'" : "", (int)bytes,
                   text.data != NULL ? text.data : "");
    (void)worksheet_write_string(book->sheet, book->row, column, cell, format);
}

static void
put_number(struct book *book,
           lxw_col_t column,
           double value,
           lxw_format *format)
{
    (void)worksheet_write_number(book->sheet, book->row, column, value, format);
}

static void
put_count(struct book *book, lxw_col_t column, uint64_t count)
{
    put_number(book, column, (double)count, NULL);
}

/* As a share of 1, shown in percent: 378 of 500 is 0.756. */
static void
put_share(struct book *book, lxw_col_t column, uint64_t part, uint64_t whole)
{
    put_number(book, column, report_percent(part, whole) / 100.0,
               book->percent);
}

static void
begin_sheet(struct book *book,
            const char *name,
            const char *const *heads,
            lxw_col_t head_count)
{
    book->sheet = workbook_add_worksheet(book->workbook, name);
    book->row = 0;
    for (lxw_col_t i = 0; i < head_count; i++) {
        size_t width = utf8_columns(span_of(heads[i])) + 4;

        put_text(book, i, span_of(heads[i]), book->head);
        (void)worksheet_set_column(book->sheet, i, i,
                                   (double)(width < 12 ? 12 : width), NULL);
    }
    worksheet_freeze_panes(book->sheet, 1, 0);
    worksheet_set_paper(book->sheet, 9); /* A4 */
    worksheet_set_landscape(book->sheet);
    worksheet_fit_to_pages(book->sheet, 1, 0);
    book->row = 1;
}

static void
put_fact(struct book *book, const char *name, struct span value)
{
    put_text(book, 0, span_of(name), book->head);
    put_text(book, 1, value, NULL);
    book->row++;
}

static void
put_fact_count(struct book *book, const char *name, uint64_t count)
{
    put_text(book, 0, span_of(name), book->head);
    put_count(book, 1, count);
    book->row++;
}

/* ---- sheets ---- */

static void
put_summary(struct book *book)
{
    const struct report *report = book->report;
    const struct report_numbers *numbers = &report->numbers;
    char from[REPORT_DATE_BYTES];
    char to[REPORT_DATE_BYTES];
    char time[TICKET_TIME_BYTES];
    char range[64];

    book->sheet = workbook_add_worksheet(book->workbook, "概况");
    book->row = 0;
    put_text(book, 0, SPAN_LITERAL("供电服务工单分析"), book->title);
    book->row = 2;
    (void)snprintf(range, sizeof(range), "%s 至 %s",
                   report_date(report->first_day, from),
                   report_date(report->last_day, to));
    put_fact(book, "统计时段", span_of(range));
    put_fact(book, "供电单位",
             report->unit.bytes > 0 ? report->unit : SPAN_LITERAL("全部"));
    put_fact(book, "统计截至",
             span_of(ticket_time_format(numbers->query.as_of_us, time)));
    put_fact_count(book, "受理工单", report_counter(report, COUNTER_received));
    if (numbers->expired > 0) {
        put_fact_count(book, "其中已到期清除（按清除时的状态计数）",
                       numbers->expired);
    }
    put_fact_count(book, "其中投诉", report->complaints_total);
    put_fact_count(book, "投诉已办结", numbers->complaints_closed);
    put_fact_count(book, "投诉已答复未办结", numbers->complaints_replied);
    put_fact_count(book, "投诉处理中", numbers->complaints_open);
    put_fact_count(book, "投诉属实（含部分属实）",
                   numbers->complaints_substantiated);
    put_fact_count(book, "重复致电工单", numbers->repeat_tickets);
    put_fact_count(book, "重复致电客户", numbers->repeat_callers);
    put_fact_count(book, "三次及以上致电",
                   report_counter(report, COUNTER_third_calls));
    put_fact_count(book, "短时多次致电",
                   report_counter(report, COUNTER_bursts));
    put_fact_count(book, "已最终答复、不计入的重复", numbers->repeat_settled);
    put_fact_count(book, "至少一个环节超时的工单",
                   report_counter(report, COUNTER_overdue));
    put_fact_count(book, "人工复核", report_counter(report, COUNTER_reviewed));
    put_fact(book, "程序版本", SPAN_LITERAL("suqiu " SUQIU_VERSION));
    (void)worksheet_set_column(book->sheet, 0, 0, 28, NULL);
    (void)worksheet_set_column(book->sheet, 1, 1, 40, NULL);
    worksheet_set_paper(book->sheet, 9);
}

static void
put_category(struct book *book, const char *name, enum ticket_category category)
{
    const struct report *report = book->report;
    const struct report_numbers *numbers = &report->numbers;
    uint64_t count = report_category(numbers, category);

    put_text(book, 0, span_of(name), NULL);
    put_count(book, 1,
              report_complaints(numbers, category, TICKET_REGION_URBAN));
    put_count(book, 2,
              report_complaints(numbers, category, TICKET_REGION_RURAL));
    put_count(book, 3,
              report_complaints(numbers, category, TICKET_REGION_UNKNOWN));
    put_count(book, 4, count);
    put_share(book, 5, count, report->complaints_total);
    book->row++;
}

static void
place_chart(struct book *book,
            lxw_chart *chart,
            lxw_row_t row,
            lxw_col_t column)
{
    lxw_chart_options options = {.object_position = 1};

    (void)worksheet_insert_chart_opt(book->sheet, row, column, chart, &options);
}

/* A series of one column of this sheet over the names of column 0. */
static lxw_chart_series *
add_series(lxw_chart *chart,
           const char *sheet,
           const char *name,
           lxw_col_t column,
           lxw_row_t last_row)
{
    lxw_chart_series *series = chart_add_series(chart, NULL, NULL);

    chart_series_set_categories(series, sheet, 1, 0, last_row, 0);
    chart_series_set_values(series, sheet, 1, column, last_row, column);
    chart_series_set_name(series, name);
    return series;
}

static void
put_categories(struct book *book)
{
    static const char name[] = "投诉分类与城乡";
    static const char *const heads[] = {"类别", "城区", "农村",
                                        "未知", "合计", "占比"};
    lxw_chart *pie;
    lxw_chart *columns;
    lxw_row_t last;

    begin_sheet(book, name, heads, 6);
    for (size_t i = 0; i < REPORT_CATEGORIES; i++) {
        enum ticket_category category = report_category_at(i);

        put_category(book, ticket_category_chinese(category), category);
    }
    last = book->row - 1;
    put_category(book, "未归类", TICKET_CATEGORY_NONE);
    put_category(book, "合计", TICKET_CATEGORY_COUNT);

    pie = workbook_add_chart(book->workbook, LXW_CHART_PIE);
    chart_series_set_labels(add_series(pie, name, "投诉构成", 4, last));
    chart_series_set_labels_percentage(pie->series_list->stqh_first);
    chart_title_set_name(pie, "投诉构成");
    place_chart(book, pie, 10, 0);

    columns = workbook_add_chart(book->workbook, LXW_CHART_COLUMN);
    (void)add_series(columns, name, "城区", 1, last);
    (void)add_series(columns, name, "农村", 2, last);
    chart_title_set_name(columns, "投诉分类与城乡分布");
    chart_axis_set_name(columns->y_axis, "件");
    place_chart(book, columns, 27, 0);
}

static void
put_trend(struct book *book)
{
    static const char name[] = "趋势";
    static const char *const heads[] = {"时段", "受理工单", "投诉", "重复致电"};
    const struct report *report = book->report;
    lxw_chart *lines;

    begin_sheet(book, name, heads, 4);
    for (size_t i = 0; i < report->trend_count; i++) {
        const struct report_trend *point = &report->trend[i];

        put_text(book, 0, span_of(point->name), NULL);
        put_count(book, 1, point->received);
        put_count(book, 2, point->complaints);
        put_count(book, 3, point->repeats);
        book->row++;
    }
    lines = workbook_add_chart(book->workbook, LXW_CHART_LINE);
    (void)add_series(lines, name, "受理工单", 1, book->row - 1);
    (void)add_series(lines, name, "投诉", 2, book->row - 1);
    (void)add_series(lines, name, "重复致电", 3, book->row - 1);
    chart_title_set_name(lines, "趋势");
    chart_axis_set_name(lines->y_axis, "件");
    place_chart(book, lines, 1, 5);
}

static void
put_subcategories(struct book *book)
{
    static const char *const heads[] = {"类别", "二级分类", "城区",
                                        "农村", "件数",     "占比"};
    const struct report *report = book->report;

    begin_sheet(book, "二级分类", heads, 6);
    (void)worksheet_set_column(book->sheet, 0, 1, 18, NULL);
    for (size_t i = 0; i < report->numbers.subcategory_count; i++) {
        const struct report_subcategory *row =
            &report->numbers.subcategories[i];

        put_text(book, 0, span_of(ticket_category_chinese(row->category)),
                 NULL);
        put_text(book, 1, report_subcategory_name(report, row), NULL);
        put_count(book, 2, row->by_region[TICKET_REGION_URBAN]);
        put_count(book, 3,
                  row->by_region[TICKET_REGION_RURAL] +
                      row->by_region[TICKET_REGION_REMOTE]);
        put_count(book, 4, row->complaints);
        put_share(book, 5, row->complaints, report->complaints_total);
        book->row++;
    }
}

static void
put_overdue(struct book *book)
{
    static const char *const heads[] = {"环节", "超时", "其中未完成"};
    const struct report *report = book->report;
    const struct deadline_table *table = report->dictionary->deadlines;

    begin_sheet(book, "超时环节", heads, 3);
    for (uint32_t k = 0; k < deadline_kind_count(table); k++) {
        const struct report_overdue *row =
            report_overdue_of(report, deadline_kind_code(table, k));

        put_text(book, 0, deadline_kind_chinese(table, k), NULL);
        put_count(book, 1, row->clocks);
        put_count(book, 2, row->open);
        book->row++;
    }
}

static void
put_units(struct book *book)
{
    static const char *const heads[] = {"供电单位", "受理工单", "投诉",
                                        "重复致电", "超时工单"};
    const struct report *report = book->report;

    begin_sheet(book, "供电单位", heads, 5);
    (void)worksheet_set_column(book->sheet, 0, 0, 44, NULL);
    for (size_t i = 0; i < report->numbers.unit_count; i++) {
        const struct report_unit *unit = &report->numbers.units[i];
        struct span name = reader_name(report->reader, unit->unit_id);

        put_text(book, 0, name.bytes > 0 ? name : SPAN_LITERAL("（未填）"),
                 NULL);
        put_count(book, 1, unit->received);
        put_count(book, 2, unit->complaints);
        put_count(book, 3, unit->repeats);
        put_count(book, 4, unit->overdue);
        book->row++;
    }
}

static void
put_types(struct book *book)
{
    static const char *const heads[] = {"工单类型", "件数", "占比"};
    const struct report *report = book->report;

    begin_sheet(book, "工单类型", heads, 3);
    for (int t = 0; t < TICKET_TYPE_COUNT; t++) {
        uint64_t count = report->numbers.received_by_type[t];

        put_text(book, 0, span_of(ticket_type_chinese((enum ticket_type)t)),
                 NULL);
        put_count(book, 1, count);
        put_share(book, 2, count, report_counter(report, COUNTER_received));
        book->row++;
    }
}

static void
put_indicators(struct book *book)
{
    static const char *const heads[] = {"序号", "指标", "数值", "单位",
                                        "分子", "分母", "来源", "目标"};
    static const char *const sources[] = {"自动", "代用", "填报"};
    const struct report *report = book->report;
    const struct indicator_table *table = report->dictionary->indicators;

    begin_sheet(book, "服务指标", heads, 8);
    (void)worksheet_set_column(book->sheet, 1, 1, 30, NULL);
    for (size_t i = 0; i < indicator_count(table); i++) {
        const struct indicator_row *row = indicator_row(table, i);
        const struct indicator_answer *answer = &report->answers[i];

        put_number(book, 0, row->number, NULL);
        put_text(book, 1, row->name_zh, NULL);
        if (answer->missing == INDICATOR_PRESENT) {
            put_number(book, 2, answer->value, book->hundredths);
        } else {
            put_text(book, 2, SPAN_LITERAL("无数据"), NULL);
        }
        put_text(book, 3, row->unit, NULL);
        if (answer->has_numerator) {
            put_number(book, 4, answer->numerator, NULL);
        }
        if (answer->has_denominator) {
            put_number(book, 5, answer->denominator, NULL);
        }
        put_text(book, 6, span_of(sources[row->source]), NULL);
        put_text(book, 7, row->target, NULL);
        book->row++;
    }
}

/* ---- the file ---- */

static lxw_error
write_book(const struct report *report, const char *path)
{
    struct book book = {.report = report, .workbook = workbook_new(path)};

    if (book.workbook == NULL) {
        return LXW_ERROR_MEMORY_MALLOC_FAILED;
    }
    book.title = workbook_add_format(book.workbook);
    book.head = workbook_add_format(book.workbook);
    book.percent = workbook_add_format(book.workbook);
    book.hundredths = workbook_add_format(book.workbook);
    format_set_bold(book.title);
    format_set_font_size(book.title, 16);
    format_set_bold(book.head);
    format_set_bg_color(book.head, 0xDDEBF7);
    format_set_num_format(book.percent, "0.00%");
    format_set_num_format(book.hundredths, "0.00");
    put_summary(&book);
    put_categories(&book);
    put_trend(&book);
    put_subcategories(&book);
    put_overdue(&book);
    put_units(&book);
    put_types(&book);
    put_indicators(&book);
    return workbook_close(book.workbook);
}

static enum err_code
read_back(int fd, struct buf *out, struct err *err)
{
    for (;;) {
        char *room = buf_reserve(out, XLSX_READ_BYTES);
        ssize_t got = room != NULL ? read(fd, room, XLSX_READ_BYTES) : 0;

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_set(err, ERR_IO, "the workbook cannot be read again");
        }
        if (got == 0) {
            return buf_check(out, err);
        }
        buf_grow(out, (size_t)got);
    }
}

enum err_code
report_put_xlsx(struct buf *buf, const struct report *report, struct err *err)
{
    const char *directory = getenv("TMPDIR");
    char path[XLSX_TEXT_BYTES];
    lxw_error error;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/suqiu-report.XXXXXX",
                   directory != NULL && directory[0] != '\0' ? directory
                                                             : "/tmp");
    fd = mkstemp(path);
    if (fd < 0) {
        return err_set(err, err_from_errno(errno),
                       "no temporary file for the workbook: %s (TMPDIR says "
                       "where)",
                       strerror(errno));
    }
    errno = 0;
    error = write_book(report, path);
    (void)close(fd);
    if (error != LXW_NO_ERROR) {
        (void)err_set(err, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO,
                      "writing the workbook failed: %s", lxw_strerror(error));
    } else {
        fd = open(path, O_RDONLY | O_CLOEXEC); /* the library replaced it */
        if (fd < 0) {
            (void)err_set(err, ERR_IO, "the workbook cannot be read again");
        } else {
            (void)!read_back(fd, buf, err);
            (void)close(fd);
        }
    }
    (void)unlink(path);
    return err->code;
}
