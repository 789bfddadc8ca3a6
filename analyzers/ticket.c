/* The words of the record format, its instants and its calendar days. */
#include "analyzers/ticket.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct word_row {
    const char *wire;
    const char *chinese;
    uint8_t wire_bytes;
    uint8_t chinese_bytes;
};
#define WORD_ROW(wire, chinese)                                                \
    {wire, chinese, sizeof(wire) - 1, sizeof(chinese) - 1},

static const struct word_row ticket_type_words[] = {
#define TICKET_TYPE_ROW(name, wire, chinese) WORD_ROW(wire, chinese)
#include "analyzers/words.def"
#undef TICKET_TYPE_ROW
};
static const struct word_row ticket_channel_words[] = {
#define TICKET_CHANNEL_ROW(name, wire, chinese) WORD_ROW(wire, chinese)
#include "analyzers/words.def"
#undef TICKET_CHANNEL_ROW
};
static const struct word_row ticket_region_words[] = {
#define TICKET_REGION_ROW(name, wire, chinese) WORD_ROW(wire, chinese)
#include "analyzers/words.def"
#undef TICKET_REGION_ROW
};
static const struct word_row ticket_category_words[] = {
#define TICKET_CATEGORY_ROW(name, wire, chinese) WORD_ROW(wire, chinese)
#include "analyzers/words.def"
#undef TICKET_CATEGORY_ROW
};
static const struct word_row event_kind_words[] = {
#define EVENT_KIND_ROW(name, wire, chinese) WORD_ROW(wire, chinese)
#include "analyzers/words.def"
#undef EVENT_KIND_ROW
};
static const struct word_row event_satisfaction_words[] = {
#define EVENT_SATISFACTION_ROW(name, wire, chinese) WORD_ROW(wire, chinese)
#include "analyzers/words.def"
#undef EVENT_SATISFACTION_ROW
};
static const struct word_row event_substantiated_words[] = {
#define EVENT_SUBSTANTIATED_ROW(name, wire, chinese) WORD_ROW(wire, chinese)
#include "analyzers/words.def"
#undef EVENT_SUBSTANTIATED_ROW
};

static bool
word_find(const struct word_row *rows,
          size_t row_count,
          struct span word,
          size_t *out)
{
    if (word.bytes == 0) {
        return false;
    }
    for (size_t i = 0; i < row_count; i++) {
        if ((word.bytes == rows[i].wire_bytes &&
             memcmp(word.data, rows[i].wire, word.bytes) == 0) ||
            (word.bytes == rows[i].chinese_bytes &&
             memcmp(word.data, rows[i].chinese, word.bytes) == 0)) {
            *out = i;
            return true;
        }
    }
    return false;
}

#define WORD_SET(set)                                                          \
    bool set##_from(struct span word, enum set *out)                           \
    {                                                                          \
        size_t index;                                                          \
                                                                               \
        if (!word_find(set##_words,                                            \
                       sizeof(set##_words) / sizeof(set##_words[0]), word,     \
                       &index)) {                                              \
            return false;                                                      \
        }                                                                      \
        *out = (enum set)index;                                                \
        return true;                                                           \
    }                                                                          \
    const char *set##_wire(enum set value)                                     \
    {                                                                          \
        assert((size_t)value <                                                 \
               sizeof(set##_words) / sizeof(set##_words[0]));                  \
        return set##_words[value].wire;                                        \
    }                                                                          \
    const char *set##_chinese(enum set value)                                  \
    {                                                                          \
        assert((size_t)value <                                                 \
               sizeof(set##_words) / sizeof(set##_words[0]));                  \
        return set##_words[value].chinese;                                     \
    }

WORD_SET(ticket_type)
WORD_SET(ticket_channel)
WORD_SET(ticket_region)
WORD_SET(ticket_category)
WORD_SET(event_kind)
WORD_SET(event_satisfaction)
WORD_SET(event_substantiated)

int32_t
day_from_date(int32_t year, uint32_t month, uint32_t month_day)
{
    /* Days of the proleptic Gregorian calendar, counted in 400-year eras that
     * begin on 1 March (H. Hinnant, chrono-compatible date algorithms). */
    int32_t y = month <= 2 ? year - 1 : year;
    int32_t era = (y >= 0 ? y : y - 399) / 400;
    uint32_t year_of_era = (uint32_t)(y - era * 400);
    uint32_t shifted = month > 2 ? month - 3 : month + 9;
    uint32_t day_of_year = (153 * shifted + 2) / 5 + month_day - 1;
    uint32_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + (int32_t)day_of_era - 719468;
}

void
date_from_day(int32_t day, int32_t *year, uint32_t *month, uint32_t *month_day)
{
    int32_t z = day + 719468;
    int32_t era = (z >= 0 ? z : z - 146096) / 146097;
    uint32_t day_of_era = (uint32_t)(z - era * 146097);
    uint32_t year_of_era = (day_of_era - day_of_era / 1460 +
                            day_of_era / 36524 - day_of_era / 146096) /
                           365;
    uint32_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t shifted = (5 * day_of_year + 2) / 153;

    *month_day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = (int32_t)year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

uint32_t
day_weekday(int32_t day)
{
    return (uint32_t)(((day + 3) % 7 + 7) % 7);
}

int32_t
shanghai_day(int64_t at_us)
{
    int64_t local_us = at_us + SHANGHAI_OFFSET_SECONDS * US_PER_SECOND;
    int64_t day = local_us / US_PER_DAY;

    if (local_us % US_PER_DAY < 0) {
        day--;
    }
    return (int32_t)day;
}

int64_t
shanghai_day_start_us(int32_t day)
{
    return day * US_PER_DAY - SHANGHAI_OFFSET_SECONDS * US_PER_SECOND;
}

static uint32_t
month_days(int32_t year, uint32_t month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30,
                                     31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* Read digits_min..digits_max decimal digits; false when there are fewer. */
static bool
take_number(struct span *rest,
            size_t digits_min,
            size_t digits_max,
            uint32_t *out)
{
    size_t digits = 0;
    uint32_t value = 0;

    while (digits < digits_max && digits < rest->bytes &&
           rest->data[digits] >= '0' && rest->data[digits] <= '9') {
        value = value * 10 + (uint32_t)(rest->data[digits] - '0');
        digits++;
    }
    if (digits < digits_min) {
        return false;
    }
    rest->data += digits;
    rest->bytes -= digits;
    *out = value;
    return true;
}

static bool
take_char(struct span *rest, const char *any_of)
{
    if (rest->bytes == 0 || rest->data[0] == '\0' ||
        strchr(any_of, rest->data[0]) == NULL) {
        return false;
    }
    rest->data++;
    rest->bytes--;
    return true;
}

/* ".5", ".123456789": microseconds, further digits dropped. */
static bool
take_fraction(struct span *rest, uint32_t *out_us)
{
    uint32_t scale = 100000;

    if (rest->bytes == 0 || rest->data[0] < '0' || rest->data[0] > '9') {
        return false;
    }
    *out_us = 0;
    while (rest->bytes > 0 && rest->data[0] >= '0' && rest->data[0] <= '9') {
        *out_us += scale * (uint32_t)(rest->data[0] - '0');
        scale /= 10;
        rest->data++;
        rest->bytes--;
    }
    return true;
}

/* "Z" or "+08:00"; absent means Shanghai. */
static bool
take_offset(struct span *rest, int32_t *out_seconds)
{
    uint32_t hours;
    uint32_t minutes;
    int32_t sign;

    *out_seconds = SHANGHAI_OFFSET_SECONDS;
    if (rest->bytes == 0) {
        return true;
    }
    if (take_char(rest, "Zz")) {
        *out_seconds = 0;
        return rest->bytes == 0;
    }
    sign = rest->data[0] == '-' ? -1 : 1;
    if (!take_char(rest, "+-") || !take_number(rest, 2, 2, &hours)) {
        return false;
    }
    (void)take_char(rest, ":");
    if (!take_number(rest, 2, 2, &minutes) || hours > 14 || minutes > 59) {
        return false;
    }
    *out_seconds = sign * (int32_t)(hours * 3600 + minutes * 60);
    return rest->bytes == 0;
}

enum err_code
ticket_time_parse(struct span word, int64_t *out_us, struct err *err)
{
    struct span rest = span_trim(word);
    uint32_t year;
    uint32_t month;
    uint32_t month_day;
    uint32_t hour = 0;
    uint32_t minute = 0;
    uint32_t second = 0;
    uint32_t fraction_us = 0;
    int32_t offset_seconds;

    if (!take_number(&rest, 4, 4, &year) || !take_char(&rest, "-/") ||
        !take_number(&rest, 1, 2, &month) || !take_char(&rest, "-/") ||
        !take_number(&rest, 1, 2, &month_day)) {
        return err_set(err, ERR_BAD_TIME,
                       "write it as 2018-01-31T09:05:00+08:00 or "
                       "2018-01-31 09:05:00");
    }
    if (year < 1990 || year > 2100) {
        return err_set(err, ERR_BAD_TIME,
                       "year %" PRIu32 " is outside 1990..2100", year);
    }
    if (month < 1 || month > 12) {
        return err_set(err, ERR_BAD_TIME, "there is no month %" PRIu32, month);
    }
    if (month_day < 1 || month_day > month_days((int32_t)year, month)) {
        return err_set(err, ERR_BAD_TIME,
                       "%04" PRIu32 "-%02" PRIu32 " has no day %" PRIu32, year,
                       month, month_day);
    }
    if (rest.bytes > 0) {
        if (!take_char(&rest, "Tt ") || !take_number(&rest, 1, 2, &hour) ||
            !take_char(&rest, ":") || !take_number(&rest, 2, 2, &minute) ||
            (take_char(&rest, ":") && !take_number(&rest, 2, 2, &second)) ||
            (take_char(&rest, ".") && !take_fraction(&rest, &fraction_us))) {
            return err_set(err, ERR_BAD_TIME,
                           "the time of day is written HH:MM:SS");
        }
    }
    if (hour > 23 || minute > 59 || second > 60) {
        return err_set(err, ERR_BAD_TIME,
                       "there is no time %02" PRIu32 ":%02" PRIu32
                       ":%02" PRIu32,
                       hour, minute, second);
    }
    if (!take_offset(&rest, &offset_seconds)) {
        return err_set(err, ERR_BAD_TIME,
                       "after the time only Z or an offset such as +08:00 may "
                       "follow");
    }
    *out_us = day_from_date((int32_t)year, month, month_day) * US_PER_DAY +
              hour * US_PER_HOUR + minute * US_PER_MINUTE +
              second * US_PER_SECOND + fraction_us -
              offset_seconds * US_PER_SECOND;
    return ERR_OK;
}

char *
ticket_time_format(int64_t at_us, char out[TICKET_TIME_BYTES])
{
    int32_t day = shanghai_day(at_us);
    int64_t in_day_us = at_us - shanghai_day_start_us(day);
    uint32_t seconds = (uint32_t)(in_day_us / US_PER_SECOND);
    uint32_t millis = (uint32_t)(in_day_us % US_PER_SECOND / 1000);
    int32_t year;
    uint32_t month;
    uint32_t month_day;
    int used;

    date_from_day(day, &year, &month, &month_day);
    used = snprintf(out, TICKET_TIME_BYTES,
                    "%04" PRId32 "-%02" PRIu32 "-%02" PRIu32 "T%02" PRIu32
                    ":%02" PRIu32 ":%02" PRIu32,
                    year, month, month_day, seconds / 3600,
                    seconds / 60 % 60, seconds % 60);
    if (millis != 0) {
        used += snprintf(out + used, TICKET_TIME_BYTES - (size_t)used,
                         ".%03" PRIu32, millis);
    }
    (void)snprintf(out + used, TICKET_TIME_BYTES - (size_t)used, "+08:00");
    return out;
}

enum err_code
ticket_id_check(struct span id, struct err *err)
{
    struct span rest = id;
    size_t chars = 0;

    if (id.bytes == 0) {
        return err_set_field(err, ERR_MISSING_FIELD, "id",
                             "every record needs its work-order number");
    }
    while (rest.bytes > 0) {
        uint32_t code_point;
        size_t bytes = utf8_next(rest, &code_point);

        if (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) ||
            (bytes == 1 && code_point >= 0x80)) {
            return err_set_field(err, ERR_BAD_ID, "id",
                                 "character %zu is not printable", chars + 1);
        }
        rest.data += bytes;
        rest.bytes -= bytes;
        chars++;
    }
    if (chars > TICKET_ID_CHARS_MAX) {
        return err_set_field(err, ERR_BAD_ID, "id",
                             "%zu characters, %d are allowed", chars,
                             TICKET_ID_CHARS_MAX);
    }
    return ERR_OK;
}
