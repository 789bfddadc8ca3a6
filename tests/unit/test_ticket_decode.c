/* Records by the contract: each field, each refusal, and what stays unsaid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "server/decode/ticket_decode.h"

struct fixture {
    struct decoder *decoder;
    struct arena arena;
    struct decoded out;
    struct err err;
};

static int
set_up(void **state)
{
    static struct fixture fixture;
    struct err err = {0};

    arena_init(&fixture.arena, 64 * 1024);
    *state = &fixture;
    return decode_new(&fixture.decoder, &err) == ERR_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    decode_free(&fixture->decoder);
    arena_release(&fixture->arena);
    return 0;
}

static enum err_code
decode(struct fixture *fixture, const char *line)
{
    arena_reset(&fixture->arena);
    fixture->err = (struct err){0};
    return decode_json(fixture->decoder, span_of(line), &fixture->arena,
                       &fixture->out, &fixture->err);
}

static const struct ticket *
ticket(struct fixture *fixture, const char *line)
{
    if (decode(fixture, line) != ERR_OK) {
        fail_msg("%s: %s: %s", line, fixture->err.field, fixture->err.detail);
    }
    assert_int_equal(fixture->out.kind, DECODED_TICKET);
    return &fixture->out.ticket;
}

static const struct ticket_event *
event(struct fixture *fixture, const char *line)
{
    if (decode(fixture, line) != ERR_OK) {
        fail_msg("%s: %s: %s", line, fixture->err.field, fixture->err.detail);
    }
    assert_int_equal(fixture->out.kind, DECODED_EVENT);
    return &fixture->out.event;
}

static void
refuse(struct fixture *fixture,
       const char *line,
       enum err_code code,
       const char *field,
       const char *part)
{
    enum err_code got = decode(fixture, line);

    if (got != code || strcmp(fixture->err.field, field) != 0 ||
        strstr(fixture->err.detail, part) == NULL) {
        fail_msg("%s: %s, field '%s': '%s' does not say '%s'", line,
                 err_code_name(got), fixture->err.field, fixture->err.detail,
                 part);
    }
}

#define AT "\"accepted_at\":\"2018-01-01T09:04:22+08:00\""

static void
every_field_of_a_ticket_arrives(void **state)
{
    const struct ticket *got = ticket(
        *state, "{\"id\":\"2018010184235843\",\"type\":\"complaint\","
                "\"channel\":\"12345\"," AT ",\"caller\":\"19900001708\","
                "\"customer\":\"9959248923\",\"name\":\"王\",\"address\":\"a\","
                "\"unit\":\"省/市\",\"region\":\"remote\",\"text\":\" x\\ny \","
                "\"related\":\"2017\",\"mood\":{\"a\" : 1},\"n\":1.50}");

    assert_true(span_is(got->id, "2018010184235843"));
    assert_int_equal(got->type, TICKET_TYPE_COMPLAINT);
    assert_int_equal(got->channel, TICKET_CHANNEL_12345);
    assert_int_equal(got->region, TICKET_REGION_REMOTE);
    assert_true(got->accepted_at_us == INT64_C(1514768662000000));
    assert_true(span_is(got->caller, "19900001708"));
    assert_true(span_is(got->customer, "9959248923"));
    assert_true(span_is(got->name, "王"));
    assert_true(span_is(got->address, "a"));
    assert_true(span_is(got->unit, "省/市"));
    assert_true(span_is(got->text, " x\ny "));
    assert_true(span_is(got->related, "2017"));
    assert_true(span_is(got->extra, "\"mood\":{\"a\" : 1},\"n\":1.50"));
}

static void
three_fields_are_enough_and_the_rest_has_defaults(void **state)
{
    const struct ticket *got =
        ticket(*state, "{\"text\":\"\",\"accepted_at\":\"2018-01-01 09:04:22\","
                       "\"id\":\" 7 \",\"caller\":\"\",\"type\":null,"
                       "\"channel\":\" \",\"event\":null}");

    assert_true(span_is(got->id, "7"));
    assert_int_equal(got->type, TICKET_TYPE_UNKNOWN);
    assert_int_equal(got->channel, TICKET_CHANNEL_95598);
    assert_int_equal(got->region, TICKET_REGION_UNKNOWN);
    assert_null(got->caller.data);
    assert_non_null(got->text.data);
    assert_int_equal(got->text.bytes, 0);
    /* `event` is no field of a ticket, but null is nothing */
    assert_true(span_is(got->extra, "\"event\":null"));
}

static void
chinese_words_are_read(void **state)
{
    const struct ticket *got =
        ticket(*state, "{\"id\":\"1\"," AT ",\"text\":\"\",\"type\":\"投诉\","
                       "\"channel\":\"营业厅\",\"region\":\"农村\"}");
    const struct ticket_event *event_got;

    assert_int_equal(got->type, TICKET_TYPE_COMPLAINT);
    assert_int_equal(got->channel, TICKET_CHANNEL_HALL);
    assert_int_equal(got->region, TICKET_REGION_RURAL);
    event_got = event(*state, "{\"id\":\"1\",\"event\":\"派发\","
                              "\"at\":\"2018-01-01 09:00\"}");
    assert_int_equal(event_got->kind, EVENT_KIND_DISPATCHED);
}

static void
numbers_are_taken_for_their_digits_where_numbers_are_written(void **state)
{
    struct fixture *fixture = *state;
    const struct ticket *got =
        ticket(fixture, "{\"id\":20180101123456789012," AT ",\"text\":\"\","
                        "\"caller\":19900001708,\"channel\":12398,"
                        "\"unit\":33401,\"customer\":9959248923}");

    assert_true(span_is(got->id, "20180101123456789012"));
    assert_true(span_is(got->caller, "19900001708"));
    assert_true(span_is(got->unit, "33401"));
    assert_int_equal(got->channel, TICKET_CHANNEL_12398);
    refuse(fixture, "{\"id\":2.01801E+15," AT ",\"text\":\"\"}", ERR_BAD_VALUE,
           "id", "'2.01801E+15'");
    refuse(fixture, "{\"id\":-5," AT ",\"text\":\"\"}", ERR_BAD_VALUE, "id",
           "digits alone");
}

static void
an_object_with_an_event_is_an_event(void **state)
{
    struct fixture *fixture = *state;
    const struct ticket_event *got =
        event(fixture,
              "{\"id\":\"1\",\"event\":\"revisited\","
              "\"at\":\"2018-01-01T00:00:00Z\",\"satisfaction\":"
              "\"dissatisfied\",\"reason\":\"r\",\"by\":\"b\",\"text\":\"t\"}");

    assert_int_equal(got->kind, EVENT_KIND_REVISITED);
    assert_true(got->at_us == INT64_C(1514764800000000));
    assert_int_equal(got->satisfaction, EVENT_SATISFACTION_DISSATISFIED);
    assert_true(span_is(got->reason, "r"));
    assert_true(span_is(got->by, "b"));
    assert_true(span_is(got->extra, "\"text\":\"t\""));
    assert_false(got->category_given);
    got =
        event(fixture, "{\"id\":\"1\",\"event\":\"verified\","
                       "\"at\":\"2018-01-01\",\"substantiated\":\"部分属实\"}");
    assert_int_equal(got->substantiated, EVENT_SUBSTANTIATED_PARTLY);
}

static void
a_correction_says_what_is_corrected(void **state)
{
    struct fixture *fixture = *state;
    const struct ticket_event *got =
        event(fixture, "{\"id\":\"1\",\"event\":\"corrected\","
                       "\"at\":\"2018-01-01\",\"category\":\"none\"}");

    assert_true(got->category_given);
    assert_int_equal(got->category, TICKET_CATEGORY_NONE);
    got = event(fixture, "{\"id\":\"1\",\"event\":\"改判\","
                         "\"at\":\"2018-01-01\",\"category\":\"停送电投诉\"}");
    assert_int_equal(got->category, TICKET_CATEGORY_OUTAGE);
    got = event(fixture, "{\"id\":\"1\",\"event\":\"corrected\","
                         "\"at\":\"2018-01-01\",\"subcategory\":\"抢修服务\"}");
    assert_false(got->category_given);
    assert_true(span_is(got->subcategory, "抢修服务"));
    refuse(fixture,
           "{\"id\":\"1\",\"event\":\"corrected\",\"at\":\"2018-01-01\"}",
           ERR_MISSING_FIELD, "category", "a correction needs");
    refuse(fixture,
           "{\"id\":\"1\",\"event\":\"corrected\",\"at\":\"2018-01-01\","
           "\"category\":\"complaint\"}",
           ERR_BAD_CATEGORY, "category",
           "'complaint': not one of none, service, business, outage, quality, "
           "grid");
}

static void
required_fields_are_missed_by_name(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "{" AT ",\"text\":\"\"}", ERR_MISSING_FIELD, "id",
           "work-order number");
    refuse(fixture, "{\"id\":\"\"," AT ",\"text\":\"\"}", ERR_MISSING_FIELD,
           "id", "work-order number");
    refuse(fixture, "{\"id\":null," AT ",\"text\":\"\"}", ERR_MISSING_FIELD,
           "id", "");
    refuse(fixture, "{\"id\":\"1\",\"text\":\"\"}", ERR_MISSING_FIELD,
           "accepted_at", "2018-01-31T09:05:00+08:00");
    refuse(fixture, "{\"id\":\"1\"," AT "}", ERR_MISSING_FIELD, "text",
           "may be empty");
    refuse(fixture, "{\"id\":\"1\"," AT ",\"text\":null}", ERR_MISSING_FIELD,
           "text", "");
    refuse(fixture, "{\"id\":\"1\",\"event\":\"closed\"}", ERR_MISSING_FIELD,
           "at", "required");
    refuse(fixture, "{\"id\":\"1\",\"event\":\"\",\"at\":\"2018-01-01\"}",
           ERR_MISSING_FIELD, "event", "required");
    refuse(fixture, "{}", ERR_MISSING_FIELD, "id", "");
}

static void
a_thirteenth_month_is_refused_with_its_value(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture,
           "{\"id\":\"77\",\"accepted_at\":\"2018-13-01 00:00:00\","
           "\"text\":\"\"}",
           ERR_BAD_TIME, "accepted_at",
           "'2018-13-01 00:00:00': there is no month 13");
    assert_true(
        span_is(decode_error_value(fixture->decoder), "2018-13-01 00:00:00"));
    assert_true(span_is(decode_error_id(fixture->decoder), "77"));
    refuse(fixture,
           "{\"id\":\"77\",\"event\":\"closed\",\"at\":\"2018-02-30\"}",
           ERR_BAD_TIME, "at", "has no day 30");
}

static void
an_id_of_65_characters_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char id[66];
    char line[256];

    memset(id, '7', 65);
    id[65] = '\0';
    (void)snprintf(line, sizeof(line), "{\"id\":\"%s\"," AT ",\"text\":\"\"}",
                   id);
    refuse(fixture, line, ERR_BAD_ID, "id", "65 characters");
    assert_int_equal(decode_error_id(fixture->decoder).bytes, 64);
    id[64] = '\0';
    (void)snprintf(line, sizeof(line), "{\"id\":\"%s\"," AT ",\"text\":\"\"}",
                   id);
    assert_int_equal(ticket(fixture, line)->id.bytes, 64);
    refuse(fixture, "{\"id\":\"a\\u0007b\"," AT ",\"text\":\"\"}", ERR_BAD_ID,
           "id", "'a?b': character 2 is not printable");
    refuse(fixture, "{\"id\":\"1\"," AT ",\"text\":\"\",\"related\":\"a\\nb\"}",
           ERR_BAD_ID, "related", "not printable");
    assert_true(
        span_is(ticket(fixture, "{\"id\":\"工单-1\"," AT ",\"text\":\"\"}")->id,
                "工单-1"));
}

static void
unknown_words_are_refused_with_the_words_there_are(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "{\"id\":\"1\"," AT ",\"text\":\"\",\"type\":\"rant\"}",
           ERR_BAD_TYPE, "type", "'rant': not one of unknown, complaint,");
    refuse(fixture, "{\"id\":\"1\"," AT ",\"text\":\"\",\"channel\":\"fax\"}",
           ERR_BAD_CHANNEL, "channel", "'fax': not one of 95598, 12345");
    refuse(fixture, "{\"id\":\"1\"," AT ",\"text\":\"\",\"region\":\"moon\"}",
           ERR_BAD_REGION, "region", "urban, rural, remote");
    refuse(fixture,
           "{\"id\":\"1\",\"event\":\"exploded\",\"at\":\"2018-01-01\"}",
           ERR_BAD_EVENT, "event", "final_reply, corrected");
    refuse(fixture,
           "{\"id\":\"1\",\"event\":\"revisited\",\"at\":\"2018-01-01\","
           "\"satisfaction\":\"very\"}",
           ERR_BAD_VALUE, "satisfaction", "basically, neutral, dissatisfied");
    refuse(fixture,
           "{\"id\":\"1\",\"event\":\"verified\",\"at\":\"2018-01-01\","
           "\"substantiated\":\"maybe\"}",
           ERR_BAD_VALUE, "substantiated", "yes, partly, no");
}

static void
wrong_kinds_of_value_are_refused(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "{\"id\":\"1\"," AT ",\"text\":{\"a\":1}}", ERR_BAD_VALUE,
           "text", "an object; write a string");
    refuse(fixture, "{\"id\":\"1\"," AT ",\"text\":5}", ERR_BAD_VALUE, "text",
           "a number");
    refuse(fixture, "{\"id\":true," AT ",\"text\":\"\"}", ERR_BAD_VALUE, "id",
           "true");
    refuse(fixture, "{\"id\":\"1\",\"accepted_at\":1514768662,\"text\":\"\"}",
           ERR_BAD_VALUE, "accepted_at", "string");
    refuse(fixture, "{\"id\":\"1\"," AT ",\"text\":\"\",\"caller\":[1]}",
           ERR_BAD_VALUE, "caller", "an array");
    /* of no concern to an event */
    (void)event(fixture, "{\"id\":\"1\",\"event\":\"closed\","
                         "\"at\":\"2018-01-01\",\"text\":{\"a\":1}}");
}

static void
texts_and_fields_over_their_limits_are_refused(void **state)
{
    struct fixture *fixture = *state;
    size_t bytes = TICKET_TEXT_BYTES_MAX + 256;
    char *line = malloc(bytes);
    int used;

    assert_non_null(line);
    for (size_t over = 0; over <= 1; over++) {
        used = snprintf(line, bytes, "{\"id\":\"1\"," AT ",\"text\":\"");
        memset(line + used, 'x', TICKET_TEXT_BYTES_MAX + over);
        strcpy(line + (size_t)used + TICKET_TEXT_BYTES_MAX + over, "\"}");
        if (over == 0) {
            (void)ticket(fixture, line);
        } else {
            refuse(fixture, line, ERR_TOO_LONG, "text", "262145 bytes, 262144");
        }
    }
    used = snprintf(line, bytes,
                    "{\"id\":\"1\"," AT ",\"text\":\"\","
                    "\"unit\":\"");
    memset(line + used, 'x', TICKET_FIELD_BYTES_MAX + 1);
    strcpy(line + (size_t)used + TICKET_FIELD_BYTES_MAX + 1, "\"}");
    refuse(fixture, line, ERR_TOO_LONG, "unit", "4096");
    assert_int_equal(decode_error_value(fixture->decoder).bytes, 64);
    used = snprintf(line, bytes,
                    "{\"id\":\"1\"," AT ",\"text\":\"\","
                    "\"more\":\"");
    memset(line + used, 'x', TICKET_EXTRA_BYTES_MAX);
    strcpy(line + (size_t)used + TICKET_EXTRA_BYTES_MAX, "\"}");
    refuse(fixture, line, ERR_TOO_LONG, "", "fields that this record");
    free(line);
}

static void
no_message_tells_a_phone_number_a_name_or_an_address(void **state)
{
    static const char *const lines[] = {
        "{\"id\":\"1\"," AT ",\"text\":\"\",\"caller\":19900001708.5}",
        "{\"id\":\"1\"," AT ",\"text\":\"\",\"customer\":{\"no\":19900001708}}",
        "{\"id\":\"1\"," AT ",\"text\":\"\",\"name\":[\"19900001708\"]}",
        "{\"id\":\"1\"," AT ",\"text\":\"\",\"address\":[\"19900001708\"]}",
        "{\"id\":\"1\"," AT ",\"text\":[\"19900001708\"]}",
        "{\"id\":\"1\"," AT ",\"text\":\"19900001708\",\"text\":\"\"}",
        "{\"id\":\"1\"," AT ",\"text\":\"19900001708\\q\"}",
        /* in a wrong column */
        "{\"id\":\"1\"," AT ",\"text\":\"\",\"type\":\"电话19900001708\"}",
        "{\"id\":\"1\"," AT ",\"text\":\"\",\"channel\":19900001708}",
        "{\"id\":\"1\",\"accepted_at\":\"19900001708\",\"text\":\"\"}",
        "{\"id\":\"1\",\"event\":\"19900001708\",\"at\":\"2018-01-01\"}",
        "{\"id\":\"1\",\"event\":\"closed\",\"at\":\"2018-01-01\","
        "\"reason\":{\"a\":19900001708}}",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct span value;

        assert_true(decode(fixture, lines[i]) != ERR_OK);
        value = decode_error_value(fixture->decoder);
        if (strstr(fixture->err.detail, "1990000") != NULL ||
            span_find(value, SPAN_LITERAL("1990000"), 0) != SIZE_MAX) {
            fail_msg("'%s' tells too much", fixture->err.detail);
        }
    }
    assert_int_equal(decode_error_value(fixture->decoder).bytes, 0);
}

static void
broken_lines_still_name_their_record(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "{\"id\":\"42\",\"text\":\"x\"", ERR_BAD_JSON, "", "ends");
    assert_true(span_is(decode_error_id(fixture->decoder), "42"));
    refuse(fixture, "nonsense", ERR_BAD_JSON, "", "character 1");
    assert_int_equal(decode_error_id(fixture->decoder).bytes, 0);
    refuse(fixture, "{\"id\":\"1\",\"id\":\"2\"}", ERR_DUPLICATE_FIELD, "id",
           "twice");
    refuse(fixture, "{\"id\":\"1\",\"text\":\"\xFF\"}", ERR_BAD_UTF8, "",
           "0xFF");
}

static void
an_excerpt_is_cut_at_64_characters(void **state)
{
    struct fixture *fixture = *state;
    char line[512] = "{\"id\":\"1\"," AT ",\"text\":\"\",\"type\":\"";

    for (int i = 0; i < 70; i++) {
        strcat(line, "停");
    }
    strcat(line, "\"}");
    refuse(fixture, line, ERR_BAD_TYPE, "type", "not one of");
    assert_int_equal(utf8_count(decode_error_value(fixture->decoder)), 64);
    assert_true(utf8_valid(span_of(fixture->err.detail)));
}

static void
field_names_lead_to_fields_and_back(void **state)
{
    (void)state;
    for (int i = 0; i < DECODE_FIELD_COUNT; i++) {
        enum decode_field field = (enum decode_field)i;

        assert_int_equal(decode_field_from(span_of(decode_field_name(field))),
                         field);
        assert_true(decode_field_on_ticket(field) ||
                    decode_field_on_event(field));
    }
    assert_int_equal(decode_field_from(SPAN_LITERAL("ID")), DECODE_FIELD_NONE);
    assert_int_equal(decode_field_from((struct span){NULL, 0}),
                     DECODE_FIELD_NONE);
}

/* Every line of the sample, read as a file. */
static size_t
decode_file(struct fixture *fixture, const char *name, enum decoded_kind kind)
{
    static char line[65536];
    char path[512];
    FILE *file;
    size_t count = 0;

    (void)snprintf(path, sizeof(path), "%s/tests/data/sample/%s",
                   SUQIU_SOURCE_DIR, name);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (decode(fixture, line) != ERR_OK) {
            fail_msg("%s:%zu: %s", name, count + 1, fixture->err.detail);
        }
        assert_int_equal(fixture->out.kind, kind);
        count++;
    }
    assert_int_equal(fclose(file), 0);
    return count;
}

static void
the_whole_sample_is_accepted(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(decode_file(fixture, "quarter.ndjson", DECODED_TICKET),
                     500);
    assert_true(decode_file(fixture, "events.ndjson", DECODED_EVENT) > 2000);
    assert_int_equal(decode_file(fixture, "review.ndjson", DECODED_EVENT), 378);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_a_ticket_arrives),
        cmocka_unit_test(three_fields_are_enough_and_the_rest_has_defaults),
        cmocka_unit_test(chinese_words_are_read),
        cmocka_unit_test(
            numbers_are_taken_for_their_digits_where_numbers_are_written),
        cmocka_unit_test(an_object_with_an_event_is_an_event),
        cmocka_unit_test(a_correction_says_what_is_corrected),
        cmocka_unit_test(required_fields_are_missed_by_name),
        cmocka_unit_test(a_thirteenth_month_is_refused_with_its_value),
        cmocka_unit_test(an_id_of_65_characters_is_refused),
        cmocka_unit_test(unknown_words_are_refused_with_the_words_there_are),
        cmocka_unit_test(wrong_kinds_of_value_are_refused),
        cmocka_unit_test(texts_and_fields_over_their_limits_are_refused),
        cmocka_unit_test(no_message_tells_a_phone_number_a_name_or_an_address),
        cmocka_unit_test(broken_lines_still_name_their_record),
        cmocka_unit_test(an_excerpt_is_cut_at_64_characters),
        cmocka_unit_test(field_names_lead_to_fields_and_back),
        cmocka_unit_test(the_whole_sample_is_accepted),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
