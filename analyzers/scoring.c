/* Points to decision: the settings and the boundary rules. */
#include "analyzers/scoring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/dictionary_file.h"
#include "analyzers/hundredths.h"
#include "analyzers/table.h"

/* Who speaks, as bits: the classes, none among them, then the flags. */
enum {
    PARTY_TEST_TICKET = SCORING_CLASSES_MAX,
    PARTY_NOT_UTILITY,
    PARTY_FALSE_CLAIM
};
#define PARTY_BIT(party) (UINT64_C(1) << (party))

struct boundary {
    char id[64]; /* "boundary:…" */
    uint64_t when;
    uint64_t and_too; /* 0: no condition */
    uint64_t unless;
    uint32_t target; /* classes */
    int32_t points;  /* hundredths, or per cent */
    bool percent;
};

struct scoring {
    struct scoring_values values;
    size_t class_count;
    struct boundary *boundaries;
    size_t boundary_count;
};

struct value_row {
    const char *name;
    size_t offset;
    int32_t fallback;
    int32_t min;
    int32_t max;
};

static const struct value_row value_rows[] = {
#define SCORING_ROW(name, fallback, min, max, sentence)                        \
    {#name, offsetof(struct scoring_values, name), fallback, min, max},
#include "analyzers/scoring.def"
#undef SCORING_ROW
};
enum { VALUE_ROWS = sizeof(value_rows) / sizeof(*value_rows) };

static int32_t *
value_of(struct scoring_values *values, size_t row)
{
    return (int32_t *)(void *)((char *)values + value_rows[row].offset);
}

static enum err_code
read_value(struct scoring *scoring,
           const struct table *table,
           size_t row,
           const size_t columns[2],
           struct err *err)
{
    struct span name = table_cell(table, row, columns[0]);
    struct span text = table_cell(table, row, columns[1]);

    for (size_t i = 0; i < VALUE_ROWS; i++) {
        int32_t value;

        if (!span_is(name, value_rows[i].name)) {
            continue;
        }
        if (!hundredths_parse(text, &value) || value < value_rows[i].min ||
            value > value_rows[i].max) {
            return table_error(table, row, columns[1], ERR_BAD_TABLE, err,
                               "'%.*s' is no number from %.2f to %.2f",
                               SPAN_ARGS(text), value_rows[i].min / 100.0,
                               value_rows[i].max / 100.0);
        }
        *value_of(&scoring->values, i) = value;
        return ERR_OK;
    }
    return table_error(table, row, columns[0], ERR_BAD_TABLE, err,
                       "'%.*s' is no setting; see dict/README.md",
                       SPAN_ARGS(name));
}

static enum err_code
read_values(struct scoring *scoring,
            const struct dictionary_file *file,
            struct err *err)
{
    static const char *const names[] = {"name", "value"};
    struct table *table = NULL;
    size_t columns[2];
    enum err_code code = dictionary_file_parse(file, &table, err);

    if (code == ERR_OK) {
        code = dictionary_file_columns(table, names, 2, columns, err);
    }
    for (size_t row = 0; code == ERR_OK && row < table_row_count(table);
         row++) {
        (void)!read_value(scoring, table, row, columns, err);
        code = table_go_on(table, err) ? ERR_OK : err->code;
    }
    if (code == ERR_OK) {
        code = table_end(table, err);
    }
    table_free(&table);
    return code;
}

/* -------------------------------------------------------------- boundaries */

enum boundary_column {
    COLUMN_ID,
    COLUMN_WHEN,
    COLUMN_AND,
    COLUMN_UNLESS,
    COLUMN_TARGET,
    COLUMN_POINTS,
    COLUMN_COUNT
};

static bool
one_party(const struct taxonomy *taxonomy, struct span word, uint64_t *bits)
{
    size_t class_count = taxonomy_class_count(taxonomy);
    enum ticket_category category;
    int32_t row = taxonomy_subcategory(taxonomy, word);

    if (row != TAXONOMY_NONE) {
        *bits |= PARTY_BIT(taxonomy_row(taxonomy, row)->class_index);
    } else if (span_is(word, "test_ticket")) {
        *bits |= PARTY_BIT(PARTY_TEST_TICKET);
    } else if (span_is(word, "not_utility")) {
        *bits |= PARTY_BIT(PARTY_NOT_UTILITY);
    } else if (span_is(word, "false_claim")) {
        *bits |= PARTY_BIT(PARTY_FALSE_CLAIM);
    } else if (!ticket_category_from(word, &category)) {
        return false;
    } else if (category == TICKET_CATEGORY_NONE) {
        *bits |= PARTY_BIT(class_count);
    } else {
        for (size_t i = 0; i < class_count; i++) {
            row = taxonomy_class_row(taxonomy, i);
            if (taxonomy_row(taxonomy, row)->category == category) {
                *bits |= PARTY_BIT(i);
            }
        }
    }
    return true;
}

/* "service.conduct|none" as bits; the empty cell is 0. */
static enum err_code
read_parties(const struct table *table,
             size_t row,
             size_t column,
             const struct taxonomy *taxonomy,
             uint64_t *bits,
             struct err *err)
{
    struct span rest = table_cell(table, row, column);

    *bits = 0;
    while (rest.bytes > 0) {
        struct span word = span_trim(span_split(&rest, '|'));

        if (!one_party(taxonomy, word, bits)) {
            return table_error(table, row, column, ERR_BAD_TABLE, err,
                               "'%.*s' is neither a second-level name, a "
                               "category, none nor a flag",
                               SPAN_ARGS(word));
        }
    }
    return ERR_OK;
}

static enum err_code
read_effect(const struct table *table,
            size_t row,
            size_t column,
            struct boundary *out,
            struct err *err)
{
    struct span text = table_cell(table, row, column);

    out->percent = text.bytes > 0 && text.data[text.bytes - 1] == '%';
    text.bytes -= out->percent;
    if (!hundredths_parse(text, &out->points) || out->points == 0 ||
        (out->percent && out->points < -10000)) {
        return table_error(table, row, column, ERR_BAD_TABLE, err,
                           "write points (-3, 1.5) or a share of the target's "
                           "own points (-60%%)");
    }
    return ERR_OK;
}

static enum err_code
read_boundary(struct scoring *scoring,
              const struct table *table,
              size_t row,
              const size_t columns[COLUMN_COUNT],
              const struct taxonomy *taxonomy,
              struct err *err)
{
    struct boundary *out = &scoring->boundaries[scoring->boundary_count];
    struct span id = table_cell(table, row, columns[COLUMN_ID]);
    uint64_t target;
    enum err_code code;

    if (id.bytes == 0 || id.bytes > 40) {
        return table_error(table, row, columns[COLUMN_ID], ERR_BAD_TABLE, err,
                           "an id has 1 to 40 bytes");
    }
    (void)snprintf(out->id, sizeof(out->id), "boundary:%.*s", SPAN_ARGS(id));
    if ((code = read_parties(table, row, columns[COLUMN_WHEN], taxonomy,
                             &out->when, err)) ||
        (code = read_parties(table, row, columns[COLUMN_AND], taxonomy,
                             &out->and_too, err)) ||
        (code = read_parties(table, row, columns[COLUMN_UNLESS], taxonomy,
                             &out->unless, err)) ||
        (code = read_parties(table, row, columns[COLUMN_TARGET], taxonomy,
                             &target, err)) ||
        (code = read_effect(table, row, columns[COLUMN_POINTS], out, err))) {
        return code;
    }
    if (out->when == 0 || target == 0 || target > UINT32_MAX) {
        return table_error(table, row, columns[COLUMN_WHEN], ERR_BAD_TABLE, err,
                           "a boundary says when, and its target is a "
                           "second-level name, a category or none");
    }
    out->target = (uint32_t)target;
    scoring->boundary_count++;
    return ERR_OK;
}

static enum err_code
read_boundaries(struct scoring *scoring,
                const struct dictionary_file *file,
                const struct taxonomy *taxonomy,
                struct err *err)
{
    static const char *const names[COLUMN_COUNT] = {
        "id", "when", "and", "unless", "target", "points"};
    struct table *table = NULL;
    size_t columns[COLUMN_COUNT];
    enum err_code code = dictionary_file_parse(file, &table, err);

    if (code != ERR_OK || (code = dictionary_file_columns(
                               table, names, COLUMN_COUNT, columns, err))) {
        goto out;
    }
    if (table_row_count(table) > BOUNDARIES_MAX) {
        code =
            err_set(err, ERR_TOO_LONG, "dict/boundaries.csv: more than %d rows",
                    BOUNDARIES_MAX);
        goto out;
    }
    scoring->boundaries =
        calloc(table_row_count(table) + 1, sizeof(*scoring->boundaries));
    if (scoring->boundaries == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "boundaries.csv");
        goto out;
    }
    for (size_t row = 0; code == ERR_OK && row < table_row_count(table);
         row++) {
        (void)!read_boundary(scoring, table, row, columns, taxonomy, err);
        code = table_go_on(table, err) ? ERR_OK : err->code;
    }
    if (code == ERR_OK) {
        code = table_end(table, err);
    }
out:
    table_free(&table);
    return code;
}

/* ------------------------------------------------------------------- build */

enum err_code
scoring_build(const struct dictionary_file *files,
              size_t file_count,
              const struct taxonomy *taxonomy,
              struct scoring **out,
              struct err *err)
{
    const struct dictionary_file *values =
        dictionary_find_file(files, file_count, "scoring.csv");
    const struct dictionary_file *boundaries =
        dictionary_find_file(files, file_count, "boundaries.csv");
    struct scoring *scoring = calloc(1, sizeof(*scoring));
    struct err first = {0};
    struct err second = {0};
    bool go_on = true;

    if (scoring == NULL) {
        return err_set(err, ERR_NO_MEMORY, "scoring.csv");
    }
    scoring->class_count = taxonomy_class_count(taxonomy);
    for (size_t i = 0; i < VALUE_ROWS; i++) {
        *value_of(&scoring->values, i) = value_rows[i].fallback;
    }
    if (values != NULL) {
        (void)!read_values(scoring, values, &first);
        go_on = dictionary_file_next(values->faults, &first, err);
    }
    if (go_on && boundaries != NULL) {
        (void)!read_boundaries(scoring, boundaries, taxonomy, &second);
        (void)dictionary_file_next(boundaries->faults, &second, err);
    }
    if (err->code != ERR_OK) {
        scoring_free(&scoring);
        return err->code;
    }
    *out = scoring;
    return ERR_OK;
}

void
scoring_free(struct scoring **scoring)
{
    if (*scoring != NULL) {
        free((*scoring)->boundaries);
        free(*scoring);
        *scoring = NULL;
    }
}

const struct scoring_values *
scoring_values(const struct scoring *scoring)
{
    return &scoring->values;
}

/* ------------------------------------------------------------------- apply */

static uint64_t
who_spoke(const struct scoring *scoring, const struct points *points)
{
    int32_t least = scoring->values.boundary_spoke;
    uint64_t spoke = 0;

    for (size_t i = 0; i <= scoring->class_count; i++) {
        if (points->classes[i] >= least) {
            spoke |= PARTY_BIT(i);
        }
    }
    if (points->test_ticket >= least) {
        spoke |= PARTY_BIT(PARTY_TEST_TICKET);
    }
    if (points->not_utility >= least) {
        spoke |= PARTY_BIT(PARTY_NOT_UTILITY);
    }
    if (points->false_claim >= least) {
        spoke |= PARTY_BIT(PARTY_FALSE_CLAIM);
    }
    return spoke;
}

static bool
boundary_holds(const struct boundary *boundary, uint64_t spoke)
{
    return (spoke & boundary->when) != 0 &&
           (boundary->and_too == 0 || (spoke & boundary->and_too) != 0) &&
           (spoke & boundary->unless) == 0;
}

size_t
scoring_apply_boundaries(const struct scoring *scoring,
                         struct points *points,
                         struct boundary_effect *effects,
                         size_t effects_max)
{
    uint64_t spoke = who_spoke(scoring, points);
    struct points before = *points;
    size_t count = 0;

    if (spoke == 0) {
        return 0;
    }
    for (size_t i = 0; i < scoring->boundary_count; i++) {
        const struct boundary *boundary = &scoring->boundaries[i];

        if (!boundary_holds(boundary, spoke)) {
            continue;
        }
        for (size_t k = 0; k <= scoring->class_count; k++) {
            int32_t change = boundary->points;

            if ((boundary->target >> k & 1) == 0 ||
                (boundary->percent && before.classes[k] <= 0)) {
                continue;
            }
            if (boundary->percent) {
                change = (int32_t)((int64_t)before.classes[k] * change / 10000);
            }
            points->classes[k] += change;
            if (count < effects_max && change != 0) {
                effects[count++] = (struct boundary_effect){
                    span_of(boundary->id), (int32_t)k, change};
            }
        }
    }
    return count;
}
