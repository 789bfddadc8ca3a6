/* One feed connection of a test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/feed_client.h"

enum { PATIENCE_MS = 60000, ANSWER_BYTES_MAX = 64 * 1024 * 1024 };

void
feed_client_open(struct feed_client *client, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    *client = (struct feed_client){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    buf_init(&client->in, ANSWER_BYTES_MAX);
    assert_true(client->fd >= 0);
    assert_int_equal(
        connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
}

void
feed_client_close(struct feed_client *client)
{
    (void)close(client->fd);
    buf_release(&client->in);
}

/* The string behind "key":, empty for null. */
static void
copy_member(struct span line, const char *key, char *out, size_t out_bytes)
{
    size_t at = span_find(line, span_of(key), 0);
    struct span rest;
    size_t end;

    assert_true(at != SIZE_MAX);
    at += strlen(key);
    rest = (struct span){line.data + at, line.bytes - at};
    out[0] = '\0';
    if (span_starts(rest, SPAN_LITERAL("null"))) {
        return;
    }
    assert_true(span_starts(rest, SPAN_LITERAL("\"")));
    end = span_find(rest, SPAN_LITERAL("\""), 1);
    assert_true(end < out_bytes);
    memcpy(out, rest.data + 1, end - 1);
    out[end - 1] = '\0';
}

/* {"code":"…","detail":"…"}: the server does not let this feed in; line 0. */
static void
take_closing(struct feed_client *client, struct span line)
{
    struct feed_refusal *refusal = &client->refusals[0];

    client->refusal_count_all++;
    client->refusal_count = 1;
    refusal->line = 0;
    copy_member(line, "\"code\":", refusal->code, sizeof(refusal->code));
}

/* {"ack":N} or {"line":K,"code":"…","field":"…","detail":"…"}, nothing else. */
static void
take_answer(struct feed_client *client, struct span line)
{
    if (span_starts(line, SPAN_LITERAL("{\"ack\":"))) {
        uint64_t lines = strtoull(line.data + 7, NULL, 10);

        assert_true(lines >= client->acknowledged);
        client->acknowledged = lines;
        return;
    }
    if (span_starts(line, SPAN_LITERAL("{\"code\":"))) {
        take_closing(client, line);
        return;
    }
    assert_true(span_starts(line, SPAN_LITERAL("{\"line\":")));
    client->refusal_count_all++;
    if (client->refusal_count < FEED_REFUSALS_MAX) {
        struct feed_refusal *refusal =
            &client->refusals[client->refusal_count++];

        refusal->line = strtoull(line.data + 8, NULL, 10);
        /* A refusal comes before the acknowledgement of its batch. */
        assert_true(refusal->line > client->acknowledged);
        copy_member(line, "\"code\":", refusal->code, sizeof(refusal->code));
        copy_member(line, "\"field\":", refusal->field, sizeof(refusal->field));
        copy_member(line, "\"detail\":", refusal->detail,
                    sizeof(refusal->detail));
    }
}

static void
take_answers(struct feed_client *client)
{
    struct span rest = buf_view(&client->in);
    size_t used = 0;

    for (;;) {
        size_t end = span_find(rest, SPAN_LITERAL("\n"), 0);

        if (end == SIZE_MAX) {
            break;
        }
        take_answer(client, (struct span){rest.data, end});
        used += end + 1;
        rest = (struct span){rest.data + end + 1, rest.bytes - end - 1};
    }
    buf_drop_front(&client->in, used);
}

static void
read_answers(struct feed_client *client)
{
    for (;;) {
        char *room = buf_reserve(&client->in, 65536);
        ssize_t got;

        assert_non_null(room);
        got = recv(client->fd, room, 65536, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            break;
        }
        if (got <= 0) {
            client->closed = true;
            break;
        }
        buf_grow(&client->in, (size_t)got);
    }
    take_answers(client);
}

size_t
feed_client_send_within(struct feed_client *client,
                        struct span bytes,
                        int patience_ms)
{
    size_t sent = 0;

    while (sent < bytes.bytes && !client->closed) {
        struct pollfd item = {.fd = client->fd, .events = POLLIN | POLLOUT};
        ssize_t put = 0;

        if (poll(&item, 1, patience_ms) == 0) {
            break;
        }
        if ((item.revents & POLLOUT) != 0) {
            put = send(client->fd, bytes.data + sent, bytes.bytes - sent,
                       MSG_NOSIGNAL);
            sent += put > 0 ? (size_t)put : 0;
        }
        if ((item.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            read_answers(client);
        }
    }
    return sent;
}

void
feed_client_send(struct feed_client *client, struct span bytes)
{
    assert_int_equal(feed_client_send_within(client, bytes, PATIENCE_MS),
                     bytes.bytes);
}

void
feed_client_end(struct feed_client *client)
{
    assert_int_equal(shutdown(client->fd, SHUT_WR), 0);
}

static void
wait_for_more(struct feed_client *client)
{
    struct pollfd item = {.fd = client->fd, .events = POLLIN};

    if (poll(&item, 1, PATIENCE_MS) != 1) {
        fail_msg("waited too long, %llu lines are acknowledged",
                 (unsigned long long)client->acknowledged);
    }
    read_answers(client);
}

void
feed_client_wait(struct feed_client *client, uint64_t lines)
{
    while (client->acknowledged < lines) {
        if (client->closed) {
            fail_msg("the server closed after %llu of %llu acknowledgements",
                     (unsigned long long)client->acknowledged,
                     (unsigned long long)lines);
        }
        wait_for_more(client);
    }
    assert_int_equal(client->acknowledged, lines);
}

void
feed_client_wait_quiet(struct feed_client *client, int quiet_ms)
{
    struct pollfd item = {.fd = client->fd, .events = POLLIN};

    while (!client->closed && poll(&item, 1, quiet_ms) == 1) {
        read_answers(client);
    }
}

void
feed_client_wait_closed(struct feed_client *client)
{
    while (!client->closed) {
        wait_for_more(client);
    }
}
