/*
 * portable: the rules of the dictionary in a form that other engines read too:
 * for each second-level name regular expressions without look-arounds, macros
 * and captures; and what they say of a text, by PCRE2.
 *
 * A rule's `also`, `unless`, place in a sentence and weight are left out, and
 * so are the rules that speak against something: what is left is less work than
 * the judgement itself and the same for everybody. A name whose alternation
 * would be too long for some engine has several.
 */
#ifndef BENCH_PORTABLE_H
#define BENCH_PORTABLE_H

#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

enum { PORTABLE_ROWS_MAX = 2048, PORTABLE_BYTES_MAX = 1024 * 1024 };

struct portable_row {
    unsigned class_index; /* bit of the mask */
    char *code;           /* "outage.repair"; owned */
    char *pattern;        /* owned */
};

struct portable {
    struct portable_row rows[PORTABLE_ROWS_MAX];
    size_t count;
    size_t rule_count; /* rules that went into them */
};

/*
 * From the tables inside the binary. An alternation ends when it has
 * `pattern_bytes` or more. Free with portable_free.
 * Errors  those of the dictionary, NO_MEMORY, TOO_LONG
 */
enum err_code portable_export(size_t pattern_bytes,
                              struct portable **out,
                              struct err *err) MUST_CHECK;
void portable_free(struct portable **portable);

/* Cut look-arounds out of a pattern and make its groups capture nothing;
 * `out` has room for 3 * pattern.bytes + 1. Returns the bytes written. */
size_t portable_pattern(struct span pattern, char *out);

struct portable_matcher;

/* Compile the rows: with the JIT, or for PCRE2's interpreter.
 * Errors  BAD_PATTERN, NO_MEMORY */
enum err_code portable_matcher_new(const struct portable *portable,
                                   int jit,
                                   struct portable_matcher **out,
                                   struct err *err) MUST_CHECK;
void portable_matcher_free(struct portable_matcher **matcher);

/* Bits of the names one of whose patterns stands in the text.
 * Errors  LIMIT-like failures of PCRE2 as IO */
enum err_code portable_match(const struct portable_matcher *matcher,
                             struct span text,
                             uint64_t *mask,
                             struct err *err) MUST_CHECK;

#endif /* BENCH_PORTABLE_H */
