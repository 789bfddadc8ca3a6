/* Cells of sums: rolled up, merged, visited. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "server/ledger/counters.h"
#include "tests/lib/temp_dir.h"

static const struct store_options options = {.map_bytes = 64 * 1024 * 1024};
static struct temp_dir dir;
static struct store *store;
static struct names *names;
static struct counter_sums *sums;
static MDB_txn *txn;
static uint32_t station;
static uint32_t county;
static uint32_t city;

static int
begin(void **state)
{
    struct err err = {0};

    (void)state;
    temp_dir_make(&dir);
    assert_int_equal(store_open(dir.path, STORE_WRITE, &options, &store, &err),
                     ERR_OK);
    assert_int_equal(names_open(store, &names, &err), ERR_OK);
    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    assert_int_equal(names_intern(names, txn, NAME_UNIT,
                                  SPAN_LITERAL("市/县/所"), &station, &err),
                     ERR_OK);
    county = names_unit_parent(names, station);
    city = names_unit_parent(names, county);
    sums = counter_sums_new();
    assert_non_null(sums);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    counter_sums_free(&sums);
    mdb_txn_abort(txn);
    names_close(&names);
    store_close(&store);
    temp_dir_remove(&dir);
    return 0;
}

static int64_t
time_of(const char *text)
{
    struct err err = {0};
    int64_t us = 0;

    assert_int_equal(ticket_time_parse(span_of(text), &us, &err), ERR_OK);
    return us;
}

static struct tally
complaint(const char *at, uint32_t unit)
{
    return (struct tally){
        .accepted_set =
            UINT64_C(1) << COUNTER_received | UINT64_C(1) << COUNTER_complaints,
        .accepted_at_us = time_of(at),
        .reply_due_us = STATE_NEVER,
        .unit_id = unit,
        .dimension_value = {[TALLY_CATEGORY_REGION] = 4 * 4 + 2,
                            [TALLY_SUBCATEGORY] = 9,
                            [TALLY_TYPE] = 1}};
}

static void
add(const char *at, uint32_t unit, int64_t sign)
{
    struct tally tally = complaint(at, unit);

    assert_true(counter_sums_add(sums, &tally, sign));
}

static void
flush(void)
{
    struct err err = {0};

    assert_int_equal(
        counters_flush(sums, store, names, txn, STORE_COUNTERS, &err), ERR_OK);
}

struct wanted {
    uint32_t slot;
    int64_t sum;
    size_t cells;
    int32_t last_day;
};

static bool
add_up(void *data,
       const struct counter_cell *cell,
       const struct counter_slot *slots,
       size_t slot_count)
{
    struct wanted *wanted = data;

    assert_true(slot_count > 0);
    assert_true(cell->day >= wanted->last_day);
    wanted->last_day = cell->day;
    wanted->cells++;
    for (size_t i = 0; i < slot_count; i++) {
        assert_true(i == 0 || slots[i].slot > slots[i - 1].slot);
        assert_int_not_equal(slots[i].count, 0);
        wanted->sum += slots[i].slot == wanted->slot ? slots[i].count : 0;
    }
    return true;
}

static int64_t
sum_of(enum counter_grain grain,
       uint32_t unit,
       const char *from,
       const char *to,
       uint32_t slot,
       size_t *cells)
{
    struct wanted wanted = {slot, 0, 0, INT32_MIN};
    struct err err = {0};

    assert_int_equal(
        counters_visit(store, txn, grain, unit, shanghai_day(time_of(from)),
                       shanghai_day(time_of(to)), add_up, &wanted, &err),
        ERR_OK);
    if (cells != NULL) {
        *cells = wanted.cells;
    }
    return wanted.sum;
}

#define ALL_RECEIVED TALLY_SLOT(TALLY_ALL, 0, COUNTER_received)
#define QUALITY_RURAL                                                          \
    TALLY_SLOT(TALLY_CATEGORY_REGION, 4 * 4 + 2, COUNTER_complaints)

static void
a_leaf_counts_for_its_day_month_and_every_unit_above(void **state)
{
    const uint32_t units[] = {station, county, city, 0};
    size_t cells;

    (void)state;
    add("2018-01-31 23:59:59", station, 1);
    add("2018-02-01 00:00:00", county, 1);
    flush();
    for (size_t i = 0; i < 4; i++) {
        int64_t both = units[i] == station ? 1 : 2;

        assert_int_equal(sum_of(GRAIN_DAY, units[i], "2018-01-01 00:00:00",
                                "2018-12-31 00:00:00", ALL_RECEIVED, &cells),
                         both);
        assert_int_equal(cells, both);
        assert_int_equal(sum_of(GRAIN_MONTH, units[i], "2018-01-01 00:00:00",
                                "2018-01-01 00:00:00", QUALITY_RURAL, NULL),
                         1);
        assert_int_equal(sum_of(GRAIN_MONTH, units[i], "2018-02-01 00:00:00",
                                "2018-02-01 00:00:00", QUALITY_RURAL, NULL),
                         both - 1);
    }
    assert_int_equal(sum_of(GRAIN_HOUR, 0, "2018-01-31 00:00:00",
                            "2018-02-01 00:00:00", ALL_RECEIVED, &cells),
                     2);
    assert_int_equal(cells, 2);
    assert_int_equal(sum_of(GRAIN_HOUR, station, "2018-01-31 00:00:00",
                            "2018-02-01 00:00:00", ALL_RECEIVED, NULL),
                     0);
}

static void
what_is_taken_away_again_leaves_no_cell(void **state)
{
    MDB_stat stat;

    (void)state;
    add("2018-01-31 09:00:00", station, 1);
    flush();
    add("2018-01-31 10:00:00", station, 1);
    flush();
    add("2018-01-31 09:00:00", station, -1);
    flush();
    assert_int_equal(sum_of(GRAIN_DAY, city, "2018-01-31 00:00:00",
                            "2018-01-31 00:00:00", ALL_RECEIVED, NULL),
                     1);
    add("2018-01-31 10:00:00", station, -1);
    flush();
    assert_int_equal(mdb_stat(txn, store->db[STORE_COUNTERS], &stat), 0);
    assert_int_equal(stat.ms_entries, 0);
}

static void
an_addition_and_its_opposite_in_one_batch_write_nothing(void **state)
{
    MDB_stat stat;

    (void)state;
    add("2018-01-31 09:00:00", station, 1);
    add("2018-01-31 09:00:00", station, -1);
    flush();
    assert_int_equal(mdb_stat(txn, store->db[STORE_COUNTERS], &stat), 0);
    assert_int_equal(stat.ms_entries, 0);
    add("2018-01-31 09:00:00", station, 1);
    counter_sums_reset(sums);
    flush();
    assert_int_equal(mdb_stat(txn, store->db[STORE_COUNTERS], &stat), 0);
    assert_int_equal(stat.ms_entries, 0);
}

static void
replies_count_in_the_period_in_which_they_were_due(void **state)
{
    struct tally tally = complaint("2018-01-31 09:00:00", station);
    uint32_t slot = TALLY_SLOT(TALLY_ALL, 0, COUNTER_reply_judged);

    (void)state;
    tally.due_set = UINT64_C(1) << COUNTER_reply_judged;
    tally.reply_due_us = time_of("2018-02-07 23:59:59");
    tally.overdue_count = 1;
    tally.overdue_kind_id[0] = 33;
    assert_true(counter_sums_add(sums, &tally, 1));
    flush();
    assert_int_equal(sum_of(GRAIN_MONTH, 0, "2018-01-01 00:00:00",
                            "2018-01-01 00:00:00", slot, NULL),
                     0);
    assert_int_equal(sum_of(GRAIN_MONTH, 0, "2018-02-01 00:00:00",
                            "2018-02-01 00:00:00", slot, NULL),
                     1);
    assert_int_equal(
        sum_of(GRAIN_DAY, county, "2018-01-31 00:00:00", "2018-01-31 00:00:00",
               TALLY_SLOT(TALLY_CLOCK, 33, COUNTER_overdue_clocks), NULL),
        1);
}

/* The same sums by another way: what fsck compares with. */
struct compare {
    size_t cells;
    size_t slots;
};

static bool
compare_with_store(void *data,
                   const struct counter_cell *cell,
                   const struct counter_slot *slots,
                   size_t slot_count)
{
    struct compare *compare = data;
    uint8_t key[COUNTER_CELL_KEY_BYTES];
    struct counter_cell back;
    struct err err = {0};
    struct byte_reader r;
    struct span value;
    uint32_t slot = 0;
    int64_t count;
    size_t i = 0;

    counter_cell_key(cell, key);
    assert_true(
        counter_cell_from_key((struct span){(char *)key, sizeof(key)}, &back));
    assert_int_equal(back.grain, cell->grain);
    assert_int_equal(back.day, cell->day);
    assert_int_equal(back.hour, cell->hour);
    assert_int_equal(back.unit_id, cell->unit_id);
    assert_true(store_get(store, txn, STORE_COUNTERS,
                          (struct span){(char *)key, sizeof(key)}, &value,
                          &err));
    r = byte_reader_on(value.data, value.bytes);
    while (counter_next_slot(&r, &slot, &count)) {
        assert_true(i < slot_count);
        assert_int_equal(slot, slots[i].slot);
        assert_int_equal(count, slots[i].count);
        i++;
    }
    assert_int_equal(i, slot_count);
    compare->cells++;
    compare->slots += slot_count;
    return true;
}

static void
many_batches_add_up_to_what_one_would(void **state)
{
    struct counter_sums *whole = counter_sums_new();
    struct compare compare = {0, 0};
    const uint32_t units[] = {station, county, city, 0};
    uint32_t seed = 5;
    MDB_stat stat;

    (void)state;
    assert_non_null(whole);
    for (int i = 0; i < 3000; i++) {
        struct tally tally = complaint("2018-01-31 09:00:00", 0);

        seed = seed * 1664525 + 1013904223;
        tally.accepted_at_us +=
            (int64_t)(seed >> 16) % 9000 * US_PER_HOUR - 4000 * US_PER_HOUR;
        tally.unit_id = units[seed >> 9 & 3];
        tally.dimension_value[TALLY_SUBCATEGORY] = seed >> 11 & 15;
        tally.accepted_set |= UINT64_C(1) << (seed >> 20 & 15);
        assert_true(counter_sums_add(sums, &tally, 1));
        assert_true(counter_sums_add(whole, &tally, 1));
        if (i % 100 == 0) {
            flush();
        }
    }
    flush();
    assert_true(counter_sums_visit(whole, names, compare_with_store, &compare));
    assert_int_equal(mdb_stat(txn, store->db[STORE_COUNTERS], &stat), 0);
    assert_int_equal(stat.ms_entries, compare.cells);
    counter_sums_free(&whole);
}

/* Months counted by hand, so that what sums them up is not its own judge. */
static void
what_comes_and_goes_in_many_batches_stays_exact_in_every_unit(void **state)
{
    const uint32_t units[] = {station, county, city, 0};
    const char *const months[] = {"2018-01-01 00:00:00", "2018-02-01 00:00:00"};
    enum { TALLIES = 2000, SUBCATEGORIES = 300 };
    static struct {
        struct tally tally;
        unsigned month;
        unsigned unit; /* of units[] */
    } put[TALLIES];
    static int64_t expected[4][2][SUBCATEGORIES];
    uint32_t seed = 11;

    (void)state;
    memset(expected, 0, sizeof(expected));
    for (int i = 0; i < 2 * TALLIES; i++) {
        int k = i % TALLIES;
        int64_t sign = i < TALLIES ? 1 : -1;

        seed = seed * 1664525 + 1013904223;
        if (sign > 0) {
            put[k].month = seed >> 8 & 1;
            put[k].unit = seed >> 9 & 3;
            put[k].tally = complaint(months[put[k].month], units[put[k].unit]);
            put[k].tally.accepted_at_us +=
                (int64_t)(seed >> 11 & 15) * US_PER_DAY;
            put[k].tally.dimension_value[TALLY_SUBCATEGORY] =
                (seed >> 15) % SUBCATEGORIES;
        } else if (seed >> 30 == 0) {
            continue; /* a quarter stays */
        }
        assert_true(counter_sums_add(sums, &put[k].tally, sign));
        for (unsigned above = put[k].unit; above < 4; above++) {
            expected[above][put[k].month]
                    [put[k].tally.dimension_value[TALLY_SUBCATEGORY]] += sign;
        }
        if (seed >> 16 < 1000) {
            flush();
        }
    }
    flush();
    for (size_t i = 0; i < (size_t)4 * 2 * SUBCATEGORIES; i++) {
        size_t unit = i / 2 / SUBCATEGORIES;
        size_t month = i / SUBCATEGORIES % 2;
        size_t subcategory = i % SUBCATEGORIES;

        assert_int_equal(
            sum_of(GRAIN_MONTH, units[unit], months[month], months[month],
                   TALLY_SLOT(TALLY_SUBCATEGORY, subcategory, COUNTER_received),
                   NULL),
            expected[unit][month][subcategory]);
    }
}

static void
nothing_is_merged_into_a_damaged_cell(void **state)
{
    /* A step that ends nowhere; a slot without its count; one beyond the last
     * there can be. */
    static const struct span damaged[] = {
        SPAN_LITERAL("\x80"), SPAN_LITERAL("\x00\x02\x01"),
        SPAN_LITERAL("\x01\x02\xff\xff\xff\xff\x7f\x02")};
    struct counter_cell cell = {
        GRAIN_MONTH, shanghai_day(time_of("2018-01-01 00:00:00")), 0, 0};
    uint8_t key[COUNTER_CELL_KEY_BYTES];

    (void)state;
    counter_cell_key(&cell, key);
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        struct err err = {0};

        assert_int_equal(store_put(store, txn, STORE_COUNTERS,
                                   (struct span){(char *)key, sizeof(key)},
                                   damaged[i], 0, &err),
                         ERR_OK);
        add("2018-01-31 09:00:00", station, 1);
        assert_int_equal(
            counters_flush(sums, store, names, txn, STORE_COUNTERS, &err),
            ERR_CORRUPT);
    }
}

static void
a_damaged_cell_is_told_and_not_summed(void **state)
{
    struct counter_cell cell = {GRAIN_DAY, shanghai_day(0), 0, 0};
    uint8_t key[COUNTER_CELL_KEY_BYTES];
    struct wanted wanted = {ALL_RECEIVED, 0, 0, INT32_MIN};
    struct err err = {0};

    (void)state;
    counter_cell_key(&cell, key);
    assert_int_equal(store_put(store, txn, STORE_COUNTERS,
                               (struct span){(char *)key, sizeof(key)},
                               SPAN_LITERAL("\x80"), 0, &err),
                     ERR_OK);
    assert_int_equal(counters_visit(store, txn, GRAIN_DAY, 0, -10, 10, add_up,
                                    &wanted, &err),
                     ERR_CORRUPT);
    assert_int_equal(wanted.cells, 0);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(a_leaf_counts_for_its_day_month_and_every_unit_above),
        CASE(what_is_taken_away_again_leaves_no_cell),
        CASE(an_addition_and_its_opposite_in_one_batch_write_nothing),
        CASE(replies_count_in_the_period_in_which_they_were_due),
        CASE(many_batches_add_up_to_what_one_would),
        CASE(what_comes_and_goes_in_many_batches_stays_exact_in_every_unit),
        CASE(nothing_is_merged_into_a_damaged_cell),
        CASE(a_damaged_cell_is_told_and_not_summed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
