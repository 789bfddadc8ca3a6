/* Cells of sums on disk: merged by the writer, visited by readers. */
#include "server/ledger/counters.h"

#include <stdlib.h>

void
counter_cell_key(const struct counter_cell *cell,
                 uint8_t key[COUNTER_CELL_KEY_BYTES])
{
    struct byte_writer w = byte_writer_on(key, COUNTER_CELL_KEY_BYTES);

    put_u8(&w, cell->grain);
    put_be_day(&w, cell->day);
    put_u8(&w, cell->hour);
    put_be32(&w, cell->unit_id);
}

bool
counter_cell_from_key(struct span key, struct counter_cell *out)
{
    struct byte_reader r = byte_reader_on(key.data, key.bytes);

    out->grain = (enum counter_grain)get_u8(&r);
    out->day = get_be_day(&r);
    out->hour = get_u8(&r);
    out->unit_id = get_be32(&r);
    return !r.failed && byte_reader_left(&r) == 0 && out->grain <= GRAIN_YEAR;
}

bool
counter_next_slot(struct byte_reader *r, uint32_t *slot, int64_t *count)
{
    uint64_t step;

    if (r->failed || byte_reader_left(r) == 0) {
        return false;
    }
    step = get_varint(r);
    if (step > UINT32_MAX - *slot) {
        r->failed = true;
        return false;
    }
    *slot += (uint32_t)step;
    *count = get_zigzag(r);
    return !r->failed;
}

/* A stored list of slots on its way to a changed one. */
struct cell_merge {
    struct byte_reader r;
    struct byte_writer w;
    uint32_t read;    /* the last slot read, and not left out */
    uint32_t written; /* the last slot written */
};

/* The slot that comes next and where its count begins, without passing it;
 * UINT32_MAX at the end. */
static inline uint32_t
next_slot(struct cell_merge *m, const uint8_t **count_at)
{
    struct byte_reader r = m->r;
    uint64_t step;

    if (byte_reader_left(&r) == 0) {
        return UINT32_MAX;
    }
    step = get_varint(&r);
    *count_at = r.at;
    if (r.failed || step >= UINT32_MAX - m->read) {
        m->r.failed = true;
        m->r.at = m->r.end;
        return UINT32_MAX;
    }
    return m->read + (uint32_t)step;
}

/* What comes before `limit` stays as it is: its bytes, too, but for the step to
 * the first slot when what was before it has changed. Returns the slot that
 * comes next, its count at *count_at. */
static uint32_t
keep_slots(struct cell_merge *m, uint32_t limit, const uint8_t **count_at)
{
    const uint8_t *from = m->r.at;
    uint32_t next;

    while ((next = next_slot(m, count_at)) < limit) {
        if (m->written != m->read) {
            put_varint(&m->w, next - m->written);
            from = *count_at;
        }
        m->r.at = *count_at;
        while (m->r.at != m->r.end && *m->r.at >= 0x80) {
            m->r.at++;
        }
        (void)get_u8(&m->r);
        m->read = m->written = next;
    }
    put_bytes(&m->w, from, (size_t)(m->r.at - from));
    return next;
}

/* Merge `changes` into the stored list of slots. */
static bool
merge_cell(struct cell_merge *m,
           const struct counter_slot *changes,
           size_t change_count)
{
    const uint8_t *count_at = NULL;

    for (size_t i = 0; i < change_count; i++) {
        int64_t sum = changes[i].count;

        if (keep_slots(m, changes[i].slot, &count_at) == changes[i].slot) {
            m->r.at = count_at;
            sum += get_zigzag(&m->r);
            m->read = changes[i].slot;
        }
        if (sum != 0) {
            put_varint(&m->w, changes[i].slot - m->written);
            put_zigzag(&m->w, sum);
            m->written = changes[i].slot;
        }
    }
    (void)keep_slots(m, UINT32_MAX, &count_at);
    return !m->r.failed && !m->w.failed;
}

/* What is needed to write the cells of one batch. */
struct cell_flush {
    const struct store *store;
    MDB_txn *txn;
    enum store_db db;
    MDB_cursor *cursor; /* NULL before the first cell */
    uint8_t *room;      /* grows as needed */
    size_t room_bytes;
    struct err *err;
};

static bool
make_room(struct cell_flush *flush, size_t bytes)
{
    uint8_t *larger;

    if (bytes <= flush->room_bytes) {
        return true;
    }
    larger = realloc(flush->room, bytes * 2);
    if (larger == NULL) {
        (void)err_set(flush->err, ERR_NO_MEMORY, "counters");
        return false;
    }
    flush->room = larger;
    flush->room_bytes = bytes * 2;
    return true;
}

/* Put the merged cell where the cursor stands (`found`), or where it belongs.
 */
static int
put_cell(struct cell_flush *flush, MDB_val *key, bool found, size_t bytes)
{
    MDB_val value = {bytes, flush->room};

    if (bytes > 0) {
        return mdb_cursor_put(flush->cursor, key, &value,
                              found ? MDB_CURRENT : 0);
    }
    return found ? mdb_cursor_del(flush->cursor, 0) : 0;
}

/* Read, merge and write one cell. */
static bool
flush_cell(void *data,
           const struct counter_cell *cell,
           const struct counter_slot *slots,
           size_t slot_count)
{
    struct cell_flush *flush = data;
    uint8_t key_bytes[COUNTER_CELL_KEY_BYTES];
    MDB_val key = {sizeof(key_bytes), key_bytes};
    MDB_val stored = {0, NULL};
    struct cell_merge merge = {.read = 0, .written = 0};
    int rc;

    counter_cell_key(cell, key_bytes);
    rc = flush->cursor == NULL
             ? mdb_cursor_open(flush->txn, flush->store->db[flush->db],
                               &flush->cursor)
             : 0;
    if (rc == 0) {
        rc = mdb_cursor_get(flush->cursor, &key, &stored, MDB_SET);
    }
    if (rc != 0 && rc != MDB_NOTFOUND) {
        (void)store_err(flush->err, rc, "counters");
        return false;
    }
    if (rc == MDB_NOTFOUND) {
        stored = (MDB_val){0, NULL};
    }
    if (!make_room(flush,
                   stored.mv_size + (slot_count + 2) * 2 * VARINT_BYTES_MAX)) {
        return false;
    }
    merge.r = byte_reader_on(stored.mv_data, stored.mv_size);
    merge.w = byte_writer_on(flush->room, flush->room_bytes);
    if (!merge_cell(&merge, slots, slot_count)) {
        (void)err_set(flush->err, ERR_CORRUPT, "a counter cell is damaged");
        return false;
    }
    rc = put_cell(flush, &key, rc == 0, byte_writer_used(&merge.w));
    if (rc != 0) {
        (void)store_err(flush->err, rc, "counters");
    }
    return rc == 0;
}

enum err_code
counters_flush(struct counter_sums *sums,
               const struct store *store,
               const struct names *names,
               MDB_txn *txn,
               enum store_db db,
               struct err *err)
{
    struct cell_flush flush = {
        .store = store, .txn = txn, .db = db, .err = err};

    if (!counter_sums_visit(sums, names, flush_cell, &flush) &&
        err->code == ERR_OK) {
        (void)err_set(err, ERR_NO_MEMORY, "counters");
    }
    if (flush.cursor != NULL) {
        mdb_cursor_close(flush.cursor);
    }
    free(flush.room);
    return err->code;
}

/* Decode the cell under the cursor and show it to `visit`. */
static bool
visit_cell(const MDB_val *key,
           const MDB_val *value,
           struct counter_slot *slots,
           counter_visit *visit,
           void *data,
           struct err *err)
{
    struct byte_reader r = byte_reader_on(value->mv_data, value->mv_size);
    struct counter_cell cell;
    uint32_t slot = 0;
    int64_t count;
    size_t slot_count = 0;

    while (slot_count < COUNTER_SLOTS_MAX &&
           counter_next_slot(&r, &slot, &count)) {
        slots[slot_count++] = (struct counter_slot){slot, count};
    }
    if (r.failed || !counter_cell_from_key(
                        (struct span){key->mv_data, key->mv_size}, &cell)) {
        (void)err_set(err, ERR_CORRUPT, "a counter cell is damaged");
        return false;
    }
    return visit(data, &cell, slots, slot_count);
}

static enum err_code
visit_cells(const struct store *store,
            MDB_txn *txn,
            enum store_db db,
            enum counter_grain grain,
            uint32_t unit_id,
            int32_t first_day,
            int32_t last_day,
            counter_visit *visit,
            void *data,
            struct err *err)
{
    struct counter_cell cell = {grain, first_day, 0, unit_id};
    struct counter_slot *slots = malloc(COUNTER_SLOTS_MAX * sizeof(*slots));
    uint8_t wanted[COUNTER_CELL_KEY_BYTES];
    MDB_cursor *cursor;
    int rc;

    if (slots == NULL) {
        return err_set(err, ERR_NO_MEMORY, "counters");
    }
    rc = mdb_cursor_open(txn, store->db[db], &cursor);
    if (rc != 0) {
        free(slots);
        return store_err(err, rc, "counters");
    }
    for (;;) {
        MDB_val key = {sizeof(wanted), wanted};
        MDB_val value;
        struct counter_cell found;

        counter_cell_key(&cell, wanted);
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        if (rc != 0 ||
            !counter_cell_from_key((struct span){key.mv_data, key.mv_size},
                                   &found) ||
            found.grain != grain || found.day > last_day) {
            break;
        }
        if (found.unit_id == unit_id) {
            if (!visit_cell(&key, &value, slots, visit, data, err)) {
                break;
            }
            found.unit_id++; /* seek on: the next period or hour */
        }
        if (found.unit_id > unit_id) {
            if (grain == GRAIN_HOUR && found.hour < 23) {
                found.hour++;
            } else {
                found.hour = 0;
                found.day++;
            }
        }
        found.unit_id = unit_id;
        cell = found;
    }
    if (rc != 0 && rc != MDB_NOTFOUND) {
        (void)store_err(err, rc, "counters");
    }
    mdb_cursor_close(cursor);
    free(slots);
    return err->code;
}

enum err_code
counters_visit(const struct store *store,
               MDB_txn *txn,
               enum counter_grain grain,
               uint32_t unit_id,
               int32_t first_day,
               int32_t last_day,
               counter_visit *visit,
               void *data,
               struct err *err)
{
    return visit_cells(store, txn, STORE_COUNTERS, grain, unit_id, first_day,
                       last_day, visit, data, err);
}

enum err_code
counters_visit_kept(const struct store *store,
                    MDB_txn *txn,
                    uint32_t unit_id,
                    int32_t first_day,
                    int32_t last_day,
                    counter_visit *visit,
                    void *data,
                    struct err *err)
{
    return store->has_kept
               ? visit_cells(store, txn, STORE_KEPT, GRAIN_DAY, unit_id,
                             first_day, last_day, visit, data, err)
               : ERR_OK;
}
