/* Rows of rules: what they say, where they look, and that the scanner in front
 * of PCRE2 changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/rules.h"
#include "tests/lib/judge_fixture.h"

enum { TEXTS = 4000, TEXT_CHARS = 40 };

struct rule_judge {
    struct judge judge;
    struct rules_scratch *scratch;
    struct clean_text *clean;
    struct rule_hit hits[RULE_HITS_MAX];
};

static struct rule_judge *
open_judge(const char *rules, const char *words)
{
    struct rule_judge *one = calloc(1, sizeof(*one));
    struct err err = {0};

    assert_non_null(one);
    judge_init(&one->judge);
    judge_add(&one->judge, "rules/test.csv", rules);
    judge_add(&one->judge, "words.csv", words);
    judge_build(&one->judge);
    one->clean = malloc(sizeof(*one->clean));
    assert_non_null(one->clean);
    assert_int_equal(
        rules_scratch_new(one->judge.dictionary.rules, &one->scratch, &err),
        ERR_OK);
    return one;
}

static void
close_judge(struct rule_judge *one)
{
    rules_scratch_free(&one->scratch);
    free(one->clean);
    judge_release(&one->judge);
    free(one);
}

/* Does the only rule speak, and is PCRE2 alone of the same opinion? */
static bool
speaks(struct rule_judge *one, const char *text)
{
    const struct rules *rules = one->judge.dictionary.rules;
    struct rule_hit alone;
    bool incomplete = false;
    size_t count;

    clean_text(one->judge.dictionary.cleaner, span_of(text), one->clean);
    count =
        rules_match(rules, one->scratch, one->clean, one->hits, &incomplete);
    assert_false(incomplete);
    assert_int_equal(rules_match_one(rules, one->scratch, 0, one->clean, &alone,
                                     &incomplete),
                     count > 0);
    return count > 0;
}

#define WORDS                                                                  \
    "name,words,note\n近,\".{0,12}\",\n停电,停电|断电|没电(?!费),\n" \
    "厅,营业厅|大厅,\n"

#define ROW(pattern, also, unless, scope)                                      \
    RULE_HEADER "t.one,quality,供电可靠性,,\"" pattern "\",\"" also            \
                "\",\"" unless "\"," scope ",4,,停电,有电\n"

static void
words_stand_for_their_list_and_gaps_for_distance(void **state)
{
    struct rule_judge *one =
        open_judge(ROW("{厅}{近}{停电}", "", "", ""), WORDS);

    (void)state;
    assert_true(speaks(one, "营业厅昨天断电"));
    assert_true(speaks(one, "大厅停电"));
    assert_false(speaks(one, "停电的大厅"));
    assert_false(speaks(one, "营业厅一二三四五六七八九十壹贰叁停电"));
    assert_true(speaks(one, "营业厅一二三四五六七八九十壹贰停电"));
    assert_false(speaks(one, "大厅没电费单"));
    assert_true(speaks(one, "大厅没电费单，没电"));
    close_judge(one);
}

static void
also_must_stand_and_unless_must_not(void **state)
{
    struct rule_judge *one =
        open_judge(ROW("{停电}", "天天|每天", "计划", "text"), WORDS);

    (void)state;
    assert_true(speaks(one, "每天都停电"));
    assert_true(speaks(one, "停电。每天。"));
    assert_false(speaks(one, "停电一次"));
    assert_false(speaks(one, "每天停电。是计划的。"));
    close_judge(one);
}

static void
a_sentence_is_the_scope_of_all_three_cells(void **state)
{
    struct rule_judge *one =
        open_judge(ROW("{停电}", "每天", "计划", "sentence"), WORDS);

    (void)state;
    assert_true(speaks(one, "每天停电。是计划的。"));
    assert_false(speaks(one, "停电。每天。"));
    assert_false(speaks(one, "每天计划停电。"));
    assert_true(speaks(one, "计划每天停电。后来每天都断电"));
    close_judge(one);
}

static void
the_bracket_is_the_one_the_text_begins_with(void **state)
{
    struct rule_judge *one =
        open_judge(ROW("{停电}", "", "", "bracket"), WORDS);

    (void)state;
    assert_true(speaks(one, "【频繁停电】客户反映"));
    assert_false(speaks(one, "【电压低】客户反映停电"));
    assert_false(speaks(one, "客户反映【停电】"));
    assert_false(speaks(one, "停电"));
    close_judge(one);
}

static void
edges_and_looks_see_the_scope(void **state)
{
    struct rule_judge *one =
        open_judge(ROW("^停电|(?<!没)跳闸$", "", "", "sentence"), WORDS);

    (void)state;
    assert_true(speaks(one, "昨天来了。停电半天。"));
    assert_false(speaks(one, "昨天停电半天"));
    assert_true(speaks(one, "家里又跳闸"));
    assert_false(speaks(one, "家里没跳闸"));
    close_judge(one);
}

static void
the_words_found_are_those_of_the_text(void **state)
{
    struct rule_judge *one =
        open_judge(ROW("{厅}{近}{停电}", "", "", ""), WORDS);

    (void)state;
    assert_true(speaks(one, "我在营业厅时断电了"));
    assert_int_equal(one->hits[0].start, strlen("我在"));
    assert_int_equal(one->hits[0].end, strlen("我在营业厅时断电"));
    close_judge(one);
}

static void
many_places_of_one_word_are_not_missed(void **state)
{
    struct rule_judge *one =
        open_judge(ROW("停电.{0,3}没人", "", "", "text"), WORDS);
    static char text[8000];
    size_t at = 0;

    (void)state;
    for (int i = 0; i < 400; i++) {
        at += (size_t)sprintf(text + at, "停电%d，", i % 7);
    }
    assert_false(speaks(one, text));
    (void)sprintf(text + at, "停电了没人");
    assert_true(speaks(one, text));
    close_judge(one);
}

/* ------------------------------------------------------ scanner and PCRE2 */

static uint32_t
next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Texts made of the very words of the rules, so that near misses are many. */
static void
the_scanner_never_changes_what_pcre2_says(void **state)
{
    static const char *const rules = RULE_HEADER
        "r.1,quality,供电可靠性,,\"{停电}{近}{厅}\",\"\",\"\",sentence,1,,a,b\n"
        "r.2,quality,供电可靠性,,\"(停|断)[^，。]{0,4}(电|闸)(?!费)\",\"\","
        "\"\",text,1,,a,b\n"
        "r.3,quality,供电可靠性,,\"(没(有|人)?)?来(修|电){1,2}\",\"\",\"\","
        "text,1,,a,b\n"
        "r.4,quality,供电可靠性,,\"(一|二|三)+次.{2,6}(停|断)电\",\"\",\"\","
        "text,1,,a,b\n"
        "r.5,quality,供电可靠性,,\"^(没|有)电|停电$\",\"\",\"\",sentence,1,,a,"
        "b\n"
        "r.6,quality,供电可靠性,,\"(停(电|了.{0,2}天)|断电).{1,3}(来修|没人)\","
        "\"\",\"有电\",text,1,,a,b\n"
        "r.7,quality,供电可靠性,,\"(?<!没)有人.{0,5}(?:修|来(?=修))+\",\"\","
        "\"\",sentence,1,,a,b\n"
        "r.8,quality,供电可靠性,,\"营.?业厅.{0,3}?三次\",\"停\",\"费.{0,4}电\","
        "text,1,,a,b\n"
        "r.9,quality,供电可靠性,,\"停.*?没.{0,2}修\",\"\",\"\",sentence,1,,a,"
        "b\n"
        "r.10,quality,供电可靠性,,\"(停{1,2}|断)电(了|费){0,2}没\",\"\",\"\","
        "text,1,,a,b\n";
    static const char *const parts[] = {
        "停",     "断",   "电", "没", "有", "人", "来", "修", "一", "三次",
        "营业厅", "大厅", "，", "。", "闸", "费", "了", "天", "a",  "7"};
    struct rule_judge *one = open_judge(rules, WORDS);
    const struct rules *compiled = one->judge.dictionary.rules;
    uint32_t seed = 20180101;
    size_t spoke = 0;

    (void)state;
    for (int t = 0; t < TEXTS; t++) {
        char text[TEXT_CHARS * 9 + 1] = "";
        size_t count;
        size_t k = 0;
        bool incomplete = false;

        for (size_t i = next_random(&seed) % TEXT_CHARS; i > 0; i--) {
            (void)strcat(
                text,
                parts[next_random(&seed) % (sizeof(parts) / sizeof(*parts))]);
        }
        clean_text(one->judge.dictionary.cleaner, span_of(text), one->clean);
        count = rules_match(compiled, one->scratch, one->clean, one->hits,
                            &incomplete);
        spoke += count;
        for (size_t i = 0; i < rules_count(compiled); i++) {
            struct rule_hit alone;
            bool by_scanner = k < count && one->hits[k].rule == i;

            k += by_scanner;
            if (rules_match_one(compiled, one->scratch, i, one->clean, &alone,
                                &incomplete) != by_scanner) {
                fail_msg("rule %zu on '%s': with the scanner %d", i + 1, text,
                         by_scanner);
            }
        }
        assert_false(incomplete);
    }
    assert_true(spoke >
                TEXTS / 2); /* the texts are no strangers to the rules */
    close_judge(one);
}

/* ------------------------------------------------------------ machine code */

enum { ASKERS = 4 };

struct asker {
    pthread_t thread;
    const struct dictionary *dictionary;
    pthread_barrier_t *start;
    size_t spoke;
};

/* A pattern that the scanner leaves to PCRE2, asked by a thread of its own. */
static void *
ask_first(void *user)
{
    struct asker *asker = user;
    const struct rules *rules = asker->dictionary->rules;
    struct clean_text *clean = malloc(sizeof(*clean));
    struct rules_scratch *scratch = NULL;
    struct rule_hit hits[RULE_HITS_MAX];
    struct err err = {0};
    bool incomplete = false;

    if (clean != NULL && rules_scratch_new(rules, &scratch, &err) == ERR_OK) {
        clean_text(asker->dictionary->cleaner, span_of("家里有电，昨天人来修"),
                   clean);
        (void)pthread_barrier_wait(asker->start);
        asker->spoke = rules_match(rules, scratch, clean, hits, &incomplete);
    }
    rules_scratch_free(&scratch);
    free(clean);
    return NULL;
}

static void
threads_may_ask_a_pattern_at_the_same_first_time(void **state)
{
    (void)state;
    for (int turn = 0; turn < 20; turn++) {
        struct rule_judge *one =
            open_judge(ROW("(?<!没)有电.{0,9}(?<!没)人.{0,5}(?:修|来(?=修))+",
                           "昨天(?!没)", "(?<!昨)天来", "text"),
                       WORDS);
        struct asker askers[ASKERS];
        pthread_barrier_t all;

        assert_int_equal(pthread_barrier_init(&all, NULL, ASKERS), 0);
        for (size_t i = 0; i < ASKERS; i++) {
            askers[i] = (struct asker){.dictionary = &one->judge.dictionary,
                                       .start = &all};
            assert_int_equal(
                pthread_create(&askers[i].thread, NULL, ask_first, &askers[i]),
                0);
        }
        for (size_t i = 0; i < ASKERS; i++) {
            assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
            assert_int_equal(askers[i].spoke, 1);
        }
        (void)pthread_barrier_destroy(&all);
        close_judge(one);
    }
}

static void
machine_code_may_be_made_before_it_is_asked(void **state)
{
    struct rule_judge *one = open_judge(
        ROW("(?<!没)有人", "昨天(?!没)", "(?<!昨)天来", "text"), WORDS);

    (void)state;
    assert_true(rules_prepare(one->judge.dictionary.rules, 0));
    assert_true(rules_prepare(one->judge.dictionary.rules, 0));
    assert_true(speaks(one, "昨天有人"));
    assert_false(speaks(one, "昨天没有人"));
    close_judge(one);
}

/* ------------------------------------------------------------ wrong tables */

static void
refused(const char *rows, enum err_code code, const char *words)
{
    struct judge judge;
    struct err err = {0};

    judge_init(&judge);
    judge_add(&judge, "rules/test.csv", rows);
    judge_add(&judge, "words.csv", WORDS);
    assert_int_equal(judge_try(&judge, &err), code);
    if (strstr(err.detail, words) == NULL ||
        strstr(err.detail, "dict/rules/test.csv") == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, words);
    }
    judge_release(&judge);
}

static void
a_wrong_row_is_refused_with_its_place(void **state)
{
    (void)state;
    refused(RULE_HEADER "t,water,,,停电,,,,4,,a,b\n", ERR_BAD_TABLE, "line 2");
    refused(RULE_HEADER "t,quality,服务行为,,停电,,,,4,,a,b\n", ERR_BAD_TABLE,
            "服务行为");
    refused(RULE_HEADER "t,quality,,,停电,,,page,4,,a,b\n", ERR_BAD_TABLE,
            "text, sentence, bracket");
    refused(RULE_HEADER "t,quality,,,停电,,,,0,,a,b\n", ERR_BAD_TABLE,
            "points");
    refused(RULE_HEADER "t,quality,,,停电,,,,4,,a,b\n"
                        "t,quality,,,断电,,,,4,,a,b\n",
            ERR_BAD_TABLE, "line 3");
    refused(RULE_HEADER "t,quality,,,(停电,,,,4,,a,b\n", ERR_BAD_PATTERN,
            "not closed");
    refused(RULE_HEADER "t,quality,,,{没有这个词},,,,4,,a,b\n", ERR_BAD_PATTERN,
            "没有这个词");
    refused(RULE_HEADER "t,quality,,,停电,(断,,,4,,a,b\n", ERR_BAD_PATTERN,
            "also");
    refused(RULE_HEADER "t,none,供电可靠性,,停电,,,,4,,a,b\n", ERR_BAD_TABLE,
            "subcategory");
}

static void
a_dictionary_without_rules_is_silent(void **state)
{
    struct rule_judge *one = open_judge(RULE_HEADER, WORDS);
    bool incomplete = false;

    (void)state;
    clean_text(one->judge.dictionary.cleaner, SPAN_LITERAL("停电"), one->clean);
    assert_int_equal(rules_match(one->judge.dictionary.rules, one->scratch,
                                 one->clean, one->hits, &incomplete),
                     0);
    assert_false(incomplete);
    close_judge(one);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_stand_for_their_list_and_gaps_for_distance),
        cmocka_unit_test(also_must_stand_and_unless_must_not),
        cmocka_unit_test(a_sentence_is_the_scope_of_all_three_cells),
        cmocka_unit_test(the_bracket_is_the_one_the_text_begins_with),
        cmocka_unit_test(edges_and_looks_see_the_scope),
        cmocka_unit_test(the_words_found_are_those_of_the_text),
        cmocka_unit_test(many_places_of_one_word_are_not_missed),
        cmocka_unit_test(the_scanner_never_changes_what_pcre2_says),
        cmocka_unit_test(threads_may_ask_a_pattern_at_the_same_first_time),
        cmocka_unit_test(machine_code_may_be_made_before_it_is_asked),
        cmocka_unit_test(a_wrong_row_is_refused_with_its_place),
        cmocka_unit_test(a_dictionary_without_rules_is_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
