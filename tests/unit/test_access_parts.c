/* Tokens, back-off, sessions: the parts behind the guard. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "server/access/backoff.h"
#include "server/access/gate.h"
#include "server/access/sessions.h"
#include "server/access/tokens.h"
#include "tests/lib/temp_dir.h"

#define S(seconds) ((int64_t)(seconds)*1000000)

static struct temp_dir dir;
static struct secret secret;

/* Linked in the place of CRYPTO_memcmp: counts and passes on. */
static unsigned compares;
int __real_CRYPTO_memcmp(const void *a, const void *b, size_t bytes);
int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t bytes);

int
__wrap_CRYPTO_memcmp(const void *a, const void *b, size_t bytes)
{
    compares++;
    assert_int_equal(bytes, SECRET_HASH_BYTES);
    return __real_CRYPTO_memcmp(a, b, bytes);
}

static int
set_up(void **state)
{
    struct err err = {0};

    (void)state;
    temp_dir_make(&dir);
    return secret_open(dir.path, true, &secret, &err) == ERR_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

static void
add(struct tokens *tokens,
    const char *name,
    enum access_role role,
    char text[TOKEN_CHARS + 1])
{
    struct err err = {0};

    if (tokens_add(tokens, &secret, span_of(name), role, 1700000000000000, text,
                   &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
}

static unsigned
mode_of(const char *name)
{
    struct stat about;

    assert_int_equal(stat(temp_dir_path(&dir, name), &about), 0);
    return (unsigned)about.st_mode & 07777u;
}

/* ---- tokens ---- */

static void
tokens_come_back_from_the_file_and_nothing_of_them_is_in_it(void **state)
{
    struct tokens tokens = {0};
    struct tokens read;
    struct err err = {0};
    char one[TOKEN_CHARS + 1];
    char two[TOKEN_CHARS + 1];
    char file[4096] = "";
    size_t bytes;

    (void)state;
    add(&tokens, "王 工", ACCESS_SUPERVISOR, one);
    add(&tokens, "95598 feed", ACCESS_FEED, two);
    assert_int_equal(tokens_write(dir.path, &tokens, &err), ERR_OK);
    assert_int_equal(mode_of("tokens"), 0600);
    assert_int_equal(mode_of("secret"), 0600);
    assert_int_equal(tokens_read(dir.path, &read, &err), ERR_OK);
    assert_int_equal(read.count, 2);
    assert_string_equal(read.items[0].name, "王 工");
    assert_int_equal(read.items[1].role, ACCESS_FEED);
    assert_int_equal(read.items[0].created_us, 1700000000000000);
    assert_true(token_fits(&read.items[0], &secret, span_of(one)));
    assert_false(token_fits(&read.items[0], &secret, span_of(two)));
    assert_int_equal(secret_read_file(temp_dir_path(&dir, "tokens"), file,
                                      sizeof(file), &bytes, &err),
                     ERR_OK);
    /* The id is public, the part behind it nowhere. */
    assert_null(strstr(file, one + 3 + ACCESS_TOKEN_ID_CHARS + 1));
    tokens_release(&tokens);
    tokens_release(&read);
}

static void
one_changed_letter_does_not_fit_and_the_compare_is_the_constant_one(
    void **state)
{
    struct tokens tokens = {0};
    char text[TOKEN_CHARS + 1];

    (void)state;
    add(&tokens, "a", ACCESS_ADMIN, text);
    compares = 0;
    assert_true(token_fits(&tokens.items[0], &secret, span_of(text)));
    for (size_t i = 0; i < TOKEN_CHARS; i++) {
        text[i] ^= 1;
        assert_false(token_fits(&tokens.items[0], &secret, span_of(text)));
        text[i] ^= 1;
    }
    assert_int_equal(compares, TOKEN_CHARS + 1);
    tokens_release(&tokens);
}

static void
a_token_of_another_secret_does_not_fit(void **state)
{
    struct tokens tokens = {0};
    struct secret other = secret;
    char text[TOKEN_CHARS + 1];

    (void)state;
    add(&tokens, "a", ACCESS_ADMIN, text);
    other.key[31] ^= 1;
    assert_false(token_fits(&tokens.items[0], &other, span_of(text)));
    tokens_release(&tokens);
}

static void
a_file_that_others_may_read_is_refused(void **state)
{
    struct tokens tokens = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(tokens_write(dir.path, &tokens, &err), ERR_OK);
    assert_int_equal(chmod(temp_dir_path(&dir, "tokens"), 0640), 0);
    assert_int_equal(tokens_read(dir.path, &tokens, &err), ERR_BAD_VALUE);
    assert_non_null(strstr(err.detail, "chmod 600"));
    tokens_release(&tokens);
    err = (struct err){0};
    assert_int_equal(chmod(temp_dir_path(&dir, "secret"), 0604), 0);
    assert_int_equal(secret_open(dir.path, true, &secret, &err), ERR_BAD_VALUE);
}

static void
wrong_lines_of_the_file_are_named_and_nothing_is_let_in(void **state)
{
    static const char hash[] = "00000000000000000000000000000000000000000000000"
                               "00000000000000000";
    static const struct {
        const char *before;
        const char *behind;
    } lines[] = {
        {"aaaaaaaa admin 2026-01-01T00:00:00Z ", ""},         /* no name */
        {"aaaaaaaa root 2026-01-01T00:00:00Z ", " x"},        /* no such role */
        {"aaaaaaaa nobody 2026-01-01T00:00:00Z ", " x"},      /* nor this one */
        {"aaaaaaa admin 2026-01-01T00:00:00Z ", " x"},        /* short id */
        {"aaaaaaaa admin yesterday ", " x"},                  /* no time */
        {"aaaaaaaa admin 2026-01-01T00:00:00Z 0", " x"},      /* long hash */
        {"aaaaaaaa admin 2026-01-01T00:00:00Z ", " \xff"},    /* no UTF-8 */
        {"aaaaaaaa admin 2026-01-01T00:00:00Z ", " x\nzzz"}}; /* line 2 */

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct tokens tokens;
        struct err err = {0};
        char line[256];

        (void)snprintf(line, sizeof(line), "%s%s%s", lines[i].before, hash,
                       lines[i].behind);
        assert_int_equal(
            secret_write_file(dir.path, "tokens", span_of(line), &err), ERR_OK);
        assert_int_equal(tokens_read(dir.path, &tokens, &err), ERR_BAD_VALUE);
        assert_non_null(strstr(
            err.detail, strchr(line, '\n') != NULL ? "line 2" : "line 1"));
        tokens_release(&tokens);
    }
}

static void
names_are_printable_and_used_once(void **state)
{
    static const char *const bad[] = {"", " a", "a ", "a\nb", "\xff", "-a"};
    struct tokens tokens = {0};
    char text[TOKEN_CHARS + 1];

    (void)state;
    add(&tokens, "a", ACCESS_VIEWER, text);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};

        assert_int_equal(tokens_add(&tokens, &secret, span_of(bad[i]),
                                    ACCESS_VIEWER, 0, text, &err),
                         ERR_BAD_VALUE);
    }
    struct err err = {0};
    assert_int_equal(tokens_add(&tokens, &secret, SPAN_LITERAL("a"),
                                ACCESS_ADMIN, 0, text, &err),
                     ERR_BAD_VALUE);
    assert_int_equal(tokens.count, 1);
    assert_true(tokens_remove(&tokens, SPAN_LITERAL("a")));
    assert_false(tokens_remove(&tokens, SPAN_LITERAL("a")));
    tokens_release(&tokens);
}

static void
the_line_of_a_feed_is_one_member_and_nothing_else(void **state)
{
    static const char *const bad[] = {"",
                                      "{}",
                                      "{\"token\":}",
                                      "{\"token\":\"a\"",
                                      "{\"token\":\"a\",\"x\":1}",
                                      "{\"id\":\"1\",\"token\":\"a\"}",
                                      "[\"token\"]",
                                      "token a"};

    (void)state;
    assert_true(
        span_is(token_of_json(SPAN_LITERAL("{\"token\":\"abc\"}\r")), "abc"));
    assert_true(span_is(
        token_of_json(SPAN_LITERAL(" { \"token\" : \"a-_1\" } ")), "a-_1"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(token_of_json(span_of(bad[i])).data);
    }
}

/* ---- back-off ---- */

static void
failures_cost_more_and_more_and_a_success_forgets_them(void **state)
{
    static struct backoff backoff;
    char key[BACKOFF_KEY_BYTES];
    int64_t now = S(1000);

    (void)state;
    backoff_key("10.0.0.1", SPAN_LITERAL("aaaaaaaa"), key);
    for (int i = 0; i < BACKOFF_FREE; i++) {
        (void)backoff_failed(&backoff, key, now);
        assert_int_equal(backoff_wait_s(&backoff, key, now), 0);
    }
    (void)backoff_failed(&backoff, key, now);
    assert_int_equal(backoff_wait_s(&backoff, key, now), 1);
    assert_int_equal(backoff_wait_s(&backoff, key, now + S(1)), 0);
    (void)backoff_failed(&backoff, key, now + S(1));
    assert_int_equal(backoff_wait_s(&backoff, key, now + S(1)), 2);
    for (int i = 0; i < 50; i++) {
        (void)backoff_failed(&backoff, key, now + S(2));
    }
    assert_int_equal(backoff_wait_s(&backoff, key, now + S(2)),
                     BACKOFF_WAIT_S_MAX);
    backoff_forget(&backoff, key);
    assert_int_equal(backoff_wait_s(&backoff, key, now + S(2)), 0);
    (void)backoff_failed(&backoff, key, now + S(2));
    assert_int_equal(backoff_wait_s(&backoff, key, now + S(2)), 0);
}

static void
a_flood_of_addresses_does_not_grow_the_table(void **state)
{
    static struct backoff backoff;
    char first[BACKOFF_KEY_BYTES];
    char key[BACKOFF_KEY_BYTES];

    (void)state;
    backoff_key("10.9.9.9", (struct span){NULL, 0}, first);
    for (int i = 0; i < BACKOFF_ENTRIES * 3; i++) {
        char address[32];

        (void)snprintf(address, sizeof(address), "10.0.%d.%d", i / 250,
                       i % 250);
        backoff_key(address, (struct span){NULL, 0}, key);
        (void)backoff_failed(&backoff, key, S(10 + i));
        /* Who keeps failing is kept. */
        (void)backoff_failed(&backoff, first, S(10 + i));
    }
    assert_true(backoff.used <= BACKOFF_ENTRIES);
    assert_int_not_equal(
        backoff_wait_s(&backoff, first, S(10 + BACKOFF_ENTRIES * 3)), 0);
}

static void
one_network_of_ipv6_is_one_client(void **state)
{
    char a[BACKOFF_KEY_BYTES];
    char b[BACKOFF_KEY_BYTES];

    (void)state;
    backoff_key("2001:db8:1:2::1", (struct span){NULL, 0}, a);
    backoff_key("2001:db8:1:2:ffff::9", (struct span){NULL, 0}, b);
    assert_string_equal(a, b);
    backoff_key("2001:db8:1:3::1", (struct span){NULL, 0}, b);
    assert_string_not_equal(a, b);
    backoff_key("::ffff:10.0.0.1", (struct span){NULL, 0}, a);
    backoff_key("10.0.0.1", (struct span){NULL, 0}, b);
    assert_string_equal(a, b);
}

/* ---- the gate ---- */

static void
guessing_at_one_token_does_not_lock_out_another(void **state)
{
    struct tokens tokens = {0};
    struct gate *gate;
    struct err err = {0};
    char one[TOKEN_CHARS + 1];
    char two[TOKEN_CHARS + 1];
    char guess[TOKEN_CHARS + 1];
    struct access_caller caller;
    unsigned wait_s;

    (void)state;
    add(&tokens, "one", ACCESS_VIEWER, one);
    add(&tokens, "two", ACCESS_ADMIN, two);
    assert_int_equal(tokens_write(dir.path, &tokens, &err), ERR_OK);
    assert_int_equal(gate_new(dir.path, &secret, NULL, &gate, &err), ERR_OK);
    assert_true(gate_has_admin(gate));
    memcpy(guess, one, sizeof(guess));
    guess[TOKEN_CHARS - 1] = guess[TOKEN_CHARS - 1] == 'A' ? 'B' : 'A';
    for (int i = 0; i <= BACKOFF_FREE; i++) {
        assert_int_equal(
            gate_ask(gate, "10.0.0.1", span_of(guess), S(50), &caller, &wait_s),
            GATE_WRONG);
    }
    /* Now the right one waits, too: nothing is looked at. */
    assert_int_equal(
        gate_ask(gate, "10.0.0.1", span_of(one), S(50), &caller, &wait_s),
        GATE_WAIT);
    assert_int_equal(wait_s, 1);
    assert_int_equal(
        gate_ask(gate, "10.0.0.1", span_of(two), S(50), &caller, &wait_s),
        GATE_OPEN);
    assert_string_equal(caller.name, "two");
    assert_int_equal(caller.role, ACCESS_ADMIN);
    assert_int_equal(
        gate_ask(gate, "10.0.0.2", span_of(one), S(50), &caller, &wait_s),
        GATE_OPEN);
    assert_int_equal(
        gate_ask(gate, "10.0.0.1", span_of(one), S(51), &caller, &wait_s),
        GATE_OPEN);
    gate_free(&gate);
    tokens_release(&tokens);
}

static void
a_broken_file_at_a_reload_leaves_what_held(void **state)
{
    struct tokens tokens = {0};
    struct gate *gate;
    struct err err = {0};
    char text[TOKEN_CHARS + 1];
    struct access_caller caller;
    unsigned wait_s;
    uint64_t generation;

    (void)state;
    add(&tokens, "one", ACCESS_VIEWER, text);
    assert_int_equal(tokens_write(dir.path, &tokens, &err), ERR_OK);
    assert_int_equal(gate_new(dir.path, &secret, NULL, &gate, &err), ERR_OK);
    generation = gate_generation(gate);
    assert_int_equal(
        secret_write_file(dir.path, "tokens", SPAN_LITERAL("rubbish\n"), &err),
        ERR_OK);
    assert_int_equal(gate_reload(gate, &err), ERR_BAD_VALUE);
    assert_int_equal(
        gate_ask(gate, "::1", span_of(text), S(1), &caller, &wait_s),
        GATE_OPEN);
    assert_true(gate_holds(gate, &caller));
    err = (struct err){0};
    assert_int_equal(
        secret_write_file(dir.path, "tokens", SPAN_LITERAL(""), &err), ERR_OK);
    assert_int_equal(gate_reload(gate, &err), ERR_OK);
    assert_int_not_equal(gate_generation(gate), generation);
    assert_false(gate_holds(gate, &caller));
    gate_free(&gate);
    tokens_release(&tokens);
}

/* ---- sessions ---- */

static void
sessions_end_by_rest_by_age_and_by_hand(void **state)
{
    const struct access_caller caller = {.role = ACCESS_VIEWER, .name = "v"};
    struct sessions *sessions = sessions_new(&secret);
    char text[SESSION_TEXT_CHARS + 1];
    struct span cookie = {text, SESSION_TEXT_CHARS};
    int64_t now = S(100000);

    (void)state;
    assert_non_null(sessions);
    assert_true(sessions_begin(sessions, &caller, now, text));
    for (int64_t at = 0; at <= SESSION_S; at += SESSION_IDLE_S - 1) {
        assert_non_null(sessions_find(sessions, cookie, now + S(at)));
    }
    assert_null(sessions_find(sessions, cookie, now + S(SESSION_S + 1)));
    assert_true(sessions_begin(sessions, &caller, now, text));
    assert_null(sessions_find(sessions, cookie, now + S(SESSION_IDLE_S + 1)));
    assert_true(sessions_begin(sessions, &caller, now, text));
    text[SESSION_TEXT_CHARS - 1] ^= 1;
    assert_null(sessions_find(sessions, cookie, now));
    text[SESSION_TEXT_CHARS - 1] ^= 1;
    sessions_end(sessions, cookie, now);
    assert_null(sessions_find(sessions, cookie, now));
    assert_int_equal(sessions_count(sessions, now), 0);
    sessions_free(&sessions);
}

static void
a_link_works_once_and_not_for_ever(void **state)
{
    const struct access_caller caller = {.role = ACCESS_ADMIN, .name = "l"};
    struct sessions *sessions = sessions_new(&secret);
    char text[SESSION_TEXT_CHARS + 1];
    struct span ticket = {text, SESSION_TEXT_CHARS};
    struct access_caller got;

    (void)state;
    assert_non_null(sessions);
    assert_true(sessions_add_link(sessions, &caller, S(1), text));
    assert_null(sessions_find(sessions, ticket, S(1))); /* it is no session */
    assert_true(sessions_take_link(sessions, ticket, S(2), &got));
    assert_int_equal(got.role, ACCESS_ADMIN);
    assert_false(sessions_take_link(sessions, ticket, S(2), &got));
    assert_true(sessions_add_link(sessions, &caller, S(1), text));
    assert_false(
        sessions_take_link(sessions, ticket, S(2 + SESSION_LINK_S), &got));
    sessions_free(&sessions);
}

static void
the_table_of_sessions_drops_the_one_that_rested_longest(void **state)
{
    const struct access_caller caller = {.role = ACCESS_VIEWER, .name = "v"};
    struct sessions *sessions = sessions_new(&secret);
    char first[SESSION_TEXT_CHARS + 1];
    char second[SESSION_TEXT_CHARS + 1];
    char text[SESSION_TEXT_CHARS + 1];

    (void)state;
    assert_non_null(sessions);
    assert_true(sessions_begin(sessions, &caller, S(1), first));
    assert_true(sessions_begin(sessions, &caller, S(2), second));
    for (int i = 2; i < SESSIONS_MAX; i++) {
        assert_true(sessions_begin(sessions, &caller, S(3), text));
    }
    assert_non_null(sessions_find(sessions, span_of(first), S(4)));
    assert_true(sessions_begin(sessions, &caller, S(4), text));
    assert_non_null(sessions_find(sessions, span_of(first), S(5)));
    assert_null(sessions_find(sessions, span_of(second), S(5)));
    assert_int_equal(sessions_count(sessions, S(5)), SESSIONS_MAX);
    sessions_free(&sessions);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(tokens_come_back_from_the_file_and_nothing_of_them_is_in_it),
        TEST(
            one_changed_letter_does_not_fit_and_the_compare_is_the_constant_one),
        TEST(a_token_of_another_secret_does_not_fit),
        TEST(a_file_that_others_may_read_is_refused),
        TEST(wrong_lines_of_the_file_are_named_and_nothing_is_let_in),
        TEST(names_are_printable_and_used_once),
        TEST(the_line_of_a_feed_is_one_member_and_nothing_else),
        TEST(failures_cost_more_and_more_and_a_success_forgets_them),
        TEST(a_flood_of_addresses_does_not_grow_the_table),
        TEST(one_network_of_ipv6_is_one_client),
        TEST(guessing_at_one_token_does_not_lock_out_another),
        TEST(a_broken_file_at_a_reload_leaves_what_held),
        TEST(sessions_end_by_rest_by_age_and_by_hand),
        TEST(a_link_works_once_and_not_for_ever),
        TEST(the_table_of_sessions_drops_the_one_that_rested_longest),
    };

    return cmocka_run_group_tests_name("access_parts", tests, NULL, NULL);
}
