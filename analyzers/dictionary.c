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

/* What judges a ticket's text. */
static enum err_code
build_judge(struct dictionary *d,
            const struct dictionary_file *files,
            size_t file_count,
            const struct dictionary_options *options,
            struct err *err)
{
    enum err_code code;

    if ((code = taxonomy_build(files, file_count, &d->taxonomy, err)) ||
        (code = cleaner_build(files, file_count, &d->cleaner, err)) ||
        (code = rules_build(files, file_count, d->taxonomy, d->cleaner,
                            &d->rules, err)) ||
        (code =
             scoring_build(files, file_count, d->taxonomy, &d->scoring, err))) {
        return code;
    }
    if (options != NULL && options->model_off) {
        return ERR_OK;
    }
    return model_build(files, file_count, d->taxonomy, &d->model, err);
}

/* Regions, clocks, indicators. */
static enum err_code
build_rest(struct dictionary *d,
           const struct dictionary_file *files,
           size_t file_count,
           const struct dictionary_options *options,
           struct err *err)
{
    const char *profile = options != NULL ? options->deadline_profile : NULL;
    enum err_code code;

    if ((code = units_build(files, file_count, &d->units, err)) ||
        (code = region_build(files, file_count, &d->region, err)) ||
        (code = calendar_build(files, file_count, &d->calendar, err)) ||
        (code =
             deadline_build(files, file_count, profile, &d->deadlines, err)) ||
        (code = indicator_build(files, file_count, &d->indicators, err)) ||
        (code = repeat_settings_build(files, file_count, &d->repeat, err)) ||
        (code =
             hot_spot_settings_build(files, file_count, &d->hot_spot, err))) {
        return code;
    }
    return ERR_OK;
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
    enum err_code code = ERR_OK;

    if (dictionary == NULL || sorted == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "the dictionary");
        goto out;
    }
    if (file_count > 0) {
        memcpy(sorted, files, file_count * sizeof(*sorted));
        qsort(sorted, file_count, sizeof(*sorted), compare_paths);
    }
    set_version(dictionary, sorted, file_count, options);
    code = build_judge(dictionary, sorted, file_count, options, err);
    if (code == ERR_OK) {
        code = build_rest(dictionary, sorted, file_count, options, err);
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
