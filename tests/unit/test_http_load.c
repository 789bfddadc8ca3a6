/* http_load: against the empty server, and against nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "bench/empty_server.h"
#include "bench/http_load.h"

enum { TICKETS = 1000 };

static enum err_code
run(uint16_t port,
    unsigned connections,
    size_t lines_per_request,
    struct http_load_result *result,
    size_t *line_count)
{
    struct generate_options generate = generate_defaults(SCENARIO_NORMAL);
    struct http_load_options options = {.host = "127.0.0.1",
                                        .port = port,
                                        .path = "/v1/records",
                                        .connections = connections,
                                        .lines_per_request = lines_per_request};
    struct lines lines = {0};
    struct err err = {0};

    generate.count = TICKETS;
    assert_int_equal(lines_generate(&lines, &generate, &err), ERR_OK);
    options.count = lines.count;
    *line_count = lines.count;
    (void)!http_load_run(&lines, &options, result, &err);
    lines_release(&lines);
    return err.code;
}

/* Every line goes out once, whatever the division. */
static void
test_all_lines_are_answered(void **state)
{
    static const size_t bulks[] = {1, 7, 100000};
    uint16_t port;
    pid_t pid;
    struct err err = {0};

    (void)state;
    assert_int_equal(empty_server_start(&pid, &port, &err), ERR_OK);
    for (size_t i = 0; i < sizeof(bulks) / sizeof(bulks[0]); i++) {
        struct http_load_result *result = calloc(1, sizeof(*result));
        size_t lines;

        assert_int_equal(run(port, 16, bulks[i], result, &lines), ERR_OK);
        assert_int_equal(result->lines, lines);
        assert_int_equal(result->requests, (lines + bulks[i] - 1) / bulks[i]);
        assert_int_equal(result->statuses[2], result->requests);
        assert_int_equal(result->answer_us.count, result->requests);
        free(result);
    }
    empty_server_end(pid);
}

static void
test_nobody_listens(void **state)
{
    struct http_load_result *result = calloc(1, sizeof(*result));
    uint16_t port;
    size_t lines;
    pid_t pid;
    struct err err = {0};

    (void)state;
    assert_int_equal(empty_server_start(&pid, &port, &err), ERR_OK);
    empty_server_end(pid);
    assert_int_equal(run(port, 2, 1, result, &lines), ERR_IO);
    free(result);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_lines_are_answered),
        cmocka_unit_test(test_nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
