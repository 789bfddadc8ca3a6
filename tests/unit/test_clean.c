/* The text as rules read it, and the way back to the original. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "analyzers/clean.h"
#include "tests/lib/read_file.h"

static struct cleaner *cleaner;
static struct clean_text *out;
static struct span t2s;

static int
load(void **state)
{
    struct err err = {0};
    struct dictionary_file files[2] = {
        {.path = "t2s.csv"},
        {.path = "boilerplate.csv",
         .bytes = SPAN_LITERAL("phrase,note\n客户来电,\n请尽快处理,\n来电,\n")},
    };

    (void)state;
    t2s = read_source_file("dict/t2s.csv");
    files[0].bytes = t2s;
    out = malloc(sizeof(*out));
    assert_non_null(out);
    if (cleaner_build(files, 2, &cleaner, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    cleaner_free(&cleaner);
    free(out);
    free((char *)(uintptr_t)t2s.data);
    return 0;
}

static void
becomes(const char *text, const char *cleaned)
{
    clean_text(cleaner, span_of(text), out);
    assert_int_equal(out->bytes, strlen(cleaned));
    assert_memory_equal(out->text, cleaned, out->bytes);
}

/* `part` of the cleaned text stood at these characters of the original. */
static void
stood_at(const char *text, const char *part, uint32_t start, uint32_t end)
{
    struct clean_origin origin;
    const char *found;
    size_t at;

    clean_text(cleaner, span_of(text), out);
    out->text[out->bytes] = '\0';
    found = strstr(out->text, part);
    assert_non_null(found);
    at = (size_t)(found - out->text);
    origin = clean_origin(out, span_of(text), at, at + strlen(part));
    assert_int_equal(origin.start_char, start);
    assert_int_equal(origin.end_char, end);
}

static void
full_width_and_capitals_become_plain(void **state)
{
    (void)state;
    becomes("ＡＰＰ闪退，９５５９８", "app闪退，95598");
    becomes("①②", "12");
}

static void
traditional_becomes_simplified(void **state)
{
    (void)state;
    becomes("電壓不穩", "电压不稳");
}

static void
punctuation_beside_chinese_becomes_chinese(void **state)
{
    (void)state;
    becomes("停电了,没人管!", "停电了，没人管！");
    becomes("一、1,200元", "一、1,200元");
    becomes("八点半8:30来", "八点半8:30来");
}

static void
what_cannot_be_seen_goes(void **state)
{
    (void)state;
    becomes("停\xE2\x80\x8B电", "停电");
    becomes("停 电　了", "停电了");
    becomes("停电_x000D_\n没人", "停电\n没人");
    becomes("ab cd", "ab cd");
}

static void
pinyin_in_brackets_goes(void **state)
{
    (void)state;
    becomes("权(quán)利", "权利");
    becomes("电表(app)坏", "电表(app)坏");
}

static void
boilerplate_goes_the_longer_phrase_first(void **state)
{
    (void)state;
    becomes("客户来电反映停电，请尽快处理", "反映停电，");
    becomes("还没来电", "还没");
}

static void
a_text_pasted_twice_is_read_once(void **state)
{
    (void)state;
    becomes("停电三天没有人来修理呢停电三天没有人来修理呢",
            "停电三天没有人来修理呢");
    becomes("停停", "停停");
}

static void
sentences_end_at_stops_and_lines(void **state)
{
    (void)state;
    clean_text(cleaner, span_of("停电。没人管！\n为什么"), out);
    assert_int_equal(out->sentence_count, 3);
    assert_int_equal(out->sentence_end[0], 3);
    assert_int_equal(out->sentence_end[2], out->char_count);
}

static void
an_empty_text_has_one_empty_sentence(void **state)
{
    (void)state;
    becomes("", "");
    assert_int_equal(out->sentence_count, 1);
    assert_int_equal(out->sentence_end[0], 0);
}

static void
offsets_lead_back_to_the_original(void **state)
{
    (void)state;
    stood_at("客户来电，電 壓低", "电压", 5, 8);
    stood_at("权(quán)利", "利", 7, 8);
    stood_at("停\xE2\x80\x8B电", "停电", 0, 3);
}

static void
bytes_that_are_not_utf8_are_dropped(void **state)
{
    (void)state;
    becomes("停\xFF\xFE电\xE5\x81", "停电");
}

static void
a_character_beyond_the_basic_plane_divides_words(void **state)
{
    (void)state;
    clean_text(cleaner, span_of("停\xF0\x9F\x98\xA1电"), out);
    assert_int_equal(out->char_count, 3);
    assert_int_equal(out->code_point[1], 0xFFFD);
}

static void
a_text_that_is_too_long_is_cut_at_a_character(void **state)
{
    static char text[CLEAN_INPUT_BYTES_MAX + 300];

    (void)state;
    for (size_t i = 0; i + 3 <= sizeof(text) - 1; i += 3) {
        /* not the same twice over: that would be read once */
        memcpy(text + i,
               ((uint32_t)i * 2654435761u >> 13) % 2 == 0 ? "停" : "电", 3);
    }
    clean_text(cleaner, (struct span){text, sizeof(text) - 1}, out);
    assert_true(out->truncated);
    assert_int_equal(out->char_count, CLEAN_INPUT_BYTES_MAX / 3);
}

static void
a_phrase_of_one_character_is_refused(void **state)
{
    struct err err = {0};
    struct cleaner *other = NULL;
    struct dictionary_file file = {.path = "boilerplate.csv",
                                   .bytes = SPAN_LITERAL("phrase,note\n电,\n")};

    (void)state;
    assert_int_equal(cleaner_build(&file, 1, &other, &err), ERR_BAD_TABLE);
    assert_null(other);
    assert_non_null(strstr(err.detail, "line 2"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_width_and_capitals_become_plain),
        cmocka_unit_test(traditional_becomes_simplified),
        cmocka_unit_test(punctuation_beside_chinese_becomes_chinese),
        cmocka_unit_test(what_cannot_be_seen_goes),
        cmocka_unit_test(pinyin_in_brackets_goes),
        cmocka_unit_test(boilerplate_goes_the_longer_phrase_first),
        cmocka_unit_test(a_text_pasted_twice_is_read_once),
        cmocka_unit_test(sentences_end_at_stops_and_lines),
        cmocka_unit_test(an_empty_text_has_one_empty_sentence),
        cmocka_unit_test(offsets_lead_back_to_the_original),
        cmocka_unit_test(bytes_that_are_not_utf8_are_dropped),
        cmocka_unit_test(a_character_beyond_the_basic_plane_divides_words),
        cmocka_unit_test(a_text_that_is_too_long_is_cut_at_a_character),
        cmocka_unit_test(a_phrase_of_one_character_is_refused),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
