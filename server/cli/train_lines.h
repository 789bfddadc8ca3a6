/*
 * train_lines: what is said in one breath, and tickets made of it to learn
 * from.
 *
 * Flow      tests/corpus/lines/ *.tsv -> [train_lines] -> train
 * Form      tab-separated. Lines: class, topic, text; class is the code of a
 *           second-level name or none; topic, which may be missing, the code of
 *           a third-level name, or `-`. Fillers: one column, filler; they may
 *           stand in any ticket.
 * Method    a line alone is no ticket: it is set between some fillers, so that
 *           what stands beside the matter gets no weight. No chance: the line's
 *           number says which.
 * Effects   reads files
 */
#ifndef CLI_TRAIN_LINES_H
#define CLI_TRAIN_LINES_H

#include <stdbool.h>

#include "analyzers/err.h"
#include "analyzers/table.h"
#include "analyzers/taxonomy.h"
#include "server/base/buf.h"

enum { TRAIN_LINES_MAX = 50000, TRAIN_FILLERS_MAX = 10000 };

struct train_lines;

enum err_code train_lines_new(struct train_lines **out,
                              struct err *err) MUST_CHECK;
void train_lines_free(struct train_lines **lines);

/* Does the table hold lines or fillers, no tickets? */
bool train_lines_are_in(const struct table *table);

/* Add a table of lines or fillers; the table must outlive `lines`.
 * Errors  BAD_TABLE (a class or topic that categories.csv has not, no text),
 *         TOO_LONG */
enum err_code train_lines_add(struct train_lines *lines,
                              const struct table *table,
                              const struct taxonomy *taxonomy,
                              struct err *err) MUST_CHECK;

size_t train_lines_count(const struct train_lines *lines);
/* The class of line number `line`: of the taxonomy, or its class count for
 * none. */
size_t train_lines_class(const struct train_lines *lines, size_t line);

/* The row of its third-level name, or TAXONOMY_NONE. */
int32_t train_lines_topic(const struct train_lines *lines, size_t line);

/* Append the ticket number `round` made of the line: always the same. */
void train_lines_compose(const struct train_lines *lines,
                         size_t line,
                         size_t round,
                         struct buf *out);

#endif /* CLI_TRAIN_LINES_H */
