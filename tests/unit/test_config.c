/* config: every source, every limit at its edges, errors that help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/config.h"

#define ALL (CONFIG_DICT | CONFIG_STORE | CONFIG_SERVE | CONFIG_CLIENT)

static char file_path[] = "/tmp/suqiu-config-XXXXXX";
static struct config config;
static struct err err;

static void
write_file(const char *text)
{
    FILE *file = fopen(file_path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int
make_file(void **state)
{
    int fd = mkstemp(file_path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int
drop_file(void **state)
{
    (void)state;
    return unlink(file_path);
}

static int
start(void **state)
{
    (void)state;
    err = (struct err){0};
    memset(&config, 0, sizeof(config));
    write_file("");
    (void)unsetenv("SUQIU_HTTP_PORT");
    (void)setenv("SUQIU_CONFIG", file_path, 1);
    return 0;
}

/* Read with these words as arguments ("a b c"); returns the code. */
static enum err_code
read_words(const char *words)
{
    static char text[4096];
    char *argv[32];
    int argc = 0;

    (void)snprintf(text, sizeof(text), "%s", words);
    for (char *word = strtok(text, " "); word != NULL;
         word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    return config_read(ALL, NULL, 0, &argc, argv, &config, &err);
}

static void
without_any_source_the_defaults_hold(void **state)
{
    (void)state;
    (void)unsetenv("SUQIU_CONFIG");
    assert_int_equal(read_words(""), ERR_OK);
    assert_int_equal(config.http_port, 9559);
    assert_int_equal(config.feed_port, 9560);
    assert_string_equal(config.http_bind, "127.0.0.1");
    assert_string_equal(config.deadline_profile, "csg");
    assert_true(config.auth);
    assert_true(config.model);
    assert_int_equal(config.http_body_bytes_max, 64 * 1024 * 1024);
}

static void
the_flag_wins_then_the_environment_then_the_file(void **state)
{
    (void)state;
    write_file("# ports\nhttp_port = 1001\nfeed_port=2002\n; end\n");
    assert_int_equal(read_words(""), ERR_OK);
    assert_int_equal(config.http_port, 1001);
    assert_int_equal(config.feed_port, 2002);
    assert_int_equal(config.sources[CONFIG_OPTION_http_port], CONFIG_FROM_FILE);
    (void)setenv("SUQIU_HTTP_PORT", "1003", 1);
    assert_int_equal(read_words(""), ERR_OK);
    assert_int_equal(config.http_port, 1003);
    assert_int_equal(config.sources[CONFIG_OPTION_http_port],
                     CONFIG_FROM_ENVIRONMENT);
    assert_int_equal(read_words("--http-port 1004"), ERR_OK);
    assert_int_equal(config.http_port, 1004);
    assert_int_equal(read_words("--http_port=1005 --http-port=1006"), ERR_OK);
    assert_int_equal(config.http_port, 1006);
    assert_int_equal(config.feed_port, 2002);
}

static void
a_wrong_value_is_told_even_when_a_stronger_source_hides_it(void **state)
{
    (void)state;
    write_file("\nhttp_port = 65536\n");
    assert_int_equal(read_words("--http-port 1"), ERR_BAD_VALUE);
    assert_non_null(strstr(err.detail, "line 2"));
    assert_non_null(strstr(err.detail, "65535"));
}

static void
an_unknown_key_has_its_line_and_the_nearest_name(void **state)
{
    (void)state;
    write_file("data = /x\nhttp_prot = 1\n");
    assert_int_equal(read_words(""), ERR_NOT_FOUND);
    assert_non_null(strstr(err.detail, file_path));
    assert_non_null(strstr(err.detail, "line 2"));
    assert_non_null(strstr(err.detail, "http_port"));
}

static void
a_key_twice_a_section_and_no_pair_are_told(void **state)
{
    (void)state;
    write_file("workers = 1\nworkers = 2\n");
    assert_int_equal(read_words(""), ERR_BAD_VALUE);
    assert_non_null(strstr(err.detail, "twice"));
    err = (struct err){0};
    write_file("[server]\nworkers = 1\n");
    assert_int_equal(read_words(""), ERR_BAD_VALUE);
    assert_non_null(strstr(err.detail, "[server]"));
    err = (struct err){0};
    write_file("workers = 1\nworkers\n");
    assert_int_equal(read_words(""), ERR_BAD_VALUE);
    assert_non_null(strstr(err.detail, "line 2"));
}

static void
a_line_of_the_file_has_a_limit(void **state)
{
    char text[CONFIG_LINE_BYTES_MAX + 8];

    (void)state;
    for (int over = 0; over <= 1; over++) {
        size_t bytes = (size_t)(CONFIG_LINE_BYTES_MAX + over);

        memset(text, 'x', bytes);
        memcpy(text, "data = ", 7);
        text[bytes] = '\n';
        text[bytes + 1] = '\0';
        write_file(text);
        assert_int_equal(read_words(""), over ? ERR_TOO_LONG : ERR_OK);
    }
    assert_int_equal(strlen(config.data), CONFIG_LINE_BYTES_MAX - 7);
}

static void
a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    assert_int_equal(read_words("--config /no/such/file"), ERR_NOT_FOUND);
    assert_non_null(strstr(err.detail, "/no/such/file"));
}

static void
a_mistyped_flag_names_the_nearest(void **state)
{
    (void)state;
    assert_int_equal(read_words("--http-prt 1"), ERR_USAGE);
    assert_non_null(strstr(err.detail, "--http-port"));
    err = (struct err){0};
    assert_int_equal(read_words("--http-port"), ERR_USAGE);
    err = (struct err){0};
    assert_int_equal(read_words("-x"), ERR_USAGE);
    err = (struct err){0};
    assert_int_equal(read_words("--auth maybe"), ERR_USAGE);
    assert_non_null(strstr(err.detail, "on|off"));
}

static void
flags_of_another_group_are_refused(void **state)
{
    char flag[] = "--http-port=1";
    char *argv[] = {flag};
    int argc = 1;

    (void)state;
    assert_int_equal(
        config_read(CONFIG_DICT, NULL, 0, &argc, argv, &config, &err),
        ERR_USAGE);
}

static void
what_is_not_a_flag_stays_in_order(void **state)
{
    char words[][16] = {"a", "--from", "1", "-", "--list", "--", "--b"};
    char *argv[7];
    const char *from = NULL;
    bool list = false;
    const struct config_flag flags[] = {
        {"from", "DATE", &from, NULL, "x"},
        {"list", NULL, NULL, &list, "y"},
    };
    int argc = 7;

    (void)state;
    for (int i = 0; i < argc; i++) {
        argv[i] = words[i];
    }
    assert_int_equal(
        config_read(CONFIG_DICT, flags, 2, &argc, argv, &config, &err), ERR_OK);
    assert_int_equal(argc, 3);
    assert_string_equal(argv[0], "a");
    assert_string_equal(argv[1], "-");
    assert_string_equal(argv[2], "--b");
    assert_string_equal(from, "1");
    assert_true(list);
}

/* Does `name` take this number? */
static bool
takes(const char *name, uint64_t number)
{
    struct err local = {0};
    char text[32];

    (void)snprintf(text, sizeof(text), "%" PRIu64, number);
    return config_set(&config, name, text, CONFIG_FROM_FLAG, &local) == ERR_OK;
}

static void
every_number_holds_its_range_at_the_edges(void **state)
{
    int checked = 0;

    (void)state;
    config_init(&config);
#define OPTION_TEXT(...)
#define OPTION_CHOICE(...)
#define OPTION_SWITCH(...)
#define OPTION_UINT(name, unit, min, max, ...)                                 \
    assert_true((min) == 0 || !takes(#name, (uint64_t)(min)-1));               \
    assert_true(takes(#name, min));                                            \
    assert_true(config.name == (min));                                         \
    assert_true(takes(#name, max));                                            \
    assert_true(config.name == (max));                                         \
    assert_false(takes(#name, (uint64_t)(max) + 1));                           \
    assert_true(config.name == (max));                                         \
    checked++;
#include "server/base/options.def"
    assert_true(checked > 10);
}

static void
every_option_reads_from_every_source(void **state)
{
    (void)state;
    (void)unsetenv("SUQIU_CONFIG");
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        const char *name = config_option_name((enum config_option)i);
        bool is_switch =
            strcmp(name, "auth") == 0 || strcmp(name, "model") == 0 ||
            strcmp(name, "insecure") == 0 || strcmp(name, "keep_open") == 0;
        const char *value = is_switch                               ? "on"
                            : strcmp(name, "deadline_profile") == 0 ? "sgcc"
                            : strcmp(name, "log_level") == 0        ? "debug"
                            : strcmp(name, "log_format") == 0       ? "json"
                            : strcmp(name, "batch_bytes_max") == 0  ? "64K"
                            : strstr(name, "bytes_max") != NULL     ? "2K"
                                                                    : "7";
        char variable[64] = "SUQIU_";
        char words[128];

        for (size_t k = 0; name[k] != '\0'; k++) {
            variable[6 + k] =
                (char)(name[k] == '_' ? '_' : name[k] - 'a' + 'A');
        }
        assert_int_equal(setenv(variable, value, 1), 0);
        assert_int_equal(read_words(""), ERR_OK);
        assert_int_equal(config.sources[i], CONFIG_FROM_ENVIRONMENT);
        assert_int_equal(unsetenv(variable), 0);

        (void)snprintf(words, sizeof(words), "%s = %s\n", name, value);
        write_file(words);
        (void)snprintf(words, sizeof(words), "--config %s", file_path);
        assert_int_equal(read_words(words), ERR_OK);
        assert_int_equal(config.sources[i], CONFIG_FROM_FILE);

        (void)snprintf(words, sizeof(words), "--%s=%s", name, value);
        assert_int_equal(read_words(words), ERR_OK);
        assert_int_equal(config.sources[i], CONFIG_FROM_FLAG);
    }
}

static void
bytes_take_a_suffix_and_nothing_else_does(void **state)
{
    (void)state;
    assert_int_equal(read_words("--http-body-bytes-max 2M"), ERR_OK);
    assert_int_equal(config.http_body_bytes_max, 2 * 1024 * 1024);
    assert_int_equal(read_words("--http-body-bytes-max 2Mi"), ERR_USAGE);
    err = (struct err){0};
    assert_int_equal(read_words("--http-body-bytes-max 1e6"), ERR_USAGE);
    err = (struct err){0};
    assert_int_equal(read_words("--http-port 1K"), ERR_USAGE);
    err = (struct err){0};
    assert_int_equal(read_words("--http-port +1"), ERR_USAGE);
    err = (struct err){0};
    assert_int_equal(read_words("--http-body-bytes-max 18446744073709551616"),
                     ERR_USAGE);
}

static void
the_help_has_every_option_with_its_range(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 100000);
    config_put_help(&buf, ALL, NULL, 0);
    buf_put(&buf, "", 1);
    assert_non_null(strstr(buf.data, "--http-port N"));
    assert_non_null(strstr(buf.data, "0 to 65535"));
    assert_non_null(strstr(buf.data, "--deadline-profile csg|sgcc"));
    assert_non_null(strstr(buf.data, "--data TEXT"));
    buf_release(&buf);
}

static void
the_listing_says_where_a_value_comes_from(void **state)
{
    struct buf buf;
    struct json_out json;

    (void)state;
    assert_int_equal(read_words("--workers 3"), ERR_OK);
    buf_init(&buf, 100000);
    json_init(&json, &buf);
    config_put_json(&config, &json);
    buf_put(&buf, "", 1);
    assert_non_null(strstr(buf.data,
                           "\"workers\":{\"value\":3,\"default\":0,\"min\":0,"
                           "\"max\":64,\"unit\":\"threads\",\"from\":"
                           "\"flag\""));
    buf_release(&buf);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, start)
    const struct CMUnitTest tests[] = {
        TEST(without_any_source_the_defaults_hold),
        TEST(the_flag_wins_then_the_environment_then_the_file),
        TEST(a_wrong_value_is_told_even_when_a_stronger_source_hides_it),
        TEST(an_unknown_key_has_its_line_and_the_nearest_name),
        TEST(a_key_twice_a_section_and_no_pair_are_told),
        TEST(a_line_of_the_file_has_a_limit),
        TEST(a_file_that_is_not_there_is_named),
        TEST(a_mistyped_flag_names_the_nearest),
        TEST(flags_of_another_group_are_refused),
        TEST(what_is_not_a_flag_stays_in_order),
        TEST(every_number_holds_its_range_at_the_edges),
        TEST(every_option_reads_from_every_source),
        TEST(bytes_take_a_suffix_and_nothing_else_does),
        TEST(the_help_has_every_option_with_its_range),
        TEST(the_listing_says_where_a_value_comes_from),
    };

    return cmocka_run_group_tests(tests, make_file, drop_file);
}
