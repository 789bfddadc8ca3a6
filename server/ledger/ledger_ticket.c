/* A ticket or a new version of it into the batch. */
#include "server/ledger/ledger_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/units.h"

static size_t
normalise_phone(struct span phone, char *out, size_t out_bytes)
{
    size_t used = 0;

    for (size_t i = 0; i < phone.bytes && used < out_bytes; i++) {
        if (phone.data[i] >= '0' && phone.data[i] <= '9') {
            out[used++] = phone.data[i];
        }
    }
    if (used > 11 && memcmp(out, "86", 2) == 0) {
        memmove(out, out + 2, used - 2);
        used -= 2;
    }
    return used >= 7 ? used : 0; /* shorter ones are extensions or codes */
}

/* The first two levels of a unit's path. */
static struct span
city_of_unit(struct span unit)
{
    struct span rest = unit;

    (void)span_split(&rest, '/');
    (void)span_split(&rest, '/');
    if (rest.data != NULL) {
        unit.bytes = (size_t)(rest.data - unit.data) - 1;
    }
    return unit;
}

uint64_t
ledger_key_hash(const struct store *store,
                enum repeat_key key,
                const struct ticket *ticket)
{
    char room[1 + TICKET_FIELD_BYTES_MAX];
    size_t used = 0;
    uint64_t hash;

    switch (key) {
    case REPEAT_KEY_CUSTOMER:
        used = ticket->customer.bytes <= TICKET_FIELD_BYTES_MAX
                   ? ticket->customer.bytes
                   : TICKET_FIELD_BYTES_MAX;
        if (used > 0) {
            memcpy(room + 1, ticket->customer.data, used);
        }
        break;
    case REPEAT_KEY_CALLER:
        used = normalise_phone(ticket->caller, room + 1, sizeof(room) - 1);
        break;
    case REPEAT_KEY_ADDRESS:
        used = ticket->address.bytes <= TICKET_FIELD_BYTES_MAX
                   ? repeat_normalise_address(ticket->address, room + 1)
                   : 0;
        break;
    default:
        break;
    }
    if (used == 0) {
        return 0;
    }
    room[0] = (char)('0' + (int)key);
    hash = store_hash(store, (struct span){room, used + 1});
    if (key == REPEAT_KEY_ADDRESS) {
        /* "3组5号" of one city is not that of another. */
        hash ^= store_hash(store, city_of_unit(ticket->unit));
        hash = hash != 0 ? hash : 1;
    }
    return hash;
}

/* Put the ticket at the head of the chains of its keys. */
static enum err_code
link_keys(struct ledger *ledger,
          struct ticket_state *state,
          const struct ticket *ticket,
          struct err *err)
{
    for (int i = 0; i < STATE_KEYS; i++) {
        uint64_t hash =
            ledger_key_hash(ledger->store, (enum repeat_key)(i + 1), ticket);
        struct ledger_undo undo = {ledger->keys, hash, state->number, 0};

        state->key_hash[i] = 0;
        if (hash == 0) {
            continue;
        }
        if (state_find_link(state, hash) == NULL) {
            if (state->link_count == STATE_LINKS_MAX) {
                continue; /* versions that change keys again and again */
            }
            if (!ledger_make_undo_room(ledger) ||
                !numbers_set(ledger->keys, hash, state->number, &undo.old)) {
                return err_set(err, ERR_NO_MEMORY, "keys");
            }
            ledger->undo[ledger->undo_count++] = undo;
            if (!ledger_add_pair(&ledger->new_keys, hash, state->number)) {
                return err_set(err, ERR_NO_MEMORY, "keys");
            }
            state->links[state->link_count++] =
                (struct state_link){hash, undo.old};
        }
        state->key_hash[i] = hash;
    }
    return ERR_OK;
}

enum err_code
ledger_fold_again(struct ledger *ledger,
                  struct ticket_state *state,
                  const struct record *version,
                  uint64_t version_seq,
                  struct err *err)
{
    struct ticket_state kept = *state;
    size_t count = 0;
    struct chain_event *chain = ledger_load_chain(ledger, state, &count, err);

    if (chain == NULL) {
        return err->code;
    }
    state_begin(state, version, version_seq);
    state->number = kept.number;
    state->last_event_seq = kept.last_event_seq;
    state->version_count = kept.version_count;
    state->judged_by = kept.judged_by;
    state->unit_id = kept.unit_id;
    memcpy(state->key_hash, kept.key_hash, sizeof(state->key_hash));
    memcpy(state->links, kept.links, sizeof(state->links));
    state->link_count = kept.link_count;
    state->related_number = kept.related_number;
    state->repeat_previous = kept.repeat_previous;
    state->repeat_key = kept.repeat_key;
    state->calls = kept.calls;
    state->burst_calls = kept.burst_calls;
    state->repeat_settled = kept.repeat_settled;
    state->repeat_crowded = kept.repeat_crowded;
    for (size_t i = 0; i < count; i++) {
        state_apply_event(state, &chain[i].event,
                          ledger_subcategory_name_id(
                              ledger, chain[i].event.subcategory, err));
    }
    /* The marks of known events stay in the order of arrival. */
    memcpy(state->event_hashes, kept.event_hashes, sizeof(kept.event_hashes));
    state->event_count = kept.event_count;
    return err->code;
}

static enum err_code
intern_verdict(struct ledger *ledger,
               const struct verdict *verdict,
               struct record_verdict *out,
               struct err *err)
{
    out->dictionary_id = ledger->dictionary_id;
    out->category = verdict->category;
    out->runner_up = verdict->runner_up;
    out->secondary = verdict->secondary;
    out->subcategory_id = ledger_row_name_id(ledger, verdict->subcategory, err);
    out->topic_id = ledger_row_name_id(ledger, verdict->topic, err);
    out->matter_id = ledger_row_name_id(ledger, verdict->matter, err);
    out->confidence_permille = verdict->confidence_permille;
    out->flags = verdict->flags;
    out->region = verdict->region;
    out->region_evidence = verdict->region_evidence;
    out->evidence_count = verdict->evidence_count;
    memcpy(out->evidence, verdict->evidence,
           verdict->evidence_count * sizeof(verdict->evidence[0]));
    return err->code;
}

/* What a version says beyond the verdict: unit, keys, the related order. */
static enum err_code
settle_version(struct ledger *ledger,
               struct ticket_state *state,
               const struct ticket *ticket,
               struct err *err)
{
    struct span path = units_path(ledger->dictionary->units, ticket->unit);

    (void)names_intern(ledger->names, ledger->txn, NAME_UNIT, path,
                       &state->unit_id, err);
    (void)link_keys(ledger, state, ticket, err);
    (void)ledger_find_related(ledger, state, ticket->related, err);
    return err->code;
}

static enum err_code
put_new_ticket(struct ledger *ledger,
               struct record *record,
               uint64_t id_hash,
               struct err *err)
{
    uint64_t number = ledger->next_seq++;
    struct cached_state *cached = ledger_cache_add(ledger, number, err);
    struct ledger_undo undo = {ledger->ids, id_hash, number, 0};

    if (cached == NULL) {
        return err->code;
    }
    record->number = number;
    if (ledger_put_log(ledger, number, record, true, err) != ERR_OK) {
        return err->code;
    }
    if (!ledger_make_undo_room(ledger) ||
        !numbers_add(ledger->ids, id_hash, number)) {
        return err_set(err, ERR_NO_MEMORY, "ids");
    }
    ledger->undo[ledger->undo_count++] = undo;
    if (!ledger_add_pair(&ledger->new_ids, id_hash, number)) {
        return err_set(err, ERR_NO_MEMORY, "ids");
    }
    state_begin(&cached->state, record, number);
    cached->is_new = true;
    ledger_know_id(ledger, number, record->ticket.id);
    ledger->totals.tickets++;
    if (settle_version(ledger, &cached->state, &record->ticket, err) !=
        ERR_OK) {
        return err->code;
    }
    if (ledger->totals.waiting > 0 &&
        (ledger_adopt_waiting(ledger, &cached->state, record->ticket.id, err) !=
             ERR_OK ||
         (cached->state.event_count > 0 &&
          ledger_fold_again(ledger, &cached->state, record, number, err) !=
              ERR_OK))) {
        return err->code;
    }
    ledger_judge_later(ledger, cached);
    if (ledger_find_repeats(ledger, cached, NULL, false, err) != ERR_OK) {
        return err->code;
    }
    return ledger_adopt_related(ledger, number, record->ticket.id, err);
}

static enum err_code
put_new_version(struct ledger *ledger,
                struct record *record,
                struct cached_state *cached,
                struct err *err)
{
    struct ticket_state *state = &cached->state;
    struct ticket_state was = *state;
    uint64_t seq = ledger->next_seq++;

    record->number = state->number;
    record->previous = state->record_seq;
    if (ledger_put_log(ledger, seq, record, true, err) != ERR_OK ||
        ledger_forget_waiting_related(ledger, state, err) != ERR_OK ||
        settle_version(ledger, state, &record->ticket, err) != ERR_OK ||
        ledger_fold_again(ledger, state, record, seq, err) != ERR_OK) {
        return err->code;
    }
    ledger_judge_later(ledger, cached);
    state->version_count++;
    ledger->totals.versions++;
    return ledger_find_repeats(ledger, cached, &was, true, err);
}

static bool
same_judgement(const struct record_verdict *a, const struct record_verdict *b)
{
    return a->category == b->category &&
           a->subcategory_id == b->subcategory_id &&
           a->topic_id == b->topic_id && a->region == b->region;
}

enum err_code
ledger_put_verdict(struct ledger *ledger,
                   uint64_t number,
                   uint64_t record_seq,
                   const struct verdict *verdict,
                   enum ledger_rejudged *outcome,
                   struct err *err)
{
    struct cached_state *cached;
    struct record_verdict was;
    struct record record;

    assert(ledger->txn != NULL);
    if (!ledger_has_ticket(ledger, number, err)) {
        *outcome = LEDGER_REJUDGED_STALE;
        return err->code;
    }
    cached = ledger_load(ledger, number, err);
    if (cached == NULL) {
        return err->code;
    }
    if (cached->state.record_seq != record_seq) {
        *outcome = LEDGER_REJUDGED_STALE;
        return ERR_OK;
    }
    if (ledger_copy_log(ledger, record_seq, &record, err) != ERR_OK) {
        return err->code;
    }
    was = record.verdict;
    if (intern_verdict(ledger, verdict, &record.verdict, err) != ERR_OK ||
        ledger_put_log(ledger, record_seq, &record, false, err) != ERR_OK ||
        names_intern(ledger->names, ledger->txn, NAME_UNIT,
                     units_path(ledger->dictionary->units, record.ticket.unit),
                     &cached->state.unit_id, err) != ERR_OK ||
        ledger_fold_again(ledger, &cached->state, &record, record_seq, err) !=
            ERR_OK) {
        return err->code;
    }
    ledger_judge_later(ledger, cached);
    *outcome = same_judgement(&was, &record.verdict) ? LEDGER_REJUDGED_SAME
                                                     : LEDGER_REJUDGED_MOVED;
    return ledger_find_repeats(ledger, cached, NULL, true, err);
}

enum err_code
ledger_put_reclassify(struct ledger *ledger,
                      const struct ledger_reclassify *mark,
                      struct err *err)
{
    uint8_t room[128];
    struct byte_writer w = byte_writer_on(room, sizeof(room));

    put_u8(&w, 1);
    put_span(&w, span_of(mark->dictionary));
    put_varint(&w, mark->next);
    put_varint(&w, mark->done);
    put_varint(&w, mark->total);
    put_varint(&w, mark->moved);
    put_zigzag(&w, mark->started_us);
    put_zigzag(&w, mark->ended_us);
    return store_put(ledger->store, ledger->txn, STORE_META,
                     SPAN_LITERAL("reclassify"),
                     (struct span){(char *)room, byte_writer_used(&w)}, 0, err);
}

enum err_code
ledger_put_rule_hits(struct ledger *ledger,
                     const struct ledger_rule_hits *hits,
                     struct err *err)
{
    uint8_t room[128];
    struct byte_writer w = byte_writer_on(room, sizeof(room));
    char key[sizeof("rule/") + LEDGER_RULE_BYTES_MAX];

    (void)snprintf(key, sizeof(key), "rule/%s", hits->rule);
    put_u8(&w, 1);
    put_varint(&w, hits->ever);
    put_zigzag(&w, hits->day);
    put_varint(&w, hits->today);
    put_zigzag(&w, hits->last_us);
    for (int c = 0; c < TICKET_CATEGORY_COUNT; c++) {
        put_varint(&w, hits->lost[c]);
    }
    return store_put(ledger->store, ledger->txn, STORE_META, span_of(key),
                     (struct span){(char *)room, byte_writer_used(&w)}, 0, err);
}

const struct dictionary *
ledger_dictionary(const struct ledger *ledger)
{
    return ledger->dictionary;
}

enum err_code
ledger_put_ticket(struct ledger *ledger,
                  const struct ticket *ticket,
                  const struct verdict *verdict,
                  enum ledger_outcome *outcome,
                  struct err *err)
{
    uint64_t id_hash = store_hash(ledger->store, ticket->id);
    uint64_t number = ledger_find_id(ledger, ticket->id, id_hash);
    struct record record = {.kind = RECORD_TICKET,
                            .received_at_us = ledger->now_us,
                            .ticket = *ticket};
    struct cached_state *cached;

    assert(ledger->txn != NULL);
    if (number == 0 && ticket->accepted_at_us < ledger->horizon_us) {
        return err_set_field(err, ERR_EXPIRED, "accepted_at",
                             "tickets from before this server's horizon have "
                             "expired and stay counted as they were; one that "
                             "is not here is not taken any more");
    }
    if (intern_verdict(ledger, verdict, &record.verdict, err) != ERR_OK) {
        return err->code;
    }
    if (number == 0) {
        *outcome = LEDGER_ACCEPTED;
        return put_new_ticket(ledger, &record, id_hash, err);
    }
    cached = ledger_load(ledger, number, err);
    if (cached == NULL) {
        return err->code;
    }
    if (cached->state.content_hash == record_ticket_hash(ticket)) {
        *outcome = LEDGER_DUPLICATE;
        ledger->totals.duplicates++;
        return ERR_OK;
    }
    *outcome = LEDGER_UPDATED;
    return put_new_version(ledger, &record, cached, err);
}
