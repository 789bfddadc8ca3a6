/* The words, instants and days of the record format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzers/ticket.h"

static int64_t
parse(const char *text)
{
    struct err err = {0};
    int64_t at_us = -1;

    assert_int_equal(ticket_time_parse(span_of(text), &at_us, &err), ERR_OK);
    return at_us;
}

static void
refuse(const char *text)
{
    struct err err = {0};
    int64_t at_us = 77;

    assert_int_equal(ticket_time_parse(span_of(text), &at_us, &err),
                     ERR_BAD_TIME);
    assert_int_equal(at_us, 77);
    assert_true(err.detail[0] != '\0');
}

static void
a_time_without_offset_means_shanghai(void **state)
{
    (void)state;
    assert_int_equal(parse("2018-01-01 08:00:00"), parse("2018-01-01T00:00:00Z"));
    assert_int_equal(parse("2018/1/1 8:00"), parse("2018-01-01T08:00:00+08:00"));
    assert_int_equal(parse("2018-01-01"), parse("2017-12-31T16:00:00Z"));
    assert_int_equal(parse("2018-01-01T00:00:00.25Z") -
                         parse("2018-01-01T00:00:00Z"),
                     250000);
}

static void
impossible_times_are_refused(void **state)
{
    (void)state;
    refuse("2026-13-01 00:00:00");
    refuse("2026-02-29");
    refuse("2026-04-31");
    refuse("1899-01-01");
    refuse("2026-01-01 24:00:00");
    refuse("2026-01-01 10:60");
    refuse("2026-01-01T10:00:00+0");
    refuse("2026-01-01T10:00:00 east");
    refuse("昨天");
    refuse("");
}

static void
formatting_gives_back_what_was_parsed(void **state)
{
    char text[TICKET_TIME_BYTES];

    (void)state;
    assert_string_equal(
        ticket_time_format(parse("2024-02-29T23:59:59+08:00"), text),
        "2024-02-29T23:59:59+08:00");
    assert_string_equal(
        ticket_time_format(parse("2024-02-29T23:59:59.125+08:00"), text),
        "2024-02-29T23:59:59.125+08:00");
}

static void
days_and_dates_agree_over_two_centuries(void **state)
{
    int32_t day = day_from_date(1950, 1, 1);
    int32_t last = day_from_date(2150, 1, 1);

    (void)state;
    assert_int_equal(day_from_date(1970, 1, 1), 0);
    assert_int_equal(day_weekday(day_from_date(2026, 11, 21)), 5);
    for (; day < last; day++) {
        int32_t year;
        uint32_t month;
        uint32_t month_day;

        date_from_day(day, &year, &month, &month_day);
        assert_int_equal(day_from_date(year, month, month_day), day);
    }
}

static void
the_shanghai_day_begins_at_16_utc(void **state)
{
    int64_t midnight = parse("2018-03-31T16:00:00Z");

    (void)state;
    assert_int_equal(shanghai_day(midnight), day_from_date(2018, 4, 1));
    assert_int_equal(shanghai_day(midnight - 1), day_from_date(2018, 3, 31));
    assert_int_equal(shanghai_day_start_us(day_from_date(2018, 4, 1)),
                     midnight);
}

static void
wire_and_chinese_words_are_both_read(void **state)
{
    enum ticket_type type = TICKET_TYPE_UNKNOWN;
    enum event_kind kind;

    (void)state;
    assert_true(ticket_type_from(SPAN_LITERAL("投诉"), &type));
    assert_int_equal(type, TICKET_TYPE_COMPLAINT);
    assert_true(event_kind_from(SPAN_LITERAL("final_reply"), &kind));
    assert_int_equal(kind, EVENT_KIND_FINAL_REPLY);
    assert_false(ticket_type_from(SPAN_LITERAL("complaints"), &type));
    assert_int_equal(type, TICKET_TYPE_COMPLAINT);
}

static void
an_id_of_64_characters_is_the_longest(void **state)
{
    struct err err = {0};
    char id[66];

    (void)state;
    memset(id, '7', sizeof(id));
    assert_int_equal(ticket_id_check((struct span){id, 64}, &err), ERR_OK);
    assert_int_equal(ticket_id_check((struct span){id, 65}, &err), ERR_BAD_ID);
    err = (struct err){0};
    assert_int_equal(ticket_id_check((struct span){id, 0}, &err),
                     ERR_MISSING_FIELD);
    err = (struct err){0};
    assert_int_equal(ticket_id_check(SPAN_LITERAL("a\nb"), &err), ERR_BAD_ID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_without_offset_means_shanghai),
        cmocka_unit_test(impossible_times_are_refused),
        cmocka_unit_test(formatting_gives_back_what_was_parsed),
        cmocka_unit_test(days_and_dates_agree_over_two_centuries),
        cmocka_unit_test(the_shanghai_day_begins_at_16_utc),
        cmocka_unit_test(wire_and_chinese_words_are_both_read),
        cmocka_unit_test(an_id_of_64_characters_is_the_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
