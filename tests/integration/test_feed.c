/* The feed, through the real program: what is acknowledged is stored. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "tests/lib/feed_client.h"
#include "tests/lib/read_file.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

enum { TICKETS = 500, EVENTS = 2682, REVIEWS = 378 };

static struct temp_dir dir;
static struct server_process server;
static const char *data;

static void
start(const char *const *flags)
{
    const struct server_start how = {.flags = flags};

    server_process_start(&server, data, &how);
}

static int
set_up(void **state)
{
    static char path[128];

    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(path, sizeof(path), "%s/data", dir.path);
    data = path;
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

/* Send over a connection of its own and wait for every acknowledgement. */
static void
feed(struct span lines, uint64_t line_count)
{
    struct feed_client client;

    feed_client_open(&client, server.feed_port);
    feed_client_send(&client, lines);
    feed_client_wait(&client, line_count);
    assert_int_equal(client.refusal_count_all, 0);
    feed_client_close(&client);
}

static void
feed_file(const char *path, uint64_t line_count)
{
    struct span lines = read_source_file(path);

    feed(lines, line_count);
    free((char *)(uintptr_t)lines.data);
}

static void
feed_sample(void)
{
    feed_file("tests/data/sample/quarter.ndjson", TICKETS);
    feed_file("tests/data/sample/events.ndjson", EVENTS);
    feed_file("tests/data/sample/review.ndjson", REVIEWS);
}

static void
the_sample_quarter_is_acknowledged_and_counted_and_again_it_is_a_duplicate(
    void **state)
{
    struct ledger_totals totals;

    (void)state;
    start(NULL);
    feed_sample();
    totals = store_totals(data);
    assert_int_equal(totals.tickets, TICKETS);
    assert_int_equal(totals.events, EVENTS + REVIEWS);
    assert_int_equal(totals.duplicates, 0);
    assert_int_equal(totals.waiting, 0);
    assert_int_equal(totals.rejects, 0);
    feed_sample();
    totals = store_totals(data);
    assert_int_equal(totals.tickets, TICKETS);
    assert_int_equal(totals.events, EVENTS + REVIEWS);
    assert_int_equal(totals.duplicates, TICKETS + EVENTS + REVIEWS);
    assert_int_equal(totals.versions, 0);
    assert_int_equal(server_process_stop(&server), 0);
}

static void
a_restart_keeps_what_was_counted_even_after_kill(void **state)
{
    struct ledger_totals totals;

    (void)state;
    start(NULL);
    feed_file("tests/data/sample/quarter.ndjson", TICKETS);
    server_process_kill(&server); /* straight after the last answer */
    start(NULL);
    totals = store_totals(data);
    assert_int_equal(totals.tickets, TICKETS);
    feed_file("tests/data/sample/events.ndjson", EVENTS);
    assert_int_equal(server_process_stop(&server), 0);
    start(NULL);
    totals = store_totals(data);
    assert_int_equal(totals.tickets, TICKETS);
    assert_int_equal(totals.events, EVENTS);
    assert_int_equal(server_process_stop(&server), 0);
}

static void
events_ahead_of_their_tickets_wait_for_them(void **state)
{
    struct ledger_totals totals;

    (void)state;
    start(NULL);
    feed_file("tests/data/sample/events.ndjson", EVENTS);
    totals = store_totals(data);
    assert_int_equal(totals.waiting, EVENTS);
    assert_int_equal(totals.events, EVENTS);
    feed_file("tests/data/sample/quarter.ndjson", TICKETS);
    totals = store_totals(data);
    assert_int_equal(totals.waiting, 0);
    assert_int_equal(totals.events, EVENTS);
    assert_int_equal(totals.tickets, TICKETS);
}

static void
expect_refusal(const struct feed_client *client,
               size_t place,
               uint64_t line,
               const char *code,
               const char *field)
{
    const struct feed_refusal *refusal = &client->refusals[place];

    assert_true(place < client->refusal_count);
    assert_int_equal(refusal->line, line);
    assert_string_equal(refusal->code, code);
    assert_string_equal(refusal->field, field);
    assert_true(refusal->detail[0] != '\0');
}

static void
bad_lines_are_answered_with_line_code_and_field_and_the_others_are_stored(
    void **state)
{
    static const char lines[] =
        "{\"id\":\"1\",\"accepted_at\":\"2018-01-01 "
        "08:00:00\",\"text\":\"a\"}\n"
        "{\"id\":\"2\",\"accepted_at\":\"someday\",\"text\":\"a\"}\n"
        "{\"id\":\"3\",\"accepted_at\":\"2018-01-01 08:00:00\"}\n"
        "\n"
        "{\"id\":\"5\",\"accepted_at\":\"2018-01-01 08:00:00\",\"text\":\"\xC3"
        "(\"}\n"
        "{\"id\":\"6\",\"event\":\"vanished\",\"at\":\"2018-01-01 08:00:00\"}\n"
        "[1,2]\n"
        "{\"id\":\"8\",\"type\":\"gossip\",\"accepted_at\":\"2018-01-01 "
        "08:00:00\",\"text\":\"\"}\r\n"
        "{\"id\":\"9\",\"accepted_at\":\"2018-01-01 "
        "08:00:00\",\"text\":\"\"}\r\n";
    struct feed_client client;
    struct ledger_totals totals;

    (void)state;
    start(NULL);
    feed_client_open(&client, server.feed_port);
    feed_client_send(&client, SPAN_LITERAL(lines));
    feed_client_wait(&client, 9);
    assert_int_equal(client.refusal_count_all, 6);
    expect_refusal(&client, 0, 2, "bad_time", "accepted_at");
    expect_refusal(&client, 1, 3, "missing_field", "text");
    expect_refusal(&client, 2, 5, "bad_utf8", "");
    expect_refusal(&client, 3, 6, "bad_event", "event");
    expect_refusal(&client, 4, 7, "bad_json", "");
    expect_refusal(&client, 5, 8, "bad_type", "type");
    feed_client_close(&client);
    totals = store_totals(data);
    assert_int_equal(totals.tickets, 2);
    assert_int_equal(totals.rejects, 6);
}

static void
a_client_that_stops_in_mid_line_loses_that_line_only(void **state)
{
    static const char lines[] =
        "{\"id\":\"1\",\"accepted_at\":\"2018-01-01 "
        "08:00:00\",\"text\":\"a\"}\n"
        "{\"id\":\"2\",\"accepted_at\":\"2018-01-01 08:0";
    struct feed_client client;
    struct ledger_totals totals;

    (void)state;
    start(NULL);
    feed_client_open(&client, server.feed_port);
    feed_client_send(&client, SPAN_LITERAL(lines));
    feed_client_wait(&client, 1);
    feed_client_end(&client);
    /* The half line is refused, kept, acknowledged; then the server closes. */
    feed_client_wait(&client, 2);
    expect_refusal(&client, 0, 2, "bad_json", "");
    feed_client_wait_closed(&client);
    feed_client_close(&client);
    totals = store_totals(data);
    assert_int_equal(totals.tickets, 1);
    assert_int_equal(totals.rejects, 1);
}

static void
a_last_line_without_line_end_is_a_line(void **state)
{
    static const char line[] =
        "{\"id\":\"1\",\"accepted_at\":\"2018-01-01 08:00:00\",\"text\":\"a\"}";
    struct feed_client client;

    (void)state;
    start(NULL);
    feed_client_open(&client, server.feed_port);
    feed_client_send(&client, SPAN_LITERAL(line));
    feed_client_end(&client);
    feed_client_wait(&client, 1);
    feed_client_wait_closed(&client);
    assert_int_equal(client.refusal_count_all, 0);
    feed_client_close(&client);
    assert_int_equal(store_totals(data).tickets, 1);
}

/* A ticket line of exactly line_bytes, without the line end; free(data). */
static struct span
long_line(const char *id, size_t line_bytes)
{
    char *line = malloc(line_bytes + 2);
    int head;

    assert_non_null(line);
    head = snprintf(line, 200,
                    "{\"id\":\"%s\",\"accepted_at\":\"2018-01-01 "
                    "08:00:00\",\"text\":\"",
                    id);
    memset(line + head, 'x', line_bytes - (size_t)head);
    line[line_bytes - 2] = '"';
    line[line_bytes - 1] = '}';
    line[line_bytes] = '\n';
    return (struct span){line, line_bytes};
}

static void
a_line_over_the_limit_is_refused_and_the_next_one_is_taken(void **state)
{
    static const char *const flags[] = {"--feed-line-bytes-max", "2000", NULL};
    static const size_t sizes[] = {2000, 2001, 300000, 20 * 1024 * 1024, 1999};
    struct feed_client client;
    struct ledger_totals totals;

    (void)state;
    start(flags);
    feed_client_open(&client, server.feed_port);
    for (size_t i = 0; i < 5; i++) {
        char id[8];
        struct span line;

        (void)snprintf(id, sizeof(id), "%zu", i);
        line = long_line(id, sizes[i]);
        feed_client_send(&client, (struct span){line.data, line.bytes + 1});
        free((char *)(uintptr_t)line.data);
    }
    feed_client_wait(&client, 5);
    assert_int_equal(client.refusal_count_all, 3);
    expect_refusal(&client, 0, 2, "too_long", "");
    expect_refusal(&client, 1, 3, "too_long", "");
    expect_refusal(&client, 2, 4, "too_long", "");
    assert_non_null(strstr(client.refusals[0].detail, "2001 bytes"));
    assert_non_null(strstr(client.refusals[1].detail, "300000 bytes"));
    assert_non_null(strstr(client.refusals[2].detail, "20971520 bytes"));
    feed_client_close(&client);
    totals = store_totals(data);
    assert_int_equal(totals.tickets, 2);
    assert_int_equal(totals.rejects, 3);
}

static void
a_client_that_goes_away_inside_an_endless_line_leaves_the_server_well(
    void **state)
{
    struct span line = long_line("1", 20 * 1024 * 1024);
    struct feed_client client;

    (void)state;
    start(NULL);
    feed_client_open(&client, server.feed_port);
    feed_client_send(&client, line); /* no line end */
    feed_client_close(&client);
    free((char *)(uintptr_t)line.data);
    feed_file("tests/data/sample/quarter.ndjson", TICKETS);
    assert_int_equal(store_totals(data).tickets, TICKETS);
}

/* The lines of the quarter with every id made new by a letter in front. */
static struct span
quarter_with(char letter)
{
    struct span quarter = read_source_file("tests/data/sample/quarter.ndjson");
    struct span rest = quarter;
    char *text = malloc(quarter.bytes + 2 * TICKETS);
    size_t used = 0;

    assert_non_null(text);
    while (rest.bytes > 0) {
        struct span line = span_split(&rest, '\n');

        /* {"id":"2018… */
        memcpy(text + used, line.data, 7);
        text[used + 7] = letter;
        memcpy(text + used + 8, line.data + 7, line.bytes - 7);
        used += line.bytes + 1;
        text[used++] = '\n';
    }
    free((char *)(uintptr_t)quarter.data);
    return (struct span){text, used};
}

static void
two_feeds_at_once_are_both_acknowledged_in_full(void **state)
{
    struct span lines[2] = {quarter_with('A'), quarter_with('B')};
    struct feed_client clients[2];
    size_t sent[2] = {0, 0};

    (void)state;
    start(NULL);
    for (int i = 0; i < 2; i++) {
        feed_client_open(&clients[i], server.feed_port);
    }
    while (sent[0] < lines[0].bytes || sent[1] < lines[1].bytes) {
        for (int i = 0; i < 2; i++) {
            struct span part = {lines[i].data + sent[i],
                                lines[i].bytes - sent[i]};

            /* Pieces that end anywhere in a line. */
            if (part.bytes > 4567) {
                part.bytes = 4567;
            }
            feed_client_send(&clients[i], part);
            sent[i] += part.bytes;
        }
    }
    for (int i = 0; i < 2; i++) {
        feed_client_wait(&clients[i], TICKETS);
        feed_client_close(&clients[i]);
        free((char *)(uintptr_t)lines[i].data);
    }
    assert_int_equal(store_totals(data).tickets, 2 * TICKETS);
}

static void
many_feeds_that_end_after_their_last_line_are_acknowledged_in_full(void **state)
{
    /* Far more batches than one worker has: most of them must wait. */
    static const char *const flags[] = {"--workers", "1", "--batch-records-max",
                                        "1", NULL};
    enum { CLIENTS = 40, LINES = 20 };
    struct feed_client clients[CLIENTS];

    (void)state;
    start(flags);
    for (int i = 0; i < CLIENTS; i++) {
        feed_client_open(&clients[i], server.feed_port);
        for (int k = 0; k < LINES; k++) {
            char line[128];

            (void)snprintf(line, sizeof(line),
                           "{\"id\":\"%d-%d\",\"accepted_at\":\"2018-01-01 "
                           "08:00:00\",\"text\":\"\"}\n",
                           i, k);
            feed_client_send(&clients[i], span_of(line));
        }
        feed_client_end(&clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++) {
        feed_client_wait(&clients[i], LINES);
        feed_client_wait_closed(&clients[i]);
        feed_client_close(&clients[i]);
    }
    assert_int_equal(store_totals(data).tickets, CLIENTS * LINES);
}

static void
stopping_acknowledges_what_was_received_before_it_ends(void **state)
{
    struct span lines = quarter_with('C');
    struct feed_client client;
    uint64_t acknowledged;

    (void)state;
    start(NULL);
    feed_client_open(&client, server.feed_port);
    feed_client_send(&client, lines);
    assert_int_equal(server_process_stop(&server), 0);
    feed_client_wait_closed(&client);
    acknowledged = client.acknowledged;
    feed_client_close(&client);
    free((char *)(uintptr_t)lines.data);
    /* Perhaps not all was read; what is acknowledged is there, and nothing
     * that is there went without an answer. */
    assert_int_equal(store_totals(data).tickets, acknowledged);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(
            the_sample_quarter_is_acknowledged_and_counted_and_again_it_is_a_duplicate),
        TEST(a_restart_keeps_what_was_counted_even_after_kill),
        TEST(events_ahead_of_their_tickets_wait_for_them),
        TEST(
            bad_lines_are_answered_with_line_code_and_field_and_the_others_are_stored),
        TEST(a_client_that_stops_in_mid_line_loses_that_line_only),
        TEST(a_last_line_without_line_end_is_a_line),
        TEST(a_line_over_the_limit_is_refused_and_the_next_one_is_taken),
        TEST(
            a_client_that_goes_away_inside_an_endless_line_leaves_the_server_well),
        TEST(two_feeds_at_once_are_both_acknowledged_in_full),
        TEST(
            many_feeds_that_end_after_their_last_line_are_acknowledged_in_full),
        TEST(stopping_acknowledges_what_was_received_before_it_ends),
    };

    return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
