/*
 * tls_client: the client's side of TLS, which talks to nobody it cannot verify.
 *
 * TLS 1.2 and 1.3. The server's certificate must be signed by somebody who is
 * trusted, be valid now and name the host that was asked for. There is no way
 * to go on without that.
 *
 * Source    RFC 8446, RFC 9525
 */
#ifndef BASE_TLS_CLIENT_H
#define BASE_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "analyzers/err.h"

struct tls_trust;
struct tls_client;

/*
 * Whose signature counts.
 *
 *   ca_path  certificates (PEM) of whoever signed the server's, or the server's
 *            own: these alone; NULL or "": those that the system trusts
 *   out      given: tls_trust_free, after all its streams
 *
 * Errors  NOT_FOUND, IO; BAD_VALUE: no certificate in the file; NO_MEMORY
 */
enum err_code tls_trust_new(const char *ca_path,
                            struct tls_trust **out,
                            struct err *err) MUST_CHECK;
/* Accepts NULL. */
void tls_trust_free(struct tls_trust **trust);

/*
 * Shake hands on a connected, blocking socket and look at the certificate. The
 * time-outs of the socket hold.
 *
 *   fd    stays the caller's; may be made non-blocking afterwards
 *   host  name or numeric address that the certificate must be for
 *   out   given: tls_client_free
 *
 * Errors  BAD_VALUE: the certificate is not accepted, and why; BUSY: no answer
 *         in time; IO: the other side speaks no TLS, or not ours; NO_MEMORY.
 *         The detail does not name the host: the caller knows it.
 */
enum err_code tls_client_open(const struct tls_trust *trust,
                              int fd,
                              const char *host,
                              struct tls_client **out,
                              struct err *err) MUST_CHECK;
/* Accepts NULL. The socket stays open. */
void tls_client_free(struct tls_client **client);

/* As recv and send: bytes, 0 at the orderly end, -1 with errno EAGAIN or a
 * failure; an end without notice is ECONNRESET. A NULL client is the bare
 * socket. The caller's process ignores SIGPIPE. */
ssize_t
tls_client_read(struct tls_client *client, int fd, void *data, size_t bytes);
ssize_t tls_client_write(struct tls_client *client,
                         int fd,
                         const void *data,
                         size_t bytes);

/* Bytes that the next read gives without the socket; 0 for NULL. */
size_t tls_client_pending(const struct tls_client *client);

/* Say that nothing more will be written; reading goes on. False with errno
 * EAGAIN (say it again when the socket takes bytes) or a failure. */
bool tls_client_shut(struct tls_client *client, int fd);

#endif /* BASE_TLS_CLIENT_H */
