/* What the ledger knows about one ticket: folding events, bytes. */
#include "server/ledger/state.h"

#include <assert.h>

enum { STATE_VERSION = 1 };

enum state_bit {
    STATE_BIT_REVIEWED = 1u << 0,
    STATE_BIT_REVIEWED_SUBCATEGORY = 1u << 1,
    STATE_BIT_REVIEWED_REGION = 1u << 2,
    STATE_BIT_REPEAT_SETTLED = 1u << 3,
    STATE_BIT_REPEAT_CALL = 1u << 4,
    STATE_BIT_THIRD_CALL = 1u << 5,
    STATE_BIT_BURST = 1u << 6,
    STATE_BIT_REPEAT_CROWDED = 1u << 7
};

enum clock_bit { CLOCK_BIT_OVERDUE = 1u << 0, CLOCK_BIT_PROVISIONAL = 1u << 1 };

static uint32_t
event_hashes_kept(const struct ticket_state *state)
{
    return state->event_count < STATE_EVENT_HASHES_MAX ? state->event_count
                                                       : STATE_EVENT_HASHES_MAX;
}

/* 0 for never, else the distance to the acceptance, never 0. */
static void
put_instant(struct byte_writer *w, int64_t at_us, int64_t base_us)
{
    if (at_us == STATE_NEVER) {
        put_varint(w, 0);
        return;
    }
    int64_t distance = (int64_t)((uint64_t)at_us - (uint64_t)base_us);

    put_varint(w, (((uint64_t)distance << 1) ^ (uint64_t)(distance >> 63)) + 1);
}

static int64_t
get_instant(struct byte_reader *r, int64_t base_us)
{
    uint64_t value = get_varint(r);

    if (value == 0) {
        return STATE_NEVER;
    }
    value--;
    return (int64_t)((uint64_t)base_us +
                     (uint64_t)((int64_t)(value >> 1) ^ -(int64_t)(value & 1)));
}

static void
put_life(const struct ticket_state *state, struct byte_writer *w)
{
    uint32_t present = 0;

    for (int i = 0; i < EVENT_KIND_COUNT; i++) {
        if (state->event_at_us[i] != STATE_NEVER) {
            present |= 1u << i;
        }
    }
    put_varint(w, present);
    for (int i = 0; i < EVENT_KIND_COUNT; i++) {
        if (state->event_at_us[i] != STATE_NEVER) {
            put_zigzag(w, state->event_at_us[i] - state->accepted_at_us);
        }
    }
    put_varint(w, state->urged_count);
    put_u8(w, state->satisfaction);
    put_u8(w, state->substantiated);
    put_bytes(w, state->event_hashes,
              event_hashes_kept(state) * sizeof(state->event_hashes[0]));
}

static void
get_life(struct ticket_state *out, struct byte_reader *r)
{
    uint32_t present = (uint32_t)get_varint(r);
    size_t hash_bytes;

    for (int i = 0; i < EVENT_KIND_COUNT; i++) {
        out->event_at_us[i] = (present >> i & 1u) != 0
                                  ? (int64_t)((uint64_t)out->accepted_at_us +
                                              (uint64_t)get_zigzag(r))
                                  : STATE_NEVER;
    }
    out->urged_count = (uint32_t)get_varint(r);
    out->satisfaction = (enum event_satisfaction)get_u8(r);
    out->substantiated = (enum event_substantiated)get_u8(r);
    hash_bytes = event_hashes_kept(out) * sizeof(out->event_hashes[0]);
    if (byte_reader_left(r) < hash_bytes) {
        r->failed = true;
        return;
    }
    memcpy(out->event_hashes, r->at, hash_bytes);
    r->at += hash_bytes;
    r->failed |= out->satisfaction >= EVENT_SATISFACTION_COUNT ||
                 out->substantiated >= EVENT_SUBSTANTIATED_COUNT;
}

const struct state_link *
state_find_link(const struct ticket_state *state, uint64_t key_hash)
{
    for (uint32_t i = 0; i < state->link_count; i++) {
        if (state->links[i].key_hash == key_hash) {
            return &state->links[i];
        }
    }
    return NULL;
}

/* The keys in force are positions in the list of links, from 1. */
static void
put_links(const struct ticket_state *state, struct byte_writer *w)
{
    put_varint(w, state->link_count);
    for (uint32_t i = 0; i < state->link_count; i++) {
        put_bytes(w, &state->links[i].key_hash,
                  sizeof(state->links[i].key_hash));
        put_varint(w, state->links[i].previous_number);
    }
    for (int i = 0; i < STATE_KEYS; i++) {
        const struct state_link *link =
            state->key_hash[i] != 0 ? state_find_link(state, state->key_hash[i])
                                    : NULL;

        put_u8(w, link != NULL ? (unsigned)(link - state->links) + 1 : 0);
    }
}

static void
get_links(struct ticket_state *out, struct byte_reader *r)
{
    out->link_count = (uint32_t)get_varint(r);
    if (out->link_count > STATE_LINKS_MAX) {
        r->failed = true;
        out->link_count = 0;
    }
    for (uint32_t i = 0; i < out->link_count; i++) {
        if (byte_reader_left(r) < sizeof(uint64_t)) {
            r->failed = true;
            return;
        }
        memcpy(&out->links[i].key_hash, r->at, sizeof(uint64_t));
        r->at += sizeof(uint64_t);
        out->links[i].previous_number = get_varint(r);
    }
    for (int i = 0; i < STATE_KEYS; i++) {
        uint8_t position = get_u8(r);

        if (position > out->link_count) {
            r->failed = true;
            position = 0;
        }
        out->key_hash[i] = position > 0 ? out->links[position - 1].key_hash : 0;
    }
}

void
state_encode(const struct ticket_state *state, struct byte_writer *w)
{
    put_u8(w, STATE_VERSION);
    put_varint(w, state->record_seq - state->number);
    put_instant(w,
                state->last_event_seq == 0 ? STATE_NEVER
                                           : (int64_t)state->last_event_seq,
                (int64_t)state->number);
    put_bytes(w, &state->content_hash, sizeof(state->content_hash));
    put_varint(w, state->version_count);
    put_varint(w, state->event_count);
    put_varint(w, state->judged_by);
    put_zigzag(w, state->accepted_at_us);
    put_u8(w, state->type);
    put_u8(w, state->channel);
    put_varint(w, state->unit_id);
    put_links(state, w);
    put_varint(w, state->related_number);
    put_u8(w, state->judged_category);
    put_varint(w, state->judged_subcategory_id);
    put_u8(w, state->judged_region);
    put_varint(w, state->verdict_flags);
    put_u8(w, state->category);
    put_varint(w, state->subcategory_id);
    put_varint(w, state->topic_id);
    put_varint(w, state->matter_id);
    put_u8(w, state->region);
    put_u8(w, (state->reviewed ? STATE_BIT_REVIEWED : 0u) |
                  (state->reviewed_subcategory ? STATE_BIT_REVIEWED_SUBCATEGORY
                                               : 0u) |
                  (state->reviewed_region ? STATE_BIT_REVIEWED_REGION : 0u) |
                  (state->repeat_settled ? STATE_BIT_REPEAT_SETTLED : 0u) |
                  (state->repeat_call ? STATE_BIT_REPEAT_CALL : 0u) |
                  (state->third_call ? STATE_BIT_THIRD_CALL : 0u) |
                  (state->burst ? STATE_BIT_BURST : 0u) |
                  (state->repeat_crowded ? STATE_BIT_REPEAT_CROWDED : 0u));
    put_life(state, w);
    put_varint(w, state->repeat_previous);
    put_u8(w, state->repeat_key);
    put_varint(w, state->calls);
    put_varint(w, state->burst_calls);
    put_varint(w, state->clock_count);
    for (uint32_t i = 0; i < state->clock_count; i++) {
        const struct state_clock *clock = &state->clocks[i];

        put_varint(w, clock->kind_id);
        put_u8(w, clock->role);
        put_u8(w, (clock->overdue ? CLOCK_BIT_OVERDUE : 0u) |
                      (clock->provisional ? CLOCK_BIT_PROVISIONAL : 0u));
        put_instant(w, clock->due_us, state->accepted_at_us);
        put_instant(w, clock->due_soon_us, state->accepted_at_us);
        put_instant(w, clock->stopped_us, state->accepted_at_us);
    }
}

static void
get_clocks(struct ticket_state *out, struct byte_reader *r)
{
    out->clock_count = (uint32_t)get_varint(r);
    if (out->clock_count > DEADLINE_KINDS_MAX) {
        r->failed = true;
        out->clock_count = 0;
    }
    for (uint32_t i = 0; i < out->clock_count; i++) {
        struct state_clock *clock = &out->clocks[i];
        uint8_t bits;

        clock->kind_id = (uint32_t)get_varint(r);
        clock->role = (enum clock_role)get_u8(r);
        bits = get_u8(r);
        clock->overdue = (bits & CLOCK_BIT_OVERDUE) != 0;
        clock->provisional = (bits & CLOCK_BIT_PROVISIONAL) != 0;
        clock->due_us = get_instant(r, out->accepted_at_us);
        clock->due_soon_us = get_instant(r, out->accepted_at_us);
        clock->stopped_us = get_instant(r, out->accepted_at_us);
    }
}

bool
state_decode(uint64_t number, struct span bytes, struct ticket_state *out)
{
    struct byte_reader reader = byte_reader_on(bytes.data, bytes.bytes);
    struct byte_reader *r = &reader;
    int64_t event_seq;
    uint8_t bits;

    if (get_u8(r) != STATE_VERSION) {
        return false;
    }
    out->number = number;
    out->record_seq = number + get_varint(r);
    event_seq = get_instant(r, (int64_t)number);
    out->last_event_seq = event_seq == STATE_NEVER ? 0 : (uint64_t)event_seq;
    if (byte_reader_left(r) < sizeof(out->content_hash)) {
        return false;
    }
    memcpy(&out->content_hash, r->at, sizeof(out->content_hash));
    r->at += sizeof(out->content_hash);
    out->version_count = (uint32_t)get_varint(r);
    out->event_count = (uint32_t)get_varint(r);
    out->judged_by = (uint32_t)get_varint(r);
    out->accepted_at_us = get_zigzag(r);
    out->type = (enum ticket_type)get_u8(r);
    out->channel = (enum ticket_channel)get_u8(r);
    out->unit_id = (uint32_t)get_varint(r);
    get_links(out, r);
    out->related_number = get_varint(r);
    out->judged_category = (enum ticket_category)get_u8(r);
    out->judged_subcategory_id = (uint32_t)get_varint(r);
    out->judged_region = (enum ticket_region)get_u8(r);
    out->verdict_flags = (uint32_t)get_varint(r);
    out->category = (enum ticket_category)get_u8(r);
    out->subcategory_id = (uint32_t)get_varint(r);
    out->topic_id = (uint32_t)get_varint(r);
    out->matter_id = (uint32_t)get_varint(r);
    out->region = (enum ticket_region)get_u8(r);
    bits = get_u8(r);
    out->reviewed = (bits & STATE_BIT_REVIEWED) != 0;
    out->reviewed_subcategory = (bits & STATE_BIT_REVIEWED_SUBCATEGORY) != 0;
    out->reviewed_region = (bits & STATE_BIT_REVIEWED_REGION) != 0;
    out->repeat_settled = (bits & STATE_BIT_REPEAT_SETTLED) != 0;
    out->repeat_call = (bits & STATE_BIT_REPEAT_CALL) != 0;
    out->third_call = (bits & STATE_BIT_THIRD_CALL) != 0;
    out->burst = (bits & STATE_BIT_BURST) != 0;
    out->repeat_crowded = (bits & STATE_BIT_REPEAT_CROWDED) != 0;
    get_life(out, r);
    out->repeat_previous = get_varint(r);
    out->repeat_key = (enum repeat_key)get_u8(r);
    out->calls = (uint32_t)get_varint(r);
    out->burst_calls = (uint32_t)get_varint(r);
    get_clocks(out, r);
    return !r->failed && byte_reader_left(r) == 0 &&
           out->type < TICKET_TYPE_COUNT &&
           out->channel < TICKET_CHANNEL_COUNT &&
           out->category < TICKET_CATEGORY_COUNT &&
           out->judged_category < TICKET_CATEGORY_COUNT &&
           out->region < TICKET_REGION_COUNT &&
           out->judged_region < TICKET_REGION_COUNT &&
           out->repeat_key <= REPEAT_KEY_RELATED;
}

void
state_begin(struct ticket_state *state,
            const struct record *version,
            uint64_t version_seq)
{
    const struct record_verdict *verdict = &version->verdict;

    assert(version->kind == RECORD_TICKET);
    memset(state, 0, sizeof(*state));
    state->number = version->number;
    state->record_seq = version_seq;
    state->content_hash = record_ticket_hash(&version->ticket);
    state->version_count = 1;
    state->accepted_at_us = version->ticket.accepted_at_us;
    state->type = version->ticket.type;
    state->channel = version->ticket.channel;
    state->judged_category = state->category = verdict->category;
    state->judged_subcategory_id = state->subcategory_id =
        verdict->subcategory_id;
    state->judged_region = state->region = verdict->region;
    state->topic_id = verdict->topic_id;
    state->matter_id = verdict->matter_id;
    state->verdict_flags = verdict->flags;
    state->calls = 1;
    state->burst_calls = 1;
    for (int i = 0; i < EVENT_KIND_COUNT; i++) {
        state->event_at_us[i] = STATE_NEVER;
    }
}

static void
apply_correction(struct ticket_state *state,
                 const struct ticket_event *event,
                 uint32_t subcategory_id)
{
    state->reviewed = true;
    if (event->category_given) {
        if (event->category != state->category && subcategory_id == 0) {
            state->subcategory_id = 0; /* it belonged to the other category */
            state->topic_id = 0;
        }
        state->category = event->category;
    }
    if (subcategory_id != 0) {
        if (subcategory_id != state->subcategory_id) {
            state->topic_id = 0;
        }
        state->subcategory_id = subcategory_id;
        state->matter_id = subcategory_id;
        state->reviewed_subcategory = true;
    }
    if (event->region != TICKET_REGION_UNKNOWN) {
        state->region = event->region;
        state->reviewed_region = true;
    }
}

void
state_apply_event(struct ticket_state *state,
                  const struct ticket_event *event,
                  uint32_t subcategory_id)
{
    int64_t *at_us = &state->event_at_us[event->kind];
    bool latest = *at_us == STATE_NEVER || event->at_us >= *at_us;

    if (state->event_count < STATE_EVENT_HASHES_MAX) {
        state->event_hashes[state->event_count] =
            (uint32_t)record_event_hash(event);
    }
    state->event_count++;
    switch (event->kind) {
    case EVENT_KIND_REVISITED:
        if (latest) {
            *at_us = event->at_us;
            state->satisfaction = event->satisfaction;
        }
        break;
    case EVENT_KIND_VERIFIED:
        if (latest) {
            *at_us = event->at_us;
            state->substantiated = event->substantiated;
        }
        break;
    case EVENT_KIND_CORRECTED:
        if (latest) {
            *at_us = event->at_us;
            apply_correction(state, event, subcategory_id);
        }
        break;
    case EVENT_KIND_URGED:
        state->urged_count++;
        /* fallthrough */
    default:
        if (*at_us == STATE_NEVER || event->at_us < *at_us) {
            *at_us = event->at_us;
        }
        break;
    }
}

bool
state_knows_event(const struct ticket_state *state, uint64_t event_hash)
{
    uint32_t kept = event_hashes_kept(state);

    for (uint32_t i = 0; i < kept; i++) {
        if (state->event_hashes[i] == (uint32_t)event_hash) {
            return true;
        }
    }
    return state->event_count > STATE_EVENT_HASHES_MAX;
}

bool
state_repeat_excluded(const struct ticket_state *state)
{
    return (state->verdict_flags & VERDICT_TEST_TICKET) != 0 ||
           state->type == TICKET_TYPE_PRAISE;
}
