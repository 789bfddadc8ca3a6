/*
 * train: labelled texts to the weights of the linear model.
 *
 * Flow      cleaned texts with their classes -> [train] -> model.tsv
 * Method    multinomial logistic regression, squares of the weights restrained,
 *           solved by L-BFGS from zero over all texts. A rare n-gram may weigh
 *           more than a common one: before the restraint each is multiplied
 *           with the logarithm of texts over texts that have it.
 * Effects   allocates; no I/O, no chance: the same texts in the same order give
 *           the same weights
 */
#ifndef ANALYZERS_TRAIN_H
#define ANALYZERS_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "analyzers/clean.h"
#include "analyzers/err.h"

struct trainer;

enum { TRAIN_TEXTS_MAX = 200000, TRAIN_ROUNDS_MAX = 80 };

struct train_options {
    double restraint; /* > 0: the larger, the smaller the weights */
    double texts_min; /* an n-gram stands in at least so many texts, each
                         counted by its weight */
};

/* class_count: classes with none, which is the last. */
enum err_code trainer_new(size_t class_count,
                          struct trainer **out,
                          struct err *err) MUST_CHECK;
void trainer_free(struct trainer **trainer);

/* One more text; its n-grams are copied. Weight 1 is a ticket; less than 1 an
 * aid, which is learned from in every fold.  Errors  TOO_LONG, NO_MEMORY */
enum err_code trainer_add(struct trainer *trainer,
                          const struct clean_text *text,
                          size_t class_index,
                          double weight,
                          struct err *err) MUST_CHECK;
size_t trainer_text_count(const struct trainer *trainer);

/* What was learned: hundredths of a logit, as the model adds them. */
struct trained {
    size_t class_count;
    size_t feature_count;
    uint32_t *keys;   /* ascending; struct model_ngram */
    int16_t *weights; /* [feature_count][class_count] */
    int32_t *bias;    /* [class_count] */
};
void trained_free(struct trained **trained);

/*
 * Learn from the tickets whose number modulo `folds` is not `fold`; from all of
 * them when folds is 0; and from the aids.
 * Cost    a second for 2,000 texts
 */
enum err_code trainer_fit(const struct trainer *trainer,
                          const struct train_options *options,
                          size_t fold,
                          size_t folds,
                          struct trained **out,
                          struct err *err) MUST_CHECK;

/* The logits of text number `text`, as model_score would give them. */
void trainer_judge(const struct trainer *trainer,
                   const struct trained *trained,
                   size_t text,
                   float *logits);

#endif /* ANALYZERS_TRAIN_H */
