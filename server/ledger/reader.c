/* What a snapshot of the store says. */
#include "server/ledger/reader.h"

#include "server/ledger/bytes.h"

enum { FACT_KEY_BYTES_MAX = 3 * LEDGER_FACT_NAME_BYTES_MAX };

enum err_code
reader_begin(const struct store *store, struct reader *out, struct err *err)
{
    int rc;

    out->store = store;
    out->txn = NULL;
    rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &out->txn);
    return rc == 0 ? ERR_OK : store_err(err, rc, "read");
}

void
reader_end(struct reader *reader)
{
    if (reader->txn != NULL) {
        mdb_txn_abort(reader->txn);
        reader->txn = NULL;
    }
}

enum err_code
reader_renew(struct reader *reader, struct err *err)
{
    int rc;

    mdb_txn_reset(reader->txn);
    rc = mdb_txn_renew(reader->txn);
    return rc == 0 ? ERR_OK : store_err(err, rc, "read");
}

static bool
get(const struct reader *reader,
    enum store_db db,
    struct span key,
    struct span *out,
    struct err *err)
{
    return store_get(reader->store, reader->txn, db, key, out, err);
}

uint64_t
reader_seq(const struct reader *reader)
{
    struct err err = {0};
    struct span value;
    struct byte_reader r;

    if (!get(reader, STORE_META, SPAN_LITERAL("next_seq"), &value, &err)) {
        return 1;
    }
    r = byte_reader_on(value.data, value.bytes);
    return get_be64(&r);
}

int64_t
reader_tick_us(const struct reader *reader)
{
    struct err err = {0};
    struct span value;
    struct byte_reader r;

    if (!get(reader, STORE_META, SPAN_LITERAL("tick_us"), &value, &err)) {
        return INT64_MIN;
    }
    r = byte_reader_on(value.data, value.bytes);
    return get_be_time(&r);
}

struct ledger_totals
reader_totals(const struct reader *reader)
{
    struct ledger_totals totals = {0};
    struct err err = {0};
    struct span value;
    struct byte_reader r;

    if (get(reader, STORE_META, SPAN_LITERAL("totals"), &value, &err)) {
        r = byte_reader_on(value.data, value.bytes);
#define TOTAL_ROW(name, text)                                                  \
    totals.name = byte_reader_left(&r) > 0 ? get_varint(&r) : 0;
#include "server/ledger/totals.def"
#undef TOTAL_ROW
    }
    return totals;
}

static struct span
number_key(uint64_t number, uint8_t key[8])
{
    struct byte_writer w = byte_writer_on(key, 8);

    put_be64(&w, number);
    return (struct span){(char *)key, 8};
}

bool
reader_state(const struct reader *reader,
             uint64_t number,
             struct ticket_state *out,
             struct err *err)
{
    uint8_t key_bytes[8];
    struct span key = number_key(number, key_bytes);
    struct span value;

    if (!get(reader, STORE_STATE, key, &value, err) ||
        store_unseal(key, &value, "a ticket's state", err) != ERR_OK) {
        return false;
    }
    if (!state_decode(number, value, out)) {
        (void)err_set(err, ERR_CORRUPT, "a ticket's state makes no sense");
        return false;
    }
    return true;
}

enum err_code
reader_states(const struct reader *reader,
              uint64_t from,
              bool newest_first,
              reader_visit_state *visit,
              void *data,
              struct err *err)
{
    uint8_t wanted[8];
    struct span first = number_key(from, wanted);
    MDB_val key = {first.bytes, wanted};
    MDB_val value;
    MDB_cursor *cursor;
    int rc =
        mdb_cursor_open(reader->txn, reader->store->db[STORE_STATE], &cursor);

    if (rc != 0) {
        return store_err(err, rc, "states");
    }
    rc = mdb_cursor_get(cursor, &key, &value,
                        newest_first ? MDB_LAST : MDB_SET_RANGE);
    while (rc == 0) {
        struct span key_span = {key.mv_data, key.mv_size};
        struct span bytes = {value.mv_data, value.mv_size};
        struct byte_reader r = byte_reader_on(key.mv_data, key.mv_size);
        uint64_t number = get_be64(&r);
        struct ticket_state state;

        if (number < from ||
            store_unseal(key_span, &bytes, "a ticket's state", err) != ERR_OK) {
            break;
        }
        if (!state_decode(number, bytes, &state)) {
            (void)err_set(err, ERR_CORRUPT, "a ticket's state makes no sense");
            break;
        }
        if (!visit(data, &state)) {
            break;
        }
        rc = mdb_cursor_get(cursor, &key, &value,
                            newest_first ? MDB_PREV : MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND) {
        (void)store_err(err, rc, "states");
    }
    return err->code;
}

uint64_t
reader_next_ticket(const struct reader *reader,
                   uint64_t number,
                   struct err *err)
{
    uint8_t key_bytes[8];
    struct span from = number_key(number + 1, key_bytes);
    MDB_val key = {from.bytes, key_bytes};
    MDB_val value;
    MDB_cursor *cursor;
    uint64_t found = 0;
    int rc =
        mdb_cursor_open(reader->txn, reader->store->db[STORE_STATE], &cursor);

    if (rc != 0) {
        (void)store_err(err, rc, "state");
        return 0;
    }
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (rc == 0) {
        struct byte_reader r = byte_reader_on(key.mv_data, key.mv_size);

        found = get_be64(&r);
    } else if (rc != MDB_NOTFOUND) {
        (void)store_err(err, rc, "state");
    }
    mdb_cursor_close(cursor);
    return found;
}

bool
reader_reclassify(const struct reader *reader,
                  struct ledger_reclassify *out,
                  struct err *err)
{
    struct span value;
    struct span version;
    struct byte_reader r;

    *out = (struct ledger_reclassify){.next = 0};
    if (!get(reader, STORE_META, SPAN_LITERAL("reclassify"), &value, err)) {
        return false;
    }
    r = byte_reader_on(value.data, value.bytes);
    (void)get_u8(&r);
    version = get_span(&r);
    if (version.bytes < sizeof(out->dictionary)) {
        memcpy(out->dictionary, version.data, version.bytes);
    }
    out->next = get_varint(&r);
    out->done = get_varint(&r);
    out->total = get_varint(&r);
    out->moved = get_varint(&r);
    out->started_us = get_zigzag(&r);
    out->ended_us = get_zigzag(&r);
    return !r.failed;
}

bool
reader_expire(const struct reader *reader,
              struct ledger_expire *out,
              struct err *err)
{
    struct span value = {NULL, 0};

    return get(reader, STORE_META, SPAN_LITERAL("expire"), &value, err)
               ? ledger_expire_decode(value, out)
               : (ledger_expire_decode(value, out), false);
}

/* False: this is not what ledger_put_rule_hits writes. */
static bool
decode_rule_hits(const MDB_val *key,
                 const MDB_val *value,
                 struct ledger_rule_hits *out)
{
    size_t prefix = sizeof("rule/") - 1;
    struct byte_reader r = byte_reader_on(value->mv_data, value->mv_size);

    *out = (struct ledger_rule_hits){.ever = 0};
    if (key->mv_size - prefix > LEDGER_RULE_BYTES_MAX || get_u8(&r) != 1) {
        return false;
    }
    memcpy(out->rule, (const char *)key->mv_data + prefix,
           key->mv_size - prefix);
    out->ever = get_varint(&r);
    out->day = (int32_t)get_zigzag(&r);
    out->today = get_varint(&r);
    out->last_us = get_zigzag(&r);
    for (int c = 0; c < TICKET_CATEGORY_COUNT; c++) {
        out->lost[c] = get_varint(&r);
    }
    return !r.failed;
}

enum err_code
reader_rule_hits(const struct reader *reader,
                 reader_visit_rule *visit,
                 void *data,
                 struct err *err)
{
    static const char prefix[] = "rule/";
    MDB_val key = {sizeof(prefix) - 1, (void *)(uintptr_t)prefix};
    MDB_val value;
    MDB_cursor *cursor;
    int rc =
        mdb_cursor_open(reader->txn, reader->store->db[STORE_META], &cursor);

    if (rc != 0) {
        return store_err(err, rc, "rules");
    }
    for (rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE); rc == 0;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        struct ledger_rule_hits hits;

        if (key.mv_size < sizeof(prefix) - 1 ||
            memcmp(key.mv_data, prefix, sizeof(prefix) - 1) != 0) {
            break;
        }
        if (decode_rule_hits(&key, &value, &hits) && !visit(data, &hits)) {
            break;
        }
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? ERR_OK : store_err(err, rc, "rules");
}

enum err_code
reader_record(const struct reader *reader,
              uint64_t seq,
              struct record *out,
              struct err *err)
{
    uint8_t key_bytes[8];
    struct span key = number_key(seq, key_bytes);
    struct span value;

    if (!get(reader, STORE_LOG, key, &value, err)) {
        return err_set(err, ERR_CORRUPT, "record %llu of the log is missing",
                       (unsigned long long)seq);
    }
    if (store_unseal(key, &value, "a record of the log", err) != ERR_OK) {
        return err->code;
    }
    if (!record_decode(value, out)) {
        return err_set(err, ERR_CORRUPT,
                       "record %llu of the log makes no sense",
                       (unsigned long long)seq);
    }
    return ERR_OK;
}

static bool
has_id(const struct reader *reader, uint64_t number, struct span id)
{
    uint8_t key[8];
    struct err err = {0};
    struct span value;

    return get(reader, STORE_LOG, number_key(number, key), &value, &err) &&
           span_equal(record_peek_id(value), id);
}

/* The last number of `hash` in `ids` or `keys` for which `id` fits (any when
 * it is empty), or 0. */
static uint64_t
search_pairs(const struct reader *reader,
             enum store_db db,
             uint64_t hash,
             struct span id)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    uint64_t found = 0;

    if (mdb_cursor_open(reader->txn, reader->store->db[db], &cursor) != 0) {
        return 0;
    }
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        const uint8_t *pairs = value.mv_data;

        for (size_t i = 0; i + 16 <= value.mv_size; i += 16) {
            uint64_t number = load_le64(pairs + i + 8);

            if (load_le64(pairs + i) == hash &&
                (id.bytes == 0 || has_id(reader, number, id))) {
                found = number;
            }
        }
    }
    mdb_cursor_close(cursor);
    return found;
}

uint64_t
reader_find_id(const struct reader *reader,
               const struct numbers *ids,
               struct span id)
{
    uint64_t hash = store_hash(reader->store, id);
    uint64_t moves;

    if (id.bytes == 0) {
        return 0;
    }
    if (ids == NULL) {
        return search_pairs(reader, STORE_IDS, hash, id);
    }
    do {
        size_t cursor = 0;
        uint64_t number;

        moves = numbers_moves(ids);
        while ((number = numbers_next(ids, hash, &cursor)) != 0) {
            if (has_id(reader, number, id)) {
                return number;
            }
        }
    } while (moves % 2 != 0 || moves != numbers_moves(ids));
    return 0;
}

uint64_t
reader_find_key(const struct reader *reader, uint64_t key_hash)
{
    return search_pairs(reader, STORE_KEYS, key_hash, (struct span){NULL, 0});
}

struct span
reader_name(const struct reader *reader, uint32_t id)
{
    return names_text(reader->store, reader->txn, id);
}

/* Position the cursor on the first ticket to show. */
static int
seek_time(MDB_cursor *cursor,
          int64_t at_us,
          uint64_t number,
          bool newest_first,
          MDB_val *key,
          MDB_val *value)
{
    uint8_t wanted[16];
    struct byte_writer w = byte_writer_on(wanted, sizeof(wanted));
    int rc;

    put_be_time(&w, at_us);
    put_be64(&w, number);
    *key = (MDB_val){sizeof(wanted), wanted};
    rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    if (!newest_first) {
        return rc;
    }
    /* SET_RANGE found the first at or behind: newest first wants the last
     * before. */
    return mdb_cursor_get(cursor, key, value, rc == 0 ? MDB_PREV : MDB_LAST);
}

enum err_code
reader_tickets(const struct reader *reader,
               int64_t from_us,
               int64_t to_us,
               int64_t after_us,
               uint64_t after_number,
               bool newest_first,
               reader_visit_time *visit,
               void *data,
               struct err *err)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int64_t start_us = newest_first ? to_us : from_us;
    uint64_t start_number = 0;
    int rc =
        mdb_cursor_open(reader->txn, reader->store->db[STORE_TIMES], &cursor);

    if (rc != 0) {
        return store_err(err, rc, "tickets");
    }
    if (after_number > 0) {
        start_us = after_us;
        start_number = newest_first ? after_number : after_number + 1;
    }
    rc = seek_time(cursor, start_us, start_number, newest_first, &key, &value);
    while (rc == 0) {
        struct byte_reader r = byte_reader_on(key.mv_data, key.mv_size);
        int64_t at_us = get_be_time(&r);
        uint64_t number = get_be64(&r);

        if (at_us < from_us || at_us >= to_us || !visit(data, at_us, number)) {
            break;
        }
        rc = mdb_cursor_get(cursor, &key, &value,
                            newest_first ? MDB_PREV : MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? ERR_OK
                                         : store_err(err, rc, "tickets");
}

enum err_code
reader_running_clocks(const struct reader *reader,
                      reader_visit_clock *visit,
                      void *data,
                      struct err *err)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc =
        mdb_cursor_open(reader->txn, reader->store->db[STORE_DUE], &cursor);

    if (rc != 0) {
        return store_err(err, rc, "due");
    }
    rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (rc == 0) {
        struct byte_reader r = byte_reader_on(key.mv_data, key.mv_size);
        struct byte_reader v = byte_reader_on(value.mv_data, value.mv_size);
        int64_t due_us = get_be_time(&r);
        uint64_t number = get_be64(&r);
        uint32_t kind_id = get_be32(&r);

        if (!visit(data, kind_id, due_us, get_be_time(&v), number)) {
            break;
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? ERR_OK : store_err(err, rc, "due");
}

enum err_code
reader_overdue_clocks(const struct reader *reader,
                      uint32_t kind_id,
                      reader_visit_clock *visit,
                      void *data,
                      struct err *err)
{
    uint8_t wanted[4];
    struct byte_writer w = byte_writer_on(wanted, sizeof(wanted));
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc =
        mdb_cursor_open(reader->txn, reader->store->db[STORE_OVERDUE], &cursor);

    if (rc != 0) {
        return store_err(err, rc, "overdue");
    }
    put_be32(&w, kind_id);
    key = (MDB_val){sizeof(wanted), wanted};
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0) {
        struct byte_reader r = byte_reader_on(key.mv_data, key.mv_size);
        uint32_t kind = get_be32(&r);
        int64_t due_us = get_be_time(&r);
        uint64_t number = get_be64(&r);

        if ((kind_id != 0 && kind != kind_id) ||
            !visit(data, kind, due_us, STATE_NEVER, number)) {
            break;
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? ERR_OK
                                         : store_err(err, rc, "overdue");
}

static bool
decode_reject(struct span bytes, struct reader_reject *out)
{
    struct byte_reader r = byte_reader_on(bytes.data, bytes.bytes);

    if (get_u8(&r) != 1) {
        return false;
    }
    out->at_us = get_zigzag(&r);
    out->line = get_varint(&r);
    out->code = get_span(&r);
    out->source = get_span(&r);
    out->field = get_span(&r);
    out->detail = get_span(&r);
    out->line_bytes = get_varint(&r);
    out->bytes = get_span(&r);
    return !r.failed;
}

enum err_code
reader_rejects(const struct reader *reader,
               uint64_t before,
               reader_visit_reject *visit,
               void *data,
               struct err *err)
{
    uint8_t wanted[8];
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc =
        mdb_cursor_open(reader->txn, reader->store->db[STORE_REJECTS], &cursor);

    if (rc != 0) {
        return store_err(err, rc, "rejects");
    }
    (void)number_key(before == 0 ? UINT64_MAX : before, wanted);
    key = (MDB_val){sizeof(wanted), wanted};
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    rc = mdb_cursor_get(cursor, &key, &value, rc == 0 ? MDB_PREV : MDB_LAST);
    while (rc == 0) {
        struct span key_span = {key.mv_data, key.mv_size};
        struct span bytes = {value.mv_data, value.mv_size};
        struct byte_reader r = byte_reader_on(key.mv_data, key.mv_size);
        struct reader_reject reject = {.number = get_be64(&r)};

        if (store_unseal(key_span, &bytes, "a refused line", err) != ERR_OK) {
            break;
        }
        if (!decode_reject(bytes, &reject)) {
            (void)err_set(err, ERR_CORRUPT, "a refused line makes no sense");
            break;
        }
        if (!visit(data, &reject)) {
            break;
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV);
    }
    mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND) {
        (void)store_err(err, rc, "rejects");
    }
    return err->code;
}

bool
reader_fact(const struct reader *reader,
            struct span name,
            struct span unit,
            struct span period,
            struct reader_fact *out,
            struct err *err)
{
    uint8_t key[FACT_KEY_BYTES_MAX];
    struct byte_writer w = byte_writer_on(key, sizeof(key));
    struct byte_reader r;
    struct span value;

    put_bytes(&w, name.data, name.bytes);
    put_u8(&w, 0);
    put_bytes(&w, unit.data, unit.bytes);
    put_u8(&w, 0);
    put_bytes(&w, period.data, period.bytes);
    if (w.failed ||
        !get(reader, STORE_FACTS,
             (struct span){(char *)key, byte_writer_used(&w)}, &value, err)) {
        return false;
    }
    r = byte_reader_on(value.data, value.bytes);
    (void)get_u8(&r);
    if (byte_reader_left(&r) < 2 * sizeof(double)) {
        (void)err_set(err, ERR_CORRUPT, "a fact makes no sense");
        return false;
    }
    memcpy(&out->numerator, r.at, sizeof(double));
    memcpy(&out->denominator, r.at + sizeof(double), sizeof(double));
    r.at += 2 * sizeof(double);
    out->at_us = get_zigzag(&r);
    out->by = get_span(&r);
    return !r.failed;
}
