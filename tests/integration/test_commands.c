/* report, fsck and backup through the real program, over the sample quarter. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "tests/lib/read_file.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

static struct temp_dir dir;
static struct server_process server;
static char data[128];
static char *out; /* of the last command */

static int
run(const char *const *args)
{
    free(out);
    out = NULL;
    return run_suqiu(args, (struct span){NULL, 0}, &out);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static bool
said(const char *wanted)
{
    return span_holds(span_of(out), wanted);
}

#define assert_said(wanted)                                                    \
    do {                                                                       \
        if (!said(wanted)) {                                                   \
            fail_msg("\"%s\" is not in: %.4000s", wanted, out);                \
        }                                                                      \
    } while (0)

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
    assert_int_equal(RUN("import", "--data", data,
                         SUQIU_SOURCE_DIR "/tests/data/sample/quarter.ndjson",
                         SUQIU_SOURCE_DIR "/tests/data/sample/events.ndjson",
                         SUQIU_SOURCE_DIR "/tests/data/sample/review.ndjson"),
                     0);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (server.pid > 0) {
        server_process_kill(&server);
    }
    free(out);
    out = NULL;
    temp_dir_remove(&dir);
    return 0;
}

/* The margins of tests/data/sample/README.md, which are those of the paper. */
static void
the_report_shows_the_margins_of_the_reviewed_quarter(void **state)
{
    (void)state;
    assert_int_equal(RUN("report", "--data", data, "--from", "2018-01-01",
                         "--to", "2018-03-31", "--format", "json"),
                     0);
    assert_said("\"complaints\":{\"total\":378,");
    assert_said("\"service\":{\"count\":131,\"share_percent\":34.66}");
    assert_said("\"business\":{\"count\":118,\"share_percent\":31.22}");
    assert_said("\"by_region\":{\"urban\":152,\"rural\":226,\"remote\":3,"
                "\"unknown\":0}");
    assert_said("\"service\":{\"urban\":45,\"rural\":86,\"remote\":1,");
    assert_said("\"grid\":{\"urban\":8,\"rural\":22,\"remote\":0,");
    assert_said("\"subcategory\":\"服务行为\",\"count\":92,");
    assert_said("\"by_kind\":{\"transfer\":0,\"contact\":30,\"reply\":38,"
                "\"arrive\":5,\"restore\":4}");
    assert_said("\"open_by_kind\":{\"transfer\":0,\"contact\":0,\"reply\":3,"
                "\"arrive\":0,\"restore\":0}");
    assert_said("\"reviewed\":378,");
    assert_said("\"received\":500,");
    assert_said("\"as_of\":\"2018-04-01T00:00:00+08:00\"");
    assert_said("\"number\":23,");
}

static void
the_report_for_people_and_for_spreadsheets_says_the_same(void **state)
{
    (void)state;
    assert_int_equal(RUN("report", "--data", data, "--from", "2018-01-01",
                         "--to", "2018-03-31"),
                     0);
    assert_said("2018-01-01 至 2018-03-31（2018-Q1）");
    assert_said("服务投诉           45       86       131   34.66 %");
    assert_said("首次联系    30           0");
    assert_said("无数据");
    assert_int_equal(RUN("report", "--data", data, "--from", "2018-01-01",
                         "--to", "2018-03-31", "--format", "csv"),
                     0);
    assert_said("\xEF\xBB\xBFsection,name,value\r\n");
    assert_said("投诉占比%,服务投诉,34.66\r\n");
    assert_said("超时环节,首次联系,30\r\n");
}

/* A month, a unit by its code, and clocks as of an earlier day. */
static void
the_report_is_of_a_period_a_unit_and_an_instant(void **state)
{
    (void)state;
    assert_int_equal(RUN("report", "--data", data, "--from", "2018-01-02",
                         "--to", "2018-01-02", "--as-of",
                         "2018-01-02T09:00:00+08:00", "--format", "json"),
                     0);
    assert_said("\"as_of\":\"2018-01-02T09:00:00+08:00\"");
    assert_said("\"overdue\":{\"tickets\":0,");
    assert_int_equal(RUN("report", "--data", data, "--from", "2018-01-01",
                         "--to", "2018-01-31", "--unit", "9010102", "--format",
                         "json"),
                     0);
    assert_said("\"period\":\"2018-01\"");
    assert_said("\"unit\":\"宁夏电力/银川供电公司/贺兰县供电公司\"");
    assert_int_equal(RUN("report", "--data", data, "--from", "2017-01-01",
                         "--to", "2017-12-31"),
                     0);
    assert_said("受理工单  0 件");
}

static void
the_report_says_what_is_wrong_with_its_flags(void **state)
{
    (void)state;
    assert_int_equal(RUN("report", "--data", data, "--from", "2018-01-01"), 2);
    assert_int_equal(RUN("report", "--data", data, "--from", "2018-02-01",
                         "--to", "2018-01-01"),
                     2);
    assert_int_equal(RUN("report", "--data", data, "--from", "2018-01-01",
                         "--to", "2018-01-32"),
                     2);
    assert_int_equal(RUN("report", "--data", data, "--from", "2018-01-01",
                         "--to", "2018-01-31", "--format", "pdf"),
                     2);
    assert_said("html or xlsx");
    assert_int_equal(RUN("report", "--data", data, "--from", "2018-01-01",
                         "--to", "2018-01-31", "--unit", "没有"),
                     3);
    assert_int_equal(RUN("report", "--data", "/nonexistent", "--from",
                         "2018-01-01", "--to", "2018-01-31"),
                     3);
}

static void
fsck_finds_nothing_and_says_how_much_it_read(void **state)
{
    (void)state;
    assert_int_equal(RUN("fsck", "--data", data), 0);
    assert_said("500 tickets, 0 new versions, 3060 events (0 waiting)");
    assert_said("\n0 differences\n");
    assert_int_equal(RUN("fsck"), 2);
    assert_int_equal(RUN("fsck", "--data", data, "--lines", "x"), 2);
    assert_int_equal(RUN("fsck", "--data", "/nonexistent"), 3);
}

static void
fsck_says_no_when_a_counter_is_wrong(void **state)
{
    struct store_options options = {.map_bytes = UINT64_C(1) << 30};
    struct store *store = NULL;
    struct err err = {0};
    MDB_txn *txn;

    (void)state;
    assert_int_equal(store_open(data, STORE_OWN, &options, &store, &err),
                     ERR_OK);
    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_drop(txn, store->db[STORE_COUNTERS], 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    store_close(&store);
    assert_int_equal(RUN("fsck", "--data", data, "--lines", "2"), 1);
    assert_said("counters: grain ");
    assert_said("more differences\n");
}

static void
a_clock_of_other_tables_is_counted_not_called_a_difference(void **state)
{
    (void)state;
    assert_int_equal(RUN("fsck", "--data", data, "--deadline-profile", "sgcc"),
                     0);
    assert_said("500 tickets were judged by other tables");
}

static void
a_backup_beside_a_running_server_is_whole(void **state)
{
    const struct server_start how = {0};
    char copy[160];

    (void)state;
    (void)snprintf(copy, sizeof(copy), "%s/copy", dir.path);
    server_process_start(&server, data, &how);
    assert_int_equal(RUN("backup", "--data", data, "--to", copy), 0);
    assert_said("500 tickets, 3060 events");
    assert_int_equal(RUN("fsck", "--data", data), 0);
    assert_int_equal(server_process_stop(&server), 0);
    assert_int_equal(RUN("fsck", "--data", copy), 0);
    assert_said("500 tickets");
    assert_int_equal(store_totals(copy).events, 3060);

    assert_int_equal(RUN("backup", "--data", data, "--to", copy), 3);
    assert_said("does not exist yet");
    assert_int_equal(RUN("backup", "--data", data), 2);
    assert_int_equal(
        RUN("backup", "--data", data, "--to", "/nonexistent/deep/copy"), 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_report_shows_the_margins_of_the_reviewed_quarter),
        cmocka_unit_test(
            the_report_for_people_and_for_spreadsheets_says_the_same),
        cmocka_unit_test(the_report_is_of_a_period_a_unit_and_an_instant),
        cmocka_unit_test(the_report_says_what_is_wrong_with_its_flags),
        cmocka_unit_test(fsck_finds_nothing_and_says_how_much_it_read),
        cmocka_unit_test(
            a_clock_of_other_tables_is_counted_not_called_a_difference),
        cmocka_unit_test(a_backup_beside_a_running_server_is_whole),
        cmocka_unit_test(fsck_says_no_when_a_counter_is_wrong),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
