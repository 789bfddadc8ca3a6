/* The LMDB environment: opening, locking, versions, checksums, copies. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "server/ledger/store.h"
#include "tests/lib/temp_dir.h"

static const struct store_options options = {.map_bytes = 64 * 1024 * 1024};
static struct temp_dir dir;
static struct store *store;
static char data[256];

static int
begin(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    store_close(&store);
    temp_dir_remove(&dir);
    return 0;
}

static enum err_code
open_as(enum store_mode mode)
{
    struct err err = {0};
    enum err_code code;

    store_close(&store);
    code = store_open(data, mode, &options, &store, &err);
    assert_int_equal(code, err.code);
    return code;
}

static void
put_fact(const char *key, const char *value)
{
    struct err err = {0};
    MDB_txn *txn;

    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    assert_int_equal(store_put(store, txn, STORE_FACTS, span_of(key),
                               span_of(value), 0, &err),
                     ERR_OK);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static bool
has_fact(const char *key, const char *value)
{
    struct err err = {0};
    struct span found;
    MDB_txn *txn;
    bool has;

    assert_int_equal(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn), 0);
    has = store_get(store, txn, STORE_FACTS, span_of(key), &found, &err) &&
          span_is(found, value);
    assert_int_equal(err.code, ERR_OK);
    mdb_txn_abort(txn);
    return has;
}

static void
a_new_directory_is_made_private_and_opened_again(void **state)
{
    struct stat about;
    uint8_t secret[STORE_SECRET_BYTES];

    (void)state;
    assert_int_equal(open_as(STORE_WRITE), ERR_OK);
    assert_true(store->created);
    assert_int_equal(stat(data, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    memcpy(secret, store->secret, sizeof(secret));
    put_fact("k", "v");
    assert_int_equal(open_as(STORE_WRITE), ERR_OK);
    assert_false(store->created);
    assert_true(has_fact("k", "v"));
    assert_memory_equal(secret, store->secret, sizeof(secret));
    assert_int_equal(open_as(STORE_READ), ERR_OK);
    assert_true(has_fact("k", "v"));
    assert_int_equal(open_as(STORE_OWN), ERR_OK);
}

static void
what_is_not_there_is_not_made_by_a_reader(void **state)
{
    (void)state;
    assert_int_equal(open_as(STORE_READ), ERR_NOT_FOUND);
    assert_int_equal(open_as(STORE_OWN), ERR_NOT_FOUND);
    assert_int_not_equal(access(data, F_OK), 0);
    assert_int_equal(mkdir(data, 0700), 0);
    assert_int_equal(open_as(STORE_READ), ERR_NOT_FOUND);
}

static void
sync_is_never_switched_off(void **state)
{
    unsigned flags = 0;

    (void)state;
    assert_int_equal(open_as(STORE_WRITE), ERR_OK);
    assert_int_equal(mdb_env_get_flags(store->env, &flags), 0);
    assert_int_equal(
        flags & (MDB_NOSYNC | MDB_NOMETASYNC | MDB_WRITEMAP | MDB_MAPASYNC), 0);
}

/* The lock belongs to the open file, so a second process is needed. */
static int
open_in_a_child(enum store_mode mode)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct store *other = NULL;
        struct err err = {0};

        _exit((int)store_open(data, mode, &options, &other, &err));
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
only_one_process_writes_and_others_read(void **state)
{
    (void)state;
    assert_int_equal(open_as(STORE_WRITE), ERR_OK);
    assert_int_equal(open_in_a_child(STORE_WRITE), ERR_LOCKED);
    assert_int_equal(open_in_a_child(STORE_OWN), ERR_LOCKED);
    assert_int_equal(open_in_a_child(STORE_READ), ERR_OK);
    store_close(&store);
    assert_int_equal(open_in_a_child(STORE_WRITE), ERR_OK);
}

/* One made before tickets could expire. */
static void
a_store_without_kept_is_read_and_gets_it_when_written(void **state)
{
    MDB_txn *txn;

    (void)state;
    assert_int_equal(open_as(STORE_WRITE), ERR_OK);
    assert_true(store->has_kept);
    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_drop(txn, store->db[STORE_KEPT], 1), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    assert_int_equal(open_as(STORE_READ), ERR_OK);
    assert_false(store->has_kept);
    assert_int_equal(open_as(STORE_WRITE), ERR_OK);
    assert_true(store->has_kept);
    assert_int_equal(open_as(STORE_READ), ERR_OK);
    assert_true(store->has_kept);
}

static void
a_newer_format_is_refused_and_left_alone(void **state)
{
    const uint8_t newer[4] = {STORE_FORMAT + 1, 0, 0, 0};
    struct stat before;
    struct stat after;
    struct err err = {0};
    char path[300];
    MDB_txn *txn;

    (void)state;
    assert_int_equal(open_as(STORE_WRITE), ERR_OK);
    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    assert_int_equal(store_put(store, txn, STORE_META, SPAN_LITERAL("format"),
                               (struct span){(const char *)newer, 4}, 0, &err),
                     ERR_OK);
    assert_int_equal(mdb_txn_commit(txn), 0);
    store_close(&store);
    (void)snprintf(path, sizeof(path), "%s/data.mdb", data);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(open_as(STORE_WRITE), ERR_NEWER_FORMAT);
    assert_int_equal(open_as(STORE_READ), ERR_NEWER_FORMAT);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    assert_int_equal(before.st_size, after.st_size);
}

static void
a_file_that_is_no_store_is_refused(void **state)
{
    char path[300];
    FILE *file;

    (void)state;
    assert_int_equal(mkdir(data, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/data.mdb", data);
    file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 20000; i++) {
        assert_int_not_equal(fputc('x', file), EOF);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_not_equal(open_as(STORE_WRITE), ERR_OK);
    assert_int_not_equal(open_as(STORE_READ), ERR_OK);
}

static void
a_checksum_holds_key_and_value(void **state)
{
    uint8_t value[16 + STORE_CHECKSUM_BYTES] = "sixteen  bytes.";
    struct span key = SPAN_LITERAL("key");
    size_t bytes = store_seal(key, value, 16);

    (void)state;
    assert_int_equal(bytes, sizeof(value));
    for (size_t bit = 0; bit <= sizeof(value) * 8; bit++) {
        struct span sealed = {(char *)value, bytes};
        struct err err = {0};
        bool touched = bit < sizeof(value) * 8;

        if (touched) {
            value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(store_unseal(key, &sealed, "it", &err),
                         touched ? ERR_CORRUPT : ERR_OK);
        if (touched) {
            value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        } else {
            assert_int_equal(sealed.bytes, 16);
        }
    }
    {
        struct span sealed = {(char *)value, bytes};
        struct span small = {(char *)value, STORE_CHECKSUM_BYTES - 1};
        struct err err = {0};

        assert_int_equal(store_unseal(SPAN_LITERAL("kez"), &sealed, "it", &err),
                         ERR_CORRUPT);
        err = (struct err){0};
        assert_int_equal(store_unseal(key, &small, "it", &err), ERR_CORRUPT);
    }
}

static void
hashes_are_of_this_store_only(void **state)
{
    uint64_t first;

    (void)state;
    assert_int_equal(open_as(STORE_WRITE), ERR_OK);
    assert_int_equal(store_hash(store, (struct span){NULL, 0}), 0);
    first = store_hash(store, SPAN_LITERAL("19900000001"));
    assert_int_not_equal(first, 0);
    assert_true(store_hash(store, SPAN_LITERAL("19900000001")) == first);
    (void)snprintf(data, sizeof(data), "%s/other", dir.path);
    assert_int_equal(open_as(STORE_WRITE), ERR_OK);
    assert_true(store_hash(store, SPAN_LITERAL("19900000001")) != first);
}

static void
a_backup_is_the_state_after_a_commit_and_needs_a_new_directory(void **state)
{
    char copy[128];
    struct err err = {0};
    MDB_txn *txn;

    (void)state;
    (void)snprintf(copy, sizeof(copy), "%s/copy", dir.path);
    assert_int_equal(open_as(STORE_WRITE), ERR_OK);
    put_fact("before", "1");
    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    assert_int_equal(store_put(store, txn, STORE_FACTS, SPAN_LITERAL("half"),
                               SPAN_LITERAL("2"), 0, &err),
                     ERR_OK);
    assert_int_equal(store_backup(store, copy, &err), ERR_OK);
    assert_int_equal(mdb_txn_commit(txn), 0);
    assert_int_equal(store_backup(store, copy, &err), ERR_BAD_VALUE);
    err = (struct err){0};
    assert_int_equal(store_backup(store, "/nonexistent/deep/copy", &err),
                     ERR_NOT_FOUND);
    (void)snprintf(data, sizeof(data), "%s", copy);
    assert_int_equal(open_as(STORE_WRITE), ERR_OK);
    assert_true(has_fact("before", "1"));
    assert_false(has_fact("half", "2"));
}

static void
a_full_map_is_told_as_such(void **state)
{
    static char large[300000];
    const struct store_options small = {.map_bytes = 1024 * 1024};
    struct err err = {0};
    MDB_txn *txn;
    uint64_t used;
    uint64_t map;

    (void)state;
    memset(large, 'x', sizeof(large));
    assert_int_equal(store_open(data, STORE_WRITE, &small, &store, &err),
                     ERR_OK);
    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    for (char key[2] = "a"; err.code == ERR_OK; key[0]++) {
        (void)!store_put(store, txn, STORE_FACTS, span_of(key),
                         (struct span){large, sizeof(large)}, 0, &err);
    }
    mdb_txn_abort(txn);
    assert_int_equal(err.code, ERR_STORE_FULL);
    store_usage(store, &used, &map);
    assert_int_equal(map, 1024 * 1024);
    assert_in_range(used, 1, map);
    put_fact("still", "works");
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(a_new_directory_is_made_private_and_opened_again),
        CASE(what_is_not_there_is_not_made_by_a_reader),
        CASE(sync_is_never_switched_off),
        CASE(only_one_process_writes_and_others_read),
        CASE(a_store_without_kept_is_read_and_gets_it_when_written),
        CASE(a_newer_format_is_refused_and_left_alone),
        CASE(a_file_that_is_no_store_is_refused),
        CASE(a_checksum_holds_key_and_value),
        CASE(hashes_are_of_this_store_only),
        CASE(a_backup_is_the_state_after_a_commit_and_needs_a_new_directory),
        CASE(a_full_map_is_told_as_such),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
