/*
 * places: an invented province of supply stations, and who lives there.
 *
 * City and county names give the addresses a realistic shape; stations, roads,
 * estates and villages are made up. A household is a number: everything about
 * it (station, address, telephone, customer number) follows from the number, so
 * millions of them need no memory.
 */
#ifndef BENCH_PLACES_H
#define BENCH_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/phrases.h"

enum {
    STATIONS_MIN = 22,
    STATIONS_MAX = 1056,
    STATION_TEXT_BYTES = 96,
    ADDRESS_BYTES_MAX = 256,
    PHONE_BYTES_MAX = 16
};

struct text {
    char data[STATION_TEXT_BYTES];
    uint16_t bytes;
};

struct station {
    struct text unit; /* 宁夏电力/银川供电公司/兴庆区供电公司/清水供电所 */
    struct text city;   /* 银川市 */
    struct text county; /* 兴庆区 */
    struct text town;   /* 清水镇, or the road 清水路 */
    struct text name;   /* 清水供电所 */
    struct text hall;   /* 清水营业厅 */
    const char *region; /* urban, rural, remote */
    bool urban;
};

struct places {
    struct station *stations;
    uint32_t station_count;
};

/* station_count in STATIONS_MIN..STATIONS_MAX. False: no memory. */
bool places_init(struct places *places, uint32_t station_count);
void places_release(struct places *places);

struct household {
    uint32_t number;
    const struct station *station;
    uint64_t bits;                    /* random, the same each time */
    char village[STATION_TEXT_BYTES]; /* 长山村 or 和平花园 */
    uint16_t village_bytes;
};

struct household places_household(const struct places *places, uint32_t number);

/* 银川市贺兰县清水镇长山村3组; returns the end. Half of what is written depends
 * on `bits` of the call: agents leave out the city or the door. */
char *household_put_address(const struct household *household,
                            uint32_t bits,
                            char *at);

/*
 * 199000 and five digits for the first 100,000 households, who call most; the
 * others have 199000 and seven digits, one form that no network dials.
 */
char *household_put_phone(uint32_t number, char *at);

/* Ten digits that begin with 99, different for each household. */
char *household_put_customer(uint32_t number, char *at);

/* Fill the slots for hall, station and village; views into household and
 * places. */
void household_fill_place(const struct household *household,
                          struct phrase_place *out);

/* `digits` digits of `value` with leading zeros; returns the end. */
char *put_digits(char *at, uint64_t value, unsigned digits);

#endif /* BENCH_PLACES_H */
