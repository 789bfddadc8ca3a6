/*
 * store: the LMDB environment and its databases; nothing about tickets.
 *
 * One process at a time may open a directory for writing (a lock file beside
 * the data); others may open it for reading. Sync flags are always 0.
 *
 * Source    docs/storage-format.md
 */
#ifndef SERVER_LEDGER_STORE_H
#define SERVER_LEDGER_STORE_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

enum {
    STORE_FORMAT = 2,     /* the newest one known */
    STORE_FORMAT_NEW = 1, /* of a store that nothing has expired from */
    STORE_SECRET_BYTES = 192,
    STORE_READERS_MAX = 126
};

enum store_db {
    STORE_META,
    STORE_LOG,
    STORE_STATE,
    STORE_IDS,
    STORE_KEYS,
    STORE_TIMES,
    STORE_DUE,
    STORE_OVERDUE,
    STORE_COUNTERS,
    STORE_CUSTOMERS,
    STORE_NAMES,
    STORE_WAITING,
    STORE_RELATED,
    STORE_REJECTS,
    STORE_FACTS,
    STORE_KEPT,
    STORE_DB_COUNT
};

enum store_mode {
    STORE_WRITE, /* create when absent, take the lock */
    STORE_READ,  /* must exist; beside a running server is fine */
    STORE_OWN    /* must exist, take the lock: fsck, offline import */
};

struct store {
    MDB_env *env;
    MDB_dbi db[STORE_DB_COUNT];
    int lock_fd; /* -1 when reading only */
    char *dir;
    bool has_kept; /* false: an older suqiu made it, open for reading only */
    bool created;  /* by this open */
    uint8_t secret[STORE_SECRET_BYTES];
};

struct store_options {
    uint64_t map_bytes; /* address space, not disk */
};

/*
 * Open. On success *out is set; close with store_close.
 * Errors  NOT_FOUND (no such directory, or no data in it), LOCKED (another
 *         process writes), NEWER_FORMAT, CORRUPT, IO, DISK_FULL
 */
enum err_code store_open(const char *dir,
                         enum store_mode mode,
                         const struct store_options *options,
                         struct store **out,
                         struct err *err) MUST_CHECK;
void store_close(struct store **store);

const char *store_db_name(enum store_db db);

/* LMDB's return code as ours; `what` says what was being done. */
enum err_code store_err(struct err *err, int mdb_code, const char *what);

/*
 * What a failed mdb_txn_commit means. LMDB reports a write that the file system
 * cut short as EIO; when the data file cannot grow it is DISK_FULL: the
 * transaction is gone, what was committed before is whole, and the next one may
 * be tried when there is room.
 */
enum err_code
store_commit_err(const struct store *store, int mdb_code, struct err *err);

/* May a write be tried: does the data file grow, does the map hold more? Costs
 * a write behind the end of the file. Only between write transactions. */
bool store_has_room(const struct store *store);

/* The calls below keep the first error in `err` (it is sticky), so a sequence
 * of them is checked once at its end. */

/* mdb_get into a span; false when not found (or failed: err is set). */
bool store_get(const struct store *store,
               MDB_txn *txn,
               enum store_db db,
               struct span key,
               struct span *out,
               struct err *err);
enum err_code store_put(const struct store *store,
                        MDB_txn *txn,
                        enum store_db db,
                        struct span key,
                        struct span value,
                        unsigned flags,
                        struct err *err);
/* Absent is fine. */
enum err_code store_delete(const struct store *store,
                           MDB_txn *txn,
                           enum store_db db,
                           struct span key,
                           struct err *err);

/* XXH3-64 with the store's secret; 0 is never returned for given bytes and
 * always for none. */
uint64_t store_hash(const struct store *store, struct span bytes);

/* Append the checksum over key and value[0..bytes) to value; returns the new
 * length. `value` has 8 bytes of room. */
enum { STORE_CHECKSUM_BYTES = 8 };
size_t store_seal(struct span key, uint8_t *value, size_t bytes);
/* Verify and cut the checksum. Errors CORRUPT naming `what`. */
enum err_code store_unseal(struct span key,
                           struct span *value,
                           const char *what,
                           struct err *err) MUST_CHECK;

/* Bytes of the data file in use, and of the map. */
void store_usage(const struct store *store,
                 uint64_t *used_bytes,
                 uint64_t *map_bytes);

/* A consistent copy into the new directory `to_dir`, while others write. */
enum err_code store_backup(const struct store *store,
                           const char *to_dir,
                           struct err *err) MUST_CHECK;

#endif /* SERVER_LEDGER_STORE_H */
