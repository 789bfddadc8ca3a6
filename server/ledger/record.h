/*
 * record: one accepted ticket version or event as bytes of the log.
 *
 * Source    docs/storage-format.md, "log record"
 * Effects   none
 */
#ifndef SERVER_LEDGER_RECORD_H
#define SERVER_LEDGER_RECORD_H

#include "analyzers/classify.h"
#include "analyzers/ticket.h"
#include "server/ledger/bytes.h"

enum record_kind { RECORD_TICKET = 1, RECORD_EVENT = 2 };

enum { RECORD_BYTES_MAX = 512 * 1024 };

/* A verdict whose names are numbers (server/ledger/names.h). */
struct record_verdict {
    uint32_t dictionary_id;
    enum ticket_category category;
    enum ticket_category runner_up;
    uint32_t secondary;
    uint32_t subcategory_id;
    uint32_t topic_id;
    uint32_t matter_id;
    uint32_t confidence_permille;
    uint32_t flags;
    enum ticket_region region;
    struct evidence region_evidence; /* .text is not stored: see start, end */
    uint32_t evidence_count;
    struct evidence evidence[VERDICT_EVIDENCE_MAX];
};

struct record {
    enum record_kind kind;
    uint64_t number;   /* of the ticket; 0 for an event that waits */
    uint64_t previous; /* seq of the version or event before this one, or 0 */
    int64_t received_at_us;
    struct ticket ticket;          /* RECORD_TICKET */
    struct record_verdict verdict; /* RECORD_TICKET */
    struct ticket_event event;     /* RECORD_EVENT */
};

void record_encode(const struct record *record, struct byte_writer *w);

/* Decode; spans borrow from `bytes`. False when the bytes make no sense. */
bool record_decode(struct span bytes, struct record *out);

/* Only the id of an encoded ticket version; the empty span if it is none. */
struct span record_peek_id(struct span bytes);

/* A hash of everything the sender said, for telling a duplicate from a new
 * version; independent of when it came and how it was judged. */
uint64_t record_ticket_hash(const struct ticket *ticket);
uint64_t record_event_hash(const struct ticket_event *event);

#endif /* SERVER_LEDGER_RECORD_H */
