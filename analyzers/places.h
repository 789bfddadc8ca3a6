/*
 * places: province, prefecture, county and town at the head of an address.
 *
 * The gazetteer towns.csv holds every name down to the town. An address may
 * leave out any level and any suffix ("佛山顺德容桂"): what was read so far
 * decides which of the places of one name is meant.
 *
 * Columns   code,name,short,kind,urban (see dict/build/towns.py)
 * Effects   none after places_build
 */
#ifndef ANALYZERS_PLACES_H
#define ANALYZERS_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/dictionary.h"
#include "analyzers/err.h"
#include "analyzers/span.h"

enum {
    PLACES_LINE_CHARS_MAX = 512, /* of an address or text; the rest is cut */
    PLACES_NAME_CHARS_MAX = 24,
    PLACES_PERCENT_UNKNOWN = 255
};

enum place_kind {
    PLACE_NONE,
    PLACE_PROVINCE,
    PLACE_PREFECTURE,
    PLACE_DISTRICT, /* 市辖区, or a city without districts */
    PLACE_CITY,     /* 县级市 */
    PLACE_COUNTY,
    PLACE_BANNER,
    PLACE_STREET, /* 街道 */
    PLACE_SEAT,   /* the town with the county's government */
    PLACE_TOWN,
    PLACE_TOWNSHIP,
    PLACE_SUMU,
    PLACE_FARM,
    PLACE_ZONE,
    PLACE_OTHER,
    PLACE_KIND_COUNT
};

enum {
    PLACE_LEVEL_PROVINCE,
    PLACE_LEVEL_PREFECTURE,
    PLACE_LEVEL_COUNTY,
    PLACE_LEVEL_TOWN
};

/* From the word of towns.csv, "district"; PLACE_NONE for an unknown one. */
enum place_kind place_kind_from(struct span word);

/* A line as characters; one for one with the characters of the original. */
struct place_line {
    size_t count;
    uint16_t chars[PLACES_LINE_CHARS_MAX + 1];
    uint16_t bytes[PLACES_LINE_CHARS_MAX + 1]; /* offset of each; [count] end */
    uint64_t hashes[PLACES_LINE_CHARS_MAX + 1]; /* of the first n characters */
};

/* What the head of an address says. Positions in characters. */
struct place_path {
    uint32_t code;  /* nine digits, 640122100; 0: nothing found */
    uint32_t level; /* of code: PLACE_LEVEL_*; digits below it are 0 */
    enum place_kind county;
    enum place_kind town;   /* from its last character when not in the table */
    uint32_t urban_percent; /* of the town, or PLACES_PERCENT_UNKNOWN */
    size_t county_start;
    size_t county_end;
    size_t town_start;
    size_t town_end;
    size_t end; /* the rest of the address begins here */
};

struct places;

/*
 *   towns         towns.csv
 *   simplify      t2s.csv, or NULL; what is wrong with it says the cleaner
 *
 * Errors  BAD_TABLE, NO_COLUMN, BAD_VALUE, BAD_UTF8, TOO_LONG, NO_MEMORY
 */
enum err_code places_build(const struct dictionary_file *towns,
                           const struct dictionary_file *simplify,
                           struct places **out,
                           struct err *err) MUST_CHECK;
void places_free(struct places **places);

/* Read at most chars_max characters: full-width and Traditional characters
 * become the usual ones, others above U+FFFF become U+FFFD. O(n). */
void places_line(const struct places *places,
                 struct span text,
                 size_t chars_max,
                 struct place_line *out);

/* Read the administrative head of an address. No allocation. */
void places_read(const struct places *places,
                 const struct place_line *line,
                 struct place_path *out);

/*
 * The place above town level with that name or short name; false when there
 * is none or more than one of the highest level found.
 */
bool places_find_area(const struct places *places,
                      struct span name,
                      uint32_t *code,
                      uint32_t *level);

/* `code` with the digits below `level` cleared. */
uint32_t place_code_at(uint32_t code, uint32_t level);

#endif /* ANALYZERS_PLACES_H */
