/* The shipped tables: every rule's own sentences, the scanner against PCRE2
 * alone on all labelled texts, and that the model is the one trained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/dictionary.h"
#include "analyzers/model.h"
#include "analyzers/rules.h"
#include "analyzers/table.h"
#include "analyzers/taxonomy.h"
#include "server/base/dict_files.h"
#include "tests/lib/read_file.h"

enum { FAULTS_MAX = 20 };

static struct dictionary *dictionary;
static struct rules_scratch *scratch;
static struct clean_text *clean;
static struct rule_hit hits[RULE_HITS_MAX];

static int
load(void **state)
{
    struct dict_files files;
    struct err err = {0};

    (void)state;
    clean = malloc(sizeof(*clean));
    assert_non_null(clean);
    if (dict_files_load(SUQIU_SOURCE_DIR "/dict", &files, &err) != ERR_OK ||
        dictionary_build(files.files, files.count, NULL, &dictionary, &err) !=
            ERR_OK ||
        rules_scratch_new(dictionary->rules, &scratch, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    dict_files_release(&files);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    rules_scratch_free(&scratch);
    dictionary_free(&dictionary);
    free(clean);
    return 0;
}

/* Does the whole engine let this rule speak? */
static bool
rule_speaks(size_t index, struct span sentence)
{
    bool incomplete = false;
    size_t count;

    clean_text(dictionary->cleaner, sentence, clean);
    count = rules_match(dictionary->rules, scratch, clean, hits, &incomplete);
    for (size_t i = 0; i < count; i++) {
        if (hits[i].rule == index) {
            return true;
        }
    }
    return false;
}

/* How many sentences of the cell are not as they should be; each is told. */
static size_t
wrong_sentences(size_t index, struct span cell, bool should)
{
    const struct rule *rule = rules_get(dictionary->rules, index);
    size_t wrong = 0;

    while (cell.bytes > 0) {
        struct span sentence = span_trim(span_split(&cell, '|'));

        if (sentence.bytes > 0 && rule_speaks(index, sentence) != should) {
            print_error("%s: line %zu: %.*s %s '%.*s'\n", rule->file,
                        rule->line, SPAN_ARGS(rule->id),
                        should ? "misses" : "matches", SPAN_ARGS(sentence));
            wrong++;
        }
    }
    return wrong;
}

static void
every_rule_agrees_with_its_own_sentences(void **state)
{
    size_t count = rules_count(dictionary->rules);
    size_t wrong = 0;

    (void)state;
    assert_true(count > 100);
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = rules_get(dictionary->rules, i);

        if (rule->must_match.bytes == 0 || rule->must_not_match.bytes == 0) {
            print_error("%s: line %zu: %.*s lacks a sentence\n", rule->file,
                        rule->line, SPAN_ARGS(rule->id));
            wrong++;
        }
        wrong += wrong_sentences(i, rule->must_match, true);
        wrong += wrong_sentences(i, rule->must_not_match, false);
    }
    assert_int_equal(wrong, 0);
}

/* --------------------------------------------------- scanner against PCRE2 */

/* Rules about which the engine and PCRE2 alone differ on this text. */
static size_t
differences(struct span text)
{
    size_t count;
    size_t k = 0;
    size_t different = 0;
    bool incomplete = false;

    clean_text(dictionary->cleaner, text, clean);
    count = rules_match(dictionary->rules, scratch, clean, hits, &incomplete);
    for (size_t i = 0; i < rules_count(dictionary->rules); i++) {
        const struct rule *rule = rules_get(dictionary->rules, i);
        struct rule_hit alone;
        bool by_engine = k < count && hits[k].rule == i;

        k += by_engine;
        if (rules_match_one(dictionary->rules, scratch, i, clean, &alone,
                            &incomplete) != by_engine) {
            print_error("%.*s: the engine says %d on '%.*s'\n",
                        SPAN_ARGS(rule->id), by_engine, SPAN_ARGS(text));
            different++;
        }
    }
    assert_int_equal(k, count);
    assert_false(incomplete);
    return different;
}

static size_t
differences_in_file(const char *path, size_t *texts)
{
    struct span bytes = read_source_file(path);
    struct table *table = NULL;
    struct err err = {0};
    size_t column;
    size_t different = 0;

    if (table_parse(path, bytes, &table, &err) != ERR_OK ||
        table_need_column(table, "text", &column, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    for (size_t row = 0; row < table_row_count(table) && different < FAULTS_MAX;
         row++) {
        different += differences(table_cell(table, row, column));
        (*texts)++;
    }
    table_free(&table);
    free((char *)(uintptr_t)bytes.data);
    return different;
}

static void
the_scanner_changes_nothing_on_the_labelled_texts(void **state)
{
    static const char *const folders[] = {
        "tests/corpus/read", "tests/corpus/held", "tests/corpus/own"};
    size_t texts = 0;
    size_t different = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        char path[512];
        DIR *folder;
        struct dirent *entry;

        (void)snprintf(path, sizeof(path), "%s/%s", SUQIU_SOURCE_DIR,
                       folders[i]);
        folder = opendir(path);
        assert_non_null(folder);
        while ((entry = readdir(folder)) != NULL) {
            size_t length = strlen(entry->d_name);

            if (length > 4 && strcmp(entry->d_name + length - 4, ".tsv") == 0) {
                (void)snprintf(path, sizeof(path), "%s/%s", folders[i],
                               entry->d_name);
                different += differences_in_file(path, &texts);
            }
        }
        (void)closedir(folder);
    }
    assert_true(texts >= 3000);
    assert_int_equal(different, 0);
}

/* Words without sense, made of the characters of one sentence after another:
 * what no author thought of. */
static void
the_scanner_changes_nothing_on_shuffled_sentences(void **state)
{
    uint32_t seed = 7;
    size_t different = 0;

    (void)state;
    for (size_t i = 0; i < rules_count(dictionary->rules); i++) {
        const struct rule *rule = rules_get(dictionary->rules, i);
        const struct rule *other = rules_get(
            dictionary->rules, (i * 7 + 3) % rules_count(dictionary->rules));
        char text[4096];
        size_t bytes = 0;

        for (int part = 0; part < 6 && bytes < 3000; part++) {
            struct span cell =
                part % 2 == 0 ? rule->must_match : other->must_match;
            size_t from;

            if (cell.bytes == 0 || cell.bytes > 600) {
                continue;
            }
            seed = seed * 1664525u + 1013904223u;
            from = (seed >> 8) % cell.bytes; /* may cut a character: dropped */
            memcpy(text + bytes, cell.data + from, cell.bytes - from);
            bytes += cell.bytes - from;
        }
        different += differences((struct span){text, bytes});
    }
    assert_int_equal(different, 0);
}

/* ------------------------------------------------------------------- model */

static void
the_model_is_there_and_fits_the_categories(void **state)
{
    (void)state;
    assert_non_null(dictionary->model);
    assert_int_equal(taxonomy_class_count(dictionary->taxonomy), 15);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_agrees_with_its_own_sentences),
        cmocka_unit_test(the_scanner_changes_nothing_on_the_labelled_texts),
        cmocka_unit_test(the_scanner_changes_nothing_on_shuffled_sentences),
        cmocka_unit_test(the_model_is_there_and_fits_the_categories),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
