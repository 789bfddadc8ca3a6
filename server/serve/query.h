/*
 * query: numbers over a stretch of time, read from one snapshot.
 *
 * Two ways to the same numbers: the ledger's cells (query_cells: fast, as of
 * the ledger's tick) and the states themselves (query_report: every ticket of
 * the range once, clocks and open work as of any instant). Both are sums of
 * tally_state, so they agree when the instant is the tick.
 *
 * Input     a reader's snapshot, a dictionary for its thresholds
 * Effects   reads the store; names in the results are name ids: turn them into
 *           text with reader_name on the same store
 */
#ifndef SERVE_QUERY_H
#define SERVE_QUERY_H

#include "analyzers/dictionary.h"
#include "server/ledger/counters.h"
#include "server/ledger/reader.h"

enum {
    QUERY_SUBCATEGORIES_MAX = 512,
    QUERY_UNITS_MAX = 4096,
    /* Replies are counted when they were due: how long before a range a ticket
     * whose reply was due in it may have been accepted (limit and pauses). */
    QUERY_REPLY_REACH_DAYS = 366
};
#define QUERY_REPLY_REACH_US (QUERY_REPLY_REACH_DAYS * US_PER_DAY)

/* Before and after every time a ticket may have (ticket_time_parse): days of
 * Shanghai, so that the cells can answer for all time. */
#define QUERY_FROM_MIN_US INT64_C(631123200000000) /* 1990 */
#define QUERY_TO_MAX_US INT64_C(4133952000000000)  /* 2101 */

/* ---- ranges and units as people write them ---- */

/*
 * "2018-03-31" or RFC 3339. As the end of a range (`end`) a date means the end
 * of that day, so the result is always exclusive.
 * Errors  BAD_TIME with `field`
 */
enum err_code query_time_parse(struct span word,
                               bool end,
                               const char *field,
                               int64_t *out_us,
                               struct err *err) MUST_CHECK;

/*
 * The name id of a unit given as path or code. An empty unit is 0, all units.
 * *known is false for a unit that no ticket has (then *out is 0 as well).
 */
void query_unit(const struct reader *reader,
                const struct dictionary *dictionary,
                struct span unit,
                uint32_t *out,
                bool *known);

/* Is a ticket's unit the wanted one or below it? Keep one for a whole scan. */
enum { QUERY_UNIT_CACHE = 256 };
struct query_unit_filter {
    const struct reader *reader;
    uint32_t unit_id; /* 0 = all */
    struct span path; /* borrowed from the snapshot */
    uint32_t seen_id[QUERY_UNIT_CACHE];
    uint32_t child_id[QUERY_UNIT_CACHE]; /* 0 = not below */
};
void query_unit_filter_init(struct query_unit_filter *filter,
                            const struct reader *reader,
                            uint32_t unit_id);
bool query_unit_below(struct query_unit_filter *filter, uint32_t unit_id);
/* The unit one level below the wanted one that holds unit_id; the wanted unit
 * itself when unit_id is just that; 0 when it is not below or has no unit. */
uint32_t query_unit_child(struct query_unit_filter *filter, uint32_t unit_id);

/* The units one level below a unit (0: the top ones), in the order of their
 * names, at most `max` of them. */
enum err_code query_unit_children(const struct reader *reader,
                                  uint32_t unit_id,
                                  uint32_t *children,
                                  size_t max,
                                  size_t *count,
                                  struct err *err) MUST_CHECK;

/* ---- from the cells ---- */

/*
 * Visit the cells of a unit that together cover first_day..last_day: days, and
 * whole months where `months` allows. In the order of time. Slots of distinct
 * counters don't add up: leave them out.
 */
enum err_code query_cells(const struct reader *reader,
                          uint32_t unit_id,
                          int32_t first_day,
                          int32_t last_day,
                          bool months,
                          counter_visit *visit,
                          void *data,
                          struct err *err) MUST_CHECK;

/* The sum of one counter in the slots of a dimension over days. */
enum err_code query_count(const struct reader *reader,
                          uint32_t unit_id,
                          int32_t first_day,
                          int32_t last_day,
                          enum counter counter,
                          int64_t *out,
                          struct err *err) MUST_CHECK;

/* ---- the report ---- */

struct report_query {
    int64_t from_us;
    int64_t to_us;    /* exclusive */
    int64_t as_of_us; /* clocks, replies, closing as of then; STATE_NEVER: as
                         the ledger's marks stand */
    uint32_t unit_id; /* 0 = all */
};

struct report_subcategory {
    enum ticket_category category;
    uint32_t name_id; /* 0 = no second level */
    uint64_t complaints;
    uint64_t by_region[TICKET_REGION_COUNT];
};

struct report_unit {
    uint32_t unit_id; /* one level below the query's; its own for tickets that
                         name just that; 0 = no unit given */
    uint64_t received;
    uint64_t complaints;
    uint64_t repeats;
    uint64_t overdue;
};

struct report_overdue {
    uint32_t kind_id; /* name id of the clock's code */
    uint64_t clocks;  /* ran out: open or finished late */
    uint64_t open;    /* of those still running */
};

struct report_numbers {
    struct report_query query;
    int64_t tick_us; /* the ledger's own marks are as of then */

    /* by counter; distinct counters are 0 */
    uint64_t counts[COUNTER_COUNT];
    uint64_t received_by_type[TICKET_TYPE_COUNT];
    uint64_t received_by_channel[TICKET_CHANNEL_COUNT];

    /* complaints, tally_is_complaint; remote stands alone here and counts as
     * rural where two classes are asked for (report_rural) */
    uint64_t complaints[TICKET_CATEGORY_COUNT][TICKET_REGION_COUNT];
    struct report_subcategory *subcategories; /* by category, then most first */
    size_t subcategory_count;
    bool subcategories_truncated;

    struct report_unit *units; /* in the order of their names */
    size_t unit_count;
    bool units_truncated;

    uint64_t repeat_tickets; /* = counts[COUNTER_repeats] */
    uint64_t repeat_callers; /* chains those belong to: one customer with one
                                matter */
    uint64_t repeat_settled; /* repeats left out: the matter had its final
                                reply */

    struct report_overdue overdue[DEADLINE_KINDS_MAX]; /* kinds that ran out, in
                                                          the order of names */
    size_t overdue_count;

    /* complaints as of as_of_us: closed + replied + open = all */
    uint64_t complaints_closed;
    uint64_t complaints_replied; /* replied or finally answered, not closed */
    uint64_t complaints_open;
    uint64_t complaints_substantiated;
    uint64_t quality_customers; /* distinct */

    /* Of counts[COUNTER_received] those that have expired: counted as they
     * stood then, whatever as_of_us is. Their distinct customers are in when
     * the range is a whole month, quarter or year. */
    uint64_t expired;
};

/*
 * Count everything about the tickets accepted in the range.
 *
 *   out   filled on ERR_OK; free with report_numbers_release
 *
 * Cost    one state a ticket of the range, about 1 us each
 * Errors  NO_MEMORY, those of the store
 */
enum err_code query_report(const struct reader *reader,
                           const struct dictionary *dictionary,
                           const struct report_query *query,
                           struct report_numbers *out,
                           struct err *err) MUST_CHECK;
void report_numbers_release(struct report_numbers *numbers);

/* Complaints of a category and region where remote counts as rural; category
 * TICKET_CATEGORY_COUNT: of all. */
uint64_t report_complaints(const struct report_numbers *numbers,
                           enum ticket_category category,
                           enum ticket_region region);
/* Of a category in any region; TICKET_CATEGORY_COUNT: all. */
uint64_t report_category(const struct report_numbers *numbers,
                         enum ticket_category category);

/* ---- one ticket's place in life ---- */

enum query_life { QUERY_LIFE_OPEN, QUERY_LIFE_REPLIED, QUERY_LIFE_CLOSED };
const char *query_life_wire(enum query_life life);    /* "open" */
const char *query_life_chinese(enum query_life life); /* "处理中" */
bool query_life_from(struct span word, enum query_life *out);
/* STATE_NEVER: as it stands now. */
enum query_life query_life_of(const struct ticket_state *state,
                              int64_t as_of_us);

/* The first ticket of the chain of repeats: follows repeat_previous. */
uint64_t query_chain_root(const struct reader *reader,
                          const struct ticket_state *state);

#endif /* SERVE_QUERY_H */
