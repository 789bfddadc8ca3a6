/*
 * counter_rows: sums of counters by period and by up to seven properties.
 *
 * From the ledger's cells where they hold the combination, else from the states
 * themselves; both give the same numbers.
 */
#ifndef SERVE_COUNTER_ROWS_H
#define SERVE_COUNTER_ROWS_H

#include "analyzers/indicator.h"
#include "server/serve/query.h"
#include "server/serve/u64_map.h"

enum {
    COUNTER_ROWS_MAX = 200000,
    COUNTER_SCAN_TICKETS_MAX = 200000 /* when the cells can't tell */
};

enum counter_by {
    COUNTER_BY_CATEGORY,
    COUNTER_BY_REGION,
    COUNTER_BY_SUBCATEGORY,
    COUNTER_BY_CHANNEL,
    COUNTER_BY_TYPE,
    COUNTER_BY_UNIT,
    COUNTER_BY_CLOCK,
    COUNTER_BY_COUNT
};

const char *counter_by_wire(enum counter_by by); /* "category" */
bool counter_by_from(struct span word, enum counter_by *out);

/* As enum period_kind, and: */
enum { COUNTER_PERIOD_ALL = PERIOD_YEAR + 1 };

struct counter_rows_query {
    int64_t from_us;
    int64_t to_us;    /* exclusive */
    unsigned period;  /* enum period_kind or COUNTER_PERIOD_ALL */
    uint32_t by;      /* bits of enum counter_by */
    uint32_t unit_id; /* only this unit and those below */
};

struct counter_row {
    int32_t day; /* first of the period */
    uint8_t hour;
    uint32_t value[COUNTER_BY_COUNT]; /* enum or name id, 0 where not by it */
    bool distinct; /* counts of distinct counters are there */
    int64_t counts[COUNTER_COUNT];
};

struct counter_rows {
    struct counter_row *rows; /* in the order of time, then of the values */
    size_t count;
    size_t room;
    struct u64_map index;
    bool scanned; /* not from the cells */
};

/*
 * Compute. Free with counter_rows_release, also after an error.
 * Errors  BAD_VALUE: the combination has to be computed from the tickets and
 *         the range holds more than COUNTER_SCAN_TICKETS_MAX; more rows than
 *         COUNTER_ROWS_MAX. The store's.
 */
enum err_code counter_rows_read(const struct reader *reader,
                                const struct counter_rows_query *query,
                                struct counter_rows *out,
                                struct err *err) MUST_CHECK;
void counter_rows_release(struct counter_rows *rows);

/*
 * Does the row hold this counter? Distinct customers are kept for whole months,
 * quarters and years only; clocks that ran out by unit and clock only.
 */
bool counter_rows_has(const struct counter_rows_query *query,
                      const struct counter_row *row,
                      enum counter counter);

#endif /* SERVE_COUNTER_ROWS_H */
