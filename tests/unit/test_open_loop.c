/* open_loop: against a small server that stalls once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/open_loop.h"

enum { LINES = 2000, RATE = 4000, STALL_MS = 300 };

struct fake {
    int listener;
    uint16_t port;
    bool stalls;
    bool lies; /* acknowledges what was never sent */
    pthread_t thread;
};

static void *
serve(void *data)
{
    struct fake *fake = data;
    int fd = accept(fake->listener, NULL, NULL);
    unsigned long long lines = 0;
    char room[65536];
    ssize_t got;

    if (fake->stalls) {
        (void)poll(NULL, 0, STALL_MS);
    }
    while ((got = recv(fd, room, sizeof(room), 0)) > 0) {
        char answer[64];
        int bytes;

        for (ssize_t i = 0; i < got; i++) {
            lines += room[i] == '\n';
        }
        bytes = snprintf(answer, sizeof(answer), "{\"ack\":%llu}\n",
                         fake->lies ? lines + 1000000 : lines);
        (void)send(fd, answer, (size_t)bytes, MSG_NOSIGNAL);
    }
    (void)close(fd);
    return NULL;
}

static void
begin(struct fake *fake)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);

    fake->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fake->listener >= 0);
    assert_int_equal(
        bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fake->listener, 4), 0);
    assert_int_equal(
        getsockname(fake->listener, (struct sockaddr *)&address, &bytes), 0);
    fake->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
}

static enum err_code
run(struct fake *fake, struct open_loop_result *result)
{
    struct generate_options generate = generate_defaults(SCENARIO_NORMAL);
    struct open_loop_options options = {
        .host = "127.0.0.1", .connections = 1, .rate = RATE};
    struct generator *generator = NULL;
    struct lines lines = {0};
    struct err err = {0};

    begin(fake);
    options.port = fake->port;
    generate.count = LINES;
    assert_int_equal(generator_new(&generate, &generator, &err), ERR_OK);
    assert_int_equal(lines_more(&lines, generator, LINES, &err), ERR_OK);
    assert_int_equal(lines.count, LINES);
    (void)!open_loop_run(&lines, &options, result, &err);
    assert_int_equal(pthread_join(fake->thread, NULL), 0);
    (void)close(fake->listener);
    generator_free(&generator);
    lines_release(&lines);
    return err.code;
}

/* What should have been sent during the stall waited, and is counted so. */
static void
test_stall_counts_for_all(void **state)
{
    struct open_loop_result *result = calloc(1, sizeof(*result));
    struct fake fake = {.stalls = true};

    (void)state;
    assert_int_equal(run(&fake, result), ERR_OK);
    assert_int_equal(result->lines, LINES);
    assert_int_equal(result->ack_us.count, LINES);
    assert_true(result->ack_us.max >= (STALL_MS - 10) * 1000);
    /* 300 ms of 500 ms: half of the lines waited 50 ms and more. */
    assert_true(histogram_percentile(&result->ack_us, 60) >= 40 * 1000);
    assert_true(result->seconds >= (double)(LINES - 1) / RATE - 0.01);
    free(result);
}

static void
test_lies_are_found(void **state)
{
    struct open_loop_result *result = calloc(1, sizeof(*result));
    struct fake fake = {.lies = true};

    (void)state;
    assert_int_equal(run(&fake, result), ERR_IO);
    free(result);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stall_counts_for_all),
        cmocka_unit_test(test_lies_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
