/* Repeat calls inside a batch: gathers the neighbours, asks the analyzer. */
#include "server/ledger/ledger_internal.h"

#include <stdlib.h>

/* Tickets that share a key with one ticket. */
struct neighbours {
    struct repeat_ticket *tickets;
    size_t count;
    size_t max;
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

static bool
is_neighbour(const struct neighbours *neighbours, uint64_t number)
{
    for (size_t i = 0; i < neighbours->count; i++) {
        if (neighbours->tickets[i].number == number) {
            return true;
        }
    }
    return false;
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
    return ledger_stored_state(ledger, number, out, err);
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
    struct ticket_state state;

    while (number != 0 && out->count < out->max && err->code == ERR_OK) {
        const struct state_link *link;

        if (number == self->number) {
            link = state_find_link(self, key_hash);
        } else {
            if (!peek_state(ledger, number, &state, err)) {
                break;
            }
            if (!is_neighbour(out, number)) {
                out->tickets[out->count++] = as_repeat_ticket(&state);
            }
            link = state_find_link(&state, key_hash);
        }
        number = link != NULL ? link->previous_number : 0;
    }
}

static enum err_code
gather(struct ledger *ledger,
       const struct ticket_state *self,
       struct neighbours *out,
       struct err *err)
{
    const struct repeat_settings *settings = ledger->dictionary->repeat;
    struct ticket_state related;

    out->count = 0;
    for (int i = 0; i < STATE_KEYS; i++) {
        out->max = out->count + settings->candidates_max;
        if (self->key_hash[i] != 0) {
            gather_key(ledger, self, self->key_hash[i], out, err);
        }
    }
    out->max++;
    if (self->related_number != 0 && !is_neighbour(out, self->related_number) &&
        peek_state(ledger, self->related_number, &related, err)) {
        out->tickets[out->count++] = as_repeat_ticket(&related);
    }
    return err->code;
}

/* Set the finding of one ticket; *changed when it is another than before. */
static enum err_code
find_one(struct ledger *ledger,
         struct ticket_state *state,
         struct neighbours *neighbours,
         bool *changed,
         struct err *err)
{
    struct repeat_ticket self = as_repeat_ticket(state);
    struct repeat_finding finding;
    struct ticket_state previous;
    bool settled = state->event_at_us[EVENT_KIND_FINAL_REPLY] != STATE_NEVER;

    if (gather(ledger, state, neighbours, err) != ERR_OK) {
        return err->code;
    }
    repeat_find(ledger->dictionary->repeat, &self, neighbours->tickets,
                neighbours->count, &finding);
    if (finding.previous != 0 &&
        peek_state(ledger, finding.previous, &previous, err)) {
        settled = settled || previous.repeat_settled ||
                  previous.event_at_us[EVENT_KIND_FINAL_REPLY] <=
                      state->accepted_at_us;
    }
    *changed = finding.previous != state->repeat_previous ||
               finding.key != state->repeat_key ||
               finding.calls != state->calls ||
               finding.burst_calls != state->burst_calls ||
               settled != state->repeat_settled;
    state->repeat_previous = finding.previous;
    state->repeat_key = finding.key;
    state->calls = finding.calls;
    state->burst_calls = finding.burst_calls;
    state->repeat_settled = settled;
    return err->code;
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

static bool
comes_after(const struct repeat_ticket *a, const struct repeat_ticket *b)
{
    return by_time(a, b) > 0;
}

enum err_code
ledger_find_repeats(struct ledger *ledger,
                    struct cached_state *cached,
                    struct err *err)
{
    size_t room =
        (size_t)ledger->dictionary->repeat->candidates_max * STATE_KEYS + 1;
    struct repeat_ticket *tickets =
        arena_alloc(&ledger->arena, 2 * room * sizeof(*tickets));
    struct neighbours neighbours = {tickets, 0, 0};
    struct repeat_ticket *later = tickets + room;
    struct repeat_ticket self = as_repeat_ticket(&cached->state);
    size_t later_count = 0;
    bool changed;

    if (tickets == NULL) {
        return err_set(err, ERR_NO_MEMORY, "repeat");
    }
    if (find_one(ledger, &cached->state, &neighbours, &changed, err) !=
        ERR_OK) {
        return err->code;
    }
    cached->dirty = true;
    for (size_t i = 0; i < neighbours.count; i++) {
        if (comes_after(&neighbours.tickets[i], &self)) {
            later[later_count++] = neighbours.tickets[i];
        }
    }
    if (later_count > 1) {
        qsort(later, later_count, sizeof(*later), by_time);
    }
    for (size_t i = 0; i < later_count; i++) {
        struct cached_state *other = ledger_load(ledger, later[i].number, err);

        if (other == NULL || find_one(ledger, &other->state, &neighbours,
                                      &changed, err) != ERR_OK) {
            return err->code;
        }
        other->dirty = other->dirty || changed;
    }
    return err->code;
}
