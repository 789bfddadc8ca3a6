/* What the parts of fsck share: fsck.c, fsck_ticket.c, fsck_index.c,
 * fsck_repeat.c. Nobody else includes it. */
#ifndef SERVER_LEDGER_FSCK_INTERNAL_H
#define SERVER_LEDGER_FSCK_INTERNAL_H

#include "server/ledger/counters.h"
#include "server/ledger/fsck.h"
#include "server/ledger/names.h"
#include "server/ledger/reader.h"

/* A growing array of items of one size. */
struct fsck_array {
    void *items;
    size_t item_bytes;
    size_t count;
    size_t room;
};

/* What is kept of a ticket for the checks across tickets. */
struct fsck_ticket {
    struct repeat_ticket input;
    uint64_t repeat_previous;
    uint32_t calls;
    uint32_t burst_calls;
    uint8_t repeat_key;
    bool final_reply;
    bool settled;
    bool repeat_call;
    bool third_call;
    bool burst;
    bool crowded;
    bool checked; /* judged by the tables in use */
};

/* An entry of `ids` or `keys`, or a link of a state. */
struct fsck_link {
    uint64_t hash;
    uint64_t number;
    uint64_t previous; /* the ticket that had the key before; 0 of ids */
};

/* A key that an index must hold, and its value. */
enum { FSCK_KEY_BYTES = 24 };
struct fsck_entry {
    uint8_t key[FSCK_KEY_BYTES]; /* as long as the index's keys are */
    int64_t value;
};

struct fsck_wait { /* a ticket whose related order is to be looked up */
    uint64_t number;
    uint64_t record_seq; /* the version that names it */
    uint64_t related_number;
};

struct fsck_person {
    uint64_t person;
    int32_t day;
    uint32_t unit_id;
};

struct fsck {
    const struct store *store;
    const struct dictionary *dictionary;
    const struct fsck_options *options;
    struct fsck_result *result;
    struct err *err; /* why the check could not be done */

    struct reader reader;
    struct names *names;
    struct counter_sums *sums;
    struct counter_sums *kept; /* what `kept` must hold */
    int64_t tick_us;
    int64_t horizon_us; /* INT64_MIN: nothing has expired */
    struct ledger_totals totals;
    uint32_t dictionary_id; /* name ids of the tables in use */
    uint32_t kind_ids[DEADLINE_KINDS_MAX];
    uint64_t work_total;
    uint64_t work_done;

    uint64_t tied_events;    /* records of events that belong to a ticket */
    uint64_t chained_events; /* those met on the chains of the tickets */
    uint64_t untied_events;  /* that wait for their ticket */
    uint64_t ticket_records;

    struct fsck_array tickets; /* struct fsck_ticket, by number */
    struct fsck_array ids;     /* struct fsck_link */
    struct fsck_array links;   /* struct fsck_link */
    struct fsck_array waits;   /* struct fsck_wait */
    struct fsck_array times;   /* struct fsck_entry, as the four below */
    struct fsck_array due;
    struct fsck_array overdue;
    struct fsck_array related;
    struct fsck_array customers;
    struct fsck_array persons; /* struct fsck_person */
};

void *fsck_array_add(struct fsck *fsck, struct fsck_array *array);

/* One difference. */
void fsck_say(struct fsck *fsck, const char *fmt, ...) PRINTF_LIKE(2, 3);
void fsck_progress(struct fsck *fsck, uint64_t more);
bool fsck_failed(const struct fsck *fsck);

/* Visit every entry of a database; `visit` returns false to stop. */
typedef bool
fsck_visit(struct fsck *fsck, struct span key, struct span value, void *data);
void
fsck_each(struct fsck *fsck, enum store_db db, fsck_visit *visit, void *data);

/* Position of a ticket in fsck->tickets, or SIZE_MAX. */
size_t fsck_find_ticket(const struct fsck *fsck, uint64_t number);

/* The first position of a hash in an array of links sorted by
 * fsck_sort_links; its end when there is none. */
size_t fsck_find_hash(const struct fsck_array *links, uint64_t hash);
void fsck_sort_links(struct fsck_array *links); /* by hash, then number */

/* One state against its log records; adds what the other checks need. */
void fsck_check_ticket(struct fsck *fsck, const struct ticket_state *state);

/* Every index against what the states say. */
void fsck_check_indexes(struct fsck *fsck);
void fsck_check_counters(struct fsck *fsck);

/* `ids` and `keys`, what waits, related orders. Sorts the arrays. */
void fsck_check_pairs(struct fsck *fsck);

/* Findings; after fsck_check_pairs. */
void fsck_check_repeats(struct fsck *fsck);

#endif /* SERVER_LEDGER_FSCK_INTERNAL_H */
