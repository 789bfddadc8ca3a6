/*
 * check_internal: the parts of `suqiu check`.
 */
#ifndef CLI_CHECK_INTERNAL_H
#define CLI_CHECK_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/classify.h"
#include "server/base/buf.h"

/* What a check found; each finding is a line of `out`. */
struct check_result {
    struct buf *out;
    size_t findings;
    size_t rules;
    double slowest_us; /* of one rule on one hostile text */
    struct span slowest_rule;
};

/* Each rule's two sentences, patterns that stand twice. */
enum err_code check_rule_sentences(const struct dictionary *dictionary,
                                   struct check_result *result,
                                   struct err *err) MUST_CHECK;

enum { CHECK_RULE_US_MAX = 2000, CHECK_HOSTILE_TEXTS = 12 };

/* Each rule on hostile texts of 8 KB. Looks at the clock. */
enum err_code check_rule_cost(const struct dictionary *dictionary,
                              struct check_result *result,
                              struct err *err) MUST_CHECK;

/* What to print about a corpus. */
struct check_corpus_options {
    bool errors;     /* each wrong row with its evidence */
    bool type_known; /* errors of judging with the type given */
    bool rules;      /* for each rule: how often it spoke, how often rightly */
    const char *truth; /* NULL, or the labels of NDJSON tickets: labelled.h */
};

/* Judge labelled tickets (tests/corpus/README.md) and print the figures. */
enum err_code check_corpus(const struct dictionary *dictionary,
                           char **paths,
                           size_t path_count,
                           const struct check_corpus_options *options,
                           struct buf *out,
                           struct err *err) MUST_CHECK;

/* How long each part of the judgement takes on these tickets, on one core. */
enum err_code check_time(const struct dictionary *dictionary,
                         char **paths,
                         size_t path_count,
                         const struct check_corpus_options *options,
                         struct buf *out,
                         struct err *err) MUST_CHECK;

#endif /* CLI_CHECK_INTERNAL_H */
