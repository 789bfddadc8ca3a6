/* Urban, rural, remote: the order of evidence, real-looking addresses, every
 * rule's own examples, and how often the labels agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzers/region.h"
#include "analyzers/units.h"
#include "tests/lib/sample.h"

enum { FILE_COUNT = 5 };

static struct dictionary_file files[FILE_COUNT] = {
    {.path = "regions.csv"}, {.path = "towns.csv"},     {.path = "t2s.csv"},
    {.path = "units.csv"},   {.path = "customers.csv"},
};
static struct region_table *table;
static struct units *units;

static int
load(void **state)
{
    struct err err = {0};

    (void)state;
    files[0].bytes = read_source_file("dict/regions.csv");
    files[1].bytes = read_source_file("dict/towns.csv");
    files[2].bytes = read_source_file("dict/t2s.csv");
    files[3].bytes =
        SPAN_LITERAL("code,path,region,note\n"
                     "1,甲电力/甲城供电公司,,\n"
                     "101,甲电力/甲城供电公司/城区供电所,urban,\n");
    files[4].bytes = SPAN_LITERAL("customer,region\n9900000001,remote\n"
                                  "9900000000,rural\n");
    if (region_build(files, FILE_COUNT, &table, &err) != ERR_OK ||
        units_build(files, FILE_COUNT, &units, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    region_free(&table);
    units_free(&units);
    for (size_t i = 0; i < 3; i++) {
        free((char *)(uintptr_t)files[i].bytes.data);
    }
    return 0;
}

/* Judge an address alone. */
static enum ticket_region
judge(const char *address, struct evidence *evidence)
{
    struct ticket ticket = {.address = span_of(address)};

    return region_judge(table, NULL, &ticket, evidence);
}

static void
expect(const char *address, enum ticket_region region)
{
    struct evidence evidence;
    enum ticket_region found = judge(address, &evidence);

    if (found != region) {
        fail_msg("%s: %s by %.*s, not %s", address, ticket_region_wire(found),
                 SPAN_ARGS(evidence.rule), ticket_region_wire(region));
    }
}

static void
the_steps_go_before_each_other(void **state)
{
    struct ticket ticket = {
        .region = TICKET_REGION_RURAL,
        .unit = SPAN_LITERAL("甲电力/甲城供电公司/城区供电所"),
        .customer = SPAN_LITERAL("9900000001"),
        .address = SPAN_LITERAL("贺兰县金贵镇东渠村2队"),
        .text = SPAN_LITERAL("小区又停电了"),
    };
    struct evidence evidence;

    (void)state;
    assert_int_equal(region_judge(table, units, &ticket, &evidence),
                     TICKET_REGION_RURAL);
    assert_true(span_is(evidence.rule, "field"));
    assert_int_equal(evidence.field, EVIDENCE_REGION);

    ticket.region = TICKET_REGION_UNKNOWN;
    assert_int_equal(region_judge(table, units, &ticket, &evidence),
                     TICKET_REGION_URBAN);
    assert_true(span_is(evidence.rule, "unit"));
    assert_int_equal(evidence.field, EVIDENCE_UNIT);
    assert_int_equal(evidence.end, 16);

    ticket.unit = SPAN_LITERAL("甲电力/甲城供电公司");
    assert_int_equal(region_judge(table, units, &ticket, &evidence),
                     TICKET_REGION_REMOTE);
    assert_true(span_is(evidence.rule, "customer"));
    assert_true(span_is(evidence.text, "9900000001"));
    assert_int_equal(evidence.field, EVIDENCE_CUSTOMER);

    ticket.customer = SPAN_LITERAL("9900000002");
    assert_int_equal(region_judge(table, units, &ticket, &evidence),
                     TICKET_REGION_RURAL);
    assert_int_equal(evidence.field, EVIDENCE_ADDRESS);

    ticket.address = SPAN_LITERAL("地址不详");
    assert_int_equal(region_judge(table, units, &ticket, &evidence),
                     TICKET_REGION_URBAN);
    assert_true(span_is(evidence.rule, "text:x_estate"));
    assert_int_equal(evidence.field, EVIDENCE_TEXT);
}

static void
nothing_said_is_unknown_and_not_rural(void **state)
{
    struct evidence evidence;

    (void)state;
    assert_int_equal(judge("测试地址", &evidence), TICKET_REGION_UNKNOWN);
    assert_true(span_is(evidence.rule, "unknown"));
    assert_int_equal(evidence.text.bytes, 0);
    assert_int_equal(judge("", &evidence), TICKET_REGION_UNKNOWN);
    expect("客户未提供", TICKET_REGION_UNKNOWN);
    expect("山东省", TICKET_REGION_UNKNOWN);
    expect("\xFF\xFE\x80", TICKET_REGION_UNKNOWN);
}

static void
evidence_points_at_the_words(void **state)
{
    struct evidence evidence;

    (void)state;
    assert_int_equal(judge("贺兰县金贵镇东渠村12队", &evidence),
                     TICKET_REGION_RURAL);
    assert_true(span_is(evidence.rule, "address:a_village"));
    assert_true(span_is(evidence.text, "村"));
    assert_int_equal(evidence.start, 8);
    assert_int_equal(evidence.end, 9);
    assert_int_equal(evidence.weight, 100);
    assert_int_equal(evidence.category, TICKET_CATEGORY_NONE);

    assert_int_equal(judge("贺兰县金贵镇", &evidence), TICKET_REGION_RURAL);
    assert_true(span_is(evidence.rule, "gazetteer"));
    assert_true(span_is(evidence.text, "金贵镇"));
    assert_int_equal(evidence.start, 3);
    assert_int_equal(evidence.end, 6);

    assert_int_equal(judge("习岗镇光明西路某苑１２号楼", &evidence),
                     TICKET_REGION_URBAN);
    assert_true(span_is(evidence.rule, "address:a_building"));
    assert_true(span_is(evidence.text, "１２号楼"));
}

static void
estates_and_streets_are_urban(void **state)
{
    (void)state;
    expect("银川市兴庆区清和南街春晓花园3号楼2单元501室", TICKET_REGION_URBAN);
    expect("北京东路金座广场", TICKET_REGION_URBAN);
    expect("中山市小榄镇某街道旁商城2楼", TICKET_REGION_URBAN);
    expect("成都市金牛区", TICKET_REGION_URBAN);
    expect("南宁青秀区", TICKET_REGION_URBAN);
    expect("西安莲湖北大街商务楼", TICKET_REGION_URBAN);
}

static void
villages_and_teams_are_rural(void **state)
{
    (void)state;
    expect("掌政镇碱滩桥村2队", TICKET_REGION_RURAL);
    expect("张易镇上马泉村2组", TICKET_REGION_RURAL);
    expect("前郭县乌兰图嘎镇西山屯", TICKET_REGION_RURAL);
    expect("克什克腾旗芝瑞镇永胜嘎查", TICKET_REGION_RURAL);
    expect("甘肃省陇西县首阳镇李家湾村三社", TICKET_REGION_RURAL);
    expect("吴忠市同心县预旺镇街道东头", TICKET_REGION_RURAL);
    expect("安徽省泾县某林场二队", TICKET_REGION_RURAL);
    expect("利通区扁担沟镇渠口农场4队", TICKET_REGION_RURAL);
}

static void
a_new_village_is_an_estate_in_town_and_a_village_outside(void **state)
{
    (void)state;
    expect("金凤区亲水大街海宝新村东区33号楼", TICKET_REGION_URBAN);
    expect("济南市市中区二七新村3幢", TICKET_REGION_URBAN);
    expect("北京市海淀区中关村大街27号", TICKET_REGION_URBAN);
    expect("同心县河西镇建新新村5组", TICKET_REGION_RURAL);
    expect("富锦市二龙山镇新丰村育秧小区", TICKET_REGION_RURAL);
}

static void
a_village_inside_a_city_is_urban(void **state)
{
    (void)state;
    expect("西安市长安区韦曲街道某某村", TICKET_REGION_URBAN);
    expect("郑州市惠济区古荥镇张庄村（城中村）", TICKET_REGION_URBAN);
    expect("深圳市龙岗区坂田街道上村东一巷12号602", TICKET_REGION_URBAN);
}

static void
the_county_seat_follows_what_stands_behind_it(void **state)
{
    (void)state;
    expect("习岗镇桃林南街26号", TICKET_REGION_URBAN);
    expect("固原市西吉县吉强镇迎宾路安居苑6号楼", TICKET_REGION_URBAN);
    expect("固原市西吉县吉强镇水泉湾村6组", TICKET_REGION_RURAL);
    expect("贺兰县金贵镇幸福小区6号楼3单元", TICKET_REGION_URBAN);
}

static void
a_town_of_a_district_goes_by_its_committees(void **state)
{
    struct evidence evidence;

    (void)state;
    expect("上海市闵行区莘庄镇", TICKET_REGION_URBAN);
    assert_int_equal(judge("陕西省铜川市耀州区照金镇", &evidence),
                     TICKET_REGION_RURAL);
    assert_true(span_is(evidence.rule, "gazetteer"));
}

static void
remote_needs_its_own_evidence(void **state)
{
    (void)state;
    expect("四川省甘孜州石渠县长沙贡马乡", TICKET_REGION_REMOTE);
    expect("墨脱县背崩乡", TICKET_REGION_REMOTE);
    expect("独龙江乡某村", TICKET_REGION_REMOTE);
    expect("内蒙古阿拉善左旗某苏木北草库伦", TICKET_REGION_REMOTE);
    expect("霞浦县海岛乡某岛南澳村", TICKET_REGION_REMOTE);
    expect("原州区张易镇某村（山顶护林点）", TICKET_REGION_REMOTE);
    expect("广西大新县硕龙镇某村边境线", TICKET_REGION_REMOTE);
    expect("西藏拉萨市林周县强嘎乡", TICKET_REGION_RURAL);
    expect("青岛市黄岛区", TICKET_REGION_URBAN);
    expect("西藏拉萨市城关区", TICKET_REGION_URBAN);
    expect("贵州省赫章县某镇小河村", TICKET_REGION_RURAL);
}

static void
names_may_be_short_and_traditional(void **state)
{
    (void)state;
    expect("佛山順德區容桂街道容里商鋪", TICKET_REGION_URBAN);
    expect("佛山顺德容桂", TICKET_REGION_URBAN);
    expect("靈山縣陸屋鎮大塘村", TICKET_REGION_RURAL);
    expect("黔东南黎平县肇兴镇上寨村", TICKET_REGION_RURAL);
}

static void
every_rule_speaks_on_its_example_and_is_silent_on_the_other(void **state)
{
    size_t rules = region_rule_count(table);
    size_t checked = 0;

    (void)state;
    for (size_t i = 0; i < rules; i++) {
        struct region_rule rule = region_rule_at(table, i);

        if (rule.id.data[0] == 't') {
            continue; /* thresholds have no words */
        }
        if (rule.must_match.bytes == 0 || rule.must_not_match.bytes == 0) {
            fail_msg("line %zu: %.*s has no two examples", rule.line,
                     SPAN_ARGS(rule.id));
        }
        if (!region_rule_speaks(table, i, rule.must_match)) {
            fail_msg("line %zu: %.*s is silent on %.*s", rule.line,
                     SPAN_ARGS(rule.id), SPAN_ARGS(rule.must_match));
        }
        if (region_rule_speaks(table, i, rule.must_not_match)) {
            fail_msg("line %zu: %.*s speaks on %.*s", rule.line,
                     SPAN_ARGS(rule.id), SPAN_ARGS(rule.must_not_match));
        }
        checked++;
    }
    assert_true(checked > 20);
}

/* --- how often the labels agree --- */

struct tally {
    size_t count[TICKET_REGION_COUNT][TICKET_REGION_COUNT]; /* label, found */
};

static size_t
tally_sum(const struct tally *tally, bool two_classes)
{
    size_t sum = 0;

    for (int label = 1; label < TICKET_REGION_COUNT; label++) {
        for (int found = 1; found < TICKET_REGION_COUNT; found++) {
            bool same = label == found ||
                        (two_classes && label != TICKET_REGION_URBAN &&
                         found != TICKET_REGION_URBAN);

            sum += same ? tally->count[label][found] : 0;
        }
    }
    return sum;
}

/* Floors in percent: right of those decided, and unknown at most. */
static void
expect_agreement(const struct tally *tally,
                 const char *name,
                 double right_min,
                 double unknown_max)
{
    size_t unknown = 0;
    size_t all = 0;
    double decided;
    double three;
    double two;
    double missing;

    for (int label = 1; label < TICKET_REGION_COUNT; label++) {
        unknown += tally->count[label][TICKET_REGION_UNKNOWN];
        for (int found = 0; found < TICKET_REGION_COUNT; found++) {
            all += tally->count[label][found];
        }
    }
    assert_true(all > unknown);
    decided = (double)(all - unknown);
    three = 100.0 * (double)tally_sum(tally, false) / decided;
    two = 100.0 * (double)tally_sum(tally, true) / decided;
    missing = 100.0 * (double)unknown / (double)all;
    print_message("%s: %zu records, unknown %.2f %%; of those decided right "
                  "%.2f %% (remote as rural: %.2f %%)\n",
                  name, all, missing, three, two);
    assert_true(three >= right_min);
    assert_true(missing <= unknown_max);
}

static void
add_corpus(struct tally *tally, const char *path)
{
    struct span bytes = read_source_file(path);
    struct span rest = bytes;

    (void)span_split(&rest, '\n');
    while (rest.bytes > 0) {
        struct span line = span_split(&rest, '\n');
        struct ticket ticket = {0};
        struct evidence evidence;
        enum ticket_region label;

        if (line.bytes == 0) {
            continue;
        }
        for (int i = 0; i < 6; i++) {
            (void)span_split(&line, '\t');
        }
        assert_true(ticket_region_from(span_split(&line, '\t'), &label));
        ticket.address = span_split(&line, '\t');
        ticket.text = line;
        tally->count[label][region_judge(table, NULL, &ticket, &evidence)]++;
    }
    free((char *)(uintptr_t)bytes.data);
}

static void
the_labelled_corpus_agrees(void **state)
{
    static const char *const names[] = {
        "boundary", "business", "grid", "none", "outage", "quality", "service"};
    struct tally read = {0};
    struct tally held = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[64];

        (void)snprintf(path, sizeof(path), "tests/corpus/read/%s.tsv",
                       names[i]);
        add_corpus(&read, path);
        (void)snprintf(path, sizeof(path), "tests/corpus/held/%s.tsv",
                       names[i]);
        add_corpus(&held, path);
    }
    expect_agreement(&read, "corpus, read", 96.5, 2.0);
    expect_agreement(&held, "corpus, held", 94.0, 2.0);
}

static void
the_sample_quarter_agrees(void **state)
{
    struct sample *sample = sample_load();
    struct tally tally = {0};

    (void)state;
    for (size_t i = 0; i < sample->count; i++) {
        struct ticket ticket = {.address = sample->tickets[i].address,
                                .text = sample->tickets[i].text};
        struct evidence evidence;

        tally.count[sample->tickets[i].region]
                   [region_judge(table, NULL, &ticket, &evidence)]++;
    }
    expect_agreement(&tally, "sample quarter, without the feed's field", 98.5,
                     2.0);
    sample_free(sample);
}

/* --- mistakes in the tables --- */

#define HEAD                                                                   \
    "id,field,region,pattern,unless,weight,note,must_match,must_not_match\n"

static void
refuse(const char *rules,
       const char *towns,
       enum err_code code,
       const char *part)
{
    struct dictionary_file two[2] = {
        {.path = "regions.csv", .bytes = span_of(rules)},
        {.path = "towns.csv", .bytes = span_of(towns)}};
    struct region_table *bad = NULL;
    struct err err = {0};

    assert_int_equal(region_build(two, towns != NULL ? 2 : 1, &bad, &err),
                     code);
    assert_null(bad);
    if (strstr(err.detail, part) == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, part);
    }
}

static void
mistakes_in_the_tables_are_named(void **state)
{
    static const char towns[] = "code,name,short,kind,urban\n"
                                "11,甲省,,province,\n"
                                "110101,乙县,,county,\n"
                                "110102,乙县,,county,\n";

    (void)state;
    refuse(HEAD, NULL, ERR_NOT_FOUND, "towns.csv");
    refuse("id,field\n", towns, ERR_NO_COLUMN, "region");
    refuse(HEAD "a,adress,rural,村,,1,,,\n", towns, ERR_BAD_VALUE, "line 2");
    refuse(HEAD "a,address,rual,村,,1,,,\n", towns, ERR_BAD_REGION, "rual");
    refuse(HEAD "a,address,rural,村,,-1,,,\n", towns, ERR_BAD_VALUE, "weight");
    refuse(HEAD "a,address,rural,#,,1,,,\n", towns, ERR_BAD_PATTERN, "line 2");
    refuse(HEAD "a,address,rural,,,1,,,\n", towns, ERR_BAD_PATTERN, "pattern");
    refuse(HEAD "a,gazetteer,rural,vilage,,1,,,\n", towns, ERR_BAD_PATTERN,
           "kind");
    refuse(HEAD "a,area,remote,丙县,,1,,,\n", towns, ERR_BAD_PATTERN, "丙县");
    refuse(HEAD "a,area,remote,乙县,,1,,,\n", towns, ERR_BAD_PATTERN,
           "more than one");
    refuse(HEAD "a,address,rural,村,,1,,,\na,text,rural,村,,1,,,\n", towns,
           ERR_BAD_TABLE, "line 2 already");
    refuse(HEAD, "code,name,short,kind,urban\n123,甲,,town,\n", ERR_BAD_VALUE,
           "digits");
    refuse(HEAD, "code,name,short,kind,urban\n11,甲省,,state,\n", ERR_BAD_VALUE,
           "state");
    refuse(HEAD, "code,name,short,kind,urban\n11,甲省,,province,101\n",
           ERR_BAD_VALUE, "percentage");
}

static void
long_fields_are_read_up_to_the_limit(void **state)
{
    static char address[4 * REGION_ADDRESS_CHARS_MAX];
    static char text[8 * REGION_TEXT_CHARS_MAX];
    struct ticket ticket = {.address = {address, sizeof(address)},
                            .text = {text, sizeof(text)}};
    struct evidence evidence;

    (void)state;
    memset(address, 'x', sizeof(address));
    memset(text, 'x', sizeof(text));
    memcpy(address + sizeof(address) - 6, "小区", 6);
    assert_int_equal(region_judge(table, NULL, &ticket, &evidence),
                     TICKET_REGION_UNKNOWN);
    memcpy(text + REGION_TEXT_CHARS_MAX - 4, "小区", 6);
    assert_int_equal(region_judge(table, NULL, &ticket, &evidence),
                     TICKET_REGION_URBAN);
    assert_int_equal(evidence.start, REGION_TEXT_CHARS_MAX - 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_steps_go_before_each_other),
        cmocka_unit_test(nothing_said_is_unknown_and_not_rural),
        cmocka_unit_test(evidence_points_at_the_words),
        cmocka_unit_test(estates_and_streets_are_urban),
        cmocka_unit_test(villages_and_teams_are_rural),
        cmocka_unit_test(
            a_new_village_is_an_estate_in_town_and_a_village_outside),
        cmocka_unit_test(a_village_inside_a_city_is_urban),
        cmocka_unit_test(the_county_seat_follows_what_stands_behind_it),
        cmocka_unit_test(a_town_of_a_district_goes_by_its_committees),
        cmocka_unit_test(remote_needs_its_own_evidence),
        cmocka_unit_test(names_may_be_short_and_traditional),
        cmocka_unit_test(
            every_rule_speaks_on_its_example_and_is_silent_on_the_other),
        cmocka_unit_test(the_labelled_corpus_agrees),
        cmocka_unit_test(the_sample_quarter_agrees),
        cmocka_unit_test(mistakes_in_the_tables_are_named),
        cmocka_unit_test(long_fields_are_read_up_to_the_limit),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
