/* Rows of named columns in a workbook, for people. */
#include <string.h>

#include "analyzers/ticket.h"
#include "server/serve/list.h"
#include "server/sheet/xlsx_write.h"

enum { SHEET_WORDS_BYTES_MAX = 256 * 1024 };

/* Words of answers that are no words of records. */
static const struct {
    const char *column;
    const char *wire;
    const char *chinese;
} answer_words[] = {
    {"state", "open", "处理中"},
    {"state", "replied", "已答复"},
    {"state", "closed", "已办结"},
    {"flags", "test_ticket", "内部测试"},
    {"flags", "not_utility", "非供电业务"},
    {"flags", "multi_topic", "多个诉求"},
    {"flags", "truncated_scan", "超长未全判"},
    {"flags", "incomplete", "判定未完"},
    {"flags", "false_claim", "文中否认投诉"},
    {"key", "customer", "户号"},
    {"key", "caller", "来电号码"},
    {"key", "address", "用电地址"},
    {"key", "related", "前期工单"},
    {"excluded", "final_reply", "已最终答复"},
    {"excluded", "threshold", "未达次数"},
};

static struct span
chinese_of(const char *column, struct span wire)
{
    enum ticket_type type;
    enum ticket_channel channel;
    enum ticket_region region;
    enum ticket_category category;

    if (strcmp(column, "type") == 0 && ticket_type_from(wire, &type)) {
        return span_of(ticket_type_chinese(type));
    }
    if (strcmp(column, "channel") == 0 && ticket_channel_from(wire, &channel)) {
        return span_of(ticket_channel_chinese(channel));
    }
    if (strcmp(column, "region") == 0 && ticket_region_from(wire, &region)) {
        return span_of(ticket_region_chinese(region));
    }
    if (strcmp(column, "category") == 0 &&
        ticket_category_from(wire, &category)) {
        return span_of(ticket_category_chinese(category));
    }
    for (size_t i = 0; i < sizeof(answer_words) / sizeof(answer_words[0]);
         i++) {
        if (strcmp(answer_words[i].column, column) == 0 &&
            span_is(wire, answer_words[i].wire)) {
            return span_of(answer_words[i].chinese);
        }
    }
    return wire;
}

static void
put_words(struct xlsx_writer *workbook,
          const char *column,
          const struct list_cell *cell)
{
    struct buf text;

    buf_init(&text, SHEET_WORDS_BYTES_MAX);
    for (size_t i = 0; i < cell->word_count; i++) {
        if (i > 0) {
            buf_put_char(&text, ' ');
        }
        buf_put_span(&text, chinese_of(column, cell->words[i]));
    }
    xlsx_text(workbook, buf_view(&text));
    buf_release(&text);
}

static void
sheet_cell(struct list_writer *writer,
           const struct list_column *column,
           const struct list_cell *cell)
{
    struct xlsx_writer *workbook = writer->style.workbook;

    if (cell->missing) {
        xlsx_none(workbook);
        return;
    }
    switch (cell->kind) {
    case LIST_TEXT:
        xlsx_text(workbook, chinese_of(column->name, cell->text));
        break;
    case LIST_DIGITS:
        xlsx_text(workbook, cell->text);
        break;
    case LIST_WORDS:
        put_words(workbook, column->name, cell);
        break;
    case LIST_INT:
        xlsx_int(workbook, cell->integer);
        break;
    case LIST_REAL:
        xlsx_real(workbook, cell->real);
        break;
    case LIST_TIME:
        xlsx_time(workbook, cell->integer);
        break;
    case LIST_BOOL:
        xlsx_text(workbook,
                  cell->integer != 0 ? SPAN_LITERAL("是") : SPAN_LITERAL("否"));
        break;
    }
}

static enum xlsx_kind
kind_of(enum list_kind kind)
{
    switch (kind) {
    case LIST_INT:
    case LIST_REAL:
        return XLSX_NUMBER;
    case LIST_TIME:
        return XLSX_TIME;
    case LIST_TEXT:
    case LIST_DIGITS:
    case LIST_WORDS:
    case LIST_BOOL:
        break;
    }
    return XLSX_TEXT;
}

static void
sheet_begin(struct list_writer *writer)
{
    struct xlsx_column columns[LIST_COLUMNS_MAX];

    for (size_t i = 0; i < writer->column_count; i++) {
        columns[i] =
            (struct xlsx_column){.heading = writer->columns[i].chinese,
                                 .kind = kind_of(writer->columns[i].kind)};
    }
    xlsx_sheet(writer->style.workbook, "清单", columns, writer->column_count);
}

static void
nothing(struct list_writer *writer)
{
    (void)writer;
}

const struct list_form list_form_xlsx = {
    ".xlsx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    false,
    true,
    sheet_begin,
    sheet_cell,
    nothing,
    nothing};
