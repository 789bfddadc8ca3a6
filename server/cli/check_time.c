/* How long each part of the judgement takes on given tickets. */
#include "server/cli/check_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyzers/clean.h"
#include "analyzers/model.h"
#include "analyzers/region.h"
#include "analyzers/rules.h"
#include "analyzers/scoring.h"
#include "server/cli/labelled.h"

enum {
    ROUNDS = 15, /* over all tickets; the quickest counts */
    TICKETS_MAX = 20000,
    TICKET_ARENA_BYTES = 1024 * 1024
};

struct timing {
    const struct dictionary *dictionary;
    struct arena arena;
    struct ticket *tickets;
    size_t ticket_count;
    size_t text_bytes;
    struct classify_scratch *scratch;
    struct rules_scratch *rules;
    struct clean_text *clean;
    struct model_reading *reading;
    struct rule_hit hits[RULE_HITS_MAX];
    size_t found; /* of the last round: candidates, hits */
};

static double
now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static enum err_code
keep(struct timing *timing, struct span *span, struct err *err)
{
    char *copy = arena_alloc(&timing->arena, span->bytes + 1);

    if (copy == NULL) {
        return err_set(err, ERR_NO_MEMORY, "check");
    }
    if (span->bytes > 0) {
        memcpy(copy, span->data, span->bytes);
    }
    span->data = copy;
    return ERR_OK;
}

static enum err_code
keep_ticket_cb(void *context, const struct labelled *row, struct err *err)
{
    struct timing *timing = context;
    struct ticket *ticket = &timing->tickets[timing->ticket_count];
    enum err_code code;

    if (timing->ticket_count == TICKETS_MAX) {
        return err_set(err, ERR_TOO_LONG, "more than %d tickets", TICKETS_MAX);
    }
    *ticket = (struct ticket){.text = row->ticket.text,
                              .address = row->ticket.address};
    if ((code = keep(timing, &ticket->text, err)) ||
        (code = keep(timing, &ticket->address, err))) {
        return code;
    }
    timing->ticket_count++;
    timing->text_bytes += ticket->text.bytes;
    return ERR_OK;
}

/* ------------------------------------------------------------------- parts */

typedef void part_fn(struct timing *timing, const struct ticket *ticket);

static void
part_clean(struct timing *timing, const struct ticket *ticket)
{
    clean_text(timing->dictionary->cleaner, ticket->text, timing->clean);
}

static void
part_scan(struct timing *timing, const struct ticket *ticket)
{
    part_clean(timing, ticket);
    timing->found +=
        rules_scan(timing->dictionary->rules, timing->rules, timing->clean);
}

static void
part_match(struct timing *timing, const struct ticket *ticket)
{
    bool incomplete = false;

    part_clean(timing, ticket);
    timing->found += rules_match(timing->dictionary->rules, timing->rules,
                                 timing->clean, timing->hits, &incomplete);
}

static void
part_model(struct timing *timing, const struct ticket *ticket)
{
    float logits[SCORING_CLASSES_MAX];
    float also[MODEL_ALSO_COUNT];

    part_clean(timing, ticket);
    if (timing->dictionary->model != NULL) {
        model_score(timing->dictionary->model, timing->clean, timing->reading,
                    logits, also);
    }
}

static void
part_region(struct timing *timing, const struct ticket *ticket)
{
    struct evidence evidence;

    if (timing->dictionary->region != NULL) {
        (void)region_judge(timing->dictionary->region,
                           timing->dictionary->units, ticket, &evidence);
    }
}

static void
part_all(struct timing *timing, const struct ticket *ticket)
{
    struct verdict verdict;

    classify_ticket(timing->dictionary, timing->scratch, ticket, &verdict);
}

/* Nanoseconds a ticket, the quickest round. */
static double
measure(struct timing *timing, part_fn *part)
{
    double best = 0;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        double took;

        timing->found = 0;
        for (size_t i = 0; i < timing->ticket_count; i++) {
            part(timing, &timing->tickets[i]);
        }
        took = now_ns() - start;
        best = round == 0 || took < best ? took : best;
    }
    return best / (double)timing->ticket_count;
}

static void
put_part(struct buf *out, const char *name, double ns)
{
    buf_printf(out, "%-10s %8.0f ns a ticket\n", name, ns);
}

static void
measure_all(struct timing *timing, struct buf *out)
{
    double count = (double)timing->ticket_count;
    double bytes = (double)timing->text_bytes / count;
    double clean = measure(timing, part_clean);
    double scan = measure(timing, part_scan);
    double candidates = (double)timing->found / count;
    double match = measure(timing, part_match);
    double hits = (double)timing->found / count;
    double model = measure(timing, part_model);
    double region = measure(timing, part_region);
    double all = measure(timing, part_all);

    buf_printf(out, "%zu tickets of %.0f bytes, %zu rules, one core\n",
               timing->ticket_count, bytes,
               rules_count(timing->dictionary->rules));
    put_part(out, "clean", clean);
    put_part(out, "scan", scan - clean);
    put_part(out, "confirm", match - scan);
    put_part(out, "model", model - clean);
    put_part(out, "region", region);
    put_part(out, "decide", all - match - (model - clean) - region);
    put_part(out, "all", all);
    buf_printf(out, "%.1f candidates, %.1f hits a ticket; %.1f ns a byte\n",
               candidates, hits, all / bytes);
}

static enum err_code
open_timing(struct timing *timing, struct err *err)
{
    timing->tickets = calloc(TICKETS_MAX + 1, sizeof(*timing->tickets));
    timing->clean = malloc(sizeof(*timing->clean));
    timing->reading = malloc(sizeof(*timing->reading));
    if (timing->tickets == NULL || timing->clean == NULL ||
        timing->reading == NULL) {
        return err_set(err, ERR_NO_MEMORY, "check");
    }
    if (classify_scratch_new(timing->dictionary, &timing->scratch, err) !=
        ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < rules_count(timing->dictionary->rules); i++) {
        (void)rules_prepare(timing->dictionary->rules, i);
    }
    return rules_scratch_new(timing->dictionary->rules, &timing->rules, err);
}

enum err_code
check_time(const struct dictionary *dictionary,
           char **paths,
           size_t path_count,
           const struct check_corpus_options *options,
           struct buf *out,
           struct err *err)
{
    struct timing timing = {.dictionary = dictionary};
    enum err_code code;

    arena_init(&timing.arena, TICKET_ARENA_BYTES);
    code = open_timing(&timing, err);
    for (size_t i = 0; code == ERR_OK && i < path_count; i++) {
        code = options->truth != NULL
                   ? labelled_read_ndjson(paths[i], options->truth,
                                          dictionary->taxonomy, keep_ticket_cb,
                                          &timing, err)
                   : labelled_read(paths[i], dictionary->taxonomy,
                                   keep_ticket_cb, &timing, err);
    }
    if (code == ERR_OK && timing.ticket_count > 0) {
        measure_all(&timing, out);
    }
    rules_scratch_free(&timing.rules);
    classify_scratch_free(&timing.scratch);
    free(timing.clean);
    free(timing.reading);
    free(timing.tickets);
    arena_release(&timing.arena);
    return code;
}
