/* nearest: "did you mean ...?" for mistyped names. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/*
 * The name that needs the fewest letters changed, put in or taken out (two
 * neighbours swapped count once), if that is at most a third of its length,
 * at least one; else NULL. Hyphen and underscore are the same. Names longer
 * than 63 bytes are never near. Cost: O(count * length^2).
 */
const char *
nearest_name(const char *typed, const char *const *names, size_t count);

#endif /* BASE_NEAREST_H */
