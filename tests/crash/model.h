/*
 * model: what a store must hold after it took some lines, by the contract:
 * tickets and events once, the same content again is a duplicate, other content
 * is a new version, an event may come before its ticket.
 *
 * It knows nothing of the store: ids and bytes of lines that bench/generate
 * wrote.
 */
#ifndef TESTS_CRASH_MODEL_H
#define TESTS_CRASH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/span.h"
#include "bench/generate.h"

struct model_entry {
    uint64_t key;     /* of a ticket: its id; of an event: hash of the line */
    uint64_t content; /* hash of the version in force; 0: no ticket yet */
    uint32_t waiting; /* events that came before the ticket */
};

struct model {
    struct model_entry *entries; /* owned; open addressing */
    size_t room;
    size_t count;
    uint64_t tickets;
    uint64_t events;
    uint64_t duplicates;
    uint64_t versions;
    uint64_t waiting;
    uint64_t rejects;
};

enum model_outcome {
    MODEL_REJECT,    /* on the reject list */
    MODEL_DUPLICATE, /* counted, nothing stored */
    MODEL_TICKET,    /* a record of the log: a ticket or a new version */
    MODEL_EVENT      /* a record of the log */
};

/* Take one line (without its line feed). False: no memory. */
bool model_take(struct model *model,
                struct span line,
                enum generated_kind kind,
                enum model_outcome *outcome);

/* All lines that were taken. */
uint64_t model_lines(const struct model *model);

void model_release(struct model *model);

/* The sixteen digits of the id of a generated line. */
struct span model_line_id(struct span line);
bool model_line_is_event(struct span line);

#endif /* TESTS_CRASH_MODEL_H */
