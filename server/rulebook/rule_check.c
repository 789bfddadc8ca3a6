/* Rules against their own sentences and against hostile texts. */
#include "server/rulebook/rule_check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyzers/clean.h"
#include "analyzers/rules.h"
#include "server/base/buf.h"

enum { TRIES = 3, FINDING_BYTES_MAX = 16 * 1024 };

/* What both checks need. */
struct bench {
    const struct dictionary *dictionary;
    struct rules_scratch *scratch;
    struct clean_text *clean;
    struct rule_hit *hits;
};

static enum err_code
bench_open(struct bench *bench,
           const struct dictionary *dictionary,
           struct err *err)
{
    *bench = (struct bench){.dictionary = dictionary};
    bench->clean = malloc(sizeof(*bench->clean));
    bench->hits = calloc(RULE_HITS_MAX, sizeof(*bench->hits));
    if (bench->clean == NULL || bench->hits == NULL) {
        return err_set(err, ERR_NO_MEMORY, "check");
    }
    return rules_scratch_new(dictionary->rules, &bench->scratch, err);
}

static void
bench_close(struct bench *bench)
{
    rules_scratch_free(&bench->scratch);
    free(bench->clean);
    free(bench->hits);
}

static void find(struct rule_check *check,
                 const struct rule *rule,
                 const char *column,
                 const char *fmt,
                 ...) PRINTF_LIKE(4, 5);

/* One finding: "file: line 3, column 'x': rule 'id' …". */
static void
find(struct rule_check *check,
     const struct rule *rule,
     const char *column,
     const char *fmt,
     ...)
{
    struct buf text;
    va_list args;

    buf_init(&text, FINDING_BYTES_MAX);
    buf_printf(&text, "%s: line %zu, column '%s': rule '%.*s' ", rule->file,
               rule->line, column, SPAN_ARGS(rule->id));
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    check->findings++;
    check->finding(check->data, buf_view(&text));
    buf_release(&text);
}

/* Does the whole engine, scanner and all, let the rule speak? */
static bool
rule_speaks(struct bench *bench, size_t index, struct span sentence)
{
    bool incomplete = false;
    size_t count;

    clean_text(bench->dictionary->cleaner, sentence, bench->clean);
    count = rules_match(bench->dictionary->rules, bench->scratch, bench->clean,
                        bench->hits, &incomplete);
    for (size_t i = 0; i < count; i++) {
        if (bench->hits[i].rule == index) {
            return true;
        }
    }
    return false;
}

/* Each `|`-separated sentence of a cell. */
static void
check_sentences(struct bench *bench,
                struct rule_check *check,
                size_t index,
                bool must_match)
{
    const struct rule *rule = rules_get(bench->dictionary->rules, index);
    struct span rest = must_match ? rule->must_match : rule->must_not_match;
    const char *column = must_match ? "must_match" : "must_not_match";

    if (rest.bytes == 0) {
        find(check, rule, column, "has none; write a sentence");
    }
    while (rest.bytes > 0) {
        struct span sentence = span_trim(span_split(&rest, '|'));

        if (rule_speaks(bench, index, sentence) != must_match) {
            find(check, rule, column,
                 must_match ? "does not match its own sentence “%.*s”; mend "
                              "the pattern or the sentence"
                            : "matches what it must not: “%.*s”; mend the "
                              "pattern or the sentence",
                 SPAN_ARGS(sentence));
        }
    }
}

static void
check_duplicate(const struct dictionary *dictionary,
                struct rule_check *check,
                size_t index)
{
    const struct rule *rule = rules_get(dictionary->rules, index);

    for (size_t i = 0; i < index; i++) {
        const struct rule *other = rules_get(dictionary->rules, i);

        if (other->kind == rule->kind && other->scope == rule->scope &&
            other->class_index == rule->class_index &&
            other->topic == rule->topic &&
            span_equal(other->pattern, rule->pattern) &&
            span_equal(other->also, rule->also) &&
            span_equal(other->unless, rule->unless)) {
            find(check, rule, "pattern",
                 "says the same as rule '%.*s' (%s, line %zu)",
                 SPAN_ARGS(other->id), other->file, other->line);
            return;
        }
    }
}

enum err_code
rule_check_sentences(const struct dictionary *dictionary,
                     struct rule_check *check,
                     struct err *err)
{
    struct bench bench;
    enum err_code code = bench_open(&bench, dictionary, err);

    check->rules = rules_count(dictionary->rules);
    for (size_t i = 0; code == ERR_OK && i < check->rules; i++) {
        check_sentences(&bench, check, i, true);
        check_sentences(&bench, check, i, false);
        check_duplicate(dictionary, check, i);
    }
    bench_close(&bench);
    return code;
}

/* -------------------------------------------------------------------- cost */

/* `piece` again and again, up to 8 KB. */
static void
repeat_piece(char *out, struct span piece)
{
    size_t at = 0;

    while (piece.bytes > 0 && at + piece.bytes <= CLEAN_INPUT_BYTES_MAX) {
        memcpy(out + at, piece.data, piece.bytes);
        at += piece.bytes;
    }
    memset(out + at, 'a', CLEAN_INPUT_BYTES_MAX - at);
}

/* Hostile text number k for this rule; out has 8 KB. The odd ending keeps the
 * cleaner from taking the repetition for a text pasted twice. */
static void
hostile_text(size_t k, const struct rule *rule, char *out)
{
    static const char *const pieces[RULE_CHECK_HOSTILE_TEXTS - 3] = {
        "1",
        "停",
        "没",
        "停电没通知",
        "a1 ",
        "，",
        "客户反映停电三次没人来修态度差",
        "停了1次2次",
        "电电电表表表线线线"};
    struct span sentence = rule->must_match;

    sentence = span_split(&sentence, '|');
    switch (k) {
    case RULE_CHECK_HOSTILE_TEXTS - 3:
        break;
    case RULE_CHECK_HOSTILE_TEXTS - 2:
        sentence.bytes = utf8_cut(sentence.data, sentence.bytes / 2);
        break;
    case RULE_CHECK_HOSTILE_TEXTS - 1:
        sentence.bytes =
            utf8_cut(sentence.data, sentence.bytes > 6 ? 6 : sentence.bytes);
        break;
    default:
        sentence = span_of(pieces[k]);
        break;
    }
    repeat_piece(out, sentence);
    memcpy(out + CLEAN_INPUT_BYTES_MAX - 3, "xyz", 3);
}

static double
now_us(void)
{
    struct timespec now;

    /* Of this thread: a busy machine does not make a rule slow. */
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Time of one rule on the text in bench->clean: the best of a few tries.
 * *gave_up is set when it met RULE_MATCH_LIMIT. */
static double
time_rule(struct bench *bench, size_t index, double rule_us_max, bool *gave_up)
{
    double best = 0;

    for (int i = 0; i < TRIES; i++) {
        struct rule_hit hit;
        bool incomplete = false;
        double start = now_us();
        double took;

        (void)rules_match_one(bench->dictionary->rules, bench->scratch, index,
                              bench->clean, &hit, &incomplete);
        took = now_us() - start;
        *gave_up = *gave_up || incomplete;
        best = i == 0 || took < best ? took : best;
        if (best < rule_us_max / 2) {
            break;
        }
    }
    return best;
}

static void
check_cost(struct bench *bench,
           struct rule_check *check,
           size_t index,
           char *text)
{
    const struct rule *rule = rules_get(bench->dictionary->rules, index);
    bool machine = rules_prepare(bench->dictionary->rules, index);
    double worst = 0;
    bool gave_up = false;

    for (size_t k = 0; k < RULE_CHECK_HOSTILE_TEXTS; k++) {
        double took;

        hostile_text(k, rule, text);
        clean_text(bench->dictionary->cleaner,
                   (struct span){text, CLEAN_INPUT_BYTES_MAX}, bench->clean);
        took = time_rule(bench, index, check->rule_us_max, &gave_up);
        worst = took > worst ? took : worst;
    }
    if (worst > check->rule_us_max) {
        find(check, rule, "pattern",
             "takes %.1f ms on a hostile text of 8 KB, at most %.0f ms; give "
             "its gaps smaller bounds or its words more letters",
             worst / 1e3, check->rule_us_max / 1e3);
    }
    if (!machine) {
        find(check, rule, "pattern",
             "cannot be compiled to machine code; simplify it; if every rule "
             "says this, the system forbids executable memory");
    }
    if (gave_up) {
        find(check, rule, "pattern",
             "is given up on a hostile text of 8 KB after %d steps; give its "
             "gaps smaller bounds, or fewer of them in a row",
             RULE_MATCH_LIMIT);
    }
    if (check->rule_us != NULL) {
        check->rule_us[index] = worst;
    }
    if (worst > check->slowest_us) {
        check->slowest_us = worst;
        check->slowest_rule = rule->id;
    }
}

enum err_code
rule_check_cost(const struct dictionary *dictionary,
                struct rule_check *check,
                struct err *err)
{
    struct bench bench;
    char *text = malloc(CLEAN_INPUT_BYTES_MAX);
    enum err_code code = bench_open(&bench, dictionary, err);

    if (code == ERR_OK && text == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "check");
    }
    for (size_t i = 0; code == ERR_OK && i < rules_count(dictionary->rules);
         i++) {
        check_cost(&bench, check, i, text);
    }
    free(text);
    bench_close(&bench);
    return code;
}
