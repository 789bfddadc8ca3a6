/*
 * top_numbers: what `suqiu top` shows, read from /metrics and /v1/counters.
 *
 * Effects   none: texts in, numbers out
 */
#ifndef CLI_TOP_NUMBERS_H
#define CLI_TOP_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzers/deadline.h"
#include "analyzers/ticket.h"
#include "server/base/json_out.h"
#include "server/ledger/tally.h"

enum { TOP_NAME_BYTES = 48, TOP_VERSION_BYTES = 32 };

/* The clocks of one kind. */
struct top_clock {
    char kind[TOP_NAME_BYTES];
    char name[TOP_NAME_BYTES]; /* Chinese; "" when not known */
    uint64_t running;
    uint64_t due_soon;
    uint64_t overdue;
};

struct top_numbers {
    int64_t at_us; /* when they were read, wall clock */
    int64_t today[COUNTER_COUNT];
    /* complaints of today; remote counts as rural */
    int64_t complaints[TICKET_CATEGORY_COUNT][TICKET_REGION_COUNT];
    struct top_clock clocks[DEADLINE_KINDS_MAX];
    size_t clock_count;

    uint64_t tickets; /* since the store was made */
    uint64_t events;
    uint64_t versions;
    uint64_t duplicates;
    uint64_t rejects;
    uint64_t events_waiting; /* for their tickets */

    bool has_pipeline; /* a server told; else a directory */
    uint64_t batches_waiting;
    uint64_t batches_waiting_max;
    uint64_t commits;
    double commit_s; /* spent in all commits */
    uint64_t feed_connections;
    bool writer_stopped;
    bool store_full;

    int64_t tick_us; /* clocks are judged up to here; 0: not yet */
    uint64_t store_used_bytes;
    uint64_t store_map_bytes;
    uint64_t disk_free_bytes;
    char dictionary[TOP_VERSION_BYTES];
};

/* The text of /metrics, into zeroed numbers; lines it does not know are passed
 * over. */
void top_read_metrics(struct top_numbers *numbers, struct span text);

/* /v1/counters.csv?by=category,region&encoding=utf-8 of today.
 * Errors  those of csv_rows */
enum err_code top_read_counters(struct top_numbers *numbers,
                                struct span csv,
                                struct err *err) MUST_CHECK;

/* Names of clocks out of /v1/dictionary, for the clocks that are there. */
void top_read_names(struct top_numbers *numbers, struct span json);

/* What happens between two readings. */
struct top_rates {
    bool known;           /* false: there is no earlier reading */
    double records_per_s; /* everything that was taken in */
    double commit_ms;     /* a commit; 0: there was none */
};

/* `before` may be NULL. */
struct top_rates top_rates_of(const struct top_numbers *before,
                              const struct top_numbers *now);

/* Everything as one JSON object. */
void top_put_json(struct json_out *json,
                  const struct top_numbers *numbers,
                  const struct top_rates *rates);

#endif /* CLI_TOP_NUMBERS_H */
