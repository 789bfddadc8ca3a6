/*
 * progress: one line on standard error that says how far long work is.
 *
 *   import  1,200,000 of 5,000,000  24 %  410,000/s  0:09 left
 *
 * Only on a terminal; nothing at all on a pipe or in a file.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *label;
    uint64_t total; /* 0 when not known */
    uint64_t done;
    int64_t start_mono_us;
    int64_t shown_mono_us;
    bool on;    /* standard error is a terminal */
    bool shown; /* there is a line to wipe */
};

/* `label` is borrowed. */
void
progress_start(struct progress *progress, const char *label, uint64_t total);

/* Cheap: looks at the clock and writes at most five times a second. */
void progress_update(struct progress *progress, uint64_t done);

/* Wipe the line. */
void progress_stop(struct progress *progress);

/* The line for a given moment, for tests; returns its length. */
int progress_line(const struct progress *progress,
                  int64_t now_mono_us,
                  char *out,
                  int out_bytes);

#endif /* BASE_PROGRESS_H */
