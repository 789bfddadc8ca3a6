/* One pass over a cleaned text: candidates from libhs, decided by PCRE2. */
#include "analyzers/rules_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    JIT_STACK_START_BYTES = 32 * 1024,
    JIT_STACK_BYTES_MAX = 512 * 1024,
    BRACKET_CHARS_MAX = 60
};

struct rules_scratch {
    hs_scratch_t *scan;
    pcre2_match_data *found;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack;
    size_t candidate_count;
    uint32_t *candidates; /* one slot a rule */
};

enum err_code
rules_scratch_new(const struct rules *rules,
                  struct rules_scratch **out,
                  struct err *err)
{
    struct rules_scratch *scratch = calloc(1, sizeof(*scratch));

    if (scratch == NULL) {
        return err_set(err, ERR_NO_MEMORY, "the rules' working memory");
    }
    scratch->candidates = calloc(rules->count + 1, sizeof(uint32_t));
    scratch->found = pcre2_match_data_create(1, NULL);
    scratch->limits = pcre2_match_context_create(NULL);
    scratch->stack = pcre2_jit_stack_create(JIT_STACK_START_BYTES,
                                            JIT_STACK_BYTES_MAX, NULL);
    if (scratch->candidates == NULL || scratch->found == NULL ||
        scratch->limits == NULL || scratch->stack == NULL ||
        (rules->scanner != NULL &&
         hs_alloc_scratch(rules->scanner, &scratch->scan) != HS_SUCCESS)) {
        rules_scratch_free(&scratch);
        return err_set(err, ERR_NO_MEMORY, "the rules' working memory");
    }
    (void)pcre2_set_match_limit(scratch->limits, RULE_MATCH_LIMIT);
    pcre2_jit_stack_assign(scratch->limits, NULL, scratch->stack);
    *out = scratch;
    return ERR_OK;
}

void
rules_scratch_free(struct rules_scratch **scratch)
{
    if (*scratch == NULL) {
        return;
    }
    (void)hs_free_scratch((*scratch)->scan);
    pcre2_match_data_free((*scratch)->found);
    pcre2_match_context_free((*scratch)->limits);
    pcre2_jit_stack_free((*scratch)->stack);
    free((*scratch)->candidates);
    free(*scratch);
    *scratch = NULL;
}

/* Does `code` match in text[start..end)? *hit gets the place. */
static bool
match_in(const pcre2_code *code,
         struct rules_scratch *scratch,
         const struct clean_text *text,
         size_t start,
         size_t end,
         struct rule_hit *hit,
         bool *incomplete)
{
    const PCRE2_SIZE *place;
    int result =
        pcre2_jit_match(code, (PCRE2_SPTR)text->text + start, end - start, 0, 0,
                        scratch->found, scratch->limits);

    if (result < 0) {
        if (result != PCRE2_ERROR_NOMATCH) {
            *incomplete = true;
        }
        return false;
    }
    place = pcre2_get_ovector_pointer(scratch->found);
    hit->start = (uint32_t)(start + place[0]);
    hit->end = (uint32_t)(start + place[1]);
    return true;
}

/* The rule with its `also` and `unless` in text[start..end). */
static bool
rule_in(const struct rule_code *code,
        struct rules_scratch *scratch,
        const struct clean_text *text,
        size_t start,
        size_t end,
        struct rule_hit *hit,
        bool *incomplete)
{
    struct rule_hit other;

    return match_in(code->pattern, scratch, text, start, end, hit,
                    incomplete) &&
           (code->also == NULL || match_in(code->also, scratch, text, start,
                                           end, &other, incomplete)) &&
           (code->unless == NULL || !match_in(code->unless, scratch, text,
                                              start, end, &other, incomplete));
}

/* The inside of a leading 【…】: false when the text has none. */
static bool
find_bracket(const struct clean_text *text, size_t *start, size_t *end)
{
    if (text->char_count == 0 || text->code_point[0] != 0x3010) {
        return false;
    }
    for (size_t i = 1; i < text->char_count && i < BRACKET_CHARS_MAX; i++) {
        if (text->code_point[i] == 0x3011) {
            *start = text->at[1];
            *end = text->at[i];
            return true;
        }
    }
    return false;
}

static bool
rule_in_sentences(const struct rule_code *code,
                  struct rules_scratch *scratch,
                  const struct clean_text *text,
                  struct rule_hit *hit,
                  bool *incomplete)
{
    size_t start = 0;

    for (size_t i = 0; i < text->sentence_count; i++) {
        size_t end = text->sentence_end[i];

        if (rule_in(code, scratch, text, start, end, hit, incomplete)) {
            return true;
        }
        start = end;
    }
    return false;
}

bool
rules_match_one(const struct rules *rules,
                struct rules_scratch *scratch,
                size_t index,
                const struct clean_text *text,
                struct rule_hit *hit,
                bool *incomplete)
{
    const struct rule_code *code = &rules->code[index];
    size_t start;
    size_t end;

    assert(index < rules->count);
    hit->rule = (uint32_t)index;
    switch (rules->rows[index].scope) {
    case RULE_SCOPE_SENTENCE:
        return rule_in_sentences(code, scratch, text, hit, incomplete);
    case RULE_SCOPE_BRACKET:
        return find_bracket(text, &start, &end) &&
               rule_in(code, scratch, text, start, end, hit, incomplete);
    default:
        return rule_in(code, scratch, text, 0, text->bytes, hit, incomplete);
    }
}

static int
candidate_cb(unsigned id,
             unsigned long long from,
             unsigned long long to,
             unsigned flags,
             void *context)
{
    struct rules_scratch *scratch = context;

    (void)from;
    (void)to;
    (void)flags;
    scratch->candidates[scratch->candidate_count++] = id;
    return 0;
}

/* Few and nearly sorted: insertion. */
static void
sort_candidates(uint32_t *candidates, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t one = candidates[i];
        size_t k = i;

        while (k > 0 && candidates[k - 1] > one) {
            candidates[k] = candidates[k - 1];
            k--;
        }
        candidates[k] = one;
    }
}

/* Fill the list of candidates; false when the scanner fails. */
static bool
scan(const struct rules *rules,
     struct rules_scratch *scratch,
     const struct clean_text *text)
{
    scratch->candidate_count = 0;
    if (rules->scanner == NULL || text->bytes == 0) {
        return true;
    }
    /* SINGLEMATCH: each id comes once, so the array cannot overflow. */
    if (hs_scan(rules->scanner, text->text, (unsigned)text->bytes, 0,
                scratch->scan, candidate_cb, scratch) != HS_SUCCESS) {
        return false;
    }
    assert(scratch->candidate_count <= rules->count);
    return true;
}

size_t
rules_scan(const struct rules *rules,
           struct rules_scratch *scratch,
           const struct clean_text *text)
{
    return scan(rules, scratch, text) ? scratch->candidate_count : 0;
}

size_t
rules_match(const struct rules *rules,
            struct rules_scratch *scratch,
            const struct clean_text *text,
            struct rule_hit *hits,
            bool *incomplete)
{
    size_t count = 0;

    if (!scan(rules, scratch, text)) {
        *incomplete = true;
        return 0;
    }
    sort_candidates(scratch->candidates, scratch->candidate_count);
    for (size_t i = 0; i < scratch->candidate_count; i++) {
        if (count == RULE_HITS_MAX) {
            *incomplete = true;
            break;
        }
        if (rules_match_one(rules, scratch, scratch->candidates[i], text,
                            &hits[count], incomplete)) {
            count++;
        }
    }
    return count;
}
