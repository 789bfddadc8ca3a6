/* The literals of all patterns in one lexicon, and what follows from their
 * places. */
#include "analyzers/scanner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "analyzers/lexicon.h"

enum {
    LITERAL_BYTES_MAX = 3 * NEEDS_CHARS_MAX,
    NO_NODE = UINT32_MAX,
    ALWAYS_ROOM = 64
};

struct literal {
    uint16_t bytes;
    uint16_t chars;
    char text[LITERAL_BYTES_MAX];
};

/* A list of numbers that grows. */
struct numbers {
    uint32_t *at;
    size_t count;
    size_t room;
};

struct way {
    uint32_t rule;
    uint32_t mark_count;
    bool sure; /* where its marks follow each other it matches */
    uint32_t marks[NEEDS_SEGMENTS_MAX];        /* in the order of the text */
    struct needs_gap gaps[NEEDS_SEGMENTS_MAX]; /* before each */
};

/* Numbers by the hash of what they stand for. */
struct index {
    struct index_slot {
        uint64_t hash;
        uint32_t number_plus_1;
    } * slots;
    size_t mask;
    size_t count;
};

struct scanner {
    struct lexicon *lexicon; /* number of a word = that of its literal */
    struct literal *literals;
    size_t literal_count;
    size_t literal_room;
    struct way *ways;
    size_t way_count;
    size_t way_room;
    size_t mark_count;
    struct numbers always;         /* rules that nothing is known of */
    struct numbers mark_literals;  /* while building: literals, mark by mark */
    struct numbers mark_starts;    /* of each mark in mark_literals */
    struct index literal_index;    /* while building */
    struct index mark_index;       /* while building */
    uint32_t *literal_mark_starts; /* [literal_count + 1] */
    uint32_t *literal_marks;
    uint32_t *mark_way_starts; /* [mark_count + 1] */
    uint32_t *mark_ways;       /* of which the mark is the key */
    size_t rule_count;
};

/* A mark stands at text[start..end). */
struct node {
    uint16_t start;
    uint16_t end;
    uint16_t start_char;
    uint16_t end_char;
    uint32_t next;
};

_Static_assert(CLEAN_TEXT_BYTES_MAX <= UINT16_MAX, "a place is 16 bits");

/* What is known of a mark in this text; of this text when scan is the last. */
struct mark_state {
    uint32_t scan;
    uint32_t first; /* node */
    uint32_t last;
    uint32_t places; /* above SCANNER_PLACES_OF_MARK_MAX: not all are listed */
};

struct scanner_scratch {
    const struct scanner *scanner;
    const struct clean_text *text;
    uint32_t scan; /* number of the scan */
    size_t node_count;
    size_t candidate_count;
    struct node *nodes;
    struct mark_state *marks;
    uint32_t *standing; /* marks that stand in this text */
    size_t standing_count;
    uint32_t *rule_scan; /* [rule_count]: last scan that made it a candidate */
    uint32_t *candidates;
};

/* ------------------------------------------------------------------- lists */

static bool
numbers_add(struct numbers *numbers, uint32_t number)
{
    if (numbers->count == numbers->room) {
        size_t room = numbers->room > 0 ? 2 * numbers->room : ALWAYS_ROOM;
        uint32_t *at = realloc(numbers->at, room * sizeof(*at));

        if (at == NULL) {
            return false;
        }
        numbers->at = at;
        numbers->room = room;
    }
    numbers->at[numbers->count++] = number;
    return true;
}

/* Double the slots. */
static bool
index_grow(struct index *index)
{
    size_t room = index->slots != NULL ? 2 * (index->mask + 1) : 1024;
    struct index_slot *slots = calloc(room, sizeof(*slots));

    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; index->slots != NULL && i <= index->mask; i++) {
        size_t at = index->slots[i].hash & (room - 1);

        if (index->slots[i].number_plus_1 == 0) {
            continue;
        }
        while (slots[at].number_plus_1 != 0) {
            at = (at + 1) & (room - 1);
        }
        slots[at] = index->slots[i];
    }
    free(index->slots);
    index->slots = slots;
    index->mask = room - 1;
    return true;
}

/* The slot of a hash of 64 bits, which is taken for what it stands for: a
 * free one when there is none; NULL without memory. */
static struct index_slot *
index_find(struct index *index, uint64_t hash)
{
    size_t at;

    if ((index->slots == NULL || 2 * index->count > index->mask) &&
        !index_grow(index)) {
        return NULL;
    }
    at = hash & index->mask;
    while (index->slots[at].number_plus_1 != 0 &&
           index->slots[at].hash != hash) {
        at = (at + 1) & index->mask;
    }
    return &index->slots[at];
}

static void
index_enter(struct index *index,
            struct index_slot *slot,
            uint64_t hash,
            size_t number)
{
    *slot = (struct index_slot){hash, (uint32_t)number + 1};
    index->count++;
}

/* ------------------------------------------------------------------- build */

enum err_code
scanner_new(struct scanner **out, struct err *err)
{
    *out = calloc(1, sizeof(**out));
    return *out != NULL ? ERR_OK : err_set(err, ERR_NO_MEMORY, "the scanner");
}

static void
free_building(struct scanner *scanner)
{
    free(scanner->mark_literals.at);
    free(scanner->mark_starts.at);
    free(scanner->literal_index.slots);
    free(scanner->mark_index.slots);
    scanner->mark_literals = (struct numbers){NULL, 0, 0};
    scanner->mark_starts = (struct numbers){NULL, 0, 0};
    scanner->literal_index = (struct index){NULL, 0, 0};
    scanner->mark_index = (struct index){NULL, 0, 0};
}

void
scanner_free(struct scanner **scanner)
{
    struct scanner *old = *scanner;

    if (old == NULL) {
        return;
    }
    free_building(old);
    lexicon_free(&old->lexicon);
    free(old->literals);
    free(old->ways);
    free(old->always.at);
    free(old->literal_mark_starts);
    free(old->literal_marks);
    free(old->mark_way_starts);
    free(old->mark_ways);
    free(old);
    *scanner = NULL;
}

/* Its number, or UINT32_MAX without memory. */
static uint32_t
literal_number(struct scanner *scanner, const struct needs_literal *from)
{
    struct literal literal = {.chars = from->count};
    struct index_slot *slot;
    uint64_t hash;

    for (size_t i = 0; i < from->count; i++) {
        literal.bytes =
            (uint16_t)(literal.bytes +
                       utf8_put(from->c[i], literal.text + literal.bytes));
    }
    hash = XXH3_64bits(literal.text, literal.bytes);
    slot = index_find(&scanner->literal_index, hash);
    if (slot == NULL) {
        return UINT32_MAX;
    }
    if (slot->number_plus_1 != 0) {
        return slot->number_plus_1 - 1;
    }
    if (scanner->literal_count == scanner->literal_room) {
        size_t room =
            scanner->literal_room > 0 ? 2 * scanner->literal_room : 1024;
        struct literal *literals =
            realloc(scanner->literals, room * sizeof(*literals));

        if (literals == NULL) {
            return UINT32_MAX;
        }
        scanner->literals = literals;
        scanner->literal_room = room;
    }
    scanner->literals[scanner->literal_count] = literal;
    index_enter(&scanner->literal_index, slot, hash, scanner->literal_count);
    return (uint32_t)scanner->literal_count++;
}

/* Its number, or UINT32_MAX without memory; equal segments are one mark. */
static uint32_t
mark_number(struct scanner *scanner, const struct needs_segment *segment)
{
    size_t first = scanner->mark_literals.count;
    struct index_slot *slot;
    uint64_t hash;

    for (size_t i = 0; i < segment->count; i++) {
        uint32_t number = literal_number(scanner, &segment->literals[i]);

        if (number == UINT32_MAX ||
            !numbers_add(&scanner->mark_literals, number)) {
            return UINT32_MAX;
        }
    }
    hash = XXH3_64bits(scanner->mark_literals.at + first,
                       segment->count * sizeof(uint32_t));
    slot = index_find(&scanner->mark_index, hash);
    if (slot == NULL) {
        return UINT32_MAX;
    }
    if (slot->number_plus_1 != 0) {
        scanner->mark_literals.count = first;
        return slot->number_plus_1 - 1;
    }
    if (!numbers_add(&scanner->mark_starts, (uint32_t)first)) {
        return UINT32_MAX;
    }
    index_enter(&scanner->mark_index, slot, hash, scanner->mark_count);
    return (uint32_t)scanner->mark_count++;
}

static bool
add_way(struct scanner *scanner, const struct needs_way *from, uint32_t rule)
{
    struct way way = {.rule = rule, .sure = !from->unsure};

    if (scanner->way_count == scanner->way_room) {
        size_t room = scanner->way_room > 0 ? 2 * scanner->way_room : 1024;
        struct way *ways = realloc(scanner->ways, room * sizeof(*ways));

        if (ways == NULL) {
            return false;
        }
        scanner->ways = ways;
        scanner->way_room = room;
    }
    for (size_t i = 0; i < from->segment_count; i++) {
        uint32_t mark = mark_number(scanner, &from->segments[i]);

        if (mark == UINT32_MAX) {
            return false;
        }
        way.gaps[way.mark_count] = from->gaps[i];
        way.marks[way.mark_count++] = mark;
    }
    scanner->ways[scanner->way_count++] = way;
    return true;
}

enum err_code
scanner_add(struct scanner *scanner,
            struct span pattern,
            uint32_t rule,
            struct probe *out,
            struct err *err)
{
    struct needs needs;
    bool fine = needs_find(pattern, &needs);

    *out = (struct probe){.first_way = (uint32_t)scanner->way_count,
                          .way_count = (uint32_t)needs.way_count,
                          .unknown = needs.unknown,
                          .leads = !needs.unknown};
    if (needs.unknown) {
        out->way_count = 0;
        fine = fine &&
               (rule == SCANNER_NO_RULE || numbers_add(&scanner->always, rule));
    }
    for (size_t i = 0; fine && i < out->way_count; i++) {
        out->leads = out->leads && needs.ways[i].gaps[0].max == 0;
        fine = add_way(scanner, &needs.ways[i], rule);
    }
    needs_release(&needs);
    if (rule != SCANNER_NO_RULE) {
        scanner->rule_count = (size_t)rule + 1;
    }
    if (!fine) {
        return err_set(err, ERR_NO_MEMORY, "the scanner");
    }
    if (scanner->literal_count > SCANNER_LITERALS_MAX) {
        return err_set(err, ERR_TOO_LONG,
                       "the rules have more than %d words all together",
                       SCANNER_LITERALS_MAX);
    }
    return ERR_OK;
}

/* Which marks does each literal belong to? */
static bool
link_literals(struct scanner *scanner)
{
    const struct numbers *list = &scanner->mark_literals;
    uint32_t *starts = calloc(scanner->literal_count + 2, sizeof(*starts));

    scanner->literal_mark_starts = starts;
    scanner->literal_marks = calloc(list->count + 1, sizeof(uint32_t));
    if (starts == NULL || scanner->literal_marks == NULL) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        starts[list->at[i] + 2]++;
    }
    for (size_t i = 2; i <= scanner->literal_count; i++) {
        starts[i] += starts[i - 1];
    }
    for (size_t mark = 0; mark < scanner->mark_count; mark++) {
        size_t end = mark + 1 < scanner->mark_count
                         ? scanner->mark_starts.at[mark + 1]
                         : list->count;

        for (size_t i = scanner->mark_starts.at[mark]; i < end; i++) {
            scanner->literal_marks[starts[list->at[i] + 1]++] = (uint32_t)mark;
        }
    }
    return true;
}

/* The mark of a way that stands in the fewest ways: a text that lacks it costs
 * the way nothing. `ways_of` counts the ways of each mark. */
static uint32_t
key_mark(const struct way *way, const uint32_t *ways_of)
{
    uint32_t key = way->marks[0];

    for (uint32_t i = 1; i < way->mark_count; i++) {
        if (ways_of[way->marks[i]] < ways_of[key]) {
            key = way->marks[i];
        }
    }
    return key;
}

/* Which ways that make a candidate is each mark the key of? */
static bool
link_marks(struct scanner *scanner)
{
    uint32_t *starts = calloc(scanner->mark_count + 2, sizeof(*starts));
    uint32_t *ways_of = calloc(scanner->mark_count + 1, sizeof(*ways_of));

    scanner->mark_way_starts = starts;
    scanner->mark_ways =
        calloc(scanner->way_count + 1, sizeof(*scanner->mark_ways));
    if (starts == NULL || ways_of == NULL || scanner->mark_ways == NULL) {
        free(ways_of);
        return false;
    }
    for (size_t w = 0; w < scanner->way_count; w++) {
        for (uint32_t i = 0; i < scanner->ways[w].mark_count; i++) {
            ways_of[scanner->ways[w].marks[i]]++;
        }
    }
    for (size_t w = 0; w < scanner->way_count; w++) {
        if (scanner->ways[w].rule != SCANNER_NO_RULE) {
            starts[key_mark(&scanner->ways[w], ways_of) + 2]++;
        }
    }
    for (size_t i = 2; i <= scanner->mark_count; i++) {
        starts[i] += starts[i - 1];
    }
    for (size_t w = 0; w < scanner->way_count; w++) {
        if (scanner->ways[w].rule != SCANNER_NO_RULE) {
            uint32_t key = key_mark(&scanner->ways[w], ways_of);

            scanner->mark_ways[starts[key + 1]++] = (uint32_t)w;
        }
    }
    free(ways_of);
    return true;
}

static enum err_code
compile_literals(struct scanner *scanner, struct err *err)
{
    scanner->lexicon = lexicon_new();
    if (scanner->lexicon == NULL) {
        return err_set(err, ERR_NO_MEMORY, "the scanner");
    }
    for (size_t i = 0; i < scanner->literal_count; i++) {
        struct span rest = {scanner->literals[i].text,
                            scanner->literals[i].bytes};
        uint16_t characters[NEEDS_CHARS_MAX];
        size_t count = 0;

        while (rest.bytes > 0 && count < NEEDS_CHARS_MAX) {
            uint32_t code_point;
            size_t bytes = utf8_next(rest, &code_point);

            characters[count++] = (uint16_t)code_point;
            rest.data += bytes;
            rest.bytes -= bytes;
        }
        if (!lexicon_add(scanner->lexicon, characters, count, (uint32_t)i)) {
            return err_set(err, ERR_NO_MEMORY, "the scanner");
        }
    }
    return ERR_OK;
}

enum err_code
scanner_compile(struct scanner *scanner, struct err *err)
{
    if (!link_literals(scanner) || !link_marks(scanner)) {
        return err_set(err, ERR_NO_MEMORY, "the scanner");
    }
    free_building(scanner);
    if (scanner->literal_count == 0) {
        return ERR_OK;
    }
    return compile_literals(scanner, err);
}

/* -------------------------------------------------------------------- scan */

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
    scratch->nodes = calloc(SCANNER_PLACES_MAX, sizeof(*scratch->nodes));
    scratch->marks = calloc(scanner->mark_count + 1, sizeof(*scratch->marks));
    scratch->standing = calloc(scanner->mark_count + 1, sizeof(uint32_t));
    scratch->rule_scan = calloc(scanner->rule_count + 1, sizeof(uint32_t));
    scratch->candidates = calloc(scanner->rule_count + 1, sizeof(uint32_t));
    if (scratch->nodes == NULL || scratch->marks == NULL ||
        scratch->standing == NULL || scratch->rule_scan == NULL ||
        scratch->candidates == NULL) {
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
        free((*scratch)->nodes);
        free((*scratch)->marks);
        free((*scratch)->standing);
        free((*scratch)->rule_scan);
        free((*scratch)->candidates);
        free(*scratch);
        *scratch = NULL;
    }
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
        if (scratch->marks[way->marks[i]].scan != scratch->scan) {
            return false;
        }
    }
    return true;
}

/* The rules of the ways whose marks all stand. */
static void
find_candidates(struct scanner_scratch *scratch)
{
    const struct scanner *scanner = scratch->scanner;

    for (size_t m = 0; m < scratch->standing_count; m++) {
        uint32_t mark = scratch->standing[m];

        for (uint32_t i = scanner->mark_way_starts[mark];
             i < scanner->mark_way_starts[mark + 1]; i++) {
            const struct way *way = &scanner->ways[scanner->mark_ways[i]];

            if (way_stands(scratch, way)) {
                add_candidate(scratch, way->rule);
            }
        }
    }
}

static void
add_place(struct scanner_scratch *scratch,
          uint32_t mark,
          const struct node *place)
{
    struct mark_state *state = &scratch->marks[mark];
    uint32_t number = (uint32_t)scratch->node_count;

    if (state->scan != scratch->scan) {
        *state = (struct mark_state){scratch->scan, NO_NODE, NO_NODE, 0};
        scratch->standing[scratch->standing_count++] = mark;
    }
    if (state->places >= SCANNER_PLACES_OF_MARK_MAX ||
        number == SCANNER_PLACES_MAX) {
        state->places = SCANNER_PLACES_OF_MARK_MAX + 1;
        return;
    }
    scratch->nodes[number] = *place;
    scratch->node_count++;
    if (state->last == NO_NODE) {
        state->first = number;
    } else {
        scratch->nodes[state->last].next = number;
    }
    state->last = number;
    state->places++;
}

/* A literal stands at the characters start..end. */
static void
literal_found(void *data, uint32_t number, size_t start, size_t end)
{
    struct scanner_scratch *scratch = data;
    const struct scanner *scanner = scratch->scanner;
    const struct node place = {.start = scratch->text->at[start],
                               .end = scratch->text->at[end + 1],
                               .start_char = (uint16_t)start,
                               .end_char = (uint16_t)(end + 1),
                               .next = NO_NODE};

    for (uint32_t i = scanner->literal_mark_starts[number];
         i < scanner->literal_mark_starts[number + 1]; i++) {
        add_place(scratch, scanner->literal_marks[i], &place);
    }
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
    scratch->node_count = 0;
    scratch->candidate_count = 0;
    scratch->standing_count = 0;
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
    find_candidates(scratch);
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
static const struct node *
marks_follow(const struct scanner_scratch *scratch,
             const struct way *way,
             uint32_t i,
             const struct node *before,
             size_t end,
             bool *unclear)
{
    const struct mark_state *state;

    if (i == way->mark_count) {
        return before;
    }
    state = &scratch->marks[way->marks[i]];
    if (state->scan != scratch->scan) {
        return NULL;
    }
    if (state->places > SCANNER_PLACES_OF_MARK_MAX) {
        *unclear = true;
        return before;
    }
    for (uint32_t n = state->first; n != NO_NODE; n = scratch->nodes[n].next) {
        const struct node *node = &scratch->nodes[n];
        const struct node *last;

        if (node->end <= end &&
            gap_allows(scratch->text, &way->gaps[i], before->end_char,
                       node->start_char) &&
            (last = marks_follow(scratch, way, i + 1, node, end, unclear)) !=
                NULL) {
            return last;
        }
    }
    return NULL;
}

/* Can the way match in [start, end)? */
static enum scanner_answer
ask_way(const struct scanner_scratch *scratch,
        const struct way *way,
        size_t start,
        size_t end,
        size_t *from,
        size_t *to)
{
    const struct mark_state *state = &scratch->marks[way->marks[0]];

    if (state->scan != scratch->scan) {
        return SCANNER_NO;
    }
    if (state->places > SCANNER_PLACES_OF_MARK_MAX) {
        return SCANNER_PERHAPS;
    }
    for (uint32_t n = state->first; n != NO_NODE; n = scratch->nodes[n].next) {
        const struct node *node = &scratch->nodes[n];
        const struct node *last;
        bool unclear = false;

        if (node->start < start || node->end > end) {
            continue;
        }
        last = marks_follow(scratch, way, 1, node, end, &unclear);
        if (last != NULL) {
            *from = node->start;
            *to = last->end;
            return way->sure && !unclear ? SCANNER_YES : SCANNER_PERHAPS;
        }
    }
    return SCANNER_NO;
}

enum scanner_answer
scanner_ask(const struct scanner *scanner,
            const struct scanner_scratch *scratch,
            const struct probe *probe,
            size_t start,
            size_t end,
            size_t *from,
            size_t *to)
{
    enum scanner_answer answer = probe->unknown ? SCANNER_PERHAPS : SCANNER_NO;

    for (uint32_t i = 0; i < probe->way_count; i++) {
        enum scanner_answer one =
            ask_way(scratch, &scanner->ways[probe->first_way + i], start, end,
                    from, to);

        if (one == SCANNER_YES) {
            return one;
        }
        answer = one == SCANNER_PERHAPS ? one : answer;
    }
    return answer;
}

bool
scanner_next_place(const struct scanner *scanner,
                   const struct scanner_scratch *scratch,
                   const struct probe *probe,
                   size_t start,
                   size_t end,
                   struct scanner_cursor *cursor,
                   size_t *place,
                   bool *everywhere)
{
    assert(probe->leads);
    *everywhere = false;
    for (; cursor->way < probe->way_count; cursor->way++) {
        const struct way *way = &scanner->ways[probe->first_way + cursor->way];
        const struct mark_state *state = &scratch->marks[way->marks[0]];

        if (!cursor->inside) {
            if (state->scan != scratch->scan) {
                continue;
            }
            if (state->places > SCANNER_PLACES_OF_MARK_MAX) {
                *everywhere = true;
                return true;
            }
            cursor->inside = true;
            cursor->node = state->first;
        }
        while (cursor->node != NO_NODE) {
            const struct node *node = &scratch->nodes[cursor->node];
            bool unclear = false;

            cursor->node = node->next;
            if (node->start >= start && node->end <= end &&
                marks_follow(scratch, way, 1, node, end, &unclear) != NULL) {
                *place = node->start;
                return true;
            }
        }
        cursor->inside = false;
    }
    return false;
}
