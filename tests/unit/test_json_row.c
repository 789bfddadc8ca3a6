/* One JSON object to its members: what is accepted, and where it breaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/decode/json_row.h"

struct fixture {
    struct json_reader *reader;
    struct arena arena;
    struct json_row row;
    struct err err;
};

static int
set_up(void **state)
{
    static struct fixture fixture;
    struct err err = {0};

    arena_init(&fixture.arena, 64 * 1024);
    *state = &fixture;
    return json_reader_new(&fixture.reader, &err) == ERR_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    json_reader_free(&fixture->reader);
    arena_release(&fixture->arena);
    return 0;
}

static enum err_code
read_span(struct fixture *fixture, struct span line)
{
    arena_reset(&fixture->arena);
    fixture->err = (struct err){0};
    return json_reader_read(fixture->reader, line, &fixture->arena,
                            &fixture->row, &fixture->err);
}

static void
accept(struct fixture *fixture, const char *line)
{
    if (read_span(fixture, span_of(line)) != ERR_OK) {
        fail_msg("%s: %s", line, fixture->err.detail);
    }
}

static void
refuse(struct fixture *fixture,
       const char *line,
       enum err_code code,
       const char *part)
{
    enum err_code got = read_span(fixture, span_of(line));

    if (got != code || strstr(fixture->err.detail, part) == NULL) {
        fail_msg("%s: %s: '%s' does not say '%s'", line, err_code_name(got),
                 fixture->err.detail, part);
    }
}

static void
members_keep_order_kind_and_raw_text(void **state)
{
    struct fixture *fixture = *state;
    const struct json_member *member;

    accept(fixture, " {\"a\" : \"x\\n停\" ,\"b\":-1.50e+2, \"c\":true,"
                    "\"d\":null,\"e\":{\"k\":[1,{}]} ,\"f\":[ ] }\r\n");
    member = fixture->row.members;
    assert_int_equal(fixture->row.member_count, 6);
    assert_true(span_is(member[0].key, "a"));
    assert_true(span_is(member[0].value, "x\n停"));
    assert_true(span_is(member[0].raw_value, "\"x\\n停\""));
    assert_true(span_is(member[0].raw_key, "\"a\""));
    assert_int_equal(member[1].kind, JSON_NUMBER);
    assert_true(span_is(member[1].value, "-1.50e+2"));
    assert_int_equal(member[2].kind, JSON_TRUE);
    assert_int_equal(member[3].kind, JSON_NULL);
    assert_int_equal(member[4].kind, JSON_OBJECT);
    assert_true(span_is(member[4].value, "{\"k\":[1,{}]}"));
    assert_int_equal(member[5].kind, JSON_ARRAY);
    assert_true(span_is(member[5].value, "[ ]"));
    accept(fixture, "{}");
    assert_int_equal(fixture->row.member_count, 0);
    accept(fixture, "\xEF\xBB\xBF{\"a\":\"\"}");
    assert_non_null(fixture->row.members[0].value.data);
}

static void
twenty_digits_stay_twenty_digits(void **state)
{
    struct fixture *fixture = *state;

    accept(fixture, "{\"id\":20180101123456789012}");
    assert_true(span_is(fixture->row.members[0].value, "20180101123456789012"));
}

static void
every_escape_is_undone(void **state)
{
    struct fixture *fixture = *state;

    accept(fixture, "{\"\\u0061\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u505c"
                    "\\uD83D\\uDE00x\"}");
    assert_true(span_is(fixture->row.members[0].key, "a"));
    assert_true(span_is(fixture->row.members[0].value,
                        "\"\\/\b\f\n\r\t停\xF0\x9F\x98\x80x"));
}

static void
lone_surrogates_and_unknown_escapes_are_refused_with_their_place(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "{\"a\":\"停\\uD83D\"}", ERR_BAD_JSON, "character 8: half");
    refuse(fixture, "{\"a\":\"\\uDE00\"}", ERR_BAD_JSON, "surrogate");
    refuse(fixture, "{\"a\":\"\\uD83D\\u0041\"}", ERR_BAD_JSON, "surrogate");
    refuse(fixture, "{\"a\":\"\\uD83D\\n\"}", ERR_BAD_JSON, "surrogate");
    refuse(fixture, "{\"a\":\"\\u12G4\"}", ERR_BAD_JSON, "hexadecimal");
    refuse(fixture, "{\"a\":\"\\u12\"}", ERR_BAD_JSON, "hexadecimal");
    refuse(fixture, "{\"a\":\"C:\\x\"}", ERR_BAD_JSON, "character 9: this");
    refuse(fixture, "{\"a\":[{\"b\":\"\\q\"}]}", ERR_BAD_JSON, "escape");
    refuse(fixture, "{\"a\":{\"\\q\":1}}", ERR_BAD_JSON, "escape");
}

static void
broken_grammar_is_refused_with_its_place(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "", ERR_BAD_JSON, "empty");
    refuse(fixture, " \t ", ERR_BAD_JSON, "empty");
    refuse(fixture, "[]", ERR_BAD_JSON, "character 1: a record is one JSON");
    refuse(fixture, "\"a\"", ERR_BAD_JSON, "one JSON object");
    refuse(fixture, "{\"停\"}", ERR_BAD_JSON, "character 5: a colon");
    refuse(fixture, "{\"a\" 1}", ERR_BAD_JSON, "character 6: a colon");
    refuse(fixture, "{\"a\":}", ERR_BAD_JSON, "character 6: a value");
    refuse(fixture, "{\"a\":1,}", ERR_BAD_JSON, "member name");
    refuse(fixture, "{,}", ERR_BAD_JSON, "member name");
    refuse(fixture, "{a:1}", ERR_BAD_JSON, "member name");
    refuse(fixture, "{\"a\":1 \"b\":2}", ERR_BAD_JSON, "comma or }");
    refuse(fixture, "{\"a\":1", ERR_BAD_JSON, "line ends: a comma or }");
    refuse(fixture, "{\"a\":", ERR_BAD_JSON, "line ends: a value");
    refuse(fixture, "{\"a\"", ERR_BAD_JSON, "line ends: a colon");
    refuse(fixture, "{", ERR_BAD_JSON, "line ends: a member name");
    refuse(fixture, "{\"a\":1}{", ERR_BAD_JSON, "character 8: text after");
    refuse(fixture, "{\"a\":1} x", ERR_BAD_JSON, "text after");
    refuse(fixture, "{\"a\":\"x}", ERR_BAD_JSON, "character 6: the string");
    refuse(fixture, "{\"a\":\"\x01\"}", ERR_BAD_JSON, "character 7: a control");
    refuse(fixture, "{\"a\":\"x\ty\"}", ERR_BAD_JSON, "character 8: a control");
    refuse(fixture, "{\"a\":\"b\"x}", ERR_BAD_JSON, "comma or }");
    refuse(fixture, "{\"a\"x:1}", ERR_BAD_JSON, "a colon");
    refuse(fixture, "{\"a\":\"b\"\"c\"}", ERR_BAD_JSON, "comma or }");
    refuse(fixture, "{\"a\":True}", ERR_BAD_JSON, "a value");
    refuse(fixture, "{\"a\":truex}", ERR_BAD_JSON, "a value");
    refuse(fixture, "{\"a\":nul}", ERR_BAD_JSON, "a value");
    refuse(fixture, "{\"a\":'b'}", ERR_BAD_JSON, "a value");
    refuse(fixture, "{\"a\":\f1}", ERR_BAD_JSON, "character 6");
    refuse(fixture, "{\"a\":1\f}", ERR_BAD_JSON, "character");
    refuse(fixture,
           "{\"a\":\x1A"
           "1}",
           ERR_BAD_JSON, "character 6");
}

static void
only_numbers_of_the_grammar_are_numbers(void **state)
{
    static const char *const wrong[] = {
        "01",    "-",   "+1",       ".5",  "1.",  "1e",
        "1e+",   "0x1", "1.e1",     "--1", "1a",  "1\"a\"",
        "1.2.3", "-01", "Infinity", "NaN", "1-2", "2018-01-01"};
    static const char *const right[] = {"0",   "-0",   "0.5",      "10",
                                        "1e5", "1E-5", "-1.25e+3", "0e0"};
    struct fixture *fixture = *state;
    char line[64];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        (void)snprintf(line, sizeof(line), "{\"a\":%s}", wrong[i]);
        refuse(fixture, line, ERR_BAD_JSON, "character 6");
        (void)snprintf(line, sizeof(line), "{\"a\":[%s]}", wrong[i]);
        refuse(fixture, line, ERR_BAD_JSON, "character 7");
    }
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        (void)snprintf(line, sizeof(line), "{\"a\":%s}", right[i]);
        accept(fixture, line);
        assert_true(span_is(fixture->row.members[0].value, right[i]));
    }
}

static void
nested_values_are_checked_too(void **state)
{
    static const char *const wrong[] = {
        "[1,]",       "[,1]",          "[1 2]",     "{\"a\":1,}", "{\"a\"}",
        "{\"a\":}",   "{1:2}",         "[1}",       "{\"a\":1]",  "[[]",
        "{\"a\":[}]", "[\"a\" \"b\"]", "[\"a\":1]", "{\"a\",1}",  "[tru]"};
    struct fixture *fixture = *state;
    char line[64];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        (void)snprintf(line, sizeof(line), "{\"x\":%s}", wrong[i]);
        assert_int_equal(read_span(fixture, span_of(line)), ERR_BAD_JSON);
    }
    accept(fixture, "{\"x\":[[],{},[{\"a\":[1,\"]\"]},null]],\"y\":1}");
    assert_int_equal(fixture->row.member_count, 2);
}

static void
invalid_utf8_names_the_character(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "{\"a\":\"停\xFF\"}", ERR_BAD_UTF8,
           "character 8: byte 0xFF");
    refuse(fixture, "{\"a\":\"\xC0\x80\"}", ERR_BAD_UTF8, "0xC0");
    refuse(fixture, "{\"a\":\"\xED\xA0\x80\"}", ERR_BAD_UTF8, "0xED");
    /* 停电 in GB18030 */
    refuse(fixture, "{\"a\":\"\xCD\xA3\xB5\xE7\"}", ERR_BAD_UTF8, "UTF-8");
}

static void
depth_32_is_the_deepest(void **state)
{
    struct fixture *fixture = *state;
    char line[256];
    int used = 0;

    for (int depth = 32; depth <= 33; depth++) {
        used = snprintf(line, sizeof(line), "{\"a\":");
        for (int i = 1; i < depth; i++) {
            line[used++] = '[';
        }
        for (int i = 1; i < depth; i++) {
            line[used++] = ']';
        }
        line[used++] = '}';
        line[used] = '\0';
        if (depth == 32) {
            accept(fixture, line);
        } else {
            refuse(fixture, line, ERR_TOO_DEEP, "character 37");
        }
    }
}

static void
a_key_given_twice_is_refused_also_when_written_with_escapes(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "{\"id\":1,\"b\":2,\"id\":3}", ERR_DUPLICATE_FIELD, "'id'");
    assert_string_equal(fixture->err.field, "id");
    refuse(fixture, "{\"id\":1,\"\\u0069d\":3}", ERR_DUPLICATE_FIELD, "'id'");
    refuse(fixture, "{\"\":1,\"\":3}", ERR_DUPLICATE_FIELD, "''");
    refuse(fixture,
           "{\"工单编号工单编号工单编号工单编号\":1,"
           "\"工单编号工单编号工单编号工单编号\":2}",
           ERR_DUPLICATE_FIELD, "工单编号");
    assert_true(utf8_valid(span_of(fixture->err.field)));
    accept(fixture, "{\"aXXb\":1,\"aYYb\":2,\"ab\":3,\"ba\":4,\"\":5}");
}

static void
members_beyond_256_are_refused(void **state)
{
    struct fixture *fixture = *state;
    char line[4096];

    for (int count = 256; count <= 257; count++) {
        int used = snprintf(line, sizeof(line), "{\"k0\":0");

        for (int i = 1; i < count; i++) {
            used += snprintf(line + used, sizeof(line) - (size_t)used,
                             ",\"k%d\":0", i);
        }
        (void)snprintf(line + used, sizeof(line) - (size_t)used, "}");
        if (count == 256) {
            accept(fixture, line);
            assert_int_equal(fixture->row.member_count, 256);
        } else {
            refuse(fixture, line, ERR_TOO_LONG, "256 members");
        }
    }
}

static void
a_line_of_two_mebibytes_is_the_longest(void **state)
{
    struct fixture *fixture = *state;
    size_t bytes = JSON_ROW_BYTES_MAX + 1;
    char *line = malloc(bytes);

    assert_non_null(line);
    memset(line, 'x', bytes);
    memcpy(line, "{\"a\":\"", 6);
    memcpy(line + bytes - 3, "\"}\n", 3);
    assert_int_equal(read_span(fixture, (struct span){line, bytes}),
                     ERR_TOO_LONG);
    assert_int_equal(read_span(fixture, (struct span){line, bytes - 1}),
                     ERR_OK);
    assert_int_equal(fixture->row.members[0].value.bytes, bytes - 9);
    free(line);
}

/* Every length from one byte to several blocks, with an unreadable page right
 * behind the last byte. */
static void
no_byte_behind_the_line_is_read(void **state)
{
    struct fixture *fixture = *state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    for (size_t bytes = 1; bytes < 400; bytes++) {
        char *line = pages + page - bytes;

        memset(line, 'x', bytes);
        if (bytes < 9) {
            assert_int_equal(read_span(fixture, (struct span){line, bytes}),
                             ERR_BAD_JSON);
            continue;
        }
        memcpy(line, "{\"a\":\"", 6);
        memcpy(line + bytes - 2, "\"}", 2);
        assert_int_equal(read_span(fixture, (struct span){line, bytes}),
                         ERR_OK);
        memcpy(line + bytes - 3, "\\uD", 3);
        assert_int_equal(read_span(fixture, (struct span){line, bytes}),
                         ERR_BAD_JSON);
        line[bytes - 1] = '\xE5'; /* half a character */
        assert_true(read_span(fixture, (struct span){line, bytes}) != ERR_OK);
    }
    assert_int_equal(munmap(pages, 2 * page), 0);
}

static void
what_was_read_before_the_mistake_is_there(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "{\"id\":\"7\",\"text\":oops}", ERR_BAD_JSON, "a value");
    assert_int_equal(fixture->row.member_count, 1);
    assert_true(span_is(fixture->row.members[0].value, "7"));
}

static size_t
walk(const char *body, char *out, struct err *err)
{
    struct json_array array;
    struct span element;
    size_t used = 0;

    json_array_open(&array, span_of(body));
    while (json_array_next(&array, &element)) {
        memcpy(out + used, element.data, element.bytes);
        used += element.bytes;
        out[used++] = '|';
    }
    out[used] = '\0';
    *err = (struct err){0};
    (void)!json_array_error(&array, err);
    return array.element_count;
}

static void
a_body_is_one_record_or_an_array_of_them(void **state)
{
    char out[256];
    struct err err;

    (void)state;
    assert_int_equal(walk(" {\"a\":[1,2]} ", out, &err), 1);
    assert_string_equal(out, "{\"a\":[1,2]} |");
    assert_int_equal(
        walk("\xEF\xBB\xBF [ {\"a\":\"],}\\\"\"} ,{\"b\":[{}]}, 7 ]\n", out,
             &err),
        3);
    assert_string_equal(out, "{\"a\":\"],}\\\"\"} |{\"b\":[{}]}|7 |");
    assert_int_equal(err.code, ERR_OK);
    assert_int_equal(walk("[]", out, &err), 0);
    assert_int_equal(err.code, ERR_OK);
}

static void
a_broken_array_gives_its_good_beginning_and_an_error(void **state)
{
    char out[256];
    struct err err;

    (void)state;
    assert_int_equal(walk("[{\"a\":1},{\"b\":2", out, &err), 1);
    assert_int_equal(err.code, ERR_BAD_JSON);
    assert_non_null(strstr(err.detail, "after record 1"));
    assert_int_equal(walk("[{},]", out, &err), 1);
    assert_int_equal(err.code, ERR_BAD_JSON);
    assert_int_equal(walk("[{}}]", out, &err), 1);
    assert_int_equal(err.code, ERR_BAD_JSON);
    assert_int_equal(walk("[{}] x", out, &err), 1);
    assert_int_equal(err.code, ERR_BAD_JSON);
    assert_int_equal(walk("[\"a", out, &err), 0);
    assert_int_equal(err.code, ERR_BAD_JSON);
    assert_int_equal(walk("[\"a\\", out, &err), 0);
    assert_int_equal(err.code, ERR_BAD_JSON);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_keep_order_kind_and_raw_text),
        cmocka_unit_test(twenty_digits_stay_twenty_digits),
        cmocka_unit_test(every_escape_is_undone),
        cmocka_unit_test(
            lone_surrogates_and_unknown_escapes_are_refused_with_their_place),
        cmocka_unit_test(broken_grammar_is_refused_with_its_place),
        cmocka_unit_test(only_numbers_of_the_grammar_are_numbers),
        cmocka_unit_test(nested_values_are_checked_too),
        cmocka_unit_test(invalid_utf8_names_the_character),
        cmocka_unit_test(depth_32_is_the_deepest),
        cmocka_unit_test(
            a_key_given_twice_is_refused_also_when_written_with_escapes),
        cmocka_unit_test(members_beyond_256_are_refused),
        cmocka_unit_test(a_line_of_two_mebibytes_is_the_longest),
        cmocka_unit_test(no_byte_behind_the_line_is_read),
        cmocka_unit_test(what_was_read_before_the_mistake_is_there),
        cmocka_unit_test(a_body_is_one_record_or_an_array_of_them),
        cmocka_unit_test(a_broken_array_gives_its_good_beginning_and_an_error),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
