/* The reader of dict/: what Excel writes, and what a typing error looks like.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzers/table.h"

static struct table *
parse(const char *text)
{
    struct err err = {0};
    struct table *table = NULL;

    if (table_parse("t.csv", span_of(text), &table, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return table;
}

static void
refuse(const char *text, enum err_code code, const char *part)
{
    struct err err = {0};
    struct table *table = NULL;

    assert_int_equal(table_parse("t.csv", span_of(text), &table, &err), code);
    assert_null(table);
    if (strstr(err.detail, part) == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, part);
    }
}

static void
comments_quotes_and_crlf_are_read_as_excel_writes_them(void **state)
{
    struct table *table =
        parse("\xEF\xBB\xBF# note\r\nid,text\r\n1,\"a,\"\"b\"\"\nc\"\r\n"
              "# between, with, commas\r\n\r\n2, d \r\n");

    (void)state;
    assert_int_equal(table_row_count(table), 2);
    assert_true(span_is(table_cell(table, 0, 1), "a,\"b\"\nc"));
    assert_true(span_is(table_cell(table, 1, 1), "d"));
    assert_int_equal(table_row_line(table, 0), 3);
    assert_int_equal(table_row_line(table, 1), 7);
    assert_true(table_column(table, "nothing") == SIZE_MAX);
    table_free(&table);
}

static void
tabs_need_no_quotes(void **state)
{
    struct table *table = parse("id\ttext\n1\ta \"raw\" quote, and comma\n");

    (void)state;
    assert_int_equal(table_row_count(table), 1);
    assert_true(span_is(table_cell(table, 0, 1), "a \"raw\" quote, and comma"));
    table_free(&table);
}

static void
mistakes_name_the_line(void **state)
{
    (void)state;
    refuse("a,b\n1,2,3\n", ERR_BAD_TABLE, "line 2: 3 cells");
    refuse("a,b\n1,\"2\n", ERR_BAD_TABLE, "line 2");
    refuse("a,b\n1,x\"2\n", ERR_BAD_TABLE, "line 2");
    refuse("", ERR_BAD_TABLE, "empty");
    refuse("a,b,a\n", ERR_BAD_TABLE, "column 1 and column 3");
    refuse("a\n\xFF\n", ERR_BAD_UTF8, "UTF-8");
}

static void
a_missing_column_names_those_there_are(void **state)
{
    struct table *table = parse("id,text\n");
    struct err err = {0};
    size_t column;

    (void)state;
    assert_int_equal(table_need_column(table, "pattern", &column, &err),
                     ERR_NO_COLUMN);
    assert_non_null(strstr(err.detail, "'pattern'; it has: id, text"));
    table_free(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_quotes_and_crlf_are_read_as_excel_writes_them),
        cmocka_unit_test(tabs_need_no_quotes),
        cmocka_unit_test(mistakes_name_the_line),
        cmocka_unit_test(a_missing_column_names_those_there_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
