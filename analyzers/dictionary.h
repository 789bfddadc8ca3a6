/*
 * dictionary: every table of dict/, compiled; immutable; swapped whole.
 *
 * Flow      files (bytes) -> [dictionary] -> classify, region, deadline, ledger
 * Input     the bytes of each table, by its path below dict/
 * Output    one struct dictionary, shared by all threads, never changed
 * Effects   allocates; no I/O: server/base/dict_files reads or embeds the files
 *
 * Members are public so that a user of one table includes that table's header
 * only; each is owned by the dictionary.
 */
#ifndef ANALYZERS_DICTIONARY_H
#define ANALYZERS_DICTIONARY_H

#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

struct table_faults;

/* One file: path "rules/quality.csv", forward slashes. */
struct dictionary_file {
    const char *path;
    struct span bytes;
    struct table_faults *faults; /* table.h: hears of each bad row; NULL: the
                                    first error is the only one */
};

struct dictionary_options {
    const char *deadline_profile; /* "csg" (NULL) or "sgcc" */
    bool model_off;               /* judge by rules alone */

    /* table.h. NULL: stop at the first error. Else each bad row of every table
     * is told, TABLE_FAULTS_MAX at most; what needs a table that is bad itself
     * is not looked at. */
    struct table_faults *faults;
};

struct dictionary {
    struct taxonomy *taxonomy;   /* taxonomy.h: categories.csv */
    struct cleaner *cleaner;     /* clean.h: t2s.csv, boilerplate.csv */
    struct rules *rules;         /* rules.h: rules/ *.csv, words.csv */
    struct scoring *scoring;     /* scoring.h: scoring.csv, boundaries.csv */
    struct model *model;         /* model.h: model.tsv; NULL when absent/off */
    struct units *units;         /* units.h: units.csv */
    struct region_table *region; /* region.h: regions.csv, towns */
    struct calendar *calendar;   /* calendar.h: calendar.csv */
    struct deadline_table *deadlines;   /* deadline.h: deadlines.csv */
    struct indicator_table *indicators; /* indicator.h: indicators.csv */
    struct repeat_settings *repeat;     /* repeat.h: settings.csv */
    struct hot_spot_settings *hot_spot; /* hot_spot.h: settings.csv */
    char version[20]; /* 16 hex digits: XXH3 of all files and options */
};

/*
 * Build from file_count files.
 *
 *   out   set on ERR_OK only; free with dictionary_free
 *
 * Errors  the first error of the first bad table, with file, line, column;
 *         options->faults hears of the others, too
 * Cost    about 0.15 s for the full tables, most of it rules
 */
enum err_code dictionary_build(const struct dictionary_file *files,
                               size_t file_count,
                               const struct dictionary_options *options,
                               struct dictionary **out,
                               struct err *err) MUST_CHECK;

void dictionary_free(struct dictionary **dictionary);

/* The file of that path, or NULL. For the loaders of the single tables. */
const struct dictionary_file *dictionary_find_file(
    const struct dictionary_file *files, size_t file_count, const char *path);

#endif /* ANALYZERS_DICTIONARY_H */
