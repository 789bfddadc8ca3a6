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

enum { SCAN_PATTERN_BYTES_MAX = 8 * MACRO_EXPANSION_BYTES_MAX };

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
    char **scan_patterns; /* one a rule, owned */
    bool *loose;          /* the scanner refused the exact gaps */
    size_t scan_room;
    struct err *err;
    /* the row being read */
    const struct table *table;
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

enum { CARET_BEFORE_CHARS = 24, CARET_AFTER_CHARS = 16 };

/* Step back `chars` characters of UTF-8. */
static size_t
step_back(struct span text, size_t at, size_t chars)
{
    while (at > 0 && chars > 0) {
        at--;
        while (at > 0 && ((unsigned char)text.data[at] & 0xC0) == 0x80) {
            at--;
        }
        chars--;
    }
    return at;
}

/* "…: problem; remedy", the pattern around the place, a caret below it. */
static enum err_code
pattern_error(struct rules_reader *reader,
              enum rule_column column,
              size_t offset,
              const char *problem,
              const char *remedy)
{
    struct span pattern = cell(reader, column);
    size_t start;
    size_t end;
    size_t blanks;

    if (offset > pattern.bytes) {
        offset = pattern.bytes;
    }
    start = step_back(pattern, offset, CARET_BEFORE_CHARS);
    end = offset;
    for (size_t i = 0; i < CARET_AFTER_CHARS && end < pattern.bytes; i++) {
        end += utf8_next((struct span){pattern.data + end, pattern.bytes - end},
                         NULL);
    }
    blanks = utf8_columns((struct span){pattern.data + start, offset - start});
    return ROW_ERROR(reader, column, ERR_BAD_PATTERN,
                     "rule '%.*s', %s: %s; %s\n    %.*s\n    %*s^",
                     SPAN_ARGS(cell(reader, COLUMN_ID)), column_names[column],
                     problem, remedy, (int)(end - start), pattern.data + start,
                     (int)blanks, "");
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
                  pcre2_code **out)
{
    const struct expansion *expansion = reader->expansion;
    size_t jit_bytes = 0;
    PCRE2_SIZE offset = 0;
    int number = 0;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)expansion->text, expansion->bytes,
                      PCRE2_UTF | PCRE2_DOTALL | PCRE2_NO_AUTO_CAPTURE |
                          PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C,
                      &number, &offset, NULL);

    if (code == NULL) {
        if (offset > expansion->bytes) {
            offset = expansion->bytes;
        }
        return pcre2_error(reader, column, number, expansion->from[offset]);
    }
    if (pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) != 0 ||
        pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &jit_bytes) != 0 ||
        jit_bytes == 0) {
        pcre2_code_free(code);
        return pattern_error(reader, column, 0,
                             "the pattern cannot be compiled to machine code",
                             "simplify it; if every rule says this, the system "
                             "forbids executable memory");
    }
    *out = code;
    return ERR_OK;
}

/* Expand, check and compile a cell that only narrows a rule. */
static enum err_code
compile_condition(struct rules_reader *reader,
                  enum rule_column column,
                  pcre2_code **out)
{
    struct pattern_fault fault;
    const struct expansion *expansion = reader->expansion;

    if (cell(reader, column).bytes == 0) {
        return ERR_OK;
    }
    if (!macros_expand(reader->macros, cell(reader, column), reader->expansion,
                       &fault)) {
        return pattern_error(reader, column, fault.offset, fault.problem,
                             fault.remedy);
    }
    if (!pattern_check((struct span){expansion->text, expansion->bytes},
                       reader->cleaner, &fault)) {
        return pattern_error(reader, column, expansion->from[fault.offset],
                             fault.problem, fault.remedy);
    }
    return compile_expansion(reader, column, out);
}

/* The looser form for the scanner, as a string of its own. */
static enum err_code
loosen(struct rules_reader *reader, bool loose, char **out)
{
    const struct expansion *expansion = reader->expansion;
    struct pattern_fault fault;
    size_t bytes = 0;
    char *text = malloc(SCAN_PATTERN_BYTES_MAX + 1);
    char *fit;

    if (text == NULL) {
        return err_set(reader->err, ERR_NO_MEMORY, "the rules");
    }
    if (!pattern_loosen((struct span){expansion->text, expansion->bytes},
                        reader->cleaner, loose, text, SCAN_PATTERN_BYTES_MAX,
                        &bytes, &fault)) {
        free(text);
        return pattern_error(reader, COLUMN_PATTERN,
                             expansion->from[fault.offset], fault.problem,
                             fault.remedy);
    }
    text[bytes] = '\0';
    fit = realloc(text, bytes + 1);
    free(*out);
    *out = fit != NULL ? fit : text;
    return ERR_OK;
}

static enum err_code
compile_pattern(struct rules_reader *reader, size_t index)
{
    struct pattern_fault fault;
    enum err_code code;

    if (!macros_expand(reader->macros, cell(reader, COLUMN_PATTERN),
                       reader->expansion, &fault)) {
        return pattern_error(reader, COLUMN_PATTERN, fault.offset,
                             fault.problem, fault.remedy);
    }
    code = loosen(reader, false, &reader->scan_patterns[index]);
    if (code != ERR_OK) {
        return code;
    }
    return compile_expansion(reader, COLUMN_PATTERN,
                             &reader->rules->code[index].pattern);
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
    if ((code = compile_pattern(reader, index)) ||
        (code = compile_condition(reader, COLUMN_ALSO,
                                  &rules->code[index].also)) ||
        (code = compile_condition(reader, COLUMN_UNLESS,
                                  &rules->code[index].unless))) {
        return code;
    }
    return ERR_OK;
}

/* Room for `more` further rules. */
static enum err_code
make_room(struct rules_reader *reader, size_t more)
{
    struct rules *rules = reader->rules;
    size_t room = rules->count + more + 1;
    struct rule *rows;
    struct rule_code *code;
    char **patterns;

    if (rules->count + more > RULES_MAX) {
        return err_set(reader->err, ERR_TOO_LONG,
                       "%s: more than %d rules all together",
                       table_name(reader->table), RULES_MAX);
    }
    rows = realloc(rules->rows, room * sizeof(*rows));
    rules->rows = rows != NULL ? rows : rules->rows;
    code = realloc(rules->code, room * sizeof(*code));
    rules->code = code != NULL ? code : rules->code;
    patterns = realloc(reader->scan_patterns, room * sizeof(*patterns));
    reader->scan_patterns = patterns != NULL ? patterns : reader->scan_patterns;
    if (rows == NULL || code == NULL || patterns == NULL) {
        return err_set(reader->err, ERR_NO_MEMORY, "the rules");
    }
    memset(code + rules->count, 0, (room - rules->count) * sizeof(*code));
    memset(patterns + rules->count, 0,
           (room - rules->count) * sizeof(*patterns));
    reader->scan_room = room;
    return ERR_OK;
}

static enum err_code
read_file(struct rules_reader *reader, const struct dictionary_file *file)
{
    struct rules *rules = reader->rules;
    struct table *table = NULL;
    char name[256];
    enum err_code code;

    (void)snprintf(name, sizeof(name), "dict/%s", file->path);
    code = table_parse(name, file->bytes, &table, reader->err);
    if (code != ERR_OK) {
        return code;
    }
    rules->tables[rules->table_count++] = table; /* freed with the rules */
    reader->table = table;
    if ((code = dictionary_file_columns(table, column_names, COLUMN_COUNT,
                                        reader->columns, reader->err)) ||
        (code = make_room(reader, table_row_count(table)))) {
        return code;
    }
    for (reader->row = 0; reader->row < table_row_count(table); reader->row++) {
        code = read_rule(reader);
        if (code != ERR_OK) {
            return code;
        }
    }
    return ERR_OK;
}

static bool
is_rule_file(const struct dictionary_file *file)
{
    struct span path = span_of(file->path);

    return span_starts(path, SPAN_LITERAL("rules/")) && path.bytes > 10 &&
           memcmp(path.data + path.bytes - 4, ".csv", 4) == 0;
}

/* ----------------------------------------------------------------- scanner */

/* One call of libhs; *bad gets the pattern it refused, or -1. */
static enum err_code
compile_scanner_once(struct rules_reader *reader,
                     const unsigned *flags,
                     const unsigned *ids,
                     int *bad,
                     char *why,
                     size_t why_bytes)
{
    hs_compile_error_t *failure = NULL;
    hs_error_t result =
        hs_compile_multi((const char *const *)reader->scan_patterns, flags, ids,
                         (unsigned)reader->rules->count, HS_MODE_BLOCK, NULL,
                         &reader->rules->scanner, &failure);

    *bad = -1;
    if (result == HS_SUCCESS) {
        return ERR_OK;
    }
    (void)snprintf(why, why_bytes, "%s",
                   failure != NULL && failure->message != NULL
                       ? failure->message
                       : "unknown reason");
    if (failure != NULL) {
        *bad = failure->expression;
        (void)hs_free_compile_error(failure);
    }
    return ERR_BAD_PATTERN;
}

/* Loosen further the rule that libhs refused; false when it is already. */
static bool
loosen_further(struct rules_reader *reader, size_t index)
{
    struct pattern_fault fault;
    struct span pattern = reader->rules->rows[index].pattern;

    if (reader->loose[index]) {
        return false;
    }
    reader->loose[index] = true;
    return macros_expand(reader->macros, pattern, reader->expansion, &fault) &&
           loosen(reader, true, &reader->scan_patterns[index]) == ERR_OK;
}

static enum err_code
compile_scanner(struct rules_reader *reader)
{
    size_t count = reader->rules->count;
    unsigned *flags = calloc(count + 1, sizeof(*flags));
    unsigned *ids = calloc(count + 1, sizeof(*ids));
    char why[200] = "";
    enum err_code code = ERR_OK;
    int bad = -1;

    reader->loose = calloc(count + 1, sizeof(*reader->loose));
    if (flags == NULL || ids == NULL || reader->loose == NULL) {
        code = err_set(reader->err, ERR_NO_MEMORY, "the rules");
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        flags[i] = HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL;
        ids[i] = (unsigned)i;
    }
    while (compile_scanner_once(reader, flags, ids, &bad, why, sizeof(why)) !=
           ERR_OK) {
        if (bad < 0 || (size_t)bad >= count ||
            !loosen_further(reader, (size_t)bad)) {
            const struct rule *rule = bad >= 0 && (size_t)bad < count
                                          ? &reader->rules->rows[bad]
                                          : NULL;

            code = err_set(
                reader->err, ERR_BAD_PATTERN,
                "%s: line %zu: rule '%.*s': the scanner refuses the "
                "pattern (%s); simplify it or split it in two",
                rule != NULL ? rule->file : "dict/rules",
                rule != NULL ? rule->line : (size_t)0,
                SPAN_ARGS(rule != NULL ? rule->id : SPAN_LITERAL("?")), why);
            goto out;
        }
    }
out:
    free(flags);
    free(ids);
    return code;
}

/* ------------------------------------------------------------------- build */

static enum err_code
read_all(struct rules_reader *reader,
         const struct dictionary_file *files,
         size_t file_count)
{
    enum err_code code;

    reader->rules->tables =
        calloc(file_count + 1, sizeof(*reader->rules->tables));
    reader->expansion = malloc(sizeof(*reader->expansion));
    if (reader->rules->tables == NULL || reader->expansion == NULL) {
        return err_set(reader->err, ERR_NO_MEMORY, "the rules");
    }
    code = macros_build(files, file_count, &reader->macros, reader->err);
    for (size_t i = 0; i < file_count && code == ERR_OK; i++) {
        if (is_rule_file(&files[i])) {
            code = read_file(reader, &files[i]);
        }
    }
    if (code == ERR_OK && reader->rules->count > 0) {
        code = compile_scanner(reader);
    }
    return code;
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
    struct rules_reader reader = {
        .rules = rules, .taxonomy = taxonomy, .cleaner = cleaner, .err = err};
    enum err_code code;

    if (rules == NULL) {
        return err_set(err, ERR_NO_MEMORY, "the rules");
    }
    code = read_all(&reader, files, file_count);
    for (size_t i = 0; i < reader.scan_room; i++) {
        free(reader.scan_patterns[i]);
    }
    free(reader.scan_patterns);
    free(reader.loose);
    free(reader.expansion);
    macros_free(&reader.macros);
    if (code != ERR_OK) {
        rules_free(&rules);
        return code;
    }
    *out = rules;
    return ERR_OK;
}

void
rules_free(struct rules **rules)
{
    struct rules *old = *rules;

    if (old == NULL) {
        return;
    }
    for (size_t i = 0; i < old->count; i++) {
        pcre2_code_free(old->code[i].pattern);
        pcre2_code_free(old->code[i].also);
        pcre2_code_free(old->code[i].unless);
    }
    for (size_t i = 0; i < old->table_count; i++) {
        table_free(&old->tables[i]);
    }
    (void)hs_free_database(old->scanner);
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
