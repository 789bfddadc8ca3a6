/* One pass over a cleaned text: candidates from the scanner, decided by PCRE2.
 */
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
    struct scanner_scratch *scan;
    pcre2_match_data *found;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack;
    bool scanned; /* the scanner knows the text: it may be asked */
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
    scratch->found = pcre2_match_data_create(1, NULL);
    scratch->limits = pcre2_match_context_create(NULL);
    scratch->stack = pcre2_jit_stack_create(JIT_STACK_START_BYTES,
                                            JIT_STACK_BYTES_MAX, NULL);
    if (scratch->found == NULL || scratch->limits == NULL ||
        scratch->stack == NULL ||
        scanner_scratch_new(rules->scanner, &scratch->scan, err) != ERR_OK) {
        rules_scratch_free(&scratch);
        return err->code != ERR_OK
                   ? err->code
                   : err_set(err, ERR_NO_MEMORY, "the rules' working memory");
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
    scanner_scratch_free(&(*scratch)->scan);
    pcre2_match_data_free((*scratch)->found);
    pcre2_match_context_free((*scratch)->limits);
    pcre2_jit_stack_free((*scratch)->stack);
    free(*scratch);
    *scratch = NULL;
}

/* One text and how it is asked. */
struct asking {
    const struct rules *rules;
    struct rules_scratch *scratch;
    const struct clean_text *text;
    bool *incomplete;
};

/* Does `pattern` match in characters [start, end) of the text, looking from
 * `from`? */
static bool
match_from(const struct asking *asking,
           struct rules_pattern *pattern,
           size_t start,
           size_t end,
           size_t from,
           struct rule_hit *hit)
{
    const uint16_t *at = asking->text->at;
    const PCRE2_SIZE *place;
    PCRE2_SPTR text = (PCRE2_SPTR)asking->text->text + at[start];
    size_t bytes = (size_t)(at[end] - at[start]);
    size_t begin = (size_t)(at[from] - at[start]);
    int result = PCRE2_ERROR_NOMEMORY;

    rules_pattern_need(pattern, asking->rules->making);
    if (pattern->machine) {
        result =
            pcre2_jit_match(pattern->code, text, bytes, begin, 0,
                            asking->scratch->found, asking->scratch->limits);
    } else if (pattern->code != NULL) {
        result =
            pcre2_match(pattern->code, text, bytes, begin, PCRE2_NO_UTF_CHECK,
                        asking->scratch->found, asking->scratch->limits);
    }
    if (result < 0) {
        if (result != PCRE2_ERROR_NOMATCH) {
            *asking->incomplete = true;
        }
        return false;
    }
    place = pcre2_get_ovector_pointer(asking->scratch->found);
    hit->start = (uint32_t)(at[start] + place[0]);
    hit->end = (uint32_t)(at[start] + place[1]);
    return true;
}

/* What the scanner alone says of a cell in characters [start, end); *hit gets
 * the place of a yes. */
static enum scanner_answer
ask_scanner(const struct asking *asking,
            const struct rule_code_cell *cell,
            size_t start,
            size_t end,
            struct rule_hit *hit)
{
    enum scanner_answer answer;
    size_t from;
    size_t to;

    if (!asking->scratch->scanned) {
        return SCANNER_PERHAPS;
    }
    answer = scanner_ask(asking->rules->scanner, asking->scratch->scan,
                         &cell->probe, start, end, &from, &to);
    if (answer == SCANNER_YES) {
        hit->start = asking->text->at[from];
        hit->end = asking->text->at[to];
    }
    return answer;
}

/* After SCANNER_PERHAPS: PCRE2, only where the scanner saw the words. */
static bool
ask_pcre2(const struct asking *asking,
          const struct rule_code_cell *cell,
          size_t start,
          size_t end,
          struct rule_hit *hit)
{
    struct scanner_cursor cursor = {0, 0, 0};
    bool everywhere = false;
    size_t place;

    if (!asking->scratch->scanned || !cell->probe.leads) {
        return match_from(asking, cell->whole, start, end, start, hit);
    }
    while (scanner_next_place(asking->rules->scanner, asking->scratch->scan,
                              &cell->probe, start, end, &cursor, &place,
                              &everywhere)) {
        if (everywhere) {
            return match_from(asking, cell->whole, start, end, place, hit);
        }
        if (match_from(asking, cell->anchored, start, end, place, hit)) {
            return true;
        }
    }
    return false;
}

/* The rule with its `also` and `unless` in characters [start, end). The scanner
 * is asked about all three before PCRE2 is about any. */
static bool
rule_in(const struct asking *asking,
        const struct rule_code *code,
        size_t start,
        size_t end,
        struct rule_hit *hit)
{
    enum scanner_answer also = SCANNER_YES;
    enum scanner_answer unless = SCANNER_NO;
    enum scanner_answer pattern;
    struct rule_hit other;

    pattern = ask_scanner(asking, &code->pattern, start, end, hit);
    if (pattern == SCANNER_NO) {
        return false;
    }
    if (code->also.whole != NULL) {
        also = ask_scanner(asking, &code->also, start, end, &other);
    }
    if (also != SCANNER_NO && code->unless.whole != NULL) {
        unless = ask_scanner(asking, &code->unless, start, end, &other);
    }
    return also != SCANNER_NO && unless != SCANNER_YES &&
           (pattern == SCANNER_YES ||
            ask_pcre2(asking, &code->pattern, start, end, hit)) &&
           (also == SCANNER_YES ||
            ask_pcre2(asking, &code->also, start, end, &other)) &&
           (unless == SCANNER_NO ||
            !ask_pcre2(asking, &code->unless, start, end, &other));
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
            *start = 1;
            *end = i;
            return true;
        }
    }
    return false;
}

static bool
rule_in_sentences(const struct asking *asking,
                  const struct rule_code *code,
                  struct rule_hit *hit)
{
    const struct scanner_scratch *scan = asking->scratch->scan;
    uint64_t buckets = asking->scratch->scanned
                           ? scanner_buckets(asking->rules->scanner, scan,
                                             &code->pattern.probe)
                           : UINT64_MAX;
    size_t start = 0;

    for (size_t i = 0; i < asking->text->sentence_count; i++) {
        size_t end = asking->text->sentence_end[i];

        if (scanner_may_begin(scan, buckets, start, end) &&
            rule_in(asking, code, start, end, hit)) {
            return true;
        }
        start = end;
    }
    return false;
}

static bool
rule_matches(const struct asking *asking, size_t index, struct rule_hit *hit)
{
    const struct rule_code *code = &asking->rules->code[index];
    size_t start;
    size_t end;

    assert(index < asking->rules->count);
    hit->rule = (uint32_t)index;
    switch (asking->rules->rows[index].scope) {
    case RULE_SCOPE_SENTENCE:
        return rule_in_sentences(asking, code, hit);
    case RULE_SCOPE_BRACKET:
        return find_bracket(asking->text, &start, &end) &&
               rule_in(asking, code, start, end, hit);
    default:
        return rule_in(asking, code, 0, asking->text->char_count, hit);
    }
}

bool
rules_match_one(const struct rules *rules,
                struct rules_scratch *scratch,
                size_t index,
                const struct clean_text *text,
                struct rule_hit *hit,
                bool *incomplete)
{
    struct asking asking = {rules, scratch, text, incomplete};

    scratch->scanned = false;
    return rule_matches(&asking, index, hit);
}

size_t
rules_scan(const struct rules *rules,
           struct rules_scratch *scratch,
           const struct clean_text *text)
{
    const uint32_t *candidates;

    return scanner_scan(rules->scanner, scratch->scan, text, &candidates);
}

size_t
rules_match(const struct rules *rules,
            struct rules_scratch *scratch,
            const struct clean_text *text,
            struct rule_hit *hits,
            bool *incomplete)
{
    struct asking asking = {rules, scratch, text, incomplete};
    const uint32_t *candidates;
    size_t candidate_count =
        scanner_scan(rules->scanner, scratch->scan, text, &candidates);
    size_t count = 0;

    scratch->scanned = true;
    for (size_t i = 0; i < candidate_count; i++) {
        if (count == RULE_HITS_MAX) {
            *incomplete = true;
            break;
        }
        if (rule_matches(&asking, candidates[i], &hits[count])) {
            count++;
        }
    }
    return count;
}
