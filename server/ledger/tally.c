/* What one ticket contributes to the counters. */
#include "server/ledger/tally.h"

static const struct counter_row {
    const char *name;
    const char *chinese;
    const char *text;
    enum counter_anchor anchor;
} counter_rows[COUNTER_COUNT] = {
#define COUNTER_ROW(name, anchor, chinese, text)                               \
    {#name, chinese, text, COUNTER_##anchor},
#include "server/ledger/counters.def"
#undef COUNTER_ROW
};

const char *
counter_name(enum counter counter)
{
    return counter_rows[counter].name;
}

const char *
counter_chinese(enum counter counter)
{
    return counter_rows[counter].chinese;
}

const char *
counter_text(enum counter counter)
{
    return counter_rows[counter].text;
}

enum counter_anchor
counter_anchor(enum counter counter)
{
    return counter_rows[counter].anchor;
}

bool
counter_from(struct span name, enum counter *out)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        if (span_is(name, counter_rows[i].name)) {
            *out = (enum counter)i;
            return true;
        }
    }
    return false;
}

bool
tally_is_complaint(const struct ticket_state *state)
{
    return state->type == TICKET_TYPE_COMPLAINT ||
           (state->type == TICKET_TYPE_UNKNOWN &&
            state->category != TICKET_CATEGORY_NONE);
}

static void
set_if(uint64_t *set, bool condition, enum counter counter)
{
    if (condition) {
        *set |= UINT64_C(1) << counter;
    }
}

static bool
has(const struct ticket_state *state, enum event_kind kind)
{
    return state->event_at_us[kind] != STATE_NEVER;
}

static bool
clock_overdue(const struct state_clock *clock, int64_t as_of_us)
{
    if (as_of_us == STATE_NEVER) {
        return clock->overdue;
    }
    return clock->due_us < as_of_us && clock->due_us < clock->stopped_us;
}

/* Remote counts as rural wherever two classes are asked for. */
static bool
same_area(enum ticket_region a, enum ticket_region b)
{
    return (a == TICKET_REGION_REMOTE ? TICKET_REGION_RURAL : a) ==
           (b == TICKET_REGION_REMOTE ? TICKET_REGION_RURAL : b);
}

static void
tally_clocks(const struct ticket_state *state,
             int64_t as_of_us,
             struct tally *out)
{
    for (uint32_t i = 0; i < state->clock_count; i++) {
        const struct state_clock *clock = &state->clocks[i];
        bool overdue = clock_overdue(clock, as_of_us);
        /* A clock that will stop too late is undecided until it is overdue. */
        bool in_time = clock->stopped_us != STATE_NEVER &&
                       clock->stopped_us <= as_of_us &&
                       clock->stopped_us <= clock->due_us;

        if (overdue) {
            out->overdue_kind_id[out->overdue_count++] = clock->kind_id;
        }
        if (clock->role == CLOCK_ROLE_RESTORE) {
            set_if(&out->accepted_set, in_time || overdue,
                   COUNTER_restore_judged);
            set_if(&out->accepted_set, in_time, COUNTER_restore_in_time);
        }
        if (clock->role == CLOCK_ROLE_REPLY && tally_is_complaint(state) &&
            (in_time || overdue) && clock->due_us != STATE_NEVER) {
            out->reply_due_us = clock->due_us;
            set_if(&out->due_set, true, COUNTER_reply_judged);
            set_if(&out->due_set, in_time, COUNTER_reply_in_time);
        }
    }
    set_if(&out->accepted_set, out->overdue_count > 0, COUNTER_overdue);
}

void
tally_state(const struct ticket_state *state,
            const struct tally_rules *rules,
            int64_t as_of_us,
            struct tally *out)
{
    uint64_t *set = &out->accepted_set;
    bool counted = !state_repeat_excluded(state) && !state->repeat_settled;

    memset(out, 0, sizeof(*out));
    out->accepted_at_us = state->accepted_at_us;
    out->reply_due_us = STATE_NEVER;
    out->unit_id = state->unit_id;
    out->dimension_value[TALLY_CATEGORY_REGION] =
        (uint32_t)state->category * TICKET_REGION_COUNT +
        (uint32_t)state->region;
    out->dimension_value[TALLY_SUBCATEGORY] = state->subcategory_id;
    out->dimension_value[TALLY_CHANNEL] = state->channel;
    out->dimension_value[TALLY_TYPE] = state->type;

    set_if(set, true, COUNTER_received);
    set_if(set, tally_is_complaint(state), COUNTER_complaints);
    set_if(set,
           counted && (rules != NULL ? state->calls >= rules->repeat_min
                                     : state->repeat_call),
           COUNTER_repeats);
    set_if(set,
           counted && (rules != NULL ? state->calls >= rules->third_call_min
                                     : state->third_call),
           COUNTER_third_calls);
    set_if(set,
           counted && (rules != NULL ? state->burst_calls >= rules->burst_min
                                     : state->burst),
           COUNTER_bursts);
    set_if(set, has(state, EVENT_KIND_DISPATCHED), COUNTER_dispatched);
    set_if(set, has(state, EVENT_KIND_REPLIED), COUNTER_replied);
    set_if(set, has(state, EVENT_KIND_CLOSED), COUNTER_closed);
    set_if(set, has(state, EVENT_KIND_URGED), COUNTER_urged);
    set_if(set, has(state, EVENT_KIND_VERIFIED), COUNTER_verified);
    set_if(set,
           state->substantiated == EVENT_SUBSTANTIATED_YES ||
               state->substantiated == EVENT_SUBSTANTIATED_PARTLY,
           COUNTER_substantiated);
    set_if(set,
           has(state, EVENT_KIND_REVISITED) &&
               state->satisfaction != EVENT_SATISFACTION_NONE &&
               state->satisfaction != EVENT_SATISFACTION_UNKNOWN,
           COUNTER_revisited);
    set_if(set,
           state->satisfaction == EVENT_SATISFACTION_SATISFIED ||
               state->satisfaction == EVENT_SATISFACTION_BASICALLY,
           COUNTER_satisfied);
    set_if(set, has(state, EVENT_KIND_FINAL_REPLY), COUNTER_final_replies);
    set_if(set, (state->verdict_flags & VERDICT_TEST_TICKET) != 0,
           COUNTER_test_tickets);
    set_if(set, state->reviewed, COUNTER_reviewed);
    set_if(set, state->reviewed && state->category == state->judged_category,
           COUNTER_agree_category);
    set_if(set,
           state->reviewed_subcategory &&
               state->subcategory_id == state->judged_subcategory_id,
           COUNTER_agree_subcategory);
    set_if(set,
           state->reviewed_region &&
               same_area(state->region, state->judged_region),
           COUNTER_agree_region);
    set_if(set, state->reviewed_subcategory, COUNTER_reviewed_subcategory);
    set_if(set, state->reviewed_region, COUNTER_reviewed_region);
    tally_clocks(state, as_of_us, out);
    if (tally_is_complaint(state) &&
        state->category == TICKET_CATEGORY_QUALITY) {
        out->person = state->key_hash[REPEAT_KEY_CUSTOMER - 1] != 0
                          ? state->key_hash[REPEAT_KEY_CUSTOMER - 1]
                      : state->key_hash[REPEAT_KEY_CALLER - 1] != 0
                          ? state->key_hash[REPEAT_KEY_CALLER - 1]
                          : state->number;
    }
}

size_t
tally_kept_slots(const struct ticket_state *state,
                 const struct tally *tally,
                 bool first_repeat,
                 uint32_t slots[TALLY_KEPT_SLOTS_MAX])
{
    bool repeats = tally_has(tally, COUNTER_repeats);
    bool closed = has(state, EVENT_KIND_CLOSED);
    bool replied =
        has(state, EVENT_KIND_REPLIED) || has(state, EVENT_KIND_FINAL_REPLY);
    size_t count = 0;

    if (tally_has(tally, COUNTER_complaints)) {
        slots[count++] =
            TALLY_SLOT(TALLY_SUBCATEGORY, state->subcategory_id,
                       TALLY_KEPT_COMPLAINTS +
                           tally->dimension_value[TALLY_CATEGORY_REGION]);
        if (closed || replied) {
            slots[count++] = TALLY_SLOT(
                TALLY_ALL, 0, closed ? TALLY_KEPT_CLOSED : TALLY_KEPT_REPLIED);
        }
        if (tally_has(tally, COUNTER_substantiated)) {
            slots[count++] = TALLY_SLOT(TALLY_ALL, 0, TALLY_KEPT_SUBSTANTIATED);
        }
    }
    if (!repeats && state->repeat_call && state->repeat_settled) {
        slots[count++] = TALLY_SLOT(TALLY_ALL, 0, TALLY_KEPT_SETTLED);
    }
    if (repeats && first_repeat) {
        slots[count++] = TALLY_SLOT(TALLY_ALL, 0, TALLY_KEPT_CALLERS);
    }
    for (uint32_t i = 0; i < state->clock_count; i++) {
        const struct state_clock *clock = &state->clocks[i];

        if (clock->overdue && clock->stopped_us == STATE_NEVER) {
            slots[count++] =
                TALLY_SLOT(TALLY_CLOCK, clock->kind_id, TALLY_KEPT_CLOCK_OPEN);
        }
    }
    return count;
}

bool
tally_equal(const struct tally *a, const struct tally *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}
