/*
 * needs: which words must stand in a text for a pattern to match?
 *
 * Input     a pattern that pattern_check allowed, macros written out
 * Output    ways to match; each way names segments, all of which must stand;
 *           a segment is a list of literals, any of which will do
 * Effects   allocates
 *
 * 营业厅.{0,12}(没人|关门)|停业 has two ways: 营业厅 and, at most 12 characters
 * behind it, one of 没人, 关门; or 停业. The scanner looks for the literals, so
 * it needs no gaps; where a way is complete the pattern can match, and does
 * when the way is sure. Look-arounds are forgotten, optional parts are not
 * needed, what is too large to be written out is left out: such a way is not
 * sure and PCRE2 decides. The ways may say "perhaps" too often, never "no"
 * wrongly.
 */
#ifndef ANALYZERS_NEEDS_H
#define ANALYZERS_NEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/span.h"

enum {
    NEEDS_CHARS_MAX = 12,      /* of one literal */
    NEEDS_LITERALS_MAX = 2048, /* of one segment */
    NEEDS_SEGMENTS_MAX = 6,    /* of one way; further ones are left out */
    NEEDS_FORBID_MAX = 8,
    NEEDS_FAR = UINT16_MAX /* a gap without a bound */
};

struct needs_literal {
    uint16_t count;
    uint16_t c[NEEDS_CHARS_MAX];
};

/* Sorted, the shortest first, without doubles; owned. */
struct needs_segment {
    struct needs_literal *literals;
    size_t count;
};

/* min to max characters, none of forbid[forbid_count]. */
struct needs_gap {
    uint16_t min;
    uint16_t max;
    uint16_t forbid_count;
    uint16_t forbid[NEEDS_FORBID_MAX];
};

/* The segments stand in this order and do not overlap. gaps[i] lies before
 * segment i: since the end of the segment before it, for the first since the
 * beginning of the match. */
struct needs_way {
    struct needs_segment segments[NEEDS_SEGMENTS_MAX];
    struct needs_gap gaps[NEEDS_SEGMENTS_MAX];
    struct needs_gap tail; /* after the last segment */
    size_t segment_count;
    bool unsure; /* the segments and gaps alone do not make a match */
};

struct needs {
    struct needs_way *ways;
    size_t way_count;
    bool unknown; /* nothing can be said: the pattern may match anywhere */
};

/* False when memory ran out; free with needs_release in any case. */
bool needs_find(struct span pattern, struct needs *out);
void needs_release(struct needs *needs);

#endif /* ANALYZERS_NEEDS_H */
