/* The progress line: rate and time left, on a terminal only. */
#include "server/base/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/base/clock.h"

enum { SHOW_EVERY_US = 200000, SECOND_US = 1000000 };

void
progress_start(struct progress *progress, const char *label, uint64_t total)
{
    int64_t now_us = clock_mono_us();

    *progress = (struct progress){
        .label = label,
        .total = total,
        .start_mono_us = now_us,
        .shown_mono_us = now_us,
        .on = isatty(STDERR_FILENO) == 1,
    };
}

/* 1234567 -> "1,234,567" */
static const char *
grouped(uint64_t number, char out[32])
{
    char plain[24];
    int digits = snprintf(plain, sizeof(plain), "%" PRIu64, number);
    int used = 0;

    for (int i = 0; i < digits; i++) {
        if (i > 0 && (digits - i) % 3 == 0) {
            out[used++] = ',';
        }
        out[used++] = plain[i];
    }
    out[used] = '\0';
    return out;
}

int
progress_line(const struct progress *progress,
              int64_t now_mono_us,
              char *out,
              int out_bytes)
{
    int64_t elapsed_us = now_mono_us - progress->start_mono_us;
    double seconds = (double)(elapsed_us > 0 ? elapsed_us : 1) / SECOND_US;
    double rate = (double)progress->done / seconds;
    char done[32];
    char total[32];
    char per_second[32];
    double left;

    (void)grouped(progress->done, done);
    (void)grouped((uint64_t)rate, per_second);
    if (progress->total == 0 || progress->done == 0 ||
        progress->done > progress->total) {
        return snprintf(out, (size_t)out_bytes, "%s  %s  %s/s", progress->label,
                        done, per_second);
    }
    left = (double)(progress->total - progress->done) / rate;
    return snprintf(
        out, (size_t)out_bytes, "%s  %s of %s  %d %%  %s/s  %d:%02d left",
        progress->label, done, grouped(progress->total, total),
        (int)(100.0 * (double)progress->done / (double)progress->total),
        per_second, (int)(left / 60), (int)left % 60);
}

void
progress_update(struct progress *progress, uint64_t done)
{
    char line[256];
    int64_t now_us;

    progress->done = done;
    if (!progress->on) {
        return;
    }
    now_us = clock_mono_us();
    if (now_us - progress->shown_mono_us < SHOW_EVERY_US) {
        return;
    }
    progress->shown_mono_us = now_us;
    progress->shown = true;
    (void)progress_line(progress, now_us, line, sizeof(line));
    (void)fprintf(stderr, "\r\033[K%s", line);
    (void)fflush(stderr);
}

void
progress_stop(struct progress *progress)
{
    if (progress->shown) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        progress->shown = false;
    }
}
