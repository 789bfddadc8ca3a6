/*
 * ticket_decode: one record to a struct ticket or a struct ticket_event.
 *
 * Flow      JSON line -> json_row ─┐
 *           CSV row   -> columns  ─┴► [ticket_decode] -> clean, classify
 * Input     the record format of analyzers/ticket.h
 * Output    one struct decoded, whose spans borrow from the line or the arena
 * Effects   none but arena bytes; every message is free of phone numbers,
 *           customer numbers, names, addresses and ticket text
 *
 * An object with a member `event` is an event, any other a ticket. null is the
 * same as absent, and so is an empty string in an optional field. Blanks around
 * values are dropped, but not around `text`. Members that the record's kind
 * does not have are kept as `extra`.
 */
#ifndef SERVER_DECODE_TICKET_DECODE_H
#define SERVER_DECODE_TICKET_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/arena.h"
#include "analyzers/err.h"
#include "analyzers/span.h"
#include "analyzers/ticket.h"

/*
 * Every field of both records: name, wire name, and
 *   ON_TICKET, ON_EVENT  which record has it
 *   DIGITS               a JSON number is taken for its digits
 *   PERSONAL             its value stands in no message
 */
#define DECODE_FIELDS(ROW)                                                     \
    ROW(ID, "id", ON_TICKET | ON_EVENT | DIGITS)                               \
    ROW(EVENT, "event", ON_EVENT)                                              \
    ROW(AT, "at", ON_EVENT)                                                    \
    ROW(ACCEPTED_AT, "accepted_at", ON_TICKET)                                 \
    ROW(TYPE, "type", ON_TICKET)                                               \
    ROW(CHANNEL, "channel", ON_TICKET | DIGITS)                                \
    ROW(CALLER, "caller", ON_TICKET | DIGITS | PERSONAL)                       \
    ROW(CUSTOMER, "customer", ON_TICKET | DIGITS | PERSONAL)                   \
    ROW(NAME, "name", ON_TICKET | PERSONAL)                                    \
    ROW(ADDRESS, "address", ON_TICKET | PERSONAL)                              \
    ROW(UNIT, "unit", ON_TICKET | DIGITS)                                      \
    ROW(REGION, "region", ON_TICKET | ON_EVENT)                                \
    ROW(TEXT, "text", ON_TICKET | PERSONAL)                                    \
    ROW(RELATED, "related", ON_TICKET | DIGITS)                                \
    ROW(SATISFACTION, "satisfaction", ON_EVENT)                                \
    ROW(SUBSTANTIATED, "substantiated", ON_EVENT)                              \
    ROW(CATEGORY, "category", ON_EVENT)                                        \
    ROW(SUBCATEGORY, "subcategory", ON_EVENT)                                  \
    ROW(REASON, "reason", ON_EVENT | PERSONAL)                                 \
    ROW(BY, "by", ON_EVENT | PERSONAL)

enum decode_field {
#define DECODE_FIELD_ENUM(name, wire, flags) DECODE_FIELD_##name,
    DECODE_FIELDS(DECODE_FIELD_ENUM)
#undef DECODE_FIELD_ENUM
        DECODE_FIELD_COUNT,
    DECODE_FIELD_NONE = DECODE_FIELD_COUNT /* an unknown member */
};

/* "accepted_at" */
const char *decode_field_name(enum decode_field field);
/* The field of that name, or DECODE_FIELD_NONE. */
enum decode_field decode_field_from(struct span name);
bool decode_field_on_ticket(enum decode_field field);
bool decode_field_on_event(enum decode_field field);

struct decoded {
    enum decoded_kind { DECODED_TICKET, DECODED_EVENT } kind;
    union {
        struct ticket ticket;
        struct ticket_event event;
    };
};

/* A record's values before they are judged; {NULL, 0} is absent. */
struct decode_values {
    struct span value[DECODE_FIELD_COUNT];
    struct span extra; /* unknown members: `"a":1,"b":"x"` */
};

/* One thread's working memory and the words about its last error. */
struct decoder;

/* Errors  NO_MEMORY */
enum err_code decode_new(struct decoder **out, struct err *err) MUST_CHECK;
void decode_free(struct decoder **decoder);

/*
 * Decode one line of JSON.
 *
 *   line   borrowed as long as *out is used; needs no byte behind its end
 *   out    complete on ERR_OK, of no use on an error
 *
 * Errors  those of json_reader_read; MISSING_FIELD, BAD_ID, BAD_TIME, BAD_TYPE,
 *         BAD_CHANNEL, BAD_REGION, BAD_EVENT, BAD_CATEGORY, BAD_VALUE (a word
 *         or a kind of value that the field does not take), TOO_LONG; field
 *         names the field, the detail how to mend it
 */
enum err_code decode_json(struct decoder *decoder,
                          struct span line,
                          struct arena *arena,
                          struct decoded *out,
                          struct err *err) MUST_CHECK;

/*
 * Decode values that were cut out of a row of some other format. `kind` says
 * what the row is. The same checks and errors.
 */
enum err_code decode_row(struct decoder *decoder,
                         const struct decode_values *values,
                         enum decoded_kind kind,
                         struct decoded *out,
                         struct err *err) MUST_CHECK;

/*
 * About the last error of this decoder: the refused value, at most
 * DECODE_EXCERPT_CHARS_MAX printable characters, and the id of the record;
 * empty when there is none, when it could not be read or when it is personal.
 * Borrowed until the next call that decodes.
 */
enum { DECODE_EXCERPT_CHARS_MAX = 64 };
struct span decode_error_value(const struct decoder *decoder);
struct span decode_error_id(const struct decoder *decoder);

/*
 * Refuse a value of `field` on behalf of a reader in front of decode_row:
 * sets the error "…detail…" and keeps the value unless it is personal.
 */
enum err_code decode_refuse(struct decoder *decoder,
                            enum decode_field field,
                            struct span value,
                            enum err_code code,
                            struct err *err,
                            const char *fmt,
                            ...) PRINTF_LIKE(6, 7);

/* Forget the last error and take note of the id of the record that begins. */
void decode_begin(struct decoder *decoder, struct span id);

#endif /* SERVER_DECODE_TICKET_DECODE_H */
