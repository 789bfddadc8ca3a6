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
 * An earlier ticket is linked when it is about the same matter, was accepted at
 * most the window before, and shares a key, tried in this order:
 *   customer   the same customer number; two tickets with different customer
 *              numbers are two customers and no other key links them
 *   caller     the same phone, unless that phone gave more than
 *              phone_customers_max customer numbers inside the window: then it
 *              is not a person (a property company, an agent)
 *   address    the same normalised address, which must name one household
 * A related work-order number links directly, whatever matter, window and keys
 * are; so does one level further what a linked ticket is related to, and a
 * ticket that is related to the same earlier one. Excluded tickets are never
 * linked to anything. Matter 0 is not known and links by related only.
 *
 * Earlier means accepted earlier, or at the same instant with a smaller number.
 * The window's far end belongs to it.
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
    uint32_t candidates_max;      /* repeat.candidates_max, 64: how many
                                     others a caller need look up a key */
};

/* Errors  NO_COLUMN; BAD_TABLE: a key missing, twice, unknown after "repeat.",
 * in another unit or out of range. Keys of other modules are left alone. */

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
    uint32_t matter;  /* second-level subcategory, from 1; 0 unknown */
    uint64_t related; /* number of the related ticket, 0 when unknown */
    bool excluded;    /* test ticket or praise: never linked */
};

struct repeat_finding {
    uint64_t previous; /* number of the latest earlier ticket, 0 = no repeat */
    enum repeat_key key;  /* that linked `previous`; RELATED when it shares
                             no key, or not the matter or window */
    uint32_t calls;       /* linked ones with this one: 1 = first call */
    uint32_t burst_calls; /* of those, inside the burst window (>= 1) */
};

/*
 * Find what `ticket` repeats.
 *
 *   others   other_count tickets that share a hash with it or are its related
 *            one; any order; may hold later tickets (ignored) and `ticket`
 *   out      always written
 *
 * A ticket that is excluded is a first call. A related ticket outside the
 * window counts as a call: somebody said that it is the same matter.
 *
 * Cost    O(other_count), times the linked tickets that have a related number
 */
void repeat_find(const struct repeat_settings *settings,
                 const struct repeat_ticket *ticket,
                 const struct repeat_ticket *others,
                 size_t other_count,
                 struct repeat_finding *out);

/*
 * The address in one spelling, for hashing; empty when it does not name one
 * household. `out` has room for address.bytes; returns bytes written.
 *
 * Full-width forms become half-width, letters small; blanks, punctuation and
 * what stands in brackets go; so do province, city and county in front, which
 * agents leave out at times (a caller that serves several cities mixes the
 * city of the unit into its hash). Building, unit and floor words become `-`:
 * "祥和家苑3号楼2单元501室" and "祥和家苑3-2-501" are one.
 *
 * One household is named by a room ("3-2-501", "1703室", "商铺2-117",
 * "6楼东户") or by a house number in a village or lane ("3组25号",
 * "供销巷9号"). A village group, a building, a compound or a street number is
 * many households: neighbours who complain about one line are a hot spot, not
 * repeats. There must be eight characters or more, four before the first digit.
 */
size_t repeat_normalise_address(struct span address, char *out);

#endif /* ANALYZERS_REPEAT_H */
