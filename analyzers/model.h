/*
 * model: a linear model over character n-grams, for where rules are silent.
 *
 * Flow      cleaned text -> [model] -> one logit a class -> classify
 * Table     model.tsv: n-gram, one weight a class, one a category for whether
 *           it is complained of besides, and for some classes one a third-level
 *           name; written by `suqiu train`
 * Effects   none after model_build
 *
 * Multinomial logistic regression. The n-grams of a text are its letters,
 * digits and Chinese characters one by one, and each two that stand together.
 * A number, in digits or Chinese, is one character `0`; with what it counts it
 * makes one more pair that tells its size: "8伏" is 61 to 189 volts. What
 * begins or ends a run of such characters makes a pair with `|`: "|我" began a
 * phrase, "吗|" ended one. What a text says first counts up to four times as
 * much as what it says last: callers and operators begin with the matter; what
 * it says again does not count. The sum of the weights of the n-grams that the
 * model knows is divided by the square root of their number, so that long texts
 * are not louder than short ones.
 *
 * The third-level names of a class are told apart by the same n-grams, with
 * weights learned from the texts of that class alone.
 */
#ifndef ANALYZERS_MODEL_H
#define ANALYZERS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/clean.h"
#include "analyzers/dictionary.h"
#include "analyzers/ticket.h"

enum {
    MODEL_FEATURES_MAX = 60000,
    MODEL_TEXT_NGRAMS_MAX = 4096, /* of one text; the rest is not looked at */
    MODEL_TIMES_MAX = 8,          /* of what stands first; 2 of what is last */
    MODEL_TOPICS_MAX = 16,        /* third-level names of a class */
    MODEL_ALSO_COUNT = TICKET_CATEGORY_COUNT - 1, /* the five */
    MODEL_NGRAM_BYTES = 8,                        /* two characters and NUL */
    MODEL_WEIGHT_MAX = 1000 /* hundredths of a logit, either sign */
};

struct taxonomy;
struct model;

/* *out is NULL when there is no model.tsv. */
enum err_code model_build(const struct dictionary_file *files,
                          size_t file_count,
                          const struct taxonomy *taxonomy,
                          struct model **out,
                          struct err *err) MUST_CHECK;
void model_free(struct model **model);

/* One n-gram: its last character in the lower 16 bits of the key, the one
 * before it, if any, in the upper. */
struct model_ngram {
    uint32_t key;
    uint16_t first; /* characters [first, last] of the cleaned text */
    uint16_t last;
    uint16_t times; /* it counts, 1..MODEL_TIMES_MAX */
};

/* The n-grams of a text, repeated ones repeated, in the order of their ends;
 * ngrams has room for MODEL_TEXT_NGRAMS_MAX. */
size_t model_ngrams(const struct clean_text *text, struct model_ngram *ngrams);

/* The n-gram as model.tsv writes it. */
void model_ngram_name(uint32_t key, char name[MODEL_NGRAM_BYTES]);

/* What the model knows of a text; working memory, 70 KB. */
struct model_reading {
    size_t count;
    float share; /* 1 / root of how often they count */
    uint64_t seen[MODEL_FEATURES_MAX / 64 + 1]; /* bits; of the features */
    uint16_t features[MODEL_TEXT_NGRAMS_MAX];
    struct model_ngram ngrams[MODEL_TEXT_NGRAMS_MAX];
};

/*
 * Logits of the classes and, last, of none; and of each of the five categories
 * (0 is the first after none) being complained of besides another one: where it
 * stands does not count for that, and 0 is as likely as not (0 without
 * model_knows_also).
 *   reading  what model_reasons wants to see afterwards
 * Cost    a look-up an n-gram
 */
void model_score(const struct model *model,
                 const struct clean_text *text,
                 struct model_reading *reading,
                 float *logits,
                 float also[MODEL_ALSO_COUNT]);

/* Does the table say of what else is complained? */
bool model_knows_also(const struct model *model);

/*
 * Logits of the third-level names of a class, in the order of categories.csv,
 * for a text that was scored. Returns how many there are; 0 when the table does
 * not tell the names of this class apart.
 * Cost    a look-up a known n-gram
 */
size_t model_topics(const struct model *model,
                    const struct model_reading *reading,
                    size_t class_index,
                    float logits[MODEL_TOPICS_MAX]);

/* An n-gram and what it adds to a class. */
struct model_reason {
    struct span id; /* "ngram:停电"; borrowed from the model */
    uint32_t start; /* bytes of the cleaned text */
    uint32_t end;
    int32_t weight; /* hundredths */
};

/* The reason_max strongest for `class_index`, strongest first, of a text that
 * was scored. */
size_t model_reasons(const struct model *model,
                     const struct model_reading *reading,
                     const struct clean_text *text,
                     size_t class_index,
                     struct model_reason *reasons,
                     size_t reason_max);

#endif /* ANALYZERS_MODEL_H */
