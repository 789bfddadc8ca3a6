/* Names and their numbers. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "server/ledger/names.h"
#include "tests/lib/temp_dir.h"

static const struct store_options options = {.map_bytes = 64 * 1024 * 1024};
static struct temp_dir dir;
static struct store *store;
static struct names *names;
static MDB_txn *txn;

static void
open_all(void)
{
    struct err err = {0};

    assert_int_equal(store_open(dir.path, STORE_WRITE, &options, &store, &err),
                     ERR_OK);
    assert_int_equal(names_open(store, &names, &err), ERR_OK);
    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
}

static void
commit(void)
{
    assert_int_equal(mdb_txn_commit(txn), 0);
    names_commit(names);
    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
}

static void
close_all(void)
{
    mdb_txn_abort(txn);
    names_close(&names);
    store_close(&store);
}

static int
begin(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    open_all();
    return 0;
}

static int
end(void **state)
{
    (void)state;
    close_all();
    temp_dir_remove(&dir);
    return 0;
}

static uint32_t
intern(enum name_kind kind, const char *text)
{
    struct err err = {0};
    uint32_t id = 99;

    assert_int_equal(names_intern(names, txn, kind, span_of(text), &id, &err),
                     ERR_OK);
    return id;
}

static void
a_name_keeps_its_number_also_after_opening_again(void **state)
{
    uint32_t a = intern(NAME_TOPIC, "甲");
    uint32_t b = intern(NAME_TOPIC, "乙");

    (void)state;
    assert_int_not_equal(a, 0);
    assert_int_not_equal(a, b);
    assert_int_equal(intern(NAME_TOPIC, "甲"), a);
    assert_int_not_equal(intern(NAME_CLOCK, "甲"), a);
    assert_int_equal(intern(NAME_TOPIC, ""), 0);
    commit();
    close_all();
    open_all();
    assert_int_equal(intern(NAME_TOPIC, "甲"), a);
    assert_int_equal(intern(NAME_TOPIC, "乙"), b);
    assert_int_equal(names_find(store, txn, NAME_TOPIC, SPAN_LITERAL("乙")), b);
    assert_int_equal(names_find(store, txn, NAME_TOPIC, SPAN_LITERAL("丙")), 0);
    assert_true(span_is(names_text(store, txn, a), "甲"));
    assert_int_equal(names_text(store, txn, 0).bytes, 0);
    assert_int_equal(names_text(store, txn, 12345).bytes, 0);
}

static void
a_unit_brings_its_parents(void **state)
{
    uint32_t station = intern(NAME_UNIT, "省/市/县/所");
    uint32_t county = names_unit_parent(names, station);
    uint32_t city = names_unit_parent(names, county);
    uint32_t province = names_unit_parent(names, city);

    (void)state;
    assert_int_equal(intern(NAME_UNIT, "省/市/县"), county);
    assert_int_equal(intern(NAME_UNIT, "省"), province);
    assert_int_equal(names_unit_parent(names, province), 0);
    assert_int_equal(names_unit_parent(names, 0), 0);
    assert_int_equal(names_unit_parent(names, 999999), 0);
    assert_int_equal(
        names_unit_parent(names, intern(NAME_UNIT, "省/市/另一县")), city);
    commit();
    close_all();
    open_all();
    assert_int_equal(names_unit_parent(names, station), county);
    assert_int_equal(names_unit_parent(names, city), province);
    /* A slash in a topic is no level. */
    assert_int_equal(names_unit_parent(names, intern(NAME_TOPIC, "a/b")), 0);
}

static void
a_lost_transaction_takes_its_names_along(void **state)
{
    uint32_t kept = intern(NAME_UNIT, "省/市");
    uint32_t lost;

    (void)state;
    commit();
    lost = intern(NAME_UNIT, "别的/地方");
    assert_int_not_equal(lost, 0);
    mdb_txn_abort(txn);
    names_abort(names);
    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    assert_int_equal(intern(NAME_UNIT, "省/市"), kept);
    assert_int_equal(intern(NAME_UNIT, "新的/市"), lost);
    assert_true(span_is(names_text(store, txn, lost), "新的/市"));
    assert_int_equal(names_find(store, txn, NAME_UNIT, SPAN_LITERAL("别的")),
                     0);
    commit();
    close_all();
    open_all();
    assert_int_equal(intern(NAME_UNIT, "新的/市"), lost);
}

static void
thousands_of_names_are_told_apart(void **state)
{
    char name[32];

    (void)state;
    for (uint32_t i = 1; i <= 5000; i++) {
        (void)snprintf(name, sizeof(name), "t%u", (unsigned)i);
        assert_int_equal(intern(NAME_TOPIC, name), i);
    }
    commit();
    close_all();
    open_all();
    for (uint32_t i = 1; i <= 5000; i++) {
        (void)snprintf(name, sizeof(name), "t%u", (unsigned)i);
        assert_int_equal(intern(NAME_TOPIC, name), i);
    }
}

static void
a_name_that_is_too_long_is_cut_the_same_way_each_time(void **state)
{
    char name[NAME_BYTES_MAX * 2];
    uint32_t id;

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    id = intern(NAME_UNIT, name);
    name[NAME_BYTES_MAX + 3] = 'y';
    assert_int_equal(intern(NAME_UNIT, name), id);
    assert_int_equal(names_find(store, txn, NAME_UNIT, span_of(name)), id);
    assert_int_equal(names_text(store, txn, id).bytes, NAME_BYTES_MAX);
}

static void
a_hole_in_the_table_is_damage(void **state)
{
    struct err err = {0};
    uint8_t key[5] = {'i', 0, 0, 0, 2};
    MDB_val k = {sizeof(key), key};

    (void)state;
    (void)intern(NAME_TOPIC, "a");
    (void)intern(NAME_TOPIC, "b");
    (void)intern(NAME_TOPIC, "c");
    assert_int_equal(mdb_del(txn, store->db[STORE_NAMES], &k, NULL), 0);
    commit();
    names_close(&names);
    assert_int_equal(names_open(store, &names, &err), ERR_CORRUPT);
    /* A number far away, which once was written past the end of a table. */
    err = (struct err){0};
    key[1] = 0x0F;
    assert_int_equal(store_put(store, txn, STORE_NAMES,
                               (struct span){(char *)key, sizeof(key)},
                               SPAN_LITERAL("tz"), 0, &err),
                     ERR_OK);
    assert_int_equal(mdb_txn_commit(txn), 0);
    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    assert_int_equal(names_open(store, &names, &err), ERR_CORRUPT);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(a_name_keeps_its_number_also_after_opening_again),
        CASE(a_unit_brings_its_parents),
        CASE(a_lost_transaction_takes_its_names_along),
        CASE(thousands_of_names_are_told_apart),
        CASE(a_name_that_is_too_long_is_cut_the_same_way_each_time),
        CASE(a_hole_in_the_table_is_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
