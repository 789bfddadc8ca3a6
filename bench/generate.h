/*
 * generate: an endless hotline, invented: tickets, events, duplicates, new
 * versions, late lines and bad lines, as NDJSON in the order of arrival.
 *
 * The same options give the same bytes on every machine. bench/README.md says
 * what a scenario is and how the shares were chosen.
 */
#ifndef BENCH_GENERATE_H
#define BENCH_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzers/err.h"
#include "analyzers/ticket.h"

enum generate_scenario {
    SCENARIO_NORMAL,    /* an ordinary week: faults, inquiries, complaints */
    SCENARIO_STORM,     /* a storm: outages, few stations, one evening */
    SCENARIO_MONTH_END, /* meters are read: bills, arrears, full halls */
    SCENARIO_COUNT
};

enum {
    GENERATE_LINE_BYTES_MAX = 8192,
    GENERATE_COUNT_MAX = 100000000,
    GENERATE_DAYS_MAX = 3660
};

/* Zero stands for the default of the scenario where a field says so. */
struct generate_options {
    uint32_t count; /* tickets, without duplicates and versions */
    uint64_t seed;
    enum generate_scenario scenario;
    bool events;
    uint32_t bad_permille;       /* of the lines */
    uint32_t duplicate_permille; /* of tickets and events: sent twice */
    uint32_t version_permille;   /* of tickets: sent again with more text */
    uint32_t late_permille;      /* of tickets and events: some lines late */
    uint32_t repeat_permille;    /* of tickets: a matter of the days before */
    uint32_t stations;
    uint32_t days;     /* 0: by the scenario's usual load */
    int32_t start_day; /* days since 1970; 0: the scenario's */
};

/* The shares of bench/README.md; count 0, seed 1. */
struct generate_options generate_defaults(enum generate_scenario scenario);

bool generate_scenario_from(const char *word, enum generate_scenario *out);
const char *generate_scenario_name(enum generate_scenario scenario);

enum generated_kind {
    GENERATED_TICKET,    /* the first line with this id */
    GENERATED_EVENT,     /* the first line with this event */
    GENERATED_DUPLICATE, /* of a ticket or an event, byte for byte */
    GENERATED_VERSION,   /* of a ticket */
    GENERATED_BAD        /* to be refused */
};

/* What a store that took everything must have counted. */
struct generate_truth {
    uint64_t lines;
    uint64_t bytes;
    uint64_t tickets;
    uint64_t events;
    uint64_t duplicates;
    uint64_t versions;
    uint64_t bad;
    uint64_t late;
    uint64_t repeats; /* asked for; chance adds more */
    uint64_t types[TICKET_TYPE_COUNT];
    uint64_t event_kinds[EVENT_KIND_COUNT];
};

struct generator;

/* Errors  BAD_VALUE naming the option, NO_MEMORY */
enum err_code generator_new(const struct generate_options *options,
                            struct generator **out,
                            struct err *err) MUST_CHECK;
void generator_free(struct generator **generator);

/*
 * Write the next line, with its line feed, at `out`, which has room for
 * GENERATE_LINE_BYTES_MAX. Returns its bytes, 0 at the end.
 * Cost    about 0.5 us
 */
size_t generator_line(struct generator *generator,
                      char *out,
                      enum generated_kind *kind);

/* Of the lines so far; no memory was short if generator_ok. */
const struct generate_truth *generator_truth(const struct generator *generator);
bool generator_ok(const struct generator *generator);

/* One JSON object and a line feed. */
void generate_truth_print(const struct generate_truth *truth,
                          const struct generate_options *options,
                          FILE *out);

#endif /* BENCH_GENERATE_H */
