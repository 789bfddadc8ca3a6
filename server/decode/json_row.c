/* One JSON object to a flat list of members: the grammar, walked by hand. */
#include "server/decode/json_row.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/decode/json_scan.h"

_Static_assert((int)JSON_ROW_BYTES_MAX == (int)JSON_SCAN_BYTES_MAX,
               "a row is scanned at once");

struct json_reader {
    struct json_scan *scan;
    struct json_member members[JSON_ROW_MEMBERS_MAX];
};

/* The way through one line. */
struct walk {
    const char *data;
    size_t bytes;
    const uint32_t *positions; /* position_count of them, then `bytes` */
    size_t position_count;
    size_t i;         /* the position at hand */
    bool has_escapes; /* somewhere in the line */
    struct arena *arena;
    struct err *err;
};

const char *
json_kind_name(enum json_kind kind)
{
    static const char *const names[] = {
        [JSON_STRING] = "a string", [JSON_NUMBER] = "a number",
        [JSON_TRUE] = "true",       [JSON_FALSE] = "false",
        [JSON_NULL] = "null",       [JSON_OBJECT] = "an object",
        [JSON_ARRAY] = "an array",
    };

    assert((size_t)kind < sizeof(names) / sizeof(names[0]));
    return names[kind];
}

enum err_code
json_reader_new(struct json_reader **out, struct err *err)
{
    struct json_reader *reader = malloc(sizeof(*reader));

    if (reader == NULL) {
        return err_set(err, ERR_NO_MEMORY, "JSON reader");
    }
    reader->scan = json_scan_new();
    if (reader->scan == NULL) {
        free(reader);
        return err_set(err, ERR_NO_MEMORY, "JSON reader");
    }
    *out = reader;
    return ERR_OK;
}

void
json_reader_free(struct json_reader **reader)
{
    if (*reader == NULL) {
        return;
    }
    json_scan_free((*reader)->scan);
    free(*reader);
    *reader = NULL;
}

/* --- errors --- */

static bool
broken(struct walk *walk, size_t at, const char *problem)
{
    struct span before = {walk->data, at};

    if (at >= walk->bytes) {
        (void)err_set(walk->err, ERR_BAD_JSON, "the line ends: %s", problem);
    } else {
        (void)err_set(walk->err, ERR_BAD_JSON, "character %zu: %s",
                      utf8_count(before) + 1, problem);
    }
    return false;
}

/* First byte that begins no valid character. */
static size_t
first_bad_utf8(const char *data, size_t bytes)
{
    struct span rest = {data, bytes};

    while (rest.bytes > 0) {
        size_t taken = utf8_next(rest, NULL);

        if (taken == 1 && (unsigned char)rest.data[0] >= 0x80) {
            break;
        }
        rest.data += taken;
        rest.bytes -= taken;
    }
    return bytes - rest.bytes;
}

/* Where the string opens that is not closed, or the first control character
 * inside a string. */
static size_t
bad_string_position(const char *data, size_t bytes, bool want_control)
{
    bool inside = false;
    size_t opened_at = 0;

    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)data[i];

        if (!inside && c == '"') {
            inside = true;
            opened_at = i;
        } else if (inside && c == '\\') {
            i++;
        } else if (inside && c == '"') {
            inside = false;
        } else if (inside && want_control && c < 0x20) {
            return i;
        }
    }
    return opened_at;
}

/* The scanner found the whole line wrong: say where. */
static void
explain_scan(struct walk *walk, enum json_scan_result result)
{
    switch (result) {
    case JSON_SCAN_OK:
        break;
    case JSON_SCAN_EMPTY:
        (void)err_set(walk->err, ERR_BAD_JSON, "the line is empty");
        break;
    case JSON_SCAN_BAD_UTF8: {
        struct span before = {walk->data,
                              first_bad_utf8(walk->data, walk->bytes)};

        (void)err_set(walk->err, ERR_BAD_UTF8,
                      "character %zu: byte 0x%02X is not UTF-8; send the feed "
                      "in UTF-8",
                      utf8_count(before) + 1,
                      before.bytes < walk->bytes
                          ? (unsigned)(unsigned char)walk->data[before.bytes]
                          : 0u);
        break;
    }
    case JSON_SCAN_UNCLOSED_STRING:
        (void)broken(walk, bad_string_position(walk->data, walk->bytes, false),
                     "the string that begins here is not closed");
        break;
    case JSON_SCAN_CONTROL_CHARACTER:
        (void)broken(walk, bad_string_position(walk->data, walk->bytes, true),
                     "a control character in a string must be escaped (\\n, "
                     "\\t, \\u0001)");
        break;
    case JSON_SCAN_TOO_LONG:
        (void)err_set(walk->err, ERR_TOO_LONG,
                      "the line has %zu bytes, %d are allowed", walk->bytes,
                      JSON_ROW_BYTES_MAX);
        break;
    case JSON_SCAN_NO_MEMORY:
        (void)err_set(walk->err, ERR_NO_MEMORY, "JSON reader");
        break;
    }
}

/* --- tokens --- */

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char
current(const struct walk *walk)
{
    return walk->i < walk->position_count ? walk->data[walk->positions[walk->i]]
                                          : '\0';
}

static size_t
current_at(const struct walk *walk)
{
    return walk->i < walk->position_count ? walk->positions[walk->i]
                                          : walk->bytes;
}

/* The current string, number or word, up to the blanks before the next. */
static struct span
current_token(const struct walk *walk)
{
    size_t at = walk->positions[walk->i];
    size_t end = walk->positions[walk->i + 1];

    while (end > at + 1 && is_blank(walk->data[end - 1])) {
        end--;
    }
    return (struct span){walk->data + at, end - at};
}

/* RFC 8259, section 6. */
static bool
is_number(struct span token)
{
    const char *at = token.data;
    const char *end = token.data + token.bytes;

#define DIGITS(at)                                                             \
    do {                                                                       \
        if ((at) == end || *(at) < '0' || *(at) > '9') {                       \
            return false;                                                      \
        }                                                                      \
        while ((at) < end && *(at) >= '0' && *(at) <= '9') {                   \
            (at)++;                                                            \
        }                                                                      \
    } while (0)

    if (at < end && *at == '-') {
        at++;
    }
    if (at + 1 < end && *at == '0' && at[1] >= '0' && at[1] <= '9') {
        return false;
    }
    DIGITS(at);
    if (at < end && *at == '.') {
        at++;
        DIGITS(at);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) {
            at++;
        }
        DIGITS(at);
    }
#undef DIGITS
    return at == end;
}

static bool
hex4(const char *at, const char *end, uint32_t *out)
{
    uint32_t value = 0;

    if (end - at < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit;

        if (c >= '0' && c <= '9') {
            digit = (uint32_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (uint32_t)(c - 'a') + 10;
        } else if (c >= 'A' && c <= 'F') {
            digit = (uint32_t)(c - 'A') + 10;
        } else {
            return false;
        }
        value = value * 16 + digit;
    }
    *out = value;
    return true;
}

/*
 * The escape behind the backslash at *at; moves *at behind it. Returns NULL or
 * what is wrong. RFC 8259, section 7; a lone surrogate is no character.
 */
static const char *
take_escape(const char **at, const char *end, uint32_t *code_point)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    const char *name;
    uint32_t low;

    assert(*at < end);
    if (**at != 'u') {
        name = **at != '\0' ? strchr(names, **at) : NULL;
        if (name == NULL) {
            return "this escape does not exist in JSON; a backslash is "
                   "written \\\\";
        }
        *code_point = (uint32_t)values[name - names];
        (*at)++;
        return NULL;
    }
    if (!hex4(*at + 1, end, code_point)) {
        return "four hexadecimal digits must follow \\u";
    }
    *at += 5;
    if (*code_point < 0xD800 || *code_point > 0xDFFF) {
        return NULL;
    }
    if (*code_point >= 0xDC00 || end - *at < 6 || (*at)[0] != '\\' ||
        (*at)[1] != 'u' || !hex4(*at + 2, end, &low) || low < 0xDC00 ||
        low > 0xDFFF) {
        return "half a surrogate pair is no character; was the text cut?";
    }
    *code_point = 0x10000 + ((*code_point - 0xD800) << 10) + (low - 0xDC00);
    *at += 6;
    return NULL;
}

/*
 * Check the escapes of `raw` (without its quotes) and write the text to `out`,
 * which has room for raw.bytes; NULL checks only.
 */
static bool
unescape(struct walk *walk, struct span raw, char *out, size_t *out_bytes)
{
    const char *at = raw.data;
    const char *end = raw.data + raw.bytes;
    size_t used = 0;

    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        const char *stop = escape != NULL ? escape : end;
        const char *problem;
        uint32_t code_point;

        if (out != NULL && stop > at) {
            memcpy(out + used, at, (size_t)(stop - at));
            used += (size_t)(stop - at);
        }
        if (escape == NULL) {
            break;
        }
        at = escape + 1;
        problem = take_escape(&at, end, &code_point);
        if (problem != NULL) {
            return broken(walk, (size_t)(escape - walk->data), problem);
        }
        if (out != NULL) {
            used += utf8_put(code_point, out + used);
        }
    }
    *out_bytes = used;
    return true;
}

/* The current string: *raw with its quotes, *text unescaped. */
static bool
take_string(struct walk *walk, struct span *raw, struct span *text)
{
    struct span token = current_token(walk);
    char *copy;

    /* Behind the closing quote only blanks can stand before the next
     * position: anything else would be a position itself. */
    if (token.bytes < 2 || token.data[token.bytes - 1] != '"') {
        return broken(walk, current_at(walk), "the string is not closed");
    }
    *raw = token;
    *text = (struct span){token.data + 1, token.bytes - 2};
    walk->i++;
    if (!walk->has_escapes || text->bytes == 0 ||
        memchr(text->data, '\\', text->bytes) == NULL) {
        return true;
    }
    copy = arena_alloc(walk->arena, text->bytes);
    if (copy == NULL) {
        (void)err_set(walk->err, ERR_NO_MEMORY, "unescaping a string");
        return false;
    }
    if (!unescape(walk, *text, copy, &text->bytes)) {
        return false;
    }
    text->data = copy;
    return true;
}

/* The same inside a nested value, which is kept as it stands. */
static bool
skip_string(struct walk *walk)
{
    struct span token = current_token(walk);
    size_t ignored;

    if (token.bytes < 2 || token.data[token.bytes - 1] != '"') {
        return broken(walk, current_at(walk), "the string is not closed");
    }
    walk->i++;
    return !walk->has_escapes ||
           unescape(walk, (struct span){token.data + 1, token.bytes - 2}, NULL,
                    &ignored);
}

/* The current number or word. */
static bool
take_scalar(struct walk *walk, struct span *raw, enum json_kind *kind)
{
    *raw = current_token(walk);
    if (span_is(*raw, "true")) {
        *kind = JSON_TRUE;
    } else if (span_is(*raw, "false")) {
        *kind = JSON_FALSE;
    } else if (span_is(*raw, "null")) {
        *kind = JSON_NULL;
    } else if (is_number(*raw)) {
        *kind = JSON_NUMBER;
    } else if (raw->data[0] == '-' ||
               (raw->data[0] >= '0' && raw->data[0] <= '9')) {
        return broken(walk, current_at(walk),
                      "this is not a JSON number; put digits that begin with "
                      "0 in quotes");
    } else {
        return broken(walk, current_at(walk),
                      "a value is expected: a string in double quotes, a "
                      "number, true, false, null, an object or an array");
    }
    walk->i++;
    return true;
}

/* --- nested values --- */

enum want {
    WANT_VALUE,
    WANT_VALUE_OR_END,
    WANT_KEY,
    WANT_KEY_OR_END,
    WANT_COMMA_OR_END
};

/* The containers that are open; bit d of `objects`: the one at depth d + 1 is
 * an object. */
struct nest {
    uint32_t objects;
    size_t depth;
};
_Static_assert(JSON_ROW_DEPTH_MAX <= 32, "one bit a depth");

static bool
nest_open(struct walk *walk, struct nest *nest, bool is_object)
{
    uint32_t bit;

    if (nest->depth == JSON_ROW_DEPTH_MAX) {
        (void)err_set(
            walk->err, ERR_TOO_DEEP, "character %zu: nested deeper than %d",
            utf8_count((struct span){walk->data, current_at(walk)}) + 1,
            JSON_ROW_DEPTH_MAX);
        return false;
    }
    bit = UINT32_C(1) << nest->depth;
    nest->objects = is_object ? nest->objects | bit : nest->objects & ~bit;
    nest->depth++;
    walk->i++;
    return true;
}

static bool
nest_in_object(const struct nest *nest)
{
    return (nest->objects >> (nest->depth - 1) & 1u) != 0;
}

static bool
skip_key(struct walk *walk)
{
    if (current(walk) != '"') {
        return broken(walk, current_at(walk),
                      "a member name in double quotes is expected");
    }
    if (!skip_string(walk)) {
        return false;
    }
    if (current(walk) != ':') {
        return broken(walk, current_at(walk), "a colon is expected");
    }
    walk->i++;
    return true;
}

static bool
skip_value(struct walk *walk, struct nest *nest, enum want *want)
{
    char c = current(walk);
    struct span raw;
    enum json_kind kind;

    if (c == '{' || c == '[') {
        *want = c == '{' ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
        return nest_open(walk, nest, c == '{');
    }
    *want = WANT_COMMA_OR_END;
    if (c == '"') {
        return skip_string(walk);
    }
    if (walk->i >= walk->position_count) {
        return broken(walk, walk->bytes, "a value is expected");
    }
    return take_scalar(walk, &raw, &kind);
}

/* One object or array, checked and not kept; *raw is its text. */
static bool
take_nested(struct walk *walk, struct span *raw)
{
    struct nest nest = {0, 1};
    size_t begin = current_at(walk);
    enum want want = WANT_VALUE;

    do {
        char c = current(walk);
        bool may_end = want == WANT_VALUE_OR_END || want == WANT_KEY_OR_END ||
                       want == WANT_COMMA_OR_END;

        if (may_end && nest.depth > 1 &&
            c == (nest_in_object(&nest) ? '}' : ']')) {
            nest.depth--;
            walk->i++;
            want = WANT_COMMA_OR_END;
        } else if (want == WANT_COMMA_OR_END) {
            if (c != ',') {
                return broken(walk, current_at(walk),
                              nest_in_object(&nest)
                                  ? "a comma or } is expected"
                                  : "a comma or ] is expected");
            }
            walk->i++;
            want = nest_in_object(&nest) ? WANT_KEY : WANT_VALUE;
        } else if (want == WANT_KEY || want == WANT_KEY_OR_END) {
            if (!skip_key(walk)) {
                return false;
            }
            want = WANT_VALUE;
        } else if (!skip_value(walk, &nest, &want)) {
            return false;
        }
    } while (nest.depth > 1);
    *raw = (struct span){walk->data + begin,
                         walk->positions[walk->i - 1] + 1 - begin};
    return true;
}

/* --- the row --- */

static bool
take_value(struct walk *walk, struct json_member *member)
{
    char c = current(walk);

    if (walk->i >= walk->position_count) {
        return broken(walk, walk->bytes, "a value is expected");
    }
    if (c == '"') {
        member->kind = JSON_STRING;
        return take_string(walk, &member->raw_value, &member->value);
    }
    if (c == '{' || c == '[') {
        member->kind = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        if (!take_nested(walk, &member->raw_value)) {
            return false;
        }
    } else if (!take_scalar(walk, &member->raw_value, &member->kind)) {
        return false;
    }
    member->value = member->raw_value;
    return true;
}

static bool
take_member(struct walk *walk, struct json_member *member)
{
    if (current(walk) != '"') {
        return broken(walk, current_at(walk),
                      "a member name in double quotes is expected");
    }
    if (!take_string(walk, &member->raw_key, &member->key)) {
        return false;
    }
    if (current(walk) != ':') {
        return broken(walk, current_at(walk), "a colon is expected");
    }
    walk->i++;
    return take_value(walk, member);
}

/* One of 64, from the ends of the key: equal keys give equal bits. */
static uint64_t
key_bit(struct span key)
{
    uint32_t head = 0;
    uint32_t tail = 0;
    uint64_t mixed;

    if (key.bytes >= 4) {
        memcpy(&head, key.data, 4);
        memcpy(&tail, key.data + key.bytes - 4, 4);
    } else if (key.bytes > 0) {
        head = (unsigned char)key.data[0];
        tail = (unsigned char)key.data[key.bytes - 1];
    }
    mixed = (((uint64_t)head << 32 | tail) ^ key.bytes) *
            UINT64_C(0x9E3779B97F4A7C15);
    return UINT64_C(1) << (mixed >> 58);
}

static bool
refuse_twice(struct walk *walk, struct span key)
{
    char name[ERR_FIELD_BYTES];
    size_t bytes = key.bytes;

    if (bytes >= sizeof(name)) {
        bytes = utf8_cut(key.data, sizeof(name) - 1);
    }
    for (size_t i = 0; i < bytes; i++) {
        name[i] = (unsigned char)key.data[i] < 0x20 ? '?' : key.data[i];
    }
    name[bytes] = '\0';
    (void)err_set_field(walk->err, ERR_DUPLICATE_FIELD, name,
                        "'%s' is given twice in one object", name);
    return false;
}

static bool
is_new_key(struct walk *walk,
           const struct json_member *members,
           size_t member_count,
           uint64_t *seen)
{
    struct span key = members[member_count].key;
    uint64_t bit = key_bit(key);

    if ((*seen & bit) != 0) {
        for (size_t i = 0; i < member_count; i++) {
            if (span_equal(members[i].key, key)) {
                return refuse_twice(walk, key);
            }
        }
    }
    *seen |= bit;
    return true;
}

static bool
take_members(struct walk *walk, struct json_row *row, struct json_member *out)
{
    uint64_t seen = 0;

    if (current(walk) != '{') {
        return broken(walk, current_at(walk),
                      "a record is one JSON object, {\"id\":…}");
    }
    walk->i++;
    if (current(walk) == '}') {
        walk->i++;
        return true;
    }
    for (;;) {
        if (row->member_count == JSON_ROW_MEMBERS_MAX) {
            (void)err_set(walk->err, ERR_TOO_LONG, "more than %d members",
                          JSON_ROW_MEMBERS_MAX);
            return false;
        }
        if (!take_member(walk, &out[row->member_count]) ||
            !is_new_key(walk, out, row->member_count, &seen)) {
            return false;
        }
        row->member_count++;
        if (current(walk) == '}') {
            walk->i++;
            return true;
        }
        if (current(walk) != ',') {
            return broken(walk, current_at(walk), "a comma or } is expected");
        }
        walk->i++;
    }
}

enum err_code
json_reader_read(struct json_reader *reader,
                 struct span line,
                 struct arena *arena,
                 struct json_row *out,
                 struct err *err)
{
    struct walk walk = {
        .data = line.data, .bytes = line.bytes, .arena = arena, .err = err};
    enum json_scan_result result;

    *out = (struct json_row){reader->members, 0};
    if (span_starts(line, SPAN_LITERAL("\xEF\xBB\xBF"))) {
        walk.data += 3;
        walk.bytes -= 3;
    }
    result = json_scan_run(reader->scan, walk.data, walk.bytes, &walk.positions,
                           &walk.position_count);
    if (result != JSON_SCAN_OK) {
        explain_scan(&walk, result);
        return err->code;
    }
    walk.has_escapes = memchr(walk.data, '\\', walk.bytes) != NULL;
    if (!take_members(&walk, out, reader->members)) {
        return err->code;
    }
    if (walk.i != walk.position_count) {
        (void)broken(&walk, current_at(&walk),
                     "text after the object; write one object a line");
        return err->code;
    }
    return ERR_OK;
}

/* --- the records of a body --- */

static void
skip_blanks(struct json_array *array)
{
    while (array->at < array->body.bytes &&
           is_blank(array->body.data[array->at])) {
        array->at++;
    }
}

void
json_array_open(struct json_array *array, struct span body)
{
    *array = (struct json_array){.body = body};
    if (span_starts(body, SPAN_LITERAL("\xEF\xBB\xBF"))) {
        array->at = 3;
    }
    skip_blanks(array);
    if (array->at < body.bytes && body.data[array->at] == '[') {
        array->is_array = true;
        array->at++;
    }
}

/* Behind the string that opens at `at`, or bytes when it is not closed. */
static size_t
behind_string(struct span body, size_t at)
{
    at++;
    while (at < body.bytes && body.data[at] != '"') {
        at += body.data[at] == '\\' ? 2 : 1;
    }
    return at < body.bytes ? at + 1 : body.bytes;
}

/* Behind the element that begins at `at`: to the comma or bracket that ends
 * it. */
static size_t
behind_element(struct span body, size_t at)
{
    size_t depth = 0;

    while (at < body.bytes) {
        switch (body.data[at]) {
        case '"':
            at = behind_string(body, at);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0) {
                return at;
            }
            depth--;
            break;
        case ',':
            if (depth == 0) {
                return at;
            }
            break;
        default:
            break;
        }
        at++;
    }
    return at;
}

static bool
array_end(struct json_array *array, const char *problem)
{
    array->ended = true;
    array->problem = problem;
    return false;
}

bool
json_array_next(struct json_array *array, struct span *element)
{
    struct span body = array->body;
    size_t begin;

    if (array->ended) {
        return false;
    }
    if (!array->is_array) { /* one record: the whole body */
        array->ended = true;
        array->element_count = 1;
        *element = (struct span){body.data + array->at, body.bytes - array->at};
        return true;
    }
    skip_blanks(array);
    if (array->at < body.bytes && body.data[array->at] == ']') {
        array->at++;
        skip_blanks(array);
        return array_end(array, array->at < body.bytes ? "text after the array"
                                                       : NULL);
    }
    if (array->element_count > 0) {
        if (array->at >= body.bytes || body.data[array->at] != ',') {
            return array_end(array, "a comma or ] is expected");
        }
        array->at++;
        skip_blanks(array);
    }
    begin = array->at;
    array->at = behind_element(body, begin);
    if (array->at >= body.bytes) {
        return array_end(array, "the array is not closed");
    }
    if (array->at == begin) {
        return array_end(array, "a record is expected");
    }
    array->element_count++;
    *element = (struct span){body.data + begin, array->at - begin};
    return true;
}

enum err_code
json_array_error(const struct json_array *array, struct err *err)
{
    if (array->problem == NULL) {
        return ERR_OK;
    }
    return err_set(err, ERR_BAD_JSON, "byte %zu, after record %zu: %s",
                   array->at + 1, array->element_count, array->problem);
}
