/* Tickets made of single lines: always the same, the line between fillers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "server/cli/train_lines.h"

#define CATEGORIES                                                             \
    "code,chinese,english,group,scored,version,valid_from\n"                   \
    "service,服务投诉,S,,no,,\nservice.conduct,服务行为,C,,no,,\n"     \
    "outage,停送电投诉,O,,no,,\noutage.repair,抢修服务,R,,no,,\n"     \
    "outage.repair.late,抢修超时限,L,,no,,\n"
#define LINES                                                                  \
    "class\ttopic\ttext\nservice.conduct\t-\t营业员骂人\n"                \
    "outage.repair\toutage.repair.late\t抢修没人来\nnone\tinquiry\t问个电价\n"
#define FILLERS "filler\n你好啊\n说完了\n我是老王\n"

static struct taxonomy *taxonomy;
static struct train_lines *lines;
static struct table *tables[2];

static struct table *
parsed(const char *text)
{
    struct table *table = NULL;
    struct err err = {0};

    assert_int_equal(table_parse("t.tsv", span_of(text), &table, &err), ERR_OK);
    return table;
}

static int
load(void **state)
{
    struct err err = {0};
    struct dictionary_file file = {.path = "categories.csv",
                                   .bytes = span_of(CATEGORIES)};

    (void)state;
    assert_int_equal(taxonomy_build(&file, 1, &taxonomy, &err), ERR_OK);
    assert_int_equal(train_lines_new(&lines, &err), ERR_OK);
    tables[0] = parsed(LINES);
    tables[1] = parsed(FILLERS);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(train_lines_add(lines, tables[i], taxonomy, &err),
                         ERR_OK);
    }
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    train_lines_free(&lines);
    taxonomy_free(&taxonomy);
    table_free(&tables[0]);
    table_free(&tables[1]);
    return 0;
}

static void
compose(size_t line, size_t round, char *out, size_t room)
{
    struct buf buf;

    buf_init(&buf, room - 1);
    train_lines_compose(lines, line, round, &buf);
    memcpy(out, buf.data, buf.bytes);
    out[buf.bytes] = '\0';
    buf_release(&buf);
}

static void
lines_and_fillers_are_known_by_their_columns(void **state)
{
    struct table *tickets = parsed("id\ttype\ttext\n1\tcomplaint\t停电\n");

    (void)state;
    assert_true(train_lines_are_in(tables[0]));
    assert_true(train_lines_are_in(tables[1]));
    assert_false(train_lines_are_in(tickets));
    table_free(&tickets);
}

static void
a_line_keeps_its_class(void **state)
{
    (void)state;
    assert_int_equal(train_lines_count(lines), 3);
    assert_int_equal(train_lines_class(lines, 0), 0);
    assert_int_equal(train_lines_class(lines, 1), 1);
    assert_int_equal(train_lines_class(lines, 2), 2); /* none */
}

static void
a_line_keeps_its_topic(void **state)
{
    int32_t topic = train_lines_topic(lines, 1);

    (void)state;
    assert_int_equal(train_lines_topic(lines, 0), TAXONOMY_NONE);
    assert_true(
        topic != TAXONOMY_NONE &&
        span_is(taxonomy_row(taxonomy, topic)->code, "outage.repair.late"));
    /* What kind of none it is, is no third-level name. */
    assert_int_equal(train_lines_topic(lines, 2), TAXONOMY_NONE);
}

static void
the_line_stands_between_fillers(void **state)
{
    size_t with_fillers = 0;
    size_t not_first = 0;

    (void)state;
    for (size_t round = 0; round < 50; round++) {
        char text[512];
        const char *at;

        compose(1, round, text, sizeof(text));
        at = strstr(text, "抢修没人来");
        assert_non_null(at);
        assert_null(strstr(text, "营业员骂人"));
        with_fillers += strstr(text, "你好啊") || strstr(text, "说完了") ||
                        strstr(text, "我是老王");
        not_first += at != text;
    }
    assert_in_range(with_fillers, 30, 49);
    assert_in_range(not_first, 10, 40);
}

static void
the_same_line_and_round_give_the_same_ticket(void **state)
{
    char first[512];
    char again[512];
    size_t different = 0;

    (void)state;
    for (size_t round = 0; round < 20; round++) {
        compose(0, round, first, sizeof(first));
        compose(0, round, again, sizeof(again));
        assert_string_equal(first, again);
        compose(0, round + 1, again, sizeof(again));
        different += strcmp(first, again) != 0;
    }
    assert_true(different > 10);
    /* One that must stay as it is: the model's file rests on it. */
    compose(0, 0, first, sizeof(first));
    assert_string_equal(first, "营业员骂人说完了");
}

static void
a_wrong_line_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"class\ttopic\ttext\nservice.nothing\t-\t骂人\n", "service.nothing"},
        {"class\ttopic\ttext\nnone\t-\t好\nnone\t-\t\n", "line 3"},
        {"class\ttopic\ttext\nservice.conduct\toutage.repair.late\t骂人\n",
         "outage.repair.late"},
        {"class\ttopic\nnone\t-\n", "text"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct table *table = parsed(cases[i].text);
        struct train_lines *own = NULL;
        struct err err = {0};

        assert_int_equal(train_lines_new(&own, &err), ERR_OK);
        assert_int_not_equal(train_lines_add(own, table, taxonomy, &err),
                             ERR_OK);
        if (strstr(err.detail, cases[i].words) == NULL) {
            fail_msg("'%s' does not say '%s'", err.detail, cases[i].words);
        }
        train_lines_free(&own);
        table_free(&table);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_fillers_are_known_by_their_columns),
        cmocka_unit_test(a_line_keeps_its_class),
        cmocka_unit_test(a_line_keeps_its_topic),
        cmocka_unit_test(the_line_stands_between_fillers),
        cmocka_unit_test(the_same_line_and_round_give_the_same_ticket),
        cmocka_unit_test(a_wrong_line_is_refused_with_its_place),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
