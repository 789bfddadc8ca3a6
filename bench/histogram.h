/*
 * histogram: counts of durations, true to three digits, in fixed memory.
 *
 * Log-linear: values below 2048 have a bucket each; from there on each power of
 * two has 1024 buckets, so a bucket is never wider than a thousandth of its
 * value. A percentile is the highest value of its bucket, never above the
 * largest value added.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_EXACT = 2048,
    HISTOGRAM_SUB_BUCKETS = 1024,
    HISTOGRAM_POWERS = 30, /* values up to 2^41 - 1, 25 days in microseconds */
    HISTOGRAM_BUCKETS =
        HISTOGRAM_EXACT + HISTOGRAM_POWERS * HISTOGRAM_SUB_BUCKETS
};

/* Zeroed is empty. */
struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t sum;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Add `value` `times` times; what is too large counts as the largest. */
void histogram_add(struct histogram *histogram, uint64_t value, uint64_t times);

/* The value that `percent` (0..100) of the values do not exceed; 0 if empty. */
uint64_t histogram_percentile(const struct histogram *histogram,
                              double percent);

#endif /* BENCH_HISTOGRAM_H */
