/* Invented texts: whole characters, the same for the same seed, and mostly what
 * the pattern asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pattern_text.h"
#include "bench/rule_texts.h"
#include "server/base/dict_files.h"

enum { TEXTS = 2000, ROOM = 400 };

static const char strangers[] = "客户反映昨天家里的灯又不亮了，请尽快处理。";

/* Of TEXTS texts of a pattern, how many does it match? */
static int
matches(const char *pattern)
{
    struct random random = random_from(1);
    pcre2_match_data *found = pcre2_match_data_create(1, NULL);
    PCRE2_SIZE offset;
    int number;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                      PCRE2_UTF | PCRE2_DOTALL, &number, &offset, NULL);
    int count = 0;

    assert_non_null(code);
    assert_non_null(found);
    for (int i = 0; i < TEXTS; i++) {
        char text[ROOM];
        size_t bytes = pattern_text_write(span_of(pattern), span_of(strangers),
                                          &random, text, sizeof(text));

        assert_true(utf8_valid((struct span){text, bytes}));
        count +=
            pcre2_match(code, (PCRE2_SPTR)text, bytes, 0, 0, found, NULL) >= 0;
    }
    pcre2_match_data_free(found);
    pcre2_code_free(code);
    return count;
}

static void
most_texts_match_their_pattern_and_some_nearly(void **state)
{
    static const char *const patterns[] = {
        "停电.{0,12}(没人|三次)(修|管)",
        "(停|断)[^，。]{2,6}(电|闸)(?!费)",
        "(?<!没)来{1,2}修?\\d{1,3}次",
        "[一二三四]+次.{2,4}(停(电|了)|(断|跳){2})",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        int count = matches(patterns[i]);

        if (count < TEXTS * 7 / 10 || count == TEXTS) {
            fail_msg("%s matches %d of %d", patterns[i], count, TEXTS);
        }
    }
    assert_int_equal(matches("停(电|水|\\x{6c14})"), TEXTS);
}

static void
every_alternative_and_member_is_drawn(void **state)
{
    static const char *const words[] = {"甲", "乙", "丙", "丁", "A", "c"};
    struct random random = random_from(2);
    size_t seen[6] = {0};
    char text[16];

    (void)state;
    for (int i = 0; i < TEXTS; i++) {
        size_t bytes =
            pattern_text_write(span_of("(甲|乙(?:)|[丙丁])|A|[b-d]"),
                               span_of(strangers), &random, text, sizeof(text));

        for (size_t k = 0; k < 6; k++) {
            seen[k] +=
                span_equal((struct span){text, bytes}, span_of(words[k]));
        }
    }
    for (size_t k = 0; k < 6; k++) {
        assert_true(seen[k] > TEXTS / 40);
    }
}

static void
no_character_is_cut_where_the_room_ends(void **state)
{
    struct random random = random_from(3);
    char text[32];

    (void)state;
    for (size_t room = 0; room < sizeof(text); room++) {
        size_t bytes = pattern_text_write(
            span_of("(停电){20}a"), span_of(strangers), &random, text, room);

        assert_true(bytes <= room);
        assert_true(utf8_valid((struct span){text, bytes}));
    }
}

static void
a_seed_gives_the_same_texts(void **state)
{
    char path[] = SUQIU_SOURCE_DIR "/tests/corpus/read/outage.tsv";
    char *paths[] = {path};
    struct dictionary *dictionary = NULL;
    struct rule_texts *texts = NULL;
    struct dict_files files;
    struct err err = {0};
    struct random one = random_from(7);
    struct random two = random_from(7);
    struct random other = random_from(8);
    char a[RULE_TEXT_BYTES_MAX];
    char b[RULE_TEXT_BYTES_MAX];
    size_t differ = 0;

    (void)state;
    assert_int_equal(dict_files_load(NULL, &files, &err), ERR_OK);
    assert_int_equal(
        dictionary_build(files.files, files.count, NULL, &dictionary, &err),
        ERR_OK);
    assert_int_equal(rule_texts_new(files.files, files.count, dictionary, paths,
                                    1, &texts, &err),
                     ERR_OK);
    dict_files_release(&files);
    for (int i = 0; i < TEXTS; i++) {
        struct span first = {a, rule_texts_write(texts, &one, a)};
        struct span second = {b, rule_texts_write(texts, &two, b)};

        assert_true(utf8_valid(first));
        assert_true(span_equal(first, second));
        second.bytes = rule_texts_write(texts, &other, b);
        differ += !span_equal(first, second);
    }
    assert_true(differ > TEXTS - 10);
    rule_texts_free(&texts);
    dictionary_free(&dictionary);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_texts_match_their_pattern_and_some_nearly),
        cmocka_unit_test(every_alternative_and_member_is_drawn),
        cmocka_unit_test(no_character_is_cut_where_the_room_ends),
        cmocka_unit_test(a_seed_gives_the_same_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
