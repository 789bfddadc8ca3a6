/* One encoding for one file, and the files that are no text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "server/decode/charset.h"

#define BYTES(s) ((struct span){(s), sizeof(s) - 1})

static void
reads(struct span bytes, enum charset charset, const char *text)
{
    struct charset_text got;
    struct err err = {0};

    if (charset_to_utf8(bytes, &got, &err) != ERR_OK) {
        fail_msg("%s: %s", text, err.detail);
    }
    assert_string_equal(charset_name(got.charset), charset_name(charset));
    if (!span_is(got.text, text)) {
        fail_msg("'%.*s' is not '%s'", SPAN_ARGS(got.text), text);
    }
    charset_text_free(&got);
}

static void
refuses(struct span bytes, const char *part)
{
    struct charset_text got;
    struct err err = {0};

    assert_int_equal(charset_to_utf8(bytes, &got, &err), ERR_BAD_ENCODING);
    if (strstr(err.detail, part) == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, part);
    }
}

static void
utf8_is_borrowed_with_and_without_mark(void **state)
{
    struct charset_text got;
    struct err err = {0};
    struct span bytes = BYTES("户号,停电\n");

    (void)state;
    reads(bytes, CHARSET_UTF8, "户号,停电\n");
    reads(BYTES("\xEF\xBB\xBF户号"), CHARSET_UTF8, "户号");
    reads(BYTES(""), CHARSET_UTF8, "");
    reads(BYTES("plain"), CHARSET_UTF8, "plain");
    assert_int_equal(charset_to_utf8(bytes, &got, &err), ERR_OK);
    assert_ptr_equal(got.text.data, bytes.data);
    assert_null(got.owned);
}

static void
gb18030_is_read_with_and_without_mark(void **state)
{
    (void)state;
    /* the last is a character of four bytes */
    reads(BYTES("\xBB\xA7\xBA\xC5,\xCD\xA3\xB5\xE7\n"), CHARSET_GB18030,
          "户号,停电\n");
    reads(BYTES("\x84\x31\x95\x33\xCD\xA3\xB5\xE7"), CHARSET_GB18030, "停电");
    reads(BYTES("\x95\x34\xB2\x35"), CHARSET_GB18030, "𠮷");
}

static void
the_whole_file_decides_not_the_first_cell(void **state)
{
    (void)state;
    /* C4 A3 is valid UTF-8 (ģ) and 模 in GB18030; CD A3 B5 E7 is not UTF-8 */
    reads(BYTES("\xC4\xA3,\xCD\xA3\xB5\xE7\n"), CHARSET_GB18030, "模,停电\n");
    reads(BYTES("\xC4\xA3,x\n"), CHARSET_UTF8, "ģ,x\n");
}

static void
utf16_is_read_with_and_without_mark(void **state)
{
    (void)state;
    reads(BYTES("\xFF\xFE\x37\x62,\0\n\0"), CHARSET_UTF16LE, "户,\n");
    reads(BYTES("\xFE\xFF\x62\x37\0,\0\n"), CHARSET_UTF16BE, "户,\n");
    reads(BYTES("\x37\x62\t\0\x5C\x50\r\0\n\0"
                "1\0\t\0"
                "2\0"),
          CHARSET_UTF16LE, "户\t停\r\n1\t2");
    reads(BYTES("\x62\x37\0\t\x50\x5C\0\n\0"
                "1\0\t\0"
                "2"),
          CHARSET_UTF16BE, "户\t停\n1\t2");
    /* a surrogate pair, U+1F600 */
    reads(BYTES("\xFF\xFE\x3D\xD8\x00\xDE"), CHARSET_UTF16LE,
          "\xF0\x9F\x98\x80");
}

static void
a_broken_byte_is_named_with_its_line(void **state)
{
    (void)state;
    refuses(BYTES("a,b\n\xCD\xA3,\xFF\xFF\n"),
            "line 2, byte 8 of the file: 0xFF is no character of GB18030 and "
            "not UTF-8 either");
    refuses(BYTES("\xEF\xBB\xBF"
                  "a\nb\n\xB5\xE7\n"),
            "line 3, byte 8");
    refuses(BYTES("a\n\xCD\xA3\xB5"), "line 2: the file ends inside");
    refuses(BYTES("\xFF\xFE\x37\x62\x3D\xD8x\0"), "UTF-16LE");
    refuses(BYTES("\xFF\xFE\x37"), "ends inside");
}

static void
damaged_utf8_is_not_taken_for_gb18030(void **state)
{
    static const char text[] =
        "工单编号,受理时间,受理内容,业务类型,供电单位,用电地址,城乡标志,户号\n"
        "1,停\xE7\x94,x\n";
    enum charset charset = CHARSET_GB18030;
    size_t mark_bytes;
    struct err err = {0};

    (void)state;
    refuses(BYTES(text), "line 2, byte 104 of the file: 0xE7 is no character "
                         "of UTF-8; save");
    assert_int_equal(charset_detect(BYTES(text), &charset, &mark_bytes, &err),
                     ERR_OK);
    assert_int_equal(charset, CHARSET_UTF8);
}

static void
files_that_are_no_text_are_recognised_by_their_first_bytes(void **state)
{
    (void)state;
    refuses(BYTES("PK\x03\x04\x14\0\0\0"), ".xlsx");
    refuses(BYTES("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0"), ".xls)");
    refuses(BYTES("\x1F\x8B\x08\0"), "gzip");
    refuses(BYTES("%PDF-1.4\n"), "PDF");
    refuses(BYTES("\xEF\xBB\xBF \r\n<HTML><table>"), "web page");
    refuses(BYTES("<!DOCTYPE html>"), "web page");
    refuses(BYTES("<?xml version=\"1.0\"?><Workbook/>"), "XML");
    refuses(BYTES("a\0\0\0b\0c"), "zero bytes");
    assert_int_equal(charset_file(BYTES("<id>")), CHARSET_FILE_TEXT);
    assert_int_equal(charset_file(BYTES("")), CHARSET_FILE_TEXT);
}

/* More text than the first guess of its length: every byte of four. */
static void
long_files_are_converted_whole(void **state)
{
    enum { PAIRS = 200000 };
    struct charset_text got;
    struct err err = {0};
    char *bytes = malloc(PAIRS * 2);

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < PAIRS; i++) {
        memcpy(bytes + i * 2, "\xB5\xE7", 2);
    }
    assert_int_equal(
        charset_to_utf8((struct span){bytes, PAIRS * 2}, &got, &err), ERR_OK);
    assert_int_equal(got.text.bytes, PAIRS * 3);
    assert_true(utf8_valid(got.text));
    charset_text_free(&got);
    free(bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_borrowed_with_and_without_mark),
        cmocka_unit_test(gb18030_is_read_with_and_without_mark),
        cmocka_unit_test(the_whole_file_decides_not_the_first_cell),
        cmocka_unit_test(utf16_is_read_with_and_without_mark),
        cmocka_unit_test(a_broken_byte_is_named_with_its_line),
        cmocka_unit_test(damaged_utf8_is_not_taken_for_gb18030),
        cmocka_unit_test(
            files_that_are_no_text_are_recognised_by_their_first_bytes),
        cmocka_unit_test(long_files_are_converted_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
