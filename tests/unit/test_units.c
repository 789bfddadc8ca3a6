/* Supply units: codes, paths as feeds write them, and inherited regions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzers/units.h"
#include "tests/lib/read_file.h"

static struct units *
build(const char *text)
{
    struct err err = {0};
    struct dictionary_file file = {.path = "units.csv", .bytes = span_of(text)};
    struct units *units = NULL;

    if (units_build(&file, 1, &units, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return units;
}

#define TABLE                                                                  \
    "code,path,region,note\n"                                                  \
    "90101,省/市,,\n"                                                        \
    "9010101,省/市/县,rural,\n"                                             \
    "901010101,省/市/县/城关所,urban,\n"                                 \
    "901010102,省/市/县/乡所,,\n"                                         \
    ",省/市/山县,特殊边远地区,\n"                                    \
    "NX-7,省/市/区,urban,\n"

static void
path_is(const struct units *units, const char *unit, const char *want)
{
    struct span got = units_path(units, span_of(unit));

    if (!span_is(got, want)) {
        fail_msg("'%s' is '%.*s', not '%s'", unit, SPAN_ARGS(got), want);
    }
}

static void
region_is(const struct units *units,
          const char *path,
          enum ticket_region want,
          const char *row)
{
    struct span row_path;

    assert_int_equal(units_region(units, span_of(path), &row_path), want);
    assert_true(span_is(row_path, row));
}

static void
a_known_code_gives_its_path(void **state)
{
    struct units *units = build(TABLE);

    (void)state;
    path_is(units, "901010101", "省/市/县/城关所");
    path_is(units, " 90101 ", "省/市");
    path_is(units, "NX-7", "省/市/区");
    units_free(&units);
    units_free(&units);
}

static void
a_longer_code_counts_for_the_unit_above_it(void **state)
{
    struct units *units = build(TABLE);

    (void)state;
    path_is(units, "90101010103", "省/市/县/城关所");
    path_is(units, "901010199", "省/市/县");
    path_is(units, "9019901", "9019901");
    path_is(units, "NX-701", "NX-701");
    units_free(&units);
}

static void
a_path_loses_slashes_at_its_ends_only(void **state)
{
    struct units *units = build(TABLE);

    (void)state;
    path_is(units, "//省/市/某所/ ", "省/市/某所");
    path_is(units, "别省", "别省");
    path_is(units, "///", "");
    path_is(units, "", "");
    path_is(units, "1/2/3/4/5/6/7/8/9/10", "1/2/3/4/5/6/7/8");
    path_is(units, "1/2/3/4/5/6/7/8", "1/2/3/4/5/6/7/8");
    units_free(&units);
}

static void
the_nearest_unit_with_a_region_decides(void **state)
{
    struct units *units = build(TABLE);

    (void)state;
    region_is(units, "省/市/县/城关所", TICKET_REGION_URBAN, "省/市/县/城关所");
    region_is(units, "省/市/县/乡所", TICKET_REGION_RURAL, "省/市/县");
    region_is(units, "/省/市/县/新所/班/", TICKET_REGION_RURAL, "省/市/县");
    region_is(units, "省/市/山县/所", TICKET_REGION_REMOTE, "省/市/山县");
    region_is(units, "省/市", TICKET_REGION_UNKNOWN, "");
    region_is(units, "省/市/县城", TICKET_REGION_UNKNOWN, "");
    region_is(units, "", TICKET_REGION_UNKNOWN, "");
    units_free(&units);
}

static void
refuse(const char *text, enum err_code code, const char *part)
{
    struct err err = {0};
    struct dictionary_file file = {.path = "units.csv", .bytes = span_of(text)};
    struct units *units = NULL;

    assert_int_equal(units_build(&file, 1, &units, &err), code);
    assert_null(units);
    if (strstr(err.detail, part) == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, part);
    }
}

static void
a_bad_row_is_refused_with_its_line(void **state)
{
    (void)state;
    refuse("code,path,region,note\n1,,,\n", ERR_BAD_TABLE, "line 2");
    refuse("code,path,region,note\n1,a//b,,\n", ERR_BAD_TABLE, "single");
    refuse("code,path,region,note\n1,1/2/3/4/5/6/7/8/9,,\n", ERR_BAD_TABLE,
           "8 levels");
    refuse("code,path,region,note\n1,a,town,\n", ERR_BAD_TABLE, "'town'");
    refuse("code,path,region,note\n1,a,,\n2,a,,\n", ERR_BAD_TABLE, "line 3");
    refuse("code,path,region,note\n1,a,,\n1,b,,\n", ERR_BAD_TABLE,
           "on line 2 already");
    refuse("code,path\n", ERR_NO_COLUMN, "region");
}

static void
an_empty_table_knows_no_unit(void **state)
{
    struct units *units = build("code,path,region,note\n");

    (void)state;
    path_is(units, "90101", "90101");
    region_is(units, "省/市", TICKET_REGION_UNKNOWN, "");
    units_free(&units);
}

static void
the_shipped_table_gives_the_paths_of_its_codes(void **state)
{
    struct span bytes = read_source_file("dict/units.csv");
    struct units *units = build(bytes.data);

    (void)state;
    path_is(units, "90101", "宁夏电力/银川供电公司");
    assert_true(span_starts(units_path(units, SPAN_LITERAL("901020101")),
                            SPAN_LITERAL("宁夏电力/吴忠供电公司/")));
    assert_true(span_starts(units_path(units, SPAN_LITERAL("901030203")),
                            SPAN_LITERAL("宁夏电力/固原供电公司/")));
    units_free(&units);
    free((char *)(uintptr_t)bytes.data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_code_gives_its_path),
        cmocka_unit_test(a_longer_code_counts_for_the_unit_above_it),
        cmocka_unit_test(a_path_loses_slashes_at_its_ends_only),
        cmocka_unit_test(the_nearest_unit_with_a_region_decides),
        cmocka_unit_test(a_bad_row_is_refused_with_its_line),
        cmocka_unit_test(an_empty_table_knows_no_unit),
        cmocka_unit_test(the_shipped_table_gives_the_paths_of_its_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
