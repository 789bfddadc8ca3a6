/*
 * json_row: one JSON object to a flat list of its members.
 *
 * Flow      line of a feed -> [json_row] -> ticket_decode
 * Input     one line, not ended by NUL; no byte behind it is read
 * Output    the members of the object, in their order: borrowed from the line,
 *           strings with escapes unescaped into the arena
 * Effects   none: the reader keeps its memory from line to line, so the steady
 *           state allocates nothing but arena bytes
 *
 * Numbers keep their digits (an id of 20 digits is not damaged); nested values
 * are checked and kept as they stand. The whole object is validated (RFC 8259,
 * UTF-8), also the members nobody asks for.
 */
#ifndef SERVER_DECODE_JSON_ROW_H
#define SERVER_DECODE_JSON_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/arena.h"
#include "analyzers/err.h"
#include "analyzers/span.h"

enum {
    JSON_ROW_BYTES_MAX = 2 * 1024 * 1024, /* of one object */
    JSON_ROW_MEMBERS_MAX = 256,
    JSON_ROW_DEPTH_MAX = 32 /* the object itself is depth 1 */
};

enum json_kind {
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
    JSON_OBJECT,
    JSON_ARRAY
};

/* "a string", "a number", …; for messages. */
const char *json_kind_name(enum json_kind kind);

struct json_member {
    struct span key;       /* unescaped */
    struct span value;     /* of a string: unescaped, data not NULL; else raw */
    struct span raw_key;   /* as it stands, with its quotes */
    struct span raw_value; /* as it stands, strings with their quotes */
    enum json_kind kind;
};

struct json_row {
    const struct json_member *members; /* borrowed until the next read */
    size_t member_count;
};

/* One thread's working memory. */
struct json_reader;

/* Errors  NO_MEMORY */
enum err_code json_reader_new(struct json_reader **out,
                              struct err *err) MUST_CHECK;
void json_reader_free(struct json_reader **reader);

/*
 * Read one object. Blanks around it (a CR too) and a byte-order mark in front
 * are skipped.
 *
 *   out   the members; on an error those that were read before it, so that a
 *         message can name the record
 *
 * Errors  BAD_JSON         no object, or broken at the character that the
 *                          detail names (from 1)
 *         BAD_UTF8         the detail names the first bad character
 *         TOO_DEEP, TOO_LONG (bytes or members)
 *         DUPLICATE_FIELD  field names the key
 *         NO_MEMORY
 *         No detail quotes a value.
 * Cost    about 0.3 ns a byte and 10 ns a member; one copy of each string that
 *         has escapes
 */
enum err_code json_reader_read(struct json_reader *reader,
                               struct span line,
                               struct arena *arena,
                               struct json_row *out,
                               struct err *err) MUST_CHECK;

/*
 * The records of an HTTP body: one object, or an array of them.
 *
 *     struct json_array array;
 *     json_array_open(&array, body);
 *     while (json_array_next(&array, &element)) { json_reader_read(...); }
 *     if (json_array_error(&array, &err) != ERR_OK) { ... }
 *
 * The elements are not validated: that is the reader's work, one by one, so
 * that one bad record does not spoil the others. An element that is no object
 * is handed out and refused there.
 * Cost    one pass over the bytes, no allocation
 */
struct json_array {
    struct span body;
    size_t at;
    size_t element_count; /* handed out so far */
    bool is_array;
    bool ended;
    const char *problem; /* NULL, or what is wrong at `at` */
};

void json_array_open(struct json_array *array, struct span body);
bool json_array_next(struct json_array *array, struct span *element);

/* BAD_JSON when the walk ended before the closing bracket. */
enum err_code json_array_error(const struct json_array *array,
                               struct err *err) MUST_CHECK;

#endif /* SERVER_DECODE_JSON_ROW_H */
