/* The routes on a loopback port over a ledger of some tickets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/site.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/serve/http.h"
#include "server/serve/routes.h"

enum { SITE_ANSWER_BYTES_MAX = 8 * 1024 * 1024, SITE_READ_BYTES = 64 * 1024 };

struct site {
    struct ledger_fixture ledger;
    struct changes *changes;
    struct event_base *base;
    struct http_server *server;
    struct serve_routes *routes;
    struct http_client *client;
    pthread_t thread;
    int stop_pipe[2]; /* a byte in it ends the loop */
};

static const struct dictionary *
dictionary_of(void *data)
{
    return ((struct site *)data)->ledger.dictionary;
}

static void
stop(evutil_socket_t fd, short what, void *user)
{
    (void)fd;
    (void)what;
    (void)event_base_loopbreak(((struct site *)user)->base);
}

static void *
run(void *data)
{
    (void)event_base_loop(((struct site *)data)->base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

static void
fill(struct ledger_fixture *ledger)
{
    fixture_begin(ledger, fixture_time("2018-01-02 00:00:00"));
    for (int i = 0; i < SITE_TICKETS; i++) {
        char id[32];
        struct fixture_ticket ticket = {
            .id = id,
            .at_us = fixture_time("2018-01-02 00:00:00") + i * US_PER_MINUTE,
            .unit = "甲/乙",
            .text = "投诉停电",
            .type = TICKET_TYPE_COMPLAINT,
            .category = TICKET_CATEGORY_OUTAGE,
            .subcategory = "停送电管理",
            .region = TICKET_REGION_URBAN};

        (void)snprintf(id, sizeof(id), "20180102%08d", i);
        assert_int_equal(fixture_put_ticket(ledger, &ticket), LEDGER_ACCEPTED);
    }
    fixture_commit(ledger);
}

int
site_set_up(void **state)
{
    struct site *site = calloc(1, sizeof(*site));
    struct http_options options = {.bind = "127.0.0.1",
                                   .connections_max = 1000,
                                   .header_bytes_max = 16384,
                                   .body_bytes_max = 1 << 20,
                                   .bodies_bytes_max = 1 << 22,
                                   .header_deadline_us = 10000000,
                                   .body_deadline_us = 10000000,
                                   .idle_deadline_us = 60000000,
                                   .write_deadline_us = 30000000};
    struct serve_context context;
    char url[64];
    struct err err = {0};

    assert_non_null(site);
    fixture_open(&site->ledger, FIXTURE_MAP_BYTES);
    site->changes = changes_new();
    assert_non_null(site->changes);
    ledger_watch(site->ledger.ledger, site->changes);
    fill(&site->ledger);
    site->base = event_base_new();
    assert_non_null(site->base);
    assert_int_equal(http_server_new(site->base, &options, &site->server, &err),
                     ERR_OK);
    context = (struct serve_context){.store = site->ledger.store,
                                     .events = site->base,
                                     .base = site->base,
                                     .changes = site->changes,
                                     .ids = ledger_ids(site->ledger.ledger),
                                     .dictionary = dictionary_of,
                                     .data = site};
    assert_int_equal(
        serve_routes_new(site->server, &context, &site->routes, &err), ERR_OK);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", site_port(site));
    assert_int_equal(http_client_new(url, SITE_WAIT_S, &site->client, &err),
                     ERR_OK);
    assert_int_equal(pipe(site->stop_pipe), 0);
    assert_int_equal(event_base_once(site->base, site->stop_pipe[0], EV_READ,
                                     stop, site, NULL),
                     0);
    assert_int_equal(pthread_create(&site->thread, NULL, run, site), 0);
    *state = site;
    return 0;
}

int
site_tear_down(void **state)
{
    struct site *site = *state;

    http_client_free(&site->client);
    assert_int_equal(write(site->stop_pipe[1], "", 1), 1);
    assert_int_equal(pthread_join(site->thread, NULL), 0);
    http_server_free(&site->server);
    serve_routes_free(&site->routes);
    event_base_free(site->base);
    (void)close(site->stop_pipe[0]);
    (void)close(site->stop_pipe[1]);
    fixture_close(&site->ledger);
    changes_free(&site->changes);
    free(site);
    return 0;
}

unsigned
site_port(const struct site *site)
{
    return http_server_port(site->server);
}

struct ledger_fixture *
site_ledger(struct site *site)
{
    return &site->ledger;
}

struct http_client_answer
site_ask(struct site *site,
         const char *method,
         const char *path,
         const char *body)
{
    struct http_client_request request = {
        .method = method,
        .path = path,
        .type = body != NULL ? "application/json" : NULL,
        .body = span_of(body)};
    struct http_client_answer answer;
    struct err err = {0};

    if (http_client_send(site->client, &request, &answer, &err) != ERR_OK) {
        fail_msg("%s: %s", path, err.detail);
    }
    return answer;
}

int
site_connect(struct site *site, const char *request)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)site_port(site))};
    size_t bytes = strlen(request);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    assert_int_equal(send(fd, request, bytes, MSG_NOSIGNAL), (ssize_t)bytes);
    return fd;
}

/* More bytes; false at the end. */
static bool
read_more(int fd, struct buf *in)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char *room = buf_reserve(in, SITE_READ_BYTES + 1);
    ssize_t got;

    assert_non_null(room);
    if (poll(&wait, 1, SITE_WAIT_S * 1000) != 1) {
        fail_msg("nothing came in %d s; so far: %.*s", SITE_WAIT_S,
                 SPAN_ARGS(buf_view(in)));
    }
    got = recv(fd, room, SITE_READ_BYTES, 0);
    if (got <= 0) {
        return false;
    }
    room[got] = '\0';
    buf_grow(in, (size_t)got);
    return true;
}

void
site_read_until(int fd, struct buf *in, const char *words)
{
    while (span_find(buf_view(in), span_of(words), 0) == SIZE_MAX) {
        if (!read_more(fd, in)) {
            fail_msg("closed before \"%s\"; so far: %.*s", words,
                     SPAN_ARGS(buf_view(in)));
        }
    }
}

void
site_raw(struct site *site, const char *request, struct buf *answer)
{
    int fd = site_connect(site, request);

    buf_init(answer, SITE_ANSWER_BYTES_MAX);
    while (read_more(fd, answer)) {
    }
    (void)close(fd);
    assert_true(answer->bytes > 0);
}

struct span
site_body(const struct buf *answer)
{
    struct span all = buf_view(answer);
    size_t at = span_find(all, SPAN_LITERAL("\r\n\r\n"), 0);

    assert_true(at != SIZE_MAX);
    return (struct span){all.data + at + 4, all.bytes - at - 4};
}
