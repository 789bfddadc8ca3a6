/* The one place where tickets change: batches of records into the store. */
#include "server/ledger/ledger_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyzers/taxonomy.h"
#include "analyzers/units.h"

enum {
    LEDGER_ARENA_BYTES = 1 << 20,
    LEDGER_CHAIN_BYTES = 64 * 1024,
    LEDGER_CACHE_ROOM_MIN = 4096,
    LEDGER_CHAIN_EVENTS_MAX = 10000, /* events of one ticket that are folded */
    LOG_KEY_BYTES = 8
};

struct tally_rules
ledger_tally_rules(const struct dictionary *dictionary)
{
    return (struct tally_rules){dictionary->repeat->repeat_min,
                                dictionary->repeat->third_call_min,
                                dictionary->repeat->burst_min};
}

/* --- opening ------------------------------------------------------------ */

static struct span
seq_key(uint64_t seq, uint8_t key[LOG_KEY_BYTES])
{
    struct byte_writer w = byte_writer_on(key, LOG_KEY_BYTES);

    put_be64(&w, seq);
    return (struct span){(char *)key, LOG_KEY_BYTES};
}

static void
read_totals(struct span value, struct ledger_totals *out)
{
    struct byte_reader r = byte_reader_on(value.data, value.bytes);

#define TOTAL_ROW(name, text)                                                  \
    out->name = byte_reader_left(&r) > 0 ? get_varint(&r) : 0;
#include "server/ledger/totals.def"
#undef TOTAL_ROW
}

static void
load_meta(struct ledger *ledger, MDB_txn *txn, struct err *err)
{
    struct span value;
    struct byte_reader r;

    ledger->next_seq = 1;
    ledger->tick_us = INT64_MIN;
    if (store_get(ledger->store, txn, STORE_META, SPAN_LITERAL("next_seq"),
                  &value, err)) {
        r = byte_reader_on(value.data, value.bytes);
        ledger->next_seq = get_be64(&r);
    }
    if (store_get(ledger->store, txn, STORE_META, SPAN_LITERAL("tick_us"),
                  &value, err)) {
        r = byte_reader_on(value.data, value.bytes);
        ledger->tick_us = get_be_time(&r);
    }
    if (store_get(ledger->store, txn, STORE_META, SPAN_LITERAL("totals"),
                  &value, err)) {
        read_totals(value, &ledger->totals);
    }
}

/* All (hash, number) pairs of `ids` or `keys` into a table, in their order. */
static void
load_pairs(struct ledger *ledger,
           MDB_txn *txn,
           enum store_db db,
           struct numbers *table,
           struct err *err)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc = mdb_cursor_open(txn, ledger->store->db[db], &cursor);

    if (rc != 0) {
        (void)store_err(err, rc, "load");
        return;
    }
    rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (rc == 0) {
        const uint8_t *pairs = value.mv_data;

        for (size_t i = 0; i + 16 <= value.mv_size; i += 16) {
            uint64_t hash = load_le64(pairs + i);
            uint64_t number = load_le64(pairs + i + 8);
            uint64_t old;

            if (!(db == STORE_IDS ? numbers_add(table, hash, number)
                                  : numbers_set(table, hash, number, &old))) {
                (void)err_set(err, ERR_NO_MEMORY, "load");
                break;
            }
        }
        rc = err->code == ERR_OK
                 ? mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
                 : MDB_NOTFOUND;
    }
    if (rc != MDB_NOTFOUND) {
        (void)store_err(err, rc, "load");
    }
    mdb_cursor_close(cursor);
}

/* Totals for other threads, word by word. */
static void
publish(struct ledger *ledger)
{
    const uint64_t *totals = (const uint64_t *)&ledger->totals;

    ledger->committed_tick_us = ledger->tick_us;
    for (size_t i = 0; i < sizeof(ledger->totals) / sizeof(uint64_t); i++) {
        atomic_store_explicit(&ledger->committed_totals[i], totals[i],
                              memory_order_relaxed);
    }
    atomic_store_explicit(&ledger->committed_next_seq, ledger->next_seq,
                          memory_order_release);
}

static bool
cache_resize(struct ledger *ledger, size_t room)
{
    struct cached_state **larger = calloc(room, sizeof(struct cached_state *));

    if (larger == NULL) {
        return false;
    }
    for (size_t i = 0; i < ledger->cache_room; i++) {
        struct cached_state *cached = ledger->cache[i];
        size_t at;

        if (cached == NULL) {
            continue;
        }
        at = (size_t)(cached->state.number * UINT64_C(0x9E3779B97F4A7C15));
        while (larger[at & (room - 1)] != NULL) {
            at++;
        }
        larger[at & (room - 1)] = cached;
    }
    free(ledger->cache);
    ledger->cache = larger;
    ledger->cache_room = room;
    return true;
}

enum err_code
ledger_open(struct store *store,
            const struct dictionary *dictionary,
            struct ledger **out,
            struct err *err)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    MDB_txn *txn = NULL;
    int rc;

    if (ledger == NULL) {
        return err_set(err, ERR_NO_MEMORY, "ledger");
    }
    ledger->store = store;
    arena_init(&ledger->arena, LEDGER_ARENA_BYTES);
    arena_init(&ledger->chain, LEDGER_CHAIN_BYTES);
    ledger_set_dictionary(ledger, dictionary);
    rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0) {
        (void)store_err(err, rc, "begin");
    } else {
        load_meta(ledger, txn, err);
        ledger->ids = numbers_new((size_t)ledger->totals.tickets);
        ledger->keys = numbers_new((size_t)ledger->totals.tickets * 2);
        ledger->sums = counter_sums_new();
        ledger->near = calloc(LEDGER_NEAR_ROOM, sizeof(*ledger->near));
        ledger->record_room = malloc(RECORD_BYTES_MAX + STORE_CHECKSUM_BYTES);
        if (ledger->ids == NULL || ledger->keys == NULL ||
            ledger->sums == NULL || ledger->near == NULL ||
            ledger->record_room == NULL ||
            !cache_resize(ledger, LEDGER_CACHE_ROOM_MIN)) {
            (void)err_set(err, ERR_NO_MEMORY, "ledger");
        }
    }
    if (err->code == ERR_OK) {
        load_pairs(ledger, txn, STORE_IDS, ledger->ids, err);
    }
    if (err->code == ERR_OK) {
        load_pairs(ledger, txn, STORE_KEYS, ledger->keys, err);
    }
    if (txn != NULL) {
        mdb_txn_abort(txn);
    }
    if (err->code == ERR_OK) {
        (void)names_open(store, &ledger->names, err);
    }
    if (err->code != ERR_OK) {
        ledger_close(&ledger);
        return err->code;
    }
    publish(ledger);
    *out = ledger;
    return ERR_OK;
}

void
ledger_close(struct ledger **ledger)
{
    struct ledger *l = *ledger;

    if (l == NULL) {
        return;
    }
    if (l->txn != NULL) {
        mdb_txn_abort(l->txn);
    }
    names_close(&l->names);
    numbers_free(&l->ids);
    numbers_free(&l->keys);
    counter_sums_free(&l->sums);
    arena_release(&l->arena);
    arena_release(&l->chain);
    free(l->near);
    free(l->row_name_ids);
    free(l->cache);
    free(l->undo);
    free(l->new_ids.bytes);
    free(l->new_keys.bytes);
    free(l->record_room);
    free(l->neighbours);
    free(l);
    *ledger = NULL;
}

void
ledger_set_dictionary(struct ledger *ledger,
                      const struct dictionary *dictionary)
{
    assert(ledger->txn == NULL);
    ledger->dictionary = dictionary;
    ledger->names_fresh = true;
}

/* --- the batch ---------------------------------------------------------- */

/* Intern what the dictionary calls things; taxonomy rows when they are used. */
static enum err_code
intern_dictionary(struct ledger *ledger, struct err *err)
{
    const struct dictionary *dictionary = ledger->dictionary;
    size_t rows = taxonomy_row_count(dictionary->taxonomy);
    uint32_t *ids = realloc(ledger->row_name_ids, (rows + 1) * sizeof(*ids));

    if (ids == NULL) {
        return err_set(err, ERR_NO_MEMORY, "taxonomy");
    }
    memset(ids, 0, (rows + 1) * sizeof(*ids));
    ledger->row_name_ids = ids;
    ledger->row_name_count = rows;
    for (uint32_t kind = 0; kind < deadline_kind_count(dictionary->deadlines);
         kind++) {
        if (names_intern(ledger->names, ledger->txn, NAME_CLOCK,
                         deadline_kind_code(dictionary->deadlines, kind),
                         &ledger->kind_ids[kind], err) != ERR_OK) {
            return err->code;
        }
    }
    if (names_intern(ledger->names, ledger->txn, NAME_DICTIONARY,
                     span_of(dictionary->version), &ledger->dictionary_id,
                     err) != ERR_OK) {
        return err->code;
    }
    ledger->names_fresh = false;
    return ERR_OK;
}

static uint32_t
row_name_id(struct ledger *ledger, int32_t row, struct err *err)
{
    const struct taxonomy_row *taxonomy;

    if (row < 0 || (size_t)row >= ledger->row_name_count) {
        return 0;
    }
    if (ledger->row_name_ids[row] == 0) {
        taxonomy = taxonomy_row(ledger->dictionary->taxonomy, row);
        (void)names_intern(ledger->names, ledger->txn,
                           taxonomy->parent == TAXONOMY_NONE ? NAME_SUBCATEGORY
                                                             : NAME_TOPIC,
                           taxonomy->chinese, &ledger->row_name_ids[row], err);
    }
    return ledger->row_name_ids[row];
}

/* The name id of a subcategory as a person wrote it (name or code). */
static uint32_t
subcategory_name_id(struct ledger *ledger, struct span name, struct err *err)
{
    int32_t row;
    uint32_t id = 0;

    if (name.bytes == 0) {
        return 0;
    }
    row = taxonomy_subcategory(ledger->dictionary->taxonomy, name);
    if (row != TAXONOMY_NONE) {
        return row_name_id(ledger, row, err);
    }
    (void)names_intern(ledger->names, ledger->txn, NAME_SUBCATEGORY, name, &id,
                       err);
    return id;
}

/* Before a table in memory changes: what follows cannot fail. */
static bool
make_undo_room(struct ledger *ledger)
{
    if (ledger->undo_count == ledger->undo_room) {
        size_t room = ledger->undo_room == 0 ? 1024 : ledger->undo_room * 2;
        struct ledger_undo *larger =
            realloc(ledger->undo, room * sizeof(*larger));

        if (larger == NULL) {
            return false;
        }
        ledger->undo = larger;
        ledger->undo_room = room;
    }
    return true;
}

static bool
add_pair(struct ledger_pairs *pairs, uint64_t hash, uint64_t number)
{
    if (pairs->used + 16 > pairs->room) {
        size_t room = pairs->room == 0 ? 16384 : pairs->room * 2;
        uint8_t *larger = realloc(pairs->bytes, room);

        if (larger == NULL) {
            return false;
        }
        pairs->bytes = larger;
        pairs->room = room;
    }
    store_le64(pairs->bytes + pairs->used, hash);
    store_le64(pairs->bytes + pairs->used + 8, number);
    pairs->used += 16;
    return true;
}

bool
ledger_stored_state(struct ledger *ledger,
                    uint64_t number,
                    struct ticket_state *out,
                    struct err *err)
{
    uint8_t key_bytes[LOG_KEY_BYTES];
    struct span key = seq_key(number, key_bytes);
    struct span value;

    if (!store_get(ledger->store, ledger->txn, STORE_STATE, key, &value, err) ||
        store_unseal(key, &value, "a ticket's state", err) != ERR_OK) {
        return false;
    }
    if (!state_decode(number, value, out)) {
        (void)err_set(err, ERR_CORRUPT, "a ticket's state makes no sense");
        return false;
    }
    return true;
}

/* A place in the batch for the state of `number`; NULL: no memory. */
static struct cached_state *
cache_add(struct ledger *ledger, uint64_t number, struct err *err)
{
    struct cached_state *cached = arena_alloc(&ledger->arena, sizeof(*cached));
    size_t at = (size_t)(number * UINT64_C(0x9E3779B97F4A7C15));

    if (cached == NULL || ((ledger->cache_used + 1) * 2 > ledger->cache_room &&
                           !cache_resize(ledger, ledger->cache_room * 2))) {
        (void)err_set(err, ERR_NO_MEMORY, "batch");
        return NULL;
    }
    while (ledger->cache[at & (ledger->cache_room - 1)] != NULL) {
        at++;
    }
    ledger->cache[at & (ledger->cache_room - 1)] = cached;
    ledger->cache_used++;
    cached->state.number = number;
    cached->dirty = false;
    cached->is_new = false;
    return cached;
}

struct cached_state *
ledger_load(struct ledger *ledger, uint64_t number, struct err *err)
{
    size_t at = (size_t)(number * UINT64_C(0x9E3779B97F4A7C15));
    struct cached_state *cached;

    for (; (cached = ledger->cache[at & (ledger->cache_room - 1)]) != NULL;
         at++) {
        if (cached->state.number == number) {
            return cached;
        }
    }
    cached = cache_add(ledger, number, err);
    if (cached == NULL) {
        return NULL;
    }
    if (!ledger_stored_state(ledger, number, &cached->state, err)) {
        (void)err_set(err, ERR_CORRUPT, "a ticket's state is missing");
        return NULL;
    }
    cached->stored = cached->state;
    return cached;
}

/* Append to the log, or put back a record that was there. */
static enum err_code
put_log(struct ledger *ledger,
        uint64_t seq,
        const struct record *record,
        bool append,
        struct err *err)
{
    uint8_t key_bytes[LOG_KEY_BYTES];
    struct span key = seq_key(seq, key_bytes);
    struct byte_writer w =
        byte_writer_on(ledger->record_room, RECORD_BYTES_MAX);
    size_t bytes;

    record_encode(record, &w);
    if (w.failed) {
        return err_set(err, ERR_TOO_LONG, "a record of more than %d bytes",
                       RECORD_BYTES_MAX);
    }
    bytes = store_seal(key, ledger->record_room, byte_writer_used(&w));
    return store_put(ledger->store, ledger->txn, STORE_LOG, key,
                     (struct span){(char *)ledger->record_room, bytes},
                     append ? MDB_APPEND : 0, err);
}

/* Spans borrow from the store until the next change in the transaction. */
static enum err_code
get_log(struct ledger *ledger,
        uint64_t seq,
        struct record *out,
        struct err *err)
{
    uint8_t key_bytes[LOG_KEY_BYTES];
    struct span key = seq_key(seq, key_bytes);
    struct span value;

    if (!store_get(ledger->store, ledger->txn, STORE_LOG, key, &value, err)) {
        return err_set(err, ERR_CORRUPT, "a record of the log is missing");
    }
    if (store_unseal(key, &value, "a record of the log", err) != ERR_OK) {
        return err->code;
    }
    if (!record_decode(value, out)) {
        return err_set(err, ERR_CORRUPT, "a record of the log makes no sense");
    }
    return ERR_OK;
}

/* The ticket with this id, 0 when there is none. */
static uint64_t
find_id(struct ledger *ledger, struct span id, uint64_t id_hash)
{
    size_t cursor = 0;
    uint64_t number;

    while ((number = numbers_next(ledger->ids, id_hash, &cursor)) != 0) {
        uint8_t key[LOG_KEY_BYTES];
        struct err err = {0};
        struct span value;

        if (store_get(ledger->store, ledger->txn, STORE_LOG,
                      seq_key(number, key), &value, &err) &&
            span_equal(record_peek_id(value), id)) {
            return number;
        }
    }
    return 0;
}

static void
forget_batch(struct ledger *ledger)
{
    memset(ledger->cache, 0, ledger->cache_room * sizeof(*ledger->cache));
    ledger->cache_used = 0;
    ledger->undo_count = 0;
    ledger->new_ids.used = 0;
    ledger->new_keys.used = 0;
    counter_sums_reset(ledger->sums);
    arena_reset(&ledger->arena);
    ledger->txn = NULL;
}

/* Take back everything the batch did to the tables in memory. */
static void
undo_batch(struct ledger *ledger)
{
    for (size_t i = ledger->undo_count; i-- > 0;) {
        struct ledger_undo *undo = &ledger->undo[i];
        uint64_t replaced;

        if (undo->old == 0) {
            numbers_remove_last(undo->table, undo->hash, undo->number);
        } else {
            (void)numbers_set(undo->table, undo->hash, undo->old, &replaced);
        }
    }
    names_abort(ledger->names);
    ledger->names_fresh = true;
    memset(ledger->near, 0, LEDGER_NEAR_ROOM * sizeof(*ledger->near));
    ledger->next_seq =
        atomic_load_explicit(&ledger->committed_next_seq, memory_order_relaxed);
    ledger->tick_us = ledger->committed_tick_us;
    ledger->totals = ledger_totals(ledger);
    forget_batch(ledger);
}

void
ledger_abort(struct ledger *ledger)
{
    if (ledger->txn != NULL) {
        mdb_txn_abort(ledger->txn);
        undo_batch(ledger);
    }
}

/* --- clocks ------------------------------------------------------------- */

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

/* One event of a chain, its spans in the batch's arena. */
struct chain_event {
    struct ticket_event event;
    uint64_t seq;
};

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

static void
copy_event(struct arena *arena,
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

/* All events of a ticket, in the order of time; NULL and err on failure. They
 * last until the next call: a batch may hold thousands of events of one ticket,
 * and each of them may ask for all. */
static struct chain_event *
load_chain(struct ledger *ledger,
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

        if (get_log(ledger, seq, &record, err) != ERR_OK) {
            return NULL;
        }
        copy_event(&ledger->chain, &record.event, &chain[count].event);
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

static enum err_code
judge_clocks(struct ledger *ledger, struct ticket_state *state, struct err *err)
{
    int64_t pauses_us[2 * LEDGER_PAUSES_MAX];
    size_t pause_count = 0;

    if (state->event_at_us[EVENT_KIND_SUSPENDED] != STATE_NEVER) {
        size_t count = 0;
        struct chain_event *chain = load_chain(ledger, state, &count, err);
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
    state->judged_by = ledger->dictionary_id;
    return ERR_OK;
}

/* The clocks of a ticket whose keys and matter stay; by new tables the repeat
 * call, too, so that a state is judged by one set of tables. */
static enum err_code
judge_again(struct ledger *ledger, struct cached_state *cached, struct err *err)
{
    bool by_others = cached->state.judged_by != ledger->dictionary_id;

    cached->dirty = true;
    if (judge_clocks(ledger, &cached->state, err) == ERR_OK && by_others) {
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
            (void)judge_again(ledger, cached, err);
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
    if ((ledger->names_fresh && intern_dictionary(ledger, err) != ERR_OK) ||
        tick(ledger, err) != ERR_OK) {
        ledger_abort(ledger);
        return err->code;
    }
    return ERR_OK;
}

/* --- tickets ------------------------------------------------------------ */

static size_t
normalise_phone(struct span phone, char *out, size_t out_bytes)
{
    size_t used = 0;

    for (size_t i = 0; i < phone.bytes && used < out_bytes; i++) {
        if (phone.data[i] >= '0' && phone.data[i] <= '9') {
            out[used++] = phone.data[i];
        }
    }
    if (used > 11 && memcmp(out, "86", 2) == 0) {
        memmove(out, out + 2, used - 2);
        used -= 2;
    }
    return used >= 7 ? used : 0; /* shorter ones are extensions or codes */
}

/* The first two levels of a unit's path. */
static struct span
city_of_unit(struct span unit)
{
    struct span rest = unit;

    (void)span_split(&rest, '/');
    (void)span_split(&rest, '/');
    if (rest.data != NULL) {
        unit.bytes = (size_t)(rest.data - unit.data) - 1;
    }
    return unit;
}

uint64_t
ledger_key_hash(const struct store *store,
                enum repeat_key key,
                const struct ticket *ticket)
{
    char room[1 + TICKET_FIELD_BYTES_MAX];
    size_t used = 0;
    uint64_t hash;

    switch (key) {
    case REPEAT_KEY_CUSTOMER:
        used = ticket->customer.bytes <= TICKET_FIELD_BYTES_MAX
                   ? ticket->customer.bytes
                   : TICKET_FIELD_BYTES_MAX;
        if (used > 0) {
            memcpy(room + 1, ticket->customer.data, used);
        }
        break;
    case REPEAT_KEY_CALLER:
        used = normalise_phone(ticket->caller, room + 1, sizeof(room) - 1);
        break;
    case REPEAT_KEY_ADDRESS:
        used = ticket->address.bytes <= TICKET_FIELD_BYTES_MAX
                   ? repeat_normalise_address(ticket->address, room + 1)
                   : 0;
        break;
    default:
        break;
    }
    if (used == 0) {
        return 0;
    }
    room[0] = (char)('0' + (int)key);
    hash = store_hash(store, (struct span){room, used + 1});
    if (key == REPEAT_KEY_ADDRESS) {
        /* "3组5号" of one city is not that of another. */
        hash ^= store_hash(store, city_of_unit(ticket->unit));
        hash = hash != 0 ? hash : 1;
    }
    return hash;
}

/* Put the ticket at the head of the chains of its keys. */
static enum err_code
link_keys(struct ledger *ledger,
          struct ticket_state *state,
          const struct ticket *ticket,
          struct err *err)
{
    for (int i = 0; i < STATE_KEYS; i++) {
        uint64_t hash =
            ledger_key_hash(ledger->store, (enum repeat_key)(i + 1), ticket);
        struct ledger_undo undo = {ledger->keys, hash, state->number, 0};

        state->key_hash[i] = 0;
        if (hash == 0) {
            continue;
        }
        if (state_find_link(state, hash) == NULL) {
            if (state->link_count == STATE_LINKS_MAX) {
                continue; /* versions that change keys again and again */
            }
            if (!make_undo_room(ledger) ||
                !numbers_set(ledger->keys, hash, state->number, &undo.old)) {
                return err_set(err, ERR_NO_MEMORY, "keys");
            }
            ledger->undo[ledger->undo_count++] = undo;
            if (!add_pair(&ledger->new_keys, hash, state->number)) {
                return err_set(err, ERR_NO_MEMORY, "keys");
            }
            state->links[state->link_count++] =
                (struct state_link){hash, undo.old};
        }
        state->key_hash[i] = hash;
    }
    return ERR_OK;
}

static struct span
waiting_key(struct span id,
            char kind,
            uint64_t seq,
            uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10])
{
    struct byte_writer w = byte_writer_on(key, TICKET_ID_CHARS_MAX * 4 + 10);

    put_bytes(&w, id.data, id.bytes);
    put_u8(&w, 0);
    put_u8(&w, (unsigned)kind);
    put_be64(&w, seq);
    return (struct span){(char *)key, byte_writer_used(&w)};
}

enum { RELATED_KEY_BYTES = 16 };

static struct span
related_key(uint64_t related, uint64_t number, uint8_t key[RELATED_KEY_BYTES])
{
    struct byte_writer w = byte_writer_on(key, RELATED_KEY_BYTES);

    put_be64(&w, related);
    put_be64(&w, number);
    return (struct span){(char *)key, RELATED_KEY_BYTES};
}

enum {
    WAITING_EVENT = 'e',
    WAITING_RELATED = 'r',
    WAITING_EVENTS_MAX = 4096 /* for one ticket that is not here */
};

/* One more number; *numbers lies in the batch's arena. */
static bool
add_number(struct arena *arena,
           uint64_t **numbers,
           size_t *count,
           size_t *room,
           uint64_t number)
{
    if (*count == *room) {
        size_t larger_room = *room == 0 ? 16 : *room * 2;
        uint64_t *larger = arena_alloc(arena, larger_room * sizeof(*larger));

        if (larger == NULL) {
            return false;
        }
        if (*count > 0) {
            memcpy(larger, *numbers, *count * sizeof(*larger));
        }
        *numbers = larger;
        *room = larger_room;
    }
    (*numbers)[(*count)++] = number;
    return true;
}

/* What waits for `id`, in the order it came: `seqs` in the batch's arena. */
static enum err_code
list_waiting(struct ledger *ledger,
             struct span id,
             char kind,
             uint64_t **out,
             size_t *out_count,
             struct err *err)
{
    uint8_t prefix[TICKET_ID_CHARS_MAX * 4 + 10];
    struct span wanted = waiting_key(id, kind, 0, prefix);
    MDB_cursor *cursor;
    MDB_val key = {wanted.bytes, prefix};
    MDB_val value;
    MDB_stat stat;
    size_t room = 0;
    int rc;

    *out_count = 0;
    *out = NULL;
    rc = mdb_stat(ledger->txn, ledger->store->db[STORE_WAITING], &stat);
    if (rc != 0 || stat.ms_entries == 0) {
        return rc != 0 ? store_err(err, rc, "waiting") : ERR_OK;
    }
    rc =
        mdb_cursor_open(ledger->txn, ledger->store->db[STORE_WAITING], &cursor);
    if (rc != 0) {
        return store_err(err, rc, "waiting");
    }
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && key.mv_size == wanted.bytes &&
           memcmp(key.mv_data, prefix, wanted.bytes - 8) == 0) {
        struct byte_reader r =
            byte_reader_on((char *)key.mv_data + wanted.bytes - 8, 8);

        if (!add_number(&ledger->arena, out, out_count, &room, get_be64(&r))) {
            rc = ENOMEM;
            break;
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc != 0 && rc != MDB_NOTFOUND ? store_err(err, rc, "waiting")
                                         : ERR_OK;
}

/* Fold a version and all events of its chain into `state`, keeping what is not
 * the version's: chains, counts. */
static enum err_code
fold_again(struct ledger *ledger,
           struct ticket_state *state,
           const struct record *version,
           uint64_t version_seq,
           struct err *err)
{
    struct ticket_state kept = *state;
    size_t count = 0;
    struct chain_event *chain = load_chain(ledger, state, &count, err);

    if (chain == NULL) {
        return err->code;
    }
    state_begin(state, version, version_seq);
    state->number = kept.number;
    state->last_event_seq = kept.last_event_seq;
    state->version_count = kept.version_count;
    state->judged_by = kept.judged_by;
    state->unit_id = kept.unit_id;
    memcpy(state->key_hash, kept.key_hash, sizeof(state->key_hash));
    memcpy(state->links, kept.links, sizeof(state->links));
    state->link_count = kept.link_count;
    state->related_number = kept.related_number;
    for (size_t i = 0; i < count; i++) {
        state_apply_event(
            state, &chain[i].event,
            subcategory_name_id(ledger, chain[i].event.subcategory, err));
    }
    /* The marks of known events stay in the order of arrival. */
    memcpy(state->event_hashes, kept.event_hashes, sizeof(kept.event_hashes));
    state->event_count = kept.event_count;
    return err->code;
}

/* Tie the events that waited for this new ticket to it. */
static enum err_code
adopt_waiting(struct ledger *ledger,
              struct ticket_state *state,
              struct span id,
              struct err *err)
{
    uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10];
    uint64_t *seqs;
    size_t count;

    if (list_waiting(ledger, id, WAITING_EVENT, &seqs, &count, err) != ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < count && err->code == ERR_OK; i++) {
        struct record record;
        struct ticket_event event;

        if (get_log(ledger, seqs[i], &record, err) != ERR_OK) {
            break;
        }
        event = record.event;
        copy_event(&ledger->arena, &event, &record.event);
        record.event.id = id;
        record.number = state->number;
        record.previous = state->last_event_seq;
        if (put_log(ledger, seqs[i], &record, false, err) != ERR_OK ||
            store_delete(ledger->store, ledger->txn, STORE_WAITING,
                         waiting_key(id, WAITING_EVENT, seqs[i], key),
                         err) != ERR_OK) {
            break;
        }
        if (state->event_count < STATE_EVENT_HASHES_MAX) {
            state->event_hashes[state->event_count] =
                (uint32_t)record_event_hash(&record.event);
        }
        state->event_count++;
        state->last_event_seq = seqs[i];
        ledger->totals.waiting--;
    }
    return err->code;
}

/* Set the earlier order of a ticket, and its entry in the index of them. */
static enum err_code
set_related(struct ledger *ledger,
            struct ticket_state *state,
            uint64_t related_number,
            struct err *err)
{
    uint8_t key[RELATED_KEY_BYTES];

    if (state->related_number == related_number) {
        return ERR_OK;
    }
    if (state->related_number != 0) {
        (void)store_delete(
            ledger->store, ledger->txn, STORE_RELATED,
            related_key(state->related_number, state->number, key), err);
    }
    if (related_number != 0) {
        (void)store_put(ledger->store, ledger->txn, STORE_RELATED,
                        related_key(related_number, state->number, key),
                        (struct span){NULL, 0}, 0, err);
    }
    state->related_number = related_number;
    return err->code;
}

/* Tickets that named this new one as their earlier order: link them now. */
static enum err_code
adopt_related(struct ledger *ledger,
              uint64_t number,
              struct span id,
              struct err *err)
{
    uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10];
    uint64_t *numbers;
    size_t count;

    if (list_waiting(ledger, id, WAITING_RELATED, &numbers, &count, err) !=
        ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < count && err->code == ERR_OK; i++) {
        struct cached_state *other = ledger_load(ledger, numbers[i], err);

        if (other == NULL ||
            store_delete(ledger->store, ledger->txn, STORE_WAITING,
                         waiting_key(id, WAITING_RELATED, numbers[i], key),
                         err) != ERR_OK) {
            break;
        }
        if (set_related(ledger, &other->state, number, err) == ERR_OK) {
            (void)ledger_find_repeats(ledger, other, NULL, true, err);
        }
    }
    return err->code;
}

/* Can this be a work-order number at all? */
static bool
names_an_order(struct span related)
{
    struct err ignored = {0};

    return related.bytes > 0 && ticket_id_check(related, &ignored) == ERR_OK;
}

/* The number of the earlier order the ticket names; when that one is not here
 * yet the ticket waits for it. */
static enum err_code
find_related(struct ledger *ledger,
             struct ticket_state *state,
             struct span related,
             struct err *err)
{
    uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10];
    uint64_t number;

    if (!names_an_order(related)) {
        return set_related(ledger, state, 0, err);
    }
    number = find_id(ledger, related, store_hash(ledger->store, related));
    if (number == 0) {
        (void)store_put(
            ledger->store, ledger->txn, STORE_WAITING,
            waiting_key(related, WAITING_RELATED, state->number, key),
            (struct span){NULL, 0}, 0, err);
    }
    return set_related(ledger, state, number == state->number ? 0 : number,
                       err);
}

/* A new version may name another order: the one in force waits no more. */
static enum err_code
forget_waiting_related(struct ledger *ledger,
                       const struct ticket_state *state,
                       struct err *err)
{
    uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10];
    struct record old;

    if (state->related_number != 0) {
        return ERR_OK; /* it came */
    }
    if (get_log(ledger, state->record_seq, &old, err) != ERR_OK) {
        return err->code;
    }
    if (names_an_order(old.ticket.related)) {
        (void)store_delete(ledger->store, ledger->txn, STORE_WAITING,
                           waiting_key(old.ticket.related, WAITING_RELATED,
                                       state->number, key),
                           err);
    }
    return err->code;
}

static enum err_code
intern_verdict(struct ledger *ledger,
               const struct verdict *verdict,
               struct record_verdict *out,
               struct err *err)
{
    out->dictionary_id = ledger->dictionary_id;
    out->category = verdict->category;
    out->runner_up = verdict->runner_up;
    out->secondary = verdict->secondary;
    out->subcategory_id = row_name_id(ledger, verdict->subcategory, err);
    out->topic_id = row_name_id(ledger, verdict->topic, err);
    out->matter_id = row_name_id(ledger, verdict->matter, err);
    out->confidence_permille = verdict->confidence_permille;
    out->flags = verdict->flags;
    out->region = verdict->region;
    out->region_evidence = verdict->region_evidence;
    out->evidence_count = verdict->evidence_count;
    memcpy(out->evidence, verdict->evidence,
           verdict->evidence_count * sizeof(verdict->evidence[0]));
    return err->code;
}

/* What a version says beyond the verdict: unit, keys, the related order. */
static enum err_code
settle_version(struct ledger *ledger,
               struct ticket_state *state,
               const struct ticket *ticket,
               struct err *err)
{
    struct span path = units_path(ledger->dictionary->units, ticket->unit);

    (void)names_intern(ledger->names, ledger->txn, NAME_UNIT, path,
                       &state->unit_id, err);
    (void)link_keys(ledger, state, ticket, err);
    (void)find_related(ledger, state, ticket->related, err);
    return err->code;
}

static enum err_code
put_new_ticket(struct ledger *ledger,
               struct record *record,
               uint64_t id_hash,
               struct err *err)
{
    uint64_t number = ledger->next_seq++;
    struct cached_state *cached = cache_add(ledger, number, err);
    struct ledger_undo undo = {ledger->ids, id_hash, number, 0};

    if (cached == NULL) {
        return err->code;
    }
    record->number = number;
    if (put_log(ledger, number, record, true, err) != ERR_OK) {
        return err->code;
    }
    if (!make_undo_room(ledger) || !numbers_add(ledger->ids, id_hash, number)) {
        return err_set(err, ERR_NO_MEMORY, "ids");
    }
    ledger->undo[ledger->undo_count++] = undo;
    if (!add_pair(&ledger->new_ids, id_hash, number)) {
        return err_set(err, ERR_NO_MEMORY, "ids");
    }
    state_begin(&cached->state, record, number);
    cached->is_new = true;
    cached->dirty = true;
    ledger->totals.tickets++;
    if (settle_version(ledger, &cached->state, &record->ticket, err) !=
        ERR_OK) {
        return err->code;
    }
    if (ledger->totals.waiting > 0 &&
        (adopt_waiting(ledger, &cached->state, record->ticket.id, err) !=
             ERR_OK ||
         (cached->state.event_count > 0 &&
          fold_again(ledger, &cached->state, record, number, err) != ERR_OK))) {
        return err->code;
    }
    if (judge_clocks(ledger, &cached->state, err) != ERR_OK ||
        ledger_find_repeats(ledger, cached, NULL, false, err) != ERR_OK) {
        return err->code;
    }
    return adopt_related(ledger, number, record->ticket.id, err);
}

static enum err_code
put_new_version(struct ledger *ledger,
                struct record *record,
                struct cached_state *cached,
                struct err *err)
{
    struct ticket_state *state = &cached->state;
    struct ticket_state was = *state;
    uint64_t seq = ledger->next_seq++;

    record->number = state->number;
    record->previous = state->record_seq;
    if (put_log(ledger, seq, record, true, err) != ERR_OK ||
        forget_waiting_related(ledger, state, err) != ERR_OK ||
        settle_version(ledger, state, &record->ticket, err) != ERR_OK ||
        fold_again(ledger, state, record, seq, err) != ERR_OK ||
        judge_clocks(ledger, state, err) != ERR_OK) {
        return err->code;
    }
    state->version_count++;
    ledger->totals.versions++;
    return ledger_find_repeats(ledger, cached, &was, true, err);
}

/* A record of the log with bytes of its own, in the batch's arena: it stays
 * good while the transaction changes things. */
static enum err_code
copy_log(struct ledger *ledger,
         uint64_t seq,
         struct record *out,
         struct err *err)
{
    uint8_t key_bytes[LOG_KEY_BYTES];
    struct span key = seq_key(seq, key_bytes);
    struct span value;

    if (!store_get(ledger->store, ledger->txn, STORE_LOG, key, &value, err)) {
        return err_set(err, ERR_CORRUPT, "a record of the log is missing");
    }
    if (store_unseal(key, &value, "a record of the log", err) != ERR_OK) {
        return err->code;
    }
    value = arena_copy(&ledger->arena, value);
    if (value.data == NULL) {
        return err_set(err, ERR_NO_MEMORY, "batch");
    }
    if (!record_decode(value, out) || out->kind != RECORD_TICKET) {
        return err_set(err, ERR_CORRUPT, "a record of the log makes no sense");
    }
    return ERR_OK;
}

static bool
same_judgement(const struct record_verdict *a, const struct record_verdict *b)
{
    return a->category == b->category &&
           a->subcategory_id == b->subcategory_id &&
           a->topic_id == b->topic_id && a->region == b->region;
}

enum err_code
ledger_put_verdict(struct ledger *ledger,
                   uint64_t number,
                   uint64_t record_seq,
                   const struct verdict *verdict,
                   enum ledger_rejudged *outcome,
                   struct err *err)
{
    struct cached_state *cached = ledger_load(ledger, number, err);
    struct record_verdict was;
    struct record record;

    assert(ledger->txn != NULL);
    if (cached == NULL) {
        return err->code;
    }
    if (cached->state.record_seq != record_seq) {
        *outcome = LEDGER_REJUDGED_STALE;
        return ERR_OK;
    }
    if (copy_log(ledger, record_seq, &record, err) != ERR_OK) {
        return err->code;
    }
    was = record.verdict;
    if (intern_verdict(ledger, verdict, &record.verdict, err) != ERR_OK ||
        put_log(ledger, record_seq, &record, false, err) != ERR_OK ||
        names_intern(ledger->names, ledger->txn, NAME_UNIT,
                     units_path(ledger->dictionary->units, record.ticket.unit),
                     &cached->state.unit_id, err) != ERR_OK ||
        fold_again(ledger, &cached->state, &record, record_seq, err) !=
            ERR_OK ||
        judge_clocks(ledger, &cached->state, err) != ERR_OK) {
        return err->code;
    }
    *outcome = same_judgement(&was, &record.verdict) ? LEDGER_REJUDGED_SAME
                                                     : LEDGER_REJUDGED_MOVED;
    cached->dirty = true;
    return ledger_find_repeats(ledger, cached, NULL, true, err);
}

enum err_code
ledger_put_reclassify(struct ledger *ledger,
                      const struct ledger_reclassify *mark,
                      struct err *err)
{
    uint8_t room[128];
    struct byte_writer w = byte_writer_on(room, sizeof(room));

    put_u8(&w, 1);
    put_span(&w, span_of(mark->dictionary));
    put_varint(&w, mark->next);
    put_varint(&w, mark->done);
    put_varint(&w, mark->total);
    put_varint(&w, mark->moved);
    put_zigzag(&w, mark->started_us);
    put_zigzag(&w, mark->ended_us);
    return store_put(ledger->store, ledger->txn, STORE_META,
                     SPAN_LITERAL("reclassify"),
                     (struct span){(char *)room, byte_writer_used(&w)}, 0, err);
}

enum err_code
ledger_put_rule_hits(struct ledger *ledger,
                     const struct ledger_rule_hits *hits,
                     struct err *err)
{
    uint8_t room[128];
    struct byte_writer w = byte_writer_on(room, sizeof(room));
    char key[sizeof("rule/") + LEDGER_RULE_BYTES_MAX];

    (void)snprintf(key, sizeof(key), "rule/%s", hits->rule);
    put_u8(&w, 1);
    put_varint(&w, hits->ever);
    put_zigzag(&w, hits->day);
    put_varint(&w, hits->today);
    put_zigzag(&w, hits->last_us);
    for (int c = 0; c < TICKET_CATEGORY_COUNT; c++) {
        put_varint(&w, hits->lost[c]);
    }
    return store_put(ledger->store, ledger->txn, STORE_META, span_of(key),
                     (struct span){(char *)room, byte_writer_used(&w)}, 0, err);
}

const struct dictionary *
ledger_dictionary(const struct ledger *ledger)
{
    return ledger->dictionary;
}

enum err_code
ledger_put_ticket(struct ledger *ledger,
                  const struct ticket *ticket,
                  const struct verdict *verdict,
                  enum ledger_outcome *outcome,
                  struct err *err)
{
    uint64_t id_hash = store_hash(ledger->store, ticket->id);
    uint64_t number = find_id(ledger, ticket->id, id_hash);
    struct record record = {.kind = RECORD_TICKET,
                            .received_at_us = ledger->now_us,
                            .ticket = *ticket};
    struct cached_state *cached;

    assert(ledger->txn != NULL);
    if (intern_verdict(ledger, verdict, &record.verdict, err) != ERR_OK) {
        return err->code;
    }
    if (number == 0) {
        *outcome = LEDGER_ACCEPTED;
        return put_new_ticket(ledger, &record, id_hash, err);
    }
    cached = ledger_load(ledger, number, err);
    if (cached == NULL) {
        return err->code;
    }
    if (cached->state.content_hash == record_ticket_hash(ticket)) {
        *outcome = LEDGER_DUPLICATE;
        ledger->totals.duplicates++;
        return ERR_OK;
    }
    *outcome = LEDGER_UPDATED;
    return put_new_version(ledger, &record, cached, err);
}

/* --- events ------------------------------------------------------------- */

static bool
same_event_in_log(struct ledger *ledger,
                  uint64_t seq,
                  uint64_t event_hash,
                  uint64_t *previous,
                  struct err *err)
{
    struct record record;

    *previous = 0;
    if (get_log(ledger, seq, &record, err) != ERR_OK) {
        return false;
    }
    *previous = record.previous;
    return record_event_hash(&record.event) == event_hash;
}

static enum err_code
put_waiting_event(struct ledger *ledger,
                  const struct ticket_event *event,
                  uint64_t event_hash,
                  enum ledger_outcome *outcome,
                  struct err *err)
{
    uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10];
    struct record record = {.kind = RECORD_EVENT,
                            .received_at_us = ledger->now_us,
                            .event = *event};
    uint64_t *seqs;
    size_t count;
    uint64_t previous;
    uint64_t seq;

    if (list_waiting(ledger, event->id, WAITING_EVENT, &seqs, &count, err) !=
        ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < count; i++) {
        if (same_event_in_log(ledger, seqs[i], event_hash, &previous, err)) {
            *outcome = LEDGER_DUPLICATE;
            ledger->totals.duplicates++;
            return ERR_OK;
        }
    }
    if (count >= WAITING_EVENTS_MAX) {
        return err_set_field(err, ERR_BUSY, "id",
                             "%d events wait for this ticket already; send "
                             "the ticket",
                             WAITING_EVENTS_MAX);
    }
    seq = ledger->next_seq++;
    *outcome = LEDGER_WAITING;
    ledger->totals.events++;
    ledger->totals.waiting++;
    (void)put_log(ledger, seq, &record, true, err);
    (void)store_put(ledger->store, ledger->txn, STORE_WAITING,
                    waiting_key(event->id, WAITING_EVENT, seq, key),
                    (struct span){NULL, 0}, 0, err);
    return err->code;
}

/* Is this event on the ticket's chain already? */
static bool
on_chain(struct ledger *ledger,
         const struct ticket_state *state,
         uint64_t event_hash,
         struct err *err)
{
    uint64_t seq = state->last_event_seq;

    if (!state_knows_event(state, event_hash)) {
        return false;
    }
    while (seq != 0 && err->code == ERR_OK) {
        uint64_t previous;

        if (same_event_in_log(ledger, seq, event_hash, &previous, err)) {
            return true;
        }
        seq = previous;
    }
    return false;
}

/* A correction older than the one in force: fold everything in order. */
static enum err_code
fold_late_correction(struct ledger *ledger,
                     struct ticket_state *state,
                     const struct ticket_event *event,
                     struct err *err)
{
    struct record version;

    if (state->event_count < STATE_EVENT_HASHES_MAX) {
        state->event_hashes[state->event_count] =
            (uint32_t)record_event_hash(event);
    }
    state->event_count++;
    if (get_log(ledger, state->record_seq, &version, err) != ERR_OK) {
        return err->code;
    }
    return fold_again(ledger, state, &version, state->record_seq, err);
}

static enum err_code
apply_event(struct ledger *ledger,
            struct cached_state *cached,
            const struct ticket_event *event,
            struct err *err)
{
    struct ticket_state *state = &cached->state;
    bool repeats_move = event->kind == EVENT_KIND_CORRECTED ||
                        event->kind == EVENT_KIND_FINAL_REPLY;

    if (event->kind == EVENT_KIND_CORRECTED &&
        state->event_at_us[EVENT_KIND_CORRECTED] != STATE_NEVER &&
        event->at_us < state->event_at_us[EVENT_KIND_CORRECTED]) {
        (void)fold_late_correction(ledger, state, event, err);
    } else {
        state_apply_event(state, event,
                          subcategory_name_id(ledger, event->subcategory, err));
    }
    if (err->code == ERR_OK && judge_again(ledger, cached, err) == ERR_OK &&
        repeats_move) {
        (void)ledger_find_repeats(ledger, cached, NULL, true, err);
    }
    return err->code;
}

enum err_code
ledger_put_event(struct ledger *ledger,
                 const struct ticket_event *event,
                 enum ledger_outcome *outcome,
                 struct err *err)
{
    uint64_t event_hash = record_event_hash(event);
    uint64_t number =
        find_id(ledger, event->id, store_hash(ledger->store, event->id));
    struct record record = {.kind = RECORD_EVENT,
                            .number = number,
                            .received_at_us = ledger->now_us,
                            .event = *event};
    struct cached_state *cached;
    uint64_t seq;

    assert(ledger->txn != NULL);
    if (number == 0) {
        return put_waiting_event(ledger, event, event_hash, outcome, err);
    }
    cached = ledger_load(ledger, number, err);
    if (cached == NULL) {
        return err->code;
    }
    if (on_chain(ledger, &cached->state, event_hash, err)) {
        *outcome = LEDGER_DUPLICATE;
        ledger->totals.duplicates++;
        return err->code;
    }
    seq = ledger->next_seq++;
    record.previous = cached->state.last_event_seq;
    if (put_log(ledger, seq, &record, true, err) != ERR_OK) {
        return err->code;
    }
    cached->state.last_event_seq = seq;
    ledger->totals.events++;
    *outcome = LEDGER_ACCEPTED;
    return apply_event(ledger, cached, event, err);
}

/* --- refused lines, facts ----------------------------------------------- */

enum err_code
ledger_put_reject(struct ledger *ledger,
                  const struct ledger_reject *reject,
                  struct err *err)
{
    uint8_t key_bytes[LOG_KEY_BYTES];
    struct span key = seq_key(++ledger->totals.rejects, key_bytes);
    struct byte_writer w =
        byte_writer_on(ledger->record_room, RECORD_BYTES_MAX);
    struct span bytes = reject->bytes;
    size_t used;

    if (bytes.bytes > LEDGER_REJECT_BYTES_MAX) {
        bytes.bytes = LEDGER_REJECT_BYTES_MAX;
    }
    put_u8(&w, 1);
    put_zigzag(&w, reject->at_us);
    put_varint(&w, reject->line);
    put_span(&w, span_of(err_code_name(reject->code)));
    put_span(&w, reject->source);
    put_span(&w, reject->field);
    put_span(&w, reject->detail);
    put_varint(&w, reject->line_bytes);
    put_span(&w, bytes);
    if (w.failed) {
        return err_set(err, ERR_TOO_LONG,
                       "a refused line with its source and "
                       "reason is too long to keep");
    }
    used = store_seal(key, ledger->record_room, byte_writer_used(&w));
    return store_put(ledger->store, ledger->txn, STORE_REJECTS, key,
                     (struct span){(char *)ledger->record_room, used},
                     MDB_APPEND, err);
}

enum err_code
ledger_put_fact(struct ledger *ledger,
                const struct ledger_fact *fact,
                struct err *err)
{
    uint8_t key[3 * LEDGER_FACT_NAME_BYTES_MAX];
    uint8_t value[512];
    struct byte_writer kw = byte_writer_on(key, sizeof(key));
    struct byte_writer w = byte_writer_on(value, sizeof(value));
    struct span by = fact->by;

    if (fact->name.bytes == 0 ||
        fact->name.bytes + fact->unit.bytes + fact->period.bytes + 2 >
            LEDGER_FACT_NAME_BYTES_MAX * 2) {
        return err_set_field(err, ERR_BAD_VALUE, "name",
                             "name, unit and period together may have %d "
                             "bytes",
                             LEDGER_FACT_NAME_BYTES_MAX * 2);
    }
    if (by.bytes > LEDGER_FACT_NAME_BYTES_MAX) {
        by.bytes = utf8_cut(by.data, LEDGER_FACT_NAME_BYTES_MAX);
    }
    put_bytes(&kw, fact->name.data, fact->name.bytes);
    put_u8(&kw, 0);
    put_bytes(&kw, fact->unit.data, fact->unit.bytes);
    put_u8(&kw, 0);
    put_bytes(&kw, fact->period.data, fact->period.bytes);
    put_u8(&w, 1);
    put_bytes(&w, &fact->numerator, sizeof(fact->numerator));
    put_bytes(&w, &fact->denominator, sizeof(fact->denominator));
    put_zigzag(&w, fact->at_us);
    put_span(&w, by);
    return store_put(ledger->store, ledger->txn, STORE_FACTS,
                     (struct span){(char *)key, byte_writer_used(&kw)},
                     (struct span){(char *)value, byte_writer_used(&w)}, 0,
                     err);
}

/* --- commit ------------------------------------------------------------- */

static int
by_number(const void *a, const void *b)
{
    uint64_t x = (*(struct cached_state *const *)a)->state.number;
    uint64_t y = (*(struct cached_state *const *)b)->state.number;

    return x < y ? -1 : x > y;
}

/* All changed tickets, in the order of their numbers. */
static enum err_code
flush_tickets(struct ledger *ledger, struct err *err)
{
    struct cached_state **dirty =
        arena_alloc(&ledger->arena, (ledger->cache_used + 1) * sizeof(*dirty));
    size_t count = 0;

    if (dirty == NULL) {
        return err_set(err, ERR_NO_MEMORY, "batch");
    }
    for (size_t i = 0; i < ledger->cache_room; i++) {
        if (ledger->cache[i] != NULL && ledger->cache[i]->dirty) {
            dirty[count++] = ledger->cache[i];
        }
    }
    if (count > 1) {
        qsort(dirty, count, sizeof(*dirty), by_number);
    }
    for (size_t i = 0; i < count && err->code == ERR_OK; i++) {
        (void)ledger_flush_ticket(ledger, dirty[i], err);
    }
    return err->code;
}

static void
put_pairs(struct ledger *ledger,
          enum store_db db,
          const struct ledger_pairs *pairs,
          struct err *err)
{
    uint8_t key[LOG_KEY_BYTES];

    if (pairs->used > 0) {
        (void)store_put(
            ledger->store, ledger->txn, db, seq_key(ledger->next_seq - 1, key),
            (struct span){(char *)pairs->bytes, pairs->used}, MDB_APPEND, err);
    }
}

static void
put_meta(struct ledger *ledger, struct err *err)
{
    uint8_t room[256];
    struct byte_writer w = byte_writer_on(room, sizeof(room));

    put_be64(&w, ledger->next_seq);
    (void)store_put(ledger->store, ledger->txn, STORE_META,
                    SPAN_LITERAL("next_seq"),
                    (struct span){(char *)room, byte_writer_used(&w)}, 0, err);
    w = byte_writer_on(room, sizeof(room));
    put_be_time(&w, ledger->tick_us);
    (void)store_put(ledger->store, ledger->txn, STORE_META,
                    SPAN_LITERAL("tick_us"),
                    (struct span){(char *)room, byte_writer_used(&w)}, 0, err);
    w = byte_writer_on(room, sizeof(room));
#define TOTAL_ROW(name, text) put_varint(&w, ledger->totals.name);
#include "server/ledger/totals.def"
#undef TOTAL_ROW
    (void)store_put(ledger->store, ledger->txn, STORE_META,
                    SPAN_LITERAL("totals"),
                    (struct span){(char *)room, byte_writer_used(&w)}, 0, err);
}

enum err_code
ledger_commit(struct ledger *ledger, struct err *err)
{
    int rc;

    assert(ledger->txn != NULL);
    if (flush_tickets(ledger, err) == ERR_OK) {
        (void)counters_flush(ledger->sums, ledger->store, ledger->names,
                             ledger->txn, err);
        put_pairs(ledger, STORE_IDS, &ledger->new_ids, err);
        put_pairs(ledger, STORE_KEYS, &ledger->new_keys, err);
        put_meta(ledger, err);
    }
    if (err->code != ERR_OK) {
        ledger_abort(ledger);
        return err->code;
    }
    rc = mdb_txn_commit(ledger->txn);
    if (rc != 0) {
        ledger->txn = NULL;
        undo_batch(ledger);
        return store_commit_err(ledger->store, rc, err);
    }
    names_commit(ledger->names);
    forget_batch(ledger);
    publish(ledger);
    return ERR_OK;
}

/* --- what others may ask ------------------------------------------------ */

uint64_t
ledger_next_seq(const struct ledger *ledger)
{
    return atomic_load_explicit(
        &((struct ledger *)(uintptr_t)ledger)->committed_next_seq,
        memory_order_acquire);
}

struct ledger_totals
ledger_totals(const struct ledger *ledger)
{
    struct ledger_totals totals;
    uint64_t *words = (uint64_t *)&totals;

    for (size_t i = 0; i < sizeof(totals) / sizeof(uint64_t); i++) {
        words[i] = atomic_load_explicit(
            &((struct ledger *)(uintptr_t)ledger)->committed_totals[i],
            memory_order_relaxed);
    }
    return totals;
}

bool
ledger_has_room(const struct ledger *ledger)
{
    assert(ledger->txn == NULL);
    return store_has_room(ledger->store);
}

int64_t
ledger_next_due_us(struct ledger *ledger, struct err *err)
{
    int64_t due_us = STATE_NEVER;
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc = mdb_txn_begin(ledger->store->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0) {
        (void)store_err(err, rc, "due");
        return due_us;
    }
    rc = mdb_cursor_open(txn, ledger->store->db[STORE_DUE], &cursor);
    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
        if (rc == 0) {
            struct byte_reader r = byte_reader_on(key.mv_data, key.mv_size);

            due_us = get_be_time(&r);
        }
        mdb_cursor_close(cursor);
    }
    if (rc != 0 && rc != MDB_NOTFOUND) {
        (void)store_err(err, rc, "due");
    }
    mdb_txn_abort(txn);
    return due_us;
}

size_t
ledger_memory_bytes(const struct ledger *ledger)
{
    return numbers_bytes(ledger->ids) + numbers_bytes(ledger->keys);
}

const struct numbers *
ledger_ids(const struct ledger *ledger)
{
    return ledger->ids;
}
