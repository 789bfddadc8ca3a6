/*
 * scratch_dir: a fresh directory for one store, and its end.
 */
#ifndef BENCH_SCRATCH_DIR_H
#define BENCH_SCRATCH_DIR_H

#include "analyzers/err.h"

enum { SCRATCH_DIR_BYTES = 4096 };

/* A new directory of that name and six letters inside `parent`.  Errors  IO */
enum err_code scratch_dir_make(const char *parent,
                               const char *name,
                               char out[SCRATCH_DIR_BYTES],
                               struct err *err) MUST_CHECK;

/* Remove it with the files of a store. Keeps the first error in `err`. */
void scratch_dir_remove(const char *dir, struct err *err);

#endif /* BENCH_SCRATCH_DIR_H */
