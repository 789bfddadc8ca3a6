/*
 * listener: accept TCP connections on an event loop without melting down.
 *
 * Out of descriptors, an ordinary accept loop spins: the connection stays in
 * the queue and the socket stays readable. Here one descriptor is kept in
 * reserve; it is given up to accept and close that connection, then the
 * listener pauses for LISTENER_PAUSE_US. At most one log line a second.
 */
#ifndef BASE_LISTENER_H
#define BASE_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "analyzers/err.h"

struct event_base; /* libevent */
struct listener;

enum {
    LISTENER_BACKLOG = 512,
    LISTENER_ACCEPTS_PER_TURN = 64,
    LISTENER_PAUSE_US = 100000
};

/* `fd` is given: non-blocking, close-on-exec, TCP_NODELAY. */
typedef void listener_cb(int fd,
                         const struct sockaddr *peer,
                         socklen_t peer_bytes,
                         void *user);

/*
 *   base     borrowed until listener_free
 *   address  numeric, IPv4 or IPv6
 *   port     0: the system chooses
 *
 * Errors  BAD_VALUE (address), LOCKED (port in use), IO, NO_MEMORY
 */
enum err_code listener_new(struct event_base *base,
                           const char *address,
                           uint16_t port,
                           listener_cb *cb,
                           void *user,
                           struct listener **out,
                           struct err *err) MUST_CHECK;

/* Close the listening socket; accepted ones are the caller's. Accepts NULL. */
void listener_free(struct listener **listener);

/* The port it really has. */
uint16_t listener_port(const struct listener *listener);

/* Stop accepting for good or go on; the socket stays open. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

/* Connections closed at once for want of a descriptor. */
uint64_t listener_dropped_total(const struct listener *listener);

/* "127.0.0.1" into out; and is it this machine? */
void
listener_peer_text(const struct sockaddr *peer, char *out, socklen_t out_bytes);
bool listener_peer_is_loopback(const struct sockaddr *peer);

#endif /* BASE_LISTENER_H */
