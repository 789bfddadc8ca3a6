/*
 * context: what the handlers are given; the only thing they know of the rest.
 *
 * Every function here is called on the thread of the HTTP server. There is no
 * global state.
 */
#ifndef SERVE_CONTEXT_H
#define SERVE_CONTEXT_H

#include "analyzers/dictionary.h"
#include "server/ledger/ledger.h"
#include "server/rulebook/rulebook.h"

struct audit;        /* server/access/audit.h */
struct event_base;   /* libevent */
struct http_request; /* server/serve/http.h */
struct reload;       /* server/rulebook/reload.h */
struct reclassify;   /* server/rulebook/reclassify.h */
struct expire;       /* server/upkeep/expire.h */
struct replay_job;   /* server/rulebook/replay_job.h */

/* What the pipeline tells about itself; counts since the start. */
struct serve_pipeline {
    uint64_t records_total;
    uint64_t batches_total;
    uint64_t commits_total;
    uint64_t commit_us_total; /* time spent in committing */
    uint64_t batches_waiting;
    uint64_t batches_waiting_max; /* the queue's limit */
    uint64_t feed_connections;
    int64_t last_commit_us; /* wall clock; 0 before the first */
    int64_t started_us;     /* wall clock */
    bool writer_stopped;    /* it failed: nothing is taken in */
    bool store_full;        /* writes are refused; reads go on */
};

/* Told on the HTTP thread when the facts are on disk or refused. */
typedef void serve_facts_done(void *data, const struct err *err);

struct serve_context {
    const struct store *store;
    struct event_base *events; /* the loop of the HTTP server; NULL: no
                                  /v1/stream (501) */
    const struct numbers *ids; /* ledger_ids; NULL: search the disk */
    struct changes *changes;   /* that the ledger notes (ledger_watch); NULL:
                                  lists that gather read all tickets */

    /* The audit list and the data directory that it lies in; NULL: none. */
    struct audit *audit;
    const char *data_dir;

    /* The loop of the HTTP server and a directory for workbooks in the making
     * (made when it is not there). NULL: no workbooks. Borrowed. */
    struct event_base *base;
    const char *spool_dir;

    /* The dictionary in force; borrowed until the handler returns to the
     * loop. */
    const struct dictionary *(*dictionary)(void *data);
    /* Keep the dictionary in force beyond the turn of the loop, and let it go;
     * both NULL when it never changes. */
    struct edition *(*keep_edition)(void *data);
    void (*drop_edition)(void *data, struct edition **edition);
    /* May be NULL: then what the newest snapshot says. */
    struct ledger_totals (*totals)(void *data);
    void (*pipeline)(void *data, struct serve_pipeline *out); /* may be NULL */
    /*
     * Write facts; spans are copied before it returns. `done` comes later, once
     * and not from inside the call, unless an error is returned. NULL: facts
     * can't be written (501).
     */
    enum err_code (*put_facts)(void *data,
                               const struct ledger_fact *facts,
                               size_t fact_count,
                               serve_facts_done *done,
                               void *done_data,
                               struct err *err);
    /* NULL: what they do can't be asked for (501) */
    struct reload *reload;
    struct reclassify *reclassify;
    struct expire *expire;
    struct replay_job *replay;
    struct rule_hits *rule_hits; /* NULL: nothing is counted */
    /* edition.rule_us of the dictionary in force; may be NULL */
    const double *(*rule_us)(void *data);
    void *data; /* first argument of all of the above */
};

#endif /* SERVE_CONTEXT_H */
