/*
 * train: labelled texts to the weights of the linear model.
 *
 * Flow      cleaned texts with their classes -> [train] -> model.tsv
 * Method    multinomial logistic regression for the class, one more a class for
 *           its third-level names, and one logistic regression a category for
 *           whether it is complained of besides; squares of the weights
 *           restrained, solved by L-BFGS from zero over all texts (of the
 *           class). A rare n-gram may weigh
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
#include "analyzers/model.h"
#include "analyzers/scoring.h"

struct trainer;

enum { TRAIN_TEXTS_MAX = 200000 };
#define TRAIN_TOPIC_NONE SIZE_MAX

struct train_options {
    double restraint;      /* > 0: the larger, the smaller the weights */
    double also_restraint; /* the same for the categories besides */
    double texts_min;      /* an n-gram stands in at least so many texts, each
                              counted by its weight */
};

/*
 *   class_count   classes with none, which is the last
 *   topic_counts  [class_count] third-level names of each; those of a class are
 *                 learned when they are 2 to MODEL_TOPICS_MAX. Copied
 */
enum err_code trainer_new(size_t class_count,
                          const size_t *topic_counts,
                          struct trainer **out,
                          struct err *err) MUST_CHECK;
void trainer_free(struct trainer **trainer);

/* What a person said of a text. Weight 1 is a ticket; less than 1 an aid, which
 * is learned from in every fold. The bits of `also` are categories as in
 * model_score; those in also_known are, or are not, complained of besides. */
struct train_label {
    size_t class_index;
    size_t topic; /* among the third-level names of the class, or
                     TRAIN_TOPIC_NONE */
    double weight;
    uint32_t also;
    uint32_t also_known;
};

/* One more text; its n-grams are copied.  Errors  TOO_LONG, NO_MEMORY */
enum err_code trainer_add(struct trainer *trainer,
                          const struct clean_text *text,
                          const struct train_label *label,
                          struct err *err) MUST_CHECK;
size_t trainer_text_count(const struct trainer *trainer);

/* What tells the third-level names of one class apart. */
struct trained_topics {
    size_t topic_count; /* 0: nothing was learned */
    size_t row_count;
    uint32_t *features; /* [row_count] of the features, ascending */
    int16_t *weights;   /* [row_count][topic_count] */
    int32_t *bias;      /* [topic_count] */
};

/* What was learned: hundredths of a logit, as the model adds them. */
struct trained {
    size_t class_count;
    size_t feature_count;
    uint32_t *keys;   /* ascending; struct model_ngram */
    int16_t *weights; /* [feature_count][class_count] */
    int32_t *bias;    /* [class_count] */
    int16_t *also;    /* [feature_count][MODEL_ALSO_COUNT] */
    int32_t *also_bias;
    struct trained_topics topics[SCORING_CLASSES_MAX]; /* [class_count] */
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

/* What model_score would say of text number `text`. */
void trainer_judge(const struct trainer *trainer,
                   const struct trained *trained,
                   size_t text,
                   float *logits,
                   float also[MODEL_ALSO_COUNT]);

/* What model_topics would say of text number `text`. */
size_t trainer_judge_topics(const struct trainer *trainer,
                            const struct trained *trained,
                            size_t text,
                            size_t class_index,
                            float logits[MODEL_TOPICS_MAX]);

#endif /* ANALYZERS_TRAIN_H */
