/*
 * gathered: what the lists that gather need to know of every ticket, in memory:
 * who called again, which clocks ran out, what lies at one place.
 *
 * A page of such a list is one pass over rows of 32 to 40 bytes, not over the
 * tickets of a range. The rows are those of one snapshot, so a list and the
 * counters of that snapshot agree: gathered_catch_up brings them to the
 * reader's by reading the states of the tickets that are new and of those the
 * writer noted (ledger/changes.h). Nothing is stored: after a start, or when
 * too much was noted, all states are read once, 1 to 2 us each, from one
 * snapshot.
 *
 * Memory    40 to 76 bytes a row, room to grow included: at most GATHERED_CALLERS_MAX,
 *           GATHERED_CLOCKS_MAX and GATHERED_PLACES_MAX of them
 * Thread    one at a time; in the server the one of serve/list_worker.h
 */
#ifndef SERVE_GATHERED_H
#define SERVE_GATHERED_H

#include "server/ledger/changes.h"
#include "server/ledger/reader.h"
#include "server/serve/ticket_rows.h"

enum {
    GATHERED_CALLERS_MAX = 2000000,
    GATHERED_CLOCKS_MAX = 2000000,
    GATHERED_PLACES_MAX = 1000000 /* of the newest tickets that name one */
};

enum gathered_bit {
    GATHERED_COUNTED = 1u << 0, /* in COUNTER_repeats */
    GATHERED_THIRD_CALL = 1u << 1,
    GATHERED_BURST = 1u << 2,
    GATHERED_SETTLED = 1u << 3
};

/* A ticket that repeats another one, or that another one repeats; at_us: when
 * it was accepted. */
struct gathered_caller {
    struct ticket_row row;
    uint64_t previous;      /* the ticket it repeats; 0: none */
    uint32_t previous_slot; /* + 1: where that was; look whether it still is */
    uint8_t bits;
    uint8_t key; /* enum repeat_key */
};

/* A clock that ran out; at_us: when it was due. */
struct gathered_clock {
    struct ticket_row row;
    uint32_t kind_id;
    bool open;
};

/* A ticket that names a place and a matter; at_us: when it was accepted. */
struct gathered_place {
    struct ticket_row row;
    uint64_t place_hash; /* of place, unit and matter */
    uint64_t person;
};

struct gathered {
    struct ticket_rows callers;
    struct ticket_rows clocks;
    struct ticket_rows places;
    bool callers_cut; /* there are more than the limit */
    bool clocks_cut;
    /* Of tickets accepted at or before this instant places may be missing;
     * INT64_MIN: of none. */
    int64_t places_cut_us;

    /* of gathered.c */
    struct changes *changes;
    bool built;
    size_t txn_id; /* the snapshot the rows are of */
    uint64_t next; /* tickets below this number are in the rows */
    uint64_t *numbers;
    struct record *record;
    char *place;
    const struct reader *reader;
    struct err *err;
};

/*
 * Nothing is read yet.
 *   changes     what the writer notes, borrowed; taken by nobody else. NULL:
 *               every snapshot is read anew
 *   places_max  GATHERED_PLACES_MAX, or less for a test
 * NULL when there is no memory
 */
struct gathered *gathered_new(struct changes *changes, size_t places_max);
/* Accepts NULL. */
void gathered_free(struct gathered **gathered);

/* The slot of the ticket that the caller repeats; GATHERED_CALLERS_MAX: it
 * repeats none, or that one has expired. */
size_t gathered_repeated(const struct ticket_rows *callers,
                         const struct gathered_caller *caller);

/*
 * Make the rows those of the reader's snapshot, which must not be older than
 * the one before.
 * Errors  CORRUPT, NO_MEMORY, IO; the next call reads everything anew
 * Cost    a state (and a record, for its place) for each new or changed ticket
 */
enum err_code gathered_catch_up(struct gathered *gathered,
                                const struct reader *reader,
                                struct err *err) MUST_CHECK;

#endif /* SERVE_GATHERED_H */
