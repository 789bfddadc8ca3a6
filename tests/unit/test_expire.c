/* Expiry: what goes, what stays, and every number as it was. After every case
 * the store is checked as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "analyzers/indicator.h"
#include "server/base/buf.h"
#include "server/ledger/counters.h"
#include "tests/lib/ledger_fixture.h"

#define UNIT_COUNTY "宁夏电力/银川供电公司/兴庆区供电公司"

enum { LIST_MAX = 4096, CUSTOMERS_KEY_BYTES = 17 };

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
    fixture_assert_clean(&ledger);
    fixture_reopen(&ledger, FIXTURE_MAP_BYTES);
    fixture_assert_clean(&ledger);
    fixture_close(&ledger);
    return 0;
}

static int64_t
at(const char *text)
{
    return fixture_time(text);
}

/* ---- tickets ---- */

static struct fixture_ticket
complaint(const char *id, const char *accepted_at)
{
    return (struct fixture_ticket){.id = id,
                                   .at = accepted_at,
                                   .caller = "19900000001",
                                   .customer = "9900000001",
                                   .unit = UNIT_COUNTY,
                                   .text = "电压低",
                                   .type = TICKET_TYPE_COMPLAINT,
                                   .category = TICKET_CATEGORY_QUALITY,
                                   .subcategory = "供电可靠性",
                                   .region = TICKET_REGION_URBAN};
}

static void
put(const struct fixture_ticket *ticket)
{
    assert_int_equal(
        fixture_ticket(&ledger, at(ticket->at) + US_PER_MINUTE, ticket),
        LEDGER_ACCEPTED);
}

static void
put_event(const char *id, enum event_kind kind, const char *when)
{
    assert_int_equal(fixture_event(&ledger, at(when) + US_PER_MINUTE,
                                   &(struct fixture_event){
                                       .id = id, .kind = kind, .at = when}),
                     LEDGER_ACCEPTED);
}

/* A ticket that was closed the next day. */
static void
put_closed(const char *id, const char *accepted_at, const char *closed_at)
{
    struct fixture_ticket ticket = complaint(id, accepted_at);

    put(&ticket);
    put_event(id, EVENT_KIND_CLOSED, closed_at);
}

static uint64_t
number_of(const char *id)
{
    struct reader reader;
    struct err err = {0};
    uint64_t number;

    assert_int_equal(reader_begin(ledger.store, &reader, &err), ERR_OK);
    number = reader_find_id(&reader, ledger_ids(ledger.ledger), span_of(id));
    assert_int_equal(number, reader_find_id(&reader, NULL, span_of(id)));
    reader_end(&reader);
    return number;
}

/* ---- a run, as server/upkeep/expire.c makes it ---- */

struct list {
    struct reader reader;
    struct ledger_expire mark;
    uint64_t numbers[LIST_MAX];
    size_t count;
    size_t max;
    int64_t after_us;
    uint64_t after;
    bool any;
};

static bool
list_ticket(void *data, int64_t accepted_at_us, uint64_t number)
{
    struct list *list = data;
    struct ticket_state state;
    struct err err = {0};

    assert_true(reader_state(&list->reader, number, &state, &err));
    list->any = true;
    list->after_us = accepted_at_us;
    list->after = number;
    if (ledger_may_expire(&state, list->mark.before_us, list->mark.open_too)) {
        list->numbers[list->count++] = number;
    }
    return list->count < list->max;
}

static void
begin_step(struct list *list)
{
    struct err err = {0};

    /* The clock stands still: no tick. */
    list->count = 0;
    list->any = false;
    assert_int_equal(reader_begin(ledger.store, &list->reader, &err), ERR_OK);
}

static void
begin_batch(struct list *list)
{
    int64_t tick_us = reader_tick_us(&list->reader);

    reader_end(&list->reader);
    fixture_begin(&ledger, tick_us);
}

static void
put_mark(struct list *list)
{
    struct err err = {0};

    assert_int_equal(ledger_put_expire(ledger.ledger, &list->mark, &err),
                     ERR_OK);
}

static void
expire_listed(struct list *list)
{
    struct err err = {0};

    for (size_t i = 0; i < list->count; i++) {
        enum ledger_expired outcome;

        if (ledger_expire_ticket(ledger.ledger, list->numbers[i], &list->mark,
                                 &outcome, &err) != ERR_OK) {
            fail_msg("%s", err.detail);
        }
        list->mark.tickets += outcome == LEDGER_EXPIRED;
        list->mark.named += outcome == LEDGER_EXPIRED_NAMED;
    }
    put_mark(list);
}

static void
list_tickets(struct list *list)
{
    struct err err = {0};

    begin_step(list);
    assert_int_equal(reader_tickets(&list->reader, INT64_MIN,
                                    list->mark.before_us, list->after_us,
                                    list->after, true, list_ticket, list, &err),
                     ERR_OK);
}

static void
expire_persons(struct list *list)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    struct err err = {0};
    static char keys[LIST_MAX][CUSTOMERS_KEY_BYTES];
    struct ledger_expire mark;

    begin_step(list);
    (void)reader_expire(&list->reader, &mark, &err);
    assert_int_equal(mdb_cursor_open(list->reader.txn,
                                     ledger.store->db[STORE_CUSTOMERS],
                                     &cursor),
                     0);
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        assert_int_equal(key.mv_size, CUSTOMERS_KEY_BYTES);
        if (ledger_person_is_over((struct span){key.mv_data, key.mv_size},
                                  (struct span){value.mv_data, value.mv_size},
                                  mark.horizon_us) &&
            list->count < LIST_MAX) {
            memcpy(keys[list->count++], key.mv_data, key.mv_size);
        }
    }
    mdb_cursor_close(cursor);
    begin_batch(list);
    for (size_t i = 0; i < list->count; i++) {
        assert_int_equal(ledger_expire_person(
                             ledger.ledger,
                             (struct span){keys[i], CUSTOMERS_KEY_BYTES}, &err),
                         ERR_OK);
    }
    put_mark(list);
    fixture_commit(&ledger);
}

static void
expire_events(struct list *list)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    struct err err = {0};

    begin_step(list);
    assert_int_equal(mdb_cursor_open(list->reader.txn,
                                     ledger.store->db[STORE_WAITING], &cursor),
                     0);
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        struct byte_reader r =
            byte_reader_on((char *)key.mv_data + key.mv_size - 8, 8);

        if (((char *)key.mv_data)[key.mv_size - 9] == 'e') {
            list->numbers[list->count++] = get_be64(&r);
        }
    }
    mdb_cursor_close(cursor);
    begin_batch(list);
    for (size_t i = 0; i < list->count; i++) {
        bool gone;

        assert_int_equal(ledger_expire_event(ledger.ledger, list->numbers[i],
                                             &list->mark, &gone, &err),
                         ERR_OK);
        list->mark.events += gone;
    }
    put_mark(list);
    fixture_commit(&ledger);
}

/* The bytes of all counters; release. */
static void
take_counters(struct buf *out)
{
    struct reader reader;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    struct err err = {0};

    buf_init(out, 64 << 20);
    assert_int_equal(reader_begin(ledger.store, &reader, &err), ERR_OK);
    assert_int_equal(
        mdb_cursor_open(reader.txn, ledger.store->db[STORE_COUNTERS], &cursor),
        0);
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        buf_put(out, key.mv_data, key.mv_size);
        buf_put(out, value.mv_data, value.mv_size);
    }
    mdb_cursor_close(cursor);
    reader_end(&reader);
}

/* Take everything out that may go, `step` tickets a batch; every counter must
 * stay. Returns how many went. */
static uint64_t
expire(int64_t before_us, bool open_too, size_t step)
{
    static struct list list;
    struct buf before;
    struct buf after;

    list = (struct list){.mark = {.before_us = before_us, .open_too = open_too},
                         .max = step};
    take_counters(&before);
    for (;;) {
        list_tickets(&list);
        if (!list.any) {
            reader_end(&list.reader);
            break;
        }
        begin_batch(&list);
        expire_listed(&list);
        fixture_commit(&ledger);
    }
    expire_events(&list);
    expire_persons(&list);
    take_counters(&after);
    assert_int_equal(before.bytes, after.bytes);
    assert_memory_equal(before.data, after.data, before.bytes);
    buf_release(&before);
    buf_release(&after);
    fixture_assert_clean(&ledger);
    return list.mark.tickets;
}

static uint64_t
expire_before(const char *date)
{
    return expire(at(date), false, 256);
}

/* ---- which ---- */

static int
format_of_store(void)
{
    struct span value = {NULL, 0};
    struct reader reader;
    struct err err = {0};
    int format;

    assert_int_equal(reader_begin(ledger.store, &reader, &err), ERR_OK);
    assert_true(store_get(ledger.store, reader.txn, STORE_META,
                          SPAN_LITERAL("format"), &value, &err));
    format = value.data[0];
    reader_end(&reader);
    return format;
}

static void
closed_tickets_of_before_the_date_go_and_numbers_stay(void **state)
{
    (void)state;
    put_closed("OLD", "2018-01-02 09:00:00", "2018-01-03 09:00:00");
    put_closed("NEW", "2018-05-02 09:00:00", "2018-05-03 09:00:00");
    assert_int_equal(expire_before("2018-01-01 00:00:00"), 0);
    assert_int_equal(format_of_store(), 1);
    assert_int_equal(expire_before("2018-05-02 09:00:00"), 1);
    assert_int_equal(format_of_store(), 2);
    assert_int_equal(number_of("OLD"), 0);
    assert_int_not_equal(number_of("NEW"), 0);
    assert_int_equal(
        fixture_count(&ledger, NULL, TALLY_ALL, 0, COUNTER_received), 2);
    assert_int_equal(
        fixture_count(&ledger, UNIT_COUNTY, TALLY_ALL, 0, COUNTER_closed), 2);
    assert_int_equal(expire_before("2018-05-02 09:00:00"), 0);
}

static void
open_tickets_stay_unless_asked_for_and_never_with_a_running_clock(void **state)
{
    struct fixture_ticket open = complaint("OPEN", "2018-01-02 09:00:00");
    struct fixture_ticket late = complaint("LATE", "2018-06-30 09:00:00");

    (void)state;
    put(&open);
    put(&late);
    assert_int_equal(expire_before("2018-07-30 09:00:00"), 0);
    assert_int_equal(expire(at("2018-07-30 09:00:00"), true, 256), 1);
    assert_int_equal(number_of("OPEN"), 0);
    assert_int_not_equal(number_of("LATE"), 0); /* its clocks run */
    assert_true(fixture_state(&ledger, "LATE").clock_count > 0);
}

static void
a_ticket_that_another_names_stays_as_long_as_that_one(void **state)
{
    struct fixture_ticket namer = complaint("B", "2018-08-01 09:00:00");

    (void)state;
    put_closed("A", "2018-01-02 09:00:00", "2018-01-03 09:00:00");
    namer.related = "A";
    put(&namer);
    assert_int_equal(expire_before("2018-06-01 00:00:00"), 0);
    assert_int_not_equal(number_of("A"), 0);
    put_event("B", EVENT_KIND_CLOSED, "2018-08-02 09:00:00");
    assert_int_equal(expire_before("2018-12-01 00:00:00"), 2);
}

static void
versions_and_events_go_with_their_ticket(void **state)
{
    struct fixture_ticket ticket = complaint("A", "2018-01-02 09:00:00");
    struct fsck_result result;

    (void)state;
    put(&ticket);
    ticket.customer = "9900000002";
    ticket.caller = "19900000002";
    assert_int_equal(
        fixture_ticket(&ledger, at("2018-01-02 10:00:00"), &ticket),
        LEDGER_UPDATED);
    put_event("A", EVENT_KIND_DISPATCHED, "2018-01-02 11:00:00");
    put_event("A", EVENT_KIND_CLOSED, "2018-01-03 11:00:00");
    assert_int_equal(expire_before("2018-06-01 00:00:00"), 1);
    assert_int_equal(fixture_fsck(&ledger, true, &result), 0);
    assert_int_equal(result.records, 0);
    assert_int_equal(result.expired, 1);
    assert_true(result.kept_cells > 0);
    assert_int_equal(numbers_count(ledger_ids(ledger.ledger)), 0);
    /* Its keys begin a new chain. */
    ticket = complaint("B", "2018-07-02 09:00:00");
    put(&ticket);
    assert_int_equal(fixture_state(&ledger, "B").links[0].previous_number, 0);
}

/* ---- what is sent again ---- */

static void
what_may_have_been_counted_is_refused_and_what_is_there_goes_on(void **state)
{
    struct fixture_ticket again = complaint("OLD", "2018-01-02 09:00:00");
    struct fixture_ticket other = complaint("NEVER", "2018-04-30 23:59:59");
    struct fixture_ticket open = complaint("OPEN", "2018-01-05 09:00:00");
    struct fixture_ticket later = complaint("LATER", "2018-05-01 00:00:00");
    struct ticket_event event = {.id = SPAN_LITERAL("OLD"),
                                 .kind = EVENT_KIND_URGED,
                                 .at_us = at("2018-02-01 00:00:00")};
    enum ledger_outcome outcome;
    struct err err = {0};

    (void)state;
    put_closed("OLD", "2018-01-02 09:00:00", "2018-01-03 09:00:00");
    put(&open);
    assert_int_equal(expire_before("2018-05-01 00:00:00"), 1);
    fixture_reopen(&ledger, FIXTURE_MAP_BYTES);
    fixture_begin(&ledger, at("2018-08-01 00:00:00"));
    assert_int_equal(fixture_try_ticket(&ledger, &again, &outcome, &err),
                     ERR_EXPIRED);
    err = (struct err){0};
    assert_int_equal(fixture_try_ticket(&ledger, &other, &outcome, &err),
                     ERR_EXPIRED);
    err = (struct err){0};
    assert_int_equal(ledger_put_event(ledger.ledger, &event, &outcome, &err),
                     ERR_EXPIRED);
    err = (struct err){0};
    event.at_us = at("2018-06-01 00:00:00");
    assert_int_equal(ledger_put_event(ledger.ledger, &event, &outcome, &err),
                     ERR_OK);
    assert_int_equal(outcome, LEDGER_WAITING);
    open.text = "电压还是低";
    assert_int_equal(fixture_put_ticket(&ledger, &open), LEDGER_UPDATED);
    assert_int_equal(fixture_put_ticket(&ledger, &later), LEDGER_ACCEPTED);
    fixture_commit(&ledger);
    assert_int_equal(
        fixture_count(&ledger, NULL, TALLY_ALL, 0, COUNTER_received), 3);
}

static void
events_that_wait_since_before_the_date_go(void **state)
{
    struct fixture_event event = {
        .id = "NOBODY", .kind = EVENT_KIND_CLOSED, .at = "2018-01-02 09:00:00"};
    struct fsck_result result;

    (void)state;
    (void)fixture_event(&ledger, at("2018-01-02 10:00:00"), &event);
    event.at = "2018-06-02 09:00:00";
    (void)fixture_event(&ledger, at("2018-06-02 10:00:00"), &event);
    assert_int_equal(expire_before("2018-05-01 00:00:00"), 0);
    assert_int_equal(fixture_fsck(&ledger, true, &result), 0);
    assert_int_equal(result.waiting, 1);
}

static void
the_oldest_refused_lines_go_and_numbers_go_on(void **state)
{
    struct list list = {.mark = {.before_us = at("2018-06-01 00:00:00")}};
    struct ledger_reject reject = {.at_us = at("2018-01-02 09:00:00"),
                                   .code = ERR_BAD_JSON,
                                   .source = SPAN_LITERAL("feed"),
                                   .bytes = SPAN_LITERAL("{")};
    struct fsck_result result;
    struct err err = {0};

    (void)state;
    fixture_begin(&ledger, at("2018-06-01 00:00:00"));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ledger_put_reject(ledger.ledger, &reject, &err),
                         ERR_OK);
    }
    fixture_commit(&ledger);
    fixture_begin(&ledger, at("2018-06-01 00:00:00"));
    assert_int_equal(ledger_expire_reject(ledger.ledger, &err), ERR_OK);
    assert_int_equal(ledger_expire_reject(ledger.ledger, &err), ERR_OK);
    put_mark(&list);
    fixture_commit(&ledger);
    fixture_reopen(&ledger, FIXTURE_MAP_BYTES);
    fixture_begin(&ledger, at("2018-06-02 00:00:00"));
    assert_int_equal(ledger_put_reject(ledger.ledger, &reject, &err), ERR_OK);
    fixture_commit(&ledger);
    assert_int_equal(fixture_fsck(&ledger, true, &result), 0);
    assert_int_equal(result.rejects, 2);
}

static void
a_store_that_nothing_went_from_takes_history(void **state)
{
    struct fixture_ticket old = complaint("OLD", "2017-01-05 09:00:00");

    (void)state;
    put_closed("A", "2018-06-02 09:00:00", "2018-06-03 09:00:00");
    assert_int_equal(expire_before("2018-05-01 00:00:00"), 0);
    assert_int_equal(fixture_ticket(&ledger, at("2018-08-01 00:00:00"), &old),
                     LEDGER_ACCEPTED);
}

/* ---- neighbours ---- */

static void
what_a_ticket_repeated_stands_when_that_one_goes(void **state)
{
    struct fixture_ticket third = complaint("C", "2018-02-20 09:00:00");
    struct fixture_ticket much_later = complaint("D", "2018-04-02 09:00:00");
    struct ticket_state second;
    uint64_t first;

    (void)state;
    put_closed("A", "2018-01-20 09:00:00", "2018-01-21 09:00:00");
    put_closed("B", "2018-02-05 09:00:00", "2018-02-06 09:00:00");
    first = number_of("A");
    assert_int_equal(fixture_state(&ledger, "B").repeat_previous, first);
    assert_int_equal(expire_before("2018-02-01 00:00:00"), 1);
    /* It changes, and is judged again. */
    (void)fixture_event(
        &ledger, at("2018-02-10 09:00:00"),
        &(struct fixture_event){.id = "B",
                                .kind = EVENT_KIND_CORRECTED,
                                .at = "2018-02-10 08:00:00",
                                .category = TICKET_CATEGORY_QUALITY,
                                .subcategory = "供电可靠性"});
    fixture_assert_clean(&ledger);
    second = fixture_state(&ledger, "B");
    assert_int_equal(second.calls, 2);
    assert_int_equal(second.repeat_previous, first);
    assert_true(second.repeat_call);
    /* What comes new is compared with what is there. */
    put(&third);
    assert_int_equal(fixture_state(&ledger, "C").calls, 2);
    put(&much_later);
    assert_int_equal(fixture_state(&ledger, "D").calls, 1);
    assert_int_equal(fixture_state(&ledger, "B").calls, 2);
}

static void
a_settled_matter_stays_settled(void **state)
{
    struct fixture_ticket second = complaint("B", "2018-02-05 09:00:00");

    (void)state;
    put_closed("A", "2018-01-20 09:00:00", "2018-01-21 09:00:00");
    put_event("A", EVENT_KIND_FINAL_REPLY, "2018-01-22 09:00:00");
    put(&second);
    assert_true(fixture_state(&ledger, "B").repeat_settled);
    assert_int_equal(expire_before("2018-02-01 00:00:00"), 1);
    second.text = "电压还是低";
    assert_int_equal(
        fixture_ticket(&ledger, at("2018-02-06 09:00:00"), &second),
        LEDGER_UPDATED);
    assert_true(fixture_state(&ledger, "B").repeat_settled);
}

static void
a_chain_closes_over_the_ticket_that_goes(void **state)
{
    struct fixture_ticket first = complaint("A", "2018-01-02 09:00:00");
    struct fixture_ticket last = complaint("D", "2018-08-02 09:00:00");
    uint64_t number;

    (void)state;
    put(&first); /* stays open */
    put_closed("B", "2018-01-20 09:00:00", "2018-01-21 09:00:00");
    put_closed("C", "2018-03-20 09:00:00", "2018-03-21 09:00:00");
    put(&last);
    number = number_of("A");
    assert_int_equal(expire_before("2018-06-01 00:00:00"), 2);
    assert_int_equal(fixture_state(&ledger, "D").links[0].previous_number,
                     number);
    fixture_reopen(&ledger, FIXTURE_MAP_BYTES);
    put_closed("E", "2018-09-20 09:00:00", "2018-09-21 09:00:00");
    assert_int_equal(fixture_state(&ledger, "E").links[0].previous_number,
                     number_of("D"));
    /* The head goes: the one before it is the newest. */
    assert_int_equal(expire_before("2018-12-01 00:00:00"), 1);
    put_closed("F", "2018-12-20 09:00:00", "2018-12-21 09:00:00");
    assert_int_equal(fixture_state(&ledger, "F").links[0].previous_number,
                     number_of("D"));
}

/* A phone with so many tickets that not all are compared: those that were not
 * may be all that is left. */
static void
what_was_not_compared_among_too_many_is_not_expected_later(void **state)
{
    struct fixture_ticket first = complaint("T0", "2018-06-10 09:00:00");
    struct fixture_ticket last = complaint("T1", "2018-06-11 09:00:00");
    struct fsck_result result;

    (void)state;
    put(&first);
    for (int i = 0; i < 200; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "H%d", i);
        first = complaint(id, "2018-01-10 09:00:00");
        assert_int_equal(
            fixture_ticket(&ledger, at("2018-06-10 10:00:00"), &first),
            LEDGER_ACCEPTED);
        put_event(id, EVENT_KIND_CLOSED, "2018-01-11 09:00:00");
    }
    put(&last);
    assert_int_equal(fixture_state(&ledger, "T1").calls, 1);
    assert_int_equal(expire_before("2018-05-01 00:00:00"), 200);
    assert_int_equal(fixture_fsck(&ledger, true, &result), 0);
    assert_int_equal(result.repeats_unchecked, 2);
}

/* ---- distinct persons ---- */

static int64_t
quality_customers(enum counter_grain grain, const char *day)
{
    struct counter_cell cell = {
        grain,
        period_first_day(grain == GRAIN_YEAR ? PERIOD_YEAR : PERIOD_MONTH,
                         shanghai_day(at(day))),
        0, 0};
    uint8_t key_bytes[COUNTER_CELL_KEY_BYTES];
    struct span value = {NULL, 0};
    struct byte_reader r;
    struct reader reader;
    struct err err = {0};
    uint32_t slot = 0;
    int64_t count = 0;
    int64_t found = 0;

    counter_cell_key(&cell, key_bytes);
    assert_int_equal(reader_begin(ledger.store, &reader, &err), ERR_OK);
    (void)store_get(ledger.store, reader.txn, STORE_COUNTERS,
                    (struct span){(char *)key_bytes, sizeof(key_bytes)}, &value,
                    &err);
    r = byte_reader_on(value.data, value.bytes);
    while (counter_next_slot(&r, &slot, &count)) {
        if (slot == TALLY_SLOT(TALLY_ALL, 0, COUNTER_quality_customers)) {
            found = count;
        }
    }
    reader_end(&reader);
    return found;
}

static uint64_t
persons(void)
{
    MDB_stat stat;
    MDB_txn *txn;

    assert_int_equal(mdb_txn_begin(ledger.store->env, NULL, MDB_RDONLY, &txn),
                     0);
    assert_int_equal(mdb_stat(txn, ledger.store->db[STORE_CUSTOMERS], &stat),
                     0);
    mdb_txn_abort(txn);
    return stat.ms_entries;
}

static void
a_person_is_counted_once_a_year_also_when_the_first_ticket_went(void **state)
{
    struct fixture_ticket again = complaint("B", "2018-08-02 09:00:00");

    (void)state;
    put_closed("A", "2018-01-02 09:00:00", "2018-01-03 09:00:00");
    assert_int_equal(quality_customers(GRAIN_YEAR, "2018-01-01 00:00:00"), 1);
    assert_int_equal(expire_before("2018-06-01 00:00:00"), 1);
    put(&again);
    assert_int_equal(quality_customers(GRAIN_YEAR, "2018-01-01 00:00:00"), 1);
    assert_int_equal(quality_customers(GRAIN_MONTH, "2018-01-01 00:00:00"), 1);
    assert_int_equal(quality_customers(GRAIN_MONTH, "2018-08-01 00:00:00"), 1);
    /* The year is over and nobody counts in it any more: numbers stay, the
     * list of persons goes. */
    put_event("B", EVENT_KIND_CLOSED, "2018-08-03 09:00:00");
    assert_int_equal(expire_before("2019-01-01 00:00:00"), 1);
    assert_int_equal(persons(), 0);
    assert_int_equal(quality_customers(GRAIN_YEAR, "2018-01-01 00:00:00"), 1);
}

static void
a_person_leaves_only_the_tickets_that_are_there(void **state)
{
    struct fixture_ticket again = complaint("B", "2018-08-02 09:00:00");

    (void)state;
    put_closed("A", "2018-01-02 09:00:00", "2018-01-03 09:00:00");
    put(&again);
    assert_int_equal(expire_before("2018-06-01 00:00:00"), 1);
    /* B turns out to be no quality complaint: A still counts in the year. */
    (void)fixture_event(
        &ledger, at("2018-08-10 09:00:00"),
        &(struct fixture_event){.id = "B",
                                .kind = EVENT_KIND_CORRECTED,
                                .at = "2018-08-10 08:00:00",
                                .category = TICKET_CATEGORY_SERVICE,
                                .subcategory = "服务行为"});
    assert_int_equal(quality_customers(GRAIN_YEAR, "2018-01-01 00:00:00"), 1);
    assert_int_equal(quality_customers(GRAIN_MONTH, "2018-08-01 00:00:00"), 0);
}

/* ---- failures ---- */

static void
a_batch_that_fails_takes_nothing_out(void **state)
{
    static struct list list;
    struct fixture_ticket last = complaint("C", "2018-08-02 09:00:00");

    (void)state;
    put_closed("A", "2018-01-02 09:00:00", "2018-01-03 09:00:00");
    put_closed("B", "2018-01-20 09:00:00", "2018-01-21 09:00:00");
    list = (struct list){.mark = {.before_us = at("2018-06-01 00:00:00")},
                         .max = 256};
    list_tickets(&list);
    begin_batch(&list);
    assert_int_equal(list.count, 2);
    expire_listed(&list);
    ledger_abort(ledger.ledger);
    fixture_assert_clean(&ledger);
    assert_int_not_equal(number_of("A"), 0);
    put(&last);
    assert_int_equal(fixture_state(&ledger, "C").links[0].previous_number,
                     number_of("B"));
    /* The horizon did not move either. */
    last = complaint("D", "2018-05-02 09:00:00");
    assert_int_equal(fixture_ticket(&ledger, at("2018-08-03 00:00:00"), &last),
                     LEDGER_ACCEPTED);
}

static void
fsck_finds_what_expiry_should_not_have_done(void **state)
{
    static const enum store_db dbs[] = {STORE_KEPT, STORE_CUSTOMERS, STORE_IDS};

    (void)state;
    for (size_t i = 0; i < sizeof(dbs) / sizeof(dbs[0]); i++) {
        MDB_cursor *cursor;
        MDB_txn *txn;
        MDB_val key;
        MDB_val value;

        fixture_close(&ledger);
        fixture_open(&ledger, FIXTURE_MAP_BYTES);
        put_closed("A", "2018-01-02 09:00:00", "2018-01-03 09:00:00");
        put_closed("B", "2018-08-20 09:00:00", "2018-08-21 09:00:00");
        assert_int_equal(expire_before("2018-06-01 00:00:00"), 1);
        assert_int_equal(mdb_txn_begin(ledger.store->env, NULL, 0, &txn), 0);
        assert_int_equal(
            mdb_cursor_open(txn, ledger.store->db[dbs[i]], &cursor), 0);
        assert_int_equal(mdb_cursor_get(cursor, &key, &value, MDB_FIRST), 0);
        assert_int_equal(mdb_cursor_del(cursor, 0), 0);
        mdb_cursor_close(cursor);
        assert_int_equal(mdb_txn_commit(txn), 0);
        assert_int_not_equal(fixture_fsck(&ledger, false, NULL), 0);
    }
    fixture_close(&ledger);
    fixture_open(&ledger, FIXTURE_MAP_BYTES);
}

/* Without the slots that only `kept` has. */
static void
drop_own_slots(struct span cell, uint8_t *out, size_t *out_bytes)
{
    struct byte_reader r = byte_reader_on(cell.data, cell.bytes);
    struct byte_writer w = byte_writer_on(out, 64 * 1024);
    uint32_t written = 0;
    uint32_t slot = 0;
    int64_t count;

    while (counter_next_slot(&r, &slot, &count)) {
        if (TALLY_SLOT_COUNTER(slot) < (enum counter)TALLY_KEPT_COMPLAINTS) {
            put_varint(&w, slot - written);
            put_zigzag(&w, count);
            written = slot;
        }
    }
    *out_bytes = byte_writer_used(&w);
}

static void
fsck_compares_what_only_kept_has(void **state)
{
    static uint8_t room[64 * 1024];
    struct counter_cell cell = {GRAIN_DAY,
                                shanghai_day(at("2018-01-02 09:00:00")), 0, 0};
    uint8_t key_bytes[COUNTER_CELL_KEY_BYTES];
    struct span key = {(char *)key_bytes, sizeof(key_bytes)};
    struct span value;
    struct err err = {0};
    size_t bytes;
    MDB_txn *txn;

    (void)state;
    put_closed("A", "2018-01-02 09:00:00", "2018-01-03 09:00:00");
    assert_int_equal(expire_before("2018-06-01 00:00:00"), 1);
    counter_cell_key(&cell, key_bytes);
    assert_int_equal(mdb_txn_begin(ledger.store->env, NULL, 0, &txn), 0);
    assert_true(store_get(ledger.store, txn, STORE_KEPT, key, &value, &err));
    drop_own_slots(value, room, &bytes);
    assert_true(bytes < value.bytes);
    assert_int_equal(store_put(ledger.store, txn, STORE_KEPT, key,
                               (struct span){(char *)room, bytes}, 0, &err),
                     ERR_OK);
    assert_int_equal(mdb_txn_commit(txn), 0);
    /* The day misses a complaint by subcategory; the month has two slots more
     * than its days. */
    assert_int_equal(fixture_fsck(&ledger, false, NULL), 3);
    fixture_close(&ledger);
    fixture_open(&ledger, FIXTURE_MAP_BYTES);
}

/* ---- year after year ---- */

enum { YEARS = 8, YEAR_TICKETS = 900, YEAR_EVENTS = 1800, CALLERS = 60 };

static uint64_t seed = 95598;

static uint32_t
pick(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % below);
}

static void
put_random_ticket(uint32_t year, int64_t from_us, int64_t *last_us)
{
    static const char *const matters[] = {"服务行为", "供电可靠性", "抄表催费"};
    static const enum ticket_category categories[] = {TICKET_CATEGORY_SERVICE,
                                                      TICKET_CATEGORY_QUALITY,
                                                      TICKET_CATEGORY_BUSINESS};
    uint32_t n = pick(YEAR_TICKETS);
    uint32_t matter = pick(3);
    uint32_t caller = pick(4) == 0 ? 0 : pick(CALLERS); /* 0: a platform */
    char id[24];
    char related[24];
    char phone[16];
    char customer[16];
    struct fixture_ticket ticket = {
        .id = id,
        .at_us = from_us + (int64_t)pick(360) * US_PER_DAY +
                 (int64_t)pick(24) * US_PER_HOUR,
        .caller = phone,
        .customer = pick(3) == 0 ? customer : "",
        .unit = UNIT_COUNTY,
        .text = pick(2) == 0 ? "电压低" : "电压很低",
        .related = pick(6) == 0 ? related : "",
        .type = TICKET_TYPE_COMPLAINT,
        .category = categories[matter],
        .subcategory = matters[matter],
        .region = TICKET_REGION_RURAL};
    enum ledger_outcome outcome;
    enum err_code code;
    struct err err = {0};

    (void)snprintf(id, sizeof(id), "Y%u-%u", (unsigned)year, (unsigned)n);
    (void)snprintf(related, sizeof(related), "Y%u-%u",
                   (unsigned)(year - (pick(2) && year > 0)),
                   (unsigned)pick(YEAR_TICKETS));
    (void)snprintf(phone, sizeof(phone), "199000%05u", (unsigned)caller);
    (void)snprintf(customer, sizeof(customer), "99%08u", (unsigned)caller);
    code = fixture_try_ticket(&ledger, &ticket, &outcome, &err);
    if (code != ERR_OK && code != ERR_EXPIRED) {
        fail_msg("%s", err.detail);
    }
    if (ticket.at_us > *last_us) {
        *last_us = ticket.at_us;
    }
}

static void
put_random_event(uint32_t year, int64_t from_us)
{
    static const enum event_kind kinds[] = {
        EVENT_KIND_CLOSED,    EVENT_KIND_CLOSED,      EVENT_KIND_CLOSED,
        EVENT_KIND_CLOSED,    EVENT_KIND_CLOSED,      EVENT_KIND_CLOSED,
        EVENT_KIND_REPLIED,   EVENT_KIND_FINAL_REPLY, EVENT_KIND_URGED,
        EVENT_KIND_CORRECTED, EVENT_KIND_SUSPENDED,   EVENT_KIND_DISPATCHED};
    char id[24];
    struct ticket_event event = {.kind = kinds[pick(12)],
                                 .at_us =
                                     from_us + (int64_t)pick(370) * US_PER_DAY};
    enum ledger_outcome outcome;
    enum err_code code;
    struct err err = {0};

    (void)snprintf(id, sizeof(id), "Y%u-%u",
                   (unsigned)(year - (pick(4) == 0 && year > 0)),
                   (unsigned)pick(YEAR_TICKETS));
    event.id = span_of(id);
    if (event.kind == EVENT_KIND_CORRECTED) {
        event.category = TICKET_CATEGORY_QUALITY;
        event.category_given = true;
        event.subcategory = SPAN_LITERAL("供电可靠性");
    }
    code = ledger_put_event(ledger.ledger, &event, &outcome, &err);
    if (code != ERR_OK && code != ERR_EXPIRED) {
        fail_msg("%s", err.detail);
    }
}

/* One year of tickets and events in batches, some of which fail. */
static void
put_year(uint32_t year, int64_t from_us)
{
    int64_t last_us = from_us;

    for (uint32_t i = 0; i < YEAR_TICKETS + YEAR_EVENTS;) {
        fixture_begin(&ledger, last_us);
        for (uint32_t k = 0; k < 50; k++, i++) {
            if (pick(3) == 0) {
                put_random_ticket(year, from_us, &last_us);
            } else {
                put_random_event(year, from_us);
            }
        }
        if (pick(20) == 0) {
            ledger_abort(ledger.ledger);
        } else {
            fixture_commit(&ledger);
        }
    }
    fixture_begin(&ledger, from_us + 365 * US_PER_DAY);
    fixture_commit(&ledger);
}

static void
year_after_year_every_counter_stays(void **state)
{
    int64_t first_us = at("2010-01-01 00:00:00");
    uint64_t gone = 0;

    (void)state;
    for (uint32_t year = 0; year < YEARS; year++) {
        int64_t from_us = first_us + (int64_t)year * 365 * US_PER_DAY;

        put_year(year, from_us);
        fixture_assert_clean(&ledger);
        gone += expire(from_us - 10 * US_PER_DAY + pick(20) * US_PER_DAY,
                       year % 3 == 2, 1 + pick(100));
        if (pick(2) == 0) {
            fixture_reopen(&ledger, FIXTURE_MAP_BYTES);
        }
    }
    assert_true(gone > YEAR_TICKETS * 3);
}

enum { ROUNDS = 12, ROUND_TICKETS = 2000, ROUND_BATCH = 400 };

/* As many come as go. */
static void
put_round(int round, int64_t from_us)
{
    for (int i = 0; i < ROUND_TICKETS; i++) {
        char id[24];
        char phone[16];
        struct fixture_ticket ticket = {
            .id = id,
            .at_us = from_us + (int64_t)i * US_PER_MINUTE,
            .caller = phone,
            .unit = UNIT_COUNTY,
            .text = "打了三次电话没人来，家里老人用制氧机，急死人了",
            .type = TICKET_TYPE_FAULT};
        struct fixture_event closed = {.id = id,
                                       .kind = EVENT_KIND_CLOSED,
                                       .at_us = ticket.at_us + US_PER_HOUR};

        (void)snprintf(id, sizeof(id), "R%02d-%d", round, i);
        (void)snprintf(phone, sizeof(phone), "199%08d", i * 7919 % 1500);
        if (i % ROUND_BATCH == 0) {
            fixture_begin(&ledger, ticket.at_us);
        }
        (void)fixture_put_ticket(&ledger, &ticket);
        (void)fixture_put_event(&ledger, &closed);
        if (i % ROUND_BATCH == ROUND_BATCH - 1) {
            fixture_commit(&ledger);
        }
    }
}

static void
the_file_does_not_grow_while_as_much_goes_as_comes(void **state)
{
    int64_t from_us = at("2018-01-01 00:00:00");
    uint64_t used_bytes[ROUNDS];
    uint64_t map_bytes;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        put_round(round, from_us + (int64_t)round * 2 * US_PER_DAY);
        if (round > 0) {
            assert_int_equal(
                expire(from_us + (int64_t)round * 2 * US_PER_DAY, false, 256),
                ROUND_TICKETS);
        }
        store_usage(ledger.store, &used_bytes[round], &map_bytes);
    }
    print_message("KiB after each round:");
    for (int round = 0; round < ROUNDS; round++) {
        print_message(" %llu", (unsigned long long)used_bytes[round] / 1024);
    }
    print_message("\n");
    assert_true(used_bytes[ROUNDS - 1] < used_bytes[2] * 11 / 10);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(closed_tickets_of_before_the_date_go_and_numbers_stay),
        CASE(open_tickets_stay_unless_asked_for_and_never_with_a_running_clock),
        CASE(a_ticket_that_another_names_stays_as_long_as_that_one),
        CASE(versions_and_events_go_with_their_ticket),
        CASE(what_may_have_been_counted_is_refused_and_what_is_there_goes_on),
        CASE(events_that_wait_since_before_the_date_go),
        CASE(the_oldest_refused_lines_go_and_numbers_go_on),
        CASE(a_store_that_nothing_went_from_takes_history),
        CASE(what_a_ticket_repeated_stands_when_that_one_goes),
        CASE(a_settled_matter_stays_settled),
        CASE(a_chain_closes_over_the_ticket_that_goes),
        CASE(what_was_not_compared_among_too_many_is_not_expected_later),
        CASE(a_person_is_counted_once_a_year_also_when_the_first_ticket_went),
        CASE(a_person_leaves_only_the_tickets_that_are_there),
        CASE(a_batch_that_fails_takes_nothing_out),
        CASE(fsck_finds_what_expiry_should_not_have_done),
        CASE(fsck_compares_what_only_kept_has),
        CASE(year_after_year_every_counter_stays),
        CASE(the_file_does_not_grow_while_as_much_goes_as_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
