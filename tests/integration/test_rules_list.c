/* Which rules speak: counted while tickets come, listed, kept. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "tests/lib/dict_dir.h"
#include "tests/lib/feed_client.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

enum { FED = 700, POSTED = 30 };

/* Two rules nobody else's words wake: one wins, one is always overruled. */
static const char more_rules[] =
    "try.wins,quality,供电可靠性,频繁停电,嘀嘀咕咕甲,,,text,9,,嘀嘀咕咕甲,"
    "别的\n"
    "try.loses,quality,电压质量,,嘀嘀咕咕乙,,,text,0.1,,嘀嘀咕咕乙,别的\n"
    "try.never,quality,电压质量,,嘀嘀咕咕丙,,,text,2,,嘀嘀咕咕丙,别的\n";

static struct temp_dir dir;
static struct dict_dir dict;
static struct server_process server;
static char data[128];

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
    dict_dir_make(&dict, temp_dir_path(&dir, "dict"));
    dict_dir_append(&dict, "rules/quality.csv", more_rules);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (server.pid > 0) {
        server_process_kill(&server);
    }
    temp_dir_remove(&dir);
    return 0;
}

static void
start(void)
{
    const char *const flags[] = {"--dict", dict.path, "--workers", "2", NULL};
    const struct server_start how = {.flags = flags};

    server_process_start(&server, data, &how);
}

static unsigned
ask(const char *method, const char *path, struct http_client_answer *answer)
{
    bool body = strcmp(method, "POST") == 0;
    const struct http_client_request request = {
        method, path, body ? "application/json" : NULL,
        body ? SPAN_LITERAL("{}") : (struct span){NULL, 0}};

    return server_process_request(&server, &request, answer);
}

static void
put_lines(struct buf *lines, const char *prefix, int count)
{
    for (int i = 0; i < count; i++) {
        buf_printf(lines,
                   "{\"id\":\"%s%05d\",\"accepted_at\":\"2018-03-04 "
                   "10:00:00\",\"text\":\"%s\"}\n",
                   prefix, i,
                   i % 2 == 0 ? "嘀嘀咕咕甲" : "嘀嘀咕咕乙，想问一下电费");
    }
}

/* Through the feed and through HTTP: both count. */
static void
send_tickets(void)
{
    struct http_client_answer answer;
    struct feed_client client;
    struct buf lines;

    buf_init(&lines, 4 << 20);
    put_lines(&lines, "F", FED);
    feed_client_open(&client, server.feed_port);
    feed_client_send(&client, buf_view(&lines));
    feed_client_wait(&client, FED);
    feed_client_close(&client);
    buf_reset(&lines);
    put_lines(&lines, "H", POSTED);
    assert_int_equal(server_process_post(&server, "application/x-ndjson",
                                         buf_view(&lines), &answer),
                     200);
    buf_release(&lines);
}

static void
expect_row(const char *rule, uint64_t hits, uint64_t today, uint64_t lost)
{
    struct http_client_answer answer;
    char path[128];

    (void)snprintf(path, sizeof(path), "/v1/rules?q=%s", rule);
    assert_int_equal(ask("GET", path, &answer), 200);
    assert_int_equal(json_number(answer.body, "total"), 1);
    assert_int_equal(json_number(answer.body, "hits"), hits);
    assert_int_equal(json_number(answer.body, "hits_today"), today);
    assert_int_equal(json_number(answer.body, "lost"), lost);
}

static uint64_t
total_of(const char *path)
{
    struct http_client_answer answer;

    assert_int_equal(ask("GET", path, &answer), 200);
    return json_number(answer.body, "total");
}

static void
every_ticket_counts_for_its_rules_and_a_restart_keeps_it(void **state)
{
    const uint64_t half = (FED + POSTED) / 2;
    struct http_client_answer answer;
    char *out;

    (void)state;
    start();
    expect_row("try.wins", 0, 0, 0);
    send_tickets();
    expect_row("try.wins", half, half, 0);
    expect_row("try.loses", half, half, half);
    expect_row("try.never", 0, 0, 0);
    assert_int_equal(ask("GET", "/v1/rules?q=try.loses", &answer), 200);
    assert_true(span_holds(answer.body, "\"lost_to\":[\"none=365\"]"));
    assert_true(span_holds(answer.body, "\"subcategory\":\"电压质量\""));
    assert_int_equal(total_of("/v1/rules?q=try&never_hit=1"), 1);
    assert_int_equal(total_of("/v1/rules?q=try&always_lost=1"), 1);
    assert_true(total_of("/v1/rules") > 500);
    assert_true(total_of("/v1/rules?category=grid") <
                total_of("/v1/rules?category=grid,service"));
    assert_int_equal(server_process_stop(&server), 0);
    {
        const char *const args[] = {
            "rules", "--data",   data,  "--dict", dict.path,    "--order",
            "hits",  "--format", "csv", "--text", "嘀嘀咕咕甲", NULL};

        int code = run_suqiu(args, (struct span){NULL, 0}, &out);

        if (code != 0) {
            fail_msg("%d: %s", code, out);
        }
        assert_non_null(strstr(out, "try.wins,quality,供电可靠性,频繁停电,9,"
                                    "text,365,365,"));
        free(out);
    }
    start();
    expect_row("try.wins", half, half, 0);
    expect_row("try.loses", half, half, half);
    send_tickets(); /* duplicates are judged, too */
    expect_row("try.wins", 2 * half, 2 * half, 0);
    assert_int_equal(server_process_stop(&server), 0);
}

static void
a_text_shows_the_rules_that_would_speak(void **state)
{
    struct http_client_answer answer;

    (void)state;
    start();
    assert_int_equal(
        ask("GET",
            "/v1/rules?text=%E5%98%80%E5%98%80%E5%92%95%E5%92%95%E4%B8%99",
            &answer),
        200);
    assert_int_equal(json_number(answer.body, "total"), 1);
    assert_true(span_holds(answer.body, "\"matched\":\"嘀嘀咕咕丙\""));
    assert_int_equal(ask("GET", "/v1/rules.csv", &answer), 200);
    assert_true(span_holds(answer.body, "try.never,quality,电压质量,"));
    assert_int_equal(ask("GET", "/v1/rules.ndjson?q=try", &answer), 200);
    assert_int_equal(ask("GET", "/v1/rules?order=x", &answer), 400);
    assert_int_equal(server_process_stop(&server), 0);
}

/* The first question starts measuring, a later one has the figures. */
static void
costs_are_measured_when_somebody_asks(void **state)
{
    int64_t until_us = clock_mono_us() + PROCESS_PATIENCE_MS * INT64_C(1000);
    struct http_client_answer answer;

    (void)state;
    start();
    do {
        assert_int_equal(ask("GET", "/v1/rules?q=try.wins", &answer), 200);
    } while (span_holds(answer.body, "\"cost_us\":null") &&
             clock_mono_us() < until_us);
    assert_false(span_holds(answer.body, "\"cost_us\":null"));
    /* A reload that is asked for meanwhile is not refused. */
    dict_dir_restore(&dict, "rules/quality.csv");
    assert_int_equal(ask("POST", "/v1/admin/reload", &answer), 200);
    assert_int_equal(ask("GET", "/v1/rules?limit=1", &answer), 200);
    assert_false(span_holds(answer.body, "\"cost_us\":null"));
    assert_int_equal(server_process_stop(&server), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_ticket_counts_for_its_rules_and_a_restart_keeps_it),
        TEST(a_text_shows_the_rules_that_would_speak),
        TEST(costs_are_measured_when_somebody_asks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
