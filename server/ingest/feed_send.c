/* The client's side of the feed. */
#include "server/ingest/feed_send.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/base/tls_client.h"

enum {
    FEED_SEND_BYTES = 256 * 1024,       /* in one system call */
    FEED_SEND_ANSWER_BYTES_MAX = 65536, /* one line of the server */
    FEED_SEND_READ_BYTES = 16 * 1024,
    FEED_SEND_TOKEN_BYTES = 300,
    FEED_SEND_HANDSHAKE_S = 30
};

struct sender {
    const struct feed_send_options *options;
    struct feed_send_counts *counts;
    uint64_t acknowledged; /* on this connection */
    struct span token;     /* the token's line, not sent yet */
    struct span rest;      /* not sent yet */
    struct err *err;       /* the server's reason for closing */
    bool needs_line_end;   /* the last line lacks one */
    bool shut;             /* everything is sent */
    bool answered;         /* with anything */
    struct buf answers;
    struct tls_client *tls; /* NULL: in the open */
    int fd;
};

/* Shake hands when the feed is asked for over TLS. */
static enum err_code
secure(struct sender *sender, struct err *err)
{
    const struct feed_send_options *options = sender->options;
    const struct timeval wait = {.tv_sec = FEED_SEND_HANDSHAKE_S};
    struct err why = {0};

    if (options->trust == NULL) {
        return ERR_OK;
    }
    (void)setsockopt(sender->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    (void)setsockopt(sender->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (tls_client_open(options->trust, sender->fd, options->host, &sender->tls,
                        &why) != ERR_OK) {
        return err_set(err, why.code, "the feed at %s port %s: %s",
                       options->host, options->port, why.detail);
    }
    return ERR_OK;
}

static enum err_code
open_connection(struct sender *sender, struct err *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    int rc = getaddrinfo(sender->options->host, sender->options->port, &hints,
                         &addresses);

    if (rc != 0) {
        return err_set(err, ERR_IO, "%s: %s", sender->options->host,
                       gai_strerror(rc));
    }
    for (struct addrinfo *a = addresses; a != NULL; a = a->ai_next) {
        sender->fd =
            socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (sender->fd >= 0 &&
            connect(sender->fd, a->ai_addr, a->ai_addrlen) == 0) {
            break;
        }
        if (sender->fd >= 0) {
            (void)close(sender->fd);
            sender->fd = -1;
        }
    }
    freeaddrinfo(addresses);
    if (sender->fd < 0) {
        return err_set(err, ERR_IO,
                       "cannot connect to the feed at %s port %s: %s; is the "
                       "server running?",
                       sender->options->host, sender->options->port,
                       strerror(errno));
    }
    if (secure(sender, err) != ERR_OK) {
        (void)close(sender->fd);
        return err->code;
    }
    (void)fcntl(sender->fd, F_SETFL, O_NONBLOCK);
    return ERR_OK;
}

/* {"ack":N} */
static bool
read_ack(struct span line, uint64_t *out)
{
    const struct span prefix = SPAN_LITERAL("{\"ack\":");
    uint64_t value = 0;

    if (!span_starts(line, prefix)) {
        return false;
    }
    for (size_t i = prefix.bytes;
         i < line.bytes && line.data[i] >= '0' && line.data[i] <= '9'; i++) {
        value = value * 10 + (uint64_t)(line.data[i] - '0');
    }
    *out = value;
    return true;
}

static void
take_answers(struct sender *sender)
{
    struct span rest = buf_view(&sender->answers);
    size_t used = 0;

    for (;;) {
        struct span left = {rest.data + used, rest.bytes - used};
        const char *end =
            left.bytes > 0 ? memchr(left.data, '\n', left.bytes) : NULL;
        uint64_t acknowledged;

        if (end == NULL) {
            break;
        }
        left.bytes = (size_t)(end - left.data);
        used += left.bytes + 1;
        if (read_ack(left, &acknowledged)) {
            sender->acknowledged = acknowledged;
            if (sender->options->progress != NULL) {
                sender->options->progress(sender->options->data, acknowledged);
            }
        } else if (!span_starts(left, SPAN_LITERAL("{\"line\":"))) {
            (void)err_set(sender->err, ERR_BAD_VALUE,
                          "the server closed the feed: %.*s", SPAN_ARGS(left));
        } else {
            sender->counts->refused++;
            if (sender->options->refused != NULL) {
                sender->options->refused(sender->options->data, left);
            }
        }
    }
    buf_drop_front(&sender->answers, used);
}

/* False when the server has closed or broken the connection. */
static bool
read_answers(struct sender *sender)
{
    char room[FEED_SEND_READ_BYTES];
    ssize_t got;

    do {
        got = tls_client_read(sender->tls, sender->fd, room, sizeof(room));
        if (got <= 0) {
            return got < 0 && (errno == EAGAIN || errno == EINTR);
        }
        sender->answered = true;
        buf_put(&sender->answers, room, (size_t)got);
        take_answers(sender);
    } while (!sender->answers.failed && tls_client_pending(sender->tls) > 0);
    return !sender->answers.failed;
}

static bool
send_some(struct sender *sender)
{
    struct span *from =
        sender->token.bytes > 0 ? &sender->token : &sender->rest;
    struct span next = *from;
    ssize_t sent;

    if (next.bytes == 0 && sender->needs_line_end) {
        sender->needs_line_end = false;
        next = sender->rest = SPAN_LITERAL("\n");
    }
    if (next.bytes == 0) {
        sender->shut = tls_client_shut(sender->tls, sender->fd);
        return sender->shut || errno == EAGAIN;
    }
    sent = tls_client_write(sender->tls, sender->fd, next.data,
                            next.bytes < FEED_SEND_BYTES ? next.bytes
                                                         : FEED_SEND_BYTES);
    if (sent >= 0) {
        from->data += sent;
        from->bytes -= (size_t)sent;
        return true;
    }
    return errno == EAGAIN || errno == EINTR;
}

static uint64_t
count_lines(struct span bytes)
{
    uint64_t lines = 0;

    while (bytes.bytes > 0) {
        (void)span_split(&bytes, '\n');
        lines++;
    }
    return lines;
}

enum err_code
feed_send(const struct feed_send_options *options,
          struct span bytes,
          struct feed_send_counts *counts,
          struct err *err)
{
    struct sender sender = {.options = options,
                            .counts = counts,
                            .rest = bytes,
                            .err = err,
                            .fd = -1};
    char token[FEED_SEND_TOKEN_BYTES];
    uint64_t lines = count_lines(bytes);
    bool alive = true;

    if (bytes.bytes == 0) {
        return ERR_OK;
    }
    if (options->token != NULL) {
        (void)snprintf(token, sizeof(token), "{\"token\":\"%s\"}\n",
                       options->token);
        sender.token = span_of(token);
    }
    sender.needs_line_end = bytes.data[bytes.bytes - 1] != '\n';
    if (open_connection(&sender, err) != ERR_OK) {
        return err->code;
    }
    buf_init(&sender.answers, FEED_SEND_ANSWER_BYTES_MAX);
    while (alive && sender.acknowledged < lines) {
        struct pollfd poll_fd = {
            sender.fd, (short)(POLLIN | (sender.shut ? 0 : POLLOUT)), 0};

        if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR) {
            break;
        }
        if ((poll_fd.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            alive = read_answers(&sender);
        }
        if (alive && (poll_fd.revents & POLLOUT) != 0) {
            alive = send_some(&sender);
        }
    }
    tls_client_free(&sender.tls);
    (void)close(sender.fd);
    buf_release(&sender.answers);
    counts->lines += lines;
    counts->acknowledged += sender.acknowledged;
    if (sender.acknowledged < lines) {
        return err_set(err, ERR_IO,
                       "the connection to the feed broke after %" PRIu64
                       " of %" PRIu64
                       " lines were acknowledged; send the file again, what is "
                       "stored already counts as a duplicate%s",
                       sender.acknowledged, lines,
                       sender.answered || options->trust != NULL
                           ? ""
                           : " (a server with a certificate wants tls://)");
    }
    return ERR_OK;
}
