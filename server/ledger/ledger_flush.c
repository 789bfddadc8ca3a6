/*
 * One changed ticket to disk: its state, and every index and counter by the
 * difference between what the old and what the new state contribute.
 */
#include "server/ledger/ledger_internal.h"

#include "analyzers/indicator.h"

enum { DUE_KEY_BYTES = 20, CUSTOMER_KEY_BYTES = 17 };

static void
time_key(const struct ticket_state *state, uint8_t key[16])
{
    struct byte_writer w = byte_writer_on(key, 16);

    put_be_time(&w, state->accepted_at_us);
    put_be64(&w, state->number);
}

bool
ledger_clock_runs(const struct state_clock *clock)
{
    return clock->due_us < clock->stopped_us && !clock->overdue;
}

static const struct state_clock *
find_clock(const struct ticket_state *state, uint32_t kind_id)
{
    for (uint32_t i = 0; state != NULL && i < state->clock_count; i++) {
        if (state->clocks[i].kind_id == kind_id) {
            return &state->clocks[i];
        }
    }
    return NULL;
}

/* Does this clock stand in the list of clocks that run (or ran out)? */
static bool
listed(const struct state_clock *clock, bool overdue_list)
{
    return clock != NULL &&
           (overdue_list ? clock->overdue : ledger_clock_runs(clock));
}

static struct span
clock_key(const struct ticket_state *state,
          const struct state_clock *clock,
          bool overdue_list,
          uint8_t key[DUE_KEY_BYTES])
{
    struct byte_writer w = byte_writer_on(key, DUE_KEY_BYTES);

    if (overdue_list) {
        put_be32(&w, clock->kind_id);
    }
    put_be_time(&w, clock->due_us);
    put_be64(&w, state->number);
    if (!overdue_list) {
        put_be32(&w, clock->kind_id);
    }
    return (struct span){(char *)key, DUE_KEY_BYTES};
}

/* Take out of one list what `from` has and `to` has not there any more. */
static void
clocks_leave(struct ledger *ledger,
             const struct ticket_state *from,
             const struct ticket_state *to,
             bool overdue_list,
             struct err *err)
{
    enum store_db db = overdue_list ? STORE_OVERDUE : STORE_DUE;
    uint8_t key[DUE_KEY_BYTES];

    for (uint32_t i = 0; from != NULL && i < from->clock_count; i++) {
        const struct state_clock *was = &from->clocks[i];
        const struct state_clock *is = find_clock(to, was->kind_id);

        if (listed(was, overdue_list) &&
            !(listed(is, overdue_list) && is->due_us == was->due_us)) {
            (void)store_delete(ledger->store, ledger->txn, db,
                               clock_key(from, was, overdue_list, key), err);
        }
    }
}

static void
clocks_enter(struct ledger *ledger,
             const struct ticket_state *from,
             const struct ticket_state *to,
             bool overdue_list,
             struct err *err)
{
    enum store_db db = overdue_list ? STORE_OVERDUE : STORE_DUE;
    uint8_t key[DUE_KEY_BYTES];
    uint8_t value[8];

    for (uint32_t i = 0; i < to->clock_count; i++) {
        const struct state_clock *is = &to->clocks[i];
        const struct state_clock *was = find_clock(from, is->kind_id);
        bool same = listed(was, overdue_list) && was->due_us == is->due_us &&
                    (overdue_list || was->due_soon_us == is->due_soon_us);
        struct byte_writer w = byte_writer_on(value, sizeof(value));

        if (listed(is, overdue_list) && !same) {
            put_be_time(&w, is->due_soon_us);
            (void)store_put(
                ledger->store, ledger->txn, db,
                clock_key(to, is, overdue_list, key),
                (struct span){(char *)value, overdue_list ? 0 : sizeof(value)},
                0, err);
        }
    }
}

/* A person's entry in one cell, another one up or down; one that expired leaves
 * a mark, which goes on counting. Does the cell's counter move? Most come for
 * the first time, so that is tried first. */
static bool
change_person(struct ledger *ledger,
              struct span key,
              int64_t sign,
              bool expired,
              struct err *err)
{
    uint8_t bytes[VARINT_BYTES_MAX + 1] = {1};
    MDB_val k = {key.bytes, (void *)(uintptr_t)key.data};
    MDB_val v = {1, bytes};
    struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));
    MDB_dbi db = ledger->store->db[STORE_CUSTOMERS];
    struct byte_reader r;
    int64_t before;
    int64_t after;
    bool marked;
    int rc = sign > 0 ? mdb_put(ledger->txn, db, &k, &v, MDB_NOOVERWRITE)
                      : mdb_get(ledger->txn, db, &k, &v);

    if (sign > 0 && rc == 0) {
        return true;
    }
    if (rc != 0 && rc != MDB_KEYEXIST) {
        if (rc == MDB_NOTFOUND) {
            (void)err_set(err, ERR_CORRUPT, "a person is counted below zero");
        } else {
            (void)store_err(err, rc, store_db_name(STORE_CUSTOMERS));
        }
        return false;
    }
    r = byte_reader_on(v.mv_data, v.mv_size);
    before = (int64_t)get_varint(&r);
    after = before + sign;
    marked = byte_reader_left(&r) > 0;
    if (after < 0 || (before == 0 && !marked)) {
        (void)err_set(err, ERR_CORRUPT, "a person's count makes no sense");
        return false;
    }
    marked = marked || expired;
    put_varint(&w, (uint64_t)after);
    if (marked) {
        put_u8(&w, 1);
    }
    if (after == 0 && !marked) {
        (void)store_delete(ledger->store, ledger->txn, STORE_CUSTOMERS, key,
                           err);
    } else {
        (void)store_put(ledger->store, ledger->txn, STORE_CUSTOMERS, key,
                        (struct span){(char *)bytes, byte_writer_used(&w)}, 0,
                        err);
    }
    return !marked && (before == 0) != (after == 0);
}

/* Count a person's quality complaints in one cell; the counter moves when the
 * first comes or the last goes. */
static void
count_person(struct ledger *ledger,
             const struct counter_cell *cell,
             uint64_t person,
             int64_t sign,
             bool expired,
             struct err *err)
{
    uint8_t key[CUSTOMER_KEY_BYTES];
    struct byte_writer w = byte_writer_on(key, sizeof(key));

    put_u8(&w, cell->grain);
    put_be_day(&w, cell->day);
    put_be32(&w, cell->unit_id);
    put_be64(&w, person);
    if (change_person(ledger, (struct span){(char *)key, sizeof(key)}, sign,
                      expired, err) &&
        err->code == ERR_OK &&
        !counter_sums_add_cell(
            ledger->sums, cell,
            TALLY_SLOT(TALLY_ALL, 0, COUNTER_quality_customers), sign)) {
        (void)err_set(err, ERR_NO_MEMORY, "counters");
    }
}

static void
count_person_everywhere(struct ledger *ledger,
                        const struct tally *tally,
                        int64_t sign,
                        bool expired,
                        struct err *err)
{
    static const struct {
        enum counter_grain grain;
        enum period_kind period;
    } grains[] = {{GRAIN_MONTH, PERIOD_MONTH},
                  {GRAIN_QUARTER, PERIOD_QUARTER},
                  {GRAIN_YEAR, PERIOD_YEAR}};
    int32_t day = shanghai_day(tally->accepted_at_us);

    for (size_t g = 0; g < sizeof(grains) / sizeof(grains[0]); g++) {
        for (uint32_t unit = tally->unit_id;;
             unit = names_unit_parent(ledger->names, unit)) {
            struct counter_cell cell = {grains[g].grain,
                                        period_first_day(grains[g].period, day),
                                        0, unit};

            count_person(ledger, &cell, tally->person, sign, expired, err);
            if (unit == 0) {
                break;
            }
        }
    }
}

static bool
same_place(const struct tally *a, const struct tally *b)
{
    return a->accepted_at_us == b->accepted_at_us &&
           a->reply_due_us == b->reply_due_us && a->unit_id == b->unit_id &&
           a->overdue_count == b->overdue_count &&
           memcmp(a->overdue_kind_id, b->overdue_kind_id,
                  sizeof(a->overdue_kind_id)) == 0 &&
           memcmp(a->dimension_value, b->dimension_value,
                  sizeof(a->dimension_value)) == 0;
}

/* One person, in the same periods and units? */
static bool
same_person(const struct tally *a, const struct tally *b)
{
    return a->person == b->person && a->unit_id == b->unit_id &&
           a->accepted_at_us == b->accepted_at_us;
}

static void
move_counters(struct ledger *ledger,
              const struct tally *was,
              const struct tally *is,
              struct err *err)
{
    bool fine;

    if (was == NULL) {
        fine = counter_sums_add(ledger->sums, is, 1);
    } else if (same_place(was, is)) {
        /* Only some bits differ: leave alone what stays. */
        struct tally gone = *was;
        struct tally come = *is;

        gone.accepted_set = was->accepted_set & ~is->accepted_set;
        gone.due_set = was->due_set & ~is->due_set;
        gone.overdue_count = 0;
        come.accepted_set = is->accepted_set & ~was->accepted_set;
        come.due_set = is->due_set & ~was->due_set;
        come.overdue_count = 0;
        fine = counter_sums_add(ledger->sums, &gone, -1) &&
               counter_sums_add(ledger->sums, &come, 1);
    } else {
        fine = counter_sums_add(ledger->sums, was, -1) &&
               counter_sums_add(ledger->sums, is, 1);
    }
    if (!fine) {
        (void)err_set(err, ERR_NO_MEMORY, "counters");
        return;
    }
    if (was == NULL || !same_person(was, is)) {
        if (was != NULL && was->person != 0) {
            count_person_everywhere(ledger, was, -1, false, err);
        }
        if (is->person != 0) {
            count_person_everywhere(ledger, is, 1, false, err);
        }
    }
}

static void
put_state(struct ledger *ledger,
          const struct cached_state *cached,
          struct err *err)
{
    uint8_t key_bytes[8];
    uint8_t value[STATE_BYTES_MAX + STORE_CHECKSUM_BYTES];
    struct byte_writer kw = byte_writer_on(key_bytes, sizeof(key_bytes));
    struct byte_writer w = byte_writer_on(value, STATE_BYTES_MAX);
    struct span key = {(char *)key_bytes, sizeof(key_bytes)};
    size_t bytes;

    put_be64(&kw, cached->state.number);
    state_encode(&cached->state, &w);
    if (w.failed) {
        (void)err_set(err, ERR_INTERNAL, "a state of more than %d bytes",
                      STATE_BYTES_MAX);
        return;
    }
    bytes = store_seal(key, value, byte_writer_used(&w));
    (void)ledger_put_next(ledger, STORE_STATE, key,
                          (struct span){(char *)value, bytes},
                          cached->is_new ? MDB_APPEND : 0, err);
}

/* Does what lists keep in memory of a ticket differ? Whatever serve/gathered.c
 * reads must be compared here. */
static bool
listed_differently(const struct ticket_state *from,
                   const struct ticket_state *to)
{
    bool differs =
        from->record_seq != to->record_seq ||
        from->accepted_at_us != to->accepted_at_us ||
        from->unit_id != to->unit_id || from->matter_id != to->matter_id ||
        from->verdict_flags != to->verdict_flags ||
        from->repeat_previous != to->repeat_previous ||
        from->repeat_key != to->repeat_key ||
        from->repeat_settled != to->repeat_settled ||
        from->repeat_call != to->repeat_call ||
        from->third_call != to->third_call || from->burst != to->burst ||
        from->clock_count != to->clock_count;

    for (uint32_t i = 0; !differs && i < to->clock_count; i++) {
        const struct state_clock *was = &from->clocks[i];
        const struct state_clock *is = &to->clocks[i];

        differs = (was->overdue || is->overdue) &&
                  (was->overdue != is->overdue || was->kind_id != is->kind_id ||
                   was->due_us != is->due_us ||
                   (was->stopped_us == STATE_NEVER) !=
                       (is->stopped_us == STATE_NEVER));
    }
    return differs;
}

enum err_code
ledger_flush_ticket(struct ledger *ledger,
                    const struct cached_state *cached,
                    struct err *err)
{
    const struct ticket_state *to = &cached->state;
    const struct ticket_state *from = cached->is_new ? NULL : &cached->stored;
    struct tally was;
    struct tally is;
    uint8_t key[16];

    if (from != NULL) {
        tally_state(from, NULL, STATE_NEVER, &was);
    }
    tally_state(to, NULL, STATE_NEVER, &is);
    if (from != NULL && from->accepted_at_us != to->accepted_at_us) {
        time_key(from, key);
        (void)store_delete(ledger->store, ledger->txn, STORE_TIMES,
                           (struct span){(char *)key, sizeof(key)}, err);
    }
    if (from == NULL || from->accepted_at_us != to->accepted_at_us) {
        time_key(to, key);
        (void)ledger_put_next(ledger, STORE_TIMES,
                              (struct span){(char *)key, sizeof(key)},
                              (struct span){NULL, 0}, 0, err);
    }
    for (int overdue_list = 0; overdue_list < 2; overdue_list++) {
        clocks_leave(ledger, from, to, overdue_list != 0, err);
        clocks_enter(ledger, from, to, overdue_list != 0, err);
    }
    move_counters(ledger, from != NULL ? &was : NULL, &is, err);
    put_state(ledger, cached, err);
    if (ledger->changes != NULL && from != NULL &&
        listed_differently(from, to)) {
        changes_note(ledger->changes, to->number, mdb_txn_id(ledger->txn));
    }
    return err->code;
}

/* Is the ticket it repeats counted as a repeat itself? One that has expired
 * before is when there is one more before that. */
static bool
is_first_repeat(struct ledger *ledger,
                const struct ticket_state *state,
                struct err *err)
{
    const struct cached_state *previous;
    struct tally tally;

    if (!ledger_has_ticket(ledger, state->repeat_previous, err)) {
        return state->calls <= ledger->dictionary->repeat->repeat_min;
    }
    previous = ledger_load(ledger, state->repeat_previous, err);
    if (previous == NULL) {
        return false;
    }
    tally_state(&previous->state, NULL, STATE_NEVER, &tally);
    return !tally_has(&tally, COUNTER_repeats);
}

static void
keep_contribution(struct ledger *ledger,
                  const struct ticket_state *state,
                  const struct tally *tally,
                  struct err *err)
{
    uint32_t slots[TALLY_KEPT_SLOTS_MAX];
    bool first = tally_has(tally, COUNTER_repeats) &&
                 is_first_repeat(ledger, state, err);
    size_t count = tally_kept_slots(state, tally, first, slots);
    bool fine = counter_sums_add(ledger->kept, tally, 1);

    for (size_t i = 0; i < count && fine; i++) {
        fine = counter_sums_add_slot(ledger->kept, tally, slots[i], 1);
    }
    if (!fine) {
        (void)err_set(err, ERR_NO_MEMORY, "counters");
    }
}

void
ledger_flush_expired(struct ledger *ledger,
                     const struct ticket_state *state,
                     struct err *err)
{
    struct tally tally;
    uint8_t key[16];
    uint8_t number[LEDGER_LOG_KEY_BYTES];

    tally_state(state, NULL, STATE_NEVER, &tally);
    keep_contribution(ledger, state, &tally, err);
    if (tally.person != 0) {
        count_person_everywhere(ledger, &tally, -1, true, err);
    }
    time_key(state, key);
    (void)store_delete(ledger->store, ledger->txn, STORE_TIMES,
                       (struct span){(char *)key, sizeof(key)}, err);
    clocks_leave(ledger, state, NULL, false, err);
    clocks_leave(ledger, state, NULL, true, err);
    (void)store_delete(ledger->store, ledger->txn, STORE_STATE,
                       ledger_seq_key(state->number, number), err);
    if (ledger->changes != NULL) {
        changes_note(ledger->changes, state->number, mdb_txn_id(ledger->txn));
    }
}
