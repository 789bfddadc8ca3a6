/*
 * The ledger against a naive model: ten thousand random records, batches that
 * fail in between, the store opened again now and then. The model keeps plain
 * lists and works everything out anew each time it is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "analyzers/calendar.h"
#include "analyzers/deadline.h"
#include "analyzers/taxonomy.h"
#include "server/ledger/names.h"
#include "tests/lib/ledger_fixture.h"

enum {
    OPERATIONS = 10000,
    BATCH_MAX = 40,
    IDS = 1500,
    EVENTS_MAX = OPERATIONS,
    CUSTOMERS = 250,
    CALLERS = 300,
    ADDRESSES = 200,
    UNITS = 5,
    MATTERS = 5
};

static const char *const unit_paths[UNITS] = {
    "", "宁夏电力/银川供电公司/兴庆区供电公司",
    "宁夏电力/银川供电公司/贺兰县供电公司", "宁夏电力/石嘴山供电公司",
    "宁夏电力/银川供电公司"};
static const uint64_t unit_city[UNITS] = {0, 1, 1, 2, 1};
static const char *const matter_names[MATTERS] = {NULL, "服务行为", "抄表催费",
                                                  "供电可靠性", "供电设施"};
static const enum ticket_category matter_category[MATTERS] = {
    TICKET_CATEGORY_NONE, TICKET_CATEGORY_SERVICE, TICKET_CATEGORY_BUSINESS,
    TICKET_CATEGORY_QUALITY, TICKET_CATEGORY_GRID};

/* What a ticket says: small numbers, 0 = not given. */
struct said {
    uint32_t customer;
    uint32_t caller;
    uint32_t address;
    uint32_t unit;
    uint32_t matter;
    uint32_t related; /* id + 1 */
    uint32_t text;
    enum ticket_type type;
    enum ticket_region region;
    int64_t at_us;
    bool test;
    bool complaint; /* the text says it is one: category and subcategory */
};

struct model_ticket {
    bool here;
    uint64_t arrival;
    uint32_t versions;
    struct said said;
};

struct model_event {
    uint32_t id;
    enum event_kind kind;
    int64_t at_us;
    uint32_t matter; /* of a correction: category and subcategory */
    enum ticket_region region;
    enum event_satisfaction satisfaction;
};

/* What should be known of a ticket. */
struct known {
    enum ticket_category category;
    enum ticket_region region;
    uint32_t matter;
    uint32_t subcategory;
    bool reviewed;
    int64_t event_at_us[EVENT_KIND_COUNT];
    uint32_t events;
    struct repeat_finding finding;
    bool settled;
    struct deadline_clock clocks[DEADLINE_KINDS_MAX];
    size_t clock_count;
};

static struct model {
    struct model_ticket tickets[IDS];
    struct model_event events[EVENTS_MAX];
    size_t event_count;
    uint64_t arrivals;
    int64_t tick_us;
    struct known known[IDS];
    uint64_t duplicates;
    uint64_t versions;
} model;

static uint64_t seed = 20180101;
static struct ledger_fixture ledger;

static uint32_t
pick(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % below);
}

/* --- operations --------------------------------------------------------- */

struct operation {
    bool is_event;
    uint32_t id;
    struct said said;
    struct model_event event;
    enum ledger_outcome outcome;
};

static struct said
random_said(int64_t now_us)
{
    struct said said = {.customer = pick(3) != 0 ? 1 + pick(CUSTOMERS) : 0,
                        .caller = pick(4) != 0 ? 1 + pick(CALLERS) : 0,
                        .address = pick(3) == 0 ? 1 + pick(ADDRESSES) : 0,
                        .unit = pick(UNITS),
                        .matter = pick(MATTERS),
                        .related = pick(8) == 0 ? 1 + pick(IDS) : 0,
                        .text = pick(1000),
                        .region = (enum ticket_region)pick(TICKET_REGION_COUNT),
                        .test = pick(40) == 0};
    static const enum ticket_type types[] = {
        TICKET_TYPE_COMPLAINT, TICKET_TYPE_COMPLAINT, TICKET_TYPE_FAULT,
        TICKET_TYPE_UNKNOWN,   TICKET_TYPE_PRAISE,    TICKET_TYPE_INQUIRY};

    said.type = types[pick(6)];
    said.complaint = said.matter != 0 && pick(4) != 0;
    said.at_us = now_us - (int64_t)pick(40 * 24) * US_PER_HOUR;
    return said;
}

static struct model_event
random_event(uint32_t id, int64_t now_us)
{
    struct model_event event = {.id = id,
                                .kind = (enum event_kind)pick(EVENT_KIND_COUNT),
                                .at_us = now_us - (int64_t)pick(30 * 8) * 3 *
                                                      US_PER_HOUR};

    if (pick(10) == 0) {
        event.at_us += 60 * US_PER_DAY; /* a sender whose clock is ahead */
    }
    if (event.kind == EVENT_KIND_CORRECTED) {
        event.matter = pick(MATTERS);
        event.region = (enum ticket_region)pick(TICKET_REGION_COUNT);
    }
    if (event.kind == EVENT_KIND_REVISITED) {
        event.satisfaction =
            (enum event_satisfaction)pick(EVENT_SATISFACTION_COUNT);
    }
    return event;
}

static struct operation
random_operation(int64_t now_us)
{
    struct operation op = {.id = pick(IDS), .is_event = pick(100) < 50};
    const struct model_ticket *ticket = &model.tickets[op.id];

    if (op.is_event) {
        op.event = random_event(op.id, now_us);
        if (pick(6) == 0 && model.event_count > 0) {
            op.event = model.events[pick((uint32_t)model.event_count)];
            op.id = op.event.id;
        }
        return op;
    }
    op.said = random_said(now_us);
    /* Few versions change keys: a ticket keeps STATE_LINKS_MAX of them. */
    if (ticket->here && (ticket->versions >= 3 || pick(2) == 0)) {
        op.said = ticket->said; /* a duplicate, or a version of it */
        switch (pick(6)) {
        case 0:
            if (ticket->versions < 6) {
                op.said.customer = pick(CUSTOMERS);
            }
            break;
        case 1:
            op.said.at_us += ((int64_t)pick(41) - 20) * US_PER_DAY;
            break;
        case 2:
            op.said.related = pick(IDS);
            break;
        case 3:
            op.said.text++;
            op.said.matter = pick(MATTERS);
            op.said.complaint = op.said.matter != 0;
            break;
        default:
            break;
        }
    }
    return op;
}

static const char *
id_text(uint32_t id, char out[16])
{
    (void)snprintf(out, 16, "W%u", (unsigned)id);
    return out;
}

static void
put(struct operation *op)
{
    char id[16];
    char related[16];
    char customer[24] = "";
    char caller[24] = "";
    char address[80] = "";
    char text[16];
    const struct said *said = &op->said;

    (void)id_text(op->id, id);
    if (op->is_event) {
        op->outcome = fixture_put_event(
            &ledger, &(struct fixture_event){
                         .id = id,
                         .kind = op->event.kind,
                         .at_us = op->event.at_us,
                         .category = matter_category[op->event.matter],
                         .subcategory = matter_names[op->event.matter],
                         .region = op->event.region,
                         .satisfaction = op->event.satisfaction});
        return;
    }
    if (said->customer != 0) {
        (void)snprintf(customer, sizeof(customer), "99%08u",
                       (unsigned)said->customer);
    }
    if (said->caller != 0) {
        (void)snprintf(caller, sizeof(caller), "1990000%04u",
                       (unsigned)said->caller);
    }
    if (said->address != 0) {
        (void)snprintf(address, sizeof(address), "幸福花园小区%u号楼2单元501室",
                       (unsigned)said->address);
    }
    (void)snprintf(text, sizeof(text), "%u", (unsigned)said->text);
    op->outcome = fixture_put_ticket(
        &ledger,
        &(struct fixture_ticket){
            .id = id,
            .at_us = said->at_us,
            .customer = customer,
            .caller = caller,
            .address = address,
            .unit = unit_paths[said->unit],
            .text = text,
            .related =
                said->related != 0 ? id_text(said->related - 1, related) : "",
            .type = said->type,
            .category = said->complaint ? matter_category[said->matter]
                                        : TICKET_CATEGORY_NONE,
            .subcategory = matter_names[said->matter],
            .region = said->region,
            .flags = said->test ? VERDICT_TEST_TICKET : 0});
}

static bool
same_event(const struct model_event *a, const struct model_event *b)
{
    return a->id == b->id && a->kind == b->kind && a->at_us == b->at_us &&
           a->matter == b->matter && a->region == b->region &&
           a->satisfaction == b->satisfaction;
}

/* A duplicate is what the sender said word for word; the verdict is not. */
static bool
same_said(const struct said *a, const struct said *b)
{
    return a->customer == b->customer && a->caller == b->caller &&
           a->address == b->address && a->unit == b->unit &&
           a->related == b->related && a->text == b->text &&
           a->type == b->type && a->at_us == b->at_us;
}

/* What the operation should have done. */
static enum ledger_outcome
apply(const struct operation *op)
{
    struct model_ticket *ticket = &model.tickets[op->id];

    if (op->is_event) {
        for (size_t i = 0; i < model.event_count; i++) {
            if (same_event(&model.events[i], &op->event)) {
                model.duplicates++;
                return LEDGER_DUPLICATE;
            }
        }
        assert_true(model.event_count < EVENTS_MAX);
        model.events[model.event_count++] = op->event;
        return ticket->here ? LEDGER_ACCEPTED : LEDGER_WAITING;
    }
    if (!ticket->here) {
        *ticket = (struct model_ticket){true, ++model.arrivals, 1, op->said};
        return LEDGER_ACCEPTED;
    }
    if (same_said(&ticket->said, &op->said)) {
        model.duplicates++;
        return LEDGER_DUPLICATE;
    }
    ticket->said = op->said;
    ticket->versions++;
    model.versions++;
    return LEDGER_UPDATED;
}

/* --- what should be known ----------------------------------------------- */

static void
correct(struct known *known, const struct model_event *event)
{
    known->reviewed = true;
    if (event->matter != 0) {
        known->category = matter_category[event->matter];
        known->subcategory = known->matter = event->matter;
    }
    if (event->region != TICKET_REGION_UNKNOWN) {
        known->region = event->region;
    }
}

/* Events of one ticket in the order of time, then of arrival. */
static size_t
life_of(uint32_t id, struct model_event *out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < model.event_count; i++) {
        size_t at;

        if (model.events[i].id != id) {
            continue;
        }
        assert_true(count < max);
        for (at = count++; at > 0 && out[at - 1].at_us > model.events[i].at_us;
             at--) {
            out[at] = out[at - 1];
        }
        out[at] = model.events[i];
    }
    return count;
}

static void
know_clocks(const struct said *said,
            struct known *known,
            const struct model_event *life,
            size_t count)
{
    struct deadline_input input = {.type = said->type,
                                   .category = known->category,
                                   .region = known->region,
                                   .accepted_at_us = said->at_us};
    int64_t pauses[512];

    for (size_t i = 0; i < count; i++) {
        bool open = input.pause_count > 0 &&
                    pauses[2 * input.pause_count - 1] == DEADLINE_NEVER;

        if (life[i].kind == EVENT_KIND_SUSPENDED && !open) {
            pauses[2 * input.pause_count] = life[i].at_us;
            pauses[2 * input.pause_count + 1] = DEADLINE_NEVER;
            input.pause_count++;
        } else if (life[i].kind == EVENT_KIND_RESUMED && open) {
            pauses[2 * input.pause_count - 1] = life[i].at_us;
        }
    }
    input.pauses_us = pauses;
    memcpy(input.event_at_us, known->event_at_us, sizeof(input.event_at_us));
    known->clock_count = said->test
                             ? 0
                             : deadline_clocks(ledger.dictionary->deadlines,
                                               ledger.dictionary->calendar,
                                               &input, known->clocks);
}

static void
know_life(uint32_t id)
{
    const struct said *said = &model.tickets[id].said;
    struct known *known = &model.known[id];
    struct model_event life[250];
    size_t count = life_of(id, life, 250);

    *known = (struct known){.matter = said->matter,
                            .region = said->region,
                            .events = (uint32_t)count};
    if (said->complaint) {
        known->category = matter_category[said->matter];
        known->subcategory = said->matter;
    }
    for (int i = 0; i < EVENT_KIND_COUNT; i++) {
        known->event_at_us[i] = STATE_NEVER;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t *at_us = &known->event_at_us[life[i].kind];
        bool last = life[i].kind == EVENT_KIND_CORRECTED ||
                    life[i].kind == EVENT_KIND_REVISITED ||
                    life[i].kind == EVENT_KIND_VERIFIED;

        if (life[i].kind == EVENT_KIND_CORRECTED) {
            correct(known, &life[i]);
        }
        if (last || *at_us == STATE_NEVER) {
            *at_us = life[i].at_us;
        }
    }
    know_clocks(said, known, life, count);
}

static struct repeat_ticket
as_repeat(uint32_t id)
{
    const struct model_ticket *ticket = &model.tickets[id];
    const struct said *said = &ticket->said;
    uint32_t related = said->related;

    if (related != 0 &&
        (related - 1 == id || !model.tickets[related - 1].here)) {
        related = 0;
    }
    return (struct repeat_ticket){
        .number = ticket->arrival,
        .accepted_at_us = said->at_us,
        .customer_hash = said->customer,
        .caller_hash = said->caller,
        .address_hash = said->address != 0 ? UINT64_C(1000) * said->address +
                                                 unit_city[said->unit]
                                           : 0,
        .matter = model.known[id].matter,
        .related = related != 0 ? model.tickets[related - 1].arrival : 0,
        .excluded = said->test || said->type == TICKET_TYPE_PRAISE};
}

static bool
share(const struct repeat_ticket *a, const struct repeat_ticket *b)
{
    return (a->customer_hash != 0 && a->customer_hash == b->customer_hash) ||
           (a->caller_hash != 0 && a->caller_hash == b->caller_hash) ||
           (a->address_hash != 0 && a->address_hash == b->address_hash) ||
           a->related == b->number;
}

static int
by_time(const void *a, const void *b)
{
    const struct repeat_ticket *x = a;
    const struct repeat_ticket *y = b;

    if (x->accepted_at_us != y->accepted_at_us) {
        return x->accepted_at_us < y->accepted_at_us ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

static void
know_repeats(void)
{
    static struct repeat_ticket all[IDS];
    static struct repeat_ticket others[IDS];
    static uint32_t id_of[IDS + 1];
    size_t count = 0;

    for (uint32_t id = 0; id < IDS; id++) {
        if (model.tickets[id].here) {
            id_of[model.tickets[id].arrival] = id;
            all[count++] = as_repeat(id);
        }
    }
    qsort(all, count, sizeof(all[0]), by_time);
    for (size_t i = 0; i < count; i++) {
        struct known *known = &model.known[id_of[all[i].number]];
        size_t other_count = 0;

        for (size_t k = 0; k < count; k++) {
            if (k != i && share(&all[i], &all[k])) {
                others[other_count++] = all[k];
            }
        }
        repeat_find(ledger.dictionary->repeat, &all[i], others, other_count,
                    &known->finding);
        known->settled =
            known->event_at_us[EVENT_KIND_FINAL_REPLY] != STATE_NEVER ||
            (known->finding.previous != 0 &&
             model.known[id_of[known->finding.previous]].settled);
    }
}

/* --- the comparison ----------------------------------------------------- */

static bool
overdue(const struct deadline_clock *clock)
{
    int64_t end_us =
        clock->stopped_us < model.tick_us ? clock->stopped_us : model.tick_us;

    return clock->due_us < end_us;
}

static void
compare_ticket(const struct reader *reader, uint32_t id)
{
    const struct known *known = &model.known[id];
    struct ticket_state state;
    struct err err = {0};
    char text[16];
    uint64_t number = reader_find_id(reader, ledger_ids(ledger.ledger),
                                     span_of(id_text(id, text)));

    assert_int_not_equal(number, 0);
    assert_true(reader_state(reader, number, &state, &err));
    assert_int_equal(state.version_count, model.tickets[id].versions);
    assert_int_equal(state.event_count, known->events);
    assert_int_equal(state.category, known->category);
    assert_int_equal(state.region, known->region);
    assert_true(span_is(
        reader_name(reader, state.subcategory_id),
        known->subcategory != 0 ? matter_names[known->subcategory] : ""));
    assert_int_equal(state.reviewed, known->reviewed);
    assert_memory_equal(state.event_at_us, known->event_at_us,
                        sizeof(known->event_at_us));
    assert_int_equal(state.calls, known->finding.calls);
    assert_int_equal(state.burst_calls, known->finding.burst_calls);
    assert_int_equal(state.repeat_key, known->finding.key);
    assert_int_equal(state.repeat_settled, known->settled);
    assert_int_equal(state.clock_count, known->clock_count);
    for (size_t i = 0; i < known->clock_count; i++) {
        assert_int_equal(state.clocks[i].due_us, known->clocks[i].due_us);
        assert_int_equal(state.clocks[i].overdue, overdue(&known->clocks[i]));
    }
}

static bool
is_complaint(uint32_t id)
{
    enum ticket_type type = model.tickets[id].said.type;

    return type == TICKET_TYPE_COMPLAINT ||
           (type == TICKET_TYPE_UNKNOWN &&
            model.known[id].category != TICKET_CATEGORY_NONE);
}

static void
compare_counters(void)
{
    int64_t complaints[TICKET_CATEGORY_COUNT][TICKET_REGION_COUNT] = {{0}};
    int64_t received[UNITS] = {0};
    int64_t repeats = 0;
    int64_t overdue_clocks = 0;
    int64_t tickets = 0;

    for (uint32_t id = 0; id < IDS; id++) {
        const struct known *known = &model.known[id];

        if (!model.tickets[id].here) {
            continue;
        }
        tickets++;
        received[model.tickets[id].said.unit]++;
        complaints[known->category][known->region] += is_complaint(id);
        repeats += known->finding.calls >= 2 && !known->settled;
        for (size_t i = 0; i < known->clock_count; i++) {
            overdue_clocks += overdue(&known->clocks[i]);
        }
    }
    for (int c = 0; c < TICKET_CATEGORY_COUNT; c++) {
        for (int r = 0; r < TICKET_REGION_COUNT; r++) {
            assert_int_equal(
                fixture_count(&ledger, NULL, TALLY_CATEGORY_REGION,
                              (uint32_t)(c * TICKET_REGION_COUNT + r),
                              COUNTER_complaints),
                complaints[c][r]);
        }
    }
    assert_int_equal(
        fixture_count(&ledger, NULL, TALLY_ALL, 0, COUNTER_received), tickets);
    assert_int_equal(
        fixture_count(&ledger, NULL, TALLY_ALL, 0, COUNTER_repeats), repeats);
    assert_int_equal(
        fixture_count(&ledger, NULL, TALLY_ALL, 0, COUNTER_overdue_clocks),
        overdue_clocks);
    assert_int_equal(
        fixture_count(&ledger, unit_paths[4], TALLY_ALL, 0, COUNTER_received),
        received[1] + received[2] + received[4]);
    assert_int_equal(ledger_totals(ledger.ledger).tickets, tickets);
    assert_int_equal(ledger_totals(ledger.ledger).events, model.event_count);
    assert_int_equal(ledger_totals(ledger.ledger).versions, model.versions);
    assert_int_equal(ledger_totals(ledger.ledger).duplicates, model.duplicates);
}

static void
compare(void)
{
    struct reader reader;
    struct err err = {0};

    for (uint32_t id = 0; id < IDS; id++) {
        if (model.tickets[id].here) {
            know_life(id);
        }
    }
    know_repeats();
    fixture_assert_clean(&ledger);
    assert_int_equal(reader_begin(ledger.store, &reader, &err), ERR_OK);
    for (uint32_t id = 0; id < IDS; id++) {
        if (model.tickets[id].here) {
            compare_ticket(&reader, id);
        }
    }
    reader_end(&reader);
    compare_counters();
}

static void
ten_thousand_random_records_leave_what_a_naive_model_says(void **state)
{
    int64_t now_us = fixture_time("2018-01-02 09:00:00");
    size_t done = 0;
    size_t batches = 0;

    (void)state;
    model.tick_us = INT64_MIN;
    fixture_open(&ledger, FIXTURE_MAP_BYTES);
    while (done < OPERATIONS) {
        struct operation ops[BATCH_MAX];
        size_t count = 1 + pick(BATCH_MAX);

        now_us += (int64_t)pick(12) * US_PER_HOUR;
        fixture_begin(&ledger, now_us);
        for (size_t i = 0; i < count; i++) {
            ops[i] = random_operation(now_us);
            put(&ops[i]);
        }
        if (pick(12) == 0) {
            ledger_abort(ledger.ledger);
            continue;
        }
        fixture_commit(&ledger);
        model.tick_us = now_us;
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(ops[i].outcome, apply(&ops[i]));
        }
        done += count;
        batches++;
        if (batches % 25 == 0) {
            compare();
        }
        if (batches % 60 == 0) {
            fixture_reopen(&ledger, FIXTURE_MAP_BYTES);
        }
    }
    compare();
    fixture_close(&ledger);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            ten_thousand_random_records_leave_what_a_naive_model_says),
    };

    if (argc > 1) { /* another seed */
        seed = strtoull(argv[1], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
