/* /openapi.json of the real program against the table of routes. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "server/decode/json_row.h"
#include "server/serve/access.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

enum { DEPTHS = 4, ARENA_BYTES = 1024 * 1024 };

/* One reader a depth: a row is borrowed until the next read. */
static struct json_reader *readers[DEPTHS];
static struct arena arena;

static struct json_row
object(int depth, struct span text)
{
    struct json_row row;
    struct err err = {0};

    if (json_reader_read(readers[depth], text, &arena, &row, &err) != ERR_OK) {
        fail_msg("no object: %s: %.*s", err.detail, (int)text.bytes, text.data);
    }
    return row;
}

static const struct json_member *
member(const struct json_row *row, const char *name)
{
    for (size_t i = 0; i < row->member_count; i++) {
        if (span_is(row->members[i].key, name)) {
            return &row->members[i];
        }
    }
    return NULL;
}

/* Everything that a reader of the document needs stands there. */
static void
check_operation(const char *method, const char *pattern, struct span text)
{
    struct json_row operation = object(2, text);
    const struct json_member *parameters = member(&operation, "parameters");
    struct json_array array;
    struct span element;

    if (member(&operation, "summary") == NULL) {
        fail_msg("%s %s has no sentence: add a row to openapi.def", method,
                 pattern);
    }
    assert_non_null(member(&operation, "responses"));
    assert_non_null(member(&operation, "x-roles"));
    assert_non_null(parameters);
    json_array_open(&array, parameters->raw_value);
    while (json_array_next(&array, &element)) {
        struct json_row parameter = object(3, element);
        const struct json_member *name = member(&parameter, "name");

        if (member(&parameter, "schema") == NULL) {
            fail_msg("%s %s: parameter %.*s has no row in openapi.def", method,
                     pattern, SPAN_ARGS(name->value));
        }
    }
}

static void
every_route_is_described(void **state)
{
    struct server_process server;
    struct http_client_request request = {.method = "GET",
                                          .path = "/openapi.json"};
    struct http_client_answer answer;
    struct temp_dir data;
    struct json_row root;
    struct json_row paths;
    struct err err = {0};
    enum http_method method;
    char pattern[64];
    unsigned roles;
    size_t routes = 0;
    size_t operations = 0;

    (void)state;
    temp_dir_make(&data);
    server_process_start(&server, data.path, NULL);
    assert_int_equal(server_process_request(&server, &request, &answer), 200);
    arena_init(&arena, ARENA_BYTES);
    for (int i = 0; i < DEPTHS; i++) {
        assert_int_equal(json_reader_new(&readers[i], &err), ERR_OK);
    }
    root = object(0, answer.body);
    assert_true(span_is(member(&root, "openapi")->value, "3.1.0"));
    paths = object(1, member(&root, "paths")->raw_value);
    for (size_t i = 0; i < paths.member_count; i++) {
        operations += object(2, paths.members[i].raw_value).member_count;
    }
    for (; access_route_at(routes, &method, pattern, &roles); routes++) {
        const char *name = http_method_name(method);
        const struct json_member *path = member(&paths, pattern);
        struct json_row methods;
        char word[16];

        if (path == NULL) {
            fail_msg("%s %s is not described", name, pattern);
        }
        (void)snprintf(word, sizeof(word), "%s", name);
        for (char *c = word; *c != '\0'; c++) {
            *c = (char)(*c | 0x20);
        }
        methods = object(2, path->raw_value);
        if (member(&methods, word) == NULL) {
            fail_msg("%s %s is not described", name, pattern);
        }
        check_operation(name, pattern, member(&methods, word)->raw_value);
    }
    assert_true(routes > 30);
    assert_int_equal(operations, routes); /* and nothing else */
    for (int i = 0; i < DEPTHS; i++) {
        json_reader_free(&readers[i]);
    }
    arena_release(&arena);
    assert_int_equal(server_process_stop(&server), 0);
    temp_dir_remove(&data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_described),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
