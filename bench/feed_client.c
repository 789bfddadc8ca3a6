/* Sends blocks of lines over some connections and times what comes back. */
#include "bench/feed_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_BYTES_MAX = 64 * 1024, SEND_PARTS_MAX = 64 };

/* A send: the lines up to `line` of the connection went to the kernel then. */
struct stamp {
    uint64_t line;
    uint64_t at_us;
};

struct connection {
    int fd;
    bool waits_for_room; /* EPOLLOUT is armed */
    size_t first_block;  /* then every `connections`-th */
    size_t block;        /* of the next byte to send */
    uint64_t at;         /* that byte, in lines->data */
    uint64_t line_count; /* all it has to send */
    uint64_t sent_line;  /* whole lines sent */
    uint64_t sent_bytes;
    uint64_t acked_line;
    uint64_t acked_bytes;
    uint64_t refused_line; /* the last one */
    size_t acked_block;    /* of the first line that is not acked */
    uint64_t acked_index;  /* that line, in lines->ends */
    struct stamp *stamps;  /* ring, owned */
    size_t stamp_first;
    size_t stamp_count;
    size_t stamp_room;
    char answers[ANSWER_BYTES_MAX];
    size_t answer_bytes;
};

struct run {
    const struct lines *lines;
    const struct feed_client_options *options;
    struct feed_client_result *result;
    struct connection *connections;
    int epoll_fd;
    uint64_t acked_lines;
};

static uint64_t
now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static double
cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int
feed_connect(const char *host, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port)};
    int buffer_bytes = 1 << 20;
    int one = 1;
    int fd;
    int error;

    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes,
                   sizeof(buffer_bytes)) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 &&
        connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        fcntl(fd, F_SETFL, O_NONBLOCK) == 0) {
        return fd;
    }
    error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

/* --- answers ------------------------------------------------------------ */

static bool
parse_number(
    const char *data, size_t bytes, const char *head, char tail, uint64_t *out)
{
    size_t at = strlen(head);
    uint64_t number = 0;
    size_t first = at;

    if (bytes < at || memcmp(data, head, at) != 0) {
        return false;
    }
    while (at < bytes && at < first + 18 && data[at] >= '0' &&
           data[at] <= '9') {
        number = number * 10 + (uint64_t)(data[at] - '0');
        at++;
    }
    *out = number;
    return at > first && at < bytes && data[at] == tail &&
           data[bytes - 1] == '}';
}

bool
feed_answer_parse(const char *data, size_t bytes, struct feed_answer *out)
{
    if (parse_number(data, bytes, "{\"ack\":", '}', &out->line)) {
        out->is_ack = true;
        return true;
    }
    out->is_ack = false;
    return parse_number(data, bytes, "{\"line\":", ',', &out->line);
}

/* Count the latency of the lines up to `line`, each from its send. */
static void
take_stamps(struct run *run, struct connection *connection, uint64_t line)
{
    uint64_t at_us = now_us();
    uint64_t from = connection->acked_line;

    while (from < line && connection->stamp_count > 0) {
        const struct stamp *stamp =
            &connection->stamps[connection->stamp_first];
        uint64_t upto = stamp->line < line ? stamp->line : line;

        histogram_add(&run->result->ack_us, at_us - stamp->at_us, upto - from);
        from = upto;
        if (stamp->line <= line) {
            connection->stamp_first =
                (connection->stamp_first + 1) % connection->stamp_room;
            connection->stamp_count--;
        }
    }
}

static size_t
block_end(const struct lines *lines, size_t block)
{
    size_t end = (block + 1) * FEED_BLOCK_LINES;

    return end < lines->count ? end : lines->count;
}

/* Move acked_bytes on to the end of `line`. */
static void
advance_acked(struct run *run, struct connection *connection, uint64_t line)
{
    uint64_t left = line - connection->acked_line;

    while (left > 0) {
        uint64_t end = block_end(run->lines, connection->acked_block);
        uint64_t upto = connection->acked_index + left;

        upto = upto < end ? upto : end;
        connection->acked_bytes +=
            run->lines->ends[upto - 1] -
            lines_begin(run->lines, connection->acked_index);
        left -= upto - connection->acked_index;
        connection->acked_index = upto;
        if (upto == end) {
            connection->acked_block += run->options->connections;
            connection->acked_index =
                (uint64_t)connection->acked_block * FEED_BLOCK_LINES;
        }
    }
}

static enum err_code
take_answer(struct run *run,
            struct connection *connection,
            const char *data,
            size_t bytes,
            struct err *err)
{
    struct feed_answer answer;

    if (!feed_answer_parse(data, bytes, &answer)) {
        return err_set(err, ERR_IO, "the server sent no answer of the feed");
    }
    if (answer.line > connection->sent_line) {
        return err_set(err, ERR_IO,
                       "the server answered line %llu, %llu were sent",
                       (unsigned long long)answer.line,
                       (unsigned long long)connection->sent_line);
    }
    if (!answer.is_ack) {
        if (answer.line <= connection->acked_line ||
            answer.line <= connection->refused_line) {
            return err_set(err, ERR_IO,
                           "the server refused line %llu twice or after its "
                           "acknowledgement",
                           (unsigned long long)answer.line);
        }
        connection->refused_line = answer.line;
        run->result->refused++;
        return ERR_OK;
    }
    if (answer.line < connection->acked_line) {
        return err_set(err, ERR_IO, "an acknowledgement went back");
    }
    take_stamps(run, connection, answer.line);
    advance_acked(run, connection, answer.line);
    run->acked_lines += answer.line - connection->acked_line;
    connection->acked_line = answer.line;
    run->result->acks++;
    return ERR_OK;
}

static enum err_code
take_answers(struct run *run, struct connection *connection, struct err *err)
{
    size_t at = 0;

    for (;;) {
        const char *begin = connection->answers + at;
        const char *end = memchr(begin, '\n', connection->answer_bytes - at);

        if (end == NULL) {
            break;
        }
        if (take_answer(run, connection, begin, (size_t)(end - begin), err) !=
            ERR_OK) {
            return err->code;
        }
        at = (size_t)(end - connection->answers) + 1;
    }
    connection->answer_bytes -= at;
    memmove(connection->answers, connection->answers + at,
            connection->answer_bytes);
    if (connection->answer_bytes == sizeof(connection->answers)) {
        return err_set(err, ERR_IO, "the server sent an endless answer");
    }
    return ERR_OK;
}

static enum err_code
read_answers(struct run *run, struct connection *connection, struct err *err)
{
    for (;;) {
        ssize_t got =
            recv(connection->fd, connection->answers + connection->answer_bytes,
                 sizeof(connection->answers) - connection->answer_bytes, 0);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return ERR_OK;
        }
        if (got <= 0) {
            return err_set(err, ERR_IO, "the server closed the connection%s%s",
                           got < 0 ? ": " : "", got < 0 ? strerror(errno) : "");
        }
        connection->answer_bytes += (size_t)got;
        if (take_answers(run, connection, err) != ERR_OK) {
            return err->code;
        }
    }
}

/* --- sending ------------------------------------------------------------ */

static bool
remember_stamp(struct connection *connection, uint64_t line, uint64_t at_us)
{
    if (connection->stamp_count == connection->stamp_room) {
        size_t room =
            connection->stamp_room == 0 ? 1024 : 2 * connection->stamp_room;
        struct stamp *stamps = malloc(room * sizeof(*stamps));

        if (stamps == NULL) {
            return false;
        }
        for (size_t i = 0; i < connection->stamp_count; i++) {
            stamps[i] = connection->stamps[(connection->stamp_first + i) %
                                           connection->stamp_room];
        }
        free(connection->stamps);
        connection->stamps = stamps;
        connection->stamp_first = 0;
        connection->stamp_room = room;
    }
    connection->stamps[(connection->stamp_first + connection->stamp_count) %
                       connection->stamp_room] = (struct stamp){line, at_us};
    connection->stamp_count++;
    return true;
}

/* The blocks that fit into `bytes`, from where the connection stands. */
static int
gather(const struct run *run,
       const struct connection *connection,
       uint64_t bytes,
       struct iovec parts[SEND_PARTS_MAX])
{
    size_t block_count =
        (run->lines->count + FEED_BLOCK_LINES - 1) / FEED_BLOCK_LINES;
    size_t block = connection->block;
    uint64_t at = connection->at;
    int count = 0;

    while (count < SEND_PARTS_MAX && block < block_count && bytes > 0) {
        uint64_t end = run->lines->ends[block_end(run->lines, block) - 1];
        uint64_t part = end - at < bytes ? end - at : bytes;

        parts[count++] = (struct iovec){run->lines->data + at, part};
        bytes -= part;
        block += run->options->connections;
        if (block < block_count) {
            at = lines_begin(run->lines, block * FEED_BLOCK_LINES);
        }
    }
    return count;
}

/* Whole lines of the block that end at `at` or before. */
static uint64_t
lines_until(const struct lines *lines, size_t block, uint64_t at)
{
    size_t low = block * FEED_BLOCK_LINES;
    size_t high = block_end(lines, block);
    size_t first = low;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (lines->ends[middle] <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - first;
}

static void
advance_sent(struct run *run, struct connection *connection, uint64_t bytes)
{
    const struct lines *lines = run->lines;

    connection->sent_bytes += bytes;
    while (bytes > 0) {
        uint64_t end = lines->ends[block_end(lines, connection->block) - 1];
        uint64_t part =
            end - connection->at < bytes ? end - connection->at : bytes;
        uint64_t before = lines_until(lines, connection->block, connection->at);

        connection->at += part;
        bytes -= part;
        connection->sent_line +=
            lines_until(lines, connection->block, connection->at) - before;
        if (connection->at == end) {
            size_t next = connection->block + run->options->connections;

            connection->block = next;
            if (next * FEED_BLOCK_LINES < lines->count) {
                connection->at = lines_begin(lines, next * FEED_BLOCK_LINES);
            }
        }
    }
}

static enum err_code
arm(struct run *run,
    struct connection *connection,
    bool for_room,
    struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN |
                                          (for_room ? (uint32_t)EPOLLOUT : 0),
                                .data.ptr = connection};

    if (connection->waits_for_room == for_room) {
        return ERR_OK;
    }
    connection->waits_for_room = for_room;
    if (epoll_ctl(run->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) != 0) {
        return err_set(err, ERR_IO, "epoll: %s", strerror(errno));
    }
    return ERR_OK;
}

/* Send what the window and the socket allow. */
static enum err_code
send_lines(struct run *run, struct connection *connection, struct err *err)
{
    for (;;) {
        uint64_t open = connection->sent_bytes - connection->acked_bytes;
        uint64_t room = run->options->window_bytes - open;
        struct iovec parts[SEND_PARTS_MAX];
        struct msghdr message = {.msg_iov = parts};
        ssize_t sent;
        int count = open < run->options->window_bytes
                        ? gather(run, connection, room, parts)
                        : 0;

        if (count == 0) {
            return arm(run, connection, false, err);
        }
        message.msg_iovlen = (size_t)count;
        sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno == EAGAIN) {
            return arm(run, connection, true, err);
        }
        if (sent < 0) {
            return err_set(err, ERR_IO, "send: %s", strerror(errno));
        }
        advance_sent(run, connection, (uint64_t)sent);
        if (!remember_stamp(connection, connection->sent_line, now_us())) {
            return err_set(err, ERR_NO_MEMORY, "client");
        }
    }
}

/* --- the run ------------------------------------------------------------ */

static enum err_code
open_connections(struct run *run, struct err *err)
{
    run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (run->epoll_fd < 0) {
        return err_set(err, ERR_IO, "epoll: %s", strerror(errno));
    }
    for (unsigned i = 0; i < run->options->connections; i++) {
        struct connection *connection = &run->connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

        connection->block = i;
        connection->acked_block = i;
        connection->acked_index = (uint64_t)i * FEED_BLOCK_LINES;
        if (connection->acked_index < run->lines->count) {
            connection->at = lines_begin(run->lines, connection->acked_index);
        }
        connection->fd = feed_connect(run->options->host, run->options->port);
        if (connection->fd < 0) {
            return err_set(err, ERR_IO, "connect to %s:%u: %s",
                           run->options->host, (unsigned)run->options->port,
                           strerror(errno));
        }
        if (epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) !=
            0) {
            return err_set(err, ERR_IO, "epoll: %s", strerror(errno));
        }
    }
    return ERR_OK;
}

static enum err_code
serve_connection(struct run *run,
                 struct connection *connection,
                 uint32_t events,
                 struct err *err)
{
    if ((events & ~(uint32_t)EPOLLOUT) != 0 &&
        read_answers(run, connection, err) != ERR_OK) {
        return err->code;
    }
    return send_lines(run, connection, err);
}

static enum err_code
exchange(struct run *run, struct err *err)
{
    struct epoll_event events[FEED_CONNECTIONS_MAX];

    for (unsigned i = 0; i < run->options->connections; i++) {
        if (send_lines(run, &run->connections[i], err) != ERR_OK) {
            return err->code;
        }
    }
    while (run->acked_lines < run->lines->count) {
        int count = epoll_wait(run->epoll_fd, events, FEED_CONNECTIONS_MAX,
                               FEED_SILENCE_MS_MAX);

        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return err_set(err, ERR_IO,
                           "no answer for %d s, %llu of %zu lines "
                           "acknowledged",
                           FEED_SILENCE_MS_MAX / 1000,
                           (unsigned long long)run->acked_lines,
                           run->lines->count);
        }
        for (int i = 0; i < count; i++) {
            if (serve_connection(run, events[i].data.ptr, events[i].events,
                                 err) != ERR_OK) {
                return err->code;
            }
        }
    }
    return ERR_OK;
}

enum err_code
feed_client_run(const struct lines *lines,
                const struct feed_client_options *options,
                struct feed_client_result *out,
                struct err *err)
{
    struct run run = {
        .lines = lines, .options = options, .result = out, .epoll_fd = -1};
    uint64_t begin_us;
    double begin_cpu;

    run.connections = calloc(options->connections, sizeof(*run.connections));
    if (run.connections == NULL) {
        return err_set(err, ERR_NO_MEMORY, "client");
    }
    for (unsigned i = 0; i < options->connections; i++) {
        run.connections[i].fd = -1;
    }
    if (open_connections(&run, err) == ERR_OK) {
        begin_us = now_us();
        begin_cpu = cpu_seconds();
        (void)exchange(&run, err);
        out->seconds = (double)(now_us() - begin_us) / 1e6;
        out->cpu_seconds = cpu_seconds() - begin_cpu;
        out->lines = run.acked_lines;
        out->bytes = lines->bytes;
    }
    for (unsigned i = 0; i < options->connections; i++) {
        if (run.connections[i].fd >= 0) {
            (void)close(run.connections[i].fd);
        }
        free(run.connections[i].stamps);
    }
    if (run.epoll_fd >= 0) {
        (void)close(run.epoll_fd);
    }
    free(run.connections);
    return err->code;
}
