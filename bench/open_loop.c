/* Connection c of n sends the lines c, c + n, c + 2n, ... when they are due. */
#include "bench/open_loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bench/feed_client.h"
#include "bench/server_process.h"

enum { PARTS_MAX = 256, ANSWER_BYTES_MAX = 64 * 1024, TICK_US = 500 };

struct connection {
    int fd;
    size_t next;       /* line to be sent, in lines */
    size_t next_bytes; /* of it that went out */
    size_t acked;      /* lines of this connection */
    size_t answer_bytes;
    char answers[ANSWER_BYTES_MAX];
};

struct open_loop {
    const struct lines *lines;
    const struct open_loop_options *options;
    struct open_loop_result *out;
    struct connection *connections;
    int64_t begin_us;
    size_t due;   /* lines that should be sent by now */
    size_t limit; /* lines that will be sent at all */
    size_t acked;
};

static int64_t
intended_us(const struct open_loop *loop, size_t line)
{
    return loop->begin_us + (int64_t)((double)line * 1e6 / loop->options->rate);
}

/* What is due and not sent, as far as the socket takes it. */
static enum err_code
send_due(struct open_loop *loop, struct connection *connection, struct err *err)
{
    unsigned step = loop->options->connections;

    while (connection->next < loop->due) {
        struct iovec parts[PARTS_MAX];
        struct msghdr message = {.msg_iov = parts};
        size_t skip = connection->next_bytes;
        ssize_t sent;

        for (size_t line = connection->next;
             line < loop->due && message.msg_iovlen < PARTS_MAX; line += step) {
            uint64_t from = lines_begin(loop->lines, line) + skip;

            parts[message.msg_iovlen++] =
                (struct iovec){loop->lines->data + from,
                               (size_t)(loop->lines->ends[line] - from)};
            skip = 0;
        }
        sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            return ERR_OK;
        }
        if (sent < 0) {
            return err_set(err, ERR_IO, "send: %s", strerror(errno));
        }
        for (size_t i = 0; sent > 0; i++) {
            if ((size_t)sent < parts[i].iov_len) {
                connection->next_bytes += (size_t)sent;
                break;
            }
            sent -= (ssize_t)parts[i].iov_len;
            connection->next += step;
            connection->next_bytes = 0;
        }
    }
    return ERR_OK;
}

static enum err_code
take_answer(struct open_loop *loop,
            struct connection *connection,
            const char *data,
            size_t bytes,
            struct err *err)
{
    unsigned step = loop->options->connections;
    size_t first = (size_t)(connection - loop->connections);
    int64_t at_us = server_now_us();
    struct feed_answer answer;

    if (!feed_answer_parse(data, bytes, &answer)) {
        return err_set(err, ERR_IO, "the server sent no answer of the feed");
    }
    if (!answer.is_ack) {
        loop->out->refused++;
        return ERR_OK;
    }
    if (answer.line < connection->acked ||
        first + (size_t)answer.line * step > connection->next + step) {
        return err_set(err, ERR_IO, "an acknowledgement of what was not sent");
    }
    while (connection->acked < answer.line) {
        int64_t from_us = intended_us(loop, first + connection->acked * step);

        histogram_add(&loop->out->ack_us,
                      at_us > from_us ? (uint64_t)(at_us - from_us) : 0, 1);
        connection->acked++;
        loop->acked++;
    }
    return ERR_OK;
}

static enum err_code
read_answers(struct open_loop *loop,
             struct connection *connection,
             struct err *err)
{
    ssize_t got = recv(
        connection->fd, connection->answers + connection->answer_bytes,
        sizeof(connection->answers) - connection->answer_bytes, MSG_DONTWAIT);
    const char *end;
    size_t at = 0;

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return ERR_OK;
    }
    if (got <= 0) {
        return err_set(err, ERR_IO, "the server closed the connection");
    }
    connection->answer_bytes += (size_t)got;
    while ((end = memchr(connection->answers + at, '\n',
                         connection->answer_bytes - at)) != NULL) {
        const char *begin = connection->answers + at;

        if (take_answer(loop, connection, begin, (size_t)(end - begin), err) !=
            ERR_OK) {
            return err->code;
        }
        at = (size_t)(end - connection->answers) + 1;
    }
    connection->answer_bytes -= at;
    memmove(connection->answers, connection->answers + at,
            connection->answer_bytes);
    return connection->answer_bytes < sizeof(connection->answers)
               ? ERR_OK
               : err_set(err, ERR_IO, "the server sent an endless answer");
}

/* How many lines are due; the loop gives up when it is too far behind. */
static void
look_at_clock(struct open_loop *loop)
{
    int64_t now_us = server_now_us();
    double due = (double)(now_us - loop->begin_us) * loop->options->rate / 1e6;

    loop->due = due < (double)loop->limit ? (size_t)due + 1 : loop->limit;
    loop->due = loop->due < loop->limit ? loop->due : loop->limit;
    if (loop->options->stop != NULL && atomic_load(loop->options->stop)) {
        loop->limit = loop->due < loop->limit ? loop->due : loop->limit;
    }
    if (!loop->out->gave_up && loop->acked < loop->due &&
        now_us - intended_us(loop, loop->acked) >
            OPEN_LOOP_BEHIND_MS_MAX * INT64_C(1000)) {
        loop->out->gave_up = true;
        loop->limit = loop->due;
    }
}

static enum err_code
exchange(struct open_loop *loop, struct err *err)
{
    struct pollfd polls[OPEN_LOOP_CONNECTIONS_MAX];
    const struct timespec tick = {0, TICK_US * 1000};
    unsigned count = loop->options->connections;

    while (loop->acked < loop->limit) {
        look_at_clock(loop);
        for (unsigned i = 0; i < count; i++) {
            struct connection *connection = &loop->connections[i];

            if (send_due(loop, connection, err) != ERR_OK) {
                return err->code;
            }
            polls[i] = (struct pollfd){
                .fd = connection->fd,
                .events =
                    (short)(POLLIN |
                            (connection->next < loop->due ? POLLOUT : 0))};
        }
        if (ppoll(polls, count, &tick, NULL) < 0 && errno != EINTR) {
            return err_set(err, ERR_IO, "poll: %s", strerror(errno));
        }
        for (unsigned i = 0; i < count; i++) {
            if ((polls[i].revents & ~POLLOUT) != 0 &&
                read_answers(loop, &loop->connections[i], err) != ERR_OK) {
                return err->code;
            }
        }
    }
    return ERR_OK;
}

static double
cpu_seconds(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

enum err_code
open_loop_run(const struct lines *lines,
              const struct open_loop_options *options,
              struct open_loop_result *out,
              struct err *err)
{
    struct open_loop loop = {
        .lines = lines, .options = options, .out = out, .limit = lines->count};
    double begin_cpu = cpu_seconds();

    loop.connections = calloc(options->connections, sizeof(*loop.connections));
    if (loop.connections == NULL) {
        return err_set(err, ERR_NO_MEMORY, "client");
    }
    for (unsigned i = 0; i < options->connections; i++) {
        loop.connections[i].next = i;
        loop.connections[i].fd =
            err->code == ERR_OK ? feed_connect(options->host, options->port)
                                : -1;
        if (err->code == ERR_OK && loop.connections[i].fd < 0) {
            (void)err_set(err, ERR_IO, "connect to %s:%u: %s", options->host,
                          (unsigned)options->port, strerror(errno));
        }
    }
    loop.begin_us = server_now_us();
    if (err->code == ERR_OK && exchange(&loop, err) == ERR_OK) {
        out->seconds = (double)(server_now_us() - loop.begin_us) / 1e6;
        out->cpu_seconds = cpu_seconds() - begin_cpu;
        out->lines = loop.acked;
    }
    for (unsigned i = 0; i < options->connections; i++) {
        if (loop.connections[i].fd >= 0) {
            (void)close(loop.connections[i].fd);
        }
    }
    free(loop.connections);
    return err->code;
}
