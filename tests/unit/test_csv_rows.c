/* Rows as people's programs write them, and one bad row that costs one row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "server/decode/csv_rows.h"

/* The whole text as "line:cell|cell;" a row, "line!" for a refused one. */
static const char *
read_all_with(struct span text, enum csv_quotes quotes)
{
    static char out[4096];
    static struct csv_rows rows;
    struct arena arena;
    struct csv_row row;
    struct err err = {0};
    enum csv_next next = CSV_ROW;
    size_t used = 0;

    arena_init(&arena, 4096);
    if (csv_rows_open(&rows, text, quotes, &arena, &row, &err) != ERR_OK) {
        arena_release(&arena);
        (void)snprintf(out, sizeof(out), "%s", err.detail);
        return out;
    }
    while (next != CSV_END) {
        if (next == CSV_BAD_ROW) {
            assert_true(err.detail[0] != '\0');
            used += (size_t)snprintf(out + used, sizeof(out) - used, "%zu!",
                                     row.line);
        } else {
            used += (size_t)snprintf(out + used, sizeof(out) - used,
                                     "%zu:", row.line);
            for (size_t i = 0; i < row.cell_count; i++) {
                used +=
                    (size_t)snprintf(out + used, sizeof(out) - used, "%s%.*s",
                                     i > 0 ? "|" : "", SPAN_ARGS(row.cells[i]));
            }
            used += (size_t)snprintf(out + used, sizeof(out) - used, ";");
        }
        err = (struct err){0};
        next = csv_rows_next(&rows, &arena, &row, &err);
    }
    arena_release(&arena);
    return out;
}

static const char *
read_all(const char *text)
{
    return read_all_with(span_of(text), CSV_QUOTES_AUTO);
}

/* The message of the first refused row. */
static const char *
first_error(struct span text)
{
    static struct err err;
    static struct csv_rows rows;
    struct arena arena;
    struct csv_row row;

    err = (struct err){0};
    arena_init(&arena, 4096);
    if (csv_rows_open(&rows, text, CSV_QUOTES_AUTO, &arena, &row, &err) ==
        ERR_OK) {
        while (csv_rows_next(&rows, &arena, &row, &err) == CSV_ROW) {
        }
    }
    arena_release(&arena);
    return err.detail;
}

static void
says(const char *text, const char *part)
{
    const char *detail = first_error(span_of(text));

    if (strstr(detail, part) == NULL) {
        fail_msg("'%s' does not say '%s'", detail, part);
    }
}

static void
the_header_decides_the_separator(void **state)
{
    (void)state;
    assert_string_equal(read_all("a,b\n1,2\n"), "1:a|b;2:1|2;");
    assert_string_equal(read_all("a;b\n1;2,3\n"), "1:a|b;2:1|2,3;");
    assert_string_equal(read_all("a\tb,c\td\n1\t2\t3\n"), "1:a|b,c|d;2:1|2|3;");
    assert_string_equal(read_all("\"a;x;y\",b\n1,2\n"), "1:a;x;y|b;2:1|2;");
    assert_string_equal(read_all("sep=;\na;b,c,d\n1;2\n"), "2:a|b,c,d;3:1|2;");
    assert_string_equal(read_all("only\n1\n2"), "1:only;2:1;3:2;");
}

static void
line_ends_marks_and_blank_lines_do_not_matter(void **state)
{
    (void)state;
    assert_string_equal(read_all("\xEF\xBB\xBF\r\na,b\r\n1,\r\n\r\n ,,\n,2"),
                        "2:a|b;3:1|;5!6:|2;");
    assert_string_equal(read_all("a,b\n,\n\n1,2\n"), "1:a|b;4:1|2;");
    assert_string_equal(read_all("a,b\r1,2\r3,4"), "1:a|b;2:1|2;3:3|4;");
    assert_string_equal(read_all("a\tb\n\t\n1\t\n"), "1:a|b;3:1|;");
}

static void
quoted_cells_hold_separators_quotes_and_line_breaks(void **state)
{
    (void)state;
    assert_string_equal(
        read_all("a,b,c\n\"x,y\",\"p\"\"q\"\"\",\"1\r\n2\n3\"\n4,5,6\n"),
        "1:a|b|c;2:x,y|p\"q\"|1\r\n2\n3;5:4|5|6;");
    assert_string_equal(read_all("a,b\n\"\",\"\"\"\"\n"), "1:a|b;2:|\";");
    assert_string_equal(read_all("a,b\n\"x\",\"y\""), "1:a|b;2:x|y;");
    assert_string_equal(read_all("\"a\nb\",c\n1,2\n"), "1:a\nb|c;3:1|2;");
}

static void
raw_quotes_inside_a_cell_are_text(void **state)
{
    (void)state;
    assert_string_equal(read_all("a,b\n1,say \"hi\", no\n"), "1:a|b;2!");
    assert_string_equal(read_all("a,b\n1,say \"hi\"\n"),
                        "1:a|b;2:1|say \"hi\";");
    assert_string_equal(read_all("a,b\n\"he said \"stop\" twice\",2\n"),
                        "1:a|b;2:he said \"stop\" twice|2;");
}

static void
tabs_have_no_quotes_unless_asked_for(void **state)
{
    (void)state;
    assert_string_equal(read_all("a\tb\n\"x\t\"y\"\n"), "1:a|b;2:\"x|\"y\";");
    assert_string_equal(
        read_all_with(SPAN_LITERAL("a\tb\n\"x\ty\"\t\"p\n\"\"q\"\n"),
                      CSV_QUOTES_ON),
        "1:a|b;2:x\ty|p\n\"q;");
    assert_string_equal(
        read_all_with(SPAN_LITERAL("a,b\n\"x,y\"\n"), CSV_QUOTES_OFF),
        "1:a|b;2:\"x|y\";");
}

static void
a_row_of_another_width_costs_itself_only(void **state)
{
    (void)state;
    assert_string_equal(read_all("a,b\n1\n1,2,3\n4,5\n"), "1:a|b;2!3!4:4|5;");
    says("a,b\n1,2\n1,2,3\n", "line 3: 3 cells, the header has 2");
}

static void
a_quote_never_closed_costs_one_row(void **state)
{
    (void)state;
    assert_string_equal(read_all("a,b\n1,\"open\n2,x\n3,y\n"),
                        "1:a|b;2!3:2|x;4:3|y;");
    assert_string_equal(read_all("a,b\n1,\"open\n2,\"x\"\n3,\"y\"\n"),
                        "1:a|b;2!3:2|x;4:3|y;");
    assert_string_equal(read_all("a,b\n1,\"open\n\"2\",\"x\"\n"),
                        "1:a|b;2!3:2|x;");
    assert_string_equal(read_all("a,b\n\"1\n2\",\"open\n3,4\n"),
                        "1:a|b;2!4:3|4;");
    says("a,b\n1,2\n3,\"x\n4,5\n", "line 3, cell 2: the double quote that");
    says("a,b\n\"1\n2\",\"open\n3,4\n",
         "line 3, cell 2: the double quote that");
}

static void
limits_hold(void **state)
{
    size_t bytes = CSV_CELL_BYTES_MAX + 1024;
    char *text = malloc(bytes);
    size_t used = 0;

    (void)state;
    assert_non_null(text);
    for (int i = 0; i < CSV_COLUMNS_MAX + 1; i++) {
        memcpy(text + used, "a,", 2);
        used += 2;
    }
    assert_non_null(strstr(first_error((struct span){text, used}),
                           "line 1: more than 256 cells"));
    memset(text, 'x', bytes);
    memcpy(text, "a,b\n1,", 6);
    assert_non_null(
        strstr(first_error((struct span){text, bytes}), "line 2, cell 2:"));
    text[6] = '"'; /* closed behind the limit */
    text[bytes - 1] = '"';
    assert_non_null(
        strstr(first_error((struct span){text, bytes}), "is not closed"));
    free(text);
    says("", "its first line must name the columns");
    says(" \n\n", "its first line must name the columns");
    says("sep=,\n", "ends before the line");
}

/* Any bytes: the reader ends, and every span lies inside the text. */
static void
any_mixture_of_the_special_characters_comes_to_an_end(void **state)
{
    static const char alphabet[] = {'"', ',', '\n', 'x', '\r', '\t', ' ', '"'};
    struct csv_rows *rows = malloc(sizeof(*rows));
    struct arena arena;
    uint64_t seed = 88172645463325252u;

    (void)state;
    assert_non_null(rows);
    arena_init(&arena, 4096);
    for (int round = 0; round < 20000; round++) {
        char text[48];
        struct csv_row row;
        struct err err = {0};
        size_t last_line = 0;
        size_t last_at = 0;

        for (size_t i = 0; i < sizeof(text); i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            text[i] = alphabet[seed % sizeof(alphabet)];
        }
        arena_reset(&arena);
        if (csv_rows_open(rows, (struct span){text, sizeof(text)},
                          CSV_QUOTES_AUTO, &arena, &row, &err) != ERR_OK) {
            continue;
        }
        err = (struct err){0};
        while (csv_rows_next(rows, &arena, &row, &err) != CSV_END) {
            assert_true(row.line > last_line);
            assert_true(rows->at > last_at && rows->at <= sizeof(text));
            assert_true(row.text.data >= text &&
                        row.text.data + row.text.bytes <= text + sizeof(text));
            last_line = row.line;
            last_at = rows->at;
            err = (struct err){0};
        }
    }
    arena_release(&arena);
    free(rows);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_decides_the_separator),
        cmocka_unit_test(line_ends_marks_and_blank_lines_do_not_matter),
        cmocka_unit_test(quoted_cells_hold_separators_quotes_and_line_breaks),
        cmocka_unit_test(raw_quotes_inside_a_cell_are_text),
        cmocka_unit_test(tabs_have_no_quotes_unless_asked_for),
        cmocka_unit_test(a_row_of_another_width_costs_itself_only),
        cmocka_unit_test(a_quote_never_closed_costs_one_row),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(any_mixture_of_the_special_characters_comes_to_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
