/*
 * rule_hits: how often each rule spoke, and what won when it lost.
 *
 * Flow      judge -> classify's tally -> [rule_hits: by rule id, one mutex] ->
 *           the store, now and then
 * Effects   memory by rule; rule_hits_save hands a job to the writer
 *
 * Each judged ticket counts, also a duplicate. A kill loses what was not saved
 * yet; that is at most RULE_HITS_SAVE_S of a running server.
 */
#ifndef RULEBOOK_RULE_HITS_H
#define RULEBOOK_RULE_HITS_H

#include "analyzers/classify.h"
#include "analyzers/rules.h"
#include "server/ledger/ledger.h"

enum {
    RULE_HITS_SAVE_S = 60,
    RULE_HITS_RULES_MAX = 65536 /* ids remembered, of all tables there were */
};

struct rule_hits;

/* NULL: no memory. */
struct rule_hits *rule_hits_new(void);
void rule_hits_free(struct rule_hits **hits);

/* Add a tally of these rules; any thread. Cost: some ten nanoseconds a rule
 * that spoke. */
void rule_hits_add(struct rule_hits *hits,
                   const struct rules *rules,
                   const struct classify_tally *tally,
                   int64_t now_us);

/* What is known of a rule; `today` is 0 when its day is another one. False:
 * it never spoke. Any thread. */
bool rule_hits_get(struct rule_hits *hits,
                   struct span rule,
                   int64_t now_us,
                   struct ledger_rule_hits *out);

/* Put what the store knows; before the first rule_hits_add. */
void rule_hits_load(struct rule_hits *hits,
                    const struct ledger_rule_hits *stored);

/*
 * Copy the rules that changed since the last call: free(*rows). False: none, or
 * no memory. rule_hits_unsaved takes them back when they could not be written.
 */
bool rule_hits_take(struct rule_hits *hits,
                    struct ledger_rule_hits **rows,
                    size_t *count);
void rule_hits_unsaved(struct rule_hits *hits,
                       const struct ledger_rule_hits *rows,
                       size_t count);

#endif /* RULEBOOK_RULE_HITS_H */
