/* The one place where tickets change: batches of records into the store. */
#include "server/ledger/ledger_internal.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    LEDGER_OLD_TICKETS_MAX =
        16384,       /* in one batch, and one put of records more */
    PAIR_BYTES = 16, /* a hash, a number */
    PAIRS_AHEAD = 16,
    LEDGER_ARENA_BYTES = 1 << 20,
    LEDGER_CHAIN_BYTES = 64 * 1024,
    LEDGER_CACHE_ROOM_MIN = 4096
};

struct tally_rules
ledger_tally_rules(const struct dictionary *dictionary)
{
    return (struct tally_rules){dictionary->repeat->repeat_min,
                                dictionary->repeat->third_call_min,
                                dictionary->repeat->burst_min};
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
    struct ledger_expire expire;
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
    value = (struct span){NULL, 0};
    (void)store_get(ledger->store, txn, STORE_META, SPAN_LITERAL("expire"),
                    &value, err);
    (void)ledger_expire_decode(value, &expire);
    ledger->horizon_us = expire.horizon_us;
}

/* A table in memory and the list it is filled from. */
struct pairs_load {
    struct store *store;
    enum store_db db;
    struct numbers *table;
    struct err err;
};

/* The pairs of one commit. Each lands somewhere else in the table, which is
 * larger than any cache: the places of those to come are fetched ahead. */
static bool
take_pairs(struct pairs_load *load, const uint8_t *pairs, size_t bytes)
{
    uint64_t old;

    for (size_t i = 0; i + PAIR_BYTES <= bytes; i += PAIR_BYTES) {
        uint64_t hash = load_le64(pairs + i);
        uint64_t number = load_le64(pairs + i + 8);
        size_t ahead = i + PAIRS_AHEAD * PAIR_BYTES;

        if (ahead + PAIR_BYTES <= bytes) {
            numbers_prefetch(load->table, load_le64(pairs + ahead));
        }
        if (!(load->db == STORE_IDS
                  ? numbers_add(load->table, hash, number)
                  : numbers_set(load->table, hash, number, &old))) {
            return false;
        }
    }
    return true;
}

/* All (hash, number) pairs of `ids` or `keys`, in their order. */
static void *
load_pairs(void *context)
{
    struct pairs_load *load = context;
    MDB_cursor *cursor = NULL;
    MDB_txn *txn = NULL;
    MDB_val key;
    MDB_val value;
    int rc = mdb_txn_begin(load->store->env, NULL, MDB_RDONLY, &txn);

    if (rc == 0) {
        rc = mdb_cursor_open(txn, load->store->db[load->db], &cursor);
    }
    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    }
    while (rc == 0 && load->err.code == ERR_OK) {
        if (!take_pairs(load, value.mv_data, value.mv_size)) {
            (void)err_set(&load->err, ERR_NO_MEMORY, "load");
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (load->err.code == ERR_OK && rc != MDB_NOTFOUND) {
        (void)store_err(&load->err, rc, "load");
    }
    if (cursor != NULL) {
        mdb_cursor_close(cursor);
    }
    if (txn != NULL) {
        mdb_txn_abort(txn);
    }
    return NULL;
}

/* Both tables, side by side: ten million tickets are forty million pairs. */
static enum err_code
load_tables(struct ledger *ledger, struct err *err)
{
    struct pairs_load ids = {
        .store = ledger->store, .db = STORE_IDS, .table = ledger->ids};
    struct pairs_load keys = {
        .store = ledger->store, .db = STORE_KEYS, .table = ledger->keys};
    pthread_t thread;
    bool beside = pthread_create(&thread, NULL, load_pairs, &keys) == 0;

    (void)load_pairs(&ids);
    if (beside) {
        (void)pthread_join(thread, NULL);
    } else {
        (void)load_pairs(&keys);
    }
    *err = ids.err.code != ERR_OK ? ids.err : keys.err;
    return err->code;
}

/* Totals for other threads, word by word. */
static void
publish(struct ledger *ledger)
{
    const uint64_t *totals = (const uint64_t *)&ledger->totals;

    ledger->committed_tick_us = ledger->tick_us;
    ledger->committed_horizon_us = ledger->horizon_us;
    for (size_t i = 0; i < sizeof(ledger->totals) / sizeof(uint64_t); i++) {
        atomic_store_explicit(&ledger->committed_totals[i], totals[i],
                              memory_order_relaxed);
    }
    atomic_store_explicit(&ledger->committed_next_seq, ledger->next_seq,
                          memory_order_release);
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
        ledger->ids =
            numbers_new((size_t)ledger_tickets_there(&ledger->totals));
        ledger->keys =
            numbers_new((size_t)ledger_tickets_there(&ledger->totals) * 2);
        ledger->sums = counter_sums_new();
        ledger->kept = counter_sums_new();
        ledger->near = calloc(LEDGER_NEAR_ROOM, sizeof(*ledger->near));
        ledger->known_ids = calloc(LEDGER_IDS_ROOM, sizeof(*ledger->known_ids));
        ledger->record_room = malloc(RECORD_BYTES_MAX + STORE_CHECKSUM_BYTES);
        if (ledger->ids == NULL || ledger->keys == NULL ||
            ledger->sums == NULL || ledger->kept == NULL ||
            ledger->near == NULL || ledger->known_ids == NULL ||
            ledger->record_room == NULL ||
            !ledger_cache_resize(ledger, LEDGER_CACHE_ROOM_MIN)) {
            (void)err_set(err, ERR_NO_MEMORY, "ledger");
        }
    }
    if (txn != NULL) {
        mdb_txn_abort(txn);
    }
    if (err->code == ERR_OK && load_tables(ledger, err) == ERR_OK) {
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
    counter_sums_free(&l->kept);
    free(l->gone);
    free(l->leaving);
    arena_release(&l->arena);
    arena_release(&l->chain);
    free(l->near);
    free(l->known_ids);
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

void
ledger_watch(struct ledger *ledger, struct changes *changes)
{
    assert(ledger->txn == NULL);
    ledger->changes = changes;
}

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
        if (!dirty[i]->clocks_stale ||
            ledger_judge_state(ledger, &dirty[i]->state, err) == ERR_OK) {
            (void)ledger_flush_ticket(ledger, dirty[i], err);
        }
    }
    return err->code;
}

static void
put_pairs(struct ledger *ledger,
          enum store_db db,
          const struct ledger_pairs *pairs,
          struct err *err)
{
    uint8_t key[LEDGER_LOG_KEY_BYTES];

    if (pairs->used > 0) {
        (void)store_put(ledger->store, ledger->txn, db,
                        ledger_seq_key(ledger->next_seq - 1, key),
                        (struct span){(char *)pairs->bytes, pairs->used},
                        MDB_APPEND, err);
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

bool
ledger_is_full(const struct ledger *ledger)
{
    return ledger->old_tickets >= LEDGER_OLD_TICKETS_MAX;
}

enum err_code
ledger_commit(struct ledger *ledger, struct err *err)
{
    int rc;

    assert(ledger->txn != NULL);
    if (flush_tickets(ledger, err) == ERR_OK) {
        (void)counters_flush(ledger->sums, ledger->store, ledger->names,
                             ledger->txn, STORE_COUNTERS, err);
        (void)counters_flush(ledger->kept, ledger->store, ledger->names,
                             ledger->txn, STORE_KEPT, err);
        (void)ledger_flush_gone(ledger, err);
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
        ledger_undo_batch(ledger);
        return store_commit_err(ledger->store, rc, err);
    }
    names_commit(ledger->names);
    ledger_leave_tables(ledger);
    ledger_forget_batch(ledger);
    publish(ledger);
    return ERR_OK;
}

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
