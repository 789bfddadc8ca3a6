/* Whole lists out of the real program, read by somebody else's tools. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <sys/socket.h>

#include "server/base/buf.h"
#include "server/base/json_out.h"
#include "server/decode/charset.h"
#include "tests/lib/read_file.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

#define SCRIPT SUQIU_SOURCE_DIR "/tests/integration/check_workbook.py"
#define WORDS SUQIU_SOURCE_DIR "/tests/integration/workbook_words.csv"

static struct temp_dir dir;
static struct server_process server;
static struct http_client_answer answer;
static char data[128];

/* Texts that hurt: formulas, XML, what XML cannot hold, what Excel escapes. */
static const char *const hostile[] = {
    "=HYPERLINK(\"http://x\",\"y\")",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    "＝1+1",
    "＋1",
    "－1",
    "＠1",
    "<a>&amp;\"'</a>]]>",
    "_x000D_ and _x0041_",
    "\x01\x02\x1f end",
    " blanks at both ends ",
    "a,b;\"c\"\r\nd\te",
    "\xF0\xA0\xAE\xB7\xF0\x9F\x98\x80 beyond the BMP",
    "\xEF\xBF\xBE noncharacter",
    "'already",
};

static void
post_hostile(void)
{
    struct buf body;
    struct json_out json;

    buf_init(&body, 1 << 20);
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "99%014zu", i);
        json_init(&json, &body);
        json_open_object(&json);
        json_put_text(&json, "id", id);
        json_put_text(&json, "accepted_at", "2018-05-01 08:00:00.250");
        json_put_text(&json, "name", hostile[i]);
        json_put_text(&json, "address", hostile[i]);
        json_put_text(&json, "caller", hostile[i]);
        json_put_text(&json, "text", hostile[i]);
        json_close_object(&json);
        buf_put_char(&body, '\n');
    }
    assert_int_equal(server_process_post(&server, "application/x-ndjson",
                                         buf_view(&body), &answer),
                     200);
    buf_release(&body);
}

static int
set_up(void **state)
{
    struct span quarter = read_source_file("tests/data/sample/quarter.ndjson");
    struct span events = read_source_file("tests/data/sample/events.ndjson");

    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
    server_process_start(&server, data, NULL);
    assert_int_equal(
        server_process_post(&server, "application/x-ndjson", quarter, &answer),
        200);
    assert_int_equal(
        server_process_post(&server, "application/x-ndjson", events, &answer),
        200);
    assert_int_equal(server_process_post(&server, "application/x-ndjson",
                                         SPAN_LITERAL("=1+1\n{\"id\":3}\n"),
                                         &answer),
                     400);
    post_hostile();
    free((char *)(uintptr_t)quarter.data);
    free((char *)(uintptr_t)events.data);
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

static struct span
get(const char *path)
{
    const struct http_client_request request = {.method = "GET", .path = path};

    if (server_process_request(&server, &request, &answer) != 200) {
        fail_msg("%s: %u %.*s", path, answer.status, SPAN_ARGS(answer.body));
    }
    return answer.body;
}

/* The answer to `path` as a file of the test's directory. */
static void
save(const char *path, const char *name, char *out, size_t room)
{
    struct span body = get(path);
    FILE *file;

    (void)snprintf(out, room, "%s/%s", dir.path, name);
    file = fopen(out, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(body.data, 1, body.bytes, file), body.bytes);
    assert_int_equal(fclose(file), 0);
}

static void
a_workbook_holds_what_the_json_holds(void **state)
{
    static const char *const lists[] = {
        "tickets",
        "tickets?from=2018-02-01&category=service",
        "overdue",
        "repeat-callers",
        "counters",
        "counters?by=category,region&period=month",
        "rejects",
        "hot-spots",
        "tickets?from=1999-01-01&to=1999-12-31"};

    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const char *query = strchr(lists[i], '?');
        size_t bytes =
            query != NULL ? (size_t)(query - lists[i]) : strlen(lists[i]);
        char path[256];
        char rows[160];
        char workbook[160];
        char command[1024];

        query = query != NULL ? query : "";
        (void)snprintf(path, sizeof(path), "/v1/%.*s.ndjson%s", (int)bytes,
                       lists[i], query);
        save(path, "list.ndjson", rows, sizeof(rows));
        (void)snprintf(path, sizeof(path), "/v1/%.*s.xlsx%s", (int)bytes,
                       lists[i], query);
        save(path, "list.xlsx", workbook, sizeof(workbook));
        assert_string_equal(answer.type,
                            "application/vnd.openxmlformats-officedocument."
                            "spreadsheetml.sheet");
        (void)snprintf(command, sizeof(command), "%s %s %s %s %s",
                       PYTHON_PROGRAM, SCRIPT, rows, workbook, WORDS);
        if (system(command) != 0) {
            fail_msg("%s differs", lists[i]);
        }
    }
}

/* No cell of a CSV may begin like a formula: after a separator, a line end or
 * an opening quote. */
static void
expect_no_formula(struct span text)
{
    bool cell_begins = true;
    bool quoted = false;

    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.data[i];

        if (cell_begins && c == '"') {
            quoted = true;
            i++;
            c = i < text.bytes ? text.data[i] : '"';
        }
        if (cell_begins && strchr("=+@\t", c) != NULL) {
            fail_msg("a formula: %.40s", text.data + i);
        }
        cell_begins = false;
        if (c == '"') {
            quoted = !quoted && i + 1 < text.bytes; /* "" turns twice */
        } else if (!quoted && (c == ',' || c == '\n')) {
            cell_begins = true;
        }
    }
}

static void
csv_of_every_encoding_is_the_same_text(void **state)
{
    static const struct {
        const char *word;
        enum charset charset;
        char separator;
    } encodings[] = {{"utf-8-bom", CHARSET_UTF8, ','},
                     {"UTF-8", CHARSET_UTF8, ','},
                     {"gb18030", CHARSET_GB18030, ','},
                     {"utf-16le", CHARSET_UTF16LE, '\t'}};
    char *plain = NULL;
    size_t plain_bytes = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        struct charset_text text;
        struct err err = {0};
        char path[128];

        (void)snprintf(path, sizeof(path), "/v1/tickets.csv?encoding=%s",
                       encodings[i].word);
        if (charset_to_utf8(get(path), &text, &err) != ERR_OK) {
            fail_msg("%s: %s", path, err.detail);
        }
        assert_int_equal(text.charset, encodings[i].charset);
        if (encodings[i].separator == ',') {
            expect_no_formula(text.text);
        }
        if (plain == NULL) {
            plain_bytes = text.text.bytes;
            plain = malloc(plain_bytes);
            memcpy(plain, text.text.data, plain_bytes);
        }
        assert_int_equal(text.text.bytes, plain_bytes);
        for (size_t k = 0; k < plain_bytes; k++) {
            if (text.text.data[k] != plain[k] &&
                !(plain[k] == ',' &&
                  text.text.data[k] == encodings[i].separator)) {
                fail_msg("%s differs at byte %zu", path, k);
            }
        }
        charset_text_free(&text);
    }
    free(plain);
    (void)server_process_request(
        &server,
        &(struct http_client_request){
            .method = "GET", .path = "/v1/tickets.csv?encoding=latin1"},
        &answer);
    assert_int_equal(answer.status, 400);
    assert_true(span_holds(answer.body, "gb18030"));
    (void)server_process_request(
        &server,
        &(struct http_client_request){
            .method = "GET", .path = "/v1/tickets.xlsx?encoding=gb18030"},
        &answer);
    assert_int_equal(answer.status, 400);
}

/* One request over a socket of its own, with headers of our choice. */
static char *
raw(const char *path, const char *headers, size_t *bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server.http_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t room = 8 << 20;
    char *text = malloc(room);
    char request[512];
    ssize_t got;
    int length =
        snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                 "%s\r\n",
                 path, headers);

    *bytes = 0;
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    assert_int_equal(write(fd, request, (size_t)length), length);
    while ((got = read(fd, text + *bytes, room - *bytes - 1)) > 0) {
        *bytes += (size_t)got;
    }
    text[*bytes] = '\0';
    (void)close(fd);
    return text;
}

static void
a_client_that_knows_the_page_gets_304(void **state)
{
    static const char path[] = "/v1/tickets?to=2018-03-31";
    size_t bytes;
    char headers[128];
    char *first = raw(path, "", &bytes);
    char *tag = strstr(first, "ETag: ");
    char *second;

    (void)state;
    assert_non_null(tag);
    (void)snprintf(headers, sizeof(headers), "If-None-Match: %.20s\r\n",
                   tag + 6);
    assert_null(strstr(first, "Content-Encoding"));
    second = raw(path, headers, &bytes);
    assert_memory_equal(second, "HTTP/1.1 304", 12);
    free(second);
    second = raw("/v1/tickets?to=2018-03-30", headers, &bytes);
    assert_memory_equal(second, "HTTP/1.1 200", 12);
    free(second);
    free(first);
}

static void
answers_are_compressed_for_whom_it_pleases(void **state)
{
    static const char *const paths[] = {"/v1/tickets", "/v1/tickets.csv",
                                        "/v1/tickets.ndjson"};
    size_t plain_bytes;
    size_t bytes;

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char *plain =
            raw(paths[i], "Accept-Encoding: gzip;q=0\r\n", &plain_bytes);
        char *packed =
            raw(paths[i], "Accept-Encoding: br, gzip;q=0.5\r\n", &bytes);
        char *body = strstr(packed, "\r\n\r\n");

        assert_null(strstr(plain, "Content-Encoding"));
        assert_non_null(strstr(packed, "Content-Encoding: gzip"));
        assert_true(bytes * 2 < plain_bytes);
        assert_non_null(body);
        assert_non_null(
            memmem(body, bytes - (size_t)(body - packed), "\x1f\x8b", 2));
        free(plain);
        free(packed);
    }
    /* not worth it */
    free(raw("/healthz", "Accept-Encoding: gzip\r\n", &bytes));
}

static void
clients_that_go_away_leave_no_workbook_behind(void **state)
{
    char spool[160];
    DIR *files;
    unsigned left = 0;
    size_t bytes;

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct sockaddr_in address = {
            .sin_family = AF_INET,
            .sin_port = htons((uint16_t)server.http_port),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        static const char request[] =
            "GET /v1/tickets.xlsx HTTP/1.1\r\nHost: localhost\r\n\r\n";
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        assert_int_equal(
            connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_true(write(fd, request, sizeof(request) - 1) > 0);
        (void)close(fd);
    }
    /* The places are given back: a whole one can be had again. */
    do {
        char *text = raw("/v1/tickets.xlsx", "", &bytes);
        bool busy = strncmp(text, "HTTP/1.1 503", 12) == 0;

        free(text);
        if (!busy) {
            break;
        }
    } while (true);
    (void)get("/v1/tickets.xlsx");
    assert_int_equal(server_process_stop(&server), 0);
    (void)snprintf(spool, sizeof(spool), "%s/spool", data);
    files = opendir(spool);
    assert_non_null(files);
    for (struct dirent *entry = readdir(files); entry != NULL;
         entry = readdir(files)) {
        left += entry->d_name[0] != '.';
    }
    (void)closedir(files);
    assert_int_equal(left, 0);
    server_process_start(&server, data, NULL);
}

/* What was exported for Excel is read in again, into a store of its own, and
 * says the same. */
static void
exports_come_back_by_import(void **state)
{
    static const struct {
        const char *query;
        const char *name;
    } exports[] = {{".csv?encoding=gb18030&excel=1", "out.csv"},
                   {".csv?encoding=utf-16le&excel=1", "out.txt"},
                   {".csv", "plain.csv"},
                   {".xlsx?to=2018-03-31", "out.xlsx"}};

    (void)state;
    for (size_t i = 0; i < sizeof(exports) / sizeof(exports[0]); i++) {
        struct server_process first = server;
        char path[128];
        char file[160];
        char before[160];
        char after[160];
        char again[160];
        char command[1024];
        char *out = NULL;
        const char *const args[] = {"import", "--data", again, file, NULL};

        (void)snprintf(path, sizeof(path), "/v1/tickets%s", exports[i].query);
        save(path, exports[i].name, file, sizeof(file));
        (void)snprintf(
            path, sizeof(path), "/v1/tickets.ndjson%s",
            strstr(exports[i].query, "to=") != NULL ? "?to=2018-03-31" : "");
        save(path, "before.ndjson", before, sizeof(before));
        (void)snprintf(again, sizeof(again), "%s/again%zu", dir.path, i);
        if (run_suqiu(args, (struct span){"", 0}, &out) != 0) {
            fail_msg("%s: %s", exports[i].query, out);
        }
        free(out);
        server = (struct server_process){0};
        server_process_start(&server, again, NULL);
        save("/v1/tickets.ndjson", "after.ndjson", after, sizeof(after));
        assert_int_equal(server_process_stop(&server), 0);
        server = first;
        (void)snprintf(command, sizeof(command), "%s %s %s %s", PYTHON_PROGRAM,
                       SUQIU_SOURCE_DIR "/tests/integration/check_again.py",
                       before, after);
        if (system(command) != 0) {
            fail_msg("%s came back differently", exports[i].query);
        }
    }
}

#define QUARTER "from=2018-01-01&to=2018-03-31"

static void
a_report_says_the_same_in_every_form(void **state)
{
    char json[160];
    char workbook[160];
    char page[160];
    char command[1024];
    size_t bytes;
    char *text;

    (void)state;
    save("/v1/report?" QUARTER, "report.json", json, sizeof(json));
    assert_string_equal(answer.type, "application/json");
    save("/v1/report?format=xlsx&" QUARTER, "report.xlsx", workbook,
         sizeof(workbook));
    save("/v1/report?format=html&" QUARTER, "report.html", page, sizeof(page));
    (void)snprintf(command, sizeof(command), "%s %s %s %s %s", PYTHON_PROGRAM,
                   SUQIU_SOURCE_DIR "/tests/integration/check_report.py", json,
                   workbook, page);
    assert_int_equal(system(command), 0);
    assert_true(span_holds(get("/v1/report?format=csv&" QUARTER), "投诉占比%"));
    assert_true(span_holds(get("/v1/report?format=text&" QUARTER), "投诉构成"));

    text = raw("/v1/report?format=html&" QUARTER, "", &bytes);
    assert_non_null(strstr(text, "default-src 'none'; style-src"));
    assert_null(strstr(text, "default-src 'self'"));
    free(text);
}

static void
a_report_says_what_is_wrong_with_its_question(void **state)
{
    static const struct {
        const char *query;
        unsigned status;
        const char *words;
    } bad[] = {{"", 400, "from DATE"},
               {"?from=2018-01-01", 400, "to DATE"},
               {"?from=2018-02-01&to=2018-01-01", 400, "lies before"},
               {"?format=pdf&" QUARTER, 400, "html or xlsx"},
               {"?unit=none&" QUARTER, 404, "no ticket is of the unit"},
               {"?formt=json&" QUARTER, 400, "format"}};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char path[160];
        const struct http_client_request request = {.method = "GET",
                                                    .path = path};

        (void)snprintf(path, sizeof(path), "/v1/report%s", bad[i].query);
        assert_int_equal(server_process_request(&server, &request, &answer),
                         bad[i].status);
        if (!span_holds(answer.body, bad[i].words)) {
            fail_msg("%s: %.*s", path, SPAN_ARGS(answer.body));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_workbook_holds_what_the_json_holds),
        cmocka_unit_test(csv_of_every_encoding_is_the_same_text),
        cmocka_unit_test(a_client_that_knows_the_page_gets_304),
        cmocka_unit_test(answers_are_compressed_for_whom_it_pleases),
        cmocka_unit_test(exports_come_back_by_import),
        cmocka_unit_test(a_report_says_the_same_in_every_form),
        cmocka_unit_test(a_report_says_what_is_wrong_with_its_question),
        cmocka_unit_test(clients_that_go_away_leave_no_workbook_behind),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
