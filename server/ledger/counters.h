/*
 * counters: cells of sums on disk, and the sums of one batch on their way
 * there.
 *
 * A cell is a grain, a period and a unit (0 = all units); its value is a list
 * of slots (tally.h). A batch adds up the changes of its tickets in memory,
 * then counters_flush rolls them up the calendar and the units' path and merges
 * each touched cell once.
 *
 * Source    docs/storage-format.md, "counters"
 */
#ifndef SERVER_LEDGER_COUNTERS_H
#define SERVER_LEDGER_COUNTERS_H

#include "server/ledger/names.h"
#include "server/ledger/tally.h"

enum counter_grain {
    GRAIN_HOUR,
    GRAIN_DAY,
    GRAIN_MONTH,
    GRAIN_QUARTER,
    GRAIN_YEAR
};

struct counter_cell {
    enum counter_grain grain;
    int32_t day;  /* first day of the period */
    uint8_t hour; /* 0..23 for GRAIN_HOUR, else 0 */
    uint32_t unit_id;
};

struct counter_slot {
    uint32_t slot;
    int64_t count;
};

struct counter_sums;

struct counter_sums *counter_sums_new(void);
void counter_sums_free(struct counter_sums **sums);
void counter_sums_reset(struct counter_sums *sums);

/* Add `sign` (+1, -1) times a ticket's contribution. False: no memory. */
bool counter_sums_add(struct counter_sums *sums,
                      const struct tally *tally,
                      int64_t sign);

/* One slot of the day and unit of a ticket, rolled up. False: no memory. */
bool counter_sums_add_slot(struct counter_sums *sums,
                           const struct tally *tally,
                           uint32_t slot,
                           int64_t count);

/* One slot of one cell. A day's is rolled up like a ticket's, others are not
 * (distinct persons). */
bool counter_sums_add_cell(struct counter_sums *sums,
                           const struct counter_cell *cell,
                           uint32_t slot,
                           int64_t count);

/*
 * Merge everything into the cells of `db` (STORE_COUNTERS, STORE_KEPT) in `txn`
 * and reset.
 * Errors  the store's; CORRUPT when a stored cell makes no sense
 */
enum err_code counters_flush(struct counter_sums *sums,
                             const struct store *store,
                             const struct names *names,
                             MDB_txn *txn,
                             enum store_db db,
                             struct err *err);

/*
 * Everything rolled up as cells, in the order of their keys, without touching
 * the store; then reset. `visit` returns false to stop.
 * Returns false when it did, or there is no memory.
 */
typedef bool counter_visit(void *data,
                           const struct counter_cell *cell,
                           const struct counter_slot *slots,
                           size_t slot_count);
bool counter_sums_visit(struct counter_sums *sums,
                        const struct names *names,
                        counter_visit *visit,
                        void *data);

/* --- reading, in any snapshot --- */

enum { COUNTER_CELL_KEY_BYTES = 10, COUNTER_SLOTS_MAX = 65536 };

void counter_cell_key(const struct counter_cell *cell,
                      uint8_t key[COUNTER_CELL_KEY_BYTES]);
bool counter_cell_from_key(struct span key, struct counter_cell *out);

/* Iterate over a cell's value: call with *r on the value and *slot = 0 at
 * first. False at the end or on damage (r->failed). */
bool counter_next_slot(struct byte_reader *r, uint32_t *slot, int64_t *count);

/*
 * Visit all cells of a grain and unit with first_day <= day <= last_day.
 * Cost    one key a unit and period: cells of other units are skipped by
 *         seeking
 */
enum err_code counters_visit(const struct store *store,
                             MDB_txn *txn,
                             enum counter_grain grain,
                             uint32_t unit_id,
                             int32_t first_day,
                             int32_t last_day,
                             counter_visit *visit,
                             void *data,
                             struct err *err) MUST_CHECK;

/* The same over the days of `kept`: what expired tickets contributed; its slots
 * hold what enum tally_kept says, too. */
enum err_code counters_visit_kept(const struct store *store,
                                  MDB_txn *txn,
                                  uint32_t unit_id,
                                  int32_t first_day,
                                  int32_t last_day,
                                  counter_visit *visit,
                                  void *data,
                                  struct err *err) MUST_CHECK;

#endif /* SERVER_LEDGER_COUNTERS_H */
