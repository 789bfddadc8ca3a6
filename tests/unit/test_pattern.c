/* Which patterns rules may use, and which words a pattern needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/needs.h"
#include "analyzers/pattern.h"

static void
allowed(const char *pattern)
{
    struct pattern_fault fault = {0, "", ""};

    if (!pattern_check(span_of(pattern), NULL, true, &fault)) {
        fail_msg("'%s' is refused at byte %zu: %s", pattern, fault.offset,
                 fault.problem);
    }
}

static void
refused(const char *pattern, size_t offset, const char *problem)
{
    struct pattern_fault fault = {SIZE_MAX, "", ""};

    if (pattern_check(span_of(pattern), NULL, true, &fault)) {
        fail_msg("'%s' is allowed", pattern);
    }
    assert_non_null(strstr(fault.problem, problem));
    assert_int_equal(fault.offset, offset);
    assert_true(strlen(fault.remedy) > 0);
}

static void
words_gaps_classes_groups_and_looks_are_allowed(void **state)
{
    (void)state;
    allowed("停电|断电");
    allowed("(停|断)了?电");
    allowed("营业厅.{0,12}没人");
    allowed("[0-9]{2,3}伏");
    allowed("(?<!没有)停电(?!通知)");
    allowed("^停电$");
    allowed("(?:三|四)次\\(约\\)");
    allowed("停[^。]*+电");
}

static void
what_can_run_away_is_refused_at_its_place(void **state)
{
    (void)state;
    refused("(停+)+电", strlen("(停"), "unbounded repetition inside a rep");
    refused("停(?=.*电)", strlen("停(?=."), "inside a look-around");
    refused("(停)\\1", strlen("(停)"), "back-references");
    refused("停(?R)", strlen("停"), "recursion");
    refused("(*FAIL)停", 0, "VERBS");
    refused("停(?i)电", strlen("停"), "kind of group");
}

static void
what_is_not_closed_is_refused(void **state)
{
    (void)state;
    refused("(停电", 0, "( is not closed");
    refused("停电)", strlen("停电"), ") without (");
    refused("[停电", 0, "[ is not closed");
    refused("*停", 0, "nothing stands before");
    refused("停{3,2}", strlen("停"), "upper bound");
    refused("", 0, "empty");
}

static void
a_pattern_that_needs_no_word_is_refused_but_may_narrow(void **state)
{
    struct pattern_fault fault;

    (void)state;
    refused(".{0,5}", 0, "without any word");
    refused("停电|.*", 0, "without any word");
    refused("停?", 0, "without any word");
    assert_true(pattern_check(SPAN_LITERAL(".{0,5}"), NULL, false, &fault));
}

static void
characters_that_cleaned_texts_never_hold_are_refused(void **state)
{
    struct pattern_fault fault = {0, "", ""};
    struct cleaner *cleaner = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(cleaner_build(NULL, 0, &cleaner, &err), ERR_OK);
    assert_false(
        pattern_check(SPAN_LITERAL("停电ＡＰＰ"), cleaner, true, &fault));
    assert_int_equal(fault.offset, strlen("停电"));
    assert_false(pattern_check(SPAN_LITERAL("APP"), cleaner, true, &fault));
    assert_true(pattern_check(SPAN_LITERAL("app，坏"), cleaner, true, &fault));
    cleaner_free(&cleaner);
}

/* ------------------------------------------------------------------- needs */

/* The ways as text: "营业厅 0-12 没人/关门; 停业", with ? when PCRE2 decides.
 */
static const char *
ways_of(const char *pattern)
{
    static char text[4096];
    struct needs needs;
    size_t at = 0;

    assert_true(needs_find(span_of(pattern), &needs));
    text[0] = '\0';
    if (needs.unknown) {
        needs_release(&needs);
        return "anywhere";
    }
    for (size_t w = 0; w < needs.way_count; w++) {
        const struct needs_way *way = &needs.ways[w];

        at += (size_t)sprintf(text + at, "%s", w > 0 ? "; " : "");
        for (size_t i = 0; i < way->segment_count; i++) {
            if (way->gaps[i].max > 0) {
                at += (size_t)sprintf(text + at, " %u-%u ", way->gaps[i].min,
                                      way->gaps[i].max);
            }
            for (size_t k = 0; k < way->segments[i].count; k++) {
                const struct needs_literal *one = &way->segments[i].literals[k];

                at += (size_t)sprintf(text + at, "%s", k > 0 ? "/" : "");
                for (size_t c = 0; c < one->count; c++) {
                    at += utf8_put(one->c[c], text + at);
                }
                text[at] = '\0';
            }
        }
        at += (size_t)sprintf(text + at, "%s", way->unsure ? "?" : "");
    }
    needs_release(&needs);
    return text;
}

static void
plain_words_are_written_out(void **state)
{
    (void)state;
    assert_string_equal(ways_of("停电|断电"), "停电/断电");
    assert_string_equal(ways_of("(停|断)了?电"), "停电/断电/停了电/断了电");
    assert_string_equal(ways_of("[停断]{2}"), "停停/停断/断停/断断");
}

static void
a_gap_parts_what_must_stand_on_both_sides(void **state)
{
    (void)state;
    assert_string_equal(ways_of("营业厅.{0,12}(没人|关门)"),
                        "营业厅 0-12 关门/没人");
    assert_string_equal(ways_of("停[^。]{2,5}电|停业"), "停 2-5 电; 停业");
}

static void
what_may_be_missing_is_not_needed_but_doubted(void **state)
{
    (void)state;
    assert_string_equal(ways_of("停电(通知.{0,3})?"), "停电?");
    assert_string_equal(ways_of("(?<!没有)停电(?!通知)"), "停电?");
    assert_string_equal(ways_of("^停电$"), "停电?");
    assert_string_equal(ways_of("[0-9]{2,}x停电"),
                        "0/1/2/3/4/5/6/7/8/9 0-65535 x停电?");
}

static void
a_pattern_of_gaps_matches_anywhere(void **state)
{
    (void)state;
    assert_string_equal(ways_of(".{3}"), "anywhere");
    assert_string_equal(ways_of("停电|.{3}"), "anywhere");
    assert_string_equal(ways_of("(停电)?"), "anywhere");
}

static void
too_many_ways_become_one_that_is_doubted(void **state)
{
    const char *ways =
        ways_of("(甲.子|乙.丑|丙.寅|丁.卯|戊.辰|己.巳|庚.午|辛.未|壬.申){1}"
                "x(甲.子|乙.丑|丙.寅|丁.卯|戊.辰|己.巳|庚.午|辛.未|壬.申)");

    (void)state;
    assert_int_equal(ways[strlen(ways) - 1], '?');
    assert_non_null(strstr(ways, "x"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_gaps_classes_groups_and_looks_are_allowed),
        cmocka_unit_test(what_can_run_away_is_refused_at_its_place),
        cmocka_unit_test(what_is_not_closed_is_refused),
        cmocka_unit_test(
            a_pattern_that_needs_no_word_is_refused_but_may_narrow),
        cmocka_unit_test(characters_that_cleaned_texts_never_hold_are_refused),
        cmocka_unit_test(plain_words_are_written_out),
        cmocka_unit_test(a_gap_parts_what_must_stand_on_both_sides),
        cmocka_unit_test(what_may_be_missing_is_not_needed_but_doubted),
        cmocka_unit_test(a_pattern_of_gaps_matches_anywhere),
        cmocka_unit_test(too_many_ways_become_one_that_is_doubted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
