/* Cleaned text, rules, boundaries, linear model: one verdict. */
#include "analyzers/classify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/clean.h"
#include "analyzers/model.h"
#include "analyzers/region.h"
#include "analyzers/rules.h"
#include "analyzers/scoring.h"
#include "analyzers/taxonomy.h"

enum {
    EFFECTS_MAX = 16,
    MODEL_REASONS_MAX = 3, /* n-grams named in the evidence */
    TOPICS_MAX = 24,       /* third-level names that rules of one text name */
    CLASS_RULES_MAX = 32   /* rules that count for one class */
};

_Static_assert((int)CLASSIFY_TEXT_BYTES_MAX == (int)CLEAN_INPUT_BYTES_MAX,
               "classify promises what clean reads");

/* Points of one third-level name. */
struct topic_points {
    int32_t topic;
    int32_t points;
};

/* All that is known of one ticket while it is judged. */
struct judgement {
    const struct dictionary *dictionary;
    const struct scoring_values *values;
    size_t class_count; /* none stands behind it */
    struct span text;   /* the original */
    struct points points;
    size_t hit_count;
    size_t effect_count;
    struct boundary_effect effects[EFFECTS_MAX];
    float model[SCORING_CLASSES_MAX]; /* its logits; 0 without a model */
    float also[MODEL_ALSO_COUNT];     /* logits of the five besides */
    float share[SCORING_CLASSES_MAX]; /* probability of each class */
    float category_share[TICKET_CATEGORY_COUNT];
};

struct classify_scratch {
    struct rules_scratch *rules;
    struct rule_hit_count *tally; /* [rule] */
    uint32_t *spoke;              /* [rule]: those with hits */
    size_t spoke_count;
    struct clean_text clean;
    struct model_reading reading;
    struct rule_hit hits[RULE_HITS_MAX];
    struct judgement judgement;
};

const char *
verdict_flag_name(enum verdict_flag flag)
{
    static const struct {
        enum verdict_flag flag;
        const char *name;
    } names[VERDICT_FLAG_COUNT] = {{VERDICT_TEST_TICKET, "test_ticket"},
                                   {VERDICT_NOT_UTILITY, "not_utility"},
                                   {VERDICT_MULTI_TOPIC, "multi_topic"},
                                   {VERDICT_TRUNCATED_SCAN, "truncated_scan"},
                                   {VERDICT_INCOMPLETE, "incomplete"},
                                   {VERDICT_FALSE_CLAIM, "false_claim"}};

    for (size_t i = 0; i < VERDICT_FLAG_COUNT; i++) {
        if (names[i].flag == flag) {
            return names[i].name;
        }
    }
    return NULL;
}

const char *
evidence_field_name(enum evidence_field field)
{
    static const char *const names[] = {"text",   "address", "unit",
                                        "region", "type",    "customer"};

    return (size_t)field < sizeof(names) / sizeof(*names) ? names[field]
                                                          : "text";
}

enum err_code
classify_scratch_new(const struct dictionary *dictionary,
                     struct classify_scratch **out,
                     struct err *err)
{
    struct classify_scratch *scratch = calloc(1, sizeof(*scratch));
    enum err_code code;

    if (scratch == NULL) {
        return err_set(err, ERR_NO_MEMORY, "the judge's working memory");
    }
    code = rules_scratch_new(dictionary->rules, &scratch->rules, err);
    scratch->tally =
        calloc(rules_count(dictionary->rules) + 1, sizeof(*scratch->tally));
    scratch->spoke =
        calloc(rules_count(dictionary->rules) + 1, sizeof(*scratch->spoke));
    if (code == ERR_OK && (scratch->tally == NULL || scratch->spoke == NULL)) {
        code = err_set(err, ERR_NO_MEMORY, "the rules");
    }
    if (code != ERR_OK) {
        classify_scratch_free(&scratch);
        return code;
    }
    *out = scratch;
    return ERR_OK;
}

void
classify_scratch_free(struct classify_scratch **scratch)
{
    if (*scratch != NULL) {
        rules_scratch_free(&(*scratch)->rules);
        free((*scratch)->tally);
        free((*scratch)->spoke);
        free(*scratch);
        *scratch = NULL;
    }
}

/* ----------------------------------------------------------------- points */

/* Weights of the rules that spoke for one class, strongest first. */
struct class_rules {
    size_t count;
    int32_t weights[CLASS_RULES_MAX];
};

static void
add_weight(struct class_rules *rules, int32_t weight)
{
    size_t k = rules->count;

    if (k == CLASS_RULES_MAX) {
        return;
    }
    while (k > 0 && rules->weights[k - 1] < weight) {
        rules->weights[k] = rules->weights[k - 1];
        k--;
    }
    rules->weights[k] = weight;
    rules->count++;
}

/* Diminishing returns: ten rules that say the same are not ten times as sure.
 * What speaks against counts in full. */
static int32_t
sum_weights(const struct class_rules *rules, int32_t further_share)
{
    int64_t sum = 0;
    int64_t share = 100 * 100; /* of the next positive weight */

    for (size_t i = 0; i < rules->count; i++) {
        if (rules->weights[i] > 0) {
            sum += rules->weights[i] * share / (100 * 100);
            share = share * further_share / 100;
        } else {
            sum += rules->weights[i];
        }
    }
    return (int32_t)sum;
}

/* A rule for a category without a subcategory speaks for all its classes. */
static void
add_category_weight(const struct dictionary *dictionary,
                    struct class_rules *classes,
                    enum ticket_category category,
                    int32_t weight)
{
    size_t count = taxonomy_class_count(dictionary->taxonomy);

    for (size_t i = 0; i < count; i++) {
        int32_t row = taxonomy_class_row(dictionary->taxonomy, i);

        if (taxonomy_row(dictionary->taxonomy, row)->category == category) {
            add_weight(&classes[i], weight);
        }
    }
}

static void
add_hits(struct judgement *j, const struct rule_hit *hits)
{
    struct class_rules classes[SCORING_CLASSES_MAX];

    for (size_t i = 0; i <= j->class_count; i++) {
        classes[i].count = 0;
    }
    for (size_t i = 0; i < j->hit_count; i++) {
        const struct rule *rule = rules_get(j->dictionary->rules, hits[i].rule);

        switch (rule->kind) {
        case RULE_SUBCATEGORY:
            add_weight(&classes[rule->class_index], rule->weight);
            break;
        case RULE_CATEGORY:
            add_category_weight(j->dictionary, classes, rule->category,
                                rule->weight);
            break;
        case RULE_NONE:
            add_weight(&classes[j->class_count], rule->weight);
            break;
        case RULE_TEST_TICKET:
            j->points.test_ticket += rule->weight;
            break;
        case RULE_NOT_UTILITY:
            j->points.not_utility += rule->weight;
            add_weight(&classes[j->class_count], rule->weight);
            break;
        case RULE_FALSE_CLAIM:
            j->points.false_claim += rule->weight;
            add_weight(&classes[j->class_count], rule->weight);
            break;
        }
    }
    for (size_t i = 0; i <= j->class_count; i++) {
        j->points.classes[i] =
            sum_weights(&classes[i], j->values->further_share);
    }
}

/* --------------------------------------------------------------- decision */

static enum ticket_category
class_category(const struct judgement *j, size_t class_index)
{
    const struct taxonomy *taxonomy = j->dictionary->taxonomy;

    if (class_index >= j->class_count) {
        return TICKET_CATEGORY_NONE;
    }
    return taxonomy_row(taxonomy, taxonomy_class_row(taxonomy, class_index))
        ->category;
}

/* A ticket filed as complaint is one unless something speaks against it. */
static bool
none_is_out(const struct judgement *j, enum ticket_type type)
{
    return type == TICKET_TYPE_COMPLAINT &&
           j->points.classes[j->class_count] < j->values->complaint_none;
}

/* Without a model no category knows how common it is: one with many classes
 * must not win by their number. */
static float
class_prior(const struct judgement *j, size_t class_index)
{
    enum ticket_category category = class_category(j, class_index);
    size_t count = 0;

    if (j->dictionary->model != NULL) {
        return 0;
    }
    for (size_t i = 0; i <= j->class_count; i++) {
        count += class_category(j, i) == category;
    }
    return -logf((float)count);
}

static void
fill_logits(const struct judgement *j,
            enum ticket_type type,
            float logits[SCORING_CLASSES_MAX])
{
    float point = (float)j->values->point_logit / 1e4F;
    float model_share = (float)j->values->model_share / 100.0F;

    for (size_t i = 0; i <= j->class_count; i++) {
        logits[i] = (float)j->points.classes[i] * point +
                    j->model[i] * model_share + class_prior(j, i);
    }
    logits[j->class_count] += (float)j->values->none_start * point;
    if (none_is_out(j, type)) {
        logits[j->class_count] = -1e6F;
    }
}

static void
fill_shares(struct judgement *j, enum ticket_type type)
{
    float logits[SCORING_CLASSES_MAX];
    float scale = (float)j->values->confidence_share / 100.0F;
    float most;
    float sum = 0;

    fill_logits(j, type, logits);
    most = logits[0];
    for (size_t i = 1; i <= j->class_count; i++) {
        most = logits[i] > most ? logits[i] : most;
    }
    for (size_t i = 0; i <= j->class_count; i++) {
        j->share[i] = expf((logits[i] - most) * scale);
        sum += j->share[i];
    }
    for (size_t c = 0; c < TICKET_CATEGORY_COUNT; c++) {
        j->category_share[c] = 0;
    }
    for (size_t i = 0; i <= j->class_count; i++) {
        j->share[i] /= sum;
        j->category_share[class_category(j, i)] += j->share[i];
    }
}

/* Did anything speak for one of the five? */
static bool
anything_spoke(const struct judgement *j)
{
    if (j->dictionary->model != NULL) {
        return true;
    }
    for (size_t i = 0; i < j->class_count; i++) {
        if (j->points.classes[i] > 0) {
            return true;
        }
    }
    return false;
}

/* Strongest class of a category, or of all five for NONE; -1 if there is
 * none. */
static int32_t
best_class(const struct judgement *j, enum ticket_category category)
{
    int32_t best = -1;

    for (size_t i = 0; i < j->class_count; i++) {
        if (category != TICKET_CATEGORY_NONE &&
            class_category(j, i) != category) {
            continue;
        }
        if (best < 0 || j->share[i] > j->share[best]) {
            best = (int32_t)i;
        }
    }
    return best;
}

static void
decide_category(struct judgement *j, struct verdict *out)
{
    enum ticket_category best = TICKET_CATEGORY_NONE;
    enum ticket_category next = TICKET_CATEGORY_NONE;
    float least = (float)j->values->runner_up_permille / 1e5F;

    if (anything_spoke(j) && (out->flags & VERDICT_TEST_TICKET) == 0) {
        for (size_t c = 0; c < TICKET_CATEGORY_COUNT; c++) {
            if (j->category_share[c] > j->category_share[best]) {
                best = (enum ticket_category)c;
            }
        }
    }
    for (size_t c = 1; c < TICKET_CATEGORY_COUNT; c++) {
        if (c != best && j->category_share[c] >= least &&
            (next == TICKET_CATEGORY_NONE ||
             j->category_share[c] > j->category_share[next])) {
            next = (enum ticket_category)c;
        }
    }
    out->category = best;
    out->runner_up = anything_spoke(j) ? next : TICKET_CATEGORY_NONE;
    out->confidence_permille =
        (uint32_t)(j->category_share[best] * 1000.0F + 0.5F);
    if (out->confidence_permille > 1000) {
        out->confidence_permille = 1000;
    }
}

/* Does the ticket complain of this category, too? */
static bool
is_secondary(const struct judgement *j, enum ticket_category category)
{
    int32_t most = INT32_MIN;
    float logit;

    for (size_t i = 0; i < j->class_count; i++) {
        if (class_category(j, i) == category && j->points.classes[i] > most) {
            most = j->points.classes[i];
        }
    }
    if (j->dictionary->model == NULL ||
        !model_knows_also(j->dictionary->model)) {
        return most >= j->values->secondary;
    }
    logit = j->also[category - 1] +
            (float)most * (float)j->values->secondary_point / 1e4F;
    return most > INT32_MIN &&
           logit >= (float)j->values->secondary_least / 100.0F;
}

static void
decide_secondary(const struct judgement *j, struct verdict *out)
{
    if (out->category == TICKET_CATEGORY_NONE) {
        return;
    }
    for (size_t c = 1; c < TICKET_CATEGORY_COUNT; c++) {
        enum ticket_category category = (enum ticket_category)c;

        if (category != out->category && is_secondary(j, category)) {
            out->secondary |= 1u << category;
        }
    }
    if (out->secondary != 0) {
        out->flags |= VERDICT_MULTI_TOPIC;
    }
}

/* The only topic below a subcategory, or NONE when there are several. */
static int32_t
only_topic(const struct taxonomy *taxonomy, int32_t subcategory)
{
    int32_t only = TAXONOMY_NONE;

    for (size_t i = 0; i < taxonomy_row_count(taxonomy); i++) {
        if (taxonomy_row(taxonomy, (int32_t)i)->parent != subcategory) {
            continue;
        }
        if (only != TAXONOMY_NONE) {
            return TAXONOMY_NONE;
        }
        only = (int32_t)i;
    }
    return only;
}

/* Points of the rules for each third-level name of the subcategory; returns
 * how many names they speak of. */
static size_t
topic_points(const struct judgement *j,
             const struct rule_hit *hits,
             int32_t subcategory,
             struct topic_points topics[TOPICS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < j->hit_count; i++) {
        const struct rule *rule = rules_get(j->dictionary->rules, hits[i].rule);
        size_t k = 0;

        if (rule->topic == TAXONOMY_NONE ||
            taxonomy_row(j->dictionary->taxonomy, rule->topic)->parent !=
                subcategory) {
            continue;
        }
        while (k < count && topics[k].topic != rule->topic) {
            k++;
        }
        if (k == TOPICS_MAX) {
            continue;
        }
        if (k == count) {
            topics[count++] = (struct topic_points){rule->topic, 0};
        }
        topics[k].points += rule->weight;
    }
    return count;
}

/* The rules alone: no point, no topic. */
static int32_t
topic_by_rules(const struct taxonomy *taxonomy,
               int32_t subcategory,
               const struct topic_points *topics,
               size_t count)
{
    size_t best = 0;

    for (size_t k = 1; k < count; k++) {
        best = topics[k].points > topics[best].points ? k : best;
    }
    if (count > 0 && topics[best].points > 0) {
        return topics[best].topic;
    }
    return only_topic(taxonomy, subcategory);
}

/* The topic for which the rules of the subcategory and the model say most. */
static int32_t
decide_topic(const struct judgement *j,
             const struct classify_scratch *scratch,
             int32_t subcategory)
{
    const struct taxonomy *taxonomy = j->dictionary->taxonomy;
    size_t class_index =
        (size_t)taxonomy_row(taxonomy, subcategory)->class_index;
    float point = (float)j->values->topic_point / 1e4F;
    struct topic_points topics[TOPICS_MAX];
    float logits[MODEL_TOPICS_MAX];
    size_t named = topic_points(j, scratch->hits, subcategory, topics);
    size_t count = 0;
    size_t best = 0;

    if (j->dictionary->model != NULL) {
        count = model_topics(j->dictionary->model, &scratch->reading,
                             class_index, logits);
    }
    if (count == 0) {
        return topic_by_rules(taxonomy, subcategory, topics, named);
    }
    for (size_t k = 0; k < named; k++) {
        logits[taxonomy_topic_index(taxonomy, topics[k].topic)] +=
            (float)topics[k].points * point;
    }
    for (size_t k = 1; k < count; k++) {
        best = logits[k] > logits[best] ? k : best;
    }
    return taxonomy_topic_row(taxonomy, subcategory, best);
}

static void
decide_names(const struct judgement *j,
             const struct classify_scratch *scratch,
             struct verdict *out)
{
    const struct taxonomy *taxonomy = j->dictionary->taxonomy;
    int32_t best;

    if (!anything_spoke(j)) {
        return;
    }
    best = best_class(j, TICKET_CATEGORY_NONE);
    out->matter =
        best < 0 ? TAXONOMY_NONE : taxonomy_class_row(taxonomy, (size_t)best);
    if (out->category == TICKET_CATEGORY_NONE) {
        return;
    }
    best = best_class(j, out->category);
    if (best >= 0) {
        out->subcategory = taxonomy_class_row(taxonomy, (size_t)best);
        out->topic = decide_topic(j, scratch, out->subcategory);
        out->matter = out->subcategory;
    }
}

static void
set_flags(const struct judgement *j, struct verdict *out)
{
    int32_t least = j->values->flag;

    out->flags |= j->points.test_ticket >= least ? VERDICT_TEST_TICKET : 0u;
    out->flags |= j->points.not_utility >= least ? VERDICT_NOT_UTILITY : 0u;
    out->flags |= j->points.false_claim >= least ? VERDICT_FALSE_CLAIM : 0u;
}

/* --------------------------------------------------------------- evidence */

static int32_t
magnitude(int32_t weight)
{
    return weight < 0 ? -weight : weight;
}

/* Keep the strongest VERDICT_EVIDENCE_MAX, strongest first. */
static void
add_evidence(struct verdict *out, const struct evidence *one)
{
    size_t k = out->evidence_count;

    if (k == VERDICT_EVIDENCE_MAX) {
        if (magnitude(out->evidence[k - 1].weight) >= magnitude(one->weight)) {
            return;
        }
        k--;
    } else {
        out->evidence_count++;
    }
    while (k > 0 &&
           magnitude(out->evidence[k - 1].weight) < magnitude(one->weight)) {
        out->evidence[k] = out->evidence[k - 1];
        k--;
    }
    out->evidence[k] = *one;
}

/* Byte offsets of the cleaned text become words and offsets of the ticket. */
static void
place_evidence(struct evidence *one,
               const struct clean_text *clean,
               struct span original)
{
    struct clean_origin origin;

    if (one->end <= one->start) {
        one->start = 0;
        one->end = 0;
        return;
    }
    origin = clean_origin(clean, original, one->start, one->end);
    one->text = (struct span){original.data + origin.start_byte,
                              origin.end_byte - origin.start_byte};
    one->start = origin.start_char;
    one->end = origin.end_char;
}

static void
fill_evidence(const struct judgement *j,
              const struct classify_scratch *scratch,
              struct verdict *out)
{
    for (size_t i = 0; i < j->hit_count; i++) {
        const struct rule_hit *hit = &scratch->hits[i];
        const struct rule *rule = rules_get(j->dictionary->rules, hit->rule);

        add_evidence(out, &(struct evidence){.rule = rule->id,
                                             .start = hit->start,
                                             .end = hit->end,
                                             .weight = rule->weight,
                                             .field = EVIDENCE_TEXT,
                                             .category = rule->category});
    }
    for (size_t i = 0; i < j->effect_count; i++) {
        add_evidence(
            out, &(struct evidence){.rule = j->effects[i].id,
                                    .weight = j->effects[i].points,
                                    .field = EVIDENCE_TEXT,
                                    .category = class_category(
                                        j, (size_t)j->effects[i].class_index)});
    }
}

/* The n-grams that speak loudest for the class that won. */
static void
fill_model_evidence(const struct judgement *j,
                    const struct classify_scratch *scratch,
                    struct verdict *out)
{
    struct model_reason reasons[MODEL_REASONS_MAX];
    size_t count;
    size_t winner = j->class_count;

    if (j->dictionary->model == NULL || out->evidence_count > 2) {
        return;
    }
    if (out->category != TICKET_CATEGORY_NONE) {
        winner = (size_t)best_class(j, out->category);
    }
    count = model_reasons(j->dictionary->model, &scratch->reading,
                          &scratch->clean, winner, reasons, MODEL_REASONS_MAX);
    for (size_t i = 0; i < count; i++) {
        add_evidence(out, &(struct evidence){.rule = reasons[i].id,
                                             .start = reasons[i].start,
                                             .end = reasons[i].end,
                                             .weight = reasons[i].weight,
                                             .field = EVIDENCE_TEXT,
                                             .category = out->category});
    }
}

/* --------------------------------------------------------------- classify */

static void
judge_text(struct classify_scratch *scratch,
           enum ticket_type type,
           struct verdict *out)
{
    struct judgement *j = &scratch->judgement;
    bool incomplete = false;

    j->hit_count = rules_match(j->dictionary->rules, scratch->rules,
                               &scratch->clean, scratch->hits, &incomplete);
    add_hits(j, scratch->hits);
    j->effect_count = scoring_apply_boundaries(
        j->dictionary->scoring, &j->points, j->effects, EFFECTS_MAX);
    if (j->dictionary->model != NULL) {
        model_score(j->dictionary->model, &scratch->clean, &scratch->reading,
                    j->model, j->also);
    }
    set_flags(j, out);
    fill_shares(j, type);
    decide_category(j, out);
    decide_secondary(j, out);
    decide_names(j, scratch, out);
    out->flags |= incomplete ? VERDICT_INCOMPLETE : 0u;
    out->flags |= scratch->clean.truncated ? VERDICT_TRUNCATED_SCAN : 0u;
    fill_evidence(j, scratch, out);
    fill_model_evidence(j, scratch, out);
    for (size_t i = 0; i < out->evidence_count; i++) {
        place_evidence(&out->evidence[i], &scratch->clean, j->text);
    }
}

/* Does the rule say something else than what was judged? */
static bool
rule_lost(const struct rule *rule, enum ticket_category category)
{
    switch (rule->kind) {
    case RULE_SUBCATEGORY:
    case RULE_CATEGORY:
    case RULE_NONE:
        return (rule->category == category) == (rule->weight < 0);
    case RULE_TEST_TICKET:
    case RULE_NOT_UTILITY:
    case RULE_FALSE_CLAIM:
        break;
    }
    return false;
}

static void
tally_hits(struct classify_scratch *scratch, enum ticket_category category)
{
    const struct judgement *j = &scratch->judgement;

    for (size_t i = 0; i < j->hit_count; i++) {
        uint32_t index = scratch->hits[i].rule;
        struct rule_hit_count *tally = &scratch->tally[index];

        if (tally->hits++ == 0) {
            scratch->spoke[scratch->spoke_count++] = index;
        }
        tally->lost[category] +=
            rule_lost(rules_get(j->dictionary->rules, index), category);
    }
}

struct classify_tally
classify_tally(const struct classify_scratch *scratch)
{
    return (struct classify_tally){scratch->tally, scratch->spoke,
                                   scratch->spoke_count};
}

void
classify_tally_reset(struct classify_scratch *scratch)
{
    for (size_t i = 0; i < scratch->spoke_count; i++) {
        scratch->tally[scratch->spoke[i]] = (struct rule_hit_count){.hits = 0};
    }
    scratch->spoke_count = 0;
}

void
classify_ticket(const struct dictionary *dictionary,
                struct classify_scratch *scratch,
                const struct ticket *ticket,
                struct verdict *out)
{
    struct judgement *j = &scratch->judgement;

    memset(out, 0, offsetof(struct verdict, evidence));
    out->subcategory = TAXONOMY_NONE;
    out->topic = TAXONOMY_NONE;
    out->matter = TAXONOMY_NONE;
    memset(j, 0, sizeof(*j));
    j->dictionary = dictionary;
    j->values = scoring_values(dictionary->scoring);
    j->class_count = taxonomy_class_count(dictionary->taxonomy);
    j->text = ticket->text;
    clean_text(dictionary->cleaner, ticket->text, &scratch->clean);
    judge_text(scratch, ticket->type, out);
    tally_hits(scratch, out->category);
    if (dictionary->region != NULL) {
        out->region = region_judge(dictionary->region, dictionary->units,
                                   ticket, &out->region_evidence);
    } else {
        out->region = ticket->region;
    }
}
