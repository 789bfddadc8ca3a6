/* A list as a table for a terminal: which columns, how wide, in what words. */
#include "server/cli/list_table.h"

#include <assert.h>
#include <string.h>

#include "server/base/cell_guard.h"
#include "server/base/display.h"
#include "server/decode/csv_rows.h"
#include "server/serve/list_words.h"

enum {
    TABLE_ARENA_BLOCK_BYTES = 64 * 1024,
    TABLE_CELL_BYTES_MAX = 2 * 1024 * 1024,
    TABLE_TIME_BYTES = 16 /* 2018-03-31T21:17 */
};

enum shown {
    SHOWN_TEXT,
    SHOWN_NUMBER,
    SHOWN_WORDS, /* wire words, in Chinese */
    SHOWN_TIME,
    SHOWN_SWITCH,
    SHOWN_UNIT /* the last part of the path */
};

struct shown_column {
    const char *name; /* of the API; NULL ends them */
    const char *heading;
    enum shown shown;
    size_t columns_max; /* of the screen; 0: as it is */
};

static const struct shown_column ticket_columns[] = {
    {"id", "工单编号", SHOWN_TEXT, 24},
    {"accepted_at", "受理时间", SHOWN_TIME, 0},
    {"unit", "供电单位", SHOWN_UNIT, 24},
    {"category", "投诉类别", SHOWN_WORDS, 0},
    {"subcategory", "二级分类", SHOWN_TEXT, 16},
    {"region", "城乡", SHOWN_WORDS, 0},
    {"state", "状态", SHOWN_WORDS, 0},
    {"calls", "致电", SHOWN_NUMBER, 0},
    {"overdue", "超时环节", SHOWN_WORDS, 20},
    {"caller", "来电号码", SHOWN_TEXT, 16},
    {"text", "受理内容", SHOWN_TEXT, 48},
    {NULL, NULL, SHOWN_TEXT, 0},
};

static const struct shown_column caller_columns[] = {
    {"calls", "致电", SHOWN_NUMBER, 0},
    {"repeats", "重复", SHOWN_NUMBER, 0},
    {"caller", "来电号码", SHOWN_TEXT, 16},
    {"customer", "户号", SHOWN_TEXT, 16},
    {"matter", "诉求", SHOWN_TEXT, 16},
    {"category", "投诉类别", SHOWN_WORDS, 0},
    {"first_at", "首次致电", SHOWN_TIME, 0},
    {"last_at", "末次致电", SHOWN_TIME, 0},
    {"state", "末次状态", SHOWN_WORDS, 0},
    {"final_reply", "最终答复", SHOWN_SWITCH, 0},
    {"burst", "短时多次", SHOWN_SWITCH, 0},
    {"units", "供电单位", SHOWN_UNIT, 24},
    {NULL, NULL, SHOWN_TEXT, 0},
};

static const struct shown_column overdue_columns[] = {
    {"id", "工单编号", SHOWN_TEXT, 24},
    {"kind_name", "环节", SHOWN_TEXT, 16},
    {"due_at", "时限", SHOWN_TIME, 0},
    {"late_minutes", "超时分钟", SHOWN_NUMBER, 0},
    {"left_minutes", "剩余分钟", SHOWN_NUMBER, 0},
    {"open", "未完成", SHOWN_SWITCH, 0},
    {"accepted_at", "受理时间", SHOWN_TIME, 0},
    {"category", "投诉类别", SHOWN_WORDS, 0},
    {"subcategory", "二级分类", SHOWN_TEXT, 16},
    {"state", "状态", SHOWN_WORDS, 0},
    {"calls", "致电", SHOWN_NUMBER, 0},
    {"unit", "供电单位", SHOWN_UNIT, 24},
    {NULL, NULL, SHOWN_TEXT, 0},
};

static const struct shown_column spot_columns[] = {
    {"callers", "客户", SHOWN_NUMBER, 0},
    {"calls", "来电", SHOWN_NUMBER, 0},
    {"open", "未办结", SHOWN_NUMBER, 0},
    {"matter", "诉求", SHOWN_TEXT, 16},
    {"place", "地点", SHOWN_TEXT, 32},
    {"first_at", "首次致电", SHOWN_TIME, 0},
    {"last_at", "末次致电", SHOWN_TIME, 0},
    {"unit", "供电单位", SHOWN_UNIT, 24},
    {NULL, NULL, SHOWN_TEXT, 0},
};

static const struct shown_column reject_columns[] = {
    {"number", "序号", SHOWN_NUMBER, 0},  {"at", "时间", SHOWN_TIME, 0},
    {"source", "来源", SHOWN_TEXT, 24},   {"line", "行号", SHOWN_NUMBER, 0},
    {"code", "原因代码", SHOWN_TEXT, 16}, {"field", "字段", SHOWN_TEXT, 16},
    {"detail", "原因", SHOWN_TEXT, 80},   {NULL, NULL, SHOWN_TEXT, 0},
};

static const struct table_view {
    const char *name;
    const struct shown_column *columns;
} views[] = {
    {"tickets", ticket_columns},  {"repeat-callers", caller_columns},
    {"overdue", overdue_columns}, {"hot-spots", spot_columns},
    {"rejects", reject_columns},
};

static const struct shown_column *
find_view(const char *name)
{
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        if (strcmp(views[i].name, name) == 0) {
            return views[i].columns;
        }
    }
    return NULL;
}

bool
list_table_knows(const char *name)
{
    return find_view(name) != NULL;
}

/* What one table is made with. */
struct maker {
    const struct shown_column *columns;
    size_t column_count;
    size_t places[DISPLAY_COLUMNS_MAX]; /* in the CSV */
    struct display_table table;
    struct buf cell; /* being rewritten */
};

static void
find_places(struct maker *maker, const struct csv_row *header)
{
    for (size_t i = 0; i < maker->column_count; i++) {
        maker->places[i] = SIZE_MAX;
        for (size_t k = 0; k < header->cell_count; k++) {
            if (span_is(header->cells[k], maker->columns[i].name)) {
                maker->places[i] = k;
            }
        }
    }
}

static void
put_words(struct buf *out, const char *column, struct span words)
{
    for (bool first = true; words.bytes > 0; first = false) {
        if (!first) {
            buf_put_char(out, ' ');
        }
        buf_put_span(out, list_word_chinese(column, span_split(&words, ' ')));
    }
}

static void
put_time(struct buf *out, struct span time)
{
    if (time.bytes < TABLE_TIME_BYTES) {
        buf_put_span(out, time);
        return;
    }
    buf_printf(out, "%.10s %.5s", time.data, time.data + 11);
}

/* The last part of every path; several paths are parted by a blank. */
static void
put_unit(struct buf *out, struct span paths)
{
    for (bool first = true; paths.bytes > 0; first = false) {
        struct span path = span_split(&paths, ' ');
        struct span part = path;

        while (path.bytes > 0) {
            part = span_split(&path, '/');
        }
        if (!first) {
            buf_put_char(out, ' ');
        }
        buf_put_span(out, part);
    }
}

static void
put_shown(struct buf *out, const struct shown_column *column, struct span cell)
{
    if (cell.bytes > 1 && cell.data[0] == CELL_GUARD &&
        cell_is_formula((struct span){cell.data + 1, cell.bytes - 1})) {
        cell = (struct span){cell.data + 1, cell.bytes - 1};
    }
    switch (column->shown) {
    case SHOWN_TEXT:
    case SHOWN_NUMBER:
        buf_put_span(out, cell);
        break;
    case SHOWN_WORDS:
        put_words(out, column->name, cell);
        break;
    case SHOWN_TIME:
        put_time(out, cell);
        break;
    case SHOWN_SWITCH:
        buf_put_text(out, span_is(cell, "1") ? "是" : "");
        break;
    case SHOWN_UNIT:
        put_unit(out, cell);
        break;
    }
}

static void
put_row(struct maker *maker, const struct csv_row *row)
{
    for (size_t i = 0; i < maker->column_count; i++) {
        const struct shown_column *column = &maker->columns[i];
        size_t place = maker->places[i];
        struct buf cut;

        buf_reset(&maker->cell);
        if (place < row->cell_count) {
            put_shown(&maker->cell, column, row->cells[place]);
        }
        if (column->columns_max == 0 ||
            utf8_columns(buf_view(&maker->cell)) <= column->columns_max) {
            display_table_cell(&maker->table, buf_view(&maker->cell));
            continue;
        }
        buf_init(&cut, TABLE_CELL_BYTES_MAX);
        display_put_cell(&cut, buf_view(&maker->cell), column->columns_max,
                         DISPLAY_LEFT);
        display_table_cell(&maker->table, span_trim(buf_view(&cut)));
        buf_release(&cut);
    }
}

static void
begin_table(struct maker *maker, const struct shown_column *columns)
{
    enum display_align aligns[DISPLAY_COLUMNS_MAX];

    *maker = (struct maker){.columns = columns};
    while (columns[maker->column_count].name != NULL) {
        assert(maker->column_count < DISPLAY_COLUMNS_MAX);
        aligns[maker->column_count] =
            columns[maker->column_count].shown == SHOWN_NUMBER ? DISPLAY_RIGHT
                                                               : DISPLAY_LEFT;
        maker->column_count++;
    }
    display_table_init(&maker->table, maker->column_count, aligns);
    buf_init(&maker->cell, TABLE_CELL_BYTES_MAX);
    for (size_t i = 0; i < maker->column_count; i++) {
        display_table_text(&maker->table, columns[i].heading);
    }
}

static enum err_code
read_rows(struct maker *maker,
          struct span csv,
          size_t rows_max,
          struct arena *arena,
          bool *more,
          struct err *err)
{
    struct csv_rows rows;
    struct csv_row row;

    if (csv_rows_open(&rows, csv, CSV_QUOTES_ON, arena, &row, err) != ERR_OK) {
        return err->code;
    }
    find_places(maker, &row);
    *more = false;
    for (size_t count = 0;; count++) {
        enum csv_next next = csv_rows_next(&rows, arena, &row, err);

        if (next != CSV_ROW) {
            return next == CSV_END ? ERR_OK : err->code;
        }
        if (count == rows_max) {
            *more = true;
            return ERR_OK;
        }
        put_row(maker, &row);
    }
}

enum err_code
list_table_put(const char *name,
               struct span csv,
               size_t rows_max,
               struct buf *out,
               bool *more,
               struct err *err)
{
    struct span mark = SPAN_LITERAL("\xEF\xBB\xBF");
    struct maker maker;
    struct arena arena;

    if (span_starts(csv, mark)) {
        csv.data += mark.bytes;
        csv.bytes -= mark.bytes;
    }
    begin_table(&maker, find_view(name));
    arena_init(&arena, TABLE_ARENA_BLOCK_BYTES);
    if (read_rows(&maker, csv, rows_max, &arena, more, err) == ERR_OK) {
        (void)!display_table_put(&maker.table, out, err);
    }
    arena_release(&arena);
    display_table_release(&maker.table);
    buf_release(&maker.cell);
    return err->code;
}
