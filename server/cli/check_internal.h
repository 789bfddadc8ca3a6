/*
 * check_internal: the parts of `suqiu check`.
 */
#ifndef CLI_CHECK_INTERNAL_H
#define CLI_CHECK_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/classify.h"
#include "server/base/buf.h"

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
