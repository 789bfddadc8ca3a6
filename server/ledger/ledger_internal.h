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
    bool dirty;  /* to be flushed */
    bool is_new; /* has no stored state yet */
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
    struct cached_state **cache; /* open addressing by number */
    size_t cache_room;
    size_t cache_used;
    struct ledger_undo *undo;
    size_t undo_count;
    size_t undo_room;
    struct ledger_pairs new_ids;
    struct ledger_pairs new_keys;
    uint8_t *record_room; /* RECORD_BYTES_MAX */
};

/* The ticket's state inside the batch; NULL and err when it can't be had. */
struct cached_state *
ledger_load(struct ledger *ledger, uint64_t number, struct err *err);

/* The stored state as it was before the batch. False: there is none. */
bool ledger_stored_state(struct ledger *ledger,
                         uint64_t number,
                         struct ticket_state *out,
                         struct err *err);

/* Find what the ticket repeats, and find again for later tickets that share a
 * key with it: after it came, or its matter or its final reply changed. */
enum err_code ledger_find_repeats(struct ledger *ledger,
                                  struct cached_state *cached,
                                  struct err *err);

/* Write one changed ticket: state, indexes, clocks, sums. */
enum err_code ledger_flush_ticket(struct ledger *ledger,
                                  const struct cached_state *cached,
                                  struct err *err);

#endif /* SERVER_LEDGER_LEDGER_INTERNAL_H */
