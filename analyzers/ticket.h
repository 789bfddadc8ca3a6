/*
 * ticket: the words of the record format (docs/http-api.md, "Records").
 *
 * A ticket is one work order 工单; an event is one step of its life; both are
 * views of borrowed bytes. Every list of words is one .def table; the wire
 * words and the Chinese words are both accepted on input.
 *
 * Effects   none: no clock, no I/O, no allocation
 */
#ifndef ANALYZERS_TICKET_H
#define ANALYZERS_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

enum {
    TICKET_ID_CHARS_MAX = 64,
    TICKET_TEXT_BYTES_MAX = 256 * 1024, /* 受理内容 */
    TICKET_FIELD_BYTES_MAX = 4096,      /* any other field */
    TICKET_EXTRA_BYTES_MAX = 64 * 1024  /* all unknown fields together */
};

enum ticket_type {
#define TICKET_TYPE_ROW(name, wire, chinese) TICKET_TYPE_##name,
#include "analyzers/words.def"
#undef TICKET_TYPE_ROW
    TICKET_TYPE_COUNT
};

enum ticket_channel {
#define TICKET_CHANNEL_ROW(name, wire, chinese) TICKET_CHANNEL_##name,
#include "analyzers/words.def"
#undef TICKET_CHANNEL_ROW
    TICKET_CHANNEL_COUNT
};

enum ticket_region {
#define TICKET_REGION_ROW(name, wire, chinese) TICKET_REGION_##name,
#include "analyzers/words.def"
#undef TICKET_REGION_ROW
    TICKET_REGION_COUNT
};

/* The five complaint categories of the contract; 0 is none of them. */
enum ticket_category {
#define TICKET_CATEGORY_ROW(name, wire, chinese) TICKET_CATEGORY_##name,
#include "analyzers/words.def"
#undef TICKET_CATEGORY_ROW
    TICKET_CATEGORY_COUNT
};

enum event_kind {
#define EVENT_KIND_ROW(name, wire, chinese) EVENT_KIND_##name,
#include "analyzers/words.def"
#undef EVENT_KIND_ROW
    EVENT_KIND_COUNT
};

enum event_satisfaction {
#define EVENT_SATISFACTION_ROW(name, wire, chinese) EVENT_SATISFACTION_##name,
#include "analyzers/words.def"
#undef EVENT_SATISFACTION_ROW
    EVENT_SATISFACTION_COUNT
};

enum event_substantiated {
#define EVENT_SUBSTANTIATED_ROW(name, wire, chinese) EVENT_SUBSTANTIATED_##name,
#include "analyzers/words.def"
#undef EVENT_SUBSTANTIATED_ROW
    EVENT_SUBSTANTIATED_COUNT
};

/* A ticket as received. Fields not given are {NULL, 0}. */
struct ticket {
    struct span id; /* 工单编号; never empty */
    struct span caller;
    struct span customer;
    struct span name;
    struct span address;
    struct span unit;
    struct span text; /* may be empty */
    struct span related;
    struct span extra; /* unknown members as JSON: `"a":1,"b":"x"`, no braces */
    int64_t accepted_at_us; /* UTC, microseconds since 1970 */
    enum ticket_type type;
    enum ticket_channel channel;
    enum ticket_region region; /* as the feed says; UNKNOWN when absent */
};

/* A lifecycle event as received. */
struct ticket_event {
    struct span id;
    struct span subcategory;
    struct span reason;
    struct span by;
    struct span extra;
    int64_t at_us;
    enum event_kind kind;
    enum event_satisfaction satisfaction;
    enum event_substantiated substantiated;
    enum ticket_region region;     /* UNKNOWN when not given */
    enum ticket_category category; /* of a correction */
    bool category_given;
};

/*
 * Word look-ups: wire word or Chinese word, exact. *_from return false for an
 * unknown word and leave *out alone; *_wire and *_chinese never fail.
 */
bool ticket_type_from(struct span word, enum ticket_type *out);
bool ticket_channel_from(struct span word, enum ticket_channel *out);
bool ticket_region_from(struct span word, enum ticket_region *out);
bool ticket_category_from(struct span word, enum ticket_category *out);
bool event_kind_from(struct span word, enum event_kind *out);
bool event_satisfaction_from(struct span word, enum event_satisfaction *out);
bool event_substantiated_from(struct span word, enum event_substantiated *out);

const char *ticket_type_wire(enum ticket_type value);
const char *ticket_channel_wire(enum ticket_channel value);
const char *ticket_region_wire(enum ticket_region value);
const char *ticket_category_wire(enum ticket_category value);
const char *event_kind_wire(enum event_kind value);
const char *event_satisfaction_wire(enum event_satisfaction value);
const char *event_substantiated_wire(enum event_substantiated value);

const char *ticket_type_chinese(enum ticket_type value);
const char *ticket_channel_chinese(enum ticket_channel value);
const char *ticket_region_chinese(enum ticket_region value);
const char *ticket_category_chinese(enum ticket_category value);
const char *event_kind_chinese(enum event_kind value);
const char *event_satisfaction_chinese(enum event_satisfaction value);
const char *event_substantiated_chinese(enum event_substantiated value);

/*
 * Parse RFC 3339 ("2018-01-01T09:04:22.5+08:00", "…Z") or, meaning
 * Asia/Shanghai (UTC+8, no daylight saving), "YYYY-MM-DD HH:MM[:SS]" with `-`
 * or `/`, one- or two-digit month and day. Years 1990..2100.
 * Errors  BAD_TIME, the detail says which part is impossible; *out untouched.
 */
enum err_code ticket_time_parse(struct span word,
                                int64_t *out_us,
                                struct err *err) MUST_CHECK;

enum { TICKET_TIME_BYTES = 40 };

/* "2018-01-01T09:04:22+08:00" (milliseconds only when not zero); returns out.
 */
char *ticket_time_format(int64_t at_us, char out[TICKET_TIME_BYTES]);

/*
 * Check an id: 1..64 characters, valid UTF-8, no control characters.
 * Errors  MISSING_FIELD when empty, BAD_ID
 */
enum err_code ticket_id_check(struct span id, struct err *err) MUST_CHECK;

/* --- calendar days, Asia/Shanghai --- */

enum { SHANGHAI_OFFSET_SECONDS = 8 * 3600 };
#define US_PER_SECOND INT64_C(1000000)
#define US_PER_MINUTE (60 * US_PER_SECOND)
#define US_PER_HOUR (3600 * US_PER_SECOND)
#define US_PER_DAY (86400 * US_PER_SECOND)

/* Days since 1970-01-01 of the Shanghai calendar day that holds `at_us`. */
int32_t shanghai_day(int64_t at_us);
/* The instant at which that day begins. */
int64_t shanghai_day_start_us(int32_t day);
/* Proleptic Gregorian calendar. */
int32_t day_from_date(int32_t year, uint32_t month, uint32_t month_day);
void date_from_day(int32_t day,
                   int32_t *year,
                   uint32_t *month,
                   uint32_t *month_day);
/* 0 = Monday … 6 = Sunday. */
uint32_t day_weekday(int32_t day);

#endif /* ANALYZERS_TICKET_H */
