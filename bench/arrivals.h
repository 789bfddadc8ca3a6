/*
 * arrivals: when tickets come in: the rhythm of the day and the week, a storm.
 */
#ifndef BENCH_ARRIVALS_H
#define BENCH_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/generate.h"
#include "bench/random.h"

struct arrivals {
    uint32_t *by_hour; /* owned: tickets of each hour */
    uint32_t hour_count;
    int64_t start_s; /* midnight in Shanghai, seconds since 1970 */
    uint32_t hour;   /* of the next ticket */
    uint32_t in_hour;
};

/* Spread `count` tickets over `days`. False: no memory. */
bool arrivals_init(struct arrivals *arrivals,
                   enum generate_scenario scenario,
                   int32_t start_day,
                   uint32_t days,
                   uint32_t count);
void arrivals_release(struct arrivals *arrivals);

/* Seconds since 1970 of the next ticket; ascending. False at the end. */
bool
arrivals_next(struct arrivals *arrivals, struct random *random, int64_t *at_s);

#endif /* BENCH_ARRIVALS_H */
