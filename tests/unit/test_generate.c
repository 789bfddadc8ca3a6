/* generate: the stream is what its truth says, and the server's decoder and the
 * model of the crash test agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "bench/lines.h"
#include "server/decode/ticket_decode.h"
#include "tests/crash/model.h"

enum { COUNT = 20000 };

static struct lines
generate(enum generate_scenario scenario, uint64_t seed)
{
    struct generate_options options = generate_defaults(scenario);
    struct lines lines = {0};
    struct err err = {0};

    options.count = COUNT;
    options.seed = seed;
    options.days = 3;
    assert_int_equal(lines_generate(&lines, &options, &err), ERR_OK);
    return lines;
}

static struct span
line_at(const struct lines *lines, size_t index)
{
    size_t begin = lines_begin(lines, index);

    assert_int_equal(lines->data[lines->ends[index] - 1], '\n');
    return (struct span){lines->data + begin, lines->ends[index] - 1 - begin};
}

static void
the_same_seed_gives_the_same_bytes_and_another_one_others(void **state)
{
    struct lines a = generate(SCENARIO_NORMAL, 5);
    struct lines b = generate(SCENARIO_NORMAL, 5);
    struct lines c = generate(SCENARIO_NORMAL, 6);

    (void)state;
    assert_int_equal(a.bytes, b.bytes);
    assert_memory_equal(a.data, b.data, a.bytes);
    assert_false(a.bytes == c.bytes && memcmp(a.data, c.data, a.bytes) == 0);
    lines_release(&a);
    lines_release(&b);
    lines_release(&c);
}

/* Decode every line: good ones are accepted, bad ones refused, and what the
 * decoder read is what the truth has counted. */
static void
check_decoded(enum generate_scenario scenario)
{
    struct lines lines = generate(scenario, 1);
    struct generate_truth counted = {0};
    struct decoder *decoder = NULL;
    struct err err = {0};
    struct arena arena;

    assert_int_equal(decode_new(&decoder, &err), ERR_OK);
    arena_init(&arena, 65536);
    for (size_t i = 0; i < lines.count; i++) {
        struct decoded decoded;
        bool bad = lines.kinds[i] == GENERATED_BAD;
        struct span line = line_at(&lines, i);

        err = (struct err){0};
        arena_reset(&arena);
        if (decode_json(decoder, line, &arena, &decoded, &err) != ERR_OK) {
            if (!bad) {
                fail_msg("refused: %s: %.*s", err.detail, (int)line.bytes,
                         line.data);
            }
            counted.bad++;
            continue;
        }
        if (bad) {
            fail_msg("not refused: %.*s", (int)line.bytes, line.data);
        }
        if (lines.kinds[i] == GENERATED_TICKET) {
            assert_int_equal(decoded.kind, DECODED_TICKET);
            counted.types[decoded.ticket.type]++;
        } else if (lines.kinds[i] == GENERATED_EVENT) {
            assert_int_equal(decoded.kind, DECODED_EVENT);
            counted.event_kinds[decoded.event.kind]++;
        }
    }
    assert_int_equal(counted.bad, lines.truth.bad);
    assert_memory_equal(counted.types, lines.truth.types,
                        sizeof(counted.types));
    assert_memory_equal(counted.event_kinds, lines.truth.event_kinds,
                        sizeof(counted.event_kinds));
    arena_release(&arena);
    decode_free(&decoder);
    lines_release(&lines);
}

static void
the_decoder_takes_what_is_good_and_refuses_what_is_bad(void **state)
{
    (void)state;
    check_decoded(SCENARIO_NORMAL);
    check_decoded(SCENARIO_STORM);
    check_decoded(SCENARIO_MONTH_END);
}

static void
a_store_by_the_contract_counts_what_the_truth_says(void **state)
{
    struct lines lines = generate(SCENARIO_NORMAL, 2);
    struct model model = {0};

    (void)state;
    for (size_t i = 0; i < lines.count; i++) {
        enum model_outcome outcome;

        assert_true(model_take(&model, line_at(&lines, i),
                               (enum generated_kind)lines.kinds[i], &outcome));
    }
    assert_int_equal(model.tickets, COUNT);
    assert_int_equal(model.tickets, lines.truth.tickets);
    assert_int_equal(model.events, lines.truth.events);
    assert_int_equal(model.duplicates, lines.truth.duplicates);
    assert_int_equal(model.versions, lines.truth.versions);
    assert_int_equal(model.rejects, lines.truth.bad);
    assert_int_equal(model.waiting, 0);
    assert_int_equal(model_lines(&model), lines.count);
    model_release(&model);
    lines_release(&lines);
}

static void
the_stream_is_as_mixed_as_it_says(void **state)
{
    struct lines lines = generate(SCENARIO_NORMAL, 3);
    const struct generate_truth *truth = &lines.truth;

    (void)state;
    assert_int_equal(truth->lines, lines.count);
    assert_int_equal(truth->bytes, lines.bytes);
    assert_in_range(truth->bad * 1000 / truth->lines, 8, 12);
    assert_in_range(truth->duplicates * 1000 / truth->lines, 4, 6);
    assert_in_range(truth->repeats * 1000 / truth->tickets, 50, 70);
    assert_true(truth->versions > 0);
    assert_true(truth->late > 0);
    assert_true(truth->events > 2 * truth->tickets);
    for (int type = 0; type < TICKET_TYPE_COUNT; type++) {
        assert_true(truth->types[type] > 0);
    }
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        assert_true(truth->event_kinds[kind] > 0);
    }
    lines_release(&lines);
}

static void
a_ticket_line_has_about_700_bytes_and_events_can_be_left_out(void **state)
{
    struct generate_options options = generate_defaults(SCENARIO_NORMAL);
    struct lines lines = {0};
    struct err err = {0};

    (void)state;
    options.count = COUNT;
    options.events = false;
    options.bad_permille = 0;
    options.duplicate_permille = 0;
    options.version_permille = 0;
    assert_int_equal(lines_generate(&lines, &options, &err), ERR_OK);
    assert_int_equal(lines.count, COUNT);
    assert_int_equal(lines.truth.events, 0);
    assert_in_range(lines.bytes / lines.count, 690, 770);
    lines_release(&lines);
}

static void
wrong_options_are_named(void **state)
{
    struct generate_options options = generate_defaults(SCENARIO_STORM);
    struct generator *generator = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(generator_new(&options, &generator, &err), ERR_BAD_VALUE);
    assert_string_equal(err.field, "count");
    options.count = 10;
    options.stations = 3;
    err = (struct err){0};
    assert_int_equal(generator_new(&options, &generator, &err), ERR_BAD_VALUE);
    assert_string_equal(err.field, "stations");
    assert_null(generator);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_same_seed_gives_the_same_bytes_and_another_one_others),
        cmocka_unit_test(
            the_decoder_takes_what_is_good_and_refuses_what_is_bad),
        cmocka_unit_test(a_store_by_the_contract_counts_what_the_truth_says),
        cmocka_unit_test(the_stream_is_as_mixed_as_it_says),
        cmocka_unit_test(
            a_ticket_line_has_about_700_bytes_and_events_can_be_left_out),
        cmocka_unit_test(wrong_options_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
