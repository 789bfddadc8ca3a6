/* http_parse: what is a request, what is not, decoding, chunk lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "server/serve/http_parse.h"

static struct http_head head;
static char bytes[8192];

/* 0, or the status the request is refused with; 1 when it never ends. */
static unsigned
parse(const char *text, size_t text_bytes)
{
    const char *why = NULL;
    size_t end;

    assert_true(text_bytes < sizeof(bytes));
    memcpy(bytes, text, text_bytes);
    end = http_parse_find_end(bytes, text_bytes, 0);
    if (end == SIZE_MAX) {
        return 400;
    }
    if (end == 0) {
        return 1;
    }
    memset(&head, 0, sizeof(head));
    return http_parse_head(bytes, end, &head, &why);
}

#define PARSE(text) parse(text, sizeof(text) - 1)
#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static void
an_ordinary_request_is_taken_apart(void **state)
{
    (void)state;
    assert_int_equal(PARSE("POST /v1/x%20y?a=1&b HTTP/1.1\r\nHOST: a:80\r\n"
                           "Content-Length: 12\r\nX-Empty:\r\nx:  y\t \r\n"
                           "Expect: 100-Continue\r\n\r\n"),
                     0);
    assert_int_equal(head.method, HTTP_POST);
    assert_true(span_is(head.target, "/v1/x%20y?a=1&b"));
    assert_true(span_is(head.path, "/v1/x%20y"));
    assert_true(span_is(head.query, "a=1&b"));
    assert_int_equal(head.length, 12);
    assert_true(head.has_length && !head.chunked && head.keep_alive);
    assert_true(head.expects_continue);
    assert_int_equal(head.field_count, 5);
    assert_true(span_is(head.fields[0].name, "host"));
    assert_true(span_is(head.fields[2].value, ""));
    assert_true(span_is(head.fields[3].value, "y"));
}

static void
head_is_get_and_versions_decide_keep_alive(void **state)
{
    (void)state;
    assert_int_equal(PARSE("HEAD / HTTP/1.0\r\n\r\n"), 0);
    assert_true(head.is_head && head.method == HTTP_GET && !head.keep_alive);
    assert_int_equal(PARSE("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
                     0);
    assert_true(head.keep_alive);
    assert_int_equal(PARSE(GET "Connection: x , CLOSE\r\n\r\n"), 0);
    assert_false(head.keep_alive);
    assert_int_equal(PARSE("GET http://a/p?q HTTP/1.1\r\nHost: A\r\n\r\n"), 0);
    assert_true(span_is(head.target, "/p?q"));
}

static void
what_can_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
#define REFUSED(status, text) assert_int_equal(PARSE(text), status)
    /* two lengths, in every form */
    REFUSED(400, POST "Content-Length: 5\r\nContent-Length: 0\r\n\r\n");
    REFUSED(400, POST "Content-Length: 5\r\ncontent-length: 5\r\n\r\n");
    REFUSED(400, POST "Content-Length: 5, 5\r\n\r\n");
    REFUSED(400, POST "Content-Length: +5\r\n\r\n");
    REFUSED(400, POST "Content-Length: -1\r\n\r\n");
    REFUSED(400, POST "Content-Length: 5 \t5\r\n\r\n");
    REFUSED(400, POST "Content-Length: 0x5\r\n\r\n");
    REFUSED(400, POST "Content-Length:\r\n\r\n");
    REFUSED(413, POST "Content-Length: 100000000000000000000\r\n\r\n");
    REFUSED(400,
            POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
    REFUSED(400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: "
                      "chunked\r\n\r\n");
    REFUSED(501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n");
    REFUSED(501, POST "Transfer-Encoding: xchunked\r\n\r\n");
    REFUSED(501, POST "Transfer-Encoding:\r\n\r\n");
    REFUSED(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
    /* lines and names */
    REFUSED(400, "GET / HTTP/1.1\nHost: a\n\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\n\r\n");
    REFUSED(400, GET "X: a\rb\r\n\r\n");
    REFUSED(400, GET "X: a\0b\r\n\r\n");
    REFUSED(400, GET "X: a\x01"
                     "b\r\n\r\n");
    REFUSED(400, GET "X: a\r\n b\r\n\r\n");
    REFUSED(400, GET " X: a\r\n\r\n");
    REFUSED(400, GET "X : a\r\n\r\n");
    REFUSED(400, GET ": a\r\n\r\n");
    REFUSED(400, GET "X\r\n\r\n");
    REFUSED(400, GET "X(y): a\r\n\r\n");
    /* hosts */
    REFUSED(400, "GET / HTTP/1.1\r\n\r\n");
    REFUSED(400, GET "Host: a\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost:\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n");
    REFUSED(400, "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n");
    /* request lines */
    REFUSED(400, "GET /\r\n\r\n");
    REFUSED(400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n");
    REFUSED(400, "GET / x HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET x HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET / http/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n");
    REFUSED(505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n");
    REFUSED(505, "GET / HTTP/9.9\r\nHost: a\r\n\r\n");
    REFUSED(501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(501, "get / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(417, GET "Expect: magic\r\n\r\n");
    REFUSED(400, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void
the_number_of_headers_has_a_limit(void **state)
{
    char text[8000];

    (void)state;
    for (int over = 0; over <= 1; over++) {
        size_t used = (size_t)snprintf(text, sizeof(text), GET);

        for (int i = 1; i < HTTP_HEADERS_MAX + over; i++) {
            used += (size_t)snprintf(text + used, sizeof(text) - used,
                                     "x-%d: y\r\n", i);
        }
        used += (size_t)snprintf(text + used, sizeof(text) - used, "\r\n");
        assert_int_equal(parse(text, used), over ? 431 : 0);
    }
}

static void
the_end_is_found_whatever_the_pieces(void **state)
{
    const char text[] = GET "X: y\r\n\r\nrest";
    size_t whole = sizeof(text) - 1 - 4;

    (void)state;
    for (size_t cut = 0; cut < whole; cut++) {
        assert_int_equal(http_parse_find_end(text, cut, 0), 0);
        assert_int_equal(http_parse_find_end(text, sizeof(text) - 1, cut),
                         whole);
    }
}

static void
percent_encoding_is_decoded_strictly(void **state)
{
    char out[64];

    (void)state;
#define DECODE(text, plus) http_parse_decode(SPAN_LITERAL(text), plus, out)
    assert_int_equal(DECODE("%E5%81%9c+a", true), 5);
    assert_memory_equal(out, "停 a", 5);
    assert_int_equal(DECODE("a+b", false), 3);
    assert_memory_equal(out, "a+b", 3);
    assert_true(DECODE("%", false) == SIZE_MAX);
    assert_true(DECODE("%4", false) == SIZE_MAX);
    assert_true(DECODE("%4g", false) == SIZE_MAX);
    assert_true(DECODE("%00", false) == SIZE_MAX);
    assert_true(DECODE("%ff", false) == SIZE_MAX);
    assert_true(DECODE("%c0%af", false) == SIZE_MAX);
}

/* The state after these lines, or -1 for a refusal. */
static int
chunk_lines(const char *const *lines)
{
    struct http_chunk chunk = {0};

    for (; *lines != NULL; lines++) {
        if (!http_chunk_line(&chunk, span_of(*lines))) {
            return -1;
        }
        if (chunk.state == HTTP_CHUNK_DATA) {
            chunk.state = HTTP_CHUNK_DATA_END;
        }
    }
    return (int)chunk.state;
}

static void
chunk_sizes_are_hex_digits_and_nothing_else(void **state)
{
    struct http_chunk chunk = {0};

    (void)state;
#define LINES(...) chunk_lines((const char *[]){__VA_ARGS__, NULL})
    assert_int_equal(LINES("5", "", "0", ""), HTTP_CHUNK_DONE);
    assert_int_equal(LINES("5;name=value", "", "0", ""), HTTP_CHUNK_DONE);
    assert_int_equal(LINES("0", "X-Role: admin", ""), HTTP_CHUNK_DONE);
    assert_int_equal(LINES("5", "x"), -1);
    assert_int_equal(LINES("0x5"), -1);
    assert_int_equal(LINES("+5"), -1);
    assert_int_equal(LINES("-1"), -1);
    assert_int_equal(LINES(" 5"), -1);
    assert_int_equal(LINES("5 "), -1);
    assert_int_equal(LINES(""), -1);
    assert_int_equal(LINES(";a"), -1);
    assert_int_equal(LINES("5;a\x01"), -1);
    assert_int_equal(LINES("ffffffffffffffff"), -1);
    assert_true(http_chunk_line(&chunk, SPAN_LITERAL("fffffffffffffff")));
    assert_true(chunk.left_bytes == UINT64_C(0xfffffffffffffff));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_request_is_taken_apart),
        cmocka_unit_test(head_is_get_and_versions_decide_keep_alive),
        cmocka_unit_test(what_can_be_read_in_two_ways_is_refused),
        cmocka_unit_test(the_number_of_headers_has_a_limit),
        cmocka_unit_test(the_end_is_found_whatever_the_pieces),
        cmocka_unit_test(percent_encoding_is_decoded_strictly),
        cmocka_unit_test(chunk_sizes_are_hex_digits_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
