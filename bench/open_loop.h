/*
 * open_loop: lines at a fixed rate, whatever the server does. A line's latency
 * is from when it was to be sent, so a stall counts for all that should have
 * been sent meanwhile (no coordinated omission).
 */
#ifndef BENCH_OPEN_LOOP_H
#define BENCH_OPEN_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "bench/histogram.h"
#include "bench/lines.h"

enum { OPEN_LOOP_CONNECTIONS_MAX = 64, OPEN_LOOP_BEHIND_MS_MAX = 10000 };

struct open_loop_options {
    const char *host;
    uint16_t port; /* of the feed */
    unsigned connections;
    double rate;             /* lines a second, all connections together */
    const atomic_bool *stop; /* NULL, or: send no more when true */
};

struct open_loop_result {
    uint64_t lines; /* acknowledged */
    uint64_t refused;
    bool gave_up;   /* more than OPEN_LOOP_BEHIND_MS_MAX behind */
    double seconds; /* first intended send to last acknowledgement */
    double cpu_seconds;
    struct histogram ack_us; /* intended send to acknowledgement */
};

/* Send all lines at the rate and wait for every acknowledgement.
 * Errors  IO, NO_MEMORY */
enum err_code open_loop_run(const struct lines *lines,
                            const struct open_loop_options *options,
                            struct open_loop_result *out,
                            struct err *err) MUST_CHECK;

#endif /* BENCH_OPEN_LOOP_H */
