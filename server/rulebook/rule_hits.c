/* Hits of all workers in one table by rule id. */
#include "server/rulebook/rule_hits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "analyzers/calendar.h"

enum { SLOTS_FIRST = 2048 }; /* a power of two */

struct slot {
    struct ledger_rule_hits hits; /* .rule "": free */
    bool changed;
};

struct rule_hits {
    pthread_mutex_t lock;
    struct slot *slots; /* open addressing, at most half full */
    size_t room;        /* a power of two */
    size_t count;
};

struct rule_hits *
rule_hits_new(void)
{
    struct rule_hits *hits = calloc(1, sizeof(*hits));

    if (hits == NULL) {
        return NULL;
    }
    hits->room = SLOTS_FIRST;
    hits->slots = calloc(hits->room, sizeof(*hits->slots));
    if (hits->slots == NULL || pthread_mutex_init(&hits->lock, NULL) != 0) {
        free(hits->slots);
        free(hits);
        return NULL;
    }
    return hits;
}

void
rule_hits_free(struct rule_hits **hits)
{
    if (*hits != NULL) {
        (void)pthread_mutex_destroy(&(*hits)->lock);
        free((*hits)->slots);
        free(*hits);
        *hits = NULL;
    }
}

/* Its slot, or the free one where it belongs. */
static struct slot *
find(struct slot *slots, size_t room, struct span rule)
{
    size_t at = (size_t)XXH3_64bits(rule.data, rule.bytes) & (room - 1);

    while (slots[at].hits.rule[0] != '\0' &&
           !span_equal(span_of(slots[at].hits.rule), rule)) {
        at = (at + 1) & (room - 1);
    }
    return &slots[at];
}

static bool
grow(struct rule_hits *hits)
{
    size_t room = hits->room * 2;
    struct slot *larger = calloc(room, sizeof(*larger));

    if (larger == NULL) {
        return false;
    }
    for (size_t i = 0; i < hits->room; i++) {
        if (hits->slots[i].hits.rule[0] != '\0') {
            *find(larger, room, span_of(hits->slots[i].hits.rule)) =
                hits->slots[i];
        }
    }
    free(hits->slots);
    hits->slots = larger;
    hits->room = room;
    return true;
}

/* NULL: no memory, or too many ids; it is not counted then. */
static struct slot *
find_or_add(struct rule_hits *hits, struct span rule)
{
    struct slot *slot = find(hits->slots, hits->room, rule);

    if (slot->hits.rule[0] != '\0') {
        return slot;
    }
    if (rule.bytes == 0 || rule.bytes > LEDGER_RULE_BYTES_MAX ||
        hits->count == RULE_HITS_RULES_MAX) {
        return NULL;
    }
    if ((hits->count + 1) * 2 > hits->room) {
        if (!grow(hits)) {
            return NULL;
        }
        slot = find(hits->slots, hits->room, rule);
    }
    memcpy(slot->hits.rule, rule.data, rule.bytes);
    hits->count++;
    return slot;
}

void
rule_hits_add(struct rule_hits *hits,
              const struct rules *rules,
              const struct classify_tally *tally,
              int64_t now_us)
{
    int32_t day = shanghai_day(now_us);

    (void)pthread_mutex_lock(&hits->lock);
    for (size_t i = 0; i < tally->count; i++) {
        const struct rule_hit_count *one = &tally->rules[tally->spoke[i]];
        struct slot *slot =
            find_or_add(hits, rules_get(rules, tally->spoke[i])->id);

        if (slot == NULL) {
            continue;
        }
        if (slot->hits.day != day) {
            slot->hits.day = day;
            slot->hits.today = 0;
        }
        slot->hits.ever += one->hits;
        slot->hits.today += one->hits;
        slot->hits.last_us = now_us;
        for (int c = 0; c < TICKET_CATEGORY_COUNT; c++) {
            slot->hits.lost[c] += one->lost[c];
        }
        slot->changed = true;
    }
    (void)pthread_mutex_unlock(&hits->lock);
}

bool
rule_hits_get(struct rule_hits *hits,
              struct span rule,
              int64_t now_us,
              struct ledger_rule_hits *out)
{
    (void)pthread_mutex_lock(&hits->lock);
    *out = find(hits->slots, hits->room, rule)->hits;
    (void)pthread_mutex_unlock(&hits->lock);
    if (out->day != shanghai_day(now_us)) {
        out->today = 0;
    }
    return out->ever > 0;
}

void
rule_hits_load(struct rule_hits *hits, const struct ledger_rule_hits *stored)
{
    struct slot *slot;

    (void)pthread_mutex_lock(&hits->lock);
    slot = find_or_add(hits, span_of(stored->rule));
    if (slot != NULL) {
        slot->hits = *stored;
    }
    (void)pthread_mutex_unlock(&hits->lock);
}

bool
rule_hits_take(struct rule_hits *hits,
               struct ledger_rule_hits **rows,
               size_t *count)
{
    *count = 0;
    (void)pthread_mutex_lock(&hits->lock);
    *rows = malloc((hits->count + 1) * sizeof(**rows));
    for (size_t i = 0; *rows != NULL && i < hits->room; i++) {
        if (hits->slots[i].changed) {
            (*rows)[(*count)++] = hits->slots[i].hits;
            hits->slots[i].changed = false;
        }
    }
    (void)pthread_mutex_unlock(&hits->lock);
    if (*count == 0) {
        free(*rows);
        *rows = NULL;
    }
    return *count > 0;
}

void
rule_hits_unsaved(struct rule_hits *hits,
                  const struct ledger_rule_hits *rows,
                  size_t count)
{
    (void)pthread_mutex_lock(&hits->lock);
    for (size_t i = 0; i < count; i++) {
        find(hits->slots, hits->room, span_of(rows[i].rule))->changed = true;
    }
    (void)pthread_mutex_unlock(&hits->lock);
}
