/*
 * units: supply units 供电单位, from dict/units.csv.
 *
 * A ticket names its unit by path ("宁夏电力/银川供电公司/…") or by an ORG_NO
 * code. The table maps codes to paths and may say how the grid itself divides
 * a unit: urban, rural, remote. A path that is not in the table is fine.
 *
 * Columns   code,path,region,note
 */
#ifndef ANALYZERS_UNITS_H
#define ANALYZERS_UNITS_H

#include "analyzers/dictionary.h"
#include "analyzers/ticket.h"

struct units;

enum { UNIT_LEVELS_MAX = 8 };

enum err_code units_build(const struct dictionary_file *files,
                          size_t file_count,
                          struct units **out,
                          struct err *err) MUST_CHECK;
void units_free(struct units **units);

/* The path of a unit given as code or path: from the table when the code is
 * known, else `unit` itself without leading, trailing or doubled slashes
 * removed from the ends. Borrowed from the table or from `unit`. */
struct span units_path(const struct units *units, struct span unit);

/* Region of the unit or of the nearest parent that has one; UNKNOWN if none.
 * *row_path is the path of the row that decided. */
enum ticket_region units_region(const struct units *units,
                                struct span path,
                                struct span *row_path);

#endif /* ANALYZERS_UNITS_H */
