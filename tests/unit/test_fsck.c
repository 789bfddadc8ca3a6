/* Every kind of damage is found: one thing is changed behind the ledger's back,
 * and the check must say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "server/ledger/names.h"
#include "tests/lib/ledger_fixture.h"

static struct ledger_fixture ledger;

/* A store with something in every database. */
static int
begin(void **state)
{
    static const char *const customers[] = {"9900000001", "9900000002", NULL};
    struct fixture_ticket ticket = {.unit = "宁夏电力/银川供电公司",
                                    .text = "频繁停电",
                                    .caller = "19900000001",
                                    .type = TICKET_TYPE_COMPLAINT,
                                    .category = TICKET_CATEGORY_QUALITY,
                                    .subcategory = "供电可靠性",
                                    .region = TICKET_REGION_RURAL};
    struct fixture_event event = {.kind = EVENT_KIND_REPLIED,
                                  .at = "2018-01-03 09:00:00"};
    struct ledger_reject reject = {.code = ERR_BAD_JSON,
                                   .source = SPAN_LITERAL("feed"),
                                   .bytes = SPAN_LITERAL("{")};
    struct ledger_fact fact = {
        .name = SPAN_LITERAL("customers"), .numerator = 1, .denominator = 1};
    struct err err = {0};
    char id[8];

    (void)state;
    fixture_open(&ledger, FIXTURE_MAP_BYTES);
    fixture_begin(&ledger, fixture_time("2018-01-05 00:00:00"));
    ticket.id = event.id = id;
    for (int i = 0; i < 30; i++) {
        (void)snprintf(id, sizeof(id), "T%d", i);
        ticket.at_us =
            fixture_time("2018-01-02 00:00:00") + i * 3 * US_PER_HOUR;
        ticket.customer = customers[i % 3];
        ticket.related = i % 7 == 6 ? "T0" : NULL;
        (void)fixture_put_ticket(&ledger, &ticket);
        if (i % 2 == 0) {
            (void)fixture_put_event(&ledger, &event);
        }
    }
    ticket.text = "补充";
    (void)fixture_put_ticket(&ledger, &ticket);
    event.id = "not here";
    (void)fixture_put_event(&ledger, &event);
    ticket.id = "T99";
    ticket.related = "not here either";
    (void)fixture_put_ticket(&ledger, &ticket);
    assert_int_equal(ledger_put_reject(ledger.ledger, &reject, &err), ERR_OK);
    assert_int_equal(ledger_put_fact(ledger.ledger, &fact, &err), ERR_OK);
    fixture_commit(&ledger);
    fixture_assert_clean(&ledger);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    fixture_close(&ledger);
    return 0;
}

/* --- damage ------------------------------------------------------------- */

struct entry {
    uint8_t key[512];
    uint8_t value[8192];
    size_t key_bytes;
    size_t value_bytes;
};

static MDB_txn *
change(void)
{
    MDB_txn *txn;

    assert_int_equal(mdb_txn_begin(ledger.store->env, NULL, 0, &txn), 0);
    return txn;
}

/* The entry at position `at` of a database. */
static struct entry
entry_at(MDB_txn *txn, enum store_db db, size_t at)
{
    struct entry entry = {.key_bytes = 0};
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;

    assert_int_equal(mdb_cursor_open(txn, ledger.store->db[db], &cursor), 0);
    for (size_t i = 0; i <= at; i++) {
        assert_int_equal(mdb_cursor_get(cursor, &key, &value, MDB_NEXT), 0);
    }
    assert_true(value.mv_size <= sizeof(entry.value));
    memcpy(entry.key, key.mv_data, key.mv_size);
    if (value.mv_size > 0) {
        memcpy(entry.value, value.mv_data, value.mv_size);
    }
    entry.key_bytes = key.mv_size;
    entry.value_bytes = value.mv_size;
    mdb_cursor_close(cursor);
    return entry;
}

static void
put(MDB_txn *txn, enum store_db db, struct entry *entry)
{
    MDB_val key = {entry->key_bytes, entry->key};
    MDB_val value = {entry->value_bytes, entry->value};

    assert_int_equal(mdb_put(txn, ledger.store->db[db], &key, &value, 0), 0);
}

static void
drop(MDB_txn *txn, enum store_db db, struct entry *entry)
{
    MDB_val key = {entry->key_bytes, entry->key};

    assert_int_equal(mdb_del(txn, ledger.store->db[db], &key, NULL), 0);
}

static void
assert_found(const char *what)
{
    if (fixture_fsck(&ledger, false, NULL) == 0) {
        fail_msg("%s was not found", what);
    }
}

static size_t
count_of(enum store_db db)
{
    MDB_stat stat;
    MDB_txn *txn;

    assert_int_equal(mdb_txn_begin(ledger.store->env, NULL, MDB_RDONLY, &txn),
                     0);
    assert_int_equal(mdb_stat(txn, ledger.store->db[db], &stat), 0);
    mdb_txn_abort(txn);
    return stat.ms_entries;
}

static const enum store_db all[] = {
    STORE_LOG,     STORE_STATE,   STORE_IDS,      STORE_KEYS,      STORE_TIMES,
    STORE_DUE,     STORE_OVERDUE, STORE_COUNTERS, STORE_CUSTOMERS, STORE_NAMES,
    STORE_WAITING, STORE_RELATED, STORE_REJECTS};

/* The names of tables and clocks are met by number only: a lost one shows as a
 * hole. So every entry of every database matters. */
static void
an_entry_taken_away_is_found_in_every_database(void **state)
{
    (void)state;
    for (size_t d = 0; d < sizeof(all) / sizeof(all[0]); d++) {
        size_t count = count_of(all[d]);

        assert_true(count > 0);
        for (size_t i = 0; i < count; i += 1 + count / 17) {
            char what[128];
            MDB_txn *txn = change();
            struct entry entry = entry_at(txn, all[d], i);

            drop(txn, all[d], &entry);
            assert_int_equal(mdb_txn_commit(txn), 0);
            (void)snprintf(what, sizeof(what), "entry %zu of database %d", i,
                           (int)all[d]);
            assert_found(what);
            txn = change();
            put(txn, all[d], &entry);
            assert_int_equal(mdb_txn_commit(txn), 0);
        }
    }
    fixture_assert_clean(&ledger);
}

static void
a_needless_entry_is_found_in_every_database(void **state)
{
    (void)state;
    for (size_t d = 0; d < sizeof(all) / sizeof(all[0]); d++) {
        char what[128];
        MDB_txn *txn = change();
        struct entry entry = entry_at(txn, all[d], 0);

        entry.key[entry.key_bytes - 1] ^= 0x55;
        put(txn, all[d], &entry);
        assert_int_equal(mdb_txn_commit(txn), 0);
        (void)snprintf(what, sizeof(what), "needless entry of database %d",
                       (int)all[d]);
        assert_found(what);
        txn = change();
        drop(txn, all[d], &entry);
        assert_int_equal(mdb_txn_commit(txn), 0);
    }
    fixture_assert_clean(&ledger);
}

static void
a_flipped_bit_is_found_in_every_value(void **state)
{
    unsigned bit = 0;

    (void)state;
    for (size_t d = 0; d < sizeof(all) / sizeof(all[0]); d++) {
        size_t count = count_of(all[d]);

        for (size_t i = 0; i < count; i += 1 + count / 7) {
            struct entry entry;
            MDB_txn *txn = change();

            entry = entry_at(txn, all[d], i);
            mdb_txn_abort(txn);
            for (size_t at = 0; at < entry.value_bytes;
                 at += 1 + entry.value_bytes / 11) {
                char what[128];

                bit = (bit + 3) % 8;
                entry.value[at] ^= (uint8_t)(1u << bit);
                txn = change();
                put(txn, all[d], &entry);
                assert_int_equal(mdb_txn_commit(txn), 0);
                (void)snprintf(what, sizeof(what),
                               "bit %u of byte %zu, entry %zu, database %d",
                               bit, at, i, (int)all[d]);
                assert_found(what);
                entry.value[at] ^= (uint8_t)(1u << bit);
            }
            txn = change();
            put(txn, all[d], &entry);
            assert_int_equal(mdb_txn_commit(txn), 0);
        }
    }
    fixture_assert_clean(&ledger);
}

/* A wrong value with the right checksum: only recomputing finds it. */
static void
change_state(const char *what, void (*edit)(struct ticket_state *state))
{
    uint8_t value[STATE_BYTES_MAX + STORE_CHECKSUM_BYTES];
    struct byte_writer w = byte_writer_on(value, STATE_BYTES_MAX);
    struct ticket_state state;
    MDB_txn *txn = change();
    struct entry before = entry_at(txn, STORE_STATE, 6);
    struct entry after = before;
    struct byte_reader r = byte_reader_on(before.key, before.key_bytes);

    assert_true(
        state_decode(get_be64(&r),
                     (struct span){(char *)before.value,
                                   before.value_bytes - STORE_CHECKSUM_BYTES},
                     &state));
    edit(&state);
    state_encode(&state, &w);
    assert_false(w.failed);
    after.value_bytes = store_seal((struct span){(char *)before.key, 8}, value,
                                   byte_writer_used(&w));
    memcpy(after.value, value, after.value_bytes);
    put(txn, STORE_STATE, &after);
    assert_int_equal(mdb_txn_commit(txn), 0);
    assert_found(what);
    txn = change();
    put(txn, STORE_STATE, &before);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

#define EDITS                                                                  \
    EDIT(record_seq, state->record_seq++)                                      \
    EDIT(last_event_seq, state->last_event_seq--)                              \
    EDIT(no_events, state->last_event_seq = 0)                                 \
    EDIT(content_hash, state->content_hash++)                                  \
    EDIT(version_count, state->version_count++)                                \
    EDIT(event_count, state->event_count++)                                    \
    EDIT(accepted_at, state->accepted_at_us++)                                 \
    EDIT(type, state->type = TICKET_TYPE_FAULT)                                \
    EDIT(channel, state->channel = TICKET_CHANNEL_APP)                         \
    EDIT(unit, state->unit_id++)                                               \
    EDIT(key, state->key_hash[1] = 0)                                          \
    EDIT(link_key, state->links[0].key_hash++)                                 \
    EDIT(link_previous, state->links[0].previous_number++)                     \
    EDIT(related, state->related_number++)                                     \
    EDIT(judged_category, state->judged_category = TICKET_CATEGORY_GRID)       \
    EDIT(judged_region, state->judged_region = TICKET_REGION_URBAN)            \
    EDIT(category, state->category = TICKET_CATEGORY_GRID)                     \
    EDIT(subcategory, state->subcategory_id++)                                 \
    EDIT(topic, state->topic_id++)                                             \
    EDIT(matter, state->matter_id++)                                           \
    EDIT(region, state->region = TICKET_REGION_URBAN)                          \
    EDIT(flags, state->verdict_flags ^= VERDICT_TEST_TICKET)                   \
    EDIT(reviewed, state->reviewed = true)                                     \
    EDIT(event_at, state->event_at_us[EVENT_KIND_REPLIED]++)                   \
    EDIT(event_gone, state->event_at_us[EVENT_KIND_REPLIED] = STATE_NEVER)     \
    EDIT(urged, state->urged_count++)                                          \
    EDIT(satisfaction, state->satisfaction = EVENT_SATISFACTION_SATISFIED)     \
    EDIT(event_mark, state->event_hashes[0]++)                                 \
    EDIT(repeat_previous, state->repeat_previous--)                            \
    EDIT(repeat_key, state->repeat_key = REPEAT_KEY_ADDRESS)                   \
    EDIT(calls, state->calls++)                                                \
    EDIT(burst_calls, state->burst_calls++)                                    \
    EDIT(settled, state->repeat_settled = true)                                \
    EDIT(repeat_call, state->repeat_call = !state->repeat_call)                \
    EDIT(third_call, state->third_call = !state->third_call)                   \
    EDIT(burst, state->burst = !state->burst)                                  \
    EDIT(clock_gone, state->clock_count--)                                     \
    EDIT(due, state->clocks[2].due_us++)                                       \
    EDIT(due_soon, state->clocks[2].due_soon_us++)                             \
    EDIT(stopped, state->clocks[2].stopped_us++)                               \
    EDIT(overdue, state->clocks[2].overdue = !state->clocks[2].overdue)        \
    EDIT(role, state->clocks[2].role = CLOCK_ROLE_NONE)                        \
    EDIT(kind, state->clocks[2].kind_id++)                                     \
    EDIT(provisional, state->clocks[2].provisional = true)

#define EDIT(name, statement)                                                  \
    static void edit_##name(struct ticket_state *state)                        \
    {                                                                          \
        statement;                                                             \
    }
EDITS
#undef EDIT

static void
a_wrong_field_of_a_state_with_the_right_checksum_is_found(void **state)
{
    static const struct {
        const char *name;
        void (*edit)(struct ticket_state *state);
    } edits[] = {
#define EDIT(name, statement) {#name, edit_##name},
        EDITS
#undef EDIT
    };

    (void)state;
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        change_state(edits[i].name, edits[i].edit);
    }
    fixture_assert_clean(&ledger);
}

static void
a_wrong_number_in_meta_is_found(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        MDB_txn *txn = change();
        struct entry entry = {.key_bytes = 0};
        MDB_val value;
        MDB_val key = {i == 0 ? 8 : 6,
                       (void *)(uintptr_t)(i == 0 ? "next_seq" : "totals")};

        assert_int_equal(
            mdb_get(txn, ledger.store->db[STORE_META], &key, &value), 0);
        memcpy(entry.key, key.mv_data, key.mv_size);
        entry.key_bytes = key.mv_size;
        entry.value_bytes = value.mv_size;
        memcpy(entry.value, value.mv_data, value.mv_size);
        for (size_t at = 0; at < entry.value_bytes; at++) {
            if (i == 1 && at == 2) {
                continue; /* duplicates leave no trace */
            }
            entry.value[at] ^= 1;
            put(txn, STORE_META, &entry);
            assert_int_equal(mdb_txn_commit(txn), 0);
            assert_found(i == 0 ? "meta.next_seq" : "meta.totals");
            entry.value[at] ^= 1;
            txn = change();
        }
        put(txn, STORE_META, &entry);
        assert_int_equal(mdb_txn_commit(txn), 0);
    }
    fixture_assert_clean(&ledger);
}

static void
count_line(void *data, const char *text)
{
    assert_true(strlen(text) < FSCK_LINE_BYTES);
    /* Nothing that a caller said: neither phone nor customer number. */
    assert_null(strstr(text, "1990000"));
    assert_null(strstr(text, "990000000"));
    (*(uint64_t *)data)++;
}

static void
only_so_many_differences_are_told_one_by_one(void **state)
{
    uint64_t lines = 0;
    struct fsck_options options = {
        .lines_max = 3, .line = count_line, .data = &lines};
    struct fsck_result result;
    struct err err = {0};
    MDB_txn *txn = change();

    (void)state;
    assert_int_equal(mdb_drop(txn, ledger.store->db[STORE_COUNTERS], 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    assert_int_equal(
        fsck_run(ledger.store, ledger.dictionary, &options, &result, &err),
        ERR_OK);
    assert_int_equal(lines, 3);
    assert_true(result.differences > 100);
    options.lines_max = UINT64_MAX;
    lines = 0;
    assert_int_equal(
        fsck_run(ledger.store, ledger.dictionary, &options, &result, &err),
        ERR_OK);
    assert_int_equal(lines, result.differences);
}

static void
an_empty_store_is_clean(void **state)
{
    struct fsck_result result;

    (void)state;
    fixture_close(&ledger);
    fixture_open(&ledger, FIXTURE_MAP_BYTES);
    assert_int_equal(fixture_fsck(&ledger, true, &result), 0);
    assert_int_equal(result.tickets, 0);
}

static void
a_store_that_is_open_for_reading_beside_its_writer_is_checked(void **state)
{
    struct store_options store_options = {.map_bytes = FIXTURE_MAP_BYTES};
    uint64_t lines = 0;
    struct fsck_options options = {
        .lines_max = 3, .line = count_line, .data = &lines};
    struct fsck_result result;
    struct store *reading = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(
        store_open(ledger.dir, STORE_READ, &store_options, &reading, &err),
        ERR_OK);
    fixture_begin(&ledger, fixture_time("2018-02-05 00:00:00"));
    assert_int_equal(
        fsck_run(reading, ledger.dictionary, &options, &result, &err), ERR_OK);
    assert_int_equal(result.differences, 0);
    assert_int_equal(result.tickets, 31);
    fixture_commit(&ledger);
    assert_int_equal(
        fsck_run(reading, ledger.dictionary, &options, &result, &err), ERR_OK);
    assert_int_equal(result.differences, 0);
    store_close(&reading);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(an_empty_store_is_clean),
        CASE(an_entry_taken_away_is_found_in_every_database),
        CASE(a_needless_entry_is_found_in_every_database),
        CASE(a_flipped_bit_is_found_in_every_value),
        CASE(a_wrong_field_of_a_state_with_the_right_checksum_is_found),
        CASE(a_wrong_number_in_meta_is_found),
        CASE(only_so_many_differences_are_told_one_by_one),
        CASE(a_store_that_is_open_for_reading_beside_its_writer_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
