/* suqiu-bench lmdb and flush: the yardsticks, one line of JSON each. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/commands.h"
#include "bench/lmdb_append.h"

enum { FLAG_BATCH = FLAG_OWN, FLAG_FILE, FLAG_DIR, FLAG_TIMES };

static const struct option flags[] = {
    {"batch", required_argument, NULL, FLAG_BATCH},
    {"file", required_argument, NULL, FLAG_FILE},
    {"dir", required_argument, NULL, FLAG_DIR},
    {"times", required_argument, NULL, FLAG_TIMES},
    STREAM_FLAGS,
    {NULL, 0, NULL, 0},
};

static const char lmdb_usage[] =
    "lmdb --count N\n"
    "  --batch N              lines in a transaction (10000)\n"
    "  --dir DIR              where a fresh directory is made and removed (.)\n"
    "  --file FILE            these lines instead of generated ones\n";

static const char flush_usage[] =
    "flush\n"
    "  --dir DIR              on the disk to be measured (.)\n"
    "  --times N              flushes of 4 KiB (200)\n";

struct lmdb_flags {
    const char *batch;
    const char *file;
    const char *dir;
    const char *times;
    struct stream_flags stream;
};

static bool
take_flags(int argc, char **argv, struct lmdb_flags *out, bool *asked)
{
    const char **values[] = {&out->batch, &out->file, &out->dir, &out->times};
    int flag;

    *asked = false;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag >= FLAG_OWN) {
            *values[flag - FLAG_OWN] = optarg;
        } else if (!stream_flag_take(&out->stream, flag, optarg)) {
            *asked = flag == FLAG_HELP;
            return false;
        }
    }
    if (out->dir == NULL) {
        out->dir = ".";
    }
    return optind == argc;
}

static enum err_code
load(const struct lmdb_flags *given, struct lines *lines, struct err *err)
{
    struct generate_options options;

    if (given->file != NULL) {
        return lines_read(lines, given->file, err);
    }
    if (stream_flags_settle(&given->stream, &options, err) != ERR_OK) {
        return err->code;
    }
    return lines_generate(lines, &options, err);
}

static enum err_code
run_in(const struct lines *lines,
       const char *parent,
       size_t batch,
       struct err *err)
{
    struct lmdb_append_result result;
    char dir[4096];
    char path[4200];

    (void)snprintf(dir, sizeof(dir), "%s/lmdb-XXXXXX", parent);
    if (mkdtemp(dir) == NULL) {
        return err_set(err, ERR_IO, "%s: %s", dir, strerror(errno));
    }
    if (lmdb_append_run(lines, dir, batch, &result, err) == ERR_OK) {
        printf("{\"lines\":%llu,\"tickets\":%llu,\"bytes\":%llu,"
               "\"seconds\":%.4f,\"lines_per_second\":%.0f,"
               "\"megabytes_per_second\":%.1f,\"batch_lines\":%zu,"
               "\"commits\":%llu,\"cpu_seconds\":%.3f}\n",
               (unsigned long long)result.lines,
               (unsigned long long)lines->truth.tickets,
               (unsigned long long)result.bytes, result.seconds,
               (double)result.lines / result.seconds,
               (double)result.bytes / result.seconds / 1e6, batch,
               (unsigned long long)result.commits, result.cpu_seconds);
    }
    (void)snprintf(path, sizeof(path), "%s/data.mdb", dir);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/lock.mdb", dir);
    (void)unlink(path);
    (void)rmdir(dir);
    return err->code;
}

int
cmd_lmdb(int argc, char **argv)
{
    struct lmdb_flags given = {0};
    struct lines lines = {0};
    struct err err = {0};
    uint64_t batch = 10000;
    bool asked;

    if (!take_flags(argc, argv, &given, &asked)) {
        return bench_usage(lmdb_usage, true, asked);
    }
    if (given.batch != NULL) {
        (void)flag_number("batch", given.batch, 1, 1000000, &batch, &err);
    }
    if (err.code == ERR_OK && load(&given, &lines, &err) == ERR_OK) {
        (void)run_in(&lines, given.dir, (size_t)batch, &err);
    }
    lines_release(&lines);
    return err.code == ERR_OK ? BENCH_FINE : bench_fail(&err);
}

int
cmd_flush(int argc, char **argv)
{
    struct lmdb_flags given = {0};
    struct err err = {0};
    uint64_t times = 200;
    double median_us;
    bool asked;

    if (!take_flags(argc, argv, &given, &asked)) {
        return bench_usage(flush_usage, false, asked);
    }
    if ((given.times != NULL &&
         flag_number("times", given.times, 1, 10000, &times, &err) != ERR_OK) ||
        flush_probe(given.dir, (size_t)times, &median_us, &err) != ERR_OK) {
        return bench_fail(&err);
    }
    printf("{\"flush_us_median\":%.0f,\"flushes\":%llu,\"bytes\":4096}\n",
           median_us, (unsigned long long)times);
    return BENCH_FINE;
}
