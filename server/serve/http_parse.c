/* Strict reading of HTTP/1.x request heads and chunk lines. */
#include "server/serve/http_parse.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

size_t
http_parse_find_end(const char *data, size_t bytes, size_t scanned)
{
    for (size_t i = scanned; i < bytes; i++) {
        char c = data[i];

        if (c == '\0') {
            return SIZE_MAX;
        }
        if (c == '\n' && (i == 0 || data[i - 1] != '\r')) {
            return SIZE_MAX;
        }
        if (c != '\n' && i > 0 && data[i - 1] == '\r') {
            return SIZE_MAX;
        }
        if (c == '\n' && i >= 3 && data[i - 2] == '\n') {
            return i + 1;
        }
    }
    return 0;
}

/* RFC 9110 section 5.6.2: what names are made of. */
static bool
is_token(struct span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') ||
                    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);

        if (!fine) {
            return false;
        }
    }
    return text.bytes > 0;
}

static bool
is_equal_fold(struct span a, const char *text)
{
    return a.bytes == strlen(text) && strncasecmp(a.data, text, a.bytes) == 0;
}

static struct span
trim_blanks(struct span a)
{
    while (a.bytes > 0 && (a.data[0] == ' ' || a.data[0] == '\t')) {
        a.data++;
        a.bytes--;
    }
    while (a.bytes > 0 &&
           (a.data[a.bytes - 1] == ' ' || a.data[a.bytes - 1] == '\t')) {
        a.bytes--;
    }
    return a;
}

static unsigned
refuse(unsigned status, const char *sentence, const char **why)
{
    *why = sentence;
    return status;
}

static unsigned
parse_method(struct span text, struct http_head *out, const char **why)
{
    static const char *const names[HTTP_METHOD_COUNT] = {
        [HTTP_GET] = "GET",
        [HTTP_POST] = "POST",
        [HTTP_PUT] = "PUT",
        [HTTP_DELETE] = "DELETE",
    };

    if (!is_token(text)) {
        return refuse(400, "the request line has no method", why);
    }
    if (span_is(text, "HEAD")) {
        out->method = HTTP_GET;
        out->is_head = true;
        return 0;
    }
    for (int i = 0; i < HTTP_METHOD_COUNT; i++) {
        if (span_is(text, names[i])) {
            out->method = (enum http_method)i;
            return 0;
        }
    }
    return refuse(501, "the method is not one this server knows", why);
}

static unsigned
parse_version(struct span text, struct http_head *out, const char **why)
{
    if (text.bytes != 8 || memcmp(text.data, "HTTP/", 5) != 0 ||
        text.data[6] != '.' || text.data[5] < '0' || text.data[5] > '9' ||
        text.data[7] < '0' || text.data[7] > '9') {
        return refuse(400, "the request line does not end in HTTP/1.1", why);
    }
    if (text.data[5] != '1') {
        return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here", why);
    }
    out->minor = text.data[7] == '0' ? 0 : 1;
    return 0;
}

/* Takes "/path?query", or "http://host/path?query" leaving the host in
 * *authority. */
static unsigned
parse_target(struct span text,
             struct http_head *out,
             struct span *authority,
             const char **why)
{
    const char *mark;

    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c <= 0x20 || c == 0x7F || c == '#') {
            return refuse(400, "the target has a forbidden character", why);
        }
    }
    *authority = (struct span){NULL, 0};
    if (text.bytes > 7 && strncasecmp(text.data, "http://", 7) == 0) {
        size_t end = 7;

        while (end < text.bytes && text.data[end] != '/' &&
               text.data[end] != '?') {
            end++;
        }
        *authority = (struct span){text.data + 7, end - 7};
        text.data += end;
        text.bytes -= end;
    }
    if (text.bytes == 0 || text.data[0] != '/') {
        return refuse(400, "the target does not begin with a slash", why);
    }
    out->target = text;
    out->path = text;
    out->query = (struct span){NULL, 0};
    mark = memchr(text.data, '?', text.bytes);
    if (mark != NULL) {
        out->path.bytes = (size_t)(mark - text.data);
        out->query = (struct span){mark + 1, text.bytes - out->path.bytes - 1};
    }
    return 0;
}

static unsigned
parse_request_line(struct span line,
                   struct http_head *out,
                   struct span *authority,
                   const char **why)
{
    struct span rest = line;
    struct span method = span_split(&rest, ' ');
    struct span target = span_split(&rest, ' ');
    unsigned status;

    if (rest.data == NULL) {
        return refuse(400, "the request line has not three parts", why);
    }
    status = parse_version(rest, out, why);
    if (status == 0) {
        status = parse_method(method, out, why);
    }
    if (status == 0) {
        status = parse_target(target, out, authority, why);
    }
    return status;
}

/* "name: value"; makes the name lower case in place. */
static unsigned
parse_field(char *line, size_t bytes, struct http_head *out, const char **why)
{
    char *colon = memchr(line, ':', bytes);
    struct http_field *field;

    if (line[0] == ' ' || line[0] == '\t') {
        return refuse(400, "a header is folded over two lines", why);
    }
    if (colon == NULL ||
        !is_token((struct span){line, (size_t)(colon - line)})) {
        return refuse(400, "a header line is not name: value", why);
    }
    if (out->field_count == HTTP_HEADERS_MAX) {
        return refuse(431, "there are too many headers", why);
    }
    field = &out->fields[out->field_count++];
    field->name = (struct span){line, (size_t)(colon - line)};
    for (char *c = line; c < colon; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    field->value =
        trim_blanks((struct span){colon + 1, bytes - field->name.bytes - 1});
    for (size_t i = 0; i < field->value.bytes; i++) {
        unsigned char c = (unsigned char)field->value.data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7F) {
            return refuse(400, "a header has a control character", why);
        }
    }
    return 0;
}

/* The only header of that name; *count says how many there are. */
static struct span
only_field(const struct http_head *head, const char *name, unsigned *count)
{
    struct span value = {NULL, 0};

    *count = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        if (span_is(head->fields[i].name, name)) {
            value = head->fields[i].value;
            (*count)++;
        }
    }
    return value;
}

/* RFC 9112 section 6.3, at its strictest. */
static unsigned
check_framing(struct http_head *head, const char **why)
{
    unsigned length_count;
    unsigned encoding_count;
    struct span length = only_field(head, "content-length", &length_count);
    struct span encoding =
        only_field(head, "transfer-encoding", &encoding_count);

    if (length_count > 1 || encoding_count > 1) {
        return refuse(400, "the length of the body is said twice", why);
    }
    if (length_count == 1 && encoding_count == 1) {
        return refuse(
            400, "Content-Length and Transfer-Encoding exclude another", why);
    }
    if (encoding_count == 1) {
        if (head->minor == 0) {
            return refuse(400, "HTTP/1.0 has no Transfer-Encoding", why);
        }
        if (!is_equal_fold(encoding, "chunked")) {
            return refuse(501, "the only Transfer-Encoding known is chunked",
                          why);
        }
        head->chunked = true;
    }
    if (length_count == 1) {
        if (length.bytes == 0 || length.bytes > 19) {
            return refuse(length.bytes == 0 ? 400 : 413,
                          "Content-Length is not a length", why);
        }
        for (size_t i = 0; i < length.bytes; i++) {
            if (length.data[i] < '0' || length.data[i] > '9') {
                return refuse(400, "Content-Length is not a row of digits",
                              why);
            }
            head->length = head->length * 10 + (uint64_t)(length.data[i] - '0');
        }
        head->has_length = true;
    }
    return 0;
}

/* RFC 9112 section 3.2: one Host, and the target's host is the same. */
static unsigned
check_host(const struct http_head *head,
           struct span authority,
           const char **why)
{
    unsigned count;
    struct span host = only_field(head, "host", &count);

    if (count > 1) {
        return refuse(400, "there are two Host headers", why);
    }
    if (count == 0) {
        return head->minor == 0
                   ? 0
                   : refuse(400, "the Host header is missing", why);
    }
    for (size_t i = 0; i < host.bytes; i++) {
        char c = host.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || strchr("-._~:[]%", c) != NULL;

        if (!fine) {
            return refuse(400, "the Host header is not a host", why);
        }
    }
    if (host.bytes == 0) {
        return refuse(400, "the Host header is empty", why);
    }
    if (authority.data != NULL &&
        (authority.bytes != host.bytes ||
         strncasecmp(authority.data, host.data, host.bytes) != 0)) {
        return refuse(400, "the target names another host", why);
    }
    return 0;
}

static unsigned
check_connection(struct http_head *head, const char **why)
{
    head->keep_alive = head->minor > 0;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        struct span rest = field->value;

        if (span_is(field->name, "expect")) {
            if (!is_equal_fold(field->value, "100-continue")) {
                return refuse(417, "only 100-continue can be expected", why);
            }
            head->expects_continue = head->minor > 0;
        }
        while (span_is(field->name, "connection") && rest.data != NULL) {
            struct span word = trim_blanks(span_split(&rest, ','));

            if (is_equal_fold(word, "close")) {
                head->keep_alive = false;
                return 0;
            }
            if (is_equal_fold(word, "keep-alive")) {
                head->keep_alive = true;
            }
        }
    }
    return 0;
}

unsigned
http_parse_head(char *data,
                size_t bytes,
                struct http_head *out,
                const char **why)
{
    struct span authority = {NULL, 0};
    size_t at = 0;
    unsigned status = 0;

    assert(bytes >= 4 && memcmp(data + bytes - 4, "\r\n\r\n", 4) == 0);
    out->method = HTTP_GET;
    out->is_head = false;
    out->minor = 1;
    out->field_count = 0;
    out->chunked = false;
    out->has_length = false;
    out->length = 0;
    out->expects_continue = false;
    while (status == 0 && at < bytes - 2) {
        const char *end = memchr(data + at, '\r', bytes - at);
        size_t line_bytes = (size_t)(end - (data + at));

        if (at == 0) {
            status = parse_request_line((struct span){data, line_bytes}, out,
                                        &authority, why);
        } else {
            status = parse_field(data + at, line_bytes, out, why);
        }
        at += line_bytes + 2;
    }
    if (status == 0) {
        status = check_framing(out, why);
    }
    if (status == 0) {
        status = check_host(out, authority, why);
    }
    if (status == 0) {
        status = check_connection(out, why);
    }
    return status;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

size_t
http_parse_decode(struct span text, bool plus_is_blank, char *out)
{
    size_t used = 0;

    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.data[i];

        if (c == '%') {
            int high = i + 1 < text.bytes ? hex_digit(text.data[i + 1]) : -1;
            int low = i + 2 < text.bytes ? hex_digit(text.data[i + 2]) : -1;

            if (high < 0 || low < 0) {
                return SIZE_MAX;
            }
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        if (c == '\0') {
            return SIZE_MAX;
        }
        out[used++] = c;
    }
    return utf8_valid((struct span){out, used}) ? used : SIZE_MAX;
}

/* Hex digits, at most 15 (so it never overflows), then nothing or an
 * extension, which is skipped. */
static bool
parse_chunk_size(struct span line, uint64_t *out)
{
    uint64_t size = 0;
    size_t digits = 0;

    while (digits < line.bytes && hex_digit(line.data[digits]) >= 0) {
        if (digits == 15) {
            return false;
        }
        size = size * 16 + (uint64_t)hex_digit(line.data[digits]);
        digits++;
    }
    if (digits == 0 || (digits < line.bytes && line.data[digits] != ';')) {
        return false;
    }
    *out = size;
    return true;
}

bool
http_chunk_line(struct http_chunk *chunk, struct span line)
{
    for (size_t i = 0; i < line.bytes; i++) {
        unsigned char c = (unsigned char)line.data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7F) {
            return false;
        }
    }
    switch (chunk->state) {
    case HTTP_CHUNK_SIZE:
        if (!parse_chunk_size(line, &chunk->left_bytes)) {
            return false;
        }
        chunk->state =
            chunk->left_bytes > 0 ? HTTP_CHUNK_DATA : HTTP_CHUNK_TRAILER;
        return true;
    case HTTP_CHUNK_DATA_END:
        chunk->state = HTTP_CHUNK_SIZE;
        return line.bytes == 0;
    case HTTP_CHUNK_TRAILER:
        if (line.bytes == 0) {
            chunk->state = HTTP_CHUNK_DONE;
            return true;
        }
        /* Trailers are dropped: nothing here may be said twice. */
        return ++chunk->trailer_count <= HTTP_CHUNK_TRAILERS_MAX;
    case HTTP_CHUNK_DATA:
    case HTTP_CHUNK_DONE:
        break;
    }
    assert(false);
    return false;
}
