/* The report as one JSON object, for programs. */
#include "server/base/json_out.h"
#include "server/report/report_internal.h"

static void
put_time(struct json_out *json, const char *key, int64_t at_us)
{
    char text[TICKET_TIME_BYTES];

    if (at_us == INT64_MIN || at_us == STATE_NEVER) {
        json_key(json, key);
        json_null(json);
        return;
    }
    json_put_text(json, key, ticket_time_format(at_us, text));
}

static void
put_head(struct json_out *json, const struct report *report)
{
    char text[REPORT_DATE_BYTES];

    json_put_text(json, "from", report_date(report->first_day, text));
    json_put_text(json, "to", report_date(report->last_day, text));
    if (report->is_period) {
        json_put_text(
            json, "period",
            period_name(report->period.kind, report->first_day, text));
    }
    json_put_string(json, "unit", report->unit);
    put_time(json, "as_of", report->numbers.query.as_of_us);
    json_put_uint(json, "expired", report->numbers.expired);
}

static void
put_regions(struct json_out *json, const uint64_t *by_region)
{
    json_put_uint(json, "urban", by_region[TICKET_REGION_URBAN]);
    json_put_uint(json, "rural",
                  by_region[TICKET_REGION_RURAL] +
                      by_region[TICKET_REGION_REMOTE]);
    json_put_uint(json, "remote", by_region[TICKET_REGION_REMOTE]);
    json_put_uint(json, "unknown", by_region[TICKET_REGION_UNKNOWN]);
}

static void
put_share(struct json_out *json, const struct report *report, uint64_t count)
{
    json_put_uint(json, "count", count);
    json_put_double(json, "share_percent",
                    report_percent(count, report->complaints_total));
}

static void
put_subcategories(struct json_out *json, const struct report *report)
{
    const struct report_numbers *numbers = &report->numbers;

    json_key(json, "by_subcategory");
    json_open_array(json);
    for (size_t i = 0; i < numbers->subcategory_count; i++) {
        const struct report_subcategory *row = &numbers->subcategories[i];

        json_open_object(json);
        json_put_text(json, "category", ticket_category_wire(row->category));
        json_key(json, "subcategory");
        if (row->name_id != 0) {
            json_string(json, report_subcategory_name(report, row));
        } else {
            json_null(json);
        }
        put_share(json, report, row->complaints);
        put_regions(json, row->by_region);
        json_close_object(json);
    }
    json_close_array(json);
}

static void
put_complaints(struct json_out *json, const struct report *report)
{
    const struct report_numbers *numbers = &report->numbers;
    uint64_t by_region[TICKET_REGION_COUNT] = {0};

    json_key(json, "complaints");
    json_open_object(json);
    json_put_uint(json, "total", report->complaints_total);
    json_key(json, "by_category");
    json_open_object(json);
    for (int c = 0; c < TICKET_CATEGORY_COUNT; c++) {
        enum ticket_category category = (enum ticket_category)c;

        json_key(json, ticket_category_wire(category));
        json_open_object(json);
        put_share(json, report, report_category(numbers, category));
        json_close_object(json);
        for (int r = 0; r < TICKET_REGION_COUNT; r++) {
            by_region[r] += numbers->complaints[c][r];
        }
    }
    json_close_object(json);
    json_key(json, "by_region");
    json_open_object(json);
    put_regions(json, by_region);
    json_close_object(json);
    json_key(json, "by_category_region");
    json_open_object(json);
    for (int c = 0; c < TICKET_CATEGORY_COUNT; c++) {
        json_key(json, ticket_category_wire((enum ticket_category)c));
        json_open_object(json);
        put_regions(json, numbers->complaints[c]);
        json_close_object(json);
    }
    json_close_object(json);
    put_subcategories(json, report);
    json_put_uint(json, "closed", numbers->complaints_closed);
    json_put_uint(json, "replied", numbers->complaints_replied);
    json_put_uint(json, "open", numbers->complaints_open);
    json_put_uint(json, "substantiated", numbers->complaints_substantiated);
    json_close_object(json);
}

static void
put_repeat(struct json_out *json, const struct report *report)
{
    const struct report_numbers *numbers = &report->numbers;

    json_key(json, "repeat");
    json_open_object(json);
    json_put_uint(json, "tickets", numbers->repeat_tickets);
    json_put_uint(json, "callers", numbers->repeat_callers);
    json_put_uint(json, "third_calls",
                  report_counter(report, COUNTER_third_calls));
    json_put_uint(json, "bursts", report_counter(report, COUNTER_bursts));
    json_put_uint(json, "settled", numbers->repeat_settled);
    json_put_double(json, "share_percent",
                    report_percent(numbers->repeat_tickets,
                                   report_counter(report, COUNTER_received)));
    json_close_object(json);
}

static void
put_overdue(struct json_out *json, const struct report *report)
{
    const struct deadline_table *table = report->dictionary->deadlines;

    json_key(json, "overdue");
    json_open_object(json);
    json_put_uint(json, "tickets", report_counter(report, COUNTER_overdue));
    json_put_uint(json, "clocks",
                  report_counter(report, COUNTER_overdue_clocks));
    for (int open = 0; open < 2; open++) {
        json_key(json, open ? "open_by_kind" : "by_kind");
        json_open_object(json);
        for (uint32_t k = 0; k < deadline_kind_count(table); k++) {
            struct span code = deadline_kind_code(table, k);
            const struct report_overdue *row = report_overdue_of(report, code);

            json_key_span(json, code);
            json_uint(json, open ? row->open : row->clocks);
        }
        json_close_object(json);
    }
    json_close_object(json);
}

static void
put_work(struct json_out *json, const struct report *report)
{
    const struct report_numbers *numbers = &report->numbers;

    json_put_uint(json, "received", report_counter(report, COUNTER_received));
    json_key(json, "types");
    json_open_object(json);
    for (int t = 0; t < TICKET_TYPE_COUNT; t++) {
        json_put_uint(json, ticket_type_wire((enum ticket_type)t),
                      numbers->received_by_type[t]);
    }
    json_close_object(json);
    json_key(json, "channels");
    json_open_object(json);
    for (int c = 0; c < TICKET_CHANNEL_COUNT; c++) {
        json_put_uint(json, ticket_channel_wire((enum ticket_channel)c),
                      numbers->received_by_channel[c]);
    }
    json_close_object(json);
    json_key(json, "handling");
    json_open_object(json);
    json_put_uint(json, "dispatched",
                  report_counter(report, COUNTER_dispatched));
    json_put_uint(json, "replied", report_counter(report, COUNTER_replied));
    json_put_uint(json, "closed", report_counter(report, COUNTER_closed));
    json_put_uint(json, "urged", report_counter(report, COUNTER_urged));
    json_put_uint(json, "final_replies",
                  report_counter(report, COUNTER_final_replies));
    json_put_uint(json, "verified", report_counter(report, COUNTER_verified));
    json_put_uint(json, "substantiated",
                  report_counter(report, COUNTER_substantiated));
    json_put_uint(json, "revisited", report_counter(report, COUNTER_revisited));
    json_put_uint(json, "satisfied", report_counter(report, COUNTER_satisfied));
    json_close_object(json);
}

static void
put_agreement(struct json_out *json,
              const char *name,
              const char *percent_name,
              uint64_t agreed,
              uint64_t reviewed)
{
    json_put_uint(json, name, agreed);
    json_key(json, percent_name);
    if (reviewed == 0) {
        json_null(json);
    } else {
        json_double(json, report_percent(agreed, reviewed));
    }
}

static void
put_review(struct json_out *json, const struct report *report)
{
    uint64_t reviewed = report_counter(report, COUNTER_reviewed);
    uint64_t subcategory = report_counter(report, COUNTER_reviewed_subcategory);
    uint64_t region = report_counter(report, COUNTER_reviewed_region);

    json_key(json, "review");
    json_open_object(json);
    json_put_uint(json, "reviewed", reviewed);
    json_put_uint(json, "reviewed_subcategory", subcategory);
    json_put_uint(json, "reviewed_region", region);
    put_agreement(json, "agree_category", "agree_category_percent",
                  report_counter(report, COUNTER_agree_category), reviewed);
    put_agreement(json, "agree_subcategory", "agree_subcategory_percent",
                  report_counter(report, COUNTER_agree_subcategory),
                  subcategory);
    put_agreement(json, "agree_region", "agree_region_percent",
                  report_counter(report, COUNTER_agree_region), region);
    json_close_object(json);
}

static void
put_side(struct json_out *json, const char *key, bool given, double value)
{
    json_key(json, key);
    if (given) {
        json_double(json, value);
    } else {
        json_null(json);
    }
}

static void
put_indicators(struct json_out *json, const struct report *report)
{
    static const char *const sources[] = {"live", "proxy", "fed"};
    const struct indicator_table *table = report->dictionary->indicators;

    json_key(json, "indicators");
    json_open_array(json);
    for (size_t i = 0; i < indicator_count(table); i++) {
        const struct indicator_row *row = indicator_row(table, i);
        const struct indicator_answer *answer = &report->answers[i];

        json_open_object(json);
        json_put_uint(json, "number", row->number);
        json_put_string(json, "code", row->code);
        json_put_string(json, "name", row->name_zh);
        json_put_string(json, "name_en", row->name_en);
        json_put_string(json, "level", row->level);
        json_put_text(json, "source", sources[row->source]);
        put_side(json, "value", answer->missing == INDICATOR_PRESENT,
                 answer->value);
        json_put_string(json, "unit", row->unit);
        put_side(json, "numerator", answer->has_numerator, answer->numerator);
        put_side(json, "denominator", answer->has_denominator,
                 answer->denominator);
        json_put_string(json, "target", row->target);
        json_put_string(json, "good", row->good);
        json_put_text(json, "missing", indicator_missing_wire(answer->missing));
        json_close_object(json);
    }
    json_close_array(json);
}

static void
put_units(struct json_out *json, const struct report *report)
{
    const struct report_numbers *numbers = &report->numbers;

    json_key(json, "units");
    json_open_array(json);
    for (size_t i = 0; i < numbers->unit_count; i++) {
        const struct report_unit *unit = &numbers->units[i];

        json_open_object(json);
        json_put_string(json, "unit",
                        reader_name(report->reader, unit->unit_id));
        json_put_uint(json, "received", unit->received);
        json_put_uint(json, "complaints", unit->complaints);
        json_put_uint(json, "repeats", unit->repeats);
        json_put_uint(json, "overdue", unit->overdue);
        json_close_object(json);
    }
    json_close_array(json);
}

void
report_put_json(struct buf *buf, const struct report *report)
{
    struct json_out json;

    json_init(&json, buf);
    json_open_object(&json);
    put_head(&json, report);
    put_complaints(&json, report);
    put_repeat(&json, report);
    put_overdue(&json, report);
    put_work(&json, report);
    put_review(&json, report);
    put_units(&json, report);
    put_indicators(&json, report);
    json_close_object(&json);
    buf_put_char(buf, '\n');
}
