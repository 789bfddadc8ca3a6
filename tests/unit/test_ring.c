/* ring: order, limit, closing, waking; two threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>

#include "server/base/ring.h"
#include "server/base/wake.h"

enum { ITEMS = 20000 };

static int numbers[ITEMS];

static bool
is_awake(const struct wake *wake)
{
    struct pollfd poll_fd = {.fd = wake_fd(wake), .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 1;
}

static void
the_limit_is_exact_and_the_order_is_kept(void **state)
{
    struct ring *ring = ring_new(3);
    void *got[8];

    (void)state;
    assert_true(ring_try_push(ring, &numbers[0]));
    assert_true(ring_try_push(ring, &numbers[1]));
    assert_true(ring_try_push(ring, &numbers[2]));
    assert_false(ring_try_push(ring, &numbers[3]));
    assert_int_equal(ring_try_pop(ring, got, 2), 2);
    assert_true(ring_try_push(ring, &numbers[4]));
    assert_int_equal(ring_pop(ring, got + 2, 6), 2);
    assert_ptr_equal(got[0], &numbers[0]);
    assert_ptr_equal(got[1], &numbers[1]);
    assert_ptr_equal(got[2], &numbers[2]);
    assert_ptr_equal(got[3], &numbers[4]);
    assert_int_equal(ring_try_pop(ring, got, 8), 0);
    ring_free(&ring);
    assert_null(ring);
}

static void
a_closed_ring_gives_what_it_has_and_takes_nothing(void **state)
{
    struct ring *ring = ring_new(3);
    void *got[8];

    (void)state;
    assert_true(ring_push(ring, &numbers[0]));
    ring_close(ring);
    assert_false(ring_push(ring, &numbers[1]));
    assert_false(ring_try_push(ring, &numbers[1]));
    assert_int_equal(ring_pop(ring, got, 8), 1);
    assert_int_equal(ring_pop(ring, got, 8), 0);
    assert_true(ring_closed(ring));
    ring_free(&ring);
}

static void
a_loop_is_woken_by_items_and_by_room_it_waited_for(void **state)
{
    struct ring *ring = ring_new(1);
    struct wake items;
    struct wake room;
    struct err err = {0};
    void *got[1];

    (void)state;
    assert_int_equal(wake_open(&items, &err), ERR_OK);
    assert_int_equal(wake_open(&room, &err), ERR_OK);
    ring_add_item_wake(ring, &items);
    ring_add_room_wake(ring, &room);
    assert_false(is_awake(&items));
    assert_true(ring_try_push(ring, &numbers[0]));
    assert_true(is_awake(&items));
    wake_clear(&items);
    assert_false(is_awake(&items));

    assert_int_equal(ring_try_pop(ring, got, 1), 1);
    assert_false(is_awake(&room));
    assert_true(ring_try_push(ring, &numbers[0]));
    assert_false(ring_try_push(ring, &numbers[1]));
    assert_int_equal(ring_try_pop(ring, got, 1), 1);
    assert_true(is_awake(&room));
    ring_free(&ring);
    wake_close(&items);
    wake_close(&room);
}

static void *
push_all(void *context)
{
    struct ring *ring = context;

    for (int i = 0; i < ITEMS; i++) {
        if (!ring_push(ring, &numbers[i])) {
            return NULL;
        }
    }
    ring_close(ring);
    return ring;
}

static void
a_small_ring_carries_everything_between_two_threads(void **state)
{
    struct ring *ring = ring_new(7);
    pthread_t thread;
    void *pushed = NULL;
    void *got[5];
    size_t next = 0;
    size_t count;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, push_all, ring), 0);
    while ((count = ring_pop(ring, got, 5)) > 0) {
        for (size_t i = 0; i < count; i++) {
            assert_ptr_equal(got[i], &numbers[next]);
            next++;
        }
    }
    assert_int_equal(next, ITEMS);
    assert_int_equal(pthread_join(thread, &pushed), 0);
    assert_ptr_equal(pushed, ring);
    ring_free(&ring);
}

static void
waiting_ends_at_the_time_given(void **state)
{
    struct ring *ring = ring_new(1);
    void *got[1];

    (void)state;
    assert_int_equal(ring_pop_within(ring, got, 1, 1000), 0);
    assert_true(ring_try_push(ring, &numbers[0]));
    assert_int_equal(ring_pop_within(ring, got, 1, 60000000), 1);
    ring_free(&ring);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_is_exact_and_the_order_is_kept),
        cmocka_unit_test(a_closed_ring_gives_what_it_has_and_takes_nothing),
        cmocka_unit_test(a_loop_is_woken_by_items_and_by_room_it_waited_for),
        cmocka_unit_test(a_small_ring_carries_everything_between_two_threads),
        cmocka_unit_test(waiting_ends_at_the_time_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
