/* Ticket versions and events as bytes of the log, field by field. */
#include "server/ledger/record.h"

#include <assert.h>
#include <xxhash.h>

enum { RECORD_VERSION = 1 };

static void
put_evidence(struct byte_writer *w, const struct evidence *evidence)
{
    put_span(w, evidence->rule);
    put_u8(w, evidence->field);
    put_varint(w, evidence->start);
    put_varint(w, evidence->end);
    put_zigzag(w, evidence->weight);
    put_u8(w, evidence->category);
}

static void
get_evidence(struct byte_reader *r, struct evidence *out)
{
    out->rule = get_span(r);
    out->field = (enum evidence_field)get_u8(r);
    out->start = (uint32_t)get_varint(r);
    out->end = (uint32_t)get_varint(r);
    out->weight = (int32_t)get_zigzag(r);
    out->category = (enum ticket_category)get_u8(r);
    out->text = (struct span){NULL, 0};
    r->failed |= out->category >= TICKET_CATEGORY_COUNT ||
                 out->field > EVIDENCE_CUSTOMER;
}

static void
put_verdict(struct byte_writer *w, const struct record_verdict *verdict)
{
    put_varint(w, verdict->dictionary_id);
    put_u8(w, verdict->category);
    put_u8(w, verdict->runner_up);
    put_varint(w, verdict->secondary);
    put_varint(w, verdict->subcategory_id);
    put_varint(w, verdict->topic_id);
    put_varint(w, verdict->matter_id);
    put_varint(w, verdict->confidence_permille);
    put_varint(w, verdict->flags);
    put_u8(w, verdict->region);
    put_evidence(w, &verdict->region_evidence);
    put_varint(w, verdict->evidence_count);
    for (uint32_t i = 0; i < verdict->evidence_count; i++) {
        put_evidence(w, &verdict->evidence[i]);
    }
}

static void
get_verdict(struct byte_reader *r, struct record_verdict *out)
{
    out->dictionary_id = (uint32_t)get_varint(r);
    out->category = (enum ticket_category)get_u8(r);
    out->runner_up = (enum ticket_category)get_u8(r);
    out->secondary = (uint32_t)get_varint(r);
    out->subcategory_id = (uint32_t)get_varint(r);
    out->topic_id = (uint32_t)get_varint(r);
    out->matter_id = (uint32_t)get_varint(r);
    out->confidence_permille = (uint32_t)get_varint(r);
    out->flags = (uint32_t)get_varint(r);
    out->region = (enum ticket_region)get_u8(r);
    get_evidence(r, &out->region_evidence);
    out->evidence_count = (uint32_t)get_varint(r);
    if (out->category >= TICKET_CATEGORY_COUNT ||
        out->runner_up >= TICKET_CATEGORY_COUNT ||
        out->region >= TICKET_REGION_COUNT ||
        out->evidence_count > VERDICT_EVIDENCE_MAX) {
        r->failed = true;
        out->evidence_count = 0;
    }
    for (uint32_t i = 0; i < out->evidence_count; i++) {
        get_evidence(r, &out->evidence[i]);
    }
}

static void
put_ticket(struct byte_writer *w, const struct ticket *ticket)
{
    put_zigzag(w, ticket->accepted_at_us);
    put_u8(w, ticket->type);
    put_u8(w, ticket->channel);
    put_u8(w, ticket->region);
    put_span(w, ticket->id);
    put_span(w, ticket->caller);
    put_span(w, ticket->customer);
    put_span(w, ticket->name);
    put_span(w, ticket->address);
    put_span(w, ticket->unit);
    put_span(w, ticket->text);
    put_span(w, ticket->related);
    put_span(w, ticket->extra);
}

static void
get_ticket(struct byte_reader *r, struct ticket *out)
{
    out->accepted_at_us = get_zigzag(r);
    out->type = (enum ticket_type)get_u8(r);
    out->channel = (enum ticket_channel)get_u8(r);
    out->region = (enum ticket_region)get_u8(r);
    out->id = get_span(r);
    out->caller = get_span(r);
    out->customer = get_span(r);
    out->name = get_span(r);
    out->address = get_span(r);
    out->unit = get_span(r);
    out->text = get_span(r);
    out->related = get_span(r);
    out->extra = get_span(r);
    r->failed |= out->type >= TICKET_TYPE_COUNT ||
                 out->channel >= TICKET_CHANNEL_COUNT ||
                 out->region >= TICKET_REGION_COUNT;
}

static void
put_event(struct byte_writer *w, const struct ticket_event *event)
{
    put_zigzag(w, event->at_us);
    put_u8(w, event->kind);
    put_u8(w, event->satisfaction);
    put_u8(w, event->substantiated);
    put_u8(w, event->region);
    put_u8(w, event->category_given);
    put_u8(w, event->category);
    put_span(w, event->id);
    put_span(w, event->subcategory);
    put_span(w, event->reason);
    put_span(w, event->by);
    put_span(w, event->extra);
}

static void
get_event(struct byte_reader *r, struct ticket_event *out)
{
    out->at_us = get_zigzag(r);
    out->kind = (enum event_kind)get_u8(r);
    out->satisfaction = (enum event_satisfaction)get_u8(r);
    out->substantiated = (enum event_substantiated)get_u8(r);
    out->region = (enum ticket_region)get_u8(r);
    out->category_given = get_u8(r) != 0;
    out->category = (enum ticket_category)get_u8(r);
    out->id = get_span(r);
    out->subcategory = get_span(r);
    out->reason = get_span(r);
    out->by = get_span(r);
    out->extra = get_span(r);
    r->failed |= out->kind >= EVENT_KIND_COUNT ||
                 out->satisfaction >= EVENT_SATISFACTION_COUNT ||
                 out->substantiated >= EVENT_SUBSTANTIATED_COUNT ||
                 out->region >= TICKET_REGION_COUNT ||
                 out->category >= TICKET_CATEGORY_COUNT;
}

void
record_encode(const struct record *record, struct byte_writer *w)
{
    put_u8(w, record->kind);
    put_u8(w, RECORD_VERSION);
    put_varint(w, record->number);
    put_varint(w, record->previous);
    put_zigzag(w, record->received_at_us);
    if (record->kind == RECORD_TICKET) {
        put_ticket(w, &record->ticket);
        put_verdict(w, &record->verdict);
    } else {
        put_event(w, &record->event);
    }
}

bool
record_decode(struct span bytes, struct record *out)
{
    struct byte_reader r = byte_reader_on(bytes.data, bytes.bytes);
    uint8_t kind = get_u8(&r);

    if (get_u8(&r) != RECORD_VERSION) {
        return false;
    }
    out->kind = (enum record_kind)kind;
    out->number = get_varint(&r);
    out->previous = get_varint(&r);
    out->received_at_us = get_zigzag(&r);
    if (kind == RECORD_TICKET) {
        get_ticket(&r, &out->ticket);
        get_verdict(&r, &out->verdict);
    } else if (kind == RECORD_EVENT) {
        get_event(&r, &out->event);
    } else {
        return false;
    }
    return !r.failed && byte_reader_left(&r) == 0;
}

struct span
record_peek_id(struct span bytes)
{
    struct byte_reader r = byte_reader_on(bytes.data, bytes.bytes);
    uint8_t kind = get_u8(&r);

    (void)get_u8(&r);
    (void)get_varint(&r);
    (void)get_varint(&r);
    (void)get_zigzag(&r); /* received */
    (void)get_zigzag(&r); /* accepted */
    (void)get_u8(&r);
    (void)get_u8(&r);
    (void)get_u8(&r);
    return kind == RECORD_TICKET ? get_span(&r) : (struct span){NULL, 0};
}

uint64_t
record_ticket_hash(const struct ticket *ticket)
{
    const struct span fields[] = {
        ticket->id,   ticket->caller,  ticket->customer,
        ticket->name, ticket->address, ticket->unit,
        ticket->text, ticket->related, ticket->extra};
    uint64_t hash =
        XXH3_64bits(&ticket->accepted_at_us, sizeof(ticket->accepted_at_us)) ^
        ((uint64_t)ticket->type << 16 | (uint64_t)ticket->channel << 8 |
         (uint64_t)ticket->region);

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        hash =
            XXH3_64bits_withSeed(fields[i].data != NULL ? fields[i].data : "",
                                 fields[i].bytes, hash + i);
    }
    return hash;
}

uint64_t
record_event_hash(const struct ticket_event *event)
{
    const struct span fields[] = {event->subcategory, event->reason, event->by,
                                  event->extra};
    uint8_t words[6] = {
        (uint8_t)event->kind,           (uint8_t)event->satisfaction,
        (uint8_t)event->substantiated,  (uint8_t)event->region,
        (uint8_t)event->category_given, (uint8_t)event->category};
    uint64_t hash =
        XXH3_64bits_withSeed(words, sizeof(words), (uint64_t)event->at_us);

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].bytes > 0) {
            hash = XXH3_64bits_withSeed(fields[i].data, fields[i].bytes,
                                        hash + i + 1);
        }
    }
    return hash;
}
