/* What the parts of the ledger, the files ledger*.c, share. Nobody else
 * includes it. */
#ifndef SERVER_LEDGER_LEDGER_INTERNAL_H
#define SERVER_LEDGER_LEDGER_INTERNAL_H

#include <stdatomic.h>

#include "analyzers/arena.h"
#include "server/ledger/counters.h"
#include "server/ledger/ledger.h"
#include "server/ledger/names.h"

enum { LEDGER_LOG_KEY_BYTES = 8 };

/* A ticket the batch looked at. */
struct cached_state {
    struct ticket_state state;
    struct ticket_state stored; /* as it was before the batch, unless is_new */
    bool dirty;                 /* to be flushed */
    bool is_new;                /* has no stored state yet */
    bool clocks_stale;          /* to be judged when it is flushed */
    bool gone;                  /* has expired in this batch */
};

/*
 * What repeat calls need to know of a ticket, kept in memory for the tickets
 * looked at last: a direct-mapped cache by number. A caller with hundreds of
 * tickets would otherwise cost a look into the store for each.
 */
enum { LEDGER_NEAR_ROOM = 1 << 17 };
struct near_ticket {
    struct repeat_ticket ticket;   /* .number 0 = free */
    uint64_t previous[STATE_KEYS]; /* by the keys in force */
    uint64_t look;                 /* the last look at neighbours it was in */
};

/*
 * Ids of the tickets looked for last, so that an event's ticket is told from
 * another of the same hash without a look into the log. Longer ids are looked
 * up there.
 */
enum { LEDGER_IDS_ROOM = 1 << 17, LEDGER_ID_BYTES = 23 };
struct known_id {
    uint64_t number; /* 0 = free */
    uint8_t bytes;
    char id[LEDGER_ID_BYTES];
};

/* One addition to a table in memory, to be taken back when the batch fails. */
struct ledger_undo {
    struct numbers *table;
    uint64_t hash;
    uint64_t number;
    uint64_t old; /* 0 when the entry was added */
};

/* A pair to be taken out of the entry of `ids` or `keys` that holds `seq`. */
struct ledger_gone {
    enum store_db db;
    uint64_t seq;
    uint64_t number;
};

/* Where a chain was left off: the ticket above the one that expired last. One
 * that was far down its chain keeps its place against many near ones. */
enum { LEDGER_HINTS = 1 << 12 };
struct chain_hint {
    uint64_t hash; /* of the key; 0 = free */
    uint64_t number;
    uint32_t depth; /* tickets above it */
    uint32_t worth; /* of its place; halved by each other that wants it */
};

/* hash, number pairs of this batch on their way to `ids` or `keys`. */
struct ledger_pairs {
    uint8_t *bytes;
    size_t used;
    size_t room;
};

struct ledger {
    struct store *store;
    const struct dictionary *dictionary;
    struct names *names;
    struct numbers *ids;
    struct numbers *keys;
    struct counter_sums *sums;
    struct near_ticket *near;   /* [LEDGER_NEAR_ROOM] */
    struct known_id *known_ids; /* [LEDGER_IDS_ROOM], a place by the number */
    size_t old_tickets;         /* of earlier batches, loaded for this one */
    uint64_t look;              /* number of the present look at neighbours */
    struct changes *changes;    /* borrowed; NULL: nobody asks */

    MDB_txn *txn; /* NULL outside a batch */
    /* Of the batch: what is written in order of its keys finds its page without
     * searching from the root. NULL when not open; LMDB frees them with the
     * transaction. */
    MDB_cursor *cursors[STORE_DB_COUNT];
    int64_t now_us;
    uint64_t next_seq;
    int64_t tick_us;
    struct ledger_totals totals;

    _Atomic uint64_t committed_next_seq;
    int64_t committed_tick_us;
    _Atomic uint64_t
        committed_totals[sizeof(struct ledger_totals) / sizeof(uint64_t)];

    /* names of the dictionary in use; 0 = not interned yet */
    bool names_fresh; /* must be interned again (new dictionary, lost batch) */
    uint32_t dictionary_id;
    uint32_t kind_ids[DEADLINE_KINDS_MAX];
    uint32_t *row_name_ids; /* [taxonomy row] */
    size_t row_name_count;

    struct arena arena;          /* dies with the batch */
    struct arena chain;          /* the events of one ticket, until the next */
    struct cached_state **cache; /* open addressing by number */
    size_t cache_room;
    size_t cache_used;
    struct ledger_undo *undo;
    size_t undo_count;
    size_t undo_room;
    struct ledger_pairs new_ids;
    struct ledger_pairs new_keys;

    /* expiry */
    int64_t horizon_us; /* INT64_MIN: nothing has ever expired */
    int64_t committed_horizon_us;
    struct counter_sums *kept; /* what the tickets contributed that go */
    struct ledger_gone *gone;  /* of this batch */
    size_t gone_count;
    size_t gone_room;
    struct ledger_undo *leaving; /* leave the tables behind the commit */
    size_t leaving_count;
    size_t leaving_room;
    struct chain_hint hints[LEDGER_HINTS];

    uint8_t *record_room;             /* RECORD_BYTES_MAX */
    struct repeat_ticket *neighbours; /* neighbour_room of them, for one look */
    size_t neighbour_room;
};

/* The ticket's state inside the batch; NULL and err when it can't be had. */
struct cached_state *
ledger_load(struct ledger *ledger, uint64_t number, struct err *err);

/* The stored state as it was before the batch. False: there is none. */
bool ledger_stored_state(struct ledger *ledger,
                         uint64_t number,
                         struct ticket_state *out,
                         struct err *err);

/*
 * Find what the ticket repeats, and find again for every later ticket whose
 * finding may depend on it: those that share a key with it or name it as their
 * earlier order, and from there on those whose matter is settled or open now.
 * After it came, and after its time, keys, matter, related order or final reply
 * changed.
 *
 *   was   the state before the change, when time or keys may have changed;
 *         else NULL
 *   is_named  may other tickets name this one as their earlier order?
 */
enum err_code ledger_find_repeats(struct ledger *ledger,
                                  struct cached_state *cached,
                                  const struct ticket_state *was,
                                  bool is_named,
                                  struct err *err);

/* Write one changed ticket: state, indexes, clocks, sums. */
enum err_code ledger_flush_ticket(struct ledger *ledger,
                                  const struct cached_state *cached,
                                  struct err *err);

/* Take one ticket out of state, times and clocks; what it contributed stays in
 * the counters and goes to `kept`. */
void ledger_flush_expired(struct ledger *ledger,
                          const struct ticket_state *state,
                          struct err *err);

/* Will the clock run out by itself? Also one that stops in the time to come,
 * but too late. */
bool ledger_clock_runs(const struct state_clock *clock);

/* --- the cache of neighbours: ledger_repeat.c */

/* Its links have changed. */
void ledger_near_put(struct ledger *ledger, const struct ticket_state *state);
/* The ticket before `number` in the chain of a key, 0 at its end. */
uint64_t ledger_chain_previous(struct ledger *ledger,
                               uint64_t number,
                               uint64_t key_hash,
                               struct err *err);

/* --- expiry: ledger_expire.c */

/* Is the ticket there, also inside the batch? */
bool ledger_has_ticket(struct ledger *ledger, uint64_t number, struct err *err);

/* Before the commit: the pairs of what went leave `ids` and `keys`. */
enum err_code ledger_flush_gone(struct ledger *ledger, struct err *err);

/* Behind the commit: what went leaves the tables in memory. */
void ledger_leave_tables(struct ledger *ledger);

/* --- inside a batch: ledger_batch.c */

/* The key of a number, written into `key`. */
struct span ledger_seq_key(uint64_t seq, uint8_t key[LEDGER_LOG_KEY_BYTES]);

/* Room for that many states, a power of two. False: no memory. */
bool ledger_cache_resize(struct ledger *ledger, size_t room);

/* Intern what the dictionary calls things; taxonomy rows when they are used. */
enum err_code ledger_intern_dictionary(struct ledger *ledger, struct err *err);

/* The name id of a taxonomy row; 0 for none. */
uint32_t
ledger_row_name_id(struct ledger *ledger, int32_t row, struct err *err);

/* The name id of a subcategory as a person wrote it (name or code). */
uint32_t ledger_subcategory_name_id(struct ledger *ledger,
                                    struct span name,
                                    struct err *err);

/* Before a table in memory changes: what follows cannot fail. */
bool ledger_make_undo_room(struct ledger *ledger);

/* False: no memory. */
bool
ledger_add_pair(struct ledger_pairs *pairs, uint64_t hash, uint64_t number);

/* A place in the batch for the state of `number`; NULL: no memory. */
struct cached_state *
ledger_cache_add(struct ledger *ledger, uint64_t number, struct err *err);

/* store_put by the batch's cursor of `db`: for keys that mostly follow each
 * other. */
enum err_code ledger_put_next(struct ledger *ledger,
                              enum store_db db,
                              struct span key,
                              struct span value,
                              unsigned flags,
                              struct err *err);

/* Append to the log, or put back a record that was there. */
enum err_code ledger_put_log(struct ledger *ledger,
                             uint64_t seq,
                             const struct record *record,
                             bool append,
                             struct err *err);

/* Spans borrow from the store until the next change in the transaction. */
enum err_code ledger_get_log(struct ledger *ledger,
                             uint64_t seq,
                             struct record *out,
                             struct err *err);

/* Remember the id of a ticket. */
void ledger_know_id(struct ledger *ledger, uint64_t number, struct span id);

/* The ticket with this id, 0 when there is none. */
uint64_t
ledger_find_id(struct ledger *ledger, struct span id, uint64_t id_hash);

/* The batch is over, stored or taken back. */
void ledger_forget_batch(struct ledger *ledger);

/* Take back everything the batch did to the tables in memory. */
void ledger_undo_batch(struct ledger *ledger);

/* A record of the log with bytes of its own, in the batch's arena: it stays
 * good while the transaction changes things. */
enum err_code ledger_copy_log(struct ledger *ledger,
                              uint64_t seq,
                              struct record *out,
                              struct err *err);

/* --- clocks: ledger_clocks.c */

/* One event of a chain, its spans in the batch's arena. */
struct chain_event {
    struct ticket_event event;
    uint64_t seq;
};

/* With bytes of its own, in the arena. */
void ledger_copy_event(struct arena *arena,
                       const struct ticket_event *from,
                       struct ticket_event *to);

/* All events of a ticket, in the order of time; NULL and err on failure. They
 * last until the next call: a batch may hold thousands of events of one ticket,
 * and each of them may ask for all. */
struct chain_event *ledger_load_chain(struct ledger *ledger,
                                      const struct ticket_state *state,
                                      size_t *out_count,
                                      struct err *err);

/* The clocks of a state, from all its events. Once a batch, when the ticket is
 * flushed: nothing looks at them before. */
enum err_code ledger_judge_state(struct ledger *ledger,
                                 struct ticket_state *state,
                                 struct err *err);

/* Have the clocks judged by the tables in force when the batch is flushed. */
void ledger_judge_later(struct ledger *ledger, struct cached_state *cached);

/* The same for a ticket whose keys and matter stay; by new tables the repeat
 * call at once, too, so that a state is judged by one set of tables. */
enum err_code ledger_judge_again(struct ledger *ledger,
                                 struct cached_state *cached,
                                 struct err *err);

/* --- tickets: ledger_ticket.c */

/* Fold a version and all events of its chain into `state`, keeping what is not
 * the version's: chains, counts. */
enum err_code ledger_fold_again(struct ledger *ledger,
                                struct ticket_state *state,
                                const struct record *version,
                                uint64_t version_seq,
                                struct err *err);

/* --- what waits for its ticket: ledger_waiting.c */

/* Tie the events that waited for this new ticket to it. */
enum err_code ledger_adopt_waiting(struct ledger *ledger,
                                   struct ticket_state *state,
                                   struct span id,
                                   struct err *err);

/* Tickets that named this new one as their earlier order: link them now. */
enum err_code ledger_adopt_related(struct ledger *ledger,
                                   uint64_t number,
                                   struct span id,
                                   struct err *err);

/* The number of the earlier order the ticket names; when that one is not here
 * yet the ticket waits for it. */
enum err_code ledger_find_related(struct ledger *ledger,
                                  struct ticket_state *state,
                                  struct span related,
                                  struct err *err);

/* The ticket goes: neither names nor waits for an earlier order any more. */
enum err_code ledger_forget_related(struct ledger *ledger,
                                    struct ticket_state *state,
                                    struct err *err);

/* A waiting event goes. */
enum err_code ledger_forget_waiting_event(struct ledger *ledger,
                                          struct span id,
                                          uint64_t seq,
                                          struct err *err);

/* A new version may name another order: the one in force waits no more. */
enum err_code ledger_forget_waiting_related(struct ledger *ledger,
                                            const struct ticket_state *state,
                                            struct err *err);

/* Is log record `seq` this event? *previous: the one before it in its
 * chain. */
bool ledger_same_event_in_log(struct ledger *ledger,
                              uint64_t seq,
                              uint64_t event_hash,
                              uint64_t *previous,
                              struct err *err);

/* Keep an event whose ticket is not here yet. */
enum err_code ledger_put_waiting_event(struct ledger *ledger,
                                       const struct ticket_event *event,
                                       uint64_t event_hash,
                                       enum ledger_outcome *outcome,
                                       struct err *err);

#endif /* SERVER_LEDGER_LEDGER_INTERNAL_H */
