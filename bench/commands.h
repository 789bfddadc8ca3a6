/*
 * commands: what suqiu-bench does, and the flags the commands share.
 */
#ifndef BENCH_COMMANDS_H
#define BENCH_COMMANDS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "bench/generate.h"

enum bench_exit {
    BENCH_FINE = 0,
    BENCH_NO = 1, /* the work was done and the answer is "no" */
    BENCH_USAGE = 2,
    BENCH_FAILED = 3
};

int cmd_generate(int argc, char **argv);
int cmd_feed(int argc, char **argv);
int cmd_lmdb(int argc, char **argv);
int cmd_flush(int argc, char **argv);
int cmd_supervise(int argc, char **argv);
int cmd_totals(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_agree(int argc, char **argv);
int cmd_http(int argc, char **argv);
int cmd_open(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_parts(int argc, char **argv);
int cmd_ledger(int argc, char **argv);

/* getopt_long values of the flags that choose a stream. */
enum stream_flag {
    FLAG_COUNT = 256,
    FLAG_SCENARIO,
    FLAG_SEED,
    FLAG_EVENTS,
    FLAG_BAD,
    FLAG_DUPLICATES,
    FLAG_VERSIONS,
    FLAG_LATE,
    FLAG_REPEATS,
    FLAG_STATIONS,
    FLAG_DAYS,
    FLAG_START,
    FLAG_HELP,
    FLAG_OWN = 512 /* the command's own begin here */
};

#define STREAM_FLAGS                                                           \
    {"count", required_argument, NULL, FLAG_COUNT},                            \
        {"scenario", required_argument, NULL, FLAG_SCENARIO},                  \
        {"seed", required_argument, NULL, FLAG_SEED},                          \
        {"events", required_argument, NULL, FLAG_EVENTS},                      \
        {"bad", required_argument, NULL, FLAG_BAD},                            \
        {"duplicates", required_argument, NULL, FLAG_DUPLICATES},              \
        {"versions", required_argument, NULL, FLAG_VERSIONS},                  \
        {"late", required_argument, NULL, FLAG_LATE},                          \
        {"repeats", required_argument, NULL, FLAG_REPEATS},                    \
        {"stations", required_argument, NULL, FLAG_STATIONS},                  \
        {"days", required_argument, NULL, FLAG_DAYS},                          \
        {"start", required_argument, NULL, FLAG_START},                        \
    {                                                                          \
        "help", no_argument, NULL, FLAG_HELP                                   \
    }

extern const char stream_help[];

/* --scenario decides defaults, so the flags are kept until all were read. */
struct stream_flags {
    const char *values[FLAG_HELP - FLAG_COUNT];
};

/* Keep one flag; false when it is none of the stream's. */
bool stream_flag_take(struct stream_flags *flags, int flag, const char *value);

/* All flags as options; count is required. Errors  USAGE */
enum err_code stream_flags_settle(const struct stream_flags *flags,
                                  struct generate_options *out,
                                  struct err *err) MUST_CHECK;

/* A whole number in min..max, else USAGE naming the flag. The error is sticky:
 * several flags may be read and `err` checked once. */
enum err_code flag_number(const char *name,
                          const char *value,
                          uint64_t min,
                          uint64_t max,
                          uint64_t *out,
                          struct err *err);

/* Say what went wrong; the exit code. */
int bench_fail(const struct err *err);

/* Print usage and the stream's flags; BENCH_USAGE, or BENCH_FINE if asked. */
int bench_usage(const char *usage, bool stream, bool asked);

#endif /* BENCH_COMMANDS_H */
