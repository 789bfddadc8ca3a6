/*
 * judge_fixture: a small judge from tables written in the test.
 *
 * The categories are those of dict/categories.csv; everything else is what the
 * test gives. Fails the running test on any error. Include after cmocka.h.
 */
#ifndef TESTS_LIB_JUDGE_FIXTURE_H
#define TESTS_LIB_JUDGE_FIXTURE_H

#include <string.h>

#include "analyzers/classify.h"
#include "analyzers/clean.h"
#include "analyzers/dictionary.h"
#include "analyzers/model.h"
#include "analyzers/rules.h"
#include "analyzers/scoring.h"
#include "analyzers/taxonomy.h"
#include "tests/lib/read_file.h"

#define RULE_HEADER                                                            \
    "id,category,subcategory,topic,pattern,also,unless,scope,weight,note,"     \
    "must_match,must_not_match\n"

enum { JUDGE_FILES_MAX = 8 };

struct judge {
    struct dictionary_file files[JUDGE_FILES_MAX];
    size_t file_count;
    struct dictionary dictionary;
    struct classify_scratch *scratch;
    struct span categories; /* given by read_source_file */
};

static inline void
judge_add(struct judge *judge, const char *path, const char *text)
{
    assert_true(judge->file_count < JUDGE_FILES_MAX);
    judge->files[judge->file_count++] =
        (struct dictionary_file){.path = path, .bytes = span_of(text)};
}

/* A judge with the categories; add tables, then judge_build. */
static inline void
judge_init(struct judge *judge)
{
    memset(judge, 0, sizeof(*judge));
    judge->categories = read_source_file("dict/categories.csv");
    judge->files[judge->file_count++] = (struct dictionary_file){
        .path = "categories.csv", .bytes = judge->categories};
}

/* The first error of the tables, ERR_OK when there is none. */
static inline enum err_code
judge_try(struct judge *judge, struct err *err)
{
    struct dictionary *d = &judge->dictionary;
    enum err_code code;

    if ((code = taxonomy_build(judge->files, judge->file_count, &d->taxonomy,
                               err)) ||
        (code = cleaner_build(judge->files, judge->file_count, &d->cleaner,
                              err)) ||
        (code = rules_build(judge->files, judge->file_count, d->taxonomy,
                            d->cleaner, &d->rules, err)) ||
        (code = scoring_build(judge->files, judge->file_count, d->taxonomy,
                              &d->scoring, err)) ||
        (code = model_build(judge->files, judge->file_count, d->taxonomy,
                            &d->model, err))) {
        return code;
    }
    return classify_scratch_new(d, &judge->scratch, err);
}

static inline void
judge_build(struct judge *judge)
{
    struct err err = {0};

    if (judge_try(judge, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
}

static inline void
judge_release(struct judge *judge)
{
    struct dictionary *d = &judge->dictionary;

    classify_scratch_free(&judge->scratch);
    model_free(&d->model);
    scoring_free(&d->scoring);
    rules_free(&d->rules);
    cleaner_free(&d->cleaner);
    taxonomy_free(&d->taxonomy);
    free((char *)(uintptr_t)judge->categories.data);
}

static inline void
judge_text(struct judge *judge,
           const char *text,
           enum ticket_type type,
           struct verdict *out)
{
    struct ticket ticket = {.text = span_of(text), .type = type};

    classify_ticket(&judge->dictionary, judge->scratch, &ticket, out);
}

/* The Chinese name of a row, "" for none. */
static inline struct span
judge_name(const struct judge *judge, int32_t row)
{
    const struct taxonomy_row *found =
        taxonomy_row(judge->dictionary.taxonomy, row);

    return found != NULL ? found->chinese : SPAN_LITERAL("");
}

#endif /* TESTS_LIB_JUDGE_FIXTURE_H */
