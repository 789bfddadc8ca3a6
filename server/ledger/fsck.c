/* The check of a whole store: log, states, names, lists, totals. */
#include "server/ledger/fsck_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FSCK_PROGRESS_STEP = 4096 };

bool
fsck_failed(const struct fsck *fsck)
{
    return fsck->err->code != ERR_OK;
}

void
fsck_say(struct fsck *fsck, const char *fmt, ...)
{
    char line[FSCK_LINE_BYTES];
    va_list args;

    fsck->result->differences++;
    if (fsck->result->differences > fsck->options->lines_max) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    fsck->options->line(fsck->options->data, line);
}

void
fsck_progress(struct fsck *fsck, uint64_t more)
{
    uint64_t before = fsck->work_done / FSCK_PROGRESS_STEP;

    fsck->work_done += more;
    if (fsck->options->progress != NULL &&
        fsck->work_done / FSCK_PROGRESS_STEP != before) {
        fsck->options->progress(fsck->options->data, fsck->work_done,
                                fsck->work_total);
    }
}

void *
fsck_array_add(struct fsck *fsck, struct fsck_array *array)
{
    void *item;

    if (array->count == array->room) {
        size_t room = array->room == 0 ? 1024 : array->room * 2;
        void *larger = realloc(array->items, room * array->item_bytes);

        if (larger == NULL) {
            (void)err_set(fsck->err, ERR_NO_MEMORY,
                          "the check needs about 300 bytes of memory a ticket");
            return NULL;
        }
        array->items = larger;
        array->room = room;
    }
    item = (char *)array->items + array->count++ * array->item_bytes;
    memset(item, 0, array->item_bytes);
    return item;
}

void
fsck_each(struct fsck *fsck, enum store_db db, fsck_visit *visit, void *data)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc = mdb_cursor_open(fsck->reader.txn, fsck->store->db[db], &cursor);

    if (rc != 0) {
        (void)store_err(fsck->err, rc, "read");
        return;
    }
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        if (!visit(fsck, (struct span){key.mv_data, key.mv_size},
                   (struct span){value.mv_data, value.mv_size}, data) ||
            fsck_failed(fsck)) {
            break;
        }
    }
    if (rc != 0 && rc != MDB_NOTFOUND) {
        (void)store_err(fsck->err, rc, "read");
    }
    mdb_cursor_close(cursor);
}

static uint64_t
number_of_key(struct span key)
{
    struct byte_reader r = byte_reader_on(key.data, key.bytes);

    return get_be64(&r);
}

/* Checksum of a value; says so when it does not fit. */
static bool
unseal(struct fsck *fsck, struct span key, struct span *value, const char *what)
{
    struct err ignored = {0};

    if (key.bytes == 8 && store_unseal(key, value, what, &ignored) == ERR_OK) {
        return true;
    }
    fsck_say(fsck, "%s %" PRIu64 ": expected its checksum, found another", what,
             key.bytes == 8 ? number_of_key(key) : 0);
    return false;
}

/* --- log and states ----------------------------------------------------- */

static bool
check_record(struct fsck *fsck, struct span key, struct span value, void *data)
{
    uint64_t *next_seq = data;
    uint64_t seq = number_of_key(key);
    struct record record;

    fsck->result->records++;
    fsck_progress(fsck, 1);
    if (seq != *next_seq && ledger_records_gone(&fsck->totals) == 0) {
        fsck_say(fsck, "log: expected record %" PRIu64 ", found %" PRIu64,
                 *next_seq, seq);
    }
    *next_seq = seq + 1;
    if (!unseal(fsck, key, &value, "log record")) {
        return true;
    }
    if (!record_decode(value, &record)) {
        fsck_say(fsck,
                 "log record %" PRIu64 ": expected a ticket or an event, "
                 "found bytes that make no sense",
                 seq);
        return true;
    }
    if (record.kind == RECORD_TICKET) {
        fsck->ticket_records++;
    } else if (record.number != 0) {
        fsck->tied_events++;
    } else {
        fsck->untied_events++;
    }
    return true;
}

static bool
check_state(struct fsck *fsck, struct span key, struct span value, void *data)
{
    uint64_t number = number_of_key(key);
    struct ticket_state state;

    (void)data;
    fsck->result->tickets++;
    fsck_progress(fsck, 1);
    if (!unseal(fsck, key, &value, "state of ticket")) {
        return true;
    }
    if (!state_decode(number, value, &state)) {
        fsck_say(fsck,
                 "state of ticket %" PRIu64
                 ": expected a state, found bytes that make no sense",
                 number);
        return true;
    }
    fsck_check_ticket(fsck, &state);
    return true;
}

size_t
fsck_find_ticket(const struct fsck *fsck, uint64_t number)
{
    const struct fsck_ticket *tickets = fsck->tickets.items;
    size_t from = 0;
    size_t to = fsck->tickets.count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (tickets[middle].input.number < number) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < fsck->tickets.count && tickets[from].input.number == number
               ? from
               : SIZE_MAX;
}

/* --- names, refused lines, fed values ----------------------------------- */

static bool
check_name(struct fsck *fsck, struct span key, struct span value, void *data)
{
    char other_key[1 + 1 + NAME_BYTES_MAX];
    struct span other = {other_key, 1 + value.bytes};
    struct span stored;

    (void)data;
    if (key.bytes < 2 || value.bytes == 0 || value.bytes >= sizeof(other_key)) {
        fsck_say(fsck, "names: expected a name, found an empty entry");
        return true;
    }
    fsck->result->names += key.data[0] == 'i';
    other_key[0] = key.data[0] == 'i' ? 'n' : 'i';
    memcpy(other_key + 1, value.data, value.bytes);
    if (!store_get(fsck->store, fsck->reader.txn, STORE_NAMES, other, &stored,
                   fsck->err) ||
        !span_equal(stored, (struct span){key.data + 1, key.bytes - 1})) {
        fsck_say(fsck, "names: expected number and text both ways, found only "
                       "one");
    }
    return true;
}

static bool
check_reject(struct fsck *fsck, struct span key, struct span value, void *data)
{
    struct byte_reader r;

    (void)data;
    fsck->result->rejects++;
    if (number_of_key(key) !=
        fsck->totals.expired_rejects + fsck->result->rejects) {
        fsck_say(fsck,
                 "refused lines: expected number %" PRIu64 ", found %" PRIu64,
                 fsck->totals.expired_rejects + fsck->result->rejects,
                 number_of_key(key));
    }
    if (!unseal(fsck, key, &value, "refused line")) {
        return true;
    }
    r = byte_reader_on(value.data, value.bytes);
    if (get_u8(&r) == 1) {
        (void)get_zigzag(&r); /* at */
        (void)get_varint(&r); /* line */
        for (int i = 0; i < 4; i++) {
            (void)get_span(&r); /* code, source, field, detail */
        }
        (void)get_varint(&r); /* length */
        (void)get_span(&r);   /* bytes */
    }
    if (r.failed || byte_reader_left(&r) != 0) {
        fsck_say(fsck,
                 "refused line %" PRIu64
                 ": expected a line, found bytes that make no sense",
                 number_of_key(key));
    }
    return true;
}

static bool
check_fact(struct fsck *fsck, struct span key, struct span value, void *data)
{
    struct byte_reader r = byte_reader_on(value.data, value.bytes);

    (void)key;
    (void)data;
    fsck->result->facts++;
    if (get_u8(&r) != 1 || byte_reader_left(&r) < 2 * sizeof(double)) {
        r.failed = true;
    } else {
        r.at += 2 * sizeof(double);
        (void)get_zigzag(&r);
        (void)get_span(&r);
    }
    if (r.failed || byte_reader_left(&r) != 0) {
        fsck_say(fsck,
                 "fed value %" PRIu64
                 ": expected a value, found bytes that make no sense",
                 fsck->result->facts);
    }
    return true;
}

/* --- the whole ---------------------------------------------------------- */

static void
say_total(struct fsck *fsck,
          const char *what,
          uint64_t expected,
          uint64_t found)
{
    if (expected != found) {
        fsck_say(fsck, "%s: expected %" PRIu64 ", found %" PRIu64, what,
                 expected, found);
    }
}

/* The log without what expired; its end may have. */
static void
check_log_count(struct fsck *fsck, uint64_t next_seq)
{
    uint64_t gone = ledger_records_gone(&fsck->totals);
    uint64_t found = reader_seq(&fsck->reader);

    say_total(fsck, "log: records, with those that expired", found - 1,
              fsck->result->records + gone);
    if (gone == 0 || found < next_seq) {
        say_total(fsck, "meta.next_seq", next_seq, found);
    }
}

static void
check_totals(struct fsck *fsck, uint64_t next_seq)
{
    const struct ledger_totals *totals = &fsck->totals;
    const struct fsck_result *result = fsck->result;

    check_log_count(fsck, next_seq);
    say_total(fsck, "log: versions of tickets on a chain", fsck->ticket_records,
              result->tickets + result->versions);
    say_total(fsck, "log: events on a chain", fsck->tied_events,
              fsck->chained_events);
    say_total(fsck, "total of tickets",
              result->tickets + totals->expired_tickets, totals->tickets);
    say_total(fsck, "total of versions",
              result->versions + totals->expired_versions, totals->versions);
    say_total(fsck, "total of events",
              fsck->tied_events + fsck->untied_events + totals->expired_events,
              totals->events);
    say_total(fsck, "total of waiting events", fsck->untied_events,
              totals->waiting);
    say_total(fsck, "total of refused lines",
              result->rejects + totals->expired_rejects, totals->rejects);
}

/* The name ids of the tables in use; 0 for what no ticket met yet. */
static void
find_names(struct fsck *fsck)
{
    const struct dictionary *dictionary = fsck->dictionary;
    size_t kinds = deadline_kind_count(dictionary->deadlines);

    fsck->dictionary_id =
        names_find(fsck->store, fsck->reader.txn, NAME_DICTIONARY,
                   span_of(dictionary->version));
    if (fsck->dictionary_id == 0) {
        fsck->dictionary_id = UINT32_MAX; /* nothing was judged by them */
    }
    for (uint32_t kind = 0; kind < kinds; kind++) {
        fsck->kind_ids[kind] =
            names_find(fsck->store, fsck->reader.txn, NAME_CLOCK,
                       deadline_kind_code(dictionary->deadlines, kind));
    }
}

static void
open_names(struct fsck *fsck)
{
    struct err err = {0};

    if (names_open(fsck->store, &fsck->names, &err) == ERR_OK) {
        return;
    }
    fsck->names = NULL;
    if (err.code == ERR_CORRUPT) {
        fsck_say(fsck, "names: %.180s; counters are not checked", err.detail);
    } else {
        *fsck->err = err;
    }
}

static void
run(struct fsck *fsck)
{
    uint64_t next_seq = 1;
    struct ledger_expire expire;
    MDB_stat stat;

    /* The names of a later commit may be there already: they hurt nobody. */
    open_names(fsck);
    fsck->tick_us = reader_tick_us(&fsck->reader);
    fsck->totals = reader_totals(&fsck->reader);
    fsck->result->expired = fsck->totals.expired_tickets;
    (void)reader_expire(&fsck->reader, &expire, fsck->err);
    fsck->horizon_us = expire.horizon_us;
    find_names(fsck);
    for (int i = 0; i < 2; i++) {
        if (mdb_stat(fsck->reader.txn,
                     fsck->store->db[i == 0 ? STORE_LOG : STORE_STATE],
                     &stat) == 0) {
            fsck->work_total += stat.ms_entries;
        }
    }
    fsck_each(fsck, STORE_LOG, check_record, &next_seq);
    if (!fsck_failed(fsck)) {
        fsck_each(fsck, STORE_STATE, check_state, NULL);
    }
    if (!fsck_failed(fsck)) {
        fsck_check_pairs(fsck);
    }
    if (!fsck_failed(fsck)) {
        fsck_check_repeats(fsck);
    }
    if (!fsck_failed(fsck)) {
        fsck_check_indexes(fsck);
    }
    if (!fsck_failed(fsck) && fsck->names != NULL) {
        fsck_check_counters(fsck);
    }
    if (!fsck_failed(fsck)) {
        fsck_each(fsck, STORE_NAMES, check_name, NULL);
        fsck_each(fsck, STORE_REJECTS, check_reject, NULL);
        fsck_each(fsck, STORE_FACTS, check_fact, NULL);
        fsck->result->events = fsck->tied_events + fsck->untied_events;
        fsck->result->waiting = fsck->untied_events;
        check_totals(fsck, next_seq);
    }
}

enum err_code
fsck_run(const struct store *store,
         const struct dictionary *dictionary,
         const struct fsck_options *options,
         struct fsck_result *out,
         struct err *err)
{
    struct fsck fsck = {.store = store,
                        .dictionary = dictionary,
                        .options = options,
                        .result = out,
                        .err = err,
                        .tickets = {.item_bytes = sizeof(struct fsck_ticket)},
                        .ids = {.item_bytes = sizeof(struct fsck_link)},
                        .links = {.item_bytes = sizeof(struct fsck_link)},
                        .waits = {.item_bytes = sizeof(struct fsck_wait)},
                        .times = {.item_bytes = sizeof(struct fsck_entry)},
                        .due = {.item_bytes = sizeof(struct fsck_entry)},
                        .overdue = {.item_bytes = sizeof(struct fsck_entry)},
                        .related = {.item_bytes = sizeof(struct fsck_entry)},
                        .customers = {.item_bytes = sizeof(struct fsck_entry)},
                        .persons = {.item_bytes = sizeof(struct fsck_person)}};
    struct fsck_array *arrays[] = {&fsck.tickets,  &fsck.ids,     &fsck.links,
                                   &fsck.waits,    &fsck.times,   &fsck.due,
                                   &fsck.overdue,  &fsck.related, &fsck.persons,
                                   &fsck.customers};

    *out = (struct fsck_result){0};
    fsck.sums = counter_sums_new();
    fsck.kept = counter_sums_new();
    if (fsck.sums == NULL || fsck.kept == NULL) {
        return err_set(err, ERR_NO_MEMORY, "check");
    }
    if (reader_begin(store, &fsck.reader, err) == ERR_OK) {
        run(&fsck);
        reader_end(&fsck.reader);
    }
    names_close(&fsck.names);
    counter_sums_free(&fsck.sums);
    counter_sums_free(&fsck.kept);
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        free(arrays[i]->items);
    }
    return err->code;
}
