/* The state of a ticket: folding events in any order, and its bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "server/ledger/state.h"

static struct record
version(void)
{
    return (struct record){.kind = RECORD_TICKET,
                           .number = 10,
                           .ticket = {.id = SPAN_LITERAL("A"),
                                      .accepted_at_us = 1000,
                                      .type = TICKET_TYPE_COMPLAINT},
                           .verdict = {.category = TICKET_CATEGORY_SERVICE,
                                       .subcategory_id = 5,
                                       .topic_id = 6,
                                       .matter_id = 5,
                                       .region = TICKET_REGION_URBAN}};
}

static struct ticket_state
fresh(void)
{
    struct record record = version();
    struct ticket_state state;

    state_begin(&state, &record, 10);
    return state;
}

static void
a_new_state_knows_its_version_and_nothing_else(void **state)
{
    struct ticket_state s = fresh();

    (void)state;
    assert_int_equal(s.number, 10);
    assert_int_equal(s.category, TICKET_CATEGORY_SERVICE);
    assert_int_equal(s.judged_subcategory_id, 5);
    assert_int_equal(s.calls, 1);
    assert_false(s.reviewed);
    for (int i = 0; i < EVENT_KIND_COUNT; i++) {
        assert_true(s.event_at_us[i] == STATE_NEVER);
    }
}

/* First of most kinds, last of revisits, verifications, corrections. */
static void
events_in_any_order_give_the_same_life(void **state)
{
    const struct ticket_event events[] = {
        {.kind = EVENT_KIND_REPLIED, .at_us = 20},
        {.kind = EVENT_KIND_REPLIED, .at_us = 10},
        {.kind = EVENT_KIND_URGED, .at_us = 30},
        {.kind = EVENT_KIND_REVISITED,
         .at_us = 40,
         .satisfaction = EVENT_SATISFACTION_DISSATISFIED},
        {.kind = EVENT_KIND_REVISITED,
         .at_us = 50,
         .satisfaction = EVENT_SATISFACTION_SATISFIED},
        {.kind = EVENT_KIND_VERIFIED,
         .at_us = 5,
         .substantiated = EVENT_SUBSTANTIATED_NO},
        {.kind = EVENT_KIND_VERIFIED,
         .at_us = 6,
         .substantiated = EVENT_SUBSTANTIATED_YES}};
    enum { COUNT = sizeof(events) / sizeof(events[0]) };
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 500; round++) {
        struct ticket_state s = fresh();
        bool applied[COUNT] = {false};

        for (int left = COUNT; left > 0; left--) {
            size_t at;

            seed = seed * 1664525 + 1013904223;
            at = seed >> 16;
            while (applied[at % COUNT]) {
                at++;
            }
            applied[at % COUNT] = true;
            state_apply_event(&s, &events[at % COUNT], 0);
        }
        assert_int_equal(s.event_at_us[EVENT_KIND_REPLIED], 10);
        assert_int_equal(s.event_at_us[EVENT_KIND_REVISITED], 50);
        assert_int_equal(s.satisfaction, EVENT_SATISFACTION_SATISFIED);
        assert_int_equal(s.substantiated, EVENT_SUBSTANTIATED_YES);
        assert_int_equal(s.urged_count, 1);
        assert_int_equal(s.event_count, COUNT);
    }
}

static void
a_correction_changes_what_it_names_and_keeps_what_was_judged(void **state)
{
    struct ticket_state s = fresh();
    struct ticket_event event = {.kind = EVENT_KIND_CORRECTED,
                                 .at_us = 10,
                                 .region = TICKET_REGION_RURAL};

    (void)state;
    state_apply_event(&s, &event, 0);
    assert_true(s.reviewed);
    assert_true(s.reviewed_region);
    assert_false(s.reviewed_subcategory);
    assert_int_equal(s.region, TICKET_REGION_RURAL);
    assert_int_equal(s.judged_region, TICKET_REGION_URBAN);
    assert_int_equal(s.topic_id, 6);

    event = (struct ticket_event){.kind = EVENT_KIND_CORRECTED,
                                  .at_us = 20,
                                  .category = TICKET_CATEGORY_GRID,
                                  .category_given = true};
    state_apply_event(&s, &event, 0);
    assert_int_equal(s.category, TICKET_CATEGORY_GRID);
    assert_int_equal(s.subcategory_id, 0);
    assert_int_equal(s.topic_id, 0);
    assert_int_equal(s.judged_subcategory_id, 5);

    event.at_us = 30;
    state_apply_event(&s, &event, 9);
    assert_int_equal(s.subcategory_id, 9);
    assert_int_equal(s.matter_id, 9);
    assert_true(s.reviewed_subcategory);

    event.at_us = 15; /* older: the ledger folds it, this does not */
    event.category = TICKET_CATEGORY_OUTAGE;
    state_apply_event(&s, &event, 0);
    assert_int_equal(s.category, TICKET_CATEGORY_GRID);
}

static struct ticket_state
full_state(void)
{
    struct ticket_state s = fresh();

    s.record_seq = 99;
    s.last_event_seq = 3; /* an event that came before its ticket */
    s.version_count = 3;
    s.event_count = STATE_EVENT_HASHES_MAX + 5;
    s.judged_by = 77;
    s.unit_id = 1000;
    s.link_count = STATE_LINKS_MAX;
    for (uint32_t i = 0; i < STATE_LINKS_MAX; i++) {
        s.links[i] = (struct state_link){UINT64_MAX - i, i};
    }
    s.key_hash[0] = s.links[3].key_hash;
    s.key_hash[2] = s.links[11].key_hash;
    s.related_number = UINT32_MAX;
    s.event_at_us[EVENT_KIND_CLOSED] = -5;
    s.urged_count = 2;
    for (uint32_t i = 0; i < STATE_EVENT_HASHES_MAX; i++) {
        s.event_hashes[i] = i * 7919;
    }
    s.repeat_previous = 4;
    s.repeat_key = REPEAT_KEY_RELATED;
    s.calls = 9;
    s.burst_calls = 4;
    s.repeat_settled = s.repeat_call = s.burst = true;
    s.clock_count = DEADLINE_KINDS_MAX;
    for (uint32_t i = 0; i < DEADLINE_KINDS_MAX; i++) {
        s.clocks[i] = (struct state_clock){
            .kind_id = i + 1,
            .role = CLOCK_ROLE_REPLY,
            .provisional = i % 2 != 0,
            .overdue = i % 3 == 0,
            .due_us = i % 4 == 0 ? STATE_NEVER : (int64_t)i * 1000000,
            .due_soon_us = i % 4 == 0 ? STATE_NEVER : (int64_t)i * 1000,
            .stopped_us = i % 5 == 0 ? STATE_NEVER : -(int64_t)i};
    }
    return s;
}

static size_t
encode(const struct ticket_state *s, uint8_t *room)
{
    struct byte_writer w = byte_writer_on(room, STATE_BYTES_MAX);

    state_encode(s, &w);
    assert_false(w.failed);
    return byte_writer_used(&w);
}

static void
the_largest_state_fits_and_comes_back_as_it_was(void **state)
{
    uint8_t room[STATE_BYTES_MAX];
    uint8_t again[STATE_BYTES_MAX];
    struct ticket_state s = full_state();
    struct ticket_state back;
    size_t bytes = encode(&s, room);

    (void)state;
    assert_true(state_decode(10, (struct span){(char *)room, bytes}, &back));
    assert_int_equal(encode(&back, again), bytes);
    assert_memory_equal(room, again, bytes);
    assert_int_equal(back.last_event_seq, 3);
    assert_int_equal(back.key_hash[1], 0);
    assert_true(back.key_hash[2] == s.links[11].key_hash);
    assert_memory_equal(back.event_at_us, s.event_at_us, sizeof(s.event_at_us));
    for (uint32_t i = 0; i < DEADLINE_KINDS_MAX; i++) {
        assert_true(back.clocks[i].due_us == s.clocks[i].due_us);
        assert_true(back.clocks[i].stopped_us == s.clocks[i].stopped_us);
        assert_int_equal(back.clocks[i].overdue, s.clocks[i].overdue);
    }
    assert_true(back.repeat_call && back.burst && !back.third_call);
    assert_int_equal(back.judged_by, 77);
}

static void
no_part_of_a_state_is_taken_for_one(void **state)
{
    uint8_t room[STATE_BYTES_MAX];
    struct ticket_state s = full_state();
    struct ticket_state back;
    size_t bytes = encode(&s, room);

    (void)state;
    for (size_t cut = 0; cut < bytes; cut++) {
        char *copy = malloc(cut + 1);

        assert_non_null(copy);
        memcpy(copy, room, cut);
        assert_false(state_decode(10, (struct span){copy, cut}, &back));
        free(copy);
    }
    room[0]++; /* a version of the future */
    assert_false(state_decode(10, (struct span){(char *)room, bytes}, &back));
}

static void
a_state_of_random_bytes_does_no_harm(void **state)
{
    uint8_t room[STATE_BYTES_MAX];
    struct ticket_state s = full_state();
    size_t bytes = encode(&s, room);
    uint32_t seed = 7;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct ticket_state back;
        uint8_t was;
        size_t at;

        seed = seed * 1664525 + 1013904223;
        at = (seed >> 8) % bytes;
        was = room[at];
        room[at] = (uint8_t)(seed >> 3);
        (void)state_decode(10, (struct span){(char *)room, bytes}, &back);
        if (round % 7 != 0) {
            room[at] = was;
        }
    }
}

static void
praise_and_test_tickets_repeat_nothing(void **state)
{
    struct ticket_state s = fresh();

    (void)state;
    assert_false(state_repeat_excluded(&s));
    s.type = TICKET_TYPE_PRAISE;
    assert_true(state_repeat_excluded(&s));
    s.type = TICKET_TYPE_FAULT;
    s.verdict_flags = VERDICT_TEST_TICKET;
    assert_true(state_repeat_excluded(&s));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_state_knows_its_version_and_nothing_else),
        cmocka_unit_test(events_in_any_order_give_the_same_life),
        cmocka_unit_test(
            a_correction_changes_what_it_names_and_keeps_what_was_judged),
        cmocka_unit_test(the_largest_state_fits_and_comes_back_as_it_was),
        cmocka_unit_test(no_part_of_a_state_is_taken_for_one),
        cmocka_unit_test(a_state_of_random_bytes_does_no_harm),
        cmocka_unit_test(praise_and_test_tickets_repeat_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
