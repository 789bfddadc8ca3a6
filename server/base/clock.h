/*
 * clock: the one place that asks the system what time it is.
 *
 * The core is handed the time; the shell reads it here once a loop turn. Tests
 * and the simulator put their own clock in place.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock_source {
    int64_t (*now_us)(void *context);
    int64_t (*mono_us)(void *context);
    void *context;
};

/* UTC, microseconds since 1970; may jump. */
int64_t clock_now_us(void);

/* Microseconds since some start; never goes back. For durations. */
int64_t clock_mono_us(void);

/* Use `source` (borrowed until replaced) from now on; NULL is the system's
 * clock. To be called while there is one thread. */
void clock_replace(const struct clock_source *source);

#endif /* BASE_CLOCK_H */
