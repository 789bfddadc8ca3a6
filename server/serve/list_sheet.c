/* Rows of named columns in a workbook, for people. */
#include "server/serve/list.h"
#include "server/serve/list_words.h"
#include "server/sheet/xlsx_write.h"

enum { SHEET_WORDS_BYTES_MAX = 256 * 1024 };

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
        buf_put_span(&text, list_word_chinese(column, cell->words[i]));
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
        xlsx_text(workbook, list_word_chinese(column->name, cell->text));
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
