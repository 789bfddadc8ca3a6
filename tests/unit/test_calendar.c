/* The national calendar: holidays, make-up days, counting across both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzers/calendar.h"
#include "tests/lib/read_file.h"

static struct calendar *shipped;
static struct span shipped_bytes;

static int
load(void **state)
{
    struct err err = {0};
    struct dictionary_file file = {.path = "calendar.csv"};

    (void)state;
    shipped_bytes = read_source_file("dict/calendar.csv");
    file.bytes = shipped_bytes;
    if (calendar_build(&file, 1, &shipped, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    calendar_free(&shipped);
    free((char *)(uintptr_t)shipped_bytes.data);
    return 0;
}

static int64_t
at(const char *text)
{
    int64_t us = 0;
    struct err err = {0};

    if (ticket_time_parse(span_of(text), &us, &err) != ERR_OK) {
        fail_msg("%s: %s", text, err.detail);
    }
    return us;
}

static int32_t
day(const char *text)
{
    char noon[64];

    (void)snprintf(noon, sizeof(noon), "%s 12:00:00", text);
    return shanghai_day(at(noon));
}

static void
due_is(const char *from, uint32_t count, const char *last_day)
{
    char end[64];
    int64_t due = calendar_add_working_days(shipped, at(from), count, NULL);
    char got[TICKET_TIME_BYTES];

    (void)snprintf(end, sizeof(end), "%s 23:59:59", last_day);
    if (due != at(end) + US_PER_SECOND - 1) {
        fail_msg("%s + %u working days: %s, not the end of %s", from, count,
                 ticket_time_format(due, got), last_day);
    }
}

static void
refuse(const char *text, enum err_code code, const char *part)
{
    struct err err = {0};
    struct dictionary_file file = {.path = "calendar.csv",
                                   .bytes = span_of(text)};
    struct calendar *calendar = NULL;

    assert_int_equal(calendar_build(&file, 1, &calendar, &err), code);
    assert_null(calendar);
    if (strstr(err.detail, part) == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, part);
    }
}

static void
listed_days_win_over_the_weekday(void **state)
{
    (void)state;
    assert_false(calendar_is_working_day(shipped, day("2018-01-01"))); /* Mon */
    assert_true(calendar_is_working_day(shipped, day("2018-02-11")));  /* Sun */
    assert_true(calendar_is_working_day(shipped, day("2018-02-24")));  /* Sat */
    assert_false(calendar_is_working_day(shipped, day("2018-02-15"))); /* Thu */
    assert_false(calendar_is_working_day(shipped, day("2018-02-21"))); /* Wed */
    assert_true(calendar_is_working_day(shipped, day("2018-02-22")));
    assert_false(calendar_is_working_day(shipped, day("2018-03-03")));
    assert_true(calendar_is_working_day(shipped, day("2018-03-05")));
    /* the two days on which published calendars differ are make-up days */
    assert_true(calendar_is_working_day(shipped, day("2013-04-07")));
    assert_true(calendar_is_working_day(shipped, day("2013-10-12")));
    assert_true(span_is(calendar_day_name(shipped, day("2018-02-16")), "春节"));
    assert_int_equal(calendar_day_name(shipped, day("2018-03-05")).bytes, 0);
}

static void
the_working_days_of_the_years_are_those_the_notices_give(void **state)
{
    (void)state;
    /* 261 weekdays less the 11 statutory holidays */
    assert_int_equal(calendar_count_working_days(shipped, day("2017-12-31"),
                                                 day("2018-12-31")),
                     250);
    assert_int_equal(calendar_count_working_days(shipped, day("2018-03-05"),
                                                 day("2018-03-05")),
                     0);
    assert_int_equal(calendar_count_working_days(shipped, day("2018-03-04"),
                                                 day("2018-03-05")),
                     1);
    assert_int_equal(calendar_count_working_days(shipped, day("2018-03-09"),
                                                 day("2018-03-05")),
                     0);
}

static void
the_day_of_acceptance_does_not_count_and_the_last_day_counts_whole(void **state)
{
    (void)state;
    due_is("2018-03-05 00:00:00", 5, "2018-03-12"); /* Monday */
    due_is("2018-03-05 23:59:59", 5, "2018-03-12");
    due_is("2018-03-09 10:00:00", 1, "2018-03-12"); /* Friday */
}

static void
a_ticket_of_a_rest_day_starts_on_the_next_working_day(void **state)
{
    (void)state;
    due_is("2018-03-10 10:00:00", 1, "2018-03-12"); /* Saturday */
    due_is("2018-01-01 10:00:00", 5, "2018-01-08"); /* New Year */
    due_is("2018-03-10 10:00:00", 0, "2018-03-12");
    due_is("2018-03-09 10:00:00", 0, "2018-03-09");
}

static void
spring_festival_and_its_make_up_days_are_counted(void **state)
{
    (void)state;
    /* 12, 13, 14 February, then 22, 23: the 24th is a working Saturday */
    due_is("2018-02-11 09:00:00", 5, "2018-02-23");
    due_is("2018-02-14 09:00:00", 3, "2018-02-24");
    due_is("2018-02-14 09:00:00", 4, "2018-02-26");
    due_is("2018-02-09 09:00:00", 1, "2018-02-11"); /* working Sunday */
}

static void
beyond_the_table_monday_to_friday_is_provisional(void **state)
{
    bool provisional = false;

    (void)state;
    assert_int_equal(calendar_first_day(shipped), day("2007-01-01"));
    assert_int_equal(calendar_last_day(shipped), day("2026-12-31"));
    (void)calendar_add_working_days(shipped, at("2026-12-30 08:00:00"), 2,
                                    &provisional);
    assert_true(provisional);
    (void)calendar_add_working_days(shipped, at("2026-12-30 08:00:00"), 1,
                                    &provisional);
    assert_false(provisional);
    assert_true(calendar_is_working_day(shipped, day("2027-10-01")));
    assert_false(calendar_is_working_day(shipped, day("2027-10-02")));
    (void)calendar_add_working_days(shipped, at("2006-12-29 08:00:00"), 1,
                                    &provisional);
    assert_true(provisional);
}

static void
new_year_rows_of_a_neighbouring_year_do_not_cover_a_year(void **state)
{
    struct err err = {0};
    struct dictionary_file file = {
        .path = "calendar.csv",
        .bytes = SPAN_LITERAL("date,kind,name\n2017-12-30,off,元旦\n"
                              "2018-05-01,off,劳动节\n2019-01-01,off,元旦\n")};
    struct calendar *calendar = NULL;

    (void)state;
    assert_int_equal(calendar_build(&file, 1, &calendar, &err), ERR_OK);
    assert_int_equal(calendar_first_day(calendar), day("2018-01-01"));
    assert_int_equal(calendar_last_day(calendar), day("2018-12-31"));
    assert_false(calendar_is_working_day(calendar, day("2019-01-01")));
    calendar_free(&calendar);
    calendar_free(&calendar);
}

static void
a_bad_row_is_refused_with_its_line(void **state)
{
    struct err err = {0};
    struct calendar *calendar = NULL;

    (void)state;
    refuse("date,kind,name\n2018-02-29,off,x\n", ERR_BAD_TABLE, "line 2");
    refuse("date,kind,name\n2018-2-9,off,x\n", ERR_BAD_TABLE, "2018-02-15");
    refuse("date,kind,name\n1989-02-09,off,x\n", ERR_BAD_TABLE, "1990");
    refuse("date,kind,name\n2018-05-01,rest,x\n", ERR_BAD_TABLE, "'off'");
    refuse("date,kind,name\n2018-05-01,off,x\n2018-05-01,work,x\n",
           ERR_BAD_TABLE, "already on line 2");
    refuse("date,kind,name\n2016-05-01,off,x\n2018-05-01,off,x\n",
           ERR_BAD_TABLE, "2017");
    refuse("date,kind,name\n2018-01-01,off,x\n", ERR_BAD_TABLE, "whole year");
    refuse("date,name\n", ERR_NO_COLUMN, "kind");
    assert_int_equal(calendar_build(NULL, 0, &calendar, &err), ERR_BAD_TABLE);
    assert_non_null(strstr(err.detail, "dict/calendar.csv"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listed_days_win_over_the_weekday),
        cmocka_unit_test(
            the_working_days_of_the_years_are_those_the_notices_give),
        cmocka_unit_test(
            the_day_of_acceptance_does_not_count_and_the_last_day_counts_whole),
        cmocka_unit_test(a_ticket_of_a_rest_day_starts_on_the_next_working_day),
        cmocka_unit_test(spring_festival_and_its_make_up_days_are_counted),
        cmocka_unit_test(beyond_the_table_monday_to_friday_is_provisional),
        cmocka_unit_test(
            new_year_rows_of_a_neighbouring_year_do_not_cover_a_year),
        cmocka_unit_test(a_bad_row_is_refused_with_its_line),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
