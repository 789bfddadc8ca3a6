/* Clocks: which row fits, when it is due, and what a pause gives back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzers/deadline.h"
#include "tests/lib/read_file.h"

#define HEADER                                                                 \
    "profile,kind,name_zh,name_en,type,category,region,channel,from,to,"       \
    "limit,unit,pausable,measured,source,note\n"

static struct calendar *calendar;
static struct deadline_table *csg;
static struct deadline_table *sgcc;

static int
load(void **state)
{
    struct err err = {0};
    struct dictionary_file files[2] = {{.path = "calendar.csv"},
                                       {.path = "deadlines.csv"}};

    (void)state;
    files[0].bytes = read_source_file("dict/calendar.csv");
    files[1].bytes = read_source_file("dict/deadlines.csv");
    if (calendar_build(files, 2, &calendar, &err) != ERR_OK ||
        deadline_build(files, 2, NULL, &csg, &err) != ERR_OK ||
        deadline_build(files, 2, "sgcc", &sgcc, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    free((char *)(uintptr_t)files[0].bytes.data);
    free((char *)(uintptr_t)files[1].bytes.data);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    calendar_free(&calendar);
    deadline_free(&csg);
    deadline_free(&sgcc);
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

static struct deadline_input
ticket(enum ticket_type type, enum ticket_region region, const char *accepted)
{
    struct deadline_input input = {0};

    input.type = type;
    input.channel = TICKET_CHANNEL_95598;
    input.region = region;
    input.accepted_at_us = at(accepted);
    for (size_t i = 0; i < EVENT_KIND_COUNT; i++) {
        input.event_at_us[i] = DEADLINE_NEVER;
    }
    return input;
}

/* The clock of a kind; false when it does not run. */
static bool
clock_of(const struct deadline_table *table,
         const struct deadline_input *input,
         const char *kind,
         struct deadline_clock *out)
{
    struct deadline_clock clocks[DEADLINE_KINDS_MAX];
    size_t count = deadline_clocks(table, calendar, input, clocks);

    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            assert_true(clocks[i].kind > clocks[i - 1].kind);
        }
        if (span_is(deadline_kind_code(table, clocks[i].kind), kind)) {
            *out = clocks[i];
            return true;
        }
    }
    return false;
}

static void
due_is(const struct deadline_table *table,
       const struct deadline_input *input,
       const char *kind,
       const char *due)
{
    struct deadline_clock clock;
    char got[TICKET_TIME_BYTES];
    int64_t want = due != NULL ? at(due) : DEADLINE_NEVER;

    if (!clock_of(table, input, kind, &clock)) {
        fail_msg("there is no clock '%s'", kind);
    }
    /* the end of a day is its last microsecond */
    if (due != NULL && strstr(due, "23:59:59") != NULL) {
        want += US_PER_SECOND - 1;
    }
    if (clock.due_us != want) {
        fail_msg("%s is due %s, not %s", kind,
                 clock.due_us == DEADLINE_NEVER
                     ? "never"
                     : ticket_time_format(clock.due_us, got),
                 due != NULL ? due : "never");
    }
}

static void
soon_is(const struct deadline_table *table,
        const struct deadline_input *input,
        const char *kind,
        const char *soon)
{
    struct deadline_clock clock;
    char got[TICKET_TIME_BYTES];

    assert_true(clock_of(table, input, kind, &clock));
    if (clock.due_soon_us != at(soon)) {
        fail_msg("%s is due soon at %s, not %s", kind,
                 ticket_time_format(clock.due_soon_us, got), soon);
    }
}

static void
arrival_and_restoration_depend_on_the_region(void **state)
{
    static const struct {
        enum ticket_region region;
        const char *arrive;
        const char *csg_restore;
        const char *sgcc_restore;
    } want[] = {
        {TICKET_REGION_URBAN, "2018-03-03 10:45", "2018-03-03 14:30",
         "2018-03-03 13:30"},
        {TICKET_REGION_RURAL, "2018-03-03 11:30", "2018-03-03 15:30",
         "2018-03-03 14:30"},
        {TICKET_REGION_REMOTE, "2018-03-03 12:00", "2018-03-03 15:30",
         "2018-03-03 14:30"},
        {TICKET_REGION_UNKNOWN, "2018-03-03 11:30", "2018-03-03 15:30",
         "2018-03-03 14:30"},
    };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct deadline_input input =
            ticket(TICKET_TYPE_FAULT, want[i].region, "2018-03-03 10:00:00");
        struct deadline_clock clock;

        due_is(csg, &input, "arrive", want[i].arrive);
        due_is(sgcc, &input, "arrive", want[i].arrive);
        assert_false(clock_of(csg, &input, "restore", &clock));
        input.event_at_us[EVENT_KIND_ARRIVED] = at("2018-03-03 10:30:00");
        due_is(csg, &input, "restore", want[i].csg_restore);
        due_is(sgcc, &input, "restore", want[i].sgcc_restore);
        assert_true(clock_of(csg, &input, "arrive", &clock));
        assert_true(clock.stopped_us == at("2018-03-03 10:30:00"));
        assert_false(clock_of(csg, &input, "contact", &clock));
        assert_false(clock_of(csg, &input, "reply", &clock));
    }
}

static void
a_complaint_has_a_contact_a_reply_and_a_transfer_clock(void **state)
{
    struct deadline_input input = ticket(
        TICKET_TYPE_COMPLAINT, TICKET_REGION_RURAL, "2018-03-09 10:00:00");
    struct deadline_clock clocks[DEADLINE_KINDS_MAX];

    (void)state;
    assert_int_equal(deadline_clocks(csg, calendar, &input, clocks), 3);
    due_is(csg, &input, "transfer", "2018-03-09 23:59:59");
    due_is(csg, &input, "contact", "2018-03-10 10:00:00");
    due_is(csg, &input, "reply", "2018-03-16 23:59:59");
    due_is(sgcc, &input, "reply", "2018-03-15 23:59:59");
    assert_int_equal(clocks[0].stopped_us, DEADLINE_NEVER);
}

static void
the_first_row_that_fits_counts(void **state)
{
    struct deadline_input input = ticket(
        TICKET_TYPE_COMPLAINT, TICKET_REGION_RURAL, "2018-03-09 10:00:00");
    struct deadline_clock clock;

    (void)state;
    input.channel = TICKET_CHANNEL_12398;
    due_is(sgcc, &input, "reply", "2018-03-23 23:59:59");
    input.channel = TICKET_CHANNEL_12345;
    due_is(sgcc, &input, "reply", "2018-03-16 23:59:59");
    assert_true(clock_of(sgcc, &input, "reply", &clock));
    assert_true(span_is(deadline_rule(sgcc, clock.rule)->unit, "days"));
    assert_true(span_is(deadline_rule(sgcc, clock.rule)->limit, "7"));
    assert_true(deadline_rule(sgcc, clock.rule)->source.bytes > 0);
    due_is(csg, &input, "reply", "2018-03-16 23:59:59");
    input =
        ticket(TICKET_TYPE_REPORT, TICKET_REGION_RURAL, "2018-03-09 10:00:00");
    due_is(sgcc, &input, "reply", "2018-03-22 23:59:59");
    input.type = TICKET_TYPE_SUGGESTION;
    due_is(sgcc, &input, "reply", "2018-03-22 23:59:59");
    input.type = TICKET_TYPE_INQUIRY;
    due_is(sgcc, &input, "reply", "2018-03-16 23:59:59");
    input.type = TICKET_TYPE_PRAISE;
    assert_false(clock_of(sgcc, &input, "reply", &clock));
}

static void
a_ticket_without_a_type_is_timed_when_it_has_a_category(void **state)
{
    struct deadline_input input =
        ticket(TICKET_TYPE_UNKNOWN, TICKET_REGION_RURAL, "2018-03-09 10:00:00");
    struct deadline_clock clocks[DEADLINE_KINDS_MAX];

    (void)state;
    assert_int_equal(deadline_clocks(csg, calendar, &input, clocks), 0);
    input.category = TICKET_CATEGORY_GRID;
    assert_int_equal(deadline_clocks(csg, calendar, &input, clocks), 3);
}

static void
the_earliest_of_the_stopping_events_stops_the_clock(void **state)
{
    struct deadline_input input = ticket(
        TICKET_TYPE_COMPLAINT, TICKET_REGION_RURAL, "2018-03-09 10:00:00");
    struct deadline_clock clock;

    (void)state;
    input.event_at_us[EVENT_KIND_CLOSED] = at("2018-03-13 10:00:00");
    assert_true(clock_of(csg, &input, "reply", &clock));
    assert_true(clock.stopped_us == at("2018-03-13 10:00:00"));
    input.event_at_us[EVENT_KIND_REPLIED] = at("2018-03-12 10:00:00");
    assert_true(clock_of(csg, &input, "reply", &clock));
    assert_true(clock.stopped_us == at("2018-03-12 10:00:00"));
    assert_true(clock_of(csg, &input, "contact", &clock));
    assert_true(clock.stopped_us == at("2018-03-12 10:00:00"));
}

static void
due_soon_is_three_quarters_of_the_limit(void **state)
{
    struct deadline_input input = ticket(
        TICKET_TYPE_COMPLAINT, TICKET_REGION_URBAN, "2018-03-09 10:00:00");

    (void)state;
    soon_is(csg, &input, "contact", "2018-03-10 04:00:00");
    /* 3.75 working days: 12, 13, 14 March and three quarters of the 15th */
    soon_is(csg, &input, "reply", "2018-03-15 18:00:00");
    /* 3 of 4 working days: the fourth begins */
    soon_is(sgcc, &input, "reply", "2018-03-15 00:00:00");
    input = ticket(TICKET_TYPE_COMPLAINT, TICKET_REGION_URBAN,
                   "2018-03-07 10:00:00");
    /* 8, 9, 12 March; the weekend uses nothing */
    soon_is(sgcc, &input, "reply", "2018-03-13 00:00:00");
    input =
        ticket(TICKET_TYPE_FAULT, TICKET_REGION_RURAL, "2018-03-09 10:00:00");
    input.event_at_us[EVENT_KIND_ARRIVED] = at("2018-03-09 11:00:00");
    soon_is(csg, &input, "arrive", "2018-03-09 11:07:30");
    soon_is(csg, &input, "restore", "2018-03-09 14:45:00");
}

static void
a_pause_moves_a_wall_clock_by_its_length(void **state)
{
    struct deadline_input input =
        ticket(TICKET_TYPE_FAULT, TICKET_REGION_RURAL, "2018-03-09 10:00:00");
    int64_t pauses[] = {
        at("2018-03-09 10:30"), at("2018-03-09 11:30"), /* half before from */
        at("2018-03-09 12:00"), at("2018-03-09 12:00"), /* nothing */
        at("2018-03-09 16:00"), at("2018-03-09 18:00")};

    (void)state;
    input.event_at_us[EVENT_KIND_ARRIVED] = at("2018-03-09 11:00:00");
    due_is(csg, &input, "restore", "2018-03-09 16:00:00");
    input.pauses_us = pauses;
    input.pause_count = 2;
    due_is(csg, &input, "restore", "2018-03-09 16:30:00");
    /* the third begins inside the time the first gave back */
    input.pause_count = 3;
    due_is(csg, &input, "restore", "2018-03-09 18:30:00");
    soon_is(csg, &input, "restore", "2018-03-09 15:15:00");
    /* arrival cannot be paused */
    due_is(csg, &input, "arrive", "2018-03-09 11:30:00");
}

static void
a_pause_gives_back_the_working_days_it_took(void **state)
{
    struct deadline_input input = ticket(
        TICKET_TYPE_COMPLAINT, TICKET_REGION_RURAL, "2018-03-05 10:00:00");
    int64_t pauses[4] = {at("2018-03-06 16:00"), at("2018-03-06 17:00"),
                         DEADLINE_NEVER, DEADLINE_NEVER};

    (void)state;
    due_is(csg, &input, "reply", "2018-03-12 23:59:59");
    input.pauses_us = pauses;
    input.pause_count = 1;
    due_is(csg, &input, "reply", "2018-03-12 23:59:59"); /* same day: nothing */
    pauses[1] = at("2018-03-08 09:00");
    due_is(csg, &input, "reply", "2018-03-14 23:59:59");
    soon_is(csg, &input, "reply", "2018-03-13 18:00:00");
    pauses[1] = at("2018-03-11 09:00"); /* Sunday: three working days */
    due_is(csg, &input, "reply", "2018-03-15 23:59:59");
    /* a second pause across the day the first ended on takes its own days */
    pauses[1] = at("2018-03-07 09:00");
    pauses[2] = at("2018-03-07 10:00");
    pauses[3] = at("2018-03-08 09:00");
    input.pause_count = 2;
    due_is(csg, &input, "reply", "2018-03-14 23:59:59");
}

static void
while_a_pause_is_open_nothing_is_due(void **state)
{
    struct deadline_input input = ticket(
        TICKET_TYPE_COMPLAINT, TICKET_REGION_RURAL, "2018-03-05 10:00:00");
    int64_t pauses[] = {at("2018-03-06 16:00"), DEADLINE_NEVER};
    struct deadline_clock clock;

    (void)state;
    input.pauses_us = pauses;
    input.pause_count = 1;
    due_is(csg, &input, "reply", NULL);
    assert_true(clock_of(csg, &input, "reply", &clock));
    assert_true(clock.due_soon_us == DEADLINE_NEVER);
    due_is(csg, &input, "contact", "2018-03-06 10:00:00"); /* not pausable */
    /* stopped before the pause began: the pause does not matter */
    input.event_at_us[EVENT_KIND_REPLIED] = at("2018-03-06 15:00:00");
    due_is(csg, &input, "reply", "2018-03-12 23:59:59");
}

static void
a_pause_after_the_due_instant_heals_nothing(void **state)
{
    struct deadline_input input = ticket(
        TICKET_TYPE_COMPLAINT, TICKET_REGION_RURAL, "2018-03-05 10:00:00");
    int64_t pauses[] = {at("2018-03-13 00:00"), DEADLINE_NEVER};

    (void)state;
    input.pauses_us = pauses;
    input.pause_count = 1;
    due_is(csg, &input, "reply", "2018-03-12 23:59:59");
    pauses[0] -= 1; /* the last microsecond of the limit */
    due_is(csg, &input, "reply", NULL);
}

static void
past_the_calendar_a_clock_is_provisional(void **state)
{
    struct deadline_input input = ticket(
        TICKET_TYPE_COMPLAINT, TICKET_REGION_RURAL, "2026-12-29 10:00:00");
    struct deadline_clock clock;

    (void)state;
    assert_true(clock_of(csg, &input, "reply", &clock));
    assert_true(clock.provisional);
    assert_true(clock_of(csg, &input, "contact", &clock));
    assert_false(clock.provisional);
    input.accepted_at_us = at("2026-12-20 10:00:00");
    assert_true(clock_of(csg, &input, "reply", &clock));
    assert_false(clock.provisional);
}

static void
kinds_have_a_code_and_names(void **state)
{
    size_t contact = deadline_kind_find(csg, SPAN_LITERAL("contact"));

    (void)state;
    assert_true(span_is(deadline_profile(csg), "csg"));
    assert_int_equal(deadline_kind_count(csg), 5);
    assert_true(contact < 5);
    assert_true(
        span_is(deadline_kind_chinese(csg, (uint32_t)contact), "首次联系"));
    assert_true(span_is(deadline_kind_english(csg, (uint32_t)contact),
                        "first contact"));
    assert_true(deadline_kind_find(csg, SPAN_LITERAL("none")) == SIZE_MAX);
}

static void
refuse(const char *rows, const char *profile, const char *part)
{
    struct err err = {0};
    char text[2048];
    struct dictionary_file file = {.path = "deadlines.csv", .bytes = {text, 0}};
    struct deadline_table *table = NULL;

    (void)snprintf(text, sizeof(text), "%s%s", HEADER, rows);
    file.bytes.bytes = strlen(text);
    assert_int_equal(deadline_build(&file, 1, profile, &table, &err),
                     ERR_BAD_TABLE);
    assert_null(table);
    if (strstr(err.detail, part) == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, part);
    }
}

static void
a_bad_row_is_refused_with_its_line(void **state)
{
#define GOOD "a,x,名,x,,,,,accepted,closed,1,hours,no,each,s,\n"
    (void)state;
    refuse("a,x,名,x,complain,,,,accepted,closed,1,hours,no,each,s,\n", "a",
           "'complain'");
    refuse("a,x,名,x,,bad,,,accepted,closed,1,hours,no,each,s,\n", "a",
           "'bad'");
    refuse("a,x,名,x,,,here,,accepted,closed,1,hours,no,each,s,\n", "a",
           "'here'");
    refuse("a,x,名,x,,,,fax,accepted,closed,1,hours,no,each,s,\n", "a",
           "'fax'");
    refuse("a,x,名,x,,,,,begun,closed,1,hours,no,each,s,\n", "a", "'begun'");
    refuse("a,x,名,x,,,,,accepted,,1,hours,no,each,s,\n", "a", "event kind");
    refuse("a,x,名,x,,,,,accepted,closed,0,hours,no,each,s,\n", "a", "from 1");
    refuse("a,x,名,x,,,,,accepted,closed,1.5,hours,no,each,s,\n", "a", "'1.5'");
    refuse("a,x,名,x,,,,,accepted,closed,1,weeks,no,each,s,\n", "a",
           "workdays");
    refuse("a,x,名,x,,,,,accepted,closed,1,hours,maybe,each,s,\n", "a",
           "'maybe'");
    refuse("a,x,名,x,,,,,accepted,closed,1,hours,no,all,s,\n", "a", "'all'");
    refuse("a,x,名,x,,,,,accepted,closed,1,hours,no,each,,\n", "a", "source");
    refuse("a,X,名,x,,,,,accepted,closed,1,hours,no,each,s,\n", "a", "kind");
    refuse("a,x,,x,,,,,accepted,closed,1,hours,no,each,s,\n", "a", "name");
    /* rows of the other profile are checked too */
    refuse(GOOD "b,x,名,x,,,,,begun,closed,1,hours,no,each,s,\n", "a",
           "line 3");
    refuse(GOOD "a,x,别名,x,,,,,accepted,closed,1,hours,no,each,s,\n", "a",
           "another name");
    refuse(GOOD "b,x,名,x,,,,,accepted,closed,1,hours,no,each,s,\n", "c",
           "it has: a b");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrival_and_restoration_depend_on_the_region),
        cmocka_unit_test(
            a_complaint_has_a_contact_a_reply_and_a_transfer_clock),
        cmocka_unit_test(the_first_row_that_fits_counts),
        cmocka_unit_test(
            a_ticket_without_a_type_is_timed_when_it_has_a_category),
        cmocka_unit_test(the_earliest_of_the_stopping_events_stops_the_clock),
        cmocka_unit_test(due_soon_is_three_quarters_of_the_limit),
        cmocka_unit_test(a_pause_moves_a_wall_clock_by_its_length),
        cmocka_unit_test(a_pause_gives_back_the_working_days_it_took),
        cmocka_unit_test(while_a_pause_is_open_nothing_is_due),
        cmocka_unit_test(a_pause_after_the_due_instant_heals_nothing),
        cmocka_unit_test(past_the_calendar_a_clock_is_provisional),
        cmocka_unit_test(kinds_have_a_code_and_names),
        cmocka_unit_test(a_bad_row_is_refused_with_its_line),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
