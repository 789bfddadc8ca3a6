/* Patterns to literals, marks and ways; scanner_compile.c goes on. */
#include "analyzers/scanner_building.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { NUMBERS_ROOM = 64, MARKS_MAX = UINT16_MAX };

/* ------------------------------------------------------------------- lists */

bool
scanner_numbers_add(struct numbers *numbers, uint32_t number)
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
struct index_slot *
scanner_index_find(struct index *index, uint64_t hash)
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

void
scanner_index_enter(struct index *index,
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

void
scanner_building_free(struct scanner_building **building)
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
    free(old->mark_frequencies);
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
    scanner_building_free(&old->building);
    lexicon_free(&old->lexicon);
    free(old->ways);
    free(old->gaps);
    free(old->way_keys);
    free(old->forbidden);
    free(old->kinds);
    free(old->kind_marks);
    free(old->keyed_ways);
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
    struct index_slot *slot =
        scanner_index_find(&building->literal_index, hash);

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
    scanner_index_enter(&building->literal_index, slot, hash,
                        building->literal_count);
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
            !scanner_numbers_add(&building->mark_literals, number)) {
            return UINT32_MAX;
        }
    }
    hash = XXH3_64bits(building->mark_literals.at + first,
                       segment->count * sizeof(uint32_t));
    slot = scanner_index_find(&building->mark_index, hash);
    if (slot == NULL) {
        return UINT32_MAX;
    }
    if (slot->number_plus_1 != 0) {
        building->mark_literals.count = first;
        return slot->number_plus_1 - 1;
    }
    if (scanner->mark_count == MARKS_MAX ||
        !scanner_numbers_add(&building->mark_starts, (uint32_t)first)) {
        return UINT32_MAX;
    }
    scanner_index_enter(&building->mark_index, slot, hash, scanner->mark_count);
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

/* The gap with its list of forbidden characters by number; false without
 * memory. Lists are few. */
static bool
take_gap(struct scanner *scanner, const struct needs_gap *from, struct gap *out)
{
    struct forbidden *lists = scanner->forbidden;
    size_t count = scanner->forbidden_count;
    size_t bytes = from->forbid_count * sizeof(*from->forbid);
    size_t i = 0;

    while (i < count &&
           (lists[i].count != from->forbid_count ||
            memcmp(lists[i].characters, from->forbid, bytes) != 0)) {
        i++;
    }
    if (i == count) {
        if (count == UINT16_MAX) {
            return false;
        }
        lists = realloc(lists, (count + 1) * sizeof(*lists));
        if (lists == NULL) {
            return false;
        }
        lists[count].count = from->forbid_count;
        memcpy(lists[count].characters, from->forbid, bytes);
        scanner->forbidden = lists;
        scanner->forbidden_count = count + 1;
    }
    *out = (struct gap){from->min, from->max, (uint16_t)i};
    return true;
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

        if (mark == UINT32_MAX ||
            !take_gap(scanner, &from->gaps[i], &gaps.before[way.mark_count])) {
            return false;
        }
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
        fine = fine && (rule == SCANNER_NO_RULE ||
                        scanner_numbers_add(&scanner->always, rule));
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
