/*
 * tls: TLS on a socket that an event loop reads and writes.
 *
 * TLS 1.2 and 1.3, forward secrecy only, no renegotiation, no compression, no
 * tickets. A stream stands between the caller and its socket; a NULL stream is
 * the bare socket, so that callers have one way for both.
 *
 * After tls_read has said EAGAIN wait for the socket to be readable (writable,
 * when tls_wants_write says so). Before waiting see tls_pending: bytes that are
 * decrypted already do not make the socket readable.
 *
 * Source    RFC 8446, RFC 9325
 * Threads   a struct tls is shared; a stream belongs to one thread
 */
#ifndef ACCESS_TLS_H
#define ACCESS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "analyzers/err.h"

struct tls;
struct tls_stream;

/*
 * Read certificate (with its chain) and key, PEM.
 *   paths  copied
 *   out    free with tls_free, after all its streams
 * Errors  NOT_FOUND, IO; BAD_VALUE: no certificate, no key, not a pair, or
 *         everybody may read the key
 */
enum err_code tls_new(const char *cert_path,
                      const char *key_path,
                      struct tls **out,
                      struct err *err) MUST_CHECK;
/* Accepts NULL. */
void tls_free(struct tls **tls);

/* Read the files again, for new connections; on an error the old ones hold. */
enum err_code tls_reload(struct tls *tls, struct err *err) MUST_CHECK;

/* A stream on an accepted, non-blocking socket; the handshake begins with the
 * first tls_read. `fd` stays the caller's. NULL: no memory. */
struct tls_stream *tls_accept(struct tls *tls, int fd);
/* Accepts NULL. The socket stays open. */
void tls_stream_free(struct tls_stream **stream);

/* As recv and send without signals: bytes, 0 at the orderly end, -1 with errno
 * EAGAIN, EINTR or a failure; an end without notice is ECONNRESET. */
ssize_t tls_read(struct tls_stream *stream, int fd, void *data, size_t bytes);
ssize_t
tls_write(struct tls_stream *stream, int fd, const void *data, size_t bytes);

/* Bytes that the next tls_read gives without the socket; 0 for NULL. */
size_t tls_pending(const struct tls_stream *stream);
/* The last tls_read waits until it can write; false for NULL. */
bool tls_wants_write(const struct tls_stream *stream);
/* The handshake is done; true for NULL. */
bool tls_is_ready(const struct tls_stream *stream);

/* Say that nothing more will be written, and shut the sending side. False when
 * the connection is broken. */
bool tls_shut(struct tls_stream *stream, int fd);

#endif /* ACCESS_TLS_H */
