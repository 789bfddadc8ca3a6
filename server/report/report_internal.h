/* What the forms of the report share: report.c gathers, report_text.c,
 * report_json.c, report_csv.c, report_html.c and report_xlsx.c write. Nobody
 * else includes it. */
#ifndef REPORT_REPORT_INTERNAL_H
#define REPORT_REPORT_INTERNAL_H

#include "server/report/report.h"
#include "server/serve/indicator_values.h"
#include "server/serve/query.h"

/* A stretch of the period: a day, a week or a month. */
enum {
    REPORT_TREND_MAX = 420,
    REPORT_TREND_DAYS = 45,  /* a longer period is shown by weeks … */
    REPORT_TREND_WEEKS = 200 /* … and one of more days than this by months */
};
struct report_trend {
    char name[PERIOD_NAME_BYTES]; /* "2018-03-31", "2018-W05", "2018-03" */
    uint64_t received;
    uint64_t complaints;
    uint64_t repeats;
};

struct report {
    const struct reader *reader;
    const struct dictionary *dictionary;
    struct report_numbers numbers;
    int32_t first_day; /* both inclusive */
    int32_t last_day;
    bool is_period; /* a whole month, quarter … */
    struct indicator_period period;
    struct span unit;          /* path; empty = all */
    uint64_t complaints_total; /* any region */
    struct indicator_answer answers[INDICATORS_MAX];
    struct report_trend trend[REPORT_TREND_MAX];
    size_t trend_count;
};

void report_put_text(struct buf *buf, const struct report *report);
void report_put_json(struct buf *buf, const struct report *report);
void report_put_csv(struct buf *buf, const struct report *report);
void report_put_html(struct buf *buf, const struct report *report);
/* Through a temporary file in $TMPDIR. Errors  IO, DISK_FULL */
enum err_code report_put_xlsx(struct buf *buf,
                              const struct report *report,
                              struct err *err) MUST_CHECK;

/* 100 * part / whole, rounded to hundredths; 0 of nothing. */
double report_percent(uint64_t part, uint64_t whole);

/* Of the whole, or of a clock's kind that has none. */
uint64_t report_counter(const struct report *report, enum counter counter);
const struct report_overdue *report_overdue_of(const struct report *report,
                                               struct span kind_code);
/* A second level's name; a dash when there is none. */
struct span report_subcategory_name(const struct report *report,
                                    const struct report_subcategory *row);

/* "2018-03-31". */
enum { REPORT_DATE_BYTES = 24 };
char *report_date(int32_t day, char out[REPORT_DATE_BYTES]);

/* The five categories, and what a complaint that is none of them counts as. */
enum { REPORT_CATEGORIES = TICKET_CATEGORY_COUNT - 1 };
enum ticket_category report_category_at(size_t index);

#endif /* REPORT_REPORT_INTERNAL_H */
