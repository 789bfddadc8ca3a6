/*
 * scoring: how the points of rules become a decision; all of it data.
 *
 * Tables    scoring.csv (name,value,note), boundaries.csv
 *           (id,when,and,unless,target,points,note)
 * Source    boundary rules: analyzers/DESIGN.md#classify
 * Effects   none after scoring_build
 *
 * Classes: 0..class_count-1 are the second-level names in the order of
 * categories.csv, class_count is "none".
 */
#ifndef ANALYZERS_SCORING_H
#define ANALYZERS_SCORING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/dictionary.h"
#include "analyzers/taxonomy.h"

struct scoring;

enum { SCORING_CLASSES_MAX = TAXONOMY_CLASSES_MAX + 1, BOUNDARIES_MAX = 200 };

/* scoring.csv; a missing row keeps the default beside it in scoring.def.
 * Hundredths, so 150 is 1.5. */
struct scoring_values {
#define SCORING_ROW(name, fallback, min, max, sentence) int32_t name;
#include "analyzers/scoring.def"
#undef SCORING_ROW
};

/* What the rules said of one text, in hundredths of a point. */
struct points {
    int32_t classes[SCORING_CLASSES_MAX];
    int32_t test_ticket;
    int32_t not_utility;
    int32_t false_claim;
};

enum err_code scoring_build(const struct dictionary_file *files,
                            size_t file_count,
                            const struct taxonomy *taxonomy,
                            struct scoring **out,
                            struct err *err) MUST_CHECK;
void scoring_free(struct scoring **scoring);

const struct scoring_values *scoring_values(const struct scoring *scoring);

/* A boundary that changed something: for the evidence. */
struct boundary_effect {
    struct span id; /* "boundary:<id>"; borrowed from the table */
    int32_t class_index;
    int32_t points;
};

/*
 * Apply boundaries.csv: every row looks at the points as they were before any
 * row. Returns how many effects were written to effects[effects_max].
 */
size_t scoring_apply_boundaries(const struct scoring *scoring,
                                struct points *points,
                                struct boundary_effect *effects,
                                size_t effects_max);

#endif /* ANALYZERS_SCORING_H */
