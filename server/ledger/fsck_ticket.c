/* One ticket: its chains, its life folded from the log, its clocks. */
#include "server/ledger/fsck_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "analyzers/taxonomy.h"
#include "analyzers/units.h"

enum { FSCK_EVENTS_MAX = 10000, FSCK_VERSION_KEYS_MAX = 64 };

/* The ticket at hand. */
struct ticket_check {
    struct fsck *fsck;
    const struct ticket_state *found;
    struct ticket_state expected;
    struct record version;
    struct ticket_event *events; /* of the chain, newest arrival first */
    size_t event_count;
    bool corrected_by_name; /* a correction names a subcategory */
};

static void
say_number(const struct ticket_check *check,
           const char *what,
           uint64_t expected,
           uint64_t found)
{
    if (expected != found) {
        fsck_say(check->fsck,
                 "state of ticket %" PRIu64 ": %s: expected %" PRIu64
                 ", found %" PRIu64,
                 check->found->number, what, expected, found);
    }
}

static void
say_time(const struct ticket_check *check,
         const char *what,
         int64_t expected,
         int64_t found)
{
    if (expected != found) {
        fsck_say(check->fsck,
                 "state of ticket %" PRIu64 ": %s: expected %" PRId64
                 ", found %" PRId64,
                 check->found->number, what, expected, found);
    }
}

/* A record of the log without its checksum: that was checked already. */
static bool
get_record(struct ticket_check *check, uint64_t seq, struct record *out)
{
    struct fsck *fsck = check->fsck;
    uint8_t key_bytes[8];
    struct byte_writer w = byte_writer_on(key_bytes, sizeof(key_bytes));
    struct span value;

    put_be64(&w, seq);
    if (store_get(fsck->store, fsck->reader.txn, STORE_LOG,
                  (struct span){(char *)key_bytes, 8}, &value, fsck->err) &&
        value.bytes >= STORE_CHECKSUM_BYTES) {
        value.bytes -= STORE_CHECKSUM_BYTES;
        if (record_decode(value, out)) {
            return true;
        }
    }
    fsck_say(fsck,
             "state of ticket %" PRIu64 ": log record %" PRIu64
             ": expected one that can be read, found none",
             check->found->number, seq);
    return false;
}

/* The record of a chain of this ticket: of the kind, and leading back. */
static bool
get_own_record(struct ticket_check *check,
               uint64_t seq,
               enum record_kind kind,
               const char *kind_words,
               struct record *out)
{
    uint64_t number = check->found->number;

    if (!get_record(check, seq, out)) {
        return false;
    }
    if (out->kind != kind || out->number != number || out->previous >= seq) {
        fsck_say(check->fsck,
                 "state of ticket %" PRIu64 ": log record %" PRIu64
                 ": expected %s of this ticket, found kind %d of "
                 "ticket %" PRIu64,
                 number, seq, kind_words, (int)out->kind, out->number);
        return false;
    }
    return true;
}

/* --- keys --------------------------------------------------------------- */

/* The keys of one version are links of the state (as long as there is room). */
static void
check_version_keys(struct ticket_check *check,
                   const struct record *version,
                   bool in_force,
                   uint64_t *seen,
                   size_t *seen_count)
{
    const struct ticket_state *found = check->found;

    for (int i = 0; i < STATE_KEYS; i++) {
        uint64_t hash = ledger_key_hash(
            check->fsck->store, (enum repeat_key)(i + 1), &version->ticket);
        bool linked = hash != 0 && state_find_link(found, hash) != NULL;

        if (hash != 0 && !linked && found->link_count < STATE_LINKS_MAX) {
            fsck_say(check->fsck,
                     "state of ticket %" PRIu64
                     ": link of key %d: expected one, found none",
                     found->number, i + 1);
        }
        if (in_force && found->key_hash[i] != (linked ? hash : 0)) {
            fsck_say(check->fsck,
                     "state of ticket %" PRIu64
                     ": key %d: expected that of the version in force, found "
                     "another",
                     found->number, i + 1);
        }
        if (linked && *seen_count < FSCK_VERSION_KEYS_MAX) {
            seen[(*seen_count)++] = hash;
        }
    }
}

static void
check_links_are_keys(struct ticket_check *check,
                     const uint64_t *seen,
                     size_t seen_count)
{
    if (seen_count == FSCK_VERSION_KEYS_MAX) {
        return;
    }
    for (uint32_t i = 0; i < check->found->link_count; i++) {
        bool known = false;

        for (size_t k = 0; k < seen_count && !known; k++) {
            known = seen[k] == check->found->links[i].key_hash;
        }
        if (!known) {
            fsck_say(check->fsck,
                     "state of ticket %" PRIu64
                     ": link %u: expected a key of a version, found another",
                     check->found->number, (unsigned)i);
        }
    }
}

/* --- chains ------------------------------------------------------------- */

/* Walk the versions from the one in force back to the first. */
static bool
check_versions(struct ticket_check *check)
{
    const struct ticket_state *found = check->found;
    uint64_t seen[FSCK_VERSION_KEYS_MAX];
    size_t seen_count = 0;
    uint64_t seq = found->record_seq;
    uint64_t first = seq;
    uint32_t count = 0;

    while (seq != 0) {
        struct record record;

        if (!get_own_record(check, seq, RECORD_TICKET, "a version", &record)) {
            return false;
        }
        check_version_keys(check, &record, count == 0, seen, &seen_count);
        if (count == 0) {
            check->version = record;
        }
        count++;
        first = seq;
        seq = record.previous;
    }
    check_links_are_keys(check, seen, seen_count);
    say_number(check, "first version", found->number, first);
    say_number(check, "versions", count, found->version_count);
    check->fsck->result->versions += count - 1;
    return true;
}

/* Walk the events from the newest back to the first. */
static bool
check_events(struct ticket_check *check)
{
    const struct ticket_state *found = check->found;
    uint64_t seq = found->last_event_seq;
    size_t room = 0;

    while (seq != 0) {
        struct record record;

        if (!get_own_record(check, seq, RECORD_EVENT, "an event", &record)) {
            return false;
        }
        if (check->event_count == room) {
            struct ticket_event *larger;

            room = room == 0 ? 16 : room * 2;
            larger = realloc(check->events, room * sizeof(*larger));
            if (larger == NULL) {
                (void)err_set(check->fsck->err, ERR_NO_MEMORY, "events");
                return false;
            }
            check->events = larger;
        }
        check->events[check->event_count++] = record.event;
        seq = record.previous;
    }
    check->fsck->chained_events += check->event_count;
    say_number(check, "events", check->event_count, found->event_count);
    return true;
}

/* --- the fold ----------------------------------------------------------- */

/* Stable by time: equal instants stay in the order of arrival. Few events: by
 * insertion; the chain is the other way round. */
static void
sort_events(struct ticket_event *events, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct ticket_event other = events[i];

        events[i] = events[count - 1 - i];
        events[count - 1 - i] = other;
    }
    for (size_t i = 1; i < count; i++) {
        struct ticket_event event = events[i];
        size_t at = i;

        for (; at > 0 && events[at - 1].at_us > event.at_us; at--) {
            events[at] = events[at - 1];
        }
        events[at] = event;
    }
}

static uint32_t
correction_name_id(struct ticket_check *check, struct span name)
{
    const struct taxonomy *taxonomy = check->fsck->dictionary->taxonomy;
    int32_t row;

    if (name.bytes == 0) {
        return 0;
    }
    check->corrected_by_name = true;
    row = taxonomy_subcategory(taxonomy, name);
    if (row != TAXONOMY_NONE) {
        name = taxonomy_row(taxonomy, row)->chinese;
    }
    return names_find(check->fsck->store, check->fsck->reader.txn,
                      NAME_SUBCATEGORY, name);
}

static void
fold(struct ticket_check *check)
{
    struct ticket_state *expected = &check->expected;
    uint32_t hashes[STATE_EVENT_HASHES_MAX];
    size_t hash_count = 0;

    state_begin(expected, &check->version, check->found->record_seq);
    for (size_t i = check->event_count;
         i-- > 0 && hash_count < STATE_EVENT_HASHES_MAX;) {
        hashes[hash_count++] = (uint32_t)record_event_hash(&check->events[i]);
    }
    sort_events(check->events, check->event_count);
    for (size_t i = 0; i < check->event_count; i++) {
        state_apply_event(
            expected, &check->events[i],
            correction_name_id(check, check->events[i].subcategory));
    }
    for (size_t i = 0; i < hash_count; i++) {
        if (i < check->found->event_count &&
            hashes[i] != check->found->event_hashes[i]) {
            fsck_say(check->fsck,
                     "state of ticket %" PRIu64
                     ": mark of event %zu: expected that of the log, found "
                     "another",
                     check->found->number, i);
        }
    }
}

static void
compare_life(struct ticket_check *check, bool by_this_dictionary)
{
    const struct ticket_state *is = check->found;
    const struct ticket_state *as = &check->expected;

    for (int i = 0; i < EVENT_KIND_COUNT; i++) {
        say_time(check, event_kind_wire((enum event_kind)i), as->event_at_us[i],
                 is->event_at_us[i]);
    }
    say_number(check, "content", as->content_hash, is->content_hash);
    say_time(check, "accepted_at", as->accepted_at_us, is->accepted_at_us);
    say_number(check, "type", as->type, is->type);
    say_number(check, "channel", as->channel, is->channel);
    say_number(check, "judged category", as->judged_category,
               is->judged_category);
    say_number(check, "judged subcategory", as->judged_subcategory_id,
               is->judged_subcategory_id);
    say_number(check, "judged region", as->judged_region, is->judged_region);
    say_number(check, "flags", as->verdict_flags, is->verdict_flags);
    say_number(check, "category", as->category, is->category);
    say_number(check, "region", as->region, is->region);
    say_number(check, "reviewed", as->reviewed, is->reviewed);
    say_number(check, "reviewed region", as->reviewed_region,
               is->reviewed_region);
    say_number(check, "urged", as->urged_count, is->urged_count);
    say_number(check, "satisfaction", as->satisfaction, is->satisfaction);
    say_number(check, "substantiated", as->substantiated, is->substantiated);
    if (by_this_dictionary || !check->corrected_by_name) {
        say_number(check, "reviewed subcategory", as->reviewed_subcategory,
                   is->reviewed_subcategory);
        say_number(check, "subcategory", as->subcategory_id,
                   is->subcategory_id);
        say_number(check, "topic", as->topic_id, is->topic_id);
        say_number(check, "matter", as->matter_id, is->matter_id);
    }
}

/* --- clocks ------------------------------------------------------------- */

static void
compare_clocks(struct ticket_check *check)
{
    static const char *const what[] = {"due", "due soon", "stopped"};
    struct ticket_state *as = &check->expected;
    const struct ticket_state *is = check->found;
    struct fsck *fsck = check->fsck;
    int64_t pauses_us[2 * LEDGER_PAUSES_MAX];
    size_t pauses = ledger_pauses(check->events, check->event_count, pauses_us);

    ledger_judge_clocks(fsck->dictionary, fsck->kind_ids, fsck->tick_us,
                        pauses_us, pauses, as);
    say_number(check, "clocks", as->clock_count, is->clock_count);
    for (uint32_t i = 0; i < as->clock_count && i < is->clock_count; i++) {
        const struct state_clock *a = &as->clocks[i];
        const struct state_clock *b = &is->clocks[i];

        say_number(check, "kind of a clock", a->kind_id, b->kind_id);
        say_number(check, "role of a clock", a->role, b->role);
        say_number(check, "provisional", a->provisional, b->provisional);
        say_time(check, what[0], a->due_us, b->due_us);
        say_time(check, what[1], a->due_soon_us, b->due_soon_us);
        say_time(check, what[2], a->stopped_us, b->stopped_us);
    }
}

/* True for every ticket, whatever tables judged it. */
static void
check_overdue(struct ticket_check *check)
{
    const struct ticket_state *is = check->found;

    for (uint32_t i = 0; i < is->clock_count; i++) {
        const struct state_clock *clock = &is->clocks[i];
        int64_t end_us = clock->stopped_us < check->fsck->tick_us
                             ? clock->stopped_us
                             : check->fsck->tick_us;

        if (clock->overdue != (clock->due_us < end_us)) {
            fsck_say(check->fsck,
                     "state of ticket %" PRIu64
                     ": overdue mark of clock %u: expected %d, found %d",
                     is->number, (unsigned)i, clock->due_us < end_us,
                     clock->overdue);
        }
    }
}

/* --- what the other checks need ----------------------------------------- */

static struct fsck_entry *
add_entry(struct fsck *fsck, struct fsck_array *array, struct byte_writer *w)
{
    struct fsck_entry *entry = fsck_array_add(fsck, array);

    if (entry != NULL) {
        *w = byte_writer_on(entry->key, sizeof(entry->key));
    }
    return entry;
}

static void
expect_clocks(struct fsck *fsck, const struct ticket_state *state)
{
    struct byte_writer w;

    for (uint32_t i = 0; i < state->clock_count; i++) {
        const struct state_clock *clock = &state->clocks[i];
        struct fsck_entry *entry;

        if (clock->overdue) {
            entry = add_entry(fsck, &fsck->overdue, &w);
            if (entry != NULL) {
                put_be32(&w, clock->kind_id);
                put_be_time(&w, clock->due_us);
                put_be64(&w, state->number);
            }
        } else if (clock->due_us < clock->stopped_us) {
            entry = add_entry(fsck, &fsck->due, &w);
            if (entry != NULL) {
                put_be_time(&w, clock->due_us);
                put_be64(&w, state->number);
                put_be32(&w, clock->kind_id);
                entry->value = clock->due_soon_us;
            }
        }
    }
    fsck->result->clocks += state->clock_count;
}

static void
expect_indexes(struct ticket_check *check)
{
    struct fsck *fsck = check->fsck;
    const struct ticket_state *state = check->found;
    struct byte_writer w;
    struct fsck_link *id = fsck_array_add(fsck, &fsck->ids);

    if (id != NULL) {
        *id = (struct fsck_link){
            store_hash(fsck->store, check->version.ticket.id), state->number,
            0};
    }
    for (uint32_t i = 0; i < state->link_count; i++) {
        struct fsck_link *link = fsck_array_add(fsck, &fsck->links);

        if (link != NULL) {
            *link = (struct fsck_link){state->links[i].key_hash, state->number,
                                       state->links[i].previous_number};
        }
    }
    if (add_entry(fsck, &fsck->times, &w) != NULL) {
        put_be_time(&w, state->accepted_at_us);
        put_be64(&w, state->number);
    }
    if (state->related_number != 0 &&
        add_entry(fsck, &fsck->related, &w) != NULL) {
        put_be64(&w, state->related_number);
        put_be64(&w, state->number);
    }
    expect_clocks(fsck, state);
}

/* The related order is looked up when all ids are known. */
static void
expect_related(struct ticket_check *check)
{
    struct fsck *fsck = check->fsck;
    struct span related = check->version.ticket.related;
    struct err ignored = {0};
    struct fsck_wait *wait;

    if (related.bytes == 0 || ticket_id_check(related, &ignored) != ERR_OK) {
        say_number(check, "related", 0, check->found->related_number);
        return;
    }
    wait = fsck_array_add(fsck, &fsck->waits);
    if (wait != NULL) {
        *wait =
            (struct fsck_wait){check->found->number, check->found->record_seq,
                               check->found->related_number};
    }
}

static void
count_ticket(struct fsck *fsck, const struct ticket_state *state)
{
    struct tally tally;

    tally_state(state, NULL, STATE_NEVER, &tally);
    if (!counter_sums_add(fsck->sums, &tally, 1)) {
        (void)err_set(fsck->err, ERR_NO_MEMORY, "counters");
    }
    if (tally.person != 0) {
        struct fsck_person *person = fsck_array_add(fsck, &fsck->persons);

        if (person != NULL) {
            *person = (struct fsck_person){tally.person,
                                           shanghai_day(tally.accepted_at_us),
                                           tally.unit_id};
        }
    }
}

static void
keep_ticket(struct fsck *fsck, const struct ticket_state *state, bool checked)
{
    struct fsck_ticket *kept = fsck_array_add(fsck, &fsck->tickets);

    if (kept == NULL) {
        return;
    }
    *kept = (struct fsck_ticket){
        .input = {.number = state->number,
                  .accepted_at_us = state->accepted_at_us,
                  .customer_hash = state->key_hash[REPEAT_KEY_CUSTOMER - 1],
                  .caller_hash = state->key_hash[REPEAT_KEY_CALLER - 1],
                  .address_hash = state->key_hash[REPEAT_KEY_ADDRESS - 1],
                  .matter = state->matter_id,
                  .related = state->related_number,
                  .excluded = state_repeat_excluded(state)},
        .repeat_previous = state->repeat_previous,
        .final_reply =
            state->event_at_us[EVENT_KIND_FINAL_REPLY] != STATE_NEVER,
        .calls = state->calls,
        .burst_calls = state->burst_calls,
        .repeat_key = (uint8_t)state->repeat_key,
        .settled = state->repeat_settled,
        .repeat_call = state->repeat_call,
        .third_call = state->third_call,
        .burst = state->burst,
        .crowded = state->repeat_crowded,
        .checked = checked};
}

void
fsck_check_ticket(struct fsck *fsck, const struct ticket_state *state)
{
    struct ticket_check check = {.fsck = fsck, .found = state};
    bool by_these = state->judged_by == fsck->dictionary_id;

    keep_ticket(fsck, state, by_these);
    count_ticket(fsck, state);
    check_overdue(&check);
    if (!by_these) {
        fsck->result->judged_by_others++;
    }
    if (check_versions(&check)) {
        expect_indexes(&check);
        expect_related(&check);
        if (check.version.verdict.dictionary_id == fsck->dictionary_id) {
            say_number(&check, "unit",
                       names_find(fsck->store, fsck->reader.txn, NAME_UNIT,
                                  units_path(fsck->dictionary->units,
                                             check.version.ticket.unit)),
                       state->unit_id);
        }
        if (check_events(&check) && check.event_count <= FSCK_EVENTS_MAX) {
            fold(&check);
            compare_life(&check, by_these);
            if (by_these) {
                compare_clocks(&check);
            }
        }
    }
    free(check.events);
}
