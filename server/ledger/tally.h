/*
 * tally: what one ticket contributes to the counters.
 *
 * Counters are the sum of tally_state over all tickets and nothing else: the
 * ledger adds the new and subtracts the old contribution of every ticket it
 * changes, fsck adds all of them up again.
 *
 * Effects   none
 */
#ifndef SERVER_LEDGER_TALLY_H
#define SERVER_LEDGER_TALLY_H

#include "server/ledger/state.h"

enum counter {
#define COUNTER_ROW(name, anchor, chinese, text) COUNTER_##name,
#include "server/ledger/counters.def"
#undef COUNTER_ROW
    COUNTER_COUNT
};
_Static_assert(COUNTER_COUNT <= 64, "a set of counters is one 64-bit word");

enum counter_anchor { COUNTER_ACCEPTED, COUNTER_DUE, COUNTER_DISTINCT };

const char *counter_name(enum counter counter);    /* "received" */
const char *counter_chinese(enum counter counter); /* "受理" */
const char *counter_text(enum counter counter);
enum counter_anchor counter_anchor(enum counter counter);
/* Counter of that name; false when there is none. */
bool counter_from(struct span name, enum counter *out);

enum tally_dimension {
    TALLY_ALL,
    TALLY_CATEGORY_REGION, /* category * 4 + region */
    TALLY_SUBCATEGORY,     /* name id */
    TALLY_CHANNEL,
    TALLY_TYPE,
    TALLY_CLOCK, /* name id of the clock kind */
    TALLY_DIMENSION_COUNT
};

#define TALLY_SLOT(dimension, value, counter)                                  \
    ((uint32_t)(dimension) << 28 | (uint32_t)(value) << 8 | (uint32_t)(counter))
#define TALLY_SLOT_DIMENSION(slot) ((enum tally_dimension)((slot) >> 28))
#define TALLY_SLOT_VALUE(slot) ((slot) >> 8 & 0xFFFFFu)
#define TALLY_SLOT_COUNTER(slot) ((enum counter)((slot)&0xFFu))

struct tally {
    uint64_t accepted_set; /* bits (1 << counter), in the accepted period */
    uint64_t due_set;      /* bits, in the period of reply_due_us */
    int64_t accepted_at_us;
    int64_t reply_due_us; /* STATE_NEVER when due_set is empty */
    uint32_t unit_id;
    uint32_t dimension_value[TALLY_CLOCK]; /* [dimension], not TALLY_CLOCK */
    uint32_t overdue_count;
    uint32_t overdue_kind_id[DEADLINE_KINDS_MAX];
    uint64_t person; /* of a quality complaint: whom to count once; else 0 */
};

/* Thresholds that decide which calls count as repeats. */
struct tally_rules {
    uint32_t repeat_min;
    uint32_t third_call_min;
    uint32_t burst_min;
};

/*
 * What `state` contributes, clocks judged as of as_of_us (STATE_NEVER: as the
 * state's own overdue marks say), repeat calls by `rules` (NULL: as the state's
 * own marks say, which are by the thresholds in force when it was judged). The
 * counters are made with STATE_NEVER and NULL.
 * Cost    O(clocks)
 */
void tally_state(const struct ticket_state *state,
                 const struct tally_rules *rules,
                 int64_t as_of_us,
                 struct tally *out);

/* Is this counter among those of the accepted period? */
static inline bool
tally_has(const struct tally *tally, enum counter counter)
{
    return (tally->accepted_set >> counter & 1) != 0;
}

/* A complaint in the sense of the statistics: type complaint; of unknown type
 * when it has a category. */
bool tally_is_complaint(const struct ticket_state *state);

/*
 * What `kept` holds beside the counters, so that a report of expired tickets is
 * whole: slots with one of these in the place of the counter.
 */
enum tally_kept {
    /* TALLY_SUBCATEGORY: complaints, + category * TICKET_REGION_COUNT + region
     */
    TALLY_KEPT_COMPLAINTS = 64,
    /* TALLY_ALL */
    TALLY_KEPT_CLOSED = 128,  /* complaints that are closed */
    TALLY_KEPT_REPLIED,       /* complaints replied or finally answered, open */
    TALLY_KEPT_SUBSTANTIATED, /* complaints, yes or partly */
    TALLY_KEPT_SETTLED, /* repeats left out: the matter had its final reply */
    TALLY_KEPT_CALLERS, /* repeats that are the first counted of their chain */
    /* TALLY_CLOCK */
    TALLY_KEPT_CLOCK_OPEN = 192 /* ran out, its step was never done */
};
enum { TALLY_KEPT_SLOTS_MAX = 8 + DEADLINE_KINDS_MAX };

/* The slots of a ticket that expires, each one; returns how many.
 *   first_repeat  no ticket it repeats is counted as a repeat */
size_t tally_kept_slots(const struct ticket_state *state,
                        const struct tally *tally,
                        bool first_repeat,
                        uint32_t slots[TALLY_KEPT_SLOTS_MAX]);

bool tally_equal(const struct tally *a, const struct tally *b);

#endif /* SERVER_LEDGER_TALLY_H */
