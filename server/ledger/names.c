/* Strings stored once and named by a small number. */
#include "server/ledger/names.h"

#include <stdlib.h>
#include <xxhash.h>

#include "analyzers/arena.h"
#include "server/ledger/bytes.h"

struct name_entry {
    struct span text; /* with the kind in front; NULL = free */
    uint32_t id;
};

struct names {
    const struct store *store;
    struct arena arena;
    struct name_entry *table; /* open addressing, table_room a power of two */
    size_t table_room;
    uint32_t *parents; /* [id] */
    size_t parents_room;
    uint32_t count;     /* highest id */
    uint32_t committed; /* of those, on disk */
};

enum { NAME_KEY_BYTES = NAME_BYTES_MAX + 2 };

static struct name_entry *
names_slot(const struct names *names, struct span text)
{
    size_t at = (size_t)XXH3_64bits(text.data, text.bytes);

    for (;; at++) {
        struct name_entry *entry = &names->table[at & (names->table_room - 1)];

        if (entry->text.data == NULL || span_equal(entry->text, text)) {
            return entry;
        }
    }
}

static bool
names_grow(struct names *names, uint32_t id)
{
    struct name_entry *old = names->table;
    size_t old_room = names->table_room;

    if (id >= names->parents_room) {
        size_t room = names->parents_room == 0 ? 256 : names->parents_room * 2;
        uint32_t *parents;

        while (room <= id) {
            room *= 2;
        }
        parents = realloc(names->parents, room * sizeof(*parents));
        if (parents == NULL) {
            return false;
        }
        memset(parents + names->parents_room, 0,
               (room - names->parents_room) * sizeof(*parents));
        names->parents = parents;
        names->parents_room = room;
    }
    if ((size_t)id * 2 < old_room) {
        return true;
    }
    names->table_room = old_room == 0 ? 512 : old_room * 2;
    names->table = calloc(names->table_room, sizeof(*names->table));
    if (names->table == NULL) {
        names->table = old;
        names->table_room = old_room;
        return false;
    }
    for (size_t i = 0; i < old_room; i++) {
        if (old[i].text.data != NULL) {
            *names_slot(names, old[i].text) = old[i];
        }
    }
    free(old);
    return true;
}

/* Where a unit path's last level begins, or 0 for one level. `text` has the
 * kind in front. */
static size_t
unit_parent_bytes(struct span text)
{
    for (size_t i = text.bytes; i > 1; i--) {
        if (text.data[i - 1] == '/') {
            return i - 1;
        }
    }
    return 0;
}

/* Put a name that is known to be new under `id`. */
static bool
names_add(struct names *names, struct span text, uint32_t id)
{
    struct span copy;
    size_t parent_bytes;

    if (!names_grow(names, id)) {
        return false;
    }
    copy = arena_copy(&names->arena, text);
    if (copy.data == NULL) {
        return false;
    }
    *names_slot(names, copy) = (struct name_entry){copy, id};
    parent_bytes = copy.data[0] == NAME_UNIT ? unit_parent_bytes(copy) : 0;
    names->parents[id] =
        parent_bytes == 0
            ? 0
            : names_slot(names, (struct span){copy.data, parent_bytes})->id;
    if (id > names->count) {
        names->count = id;
    }
    return true;
}

/* Names come back in the order of their numbers, so parents come first. */
static enum err_code
names_load(struct names *names, struct err *err)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key = {1, (void *)(uintptr_t) "i"};
    MDB_val value;
    int rc = mdb_txn_begin(names->store->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0) {
        return store_err(err, rc, "names");
    }
    rc = mdb_cursor_open(txn, names->store->db[STORE_NAMES], &cursor);
    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        while (rc == 0 && key.mv_size == 5 && *(char *)key.mv_data == 'i') {
            struct byte_reader r = byte_reader_on((char *)key.mv_data + 1, 4);
            uint32_t id = get_be32(&r);

            if (id != names->count + 1 || id >= NAMES_MAX ||
                value.mv_size < 2) {
                (void)err_set(err, ERR_CORRUPT,
                              "the table of names has a gap after %u; restore "
                              "a backup",
                              (unsigned)names->count);
                break;
            }
            if (!names_add(names, (struct span){value.mv_data, value.mv_size},
                           id)) {
                (void)err_set(err, ERR_NO_MEMORY, "names");
                break;
            }
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
        mdb_cursor_close(cursor);
    }
    if (rc != 0 && rc != MDB_NOTFOUND) {
        (void)store_err(err, rc, "names");
    }
    mdb_txn_abort(txn);
    names->committed = names->count;
    return err->code;
}

enum err_code
names_open(const struct store *store, struct names **out, struct err *err)
{
    struct names *names = calloc(1, sizeof(*names));

    if (names == NULL) {
        return err_set(err, ERR_NO_MEMORY, "names");
    }
    names->store = store;
    arena_init(&names->arena, 64 * 1024);
    if (!names_grow(names, 0) || names_load(names, err) != ERR_OK) {
        names_close(&names);
        return err_set(err, ERR_NO_MEMORY, "names");
    }
    *out = names;
    return ERR_OK;
}

void
names_close(struct names **names)
{
    if (*names == NULL) {
        return;
    }
    arena_release(&(*names)->arena);
    free((*names)->table);
    free((*names)->parents);
    free(*names);
    *names = NULL;
}

/* Intern `text`, which has the kind in front; for a unit the parents first. */
static enum err_code
names_put(struct names *names,
          MDB_txn *txn,
          struct span text,
          uint32_t *out,
          struct err *err)
{
    struct name_entry *entry = names_slot(names, text);
    uint8_t key[NAME_KEY_BYTES];
    uint8_t id_key[5] = {'i'};
    struct byte_writer w = byte_writer_on(id_key + 1, 4);
    size_t parent_bytes;
    uint32_t id;

    if (entry->text.data != NULL) {
        *out = entry->id;
        return ERR_OK;
    }
    parent_bytes = text.data[0] == NAME_UNIT ? unit_parent_bytes(text) : 0;
    if (parent_bytes > 1 &&
        names_put(names, txn, (struct span){text.data, parent_bytes}, &id,
                  err) != ERR_OK) {
        return err->code;
    }
    id = names->count + 1;
    if (id >= NAMES_MAX) { /* a counter's slot has 20 bits for it */
        return err_set(err, ERR_TOO_LONG,
                       "more than %d different units and topics",
                       NAMES_MAX - 1);
    }
    put_be32(&w, id);
    key[0] = 'n';
    memcpy(key + 1, text.data, text.bytes);
    if (store_put(names->store, txn, STORE_NAMES,
                  (struct span){(char *)key, text.bytes + 1},
                  (struct span){(char *)id_key + 1, 4}, 0, err) != ERR_OK ||
        store_put(names->store, txn, STORE_NAMES,
                  (struct span){(char *)id_key, 5}, text, 0, err) != ERR_OK) {
        return err->code;
    }
    if (!names_add(names, text, id)) {
        return err_set(err, ERR_NO_MEMORY, "names");
    }
    *out = id;
    return ERR_OK;
}

enum err_code
names_intern(struct names *names,
             MDB_txn *txn,
             enum name_kind kind,
             struct span text,
             uint32_t *out,
             struct err *err)
{
    char with_kind[NAME_KEY_BYTES];

    if (text.bytes == 0) {
        *out = 0;
        return ERR_OK;
    }
    if (text.bytes > NAME_BYTES_MAX) {
        text.bytes = utf8_cut(text.data, NAME_BYTES_MAX);
    }
    with_kind[0] = (char)kind;
    memcpy(with_kind + 1, text.data, text.bytes);
    return names_put(names, txn, (struct span){with_kind, text.bytes + 1}, out,
                     err);
}

uint32_t
names_unit_parent(const struct names *names, uint32_t unit_id)
{
    return unit_id <= names->count ? names->parents[unit_id] : 0;
}

void
names_abort(struct names *names)
{
    if (names->count == names->committed) {
        return;
    }
    /* Rebuild the table without the lost names; this is rare. */
    struct name_entry *old = names->table;
    size_t old_room = names->table_room;

    names->table = calloc(old_room, sizeof(*names->table));
    if (names->table == NULL) {
        abort(); /* a table that promises names not on disk must not live on */
    }
    for (size_t i = 0; i < old_room; i++) {
        if (old[i].text.data != NULL && old[i].id <= names->committed) {
            *names_slot(names, old[i].text) = old[i];
        }
    }
    free(old);
    names->count = names->committed;
}

void
names_commit(struct names *names)
{
    names->committed = names->count;
}

struct span
names_text(const struct store *store, MDB_txn *txn, uint32_t id)
{
    uint8_t key[5] = {'i'};
    struct byte_writer w = byte_writer_on(key + 1, 4);
    struct err err = {0};
    struct span text;

    put_be32(&w, id);
    if (id == 0 || !store_get(store, txn, STORE_NAMES,
                              (struct span){(char *)key, 5}, &text, &err)) {
        return (struct span){NULL, 0};
    }
    return (struct span){text.data + 1, text.bytes - 1};
}

uint32_t
names_find(const struct store *store,
           MDB_txn *txn,
           enum name_kind kind,
           struct span text)
{
    char key[NAME_KEY_BYTES] = {'n', (char)kind};
    struct err err = {0};
    struct span value;
    struct byte_reader r;

    if (text.bytes == 0) {
        return 0;
    }
    if (text.bytes > NAME_BYTES_MAX) {
        text.bytes = utf8_cut(text.data, NAME_BYTES_MAX);
    }
    memcpy(key + 2, text.data, text.bytes);
    if (!store_get(store, txn, STORE_NAMES, (struct span){key, text.bytes + 2},
                   &value, &err)) {
        return 0;
    }
    r = byte_reader_on(value.data, value.bytes);
    return get_be32(&r);
}
