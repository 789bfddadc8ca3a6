/* Buckets of a thousandth: one shift and one add a value. */
#include "bench/histogram.h"

enum { EXACT_BITS = 11 };

static size_t
bucket_of(uint64_t value)
{
    unsigned shift;

    if (value < HISTOGRAM_EXACT) {
        return (size_t)value;
    }
    shift = (unsigned)(63 - __builtin_clzll(value)) - (EXACT_BITS - 1);
    if (shift > HISTOGRAM_POWERS) {
        return HISTOGRAM_BUCKETS - 1;
    }
    return HISTOGRAM_EXACT + (size_t)(shift - 1) * HISTOGRAM_SUB_BUCKETS +
           (size_t)((value >> shift) - HISTOGRAM_SUB_BUCKETS);
}

static uint64_t
highest_of(size_t bucket)
{
    size_t behind;
    unsigned shift;

    if (bucket < HISTOGRAM_EXACT) {
        return bucket;
    }
    behind = bucket - HISTOGRAM_EXACT;
    shift = (unsigned)(behind / HISTOGRAM_SUB_BUCKETS) + 1;
    return ((uint64_t)(behind % HISTOGRAM_SUB_BUCKETS + HISTOGRAM_SUB_BUCKETS +
                       1)
            << shift) -
           1;
}

void
histogram_add(struct histogram *histogram, uint64_t value, uint64_t times)
{
    histogram->buckets[bucket_of(value)] += times;
    histogram->count += times;
    histogram->sum += value * times;
    if (times > 0 && value > histogram->max) {
        histogram->max = value;
    }
}

uint64_t
histogram_percentile(const struct histogram *histogram, double percent)
{
    double exact = (double)histogram->count * percent / 100.0;
    uint64_t rank = (uint64_t)exact;
    uint64_t seen = 0;

    rank += (double)rank < exact; /* up */
    rank += rank == 0;
    for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen >= rank && seen > 0) {
            uint64_t value = highest_of(bucket);

            return value < histogram->max ? value : histogram->max;
        }
    }
    return histogram->max;
}
