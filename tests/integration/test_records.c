/* POST /v1/records, through the real program: statuses, counts, errors. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/ingest/http_intake.h"
#include "server/ledger/reader.h"
#include "tests/lib/read_file.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

#define NDJSON "application/x-ndjson"
#define GOOD(id)                                                               \
    "{\"id\":\"" id "\",\"accepted_at\":\"2018-01-01 08:00:00\",\"text\":"     \
    "\"停电\"}"
#define BAD(id) "{\"id\":\"" id "\",\"accepted_at\":\"x\",\"text\":\"\"}"

static struct temp_dir dir;
static struct server_process server;
static struct http_client_answer answer;
static const char *data;

static int
set_up(void **state)
{
    static const char *const flags[] = {"--http-body-bytes-max", "1000000",
                                        NULL};
    static const struct server_start how = {.flags = flags};
    static char path[128];

    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(path, sizeof(path), "%s/data", dir.path);
    data = path;
    server_process_start(&server, data, &how);
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

static void
expect_counts(unsigned received,
              unsigned accepted,
              unsigned duplicate,
              unsigned updated,
              unsigned rejected)
{
    assert_string_equal(answer.type, "application/json");
    assert_int_equal(json_number(answer.body, "received"), received);
    assert_int_equal(json_number(answer.body, "accepted"), accepted);
    assert_int_equal(json_number(answer.body, "duplicate"), duplicate);
    assert_int_equal(json_number(answer.body, "updated"), updated);
    assert_int_equal(json_number(answer.body, "rejected"), rejected);
    if (rejected == 0) {
        assert_true(span_holds(answer.body, "\"errors\":[]"));
        assert_true(span_holds(answer.body, "\"errors_truncated\":false"));
    }
}

static void
all_accepted_is_200_and_the_second_time_all_are_duplicates(void **state)
{
    struct span quarter = read_source_file("tests/data/sample/quarter.ndjson");

    (void)state;
    assert_int_equal(server_process_post(&server, NDJSON, quarter, &answer),
                     200);
    expect_counts(500, 500, 0, 0, 0);
    assert_int_equal(store_totals(data).tickets, 500);
    assert_int_equal(server_process_post(&server, NDJSON, quarter, &answer),
                     200);
    expect_counts(500, 0, 500, 0, 0);
    free((char *)(uintptr_t)quarter.data);
}

static void
another_content_under_the_same_id_is_an_update(void **state)
{
    (void)state;
    assert_int_equal(
        server_process_post(&server, NDJSON, SPAN_LITERAL(GOOD("1")), &answer),
        200);
    assert_int_equal(
        server_process_post(&server, NDJSON,
                            SPAN_LITERAL("{\"id\":\"1\",\"accepted_at\":"
                                         "\"2018-01-01 08:00:00\",\"text\":"
                                         "\"又停电\"}"),
                            &answer),
        200);
    expect_counts(1, 0, 0, 1, 0);
    assert_int_equal(store_totals(data).tickets, 1);
    assert_int_equal(store_totals(data).versions, 1);
}

static void
some_accepted_is_207_with_line_code_field_and_value(void **state)
{
    (void)state;
    assert_int_equal(server_process_post(&server, NDJSON,
                                         SPAN_LITERAL(GOOD("1") "\n\n" BAD(
                                             "2") "\r\n" GOOD("3") "\nno"),
                                         &answer),
                     207);
    expect_counts(4, 2, 0, 0, 2);
    assert_true(span_holds(answer.body,
                           "{\"line\":3,\"id\":\"2\",\"code\":\"bad_time\","
                           "\"field\":\"accepted_at\",\"detail\":\""));
    assert_true(span_holds(answer.body, "\"value\":\"x\""));
    assert_true(span_holds(answer.body, "{\"line\":5,"));
    assert_true(span_holds(answer.body, "\"code\":\"bad_json\""));
    assert_int_equal(store_totals(data).tickets, 2);
    assert_int_equal(store_totals(data).rejects, 2);
}

static void
none_accepted_is_400_and_the_lines_are_kept(void **state)
{
    (void)state;
    assert_int_equal(server_process_post(&server, NDJSON,
                                         SPAN_LITERAL(BAD("1") "\n" BAD("2")),
                                         &answer),
                     400);
    expect_counts(2, 0, 0, 0, 2);
    assert_int_equal(store_totals(data).rejects, 2);
}

static void
a_personal_value_is_not_in_the_answer(void **state)
{
    static const char body[] =
        "{\"id\":\"1\",\"accepted_at\":\"2018-01-01 08:00:00\",\"text\":\"\","
        "\"caller\":{\"n\":19900001234}}";

    (void)state;
    assert_int_equal(
        server_process_post(&server, NDJSON, SPAN_LITERAL(body), &answer), 400);
    expect_counts(1, 0, 0, 0, 1);
    assert_true(span_holds(answer.body, "\"field\":\"caller\""));
    assert_false(span_holds(answer.body, "1990000"));
}

static void
json_takes_one_record_or_an_array_that_may_break_off(void **state)
{
    (void)state;
    assert_int_equal(server_process_post(&server, "application/json",
                                         SPAN_LITERAL("\n" GOOD("1") "\n"),
                                         &answer),
                     200);
    expect_counts(1, 1, 0, 0, 0);
    assert_int_equal(
        server_process_post(&server, "application/json; charset=utf-8",
                            SPAN_LITERAL("[" GOOD("1") "," GOOD("2") ",7]"),
                            &answer),
        207);
    expect_counts(3, 1, 1, 0, 1);
    assert_true(span_holds(answer.body, "{\"line\":3,"));
    assert_int_equal(server_process_post(&server, "application/json",
                                         SPAN_LITERAL("[" GOOD("3") ",{\"id"),
                                         &answer),
                     207);
    expect_counts(2, 1, 0, 0, 1);
    assert_true(span_holds(answer.body, "{\"line\":2,"));
    assert_true(span_holds(answer.body, "not closed"));
    assert_int_equal(store_totals(data).tickets, 3);
}

static void
csv_is_taken_by_its_columns_in_gb18030_too(void **state)
{
    /* 工单编号,受理时间,受理内容 and 停电 */
    static const char gb[] =
        "\xB9\xA4\xB5\xA5\xB1\xE0\xBA\xC5,\xCA\xDC\xC0\xED\xCA\xB1\xBC\xE4,"
        "\xCA\xDC\xC0\xED\xC4\xDA\xC8\xDD\r\n"
        "1,2018-01-01 08:00:00,\xCD\xA3\xB5\xE7\r\n"
        "2,2018-01-01,too,many\r\n"
        "3,2018-01-01 09:00:00,\xCD\xA3\xB5\xE7\r\n";

    (void)state;
    assert_int_equal(
        server_process_post(&server, "text/csv", SPAN_LITERAL(gb), &answer),
        207);
    expect_counts(3, 2, 0, 0, 1);
    assert_true(span_holds(answer.body, "{\"line\":3,"));
    assert_true(span_holds(answer.body, "\"code\":\"bad_row\""));
    assert_int_equal(server_process_post(&server, "text/csv",
                                         SPAN_LITERAL("a,b\n1,2\n"), &answer),
                     400);
    assert_string_equal(answer.type, "application/problem+json");
    assert_true(span_holds(answer.body, "\"code\":\"no_column\""));
}

static void
an_empty_body_has_no_records(void **state)
{
    (void)state;
    assert_int_equal(
        server_process_post(&server, NDJSON, SPAN_LITERAL("\n \n"), &answer),
        200);
    expect_counts(0, 0, 0, 0, 0);
}

static void
a_body_over_the_limit_is_413_and_nothing_of_it_is_stored(void **state)
{
    char *body = malloc(1000001);

    (void)state;
    assert_non_null(body);
    memset(body, '\n', 1000001);
    memcpy(body, GOOD("1"), strlen(GOOD("1")));
    assert_int_equal(server_process_post(&server, NDJSON,
                                         (struct span){body, 1000001}, &answer),
                     413);
    assert_string_equal(answer.type, "application/problem+json");
    assert_int_equal(store_totals(data).tickets, 0);
    assert_int_equal(server_process_post(&server, NDJSON,
                                         (struct span){body, 1000000}, &answer),
                     200);
    assert_int_equal(store_totals(data).tickets, 1);
    free(body);
}

static void
an_unknown_type_of_body_is_415(void **state)
{
    (void)state;
    assert_int_equal(server_process_post(&server, "text/plain",
                                         SPAN_LITERAL(GOOD("1")), &answer),
                     415);
    assert_string_equal(answer.type, "application/problem+json");
    assert_true(span_holds(answer.body, "text/csv"));
    assert_int_equal(store_totals(data).tickets, 0);
}

static void
no_more_than_the_first_errors_are_listed(void **state)
{
    size_t count = HTTP_INTAKE_ERRORS_MAX + 5;
    char *body = malloc(count * 2);
    size_t listed = 0;
    size_t at = 0;

    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < count; i++) {
        memcpy(body + 2 * i, "x\n", 2);
    }
    assert_int_equal(server_process_post(&server, NDJSON,
                                         (struct span){body, 2 * count},
                                         &answer),
                     400);
    free(body);
    assert_int_equal(json_number(answer.body, "rejected"), count);
    assert_true(span_holds(answer.body, "\"errors_truncated\":true"));
    while ((at = span_find(answer.body, SPAN_LITERAL("{\"line\":"), at)) !=
           SIZE_MAX) {
        listed++;
        at++;
    }
    assert_int_equal(listed, HTTP_INTAKE_ERRORS_MAX);
}

/* --- many at once ------------------------------------------------------- */

/* A connection with one request on it, which the server closes after. */
static int
send_request(const char *body)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server.http_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char request[1024];
    int bytes = snprintf(request, sizeof(request),
                         "POST /v1/records HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                         "Connection: close\r\nContent-Type: " NDJSON
                         "\r\nContent-Length: %zu\r\n\r\n%s",
                         strlen(body), body);

    assert_true(fd >= 0);
    assert_int_equal(
        connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, request, (size_t)bytes), bytes);
    return fd;
}

/* Its answer; returns the status. */
static unsigned
read_answer(int fd, char room[8192], struct span *body)
{
    size_t used = 0;
    unsigned status = 0;
    const char *head_end;
    ssize_t got;

    while ((got = read(fd, room + used, 8191 - used)) > 0) {
        used += (size_t)got;
    }
    assert_int_equal(got, 0);
    (void)close(fd);
    room[used] = '\0';
    assert_int_equal(sscanf(room, "HTTP/1.1 %3u", &status), 1);
    head_end = strstr(room, "\r\n\r\n");
    assert_non_null(head_end);
    *body = span_of(head_end + 4);
    return status;
}

static uint64_t
batches_so_far(void)
{
    static const struct http_client_request metrics = {.method = "GET",
                                                       .path = "/metrics"};
    static const char name[] = "\nsuqiu_batches_total ";
    size_t at;

    assert_int_equal(server_process_request(&server, &metrics, &answer), 200);
    at = span_find(answer.body, span_of(name), 0);
    assert_int_not_equal(at, SIZE_MAX);
    return strtoull(answer.body.data + at + sizeof(name) - 1, NULL, 10);
}

enum { KINDS = 5 }; /* accepted, duplicate, rejected, one of two, nothing */

static void
make_body(int i, char out[512])
{
    switch (i % KINDS) {
    case 0:
        (void)snprintf(out, 512, GOOD("new%d"), i);
        break;
    case 1:
        (void)snprintf(out, 512, GOOD("known"));
        break;
    case 2:
        (void)snprintf(out, 512, BAD("bad%d"), i);
        break;
    case 3:
        (void)snprintf(out, 512, GOOD("half%d") "\nno", i);
        break;
    default:
        (void)snprintf(out, 512, "\n");
        break;
    }
}

static void
requests_that_share_a_batch_are_answered_each_for_itself(void **state)
{
    enum { REQUESTS = 60 };
    static const unsigned statuses[KINDS] = {200, 200, 400, 207, 200};
    static const unsigned counts[KINDS][4] = {
        {1, 1, 0, 0}, {1, 0, 1, 0}, {1, 0, 0, 1}, {2, 1, 0, 1}, {0, 0, 0, 0}};
    int fds[REQUESTS];
    uint64_t batches;

    (void)state;
    assert_int_equal(server_process_post(&server, NDJSON,
                                         SPAN_LITERAL(GOOD("known")), &answer),
                     200);
    batches = batches_so_far();
    /* While it stands still they gather in front of it. */
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(server.pid, NULL, WUNTRACED), server.pid);
    for (int i = 0; i < REQUESTS; i++) {
        char body[512];

        make_body(i, body);
        fds[i] = send_request(body);
    }
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    for (int i = 0; i < REQUESTS; i++) {
        const unsigned *count = counts[i % KINDS];
        static char room[8192];
        struct span body;

        assert_int_equal(read_answer(fds[i], room, &body), statuses[i % KINDS]);
        assert_int_equal(json_number(body, "received"), count[0]);
        assert_int_equal(json_number(body, "accepted"), count[1]);
        assert_int_equal(json_number(body, "duplicate"), count[2]);
        assert_int_equal(json_number(body, "rejected"), count[3]);
        if (count[3] > 0) {
            assert_true(span_holds(body, i % KINDS == 2 ? "{\"line\":1,"
                                                        : "{\"line\":2,"));
        }
    }
    assert_true(batches_so_far() - batches < REQUESTS / 3);
    assert_int_equal(store_totals(data).tickets, 1 + 2 * REQUESTS / KINDS);
    assert_int_equal(store_totals(data).rejects, 2 * REQUESTS / KINDS);
}

/* --- a clock runs out by itself ----------------------------------------- */

struct found {
    size_t count;
    int64_t due_us;
};

static bool
note_clock(void *user,
           uint32_t kind_id,
           int64_t due_us,
           int64_t due_soon_us,
           uint64_t number)
{
    struct found *found = user;

    (void)kind_id;
    (void)due_soon_us;
    (void)number;
    found->count++;
    found->due_us = due_us;
    return true;
}

static struct found
overdue_clocks(void)
{
    const struct store_options options = {UINT64_C(64) << 30};
    struct store *store = NULL;
    struct reader reader;
    struct found found = {0, 0};
    struct err err = {0};

    if (store_open(data, STORE_READ, &options, &store, &err) != ERR_OK ||
        reader_begin(store, &reader, &err) != ERR_OK ||
        reader_overdue_clocks(&reader, 0, note_clock, &found, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    reader_end(&reader);
    store_close(&store);
    return found;
}

static void
a_fault_is_overdue_when_its_45_minutes_are_over_without_anything_coming_in(
    void **state)
{
    enum { LIMIT_S = 45 * 60, AHEAD_S = 3 };
    time_t accepted_s = (time_t)(clock_now_us() / 1000000) - LIMIT_S + AHEAD_S;
    int64_t due_us = ((int64_t)accepted_s + LIMIT_S) * 1000000;
    int64_t give_up_us = clock_mono_us() + (int64_t)PROCESS_PATIENCE_MS * 1000;
    struct found found;
    struct tm when;
    char body[256];
    char stamp[40];

    (void)state;
    assert_non_null(gmtime_r(&accepted_s, &when));
    assert_true(strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &when) >
                0);
    (void)snprintf(body, sizeof(body),
                   "{\"id\":\"1\",\"type\":\"fault\",\"region\":\"urban\","
                   "\"accepted_at\":\"%s\",\"text\":\"停电\"}",
                   stamp);
    assert_int_equal(
        server_process_post(&server, NDJSON, span_of(body), &answer), 200);
    found = overdue_clocks();
    if (clock_now_us() < due_us) {
        assert_int_equal(found.count, 0);
    }
    while (found.count == 0) {
        const struct timespec moment = {.tv_nsec = 20000000};

        assert_true(clock_mono_us() < give_up_us);
        (void)nanosleep(&moment, NULL);
        found = overdue_clocks();
    }
    assert_int_equal(found.count, 1);
    assert_int_equal(found.due_us, due_us);
    assert_true(clock_now_us() >= due_us);
    assert_true(clock_now_us() < due_us + 2000000); /* within a second or so */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(all_accepted_is_200_and_the_second_time_all_are_duplicates),
        TEST(another_content_under_the_same_id_is_an_update),
        TEST(some_accepted_is_207_with_line_code_field_and_value),
        TEST(none_accepted_is_400_and_the_lines_are_kept),
        TEST(a_personal_value_is_not_in_the_answer),
        TEST(json_takes_one_record_or_an_array_that_may_break_off),
        TEST(csv_is_taken_by_its_columns_in_gb18030_too),
        TEST(an_empty_body_has_no_records),
        TEST(a_body_over_the_limit_is_413_and_nothing_of_it_is_stored),
        TEST(an_unknown_type_of_body_is_415),
        TEST(no_more_than_the_first_errors_are_listed),
        TEST(requests_that_share_a_batch_are_answered_each_for_itself),
        TEST(
            a_fault_is_overdue_when_its_45_minutes_are_over_without_anything_coming_in),
    };

    return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
