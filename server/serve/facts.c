/* The body of PUT /v1/facts as facts for the ledger. */
#include "server/serve/facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/indicator.h"
#include "analyzers/units.h"
#include "server/decode/json_row.h"

enum { FACT_NUMBER_BYTES = 64 };

/* The name of "fact:NAME", or the empty span. */
static struct span
fact_name_of(struct span source)
{
    struct span head = SPAN_LITERAL("fact:");

    return span_starts(source, head) ? (struct span){source.data + head.bytes,
                                                     source.bytes - head.bytes}
                                     : (struct span){NULL, 0};
}

/* Is it a code, or a fact that an indicator names? */
static bool
name_is_known(const struct indicator_table *table, struct span name)
{
    for (size_t i = 0; i < indicator_count(table); i++) {
        const struct indicator_row *row = indicator_row(table, i);

        if (span_equal(row->code, name) ||
            span_equal(fact_name_of(row->numerator), name) ||
            span_equal(fact_name_of(row->denominator), name)) {
            return true;
        }
    }
    return false;
}

static enum err_code
read_text(const struct json_member *member, struct span *out, struct err *err)
{
    if (member->kind == JSON_NULL) {
        return ERR_OK;
    }
    if (member->kind != JSON_STRING ||
        member->value.bytes > LEDGER_FACT_NAME_BYTES_MAX ||
        memchr(member->value.data, '\0', member->value.bytes) != NULL) {
        return err_set_field(err, ERR_BAD_VALUE, "",
                             "%.*s is a string of at "
                             "most %d bytes",
                             SPAN_ARGS(member->key),
                             LEDGER_FACT_NAME_BYTES_MAX);
    }
    *out = member->value;
    return ERR_OK;
}

static enum err_code
read_number(const struct json_member *member, double *out, struct err *err)
{
    char text[FACT_NUMBER_BYTES];

    if (member->kind == JSON_NUMBER && member->value.bytes < sizeof(text)) {
        memcpy(text, member->value.data, member->value.bytes);
        text[member->value.bytes] = '\0';
        *out = strtod(text, NULL);
        if (isfinite(*out)) {
            return ERR_OK;
        }
    }
    return err_set_field(err, ERR_BAD_VALUE, "", "%.*s is a number",
                         SPAN_ARGS(member->key));
}

struct given {
    bool value;
    bool numerator;
    bool denominator;
};

static enum err_code
read_member(const struct json_member *member,
            struct ledger_fact *fact,
            struct given *given,
            struct err *err)
{
    if (span_is(member->key, "name")) {
        return read_text(member, &fact->name, err);
    }
    if (span_is(member->key, "unit")) {
        return read_text(member, &fact->unit, err);
    }
    if (span_is(member->key, "period")) {
        return read_text(member, &fact->period, err);
    }
    if (span_is(member->key, "by")) {
        return read_text(member, &fact->by, err);
    }
    if (span_is(member->key, "value")) {
        given->value = true;
        return read_number(member, &fact->numerator, err);
    }
    if (span_is(member->key, "numerator")) {
        given->numerator = true;
        return read_number(member, &fact->numerator, err);
    }
    if (span_is(member->key, "denominator")) {
        given->denominator = true;
        return read_number(member, &fact->denominator, err);
    }
    return err_set_field(err, ERR_BAD_VALUE, "",
                         "a fact has name, unit, period, value or numerator "
                         "and denominator, and by; nothing else");
}

static enum err_code
check_fact(struct ledger_fact *fact,
           const struct given *given,
           const struct dictionary *dictionary,
           struct err *err)
{
    enum period_kind kind;
    int32_t first_day;
    int32_t last_day;
    char period[PERIOD_NAME_BYTES];

    if (fact->name.bytes == 0) {
        return err_set_field(err, ERR_MISSING_FIELD, "name",
                             "a fact needs a name");
    }
    if (!name_is_known(dictionary->indicators, fact->name)) {
        return err_set_field(err, ERR_BAD_VALUE, "name",
                             "no indicator has this code and none asks for a "
                             "fact of this name; dict/indicators.csv lists "
                             "them");
    }
    if (given->value == (given->numerator || given->denominator)) {
        return err_set_field(err, ERR_MISSING_FIELD, "value",
                             "give value, or numerator and denominator");
    }
    if (!given->value && (!given->numerator || !given->denominator)) {
        return err_set_field(err, ERR_MISSING_FIELD,
                             given->numerator ? "denominator" : "numerator",
                             "numerator and denominator belong together");
    }
    if (given->value) {
        fact->denominator = 1.0;
    }
    if (fact->denominator < 0.0) {
        return err_set_field(err, ERR_BAD_VALUE, "denominator",
                             "a denominator is not negative");
    }
    if (fact->period.bytes > 0) {
        if (period_parse(fact->period, &kind, &first_day, &last_day, err) !=
            ERR_OK) {
            return err->code;
        }
        if (kind == PERIOD_HOUR ||
            !span_is(fact->period, period_name(kind, first_day, period))) {
            return err_set_field(err, ERR_BAD_VALUE, "period",
                                 "write the period as 2018, 2018-Q1, 2018-03, "
                                 "2018-W05 or 2018-03-31");
        }
    }
    fact->unit = units_path(dictionary->units, fact->unit);
    return ERR_OK;
}

static enum err_code
read_one(struct json_reader *reader,
         struct span element,
         const struct dictionary *dictionary,
         struct arena *arena,
         struct ledger_fact *fact,
         struct err *err)
{
    struct json_row row;
    struct given given = {false, false, false};

    if (json_reader_read(reader, element, arena, &row, err) != ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < row.member_count; i++) {
        if (read_member(&row.members[i], fact, &given, err) != ERR_OK) {
            return err->code;
        }
    }
    return check_fact(fact, &given, dictionary, err);
}

enum err_code
facts_read(struct span body,
           const struct dictionary *dictionary,
           int64_t now_us,
           struct arena *arena,
           struct ledger_fact *facts,
           size_t *fact_count,
           struct err *err)
{
    struct json_reader *reader = NULL;
    struct json_array array;
    struct span element;

    *fact_count = 0;
    if (json_reader_new(&reader, err) != ERR_OK) {
        return err->code;
    }
    json_array_open(&array, body);
    while (err->code == ERR_OK && json_array_next(&array, &element)) {
        struct ledger_fact *fact = &facts[*fact_count];

        if (*fact_count == FACTS_MAX) {
            (void)err_set(err, ERR_TOO_LONG,
                          "more than %d facts in one request", FACTS_MAX);
            break;
        }
        *fact = (struct ledger_fact){.at_us = now_us};
        if (read_one(reader, element, dictionary, arena, fact, err) != ERR_OK) {
            (void)err_prefix(err, "fact %zu", *fact_count + 1);
            break;
        }
        (*fact_count)++;
    }
    json_reader_free(&reader);
    if (err->code == ERR_OK && json_array_error(&array, err) == ERR_OK &&
        *fact_count == 0) {
        (void)err_set(err, ERR_BAD_JSON,
                      "the body holds no fact: send an object or an array");
    }
    return err->code;
}
