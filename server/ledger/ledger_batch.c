/* Inside one batch: names, states, log records, ids, and how to take back. */
#include "server/ledger/ledger_internal.h"

#include <stdlib.h>
#include <string.h>

#include "analyzers/taxonomy.h"

struct span
ledger_seq_key(uint64_t seq, uint8_t key[LEDGER_LOG_KEY_BYTES])
{
    struct byte_writer w = byte_writer_on(key, LEDGER_LOG_KEY_BYTES);

    put_be64(&w, seq);
    return (struct span){(char *)key, LEDGER_LOG_KEY_BYTES};
}

bool
ledger_cache_resize(struct ledger *ledger, size_t room)
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
ledger_intern_dictionary(struct ledger *ledger, struct err *err)
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

uint32_t
ledger_row_name_id(struct ledger *ledger, int32_t row, struct err *err)
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

uint32_t
ledger_subcategory_name_id(struct ledger *ledger,
                           struct span name,
                           struct err *err)
{
    int32_t row;
    uint32_t id = 0;

    if (name.bytes == 0) {
        return 0;
    }
    row = taxonomy_subcategory(ledger->dictionary->taxonomy, name);
    if (row != TAXONOMY_NONE) {
        return ledger_row_name_id(ledger, row, err);
    }
    (void)names_intern(ledger->names, ledger->txn, NAME_SUBCATEGORY, name, &id,
                       err);
    return id;
}

bool
ledger_make_undo_room(struct ledger *ledger)
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

bool
ledger_add_pair(struct ledger_pairs *pairs, uint64_t hash, uint64_t number)
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
    uint8_t key_bytes[LEDGER_LOG_KEY_BYTES];
    struct span key = ledger_seq_key(number, key_bytes);
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

struct cached_state *
ledger_cache_add(struct ledger *ledger, uint64_t number, struct err *err)
{
    struct cached_state *cached = arena_alloc(&ledger->arena, sizeof(*cached));
    size_t at = (size_t)(number * UINT64_C(0x9E3779B97F4A7C15));

    if (cached == NULL ||
        ((ledger->cache_used + 1) * 2 > ledger->cache_room &&
         !ledger_cache_resize(ledger, ledger->cache_room * 2))) {
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
    cached->clocks_stale = false;
    cached->gone = false;
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
    cached = ledger_cache_add(ledger, number, err);
    if (cached == NULL) {
        return NULL;
    }
    if (!ledger_stored_state(ledger, number, &cached->state, err)) {
        (void)err_set(err, ERR_CORRUPT, "a ticket's state is missing");
        return NULL;
    }
    cached->stored = cached->state;
    ledger->old_tickets++;
    return cached;
}

enum err_code
ledger_put_next(struct ledger *ledger,
                enum store_db db,
                struct span key,
                struct span value,
                unsigned flags,
                struct err *err)
{
    MDB_val k = {key.bytes, (void *)(uintptr_t)key.data};
    MDB_val v = {value.bytes, (void *)(uintptr_t)value.data};
    MDB_cursor **cursor = &ledger->cursors[db];
    int rc = *cursor != NULL
                 ? 0
                 : mdb_cursor_open(ledger->txn, ledger->store->db[db], cursor);

    rc = rc != 0 ? rc : mdb_cursor_put(*cursor, &k, &v, flags);
    return rc == 0 ? ERR_OK : store_err(err, rc, store_db_name(db));
}

enum err_code
ledger_put_log(struct ledger *ledger,
               uint64_t seq,
               const struct record *record,
               bool append,
               struct err *err)
{
    uint8_t key_bytes[LEDGER_LOG_KEY_BYTES];
    struct span key = ledger_seq_key(seq, key_bytes);
    struct byte_writer w =
        byte_writer_on(ledger->record_room, RECORD_BYTES_MAX);
    size_t bytes;

    record_encode(record, &w);
    if (w.failed) {
        return err_set(err, ERR_TOO_LONG, "a record of more than %d bytes",
                       RECORD_BYTES_MAX);
    }
    bytes = store_seal(key, ledger->record_room, byte_writer_used(&w));
    return ledger_put_next(ledger, STORE_LOG, key,
                           (struct span){(char *)ledger->record_room, bytes},
                           append ? MDB_APPEND : 0, err);
}

enum err_code
ledger_get_log(struct ledger *ledger,
               uint64_t seq,
               struct record *out,
               struct err *err)
{
    uint8_t key_bytes[LEDGER_LOG_KEY_BYTES];
    struct span key = ledger_seq_key(seq, key_bytes);
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

static struct known_id *
known_id_of(struct ledger *ledger, uint64_t number)
{
    return &ledger->known_ids[number * UINT64_C(0x9E3779B97F4A7C15) >> 32 &
                              (LEDGER_IDS_ROOM - 1)];
}

void
ledger_know_id(struct ledger *ledger, uint64_t number, struct span id)
{
    struct known_id *known = known_id_of(ledger, number);

    if (id.bytes > 0 && id.bytes <= LEDGER_ID_BYTES) {
        known->number = number;
        known->bytes = (uint8_t)id.bytes;
        memcpy(known->id, id.data, id.bytes);
    }
}

/* Is `id` the id of ticket `number`? */
static bool
has_id(struct ledger *ledger, uint64_t number, struct span id)
{
    const struct known_id *known = known_id_of(ledger, number);
    uint8_t key[LEDGER_LOG_KEY_BYTES];
    struct err err = {0};
    struct span value;

    if (known->number == number) {
        return span_equal((struct span){known->id, known->bytes}, id);
    }
    if (!store_get(ledger->store, ledger->txn, STORE_LOG,
                   ledger_seq_key(number, key), &value, &err) ||
        !span_equal(record_peek_id(value), id)) {
        return false;
    }
    ledger_know_id(ledger, number, id);
    return true;
}

uint64_t
ledger_find_id(struct ledger *ledger, struct span id, uint64_t id_hash)
{
    size_t cursor = 0;
    uint64_t number;

    while ((number = numbers_next(ledger->ids, id_hash, &cursor)) != 0) {
        if (has_id(ledger, number, id)) {
            return number;
        }
    }
    return 0;
}

void
ledger_forget_batch(struct ledger *ledger)
{
    memset(ledger->cache, 0, ledger->cache_room * sizeof(*ledger->cache));
    ledger->cache_used = 0;
    ledger->undo_count = 0;
    ledger->new_ids.used = 0;
    ledger->new_keys.used = 0;
    ledger->gone_count = 0;
    ledger->old_tickets = 0;
    ledger->leaving_count = 0;
    counter_sums_reset(ledger->sums);
    counter_sums_reset(ledger->kept);
    arena_reset(&ledger->arena);
    memset(ledger->cursors, 0, sizeof(ledger->cursors));
    ledger->txn = NULL;
}

void
ledger_undo_batch(struct ledger *ledger)
{
    for (size_t i = ledger->undo_count; i-- > 0;) {
        struct ledger_undo *undo = &ledger->undo[i];
        uint64_t replaced;

        if (undo->old == 0) {
            numbers_remove(undo->table, undo->hash, undo->number);
        } else {
            (void)numbers_set(undo->table, undo->hash, undo->old, &replaced);
        }
    }
    names_abort(ledger->names);
    ledger->names_fresh = true;
    memset(ledger->near, 0, LEDGER_NEAR_ROOM * sizeof(*ledger->near));
    memset(ledger->known_ids, 0, LEDGER_IDS_ROOM * sizeof(*ledger->known_ids));
    ledger->next_seq =
        atomic_load_explicit(&ledger->committed_next_seq, memory_order_relaxed);
    ledger->tick_us = ledger->committed_tick_us;
    ledger->horizon_us = ledger->committed_horizon_us;
    ledger->totals = ledger_totals(ledger);
    ledger_forget_batch(ledger);
}

void
ledger_abort(struct ledger *ledger)
{
    if (ledger->txn != NULL) {
        mdb_txn_abort(ledger->txn);
        ledger_undo_batch(ledger);
    }
}

enum err_code
ledger_copy_log(struct ledger *ledger,
                uint64_t seq,
                struct record *out,
                struct err *err)
{
    uint8_t key_bytes[LEDGER_LOG_KEY_BYTES];
    struct span key = ledger_seq_key(seq, key_bytes);
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
