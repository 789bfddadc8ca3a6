/* A blocking HTTP client, as small as the commands need it. */
#include "server/base/http_client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/base/tls_client.h"

enum { HOST_BYTES = 256, PREFIX_BYTES = 512, READ_BYTES = 64 * 1024 };

struct http_client {
    char host[HOST_BYTES];
    char port[8];
    char prefix[PREFIX_BYTES]; /* "" or "/x", no slash at the end */
    char token[HTTP_CLIENT_TOKEN_BYTES_MAX + 1];
    bool host_is_ipv6;
    bool is_https;
    unsigned wait_s;
    int fd;                  /* -1: not connected */
    struct tls_trust *trust; /* https; NULL: not read yet */
    struct tls_client *tls;  /* NULL: in the open */
    struct buf in;
    struct buf body; /* of a chunked answer */
};

/* How an answer's body ends. */
struct framing {
    size_t head_bytes;
    bool has_length;
    size_t length;
    bool chunked;
    bool close;
};

/* --- the URL ------------------------------------------------------------ */

static enum err_code
bad_url(struct err *err, const char *url, const char *what)
{
    return err_set(err, ERR_BAD_VALUE,
                   "%s in \"%.200s\"; write http://HOST:PORT or "
                   "https://HOST:PORT",
                   what, url);
}

static bool
copy_part(char *out, size_t out_bytes, struct span part)
{
    if (part.bytes >= out_bytes) {
        return false;
    }
    for (size_t i = 0; i < part.bytes; i++) {
        if ((unsigned char)part.data[i] <= ' ' || part.data[i] == 0x7F) {
            return false;
        }
    }
    memcpy(out, part.data, part.bytes);
    out[part.bytes] = '\0';
    return true;
}

static enum err_code
parse_port(struct http_client *client,
           const char *url,
           struct span port,
           struct err *err)
{
    unsigned long number = 0;

    if (port.bytes == 0 || port.bytes > 5) {
        return bad_url(err, url, "no port behind the colon");
    }
    for (size_t i = 0; i < port.bytes; i++) {
        if (port.data[i] < '0' || port.data[i] > '9') {
            return bad_url(err, url, "the port is no number");
        }
        number = number * 10 + (unsigned long)(port.data[i] - '0');
    }
    if (number == 0 || number > 65535) {
        return bad_url(err, url, "the port is not in 1..65535");
    }
    (void)snprintf(client->port, sizeof(client->port), "%lu", number);
    return ERR_OK;
}

static enum err_code
parse_url(struct http_client *client, const char *url, struct err *err)
{
    struct span rest = span_of(url);
    struct span host;
    size_t slash;

    client->is_https = strncasecmp(url, "https://", 8) == 0;
    if (!client->is_https && strncasecmp(url, "http://", 7) != 0) {
        return bad_url(err, url, "no http:// or https://");
    }
    rest.data += client->is_https ? 8 : 7;
    rest.bytes -= client->is_https ? 8 : 7;
    slash = span_find(rest, SPAN_LITERAL("/"), 0);
    host = rest;
    if (slash != SIZE_MAX) {
        struct span prefix = {rest.data + slash, rest.bytes - slash};

        host.bytes = slash;
        while (prefix.bytes > 0 && prefix.data[prefix.bytes - 1] == '/') {
            prefix.bytes--;
        }
        if (!copy_part(client->prefix, sizeof(client->prefix), prefix)) {
            return bad_url(err, url, "the path is no path");
        }
    }
    if (host.bytes > 0 && host.data[0] == '[') {
        size_t close = span_find(host, SPAN_LITERAL("]"), 0);

        if (close == SIZE_MAX) {
            return bad_url(err, url, "a bracket is not closed");
        }
        client->host_is_ipv6 = true;
        rest = (struct span){host.data + close + 1, host.bytes - close - 1};
        host = (struct span){host.data + 1, close - 1};
    } else {
        size_t colon = span_find(host, SPAN_LITERAL(":"), 0);

        rest = (struct span){NULL, 0};
        if (colon != SIZE_MAX) {
            rest = (struct span){host.data + colon, host.bytes - colon};
            host.bytes = colon;
        }
    }
    if (host.bytes == 0 ||
        !copy_part(client->host, sizeof(client->host), host)) {
        return bad_url(err, url, "no host");
    }
    if (rest.bytes == 0) {
        (void)snprintf(client->port, sizeof(client->port), "%s",
                       client->is_https ? "443" : "80");
        return ERR_OK;
    }
    if (rest.data[0] != ':') {
        return bad_url(err, url, "text behind the bracket");
    }
    return parse_port(client, url, (struct span){rest.data + 1, rest.bytes - 1},
                      err);
}

void
http_client_set_token(struct http_client *client, const char *token)
{
    (void)snprintf(client->token, sizeof(client->token), "%s", token);
}

enum err_code
http_client_new(const char *url,
                unsigned wait_s,
                struct http_client **out,
                struct err *err)
{
    struct http_client *client = calloc(1, sizeof(*client));

    if (client == NULL) {
        return err_set(err, ERR_NO_MEMORY, "http client");
    }
    client->fd = -1;
    client->wait_s = wait_s;
    buf_init(&client->in,
             HTTP_CLIENT_BODY_BYTES_MAX + HTTP_CLIENT_HEAD_BYTES_MAX);
    buf_init(&client->body, HTTP_CLIENT_BODY_BYTES_MAX);
    if (parse_url(client, url, err) != ERR_OK) {
        http_client_free(&client);
        return err->code;
    }
    *out = client;
    return ERR_OK;
}

enum err_code
http_client_trust(struct http_client *client,
                  const char *ca_path,
                  struct err *err)
{
    tls_trust_free(&client->trust);
    return client->is_https ? tls_trust_new(ca_path, &client->trust, err)
                            : ERR_OK;
}

static void
hang_up(struct http_client *client)
{
    tls_client_free(&client->tls);
    if (client->fd >= 0) {
        (void)close(client->fd);
        client->fd = -1;
    }
}

void
http_client_free(struct http_client **client)
{
    if (*client == NULL) {
        return;
    }
    hang_up(*client);
    tls_trust_free(&(*client)->trust);
    buf_release(&(*client)->in);
    buf_release(&(*client)->body);
    free(*client);
    *client = NULL;
}

/* --- the connection ----------------------------------------------------- */

static enum err_code
failed(const struct http_client *client,
       enum err_code code,
       const char *what,
       struct err *err)
{
    return err_set(err, code, "http%s://%s%s%s:%s: %s",
                   client->is_https ? "s" : "", client->host_is_ipv6 ? "[" : "",
                   client->host, client->host_is_ipv6 ? "]" : "", client->port,
                   what);
}

static int
connect_to(const struct http_client *client, const struct addrinfo *address)
{
    const struct timeval wait = {.tv_sec = (time_t)client->wait_s};
    const int on = 1;
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC,
                    address->ai_protocol);
    int rc;

    if (fd < 0) {
        return -1;
    }
    /* On Linux the send time-out holds for connect, too. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    do {
        rc = connect(fd, address->ai_addr, address->ai_addrlen);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        int kept = errno;

        (void)close(fd);
        errno = kept;
        return -1;
    }
    return fd;
}

static enum err_code
secure(struct http_client *client, struct err *err)
{
    struct err why = {0};

    if ((client->trust == NULL &&
         tls_trust_new(NULL, &client->trust, &why) != ERR_OK) ||
        tls_client_open(client->trust, client->fd, client->host, &client->tls,
                        &why) != ERR_OK) {
        hang_up(client);
        return failed(client, why.code, why.detail, err);
    }
    return ERR_OK;
}

static enum err_code
dial(struct http_client *client, struct err *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    int rc = getaddrinfo(client->host, client->port, &hints, &addresses);

    if (rc != 0) {
        return failed(client, ERR_NOT_FOUND, gai_strerror(rc), err);
    }
    for (const struct addrinfo *a = addresses; a != NULL && client->fd < 0;
         a = a->ai_next) {
        client->fd = connect_to(client, a);
    }
    freeaddrinfo(addresses);
    if (client->fd < 0) {
        return failed(client, ERR_IO,
                      errno == EINPROGRESS ? "no connection in time"
                                           : strerror(errno),
                      err);
    }
    return client->is_https ? secure(client, err) : ERR_OK;
}

/* False when the other side takes no more; it may have answered already. */
static bool
send_all(const struct http_client *client, struct span bytes)
{
    while (bytes.bytes > 0) {
        ssize_t sent =
            tls_client_write(client->tls, client->fd, bytes.data, bytes.bytes);

        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        bytes.data += sent;
        bytes.bytes -= (size_t)sent;
    }
    return true;
}

static bool
send_request(struct http_client *client,
             const struct http_client_request *request)
{
    char head[PREFIX_BYTES + 2 * HOST_BYTES + 4096];
    int bytes =
        snprintf(head, sizeof(head), "%s %s%s HTTP/1.1\r\nHost: %s%s%s:%s\r\n",
                 request->method, client->prefix, request->path,
                 client->host_is_ipv6 ? "[" : "", client->host,
                 client->host_is_ipv6 ? "]" : "", client->port);

    if (bytes > 0 && (size_t)bytes < sizeof(head) && request->type != NULL) {
        bytes += snprintf(head + bytes, sizeof(head) - (size_t)bytes,
                          "Content-Type: %s\r\nContent-Length: %zu\r\n",
                          request->type, request->body.bytes);
    }
    if (bytes > 0 && (size_t)bytes < sizeof(head) && client->token[0] != '\0') {
        bytes += snprintf(head + bytes, sizeof(head) - (size_t)bytes,
                          "Authorization: Bearer %s\r\n", client->token);
    }
    if (bytes > 0 && (size_t)bytes < sizeof(head)) {
        bytes += snprintf(head + bytes, sizeof(head) - (size_t)bytes, "\r\n");
    }
    if (bytes <= 0 || (size_t)bytes >= sizeof(head)) {
        errno = EMSGSIZE;
        return false;
    }
    return send_all(client, (struct span){head, (size_t)bytes}) &&
           (request->type == NULL || send_all(client, request->body));
}

/* --- the answer --------------------------------------------------------- */

static enum err_code
cut_off(const struct http_client *client, struct err *err)
{
    return failed(client, ERR_IO,
                  client->in.bytes == 0 && !client->is_https
                      ? "the connection ended without an answer; a server with "
                        "a certificate wants https://"
                      : "the connection ended before the answer did",
                  err);
}

enum got { GOT_BYTES, GOT_END, GOT_ERROR };

static enum got
read_more(struct http_client *client, struct err *err)
{
    char *room = buf_reserve(&client->in, READ_BYTES);
    ssize_t got;

    if (room == NULL) {
        (void)failed(client, ERR_TOO_LONG, "the answer is too long", err);
        return GOT_ERROR;
    }
    do {
        got = tls_client_read(client->tls, client->fd, room, READ_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == ECONNRESET) {
        (void)cut_off(client, err);
        return GOT_ERROR;
    }
    if (got < 0) {
        (void)failed(client, errno == EAGAIN ? ERR_BUSY : ERR_IO,
                     errno == EAGAIN ? "no answer in time" : strerror(errno),
                     err);
        return GOT_ERROR;
    }
    buf_grow(&client->in, (size_t)got);
    return got > 0 ? GOT_BYTES : GOT_END;
}

static enum err_code
no_http(const struct http_client *client, struct err *err)
{
    return failed(client, ERR_IO, "the answer is not HTTP", err);
}

static bool
header_is(struct span name, const char *wanted)
{
    return name.bytes == strlen(wanted) &&
           strncasecmp(name.data, wanted, name.bytes) == 0;
}

static bool
to_number(struct span text, size_t *out)
{
    size_t number = 0;

    if (text.bytes == 0 || text.bytes > 15) {
        return false;
    }
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (size_t)(text.data[i] - '0');
    }
    *out = number;
    return true;
}

/* One header line. False: it cannot be understood. */
static bool
take_header(struct span line,
            struct http_client_answer *answer,
            struct framing *framing)
{
    size_t colon = span_find(line, SPAN_LITERAL(":"), 0);
    struct span name = {line.data, colon};
    struct span value;
    size_t number;

    if (colon == SIZE_MAX || colon == 0) {
        return false;
    }
    value =
        span_trim((struct span){line.data + colon + 1, line.bytes - colon - 1});
    if (header_is(name, "Content-Length")) {
        framing->has_length = true;
        return to_number(value, &framing->length);
    }
    if (header_is(name, "Transfer-Encoding")) {
        framing->chunked = header_is(value, "chunked");
        return framing->chunked;
    }
    if (header_is(name, "Connection")) {
        framing->close = header_is(value, "close");
    } else if (header_is(name, "Retry-After")) {
        if (to_number(value, &number) && number < 86400) {
            answer->retry_after_s = (unsigned)number;
        }
    } else if (header_is(name, "Content-Type") &&
               value.bytes < sizeof(answer->type)) {
        memcpy(answer->type, value.data, value.bytes);
        answer->type[value.bytes] = '\0';
    }
    return true;
}

/* "HTTP/1.1 207 Multi-Status" and the headers, without the empty line. */
static bool
parse_head(struct span head,
           struct http_client_answer *answer,
           struct framing *framing)
{
    struct span line = span_split(&head, '\n');

    if (line.bytes < 12 || !span_starts(line, SPAN_LITERAL("HTTP/1.")) ||
        line.data[8] != ' ') {
        return false;
    }
    framing->close = line.data[7] == '0';
    for (int i = 9; i < 12; i++) {
        if (line.data[i] < '0' || line.data[i] > '9') {
            return false;
        }
        answer->status = answer->status * 10 + (unsigned)(line.data[i] - '0');
    }
    while (head.bytes > 0) {
        line = span_trim(span_split(&head, '\n'));
        if (line.bytes > 0 && !take_header(line, answer, framing)) {
            return false;
        }
    }
    return true;
}

static enum err_code
read_head(struct http_client *client,
          struct http_client_answer *answer,
          struct framing *framing,
          struct err *err)
{
    for (;;) {
        struct span view = buf_view(&client->in);
        size_t end = span_find(view, SPAN_LITERAL("\r\n\r\n"), 0);

        if (end != SIZE_MAX) {
            *answer = (struct http_client_answer){.retry_after_s =
                                                      HTTP_CLIENT_RETRY_S};
            *framing = (struct framing){.head_bytes = end + 4};
            if (!parse_head((struct span){view.data, end}, answer, framing)) {
                return no_http(client, err);
            }
            if (answer->status >= 200) {
                return ERR_OK;
            }
            buf_drop_front(&client->in, framing->head_bytes); /* 1xx */
            continue;
        }
        if (view.bytes > HTTP_CLIENT_HEAD_BYTES_MAX) {
            return no_http(client, err);
        }
        switch (read_more(client, err)) {
        case GOT_BYTES:
            break;
        case GOT_END:
            return cut_off(client, err);
        case GOT_ERROR:
            return err->code;
        }
    }
}

/* Bytes of `in` from `at` on until there are `wanted`. */
static enum err_code
read_until(struct http_client *client,
           size_t at,
           size_t wanted,
           struct err *err)
{
    while (client->in.bytes - at < wanted) {
        enum got got = read_more(client, err);

        if (got == GOT_END) {
            return cut_off(client, err);
        }
        if (got == GOT_ERROR) {
            return err->code;
        }
    }
    return ERR_OK;
}

/* The size line of a chunk that begins at `at`; moves *at behind it. */
static enum err_code
read_chunk_size(struct http_client *client,
                size_t *at,
                size_t *size,
                struct err *err)
{
    size_t end;
    size_t digits = 0;

    for (;;) {
        struct span view = buf_view(&client->in);

        end = span_find(view, SPAN_LITERAL("\r\n"), *at);
        if (end != SIZE_MAX) {
            break;
        }
        if (view.bytes - *at > 1024) {
            return no_http(client, err);
        }
        if (read_until(client, *at, view.bytes - *at + 1, err) != ERR_OK) {
            return err->code;
        }
    }
    *size = 0;
    for (; *at + digits < end && digits < 8; digits++) {
        char c = client->in.data[*at + digits];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0) {
            break;
        }
        *size = *size * 16 + (size_t)digit;
    }
    *at = end + 2;
    return digits > 0 ? ERR_OK : no_http(client, err);
}

static enum err_code
read_chunked(struct http_client *client, size_t at, struct err *err)
{
    size_t size = 0;

    buf_reset(&client->body);
    do {
        if (read_chunk_size(client, &at, &size, err) != ERR_OK ||
            read_until(client, at, size + 2, err) != ERR_OK) {
            return err->code;
        }
        buf_put(&client->body, client->in.data + at, size);
        at += size + 2;
        if (client->body.failed != ERR_OK) {
            return failed(client, ERR_TOO_LONG, "the answer is too long", err);
        }
    } while (size > 0);
    return ERR_OK;
}

static enum err_code
read_body(struct http_client *client,
          struct framing *framing,
          struct http_client_answer *answer,
          struct err *err)
{
    size_t at = framing->head_bytes;
    enum got got = GOT_BYTES;

    if (answer->status == 204 || answer->status == 304) {
        return ERR_OK;
    }
    if (framing->chunked) {
        if (read_chunked(client, at, err) == ERR_OK) {
            answer->body = buf_view(&client->body);
        }
        return err->code;
    }
    if (!framing->has_length) { /* to the end of the connection */
        framing->close = true;
        while (got == GOT_BYTES) {
            got = read_more(client, err);
        }
        framing->length = client->in.bytes - at;
    } else if (framing->length > HTTP_CLIENT_BODY_BYTES_MAX) {
        return failed(client, ERR_TOO_LONG, "the answer is too long", err);
    } else {
        (void)!read_until(client, at, framing->length, err);
    }
    answer->body = (struct span){client->in.data + at, framing->length};
    return err->code;
}

static enum err_code
exchange(struct http_client *client,
         const struct http_client_request *request,
         struct http_client_answer *out,
         struct err *err)
{
    struct framing framing = {0};
    bool sent;

    buf_reset(&client->in);
    sent = send_request(client, request);
    /* A server may refuse a body before it has all of it: read anyway. */
    if (read_head(client, out, &framing, err) != ERR_OK ||
        read_body(client, &framing, out, err) != ERR_OK) {
        hang_up(client);
        return err->code;
    }
    if (!sent || framing.close) {
        hang_up(client);
    }
    return ERR_OK;
}

enum err_code
http_client_send(struct http_client *client,
                 const struct http_client_request *request,
                 struct http_client_answer *out,
                 struct err *err)
{
    if (client->fd >= 0) {
        struct err first = {0};

        if (exchange(client, request, out, &first) == ERR_OK) {
            return ERR_OK;
        }
        /* An idle connection may be closed any time: only when nothing at all
         * came back the request goes out again. */
        if (first.code != ERR_IO || client->in.bytes > 0) {
            *err = first;
            return err->code;
        }
    }
    if (dial(client, err) != ERR_OK) {
        return err->code;
    }
    return exchange(client, request, out, err);
}
