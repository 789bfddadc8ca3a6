/* One pass over a text, and what can be asked of it afterwards. */
#include "analyzers/scanner_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FINDS_MAX = 4 * CLEAN_CHARS_MAX };

/* A literal of this kind stands at text[start..end). */
struct find {
    uint16_t start;
    uint16_t end;
    uint16_t start_char;
    uint16_t end_char;
    uint32_t kind;
};

_Static_assert(CLEAN_TEXT_BYTES_MAX <= UINT16_MAX, "a place is 16 bits");

/* A mark stands where a literal was found; linked, by ascending ends. */
struct place {
    uint16_t find;
    uint16_t next;
};

/* The places of a mark. Those of marks whose way may match are listed at the
 * end of the scan, others when they are asked for. */
struct mark_state {
    uint32_t scan; /* the scan this is true of */
    uint16_t first;
    uint16_t last;
    uint16_t count; /* TOO_MANY: perhaps everywhere */
};

enum { TOO_MANY = SCANNER_PLACES_OF_MARK_MAX + 1, NO_PLACE = UINT16_MAX };

static const struct mark_state nowhere = {0, NO_PLACE, NO_PLACE, 0};

struct scanner_scratch {
    const struct scanner *scanner;
    const struct clean_text *text;
    uint32_t scan; /* number of the scan */
    bool overrun;  /* more finds than room: nothing is sure */
    size_t find_count;
    size_t place_count;
    size_t candidate_count;
    struct find *finds;       /* [FINDS_MAX] by ascending end */
    struct place *places;     /* [SCANNER_PLACES_MAX] */
    struct mark_state *marks; /* [mark_count] */
    uint64_t *kinds;          /* [kind_words]: those found, a bit each */
    uint64_t *standing;       /* [mark_count / 64 + 1]: marks, a bit each */
    uint64_t *wanted;         /* the same: those of ways that may match */
    uint32_t *rule_scan; /* [rule_count]: last scan that made it a candidate */
    uint32_t *candidates;
    uint32_t *ways; /* [way_count]: of the rules, whose marks all stand */
    size_t way_count;
};

_Static_assert((int)FINDS_MAX <= (int)UINT16_MAX &&
                   (int)SCANNER_PLACES_MAX < (int)NO_PLACE,
               "finds and places are 16 bits");

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
    scratch->places = calloc(SCANNER_PLACES_MAX, sizeof(*scratch->places));
    scratch->marks = calloc(scanner->mark_count + 1, sizeof(*scratch->marks));
    scratch->kinds = calloc(scanner->kind_words + 1, sizeof(uint64_t));
    scratch->standing = calloc(scanner->mark_count / 64 + 1, sizeof(uint64_t));
    scratch->wanted = calloc(scanner->mark_count / 64 + 1, sizeof(uint64_t));
    scratch->rule_scan = calloc(scanner->rule_count + 1, sizeof(uint32_t));
    scratch->candidates = calloc(scanner->rule_count + 1, sizeof(uint32_t));
    scratch->ways = calloc(scanner->way_count + 1, sizeof(uint32_t));
    if (scratch->finds == NULL || scratch->places == NULL ||
        scratch->marks == NULL || scratch->kinds == NULL ||
        scratch->standing == NULL || scratch->wanted == NULL ||
        scratch->rule_scan == NULL || scratch->candidates == NULL ||
        scratch->ways == NULL) {
        scanner_scratch_free(&scratch);
        return err_set(err, ERR_NO_MEMORY, "the scanner's working memory");
    }
    *out = scratch;
    return ERR_OK;
}

void
scanner_scratch_free(struct scanner_scratch **scratch)
{
    if (*scratch != NULL) {
        free((*scratch)->finds);
        free((*scratch)->places);
        free((*scratch)->marks);
        free((*scratch)->kinds);
        free((*scratch)->standing);
        free((*scratch)->wanted);
        free((*scratch)->rule_scan);
        free((*scratch)->candidates);
        free((*scratch)->ways);
        free(*scratch);
        *scratch = NULL;
    }
}

/* ------------------------------------------------------------------- marks */

static bool
mark_stands(const struct scanner_scratch *scratch, uint32_t mark)
{
    return (scratch->standing[mark / 64] >> mark % 64 & 1) != 0;
}

static void
add_place(struct scanner_scratch *scratch,
          struct mark_state *state,
          size_t find)
{
    uint16_t number = (uint16_t)scratch->place_count;

    if (state->count >= SCANNER_PLACES_OF_MARK_MAX ||
        scratch->place_count == SCANNER_PLACES_MAX) {
        state->count = TOO_MANY;
        return;
    }
    scratch->places[scratch->place_count++] =
        (struct place){(uint16_t)find, NO_PLACE};
    if (state->first == NO_PLACE) {
        state->first = number;
    } else {
        scratch->places[state->last].next = number;
    }
    state->last = number;
    state->count++;
}

/* The places of a mark in this text. */
static const struct mark_state *
mark_places(struct scanner_scratch *scratch, uint32_t mark)
{
    const struct scanner *scanner = scratch->scanner;
    const uint64_t *kinds = scanner->mark_kinds + mark * scanner->kind_words;
    struct mark_state *state = &scratch->marks[mark];

    if (state->scan == scratch->scan) {
        return state;
    }
    if (!mark_stands(scratch, mark) && !scratch->overrun) {
        return &nowhere;
    }
    *state = nowhere;
    state->scan = scratch->scan;
    state->count = scratch->overrun ? TOO_MANY : 0;
    for (size_t i = 0; i < scratch->find_count && state->count < TOO_MANY;
         i++) {
        uint32_t kind = scratch->finds[i].kind;

        if ((kinds[kind / 64] >> kind % 64 & 1) != 0) {
            add_place(scratch, state, i);
        }
    }
    return state;
}

/* The next of a mark's places, from `place` on, inside [start, end); NO_PLACE
 * at the end. */
static uint16_t
place_inside(const struct scanner_scratch *scratch,
             uint16_t place,
             size_t start,
             size_t end)
{
    while (place != NO_PLACE) {
        const struct find *find = &scratch->finds[scratch->places[place].find];

        if (find->start >= start && find->end <= end) {
            return place;
        }
        place = scratch->places[place].next;
    }
    return NO_PLACE;
}

static const struct find *
find_at(const struct scanner_scratch *scratch, uint16_t place)
{
    return &scratch->finds[scratch->places[place].find];
}

/* -------------------------------------------------------------------- scan */

/* Into the list by number: few, and nearly in order. A way may come by several
 * kinds of its key mark. */
static void
add_way(struct scanner_scratch *scratch, uint32_t number)
{
    uint32_t *ways = scratch->ways;
    size_t k = scratch->way_count;

    while (k > 0 && ways[k - 1] > number) {
        k--;
    }
    if (k > 0 && ways[k - 1] == number) {
        return;
    }
    memmove(ways + k + 1, ways + k, (scratch->way_count - k) * sizeof(*ways));
    ways[k] = number;
    scratch->way_count++;
}

static void
add_candidate(struct scanner_scratch *scratch, uint32_t rule)
{
    if (scratch->rule_scan[rule] != scratch->scan) {
        scratch->rule_scan[rule] = scratch->scan;
        scratch->candidates[scratch->candidate_count++] = rule;
    }
}

static bool
way_stands(const struct scanner_scratch *scratch, const struct way *way)
{
    for (uint32_t i = 0; i < way->mark_count; i++) {
        if (!mark_stands(scratch, way->marks[i])) {
            return false;
        }
    }
    return true;
}

/* The marks of each kind found. */
static void
find_standing(struct scanner_scratch *scratch)
{
    const struct scanner *scanner = scratch->scanner;

    memset(scratch->standing, 0,
           (scanner->mark_count / 64 + 1) * sizeof(*scratch->standing));
    for (size_t word = 0; word < scanner->kind_words; word++) {
        uint64_t bits = scratch->kinds[word];

        for (; bits != 0; bits &= bits - 1) {
            size_t kind = word * 64 + (size_t)__builtin_ctzll(bits);

            for (uint32_t i = scanner->kind_mark_starts[kind];
                 i < scanner->kind_mark_starts[kind + 1]; i++) {
                uint32_t mark = scanner->kind_marks[i];

                scratch->standing[mark / 64] |= UINT64_C(1) << mark % 64;
            }
        }
    }
}

/* The ways of rules whose marks all stand; only those whose key mark does are
 * looked at. */
static void
find_ways(struct scanner_scratch *scratch)
{
    const struct scanner *scanner = scratch->scanner;

    for (size_t word = 0; word < scanner->kind_words; word++) {
        uint64_t bits = scratch->kinds[word];

        for (; bits != 0; bits &= bits - 1) {
            size_t kind = word * 64 + (size_t)__builtin_ctzll(bits);

            for (uint32_t i = scanner->kind_way_starts[kind];
                 i < scanner->kind_way_starts[kind + 1]; i++) {
                uint32_t number = scanner->kind_ways[i];

                if (way_stands(scratch, &scanner->ways[number])) {
                    add_way(scratch, number);
                }
            }
        }
    }
}

/* The places of all marks of the ways that were found, in one pass. */
static void
list_places(struct scanner_scratch *scratch)
{
    const struct scanner *scanner = scratch->scanner;

    memset(scratch->wanted, 0,
           (scanner->mark_count / 64 + 1) * sizeof(*scratch->wanted));
    for (size_t i = 0; i < scratch->way_count; i++) {
        const struct way *way = &scanner->ways[scratch->ways[i]];

        for (uint32_t k = 0; k < way->mark_count; k++) {
            uint32_t mark = way->marks[k];

            scratch->wanted[mark / 64] |= UINT64_C(1) << mark % 64;
            scratch->marks[mark] = nowhere;
            scratch->marks[mark].scan = scratch->scan;
        }
    }
    for (size_t f = 0; f < scratch->find_count; f++) {
        uint32_t kind = scratch->finds[f].kind;

        for (uint32_t i = scanner->kind_mark_starts[kind];
             i < scanner->kind_mark_starts[kind + 1]; i++) {
            uint32_t mark = scanner->kind_marks[i];

            if ((scratch->wanted[mark / 64] >> mark % 64 & 1) != 0) {
                add_place(scratch, &scratch->marks[mark], f);
            }
        }
    }
}

static void
literal_found(void *data, uint32_t number, size_t start, size_t end)
{
    struct scanner_scratch *scratch = data;

    if (scratch->find_count == FINDS_MAX) {
        scratch->overrun = true;
        return;
    }
    scratch->finds[scratch->find_count++] =
        (struct find){.start = scratch->text->at[start],
                      .end = scratch->text->at[end + 1],
                      .start_char = (uint16_t)start,
                      .end_char = (uint16_t)(end + 1),
                      .kind = number};
    scratch->kinds[number / 64] |= UINT64_C(1) << number % 64;
}

/* Few: insertion. */
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

/* A new scan: what is known of the last one is forgotten by its number. */
static void
begin_scan(const struct scanner *scanner,
           struct scanner_scratch *scratch,
           const struct clean_text *text)
{
    scratch->text = text;
    scratch->find_count = 0;
    scratch->place_count = 0;
    scratch->candidate_count = 0;
    scratch->way_count = 0;
    scratch->overrun = false;
    memset(scratch->kinds, 0, scanner->kind_words * sizeof(uint64_t));
    if (++scratch->scan == 0) {
        memset(scratch->marks, 0,
               scanner->mark_count * sizeof(*scratch->marks));
        memset(scratch->rule_scan, 0, scanner->rule_count * sizeof(uint32_t));
        scratch->scan = 1;
    }
}

size_t
scanner_scan(const struct scanner *scanner,
             struct scanner_scratch *scratch,
             const struct clean_text *text,
             const uint32_t **candidates)
{
    assert(scratch->scanner == scanner);
    begin_scan(scanner, scratch, text);
    *candidates = scratch->candidates;
    for (size_t i = 0; i < scanner->always.count; i++) {
        add_candidate(scratch, scanner->always.at[i]);
    }
    for (size_t i = 0; scanner->lexicon != NULL && i < text->char_count; i++) {
        lexicon_words_ending(scanner->lexicon, text->code_point, i,
                             literal_found, scratch);
    }
    for (size_t i = 0; scratch->overrun && i < scanner->rule_count; i++) {
        add_candidate(scratch, (uint32_t)i);
    }
    find_standing(scratch);
    find_ways(scratch);
    if (!scratch->overrun && scratch->way_count > 0) {
        list_places(scratch);
    }
    for (size_t i = 0; i < scratch->way_count; i++) {
        add_candidate(scratch, scanner->ways[scratch->ways[i]].rule);
    }
    assert(scratch->candidate_count <= scanner->rule_count);
    sort_candidates(scratch->candidates, scratch->candidate_count);
    return scratch->candidate_count;
}

/* -------------------------------------------------------------------- ask */

/* May the gap lie between these characters? */
static bool
gap_allows(const struct clean_text *text,
           const struct needs_gap *gap,
           size_t from,
           size_t to)
{
    if (to < from || to - from < gap->min ||
        (to - from > gap->max && gap->max != NEEDS_FAR)) {
        return false;
    }
    for (size_t i = from; i < to && gap->forbid_count > 0; i++) {
        for (size_t k = 0; k < gap->forbid_count; k++) {
            if (text->code_point[i] == gap->forbid[k]) {
                return false;
            }
        }
    }
    return true;
}

/* Do marks i.. of the way follow behind `before`, none beyond `end`? The last
 * one, NULL if they do not; *unclear when a mark has too many places. */
static const struct find *
marks_follow(struct scanner_scratch *scratch,
             size_t way_number,
             uint32_t i,
             const struct find *before,
             size_t end,
             bool *unclear)
{
    const struct way *way = &scratch->scanner->ways[way_number];
    const struct needs_gap *gap;
    const struct mark_state *state;

    if (i == way->mark_count) {
        return before;
    }
    gap = &scratch->scanner->gaps[way_number].before[i];
    state = mark_places(scratch, way->marks[i]);
    if (state->count == TOO_MANY) {
        *unclear = true;
        return before;
    }
    for (uint16_t n = state->first; n != NO_PLACE;
         n = scratch->places[n].next) {
        const struct find *find = find_at(scratch, n);
        const struct find *last;

        if (find->end <= end &&
            gap_allows(scratch->text, gap, before->end_char,
                       find->start_char) &&
            (last = marks_follow(scratch, way_number, i + 1, find, end,
                                 unclear)) != NULL) {
            return last;
        }
    }
    return NULL;
}

/* Can the way match in [start, end)? */
static enum scanner_answer
ask_way(struct scanner_scratch *scratch,
        size_t way_number,
        size_t start,
        size_t end,
        size_t *from,
        size_t *to)
{
    const struct way *way = &scratch->scanner->ways[way_number];
    const struct mark_state *state = mark_places(scratch, way->marks[0]);

    if (state->count == TOO_MANY) {
        return SCANNER_PERHAPS;
    }
    for (uint16_t n = place_inside(scratch, state->first, start, end);
         n != NO_PLACE;
         n = place_inside(scratch, scratch->places[n].next, start, end)) {
        const struct find *find = find_at(scratch, n);
        const struct find *last;
        bool unclear = false;

        last = marks_follow(scratch, way_number, 1, find, end, &unclear);
        if (last != NULL) {
            *from = find->start;
            *to = last->end;
            return way->sure && !unclear ? SCANNER_YES : SCANNER_PERHAPS;
        }
    }
    return SCANNER_NO;
}

/* The next way of the probe, from way `from` on, whose marks all stand; the end
 * of its ways when there is none. */
static size_t
next_way(const struct scanner_scratch *scratch,
         const struct probe *probe,
         size_t from)
{
    const struct scanner *scanner = scratch->scanner;
    size_t end = probe->first_way + probe->way_count;
    size_t low = 0;
    size_t high = scratch->way_count;

    if (scratch->overrun) {
        return from;
    }
    if (!probe->of_rule) {
        while (from < end && !way_stands(scratch, &scanner->ways[from])) {
            from++;
        }
        return from;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (scratch->ways[middle] < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < scratch->way_count && scratch->ways[low] < end
               ? scratch->ways[low]
               : end;
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
    size_t ways_end = probe->first_way + probe->way_count;

    assert(scratch->scanner == scanner);
    for (size_t way = next_way(scratch, probe, probe->first_way);
         way < ways_end; way = next_way(scratch, probe, way + 1)) {
        enum scanner_answer one = ask_way(scratch, way, start, end, from, to);

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
    assert(probe->leads);
    *everywhere = false;
    for (;; cursor->way++) {
        size_t way = next_way(scratch, probe, probe->first_way + cursor->way);
        const struct mark_state *state;

        if (way >= (size_t)probe->first_way + probe->way_count) {
            return false;
        }
        if (way != (size_t)probe->first_way + cursor->way) {
            cursor->way = (uint32_t)(way - probe->first_way);
        }
        state = mark_places(scratch, scanner->ways[way].marks[0]);

        if (state->count == TOO_MANY) {
            *everywhere = true;
            return true;
        }
        while ((cursor->place = place_inside(
                    scratch,
                    cursor->inside ? scratch->places[cursor->place].next
                                   : state->first,
                    start, end)) != NO_PLACE) {
            bool unclear = false;

            cursor->inside = true;
            if (marks_follow(scratch, way, 1, find_at(scratch, cursor->place),
                             end, &unclear) != NULL) {
                *place = find_at(scratch, cursor->place)->start;
                return true;
            }
        }
        cursor->inside = false;
    }
}
