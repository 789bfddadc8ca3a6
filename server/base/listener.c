/* Accepts connections; survives the want of descriptors. */
#define _GNU_SOURCE /* accept4 */
#include "server/base/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_MODULE "listener"
#include "server/base/log.h"

struct listener {
    int fd;
    int reserve_fd;
    bool paused; /* by the caller */
    uint16_t port;
    uint64_t dropped_total;
    struct event *ev_accept;
    struct event *ev_resume;
    listener_cb *cb;
    void *user;
};

static void
take_reserve(struct listener *listener)
{
    listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Give up the reserve to take one connection off the queue and close it. */
static void
drop_one(struct listener *listener)
{
    static struct log_limit limit = LOG_LIMIT(1000000);
    struct timeval pause = {0, LISTENER_PAUSE_US};
    int accept_errno = errno;

    if (listener->reserve_fd >= 0) {
        int fd;

        (void)close(listener->reserve_fd);
        fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            (void)close(fd);
            listener->dropped_total++;
        }
    }
    take_reserve(listener);
    log_error_limited(&limit,
                      "connections are dropped, raise the limit of open files "
                      "reason=\"%s\" port=%u",
                      strerror(accept_errno), (unsigned)listener->port);
    (void)event_del(listener->ev_accept);
    (void)evtimer_add(listener->ev_resume, &pause);
}

static void
accept_cb(evutil_socket_t fd, short what, void *user)
{
    struct listener *listener = user;

    (void)what;
    for (int i = 0; i < LISTENER_ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer;
        socklen_t peer_bytes = sizeof(peer);
        int on = 1;
        int accepted;

        if (listener->paused) {
            return;
        }
        accepted = accept4(fd, (struct sockaddr *)&peer, &peer_bytes,
                           SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted < 0 && errno == EAGAIN) {
            return;
        }
        if (accepted < 0 && (errno == EMFILE || errno == ENFILE ||
                             errno == ENOBUFS || errno == ENOMEM)) {
            drop_one(listener);
            return;
        }
        if (accepted < 0) {
            continue; /* that one connection failed: ECONNABORTED, EINTR */
        }
        (void)setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        listener->cb(accepted, (struct sockaddr *)&peer, peer_bytes,
                     listener->user);
    }
}

static void
resume_cb(evutil_socket_t fd, short what, void *user)
{
    struct listener *listener = user;

    (void)fd;
    (void)what;
    if (listener->reserve_fd < 0) {
        take_reserve(listener);
    }
    if (!listener->paused) {
        (void)event_add(listener->ev_accept, NULL);
    }
}

static enum err_code
bind_socket(struct listener *listener,
            const char *address,
            uint16_t port,
            struct err *err)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
    };
    struct addrinfo *found = NULL;
    struct sockaddr_storage bound;
    socklen_t bound_bytes = sizeof(bound);
    char port_text[8];
    int on = 1;
    enum err_code code = ERR_OK;

    (void)snprintf(port_text, sizeof(port_text), "%u", (unsigned)port);
    if (getaddrinfo(address, port_text, &hints, &found) != 0) {
        return err_set(err, ERR_BAD_VALUE,
                       "\"%.80s\" is not an address in numbers, such as "
                       "127.0.0.1",
                       address);
    }
    listener->fd =
        socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0 ||
        setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) !=
            0 ||
        bind(listener->fd, found->ai_addr, found->ai_addrlen) != 0 ||
        listen(listener->fd, LISTENER_BACKLOG) != 0 ||
        getsockname(listener->fd, (struct sockaddr *)&bound, &bound_bytes) !=
            0) {
        code = err_set(
            err, errno == EADDRINUSE ? ERR_LOCKED : ERR_IO,
            "cannot listen on %.80s port %u: %s", address, (unsigned)port,
            errno == EADDRINUSE ? "another program has it; choose another port"
                                : strerror(errno));
        goto out;
    }
    if (bound.ss_family == AF_INET6) {
        struct sockaddr_in6 six;

        memcpy(&six, &bound, sizeof(six));
        listener->port = ntohs(six.sin6_port);
    } else {
        struct sockaddr_in four;

        memcpy(&four, &bound, sizeof(four));
        listener->port = ntohs(four.sin_port);
    }
out:
    freeaddrinfo(found);
    return code;
}

enum err_code
listener_new(struct event_base *base,
             const char *address,
             uint16_t port,
             listener_cb *cb,
             void *user,
             struct listener **out,
             struct err *err)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    enum err_code code;

    if (listener == NULL) {
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    *listener =
        (struct listener){.fd = -1, .reserve_fd = -1, .cb = cb, .user = user};
    code = bind_socket(listener, address, port, err);
    if (code != ERR_OK) {
        goto failed;
    }
    take_reserve(listener);
    listener->ev_accept = event_new(base, listener->fd, EV_READ | EV_PERSIST,
                                    accept_cb, listener);
    listener->ev_resume = evtimer_new(base, resume_cb, listener);
    if (listener->ev_accept == NULL || listener->ev_resume == NULL ||
        event_add(listener->ev_accept, NULL) != 0) {
        code = err_set(err, ERR_NO_MEMORY, "out of memory");
        goto failed;
    }
    *out = listener;
    return ERR_OK;
failed:
    listener_free(&listener);
    return code;
}

void
listener_free(struct listener **listener_at)
{
    struct listener *listener = *listener_at;

    if (listener == NULL) {
        return;
    }
    if (listener->ev_accept != NULL) {
        event_free(listener->ev_accept);
    }
    if (listener->ev_resume != NULL) {
        event_free(listener->ev_resume);
    }
    if (listener->fd >= 0) {
        (void)close(listener->fd);
    }
    if (listener->reserve_fd >= 0) {
        (void)close(listener->reserve_fd);
    }
    free(listener);
    *listener_at = NULL;
}

uint16_t
listener_port(const struct listener *listener)
{
    return listener->port;
}

void
listener_pause(struct listener *listener)
{
    listener->paused = true;
    (void)event_del(listener->ev_accept);
}

void
listener_resume(struct listener *listener)
{
    listener->paused = false;
    (void)event_add(listener->ev_accept, NULL);
}

uint64_t
listener_dropped_total(const struct listener *listener)
{
    return listener->dropped_total;
}

void
listener_peer_text(const struct sockaddr *peer, char *out, socklen_t out_bytes)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    const char *text = NULL;

    if (peer->sa_family == AF_INET) {
        memcpy(&four, peer, sizeof(four));
        text = inet_ntop(AF_INET, &four.sin_addr, out, out_bytes);
    } else if (peer->sa_family == AF_INET6) {
        memcpy(&six, peer, sizeof(six));
        text = inet_ntop(AF_INET6, &six.sin6_addr, out, out_bytes);
    }
    if (text == NULL && out_bytes > 0) {
        out[0] = '\0';
    }
}

bool
listener_peer_is_loopback(const struct sockaddr *peer)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;

    if (peer->sa_family == AF_INET) {
        memcpy(&four, peer, sizeof(four));
        return (ntohl(four.sin_addr.s_addr) >> 24) == 127;
    }
    if (peer->sa_family != AF_INET6) {
        return false;
    }
    memcpy(&six, peer, sizeof(six));
    return IN6_IS_ADDR_LOOPBACK(&six.sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr) &&
            six.sin6_addr.s6_addr[12] == 127);
}
