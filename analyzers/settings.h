/*
 * settings: numbers of dict/settings.csv, by key.
 *
 * Effects   allocates the table and frees it again; no I/O
 */
#ifndef ANALYZERS_SETTINGS_H
#define ANALYZERS_SETTINGS_H

#include "analyzers/dictionary.h"

struct setting {
    const char *key; /* "repeat.window_days" */
    const char *unit;
    uint64_t min;
    uint64_t max;
};

/*
 * Read every known setting; each must be there once, in its unit and range.
 *
 *   prefix   "repeat.": a row whose key begins so must be known; other rows
 *            belong to others
 *   values   one for each of known[count], borrowed
 *
 * Errors  BAD_TABLE naming line and column, NO_COLUMN, NO_MEMORY
 */
enum err_code settings_read(const struct dictionary_file *files,
                            size_t file_count,
                            const char *prefix,
                            const struct setting *known,
                            size_t count,
                            uint64_t *values,
                            struct err *err) MUST_CHECK;

#endif /* ANALYZERS_SETTINGS_H */
