/*
 * list_words: Chinese for the wire words that stand in the cells of lists.
 */
#ifndef SERVE_LIST_WORDS_H
#define SERVE_LIST_WORDS_H

#include "analyzers/span.h"

/* "outage" in the column "category" -> "停送电投诉"; the word itself where
 * there is no Chinese for it. `column` is a name of the API. */
struct span list_word_chinese(const char *column, struct span wire);

#endif /* SERVE_LIST_WORDS_H */
