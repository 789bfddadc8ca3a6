/* The clocks of the sample quarter, against the counts its README publishes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzers/deadline.h"
#include "tests/lib/sample.h"

static struct sample *sample;
static struct calendar *calendar;
static struct deadline_table *csg;

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
        deadline_build(files, 2, "csg", &csg, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    free((char *)(uintptr_t)files[0].bytes.data);
    free((char *)(uintptr_t)files[1].bytes.data);
    sample = sample_load();
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    calendar_free(&calendar);
    deadline_free(&csg);
    sample_free(sample);
    return 0;
}

struct tally {
    size_t running;      /* not stopped at the end of the quarter */
    size_t late;         /* stopped after it was due */
    size_t running_late; /* not stopped and overdue */
    size_t last_day;     /* stopped on the day it was due */
};

static void
count(enum ticket_type type, const char *kind, struct tally *tally)
{
    int64_t as_of_us =
        sample_time(SPAN_LITERAL("2018-03-31 23:59:59")) + US_PER_SECOND - 1;

    for (size_t i = 0; i < sample->count; i++) {
        const struct sample_ticket *ticket = &sample->tickets[i];
        struct deadline_clock clocks[DEADLINE_KINDS_MAX];
        struct deadline_input input = {0};
        size_t clock_count;

        if (ticket->type != type) {
            continue;
        }
        input.type = ticket->type;
        input.category = ticket->category;
        input.region = ticket->region;
        input.accepted_at_us = ticket->accepted_at_us;
        memcpy(input.event_at_us, ticket->event_at_us,
               sizeof(input.event_at_us));
        clock_count = deadline_clocks(csg, calendar, &input, clocks);
        for (size_t c = 0; c < clock_count; c++) {
            struct tally *cell = &tally[ticket->region];
            const struct deadline_clock *clock = &clocks[c];

            if (!span_is(deadline_kind_code(csg, clock->kind), kind)) {
                continue;
            }
            assert_false(clock->provisional);
            if (clock->stopped_us > as_of_us) {
                cell->running++;
                cell->running_late += clock->due_us < as_of_us ? 1 : 0;
            } else {
                cell->late += clock->due_us < clock->stopped_us ? 1 : 0;
                cell->last_day += shanghai_day(clock->due_us) ==
                                          shanghai_day(clock->stopped_us)
                                      ? 1
                                      : 0;
            }
        }
    }
}

static struct tally
count_all(enum ticket_type type, const char *kind)
{
    struct tally tally[TICKET_REGION_COUNT] = {{0}};
    struct tally sum = {0};

    count(type, kind, tally);
    for (size_t i = 0; i < TICKET_REGION_COUNT; i++) {
        sum.running += tally[i].running;
        sum.late += tally[i].late;
        sum.running_late += tally[i].running_late;
        sum.last_day += tally[i].last_day;
    }
    return sum;
}

static void
late_contacts_and_replies_are_those_of_the_sample(void **state)
{
    struct tally contact = count_all(TICKET_TYPE_COMPLAINT, "contact");
    struct tally reply = count_all(TICKET_TYPE_COMPLAINT, "reply");
    struct tally transfer = count_all(TICKET_TYPE_COMPLAINT, "transfer");

    (void)state;
    assert_int_equal(contact.late, 30);
    assert_int_equal(contact.running_late, 0);
    assert_int_equal(reply.late, 35);
    assert_int_equal(reply.last_day, 6);
    assert_int_equal(reply.running, 13);
    assert_int_equal(reply.running_late, 3);
    assert_int_equal(transfer.late + transfer.running_late, 0);
}

static void
late_arrivals_and_restorations_are_those_of_the_sample(void **state)
{
    struct tally arrive[TICKET_REGION_COUNT] = {{0}};
    struct tally restore[TICKET_REGION_COUNT] = {{0}};

    (void)state;
    count(TICKET_TYPE_FAULT, "arrive", arrive);
    count(TICKET_TYPE_FAULT, "restore", restore);
    assert_int_equal(arrive[TICKET_REGION_URBAN].late, 2);
    assert_int_equal(arrive[TICKET_REGION_RURAL].late, 2);
    assert_int_equal(arrive[TICKET_REGION_REMOTE].late, 1);
    assert_int_equal(restore[TICKET_REGION_URBAN].late, 2);
    assert_int_equal(restore[TICKET_REGION_RURAL].late, 2);
    assert_int_equal(restore[TICKET_REGION_REMOTE].late, 0);
    for (size_t i = 0; i < TICKET_REGION_COUNT; i++) {
        assert_int_equal(arrive[i].running + restore[i].running, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_contacts_and_replies_are_those_of_the_sample),
        cmocka_unit_test(
            late_arrivals_and_restorations_are_those_of_the_sample),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
