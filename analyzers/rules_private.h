/*
 * rules_private: what rules.c (reading, compiling) and rules_match.c share.
 */
#ifndef ANALYZERS_RULES_PRIVATE_H
#define ANALYZERS_RULES_PRIVATE_H

#include <pthread.h>

#include "analyzers/rules.h"
#include "analyzers/rules_pattern.h"
#include "analyzers/scanner.h"

/* One cell, compiled. */
struct rule_code_cell {
    struct rules_pattern *whole;    /* NULL when the cell is empty */
    struct rules_pattern *anchored; /* the same, to be asked at given places */
    struct probe probe;
};

struct rule_code {
    struct rule_code_cell pattern;
    struct rule_code_cell also;
    struct rule_code_cell unless;
};

struct rules {
    struct rule *rows;
    struct rule_code *code; /* code[i] belongs to rows[i] */
    size_t count;
    size_t room;
    struct table **tables; /* the spans of the rows borrow from them */
    size_t table_count;
    struct scanner *scanner;
    /* Taken while the machine code of a pattern is made; pointed to, as a
     * pattern that is asked through const rules takes it, too. */
    pthread_mutex_t *making;
};

#endif /* ANALYZERS_RULES_PRIVATE_H */
