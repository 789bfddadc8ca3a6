/* The commands that talk to a server over TLS, and what they say when they
 * don't; against the server's own TLS, with certificates made by the test. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/access/tokens.h"
#include "server/base/buf.h"
#include "tests/lib/certificate.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

enum { LINES = 20000, FAILED = 3, USAGE = 2 };

static struct temp_dir dir;
static struct server_process server;
static struct certificate authority;
static char data[128];
static char cert[128];
static char key[128];
static char ca[128];
static char token_file[128];

/* ---- certificates and server ---- */

static int
set_up(void **state)
{
    const struct certificate_wanted wanted = {
        .name = "us", .from_days = -9, .to_days = 60, .is_ca = true};

    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", dir.path);
    (void)snprintf(key, sizeof(key), "%s/key.pem", dir.path);
    (void)snprintf(ca, sizeof(ca), "%s/ca.pem", dir.path);
    (void)snprintf(token_file, sizeof(token_file), "%s/token", dir.path);
    authority = certificate_make(&wanted);
    certificate_write(&authority, ca, NULL);
    /* Nobody is trusted unless a test says so. */
    assert_int_equal(setenv("SSL_CERT_FILE", "/dev/null", 1), 0);
    assert_int_equal(setenv("SSL_CERT_DIR", "/dev/null", 1), 0);
    return mkdir(data, 0700);
}

static int
tear_down(void **state)
{
    (void)state;
    if (server.pid > 0) {
        server_process_kill(&server);
    }
    certificate_free(&authority);
    temp_dir_remove(&dir);
    return 0;
}

static void
start_in_the_open(void)
{
    static const char *const flags[] = {"--auth", "on", NULL};

    server_process_start(&server, data, &(struct server_start){.flags = flags});
}

/* With a certificate like this, signed by the authority. */
static void
start(struct certificate_wanted wanted)
{
    const char *const flags[] = {"--auth",    "on", "--tls-cert", cert,
                                 "--tls-key", key,  NULL};
    struct certificate one;

    wanted.issuer = &authority;
    one = certificate_make(&wanted);
    certificate_write(&one, cert, key);
    certificate_free(&one);
    server_process_start(&server, data, &(struct server_start){.flags = flags});
}

static struct certificate_wanted
good(void)
{
    return (struct certificate_wanted){.name = "server",
                                       .names = "DNS:localhost,IP:127.0.0.1",
                                       .from_days = -1,
                                       .to_days = 60};
}

static void
add_token(void)
{
    const char *const args[] = {"token", "add",    "a",     "--data",
                                data,    "--role", "admin", NULL};
    char *text;
    const char *token;

    assert_int_equal(run_suqiu(args, (struct span){NULL, 0}, &text), 0);
    token = strstr(text, "sq_");
    assert_non_null(token);
    assert_non_null(temp_dir_write(&dir, "token",
                                   (struct span){token, (size_t)TOKEN_CHARS}));
    assert_int_equal(chmod(token_file, 0600), 0);
    free(text);
}

/* ---- the commands ---- */

/* "https://HOST:PORT" or "tls://...". */
static const char *
url_of(const char *scheme, const char *host)
{
    static char urls[4][96];
    static unsigned next;
    char *url = urls[next++ % 4];
    bool is_feed = strncmp(scheme, "t", 1) == 0;

    (void)snprintf(url, sizeof(urls[0]), "%s://%s:%u", scheme, host,
                   is_feed ? server.feed_port : server.http_port);
    return url;
}

/* Runs it so and it ends so, with these words. */
static void
expect(const char *const *args,
       struct span input,
       int exit_code,
       const char *words)
{
    char *out;
    int got = run_suqiu(args, input, &out);

    if (got != exit_code || strstr(out, words) == NULL) {
        fail_msg("%s ended with %d, not %d, and said, not \"%s\": %s", args[0],
                 got, exit_code, words, out);
    }
    free(out);
}

static void
expect_list(const char *url,
            const char *ca_path,
            int exit_code,
            const char *words)
{
    const char *const args[] = {
        "list",         "tickets",  "--format", "json",  "--url", url,
        "--token-file", token_file, "--ca",     ca_path, NULL};

    expect(args, (struct span){NULL, 0}, exit_code, words);
}

static void
expect_feed(const char *url,
            const char *ca_path,
            struct span lines,
            int exit_code,
            const char *words)
{
    const char *const args[] = {"import",       "--to",     url,
                                "--token-file", token_file, "--ca",
                                ca_path,        "-",        NULL};

    expect(args, lines, exit_code, words);
}

static struct span
many_lines(struct buf *lines)
{
    buf_init(lines, 16 << 20);
    for (int i = 0; i < LINES; i++) {
        buf_printf(lines,
                   i % 1000 == 999
                       ? "not a record %d\n"
                       : "{\"id\":\"T%06d\",\"accepted_at\":\"2018-01-01 "
                         "08:00:00\",\"text\":\"三天两头停电\"}\n",
                   i);
    }
    return buf_view(lines);
}

/* ---- the tests ---- */

static void
every_client_speaks_tls(void **state)
{
    const char *https;
    struct buf lines;
    struct span input = many_lines(&lines);

    (void)state;
    add_token();
    start(good());
    https = url_of("https", "127.0.0.1");
    /* The feed takes many lines and tells of the refused ones meanwhile. */
    expect_feed(url_of("tls", "localhost"), ca, input, 1,
                "sent 20000 lines, acknowledged 20000, refused 20");
    expect_feed(https, ca, input, 1, "duplicate                 19980");
    {
        const char *const args[] = {"facts",    "--to", https,
                                    "--ca",     ca,     "--token-file",
                                    token_file, "-",    NULL};

        expect(args,
               SPAN_LITERAL("{\"name\":\"customers\",\"period\":\"2018-Q1\","
                            "\"value\":5,\"by\":\"a\"}"),
               0, "stored");
    }
    {
        const char *const args[] = {"top",          "--once",   "--url",
                                    https,          "--ca",     ca,
                                    "--token-file", token_file, NULL};

        expect(args, (struct span){NULL, 0}, 0, https);
    }
    expect_list(https, ca, 0, "\"total\":19980");
    assert_int_equal(server_process_stop(&server), 0);
    assert_int_equal(store_totals(data).tickets, 19980);
    buf_release(&lines);
}

static void
who_signed_is_the_systems_word_or_the_files(void **state)
{
    char empty[128];

    (void)state;
    add_token();
    start(good());
    expect_list(url_of("https", "localhost"), "", FAILED,
                "nobody who is trusted signed the certificate");
    expect_feed(url_of("tls", "localhost"), "", SPAN_LITERAL("{}\n"), FAILED,
                "--ca FILE names who did");
    /* The system's: OpenSSL's own variable says where they are. */
    assert_int_equal(setenv("SSL_CERT_FILE", ca, 1), 0);
    expect_list(url_of("https", "localhost"), "", 0, "\"total\":0");
    /* A file stands alone, and must hold something. */
    (void)snprintf(empty, sizeof(empty), "%s",
                   temp_dir_write(&dir, "empty.pem", SPAN_LITERAL("x\n")));
    expect_list(url_of("https", "localhost"), empty, FAILED,
                "holds no certificate");
    expect_list(url_of("https", "localhost"), "/no/such/file", FAILED,
                "--ca '/no/such/file'");
    {
        const struct certificate_wanted wanted = {
            .name = "us", .from_days = -9, .to_days = 60, .is_ca = true};
        struct certificate other = certificate_make(&wanted);

        certificate_write(&other, empty, NULL);
        certificate_free(&other);
        expect_list(url_of("https", "localhost"), empty, FAILED, "certificate");
    }
    /* The server's own certificate is enough. */
    expect_list(url_of("https", "localhost"), cert, 0, "\"total\":0");
}

static void
a_certificate_that_signs_itself_is_known_by_its_file(void **state)
{
    const char *const flags[] = {"--auth",    "on", "--tls-cert", cert,
                                 "--tls-key", key,  NULL};
    struct certificate_wanted wanted = good();
    struct certificate one = certificate_make(&wanted);

    (void)state;
    add_token();
    certificate_write(&one, cert, key);
    certificate_free(&one);
    server_process_start(&server, data, &(struct server_start){.flags = flags});
    expect_list(url_of("https", "localhost"), ca, FAILED, "self-signed");
    expect_list(url_of("https", "localhost"), cert, 0, "\"total\":0");
}

static void
a_certificate_holds_from_its_first_to_its_last_day(void **state)
{
    struct certificate_wanted wanted = good();

    (void)state;
    add_token();
    wanted.from_days = -8;
    wanted.to_days = -1;
    start(wanted);
    expect_list(url_of("https", "localhost"), ca, FAILED,
                "the certificate ended at 20");
    expect_feed(url_of("tls", "localhost"), ca, SPAN_LITERAL("{}\n"), FAILED,
                "the certificate ended at 20");
    assert_int_equal(server_process_stop(&server), 0);
    wanted.from_days = 2;
    wanted.to_days = 8;
    start(wanted);
    expect_list(url_of("https", "localhost"), ca, FAILED,
                "the certificate begins at 20");
}

static void
a_certificate_is_for_its_names_alone(void **state)
{
    struct certificate_wanted wanted = good();

    (void)state;
    add_token();
    wanted.names = "DNS:suqiu.example,DNS:other.example,IP:192.0.2.7";
    start(wanted);
    expect_list(url_of("https", "localhost"), ca, FAILED,
                "is for suqiu.example, other.example, 192.0.2.7, not for "
                "localhost");
    expect_list(url_of("https", "127.0.0.1"), ca, FAILED, "not for 127.0.0.1");
    expect_feed(url_of("tls", "127.0.0.1"), ca, SPAN_LITERAL("{}\n"), FAILED,
                "not for 127.0.0.1");
    assert_int_equal(server_process_stop(&server), 0);
    /* A name that is a common name only counts; an address never does. */
    wanted.name = "localhost";
    wanted.names = NULL;
    start(wanted);
    expect_list(url_of("https", "localhost"), ca, 0, "\"total\":0");
    expect_list(url_of("https", "127.0.0.1"), ca, FAILED,
                "is for localhost, not for 127.0.0.1");
}

static void
the_wrong_kind_of_url_is_told(void **state)
{
    (void)state;
    add_token();
    start_in_the_open();
    expect_list(url_of("https", "localhost"), ca, FAILED,
                "what answers there does not speak TLS");
    expect_list(url_of("ftp", "localhost"), ca, USAGE, "https://HOST:PORT");
    assert_int_equal(server_process_stop(&server), 0);
    start(good());
    expect_list(url_of("http", "localhost"), "", FAILED, "wants https://");
    expect_feed(url_of("tcp", "localhost"), "", SPAN_LITERAL("{}\n"), FAILED,
                "wants tls://");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_client_speaks_tls),
        TEST(who_signed_is_the_systems_word_or_the_files),
        TEST(a_certificate_that_signs_itself_is_known_by_its_file),
        TEST(a_certificate_holds_from_its_first_to_its_last_day),
        TEST(a_certificate_is_for_its_names_alone),
        TEST(the_wrong_kind_of_url_is_told),
    };

    return cmocka_run_group_tests_name("tls_clients", tests, NULL, NULL);
}
