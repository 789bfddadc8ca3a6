/* suqiu dict: out to Excel and back, byte for byte, or nothing at all. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "server/base/dict_files.h"
#include "server/dict_book/dict_book.h"
#include "server/sheet/xlsx_read.h"
#include "tests/lib/read_file.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

enum { FINE = 0, NO = 1, USAGE = 2, FAILED = 3 };

#define DICT SUQIU_SOURCE_DIR "/dict"

static struct temp_dir dir;
static char *out;
static char book_path[160];
static char dict_path[160];

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(book_path, sizeof(book_path), "%s/dict.xlsx", dir.path);
    (void)snprintf(dict_path, sizeof(dict_path), "%s/tables", dir.path);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    free(out);
    out = NULL;
    temp_dir_remove(&dir);
    return 0;
}

#define RUN(...)                                                               \
    (free(out), run_suqiu((const char *const[]){__VA_ARGS__, NULL},            \
                          (struct span){"", 0}, &out))

static void
expect_same(const struct dictionary_file *a,
            size_t a_count,
            const struct dictionary_file *b,
            size_t b_count)
{
    assert_int_equal(a_count, b_count);
    for (size_t i = 0; i < a_count; i++) {
        const struct dictionary_file *other =
            dictionary_find_file(b, b_count, a[i].path);

        assert_non_null(other);
        if (!span_equal(a[i].bytes, other->bytes)) {
            size_t at = 0;

            while (at < a[i].bytes.bytes && at < other->bytes.bytes &&
                   a[i].bytes.data[at] == other->bytes.data[at]) {
                at++;
            }
            fail_msg("%s differs at byte %zu: %.60s", a[i].path, at,
                     a[i].bytes.data + at);
        }
    }
}

/* Our tables, all of them, comments, quotes, marks and all. */
static void
every_table_comes_back_byte_for_byte(void **state)
{
    struct dict_files before;
    struct dict_files after;
    struct err err = {0};

    (void)state;
    assert_int_equal(RUN("dict", "export", "--dict", DICT, book_path), FINE);
    assert_int_equal(RUN("dict", "import", book_path, "--dict", dict_path),
                     FINE);
    assert_int_equal(dict_files_load(DICT, &before, &err), ERR_OK);
    assert_int_equal(dict_files_load(dict_path, &after, &err), ERR_OK);
    expect_same(before.files, before.count, after.files, after.count);
    dict_files_release(&before);
    dict_files_release(&after);
    assert_int_equal(RUN("dict", "import", book_path, "--dict", dict_path),
                     FINE);
    assert_non_null(strstr(out, " 0 changed"));
}

/* What tables of other hands look like. */
static void
odd_tables_come_back_byte_for_byte(void **state)
{
    static const struct dictionary_file odd[] = {
        {.path = "crlf.csv", .bytes = SPAN_LITERAL("a,b\r\n\"1\",2\r\n")},
        {.path = "quotes.csv",
         .bytes = SPAN_LITERAL("a,b\n\"needless\",\"x \"\"y\"\"\"\n,\n"
                               "\"two\nlines\",z\n\"#no comment\",1\n")},
        {.path = "short.csv",
         .bytes = SPAN_LITERAL("# one, two\na,b,c\n1\n1,2,\n1,2,3")},
        {.path = "mark.csv",
         .bytes =
             SPAN_LITERAL("\xEF\xBB\xBF# 注\n\na,b\n=1+1,@x\n'quoted,-5\n")},
        {.path = "tabs.tsv",
         .bytes = SPAN_LITERAL("a\tb\n\"x\ty,z\n#c\td\n\t\n")},
        {.path = "rules/x.csv",
         .bytes = SPAN_LITERAL("a\n 2018-01-01 \n007\n_x0041_\n")},
    };
    enum { COUNT = sizeof(odd) / sizeof(odd[0]) };
    struct dict_book book;
    struct err err = {0};

    (void)state;
    if (dict_book_write(odd, COUNT, NULL, 0, book_path, &err) != ERR_OK ||
        dict_book_read(book_path, &book, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    expect_same(odd, COUNT, book.files, book.file_count);
    dict_book_release(&book);
}

/* The same tables with one cell of a rule changed, as a workbook. */
static void
write_changed(const char *path, const char *from, const char *to)
{
    struct dict_files files;
    struct err err = {0};
    char *text = NULL;

    assert_int_equal(dict_files_load(DICT, &files, &err), ERR_OK);
    for (size_t i = 0; i < files.count; i++) {
        struct span bytes = files.files[i].bytes;
        size_t at = span_find(bytes, span_of(from), 0);

        if (strcmp(files.files[i].path, path) != 0) {
            continue;
        }
        assert_true(at != SIZE_MAX);
        text = malloc(bytes.bytes + strlen(to));
        assert_non_null(text);
        memcpy(text, bytes.data, at);
        memcpy(text + at, to, strlen(to));
        memcpy(text + at + strlen(to), bytes.data + at + strlen(from),
               bytes.bytes - at - strlen(from));
        files.files[i].bytes =
            (struct span){text, bytes.bytes - strlen(from) + strlen(to)};
        assert_int_equal(
            dict_book_write(files.files, files.count, NULL, 0, book_path, &err),
            ERR_OK);
        files.files[i].bytes = bytes;
    }
    assert_non_null(text);
    free(text);
    dict_files_release(&files);
}

static void
expect_error_beside_its_row(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct xlsx_reader *reader = NULL;
    struct xlsx_row row;
    struct arena arena;
    struct err err = {0};
    size_t sheet;
    bool seen = false;

    arena_init(&arena, 4096);
    assert_int_equal(xlsx_reader_open(fd, &reader, &err), ERR_OK);
    sheet = xlsx_sheet_find(reader, SPAN_LITERAL("rules.who"));
    assert_true(sheet != SIZE_MAX);
    assert_int_equal(xlsx_sheet_open(reader, sheet, &err), ERR_OK);
    while (xlsx_next(reader, &arena, &row, &err) == XLSX_ROW) {
        if (row.line == 2) {
            assert_true(span_is(row.cells[row.cell_count - 1], "错误"));
        }
        if (row.line == 3) {
            seen = span_is(row.cells[0], "who-speech-bad") &&
                   span_find(row.cells[row.cell_count - 1],
                             SPAN_LITERAL("servise"), 0) != SIZE_MAX;
        }
    }
    assert_true(seen);
    xlsx_reader_close(&reader);
    arena_release(&arena);
    (void)close(fd);
}

static void
a_bad_row_comes_back_with_its_error_and_nothing_is_written(void **state)
{
    char errors_path[200];
    struct dict_book book;
    struct dict_files before;
    struct dict_files after;
    struct err err = {0};

    (void)state;
    assert_int_equal(RUN("dict", "export", "--dict", DICT, book_path), FINE);
    assert_int_equal(RUN("dict", "import", book_path, "--dict", dict_path),
                     FINE);
    write_changed("rules/who.csv", "who-speech-bad,service,",
                  "who-speech-bad,servise,");
    assert_int_equal(RUN("dict", "import", book_path, "--dict", dict_path), NO);
    assert_non_null(strstr(out, "nothing was written"));
    assert_non_null(strstr(out, "rules/who.csv: line 3"));
    assert_int_equal(dict_files_load(DICT, &before, &err), ERR_OK);
    assert_int_equal(dict_files_load(dict_path, &after, &err), ERR_OK);
    expect_same(before.files, before.count, after.files, after.count);
    dict_files_release(&after);
    /* the errors stand in the workbook and are passed over when it is read */
    (void)snprintf(errors_path, sizeof(errors_path), "%s/dict.errors.xlsx",
                   dir.path);
    assert_int_equal(dict_book_read(errors_path, &book, &err), ERR_OK);
    assert_int_equal(book.file_count, before.count);
    dict_book_release(&book);
    dict_files_release(&before);
    expect_error_beside_its_row(errors_path);
}

static void
only_what_changed_is_written(void **state)
{
    (void)state;
    assert_int_equal(RUN("dict", "export", "--dict", DICT, book_path), FINE);
    assert_int_equal(RUN("dict", "import", book_path, "--dict", dict_path),
                     FINE);
    write_changed("columns.csv", "工单号,id,", "工单号,id,改过");
    assert_int_equal(RUN("dict", "import", book_path, "--dict", dict_path),
                     FINE);
    assert_non_null(strstr(out, " 1 changed"));
    assert_non_null(strstr(out, "columns.csv"));
}

static void
what_is_no_such_workbook_is_refused(void **state)
{
    static const struct dictionary_file outside[] = {
        {.path = "../outside.csv", .bytes = SPAN_LITERAL("a\n1\n")}};
    struct err err = {0};

    (void)state;
    assert_int_equal(RUN("dict", "import",
                         temp_dir_write(&dir, "x.xlsx", SPAN_LITERAL("x")),
                         "--dict", dict_path),
                     FAILED);
    assert_int_equal(RUN("dict", "import", book_path), USAGE);
    assert_int_equal(RUN("dict", "export"), USAGE);
    assert_int_equal(dict_book_write(outside, 1, NULL, 0, book_path, &err),
                     ERR_OK);
    assert_int_equal(RUN("dict", "import", book_path, "--dict", dict_path),
                     FAILED);
    assert_non_null(strstr(out, "no table below dict/"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_table_comes_back_byte_for_byte),
        TEST(odd_tables_come_back_byte_for_byte),
        TEST(a_bad_row_comes_back_with_its_error_and_nothing_is_written),
        TEST(only_what_changed_is_written),
        TEST(what_is_no_such_workbook_is_refused),
    };

    return cmocka_run_group_tests_name("dict_book", tests, NULL, NULL);
}
