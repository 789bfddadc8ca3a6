/* The system's clocks, or the one a test puts in their place. */
#include "server/base/clock.h"

#include <assert.h>
#include <stddef.h>
#include <time.h>

static const struct clock_source *clock_source_now;

static int64_t
read_clock(clockid_t id)
{
    struct timespec now;
    int failed = clock_gettime(id, &now);

    assert(failed == 0);
    (void)failed;
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_now_us(void)
{
    if (clock_source_now != NULL) {
        return clock_source_now->now_us(clock_source_now->context);
    }
    return read_clock(CLOCK_REALTIME);
}

int64_t
clock_mono_us(void)
{
    if (clock_source_now != NULL) {
        return clock_source_now->mono_us(clock_source_now->context);
    }
    return read_clock(CLOCK_MONOTONIC);
}

void
clock_replace(const struct clock_source *source)
{
    clock_source_now = source;
}
