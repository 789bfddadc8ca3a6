/*
 * http: real sockets on a loopback port, server and client on one thread. The
 * loop runs until the answer is there; nothing sleeps.
 */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/serve/http.h"
#include "server/serve/problem.h"

enum { ANSWER_BYTES_MAX = 32 * 1024 * 1024, PATIENCE_US = 20000000 };

static struct event_base *base;
static struct http_server *server;
static struct http_options options;
static struct buf answer;
static struct http_request *held; /* by the handler that answers later */
static int gone_count;
static size_t stream_left_bytes;
static size_t stream_peak_bytes;
static bool guard_says;

/* ---- handlers ---- */

static void
echo(struct http_request *request, void *user)
{
    struct span body = http_request_body(request);

    (void)user;
    if (body.data != NULL) {
        for (int i = 0; i < HTTP_BODY_PADDING_BYTES; i++) {
            assert_int_equal(body.data[body.bytes + (size_t)i], 0);
        }
    }
    http_reply(request, 200, "text/plain", body);
}

static void
show(struct http_request *request, void *user)
{
    char text[512];
    struct span id = http_request_path(request, "id");
    struct span q = http_request_query(request, "q");

    (void)snprintf(text, sizeof(text), "%s id=%.*s q=%s%.*s n=%zu loopback=%d",
                   (const char *)user, SPAN_ARGS(id),
                   q.data == NULL ? "null" : "", SPAN_ARGS(q),
                   http_request_query_count(request),
                   http_request_is_loopback(request));
    http_reply_header(request, "X-Number", "%d", 7);
    http_reply(request, 200, "text/plain; charset=utf-8", span_of(text));
}

static void
gone_cb(struct http_request *request, void *user)
{
    (void)user;
    assert_true(http_request_gone(request));
    gone_count++;
}

static void
hold(struct http_request *request, void *user)
{
    (void)user;
    held = request;
    http_request_on_gone(request, gone_cb, NULL);
}

static void
stream_more(struct http_request *request, void *user)
{
    static char block[10000];
    size_t bytes =
        stream_left_bytes < sizeof(block) ? stream_left_bytes : sizeof(block);

    (void)user;
    memset(block, 's', sizeof(block));
    if (stream_left_bytes == 0) {
        http_stream_end(request, true);
        return;
    }
    stream_left_bytes -= bytes;
    assert_true(http_stream_put(request, (struct span){block, bytes}));
    if (http_stream_pending_bytes(request) > stream_peak_bytes) {
        stream_peak_bytes = http_stream_pending_bytes(request);
    }
}

static void
stream(struct http_request *request, void *user)
{
    http_stream_start(request, 200, "text/csv");
    http_stream_on_room(request, 20000, stream_more, user);
}

static void
cut_stream(struct http_request *request, void *user)
{
    (void)user;
    http_stream_start(request, 200, "text/csv");
    assert_true(http_stream_put(request, SPAN_LITERAL("half")));
    http_stream_end(request, false);
}

static void
fail_with(struct http_request *request, void *user)
{
    struct err err = {0};

    (void)err_set_field(&err, *(enum err_code *)user, "from",
                        "say \"2026-03-01\"");
    problem_reply_err(request, &err);
}

static bool
guard(struct http_request *request, void *user)
{
    (void)user;
    if (!guard_says) {
        problem_reply(request, 401, "no_token", "a token is needed");
    }
    return guard_says;
}

/* ---- the client ---- */

static int
connect_client(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(http_server_port(server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    return fd;
}

static void
turn(void)
{
    assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

/* Send all of it while the server's loop turns; false when it closed. */
static bool
send_all(int fd, const char *text, size_t bytes)
{
    int64_t end_us = clock_mono_us() + PATIENCE_US;

    while (bytes > 0) {
        ssize_t sent = send(fd, text, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN) {
            return false;
        }
        if (sent > 0) {
            text += sent;
            bytes -= (size_t)sent;
        }
        turn();
        assert_true(clock_mono_us() < end_us);
    }
    return true;
}

/* Read until `until` is in the answer; NULL: until the server closes. False:
 * closed before. The answer ends in a NUL that is not counted. */
static bool
receive(int fd, const char *until)
{
    int64_t end_us = clock_mono_us() + PATIENCE_US;
    bool found = false;

    while (!found) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        char *room = buf_reserve(&answer, 65536);
        ssize_t got;

        turn();
        (void)poll(&poll_fd, 1, 1);
        got = recv(fd, room, 65535, MSG_DONTWAIT);
        if (got > 0) {
            buf_grow(&answer, (size_t)got);
        } else if (got == 0 || errno != EAGAIN) {
            break;
        }
        assert_true(clock_mono_us() < end_us);
        found = until != NULL &&
                memmem(answer.data, answer.bytes, until, strlen(until)) != NULL;
    }
    *buf_reserve(&answer, 1) = '\0';
    return found;
}

/* One request on a new connection; the answer until the server closes. */
static void
ask(const char *text)
{
    int fd = connect_client();

    buf_reset(&answer);
    assert_true(send_all(fd, text, strlen(text)));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    (void)receive(fd, NULL);
    (void)close(fd);
}

static unsigned
status(void)
{
    assert_true(answer.bytes > 12);
    assert_memory_equal(answer.data, "HTTP/1.1 ", 9);
    return (unsigned)strtoul(answer.data + 9, NULL, 10);
}

static bool
answer_has(const char *text)
{
    return strstr(answer.data, text) != NULL;
}

#define TAIL " HTTP/1.1\r\nHost: a\r\n"

/* ---- set up ---- */

static char name_one[] = "one";
static char name_last[] = "last";
static char name_x[] = "x";
static char name_root[] = "root";
static enum err_code full = ERR_DISK_FULL;
static enum err_code busy = ERR_BUSY;
static enum err_code bad = ERR_BAD_TIME;

static void
start_server(void)
{
    struct err err = {0};

    assert_int_equal(http_server_new(base, &options, &server, &err), ERR_OK);
    http_route(server, HTTP_POST, "/echo", echo, NULL);
    http_route(server, HTTP_PUT, "/echo", echo, NULL);
    http_route(server, HTTP_GET, "/t/{id}", show, name_one);
    http_route(server, HTTP_GET, "/t/last", show, name_last);
    http_route(server, HTTP_GET, "/t/{id}/x", show, name_x);
    http_route(server, HTTP_GET, "/", show, name_root);
    http_route(server, HTTP_GET, "/hold", hold, NULL);
    http_route(server, HTTP_GET, "/stream", stream, NULL);
    http_route(server, HTTP_GET, "/cut", cut_stream, NULL);
    http_route(server, HTTP_GET, "/full", fail_with, &full);
    http_route(server, HTTP_GET, "/busy", fail_with, &busy);
    http_route(server, HTTP_GET, "/bad", fail_with, &bad);
}

static int
start(void **state)
{
    (void)state;
    base = event_base_new();
    buf_init(&answer, ANSWER_BYTES_MAX);
    held = NULL;
    gone_count = 0;
    stream_peak_bytes = 0;
    options = (struct http_options){
        .bind = "127.0.0.1",
        .connections_max = 10,
        .header_bytes_max = 2048,
        .body_bytes_max = 1000000,
        .bodies_bytes_max = 5000000,
        .header_deadline_us = PATIENCE_US,
        .body_deadline_us = PATIENCE_US,
        .idle_deadline_us = PATIENCE_US,
        .write_deadline_us = PATIENCE_US,
    };
    start_server();
    return base == NULL;
}

static int
finish(void **state)
{
    (void)state;
    http_server_free(&server);
    event_base_free(base);
    buf_release(&answer);
    return 0;
}

static void
restart_server(void)
{
    http_server_free(&server);
    start_server();
}

/* ---- tests ---- */

static void
paths_and_queries_are_decoded(void **state)
{
    (void)state;
    ask("GET /t/%E5%81%9C%2Fa?q=%E7%94%B5+x&y&z=1&q=2" TAIL "\r\n");
    assert_int_equal(status(), 200);
    assert_true(answer_has("one id=停/a q=电 x n=4 loopback=1"));
    assert_true(answer_has("X-Number: 7\r\n"));
    assert_true(answer_has("Content-Type: text/plain; charset=utf-8\r\n"));
    assert_true(answer_has("Cache-Control: no-store\r\n"));
    ask("GET /t/last" TAIL "\r\n");
    assert_true(answer_has("last id= q=null n=0"));
    ask("GET /t/9/x?q=" TAIL "\r\n");
    assert_true(answer_has("x id=9 q= n=1"));
    ask("GET /t/停?q=电" TAIL "\r\n");
    assert_true(answer_has("one id=停 q=电"));
    ask("GET /?" TAIL "\r\n");
    assert_true(answer_has("root id="));
    ask("GET /t/%ff" TAIL "\r\n");
    assert_int_equal(status(), 400);
    ask("GET /t/a?q=%00" TAIL "\r\n");
    assert_int_equal(status(), 400);
}

static void
unknown_addresses_and_methods_are_told_apart(void **state)
{
    (void)state;
    ask("GET /nothing" TAIL "\r\n");
    assert_int_equal(status(), 404);
    assert_true(answer_has("application/problem+json"));
    assert_true(answer_has("\"code\":\"no_route\""));
    assert_true(answer_has("\"instance\":\"/nothing\""));
    ask("GET /t/" TAIL "\r\n");
    assert_int_equal(status(), 404);
    ask("GET /echo" TAIL "\r\n");
    assert_int_equal(status(), 405);
    assert_true(answer_has("Allow: POST, PUT\r\n"));
    ask("DELETE /t/1" TAIL "\r\n");
    assert_int_equal(status(), 405);
    assert_true(answer_has("Allow: GET, HEAD\r\n"));
}

static void
head_is_get_without_a_body(void **state)
{
    (void)state;
    ask("HEAD /t/last" TAIL "\r\n");
    assert_int_equal(status(), 200);
    assert_true(answer_has("Content-Length: 30\r\n"));
    assert_memory_equal(answer.data + answer.bytes - 4, "\r\n\r\n", 4);
    stream_left_bytes = 50000;
    ask("HEAD /stream" TAIL "\r\n");
    assert_memory_equal(answer.data + answer.bytes - 4, "\r\n\r\n", 4);
}

static void
a_body_comes_back_whole_by_length_and_in_chunks(void **state)
{
    static char text[400000];
    size_t used = 0;
    int fd;

    (void)state;
    ask("POST /echo" TAIL "Content-Length: 5\r\n\r\nhello");
    assert_true(answer_has("\r\n\r\nhello"));
    ask("POST /echo" TAIL "Content-Length: 0\r\n\r\n");
    assert_int_equal(status(), 200);
    ask("POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\n"
        "5;x=1\r\nhello\r\n1\r\n \r\n6\r\nworld!\r\n0\r\nX: y\r\n\r\n");
    assert_true(answer_has("\r\n\r\nhello world!"));

    used = (size_t)snprintf(text, sizeof(text),
                            "POST /echo" TAIL "Content-Length: 300000\r\n\r\n");
    for (size_t i = 0; i < 300000; i++) {
        text[used++] = (char)('a' + i % 26);
    }
    fd = connect_client();
    buf_reset(&answer);
    assert_true(send_all(fd, text, used));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    (void)receive(fd, NULL);
    assert_memory_equal(answer.data + answer.bytes - 300000,
                        text + used - 300000, 300000);
    (void)close(fd);
}

static void
a_body_of_one_byte_pieces_comes_back_whole(void **state)
{
    const char text[] = "POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\n"
                        "b\r\nhello world\r\n0\r\n\r\n";
    int fd = connect_client();

    (void)state;
    buf_reset(&answer);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        assert_true(send_all(fd, text + i, 1));
        turn();
    }
    assert_true(receive(fd, "hello world"));
    (void)close(fd);
}

static void
body_limits_hold_at_the_edge(void **state)
{
    char text[256];

    (void)state;
    options.body_bytes_max = 10;
    restart_server();
    ask("POST /echo" TAIL "Content-Length: 10\r\n\r\n0123456789");
    assert_int_equal(status(), 200);
    ask("POST /echo" TAIL "Content-Length: 11\r\n\r\n0123456789a");
    assert_int_equal(status(), 413);
    assert_true(answer_has("http_body_bytes_max"));
    ask("POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\n"
        "5\r\n01234\r\n5\r\n01234\r\n0\r\n\r\n");
    assert_int_equal(status(), 200);
    ask("POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\n"
        "5\r\n01234\r\n6\r\n012345\r\n0\r\n\r\n");
    assert_int_equal(status(), 413);
    (void)snprintf(text, sizeof(text),
                   "POST /echo" TAIL "Content-Length: %llu\r\n\r\n",
                   9999999999999999999ULL);
    ask(text);
    assert_int_equal(status(), 413);

    options.body_bytes_max = 1000;
    options.bodies_bytes_max = 8;
    restart_server();
    ask("POST /echo" TAIL "Content-Length: 8\r\n\r\n01234567");
    assert_int_equal(status(), 200);
    ask("POST /echo" TAIL "Content-Length: 9\r\n\r\n012345678");
    assert_int_equal(status(), 503);
    assert_true(answer_has("Retry-After: 1\r\n"));
}

static void
headers_hold_their_limit_at_the_edge(void **state)
{
    char text[4096];
    struct http_counts counts;

    (void)state;
    for (size_t over = 0; over <= 1; over++) {
        const char front[] = "GET /" TAIL "X: ";
        size_t bytes = options.header_bytes_max + over;

        memset(text, 'x', bytes);
        memcpy(text, front, sizeof(front) - 1);
        memcpy(text + bytes - 4, "\r\n\r\n", 5);
        ask(text);
        assert_int_equal(status(), over ? 431 : 200);
    }
    http_server_counts(server, &counts);
    assert_int_equal(counts.connections_open, 0);
}

static void
malformed_requests_are_answered_and_closed(void **state)
{
    struct http_counts counts;

    (void)state;
    ask("POST /echo" TAIL
        "Content-Length: 5\r\nContent-Length: 0\r\n\r\nhelloGET / HTTP/1.1");
    assert_int_equal(status(), 400);
    assert_true(answer_has("Connection: close\r\n"));
    assert_true(answer_has("\"code\":\"malformed_request\""));
    ask("GET / HTTP/1.1\nHost: a\n\n");
    assert_int_equal(status(), 400);
    ask("POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n");
    assert_int_equal(status(), 400);
    ask("POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n");
    assert_int_equal(status(), 400);
    http_server_counts(server, &counts);
    assert_int_equal(counts.malformed_total, 4);
    assert_int_equal(counts.connections_open, 0);
    assert_int_equal(counts.body_bytes_held, 0);
}

static void
requests_sent_ahead_are_answered_in_order(void **state)
{
    int fd = connect_client();
    const char text[] = "\r\nGET /t/1" TAIL "\r\n"
                        "POST /echo" TAIL "Content-Length: 3\r\n\r\nabc"
                        "GET /hold" TAIL "\r\n"
                        "GET /t/2" TAIL "\r\n";

    (void)state;
    buf_reset(&answer);
    assert_true(send_all(fd, text, sizeof(text) - 1));
    assert_true(receive(fd, "\r\n\r\nabc"));
    assert_true(answer_has("one id=1"));
    assert_non_null(held);
    assert_false(answer_has("id=2"));
    http_reply(held, 200, "text/plain", SPAN_LITERAL("later"));
    assert_true(receive(fd, "one id=2"));
    assert_true(answer_has("later"));
    (void)close(fd);
}

static void
a_client_that_ends_its_side_still_gets_all_answers(void **state)
{
    (void)state;
    ask("GET /t/1" TAIL "\r\nGET /t/2" TAIL "\r\n");
    assert_true(answer_has("one id=1"));
    assert_true(answer_has("one id=2"));
}

static void
a_client_that_goes_is_told_to_the_holder(void **state)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    int64_t end_us = clock_mono_us() + PATIENCE_US;
    struct http_counts counts;
    int fd = connect_client();

    (void)state;
    assert_true(send_all(fd, "GET /hold" TAIL "\r\n", 31));
    while (held == NULL) {
        turn();
    }
    assert_false(http_request_gone(held));
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    assert_int_equal(close(fd), 0); /* a reset */
    while (gone_count == 0) {
        turn();
        assert_true(clock_mono_us() < end_us);
    }
    assert_true(http_request_gone(held));
    http_reply(held, 200, "text/plain", SPAN_LITERAL("nobody hears"));
    http_server_counts(server, &counts);
    assert_int_equal(counts.connections_open, 0);
}

static void
a_request_held_at_the_end_of_the_server_is_told(void **state)
{
    int fd = connect_client();

    (void)state;
    assert_true(send_all(fd, "GET /hold" TAIL "\r\n", 31));
    while (held == NULL) {
        turn();
    }
    http_server_free(&server);
    assert_int_equal(gone_count, 1);
    (void)close(fd);
    start_server();
}

static void
a_stream_waits_for_the_client(void **state)
{
    size_t bytes = 3000000;
    size_t found = 0;
    int fd = connect_client();

    (void)state;
    stream_left_bytes = bytes;
    buf_reset(&answer);
    assert_true(send_all(fd, "GET /stream" TAIL "\r\n", 33));
    for (int i = 0; i < 100; i++) {
        turn(); /* the client reads nothing: the socket fills, then waits */
    }
    assert_true(stream_left_bytes > 0 || stream_peak_bytes > 0);
    assert_true(receive(fd, "\r\n0\r\n\r\n"));
    assert_true(answer_has("Transfer-Encoding: chunked\r\n"));
    for (size_t i = 0; i < answer.bytes; i++) {
        found += answer.data[i] == 's';
    }
    assert_true(found >= bytes && found < bytes + 100);
    assert_true(stream_peak_bytes <= 20000 + 10000 + 100);
    (void)close(fd);
}

static void
a_stream_to_an_old_client_ends_with_the_connection(void **state)
{
    int fd = connect_client();

    (void)state;
    stream_left_bytes = 25000;
    buf_reset(&answer);
    assert_true(send_all(fd, "GET /stream HTTP/1.0\r\n\r\n", 24));
    assert_false(receive(fd, NULL));
    assert_false(answer_has("Transfer-Encoding"));
    assert_true(answer.bytes > 25000);
    (void)close(fd);
}

static void
a_stream_that_fails_is_seen_to_be_cut(void **state)
{
    (void)state;
    ask("GET /cut" TAIL "\r\n");
    assert_false(answer_has("0\r\n\r\n"));
}

static void
a_client_that_leaves_a_stream_is_told(void **state)
{
    int64_t end_us = clock_mono_us() + PATIENCE_US;
    int fd = connect_client();

    (void)state;
    assert_true(send_all(fd, "GET /hold" TAIL "\r\n", 31));
    while (held == NULL) {
        turn();
    }
    http_stream_start(held, 200, "text/event-stream");
    assert_true(http_stream_put(held, SPAN_LITERAL(": hello\n\n")));
    buf_reset(&answer);
    assert_true(receive(fd, ": hello"));
    assert_int_equal(close(fd), 0);
    while (gone_count == 0) {
        turn();
        assert_true(clock_mono_us() < end_us);
    }
    assert_false(http_stream_put(held, SPAN_LITERAL("x")));
    http_stream_end(held, true);
}

static void
errors_become_problem_documents_in_the_language_asked_for(void **state)
{
    (void)state;
    ask("GET /bad?from=x" TAIL "\r\n");
    assert_int_equal(status(), 400);
    assert_true(answer_has("{\"type\":\"urn:suqiu:problem:bad_time\","
                           "\"title\":\"不是日期和时间\",\"status\":400,"
                           "\"code\":\"bad_time\",\"field\":\"from\","
                           "\"detail\":\"say \\\"2026-03-01\\\"\","
                           "\"instance\":\"/bad?from=x\",\"request_id\":"));
    ask("GET /bad" TAIL "Accept-Language: en-GB,en;q=0.9,zh;q=0.8\r\n\r\n");
    assert_true(answer_has("not a date and time"));
    ask("GET /full" TAIL "\r\n");
    assert_int_equal(status(), 507);
    ask("GET /busy" TAIL "\r\n");
    assert_int_equal(status(), 503);
    assert_true(answer_has("Retry-After: 1\r\n"));
}

static void
every_error_has_a_chinese_title(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_CODE_COUNT; i++) {
        const char *title = problem_title((enum err_code)i, false);

        if (strcmp(title, err_code_text((enum err_code)i)) == 0) {
            fail_msg("no Chinese title: %s", title);
        }
    }
    assert_int_equal(problem_status(ERR_TOO_LONG, true), 413);
    assert_int_equal(problem_status(ERR_TOO_LONG, false), 400);
    assert_int_equal(problem_status(ERR_NOT_FOUND, false), 404);
    assert_int_equal(problem_status(ERR_CORRUPT, false), 500);
    assert_true(problem_wants_english(SPAN_LITERAL("en")));
    assert_false(problem_wants_english(SPAN_LITERAL("en;q=0.5, zh-CN")));
    assert_false(problem_wants_english(SPAN_LITERAL("*")));
}

static void
the_guard_is_asked_before_the_body_is_read(void **state)
{
    (void)state;
    http_set_guard(server, guard, NULL);
    guard_says = false;
    ask("POST /echo" TAIL "Content-Length: 900000\r\n\r\nonly this");
    assert_int_equal(status(), 401);
    guard_says = true;
    ask("POST /echo" TAIL "Content-Length: 2\r\n\r\nok");
    assert_int_equal(status(), 200);
}

static void
a_client_that_expects_to_go_on_is_told_to(void **state)
{
    int fd = connect_client();
    const char text[] =
        "POST /echo" TAIL "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n";

    (void)state;
    buf_reset(&answer);
    assert_true(send_all(fd, text, sizeof(text) - 1));
    assert_true(receive(fd, "HTTP/1.1 100 Continue\r\n\r\n"));
    assert_true(send_all(fd, "ok", 2));
    assert_true(receive(fd, "\r\n\r\nok"));
    (void)close(fd);
}

static void
slow_requests_meet_their_deadlines(void **state)
{
    struct http_counts counts;
    int fd;

    (void)state;
    options.header_deadline_us = 20000;
    options.body_deadline_us = 20000;
    options.idle_deadline_us = 20000;
    restart_server();
    fd = connect_client(); /* half a head, however often a byte comes */
    buf_reset(&answer);
    assert_true(send_all(fd, "GET / HT", 8));
    (void)receive(fd, NULL);
    assert_int_equal(status(), 408);
    (void)close(fd);
    fd = connect_client();
    buf_reset(&answer);
    assert_true(
        send_all(fd, "POST /echo" TAIL "Content-Length: 9\r\n\r\nab", 54));
    (void)receive(fd, NULL);
    assert_int_equal(status(), 408);
    (void)close(fd);
    fd = connect_client(); /* nothing after the first request */
    buf_reset(&answer);
    assert_true(send_all(fd, "GET /t/1" TAIL "\r\n", 30));
    (void)receive(fd, NULL);
    assert_int_equal(status(), 200);
    (void)close(fd);
    http_server_counts(server, &counts);
    assert_int_equal(counts.timeouts_total, 2);
}

static void
a_client_that_takes_nothing_is_closed(void **state)
{
    int64_t end_us = clock_mono_us() + PATIENCE_US;
    struct http_counts counts;
    int fd;

    (void)state;
    options.write_deadline_us = 20000;
    restart_server();
    fd = connect_client();
    assert_true(send_all(fd, "GET /hold" TAIL "\r\n", 31));
    while (held == NULL) {
        turn();
    }
    http_stream_start(held, 200, "text/csv");
    stream_left_bytes = SIZE_MAX;
    http_stream_on_room(held, 100000, stream_more, NULL);
    while (gone_count == 0) {
        turn();
        assert_true(clock_mono_us() < end_us);
    }
    http_stream_end(held, true);
    http_server_counts(server, &counts);
    assert_int_equal(counts.timeouts_total, 1);
    (void)close(fd);
}

static void
connections_over_the_limit_are_refused_and_the_rest_go_on(void **state)
{
    struct http_counts counts;
    int fds[11];

    (void)state;
    for (int i = 0; i < 11; i++) {
        fds[i] = connect_client();
        turn();
    }
    buf_reset(&answer);
    (void)receive(fds[10], NULL);
    assert_int_equal(status(), 503);
    assert_true(answer_has("\"code\":\"busy\"}"));
    buf_reset(&answer);
    assert_true(send_all(fds[9], "GET /t/1" TAIL "\r\n", 30));
    assert_true(receive(fds[9], "one id=1"));
    for (int i = 0; i < 11; i++) {
        (void)close(fds[i]);
    }
    while (!http_server_idle(server)) {
        turn();
    }
    http_server_counts(server, &counts);
    assert_int_equal(counts.connections_refused, 1);
    ask("GET /t/1" TAIL "\r\n");
    assert_int_equal(status(), 200);
}

static int log_lines;

static void
count_line(const char *line, size_t bytes)
{
    (void)line;
    (void)bytes;
    log_lines++;
}

/* Without the reserve descriptor the connection would stay in the queue and
 * the loop would spin. */
static void
without_descriptors_connections_are_dropped_and_it_recovers(void **state)
{
    struct rlimit before;
    struct rlimit none;
    struct http_counts counts;
    int fd = connect_client();

    (void)state;
    turn();
    http_server_counts(server, &counts);
    assert_int_equal(counts.connections_open, 1);
    (void)close(fd);
    log_set_sink(count_line);
    log_lines = 0;
    fd = connect_client();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)fd + 1; /* every descriptor below is taken */
    for (int i = 3; i < fd; i++) {
        struct pollfd open_fd = {.fd = i};

        (void)poll(&open_fd, 1, 0);
        if ((open_fd.revents & POLLNVAL) != 0) {
            none.rlim_cur = (rlim_t)i; /* the first free one */
            break;
        }
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    buf_reset(&answer);
    assert_false(receive(fd, NULL));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(answer.bytes, 0);
    (void)close(fd);
    http_server_counts(server, &counts);
    assert_int_equal(counts.connections_refused, 1);
    assert_int_equal(log_lines, 1);
    log_set_sink(NULL);
    ask("GET /t/1" TAIL "\r\n");
    assert_int_equal(status(), 200);
}

static void
a_drained_server_answers_what_it_has_and_ends(void **state)
{
    int idle = connect_client();
    int busy_fd = connect_client();

    (void)state;
    assert_true(send_all(idle, "GET /t/1" TAIL "\r\n", 30));
    buf_reset(&answer);
    assert_true(receive(idle, "one id=1"));
    assert_true(send_all(busy_fd, "GET /hold" TAIL "\r\n", 31));
    while (held == NULL) {
        turn();
    }
    http_server_drain(server);
    buf_reset(&answer);
    assert_false(receive(idle, NULL));
    assert_false(http_server_idle(server));
    http_reply(held, 204, NULL, (struct span){NULL, 0});
    buf_reset(&answer);
    assert_false(receive(busy_fd, NULL));
    assert_int_equal(status(), 204);
    assert_true(answer_has("Connection: close\r\n"));
    (void)close(idle);
    (void)close(busy_fd);
    while (!http_server_idle(server)) {
        turn();
    }
}

static void
a_port_in_use_is_named(void **state)
{
    struct http_server *second = NULL;
    struct http_options same = options;
    struct err err = {0};

    (void)state;
    same.port = http_server_port(server);
    assert_int_equal(http_server_new(base, &same, &second, &err), ERR_LOCKED);
    assert_non_null(strstr(err.detail, "another program"));
    err = (struct err){0};
    same.bind = "localhost.example";
    assert_int_equal(http_server_new(base, &same, &second, &err),
                     ERR_BAD_VALUE);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
    const struct CMUnitTest tests[] = {
        TEST(paths_and_queries_are_decoded),
        TEST(unknown_addresses_and_methods_are_told_apart),
        TEST(head_is_get_without_a_body),
        TEST(a_body_comes_back_whole_by_length_and_in_chunks),
        TEST(a_body_of_one_byte_pieces_comes_back_whole),
        TEST(body_limits_hold_at_the_edge),
        TEST(headers_hold_their_limit_at_the_edge),
        TEST(malformed_requests_are_answered_and_closed),
        TEST(requests_sent_ahead_are_answered_in_order),
        TEST(a_client_that_ends_its_side_still_gets_all_answers),
        TEST(a_client_that_goes_is_told_to_the_holder),
        TEST(a_request_held_at_the_end_of_the_server_is_told),
        TEST(a_stream_waits_for_the_client),
        TEST(a_stream_to_an_old_client_ends_with_the_connection),
        TEST(a_stream_that_fails_is_seen_to_be_cut),
        TEST(a_client_that_leaves_a_stream_is_told),
        TEST(errors_become_problem_documents_in_the_language_asked_for),
        TEST(every_error_has_a_chinese_title),
        TEST(the_guard_is_asked_before_the_body_is_read),
        TEST(a_client_that_expects_to_go_on_is_told_to),
        TEST(slow_requests_meet_their_deadlines),
        TEST(a_client_that_takes_nothing_is_closed),
        TEST(connections_over_the_limit_are_refused_and_the_rest_go_on),
        TEST(without_descriptors_connections_are_dropped_and_it_recovers),
        TEST(a_drained_server_answers_what_it_has_and_ends),
        TEST(a_port_in_use_is_named),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
