/* The routes over a real loopback port; the server's loop has its own thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/http_client.h"
#include "server/serve/http.h"
#include "server/serve/routes.h"
#include "tests/lib/ledger_fixture.h"

enum { TICKETS = 3000, WAIT_S = 30 };

struct site {
    struct ledger_fixture ledger;
    struct event_base *base;
    struct http_server *server;
    struct serve_routes *routes;
    struct http_client *client;
    pthread_t thread;
    int stop_pipe[2];        /* a byte in it ends the loop */
    struct ledger_fact fact; /* the last one put */
    char fact_name[64];
    bool refuse_facts;
};

static const struct dictionary *
dictionary_of(void *data)
{
    return ((struct site *)data)->ledger.dictionary;
}

/* A writer that answers on the next turn of the loop. */
struct late {
    serve_facts_done *done;
    void *done_data;
};

static void
answer_late(evutil_socket_t fd, short what, void *user)
{
    struct late *late = user;
    struct err err = {0};

    (void)fd;
    (void)what;
    late->done(late->done_data, &err);
    free(late);
}

static enum err_code
put_facts(void *data,
          const struct ledger_fact *facts,
          size_t fact_count,
          serve_facts_done *done,
          void *done_data,
          struct err *err)
{
    struct site *site = data;
    struct late *late = malloc(sizeof(*late));
    struct timeval now = {0, 0};

    if (site->refuse_facts || late == NULL) {
        free(late);
        return err_set(err, ERR_BUSY, "the writer is busy");
    }
    *late = (struct late){done, done_data};
    site->fact = facts[fact_count - 1];
    (void)snprintf(site->fact_name, sizeof(site->fact_name), "%.*s",
                   SPAN_ARGS(facts[fact_count - 1].name));
    assert_int_equal(
        event_base_once(site->base, -1, EV_TIMEOUT, answer_late, late, &now),
        0);
    return ERR_OK;
}

static void
stop(evutil_socket_t fd, short what, void *user)
{
    struct site *site = user;

    (void)fd;
    (void)what;
    (void)event_base_loopbreak(site->base);
}

static void *
run(void *data)
{
    struct site *site = data;

    (void)event_base_loop(site->base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

static void
fill(struct site *site)
{
    fixture_begin(&site->ledger, fixture_time("2018-01-01 00:00:00"));
    for (int i = 0; i < TICKETS; i++) {
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
        assert_int_equal(fixture_put_ticket(&site->ledger, &ticket),
                         LEDGER_ACCEPTED);
    }
    fixture_commit(&site->ledger);
}

static int
set_up(void **state)
{
    struct site *site = calloc(1, sizeof(*site));
    struct http_options options = {.bind = "127.0.0.1",
                                   .connections_max = 16,
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
    fill(site);
    site->base = event_base_new();
    assert_non_null(site->base);
    assert_int_equal(http_server_new(site->base, &options, &site->server, &err),
                     ERR_OK);
    context = (struct serve_context){.store = site->ledger.store,
                                     .ids = ledger_ids(site->ledger.ledger),
                                     .dictionary = dictionary_of,
                                     .put_facts = put_facts,
                                     .data = site};
    assert_int_equal(
        serve_routes_new(site->server, &context, &site->routes, &err), ERR_OK);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u",
                   (unsigned)http_server_port(site->server));
    assert_int_equal(http_client_new(url, WAIT_S, &site->client, &err), ERR_OK);
    assert_int_equal(pipe(site->stop_pipe), 0);
    assert_int_equal(event_base_once(site->base, site->stop_pipe[0], EV_READ,
                                     stop, site, NULL),
                     0);
    assert_int_equal(pthread_create(&site->thread, NULL, run, site), 0);
    *state = site;
    return 0;
}

static int
tear_down(void **state)
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
    free(site);
    return 0;
}

static struct http_client_answer
ask(struct site *site, const char *method, const char *path, const char *body)
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

static bool
holds(const struct http_client_answer *answer, const char *words)
{
    return span_find(answer->body, span_of(words), 0) != SIZE_MAX;
}

static void
every_list_answers(void **state)
{
    static const char *const paths[] = {"/v1/tickets",
                                        "/v1/repeat-callers",
                                        "/v1/overdue",
                                        "/v1/counters",
                                        "/v1/indicators",
                                        "/v1/rejects",
                                        "/v1/tickets.ndjson",
                                        "/v1/counters.csv",
                                        "/metrics",
                                        "/healthz",
                                        "/readyz",
                                        "/v1/tickets/2018010200000007"};
    struct site *site = *state;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct http_client_answer answer = ask(site, "GET", paths[i], NULL);

        if (answer.status != 200 || answer.body.bytes == 0) {
            fail_msg("%s: %u %.*s", paths[i], answer.status,
                     SPAN_ARGS(answer.body));
        }
    }
}

static void
an_export_streams_every_ticket(void **state)
{
    struct site *site = *state;
    struct http_client_answer answer =
        ask(site, "GET", "/v1/tickets.csv?type=complaint", NULL);
    size_t lines = 0;

    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.type, "text/csv"));
    for (size_t i = 0; i < answer.body.bytes; i++) {
        lines += answer.body.data[i] == '\n';
    }
    assert_int_equal(lines, TICKETS + 1);
}

static void
errors_are_problem_documents(void **state)
{
    struct site *site = *state;
    struct http_client_answer answer;

    answer = ask(site, "GET", "/v1/tickets?form=2018-01-01", NULL);
    assert_int_equal(answer.status, 400);
    assert_non_null(strstr(answer.type, "application/problem+json"));
    assert_true(holds(&answer, "\"field\":\"form\""));
    answer = ask(site, "GET", "/v1/tickets.csv?from=x", NULL);
    assert_int_equal(answer.status, 400);
    answer = ask(site, "GET", "/v1/tickets/nothing", NULL);
    assert_int_equal(answer.status, 404);
    assert_true(holds(&answer, "\"code\":\"not_found\""));
    answer = ask(site, "GET", "/v1/tickets/2018010200000007?x=1", NULL);
    assert_int_equal(answer.status, 400);
}

static void
facts_are_answered_when_they_are_written(void **state)
{
    struct site *site = *state;
    struct http_client_answer answer =
        ask(site, "PUT", "/v1/facts", "[{\"name\":\"customers\",\"value\":7}]");

    assert_int_equal(answer.status, 200);
    assert_true(holds(&answer, "\"stored\":1"));
    assert_string_equal(site->fact_name, "customers");
    assert_true(site->fact.numerator == 7.0);
    site->refuse_facts = true;
    answer =
        ask(site, "PUT", "/v1/facts", "{\"name\":\"customers\",\"value\":7}");
    assert_int_equal(answer.status, 503);
    site->refuse_facts = false;
    answer = ask(site, "PUT", "/v1/facts", "{\"name\":\"nobody\"}");
    assert_int_equal(answer.status, 400);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_list_answers),
        cmocka_unit_test(an_export_streams_every_ticket),
        cmocka_unit_test(errors_are_problem_documents),
        cmocka_unit_test(facts_are_answered_when_they_are_written),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
