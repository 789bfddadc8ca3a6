/*
 * rules_private: what rules.c (reading, compiling) and rules_match.c share.
 */
#ifndef ANALYZERS_RULES_PRIVATE_H
#define ANALYZERS_RULES_PRIVATE_H

#include <hs/hs.h>
#include <pcre2.h>

#include "analyzers/rules.h"

struct rule_code {
    pcre2_code *pattern;
    pcre2_code *also;   /* NULL when the cell is empty */
    pcre2_code *unless; /* NULL when the cell is empty */
};

struct rules {
    struct rule *rows;
    struct rule_code *code; /* code[i] belongs to rows[i] */
    size_t count;
    size_t room;
    struct table **tables; /* the spans of the rows borrow from them */
    size_t table_count;
    hs_database_t *scanner; /* id of a pattern = index of its rule */
};

#endif /* ANALYZERS_RULES_PRIVATE_H */
