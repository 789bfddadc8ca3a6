/* Pages and exports that come from the threads of the lists, over HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/site.h"

enum { CALLS = 12, LEAVERS = 40 };

static bool
holds(const struct http_client_answer *answer, const char *words)
{
    return span_find(answer->body, span_of(words), 0) != SIZE_MAX;
}

/* The customer calls once more, a minute after the call before. */
static void
call_again(struct site *site, int call)
{
    char id[32];
    char at[32];
    struct fixture_ticket ticket = {.id = id,
                                    .at = at,
                                    .caller = "19900001234",
                                    .unit = "甲/乙",
                                    .text = "又停电了",
                                    .type = TICKET_TYPE_COMPLAINT,
                                    .category = TICKET_CATEGORY_OUTAGE,
                                    .subcategory = "停送电管理",
                                    .region = TICKET_REGION_URBAN};

    (void)snprintf(id, sizeof(id), "again%d", call);
    (void)snprintf(at, sizeof(at), "2018-01-03 10:%02d:00", call);
    (void)fixture_ticket(site_ledger(site), fixture_time(at), &ticket);
}

static void
a_page_knows_every_commit_before_it(void **state)
{
    struct site *site = *state;
    char calls[32];

    for (int call = 1; call <= CALLS; call++) {
        struct http_client_answer answer;

        call_again(site, call);
        answer =
            site_ask(site, "GET", "/v1/repeat-callers?from=2018-01-03", NULL);
        assert_int_equal(answer.status, 200);
        (void)snprintf(calls, sizeof(calls), "\"calls\":%d,", call);
        if (holds(&answer, calls) != (call > 1)) {
            fail_msg("after call %d: %.*s", call, SPAN_ARGS(answer.body));
        }
    }
}

static void
what_is_wrong_with_a_request_is_said(void **state)
{
    static const char *const paths[] = {
        "/v1/repeat-callers?min_calls=1", "/v1/overdue?cursor=x",
        "/v1/tickets?state=lost", "/v1/overdue.csv?open=perhaps"};
    struct site *site = *state;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct http_client_answer answer =
            site_ask(site, "GET", paths[i], NULL);

        if (answer.status != 400 || !holds(&answer, "\"code\":\"bad_value\"")) {
            fail_msg("%s: %u %.*s", paths[i], answer.status,
                     SPAN_ARGS(answer.body));
        }
    }
}

static void
an_export_begins_on_the_thread_and_goes_on_here(void **state)
{
    struct site *site = *state;
    struct http_client_answer answer;

    answer = site_ask(site, "GET", "/v1/repeat-callers.ndjson", NULL);
    assert_int_equal(answer.status, 200);
    assert_true(holds(&answer, "\"again1\""));
    answer = site_ask(site, "GET", "/v1/overdue.csv", NULL);
    assert_int_equal(answer.status, 200);
    assert_true(holds(&answer, "late_minutes"));
}

static void
a_client_that_leaves_hurts_nobody(void **state)
{
    static const char *const requests[] = {
        "GET /v1/repeat-callers HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /v1/overdue.csv HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /v1/tickets HTTP/1.1\r\nHost: a\r\n\r\n"};
    struct site *site = *state;
    struct http_client_answer answer;

    for (int i = 0; i < LEAVERS; i++) {
        (void)close(site_connect(site, requests[i % 3]));
    }
    answer = site_ask(site, "GET", "/v1/repeat-callers", NULL);
    assert_int_equal(answer.status, 200);
    for (int i = 0; i < LEAVERS; i++) { /* still there when the site ends */
        (void)close(site_connect(site, requests[i % 3]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_knows_every_commit_before_it),
        cmocka_unit_test(what_is_wrong_with_a_request_is_said),
        cmocka_unit_test(an_export_begins_on_the_thread_and_goes_on_here),
        cmocka_unit_test(a_client_that_leaves_hurts_nobody),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as the server does */
    return cmocka_run_group_tests(tests, site_set_up, site_tear_down);
}
