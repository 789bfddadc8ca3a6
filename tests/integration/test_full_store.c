/* A disk that is full, played by RLIMIT_FSIZE: no acknowledgement without the
 * disk, reads go on, and nothing acknowledged is lost. */
#define _GNU_SOURCE /* nftw, prlimit */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <poll.h>
#include <unistd.h>

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

static unsigned
post_lines(size_t first, size_t count)
{
    struct http_client_answer answer;

    return server_process_post(
        &server, "application/x-ndjson",
        (struct span){lines + first * LINE_BYTES, count * LINE_BYTES}, &answer);
}

static void
http_goes_on_by_itself_when_there_is_room_again(void **state)
{
    const struct server_start small = {.file_bytes_max = FILE_BYTES_MAX};
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    unsigned status = 200;

    (void)state;
    server_process_start(&server, data, &small);
    for (size_t i = 0; status == 200 && i < LINES; i += 200) {
        status = post_lines(i, 200);
    }
    assert_int_equal(status, 507);
    assert_int_equal(prlimit(server.pid, RLIMIT_FSIZE, &none, NULL), 0);
    for (int i = 0; status != 200; i++) {
        assert_true(i < QUIET_MS / 10);
        (void)poll(NULL, 0, 10);
        status = post_lines(0, LINES / 2);
    }
    assert_int_equal(server_process_stop(&server), 0);
}

static void
many_waiting_batches_block_neither_http_nor_the_end(void **state)
{
    /* More batches than the writer takes off its queue at once. */
    static const char *const flags[] = {"--workers", "8", "--batch-records-max",
                                        "4", NULL};
    const struct server_start small = {.flags = flags,
                                       .file_bytes_max = FILE_BYTES_MAX};
    const struct http_client_request facts = {
        .method = "PUT",
        .path = "/v1/facts",
        .type = "application/json",
        .body = SPAN_LITERAL("{\"name\":\"customers\",\"period\":\"2018-Q1\","
                             "\"value\":5,\"by\":\"x\"}")};
    enum { CLIENTS = 16 };
    struct feed_client clients[CLIENTS];
    struct http_client_answer answer;

    (void)state;
    server_process_start(&server, data, &small);
    for (int i = 0; i < CLIENTS; i++) {
        feed_client_open(&clients[i], server.feed_port);
        (void)feed_client_send_within(&clients[i], all_lines(), 200);
    }
    feed_client_wait_quiet(&clients[0], QUIET_MS);
    /* Either answer will do; it must come. */
    assert_true(server_process_request(&server, &facts, &answer) > 0);
    assert_int_equal(post_lines(0, 1), 507);
    assert_int_equal(server_process_stop(&server), 0);
    for (int i = 0; i < CLIENTS; i++) {
        feed_client_close(&clients[i]);
    }
}

static int
begin_post(size_t line_count)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server.http_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct span body = {lines, line_count * LINE_BYTES};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    assert_true(dprintf(fd,
                        "POST /v1/records HTTP/1.1\r\nHost: localhost\r\n"
                        "Connection: close\r\n"
                        "Content-Type: application/x-ndjson\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        body.bytes) > 0);
    while (body.bytes > 0) {
        ssize_t put = send(fd, body.data, body.bytes, MSG_NOSIGNAL);

        assert_true(put > 0);
        body.data += put;
        body.bytes -= (size_t)put;
    }
    return fd;
}

static void
requests_that_wait_for_a_batch_are_answered_when_the_disk_gets_full(
    void **state)
{
    /* One record a batch: more requests than there are batches, so each has
     * one at the writer and waits for the next. */
    static const char *const flags[] = {"--batch-records-max", "1",
                                        "--queue-batches-max", "256", NULL};
    const struct server_start small = {.flags = flags,
                                       .file_bytes_max = 2 * 1024 * 1024};
    enum { REQUESTS = 100, REQUEST_LINES = 600 };
    int fds[REQUESTS];

    (void)state;
    server_process_start(&server, data, &small);
    for (int i = 0; i < REQUESTS; i++) {
        fds[i] = begin_post(REQUEST_LINES);
    }
    for (int i = 0; i < REQUESTS; i++) {
        char head[16] = "";

        assert_int_equal(recv(fds[i], head, 12, MSG_WAITALL), 12);
        assert_true(strncmp(head, "HTTP/1.1 ", 9) == 0);
        (void)close(fds[i]);
    }
    assert_int_equal(server_process_stop(&server), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_acknowledged_before_the_disk_is_full_is_there_afterwards),
        TEST(kill_on_a_full_disk_loses_nothing_acknowledged),
        TEST(http_goes_on_by_itself_when_there_is_room_again),
        TEST(many_waiting_batches_block_neither_http_nor_the_end),
        TEST(
            requests_that_wait_for_a_batch_are_answered_when_the_disk_gets_full),
    };

    return cmocka_run_group_tests_name("full_store", tests, NULL, NULL);
}
