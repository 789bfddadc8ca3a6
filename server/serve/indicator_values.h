/*
 * indicator_values: the value of every indicator for a period and a unit.
 *
 * Live numerators and denominators are counters of the ledger; the rest are
 * facts. A fact of the very period and unit is taken; of a longer period, when
 * it has none, the sum of its months (a year's: of its quarters, else months),
 * if all of them are there: numerators and denominators are summed, rates never
 * averaged. A number of customers (fact:…) is a stock, not a flow: it is that
 * of the period, else of the quarter or year around it, else the one without a
 * period.
 *
 * What has no data is missing, never zero.
 *
 * Effects   reads the store
 */
#ifndef SERVE_INDICATOR_VALUES_H
#define SERVE_INDICATOR_VALUES_H

#include "analyzers/indicator.h"
#include "server/ledger/reader.h"

/* Why a value is missing. */
enum indicator_missing {
    INDICATOR_PRESENT,
    INDICATOR_NO_FACT,    /* a fact has not been fed */
    INDICATOR_NO_CASES,   /* the denominator is zero */
    INDICATOR_NOT_COUNTED /* the counter is not kept for such a period */
};
/* "no_fact"; NULL for INDICATOR_PRESENT. */
const char *indicator_missing_wire(enum indicator_missing missing);

struct indicator_answer {
    enum indicator_missing missing;
    bool has_numerator;
    bool has_denominator;
    double numerator;
    double denominator;
    double value;       /* when not missing */
    int64_t fed_at_us;  /* latest fact used; 0 = none */
    struct span fed_by; /* who fed it; borrowed from the snapshot */
};

struct indicator_period {
    enum period_kind kind; /* DAY … YEAR */
    int32_t first_day;
    int32_t last_day;
};

/* "2018-Q1". Errors BAD_VALUE, field "period". */
enum err_code indicator_period_parse(struct span name,
                                     struct indicator_period *out,
                                     struct err *err) MUST_CHECK;
/* The period before, and the same one a year earlier. */
struct indicator_period
indicator_period_before(const struct indicator_period *period);
struct indicator_period
indicator_period_last_year(const struct indicator_period *period);

/*
 * One indicator. `unit_id` and `unit` name the same unit, 0 and empty: all.
 * Errors  the store's
 * Cost    a few cells
 */
enum err_code indicator_answer(const struct reader *reader,
                               const struct indicator_row *row,
                               const struct indicator_period *period,
                               uint32_t unit_id,
                               struct span unit,
                               struct indicator_answer *out,
                               struct err *err) MUST_CHECK;

#endif /* SERVE_INDICATOR_VALUES_H */
