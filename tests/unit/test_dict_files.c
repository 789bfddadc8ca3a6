/* dict_files: a directory and the copy inside the binary say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/dict_files.h"

static void
put_file(const char *root, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void
drop(const char *root, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    assert_int_equal(remove(path), 0);
}

static void
tables_are_found_at_any_depth_and_nothing_else(void **state)
{
    char root[] = "/tmp/suqiu-dict-XXXXXX";
    char below[64];
    struct dict_files files;
    struct err err = {0};

    (void)state;
    assert_non_null(mkdtemp(root));
    (void)snprintf(below, sizeof(below), "%s/rules", root);
    assert_int_equal(mkdir(below, 0700), 0);
    put_file(root, "b.csv", "b,1\n");
    put_file(root, "a.tsv", "");
    put_file(root, "README.md", "no");
    put_file(root, ".b.csv", "no");
    put_file(root, "b.csv~", "no");
    put_file(root, "rules/c.csv", "c");
    assert_int_equal(dict_files_load(root, &files, &err), ERR_OK);
    assert_int_equal(files.count, 3);
    assert_string_equal(files.files[0].path, "a.tsv");
    assert_int_equal(files.files[0].bytes.bytes, 0);
    assert_string_equal(files.files[1].path, "b.csv");
    assert_true(span_is(files.files[1].bytes, "b,1\n"));
    assert_string_equal(files.files[2].path, "rules/c.csv");
    dict_files_release(&files);
    drop(root, "rules/c.csv");
    drop(root, "rules");
    drop(root, "b.csv~");
    drop(root, ".b.csv");
    drop(root, "README.md");
    drop(root, "a.tsv");
    drop(root, "b.csv");
    assert_int_equal(dict_files_load(root, &files, &err), ERR_NOT_FOUND);
    assert_int_equal(rmdir(root), 0);
}

static void
a_directory_that_is_not_there_is_named(void **state)
{
    struct dict_files files;
    struct err err = {0};

    (void)state;
    assert_int_equal(dict_files_load("/no/such/dict", &files, &err),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(err.detail, "/no/such/dict"));
    assert_non_null(strstr(err.detail, "--dict"));
}

static void
the_copy_inside_the_binary_is_the_directory(void **state)
{
    struct dict_files inside;
    struct dict_files outside;
    struct err err = {0};

    (void)state;
    assert_int_equal(dict_files_load(SUQIU_SOURCE_DIR "/dict", &outside, &err),
                     ERR_OK);
    assert_int_equal(dict_files_load(NULL, &inside, &err), ERR_OK);
    assert_int_equal(inside.count, outside.count);
    for (size_t i = 0; i < inside.count; i++) {
        assert_string_equal(inside.files[i].path, outside.files[i].path);
        assert_true(span_equal(inside.files[i].bytes, outside.files[i].bytes));
    }
    dict_files_release(&inside);
    dict_files_release(&outside);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_found_at_any_depth_and_nothing_else),
        cmocka_unit_test(a_directory_that_is_not_there_is_named),
        cmocka_unit_test(the_copy_inside_the_binary_is_the_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
