/* The linear model: n-grams, the table, logits, and learning it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/model.h"
#include "analyzers/train.h"
#include "tests/lib/judge_fixture.h"

#define CATEGORIES                                                             \
    "code,chinese,english,group,scored,version,valid_from\n"                   \
    "service,服务投诉,S,,no,,\nservice.conduct,服务行为,C,,no,,\n"     \
    "outage,停送电投诉,O,,no,,\noutage.repair,抢修服务,R,,no,,\n"     \
    "outage.repair.late,抢修超时限,L,,no,,\n"                             \
    "outage.repair.manner,抢修人员服务态度,M,,no,,\n"
#define HEADER "ngram\tservice.conduct\toutage.repair\tnone\n"
#define HEADER_ALSO                                                            \
    "ngram\tservice.conduct\toutage.repair\tnone\talso.service\t"              \
    "also.business\talso.outage\talso.quality\talso.grid\n"

#define HEADER_ALL                                                             \
    "ngram\tservice.conduct\toutage.repair\tnone\talso.service\t"              \
    "also.business\talso.outage\talso.quality\talso.grid\ttopics\n"
#define BIAS "(bias)\t0\t0\t0\toutage.repair late=0 manner=0\n"
#define HEADER_TOPICS "ngram\tservice.conduct\toutage.repair\tnone\ttopics\n"

static float also[MODEL_ALSO_COUNT]; /* where nobody looks */
static struct model_reading reading;
static struct taxonomy *taxonomy;
static struct cleaner *cleaner;
static struct clean_text *clean;

static int
load(void **state)
{
    struct err err = {0};
    struct dictionary_file file = {.path = "categories.csv",
                                   .bytes = span_of(CATEGORIES)};

    (void)state;
    clean = malloc(sizeof(*clean));
    assert_non_null(clean);
    assert_int_equal(taxonomy_build(&file, 1, &taxonomy, &err), ERR_OK);
    assert_int_equal(cleaner_build(NULL, 0, &cleaner, &err), ERR_OK);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    taxonomy_free(&taxonomy);
    cleaner_free(&cleaner);
    free(clean);
    return 0;
}

static const struct clean_text *
cleaned(const char *text)
{
    clean_text(cleaner, span_of(text), clean);
    return clean;
}

/* The n-grams of a text, blanks between. */
static const char *
ngrams_of(const char *text)
{
    static struct model_ngram ngrams[MODEL_TEXT_NGRAMS_MAX];
    static char out[4096];
    size_t count = model_ngrams(cleaned(text), ngrams);
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char name[MODEL_NGRAM_BYTES];

        model_ngram_name(ngrams[i].key, name);
        at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%s",
                               i > 0 ? " " : "", name);
    }
    return out;
}

static struct model *
build(const char *table)
{
    struct dictionary_file file = {.path = "model.tsv",
                                   .bytes = span_of(table)};
    struct model *model = NULL;
    struct err err = {0};

    if (model_build(&file, 1, taxonomy, &model, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return model;
}

static void
a_text_is_its_characters_and_pairs_with_their_edges(void **state)
{
    (void)state;
    assert_string_equal(ngrams_of("停电了"), "停 |停 电 停电 了 电了 了|");
    assert_string_equal(ngrams_of("停，电"), "停 |停 停| 电 |电 电|");
    assert_string_equal(ngrams_of("，。"), "");
    assert_string_equal(ngrams_of(""), "");
}

static void
a_number_is_one_character_in_digits_and_in_chinese(void **state)
{
    (void)state;
    assert_string_equal(ngrams_of("停128次"), "停 |停 0 停0 8次 次 0次 次|");
    assert_string_equal(ngrams_of("停三十五次"), "停 |停 0 停0 7次 次 0次 次|");
}

static void
the_size_of_a_number_stands_with_what_it_counts(void **state)
{
    (void)state;
    assert_non_null(strstr(ngrams_of("停1次"), " 1次 "));
    assert_non_null(strstr(ngrams_of("停两次"), " 2次 "));
    assert_non_null(strstr(ngrams_of("停3次"), " 3次 "));
    assert_non_null(strstr(ngrams_of("停5次"), " 3次 "));
    assert_non_null(strstr(ngrams_of("停九次"), " 6次 "));
    assert_non_null(strstr(ngrams_of("只有160伏"), " 8伏 "));
    assert_non_null(strstr(ngrams_of("有220伏"), " 9伏 "));
    assert_non_null(strstr(ngrams_of("有380伏"), " ~伏 "));
    assert_non_null(strstr(ngrams_of("99999999999999999999元"), " ~元 "));
    /* Nothing is counted across a comma, and a number ends with it. */
    assert_string_equal(ngrams_of("3，次"), "0 |0 0| 次 |次 次|");
    assert_string_equal(ngrams_of("3，5次"), "0 |0 0| 0 |0 3次 次 0次 次|");
}

static void
a_long_text_is_cut_where_the_room_ends(void **state)
{
    static struct model_ngram ngrams[MODEL_TEXT_NGRAMS_MAX];
    static char text[CLEAN_INPUT_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i + 3 < sizeof(text); i += 3) {
        memcpy(text + i,
               ((uint32_t)i * 2654435761u >> 13) % 2 == 0 ? "停" : "电", 3);
    }
    clean_text(cleaner, span_of(text), clean);
    assert_in_range(model_ngrams(clean, ngrams), MODEL_TEXT_NGRAMS_MAX - 3,
                    MODEL_TEXT_NGRAMS_MAX);
}

static void
logits_are_bias_plus_weights_over_the_root_of_known_ngrams(void **state)
{
    struct model *model = build(HEADER "(bias)\t0.50\t-0.50\t0\n"
                                       "停\t0\t2.00\t-1.00\n"
                                       "停电\t-0.30\t4.00\t0\n"
                                       "骂\t3.00\t-1.00\t0\n");
    float logits[SCORING_CLASSES_MAX];

    (void)state;
    /* Both known n-grams end with one of the first letters: eight times. */
    model_score(model, cleaned("停电"), &reading, logits, also);
    assert_true(fabsf(logits[0] - (0.5F - 8 * 0.3F / sqrtf(16.0F))) < 1e-5F);
    assert_true(fabsf(logits[1] - (-0.5F + 8 * 6.0F / sqrtf(16.0F))) < 1e-5F);
    assert_true(fabsf(logits[2] - (-8 * 1.0F / sqrtf(16.0F))) < 1e-5F);
    model_score(model, cleaned("没有见过"), &reading, logits, also);
    assert_true(fabsf(logits[0] - 0.5F) < 1e-5F);
    model_free(&model);
}

/* Letters that no table knows. */
#define TEN "甲乙丙丁戊己庚辛壬癸"
#define FIFTY TEN TEN TEN TEN TEN

static void
what_is_said_first_counts_more(void **state)
{
    struct model *model = build(HEADER "(bias)\t0\t0\t0\n骂\t2.00\t0\t0\n"
                                       "修\t0\t2.00\t0\n");
    float first[SCORING_CLASSES_MAX];
    float later[SCORING_CLASSES_MAX];

    (void)state;
    model_score(model, cleaned("骂，" FIFTY "，修"), &reading, first, also);
    model_score(model, cleaned("修，" FIFTY "，骂"), &reading, later, also);
    assert_true(first[0] > 3.9F * first[1]);
    assert_true(later[1] > 3.9F * later[0]);
    /* Nearer to the beginning the second one counts more. */
    model_score(model, cleaned("骂，甲乙丙丁戊己庚辛壬癸，修"), &reading, later,
                also);
    assert_true(later[0] > 1.3F * later[1] && later[0] < 1.7F * later[1]);
    model_free(&model);
}

static void
how_often_an_ngram_counts_fades_slowly(void **state)
{
    static const struct {
        size_t letter;
        uint16_t times;
    } cases[] = {{0, 8},  {1, 8},  {2, 7},  {5, 7},  {6, 6},  {10, 6}, {11, 5},
                 {17, 5}, {18, 4}, {27, 4}, {28, 3}, {49, 3}, {50, 2}, {59, 2}};
    static struct model_ngram ngrams[MODEL_TEXT_NGRAMS_MAX];
    char text[4 * 60 + 1];
    size_t end = 0;
    size_t count;

    (void)state;
    for (uint32_t i = 0; i < 60; i++) {
        end += utf8_put(0x5000 + i, text + end);
    }
    text[end] = '\0';
    count = model_ngrams(cleaned(text), ngrams);
    assert_int_equal(count, 121); /* a letter, its pair; the end */
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(ngrams[2 * cases[i].letter].times, cases[i].times);
        assert_int_equal(ngrams[2 * cases[i].letter + 1].times, cases[i].times);
    }
}

/* Forty pairs that no text has twice, all as strong as can be. */
static void
many_strong_weights_do_not_run_over(void **state)
{
    static char table[8192];
    static char text[1024] = FIFTY;
    size_t at = (size_t)sprintf(table, HEADER "(bias)\t0\t0\t0\n");
    size_t end = strlen(text);
    struct model *model;
    float logits[SCORING_CLASSES_MAX];

    (void)state;
    for (uint32_t i = 0; i < 41; i++) {
        char name[MODEL_NGRAM_BYTES];

        model_ngram_name(0x5000 + i, name);
        end += (size_t)sprintf(text + end, "%s", name);
        model_ngram_name((0x5000 + i) << 16 | (0x5001 + i), name);
        at += (size_t)sprintf(table + at, "%s\t10.00\t-10.00\t0\n", name);
    }
    model = build(table);
    model_score(model, cleaned(text), &reading, logits, also);
    assert_true(fabsf(logits[0] - 10.0F * 2 * 40 / sqrtf(80.0F)) < 0.1F);
    assert_true(fabsf(logits[1] + 10.0F * 2 * 40 / sqrtf(80.0F)) < 0.1F);
    model_free(&model);
}

static void
what_is_said_again_counts_once(void **state)
{
    struct model *model = build(HEADER "(bias)\t0\t0\t0\n骂\t2.00\t0\t0\n"
                                       "修\t0\t2.00\t0\n");
    float once[SCORING_CLASSES_MAX];
    float again[SCORING_CLASSES_MAX];

    (void)state;
    model_score(model, cleaned("修了骂"), &reading, once, also);
    model_score(model, cleaned("修了骂，来骂，又骂，还骂"), &reading, again,
                also);
    assert_true(fabsf(once[0] - again[0]) < 1e-5F);
    assert_true(fabsf(once[1] - again[1]) < 1e-5F);
    model_free(&model);
}

static void
a_category_besides_counts_ngrams_once_anywhere(void **state)
{
    struct model *model =
        build(HEADER_ALSO "(bias)\t0\t0\t0\t-1.00\t0\t0\t0\t-2.00\n"
                          "骂\t0\t0\t0\t3.00\t0\t0\t0\t0\n"
                          "停\t0\t0\t0\t0\t0\t0\t0\t10.00\n");
    float logits[SCORING_CLASSES_MAX];
    float besides[MODEL_ALSO_COUNT];

    (void)state;
    assert_true(model_knows_also(model));
    model_score(model, cleaned("停，甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳，骂，骂"),
                &reading, logits, besides);
    assert_true(fabsf(besides[0] - (-1.0F + 3.0F / sqrtf(2.0F))) < 1e-5F);
    assert_true(fabsf(besides[1]) < 1e-5F);
    assert_true(fabsf(besides[4] - (-2.0F + 10.0F / sqrtf(2.0F))) < 1e-5F);
    model_free(&model);
    model = build(HEADER "骂\t0\t0\t0\n");
    assert_false(model_knows_also(model));
    model_free(&model);
}

static void
third_level_names_have_weights_of_their_own(void **state)
{
    struct model *model = build(
        HEADER_TOPICS "(bias)\t0\t0\t0\toutage.repair late=0.25 manner=-0.25\n"
                      "骂\t0\t0\t0\toutage.repair -1.00 3.00\n"
                      "停\t0\t0\t0\t\n");
    float logits[SCORING_CLASSES_MAX];
    float topics[MODEL_TOPICS_MAX];

    (void)state;
    model_score(model, cleaned("骂，停，" FIFTY "骂"), &reading, logits, also);
    /* 骂 counts eight times, 停 too, for no name. */
    assert_int_equal(model_topics(model, &reading, 1, topics), 2);
    assert_true(fabsf(topics[0] - (0.25F - 8.0F / sqrtf(16.0F))) < 1e-5F);
    assert_true(fabsf(topics[1] - (-0.25F + 24.0F / sqrtf(16.0F))) < 1e-5F);
    assert_int_equal(model_topics(model, &reading, 0, topics), 0);
    model_free(&model);
}

static void
reasons_are_the_ngrams_that_speak_loudest(void **state)
{
    struct model *model =
        build(HEADER "(bias)\t0\t0\t0\n停电\t-1.00\t4.00\t0\n"
                     "没人\t0\t2.00\t0\n骂\t5.00\t-1.00\t0\n");
    struct model_reason reasons[3];
    const char *text = "停电没人来还骂";
    float logits[SCORING_CLASSES_MAX];

    (void)state;
    model_score(model, cleaned(text), &reading, logits, also);
    assert_int_equal(
        model_reasons(model, &reading, cleaned(text), 1, reasons, 3), 2);
    assert_true(span_is(reasons[0].id, "ngram:停电"));
    assert_int_equal(reasons[0].start, 0);
    assert_int_equal(reasons[0].end, strlen("停电"));
    assert_true(span_is(reasons[1].id, "ngram:没人"));
    assert_true(reasons[0].weight > reasons[1].weight);
    assert_int_equal(
        model_reasons(model, &reading, cleaned(text), 0, reasons, 1), 1);
    assert_true(span_is(reasons[0].id, "ngram:骂"));
    model_free(&model);
}

static void
refused(const char *text, const char *words)
{
    struct dictionary_file file = {.path = "model.tsv", .bytes = span_of(text)};
    struct model *model = NULL;
    struct err err = {0};

    assert_int_not_equal(model_build(&file, 1, taxonomy, &model, &err), ERR_OK);
    assert_null(model);
    if (strstr(err.detail, words) == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, words);
    }
}

static void
a_wrong_table_is_refused_with_its_line(void **state)
{
    struct model *model = NULL;
    struct err err = {0};

    (void)state;
    refused("ngram\toutage.repair\tservice.conduct\tnone\n停\t0\t0\t0\n",
            "train the model again");
    refused(HEADER "停电了\t0\t0\t0\n", "line 2");
    refused(HEADER "停\t0\t0\t0\n停\t0\t0\t0\n", "line 3");
    refused(HEADER "停\t0\tmuch\t0\n", "much");
    refused("ngram\tservice.conduct\toutage.repair\tnone\talso.service\t"
            "also.business\talso.quality\talso.outage\talso.grid\n",
            "train the model again");
    refused(HEADER_ALSO "停\t0\t0\t0\t0\t0\t0\t0\tmore\n", "more");
    refused(HEADER "停\t0\t10.01\t0\n", "10.01");
    refused(HEADER_TOPICS BIAS "停\t0\t0\t0\toutage.repair 1.00\n",
            "one weight for each");
    refused(HEADER_TOPICS BIAS "停\t0\t0\t0\toutage.repair 1.00 2.00 3.00\n",
            "one weight for each");
    refused(HEADER_TOPICS BIAS "停\t0\t0\t0\toutage.repair 1.00 2.00;"
                               "outage.repair 1.00 2.00\n",
            "one weight for each");
    refused(HEADER_TOPICS BIAS "停\t0\t0\t0\toutage.nothing 1.00 2.00\n",
            "line 3");
    refused(HEADER_TOPICS BIAS "停\t0\t0\t0\toutage.repair 1.00 more\n",
            "more");
    refused(HEADER_TOPICS BIAS "停\t0\t0\t0\toutage.repair 1.00 10.01\n",
            "10.01");
    refused(HEADER_TOPICS "停\t0\t0\t0\toutage.repair 1.00 2.00\n", "line 2");
    /* The names of categories.csv have changed places, or one is new. */
    refused(HEADER_TOPICS
            "(bias)\t0\t0\t0\toutage.repair manner=1.00 late=2.00\n",
            "in their order");
    refused(HEADER_TOPICS "(bias)\t0\t0\t0\toutage.repair late=1.00\n",
            "train the model again");
    refused(HEADER_TOPICS BIAS BIAS, "line 3");
    assert_int_equal(model_build(NULL, 0, taxonomy, &model, &err), ERR_OK);
    assert_null(model);
}

/* ---------------------------------------------------------------- training */

enum { also_known = 5, UNTOLD = -1 }; /* service and outage */

static const size_t topic_counts[] = {0, 2, 0};

static const struct {
    const char *text;
    size_t class_index;
    uint32_t also;
    int topic; /* of 抢修服务; UNTOLD: nobody said which */
} lessons[] = {
    {"营业员骂人", 0, 0, UNTOLD},     {"客服态度差还骂我", 0, 0, UNTOLD},
    {"窗口的人骂老人", 0, 0, UNTOLD}, {"骂人，又停电没人来", 0, 4, UNTOLD},
    {"抢修没人来", 1, 0, UNTOLD},     {"报修三小时没人来", 1, 0, 0},
    {"修电的没来没来", 1, 0, 0},      {"没人来，来了还骂人", 1, 1, 1},
    {"请问电价多少", 2, 0, UNTOLD},   {"咨询过户材料", 2, 0, UNTOLD},
    {"请问9点上班吗", 2, 0, UNTOLD},
};

/* The label of a text of which only the class is known; one at a time. */
static const struct train_label *
told(size_t class_index, double weight)
{
    static struct train_label label;

    label = (struct train_label){.class_index = class_index,
                                 .topic = TRAIN_TOPIC_NONE,
                                 .weight = weight};
    return &label;
}

static struct trainer *
taught(void)
{
    struct trainer *trainer = NULL;
    struct err err = {0};

    assert_int_equal(trainer_new(3, topic_counts, &trainer, &err), ERR_OK);
    for (size_t i = 0; i < sizeof(lessons) / sizeof(*lessons); i++) {
        struct train_label label = {.class_index = lessons[i].class_index,
                                    .topic = lessons[i].topic == UNTOLD
                                                 ? TRAIN_TOPIC_NONE
                                                 : (size_t)lessons[i].topic,
                                    .weight = 1.0,
                                    .also = lessons[i].also,
                                    .also_known = also_known};

        assert_int_equal(
            trainer_add(trainer, cleaned(lessons[i].text), &label, &err),
            ERR_OK);
    }
    return trainer;
}

static struct trained *
fitted(const struct trainer *trainer, double restraint, double texts_min)
{
    struct train_options options = {restraint, restraint, texts_min};
    struct trained *trained = NULL;
    struct err err = {0};

    assert_int_equal(trainer_fit(trainer, &options, 0, 0, &trained, &err),
                     ERR_OK);
    return trained;
}

static size_t
best_of(const float *logits)
{
    size_t best = logits[1] > logits[0] ? 1 : 0;

    return logits[2] > logits[best] ? 2 : best;
}

static void
what_was_taught_is_known(void **state)
{
    struct trainer *trainer = taught();
    struct trained *trained = fitted(trainer, 0.05, 1);

    (void)state;
    for (size_t i = 0; i < trainer_text_count(trainer); i++) {
        float logits[3];

        trainer_judge(trainer, trained, i, logits, also);
        assert_int_equal(best_of(logits), lessons[i].class_index);
    }
    trained_free(&trained);
    trainer_free(&trainer);
}

/* The same n-grams in both texts: only their places tell them apart. */
static void
what_was_said_first_is_learned(void **state)
{
    static const char *const texts[] = {"骂了，" FIFTY "，修了",
                                        "修了，" FIFTY "，骂了", "天地玄黄",
                                        "宇宙洪荒"};
    struct trainer *trainer = NULL;
    struct trained *trained;
    struct err err = {0};

    (void)state;
    assert_int_equal(trainer_new(2, topic_counts, &trainer, &err), ERR_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            trainer_add(trainer, cleaned(texts[i]), told(i % 2, 1.0), &err),
            ERR_OK);
    }
    trained = fitted(trainer, 0.001, 1);
    for (size_t i = 0; i < 2; i++) {
        float logits[2];

        trainer_judge(trainer, trained, i, logits, also);
        assert_true(logits[i] > logits[1 - i] + 0.1F);
    }
    trained_free(&trained);
    trainer_free(&trainer);
}

static void
what_is_complained_of_besides_is_known(void **state)
{
    struct trainer *trainer = taught();
    struct trained *trained = fitted(trainer, 0.05, 1);

    (void)state;
    for (size_t i = 0; i < trainer_text_count(trainer); i++) {
        float logits[3];
        float besides[MODEL_ALSO_COUNT];

        trainer_judge(trainer, trained, i, logits, besides);
        assert_int_equal(besides[0] > 0, (lessons[i].also & 1) != 0);
        assert_int_equal(besides[2] > 0, (lessons[i].also & 4) != 0);
        /* Nobody said whether quality was complained of. */
        assert_true(fabsf(besides[3]) < 1e-6F);
    }
    trained_free(&trained);
    trainer_free(&trainer);
}

static void
third_level_names_are_learned_from_their_class_alone(void **state)
{
    struct trainer *trainer = taught();
    struct trained *trained = fitted(trainer, 0.05, 1);
    float topics[MODEL_TOPICS_MAX];

    (void)state;
    for (size_t i = 0; i < trainer_text_count(trainer); i++) {
        if (lessons[i].topic != UNTOLD) {
            assert_int_equal(
                trainer_judge_topics(trainer, trained, i, 1, topics), 2);
            assert_int_equal(topics[1] > topics[0], lessons[i].topic == 1);
        }
    }
    /* 抢 and 修 of a text without a name, 请 of another class: no weight. */
    assert_true(trained->topics[1].row_count < trained->feature_count);
    for (size_t i = 0; i < trained->topics[1].row_count; i++) {
        uint32_t key = trained->keys[trained->topics[1].features[i]];

        assert_int_not_equal(key, 0x62A2); /* 抢 */
        assert_int_not_equal(key, 0x8BF7); /* 请 */
    }
    assert_int_equal(trainer_judge_topics(trainer, trained, 0, 0, topics), 0);
    trained_free(&trained);
    trainer_free(&trainer);
}

static void
the_same_texts_give_the_same_weights(void **state)
{
    struct trainer *first = taught();
    struct trainer *second = taught();
    struct trained *a = fitted(first, 0.05, 1);
    struct trained *b = fitted(second, 0.05, 1);

    (void)state;
    assert_int_equal(a->feature_count, b->feature_count);
    assert_memory_equal(a->keys, b->keys, a->feature_count * sizeof(*a->keys));
    assert_memory_equal(a->weights, b->weights,
                        a->feature_count * 3 * sizeof(*a->weights));
    assert_memory_equal(a->bias, b->bias, 3 * sizeof(*a->bias));
    trained_free(&a);
    trained_free(&b);
    trainer_free(&first);
    trainer_free(&second);
}

static void
rare_ngrams_are_left_out_and_restraint_makes_weights_small(void **state)
{
    struct trainer *trainer = taught();
    struct trained *all = fitted(trainer, 0.05, 1);
    struct trained *common = fitted(trainer, 0.05, 2);
    struct trained *small = fitted(trainer, 50.0, 1);
    int32_t most = 0;
    int32_t most_small = 0;

    (void)state;
    assert_true(common->feature_count < all->feature_count);
    for (size_t i = 1; i < all->feature_count; i++) {
        assert_true(all->keys[i - 1] < all->keys[i]);
    }
    for (size_t i = 0; i < all->feature_count * 3; i++) {
        most = all->weights[i] > most ? all->weights[i] : most;
        most_small =
            small->weights[i] > most_small ? small->weights[i] : most_small;
    }
    assert_true(most_small * 4 < most);
    trained_free(&all);
    trained_free(&common);
    trained_free(&small);
    trainer_free(&trainer);
}

static void
the_table_judges_as_the_trainer_did(void **state)
{
    struct trainer *trainer = taught();
    struct trained *trained = fitted(trainer, 0.05, 1);
    static char table[64 * 1024];
    struct model *model;
    const struct trained_topics *topics = &trained->topics[1];
    size_t row = 0;
    size_t at = (size_t)sprintf(table, "%s", HEADER_ALL);

    (void)state;
    for (size_t n = 0; n <= trained->feature_count; n++) {
        size_t f = n > 0 ? n - 1 : trained->feature_count; /* bias first */
        char name[MODEL_NGRAM_BYTES] = "";

        if (f < trained->feature_count) {
            model_ngram_name(trained->keys[f], name);
        }
        at += (size_t)sprintf(table + at, "%s",
                              f < trained->feature_count ? name : "(bias)");
        for (size_t c = 0; c < 3; c++) {
            at += (size_t)sprintf(table + at, "\t%.2f",
                                  (f < trained->feature_count
                                       ? trained->weights[f * 3 + c]
                                       : trained->bias[c]) /
                                      100.0);
        }
        for (size_t c = 0; c < MODEL_ALSO_COUNT; c++) {
            at += (size_t)sprintf(table + at, "\t%.2f",
                                  (f < trained->feature_count
                                       ? trained->also[f * MODEL_ALSO_COUNT + c]
                                       : trained->also_bias[c]) /
                                      100.0);
        }
        at += (size_t)sprintf(table + at, "\t");
        if (f == trained->feature_count) {
            at += (size_t)sprintf(
                table + at, "outage.repair late=%.2f manner=%.2f",
                topics->bias[0] / 100.0, topics->bias[1] / 100.0);
        } else if (row < topics->row_count && topics->features[row] == f) {
            at += (size_t)sprintf(table + at, "outage.repair %.2f %.2f",
                                  topics->weights[2 * row] / 100.0,
                                  topics->weights[2 * row + 1] / 100.0);
            row++;
        }
        at += (size_t)sprintf(table + at, "\n");
    }
    model = build(table);
    for (size_t i = 0; i < trainer_text_count(trainer); i++) {
        float by_trainer[3];
        float by_model[SCORING_CLASSES_MAX];
        float also_trainer[MODEL_ALSO_COUNT];
        float topics_trainer[MODEL_TOPICS_MAX];
        float topics_model[MODEL_TOPICS_MAX];

        trainer_judge(trainer, trained, i, by_trainer, also_trainer);
        model_score(model, cleaned(lessons[i].text), &reading, by_model, also);
        for (size_t c = 0; c < 3; c++) {
            assert_true(fabsf(by_trainer[c] - by_model[c]) < 1e-3F);
        }
        for (size_t c = 0; c < MODEL_ALSO_COUNT; c++) {
            assert_true(fabsf(also_trainer[c] - also[c]) < 1e-3F);
        }
        assert_int_equal(
            trainer_judge_topics(trainer, trained, i, 1, topics_trainer), 2);
        assert_int_equal(model_topics(model, &reading, 1, topics_model), 2);
        for (size_t k = 0; k < 2; k++) {
            assert_true(fabsf(topics_trainer[k] - topics_model[k]) < 1e-3F);
        }
    }
    model_free(&model);
    trained_free(&trained);
    trainer_free(&trainer);
}

static void
a_fold_is_not_learned_from_but_an_aid_is(void **state)
{
    struct train_options options = {0.05, 0.05, 0.5};
    struct trainer *trainer = NULL;
    struct trained *trained = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(trainer_new(2, topic_counts, &trainer, &err), ERR_OK);
    assert_int_equal(trainer_add(trainer, cleaned("甲"), told(0, 1.0), &err),
                     ERR_OK);
    assert_int_equal(trainer_add(trainer, cleaned("乙"), told(1, 1.0), &err),
                     ERR_OK);
    assert_int_equal(trainer_add(trainer, cleaned("丙"), told(0, 0.5), &err),
                     ERR_OK);
    assert_int_equal(trainer_fit(trainer, &options, 0, 2, &trained, &err),
                     ERR_OK);
    /* Text 0 and, were it no aid, text 2 would be left out: 乙, 丙 and their
     * edges stay. */
    assert_int_equal(trained->feature_count, 6);
    trained_free(&trained);
    /* An aid of half the weight is half a text. */
    options.texts_min = 0.6;
    assert_int_equal(trainer_fit(trainer, &options, 0, 2, &trained, &err),
                     ERR_OK);
    assert_int_equal(trained->feature_count, 3);
    trained_free(&trained);
    trainer_free(&trainer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_its_characters_and_pairs_with_their_edges),
        cmocka_unit_test(a_number_is_one_character_in_digits_and_in_chinese),
        cmocka_unit_test(the_size_of_a_number_stands_with_what_it_counts),
        cmocka_unit_test(what_is_said_again_counts_once),
        cmocka_unit_test(a_long_text_is_cut_where_the_room_ends),
        cmocka_unit_test(
            logits_are_bias_plus_weights_over_the_root_of_known_ngrams),
        cmocka_unit_test(what_is_said_first_counts_more),
        cmocka_unit_test(how_often_an_ngram_counts_fades_slowly),
        cmocka_unit_test(many_strong_weights_do_not_run_over),
        cmocka_unit_test(third_level_names_have_weights_of_their_own),
        cmocka_unit_test(reasons_are_the_ngrams_that_speak_loudest),
        cmocka_unit_test(a_wrong_table_is_refused_with_its_line),
        cmocka_unit_test(what_was_taught_is_known),
        cmocka_unit_test(what_was_said_first_is_learned),
        cmocka_unit_test(what_is_complained_of_besides_is_known),
        cmocka_unit_test(third_level_names_are_learned_from_their_class_alone),
        cmocka_unit_test(a_category_besides_counts_ngrams_once_anywhere),
        cmocka_unit_test(the_same_texts_give_the_same_weights),
        cmocka_unit_test(
            rare_ngrams_are_left_out_and_restraint_makes_weights_small),
        cmocka_unit_test(the_table_judges_as_the_trainer_did),
        cmocka_unit_test(a_fold_is_not_learned_from_but_an_aid_is),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
