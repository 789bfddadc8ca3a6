/* Three levels of topics from categories.csv. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "analyzers/taxonomy.h"
#include "tests/lib/read_file.h"

static struct taxonomy *taxonomy;
static struct span bytes;

static int
load(void **state)
{
    struct err err = {0};
    struct dictionary_file file = {.path = "categories.csv"};

    (void)state;
    bytes = read_source_file("dict/categories.csv");
    file.bytes = bytes;
    if (taxonomy_build(&file, 1, &taxonomy, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    taxonomy_free(&taxonomy);
    free((char *)(uintptr_t)bytes.data);
    return 0;
}

static void
the_shipped_table_has_fifteen_second_level_names(void **state)
{
    static const char *const codes[] = {
        "service.conduct",     "service.channel",  "business.connection",
        "business.change",     "business.reading", "business.tariff",
        "business.metering",   "business.fee",     "outage.switching",
        "outage.repair",       "quality.voltage",  "quality.frequency",
        "quality.reliability", "grid.facility",    "grid.works"};

    (void)state;
    assert_int_equal(taxonomy_class_count(taxonomy), 15);
    for (size_t i = 0; i < 15; i++) {
        const struct taxonomy_row *row =
            taxonomy_row(taxonomy, taxonomy_class_row(taxonomy, i));

        assert_true(span_is(row->code, codes[i]));
        assert_int_equal(row->class_index, i);
    }
}

static void
a_row_is_found_by_its_name_and_by_its_code(void **state)
{
    int32_t conduct = taxonomy_subcategory(taxonomy, SPAN_LITERAL("服务行为"));

    (void)state;
    assert_true(conduct != TAXONOMY_NONE);
    assert_int_equal(
        taxonomy_subcategory(taxonomy, SPAN_LITERAL("service.conduct")),
        conduct);
    assert_int_equal(taxonomy_row(taxonomy, conduct)->category,
                     TICKET_CATEGORY_SERVICE);
    assert_int_equal(taxonomy_subcategory(taxonomy, SPAN_LITERAL("服务")),
                     TAXONOMY_NONE);
    assert_int_equal(taxonomy_subcategory(taxonomy, SPAN_LITERAL("service")),
                     TAXONOMY_NONE);
}

static void
one_name_below_two_subcategories_is_two_topics(void **state)
{
    struct span name = SPAN_LITERAL("环节处理不当");
    int32_t connection =
        taxonomy_subcategory(taxonomy, SPAN_LITERAL("业扩报装"));
    int32_t change = taxonomy_subcategory(taxonomy, SPAN_LITERAL("用电变更"));
    int32_t first = taxonomy_topic(taxonomy, connection, name);
    int32_t second = taxonomy_topic(taxonomy, change, name);

    (void)state;
    assert_true(first != TAXONOMY_NONE && second != TAXONOMY_NONE);
    assert_int_not_equal(first, second);
    assert_int_equal(taxonomy_row(taxonomy, first)->parent, connection);
    assert_int_equal(taxonomy_row(taxonomy, second)->parent, change);
}

static void
topics_are_counted_in_the_order_of_the_table(void **state)
{
    int32_t metering = taxonomy_subcategory(taxonomy, SPAN_LITERAL("电能计量"));
    size_t count = taxonomy_topic_count(taxonomy, metering);
    int32_t before = metering;

    (void)state;
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) {
        int32_t row = taxonomy_topic_row(taxonomy, metering, i);

        assert_true(row > before);
        assert_int_equal(taxonomy_row(taxonomy, row)->parent, metering);
        assert_int_equal(taxonomy_topic_index(taxonomy, row), i);
        before = row;
    }
    assert_int_equal(taxonomy_topic_row(taxonomy, metering, count),
                     TAXONOMY_NONE);
    assert_int_equal(taxonomy_topic_count(taxonomy, TAXONOMY_NONE), 0);
    assert_int_equal(taxonomy_topic_row(taxonomy, TAXONOMY_NONE, 0),
                     TAXONOMY_NONE);
}

static void
every_code_begins_with_its_parents_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < taxonomy_row_count(taxonomy); i++) {
        const struct taxonomy_row *row = taxonomy_row(taxonomy, (int32_t)i);
        const struct taxonomy_row *parent = taxonomy_row(taxonomy, row->parent);

        assert_true(span_starts(row->code,
                                span_of(ticket_category_wire(row->category))));
        if (parent != NULL) {
            assert_true(span_starts(row->code, parent->code));
            assert_int_equal(row->class_index, parent->class_index);
            assert_int_equal(row->category, parent->category);
        }
    }
    assert_null(taxonomy_row(taxonomy, TAXONOMY_NONE));
}

/* What the table is refused for stands in the message. */
static void
refused(const char *text, const char *words)
{
    struct err err = {0};
    struct taxonomy *other = NULL;
    struct dictionary_file file = {.path = "categories.csv",
                                   .bytes = span_of(text)};

    assert_int_not_equal(taxonomy_build(&file, 1, &other, &err), ERR_OK);
    assert_null(other);
    if (strstr(err.detail, words) == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, words);
    }
}

#define HEADER "code,chinese,english,group,scored,version,valid_from\n"

static void
a_wrong_table_is_refused_with_its_line(void **state)
{
    (void)state;
    refused(HEADER "water,水,Water,,no,,\n", "line 2");
    refused(HEADER "service,服务投诉,S,,no,,\nservice.a.b,甲,A,,no,,\n",
            "line 3");
    refused(HEADER "service,服务投诉,S,,no,,\nservice.a,甲,A,,no,,\n"
                   "service.a,乙,B,,no,,\n",
            "line 4");
    refused("code,chinese\nservice,服务投诉\n", "english");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_table_has_fifteen_second_level_names),
        cmocka_unit_test(a_row_is_found_by_its_name_and_by_its_code),
        cmocka_unit_test(one_name_below_two_subcategories_is_two_topics),
        cmocka_unit_test(topics_are_counted_in_the_order_of_the_table),
        cmocka_unit_test(every_code_begins_with_its_parents_code),
        cmocka_unit_test(a_wrong_table_is_refused_with_its_line),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
