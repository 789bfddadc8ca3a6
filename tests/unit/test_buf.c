/* buf: the limit, the sticky mark and long formatted text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "server/base/buf.h"

static void
bytes_up_to_the_limit_fit_and_one_more_does_not(void **state)
{
    struct buf buf;
    struct err err = {0};

    (void)state;
    buf_init(&buf, 1000);
    for (int i = 0; i < 1000; i++) {
        buf_put_char(&buf, 'x');
    }
    assert_int_equal(buf_check(&buf, &err), ERR_OK);
    assert_int_equal(buf.bytes, 1000);
    buf_put_char(&buf, 'y');
    assert_int_equal(buf_check(&buf, &err), ERR_TOO_LONG);
    assert_int_equal(buf.bytes, 1000);
    buf_release(&buf);
}

static void
the_failure_sticks_until_the_reset(void **state)
{
    struct buf buf;
    struct err err = {0};

    (void)state;
    buf_init(&buf, 4);
    buf_put_text(&buf, "12345");
    buf_put_text(&buf, "1");
    assert_int_equal(buf.bytes, 0);
    assert_int_equal(buf_check(&buf, &err), ERR_TOO_LONG);
    buf_reset(&buf);
    buf_put_text(&buf, "1234");
    err = (struct err){0};
    assert_int_equal(buf_check(&buf, &err), ERR_OK);
    assert_true(span_is(buf_view(&buf), "1234"));
    buf_release(&buf);
}

static void
formatted_text_longer_than_the_small_buffer_is_whole(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 10000);
    buf_printf(&buf, "%0700d|", 7);
    assert_int_equal(buf.bytes, 701);
    assert_int_equal(buf.data[699], '7');
    assert_int_equal(buf.data[700], '|');
    buf_drop_front(&buf, 699);
    assert_true(span_is(buf_view(&buf), "7|"));
    buf_release(&buf);
}

static void
reserved_room_is_written_by_the_caller(void **state)
{
    struct buf buf;
    char *room;

    (void)state;
    buf_init(&buf, 300);
    room = buf_reserve(&buf, 300);
    assert_non_null(room);
    room[0] = 'a';
    buf_grow(&buf, 1);
    assert_true(span_is(buf_view(&buf), "a"));
    assert_null(buf_reserve(&buf, 300));
    buf_release(&buf);
    assert_true(span_is(buf_view(&buf), ""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_up_to_the_limit_fit_and_one_more_does_not),
        cmocka_unit_test(the_failure_sticks_until_the_reset),
        cmocka_unit_test(formatted_text_longer_than_the_small_buffer_is_whole),
        cmocka_unit_test(reserved_room_is_written_by_the_caller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
