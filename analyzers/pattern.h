/*
 * pattern: is this pattern allowed?
 *
 * Input     one pattern in the part of PCRE2's language that rules may use
 * Output    yes, or what is wrong, where, and how to mend it
 * Effects   none: no allocation
 *
 * Allowed   characters, `.`, [classes], \d \w \s \D \W \S \b ^ $, (groups),
 *           (?:groups), (?>groups), a|b, ? * + {n,m} also lazy and possessive,
 *           (?=…) (?!…) (?<=…) (?<!…)
 * Refused   back-references, recursion, \C, callouts, (*VERBS), inline
 *           options, unbounded repetition inside a look-around or inside a
 *           repeated group, a pattern that matches without any word
 */
#ifndef ANALYZERS_PATTERN_H
#define ANALYZERS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/clean.h"
#include "analyzers/span.h"

enum { PATTERN_BYTES_MAX = 4096, PATTERN_DEPTH_MAX = 20 };

/* What is wrong, at which byte, and how to mend it; static storage. */
struct pattern_fault {
    size_t offset;
    const char *problem;
    const char *remedy;
};

/*
 *   cleaner  refuses characters that no cleaned text holds (NULL: any)
 *   solid    refuses a pattern that can match without any word; what is only
 *            asked after another one matched (unless, also) may
 *
 * Returns false with *fault filled when the pattern is refused.
 */
bool pattern_check(struct span pattern,
                   const struct cleaner *cleaner,
                   bool solid,
                   struct pattern_fault *fault);

#endif /* ANALYZERS_PATTERN_H */
