/* Lines and fillers to tickets. */
#include "server/cli/train_lines.h"

#include <stdlib.h>

#include "analyzers/dictionary_file.h"

struct line {
    struct span text;
    size_t class_index;
    int32_t topic; /* row of the taxonomy, or TAXONOMY_NONE */
};

struct train_lines {
    struct line *lines; /* [TRAIN_LINES_MAX] */
    size_t line_count;
    struct span *fillers; /* [TRAIN_FILLERS_MAX] */
    size_t filler_count;
};

enum err_code
train_lines_new(struct train_lines **out, struct err *err)
{
    struct train_lines *lines = calloc(1, sizeof(*lines));

    *out = lines;
    if (lines == NULL) {
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    lines->lines = calloc(TRAIN_LINES_MAX, sizeof(*lines->lines));
    lines->fillers = calloc(TRAIN_FILLERS_MAX, sizeof(*lines->fillers));
    if (lines->lines == NULL || lines->fillers == NULL) {
        train_lines_free(out);
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    return ERR_OK;
}

void
train_lines_free(struct train_lines **lines)
{
    if (*lines != NULL) {
        free((*lines)->lines);
        free((*lines)->fillers);
        free(*lines);
        *lines = NULL;
    }
}

bool
train_lines_are_in(const struct table *table)
{
    return table_column(table, "class") != SIZE_MAX ||
           table_column(table, "filler") != SIZE_MAX;
}

/* The third-level name of a line of class `label`; what kind of none it is,
 * if it is, does not matter here. */
static enum err_code
read_topic(const struct table *table,
           size_t row,
           const struct taxonomy *taxonomy,
           int32_t label,
           int32_t *topic,
           struct err *err)
{
    size_t column = table_column(table, "topic");
    struct span name =
        column == SIZE_MAX ? span_of("-") : table_cell(table, row, column);

    *topic = TAXONOMY_NONE;
    if (label == TAXONOMY_NONE || span_is(name, "-")) {
        return ERR_OK;
    }
    *topic = taxonomy_topic(taxonomy, label, name);
    if (*topic == TAXONOMY_NONE) {
        return table_error(table, row, column, ERR_BAD_TABLE, err,
                           "'%.*s' is no third-level name of this class",
                           SPAN_ARGS(name));
    }
    return ERR_OK;
}

static enum err_code
add_line(struct train_lines *lines,
         const struct table *table,
         size_t row,
         const size_t columns[2],
         const struct taxonomy *taxonomy,
         struct err *err)
{
    struct span name = table_cell(table, row, columns[0]);
    struct span text = table_cell(table, row, columns[1]);
    int32_t label = taxonomy_subcategory(taxonomy, name);
    size_t class_index = taxonomy_class_count(taxonomy);
    int32_t topic;

    if (label != TAXONOMY_NONE) {
        class_index = (size_t)taxonomy_row(taxonomy, label)->class_index;
    } else if (!span_is(name, "none")) {
        return table_error(table, row, columns[0], ERR_BAD_TABLE, err,
                           "'%.*s' is neither a second-level name nor none",
                           SPAN_ARGS(name));
    }
    if (text.bytes == 0) {
        return table_error(table, row, columns[1], ERR_BAD_TABLE, err,
                           "the line says nothing");
    }
    if (lines->line_count == TRAIN_LINES_MAX) {
        return err_set(err, ERR_TOO_LONG, "%s: more than %d lines",
                       table_name(table), TRAIN_LINES_MAX);
    }
    if (read_topic(table, row, taxonomy, label, &topic, err) != ERR_OK) {
        return err->code;
    }
    lines->lines[lines->line_count++] = (struct line){text, class_index, topic};
    return ERR_OK;
}

static enum err_code
add_fillers(struct train_lines *lines,
            const struct table *table,
            struct err *err)
{
    size_t column = table_column(table, "filler");

    for (size_t row = 0; row < table_row_count(table); row++) {
        if (lines->filler_count == TRAIN_FILLERS_MAX) {
            return err_set(err, ERR_TOO_LONG, "%s: more than %d fillers",
                           table_name(table), TRAIN_FILLERS_MAX);
        }
        lines->fillers[lines->filler_count++] = table_cell(table, row, column);
    }
    return ERR_OK;
}

enum err_code
train_lines_add(struct train_lines *lines,
                const struct table *table,
                const struct taxonomy *taxonomy,
                struct err *err)
{
    static const char *const names[] = {"class", "text"};
    size_t columns[2];
    enum err_code code;

    if (table_column(table, "filler") != SIZE_MAX) {
        return add_fillers(lines, table, err);
    }
    code = dictionary_file_columns(table, names, 2, columns, err);
    for (size_t row = 0; code == ERR_OK && row < table_row_count(table);
         row++) {
        code = add_line(lines, table, row, columns, taxonomy, err);
    }
    return code;
}

size_t
train_lines_count(const struct train_lines *lines)
{
    return lines->line_count;
}

size_t
train_lines_class(const struct train_lines *lines, size_t line)
{
    return lines->lines[line].class_index;
}

int32_t
train_lines_topic(const struct train_lines *lines, size_t line)
{
    return lines->lines[line].topic;
}

/* --------------------------------------------------------------- composing */

/* splitmix64: the same numbers on every machine. */
static size_t
draw(uint64_t *state, size_t below)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (size_t)((z ^ z >> 31) % below);
}

void
train_lines_compose(const struct train_lines *lines,
                    size_t line,
                    size_t round,
                    struct buf *out)
{
    static const size_t counts[] = {0, 1, 1, 2, 2, 3};
    static const char *const joints[] = {"，", "。", NULL, ""};
    uint64_t state = (uint64_t)line << 16 | round;
    size_t fillers =
        lines->filler_count > 0
            ? counts[draw(&state, sizeof(counts) / sizeof(*counts))]
            : 0;
    size_t place = draw(&state, fillers + 1);
    const char *joint = joints[draw(&state, sizeof(joints) / sizeof(*joints))];

    for (size_t i = 0; i <= fillers; i++) {
        buf_put_span(out,
                     i == place
                         ? lines->lines[line].text
                         : lines->fillers[draw(&state, lines->filler_count)]);
        buf_put_text(out, joint != NULL ? joint : joints[draw(&state, 2)]);
    }
}
