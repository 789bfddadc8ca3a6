/* suqiu top: texts to numbers, numbers to cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cli/top_grid.h"

static const char metrics[] =
    "# HELP suqiu_tickets_total tickets stored.\n"
    "# TYPE suqiu_tickets_total counter\n"
    "suqiu_tickets_total 1234567\n"
    "suqiu_events_total 10\n"
    "suqiu_versions_total 0\n"
    "suqiu_rejects_total 3\n"
    "suqiu_events_waiting 2\n"
    "suqiu_clocks_running{kind=\"reply\"} 7\n"
    "suqiu_clocks_running{kind=\"contact\"} 4\n"
    "suqiu_clocks_due_soon{kind=\"reply\"} 5\n"
    "suqiu_clocks_overdue{kind=\"reply\"} 98\n"
    "suqiu_clocks_overdue{kind=\"arrive\"} 6\n"
    "suqiu_today{counter=\"received\"} 321\n"
    "suqiu_today{counter=\"overdue\"} 11\n"
    "suqiu_today{counter=\"no_such_counter\"} 9\n"
    "suqiu_tick_seconds 1522502239.250\n"
    "suqiu_batches_waiting 8\n"
    "suqiu_batches_waiting_max 8\n"
    "suqiu_commits_total 100\n"
    "suqiu_commit_seconds_total 0.500000\n"
    "suqiu_feed_connections 3\n"
    "suqiu_writer_stopped 0\n"
    "suqiu_store_full 1\n"
    "suqiu_dictionary_info{version=\"a7fcf54e028b7563\"} 1\n"
    "other_metric 5\nsuqiu_broken\nsuqiu_broken2 x\nsuqiu_b{ 1\n\n";

static const char counters[] =
    "period,start,category,region,received,complaints\r\n"
    "all,,outage,urban,5,41\r\n"
    "all,,outage,rural,5,2\r\n"
    "all,,outage,remote,5,1\r\n"
    "all,,grid,unknown,5,7\r\n"
    "all,,strange,urban,5,9\r\n";

static const char names[] =
    "{\"clocks\":[{\"kind\":\"reply\",\"name\":\"答复\",\"name_en\":\"reply\"},"
    "{\"kind\":\"contact\",\"name\":\"首次联系\",\"name_en\":\"c\"}]}";

static struct top_numbers
sample(void)
{
    struct top_numbers numbers = {.at_us = 1522502240000000};
    struct err err = {0};

    top_read_metrics(&numbers, span_of(metrics));
    assert_int_equal(top_read_counters(&numbers, span_of(counters), &err),
                     ERR_OK);
    top_read_names(&numbers, span_of(names));
    return numbers;
}

static void
numbers_are_read_from_what_a_server_says(void **state)
{
    struct top_numbers n = sample();

    (void)state;
    assert_int_equal(n.tickets, 1234567);
    assert_int_equal(n.today[COUNTER_received], 321);
    assert_int_equal(n.today[COUNTER_overdue], 11);
    assert_int_equal(n.clock_count, 3);
    assert_string_equal(n.clocks[0].name, "答复");
    assert_int_equal(n.clocks[0].running, 7);
    assert_int_equal(n.clocks[0].due_soon, 5);
    assert_int_equal(n.clocks[0].overdue, 98);
    assert_string_equal(n.clocks[2].kind, "arrive");
    assert_string_equal(n.clocks[2].name, "");
    assert_int_equal(n.tick_us, 1522502239250000);
    assert_true(n.has_pipeline && n.store_full && !n.writer_stopped);
    assert_string_equal(n.dictionary, "a7fcf54e028b7563");
    assert_int_equal(n.complaints[TICKET_CATEGORY_OUTAGE][TICKET_REGION_URBAN],
                     41);
    /* Remote counts as rural. */
    assert_int_equal(n.complaints[TICKET_CATEGORY_OUTAGE][TICKET_REGION_RURAL],
                     3);
}

static void
more_kinds_of_clocks_than_there_is_room_for_are_left_out(void **state)
{
    struct top_numbers n = {0};
    char line[64];

    (void)state;
    for (int i = 0; i < DEADLINE_KINDS_MAX + 5; i++) {
        (void)snprintf(line, sizeof(line),
                       "suqiu_clocks_running{kind=\"k%d\"} %d\n", i, i);
        top_read_metrics(&n, span_of(line));
    }
    assert_int_equal(n.clock_count, DEADLINE_KINDS_MAX);
}

static void
rates_are_of_the_time_between_two_readings(void **state)
{
    struct top_numbers before = sample();
    struct top_numbers now = before;
    struct top_rates rates = top_rates_of(NULL, &now);

    (void)state;
    assert_false(rates.known);
    now.at_us += 2000000;
    now.tickets += 90;
    now.duplicates += 10;
    now.commits += 10;
    now.commit_s += 0.025;
    rates = top_rates_of(&before, &now);
    assert_true(rates.known);
    assert_float_equal(rates.records_per_s, 50, 1e-9);
    assert_float_equal(rates.commit_ms, 2.5, 1e-9);
    now.tickets = 0; /* another store */
    assert_false(top_rates_of(&before, &now).known);
}

/* Every row is exactly as wide as the screen. */
static void
expect_whole(const struct top_grid *grid)
{
    for (size_t row = 0; row < grid->rows; row++) {
        for (size_t i = 0; i < grid->columns; i++) {
            const char *text = grid->cells[row * grid->columns + i].text;
            size_t wide = utf8_columns(span_of(text));

            assert_in_range(wide, 1, 2);
            if (wide == 2) {
                assert_true(i + 1 < grid->columns);
                i++;
                assert_string_equal(grid->cells[row * grid->columns + i].text,
                                    "");
            }
        }
    }
}

static char *
draw(size_t columns, size_t rows, const char *trouble)
{
    const struct top_numbers n = sample();
    const struct top_rates rates = {.known = true, .records_per_s = 38338};
    const struct top_note note = {
        .where = "http://127.0.0.1:9559", .trouble = trouble, .keys = true};
    struct top_grid grid;
    struct err err = {0};
    struct buf out;

    assert_int_equal(top_grid_open(&grid, columns, rows, &err), ERR_OK);
    top_draw(&grid, &n, &rates, &note);
    expect_whole(&grid);
    buf_init(&out, 1 << 20);
    top_grid_text(&grid, &out);
    buf_put_char(&out, '\0');
    assert_int_equal(buf_check(&out, &err), ERR_OK);
    top_grid_close(&grid);
    return out.data;
}

static void
a_screen_of_80_by_24_holds_everything(void **state)
{
    static const char *const wanted[] = {
        " 诉求 suqiu   2018-03-31 21:17:20   http://127.0.0.1:9559   q 退出\n",
        "受理 321",
        "超时工单 11",
        " 停送电投诉     41     3     0    44 ██████",
        " 电网建设投诉    0     0     7     7 █",
        "合计           41     3     7    51",
        "答复           7        5     98\n",
        "首次联系       4        0      0\n",
        "arrive         0        0      6\n",
        "38338 条/秒  队列 8/8",
        "磁盘或存储已满",
        "待配事件 2  拒收 3",
        "时限判至  2018-03-31 21:17:19  词典 a7fcf54e028b7563",
        "无法读取：refused",
    };
    char *text = draw(80, 24, "refused");

    (void)state;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (strstr(text, wanted[i]) == NULL) {
            fail_msg("no '%s' in\n%s", wanted[i], text);
        }
    }
    free(text);
}

static void
a_narrow_screen_puts_clocks_below(void **state)
{
    char *text = draw(60, 40, NULL);

    (void)state;
    assert_true(strstr(text, "时限环节") > strstr(text, "电网建设投诉"));
    assert_non_null(strstr(text, "答复"));
    free(text);
}

static void
no_size_breaks_it(void **state)
{
    (void)state;
    for (size_t columns = 0; columns < 130; columns++) {
        for (size_t rows = 0; rows < 30; rows += 7) {
            free(draw(columns, rows, "x"));
        }
    }
    free(draw(100000, 100000, "x"));
}

static void
a_wide_character_is_never_halved_and_controls_are_left_out(void **state)
{
    struct top_grid grid;
    struct err err = {0};
    struct buf out;

    (void)state;
    assert_int_equal(top_grid_open(&grid, 5, 1, &err), ERR_OK);
    assert_int_equal(top_grid_put(&grid, 0, 0, TOP_PLAIN, "电\x1b[电电"), 7);
    expect_whole(&grid);
    buf_init(&out, 100);
    top_grid_text(&grid, &out);
    assert_true(span_is(buf_view(&out), "电[电\n"));
    buf_release(&out);
    top_grid_close(&grid);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_from_what_a_server_says),
        cmocka_unit_test(
            more_kinds_of_clocks_than_there_is_room_for_are_left_out),
        cmocka_unit_test(rates_are_of_the_time_between_two_readings),
        cmocka_unit_test(a_screen_of_80_by_24_holds_everything),
        cmocka_unit_test(a_narrow_screen_puts_clocks_below),
        cmocka_unit_test(no_size_breaks_it),
        cmocka_unit_test(
            a_wide_character_is_never_halved_and_controls_are_left_out),
    };

    return cmocka_run_group_tests_name("top", tests, NULL, NULL);
}
