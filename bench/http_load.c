/* One thread, epoll; a request is a head and a stretch of the lines. */
#include "bench/http_load.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bench/feed_client.h"
#include "bench/server_process.h"

enum { HEAD_BYTES_MAX = 512, ANSWER_BYTES_MAX = 256 * 1024 };

struct connection {
    int fd;
    bool waits_for_room;
    char head[HEAD_BYTES_MAX];
    size_t head_bytes;
    const char *body;
    size_t body_bytes;
    size_t sent; /* of both; */
    size_t lines;
    int64_t begun_us; /* 0: idle */
    size_t answer_bytes;
    char answer[ANSWER_BYTES_MAX];
};

struct load {
    const struct lines *lines;
    const struct http_load_options *options;
    struct http_load_result *out;
    struct connection *connections;
    int epoll_fd;
    size_t next; /* line to be sent next */
    size_t in_flight;
};

static double
cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The next request of a connection; false when nothing is left. */
static bool
begin_request(struct load *load, struct connection *connection)
{
    size_t end = load->options->first + load->options->count;
    size_t count = load->options->lines_per_request;
    uint64_t from;

    if (load->next >= end) {
        return false;
    }
    count = count < end - load->next ? count : end - load->next;
    from = lines_begin(load->lines, load->next);
    connection->body = load->lines->data + from;
    connection->body_bytes =
        (size_t)(load->lines->ends[load->next + count - 1] - from);
    connection->head_bytes = (size_t)snprintf(
        connection->head, sizeof(connection->head),
        "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: "
        "application/x-ndjson\r\nContent-Length: %zu\r\n\r\n",
        load->options->path, load->options->host, connection->body_bytes);
    connection->sent = 0;
    connection->answer_bytes = 0;
    connection->lines = count;
    connection->begun_us = server_now_us();
    load->next += count;
    load->in_flight++;
    return true;
}

static enum err_code
wait_for_room(struct load *load,
              struct connection *connection,
              bool room,
              struct err *err)
{
    struct epoll_event event = {.events =
                                    EPOLLIN | (room ? (uint32_t)EPOLLOUT : 0),
                                .data.ptr = connection};

    if (connection->waits_for_room != room &&
        epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) != 0) {
        return err_set(err, ERR_IO, "epoll: %s", strerror(errno));
    }
    connection->waits_for_room = room;
    return ERR_OK;
}

static enum err_code
send_rest(struct load *load, struct connection *connection, struct err *err)
{
    size_t all = connection->head_bytes + connection->body_bytes;

    while (connection->sent < all) {
        struct iovec parts[2];
        struct msghdr message = {.msg_iov = parts};
        size_t at = connection->sent;
        ssize_t sent;

        if (at < connection->head_bytes) {
            parts[message.msg_iovlen++] = (struct iovec){
                connection->head + at, connection->head_bytes - at};
            at = connection->head_bytes;
        }
        at -= connection->head_bytes;
        parts[message.msg_iovlen++] =
            (struct iovec){(void *)(uintptr_t)(connection->body + at),
                           connection->body_bytes - at};
        sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            return wait_for_room(load, connection, true, err);
        }
        if (sent < 0 && errno != EINTR) {
            return err_set(err, ERR_IO, "send: %s", strerror(errno));
        }
        connection->sent += sent > 0 ? (size_t)sent : 0;
    }
    return wait_for_room(load, connection, false, err);
}

/* Bytes of a whole answer, 0 when there is more to come; *status. */
static size_t
answer_end(const struct connection *connection, unsigned *status)
{
    const char *head_end = strstr(connection->answer, "\r\n\r\n");
    const char *at = connection->answer;
    size_t body = 0;

    if (head_end == NULL || sscanf(at, "HTTP/1.1 %3u", status) != 1) {
        return 0;
    }
    while (at < head_end) {
        const char *next = memchr(at, '\n', (size_t)(head_end + 2 - at));

        if (strncasecmp(at, "Content-Length:", 15) == 0) {
            body = strtoul(at + 15, NULL, 10);
        }
        at = next + 1;
    }
    body += (size_t)(head_end + 4 - connection->answer);
    return body <= connection->answer_bytes ? body : 0;
}

static enum err_code
take_answer(struct load *load, struct connection *connection, struct err *err)
{
    struct http_load_result *out = load->out;
    unsigned status = 0;

    if (answer_end(connection, &status) == 0) {
        return connection->answer_bytes < sizeof(connection->answer) - 1
                   ? ERR_OK
                   : err_set(err, ERR_IO, "an endless answer");
    }
    if (status < 200 || status > 499) {
        return err_set(err, ERR_IO, "the server answers %u", status);
    }
    histogram_add(&out->answer_us,
                  (uint64_t)(server_now_us() - connection->begun_us), 1);
    out->statuses[status / 100]++;
    out->requests++;
    out->lines += connection->lines;
    load->in_flight--;
    return begin_request(load, connection) ? send_rest(load, connection, err)
                                           : ERR_OK;
}

static enum err_code
read_answer(struct load *load, struct connection *connection, struct err *err)
{
    ssize_t got =
        recv(connection->fd, connection->answer + connection->answer_bytes,
             sizeof(connection->answer) - 1 - connection->answer_bytes, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return ERR_OK;
    }
    if (got <= 0) {
        return err_set(err, ERR_IO, "the server closed a connection");
    }
    connection->answer_bytes += (size_t)got;
    connection->answer[connection->answer_bytes] = '\0';
    return take_answer(load, connection, err);
}

static enum err_code
connect_all(struct load *load, struct err *err)
{
    for (unsigned i = 0; i < load->options->connections; i++) {
        struct connection *connection = &load->connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

        connection->fd = feed_connect(load->options->host, load->options->port);
        if (connection->fd < 0 || epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD,
                                            connection->fd, &event) != 0) {
            return err_set(err, ERR_IO, "connect to %s:%u: %s",
                           load->options->host, (unsigned)load->options->port,
                           strerror(errno));
        }
    }
    return ERR_OK;
}

static enum err_code
exchange(struct load *load, struct err *err)
{
    struct epoll_event events[64];

    for (unsigned i = 0; i < load->options->connections; i++) {
        if (begin_request(load, &load->connections[i]) &&
            send_rest(load, &load->connections[i], err) != ERR_OK) {
            return err->code;
        }
    }
    while (load->in_flight > 0) {
        int count =
            epoll_wait(load->epoll_fd, events, 64, HTTP_LOAD_SILENCE_MS_MAX);

        if (count == 0 || (count < 0 && errno != EINTR)) {
            return err_set(err, ERR_IO, "no answer for %d s",
                           HTTP_LOAD_SILENCE_MS_MAX / 1000);
        }
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;

            if ((events[i].events & EPOLLOUT) != 0 &&
                send_rest(load, connection, err) != ERR_OK) {
                return err->code;
            }
            if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0 &&
                read_answer(load, connection, err) != ERR_OK) {
                return err->code;
            }
        }
    }
    return ERR_OK;
}

enum err_code
http_load_run(const struct lines *lines,
              const struct http_load_options *options,
              struct http_load_result *out,
              struct err *err)
{
    struct load load = {.lines = lines,
                        .options = options,
                        .out = out,
                        .next = options->first,
                        .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    double begin_cpu;
    int64_t begin_us;

    load.connections = calloc(options->connections, sizeof(*load.connections));
    if (load.connections == NULL || load.epoll_fd < 0) {
        free(load.connections);
        return err_set(err, ERR_NO_MEMORY, "client");
    }
    for (unsigned i = 0; i < options->connections; i++) {
        load.connections[i].fd = -1;
    }
    if (connect_all(&load, err) == ERR_OK) {
        begin_us = server_now_us();
        begin_cpu = cpu_seconds();
        (void)exchange(&load, err);
        out->seconds = (double)(server_now_us() - begin_us) / 1e6;
        out->cpu_seconds = cpu_seconds() - begin_cpu;
    }
    for (unsigned i = 0; i < options->connections; i++) {
        if (load.connections[i].fd >= 0) {
            (void)close(load.connections[i].fd);
        }
    }
    (void)close(load.epoll_fd);
    free(load.connections);
    return err->code;
}
