/* Logistic regression over n-grams, solved by L-BFGS. */
#include "analyzers/train.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/model.h"

enum {
    MEMORY = 8,       /* steps L-BFGS remembers */
    HALVINGS_MAX = 20 /* of one step */
};

static const double idf_scale = 3.0;     /* keeps restraint near 0.1 */
static const double gradient_end = 1e-3; /* largest slope left at the end */
static const double armijo_share = 1e-4; /* of the promised decrease */

/* An n-gram and how often it counts. */
struct counted {
    uint32_t key;
    uint32_t times;
};

/* A text as sorted n-grams, repeated ones repeated. */
struct text {
    size_t first; /* into ngrams of the trainer */
    size_t count;
    size_t class_index;
    double weight;
};

struct trainer {
    size_t class_count;
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
trainer_new(size_t class_count, struct trainer **out, struct err *err)
{
    *out = calloc(1, sizeof(**out));
    if (*out == NULL) {
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    (*out)->class_count = class_count;
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
            size_t class_index,
            double weight,
            struct err *err)
{
    size_t count = model_ngrams(text, trainer->work);
    struct text *texts;
    struct counted *ngrams;

    assert(class_index < trainer->class_count);
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
        (struct text){trainer->ngram_count, count, class_index, weight};
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
    double weight_sum; /* of the texts */
    size_t *starts;    /* [text_count + 1] into entries */
    size_t *classes;
    double *text_weights;
    struct entry {
        uint32_t feature;
        float value;
    } * entries;
    double restraint;
    double *chances; /* [class_count], of the text being looked at */
};

static void
problem_release(struct problem *problem)
{
    free(problem->keys);
    free(problem->idf);
    free(problem->starts);
    free(problem->classes);
    free(problem->text_weights);
    free(problem->entries);
    free(problem->chances);
}

static bool
learns_from(const struct trainer *trainer,
            size_t text,
            size_t fold,
            size_t folds)
{
    return folds == 0 || text % folds != fold ||
           trainer->texts[text].weight < 1;
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
        problem->weight_sum += text->weight;
        for (size_t i = 0; i < text->count; i++) {
            if (i == 0 || ngrams[i].key != ngrams[i - 1].key) {
                all[count++] =
                    (struct weighted){ngrams[i].key, (float)text->weight};
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
        uint32_t times = ngrams[i].times;

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

    problem->class_count = trainer->class_count;
    problem->restraint = options->restraint;
    if (!count_texts(trainer, fold, folds, options, problem)) {
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    problem->starts = calloc(problem->text_count + 1, sizeof(size_t));
    problem->classes = calloc(problem->text_count + 1, sizeof(size_t));
    problem->text_weights = calloc(problem->text_count + 1, sizeof(double));
    problem->entries = calloc(trainer->ngram_count + 1, sizeof(struct entry));
    problem->chances = calloc(trainer->class_count, sizeof(double));
    if (problem->starts == NULL || problem->classes == NULL ||
        problem->text_weights == NULL || problem->entries == NULL ||
        problem->chances == NULL) {
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    for (size_t t = 0; t < trainer->text_count; t++) {
        if (learns_from(trainer, t, fold, folds)) {
            problem->starts[row] = at;
            problem->text_weights[row] = trainer->texts[t].weight;
            problem->classes[row++] = trainer->texts[t].class_index;
            at += fill_row(trainer, &trainer->texts[t], problem,
                           problem->entries + at);
        }
    }
    problem->starts[row] = at;
    return ERR_OK;
}

/* ------------------------------------------------------------------- slope */

/* Probabilities of the classes of one text under `weights` (bias last). */
static double
fill_chances(const struct problem *problem, const double *weights, size_t text)
{
    size_t classes = problem->class_count;
    const double *bias = weights + problem->feature_count * classes;
    double *chances = problem->chances;
    double most = -HUGE_VAL;
    double sum = 0;
    double right;

    memcpy(chances, bias, classes * sizeof(*chances));
    for (size_t i = problem->starts[text]; i < problem->starts[text + 1]; i++) {
        const double *row = weights + problem->entries[i].feature * classes;
        double value = (double)problem->entries[i].value;

        for (size_t c = 0; c < classes; c++) {
            chances[c] += value * row[c];
        }
    }
    for (size_t c = 0; c < classes; c++) {
        most = chances[c] > most ? chances[c] : most;
    }
    right = chances[problem->classes[text]] - most;
    for (size_t c = 0; c < classes; c++) {
        chances[c] = exp(chances[c] - most);
        sum += chances[c];
    }
    for (size_t c = 0; c < classes; c++) {
        chances[c] /= sum;
    }
    return log(sum) - right;
}

/* What is to be made small, and its slope. */
static double
loss(const struct problem *problem, const double *weights, double *slope)
{
    size_t classes = problem->class_count;
    size_t free_from = problem->feature_count * classes; /* the bias */
    double sum = 0;

    for (size_t i = 0; i < free_from; i++) {
        sum += 0.5 * problem->restraint * weights[i] * weights[i];
        slope[i] = problem->restraint * weights[i];
    }
    memset(slope + free_from, 0, classes * sizeof(*slope));
    for (size_t t = 0; t < problem->text_count; t++) {
        double *chances = problem->chances;

        sum += problem->text_weights[t] * fill_chances(problem, weights, t);
        chances[problem->classes[t]] -= 1.0;
        for (size_t c = 0; c < classes; c++) {
            chances[c] *= problem->text_weights[t];
        }
        for (size_t i = problem->starts[t]; i < problem->starts[t + 1]; i++) {
            double *row = slope + problem->entries[i].feature * classes;
            double value = (double)problem->entries[i].value;

            for (size_t c = 0; c < classes; c++) {
                row[c] += value * chances[c];
            }
        }
        for (size_t c = 0; c < classes; c++) {
            slope[free_from + c] += chances[c];
        }
    }
    return sum;
}

/* ------------------------------------------------------------------ L-BFGS */

/* Nocedal & Wright, Numerical Optimization, algorithms 7.4 and 7.5. */
struct solver {
    size_t size;
    double *memory; /* all of the below */
    double *weights;
    double *slope;
    double *next;
    double *next_slope;
    double *direction;
    double *steps[MEMORY];
    double *bends[MEMORY];
    double curvature[MEMORY]; /* 1 / (step . bend) */
    size_t kept;
};

static bool
solver_init(struct solver *solver, size_t size)
{
    double *at;

    solver->size = size;
    solver->memory = calloc((5 + 2 * MEMORY) * size, sizeof(double));
    if (solver->memory == NULL) {
        return false;
    }
    at = solver->memory;
    solver->weights = at;
    solver->slope = at += size;
    solver->next = at += size;
    solver->next_slope = at += size;
    solver->direction = at += size;
    for (size_t i = 0; i < MEMORY; i++) {
        solver->steps[i] = at += size;
        solver->bends[i] = at += size;
    }
    return true;
}

static double
dot(const double *a, const double *b, size_t size)
{
    double sum = 0;

    for (size_t i = 0; i < size; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static void
add_scaled(double *to, const double *what, double scale, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to[i] += scale * what[i];
    }
}

/* The two loops: the slope, bent by what earlier steps met. */
static void
find_direction(struct solver *solver)
{
    double shares[MEMORY];
    double scale = 1.0;

    for (size_t i = 0; i < solver->size; i++) {
        solver->direction[i] = -solver->slope[i];
    }
    for (size_t k = solver->kept; k-- > 0;) {
        shares[k] = solver->curvature[k] *
                    dot(solver->steps[k], solver->direction, solver->size);
        add_scaled(solver->direction, solver->bends[k], -shares[k],
                   solver->size);
    }
    if (solver->kept > 0) {
        const double *bend = solver->bends[solver->kept - 1];

        scale = 1.0 / (solver->curvature[solver->kept - 1] *
                       dot(bend, bend, solver->size));
    } else {
        scale = 1.0 / sqrt(dot(solver->slope, solver->slope, solver->size));
    }
    for (size_t i = 0; i < solver->size; i++) {
        solver->direction[i] *= scale;
    }
    for (size_t k = 0; k < solver->kept; k++) {
        double back = solver->curvature[k] *
                      dot(solver->bends[k], solver->direction, solver->size);

        add_scaled(solver->direction, solver->steps[k], shares[k] - back,
                   solver->size);
    }
}

/* Keep the step just made, dropping the oldest. */
static void
remember_step(struct solver *solver)
{
    double *step;
    double *bend;
    double product;

    if (solver->kept == MEMORY) {
        step = solver->steps[0];
        bend = solver->bends[0];
        memmove(solver->steps, solver->steps + 1,
                (MEMORY - 1) * sizeof(*solver->steps));
        memmove(solver->bends, solver->bends + 1,
                (MEMORY - 1) * sizeof(*solver->bends));
        memmove(solver->curvature, solver->curvature + 1,
                (MEMORY - 1) * sizeof(*solver->curvature));
        solver->kept--;
        solver->steps[solver->kept] = step;
        solver->bends[solver->kept] = bend;
    }
    step = solver->steps[solver->kept];
    bend = solver->bends[solver->kept];
    for (size_t i = 0; i < solver->size; i++) {
        step[i] = solver->next[i] - solver->weights[i];
        bend[i] = solver->next_slope[i] - solver->slope[i];
    }
    product = dot(step, bend, solver->size);
    if (product > 1e-12) {
        solver->curvature[solver->kept++] = 1.0 / product;
    }
}

static double
steepest(const double *slope, size_t size)
{
    double most = 0;

    for (size_t i = 0; i < size; i++) {
        most = fabs(slope[i]) > most ? fabs(slope[i]) : most;
    }
    return most;
}

static void
solve(struct solver *solver, const struct problem *problem)
{
    double value = loss(problem, solver->weights, solver->slope);

    for (size_t round = 0; round < TRAIN_ROUNDS_MAX; round++) {
        double length = 1.0;
        double next_value = value;
        double promise;
        size_t halvings = 0;

        if (steepest(solver->slope, solver->size) < gradient_end) {
            return;
        }
        find_direction(solver);
        promise = dot(solver->slope, solver->direction, solver->size);
        for (;; halvings++) {
            memcpy(solver->next, solver->weights,
                   solver->size * sizeof(double));
            add_scaled(solver->next, solver->direction, length, solver->size);
            next_value = loss(problem, solver->next, solver->next_slope);
            if (next_value <= value + armijo_share * length * promise ||
                halvings == HALVINGS_MAX) {
                break;
            }
            length /= 2;
        }
        if (halvings == HALVINGS_MAX) {
            return; /* as good as numbers allow */
        }
        remember_step(solver);
        memcpy(solver->weights, solver->next, solver->size * sizeof(double));
        memcpy(solver->slope, solver->next_slope,
               solver->size * sizeof(double));
        value = next_value;
    }
}

/* ----------------------------------------------------------------- results */

void
trained_free(struct trained **trained)
{
    if (*trained != NULL) {
        free((*trained)->keys);
        free((*trained)->weights);
        free((*trained)->bias);
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

/* Rounded weights of the features of which any is left. */
static enum err_code
keep_result(const struct problem *problem,
            const double *weights,
            struct trained **out,
            struct err *err)
{
    size_t classes = problem->class_count;
    size_t features = problem->feature_count;
    struct trained *trained = calloc(1, sizeof(*trained));

    if (trained == NULL) {
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    trained->class_count = classes;
    trained->feature_count = features;
    trained->keys = calloc(features + 1, sizeof(*trained->keys));
    trained->weights = calloc(features * classes + 1, sizeof(int16_t));
    trained->bias = calloc(classes, sizeof(*trained->bias));
    if (trained->keys == NULL || trained->weights == NULL ||
        trained->bias == NULL) {
        trained_free(&trained);
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    memcpy(trained->keys, problem->keys, features * sizeof(uint32_t));
    for (size_t f = 0; f < features; f++) {
        for (size_t c = 0; c < classes; c++) {
            trained->weights[f * classes + c] =
                weight_hundredths(weights[f * classes + c] * problem->idf[f]);
        }
    }
    for (size_t c = 0; c < classes; c++) {
        trained->bias[c] =
            (int32_t)lround(weights[features * classes + c] * 100.0);
    }
    *out = trained;
    return ERR_OK;
}

enum err_code
trainer_fit(const struct trainer *trainer,
            const struct train_options *options,
            size_t fold,
            size_t folds,
            struct trained **out,
            struct err *err)
{
    struct problem problem = {.class_count = 0};
    struct solver solver = {.size = 0};
    enum err_code code;

    assert(options->restraint > 0);
    code = problem_fill(trainer, options, fold, folds, &problem, err);
    if (code == ERR_OK && !solver_init(&solver, (problem.feature_count + 1) *
                                                    problem.class_count)) {
        code = err_set(err, ERR_NO_MEMORY, "train");
    }
    if (code == ERR_OK) {
        solve(&solver, &problem);
        code = keep_result(&problem, solver.weights, out, err);
    }
    free(solver.memory);
    problem_release(&problem);
    return code;
}

void
trainer_judge(const struct trainer *trainer,
              const struct trained *trained,
              size_t text,
              float *logits)
{
    const struct text *one = &trainer->texts[text];
    size_t known = 0;

    assert(text < trainer->text_count);
    memset(logits, 0, trained->class_count * sizeof(*logits));
    for (size_t i = 0; i < one->count; i++) {
        const struct counted *ngram = &trainer->ngrams[one->first + i];
        size_t feature =
            find_feature(trained->keys, trained->feature_count, ngram->key);

        /* Equal keys stand together, what counts most first. */
        if (feature == SIZE_MAX || (i > 0 && ngram[-1].key == ngram->key)) {
            continue;
        }
        known += ngram->times;
        for (size_t c = 0; c < trained->class_count; c++) {
            logits[c] +=
                (float)(trained->weights[feature * trained->class_count + c] *
                        (int32_t)ngram->times);
        }
    }
    for (size_t c = 0; c < trained->class_count; c++) {
        logits[c] *= known > 0 ? 1.0F / sqrtf((float)known) : 0.0F;
        logits[c] = (logits[c] + (float)trained->bias[c]) / 100.0F;
    }
}
