/* Spans and UTF-8: the edges that a borrowed byte range meets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

static void
split_gives_every_part_and_ends_with_null(void **state)
{
    struct span rest = SPAN_LITERAL("a//b");

    (void)state;
    assert_true(span_is(span_split(&rest, '/'), "a"));
    assert_true(span_is(span_split(&rest, '/'), ""));
    assert_true(span_is(span_split(&rest, '/'), "b"));
    assert_null(rest.data);
}

static void
find_meets_the_last_bytes_and_no_further(void **state)
{
    (void)state;
    assert_int_equal(span_find(SPAN_LITERAL("xyab"), SPAN_LITERAL("ab"), 0), 2);
    assert_true(span_find(SPAN_LITERAL("xya"), SPAN_LITERAL("ab"), 0) ==
                SIZE_MAX);
    assert_true(span_find(SPAN_LITERAL("ab"), SPAN_LITERAL("ab"), 1) ==
                SIZE_MAX);
}

static void
overlong_surrogate_and_cut_sequences_are_not_utf8(void **state)
{
    (void)state;
    assert_true(utf8_valid(SPAN_LITERAL("停电\xF0\x9F\x98\x80")));
    assert_false(utf8_valid(SPAN_LITERAL("\xC0\x80")));
    assert_false(utf8_valid(SPAN_LITERAL("\xE0\x80\x80")));
    assert_false(utf8_valid(SPAN_LITERAL("\xED\xA0\x80")));
    assert_false(utf8_valid(SPAN_LITERAL("\xF4\x90\x80\x80")));
    assert_false(utf8_valid(SPAN_LITERAL("\xE5\x81")));
}

static void
cut_never_splits_a_character(void **state)
{
    const char *text = "停电"; /* two characters of three bytes */

    (void)state;
    assert_int_equal(utf8_cut(text, 6), 6);
    assert_int_equal(utf8_cut(text, 5), 3);
    assert_int_equal(utf8_cut(text, 3), 3);
    assert_int_equal(utf8_cut(text, 2), 0);
    assert_int_equal(utf8_cut(text, 0), 0);
}

static void
chinese_is_two_columns_wide(void **state)
{
    (void)state;
    assert_int_equal(utf8_columns(SPAN_LITERAL("城区ab")), 6);
    assert_int_equal(utf8_columns(SPAN_LITERAL("（１）")), 6);
    assert_int_equal(utf8_count(SPAN_LITERAL("城区ab")), 4);
}

static void
the_first_error_stays_and_a_prefix_goes_in_front(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(err_set(&err, ERR_BAD_TIME, "month %d", 13), ERR_BAD_TIME);
    assert_int_equal(err_set(&err, ERR_IO, "later"), ERR_BAD_TIME);
    assert_int_equal(err_prefix(&err, "line %d", 7), ERR_BAD_TIME);
    assert_string_equal(err.detail, "line 7: month 13");
    assert_string_equal(err_code_name(ERR_BAD_TIME), "bad_time");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_gives_every_part_and_ends_with_null),
        cmocka_unit_test(find_meets_the_last_bytes_and_no_further),
        cmocka_unit_test(overlong_surrogate_and_cut_sequences_are_not_utf8),
        cmocka_unit_test(cut_never_splits_a_character),
        cmocka_unit_test(chinese_is_two_columns_wide),
        cmocka_unit_test(the_first_error_stays_and_a_prefix_goes_in_front),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
