/* Patterns to marks, kinds and ways. */
#include "analyzers/scanner_private.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { NUMBERS_ROOM = 64, MARKS_MAX = UINT16_MAX };

/* Numbers by the hash of what they stand for. */
struct index {
    struct index_slot {
        uint64_t hash;
        uint32_t number_plus_1;
    } * slots;
    size_t mask;
    size_t count;
};

struct scanner_building {
    struct needs_literal *literals;
    size_t literal_count;
    size_t literal_room;
    size_t way_room;
    struct numbers mark_literals; /* literals, mark by mark */
    struct numbers mark_starts;   /* of each mark in mark_literals */
    struct index literal_index;
    struct index mark_index;
    struct index kind_index;
    uint32_t *literal_mark_starts; /* [literal_count + 1] */
    uint32_t *literal_marks;
    uint32_t *literal_kinds;    /* [literal_count] */
    struct numbers kind_firsts; /* a literal of each kind */
};

/* ------------------------------------------------------------------- lists */

static bool
numbers_add(struct numbers *numbers, uint32_t number)
{
    if (numbers->count == numbers->room) {
        size_t room = numbers->room > 0 ? 2 * numbers->room : NUMBERS_ROOM;
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
    struct scanner *scanner = calloc(1, sizeof(*scanner));

    *out = scanner;
    if (scanner != NULL) {
        scanner->building = calloc(1, sizeof(*scanner->building));
    }
    if (scanner == NULL || scanner->building == NULL) {
        scanner_free(out);
        return err_set(err, ERR_NO_MEMORY, "the scanner");
    }
    return ERR_OK;
}

static void
free_building(struct scanner_building **building)
{
    struct scanner_building *old = *building;

    if (old == NULL) {
        return;
    }
    free(old->literals);
    free(old->mark_literals.at);
    free(old->mark_starts.at);
    free(old->literal_index.slots);
    free(old->mark_index.slots);
    free(old->kind_index.slots);
    free(old->literal_mark_starts);
    free(old->literal_marks);
    free(old->literal_kinds);
    free(old->kind_firsts.at);
    free(old);
    *building = NULL;
}

void
scanner_free(struct scanner **scanner)
{
    struct scanner *old = *scanner;

    if (old == NULL) {
        return;
    }
    free_building(&old->building);
    lexicon_free(&old->lexicon);
    free(old->ways);
    free(old->gaps);
    free(old->mark_kinds);
    free(old->kind_signatures);
    free(old->kind_mark_starts);
    free(old->kind_marks);
    free(old->kind_way_starts);
    free(old->kind_ways);
    free(old->always.at);
    free(old);
    *scanner = NULL;
}

/* Its number, or UINT32_MAX without memory. */
static uint32_t
literal_number(struct scanner_building *building,
               const struct needs_literal *from)
{
    uint64_t hash = XXH3_64bits(from->c, from->count * sizeof(*from->c));
    struct index_slot *slot = index_find(&building->literal_index, hash);

    if (slot == NULL) {
        return UINT32_MAX;
    }
    if (slot->number_plus_1 != 0) {
        return slot->number_plus_1 - 1;
    }
    if (building->literal_count == building->literal_room) {
        size_t room =
            building->literal_room > 0 ? 2 * building->literal_room : 1024;
        struct needs_literal *literals =
            realloc(building->literals, room * sizeof(*literals));

        if (literals == NULL) {
            return UINT32_MAX;
        }
        building->literals = literals;
        building->literal_room = room;
    }
    building->literals[building->literal_count] = *from;
    index_enter(&building->literal_index, slot, hash, building->literal_count);
    return (uint32_t)building->literal_count++;
}

/* Its number, or UINT32_MAX without memory; equal segments are one mark. */
static uint32_t
mark_number(struct scanner *scanner, const struct needs_segment *segment)
{
    struct scanner_building *building = scanner->building;
    size_t first = building->mark_literals.count;
    struct index_slot *slot;
    uint64_t hash;

    for (size_t i = 0; i < segment->count; i++) {
        uint32_t number = literal_number(building, &segment->literals[i]);

        if (number == UINT32_MAX ||
            !numbers_add(&building->mark_literals, number)) {
            return UINT32_MAX;
        }
    }
    hash = XXH3_64bits(building->mark_literals.at + first,
                       segment->count * sizeof(uint32_t));
    slot = index_find(&building->mark_index, hash);
    if (slot == NULL) {
        return UINT32_MAX;
    }
    if (slot->number_plus_1 != 0) {
        building->mark_literals.count = first;
        return slot->number_plus_1 - 1;
    }
    if (scanner->mark_count == MARKS_MAX ||
        !numbers_add(&building->mark_starts, (uint32_t)first)) {
        return UINT32_MAX;
    }
    index_enter(&building->mark_index, slot, hash, scanner->mark_count);
    return (uint32_t)scanner->mark_count++;
}

static bool
make_way_room(struct scanner *scanner)
{
    size_t room = scanner->building->way_room;
    struct way *ways;
    struct way_gaps *gaps;

    if (scanner->way_count < room) {
        return true;
    }
    room = room > 0 ? 2 * room : 1024;
    ways = realloc(scanner->ways, room * sizeof(*ways));
    scanner->ways = ways != NULL ? ways : scanner->ways;
    gaps = realloc(scanner->gaps, room * sizeof(*gaps));
    scanner->gaps = gaps != NULL ? gaps : scanner->gaps;
    if (ways == NULL || gaps == NULL) {
        return false;
    }
    scanner->building->way_room = room;
    return true;
}

/* The farthest that a segment behind `segment` can begin. */
static uint16_t
segment_reach(const struct needs_segment *segment, const struct needs_gap *gap)
{
    size_t reach = gap->max;

    reach += segment->literals[segment->count - 1].count; /* the longest */
    return reach < NEEDS_FAR ? (uint16_t)reach : (uint16_t)NEEDS_FAR;
}

static bool
add_way(struct scanner *scanner, const struct needs_way *from, uint32_t rule)
{
    struct way way = {.rule = rule, .sure = !from->unsure};
    struct way_gaps gaps;

    memset(&gaps, 0, sizeof(gaps));
    if (!make_way_room(scanner)) {
        return false;
    }
    for (size_t i = 0; i < from->segment_count; i++) {
        uint32_t mark = mark_number(scanner, &from->segments[i]);

        if (mark == UINT32_MAX) {
            return false;
        }
        gaps.before[way.mark_count] = from->gaps[i];
        way.reach[way.mark_count] =
            i == 0 ? 0 : segment_reach(&from->segments[i - 1], &from->gaps[i]);
        way.marks[way.mark_count++] = (uint16_t)mark;
    }
    scanner->gaps[scanner->way_count] = gaps;
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
                          .of_rule = rule != SCANNER_NO_RULE,
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
    if (scanner->building->literal_count > SCANNER_LITERALS_MAX) {
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
    struct scanner_building *building = scanner->building;
    const struct numbers *list = &building->mark_literals;
    uint32_t *starts = calloc(building->literal_count + 2, sizeof(*starts));

    building->literal_mark_starts = starts;
    building->literal_marks = calloc(list->count + 1, sizeof(uint32_t));
    if (starts == NULL || building->literal_marks == NULL) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        starts[list->at[i] + 2]++;
    }
    for (size_t i = 2; i <= building->literal_count; i++) {
        starts[i] += starts[i - 1];
    }
    for (size_t mark = 0; mark < scanner->mark_count; mark++) {
        size_t end = mark + 1 < scanner->mark_count
                         ? building->mark_starts.at[mark + 1]
                         : list->count;

        for (size_t i = building->mark_starts.at[mark]; i < end; i++) {
            building->literal_marks[starts[list->at[i] + 1]++] = (uint32_t)mark;
        }
    }
    return true;
}

/* Literals with the same list of marks are one kind. */
static bool
find_kinds(struct scanner *scanner)
{
    struct scanner_building *building = scanner->building;

    building->literal_kinds =
        calloc(building->literal_count + 1, sizeof(uint32_t));
    if (building->literal_kinds == NULL) {
        return false;
    }
    for (size_t i = 0; i < building->literal_count; i++) {
        uint32_t first = building->literal_mark_starts[i];
        uint32_t count = building->literal_mark_starts[i + 1] - first;
        uint64_t hash = XXH3_64bits(building->literal_marks + first,
                                    count * sizeof(uint32_t));
        struct index_slot *slot = index_find(&building->kind_index, hash);

        if (slot == NULL) {
            return false;
        }
        if (slot->number_plus_1 == 0) {
            index_enter(&building->kind_index, slot, hash,
                        scanner->kind_count++);
            if (!numbers_add(&building->kind_firsts, (uint32_t)i)) {
                return false;
            }
        }
        building->literal_kinds[i] = slot->number_plus_1 - 1;
    }
    return true;
}

/* The marks of a kind. */
static const uint32_t *
kind_marks(const struct scanner *scanner, size_t kind, size_t *count)
{
    const struct scanner_building *building = scanner->building;
    uint32_t literal = building->kind_firsts.at[kind];
    uint32_t first = building->literal_mark_starts[literal];

    *count = building->literal_mark_starts[literal + 1] - first;
    return building->literal_marks + first;
}

static bool
link_kinds(struct scanner *scanner)
{
    size_t all = 0;

    scanner->kind_words = (scanner->kind_count + 63) / 64;
    for (size_t kind = 0; kind < scanner->kind_count; kind++) {
        size_t count;

        (void)kind_marks(scanner, kind, &count);
        all += count;
    }
    scanner->mark_kinds = calloc(scanner->mark_count * scanner->kind_words + 1,
                                 sizeof(*scanner->mark_kinds));
    scanner->kind_signatures =
        calloc(scanner->kind_count + 1, sizeof(uint64_t));
    scanner->kind_mark_starts =
        calloc(scanner->kind_count + 1, sizeof(uint32_t));
    scanner->kind_marks = calloc(all + 1, sizeof(*scanner->kind_marks));
    if (scanner->mark_kinds == NULL || scanner->kind_signatures == NULL ||
        scanner->kind_mark_starts == NULL || scanner->kind_marks == NULL) {
        return false;
    }
    all = 0;
    for (size_t kind = 0; kind < scanner->kind_count; kind++) {
        size_t count;
        const uint32_t *marks = kind_marks(scanner, kind, &count);

        for (size_t i = 0; i < count; i++) {
            scanner->mark_kinds[marks[i] * scanner->kind_words + kind / 64] |=
                UINT64_C(1) << kind % 64;
            scanner->kind_signatures[kind] |= UINT64_C(1) << marks[i] % 64;
            scanner->kind_marks[all++] = (uint16_t)marks[i];
        }
        scanner->kind_mark_starts[kind + 1] = (uint32_t)all;
    }
    return true;
}

/*
 * How often a mark stands, guessed: every character more makes a word a
 * fifteenth as frequent.
 */
static double
mark_frequency(const struct scanner *scanner, size_t mark)
{
    const struct scanner_building *building = scanner->building;
    size_t end = mark + 1 < scanner->mark_count
                     ? building->mark_starts.at[mark + 1]
                     : building->mark_literals.count;
    double sum = 0;

    for (size_t i = building->mark_starts.at[mark]; i < end; i++) {
        double one = 1;

        for (size_t c = building->literals[building->mark_literals.at[i]].count;
             c > 1; c--) {
            one /= 15;
        }
        sum += one;
    }
    return sum;
}

/* The rarest mark of a way: a text that lacks it costs the way nothing. */
static uint16_t
key_mark(const struct way *way, const double *frequencies)
{
    uint16_t key = way->marks[0];

    for (uint32_t i = 1; i < way->mark_count; i++) {
        if (frequencies[way->marks[i]] < frequencies[key]) {
            key = way->marks[i];
        }
    }
    return key;
}

/* In how many of the samples does each mark stand? Adds to frequencies. */
static bool
count_marks(const struct scanner *scanner,
            const struct scanner_samples *samples,
            double *frequencies)
{
    struct clean_text *text = malloc(sizeof(*text));
    uint32_t *last_sample = calloc(scanner->mark_count + 1, sizeof(uint32_t));
    bool fine = text != NULL && last_sample != NULL;

    for (uint32_t s = 0; fine && s < samples->count; s++) {
        struct lexicon_word words[LEXICON_CHARACTERS_MAX];

        clean_text(samples->cleaner, samples->texts[s], text);
        for (size_t at = 0; at < text->char_count; at++) {
            size_t count = lexicon_words_at(scanner->lexicon, text->code_point,
                                            text->char_count, at, words);

            for (size_t w = 0; w < count; w++) {
                for (uint32_t i = scanner->kind_mark_starts[words[w].number];
                     i < scanner->kind_mark_starts[words[w].number + 1]; i++) {
                    uint32_t mark = scanner->kind_marks[i];

                    frequencies[mark] += last_sample[mark] != s + 1;
                    last_sample[mark] = s + 1;
                }
            }
        }
    }
    free(text);
    free(last_sample);
    return fine;
}

/* The ways of rules by their key marks. */
static bool
list_key_ways(const struct scanner *scanner,
              const struct scanner_samples *samples,
              struct numbers *by_mark)
{
    double *frequencies = calloc(scanner->mark_count + 1, sizeof(double));
    bool fine = frequencies != NULL;

    for (size_t m = 0; fine && m < scanner->mark_count; m++) {
        frequencies[m] = mark_frequency(scanner, m);
    }
    fine = fine && (scanner->lexicon == NULL ||
                    count_marks(scanner, samples, frequencies));
    for (size_t w = 0; fine && w < scanner->way_count; w++) {
        if (scanner->ways[w].rule != SCANNER_NO_RULE) {
            fine =
                numbers_add(&by_mark[key_mark(&scanner->ways[w], frequencies)],
                            (uint32_t)w);
        }
    }
    free(frequencies);
    return fine;
}

static bool
link_ways(struct scanner *scanner, const struct scanner_samples *samples)
{
    struct numbers *by_mark = calloc(scanner->mark_count + 1, sizeof(*by_mark));
    struct numbers all = {NULL, 0, 0};
    bool fine;

    scanner->kind_way_starts =
        calloc(scanner->kind_count + 1, sizeof(uint32_t));
    fine = by_mark != NULL && scanner->kind_way_starts != NULL &&
           list_key_ways(scanner, samples, by_mark);
    for (size_t kind = 0; fine && kind < scanner->kind_count; kind++) {
        size_t count;
        const uint32_t *marks = kind_marks(scanner, kind, &count);

        for (size_t i = 0; fine && i < count; i++) {
            for (size_t w = 0; fine && w < by_mark[marks[i]].count; w++) {
                fine = numbers_add(&all, by_mark[marks[i]].at[w]);
            }
        }
        scanner->kind_way_starts[kind + 1] = (uint32_t)all.count;
    }
    for (size_t m = 0; by_mark != NULL && m < scanner->mark_count; m++) {
        free(by_mark[m].at);
    }
    free(by_mark);
    scanner->kind_ways = all.at;
    return fine;
}

static bool
fill_lexicon(struct scanner *scanner)
{
    const struct scanner_building *building = scanner->building;

    if (building->literal_count == 0) {
        return true;
    }
    scanner->lexicon = lexicon_new();
    for (size_t i = 0; scanner->lexicon != NULL && i < building->literal_count;
         i++) {
        if (!lexicon_add(scanner->lexicon, building->literals[i].c,
                         building->literals[i].count,
                         building->literal_kinds[i])) {
            return false;
        }
    }
    return scanner->lexicon != NULL;
}

enum err_code
scanner_compile(struct scanner *scanner,
                const struct scanner_samples *samples,
                struct err *err)
{
    if (!link_literals(scanner) || !find_kinds(scanner) ||
        !link_kinds(scanner) || !fill_lexicon(scanner) ||
        !link_ways(scanner, samples)) {
        return err_set(err, ERR_NO_MEMORY, "the scanner");
    }
    free_building(&scanner->building);
    return ERR_OK;
}
