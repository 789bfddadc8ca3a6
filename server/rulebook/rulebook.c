/* Editions of the tables: built aside, swapped at once, freed by the last. */
#include "server/rulebook/rulebook.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "analyzers/table.h"
#include "server/base/clock.h"
#include "server/base/dict_files.h"
#include "server/rulebook/rule_check.h"

struct rulebook {
    pthread_mutex_t lock; /* over all of it */
    struct edition *_Atomic current;
    const struct wake *wakes[RULEBOOK_WAKES_MAX];
    size_t wake_count;
    struct rule_hits *hits;
};

/* ---- editions ---- */

struct edition_options
edition_options_from(const struct config *config)
{
    return (struct edition_options){.directory = config->dict,
                                    .deadline_profile =
                                        config->deadline_profile,
                                    .model_off = !config->model};
}

static void
edition_free(struct edition *edition)
{
    for (size_t i = 0; i < edition->table_count; i++) {
        free(edition->tables[i].path);
    }
    free(edition->tables);
    free((double *)(uintptr_t)atomic_load(&edition->rule_us));
    columns_free(&edition->columns);
    dictionary_free(&edition->dictionary);
    free(edition);
}

struct edition *
edition_hold(struct edition *edition)
{
    (void)atomic_fetch_add_explicit(&edition->uses, 1, memory_order_relaxed);
    return edition;
}

void
edition_release(struct edition **edition)
{
    struct edition *old = *edition;

    *edition = NULL;
    if (old != NULL &&
        atomic_fetch_sub_explicit(&old->uses, 1, memory_order_acq_rel) == 1) {
        edition_free(old);
    }
}

/* Remember which files it was made of. */
static enum err_code
keep_tables(struct edition *edition,
            const struct dict_files *files,
            struct err *err)
{
    edition->tables = calloc(files->count + 1, sizeof(*edition->tables));
    if (edition->tables == NULL) {
        return err_set(err, ERR_NO_MEMORY, "the tables");
    }
    for (size_t i = 0; i < files->count; i++) {
        struct edition_table *table = &edition->tables[i];

        table->path = strdup(files->files[i].path);
        if (table->path == NULL) {
            return err_set(err, ERR_NO_MEMORY, "the tables");
        }
        edition->table_count++;
        table->hash = XXH3_64bits(files->files[i].bytes.data,
                                  files->files[i].bytes.bytes);
    }
    return ERR_OK;
}

/* The tables that only the decoder needs; told like the others. */
static void
build_columns(struct edition *edition,
              const struct dict_files *files,
              struct table_faults *faults,
              struct err *err)
{
    struct err own = {0};

    if (err->code != ERR_OK && (faults == NULL || faults->enough)) {
        return;
    }
    for (size_t i = 0; i < files->count; i++) {
        files->files[i].faults = faults;
    }
    if (columns_build(files->files, files->count, &edition->columns, &own) !=
        ERR_OK) {
        (void)table_faults_tell(faults, &own);
        if (err->code == ERR_OK) {
            *err = own;
        }
    }
}

enum err_code
edition_build(const struct edition_options *options,
              struct table_faults *faults,
              struct edition **out,
              struct err *err)
{
    struct dictionary_options dictionary = {.deadline_profile =
                                                options->deadline_profile,
                                            .model_off = options->model_off,
                                            .faults = faults};
    struct edition *edition = calloc(1, sizeof(*edition));
    struct dict_files files;

    if (edition == NULL) {
        return err_set(err, ERR_NO_MEMORY, "the tables");
    }
    if (dict_files_load(options->directory, &files, err) != ERR_OK) {
        (void)table_faults_tell(faults, err);
        edition_free(edition);
        return err->code;
    }
    (void)!dictionary_build(files.files, files.count, &dictionary,
                            &edition->dictionary, err);
    build_columns(edition, &files, faults, err);
    if (err->code == ERR_OK) {
        (void)keep_tables(edition, &files, err);
    }
    dict_files_release(&files);
    if (err->code != ERR_OK) {
        edition_free(edition);
        return err->code;
    }
    edition->loaded_at_us = clock_now_us();
    atomic_store(&edition->uses, 1);
    *out = edition;
    return ERR_OK;
}

static void
ignore_finding(void *data, struct span text)
{
    (void)data;
    (void)text;
}

void
edition_measure(struct edition *edition)
{
    size_t rules = rules_count(edition->dictionary->rules);
    double *rule_us = calloc(rules + 1, sizeof(*rule_us));
    struct rule_check check = {.finding = ignore_finding,
                               .rule_us_max = RULE_CHECK_US_MAX,
                               .rule_us = rule_us};
    struct err err = {0};

    if (rule_us == NULL || atomic_load(&edition->rule_us) != NULL ||
        rule_check_cost(edition->dictionary, &check, &err) != ERR_OK) {
        free(rule_us);
        return;
    }
    atomic_store(&edition->rule_us, rule_us);
}

/* ---- the one in force ---- */

enum err_code
rulebook_new(struct edition *first, struct rulebook **out, struct err *err)
{
    struct rulebook *rulebook = calloc(1, sizeof(*rulebook));

    if (rulebook != NULL) {
        rulebook->hits = rule_hits_new();
    }
    if (rulebook == NULL || rulebook->hits == NULL ||
        pthread_mutex_init(&rulebook->lock, NULL) != 0) {
        if (rulebook != NULL) {
            rule_hits_free(&rulebook->hits);
        }
        free(rulebook);
        return err_set(err, ERR_NO_MEMORY, "the tables");
    }
    atomic_store(&rulebook->current, first);
    *out = rulebook;
    return ERR_OK;
}

void
rulebook_free(struct rulebook **rulebook)
{
    struct edition *last;

    if (*rulebook == NULL) {
        return;
    }
    last = atomic_load(&(*rulebook)->current);
    edition_release(&last);
    rule_hits_free(&(*rulebook)->hits);
    (void)pthread_mutex_destroy(&(*rulebook)->lock);
    free(*rulebook);
    *rulebook = NULL;
}

struct rule_hits *
rulebook_hits(struct rulebook *rulebook)
{
    return rulebook->hits;
}

struct edition *
rulebook_hold(struct rulebook *rulebook)
{
    struct edition *edition;

    /* Under the lock, or the last hold could go between load and add. */
    (void)pthread_mutex_lock(&rulebook->lock);
    edition = edition_hold(
        atomic_load_explicit(&rulebook->current, memory_order_relaxed));
    (void)pthread_mutex_unlock(&rulebook->lock);
    return edition;
}

bool
rulebook_is_current(const struct rulebook *rulebook,
                    const struct edition *edition)
{
    struct rulebook *r = (struct rulebook *)(uintptr_t)rulebook;

    return atomic_load_explicit(&r->current, memory_order_acquire) == edition;
}

void
rulebook_swap(struct rulebook *rulebook, struct edition *next)
{
    struct edition *old;

    (void)pthread_mutex_lock(&rulebook->lock);
    old = atomic_load_explicit(&rulebook->current, memory_order_relaxed);
    atomic_store_explicit(&rulebook->current, next, memory_order_release);
    for (size_t i = 0; i < rulebook->wake_count; i++) {
        wake_signal(rulebook->wakes[i]);
    }
    (void)pthread_mutex_unlock(&rulebook->lock);
    edition_release(&old);
}

void
rulebook_add_wake(struct rulebook *rulebook, const struct wake *wake)
{
    (void)pthread_mutex_lock(&rulebook->lock);
    assert(rulebook->wake_count < RULEBOOK_WAKES_MAX);
    rulebook->wakes[rulebook->wake_count++] = wake;
    (void)pthread_mutex_unlock(&rulebook->lock);
}

void
rulebook_remove_wake(struct rulebook *rulebook, const struct wake *wake)
{
    (void)pthread_mutex_lock(&rulebook->lock);
    for (size_t i = 0; i < rulebook->wake_count; i++) {
        if (rulebook->wakes[i] == wake) {
            rulebook->wakes[i] = rulebook->wakes[--rulebook->wake_count];
            break;
        }
    }
    (void)pthread_mutex_unlock(&rulebook->lock);
}
