/* histogram: every percentile is true to a thousandth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "bench/histogram.h"
#include "bench/random.h"

enum { VALUES = 20000 };

static struct histogram *
new_histogram(void)
{
    struct histogram *histogram = calloc(1, sizeof(*histogram));

    assert_non_null(histogram);
    return histogram;
}

static void
an_empty_histogram_says_zero(void **state)
{
    struct histogram *histogram = new_histogram();

    (void)state;
    assert_int_equal(histogram_percentile(histogram, 50), 0);
    assert_int_equal(histogram->max, 0);
    free(histogram);
}

static void
small_values_are_exact(void **state)
{
    struct histogram *histogram = new_histogram();

    (void)state;
    for (uint64_t value = 1; value <= 1000; value++) {
        histogram_add(histogram, value, 1);
    }
    assert_int_equal(histogram_percentile(histogram, 50), 500);
    assert_int_equal(histogram_percentile(histogram, 99.9), 999);
    assert_int_equal(histogram_percentile(histogram, 100), 1000);
    assert_int_equal(histogram_percentile(histogram, 0), 1);
    free(histogram);
}

static int
compare_values(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void
percentiles_of_any_size_are_true_to_a_thousandth(void **state)
{
    static uint64_t values[VALUES];
    static const double percents[] = {1, 10, 50, 90, 99, 99.9, 100};
    struct histogram *histogram = new_histogram();
    struct random random = random_from(7);

    (void)state;
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = random_next(&random) >> (24 + random_below(&random, 40));
        histogram_add(histogram, values[i], 1);
    }
    qsort(values, VALUES, sizeof(values[0]), compare_values);
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        size_t rank = (size_t)(VALUES * percents[i] / 100.0);
        uint64_t exact = values[rank == 0 ? 0 : rank - 1];
        uint64_t said = histogram_percentile(histogram, percents[i]);

        assert_true(said >= exact);
        assert_true((double)(said - exact) <= (double)exact / 1000.0);
    }
    free(histogram);
}

static void
a_value_added_many_times_counts_many_times(void **state)
{
    struct histogram *histogram = new_histogram();

    (void)state;
    histogram_add(histogram, 5, 900);
    histogram_add(histogram, 3000000, 100);
    assert_int_equal(histogram->count, 1000);
    assert_int_equal(histogram->sum, 300004500);
    assert_int_equal(histogram_percentile(histogram, 90), 5);
    assert_int_equal(histogram_percentile(histogram, 90.1), 3000000);
    free(histogram);
}

static void
values_beyond_the_range_land_in_the_last_bucket(void **state)
{
    struct histogram *histogram = new_histogram();

    (void)state;
    histogram_add(histogram, UINT64_MAX, 1);
    assert_int_equal(histogram->buckets[HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(histogram->max, UINT64_MAX);
    free(histogram);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_says_zero),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(percentiles_of_any_size_are_true_to_a_thousandth),
        cmocka_unit_test(a_value_added_many_times_counts_many_times),
        cmocka_unit_test(values_beyond_the_range_land_in_the_last_bucket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
