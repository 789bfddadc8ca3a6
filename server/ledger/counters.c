/* Sums of a batch in memory, cells of sums on disk. */
#include "server/ledger/counters.h"

#include <stdlib.h>

#include "analyzers/indicator.h"
#include "analyzers/ticket.h"

/* One number of one cell; a zero cell key is free. */
struct sum_entry {
    uint64_t cell_high; /* grain, day: see pack_cell */
    uint64_t cell_low;  /* hour, unit, slot */
    int64_t count;
};

struct sum_table {
    struct sum_entry *entries;
    size_t room;
    size_t used;
};

struct counter_sums {
    struct sum_table raw;    /* leaf units by day, all units by hour */
    struct sum_table rolled; /* every cell that changes */
    struct sum_entry *sorted;
    size_t sorted_room;
};

enum { SUM_ROOM_MIN = 4096 };

/* Packed so that the order of (high, low) is the order of the keys. */
static void
pack_cell(const struct counter_cell *cell, uint32_t slot, struct sum_entry *out)
{
    out->cell_high = UINT64_C(1) << 63 | (uint64_t)cell->grain << 40 |
                     (uint64_t)((uint32_t)cell->day ^ UINT32_C(0x80000000))
                         << 8 |
                     cell->hour;
    out->cell_low = (uint64_t)cell->unit_id << 32 | slot;
}

static struct counter_cell
unpack_cell(const struct sum_entry *entry)
{
    return (struct counter_cell){
        .grain = (enum counter_grain)(entry->cell_high >> 40 & 0xFF),
        .day =
            (int32_t)((uint32_t)(entry->cell_high >> 8) ^ UINT32_C(0x80000000)),
        .hour = (uint8_t)entry->cell_high,
        .unit_id = (uint32_t)(entry->cell_low >> 32)};
}

static size_t
sum_home(const struct sum_entry *entry, size_t room)
{
    uint64_t mixed = (entry->cell_high * UINT64_C(0x9E3779B97F4A7C15)) ^
                     (entry->cell_low * UINT64_C(0xC2B2AE3D27D4EB4F));

    return (size_t)(mixed ^ mixed >> 29) & (room - 1);
}

static struct sum_entry *
sum_find(struct sum_table *table, const struct sum_entry *wanted)
{
    for (size_t at = sum_home(wanted, table->room);;
         at = (at + 1) & (table->room - 1)) {
        struct sum_entry *entry = &table->entries[at];

        if (entry->cell_high == 0 || (entry->cell_high == wanted->cell_high &&
                                      entry->cell_low == wanted->cell_low)) {
            return entry;
        }
    }
}

static bool
sum_grow(struct sum_table *table)
{
    struct sum_table larger = {
        NULL, table->room == 0 ? SUM_ROOM_MIN : table->room * 2, table->used};

    larger.entries = calloc(larger.room, sizeof(*larger.entries));
    if (larger.entries == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->room; i++) {
        if (table->entries[i].cell_high != 0) {
            *sum_find(&larger, &table->entries[i]) = table->entries[i];
        }
    }
    free(table->entries);
    *table = larger;
    return true;
}

static bool
sum_add(struct sum_table *table,
        const struct counter_cell *cell,
        uint32_t slot,
        int64_t count)
{
    struct sum_entry wanted;
    struct sum_entry *entry;

    if ((table->used + 1) * 2 > table->room && !sum_grow(table)) {
        return false;
    }
    pack_cell(cell, slot, &wanted);
    entry = sum_find(table, &wanted);
    if (entry->cell_high == 0) {
        wanted.count = 0;
        *entry = wanted;
        table->used++;
    }
    entry->count += count;
    return true;
}

static void
sum_reset(struct sum_table *table)
{
    if (table->used > 0) {
        memset(table->entries, 0, table->room * sizeof(*table->entries));
        table->used = 0;
    }
}

struct counter_sums *
counter_sums_new(void)
{
    return calloc(1, sizeof(struct counter_sums));
}

void
counter_sums_free(struct counter_sums **sums)
{
    if (*sums == NULL) {
        return;
    }
    free((*sums)->raw.entries);
    free((*sums)->rolled.entries);
    free((*sums)->sorted);
    free(*sums);
    *sums = NULL;
}

void
counter_sums_reset(struct counter_sums *sums)
{
    sum_reset(&sums->raw);
    sum_reset(&sums->rolled);
}

/* The bits of `set`, in every dimension, anchored at `at_us`. */
static bool
add_set(struct counter_sums *sums,
        const struct tally *tally,
        uint64_t set,
        int64_t at_us,
        int64_t sign)
{
    int32_t day = shanghai_day(at_us);
    struct counter_cell leaf = {GRAIN_DAY, day, 0, tally->unit_id};
    struct counter_cell hour = {
        GRAIN_HOUR, day,
        (uint8_t)((at_us - shanghai_day_start_us(day)) / US_PER_HOUR), 0};

    while (set != 0) {
        unsigned counter = (unsigned)__builtin_ctzll(set);

        set &= set - 1;
        for (unsigned d = 0; d < TALLY_CLOCK; d++) {
            uint32_t slot = TALLY_SLOT(d, tally->dimension_value[d], counter);

            if (!sum_add(&sums->raw, &leaf, slot, sign) ||
                !sum_add(&sums->raw, &hour, slot, sign)) {
                return false;
            }
        }
    }
    return true;
}

bool
counter_sums_add(struct counter_sums *sums,
                 const struct tally *tally,
                 int64_t sign)
{
    int32_t day = shanghai_day(tally->accepted_at_us);
    struct counter_cell leaf = {GRAIN_DAY, day, 0, tally->unit_id};
    struct counter_cell hour = {
        GRAIN_HOUR, day,
        (uint8_t)((tally->accepted_at_us - shanghai_day_start_us(day)) /
                  US_PER_HOUR),
        0};

    if (!add_set(sums, tally, tally->accepted_set, tally->accepted_at_us,
                 sign) ||
        (tally->due_set != 0 &&
         !add_set(sums, tally, tally->due_set, tally->reply_due_us, sign))) {
        return false;
    }
    for (uint32_t i = 0; i < tally->overdue_count; i++) {
        uint32_t by_kind = TALLY_SLOT(TALLY_CLOCK, tally->overdue_kind_id[i],
                                      COUNTER_overdue_clocks);
        uint32_t all = TALLY_SLOT(TALLY_ALL, 0, COUNTER_overdue_clocks);

        if (!sum_add(&sums->raw, &leaf, by_kind, sign) ||
            !sum_add(&sums->raw, &leaf, all, sign) ||
            !sum_add(&sums->raw, &hour, by_kind, sign) ||
            !sum_add(&sums->raw, &hour, all, sign)) {
            return false;
        }
    }
    return true;
}

bool
counter_sums_add_cell(struct counter_sums *sums,
                      const struct counter_cell *cell,
                      uint32_t slot,
                      int64_t count)
{
    return sum_add(&sums->rolled, cell, slot, count);
}

/* Leaf days go to the day and the month of the unit and of all above it. */
static bool
roll_up(struct counter_sums *sums, const struct names *names)
{
    for (size_t i = 0; i < sums->raw.room; i++) {
        const struct sum_entry *entry = &sums->raw.entries[i];
        uint32_t slot = (uint32_t)entry->cell_low;
        struct counter_cell cell;

        if (entry->cell_high == 0 || entry->count == 0) {
            continue;
        }
        cell = unpack_cell(entry);
        if (cell.grain == GRAIN_HOUR) {
            if (!sum_add(&sums->rolled, &cell, slot, entry->count)) {
                return false;
            }
            continue;
        }
        for (uint32_t unit = cell.unit_id;;
             unit = names_unit_parent(names, unit)) {
            struct counter_cell month = {
                GRAIN_MONTH, period_first_day(PERIOD_MONTH, cell.day), 0, unit};
            struct counter_cell day = {GRAIN_DAY, cell.day, 0, unit};

            if (!sum_add(&sums->rolled, &day, slot, entry->count) ||
                !sum_add(&sums->rolled, &month, slot, entry->count)) {
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
sum_compare(const void *a, const void *b)
{
    const struct sum_entry *x = a;
    const struct sum_entry *y = b;

    if (x->cell_high != y->cell_high) {
        return x->cell_high < y->cell_high ? -1 : 1;
    }
    return x->cell_low < y->cell_low ? -1 : x->cell_low > y->cell_low;
}

/* The rolled sums that are not zero, in key order; SIZE_MAX: no memory. */
static size_t
sort_rolled(struct counter_sums *sums)
{
    size_t count = 0;

    if (sums->sorted_room < sums->rolled.used) {
        size_t room = sums->rolled.room;
        struct sum_entry *sorted =
            realloc(sums->sorted, room * sizeof(*sorted));

        if (sorted == NULL) {
            return SIZE_MAX;
        }
        sums->sorted = sorted;
        sums->sorted_room = room;
    }
    for (size_t i = 0; i < sums->rolled.room; i++) {
        if (sums->rolled.entries[i].cell_high != 0 &&
            sums->rolled.entries[i].count != 0) {
            sums->sorted[count++] = sums->rolled.entries[i];
        }
    }
    if (count > 0) {
        qsort(sums->sorted, count, sizeof(*sums->sorted), sum_compare);
    }
    return count;
}

static bool
same_cell(const struct sum_entry *a, const struct sum_entry *b)
{
    return a->cell_high == b->cell_high &&
           a->cell_low >> 32 == b->cell_low >> 32;
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
           const struct sum_entry *changes,
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
        uint32_t change_slot =
            i < change_count ? (uint32_t)changes[i].cell_low : UINT32_MAX;
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

enum err_code
counters_flush(struct counter_sums *sums,
               const struct store *store,
               const struct names *names,
               MDB_txn *txn,
               struct err *err)
{
    uint8_t key[COUNTER_CELL_KEY_BYTES];
    uint8_t *room = NULL;
    size_t room_bytes = 0;
    size_t count;

    if (!roll_up(sums, names) || (count = sort_rolled(sums)) == SIZE_MAX) {
        return err_set(err, ERR_NO_MEMORY, "counters");
    }
    for (size_t i = 0, end; i < count && err->code == ERR_OK; i = end) {
        struct counter_cell cell = unpack_cell(&sums->sorted[i]);
        struct span key_span = {(char *)key, sizeof(key)};
        struct span stored = {NULL, 0};
        struct byte_writer w;
        size_t wanted;

        for (end = i + 1;
             end < count && same_cell(&sums->sorted[i], &sums->sorted[end]);
             end++) {
        }
        counter_cell_key(&cell, key);
        (void)store_get(store, txn, STORE_COUNTERS, key_span, &stored, err);
        wanted = stored.bytes + (end - i + 1) * 2 * VARINT_BYTES_MAX +
                 2 * VARINT_BYTES_MAX;
        if (wanted > room_bytes) {
            uint8_t *larger = realloc(room, wanted * 2);

            if (larger == NULL) {
                (void)err_set(err, ERR_NO_MEMORY, "counters");
                break;
            }
            room = larger;
            room_bytes = wanted * 2;
        }
        w = byte_writer_on(room, room_bytes);
        if (!merge_cell(stored, &sums->sorted[i], end - i, &w)) {
            (void)err_set(err, ERR_CORRUPT, "a counter cell is damaged");
        } else if (byte_writer_used(&w) == 0) {
            (void)store_delete(store, txn, STORE_COUNTERS, key_span, err);
        } else {
            (void)store_put(store, txn, STORE_COUNTERS, key_span,
                            (struct span){(char *)room, byte_writer_used(&w)},
                            0, err);
        }
    }
    free(room);
    sum_reset(&sums->rolled);
    return err->code;
}

bool
counter_sums_visit(struct counter_sums *sums,
                   const struct names *names,
                   counter_visit *visit,
                   void *data)
{
    struct counter_slot *slots;
    size_t count;
    bool go_on = true;

    if (!roll_up(sums, names) || (count = sort_rolled(sums)) == SIZE_MAX) {
        return false;
    }
    slots = malloc((count + 1) * sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0, end; i < count && go_on; i = end) {
        struct counter_cell cell = unpack_cell(&sums->sorted[i]);

        for (end = i;
             end < count && same_cell(&sums->sorted[i], &sums->sorted[end]);
             end++) {
            slots[end - i].slot = (uint32_t)sums->sorted[end].cell_low;
            slots[end - i].count = sums->sorted[end].count;
        }
        go_on = visit(data, &cell, slots, end - i);
    }
    free(slots);
    return go_on;
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
