/* log: the shape of a line, escapes, levels, rate limit; the test's own
 * clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/base/clock.h"
#define LOG_MODULE "test"
#include "server/base/log.h"

static char last[LOG_LINE_BYTES_MAX + 1];
static int line_count;
static int64_t fake_mono_us;

static void
keep_line(const char *line, size_t bytes)
{
    memcpy(last, line, bytes);
    last[bytes] = '\0';
    line_count++;
}

static int64_t
fake_now(void *context)
{
    (void)context;
    return INT64_C(1772323200000042); /* 2026-03-01 00:00:00.000042 UTC */
}

static int64_t
fake_mono(void *context)
{
    (void)context;
    return fake_mono_us;
}

static int
start(void **state)
{
    static const struct clock_source source = {fake_now, fake_mono, NULL};

    (void)state;
    clock_replace(&source);
    log_set_sink(keep_line);
    log_set_level(LOG_INFO);
    line_count = 0;
    fake_mono_us = 1;
    return 0;
}

static void
a_line_has_stamp_level_module_and_text(void **state)
{
    (void)state;
    log_warn("queue full items=%d", 3);
    assert_string_equal(
        last, "2026-03-01T00:00:00.000042Z warn test queue full items=3\n");
}

static void
nobody_outside_can_write_a_line_of_their_own(void **state)
{
    (void)state;
    log_info("path=%s", "a\nb\x1b[2J\xff停\xe2\x80\xa8\xc2\x85");
    assert_string_equal(strstr(last, "path="),
                        "path=a\\x0ab\\x1b[2J\\xff停\\u2028\\u0085\n");
}

static void
a_long_text_is_cut_and_still_ends_in_a_line_end(void **state)
{
    char text[4000];

    (void)state;
    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_info("%s", text);
    assert_true(strlen(last) <= LOG_LINE_BYTES_MAX);
    assert_int_equal(last[strlen(last) - 1], '\n');
    assert_ptr_equal(strchr(last, '\n'), last + strlen(last) - 1);
}

static void
levels_above_the_chosen_one_are_silent(void **state)
{
    enum log_level level;

    (void)state;
    log_debug("x");
    assert_int_equal(line_count, 0);
    assert_true(log_level_from_name("debug", &level));
    log_set_level(level);
    log_debug("x");
    assert_int_equal(line_count, 1);
    assert_false(log_level_from_name("loud", &level));
}

static void
repeated_lines_are_limited_and_counted(void **state)
{
    static struct log_limit limit = LOG_LIMIT(1000);

    (void)state;
    for (int i = 0; i < 5; i++) {
        log_warn_limited(&limit, "again");
    }
    assert_int_equal(line_count, 1);
    fake_mono_us += 999;
    log_warn_limited(&limit, "again");
    assert_int_equal(line_count, 1);
    fake_mono_us += 1;
    log_warn_limited(&limit, "again");
    assert_int_equal(line_count, 2);
    assert_string_equal(strstr(last, "again"), "again dropped=5\n");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, start)
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_stamp_level_module_and_text),
        TEST(nobody_outside_can_write_a_line_of_their_own),
        TEST(a_long_text_is_cut_and_still_ends_in_a_line_end),
        TEST(levels_above_the_chosen_one_are_silent),
        TEST(repeated_lines_are_limited_and_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
