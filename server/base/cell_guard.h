/*
 * cell_guard: texts that a spreadsheet would run as a formula.
 *
 * Whoever writes cells from outside puts CELL_GUARD in front of such a text;
 * whoever reads cells takes it away again (decode/columns.c).
 *
 * Source    OWASP ASVS 5.0.0, 1.2.10
 */
#ifndef BASE_CELL_GUARD_H
#define BASE_CELL_GUARD_H

#include <stdbool.h>

#include "analyzers/span.h"

#define CELL_GUARD '\''

/* Does it begin with = + - @, one of their full-width forms, a tab or a line
 * end? */
bool cell_is_formula(struct span text);

#endif /* BASE_CELL_GUARD_H */
