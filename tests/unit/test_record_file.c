/* record_file: what a file is, and where its records begin. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <iconv.h>
#include <sys/stat.h>

#include "server/ingest/record_file.h"
#include "tests/lib/temp_dir.h"

static struct temp_dir dir;
static struct arena arena;

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    arena_init(&arena, 4096);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    arena_release(&arena);
    return 0;
}

static struct record_file *
open_bytes(struct span bytes, size_t line_bytes_max)
{
    const char *path = temp_dir_write(&dir, "records", bytes);
    struct record_file *file = NULL;
    struct err err = {0};

    if (record_file_open(path, line_bytes_max, &file, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return file;
}

/* The next record must be this one. */
static void
expect(struct record_file *file,
       enum record_next next,
       uint64_t line,
       const char *text)
{
    struct file_record record = {0};
    struct err err = {0};
    enum record_next got = record_file_next(file, &arena, &record, &err);

    if (got == RECORD_BAD && next != RECORD_BAD) {
        fail_msg("%s", err.detail);
    }
    assert_int_equal(got, next);
    if (next == RECORD_END) {
        return;
    }
    assert_int_equal(record.line, line);
    if (text != NULL) {
        assert_int_equal(record.text.bytes, strlen(text));
        assert_memory_equal(record.text.data, text, strlen(text));
    }
}

static void
expect_end(struct record_file **file)
{
    expect(*file, RECORD_END, 0, NULL);
    expect(*file, RECORD_END, 0, NULL);
    assert_int_equal(record_file_bytes_done(*file), record_file_bytes(*file));
    record_file_close(file);
}

/* `text` (UTF-8) in another encoding; free(data). */
static struct span
encoded(const char *charset, const char *text)
{
    size_t room = 4 * strlen(text) + 16;
    char *out = malloc(room);
    char *to = out;
    char *from = (char *)(uintptr_t)text;
    size_t left = strlen(text);
    iconv_t converter = iconv_open(charset, "UTF-8");

    assert_non_null(out);
    assert_int_equal(iconv(converter, &from, &left, &to, &room), 0);
    (void)iconv_close(converter);
    return (struct span){out, (size_t)(to - out)};
}

static void
json_lines_keep_their_numbers_across_blank_lines_and_need_no_last_line_end(
    void **state)
{
    struct record_file *file = open_bytes(
        SPAN_LITERAL("\xEF\xBB\xBF{\"id\":1}\r\n\n  \n{\"id\":2}\nnot json"),
        1000);

    (void)state;
    assert_int_equal(record_file_format(file), RECORD_LINES);
    expect(file, RECORD_JSON, 1, "{\"id\":1}\r");
    expect(file, RECORD_JSON, 4, "{\"id\":2}");
    expect(file, RECORD_JSON, 5, "not json");
    expect_end(&file);
}

static void
an_empty_file_has_no_records(void **state)
{
    struct record_file *file = open_bytes(SPAN_LITERAL(""), 1000);

    (void)state;
    expect_end(&file);
    file = open_bytes(SPAN_LITERAL(" \n\n"), 1000);
    expect_end(&file);
}

static void
a_line_over_the_limit_costs_one_line_however_long_it_is(void **state)
{
    size_t long_bytes = 3 * RECORD_FILE_BLOCK_BYTES + 17;
    size_t all = 2 * long_bytes + 64;
    char *text = malloc(all);
    struct file_record record;
    struct err err = {0};
    struct record_file *file;
    size_t used = 0;

    (void)state;
    assert_non_null(text);
    used += (size_t)snprintf(text, all, "{\"id\":1}\n");
    memset(text + used, 'x', long_bytes);
    used += long_bytes;
    used += (size_t)snprintf(text + used, all - used, "\n{\"id\":3}\n");
    memset(text + used, 'y', long_bytes);
    used += long_bytes;
    file = open_bytes((struct span){text, used}, 100);
    expect(file, RECORD_JSON, 1, "{\"id\":1}");
    for (uint64_t line = 2; line <= 4; line += 2) {
        err = (struct err){0};
        assert_int_equal(record_file_next(file, &arena, &record, &err),
                         RECORD_BAD);
        assert_int_equal(err.code, ERR_TOO_LONG);
        assert_int_equal(record.line, line);
        assert_int_equal(record.text_bytes, long_bytes);
        assert_true(record.text.bytes <= RECORD_FILE_HEAD_BYTES);
        assert_int_equal(record.text.data[0], line == 2 ? 'x' : 'y');
        assert_non_null(strstr(err.detail, "3145745"));
        if (line == 2) {
            expect(file, RECORD_JSON, 3, "{\"id\":3}");
        }
    }
    expect_end(&file);
    free(text);
}

static void
a_line_of_the_limit_is_taken_and_one_more_byte_is_not(void **state)
{
    struct record_file *file =
        open_bytes(SPAN_LITERAL("{\"id\":123}\n{\"id\":1234}\n"), 10);

    (void)state;
    expect(file, RECORD_JSON, 1, "{\"id\":123}");
    expect(file, RECORD_BAD, 2, "{\"id\":1234}");
    expect_end(&file);
}

static void
lines_that_lie_across_blocks_are_whole(void **state)
{
    size_t count = 300;
    size_t line_bytes = 20000;
    char *text = malloc(count * line_bytes);
    struct record_file *file;
    struct file_record record;
    struct err err = {0};

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        char *line = text + i * line_bytes;

        memset(line, 'a' + (int)(i % 26), line_bytes);
        line[0] = '{';
        line[line_bytes - 1] = '\n';
    }
    file = open_bytes((struct span){text, count * line_bytes}, 20000);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(record_file_next(file, &arena, &record, &err),
                         RECORD_JSON);
        assert_int_equal(record.line, i + 1);
        assert_int_equal(record.text.bytes, line_bytes - 1);
        assert_memory_equal(record.text.data, text + i * line_bytes,
                            line_bytes - 1);
    }
    expect_end(&file);
    free(text);
}

static void
a_line_end_may_be_the_first_byte_of_a_block(void **state)
{
    char *text = malloc(RECORD_FILE_PROBE_BYTES + 64);
    struct record_file *file;

    (void)state;
    assert_non_null(text);
    memset(text, '{', RECORD_FILE_PROBE_BYTES);
    memcpy(text + RECORD_FILE_PROBE_BYTES, "\n{2}\n", 5);
    file = open_bytes((struct span){text, RECORD_FILE_PROBE_BYTES + 5},
                      RECORD_FILE_PROBE_BYTES);
    text[RECORD_FILE_PROBE_BYTES] = '\0';
    expect(file, RECORD_JSON, 1, text);
    expect(file, RECORD_JSON, 2, "{2}");
    expect_end(&file);
    free(text);
}

static void
an_array_hands_out_its_records_and_tells_once_that_it_breaks_off(void **state)
{
    struct record_file *file =
        open_bytes(SPAN_LITERAL(" [ {\"id\":1},\n{\"id\":\n2} ]\n"), 1000);

    (void)state;
    assert_int_equal(record_file_format(file), RECORD_ARRAY);
    expect(file, RECORD_JSON, 1, "{\"id\":1}");
    expect(file, RECORD_JSON, 2, "{\"id\":\n2}");
    expect_end(&file);
    file = open_bytes(SPAN_LITERAL("[{\"id\":1},{\"id\":2"), 1000);
    expect(file, RECORD_JSON, 1, "{\"id\":1}");
    expect(file, RECORD_BAD, 2, NULL);
    expect(file, RECORD_END, 0, NULL);
    record_file_close(&file);
}

static const char table[] = "工单编号,受理内容\r\n1,\"停电，\r\n很久\"\r\n"
                            "\r\n2,a,b\r\n3,电压低\r\n";

static void
expect_table(struct record_file **file)
{
    assert_int_equal(record_file_format(*file), RECORD_CSV);
    assert_int_equal(record_file_header(*file)->cell_count, 2);
    assert_true(span_is(record_file_header(*file)->cells[1], "受理内容"));
    expect(*file, RECORD_ROW, 2, "1,\"停电，\r\n很久\"");
    expect(*file, RECORD_BAD, 5, "2,a,b");
    expect(*file, RECORD_ROW, 6, "3,电压低");
    expect_end(file);
}

static void
csv_is_read_in_every_encoding(void **state)
{
    static const char *const charsets[] = {"UTF-8", "UTF-16", "UTF-16LE",
                                           "UTF-16BE", "GB18030"};

    (void)state;
    for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++) {
        struct span bytes = encoded(charsets[i], table);
        struct record_file *file = open_bytes(bytes, 1000);

        expect_table(&file);
        free((char *)(uintptr_t)bytes.data);
    }
}

static void
json_lines_are_read_in_utf16_and_gb18030(void **state)
{
    static const char *const charsets[] = {"UTF-16", "UTF-16LE", "UTF-16BE",
                                           "GB18030"};
    static const char text[] =
        "{\"id\":\"1\",\"text\":\"停电\"}\n{\"id\":\"2\",\"text\":\"电压低\"}";

    (void)state;
    for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++) {
        struct span bytes = encoded(charsets[i], text);
        struct record_file *file = open_bytes(bytes, 1000);

        assert_int_equal(record_file_format(file), RECORD_LINES);
        expect(file, RECORD_JSON, 1, "{\"id\":\"1\",\"text\":\"停电\"}");
        expect(file, RECORD_JSON, 2, "{\"id\":\"2\",\"text\":\"电压低\"}");
        expect_end(&file);
        free((char *)(uintptr_t)bytes.data);
    }
}

static void
one_damaged_line_does_not_make_json_lines_gb18030(void **state)
{
    struct record_file *file =
        open_bytes(SPAN_LITERAL("{\"text\":\"\xC0\xC0\xC0\xC0\"}\n"
                                "{\"text\":\"停电\"}\n"),
                   1000);

    (void)state;
    expect(file, RECORD_JSON, 1, "{\"text\":\"\xC0\xC0\xC0\xC0\"}");
    expect(file, RECORD_JSON, 2, "{\"text\":\"停电\"}");
    expect_end(&file);
}

static void
a_character_that_the_probe_cuts_does_not_make_json_lines_gb18030(void **state)
{
    char *text = malloc(RECORD_FILE_PROBE_BYTES + 64);
    struct record_file *file;

    (void)state;
    assert_non_null(text);
    for (size_t shift = 0; shift < 3; shift++) {
        size_t used = RECORD_FILE_PROBE_BYTES - 2 + shift;

        memset(text, ' ', used);
        text[0] = '{';
        used += (size_t)snprintf(text + used, 32, "停电停\"}");
        file = open_bytes((struct span){text, used}, 2 * used);
        text[used] = '\0';
        expect(file, RECORD_JSON, 1, text);
        expect_end(&file);
    }
    free(text);
}

static void
expect_refused(const char *path, enum err_code code, const char *words)
{
    struct record_file *file = NULL;
    struct err err = {0};

    assert_int_equal(record_file_open(path, 1000, &file, &err), code);
    assert_null(file);
    if (strstr(err.detail, words) == NULL || strstr(err.detail, path) == NULL) {
        fail_msg("%s", err.detail);
    }
}

static void
what_is_no_text_is_refused_with_what_to_do(void **state)
{
    (void)state;
    expect_refused(temp_dir_write(&dir, "a.csv", SPAN_LITERAL("PK\x03\x04zip")),
                   ERR_BAD_ENCODING, "save it again");
    expect_refused(temp_dir_write(&dir, "b", SPAN_LITERAL("a\0\0\0b\0\0\0")),
                   ERR_BAD_ENCODING, "zero bytes");
    expect_refused(temp_dir_path(&dir, "none"), ERR_NOT_FOUND, "No such file");
    expect_refused(dir.path, ERR_IO, "is a directory");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            json_lines_keep_their_numbers_across_blank_lines_and_need_no_last_line_end),
        cmocka_unit_test(an_empty_file_has_no_records),
        cmocka_unit_test(
            a_line_over_the_limit_costs_one_line_however_long_it_is),
        cmocka_unit_test(a_line_of_the_limit_is_taken_and_one_more_byte_is_not),
        cmocka_unit_test(lines_that_lie_across_blocks_are_whole),
        cmocka_unit_test(a_line_end_may_be_the_first_byte_of_a_block),
        cmocka_unit_test(
            an_array_hands_out_its_records_and_tells_once_that_it_breaks_off),
        cmocka_unit_test(csv_is_read_in_every_encoding),
        cmocka_unit_test(json_lines_are_read_in_utf16_and_gb18030),
        cmocka_unit_test(one_damaged_line_does_not_make_json_lines_gb18030),
        cmocka_unit_test(
            a_character_that_the_probe_cuts_does_not_make_json_lines_gb18030),
        cmocka_unit_test(what_is_no_text_is_refused_with_what_to_do),
    };

    return cmocka_run_group_tests_name("record_file", tests, set_up, tear_down);
}
