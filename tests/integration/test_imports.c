/* /v1/imports, through the real program: look, choose, confirm, get back. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <time.h>

#include "server/base/buf.h"
#include "server/imports/imports.h"
#include "tests/lib/make_workbook.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

#define CELL(text) "<c t=\"str\"><v>" text "</v></c>"

static struct temp_dir dir;
static struct server_process server;
static struct http_client_answer answer;
static char data[128];
static char id[IMPORT_ID_BYTES];

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
    server_process_start(&server, data, NULL);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (server.pid > 0 && server_process_stop(&server) != 0) {
        return -1;
    }
    temp_dir_remove(&dir);
    return 0;
}

static unsigned
ask(const char *method, const char *path, struct span body)
{
    const struct http_client_request request = {
        .method = method,
        .path = path,
        .type = body.data != NULL ? "application/octet-stream" : NULL,
        .body = body};

    return server_process_request(&server, &request, &answer);
}

static unsigned
ask_item(const char *method, const char *what, const char *body)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "/v1/imports/%s%s", id, what);
    return ask(method, path,
               body != NULL ? span_of(body) : (struct span){NULL, 0});
}

static void
expect(const char *words)
{
    if (!span_holds(answer.body, words)) {
        fail_msg("no '%s' in %.*s", words, SPAN_ARGS(answer.body));
    }
}

static void
upload(struct span body, const char *query)
{
    char path[256];
    size_t at;

    (void)snprintf(path, sizeof(path), "/v1/imports%s", query);
    if (ask("POST", path, body) != 201) {
        fail_msg("%u %.*s", answer.status, SPAN_ARGS(answer.body));
    }
    at = span_find(answer.body, SPAN_LITERAL("\"id\":\""), 0);
    (void)snprintf(id, sizeof(id), "%.16s", answer.body.data + at + 6);
}

static void
wait_until_done(void)
{
    for (int i = 0; i < 3000; i++) {
        const struct timespec moment = {0, 10000000};

        assert_int_equal(ask_item("GET", "", NULL), 200);
        if (!span_holds(answer.body, "\"state\":\"running\"")) {
            return;
        }
        (void)nanosleep(&moment, NULL);
    }
    fail_msg("it does not end: %.*s", SPAN_ARGS(answer.body));
}

static unsigned
files_left(void)
{
    char path[160];
    unsigned count = 0;
    DIR *files;

    (void)snprintf(path, sizeof(path), "%s/imports", data);
    files = opendir(path);
    assert_non_null(files);
    for (struct dirent *entry = readdir(files); entry != NULL;
         entry = readdir(files)) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(files);
    return count;
}

/* The hour of a newcomer: a GB18030 table with a heading that nobody knows. */
static void
a_column_is_chosen_by_hand_and_bad_rows_come_back(void **state)
{
    /* 单号 受理时间 受理内容 来电号码 */
    static const char table[] =
        "\xB5\xA5\xBA\xC5\x21,\xCA\xDC\xC0\xED\xCA\xB1\xBC\xE4,"
        "\xCA\xDC\xC0\xED\xC4\xDA\xC8\xDD,\xC0\xB4\xB5\xE7\xBA\xC5\xC2\xEB\r\n"
        "A1,2018-03-04 09:00,\xCD\xA3\xB5\xE7,13812345678\r\n"
        "A2,2018-13-04 09:00,\xCD\xA3\xB5\xE7,13812345679\r\n"
        "A3,2018-03-05 09:00,=1+1,13812345670\r\n";

    (void)state;
    upload(SPAN_LITERAL(table), "?name=%E5%B7%A5%E5%8D%95.csv");
    expect("\"name\":\"工单.csv\"");
    expect("\"format\":\"csv\",\"encoding\":\"GB18030\"");
    expect("\"missing\":[\"id\"]");
    expect("{\"index\":0,\"heading\":\"单号!\",\"field\":null");
    assert_int_equal(ask_item("POST", "/confirm", "{}"), 400);
    expect("\"code\":\"no_column\"");
    expect("\"field\":\"id\"");

    assert_int_equal(
        ask_item("POST", "/preview", "{\"columns\":{\"0\":\"id\"}}"), 200);
    expect("\"missing\":[]");
    expect("\"line\":2,\"id\":\"A1\",\"record\":\"ticket\"");
    expect("\"verdict\":{\"category\":");
    expect("\"code\":\"bad_time\",\"title\":\"不是日期和时间\",\"field\":"
           "\"accepted_at\",\"column\":1,\"heading\":\"受理时间\"");
    assert_int_equal(store_totals(data).tickets, 0);

    assert_int_equal(ask_item("GET", "/rejects.csv", NULL), 503);
    assert_int_equal(ask_item("POST", "/confirm", ""), 202);
    wait_until_done();
    expect("\"state\":\"done\"");
    assert_int_equal(json_number(answer.body, "received"), 3);
    assert_int_equal(json_number(answer.body, "accepted"), 2);
    assert_int_equal(json_number(answer.body, "rejected"), 1);
    assert_int_equal(json_number(answer.body, "percent"), 100);
    assert_int_equal(store_totals(data).tickets, 2);

    assert_int_equal(ask_item("GET", "/rejects.csv", NULL), 200);
    expect("单号!,受理时间,受理内容,来电号码,错误原因\r\nA2,");
    assert_int_equal(ask_item("GET", "/rejects.xlsx", NULL), 200);
    assert_memory_equal(answer.body.data, "PK\x03\x04", 4);
    assert_int_equal(ask_item("POST", "/confirm", "{}"), 400);
    assert_int_equal(ask_item("DELETE", "", NULL), 204);
    assert_int_equal(ask_item("GET", "", NULL), 404);
    assert_int_equal(files_left(), 0);
}

static void
a_sheet_is_chosen_and_looked_at_first(void **state)
{
    static char bytes[65536];
    const char *book = temp_dir_path(&dir, "book.xlsx");
    size_t size;
    FILE *file;

    (void)state;
    make_workbook(
        book, &(struct workbook_parts){
                  .sheet = "<worksheet><sheetData><row>" CELL("什么")
                      CELL("都不是") "</row><row>" CELL("1")
                          CELL("2") "</row></sheetData>"
                                    "</worksheet>",
                  .second = "<worksheet><sheetData><row>" CELL("工单编号")
                      CELL("受理时间") CELL("受理内容") "</row><row>" CELL("S1")
                          CELL("2018-03-04 09:00")
                              CELL("停电") "</row></sheetData></worksheet>"});
    file = fopen(book, "rb");
    size = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    upload((struct span){bytes, size}, "");
    expect("\"sheets\":[\"工单\",\"说明\"],\"sheet\":\"工单\"");
    expect("\"missing\":[\"id\",\"accepted_at\",\"text\"]");
    assert_int_equal(ask_item("POST", "/confirm", "{\"sheet\":\"说明\"}"), 400);
    expect("\"field\":\"sheet\"");
    assert_int_equal(ask_item("POST", "/preview", "{\"sheet\":\"无\"}"), 404);
    expect("there is no sheet");
    assert_int_equal(ask_item("POST", "/preview", "{\"sheet\":\"说明\"}"), 200);
    expect("\"missing\":[]");
    assert_int_equal(ask_item("POST", "/confirm", "{\"sheet\":\"说明\"}"), 202);
    wait_until_done();
    assert_int_equal(json_number(answer.body, "accepted"), 1);
    assert_int_equal(ask_item("GET", "/rejects.csv", NULL), 404);
    expect("no row was refused");
}

static void
what_cannot_be_read_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(ask("POST", "/v1/imports", SPAN_LITERAL("")), 400);
    assert_int_equal(ask("POST", "/v1/imports", SPAN_LITERAL("PK\x03\x04 x")),
                     400);
    expect("bad_encoding");
    assert_int_equal(ask("POST", "/v1/imports",
                         SPAN_LITERAL("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 old")),
                     400);
    expect("save it as .xlsx");
    assert_int_equal(ask("POST", "/v1/imports?nme=x", SPAN_LITERAL("a,b\n")),
                     400);
    assert_int_equal(
        ask("GET", "/v1/imports/0000000000000000", (struct span){NULL, 0}),
        404);
    assert_int_equal(files_left(), 0);
    upload(SPAN_LITERAL("a,b\n1,2\n"), "");
    assert_int_equal(
        ask_item("POST", "/preview", "{\"columns\":{\"7\":\"id\"}}"), 400);
    assert_int_equal(
        ask_item("POST", "/preview", "{\"columns\":{\"0\":\"nonsense\"}}"),
        400);
    assert_int_equal(ask_item("POST", "/preview",
                              "{\"columns\":{\"0\":\"id\",\"1\":\"id\"}}"),
                     400);
    expect("duplicate_field");
    assert_int_equal(ask_item("POST", "/preview", "[]"), 400);
    assert_int_equal(ask_item("GET", "", NULL), 200); /* still there */
    assert_int_equal(ask_item("DELETE", "", NULL), 204);
}

static void
lines_of_json_are_taken_and_only_so_many_files_wait(void **state)
{
    static const char line[] =
        "{\"id\":\"J1\",\"accepted_at\":\"2018-01-01 08:00:00\",\"text\":\"x\"}"
        "\nnot json\n";

    (void)state;
    for (int i = 0; i < IMPORTS_MAX; i++) {
        upload(SPAN_LITERAL(line), "?name=lines");
        expect("\"format\":\"ndjson\"");
        expect("\"columns\":[]");
    }
    assert_int_equal(ask("POST", "/v1/imports", SPAN_LITERAL(line)), 503);
    assert_int_equal(ask_item("POST", "/confirm", NULL), 202);
    wait_until_done();
    assert_int_equal(json_number(answer.body, "accepted"), 1);
    assert_int_equal(ask_item("GET", "/rejects.csv", NULL), 200);
    expect("行号,原文,错误原因\r\n2,not json,");
    assert_int_equal(ask("GET", "/v1/imports", (struct span){NULL, 0}), 200);
    expect("\"state\":\"done\"");
    assert_int_equal(ask_item("DELETE", "", NULL), 204);
    upload(SPAN_LITERAL(line), "");
}

/* Ended in the middle, by order and by force: what is stored is whole, what
 * comes again is a duplicate, no file is left. */
static void
an_end_in_the_middle_loses_and_doubles_nothing(void **state)
{
    enum { ROWS = 60000 };
    struct buf body;
    struct ledger_totals totals;

    (void)state;
    buf_init(&body, 64 << 20);
    buf_put_text(&body, "id,accepted_at,text\n");
    for (int i = 0; i < ROWS; i++) {
        buf_printf(&body, "B%d,2018-03-04 09:00,客户反映停电%d次\n", i, i);
    }
    for (int by_force = 0; by_force < 2; by_force++) {
        upload(buf_view(&body), "");
        assert_int_equal(ask_item("POST", "/confirm", "{}"), 202);
        if (by_force) {
            server_process_kill(&server);
        } else {
            assert_int_equal(server_process_stop(&server), 0);
            assert_int_equal(files_left(), 0);
        }
        server_process_start(&server, data, NULL);
        assert_int_equal(files_left(), 0);
        assert_int_equal(ask_item("GET", "", NULL), 404);
    }
    upload(buf_view(&body), "");
    assert_int_equal(ask_item("POST", "/confirm", "{}"), 202);
    wait_until_done();
    assert_int_equal(json_number(answer.body, "received"), ROWS);
    assert_int_equal(json_number(answer.body, "rejected"), 0);
    totals = store_totals(data);
    assert_int_equal(totals.tickets, ROWS);
    assert_int_equal(totals.versions, 0);
    buf_release(&body);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_column_is_chosen_by_hand_and_bad_rows_come_back),
        TEST(a_sheet_is_chosen_and_looked_at_first),
        TEST(what_cannot_be_read_is_refused_and_leaves_nothing),
        TEST(lines_of_json_are_taken_and_only_so_many_files_wait),
        TEST(an_end_in_the_middle_loses_and_doubles_nothing),
    };

    return cmocka_run_group_tests_name("imports", tests, NULL, NULL);
}
