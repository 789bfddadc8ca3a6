/* json_out: separators, escapes, numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "server/base/json_out.h"

static struct buf out;
static struct json_out json;

static int
start(void **state)
{
    (void)state;
    buf_init(&out, 100000);
    json_init(&json, &out);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    buf_release(&out);
    return 0;
}

static void
expect(const char *text)
{
    struct err err = {0};

    assert_int_equal(buf_check(&out, &err), ERR_OK);
    buf_put(&out, "", 1);
    assert_string_equal(out.data, text);
}

static void
commas_stand_between_and_nowhere_else(void **state)
{
    (void)state;
    json_open_object(&json);
    json_put_text(&json, "a", "x");
    json_key(&json, "b");
    json_open_array(&json);
    json_int(&json, -1);
    json_open_object(&json);
    json_close_object(&json);
    json_open_array(&json);
    json_close_array(&json);
    json_null(&json);
    json_close_array(&json);
    json_put_bool(&json, "c", true);
    json_key(&json, "d");
    json_raw(&json, SPAN_LITERAL("{\"r\":1}"));
    json_close_object(&json);
    expect("{\"a\":\"x\",\"b\":[-1,{},[],null],\"c\":true,\"d\":{\"r\":1}}");
}

static void
what_could_break_a_string_is_escaped(void **state)
{
    (void)state;
    json_string(&json, SPAN_LITERAL("q\" b\\ n\n t\t e\x1b z\0 停电\x7f"));
    expect("\"q\\\" b\\\\ n\\n t\\t e\\u001b z\\u0000 停电\\u007f\"");
}

static void
bytes_that_are_not_utf8_become_the_replacement_character(void **state)
{
    (void)state;
    json_string(&json, SPAN_LITERAL("a\xff\xfe"
                                    "b\xe5\x81"));
    expect("\"a\xEF\xBF\xBD\xEF\xBF\xBD"
           "b\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void
numbers_are_short_and_read_back_the_same(void **state)
{
    (void)state;
    json_open_array(&json);
    json_double(&json, 0.1);
    json_double(&json, 37.5);
    json_double(&json, 100);
    json_double(&json, 0.1 + 0.2);
    json_double(&json, 1e300);
    json_double(&json, (double)NAN);
    json_double(&json, (double)INFINITY);
    json_uint(&json, UINT64_MAX);
    json_int(&json, INT64_MIN);
    json_close_array(&json);
    expect("[0.1,37.5,100,0.30000000000000004,1e+300,null,null,"
           "18446744073709551615,-9223372036854775808]");
}

static void
a_text_that_is_not_given_is_null(void **state)
{
    (void)state;
    json_open_array(&json);
    json_text(&json, NULL);
    json_text(&json, "");
    json_close_array(&json);
    expect("[null,\"\"]");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
    const struct CMUnitTest tests[] = {
        TEST(commas_stand_between_and_nowhere_else),
        TEST(what_could_break_a_string_is_escaped),
        TEST(bytes_that_are_not_utf8_become_the_replacement_character),
        TEST(numbers_are_short_and_read_back_the_same),
        TEST(a_text_that_is_not_given_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
