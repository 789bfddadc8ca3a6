/* The LMDB environment: opening, locking, versions, checksums, errors. */
#include "server/ledger/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "server/ledger/bytes.h"

enum { STORE_PROBE_BYTES = 64 * 1024 };

static const char *const store_db_names[STORE_DB_COUNT] = {
    [STORE_META] = "meta",         [STORE_LOG] = "log",
    [STORE_STATE] = "state",       [STORE_IDS] = "ids",
    [STORE_KEYS] = "keys",         [STORE_TIMES] = "times",
    [STORE_DUE] = "due",           [STORE_OVERDUE] = "overdue",
    [STORE_COUNTERS] = "counters", [STORE_CUSTOMERS] = "customers",
    [STORE_NAMES] = "names",       [STORE_WAITING] = "waiting",
    [STORE_RELATED] = "related",   [STORE_REJECTS] = "rejects",
    [STORE_FACTS] = "facts",       [STORE_KEPT] = "kept",
};

const char *
store_db_name(enum store_db db)
{
    return store_db_names[db];
}

enum err_code
store_err(struct err *err, int mdb_code, const char *what)
{
    enum err_code code;

    switch (mdb_code) {
    case MDB_MAP_FULL:
        return err_set(err, ERR_STORE_FULL,
                       "%s: the store has reached its map size; raise "
                       "map_size_gib and start again, nothing is lost",
                       what);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_PANIC:
        return err_set(err, ERR_CORRUPT, "%s: %s", what,
                       mdb_strerror(mdb_code));
    case MDB_READERS_FULL:
    case MDB_TXN_FULL:
        return err_set(err, ERR_BUSY, "%s: %s", what, mdb_strerror(mdb_code));
    case MDB_VERSION_MISMATCH:
        return err_set(err, ERR_NEWER_FORMAT, "%s: %s", what,
                       mdb_strerror(mdb_code));
    default:
        code = mdb_code > 0 ? err_from_errno(mdb_code) : ERR_INTERNAL;
        return err_set(err, code, "%s: %s", what, mdb_strerror(mdb_code));
    }
}

/* Can the data file grow? Tried behind its end, which LMDB does not read. Only
 * between write transactions. */
static bool
file_can_grow(const struct store *store)
{
    static const char zeros[STORE_PROBE_BYTES];
    mdb_filehandle_t fd;
    struct stat about;
    ssize_t put;

    if (mdb_env_get_fd(store->env, &fd) != 0 || fstat(fd, &about) != 0) {
        return true;
    }
    put = pwrite(fd, zeros, sizeof(zeros), about.st_size);
    (void)!ftruncate(fd, about.st_size);
    return put == (ssize_t)sizeof(zeros);
}

bool
store_has_room(const struct store *store)
{
    uint64_t used_bytes;
    uint64_t map_bytes;

    store_usage(store, &used_bytes, &map_bytes);
    return used_bytes + STORE_PROBE_BYTES <= map_bytes && file_can_grow(store);
}

enum err_code
store_commit_err(const struct store *store, int mdb_code, struct err *err)
{
    if (mdb_code == EIO && !file_can_grow(store)) {
        return err_set(err, ERR_DISK_FULL,
                       "commit: the data file in '%s' cannot grow; make room "
                       "on the disk",
                       store->dir);
    }
    return store_err(err, mdb_code, "commit");
}

/* Make `dir` (0700) and make its name durable. */
static enum err_code
make_directory(const char *dir, struct err *err)
{
    char *parent_copy;
    int fd;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return err_set(err, err_from_errno(errno),
                       "cannot make the data directory '%s': %s", dir,
                       strerror(errno));
    }
    parent_copy = strdup(dir);
    if (parent_copy == NULL) {
        return err_set(err, ERR_NO_MEMORY, "data directory");
    }
    fd = open(dirname(parent_copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(parent_copy);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    return ERR_OK;
}

/* One writer a directory: an flock that dies with the process. */
static enum err_code
take_lock(struct store *store, struct err *err)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/writer.lock", store->dir);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0) {
        return err_set(err, err_from_errno(errno), "cannot open '%s': %s", path,
                       strerror(errno));
    }
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return err_set(err, ERR_LOCKED,
                       "another suqiu process uses the data directory '%s'; "
                       "stop it, or send the records to it (--to URL)",
                       store->dir);
    }
    return ERR_OK;
}

static enum err_code
open_databases(
    struct store *store, bool create, int first, int count, struct err *err)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(store->env, NULL, create ? 0 : MDB_RDONLY, &txn);

    if (rc != 0) {
        return store_err(err, rc, "begin");
    }
    for (int i = first; i < first + count; i++) {
        rc = mdb_dbi_open(txn, store_db_names[i], create ? MDB_CREATE : 0,
                          &store->db[i]);
        if (rc == MDB_NOTFOUND && i == STORE_KEPT) {
            continue; /* nothing can have expired from it */
        }
        if (rc == MDB_NOTFOUND) {
            mdb_txn_abort(txn);
            return err_set(err, ERR_CORRUPT,
                           "'%s' holds no suqiu data (no database '%s')",
                           store->dir, store_db_names[i]);
        }
        if (rc != 0) {
            mdb_txn_abort(txn);
            return store_err(err, rc, store_db_names[i]);
        }
        store->has_kept = store->has_kept || i == STORE_KEPT;
    }
    rc = mdb_txn_commit(txn);
    return rc != 0 ? store_err(err, rc, "create databases") : ERR_OK;
}

/* First start: the format and the secret, in one transaction. */
static enum err_code
write_first_meta(struct store *store, struct err *err)
{
    uint8_t format[4] = {STORE_FORMAT_NEW, 0, 0, 0};
    MDB_txn *txn;
    int rc;

    if (getrandom(store->secret, sizeof(store->secret), 0) !=
        (ssize_t)sizeof(store->secret)) {
        return err_set(err, ERR_IO, "getrandom: %s", strerror(errno));
    }
    rc = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (rc != 0) {
        return store_err(err, rc, "begin");
    }
    if (store_put(store, txn, STORE_META, SPAN_LITERAL("format"),
                  (struct span){(char *)format, sizeof(format)}, 0,
                  err) != ERR_OK ||
        store_put(store, txn, STORE_META, SPAN_LITERAL("secret"),
                  (struct span){(char *)store->secret, sizeof(store->secret)},
                  0, err) != ERR_OK) {
        mdb_txn_abort(txn);
        return err->code;
    }
    rc = mdb_txn_commit(txn);
    return rc != 0 ? store_err(err, rc, "first commit") : ERR_OK;
}

/* Sets *fresh when there is no format yet. */
static enum err_code
read_meta(struct store *store, bool *fresh, struct err *err)
{
    struct span format;
    struct span secret;
    MDB_txn *txn;
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

    *fresh = false;
    if (rc != 0) {
        return store_err(err, rc, "begin");
    }
    if (!store_get(store, txn, STORE_META, SPAN_LITERAL("format"), &format,
                   err)) {
        *fresh = err->code == ERR_OK;
    } else if (format.bytes != 4 || (uint8_t)format.data[0] > STORE_FORMAT) {
        (void)err_set(err, ERR_NEWER_FORMAT,
                      "'%s' was written by a newer suqiu (format %u, this one "
                      "knows up to %d); use that version, the data is "
                      "untouched",
                      store->dir, (unsigned)(uint8_t)format.data[0],
                      STORE_FORMAT);
    } else if (!store_get(store, txn, STORE_META, SPAN_LITERAL("secret"),
                          &secret, err) ||
               secret.bytes != STORE_SECRET_BYTES) {
        (void)err_set(err, ERR_CORRUPT, "'%s': meta.secret is missing",
                      store->dir);
    } else {
        memcpy(store->secret, secret.data, STORE_SECRET_BYTES);
    }
    mdb_txn_abort(txn);
    return err->code;
}

static void
sync_directory(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

static enum err_code
open_env(struct store *store,
         enum store_mode mode,
         const struct store_options *options,
         struct err *err)
{
    unsigned flags = MDB_NOTLS | (mode == STORE_READ ? MDB_RDONLY : 0u);
    mdb_filehandle_t fd;
    int dead;
    int rc = mdb_env_create(&store->env);

    if (rc == 0) {
        rc = mdb_env_set_maxdbs(store->env, STORE_DB_COUNT + 2);
    }
    if (rc == 0) {
        rc = mdb_env_set_maxreaders(store->env, STORE_READERS_MAX);
    }
    if (rc == 0) {
        rc = mdb_env_set_mapsize(store->env, options->map_bytes);
    }
    if (rc == 0) {
        rc = mdb_env_open(store->env, store->dir, flags, 0600);
    }
    if (rc != 0) {
        return store_err(err, rc, store->dir);
    }
    if (mdb_env_get_fd(store->env, &fd) == 0) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    (void)mdb_reader_check(store->env, &dead);
    return ERR_OK;
}

enum err_code
store_open(const char *dir,
           enum store_mode mode,
           const struct store_options *options,
           struct store **out,
           struct err *err)
{
    struct store *store = calloc(1, sizeof(*store));
    char path[4096];
    bool fresh = false;

    if (store == NULL || (store->dir = strdup(dir)) == NULL) {
        free(store);
        return err_set(err, ERR_NO_MEMORY, "store");
    }
    store->lock_fd = -1;
    (void)snprintf(path, sizeof(path), "%s/data.mdb", dir);
    store->created = access(path, F_OK) != 0;
    if (mode == STORE_WRITE) {
        (void)make_directory(dir, err);
    } else if (store->created) {
        (void)err_set(err, ERR_NOT_FOUND,
                      "there is no suqiu data in '%s'; give the directory "
                      "that 'suqiu serve --data' uses",
                      dir);
    }
    if (err->code == ERR_OK && mode != STORE_READ) {
        (void)take_lock(store, err);
    }
    if (err->code == ERR_OK) {
        (void)open_env(store, mode, options, err);
    }
    /* The format is read before any other database is opened or made, so a
     * newer one stays untouched. A file without our meta is a new one, or a
     * start that was cut short before its first commit. */
    if (err->code == ERR_OK) {
        (void)open_databases(store, mode == STORE_WRITE, STORE_META, 1, err);
    }
    if (err->code == ERR_OK) {
        (void)read_meta(store, &fresh, err);
    }
    if (err->code == ERR_OK && fresh && mode != STORE_WRITE) {
        (void)err_set(err, ERR_NOT_FOUND, "'%s' is empty", dir);
    }
    if (err->code == ERR_OK) {
        (void)open_databases(store, mode == STORE_WRITE, STORE_META + 1,
                             STORE_DB_COUNT - 1, err);
    }
    if (err->code == ERR_OK && fresh) {
        (void)write_first_meta(store, err);
    }
    if (err->code != ERR_OK) {
        store_close(&store);
        return err->code;
    }
    if (store->created) {
        /* LMDB does not sync the directory that holds its new files. */
        sync_directory(dir);
    }
    *out = store;
    return ERR_OK;
}

void
store_close(struct store **store)
{
    if (*store == NULL) {
        return;
    }
    if ((*store)->env != NULL) {
        mdb_env_close((*store)->env);
    }
    if ((*store)->lock_fd >= 0) {
        (void)close((*store)->lock_fd);
    }
    free((*store)->dir);
    free(*store);
    *store = NULL;
}

bool
store_get(const struct store *store,
          MDB_txn *txn,
          enum store_db db,
          struct span key,
          struct span *out,
          struct err *err)
{
    MDB_val k = {key.bytes, (void *)(uintptr_t)key.data};
    MDB_val v;
    int rc = mdb_get(txn, store->db[db], &k, &v);

    if (rc == 0) {
        *out = (struct span){v.mv_data, v.mv_size};
        return true;
    }
    if (rc != MDB_NOTFOUND) {
        (void)store_err(err, rc, store_db_names[db]);
    }
    return false;
}

enum err_code
store_put(const struct store *store,
          MDB_txn *txn,
          enum store_db db,
          struct span key,
          struct span value,
          unsigned flags,
          struct err *err)
{
    MDB_val k = {key.bytes, (void *)(uintptr_t)key.data};
    MDB_val v = {value.bytes, (void *)(uintptr_t)value.data};
    int rc = mdb_put(txn, store->db[db], &k, &v, flags);

    return rc == 0 ? ERR_OK : store_err(err, rc, store_db_names[db]);
}

enum err_code
store_delete(const struct store *store,
             MDB_txn *txn,
             enum store_db db,
             struct span key,
             struct err *err)
{
    MDB_val k = {key.bytes, (void *)(uintptr_t)key.data};
    int rc = mdb_del(txn, store->db[db], &k, NULL);

    return rc == 0 || rc == MDB_NOTFOUND
               ? ERR_OK
               : store_err(err, rc, store_db_names[db]);
}

uint64_t
store_hash(const struct store *store, struct span bytes)
{
    uint64_t hash;

    if (bytes.bytes == 0) {
        return 0;
    }
    hash = XXH3_64bits_withSecret(bytes.data, bytes.bytes, store->secret,
                                  STORE_SECRET_BYTES);
    return hash != 0 ? hash : 1;
}

static uint64_t
checksum(struct span key, const uint8_t *value, size_t bytes)
{
    uint64_t seed = XXH3_64bits(key.data, key.bytes);

    return XXH3_64bits_withSeed(value, bytes, seed);
}

size_t
store_seal(struct span key, uint8_t *value, size_t bytes)
{
    store_le64(value + bytes, checksum(key, value, bytes));
    return bytes + STORE_CHECKSUM_BYTES;
}

enum err_code
store_unseal(struct span key,
             struct span *value,
             const char *what,
             struct err *err)
{
    const uint8_t *data = (const uint8_t *)value->data;

    if (value->bytes < STORE_CHECKSUM_BYTES ||
        load_le64(data + value->bytes - STORE_CHECKSUM_BYTES) !=
            checksum(key, data, value->bytes - STORE_CHECKSUM_BYTES)) {
        return err_set(err, ERR_CORRUPT,
                       "%s: the checksum does not fit; restore a backup", what);
    }
    value->bytes -= STORE_CHECKSUM_BYTES;
    return ERR_OK;
}

void
store_usage(const struct store *store,
            uint64_t *used_bytes,
            uint64_t *map_bytes)
{
    MDB_envinfo info;
    MDB_stat stat;

    *used_bytes = 0;
    *map_bytes = 0;
    if (mdb_env_info(store->env, &info) == 0 &&
        mdb_env_stat(store->env, &stat) == 0) {
        *used_bytes = (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
        *map_bytes = info.me_mapsize;
    }
}

/* The bytes of the copy, its name and the name of its directory on disk. LMDB
 * writes a copy without syncing it. */
static int
sync_copy(const char *to_dir, const char *data_path)
{
    char *parent_copy = strdup(to_dir);
    int fd = open(data_path, O_RDONLY | O_CLOEXEC);
    int rc = 0;

    if (parent_copy == NULL || fd < 0 || fsync(fd) != 0) {
        rc = errno;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    sync_directory(to_dir);
    if (parent_copy != NULL) {
        sync_directory(dirname(parent_copy));
    }
    free(parent_copy);
    return rc;
}

enum err_code
store_backup(const struct store *store, const char *to_dir, struct err *err)
{
    char data_path[4096];
    int rc;

    (void)snprintf(data_path, sizeof(data_path), "%s/data.mdb", to_dir);
    if (mkdir(to_dir, 0700) != 0) {
        return err_set(err,
                       errno == EEXIST ? ERR_BAD_VALUE : err_from_errno(errno),
                       "cannot make '%s': %s; give a directory that does not "
                       "exist yet",
                       to_dir, strerror(errno));
    }
    rc = mdb_env_copy2(store->env, to_dir, MDB_CP_COMPACT);
    if (rc == 0) {
        rc = sync_copy(to_dir, data_path);
    }
    if (rc != 0) {
        (void)unlink(data_path); /* half a copy is none */
        (void)rmdir(to_dir);
        return store_err(err, rc, to_dir);
    }
    return ERR_OK;
}
