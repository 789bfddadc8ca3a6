/* display and progress: columns for Chinese, cuts, tables, the line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/base/display.h"
#include "server/base/nearest.h"
#include "server/base/progress.h"

static struct buf out;

static int
start(void **state)
{
    (void)state;
    buf_init(&out, 100000);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    buf_release(&out);
    return 0;
}

static void
expect(const char *text)
{
    buf_put(&out, "", 1);
    assert_string_equal(out.data, text);
    buf_reset(&out);
}

static void
chinese_is_padded_by_columns(void **state)
{
    (void)state;
    display_put_cell(&out, SPAN_LITERAL("停电"), 6, DISPLAY_LEFT);
    display_put_cell(&out, SPAN_LITERAL("7"), 3, DISPLAY_RIGHT);
    expect("停电    7");
}

static void
long_text_is_cut_at_a_character_that_fits(void **state)
{
    (void)state;
    display_put_cell(&out, SPAN_LITERAL("停电投诉"), 6, DISPLAY_LEFT);
    expect("停电… ");
    display_put_cell(&out, SPAN_LITERAL("停电投诉"), 7, DISPLAY_LEFT);
    expect("停电投…");
    display_put_cell(&out, SPAN_LITERAL("停电投诉"), 8, DISPLAY_LEFT);
    expect("停电投诉");
}

static void
a_ticket_cannot_move_the_cursor(void **state)
{
    (void)state;
    display_put(&out, SPAN_LITERAL("a\x1b[2J\n\xc2\x9b\xff停"));
    expect("a [2J   停");
}

static void
a_table_finds_its_widths(void **state)
{
    const enum display_align aligns[] = {DISPLAY_LEFT, DISPLAY_RIGHT,
                                         DISPLAY_LEFT};
    struct display_table table;
    struct err err = {0};

    (void)state;
    display_table_init(&table, 3, aligns);
    display_table_text(&table, "类别");
    display_table_text(&table, "n");
    display_table_text(&table, "x");
    display_table_text(&table, "停送电投诉");
    display_table_printf(&table, "%d", 120);
    display_table_text(&table, "");
    assert_int_equal(display_table_put(&table, &out, &err), ERR_OK);
    expect("类别          n  x\n"
           "──────────────────\n"
           "停送电投诉  120  \n");
    display_table_release(&table);
}

static void
the_nearest_name_is_near(void **state)
{
    const char *names[] = {"serve", "import", "report", "top", "backup"};

    (void)state;
    assert_string_equal(nearest_name("sevre", names, 5), "serve");
    assert_string_equal(nearest_name("improt", names, 5), "import");
    assert_string_equal(nearest_name("reports", names, 5), "report");
    assert_string_equal(nearest_name("tpo", names, 5), "top");
    assert_null(nearest_name("xyz", names, 5));
    assert_null(nearest_name("", names, 5));
}

static void
the_line_has_rate_and_time_left(void **state)
{
    struct progress progress = {
        .label = "import", .total = 5000000, .done = 1250000};
    char line[256];

    (void)state;
    (void)progress_line(&progress, 2500000, line, sizeof(line));
    assert_string_equal(
        line, "import  1,250,000 of 5,000,000  25 %  500,000/s  0:07 left");
    progress.total = 0;
    (void)progress_line(&progress, 2500000, line, sizeof(line));
    assert_string_equal(line, "import  1,250,000  500,000/s");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
    const struct CMUnitTest tests[] = {
        TEST(chinese_is_padded_by_columns),
        TEST(long_text_is_cut_at_a_character_that_fits),
        TEST(a_ticket_cannot_move_the_cursor),
        TEST(a_table_finds_its_widths),
        TEST(the_nearest_name_is_near),
        TEST(the_line_has_rate_and_time_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
