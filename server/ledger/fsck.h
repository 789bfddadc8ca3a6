/*
 * fsck: is everything in the store what its log says?
 *
 * Recomputes all that docs/storage-format.md promises, from the log records
 * alone and by other ways than the ledger goes (whole sorted arrays, not one
 * ticket at a time): chains, states, clocks, repeat calls, every index and
 * every counter. Reads one snapshot; a server may write meanwhile.
 *
 * Counters are the sum over the tickets that are there and `kept`, which holds
 * what expired ones contributed.
 *
 * Four things are left out, and counted: clocks and repeat calls of tickets
 * that other tables judged last; repeat calls of tickets with a key that more
 * tickets have than repeat.candidates_max compares, now or when it was judged;
 * repeat calls of tickets that may rest on expired ones; the total of
 * duplicates, which leave no trace.
 *
 * Effects   reads the store
 */
#ifndef SERVER_LEDGER_FSCK_H
#define SERVER_LEDGER_FSCK_H

#include "analyzers/dictionary.h"
#include "server/ledger/ledger.h"
#include "server/ledger/store.h"

enum { FSCK_LINE_BYTES = 256, FSCK_LINES_MAX_DEFAULT = 100 };

struct fsck_options {
    uint64_t lines_max; /* differences told one by one */
    /* One difference: where, what, expected, found; no personal data. */
    void (*line)(void *data, const char *text);
    /* May be NULL. `done` of `total` log records and tickets. */
    void (*progress)(void *data, uint64_t done, uint64_t total);
    void *data;
};

struct fsck_result {
    uint64_t differences;
    uint64_t records; /* of the log */
    uint64_t tickets;
    uint64_t versions; /* beyond the first of each ticket */
    uint64_t events;   /* those that wait included */
    uint64_t waiting;
    uint64_t rejects;
    uint64_t names;
    uint64_t facts;
    uint64_t clocks;
    uint64_t index_entries; /* times, due, overdue, related, customers */
    uint64_t counter_cells;
    uint64_t counter_slots;
    uint64_t judged_by_others;  /* tickets: clocks and repeats not checked */
    uint64_t repeats_unchecked; /* tickets with a key of too many */
    uint64_t repeats_standing;  /* tickets that may rest on expired ones */
    uint64_t expired;           /* tickets */
    uint64_t kept_cells;
};

/*
 * Check everything in one snapshot.
 *
 *   dictionary  the tables in use; needs taxonomy, units, deadlines, calendar
 *               and repeat
 *
 * Errors  the store's, NO_MEMORY: the check could not be done; a damaged store
 *         that can be read is differences, not an error
 * Cost    about 10 us and 300 bytes of memory a ticket
 */
enum err_code fsck_run(const struct store *store,
                       const struct dictionary *dictionary,
                       const struct fsck_options *options,
                       struct fsck_result *out,
                       struct err *err) MUST_CHECK;

#endif /* SERVER_LEDGER_FSCK_H */
