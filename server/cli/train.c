/* suqiu train: labelled tickets to dict/model.tsv. */
#include "analyzers/train.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "analyzers/dictionary_file.h"
#include "analyzers/model.h"
#include "analyzers/scoring.h"
#include "analyzers/table.h"
#include "server/base/buf.h"
#include "server/base/dict_files.h"
#include "server/cli/cli.h"
#include "server/cli/labelled.h"
#include "server/cli/open_dictionary.h"
#include "server/cli/train_lines.h"

enum {
    MODEL_BYTES_MAX = 64 * 1024 * 1024,
    FOLDS_MAX = 100,
    TEXTS_MIN_MAX = 1000,
    COMPOSED_BYTES_MAX = 64 * 1024,
    ROUNDS = 3 /* tickets made of a line */
};

static const double line_weight = 0.1; /* of a ticket made of a line */

static bool train_corpus_given;
static const char *train_out;
static const char *train_folds;
static const char *train_restraint = "0.3";
static const char *train_also_restraint = "0.3";
static const char *train_texts_min = "2.4";

static const struct config_flag train_flags[] = {
    {"corpus", NULL, NULL, &train_corpus_given,
     "learn from the labelled tickets of the FILEs"},
    {"out", "FILE", &train_out, NULL, "write the model there"},
    {"folds", "N", &train_folds, NULL,
     "also learn N times from all but every Nth text and say how well those "
     "are judged"},
    {"restraint", "X", &train_restraint, NULL,
     "how much large weights cost (default 0.3)"},
    {"also-restraint", "X", &train_also_restraint, NULL,
     "the same for the categories complained of besides (default 0.3)"},
    {"texts-min", "N", &train_texts_min, NULL,
     "leave out what stands in fewer texts, by weight (default 2.4)"},
};

const struct cli_help cmd_train_help = {
    .usage = "suqiu train [--dict DIR] --corpus [--folds N] [--out FILE] FILE…",
    .text =
        "Learns the linear model that speaks where rules are silent. FILE "
        "is tab-separated with\nthe columns type, category, subcategory, "
        "topic, secondary, region, address, text;\nor with class, topic, text: "
        "single lines; or with filler: what may stand beside them.\nThe same "
        "files in the same order give the same model.\n",
    .flags = train_flags,
    .flag_count = sizeof(train_flags) / sizeof(train_flags[0]),
    .groups = CONFIG_DICT,
};

/* One training. */
struct training {
    const struct taxonomy *taxonomy;
    const struct cleaner *cleaner;
    struct trainer *trainer;
    struct clean_text *clean;
    struct train_options options;
    struct train_lines *lines;
    struct table **tables; /* of the lines; [table_count] */
    size_t table_count;
    size_t class_count;         /* with none */
    size_t ticket_count;        /* before the phrases */
    struct train_label *labels; /* of each ticket */
    size_t label_room;
    XXH64_hash_t hash; /* of all labels and texts */
};

static enum ticket_category
category_of(const struct training *training, size_t class_index)
{
    if (class_index + 1 >= training->class_count) {
        return TICKET_CATEGORY_NONE;
    }
    return taxonomy_row(training->taxonomy,
                        taxonomy_class_row(training->taxonomy, class_index))
        ->category;
}

/* All five but the primary one, as the bits of struct train_label. */
static uint32_t
also_known(enum ticket_category category)
{
    return ((1u << TICKET_CATEGORY_COUNT) - 1 - (1u << category)) >> 1;
}

/* The number of a third-level row among the names of its class. */
static size_t
topic_index(const struct training *training, int32_t topic)
{
    return topic == TAXONOMY_NONE
               ? TRAIN_TOPIC_NONE
               : taxonomy_topic_index(training->taxonomy, topic);
}

static enum err_code
add_text_cb(void *context, const struct labelled *row, struct err *err)
{
    struct training *training = context;
    const struct taxonomy_row *label =
        taxonomy_row(training->taxonomy, row->subcategory);
    size_t class_index = training->class_count - 1;
    size_t number = trainer_text_count(training->trainer);

    if (label != NULL) {
        class_index = (size_t)label->class_index;
    } else if (row->category != TICKET_CATEGORY_NONE) {
        return ERR_OK; /* its second level is not known */
    }
    if (number == training->label_room) {
        size_t room = number > 0 ? 2 * number : 1024;
        struct train_label *labels =
            realloc(training->labels, room * sizeof(*training->labels));

        if (labels == NULL) {
            return err_set(err, ERR_NO_MEMORY, "train");
        }
        training->labels = labels;
        training->label_room = room;
    }
    training->labels[number] =
        (struct train_label){.class_index = class_index,
                             .topic = topic_index(training, row->topic),
                             .weight = 1.0,
                             .also = row->secondary >> 1,
                             .also_known = also_known(row->category)};
    training->hash =
        XXH3_64bits_withSeed(row->ticket.text.data, row->ticket.text.bytes,
                             training->hash ^ class_index);
    clean_text(training->cleaner, row->ticket.text, training->clean);
    return trainer_add(training->trainer, training->clean,
                       &training->labels[number], err);
}

/* ------------------------------------------------------------------- lines */

/* A file of tickets is learned from at once, one of lines when all fillers are
 * known. */
static enum err_code
add_file(struct training *training, const char *path, struct err *err)
{
    struct table *table = NULL;
    enum err_code code = labelled_open(path, &table, err);

    if (code == ERR_OK && train_lines_are_in(table)) {
        training->tables[training->table_count++] = table;
        return train_lines_add(training->lines, table, training->taxonomy, err);
    }
    if (code == ERR_OK) {
        code = labelled_each(table, training->taxonomy, add_text_cb, training,
                             err);
    }
    table_free(&table);
    return code;
}

static enum err_code
add_lines(struct training *training, struct err *err)
{
    size_t count = train_lines_count(training->lines);
    enum err_code code = ERR_OK;
    struct buf buf;

    buf_init(&buf, COMPOSED_BYTES_MAX);
    for (size_t i = 0; code == ERR_OK && i < ROUNDS * count; i++) {
        size_t class_index = train_lines_class(training->lines, i % count);

        buf_reset(&buf);
        train_lines_compose(training->lines, i % count, i / count, &buf);
        code = buf_check(&buf, err);
        if (code != ERR_OK) {
            break;
        }
        training->hash = XXH3_64bits_withSeed(buf.data, buf.bytes,
                                              training->hash ^ class_index);
        clean_text(training->cleaner, buf_view(&buf), training->clean);
        code = trainer_add(
            training->trainer, training->clean,
            &(struct train_label){
                .class_index = class_index,
                .topic = topic_index(
                    training, train_lines_topic(training->lines, i % count)),
                .weight = line_weight,
                .also_known = also_known(category_of(training, class_index))},
            err);
    }
    buf_release(&buf);
    return code;
}

static void
free_lines(struct training *training)
{
    train_lines_free(&training->lines);
    for (size_t i = 0; i < training->table_count; i++) {
        table_free(&training->tables[i]);
    }
    free(training->tables);
}

/* ----------------------------------------------------------------- phrases */

enum { PHRASES_AT_ONCE = 3 };            /* one phrase alone says too little */
static const double phrase_weight = 0.5; /* of PHRASES_AT_ONCE, to a ticket */

static enum err_code
add_phrases_of_row(struct training *training,
                   const struct table *table,
                   size_t row,
                   const size_t columns[2],
                   struct err *err)
{
    struct span name = table_cell(table, row, columns[0]);
    struct span rest = table_cell(table, row, columns[1]);
    int32_t label = taxonomy_subcategory(training->taxonomy, name);
    size_t class_index = training->class_count - 1;

    if (label != TAXONOMY_NONE) {
        class_index =
            (size_t)taxonomy_row(training->taxonomy, label)->class_index;
    } else if (!span_is(name, "none")) {
        return table_error(table, row, columns[0], ERR_BAD_TABLE, err,
                           "'%.*s' is neither a second-level name nor none",
                           SPAN_ARGS(name));
    }
    while (rest.bytes > 0) {
        struct span some = rest;

        for (size_t i = 0; i < PHRASES_AT_ONCE; i++) {
            (void)span_split(&rest, '|');
        }
        some.bytes -= rest.bytes;
        training->hash = XXH3_64bits_withSeed(some.data, some.bytes,
                                              training->hash ^ class_index);
        /* `|` is no letter: the n-grams do not run across it. */
        clean_text(training->cleaner, some, training->clean);
        if (trainer_add(training->trainer, training->clean,
                        &(struct train_label){.class_index = class_index,
                                              .topic = TRAIN_TOPIC_NONE,
                                              .weight = phrase_weight},
                        err) != ERR_OK) {
            return err->code;
        }
    }
    return ERR_OK;
}

/* phrases.csv of the dictionary, when there is one. */
static enum err_code
add_phrases(struct training *training, const char *dict, struct err *err)
{
    static const char *const names[] = {"class", "phrases"};
    const struct dictionary_file *file;
    struct dict_files files;
    struct table *table = NULL;
    size_t columns[2];
    enum err_code code = dict_files_load(dict, &files, err);

    if (code != ERR_OK) {
        return code;
    }
    file = dictionary_find_file(files.files, files.count, "phrases.csv");
    if (file != NULL && (code = table_parse("dict/phrases.csv", file->bytes,
                                            &table, err)) == ERR_OK) {
        code = dictionary_file_columns(table, names, 2, columns, err);
        for (size_t row = 0; code == ERR_OK && row < table_row_count(table);
             row++) {
            code = add_phrases_of_row(training, table, row, columns, err);
        }
    }
    table_free(&table);
    dict_files_release(&files);
    return code;
}

/* ----------------------------------------------------------------- figures */

enum { CATEGORIES = TICKET_CATEGORY_COUNT };

struct guess_counts {
    size_t texts;
    size_t confusion[CATEGORIES][CATEGORIES];
    size_t complaints;
    size_t category_right; /* of the complaints, none left out */
    size_t class_right;
    size_t topics; /* whose third-level name is known */
    size_t topic_right;
};

/* The category with the largest share of probability, from `first` on. */
static enum ticket_category
best_category(const struct training *training,
              const float *logits,
              enum ticket_category first)
{
    double shares[CATEGORIES] = {0};
    size_t best = first;

    for (size_t c = 0; c < training->class_count; c++) {
        shares[category_of(training, c)] += exp((double)logits[c]);
    }
    for (size_t c = first; c < CATEGORIES; c++) {
        best = shares[c] > shares[best] ? c : best;
    }
    return (enum ticket_category)best;
}

/* Is the third-level name right, given the class that was guessed? */
static bool
guesses_topic(const struct training *training,
              const struct trained *trained,
              size_t text,
              size_t class_index)
{
    const struct train_label *label = &training->labels[text];
    float logits[MODEL_TOPICS_MAX];
    size_t best = 0;
    size_t count = trainer_judge_topics(training->trainer, trained, text,
                                        class_index, logits);

    for (size_t k = 1; k < count; k++) {
        best = logits[k] > logits[best] ? k : best;
    }
    return class_index == label->class_index && best == label->topic;
}

static void
count_guess(const struct training *training,
            const struct trained *trained,
            size_t text,
            const float *logits,
            struct guess_counts *counts)
{
    size_t label = training->labels[text].class_index;
    enum ticket_category category = category_of(training, label);
    size_t best = 0;

    counts->texts++;
    counts->confusion[category]
                     [best_category(training, logits, TICKET_CATEGORY_NONE)]++;
    if (category == TICKET_CATEGORY_NONE) {
        return;
    }
    for (size_t c = 1; c + 1 < training->class_count; c++) {
        best = logits[c] > logits[best] ? c : best;
    }
    counts->complaints++;
    counts->category_right +=
        category == best_category(training, logits, TICKET_CATEGORY_NONE + 1);
    counts->class_right += best == label;
    if (training->labels[text].topic != TRAIN_TOPIC_NONE) {
        counts->topics++;
        counts->topic_right += guesses_topic(training, trained, text, best);
    }
}

static double
macro_f1(const struct guess_counts *counts)
{
    double sum = 0;

    for (size_t a = 0; a < CATEGORIES; a++) {
        size_t both = 0;

        for (size_t b = 0; b < CATEGORIES; b++) {
            both += counts->confusion[a][b] + counts->confusion[b][a];
        }
        sum += both > 0 ? 2.0 * (double)counts->confusion[a][a] / (double)both
                        : 0.0;
    }
    return 100.0 * sum / CATEGORIES;
}

static double
share(size_t part, size_t all)
{
    return all > 0 ? 100.0 * (double)part / (double)all : 0.0;
}

static enum err_code
cross_validate(const struct training *training, size_t folds, struct err *err)
{
    struct guess_counts counts = {.texts = 0};
    float logits[SCORING_CLASSES_MAX];
    float also[MODEL_ALSO_COUNT];
    size_t none = 0;

    for (size_t fold = 0; fold < folds; fold++) {
        struct trained *trained = NULL;

        if (trainer_fit(training->trainer, &training->options, fold, folds,
                        &trained, err) != ERR_OK) {
            return err->code;
        }
        for (size_t t = fold; t < training->ticket_count; t += folds) {
            trainer_judge(training->trainer, trained, t, logits, also);
            count_guess(training, trained, t, logits, &counts);
        }
        trained_free(&trained);
    }
    for (size_t c = 0; c < CATEGORIES; c++) {
        none += counts.confusion[TICKET_CATEGORY_NONE][c];
    }
    (void)printf("%zu texts, %zu folds, the model alone: macro-F1 %.2f, none "
                 "recall %.2f, five ways %.2f, second level %.2f, third level "
                 "%.2f\n",
                 counts.texts, folds, macro_f1(&counts),
                 share(counts.confusion[0][0], none),
                 share(counts.category_right, counts.complaints),
                 share(counts.class_right, counts.complaints),
                 share(counts.topic_right, counts.topics));
    return ERR_OK;
}

/* ----------------------------------------------------------------- writing */

static void
put_hundredths(struct buf *out, char before, int32_t value)
{
    int32_t size = value < 0 ? -value : value;

    buf_put_char(out, before);
    if (value == 0) {
        buf_put_char(out, '0');
    } else {
        buf_printf(out, "%s%d.%02d", value < 0 ? "-" : "", size / 100,
                   size % 100);
    }
}

/* The last part of the code of a third-level name. */
static void
put_topic_name(const struct training *training,
               int32_t class_row,
               size_t index,
               struct buf *out)
{
    const struct taxonomy *taxonomy = training->taxonomy;
    struct span code =
        taxonomy_row(taxonomy, taxonomy_topic_row(taxonomy, class_row, index))
            ->code;
    size_t parent = taxonomy_row(taxonomy, class_row)->code.bytes;

    buf_printf(out, " %.*s", (int)(code.bytes - parent - 1),
               code.data + parent + 1);
}

/* The column `topics` of a feature, of the bias when it is SIZE_MAX; rows[] are
 * the next ones of each class. */
static void
put_topics(const struct training *training,
           const struct trained *trained,
           size_t feature,
           size_t rows[SCORING_CLASSES_MAX],
           struct buf *out)
{
    const char *before = "\t";

    for (size_t c = 0; c + 1 < training->class_count; c++) {
        const struct trained_topics *topics = &trained->topics[c];
        int32_t class_row = taxonomy_class_row(training->taxonomy, c);
        bool is_bias = feature == SIZE_MAX;

        if (topics->topic_count == 0 ||
            (!is_bias && (rows[c] == topics->row_count ||
                          topics->features[rows[c]] != feature))) {
            continue;
        }
        buf_printf(
            out, "%s%.*s", before,
            SPAN_ARGS(taxonomy_row(training->taxonomy, class_row)->code));
        for (size_t k = 0; k < topics->topic_count; k++) {
            if (is_bias) {
                put_topic_name(training, class_row, k, out);
            }
            put_hundredths(
                out, is_bias ? '=' : ' ',
                is_bias ? topics->bias[k]
                        : topics->weights[rows[c] * topics->topic_count + k]);
        }
        rows[c] += is_bias ? 0 : 1;
        before = ";";
    }
    if (*before == '\t') {
        buf_put_char(out, '\t');
    }
}

static void
put_model(const struct training *training,
          const struct trained *trained,
          struct buf *out)
{
    size_t rows[SCORING_CLASSES_MAX] = {0};

    buf_printf(
        out,
        "# 词组模型：suqiu train --corpus 的结果，不手改。The linear "
        "model, written by `suqiu train`; not for hands.\n"
        "# Multinomial logistic regression over one and two "
        "characters (analyzers/model.h); restraint %s, besides %s, in %.1f "
        "texts or more.\n"
        "# %zu tickets, %zu lines and the phrases of phrases.csv (XXH3 "
        "%016" PRIx64 "), %zu n-grams.\nngram",
        train_restraint, train_also_restraint, training->options.texts_min,
        training->ticket_count, train_lines_count(training->lines),
        (uint64_t)training->hash, trained->feature_count);
    for (size_t c = 0; c + 1 < training->class_count; c++) {
        int32_t row = taxonomy_class_row(training->taxonomy, c);

        buf_printf(out, "\t%.*s",
                   SPAN_ARGS(taxonomy_row(training->taxonomy, row)->code));
    }
    buf_put_text(out, "\tnone");
    for (size_t c = 1; c <= MODEL_ALSO_COUNT; c++) {
        buf_printf(out, "\talso.%s",
                   ticket_category_wire((enum ticket_category)c));
    }
    buf_put_text(out, "\ttopics\n(bias)");
    for (size_t c = 0; c < training->class_count; c++) {
        put_hundredths(out, '\t', trained->bias[c]);
    }
    for (size_t c = 0; c < MODEL_ALSO_COUNT; c++) {
        put_hundredths(out, '\t', trained->also_bias[c]);
    }
    put_topics(training, trained, SIZE_MAX, rows, out);
    buf_put_char(out, '\n');
    for (size_t f = 0; f < trained->feature_count; f++) {
        char name[MODEL_NGRAM_BYTES];

        model_ngram_name(trained->keys[f], name);
        buf_put_text(out, name);
        for (size_t c = 0; c < training->class_count; c++) {
            put_hundredths(out, '\t',
                           trained->weights[f * training->class_count + c]);
        }
        for (size_t c = 0; c < MODEL_ALSO_COUNT; c++) {
            put_hundredths(out, '\t', trained->also[f * MODEL_ALSO_COUNT + c]);
        }
        put_topics(training, trained, f, rows, out);
        buf_put_char(out, '\n');
    }
}

static enum err_code
write_file(const char *path, const struct buf *buf, struct err *err)
{
    FILE *file;
    bool fine;

    if (buf_check(buf, err) != ERR_OK) {
        return err->code;
    }
    file = fopen(path, "wb");
    if (file == NULL) {
        return err_set(err, err_from_errno(errno), "%s: %s", path,
                       strerror(errno));
    }
    fine = fwrite(buf->data, 1, buf->bytes, file) == buf->bytes;
    fine = fclose(file) == 0 && fine;
    return fine ? ERR_OK
                : err_set(err, ERR_IO, "%s: writing failed: %s", path,
                          strerror(errno));
}

static enum err_code
learn_and_write(const struct training *training, struct err *err)
{
    struct trained *trained = NULL;
    struct buf out;
    enum err_code code =
        trainer_fit(training->trainer, &training->options, 0, 0, &trained, err);

    if (code != ERR_OK) {
        return code;
    }
    buf_init(&out, MODEL_BYTES_MAX);
    put_model(training, trained, &out);
    code = write_file(train_out, &out, err);
    if (code == ERR_OK) {
        (void)printf("%s: %zu n-grams from %zu tickets, %zu lines and the "
                     "phrases\n",
                     train_out, trained->feature_count, training->ticket_count,
                     train_lines_count(training->lines));
    }
    buf_release(&out);
    trained_free(&trained);
    return code;
}

/* ----------------------------------------------------------------- command */

static bool
read_number(const char *text, double min, double max, double *out)
{
    char *end;

    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= min && *out <= max;
}

static enum err_code
read_flags(int argc,
           struct train_options *options,
           size_t *folds,
           struct err *err)
{
    double number = 0;

    if (!train_corpus_given || argc == 0) {
        return err_set(err, ERR_USAGE, "train needs --corpus and its files");
    }
    if (train_out == NULL && train_folds == NULL) {
        return err_set(err, ERR_USAGE,
                       "say where the model goes: --out dict/model.tsv");
    }
    if (!read_number(train_restraint, 1e-6, 1e6, &options->restraint)) {
        return err_set(err, ERR_USAGE,
                       "--restraint is a number above 0, such as 0.3");
    }
    if (!read_number(train_also_restraint, 1e-6, 1e6,
                     &options->also_restraint)) {
        return err_set(err, ERR_USAGE,
                       "--also-restraint is a number above 0, such as 0.3");
    }
    if (!read_number(train_texts_min, 0.1, TEXTS_MIN_MAX, &number)) {
        return err_set(err, ERR_USAGE, "--texts-min is a number from 0.1 to %d",
                       TEXTS_MIN_MAX);
    }
    options->texts_min = number;
    if (train_folds != NULL) {
        if (!read_number(train_folds, 2, FOLDS_MAX, &number)) {
            return err_set(err, ERR_USAGE, "--folds is a number from 2 to %d",
                           FOLDS_MAX);
        }
        *folds = (size_t)number;
    }
    return ERR_OK;
}

static enum err_code
run_training(struct training *training,
             const char *dict,
             char **paths,
             size_t path_count,
             size_t folds,
             struct err *err)
{
    size_t topic_counts[SCORING_CLASSES_MAX] = {0};
    enum err_code code;

    for (size_t c = 0; c + 1 < training->class_count; c++) {
        topic_counts[c] = taxonomy_topic_count(
            training->taxonomy, taxonomy_class_row(training->taxonomy, c));
    }
    code = trainer_new(training->class_count, topic_counts, &training->trainer,
                       err);

    training->clean = malloc(sizeof(*training->clean));
    if (code == ERR_OK && training->clean == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "train");
    }
    training->tables = calloc(path_count, sizeof(struct table *));
    if (code == ERR_OK && training->tables == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "train");
    }
    if (code == ERR_OK) {
        code = train_lines_new(&training->lines, err);
    }
    for (size_t i = 0; code == ERR_OK && i < path_count; i++) {
        code = add_file(training, paths[i], err);
    }
    if (code == ERR_OK) {
        training->ticket_count = trainer_text_count(training->trainer);
        code = add_phrases(training, dict, err);
    }
    if (code == ERR_OK) {
        code = add_lines(training, err);
    }
    if (code == ERR_OK && folds > 0) {
        code = cross_validate(training, folds, err);
    }
    if (code == ERR_OK && train_out != NULL) {
        code = learn_and_write(training, err);
    }
    return code;
}

int
cmd_train(int argc, char **argv)
{
    struct training training = {.trainer = NULL};
    struct dictionary *dictionary = NULL;
    struct config config;
    struct err err = {0};
    size_t folds = 0;
    int exit_code;

    if (!cli_begin(&cmd_train_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    config.model = false; /* the old model may not fit the new categories */
    if (read_flags(argc, &training.options, &folds, &err) != ERR_OK ||
        open_dictionary(&config, &dictionary, &err) != ERR_OK) {
        return cli_fail(&err);
    }
    training.taxonomy = dictionary->taxonomy;
    training.cleaner = dictionary->cleaner;
    training.class_count = taxonomy_class_count(dictionary->taxonomy) + 1;
    exit_code = CLI_FINE;
    if (run_training(&training, config.dict, argv, (size_t)argc, folds, &err) !=
        ERR_OK) {
        exit_code = cli_fail(&err);
    }
    trainer_free(&training.trainer);
    free_lines(&training);
    free(training.clean);
    free(training.labels);
    dictionary_free(&dictionary);
    return cli_end_out(exit_code);
}
