/*
 * rule_check: rules against their own sentences, against each other, and
 * against hostile texts.
 *
 * Effects   none but the findings; rule_check_cost reads the thread's clock
 */
#ifndef RULEBOOK_RULE_CHECK_H
#define RULEBOOK_RULE_CHECK_H

#include <stddef.h>

#include "analyzers/dictionary.h"

enum { RULE_CHECK_US_MAX = 2000, RULE_CHECK_HOSTILE_TEXTS = 12 };

/* "dict/rules/quality.csv: line 3, column 'must_match': rule 'id' …"; lasts no
 * longer than the call. */
typedef void rule_check_finding(void *data, struct span text);

struct rule_check {
    rule_check_finding *finding;
    void *data;
    double *rule_us;    /* [rule], filled by rule_check_cost; may be NULL */
    double rule_us_max; /* of one rule on one hostile text, processor time */

    size_t findings;
    size_t rules;
    double slowest_us;
    struct span slowest_rule; /* borrowed from the dictionary */
};

/*
 * Each rule's must_match and must_not_match, and patterns that stand twice.
 * Cost    a millisecond a hundred sentences; pairs of rules
 */
enum err_code rule_check_sentences(const struct dictionary *dictionary,
                                   struct rule_check *check,
                                   struct err *err) MUST_CHECK;

/* Each rule on hostile texts of 8 KB: how long it takes, and whether it is
 * given up (RULE_MATCH_LIMIT). Cost: about a millisecond a rule. */
enum err_code rule_check_cost(const struct dictionary *dictionary,
                              struct rule_check *check,
                              struct err *err) MUST_CHECK;

#endif /* RULEBOOK_RULE_CHECK_H */
