/*
 * units: supply units 供电单位, from dict/units.csv.
 *
 * A ticket names its unit by path ("宁夏电力/银川供电公司/…") or by an ORG_NO
 * code. The table maps codes to paths and may say how the grid itself divides
 * a unit: urban, rural, remote. A path that is not in the table is fine.
 *
 * ORG_NO is a prefix tree of two digits a level (5 city, 7 county, 9 station):
 * a longer code than the table knows counts for the nearest unit above it.
 *
 * Columns   code,path,region,note   (code and region may be empty)
 * Effects   none after units_build
 */
#ifndef ANALYZERS_UNITS_H
#define ANALYZERS_UNITS_H

#include "analyzers/dictionary.h"
#include "analyzers/ticket.h"

struct units;

enum {
    UNIT_LEVELS_MAX = 8, /* of a path; what is deeper is cut off */
    UNIT_CODE_STEP = 2   /* digits a level below the city */
};

/* Errors  NO_COLUMN; BAD_TABLE naming line and column: an empty level, a code
 * or path that stands twice, a word that is no region. */
enum err_code units_build(const struct dictionary_file *files,
                          size_t file_count,
                          struct units **out,
                          struct err *err) MUST_CHECK;
void units_free(struct units **units);

/*
 * The path of a unit given as code or path: from the table when the code, or
 * for digits the code of a unit above, is known; else `unit` itself without
 * blanks and slashes at both ends, at most UNIT_LEVELS_MAX levels. Borrowed
 * from the table or from `unit`; empty for an empty unit.
 * Cost    O(log rows)
 */
struct span units_path(const struct units *units, struct span unit);

/* Region of the unit or of the nearest parent that has one; UNKNOWN if none.
 * *row_path is the path of the row that decided, else empty. */
enum ticket_region units_region(const struct units *units,
                                struct span path,
                                struct span *row_path);

#endif /* ANALYZERS_UNITS_H */
