/* TLS streams by OpenSSL. */
#include "server/access/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define LOG_MODULE "tls"
#include "server/base/log.h"

enum { TLS_PATH_BYTES = 1024, TLS_REASON_BYTES = 160, TLS_WARN_DAYS = 30 };

struct tls {
    char cert_path[TLS_PATH_BYTES];
    char key_path[TLS_PATH_BYTES];
    pthread_mutex_t lock; /* context */
    SSL_CTX *context;
};

struct tls_stream {
    SSL *ssl;
    bool wants_write;
    bool broken; /* nothing may be sent any more, not even the end */
};

/* ---- certificate and key ---- */

/* What OpenSSL says, and forget it. */
static const char *
last_reason(char out[TLS_REASON_BYTES])
{
    unsigned long code = ERR_peek_last_error();

    (void)snprintf(out, TLS_REASON_BYTES, "unknown reason");
    if (code != 0) {
        ERR_error_string_n(code, out, TLS_REASON_BYTES);
    }
    ERR_clear_error();
    return out;
}

static enum err_code
check_files(const struct tls *tls, struct err *err)
{
    struct stat about;

    if (stat(tls->cert_path, &about) != 0) {
        return err_set(err, err_from_errno(errno), "tls_cert '%s': %s",
                       tls->cert_path, strerror(errno));
    }
    if (stat(tls->key_path, &about) != 0) {
        return err_set(err, err_from_errno(errno), "tls_key '%s': %s",
                       tls->key_path, strerror(errno));
    }
    if ((about.st_mode & 07u) != 0) {
        return err_set(err, ERR_BAD_VALUE,
                       "tls_key '%s': everybody on this machine may read it; "
                       "chmod 600 or 640",
                       tls->key_path);
    }
    return ERR_OK;
}

static void
warn_of_its_end(const struct tls *tls, SSL_CTX *context)
{
    X509 *cert = SSL_CTX_get0_certificate(context);
    int days = 0;
    int seconds = 0;

    if (cert == NULL ||
        ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) != 1) {
        return;
    }
    if (days < 0 || seconds < 0) {
        log_error("the certificate has ended path=\"%s\"", tls->cert_path);
    } else if (days < TLS_WARN_DAYS) {
        log_warn("the certificate ends soon days=%d path=\"%s\"", days,
                 tls->cert_path);
    }
}

static bool
set_rules(SSL_CTX *context)
{
    (void)SSL_CTX_set_options(
        context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                     SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

static enum err_code
make_context(const struct tls *tls, SSL_CTX **out, struct err *err)
{
    SSL_CTX *context;
    char reason[TLS_REASON_BYTES];

    if (check_files(tls, err) != ERR_OK) {
        return err->code;
    }
    ERR_clear_error();
    context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || !set_rules(context)) {
        (void)err_set(err, ERR_NO_MEMORY, "TLS: %s", last_reason(reason));
    } else if (SSL_CTX_use_certificate_chain_file(context, tls->cert_path) !=
               1) {
        (void)err_set(err, ERR_BAD_VALUE,
                      "tls_cert '%s': holds no certificate in PEM form: %s",
                      tls->cert_path, last_reason(reason));
    } else if (SSL_CTX_use_PrivateKey_file(context, tls->key_path,
                                           SSL_FILETYPE_PEM) != 1) {
        (void)err_set(err, ERR_BAD_VALUE,
                      "tls_key '%s': is no key in PEM form of the certificate "
                      "in '%s': %s",
                      tls->key_path, tls->cert_path, last_reason(reason));
    }
    if (err->code != ERR_OK) {
        SSL_CTX_free(context);
        return err->code;
    }
    warn_of_its_end(tls, context);
    *out = context;
    return ERR_OK;
}

enum err_code
tls_new(const char *cert_path,
        const char *key_path,
        struct tls **out,
        struct err *err)
{
    struct tls *tls = calloc(1, sizeof(*tls));

    if (tls == NULL || pthread_mutex_init(&tls->lock, NULL) != 0) {
        free(tls);
        return err_set(err, ERR_NO_MEMORY, "TLS");
    }
    (void)snprintf(tls->cert_path, sizeof(tls->cert_path), "%s", cert_path);
    (void)snprintf(tls->key_path, sizeof(tls->key_path), "%s", key_path);
    if (make_context(tls, &tls->context, err) != ERR_OK) {
        tls_free(&tls);
        return err->code;
    }
    *out = tls;
    return ERR_OK;
}

void
tls_free(struct tls **tls)
{
    if (*tls == NULL) {
        return;
    }
    SSL_CTX_free((*tls)->context);
    (void)pthread_mutex_destroy(&(*tls)->lock);
    free(*tls);
    *tls = NULL;
}

enum err_code
tls_reload(struct tls *tls, struct err *err)
{
    SSL_CTX *fresh;
    SSL_CTX *old;

    if (make_context(tls, &fresh, err) != ERR_OK) {
        return err->code;
    }
    (void)pthread_mutex_lock(&tls->lock);
    old = tls->context;
    tls->context = fresh;
    (void)pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(old); /* streams hold what they use */
    return ERR_OK;
}

/* ---- streams ---- */

struct tls_stream *
tls_accept(struct tls *tls, int fd)
{
    struct tls_stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL) {
        return NULL;
    }
    (void)pthread_mutex_lock(&tls->lock);
    stream->ssl = SSL_new(tls->context);
    (void)pthread_mutex_unlock(&tls->lock);
    if (stream->ssl == NULL || SSL_set_fd(stream->ssl, fd) != 1) {
        tls_stream_free(&stream);
        return NULL;
    }
    SSL_set_accept_state(stream->ssl);
    return stream;
}

void
tls_stream_free(struct tls_stream **stream)
{
    if (*stream != NULL) {
        SSL_free((*stream)->ssl);
    }
    free(*stream);
    *stream = NULL;
}

/* errno for what OpenSSL says about a call that gave no bytes; 0: the orderly
 * end. */
static int
errno_of(struct tls_stream *stream, int result, int errno_now)
{
    int error = SSL_get_error(stream->ssl, result);

    stream->wants_write = false;
    ERR_clear_error();
    switch (error) {
    case SSL_ERROR_WANT_READ:
        return EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        stream->wants_write = true;
        return EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        stream->broken = true;
        return errno_now != 0 && errno_now != EAGAIN ? errno_now : ECONNRESET;
    default:
        stream->broken = true;
        return ECONNRESET;
    }
}

ssize_t
tls_read(struct tls_stream *stream, int fd, void *data, size_t bytes)
{
    size_t got = 0;
    int result;

    if (stream == NULL) {
        return recv(fd, data, bytes, 0);
    }
    ERR_clear_error();
    errno = 0;
    result = SSL_read_ex(stream->ssl, data, bytes, &got);
    if (result == 1) {
        return (ssize_t)got;
    }
    errno = errno_of(stream, result, errno);
    return errno == 0 ? 0 : -1;
}

ssize_t
tls_write(struct tls_stream *stream, int fd, const void *data, size_t bytes)
{
    size_t put = 0;
    int result;

    if (stream == NULL) {
        return send(fd, data, bytes, MSG_NOSIGNAL);
    }
    ERR_clear_error();
    errno = 0;
    result = SSL_write_ex(stream->ssl, data, bytes, &put);
    if (result == 1) {
        return (ssize_t)put;
    }
    errno = errno_of(stream, result, errno);
    if (errno == 0 || (errno == EAGAIN && !stream->wants_write)) {
        /* Waits for the client before it can send: no socket event says when,
         * and between whole records that does not happen. */
        stream->broken = true;
        errno = ECONNRESET;
    }
    return -1;
}

size_t
tls_pending(const struct tls_stream *stream)
{
    return stream != NULL && !stream->broken ? (size_t)SSL_pending(stream->ssl)
                                             : 0;
}

bool
tls_wants_write(const struct tls_stream *stream)
{
    return stream != NULL && stream->wants_write;
}

bool
tls_is_ready(const struct tls_stream *stream)
{
    return stream == NULL || SSL_is_init_finished(stream->ssl) == 1;
}

bool
tls_shut(struct tls_stream *stream, int fd)
{
    if (stream != NULL && !stream->broken && tls_is_ready(stream)) {
        (void)SSL_shutdown(stream->ssl);
        ERR_clear_error();
    }
    return shutdown(fd, SHUT_WR) == 0;
}
