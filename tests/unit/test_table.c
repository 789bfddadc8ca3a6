/* The reader of dict/: what Excel writes, and what a typing error looks like.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

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
    refuse("a\n\xFF\n", ERR_BAD_UTF8, "line 2: not UTF-8");
    refuse("a,b\n1\n", ERR_BAD_TABLE, "add the missing ones");
    refuse("a\tb\n1\t2\t3\n", ERR_BAD_TABLE, "take the others away");
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

/* A row without quotes is read another way; it must be the same. */
static void
quoted_and_bare_rows_are_read_alike(void **state)
{
    struct table *bare = parse("a,b,c\r\n1, 2 ,\r\n,,3\n");
    struct table *quoted = parse("a,b,\"c\"\r\n1,\"2\",\r\n\"\",,\"3\"\n");

    (void)state;
    assert_int_equal(table_row_count(bare), 2);
    assert_int_equal(table_row_count(quoted), 2);
    for (size_t row = 0; row < 2; row++) {
        for (size_t column = 0; column < 3; column++) {
            assert_true(span_equal(table_cell(bare, row, column),
                                   table_cell(quoted, row, column)));
        }
    }
    table_free(&bare);
    table_free(&quoted);
}

/* Old spreadsheets end their lines with a carriage return alone. */
static void
carriage_returns_alone_end_rows_as_ever(void **state)
{
    struct table *table = parse("a,b\r1,2\r3,4\r");

    (void)state;
    assert_int_equal(table_row_count(table), 2);
    assert_true(span_is(table_cell(table, 1, 1), "4"));
    table_free(&table);
}

/* ----------------------------------------------------------------- messages */

static void
says(const struct table *table,
     size_t row,
     size_t column,
     size_t offset,
     const char *expected)
{
    struct err err = {0};

    assert_int_equal(table_error_at(table, row, column, offset, ERR_BAD_TABLE,
                                    &err, "wrong"),
                     ERR_BAD_TABLE);
    assert_string_equal(err.detail, expected);
}

static void
a_caret_stands_below_the_cell(void **state)
{
    struct table *table = parse("id,region,note\n甲,\"to\nwn\",x\n乙,,\n");

    (void)state;
    says(table, 0, 0, 0,
         "t.csv: line 2, column 'id': wrong\n    甲,to wn,x\n    ^");
    says(table, 0, 1, 0,
         "t.csv: line 2, column 'region': wrong\n    甲,to wn,x\n       ^");
    says(table, 0, 1, 4,
         "t.csv: line 2, column 'region': wrong\n    甲,to wn,x\n           ^");
    says(table, 1, 1, 0,
         "t.csv: line 4, column 'region': wrong\n    乙,,\n       ^");
    table_free(&table);
}

static void
a_long_row_is_shown_around_the_place(void **state)
{
    struct table *table =
        parse("a,b,c\n一二三四五六七八九十一二三四五六七八九十一二三四五六七八,"
              "0123456789012345678901234567890123456789,z\n");

    (void)state;
    says(table, 0, 1, 10,
         "t.csv: line 2, column 'b': wrong\n"
         "    六七八九十一二三四五六七八,0123456789012345678901234567890123\n"
         "                                         ^");
    table_free(&table);
}

static void
a_long_message_has_no_room_for_the_row(void **state)
{
    struct table *table = parse("a\n1\n");
    struct err err = {0};
    char words[ERR_DETAIL_BYTES - 40];

    (void)state;
    memset(words, 'w', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    (void)table_error(table, 0, 0, ERR_BAD_TABLE, &err, "%s", words);
    assert_null(strchr(err.detail, '\n'));
    assert_non_null(strstr(err.detail, words));
    table_free(&table);
}

/* ------------------------------------------------------------------- faults */

struct told {
    size_t count;
    size_t enough_at; /* 0: never */
    struct err last;
};

static bool
tell(void *data, const struct err *err)
{
    struct told *told = data;

    told->last = *err;
    return ++told->count != told->enough_at;
}

static void
rows_of_another_length_are_told_and_left_out(void **state)
{
    struct told told = {0};
    struct table_faults faults = {.report = tell, .data = &told};
    struct table *table = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(table_parse_all("t.csv",
                                     SPAN_LITERAL("a,b\n1,2\n3\n4,5,6\n7,8\n"),
                                     &faults, &table, &err),
                     ERR_OK);
    assert_int_equal(told.count, 2);
    assert_non_null(strstr(told.last.detail, "line 4: 3 cells"));
    assert_int_equal(table_row_count(table), 2);
    assert_true(span_is(table_cell(table, 1, 0), "7"));
    assert_int_equal(table_row_line(table, 1), 5);
    assert_int_equal(table_end(table, &err), ERR_BAD_TABLE);
    assert_non_null(strstr(err.detail, "line 3: 1 cells"));
    table_free(&table);
}

static void
without_faults_the_first_error_stays(void **state)
{
    struct table *table = parse("a\n1\n");
    struct err err = {0};

    (void)state;
    assert_true(table_go_on(table, &err));
    assert_int_equal(table_end(table, &err), ERR_OK);
    (void)table_error(table, 0, 0, ERR_BAD_TABLE, &err, "wrong");
    assert_false(table_go_on(table, &err));
    assert_int_equal(err.code, ERR_BAD_TABLE);
    table_free(&table);
}

static void
no_error_is_told_twice_and_lack_of_memory_is_none_of_the_table(void **state)
{
    struct told told = {0};
    struct table_faults faults = {.report = tell, .data = &told};
    struct table *table = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(
        table_parse_all("t.csv", SPAN_LITERAL("a\n1\n"), &faults, &table, &err),
        ERR_OK);
    for (int i = 0; i < 3; i++) {
        (void)table_error(table, 0, 0, ERR_BAD_TABLE, &err, "wrong %d", i / 2);
        assert_true(table_go_on(table, &err));
        assert_int_equal(err.code, ERR_OK);
    }
    assert_int_equal(told.count, 2);
    (void)err_set(&err, ERR_NO_MEMORY, "t.csv");
    assert_false(table_go_on(table, &err));
    assert_int_equal(err.code, ERR_NO_MEMORY);
    assert_int_equal(told.count, 2);
    table_free(&table);
}

static void
enough_is_enough(void **state)
{
    struct told told = {.enough_at = 2};
    struct table_faults faults = {.report = tell, .data = &told};
    struct err err = {0};

    (void)state;
    (void)err_set(&err, ERR_BAD_TABLE, "one");
    assert_true(table_faults_tell(&faults, &err));
    (void)snprintf(err.detail, sizeof(err.detail), "two");
    assert_false(table_faults_tell(&faults, &err));
    (void)snprintf(err.detail, sizeof(err.detail), "three");
    assert_false(table_faults_tell(&faults, &err));
    assert_int_equal(told.count, 2);
    assert_false(table_faults_tell(NULL, &err));
}

static void
one_more_than_the_limit_is_told(void **state)
{
    struct told told = {0};
    struct table_faults faults = {.report = tell, .data = &told};
    struct err err = {.code = ERR_BAD_TABLE};

    (void)state;
    for (int i = 0; i < 2 * TABLE_FAULTS_MAX; i++) {
        (void)snprintf(err.detail, sizeof(err.detail), "%d", i);
        assert_int_equal(table_faults_tell(&faults, &err),
                         i < TABLE_FAULTS_MAX);
    }
    assert_int_equal(told.count, TABLE_FAULTS_MAX + 1);
    assert_true(faults.enough);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            comments_quotes_and_crlf_are_read_as_excel_writes_them),
        cmocka_unit_test(tabs_need_no_quotes),
        cmocka_unit_test(mistakes_name_the_line),
        cmocka_unit_test(a_missing_column_names_those_there_are),
        cmocka_unit_test(quoted_and_bare_rows_are_read_alike),
        cmocka_unit_test(carriage_returns_alone_end_rows_as_ever),
        cmocka_unit_test(a_caret_stands_below_the_cell),
        cmocka_unit_test(a_long_row_is_shown_around_the_place),
        cmocka_unit_test(a_long_message_has_no_room_for_the_row),
        cmocka_unit_test(rows_of_another_length_are_told_and_left_out),
        cmocka_unit_test(without_faults_the_first_error_stays),
        cmocka_unit_test(
            no_error_is_told_twice_and_lack_of_memory_is_none_of_the_table),
        cmocka_unit_test(enough_is_enough),
        cmocka_unit_test(one_more_than_the_limit_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
