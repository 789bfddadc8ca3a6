/*
 * rules_list: the cells of one rule, for the API and the command.
 */
#ifndef SERVE_RULES_LIST_H
#define SERVE_RULES_LIST_H

#include "server/rulebook/rule_list.h"
#include "server/serve/list.h"

/* The columns; `with_text`: also the words that match. */
const struct list_column *rules_list_columns(bool with_text, size_t *count);

void rules_list_put(struct list_writer *writer,
                    const struct dictionary *dictionary,
                    const struct rule_view *view,
                    bool with_text);

#endif /* SERVE_RULES_LIST_H */
