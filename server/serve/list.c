/* Rows of named columns, written as JSON, NDJSON or CSV. */
#include "server/serve/list.h"

#include <assert.h>
#include <string.h>

#include "analyzers/ticket.h"
#include "server/base/cell_guard.h"

enum { LIST_DIGITS_SAFE_MAX = 11 /* a spreadsheet shows more as 1.2E+15 */ };

/* ---- JSON ---- */

static void
put_json_value(struct json_out *json, const struct list_cell *cell)
{
    char time[TICKET_TIME_BYTES];

    if (cell->missing) {
        json_null(json);
        return;
    }
    switch (cell->kind) {
    case LIST_TEXT:
    case LIST_DIGITS:
        json_string(json, cell->text);
        break;
    case LIST_WORDS:
        json_open_array(json);
        for (size_t i = 0; i < cell->word_count; i++) {
            json_string(json, cell->words[i]);
        }
        json_close_array(json);
        break;
    case LIST_INT:
        json_int(json, cell->integer);
        break;
    case LIST_REAL:
        json_double(json, cell->real);
        break;
    case LIST_TIME:
        json_text(json, ticket_time_format(cell->integer, time));
        break;
    case LIST_BOOL:
        json_bool(json, cell->integer != 0);
        break;
    }
}

static void
json_form_begin(struct list_writer *writer)
{
    json_open_array(writer->json);
}

static void
json_form_cell(struct list_writer *writer,
               const struct list_column *column,
               const struct list_cell *cell)
{
    if (writer->column == 0) {
        json_open_object(writer->json);
    }
    json_key(writer->json, column->name);
    put_json_value(writer->json, cell);
}

static void
json_form_row_end(struct list_writer *writer)
{
    json_close_object(writer->json);
}

static void
json_form_end(struct list_writer *writer)
{
    json_close_array(writer->json);
}

static void
nothing(struct list_writer *writer)
{
    (void)writer;
}

static void
ndjson_begin(struct list_writer *writer)
{
    json_init(&writer->own_json, writer->buf);
    writer->json = &writer->own_json;
}

static void
ndjson_row_end(struct list_writer *writer)
{
    json_close_object(writer->json);
    buf_put_char(writer->buf, '\n');
    json_init(&writer->own_json, writer->buf);
}

/* ---- CSV (RFC 4180) ---- */

/* More digits than a spreadsheet keeps, or a zero in front. */
static bool
loses_digits(struct span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.bytes > LIST_DIGITS_SAFE_MAX ||
           (text.bytes > 1 && text.data[0] == '0');
}

static void
put_quoted(struct buf *buf, struct span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] == '"') {
            buf_put_char(buf, '"');
        }
        if (text.data[i] != '\0') {
            buf_put_char(buf, text.data[i]);
        }
    }
}

static bool
needs_quotes(struct span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c == '"' || c == ',' || c < 0x20) {
            return true;
        }
    }
    return text.bytes > 0 &&
           (text.data[0] == ' ' || text.data[text.bytes - 1] == ' ');
}

static void
put_csv_text(struct list_writer *writer, struct span text, bool digits)
{
    struct buf *buf = writer->buf;
    bool formula = cell_is_formula(text);
    bool guard = digits && writer->style.for_excel && loses_digits(text);

    if (!formula && !guard && !needs_quotes(text)) {
        buf_put_span(buf, text);
        return;
    }
    buf_put_char(buf, '"');
    if (formula) {
        buf_put_char(buf, CELL_GUARD);
    }
    put_quoted(buf, text);
    if (guard) {
        buf_put_char(buf, '\t'); /* makes it text; importers trim it */
    }
    buf_put_char(buf, '"');
}

static void
csv_begin(struct list_writer *writer)
{
    if (!writer->style.no_mark) {
        buf_put_text(writer->buf, "\xEF\xBB\xBF");
    }
    for (size_t i = 0; i < writer->column_count; i++) {
        if (i > 0) {
            buf_put_char(writer->buf, writer->style.separator);
        }
        buf_put_text(writer->buf, writer->style.for_excel
                                      ? writer->columns[i].chinese
                                      : writer->columns[i].name);
    }
    buf_put_text(writer->buf, "\r\n");
}

static void
put_csv_words(struct list_writer *writer, const struct list_cell *cell)
{
    struct buf *buf = writer->buf;

    buf_put_char(buf, '"');
    if (cell->word_count > 0 && cell_is_formula(cell->words[0])) {
        buf_put_char(buf, CELL_GUARD);
    }
    for (size_t i = 0; i < cell->word_count; i++) {
        if (i > 0) {
            buf_put_char(buf, ' ');
        }
        put_quoted(buf, cell->words[i]);
    }
    if (writer->style.for_excel && cell->word_count == 1 &&
        loses_digits(cell->words[0])) {
        buf_put_char(buf, '\t');
    }
    buf_put_char(buf, '"');
}

static void
csv_cell(struct list_writer *writer,
         const struct list_column *column,
         const struct list_cell *cell)
{
    struct buf *buf = writer->buf;
    char time[TICKET_TIME_BYTES];
    struct json_out number;

    (void)column;
    if (writer->column > 0) {
        buf_put_char(buf, writer->style.separator);
    }
    if (cell->missing) {
        return;
    }
    switch (cell->kind) {
    case LIST_TEXT:
    case LIST_DIGITS:
        put_csv_text(writer, cell->text, cell->kind == LIST_DIGITS);
        break;
    case LIST_WORDS:
        if (cell->word_count > 0) {
            put_csv_words(writer, cell);
        }
        break;
    case LIST_INT:
        buf_printf(buf, "%lld", (long long)cell->integer);
        break;
    case LIST_REAL:
        json_init(&number, buf);
        json_double(&number, cell->real);
        break;
    case LIST_TIME:
        buf_put_text(buf, ticket_time_format(cell->integer, time));
        break;
    case LIST_BOOL:
        buf_put_char(buf, cell->integer != 0 ? '1' : '0');
        break;
    }
}

static void
csv_row_end(struct list_writer *writer)
{
    buf_put_text(writer->buf, "\r\n");
}

const struct list_form list_form_json = {"",
                                         "application/json",
                                         true,
                                         false,
                                         json_form_begin,
                                         json_form_cell,
                                         json_form_row_end,
                                         json_form_end};
const struct list_form list_form_ndjson = {
    ".ndjson",    "application/x-ndjson", false,          false,
    ndjson_begin, json_form_cell,         ndjson_row_end, nothing};
const struct list_form list_form_csv = {
    ".csv",      "text/csv; charset=utf-8; header=present",
    false,       false,
    csv_begin,   csv_cell,
    csv_row_end, nothing};

/* ---- the writer ---- */

void
list_begin(struct list_writer *writer,
           const struct list_form *form,
           const struct list_column *columns,
           size_t column_count,
           const struct list_style *style,
           struct buf *buf,
           struct json_out *json)
{
    assert(column_count > 0 && column_count <= LIST_COLUMNS_MAX);
    *writer = (struct list_writer){.form = form,
                                   .columns = columns,
                                   .column_count = column_count,
                                   .buf = buf,
                                   .json = json};
    if (style != NULL) {
        writer->style = *style;
    }
    if (writer->style.separator == '\0') {
        writer->style.separator = ',';
    }
    form->begin(writer);
}

void
list_end(struct list_writer *writer)
{
    assert(writer->column == 0);
    writer->form->end(writer);
}

static void
put_cell(struct list_writer *writer, const struct list_cell *cell)
{
    const struct list_column *column = &writer->columns[writer->column];

    assert(cell->missing || cell->kind == column->kind);
    writer->form->cell(writer, column, cell);
    if (++writer->column == writer->column_count) {
        writer->column = 0;
        writer->row_count++;
        writer->form->row_end(writer);
    }
}

void
list_text(struct list_writer *writer, struct span text)
{
    struct list_cell cell = {.kind = writer->columns[writer->column].kind,
                             .missing = text.data == NULL,
                             .text = text};

    assert(cell.kind == LIST_TEXT || cell.kind == LIST_DIGITS);
    put_cell(writer, &cell);
}

void
list_words(struct list_writer *writer,
           const struct span *words,
           size_t word_count)
{
    put_cell(writer, &(struct list_cell){.kind = LIST_WORDS,
                                         .words = words,
                                         .word_count = word_count});
}

void
list_int(struct list_writer *writer, int64_t value)
{
    put_cell(writer, &(struct list_cell){.kind = LIST_INT, .integer = value});
}

void
list_real(struct list_writer *writer, double value)
{
    put_cell(writer, &(struct list_cell){.kind = LIST_REAL, .real = value});
}

void
list_time(struct list_writer *writer, int64_t at_us)
{
    put_cell(writer, &(struct list_cell){.kind = LIST_TIME,
                                         .missing = at_us == INT64_MAX,
                                         .integer = at_us});
}

void
list_bool(struct list_writer *writer, bool value)
{
    put_cell(writer, &(struct list_cell){.kind = LIST_BOOL, .integer = value});
}

void
list_none(struct list_writer *writer)
{
    put_cell(writer,
             &(struct list_cell){.kind = writer->columns[writer->column].kind,
                                 .missing = true});
}
