/* Deadline clocks of a ticket, and those that run out by themselves. */
#include "server/ledger/ledger_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Events of one ticket that are folded. */
enum { LEDGER_CHAIN_EVENTS_MAX = 10000 };

size_t
ledger_pauses(const struct ticket_event *events,
              size_t event_count,
              int64_t *pauses_us)
{
    size_t pairs = 0;
    bool open = false;

    for (size_t i = 0; i < event_count; i++) {
        if (events[i].kind == EVENT_KIND_SUSPENDED && !open &&
            pairs < LEDGER_PAUSES_MAX) {
            pauses_us[2 * pairs] = events[i].at_us;
            pauses_us[2 * pairs + 1] = STATE_NEVER;
            pairs++;
            open = true;
        } else if (events[i].kind == EVENT_KIND_RESUMED && open) {
            pauses_us[2 * pairs - 1] = events[i].at_us;
            open = false;
        }
    }
    return pairs;
}

static enum clock_role
clock_role_of(struct span code)
{
    return span_is(code, "reply")     ? CLOCK_ROLE_REPLY
           : span_is(code, "restore") ? CLOCK_ROLE_RESTORE
                                      : CLOCK_ROLE_NONE;
}

void
ledger_judge_clocks(const struct dictionary *dictionary,
                    const uint32_t *kind_ids,
                    int64_t tick_us,
                    const int64_t *pauses_us,
                    size_t pause_count,
                    struct ticket_state *state)
{
    struct deadline_input input = {.type = state->type,
                                   .channel = state->channel,
                                   .category = state->category,
                                   .region = state->region,
                                   .accepted_at_us = state->accepted_at_us,
                                   .pauses_us = pauses_us,
                                   .pause_count = pause_count};
    struct deadline_clock clocks[DEADLINE_KINDS_MAX];
    size_t count;

    memcpy(input.event_at_us, state->event_at_us, sizeof(input.event_at_us));
    count = (state->verdict_flags & VERDICT_TEST_TICKET) != 0
                ? 0
                : deadline_clocks(dictionary->deadlines, dictionary->calendar,
                                  &input, clocks);
    state->clock_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        int64_t end_us =
            clocks[i].stopped_us < tick_us ? clocks[i].stopped_us : tick_us;

        state->clocks[i] =
            (struct state_clock){.kind_id = kind_ids[clocks[i].kind],
                                 .role = clock_role_of(deadline_kind_code(
                                     dictionary->deadlines, clocks[i].kind)),
                                 .provisional = clocks[i].provisional,
                                 .due_us = clocks[i].due_us,
                                 .due_soon_us = clocks[i].due_soon_us,
                                 .stopped_us = clocks[i].stopped_us,
                                 .overdue = clocks[i].due_us < end_us};
    }
}

static int
chain_by_time(const void *a, const void *b)
{
    const struct chain_event *x = a;
    const struct chain_event *y = b;

    if (x->event.at_us != y->event.at_us) {
        return x->event.at_us < y->event.at_us ? -1 : 1;
    }
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void
ledger_copy_event(struct arena *arena,
                  const struct ticket_event *from,
                  struct ticket_event *to)
{
    *to = *from;
    to->id = (struct span){NULL, 0};
    to->subcategory = arena_copy(arena, from->subcategory);
    to->reason = arena_copy(arena, from->reason);
    to->by = arena_copy(arena, from->by);
    to->extra = arena_copy(arena, from->extra);
}

struct chain_event *
ledger_load_chain(struct ledger *ledger,
                  const struct ticket_state *state,
                  size_t *out_count,
                  struct err *err)
{
    size_t max = state->event_count < LEDGER_CHAIN_EVENTS_MAX
                     ? state->event_count
                     : LEDGER_CHAIN_EVENTS_MAX;
    struct chain_event *chain;
    size_t count = 0;

    arena_reset(&ledger->chain);
    chain = arena_alloc(&ledger->chain, (max + 1) * sizeof(*chain));
    if (chain == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "events");
        return NULL;
    }
    for (uint64_t seq = state->last_event_seq; seq != 0 && count < max;) {
        struct record record;

        if (ledger_get_log(ledger, seq, &record, err) != ERR_OK) {
            return NULL;
        }
        ledger_copy_event(&ledger->chain, &record.event, &chain[count].event);
        chain[count].seq = seq;
        count++;
        seq = record.previous;
    }
    if (count > 1) {
        qsort(chain, count, sizeof(*chain), chain_by_time);
    }
    *out_count = count;
    return chain;
}

enum err_code
ledger_judge_state(struct ledger *ledger,
                   struct ticket_state *state,
                   struct err *err)
{
    int64_t pauses_us[2 * LEDGER_PAUSES_MAX];
    size_t pause_count = 0;

    if (state->event_at_us[EVENT_KIND_SUSPENDED] != STATE_NEVER) {
        size_t count = 0;
        struct chain_event *chain =
            ledger_load_chain(ledger, state, &count, err);
        struct ticket_event *events =
            arena_alloc(&ledger->chain, (count + 1) * sizeof(*events));

        if (chain == NULL || events == NULL) {
            return err_set(err, ERR_NO_MEMORY, "events");
        }
        for (size_t i = 0; i < count; i++) {
            events[i] = chain[i].event;
        }
        pause_count = ledger_pauses(events, count, pauses_us);
    }
    ledger_judge_clocks(ledger->dictionary, ledger->kind_ids, ledger->tick_us,
                        pauses_us, pause_count, state);
    return ERR_OK;
}

void
ledger_judge_later(struct ledger *ledger, struct cached_state *cached)
{
    cached->dirty = true;
    cached->clocks_stale = true;
    cached->state.judged_by = ledger->dictionary_id;
}

enum err_code
ledger_judge_again(struct ledger *ledger,
                   struct cached_state *cached,
                   struct err *err)
{
    bool by_others = cached->state.judged_by != ledger->dictionary_id;

    ledger_judge_later(ledger, cached);
    if (by_others) {
        (void)ledger_find_repeats(ledger, cached, NULL, true, err);
    }
    return err->code;
}

/* Mark the clocks that ran out before `now`. The tick stops short of clocks
 * that are left for the next batch. */
static enum err_code
tick(struct ledger *ledger, struct err *err)
{
    uint64_t *numbers = NULL;
    size_t count = 0;
    size_t room = 0;
    int64_t last_due_us = INT64_MIN;
    int64_t tick_us = ledger->now_us;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc;

    if (ledger->now_us <= ledger->tick_us) {
        return ERR_OK; /* the clock stood still or went back */
    }
    rc = mdb_cursor_open(ledger->txn, ledger->store->db[STORE_DUE], &cursor);
    if (rc != 0) {
        return store_err(err, rc, "due");
    }
    for (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); rc == 0;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        struct byte_reader r = byte_reader_on(key.mv_data, key.mv_size);
        int64_t due_us = get_be_time(&r);

        if (due_us >= ledger->now_us) {
            break;
        }
        if (count >= LEDGER_TICK_CLOCKS_MAX && due_us != last_due_us) {
            tick_us = due_us;
            break;
        }
        if (count == room) {
            room = room == 0 ? 256 : room * 2;
            uint64_t *larger = realloc(numbers, room * sizeof(*numbers));

            if (larger == NULL) {
                rc = ENOMEM;
                break;
            }
            numbers = larger;
        }
        numbers[count++] = get_be64(&r);
        last_due_us = due_us;
    }
    mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND) {
        free(numbers);
        return store_err(err, rc, "due");
    }
    ledger->tick_us = tick_us;
    for (size_t i = 0; i < count && err->code == ERR_OK; i++) {
        struct cached_state *cached = ledger_load(ledger, numbers[i], err);

        if (cached != NULL) {
            (void)ledger_judge_again(ledger, cached, err);
        }
    }
    free(numbers);
    return err->code;
}

enum err_code
ledger_begin(struct ledger *ledger, int64_t now_us, struct err *err)
{
    int rc;

    assert(ledger->txn == NULL);
    rc = mdb_txn_begin(ledger->store->env, NULL, 0, &ledger->txn);
    if (rc != 0) {
        ledger->txn = NULL;
        return store_err(err, rc, "begin");
    }
    ledger->now_us = now_us;
    if ((ledger->names_fresh &&
         ledger_intern_dictionary(ledger, err) != ERR_OK) ||
        tick(ledger, err) != ERR_OK) {
        ledger_abort(ledger);
        return err->code;
    }
    return ERR_OK;
}
