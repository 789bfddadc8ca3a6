/*
 * rulebook: which tables are in force, and who still uses older ones.
 *
 * An edition is one set of tables, built once and never changed. Whoever judges
 * with it holds it: a worker, a batch on its way to the disk, the writer, an
 * export. A reload puts another edition in force; each user moves to it between
 * two batches, and the old one goes when the last holder lets go.
 *
 * Effects   reads the files of the tables; one mutex, held for a few
 *           instructions
 */
#ifndef RULEBOOK_RULEBOOK_H
#define RULEBOOK_RULEBOOK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "analyzers/dictionary.h"
#include "server/base/config.h"
#include "server/base/wake.h"
#include "server/decode/columns.h"
#include "server/rulebook/rule_hits.h"

enum { RULEBOOK_WAKES_MAX = 128 };

/* One table file of an edition, to tell which ones differ. */
struct edition_table {
    char *path; /* "rules/quality.csv" */
    uint64_t hash;
};

struct edition {
    struct dictionary *dictionary;
    struct columns *columns;
    struct edition_table *tables; /* sorted by path */
    size_t table_count;
    int64_t loaded_at_us;
    /* Processor time of each rule on the worst hostile text, microseconds;
     * NULL until edition_measure. */
    const double *_Atomic rule_us;
    _Atomic unsigned uses;
};

/* Where the tables are and how they are to be read. */
struct edition_options {
    const char *directory; /* NULL or "": those inside the program */
    const char *deadline_profile;
    bool model_off;
};

/* What the settings say; borrows from `config`. */
struct edition_options edition_options_from(const struct config *config);

/*
 * Read and build, aside from everything.
 *
 *   faults  hears of every error that can be found in one go (table.h); NULL:
 *           stop at the first
 *   out     held once: edition_release
 *
 * Errors  those of dict_files_load, dictionary_build and columns_build
 * Cost    about 0.15 s for the full tables
 */
enum err_code edition_build(const struct edition_options *options,
                            struct table_faults *faults,
                            struct edition **out,
                            struct err *err) MUST_CHECK;

/* Hold it once more; any thread that knows it is held. Returns it. */
struct edition *edition_hold(struct edition *edition);
/* Let go; the last one frees it. Accepts NULL, sets it to NULL. */
void edition_release(struct edition **edition);

/* Measure the rules once. Cost: rule_check_cost. One thread at a time. */
void edition_measure(struct edition *edition);

struct rulebook;

/* `first` is taken over on ERR_OK. */
enum err_code rulebook_new(struct edition *first,
                           struct rulebook **out,
                           struct err *err) MUST_CHECK;
/* Nobody may be inside a call; others may still hold editions. */
void rulebook_free(struct rulebook **rulebook);

/* How often the rules spoke, of all editions. Borrowed until rulebook_free. */
struct rule_hits *rulebook_hits(struct rulebook *rulebook);

/* The edition in force, held for the caller. Any thread. */
struct edition *rulebook_hold(struct rulebook *rulebook);

/* Is this the one in force? Any thread, one load. */
bool rulebook_is_current(const struct rulebook *rulebook,
                         const struct edition *edition);

/* Put `next` in force (taken over) and signal the wakes. Any thread. */
void rulebook_swap(struct rulebook *rulebook, struct edition *next);

/*
 * Signal `wake` at every swap, so that a loop without work moves on, too.
 * `wake` is borrowed until it is removed (which accepts an unknown one). At
 * most RULEBOOK_WAKES_MAX. Any thread.
 */
void rulebook_add_wake(struct rulebook *rulebook, const struct wake *wake);
void rulebook_remove_wake(struct rulebook *rulebook, const struct wake *wake);

#endif /* RULEBOOK_RULEBOOK_H */
