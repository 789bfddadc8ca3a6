/*
 * region: urban, rural, remote or unknown, with the step that decided.
 *
 * Order of evidence: the feed's own field -> unit table -> customer table ->
 * town and village gazetteer -> address words -> unknown. Never silently rural.
 *
 * Source    analyzers/DESIGN.md#region
 * Effects   none after region_build
 */
#ifndef ANALYZERS_REGION_H
#define ANALYZERS_REGION_H

#include "analyzers/classify.h"
#include "analyzers/dictionary.h"
#include "analyzers/ticket.h"

struct region_table;

enum err_code region_build(const struct dictionary_file *files,
                           size_t file_count,
                           struct region_table **out,
                           struct err *err) MUST_CHECK;
void region_free(struct region_table **table);

/*
 * Decide. `evidence` gets the step ("field", "unit", "customer", "gazetteer",
 * "address:<rule>", "text:<rule>", "unknown") as rule, and the words that
 * decided with their offsets in characters.
 * Cost    one pass over the address; no allocation
 */
enum ticket_region region_judge(const struct region_table *table,
                                const struct units *units,
                                const struct ticket *ticket,
                                struct evidence *evidence);

#endif /* ANALYZERS_REGION_H */
