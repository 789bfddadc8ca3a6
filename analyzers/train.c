/* Logistic regression over n-grams. */
#include "analyzers/train.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/lbfgs.h"
#include "analyzers/model.h"

static const double idf_scale = 3.0; /* keeps restraint near 0.1 */

/* An n-gram and how often it counts. */
struct counted {
    uint32_t key;
    uint32_t times;
};

/* A text as sorted n-grams, repeated ones repeated. */
struct text {
    size_t first; /* into ngrams of the trainer */
    size_t count;
    struct train_label label;
};

struct trainer {
    size_t class_count;
    size_t topic_counts[SCORING_CLASSES_MAX];
    struct text *texts;
    size_t text_count;
    size_t text_room;
    struct counted *ngrams;
    size_t ngram_count;
    size_t ngram_room;
    struct model_ngram work[MODEL_TEXT_NGRAMS_MAX];
};

/* ------------------------------------------------------------------- texts */

enum err_code
trainer_new(size_t class_count,
            const size_t *topic_counts,
            struct trainer **out,
            struct err *err)
{
    assert(class_count <= SCORING_CLASSES_MAX);
    *out = calloc(1, sizeof(**out));
    if (*out == NULL) {
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    (*out)->class_count = class_count;
    memcpy((*out)->topic_counts, topic_counts,
           class_count * sizeof(*topic_counts));
    return ERR_OK;
}

void
trainer_free(struct trainer **trainer)
{
    if (*trainer != NULL) {
        free((*trainer)->texts);
        free((*trainer)->ngrams);
        free(*trainer);
        *trainer = NULL;
    }
}

size_t
trainer_text_count(const struct trainer *trainer)
{
    return trainer->text_count;
}

static int
compare_ngrams(const void *left, const void *right)
{
    const struct counted *a = left;
    const struct counted *b = right;

    if (a->key != b->key) {
        return a->key > b->key ? 1 : -1;
    }
    return (a->times < b->times) - (a->times > b->times);
}

/* The array with room for `need` members of `size`, or NULL: it is unchanged
 * then. */
static void *
make_room(void *array, size_t *room, size_t need, size_t size)
{
    size_t more = *room > 0 ? *room : 1024;

    while (more < need) {
        more *= 2;
    }
    if (array != NULL && more == *room) {
        return array;
    }
    array = realloc(array, more * size);
    if (array != NULL) {
        *room = more;
    }
    return array;
}

enum err_code
trainer_add(struct trainer *trainer,
            const struct clean_text *text,
            const struct train_label *label,
            struct err *err)
{
    size_t count = model_ngrams(text, trainer->work);
    struct text *texts;
    struct counted *ngrams;

    assert(label->class_index < trainer->class_count);
    assert(label->topic == TRAIN_TOPIC_NONE ||
           label->topic < trainer->topic_counts[label->class_index]);
    if (trainer->text_count == TRAIN_TEXTS_MAX) {
        return err_set(err, ERR_TOO_LONG, "more than %d texts",
                       TRAIN_TEXTS_MAX);
    }
    texts = make_room(trainer->texts, &trainer->text_room,
                      trainer->text_count + 1, sizeof(*texts));
    trainer->texts = texts != NULL ? texts : trainer->texts;
    ngrams = make_room(trainer->ngrams, &trainer->ngram_room,
                       trainer->ngram_count + count + 1, sizeof(*ngrams));
    trainer->ngrams = ngrams != NULL ? ngrams : trainer->ngrams;
    if (texts == NULL || ngrams == NULL) {
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    ngrams += trainer->ngram_count;
    for (size_t i = 0; i < count; i++) {
        ngrams[i] =
            (struct counted){trainer->work[i].key, trainer->work[i].times};
    }
    qsort(ngrams, count, sizeof(*ngrams), compare_ngrams);
    trainer->texts[trainer->text_count++] =
        (struct text){trainer->ngram_count, count, *label};
    trainer->ngram_count += count;
    return ERR_OK;
}

/* ---------------------------------------------------------------- features */

/* The texts to learn from as sparse rows. */
struct problem {
    size_t class_count;
    size_t feature_count;
    uint32_t *keys; /* of the features, ascending */
    double *idf;
    size_t text_count;
    double weight_sum;                 /* of the texts */
    size_t *starts;                    /* [text_count + 1] into entries */
    const struct train_label **labels; /* [text_count] */
    struct entry {
        uint32_t feature;
        float value;
    } * entries;
    double restraint;
    double *scores; /* [class_count], of the text being looked at */
    double (*miss)(const struct train_label *label,
                   double *scores,
                   size_t count);
    bool flat; /* an n-gram counts once wherever it stands */
};

static void
problem_release(struct problem *problem)
{
    free(problem->keys);
    free(problem->idf);
    free(problem->starts);
    free(problem->labels);
    free(problem->entries);
    free(problem->scores);
}

static bool
learns_from(const struct trainer *trainer,
            size_t text,
            size_t fold,
            size_t folds)
{
    return folds == 0 || text % folds != fold ||
           trainer->texts[text].label.weight < 1;
}

static size_t
find_feature(const uint32_t *keys, size_t count, uint32_t key)
{
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (keys[middle] < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && keys[low] == key ? low : SIZE_MAX;
}

/* An n-gram of a text and the text's weight. */
struct weighted {
    uint32_t key;
    float weight;
};

static int
compare_weighted(const void *left, const void *right)
{
    const struct weighted *a = left;
    const struct weighted *b = right;

    return (a->key > b->key) - (a->key < b->key);
}

/* Each n-gram of each text once, sorted; returns how many there are. */
static size_t
list_ngrams(const struct trainer *trainer,
            size_t fold,
            size_t folds,
            struct problem *problem,
            struct weighted *all)
{
    size_t count = 0;

    for (size_t t = 0; t < trainer->text_count; t++) {
        const struct text *text = &trainer->texts[t];
        const struct counted *ngrams = trainer->ngrams + text->first;

        if (!learns_from(trainer, t, fold, folds)) {
            continue;
        }
        problem->text_count++;
        problem->weight_sum += text->label.weight;
        for (size_t i = 0; i < text->count; i++) {
            if (i == 0 || ngrams[i].key != ngrams[i - 1].key) {
                all[count++] =
                    (struct weighted){ngrams[i].key, (float)text->label.weight};
            }
        }
    }
    qsort(all, count, sizeof(*all), compare_weighted);
    return count;
}

/* How many texts, by their weights, have which n-gram. */
static bool
count_texts(const struct trainer *trainer,
            size_t fold,
            size_t folds,
            const struct train_options *options,
            struct problem *problem)
{
    struct weighted *all = malloc((trainer->ngram_count + 1) * sizeof(*all));
    size_t count;

    if (all == NULL) {
        return false;
    }
    count = list_ngrams(trainer, fold, folds, problem, all);
    problem->keys = calloc(count + 1, sizeof(*problem->keys));
    problem->idf = calloc(count + 1, sizeof(*problem->idf));
    for (size_t i = 0;
         problem->keys != NULL && problem->idf != NULL && i < count;) {
        size_t next = i;
        double weight = 0;

        while (next < count && all[next].key == all[i].key) {
            weight += (double)all[next++].weight;
        }
        /* Weights such as 0.2 do not add up exactly. */
        if (weight >= options->texts_min - 1e-3 &&
            problem->feature_count < MODEL_FEATURES_MAX - 1) {
            problem->idf[problem->feature_count] =
                log(problem->weight_sum / weight) / idf_scale;
            problem->keys[problem->feature_count++] = all[i].key;
        }
        i = next;
    }
    free(all);
    return problem->keys != NULL && problem->idf != NULL;
}

/* One text as a row: how often each n-gram counts where it stands first, over
 * the root of all. */
static size_t
fill_row(const struct trainer *trainer,
         const struct text *text,
         const struct problem *problem,
         struct entry *row)
{
    const struct counted *ngrams = trainer->ngrams + text->first;
    size_t count = 0;
    size_t known = 0;

    for (size_t i = 0; i < text->count;) {
        uint32_t key = ngrams[i].key;
        size_t feature =
            find_feature(problem->keys, problem->feature_count, key);
        uint32_t times = problem->flat ? 1 : ngrams[i].times;

        while (i < text->count && ngrams[i].key == key) {
            i++;
        }
        if (feature != SIZE_MAX) {
            row[count++] = (struct entry){(uint32_t)feature, (float)times};
            known += times;
        }
    }
    for (size_t i = 0; i < count; i++) {
        row[i].value *=
            (float)(problem->idf[row[i].feature] / sqrt((double)known));
    }
    return count;
}

static enum err_code
problem_fill(const struct trainer *trainer,
             const struct train_options *options,
             size_t fold,
             size_t folds,
             struct problem *problem,
             struct err *err)
{
    size_t row = 0;
    size_t at = 0;

    if (!count_texts(trainer, fold, folds, options, problem)) {
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    problem->starts = calloc(problem->text_count + 1, sizeof(size_t));
    problem->labels = calloc(problem->text_count + 1, sizeof(*problem->labels));
    problem->entries = calloc(trainer->ngram_count + 1, sizeof(struct entry));
    problem->scores = calloc(problem->class_count, sizeof(double));
    if (problem->starts == NULL || problem->labels == NULL ||
        problem->entries == NULL || problem->scores == NULL) {
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    for (size_t t = 0; t < trainer->text_count; t++) {
        if (learns_from(trainer, t, fold, folds)) {
            problem->starts[row] = at;
            problem->labels[row++] = &trainer->texts[t].label;
            at += fill_row(trainer, &trainer->texts[t], problem,
                           problem->entries + at);
        }
    }
    problem->starts[row] = at;
    return ERR_OK;
}

/* ------------------------------------------------------------------- slope */

/* The scores of one text under `weights` (bias last). */
static void
fill_scores(const struct problem *problem, const double *weights, size_t text)
{
    size_t classes = problem->class_count;
    double *scores = problem->scores;

    memcpy(scores, weights + problem->feature_count * classes,
           classes * sizeof(*scores));
    for (size_t i = problem->starts[text]; i < problem->starts[text + 1]; i++) {
        const double *row = weights + problem->entries[i].feature * classes;
        double value = (double)problem->entries[i].value;

        for (size_t c = 0; c < classes; c++) {
            scores[c] += value * row[c];
        }
    }
}

/* One is right: scores become what they miss by. */
static double
miss_one(size_t index, double *scores, size_t count)
{
    double most = -HUGE_VAL;
    double sum = 0;
    double right;

    for (size_t c = 0; c < count; c++) {
        most = scores[c] > most ? scores[c] : most;
    }
    right = scores[index] - most;
    for (size_t c = 0; c < count; c++) {
        scores[c] = exp(scores[c] - most);
        sum += scores[c];
    }
    for (size_t c = 0; c < count; c++) {
        scores[c] /= sum;
    }
    scores[index] -= 1.0;
    return log(sum) - right;
}

static double
miss_class(const struct train_label *label, double *scores, size_t count)
{
    return miss_one(label->class_index, scores, count);
}

/* One third-level name is right, of those of the class. */
static double
miss_topic(const struct train_label *label, double *scores, size_t count)
{
    return miss_one(label->topic, scores, count);
}

/* Each category by itself is there or not, or not known. */
static double
miss_also(const struct train_label *label, double *scores, size_t count)
{
    double sum = 0;

    for (size_t c = 0; c < count; c++) {
        double there = label->also >> c & 1 ? 1.0 : 0.0;
        double size = fabs(scores[c]);

        if ((label->also_known >> c & 1) == 0) {
            scores[c] = 0;
            continue;
        }
        sum += log1p(exp(-size)) + (scores[c] > 0 ? scores[c] : 0.0) -
               there * scores[c];
        scores[c] = 1.0 / (1.0 + exp(-scores[c])) - there;
    }
    return sum;
}

/* What is to be made small, and its slope. */
static double
loss(void *context, const double *weights, double *slope)
{
    const struct problem *problem = context;
    size_t classes = problem->class_count;
    size_t free_from = problem->feature_count * classes; /* the bias */
    double *scores = problem->scores;
    double sum = 0;

    for (size_t i = 0; i < free_from; i++) {
        sum += 0.5 * problem->restraint * weights[i] * weights[i];
        slope[i] = problem->restraint * weights[i];
    }
    memset(slope + free_from, 0, classes * sizeof(*slope));
    for (size_t t = 0; t < problem->text_count; t++) {
        double weight = problem->labels[t]->weight;

        fill_scores(problem, weights, t);
        sum += weight * problem->miss(problem->labels[t], scores, classes);
        for (size_t c = 0; c < classes; c++) {
            scores[c] *= weight;
            slope[free_from + c] += scores[c];
        }
        for (size_t i = problem->starts[t]; i < problem->starts[t + 1]; i++) {
            double *row = slope + problem->entries[i].feature * classes;
            double value = (double)problem->entries[i].value;

            for (size_t c = 0; c < classes; c++) {
                row[c] += value * scores[c];
            }
        }
    }
    return sum;
}

/* ----------------------------------------------------------------- results */

void
trained_free(struct trained **trained)
{
    if (*trained != NULL) {
        free((*trained)->keys);
        free((*trained)->weights);
        free((*trained)->bias);
        free((*trained)->also);
        free((*trained)->also_bias);
        for (size_t c = 0; c < SCORING_CLASSES_MAX; c++) {
            free((*trained)->topics[c].features);
            free((*trained)->topics[c].weights);
            free((*trained)->topics[c].bias);
        }
        free(*trained);
        *trained = NULL;
    }
}

static int16_t
weight_hundredths(double weight)
{
    double value = round(weight * 100.0);

    if (value > MODEL_WEIGHT_MAX) {
        return MODEL_WEIGHT_MAX;
    }
    return value < -MODEL_WEIGHT_MAX ? -MODEL_WEIGHT_MAX : (int16_t)value;
}

/* Rounded weights as the model has them. */
static bool
keep_weights(const struct problem *problem,
             const double *weights,
             int16_t **out,
             int32_t **bias)
{
    size_t classes = problem->class_count;
    size_t features = problem->feature_count;

    *out = calloc(features * classes + 1, sizeof(**out));
    *bias = calloc(classes, sizeof(**bias));
    if (*out == NULL || *bias == NULL) {
        return false;
    }
    for (size_t f = 0; f < features; f++) {
        for (size_t c = 0; c < classes; c++) {
            (*out)[f * classes + c] =
                weight_hundredths(weights[f * classes + c] * problem->idf[f]);
        }
    }
    for (size_t c = 0; c < classes; c++) {
        (*bias)[c] = (int32_t)lround(weights[features * classes + c] * 100.0);
    }
    return true;
}

/* The weights of one problem. */
static enum err_code
solve(struct problem *problem, int16_t **out, int32_t **bias, struct err *err)
{
    size_t size = (problem->feature_count + 1) * problem->class_count;
    double *weights = calloc(size + 1, sizeof(*weights));
    enum err_code code = ERR_OK;

    if (weights == NULL) {
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    code = lbfgs_minimize(loss, problem, weights, size, err);
    if (code == ERR_OK && !keep_weights(problem, weights, out, bias)) {
        code = err_set(err, ERR_NO_MEMORY, "train");
    }
    free(weights);
    return code;
}

static enum err_code
fit_one(const struct trainer *trainer,
        const struct train_options *options,
        size_t fold,
        size_t folds,
        struct problem *problem,
        int16_t **out,
        int32_t **bias,
        struct err *err)
{
    enum err_code code =
        problem_fill(trainer, options, fold, folds, problem, err);

    return code == ERR_OK ? solve(problem, out, bias, err) : code;
}

/* ------------------------------------------------------------------ topics */

static bool
tells_topic(const struct train_label *label, size_t class_index)
{
    return label->class_index == class_index &&
           label->topic != TRAIN_TOPIC_NONE;
}

/* Which features stand in how many texts of the class, by weight. Those that
 * stand in enough are numbered: row[feature] is the number + 1, else 0. */
static bool
number_features(const struct problem *all,
                size_t class_index,
                double texts_min,
                struct problem *part,
                uint32_t **features,
                uint32_t *row)
{
    double *weight = calloc(all->feature_count + 1, sizeof(*weight));

    *features = calloc(all->feature_count + 1, sizeof(**features));
    part->idf = calloc(all->feature_count + 1, sizeof(*part->idf));
    if (weight == NULL || *features == NULL || part->idf == NULL) {
        free(weight);
        return false;
    }
    for (size_t t = 0; t < all->text_count; t++) {
        if (tells_topic(all->labels[t], class_index)) {
            for (size_t i = all->starts[t]; i < all->starts[t + 1]; i++) {
                weight[all->entries[i].feature] += all->labels[t]->weight;
            }
        }
    }
    for (size_t f = 0; f < all->feature_count; f++) {
        if (weight[f] >= texts_min - 1e-3) {
            part->idf[part->feature_count] = all->idf[f];
            (*features)[part->feature_count++] = (uint32_t)f;
            row[f] = (uint32_t)part->feature_count;
        }
    }
    free(weight);
    return true;
}

/* The texts of the class, with those features alone, valued as among all. */
static bool
take_texts(const struct problem *all,
           size_t class_index,
           const uint32_t *row,
           struct problem *part)
{
    size_t at = 0;

    part->starts = calloc(all->text_count + 1, sizeof(*part->starts));
    part->labels = calloc(all->text_count + 1, sizeof(*part->labels));
    part->entries =
        calloc(all->starts[all->text_count] + 1, sizeof(*part->entries));
    part->scores = calloc(part->class_count, sizeof(*part->scores));
    if (part->starts == NULL || part->labels == NULL || part->entries == NULL ||
        part->scores == NULL) {
        return false;
    }
    for (size_t t = 0; t < all->text_count; t++) {
        if (!tells_topic(all->labels[t], class_index)) {
            continue;
        }
        part->starts[part->text_count] = at;
        part->labels[part->text_count++] = all->labels[t];
        for (size_t i = all->starts[t]; i < all->starts[t + 1]; i++) {
            uint32_t number = row[all->entries[i].feature];

            if (number > 0) {
                part->entries[at++] =
                    (struct entry){number - 1, all->entries[i].value};
            }
        }
    }
    part->starts[part->text_count] = at;
    return true;
}

/* What tells the third-level names of a class apart. */
static enum err_code
fit_topics(const struct problem *all,
           const struct train_options *options,
           size_t class_index,
           size_t topic_count,
           struct trained_topics *out,
           struct err *err)
{
    struct problem part = {.class_count = topic_count,
                           .restraint = options->restraint,
                           .miss = miss_topic};
    uint32_t *row = calloc(all->feature_count + 1, sizeof(*row));
    enum err_code code = ERR_OK;

    if (row == NULL ||
        !number_features(all, class_index, options->texts_min, &part,
                         &out->features, row) ||
        !take_texts(all, class_index, row, &part)) {
        code = err_set(err, ERR_NO_MEMORY, "train");
    }
    if (code == ERR_OK && part.text_count > 0) {
        code = solve(&part, &out->weights, &out->bias, err);
        out->topic_count = topic_count;
        out->row_count = part.feature_count;
    }
    problem_release(&part);
    free(row);
    return code;
}

static enum err_code
fit_all_topics(const struct trainer *trainer,
               const struct problem *all,
               const struct train_options *options,
               struct trained *trained,
               struct err *err)
{
    enum err_code code = ERR_OK;

    for (size_t c = 0; code == ERR_OK && c < trainer->class_count; c++) {
        size_t count = trainer->topic_counts[c];

        if (count >= 2 && count <= MODEL_TOPICS_MAX) {
            code = fit_topics(all, options, c, count, &trained->topics[c], err);
        }
    }
    return code;
}

enum err_code
trainer_fit(const struct trainer *trainer,
            const struct train_options *options,
            size_t fold,
            size_t folds,
            struct trained **out,
            struct err *err)
{
    struct problem classes = {.class_count = trainer->class_count,
                              .restraint = options->restraint,
                              .miss = miss_class};
    struct problem also = {.class_count = MODEL_ALSO_COUNT,
                           .restraint = options->also_restraint,
                           .miss = miss_also,
                           .flat = true};
    struct trained *trained = calloc(1, sizeof(*trained));
    enum err_code code = ERR_OK;

    assert(options->restraint > 0 && options->also_restraint > 0);
    if (trained == NULL) {
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    if ((code = fit_one(trainer, options, fold, folds, &classes,
                        &trained->weights, &trained->bias, err)) == ERR_OK) {
        code = fit_one(trainer, options, fold, folds, &also, &trained->also,
                       &trained->also_bias, err);
    }
    if (code == ERR_OK) {
        code = fit_all_topics(trainer, &classes, options, trained, err);
    }
    if (code == ERR_OK) {
        trained->class_count = trainer->class_count;
        trained->feature_count = classes.feature_count;
        trained->keys = classes.keys;
        classes.keys = NULL;
        *out = trained;
    } else {
        trained_free(&trained);
    }
    problem_release(&classes);
    problem_release(&also);
    return code;
}

void
trainer_judge(const struct trainer *trainer,
              const struct trained *trained,
              size_t text,
              float *logits,
              float also[MODEL_ALSO_COUNT])
{
    const struct text *one = &trainer->texts[text];
    size_t known = 0;
    size_t known_times = 0;

    assert(text < trainer->text_count);
    memset(logits, 0, trained->class_count * sizeof(*logits));
    memset(also, 0, MODEL_ALSO_COUNT * sizeof(*also));
    for (size_t i = 0; i < one->count; i++) {
        const struct counted *ngram = &trainer->ngrams[one->first + i];
        size_t feature =
            find_feature(trained->keys, trained->feature_count, ngram->key);

        /* Equal keys stand together, what counts most first. */
        if (feature == SIZE_MAX || (i > 0 && ngram[-1].key == ngram->key)) {
            continue;
        }
        known++;
        known_times += ngram->times;
        for (size_t c = 0; c < trained->class_count; c++) {
            logits[c] +=
                (float)(trained->weights[feature * trained->class_count + c] *
                        (int32_t)ngram->times);
        }
        for (size_t c = 0; c < MODEL_ALSO_COUNT; c++) {
            also[c] += (float)trained->also[feature * MODEL_ALSO_COUNT + c];
        }
    }
    for (size_t c = 0; c < trained->class_count; c++) {
        logits[c] *= known > 0 ? 1.0F / sqrtf((float)known_times) : 0.0F;
        logits[c] = (logits[c] + (float)trained->bias[c]) / 100.0F;
    }
    for (size_t c = 0; c < MODEL_ALSO_COUNT; c++) {
        also[c] *= known > 0 ? 1.0F / sqrtf((float)known) : 0.0F;
        also[c] = (also[c] + (float)trained->also_bias[c]) / 100.0F;
    }
}

size_t
trainer_judge_topics(const struct trainer *trainer,
                     const struct trained *trained,
                     size_t text,
                     size_t class_index,
                     float logits[MODEL_TOPICS_MAX])
{
    const struct text *one = &trainer->texts[text];
    const struct trained_topics *topics = &trained->topics[class_index];
    size_t known_times = 0;

    assert(text < trainer->text_count);
    memset(logits, 0, topics->topic_count * sizeof(*logits));
    for (size_t i = 0; i < one->count; i++) {
        const struct counted *ngram = &trainer->ngrams[one->first + i];
        size_t feature =
            find_feature(trained->keys, trained->feature_count, ngram->key);
        size_t row;

        if (feature == SIZE_MAX || (i > 0 && ngram[-1].key == ngram->key)) {
            continue;
        }
        known_times += ngram->times;
        row = find_feature(topics->features, topics->row_count,
                           (uint32_t)feature);
        for (size_t k = 0; row != SIZE_MAX && k < topics->topic_count; k++) {
            logits[k] +=
                (float)(topics->weights[row * topics->topic_count + k] *
                        (int32_t)ngram->times);
        }
    }
    for (size_t k = 0; k < topics->topic_count; k++) {
        logits[k] *= known_times > 0 ? 1.0F / sqrtf((float)known_times) : 0.0F;
        logits[k] = (logits[k] + (float)topics->bias[k]) / 100.0F;
    }
    return topics->topic_count;
}
