/* The ledger: records in, states, indexes, clocks and counters out. After every
 * case the store is checked as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "analyzers/taxonomy.h"
#include "tests/lib/ledger_fixture.h"

#define UNIT_CITY "宁夏电力/银川供电公司"
#define UNIT_COUNTY "宁夏电力/银川供电公司/兴庆区供电公司"

static struct ledger_fixture ledger;

static int
begin(void **state)
{
    (void)state;
    fixture_open(&ledger, FIXTURE_MAP_BYTES);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    fixture_close(&ledger);
    return 0;
}

static int64_t
at(const char *text)
{
    return fixture_time(text);
}

/* A complaint about staff in a city, of one customer. */
static struct fixture_ticket
complaint(const char *id, const char *accepted_at)
{
    return (struct fixture_ticket){.id = id,
                                   .at = accepted_at,
                                   .caller = "19900000001",
                                   .customer = "9900000001",
                                   .unit = UNIT_COUNTY,
                                   .text = "营业厅人员态度差",
                                   .type = TICKET_TYPE_COMPLAINT,
                                   .category = TICKET_CATEGORY_SERVICE,
                                   .subcategory = "服务行为",
                                   .region = TICKET_REGION_URBAN};
}

static int64_t
complaints_of(enum ticket_category category, enum ticket_region region)
{
    return fixture_count(&ledger, NULL, TALLY_CATEGORY_REGION,
                         (uint32_t)category * TICKET_REGION_COUNT +
                             (uint32_t)region,
                         COUNTER_complaints);
}

static int64_t
count(enum counter counter)
{
    return fixture_count(&ledger, NULL, TALLY_ALL, 0, counter);
}

static struct reader_counts {
    size_t running;
    size_t overdue;
} clocks_seen;

static bool
count_clock(void *data,
            uint32_t kind_id,
            int64_t due_us,
            int64_t due_soon_us,
            uint64_t number)
{
    (void)kind_id;
    (void)due_us;
    (void)due_soon_us;
    (void)number;
    (*(size_t *)data)++;
    return true;
}

static struct reader_counts
clocks(void)
{
    struct reader_counts counts = {0, 0};
    struct reader reader;
    struct err err = {0};

    assert_int_equal(reader_begin(ledger.store, &reader, &err), ERR_OK);
    assert_int_equal(
        reader_running_clocks(&reader, count_clock, &counts.running, &err),
        ERR_OK);
    assert_int_equal(
        reader_overdue_clocks(&reader, 0, count_clock, &counts.overdue, &err),
        ERR_OK);
    reader_end(&reader);
    clocks_seen = counts;
    return counts;
}

static uint64_t
waiting(void)
{
    MDB_stat stat;
    MDB_txn *txn;

    assert_int_equal(mdb_txn_begin(ledger.store->env, NULL, MDB_RDONLY, &txn),
                     0);
    assert_int_equal(mdb_stat(txn, ledger.store->db[STORE_WAITING], &stat), 0);
    mdb_txn_abort(txn);
    return stat.ms_entries;
}

/* --- records ------------------------------------------------------------ */

static void
a_ticket_is_stored_counted_and_found_again(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");
    struct ticket_state stored;

    (void)state;
    assert_int_equal(
        fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &ticket),
        LEDGER_ACCEPTED);
    stored = fixture_state(&ledger, "A");
    assert_int_equal(stored.category, TICKET_CATEGORY_SERVICE);
    assert_int_equal(stored.accepted_at_us, at("2018-01-02 09:00:00"));
    assert_int_equal(stored.calls, 1);
    assert_int_equal(stored.clock_count, 3); /* transfer, contact, reply */
    assert_int_equal(
        complaints_of(TICKET_CATEGORY_SERVICE, TICKET_REGION_URBAN), 1);
    assert_int_equal(
        fixture_count(&ledger, UNIT_CITY, TALLY_ALL, 0, COUNTER_complaints), 1);
    assert_int_equal(clocks().running, 3);
    fixture_assert_clean(&ledger);
    fixture_reopen(&ledger, FIXTURE_MAP_BYTES);
    assert_int_equal(fixture_state(&ledger, "A").number, stored.number);
    assert_int_equal(ledger_totals(ledger.ledger).tickets, 1);
    fixture_assert_clean(&ledger);
}

static void
the_same_ticket_again_is_a_duplicate_and_changes_nothing(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");

    (void)state;
    fixture_begin(&ledger, at("2018-01-02 09:00:01"));
    assert_int_equal(fixture_put_ticket(&ledger, &ticket), LEDGER_ACCEPTED);
    assert_int_equal(fixture_put_ticket(&ledger, &ticket), LEDGER_DUPLICATE);
    fixture_commit(&ledger);
    fixture_reopen(&ledger, FIXTURE_MAP_BYTES);
    assert_int_equal(
        fixture_ticket(&ledger, at("2018-01-02 10:00:00"), &ticket),
        LEDGER_DUPLICATE);
    assert_int_equal(count(COUNTER_received), 1);
    assert_int_equal(ledger_totals(ledger.ledger).duplicates, 2);
    fixture_assert_clean(&ledger);
}

static void
a_new_version_moves_the_ticket_from_cell_to_cell(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-31 23:59:59");
    struct ticket_state stored;

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-02-01 00:00:00"), &ticket);
    ticket.at = "2018-02-01 00:00:00";
    ticket.text = "频繁停电";
    ticket.unit = "宁夏电力/石嘴山供电公司";
    ticket.category = TICKET_CATEGORY_QUALITY;
    ticket.subcategory = "供电可靠性";
    ticket.region = TICKET_REGION_RURAL;
    assert_int_equal(
        fixture_ticket(&ledger, at("2018-02-01 00:01:00"), &ticket),
        LEDGER_UPDATED);
    stored = fixture_state(&ledger, "A");
    assert_int_equal(stored.version_count, 2);
    assert_int_equal(
        complaints_of(TICKET_CATEGORY_SERVICE, TICKET_REGION_URBAN), 0);
    assert_int_equal(
        complaints_of(TICKET_CATEGORY_QUALITY, TICKET_REGION_RURAL), 1);
    assert_int_equal(
        fixture_count(&ledger, UNIT_CITY, TALLY_ALL, 0, COUNTER_received), 0);
    assert_int_equal(count(COUNTER_received), 1);
    assert_int_equal(ledger_totals(ledger.ledger).versions, 1);
    fixture_assert_clean(&ledger);
}

static void
an_old_version_sent_again_is_a_version_not_a_duplicate(void **state)
{
    struct fixture_ticket first = complaint("A", "2018-01-02 09:00:00");
    struct fixture_ticket second = first;

    (void)state;
    second.text = "补充：态度恶劣";
    fixture_begin(&ledger, at("2018-01-02 10:00:00"));
    (void)fixture_put_ticket(&ledger, &first);
    assert_int_equal(fixture_put_ticket(&ledger, &second), LEDGER_UPDATED);
    assert_int_equal(fixture_put_ticket(&ledger, &first), LEDGER_UPDATED);
    assert_int_equal(fixture_put_ticket(&ledger, &first), LEDGER_DUPLICATE);
    fixture_commit(&ledger);
    assert_int_equal(fixture_state(&ledger, "A").version_count, 3);
    fixture_assert_clean(&ledger);
}

/* --- corrections -------------------------------------------------------- */

static struct fixture_event
correction(const char *id,
           const char *when,
           enum ticket_category category,
           const char *subcategory)
{
    return (struct fixture_event){.id = id,
                                  .kind = EVENT_KIND_CORRECTED,
                                  .at = when,
                                  .category = category,
                                  .subcategory = subcategory};
}

static void
a_correction_moves_the_counters_and_stays_over_a_new_version(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");
    struct fixture_event corrected = correction(
        "A", "2018-01-03 09:00:00", TICKET_CATEGORY_BUSINESS, "抄表催费");

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &ticket);
    (void)fixture_event(&ledger, at("2018-01-03 09:00:01"), &corrected);
    assert_int_equal(
        complaints_of(TICKET_CATEGORY_SERVICE, TICKET_REGION_URBAN), 0);
    assert_int_equal(
        complaints_of(TICKET_CATEGORY_BUSINESS, TICKET_REGION_URBAN), 1);
    assert_int_equal(count(COUNTER_reviewed), 1);
    assert_int_equal(count(COUNTER_agree_category), 0);
    assert_int_equal(fixture_state(&ledger, "A").topic_id, 0);
    fixture_assert_clean(&ledger);

    ticket.text = "另一段话";
    (void)fixture_ticket(&ledger, at("2018-01-03 10:00:00"), &ticket);
    assert_int_equal(fixture_state(&ledger, "A").category,
                     TICKET_CATEGORY_BUSINESS);
    assert_int_equal(
        complaints_of(TICKET_CATEGORY_BUSINESS, TICKET_REGION_URBAN), 1);
    fixture_assert_clean(&ledger);
}

static void
a_correction_older_than_the_one_in_force_does_not_win(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");
    struct fixture_event late =
        correction("A", "2018-01-04 09:00:00", TICKET_CATEGORY_GRID, NULL);
    struct fixture_event early = correction(
        "A", "2018-01-03 09:00:00", TICKET_CATEGORY_BUSINESS, "抄表催费");
    struct ticket_state stored;

    (void)state;
    early.region = TICKET_REGION_RURAL;
    (void)fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &ticket);
    (void)fixture_event(&ledger, at("2018-01-05 09:00:00"), &late);
    (void)fixture_event(&ledger, at("2018-01-05 09:00:01"), &early);
    stored = fixture_state(&ledger, "A");
    assert_int_equal(stored.category, TICKET_CATEGORY_GRID);
    assert_int_equal(stored.subcategory_id, 0); /* 抄表催费 is no grid matter */
    assert_int_equal(stored.region, TICKET_REGION_RURAL);
    assert_int_equal(stored.event_count, 2);
    assert_int_equal(complaints_of(TICKET_CATEGORY_GRID, TICKET_REGION_RURAL),
                     1);
    assert_int_equal(fixture_event(&ledger, at("2018-01-05 10:00:00"), &early),
                     LEDGER_DUPLICATE);
    fixture_assert_clean(&ledger);
}

/* --- events ------------------------------------------------------------- */

static void
an_event_waits_for_its_ticket_and_then_counts(void **state)
{
    struct fixture_event closed = {
        .id = "A", .kind = EVENT_KIND_CLOSED, .at = "2018-01-02 18:00:00"};
    struct fixture_event replied = {
        .id = "A", .kind = EVENT_KIND_REPLIED, .at = "2018-01-02 12:00:00"};
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");

    (void)state;
    assert_int_equal(fixture_event(&ledger, at("2018-01-02 18:00:00"), &closed),
                     LEDGER_WAITING);
    assert_int_equal(fixture_event(&ledger, at("2018-01-02 18:00:01"), &closed),
                     LEDGER_DUPLICATE);
    fixture_begin(&ledger, at("2018-01-02 18:00:02"));
    assert_int_equal(fixture_put_event(&ledger, &replied), LEDGER_WAITING);
    assert_int_equal(fixture_put_event(&ledger, &replied), LEDGER_DUPLICATE);
    fixture_commit(&ledger);
    assert_int_equal(ledger_totals(ledger.ledger).waiting, 2);
    fixture_assert_clean(&ledger);

    fixture_reopen(&ledger, FIXTURE_MAP_BYTES);
    (void)fixture_ticket(&ledger, at("2018-01-02 18:01:00"), &ticket);
    assert_int_equal(ledger_totals(ledger.ledger).waiting, 0);
    assert_int_equal(waiting(), 0);
    assert_int_equal(fixture_state(&ledger, "A").event_count, 2);
    assert_int_equal(count(COUNTER_closed), 1);
    assert_int_equal(count(COUNTER_replied), 1);
    assert_int_equal(fixture_event(&ledger, at("2018-01-02 18:02:00"), &closed),
                     LEDGER_DUPLICATE);
    fixture_assert_clean(&ledger);
}

static void
the_same_event_again_is_a_duplicate_also_after_many(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");
    struct fixture_event urged = {.id = "A", .kind = EVENT_KIND_URGED};
    int64_t start_us = at("2018-01-02 10:00:00");

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &ticket);
    for (int i = 0; i < 2 * STATE_EVENT_HASHES_MAX; i++) {
        urged.at_us = start_us + i * US_PER_MINUTE;
        assert_int_equal(fixture_event(&ledger, urged.at_us, &urged),
                         LEDGER_ACCEPTED);
        assert_int_equal(fixture_event(&ledger, urged.at_us, &urged),
                         LEDGER_DUPLICATE);
    }
    urged.at_us = start_us;
    assert_int_equal(fixture_event(&ledger, start_us + US_PER_DAY, &urged),
                     LEDGER_DUPLICATE);
    assert_int_equal(fixture_state(&ledger, "A").urged_count,
                     2 * STATE_EVENT_HASHES_MAX);
    assert_int_equal(count(COUNTER_urged), 1);
    fixture_assert_clean(&ledger);
}

static void
an_event_far_ahead_of_its_ticket_is_not_lost(void **state)
{
    struct fixture_event closed = {
        .id = "A", .kind = EVENT_KIND_CLOSED, .at = "2018-01-02 18:00:00"};
    struct fixture_event other = {.id = "B", .kind = EVENT_KIND_URGED};
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");
    struct fixture_ticket b = complaint("B", "2018-01-02 09:00:00");
    struct ticket_state stored = {0};

    (void)state;
    /* The distance is kept in the state: 65536 was once "no event". */
    stored.number = 100000;
    stored.record_seq = 100000;
    for (int i = 0; i < EVENT_KIND_COUNT; i++) {
        stored.event_at_us[i] = STATE_NEVER;
    }
    for (uint64_t seq = 1; seq < 200000; seq += 1) {
        uint8_t bytes[STATE_BYTES_MAX];
        struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));
        struct ticket_state back;

        stored.last_event_seq = seq;
        state_encode(&stored, &w);
        assert_true(state_decode(
            100000, (struct span){(char *)bytes, byte_writer_used(&w)}, &back));
        assert_int_equal(back.last_event_seq, seq);
    }
    (void)fixture_event(&ledger, at("2018-01-02 18:00:00"), &closed);
    fixture_begin(&ledger, at("2018-01-02 18:00:00"));
    (void)fixture_put_ticket(&ledger, &b);
    for (int i = 0; i < 300; i++) {
        other.at_us = at("2018-01-02 10:00:00") + i;
        (void)fixture_put_event(&ledger, &other);
    }
    (void)fixture_put_ticket(&ledger, &ticket);
    fixture_commit(&ledger);
    assert_int_equal(fixture_state(&ledger, "A").event_count, 1);
    assert_int_equal(count(COUNTER_closed), 1);
    fixture_assert_clean(&ledger);
}

/* --- repeat calls ------------------------------------------------------- */

static void
a_second_call_about_the_matter_is_a_repeat(void **state)
{
    struct fixture_ticket first = complaint("A", "2018-01-02 09:00:00");
    struct fixture_ticket second = complaint("B", "2018-01-20 09:00:00");

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &first);
    (void)fixture_ticket(&ledger, at("2018-01-20 09:00:01"), &second);
    assert_int_equal(fixture_state(&ledger, "B").repeat_previous,
                     fixture_state(&ledger, "A").number);
    assert_int_equal(fixture_state(&ledger, "B").calls, 2);
    assert_int_equal(count(COUNTER_repeats), 1);
    fixture_assert_clean(&ledger);
}

static void
a_ticket_that_comes_late_makes_a_later_one_a_repeat(void **state)
{
    struct fixture_ticket first = complaint("A", "2018-01-02 09:00:00");
    struct fixture_ticket second = complaint("B", "2018-01-20 09:00:00");

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-01-20 09:00:01"), &second);
    assert_int_equal(count(COUNTER_repeats), 0);
    (void)fixture_ticket(&ledger, at("2018-01-21 09:00:01"), &first);
    assert_int_equal(count(COUNTER_repeats), 1);
    assert_int_equal(fixture_state(&ledger, "B").repeat_previous,
                     fixture_state(&ledger, "A").number);
    fixture_assert_clean(&ledger);
}

static void
a_related_order_that_comes_later_is_linked_then(void **state)
{
    struct fixture_ticket second = complaint("B", "2018-03-20 09:00:00");
    struct fixture_ticket first = complaint("A", "2018-01-02 09:00:00");

    (void)state;
    second.caller = "19900000002";
    second.customer = "9900000002";
    second.related = "A";
    (void)fixture_ticket(&ledger, at("2018-03-20 09:00:01"), &second);
    assert_int_equal(waiting(), 1);
    assert_int_equal(fixture_state(&ledger, "B").related_number, 0);
    fixture_assert_clean(&ledger);
    (void)fixture_ticket(&ledger, at("2018-03-20 09:10:00"), &first);
    assert_int_equal(waiting(), 0);
    assert_int_equal(fixture_state(&ledger, "B").repeat_key,
                     REPEAT_KEY_RELATED);
    assert_int_equal(count(COUNTER_repeats), 1);
    fixture_assert_clean(&ledger);
}

static void
a_version_that_names_another_related_order_waits_for_that_one(void **state)
{
    struct fixture_ticket ticket = complaint("B", "2018-03-20 09:00:00");
    struct fixture_ticket first = complaint("A", "2018-01-02 09:00:00");

    (void)state;
    ticket.customer = "9900000002";
    ticket.caller = NULL;
    ticket.related = "A";
    (void)fixture_ticket(&ledger, at("2018-03-20 09:00:01"), &ticket);
    ticket.related = "C";
    (void)fixture_ticket(&ledger, at("2018-03-20 09:00:02"), &ticket);
    assert_int_equal(waiting(), 1);
    (void)fixture_ticket(&ledger, at("2018-03-20 09:00:03"), &first);
    assert_int_equal(fixture_state(&ledger, "B").related_number, 0);
    assert_int_equal(count(COUNTER_repeats), 0);
    fixture_assert_clean(&ledger);
    ticket.related = "A";
    (void)fixture_ticket(&ledger, at("2018-03-20 09:00:04"), &ticket);
    assert_int_equal(waiting(), 0);
    assert_int_equal(count(COUNTER_repeats), 1);
    fixture_assert_clean(&ledger);
    ticket.related = NULL;
    (void)fixture_ticket(&ledger, at("2018-03-20 09:00:05"), &ticket);
    assert_int_equal(count(COUNTER_repeats), 0);
    fixture_assert_clean(&ledger);
}

static void
a_ticket_that_names_itself_is_no_repeat(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");

    (void)state;
    ticket.related = "A";
    (void)fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &ticket);
    assert_int_equal(fixture_state(&ledger, "A").related_number, 0);
    assert_int_equal(waiting(), 0);
    fixture_assert_clean(&ledger);
}

static void
a_matter_with_a_final_reply_leaves_the_statistics_of_repeats(void **state)
{
    struct fixture_ticket a = complaint("A", "2018-01-02 09:00:00");
    struct fixture_ticket b = complaint("B", "2018-01-10 09:00:00");
    struct fixture_ticket c = complaint("C", "2018-01-20 09:00:00");
    struct fixture_event final = {
        .id = "A", .kind = EVENT_KIND_FINAL_REPLY, .at = "2018-01-15 09:00:00"};

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-01-20 09:00:01"), &a);
    (void)fixture_ticket(&ledger, at("2018-01-20 09:00:01"), &b);
    (void)fixture_ticket(&ledger, at("2018-01-20 09:00:01"), &c);
    assert_int_equal(count(COUNTER_repeats), 2);
    final.id = "B";
    (void)fixture_event(&ledger, at("2018-01-20 10:00:01"), &final);
    assert_true(fixture_state(&ledger, "C").repeat_settled);
    assert_int_equal(fixture_state(&ledger, "C").calls, 3); /* listed */
    assert_int_equal(count(COUNTER_repeats), 0);
    assert_int_equal(count(COUNTER_final_replies), 1);
    fixture_assert_clean(&ledger);
}

/* A - phone - B - customer number - C: C shares no key with A. */
static void
a_settled_matter_reaches_tickets_that_share_no_key_with_it(void **state)
{
    struct fixture_ticket a = complaint("A", "2018-01-02 09:00:00");
    struct fixture_ticket b = complaint("B", "2018-01-10 09:00:00");
    struct fixture_ticket c = complaint("C", "2018-01-20 09:00:00");
    struct fixture_event final = {
        .id = "A", .kind = EVENT_KIND_FINAL_REPLY, .at = "2018-01-05 09:00:00"};

    (void)state;
    a.customer = NULL;
    b.customer = "9900000002";
    c.customer = "9900000002";
    c.caller = NULL;
    (void)fixture_ticket(&ledger, at("2018-01-20 09:00:01"), &a);
    (void)fixture_ticket(&ledger, at("2018-01-20 09:00:01"), &b);
    (void)fixture_ticket(&ledger, at("2018-01-20 09:00:01"), &c);
    assert_int_equal(fixture_state(&ledger, "C").repeat_previous,
                     fixture_state(&ledger, "B").number);
    (void)fixture_event(&ledger, at("2018-01-20 10:00:00"), &final);
    assert_true(fixture_state(&ledger, "B").repeat_settled);
    assert_true(fixture_state(&ledger, "C").repeat_settled);
    assert_int_equal(count(COUNTER_repeats), 0);
    fixture_assert_clean(&ledger);
}

static void
a_final_reply_reaches_tickets_that_name_the_order(void **state)
{
    struct fixture_ticket a = complaint("A", "2018-01-02 09:00:00");
    struct fixture_ticket b = complaint("B", "2018-03-10 09:00:00");
    struct fixture_event final = {
        .id = "A", .kind = EVENT_KIND_FINAL_REPLY, .at = "2018-01-05 09:00:00"};

    (void)state;
    b.caller = "19900000002";
    b.customer = "9900000002";
    b.related = "A";
    (void)fixture_ticket(&ledger, at("2018-03-10 09:00:01"), &a);
    (void)fixture_ticket(&ledger, at("2018-03-10 09:00:01"), &b);
    assert_int_equal(count(COUNTER_repeats), 1);
    (void)fixture_event(&ledger, at("2018-03-10 10:00:00"), &final);
    assert_int_equal(count(COUNTER_repeats), 0);
    fixture_assert_clean(&ledger);
}

static void
a_version_with_another_key_leaves_those_it_was_repeated_by(void **state)
{
    struct fixture_ticket a = complaint("A", "2018-01-02 09:00:00");
    struct fixture_ticket b = complaint("B", "2018-01-10 09:00:00");

    (void)state;
    a.caller = b.caller = NULL;
    (void)fixture_ticket(&ledger, at("2018-01-10 09:00:01"), &a);
    (void)fixture_ticket(&ledger, at("2018-01-10 09:00:01"), &b);
    assert_int_equal(count(COUNTER_repeats), 1);
    a.customer = "9900000002";
    (void)fixture_ticket(&ledger, at("2018-01-10 10:00:01"), &a);
    assert_int_equal(fixture_state(&ledger, "B").calls, 1);
    assert_int_equal(count(COUNTER_repeats), 0);
    fixture_assert_clean(&ledger);
    a.customer = "9900000001"; /* and back */
    (void)fixture_ticket(&ledger, at("2018-01-10 11:00:01"), &a);
    assert_int_equal(count(COUNTER_repeats), 1);
    fixture_assert_clean(&ledger);
    fixture_reopen(&ledger, FIXTURE_MAP_BYTES);
    fixture_assert_clean(&ledger);
}

static void
a_version_with_a_later_time_leaves_those_that_are_earlier_now(void **state)
{
    struct fixture_ticket a = complaint("A", "2018-01-02 09:00:00");
    struct fixture_ticket b = complaint("B", "2018-01-10 09:00:00");

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-01-10 09:00:01"), &a);
    (void)fixture_ticket(&ledger, at("2018-01-10 09:00:01"), &b);
    a.at = "2018-01-12 09:00:00";
    (void)fixture_ticket(&ledger, at("2018-01-12 10:00:01"), &a);
    assert_int_equal(fixture_state(&ledger, "B").calls, 1);
    assert_int_equal(fixture_state(&ledger, "A").calls, 2);
    assert_int_equal(count(COUNTER_repeats), 1);
    fixture_assert_clean(&ledger);
}

static void
a_ticket_goes_through_more_keys_than_it_keeps(void **state)
{
    struct fixture_ticket a = complaint("A", "2018-01-02 09:00:00");
    char customer[24];

    (void)state;
    a.caller = NULL;
    a.customer = customer;
    for (int i = 0; i < STATE_LINKS_MAX + 3; i++) {
        (void)snprintf(customer, sizeof(customer), "99000%05d", i);
        (void)fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &a);
        fixture_assert_clean(&ledger);
    }
    assert_int_equal(fixture_state(&ledger, "A").link_count, STATE_LINKS_MAX);
    assert_int_equal(fixture_state(&ledger, "A").key_hash[0], 0);
}

static void
a_phone_with_thousands_of_tickets_costs_no_more(void **state)
{
    struct fixture_ticket ticket = complaint(NULL, "2018-01-02 09:00:00");
    struct fsck_result result;
    char id[32];

    (void)state;
    ticket.customer = NULL;
    ticket.id = id;
    fixture_begin(&ledger, at("2018-01-02 09:00:01"));
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(id, sizeof(id), "T%d", i);
        (void)fixture_put_ticket(&ledger, &ticket);
    }
    fixture_commit(&ledger);
    assert_int_equal(fixture_fsck(&ledger, true, &result), 0);
    assert_int_equal(result.repeats_unchecked, 3000);
}

/* --- clocks ------------------------------------------------------------- */

static void
clocks_run_out_as_time_goes_and_a_late_record_takes_it_back(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");
    struct fixture_event replied = {
        .id = "A", .kind = EVENT_KIND_REPLIED, .at = "2018-01-02 12:00:00"};
    struct err err = {0};

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &ticket);
    assert_int_equal(clocks().overdue, 0);
    assert_int_equal(ledger_next_due_us(ledger.ledger, &err),
                     at("2018-01-03 00:00:00") - 1);
    fixture_begin(&ledger, at("2018-01-03 00:00:00") - 1);
    fixture_commit(&ledger);
    assert_int_equal(clocks().overdue, 0); /* the very instant is in time */
    fixture_begin(&ledger, at("2018-01-03 00:00:00"));
    fixture_commit(&ledger);
    assert_int_equal(clocks().overdue, 1);
    assert_int_equal(clocks_seen.running, 2);
    assert_int_equal(count(COUNTER_overdue), 1);
    fixture_assert_clean(&ledger);
    fixture_begin(&ledger, at("2018-02-01 00:00:00"));
    fixture_commit(&ledger);
    assert_int_equal(clocks().overdue, 3);
    assert_int_equal(count(COUNTER_overdue_clocks), 3);
    assert_int_equal(count(COUNTER_reply_judged), 1);
    assert_int_equal(count(COUNTER_reply_in_time), 0);
    fixture_assert_clean(&ledger);
    (void)fixture_event(&ledger, at("2018-02-01 00:00:01"), &replied);
    assert_int_equal(clocks().overdue, 0);
    assert_int_equal(count(COUNTER_overdue), 0);
    assert_int_equal(count(COUNTER_reply_in_time), 1);
    assert_int_equal(clocks_seen.running, 0);
    fixture_assert_clean(&ledger);
}

static void
a_pause_moves_the_due_instant(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");
    struct fixture_event suspended = {
        .id = "A", .kind = EVENT_KIND_SUSPENDED, .at = "2018-01-03 09:00:00"};
    struct fixture_event resumed = {
        .id = "A", .kind = EVENT_KIND_RESUMED, .at = "2018-01-05 09:00:00"};

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &ticket);
    assert_int_equal(fixture_state(&ledger, "A").clocks[2].due_us,
                     at("2018-01-10 00:00:00") - 1);
    (void)fixture_event(&ledger, at("2018-01-05 10:00:00"), &resumed);
    fixture_assert_clean(&ledger);
    (void)fixture_event(&ledger, at("2018-01-05 10:00:01"), &suspended);
    assert_int_equal(fixture_state(&ledger, "A").clocks[2].due_us,
                     at("2018-01-12 00:00:00") - 1);
    fixture_assert_clean(&ledger);
    suspended.at = "2018-01-08 09:00:00";
    (void)fixture_event(&ledger, at("2018-01-08 10:00:00"), &suspended);
    assert_true(fixture_state(&ledger, "A").clocks[2].due_us == STATE_NEVER);
    fixture_begin(&ledger, at("2019-01-01 00:00:00"));
    fixture_commit(&ledger);
    assert_int_equal(count(COUNTER_overdue_clocks), 2); /* not the reply */
    fixture_assert_clean(&ledger);
}

/* A sender whose clock is ahead, or a planned step. */
static void
a_clock_that_stops_too_late_in_the_future_runs_out_on_its_day(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");
    struct fixture_event replied = {
        .id = "A", .kind = EVENT_KIND_REPLIED, .at = "2018-03-01 12:00:00"};

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &ticket);
    (void)fixture_event(&ledger, at("2018-01-02 10:00:00"), &replied);
    assert_int_equal(count(COUNTER_reply_in_time), 0);
    assert_int_equal(count(COUNTER_reply_judged), 0);
    fixture_assert_clean(&ledger);
    fixture_begin(&ledger, at("2018-02-01 00:00:00"));
    fixture_commit(&ledger);
    assert_int_equal(clocks().overdue, 3);
    assert_int_equal(count(COUNTER_reply_judged), 1);
    assert_int_equal(count(COUNTER_reply_in_time), 0);
    fixture_assert_clean(&ledger);
}

static void
a_clock_that_goes_back_does_no_harm(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-02-01 00:00:00"), &ticket);
    assert_int_equal(clocks().overdue, 3);
    ticket.id = "B";
    (void)fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &ticket);
    assert_int_equal(clocks().overdue, 6);
    fixture_assert_clean(&ledger);
}

static void
more_clocks_than_one_batch_judges_are_left_for_the_next(void **state)
{
    struct fixture_ticket ticket = complaint(NULL, NULL);
    char id[32];
    int64_t start_us = at("2018-01-02 09:00:00");
    enum { TICKETS = LEDGER_TICK_CLOCKS_MAX / 3 + 5000 };

    (void)state;
    ticket.id = id;
    ticket.caller = ticket.customer = NULL;
    fixture_begin(&ledger, start_us);
    for (int i = 0; i < TICKETS; i++) {
        (void)snprintf(id, sizeof(id), "T%d", i);
        ticket.at_us = start_us - i * US_PER_SECOND;
        (void)fixture_put_ticket(&ledger, &ticket);
    }
    fixture_commit(&ledger);
    fixture_begin(&ledger, at("2018-03-01 00:00:00"));
    fixture_commit(&ledger);
    assert_in_range(clocks().overdue, 1, 3 * TICKETS - 1);
    fixture_assert_clean(&ledger);
    fixture_begin(&ledger, at("2018-03-01 00:00:00"));
    fixture_commit(&ledger);
    fixture_begin(&ledger, at("2018-03-01 00:00:00"));
    fixture_commit(&ledger);
    assert_int_equal(clocks().overdue, 3 * TICKETS);
    fixture_assert_clean(&ledger);
}

/* --- other tables ------------------------------------------------------- */

static void
other_thresholds_do_not_upset_what_was_counted_before(void **state)
{
    struct fixture_ticket a = complaint("A", "2018-01-02 09:00:00");
    struct fixture_ticket b = complaint("B", "2018-01-10 09:00:00");
    struct fixture_ticket c = complaint("C", "2018-01-20 09:00:00");
    struct fixture_event replied = {
        .id = "B", .kind = EVENT_KIND_REPLIED, .at = "2018-01-10 12:00:00"};
    struct fsck_result result;

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-01-10 09:00:01"), &a);
    (void)fixture_ticket(&ledger, at("2018-01-10 09:00:01"), &b);
    assert_int_equal(count(COUNTER_repeats), 1);
    fixture_set_settings(&ledger, "key,value,unit,note\n"
                                  "repeat.window_days,30,days,\n"
                                  "repeat.calls_min,3,calls,\n"
                                  "repeat.third_call_min,4,calls,\n"
                                  "repeat.burst_calls_min,4,calls,\n"
                                  "repeat.burst_minutes,120,minutes,\n"
                                  "repeat.phone_customers_max,3,customers,\n"
                                  "repeat.candidates_max,64,tickets,\n");
    assert_int_equal(fixture_fsck(&ledger, true, &result), 0);
    assert_int_equal(result.judged_by_others, 2);
    /* What is judged again is judged by the new ones; the rest stays. */
    (void)fixture_event(&ledger, at("2018-01-10 12:00:01"), &replied);
    assert_int_equal(count(COUNTER_repeats), 0);
    (void)fixture_ticket(&ledger, at("2018-01-20 09:00:01"), &c);
    assert_int_equal(count(COUNTER_repeats), 1);
    assert_int_equal(fixture_fsck(&ledger, true, &result), 0);
    assert_int_equal(result.judged_by_others, 1);
}

/* --- batches that fail -------------------------------------------------- */

static void
an_aborted_batch_leaves_everything_as_it_was(void **state)
{
    struct fixture_ticket a = complaint("A", "2018-01-02 09:00:00");
    struct fixture_ticket b = complaint("B", "2018-01-02 10:00:00");
    struct ledger_totals before;
    uint64_t next_seq;

    (void)state;
    (void)fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &a);
    before = ledger_totals(ledger.ledger);
    next_seq = ledger_next_seq(ledger.ledger);
    fixture_begin(&ledger, at("2018-02-01 10:00:01"));
    b.unit = "新的/供电单位";
    (void)fixture_put_ticket(&ledger, &b);
    a.text = "另一段话";
    (void)fixture_put_ticket(&ledger, &a);
    ledger_abort(ledger.ledger);
    assert_int_equal(ledger_next_seq(ledger.ledger), next_seq);
    assert_int_equal(ledger_totals(ledger.ledger).tickets, before.tickets);
    assert_int_equal(clocks().overdue, 0);
    fixture_assert_clean(&ledger);
    b.unit = "另一个/供电单位";
    assert_int_equal(fixture_ticket(&ledger, at("2018-01-02 10:00:01"), &b),
                     LEDGER_ACCEPTED);
    assert_int_equal(fixture_state(&ledger, "B").repeat_previous,
                     fixture_state(&ledger, "A").number);
    assert_int_equal(
        fixture_count(&ledger, "另一个", TALLY_ALL, 0, COUNTER_received), 1);
    fixture_assert_clean(&ledger);
    fixture_reopen(&ledger, FIXTURE_MAP_BYTES);
    fixture_assert_clean(&ledger);
}

/* One batch of tickets with long texts; false when the store is full. */
static bool
put_many(int first, int tickets)
{
    static char text[4000];
    struct fixture_ticket ticket = complaint(NULL, NULL);
    char id[32];
    char customer[32];
    struct err err = {0};

    memset(text, 'x', sizeof(text) - 1);
    ticket.id = id;
    ticket.customer = customer;
    ticket.text = text;
    fixture_begin(&ledger, at("2018-01-03 09:00:00"));
    for (int i = first; i < first + tickets; i++) {
        enum ledger_outcome outcome;

        (void)snprintf(id, sizeof(id), "T%d", i);
        (void)snprintf(customer, sizeof(customer), "9900%d", i % 50);
        ticket.at_us = at("2018-01-02 09:00:00") + i * US_PER_MINUTE;
        if (fixture_try_ticket(&ledger, &ticket, &outcome, &err) != ERR_OK) {
            assert_int_equal(err.code, ERR_STORE_FULL);
            ledger_abort(ledger.ledger);
            return false;
        }
    }
    if (ledger_commit(ledger.ledger, &err) != ERR_OK) {
        assert_int_equal(err.code, ERR_STORE_FULL);
        return false;
    }
    return true;
}

static void
a_full_store_takes_no_part_of_a_batch_and_goes_on_with_more_room(void **state)
{
    struct ledger_totals before;
    size_t memory;
    int done = 0;
    int failures = 0;

    (void)state;
    fixture_reopen(&ledger, 2 * 1024 * 1024);
    /* Batches of different sizes meet the end in the middle and at the end. */
    for (int size = 64; size > 0; size /= 2) {
        while (put_many(done, size)) {
            done += size;
            before = ledger_totals(ledger.ledger);
        }
        failures++;
        memory = ledger_memory_bytes(ledger.ledger);
        before = ledger_totals(ledger.ledger);
        assert_int_equal(before.tickets, done);
        assert_true(memory > 0);
        fixture_assert_clean(&ledger);
    }
    assert_int_equal(failures, 7);
    fixture_reopen(&ledger, FIXTURE_MAP_BYTES);
    assert_int_equal(ledger_totals(ledger.ledger).tickets, done);
    assert_true(put_many(done, 64));
    assert_int_equal(ledger_totals(ledger.ledger).tickets, done + 64);
    fixture_assert_clean(&ledger);
}

static void
refused_lines_and_fed_values_are_kept(void **state)
{
    struct ledger_reject reject = {.at_us = 1,
                                   .line = 7,
                                   .code = ERR_BAD_JSON,
                                   .source = SPAN_LITERAL("feed"),
                                   .detail = SPAN_LITERAL("not an object"),
                                   .bytes = SPAN_LITERAL("{"),
                                   .line_bytes = 1};
    struct ledger_fact fact = {.name = SPAN_LITERAL("customers"),
                               .period = SPAN_LITERAL("2018-Q1"),
                               .numerator = 1000000,
                               .denominator = 1,
                               .by = SPAN_LITERAL("test")};
    struct reader reader;
    struct reader_fact found;
    struct err err = {0};

    (void)state;
    fixture_begin(&ledger, 1);
    assert_int_equal(ledger_put_reject(ledger.ledger, &reject, &err), ERR_OK);
    assert_int_equal(ledger_put_reject(ledger.ledger, &reject, &err), ERR_OK);
    assert_int_equal(ledger_put_fact(ledger.ledger, &fact, &err), ERR_OK);
    fixture_commit(&ledger);
    assert_int_equal(ledger_totals(ledger.ledger).rejects, 2);
    assert_int_equal(reader_begin(ledger.store, &reader, &err), ERR_OK);
    assert_true(
        reader_fact(&reader, fact.name, fact.unit, fact.period, &found, &err));
    assert_true(found.numerator == 1000000);
    assert_false(reader_fact(&reader, fact.name, fact.unit,
                             SPAN_LITERAL("2018-Q2"), &found, &err));
    reader_end(&reader);
    fixture_assert_clean(&ledger);
}

static void
a_thousand_tickets_in_one_batch_take_little_memory(void **state)
{
    struct fixture_ticket ticket = complaint(NULL, "2018-01-02 09:00:00");
    char id[32];

    (void)state;
    ticket.id = id;
    ticket.related = "never comes";
    for (int batch = 0; batch < 3; batch++) {
        fixture_begin(&ledger, at("2018-01-02 09:00:01"));
        for (int i = 0; i < 1000; i++) {
            (void)snprintf(id, sizeof(id), "B%dT%d", batch, i);
            (void)fixture_put_ticket(&ledger, &ticket);
        }
        fixture_commit(&ledger);
    }
    assert_int_equal(waiting(), 3000);
    ticket.id = "never comes";
    ticket.related = NULL;
    (void)fixture_ticket(&ledger, at("2018-01-02 09:00:02"), &ticket);
    assert_int_equal(waiting(), 0);
    fixture_assert_clean(&ledger);
}

static void
distinct_customers_of_quality_complaints_are_counted_once(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");

    (void)state;
    ticket.category = TICKET_CATEGORY_QUALITY;
    ticket.subcategory = "供电可靠性";
    (void)fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &ticket);
    ticket.id = "B";
    ticket.at = "2018-01-20 09:00:00";
    (void)fixture_ticket(&ledger, at("2018-01-20 09:00:01"), &ticket);
    ticket.id = "C";
    ticket.customer = "9900000002";
    (void)fixture_ticket(&ledger, at("2018-01-20 09:00:01"), &ticket);
    fixture_assert_clean(&ledger);
    ticket.category = TICKET_CATEGORY_GRID;
    ticket.subcategory = "供电设施";
    ticket.text = "另一段话";
    (void)fixture_ticket(&ledger, at("2018-01-20 10:00:01"), &ticket);
    fixture_assert_clean(&ledger);
    /* Again, then of another unit, person, month. */
    ticket.category = TICKET_CATEGORY_QUALITY;
    ticket.subcategory = "供电可靠性";
    (void)fixture_ticket(&ledger, at("2018-02-01 09:00:01"), &ticket);
    fixture_assert_clean(&ledger);
    ticket.unit = "另一个/供电单位";
    (void)fixture_ticket(&ledger, at("2018-02-01 09:00:02"), &ticket);
    fixture_assert_clean(&ledger);
    ticket.customer = "9900000001";
    (void)fixture_ticket(&ledger, at("2018-02-01 09:00:03"), &ticket);
    fixture_assert_clean(&ledger);
    ticket.at = "2018-02-01 09:00:00";
    (void)fixture_ticket(&ledger, at("2018-02-01 09:00:04"), &ticket);
    fixture_assert_clean(&ledger);
}

static void
an_id_of_any_length_is_found_and_none_of_a_lost_batch(void **state)
{
    static const char longest[] =
        "1234567890123456789012345678901234567890123456789012345678901234";
    struct fixture_ticket ticket = complaint(NULL, "2018-01-02 09:00:00");
    struct fixture_event event = {.kind = EVENT_KIND_DISPATCHED,
                                  .at = "2018-01-02 09:05:00"};
    char id[sizeof(longest)];

    (void)state;
    for (size_t bytes = 1; bytes < sizeof(longest); bytes++) {
        /* Its number goes to the next ticket. */
        ticket.id = "lost";
        fixture_begin(&ledger, at("2018-01-02 09:00:01"));
        (void)fixture_put_ticket(&ledger, &ticket);
        ledger_abort(ledger.ledger);
        memcpy(id, longest, bytes);
        id[bytes] = '\0';
        ticket.id = event.id = id;
        assert_int_equal(
            fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &ticket),
            LEDGER_ACCEPTED);
        assert_int_equal(
            fixture_ticket(&ledger, at("2018-01-02 09:00:01"), &ticket),
            LEDGER_DUPLICATE);
        assert_int_equal(
            fixture_event(&ledger, at("2018-01-02 09:05:01"), &event),
            LEDGER_ACCEPTED);
    }
    fixture_assert_clean(&ledger);
}

static void
a_batch_is_full_when_it_touches_many_old_tickets(void **state)
{
    enum { OLD_TICKETS_MAX = 16384 };
    char id[24];
    struct fixture_ticket ticket = complaint(id, "2018-01-02 09:00:00");
    struct fixture_event event = {
        .id = id, .kind = EVENT_KIND_DISPATCHED, .at = "2018-01-02 09:05:00"};

    (void)state;
    ticket.caller = NULL;
    fixture_begin(&ledger, at("2018-01-02 09:00:00"));
    for (int i = 0; i < OLD_TICKETS_MAX; i++) {
        (void)snprintf(id, sizeof(id), "T%d", i);
        assert_int_equal(fixture_put_ticket(&ledger, &ticket), LEDGER_ACCEPTED);
    }
    assert_false(ledger_is_full(ledger.ledger)); /* new ones lie together */
    fixture_commit(&ledger);
    fixture_begin(&ledger, at("2018-01-02 09:05:00"));
    for (int i = 0; i < OLD_TICKETS_MAX; i++) {
        assert_false(ledger_is_full(ledger.ledger));
        (void)snprintf(id, sizeof(id), "T%d", i);
        assert_int_equal(fixture_put_event(&ledger, &event), LEDGER_ACCEPTED);
    }
    assert_true(ledger_is_full(ledger.ledger));
    fixture_commit(&ledger);
    fixture_begin(&ledger, at("2018-01-02 09:06:00"));
    assert_false(ledger_is_full(ledger.ledger));
    fixture_commit(&ledger);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(a_ticket_is_stored_counted_and_found_again),
        CASE(the_same_ticket_again_is_a_duplicate_and_changes_nothing),
        CASE(a_new_version_moves_the_ticket_from_cell_to_cell),
        CASE(an_old_version_sent_again_is_a_version_not_a_duplicate),
        CASE(a_correction_moves_the_counters_and_stays_over_a_new_version),
        CASE(a_correction_older_than_the_one_in_force_does_not_win),
        CASE(an_event_waits_for_its_ticket_and_then_counts),
        CASE(the_same_event_again_is_a_duplicate_also_after_many),
        CASE(an_event_far_ahead_of_its_ticket_is_not_lost),
        CASE(a_second_call_about_the_matter_is_a_repeat),
        CASE(a_ticket_that_comes_late_makes_a_later_one_a_repeat),
        CASE(a_related_order_that_comes_later_is_linked_then),
        CASE(a_version_that_names_another_related_order_waits_for_that_one),
        CASE(a_ticket_that_names_itself_is_no_repeat),
        CASE(a_matter_with_a_final_reply_leaves_the_statistics_of_repeats),
        CASE(a_settled_matter_reaches_tickets_that_share_no_key_with_it),
        CASE(a_final_reply_reaches_tickets_that_name_the_order),
        CASE(a_version_with_another_key_leaves_those_it_was_repeated_by),
        CASE(a_version_with_a_later_time_leaves_those_that_are_earlier_now),
        CASE(a_ticket_goes_through_more_keys_than_it_keeps),
        CASE(a_phone_with_thousands_of_tickets_costs_no_more),
        CASE(clocks_run_out_as_time_goes_and_a_late_record_takes_it_back),
        CASE(a_pause_moves_the_due_instant),
        CASE(a_clock_that_stops_too_late_in_the_future_runs_out_on_its_day),
        CASE(a_clock_that_goes_back_does_no_harm),
        CASE(more_clocks_than_one_batch_judges_are_left_for_the_next),
        CASE(other_thresholds_do_not_upset_what_was_counted_before),
        CASE(an_aborted_batch_leaves_everything_as_it_was),
        CASE(a_full_store_takes_no_part_of_a_batch_and_goes_on_with_more_room),
        CASE(refused_lines_and_fed_values_are_kept),
        CASE(a_thousand_tickets_in_one_batch_take_little_memory),
        CASE(distinct_customers_of_quality_complaints_are_counted_once),
        CASE(an_id_of_any_length_is_found_and_none_of_a_lost_batch),
        CASE(a_batch_is_full_when_it_touches_many_old_tickets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
