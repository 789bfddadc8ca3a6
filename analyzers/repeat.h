/*
 * repeat: has this customer called about the same matter before?
 *
 * Flow      classify -> [repeat] -> ledger
 * Input     one judged ticket, the earlier tickets that share a key with it
 * Output    one struct repeat_finding
 * Effects   none: no clock, no I/O, no allocation
 * Source    analyzers/DESIGN.md#repeat; window and thresholds are rows of
 *           dict/settings.csv
 *
 * The same matter is the same second-level subcategory (or, for tickets
 * without one, see `matter`), from the same customer number, else the same
 * phone, else the same normalised address, accepted inside the window before.
 * A related work-order number links directly whatever the window. A phone that
 * gave more than `phone_customers_max` customer numbers inside the window is
 * not a person and links nothing.
 */
#ifndef ANALYZERS_REPEAT_H
#define ANALYZERS_REPEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/dictionary.h"
#include "analyzers/ticket.h"

/* Rows of dict/settings.csv that begin with "repeat." */
struct repeat_settings {
    int64_t window_us;            /* repeat.window_days, 30 */
    uint32_t repeat_min;          /* repeat.calls_min, 2 */
    uint32_t third_call_min;      /* repeat.third_call_min, 3 */
    uint32_t burst_min;           /* repeat.burst_calls_min, 4 */
    int64_t burst_window_us;      /* repeat.burst_minutes, 120 */
    uint32_t phone_customers_max; /* repeat.phone_customers_max, 3 */
    uint32_t candidates_max;      /* repeat.candidates_max, 64 */
};

enum err_code repeat_settings_build(const struct dictionary_file *files,
                                    size_t file_count,
                                    struct repeat_settings **out,
                                    struct err *err) MUST_CHECK;
void repeat_settings_free(struct repeat_settings **settings);

enum repeat_key {
    REPEAT_KEY_NONE,
    REPEAT_KEY_CUSTOMER,
    REPEAT_KEY_CALLER,
    REPEAT_KEY_ADDRESS,
    REPEAT_KEY_RELATED
};

/* What repeat needs to know of a ticket; hashes are 0 when the field is not
 * given. */
struct repeat_ticket {
    uint64_t number; /* the ledger's own number, > 0 */
    int64_t accepted_at_us;
    uint64_t customer_hash;
    uint64_t caller_hash;
    uint64_t address_hash;
    uint32_t matter;       /* see repeat_matter */
    uint64_t related;      /* number of the related ticket, 0 when unknown */
    bool excluded;         /* test ticket or praise: never linked */
};

struct repeat_finding {
    uint64_t previous; /* number of the latest earlier ticket, 0 = no repeat */
    enum repeat_key key;
    uint32_t calls;       /* with this one: 1 = first call */
    uint32_t burst_calls; /* of those, inside the burst window */
};

/*
 * Find what `ticket` repeats.
 *
 *   others   other_count tickets that share a hash with it or are its related
 *            one; any order; may hold later tickets (ignored) and `ticket`
 *   out      always written
 *
 * Cost    O(other_count)
 */
void repeat_find(const struct repeat_settings *settings,
                 const struct repeat_ticket *ticket,
                 const struct repeat_ticket *others,
                 size_t other_count,
                 struct repeat_finding *out);

/* The address without blanks, punctuation and the words that only say how
 * detailed it is, for hashing; empty when too short to name one household.
 * `out` has room for address.bytes; returns bytes written. */
size_t repeat_normalise_address(struct span address, char *out);

#endif /* ANALYZERS_REPEAT_H */
