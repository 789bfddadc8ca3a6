/* The audit list: a chain that shows every change, and survives kills. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <utime.h>

#include "server/access/audit.h"
#include "server/access/audit_files.h"
#include "tests/lib/temp_dir.h"

enum { ENTRIES = 20 };

static const int64_t now_us = INT64_C(1700000000000000);

static struct temp_dir dir;
static struct secret secret;
static struct audit *audit;

static int
set_up(void **state)
{
    struct err err = {0};

    (void)state;
    temp_dir_make(&dir);
    return secret_open(dir.path, true, &secret, &err) == ERR_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    audit_close(&audit);
    temp_dir_remove(&dir);
    return 0;
}

static void
open_list(void)
{
    struct err err = {0};

    if (audit_open(dir.path, &secret, &audit, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
}

static void
put(const char *object)
{
    const struct access_caller caller = {.role = ACCESS_SUPERVISOR,
                                         .name = "王工"};
    const struct audit_entry entry = {.action = "unmask",
                                      .ok = true,
                                      .caller = &caller,
                                      .address = "10.0.0.1",
                                      .object = span_of(object),
                                      .reason = SPAN_LITERAL("回访\n\"客户\"")};
    struct err err = {0};

    if (audit_put(audit, &entry, now_us, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
}

static void
fill(int entries)
{
    open_list();
    for (int i = 0; i < entries; i++) {
        char object[32];

        (void)snprintf(object, sizeof(object), "T-%d", i + 1);
        put(object);
    }
    audit_close(&audit);
}

/* The problem that the check finds, "" for none. */
static const char *
check(void)
{
    static struct audit_report report;
    struct err err = {0};

    if (audit_verify(dir.path, &secret, &report, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return report.problem;
}

static const char *
first_file(void)
{
    static char path[AUDIT_PATH_BYTES];

    audit_path(dir.path, 1, path);
    return path;
}

static size_t
read_bytes(const char *path, char *out, size_t room)
{
    FILE *file = fopen(path, "rb");
    size_t bytes;

    assert_non_null(file);
    bytes = fread(out, 1, room, file);
    (void)fclose(file);
    return bytes;
}

static void
write_bytes(const char *path, const char *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static void
a_chain_goes_on_after_a_restart(void **state)
{
    (void)state;
    fill(ENTRIES);
    assert_string_equal(check(), "");
    open_list();
    assert_int_equal(audit_newest(audit), ENTRIES);
    put("T-21");
    audit_close(&audit);
    assert_string_equal(check(), "");
}

static void
every_changed_byte_is_found(void **state)
{
    static char bytes[64 * 1024];
    size_t count;

    (void)state;
    fill(ENTRIES);
    count = read_bytes(first_file(), bytes, sizeof(bytes));
    for (size_t i = 0; i < count; i++) {
        bytes[i] ^= 1;
        write_bytes(first_file(), bytes, count);
        if (check()[0] == '\0') {
            fail_msg("byte %zu of %zu was changed and nobody saw it", i, count);
        }
        bytes[i] ^= 1;
    }
    write_bytes(first_file(), bytes, count);
    assert_string_equal(check(), "");
}

/* The place behind line `n`, from 1. */
static size_t
behind_line(const char *bytes, size_t count, int n)
{
    size_t at = 0;

    for (; n > 0; n--) {
        const char *end = memchr(bytes + at, '\n', count - at);

        assert_non_null(end);
        at = (size_t)(end - bytes) + 1;
    }
    return at;
}

static void
a_taken_a_moved_and_a_doubled_entry_are_found(void **state)
{
    static char bytes[64 * 1024];
    static char spoilt[64 * 1024];
    size_t count;
    size_t from;
    size_t to;
    size_t next;

    (void)state;
    fill(ENTRIES);
    count = read_bytes(first_file(), bytes, sizeof(bytes));
    from = behind_line(bytes, count, 5);
    to = behind_line(bytes, count, 6);
    next = behind_line(bytes, count, 7);

    memcpy(spoilt, bytes, from);
    memcpy(spoilt + from, bytes + to, count - to);
    write_bytes(first_file(), spoilt, count - (to - from));
    assert_non_null(strstr(check(), "entry 6: is missing"));

    memcpy(spoilt, bytes, count);
    memcpy(spoilt + from, bytes + to, next - to);
    memcpy(spoilt + from + (next - to), bytes + from, to - from);
    write_bytes(first_file(), spoilt, count);
    assert_non_null(strstr(check(), "entry 6"));

    memcpy(spoilt, bytes, to);
    memcpy(spoilt + to, bytes + from, count - from);
    write_bytes(first_file(), spoilt, count + (to - from));
    assert_string_not_equal(check(), "");
}

static void
an_end_that_was_cut_off_is_found(void **state)
{
    static char bytes[64 * 1024];
    size_t count;

    (void)state;
    fill(ENTRIES);
    count = read_bytes(first_file(), bytes, sizeof(bytes));
    for (int line = 0; line < ENTRIES; line++) {
        write_bytes(first_file(), bytes, behind_line(bytes, count, line));
        assert_string_not_equal(check(), "");
    }
    assert_int_equal(unlink(first_file()), 0);
    assert_string_not_equal(check(), "");
    write_bytes(first_file(), bytes, count);
    assert_int_equal(chmod(first_file(), 0600), 0);
    assert_string_equal(check(), "");
    assert_int_equal(unlink(temp_dir_path(&dir, "audit/head")), 0);
    assert_non_null(strstr(check(), "head"));
}

/* Killed while it wrote: the entry was never acknowledged. */
static void
half_an_entry_goes_at_the_next_start(void **state)
{
    static char bytes[64 * 1024];
    size_t count;

    (void)state;
    fill(ENTRIES);
    count = read_bytes(first_file(), bytes, sizeof(bytes));
    for (size_t half = 1; half < 200; half += 7) {
        memcpy(bytes + count, bytes, half);
        write_bytes(first_file(), bytes, count + half);
        assert_string_equal(check(), ""); /* also while it is written */
        open_list();
        audit_close(&audit);
        assert_int_equal(read_bytes(first_file(), bytes, sizeof(bytes)), count);
    }
    open_list();
    put("T-21");
    audit_close(&audit);
    assert_string_equal(check(), "");
}

/* The head is not waited for: a kill between entry and head leaves it behind.
 */
static void
a_head_one_behind_is_fine(void **state)
{
    char head[256];
    size_t bytes;

    (void)state;
    fill(ENTRIES);
    bytes = read_bytes(temp_dir_path(&dir, "audit/head"), head, sizeof(head));
    open_list();
    put("T-21");
    audit_close(&audit);
    write_bytes(temp_dir_path(&dir, "audit/head"), head, bytes);
    assert_string_equal(check(), "");
}

static void
another_key_does_not_make_the_same_chain(void **state)
{
    (void)state;
    fill(3);
    secret.key[0] ^= 1;
    assert_non_null(strstr(check(), "entry 1"));
}

struct seen {
    uint64_t first;
    uint64_t last;
    size_t count;
    size_t max;
};

static bool
see(void *data, uint64_t seq, struct span line)
{
    struct seen *seen = data;

    assert_true(span_find(line, SPAN_LITERAL("\"who\":\"王工\""), 0) !=
                SIZE_MAX);
    if (seen->count++ == 0) {
        seen->first = seq;
    }
    seen->last = seq;
    return seen->count < seen->max;
}

static void
it_is_read_from_the_newest_on(void **state)
{
    struct seen seen = {.max = 5};
    struct err err = {0};

    (void)state;
    fill(ENTRIES);
    assert_int_equal(audit_read(dir.path, 0, see, &seen, &err), ERR_OK);
    assert_int_equal(seen.first, ENTRIES);
    assert_int_equal(seen.last, ENTRIES - 4);
    seen = (struct seen){.max = 1000};
    assert_int_equal(audit_read(dir.path, ENTRIES - 4, see, &seen, &err),
                     ERR_OK);
    assert_int_equal(seen.first, ENTRIES - 5);
    assert_int_equal(seen.last, 1);
    assert_int_equal(seen.count, ENTRIES - 5);
}

/* A file of AUDIT_FILE_BYTES is closed and the next one begins. */
static void
files_are_closed_and_the_chain_runs_through_them(void **state)
{
    struct seen seen = {.max = SIZE_MAX};
    struct audit_names names;
    struct err err = {0};
    static char long_text[AUDIT_TEXT_BYTES_MAX + 1];
    char path[AUDIT_PATH_BYTES];
    int entries = 0;
    struct stat about;

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    open_list();
    do {
        put(long_text);
        entries++;
        assert_int_equal(audit_list_files(dir.path, &names, &err), ERR_OK);
    } while (names.count < 3);
    audit_close(&audit);
    assert_string_equal(check(), "");
    assert_int_equal(audit_read(dir.path, 0, see, &seen, &err), ERR_OK);
    assert_int_equal(seen.count, entries);
    audit_path(dir.path, names.first[1], path);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777u, 0600);
    /* The one in the middle taken away. */
    assert_int_equal(unlink(path), 0);
    assert_non_null(strstr(check(), "is missing"));
}

/* Fake the files that a full list has: many small ones, each a true part of
 * the chain. */
static void
make_full(void)
{
    struct audit_names names;
    struct err err = {0};

    for (int i = 0; i < AUDIT_FILES_MAX; i++) {
        char path[AUDIT_PATH_BYTES];
        char longer[AUDIT_PATH_BYTES];

        fill(1);
        assert_int_equal(audit_list_files(dir.path, &names, &err), ERR_OK);
        /* The next start finds no newest file to go on with, begins another. */
        audit_path(dir.path, names.first[names.count - 1], path);
        (void)snprintf(longer, sizeof(longer), "%s/%020d", dir.path, i + 1);
        assert_int_equal(rename(path, longer), 0);
    }
    for (int i = 0; i < AUDIT_FILES_MAX; i++) {
        char path[AUDIT_PATH_BYTES];
        char longer[AUDIT_PATH_BYTES];

        audit_path(dir.path, (uint64_t)i + 1, path);
        (void)snprintf(longer, sizeof(longer), "%s/%020d", dir.path, i + 1);
        assert_int_equal(rename(longer, path), 0);
    }
}

/* Make the newest file as long as a full one, with true entries. */
static void
fill_newest(void)
{
    static char long_text[AUDIT_TEXT_BYTES_MAX + 1];
    struct audit_names names;
    struct err err = {0};
    char path[AUDIT_PATH_BYTES];
    struct stat about;

    memset(long_text, 'x', sizeof(long_text) - 1);
    assert_int_equal(audit_list_files(dir.path, &names, &err), ERR_OK);
    audit_path(dir.path, names.first[names.count - 1], path);
    do {
        put(long_text);
        assert_int_equal(stat(path, &about), 0);
    } while (about.st_size < AUDIT_FILE_BYTES);
}

static void
a_full_list_drops_its_oldest_file_only_when_it_is_old(void **state)
{
    const struct audit_entry entry = {.action = "export", .ok = true};
    const int64_t later_us =
        now_us + (AUDIT_KEEP_DAYS + 1) * INT64_C(86400) * 1000000;
    struct utimbuf times = {(time_t)(now_us / 1000000),
                            (time_t)(now_us / 1000000)};
    struct audit_names names;
    struct err err = {0};
    struct err full = {0};

    (void)state;
    make_full();
    open_list();
    fill_newest();
    assert_int_equal(utime(first_file(), &times), 0);
    assert_int_equal(audit_put(audit, &entry, now_us, &full), ERR_STORE_FULL);
    assert_non_null(strstr(full.detail, "183 days"));
    assert_int_equal(audit_put(audit, &entry, later_us, &err), ERR_OK);
    audit_close(&audit);
    assert_int_equal(audit_list_files(dir.path, &names, &err), ERR_OK);
    assert_int_equal(names.count, AUDIT_FILES_MAX);
    assert_int_equal(names.first[0], 2);
    assert_string_equal(check(), "");
    /* But not by hand. */
    {
        char path[AUDIT_PATH_BYTES];

        audit_path(dir.path, 2, path);
        assert_int_equal(unlink(path), 0);
    }
    assert_non_null(strstr(check(), "no entry says"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_chain_goes_on_after_a_restart),
        TEST(every_changed_byte_is_found),
        TEST(a_taken_a_moved_and_a_doubled_entry_are_found),
        TEST(an_end_that_was_cut_off_is_found),
        TEST(half_an_entry_goes_at_the_next_start),
        TEST(a_head_one_behind_is_fine),
        TEST(another_key_does_not_make_the_same_chain),
        TEST(it_is_read_from_the_newest_on),
        TEST(files_are_closed_and_the_chain_runs_through_them),
        TEST(a_full_list_drops_its_oldest_file_only_when_it_is_old),
    };

    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
