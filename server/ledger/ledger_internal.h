/* What the parts of the ledger share: ledger.c, ledger_repeat.c,
 * ledger_flush.c. Nobody else includes it. */
#ifndef SERVER_LEDGER_LEDGER_INTERNAL_H
#define SERVER_LEDGER_LEDGER_INTERNAL_H

#include <stdatomic.h>

#include "analyzers/arena.h"
#include "server/ledger/counters.h"
#include "server/ledger/ledger.h"
#include "server/ledger/names.h"

/* A ticket the batch looked at. */
struct cached_state {
    struct ticket_state state;
    struct ticket_state stored; /* as it was before the batch, unless is_new */
    bool dirty;                 /* to be flushed */
    bool is_new;                /* has no stored state yet */
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

/* One addition to a table in memory, to be taken back when the batch fails. */
struct ledger_undo {
    struct numbers *table;
    uint64_t hash;
    uint64_t number;
    uint64_t old; /* 0 when the entry was added */
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
    struct near_ticket *near; /* [LEDGER_NEAR_ROOM] */
    uint64_t look;            /* number of the present look at neighbours */

    MDB_txn *txn; /* NULL outside a batch */
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

#endif /* SERVER_LEDGER_LEDGER_INTERNAL_H */
