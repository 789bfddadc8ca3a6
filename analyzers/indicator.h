/*
 * indicator: the 23 service indicators as rows, from dict/indicators.csv.
 *
 * A row says what an indicator is called, at which level it stands, which way
 * is good, and where its value comes from: `live` rows name a numerator and a
 * denominator among the measures the ledger counts (or a fact), the others
 * take both as facts. Values roll up by summing numerators and denominators,
 * never by averaging rates; a zero denominator gives no value.
 *
 * Source    《客户全方位服务体系建设宣贯》, docs/glossary.md
 * Columns   number,code,name_zh,name_en,level,numerator,denominator,factor,
 *           unit,period,good,target,source,formula_zh
 *   numerator, denominator: `measure:NAME`, `fact:NAME` or `fed`; a count
 *   without a denominator is fed with the denominator 1
 *   source: live, proxy (a stand-in can be counted, the real value is fed) or
 *   fed; a live row needs a measure above and a measure or fact below
 *   target is text for people; good: up|down; level: overall|first|second
 */
#ifndef ANALYZERS_INDICATOR_H
#define ANALYZERS_INDICATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/dictionary.h"

struct indicator_table;

enum indicator_source { INDICATOR_LIVE, INDICATOR_PROXY, INDICATOR_FED };

enum { INDICATORS_MAX = 200 };

struct indicator_row {
    uint32_t number;
    struct span code;
    struct span name_zh;
    struct span name_en;
    struct span level; /* overall, first, second */
    struct span numerator;
    struct span denominator;
    struct span unit;   /* "%", "h", "1/百万户" */
    struct span good;   /* up, down */
    struct span period; /* "month,year": how often it is read; for people */
    struct span target;
    struct span formula_zh;
    double factor; /* value = numerator / denominator * factor */
    enum indicator_source source;
};

/* Errors  NO_COLUMN; BAD_TABLE naming line and column; a number, code or
 * Chinese name that stands twice is BAD_TABLE */
enum err_code indicator_build(const struct dictionary_file *files,
                              size_t file_count,
                              struct indicator_table **out,
                              struct err *err) MUST_CHECK;
void indicator_free(struct indicator_table **table);

size_t indicator_count(const struct indicator_table *table);
const struct indicator_row *indicator_row(const struct indicator_table *table,
                                          size_t index);
/* Row by code or Chinese name, or NULL. */
const struct indicator_row *indicator_find(const struct indicator_table *table,
                                           struct span name);

/* The value, or false when the denominator is zero. */
bool indicator_value(const struct indicator_row *row,
                     double numerator,
                     double denominator,
                     double *out);

/* --- periods: "2018", "2018-Q1", "2018-03", "2018-W05", "2018-03-31" --- */

enum period_kind {
    PERIOD_HOUR,
    PERIOD_DAY,
    PERIOD_WEEK,
    PERIOD_MONTH,
    PERIOD_QUARTER,
    PERIOD_YEAR
};

/* Days [first, last] of a period's name; outputs untouched on error. Weeks are
 * those of ISO 8601: Monday to Sunday, the year is that of the Thursday, so
 * 2021-01-01 lies in 2020-W53. Errors BAD_VALUE, field "period". */
enum err_code period_parse(struct span name,
                           enum period_kind *kind,
                           int32_t *first_day,
                           int32_t *last_day,
                           struct err *err) MUST_CHECK;

enum { PERIOD_NAME_BYTES = 24 };
/* Name of the period of `kind` (not HOUR) that holds `day`. */
char *
period_name(enum period_kind kind, int32_t day, char out[PERIOD_NAME_BYTES]);
/* First day of the period of `kind` (not HOUR) that holds `day`. */
int32_t period_first_day(enum period_kind kind, int32_t day);
/* First day of the next period. */
int32_t period_next_day(enum period_kind kind, int32_t day);

#endif /* ANALYZERS_INDICATOR_H */
