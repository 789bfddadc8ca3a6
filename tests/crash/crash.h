/*
 * crash: one run of the crash test: a data directory that lives through all
 * kills, a stream, what the client knows, and what the model expects.
 */
#ifndef TESTS_CRASH_CRASH_H
#define TESTS_CRASH_CRASH_H

#include "analyzers/dictionary.h"
#include "bench/lines.h"
#include "bench/random.h"
#include "bench/server_process.h"
#include "tests/crash/model.h"

enum { CRASH_PATH_BYTES = 4096 };

struct crash {
    const char *program; /* the server */
    char dir[CRASH_PATH_BYTES];
    char data[CRASH_PATH_BYTES + 16];
    char tables[CRASH_PATH_BYTES + 16];
    uint64_t seed;
    unsigned round;
    bool full_tables;
    struct random random;
    struct dictionary *dictionary; /* for fsck */

    struct lines lines;
    unsigned segment_count;
    size_t position; /* lines before it are acknowledged */

    struct model model;
    uint64_t log_seq; /* the log is compared up to here */

    /* for the report */
    uint64_t acked;
    uint64_t unacked_kept;  /* committed, but the client did not hear of it */
    uint64_t silent_rounds; /* no line was acknowledged */
    uint64_t starts_killed;
    uint64_t fsck_runs;
    int64_t slowest_start_us;
};

/* Say what is wrong and stop: exit code 1. The directory stays. */
void crash_fail(const struct crash *crash, const char *fmt, ...)
    PRINTF_LIKE(2, 3) __attribute__((noreturn));

/* Line `index` without its line feed. */
struct span crash_line(const struct crash *crash, size_t index);

/* --- crash_stream.c --- */

struct crash_stream {
    uint64_t acked; /* lines of this connection */
    uint64_t sent;  /* whole lines given to the kernel */
};

/*
 * Send lines from crash->position on and read acknowledgements for run_us, then
 * kill the server and read what it had still said. The time begins with the
 * first byte, or with the first acknowledgement if after_ack. run_us 0: until
 * everything is acknowledged, no kill.
 */
struct crash_stream_options {
    int64_t run_us;
    bool after_ack;
    size_t window_bytes; /* not acknowledged */
};
void crash_stream(struct crash *crash,
                  struct server_process *server,
                  const struct crash_stream_options *options,
                  struct crash_stream *out);

/* --- crash_verify.c --- */

/*
 * Compare the store with the model: the lines of the last connection that were
 * committed are a prefix of what was sent and hold all that was acknowledged;
 * each record of the log is the line it must be; all totals are equal.
 */
void crash_verify(struct crash *crash, const struct crash_stream *stream);

/* Recompute everything from the log: zero differences. */
void crash_fsck(struct crash *crash);

#endif /* TESTS_CRASH_CRASH_H */
