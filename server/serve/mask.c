/* The one door through which personal fields leave the server. */
#include "server/serve/mask.h"

enum {
    MASK_MOBILE_DIGITS = 11,
    MASK_IDENTITY_DIGITS = 17, /* and a check character */
    MASK_LANDLINE_DIGITS_MIN = 10,
    MASK_LANDLINE_DIGITS_MAX = 12,
    MASK_ADDRESS_CHARS_MIN = 4
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

static bool
ends_street(struct span rest)
{
    static const char *const words[] = {"路", "街", "道", "巷",
                                        "镇", "乡", "村"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_starts(rest, span_of(words[i]))) {
            return true;
        }
    }
    return false;
}

/* Up to the last street, town or village in front of the first number. */
static void
put_address(struct buf *out, struct span value)
{
    size_t keep = 0;
    size_t at = 0;
    size_t chars = 0;
    size_t few = 0;

    while (at < value.bytes && !is_digit(value.data[at])) {
        struct span rest = {value.data + at, value.bytes - at};

        at += utf8_next(rest, NULL);
        if (ends_street(rest)) {
            keep = at;
        }
        if (++chars == MASK_ADDRESS_CHARS_MIN) {
            few = at;
        }
    }
    put_part(out, value, 0, keep > 0 ? keep : few);
    buf_put_text(out, "***");
}

/* A run of digits in free text: does it name a person? */
static bool
run_is_personal(struct span run)
{
    return (run.bytes == MASK_MOBILE_DIGITS && run.data[0] == '1' &&
            run.data[1] >= '3') ||
           run.bytes == MASK_IDENTITY_DIGITS ||
           run.bytes == MASK_IDENTITY_DIGITS + 1 ||
           (run.data[0] == '0' && run.bytes >= MASK_LANDLINE_DIGITS_MIN &&
            run.bytes <= MASK_LANDLINE_DIGITS_MAX);
}

static void
put_text(struct buf *out, struct span value)
{
    size_t at = 0;

    while (at < value.bytes) {
        size_t end = at;
        bool digits = is_digit(value.data[at]);

        while (end < value.bytes && is_digit(value.data[end]) == digits) {
            end++;
        }
        struct span run = {value.data + at, end - at};

        if (digits && run_is_personal(run)) {
            put_phone(out, run);
        } else {
            buf_put_span(out, run);
        }
        at = end;
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
        put_text(scratch, value);
        break;
    case MASK_RAW:
        buf_put_text(scratch, "****");
        break;
    }
    /* Rather nothing than the bare value when there was no memory. */
    return scratch->failed == ERR_OK ? buf_view(scratch) : SPAN_LITERAL("****");
}
