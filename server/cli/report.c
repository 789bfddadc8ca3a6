/* suqiu report: the numbers of a period, from a snapshot of the store. */
#include <stdio.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/cli/cli.h"
#include "server/cli/open_dictionary.h"
#include "server/cli/report_internal.h"

static const char *flag_from;
static const char *flag_to;
static const char *flag_unit;
static const char *flag_format;
static const char *flag_as_of;

static const struct config_flag report_flags[] = {
    {"from", "DATE", &flag_from, NULL, "the first day, as 2018-01-01"},
    {"to", "DATE", &flag_to, NULL, "the last day, as 2018-03-31"},
    {"unit", "U", &flag_unit, NULL,
     "a supply unit's path or code, with all below it; without it all units"},
    {"format", "FORM", &flag_format, NULL,
     "text (for people), csv or json; text"},
    {"as-of", "TIME", &flag_as_of, NULL,
     "judge clocks, replies and closing as of then; the end of the period, or "
     "now when that is earlier"},
};

const struct cli_help cmd_report_help = {
    .usage = "suqiu report --data DIR --from DATE --to DATE [--unit U]\n"
             "                    [--format text|csv|json] [--as-of TIME]",
    .text =
        "The numbers of the tickets accepted in a period: complaints by "
        "category, region and\nsecond level, repeat callers, overdue steps, "
        "replies, satisfaction, how far the\nsupervisors agreed with the "
        "judgement, and the indicators. A server may use the\nstore "
        "meanwhile.\n",
    .flags = report_flags,
    .flag_count = sizeof(report_flags) / sizeof(report_flags[0]),
    .groups = CONFIG_DICT | CONFIG_STORE,
};

static const struct report_form {
    const char *name;
    void (*put)(struct buf *buf, const struct report *report);
} report_forms[] = {{"text", report_put_text},
                    {"csv", report_put_csv},
                    {"json", report_put_json}};

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

/* --- flags -------------------------------------------------------------- */

static enum err_code
read_range(struct report_query *query, struct err *err)
{
    if (flag_from == NULL || flag_to == NULL) {
        return err_set(err, ERR_USAGE,
                       "say which period: --from DATE --to DATE");
    }
    if (query_time_parse(span_of(flag_from), false, "--from", &query->from_us,
                         err) != ERR_OK ||
        query_time_parse(span_of(flag_to), true, "--to", &query->to_us, err) !=
            ERR_OK) {
        return err->code;
    }
    if (query->to_us <= query->from_us) {
        return err_set(err, ERR_USAGE, "--to %.40s lies before --from %.40s",
                       flag_to, flag_from);
    }
    if (shanghai_day_start_us(shanghai_day(query->from_us)) != query->from_us ||
        shanghai_day_start_us(shanghai_day(query->to_us)) != query->to_us) {
        return err_set(err, ERR_USAGE,
                       "a report is of whole days: give --from and --to as "
                       "2018-01-01");
    }
    query->as_of_us = query->to_us;
    if (flag_as_of != NULL) {
        return query_time_parse(span_of(flag_as_of), true, "--as-of",
                                &query->as_of_us, err);
    }
    if (clock_now_us() < query->as_of_us) {
        query->as_of_us = clock_now_us();
    }
    return ERR_OK;
}

static enum err_code
read_flags(const struct config *config,
           int argc,
           struct report_query *query,
           const struct report_form **form,
           struct err *err)
{
    const char *name = flag_format != NULL ? flag_format : "text";

    if (argc > 0) {
        return err_set(err, ERR_USAGE,
                       "report takes no arguments besides its flags");
    }
    if (config->data[0] == '\0') {
        return err_set(err, ERR_USAGE, "say which store: --data DIR");
    }
    *form = NULL;
    for (size_t i = 0; i < sizeof(report_forms) / sizeof(report_forms[0]);
         i++) {
        if (strcmp(report_forms[i].name, name) == 0) {
            *form = &report_forms[i];
        }
    }
    if (*form == NULL) {
        return err_set(err, ERR_USAGE,
                       "--format \"%.40s\": give text, csv or json", name);
    }
    if (read_range(query, err) != ERR_OK) {
        err->code = ERR_USAGE;
    }
    return err->code;
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

static enum err_code
gather(struct report *report, struct report_query *query, struct err *err)
{
    const struct indicator_table *table = report->dictionary->indicators;
    bool known;

    query_unit(report->reader, report->dictionary, span_of(flag_unit),
               &query->unit_id, &known);
    if (!known) {
        return err_set(err, ERR_NOT_FOUND,
                       "no ticket is of the unit \"%.200s\"; give its path "
                       "from the top, or its code",
                       flag_unit);
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
    for (size_t i = 0; i < indicator_count(table); i++) {
        if (find_indicator(report, indicator_row(table, i), &report->answers[i],
                           err) != ERR_OK) {
            return err->code;
        }
    }
    return ERR_OK;
}

static enum err_code
write_report(const struct report_form *form,
             const struct store *store,
             const struct dictionary *dictionary,
             struct report_query *query,
             struct buf *out,
             struct err *err)
{
    struct reader reader;
    struct report report = {.reader = &reader, .dictionary = dictionary};

    if (reader_begin(store, &reader, err) != ERR_OK) {
        return err->code;
    }
    if (gather(&report, query, err) == ERR_OK) {
        form->put(out, &report);
    }
    report_numbers_release(&report.numbers);
    reader_end(&reader);
    return err->code;
}

int
cmd_report(int argc, char **argv)
{
    const struct report_form *form = NULL;
    struct report_query query = {0};
    struct store_options store_options;
    struct dictionary *dictionary = NULL;
    struct store *store = NULL;
    struct config config;
    struct err err = {0};
    struct buf out;
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_report_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    store_options.map_bytes = config.map_size_gib << 30;
    buf_init(&out, REPORT_BYTES_MAX);
    if (read_flags(&config, argc, &query, &form, &err) == ERR_OK &&
        store_open(config.data, STORE_READ, &store_options, &store, &err) ==
            ERR_OK &&
        open_dictionary(&config, &dictionary, &err) == ERR_OK) {
        (void)!write_report(form, store, dictionary, &query, &out, &err);
    }
    exit_code = err.code != ERR_OK ? cli_fail(&err) : cli_put_out(&out);
    buf_release(&out);
    dictionary_free(&dictionary);
    store_close(&store);
    return exit_code;
}
