/* Rows of the lists that gather, kept to a snapshot. */
#include "server/serve/gathered.h"

#include <stdlib.h>
#include <string.h>

#include "analyzers/hot_spot.h"
#include "server/ledger/tally.h"

enum { PLACE_BYTES_MAX = TICKET_FIELD_BYTES_MAX + 2 * sizeof(uint32_t) };

struct gathered *
gathered_new(struct changes *changes, size_t places_max)
{
    struct gathered *gathered = calloc(1, sizeof(*gathered));

    if (gathered == NULL) {
        return NULL;
    }
    gathered->changes = changes;
    ticket_rows_init(&gathered->callers, sizeof(struct gathered_caller),
                     GATHERED_CALLERS_MAX);
    ticket_rows_init(&gathered->clocks, sizeof(struct gathered_clock),
                     GATHERED_CLOCKS_MAX);
    ticket_rows_init(&gathered->places, sizeof(struct gathered_place),
                     places_max);
    gathered->record = malloc(sizeof(*gathered->record));
    gathered->place = malloc(PLACE_BYTES_MAX);
    if (changes != NULL) {
        gathered->numbers = malloc(CHANGES_MAX * sizeof(*gathered->numbers));
    }
    if (gathered->record == NULL || gathered->place == NULL ||
        (changes != NULL && gathered->numbers == NULL)) {
        gathered_free(&gathered);
    }
    return gathered;
}

void
gathered_free(struct gathered **gathered)
{
    struct gathered *g = *gathered;

    if (g == NULL) {
        return;
    }
    ticket_rows_release(&g->callers);
    ticket_rows_release(&g->clocks);
    ticket_rows_release(&g->places);
    free(g->numbers);
    free(g->record);
    free(g->place);
    free(g);
    *gathered = NULL;
}

/* A row that finds no room: is it the limit? */
static void
no_room(struct gathered *gathered, const struct ticket_rows *rows, bool *cut)
{
    if (rows->row_count < rows->rows_max) {
        (void)err_set(gathered->err, ERR_NO_MEMORY, "lists");
    }
    *cut = true;
}

/* ---- one ticket ---- */

static uint8_t
caller_bits(const struct ticket_state *state)
{
    struct tally tally;

    tally_state(state, NULL, STATE_NEVER, &tally);
    return (uint8_t)((tally.accepted_set >> COUNTER_repeats & 1) *
                         GATHERED_COUNTED |
                     (tally.accepted_set >> COUNTER_third_calls & 1) *
                         GATHERED_THIRD_CALL |
                     (tally.accepted_set >> COUNTER_bursts & 1) *
                         GATHERED_BURST |
                     (unsigned)state->repeat_settled * GATHERED_SETTLED);
}

static void
add_caller(struct gathered *gathered, const struct ticket_state *state)
{
    struct gathered_caller caller = {
        .row = {state->number, state->accepted_at_us, state->unit_id, 0},
        .previous = state->repeat_previous};

    if (state->repeat_previous != 0) {
        caller.bits = caller_bits(state);
        caller.key = (uint8_t)state->repeat_key;
    }
    if (!ticket_rows_add(&gathered->callers, &caller.row)) {
        no_room(gathered, &gathered->callers, &gathered->callers_cut);
    }
}

/* A ticket that another one repeats; it may have expired. */
static void
add_repeated(struct gathered *gathered, uint64_t number)
{
    struct ticket_state state;

    if (ticket_rows_find(&gathered->callers, number) == NULL &&
        reader_state(gathered->reader, number, &state, gathered->err)) {
        add_caller(gathered, &state);
    }
}

size_t
gathered_repeated(const struct ticket_rows *callers,
                  const struct gathered_caller *caller)
{
    const struct ticket_row *row;

    if (caller->previous == 0) {
        return GATHERED_CALLERS_MAX;
    }
    if (caller->previous_slot != 0 &&
        ticket_rows_at(callers, caller->previous_slot - 1)->number ==
            caller->previous) {
        return caller->previous_slot - 1;
    }
    row = ticket_rows_find(callers, caller->previous);
    return row == NULL ? GATHERED_CALLERS_MAX : ticket_rows_slot(callers, row);
}

/* Finding it through the index would be two cache misses more. */
static void
note_slot(struct ticket_rows *callers, uint64_t number)
{
    struct gathered_caller *caller =
        (struct gathered_caller *)ticket_rows_find(callers, number);
    const struct ticket_row *previous =
        caller == NULL ? NULL : ticket_rows_find(callers, caller->previous);

    if (previous != NULL) {
        caller->previous_slot =
            (uint32_t)ticket_rows_slot(callers, previous) + 1;
    }
}

static void
put_caller(struct gathered *gathered, const struct ticket_state *state)
{
    bool is_repeated =
        ticket_rows_find(&gathered->callers, state->number) != NULL;

    if (!is_repeated && state->repeat_previous == 0) {
        return;
    }
    ticket_rows_remove(&gathered->callers, state->number);
    add_caller(gathered, state);
    if (state->repeat_previous != 0) {
        add_repeated(gathered, state->repeat_previous);
        note_slot(&gathered->callers, state->number);
    }
}

static void
put_clocks(struct gathered *gathered, const struct ticket_state *state)
{
    ticket_rows_remove(&gathered->clocks, state->number);
    for (uint32_t i = 0; i < state->clock_count; i++) {
        const struct state_clock *clock = &state->clocks[i];
        struct gathered_clock row = {
            .row = {state->number, clock->due_us, state->unit_id, 0},
            .kind_id = clock->kind_id,
            .open = clock->stopped_us == STATE_NEVER};

        if (clock->overdue && !ticket_rows_add(&gathered->clocks, &row.row)) {
            no_room(gathered, &gathered->clocks, &gathered->clocks_cut);
        }
    }
}

/* Who called: the customer, else the phone, else the household, else somebody
 * who is in no other ticket. */
static uint64_t
person_of(const struct ticket_state *state)
{
    for (int i = 0; i < STATE_KEYS; i++) {
        if (state->key_hash[i] != 0) {
            return state->key_hash[i];
        }
    }
    return state->number;
}

/* False: the ticket names no place, or no matter. */
static bool
read_place(struct gathered *gathered,
           const struct ticket_state *state,
           struct gathered_place *out)
{
    const struct reader *reader = gathered->reader;
    struct span address;
    char *place = gathered->place;
    size_t bytes;

    if (state->matter_id == 0 || state_repeat_excluded(state) ||
        reader_record(reader, state->record_seq, gathered->record,
                      gathered->err) != ERR_OK) {
        return false;
    }
    address = gathered->record->ticket.address;
    bytes = address.bytes <= TICKET_FIELD_BYTES_MAX
                ? hot_spot_place(address, place)
                : 0;
    if (bytes == 0) {
        return false;
    }
    memcpy(place + bytes, &state->unit_id, sizeof(state->unit_id));
    memcpy(place + bytes + sizeof(state->unit_id), &state->matter_id,
           sizeof(state->matter_id));
    *out = (struct gathered_place){
        .row = {state->number, state->accepted_at_us, state->unit_id, 0},
        .place_hash = store_hash(
            reader->store, (struct span){place, bytes + 2 * sizeof(uint32_t)}),
        .person = person_of(state)};
    return true;
}

static void
cut_places(struct gathered *gathered, int64_t accepted_at_us)
{
    if (accepted_at_us > gathered->places_cut_us) {
        gathered->places_cut_us = accepted_at_us;
    }
}

/* Make room: an eighth of the numbers that have a place, from the oldest. */
static void
drop_old_places(struct gathered *gathered)
{
    struct ticket_rows *places = &gathered->places;
    uint64_t oldest = UINT64_MAX;
    uint64_t newest = 0;

    for (size_t i = 0; i < places->slot_count; i++) {
        uint64_t number = ticket_rows_at(places, i)->number;

        if (number != 0) {
            oldest = number < oldest ? number : oldest;
            newest = number > newest ? number : newest;
        }
    }
    for (size_t i = 0; i < places->slot_count; i++) {
        const struct ticket_row *row = ticket_rows_at(places, i);

        if (row->number != 0 && row->number - oldest <= (newest - oldest) / 8) {
            cut_places(gathered, row->at_us);
            ticket_rows_remove(places, row->number);
        }
    }
}

static void
put_place(struct gathered *gathered, const struct ticket_state *state)
{
    struct gathered_place place;

    ticket_rows_remove(&gathered->places, state->number);
    if (!read_place(gathered, state, &place)) {
        return;
    }
    if (gathered->places.row_count == gathered->places.rows_max) {
        drop_old_places(gathered);
    }
    if (!ticket_rows_add(&gathered->places, &place.row)) {
        (void)err_set(gathered->err, ERR_NO_MEMORY, "lists");
    }
}

/* ---- all tickets ---- */

static bool
visit_new(void *data, const struct ticket_state *state)
{
    struct gathered *gathered = data;

    put_caller(gathered, state);
    put_clocks(gathered, state);
    put_place(gathered, state);
    return gathered->err->code == ERR_OK;
}

/* The newest come first: those beyond the limit are old. */
static bool
visit_any(void *data, const struct ticket_state *state)
{
    struct gathered *gathered = data;

    put_caller(gathered, state);
    put_clocks(gathered, state);
    if (gathered->places.row_count < gathered->places.rows_max) {
        put_place(gathered, state);
    } else {
        cut_places(gathered, state->accepted_at_us);
    }
    return gathered->err->code == ERR_OK;
}

static void
read_all(struct gathered *gathered)
{
    ticket_rows_clear(&gathered->callers);
    ticket_rows_clear(&gathered->clocks);
    ticket_rows_clear(&gathered->places);
    gathered->callers_cut = false;
    gathered->clocks_cut = false;
    gathered->places_cut_us = INT64_MIN;
    (void)!reader_states(gathered->reader, 0, true, visit_any, gathered,
                         gathered->err);
}

static void
read_changed(struct gathered *gathered, size_t count)
{
    struct ticket_state state;

    for (size_t i = 0; i < count && gathered->err->code == ERR_OK; i++) {
        uint64_t number = gathered->numbers[i];

        if (number >= gathered->next) {
            continue; /* new: comes with the new ones */
        }
        if (reader_state(gathered->reader, number, &state, gathered->err)) {
            (void)visit_new(gathered, &state);
        } else { /* it has expired */
            ticket_rows_remove(&gathered->callers, number);
            ticket_rows_remove(&gathered->clocks, number);
            ticket_rows_remove(&gathered->places, number);
        }
    }
    if (gathered->err->code == ERR_OK) {
        (void)!reader_states(gathered->reader, gathered->next, false, visit_new,
                             gathered, gathered->err);
    }
}

enum err_code
gathered_catch_up(struct gathered *gathered,
                  const struct reader *reader,
                  struct err *err)
{
    size_t txn_id = mdb_txn_id(reader->txn);
    size_t count = 0;
    bool lost = true;

    if (gathered->built && gathered->txn_id == txn_id) {
        return ERR_OK;
    }
    gathered->reader = reader;
    gathered->err = err;
    if (gathered->changes != NULL) {
        count =
            changes_take(gathered->changes, txn_id, gathered->numbers, &lost);
    }
    if (lost || !gathered->built) {
        read_all(gathered);
    } else {
        read_changed(gathered, count);
    }
    gathered->built = err->code == ERR_OK;
    gathered->txn_id = txn_id;
    gathered->next = reader_seq(reader);
    return err->code;
}
