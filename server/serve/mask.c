/* The one door through which personal fields leave the server. */
#include "server/serve/mask.h"

#include <string.h>

enum {
    MASK_MOBILE_DIGITS = 11,
    MASK_IDENTITY_DIGITS = 17, /* and a check character */
    MASK_LANDLINE_DIGITS_MIN = 10,
    MASK_LANDLINE_DIGITS_MAX = 12,
    MASK_ADDRESS_CHARS_MIN = 4,
    MASK_RUN_DIGITS_MAX = 32,
    MASK_JOINED_MAX = 4,       /* separators inside one number */
    MASK_ANNOUNCED_BYTES = 24, /* "电话" stands so near in front */
    MASK_ANNOUNCED_DIGITS_MIN = 6,
    MASK_PIECE_DIGITS_MIN = 4
};

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void
put_part(struct buf *out, struct span value, size_t from, size_t bytes)
{
    buf_put(out, value.data + from, bytes);
}

/* First `head` and last `tail` characters of ASCII, four stars between. */
static void
put_middle_masked(struct buf *out, struct span value, size_t head, size_t tail)
{
    if (value.bytes < head + tail + 2) {
        head = value.bytes > 2 ? 1 : 0;
        tail = 0;
    }
    put_part(out, value, 0, head);
    buf_put_text(out, "****");
    put_part(out, value, value.bytes - tail, tail);
}

/* 010 and 02x have three digits, other area codes four. */
static size_t
area_code_digits(struct span value)
{
    return value.bytes > 2 && (value.data[1] == '1' || value.data[1] == '2')
               ? 3
               : 4;
}

static bool
is_ascii(struct span value)
{
    for (size_t i = 0; i < value.bytes; i++) {
        if ((unsigned char)value.data[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

static void
put_phone(struct buf *out, struct span value)
{
    if (!is_ascii(value)) {
        buf_put_text(out, "****");
    } else if (value.data[0] == '0') {
        put_middle_masked(out, value, area_code_digits(value), 2);
    } else {
        put_middle_masked(out, value, 3, 4);
    }
}

static void
put_name(struct buf *out, struct span value)
{
    put_part(out, value, 0, utf8_next(value, NULL));
    buf_put_text(out, "*");
}

/* Does the text begin with one of these words, up to NULL? Its bytes, or 0. */
static size_t
word_at(struct span text, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (span_starts(text, span_of(words[i]))) {
            return strlen(words[i]);
        }
    }
    return 0;
}

/* Up to the first street or village, the towns in front of it included; all of
 * it in front of the first number. What comes behind may be a house's name. */
static void
put_address(struct buf *out, struct span value)
{
    static const char *const towns[] = {"街道", "镇", "乡", NULL};
    static const char *const streets[] = {"路", "街", "道", "巷", "村", NULL};
    size_t keep = 0;
    size_t at = 0;
    size_t chars = 0;
    size_t few = 0;

    while (at < value.bytes && !is_digit(value.data[at])) {
        struct span rest = {value.data + at, value.bytes - at};
        size_t town = word_at(rest, towns);

        if (town > 0) {
            at += town;
            keep = at;
        } else if (word_at(rest, streets) > 0) {
            keep = at + word_at(rest, streets);
            break;
        } else {
            at += utf8_next(rest, NULL);
        }
        if (++chars == MASK_ADDRESS_CHARS_MIN) {
            few = at;
        }
    }
    put_part(out, value, 0, keep > 0 ? keep : few);
    buf_put_text(out, "***");
}

/* ---- numbers in free text ---- */

/* One run of digits, ASCII or full width. */
struct run {
    size_t from; /* bytes of the text */
    size_t end;
    char digits[MASK_RUN_DIGITS_MAX + 1];
    size_t count; /* all of them, also those that `digits` has no room for */
};

/* The digit at `at`, -1 for all else; *bytes is its length. */
static int
digit_at(struct span text, size_t at, size_t *bytes)
{
    uint32_t c = 0;

    if (at >= text.bytes) {
        return -1;
    }
    *bytes = utf8_next((struct span){text.data + at, text.bytes - at}, &c);
    if (c >= '0' && c <= '9') {
        return (int)(c - '0');
    }
    return c >= 0xFF10 && c <= 0xFF19 ? (int)(c - 0xFF10) : -1;
}

static bool
read_run(struct span text, size_t at, struct run *out)
{
    size_t bytes = 0;
    int digit;

    *out = (struct run){.from = at, .end = at};
    while ((digit = digit_at(text, out->end, &bytes)) >= 0) {
        if (out->count < MASK_RUN_DIGITS_MAX) {
            out->digits[out->count] = (char)('0' + digit);
        }
        out->count++;
        out->end += bytes;
    }
    return out->count > 0;
}

/* Bytes of a separator that people write inside a number: "138-1234 5678". */
static size_t
separator_at(struct span text, size_t at)
{
    static const char *const words[] = {"-", " ", "－", "—", "　", "–"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct span rest = {text.data + at, text.bytes - at};

        if (span_starts(rest, span_of(words[i]))) {
            return strlen(words[i]);
        }
    }
    return 0;
}

/* Put the run behind into the one in front; false: no room. */
static bool
join(struct run *run, const struct run *next)
{
    if (run->count + next->count > MASK_RUN_DIGITS_MAX) {
        return false;
    }
    memcpy(run->digits + run->count, next->digits, next->count);
    run->count += next->count;
    run->end = next->end;
    return true;
}

static bool
is_mobile(const char *digits)
{
    return digits[0] == '1' && digits[1] >= '3';
}

/* Do these digits, all of them, name a person? */
static bool
is_personal(const struct run *run)
{
    const char *d = run->digits;

    switch (run->count) {
    case MASK_MOBILE_DIGITS:
        if (is_mobile(d)) {
            return true;
        }
        break;
    case MASK_MOBILE_DIGITS + 1: /* 0138... */
        if (d[0] == '0' && is_mobile(d + 1)) {
            return true;
        }
        break;
    case MASK_MOBILE_DIGITS + 2: /* 86138... */
        return d[0] == '8' && d[1] == '6' && is_mobile(d + 2);
    case MASK_IDENTITY_DIGITS:
    case MASK_IDENTITY_DIGITS + 1:
        return true;
    default:
        break;
    }
    return d[0] == '0' && run->count >= MASK_LANDLINE_DIGITS_MIN &&
           run->count <= MASK_LANDLINE_DIGITS_MAX;
}

/* The longest number of a person that begins with this run; false: none. */
static bool
find_number(struct span text, struct run *run)
{
    struct run joined = *run;
    bool found = is_personal(run);

    for (int i = 0; i < MASK_JOINED_MAX; i++) {
        size_t separator = separator_at(text, joined.end);
        struct run next;

        if (separator == 0 || !read_run(text, joined.end + separator, &next) ||
            !join(&joined, &next)) {
            break;
        }
        /* An identity number has no gaps; two others may stand side by side. */
        if (joined.count < MASK_IDENTITY_DIGITS && is_personal(&joined)) {
            *run = joined;
            found = true;
        }
    }
    return found;
}

/* Does a word in front say that a number of a person follows? */
static bool
is_announced(struct span text, size_t at)
{
    static const char *const words[] = {"电话",   "手机", "户号",
                                        "身份证", "微信", "联系方式"};
    size_t from = at > MASK_ANNOUNCED_BYTES ? at - MASK_ANNOUNCED_BYTES : 0;
    struct span before = {text.data + from, at - from};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_find(before, span_of(words[i]), 0) != SIZE_MAX) {
            return true;
        }
    }
    return false;
}

static size_t
next_digit(struct span text, size_t at)
{
    size_t bytes = 1;

    while (at < text.bytes && digit_at(text, at, &bytes) < 0) {
        at += bytes;
    }
    return at;
}

/* `is_piece`: cut out of a longer text, so a run at its ends may be part of a
 * longer one. */
static void
put_text(struct buf *out, struct span value, bool is_piece)
{
    size_t at = 0;

    while (at < value.bytes) {
        size_t from = at;
        struct run run;

        at = next_digit(value, at);
        put_part(out, value, from, at - from);
        if (!read_run(value, at, &run)) {
            break; /* the end */
        }
        if (find_number(value, &run)) {
            put_phone(out, (struct span){run.digits, run.count});
        } else if ((run.count >= MASK_ANNOUNCED_DIGITS_MIN &&
                    is_announced(value, at)) ||
                   (is_piece && run.count >= MASK_PIECE_DIGITS_MIN &&
                    (run.from == 0 || run.end == value.bytes))) {
            buf_put_text(out, "****");
        } else {
            put_part(out, value, run.from, run.end - run.from);
        }
        at = run.end;
    }
}

struct span
mask_field(enum mask_role role,
           enum mask_field field,
           struct span value,
           struct buf *scratch)
{
    if (role == MASK_ROLE_SUPERVISOR || value.bytes == 0) {
        return value;
    }
    buf_reset(scratch);
    switch (field) {
    case MASK_PHONE:
        put_phone(scratch, value);
        break;
    case MASK_CUSTOMER:
        if (is_ascii(value)) {
            put_middle_masked(scratch, value, 3, 3);
        } else {
            buf_put_text(scratch, "****");
        }
        break;
    case MASK_NAME:
        put_name(scratch, value);
        break;
    case MASK_ADDRESS:
        put_address(scratch, value);
        break;
    case MASK_TEXT:
        put_text(scratch, value, false);
        break;
    case MASK_PIECE:
        put_text(scratch, value, true);
        break;
    case MASK_RAW:
        buf_put_text(scratch, "****");
        break;
    }
    /* Rather nothing than the bare value when there was no memory. */
    return scratch->failed == ERR_OK ? buf_view(scratch) : SPAN_LITERAL("****");
}
