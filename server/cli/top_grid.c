/* The screen of `suqiu top` as cells. */
#include "server/cli/top_grid.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEFT_COLUMNS = 44, /* the block of complaints */
    TWO_BLOCKS_COLUMNS = 78,
    BAR_COLUMNS = 6,
    LINE_BYTES = 512
};

/* ---- cells ---- */

enum err_code
top_grid_open(struct top_grid *grid,
              size_t columns,
              size_t rows,
              struct err *err)
{
    *grid = (struct top_grid){.cells = NULL};
    columns = columns < TOP_COLUMNS_MAX ? columns : TOP_COLUMNS_MAX;
    rows = rows < TOP_ROWS_MAX ? rows : TOP_ROWS_MAX;
    grid->cells = calloc(rows * columns + 1, sizeof(grid->cells[0]));
    if (grid->cells == NULL) {
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    grid->columns = columns;
    grid->rows = rows;
    for (size_t i = 0; i < rows * columns; i++) {
        grid->cells[i].text[0] = ' ';
    }
    return ERR_OK;
}

void
top_grid_close(struct top_grid *grid)
{
    free(grid->cells);
    *grid = (struct top_grid){.cells = NULL};
}

static struct top_cell *
cell_at(struct top_grid *grid, size_t row, size_t column)
{
    return row < grid->rows && column < grid->columns
               ? &grid->cells[row * grid->columns + column]
               : NULL;
}

static void
set_cell(struct top_grid *grid,
         size_t row,
         size_t column,
         enum top_style style,
         struct span one)
{
    struct top_cell *cell = cell_at(grid, row, column);

    if (cell != NULL) {
        memset(cell->text, 0, sizeof(cell->text));
        memcpy(cell->text, one.data, one.bytes);
        cell->style = (unsigned char)style;
    }
}

/* One character of `wide` columns; returns the column behind it. */
static size_t
put_one(struct top_grid *grid,
        size_t row,
        size_t column,
        enum top_style style,
        struct span one)
{
    size_t wide = utf8_columns(one);

    if (wide == 0 || one.bytes >= TOP_CELL_BYTES ||
        (one.bytes == 1 && ((unsigned char)one.data[0] < 0x20 ||
                            (unsigned char)one.data[0] >= 0x7F))) {
        return column; /* nothing that a cell could hold */
    }
    if (wide == 2 && column + 1 >= grid->columns) {
        set_cell(grid, row, column, style, SPAN_LITERAL(" "));
    } else {
        set_cell(grid, row, column, style, one);
        if (wide == 2) {
            set_cell(grid, row, column + 1, style, SPAN_LITERAL(""));
        }
    }
    return column + wide;
}

size_t
top_grid_put(struct top_grid *grid,
             size_t row,
             size_t column,
             enum top_style style,
             const char *text)
{
    struct span rest = span_of(text);

    while (rest.bytes > 0) {
        uint32_t code_point = 0;
        struct span one = {rest.data, utf8_next(rest, &code_point)};

        if (code_point >= 0xA0 || one.bytes == 1) {
            column = put_one(grid, row, column, style, one);
        }
        rest.data += one.bytes;
        rest.bytes -= one.bytes;
    }
    return column;
}

static size_t PRINTF_LIKE(5, 6) put_line(struct top_grid *grid,
                                         size_t row,
                                         size_t column,
                                         enum top_style style,
                                         const char *fmt,
                                         ...)
{
    char line[LINE_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    return top_grid_put(grid, row, column, style, line);
}

void
top_grid_number(struct top_grid *grid,
                size_t row,
                size_t column,
                enum top_style style,
                int64_t number)
{
    char text[24];
    size_t digits = (size_t)snprintf(text, sizeof(text), "%" PRId64, number);

    (void)top_grid_put(grid, row, column > digits ? column - digits : 0, style,
                       text);
}

/* ---- blocks ---- */

static const char *
clock_text(int64_t at_us, char out[TICKET_TIME_BYTES])
{
    if (at_us == 0) {
        return "-";
    }
    (void)ticket_time_format(at_us / 1000000 * 1000000, out);
    out[10] = ' ';
    out[19] = '\0'; /* 2018-03-31 21:17:19 */
    return out;
}

static void
draw_title(struct top_grid *grid,
           const struct top_numbers *numbers,
           const struct top_note *note)
{
    char time[TICKET_TIME_BYTES];

    for (size_t i = 0; i < grid->columns; i++) {
        (void)top_grid_put(grid, 0, i, TOP_TITLE, " ");
    }
    (void)put_line(grid, 0, 1, TOP_TITLE, "诉求 suqiu   %s   %s%s",
                   clock_text(numbers->at_us, time), note->where,
                   note->keys ? "   q 退出" : "");
}

static void
draw_today(struct top_grid *grid, size_t row, const struct top_numbers *numbers)
{
    static const struct {
        enum counter counter;
        const char *name;
        enum top_style style; /* when it is not 0 */
    } rows[] = {
        {COUNTER_received, "受理", TOP_PLAIN},
        {COUNTER_complaints, "投诉", TOP_PLAIN},
        {COUNTER_repeats, "重复致电", TOP_WARN},
        {COUNTER_third_calls, "三次致电", TOP_WARN},
        {COUNTER_bursts, "短时多次", TOP_BAD},
        {COUNTER_overdue, "超时工单", TOP_BAD},
    };
    size_t column = top_grid_put(grid, row, 1, TOP_HEAD, "今日") + 2;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t count = numbers->today[rows[i].counter];

        column = top_grid_put(grid, row, column, TOP_PLAIN, rows[i].name);
        column = put_line(grid, row, column + 1,
                          count != 0 ? rows[i].style : TOP_PLAIN, "%" PRId64,
                          count) +
                 2;
    }
}

/* 投诉类别 by 城区, 农村, 未知, with a bar of the share; returns the row
 * below. */
static size_t
draw_complaints(struct top_grid *grid,
                size_t row,
                const struct top_numbers *numbers)
{
    static const enum ticket_region regions[] = {
        TICKET_REGION_URBAN, TICKET_REGION_RURAL, TICKET_REGION_UNKNOWN};
    enum { REGIONS = 3, FIRST = 18, STEP = 6 };
    int64_t sums[REGIONS + 1] = {0};

    (void)top_grid_put(grid, row, 1, TOP_HEAD, "今日投诉");
    for (size_t r = 0; r < REGIONS; r++) {
        (void)top_grid_put(grid, row, FIRST + r * STEP - 4, TOP_HEAD,
                           ticket_region_chinese(regions[r]));
        for (unsigned c = 0; c < TICKET_CATEGORY_COUNT; c++) {
            sums[r] += numbers->complaints[c][regions[r]];
        }
        sums[REGIONS] += sums[r];
    }
    (void)top_grid_put(grid, row++, FIRST + REGIONS * STEP - 4, TOP_HEAD,
                       "合计");
    for (unsigned c = 1; c < TICKET_CATEGORY_COUNT; c++, row++) {
        int64_t sum = 0;

        (void)top_grid_put(grid, row, 1, TOP_PLAIN,
                           ticket_category_chinese((enum ticket_category)c));
        for (size_t r = 0; r < REGIONS; r++) {
            sum += numbers->complaints[c][regions[r]];
            top_grid_number(grid, row, FIRST + r * STEP, TOP_PLAIN,
                            numbers->complaints[c][regions[r]]);
        }
        top_grid_number(grid, row, FIRST + REGIONS * STEP, TOP_PLAIN, sum);
        for (int64_t i = 0;
             i < BAR_COLUMNS && i * sums[REGIONS] < sum * BAR_COLUMNS; i++) {
            (void)top_grid_put(grid, row,
                               FIRST + REGIONS * STEP + 1 + (size_t)i, TOP_GOOD,
                               "█");
        }
    }
    (void)top_grid_put(grid, row, 1, TOP_HEAD, "合计");
    for (size_t r = 0; r <= REGIONS; r++) {
        top_grid_number(grid, row, FIRST + r * STEP, TOP_PLAIN, sums[r]);
    }
    return row + 1;
}

/* Clocks by kind; returns the row below. */
static size_t
draw_clocks(struct top_grid *grid,
            size_t row,
            size_t column,
            const struct top_numbers *numbers)
{
    static const struct {
        const char *name;
        size_t end;
    } heads[] = {{"进行中", 16}, {"即将超时", 25}, {"已超时", 32}};

    (void)top_grid_put(grid, row, column, TOP_HEAD, "时限环节");
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        (void)top_grid_put(grid, row,
                           column + heads[i].end -
                               utf8_columns(span_of(heads[i].name)),
                           TOP_HEAD, heads[i].name);
    }
    row++;
    for (size_t i = 0; i < numbers->clock_count; i++, row++) {
        const struct top_clock *clock = &numbers->clocks[i];

        (void)top_grid_put(grid, row, column, TOP_PLAIN,
                           clock->name[0] != '\0' ? clock->name : clock->kind);
        top_grid_number(grid, row, column + heads[0].end, TOP_PLAIN,
                        (int64_t)clock->running);
        top_grid_number(grid, row, column + heads[1].end,
                        clock->due_soon > 0 ? TOP_WARN : TOP_PLAIN,
                        (int64_t)clock->due_soon);
        top_grid_number(grid, row, column + heads[2].end,
                        clock->overdue > 0 ? TOP_BAD : TOP_PLAIN,
                        (int64_t)clock->overdue);
    }
    if (numbers->clock_count == 0) {
        (void)top_grid_put(grid, row++, column, TOP_PLAIN, "没有时限");
    }
    return row;
}

static void
draw_state(struct top_grid *grid, size_t row, const struct top_numbers *numbers)
{
    size_t column = top_grid_put(grid, row, 1, TOP_HEAD, "接入") + 2;

    if (!numbers->has_pipeline) {
        (void)top_grid_put(grid, row, column, TOP_PLAIN,
                           "直接读取数据目录，没有服务进程的状态");
        return;
    }
    column = put_line(grid, row, column, TOP_PLAIN, "连接 %" PRIu64 "  ",
                      numbers->feed_connections);
    if (numbers->writer_stopped) {
        (void)top_grid_put(grid, row, column, TOP_BAD,
                           "写入已停止：见日志，修复后重新启动");
    } else if (numbers->store_full) {
        (void)top_grid_put(grid, row, column, TOP_BAD,
                           "磁盘或存储已满，暂停接收：腾出空间后自动继续");
    } else if (numbers->batches_waiting >= numbers->batches_waiting_max) {
        (void)top_grid_put(grid, row, column, TOP_WARN, "队列已满，来源在等待");
    } else {
        (void)top_grid_put(grid, row, column, TOP_GOOD, "正常");
    }
}

static size_t
draw_pipeline(struct top_grid *grid,
              size_t row,
              const struct top_numbers *numbers,
              const struct top_rates *rates)
{
    char time[TICKET_TIME_BYTES];
    size_t column = top_grid_put(grid, row, 1, TOP_HEAD, "入库") + 2;

    column = rates->known ? put_line(grid, row, column, TOP_PLAIN,
                                     "%.0f 条/秒  ", rates->records_per_s)
                          : put_line(grid, row, column, TOP_PLAIN, "- 条/秒  ");
    if (numbers->has_pipeline) {
        column =
            put_line(grid, row, column,
                     numbers->batches_waiting >= numbers->batches_waiting_max
                         ? TOP_WARN
                         : TOP_PLAIN,
                     "队列 %" PRIu64 "/%" PRIu64 "  ", numbers->batches_waiting,
                     numbers->batches_waiting_max);
    }
    if (rates->commit_ms > 0) {
        (void)put_line(grid, row, column, TOP_PLAIN, "每次提交 %.1f 毫秒",
                       rates->commit_ms);
    }
    draw_state(grid, row + 1, numbers);
    column = top_grid_put(grid, row + 2, 1, TOP_HEAD, "累计") + 2;
    column = put_line(grid, row + 2, column, TOP_PLAIN,
                      "工单 %" PRIu64 "  事件 %" PRIu64 "  ", numbers->tickets,
                      numbers->events);
    column = put_line(grid, row + 2, column,
                      numbers->events_waiting > 0 ? TOP_WARN : TOP_PLAIN,
                      "待配事件 %" PRIu64 "  ", numbers->events_waiting);
    (void)put_line(grid, row + 2, column,
                   numbers->rejects > 0 ? TOP_WARN : TOP_PLAIN, "拒收 %" PRIu64,
                   numbers->rejects);
    column = top_grid_put(grid, row + 3, 1, TOP_HEAD, "存储") + 2;
    (void)put_line(grid, row + 3, column, TOP_PLAIN,
                   "已用 %.1f MiB（上限 %.0f GiB）  磁盘剩余 %.1f GiB",
                   (double)numbers->store_used_bytes / (1 << 20),
                   (double)numbers->store_map_bytes / (1 << 30),
                   (double)numbers->disk_free_bytes / (1 << 30));
    column = top_grid_put(grid, row + 4, 1, TOP_HEAD, "时限判至") + 2;
    (void)put_line(grid, row + 4, column, TOP_PLAIN, "%s  词典 %s",
                   clock_text(numbers->tick_us, time), numbers->dictionary);
    return row + 5;
}

void
top_draw(struct top_grid *grid,
         const struct top_numbers *numbers,
         const struct top_rates *rates,
         const struct top_note *note)
{
    size_t row = 4;
    size_t below;

    draw_title(grid, numbers, note);
    draw_today(grid, 2, numbers);
    below = draw_complaints(grid, row, numbers);
    if (grid->columns >= TWO_BLOCKS_COLUMNS) {
        size_t right = draw_clocks(grid, row, LEFT_COLUMNS, numbers);

        below = right > below ? right : below;
    } else {
        below = draw_clocks(grid, below + 1, 1, numbers);
    }
    below = draw_pipeline(grid, below + 1, numbers, rates);
    if (note->trouble != NULL) {
        (void)put_line(grid, below + 1, 1, TOP_BAD, "无法读取：%s",
                       note->trouble);
    }
}

/* ---- text ---- */

void
top_grid_text(const struct top_grid *grid, struct buf *out)
{
    size_t empty_lines = 0;

    for (size_t row = 0; row < grid->rows; row++) {
        const struct top_cell *cells = &grid->cells[row * grid->columns];
        size_t end = grid->columns;

        while (end > 0 && strcmp(cells[end - 1].text, " ") == 0) {
            end--;
        }
        if (end == 0) {
            empty_lines++;
            continue;
        }
        for (; empty_lines > 0; empty_lines--) {
            buf_put_char(out, '\n');
        }
        for (size_t i = 0; i < end; i++) {
            buf_put_text(out, cells[i].text);
        }
        buf_put_char(out, '\n');
    }
}
