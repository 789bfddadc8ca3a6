/*
 * hot_spot: many callers, one place, one matter: neighbours on one line.
 *
 * Not repeat calls: a village group, a compound or a street is many households
 * (analyzers/repeat.h). Here the place in an address is what is left when the
 * administrative head and the household are taken away: "同心县豫海镇永安西路
 * 裕和苑9号楼2单元" is 豫海镇永安西路裕和苑, "立岗镇兰光村二队" is
 * 立岗镇兰光村.
 *
 * Flow      ticket -> [hot_spot] -> the list of hot spots
 * Effects   none; thresholds are rows of dict/settings.csv
 */
#ifndef ANALYZERS_HOT_SPOT_H
#define ANALYZERS_HOT_SPOT_H

#include <stddef.h>
#include <stdint.h>

#include "analyzers/dictionary.h"
#include "analyzers/span.h"

/* Rows of dict/settings.csv that begin with "hot_spot." */
struct hot_spot_settings {
    uint32_t callers_min; /* hot_spot.callers_min, 3 */
    int64_t window_us;    /* hot_spot.window_hours, 72 */
};

enum { HOT_SPOT_PLACE_CHARS_MIN = 3 };

/* Errors  NO_COLUMN; BAD_TABLE: a key missing, twice, unknown after
 * "hot_spot.", in another unit or out of range */
enum err_code hot_spot_settings_build(const struct dictionary_file *files,
                                      size_t file_count,
                                      struct hot_spot_settings **out,
                                      struct err *err) MUST_CHECK;
void hot_spot_settings_free(struct hot_spot_settings **settings);

/*
 * The place of an address, empty when it names none. `out` has room for
 * address.bytes; returns bytes written. Cost O(bytes).
 */
size_t hot_spot_place(struct span address, char *out);

#endif /* ANALYZERS_HOT_SPOT_H */
