/* Rule rows to compiled rules: read, expand, check, compile. */
#include "analyzers/rules_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/dictionary_file.h"
#include "analyzers/hundredths.h"
#include "analyzers/macros.h"
#include "analyzers/pattern.h"
#include "analyzers/table.h"
#include "analyzers/taxonomy.h"

enum rule_column {
    COLUMN_ID,
    COLUMN_CATEGORY,
    COLUMN_SUBCATEGORY,
    COLUMN_TOPIC,
    COLUMN_PATTERN,
    COLUMN_ALSO,
    COLUMN_UNLESS,
    COLUMN_SCOPE,
    COLUMN_WEIGHT,
    COLUMN_NOTE,
    COLUMN_MUST_MATCH,
    COLUMN_MUST_NOT_MATCH,
    COLUMN_COUNT
};

static const char *const column_names[COLUMN_COUNT] = {
    "id",      "category", "subcategory", "topic",
    "pattern", "also",     "unless",      "scope",
    "weight",  "note",     "must_match",  "must_not_match"};

/* Everything that lives only while the rules are built. */
struct rules_reader {
    struct rules *rules;
    const struct taxonomy *taxonomy;
    const struct cleaner *cleaner;
    struct macros *macros;
    struct expansion *expansion;
    struct err *err;   /* of the row being read */
    struct err *first; /* the first error of all */
    /* the row being read */
    struct table *table;
    size_t row;
    size_t columns[COLUMN_COUNT];
};

static struct span
cell(const struct rules_reader *reader, enum rule_column column)
{
    return table_cell(reader->table, reader->row, reader->columns[column]);
}

#define ROW_ERROR(reader, column, code, ...)                                   \
    table_error((reader)->table, (reader)->row, (reader)->columns[column],     \
                code, (reader)->err, __VA_ARGS__)

/* ---------------------------------------------------------------- patterns */

/* "…: problem; remedy", a caret below the place. */
static enum err_code
pattern_error(struct rules_reader *reader,
              enum rule_column column,
              size_t offset,
              const char *problem,
              const char *remedy)
{
    return table_error_at(reader->table, reader->row, reader->columns[column],
                          offset, ERR_BAD_PATTERN, reader->err,
                          "rule '%.*s', %s: %s; %s",
                          SPAN_ARGS(cell(reader, COLUMN_ID)),
                          column_names[column], problem, remedy);
}

/* PCRE2's own complaint, translated at the wall. */
static enum err_code
pcre2_error(struct rules_reader *reader,
            enum rule_column column,
            int number,
            size_t offset)
{
    char text[160];

    if (pcre2_get_error_message(number, (PCRE2_UCHAR *)text, sizeof(text)) <
        0) {
        (void)snprintf(text, sizeof(text), "PCRE2 error %d", number);
    }
    return pattern_error(reader, column, offset, text, "correct the pattern");
}

/* Compile what stands in reader->expansion. */
static enum err_code
compile_expansion(struct rules_reader *reader,
                  enum rule_column column,
                  struct rules_pattern **out)
{
    const struct expansion *expansion = reader->expansion;
    size_t offset;
    int number;

    *out = rules_pattern_new((struct span){expansion->text, expansion->bytes},
                             0, &number, &offset);
    if (*out == NULL && number == 0) {
        return err_set(reader->err, ERR_NO_MEMORY, "the rules");
    }
    if (*out == NULL) {
        if (offset > expansion->bytes) {
            offset = expansion->bytes;
        }
        return pcre2_error(reader, column, number, expansion->from[offset]);
    }
    return ERR_OK;
}

/* Is there machine code at all? Asked of the first pattern. */
static enum err_code
try_machine(struct rules_reader *reader,
            enum rule_column column,
            struct rules_pattern *pattern)
{
    rules_pattern_need(pattern, reader->rules->making);
    return pattern->machine
               ? ERR_OK
               : pattern_error(reader, column, 0,
                               "the pattern cannot be compiled to machine code",
                               "simplify it; if every rule says this, the "
                               "system forbids executable memory");
}

/* Expand, check and compile one cell. `rule` becomes a candidate by it, or
 * SCANNER_NO_RULE. */
static enum err_code
compile_cell(struct rules_reader *reader,
             enum rule_column column,
             uint32_t rule,
             struct rule_code_cell *out)
{
    const struct expansion *expansion = reader->expansion;
    struct pattern_fault fault;
    struct span written;
    enum err_code code;

    if (!macros_expand(reader->macros, cell(reader, column), reader->expansion,
                       &fault)) {
        return pattern_error(reader, column, fault.offset, fault.problem,
                             fault.remedy);
    }
    written = (struct span){expansion->text, expansion->bytes};
    if (!pattern_check(written, reader->cleaner, rule != SCANNER_NO_RULE,
                       &fault)) {
        return pattern_error(reader, column, expansion->from[fault.offset],
                             fault.problem, fault.remedy);
    }
    if ((code = compile_expansion(reader, column, &out->whole)) ||
        (rule == 0 && (code = try_machine(reader, column, out->whole))) ||
        (code = scanner_add(reader->rules->scanner, written, rule, &out->probe,
                            reader->err))) {
        return code;
    }
    if (out->probe.leads) {
        out->anchored = rules_pattern_later(written, PCRE2_ANCHORED);
        if (out->anchored == NULL) {
            return err_set(reader->err, ERR_NO_MEMORY, "the rules");
        }
    }
    return ERR_OK;
}

static enum err_code
compile_rule(struct rules_reader *reader, size_t index)
{
    struct rule_code *code = &reader->rules->code[index];
    const struct rule *rule = &reader->rules->rows[index];
    enum err_code result =
        compile_cell(reader, COLUMN_PATTERN, (uint32_t)index, &code->pattern);

    if (result == ERR_OK && rule->also.bytes > 0) {
        result =
            compile_cell(reader, COLUMN_ALSO, SCANNER_NO_RULE, &code->also);
    }
    if (result == ERR_OK && rule->unless.bytes > 0) {
        result =
            compile_cell(reader, COLUMN_UNLESS, SCANNER_NO_RULE, &code->unless);
    }
    return result;
}

/* -------------------------------------------------------------------- rows */

static enum err_code
read_kind(struct rules_reader *reader, struct rule *rule)
{
    static const struct {
        const char *word;
        enum rule_kind kind;
    } flags[] = {{"test_ticket", RULE_TEST_TICKET},
                 {"not_utility", RULE_NOT_UTILITY},
                 {"false_claim", RULE_FALSE_CLAIM}};
    struct span word = cell(reader, COLUMN_CATEGORY);

    rule->category = TICKET_CATEGORY_NONE;
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        if (span_is(word, flags[i].word)) {
            rule->kind = flags[i].kind;
            return ERR_OK;
        }
    }
    if (!ticket_category_from(word, &rule->category)) {
        return ROW_ERROR(reader, COLUMN_CATEGORY, ERR_BAD_TABLE,
                         "'%.*s' is none of service, business, outage, "
                         "quality, grid, none, test_ticket, not_utility, "
                         "false_claim",
                         SPAN_ARGS(word));
    }
    rule->kind =
        rule->category == TICKET_CATEGORY_NONE ? RULE_NONE : RULE_CATEGORY;
    return ERR_OK;
}

/* Subcategory and topic, which only rules for one of the five have. */
static enum err_code
read_names(struct rules_reader *reader, struct rule *rule)
{
    struct span subcategory = cell(reader, COLUMN_SUBCATEGORY);
    struct span topic = cell(reader, COLUMN_TOPIC);
    const struct taxonomy_row *row;
    int32_t row_index;

    rule->class_index = -1;
    rule->topic = TAXONOMY_NONE;
    if (subcategory.bytes == 0 && topic.bytes == 0) {
        return ERR_OK;
    }
    if (rule->kind != RULE_CATEGORY) {
        return ROW_ERROR(reader, COLUMN_SUBCATEGORY, ERR_BAD_TABLE,
                         "a rule for '%.*s' has no subcategory and no topic",
                         SPAN_ARGS(cell(reader, COLUMN_CATEGORY)));
    }
    row_index = taxonomy_subcategory(reader->taxonomy, subcategory);
    row = taxonomy_row(reader->taxonomy, row_index);
    if (row == NULL || row->category != rule->category) {
        return ROW_ERROR(reader, COLUMN_SUBCATEGORY, ERR_BAD_TABLE,
                         "'%.*s' is no second-level name of '%.*s' in "
                         "categories.csv",
                         SPAN_ARGS(subcategory),
                         SPAN_ARGS(cell(reader, COLUMN_CATEGORY)));
    }
    rule->kind = RULE_SUBCATEGORY;
    rule->class_index = row->class_index;
    if (topic.bytes > 0) {
        rule->topic = taxonomy_topic(reader->taxonomy, row_index, topic);
        if (rule->topic == TAXONOMY_NONE) {
            return ROW_ERROR(reader, COLUMN_TOPIC, ERR_BAD_TABLE,
                             "'%.*s' is no third-level name below '%.*s' in "
                             "categories.csv",
                             SPAN_ARGS(topic), SPAN_ARGS(subcategory));
        }
    }
    return ERR_OK;
}

static enum err_code
read_scope(struct rules_reader *reader, struct rule *rule)
{
    struct span word = cell(reader, COLUMN_SCOPE);

    if (word.bytes == 0 || span_is(word, "text")) {
        rule->scope = RULE_SCOPE_TEXT;
    } else if (span_is(word, "sentence")) {
        rule->scope = RULE_SCOPE_SENTENCE;
    } else if (span_is(word, "bracket")) {
        rule->scope = RULE_SCOPE_BRACKET;
    } else {
        return ROW_ERROR(reader, COLUMN_SCOPE, ERR_BAD_TABLE,
                         "'%.*s' is none of text, sentence, bracket",
                         SPAN_ARGS(word));
    }
    return ERR_OK;
}

static enum err_code
read_weight(struct rules_reader *reader, struct rule *rule)
{
    struct span word = cell(reader, COLUMN_WEIGHT);

    if (!hundredths_parse(word, &rule->weight) || rule->weight == 0 ||
        rule->weight > RULE_WEIGHT_MAX || rule->weight < -RULE_WEIGHT_MAX) {
        return ROW_ERROR(reader, COLUMN_WEIGHT, ERR_BAD_TABLE,
                         "'%.*s' is no number of points; write 3, 1.5 or -2, "
                         "at most 100, with at most two decimals",
                         SPAN_ARGS(word));
    }
    return ERR_OK;
}

static enum err_code
read_id(struct rules_reader *reader, struct rule *rule)
{
    size_t other;

    rule->id = cell(reader, COLUMN_ID);
    if (rule->id.bytes == 0 || rule->id.bytes > RULE_ID_BYTES_MAX ||
        memchr(rule->id.data, ' ', rule->id.bytes) != NULL ||
        memchr(rule->id.data, ':', rule->id.bytes) != NULL) {
        return ROW_ERROR(reader, COLUMN_ID, ERR_BAD_TABLE,
                         "an id has 1 to %d bytes without blanks and colons",
                         RULE_ID_BYTES_MAX);
    }
    other = rules_find(reader->rules, rule->id);
    if (other != SIZE_MAX) {
        return ROW_ERROR(reader, COLUMN_ID, ERR_BAD_TABLE,
                         "the id '%.*s' stands already in %s, line %zu",
                         SPAN_ARGS(rule->id), reader->rules->rows[other].file,
                         reader->rules->rows[other].line);
    }
    return ERR_OK;
}

static enum err_code
read_rule(struct rules_reader *reader)
{
    struct rules *rules = reader->rules;
    size_t index = rules->count;
    struct rule *rule = &rules->rows[index];
    enum err_code code;

    *rule = (struct rule){.pattern = cell(reader, COLUMN_PATTERN),
                          .also = cell(reader, COLUMN_ALSO),
                          .unless = cell(reader, COLUMN_UNLESS),
                          .must_match = cell(reader, COLUMN_MUST_MATCH),
                          .must_not_match = cell(reader, COLUMN_MUST_NOT_MATCH),
                          .file = table_name(reader->table),
                          .line = table_row_line(reader->table, reader->row)};
    if ((code = read_id(reader, rule)) || (code = read_kind(reader, rule)) ||
        (code = read_names(reader, rule)) ||
        (code = read_scope(reader, rule)) ||
        (code = read_weight(reader, rule))) {
        return code;
    }
    rules->count++; /* from here rules_free frees its code */
    return compile_rule(reader, index);
}

/* Room for `more` further rules. */
static enum err_code
make_room(struct rules_reader *reader, size_t more)
{
    struct rules *rules = reader->rules;
    size_t room = rules->count + more + 1;
    struct rule *rows;
    struct rule_code *code;

    if (rules->count + more > RULES_MAX) {
        return err_set(reader->err, ERR_TOO_LONG,
                       "%s: more than %d rules all together",
                       table_name(reader->table), RULES_MAX);
    }
    rows = realloc(rules->rows, room * sizeof(*rows));
    rules->rows = rows != NULL ? rows : rules->rows;
    code = realloc(rules->code, room * sizeof(*code));
    rules->code = code != NULL ? code : rules->code;
    if (rows == NULL || code == NULL) {
        return err_set(reader->err, ERR_NO_MEMORY, "the rules");
    }
    memset(code + rules->count, 0, (room - rules->count) * sizeof(*code));
    return ERR_OK;
}

/* After an error of a file or of all rules: tell it and forget it. False: no
 * more. */
static bool
next_after_error(struct rules_reader *reader, struct table_faults *faults)
{
    bool bad_input = err_code_kind(reader->err->code) == ERR_KIND_BAD_INPUT;

    if (reader->first->code == ERR_OK) {
        *reader->first = *reader->err;
    }
    bad_input = bad_input && table_faults_tell(faults, reader->err);
    *reader->err = (struct err){0};
    return bad_input;
}

static enum err_code
open_file(struct rules_reader *reader, const struct dictionary_file *file)
{
    struct rules *rules = reader->rules;
    struct table *table = NULL;
    enum err_code code = dictionary_file_parse(file, &table, reader->err);

    if (code != ERR_OK) {
        return code;
    }
    rules->tables[rules->table_count++] = table; /* freed with the rules */
    reader->table = table;
    code = dictionary_file_columns(table, column_names, COLUMN_COUNT,
                                   reader->columns, reader->err);
    return code == ERR_OK ? make_room(reader, table_row_count(table)) : code;
}

/* All rows; false: no more files either. */
static bool
read_file(struct rules_reader *reader, const struct dictionary_file *file)
{
    struct err own = {0};

    if (open_file(reader, file) != ERR_OK) {
        return next_after_error(reader, file->faults);
    }
    for (reader->row = 0; reader->row < table_row_count(reader->table);
         reader->row++) {
        (void)!read_rule(reader);
        if (!table_go_on(reader->table, reader->err)) {
            return next_after_error(reader, file->faults);
        }
    }
    if (table_end(reader->table, &own) != ERR_OK &&
        reader->first->code == ERR_OK) {
        *reader->first = own;
    }
    return true;
}

static bool
is_rule_file(const struct dictionary_file *file)
{
    struct span path = span_of(file->path);

    return span_starts(path, SPAN_LITERAL("rules/")) && path.bytes > 10 &&
           memcmp(path.data + path.bytes - 4, ".csv", 4) == 0;
}

/* ------------------------------------------------------------------- build */

/* The sentences of the rules are the scanner's samples. */
static enum err_code
compile_scanner(struct rules_reader *reader)
{
    struct rules *rules = reader->rules;
    struct span *texts = calloc(2 * rules->count + 1, sizeof(*texts));
    struct scanner_samples samples = {reader->cleaner, texts, 0};
    enum err_code code;

    if (texts == NULL) {
        return err_set(reader->err, ERR_NO_MEMORY, "the rules");
    }
    for (size_t i = 0; i < rules->count; i++) {
        texts[samples.count++] = rules->rows[i].must_match;
        texts[samples.count++] = rules->rows[i].must_not_match;
    }
    code = scanner_compile(rules->scanner, &samples, reader->err);
    free(texts);
    return code;
}

/* Every file; errors are in reader->first. */
static void
read_all(struct rules_reader *reader,
         const struct dictionary_file *files,
         size_t file_count)
{
    reader->rules->tables =
        calloc(file_count + 1, sizeof(*reader->rules->tables));
    reader->expansion = malloc(sizeof(*reader->expansion));
    if (reader->rules->tables == NULL || reader->expansion == NULL) {
        (void)err_set(reader->err, ERR_NO_MEMORY, "the rules");
    } else if (scanner_new(&reader->rules->scanner, reader->err) == ERR_OK) {
        (void)!macros_build(files, file_count, &reader->macros, reader->err);
    }
    if (reader->err->code != ERR_OK) {
        /* Without its macros hardly a row would be right. */
        *reader->first = *reader->err;
        return;
    }
    for (size_t i = 0; i < file_count; i++) {
        if (is_rule_file(&files[i]) && !read_file(reader, &files[i])) {
            return;
        }
    }
    if (reader->first->code == ERR_OK && reader->cleaner != NULL &&
        compile_scanner(reader) != ERR_OK) {
        *reader->first = *reader->err;
    }
}

static bool
make_lock(struct rules *rules)
{
    rules->making = malloc(sizeof(*rules->making));
    if (rules->making != NULL && pthread_mutex_init(rules->making, NULL) != 0) {
        free(rules->making);
        rules->making = NULL;
    }
    return rules->making != NULL;
}

enum err_code
rules_build(const struct dictionary_file *files,
            size_t file_count,
            const struct taxonomy *taxonomy,
            const struct cleaner *cleaner,
            struct rules **out,
            struct err *err)
{
    struct rules *rules = calloc(1, sizeof(*rules));
    struct err row_err = {0};
    struct rules_reader reader = {.rules = rules,
                                  .taxonomy = taxonomy,
                                  .cleaner = cleaner,
                                  .err = &row_err,
                                  .first = err};

    if (rules == NULL || !make_lock(rules)) {
        rules_free(&rules);
        return err_set(err, ERR_NO_MEMORY, "the rules");
    }
    read_all(&reader, files, file_count);
    free(reader.expansion);
    macros_free(&reader.macros);
    if (err->code != ERR_OK) {
        rules_free(&rules);
        return err->code;
    }
    *out = rules;
    return ERR_OK;
}

static bool
prepare_cell(const struct rules *rules, const struct rule_code_cell *cell)
{
    bool fine = true;

    if (cell->whole != NULL) {
        rules_pattern_need(cell->whole, rules->making);
        fine = cell->whole->machine;
    }
    if (cell->anchored != NULL) {
        rules_pattern_need(cell->anchored, rules->making);
        fine = fine && cell->anchored->machine;
    }
    return fine;
}

bool
rules_prepare(const struct rules *rules, size_t index)
{
    const struct rule_code *code = &rules->code[index];
    bool pattern = prepare_cell(rules, &code->pattern);
    bool also = prepare_cell(rules, &code->also);
    bool unless = prepare_cell(rules, &code->unless);

    return pattern && also && unless;
}

static void
free_cell(struct rule_code_cell *cell)
{
    rules_pattern_free(&cell->whole);
    rules_pattern_free(&cell->anchored);
}

void
rules_free(struct rules **rules)
{
    struct rules *old = *rules;

    if (old == NULL) {
        return;
    }
    for (size_t i = 0; i < old->count; i++) {
        free_cell(&old->code[i].pattern);
        free_cell(&old->code[i].also);
        free_cell(&old->code[i].unless);
    }
    for (size_t i = 0; i < old->table_count; i++) {
        table_free(&old->tables[i]);
    }
    scanner_free(&old->scanner);
    if (old->making != NULL) {
        (void)pthread_mutex_destroy(old->making);
        free(old->making);
    }
    free(old->tables);
    free(old->rows);
    free(old->code);
    free(old);
    *rules = NULL;
}

size_t
rules_count(const struct rules *rules)
{
    return rules->count;
}

const struct rule *
rules_get(const struct rules *rules, size_t index)
{
    return index < rules->count ? &rules->rows[index] : NULL;
}

size_t
rules_find(const struct rules *rules, struct span id)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (span_equal(rules->rows[i].id, id)) {
            return i;
        }
    }
    return SIZE_MAX;
}
