/* Every index and counter against what the states say: two sorted lists, side
 * by side. */
#include "server/ledger/fsck_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "analyzers/indicator.h"

enum value_kind { VALUE_NONE, VALUE_TIME, VALUE_VARINT };

/* One index. */
struct index_check {
    const char *name;
    const struct fsck_array *expected; /* struct fsck_entry, sorted */
    size_t key_bytes;
    enum value_kind value_kind;
    size_t at;
};

static int
entry_compare(const void *a, const void *b)
{
    return memcmp(a, b, FSCK_KEY_BYTES);
}

static void
sort_array(struct fsck_array *array, int (*compare)(const void *, const void *))
{
    if (array->count > 1) {
        qsort(array->items, array->count, array->item_bytes, compare);
    }
}

/* A key as hexadecimal digits: numbers and times, nothing personal but the
 * person of `customers`, which is cut off. */
static const char *
key_text(const void *key, size_t bytes, char out[2 * FSCK_KEY_BYTES + 1])
{
    size_t shown = bytes == 17 ? 9 : bytes;
    const uint8_t *at = key;

    out[0] = '\0';
    for (size_t i = 0; i < shown && i < FSCK_KEY_BYTES; i++) {
        static const char digits[] = "0123456789abcdef";

        out[2 * i] = digits[at[i] >> 4];
        out[2 * i + 1] = digits[at[i] & 15];
        out[2 * i + 2] = '\0';
    }
    return out;
}

static void
say_missing(struct fsck *fsck, struct index_check *check)
{
    const struct fsck_entry *entry =
        (const struct fsck_entry *)check->expected->items + check->at++;
    char text[2 * FSCK_KEY_BYTES + 1];

    fsck_say(fsck, "%s: entry %s: expected one, found none", check->name,
             key_text(entry->key, check->key_bytes, text));
}

static int64_t
value_of(const struct index_check *check, struct span value, bool *fits)
{
    struct byte_reader r = byte_reader_on(value.data, value.bytes);
    int64_t number = 0;

    if (check->value_kind == VALUE_TIME) {
        number = get_be_time(&r);
    } else if (check->value_kind == VALUE_VARINT) {
        number = (int64_t)get_varint(&r);
    }
    *fits = !r.failed && byte_reader_left(&r) == 0;
    return number;
}

static bool
check_entry(struct fsck *fsck, struct span key, struct span value, void *data)
{
    struct index_check *check = data;
    const struct fsck_entry *entries = check->expected->items;
    char text[2 * FSCK_KEY_BYTES + 1];
    int order = -1;

    fsck->result->index_entries++;
    while (check->at < check->expected->count &&
           key.bytes == check->key_bytes &&
           (order = memcmp(entries[check->at].key, key.data, key.bytes)) < 0) {
        say_missing(fsck, check);
        order = -1;
    }
    if (order != 0) {
        fsck_say(fsck, "%s: entry %s: expected none, found one", check->name,
                 key_text(key.data, key.bytes, text));
    } else {
        bool fits;
        int64_t found = value_of(check, value, &fits);
        int64_t expected = entries[check->at++].value;

        if (!fits || found != expected) {
            fsck_say(fsck,
                     "%s: entry %s: expected the value %" PRId64
                     ", found %" PRId64,
                     check->name, key_text(key.data, key.bytes, text), expected,
                     found);
        }
    }
    return true;
}

static void
check_index(struct fsck *fsck,
            enum store_db db,
            const char *name,
            struct fsck_array *expected,
            size_t key_bytes,
            enum value_kind value_kind)
{
    struct index_check check = {name, expected, key_bytes, value_kind, 0};

    sort_array(expected, entry_compare);
    fsck_each(fsck, db, check_entry, &check);
    while (check.at < expected->count && !fsck_failed(fsck)) {
        say_missing(fsck, &check);
    }
}

void
fsck_check_indexes(struct fsck *fsck)
{
    check_index(fsck, STORE_TIMES, "times", &fsck->times, 16, VALUE_NONE);
    check_index(fsck, STORE_DUE, "due", &fsck->due, 20, VALUE_TIME);
    check_index(fsck, STORE_OVERDUE, "overdue", &fsck->overdue, 20, VALUE_NONE);
    check_index(fsck, STORE_RELATED, "related", &fsck->related, 16, VALUE_NONE);
}

/* --- distinct persons --------------------------------------------------- */

static void
expect_person(struct fsck *fsck, const struct fsck_person *person)
{
    static const struct {
        enum counter_grain grain;
        enum period_kind period;
    } grains[] = {{GRAIN_MONTH, PERIOD_MONTH},
                  {GRAIN_QUARTER, PERIOD_QUARTER},
                  {GRAIN_YEAR, PERIOD_YEAR}};

    for (size_t g = 0; g < sizeof(grains) / sizeof(grains[0]); g++) {
        for (uint32_t unit = person->unit_id;;
             unit = names_unit_parent(fsck->names, unit)) {
            struct fsck_entry *entry = fsck_array_add(fsck, &fsck->customers);
            struct byte_writer w;

            if (entry == NULL) {
                return;
            }
            w = byte_writer_on(entry->key, sizeof(entry->key));
            put_u8(&w, grains[g].grain);
            put_be_day(&w, period_first_day(grains[g].period, person->day));
            put_be32(&w, unit);
            put_be64(&w, person->person);
            entry->value = 1;
            if (unit == 0) {
                break;
            }
        }
    }
}

/* Equal keys become one with their sum. */
static void
merge_persons(struct fsck *fsck)
{
    struct fsck_entry *entries = fsck->customers.items;
    size_t count = 0;

    sort_array(&fsck->customers, entry_compare);
    for (size_t i = 0; i < fsck->customers.count; i++) {
        if (count > 0 && entry_compare(&entries[count - 1], &entries[i]) == 0) {
            entries[count - 1].value++;
            continue;
        }
        entries[count++] = entries[i];
    }
    fsck->customers.count = count;
}

/* Each entry is one distinct person; one that no ticket counts in needs the
 * mark of an expired one. */
static bool
check_person(struct fsck *fsck, struct span key, struct span value, void *data)
{
    struct byte_reader r = byte_reader_on(key.data, key.bytes);
    struct byte_reader v = byte_reader_on(value.data, value.bytes);
    struct counter_cell cell = {.grain = (enum counter_grain)get_u8(&r)};
    uint64_t tickets = get_varint(&v);
    bool kept = byte_reader_left(&v) == 1 && get_u8(&v) == 1;
    char text[2 * FSCK_KEY_BYTES + 1];

    cell.day = get_be_day(&r);
    cell.unit_id = get_be32(&r);
    if (key.bytes == 17 &&
        !counter_sums_add_cell(
            fsck->sums, &cell,
            TALLY_SLOT(TALLY_ALL, 0, COUNTER_quality_customers), 1)) {
        (void)err_set(fsck->err, ERR_NO_MEMORY, "counters");
        return false;
    }
    if (kept && ledger_records_gone(&fsck->totals) == 0) {
        fsck_say(fsck,
                 "customers: entry %s: expected no expired ticket, found the "
                 "mark of one",
                 key_text(key.data, key.bytes, text));
    }
    if (kept && tickets == 0) {
        fsck->result->index_entries++;
        return true;
    }
    if (kept) {
        value.bytes--; /* the mark is not the count */
    }
    return check_entry(fsck, key, value, data);
}

static void
check_persons(struct fsck *fsck)
{
    struct index_check check = {"customers", &fsck->customers, 17, VALUE_VARINT,
                                0};

    fsck_each(fsck, STORE_CUSTOMERS, check_person, &check);
    while (check.at < fsck->customers.count && !fsck_failed(fsck)) {
        say_missing(fsck, &check);
    }
}

/* --- what expired tickets left ------------------------------------------ */

/* One slot of a cell of `kept` into what is expected of it and, but for what
 * only `kept` holds, of the counters. The sums roll a unit's day up into the
 * one above it and into its month: so what came from below is taken from a day
 * again (it is given to the unit and taken from the one above), and a month is
 * its days but for the persons. */
static bool
add_kept_slot(struct fsck *fsck,
              const struct counter_cell *cell,
              uint32_t slot,
              int64_t count)
{
    struct counter_cell above = *cell;
    unsigned counter = TALLY_SLOT_COUNTER(slot);
    struct counter_sums *const into[] = {
        fsck->kept, counter < TALLY_KEPT_COMPLAINTS ? fsck->sums : NULL};
    bool fine = true;

    if (cell->grain == GRAIN_MONTH && counter != COUNTER_quality_customers) {
        return true;
    }
    if (cell->grain == GRAIN_DAY && cell->unit_id != 0) {
        above.unit_id = names_unit_parent(fsck->names, cell->unit_id);
    }
    for (size_t i = 0; i < sizeof(into) / sizeof(*into) && fine; i++) {
        fine = into[i] == NULL ||
               (counter_sums_add_cell(into[i], cell, slot, count) &&
                (above.unit_id == cell->unit_id ||
                 counter_sums_add_cell(into[i], &above, slot, -count)));
    }
    return fine;
}

static bool
add_kept(struct fsck *fsck, struct span key, struct span value, void *data)
{
    struct byte_reader r = byte_reader_on(value.data, value.bytes);
    struct counter_cell cell;
    uint32_t slot = 0;
    int64_t count;
    int64_t complaints = 0; /* counted once by category and region, and once by
                               subcategory with both */

    (void)data;
    fsck->result->kept_cells++;
    if (!counter_cell_from_key(key, &cell)) {
        r.failed = true;
    }
    while (counter_next_slot(&r, &slot, &count)) {
        unsigned counter = TALLY_SLOT_COUNTER(slot);

        if (counter >= TALLY_KEPT_COMPLAINTS && counter < TALLY_KEPT_CLOSED) {
            complaints -= count;
        } else if (TALLY_SLOT_DIMENSION(slot) == TALLY_ALL &&
                   counter == COUNTER_complaints && cell.grain != GRAIN_HOUR) {
            complaints += count;
        }
        if (count <= 0 || r.failed) {
            r.failed = true;
        } else if (!add_kept_slot(fsck, &cell, slot, count)) {
            (void)err_set(fsck->err, ERR_NO_MEMORY, "counters");
            return false;
        }
    }
    if (complaints != 0) {
        fsck_say(fsck,
                 "kept: grain %d day %d unit %u: expected as many complaints "
                 "by subcategory as in all, found %" PRId64 " less",
                 (int)cell.grain, (int)cell.day, (unsigned)cell.unit_id,
                 complaints);
    }
    if (r.failed) {
        fsck_say(fsck, "kept: expected a cell of what expired tickets left, "
                       "found bytes that make no sense");
    }
    return true;
}

/* --- counters ----------------------------------------------------------- */

/* The cells on disk, walked beside those added up. */
struct cell_walk {
    struct fsck *fsck;
    enum store_db db; /* STORE_COUNTERS, STORE_KEPT */
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc; /* of the cursor: 0 = key and value are a cell */
};

static void
next_cell(struct cell_walk *walk)
{
    walk->rc = mdb_cursor_get(walk->cursor, &walk->key, &walk->value, MDB_NEXT);
    walk->fsck->result->counter_cells +=
        walk->rc == 0 && walk->db == STORE_COUNTERS;
}

static void
say_slot(const struct cell_walk *walk,
         const struct counter_cell *cell,
         uint32_t slot,
         int64_t expected,
         int64_t found)
{
    enum counter counter = TALLY_SLOT_COUNTER(slot);

    fsck_say(walk->fsck,
             "%s: grain %d day %d hour %u unit %u, dimension %d value "
             "%u, %s: expected %" PRId64 ", found %" PRId64,
             store_db_name(walk->db), (int)cell->grain, (int)cell->day,
             (unsigned)cell->hour, (unsigned)cell->unit_id,
             (int)TALLY_SLOT_DIMENSION(slot), (unsigned)TALLY_SLOT_VALUE(slot),
             counter < COUNTER_COUNT ? counter_name(counter) : "unknown",
             expected, found);
}

/* The slots of a cell on disk against those expected (maybe none). */
static void
compare_slots(struct cell_walk *walk,
              const struct counter_cell *cell,
              const struct counter_slot *slots,
              size_t slot_count)
{
    struct byte_reader r =
        byte_reader_on(walk->value.mv_data, walk->value.mv_size);
    uint32_t slot = 0;
    int64_t count = 0;
    size_t i = 0;
    bool more = counter_next_slot(&r, &slot, &count);

    while (more || i < slot_count) {
        walk->fsck->result->counter_slots += walk->db == STORE_COUNTERS;
        if (i == slot_count || (more && slot < slots[i].slot)) {
            say_slot(walk, cell, slot, 0, count);
            more = counter_next_slot(&r, &slot, &count);
        } else if (!more || slots[i].slot < slot) {
            say_slot(walk, cell, slots[i].slot, slots[i].count, 0);
            i++;
        } else {
            if (count != slots[i].count) {
                say_slot(walk, cell, slot, slots[i].count, count);
            }
            i++;
            more = counter_next_slot(&r, &slot, &count);
        }
    }
    if (r.failed) {
        fsck_say(walk->fsck,
                 "%s: grain %d day %d unit %u: expected slots, found "
                 "bytes that make no sense",
                 store_db_name(walk->db), (int)cell->grain, (int)cell->day,
                 (unsigned)cell->unit_id);
    }
}

/* A cell on disk that no ticket contributes to. */
static void
say_needless_cell(struct cell_walk *walk)
{
    struct counter_cell cell;

    if (counter_cell_from_key(
            (struct span){walk->key.mv_data, walk->key.mv_size}, &cell)) {
        compare_slots(walk, &cell, NULL, 0);
    } else {
        fsck_say(walk->fsck,
                 "%s: expected a cell, found a key that makes no sense",
                 store_db_name(walk->db));
    }
    next_cell(walk);
}

static int
walk_order(const struct cell_walk *walk, const uint8_t *key)
{
    size_t bytes = walk->key.mv_size < COUNTER_CELL_KEY_BYTES
                       ? walk->key.mv_size
                       : COUNTER_CELL_KEY_BYTES;
    int order = memcmp(walk->key.mv_data, key, bytes);

    return order != 0 ? order
                      : (walk->key.mv_size > COUNTER_CELL_KEY_BYTES) -
                            (walk->key.mv_size < COUNTER_CELL_KEY_BYTES);
}

static bool
check_cell(void *data,
           const struct counter_cell *cell,
           const struct counter_slot *slots,
           size_t slot_count)
{
    struct cell_walk *walk = data;
    uint8_t key[COUNTER_CELL_KEY_BYTES];

    counter_cell_key(cell, key);
    while (walk->rc == 0 && walk_order(walk, key) < 0) {
        say_needless_cell(walk);
    }
    if (walk->rc == 0 && walk_order(walk, key) == 0) {
        compare_slots(walk, cell, slots, slot_count);
        next_cell(walk);
        return true;
    }
    for (size_t i = 0; i < slot_count; i++) {
        say_slot(walk, cell, slots[i].slot, slots[i].count, 0);
    }
    return true;
}

/* Every cell of a database against what was added up. */
static void
check_cells(struct fsck *fsck, enum store_db db, struct counter_sums *sums)
{
    struct cell_walk walk = {.fsck = fsck, .db = db};

    walk.rc =
        mdb_cursor_open(fsck->reader.txn, fsck->store->db[db], &walk.cursor);
    if (walk.rc != 0) {
        (void)store_err(fsck->err, walk.rc, store_db_name(db));
        return;
    }
    next_cell(&walk);
    if (!counter_sums_visit(sums, fsck->names, check_cell, &walk)) {
        (void)err_set(fsck->err, ERR_NO_MEMORY, "counters");
    }
    while (walk.rc == 0 && !fsck_failed(fsck)) {
        say_needless_cell(&walk);
    }
    if (walk.rc != 0 && walk.rc != MDB_NOTFOUND) {
        (void)store_err(fsck->err, walk.rc, store_db_name(db));
    }
    mdb_cursor_close(walk.cursor);
}

void
fsck_check_counters(struct fsck *fsck)
{
    const struct fsck_person *persons = fsck->persons.items;

    for (size_t i = 0; i < fsck->persons.count && !fsck_failed(fsck); i++) {
        expect_person(fsck, &persons[i]);
    }
    merge_persons(fsck);
    if (fsck_failed(fsck)) {
        return;
    }
    check_persons(fsck);
    if (fsck->store->has_kept) {
        fsck_each(fsck, STORE_KEPT, add_kept, NULL);
        check_cells(fsck, STORE_KEPT, fsck->kept);
    }
    check_cells(fsck, STORE_COUNTERS, fsck->sums);
}
