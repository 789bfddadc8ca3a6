/* One pass over a text, and what can be asked of it afterwards. */
#include "analyzers/scanner_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    FINDS_MAX = 4 * CLEAN_CHARS_MAX,
    STEPS_MAX = 8192, /* finds looked at for one way; then PCRE2 is asked */
    PLACES_MAX = 64,  /* given for one question; then PCRE2 looks itself */
    BUCKETS = 64,     /* of a text: a bit each */
    CLEARED = 128     /* marks at a time: for more, memset takes another, slower
                         to begin with, way */
};

/*
 * Where words stand is known twice: exactly, by the finds, and roughly, by
 * buckets: the text is cut into at most 64 stretches of 1 << shift characters,
 * and a bit says whether a word begins in a stretch. Most ways are ruled out by
 * the buckets of their marks.
 */
struct scanner_scratch {
    const struct scanner *scanner;
    const struct clean_text *text;
    bool overrun;   /* more finds than room: nothing is sure */
    unsigned shift; /* characters of a bucket, as a power of two */
    size_t find_count;
    size_t found_kind_count;
    size_t keyed_kind_count; /* of found_kinds: those with ways come first */
    size_t candidate_count;
    struct lexicon_word *finds; /* [FINDS_MAX] by start, the shorter first; the
                                   number is a kind */
    uint16_t *first_finds;   /* [CLEAN_CHARS_MAX + 1]: the first one that begins
                                at a character or behind it */
    uint32_t *found_kinds;   /* each once */
    uint64_t *kind_buckets;  /* [kind_count] */
    uint64_t *mark_buckets;  /* [mark_count] */
    uint32_t *standing_ways; /* [keyed way count]: whose rarest marks stand */
    uint64_t *possible_ways; /* [way_count / 64 + 1]: of rules, a bit each */
    uint32_t *candidates;    /* [rule_count] */
};

_Static_assert((int)FINDS_MAX <= (int)UINT16_MAX, "finds are 16 bits");

enum err_code
scanner_scratch_new(const struct scanner *scanner,
                    struct scanner_scratch **out,
                    struct err *err)
{
    struct scanner_scratch *scratch = calloc(1, sizeof(*scratch));

    if (scratch == NULL) {
        return err_set(err, ERR_NO_MEMORY, "the scanner's working memory");
    }
    scratch->scanner = scanner;
    scratch->finds = calloc(FINDS_MAX, sizeof(*scratch->finds));
    scratch->first_finds =
        calloc(CLEAN_CHARS_MAX + 1, sizeof(*scratch->first_finds));
    scratch->found_kinds = calloc(scanner->kind_count + 1, sizeof(uint32_t));
    scratch->kind_buckets = calloc(scanner->kind_count + 1, sizeof(uint64_t));
    scratch->mark_buckets = calloc(scanner->mark_count + 1, sizeof(uint64_t));
    scratch->standing_ways =
        calloc(scanner->kinds != NULL
                   ? scanner->kinds[scanner->kind_count].first_way + 1
                   : 1,
               sizeof(uint32_t));
    scratch->possible_ways =
        calloc(scanner->way_count / 64 + 1, sizeof(uint64_t));
    scratch->candidates = calloc(scanner->rule_count + 1, sizeof(uint32_t));
    if (scratch->finds == NULL || scratch->first_finds == NULL ||
        scratch->found_kinds == NULL || scratch->kind_buckets == NULL ||
        scratch->mark_buckets == NULL || scratch->standing_ways == NULL ||
        scratch->possible_ways == NULL || scratch->candidates == NULL) {
        scanner_scratch_free(&scratch);
        return err_set(err, ERR_NO_MEMORY, "the scanner's working memory");
    }
    scratch->mark_buckets[scanner->mark_count] = UINT64_MAX;
    *out = scratch;
    return ERR_OK;
}

void
scanner_scratch_free(struct scanner_scratch **scratch)
{
    if (*scratch != NULL) {
        free((*scratch)->finds);
        free((*scratch)->first_finds);
        free((*scratch)->found_kinds);
        free((*scratch)->kind_buckets);
        free((*scratch)->mark_buckets);
        free((*scratch)->standing_ways);
        free((*scratch)->possible_ways);
        free((*scratch)->candidates);
        free(*scratch);
        *scratch = NULL;
    }
}

/* ----------------------------------------------------------------- buckets */

/* The buckets of characters [start, end). */
static uint64_t
buckets_of(const struct scanner_scratch *scratch, size_t start, size_t end)
{
    size_t first = start >> scratch->shift;
    size_t last;

    if (start >= end) {
        return 0;
    }
    last = (end - 1) >> scratch->shift;
    return UINT64_MAX << first & UINT64_MAX >> (BUCKETS - 1 - last);
}

/* Each bucket and the `by` behind it. Without a branch: how many there are is
 * never the same twice. */
static inline uint64_t
spread(uint64_t buckets, size_t by)
{
    size_t width = (by < BUCKETS ? by : BUCKETS - 1) + 1;
    unsigned power = 63u - (unsigned)__builtin_clzll(width);
    uint64_t powers[7]; /* each bucket and 1, 2, 4 ... in all */

    powers[0] = buckets;
    powers[1] = powers[0] | powers[0] << 1;
    powers[2] = powers[1] | powers[1] << 2;
    powers[3] = powers[2] | powers[2] << 4;
    powers[4] = powers[3] | powers[3] << 8;
    powers[5] = powers[4] | powers[4] << 16;
    powers[6] = powers[5] | powers[5] << 32;
    return powers[power] | powers[power] << (width - (UINT64_C(1) << power));
}

/* Can the marks of a way follow each other, beginning in these buckets? Most
 * ways lack one of their first three marks: that is one branch. */
static inline bool
way_possible(const struct scanner_scratch *scratch,
             const struct way *way,
             uint64_t buckets)
{
    const uint64_t *marks = scratch->mark_buckets;
    bool stand;

    buckets &= marks[way->marks[0]];
    stand = (buckets != 0) & (marks[way->marks[1]] != 0) &
            (marks[way->marks[2]] != 0);
    if (!stand) {
        return false;
    }
    for (uint32_t i = 1; i < way->mark_count; i++) {
        size_t by = ((size_t)way->reach[i] >> scratch->shift) + 1;

        buckets = spread(buckets, by) & marks[way->marks[i]];
    }
    return buckets != 0;
}

_Static_assert(NEEDS_SEGMENTS_MAX >= 3, "way_possible looks at three");

/* -------------------------------------------------------------------- scan */

static void
find_words(struct scanner_scratch *scratch)
{
    const struct clean_text *text = scratch->text;
    const struct lexicon *lexicon = scratch->scanner->lexicon;
    uint16_t *first_finds = scratch->first_finds;
    uint64_t *kind_buckets = scratch->kind_buckets;
    size_t kind_count = 0;

    if (lexicon != NULL &&
        !lexicon_find(lexicon, text->code_point, text->char_count,
                      scratch->finds, FINDS_MAX, &scratch->find_count)) {
        scratch->overrun = true;
        return;
    }
    memset(first_finds, 0, (text->char_count + 1) * sizeof(*first_finds));
    for (size_t n = 0; n < scratch->find_count; n++) {
        const struct lexicon_word *find = &scratch->finds[n];
        uint64_t *buckets = &kind_buckets[find->number];

        first_finds[find->start + 1] = (uint16_t)(n + 1);
        scratch->found_kinds[kind_count] = find->number;
        kind_count += *buckets == 0;
        *buckets |= UINT64_C(1) << (find->start >> scratch->shift);
    }
    scratch->found_kind_count = kind_count;
    for (size_t at = 1; at <= text->char_count; at++) {
        if (first_finds[at] < first_finds[at - 1]) {
            first_finds[at] = first_finds[at - 1];
        }
    }
}

/* Where each mark stands. Of the kinds found only those with ways are kept. */
static void
find_marks(struct scanner_scratch *scratch)
{
    const struct scanner *scanner = scratch->scanner;
    uint64_t *mark_buckets = scratch->mark_buckets;
    size_t keyed = 0;

    memset(mark_buckets, 0, scanner->mark_count * sizeof(*mark_buckets));
    for (size_t k = 0; k < scratch->found_kind_count; k++) {
        uint32_t number = scratch->found_kinds[k];
        const struct kind *kind = &scanner->kinds[number];
        const uint16_t *mark = scanner->kind_marks + kind->first_mark;
        const uint16_t *end = scanner->kind_marks + kind[1].first_mark;
        uint64_t buckets = scratch->kind_buckets[number];

        _Static_assert(SCANNER_MARKS_STEP == 4, "four marks at a time");
        for (; mark < end; mark += SCANNER_MARKS_STEP) {
            mark_buckets[mark[0]] |= buckets;
            mark_buckets[mark[1]] |= buckets;
            mark_buckets[mark[2]] |= buckets;
            mark_buckets[mark[3]] |= buckets;
        }
        scratch->kind_buckets[number] = 0;
        scratch->found_kinds[keyed] = number;
        keyed += kind[1].first_way > kind->first_way;
    }
    scratch->keyed_kind_count = keyed;
    mark_buckets[scanner->mark_count] = UINT64_MAX;
}

/* The ways of rules that are possible; only those whose key mark stands are
 * looked at. */
static void
find_ways(struct scanner_scratch *scratch)
{
    const struct scanner *scanner = scratch->scanner;
    const uint64_t *mark_buckets = scratch->mark_buckets;
    uint32_t *standing = scratch->standing_ways;
    size_t count = 0;

    memset(scratch->possible_ways, 0,
           (scanner->way_count / 64 + 1) * sizeof(uint64_t));
    for (size_t k = 0; k < scratch->keyed_kind_count; k++) {
        const struct kind *kind = &scanner->kinds[scratch->found_kinds[k]];
        const struct keyed_way *keyed = scanner->keyed_ways + kind->first_way;
        const struct keyed_way *end = scanner->keyed_ways + kind[1].first_way;

        for (; keyed < end; keyed++) {
            standing[count] = keyed->way;
            count += (mark_buckets[keyed->others[0]] != 0) &
                     (mark_buckets[keyed->others[1]] != 0);
        }
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t way = standing[i];

        scratch->possible_ways[way / 64] |=
            (uint64_t)way_possible(scratch, &scanner->ways[way], UINT64_MAX)
            << way % 64;
    }
}

/* The next way from `from` on that the scan left possible, or `end`. */
static size_t
next_possible(const struct scanner_scratch *scratch, size_t from, size_t end)
{
    while (from < end) {
        uint64_t bits = scratch->possible_ways[from / 64] >> from % 64;

        if (bits != 0) {
            from += (size_t)__builtin_ctzll(bits);
            return from < end ? from : end;
        }
        from = (from / 64 + 1) * 64;
    }
    return end;
}

static void
add_candidate(struct scanner_scratch *scratch, uint32_t rule)
{
    size_t count = scratch->candidate_count;

    if (count == 0 || scratch->candidates[count - 1] != rule) {
        scratch->candidates[scratch->candidate_count++] = rule;
    }
}

/* The rules of the possible ways and those that are always asked. Rules ascend
 * with their ways. */
static void
find_candidates(struct scanner_scratch *scratch)
{
    const struct scanner *scanner = scratch->scanner;
    size_t always = 0;

    for (size_t way = next_possible(scratch, 0, scanner->way_count);
         way < scanner->way_count;
         way = next_possible(scratch, way + 1, scanner->way_count)) {
        uint32_t rule = scanner->ways[way].rule;

        while (always < scanner->always.count &&
               scanner->always.at[always] < rule) {
            add_candidate(scratch, scanner->always.at[always++]);
        }
        add_candidate(scratch, rule);
    }
    while (always < scanner->always.count) {
        add_candidate(scratch, scanner->always.at[always++]);
    }
}

static void
begin_scan(struct scanner_scratch *scratch, const struct clean_text *text)
{
    scratch->text = text;
    scratch->overrun = false;
    scratch->shift = 0;
    while (text->char_count > (size_t)BUCKETS << scratch->shift) {
        scratch->shift++;
    }
    scratch->find_count = 0;
    scratch->found_kind_count = 0;
    scratch->candidate_count = 0;
}

size_t
scanner_scan(const struct scanner *scanner,
             struct scanner_scratch *scratch,
             const struct clean_text *text,
             const uint32_t **candidates)
{
    assert(scratch->scanner == scanner);
    begin_scan(scratch, text);
    find_words(scratch);
    *candidates = scratch->candidates;
    if (scratch->overrun) {
        for (size_t rule = 0; rule < scanner->rule_count; rule++) {
            add_candidate(scratch, (uint32_t)rule);
        }
        return scratch->candidate_count;
    }
    find_marks(scratch);
    find_ways(scratch);
    find_candidates(scratch);
    assert(scratch->candidate_count <= scanner->rule_count);
    return scratch->candidate_count;
}

/* -------------------------------------------------------------------- ask */

/* The signature mostly says no; the marks of a kind ascend. */
static inline bool
is_of_mark(const struct scanner *scanner, uint32_t number, uint32_t mark)
{
    const struct kind *kind = &scanner->kinds[number];
    const uint16_t *low;
    size_t count;

    if ((kind->signature >> mark % 64 & 1) == 0) {
        return false;
    }
    low = scanner->kind_marks + kind->first_mark;
    count = kind[1].first_mark - kind->first_mark;
    while (count > 1) {
        size_t half = count / 2;

        low += low[half] <= mark ? half : 0;
        count -= half;
    }
    return *low == mark;
}

/* One question about one way. */
struct question {
    const struct scanner *scanner;
    const struct scanner_scratch *scratch;
    size_t way;
    size_t start; /* characters */
    size_t end;
    size_t steps_left; /* 0: it became too long to be sure */
};

/* None of the characters that the gap forbids in [from, to). */
static bool
gap_allows(const struct question *question,
           const struct gap *gap,
           size_t from,
           size_t to)
{
    const struct clean_text *text = question->scratch->text;
    const struct forbidden *forbidden =
        &question->scanner->forbidden[gap->forbidden];

    for (size_t i = from; i < to && forbidden->count > 0; i++) {
        for (size_t k = 0; k < forbidden->count; k++) {
            if (text->code_point[i] == forbidden->characters[k]) {
                return false;
            }
        }
    }
    return true;
}

/* The next find of the mark that begins in characters [start, end) and ends
 * where the question does, from number `from` on; find_count at the end. Only
 * the buckets where the mark stands are looked at. */
static size_t
next_of_mark(const struct question *question,
             uint32_t mark,
             size_t start,
             size_t end,
             size_t from)
{
    const struct scanner_scratch *scratch = question->scratch;
    uint64_t buckets =
        scratch->mark_buckets[mark] & buckets_of(scratch, start, end);

    for (; buckets != 0; buckets &= buckets - 1) {
        size_t bucket = (size_t)__builtin_ctzll(buckets);
        size_t first = bucket << scratch->shift;
        size_t last = (bucket + 1) << scratch->shift;

        first = scratch->first_finds[first > start ? first : start];
        last = scratch->first_finds[last < end ? last : end];
        for (first = first > from ? first : from; first < last; first++) {
            const struct lexicon_word *find = &scratch->finds[first];

            if (is_of_mark(question->scanner, find->number, mark) &&
                find->end <= question->end) {
                return first;
            }
        }
    }
    return scratch->find_count;
}

/* Do marks i.. of the way follow behind `before`, none beyond the end? The last
 * one, NULL if they do not; `before` when that is unclear. */
static const struct lexicon_word *
marks_follow(struct question *question,
             uint32_t i,
             const struct lexicon_word *before)
{
    const struct scanner_scratch *scratch = question->scratch;
    const struct way *way = &question->scanner->ways[question->way];
    const struct gap *gap;
    size_t start;
    size_t end;

    if (i == way->mark_count) {
        return before;
    }
    gap = &question->scanner->gaps[question->way].before[i];
    start = (size_t)before->end + gap->min;
    end = gap->max == NEEDS_FAR ? question->end
                                : (size_t)before->end + gap->max + 1;
    end = end < question->end ? end : question->end;
    for (size_t n = next_of_mark(question, way->marks[i], start, end, 0);
         n < scratch->find_count;
         n = next_of_mark(question, way->marks[i], start, end, n + 1)) {
        const struct lexicon_word *find = &scratch->finds[n];
        const struct lexicon_word *last;

        if (question->steps_left == 0) {
            return before;
        }
        question->steps_left--;
        start = find->start;
        if (gap_allows(question, gap, before->end, find->start) &&
            (last = marks_follow(question, i + 1, find)) != NULL) {
            return last;
        }
    }
    return NULL;
}

/* The next find of the way's first mark from number `from` on; find_count at
 * the end. */
static size_t
next_first(const struct question *question, size_t from)
{
    const struct scanner_scratch *scratch = question->scratch;
    size_t start =
        from < scratch->find_count ? scratch->finds[from].start : question->end;

    return next_of_mark(question,
                        question->scanner->ways[question->way].marks[0], start,
                        question->end, from);
}

/* Can the way match in the stretch of the question? */
static enum scanner_answer
ask_way(struct question *question, size_t *from, size_t *to)
{
    const struct scanner_scratch *scratch = question->scratch;
    bool sure = question->scanner->ways[question->way].sure;

    for (size_t n = next_first(question, scratch->first_finds[question->start]);
         n < scratch->find_count; n = next_first(question, n + 1)) {
        const struct lexicon_word *last =
            marks_follow(question, 1, &scratch->finds[n]);

        if (last != NULL) {
            *from = scratch->finds[n].start;
            *to = last->end;
            return sure && question->steps_left > 0 ? SCANNER_YES
                                                    : SCANNER_PERHAPS;
        }
    }
    return SCANNER_NO;
}

/* The next way of the probe, from way `from` on, that is possible in these
 * buckets; the end of its ways when there is none. */
static size_t
next_way(const struct scanner_scratch *scratch,
         const struct probe *probe,
         size_t from,
         uint64_t buckets)
{
    const struct scanner *scanner = scratch->scanner;
    size_t end = (size_t)probe->first_way + probe->way_count;

    for (;; from++) {
        if (probe->of_rule) {
            from = next_possible(scratch, from, end);
        } else {
            while (from < end &&
                   scratch->mark_buckets[scanner->way_keys[from]] == 0) {
                from++;
            }
        }
        if (from >= end ||
            way_possible(scratch, &scanner->ways[from], buckets)) {
            return from;
        }
    }
}

uint64_t
scanner_buckets(const struct scanner *scanner,
                const struct scanner_scratch *scratch,
                const struct probe *probe)
{
    size_t end = (size_t)probe->first_way + probe->way_count;
    uint64_t buckets = 0;

    if (scratch->overrun || probe->unknown) {
        return UINT64_MAX;
    }
    for (size_t way = next_way(scratch, probe, probe->first_way, UINT64_MAX);
         way < end; way = next_way(scratch, probe, way + 1, UINT64_MAX)) {
        buckets |= scratch->mark_buckets[scanner->ways[way].marks[0]];
    }
    return buckets;
}

bool
scanner_may_begin(const struct scanner_scratch *scratch,
                  uint64_t buckets,
                  size_t start,
                  size_t end)
{
    return buckets == UINT64_MAX ||
           (buckets & buckets_of(scratch, start, end)) != 0;
}

enum scanner_answer
scanner_ask(const struct scanner *scanner,
            struct scanner_scratch *scratch,
            const struct probe *probe,
            size_t start,
            size_t end,
            size_t *from,
            size_t *to)
{
    enum scanner_answer answer = probe->unknown ? SCANNER_PERHAPS : SCANNER_NO;
    size_t ways_end = (size_t)probe->first_way + probe->way_count;
    uint64_t buckets = buckets_of(scratch, start, end);

    assert(scratch->scanner == scanner);
    if (scratch->overrun) {
        return SCANNER_PERHAPS;
    }
    for (size_t way = next_way(scratch, probe, probe->first_way, buckets);
         way < ways_end; way = next_way(scratch, probe, way + 1, buckets)) {
        struct question question = {scanner, scratch, way,
                                    start,   end,     STEPS_MAX};
        enum scanner_answer one = ask_way(&question, from, to);

        if (one == SCANNER_YES) {
            return one;
        }
        answer = one == SCANNER_PERHAPS ? one : answer;
    }
    return answer;
}

bool
scanner_next_place(const struct scanner *scanner,
                   struct scanner_scratch *scratch,
                   const struct probe *probe,
                   size_t start,
                   size_t end,
                   struct scanner_cursor *cursor,
                   size_t *place,
                   bool *everywhere)
{
    size_t ways_end = (size_t)probe->first_way + probe->way_count;
    uint64_t buckets = buckets_of(scratch, start, end);
    size_t way = (size_t)probe->first_way + cursor->way;

    assert(probe->leads);
    *everywhere = scratch->overrun || cursor->given == PLACES_MAX;
    *place = start;
    if (*everywhere) {
        return true;
    }
    for (way = next_way(scratch, probe, way, buckets); way < ways_end;
         way = next_way(scratch, probe, way + 1, buckets)) {
        struct question question = {scanner, scratch, way,
                                    start,   end,     STEPS_MAX};
        bool same = way == (size_t)probe->first_way + cursor->way;
        size_t n = same && cursor->given > 0 ? cursor->find + 1
                                             : scratch->first_finds[start];

        for (n = next_first(&question, n); n < scratch->find_count;
             n = next_first(&question, n + 1)) {
            if (marks_follow(&question, 1, &scratch->finds[n]) != NULL) {
                cursor->way = (uint32_t)(way - probe->first_way);
                cursor->find = (uint32_t)n;
                cursor->given++;
                *place = scratch->finds[n].start;
                return true;
            }
        }
    }
    return false;
}
