/*
 * hits_saver: the hits of the rules from the store, and into it.
 *
 * Effects   reads the store; a job of the writer
 */
#ifndef RULEBOOK_HITS_SAVER_H
#define RULEBOOK_HITS_SAVER_H

#include "server/rulebook/rulebook.h"
#include "server/writer.h"

/* All that the store knows into the rulebook's table. */
enum err_code hits_load(const struct store *store,
                        struct rulebook *rulebook,
                        struct err *err) MUST_CHECK;

/* Write what changed in a transaction of its own; nothing when nothing changed.
 * May wait for room in the writer's queue. `rulebook` outlives the writer. */
void hits_save(struct writer *writer, struct rulebook *rulebook);

#endif /* RULEBOOK_HITS_SAVER_H */
