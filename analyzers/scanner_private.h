/*
 * scanner_private: what scanner.c (building) and scanner_scan.c share.
 */
#ifndef ANALYZERS_SCANNER_PRIVATE_H
#define ANALYZERS_SCANNER_PRIVATE_H

#include "analyzers/lexicon.h"
#include "analyzers/scanner.h"

struct way {
    uint32_t rule;
    uint16_t mark_count;
    bool sure; /* where its marks follow each other it matches */
    uint16_t marks[NEEDS_SEGMENTS_MAX]; /* in the order of the text; behind them
                                           mark_count, which always stands */
    uint16_t reach[NEEDS_SEGMENTS_MAX]; /* characters from the beginning of the
                                           mark before it, at most */
};

/* min to max characters, none of forbidden[forbidden] of the scanner. */
struct gap {
    uint16_t min;
    uint16_t max;
    uint16_t forbidden;
};

struct way_gaps {
    struct gap before[NEEDS_SEGMENTS_MAX]; /* each mark */
};

struct forbidden {
    uint16_t count;
    uint16_t characters[NEEDS_FORBID_MAX];
};

/* A list of numbers that grows. */
struct numbers {
    uint32_t *at;
    size_t count;
    size_t room;
};

struct scanner_building; /* scanner.c */

/*
 * Literals that belong to the very same marks are one kind: a text is a list of
 * kinds with their places, and a mark stands where one of its kinds does.
 */
struct scanner {
    struct lexicon *lexicon; /* number of a word = kind of its literal */
    struct way *ways;
    struct way_gaps *gaps; /* [way_count] */
    size_t way_count;
    size_t mark_count;
    size_t kind_count;
    size_t rule_count;
    struct forbidden *forbidden; /* each list once; [0] is empty */
    size_t forbidden_count;
    uint64_t *kind_signatures;  /* [kind_count], bit mark % 64 of its marks */
    uint32_t *kind_mark_starts; /* [kind_count + 1] */
    uint16_t *kind_marks;       /* the marks of a kind */
    uint32_t *kind_way_starts;  /* [kind_count + 1] */
    uint32_t *kind_ways;        /* ways of rules whose key mark has this kind */
    struct numbers always;      /* rules that nothing is known of */
    struct scanner_building *building; /* NULL after scanner_compile */
};

#endif /* ANALYZERS_SCANNER_PRIVATE_H */
