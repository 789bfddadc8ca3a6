/* Workbooks of other programs, and of people who mean harm. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/sheet/xlsx_book.h"
#include "server/sheet/xlsx_read.h"
#include "server/sheet/xlsx_write.h"
#include "server/sheet/zip_xml.h"
#include "tests/lib/make_workbook.h"
#include "tests/lib/temp_dir.h"

#define SHEET(rows) "<worksheet><sheetData>" rows "</sheetData></worksheet>"

static struct temp_dir dir;
static char path[160];

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(path, sizeof(path), "%s/book.xlsx", dir.path);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

/* All rows as "line:cell|cell\n", bad ones as "line!detail\n"; the error of
 * the file as "error: detail". */
static void
read_path(const char *file, size_t sheet, struct buf *out)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct xlsx_reader *reader = NULL;
    struct err err = {0};
    struct arena arena;
    struct xlsx_row row;
    enum xlsx_next next = XLSX_ROW;

    buf_reset(out);
    assert_true(fd >= 0);
    arena_init(&arena, 4096);
    if (xlsx_reader_open(fd, &reader, &err) == ERR_OK &&
        xlsx_sheet_open(reader, sheet, &err) == ERR_OK) {
        while (next != XLSX_END && next != XLSX_FAILED) {
            struct err bad = {0};

            next = xlsx_next(reader, &arena, &row, &bad);
            if (next == XLSX_ROW) {
                buf_printf(out, "%llu:", (unsigned long long)row.line);
                for (size_t i = 0; i < row.cell_count; i++) {
                    buf_put_text(out, i > 0 ? "|" : "");
                    buf_put_span(out, row.cells[i]);
                }
                buf_put_char(out, '\n');
            } else if (next == XLSX_BAD_ROW) {
                buf_printf(out, "%llu!%s\n", (unsigned long long)row.line,
                           bad.detail);
            } else if (next == XLSX_FAILED) {
                err = bad;
            }
        }
    }
    if (err.code != ERR_OK) {
        buf_printf(out, "error: %s", err.detail);
    }
    buf_put_char(out, '\0');
    arena_release(&arena);
    xlsx_reader_close(&reader);
    (void)close(fd);
}

static void
expect_book(const struct workbook_parts *parts, const char *wanted)
{
    struct buf out;

    make_workbook(path, parts);
    buf_init(&out, 64 << 20);
    read_path(path, 0, &out);
    if (strcmp(out.data, wanted) != 0) {
        fail_msg("got:\n%s\nwanted:\n%s", out.data, wanted);
    }
    buf_release(&out);
}

static void
expect_error(const char *file, const char *words)
{
    struct buf out;

    buf_init(&out, 64 << 20);
    read_path(file, 0, &out);
    if (strncmp(out.data, "error: ", 7) != 0 ||
        strstr(out.data, words) == NULL) {
        fail_msg("no error with \"%s\": %.300s", words, out.data);
    }
    buf_release(&out);
}

static void
cells_of_every_kind_become_text(void **state)
{
    (void)state;
    expect_book(
        &(struct workbook_parts){
            .strings = "<si><t>停电</t></si>"
                       "<si><r><t>富</t></r><r><rPr><b/></rPr><t "
                       "xml:space=\"preserve\"> 文本</t></r>"
                       "<rPh><t>FU</t></rPh></si><si/>"
                       "<si><t>a_x000D_b &lt;&amp;_x005F_x0041_</t></si>",
            .styles = "<numFmts><numFmt numFmtId=\"180\" "
                      "formatCode=\"yyyy&quot;年&quot;m&quot;月&quot;\"/>"
                      "<numFmt numFmtId=\"181\" formatCode=\"0.00&quot; "
                      "day&quot;\"/></numFmts>"
                      "<cellStyleXfs><xf numFmtId=\"14\"/></cellStyleXfs>"
                      "<cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"22\"/>"
                      "<xf numFmtId=\"180\"/><xf numFmtId=\"181\"/></cellXfs>",
            .sheet = SHEET(
                "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" "
                "t=\"s\"><v>1</v></c><c r=\"C1\" t=\"s\"><v>2</v></c>"
                "<c r=\"D1\" t=\"s\"><v>3</v></c></row>"
                "<row r=\"3\"><c r=\"B3\" t=\"inlineStr\"><is><t>行</t><r>"
                "<t>内</t></r></is></c><c r=\"C3\" t=\"str\"><f>A1&amp;B1</f>"
                "<v>公式</v></c><c r=\"D3\" t=\"b\"><v>1</v></c></row>"
                /* numbers as Excel and as POI write them */
                "<row><c><v>13812345678</v></c><c><v>1.3812345678E10</v></c>"
                "<c><v>2018030412345678</v></c><c><v>0.30000000000000004</v>"
                "</c><c><v>-5</v></c></row>"
                "<row><c s=\"1\"><v>43163.5</v></c><c s=\"2\"><v>43163</v></c>"
                "<c s=\"3\"><v>43163</v></c><c s=\"1\"><v>0.25</v></c>"
                "<c s=\"1\"><v>43190.88702546296</v></c></row>"
                "<row/><row r=\"9\"><c r=\"A9\" s=\"1\"/></row>"
                "<row r=\"10\"><c r=\"C10\"><f>1+1</f></c></row>"
                "<row r=\"11\"><c r=\"A11\" t=\"e\"><v>#N/A</v></c></row>"
                "<row r=\"12\"><c r=\"A12\" t=\"s\"><v>99</v></c></row>")},
        "1:停电|富 文本||a\rb <&_x0041_\n"
        "3:|行内|公式|TRUE\n"
        "4:13812345678|13812345678|2.01803041234568E+15|0.3|-5\n"
        "5:2018-03-04 12:00:00|2018-03-04 00:00:00|43163|06:00:00|2018-03-31 "
        "21:17:19\n"
        "11!cell A11: holds an error of Excel (such as #N/A); mend the formula "
        "or type the value\n"
        "12!cell A12: its text is missing in the workbook; save the file again "
        "in Excel\n");
}

static void
days_may_be_counted_from_1904(void **state)
{
    (void)state;
    expect_book(
        &(struct workbook_parts){
            .properties = "<workbookPr date1904=\"1\"/>",
            .styles = "<cellXfs><xf numFmtId=\"14\"/></cellXfs>",
            .sheet = SHEET("<row><c s=\"0\"><v>41701.5</v></c></row>")},
        "1:2018-03-04 12:00:00\n");
}

static void
names_may_have_prefixes(void **state)
{
    (void)state;
    expect_book(
        &(struct workbook_parts){
            .sheet = "<x:worksheet xmlns:x=\"m\"><x:sheetData><x:row r=\"2\">"
                     "<x:c r=\"A2\" t=\"str\"><x:v>a</x:v></x:c></x:row>"
                     "</x:sheetData></x:worksheet>"},
        "2:a\n");
}

static void
formats_show_dates_or_not(void **state)
{
    static const char *const dates[] = {
        "yyyy-mm-dd", "m/d/yy h:mm", "[$-804]yyyy\"年\"m\"月\"d\"日\"",
        "[h]:mm",     "[mm]",        "上午/下午h\"时\"",
        "yyyy/m/d;@"};
    static const char *const others[] = {
        "0.00", "General",  "#,##0;[Red]-#,##0", "0\" days\"",
        "@",    "0.00E+00", "_(* #,##0_)",       "\\d0"};

    (void)state;
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        assert_true(xlsx_format_is_date(dates[i]));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(xlsx_format_is_date(others[i]));
    }
}

/* What our own writer wrote comes back, also rows that the blocks cut. */
static void
long_sheets_come_back_row_by_row(void **state)
{
    enum { ROWS = 3000, CELL_BYTES_MAX = 2000 };
    static const struct xlsx_column columns[] = {
        {"编号", XLSX_TEXT}, {"数", XLSX_NUMBER}, {"文", XLSX_TEXT}};
    struct xlsx_writer *writer;
    struct buf wanted;
    struct buf got;
    struct err err = {0};

    (void)state;
    buf_init(&wanted, 64 << 20);
    buf_init(&got, 64 << 20);
    assert_int_equal(xlsx_writer_open(path, &writer, &err), ERR_OK);
    xlsx_sheet(writer, "工单", columns, 3);
    buf_put_text(&wanted, "1:编号|数|文\n");
    for (unsigned i = 0; i < ROWS; i++) {
        static char text[CELL_BYTES_MAX + 1];
        size_t bytes = i * 7919u % CELL_BYTES_MAX;
        char id[32];

        for (size_t k = 0; k < bytes; k++) {
            text[k] = (char)('a' + (i + k) % 26);
        }
        (void)snprintf(id, sizeof(id), "%016u", i);
        xlsx_text(writer, span_of(id));
        xlsx_int(writer, (int64_t)i * 1000003);
        xlsx_exact_text(writer, (struct span){text, bytes});
        buf_printf(&wanted, "%u:%s|%lld%s%.*s\n", i + 2, id,
                   (long long)i * 1000003, bytes > 0 ? "|" : "", (int)bytes,
                   text);
    }
    assert_int_equal(xlsx_writer_close(&writer, &err), ERR_OK);
    buf_put_char(&wanted, '\0');
    read_path(path, 0, &got);
    assert_string_equal(got.data, wanted.data);
    buf_release(&wanted);
    buf_release(&got);
}

static void
entities_and_depth_are_refused(void **state)
{
    static const char laughs[] =
        "<!DOCTYPE w [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]>"
        "<worksheet><sheetData><row><c t=\"str\"><v>&b;</v></c></row>"
        "</sheetData></worksheet>";
    static const char outside[] =
        "<!DOCTYPE w SYSTEM \"file:///etc/passwd\"><worksheet/>";
    struct buf deep;

    (void)state;
    make_workbook(path, &(struct workbook_parts){.sheet = laughs});
    expect_error(path, "entities");
    make_workbook(path, &(struct workbook_parts){.sheet = outside});
    expect_error(path, "entities");
    make_workbook(path, &(struct workbook_parts){
                            .sheet = "<worksheet>&nbsp;</worksheet>"});
    expect_error(path, "undefined entity");
    buf_init(&deep, 1 << 20);
    for (int i = 0; i < 2 * XML_DEPTH_MAX; i++) {
        buf_put_text(&deep, "<a>");
    }
    buf_put_char(&deep, '\0');
    make_workbook(path, &(struct workbook_parts){.sheet = deep.data});
    expect_error(path, "nested too deep");
    buf_release(&deep);
}

static void
a_bomb_is_refused_before_it_fills_the_memory(void **state)
{
    enum { BLANKS = 64 << 20 };
    char *blanks = malloc(BLANKS + 1);

    (void)state;
    assert_non_null(blanks);
    memset(blanks, ' ', BLANKS);
    memcpy(blanks, "<worksheet>", 11);
    blanks[BLANKS] = '\0';
    make_workbook(path, &(struct workbook_parts){.sheet = blanks});
    expect_error(path, "grows more than");
    free(blanks);
}

static void
what_is_no_workbook_is_refused_with_what_to_do(void **state)
{
    zipFile zip = zipOpen(path, APPEND_STATUS_CREATE);

    (void)state;
    zip_part(zip, "readme.txt", SPAN_LITERAL("hello"));
    assert_int_equal(zipClose(zip, NULL), ZIP_OK);
    expect_error(path, "no Excel workbook");

    zip = zipOpen(path, APPEND_STATUS_CREATE);
    zip_part(
        zip, "_rels/.rels",
        SPAN_LITERAL("<Relationships>" WORKBOOK_RELATION(
            "r", "officeDocument", "word/document.xml") "</Relationships>"));
    assert_int_equal(zipClose(zip, NULL), ZIP_OK);
    expect_error(path, "no Excel workbook");

    zip = zipOpen(path, APPEND_STATUS_CREATE);
    zip_part(zip, "_rels/.rels",
             SPAN_LITERAL("<Relationships>" WORKBOOK_RELATION(
                 "r", "officeDocument", "xl/workbook.bin") "</Relationships>"));
    assert_int_equal(zipClose(zip, NULL), ZIP_OK);
    expect_error(path, ".xlsb");

    make_workbook(path, &(struct workbook_parts){0});
    expect_error(path, "has no part xl/worksheets/sheet1.xml");
}

static const struct workbook_parts small = {
    .strings = "<si><t>停电</t></si><si><t>b</t></si>",
    .styles = "<cellXfs><xf numFmtId=\"22\"/></cellXfs>",
    .sheet = SHEET("<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" "
                   "s=\"0\"><v>43163.5</v></c></row><row r=\"2\"><c r=\"A2\" "
                   "t=\"inlineStr\"><is><t>x</t></is></c></row>")};

static char *
small_book(size_t *bytes)
{
    char *book = malloc(1 << 16);
    FILE *file;

    make_workbook(path, &small);
    file = fopen(path, "rb");
    assert_non_null(file);
    *bytes = fread(book, 1, 1 << 16, file);
    (void)fclose(file);
    return book;
}

/* The last three bytes are zeros that nobody misses. */
static void
a_workbook_cut_at_any_byte_is_an_error(void **state)
{
    size_t bytes;
    char *book = small_book(&bytes);

    (void)state;
    for (size_t cut = 0; cut < bytes - 3; cut++) {
        expect_error(temp_dir_write(&dir, "cut", (struct span){book, cut}), "");
    }
    free(book);
}

/* Whatever comes: an answer, no crash, no flood. */
static void
a_workbook_with_changed_bytes_does_no_harm(void **state)
{
    enum { TRIES = 1000 };
    uint64_t seed = 20260101;
    size_t bytes;
    char *book = small_book(&bytes);
    char *changed = malloc(bytes);
    struct buf out;

    (void)state;
    buf_init(&out, 64 << 20);
    for (int i = 0; i < TRIES; i++) {
        memcpy(changed, book, bytes);
        for (int k = 0; k < 1 + i % 4; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            changed[(seed >> 33) % bytes] = (char)(seed >> 25);
        }
        read_path(
            temp_dir_write(&dir, "changed", (struct span){changed, bytes}), 0,
            &out);
    }
    buf_release(&out);
    free(changed);
    free(book);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_of_every_kind_become_text),
        cmocka_unit_test(days_may_be_counted_from_1904),
        cmocka_unit_test(names_may_have_prefixes),
        cmocka_unit_test(formats_show_dates_or_not),
        cmocka_unit_test(long_sheets_come_back_row_by_row),
        cmocka_unit_test(entities_and_depth_are_refused),
        cmocka_unit_test(a_bomb_is_refused_before_it_fills_the_memory),
        cmocka_unit_test(what_is_no_workbook_is_refused_with_what_to_do),
        cmocka_unit_test(a_workbook_cut_at_any_byte_is_an_error),
        cmocka_unit_test(a_workbook_with_changed_bytes_does_no_harm),
    };

    return cmocka_run_group_tests_name("xlsx_read", tests, set_up, tear_down);
}
