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

/* Marks of a kind that are set together: its list is filled up with mark_count,
 * which always stands. */
enum { SCANNER_MARKS_STEP = 4 };

/* What is known of a kind in one place; its lists end where those of the next
 * kind begin. */
struct kind {
    uint64_t signature;  /* bit mark % 64 of its marks */
    uint32_t first_mark; /* in kind_marks */
    uint32_t first_way;  /* in keyed_ways */
};

/* A way of a rule in the list of a kind of its key mark, with the two rarest
 * of its other marks, or mark_count, which always stands. */
struct keyed_way {
    uint32_t way;
    uint16_t others[2];
};

/*
 * Literals that belong to the very same marks are one kind: a text is a list of
 * kinds with their places, and a mark stands where one of its kinds does.
 */
struct scanner {
    struct lexicon *lexicon; /* number of a word = kind of its literal */
    struct way *ways;
    struct way_gaps *gaps; /* [way_count] */
    uint16_t *way_keys;    /* [way_count]: the rarest mark of each */
    size_t way_count;
    size_t mark_count;
    size_t kind_count;
    size_t rule_count;
    struct forbidden *forbidden; /* each list once; [0] is empty */
    size_t forbidden_count;
    struct kind *kinds;                /* [kind_count + 1] */
    uint16_t *kind_marks;              /* kind after kind, ascending */
    struct keyed_way *keyed_ways;      /* kind after kind */
    struct numbers always;             /* rules that nothing is known of */
    struct scanner_building *building; /* NULL after scanner_compile */
};

#endif /* ANALYZERS_SCANNER_PRIVATE_H */
