/* The report's numbers: one pass over the tickets of a range. */
#include <stdlib.h>
#include <string.h>

#include "analyzers/indicator.h"
#include "analyzers/repeat.h"
#include "server/serve/query.h"
#include "server/serve/u64_map.h"

/* One pass. */
struct report_scan {
    const struct reader *reader;
    uint32_t repeat_min;
    struct report_numbers *out;
    struct query_unit_filter filter;
    struct u64_map subcategory_at; /* key -> position + 1 */
    struct u64_map unit_at;
    struct u64_map roots;   /* chains seen */
    struct u64_map root_of; /* ticket -> its chain's first */
    struct u64_map persons;
    struct err *err;
};

/* The state as it stood then: what came later has not come. */
static void
state_back_to(struct ticket_state *state, int64_t as_of_us)
{
    for (int i = 0; i < EVENT_KIND_COUNT; i++) {
        if (i != EVENT_KIND_CORRECTED && state->event_at_us[i] > as_of_us) {
            state->event_at_us[i] = STATE_NEVER;
        }
    }
    if (state->event_at_us[EVENT_KIND_REVISITED] == STATE_NEVER) {
        state->satisfaction = EVENT_SATISFACTION_UNKNOWN;
    }
    if (state->event_at_us[EVENT_KIND_VERIFIED] == STATE_NEVER) {
        state->substantiated = EVENT_SUBSTANTIATED_UNKNOWN;
    }
    for (uint32_t i = 0; i < state->clock_count; i++) {
        if (state->clocks[i].stopped_us > as_of_us) {
            state->clocks[i].stopped_us = STATE_NEVER;
        }
    }
}

static struct report_subcategory *
subcategory_row(struct report_scan *scan, const struct ticket_state *state)
{
    struct report_numbers *out = scan->out;
    uint64_t key =
        (uint64_t)(state->category + 1) << 32 | state->subcategory_id;
    uint64_t *at = u64_map_at(&scan->subcategory_at, key);

    if (at == NULL) {
        (void)err_set(scan->err, ERR_NO_MEMORY, "report");
        return NULL;
    }
    if (*at == 0) {
        if (out->subcategory_count == QUERY_SUBCATEGORIES_MAX) {
            out->subcategories_truncated = true;
            return NULL;
        }
        out->subcategories[out->subcategory_count] =
            (struct report_subcategory){.category = state->category,
                                        .name_id = state->subcategory_id};
        *at = ++out->subcategory_count;
    }
    return &out->subcategories[*at - 1];
}

static struct report_unit *
unit_row(struct report_scan *scan, uint32_t unit_id)
{
    struct report_numbers *out = scan->out;
    uint32_t child = query_unit_child(&scan->filter, unit_id);
    uint64_t *at = u64_map_at(&scan->unit_at, (uint64_t)child + 1);

    if (at == NULL) {
        (void)err_set(scan->err, ERR_NO_MEMORY, "report");
        return NULL;
    }
    if (*at == 0) {
        if (out->unit_count == QUERY_UNITS_MAX) {
            out->units_truncated = true;
            return NULL;
        }
        out->units[out->unit_count] = (struct report_unit){.unit_id = child};
        *at = ++out->unit_count;
    }
    return &out->units[*at - 1];
}

static void
count_complaint(struct report_scan *scan, const struct ticket_state *state)
{
    struct report_numbers *out = scan->out;
    struct report_subcategory *row;

    out->complaints[state->category][state->region]++;
    row = subcategory_row(scan, state);
    if (row != NULL) {
        row->complaints++;
        row->by_region[state->region]++;
    }
    switch (query_life_of(state, STATE_NEVER)) {
    case QUERY_LIFE_CLOSED:
        out->complaints_closed++;
        break;
    case QUERY_LIFE_REPLIED:
        out->complaints_replied++;
        break;
    case QUERY_LIFE_OPEN:
        out->complaints_open++;
        break;
    }
    out->complaints_substantiated +=
        state->substantiated == EVENT_SUBSTANTIATED_YES ||
        state->substantiated == EVENT_SUBSTANTIATED_PARTLY;
}

static void
count_repeat(struct report_scan *scan,
             const struct ticket_state *state,
             const struct tally *tally)
{
    bool added = false;
    uint64_t root;
    uint64_t *known;

    if ((tally->accepted_set >> COUNTER_repeats & 1) == 0) {
        scan->out->repeat_settled +=
            state->calls >= scan->repeat_min && state->repeat_settled;
        return;
    }
    root = u64_map_get(&scan->root_of, state->repeat_previous);
    if (root == 0) {
        root = query_chain_root(scan->reader, state);
    }
    known = u64_map_at(&scan->root_of, state->number);
    if (known == NULL || !u64_map_add(&scan->roots, root, &added)) {
        (void)err_set(scan->err, ERR_NO_MEMORY, "report");
        return;
    }
    *known = root;
    scan->out->repeat_callers += added;
}

static struct report_overdue *
overdue_row(struct report_numbers *out, uint32_t kind_id)
{
    size_t row = 0;

    while (row < out->overdue_count && out->overdue[row].kind_id != kind_id) {
        row++;
    }
    if (row == DEADLINE_KINDS_MAX) {
        return NULL; /* kinds of several profiles; counts[] has them */
    }
    if (row == out->overdue_count) {
        out->overdue[out->overdue_count++] =
            (struct report_overdue){.kind_id = kind_id};
    }
    return &out->overdue[row];
}

static void
count_overdue(struct report_scan *scan,
              const struct ticket_state *state,
              const struct tally *tally)
{
    for (uint32_t i = 0; i < tally->overdue_count; i++) {
        struct report_overdue *row =
            overdue_row(scan->out, tally->overdue_kind_id[i]);

        if (row == NULL) {
            continue;
        }
        row->clocks++;
        for (uint32_t c = 0; c < state->clock_count; c++) {
            row->open += state->clocks[c].kind_id == row->kind_id &&
                         state->clocks[c].stopped_us == STATE_NEVER;
        }
    }
}

static void
count_state(struct report_scan *scan, struct ticket_state *state)
{
    struct report_numbers *out = scan->out;
    struct report_unit *unit;
    struct tally tally;
    uint64_t set;
    bool added = false;

    state_back_to(state, out->query.as_of_us);
    tally_state(state, NULL, out->query.as_of_us, &tally);
    set = tally.accepted_set;
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        out->counts[c] += set >> c & 1;
    }
    out->counts[COUNTER_overdue_clocks] += tally.overdue_count;
    out->received_by_type[state->type]++;
    out->received_by_channel[state->channel]++;
    if ((set >> COUNTER_complaints & 1) != 0) {
        count_complaint(scan, state);
    }
    count_repeat(scan, state, &tally);
    count_overdue(scan, state, &tally);
    if (tally.person != 0) {
        if (!u64_map_add(&scan->persons, tally.person, &added)) {
            (void)err_set(scan->err, ERR_NO_MEMORY, "report");
        }
        out->quality_customers += added;
    }
    unit = unit_row(scan, state->unit_id);
    if (unit != NULL) {
        unit->received++;
        unit->complaints += set >> COUNTER_complaints & 1;
        unit->repeats += set >> COUNTER_repeats & 1;
        unit->overdue += set >> COUNTER_overdue & 1;
    }
}

/* Replies count in the period in which they were due, so this looks at tickets
 * accepted before the range, too. */
static void
count_reply(struct report_scan *scan, const struct ticket_state *state)
{
    struct report_numbers *out = scan->out;
    struct tally tally;

    tally_state(state, NULL, out->query.as_of_us, &tally);
    if (tally.due_set == 0 || tally.reply_due_us < out->query.from_us ||
        tally.reply_due_us >= out->query.to_us) {
        return;
    }
    out->counts[COUNTER_reply_judged] +=
        tally.due_set >> COUNTER_reply_judged & 1;
    out->counts[COUNTER_reply_in_time] +=
        tally.due_set >> COUNTER_reply_in_time & 1;
}

static bool
visit_ticket(void *data, int64_t accepted_at_us, uint64_t number)
{
    struct report_scan *scan = data;
    const struct report_query *query = &scan->out->query;
    struct ticket_state state;

    if (!reader_state(scan->reader, number, &state, scan->err)) {
        (void)err_set(scan->err, ERR_CORRUPT, "a ticket's state is missing");
        return false;
    }
    if (query_unit_below(&scan->filter, state.unit_id)) {
        if (accepted_at_us >= query->from_us) {
            count_state(scan, &state);
        } else {
            state_back_to(&state, query->as_of_us);
        }
        count_reply(scan, &state);
    }
    return scan->err->code == ERR_OK;
}

/* --- what expired tickets left -------------------------------------------- */

static void
add_kept_of_all(struct report_numbers *out, unsigned counter, uint64_t count)
{
    if (counter < COUNTER_COUNT &&
        counter_anchor((enum counter)counter) != COUNTER_DISTINCT) {
        out->counts[counter] += count;
    }
    out->expired += counter == COUNTER_received ? count : 0;
    out->complaints_open += counter == COUNTER_complaints ? count : 0;
    if (counter == TALLY_KEPT_CLOSED || counter == TALLY_KEPT_REPLIED) {
        out->complaints_open -= count;
    }
    out->complaints_closed += counter == TALLY_KEPT_CLOSED ? count : 0;
    out->complaints_replied += counter == TALLY_KEPT_REPLIED ? count : 0;
    out->complaints_substantiated +=
        counter == TALLY_KEPT_SUBSTANTIATED ? count : 0;
    out->repeat_settled += counter == TALLY_KEPT_SETTLED ? count : 0;
    out->repeat_callers += counter == TALLY_KEPT_CALLERS ? count : 0;
}

static void
add_kept_complaints(struct report_scan *scan,
                    uint32_t name_id,
                    unsigned area,
                    uint64_t count)
{
    const struct ticket_state like = {
        .category = (enum ticket_category)(area / TICKET_REGION_COUNT),
        .subcategory_id = name_id};
    struct report_subcategory *row = subcategory_row(scan, &like);

    scan->out->complaints[like.category][area % TICKET_REGION_COUNT] += count;
    if (row != NULL) {
        row->complaints += count;
        row->by_region[area % TICKET_REGION_COUNT] += count;
    }
}

static void
add_kept_clocks(struct report_numbers *out,
                uint32_t kind_id,
                unsigned counter,
                uint64_t count)
{
    struct report_overdue *row = overdue_row(out, kind_id);

    if (row != NULL) {
        row->clocks += counter == COUNTER_overdue_clocks ? count : 0;
        row->open += counter == TALLY_KEPT_CLOCK_OPEN ? count : 0;
    }
}

static bool
add_kept(void *data,
         const struct counter_cell *cell,
         const struct counter_slot *slots,
         size_t slot_count)
{
    struct report_scan *scan = data;
    struct report_numbers *out = scan->out;

    (void)cell;
    for (size_t i = 0; i < slot_count; i++) {
        unsigned counter = TALLY_SLOT_COUNTER(slots[i].slot);
        uint32_t value = TALLY_SLOT_VALUE(slots[i].slot);
        uint64_t count = (uint64_t)slots[i].count;

        switch (TALLY_SLOT_DIMENSION(slots[i].slot)) {
        case TALLY_ALL:
            add_kept_of_all(out, counter, count);
            break;
        case TALLY_SUBCATEGORY:
            if (counter >= TALLY_KEPT_COMPLAINTS &&
                counter < TALLY_KEPT_COMPLAINTS +
                              TICKET_CATEGORY_COUNT * TICKET_REGION_COUNT) {
                add_kept_complaints(scan, value,
                                    counter - TALLY_KEPT_COMPLAINTS, count);
            }
            break;
        case TALLY_CHANNEL:
            if (counter == COUNTER_received && value < TICKET_CHANNEL_COUNT) {
                out->received_by_channel[value] += count;
            }
            break;
        case TALLY_TYPE:
            if (counter == COUNTER_received && value < TICKET_TYPE_COUNT) {
                out->received_by_type[value] += count;
            }
            break;
        case TALLY_CLOCK:
            add_kept_clocks(out, value, counter, count);
            break;
        case TALLY_CATEGORY_REGION:
        case TALLY_DIMENSION_COUNT:
            break;
        }
    }
    return scan->err->code == ERR_OK;
}

static bool
add_kept_unit(void *data,
              const struct counter_cell *cell,
              const struct counter_slot *slots,
              size_t slot_count)
{
    struct report_unit *sum = data;

    (void)cell;
    for (size_t i = 0; i < slot_count; i++) {
        uint64_t count = (uint64_t)slots[i].count;

        if (TALLY_SLOT_DIMENSION(slots[i].slot) != TALLY_ALL) {
            break; /* in the order of dimensions */
        }
        switch (TALLY_SLOT_COUNTER(slots[i].slot)) {
        case COUNTER_received:
            sum->received += count;
            break;
        case COUNTER_complaints:
            sum->complaints += count;
            break;
        case COUNTER_repeats:
            sum->repeats += count;
            break;
        case COUNTER_overdue:
            sum->overdue += count;
            break;
        default:
            break;
        }
    }
    return true;
}

/* The numbers of one unit to its row, and out of what is left for the unit
 * itself. */
static void
share_out(struct report_scan *scan,
          const struct report_unit *sum,
          struct report_unit *rest)
{
    struct report_unit *row;

    if (sum->received == 0) {
        return;
    }
    row = unit_row(scan, sum->unit_id);
    if (row != NULL) {
        row->received += sum->received;
        row->complaints += sum->complaints;
        row->repeats += sum->repeats;
        row->overdue += sum->overdue;
    }
    rest->received -= sum->received;
    rest->complaints -= sum->complaints;
    rest->repeats -= sum->repeats;
    rest->overdue -= sum->overdue;
}

static void
add_kept_units(struct report_scan *scan, int32_t first, int32_t last)
{
    const struct reader *reader = scan->reader;
    uint32_t unit_id = scan->out->query.unit_id;
    uint32_t *children = calloc(QUERY_UNITS_MAX, sizeof(*children));
    struct report_unit rest = {.unit_id = unit_id};
    struct report_unit itself;
    size_t count = 0;

    if (children == NULL) {
        (void)err_set(scan->err, ERR_NO_MEMORY, "report");
        return;
    }
    (void)!query_unit_children(reader, unit_id, children, QUERY_UNITS_MAX,
                               &count, scan->err);
    (void)!counters_visit_kept(reader->store, reader->txn, unit_id, first, last,
                               add_kept_unit, &rest, scan->err);
    for (size_t i = 0; i < count && scan->err->code == ERR_OK; i++) {
        struct report_unit sum = {.unit_id = children[i]};

        (void)!counters_visit_kept(reader->store, reader->txn, children[i],
                                   first, last, add_kept_unit, &sum, scan->err);
        share_out(scan, &sum, &rest);
    }
    itself = rest;
    share_out(scan, &itself, &rest);
    free(children);
}

static bool
take_distinct(void *data,
              const struct counter_cell *cell,
              const struct counter_slot *slots,
              size_t slot_count)
{
    uint64_t *out = data;

    (void)cell;
    for (size_t i = 0; i < slot_count; i++) {
        if (slots[i].slot ==
            TALLY_SLOT(TALLY_ALL, 0, COUNTER_quality_customers)) {
            *out = (uint64_t)slots[i].count;
        }
    }
    return true;
}

/* Persons of expired tickets are known by whole months, quarters and years. */
static void
count_distinct(struct report_scan *scan, int32_t first, int32_t last)
{
    static const struct {
        enum period_kind kind;
        enum counter_grain grain;
    } kinds[] = {{PERIOD_MONTH, GRAIN_MONTH},
                 {PERIOD_QUARTER, GRAIN_QUARTER},
                 {PERIOD_YEAR, GRAIN_YEAR}};
    const struct reader *reader = scan->reader;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (period_first_day(kinds[i].kind, first) == first &&
            period_next_day(kinds[i].kind, first) == last + 1) {
            (void)!counters_visit(reader->store, reader->txn, kinds[i].grain,
                                  scan->out->query.unit_id, first, first,
                                  take_distinct, &scan->out->quality_customers,
                                  scan->err);
        }
    }
}

static void
count_expired(struct report_scan *scan)
{
    const struct report_query *query = &scan->out->query;
    const struct reader *reader = scan->reader;
    int32_t first = shanghai_day(query->from_us);
    int32_t last = shanghai_day(query->to_us - 1);
    struct ledger_expire expire;

    (void)reader_expire(reader, &expire, scan->err);
    if (query->from_us - QUERY_REPLY_REACH_US >= expire.horizon_us ||
        scan->err->code != ERR_OK) {
        return;
    }
    if (counters_visit_kept(reader->store, reader->txn, query->unit_id, first,
                            last, add_kept, scan, scan->err) == ERR_OK &&
        scan->out->expired > 0) {
        add_kept_units(scan, first, last);
        count_distinct(scan, first, last);
    }
}

static int
more_complaints_first(const void *a, const void *b)
{
    const struct report_subcategory *x = a;
    const struct report_subcategory *y = b;

    if (x->category != y->category) {
        return x->category < y->category ? -1 : 1;
    }
    if (x->complaints != y->complaints) {
        return x->complaints > y->complaints ? -1 : 1;
    }
    return x->name_id < y->name_id ? -1 : x->name_id > y->name_id;
}

/* In the order of names; few rows, names borrowed from the snapshot. */
static void
sort_units(struct report_scan *scan)
{
    struct report_numbers *out = scan->out;

    for (size_t i = 1; i < out->unit_count; i++) {
        struct report_unit moved = out->units[i];
        struct span name = reader_name(scan->reader, moved.unit_id);
        size_t at = i;

        while (at > 0 && span_compare(reader_name(scan->reader,
                                                  out->units[at - 1].unit_id),
                                      name) > 0) {
            out->units[at] = out->units[at - 1];
            at--;
        }
        out->units[at] = moved;
    }
}

static void
sort_overdue(struct report_scan *scan)
{
    struct report_numbers *out = scan->out;

    for (size_t i = 1; i < out->overdue_count; i++) {
        struct report_overdue moved = out->overdue[i];
        struct span name = reader_name(scan->reader, moved.kind_id);
        size_t at = i;

        while (at > 0 && span_compare(reader_name(scan->reader,
                                                  out->overdue[at - 1].kind_id),
                                      name) > 0) {
            out->overdue[at] = out->overdue[at - 1];
            at--;
        }
        out->overdue[at] = moved;
    }
}

enum err_code
query_report(const struct reader *reader,
             const struct dictionary *dictionary,
             const struct report_query *query,
             struct report_numbers *out,
             struct err *err)
{
    struct report_scan scan = {.reader = reader,
                               .repeat_min = dictionary->repeat->repeat_min,
                               .out = out,
                               .err = err};
    int64_t reach_us = query->from_us - QUERY_REPLY_REACH_US;

    memset(out, 0, sizeof(*out));
    out->query = *query;
    out->tick_us = reader_tick_us(reader);
    query_unit_filter_init(&scan.filter, reader, query->unit_id);
    out->subcategories =
        calloc(QUERY_SUBCATEGORIES_MAX, sizeof(*out->subcategories));
    out->units = calloc(QUERY_UNITS_MAX, sizeof(*out->units));
    if (out->subcategories == NULL || out->units == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "report");
    } else if (reader_tickets(reader, reach_us, query->to_us, 0, 0, false,
                              visit_ticket, &scan, err) == ERR_OK) {
        count_expired(&scan);
        out->repeat_tickets = out->counts[COUNTER_repeats];
    }
    u64_map_release(&scan.subcategory_at);
    u64_map_release(&scan.unit_at);
    u64_map_release(&scan.roots);
    u64_map_release(&scan.root_of);
    u64_map_release(&scan.persons);
    if (err->code != ERR_OK) {
        report_numbers_release(out);
        return err->code;
    }
    if (out->subcategory_count > 1) {
        qsort(out->subcategories, out->subcategory_count,
              sizeof(*out->subcategories), more_complaints_first);
    }
    sort_units(&scan);
    sort_overdue(&scan);
    return ERR_OK;
}

void
report_numbers_release(struct report_numbers *numbers)
{
    free(numbers->subcategories);
    free(numbers->units);
    memset(numbers, 0, sizeof(*numbers));
}

uint64_t
report_complaints(const struct report_numbers *numbers,
                  enum ticket_category category,
                  enum ticket_region region)
{
    uint64_t sum = 0;

    for (unsigned c = 0; c < TICKET_CATEGORY_COUNT; c++) {
        if (category != TICKET_CATEGORY_COUNT && c != category) {
            continue;
        }
        sum += numbers->complaints[c][region];
        if (region == TICKET_REGION_RURAL) {
            sum += numbers->complaints[c][TICKET_REGION_REMOTE];
        }
    }
    return sum;
}

uint64_t
report_category(const struct report_numbers *numbers,
                enum ticket_category category)
{
    uint64_t sum = 0;

    for (unsigned c = 0; c < TICKET_CATEGORY_COUNT; c++) {
        for (unsigned r = 0; r < TICKET_REGION_COUNT; r++) {
            sum += category == TICKET_CATEGORY_COUNT || c == category
                       ? numbers->complaints[c][r]
                       : 0;
        }
    }
    return sum;
}
