/*
 * ledger: the one place where tickets change.
 *
 * Flow      classify -> [ledger: dedupe, repeat, deadlines, put, count, commit]
 * Input     judged tickets, events, refused lines, facts; one batch at a time
 * Output    one LMDB transaction a batch, holding records, states, indexes,
 *           clocks and counters together
 * Effects   writes the store; owned by one thread
 *
 *   ledger_begin -> ledger_put_* ... -> ledger_commit (or ledger_abort)
 *
 * Nothing may be acknowledged before ledger_commit returned ERR_OK. After an
 * error nothing of the batch is stored and the ledger is as it was before
 * ledger_begin.
 *
 * Source    docs/storage-format.md; ARCHITECTURE.md, "The ledger"
 */
#ifndef SERVER_LEDGER_LEDGER_H
#define SERVER_LEDGER_LEDGER_H

#include "analyzers/classify.h"
#include "analyzers/dictionary.h"
#include "server/ledger/changes.h"
#include "server/ledger/numbers.h"
#include "server/ledger/state.h"
#include "server/ledger/store.h"
#include "server/ledger/tally.h"

struct ledger;

struct ledger_totals {
#define TOTAL_ROW(name, text) uint64_t name;
#include "server/ledger/totals.def"
#undef TOTAL_ROW
};

/* Tickets that are there now. */
static inline uint64_t
ledger_tickets_there(const struct ledger_totals *totals)
{
    return totals->tickets - totals->expired_tickets;
}

/* Records of the log that went. */
static inline uint64_t
ledger_records_gone(const struct ledger_totals *totals)
{
    return totals->expired_tickets + totals->expired_versions +
           totals->expired_events;
}

enum ledger_outcome {
    LEDGER_ACCEPTED,
    LEDGER_DUPLICATE, /* word for word there already */
    LEDGER_UPDATED,   /* a new version of a ticket */
    LEDGER_WAITING    /* an event ahead of its ticket: kept */
};

enum {
    LEDGER_TICK_CLOCKS_MAX = 20000,  /* clocks judged in one batch */
    LEDGER_REJECT_BYTES_MAX = 16384, /* of a refused line that are kept */
    LEDGER_FACT_NAME_BYTES_MAX = 200,
    LEDGER_RULE_BYTES_MAX = 47 /* id of a rule */
};

/*
 * Open over a store that is open for writing. `dictionary` is borrowed until
 * ledger_close or ledger_set_dictionary.
 * Cost    reads 16 bytes a ticket and 16 bytes for each of its keys
 */
enum err_code ledger_open(struct store *store,
                          const struct dictionary *dictionary,
                          struct ledger **out,
                          struct err *err) MUST_CHECK;
void ledger_close(struct ledger **ledger);

/* From the next batch on judge clocks by this dictionary. */
void ledger_set_dictionary(struct ledger *ledger,
                           const struct dictionary *dictionary);

/* Note in `changes` which tickets show themselves differently in lists, from
 * the next batch on; borrowed until ledger_close. */
void ledger_watch(struct ledger *ledger, struct changes *changes);

/*
 * Begin a batch at `now_us`: clocks that ran out since the last one are marked
 * (at most LEDGER_TICK_CLOCKS_MAX; the rest in the batches after).
 */
enum err_code
ledger_begin(struct ledger *ledger, int64_t now_us, struct err *err) MUST_CHECK;

/* Put one judged ticket. Spans are copied.
 * Errors  EXPIRED (a new ticket from before the horizon: this record alone is
 *         refused, the batch goes on), the store's */
enum err_code ledger_put_ticket(struct ledger *ledger,
                                const struct ticket *ticket,
                                const struct verdict *verdict,
                                enum ledger_outcome *outcome,
                                struct err *err) MUST_CHECK;

/* Errors  EXPIRED (from before the horizon, and its ticket is not there), BUSY
 * (too many wait): this record alone is refused; the store's */
enum err_code ledger_put_event(struct ledger *ledger,
                               const struct ticket_event *event,
                               enum ledger_outcome *outcome,
                               struct err *err) MUST_CHECK;

/* A line that could not be read. Spans are copied. */
struct ledger_reject {
    int64_t at_us;
    uint64_t line;
    enum err_code code;
    struct span source; /* "feed", "http", a file's name */
    struct span field;
    struct span detail;
    struct span bytes;   /* the line, cut at LEDGER_REJECT_BYTES_MAX */
    uint64_t line_bytes; /* how long it was */
};
enum err_code ledger_put_reject(struct ledger *ledger,
                                const struct ledger_reject *reject,
                                struct err *err) MUST_CHECK;

/* A fed value (customer counts, indicator numerators). Replaces the one of the
 * same name, unit and period. */
struct ledger_fact {
    struct span name;   /* "customers", an indicator's code */
    struct span unit;   /* path, empty = all */
    struct span period; /* "2018-Q1", empty = any */
    double numerator;
    double denominator; /* 1 for a plain number */
    int64_t at_us;
    struct span by;
};
enum err_code ledger_put_fact(struct ledger *ledger,
                              const struct ledger_fact *fact,
                              struct err *err) MUST_CHECK;

/* What became of a ticket that was judged again. */
enum ledger_rejudged {
    LEDGER_REJUDGED_SAME,  /* another dictionary, the same judgement */
    LEDGER_REJUDGED_MOVED, /* category, subcategory, topic or region differ */
    LEDGER_REJUDGED_STALE  /* another version came meanwhile, or it has expired:
                              nothing done */
};

/*
 * Put another verdict of the version in force, and judge its unit, clocks and
 * repeat calls by the dictionary in use. Corrections stay on top of it. The
 * verdict before it is not kept.
 *
 *   record_seq  the version that was judged
 *   verdict     by the dictionary in use
 */
enum err_code ledger_put_verdict(struct ledger *ledger,
                                 uint64_t number,
                                 uint64_t record_seq,
                                 const struct verdict *verdict,
                                 enum ledger_rejudged *outcome,
                                 struct err *err) MUST_CHECK;

/* How far judging all tickets again has come: kept in the store, written in the
 * transaction that moves the tickets. */
struct ledger_reclassify {
    char dictionary[20]; /* by which tables */
    uint64_t next;       /* tickets below this number are done */
    uint64_t done;       /* tickets looked at */
    uint64_t total;      /* when it began */
    uint64_t moved;
    int64_t started_us;
    int64_t ended_us; /* 0 while there is something left */
};
enum err_code ledger_put_reclassify(struct ledger *ledger,
                                    const struct ledger_reclassify *mark,
                                    struct err *err) MUST_CHECK;

/* ---- expiry: docs/storage-format.md, "Expiry" ---- */

/* How far the present or last run has come: kept in the store, written in the
 * transaction that takes tickets out. */
struct ledger_expire {
    int64_t before_us;  /* what was accepted before goes */
    int64_t horizon_us; /* the latest before_us with which anything went;
                           INT64_MIN: nothing has ever gone */
    int64_t started_us;
    int64_t ended_us; /* 0 while there is something left */
    bool open_too;    /* also tickets that were never closed */
    uint64_t tickets; /* went */
    uint64_t events;  /* that waited for a ticket: went */
    uint64_t rejects; /* refused lines: went */
    uint64_t open;    /* of those looked at since the start: stay, not closed or
                         with a clock that runs */
    uint64_t named;   /* stay, a ticket that is there names them */
};
enum err_code ledger_put_expire(struct ledger *ledger,
                                const struct ledger_expire *mark,
                                struct err *err) MUST_CHECK;

/* Is it old enough, closed if it has to be, and without a running clock? */
bool ledger_may_expire(const struct ticket_state *state,
                       int64_t before_us,
                       bool open_too);

enum ledger_expired {
    LEDGER_EXPIRED,
    LEDGER_EXPIRED_NOT,  /* not there, or ledger_may_expire says no */
    LEDGER_EXPIRED_NAMED /* a ticket that is there names it */
};

/*
 * Take a ticket out, with everything that is its; what it contributed to the
 * counters stays in them and goes to `kept`. In a batch of its own, with
 * ledger_put_expire, from the newest to the oldest: then a chain is walked once
 * for many.
 * Cost    its records and index entries; the chains of its keys as far as it
 *         lies from the newest ticket, once a run; one rewrite of each entry of
 *         `ids` and `keys` a batch touches
 */
enum err_code ledger_expire_ticket(struct ledger *ledger,
                                   uint64_t number,
                                   const struct ledger_expire *mark,
                                   enum ledger_expired *outcome,
                                   struct err *err) MUST_CHECK;

/* Take out an event that waits for its ticket, by its log sequence. One that
 * does not wait any more, or is not that old, is left alone: *gone says. */
enum err_code ledger_expire_event(struct ledger *ledger,
                                  uint64_t seq,
                                  const struct ledger_expire *mark,
                                  bool *gone,
                                  struct err *err) MUST_CHECK;

/* Take out the oldest refused line. */
enum err_code ledger_expire_reject(struct ledger *ledger,
                                   struct err *err) MUST_CHECK;

/* An entry of `customers` that only expired tickets count in and whose period
 * is over: its one goes to `kept`. Others are left alone. */
enum err_code ledger_expire_person(struct ledger *ledger,
                                   struct span key,
                                   struct err *err) MUST_CHECK;

/* May an entry of `customers` go: no ticket that is there counts in it and its
 * whole period lies before the horizon? */
bool
ledger_person_is_over(struct span key, struct span value, int64_t horizon_us);

/* How often a rule spoke. Not exact: counted in memory, written now and then.
 */
struct ledger_rule_hits {
    char rule[LEDGER_RULE_BYTES_MAX + 1];
    uint64_t ever;
    int32_t day; /* Shanghai; of `today` */
    uint64_t today;
    int64_t last_us;                      /* 0: never */
    uint64_t lost[TICKET_CATEGORY_COUNT]; /* to which category */
};
/* Replaces what is stored of the rule. */
enum err_code ledger_put_rule_hits(struct ledger *ledger,
                                   const struct ledger_rule_hits *hits,
                                   struct err *err) MUST_CHECK;

/* The dictionary in use. Writer thread. */
const struct dictionary *ledger_dictionary(const struct ledger *ledger);

/*
 * Is the batch as large as one transaction should be? Records of new tickets go
 * to the end of each list; a ticket of an earlier batch lies anywhere and costs
 * a page of states and some of clocks, and LMDB keeps at most 131,071 dirty ones.
 */
bool ledger_is_full(const struct ledger *ledger);

/*
 * Make the batch durable. After any error the batch is gone (as after
 * ledger_abort). An IO error leaves it unknown whether the data reached the
 * disk: close everything and start again.
 */
enum err_code ledger_commit(struct ledger *ledger, struct err *err) MUST_CHECK;
void ledger_abort(struct ledger *ledger);

/* Log sequence that the next record gets: the number of the state of the
 * store after the last commit. Any thread. */
uint64_t ledger_next_seq(const struct ledger *ledger);

/* Totals after the last commit. Any thread; each number is whole, the set may
 * be of two commits. */
struct ledger_totals ledger_totals(const struct ledger *ledger);

/* After a batch found no room: may the next one be tried? Outside a batch.
 * Writer thread. */
bool ledger_has_room(const struct ledger *ledger);

/* When the next clock runs out, STATE_NEVER if none runs; after the last
 * commit. Writer thread. */
int64_t ledger_next_due_us(struct ledger *ledger, struct err *err);

/* Memory of the tables, bytes. Any thread. */
size_t ledger_memory_bytes(const struct ledger *ledger);

/* The thresholds tally_state needs, from a dictionary. */
struct tally_rules ledger_tally_rules(const struct dictionary *dictionary);

/* Numbers of tickets by id and by key; readers verify in their snapshot. */
const struct numbers *ledger_ids(const struct ledger *ledger);

/* --- shared with the readers and fsck --- */

/* False: these bytes are no mark of expiry; *out is that of a store that
 * nothing ever expired from. */
bool ledger_expire_decode(struct span bytes, struct ledger_expire *out);

/* Does what the ticket repeats stand as it was found? What it rests on may have
 * expired. */
static inline bool
ledger_finding_stands(const struct repeat_settings *settings,
                      int64_t horizon_us,
                      int64_t accepted_at_us)
{
    return horizon_us != INT64_MIN &&
           (accepted_at_us < horizon_us ||
            accepted_at_us - horizon_us < settings->window_us);
}

/* Hash of a repeat key: 0 when the field is empty or no key. */
uint64_t ledger_key_hash(const struct store *store,
                         enum repeat_key key,
                         const struct ticket *ticket);

/* The clocks of a state by a dictionary: fills clock_count and clocks.
 * kind_ids[kind] are name ids. pauses as deadline_input. */
void ledger_judge_clocks(const struct dictionary *dictionary,
                         const uint32_t *kind_ids,
                         int64_t tick_us,
                         const int64_t *pauses_us,
                         size_t pause_count,
                         struct ticket_state *state);

enum { LEDGER_PAUSES_MAX = 64 };

/* Pairs of suspend and resume among events in the order of time; returns
 * pairs. pauses_us has room for 2 * LEDGER_PAUSES_MAX. */
size_t ledger_pauses(const struct ticket_event *events,
                     size_t event_count,
                     int64_t *pauses_us);

#endif /* SERVER_LEDGER_LEDGER_H */
