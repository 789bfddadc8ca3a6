/* Events and related orders that came before their ticket. */
#include "server/ledger/ledger_internal.h"

#include <errno.h>
#include <string.h>

enum {
    WAITING_EVENT = 'e',
    WAITING_RELATED = 'r',
    WAITING_EVENTS_MAX = 4096 /* for one ticket that is not here */
};

static struct span
waiting_key(struct span id,
            char kind,
            uint64_t seq,
            uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10])
{
    struct byte_writer w = byte_writer_on(key, TICKET_ID_CHARS_MAX * 4 + 10);

    put_bytes(&w, id.data, id.bytes);
    put_u8(&w, 0);
    put_u8(&w, (unsigned)kind);
    put_be64(&w, seq);
    return (struct span){(char *)key, byte_writer_used(&w)};
}

enum { RELATED_KEY_BYTES = 16 };

static struct span
related_key(uint64_t related, uint64_t number, uint8_t key[RELATED_KEY_BYTES])
{
    struct byte_writer w = byte_writer_on(key, RELATED_KEY_BYTES);

    put_be64(&w, related);
    put_be64(&w, number);
    return (struct span){(char *)key, RELATED_KEY_BYTES};
}

/* One more number; *numbers lies in the batch's arena. */
static bool
add_number(struct arena *arena,
           uint64_t **numbers,
           size_t *count,
           size_t *room,
           uint64_t number)
{
    if (*count == *room) {
        size_t larger_room = *room == 0 ? 16 : *room * 2;
        uint64_t *larger = arena_alloc(arena, larger_room * sizeof(*larger));

        if (larger == NULL) {
            return false;
        }
        if (*count > 0) {
            memcpy(larger, *numbers, *count * sizeof(*larger));
        }
        *numbers = larger;
        *room = larger_room;
    }
    (*numbers)[(*count)++] = number;
    return true;
}

/* What waits for `id`, in the order it came: `seqs` in the batch's arena. */
static enum err_code
list_waiting(struct ledger *ledger,
             struct span id,
             char kind,
             uint64_t **out,
             size_t *out_count,
             struct err *err)
{
    uint8_t prefix[TICKET_ID_CHARS_MAX * 4 + 10];
    struct span wanted = waiting_key(id, kind, 0, prefix);
    MDB_cursor *cursor;
    MDB_val key = {wanted.bytes, prefix};
    MDB_val value;
    MDB_stat stat;
    size_t room = 0;
    int rc;

    *out_count = 0;
    *out = NULL;
    rc = mdb_stat(ledger->txn, ledger->store->db[STORE_WAITING], &stat);
    if (rc != 0 || stat.ms_entries == 0) {
        return rc != 0 ? store_err(err, rc, "waiting") : ERR_OK;
    }
    rc =
        mdb_cursor_open(ledger->txn, ledger->store->db[STORE_WAITING], &cursor);
    if (rc != 0) {
        return store_err(err, rc, "waiting");
    }
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && key.mv_size == wanted.bytes &&
           memcmp(key.mv_data, prefix, wanted.bytes - 8) == 0) {
        struct byte_reader r =
            byte_reader_on((char *)key.mv_data + wanted.bytes - 8, 8);

        if (!add_number(&ledger->arena, out, out_count, &room, get_be64(&r))) {
            rc = ENOMEM;
            break;
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc != 0 && rc != MDB_NOTFOUND ? store_err(err, rc, "waiting")
                                         : ERR_OK;
}

enum err_code
ledger_adopt_waiting(struct ledger *ledger,
                     struct ticket_state *state,
                     struct span id,
                     struct err *err)
{
    uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10];
    uint64_t *seqs;
    size_t count;

    if (list_waiting(ledger, id, WAITING_EVENT, &seqs, &count, err) != ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < count && err->code == ERR_OK; i++) {
        struct record record;
        struct ticket_event event;

        if (ledger_get_log(ledger, seqs[i], &record, err) != ERR_OK) {
            break;
        }
        event = record.event;
        ledger_copy_event(&ledger->arena, &event, &record.event);
        record.event.id = id;
        record.number = state->number;
        record.previous = state->last_event_seq;
        if (ledger_put_log(ledger, seqs[i], &record, false, err) != ERR_OK ||
            store_delete(ledger->store, ledger->txn, STORE_WAITING,
                         waiting_key(id, WAITING_EVENT, seqs[i], key),
                         err) != ERR_OK) {
            break;
        }
        if (state->event_count < STATE_EVENT_HASHES_MAX) {
            state->event_hashes[state->event_count] =
                (uint32_t)record_event_hash(&record.event);
        }
        state->event_count++;
        state->last_event_seq = seqs[i];
        ledger->totals.waiting--;
    }
    return err->code;
}

/* Set the earlier order of a ticket, and its entry in the index of them. */
static enum err_code
set_related(struct ledger *ledger,
            struct ticket_state *state,
            uint64_t related_number,
            struct err *err)
{
    uint8_t key[RELATED_KEY_BYTES];

    if (state->related_number == related_number) {
        return ERR_OK;
    }
    if (state->related_number != 0) {
        (void)store_delete(
            ledger->store, ledger->txn, STORE_RELATED,
            related_key(state->related_number, state->number, key), err);
    }
    if (related_number != 0) {
        (void)store_put(ledger->store, ledger->txn, STORE_RELATED,
                        related_key(related_number, state->number, key),
                        (struct span){NULL, 0}, 0, err);
    }
    state->related_number = related_number;
    return err->code;
}

enum err_code
ledger_adopt_related(struct ledger *ledger,
                     uint64_t number,
                     struct span id,
                     struct err *err)
{
    uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10];
    uint64_t *numbers;
    size_t count;

    if (list_waiting(ledger, id, WAITING_RELATED, &numbers, &count, err) !=
        ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < count && err->code == ERR_OK; i++) {
        struct cached_state *other = ledger_load(ledger, numbers[i], err);

        if (other == NULL ||
            store_delete(ledger->store, ledger->txn, STORE_WAITING,
                         waiting_key(id, WAITING_RELATED, numbers[i], key),
                         err) != ERR_OK) {
            break;
        }
        if (set_related(ledger, &other->state, number, err) == ERR_OK) {
            (void)ledger_find_repeats(ledger, other, NULL, true, err);
        }
    }
    return err->code;
}

/* Can this be a work-order number at all? */
static bool
names_an_order(struct span related)
{
    struct err ignored = {0};

    return related.bytes > 0 && ticket_id_check(related, &ignored) == ERR_OK;
}

enum err_code
ledger_find_related(struct ledger *ledger,
                    struct ticket_state *state,
                    struct span related,
                    struct err *err)
{
    uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10];
    uint64_t number;

    if (!names_an_order(related)) {
        return set_related(ledger, state, 0, err);
    }
    number =
        ledger_find_id(ledger, related, store_hash(ledger->store, related));
    if (number == 0) {
        (void)store_put(
            ledger->store, ledger->txn, STORE_WAITING,
            waiting_key(related, WAITING_RELATED, state->number, key),
            (struct span){NULL, 0}, 0, err);
    }
    return set_related(ledger, state, number == state->number ? 0 : number,
                       err);
}

enum err_code
ledger_forget_waiting_related(struct ledger *ledger,
                              const struct ticket_state *state,
                              struct err *err)
{
    uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10];
    struct record old;

    if (state->related_number != 0) {
        return ERR_OK; /* it came */
    }
    if (ledger_get_log(ledger, state->record_seq, &old, err) != ERR_OK) {
        return err->code;
    }
    if (names_an_order(old.ticket.related)) {
        (void)store_delete(ledger->store, ledger->txn, STORE_WAITING,
                           waiting_key(old.ticket.related, WAITING_RELATED,
                                       state->number, key),
                           err);
    }
    return err->code;
}

enum err_code
ledger_forget_related(struct ledger *ledger,
                      struct ticket_state *state,
                      struct err *err)
{
    if (ledger_forget_waiting_related(ledger, state, err) == ERR_OK) {
        (void)set_related(ledger, state, 0, err);
    }
    return err->code;
}

enum err_code
ledger_forget_waiting_event(struct ledger *ledger,
                            struct span id,
                            uint64_t seq,
                            struct err *err)
{
    uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10];

    ledger->totals.waiting--;
    return store_delete(ledger->store, ledger->txn, STORE_WAITING,
                        waiting_key(id, WAITING_EVENT, seq, key), err);
}

bool
ledger_same_event_in_log(struct ledger *ledger,
                         uint64_t seq,
                         uint64_t event_hash,
                         uint64_t *previous,
                         struct err *err)
{
    struct record record;

    *previous = 0;
    if (ledger_get_log(ledger, seq, &record, err) != ERR_OK) {
        return false;
    }
    *previous = record.previous;
    return record_event_hash(&record.event) == event_hash;
}

enum err_code
ledger_put_waiting_event(struct ledger *ledger,
                         const struct ticket_event *event,
                         uint64_t event_hash,
                         enum ledger_outcome *outcome,
                         struct err *err)
{
    uint8_t key[TICKET_ID_CHARS_MAX * 4 + 10];
    struct record record = {.kind = RECORD_EVENT,
                            .received_at_us = ledger->now_us,
                            .event = *event};
    uint64_t *seqs;
    size_t count;
    uint64_t previous;
    uint64_t seq;

    if (list_waiting(ledger, event->id, WAITING_EVENT, &seqs, &count, err) !=
        ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < count; i++) {
        if (ledger_same_event_in_log(ledger, seqs[i], event_hash, &previous,
                                     err)) {
            *outcome = LEDGER_DUPLICATE;
            ledger->totals.duplicates++;
            return ERR_OK;
        }
    }
    if (count >= WAITING_EVENTS_MAX) {
        return err_set_field(err, ERR_BUSY, "id",
                             "%d events wait for this ticket already; send "
                             "the ticket",
                             WAITING_EVENTS_MAX);
    }
    seq = ledger->next_seq++;
    *outcome = LEDGER_WAITING;
    ledger->totals.events++;
    ledger->totals.waiting++;
    (void)ledger_put_log(ledger, seq, &record, true, err);
    (void)store_put(ledger->store, ledger->txn, STORE_WAITING,
                    waiting_key(event->id, WAITING_EVENT, seq, key),
                    (struct span){NULL, 0}, 0, err);
    return err->code;
}
