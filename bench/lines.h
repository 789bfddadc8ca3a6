/*
 * lines: a stream of records in memory, ready before a clock starts.
 */
#ifndef BENCH_LINES_H
#define BENCH_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "bench/generate.h"

struct lines {
    char *data;     /* owned; each line ends in a line feed */
    uint64_t *ends; /* owned; ends[i] is where line i + 1 begins */
    uint8_t *kinds; /* owned; enum generated_kind, NULL for a file */
    size_t count;
    size_t bytes;
    size_t count_room;
    size_t bytes_room;
    struct generate_truth truth; /* zero but for lines and bytes for a file */
};

/*
 * Generate a whole stream, or append it to what is there. Start with a zeroed
 * struct; free with lines_release.
 * Errors  BAD_VALUE, NO_MEMORY
 */
enum err_code lines_generate(struct lines *lines,
                             const struct generate_options *options,
                             struct err *err) MUST_CHECK;

/* Append up to `count` lines of a generator that goes on; fewer at its end. The
 * truth stays the generator's.  Errors  NO_MEMORY */
enum err_code lines_more(struct lines *lines,
                         struct generator *generator,
                         size_t count,
                         struct err *err) MUST_CHECK;

/* Read a file; a last line without line feed gets one.
 * Errors  IO, NO_MEMORY */
enum err_code
lines_read(struct lines *lines, const char *path, struct err *err) MUST_CHECK;

void lines_release(struct lines *lines);

/* Where line `index` begins. */
static inline uint64_t
lines_begin(const struct lines *lines, size_t index)
{
    return index == 0 ? 0 : lines->ends[index - 1];
}

#endif /* BENCH_LINES_H */
