/* Headings, codes and cells of the files that people really have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "server/decode/columns.h"
#include "server/decode/json_row.h"

static const char *const table_names[2] = {"columns.csv", "column_values.csv"};

struct fixture {
    struct columns *columns;
    struct decoder *decoder;
    struct arena arena;
    struct csv_rows rows;
    struct column_map *map;
    struct decoded out;
    struct err err;
};

static char *
read_table(const char *name, size_t *bytes)
{
    static char path[512];
    FILE *file;
    char *text = malloc(65536);

    assert_non_null(text);
    (void)snprintf(path, sizeof(path), "%s/dict/%s", SUQIU_SOURCE_DIR, name);
    file = fopen(path, "r");
    assert_non_null(file);
    *bytes = fread(text, 1, 65536, file);
    assert_true(*bytes < 65536);
    assert_int_equal(fclose(file), 0);
    return text;
}

static int
set_up(void **state)
{
    static struct fixture fixture;
    struct dictionary_file files[2];
    struct err err = {0};
    char *texts[2];

    for (size_t i = 0; i < 2; i++) {
        files[i].path = table_names[i];
        texts[i] = read_table(table_names[i], &files[i].bytes.bytes);
        files[i].bytes.data = texts[i];
    }
    arena_init(&fixture.arena, 64 * 1024);
    *state = &fixture;
    if (columns_build(files, 2, &fixture.columns, &err) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", err.detail);
        return -1;
    }
    free(texts[0]);
    free(texts[1]);
    return decode_new(&fixture.decoder, &err) == ERR_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    columns_map_free(&fixture->map);
    columns_free(&fixture->columns);
    decode_free(&fixture->decoder);
    arena_release(&fixture->arena);
    return 0;
}

static enum err_code
open_text(struct fixture *fixture, const char *text)
{
    struct csv_row header;

    columns_map_free(&fixture->map);
    arena_reset(&fixture->arena);
    fixture->err = (struct err){0};
    assert_int_equal(csv_rows_open(&fixture->rows, span_of(text),
                                   CSV_QUOTES_AUTO, &fixture->arena, &header,
                                   &fixture->err),
                     ERR_OK);
    return columns_map(fixture->columns, &header, &fixture->map, &fixture->err);
}

static enum err_code
next(struct fixture *fixture)
{
    struct csv_row row;

    fixture->err = (struct err){0};
    assert_int_equal(
        csv_rows_next(&fixture->rows, &fixture->arena, &row, &fixture->err),
        CSV_ROW);
    return columns_decode(fixture->map, fixture->decoder, &row, &fixture->arena,
                          &fixture->out, &fixture->err);
}

static const struct ticket *
ticket(struct fixture *fixture, const char *text)
{
    if (open_text(fixture, text) != ERR_OK || next(fixture) != ERR_OK) {
        fail_msg("%s", fixture->err.detail);
    }
    assert_int_equal(fixture->out.kind, DECODED_TICKET);
    return &fixture->out.ticket;
}

static void
refuse_row(struct fixture *fixture,
           const char *text,
           enum err_code code,
           const char *field,
           const char *part)
{
    assert_int_equal(open_text(fixture, text), ERR_OK);
    if (next(fixture) != code || strcmp(fixture->err.field, field) != 0 ||
        strstr(fixture->err.detail, part) == NULL) {
        fail_msg("%s, field '%s': '%s' does not say '%s'",
                 err_code_name(fixture->err.code), fixture->err.field,
                 fixture->err.detail, part);
    }
}

static void
a_chinese_export_fills_every_field(void **state)
{
    const struct ticket *got = ticket(
        *state,
        "工单编号,业务类型,受理渠道,受理时间,来电号码,户号,客户姓名,用电地址,"
        "供电单位,城乡标志,受理内容,前期工单,客户情绪,备注\n"
        "2018010184235843,故障抢修,市长热线,2018/1/1 9:04,19900001708,"
        "9959248923,王,a路,省/市,城镇,\"停电,\"\"急\"\"\",2017123112345678,"
        "激动,\n");

    assert_true(span_is(got->id, "2018010184235843"));
    assert_int_equal(got->type, TICKET_TYPE_FAULT);
    assert_int_equal(got->channel, TICKET_CHANNEL_12345);
    assert_true(got->accepted_at_us == INT64_C(1514768640000000));
    assert_true(span_is(got->caller, "19900001708"));
    assert_true(span_is(got->customer, "9959248923"));
    assert_true(span_is(got->name, "王"));
    assert_true(span_is(got->address, "a路"));
    assert_true(span_is(got->unit, "省/市"));
    assert_int_equal(got->region, TICKET_REGION_URBAN);
    assert_true(span_is(got->text, "停电,\"急\""));
    assert_true(span_is(got->related, "2017123112345678"));
    assert_true(span_is(got->extra, "\"客户情绪\":\"激动\""));
}

static void
the_columns_of_the_2015_export_are_known(void **state)
{
    const struct ticket *got = ticket(
        *state,
        "APP_NO\tID\tBUSI_TYPE_CODE\tURBAN_RURAL_FLAG\tORG_NO\tHANDLE_TIME\t"
        "ACCEPT_CONTENT\tHANDLE_OPINION\tCALLING_NO\tELEC_TYPE\tCUST_NO\n"
        "2015010112345678\t77\t2\t02\t334010101\t2015-01-01 08:00:00\t"
        "【查询电费】他说\"贵\t办\t13900000000\t0\tNULL\n");

    assert_true(span_is(got->id, "2015010112345678"));
    assert_int_equal(got->type, TICKET_TYPE_COMPLAINT);
    assert_int_equal(got->region, TICKET_REGION_RURAL);
    assert_true(span_is(got->unit, "334010101"));
    assert_true(span_is(got->text, "【查询电费】他说\"贵"));
    assert_null(got->customer.data);
    assert_true(span_is(got->extra, "\"ID\":\"77\",\"HANDLE_OPINION\":\"办\","
                                    "\"ELEC_TYPE\":\"0\""));
}

static void
headings_are_compared_kindly(void **state)
{
    const struct ticket *got =
        ticket(*state, "\xEF\xBB\xBF＊工单 编号,Accepted-At,受理内容（必填）,"
                       "【户号】,ｕｎｉｔ\n1,2018-01-01,x,2,3\n");

    assert_true(span_is(got->id, "1"));
    assert_true(span_is(got->text, "x"));
    assert_true(span_is(got->customer, "2"));
    assert_true(span_is(got->unit, "3"));
}

static void
the_heading_that_stands_higher_wins_and_nothing_is_lost(void **state)
{
    const struct ticket *got = ticket(
        *state, "联系电话,国网工单编号,工单编号,受理时间,受理内容,来电号码,"
                "text,备注,备注,\n1,G,W,2018-01-01,x,2,own,a,b,c\n");

    assert_true(span_is(got->id, "W"));
    assert_true(span_is(got->caller, "2"));
    assert_true(span_is(got->text, "x"));
    assert_true(span_is(got->extra,
                        "\"联系电话\":\"1\",\"国网工单编号\":\"G\","
                        "\"text_2\":\"own\",\"备注\":\"a\",\"备注_2\":\"b\","
                        "\"column_10\":\"c\""));
}

static void
extra_is_json_that_can_be_read_again(void **state)
{
    struct fixture *fixture = *state;
    const struct ticket *got =
        ticket(fixture, "id,accepted_at,text,\"a\"\"b\\\",\"a\"\"b\\\"\n"
                        "1,2018-01-01,x,\"p\"\"\n\t\\\x01\",y\n");
    struct json_reader *reader = NULL;
    struct json_row row;
    char line[256];

    assert_int_equal(json_reader_new(&reader, &fixture->err), ERR_OK);
    (void)snprintf(line, sizeof(line), "{%.*s}", SPAN_ARGS(got->extra));
    assert_int_equal(json_reader_read(reader, span_of(line), &fixture->arena,
                                      &row, &fixture->err),
                     ERR_OK);
    assert_int_equal(row.member_count, 2);
    assert_true(span_is(row.members[0].key, "a\"b\\"));
    assert_true(span_is(row.members[0].value, "p\"\n\t\\\x01"));
    assert_true(span_is(row.members[1].key, "a\"b\\_2"));
    json_reader_free(&reader);
}

static void
a_missing_column_is_named_with_those_the_file_has(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(open_text(fixture, "工单编号,时刻,内容\n"), ERR_NO_COLUMN);
    assert_string_equal(fixture->err.field, "accepted_at");
    assert_non_null(strstr(fixture->err.detail,
                           "no column for accepted_at (受理时间), text "
                           "(受理内容); the file has: 工单编号, 时刻, 内容; "
                           "rename"));
    assert_int_equal(open_text(fixture, "工单编号,环节\n"), ERR_NO_COLUMN);
    assert_string_equal(fixture->err.field, "at");
}

static void
events_come_in_files_too_also_mixed_with_tickets(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(open_text(fixture, "工单编号,环节,环节时间,回访满意度,"
                                        "是否属实,操作人\n"
                                        "1,派单,2018-01-01 09:00,,,李\n"
                                        "1,回访,2018-01-02 09:00,未评价,是,李\n"
                                        "1,,2018-01-02 09:00,,,\n"),
                     ERR_OK);
    assert_int_equal(next(fixture), ERR_OK);
    assert_int_equal(fixture->out.kind, DECODED_EVENT);
    assert_int_equal(fixture->out.event.kind, EVENT_KIND_DISPATCHED);
    assert_true(span_is(fixture->out.event.by, "李"));
    assert_int_equal(next(fixture), ERR_OK);
    assert_int_equal(fixture->out.event.satisfaction, EVENT_SATISFACTION_NONE);
    assert_int_equal(fixture->out.event.substantiated, EVENT_SUBSTANTIATED_YES);
    assert_int_equal(next(fixture), ERR_MISSING_FIELD);

    assert_int_equal(open_text(fixture, "id,event,at,accepted_at,text,caller\n"
                                        "1,,,2018-01-01,x,5\n"
                                        "1,closed,2018-01-02,,,5\n"),
                     ERR_OK);
    assert_int_equal(next(fixture), ERR_OK);
    assert_int_equal(fixture->out.kind, DECODED_TICKET);
    assert_int_equal(next(fixture), ERR_OK);
    assert_int_equal(fixture->out.kind, DECODED_EVENT);
    assert_true(span_is(fixture->out.event.extra, "\"caller\":\"5\""));
}

static void
numbers_that_excel_has_rounded_are_refused(void **state)
{
    struct fixture *fixture = *state;

    refuse_row(fixture, "工单编号,accepted_at,text\n2.01801E+15,2018-01-01,x\n",
               ERR_BAD_ID, "id",
               "column '工单编号': '2.01801E+15': Excel has rounded");
    assert_true(span_is(decode_error_value(fixture->decoder), "2.01801E+15"));
    refuse_row(fixture,
               "id,accepted_at,text,来电号码\n1,2018-01-01,x,"
               "1.99E+10\n",
               ERR_BAD_VALUE, "caller", "column '来电号码': Excel has rounded");
    assert_null(strstr(fixture->err.detail, "1.99"));
}

static void
ways_to_keep_excel_from_counting_are_undone(void **state)
{
    const struct ticket *got =
        ticket(*state, "id,accepted_at,text,caller,customer,unit\n"
                       "\"=\"\"2018010184235843\"\"\",2018-01-01,x,"
                       "'19900001708,9959248923.0,33E01\n");

    assert_true(span_is(got->id, "2018010184235843"));
    assert_true(span_is(got->caller, "19900001708"));
    assert_true(span_is(got->customer, "9959248923"));
    assert_true(span_is(got->unit, "33E01"));
    /* past 2^53 the digits in front of .0 are not the true ones */
    got = ticket(*state, "id,accepted_at,text,customer\n1,2018-01-01,x,"
                         "9007199254740993.0\n");
    assert_true(span_is(got->customer, "9007199254740993.0"));
}

static void
a_refused_value_names_its_column(void **state)
{
    struct fixture *fixture = *state;

    refuse_row(fixture, "工单编号,受理时间,受理内容\n1,2018-13-01,x\n",
               ERR_BAD_TIME, "accepted_at",
               "column '受理时间': '2018-13-01': there is no month 13");
    refuse_row(fixture, "工单编号,受理时间,受理内容\n,2018-12-01,x\n",
               ERR_MISSING_FIELD, "id", "column '工单编号'");
    refuse_row(fixture,
               "工单编号,受理时间,受理内容,业务类型\n1,2018-12-01,x,"
               "胡说\n",
               ERR_BAD_TYPE, "type", "column '业务类型': '胡说': not one of");
    (void)ticket(fixture, "工单编号,受理时间,受理内容\n1,2018-12-01,\n");
}

static void
build(const char *headings, const char *values, const char *part)
{
    struct dictionary_file files[2] = {
        {.path = "columns.csv", .bytes = span_of(headings)},
        {.path = "column_values.csv", .bytes = span_of(values)},
    };
    struct columns *columns = NULL;
    struct err err = {0};

    assert_true(columns_build(files, 2, &columns, &err) != ERR_OK);
    assert_null(columns);
    if (strstr(err.detail, part) == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, part);
    }
}

static void
mistakes_in_the_tables_name_file_and_line(void **state)
{
    static const char good[] = "heading,field,note\nid,id,\n";
    struct columns *columns = NULL;
    struct err err = {0};

    (void)state;
    build("heading,field,note\nx,what,\n", "field,value,means\n",
          "dict/columns.csv: line 2, column 'field': 'what' is not a field");
    build("heading,field\nA B,id\nａ_b,id\n", "field,value,means\n",
          "line 3, column 'heading': this heading is the same as 'A B'");
    build("heading,field\n,id\n", "field,value,means\n", "line 2");
    build("heading,note\n", "field,value,means\n", "field");
    build(
        good, "field,value,means\ntype,7,rant\n",
        "dict/column_values.csv: line 2, column 'means': 'rant' is not a word");
    build(good, "field,value,means\ncaller,7,8\n", "not a word of the field");
    build(good, "field,value,means\nx,7,8\n", "'x' is not a field");
    build(good, "field,value,means\nregion,1,urban\nregion,１,rural\n",
          "line 3, column 'value': this value has a row above");
    assert_int_equal(columns_build(NULL, 0, &columns, &err), ERR_BAD_TABLE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chinese_export_fills_every_field),
        cmocka_unit_test(the_columns_of_the_2015_export_are_known),
        cmocka_unit_test(headings_are_compared_kindly),
        cmocka_unit_test(
            the_heading_that_stands_higher_wins_and_nothing_is_lost),
        cmocka_unit_test(extra_is_json_that_can_be_read_again),
        cmocka_unit_test(a_missing_column_is_named_with_those_the_file_has),
        cmocka_unit_test(events_come_in_files_too_also_mixed_with_tickets),
        cmocka_unit_test(numbers_that_excel_has_rounded_are_refused),
        cmocka_unit_test(ways_to_keep_excel_from_counting_are_undone),
        cmocka_unit_test(a_refused_value_names_its_column),
        cmocka_unit_test(mistakes_in_the_tables_name_file_and_line),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
