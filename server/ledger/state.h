/*
 * state: what the ledger knows about one ticket now; a pure function of its log
 * records, its neighbours by customer, phone or address, and meta.tick_us.
 *
 * Source    docs/storage-format.md, "state"
 * Effects   none: no I/O, no clock
 */
#ifndef SERVER_LEDGER_STATE_H
#define SERVER_LEDGER_STATE_H

#include "analyzers/deadline.h"
#include "analyzers/repeat.h"
#include "server/ledger/bytes.h"
#include "server/ledger/record.h"

enum {
    STATE_KEYS = 3, /* customer, caller, address: enum repeat_key - 1 */
    STATE_LINKS_MAX = 12,
    STATE_EVENT_HASHES_MAX = 24,
    STATE_BYTES_MAX = 4096
};

#define STATE_NEVER DEADLINE_NEVER

/* Clocks whose outcome an indicator counts, by their code in deadlines.csv. */
enum clock_role { CLOCK_ROLE_NONE, CLOCK_ROLE_REPLY, CLOCK_ROLE_RESTORE };

struct state_clock {
    uint32_t kind_id; /* name id of the clock's code */
    enum clock_role role;
    bool provisional;
    int64_t due_us; /* STATE_NEVER while paused */
    int64_t due_soon_us;
    int64_t stopped_us; /* STATE_NEVER while it runs */
    bool overdue;       /* due_us < min(stopped_us, tick_us) */
};

/* The ticket that had this key before: tickets of one key are a chain, newest
 * first. A link stays when a new version changes the key. */
struct state_link {
    uint64_t key_hash;
    uint64_t previous_number; /* 0 = the first of its key */
};

struct ticket_state {
    uint64_t number;
    uint64_t record_seq;     /* the version in force */
    uint64_t last_event_seq; /* newest event; the events are chained */
    uint64_t content_hash;   /* record_ticket_hash of the version in force */
    uint32_t version_count;
    uint32_t event_count;
    uint32_t judged_by; /* name id of the tables that judged the clocks and the
                           repeat call last */

    /* of the version in force */
    int64_t accepted_at_us;
    enum ticket_type type;
    enum ticket_channel channel;
    uint32_t unit_id;
    uint64_t key_hash[STATE_KEYS]; /* 0 = not given; else it has a link */
    uint32_t link_count;
    struct state_link links[STATE_LINKS_MAX];
    uint64_t related_number; /* 0 = none or not here yet */

    /* judged, then corrected */
    enum ticket_category judged_category;
    uint32_t judged_subcategory_id;
    enum ticket_region judged_region;
    uint32_t verdict_flags;
    enum ticket_category category;
    uint32_t subcategory_id;
    uint32_t topic_id; /* 0 once the subcategory was corrected */
    uint32_t matter_id;
    enum ticket_region region;
    bool reviewed;
    bool reviewed_subcategory;
    bool reviewed_region;

    /* life: first of each kind, but the last revisit, verification and
     * correction; STATE_NEVER when it has not come */
    int64_t event_at_us[EVENT_KIND_COUNT];
    uint32_t urged_count;
    enum event_satisfaction satisfaction;
    enum event_substantiated substantiated;
    uint32_t event_hashes[STATE_EVENT_HASHES_MAX]; /* event_count of them, at
                                                      most this many */

    /* repeat calls */
    uint64_t repeat_previous; /* may have expired since */
    enum repeat_key repeat_key;
    uint32_t calls;
    uint32_t burst_calls;
    bool repeat_settled; /* the matter had its final reply: out of statistics */
    bool repeat_call;    /* calls reached the thresholds that were in force */
    bool third_call;
    bool burst;
    bool repeat_crowded; /* a key had more tickets than were compared */

    uint32_t clock_count;
    struct state_clock clocks[DEADLINE_KINDS_MAX];
};

/* Encode; the number is the key and is not in the value. */
void state_encode(const struct ticket_state *state, struct byte_writer *w);

/* Decode. False when the bytes make no sense. */
bool state_decode(uint64_t number, struct span bytes, struct ticket_state *out);

/* Start a ticket's state over from one version; the life is empty. */
void state_begin(struct ticket_state *state,
                 const struct record *version,
                 uint64_t version_seq);

/* Apply one event. The caller interns `subcategory_id` of a correction (0 = not
 * given). Events may come in any order with the same outcome, except that a
 * correction older than one already applied needs the life to be folded again
 * in order (ledger.c does that). */
void state_apply_event(struct ticket_state *state,
                       const struct ticket_event *event,
                       uint32_t subcategory_id);

/* Does the state know an event with this hash? A hint: verify on the chain. */
bool state_knows_event(const struct ticket_state *state, uint64_t event_hash);

/* The link of a key, or NULL. */
const struct state_link *state_find_link(const struct ticket_state *state,
                                         uint64_t key_hash);

/* Never linked to others: test tickets and praise. */
bool state_repeat_excluded(const struct ticket_state *state);

#endif /* SERVER_LEDGER_STATE_H */
