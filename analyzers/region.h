/*
 * region: urban, rural, remote or unknown, with the step that decided.
 *
 * Order of evidence: the feed's own field -> unit table -> customer table ->
 * town gazetteer and address words -> words of the text -> unknown. Never
 * silently rural.
 *
 * Tables    regions.csv    id,field,region,pattern,unless,weight,note,
 *                          must_match,must_not_match (its head explains)
 *           towns.csv      code,name,short,kind,urban (dict/build/towns.py)
 *           customers.csv  customer,region (optional)
 *           t2s.csv        Traditional to Simplified, its first two columns
 *                          (optional here; clean.h needs it)
 * Source    analyzers/DESIGN.md#region
 * Effects   none after region_build
 */
#ifndef ANALYZERS_REGION_H
#define ANALYZERS_REGION_H

#include "analyzers/classify.h"
#include "analyzers/dictionary.h"
#include "analyzers/ticket.h"

enum {
    REGION_ADDRESS_CHARS_MAX = 256, /* looked at; the rest is ignored */
    REGION_TEXT_CHARS_MAX = 512,
    REGION_RULES_MAX = 256,
    REGION_WORDS_MAX = 4000 /* alternatives of all patterns and unlesses */
};

struct region_table;
struct units; /* analyzers/units.h */

/*
 *   files   regions.csv and towns.csv must be among them
 *   out     set on ERR_OK only; free with region_free
 *
 * Errors  NOT_FOUND (a table is missing), BAD_TABLE, NO_COLUMN, BAD_VALUE,
 *         BAD_REGION, BAD_PATTERN, TOO_LONG, NO_MEMORY: file, line, column
 * Cost    some 30 ms for 45,000 places
 */
enum err_code region_build(const struct dictionary_file *files,
                           size_t file_count,
                           struct region_table **out,
                           struct err *err) MUST_CHECK;
void region_free(struct region_table **table);

/*
 * Decide. `evidence` gets the step ("field", "unit", "customer", "gazetteer",
 * "address:<rule>", "text:<rule>", "unknown") as rule, and the words that
 * decided with their offsets in characters.
 *
 *   units   may be NULL: that step is left out
 *
 * Cost    one pass over the address, about 0.5 us; over the text too when the
 *         address leaves it open; no allocation
 */
enum ticket_region region_judge(const struct region_table *table,
                                const struct units *units,
                                const struct ticket *ticket,
                                struct evidence *evidence);

/* --- the rules themselves, for checking a dictionary --- */

struct region_rule {
    struct span id;
    struct span must_match;     /* an example on which the rule speaks */
    struct span must_not_match; /* one on which it is silent */
    size_t line;                /* of regions.csv */
};

size_t region_rule_count(const struct region_table *table);

/* Rule 0..count-1; spans borrowed from the table. */
struct region_rule region_rule_at(const struct region_table *table,
                                  size_t rule);

/* Does the rule speak on this address (on this text, for a text rule)? */
bool region_rule_speaks(const struct region_table *table,
                        size_t rule,
                        struct span words);

#endif /* ANALYZERS_REGION_H */
