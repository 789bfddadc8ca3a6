/* Old tickets out of the store; what they contributed stays. */
#include "server/ledger/ledger_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "analyzers/indicator.h"

/* ---- the mark ---- */

bool
ledger_expire_decode(struct span bytes, struct ledger_expire *out)
{
    struct byte_reader r = byte_reader_on(bytes.data, bytes.bytes);

    *out =
        (struct ledger_expire){.before_us = INT64_MIN, .horizon_us = INT64_MIN};
    if (bytes.bytes == 0 || get_u8(&r) != 1) {
        return false;
    }
    out->before_us = get_zigzag(&r);
    out->horizon_us = get_zigzag(&r);
    out->started_us = get_zigzag(&r);
    out->ended_us = get_zigzag(&r);
    out->open_too = get_u8(&r) != 0;
    out->tickets = get_varint(&r);
    out->events = get_varint(&r);
    out->rejects = get_varint(&r);
    out->open = get_varint(&r);
    out->named = get_varint(&r);
    return !r.failed;
}

/* A store with gaps in its log is not for an older suqiu. */
static void
put_format(struct ledger *ledger, struct err *err)
{
    static const uint8_t format[4] = {STORE_FORMAT, 0, 0, 0};

    (void)store_put(
        ledger->store, ledger->txn, STORE_META, SPAN_LITERAL("format"),
        (struct span){(const char *)format, sizeof(format)}, 0, err);
}

enum err_code
ledger_put_expire(struct ledger *ledger,
                  const struct ledger_expire *mark,
                  struct err *err)
{
    uint8_t room[128];
    struct byte_writer w = byte_writer_on(room, sizeof(room));

    put_u8(&w, 1);
    put_zigzag(&w, mark->before_us);
    put_zigzag(&w, ledger->horizon_us);
    put_zigzag(&w, mark->started_us);
    put_zigzag(&w, mark->ended_us);
    put_u8(&w, mark->open_too);
    put_varint(&w, mark->tickets);
    put_varint(&w, mark->events);
    put_varint(&w, mark->rejects);
    put_varint(&w, mark->open);
    put_varint(&w, mark->named);
    if (ledger->horizon_us != ledger->committed_horizon_us) {
        put_format(ledger, err);
    }
    return store_put(ledger->store, ledger->txn, STORE_META,
                     SPAN_LITERAL("expire"),
                     (struct span){(char *)room, byte_writer_used(&w)}, 0, err);
}

static void
move_horizon(struct ledger *ledger, const struct ledger_expire *mark)
{
    if (ledger->horizon_us < mark->before_us) {
        ledger->horizon_us = mark->before_us;
    }
}

/* ---- which ---- */

bool
ledger_has_ticket(struct ledger *ledger, uint64_t number, struct err *err)
{
    uint8_t key[LEDGER_LOG_KEY_BYTES];
    size_t mask = ledger->cache_room - 1;
    struct span value;

    for (size_t at = (size_t)(number * UINT64_C(0x9E3779B97F4A7C15)) & mask;
         ledger->cache[at] != NULL; at = (at + 1) & mask) {
        if (ledger->cache[at]->state.number == number) {
            return !ledger->cache[at]->gone;
        }
    }
    return store_get(ledger->store, ledger->txn, STORE_STATE,
                     ledger_seq_key(number, key), &value, err);
}

bool
ledger_may_expire(const struct ticket_state *state,
                  int64_t before_us,
                  bool open_too)
{
    for (uint32_t i = 0; i < state->clock_count; i++) {
        if (ledger_clock_runs(&state->clocks[i])) {
            return false;
        }
    }
    return state->accepted_at_us < before_us &&
           (open_too || state->event_at_us[EVENT_KIND_CLOSED] != STATE_NEVER);
}

/* Does a ticket that is there name it as its earlier order? */
static bool
is_named(struct ledger *ledger, uint64_t number, struct err *err)
{
    uint8_t wanted[16];
    struct byte_writer w = byte_writer_on(wanted, sizeof(wanted));
    MDB_val key = {sizeof(wanted), wanted};
    MDB_val value;
    MDB_cursor *cursor;
    bool named = false;
    int rc =
        mdb_cursor_open(ledger->txn, ledger->store->db[STORE_RELATED], &cursor);

    if (rc != 0) {
        (void)store_err(err, rc, "related");
        return false;
    }
    put_be64(&w, number);
    put_be64(&w, 0);
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (rc == 0) {
        struct byte_reader r = byte_reader_on(key.mv_data, key.mv_size);

        named = get_be64(&r) == number;
    } else if (rc != MDB_NOTFOUND) {
        (void)store_err(err, rc, "related");
    }
    mdb_cursor_close(cursor);
    return named;
}

/* ---- chains of keys ---- */

/* The ticket of the chain that points to `number`, looked for from `from` on; 0
 * when there is none. *steps: tickets passed. */
static uint64_t
walk_to(struct ledger *ledger,
        uint64_t from,
        uint64_t hash,
        uint64_t number,
        uint32_t *steps,
        struct err *err)
{
    for (*steps = 0; from != 0 && err->code == ERR_OK; (*steps)++) {
        uint64_t previous = ledger_chain_previous(ledger, from, hash, err);

        if (previous == number) {
            return from;
        }
        from = previous;
    }
    return 0;
}

static void
leave_hint(struct chain_hint *hint,
           uint64_t hash,
           uint64_t number,
           uint32_t depth)
{
    if (hint->hash == hash || hint->worth <= depth) {
        *hint = (struct chain_hint){hash, number, depth, depth};
    } else {
        hint->worth /= 2;
    }
}

/* Going from the newest to the oldest, the next one of a chain lies behind
 * where the last one was. */
static uint64_t
find_newer(struct ledger *ledger,
           uint64_t hash,
           uint64_t number,
           struct err *err)
{
    struct chain_hint *hint = &ledger->hints[hash & (LEDGER_HINTS - 1)];
    uint64_t newer = 0;
    uint32_t above = 0;
    uint32_t steps = 0;

    if (hint->hash == hash && ledger_has_ticket(ledger, hint->number, err)) {
        above = hint->depth;
        newer = walk_to(ledger, hint->number, hash, number, &steps, err);
    }
    if (newer == 0) {
        above = 0;
        newer = walk_to(ledger, numbers_get(ledger->keys, hash), hash, number,
                        &steps, err);
    }
    if (newer == 0) {
        (void)err_set(err, ERR_CORRUPT,
                      "ticket %llu is not on the chain of its key",
                      (unsigned long long)number);
        return 0;
    }
    leave_hint(hint, hash, newer, above + steps);
    return newer;
}

static bool
add_leaving(struct ledger *ledger,
            struct numbers *table,
            uint64_t hash,
            uint64_t number)
{
    if (ledger->leaving_count == ledger->leaving_room) {
        size_t room =
            ledger->leaving_room == 0 ? 1024 : ledger->leaving_room * 2;
        struct ledger_undo *larger =
            realloc(ledger->leaving, room * sizeof(*larger));

        if (larger == NULL) {
            return false;
        }
        ledger->leaving = larger;
        ledger->leaving_room = room;
    }
    ledger->leaving[ledger->leaving_count++] =
        (struct ledger_undo){table, hash, number, 0};
    return true;
}

/* The newest of its key goes: the one before it is the newest now. */
static void
leave_head(struct ledger *ledger,
           const struct state_link *link,
           uint64_t number,
           struct err *err)
{
    struct ledger_undo undo = {ledger->keys, link->key_hash,
                               link->previous_number, number};

    if (link->previous_number == 0
            ? !add_leaving(ledger, ledger->keys, link->key_hash, number)
            : !ledger_make_undo_room(ledger) ||
                  !numbers_set(ledger->keys, link->key_hash,
                               link->previous_number, &undo.old)) {
        (void)err_set(err, ERR_NO_MEMORY, "keys");
    } else if (link->previous_number != 0) {
        ledger->undo[ledger->undo_count++] = undo;
    }
}

/* Close the chain of one key over the ticket. */
static void
leave_chain(struct ledger *ledger,
            const struct state_link *link,
            uint64_t number,
            struct err *err)
{
    struct cached_state *newer;
    uint64_t newer_number;

    if (numbers_get(ledger->keys, link->key_hash) == number) {
        leave_head(ledger, link, number, err);
        return;
    }
    newer_number = find_newer(ledger, link->key_hash, number, err);
    newer = newer_number != 0 ? ledger_load(ledger, newer_number, err) : NULL;
    if (newer == NULL) {
        return;
    }
    for (uint32_t i = 0; i < newer->state.link_count; i++) {
        if (newer->state.links[i].key_hash == link->key_hash) {
            newer->state.links[i].previous_number = link->previous_number;
        }
    }
    newer->dirty = true;
    ledger_near_put(ledger, &newer->state);
}

/* ---- log, ids and keys ---- */

static void
add_gone(struct ledger *ledger,
         enum store_db db,
         uint64_t seq,
         uint64_t number,
         struct err *err)
{
    if (ledger->gone_count == ledger->gone_room) {
        size_t room = ledger->gone_room == 0 ? 1024 : ledger->gone_room * 2;
        struct ledger_gone *larger =
            realloc(ledger->gone, room * sizeof(*larger));

        if (larger == NULL) {
            (void)err_set(err, ERR_NO_MEMORY, "pairs");
            return;
        }
        ledger->gone = larger;
        ledger->gone_room = room;
    }
    ledger->gone[ledger->gone_count++] = (struct ledger_gone){db, seq, number};
}

/* All records of a chain; returns how many. *id_hash: of a ticket's id. */
static uint64_t
delete_records(struct ledger *ledger,
               const struct ticket_state *state,
               uint64_t seq,
               uint64_t *id_hash,
               struct err *err)
{
    uint64_t count = 0;

    while (seq != 0 && err->code == ERR_OK) {
        uint8_t key[LEDGER_LOG_KEY_BYTES];
        struct record record;

        if (ledger_get_log(ledger, seq, &record, err) != ERR_OK) {
            break;
        }
        if (record.kind == RECORD_TICKET) {
            *id_hash = store_hash(ledger->store, record.ticket.id);
            if (state->link_count > 0) {
                add_gone(ledger, STORE_KEYS, seq, state->number, err);
            }
        }
        (void)store_delete(ledger->store, ledger->txn, STORE_LOG,
                           ledger_seq_key(seq, key), err);
        seq = record.previous;
        count++;
    }
    return count;
}

static void
delete_log(struct ledger *ledger,
           const struct ticket_state *state,
           struct err *err)
{
    uint64_t id_hash = 0;
    uint64_t events =
        delete_records(ledger, state, state->last_event_seq, &id_hash, err);
    uint64_t versions =
        delete_records(ledger, state, state->record_seq, &id_hash, err);

    if (err->code != ERR_OK) {
        return;
    }
    add_gone(ledger, STORE_IDS, state->number, state->number, err);
    if (!add_leaving(ledger, ledger->ids, id_hash, state->number)) {
        (void)err_set(err, ERR_NO_MEMORY, "ids");
    }
    ledger->totals.expired_tickets++;
    ledger->totals.expired_versions += versions - 1;
    ledger->totals.expired_events += events;
}

static int
by_entry(const void *a, const void *b)
{
    const struct ledger_gone *x = a;
    const struct ledger_gone *y = b;

    if (x->db != y->db) {
        return x->db < y->db ? -1 : 1;
    }
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int
by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* One entry of `ids` or `keys` without the pairs of these tickets. */
static void
rewrite_entry(struct ledger *ledger,
              enum store_db db,
              MDB_val key,
              MDB_val value,
              uint64_t *numbers,
              size_t count,
              struct err *err)
{
    const uint8_t *pairs = value.mv_data;
    uint8_t entry_key[LEDGER_LOG_KEY_BYTES];
    uint8_t *left = arena_alloc(&ledger->arena, value.mv_size + 1);
    size_t used = 0;

    if (left == NULL || key.mv_size != sizeof(entry_key)) {
        (void)err_set(err, left == NULL ? ERR_NO_MEMORY : ERR_CORRUPT, "pairs");
        return;
    }
    memcpy(entry_key, key.mv_data, sizeof(entry_key));
    qsort(numbers, count, sizeof(*numbers), by_value);
    for (size_t i = 0; i + 16 <= value.mv_size; i += 16) {
        uint64_t number = load_le64(pairs + i + 8);

        if (bsearch(&number, numbers, count, sizeof(number), by_value) ==
            NULL) {
            memcpy(left + used, pairs + i, 16);
            used += 16;
        }
    }
    if (used == 0) {
        (void)store_delete(ledger->store, ledger->txn, db,
                           (struct span){(char *)entry_key, sizeof(entry_key)},
                           err);
    } else if (used < value.mv_size) {
        (void)store_put(ledger->store, ledger->txn, db,
                        (struct span){(char *)entry_key, sizeof(entry_key)},
                        (struct span){(char *)left, used}, 0, err);
    }
}

/* The entry that holds what was added with gone[from], and all that lies in it,
 * too; returns the first that does not. */
static size_t
flush_entry(struct ledger *ledger,
            size_t from,
            uint64_t *numbers,
            struct err *err)
{
    const struct ledger_gone *gone = ledger->gone;
    enum store_db db = gone[from].db;
    uint8_t wanted[LEDGER_LOG_KEY_BYTES];
    struct span start = ledger_seq_key(gone[from].seq, wanted);
    MDB_val key = {start.bytes, wanted};
    MDB_val value;
    MDB_cursor *cursor;
    size_t to = from;
    int rc = mdb_cursor_open(ledger->txn, ledger->store->db[db], &cursor);

    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        mdb_cursor_close(cursor);
    }
    if (rc == MDB_NOTFOUND && db == STORE_KEYS) {
        return from + 1; /* this version brought no new key, none came after */
    }
    if (rc != 0) {
        (void)store_err(err, rc, "pairs");
        return from;
    }
    struct byte_reader r = byte_reader_on(key.mv_data, key.mv_size);
    uint64_t last_seq = get_be64(&r);

    for (; to < ledger->gone_count && gone[to].db == db &&
           gone[to].seq <= last_seq;
         to++) {
        numbers[to - from] = gone[to].number;
    }
    rewrite_entry(ledger, db, key, value, numbers, to - from, err);
    return to;
}

enum err_code
ledger_flush_gone(struct ledger *ledger, struct err *err)
{
    uint64_t *numbers;

    if (ledger->gone_count == 0 || err->code != ERR_OK) {
        return err->code;
    }
    numbers =
        arena_alloc(&ledger->arena, ledger->gone_count * sizeof(*numbers));
    if (numbers == NULL) {
        return err_set(err, ERR_NO_MEMORY, "pairs");
    }
    qsort(ledger->gone, ledger->gone_count, sizeof(*ledger->gone), by_entry);
    for (size_t i = 0; i < ledger->gone_count && err->code == ERR_OK;) {
        i = flush_entry(ledger, i, numbers, err);
    }
    return err->code;
}

void
ledger_leave_tables(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->leaving_count; i++) {
        const struct ledger_undo *one = &ledger->leaving[i];

        numbers_remove(one->table, one->hash, one->number);
    }
}

/* ---- one ticket ---- */

/* What the tick of this batch or a neighbour that went changed of it comes
 * first: `kept` takes what the counters hold. */
static void
settle(struct ledger *ledger, struct cached_state *cached, struct err *err)
{
    assert(!cached->is_new);
    if (cached->dirty && ledger_flush_ticket(ledger, cached, err) == ERR_OK) {
        cached->stored = cached->state;
    }
    cached->dirty = false;
}

enum err_code
ledger_expire_ticket(struct ledger *ledger,
                     uint64_t number,
                     const struct ledger_expire *mark,
                     enum ledger_expired *outcome,
                     struct err *err)
{
    struct cached_state *cached;
    struct ticket_state *state;

    assert(ledger->txn != NULL);
    *outcome = LEDGER_EXPIRED_NOT;
    if (!ledger_has_ticket(ledger, number, err)) {
        return err->code;
    }
    cached = ledger_load(ledger, number, err);
    if (cached == NULL ||
        !ledger_may_expire(&cached->state, mark->before_us, mark->open_too)) {
        return err->code;
    }
    if (is_named(ledger, number, err)) {
        *outcome = LEDGER_EXPIRED_NAMED;
        return err->code;
    }
    *outcome = LEDGER_EXPIRED;
    state = &cached->state;
    settle(ledger, cached, err);
    (void)ledger_forget_related(ledger, state, err);
    for (uint32_t i = 0; i < state->link_count && err->code == ERR_OK; i++) {
        leave_chain(ledger, &state->links[i], number, err);
    }
    delete_log(ledger, state, err);
    ledger_flush_expired(ledger, state, err);
    cached->gone = true;
    move_horizon(ledger, mark);
    return err->code;
}

/* ---- what else is old ---- */

enum err_code
ledger_expire_event(struct ledger *ledger,
                    uint64_t seq,
                    const struct ledger_expire *mark,
                    bool *gone,
                    struct err *err)
{
    uint8_t key[LEDGER_LOG_KEY_BYTES];
    struct span stored;
    struct record record;

    assert(ledger->txn != NULL);
    *gone = false;
    if (!store_get(ledger->store, ledger->txn, STORE_LOG,
                   ledger_seq_key(seq, key), &stored, err) ||
        ledger_get_log(ledger, seq, &record, err) != ERR_OK ||
        record.kind != RECORD_EVENT || record.number != 0 ||
        record.event.at_us >= mark->before_us) {
        return err->code;
    }
    if (ledger_forget_waiting_event(ledger, record.event.id, seq, err) !=
            ERR_OK ||
        store_delete(ledger->store, ledger->txn, STORE_LOG,
                     ledger_seq_key(seq, key), err) != ERR_OK) {
        return err->code;
    }
    ledger->totals.expired_events++;
    move_horizon(ledger, mark);
    *gone = true;
    return ERR_OK;
}

enum err_code
ledger_expire_reject(struct ledger *ledger, struct err *err)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc =
        mdb_cursor_open(ledger->txn, ledger->store->db[STORE_REJECTS], &cursor);

    assert(ledger->txn != NULL);
    if (rc != 0) {
        return store_err(err, rc, "rejects");
    }
    rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    if (rc == 0) {
        rc = mdb_cursor_del(cursor, 0);
        ledger->totals.expired_rejects++;
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? ERR_OK
                                         : store_err(err, rc, "rejects");
}

/* The cell a person is counted in; false: the key makes no sense. */
static bool
person_cell(struct span key, struct counter_cell *out)
{
    struct byte_reader r = byte_reader_on(key.data, key.bytes);

    *out = (struct counter_cell){.grain = (enum counter_grain)get_u8(&r)};
    out->day = get_be_day(&r);
    out->unit_id = get_be32(&r);
    (void)get_be64(&r);
    return !r.failed && byte_reader_left(&r) == 0 &&
           out->grain >= GRAIN_MONTH && out->grain <= GRAIN_YEAR;
}

bool
ledger_person_is_over(struct span key, struct span value, int64_t horizon_us)
{
    static const enum period_kind periods[] = {[GRAIN_MONTH] = PERIOD_MONTH,
                                               [GRAIN_QUARTER] = PERIOD_QUARTER,
                                               [GRAIN_YEAR] = PERIOD_YEAR};
    struct byte_reader r = byte_reader_on(value.data, value.bytes);
    struct counter_cell cell;

    return get_varint(&r) == 0 && byte_reader_left(&r) > 0 &&
           person_cell(key, &cell) &&
           shanghai_day_start_us(
               period_next_day(periods[cell.grain], cell.day)) <= horizon_us;
}

enum err_code
ledger_expire_person(struct ledger *ledger, struct span key, struct err *err)
{
    struct counter_cell cell;
    struct span value;

    assert(ledger->txn != NULL);
    if (!store_get(ledger->store, ledger->txn, STORE_CUSTOMERS, key, &value,
                   err) ||
        !ledger_person_is_over(key, value, ledger->horizon_us)) {
        return err->code;
    }
    (void)person_cell(key, &cell);
    if (!counter_sums_add_cell(
            ledger->kept, &cell,
            TALLY_SLOT(TALLY_ALL, 0, COUNTER_quality_customers), 1)) {
        return err_set(err, ERR_NO_MEMORY, "counters");
    }
    return store_delete(ledger->store, ledger->txn, STORE_CUSTOMERS, key, err);
}
