/*
 * rules: the rows of dict/rules/ *.csv, compiled, and the one pass over a text.
 *
 * Flow      cleaned text -> [rules] -> hits -> classify
 * Columns   id,category,subcategory,topic,pattern,also,unless,scope,weight,
 *           note,must_match,must_not_match (dict/README.md explains each)
 * Engine    the scanner finds candidates in one pass by the words they
 *           need; PCRE2 (JIT) decides and finds the words; see scanner.h
 * Effects   none after rules_build; matching needs one scratch a thread
 */
#ifndef ANALYZERS_RULES_H
#define ANALYZERS_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/clean.h"
#include "analyzers/dictionary.h"
#include "analyzers/ticket.h"

struct taxonomy;
struct rules;

enum {
    RULES_MAX = 20000,
    RULE_HITS_MAX = 256, /* of one text; further ones are not looked at */
    RULE_ID_BYTES_MAX = 47,
    RULE_MATCH_LIMIT = 100000,
    RULE_WEIGHT_MAX = 10000 /* hundredths: 100 points */
};

/* What a rule that matches says. */
enum rule_kind {
    RULE_SUBCATEGORY, /* for (or against) one second-level name */
    RULE_CATEGORY,    /* for one of the five, without saying which part */
    RULE_NONE,        /* against being a complaint */
    RULE_TEST_TICKET,
    RULE_NOT_UTILITY,
    RULE_FALSE_CLAIM
};

enum rule_scope {
    RULE_SCOPE_TEXT,
    RULE_SCOPE_SENTENCE, /* pattern, also and unless in the same sentence */
    RULE_SCOPE_BRACKET   /* inside the leading 【…】 */
};

struct rule {
    struct span id;
    struct span pattern; /* as written, and the next two */
    struct span also;
    struct span unless;
    struct span must_match;
    struct span must_not_match;
    enum rule_kind kind;
    enum rule_scope scope;
    enum ticket_category category; /* NONE unless SUBCATEGORY or CATEGORY */
    int32_t class_index;           /* of the taxonomy; -1 unless SUBCATEGORY */
    int32_t topic;                 /* taxonomy row or TAXONOMY_NONE */
    int32_t weight;                /* hundredths */
    const char *file;              /* "dict/rules/quality.csv" */
    size_t line;
};

/* `cleaner` NULL: *out is of no use, its rows were only looked at.
 * Errors  BAD_TABLE, BAD_PATTERN with file, line, column, the pattern with a
 *         caret under the place, and how to mend it; the files' faults hear of
 *         each bad row */
enum err_code rules_build(const struct dictionary_file *files,
                          size_t file_count,
                          const struct taxonomy *taxonomy,
                          const struct cleaner *cleaner,
                          struct rules **out,
                          struct err *err) MUST_CHECK;

void rules_free(struct rules **rules);

size_t rules_count(const struct rules *rules);
const struct rule *rules_get(const struct rules *rules, size_t index);
/* Index of the rule with this id, or SIZE_MAX. */
size_t rules_find(const struct rules *rules, struct span id);

/*
 * Make the machine code of one rule's patterns now, not when a text first asks
 * them. Any thread, also while others match.
 * Returns false when there is none: PCRE2 interprets the pattern, slowly.
 * Cost    about a millisecond
 */
bool rules_prepare(const struct rules *rules, size_t index);

struct rules_scratch;
enum err_code rules_scratch_new(const struct rules *rules,
                                struct rules_scratch **out,
                                struct err *err) MUST_CHECK;
void rules_scratch_free(struct rules_scratch **scratch);

struct rule_hit {
    uint32_t rule;
    uint32_t start; /* bytes of the cleaned text */
    uint32_t end;
};

/*
 * All rules that match, by ascending rule.
 *
 *   hits         room for RULE_HITS_MAX
 *   *incomplete  set (never cleared) when a rule ran into its limit or there
 *                were more hits than room
 *
 * Cost    one scan and one PCRE2 call a candidate
 */
size_t rules_match(const struct rules *rules,
                   struct rules_scratch *scratch,
                   const struct clean_text *text,
                   struct rule_hit *hits,
                   bool *incomplete);

/* The scanner's part of rules_match alone: how many candidates. To measure. */
size_t rules_scan(const struct rules *rules,
                  struct rules_scratch *scratch,
                  const struct clean_text *text);

/* One rule alone, without the scanner: for `check`. */
bool rules_match_one(const struct rules *rules,
                     struct rules_scratch *scratch,
                     size_t index,
                     const struct clean_text *text,
                     struct rule_hit *hit,
                     bool *incomplete);

#endif /* ANALYZERS_RULES_H */
