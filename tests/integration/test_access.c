/* Who may call what, over the real ports: every route × method × role. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <minizip/unzip.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "server/access/tokens.h"
#include "server/base/buf.h"
#include "server/serve/access.h"
#include "tests/lib/feed_client.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

enum { ANSWER_BYTES = 256 * 1024, TRIES_MAX = 2000, FAILED = 3 };

static const char *const auth_on[] = {"--auth", "on", NULL};
static const struct server_start with_auth = {.flags = auth_on};

static struct temp_dir dir;
static struct server_process server;
static char data[128];
static char answer[ANSWER_BYTES]; /* head and body of the last request */

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
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

static void
start(void)
{
    server_process_start(&server, data, &with_auth);
}

/* ---- asking ---- */

/* Send the bytes as they are and read to the end; returns the status. */
static unsigned
ask_raw(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server.http_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t used = 0;

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    for (;;) {
        struct pollfd item = {.fd = fd, .events = POLLIN};
        ssize_t got;

        assert_int_equal(poll(&item, 1, PROCESS_PATIENCE_MS), 1);
        got = recv(fd, answer + used, sizeof(answer) - 1 - used, 0);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
        answer[used] = '\0';
        if (strstr(answer, "text/event-stream") != NULL) {
            break; /* has no end */
        }
    }
    answer[used] = '\0';
    (void)close(fd);
    assert_true(strncmp(answer, "HTTP/1.1 ", 9) == 0);
    return (unsigned)strtoul(answer + 9, NULL, 10);
}

/* One request; `headers` are lines ended by CR LF. */
static unsigned
ask(const char *method,
    const char *path,
    const char *headers,
    const char *type,
    const char *body)
{
    static char text[8192];

    (void)snprintf(text, sizeof(text),
                   "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: "
                   "close\r\n%s",
                   method, path, server.http_port, headers);
    if (body != NULL) {
        size_t used = strlen(text);

        (void)snprintf(text + used, sizeof(text) - used,
                       "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
                       type, strlen(body), body);
    } else {
        (void)strcat(text, "\r\n");
    }
    return ask_raw(text);
}

static bool
says(const char *words)
{
    return strstr(answer, words) != NULL;
}

static unsigned
get_with_token(const char *path, const char *token)
{
    char headers[256];

    (void)snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n",
                   token);
    return ask("GET", path, headers, NULL, NULL);
}

/* ---- tokens and sessions ---- */

static void
add_token(const char *name, const char *role, char out[TOKEN_CHARS + 1])
{
    const char *const args[] = {"token", "add",    name, "--data",
                                data,    "--role", role, NULL};
    char *text;
    const char *token;

    assert_int_equal(run_suqiu(args, (struct span){NULL, 0}, &text), 0);
    token = strstr(text, "sq_");
    assert_non_null(token);
    (void)snprintf(out, TOKEN_CHARS + 1, "%.*s", (int)TOKEN_CHARS, token);
    assert_int_equal(token[TOKEN_CHARS], '\n');
    free(text);
}

static void
revoke_token(const char *name)
{
    const char *const args[] = {"token", "revoke", name, "--data", data, NULL};

    assert_int_equal(run_suqiu(args, (struct span){NULL, 0}, NULL), 0);
}

static void
nap(void)
{
    const struct timespec time = {0, 5000000};

    (void)nanosleep(&time, NULL);
}

/* SIGHUP, and wait until this token is answered so. */
static void
hang_up_until(const char *token, unsigned status)
{
    int tries = 0;

    assert_int_equal(kill(server.pid, SIGHUP), 0);
    while (get_with_token("/v1/me", token) != status) {
        assert_true(++tries < TRIES_MAX);
        nap();
    }
}

/* "Cookie: suqiu_session=...\r\n" from the Set-Cookie of the last answer. */
static void
take_cookie(char out[256])
{
    const char *cookie = strstr(answer, "Set-Cookie: ");
    size_t bytes;

    assert_non_null(cookie);
    cookie += strlen("Set-Cookie: ");
    bytes = strcspn(cookie, ";\r");
    (void)snprintf(out, 256, "Cookie: %.*s\r\n", (int)bytes, cookie);
}

static void
sign_in(const char *token, char cookie[256])
{
    char body[256];

    (void)snprintf(body, sizeof(body), "{\"token\":\"%s\"}", token);
    assert_int_equal(ask("POST", "/sign-in", "", "application/json", body),
                     200);
    take_cookie(cookie);
}

/* The path of the link that the server printed. */
static void
take_link(char out[256])
{
    const char *link = strstr(server.ready, "/sign-in?ticket=");

    assert_non_null(link);
    (void)snprintf(out, 256, "%.*s", (int)strcspn(link, "\n"), link);
}

/* ---- the matrix ---- */

enum { NONE, WRONG, FEED, VIEWER, SUPERVISOR, ADMIN, COLUMN_COUNT };

/* Who may, once more and by hand: "fvsa", and "*" for everybody. A route that
 * is missing here fails the test. */
static const struct {
    enum http_method method;
    const char *pattern; /* of a list: its name */
    const char *roles;
} matrix[] = {
    /* clang-format off */
    {HTTP_GET, "/healthz", "*"},
    {HTTP_GET, "/readyz", "*"},
    {HTTP_GET, "/metrics", "vsa"},
    {HTTP_GET, "/openapi.json", "*"},
    {HTTP_GET, "/", "*"},
    {HTTP_GET, "/assets/{name}", "*"},
    {HTTP_GET, "/sign-in", "*"},
    {HTTP_POST, "/sign-in", "*"},
    {HTTP_POST, "/sign-out", "*"},
    {HTTP_GET, "/v1/me", "fvsa"},
    {HTTP_POST, "/v1/records", "fsa"},
    {HTTP_PUT, "/v1/facts", "fsa"},
    {HTTP_GET, "/v1/imports", "sa"},
    {HTTP_POST, "/v1/imports", "sa"},
    {HTTP_GET, "/v1/imports/{id}", "sa"},
    {HTTP_DELETE, "/v1/imports/{id}", "sa"},
    {HTTP_POST, "/v1/imports/{id}/preview", "sa"},
    {HTTP_POST, "/v1/imports/{id}/confirm", "sa"},
    {HTTP_GET, "/v1/imports/{id}/rejects.csv", "sa"},
    {HTTP_GET, "/v1/imports/{id}/rejects.xlsx", "sa"},
    {HTTP_POST, "/v1/admin/reload", "a"},
    {HTTP_GET, "/v1/admin/reclassify", "a"},
    {HTTP_POST, "/v1/admin/reclassify", "a"},
    {HTTP_DELETE, "/v1/admin/reclassify", "a"},
    {HTTP_GET, "/v1/admin/expire", "a"},
    {HTTP_POST, "/v1/admin/expire", "a"},
    {HTTP_DELETE, "/v1/admin/expire", "a"},
    {HTTP_GET, "/v1/admin/replay", "a"},
    {HTTP_POST, "/v1/admin/replay", "a"},
    {HTTP_DELETE, "/v1/admin/replay", "a"},
    {HTTP_GET, "/v1/tickets/{id}", "vsa"},
    {HTTP_POST, "/v1/tickets/{id}/unmask", "sa"},
    {HTTP_GET, "/v1/report", "vsa"},
    {HTTP_GET, "/v1/stream", "vsa"},
    {HTTP_GET, "/v1/dictionary", "vsa"},
    {HTTP_POST, "/v1/explain", "vsa"},
    {HTTP_GET, "tickets", "vsa"},
    {HTTP_GET, "repeat-callers", "vsa"},
    {HTTP_GET, "hot-spots", "vsa"},
    {HTTP_GET, "overdue", "vsa"},
    {HTTP_GET, "counters", "vsa"},
    {HTTP_GET, "indicators", "vsa"},
    {HTTP_GET, "rejects", "vsa"},
    {HTTP_GET, "audit", "a"},
    {HTTP_GET, "rules", "vsa"},
    /* clang-format on */
};

static const char *
expected_roles(enum http_method method, const char *pattern)
{
    char name[64] = "";

    if (sscanf(pattern, "/v1/%63[a-z-]", name) != 1) {
        name[0] = '\0';
    }
    for (size_t i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
        const char *known = matrix[i].pattern;

        if (matrix[i].method == method &&
            (strcmp(known, pattern) == 0 ||
             (known[0] != '/' && strcmp(known, name) == 0))) {
            return matrix[i].roles;
        }
    }
    fail_msg("%s %s: a new route? Say in `matrix` who may call it",
             http_method_name(method), pattern);
    return "";
}

/* One cell: what this column is told at this route. */
static void
check_cell(enum http_method method,
           const char *name,
           const char *pattern,
           int column,
           const char *token)
{
    static const char letters[COLUMN_COUNT] = {0, 0, 'f', 'v', 's', 'a'};
    const char *roles = expected_roles(method, pattern);
    const char *brace = strchr(pattern, '{');
    bool anyone = strcmp(roles, "*") == 0;
    bool allowed =
        anyone || (column >= FEED && strchr(roles, letters[column]) != NULL);
    char path[80];
    char headers[256] = "";
    unsigned status;

    (void)snprintf(path, sizeof(path), "%.*s%s",
                   brace != NULL ? (int)(brace - pattern) : 64, pattern,
                   brace != NULL ? "no-such-ticket" : "");
    if (brace != NULL) {
        (void)strncat(path, strchr(brace, '}') + 1,
                      sizeof(path) - strlen(path) - 1);
    }
    if (token != NULL) {
        (void)snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n",
                       token);
    }
    status = ask(name, path, headers, "application/json",
                 method == HTTP_GET ? NULL : "[]");
    if (status == 404 && says("no_route")) {
        fail_msg("%s %s stands in the table and is not there", name, path);
    }
    if (allowed) {
        if (status == 401 || says("\"forbidden\"")) {
            fail_msg("%s %s refuses '%c': %s", name, path, letters[column],
                     answer);
        }
    } else if (column == NONE) {
        assert_int_equal(status, 401);
    } else if (column == WRONG) {
        assert_true(status == 401 || status == 429);
    } else if (status != 403) {
        fail_msg("%s %s lets '%c' in: %u", name, path, letters[column], status);
    }
}

static void
every_route_takes_its_roles_and_nobody_else(void **state)
{
    static const char *const names[] = {"feed", "viewer", "supervisor",
                                        "admin"};
    char tokens[COLUMN_COUNT][TOKEN_CHARS + 1];
    char pattern[64];
    enum http_method method;
    unsigned roles;
    size_t routes = 0;

    (void)state;
    for (int i = 0; i < 4; i++) {
        add_token(names[i], names[i], tokens[FEED + i]);
    }
    memcpy(tokens[WRONG], tokens[ADMIN], sizeof(tokens[WRONG]));
    tokens[WRONG][TOKEN_CHARS - 1] =
        tokens[ADMIN][TOKEN_CHARS - 1] == 'A' ? 'B' : 'A';
    start();
    for (; access_route_at(routes, &method, pattern, &roles); routes++) {
        for (int column = NONE; column < COLUMN_COUNT; column++) {
            /* The guesses at the administrator's token come last. */
            if (column == WRONG) {
                continue;
            }
            check_cell(method, http_method_name(method), pattern, column,
                       column == NONE ? NULL : tokens[column]);
            if (method == HTTP_GET) {
                check_cell(method, "HEAD", pattern, column,
                           column == NONE ? NULL : tokens[column]);
            }
        }
    }
    for (size_t i = 0; access_route_at(i, &method, pattern, &roles); i++) {
        check_cell(method, http_method_name(method), pattern, WRONG,
                   tokens[WRONG]);
    }
    assert_true(routes >= sizeof(matrix) / sizeof(matrix[0]));
}

/* ---- signing in ---- */

static unsigned
mode_of(const char *name)
{
    struct stat about;
    char path[200];

    (void)snprintf(path, sizeof(path), "%s/%s", data, name);
    assert_int_equal(stat(path, &about), 0);
    return (unsigned)about.st_mode & 07777u;
}

static void
the_first_link_signs_in_once_with_a_careful_cookie(void **state)
{
    char link[256];
    char cookie[256];

    (void)state;
    start();
    assert_int_equal(mode_of("tokens"), 0600);
    assert_int_equal(mode_of("secret"), 0600);
    take_link(link);
    /* A look at it does not use it up. */
    assert_int_equal(ask("HEAD", link, "", NULL, NULL), 200);
    assert_int_equal(ask("GET", link, "", NULL, NULL), 303);
    assert_true(says("Location: /\r\n"));
    assert_true(says("; HttpOnly"));
    assert_true(says("; SameSite=Strict"));
    assert_true(says("; Path=/"));
    assert_false(says("; Secure")); /* not over TLS */
    assert_true(says("Referrer-Policy: same-origin\r\n"));
    take_cookie(cookie);
    assert_int_equal(ask("GET", "/v1/me", cookie, NULL, NULL), 200);
    assert_true(says("\"role\":\"admin\""));
    assert_int_equal(ask("GET", link, "", NULL, NULL), 403);
    assert_false(says("Set-Cookie"));
}

static void
no_link_is_printed_once_an_administrator_has_a_token(void **state)
{
    char token[TOKEN_CHARS + 1];

    (void)state;
    add_token("a", "admin", token);
    start();
    assert_null(strstr(server.ready, "sign-in"));
}

static void
a_session_begins_with_a_token_and_ends_at_sign_out(void **state)
{
    char token[TOKEN_CHARS + 1];
    char cookie[256];
    char headers[400];
    char form[256];

    (void)state;
    add_token("v", "viewer", token);
    start();
    (void)snprintf(form, sizeof(form), "x=1&token=%s", token);
    assert_int_equal(
        ask("POST", "/sign-in", "", "application/x-www-form-urlencoded", form),
        303);
    sign_in(token, cookie);
    assert_true(says("\"role\":\"viewer\""));
    assert_int_equal(ask("GET", "/v1/tickets", cookie, NULL, NULL), 200);
    (void)snprintf(headers, sizeof(headers),
                   "%sOrigin: http://127.0.0.1:%u\r\n", cookie,
                   server.http_port);
    assert_int_equal(ask("POST", "/sign-out", headers, NULL, NULL), 204);
    assert_true(says("Max-Age=0"));
    assert_int_equal(ask("GET", "/v1/tickets", cookie, NULL, NULL), 401);
}

static void
what_changes_something_by_cookie_comes_from_our_own_page(void **state)
{
    static const char *const others[] = {"",
                                         "Origin: http://evil.example\r\n",
                                         "Origin: null\r\n",
                                         "Origin: http://127.0.0.1\r\n",
                                         "Sec-Fetch-Site: cross-site\r\n",
                                         "Sec-Fetch-Site: none\r\n"};
    char token[TOKEN_CHARS + 1];
    char cookie[256];
    char headers[512];

    (void)state;
    add_token("s", "supervisor", token);
    start();
    sign_in(token, cookie);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)snprintf(headers, sizeof(headers), "%s%s", cookie, others[i]);
        assert_int_equal(
            ask("POST", "/v1/records", headers, "application/x-ndjson", "\n"),
            403);
        assert_true(says("other_origin"));
    }
    (void)snprintf(headers, sizeof(headers),
                   "%sOrigin: http://127.0.0.1:%u\r\n", cookie,
                   server.http_port);
    assert_int_equal(
        ask("POST", "/v1/records", headers, "application/x-ndjson", "\n"), 200);
    (void)snprintf(headers, sizeof(headers),
                   "%sSec-Fetch-Site: same-origin\r\n", cookie);
    assert_int_equal(
        ask("POST", "/v1/records", headers, "application/x-ndjson", "\n"), 200);
}

/* A stream that was let in; its descriptor. */
static int
open_stream(const char *token)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server.http_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char text[512];
    ssize_t got;

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    (void)snprintf(
        text, sizeof(text),
        "GET /v1/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
        "%s\r\n\r\n",
        token);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    got = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(got > 12);
    assert_memory_equal(text, "HTTP/1.1 200", 12);
    return fd;
}

static void
expect_cut(int fd)
{
    char text[4096];
    ssize_t got;

    do {
        struct pollfd item = {.fd = fd, .events = POLLIN};

        assert_int_equal(poll(&item, 1, PROCESS_PATIENCE_MS), 1);
        got = recv(fd, text, sizeof(text), 0);
    } while (got > 0);
    (void)close(fd);
}

static void
a_revoked_token_ends_its_sessions_and_feeds(void **state)
{
    char viewer[TOKEN_CHARS + 1];
    char feed[TOKEN_CHARS + 1];
    char stays[TOKEN_CHARS + 1];
    char cookie[256];
    char line[256];
    struct feed_client client;
    int stream;

    (void)state;
    add_token("v", "viewer", viewer);
    add_token("f", "feed", feed);
    add_token("a", "admin", stays);
    start();
    sign_in(viewer, cookie);
    feed_client_open(&client, server.feed_port);
    (void)snprintf(line, sizeof(line), "{\"token\":\"%s\"}\n{}\n", feed);
    feed_client_send(&client, span_of(line));
    feed_client_wait(&client, 1);
    stream = open_stream(viewer);
    revoke_token("v");
    revoke_token("f");
    hang_up_until(viewer, 401);
    expect_cut(stream);
    assert_int_equal(ask("GET", "/v1/me", cookie, NULL, NULL), 401);
    assert_int_equal(get_with_token("/v1/me", stays), 200);
    (void)feed_client_send_within(&client, SPAN_LITERAL("{}\n"), 1000);
    feed_client_wait_closed(&client);
    assert_int_equal(client.acknowledged, 1);
    feed_client_close(&client);
}

static void
wrong_tokens_wait_longer_and_do_not_lock_out_the_right_ones(void **state)
{
    char token[TOKEN_CHARS + 1];
    unsigned status = 0;

    (void)state;
    add_token("v", "viewer", token);
    start();
    for (int i = 0; i < 10; i++) {
        status = get_with_token("/v1/tickets", "sq_nonsense");
        if (status == 429) {
            break;
        }
        assert_int_equal(status, 401);
        assert_true(says("WWW-Authenticate: Bearer"));
    }
    assert_int_equal(status, 429);
    assert_true(says("Retry-After: 1\r\n"));
    assert_int_equal(get_with_token("/v1/tickets", token), 200);
}

static void
a_file_that_others_may_read_stops_the_start(void **state)
{
    const char *const serve[] = {"serve", "--data",      data, "--http-port",
                                 "0",     "--feed-port", "0",  NULL};
    char path[200];
    char token[TOKEN_CHARS + 1];
    char *out;

    (void)state;
    add_token("v", "viewer", token);
    (void)snprintf(path, sizeof(path), "%s/tokens", data);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(run_suqiu(serve, (struct span){NULL, 0}, &out), FAILED);
    assert_non_null(strstr(out, "chmod 600"));
    free(out);
}

/* ---- masks ---- */

/* Is there a run of 11 digits that begins like a mobile number? The fraction
 * of a number is none: days of a sheet have one. */
static bool
holds_mobile(const char *text)
{
    size_t run = 0;

    for (size_t i = 0;; i++) {
        char c = text[i];

        if (c >= '0' && c <= '9') {
            run++;
            continue;
        }
        if (run == 11 && text[i - 11] == '1' && text[i - 10] >= '3' &&
            !(i >= 13 && text[i - 12] == '.' && text[i - 13] >= '0' &&
              text[i - 13] <= '9')) {
            return true;
        }
        run = 0;
        if (c == '\0') {
            return false;
        }
    }
}

static char *big_answer;

static void
keep_answer(struct span bytes)
{
    big_answer = realloc(big_answer, bytes.bytes + 1);
    assert_non_null(big_answer);
    memcpy(big_answer, bytes.data, bytes.bytes);
    big_answer[bytes.bytes] = '\0';
    for (size_t i = 0; i < bytes.bytes; i++) {
        big_answer[i] = big_answer[i] == '\0' ? ' ' : big_answer[i];
    }
}

/* Every part of a workbook, one after the other. */
static void
keep_workbook(struct span bytes)
{
    const char *path = temp_dir_write(&dir, "answer.xlsx", bytes);
    unzFile book = unzOpen(path);
    struct buf parts;
    int step;

    assert_non_null(book);
    buf_init(&parts, 256 << 20);
    for (step = unzGoToFirstFile(book); step == UNZ_OK;
         step = unzGoToNextFile(book)) {
        char room[64 * 1024];
        int got;

        assert_int_equal(unzOpenCurrentFile(book), UNZ_OK);
        while ((got = unzReadCurrentFile(book, room, sizeof(room))) > 0) {
            buf_put(&parts, room, (size_t)got);
        }
        assert_int_equal(got, 0);
        assert_int_equal(unzCloseCurrentFile(book), UNZ_OK); /* its checksum */
        buf_put_char(&parts, '\n');
    }
    assert_int_equal(step, UNZ_END_OF_LIST_OF_FILE);
    assert_int_equal(unzClose(book), UNZ_OK);
    assert_int_equal(parts.failed, ERR_OK);
    keep_answer(buf_view(&parts));
    buf_release(&parts);
}

/* The whole answer, chunks, parts and all; scanned for what must not be there.
 */
static void
expect_no_phone(const char *path, const char *token)
{
    const struct http_client_request request = {.method = "GET", .path = path};
    struct http_client *client = NULL;
    struct http_client_answer got;
    struct err err = {0};
    char url[64];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.http_port);
    assert_int_equal(http_client_new(url, 60, &client, &err), ERR_OK);
    http_client_set_token(client, token);
    assert_int_equal(http_client_send(client, &request, &got, &err), ERR_OK);
    if (got.status != 200) {
        fail_msg("%s: %u %.*s", path, got.status, SPAN_ARGS(got.body));
    }
    if (span_starts(got.body, SPAN_LITERAL("PK"))) {
        keep_workbook(got.body);
    } else {
        keep_answer(got.body);
    }
    if (holds_mobile(big_answer)) {
        fail_msg("%s shows a phone number", path);
    }
    http_client_free(&client);
}

static void
send_file(const char *name, const char *token)
{
    char path[300];
    char url[64];
    const char *file = temp_dir_write(&dir, "feed-token", span_of(token));
    const char *const args[] = {"import", "--to", url, "--token-file",
                                file,     path,   NULL};

    assert_int_equal(chmod(file, 0600), 0);
    (void)snprintf(path, sizeof(path), "%s/tests/data/sample/%s",
                   SUQIU_SOURCE_DIR, name);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.http_port);
    assert_int_equal(run_suqiu(args, (struct span){NULL, 0}, NULL), 0);
}

static void
nobody_gets_a_phone_number_from_any_list(void **state)
{
    static const char *const roles[] = {"viewer", "supervisor", "admin"};
    static const char *const lists[] = {
        "tickets",  "repeat-callers", "hot-spots", "overdue",
        "counters", "indicators",     "rejects",   "rules"};
    static const char *const suffixes[] = {"?limit=1000", ".ndjson", ".csv",
                                           ".csv?excel=1", ".xlsx"};
    static const char *const forms[] = {"text", "json", "csv", "html", "xlsx"};
    static const char record[] =
        "{\"id\":\"M-1\",\"accepted_at\":\"2018-01-01 08:00:00\","
        "\"caller\":\"13812345678\",\"customer\":\"9953788583\","
        "\"name\":\"张三丰\",\"address\":\"利通区利通街13812345678号\","
        "\"text\":\"打138-1234-5678，或13912345678\",\"备注\":"
        "\"13712345678\"}\n{\"id\":\"M-1\",\"event\":\"closed\",\"at\":"
        "\"2018-01-01 09:00:00\",\"reason\":\"已回电13612345678\"}\n"
        "not json 13812345678\n";
    char feed[TOKEN_CHARS + 1];
    char path[128];

    (void)state;
    add_token("f", "feed", feed);
    start();
    send_file("quarter.ndjson", feed);
    send_file("events.ndjson", feed);
    {
        char headers[256];

        (void)snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n",
                       feed);
        assert_int_equal(
            ask("POST", "/v1/records", headers, "application/x-ndjson", record),
            207);
        assert_false(says("13812345678"));
    }
    for (size_t r = 0; r < sizeof(roles) / sizeof(roles[0]); r++) {
        char token[TOKEN_CHARS + 1];

        add_token(roles[r], roles[r], token);
        hang_up_until(token, 200);
        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
            for (size_t k = 0; k < sizeof(suffixes) / sizeof(suffixes[0]);
                 k++) {
                if (strstr(suffixes[k], "limit") != NULL && i >= 4 && i != 6) {
                    continue; /* these come whole */
                }
                (void)snprintf(path, sizeof(path), "/v1/%s%s", lists[i],
                               suffixes[k]);
                expect_no_phone(path, token);
            }
        }
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
            (void)snprintf(path, sizeof(path),
                           "/v1/report?from=2018-01-01&to=2018-03-31&format=%s",
                           forms[i]);
            expect_no_phone(path, token);
        }
        expect_no_phone("/v1/tickets.xlsx?q=13812345678", token);
        /* The workbook is looked into: what the list shows stands in it. */
        expect_no_phone("/v1/tickets.xlsx", token);
        assert_non_null(strstr(big_answer, "138****5678"));
        assert_null(strstr(big_answer, "张三丰"));
        expect_no_phone("/v1/tickets/M-1", token);
        assert_null(strstr(big_answer, "张三丰"));
        assert_null(strstr(big_answer, "9953788583"));
        assert_non_null(strstr(big_answer, "138****5678"));
        /* A number can't be guessed by looking for it, either. */
        expect_no_phone("/v1/tickets?q=1391234", token);
        assert_non_null(strstr(big_answer, "\"total\":0"));
        expect_no_phone("/v1/tickets?q=139", token);
        assert_non_null(strstr(big_answer, "M-1"));
        expect_no_phone("/metrics", token);
        expect_no_phone("/readyz", token);
        if (r == 2) { /* what was exported by which question */
            expect_no_phone("/v1/audit", token);
            expect_no_phone("/v1/audit.xlsx", token);
        }
    }
    free(big_answer);
    big_answer = NULL;
}

static unsigned
unmask(const char *token, const char *id, const char *body)
{
    char headers[256];
    char path[128];

    (void)snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n",
                   token);
    (void)snprintf(path, sizeof(path), "/v1/tickets/%s/unmask", id);
    return ask("POST", path, headers, "application/json", body);
}

/* ---- the audit list ---- */

static int
run_audit(char **out)
{
    const char *const args[] = {"audit", "--data", data, NULL};

    return run_suqiu(args, (struct span){NULL, 0}, out);
}

static void
what_is_unmasked_and_exported_is_entered_with_its_reason(void **state)
{
    static const char record[] =
        "{\"id\":\"M-1\",\"accepted_at\":\"2018-01-01 08:00:00\","
        "\"caller\":\"13812345678\",\"text\":\"停电\"}\n";
    char supervisor[TOKEN_CHARS + 1];
    char admin[TOKEN_CHARS + 1];
    char headers[256];
    char *out;

    (void)state;
    add_token("王工", "supervisor", supervisor);
    add_token("a", "admin", admin);
    start();
    (void)snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n",
                   supervisor);
    assert_int_equal(
        ask("POST", "/v1/records", headers, "application/x-ndjson", record),
        200);
    /* Without a reason nothing is shown and nothing entered. */
    assert_int_equal(unmask(supervisor, "M-1", "{}"), 400);
    assert_int_equal(unmask(supervisor, "M-1", "{\"reason\":\" \"}"), 400);
    assert_int_equal(unmask(supervisor, "M-2", "{\"reason\":\"客户回访\"}"),
                     404);
    assert_int_equal(
        unmask(supervisor, "M-1", "{\"reason\":\"回访13812345678\"}"), 200);
    assert_true(says("\"caller\":\"13812345678\""));
    assert_int_equal(
        ask("GET", "/v1/tickets.csv?q=13812345678", headers, NULL, NULL), 200);
    assert_int_equal(ask("HEAD", "/v1/tickets.csv", headers, NULL, NULL), 200);
    assert_int_equal(get_with_token("/v1/audit", admin), 200);
    assert_true(says("\"total\":2"));
    assert_true(says("\"action\":\"unmask\",\"ok\":true,\"who\":\"王工\","
                     "\"role\":\"supervisor\",\"from\":\"127.0.0.1\","
                     "\"object\":\"M-1\",\"reason\":\"回访138****5678\""));
    assert_true(says("\"action\":\"export\""));
    assert_true(says("/v1/tickets.csv?q=138****5678"));
    assert_int_equal(get_with_token("/v1/audit?action=unmask", admin), 200);
    assert_true(says("\"total\":1"));
    assert_int_equal(get_with_token("/v1/audit?limit=1", admin), 200);
    assert_true(says("\"next\":\"2\""));
    assert_int_equal(get_with_token("/v1/audit?limit=1&cursor=2", admin), 200);
    assert_true(says("\"seq\":1"));
    assert_true(says("\"next\":null"));
    assert_int_equal(get_with_token("/v1/audit.csv", admin), 200);
    assert_int_equal(run_audit(&out), 0);
    assert_non_null(strstr(out, "the chain is whole"));
    free(out);
}

/* Any byte of any entry but the newest line's end. */
static void
one_changed_byte_breaks_the_chain(void **state)
{
    char token[TOKEN_CHARS + 1];
    char path[200];
    char cookie[256];
    char *out;
    FILE *file;

    (void)state;
    add_token("v", "viewer", token);
    start();
    sign_in(token, cookie);
    sign_in(token, cookie);
    assert_int_equal(get_with_token("/v1/me", "sq_wrong"), 401);
    server_process_kill(&server);
    (void)snprintf(path, sizeof(path), "%s/audit/%020d.ndjson", data, 1);
    assert_int_equal(run_audit(&out), 0);
    free(out);
    file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 40, SEEK_SET), 0);
    assert_int_equal(fputc('9', file), '9');
    assert_int_equal(fclose(file), 0);
    assert_int_equal(run_audit(&out), 1);
    assert_non_null(strstr(out, "entry 1: was changed"));
    free(out);
}

static void
without_room_for_an_entry_nothing_is_shown(void **state)
{
    char supervisor[TOKEN_CHARS + 1];
    char path[200];

    (void)state;
    add_token("s", "supervisor", supervisor);
    start();
    /* What stands in the way of the list's first file stands for a full disk:
     * the entry can't be written. */
    (void)snprintf(path, sizeof(path), "%s/audit/%020d.ndjson", data, 1);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(get_with_token("/v1/tickets.csv", supervisor), 500);
    assert_int_equal(get_with_token("/v1/tickets", supervisor), 200);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(get_with_token("/v1/tickets.csv", supervisor), 200);
}

/* ---- the feed ---- */

static void
refused_feed(const char *line, const char *code)
{
    struct feed_client client;

    feed_client_open(&client, server.feed_port);
    (void)feed_client_send_within(&client, span_of(line), 1000);
    feed_client_wait_closed(&client);
    assert_int_equal(client.acknowledged, 0);
    assert_int_equal(client.refusal_count_all, 1);
    assert_string_equal(client.refusals[0].code, code);
    feed_client_close(&client);
}

static void
a_feed_shows_its_token_first(void **state)
{
    static const char record[] =
        "{\"id\":\"A-1\",\"accepted_at\":\"2018-01-01 08:00:00\","
        "\"text\":\"停电\"}\n";
    char feed[TOKEN_CHARS + 1];
    char viewer[TOKEN_CHARS + 1];
    char line[512];
    struct feed_client client;
    char *long_line = malloc(100000);

    (void)state;
    add_token("f", "feed", feed);
    add_token("v", "viewer", viewer);
    start();
    refused_feed(record, "not_signed_in");
    refused_feed("{\"token\":\"sq_x\"}\n", "wrong_token");
    (void)snprintf(line, sizeof(line), "{\"token\":\"%s\"}\n%s", viewer,
                   record);
    refused_feed(line, "forbidden");
    assert_non_null(long_line);
    memset(long_line, 'x', 99999);
    long_line[99999] = '\0';
    refused_feed(long_line, "not_signed_in");
    free(long_line);

    /* In two pieces, and not counted. */
    feed_client_open(&client, server.feed_port);
    (void)snprintf(line, sizeof(line), "{\"token\":\"%s\"}\n%s", feed, record);
    feed_client_send(&client, (struct span){line, 20});
    feed_client_wait_quiet(&client, 50);
    feed_client_send(&client, span_of(line + 20));
    feed_client_wait(&client, 1);
    assert_int_equal(client.acknowledged, 1);
    feed_client_close(&client);
    assert_int_equal(server_process_stop(&server), 0);
    assert_int_equal(store_totals(data).tickets, 1);
}

/* ---- without access control ---- */

static void
without_tokens_only_this_machine_by_its_own_names(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost:9559",
                                        "LocalHost", "[::1]:80", "127.9.9.9"};
    static const char *const others[] = {"evil.example", "127.0.0.1.evil.com",
                                         "128.0.0.1", "[::2]", ""};
    const char *const outside[] = {
        "serve",   "--data",      data, "--auth",      "off", "--http-bind",
        "0.0.0.0", "--http-port", "0",  "--feed-port", "0",   NULL};
    char text[256];
    char *out;

    (void)state;
    assert_int_equal(run_suqiu(outside, (struct span){NULL, 0}, &out), 2);
    assert_non_null(strstr(out, "0.0.0.0"));
    free(out);
    server_process_start(&server, data, NULL);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        (void)snprintf(text, sizeof(text),
                       "GET /v1/me HTTP/1.1\r\nHost: %s\r\nConnection: "
                       "close\r\n\r\n",
                       hosts[i]);
        assert_int_equal(ask_raw(text), 200);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        unsigned status;

        (void)snprintf(text, sizeof(text),
                       "GET /v1/me HTTP/1.1\r\nHost: %s\r\nConnection: "
                       "close\r\n\r\n",
                       others[i]);
        status = ask_raw(text);
        assert_true(status == 421 || status == 400);
    }
    assert_int_equal(ask("POST", "/v1/records",
                         "Origin: http://evil.example\r\n",
                         "application/x-ndjson", "\n"),
                     403);
    assert_int_equal(
        ask("POST", "/v1/records", "", "application/x-ndjson", "\n"), 200);
}

/* ---- the command ---- */

static void
the_command_shows_a_token_once(void **state)
{
    const char *const list[] = {"token", "list", "--data", data, NULL};
    const char *const again[] = {"token", "add",    "王工",  "--data",
                                 data,    "--role", "admin", NULL};
    const char *const no_role[] = {"token", "add", "x", "--data", data, NULL};
    const char *const wrong[] = {"token", "revoke", "x", "--data", data, NULL};
    char token[TOKEN_CHARS + 1];
    char *out;

    (void)state;
    add_token("王工", "supervisor", token);
    assert_int_equal(mode_of("tokens"), 0600);
    assert_int_equal(run_suqiu(list, (struct span){NULL, 0}, &out), 0);
    assert_non_null(strstr(out, "supervisor"));
    assert_non_null(strstr(out, "王工"));
    assert_null(strstr(out, token + 3 + ACCESS_TOKEN_ID_CHARS));
    free(out);
    assert_int_equal(run_suqiu(again, (struct span){NULL, 0}, NULL), FAILED);
    assert_int_equal(run_suqiu(no_role, (struct span){NULL, 0}, NULL), 2);
    assert_int_equal(run_suqiu(wrong, (struct span){NULL, 0}, NULL), FAILED);
}

static void
clients_show_the_token_of_their_file(void **state)
{
    char token[TOKEN_CHARS + 1];
    char url[64];
    char feed_url[64];
    const char *file;
    const char *const http[] = {"import", "--to", url, "--token-file",
                                NULL,     "-",    NULL};
    const char *const feed[] = {"import", "--to", feed_url, "--token-file",
                                NULL,     "-",    NULL};
    const char *const none[] = {"import", "--to", feed_url, "-", NULL};
    const char *args[8];
    char *out;

    (void)state;
    add_token("f", "feed", token);
    start();
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.http_port);
    (void)snprintf(feed_url, sizeof(feed_url), "tcp://127.0.0.1:%u",
                   server.feed_port);
    file = temp_dir_write(&dir, "token", span_of(token));
    assert_int_equal(chmod(file, 0600), 0);
    memcpy(args, http, sizeof(http));
    args[4] = file;
    assert_int_equal(
        run_suqiu(args,
                  SPAN_LITERAL("{\"id\":\"A\",\"accepted_at\":\"2018-01-01 "
                               "08:00:00\",\"text\":\"x\"}\n"),
                  NULL),
        0);
    memcpy(args, feed, sizeof(feed));
    args[4] = file;
    assert_int_equal(
        run_suqiu(args,
                  SPAN_LITERAL("{\"id\":\"B\",\"accepted_at\":\"2018-01-01 "
                               "08:00:00\",\"text\":\"x\"}\n"),
                  NULL),
        0);
    assert_int_equal(run_suqiu(none, SPAN_LITERAL("{}\n"), &out), FAILED);
    assert_non_null(strstr(out, "not_signed_in"));
    free(out);
    assert_int_equal(server_process_stop(&server), 0);
    assert_int_equal(store_totals(data).tickets, 2);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_route_takes_its_roles_and_nobody_else),
        TEST(the_first_link_signs_in_once_with_a_careful_cookie),
        TEST(no_link_is_printed_once_an_administrator_has_a_token),
        TEST(a_session_begins_with_a_token_and_ends_at_sign_out),
        TEST(what_changes_something_by_cookie_comes_from_our_own_page),
        TEST(a_revoked_token_ends_its_sessions_and_feeds),
        TEST(wrong_tokens_wait_longer_and_do_not_lock_out_the_right_ones),
        TEST(a_file_that_others_may_read_stops_the_start),
        TEST(nobody_gets_a_phone_number_from_any_list),
        TEST(what_is_unmasked_and_exported_is_entered_with_its_reason),
        TEST(one_changed_byte_breaks_the_chain),
        TEST(without_room_for_an_entry_nothing_is_shown),
        TEST(a_feed_shows_its_token_first),
        TEST(without_tokens_only_this_machine_by_its_own_names),
        TEST(the_command_shows_a_token_once),
        TEST(clients_show_the_token_of_their_file),
    };

    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
