/* The shipped tables, spoilt: every bad row of every table is named in one go,
 * and a table that was cut off at any byte is refused or ends with a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/calendar.h"
#include "analyzers/clean.h"
#include "analyzers/deadline.h"
#include "analyzers/hot_spot.h"
#include "analyzers/indicator.h"
#include "analyzers/model.h"
#include "analyzers/region.h"
#include "analyzers/repeat.h"
#include "analyzers/rules.h"
#include "analyzers/scoring.h"
#include "analyzers/table.h"
#include "analyzers/taxonomy.h"
#include "analyzers/units.h"
#include "server/base/dict_files.h"
#include "server/decode/columns.h"

enum { TOLD_MAX = 200, FILES_MAX = 64 };

static struct dict_files shipped;
static struct taxonomy *taxonomy;
static struct cleaner *cleaner;

static int
load(void **state)
{
    struct err err = {0};

    (void)state;
    if (dict_files_load(SUQIU_SOURCE_DIR "/dict", &shipped, &err) != ERR_OK ||
        taxonomy_build(shipped.files, shipped.count, &taxonomy, &err) !=
            ERR_OK ||
        cleaner_build(shipped.files, shipped.count, &cleaner, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    cleaner_free(&cleaner);
    taxonomy_free(&taxonomy);
    dict_files_release(&shipped);
    return 0;
}

/* A list of the shipped tables whose bytes a test may exchange. */
struct tables {
    struct dictionary_file files[FILES_MAX];
    size_t count;
};

static void
take_shipped(struct tables *tables)
{
    assert_true(shipped.count <= FILES_MAX);
    tables->count = shipped.count;
    memcpy(tables->files, shipped.files,
           shipped.count * sizeof(tables->files[0]));
}

static struct dictionary_file *
file_of(struct tables *tables, const char *path)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (strcmp(tables->files[i].path, path) == 0) {
            return &tables->files[i];
        }
    }
    fail_msg("no %s", path);
    return NULL;
}

/* ------------------------------------------------------------ all in one go */

static const struct {
    const char *path;
    const char *rows;
    const char *words[4]; /* each must stand in one message of that table */
} spoilt[] = {
    {"t2s.csv",
     "ab,c\n龘,\n",
     {"column 'traditional': 'ab'", "column 'simplified'"}},
    {"boilerplate.csv", "一,n\n二,n\n", {"一,n\n    ^", "二,n\n    ^"}},
    {"rules/quality.csv",
     "x.1,qualty,,,停电,,,text,1,,停电,来电\n"
     "x.2,quality,,,停(电,,,text,1,,停电,来电\n",
     {"'qualty'", "x.2"}},
    {"rules/who.csv",
     "x.3\nx.4,none,,,停电,,,page,1,,停电,来电\n",
     {": 1 cells", "'page'"}},
    {"scoring.csv",
     "nothing,3,\nalso_nothing,x,\n",
     {"'nothing' is", "'also_nothing' is"}},
    {"boundaries.csv",
     "a,b\n,service,,,none,3,\nb,nobody,,,none,3,\n",
     {": 2 cells", "column 'id'", "'nobody'"}},
    {"model.tsv", "一二三\t1\n一二\t2\n", {": 2 cells", ": 2 cells"}},
    {"units.csv",
     "X/1,甲/乙,urban,n\n,甲//乙,urban,n\n,甲/丙,town,n\n",
     {"a code holds no slash", "'甲//乙'", "'town'"}},
    {"towns.csv",
     "1234567,名,,town,5\n123456789,,,town,5\n123456789,名,,town,500\n",
     {"column 'code'", "column 'name'", "column 'urban'"}},
    {"calendar.csv",
     "2018-13-01,off,x\n2027-01-01,free,x\n",
     {"'2018-13-01'", "'free'"}},
    {"deadlines.csv", "x\ny,z\n", {": 1 cells", ": 2 cells"}},
    {"indicators.csv", "x\ny,z\n", {": 1 cells", ": 2 cells"}},
    {"settings.csv",
     "repeat.nothing,1,days,n\nhot_spot.nothing,1,days,n\n",
     {"'repeat.nothing'", "'hot_spot.nothing'"}},
    {"columns.csv",
     "题头,nofield,\n,text,\n",
     {"'nofield'", "column 'heading'"}},
    {"column_values.csv",
     "type,一,two,n\nnofield,一,two,n\n",
     {"'two'", "'nofield'"}},
};

enum { SPOILT = sizeof(spoilt) / sizeof(spoilt[0]) };

struct told {
    struct err errors[TOLD_MAX];
    size_t count;
};

static bool
tell(void *data, const struct err *err)
{
    struct told *told = data;

    assert_true(told->count < TOLD_MAX);
    told->errors[told->count++] = *err;
    return true;
}

/* The bytes of a file and more behind them; given. */
static struct span
with_rows(struct span bytes, const char *rows)
{
    size_t more = strlen(rows);
    char *all = malloc(bytes.bytes + more);

    assert_non_null(all);
    memcpy(all, bytes.data, bytes.bytes);
    memcpy(all + bytes.bytes, rows, more);
    return (struct span){all, bytes.bytes + more};
}

static bool
was_told(const struct told *told, const char *path, const char *words)
{
    for (size_t i = 0; i < told->count; i++) {
        const char *detail = told->errors[i].detail;

        if (strncmp(detail, "dict/", 5) == 0 &&
            strncmp(detail + 5, path, strlen(path)) == 0 &&
            strncmp(detail + 5 + strlen(path), ": line ", 7) == 0 &&
            strstr(detail, words) != NULL) {
            return true;
        }
    }
    return false;
}

static void
every_bad_row_of_every_table_is_told_once(void **state)
{
    struct told *told = calloc(1, sizeof(*told));
    struct table_faults faults = {.report = tell, .data = told};
    struct dictionary_options options = {.faults = &faults};
    struct dictionary *dictionary = NULL;
    struct columns *columns = NULL;
    struct tables tables;
    struct err err = {0};
    struct err more = {0};
    size_t expected = 0;

    (void)state;
    assert_non_null(told);
    take_shipped(&tables);
    for (size_t i = 0; i < SPOILT; i++) {
        struct dictionary_file *file = file_of(&tables, spoilt[i].path);

        file->bytes = with_rows(file->bytes, spoilt[i].rows);
    }
    assert_int_not_equal(dictionary_build(tables.files, tables.count, &options,
                                          &dictionary, &err),
                         ERR_OK);
    assert_null(dictionary);
    assert_string_equal(err.detail, told->errors[0].detail);
    for (size_t i = 0; i < tables.count; i++) {
        tables.files[i].faults = &faults;
    }
    assert_int_not_equal(
        columns_build(tables.files, tables.count, &columns, &more), ERR_OK);
    for (size_t i = 0; i < SPOILT; i++) {
        for (size_t k = 0; k < 4 && spoilt[i].words[k] != NULL; k++) {
            if (!was_told(told, spoilt[i].path, spoilt[i].words[k])) {
                fail_msg("%s: nothing says '%s'", spoilt[i].path,
                         spoilt[i].words[k]);
            }
            expected++;
        }
    }
    assert_int_equal(told->count, expected);
    for (size_t i = 0; i < SPOILT; i++) {
        free((char *)(uintptr_t)file_of(&tables, spoilt[i].path)->bytes.data);
    }
    free(told);
}

/* ------------------------------------------------------------------ cut off */

/* Build what is made of this table. */
static enum err_code
build_from(const char *path, const struct tables *tables, struct err *err)
{
    const struct dictionary_file *files = tables->files;
    size_t count = tables->count;
    struct dictionary d = {.taxonomy = NULL};
    struct columns *columns = NULL;
    struct cleaner *other = NULL;

    if (strcmp(path, "categories.csv") == 0) {
        (void)!taxonomy_build(files, count, &d.taxonomy, err);
    } else if (strcmp(path, "t2s.csv") == 0 ||
               strcmp(path, "boilerplate.csv") == 0) {
        (void)!cleaner_build(files, count, &other, err);
    } else if (strcmp(path, "scoring.csv") == 0 ||
               strcmp(path, "boundaries.csv") == 0) {
        (void)!scoring_build(files, count, taxonomy, &d.scoring, err);
    } else if (strcmp(path, "model.tsv") == 0) {
        (void)!model_build(files, count, taxonomy, &d.model, err);
    } else if (strcmp(path, "units.csv") == 0) {
        (void)!units_build(files, count, &d.units, err);
    } else if (strcmp(path, "regions.csv") == 0 ||
               strcmp(path, "towns.csv") == 0) {
        (void)!region_build(files, count, &d.region, err);
    } else if (strcmp(path, "calendar.csv") == 0) {
        (void)!calendar_build(files, count, &d.calendar, err);
    } else if (strcmp(path, "deadlines.csv") == 0) {
        (void)!deadline_build(files, count, NULL, &d.deadlines, err);
    } else if (strcmp(path, "indicators.csv") == 0) {
        (void)!indicator_build(files, count, &d.indicators, err);
    } else if (strcmp(path, "settings.csv") == 0) {
        (void)!repeat_settings_build(files, count, &d.repeat, err);
    } else if (strncmp(path, "column", 6) == 0) {
        (void)!columns_build(files, count, &columns, err);
    } else {
        (void)!rules_build(files, count, taxonomy, cleaner, &d.rules, err);
    }
    cleaner_free(&other);
    columns_free(&columns);
    repeat_settings_free(&d.repeat);
    indicator_free(&d.indicators);
    deadline_free(&d.deadlines);
    calendar_free(&d.calendar);
    region_free(&d.region);
    units_free(&d.units);
    model_free(&d.model);
    scoring_free(&d.scoring);
    rules_free(&d.rules);
    taxonomy_free(&d.taxonomy);
    return err->code;
}

static void
cut_at(struct tables *tables, const char *path, size_t bytes)
{
    struct dictionary_file *file = file_of(tables, path);
    struct span whole = file->bytes;
    struct err err = {0};
    char name[128];
    char last = bytes > 0 ? whole.data[bytes - 1] : '\n';

    file->bytes.bytes = bytes;
    (void)build_from(path, tables, &err);
    file->bytes = whole;
    (void)snprintf(name, sizeof(name), "dict/%s: ", path);
    if (err.code == ERR_OK && last != '\n' && last != '\r') {
        fail_msg("%s cut at %zu of %zu is taken", path, bytes, whole.bytes);
    }
    if (err.code != ERR_OK && strncmp(err.detail, name, strlen(name)) != 0) {
        fail_msg("%s cut at %zu: %s", path, bytes, err.detail);
    }
    if (err.code != ERR_OK && err_code_kind(err.code) != ERR_KIND_BAD_INPUT) {
        fail_msg("%s cut at %zu: %s", path, bytes, err_code_name(err.code));
    }
}

/* Every byte of the first and of the last rows, and some of those between. */
static void
cut_everywhere(const char *path, size_t edge, size_t between)
{
    struct tables tables;
    size_t bytes;

    take_shipped(&tables);
    bytes = file_of(&tables, path)->bytes.bytes;
    for (size_t i = 0; i < edge && i < bytes; i++) {
        cut_at(&tables, path, i);
        cut_at(&tables, path, bytes - 1 - i);
    }
    for (size_t i = 1; i < between; i++) {
        cut_at(&tables, path, i * bytes / between);
    }
}

static void
a_table_cut_off_anywhere_is_refused_or_ends_with_a_row(void **state)
{
    static const char *const small[] = {
        "categories.csv", "t2s.csv",        "boilerplate.csv",
        "scoring.csv",    "boundaries.csv", "units.csv",
        "calendar.csv",   "deadlines.csv",  "indicators.csv",
        "settings.csv",   "columns.csv",    "column_values.csv"};

    (void)state;
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
        cut_everywhere(small[i], 500, 200);
    }
}

/* Each takes milliseconds to read. */
static void
a_large_table_cut_off_is_refused_or_ends_with_a_row(void **state)
{
    (void)state;
    cut_everywhere("regions.csv", 20, 10);
    cut_everywhere("towns.csv", 20, 10);
    cut_everywhere("model.tsv", 20, 10);
    cut_everywhere("rules/none.csv", 20, 10);
}

/* --------------------------------------------------------- another edition */

static void
refuses_towns(const char *towns, const char *words)
{
    struct tables tables;
    struct err err = {0};

    take_shipped(&tables);
    file_of(&tables, "towns.csv")->bytes = span_of(towns);
    assert_int_equal(err_code_kind(build_from("towns.csv", &tables, &err)),
                     ERR_KIND_BAD_INPUT);
    if (strstr(err.detail, words) == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, words);
    }
}

static void
a_gazetteer_of_another_edition_is_told_from_ours(void **state)
{
    (void)state;
    /* other columns; other codes; places that regions.csv names are gone */
    refuses_towns("code,name,provinceCode\n11,北京市,11\n",
                  "dict/towns.csv: line 1: there is no column 'short'; it has: "
                  "code, name, provinceCode");
    refuses_towns("code,name,short,kind,urban\n110101001000,东华门街道,,"
                  "street,100\n",
                  "dict/towns.csv: line 2, column 'code': '110101001000' is "
                  "not 2, 4, 6 or 9 digits");
    refuses_towns("code,name,short,kind,urban\n11,北京市,,province,\n",
                  "dict/regions.csv: line ");
    refuses_towns("code,name,short,kind,urban\n11,北京市,,province,\n",
                  "give the code of towns.csv");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_row_of_every_table_is_told_once),
        cmocka_unit_test(
            a_table_cut_off_anywhere_is_refused_or_ends_with_a_row),
        cmocka_unit_test(a_large_table_cut_off_is_refused_or_ends_with_a_row),
        cmocka_unit_test(a_gazetteer_of_another_edition_is_told_from_ours),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
