/* GET /v1/stream: what listeners are told, and when they come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/serve/stream.h"
#include "tests/lib/site.h"

#define STREAM_PATH "/v1/stream?from=2018-01-01&to=2018-03-31"

enum { LISTENERS = 200, IN_BYTES_MAX = 4 * 1024 * 1024 };

static int next_ticket;

/* One more complaint on 2018-01-03. */
static void
add_ticket(struct site *site, enum ticket_category category)
{
    char id[32];
    struct fixture_ticket ticket = {.id = id,
                                    .at = "2018-01-03 09:00:00",
                                    .text = "投诉",
                                    .type = TICKET_TYPE_COMPLAINT,
                                    .category = category,
                                    .region = TICKET_REGION_RURAL};

    (void)snprintf(id, sizeof(id), "20180103%08d", next_ticket++);
    assert_int_equal(fixture_ticket(site_ledger(site),
                                    fixture_time("2018-01-03 09:00:00"),
                                    &ticket),
                     LEDGER_ACCEPTED);
}

static int
listen_to(struct site *site, const char *path, const char *last_event_id)
{
    char request[512];

    (void)snprintf(request, sizeof(request),
                   "GET %s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream"
                   "\r\n%s%s%s\r\n",
                   path, last_event_id != NULL ? "Last-Event-ID: " : "",
                   last_event_id != NULL ? last_event_id : "",
                   last_event_id != NULL ? "\r\n" : "");
    return site_connect(site, request);
}

/* The id of the last event in `in`. */
static void
last_id(const struct buf *in, char *out, size_t room)
{
    const char *at = in->data;
    const char *found = NULL;

    while ((at = strstr(at, "id: ")) != NULL) {
        at += 4;
        found = at;
    }
    assert_non_null(found);
    (void)snprintf(out, room, "%.*s", (int)strcspn(found, "\n"), found);
}

static void
a_listener_gets_all_numbers_then_what_changes(void **state)
{
    struct site *site = *state;
    int fd = listen_to(site, STREAM_PATH, NULL);
    struct buf in;

    buf_init(&in, IN_BYTES_MAX);
    site_read_until(fd, &in, "event: snapshot");
    site_read_until(fd, &in, "\"feed\":{");
    assert_non_null(strstr(in.data, "Content-Type: text/event-stream"));
    assert_non_null(strstr(in.data, "\"category\":\"outage\",\"region\":"
                                    "\"urban\",\"counts\":{\"received\":20,"
                                    "\"complaints\":20"));
    assert_null(strstr(in.data, "event: delta"));
    add_ticket(site, TICKET_CATEGORY_GRID);
    site_read_until(fd, &in, "event: delta");
    site_read_until(fd, &in,
                    "\"category\":\"grid\",\"region\":\"rural\","
                    "\"counts\":{\"received\":1,\"complaints\":1}");
    /* What did not change is not sent. */
    assert_null(strstr(strstr(in.data, "event: delta"), "\"complaints\":20"));
    /* By then the clocks of the day before have run out. */
    site_read_until(fd, &in, "{\"kind\":\"overdue\",\"count\":20");
    buf_release(&in);
    (void)close(fd);
}

static void
who_comes_back_gets_what_was_missed(void **state)
{
    struct site *site = *state;
    int fd = listen_to(site, STREAM_PATH, NULL);
    char id[64];
    char strange[80];
    struct buf in;

    buf_init(&in, IN_BYTES_MAX);
    site_read_until(fd, &in, "\"feed\":{");
    last_id(&in, id, sizeof(id));
    buf_reset(&in);
    add_ticket(site, TICKET_CATEGORY_QUALITY);
    site_read_until(fd, &in, "event: delta");
    (void)close(fd);

    buf_reset(&in);
    fd = listen_to(site, STREAM_PATH, id);
    site_read_until(fd, &in, "\"category\":\"quality\"");
    assert_non_null(strstr(in.data, "event: delta"));
    assert_null(strstr(in.data, "event: snapshot"));
    (void)close(fd);

    /* An id of another run, and one that never was: all numbers. */
    (void)snprintf(strange, sizeof(strange), "1%s", id);
    for (int i = 0; i < 2; i++) {
        buf_reset(&in);
        fd = listen_to(site, STREAM_PATH, i == 0 ? strange : "nonsense");
        site_read_until(fd, &in, "event: snapshot");
        (void)close(fd);
    }
    buf_release(&in);
}

static void
bad_parameters_are_refused(void **state)
{
    static const struct {
        const char *path;
        const char *field;
    } rows[] = {
        {"/v1/stream?form=2018-01-01", "\"field\":\"form\""},
        {"/v1/stream?from=x", "\"field\":\"from\""},
        {"/v1/stream?from=2018-01-01T09:00:00Z", "\"field\":\"from\""},
    };
    struct site *site = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_client_answer answer =
            site_ask(site, "GET", rows[i].path, NULL);

        assert_int_equal(answer.status, 400);
        assert_true(span_find(answer.body, span_of(rows[i].field), 0) !=
                    SIZE_MAX);
    }
}

/* Many pages at once all hear of one change, and one that never reads holds up
 * nobody. */
static void
many_listen_at_once(void **state)
{
    struct site *site = *state;
    int fds[LISTENERS];
    struct buf in;

    for (int i = 0; i < LISTENERS; i++) {
        fds[i] = listen_to(site, STREAM_PATH, NULL);
    }
    buf_init(&in, IN_BYTES_MAX);
    for (int i = 1; i < LISTENERS; i++) {
        buf_reset(&in);
        site_read_until(fds[i], &in, "\"feed\":{");
    }
    add_ticket(site, TICKET_CATEGORY_BUSINESS);
    for (int i = 1; i < LISTENERS; i++) {
        buf_reset(&in);
        site_read_until(fds[i], &in, "\"category\":\"business\"");
    }
    for (int i = 0; i < LISTENERS; i++) {
        (void)close(fds[i]);
    }
    buf_release(&in);
}

static void
one_too_many_is_told_so(void **state)
{
    struct site *site = *state;
    int fds[STREAM_CLIENTS_MAX];
    struct http_client_answer answer;
    struct buf in;

    buf_init(&in, IN_BYTES_MAX);
    for (int i = 0; i < STREAM_CLIENTS_MAX; i++) {
        fds[i] = listen_to(site, STREAM_PATH, NULL);
        buf_reset(&in);
        site_read_until(fds[i], &in, "event: snapshot");
    }
    answer = site_ask(site, "GET", STREAM_PATH, NULL);
    assert_int_equal(answer.status, 503);
    for (int i = 0; i < STREAM_CLIENTS_MAX; i++) {
        (void)close(fds[i]);
    }
    buf_release(&in);
}

static void
explain_judges_and_stores_nothing(void **state)
{
    struct site *site = *state;
    struct http_client_answer answer;

    answer = site_ask(site, "POST", "/v1/explain", "{\"text\":\"\"}");
    assert_int_equal(answer.status, 400);
    assert_true(span_find(answer.body, SPAN_LITERAL("\"field\":\"text\""), 0) !=
                SIZE_MAX);
    answer = site_ask(site, "POST", "/v1/explain",
                      "{\"text\":\"停电\",\"colour\":\"red\"}");
    assert_int_equal(answer.status, 400);
    answer = site_ask(site, "POST", "/v1/explain",
                      "{\"text\":\"停电\",\"type\":\"complain\"}");
    assert_int_equal(answer.status, 400);
    answer = site_ask(site, "GET", "/v1/tickets?limit=1&q=colour", NULL);
    assert_int_equal(answer.status, 200);
    assert_true(span_find(answer.body, SPAN_LITERAL("\"total\":0"), 0) !=
                SIZE_MAX);
}

static void
the_dictionary_names_what_can_be_chosen(void **state)
{
    struct site *site = *state;
    struct http_client_answer answer =
        site_ask(site, "GET", "/v1/dictionary", NULL);

    assert_int_equal(answer.status, 200);
    assert_true(span_find(answer.body, SPAN_LITERAL("\"停送电管理\""), 0) !=
                SIZE_MAX);
    assert_true(span_find(answer.body, SPAN_LITERAL("\"kind\":\"reply\""), 0) !=
                SIZE_MAX);
}

/* A server of its own, so that no closing connection of the test before counts.
 */
#define ON_A_SITE(test)                                                        \
    cmocka_unit_test_setup_teardown(test, site_set_up, site_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_SITE(a_listener_gets_all_numbers_then_what_changes),
        ON_A_SITE(who_comes_back_gets_what_was_missed),
        ON_A_SITE(bad_parameters_are_refused),
        ON_A_SITE(many_listen_at_once),
        ON_A_SITE(one_too_many_is_told_so),
        ON_A_SITE(explain_judges_and_stores_nothing),
        ON_A_SITE(the_dictionary_names_what_can_be_chosen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
