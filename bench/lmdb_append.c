/* Bare LMDB and the flush of the disk below it. */
#include "bench/lmdb_append.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, FLUSHES_MAX = 10000 };
static const size_t map_bytes = (size_t)64 << 30;

static double
now_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double
cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int
append_batch(MDB_env *env,
             MDB_dbi *dbi,
             const struct lines *lines,
             size_t from,
             size_t to)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    int code = mdb_txn_begin(env, NULL, 0, &txn);

    if (code != 0) {
        return code;
    }
    code = mdb_dbi_open(txn, NULL, 0, dbi);
    if (code == 0) {
        code = mdb_cursor_open(txn, *dbi, &cursor);
    }
    for (size_t i = from; code == 0 && i < to; i++) {
        uint64_t begin = lines_begin(lines, i);
        uint64_t number = __builtin_bswap64((uint64_t)i + 1);
        MDB_val key = {sizeof(number), &number};
        MDB_val value = {lines->ends[i] - 1 - begin, lines->data + begin};

        code = mdb_cursor_put(cursor, &key, &value, MDB_APPEND);
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    mdb_cursor_close(cursor);
    return mdb_txn_commit(txn);
}

enum err_code
lmdb_append_run(const struct lines *lines,
                const char *dir,
                size_t batch_lines,
                struct lmdb_append_result *out,
                struct err *err)
{
    MDB_env *env = NULL;
    MDB_dbi dbi;
    double begin = now_seconds();
    double begin_cpu = cpu_seconds();
    int code = mdb_env_create(&env);

    *out = (struct lmdb_append_result){0};
    if (code == 0) {
        code = mdb_env_set_mapsize(env, map_bytes);
    }
    if (code == 0) {
        code = mdb_env_open(env, dir, 0, 0600);
    }
    for (size_t at = 0; code == 0 && at < lines->count; at += batch_lines) {
        size_t to =
            lines->count - at < batch_lines ? lines->count : at + batch_lines;

        code = append_batch(env, &dbi, lines, at, to);
        out->commits++;
    }
    out->seconds = now_seconds() - begin;
    out->cpu_seconds = cpu_seconds() - begin_cpu;
    out->lines = lines->count;
    out->bytes = lines->bytes;
    if (env != NULL) {
        mdb_env_close(env);
    }
    return code == 0 ? ERR_OK
                     : err_set(err, ERR_IO, "LMDB in %s: %s", dir,
                               mdb_strerror(code));
}

static int
compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

static bool
probe(int fd, size_t times, double *samples)
{
    char page[PAGE_BYTES];

    for (size_t i = 0; i < times; i++) {
        double begin;

        memset(page, (int)i, sizeof(page));
        if (pwrite(fd, page, sizeof(page), 0) != (ssize_t)sizeof(page)) {
            return false;
        }
        begin = now_seconds();
        if (fdatasync(fd) != 0) {
            return false;
        }
        samples[i] = (now_seconds() - begin) * 1e6;
    }
    return true;
}

enum err_code
flush_probe(const char *dir, size_t times, double *median_us, struct err *err)
{
    char path[4096];
    double *samples = NULL;
    int fd;

    if (times == 0 || times > FLUSHES_MAX) {
        return err_set(err, ERR_BAD_VALUE, "1 to %d flushes", FLUSHES_MAX);
    }
    (void)snprintf(path, sizeof(path), "%s/flush.%ld", dir, (long)getpid());
    fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    }
    samples = calloc(times, sizeof(*samples));
    if (samples == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "samples");
    } else if (!probe(fd, times, samples)) {
        (void)err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    } else {
        qsort(samples, times, sizeof(*samples), compare_doubles);
        *median_us = samples[times / 2];
    }
    free(samples);
    (void)close(fd);
    (void)unlink(path);
    return err->code;
}
