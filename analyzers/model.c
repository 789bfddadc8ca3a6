/* Linear model: one hash look-up an n-gram, one row of weights a hit. */
#include "analyzers/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/dictionary_file.h"
#include "analyzers/hundredths.h"
#include "analyzers/scoring.h"
#include "analyzers/table.h"
#include "analyzers/taxonomy.h"

enum {
    SIEVE_BITS = 1 << 17, /* 16 KB: most unknown pairs go no further */
    ID_BYTES = 16,        /* "ngram:" and an n-gram */
    LANES = 16,           /* classes that are added together */
    ALSO_LANES = 8,       /* the five, rounded up */
    BLOCK = 32,           /* rows added in 16 bits before they are spilled */
    BOUND = '|'
};

_Static_assert(BLOCK *MODEL_WEIGHT_MAX < INT16_MAX, "a block overflows");
_Static_assert((int)MODEL_TOPICS_MAX == (int)LANES, "one lane of names");
_Static_assert((int)SCORING_CLASSES_MAX == 2 * LANES, "two lanes of classes");
_Static_assert((int)MODEL_ALSO_COUNT <= (int)ALSO_LANES, "a lane of five");

struct slot {
    uint32_t key; /* 0: free; no n-gram has this key */
    uint32_t feature;
};

/* What tells the third-level names of a class apart. */
struct topic_weights {
    size_t topic_count; /* 0: nothing does */
    size_t row_count;
    uint16_t *row_of; /* [feature]: its row + 1, or 0 */
    int16_t *rows;    /* [row][LANES], hundredths */
    int32_t bias[LANES];
};

struct model {
    size_t class_count; /* with none */
    size_t lane_count;  /* 1 up to 16 classes, else 2 */
    size_t feature_count;
    size_t slot_mask;
    struct slot *slots; /* the pairs */
    int16_t *weights;   /* [feature][lane_count * LANES], hundredths */
    int16_t *means;     /* [feature] of its weights */
    bool has_also;
    bool has_topics;
    int16_t *also; /* [feature][ALSO_LANES], hundredths */
    int32_t also_bias[ALSO_LANES];
    struct topic_weights topics[SCORING_CLASSES_MAX];
    char (*ids)[ID_BYTES];
    int32_t bias[SCORING_CLASSES_MAX];
    uint16_t single[1 << 16]; /* feature + 1 of a single character, or 0 */
    uint8_t sieve[SIEVE_BITS / 8];
};

static uint32_t
hash_key(uint32_t key)
{
    key *= 0x9E3779B1u;
    return key ^ key >> 15;
}

/* ----------------------------------------------------------------- n-grams */

/* Is it a digit or a Chinese numeral other than 一, which is in too many
 * words? */
static bool
is_numeral(uint16_t c)
{
    switch (c) {
    case 0x4E8C: /* 二 */
    case 0x4E24: /* 两 */
    case 0x4E09: /* 三 */
    case 0x56DB: /* 四 */
    case 0x4E94: /* 五 */
    case 0x516D: /* 六 */
    case 0x4E03: /* 七 */
    case 0x516B: /* 八 */
    case 0x4E5D: /* 九 */
    case 0x5341: /* 十 */
    case 0x767E: /* 百 */
    case 0x5343: /* 千 */
    case 0x51E0: /* 几 */
        return true;
    default:
        return c >= '0' && c <= '9';
    }
}

static bool
is_letter(uint16_t c)
{
    return (c >= 0x4E00 && c < 0xA000) || (c >= 0x3400 && c < 0x4DC0) ||
           (c >= 'a' && c <= 'z') || c == 0x3007;
}

/*
 * How often the n-gram counts that ends with letter number `at` of the text:
 * 2 + 6 exp(-at / 20). In cross-validation (docs/accuracy.md) the model alone
 * gains three points of macro-F1 and of the second level by it.
 */
static uint16_t
times_at(size_t at)
{
    static const uint8_t until[] = {2, 6, 11, 18, 28, 50};
    uint16_t times = MODEL_TIMES_MAX;

    for (size_t i = 0; i < sizeof(until) && at >= until[i]; i++) {
        times--;
    }
    return times;
}

/* Room for what one character adds at most: its end, itself, its pair, the
 * number before it. */
enum { NGRAMS_AT_ONCE = 4 };

/* A number while it is read. */
struct number {
    uint32_t value; /* at most NUMBER_MOST */
    uint16_t digits;
    uint16_t first; /* its place */
};
enum { NUMBER_MOST = 100000 };

static void
number_add(struct number *number, uint16_t c, uint16_t at)
{
    uint32_t digit = 11; /* a Chinese number of several characters */

    if (number->digits == 0) {
        *number = (struct number){.first = at};
    }
    if (c >= '0' && c <= '9') {
        digit = number->value * 10 + (uint32_t)(c - '0');
    } else if (number->digits == 0) {
        static const struct {
            uint16_t c;
            uint16_t value;
        } values[] = {{0x4E8C, 2},   {0x4E24, 2},  {0x4E09, 3},   {0x56DB, 4},
                      {0x4E94, 5},   {0x516D, 6},  {0x4E03, 7},   {0x516B, 8},
                      {0x4E5D, 9},   {0x5341, 10}, {0x767E, 100}, {0x51E0, 5},
                      {0x5343, 1000}};

        for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
            digit = values[i].c == c ? values[i].value : digit;
        }
    }
    number->value = digit < NUMBER_MOST ? digit : NUMBER_MOST;
    number->digits++;
}

/* The size of a number as one character. Three outages are not two, and 160
 * volts are not 220. */
static uint32_t
number_size(uint32_t value)
{
    static const struct {
        uint32_t most;
        char name;
    } sizes[] = {{1, '1'},  {2, '2'},   {5, '3'},   {10, '6'},
                 {60, '7'}, {189, '8'}, {260, '9'}, {UINT32_MAX, '~'}};
    size_t i = 0;

    while (value > sizes[i].most) {
        i++;
    }
    return (uint32_t)sizes[i].name;
}

size_t
model_ngrams(const struct clean_text *text, struct model_ngram *ngrams)
{
    uint32_t before = BOUND;
    uint16_t before_at = 0;
    uint16_t times = 0;
    size_t letters = 0;
    size_t count = 0;
    struct number number = {0};

    for (size_t i = 0; i <= text->char_count; i++) {
        uint16_t at = (uint16_t)i;
        uint32_t c = i < text->char_count ? text->code_point[i] : 0;

        if (count + NGRAMS_AT_ONCE > MODEL_TEXT_NGRAMS_MAX) {
            return count;
        }
        if (is_numeral((uint16_t)c)) {
            number_add(&number, (uint16_t)c, at);
            if (before == '0') {
                continue; /* the same number goes on */
            }
            c = '0';
        } else if (!is_letter((uint16_t)c)) {
            number.digits = 0;
            if (before != BOUND) {
                ngrams[count++] = (struct model_ngram){
                    before << 16 | BOUND, before_at, before_at, times};
                before = BOUND;
            }
            continue;
        }
        times = times_at(letters++);
        if (c != '0' && number.digits > 0) {
            ngrams[count++] = (struct model_ngram){
                number_size(number.value) << 16 | c, number.first, at, times};
            number.digits = 0;
        }
        ngrams[count++] = (struct model_ngram){c, at, at, times};
        ngrams[count++] = (struct model_ngram){
            before << 16 | c, before == BOUND ? at : before_at, at, times};
        before = c;
        before_at = at;
    }
    return count;
}

void
model_ngram_name(uint32_t key, char name[MODEL_NGRAM_BYTES])
{
    size_t bytes = 0;

    if (key >> 16 != 0) {
        bytes = utf8_put(key >> 16, name);
    }
    bytes += utf8_put(key & 0xFFFF, name + bytes);
    name[bytes] = '\0';
}

/* ------------------------------------------------------------------- build */

/* The characters of a table's n-gram as a key; 0 when it is none. */
static uint32_t
parse_key(struct span text)
{
    uint32_t key = 0;
    size_t chars = 0;
    uint32_t c;
    size_t bytes;

    while ((bytes = utf8_next(text, &c)) > 0) {
        if (c > 0xFFFF || ++chars > 2) {
            return 0;
        }
        key = key << 16 | c;
        text.data += bytes;
        text.bytes -= bytes;
    }
    return key;
}

static const struct slot *
find_slot(const struct model *model, uint32_t key)
{
    size_t at = hash_key(key) & model->slot_mask;

    while (model->slots[at].key != 0 && model->slots[at].key != key) {
        at = (at + 1) & model->slot_mask;
    }
    return &model->slots[at];
}

static size_t
sieve_bit(uint32_t key)
{
    return key * 0x85EBCA6Bu >> 15;
}

_Static_assert(SIEVE_BITS == 1 << (32 - 15), "sieve_bit gives 17 bits");

static int16_t *
weights_of(const struct model *model, size_t feature)
{
    return model->weights + feature * model->lane_count * LANES;
}

/* The weight in a cell; of the bias when feature is SIZE_MAX. */
static enum err_code
read_weight(const struct table *table,
            size_t row,
            size_t column,
            size_t feature,
            int32_t *value,
            struct err *err)
{
    struct span cell = table_cell(table, row, column);

    if (!hundredths_parse(cell, value) ||
        (feature != SIZE_MAX &&
         (*value < -MODEL_WEIGHT_MAX || *value > MODEL_WEIGHT_MAX))) {
        return table_error(table, row, column, ERR_BAD_TABLE, err,
                           "'%.*s' is no weight; train the model again",
                           SPAN_ARGS(cell));
    }
    return ERR_OK;
}

static enum err_code
read_also(struct model *model,
          const struct table *table,
          size_t row,
          size_t feature,
          struct err *err)
{
    enum err_code code = ERR_OK;

    for (size_t c = 0;
         code == ERR_OK && model->has_also && c < MODEL_ALSO_COUNT; c++) {
        int32_t value;

        code = read_weight(table, row, model->class_count + 1 + c, feature,
                           &value, err);
        if (code == ERR_OK && feature == SIZE_MAX) {
            model->also_bias[c] = value;
        } else if (code == ERR_OK) {
            model->also[feature * ALSO_LANES + c] = (int16_t)value;
        }
    }
    return code;
}

static enum err_code
read_weights(struct model *model,
             const struct table *table,
             size_t row,
             size_t feature,
             struct err *err)
{
    int32_t sum = 0;

    for (size_t c = 0; c < model->class_count; c++) {
        int32_t value;

        if (read_weight(table, row, c + 1, feature, &value, err) != ERR_OK) {
            return err->code;
        }
        if (feature == SIZE_MAX) {
            model->bias[c] = value;
        } else {
            weights_of(model, feature)[c] = (int16_t)value;
            sum += value;
        }
    }
    if (feature != SIZE_MAX) {
        model->means[feature] = (int16_t)(sum / (int32_t)model->class_count);
    }
    return read_also(model, table, row, feature, err);
}

/* ------------------------------------------------------------------ topics */

static enum err_code
topics_error(const struct table *table, size_t row, struct err *err)
{
    return table_error(table, row, table_column_count(table) - 1, ERR_BAD_TABLE,
                       err,
                       "not one weight for each third-level name of "
                       "categories.csv in their order; train the model again");
}

/* Room for the weights of a class, of which the bias row is first to speak. */
static enum err_code
open_topics(struct topic_weights *topics,
            const struct taxonomy *taxonomy,
            int32_t subcategory,
            size_t rows,
            struct err *err)
{
    topics->topic_count = taxonomy_topic_count(taxonomy, subcategory);
    topics->row_of = calloc(rows + 1, sizeof(*topics->row_of));
    topics->rows = calloc((rows + 1) * LANES, sizeof(*topics->rows));
    return topics->row_of != NULL && topics->rows != NULL
               ? ERR_OK
               : err_set(err, ERR_NO_MEMORY, "dict/model.tsv");
}

/* `overtime=0.49`: the name is the last part of the code. */
static bool
names_topic(const struct taxonomy *taxonomy, int32_t topic, struct span name)
{
    const struct taxonomy_row *row = taxonomy_row(taxonomy, topic);
    struct span code = row != NULL ? row->code : span_of("");

    return name.bytes > 0 && code.bytes > name.bytes &&
           memcmp(code.data + code.bytes - name.bytes, name.data, name.bytes) ==
               0 &&
           code.data[code.bytes - name.bytes - 1] == '.';
}

/* One class's part of a cell of the column `topics`: its code and a weight for
 * each of its third-level names; those of the bias have the names before
 * them. */
static enum err_code
read_topic_weights(struct model *model,
                   const struct taxonomy *taxonomy,
                   const struct table *table,
                   size_t row,
                   size_t feature,
                   struct span part,
                   struct err *err)
{
    int32_t subcategory =
        taxonomy_subcategory(taxonomy, span_split(&part, ' '));
    bool is_bias = feature == SIZE_MAX;
    struct topic_weights *topics;
    size_t count = 0;

    if (subcategory == TAXONOMY_NONE) {
        return topics_error(table, row, err);
    }
    topics = &model->topics[taxonomy_row(taxonomy, subcategory)->class_index];
    if (is_bias != (topics->row_of == NULL) ||
        (!is_bias && topics->row_of[feature] != 0)) {
        return topics_error(table, row, err);
    }
    if (is_bias && open_topics(topics, taxonomy, subcategory,
                               table_row_count(table), err) != ERR_OK) {
        return err->code;
    }
    for (; part.bytes > 0 && count < LANES; count++) {
        struct span cell = span_split(&part, ' ');
        int32_t value;

        if (is_bias &&
            !names_topic(taxonomy,
                         taxonomy_topic_row(taxonomy, subcategory, count),
                         span_split(&cell, '='))) {
            return topics_error(table, row, err);
        }
        if (!hundredths_parse(cell, &value) ||
            (!is_bias &&
             (value < -MODEL_WEIGHT_MAX || value > MODEL_WEIGHT_MAX))) {
            return table_error(
                table, row, table_column_count(table) - 1, ERR_BAD_TABLE, err,
                "'%.*s' is no weight; train the model again", SPAN_ARGS(cell));
        }
        if (is_bias) {
            topics->bias[count] = value;
        } else {
            topics->rows[topics->row_count * LANES + count] = (int16_t)value;
        }
    }
    if (count != topics->topic_count || part.bytes > 0) {
        return topics_error(table, row, err);
    }
    if (!is_bias) {
        topics->row_of[feature] = (uint16_t)++topics->row_count;
    }
    return ERR_OK;
}

/* The classes of the cell, `;` between them. */
static enum err_code
read_topics(struct model *model,
            const struct taxonomy *taxonomy,
            const struct table *table,
            size_t row,
            size_t feature,
            struct err *err)
{
    enum err_code code = ERR_OK;
    struct span cell;

    if (!model->has_topics) {
        return ERR_OK;
    }
    cell = table_cell(table, row, table_column_count(table) - 1);
    while (code == ERR_OK && cell.bytes > 0) {
        code = read_topic_weights(model, taxonomy, table, row, feature,
                                  span_split(&cell, ';'), err);
    }
    return code;
}

/* Note where the feature of this key is; false when it stands already. */
static bool
enter_key(struct model *model, uint32_t key, size_t feature)
{
    struct slot *slot;

    if (key >> 16 == 0) {
        if (model->single[key] != 0) {
            return false;
        }
        model->single[key] = (uint16_t)(feature + 1);
        return true;
    }
    slot = &model->slots[find_slot(model, key) - model->slots];
    if (slot->key != 0) {
        return false;
    }
    *slot = (struct slot){key, (uint32_t)feature};
    model->sieve[sieve_bit(key) / 8] |= (uint8_t)(1u << (sieve_bit(key) % 8));
    return true;
}

static enum err_code
read_feature(struct model *model,
             const struct taxonomy *taxonomy,
             const struct table *table,
             size_t row,
             struct err *err)
{
    struct span text = table_cell(table, row, 0);
    uint32_t key = parse_key(text);
    size_t feature = model->feature_count;

    if (span_is(text, "(bias)")) {
        feature = SIZE_MAX;
    } else if (key == 0) {
        return table_error(table, row, 0, ERR_BAD_TABLE, err,
                           "'%.*s' is no n-gram of one or two characters; "
                           "train the model again",
                           SPAN_ARGS(text));
    } else if (!enter_key(model, key, feature)) {
        return table_error(table, row, 0, ERR_BAD_TABLE, err,
                           "the n-gram '%.*s' stands twice", SPAN_ARGS(text));
    } else {
        (void)snprintf(model->ids[feature], ID_BYTES, "ngram:%.*s",
                       SPAN_ARGS(text));
        model->feature_count++;
    }
    if (read_weights(model, table, row, feature, err) != ERR_OK) {
        return err->code;
    }
    return read_topics(model, taxonomy, table, row, feature, err);
}

static const char also_prefix[] = "also.";

/* Columns: ngram, the second-level codes in the order of categories.csv, none;
 * then, or not, also.service and so on; then, or not, topics. */
static enum err_code
check_columns(struct model *model,
              const struct table *table,
              const struct taxonomy *taxonomy,
              struct err *err)
{
    size_t classes = taxonomy_class_count(taxonomy);
    size_t count = table_column_count(table);
    bool fine;

    model->has_topics =
        count > 0 && span_is(table_column_name(table, count - 1), "topics");
    count -= model->has_topics ? 1 : 0;
    model->has_also = count > classes + 2;
    fine = (count == classes + 2 || count == classes + 2 + MODEL_ALSO_COUNT) &&
           span_is(table_column_name(table, 0), "ngram") &&
           span_is(table_column_name(table, classes + 1), "none");
    for (size_t i = 0; fine && i < classes; i++) {
        int32_t row = taxonomy_class_row(taxonomy, i);

        fine = span_equal(table_column_name(table, i + 1),
                          taxonomy_row(taxonomy, row)->code);
    }
    for (size_t i = classes + 2; fine && i < count; i++) {
        struct span name = table_column_name(table, i);
        enum ticket_category category = TICKET_CATEGORY_NONE;

        fine = span_starts(name, span_of(also_prefix));
        name.data += fine ? strlen(also_prefix) : 0;
        name.bytes -= fine ? strlen(also_prefix) : 0;
        fine = fine && ticket_category_from(name, &category) &&
               (size_t)category == i - classes - 1;
    }
    if (!fine) {
        return err_set(err, ERR_BAD_TABLE,
                       "dict/model.tsv: its columns are not ngram, the "
                       "second-level codes of categories.csv in their order, "
                       "none; train the model again");
    }
    return ERR_OK;
}

static enum err_code
read_model(struct model *model,
           struct table *table,
           const struct taxonomy *taxonomy,
           struct err *err)
{
    size_t rows = table_row_count(table);
    size_t slots = 1024;
    enum err_code code = check_columns(model, table, taxonomy, err);

    if (code != ERR_OK) {
        return code;
    }
    if (rows > MODEL_FEATURES_MAX) {
        return err_set(err, ERR_TOO_LONG, "dict/model.tsv: more than %d rows",
                       MODEL_FEATURES_MAX);
    }
    while (slots < 2 * rows) {
        slots *= 2;
    }
    model->class_count = taxonomy_class_count(taxonomy) + 1;
    model->lane_count = model->class_count > LANES ? 2 : 1;
    model->slot_mask = slots - 1;
    model->slots = calloc(slots, sizeof(*model->slots));
    model->weights =
        calloc((rows + 1) * model->lane_count * LANES, sizeof(*model->weights));
    model->means = calloc(rows + 1, sizeof(*model->means));
    model->also = calloc((rows + 1) * ALSO_LANES, sizeof(*model->also));
    model->ids = calloc(rows + 1, sizeof(*model->ids));
    if (model->slots == NULL || model->weights == NULL || model->ids == NULL ||
        model->means == NULL || model->also == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/model.tsv");
    }
    for (size_t row = 0; row < rows; row++) {
        (void)!read_feature(model, taxonomy, table, row, err);
        if (!table_go_on(table, err)) {
            return err->code;
        }
    }
    return table_end(table, err);
}

enum err_code
model_build(const struct dictionary_file *files,
            size_t file_count,
            const struct taxonomy *taxonomy,
            struct model **out,
            struct err *err)
{
    const struct dictionary_file *file =
        dictionary_find_file(files, file_count, "model.tsv");
    struct table *table = NULL;
    struct model *model;
    enum err_code code;

    *out = NULL;
    if (file == NULL) {
        return ERR_OK;
    }
    model = calloc(1, sizeof(*model));
    if (model == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/model.tsv");
    }
    code = dictionary_file_parse(file, &table, err);
    if (code == ERR_OK) {
        code = read_model(model, table, taxonomy, err);
    }
    table_free(&table);
    if (code != ERR_OK) {
        model_free(&model);
        return code;
    }
    *out = model;
    return ERR_OK;
}

void
model_free(struct model **model)
{
    if (*model != NULL) {
        free((*model)->slots);
        free((*model)->weights);
        free((*model)->means);
        free((*model)->also);
        free((*model)->ids);
        for (size_t c = 0; c < SCORING_CLASSES_MAX; c++) {
            free((*model)->topics[c].row_of);
            free((*model)->topics[c].rows);
        }
        free(*model);
        *model = NULL;
    }
}

/* ------------------------------------------------------------------- apply */

enum { UNKNOWN_FEATURE = UINT16_MAX };

_Static_assert((int)MODEL_FEATURES_MAX < (int)UNKNOWN_FEATURE,
               "a feature is 16 bits");

static uint32_t
feature_of(const struct model *model, uint32_t key)
{
    size_t bit;
    const struct slot *slot;

    if (key >> 16 == 0) {
        return (uint16_t)(model->single[key] - 1u);
    }
    bit = sieve_bit(key);
    if ((model->sieve[bit / 8] >> (bit % 8) & 1) == 0) {
        return UNKNOWN_FEATURE;
    }
    slot = find_slot(model, key);
    return slot->key != 0 ? slot->feature : UNKNOWN_FEATURE;
}

/* Note that the text has the feature; false when that was known. */
static bool
see(struct model_reading *known, uint32_t feature)
{
    uint64_t bit = UINT64_C(1) << (feature % 64);
    bool is_new = (known->seen[feature / 64] & bit) == 0;

    known->seen[feature / 64] |= bit;
    return is_new;
}

static void
find_known(const struct model *model,
           const struct clean_text *text,
           struct model_reading *known)
{
    size_t count = model_ngrams(text, known->ngrams);
    uint32_t times = 0;

    known->count = 0;
    memset(known->seen, 0,
           (model->feature_count / 64 + 1) * sizeof(*known->seen));
    for (size_t i = 0; i < count; i++) {
        uint32_t feature = feature_of(model, known->ngrams[i].key);

        if (feature != UNKNOWN_FEATURE && see(known, feature)) {
            times += known->ngrams[i].times;
            known->ngrams[known->count] = known->ngrams[i];
            known->features[known->count++] = (uint16_t)feature;
        }
    }
    known->share = times > 0 ? 1.0F / sqrtf((float)times) : 0.0F;
}

/* Add up one lane of the rows: 16 bits wide inside a block of n-grams that
 * count equally often. They stand in the order of the text, so these are
 * neighbours. */
static void
add_lane(const struct model *model,
         const struct model_reading *known,
         size_t lane,
         int32_t sums[LANES])
{
    const int16_t *weights = model->weights + lane * LANES;
    size_t stride = model->lane_count * LANES;

    for (size_t i = 0; i < known->count;) {
        size_t end = i + BLOCK < known->count ? i + BLOCK : known->count;
        uint16_t times = known->ngrams[i].times;
        int16_t block[LANES] = {0};

        for (; i < end && known->ngrams[i].times == times; i++) {
            const int16_t *row = weights + known->features[i] * stride;

            for (size_t c = 0; c < LANES; c++) {
                block[c] = (int16_t)(block[c] + row[c]);
            }
        }
        for (size_t c = 0; c < LANES; c++) {
            sums[c] += block[c] * times;
        }
    }
}

/* The categories besides: each n-gram counts once. */
static void
score_also(const struct model *model,
           const struct model_reading *known,
           float also[MODEL_ALSO_COUNT])
{
    float share = known->count > 0 ? 1.0F / sqrtf((float)known->count) : 0.0F;
    int32_t sums[ALSO_LANES] = {0};

    for (size_t i = 0; i < known->count; i++) {
        const int16_t *row =
            model->also + (size_t)known->features[i] * ALSO_LANES;

        for (size_t c = 0; c < ALSO_LANES; c++) {
            sums[c] += row[c];
        }
    }
    for (size_t c = 0; c < MODEL_ALSO_COUNT; c++) {
        also[c] =
            model->has_also
                ? ((float)model->also_bias[c] + (float)sums[c] * share) / 100.0F
                : -HUGE_VALF;
    }
}

bool
model_knows_also(const struct model *model)
{
    return model->has_also;
}

size_t
model_topics(const struct model *model,
             const struct model_reading *reading,
             size_t class_index,
             float logits[MODEL_TOPICS_MAX])
{
    const struct topic_weights *topics = &model->topics[class_index];
    int32_t sums[LANES] = {0};

    for (size_t i = 0; topics->topic_count > 0 && i < reading->count; i++) {
        uint16_t row = topics->row_of[reading->features[i]];
        int32_t times = reading->ngrams[i].times;

        if (row > 0) {
            const int16_t *weights = topics->rows + (row - 1u) * LANES;

            for (size_t k = 0; k < LANES; k++) {
                sums[k] += weights[k] * times;
            }
        }
    }
    for (size_t k = 0; k < topics->topic_count; k++) {
        logits[k] =
            ((float)topics->bias[k] + (float)sums[k] * reading->share) / 100.0F;
    }
    return topics->topic_count;
}

void
model_score(const struct model *model,
            const struct clean_text *text,
            struct model_reading *reading,
            float *logits,
            float also[MODEL_ALSO_COUNT])
{
    int32_t sums[SCORING_CLASSES_MAX] = {0};

    find_known(model, text, reading);
    for (size_t lane = 0; lane < model->lane_count; lane++) {
        add_lane(model, reading, lane, sums + lane * LANES);
    }
    for (size_t c = 0; c < model->class_count; c++) {
        logits[c] =
            ((float)model->bias[c] + (float)sums[c] * reading->share) / 100.0F;
    }
    score_also(model, reading, also);
}

/* Into the list by weight, each n-gram and each place once. */
static size_t
add_reason(struct model_reason *reasons,
           size_t count,
           size_t reason_max,
           const struct model_reason *one)
{
    size_t k;

    if (count == reason_max && reasons[count - 1].weight >= one->weight) {
        return count;
    }
    for (size_t i = 0; i < count; i++) {
        if (span_equal(reasons[i].id, one->id) ||
            (reasons[i].weight >= one->weight && one->start < reasons[i].end &&
             reasons[i].start < one->end)) {
            return count;
        }
    }
    if (count == reason_max) {
        count--;
    }
    for (k = count; k > 0 && reasons[k - 1].weight < one->weight; k--) {
        reasons[k] = reasons[k - 1];
    }
    reasons[k] = *one;
    return count + 1;
}

size_t
model_reasons(const struct model *model,
              const struct model_reading *reading,
              const struct clean_text *text,
              size_t class_index,
              struct model_reason *reasons,
              size_t reason_max)
{
    size_t count = 0;

    for (size_t i = 0; i < reading->count && reason_max > 0; i++) {
        const struct model_ngram *ngram = &reading->ngrams[i];
        /* How much more it says for this class than for the average one. */
        int32_t margin = weights_of(model, reading->features[i])[class_index] -
                         model->means[reading->features[i]];
        struct model_reason one = {
            .start = text->at[ngram->first],
            .end = text->at[ngram->last + 1],
            .weight =
                (int32_t)((float)(margin * ngram->times) * reading->share)};

        if (one.weight > 0) {
            one.id = span_of(model->ids[reading->features[i]]);
            count = add_reason(reasons, count, reason_max, &one);
        }
    }
    return count;
}
