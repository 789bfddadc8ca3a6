/* The value of every indicator for a period and a unit. */
#include "server/serve/indicator_values.h"

#include <string.h>

#include "server/serve/query.h"

const char *
indicator_missing_wire(enum indicator_missing missing)
{
    switch (missing) {
    case INDICATOR_PRESENT:
        return NULL;
    case INDICATOR_NO_FACT:
        return "no_fact";
    case INDICATOR_NO_CASES:
        return "no_cases";
    case INDICATOR_NOT_COUNTED:
        return "not_counted";
    }
    return NULL;
}

/* ---- periods ---- */

enum err_code
indicator_period_parse(struct span name,
                       struct indicator_period *out,
                       struct err *err)
{
    return period_parse(name, &out->kind, &out->first_day, &out->last_day, err);
}

static struct indicator_period
period_of(enum period_kind kind, int32_t day)
{
    int32_t first = period_first_day(kind, day);

    return (struct indicator_period){kind, first,
                                     period_next_day(kind, first) - 1};
}

struct indicator_period
indicator_period_before(const struct indicator_period *period)
{
    return period_of(period->kind, period->first_day - 1);
}

struct indicator_period
indicator_period_last_year(const struct indicator_period *period)
{
    int32_t year;
    uint32_t month;
    uint32_t month_day;

    if (period->kind == PERIOD_WEEK) {
        return period_of(PERIOD_WEEK, period->first_day - 364);
    }
    date_from_day(period->first_day, &year, &month, &month_day);
    if (month == 2 && month_day == 29) {
        month_day = 28;
    }
    return period_of(period->kind, day_from_date(year - 1, month, month_day));
}

/* ---- counters ---- */

/* The distinct counters are kept for whole months, quarters and years. */
static bool
grain_of(enum period_kind kind, enum counter_grain *out)
{
    switch (kind) {
    case PERIOD_MONTH:
        *out = GRAIN_MONTH;
        return true;
    case PERIOD_QUARTER:
        *out = GRAIN_QUARTER;
        return true;
    case PERIOD_YEAR:
        *out = GRAIN_YEAR;
        return true;
    case PERIOD_HOUR:
    case PERIOD_DAY:
    case PERIOD_WEEK:
        break;
    }
    return false;
}

struct one_slot {
    uint32_t slot;
    int64_t count;
};

static bool
take_slot(void *data,
          const struct counter_cell *cell,
          const struct counter_slot *slots,
          size_t slot_count)
{
    struct one_slot *one = data;

    (void)cell;
    for (size_t i = 0; i < slot_count; i++) {
        if (slots[i].slot == one->slot) {
            one->count = slots[i].count;
        }
    }
    return true;
}

/* False when the counter is not kept for such a period, or on an error. */
static bool
read_counter(const struct reader *reader,
             enum counter counter,
             const struct indicator_period *period,
             uint32_t unit_id,
             double *out,
             struct err *err)
{
    struct one_slot one = {TALLY_SLOT(TALLY_ALL, 0, counter), 0};
    enum counter_grain grain;
    int64_t sum = 0;

    if (counter_anchor(counter) != COUNTER_DISTINCT) {
        if (query_count(reader, unit_id, period->first_day, period->last_day,
                        counter, &sum, err) != ERR_OK) {
            return false;
        }
        *out = (double)sum;
        return true;
    }
    if (!grain_of(period->kind, &grain) ||
        counters_visit(reader->store, reader->txn, grain, unit_id,
                       period->first_day, period->last_day, take_slot, &one,
                       err) != ERR_OK) {
        return false;
    }
    *out = (double)one.count;
    return true;
}

/* ---- facts ---- */

struct fact_key {
    const struct reader *reader;
    struct span name;
    struct span unit;
};

static bool
fact_of_period(const struct fact_key *key,
               const struct indicator_period *period,
               struct reader_fact *out,
               struct err *err)
{
    char name[PERIOD_NAME_BYTES];

    return reader_fact(
        key->reader, key->name, key->unit,
        span_of(period_name(period->kind, period->first_day, name)), out, err);
}

/* The sum over the periods of `kind` inside, if all of them are there. */
static bool
fact_of_parts(const struct fact_key *key,
              enum period_kind kind,
              const struct indicator_period *period,
              struct reader_fact *out,
              struct err *err)
{
    struct reader_fact sum = {0};

    for (int32_t day = period->first_day; day <= period->last_day;
         day = period_next_day(kind, day)) {
        struct indicator_period part = period_of(kind, day);
        struct reader_fact one;

        if (!fact_of_period(key, &part, &one, err)) {
            return false;
        }
        sum.numerator += one.numerator;
        sum.denominator += one.denominator;
        if (one.at_us >= sum.at_us) {
            sum.at_us = one.at_us;
            sum.by = one.by;
        }
    }
    *out = sum;
    return true;
}

/* A flow: of the period, or summed from what is inside it. */
static bool
fact_flow(const struct fact_key *key,
          const struct indicator_period *period,
          struct reader_fact *out,
          struct err *err)
{
    return fact_of_period(key, period, out, err) ||
           (period->kind == PERIOD_YEAR &&
            fact_of_parts(key, PERIOD_QUARTER, period, out, err)) ||
           (period->kind >= PERIOD_QUARTER &&
            fact_of_parts(key, PERIOD_MONTH, period, out, err));
}

/* A stock: of the period, of the one around it, or of any. */
static bool
fact_stock(const struct fact_key *key,
           const struct indicator_period *period,
           struct reader_fact *out,
           struct err *err)
{
    for (unsigned kind = period->kind; kind <= PERIOD_YEAR; kind++) {
        struct indicator_period around =
            kind == period->kind
                ? *period
                : period_of((enum period_kind)kind, period->last_day);

        if (fact_of_period(key, &around, out, err)) {
            return true;
        }
    }
    return reader_fact(key->reader, key->name, key->unit,
                       (struct span){NULL, 0}, out, err);
}

/* ---- the answer ---- */

static bool
after_prefix(struct span text, const char *prefix, struct span *rest)
{
    struct span head = span_of(prefix);

    if (!span_starts(text, head)) {
        return false;
    }
    *rest = (struct span){text.data + head.bytes, text.bytes - head.bytes};
    return true;
}

static void
note_fact(struct indicator_answer *out, const struct reader_fact *fact)
{
    if (fact->at_us >= out->fed_at_us) {
        out->fed_at_us = fact->at_us;
        out->fed_by = fact->by;
    }
}

/* One side of a fraction that is a measure or a stock. */
static bool
read_side(const struct reader *reader,
          struct span source,
          const struct indicator_period *period,
          uint32_t unit_id,
          struct span unit,
          double *value,
          struct indicator_answer *out,
          struct err *err)
{
    struct span name;
    enum counter counter;
    struct reader_fact fact;

    if (after_prefix(source, "measure:", &name)) {
        if (!counter_from(name, &counter) ||
            !read_counter(reader, counter, period, unit_id, value, err)) {
            out->missing = INDICATOR_NOT_COUNTED;
            return false;
        }
        return true;
    }
    if (after_prefix(source, "fact:", &name)) {
        struct fact_key key = {reader, name, unit};

        if (fact_stock(&key, period, &fact, err)) {
            *value = fact.denominator != 0.0 ? fact.numerator / fact.denominator
                                             : fact.numerator;
            note_fact(out, &fact);
            return true;
        }
    }
    out->missing = INDICATOR_NO_FACT;
    return false;
}

static bool
is_fed(const struct indicator_row *row)
{
    return span_is(row->numerator, "fed") || span_is(row->denominator, "fed");
}

enum err_code
indicator_answer(const struct reader *reader,
                 const struct indicator_row *row,
                 const struct indicator_period *period,
                 uint32_t unit_id,
                 struct span unit,
                 struct indicator_answer *out,
                 struct err *err)
{
    memset(out, 0, sizeof(*out));
    if (is_fed(row)) {
        struct fact_key key = {reader, row->code, unit};
        struct reader_fact fact;

        if (fact_flow(&key, period, &fact, err)) {
            out->has_numerator = out->has_denominator = true;
            out->numerator = fact.numerator;
            out->denominator = fact.denominator;
            note_fact(out, &fact);
        } else {
            out->missing = INDICATOR_NO_FACT;
        }
    } else {
        out->has_numerator = read_side(reader, row->numerator, period, unit_id,
                                       unit, &out->numerator, out, err);
        out->has_denominator =
            read_side(reader, row->denominator, period, unit_id, unit,
                      &out->denominator, out, err);
    }
    if (err->code == ERR_OK && out->missing == INDICATOR_PRESENT &&
        !indicator_value(row, out->numerator, out->denominator, &out->value)) {
        out->missing = INDICATOR_NO_CASES;
    }
    return err->code;
}
