/* The client's side of TLS by OpenSSL. */
#include "server/base/tls_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TLS_REASON_BYTES = 200, TLS_NAMES_BYTES = 160, TLS_DAY_BYTES = 32 };

struct tls_trust {
    SSL_CTX *context;
};

struct tls_client {
    SSL *ssl;
    const char *host; /* during the handshake */
    bool broken;      /* nothing may be sent any more, not even the end */
    char refusal[TLS_REASON_BYTES + TLS_NAMES_BYTES]; /* "" or why not */
};

/* What OpenSSL says, and forget it. */
static const char *
last_reason(char out[TLS_REASON_BYTES])
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    (void)snprintf(out, TLS_REASON_BYTES, "%s",
                   reason != NULL ? reason : "unknown reason");
    ERR_clear_error();
    return out;
}

/* ---- what is wrong with a certificate ---- */

/* Bytes that the other side chose, for a terminal. */
static void
put_name(char *out, size_t out_bytes, const unsigned char *name, int bytes)
{
    size_t used = strlen(out);

    if (used > 0 && used + 2 < out_bytes) {
        out[used++] = ',';
        out[used++] = ' ';
    }
    for (int i = 0; i < bytes && used + 1 < out_bytes; i++) {
        out[used++] = name[i] > ' ' && name[i] < 0x7F ? (char)name[i] : '?';
    }
    out[used] = '\0';
}

static void
put_address(char *out, size_t out_bytes, const ASN1_OCTET_STRING *address)
{
    char text[INET6_ADDRSTRLEN] = "?";
    int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;

    if (family == AF_INET || ASN1_STRING_length(address) == 16) {
        (void)inet_ntop(family, ASN1_STRING_get0_data(address), text,
                        sizeof(text));
    }
    put_name(out, out_bytes, (const unsigned char *)text, (int)strlen(text));
}

/* Names and addresses that the certificate is for, as far as there is room. */
static void
names_of(const X509 *cert, char out[TLS_NAMES_BYTES])
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    char common[TLS_NAMES_BYTES];
    int bytes;

    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS) {
            put_name(out, TLS_NAMES_BYTES,
                     ASN1_STRING_get0_data(name->d.dNSName),
                     ASN1_STRING_length(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            put_address(out, TLS_NAMES_BYTES, name->d.iPAddress);
        }
    }
    GENERAL_NAMES_free(names);
    bytes = out[0] == '\0'
                ? X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
                                            NID_commonName, common,
                                            (int)sizeof(common))
                : 0;
    if (bytes > 0) {
        put_name(out, TLS_NAMES_BYTES, (const unsigned char *)common, bytes);
    }
}

static const char *
day_of(const ASN1_TIME *time, char out[TLS_DAY_BYTES])
{
    struct tm day;

    if (ASN1_TIME_to_tm(time, &day) != 1 ||
        strftime(out, TLS_DAY_BYTES, "%Y-%m-%d %H:%M UTC", &day) == 0) {
        (void)snprintf(out, TLS_DAY_BYTES, "an unreadable time");
    }
    return out;
}

/* OpenSSL asks this for each certificate of the chain; the first that does not
 * hold says why, and that is the end. */
static int
judge_certificate(int holds, X509_STORE_CTX *chain)
{
    SSL *ssl =
        X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_client *client = SSL_get_app_data(ssl);
    const X509 *cert = X509_STORE_CTX_get_current_cert(chain);
    int code = X509_STORE_CTX_get_error(chain);
    char names[TLS_NAMES_BYTES];
    char day[TLS_DAY_BYTES];
    char *out = client->refusal;
    size_t bytes = sizeof(client->refusal);

    if (holds || out[0] != '\0') {
        return holds;
    }
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        (void)snprintf(out, bytes,
                       "the certificate ended at %s; the server needs a new "
                       "one",
                       day_of(X509_get0_notAfter(cert), day));
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        (void)snprintf(out, bytes,
                       "the certificate begins at %s; is a clock wrong?",
                       day_of(X509_get0_notBefore(cert), day));
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        names_of(cert, names);
        (void)snprintf(out, bytes,
                       "the certificate is for %s, not for %.80s; ask for the "
                       "server by a name that stands in it",
                       names[0] != '\0' ? names : "nobody by name",
                       client->host);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        (void)snprintf(out, bytes,
                       "nobody who is trusted signed the certificate (%s); "
                       "--ca FILE names who did",
                       X509_verify_cert_error_string(code));
        break;
    default:
        (void)snprintf(out, bytes, "the certificate is not accepted: %s",
                       X509_verify_cert_error_string(code));
        break;
    }
    return 0;
}

/* ---- trust ---- */

static enum err_code
load_trusted(SSL_CTX *context, const char *path, struct err *err)
{
    char reason[TLS_REASON_BYTES];

    if (path == NULL || path[0] == '\0') {
        return SSL_CTX_set_default_verify_paths(context) == 1
                   ? ERR_OK
                   : err_set(err, ERR_IO, "the certificates of the system: %s",
                             last_reason(reason));
    }
    if (access(path, R_OK) != 0) {
        return err_set(err, err_from_errno(errno), "--ca '%s': %s", path,
                       strerror(errno));
    }
    if (SSL_CTX_load_verify_file(context, path) != 1) {
        return err_set(err, ERR_BAD_VALUE,
                       "--ca '%s': holds no certificate in PEM form: %s", path,
                       last_reason(reason));
    }
    return ERR_OK;
}

enum err_code
tls_trust_new(const char *ca_path, struct tls_trust **out, struct err *err)
{
    struct tls_trust *trust = calloc(1, sizeof(*trust));

    if (trust != NULL) {
        trust->context = SSL_CTX_new(TLS_client_method());
    }
    if (trust == NULL || trust->context == NULL ||
        SSL_CTX_set_min_proto_version(trust->context, TLS1_2_VERSION) != 1) {
        (void)err_set(err, ERR_NO_MEMORY, "TLS");
    } else {
        SSL_CTX_set_verify(trust->context, SSL_VERIFY_PEER, judge_certificate);
        (void)SSL_CTX_set_mode(trust->context,
                               SSL_MODE_ENABLE_PARTIAL_WRITE |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        /* The server's own certificate is enough to know it again. */
        (void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(trust->context),
                                          X509_V_FLAG_PARTIAL_CHAIN);
        (void)!load_trusted(trust->context, ca_path, err);
    }
    if (err->code != ERR_OK) {
        tls_trust_free(&trust);
        return err->code;
    }
    *out = trust;
    return ERR_OK;
}

void
tls_trust_free(struct tls_trust **trust)
{
    if (*trust != NULL) {
        SSL_CTX_free((*trust)->context);
    }
    free(*trust);
    *trust = NULL;
}

/* ---- the stream ---- */

/* Whom the certificate must be for; a name is told to the server, too. */
static bool
expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(rules, host) == 1) {
        return true;
    }
    ERR_clear_error();
    X509_VERIFY_PARAM_set_hostflags(rules,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(rules, host, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, host) == 1;
}

static enum err_code
handshake_failed(struct tls_client *client,
                 int result,
                 int errno_now,
                 struct err *err)
{
    char reason[TLS_REASON_BYTES];

    if (client->refusal[0] != '\0') {
        return err_set(err, ERR_BAD_VALUE, "%s", client->refusal);
    }
    switch (SSL_get_error(client->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return err_set(err, ERR_BUSY, "no TLS handshake in time");
    case SSL_ERROR_SYSCALL:
    case SSL_ERROR_ZERO_RETURN:
        return err_set(err, ERR_IO,
                       "the connection ended in the TLS handshake%s%s",
                       errno_now != 0 ? ": " : "",
                       errno_now != 0 ? strerror(errno_now) : "");
    default:
        if (ERR_GET_REASON(ERR_peek_last_error()) ==
            SSL_R_WRONG_VERSION_NUMBER) {
            return err_set(err, ERR_IO,
                           "what answers there does not speak TLS; is it the "
                           "right port, and does the server have a "
                           "certificate?");
        }
        return err_set(err, ERR_IO, "no TLS connection: %s",
                       last_reason(reason));
    }
}

enum err_code
tls_client_open(const struct tls_trust *trust,
                int fd,
                const char *host,
                struct tls_client **out,
                struct err *err)
{
    struct tls_client *client = calloc(1, sizeof(*client));
    int result;

    if (client != NULL) {
        client->ssl = SSL_new(trust->context);
    }
    if (client == NULL || client->ssl == NULL ||
        SSL_set_fd(client->ssl, fd) != 1 || !expect_host(client->ssl, host)) {
        tls_client_free(&client);
        return err_set(err, ERR_NO_MEMORY, "TLS");
    }
    client->host = host;
    SSL_set_app_data(client->ssl, client);
    ERR_clear_error();
    errno = 0;
    result = SSL_connect(client->ssl);
    client->host = NULL;
    if (result != 1) {
        (void)!handshake_failed(client, result, errno, err);
        ERR_clear_error();
        tls_client_free(&client);
        return err->code;
    }
    *out = client;
    return ERR_OK;
}

void
tls_client_free(struct tls_client **client)
{
    if (*client != NULL) {
        SSL_free((*client)->ssl);
    }
    free(*client);
    *client = NULL;
}

/* errno for what OpenSSL says about a call that gave no bytes; 0: the orderly
 * end. */
static int
errno_of(struct tls_client *client, int result, int errno_now)
{
    int error = SSL_get_error(client->ssl, result);

    ERR_clear_error();
    switch (error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        client->broken = true;
        return errno_now != 0 && errno_now != EAGAIN ? errno_now : ECONNRESET;
    default:
        client->broken = true;
        return ECONNRESET;
    }
}

ssize_t
tls_client_read(struct tls_client *client, int fd, void *data, size_t bytes)
{
    size_t got = 0;
    int result;

    if (client == NULL) {
        return recv(fd, data, bytes, 0);
    }
    ERR_clear_error();
    errno = 0;
    result = SSL_read_ex(client->ssl, data, bytes, &got);
    if (result == 1) {
        return (ssize_t)got;
    }
    errno = errno_of(client, result, errno);
    return errno == 0 ? 0 : -1;
}

ssize_t
tls_client_write(struct tls_client *client,
                 int fd,
                 const void *data,
                 size_t bytes)
{
    size_t put = 0;
    int result;

    if (client == NULL) {
        return send(fd, data, bytes, MSG_NOSIGNAL);
    }
    ERR_clear_error();
    errno = 0;
    result = SSL_write_ex(client->ssl, data, bytes, &put);
    if (result == 1) {
        return (ssize_t)put;
    }
    errno = errno_of(client, result, errno);
    if (errno == 0) {
        errno = ECONNRESET;
    }
    return -1;
}

size_t
tls_client_pending(const struct tls_client *client)
{
    return client != NULL && !client->broken ? (size_t)SSL_pending(client->ssl)
                                             : 0;
}

bool
tls_client_shut(struct tls_client *client, int fd)
{
    int result;

    if (client == NULL) {
        return shutdown(fd, SHUT_WR) == 0;
    }
    if (client->broken) {
        errno = ECONNRESET;
        return false;
    }
    /* The notice is the end of this direction; the socket stays open, for
     * OpenSSL may have to answer what it reads. */
    ERR_clear_error();
    errno = 0;
    result = SSL_shutdown(client->ssl);
    if (result < 0) {
        errno = errno_of(client, result, errno);
    }
    return result >= 0;
}
