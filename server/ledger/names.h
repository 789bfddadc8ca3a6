/*
 * names: strings that stand in many records, stored once and named by a small
 * number: unit paths, subcategories, topics, clock kinds, dictionary versions.
 *
 * The writer's copy of the table is in memory; readers look names up in their
 * snapshot. A unit's parents are interned with it, so a path rolls up by
 * numbers alone.
 */
#ifndef SERVER_LEDGER_NAMES_H
#define SERVER_LEDGER_NAMES_H

#include "server/ledger/store.h"

enum name_kind {
    NAME_UNIT = 'u',
    NAME_SUBCATEGORY = 's',
    NAME_TOPIC = 't',
    NAME_CLOCK = 'k',
    NAME_DICTIONARY = 'd'
};

enum { NAMES_MAX = 1 << 20, NAME_BYTES_MAX = 480 };

struct names;

/* Load all names. Errors as the store's. */
enum err_code
names_open(const struct store *store, struct names **out, struct err *err);
void names_close(struct names **names);

/*
 * The number of a name, made when new (inside `txn`); 0 for the empty name. A
 * name longer than NAME_BYTES_MAX is cut. For NAME_UNIT every prefix of the
 * path gets a number, too.
 * Errors  TOO_LONG when NAMES_MAX are in use, the store's
 */
enum err_code names_intern(struct names *names,
                           MDB_txn *txn,
                           enum name_kind kind,
                           struct span text,
                           uint32_t *out,
                           struct err *err);

/* The unit one level up, 0 at the top. Its number is the smaller one. */
uint32_t names_unit_parent(const struct names *names, uint32_t unit_id);

/* Forget what was interned since the last names_commit (the transaction is
 * gone), or keep it. */
void names_abort(struct names *names);
void names_commit(struct names *names);

/* --- for readers, in any snapshot --- */

/* Text of a number without its kind; the empty span for 0 or an unknown one.
 * Borrowed until the transaction ends. */
struct span names_text(const struct store *store, MDB_txn *txn, uint32_t id);

/* Number of a name, 0 when there is none. */
uint32_t names_find(const struct store *store,
                    MDB_txn *txn,
                    enum name_kind kind,
                    struct span text);

#endif /* SERVER_LEDGER_NAMES_H */
