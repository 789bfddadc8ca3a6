/* suqiu import, through the real program: into a store and to a server. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "server/ledger/reader.h"
#include "tests/lib/make_workbook.h"
#include "tests/lib/read_file.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

#define SAMPLE(name) SUQIU_SOURCE_DIR "/tests/data/sample/" name

enum { FINE = 0, NO = 1, USAGE = 2, FAILED = 3 };

static const struct span no_input;
static struct temp_dir dir;
static struct server_process server;
static char data[128];
static char *out;

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    free(out);
    out = NULL;
    if (server.pid > 0) {
        server_process_kill(&server);
    }
    temp_dir_remove(&dir);
    return 0;
}

static int
run(const char *const *args, struct span input)
{
    free(out);
    return run_suqiu(args, input, &out);
}

static void
expect_out(const char *wanted)
{
    if (strstr(out, wanted) == NULL) {
        fail_msg("no '%s' in:\n%s", wanted, out);
    }
}

/* A number of the summary: the line that begins with its name. */
static void
expect_count(const char *name, unsigned long wanted)
{
    const char *line = out;

    while (line != NULL && strncmp(line, name, strlen(name)) != 0) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    if (line == NULL || strtoul(line + strlen(name), NULL, 10) != wanted) {
        fail_msg("not '%s %lu' in:\n%s", name, wanted, out);
    }
}

static bool
is_there(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0;
}

static void
the_sample_is_stored_and_again_it_is_a_duplicate(void **state)
{
    const char *const args[] = {"import",
                                "--data",
                                data,
                                SAMPLE("quarter.ndjson"),
                                SAMPLE("events.ndjson"),
                                SAMPLE("review.ndjson"),
                                NULL};
    struct ledger_totals totals;

    (void)state;
    assert_int_equal(run(args, no_input), FINE);
    expect_count("received", 3560);
    expect_count("accepted", 3560);
    expect_count("rejected", 0);
    totals = store_totals(data);
    assert_int_equal(totals.tickets, 500);
    assert_int_equal(totals.events, 3060);
    assert_int_equal(run(args, no_input), FINE);
    expect_count("accepted", 0);
    expect_count("duplicate", 3560);
    totals = store_totals(data);
    assert_int_equal(totals.tickets, 500);
    assert_int_equal(totals.duplicates, 3560);
}

static bool
note_reject(void *user, const struct reader_reject *reject)
{
    uint64_t *lines = user;

    assert_true(span_is(reject->source, "import"));
    *lines = *lines * 10 + reject->line;
    return true;
}

/* The lines of the reject list, newest first, as the digits of one number. */
static uint64_t
rejected_lines(void)
{
    const struct store_options options = {UINT64_C(64) << 30};
    struct store *store = NULL;
    struct reader reader;
    struct err err = {0};
    uint64_t lines = 0;

    assert_int_equal(store_open(data, STORE_READ, &options, &store, &err),
                     ERR_OK);
    assert_int_equal(reader_begin(store, &reader, &err), ERR_OK);
    assert_int_equal(reader_rejects(&reader, 0, note_reject, &lines, &err),
                     ERR_OK);
    reader_end(&reader);
    store_close(&store);
    return lines;
}

static const char mixed[] =
    "{\"id\":\"1\",\"accepted_at\":\"2018-01-01 08:00:00\",\"text\":\"停电\"}\n"
    "{\"id\":\"1\",\"accepted_at\":\"soon\",\"text\":\"停电\"}\n"
    "\n"
    "{\"id\":\"1\",\"event\":\"closed\",\"at\":\"2018-01-02 08:00:00\"}\n"
    "half a lin";

static void
refused_lines_are_told_kept_and_make_the_exit_code_1(void **state)
{
    const char *const args[] = {"import", "--data", data, "-", NULL};

    (void)state;
    assert_int_equal(run(args, SPAN_LITERAL(mixed)), NO);
    expect_count("received", 4);
    expect_count("accepted", 2);
    expect_count("rejected", 2);
    expect_count("  bad_time", 1);
    expect_count("  bad_json", 1);
    expect_out("standard input: line 2: accepted_at: bad_time: ");
    expect_out("standard input: line 5: bad_json: ");
    assert_int_equal(rejected_lines(), 52);
}

static void
only_as_many_errors_as_asked_are_listed(void **state)
{
    const char *const args[] = {"import", "--data", data, "--errors",
                                "1",      "-",      NULL};

    (void)state;
    assert_int_equal(run(args, SPAN_LITERAL(mixed)), NO);
    expect_out("line 2: ");
    assert_null(strstr(out, "line 5: "));
    expect_out("1 more were refused");
}

/* 工单编号 受理时间 受理内容 事件 时间, tabs, GB18030: a ticket, its closing.
 */
static const char gb_table[] =
    "\xB9\xA4\xB5\xA5\xB1\xE0\xBA\xC5\t\xCA\xDC\xC0\xED\xCA\xB1\xBC\xE4\t"
    "\xCA\xDC\xC0\xED\xC4\xDA\xC8\xDD\tevent\tat\r\n"
    "1\t2018-01-01 08:00:00\t\xCD\xA3\xB5\xE7\t\t\r\n"
    "1\t\t\tclosed\t2018-01-02 08:00:00\r\n"
    "2\t2018-01-01 08:00:00\r\n";

static void
a_table_may_hold_tickets_and_events_in_gb18030_with_tabs(void **state)
{
    const char *path = temp_dir_write(&dir, "any.txt", SPAN_LITERAL(gb_table));
    const char *const args[] = {"import", "--data", data, path, NULL};

    (void)state;
    assert_int_equal(run(args, no_input), NO);
    expect_count("accepted", 2);
    expect_count("  bad_row", 1);
    expect_out("any.txt: line 4: bad_row: ");
    assert_int_equal(store_totals(data).tickets, 1);
    assert_int_equal(store_totals(data).events, 1);
}

static void
nothing_is_stored_when_any_file_cannot_be_taken(void **state)
{
    const char *table =
        temp_dir_write(&dir, "t.csv", SPAN_LITERAL("工单编号,编号\n1,2\n"));
    const char *zip =
        temp_dir_write(&dir, "t.xlsx", SPAN_LITERAL("PK\x03\x04"));
    const char *none = temp_dir_path(&dir, "none");
    const char *const bad[][2] = {{table, "受理时间"},
                                  {zip, "save it again"},
                                  {none, "No such file"},
                                  {dir.path, "is a directory"}};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *const args[] = {"import",  "--data",
                                    data,      SAMPLE("quarter.ndjson"),
                                    bad[i][0], NULL};

        assert_int_equal(run(args, no_input), FAILED);
        expect_out(bad[i][0]);
        expect_out(bad[i][1]);
        assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
        assert_false(is_there(data));
    }
}

static void
wrong_usage_is_told_and_exit_code_2(void **state)
{
    const char *const wrong[][6] = {
        {"import", "--data", data, NULL},
        {"import", "-", NULL},
        {"import", "--data", data, "--to", "http://x", "-"},
        {"import", "--data", data, "-", "-", NULL},
        {"import", "--to", "ftp://x", "-", NULL},
        {"import", "--data", data, "--errors", "many", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *args[8] = {NULL};

        for (size_t k = 0; k < 6 && wrong[i][k] != NULL; k++) {
            args[k] = wrong[i][k];
        }
        if (run(args, no_input) != USAGE) {
            fail_msg("case %zu: %s", i, out);
        }
        assert_false(is_there(data));
    }
}

static void
a_running_server_takes_the_sample_and_the_lines_come_back_right(void **state)
{
    char url[64];
    const char *table = temp_dir_write(&dir, "t.csv", SPAN_LITERAL(gb_table));
    const char *const sample[] = {"import",
                                  "--to",
                                  url,
                                  SAMPLE("quarter.ndjson"),
                                  SAMPLE("events.ndjson"),
                                  NULL};
    const char *const files[] = {"import", "--to", url, "-", table, NULL};
    struct ledger_totals totals;

    (void)state;
    server_process_start(&server, data, NULL);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.http_port);
    assert_int_equal(run(sample, no_input), FINE);
    expect_count("received", 3182);
    expect_count("accepted", 3182);
    totals = store_totals(data);
    assert_int_equal(totals.tickets, 500);
    assert_int_equal(totals.events, 2682);
    assert_int_equal(run(sample, no_input), FINE);
    expect_count("duplicate", 3182);
    assert_int_equal(run(files, SPAN_LITERAL(mixed)), NO);
    expect_count("received", 7);
    expect_count("rejected", 3);
    expect_out("standard input: line 2: accepted_at: bad_time: ");
    expect_out("standard input: line 5: bad_json: ");
    expect_out("t.csv: line 4: bad_row: ");
    assert_int_equal(store_totals(data).rejects, 3);
}

static void
a_server_that_is_not_there_is_told_by_its_address(void **state)
{
    const char *const args[] = {"import", "--to", "http://127.0.0.1:1",
                                SAMPLE("quarter.ndjson"), NULL};

    (void)state;
    assert_int_equal(run(args, no_input), FAILED);
    expect_out("http://127.0.0.1:1: ");
}

/* ---- workbooks ---- */

#define CELL(text) "<c t=\"str\"><v>" text "</v></c>"
#define NUMBER(text) "<c><v>" text "</v></c>"
#define DAY(text) "<c s=\"0\"><v>" text "</v></c>"
#define HEAD                                                                   \
    "<row r=\"3\">" CELL("工单编号") CELL("受理时间") CELL("来电号码")         \
        CELL("受理内容") CELL("备注") "</row>"

/* Two titles, a header, two good rows, three that Excel or people spoilt. */
static const struct workbook_parts spoilt =
    {
        .styles = "<cellXfs><xf numFmtId=\"22\"/></cellXfs>",
        .sheet = "<worksheet><sheetData><row r=\"1\">" CELL("95598 工单明细") "</row><row r=\"2\">" CELL(
            "2018 年 3 月") "</row>" HEAD "<row r=\"4\">" CELL("W1")
            DAY("43163.5") NUMBER("13812345678") CELL(
                "三天两头停电") "</row>"
                                "<row r=\"6\">" CELL("W2") CELL(
                                    "2018-03-04 13:00") CELL("'+86138")
                                    CELL("'=1+1") CELL(
                                        "=2") "</row>"
                                              "<row r=\"7\">" NUMBER(
                                                  "2018030412345678")
                                                  DAY("43163.5") CELL("") CELL(
                                                      "丢了位数") "</row>"
                                                                  "<row "
                                                                  "r="
                                                                  "\"8\">" CELL(
                                                                      "W4") CELL("昨天")
                                                                      CELL("") CELL(
                                                                          "=cm"
                                                                          "d") "</row>"
                                                                               "<row r=\"9\">" CELL(
                                                                                   "W5") "<c t=\"e\"><v>#REF!</v></c>" CELL("")
                                                                                   CELL(
                                                                                       "错") "</row></sheetData></worksheet>",
        .second = "<worksheet><sheetData/></worksheet>"};

static void
a_workbook_is_read_below_its_titles_and_spoilt_rows_are_told_by_row(
    void **state)
{
    const char *book = temp_dir_path(&dir, "工单.xlsx");
    const char *const args[] = {"import", "--data", data, book, NULL};
    const char *const second[] = {"import", "--data", data, "--sheet",
                                  "说明",   book,     NULL};
    const char *const none[] = {"import", "--data", data, "--sheet",
                                "报表",   book,     NULL};

    (void)state;
    make_workbook(book, &spoilt);
    assert_int_equal(run(args, no_input), NO);
    expect_count("accepted", 2);
    expect_count("rejected", 3);
    expect_out("line 7: id: bad_id: column '工单编号'");
    expect_out("its digits are lost");
    expect_out("line 8: accepted_at: bad_time: column '受理时间'");
    expect_out("line 9: bad_row: cell B9");
    assert_int_equal(store_totals(data).tickets, 2);
    assert_int_equal(run(args, no_input), NO);
    expect_count("duplicate", 2);
    assert_int_equal(run(second, no_input), FAILED);
    expect_out("the sheet is empty");
    assert_int_equal(run(none, no_input), FAILED);
    expect_out("there is no sheet \"报表\"; the workbook has: \"工单\", "
               "\"说明\"");
}

/* The refused rows come back as a file; mended, they are taken. */
static void
refused_rows_come_back_with_the_reason_and_can_be_sent_again(void **state)
{
    static const char *const names[] = {"rejects.csv", "rejects.xlsx"};
    const char *book = temp_dir_path(&dir, "book.xlsx");

    (void)state;
    make_workbook(book, &spoilt);
    for (size_t i = 0; i < 2; i++) {
        const char *rejects = temp_dir_path(&dir, names[i]);
        const char *const args[] = {"import",    "--data", data, book,
                                    "--rejects", rejects,  NULL};
        const char *const again[] = {"import", "--data", data, rejects, NULL};

        assert_int_equal(run(args, no_input), NO);
        assert_true(is_there(rejects));
        assert_int_equal(run(again, no_input), NO);
        expect_count("received", 3);
        expect_count("rejected", 3);
        expect_out("line 2: id: bad_id");
        expect_out("line 3: accepted_at: bad_time");
    }
    {
        const char *rejects = temp_dir_path(&dir, "rejects.csv");
        const char *const again[] = {"import", "--data", data, rejects, NULL};
        FILE *file = fopen(rejects, "rb");
        static char text[8192];
        size_t bytes = fread(text, 1, sizeof(text) - 1, file);
        char *yesterday;

        (void)fclose(file);
        text[bytes] = '\0';
        assert_non_null(strstr(text, "错误原因"));
        assert_non_null(strstr(text, "\"'=cmd\""));
        yesterday = strstr(text, "昨天");
        assert_non_null(yesterday);
        memcpy(yesterday, "2018-3", 6);
        memmove(yesterday + 8, yesterday + 6, strlen(yesterday + 6) + 1);
        memcpy(yesterday + 6, "-4", 2);
        (void)temp_dir_write(&dir, "rejects.csv", span_of(text));
        assert_int_equal(run(again, no_input), NO);
        expect_count("accepted", 1);
        expect_count("rejected", 2);
    }
    assert_int_equal(store_totals(data).tickets, 3);
}

static void
no_file_of_refused_rows_is_left_when_there_are_none(void **state)
{
    const char *rejects = temp_dir_path(&dir, "rejects.csv");
    const char *table = temp_dir_write(
        &dir, "t.csv",
        SPAN_LITERAL("工单编号,受理时间,受理内容\n1,2018-01-01 08:00,x\n"));
    const char *const args[] = {"import",    "--data", data, table,
                                "--rejects", rejects,  NULL};
    const char *const wrong[] = {"import",    "--data",  data, table,
                                 "--rejects", "bad.doc", NULL};

    (void)state;
    assert_int_equal(run(args, no_input), FINE);
    assert_false(is_there(rejects));
    assert_int_equal(run(wrong, no_input), USAGE);
}

static void
old_workbooks_and_web_pages_called_xls_are_told_what_to_do(void **state)
{
    const char *old = temp_dir_write(
        &dir, "old.xls", SPAN_LITERAL("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 x"));
    const char *page =
        temp_dir_write(&dir, "page.xls", SPAN_LITERAL("<html><table></table>"));
    const char *text = temp_dir_write(
        &dir, "text.xls",
        SPAN_LITERAL("工单编号\t受理时间\t受理内容\n1\t2018-01-01 08:00\tx\n"));
    const char *const args[][5] = {{"import", "--data", data, old, NULL},
                                   {"import", "--data", data, page, NULL},
                                   {"import", "--data", data, text, NULL}};

    (void)state;
    assert_int_equal(run(args[0], no_input), FAILED);
    expect_out("save it as .xlsx");
    assert_int_equal(run(args[1], no_input), FAILED);
    expect_out("a web page");
    assert_int_equal(run(args[2], no_input), FINE);
    expect_count("accepted", 1);
}

static void
a_workbook_can_be_sent_to_a_server_and_come_from_a_pipe(void **state)
{
    const char *book = temp_dir_path(&dir, "book.xlsx");
    char url[64];
    const char *const args[] = {"import", "--to", url, book, NULL};
    static char bytes[65536];
    size_t size;
    FILE *file;

    (void)state;
    make_workbook(book, &spoilt);
    file = fopen(book, "rb");
    size = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    {
        const char *const piped[] = {"import", "--data", data, "-", NULL};

        assert_int_equal(run(piped, (struct span){bytes, size}), NO);
        expect_count("accepted", 2);
    }
    server_process_start(&server, data, NULL);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.http_port);
    assert_int_equal(run(args, no_input), NO);
    expect_count("duplicate", 2);
    expect_count("rejected", 3);
    expect_out("line 7: id: bad_id");
    expect_out("line 8: accepted_at: bad_time");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_sample_is_stored_and_again_it_is_a_duplicate),
        TEST(refused_lines_are_told_kept_and_make_the_exit_code_1),
        TEST(only_as_many_errors_as_asked_are_listed),
        TEST(a_table_may_hold_tickets_and_events_in_gb18030_with_tabs),
        TEST(nothing_is_stored_when_any_file_cannot_be_taken),
        TEST(wrong_usage_is_told_and_exit_code_2),
        TEST(a_running_server_takes_the_sample_and_the_lines_come_back_right),
        TEST(a_server_that_is_not_there_is_told_by_its_address),
        TEST(
            a_workbook_is_read_below_its_titles_and_spoilt_rows_are_told_by_row),
        TEST(refused_rows_come_back_with_the_reason_and_can_be_sent_again),
        TEST(no_file_of_refused_rows_is_left_when_there_are_none),
        TEST(old_workbooks_and_web_pages_called_xls_are_told_what_to_do),
        TEST(a_workbook_can_be_sent_to_a_server_and_come_from_a_pipe),
    };

    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
