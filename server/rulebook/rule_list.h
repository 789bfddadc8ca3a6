/*
 * rule_list: the rules of a dictionary with what is known of each.
 *
 * Effects   allocates the list; judges nothing
 */
#ifndef RULEBOOK_RULE_LIST_H
#define RULEBOOK_RULE_LIST_H

#include "server/rulebook/rule_hits.h"

enum rule_order {
    RULE_ORDER_TABLE, /* as they stand in the tables */
    RULE_ORDER_HITS,  /* most first, and so on */
    RULE_ORDER_LOST,
    RULE_ORDER_COST
};
/* "table", "hits", "lost", "cost"; false for another word. */
bool rule_order_from(struct span word, enum rule_order *out);

/* Which rules; zero is all of them. */
struct rule_query {
    uint32_t categories;  /* bits 1u << category; the flags' rules are none's */
    bool never_hit;       /* those that never spoke */
    bool always_lost;     /* those that spoke and were overruled every time */
    struct span contains; /* in id or pattern */
    struct span text;     /* those that would speak on this text */
    enum rule_order order;
};

struct rule_view {
    const struct rule *rule;
    struct ledger_rule_hits hits; /* zero: never spoke */
    uint64_t lost;                /* overruled: another category was judged */
    double cost_us;               /* < 0: not measured */
    char *words; /* that match in query.text, cleaned; NULL without a text */
};

struct rule_list {
    struct rule_view *views;
    size_t count;
};

/*
 *   hits     what was counted; may be NULL
 *   rule_us  edition.rule_us; may be NULL
 *   out      release with rule_list_release; borrows from the dictionary
 * Errors  NO_MEMORY
 */
enum err_code rule_list_build(const struct dictionary *dictionary,
                              struct rule_hits *hits,
                              const double *rule_us,
                              const struct rule_query *query,
                              int64_t now_us,
                              struct rule_list *out,
                              struct err *err) MUST_CHECK;
void rule_list_release(struct rule_list *list);

/* "text", "sentence", "bracket" */
const char *rule_scope_name(enum rule_scope scope);
/* "service", … "none", "test_ticket", … as in the tables */
const char *rule_side_name(const struct rule *rule);

#endif /* RULEBOOK_RULE_LIST_H */
