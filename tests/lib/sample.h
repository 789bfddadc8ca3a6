/*
 * sample: the invented quarter of tests/data/sample, for tests.
 *
 * Reads its own three files only: the lines are flat JSON objects without
 * escapes in the fields asked for. Include after cmocka.h.
 */
#ifndef TESTS_LIB_SAMPLE_H
#define TESTS_LIB_SAMPLE_H

#include "analyzers/deadline.h"
#include "analyzers/ticket.h"
#include "tests/lib/read_file.h"

enum { SAMPLE_TICKETS_MAX = 1000 };

struct sample_ticket {
    struct span id;
    struct span caller;
    struct span customer;
    struct span address;
    struct span text;
    struct span related;
    struct span subcategory;       /* truth: second level, "-" when none */
    struct span repeat_of;         /* truth: id, "-" when none */
    enum ticket_category category; /* truth */
    enum ticket_region region;     /* truth */
    enum ticket_type type;
    int64_t accepted_at_us;
    int64_t event_at_us[EVENT_KIND_COUNT]; /* first, else DEADLINE_NEVER */
};

struct sample {
    struct span quarter;
    struct span events;
    struct span truth;
    struct sample_ticket tickets[SAMPLE_TICKETS_MAX];
    size_t count;
};

/* "name":"value" of a line, or the empty span. */
static inline struct span
sample_field(struct span line, const char *name)
{
    char key[64];
    size_t from;
    size_t to;

    (void)snprintf(key, sizeof(key), "\"%s\":\"", name);
    from = span_find(line, span_of(key), 0);
    if (from == SIZE_MAX) {
        return (struct span){NULL, 0};
    }
    from += strlen(key);
    to = span_find(line, SPAN_LITERAL("\""), from);
    return (struct span){line.data + from, to - from};
}

static inline int64_t
sample_time(struct span word)
{
    struct err err = {0};
    int64_t us = 0;

    if (ticket_time_parse(word, &us, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return us;
}

/* Position of a ticket, or SIZE_MAX. */
static inline size_t
sample_find(const struct sample *sample, struct span id)
{
    for (size_t i = 0; i < sample->count; i++) {
        if (span_equal(sample->tickets[i].id, id)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static inline void
sample_read_quarter(struct sample *sample)
{
    struct span rest = sample->quarter;

    while (rest.bytes > 0) {
        struct span line = span_split(&rest, '\n');
        struct sample_ticket *ticket = &sample->tickets[sample->count];

        if (line.bytes == 0) {
            continue;
        }
        assert_true(sample->count < SAMPLE_TICKETS_MAX);
        ticket->id = sample_field(line, "id");
        ticket->caller = sample_field(line, "caller");
        ticket->customer = sample_field(line, "customer");
        ticket->address = sample_field(line, "address");
        ticket->text = sample_field(line, "text");
        ticket->related = sample_field(line, "related");
        ticket->accepted_at_us = sample_time(sample_field(line, "accepted_at"));
        assert_true(
            ticket_type_from(sample_field(line, "type"), &ticket->type));
        for (size_t i = 0; i < EVENT_KIND_COUNT; i++) {
            ticket->event_at_us[i] = DEADLINE_NEVER;
        }
        sample->count++;
    }
}

static inline void
sample_read_events(struct sample *sample)
{
    struct span rest = sample->events;

    while (rest.bytes > 0) {
        struct span line = span_split(&rest, '\n');
        size_t ticket = sample_find(sample, sample_field(line, "id"));
        enum event_kind kind;
        int64_t at_us;

        if (line.bytes == 0) {
            continue;
        }
        assert_true(ticket != SIZE_MAX);
        assert_true(event_kind_from(sample_field(line, "event"), &kind));
        at_us = sample_time(sample_field(line, "at"));
        if (at_us < sample->tickets[ticket].event_at_us[kind]) {
            sample->tickets[ticket].event_at_us[kind] = at_us;
        }
    }
}

static inline void
sample_read_truth(struct sample *sample)
{
    struct span rest = sample->truth;

    (void)span_split(&rest, '\n');
    while (rest.bytes > 0) {
        struct span line = span_split(&rest, '\n');
        struct span cells[6];
        size_t at;

        if (line.bytes == 0) {
            continue;
        }
        for (size_t i = 0; i < 6; i++) {
            cells[i] = span_split(&line, '\t');
        }
        at = sample_find(sample, cells[0]);
        assert_true(at != SIZE_MAX);
        if (!span_is(cells[1], "-")) {
            assert_true(
                ticket_category_from(cells[1], &sample->tickets[at].category));
        }
        sample->tickets[at].subcategory = cells[2];
        assert_true(ticket_region_from(cells[4], &sample->tickets[at].region));
        sample->tickets[at].repeat_of = cells[5];
    }
}

/* Given: sample_free. */
static inline struct sample *
sample_load(void)
{
    struct sample *sample = calloc(1, sizeof(*sample));

    assert_non_null(sample);
    sample->quarter = read_source_file("tests/data/sample/quarter.ndjson");
    sample->events = read_source_file("tests/data/sample/events.ndjson");
    sample->truth = read_source_file("tests/data/sample/truth.tsv");
    sample_read_quarter(sample);
    sample_read_events(sample);
    sample_read_truth(sample);
    assert_int_equal(sample->count, 500);
    return sample;
}

static inline void
sample_free(struct sample *sample)
{
    free((char *)(uintptr_t)sample->quarter.data);
    free((char *)(uintptr_t)sample->events.data);
    free((char *)(uintptr_t)sample->truth.data);
    free(sample);
}

#endif /* TESTS_LIB_SAMPLE_H */
