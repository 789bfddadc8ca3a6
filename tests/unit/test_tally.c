/* What one ticket contributes to the counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/ledger/tally.h"

static const struct tally_rules rules = {2, 3, 4};

static struct ticket_state
ticket(void)
{
    struct ticket_state s = {.number = 1,
                             .type = TICKET_TYPE_COMPLAINT,
                             .category = TICKET_CATEGORY_QUALITY,
                             .judged_category = TICKET_CATEGORY_QUALITY,
                             .region = TICKET_REGION_RURAL,
                             .judged_region = TICKET_REGION_RURAL,
                             .calls = 1,
                             .burst_calls = 1};

    for (int i = 0; i < EVENT_KIND_COUNT; i++) {
        s.event_at_us[i] = STATE_NEVER;
    }
    return s;
}

static bool
counts(const struct ticket_state *s, enum counter counter)
{
    struct tally tally;

    tally_state(s, &rules, STATE_NEVER, &tally);
    return ((tally.accepted_set | tally.due_set) >> counter & 1) != 0;
}

static void
every_counter_has_a_name_a_chinese_word_and_a_sentence(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        enum counter found;

        assert_true(
            counter_from(span_of(counter_name((enum counter)i)), &found));
        assert_int_equal(found, i);
        assert_true(counter_chinese((enum counter)i)[0] != '\0');
        assert_true(counter_text((enum counter)i)[0] != '\0');
    }
    assert_false(counter_from(SPAN_LITERAL("nothing"), &(enum counter){0}));
}

static void
a_complaint_is_of_its_type_or_of_a_category_without_a_type(void **state)
{
    struct ticket_state s = ticket();

    (void)state;
    assert_true(counts(&s, COUNTER_complaints));
    s.category = TICKET_CATEGORY_NONE;
    assert_true(counts(&s, COUNTER_complaints));
    s.type = TICKET_TYPE_UNKNOWN;
    assert_false(counts(&s, COUNTER_complaints));
    s.category = TICKET_CATEGORY_GRID;
    assert_true(counts(&s, COUNTER_complaints));
    s.type = TICKET_TYPE_FAULT;
    assert_false(counts(&s, COUNTER_complaints));
    assert_true(counts(&s, COUNTER_received));
}

static void
repeats_count_by_thresholds_and_not_when_excluded_or_settled(void **state)
{
    struct ticket_state s = ticket();
    struct tally tally;

    (void)state;
    s.calls = 2;
    assert_true(counts(&s, COUNTER_repeats));
    assert_false(counts(&s, COUNTER_third_calls));
    s.calls = 3;
    s.burst_calls = 4;
    assert_true(counts(&s, COUNTER_third_calls));
    assert_true(counts(&s, COUNTER_bursts));
    s.repeat_settled = true;
    assert_false(counts(&s, COUNTER_repeats));
    s.repeat_settled = false;
    s.verdict_flags = VERDICT_TEST_TICKET;
    assert_false(counts(&s, COUNTER_third_calls));
    assert_true(counts(&s, COUNTER_test_tickets));
    s.verdict_flags = 0;
    /* By its own marks: the thresholds of when it was judged. */
    tally_state(&s, NULL, STATE_NEVER, &tally);
    assert_int_equal(tally.accepted_set >> COUNTER_repeats & 1, 0);
    s.repeat_call = true;
    tally_state(&s, NULL, STATE_NEVER, &tally);
    assert_int_equal(tally.accepted_set >> COUNTER_repeats & 1, 1);
}

static struct ticket_state
with_clock(enum clock_role role, int64_t due_us, int64_t stopped_us)
{
    struct ticket_state s = ticket();

    s.clock_count = 1;
    s.clocks[0] = (struct state_clock){.kind_id = 7,
                                       .role = role,
                                       .due_us = due_us,
                                       .due_soon_us = due_us,
                                       .stopped_us = stopped_us};
    return s;
}

static void
a_reply_is_judged_when_it_is_given_or_overdue(void **state)
{
    struct ticket_state s = with_clock(CLOCK_ROLE_REPLY, 100, STATE_NEVER);

    (void)state;
    assert_false(counts(&s, COUNTER_reply_judged));
    s.clocks[0].stopped_us = 100; /* the very instant is in time */
    assert_true(counts(&s, COUNTER_reply_judged));
    assert_true(counts(&s, COUNTER_reply_in_time));
    s.clocks[0].stopped_us = 101; /* will be late; not yet run out */
    assert_false(counts(&s, COUNTER_reply_judged));
    s.clocks[0].overdue = true;
    assert_true(counts(&s, COUNTER_reply_judged));
    assert_false(counts(&s, COUNTER_reply_in_time));
    assert_true(counts(&s, COUNTER_overdue));
    s.type = TICKET_TYPE_FAULT;
    assert_false(counts(&s, COUNTER_reply_judged));
}

static void
a_restoration_is_judged_like_a_reply(void **state)
{
    struct ticket_state s = with_clock(CLOCK_ROLE_RESTORE, 100, 90);

    (void)state;
    assert_true(counts(&s, COUNTER_restore_judged));
    assert_true(counts(&s, COUNTER_restore_in_time));
    assert_false(counts(&s, COUNTER_reply_judged));
}

static void
clocks_can_be_judged_as_of_an_earlier_instant(void **state)
{
    struct ticket_state s = with_clock(CLOCK_ROLE_REPLY, 100, 150);
    struct tally tally;

    (void)state;
    s.clocks[0].overdue = true;
    tally_state(&s, &rules, 100, &tally);
    assert_int_equal(tally.overdue_count, 0);
    assert_int_equal(tally.due_set, 0);
    tally_state(&s, &rules, 101, &tally);
    assert_int_equal(tally.overdue_count, 1);
    assert_int_equal(tally.overdue_kind_id[0], 7);
    assert_int_equal(tally.reply_due_us, 100);
    tally_state(&s, &rules, 1000, &tally);
    assert_int_equal(tally.overdue_count, 1);
    s = with_clock(CLOCK_ROLE_REPLY, 100, 50);
    tally_state(&s, &rules, 49, &tally);
    assert_int_equal(tally.due_set, 0);
    tally_state(&s, &rules, 50, &tally);
    assert_int_equal(tally.due_set >> COUNTER_reply_in_time & 1, 1);
}

static void
an_answer_counts_as_satisfied_only_when_it_says_so(void **state)
{
    struct ticket_state s = ticket();

    (void)state;
    s.event_at_us[EVENT_KIND_REVISITED] = 5;
    s.satisfaction = EVENT_SATISFACTION_NONE;
    assert_false(counts(&s, COUNTER_revisited));
    s.satisfaction = EVENT_SATISFACTION_NEUTRAL;
    assert_true(counts(&s, COUNTER_revisited));
    assert_false(counts(&s, COUNTER_satisfied));
    s.satisfaction = EVENT_SATISFACTION_BASICALLY;
    assert_true(counts(&s, COUNTER_satisfied));
}

static void
remote_agrees_with_rural(void **state)
{
    struct ticket_state s = ticket();

    (void)state;
    s.reviewed = s.reviewed_region = true;
    s.region = TICKET_REGION_REMOTE;
    assert_true(counts(&s, COUNTER_agree_region));
    s.region = TICKET_REGION_URBAN;
    assert_false(counts(&s, COUNTER_agree_region));
    assert_true(counts(&s, COUNTER_agree_category));
    s.category = TICKET_CATEGORY_GRID;
    assert_false(counts(&s, COUNTER_agree_category));
}

static void
the_person_of_a_quality_complaint_is_customer_phone_or_ticket(void **state)
{
    struct ticket_state s = ticket();
    struct tally tally;

    (void)state;
    tally_state(&s, &rules, STATE_NEVER, &tally);
    assert_int_equal(tally.person, s.number);
    s.key_hash[REPEAT_KEY_CALLER - 1] = 22;
    tally_state(&s, &rules, STATE_NEVER, &tally);
    assert_int_equal(tally.person, 22);
    s.key_hash[REPEAT_KEY_CUSTOMER - 1] = 11;
    tally_state(&s, &rules, STATE_NEVER, &tally);
    assert_int_equal(tally.person, 11);
    s.category = TICKET_CATEGORY_GRID;
    tally_state(&s, &rules, STATE_NEVER, &tally);
    assert_int_equal(tally.person, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            every_counter_has_a_name_a_chinese_word_and_a_sentence),
        cmocka_unit_test(
            a_complaint_is_of_its_type_or_of_a_category_without_a_type),
        cmocka_unit_test(
            repeats_count_by_thresholds_and_not_when_excluded_or_settled),
        cmocka_unit_test(a_reply_is_judged_when_it_is_given_or_overdue),
        cmocka_unit_test(a_restoration_is_judged_like_a_reply),
        cmocka_unit_test(clocks_can_be_judged_as_of_an_earlier_instant),
        cmocka_unit_test(an_answer_counts_as_satisfied_only_when_it_says_so),
        cmocka_unit_test(remote_agrees_with_rural),
        cmocka_unit_test(
            the_person_of_a_quality_complaint_is_customer_phone_or_ticket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
