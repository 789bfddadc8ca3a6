/* The small parts of the API: masks, parameters, forms, facts, places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "analyzers/classify.h"
#include "analyzers/hot_spot.h"
#include "analyzers/indicator.h"
#include "analyzers/units.h"
#include "server/base/dict_files.h"
#include "server/serve/facts.h"
#include "server/serve/list.h"
#include "server/serve/list_words.h"
#include "server/serve/mask.h"
#include "server/serve/params.h"
#include "server/serve/u64_map.h"

/* ---- mask ---- */

static void
assert_mask(enum mask_field field, const char *value, const char *expected)
{
    struct buf scratch;
    struct span masked;

    buf_init(&scratch, 4096);
    masked = mask_field(MASK_ROLE_VIEWER, field, span_of(value), &scratch);
    if (!span_is(masked, expected)) {
        fail_msg("%s gave %.*s, not %s", value, SPAN_ARGS(masked), expected);
    }
    masked = mask_field(MASK_ROLE_SUPERVISOR, field, span_of(value), &scratch);
    assert_true(span_is(masked, value));
    buf_release(&scratch);
}

static void
personal_fields_are_masked_for_a_viewer(void **state)
{
    (void)state;
    assert_mask(MASK_PHONE, "13812345678", "138****5678");
    assert_mask(MASK_PHONE, "09511234567", "0951****67");
    assert_mask(MASK_PHONE, "01012345678", "010****78");
    assert_mask(MASK_PHONE, "123", "1****");
    assert_mask(MASK_PHONE, "1", "****");
    assert_mask(MASK_CUSTOMER, "9959248923", "995****923");
    assert_mask(MASK_NAME, "张三丰", "张*");
    assert_mask(MASK_ADDRESS, "利通区利通街民生花园11号楼", "利通区利通街***");
    assert_mask(MASK_ADDRESS, "青铜峡镇三趟墩村1队", "青铜峡镇三趟墩村***");
    assert_mask(MASK_ADDRESS, "民生花园11号楼", "民生花园***");
    /* The first street: what follows may name the house. */
    assert_mask(MASK_ADDRESS, "银川市兴庆区解放西街羊肉街口老味道餐厅",
                "银川市兴庆区解放西街***");
    assert_mask(MASK_ADDRESS, "胜利街道文化路王家村饭店", "胜利街道文化路***");
    assert_mask(MASK_RAW, "{\"name\":\"张三\"}", "****");
}

static void
numbers_of_persons_in_free_text_are_masked(void **state)
{
    (void)state;
    assert_mask(MASK_TEXT, "请回电13812345678，谢谢",
                "请回电138****5678，谢谢");
    assert_mask(MASK_TEXT, "身份证64010219800101123X", "身份证640****1123X");
    assert_mask(MASK_TEXT, "前期工单：2018010184235843",
                "前期工单：2018010184235843");
    assert_mask(MASK_TEXT, "停电3次，共12小时", "停电3次，共12小时");
    assert_mask(MASK_TEXT, "打138 1234 5678找我", "打138****5678找我");
    assert_mask(MASK_TEXT, "打138-1234-5678。", "打138****5678。");
    assert_mask(MASK_TEXT, "１３８１２３４５６７８", "138****5678");
    assert_mask(MASK_TEXT, "+8613812345678", "+861****5678");
    assert_mask(MASK_TEXT, "0951-6012345，或0951 6012346",
                "0951****45，或0951****46");
    assert_mask(MASK_TEXT, "2018-03-04 13812345678", "2018-03-04 138****5678");
    assert_mask(MASK_TEXT, "13812345678 13912345678",
                "138****5678 139****5678");
    assert_mask(MASK_TEXT, "户号：9953788583，电话是6012345",
                "户号：****，电话是****");
    assert_mask(MASK_TEXT, "电表底数123456，2018-03-04 09:12",
                "电表底数123456，2018-03-04 09:12");
    assert_mask(MASK_PIECE, "打1381234", "打****");
    assert_mask(MASK_PIECE, "停电7次", "停电7次");
}

/* ---- parameters ---- */

static void
empty_values_count_as_not_given(void **state)
{
    struct params params;
    uint64_t value;
    struct err err = {0};

    (void)state;
    params_from_text("limit=&unit=", &params);
    assert_int_equal(params_get(&params, "unit").bytes, 0);
    assert_int_equal(params_uint(&params, "limit", 1, 10, 7, &value, &err),
                     ERR_OK);
    assert_int_equal(value, 7);
}

static void
dates_make_a_range_with_its_last_day(void **state)
{
    struct params params;
    int64_t from_us;
    int64_t to_us;
    struct err err = {0};

    (void)state;
    params_from_text("from=2018-01-01&to=2018-01-01", &params);
    assert_int_equal(params_range(&params, &from_us, &to_us, &err), ERR_OK);
    assert_int_equal(to_us - from_us, INT64_C(86400000000));
    params_from_text("from=2018-01-01T08:00:00Z&to=2018-01-01T09:00:00Z",
                     &params);
    assert_int_equal(params_range(&params, &from_us, &to_us, &err), ERR_OK);
    assert_int_equal(to_us - from_us, INT64_C(3600000000));
}

static void
a_strange_parameter_name_is_not_echoed(void **state)
{
    static const char *const known[] = {"from", "to", NULL};
    struct params params;
    struct err err = {0};

    (void)state;
    params_from_text("13812345678=1", &params);
    assert_int_equal(params_check(&params, known, NULL, &err), ERR_BAD_VALUE);
    assert_null(strstr(err.detail, "138"));
}

/* ---- forms ---- */

static const struct list_column columns[] = {
    {"id", "编号", LIST_DIGITS}, {"text", "内容", LIST_TEXT},
    {"n", "数", LIST_INT},       {"r", "比", LIST_REAL},
    {"w", "词", LIST_WORDS},     {"b", "是", LIST_BOOL},
};

static const char *
written(const struct list_form *form, bool for_excel, struct buf *out)
{
    const struct span words[] = {SPAN_LITERAL("a"), SPAN_LITERAL("b\"c")};
    struct list_writer writer;
    struct json_out json;

    buf_reset(out);
    json_init(&json, out);
    list_begin(&writer, form, columns, sizeof(columns) / sizeof(columns[0]),
               &(struct list_style){.for_excel = for_excel}, out, &json);
    list_text(&writer, SPAN_LITERAL("2018010184235843"));
    list_text(&writer, SPAN_LITERAL("=HYPERLINK(\"x\"),1"));
    list_int(&writer, -5);
    list_real(&writer, 0.25);
    list_words(&writer, words, 2);
    list_bool(&writer, true);
    list_text(&writer, SPAN_LITERAL("A-1"));
    list_text(&writer, (struct span){NULL, 0});
    list_none(&writer);
    list_none(&writer);
    list_words(&writer, words, 0);
    list_bool(&writer, false);
    list_end(&writer);
    buf_put_char(out, '\0');
    return out->data;
}

static void
one_definition_gives_every_form(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 65536);
    assert_string_equal(
        written(&list_form_json, false, &out),
        "[{\"id\":\"2018010184235843\",\"text\":\"=HYPERLINK(\\\"x\\\"),1\","
        "\"n\":-5,\"r\":0.25,\"w\":[\"a\",\"b\\\"c\"],\"b\":true},"
        "{\"id\":\"A-1\",\"text\":null,\"n\":null,\"r\":null,\"w\":[],\"b\":"
        "false}]");
    assert_string_equal(
        written(&list_form_ndjson, false, &out),
        "{\"id\":\"2018010184235843\",\"text\":\"=HYPERLINK(\\\"x\\\"),1\","
        "\"n\":-5,\"r\":0.25,\"w\":[\"a\",\"b\\\"c\"],\"b\":true}\n"
        "{\"id\":\"A-1\",\"text\":null,\"n\":null,\"r\":null,\"w\":[],\"b\":"
        "false}\n");
    buf_release(&out);
}

static void
a_spreadsheet_runs_no_formula_and_keeps_all_digits(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 65536);
    assert_string_equal(written(&list_form_csv, false, &out),
                        "\xEF\xBB\xBFid,text,n,r,w,b\r\n"
                        "2018010184235843,\"'=HYPERLINK(\"\"x\"\"),1\",-5,0.25,"
                        "\"a b\"\"c\",1\r\n"
                        "A-1,,,,,0\r\n");
    assert_string_equal(
        written(&list_form_csv, true, &out),
        "\xEF\xBB\xBF编号,内容,数,比,词,是\r\n"
        "\"2018010184235843\t\",\"'=HYPERLINK(\"\"x\"\"),1\",-5,"
        "0.25,\"a b\"\"c\",1\r\n"
        "A-1,,,,,0\r\n");
    buf_release(&out);
}

/* ---- facts ---- */

struct fed {
    struct dictionary dictionary;
    struct arena arena;
    struct ledger_fact *facts;
};

static int
fed_up(void **state)
{
    struct fed *fed = calloc(1, sizeof(*fed));
    struct dict_files files;
    struct err err = {0};

    assert_non_null(fed);
    assert_int_equal(dict_files_load(SUQIU_SOURCE_DIR "/dict", &files, &err),
                     ERR_OK);
    assert_int_equal(indicator_build(files.files, files.count,
                                     &fed->dictionary.indicators, &err),
                     ERR_OK);
    assert_int_equal(
        units_build(files.files, files.count, &fed->dictionary.units, &err),
        ERR_OK);
    dict_files_release(&files);
    arena_init(&fed->arena, 65536);
    fed->facts = malloc(FACTS_MAX * sizeof(*fed->facts));
    assert_non_null(fed->facts);
    *state = fed;
    return 0;
}

static int
fed_down(void **state)
{
    struct fed *fed = *state;

    indicator_free(&fed->dictionary.indicators);
    units_free(&fed->dictionary.units);
    arena_release(&fed->arena);
    free(fed->facts);
    free(fed);
    return 0;
}

static enum err_code
read_facts(struct fed *fed, const char *body, size_t *count, struct err *err)
{
    *err = (struct err){0};
    return facts_read(span_of(body), &fed->dictionary, 1, &fed->arena,
                      fed->facts, count, err);
}

static void
facts_are_read_one_or_many(void **state)
{
    struct fed *fed = *state;
    struct err err;
    size_t count;

    assert_int_equal(
        read_facts(fed,
                   "{\"name\":\"customers\",\"unit\":\"90102\",\"value\":1.5e5,"
                   "\"by\":\"营销部\"}",
                   &count, &err),
        ERR_OK);
    assert_int_equal(count, 1);
    assert_true(span_is(fed->facts[0].unit, "宁夏电力/吴忠供电公司"));
    assert_true(fed->facts[0].numerator == 150000.0);
    assert_true(fed->facts[0].denominator == 1.0);
    assert_int_equal(
        read_facts(fed,
                   "[{\"name\":\"reliability\",\"period\":\"2018-03\","
                   "\"numerator\":9,\"denominator\":10},{\"name\":\"cashless\","
                   "\"period\":\"2018\",\"value\":3}]",
                   &count, &err),
        ERR_OK);
    assert_int_equal(count, 2);
    assert_true(fed->facts[0].denominator == 10.0);
}

static void
bad_facts_are_refused_with_their_position(void **state)
{
    static const struct {
        const char *body;
        enum err_code code;
    } cases[] = {
        {"", ERR_BAD_JSON},
        {"[]", ERR_BAD_JSON},
        {"[{\"name\":\"customers\",\"value\":1}", ERR_BAD_JSON},
        {"{\"value\":1}", ERR_MISSING_FIELD},
        {"{\"name\":\"customers\"}", ERR_MISSING_FIELD},
        {"{\"name\":\"customers\",\"value\":1,\"numerator\":2}",
         ERR_MISSING_FIELD},
        {"{\"name\":\"reliability\",\"numerator\":2}", ERR_MISSING_FIELD},
        {"{\"name\":\"custmers\",\"value\":1}", ERR_BAD_VALUE},
        {"{\"name\":\"customers\",\"value\":\"1\"}", ERR_BAD_VALUE},
        {"{\"name\":\"customers\",\"value\":1e999}", ERR_BAD_VALUE},
        {"{\"name\":\"customers\",\"value\":1,\"period\":\"2018-13\"}",
         ERR_BAD_VALUE},
        {"{\"name\":\"customers\",\"value\":1,\"colour\":2}", ERR_BAD_VALUE},
        {"{\"name\":\"reliability\",\"numerator\":2,\"denominator\":-1}",
         ERR_BAD_VALUE},
    };
    struct fed *fed = *state;
    struct err err;
    size_t count;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (read_facts(fed, cases[i].body, &count, &err) != cases[i].code) {
            fail_msg("%s: %s: %s", cases[i].body, err_code_name(err.code),
                     err.detail);
        }
    }
    assert_int_equal(read_facts(fed,
                                "[{\"name\":\"customers\",\"value\":1},"
                                "{\"name\":\"customers\"}]",
                                &count, &err),
                     ERR_MISSING_FIELD);
    assert_non_null(strstr(err.detail, "fact 2"));
}

/* ---- places ---- */

static void
assert_place(const char *address, const char *expected)
{
    char place[512];
    size_t bytes = hot_spot_place(span_of(address), place);

    if (!span_is((struct span){place, bytes}, expected)) {
        fail_msg("%s gave %.*s", address, (int)bytes, place);
    }
}

static void
a_place_is_the_address_without_head_and_household(void **state)
{
    (void)state;
    assert_place("吴忠市同心县豫海镇永安西路裕和苑9号楼2单元",
                 "豫海镇永安西路裕和苑");
    assert_place("豫海镇永安西路裕和苑９号楼", "豫海镇永安西路裕和苑");
    assert_place("贺兰县立岗镇兰光村二队", "立岗镇兰光村");
    assert_place("立岗镇 兰光村（村部旁）", "立岗镇兰光村");
    assert_place("银川市兴庆区幸福小区3号楼", "幸福小区");
    assert_place("1703室", "");
    assert_place("银川市", "");
    assert_place("", "");
}

/* ---- the table ---- */

static void
a_map_finds_what_was_put(void **state)
{
    struct u64_map map;
    bool added;

    (void)state;
    u64_map_init(&map);
    assert_int_equal(u64_map_get(&map, 5), 0);
    for (uint64_t key = 1; key <= 5000; key++) {
        uint64_t *value = u64_map_at(&map, key << 32);

        assert_non_null(value);
        assert_int_equal(*value, 0);
        *value = key;
    }
    for (uint64_t key = 1; key <= 5000; key++) {
        assert_int_equal(u64_map_get(&map, key << 32), key);
    }
    assert_true(u64_map_add(&map, 7, &added) && added);
    assert_true(u64_map_add(&map, 7, &added) && !added);
    u64_map_release(&map);
}

/* A flag without its word is shown as it is named, in a Chinese workbook. */
static void
every_flag_has_a_chinese_word(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VERDICT_FLAG_COUNT; i++) {
        struct span name =
            span_of(verdict_flag_name((enum verdict_flag)(1u << i)));

        if (span_equal(list_word_chinese("flags", name), name)) {
            fail_msg("'%.*s' has none", SPAN_ARGS(name));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(personal_fields_are_masked_for_a_viewer),
        cmocka_unit_test(numbers_of_persons_in_free_text_are_masked),
        cmocka_unit_test(empty_values_count_as_not_given),
        cmocka_unit_test(dates_make_a_range_with_its_last_day),
        cmocka_unit_test(a_strange_parameter_name_is_not_echoed),
        cmocka_unit_test(one_definition_gives_every_form),
        cmocka_unit_test(a_spreadsheet_runs_no_formula_and_keeps_all_digits),
        cmocka_unit_test_setup_teardown(facts_are_read_one_or_many, fed_up,
                                        fed_down),
        cmocka_unit_test_setup_teardown(
            bad_facts_are_refused_with_their_position, fed_up, fed_down),
        cmocka_unit_test(a_place_is_the_address_without_head_and_household),
        cmocka_unit_test(a_map_finds_what_was_put),
        cmocka_unit_test(every_flag_has_a_chinese_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
