/* The table from hashes to ticket numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "server/ledger/numbers.h"

static struct numbers *numbers;

static int
begin(void **state)
{
    (void)state;
    numbers = numbers_new(0);
    assert_non_null(numbers);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    numbers_free(&numbers);
    numbers_free(&numbers);
    return 0;
}

static uint64_t
hash_of(uint64_t i)
{
    uint64_t hash = i * UINT64_C(0x9E3779B97F4A7C15) ^ i >> 7;

    return hash != 0 ? hash : 1;
}

static void
what_was_added_is_found_also_after_the_table_grew(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 100000; i++) {
        assert_true(numbers_add(numbers, hash_of(i), i));
    }
    assert_int_equal(numbers_count(numbers), 100000);
    for (uint64_t i = 1; i <= 100000; i++) {
        assert_int_equal(numbers_get(numbers, hash_of(i)), i);
    }
    assert_int_equal(numbers_get(numbers, hash_of(100001)), 0);
}

static void
several_numbers_of_one_hash_are_all_listed(void **state)
{
    size_t cursor = 0;
    uint64_t sum = 0;
    uint64_t number;

    (void)state;
    for (uint64_t i = 1; i <= 5; i++) {
        assert_true(numbers_add(numbers, 77, i));
        assert_true(numbers_add(numbers, 78, 100 + i));
    }
    while ((number = numbers_next(numbers, 77, &cursor)) != 0) {
        sum += number;
    }
    assert_int_equal(sum, 15);
}

static void
set_replaces_and_tells_what_was_there(void **state)
{
    uint64_t old = 99;

    (void)state;
    assert_true(numbers_set(numbers, 5, 1, &old));
    assert_int_equal(old, 0);
    assert_true(numbers_set(numbers, 5, 2, &old));
    assert_int_equal(old, 1);
    assert_int_equal(numbers_get(numbers, 5), 2);
    assert_int_equal(numbers_count(numbers), 1);
}

/* Hashes that all want the same few places, across the end of the table. */
static void
additions_are_taken_back_in_reverse_also_in_a_crowd(void **state)
{
    enum { COUNT = 3000 };
    uint64_t *hashes = malloc(COUNT * sizeof(*hashes));

    (void)state;
    assert_non_null(hashes);
    for (uint64_t round = 0; round < 5; round++) {
        for (uint64_t i = 0; i < COUNT; i++) {
            hashes[i] = (i + 1) << 20 | (UINT64_C(0xFFFFF) - i % 7);
            assert_true(numbers_add(numbers, hashes[i], i + 1));
        }
        for (uint64_t i = COUNT; i-- > 100 * round;) {
            numbers_remove(numbers, hashes[i], i + 1);
            assert_int_equal(numbers_get(numbers, hashes[i]), 0);
        }
        for (uint64_t i = 0; i < 100 * round; i++) {
            assert_int_equal(numbers_get(numbers, hashes[i]), i + 1);
        }
        for (uint64_t i = 100 * round; i-- > 0;) {
            numbers_remove(numbers, hashes[i], i + 1);
        }
        assert_int_equal(numbers_count(numbers), 0);
    }
    free(hashes);
}

/* Old ones leave in any order; those that stay are found. */
static void
entries_leave_in_any_order(void **state)
{
    enum { COUNT = 3000 };

    (void)state;
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_true(numbers_add(
            numbers, (i + 1) << 20 | (UINT64_C(0xFFFFF) - i % 7), i + 1));
    }
    for (uint64_t step = 0; step < COUNT; step++) {
        uint64_t i = step * 1009 % COUNT;

        numbers_remove(numbers, (i + 1) << 20 | (UINT64_C(0xFFFFF) - i % 7),
                       i + 1);
        if (step % 100 != 0) {
            continue;
        }
        for (uint64_t k = 0; k < COUNT; k++) {
            uint64_t other = k * 1009 % COUNT;

            assert_int_equal(
                numbers_get(numbers, (other + 1) << 20 |
                                         (UINT64_C(0xFFFFF) - other % 7)),
                k > step ? other + 1 : 0);
        }
    }
    assert_int_equal(numbers_count(numbers), 0);
}

static atomic_bool done;
static atomic_uint_fast64_t reached;

static void *
read_along(void *data)
{
    (void)data;
    while (!atomic_load(&done)) {
        uint64_t known = atomic_load(&reached);

        for (uint64_t i = known > 100 ? known - 100 : 1; i <= known; i++) {
            if (numbers_get(numbers, hash_of(i)) != i) {
                return (void *)1;
            }
        }
    }
    return NULL;
}

static void
a_reader_finds_everything_while_the_writer_goes_on(void **state)
{
    pthread_t reader;
    void *lost = NULL;

    (void)state;
    assert_int_equal(pthread_create(&reader, NULL, read_along, NULL), 0);
    for (uint64_t i = 1; i <= 200000; i++) {
        assert_true(numbers_add(numbers, hash_of(i), i));
        atomic_store(&reached, i);
    }
    atomic_store(&done, true);
    assert_int_equal(pthread_join(reader, &lost), 0);
    assert_null(lost);
}

/* Crowded: most entries move up with every removal. */
static uint64_t
crowded(uint64_t i)
{
    return i << 20 | (i * 3 % 4);
}

enum { HELD = 400, LOOKS = 1000000 };

static atomic_uint_fast64_t oldest;
static atomic_uint_fast64_t looks;

/* As server/ledger/reader.c looks for an id: what it finds it verifies. */
static bool
is_found(uint64_t i)
{
    uint64_t moves;
    uint64_t found;

    do {
        moves = numbers_moves(numbers);
        found = numbers_get(numbers, crowded(i));
    } while (found != i && (moves % 2 != 0 || moves != numbers_moves(numbers)));
    return found == i;
}

static void *
read_those_that_stay(void *data)
{
    uint64_t i = 0;

    (void)data;
    for (; atomic_load(&looks) < LOOKS; atomic_fetch_add(&looks, 1)) {
        uint64_t from = atomic_load(&oldest);

        i = i < from ? from + HELD / 2 : i + 1;
        i = i < from + HELD ? i : from;
        /* It may have left by now. */
        if (!is_found(i) && atomic_load(&oldest) <= i) {
            atomic_store(&looks, LOOKS);
            return (void *)1;
        }
    }
    return NULL;
}

static void
a_reader_misses_nothing_while_the_oldest_leave(void **state)
{
    pthread_t reader;
    void *lost = NULL;

    (void)state;
    atomic_store(&oldest, 1);
    for (uint64_t i = 1; i <= HELD; i++) {
        assert_true(numbers_add(numbers, crowded(i), i));
    }
    assert_int_equal(pthread_create(&reader, NULL, read_those_that_stay, NULL),
                     0);
    for (uint64_t i = 1; atomic_load(&looks) < LOOKS; i++) {
        assert_true(numbers_add(numbers, crowded(i + HELD), i + HELD));
        atomic_store(&oldest, i + 1);
        numbers_remove(numbers, crowded(i), i);
    }
    assert_int_equal(pthread_join(reader, &lost), 0);
    assert_null(lost);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(what_was_added_is_found_also_after_the_table_grew),
        CASE(several_numbers_of_one_hash_are_all_listed),
        CASE(set_replaces_and_tells_what_was_there),
        CASE(additions_are_taken_back_in_reverse_also_in_a_crowd),
        CASE(entries_leave_in_any_order),
        CASE(a_reader_finds_everything_while_the_writer_goes_on),
        CASE(a_reader_misses_nothing_while_the_oldest_leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
