/* The page over a real loopback port: bytes, ETags, the policy, its size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "server/web/web_embedded.h"
#include "tests/lib/site.h"

enum { ASSETS_BYTES_MAX = 400 * 1024 }; /* packed, all of them */

static void
the_page_is_small_enough(void **state)
{
    size_t bytes = 0;

    (void)state;
    assert_true(web_file_count > 10);
    for (size_t i = 0; i < web_file_count; i++) {
        bytes += (size_t)(web_files[i].packed_end - web_files[i].packed_start);
    }
    print_message("the page has %zu bytes packed\n", bytes);
    assert_true(bytes <= ASSETS_BYTES_MAX);
}

/* The answer to one request line and headers, head and body as they came. */
static void
every_file_comes_packed_or_plain(void **state)
{
    struct site *site = *state;

    for (size_t i = 0; i < web_file_count; i++) {
        char request[256];
        struct buf answer;
        struct span body;

        (void)snprintf(request, sizeof(request),
                       "GET /assets/%s HTTP/1.1\r\nHost: x\r\n"
                       "Accept-Encoding: gzip\r\nConnection: close\r\n\r\n",
                       web_files[i].name);
        site_raw(site, request, &answer);
        body = site_body(&answer);
        assert_non_null(strstr(answer.data, "Content-Encoding: gzip\r\n"));
        assert_int_equal(body.bytes,
                         web_files[i].packed_end - web_files[i].packed_start);
        assert_memory_equal(body.data, "\x1f\x8b", 2);
        buf_release(&answer);

        (void)snprintf(request, sizeof(request),
                       "GET /assets/%s HTTP/1.1\r\nHost: x\r\n"
                       "Accept-Encoding: br, gzip;q=0\r\n"
                       "Connection: close\r\n\r\n",
                       web_files[i].name);
        site_raw(site, request, &answer);
        body = site_body(&answer);
        assert_null(strstr(answer.data, "Content-Encoding"));
        assert_int_equal(body.bytes,
                         web_files[i].plain_end - web_files[i].plain_start);
        buf_release(&answer);
    }
}

static void
a_known_etag_is_answered_with_304(void **state)
{
    struct site *site = *state;
    char request[512];
    char etag[64] = "";
    struct buf answer;
    const char *at;

    site_raw(site, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
             &answer);
    at = strstr(answer.data, "ETag: ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "ETag: %63s", etag), 1);
    assert_non_null(strstr(answer.data, "Content-Security-Policy: "
                                        "default-src 'self'"));
    assert_null(strstr(answer.data, "unsafe-inline"));
    buf_release(&answer);
    (void)snprintf(request, sizeof(request),
                   "GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"other\", %s"
                   "\r\nConnection: close\r\n\r\n",
                   etag);
    site_raw(site, request, &answer);
    assert_true(strncmp(answer.data, "HTTP/1.1 304 ", 13) == 0);
    assert_int_equal(site_body(&answer).bytes, 0);
    buf_release(&answer);
}

static void
no_other_file_is_given(void **state)
{
    static const char *const paths[] = {"/assets/none.js",
                                        "/assets/..%2fweb_routes.c", "/assets/",
                                        "/assets/a/b"};
    struct site *site = *state;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(site_ask(site, "GET", paths[i], NULL).status, 404);
    }
}

/* Nothing inline and nothing from elsewhere: the policy would stop it, and the
 * page has to work where there is no network. */
static void
the_page_asks_nobody_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < web_file_count; i++) {
        struct span text = {
            web_files[i].plain_start,
            (size_t)(web_files[i].plain_end - web_files[i].plain_start)};

        if (strcmp(web_files[i].name, "echarts.js") == 0) {
            continue; /* names of XML and licence addresses */
        }
        assert_true(span_find(text, SPAN_LITERAL("innerHTML"), 0) == SIZE_MAX);
        assert_true(span_find(text, SPAN_LITERAL("<style"), 0) == SIZE_MAX);
        assert_true(span_find(text, SPAN_LITERAL("src=\"http"), 0) == SIZE_MAX);
        assert_true(span_find(text, SPAN_LITERAL("href=\"http"), 0) ==
                    SIZE_MAX);
        assert_true(span_find(text, SPAN_LITERAL("url(http"), 0) == SIZE_MAX);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_small_enough),
        cmocka_unit_test(every_file_comes_packed_or_plain),
        cmocka_unit_test(a_known_etag_is_answered_with_304),
        cmocka_unit_test(no_other_file_is_given),
        cmocka_unit_test(the_page_asks_nobody_else),
    };

    return cmocka_run_group_tests(tests, site_set_up, site_tear_down);
}
