/* What `suqiu top` shows, out of the texts that a server answers. */
#include "server/cli/top_numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/decode/csv_rows.h"

enum { TOP_ARENA_BLOCK_BYTES = 16 * 1024 };

/* ---- /metrics ---- */

/* One line of it: name{label="value"} number */
struct sample {
    struct span name;  /* without suqiu_ */
    struct span label; /* the value of its only label; may be empty */
    double value;
};

static bool
read_sample(struct span line, struct sample *out)
{
    struct span prefix = SPAN_LITERAL("suqiu_");
    struct span name = span_split(&line, ' ');
    char number[40];
    char *end;

    if (!span_starts(name, prefix)) {
        return false;
    }
    name.data += prefix.bytes;
    name.bytes -= prefix.bytes;
    out->label = name;
    out->name = span_split(&out->label, '{');
    (void)span_split(&out->label, '"');
    out->label = span_split(&out->label, '"');
    (void)snprintf(number, sizeof(number), "%.*s", SPAN_ARGS(span_trim(line)));
    out->value = strtod(number, &end);
    return end != number;
}

static struct top_clock *
clock_of(struct top_numbers *numbers, struct span kind)
{
    struct top_clock *clock;

    for (size_t i = 0; i < numbers->clock_count; i++) {
        if (span_is(kind, numbers->clocks[i].kind)) {
            return &numbers->clocks[i];
        }
    }
    if (numbers->clock_count == DEADLINE_KINDS_MAX ||
        kind.bytes >= TOP_NAME_BYTES) {
        return NULL;
    }
    clock = &numbers->clocks[numbers->clock_count++];
    *clock = (struct top_clock){.running = 0};
    (void)snprintf(clock->kind, sizeof(clock->kind), "%.*s", SPAN_ARGS(kind));
    return clock;
}

static void
take_clock(struct top_numbers *numbers, const struct sample *sample)
{
    struct top_clock *clock = clock_of(numbers, sample->label);
    uint64_t count = (uint64_t)sample->value;

    if (clock == NULL) {
        return;
    }
    if (span_is(sample->name, "clocks_running")) {
        clock->running = count;
    } else if (span_is(sample->name, "clocks_due_soon")) {
        clock->due_soon = count;
    } else if (span_is(sample->name, "clocks_overdue")) {
        clock->overdue = count;
    }
}

/* Metrics that are one number. */
static bool
take_number(struct top_numbers *numbers, const struct sample *sample)
{
    const struct {
        const char *name;
        uint64_t *number;
    } rows[] = {
        {"tickets_total", &numbers->tickets},
        {"events_total", &numbers->events},
        {"versions_total", &numbers->versions},
        {"duplicates_total", &numbers->duplicates},
        {"rejects_total", &numbers->rejects},
        {"events_waiting", &numbers->events_waiting},
        {"batches_waiting", &numbers->batches_waiting},
        {"batches_waiting_max", &numbers->batches_waiting_max},
        {"commits_total", &numbers->commits},
        {"feed_connections", &numbers->feed_connections},
        {"store_used_bytes", &numbers->store_used_bytes},
        {"store_map_bytes", &numbers->store_map_bytes},
        {"disk_free_bytes", &numbers->disk_free_bytes},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (span_is(sample->name, rows[i].name)) {
            *rows[i].number = (uint64_t)sample->value;
            return true;
        }
    }
    return false;
}

static void
take_sample(struct top_numbers *numbers, const struct sample *sample)
{
    enum counter counter;

    numbers->has_pipeline =
        numbers->has_pipeline || span_is(sample->name, "batches_waiting_max");
    if (take_number(numbers, sample)) {
        return;
    }
    if (span_is(sample->name, "today")) {
        if (counter_from(sample->label, &counter)) {
            numbers->today[counter] = (int64_t)sample->value;
        }
    } else if (span_starts(sample->name, SPAN_LITERAL("clocks_"))) {
        take_clock(numbers, sample);
    } else if (span_is(sample->name, "commit_seconds_total")) {
        numbers->commit_s = sample->value;
    } else if (span_is(sample->name, "writer_stopped")) {
        numbers->writer_stopped = sample->value != 0;
    } else if (span_is(sample->name, "store_full")) {
        numbers->store_full = sample->value != 0;
    } else if (span_is(sample->name, "tick_seconds")) {
        numbers->tick_us = (int64_t)(sample->value * 1e6);
    } else if (span_is(sample->name, "dictionary_info")) {
        (void)snprintf(numbers->dictionary, sizeof(numbers->dictionary), "%.*s",
                       SPAN_ARGS(sample->label));
    }
}

void
top_read_metrics(struct top_numbers *numbers, struct span text)
{
    struct sample sample;

    while (text.bytes > 0) {
        if (read_sample(span_split(&text, '\n'), &sample)) {
            take_sample(numbers, &sample);
        }
    }
}

/* ---- /v1/counters ---- */

static size_t
find_column(const struct csv_row *header, const char *name)
{
    for (size_t i = 0; i < header->cell_count; i++) {
        if (span_is(header->cells[i], name)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void
take_row(struct top_numbers *numbers,
         struct span category_word,
         struct span region_word,
         struct span count_text)
{
    enum ticket_category category;
    enum ticket_region region;
    char count[24];

    if (!ticket_category_from(category_word, &category) ||
        !ticket_region_from(region_word, &region)) {
        return;
    }
    if (region == TICKET_REGION_REMOTE) {
        region = TICKET_REGION_RURAL;
    }
    (void)snprintf(count, sizeof(count), "%.*s", SPAN_ARGS(count_text));
    numbers->complaints[category][region] += strtoll(count, NULL, 10);
}

enum err_code
top_read_counters(struct top_numbers *numbers, struct span csv, struct err *err)
{
    struct csv_rows rows;
    struct csv_row row;
    struct arena arena;
    enum csv_next next;

    arena_init(&arena, TOP_ARENA_BLOCK_BYTES);
    if (csv_rows_open(&rows, csv, CSV_QUOTES_ON, &arena, &row, err) == ERR_OK) {
        size_t category = find_column(&row, "category");
        size_t region = find_column(&row, "region");
        size_t complaints = find_column(&row, "complaints");

        if (category == SIZE_MAX || region == SIZE_MAX ||
            complaints == SIZE_MAX) {
            (void)err_set(err, ERR_NO_COLUMN,
                          "the counters lack category, region or complaints");
        }
        while (err->code == ERR_OK &&
               (next = csv_rows_next(&rows, &arena, &row, err)) == CSV_ROW) {
            take_row(numbers, row.cells[category], row.cells[region],
                     row.cells[complaints]);
        }
    }
    arena_release(&arena);
    return err->code;
}

/* ---- /v1/dictionary ---- */

void
top_read_names(struct top_numbers *numbers, struct span json)
{
    for (size_t i = 0; i < numbers->clock_count; i++) {
        struct top_clock *clock = &numbers->clocks[i];
        char member[TOP_NAME_BYTES + 32];
        struct span rest = json;
        struct span name;
        size_t at;

        /* {"kind":"reply","name":"答复",…: names have nothing to escape */
        (void)snprintf(member, sizeof(member), "\"kind\":\"%s\",\"name\":\"",
                       clock->kind);
        at = span_find(json, span_of(member), 0);
        if (at == SIZE_MAX) {
            continue;
        }
        rest.data += at + strlen(member);
        rest.bytes -= at + strlen(member);
        name = span_split(&rest, '"');
        if (name.bytes < sizeof(clock->name)) {
            (void)snprintf(clock->name, sizeof(clock->name), "%.*s",
                           SPAN_ARGS(name));
        }
    }
}

/* ---- rates ---- */

static uint64_t
records_of(const struct top_numbers *numbers)
{
    return numbers->tickets + numbers->events + numbers->versions +
           numbers->duplicates + numbers->rejects;
}

struct top_rates
top_rates_of(const struct top_numbers *before, const struct top_numbers *now)
{
    struct top_rates rates = {.known = false};
    double seconds;

    if (before == NULL || now->at_us <= before->at_us ||
        records_of(now) < records_of(before)) {
        return rates;
    }
    seconds = (double)(now->at_us - before->at_us) / 1e6;
    rates.known = true;
    rates.records_per_s =
        (double)(records_of(now) - records_of(before)) / seconds;
    if (now->commits > before->commits) { /* else none, or a new server */
        rates.commit_ms = (now->commit_s - before->commit_s) * 1e3 /
                          (double)(now->commits - before->commits);
    }
    return rates;
}

/* ---- JSON ---- */

static void
put_complaints(struct json_out *json, const struct top_numbers *numbers)
{
    json_key(json, "complaints");
    json_open_object(json);
    for (unsigned c = 0; c < TICKET_CATEGORY_COUNT; c++) {
        json_key(json, ticket_category_wire((enum ticket_category)c));
        json_open_object(json);
        for (unsigned r = 0; r < TICKET_REGION_COUNT; r++) {
            if (r != TICKET_REGION_REMOTE) {
                json_put_int(json, ticket_region_wire((enum ticket_region)r),
                             numbers->complaints[c][r]);
            }
        }
        json_close_object(json);
    }
    json_close_object(json);
}

static void
put_clocks(struct json_out *json, const struct top_numbers *numbers)
{
    json_key(json, "clocks");
    json_open_array(json);
    for (size_t i = 0; i < numbers->clock_count; i++) {
        const struct top_clock *clock = &numbers->clocks[i];

        json_open_object(json);
        json_put_text(json, "kind", clock->kind);
        json_put_text(json, "name", clock->name);
        json_put_uint(json, "running", clock->running);
        json_put_uint(json, "due_soon", clock->due_soon);
        json_put_uint(json, "overdue", clock->overdue);
        json_close_object(json);
    }
    json_close_array(json);
}

static void
put_pipeline(struct json_out *json,
             const struct top_numbers *numbers,
             const struct top_rates *rates)
{
    json_key(json, "records_per_second");
    if (rates->known) {
        json_double(json, rates->records_per_s);
    } else {
        json_null(json);
    }
    json_put_uint(json, "tickets", numbers->tickets);
    json_put_uint(json, "events", numbers->events);
    json_put_uint(json, "events_waiting", numbers->events_waiting);
    json_put_uint(json, "rejects", numbers->rejects);
    json_put_uint(json, "store_used_bytes", numbers->store_used_bytes);
    json_put_uint(json, "store_map_bytes", numbers->store_map_bytes);
    json_put_uint(json, "disk_free_bytes", numbers->disk_free_bytes);
    json_put_text(json, "dictionary", numbers->dictionary);
    if (numbers->has_pipeline) {
        json_put_uint(json, "batches_waiting", numbers->batches_waiting);
        json_put_uint(json, "batches_waiting_max",
                      numbers->batches_waiting_max);
        json_put_uint(json, "feed_connections", numbers->feed_connections);
        json_put_bool(json, "writer_stopped", numbers->writer_stopped);
        json_put_bool(json, "store_full", numbers->store_full);
    }
}

void
top_put_json(struct json_out *json,
             const struct top_numbers *numbers,
             const struct top_rates *rates)
{
    char time[TICKET_TIME_BYTES];

    json_open_object(json);
    json_put_text(json, "at", ticket_time_format(numbers->at_us, time));
    json_key(json, "tick");
    if (numbers->tick_us != 0) {
        json_text(json, ticket_time_format(numbers->tick_us, time));
    } else {
        json_null(json);
    }
    json_key(json, "today");
    json_open_object(json);
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        if (counter_anchor((enum counter)c) != COUNTER_DISTINCT) {
            json_put_int(json, counter_name((enum counter)c),
                         numbers->today[c]);
        }
    }
    json_close_object(json);
    put_complaints(json, numbers);
    put_clocks(json, numbers);
    put_pipeline(json, numbers, rates);
    json_close_object(json);
}
