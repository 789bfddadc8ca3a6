/* Urban, rural or remote: the steps of evidence in their order. */
#include "analyzers/region.h"

#include <stdlib.h>
#include <string.h>

#include "analyzers/dictionary_file.h"
#include "analyzers/places.h"
#include "analyzers/units.h"

enum {
    NO_RULE = 0xFFFF,
    BUCKETS_LOG2 = 9,
    BUCKET_COUNT = 1 << BUCKETS_LOG2,
    WORD_CHARS_MAX = 16,
    WEIGHT_MAX = 10000,
    PERCENT_ANY = -1,
    STEP_BYTES_MAX = 64
};

_Static_assert((int)REGION_TEXT_CHARS_MAX <= (int)PLACES_LINE_CHARS_MAX &&
                   (int)REGION_ADDRESS_CHARS_MAX <= (int)PLACES_LINE_CHARS_MAX,
               "a line holds what is looked at");

enum rule_field {
    FIELD_THRESHOLD, /* how much a region needs; no pattern */
    FIELD_GAZETTEER, /* kind of the county or town found */
    FIELD_AREA,      /* the county or town lies in this area */
    FIELD_ADDRESS,   /* words behind the administrative part */
    FIELD_TEXT,
    FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {"threshold", "gazetteer",
                                                     "area", "address", "text"};

struct rule {
    enum rule_field field;
    enum ticket_region region;
    int32_t weight;
    struct span step; /* "address:estate", what evidence.rule says */
    struct region_rule shown;
    uint32_t unless_first; /* into words; those of the pattern come before */
    uint32_t unless_count;
};

/* One alternative of a pattern: literal characters and `#`, a number. */
struct word {
    uint16_t rule;
    uint8_t length;     /* of chars */
    bool at_start;      /* ^: where the rest of the address begins */
    bool at_end;        /* $ */
    bool number_before; /* a leading # */
    bool is_unless;
    bool has_number; /* a # inside or in front: any length */
    uint16_t chars[WORD_CHARS_MAX];
};

/* A kind of place, with the county it must lie in and how urban it must be. */
struct kind_test {
    uint16_t rule;
    enum place_kind kind;
    enum place_kind county; /* PLACE_NONE: any */
    int percent_min;        /* PERCENT_ANY: any, also unknown */
};

struct area {
    uint32_t code;
    uint32_t level;
    uint16_t rule; /* NO_RULE: taken out by `unless` */
};

struct customer {
    struct span id;
    enum ticket_region region;
};

/* Words by their first character. */
struct word_index {
    uint32_t first[BUCKET_COUNT + 1];
    uint32_t *order; /* positions in words */
};

struct region_table {
    struct places *places;
    struct table *rows;           /* regions.csv: ids and examples */
    struct table *customers_rows; /* customers.csv or NULL */
    struct rule *rules;
    size_t rule_count;
    struct word *words;
    size_t word_count;
    struct kind_test *kinds;
    size_t kind_count;
    size_t kind_room;
    struct area *areas; /* by level, code */
    size_t area_count;
    size_t area_room;
    struct word_index index[2]; /* of address rules, of text rules */
    struct customer *customers; /* by id */
    size_t customer_count;
    char *steps; /* rule_count pieces of STEP_BYTES_MAX */
    int32_t thresholds[TICKET_REGION_COUNT];
};

/* --- words --- */

#define NUMBER ((uint16_t)'#')

/* A digit, a letter of a block or a Chinese numeral. */
static bool
is_number(uint16_t c)
{
    static const uint16_t numerals[] = {
        u'一', u'二', u'三', u'四', u'五', u'六', u'七', u'八', u'九',
        u'十', u'〇', u'零', u'百', u'两', u'甲', u'乙', u'丙', u'丁'};

    if (c < 0x80) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
               (c >= 'a' && c <= 'z') || c == '-';
    }
    for (size_t i = 0; i < sizeof(numerals) / sizeof(numerals[0]); i++) {
        if (c == numerals[i]) {
            return true;
        }
    }
    return false;
}

/* Does the word stand at `at`? *start and *end get its characters, a leading
 * number included. `rest` is where the administrative part ends. */
static bool
word_matches(const struct word *word,
             const struct place_line *line,
             size_t rest,
             size_t at,
             size_t *start,
             size_t *end)
{
    size_t i = at;

    for (size_t k = 0; k < word->length; k++) {
        if (word->chars[k] == NUMBER) {
            if (i >= line->count || !is_number(line->chars[i])) {
                return false;
            }
            while (i < line->count && is_number(line->chars[i])) {
                i++;
            }
        } else {
            if (i >= line->count || line->chars[i] != word->chars[k]) {
                return false;
            }
            i++;
        }
    }
    *start = at;
    if (word->number_before) {
        while (*start > rest && is_number(line->chars[*start - 1])) {
            (*start)--;
        }
        if (*start == at) {
            return false;
        }
    }
    *end = i;
    return (!word->at_start || *start == rest) &&
           (!word->at_end || i == line->count);
}

static size_t
bucket_of(uint16_t c)
{
    return (uint32_t)(c * UINT32_C(0x9E3779B1)) >> (32 - BUCKETS_LOG2);
}

/* Is the match start..end part of one of the rule's `unless` words? */
static bool
is_excused(const struct region_table *table,
           const struct rule *rule,
           const struct place_line *line,
           size_t rest,
           size_t start,
           size_t end)
{
    for (uint32_t i = 0; i < rule->unless_count; i++) {
        const struct word *word = &table->words[rule->unless_first + i];
        size_t reach = word->has_number ? (size_t)WORD_CHARS_MAX
                                        : (size_t)word->length - 1;
        size_t last = word->has_number ? end : start + 1;

        for (size_t at = start > reach ? start - reach : 0; at < last; at++) {
            size_t unless_start;
            size_t unless_end;

            if (line->chars[at] == word->chars[0] &&
                word_matches(word, line, rest, at, &unless_start,
                             &unless_end) &&
                unless_start <= start && unless_end >= end) {
                return true;
            }
        }
    }
    return false;
}

/* --- weighing --- */

struct finding {
    uint16_t rule; /* strongest of its region, NO_RULE */
    int32_t weight;
    size_t start;
    size_t end;
};

struct scales {
    int32_t sums[TICKET_REGION_COUNT];
    struct finding best[TICKET_REGION_COUNT];
    uint64_t spoken[REGION_RULES_MAX / 64]; /* each rule counts once */
};

static void
scales_init(struct scales *scales)
{
    memset(scales, 0, sizeof(*scales));
    for (size_t i = 0; i < TICKET_REGION_COUNT; i++) {
        scales->best[i].rule = NO_RULE;
    }
}

static void
speak(const struct region_table *table,
      struct scales *scales,
      uint16_t rule_index,
      size_t start,
      size_t end)
{
    const struct rule *rule = &table->rules[rule_index];
    struct finding *best = &scales->best[rule->region];
    uint64_t bit = UINT64_C(1) << (rule_index % 64);

    if (scales->spoken[rule_index / 64] & bit) {
        return;
    }
    scales->spoken[rule_index / 64] |= bit;
    scales->sums[rule->region] += rule->weight;
    if (best->rule == NO_RULE || rule->weight > best->weight) {
        *best = (struct finding){rule_index, rule->weight, start, end};
    }
}

static void
weigh_words(const struct region_table *table,
            const struct word_index *index,
            const struct place_line *line,
            size_t rest,
            struct scales *scales)
{
    for (size_t at = rest; at < line->count; at++) {
        size_t bucket = bucket_of(line->chars[at]);

        for (uint32_t i = index->first[bucket]; i < index->first[bucket + 1];
             i++) {
            const struct word *word = &table->words[index->order[i]];
            size_t start;
            size_t end;

            if (word->chars[0] == line->chars[at] &&
                word_matches(word, line, rest, at, &start, &end) &&
                !is_excused(table, &table->rules[word->rule], line, rest, start,
                            end)) {
                speak(table, scales, word->rule, start, end);
            }
        }
    }
}

static void
weigh_kinds(const struct region_table *table,
            const struct place_path *path,
            struct scales *scales)
{
    for (size_t i = 0; i < table->kind_count; i++) {
        const struct kind_test *test = &table->kinds[i];
        bool is_town = test->kind >= PLACE_STREET;

        if (test->kind != (is_town ? path->town : path->county) ||
            (test->county != PLACE_NONE && test->county != path->county)) {
            continue;
        }
        if (test->percent_min != PERCENT_ANY &&
            (path->urban_percent == PLACES_PERCENT_UNKNOWN ||
             path->urban_percent < (uint32_t)test->percent_min)) {
            continue;
        }
        if (is_town) {
            speak(table, scales, test->rule, path->town_start, path->town_end);
        } else if (path->county_end > path->county_start) {
            speak(table, scales, test->rule, path->county_start,
                  path->county_end);
        } else {
            speak(table, scales, test->rule, path->town_start, path->town_end);
        }
    }
}

static int
compare_areas(const void *a, const void *b)
{
    const struct area *x = a;
    const struct area *y = b;

    if (x->level != y->level) {
        return x->level < y->level ? -1 : 1;
    }
    return x->code < y->code ? -1 : x->code > y->code;
}

/* The smallest listed area that holds the place. */
static void
weigh_area(const struct region_table *table,
           const struct place_path *path,
           struct scales *scales)
{
    for (uint32_t level = path->level + 1; level-- > 0;) {
        struct area wanted = {place_code_at(path->code, level), level, 0};
        const struct area *found =
            table->area_count == 0
                ? NULL
                : bsearch(&wanted, table->areas, table->area_count,
                          sizeof(wanted), compare_areas);

        if (found != NULL) {
            if (found->rule != NO_RULE) {
                speak(table, scales, found->rule, 0, path->end);
            }
            return;
        }
    }
}

/* Everything an address says. */
static void
weigh_address(const struct region_table *table,
              const struct place_line *line,
              struct scales *scales)
{
    struct place_path path;

    places_read(table->places, line, &path);
    weigh_kinds(table, &path, scales);
    if (path.code != 0) {
        weigh_area(table, &path, scales);
    }
    weigh_words(table, &table->index[0], line, path.end, scales);
}

/*
 * Urban against rural; remote when enough says so and more than speaks for
 * urban. What stays below every threshold is unknown.
 */
static enum ticket_region
decide(const struct region_table *table, const struct scales *scales)
{
    int32_t urban =
        scales->sums[TICKET_REGION_URBAN] - scales->sums[TICKET_REGION_RURAL];

    if (scales->sums[TICKET_REGION_REMOTE] >=
            table->thresholds[TICKET_REGION_REMOTE] &&
        urban < scales->sums[TICKET_REGION_REMOTE]) {
        return TICKET_REGION_REMOTE;
    }
    if (scales->best[TICKET_REGION_URBAN].rule != NO_RULE &&
        urban >= table->thresholds[TICKET_REGION_URBAN]) {
        return TICKET_REGION_URBAN;
    }
    if (scales->best[TICKET_REGION_RURAL].rule != NO_RULE &&
        -urban >= table->thresholds[TICKET_REGION_RURAL]) {
        return TICKET_REGION_RURAL;
    }
    return TICKET_REGION_UNKNOWN;
}

/* --- the steps --- */

static void
name_step(struct evidence *evidence,
          struct span step,
          enum evidence_field field,
          struct span text)
{
    *evidence = (struct evidence){
        .rule = step,
        .text = text,
        .end = (uint32_t)utf8_count(text),
        .weight = 100,
        .field = field,
        .category = TICKET_CATEGORY_NONE,
    };
}

static void
name_words(const struct region_table *table,
           const struct scales *scales,
           enum ticket_region region,
           const struct place_line *line,
           struct span original,
           enum evidence_field field,
           struct evidence *evidence)
{
    const struct finding *best = &scales->best[region];
    const char *start = original.data + line->bytes[best->start];

    *evidence = (struct evidence){
        .rule = table->rules[best->rule].step,
        .text = {start,
                 (size_t)(line->bytes[best->end] - line->bytes[best->start])},
        .start = (uint32_t)best->start,
        .end = (uint32_t)best->end,
        .weight = 100,
        .field = field,
        .category = TICKET_CATEGORY_NONE,
    };
}

static enum ticket_region
judge_address(const struct region_table *table,
              struct span address,
              struct evidence *evidence)
{
    struct place_line line;
    struct scales scales;
    enum ticket_region region;

    scales_init(&scales);
    places_line(table->places, address, REGION_ADDRESS_CHARS_MAX, &line);
    weigh_address(table, &line, &scales);
    region = decide(table, &scales);
    if (region != TICKET_REGION_UNKNOWN) {
        name_words(table, &scales, region, &line, address, EVIDENCE_ADDRESS,
                   evidence);
    }
    return region;
}

static enum ticket_region
judge_text(const struct region_table *table,
           struct span text,
           struct evidence *evidence)
{
    struct place_line line;
    struct scales scales;
    enum ticket_region region;

    scales_init(&scales);
    places_line(table->places, text, REGION_TEXT_CHARS_MAX, &line);
    weigh_words(table, &table->index[1], &line, 0, &scales);
    region = decide(table, &scales);
    if (region != TICKET_REGION_UNKNOWN) {
        name_words(table, &scales, region, &line, text, EVIDENCE_TEXT,
                   evidence);
    }
    return region;
}

static int
compare_customers(const void *a, const void *b)
{
    return span_compare(((const struct customer *)a)->id,
                        ((const struct customer *)b)->id);
}

static enum ticket_region
customer_region(const struct region_table *table, struct span id)
{
    struct customer wanted = {id, TICKET_REGION_UNKNOWN};
    const struct customer *found;

    if (table->customer_count == 0 || id.bytes == 0) {
        return TICKET_REGION_UNKNOWN;
    }
    found = bsearch(&wanted, table->customers, table->customer_count,
                    sizeof(wanted), compare_customers);
    return found != NULL ? found->region : TICKET_REGION_UNKNOWN;
}

enum ticket_region
region_judge(const struct region_table *table,
             const struct units *units,
             const struct ticket *ticket,
             struct evidence *evidence)
{
    enum ticket_region region = ticket->region;

    if (region != TICKET_REGION_UNKNOWN) {
        name_step(evidence, SPAN_LITERAL("field"), EVIDENCE_REGION,
                  (struct span){NULL, 0});
        return region;
    }
    if (units != NULL && ticket->unit.bytes > 0) {
        struct span row_path = {NULL, 0};

        region =
            units_region(units, units_path(units, ticket->unit), &row_path);
        if (region != TICKET_REGION_UNKNOWN) {
            name_step(evidence, SPAN_LITERAL("unit"), EVIDENCE_UNIT,
                      ticket->unit);
            return region;
        }
    }
    region = customer_region(table, ticket->customer);
    if (region != TICKET_REGION_UNKNOWN) {
        name_step(evidence, SPAN_LITERAL("customer"), EVIDENCE_CUSTOMER,
                  ticket->customer);
        return region;
    }
    region = judge_address(table, ticket->address, evidence);
    if (region == TICKET_REGION_UNKNOWN) {
        region = judge_text(table, ticket->text, evidence);
    }
    if (region == TICKET_REGION_UNKNOWN) {
        name_step(evidence, SPAN_LITERAL("unknown"), EVIDENCE_ADDRESS,
                  (struct span){NULL, 0});
    }
    return region;
}

size_t
region_rule_count(const struct region_table *table)
{
    return table->rule_count;
}

struct region_rule
region_rule_at(const struct region_table *table, size_t rule)
{
    return table->rules[rule].shown;
}

bool
region_rule_speaks(const struct region_table *table,
                   size_t rule,
                   struct span words)
{
    struct place_line line;
    struct scales scales;

    scales_init(&scales);
    if (table->rules[rule].field == FIELD_TEXT) {
        places_line(table->places, words, REGION_TEXT_CHARS_MAX, &line);
        weigh_words(table, &table->index[1], &line, 0, &scales);
    } else {
        places_line(table->places, words, REGION_ADDRESS_CHARS_MAX, &line);
        weigh_address(table, &line, &scales);
    }
    return (scales.spoken[rule / 64] >> (rule % 64) & 1) != 0;
}

/* --- building --- */

struct columns {
    size_t id;
    size_t field;
    size_t region;
    size_t pattern;
    size_t unless;
    size_t weight;
    size_t must_match;
    size_t must_not_match;
};

static enum err_code
find_columns(const struct table *rows, struct columns *out, struct err *err)
{
    enum err_code code;
    size_t note;

    if ((code = table_need_column(rows, "id", &out->id, err)) ||
        (code = table_need_column(rows, "field", &out->field, err)) ||
        (code = table_need_column(rows, "region", &out->region, err)) ||
        (code = table_need_column(rows, "pattern", &out->pattern, err)) ||
        (code = table_need_column(rows, "unless", &out->unless, err)) ||
        (code = table_need_column(rows, "weight", &out->weight, err)) ||
        (code = table_need_column(rows, "note", &note, err)) ||
        (code = table_need_column(rows, "must_match", &out->must_match, err)) ||
        (code = table_need_column(rows, "must_not_match", &out->must_not_match,
                                  err))) {
        return code;
    }
    return ERR_OK;
}

static bool
parse_number(struct span text, int32_t max, int32_t *out)
{
    int32_t value = 0;

    if (text.bytes == 0) {
        return false;
    }
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (text.data[i] - '0');
        if (value > max) {
            return false;
        }
    }
    *out = value;
    return true;
}

/* Room for one more of an array that grows while rules are read. */
static void *
push(void **array, size_t *count, size_t *room, size_t bytes)
{
    if (*count == *room) {
        size_t larger = *room == 0 ? 64 : *room * 2;
        void *moved = realloc(*array, larger * bytes);

        if (moved == NULL) {
            return NULL;
        }
        *array = moved;
        *room = larger;
    }
    return (char *)*array + (*count)++ * bytes;
}

/* What reading one row needs. */
struct builder {
    struct region_table *table;
    struct columns columns;
    struct err *err;
    size_t row;
    uint16_t rule;
};

static enum err_code
bad_pattern(const struct builder *builder, size_t column, const char *what)
{
    return table_error(builder->table->rows, builder->row, column,
                       ERR_BAD_PATTERN, builder->err, "%s", what);
}

static enum err_code
add_word(struct builder *builder,
         size_t column,
         struct span text,
         bool is_unless)
{
    struct region_table *table = builder->table;
    struct place_line line;
    struct word word = {.rule = builder->rule, .is_unless = is_unless};
    size_t from = 0;
    size_t to;

    places_line(table->places, text, WORD_CHARS_MAX + 4, &line);
    to = line.count;
    if (from < to && line.chars[from] == '^') {
        word.at_start = true;
        from++;
    }
    if (from < to && line.chars[from] == NUMBER) {
        word.number_before = true;
        from++;
    }
    if (from < to && line.chars[to - 1] == '$') {
        word.at_end = true;
        to--;
    }
    if (from == to || line.chars[from] == NUMBER) {
        return bad_pattern(builder, column,
                           "a word needs a character that is no number");
    }
    if (to - from > WORD_CHARS_MAX) {
        return bad_pattern(builder, column, "a word has 16 characters at most");
    }
    if (table->word_count == REGION_WORDS_MAX) {
        return bad_pattern(builder, column, "too many words in this file");
    }
    word.length = (uint8_t)(to - from);
    memcpy(word.chars, &line.chars[from], (to - from) * sizeof(uint16_t));
    word.has_number = word.number_before;
    for (size_t i = from; i < to; i++) {
        word.has_number = word.has_number || line.chars[i] == NUMBER;
    }
    table->words[table->word_count++] = word;
    return ERR_OK;
}

static enum err_code
add_kind(struct builder *builder, struct span text)
{
    struct region_table *table = builder->table;
    struct kind_test test = {.rule = builder->rule, .percent_min = PERCENT_ANY};
    size_t percent = span_find(text, SPAN_LITERAL(">="), 0);
    size_t at;
    struct kind_test *slot;

    if (percent != SIZE_MAX) {
        struct span number = {text.data + percent + 2,
                              text.bytes - percent - 2};

        if (!parse_number(number, 100, &test.percent_min)) {
            return bad_pattern(builder, builder->columns.pattern,
                               ">= wants a percentage");
        }
        text.bytes = percent;
    }
    at = span_find(text, SPAN_LITERAL("@"), 0);
    if (at != SIZE_MAX) {
        struct span county = {text.data + at + 1, text.bytes - at - 1};

        test.county = place_kind_from(county);
        if (test.county == PLACE_NONE) {
            return bad_pattern(builder, builder->columns.pattern,
                               "behind @ stands a kind of county");
        }
        text.bytes = at;
    }
    test.kind = place_kind_from(text);
    if (test.kind < PLACE_DISTRICT) {
        return bad_pattern(builder, builder->columns.pattern,
                           "not a kind of county or town");
    }
    slot = push((void **)&table->kinds, &table->kind_count, &table->kind_room,
                sizeof(*table->kinds));
    if (slot == NULL) {
        return err_set(builder->err, ERR_NO_MEMORY, "dict/regions.csv");
    }
    *slot = test;
    return ERR_OK;
}

/* A name of an area, or its code for a name that several areas share. */
static enum err_code
add_area(struct builder *builder, size_t column, struct span text, bool out)
{
    struct region_table *table = builder->table;
    struct area area = {.rule = out ? (uint16_t)NO_RULE : builder->rule};
    struct area *slot;
    int32_t number;

    if (parse_number(text, 999999999, &number) &&
        (text.bytes == 6 || text.bytes == 9)) {
        area.level = text.bytes == 6 ? PLACE_LEVEL_COUNTY : PLACE_LEVEL_TOWN;
        area.code = (uint32_t)number * (text.bytes == 6 ? 1000u : 1u);
    } else if (!places_find_area(table->places, text, &area.code,
                                 &area.level)) {
        return table_error(table->rows, builder->row, column, ERR_BAD_PATTERN,
                           builder->err,
                           "no place, or more than one, is called '%.*s'; "
                           "give the code of towns.csv",
                           SPAN_ARGS(text));
    }
    slot = push((void **)&table->areas, &table->area_count, &table->area_room,
                sizeof(*table->areas));
    if (slot == NULL) {
        return err_set(builder->err, ERR_NO_MEMORY, "dict/regions.csv");
    }
    *slot = area;
    return ERR_OK;
}

static enum err_code
add_alternatives(struct builder *builder, size_t column, bool is_unless)
{
    const struct rule *rule = &builder->table->rules[builder->rule];
    struct span rest = table_cell(builder->table->rows, builder->row, column);
    enum err_code code = ERR_OK;

    while (code == ERR_OK && rest.bytes > 0) {
        struct span part = span_trim(span_split(&rest, '|'));

        switch (rule->field) {
        case FIELD_GAZETTEER:
            code = is_unless ? bad_pattern(builder, column,
                                           "a gazetteer rule has no unless")
                             : add_kind(builder, part);
            break;
        case FIELD_AREA:
            code = add_area(builder, column, part, is_unless);
            break;
        case FIELD_ADDRESS:
        case FIELD_TEXT:
            code = add_word(builder, column, part, is_unless);
            break;
        default:
            code = bad_pattern(builder, column, "a threshold has no pattern");
            break;
        }
    }
    return code;
}

static enum err_code
read_field(struct builder *builder, struct rule *rule)
{
    const struct columns *columns = &builder->columns;
    struct table *rows = builder->table->rows;
    struct span field = table_cell(rows, builder->row, columns->field);
    struct span region = table_cell(rows, builder->row, columns->region);
    struct span weight = table_cell(rows, builder->row, columns->weight);

    rule->field = FIELD_COUNT;
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (span_is(field, field_names[i])) {
            rule->field = (enum rule_field)i;
        }
    }
    if (rule->field == FIELD_COUNT) {
        return table_error(rows, builder->row, columns->field, ERR_BAD_VALUE,
                           builder->err,
                           "'%.*s' is none of threshold, gazetteer, area, "
                           "address, text",
                           SPAN_ARGS(field));
    }
    if (!ticket_region_from(region, &rule->region) ||
        rule->region == TICKET_REGION_UNKNOWN) {
        return table_error(
            rows, builder->row, columns->region, ERR_BAD_REGION, builder->err,
            "'%.*s' is none of urban, rural, remote", SPAN_ARGS(region));
    }
    if (!parse_number(weight, WEIGHT_MAX, &rule->weight)) {
        return table_error(rows, builder->row, columns->weight, ERR_BAD_VALUE,
                           builder->err, "a weight is 0 to %d hundredths",
                           (int)WEIGHT_MAX);
    }
    return ERR_OK;
}

static enum err_code
name_rule(struct builder *builder, struct rule *rule)
{
    struct region_table *table = builder->table;
    char *step = table->steps + (size_t)builder->rule * STEP_BYTES_MAX;
    const char *field = field_names[rule->field];
    struct span id = rule->shown.id;

    if (id.bytes == 0 || id.bytes > STEP_BYTES_MAX - 16) {
        return table_error(table->rows, builder->row, builder->columns.id,
                           ERR_BAD_VALUE, builder->err,
                           "a rule needs an id of at most %d bytes",
                           STEP_BYTES_MAX - 16);
    }
    for (uint16_t i = 0; i < builder->rule; i++) {
        if (span_equal(table->rules[i].shown.id, id)) {
            return table_error(table->rows, builder->row, builder->columns.id,
                               ERR_BAD_TABLE, builder->err,
                               "id '%.*s' is on line %zu already",
                               SPAN_ARGS(id), table->rules[i].shown.line);
        }
    }
    if (rule->field != FIELD_ADDRESS && rule->field != FIELD_TEXT) {
        rule->step = SPAN_LITERAL("gazetteer");
        return ERR_OK;
    }
    memcpy(step, field, strlen(field));
    step[strlen(field)] = ':';
    memcpy(step + strlen(field) + 1, id.data, id.bytes);
    rule->step = (struct span){step, strlen(field) + 1 + id.bytes};
    return ERR_OK;
}

static enum err_code
add_rule(struct builder *builder)
{
    struct region_table *table = builder->table;
    const struct columns *columns = &builder->columns;
    struct rule *rule = &table->rules[builder->rule];
    enum err_code code;

    rule->shown = (struct region_rule){
        .id = table_cell(table->rows, builder->row, columns->id),
        .must_match =
            table_cell(table->rows, builder->row, columns->must_match),
        .must_not_match =
            table_cell(table->rows, builder->row, columns->must_not_match),
        .line = table_row_line(table->rows, builder->row),
    };
    if ((code = read_field(builder, rule)) ||
        (code = name_rule(builder, rule))) {
        return code;
    }
    table->rule_count++;
    if (rule->field == FIELD_THRESHOLD) {
        table->thresholds[rule->region] = rule->weight;
    } else if (table_cell(table->rows, builder->row, columns->pattern).bytes ==
               0) {
        return bad_pattern(builder, columns->pattern, "a rule needs a pattern");
    }
    code = add_alternatives(builder, columns->pattern, false);
    if (code != ERR_OK) {
        return code;
    }
    rule->unless_first = (uint32_t)table->word_count;
    code = add_alternatives(builder, columns->unless, true);
    rule->unless_count = (uint32_t)table->word_count - rule->unless_first;
    return code;
}

/* Words of the address (or text) rules by their first character. */
static enum err_code
build_index(struct region_table *table,
            enum rule_field field,
            struct word_index *index,
            struct err *err)
{
    uint32_t next[BUCKET_COUNT] = {0};
    uint32_t sum = 0;

    index->order = calloc(table->word_count + 1, sizeof(*index->order));
    if (index->order == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/regions.csv");
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < table->word_count; i++) {
            const struct word *word = &table->words[i];
            size_t bucket = bucket_of(word->chars[0]);

            if (word->is_unless || table->rules[word->rule].field != field) {
                continue;
            }
            if (pass == 1) {
                index->order[index->first[bucket] + next[bucket]] = (uint32_t)i;
            }
            next[bucket]++;
        }
        for (size_t i = 0; pass == 0 && i < BUCKET_COUNT; i++) {
            index->first[i] = sum;
            sum += next[i];
            next[i] = 0;
        }
    }
    index->first[BUCKET_COUNT] = sum;
    return ERR_OK;
}

static enum err_code
build_rules(struct region_table *table,
            const struct dictionary_file *file,
            struct err *err)
{
    struct builder builder = {.table = table, .err = err};
    enum err_code code = dictionary_file_parse(file, &table->rows, err);
    size_t count;

    if (code != ERR_OK ||
        (code = find_columns(table->rows, &builder.columns, err))) {
        return code;
    }
    count = table_row_count(table->rows);
    if (count > REGION_RULES_MAX) {
        return err_set(err, ERR_TOO_LONG,
                       "dict/regions.csv: %zu rules, at most %d", count,
                       (int)REGION_RULES_MAX);
    }
    table->rules = calloc(count + 1, sizeof(*table->rules));
    table->steps = calloc(count + 1, STEP_BYTES_MAX);
    table->words = calloc(REGION_WORDS_MAX, sizeof(*table->words));
    if (table->rules == NULL || table->steps == NULL || table->words == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/regions.csv");
    }
    for (size_t row = 0; code == ERR_OK && row < count; row++) {
        builder.row = row;
        builder.rule = (uint16_t)row;
        (void)!add_rule(&builder);
        code = table_go_on(table->rows, err) ? ERR_OK : err->code;
    }
    if (code == ERR_OK) {
        code = table_end(table->rows, err);
    }
    if (code == ERR_OK && table->area_count > 0) {
        qsort(table->areas, table->area_count, sizeof(*table->areas),
              compare_areas);
    }
    if (code == ERR_OK) {
        code = build_index(table, FIELD_ADDRESS, &table->index[0], err);
    }
    if (code == ERR_OK) {
        code = build_index(table, FIELD_TEXT, &table->index[1], err);
    }
    return code;
}

static enum err_code
build_customers(struct region_table *table,
                const struct dictionary_file *file,
                struct err *err)
{
    enum err_code code =
        dictionary_file_parse(file, &table->customers_rows, err);
    struct table *rows = table->customers_rows;
    size_t id;
    size_t region;

    if (code != ERR_OK ||
        (code = table_need_column(rows, "customer", &id, err)) ||
        (code = table_need_column(rows, "region", &region, err))) {
        return code;
    }
    table->customers =
        calloc(table_row_count(rows) + 1, sizeof(*table->customers));
    if (table->customers == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/customers.csv");
    }
    for (size_t row = 0; row < table_row_count(rows); row++) {
        struct customer *customer = &table->customers[row];

        customer->id = table_cell(rows, row, id);
        if (!ticket_region_from(table_cell(rows, row, region),
                                &customer->region)) {
            (void)table_error(rows, row, region, ERR_BAD_REGION, err,
                              "'%.*s' is none of urban, rural, remote, "
                              "unknown",
                              SPAN_ARGS(table_cell(rows, row, region)));
            if (!table_go_on(rows, err)) {
                return err->code;
            }
        }
        table->customer_count++;
    }
    if (table_end(rows, err) != ERR_OK) {
        return err->code;
    }
    qsort(table->customers, table->customer_count, sizeof(*table->customers),
          compare_customers);
    return ERR_OK;
}

static enum err_code
need_file(const struct dictionary_file *files,
          size_t file_count,
          const char *path,
          const struct dictionary_file **out,
          struct err *err)
{
    const struct dictionary_file *file =
        dictionary_find_file(files, file_count, path);

    if (file == NULL) {
        return err_set(err, ERR_NOT_FOUND,
                       "dict/%s: the file is missing; put it back beside the "
                       "other tables",
                       path);
    }
    *out = file;
    return ERR_OK;
}

enum err_code
region_build(const struct dictionary_file *files,
             size_t file_count,
             struct region_table **out,
             struct err *err)
{
    const struct dictionary_file *simplify =
        dictionary_find_file(files, file_count, "t2s.csv");
    const struct dictionary_file *customers =
        dictionary_find_file(files, file_count, "customers.csv");
    struct region_table *table = calloc(1, sizeof(*table));
    const struct dictionary_file *towns = NULL;
    const struct dictionary_file *rules = NULL;
    struct err first = {0};
    struct err second = {0};

    if (table == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/regions.csv");
    }
    /* Rules name places; customers stand for themselves. */
    if (need_file(files, file_count, "towns.csv", &towns, err) == ERR_OK &&
        need_file(files, file_count, "regions.csv", &rules, err) == ERR_OK &&
        places_build(towns, simplify, &table->places, &first) == ERR_OK) {
        (void)!build_rules(table, rules, &first);
    }
    if (towns != NULL && rules != NULL &&
        dictionary_file_next(towns->faults, &first, err) && customers != NULL) {
        (void)!build_customers(table, customers, &second);
        (void)dictionary_file_next(customers->faults, &second, err);
    }
    if (err->code != ERR_OK) {
        region_free(&table);
        return err->code;
    }
    *out = table;
    return ERR_OK;
}

void
region_free(struct region_table **table)
{
    if (*table == NULL) {
        return;
    }
    places_free(&(*table)->places);
    table_free(&(*table)->rows);
    table_free(&(*table)->customers_rows);
    for (size_t i = 0; i < 2; i++) {
        free((*table)->index[i].order);
    }
    free((*table)->rules);
    free((*table)->words);
    free((*table)->kinds);
    free((*table)->areas);
    free((*table)->customers);
    free((*table)->steps);
    free(*table);
    *table = NULL;
}
