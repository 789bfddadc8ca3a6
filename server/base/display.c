/* Text in columns: pads and cuts by display columns, not by bytes. */
#include "server/base/display.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_TEXT_BYTES_MAX = 64 * 1024 * 1024, GAP_COLUMNS = 2 };

void
display_put(struct buf *buf, struct span text)
{
    while (text.bytes > 0) {
        uint32_t code_point = 0;
        size_t step = utf8_next(text, &code_point);

        if ((step == 1 && (unsigned char)text.data[0] >= 0x7F) ||
            code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0)) {
            buf_put_char(buf, ' ');
        } else {
            buf_put(buf, text.data, step);
        }
        text.data += step;
        text.bytes -= step;
    }
}

static void
put_blanks(struct buf *buf, size_t count)
{
    while (count-- > 0) {
        buf_put_char(buf, ' ');
    }
}

/* The longest beginning of at most `columns` columns. */
static struct span
cut_columns(struct span text, size_t columns)
{
    size_t at = 0;
    size_t used = 0;

    while (at < text.bytes) {
        struct span rest = {text.data + at, text.bytes - at};
        struct span one = {rest.data, utf8_next(rest, NULL)};
        size_t wide = utf8_columns(one);

        if (used + wide > columns) {
            break;
        }
        used += wide;
        at += one.bytes;
    }
    return (struct span){text.data, at};
}

void
display_put_cell(struct buf *buf,
                 struct span text,
                 size_t columns,
                 enum display_align align)
{
    size_t wide;
    bool cut = false;

    if (utf8_columns(text) > columns) {
        text = cut_columns(text, columns > 0 ? columns - 1 : 0);
        cut = columns > 0;
    }
    wide = utf8_columns(text) + cut;
    if (align == DISPLAY_RIGHT) {
        put_blanks(buf, columns - wide);
    }
    display_put(buf, text);
    if (cut) {
        buf_put_text(buf, "…");
    }
    if (align == DISPLAY_LEFT) {
        put_blanks(buf, columns - wide);
    }
}

void
display_table_init(struct display_table *table,
                   size_t column_count,
                   const enum display_align *aligns)
{
    assert(column_count > 0 && column_count <= DISPLAY_COLUMNS_MAX);
    memset(table, 0, sizeof(*table));
    table->column_count = column_count;
    memcpy(table->aligns, aligns, column_count * sizeof(aligns[0]));
    buf_init(&table->text, TABLE_TEXT_BYTES_MAX);
}

void
display_table_release(struct display_table *table)
{
    buf_release(&table->text);
    free(table->cell_ends);
    table->cell_ends = NULL;
    table->cell_count = 0;
    table->cell_room = 0;
}

/* The bytes of the cell are in table->text; note where they end. */
static void
end_cell(struct display_table *table)
{
    if (table->cell_count == table->cell_room) {
        size_t room = table->cell_room > 0 ? table->cell_room * 2 : 256;
        size_t *grown;

        if (table->cell_count >= DISPLAY_CELLS_MAX) {
            table->text.failed = ERR_TOO_LONG;
            return;
        }
        grown = realloc(table->cell_ends, room * sizeof(grown[0]));
        if (grown == NULL) {
            table->text.failed = ERR_NO_MEMORY;
            return;
        }
        table->cell_ends = grown;
        table->cell_room = room;
    }
    table->cell_ends[table->cell_count++] = table->text.bytes;
}

void
display_table_cell(struct display_table *table, struct span text)
{
    display_put(&table->text, text);
    end_cell(table);
}

void
display_table_text(struct display_table *table, const char *text)
{
    display_table_cell(table, span_of(text));
}

void
display_table_printf(struct display_table *table, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vprintf(&table->text, fmt, args);
    va_end(args);
    end_cell(table);
}

static struct span
cell_at(const struct display_table *table, size_t index)
{
    size_t start = index > 0 ? table->cell_ends[index - 1] : 0;

    return (struct span){table->text.data + start,
                         table->cell_ends[index] - start};
}

enum err_code
display_table_put(const struct display_table *table,
                  struct buf *buf,
                  struct err *err)
{
    size_t widths[DISPLAY_COLUMNS_MAX] = {0};
    size_t all = 0;

    if (buf_check(&table->text, err) != ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t wide = utf8_columns(cell_at(table, i));
        size_t *width = &widths[i % table->column_count];

        *width = wide > *width ? wide : *width;
    }
    for (size_t k = 0; k < table->column_count; k++) {
        all += widths[k] + (k > 0 ? GAP_COLUMNS : 0);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t k = i % table->column_count;
        bool is_last = k + 1 == table->column_count;

        if (is_last && table->aligns[k] == DISPLAY_LEFT) {
            display_put(buf, cell_at(table, i)); /* no blanks at the end */
        } else {
            display_put_cell(buf, cell_at(table, i), widths[k],
                             table->aligns[k]);
        }
        if (!is_last) {
            put_blanks(buf, GAP_COLUMNS);
            continue;
        }
        buf_put_char(buf, '\n');
        if (i + 1 == table->column_count) {
            for (size_t c = 0; c < all; c++) {
                buf_put_text(buf, "─");
            }
            buf_put_char(buf, '\n');
        }
    }
    return buf_check(buf, err);
}
