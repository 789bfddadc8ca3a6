/*
 * http_parse: the bytes of an HTTP/1.x request head and of chunks, strictly.
 *
 * Pure: bytes in, verdict out; no socket. Deviations from RFC 9112, each on
 * purpose: equal repeated Content-Length is refused as well; Transfer-Encoding
 * other than "chunked" alone is 501; bytes from 0x80 up in the target are taken
 * (people type Chinese into curl) and must be UTF-8 once decoded.
 */
#ifndef SERVE_HTTP_PARSE_H
#define SERVE_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/span.h"
#include "server/serve/http.h"

struct http_field {
    struct span name; /* lower case */
    struct span value;
};

struct http_head {
    enum http_method method;
    bool is_head;
    unsigned minor;     /* HTTP/1.minor */
    struct span target; /* origin form: path and query as sent */
    struct span path;
    struct span query; /* {NULL, 0} without '?' */
    struct http_field fields[HTTP_HEADERS_MAX];
    size_t field_count;
    bool chunked;
    bool has_length;
    uint64_t length;
    bool keep_alive;
    bool expects_continue;
};

/*
 * Look for the end of a head in data[bytes]; data[0..scanned) was looked at
 * before. Returns the length of the head with its empty line, 0 when it is not
 * complete, or SIZE_MAX for bytes that can never become one (bare LF or CR,
 * NUL).
 */
size_t http_parse_find_end(const char *data, size_t bytes, size_t scanned);

/*
 * Parse a complete head of http_parse_find_end. Writes into data (header names
 * become lower case); the spans of `out` point there.
 *
 * Returns 0 or the status to refuse with; then *why is a sentence.
 */
unsigned http_parse_head(char *data,
                         size_t bytes,
                         struct http_head *out,
                         const char **why);

/* Decode %XX (and '+' to blank if plus_is_blank) into out, which has room for
 * text.bytes; SIZE_MAX for a bad %, a NUL or what is not UTF-8. */
size_t http_parse_decode(struct span text, bool plus_is_blank, char *out);

/* The chunked body, a line at a time. */
enum http_chunk_state {
    HTTP_CHUNK_SIZE,     /* the next line is a size */
    HTTP_CHUNK_DATA,     /* left_bytes of data come next */
    HTTP_CHUNK_DATA_END, /* the next line is empty */
    HTTP_CHUNK_TRAILER,  /* the next line is a trailer or the end */
    HTTP_CHUNK_DONE
};

enum { HTTP_CHUNK_LINE_BYTES_MAX = 256, HTTP_CHUNK_TRAILERS_MAX = 32 };

struct http_chunk {
    enum http_chunk_state state;
    uint64_t left_bytes;
    unsigned trailer_count;
};

/* Feed one line without its CR LF; false: malformed. Not in the state DATA. */
bool http_chunk_line(struct http_chunk *chunk, struct span line);

#endif /* SERVE_HTTP_PARSE_H */
