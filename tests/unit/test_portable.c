/* portable: the rules as other engines get them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bench/portable.h"

static void
written(const char *pattern, const char *expected)
{
    struct span span = {pattern, strlen(pattern)};
    char *out = malloc(3 * span.bytes + 1);
    size_t bytes = portable_pattern(span, out);

    assert_string_equal(out, expected);
    assert_int_equal(bytes, strlen(expected));
    free(out);
}

static void
test_groups_capture_nothing(void **state)
{
    (void)state;
    written("(停|断)电", "(?:停|断)电");
    written("(?:停|断)电", "(?:停|断)电");
    written("((a)b)", "(?:(?:a)b)");
    written("[(]a\\(b", "[(]a\\(b");
}

static void
test_look_arounds_go(void **state)
{
    (void)state;
    written("停(?!车(场|位))电", "停电");
    written("(?<=[)(])a(?<!\\))b", "ab");
    written("(a(?=b)|c)", "(?:a|c)");
}

/* Splitting changes the rows, never what they say. */
static void
test_splits_agree(void **state)
{
    static const char text[] = "【供电可靠性】这个月都停了七回了，打95598没人接"
                               "，说线路检修，电表箱坏了";
    struct span span = {text, sizeof(text) - 1};
    struct portable *whole = NULL;
    struct portable *split = NULL;
    struct portable_matcher *first = NULL;
    struct portable_matcher *second = NULL;
    struct err err = {0};
    uint64_t masks[2];

    (void)state;
    assert_int_equal(portable_export(16384, &whole, &err), ERR_OK);
    assert_int_equal(portable_export(400, &split, &err), ERR_OK);
    assert_true(whole->count < split->count);
    assert_int_equal(whole->rule_count, split->rule_count);
    assert_int_equal(portable_matcher_new(whole, 0, &first, &err), ERR_OK);
    assert_int_equal(portable_matcher_new(split, 1, &second, &err), ERR_OK);
    assert_int_equal(portable_match(first, span, &masks[0], &err), ERR_OK);
    assert_int_equal(portable_match(second, span, &masks[1], &err), ERR_OK);
    assert_true(masks[0] == masks[1]);
    assert_true(masks[0] != 0);
    portable_matcher_free(&first);
    portable_matcher_free(&second);
    portable_free(&whole);
    portable_free(&split);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups_capture_nothing),
        cmocka_unit_test(test_look_arounds_go),
        cmocka_unit_test(test_splits_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
