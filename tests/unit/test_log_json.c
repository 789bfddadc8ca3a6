/* Lines of the log as JSON objects: whole ones, whatever stands in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "server/base/log_json.h"

static const char *
line_of(const char *text, uint64_t dropped)
{
    static char out[4096];
    const struct log_line line = {.time = SPAN_LITERAL("T"),
                                  .level = SPAN_LITERAL("warn"),
                                  .module = SPAN_LITERAL("http"),
                                  .text = span_of(text),
                                  .dropped = dropped};

    out[log_json_put(&line, out, sizeof(out) - 1)] = '\0';
    return out;
}

#define HEAD                                                                   \
    "{\"time\":\"T\",\"level\":\"warn\",\"module\":\"http\",\"message\":"

static void
words_are_the_message_and_pairs_are_fields(void **state)
{
    (void)state;
    assert_string_equal(line_of("stopping", 0), HEAD "\"stopping\"}");
    assert_string_equal(line_of("", 0), HEAD "\"\"}");
    assert_string_equal(line_of("accept failed errno=24 open=1024", 0),
                        HEAD "\"accept failed\",\"fields\":{\"errno\":\"24\","
                             "\"open\":\"1024\"}}");
    assert_string_equal(line_of("a=1", 7),
                        HEAD "\"\",\"fields\":{\"a\":\"1\"},\"dropped\":7}");
}

static void
values_in_quotes_keep_their_blanks_and_inner_quotes(void **state)
{
    (void)state;
    assert_string_equal(line_of("x ctx=\"line 2: \"a b\" c\" err=io", 0), HEAD
                        "\"x\",\"fields\":{\"ctx\":\"line 2: \\\"a b\\\" c\","
                        "\"err\":\"io\"}}");
    assert_string_equal(line_of("x ctx=\"never closed", 0),
                        HEAD "\"x\",\"fields\":{\"ctx\":\"\\\"never\","
                             "\"more\":\"closed\"}}");
    assert_string_equal(line_of("a \"b\" \\x1b", 0),
                        HEAD "\"a \\\"b\\\" \\\\x1b\"}");
}

/* Counts what must be balanced; strings have their escapes. */
static void
expect_whole(const char *text)
{
    bool inside = false;
    int depth = 0;

    for (const char *c = text; *c != '\0'; c++) {
        if (inside && *c == '\\') {
            assert_true(c[1] == '"' || c[1] == '\\');
            c++;
        } else if (*c == '"') {
            inside = !inside;
        } else if (!inside && (*c == '{' || *c == '}')) {
            depth += *c == '{' ? 1 : -1;
            assert_true(depth > 0 || c[1] == '\0');
        }
    }
    assert_false(inside);
    assert_int_equal(depth, 0);
    assert_true(utf8_valid(span_of(text)));
}

static void
a_line_that_does_not_fit_stays_one_object(void **state)
{
    static const char *const pieces[] = {
        "电", "\"", "\\", " k=", " k=\"", "a=b ", "x"};
    char text[3000];
    char out[4096];

    (void)state;
    for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
        size_t bytes = strlen(pieces[p]);
        size_t used = 0;

        while (used + bytes < sizeof(text)) {
            memcpy(text + used, pieces[p], bytes);
            used += bytes;
            text[used] = '\0';
            if (used % 7 != 0 && used < 2900) {
                continue;
            }
            for (size_t room = 512; room < 600; room += 29) {
                const struct log_line line = {.time = SPAN_LITERAL("T"),
                                              .level = SPAN_LITERAL("warn"),
                                              .module = SPAN_LITERAL("http"),
                                              .text = {text, used},
                                              .dropped = UINT64_MAX};
                size_t written = log_json_put(&line, out, room);

                assert_true(written <= room);
                out[written] = '\0';
                expect_whole(out);
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_the_message_and_pairs_are_fields),
        cmocka_unit_test(values_in_quotes_keep_their_blanks_and_inner_quotes),
        cmocka_unit_test(a_line_that_does_not_fit_stays_one_object),
    };

    return cmocka_run_group_tests_name("log json", tests, NULL, NULL);
}
