/* An event, a refused line or a fed value into the batch. */
#include "server/ledger/ledger_internal.h"

#include <assert.h>

/* Is this event on the ticket's chain already? */
static bool
on_chain(struct ledger *ledger,
         const struct ticket_state *state,
         uint64_t event_hash,
         struct err *err)
{
    uint64_t seq = state->last_event_seq;

    if (!state_knows_event(state, event_hash)) {
        return false;
    }
    while (seq != 0 && err->code == ERR_OK) {
        uint64_t previous;

        if (ledger_same_event_in_log(ledger, seq, event_hash, &previous, err)) {
            return true;
        }
        seq = previous;
    }
    return false;
}

/* A correction older than the one in force: fold everything in order. */
static enum err_code
fold_late_correction(struct ledger *ledger,
                     struct ticket_state *state,
                     const struct ticket_event *event,
                     struct err *err)
{
    struct record version;

    if (state->event_count < STATE_EVENT_HASHES_MAX) {
        state->event_hashes[state->event_count] =
            (uint32_t)record_event_hash(event);
    }
    state->event_count++;
    if (ledger_get_log(ledger, state->record_seq, &version, err) != ERR_OK) {
        return err->code;
    }
    return ledger_fold_again(ledger, state, &version, state->record_seq, err);
}

static enum err_code
apply_event(struct ledger *ledger,
            struct cached_state *cached,
            const struct ticket_event *event,
            struct err *err)
{
    struct ticket_state *state = &cached->state;
    bool repeats_move = event->kind == EVENT_KIND_CORRECTED ||
                        event->kind == EVENT_KIND_FINAL_REPLY;

    if (event->kind == EVENT_KIND_CORRECTED &&
        state->event_at_us[EVENT_KIND_CORRECTED] != STATE_NEVER &&
        event->at_us < state->event_at_us[EVENT_KIND_CORRECTED]) {
        (void)fold_late_correction(ledger, state, event, err);
    } else {
        state_apply_event(
            state, event,
            ledger_subcategory_name_id(ledger, event->subcategory, err));
    }
    if (err->code == ERR_OK &&
        ledger_judge_again(ledger, cached, err) == ERR_OK && repeats_move) {
        (void)ledger_find_repeats(ledger, cached, NULL, true, err);
    }
    return err->code;
}

enum err_code
ledger_put_event(struct ledger *ledger,
                 const struct ticket_event *event,
                 enum ledger_outcome *outcome,
                 struct err *err)
{
    uint64_t event_hash = record_event_hash(event);
    uint64_t number =
        ledger_find_id(ledger, event->id, store_hash(ledger->store, event->id));
    struct record record = {.kind = RECORD_EVENT,
                            .number = number,
                            .received_at_us = ledger->now_us,
                            .event = *event};
    struct cached_state *cached;
    uint64_t seq;

    assert(ledger->txn != NULL);
    if (number == 0 && event->at_us < ledger->horizon_us) {
        return err_set_field(err, ERR_EXPIRED, "at",
                             "tickets of that time have expired, and this "
                             "event's ticket is not here");
    }
    if (number == 0) {
        return ledger_put_waiting_event(ledger, event, event_hash, outcome,
                                        err);
    }
    cached = ledger_load(ledger, number, err);
    if (cached == NULL) {
        return err->code;
    }
    if (on_chain(ledger, &cached->state, event_hash, err)) {
        *outcome = LEDGER_DUPLICATE;
        ledger->totals.duplicates++;
        return err->code;
    }
    seq = ledger->next_seq++;
    record.previous = cached->state.last_event_seq;
    if (ledger_put_log(ledger, seq, &record, true, err) != ERR_OK) {
        return err->code;
    }
    cached->state.last_event_seq = seq;
    ledger->totals.events++;
    *outcome = LEDGER_ACCEPTED;
    return apply_event(ledger, cached, event, err);
}

enum err_code
ledger_put_reject(struct ledger *ledger,
                  const struct ledger_reject *reject,
                  struct err *err)
{
    uint8_t key_bytes[LEDGER_LOG_KEY_BYTES];
    struct span key = ledger_seq_key(++ledger->totals.rejects, key_bytes);
    struct byte_writer w =
        byte_writer_on(ledger->record_room, RECORD_BYTES_MAX);
    struct span bytes = reject->bytes;
    size_t used;

    if (bytes.bytes > LEDGER_REJECT_BYTES_MAX) {
        bytes.bytes = LEDGER_REJECT_BYTES_MAX;
    }
    put_u8(&w, 1);
    put_zigzag(&w, reject->at_us);
    put_varint(&w, reject->line);
    put_span(&w, span_of(err_code_name(reject->code)));
    put_span(&w, reject->source);
    put_span(&w, reject->field);
    put_span(&w, reject->detail);
    put_varint(&w, reject->line_bytes);
    put_span(&w, bytes);
    if (w.failed) {
        return err_set(err, ERR_TOO_LONG,
                       "a refused line with its source and "
                       "reason is too long to keep");
    }
    used = store_seal(key, ledger->record_room, byte_writer_used(&w));
    return store_put(ledger->store, ledger->txn, STORE_REJECTS, key,
                     (struct span){(char *)ledger->record_room, used},
                     MDB_APPEND, err);
}

enum err_code
ledger_put_fact(struct ledger *ledger,
                const struct ledger_fact *fact,
                struct err *err)
{
    uint8_t key[3 * LEDGER_FACT_NAME_BYTES_MAX];
    uint8_t value[512];
    struct byte_writer kw = byte_writer_on(key, sizeof(key));
    struct byte_writer w = byte_writer_on(value, sizeof(value));
    struct span by = fact->by;

    if (fact->name.bytes == 0 ||
        fact->name.bytes + fact->unit.bytes + fact->period.bytes + 2 >
            LEDGER_FACT_NAME_BYTES_MAX * 2) {
        return err_set_field(err, ERR_BAD_VALUE, "name",
                             "name, unit and period together may have %d "
                             "bytes",
                             LEDGER_FACT_NAME_BYTES_MAX * 2);
    }
    if (by.bytes > LEDGER_FACT_NAME_BYTES_MAX) {
        by.bytes = utf8_cut(by.data, LEDGER_FACT_NAME_BYTES_MAX);
    }
    put_bytes(&kw, fact->name.data, fact->name.bytes);
    put_u8(&kw, 0);
    put_bytes(&kw, fact->unit.data, fact->unit.bytes);
    put_u8(&kw, 0);
    put_bytes(&kw, fact->period.data, fact->period.bytes);
    put_u8(&w, 1);
    put_bytes(&w, &fact->numerator, sizeof(fact->numerator));
    put_bytes(&w, &fact->denominator, sizeof(fact->denominator));
    put_zigzag(&w, fact->at_us);
    put_span(&w, by);
    return store_put(ledger->store, ledger->txn, STORE_FACTS,
                     (struct span){(char *)key, byte_writer_used(&kw)},
                     (struct span){(char *)value, byte_writer_used(&w)}, 0,
                     err);
}
