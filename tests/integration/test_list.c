/* suqiu list: the same rows from a server and from a directory, for people and
 * for programs, without anybody's phone. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "tests/lib/read_file.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

static struct temp_dir dir;
static struct server_process server;
static char data[128];
static char url[64];

static void
post_file(const char *path)
{
    struct http_client_answer answer;
    struct span bytes = read_source_file(path);

    assert_int_equal(
        server_process_post(&server, "application/x-ndjson", bytes, &answer),
        200);
    free((char *)(uintptr_t)bytes.data);
}

static int
set_up(void **state)
{
    struct http_client_answer answer;

    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
    server_process_start(&server, data, NULL);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.http_port);
    post_file("tests/data/sample/quarter.ndjson");
    post_file("tests/data/sample/events.ndjson");
    assert_int_equal(
        server_process_post(
            &server, "application/x-ndjson",
            SPAN_LITERAL(
                "{\"id\":\"T1\",\"accepted_at\":\"2018-06-01 08:00:00\","
                "\"text\":\"a\\u001b[31mb\\nc\\u009b2Jd 13812345678\","
                "\"caller\":\"13812345678\",\"name\":\"张三丰\"}\n"
                "{\"id\":\"T2\",\"caller\":\"13812345678\"}\n"),
            &answer),
        207);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    assert_int_equal(server_process_stop(&server), 0);
    temp_dir_remove(&dir);
    return 0;
}

/* Run `suqiu list` with these arguments; given: free. */
static char *
list(int wanted, const char *const *args)
{
    const char *all[PROCESS_FLAGS_MAX] = {"list"};
    size_t count = 1;
    char *out;
    int code;

    for (size_t i = 0; args[i] != NULL; i++) {
        assert_true(count < PROCESS_FLAGS_MAX - 1);
        all[count++] = args[i];
    }
    code = run_suqiu(all, (struct span){NULL, 0}, &out);
    if (code != wanted) {
        fail_msg("%s: %d: %s", args[0], code, out);
    }
    return out;
}

#define LIST(wanted, ...)                                                      \
    list((wanted), (const char *const[]){__VA_ARGS__, NULL})

static void
a_directory_and_its_server_give_the_same_bytes(void **state)
{
    static const char *const forms[] = {"csv", "json", "ndjson", "table"};

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        char *here = LIST(0, "hot-spots", "--data", data, "--min-callers", "2",
                          "--unit", "宁夏电力", "--format", forms[i]);
        char *there = LIST(0, "hot-spots", "--url", url, "--min-callers", "2",
                           "--unit", "宁夏电力", "--format", forms[i]);

        assert_non_null(strstr(here, "立岗镇新渠稍村"));
        assert_string_equal(here, there);
        free(here);
        free(there);
    }
}

/* Numbers of the sample are 199…, and one is 138…. */
static bool
holds_phone(const char *text)
{
    size_t digits = 0;

    for (const char *c = text; *c != '\0'; c++) {
        digits = *c >= '0' && *c <= '9' ? digits + 1 : 0;
        if (digits == 11 && (c[1] < '0' || c[1] > '9') &&
            (strncmp(c - 10, "199000", 6) == 0 ||
             strncmp(c - 10, "138", 3) == 0)) {
            print_error("%.40s\n", c - 10);
            return true;
        }
    }
    return false;
}

static void
nobodys_phone_comes_out_of_a_directory(void **state)
{
    static const char *const lists[] = {"tickets", "repeat-callers", "overdue",
                                        "hot-spots", "rejects"};
    static const char *const forms[] = {"table", "csv", "json", "ndjson"};

    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (size_t k = 0; k < sizeof(forms) / sizeof(forms[0]); k++) {
            char *out = LIST(0, lists[i], "--data", data, "--format", forms[k],
                             "--limit", "40");

            assert_false(holds_phone(out));
            assert_null(strstr(out, "张三丰"));
            free(out);
        }
    }
}

static void
a_table_is_aligned_by_what_people_see(void **state)
{
    char *out = LIST(0, "tickets", "--data", data, "--limit", "30", "--to",
                     "2018-03-31");
    struct span rest = span_of(out);
    size_t rows = 0;
    size_t first = 0;

    (void)state;
    assert_true(span_starts(rest, SPAN_LITERAL("工单编号")));
    (void)span_split(&rest, '\n');
    (void)span_split(&rest, '\n');
    while (rest.bytes > 0) {
        struct span line = span_split(&rest, '\n');
        size_t at = span_find(line, SPAN_LITERAL("****"), 0);

        if (at == SIZE_MAX) {
            continue; /* the note below, or no phone */
        }
        line.bytes = at;
        if (rows++ == 0) {
            first = utf8_columns(line);
        }
        assert_int_equal(utf8_columns(line), first);
    }
    assert_true(rows > 10);
    assert_non_null(strstr(out, "the first 30 rows"));
    free(out);
}

static void
a_ticket_cannot_move_the_cursor(void **state)
{
    char *out = LIST(0, "tickets", "--data", data, "--from", "2018-06-01");

    (void)state;
    assert_non_null(strstr(out, "a [31mb c"));
    assert_null(strchr(out, '\x1b'));
    assert_null(strstr(out, "\xC2\x9B"));
    free(out);
}

static void
wrong_usage_says_what_would_be_right(void **state)
{
    const struct {
        const char *args[6];
        const char *words;
    } cases[] = {
        {{"tickts", "--data", data}, "repeat-callers"},
        {{"overdue", "--data", data, "--type", "complaint"}, "it takes --unit"},
        {{"tickets", "--data", data, "--type", "x"}, "type"},
        {{"tickets", "--url", url, "--type", "x"}, "type"},
        {{"tickets", "--data", data, "--format", "xlsx"}, "table, csv"},
        {{"tickets", "--data", data, "--limit", "0"}, "from 1 to"},
        {{"tickets", "--url", "ftp://x"}, "http://"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *out = list(2, cases[i].args);

        if (strstr(out, cases[i].words) == NULL) {
            fail_msg("no '%s' in: %s", cases[i].words, out);
        }
        free(out);
    }
    free(LIST(3, "tickets", "--data", "/nonexistent/dir"));
    free(LIST(3, "tickets", "--url", "http://127.0.0.1:1"));
}

/* A token of this role, in a file; returns its path. */
static const char *
make_token(const char *where, const char *role)
{
    const char *const args[] = {"token",  "add", "--data", where,
                                "--role", role,  role,     NULL};
    char *out;
    char *token;

    assert_int_equal(run_suqiu(args, (struct span){NULL, 0}, &out), 0);
    token = strstr(out, "sq_");
    assert_non_null(token);
    token[strcspn(token, "\n")] = '\0';
    const char *path = temp_dir_write(&dir, role, span_of(token));

    assert_int_equal(chmod(path, 0600), 0);
    free(out);
    return path;
}

static void
a_server_gives_what_the_token_may_see(void **state)
{
    const char *const flags[] = {"--auth", "on", NULL};
    const struct server_start how = {.flags = flags};
    struct server_process guarded;
    const char *viewer;
    const char *feed;
    char where[128];
    char there[64];
    char *out;

    (void)state;
    (void)snprintf(where, sizeof(where), "%s/guarded", dir.path);
    assert_int_equal(mkdir(where, 0700), 0);
    viewer = make_token(where, "viewer");
    feed = make_token(where, "feed");
    server_process_start(&guarded, where, &how);
    (void)snprintf(there, sizeof(there), "http://127.0.0.1:%u",
                   guarded.http_port);
    out = LIST(3, "tickets", "--url", there);
    assert_non_null(strstr(out, "--token-file"));
    free(out);
    out = LIST(3, "tickets", "--url", there, "--token-file", feed);
    assert_non_null(strstr(out, "403"));
    free(out);
    out = LIST(0, "tickets", "--url", there, "--token-file", viewer);
    assert_non_null(strstr(out, "工单编号"));
    free(out);
    assert_int_equal(server_process_stop(&guarded), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_and_its_server_give_the_same_bytes),
        cmocka_unit_test(nobodys_phone_comes_out_of_a_directory),
        cmocka_unit_test(a_table_is_aligned_by_what_people_see),
        cmocka_unit_test(a_ticket_cannot_move_the_cursor),
        cmocka_unit_test(wrong_usage_says_what_would_be_right),
        cmocka_unit_test(a_server_gives_what_the_token_may_see),
    };

    return cmocka_run_group_tests_name("list", tests, set_up, tear_down);
}
