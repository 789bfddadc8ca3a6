/*
 * random: the generator's own random numbers (xorshift64*), the same on every
 * machine for the same seed.
 */
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state; /* never 0 */
};

/* A good spread of the bits of `value` (the finisher of splitmix64). */
static inline uint64_t
random_mix(uint64_t value)
{
    value += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static inline struct random
random_from(uint64_t seed)
{
    struct random random = {random_mix(seed)};

    if (random.state == 0) {
        random.state = 1;
    }
    return random;
}

static inline uint64_t
random_next(struct random *random)
{
    uint64_t x = random->state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random->state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 .. limit - 1; limit > 0 */
static inline uint32_t
random_below(struct random *random, uint32_t limit)
{
    return (uint32_t)(((random_next(random) >> 32) * limit) >> 32);
}

/* 0.0 .. below 1.0 */
static inline double
random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1.0p-53;
}

static inline bool
random_permille(struct random *random, uint32_t permille)
{
    return random_below(random, 1000) < permille;
}

#endif /* BENCH_RANDOM_H */
