/* A disk that is full, played by RLIMIT_FSIZE: no acknowledgement without the
 * disk, reads go on, and nothing acknowledged is lost. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "server/ledger/reader.h"
#include "tests/lib/feed_client.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

enum {
    FILE_BYTES_MAX = 3 * 1024 * 1024,
    LINES = 20000,
    FIRST_LINES = 1000, /* these fit */
    LINE_BYTES = 400,
    QUIET_MS = 3000 /* nothing moves any more */
};

static struct temp_dir dir;
static struct server_process server;
static char data[128];
static char *lines;

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
    lines = malloc((size_t)LINES * LINE_BYTES + 1);
    assert_non_null(lines);
    for (size_t i = 0; i < LINES; i++) {
        char *line = lines + i * LINE_BYTES;
        int head = snprintf(line, LINE_BYTES,
                            "{\"id\":\"T%zu\",\"accepted_at\":\"2018-01-01 "
                            "08:00:00\",\"caller\":\"199%08zu\",\"text\":\"",
                            i, i);

        memset(line + head, 'x', LINE_BYTES - (size_t)head);
        memcpy(line + LINE_BYTES - 3, "\"}\n", 3);
    }
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (server.pid > 0) {
        server_process_kill(&server);
    }
    free(lines);
    temp_dir_remove(&dir);
    return 0;
}

static struct span
all_lines(void)
{
    return (struct span){lines, (size_t)LINES * LINE_BYTES};
}

/* The first `count` tickets are in the store, under their ids. */
static void
expect_tickets(uint64_t count)
{
    const struct store_options options = {UINT64_C(64) << 30};
    struct store *store = NULL;
    struct reader reader;
    struct err err = {0};

    assert_int_equal(store_open(data, STORE_READ, &options, &store, &err),
                     ERR_OK);
    assert_int_equal(reader_begin(store, &reader, &err), ERR_OK);
    for (uint64_t i = 0; i < count; i += 97) {
        char id[24];

        (void)snprintf(id, sizeof(id), "T%llu", (unsigned long long)i);
        assert_true(reader_find_id(&reader, NULL, span_of(id)) > 0);
    }
    reader_end(&reader);
    store_close(&store);
}

/* Start on a disk with little room and feed it full; returns the lines that
 * were acknowledged. */
static uint64_t
feed_it_full(struct feed_client *client)
{
    const struct server_start small = {.file_bytes_max = FILE_BYTES_MAX};
    struct span rest = all_lines();
    struct span first = {rest.data, (size_t)FIRST_LINES * LINE_BYTES};

    server_process_start(&server, data, &small);
    rest.data += first.bytes;
    rest.bytes -= first.bytes;
    feed_client_open(client, server.feed_port);
    feed_client_send(client, first);
    feed_client_wait(client, FIRST_LINES);
    (void)feed_client_send_within(client, rest, QUIET_MS);
    feed_client_wait_quiet(client, QUIET_MS);
    assert_false(client->closed); /* it waits, it does not give up */
    assert_int_equal(client->refusal_count_all, 0);
    assert_true(client->acknowledged < LINES);
    return client->acknowledged;
}

static void
what_is_acknowledged_before_the_disk_is_full_is_there_afterwards(void **state)
{
    struct http_client_answer answer;
    struct feed_client client;
    uint64_t acknowledged;

    (void)state;
    acknowledged = feed_it_full(&client);
    /* HTTP says so at once, and reads go on. */
    assert_int_equal(
        server_process_post(
            &server, "application/x-ndjson",
            SPAN_LITERAL("{\"id\":\"H1\",\"accepted_at\":\"2018-01-01 "
                         "08:00:00\",\"text\":\"\"}"),
            &answer),
        507);
    assert_string_equal(answer.type, "application/problem+json");
    assert_true(store_totals(data).tickets >= acknowledged);
    assert_int_equal(server_process_stop(&server), 0);
    feed_client_wait_closed(&client);
    assert_int_equal(client.acknowledged, acknowledged);
    feed_client_close(&client);

    /* With room again: everything acknowledged is there, the rest comes. */
    server_process_start(&server, data, NULL);
    expect_tickets(acknowledged);
    feed_client_open(&client, server.feed_port);
    feed_client_send(&client, all_lines());
    feed_client_wait(&client, LINES);
    feed_client_close(&client);
    assert_int_equal(store_totals(data).tickets, LINES);
    assert_int_equal(store_totals(data).versions, 0);
    expect_tickets(LINES);
    assert_int_equal(server_process_stop(&server), 0);
}

static void
kill_on_a_full_disk_loses_nothing_acknowledged(void **state)
{
    struct feed_client client;
    uint64_t acknowledged;

    (void)state;
    acknowledged = feed_it_full(&client);
    server_process_kill(&server);
    feed_client_close(&client);
    server_process_start(&server, data, NULL);
    assert_true(store_totals(data).tickets >= acknowledged);
    expect_tickets(acknowledged);
    assert_int_equal(server_process_stop(&server), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_acknowledged_before_the_disk_is_full_is_there_afterwards),
        TEST(kill_on_a_full_disk_loses_nothing_acknowledged),
    };

    return cmocka_run_group_tests_name("full_store", tests, NULL, NULL);
}
