/* feed_client: against small servers of its own that answer right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/feed_client.h"

enum { COUNT = 5000, CONNECTIONS_MAX = 4, ROOM_BYTES = 1 << 16 };

enum behaviour {
    ANSWERS_RIGHT, /* acknowledges now and then, refuses bad lines */
    HANGS_UP,      /* after the first bytes */
    PROMISES,      /* acknowledges lines that were never sent */
    REFUSES_LATE,  /* refuses a line that it has acknowledged */
    TALKS_NONSENSE
};

struct fake {
    int listener;
    uint16_t port;
    enum behaviour behaviour;
    unsigned connections;
    pthread_t threads[CONNECTIONS_MAX];
    pthread_mutex_t lock;
    uint64_t lines;
    uint64_t bytes;
    uint64_t sum; /* of all bytes, in any order */
};

static void
answer(int fd, const char *fmt, ...)
{
    char text[256];
    va_list args;
    int bytes;

    va_start(args, fmt);
    bytes = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)send(fd, text, (size_t)bytes, MSG_NOSIGNAL);
}

/* Every line with B in front of its id is bad. */
static void
take_line(int fd, const char *line, size_t bytes, uint64_t number)
{
    if (memmem(line, bytes, "\"B0", 3) != NULL || line[0] != '{') {
        answer(fd,
               "{\"line\":%llu,\"code\":\"bad_json\",\"field\":\"\","
               "\"detail\":\"}\"}\n",
               (unsigned long long)number);
    }
}

static void
answer_right(struct fake *fake, int fd)
{
    char *room = malloc(ROOM_BYTES);
    size_t used = 0;
    uint64_t lines = 0;
    uint64_t bytes = 0;
    uint64_t sum = 0;
    ssize_t got;

    while ((got = recv(fd, room + used, ROOM_BYTES - used, 0)) > 0) {
        size_t at = 0;
        const char *end;

        for (ssize_t i = 0; i < got; i++) {
            sum += (unsigned char)room[used + (size_t)i];
        }
        bytes += (uint64_t)got;
        used += (size_t)got;
        while ((end = memchr(room + at, '\n', used - at)) != NULL) {
            lines++;
            take_line(fd, room + at, (size_t)(end - room) - at, lines);
            at = (size_t)(end - room) + 1;
        }
        used -= at;
        memmove(room, room + at, used);
        if (at > 0) {
            answer(fd, "{\"ack\":%llu}\n", (unsigned long long)lines);
        }
    }
    free(room);
    (void)pthread_mutex_lock(&fake->lock);
    fake->lines += lines;
    fake->bytes += bytes;
    fake->sum += sum;
    (void)pthread_mutex_unlock(&fake->lock);
}

static void *
serve_one(void *data)
{
    struct fake *fake = data;
    int fd = accept(fake->listener, NULL, NULL);
    char first[4096];

    if (fake->behaviour == ANSWERS_RIGHT) {
        answer_right(fake, fd);
    } else if (recv(fd, first, sizeof(first), 0) > 0) {
        switch (fake->behaviour) {
        case PROMISES:
            answer(fd, "{\"ack\":123456789}\n");
            break;
        case REFUSES_LATE:
            answer(fd, "{\"ack\":1}\n{\"line\":1,\"code\":\"bad_json\"}\n");
            break;
        case TALKS_NONSENSE:
            answer(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
            break;
        default:
            break;
        }
        if (fake->behaviour != HANGS_UP) {
            while (recv(fd, first, sizeof(first), 0) > 0) {
            }
        }
    }
    (void)close(fd);
    return NULL;
}

static void
fake_start(struct fake *fake, enum behaviour behaviour, unsigned connections)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);

    *fake = (struct fake){.behaviour = behaviour, .connections = connections};
    (void)pthread_mutex_init(&fake->lock, NULL);
    fake->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(
        bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fake->listener, CONNECTIONS_MAX), 0);
    assert_int_equal(
        getsockname(fake->listener, (struct sockaddr *)&address, &bytes), 0);
    fake->port = ntohs(address.sin_port);
    for (unsigned i = 0; i < connections; i++) {
        assert_int_equal(
            pthread_create(&fake->threads[i], NULL, serve_one, fake), 0);
    }
}

static void
fake_stop(struct fake *fake)
{
    for (unsigned i = 0; i < fake->connections; i++) {
        (void)pthread_join(fake->threads[i], NULL);
    }
    (void)close(fake->listener);
    (void)pthread_mutex_destroy(&fake->lock);
}

static struct lines
generate(void)
{
    struct generate_options options = generate_defaults(SCENARIO_NORMAL);
    struct lines lines = {0};
    struct err err = {0};

    options.count = COUNT;
    options.bad_permille = 20;
    assert_int_equal(lines_generate(&lines, &options, &err), ERR_OK);
    return lines;
}

/* Lines that the fake takes for bad; the generator knows more kinds. */
static uint64_t
bad_for_the_fake(const struct lines *lines)
{
    uint64_t bad = 0;

    for (size_t i = 0; i < lines->count; i++) {
        size_t begin = lines_begin(lines, i);

        bad += memmem(lines->data + begin, lines->ends[i] - begin, "\"B0", 3) !=
                   NULL ||
               lines->data[begin] != '{';
    }
    return bad;
}

static void
check_run(unsigned connections, size_t window_bytes)
{
    struct feed_client_result *result = calloc(1, sizeof(*result));
    struct lines lines = generate();
    struct feed_client_options options = {.host = "127.0.0.1",
                                          .connections = connections,
                                          .window_bytes = window_bytes};
    struct err err = {0};
    struct fake fake;
    uint64_t sum = 0;

    for (size_t i = 0; i < lines.bytes; i++) {
        sum += (unsigned char)lines.data[i];
    }
    fake_start(&fake, ANSWERS_RIGHT, connections);
    options.port = fake.port;
    if (feed_client_run(&lines, &options, result, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    fake_stop(&fake);
    assert_int_equal(fake.lines, lines.count);
    assert_int_equal(fake.bytes, lines.bytes);
    assert_int_equal(fake.sum, sum);
    assert_int_equal(result->lines, lines.count);
    assert_int_equal(result->refused, bad_for_the_fake(&lines));
    assert_int_equal(result->ack_us.count, lines.count);
    assert_true(result->acks > 0);
    assert_true(result->seconds > 0);
    lines_release(&lines);
    free(result);
}

static void
every_line_arrives_once_and_is_acknowledged(void **state)
{
    (void)state;
    check_run(1, 8 << 20);
    check_run(1, 16384);
    check_run(3, 65536);
    check_run(4, 8 << 20);
}

static void
check_error(enum behaviour behaviour, const char *word)
{
    struct feed_client_result *result = calloc(1, sizeof(*result));
    struct lines lines = generate();
    struct feed_client_options options = {
        .host = "127.0.0.1", .connections = 1, .window_bytes = 1 << 20};
    struct err err = {0};
    struct fake fake;

    fake_start(&fake, behaviour, 1);
    options.port = fake.port;
    assert_int_equal(feed_client_run(&lines, &options, result, &err), ERR_IO);
    if (strstr(err.detail, word) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.detail, word);
    }
    fake_stop(&fake);
    lines_release(&lines);
    free(result);
}

static void
a_server_that_breaks_the_contract_is_told_so(void **state)
{
    (void)state;
    check_error(PROMISES, "were sent");
    check_error(REFUSES_LATE, "after its acknowledgement");
    check_error(TALKS_NONSENSE, "no answer of the feed");
}

static void
a_server_that_hangs_up_is_an_error(void **state)
{
    struct feed_client_result *result = calloc(1, sizeof(*result));
    struct lines lines = generate();
    struct feed_client_options options = {
        .host = "127.0.0.1", .connections = 1, .window_bytes = 1 << 20};
    struct err err = {0};
    struct fake fake;

    (void)state;
    fake_start(&fake, HANGS_UP, 1);
    options.port = fake.port;
    assert_int_equal(feed_client_run(&lines, &options, result, &err), ERR_IO);
    fake_stop(&fake);
    lines_release(&lines);
    free(result);
}

static void
answers_are_read_strictly(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        bool is_ack;
        uint64_t line;
    } rows[] = {
        {"{\"ack\":17}", true, true, 17},
        {"{\"line\":3,\"code\":\"bad_time\",\"detail\":\"x\"}", true, false, 3},
        {"{\"ack\":}", false, false, 0},
        {"{\"ack\":1", false, false, 0},
        {"{\"ack\":-1}", false, false, 0},
        {"{\"line\":3}", false, false, 0},
        {"", false, false, 0},
        {"{\"ack\":1}x", false, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct feed_answer out;
        bool valid =
            feed_answer_parse(rows[i].text, strlen(rows[i].text), &out);

        assert_int_equal(valid, rows[i].valid);
        if (valid) {
            assert_int_equal(out.is_ack, rows[i].is_ack);
            assert_int_equal(out.line, rows[i].line);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read_strictly),
        cmocka_unit_test(every_line_arrives_once_and_is_acknowledged),
        cmocka_unit_test(a_server_that_breaks_the_contract_is_told_so),
        cmocka_unit_test(a_server_that_hangs_up_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
