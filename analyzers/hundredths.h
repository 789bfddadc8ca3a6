/*
 * hundredths: "1.5" in a table is 150; points are exact integers.
 */
#ifndef ANALYZERS_HUNDREDTHS_H
#define ANALYZERS_HUNDREDTHS_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzers/span.h"

/* Sign, digits, at most two decimals, |value| below 10 million. False for
 * anything else; *out untouched. */
bool hundredths_parse(struct span text, int32_t *out);

#endif /* ANALYZERS_HUNDREDTHS_H */
