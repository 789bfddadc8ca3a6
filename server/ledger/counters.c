/* Sums of a batch in memory, cells of sums on disk. */
#include "server/ledger/counters.h"

#include <stdlib.h>

#include "analyzers/arena.h"
#include "analyzers/indicator.h"
#include "analyzers/ticket.h"

/* The sums of one cell: a small table of slots, open addressing. */
struct sum_slot {
    uint32_t slot; /* SLOT_FREE = free */
    int32_t count;
};

struct sum_cell {
    uint64_t high; /* grain, day, hour: see pack_cell; 0 = free */
    uint32_t unit_id;
    uint32_t slot_used;
    uint32_t slot_room; /* a power of two */
    struct sum_slot *slots;
};

/* Memory that grows while cells are written. */
struct cell_room {
    uint8_t *data;
    size_t bytes;
};

/* Cells by key; what they hold lives in an arena until the next reset. */
struct sum_table {
    struct sum_cell *cells;
    size_t room; /* a power of two */
    size_t used;
};

struct counter_sums {
    struct arena arena;
    struct sum_table raw;    /* leaf units by day, all units by hour */
    struct sum_table rolled; /* every cell that changes */
    struct sum_cell **sorted;
    size_t sorted_room;
    struct counter_slot *slots; /* of one cell, in order */
    size_t slots_room;
};

enum { SUM_CELLS_MIN = 256, SUM_SLOTS_MIN = 32, SUM_ARENA_BYTES = 256 * 1024 };
#define SLOT_FREE UINT32_MAX

/* Packed so that the order of (high, unit) is the order of the keys. */
static uint64_t
pack_cell(const struct counter_cell *cell)
{
    return UINT64_C(1) << 63 | (uint64_t)cell->grain << 40 |
           (uint64_t)((uint32_t)cell->day ^ UINT32_C(0x80000000)) << 8 |
           cell->hour;
}

static struct counter_cell
unpack_cell(const struct sum_cell *cell)
{
    return (struct counter_cell){
        .grain = (enum counter_grain)(cell->high >> 40 & 0xFF),
        .day = (int32_t)((uint32_t)(cell->high >> 8) ^ UINT32_C(0x80000000)),
        .hour = (uint8_t)cell->high,
        .unit_id = cell->unit_id};
}

static struct sum_cell *
sum_place(const struct sum_table *table, uint64_t high, uint32_t unit_id)
{
    uint64_t mixed = (high ^ (uint64_t)unit_id << 32 ^ unit_id) *
                     UINT64_C(0x9E3779B97F4A7C15);

    for (size_t at = (size_t)(mixed >> 32);; at++) {
        struct sum_cell *cell = &table->cells[at & (table->room - 1)];

        if (cell->high == 0 ||
            (cell->high == high && cell->unit_id == unit_id)) {
            return cell;
        }
    }
}

static bool
sum_grow(struct sum_table *table)
{
    struct sum_table larger = {
        NULL, table->room == 0 ? SUM_CELLS_MIN : table->room * 2, table->used};

    larger.cells = calloc(larger.room, sizeof(*larger.cells));
    if (larger.cells == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->room; i++) {
        if (table->cells[i].high != 0) {
            *sum_place(&larger, table->cells[i].high, table->cells[i].unit_id) =
                table->cells[i];
        }
    }
    free(table->cells);
    *table = larger;
    return true;
}

/* The cell, made when new. NULL: no memory. Good until the next call. */
static struct sum_cell *
sum_cell_of(struct sum_table *table, const struct counter_cell *wanted)
{
    uint64_t high = pack_cell(wanted);
    struct sum_cell *cell;

    if ((table->used + 1) * 2 > table->room && !sum_grow(table)) {
        return NULL;
    }
    cell = sum_place(table, high, wanted->unit_id);
    if (cell->high == 0) {
        *cell = (struct sum_cell){.high = high, .unit_id = wanted->unit_id};
        table->used++;
    }
    return cell;
}

static struct sum_slot *
slot_place(struct sum_slot *slots, uint32_t room, uint32_t slot)
{
    for (uint32_t at = slot * UINT32_C(0x9E3779B1) >> 7;; at++) {
        struct sum_slot *place = &slots[at & (room - 1)];

        if (place->slot == slot || place->slot == SLOT_FREE) {
            return place;
        }
    }
}

static bool
slots_grow(struct arena *arena, struct sum_cell *cell)
{
    uint32_t room = cell->slot_room == 0 ? SUM_SLOTS_MIN : cell->slot_room * 2;
    struct sum_slot *larger = arena_alloc(arena, room * sizeof(*larger));

    if (larger == NULL) {
        return false;
    }
    memset(larger, 0xFF, room * sizeof(*larger));
    for (uint32_t i = 0; i < cell->slot_room; i++) {
        if (cell->slots[i].slot != SLOT_FREE) {
            *slot_place(larger, room, cell->slots[i].slot) = cell->slots[i];
        }
    }
    cell->slots = larger;
    cell->slot_room = room;
    return true;
}

static bool
cell_add(struct counter_sums *sums,
         struct sum_cell *cell,
         uint32_t slot,
         int32_t count)
{
    struct sum_slot *place;

    if ((cell->slot_used + 1) * 2 > cell->slot_room &&
        !slots_grow(&sums->arena, cell)) {
        return false;
    }
    place = slot_place(cell->slots, cell->slot_room, slot);
    if (place->slot == SLOT_FREE) {
        *place = (struct sum_slot){slot, 0};
        cell->slot_used++;
    }
    place->count += count;
    return true;
}

static void
sum_reset(struct sum_table *table)
{
    if (table->used > 0) {
        memset(table->cells, 0, table->room * sizeof(*table->cells));
        table->used = 0;
    }
}

struct counter_sums *
counter_sums_new(void)
{
    struct counter_sums *sums = calloc(1, sizeof(*sums));

    if (sums != NULL) {
        arena_init(&sums->arena, SUM_ARENA_BYTES);
    }
    return sums;
}

void
counter_sums_free(struct counter_sums **sums)
{
    if (*sums == NULL) {
        return;
    }
    arena_release(&(*sums)->arena);
    free((*sums)->raw.cells);
    free((*sums)->rolled.cells);
    free((*sums)->sorted);
    free((*sums)->slots);
    free(*sums);
    *sums = NULL;
}

void
counter_sums_reset(struct counter_sums *sums)
{
    sum_reset(&sums->raw);
    sum_reset(&sums->rolled);
    arena_reset(&sums->arena);
}

/* The bits of `set`, in every dimension, into one cell. */
static bool
add_set_to_cell(struct counter_sums *sums,
                const struct counter_cell *where,
                const struct tally *tally,
                uint64_t set,
                int32_t sign)
{
    struct sum_cell *cell = sum_cell_of(&sums->raw, where);

    if (cell == NULL) {
        return false;
    }
    while (set != 0) {
        unsigned counter = (unsigned)__builtin_ctzll(set);

        set &= set - 1;
        for (unsigned d = 0; d < TALLY_CLOCK; d++) {
            if (!cell_add(sums, cell,
                          TALLY_SLOT(d, tally->dimension_value[d], counter),
                          sign)) {
                return false;
            }
        }
    }
    return true;
}

static struct counter_cell
leaf_cell(const struct tally *tally, int64_t at_us)
{
    return (struct counter_cell){GRAIN_DAY, shanghai_day(at_us), 0,
                                 tally->unit_id};
}

static struct counter_cell
hour_cell(int64_t at_us)
{
    int32_t day = shanghai_day(at_us);

    return (struct counter_cell){
        GRAIN_HOUR, day,
        (uint8_t)((at_us - shanghai_day_start_us(day)) / US_PER_HOUR), 0};
}

static bool
add_set(struct counter_sums *sums,
        const struct tally *tally,
        uint64_t set,
        int64_t at_us,
        int32_t sign)
{
    struct counter_cell leaf = leaf_cell(tally, at_us);
    struct counter_cell hour = hour_cell(at_us);

    return set == 0 || (add_set_to_cell(sums, &leaf, tally, set, sign) &&
                        add_set_to_cell(sums, &hour, tally, set, sign));
}

static bool
add_overdue(struct counter_sums *sums,
            const struct counter_cell *where,
            const struct tally *tally,
            int32_t sign)
{
    struct sum_cell *cell = sum_cell_of(&sums->raw, where);

    for (uint32_t i = 0; cell != NULL && i < tally->overdue_count; i++) {
        if (!cell_add(sums, cell,
                      TALLY_SLOT(TALLY_CLOCK, tally->overdue_kind_id[i],
                                 COUNTER_overdue_clocks),
                      sign) ||
            !cell_add(sums, cell,
                      TALLY_SLOT(TALLY_ALL, 0, COUNTER_overdue_clocks), sign)) {
            return false;
        }
    }
    return cell != NULL;
}

bool
counter_sums_add(struct counter_sums *sums,
                 const struct tally *tally,
                 int64_t sign)
{
    struct counter_cell leaf = leaf_cell(tally, tally->accepted_at_us);
    struct counter_cell hour = hour_cell(tally->accepted_at_us);

    return add_set(sums, tally, tally->accepted_set, tally->accepted_at_us,
                   (int32_t)sign) &&
           (tally->due_set == 0 ||
            add_set(sums, tally, tally->due_set, tally->reply_due_us,
                    (int32_t)sign)) &&
           (tally->overdue_count == 0 ||
            (add_overdue(sums, &leaf, tally, (int32_t)sign) &&
             add_overdue(sums, &hour, tally, (int32_t)sign)));
}

bool
counter_sums_add_cell(struct counter_sums *sums,
                      const struct counter_cell *where,
                      uint32_t slot,
                      int64_t count)
{
    struct sum_cell *cell = sum_cell_of(&sums->rolled, where);

    return cell != NULL && cell_add(sums, cell, slot, (int32_t)count);
}

/* All sums of one cell into another. */
static bool
add_cell(struct counter_sums *sums,
         const struct sum_cell *from,
         const struct counter_cell *to)
{
    struct sum_cell *cell = sum_cell_of(&sums->rolled, to);

    for (uint32_t i = 0; cell != NULL && i < from->slot_room; i++) {
        if (from->slots[i].slot != SLOT_FREE && from->slots[i].count != 0 &&
            !cell_add(sums, cell, from->slots[i].slot, from->slots[i].count)) {
            return false;
        }
    }
    return cell != NULL;
}

/* Leaf days go to the day and the month of the unit and of all above it. */
static bool
roll_up(struct counter_sums *sums, const struct names *names)
{
    for (size_t i = 0; i < sums->raw.room; i++) {
        const struct sum_cell *from = &sums->raw.cells[i];
        struct counter_cell cell;

        if (from->high == 0) {
            continue;
        }
        cell = unpack_cell(from);
        if (cell.grain == GRAIN_HOUR) {
            if (!add_cell(sums, from, &cell)) {
                return false;
            }
            continue;
        }
        for (uint32_t unit = cell.unit_id;;
             unit = names_unit_parent(names, unit)) {
            struct counter_cell month = {
                GRAIN_MONTH, period_first_day(PERIOD_MONTH, cell.day), 0, unit};
            struct counter_cell day = {GRAIN_DAY, cell.day, 0, unit};

            if (!add_cell(sums, from, &day) || !add_cell(sums, from, &month)) {
                return false;
            }
            if (unit == 0) {
                break;
            }
        }
    }
    sum_reset(&sums->raw);
    return true;
}

static int
cell_compare(const void *a, const void *b)
{
    const struct sum_cell *x = *(struct sum_cell *const *)a;
    const struct sum_cell *y = *(struct sum_cell *const *)b;

    if (x->high != y->high) {
        return x->high < y->high ? -1 : 1;
    }
    return x->unit_id < y->unit_id ? -1 : x->unit_id > y->unit_id;
}

/* The rolled cells in key order; SIZE_MAX: no memory. */
static size_t
sort_rolled(struct counter_sums *sums)
{
    size_t count = 0;

    if (sums->sorted_room < sums->rolled.used) {
        struct sum_cell **sorted =
            realloc(sums->sorted, sums->rolled.room * sizeof(*sorted));

        if (sorted == NULL) {
            return SIZE_MAX;
        }
        sums->sorted = sorted;
        sums->sorted_room = sums->rolled.room;
    }
    for (size_t i = 0; i < sums->rolled.room; i++) {
        if (sums->rolled.cells[i].high != 0) {
            sums->sorted[count++] = &sums->rolled.cells[i];
        }
    }
    if (count > 1) {
        qsort(sums->sorted, count, sizeof(*sums->sorted), cell_compare);
    }
    return count;
}

static int
slot_compare(const void *a, const void *b)
{
    const struct counter_slot *x = a;
    const struct counter_slot *y = b;

    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* The slots of a cell that are not zero, in order, in sums->slots; SIZE_MAX:
 * no memory. */
static size_t
sort_slots(struct counter_sums *sums, const struct sum_cell *cell)
{
    size_t count = 0;

    if (sums->slots_room < cell->slot_used) {
        struct counter_slot *slots =
            realloc(sums->slots, cell->slot_room * sizeof(*slots));

        if (slots == NULL) {
            return SIZE_MAX;
        }
        sums->slots = slots;
        sums->slots_room = cell->slot_room;
    }
    for (uint32_t i = 0; i < cell->slot_room; i++) {
        if (cell->slots[i].slot != SLOT_FREE && cell->slots[i].count != 0) {
            sums->slots[count++] = (struct counter_slot){cell->slots[i].slot,
                                                         cell->slots[i].count};
        }
    }
    if (count > 1) {
        qsort(sums->slots, count, sizeof(*sums->slots), slot_compare);
    }
    return count;
}

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

/* Merge `changes` into the stored list of slots. */
static bool
merge_cell(struct span stored,
           const struct counter_slot *changes,
           size_t change_count,
           struct byte_writer *w)
{
    struct byte_reader r = byte_reader_on(stored.data, stored.bytes);
    uint32_t slot = 0;
    uint32_t written = 0;
    int64_t count = 0;
    bool more = counter_next_slot(&r, &slot, &count);
    size_t i = 0;

    while (more || i < change_count) {
        uint32_t change_slot = i < change_count ? changes[i].slot : UINT32_MAX;
        uint32_t next = more && slot < change_slot ? slot : change_slot;
        int64_t sum = 0;

        if (more && slot == next) {
            sum += count;
            more = counter_next_slot(&r, &slot, &count);
        }
        if (change_slot == next) {
            sum += changes[i++].count;
        }
        if (sum != 0) {
            put_varint(w, next - written);
            put_zigzag(w, sum);
            written = next;
        }
    }
    return !r.failed && !w->failed;
}

/* Read, merge and write one cell. `room` grows as needed. */
static void
flush_cell(const struct counter_sums *sums,
           const struct sum_cell *changed,
           size_t slot_count,
           const struct store *store,
           MDB_txn *txn,
           struct cell_room *room,
           struct err *err)
{
    struct counter_cell cell = unpack_cell(changed);
    uint8_t key_bytes[COUNTER_CELL_KEY_BYTES];
    struct span key = {(char *)key_bytes, sizeof(key_bytes)};
    struct span stored = {NULL, 0};
    struct byte_writer w;
    size_t wanted;

    counter_cell_key(&cell, key_bytes);
    (void)store_get(store, txn, STORE_COUNTERS, key, &stored, err);
    wanted = stored.bytes + (slot_count + 2) * 2 * VARINT_BYTES_MAX;
    if (wanted > room->bytes) {
        uint8_t *larger = realloc(room->data, wanted * 2);

        if (larger == NULL) {
            (void)err_set(err, ERR_NO_MEMORY, "counters");
            return;
        }
        room->data = larger;
        room->bytes = wanted * 2;
    }
    w = byte_writer_on(room->data, room->bytes);
    if (!merge_cell(stored, sums->slots, slot_count, &w)) {
        (void)err_set(err, ERR_CORRUPT, "a counter cell is damaged");
    } else if (byte_writer_used(&w) == 0) {
        (void)store_delete(store, txn, STORE_COUNTERS, key, err);
    } else {
        (void)store_put(store, txn, STORE_COUNTERS, key,
                        (struct span){(char *)room->data, byte_writer_used(&w)},
                        0, err);
    }
}

enum err_code
counters_flush(struct counter_sums *sums,
               const struct store *store,
               const struct names *names,
               MDB_txn *txn,
               struct err *err)
{
    struct cell_room room = {NULL, 0};
    size_t count;

    if (!roll_up(sums, names) || (count = sort_rolled(sums)) == SIZE_MAX) {
        return err_set(err, ERR_NO_MEMORY, "counters");
    }
    for (size_t i = 0; i < count && err->code == ERR_OK; i++) {
        size_t slots = sort_slots(sums, sums->sorted[i]);

        if (slots == SIZE_MAX) {
            (void)err_set(err, ERR_NO_MEMORY, "counters");
        } else if (slots > 0) {
            flush_cell(sums, sums->sorted[i], slots, store, txn, &room, err);
        }
    }
    free(room.data);
    counter_sums_reset(sums);
    return err->code;
}

bool
counter_sums_visit(struct counter_sums *sums,
                   const struct names *names,
                   counter_visit *visit,
                   void *data)
{
    size_t count;

    if (!roll_up(sums, names) || (count = sort_rolled(sums)) == SIZE_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct counter_cell cell = unpack_cell(sums->sorted[i]);
        size_t slots = sort_slots(sums, sums->sorted[i]);

        if (slots == SIZE_MAX ||
            (slots > 0 && !visit(data, &cell, sums->slots, slots))) {
            return false;
        }
    }
    return true;
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
    struct counter_cell cell = {grain, first_day, 0, unit_id};
    struct counter_slot *slots = malloc(COUNTER_SLOTS_MAX * sizeof(*slots));
    uint8_t wanted[COUNTER_CELL_KEY_BYTES];
    MDB_cursor *cursor;
    int rc;

    if (slots == NULL) {
        return err_set(err, ERR_NO_MEMORY, "counters");
    }
    rc = mdb_cursor_open(txn, store->db[STORE_COUNTERS], &cursor);
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
