/* Log records as bytes, and the hashes that tell a duplicate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "server/ledger/record.h"

static uint8_t room[RECORD_BYTES_MAX];

static struct record
ticket_record(void)
{
    struct record record = {
        .kind = RECORD_TICKET,
        .number = 300,
        .previous = 7,
        .received_at_us = -1,
        .ticket = {.id = SPAN_LITERAL("2018010100000001"),
                   .caller = SPAN_LITERAL("19900000001"),
                   .customer = SPAN_LITERAL("9900000001"),
                   .name = SPAN_LITERAL("张"),
                   .address = SPAN_LITERAL("幸福花园3号楼"),
                   .unit = SPAN_LITERAL("甲/乙"),
                   .text = SPAN_LITERAL("停电"),
                   .related = SPAN_LITERAL("2017"),
                   .extra = SPAN_LITERAL("\"a\":1"),
                   .accepted_at_us = INT64_C(1514768662000000),
                   .type = TICKET_TYPE_COMPLAINT,
                   .channel = TICKET_CHANNEL_12345,
                   .region = TICKET_REGION_REMOTE},
        .verdict = {.dictionary_id = 1,
                    .category = TICKET_CATEGORY_OUTAGE,
                    .runner_up = TICKET_CATEGORY_GRID,
                    .secondary = 6,
                    .subcategory_id = 300,
                    .topic_id = 301,
                    .matter_id = 302,
                    .confidence_permille = 987,
                    .flags = VERDICT_MULTI_TOPIC,
                    .region = TICKET_REGION_RURAL,
                    .region_evidence = {.rule = SPAN_LITERAL("town"),
                                        .start = 1,
                                        .end = 3},
                    .evidence_count = 1,
                    .evidence = {{.rule = SPAN_LITERAL("outage.1"),
                                  .start = 0,
                                  .end = 2,
                                  .weight = -250,
                                  .field = EVIDENCE_TEXT,
                                  .category = TICKET_CATEGORY_OUTAGE}}}};

    return record;
}

static struct record
event_record(void)
{
    struct record record = {
        .kind = RECORD_EVENT,
        .received_at_us = 5,
        .event = {.id = SPAN_LITERAL("A"),
                  .subcategory = SPAN_LITERAL("抢修服务"),
                  .reason = SPAN_LITERAL("r"),
                  .by = SPAN_LITERAL("b"),
                  .extra = SPAN_LITERAL("\"x\":2"),
                  .at_us = 12345678,
                  .kind = EVENT_KIND_CORRECTED,
                  .satisfaction = EVENT_SATISFACTION_NEUTRAL,
                  .substantiated = EVENT_SUBSTANTIATED_PARTLY,
                  .region = TICKET_REGION_URBAN,
                  .category = TICKET_CATEGORY_GRID,
                  .category_given = true}};

    return record;
}

static struct span
encode(const struct record *record)
{
    struct byte_writer w = byte_writer_on(room, sizeof(room));

    record_encode(record, &w);
    assert_false(w.failed);
    return (struct span){(char *)room, byte_writer_used(&w)};
}

static void
a_ticket_comes_back_as_it_was(void **state)
{
    struct record record = ticket_record();
    struct record back;
    struct span bytes = encode(&record);

    (void)state;
    assert_true(record_decode(bytes, &back));
    assert_int_equal(back.kind, RECORD_TICKET);
    assert_int_equal(back.number, 300);
    assert_int_equal(back.previous, 7);
    assert_int_equal(back.received_at_us, -1);
    assert_int_equal(record_ticket_hash(&back.ticket),
                     record_ticket_hash(&record.ticket));
    assert_true(span_equal(back.ticket.extra, record.ticket.extra));
    assert_int_equal(back.verdict.confidence_permille, 987);
    assert_int_equal(back.verdict.evidence_count, 1);
    assert_int_equal(back.verdict.evidence[0].weight, -250);
    assert_true(span_is(back.verdict.region_evidence.rule, "town"));
    assert_true(span_is(record_peek_id(bytes), "2018010100000001"));
}

static void
an_event_comes_back_as_it_was(void **state)
{
    struct record record = event_record();
    struct record back;
    struct span bytes = encode(&record);

    (void)state;
    assert_true(record_decode(bytes, &back));
    assert_int_equal(record_event_hash(&back.event),
                     record_event_hash(&record.event));
    assert_true(span_is(back.event.subcategory, "抢修服务"));
    assert_true(back.event.category_given);
    assert_int_equal(record_peek_id(bytes).bytes, 0);
}

static void
no_beginning_of_a_record_and_nothing_behind_it_is_taken(void **state)
{
    struct record records[2] = {ticket_record(), event_record()};
    struct record back;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct span bytes = encode(&records[i]);
        size_t whole = bytes.bytes;

        for (bytes.bytes = 0; bytes.bytes < whole; bytes.bytes++) {
            /* A copy of its own size, so that reading on is seen. */
            char *copy = malloc(bytes.bytes + 1);

            assert_non_null(copy);
            memcpy(copy, bytes.data, bytes.bytes);
            assert_false(
                record_decode((struct span){copy, bytes.bytes}, &back));
            (void)record_peek_id((struct span){copy, bytes.bytes});
            free(copy);
        }
        room[whole] = 0;
        bytes.bytes = whole + 1;
        assert_false(record_decode(bytes, &back));
    }
}

static void
a_record_that_does_not_fit_is_refused(void **state)
{
    struct record record = ticket_record();
    uint8_t small[100];
    struct byte_writer w = byte_writer_on(small, sizeof(small));

    (void)state;
    record_encode(&record, &w);
    assert_true(w.failed);
}

#define OTHER_TICKET(change)                                                   \
    do {                                                                       \
        struct ticket other = record.ticket;                                   \
        change;                                                                \
        assert_int_not_equal(record_ticket_hash(&other),                       \
                             record_ticket_hash(&record.ticket));              \
    } while (0)

static void
every_field_a_sender_gives_tells_a_version_from_a_duplicate(void **state)
{
    struct record record = ticket_record();

    (void)state;
    OTHER_TICKET(other.id = SPAN_LITERAL("x"));
    OTHER_TICKET(other.caller = SPAN_LITERAL("x"));
    OTHER_TICKET(other.customer = SPAN_LITERAL("x"));
    OTHER_TICKET(other.name = SPAN_LITERAL("x"));
    OTHER_TICKET(other.address = SPAN_LITERAL("x"));
    OTHER_TICKET(other.unit = SPAN_LITERAL("x"));
    OTHER_TICKET(other.text = SPAN_LITERAL("x"));
    OTHER_TICKET(other.related = SPAN_LITERAL("x"));
    OTHER_TICKET(other.extra = SPAN_LITERAL("x"));
    OTHER_TICKET(other.accepted_at_us++);
    OTHER_TICKET(other.type = TICKET_TYPE_FAULT);
    OTHER_TICKET(other.channel = TICKET_CHANNEL_APP);
    OTHER_TICKET(other.region = TICKET_REGION_URBAN);
    /* A word that moves from one field to the next is another ticket. */
    OTHER_TICKET(other.caller = record.ticket.customer;
                 other.customer = record.ticket.caller);
}

#define OTHER_EVENT(change)                                                    \
    do {                                                                       \
        struct ticket_event other = record.event;                              \
        change;                                                                \
        assert_int_not_equal(record_event_hash(&other),                        \
                             record_event_hash(&record.event));                \
    } while (0)

static void
every_field_of_an_event_tells_it_from_another(void **state)
{
    struct record record = event_record();

    (void)state;
    OTHER_EVENT(other.at_us++);
    OTHER_EVENT(other.kind = EVENT_KIND_CLOSED);
    OTHER_EVENT(other.satisfaction = EVENT_SATISFACTION_SATISFIED);
    OTHER_EVENT(other.substantiated = EVENT_SUBSTANTIATED_NO);
    OTHER_EVENT(other.region = TICKET_REGION_RURAL);
    OTHER_EVENT(other.category = TICKET_CATEGORY_OUTAGE);
    OTHER_EVENT(other.subcategory = SPAN_LITERAL("x"));
    OTHER_EVENT(other.reason = SPAN_LITERAL("x"));
    OTHER_EVENT(other.by = SPAN_LITERAL("x"));
    OTHER_EVENT(other.extra = SPAN_LITERAL("x"));
    OTHER_EVENT(other.by = record.event.reason; other.reason = record.event.by);
}

static void
numbers_of_any_size_come_back_through_varints(void **state)
{
    const uint64_t values[] = {
        0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
    uint8_t bytes[64];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));
        struct byte_reader r;

        put_varint(&w, values[i]);
        put_zigzag(&w, (int64_t)values[i]);
        put_be_time(&w, (int64_t)values[i]);
        r = byte_reader_on(bytes, byte_writer_used(&w));
        assert_true(get_varint(&r) == values[i]);
        assert_true(get_zigzag(&r) == (int64_t)values[i]);
        assert_true(get_be_time(&r) == (int64_t)values[i]);
        assert_false(r.failed);
    }
    memset(bytes, 0xFF, sizeof(bytes));
    {
        struct byte_reader r = byte_reader_on(bytes, sizeof(bytes));

        (void)get_varint(&r); /* more than 64 bits */
        assert_true(r.failed);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_any_size_come_back_through_varints),
        cmocka_unit_test(a_ticket_comes_back_as_it_was),
        cmocka_unit_test(an_event_comes_back_as_it_was),
        cmocka_unit_test(
            no_beginning_of_a_record_and_nothing_behind_it_is_taken),
        cmocka_unit_test(a_record_that_does_not_fit_is_refused),
        cmocka_unit_test(
            every_field_a_sender_gives_tells_a_version_from_a_duplicate),
        cmocka_unit_test(every_field_of_an_event_tells_it_from_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
