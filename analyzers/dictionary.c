/* Every table of dict/, built in the order of their dependence. */
#include "analyzers/dictionary.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "analyzers/calendar.h"
#include "analyzers/clean.h"
#include "analyzers/deadline.h"
#include "analyzers/hot_spot.h"
#include "analyzers/indicator.h"
#include "analyzers/model.h"
#include "analyzers/region.h"
#include "analyzers/repeat.h"
#include "analyzers/rules.h"
#include "analyzers/scoring.h"
#include "analyzers/table.h"
#include "analyzers/taxonomy.h"
#include "analyzers/units.h"

/* The files in the order of their names, whatever order they came in. */
static int
compare_paths(const void *left, const void *right)
{
    const struct dictionary_file *a = left;
    const struct dictionary_file *b = right;

    return strcmp(a->path, b->path);
}

/* XXH3 over names, lengths and bytes, and the options: other options judge
 * otherwise. */
static void
set_version(struct dictionary *dictionary,
            const struct dictionary_file *files,
            size_t file_count,
            const struct dictionary_options *options)
{
    const char *profile = options != NULL && options->deadline_profile != NULL
                              ? options->deadline_profile
                              : "";
    XXH64_hash_t hash = options != NULL && options->model_off ? 1 : 0;

    hash = XXH3_64bits_withSeed(profile, strlen(profile), hash);

    for (size_t i = 0; i < file_count; i++) {
        uint64_t bytes = files[i].bytes.bytes;

        hash = XXH3_64bits_withSeed(files[i].path, strlen(files[i].path), hash);
        hash = XXH3_64bits_withSeed(&bytes, sizeof(bytes), hash);
        hash = XXH3_64bits_withSeed(
            files[i].bytes.data != NULL ? files[i].bytes.data : "",
            files[i].bytes.bytes, hash);
    }
    (void)snprintf(dictionary->version, sizeof(dictionary->version),
                   "%016" PRIx64, (uint64_t)hash);
}

/* What the single builders have in common. */
struct build {
    struct dictionary *dictionary;
    const struct dictionary_file *files;
    size_t file_count;
    const struct dictionary_options *options; /* may be NULL */
    struct table_faults *faults;              /* may be NULL */
    struct err *err;                          /* the first error */
    bool stopped;
};

/* After one table: tell its error, which may have been told. */
static void
after_table(struct build *build, const struct err *table_err)
{
    enum err_kind kind;

    if (table_err->code == ERR_OK) {
        return;
    }
    if (build->err->code == ERR_OK) {
        *build->err = *table_err;
    }
    kind = err_code_kind(table_err->code);
    build->stopped =
        (kind != ERR_KIND_BAD_INPUT && kind != ERR_KIND_NOT_FOUND) ||
        !table_faults_tell(build->faults, table_err);
}

/* Run one builder with an error of its own. */
#define BUILD(build, call)                                                     \
    do {                                                                       \
        struct err table_err = {0};                                            \
        struct err *err = &table_err;                                          \
                                                                               \
        if (!(build)->stopped) {                                               \
            (void)!(call);                                                     \
            after_table((build), &table_err);                                  \
        }                                                                      \
    } while (false)

/* What judges a ticket's text. */
static void
build_judge(struct build *build)
{
    const struct dictionary_file *files = build->files;
    size_t file_count = build->file_count;
    struct dictionary *d = build->dictionary;

    BUILD(build, taxonomy_build(files, file_count, &d->taxonomy, err));
    BUILD(build, cleaner_build(files, file_count, &d->cleaner, err));
    if (d->taxonomy == NULL) {
        return; /* the others name its rows */
    }
    BUILD(build, rules_build(files, file_count, d->taxonomy, d->cleaner,
                             &d->rules, err));
    BUILD(build,
          scoring_build(files, file_count, d->taxonomy, &d->scoring, err));
    if (build->options == NULL || !build->options->model_off) {
        BUILD(build,
              model_build(files, file_count, d->taxonomy, &d->model, err));
    }
}

/* Regions, clocks, indicators. */
static void
build_rest(struct build *build)
{
    const char *profile =
        build->options != NULL ? build->options->deadline_profile : NULL;
    const struct dictionary_file *files = build->files;
    size_t file_count = build->file_count;
    struct dictionary *d = build->dictionary;

    BUILD(build, units_build(files, file_count, &d->units, err));
    BUILD(build, region_build(files, file_count, &d->region, err));
    BUILD(build, calendar_build(files, file_count, &d->calendar, err));
    BUILD(build,
          deadline_build(files, file_count, profile, &d->deadlines, err));
    BUILD(build, indicator_build(files, file_count, &d->indicators, err));
    BUILD(build, repeat_settings_build(files, file_count, &d->repeat, err));
    BUILD(build, hot_spot_settings_build(files, file_count, &d->hot_spot, err));
}

enum err_code
dictionary_build(const struct dictionary_file *files,
                 size_t file_count,
                 const struct dictionary_options *options,
                 struct dictionary **out,
                 struct err *err)
{
    struct dictionary *dictionary = calloc(1, sizeof(*dictionary));
    struct dictionary_file *sorted = calloc(file_count + 1, sizeof(*sorted));
    struct table_faults *faults = options != NULL ? options->faults : NULL;
    enum err_code code = ERR_OK;

    if (dictionary == NULL || sorted == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "the dictionary");
        goto out;
    }
    if (file_count > 0) {
        memcpy(sorted, files, file_count * sizeof(*sorted));
        qsort(sorted, file_count, sizeof(*sorted), compare_paths);
    }
    for (size_t i = 0; i < file_count; i++) {
        sorted[i].faults = faults;
    }
    set_version(dictionary, sorted, file_count, options);
    {
        struct build build = {.dictionary = dictionary,
                              .files = sorted,
                              .file_count = file_count,
                              .options = options,
                              .faults = faults,
                              .err = err};

        build_judge(&build);
        build_rest(&build);
        code = err->code;
    }
out:
    free(sorted);
    if (code != ERR_OK) {
        dictionary_free(&dictionary);
        return code;
    }
    *out = dictionary;
    return ERR_OK;
}

void
dictionary_free(struct dictionary **dictionary)
{
    struct dictionary *old = *dictionary;

    if (old == NULL) {
        return;
    }
    hot_spot_settings_free(&old->hot_spot);
    repeat_settings_free(&old->repeat);
    indicator_free(&old->indicators);
    deadline_free(&old->deadlines);
    calendar_free(&old->calendar);
    region_free(&old->region);
    units_free(&old->units);
    model_free(&old->model);
    scoring_free(&old->scoring);
    rules_free(&old->rules);
    cleaner_free(&old->cleaner);
    taxonomy_free(&old->taxonomy);
    free(old);
    *dictionary = NULL;
}
