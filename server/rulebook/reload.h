/*
 * reload: read, build and check the tables again aside, and put them in force
 * at once or not at all.
 *
 * Flow      SIGHUP, POST /v1/admin/reload -> [reload: a thread] -> rulebook
 * Effects   one thread while a reload runs; reads the files of the tables
 *
 * What `suqiu check` would refuse is refused, except that a rule may take
 * longer on hostile text (RELOAD_RULE_US_MAX). The old tables stay in force.
 */
#ifndef RULEBOOK_RELOAD_H
#define RULEBOOK_RELOAD_H

#include <event2/event.h>

#include "server/rulebook/rulebook.h"

enum {
    RELOAD_ERRORS_MAX = 100,   /* kept; further ones are counted */
    RELOAD_RULE_US_MAX = 10000 /* of one rule on one hostile text */
};

/* When a changed table shows. */
enum reload_effect {
    RELOAD_AT_ONCE,     /* it is used when somebody asks or sends a file */
    RELOAD_NEW_RECORDS, /* tickets that come or change; clocks and repeat calls
                           also with the next event */
};

struct reload_change {
    char *table;        /* "dict/rules/quality.csv" */
    const char *change; /* "changed", "added", "removed" */
    enum reload_effect effect;
};

/* How the last reload went. */
struct reload_result {
    bool fine;        /* the tables that were read are in force */
    bool changed;     /* and they are others than before */
    bool embedded;    /* there is no directory to read from */
    bool reclassify;  /* stored tickets would be judged otherwise, perhaps */
    char version[20]; /* in force now */
    char previous[20];
    size_t rules;
    int64_t at_us;
    int64_t took_us;
    struct reload_change *changes;
    size_t change_count;
    struct err *errors; /* the first RELOAD_ERRORS_MAX of error_total */
    size_t error_count;
    size_t error_total;
};

/* Called on the loop's thread; `result` lasts until the next reload ends. */
typedef void reload_done(void *data, const struct reload_result *result);

struct reload;

/*
 *   options  copied; the texts they point to are borrowed
 *   ended    called on the loop's thread after every reload, before the others
 *            hear of it
 * Errors  NO_MEMORY, IO
 */
enum err_code reload_new(struct event_base *base,
                         struct rulebook *rulebook,
                         const struct edition_options *options,
                         reload_done *ended,
                         void *ended_data,
                         struct reload **out,
                         struct err *err) MUST_CHECK;
/* Waits for a reload that runs. Accepts NULL. */
void reload_free(struct reload **reload);

/* Begin a reload. Errors: BUSY while one runs; NO_MEMORY. */
enum err_code reload_start(struct reload *reload,
                           reload_done *done,
                           void *done_data,
                           struct err *err) MUST_CHECK;

/* The same without an answer; while one runs another follows it. */
void reload_ask(struct reload *reload);

/* Measure how long the rules in force take (edition_measure), on the thread of
 * reloads; nothing happens while that is busy. */
void reload_measure(struct reload *reload);

/* NULL before the first one ended. Loop's thread. */
const struct reload_result *reload_last(const struct reload *reload);

/* Since the start; loop's thread. */
struct reload_counts {
    uint64_t fine;
    uint64_t failed;
};
struct reload_counts reload_counts(const struct reload *reload);

/* Where an error of the tables is: parts of its detail, borrowed; empty or 0
 * where it does not say. */
struct reload_place {
    struct span table; /* "dict/rules/quality.csv" */
    uint64_t line;     /* as an editor counts */
    struct span column;
    struct span value;   /* what stands there */
    struct span message; /* what is wrong and how to mend it */
    struct span excerpt; /* the value, and below it a caret under the place */
};
void reload_place_of(const struct err *err, struct reload_place *out);

#endif /* RULEBOOK_RELOAD_H */
