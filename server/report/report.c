/* Gather the numbers of a period from one snapshot. */
#include "server/report/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/report/report_internal.h"

/* --- forms -------------------------------------------------------------- */

#define PLAIN_FORM(name)                                                       \
    static enum err_code put_##name(                                           \
        struct buf *buf, const struct report *report, struct err *err)         \
    {                                                                          \
        report_put_##name(buf, report);                                        \
        return buf_check(buf, err);                                            \
    }
PLAIN_FORM(text)
PLAIN_FORM(csv)
PLAIN_FORM(json)
PLAIN_FORM(html)

static const struct report_form forms[] = {
    {"text", "text/plain; charset=utf-8", false, put_text},
    {"csv", "text/csv; charset=utf-8; header=present", false, put_csv},
    {"json", "application/json", false, put_json},
    {"html", "text/html; charset=utf-8", false, put_html},
    {"xlsx",
     "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", true,
     report_put_xlsx}};

const struct report_form *
report_form_find(struct span name)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (span_is(name, forms[i].name)) {
            return &forms[i];
        }
    }
    return NULL;
}

/* --- shared ------------------------------------------------------------- */

double
report_percent(uint64_t part, uint64_t whole)
{
    uint64_t hundredths = whole == 0 ? 0 : (part * 10000 + whole / 2) / whole;

    return (double)hundredths / 100.0;
}

uint64_t
report_counter(const struct report *report, enum counter counter)
{
    return report->numbers.counts[counter];
}

const struct report_overdue *
report_overdue_of(const struct report *report, struct span kind_code)
{
    static const struct report_overdue none;

    for (size_t i = 0; i < report->numbers.overdue_count; i++) {
        const struct report_overdue *row = &report->numbers.overdue[i];

        if (span_equal(reader_name(report->reader, row->kind_id), kind_code)) {
            return row;
        }
    }
    return &none;
}

struct span
report_subcategory_name(const struct report *report,
                        const struct report_subcategory *row)
{
    struct span name = reader_name(report->reader, row->name_id);

    return name.bytes > 0 ? name : SPAN_LITERAL("-");
}

char *
report_date(int32_t day, char out[REPORT_DATE_BYTES])
{
    return period_name(PERIOD_DAY, day, out);
}

enum ticket_category
report_category_at(size_t index)
{
    return (enum ticket_category)(index + 1); /* 0 is none of them */
}

/* --- the period --------------------------------------------------------- */

enum err_code
report_range(struct span from,
             struct span to,
             struct span as_of,
             const char *prefix,
             int64_t now_us,
             struct report_query *out,
             struct err *err)
{
    char from_name[16];
    char to_name[16];
    char as_of_name[16];

    (void)snprintf(from_name, sizeof(from_name), "%sfrom", prefix);
    (void)snprintf(to_name, sizeof(to_name), "%sto", prefix);
    (void)snprintf(as_of_name, sizeof(as_of_name), "%sas%sof", prefix,
                   prefix[0] != '\0' ? "-" : "_");
    if (from.bytes == 0 || to.bytes == 0) {
        return err_set_field(
            err, ERR_BAD_VALUE, from.bytes == 0 ? from_name : to_name,
            "say which period: %sfrom DATE %sto DATE", prefix, prefix);
    }
    if (query_time_parse(from, false, from_name, &out->from_us, err) !=
            ERR_OK ||
        query_time_parse(to, true, to_name, &out->to_us, err) != ERR_OK) {
        return err->code;
    }
    if (out->to_us <= out->from_us) {
        return err_set_field(err, ERR_BAD_VALUE, to_name,
                             "%sto %.*s lies before %sfrom %.*s", prefix,
                             SPAN_ARGS(to), prefix, SPAN_ARGS(from));
    }
    if (shanghai_day_start_us(shanghai_day(out->from_us)) != out->from_us ||
        shanghai_day_start_us(shanghai_day(out->to_us)) != out->to_us) {
        return err_set_field(err, ERR_BAD_VALUE, from_name,
                             "a report is of whole days: give %sfrom and %sto "
                             "as 2018-01-01",
                             prefix, prefix);
    }
    out->as_of_us = now_us < out->to_us ? now_us : out->to_us;
    return as_of.bytes > 0
               ? query_time_parse(as_of, true, as_of_name, &out->as_of_us, err)
               : ERR_OK;
}

/* --- gathering ---------------------------------------------------------- */

/* The period that the range is, or days. */
static void
find_period(struct report *report)
{
    static const enum period_kind kinds[] = {
        PERIOD_YEAR, PERIOD_QUARTER, PERIOD_MONTH, PERIOD_WEEK, PERIOD_DAY};
    int32_t first = report->first_day;

    report->period =
        (struct indicator_period){PERIOD_DAY, first, report->last_day};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (period_first_day(kinds[i], first) == first &&
            period_next_day(kinds[i], first) - 1 == report->last_day) {
            report->period.kind = kinds[i];
            report->is_period = true;
            return;
        }
    }
}

/* The side of an indicator that is counted here, as of the report's instant. */
static bool
counted_here(const struct report *report, struct span source, double *value)
{
    struct span prefix = SPAN_LITERAL("measure:");
    enum counter counter;

    if (!span_starts(source, prefix) ||
        !counter_from((struct span){source.data + prefix.bytes,
                                    source.bytes - prefix.bytes},
                      &counter)) {
        return false;
    }
    *value = (double)(counter == COUNTER_quality_customers
                          ? report->numbers.quality_customers
                          : report_counter(report, counter));
    return true;
}

/*
 * The fed numbers come from the facts of the period; what is counted comes from
 * this report, so that one page does not show two instants.
 */
static enum err_code
find_indicator(struct report *report,
               const struct indicator_row *row,
               struct indicator_answer *out,
               struct err *err)
{
    bool numerator_here;
    bool denominator_here;

    if (indicator_answer(report->reader, row, &report->period,
                         report->numbers.query.unit_id, report->unit, out,
                         err) != ERR_OK) {
        return err->code;
    }
    numerator_here = counted_here(report, row->numerator, &out->numerator);
    denominator_here =
        counted_here(report, row->denominator, &out->denominator);
    if (!report->is_period && !numerator_here && !denominator_here) {
        *out = (struct indicator_answer){.missing = INDICATOR_NO_FACT};
        return ERR_OK;
    }
    if (numerator_here || denominator_here) {
        out->has_numerator |= numerator_here;
        out->has_denominator |= denominator_here;
        out->missing = !out->has_numerator || !out->has_denominator
                           ? INDICATOR_NO_FACT
                       : indicator_value(row, out->numerator, out->denominator,
                                         &out->value)
                           ? INDICATOR_PRESENT
                           : INDICATOR_NO_CASES;
    }
    return ERR_OK;
}

/* Received, complaints and repeats by days, weeks or months. */
static enum err_code
find_trend(struct report *report, struct err *err)
{
    int32_t days = report->last_day - report->first_day + 1;
    enum period_kind kind = days <= REPORT_TREND_DAYS    ? PERIOD_DAY
                            : days <= REPORT_TREND_WEEKS ? PERIOD_WEEK
                                                         : PERIOD_MONTH;
    uint32_t unit_id = report->numbers.query.unit_id;

    for (int32_t day = report->first_day;
         day <= report->last_day && report->trend_count < REPORT_TREND_MAX;) {
        struct report_trend *point = &report->trend[report->trend_count++];
        int32_t next = period_next_day(kind, day);
        int32_t last =
            next - 1 < report->last_day ? next - 1 : report->last_day;
        int64_t counts[3];

        if (query_count(report->reader, unit_id, day, last, COUNTER_received,
                        &counts[0], err) != ERR_OK ||
            query_count(report->reader, unit_id, day, last, COUNTER_complaints,
                        &counts[1], err) != ERR_OK ||
            query_count(report->reader, unit_id, day, last, COUNTER_repeats,
                        &counts[2], err) != ERR_OK) {
            return err->code;
        }
        (void)period_name(kind, day, point->name);
        point->received = (uint64_t)counts[0];
        point->complaints = (uint64_t)counts[1];
        point->repeats = (uint64_t)counts[2];
        day = next;
    }
    return ERR_OK;
}

static enum err_code
gather(struct report *report,
       struct span unit,
       struct report_query *query,
       struct err *err)
{
    const struct indicator_table *table = report->dictionary->indicators;
    bool known;

    query_unit(report->reader, report->dictionary, unit, &query->unit_id,
               &known);
    if (!known) {
        return err_set(err, ERR_NOT_FOUND,
                       "no ticket is of the unit \"%.*s\"; give its path "
                       "from the top, or its code",
                       SPAN_ARGS(unit));
    }
    report->unit = reader_name(report->reader, query->unit_id);
    report->first_day = shanghai_day(query->from_us);
    report->last_day = shanghai_day(query->to_us) - 1;
    find_period(report);
    if (query_report(report->reader, report->dictionary, query,
                     &report->numbers, err) != ERR_OK) {
        return err->code;
    }
    report->complaints_total =
        report_category(&report->numbers, TICKET_CATEGORY_COUNT);
    if (find_trend(report, err) != ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < indicator_count(table); i++) {
        if (find_indicator(report, indicator_row(table, i), &report->answers[i],
                           err) != ERR_OK) {
            return err->code;
        }
    }
    return ERR_OK;
}

enum err_code
report_write(const struct report_form *form,
             const struct store *store,
             const struct dictionary *dictionary,
             struct span unit,
             struct report_query *query,
             struct buf *out,
             struct err *err)
{
    struct reader reader;
    struct report *report = calloc(1, sizeof(*report));

    if (report == NULL) {
        return err_set(err, ERR_NO_MEMORY, "report");
    }
    report->reader = &reader;
    report->dictionary = dictionary;
    if (reader_begin(store, &reader, err) == ERR_OK) {
        if (gather(report, unit, query, err) == ERR_OK) {
            (void)!form->put(out, report, err);
        }
        report_numbers_release(&report->numbers);
        reader_end(&reader);
    }
    free(report);
    return err->code;
}
