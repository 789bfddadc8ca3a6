/* docs/operating.md: the table of settings is the one of options.def. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/config.h"

enum { DOCUMENT_BYTES_MAX = 256 * 1024, ROW_BYTES_MAX = 512 };

static char document[DOCUMENT_BYTES_MAX];

static int
read_document(void **state)
{
    FILE *file = fopen(SUQIU_SOURCE_DIR "/docs/operating.md", "rb");
    size_t bytes;

    (void)state;
    if (file == NULL) {
        return -1;
    }
    bytes = fread(document, 1, sizeof(document) - 1, file);
    document[bytes] = '\0';
    return fclose(file) == 0 && bytes > 0 && bytes < sizeof(document) - 1 ? 0
                                                                          : -1;
}

/* The message is the row to put into the document. */
static bool
has_row(const char *row)
{
    bool found = strstr(document, row) != NULL;

    if (!found) {
        print_error("docs/operating.md lacks the row\n%s", row);
    }
    return found;
}

static const char *
or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

/* A '|' in a cell ends it, so choices are parted by a comma. */
static const char *
choices(const char *words, char out[ROW_BYTES_MAX])
{
    size_t used = 0;

    for (; *words != '\0' && used + 3 < ROW_BYTES_MAX; words++) {
        if (*words == '|') {
            out[used++] = ',';
            out[used++] = ' ';
        } else {
            out[used++] = *words;
        }
    }
    out[used] = '\0';
    return out;
}

static void
every_setting_stands_in_the_document_as_it_is(void **state)
{
    char row[ROW_BYTES_MAX];
    char words[ROW_BYTES_MAX];
    size_t missing = 0;

    (void)state;
#define ROW(...)                                                               \
    assert_true(snprintf(row, sizeof(row), __VA_ARGS__) < ROW_BYTES_MAX);      \
    missing += !has_row(row);
#define OPTION_TEXT(name, default_, groups, sentence)                          \
    ROW("| `%s` | %s | text | %s |\n", #name, or_dash(default_), sentence)
#define OPTION_CHOICE(name, choices_, default_, groups, sentence)              \
    ROW("| `%s` | %s | %s | %s |\n", #name, default_,                          \
        choices(choices_, words), sentence)
#define OPTION_SWITCH(name, default_, groups, sentence)                        \
    ROW("| `%s` | %s | on, off | %s |\n", #name, (default_) ? "on" : "off",    \
        sentence)
#define OPTION_UINT(name, unit, min, max, default_, groups, sentence)          \
    ROW("| `%s` | %" PRIu64 " | %" PRIu64 " to %" PRIu64 " %s | %s |\n",       \
        #name, (uint64_t)(default_), (uint64_t)(min), (uint64_t)(max), unit,   \
        sentence)
#include "server/base/options.def"
#undef ROW
    assert_int_equal(missing, 0);
}

static void
the_document_has_no_setting_that_is_gone(void **state)
{
    const char *table = strstr(document, "| setting | default |");
    size_t rows = 0;

    (void)state;
    assert_non_null(table);
    for (const char *line = strchr(table, '\n'); line != NULL && line[1] == '|';
         line = strchr(line + 1, '\n')) {
        rows += strncmp(line + 1, "| `", 3) == 0;
    }
    assert_int_equal(rows, CONFIG_OPTION_COUNT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_stands_in_the_document_as_it_is),
        cmocka_unit_test(the_document_has_no_setting_that_is_gone),
    };

    return cmocka_run_group_tests(tests, read_document, NULL);
}
