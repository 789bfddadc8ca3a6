/* Repeat calls inside a batch: gathers the neighbours, asks the analyzer. */
#include "server/ledger/ledger_internal.h"

#include <stdlib.h>
#include <string.h>

/* Tickets that share a key with one ticket. */
struct neighbours {
    struct repeat_ticket *tickets; /* borrowed from the ledger */
    size_t count;
    size_t max;
    bool crowded; /* a key in force had more than were taken */
};

/* A ticket to look at again, in the order of time. */
struct later_ticket {
    int64_t accepted_at_us;
    uint64_t number;
};

struct later_list {
    struct later_ticket *items; /* in the batch's arena */
    size_t count;
    size_t room;
};

static struct repeat_ticket
as_repeat_ticket(const struct ticket_state *state)
{
    return (struct repeat_ticket){
        .number = state->number,
        .accepted_at_us = state->accepted_at_us,
        .customer_hash = state->key_hash[REPEAT_KEY_CUSTOMER - 1],
        .caller_hash = state->key_hash[REPEAT_KEY_CALLER - 1],
        .address_hash = state->key_hash[REPEAT_KEY_ADDRESS - 1],
        .matter = state->matter_id,
        .related = state->related_number,
        .excluded = state_repeat_excluded(state)};
}

/* The state of `number`, from the batch or the store; not kept in the batch. */
static bool
peek_state(struct ledger *ledger,
           uint64_t number,
           struct ticket_state *out,
           struct err *err)
{
    size_t mask = ledger->cache_room - 1;

    for (size_t at = (size_t)(number * UINT64_C(0x9E3779B97F4A7C15)) & mask;
         ledger->cache[at] != NULL; at = (at + 1) & mask) {
        if (ledger->cache[at]->state.number == number) {
            *out = ledger->cache[at]->state;
            return true;
        }
    }
    if (!ledger_stored_state(ledger, number, out, err)) {
        (void)err_set(err, ERR_CORRUPT, "a ticket's state is missing");
        return false;
    }
    return true;
}

static bool
has_key(const struct ticket_state *state, uint64_t key_hash)
{
    for (int i = 0; i < STATE_KEYS; i++) {
        if (state->key_hash[i] == key_hash) {
            return true;
        }
    }
    return false;
}

/* Remember what repeat calls need to know of a state. */
static struct near_ticket *
near_put(struct ledger *ledger, const struct ticket_state *state)
{
    struct near_ticket *near =
        &ledger->near[state->number & (LEDGER_NEAR_ROOM - 1)];

    near->ticket = as_repeat_ticket(state);
    near->look = 0;
    for (int i = 0; i < STATE_KEYS; i++) {
        const struct state_link *link =
            state->key_hash[i] != 0 ? state_find_link(state, state->key_hash[i])
                                    : NULL;

        near->previous[i] = link != NULL ? link->previous_number : 0;
    }
    return near;
}

/* NULL and err when the ticket's state can't be had. */
static struct near_ticket *
near_get(struct ledger *ledger, uint64_t number, struct err *err)
{
    struct near_ticket *near = &ledger->near[number & (LEDGER_NEAR_ROOM - 1)];
    struct ticket_state state;

    if (near->ticket.number == number) {
        return near;
    }
    return peek_state(ledger, number, &state, err) ? near_put(ledger, &state)
                                                   : NULL;
}

/* Does the ticket have this key now, not only in an earlier version? */
static bool
near_has_key(const struct near_ticket *near, uint64_t key_hash)
{
    return near->ticket.customer_hash == key_hash ||
           near->ticket.caller_hash == key_hash ||
           near->ticket.address_hash == key_hash;
}

void
ledger_near_put(struct ledger *ledger, const struct ticket_state *state)
{
    (void)near_put(ledger, state);
}

/* The ticket before this one in the chain of a key, 0 at its end. */
static uint64_t
chain_previous(struct ledger *ledger,
               const struct near_ticket *near,
               uint64_t key_hash,
               struct err *err)
{
    const uint64_t hashes[STATE_KEYS] = {near->ticket.customer_hash,
                                         near->ticket.caller_hash,
                                         near->ticket.address_hash};
    const struct state_link *link;
    struct ticket_state state;

    for (int i = 0; i < STATE_KEYS; i++) {
        if (hashes[i] == key_hash) {
            return near->previous[i];
        }
    }
    /* A later version changed the key: the old link is in the state. */
    if (!peek_state(ledger, near->ticket.number, &state, err)) {
        return 0;
    }
    link = state_find_link(&state, key_hash);
    return link != NULL ? link->previous_number : 0;
}

uint64_t
ledger_chain_previous(struct ledger *ledger,
                      uint64_t number,
                      uint64_t key_hash,
                      struct err *err)
{
    const struct near_ticket *near = near_get(ledger, number, err);

    return near != NULL ? chain_previous(ledger, near, key_hash, err) : 0;
}

/* Walk the chain of one key from its newest ticket. */
static void
gather_key(struct ledger *ledger,
           const struct ticket_state *self,
           uint64_t key_hash,
           struct neighbours *out,
           struct err *err)
{
    uint64_t number = numbers_get(ledger->keys, key_hash);

    while (number != 0 && out->count < out->max && err->code == ERR_OK) {
        struct near_ticket *near = near_get(ledger, number, err);

        if (near == NULL) {
            return;
        }
        /* Seen by another key already? One that lost its place in the cache
         * meanwhile comes twice, which repeat_find allows. */
        if (number != self->number && near->look != ledger->look &&
            near_has_key(near, key_hash)) {
            near->look = ledger->look;
            out->tickets[out->count++] = near->ticket;
        }
        number = chain_previous(ledger, near, key_hash, err);
    }
    out->crowded = out->crowded || number != 0;
}

static enum err_code
gather(struct ledger *ledger,
       const struct ticket_state *self,
       struct neighbours *out,
       struct err *err)
{
    size_t candidates_max = ledger->dictionary->repeat->candidates_max;
    /* The keys now, the keys before a new version, and the related one. */
    size_t room = candidates_max * 2 * STATE_KEYS + 1;
    const struct near_ticket *related;

    if (room > ledger->neighbour_room) {
        struct repeat_ticket *larger =
            realloc(ledger->neighbours, room * sizeof(*larger));

        if (larger == NULL) {
            return err_set(err, ERR_NO_MEMORY, "repeat");
        }
        ledger->neighbours = larger;
        ledger->neighbour_room = room;
    }
    ledger->look++;
    out->tickets = ledger->neighbours;
    out->count = 0;
    out->crowded = false;
    for (int i = 0; i < STATE_KEYS; i++) {
        out->max = out->count + candidates_max;
        if (self->key_hash[i] != 0) {
            gather_key(ledger, self, self->key_hash[i], out, err);
        }
    }
    out->max++;
    if (err->code == ERR_OK && self->related_number != 0) {
        related = near_get(ledger, self->related_number, err);
        if (related != NULL) {
            out->tickets[out->count++] = related->ticket;
        }
    }
    return err->code;
}

/* Has the matter had its final reply, on this ticket or on one before it? When
 * that one has expired, as it was. */
static bool
is_settled(struct ledger *ledger,
           const struct ticket_state *state,
           struct err *err)
{
    struct ticket_state previous;

    if (state->event_at_us[EVENT_KIND_FINAL_REPLY] != STATE_NEVER) {
        return true;
    }
    if (state->repeat_previous == 0) {
        return false;
    }
    if (ledger->horizon_us != INT64_MIN &&
        !ledger_has_ticket(ledger, state->repeat_previous, err)) {
        return state->repeat_settled;
    }
    return peek_state(ledger, state->repeat_previous, &previous, err) &&
           previous.repeat_settled;
}

/* What the ticket repeats: as it was found before when that stands. */
static struct repeat_finding
find(struct ledger *ledger,
     const struct cached_state *cached,
     const struct neighbours *neighbours)
{
    const struct repeat_settings *settings = ledger->dictionary->repeat;
    const struct ticket_state *state = &cached->state;
    struct repeat_ticket self = as_repeat_ticket(state);
    struct repeat_finding finding = {state->repeat_previous, state->repeat_key,
                                     state->calls, state->burst_calls};

    if (cached->is_new || !ledger_finding_stands(settings, ledger->horizon_us,
                                                 state->accepted_at_us)) {
        repeat_find(settings, &self, neighbours->tickets, neighbours->count,
                    &finding);
    }
    return finding;
}

/* Set the finding of one ticket. *changed: it is another than before;
 * *settled_changed: what repeats this ticket must be looked at, too. */
static enum err_code
find_one(struct ledger *ledger,
         struct cached_state *cached,
         struct neighbours *neighbours,
         bool *changed,
         bool *settled_changed,
         struct err *err)
{
    const struct repeat_settings *settings = ledger->dictionary->repeat;
    struct ticket_state *state = &cached->state;
    struct repeat_finding finding;
    bool settled = state->repeat_settled;

    if (gather(ledger, state, neighbours, err) != ERR_OK) {
        return err->code;
    }
    finding = find(ledger, cached, neighbours);
    *changed = finding.previous != state->repeat_previous ||
               finding.key != state->repeat_key ||
               finding.calls != state->calls ||
               finding.burst_calls != state->burst_calls ||
               neighbours->crowded != state->repeat_crowded;
    state->repeat_previous = finding.previous;
    state->repeat_key = finding.key;
    state->calls = finding.calls;
    state->burst_calls = finding.burst_calls;
    state->repeat_call = finding.calls >= settings->repeat_min;
    state->third_call = finding.calls >= settings->third_call_min;
    state->burst = finding.burst_calls >= settings->burst_min;
    state->repeat_crowded = neighbours->crowded;
    state->repeat_settled = is_settled(ledger, state, err);
    *settled_changed = state->repeat_settled != settled;
    *changed = *changed || *settled_changed;
    return err->code;
}

static int
by_time(const void *a, const void *b)
{
    const struct later_ticket *x = a;
    const struct later_ticket *y = b;

    if (x->accepted_at_us != y->accepted_at_us) {
        return x->accepted_at_us < y->accepted_at_us ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

static bool
add_later(struct ledger *ledger,
          struct later_list *list,
          int64_t accepted_at_us,
          uint64_t number)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 16 : list->room * 2;
        struct later_ticket *larger =
            arena_alloc(&ledger->arena, room * sizeof(*larger));

        if (larger == NULL) {
            return false;
        }
        if (list->count > 0) {
            memcpy(larger, list->items, list->count * sizeof(*larger));
        }
        list->items = larger;
        list->room = room;
    }
    list->items[list->count++] = (struct later_ticket){accepted_at_us, number};
    return true;
}

/* Tickets that name `number` as their earlier order. */
static enum err_code
add_namers(struct ledger *ledger,
           uint64_t number,
           struct later_list *list,
           struct err *err)
{
    uint8_t wanted[16];
    struct byte_writer w = byte_writer_on(wanted, sizeof(wanted));
    MDB_val key = {sizeof(wanted), wanted};
    MDB_val value;
    MDB_cursor *cursor;
    int rc =
        mdb_cursor_open(ledger->txn, ledger->store->db[STORE_RELATED], &cursor);

    if (rc != 0) {
        return store_err(err, rc, "related");
    }
    put_be64(&w, number);
    put_be64(&w, 0);
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && err->code == ERR_OK) {
        struct byte_reader r = byte_reader_on(key.mv_data, key.mv_size);
        struct ticket_state state;

        if (get_be64(&r) != number) {
            break;
        }
        if (peek_state(ledger, get_be64(&r), &state, err) &&
            !add_later(ledger, list, state.accepted_at_us, state.number)) {
            (void)err_set(err, ERR_NO_MEMORY, "repeat");
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? err->code
                                         : store_err(err, rc, "related");
}

/* Those of the neighbours that come after (at_us, number). */
static enum err_code
add_neighbours(struct ledger *ledger,
               const struct neighbours *neighbours,
               int64_t at_us,
               uint64_t number,
               struct later_list *list,
               struct err *err)
{
    struct later_ticket self = {at_us, number};

    for (size_t i = 0; i < neighbours->count; i++) {
        struct later_ticket other = {neighbours->tickets[i].accepted_at_us,
                                     neighbours->tickets[i].number};

        if (by_time(&other, &self) > 0 &&
            !add_later(ledger, list, other.accepted_at_us, other.number)) {
            return err_set(err, ERR_NO_MEMORY, "repeat");
        }
    }
    return err->code;
}

/*
 * The settled matter goes on along the chain of repeats, beyond the tickets
 * that share a key with where it began: `list` holds tickets for which it
 * changed, and grows as it goes. A ticket repeats one other, so each is met
 * once.
 */
static enum err_code
spread_settled(struct ledger *ledger, struct later_list *list, struct err *err)
{
    for (size_t i = 0; i < list->count && err->code == ERR_OK; i++) {
        struct later_list next = {NULL, 0, 0};
        struct neighbours neighbours;
        struct ticket_state self;

        if (!peek_state(ledger, list->items[i].number, &self, err) ||
            gather(ledger, &self, &neighbours, err) != ERR_OK ||
            add_neighbours(ledger, &neighbours, self.accepted_at_us,
                           self.number, &next, err) != ERR_OK ||
            add_namers(ledger, self.number, &next, err) != ERR_OK) {
            break;
        }
        for (size_t k = 0; k < next.count; k++) {
            struct ticket_state other;
            struct cached_state *cached;

            if (!peek_state(ledger, next.items[k].number, &other, err)) {
                break;
            }
            if (other.repeat_previous != self.number ||
                is_settled(ledger, &other, err) == other.repeat_settled) {
                continue;
            }
            cached = ledger_load(ledger, other.number, err);
            if (cached == NULL) {
                break;
            }
            cached->state.repeat_settled = !cached->state.repeat_settled;
            cached->dirty = true;
            if (!add_later(ledger, list, other.accepted_at_us, other.number)) {
                return err_set(err, ERR_NO_MEMORY, "repeat");
            }
        }
    }
    return err->code;
}

enum err_code
ledger_find_repeats(struct ledger *ledger,
                    struct cached_state *cached,
                    const struct ticket_state *was,
                    bool is_named,
                    struct err *err)
{
    const struct ticket_state *self = &cached->state;
    struct later_list later = {NULL, 0, 0};
    struct later_list settled = {NULL, 0, 0};
    struct neighbours neighbours;
    int64_t since_us = was != NULL && was->accepted_at_us < self->accepted_at_us
                           ? was->accepted_at_us
                           : self->accepted_at_us;
    bool changed;
    bool settled_changed;

    (void)near_put(ledger, &cached->state);
    cached->dirty = true;
    if (find_one(ledger, cached, &neighbours, &changed, &settled_changed,
                 err) != ERR_OK) {
        return err->code;
    }
    for (int i = 0; was != NULL && i < STATE_KEYS; i++) {
        if (was->key_hash[i] != 0 && !has_key(self, was->key_hash[i])) {
            neighbours.max =
                neighbours.count + ledger->dictionary->repeat->candidates_max;
            gather_key(ledger, self, was->key_hash[i], &neighbours, err);
        }
    }
    if (add_neighbours(ledger, &neighbours, since_us, self->number, &later,
                       err) != ERR_OK ||
        (is_named && add_namers(ledger, self->number, &later, err) != ERR_OK)) {
        return err->code;
    }
    if (later.count > 1) {
        qsort(later.items, later.count, sizeof(*later.items), by_time);
    }
    for (size_t i = 0; i < later.count; i++) {
        struct cached_state *other =
            ledger_load(ledger, later.items[i].number, err);

        if (other == NULL || find_one(ledger, other, &neighbours, &changed,
                                      &settled_changed, err) != ERR_OK) {
            return err->code;
        }
        other->dirty = other->dirty || changed;
        if (settled_changed &&
            !add_later(ledger, &settled, other->state.accepted_at_us,
                       other->state.number)) {
            return err_set(err, ERR_NO_MEMORY, "repeat");
        }
    }
    return spread_settled(ledger, &settled, err);
}
