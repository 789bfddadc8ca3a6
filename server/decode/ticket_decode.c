/* A record's values to a ticket or an event: what is required, what is meant,
 * and a message for each thing that can be wrong. */
#include "server/decode/ticket_decode.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/decode/json_row.h"

enum field_flag {
    ON_TICKET = 1u << 0,
    ON_EVENT = 1u << 1,
    DIGITS = 1u << 2,
    PERSONAL = 1u << 3
};

static const struct field_row {
    const char *name;
    size_t bytes;
    unsigned flags;
} field_rows[DECODE_FIELD_COUNT] = {
#define FIELD_ROW(name, wire, flags) {wire, sizeof(wire) - 1, flags},
    DECODE_FIELDS(FIELD_ROW)
#undef FIELD_ROW
};

enum {
    FIELD_SLOTS = 128, /* power of two, several times the fields */
    EXCERPT_BYTES_MAX = DECODE_EXCERPT_CHARS_MAX * 4,
    DIGIT_RUN_MAX = 6 /* longer ones may be a phone number in a wrong column */
};

struct decoder {
    struct json_reader *reader;
    uint8_t slots[FIELD_SLOTS]; /* field + 1, open addressing */
    uint8_t member_fields[JSON_ROW_MEMBERS_MAX];
    struct span id; /* of the record at hand, as it came */
    size_t value_bytes;
    size_t id_bytes;
    char value_text[EXCERPT_BYTES_MAX];
    char id_text[EXCERPT_BYTES_MAX];
};

/* --- fields --- */

static size_t
field_slot(struct span name)
{
    size_t first = (unsigned char)name.data[0];
    size_t last = (unsigned char)name.data[name.bytes - 1];

    return (name.bytes + first * 5 + last * 11) & (FIELD_SLOTS - 1);
}

static bool
field_is(size_t field, struct span name)
{
    return field_rows[field].bytes == name.bytes &&
           memcmp(field_rows[field].name, name.data, name.bytes) == 0;
}

static enum decode_field
field_of(const struct decoder *decoder, struct span name)
{
    if (name.bytes == 0) {
        return DECODE_FIELD_NONE;
    }
    for (size_t slot = field_slot(name);; slot = (slot + 1) % FIELD_SLOTS) {
        size_t taken = decoder->slots[slot];

        if (taken == 0) {
            return DECODE_FIELD_NONE;
        }
        if (field_is(taken - 1, name)) {
            return (enum decode_field)(taken - 1);
        }
    }
}

const char *
decode_field_name(enum decode_field field)
{
    assert(field < DECODE_FIELD_COUNT);
    return field_rows[field].name;
}

enum decode_field
decode_field_from(struct span name)
{
    for (size_t i = 0; i < DECODE_FIELD_COUNT; i++) {
        if (field_is(i, name)) {
            return (enum decode_field)i;
        }
    }
    return DECODE_FIELD_NONE;
}

bool
decode_field_on_ticket(enum decode_field field)
{
    return field < DECODE_FIELD_COUNT &&
           (field_rows[field].flags & ON_TICKET) != 0;
}

bool
decode_field_on_event(enum decode_field field)
{
    return field < DECODE_FIELD_COUNT &&
           (field_rows[field].flags & ON_EVENT) != 0;
}

/* --- the decoder --- */

enum err_code
decode_new(struct decoder **out, struct err *err)
{
    struct decoder *decoder = calloc(1, sizeof(*decoder));
    enum err_code code;

    if (decoder == NULL) {
        return err_set(err, ERR_NO_MEMORY, "decoder");
    }
    code = json_reader_new(&decoder->reader, err);
    if (code != ERR_OK) {
        free(decoder);
        return code;
    }
    for (size_t i = 0; i < DECODE_FIELD_COUNT; i++) {
        size_t slot =
            field_slot((struct span){field_rows[i].name, field_rows[i].bytes});

        while (decoder->slots[slot] != 0) {
            slot = (slot + 1) % FIELD_SLOTS;
        }
        decoder->slots[slot] = (uint8_t)(i + 1);
    }
    *out = decoder;
    return ERR_OK;
}

void
decode_free(struct decoder **decoder)
{
    if (*decoder == NULL) {
        return;
    }
    json_reader_free(&(*decoder)->reader);
    free(*decoder);
    *decoder = NULL;
}

void
decode_begin(struct decoder *decoder, struct span id)
{
    decoder->id = id;
    decoder->id_bytes = 0;
    decoder->value_bytes = 0;
}

struct span
decode_error_value(const struct decoder *decoder)
{
    return (struct span){decoder->value_text, decoder->value_bytes};
}

struct span
decode_error_id(const struct decoder *decoder)
{
    return (struct span){decoder->id_text, decoder->id_bytes};
}

/* --- errors --- */

static size_t
digit_run(struct span text)
{
    size_t digits = 0;

    while (digits < text.bytes && text.data[digits] >= '0' &&
           text.data[digits] <= '9') {
        digits++;
    }
    return digits;
}

/*
 * The beginning of `value` for a person to read: printable characters, no
 * more than DECODE_EXCERPT_CHARS_MAX; long runs of digits become stars when
 * `hide_digits`. Returns the bytes written.
 */
static size_t
excerpt(struct span value, bool hide_digits, char out[EXCERPT_BYTES_MAX])
{
    struct span rest = value;
    size_t used = 0;
    size_t stars = 0;

    for (int chars = 0; chars < DECODE_EXCERPT_CHARS_MAX && rest.bytes > 0;
         chars++) {
        uint32_t code_point;
        size_t bytes = utf8_next(rest, &code_point);

        if (hide_digits && stars == 0 && digit_run(rest) > DIGIT_RUN_MAX) {
            stars = digit_run(rest);
        }
        if (stars > 0) {
            out[used++] = '*';
            stars--;
        } else if (code_point < 0x20 ||
                   (code_point >= 0x7F && code_point < 0xA0) ||
                   (bytes == 1 && code_point >= 0x80)) {
            out[used++] = '?';
        } else {
            memcpy(out + used, rest.data, bytes);
            used += bytes;
        }
        rest.data += bytes;
        rest.bytes -= bytes;
    }
    return used;
}

/* Keep what decode_error_id and decode_error_value answer. */
static void
note_error(struct decoder *decoder, enum decode_field field, struct span value)
{
    decoder->id_bytes = excerpt(decoder->id, false, decoder->id_text);
    decoder->value_bytes = 0;
    if (field < DECODE_FIELD_COUNT &&
        (field_rows[field].flags & PERSONAL) == 0) {
        decoder->value_bytes =
            excerpt(value,
                    (field_rows[field].flags & DIGITS) == 0 ||
                        field == DECODE_FIELD_CHANNEL,
                    decoder->value_text);
    }
}

enum err_code
decode_refuse(struct decoder *decoder,
              enum decode_field field,
              struct span value,
              enum err_code code,
              struct err *err,
              const char *fmt,
              ...)
{
    char detail[ERR_DETAIL_BYTES];
    va_list args;

    note_error(decoder, field, value);
    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    detail[utf8_cut(detail, strlen(detail))] = '\0';
    if (decoder->value_bytes > 0) {
        return err_set_field(err, code, decode_field_name(field), "'%.*s': %s",
                             (int)decoder->value_bytes, decoder->value_text,
                             detail);
    }
    return err_set_field(err, code, decode_field_name(field), "%s", detail);
}

/* --- values --- */

/* What the functions below share. */
struct job {
    struct decoder *decoder;
    const struct decode_values *values;
    struct err *err;
};

/* Words that a field takes, for a message. */
#define TAKE_WORD(set, SET, error)                                             \
    static enum err_code take_##set(const struct job *job,                     \
                                    enum decode_field field, enum set *out)    \
    {                                                                          \
        struct span word = span_trim(job->values->value[field]);               \
        char list[ERR_DETAIL_BYTES];                                           \
        size_t used = 0;                                                       \
                                                                               \
        if (word.bytes == 0 || set##_from(word, out)) {                        \
            return ERR_OK;                                                     \
        }                                                                      \
        for (int i = 0; i < SET##_COUNT && used < sizeof(list); i++) {         \
            used +=                                                            \
                (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",     \
                                 i > 0 ? ", " : "", set##_wire((enum set)i));  \
        }                                                                      \
        return decode_refuse(job->decoder, field, word, error, job->err,       \
                             "not one of %s", list);                           \
    }

TAKE_WORD(ticket_type, TICKET_TYPE, ERR_BAD_TYPE)
TAKE_WORD(ticket_channel, TICKET_CHANNEL, ERR_BAD_CHANNEL)
TAKE_WORD(ticket_region, TICKET_REGION, ERR_BAD_REGION)
TAKE_WORD(ticket_category, TICKET_CATEGORY, ERR_BAD_CATEGORY)
TAKE_WORD(event_kind, EVENT_KIND, ERR_BAD_EVENT)
TAKE_WORD(event_satisfaction, EVENT_SATISFACTION, ERR_BAD_VALUE)
TAKE_WORD(event_substantiated, EVENT_SUBSTANTIATED, ERR_BAD_VALUE)

static enum err_code
missing(const struct job *job, enum decode_field field, const char *what)
{
    return decode_refuse(job->decoder, field, (struct span){NULL, 0},
                         ERR_MISSING_FIELD, job->err, "%s", what);
}

/* An optional field; {NULL, 0} when it is empty. */
static enum err_code
take_text(const struct job *job, enum decode_field field, struct span *out)
{
    struct span value = span_trim(job->values->value[field]);

    if (value.bytes > TICKET_FIELD_BYTES_MAX) {
        return decode_refuse(job->decoder, field, value, ERR_TOO_LONG, job->err,
                             "%zu bytes, %d are allowed", value.bytes,
                             TICKET_FIELD_BYTES_MAX);
    }
    *out = value.bytes > 0 ? value : (struct span){NULL, 0};
    return ERR_OK;
}

/* The usual id, of which ticket_id_check needs not look at the characters. */
static bool
is_plain_id(struct span id)
{
    unsigned odd = 0;

    if (id.bytes == 0 || id.bytes > TICKET_ID_CHARS_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.bytes; i++) {
        odd |= (unsigned)((unsigned char)id.data[i] - 0x20u >= 0x5Fu);
    }
    return odd == 0;
}

static enum err_code
take_id(const struct job *job, enum decode_field field, struct span *out)
{
    struct span id = span_trim(job->values->value[field]);
    struct err problem;

    *out = id.bytes > 0 ? id : (struct span){NULL, 0};
    if (id.bytes == 0 && field != DECODE_FIELD_ID) {
        return ERR_OK;
    }
    if (is_plain_id(id)) {
        return ERR_OK;
    }
    problem.code = ERR_OK;
    if (ticket_id_check(id, &problem) != ERR_OK) {
        return decode_refuse(job->decoder, field, id, problem.code, job->err,
                             "%s", problem.detail);
    }
    return ERR_OK;
}

static enum err_code
take_time(const struct job *job, enum decode_field field, int64_t *out_us)
{
    struct span word = span_trim(job->values->value[field]);
    struct err problem;

    if (word.bytes == 0) {
        return missing(job, field,
                       "the time is required; write it as "
                       "2018-01-31T09:05:00+08:00 or 2018-01-31 09:05:00");
    }
    problem.code = ERR_OK;
    if (ticket_time_parse(word, out_us, &problem) != ERR_OK) {
        return decode_refuse(job->decoder, field, word, problem.code, job->err,
                             "%s", problem.detail);
    }
    return ERR_OK;
}

/* --- records --- */

#define TRY(call)                                                              \
    do {                                                                       \
        enum err_code code_ = (call);                                          \
                                                                               \
        if (code_ != ERR_OK) {                                                 \
            return code_;                                                      \
        }                                                                      \
    } while (0)

static enum err_code
take_ticket(const struct job *job, struct ticket *out)
{
    struct span text = job->values->value[DECODE_FIELD_TEXT];

    *out = (struct ticket){.extra = job->values->extra};
    TRY(take_id(job, DECODE_FIELD_ID, &out->id));
    TRY(take_time(job, DECODE_FIELD_ACCEPTED_AT, &out->accepted_at_us));
    if (text.data == NULL) {
        return missing(job, DECODE_FIELD_TEXT,
                       "the text is required; it may be empty");
    }
    if (text.bytes > TICKET_TEXT_BYTES_MAX) {
        return decode_refuse(
            job->decoder, DECODE_FIELD_TEXT, text, ERR_TOO_LONG, job->err,
            "%zu bytes, %d are allowed", text.bytes, TICKET_TEXT_BYTES_MAX);
    }
    out->text = text;
    TRY(take_ticket_type(job, DECODE_FIELD_TYPE, &out->type));
    TRY(take_ticket_channel(job, DECODE_FIELD_CHANNEL, &out->channel));
    TRY(take_ticket_region(job, DECODE_FIELD_REGION, &out->region));
    TRY(take_text(job, DECODE_FIELD_CALLER, &out->caller));
    TRY(take_text(job, DECODE_FIELD_CUSTOMER, &out->customer));
    TRY(take_text(job, DECODE_FIELD_NAME, &out->name));
    TRY(take_text(job, DECODE_FIELD_ADDRESS, &out->address));
    TRY(take_text(job, DECODE_FIELD_UNIT, &out->unit));
    return take_id(job, DECODE_FIELD_RELATED, &out->related);
}

static enum err_code
take_event(const struct job *job, struct ticket_event *out)
{
    *out = (struct ticket_event){.extra = job->values->extra};
    TRY(take_id(job, DECODE_FIELD_ID, &out->id));
    if (span_trim(job->values->value[DECODE_FIELD_EVENT]).bytes == 0) {
        return missing(job, DECODE_FIELD_EVENT,
                       "the kind of the event is required");
    }
    TRY(take_event_kind(job, DECODE_FIELD_EVENT, &out->kind));
    TRY(take_time(job, DECODE_FIELD_AT, &out->at_us));
    TRY(take_event_satisfaction(job, DECODE_FIELD_SATISFACTION,
                                &out->satisfaction));
    TRY(take_event_substantiated(job, DECODE_FIELD_SUBSTANTIATED,
                                 &out->substantiated));
    TRY(take_ticket_category(job, DECODE_FIELD_CATEGORY, &out->category));
    out->category_given =
        span_trim(job->values->value[DECODE_FIELD_CATEGORY]).bytes > 0;
    TRY(take_text(job, DECODE_FIELD_SUBCATEGORY, &out->subcategory));
    TRY(take_ticket_region(job, DECODE_FIELD_REGION, &out->region));
    TRY(take_text(job, DECODE_FIELD_REASON, &out->reason));
    TRY(take_text(job, DECODE_FIELD_BY, &out->by));
    if (out->kind == EVENT_KIND_CORRECTED && !out->category_given &&
        out->subcategory.bytes == 0 && out->region == TICKET_REGION_UNKNOWN) {
        return missing(job, DECODE_FIELD_CATEGORY,
                       "a correction needs a category, a subcategory or a "
                       "region");
    }
    return ERR_OK;
}

enum err_code
decode_row(struct decoder *decoder,
           const struct decode_values *values,
           enum decoded_kind kind,
           struct decoded *out,
           struct err *err)
{
    struct job job = {decoder, values, err};

    decode_begin(decoder, span_trim(values->value[DECODE_FIELD_ID]));
    out->kind = kind;
    return kind == DECODED_EVENT ? take_event(&job, &out->event)
                                 : take_ticket(&job, &out->ticket);
}

/* --- JSON --- */

/* A member's value as text, or what kind of value it should be. */
static enum err_code
member_value(struct decoder *decoder,
             enum decode_field field,
             const struct json_member *member,
             struct span *out,
             struct err *err)
{
    bool digits = (field_rows[field].flags & DIGITS) != 0;

    if (member->kind == JSON_STRING) {
        *out = member->value;
        return ERR_OK;
    }
    if (member->kind == JSON_NULL) {
        return ERR_OK;
    }
    if (digits && member->kind == JSON_NUMBER &&
        digit_run(member->value) == member->value.bytes) {
        *out = member->value;
        return ERR_OK;
    }
    return decode_refuse(decoder, field, member->value, ERR_BAD_VALUE, err,
                         digits ? "%s; write a string in double quotes, or "
                                  "its digits alone"
                                : "%s; write a string in double quotes",
                         member->kind == JSON_NUMBER
                             ? "a number of this form is no value here"
                             : json_kind_name(member->kind));
}

static bool
is_used(enum decode_field field, enum decoded_kind kind)
{
    return kind == DECODED_EVENT ? decode_field_on_event(field)
                                 : decode_field_on_ticket(field);
}

/* The members that the record's kind does not have, as they stand. */
static enum err_code
collect_extra(const struct decoder *decoder,
              const struct json_row *row,
              enum decoded_kind kind,
              struct arena *arena,
              struct span *out,
              struct err *err)
{
    size_t bytes = 0;
    char *text;
    size_t used = 0;

    for (size_t i = 0; i < row->member_count; i++) {
        if (!is_used(decoder->member_fields[i], kind)) {
            bytes += row->members[i].raw_key.bytes +
                     row->members[i].raw_value.bytes + 2;
        }
    }
    if (bytes == 0) {
        return ERR_OK;
    }
    if (bytes > TICKET_EXTRA_BYTES_MAX) {
        return err_set(err, ERR_TOO_LONG,
                       "the fields that this record does not know have %zu "
                       "bytes, %d are allowed",
                       bytes, TICKET_EXTRA_BYTES_MAX);
    }
    text = arena_alloc(arena, bytes);
    if (text == NULL) {
        return err_set(err, ERR_NO_MEMORY, "unknown fields");
    }
    for (size_t i = 0; i < row->member_count; i++) {
        const struct json_member *member = &row->members[i];

        if (is_used(decoder->member_fields[i], kind)) {
            continue;
        }
        if (used > 0) {
            text[used++] = ',';
        }
        memcpy(text + used, member->raw_key.data, member->raw_key.bytes);
        used += member->raw_key.bytes;
        text[used++] = ':';
        memcpy(text + used, member->raw_value.data, member->raw_value.bytes);
        used += member->raw_value.bytes;
    }
    *out = (struct span){text, used};
    return ERR_OK;
}

/* Which field each member is; finds out whether the record is an event. */
static enum decoded_kind
name_members(struct decoder *decoder, const struct json_row *row)
{
    enum decoded_kind kind = DECODED_TICKET;
    struct span id = {NULL, 0};

    for (size_t i = 0; i < row->member_count; i++) {
        const struct json_member *member = &row->members[i];
        enum decode_field field = field_of(decoder, member->key);

        decoder->member_fields[i] = (uint8_t)field;
        if (field == DECODE_FIELD_EVENT && member->kind != JSON_NULL) {
            kind = DECODED_EVENT;
        }
        if (field == DECODE_FIELD_ID &&
            (member->kind == JSON_STRING || member->kind == JSON_NUMBER)) {
            id = span_trim(member->value);
        }
    }
    decode_begin(decoder, id);
    return kind;
}

enum err_code
decode_json(struct decoder *decoder,
            struct span line,
            struct arena *arena,
            struct decoded *out,
            struct err *err)
{
    struct decode_values values = {0};
    struct json_row row;
    enum decoded_kind kind;
    enum err_code code =
        json_reader_read(decoder->reader, line, arena, &row, err);

    kind = name_members(decoder, &row);
    if (code != ERR_OK) {
        note_error(decoder, DECODE_FIELD_NONE, (struct span){NULL, 0});
        return code;
    }
    for (size_t i = 0; i < row.member_count; i++) {
        enum decode_field field = decoder->member_fields[i];

        if (is_used(field, kind)) {
            TRY(member_value(decoder, field, &row.members[i],
                             &values.value[field], err));
        }
    }
    code = collect_extra(decoder, &row, kind, arena, &values.extra, err);
    if (code != ERR_OK) {
        note_error(decoder, DECODE_FIELD_NONE, (struct span){NULL, 0});
        return code;
    }
    return decode_row(decoder, &values, kind, out, err);
}
