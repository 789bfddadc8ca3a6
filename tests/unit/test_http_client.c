/* http_client: URLs, framings, broken and busy servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/base/http_client.h"
#include "tests/lib/stub_server.h"

static const struct http_client_request get = {.method = "GET", .path = "/x"};

static struct http_client *
client_of(const char *url)
{
    struct http_client *client = NULL;
    struct err err = {0};

    if (http_client_new(url, 20, &client, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return client;
}

static void
expect_answer(struct http_client *client, unsigned status, const char *body)
{
    struct http_client_answer answer;
    struct err err = {0};

    if (http_client_send(client, &get, &answer, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    assert_int_equal(answer.status, status);
    assert_int_equal(answer.body.bytes, strlen(body));
    if (body[0] != '\0') {
        assert_memory_equal(answer.body.data, body, strlen(body));
    }
}

static void
a_wrong_url_is_refused_with_its_reason(void **state)
{
    static const char *const urls[][2] = {
        {"ftp://h:1", "https://HOST"},
        {"127.0.0.1:9559", "no http://"},
        {"http://", "no host"},
        {"http://:80", "no host"},
        {"http://h:", "no port"},
        {"http://h:0", "not in 1..65535"},
        {"http://h:65536", "not in 1..65535"},
        {"http://h:8a", "no number"},
        {"http://[::1", "bracket"},
        {"http://[::1]x", "behind the bracket"},
        {"http://h\r\nX: y", "no host"},
        {"http://h/a b", "no path"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct http_client *client = NULL;
        struct err err = {0};

        assert_int_equal(http_client_new(urls[i][0], 1, &client, &err),
                         ERR_BAD_VALUE);
        if (strstr(err.detail, urls[i][1]) == NULL) {
            fail_msg("%s: %s", urls[i][0], err.detail);
        }
    }
}

static void
every_framing_of_an_answer_is_read(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"
        "content-length:2\r\n\r\nok",
        "HTTP/1.1 207 Multi-Status\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\nA;x=y\r\n 123456789\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "!HTTP/1.1 200 OK\r\n\r\nto the end",
        "!HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold",
        NULL};
    struct stub_server *stub = stub_server_start(answers);
    struct http_client *client = client_of(stub->url);

    (void)state;
    expect_answer(client, 200, "hello");
    expect_answer(client, 201, "ok");
    expect_answer(client, 207, "hello 123456789");
    expect_answer(client, 204, "");
    expect_answer(client, 200, "to the end");
    expect_answer(client, 200, "old");
    http_client_free(&client);
    stub_server_stop(stub);
}

static void
a_request_is_written_as_asked(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n"
        "Content-Type: application/problem+json\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};
    const struct http_client_request post = {"POST", "/v1/records", "text/csv",
                                             SPAN_LITERAL("id\n1\n")};
    struct stub_server *stub = stub_server_start(answers);
    struct http_client_answer answer;
    struct err err = {0};
    char url[96];
    char wanted[256];
    struct http_client *client;

    (void)state;
    (void)snprintf(url, sizeof(url), "%s/behind/", stub->url);
    client = client_of(url);
    assert_int_equal(http_client_send(client, &post, &answer, &err), ERR_OK);
    assert_int_equal(answer.status, 503);
    assert_int_equal(answer.retry_after_s, 7);
    assert_string_equal(answer.type, "application/problem+json");
    assert_int_equal(http_client_send(client, &post, &answer, &err), ERR_OK);
    assert_int_equal(answer.retry_after_s, HTTP_CLIENT_RETRY_S);
    (void)snprintf(wanted, sizeof(wanted),
                   "POST /behind/v1/records HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                   "Content-Type: text/csv\r\nContent-Length: 5\r\n\r\n"
                   "id\n1\n",
                   stub->port);
    assert_string_equal(stub->requests[0].data, wanted);
    http_client_free(&client);
    stub_server_stop(stub);
}

static void
an_idle_connection_that_was_closed_is_opened_again(void **state)
{
    static const char *const answers[] = {
        "!HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2", NULL};
    struct stub_server *stub = stub_server_start(answers);
    struct http_client *client = client_of(stub->url);

    (void)state;
    expect_answer(client, 200, "1");
    expect_answer(client, 200, "2");
    http_client_free(&client);
    stub_server_stop(stub);
}

static void
a_broken_answer_is_an_error_that_names_the_server(void **state)
{
    static const char *const answers[] = {
        "!HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "!HTTP/1.1 200 OK\r\nContent-Le",
        "!SSH-2.0-x\r\n\r\n",
        "!HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "!HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "!HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "",
        NULL};
    struct stub_server *stub = stub_server_start(answers);
    struct http_client *client = client_of(stub->url);

    (void)state;
    for (size_t i = 0; answers[i] != NULL; i++) {
        struct http_client_answer answer;
        struct err err = {0};

        assert_int_not_equal(http_client_send(client, &get, &answer, &err),
                             ERR_OK);
        assert_non_null(strstr(err.detail, stub->url));
    }
    http_client_free(&client);
    stub_server_stop(stub);
}

static void
nobody_there_is_told_at_once(void **state)
{
    static const char *const answers[] = {NULL};
    struct stub_server *stub = stub_server_start(answers);
    struct http_client *client;
    struct http_client_answer answer;
    struct err err = {0};
    char url[64];

    (void)state;
    memcpy(url, stub->url, sizeof(url));
    stub_server_stop(stub); /* the port is free again */
    client = client_of(url);
    assert_int_equal(http_client_send(client, &get, &answer, &err), ERR_IO);
    assert_non_null(strstr(err.detail, "refused"));
    http_client_free(&client);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_url_is_refused_with_its_reason),
        cmocka_unit_test(every_framing_of_an_answer_is_read),
        cmocka_unit_test(a_request_is_written_as_asked),
        cmocka_unit_test(an_idle_connection_that_was_closed_is_opened_again),
        cmocka_unit_test(a_broken_answer_is_an_error_that_names_the_server),
        cmocka_unit_test(nobody_there_is_told_at_once),
    };

    return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
