/* The indicators' rows and values, and the names of periods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzers/indicator.h"
#include "analyzers/ticket.h"
#include "tests/lib/read_file.h"

#define HEADER                                                                 \
    "number,code,name_zh,name_en,level,numerator,denominator,factor,unit,"     \
    "period,good,target,source,formula_zh\n"

static struct indicator_table *shipped;

static int
load(void **state)
{
    struct err err = {0};
    struct dictionary_file file = {.path = "indicators.csv"};

    (void)state;
    file.bytes = read_source_file("dict/indicators.csv");
    if (indicator_build(&file, 1, &shipped, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    free((char *)(uintptr_t)file.bytes.data);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    indicator_free(&shipped);
    indicator_free(&shipped);
    return 0;
}

static void
the_shipped_table_has_23_indicators_on_three_levels(void **state)
{
    size_t overall = 0;
    size_t first = 0;
    size_t by_source[3] = {0};

    (void)state;
    assert_int_equal(indicator_count(shipped), 23);
    for (size_t i = 0; i < 23; i++) {
        const struct indicator_row *row = indicator_row(shipped, i);

        assert_int_equal(row->number, i + 1);
        assert_true(row->formula_zh.bytes > 0);
        assert_true(row->name_en.bytes > 0);
        overall += span_is(row->level, "overall") ? 1 : 0;
        first += span_is(row->level, "first") ? 1 : 0;
        by_source[row->source]++;
    }
    assert_int_equal(overall, 2);
    assert_int_equal(first, 10);
    assert_int_equal(by_source[INDICATOR_LIVE], 4);
    assert_int_equal(by_source[INDICATOR_PROXY], 5);
    assert_int_equal(by_source[INDICATOR_FED], 14);
}

static void
an_indicator_is_found_by_code_and_by_name(void **state)
{
    const struct indicator_row *row =
        indicator_find(shipped, SPAN_LITERAL("complaints_per_million"));

    (void)state;
    assert_non_null(row);
    assert_ptr_equal(row,
                     indicator_find(shipped, SPAN_LITERAL("百万客户投诉率")));
    assert_true(span_is(row->numerator, "measure:complaints"));
    assert_true(span_is(row->denominator, "fact:customers"));
    assert_true(span_is(row->good, "down"));
    assert_null(indicator_find(shipped, SPAN_LITERAL("")));
    assert_null(indicator_find(shipped, SPAN_LITERAL("complaints")));
}

static void
a_value_is_the_quotient_times_the_factor_or_missing(void **state)
{
    const struct indicator_row *per_million =
        indicator_find(shipped, SPAN_LITERAL("complaints_per_million"));
    const struct indicator_row *percent =
        indicator_find(shipped, SPAN_LITERAL("restored_on_time"));
    double value = -1;

    (void)state;
    assert_true(indicator_value(per_million, 378, 3000000, &value));
    assert_true(value > 125.999 && value < 126.001);
    assert_true(indicator_value(percent, 41, 45, &value));
    assert_true(value > 91.111 && value < 91.112);
    value = -1;
    assert_false(indicator_value(percent, 0, 0, &value));
    assert_true(value < 0);
    assert_true(indicator_value(percent, 0, 5, &value));
    assert_true(value >= 0 && value <= 0);
}

static void
refuse(const char *rows, const char *part)
{
    struct err err = {0};
    char text[2048];
    struct dictionary_file file = {.path = "indicators.csv",
                                   .bytes = {text, 0}};
    struct indicator_table *table = NULL;

    (void)snprintf(text, sizeof(text), "%s%s", HEADER, rows);
    file.bytes.bytes = strlen(text);
    assert_int_equal(indicator_build(&file, 1, &table, &err), ERR_BAD_TABLE);
    assert_null(table);
    if (strstr(err.detail, part) == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, part);
    }
}

static void
a_bad_row_is_refused_with_its_line(void **state)
{
#define GOOD "1,a,甲,a,first,measure:x,fact:y,100,%,month,up,,live,\n"
    (void)state;
    refuse("0,a,甲,a,first,fed,fed,100,%,month,up,,fed,\n", "line 2");
    refuse("1,A,甲,a,first,fed,fed,100,%,month,up,,fed,\n", "'A'");
    refuse("1,a,,a,first,fed,fed,100,%,month,up,,fed,\n", "a name");
    refuse("1,a,甲,a,third,fed,fed,100,%,month,up,,fed,\n", "'third'");
    refuse("1,a,甲,a,first,measures:x,fed,100,%,month,up,,proxy,\n",
           "'measures:x'");
    refuse("1,a,甲,a,first,fed,fact:,100,%,month,up,,proxy,\n", "'fact:'");
    refuse("1,a,甲,a,first,fed,fed,100,%,month,up,,live,\n", "live row");
    refuse("1,a,甲,a,first,measure:x,fed,100,%,month,up,,live,\n", "live row");
    refuse("1,a,甲,a,first,fed,fed,0,%,month,up,,fed,\n", "'0'");
    refuse("1,a,甲,a,first,fed,fed,1e6,%,month,up,,fed,\n", "'1e6'");
    refuse("1,a,甲,a,first,fed,fed,.5,%,month,up,,fed,\n", "'.5'");
    refuse("1,a,甲,a,first,fed,fed,100,%,month,more,,fed,\n", "'more'");
    refuse("1,a,甲,a,first,fed,fed,100,%,month,up,,counted,\n", "'counted'");
    refuse(GOOD "1,b,乙,b,first,fed,fed,100,%,month,up,,fed,\n", "line 3");
    refuse(GOOD "2,a,乙,b,first,fed,fed,100,%,month,up,,fed,\n", "code");
    refuse(GOOD "2,b,甲,b,first,fed,fed,100,%,month,up,,fed,\n", "name");
}

static int32_t
day(int32_t year, uint32_t month, uint32_t month_day)
{
    return day_from_date(year, month, month_day);
}

static void
period_is(const char *name, enum period_kind kind, int32_t first, int32_t last)
{
    struct err err = {0};
    enum period_kind got_kind = PERIOD_HOUR;
    int32_t got_first = 0;
    int32_t got_last = 0;
    char again[PERIOD_NAME_BYTES];

    if (period_parse(span_of(name), &got_kind, &got_first, &got_last, &err) !=
        ERR_OK) {
        fail_msg("%s", err.detail);
    }
    assert_int_equal(got_kind, kind);
    if (got_first != first || got_last != last) {
        fail_msg("%s: days %d to %d, not %d to %d", name, (int)got_first,
                 (int)got_last, (int)first, (int)last);
    }
    assert_string_equal(period_name(kind, first, again), name);
    assert_string_equal(period_name(kind, last, again), name);
    assert_int_equal(period_first_day(kind, last), first);
    assert_int_equal(period_next_day(kind, first), last + 1);
}

static void
a_period_name_is_its_days_and_back(void **state)
{
    (void)state;
    period_is("2018", PERIOD_YEAR, day(2018, 1, 1), day(2018, 12, 31));
    period_is("2018-Q1", PERIOD_QUARTER, day(2018, 1, 1), day(2018, 3, 31));
    period_is("2018-Q4", PERIOD_QUARTER, day(2018, 10, 1), day(2018, 12, 31));
    period_is("2018-03", PERIOD_MONTH, day(2018, 3, 1), day(2018, 3, 31));
    period_is("2018-12", PERIOD_MONTH, day(2018, 12, 1), day(2018, 12, 31));
    period_is("2020-02", PERIOD_MONTH, day(2020, 2, 1), day(2020, 2, 29));
    period_is("2018-W05", PERIOD_WEEK, day(2018, 1, 29), day(2018, 2, 4));
    period_is("2018-03-31", PERIOD_DAY, day(2018, 3, 31), day(2018, 3, 31));
    period_is("2020-02-29", PERIOD_DAY, day(2020, 2, 29), day(2020, 2, 29));
}

static void
weeks_at_the_edge_of_a_year_belong_to_their_thursday(void **state)
{
    char name[PERIOD_NAME_BYTES];

    (void)state;
    period_is("2020-W53", PERIOD_WEEK, day(2020, 12, 28), day(2021, 1, 3));
    period_is("2021-W01", PERIOD_WEEK, day(2021, 1, 4), day(2021, 1, 10));
    period_is("2019-W01", PERIOD_WEEK, day(2018, 12, 31), day(2019, 1, 6));
    period_is("2018-W01", PERIOD_WEEK, day(2018, 1, 1), day(2018, 1, 7));
    assert_string_equal(period_name(PERIOD_WEEK, day(2021, 1, 1), name),
                        "2020-W53");
    assert_string_equal(period_name(PERIOD_WEEK, day(2018, 12, 31), name),
                        "2019-W01");
}

static void
every_day_lies_in_its_own_periods(void **state)
{
    (void)state;
    for (int32_t d = day(2000, 1, 1); d <= day(2030, 12, 31); d++) {
        for (int kind = PERIOD_DAY; kind <= PERIOD_YEAR; kind++) {
            char name[PERIOD_NAME_BYTES];
            struct err err = {0};
            enum period_kind parsed;
            int32_t first;
            int32_t last;

            (void)period_name((enum period_kind)kind, d, name);
            assert_int_equal(
                period_parse(span_of(name), &parsed, &first, &last, &err),
                ERR_OK);
            assert_int_equal(parsed, kind);
            assert_true(first <= d && d <= last);
        }
    }
}

static void
what_is_no_period_is_refused(void **state)
{
    static const char *const names[] = {
        "",         "18",         "2018-",      "2018-Q0",     "2018-Q5",
        "2018-q1",  "2018-00",    "2018-13",    "2018-3",      "2018-W00",
        "2018-W53", "2018-W5",    "2018-02-29", "2018-04-31",  "2018-04-00",
        "1989",     "2101",       "2018-03-1",  "2018-03-311", "2018 ",
        "2018-Q11", "2018-W05-1", "2018/03",    "201803",      "2018-03-"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct err err = {0};
        enum period_kind kind = PERIOD_HOUR;
        int32_t first = 7;
        int32_t last = 8;

        if (period_parse(span_of(names[i]), &kind, &first, &last, &err) !=
            ERR_BAD_VALUE) {
            fail_msg("'%s' was taken for a period", names[i]);
        }
        assert_int_equal(first, 7);
        assert_int_equal(last, 8);
        assert_string_equal(err.field, "period");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_table_has_23_indicators_on_three_levels),
        cmocka_unit_test(an_indicator_is_found_by_code_and_by_name),
        cmocka_unit_test(a_value_is_the_quotient_times_the_factor_or_missing),
        cmocka_unit_test(a_bad_row_is_refused_with_its_line),
        cmocka_unit_test(a_period_name_is_its_days_and_back),
        cmocka_unit_test(weeks_at_the_edge_of_a_year_belong_to_their_thursday),
        cmocka_unit_test(every_day_lies_in_its_own_periods),
        cmocka_unit_test(what_is_no_period_is_refused),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
