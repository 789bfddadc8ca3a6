/* Old tickets taken out of a store: by the command and by a server that is
 * killed meanwhile; numbers and reports stay. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

enum { MANY = 6000, FEW = 1500, OPEN_EVERY = 50, KILLS = 4, POSTED = 40 };

static struct temp_dir dir;
static struct server_process server;
static char data[128];

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
    if (server.pid > 0) {
        server_process_kill(&server);
    }
    temp_dir_remove(&dir);
    return 0;
}

static char *
run(const char *const *args, int wanted)
{
    char *out;
    int code = run_suqiu(args, (struct span){NULL, 0}, &out);

    if (code != wanted) {
        fail_msg("%s: %d: %s", args[0], code, out);
    }
    return out;
}

static void
import(const char *path)
{
    const char *const args[] = {"import", "--data", data, path, NULL};

    free(run(args, 0));
}

static void
import_sample(void)
{
    import(SUQIU_SOURCE_DIR "/tests/data/sample/quarter.ndjson");
    import(SUQIU_SOURCE_DIR "/tests/data/sample/events.ndjson");
    import(SUQIU_SOURCE_DIR "/tests/data/sample/review.ndjson");
}

static void
expect_clean(void)
{
    const char *const args[] = {"fsck", "--data", data, NULL};

    free(run(args, 0));
}

static char *
report(const char *from, const char *to)
{
    const char *const args[] = {"report",     "--data",   data,   "--from",
                                from,         "--to",     to,     "--as-of",
                                "2025-12-31", "--format", "json", NULL};

    return run(args, 0);
}

/* Blank out the number behind these words; returns its first digit. */
static char
blank(char *text, const char *words)
{
    char *at = strstr(text, words);
    char first;

    assert_non_null(at);
    at += strlen(words);
    first = *at;
    while (isdigit((unsigned char)*at)) {
        *at++ = ' ';
    }
    return first;
}

/* All but the number of those that have expired. A caller of whom some tickets
 * have gone and some not may count twice: `callers` says to look away. */
static void
expect_same_report(const char *before, char *after, bool callers)
{
    char *copy = strdup(before);
    const char *was = copy;
    const char *is = after;

    assert_non_null(copy);
    assert_int_equal(blank(copy, "\"expired\":"), '0');
    assert_int_not_equal(blank(after, "\"expired\":"), '0');
    if (!callers) {
        (void)blank(copy, "\"callers\":");
        (void)blank(after, "\"callers\":");
    }
    while (*was != '\0' || *is != '\0') {
        if (*was == ' ' || *is == ' ') {
            was += *was == ' ';
            is += *is == ' ';
        } else if (*was++ != *is++) {
            fail_msg("%.80s\n%.80s", was - 20, is - 20);
        }
    }
    free(copy);
}

/* ---- the command ---- */

static void
reports_of_months_that_expired_are_what_they_were(void **state)
{
    const char *const args[] = {"expire",     "--data", data, "--before",
                                "2018-03-01", "--open", NULL};
    const char *const backup[] = {
        "backup", "--data", data, "--to", temp_dir_path(&dir, "copy"), NULL};
    const char *const audit[] = {"audit", "--data", data, NULL};
    char *quarter;
    char *january;
    char *out;

    (void)state;
    import_sample();
    quarter = report("2018-01-01", "2018-03-31");
    january = report("2018-01-01", "2018-01-31");
    out = run(args, 0);
    assert_null(strstr(out, "\n0 tickets expired"));
    free(out);
    expect_clean();
    out = report("2018-01-01", "2018-01-31");
    expect_same_report(january, out, true);
    free(out);
    out = report("2018-01-01", "2018-03-31");
    expect_same_report(quarter, out, false);
    free(out);
    /* Once more: there is nothing left. */
    out = run(args, 0);
    assert_non_null(strstr(out, "\n0 tickets expired"));
    free(out);
    free(run(backup, 0));
    out = run(audit, 0);
    assert_non_null(strstr(out, "2 entries"));
    free(out);
    free(quarter);
    free(january);
}

static void
wrong_dates_are_told(void **state)
{
    const char *const none[] = {"expire", "--data", data, NULL};
    const char *const word[] = {"expire",   "--data", data,
                                "--before", "soon",   NULL};
    const char *const late[] = {"expire",   "--data",     data,
                                "--before", "2100-01-01", NULL};
    char *out;

    (void)state;
    import_sample();
    out = run(none, 2);
    assert_non_null(strstr(out, "--before"));
    free(out);
    out = run(word, 3);
    assert_non_null(strstr(out, "2018-03-31"));
    free(out);
    out = run(late, 3);
    assert_non_null(strstr(out, "repeat.window_days"));
    free(out);
}

/* ---- while the server runs ---- */

static void
write_many(const char *path, int count)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    for (int i = 0; i < count; i++) {
        (void)fprintf(file,
                      "{\"id\":\"M%07d\",\"accepted_at\":\"2018-%02d-%02d "
                      "%02d:00:00\",\"caller\":\"199%08d\",\"text\":"
                      "\"电压低得空调带不动，第%d次\"}\n",
                      i, 1 + i / 2000, 1 + i / 80 % 25, i % 24, i % 3001, i);
        if (i % OPEN_EVERY != 0) {
            (void)fprintf(file,
                          "{\"id\":\"M%07d\",\"event\":\"closed\",\"at\":"
                          "\"2018-04-15 10:00:00\"}\n",
                          i);
        }
    }
    assert_int_equal(fclose(file), 0);
}

static unsigned
ask(const char *method, const char *path, struct http_client_answer *answer)
{
    const struct http_client_request request = {
        method, path, strcmp(method, "POST") == 0 ? "application/json" : NULL,
        strcmp(method, "POST") == 0 ? SPAN_LITERAL("{}")
                                    : (struct span){NULL, 0}};

    return server_process_request(&server, &request, answer);
}

static void
start(const char *keep_days)
{
    const char *const flags[] = {"--keep-days", keep_days, NULL};
    const struct server_start how = {.flags = flags};

    server_process_start(&server, data, &how);
}

/* Wait until so many went, or it has ended; true: it has ended. */
static bool
wait_gone(uint64_t wanted, uint64_t *gone)
{
    int64_t until_us = clock_mono_us() + PROCESS_PATIENCE_MS * INT64_C(1000);
    struct http_client_answer answer;

    do {
        assert_int_equal(ask("GET", "/v1/admin/expire", &answer), 200);
        *gone = json_number(answer.body, "tickets");
        if (span_holds(answer.body, "\"state\":\"done\"")) {
            return true;
        }
    } while (*gone < wanted && clock_mono_us() < until_us);
    if (*gone < wanted) {
        fail_msg("%.*s", SPAN_ARGS(answer.body));
    }
    return false;
}

static char *
counters(void)
{
    struct http_client_answer answer;
    char *copy;

    assert_int_equal(ask("GET",
                         "/v1/counters?from=2018-01-01&to=2018-04-30&period="
                         "day&by=category,region,unit&limit=1000",
                         &answer),
                     200);
    /* as_of and snapshot move on. */
    const char *items = strstr(answer.body.data, "\"items\"");
    const char *end = items != NULL ? strstr(items, "\"as_of\"") : NULL;

    assert_non_null(end);
    copy = strndup(items, (size_t)(end - items));
    assert_non_null(copy);
    return copy;
}

/* Younger tickets, and events that change no counter, of tickets that stay and
 * of some that go. */
static void
post_changes(int round)
{
    struct http_client_answer answer;
    struct buf lines;

    buf_init(&lines, 1 << 20);
    for (int i = 0; i < POSTED; i++) {
        buf_printf(&lines,
                   "{\"id\":\"N%d-%d\",\"accepted_at\":\"2018-06-%02d "
                   "08:00:00\",\"caller\":\"199%08d\",\"text\":\"停电了\"}\n"
                   "{\"id\":\"M%07d\",\"event\":\"resumed\",\"at\":"
                   "\"2018-06-%02d 10:00:00\",\"by\":\"测试\"}\n",
                   round, i, 1 + i % 28, i * 7, (round * 997 + i * 293) % MANY,
                   1 + round);
    }
    assert_int_equal(server_process_post(&server, "application/x-ndjson",
                                         buf_view(&lines), &answer),
                     200);
    buf_release(&lines);
}

static void
killed_again_and_again_it_goes_on_and_every_counter_is_right(void **state)
{
    const char *many = temp_dir_path(&dir, "many.ndjson");
    const uint64_t closed = MANY - MANY / OPEN_EVERY;
    struct http_client_answer answer;
    uint64_t gone = 0;
    uint64_t before = 0;
    bool ended = false;
    char *was;
    char *is;

    (void)state;
    write_many(many, MANY);
    import(many);
    start("0");
    was = counters();
    assert_int_equal(ask("GET", "/v1/admin/expire", &answer), 200);
    assert_true(span_holds(answer.body, "\"state\":\"idle\""));
    assert_int_equal(ask("POST", "/v1/admin/expire", &answer), 400);
    assert_int_equal(ask("POST", "/v1/admin/expire?before=2100-01-01", &answer),
                     400);
    assert_int_equal(ask("POST", "/v1/admin/expire?before=2018-05-01", &answer),
                     202);
    for (int kill = 0; kill < KILLS && !ended; kill++) {
        ended = wait_gone(before + 600, &gone);
        assert_true(gone >= before);
        before = gone;
        post_changes(kill);
        server_process_kill(&server);
        expect_clean();
        start("0");
    }
    assert_false(ended);
    while (!wait_gone(closed, &gone)) {
    }
    assert_int_equal(ask("GET", "/v1/admin/expire", &answer), 200);
    assert_int_equal(json_number(answer.body, "tickets"), closed);
    assert_int_equal(json_number(answer.body, "stay_open"), MANY / OPEN_EVERY);
    is = counters();
    assert_string_equal(was, is);
    assert_int_equal(ask("GET", "/v1/tickets/M0000001", &answer), 404);
    assert_int_equal(ask("GET", "/v1/tickets/M0000000", &answer), 200);
    assert_int_equal(server_process_stop(&server), 0);
    expect_clean();
    free(was);
    free(is);
}

static void
keep_days_does_it_by_itself_and_enters_it(void **state)
{
    static const char again[] =
        "{\"id\":\"M0000001\",\"accepted_at\":\"2018-01-01 01:00:00\","
        "\"text\":\"电压低\"}\n";
    const char *many = temp_dir_path(&dir, "many.ndjson");
    struct http_client_answer answer;
    uint64_t gone = 0;

    (void)state;
    write_many(many, FEW);
    import(many);
    start("365");
    while (!wait_gone(FEW, &gone)) {
    }
    assert_int_equal(gone, FEW - FEW / OPEN_EVERY);
    assert_int_equal(ask("GET", "/v1/audit", &answer), 200);
    assert_true(span_holds(answer.body, "keep_days=365 keep_open=on"));
    assert_int_equal(server_process_post(&server, "application/x-ndjson",
                                         span_of(again), &answer),
                     400);
    assert_true(span_holds(answer.body, "\"code\":\"expired\""));
    assert_int_equal(ask("GET",
                         "/v1/counters?from=2018-01-01&to=2018-01-31&by="
                         "subcategory,channel",
                         &answer),
                     400);
    assert_true(span_holds(answer.body, "\"code\":\"expired\""));
    assert_int_equal(server_process_stop(&server), 0);
    expect_clean();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reports_of_months_that_expired_are_what_they_were),
        TEST(wrong_dates_are_told),
        TEST(killed_again_and_again_it_goes_on_and_every_counter_is_right),
        TEST(keep_days_does_it_by_itself_and_enters_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
