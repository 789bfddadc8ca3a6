/* HTTP and feed over TLS; certificates made by the test. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#include "server/access/tokens.h"
#include "server/base/buf.h"
#include "tests/lib/certificate.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

enum { TRIES_MAX = 2000, MANY = 20000, PATIENCE_S = 60 };

static struct temp_dir dir;
static struct server_process server;
static char data[128];
static char cert[128];
static char key[128];

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", dir.path);
    (void)snprintf(key, sizeof(key), "%s/key.pem", dir.path);
    return mkdir(data, 0700);
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

/* ---- certificates ---- */

/* A certificate that signs itself, and its key. */
static void
make_certificate(const char *name)
{
    const struct certificate_wanted wanted = {
        .name = name, .from_days = -1, .to_days = 60};
    struct certificate one = certificate_make(&wanted);

    certificate_write(&one, cert, key);
    certificate_free(&one);
}

/* ---- a client ---- */

struct client {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
};

static int
connect_to(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {PATIENCE_S, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
        0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    return fd;
}

/* Returns whether the handshake succeeded. */
static bool
client_open(struct client *client, unsigned port, int version_max)
{
    client->fd = connect_to(port);
    client->context = SSL_CTX_new(TLS_client_method());
    assert_non_null(client->context);
    if (version_max != 0) {
        SSL_CTX_set_security_level(client->context, 0);
        (void)SSL_CTX_set_min_proto_version(client->context, TLS1_VERSION);
        assert_int_equal(
            SSL_CTX_set_max_proto_version(client->context, version_max), 1);
    }
    client->ssl = SSL_new(client->context);
    assert_non_null(client->ssl);
    assert_int_equal(SSL_set_fd(client->ssl, client->fd), 1);
    return SSL_connect(client->ssl) == 1;
}

static void
client_close(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    (void)close(client->fd);
}

static void
client_send(struct client *client, struct span bytes)
{
    while (bytes.bytes > 0) {
        int sent = SSL_write(client->ssl, bytes.data, (int)bytes.bytes);

        assert_true(sent > 0);
        bytes.data += sent;
        bytes.bytes -= (size_t)sent;
    }
}

/* Read until `wanted` is there, or to the end when it is NULL. */
static void
client_read(struct client *client, struct buf *out, const char *wanted)
{
    for (;;) {
        char room[16384];
        int got;

        if (wanted != NULL &&
            span_find(buf_view(out), span_of(wanted), 0) != SIZE_MAX) {
            return;
        }
        got = SSL_read(client->ssl, room, sizeof(room));
        if (got <= 0) {
            /* The end is told, not cut: nobody can shorten an answer. */
            assert_int_equal(SSL_get_error(client->ssl, got),
                             SSL_ERROR_ZERO_RETURN);
            if (wanted != NULL) {
                fail_msg("no %s in %.*s", wanted, SPAN_ARGS(buf_view(out)));
            }
            return;
        }
        buf_put(out, room, (size_t)got);
    }
}

static void
name_of_certificate(struct client *client, char out[64])
{
    X509 *one = SSL_get1_peer_certificate(client->ssl);

    assert_non_null(one);
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(one),
                                          NID_commonName, out, 64) > 0);
    X509_free(one);
}

/* One request on a connection of its own. */
static void
ask(const char *head, struct span body, struct buf *out)
{
    struct client client;

    assert_true(client_open(&client, server.http_port, 0));
    client_send(&client, span_of(head));
    client_send(&client, body);
    client_read(&client, out, NULL);
    client_close(&client);
}

/* ---- the server ---- */

static void
start(void)
{
    const char *const flags[] = {"--auth",    "on", "--tls-cert", cert,
                                 "--tls-key", key,  NULL};
    const struct server_start how = {.flags = flags};

    server_process_start(&server, data, &how);
}

static void
add_token(const char *role, char out[TOKEN_CHARS + 1])
{
    const char *const args[] = {"token", "add",    role, "--data",
                                data,    "--role", role, NULL};
    char *text;

    assert_int_equal(run_suqiu(args, (struct span){NULL, 0}, &text), 0);
    assert_non_null(strstr(text, "sq_"));
    (void)snprintf(out, TOKEN_CHARS + 1, "%.*s", (int)TOKEN_CHARS,
                   strstr(text, "sq_"));
    free(text);
}

static void
expect_name(const char *wanted)
{
    struct client client;
    char name[64];
    int tries = 0;

    for (;;) {
        assert_true(client_open(&client, server.http_port, 0));
        name_of_certificate(&client, name);
        client_close(&client);
        if (strcmp(name, wanted) == 0) {
            return;
        }
        assert_true(++tries < TRIES_MAX);
        (void)nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

/* ---- the tests ---- */

static void
http_and_feed_carry_much_both_ways(void **state)
{
    char token[TOKEN_CHARS + 1];
    char head[400];
    struct client client;
    struct buf out;
    struct buf body;
    size_t lines = 0;

    (void)state;
    make_certificate("one");
    add_token("admin", token);
    start();
    assert_non_null(strstr(server.ready, "https://127.0.0.1:"));
    buf_init(&out, 64 << 20);
    buf_init(&body, 64 << 20);
    for (int i = 0; i < MANY; i++) {
        buf_printf(&body,
                   "{\"id\":\"T%06d\",\"accepted_at\":\"2018-01-01 08:00:00\","
                   "\"text\":\"三天两头停电，打了几次电话没人管，第%d次了\"}\n",
                   i, i);
    }
    (void)snprintf(
        head, sizeof(head),
        "POST /v1/records HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        "Authorization: Bearer %s\r\nContent-Type: "
        "application/x-ndjson\r\nContent-Length: %zu\r\n\r\n",
        token, body.bytes);
    ask(head, buf_view(&body), &out);
    assert_true(span_holds(buf_view(&out), "\"accepted\":20000"));

    buf_reset(&out);
    (void)snprintf(head, sizeof(head),
                   "GET /v1/tickets.ndjson HTTP/1.0\r\nHost: a\r\n"
                   "Authorization: Bearer %s\r\n\r\n",
                   token);
    ask(head, (struct span){NULL, 0}, &out);
    for (size_t i = 0; i < out.bytes; i++) {
        lines += i + 6 < out.bytes && memcmp(out.data + i, "{\"id\":", 6) == 0;
    }
    assert_int_equal(lines, MANY);

    /* The same over the feed: all duplicates, all acknowledged. */
    buf_reset(&out);
    assert_true(client_open(&client, server.feed_port, 0));
    (void)snprintf(head, sizeof(head), "{\"token\":\"%s\"}\n", token);
    client_send(&client, span_of(head));
    client_send(&client, buf_view(&body));
    client_read(&client, &out, "{\"ack\":20000}");
    client_close(&client);
    assert_int_equal(server_process_stop(&server), 0);
    assert_int_equal(store_totals(data).tickets, MANY);
    buf_release(&body);
    buf_release(&out);
}

static void
a_cookie_over_tls_is_for_tls_only(void **state)
{
    char token[TOKEN_CHARS + 1];
    char head[400];
    char body[128];
    struct buf out;

    (void)state;
    make_certificate("one");
    add_token("viewer", token);
    start();
    buf_init(&out, 1 << 20);
    (void)snprintf(body, sizeof(body), "{\"token\":\"%s\"}", token);
    (void)snprintf(head, sizeof(head),
                   "POST /sign-in HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                   "Origin: https://a\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   strlen(body));
    ask(head, span_of(body), &out);
    assert_true(span_holds(buf_view(&out), "HTTP/1.1 200"));
    assert_true(span_holds(buf_view(&out), "; Secure"));
    /* A page of the same host without TLS is another origin. */
    buf_reset(&out);
    memcpy(strstr(head, "Origin: https://a"), "Origin: http://a ", 17);
    ask(head, span_of(body), &out);
    assert_true(span_holds(buf_view(&out), "other_origin"));
    buf_release(&out);
}

static void
old_versions_and_plain_text_get_nothing(void **state)
{
    static const char plain[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};
    struct client client;
    char room[256];
    ssize_t got;
    int fd;

    (void)state;
    make_certificate("one");
    start();
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        assert_false(client_open(&client, server.http_port, versions[i]));
        client_close(&client);
        assert_false(client_open(&client, server.feed_port, versions[i]));
        client_close(&client);
    }
    assert_true(client_open(&client, server.http_port, TLS1_2_VERSION));
    assert_string_equal(SSL_get_version(client.ssl), "TLSv1.2");
    client_close(&client);
    fd = connect_to(server.http_port);
    assert_int_equal(send(fd, plain, sizeof(plain) - 1, MSG_NOSIGNAL),
                     sizeof(plain) - 1);
    got = recv(fd, room, sizeof(room), MSG_WAITALL);
    assert_true(got <= 0 || memcmp(room, "HTTP", 4) != 0);
    (void)close(fd);
}

static void
half_a_handshake_is_closed_in_time(void **state)
{
    struct timespec before;
    struct timespec after;
    char room[16];
    int fd;

    (void)state;
    make_certificate("one");
    start();
    fd = connect_to(server.http_port);
    assert_int_equal(send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    assert_true(recv(fd, room, sizeof(room), 0) <= 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec >= 4);
    assert_true(after.tv_sec - before.tv_sec <= 20);
    (void)close(fd);
}

static void
a_new_certificate_is_read_while_the_server_runs(void **state)
{
    static const char request[] =
        "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct client before;
    struct buf out;

    (void)state;
    make_certificate("one");
    start();
    assert_true(client_open(&before, server.http_port, 0));
    expect_name("one");
    make_certificate("two");
    assert_int_equal(kill(server.pid, SIGHUP), 0);
    expect_name("two");
    /* Who was connected goes on. */
    buf_init(&out, 1 << 20);
    client_send(&before, SPAN_LITERAL(request));
    client_read(&before, &out, NULL);
    assert_true(span_holds(buf_view(&out), "\"alive\":true"));
    client_close(&before);
    buf_release(&out);
    /* Rubbish in the file: the old one holds, the server goes on. */
    assert_non_null(temp_dir_write(&dir, "cert.pem", SPAN_LITERAL("rubbish")));
    assert_int_equal(kill(server.pid, SIGHUP), 0);
    for (int i = 0; i < 20; i++) {
        expect_name("two");
    }
    assert_int_equal(server_process_stop(&server), 0);
}

/* Started so it fails with this exit code and these words. */
static void
expect_refused(const char *const *flags, int exit_code, const char *words)
{
    const char *args[16] = {"serve", "--data",      data, "--http-port",
                            "0",     "--feed-port", "0",  NULL};
    size_t count = 7;
    char *out;

    for (; *flags != NULL; flags++) {
        args[count++] = *flags;
    }
    args[count] = NULL;
    assert_int_equal(run_suqiu(args, (struct span){NULL, 0}, &out), exit_code);
    if (strstr(out, words) == NULL) {
        fail_msg("no '%s' in: %s", words, out);
    }
    free(out);
}

static void
what_is_unsafe_is_refused_with_the_way_out(void **state)
{
    const char *const one[] = {"--tls-cert", cert, NULL};
    const char *const both[] = {"--tls-cert", cert, "--tls-key", key, NULL};
    const char *const outside[] = {"--http-bind", "0.0.0.0", NULL};
    const char *const feed[] = {"--feed-bind", "::", NULL};
    const char *const open[] = {"--http-bind", "0.0.0.0", "--auth", "off",
                                "--insecure",  "on",      NULL};
    char other[140];

    (void)state;
    make_certificate("one");
    expect_refused(one, 2, "together");
    expect_refused(outside, 2, "--tls-cert");
    expect_refused(feed, 2, "--insecure on");
    expect_refused(open, 2, "--auth on");
    assert_int_equal(chmod(key, 0644), 0);
    expect_refused(both, 3, "chmod");
    assert_int_equal(chmod(key, 0600), 0);
    (void)snprintf(other, sizeof(other), "%s/other.pem", dir.path);
    assert_int_equal(rename(cert, other), 0);
    expect_refused(both, 3, "tls_cert");
    make_certificate("two");
    assert_int_equal(rename(other, cert), 0); /* of another key */
    expect_refused(both, 3, "tls_key");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(http_and_feed_carry_much_both_ways),
        TEST(a_cookie_over_tls_is_for_tls_only),
        TEST(old_versions_and_plain_text_get_nothing),
        TEST(half_a_handshake_is_closed_in_time),
        TEST(a_new_certificate_is_read_while_the_server_runs),
        TEST(what_is_unsafe_is_refused_with_the_way_out),
    };

    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
