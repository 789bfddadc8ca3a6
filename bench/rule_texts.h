/*
 * rule_texts: texts on which rules speak, or nearly: to compare two ways of
 * asking the rules, not to measure how long it takes.
 *
 * A third each, by turns:
 *   - texts that the rules' own patterns match (pattern_text.h)
 *   - the rules' own sentences
 *   - labelled texts, whole or two halves
 * Most of them are then altered at some places: characters and pieces are taken
 * out, written twice, moved, exchanged for strangers; marks divide sentences.
 */
#ifndef BENCH_RULE_TEXTS_H
#define BENCH_RULE_TEXTS_H

#include "analyzers/dictionary.h"
#include "bench/random.h"

enum { RULE_TEXT_BYTES_MAX = 4096 };

/* What texts are made of; immutable, so threads may share it. */
struct rule_texts;

/*
 *   files       those that `dictionary` was built of; for their word groups
 *   dictionary  borrowed as long as *out is used
 *   paths       tab-separated tables with a column `text`; path_count > 0
 *
 * Errors  those of reading and of table_parse; BAD_TABLE for a path without
 *         one text; NO_MEMORY
 */
enum err_code rule_texts_new(const struct dictionary_file *files,
                             size_t file_count,
                             const struct dictionary *dictionary,
                             char **paths,
                             size_t path_count,
                             struct rule_texts **out,
                             struct err *err) MUST_CHECK;
void rule_texts_free(struct rule_texts **texts);

/* Write the next text at `out`, which has room for RULE_TEXT_BYTES_MAX; the
 * same for the same state of `random`. Returns its bytes. */
size_t rule_texts_write(const struct rule_texts *texts,
                        struct random *random,
                        char *out);

#endif /* BENCH_RULE_TEXTS_H */
