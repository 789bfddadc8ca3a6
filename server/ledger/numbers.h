/*
 * numbers: an in-memory table from a 64-bit hash to a ticket's number.
 *
 * Two uses: id -> number (one entry a ticket) and key -> newest ticket of that
 * customer, phone or address. One writer; any thread may look up at any time
 * without a lock. What a reader finds may be newer than its snapshot: it
 * verifies the number there.
 *
 * Open addressing, linear probing, 16 bytes an entry, at most two thirds full.
 * Hashes are made with a secret, so nobody can choose colliding keys.
 */
#ifndef SERVER_LEDGER_NUMBERS_H
#define SERVER_LEDGER_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct numbers;

/* NULL when there is no memory. */
struct numbers *numbers_new(size_t expected_count);
void numbers_free(struct numbers **numbers);

size_t numbers_count(const struct numbers *numbers);
size_t numbers_bytes(const struct numbers *numbers);

/*
 * Numbers of a hash, newest first; several entries of one hash are possible
 * only for ids (a collision, or a caller that put twice). Start with
 * *cursor = 0; returns 0 at the end. hash is never 0.
 */
uint64_t
numbers_next(const struct numbers *numbers, uint64_t hash, size_t *cursor);

/* The first of them, or 0. */
uint64_t numbers_get(const struct numbers *numbers, uint64_t hash);

/* Bring the line of `hash` into the cache. */
void numbers_prefetch(const struct numbers *numbers, uint64_t hash);

/* Add an entry. False when there is no memory. Writer only. */
bool numbers_add(struct numbers *numbers, uint64_t hash, uint64_t number);

/* Set the one entry of the hash; the old number, or 0 when it is new, goes to
 * *old. False when there is no memory. Writer only. */
bool numbers_set(struct numbers *numbers,
                 uint64_t hash,
                 uint64_t number,
                 uint64_t *old);

/* Take out the entry (hash, number), which is there. Others move up meanwhile:
 * a reader that misses one looks again, see numbers_moves. Writer only. */
void numbers_remove(struct numbers *numbers, uint64_t hash, uint64_t number);

/*
 * Changes with every removal, odd during one. A reader that found nothing asks
 * before and after: when the two differ or are odd, it may have missed an entry
 * on the move and looks again.
 */
uint64_t numbers_moves(const struct numbers *numbers);

#endif /* SERVER_LEDGER_NUMBERS_H */
