/*
 * scanner_building: what scanner.c (adding patterns) and scanner_compile.c
 * share; gone once the scanner is compiled.
 */
#ifndef ANALYZERS_SCANNER_BUILDING_H
#define ANALYZERS_SCANNER_BUILDING_H

#include "analyzers/scanner_private.h"

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
    double *mark_frequencies;   /* [mark_count] */
};

void scanner_building_free(struct scanner_building **building);

/* False: no memory. */
bool scanner_numbers_add(struct numbers *numbers, uint32_t number);

/* The slot of a hash of 64 bits, which is taken for what it stands for: a
 * free one when there is none; NULL without memory. */
struct index_slot *scanner_index_find(struct index *index, uint64_t hash);
void scanner_index_enter(struct index *index,
                         struct index_slot *slot,
                         uint64_t hash,
                         size_t number);

#endif /* ANALYZERS_SCANNER_BUILDING_H */
