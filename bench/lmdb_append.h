/*
 * lmdb_append: the yardstick: the same bytes appended to a bare LMDB, one put a
 * line, in durable batches (sync flags 0), and nothing else.
 */
#ifndef BENCH_LMDB_APPEND_H
#define BENCH_LMDB_APPEND_H

#include "analyzers/err.h"
#include "bench/lines.h"

struct lmdb_append_result {
    uint64_t lines;
    uint64_t bytes;
    uint64_t commits;
    double seconds;
    double cpu_seconds;
};

/* Append all lines to a new environment in the directory `dir`, which must
 * exist and be empty, `batch_lines` to a transaction. Errors  IO */
enum err_code lmdb_append_run(const struct lines *lines,
                              const char *dir,
                              size_t batch_lines,
                              struct lmdb_append_result *out,
                              struct err *err) MUST_CHECK;

/* Median, in microseconds, of `times` flushes (fdatasync) of one 4 KiB page
 * that is written over and over in a file in `dir`. Errors  IO */
enum err_code flush_probe(const char *dir,
                          size_t times,
                          double *median_us,
                          struct err *err) MUST_CHECK;

#endif /* BENCH_LMDB_APPEND_H */
