/*
 * pattern_text: invent texts that a pattern matches, or nearly.
 *
 * Every alternative, member of a class and length of a gap is drawn; gaps are
 * filled with characters of other texts. Now and then a repetition is one too
 * long or one too short, and what a look-around forbids is written all the
 * same, so that not all of the texts match.
 */
#ifndef BENCH_PATTERN_TEXT_H
#define BENCH_PATTERN_TEXT_H

#include <stddef.h>

#include "analyzers/span.h"
#include "bench/random.h"

/*
 * Write one text at `out`, at most `room` bytes of whole characters; returns
 * its bytes.
 *
 *   pattern    allowed by pattern_check, macros written out
 *   strangers  valid UTF-8, not empty: characters for the gaps
 *
 * Cost    some 10 us a KB of the pattern
 */
size_t pattern_text_write(struct span pattern,
                          struct span strangers,
                          struct random *random,
                          char *out,
                          size_t room);

/* A character of `strangers`, each place as likely as the others. */
struct span pattern_text_stranger(struct span strangers, struct random *random);

#endif /* BENCH_PATTERN_TEXT_H */
