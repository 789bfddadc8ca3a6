/*
 * suqiu-bench agree: do the scanner and PCRE2 together say of every rule what
 * PCRE2 alone says?
 *
 * Slice k of the texts is made of seed + k alone, so slices may run in any
 * order, on any machine, and again. One JSON line a slice, one for all.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyzers/rules.h"
#include "bench/commands.h"
#include "bench/lines.h"
#include "bench/rule_texts.h"
#include "server/base/dict_files.h"
#include "server/decode/ticket_decode.h"

enum { FLAG_TEXTS = FLAG_OWN, FLAG_SLICE, FLAG_THREADS, FLAG_DICT };

enum {
    THREADS_MAX = 64,
    TICKETS_IN = 4, /* one text of so many is a generated ticket */
    SHOWN_MAX = 20  /* differences of a slice that are printed */
};

static const struct option flags[] = {
    {"texts", required_argument, NULL, FLAG_TEXTS},
    {"seed", required_argument, NULL, FLAG_SEED},
    {"slice", required_argument, NULL, FLAG_SLICE},
    {"threads", required_argument, NULL, FLAG_THREADS},
    {"dict", required_argument, NULL, FLAG_DICT},
    {"help", no_argument, NULL, FLAG_HELP},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "agree --texts N FILE…      FILE: a labelled table with a column `text`\n"
    "  --seed N               of the first slice (1); to go on behind slice "
    "N,\n"
    "                         begin with N + 1\n"
    "  --slice N              texts of a seed (10000)\n"
    "  --threads N            (2)\n"
    "  --dict DIR             these tables instead of the program's own\n";

/* What was found; of a slice, or of all. */
struct agreement {
    uint64_t texts;
    uint64_t bytes;
    uint64_t rules;     /* questions: rules times texts */
    uint64_t hits;      /* both say yes */
    uint64_t differ;    /* one says yes */
    uint64_t places;    /* both say yes, at another place */
    uint64_t undecided; /* a limit was met: nothing can be said */
};

struct agree {
    const struct dictionary *dictionary;
    const struct rule_texts *texts;
    uint64_t first_seed;
    uint64_t slice_texts;
    uint64_t text_count;
    _Atomic uint64_t next_slice;
    _Atomic bool failed;
    pthread_mutex_t lock; /* over the rest, and over standard output */
    struct agreement all;
    struct err err; /* the first one */
};

/* One thread's own. */
struct asker {
    struct agree *agree;
    uint64_t seed;
    struct agreement found;
    struct rules_scratch *scratch;
    struct clean_text *clean;
    struct rule_hit *hits;
    struct decoder *decoder;
    struct arena arena;
};

static void
print_agreement(const struct agreement *found)
{
    printf("\"texts\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"questions\":%" PRIu64
           ",\"hits\":%" PRIu64 ",\"differences\":%" PRIu64
           ",\"other_places\":%" PRIu64 ",\"undecided\":%" PRIu64,
           found->texts, found->bytes, found->rules, found->hits, found->differ,
           found->places, found->undecided);
}

/* Invented texts all of them, so they may be shown. */
static void
show_difference(const struct asker *asker,
                size_t rule,
                bool together,
                struct span text)
{
    const struct rule *row = rules_get(asker->agree->dictionary->rules, rule);

    (void)pthread_mutex_lock(&asker->agree->lock);
    (void)fprintf(stderr, "seed %" PRIu64 ": %.*s: %s, PCRE2 alone %s: %.*s\n",
                  asker->seed, SPAN_ARGS(row->id),
                  together ? "speaks" : "is silent",
                  together ? "is silent" : "speaks", SPAN_ARGS(text));
    (void)pthread_mutex_unlock(&asker->agree->lock);
}

/* Every rule on one text, both ways. */
static void
compare(struct asker *asker, struct span text)
{
    const struct rules *rules = asker->agree->dictionary->rules;
    struct agreement *found = &asker->found;
    bool incomplete = false;
    size_t count;
    size_t k = 0;

    clean_text(asker->agree->dictionary->cleaner, text, asker->clean);
    count = rules_match(rules, asker->scratch, asker->clean, asker->hits,
                        &incomplete);
    found->texts++;
    found->bytes += text.bytes;
    found->rules += rules_count(rules);
    if (incomplete) {
        found->undecided += rules_count(rules);
        return;
    }
    for (size_t i = 0; i < rules_count(rules); i++) {
        const struct rule_hit *hit = &asker->hits[k];
        bool together = k < count && hit->rule == i;
        struct rule_hit alone;
        bool limit = false;
        bool by_pcre2 = rules_match_one(rules, asker->scratch, i, asker->clean,
                                        &alone, &limit);

        k += together;
        if (limit) {
            found->undecided++;
        } else if (by_pcre2 != together) {
            if (found->differ++ < SHOWN_MAX) {
                show_difference(asker, i, together, text);
            }
        } else if (together) {
            found->hits++;
            found->places += hit->start != alone.start || hit->end != alone.end;
        }
    }
}

/* ------------------------------------------------------------------- a slice
 */

/* `count` tickets as the feed brings them. */
static enum err_code
compare_tickets(struct asker *asker, uint64_t count, struct err *err)
{
    struct generate_options options = generate_defaults(
        (enum generate_scenario)(asker->seed % SCENARIO_COUNT));
    struct lines lines = {0};

    options.count = (uint32_t)count;
    options.seed = asker->seed;
    options.events = false;
    options.bad_permille = 0;
    options.duplicate_permille = 0;
    options.version_permille = 0;
    (void)!lines_generate(&lines, &options, err);
    for (size_t i = 0; err->code == ERR_OK && i < lines.count; i++) {
        uint64_t from = lines_begin(&lines, i);
        struct span line = {lines.data + from, (size_t)(lines.ends[i] - from)};
        struct decoded decoded;

        arena_reset(&asker->arena);
        if (decode_json(asker->decoder, line, &asker->arena, &decoded, err) ==
            ERR_OK) {
            compare(asker, decoded.ticket.text);
        }
    }
    lines_release(&lines);
    return err->code;
}

static enum err_code
compare_slice(struct asker *asker, uint64_t texts, struct err *err)
{
    struct random random = random_from(asker->seed);
    uint64_t tickets = texts / TICKETS_IN;
    char text[RULE_TEXT_BYTES_MAX];

    asker->found = (struct agreement){0};
    if (tickets > 0 && compare_tickets(asker, tickets, err) != ERR_OK) {
        return err->code;
    }
    for (uint64_t i = tickets; i < texts; i++) {
        size_t bytes = rule_texts_write(asker->agree->texts, &random, text);

        compare(asker, (struct span){text, bytes});
    }
    return ERR_OK;
}

static void
end_slice(struct asker *asker)
{
    struct agreement *all = &asker->agree->all;
    const struct agreement *found = &asker->found;

    (void)pthread_mutex_lock(&asker->agree->lock);
    all->texts += found->texts;
    all->bytes += found->bytes;
    all->rules += found->rules;
    all->hits += found->hits;
    all->differ += found->differ;
    all->places += found->places;
    all->undecided += found->undecided;
    printf("{\"seed\":%" PRIu64 ",", asker->seed);
    print_agreement(found);
    printf("}\n");
    (void)fflush(stdout);
    (void)pthread_mutex_unlock(&asker->agree->lock);
}

/* ------------------------------------------------------------------- threads
 */

static enum err_code
asker_open(struct asker *asker, struct agree *agree, struct err *err)
{
    *asker = (struct asker){.agree = agree};
    arena_init(&asker->arena, 64 * 1024);
    asker->clean = malloc(sizeof(*asker->clean));
    asker->hits = calloc(RULE_HITS_MAX + 1, sizeof(*asker->hits));
    if (asker->clean == NULL || asker->hits == NULL) {
        return err_set(err, ERR_NO_MEMORY, "agree");
    }
    return rules_scratch_new(agree->dictionary->rules, &asker->scratch, err) ==
                   ERR_OK
               ? decode_new(&asker->decoder, err)
               : err->code;
}

static void
asker_close(struct asker *asker)
{
    rules_scratch_free(&asker->scratch);
    decode_free(&asker->decoder);
    arena_release(&asker->arena);
    free(asker->clean);
    free(asker->hits);
}

/* One slice after the other until none is left. */
static void *
ask(void *data)
{
    struct agree *agree = data;
    struct asker asker;
    struct err err = {0};

    (void)asker_open(&asker, agree, &err);
    while (err.code == ERR_OK && !atomic_load(&agree->failed)) {
        uint64_t slice = atomic_fetch_add(&agree->next_slice, 1);
        uint64_t done = slice * agree->slice_texts;
        uint64_t left = done < agree->text_count ? agree->text_count - done : 0;

        if (left == 0) {
            break;
        }
        asker.seed = agree->first_seed + slice;
        if (compare_slice(&asker,
                          left < agree->slice_texts ? left : agree->slice_texts,
                          &err) == ERR_OK) {
            end_slice(&asker);
        }
    }
    asker_close(&asker);
    if (err.code != ERR_OK) {
        atomic_store(&agree->failed, true);
        (void)pthread_mutex_lock(&agree->lock);
        if (agree->err.code == ERR_OK) {
            agree->err = err;
        }
        (void)pthread_mutex_unlock(&agree->lock);
    }
    return NULL;
}

static enum err_code
ask_all(struct agree *agree, uint64_t threads, struct err *err)
{
    pthread_t ids[THREADS_MAX];
    uint64_t started = 0;

    while (started < threads &&
           pthread_create(&ids[started], NULL, ask, agree) == 0) {
        started++;
    }
    for (uint64_t i = 0; i < started; i++) {
        (void)pthread_join(ids[i], NULL);
    }
    if (started == 0) {
        return err_set(err, ERR_NO_MEMORY, "cannot start a thread");
    }
    *err = agree->err;
    return err->code;
}

/* -------------------------------------------------------------------- command
 */

struct agree_flags {
    uint64_t texts;
    uint64_t seed;
    uint64_t slice;
    uint64_t threads;
    const char *dict;
};

static int
run(const struct agree_flags *given,
    char **paths,
    size_t path_count,
    struct err *err)
{
    struct agree agree = {.first_seed = given->seed,
                          .slice_texts = given->slice,
                          .text_count = given->texts};
    struct dictionary *dictionary = NULL;
    struct rule_texts *texts = NULL;
    struct dict_files files;
    struct timespec start;
    struct timespec end;

    if (dict_files_load(given->dict, &files, err) != ERR_OK) {
        return bench_fail(err);
    }
    if (dictionary_build(files.files, files.count, NULL, &dictionary, err) ==
        ERR_OK) {
        (void)!rule_texts_new(files.files, files.count, dictionary, paths,
                              path_count, &texts, err);
    }
    dict_files_release(&files);
    if (err->code == ERR_OK) {
        agree.dictionary = dictionary;
        agree.texts = texts;
        (void)pthread_mutex_init(&agree.lock, NULL);
        (void)clock_gettime(CLOCK_MONOTONIC, &start);
        (void)ask_all(&agree, given->threads, err);
        (void)clock_gettime(CLOCK_MONOTONIC, &end);
        (void)pthread_mutex_destroy(&agree.lock);
    }
    if (err->code == ERR_OK) {
        printf("{\"rule_count\":%zu,", rules_count(dictionary->rules));
        print_agreement(&agree.all);
        printf(",\"seconds\":%.0f}\n",
               (double)(end.tv_sec - start.tv_sec) +
                   (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    }
    rule_texts_free(&texts);
    dictionary_free(&dictionary);
    if (err->code != ERR_OK) {
        return bench_fail(err);
    }
    return agree.all.differ == 0 ? BENCH_FINE : BENCH_NO;
}

int
cmd_agree(int argc, char **argv)
{
    struct agree_flags given = {.seed = 1, .slice = 10000, .threads = 2};
    struct err err = {0};
    int flag;

    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        switch (flag) {
        case FLAG_TEXTS:
            (void)flag_number("texts", optarg, 1, 1000000000, &given.texts,
                              &err);
            break;
        case FLAG_SEED:
            (void)flag_number("seed", optarg, 1, UINT32_MAX, &given.seed, &err);
            break;
        case FLAG_SLICE:
            (void)flag_number("slice", optarg, 1, 1000000, &given.slice, &err);
            break;
        case FLAG_THREADS:
            (void)flag_number("threads", optarg, 1, THREADS_MAX, &given.threads,
                              &err);
            break;
        case FLAG_DICT:
            given.dict = optarg;
            break;
        default:
            return bench_usage(usage, false, flag == FLAG_HELP);
        }
    }
    if (err.code != ERR_OK) {
        return bench_fail(&err);
    }
    if (given.texts == 0 || optind == argc) {
        return bench_usage(usage, false, false);
    }
    return run(&given, argv + optind, (size_t)(argc - optind), &err);
}
