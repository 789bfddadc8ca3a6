/* The client of the crash test: one connection, until the kill. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/feed_client.h"
#include "tests/crash/crash.h"

enum { ANSWER_BYTES_MAX = 64 * 1024, SILENCE_MS_MAX = 60000 };

struct connection {
    struct crash *crash;
    struct crash_stream *out;
    int fd;
    size_t sent_to;  /* bytes of crash->lines */
    size_t acked_to; /* bytes */
    uint64_t refused_line;
    char answers[ANSWER_BYTES_MAX];
    size_t answer_bytes;
};

static void
take_answer(struct connection *connection, const char *data, size_t bytes)
{
    struct crash *crash = connection->crash;
    struct crash_stream *out = connection->out;
    struct feed_answer answer;

    if (!feed_answer_parse(data, bytes, &answer) || answer.line > out->sent) {
        crash_fail(crash, "the server sent an answer it must not send: %.*s",
                   (int)(bytes < 200 ? bytes : 200), data);
    }
    if (!answer.is_ack) {
        size_t index = crash->position + answer.line - 1;

        if (crash->lines.kinds[index] != GENERATED_BAD) {
            crash_fail(crash, "line %zu was refused: %.*s", index,
                       (int)(bytes < 400 ? bytes : 400), data);
        }
        return;
    }
    if (answer.line < out->acked) {
        crash_fail(crash, "an acknowledgement went back");
    }
    out->acked = answer.line;
    connection->acked_to =
        lines_begin(&crash->lines, crash->position + (size_t)answer.line);
}

static void
take_answers(struct connection *connection)
{
    size_t at = 0;

    for (;;) {
        const char *begin = connection->answers + at;
        const char *end = memchr(begin, '\n', connection->answer_bytes - at);

        if (end == NULL) {
            break;
        }
        take_answer(connection, begin, (size_t)(end - begin));
        at = (size_t)(end - connection->answers) + 1;
    }
    connection->answer_bytes -= at;
    memmove(connection->answers, connection->answers + at,
            connection->answer_bytes);
}

/* Read what is there. False at the end of the connection. */
static bool
read_answers(struct connection *connection)
{
    for (;;) {
        ssize_t got =
            recv(connection->fd, connection->answers + connection->answer_bytes,
                 sizeof(connection->answers) - connection->answer_bytes, 0);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return true;
        }
        if (got <= 0) {
            return false;
        }
        connection->answer_bytes += (size_t)got;
        take_answers(connection);
    }
}

static void
count_sent(struct connection *connection)
{
    const struct crash *crash = connection->crash;
    struct crash_stream *out = connection->out;
    size_t index = crash->position + (size_t)out->sent;

    while (index < crash->lines.count &&
           crash->lines.ends[index] <= connection->sent_to) {
        index++;
        out->sent++;
    }
}

/* Bytes that may be sent now. */
static size_t
room_to_send(const struct connection *connection, size_t window_bytes)
{
    size_t open = connection->sent_to - connection->acked_to;
    size_t left = connection->crash->lines.bytes - connection->sent_to;
    size_t room = open < window_bytes ? window_bytes - open : 0;

    return room < left ? room : left;
}

static bool
send_some(struct connection *connection, size_t bytes)
{
    ssize_t sent = send(connection->fd,
                        connection->crash->lines.data + connection->sent_to,
                        bytes, MSG_NOSIGNAL);

    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    connection->sent_to += (size_t)sent;
    count_sent(connection);
    return true;
}

static bool
all_acked(const struct connection *connection)
{
    return connection->crash->position + connection->out->acked ==
           connection->crash->lines.count;
}

/* Wait for the socket, not longer than until the moment of the kill. False:
 * that moment has come. */
static bool
wait_for_socket(struct connection *connection,
                int64_t until_us,
                struct pollfd *poll_fd)
{
    int64_t silence_us = SILENCE_MS_MAX * INT64_C(1000);
    int64_t left_us = until_us > 0 ? until_us - server_now_us() : silence_us;
    struct timespec left = {left_us / 1000000, left_us % 1000000 * 1000};

    if (left_us <= 0) {
        return false;
    }
    poll_fd->revents = 0;
    if (ppoll(poll_fd, 1, &left, NULL) == 0 && until_us == 0) {
        crash_fail(connection->crash, "no answer for %d s",
                   SILENCE_MS_MAX / 1000);
    }
    return true;
}

/* Until the kill, or everything is acknowledged; false if the server hangs up
 * by itself. */
static bool
exchange(struct connection *connection,
         const struct crash_stream_options *options)
{
    int64_t until_us = options->run_us > 0 && !options->after_ack
                           ? server_now_us() + options->run_us
                           : 0;

    while (!all_acked(connection)) {
        size_t room = room_to_send(connection, options->window_bytes);
        struct pollfd poll_fd = {
            .fd = connection->fd,
            .events = (short)(POLLIN | (room > 0 ? POLLOUT : 0))};

        if (!wait_for_socket(connection, until_us, &poll_fd)) {
            return true;
        }
        if ((poll_fd.revents & ~POLLOUT) != 0 && !read_answers(connection)) {
            return false;
        }
        if ((poll_fd.revents & POLLOUT) != 0 && !send_some(connection, room)) {
            return false;
        }
        if (options->after_ack && until_us == 0 && connection->out->acked > 0) {
            until_us = server_now_us() + options->run_us;
        }
    }
    return true;
}

/* The answers that were on their way when the server died. */
static void
read_rest(struct connection *connection)
{
    do {
        struct pollfd poll_fd = {.fd = connection->fd, .events = POLLIN};

        (void)poll(&poll_fd, 1, SILENCE_MS_MAX);
    } while (read_answers(connection));
}

void
crash_stream(struct crash *crash,
             struct server_process *server,
             const struct crash_stream_options *options,
             struct crash_stream *out)
{
    static struct connection connection; /* large */
    size_t begin = lines_begin(&crash->lines, crash->position);
    int status;

    *out = (struct crash_stream){0};
    connection = (struct connection){
        .crash = crash, .out = out, .sent_to = begin, .acked_to = begin};
    connection.fd = feed_connect("127.0.0.1", server->feed_port);
    if (connection.fd < 0) {
        crash_fail(crash, "connect: %s", strerror(errno));
    }
    if (!exchange(&connection, options)) {
        crash_fail(crash, "the server hung up by itself");
    }
    if (options->run_us > 0) {
        server_end(server, SIGKILL, &status, NULL);
        read_rest(&connection);
    }
    (void)close(connection.fd);
}
