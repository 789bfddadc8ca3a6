/* Rules chosen and put in order. */
#include "server/rulebook/rule_list.h"

#include <stdlib.h>
#include <string.h>

#include "analyzers/clean.h"

static const char *const order_names[] = {"table", "hits", "lost", "cost"};

bool
rule_order_from(struct span word, enum rule_order *out)
{
    for (size_t i = 0; i < sizeof(order_names) / sizeof(order_names[0]); i++) {
        if (span_is(word, order_names[i])) {
            *out = (enum rule_order)i;
            return true;
        }
    }
    return false;
}

const char *
rule_scope_name(enum rule_scope scope)
{
    static const char *const names[] = {"text", "sentence", "bracket"};

    return names[scope];
}

const char *
rule_side_name(const struct rule *rule)
{
    switch (rule->kind) {
    case RULE_TEST_TICKET:
        return "test_ticket";
    case RULE_NOT_UTILITY:
        return "not_utility";
    case RULE_FALSE_CLAIM:
        return "false_claim";
    case RULE_SUBCATEGORY:
    case RULE_CATEGORY:
    case RULE_NONE:
        break;
    }
    return ticket_category_wire(rule->category);
}

static bool
holds(struct span text, struct span part)
{
    for (size_t i = 0; i + part.bytes <= text.bytes; i++) {
        if (part.bytes == 0 ||
            memcmp(text.data + i, part.data, part.bytes) == 0) {
            return true;
        }
    }
    return part.bytes == 0;
}

/* What speaks on a text: hits by rule. */
struct spoken {
    struct clean_text clean;
    struct rule_hit hits[RULE_HITS_MAX];
    size_t count;
};

static enum err_code
listen(const struct dictionary *dictionary,
       struct span text,
       struct spoken **out,
       struct err *err)
{
    struct spoken *spoken = calloc(1, sizeof(*spoken));
    struct rules_scratch *scratch = NULL;
    bool incomplete = false;

    if (spoken == NULL ||
        rules_scratch_new(dictionary->rules, &scratch, err) != ERR_OK) {
        free(spoken);
        return err_set(err, ERR_NO_MEMORY, "rules");
    }
    clean_text(dictionary->cleaner, text, &spoken->clean);
    spoken->count = rules_match(dictionary->rules, scratch, &spoken->clean,
                                spoken->hits, &incomplete);
    rules_scratch_free(&scratch);
    *out = spoken;
    return ERR_OK;
}

/* The words that made the rule speak: given, or NULL. */
static char *
words_of(const struct spoken *spoken, size_t index)
{
    for (size_t i = 0; i < spoken->count; i++) {
        const struct rule_hit *hit = &spoken->hits[i];

        if (hit->rule == index) {
            return strndup(spoken->clean.text + hit->start,
                           hit->end - hit->start);
        }
    }
    return NULL;
}

static bool
chosen(const struct rule_view *view, const struct rule_query *query)
{
    const struct rule *rule = view->rule;

    return (query->categories == 0 ||
            (query->categories >> rule->category & 1) != 0) &&
           (!query->never_hit || view->hits.ever == 0) &&
           (!query->always_lost ||
            (view->hits.ever > 0 && view->lost >= view->hits.ever)) &&
           (query->text.bytes == 0 || view->words != NULL) &&
           (holds(rule->id, query->contains) ||
            holds(rule->pattern, query->contains));
}

/* Rows of one array: the address is the place in the tables. */
static int
by_place(const struct rule_view *x, const struct rule_view *y)
{
    return (x->rule > y->rule) - (x->rule < y->rule);
}

static int
by_hits(const void *a, const void *b)
{
    const struct rule_view *x = a;
    const struct rule_view *y = b;

    return x->hits.ever != y->hits.ever ? (x->hits.ever < y->hits.ever ? 1 : -1)
                                        : by_place(x, y);
}

static int
by_lost(const void *a, const void *b)
{
    const struct rule_view *x = a;
    const struct rule_view *y = b;

    return x->lost != y->lost ? (x->lost < y->lost ? 1 : -1) : by_place(x, y);
}

static int
by_cost(const void *a, const void *b)
{
    const struct rule_view *x = a;
    const struct rule_view *y = b;

    return x->cost_us != y->cost_us ? (x->cost_us < y->cost_us ? 1 : -1)
                                    : by_place(x, y);
}

static void
put_in_order(struct rule_list *list, enum rule_order order)
{
    static int (*const compare[])(const void *, const void *) = {
        NULL, by_hits, by_lost, by_cost};

    if (compare[order] != NULL && list->count > 1) {
        qsort(list->views, list->count, sizeof(*list->views), compare[order]);
    }
}

enum err_code
rule_list_build(const struct dictionary *dictionary,
                struct rule_hits *hits,
                const double *rule_us,
                const struct rule_query *query,
                int64_t now_us,
                struct rule_list *out,
                struct err *err)
{
    size_t rules = rules_count(dictionary->rules);
    struct spoken *spoken = NULL;

    *out = (struct rule_list){.views = calloc(rules + 1, sizeof(*out->views))};
    if (out->views == NULL) {
        return err_set(err, ERR_NO_MEMORY, "rules");
    }
    if (query->text.bytes > 0 &&
        listen(dictionary, query->text, &spoken, err) != ERR_OK) {
        rule_list_release(out);
        return err->code;
    }
    for (size_t i = 0; i < rules; i++) {
        struct rule_view *view = &out->views[out->count];

        *view =
            (struct rule_view){.rule = rules_get(dictionary->rules, i),
                               .cost_us = rule_us != NULL ? rule_us[i] : -1};
        if (hits != NULL) {
            (void)rule_hits_get(hits, view->rule->id, now_us, &view->hits);
        }
        for (int c = 0; c < TICKET_CATEGORY_COUNT; c++) {
            view->lost += view->hits.lost[c];
        }
        view->words = spoken != NULL ? words_of(spoken, i) : NULL;
        if (chosen(view, query)) {
            out->count++;
        } else {
            free(view->words);
        }
    }
    free(spoken);
    put_in_order(out, query->order);
    return ERR_OK;
}

void
rule_list_release(struct rule_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->views[i].words);
    }
    free(list->views);
    *list = (struct rule_list){.views = NULL};
}
