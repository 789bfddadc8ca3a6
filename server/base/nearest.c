/* The nearest name by edit distance. */
#include "server/base/nearest.h"

#include <stdint.h>
#include <string.h>

enum { NAME_BYTES_MAX = 63 };

static char
fold(char c)
{
    if (c == '-') {
        return '_';
    }
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance. */
static size_t
distance(const char *a, const char *b)
{
    size_t rows[3][NAME_BYTES_MAX + 1];
    size_t *before = rows[0];
    size_t *above = rows[1];
    size_t *row = rows[2];
    size_t a_bytes = strlen(a);
    size_t b_bytes = strlen(b);

    if (a_bytes > NAME_BYTES_MAX || b_bytes > NAME_BYTES_MAX) {
        return SIZE_MAX;
    }
    for (size_t k = 0; k <= b_bytes; k++) {
        above[k] = k;
    }
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t *spare = before;

        row[0] = i;
        for (size_t k = 1; k <= b_bytes; k++) {
            size_t changed = fold(a[i - 1]) != fold(b[k - 1]);

            row[k] = least(above[k - 1] + changed,
                           least(above[k] + 1, row[k - 1] + 1));
            if (i > 1 && k > 1 && fold(a[i - 1]) == fold(b[k - 2]) &&
                fold(a[i - 2]) == fold(b[k - 1])) {
                row[k] = least(row[k], before[k - 2] + 1);
            }
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[b_bytes];
}

const char *
nearest_name(const char *typed, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;

    for (size_t i = 0; i < count; i++) {
        size_t far = distance(typed, names[i]);
        size_t far_max = strlen(names[i]) / 3;

        if (far < best_distance && far <= (far_max > 0 ? far_max : 1)) {
            best = names[i];
            best_distance = far;
        }
    }
    return best;
}
