/*
 * suqiu-bench parts: what each step of a ticket costs alone, on one core.
 *
 * Each step is a function of its own that is not inlined, so that callgrind can
 * count it: --toggle-collect=step_classify and so on.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyzers/calendar.h"
#include "analyzers/classify.h"
#include "analyzers/clean.h"
#include "analyzers/deadline.h"
#include "analyzers/dictionary.h"
#include "analyzers/repeat.h"
#include "analyzers/rules.h"
#include "bench/commands.h"
#include "bench/lines.h"
#include "bench/scratch_dir.h"
#include "server/base/dict_files.h"
#include "server/decode/ticket_decode.h"
#include "server/ledger/ledger.h"
#include "server/ledger/record.h"

enum { FLAG_DIR = FLAG_OWN, FLAG_ROUNDS, FLAG_ONLY, FLAG_DICT };

enum {
    OTHERS_MAX = 16,
    CALLERS = 1 << 17, /* slots of calls before, by the hash of the telephone */
    RECORD_ROOM_BYTES = 128 * 1024,
    COMMIT_TICKETS = 2000,
    STEPS_NAME_MAX = 16
};

static const struct option flags[] = {
    {"dir", required_argument, NULL, FLAG_DIR},
    {"rounds", required_argument, NULL, FLAG_ROUNDS},
    {"only", required_argument, NULL, FLAG_ONLY},
    {"dict", required_argument, NULL, FLAG_DICT},
    STREAM_FLAGS,
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "parts --count N\n"
    "  --dir DIR              where a fresh store is made and removed (.)\n"
    "  --rounds N             of each step; the quickest counts (5)\n"
    "  --only STEP            this step alone\n"
    "  --dict DIR             these tables instead of the program's own\n";

struct parts {
    struct dictionary *dictionary;
    struct lines lines;
    struct decoder *decoder;
    struct classify_scratch *scratch;
    struct clean_text *clean;
    struct arena arena; /* of the tickets */
    struct arena scrap; /* of one decoding */
    struct decoded *decoded;
    struct verdict *verdicts;
    struct repeat_ticket *calls; /* one a ticket */
    struct repeat_ticket (*others)[OTHERS_MAX];
    size_t *other_counts;
    struct span *records;
    size_t count;
    char *room;
    const char *dir;
    const char *dict; /* NULL: the tables of the program */
    unsigned rounds;
    uint64_t sum; /* of something of each step, so that none is left out */
};

static double
now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static struct span
line_of(const struct parts *parts, size_t i)
{
    uint64_t from = lines_begin(&parts->lines, i);

    return (struct span){parts->lines.data + from,
                         (size_t)(parts->lines.ends[i] - from)};
}

/* --- the steps ---------------------------------------------------------- */

typedef void step_fn(struct parts *parts, size_t i);

__attribute__((noinline)) static void
step_decode(struct parts *parts, size_t i)
{
    struct decoded decoded;
    struct err err = {0};

    arena_reset(&parts->scrap);
    parts->sum += decode_json(parts->decoder, line_of(parts, i), &parts->scrap,
                              &decoded, &err) == ERR_OK;
}

__attribute__((noinline)) static void
step_clean(struct parts *parts, size_t i)
{
    clean_text(parts->dictionary->cleaner, parts->decoded[i].ticket.text,
               parts->clean);
    parts->sum += parts->clean->char_count;
}

/* The whole judgement: cleaning, rules, model, region. */
__attribute__((noinline)) static void
step_classify(struct parts *parts, size_t i)
{
    classify_ticket(parts->dictionary, parts->scratch,
                    &parts->decoded[i].ticket, &parts->verdicts[i]);
}

__attribute__((noinline)) static void
step_repeat(struct parts *parts, size_t i)
{
    struct repeat_finding finding;

    repeat_find(parts->dictionary->repeat, &parts->calls[i], parts->others[i],
                parts->other_counts[i], &finding);
    parts->sum += finding.calls;
}

__attribute__((noinline)) static void
step_deadline(struct parts *parts, size_t i)
{
    const struct ticket *ticket = &parts->decoded[i].ticket;
    struct deadline_clock clocks[DEADLINE_KINDS_MAX];
    struct deadline_input input = {
        .type = ticket->type,
        .channel = ticket->channel,
        .category = parts->verdicts[i].category,
        .region = parts->verdicts[i].region,
        .accepted_at_us = ticket->accepted_at_us,
    };

    for (size_t kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        input.event_at_us[kind] = DEADLINE_NEVER;
    }
    parts->sum += deadline_clocks(parts->dictionary->deadlines,
                                  parts->dictionary->calendar, &input, clocks);
}

static void
record_of(const struct parts *parts, size_t i, struct record *record)
{
    const struct verdict *verdict = &parts->verdicts[i];

    *record = (struct record){.kind = RECORD_TICKET,
                              .number = i + 1,
                              .ticket = parts->decoded[i].ticket};
    record->verdict = (struct record_verdict){
        .dictionary_id = 1,
        .category = verdict->category,
        .runner_up = verdict->runner_up,
        .secondary = verdict->secondary,
        .confidence_permille = verdict->confidence_permille,
        .flags = verdict->flags,
        .region = verdict->region,
        .region_evidence = verdict->region_evidence,
        .evidence_count = verdict->evidence_count};
    memcpy(record->verdict.evidence, verdict->evidence,
           verdict->evidence_count * sizeof(verdict->evidence[0]));
}

__attribute__((noinline)) static void
step_encode(struct parts *parts, size_t i)
{
    struct record record;
    struct byte_writer writer = byte_writer_on(parts->room, RECORD_ROOM_BYTES);

    record_of(parts, i, &record);
    record_encode(&record, &writer);
    parts->sum += byte_writer_used(&writer);
}

/* --- getting ready ------------------------------------------------------ */

/* Calls of the same telephone before, as the ledger would find them. */
static enum err_code
remember_calls(struct parts *parts, struct err *err)
{
    size_t *last = calloc(CALLERS, sizeof(*last)); /* ticket + 1 */
    size_t *before = calloc(parts->count, sizeof(*before));

    if (last == NULL || before == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "parts");
    }
    for (size_t i = 0; i < parts->count && err->code == ERR_OK; i++) {
        const struct ticket *ticket = &parts->decoded[i].ticket;
        uint64_t hash = UINT64_C(14695981039346656037);
        size_t at;

        for (size_t k = 0; k < ticket->caller.bytes; k++) {
            hash = (hash ^ (unsigned char)ticket->caller.data[k]) *
                   UINT64_C(1099511628211);
        }
        parts->calls[i] = (struct repeat_ticket){
            .number = i + 1,
            .accepted_at_us = ticket->accepted_at_us,
            .caller_hash = ticket->caller.bytes > 0 ? hash : 0};
        if (ticket->caller.bytes == 0) {
            continue;
        }
        at = last[hash % CALLERS];
        before[i] = at;
        last[hash % CALLERS] = i + 1;
        while (at > 0 && parts->other_counts[i] < OTHERS_MAX) {
            if (parts->calls[at - 1].caller_hash == hash) {
                parts->others[i][parts->other_counts[i]++] =
                    parts->calls[at - 1];
            }
            at = before[at - 1];
        }
    }
    free(before);
    free(last);
    return err->code;
}

static enum err_code
get_memory(struct parts *parts, struct err *err)
{
    size_t n = parts->count + 1;

    parts->decoded = calloc(n, sizeof(*parts->decoded));
    parts->verdicts = calloc(n, sizeof(*parts->verdicts));
    parts->calls = calloc(n, sizeof(*parts->calls));
    parts->others = calloc(n, sizeof(*parts->others));
    parts->other_counts = calloc(n, sizeof(*parts->other_counts));
    parts->records = calloc(n, sizeof(*parts->records));
    parts->clean = malloc(sizeof(*parts->clean));
    parts->room = malloc(RECORD_ROOM_BYTES);
    return parts->decoded != NULL && parts->verdicts != NULL &&
                   parts->calls != NULL && parts->others != NULL &&
                   parts->other_counts != NULL && parts->records != NULL &&
                   parts->clean != NULL && parts->room != NULL
               ? ERR_OK
               : err_set(err, ERR_NO_MEMORY, "parts");
}

static enum err_code
build_dictionary(struct parts *parts, struct err *err)
{
    struct dictionary_options options = {.deadline_profile = NULL};
    struct dict_files files;

    if (dict_files_load(parts->dict, &files, err) != ERR_OK) {
        return err->code;
    }
    if (dictionary_build(files.files, files.count, &options, &parts->dictionary,
                         err) == ERR_OK) {
        (void)!classify_scratch_new(parts->dictionary, &parts->scratch, err);
        for (size_t i = 0; i < rules_count(parts->dictionary->rules); i++) {
            (void)rules_prepare(parts->dictionary->rules, i);
        }
    }
    dict_files_release(&files);
    return err->code;
}

/* Everything a step needs is made by the steps before it. */
static enum err_code
get_ready(struct parts *parts,
          const struct generate_options *options,
          struct err *err)
{
    arena_init(&parts->arena, 1024 * 1024);
    arena_init(&parts->scrap, 64 * 1024);
    if (lines_generate(&parts->lines, options, err) != ERR_OK ||
        build_dictionary(parts, err) != ERR_OK ||
        decode_new(&parts->decoder, err) != ERR_OK) {
        return err->code;
    }
    parts->count = parts->lines.count;
    if (get_memory(parts, err) != ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < parts->count; i++) {
        if (decode_json(parts->decoder, line_of(parts, i), &parts->arena,
                        &parts->decoded[i], err) != ERR_OK) {
            return err->code;
        }
    }
    return remember_calls(parts, err);
}

static void
let_go(struct parts *parts)
{
    classify_scratch_free(&parts->scratch);
    dictionary_free(&parts->dictionary);
    decode_free(&parts->decoder);
    lines_release(&parts->lines);
    arena_release(&parts->arena);
    arena_release(&parts->scrap);
    free(parts->decoded);
    free(parts->verdicts);
    free(parts->calls);
    free(parts->others);
    free(parts->other_counts);
    free(parts->records);
    free(parts->clean);
    free(parts->room);
}

/* --- measuring ---------------------------------------------------------- */

static void
print_step(const struct parts *parts, const char *name, double ns)
{
    printf("{\"part\":\"%s\",\"ns_a_ticket\":%.0f,\"tickets\":%zu}\n", name, ns,
           parts->count);
    (void)fflush(stdout);
}

static const struct {
    const char *name;
    step_fn *step;
} steps[] = {
    {"decode", step_decode},     {"clean", step_clean},
    {"classify", step_classify}, {"repeat", step_repeat},
    {"deadline", step_deadline}, {"encode", step_encode},
};

static void
measure_steps(struct parts *parts, const char *only)
{
    for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
        double best = 0;

        for (unsigned round = 0; round < parts->rounds; round++) {
            double start = now_ns();
            double took;

            if (only != NULL && strcmp(only, steps[s].name) != 0) {
                break;
            }
            for (size_t i = 0; i < parts->count; i++) {
                steps[s].step(parts, i);
            }
            took = now_ns() - start;
            best = round == 0 || took < best ? took : best;
        }
        if (best > 0) {
            print_step(parts, steps[s].name, best / (double)parts->count);
        }
    }
}

/* The records as they will lie in the log. */
static enum err_code
encode_all(struct parts *parts, struct err *err)
{
    for (size_t i = 0; i < parts->count; i++) {
        struct byte_writer writer =
            byte_writer_on(parts->room, RECORD_ROOM_BYTES);
        struct record record;

        record_of(parts, i, &record);
        record_encode(&record, &writer);
        parts->records[i] =
            arena_copy(&parts->arena,
                       (struct span){parts->room, byte_writer_used(&writer)});
        if (writer.failed || parts->records[i].data == NULL) {
            return err_set(err, ERR_NO_MEMORY, "parts");
        }
    }
    return ERR_OK;
}

/* Appending the records, and the commits with their flushes. */
static int
measure_puts(struct parts *parts, MDB_env *env)
{
    double put_ns = 0;
    double commit_ns = 0;
    MDB_txn *txn = NULL;
    MDB_dbi log;
    size_t i = 0;
    int code = mdb_txn_begin(env, NULL, 0, &txn);

    code = code != 0 ? code : mdb_dbi_open(txn, "log", MDB_CREATE, &log);
    while (code == 0 && i < parts->count) {
        size_t end = i + COMMIT_TICKETS < parts->count ? i + COMMIT_TICKETS
                                                       : parts->count;
        double start = now_ns();

        for (; code == 0 && i < end; i++) {
            uint64_t number = __builtin_bswap64(i + 1);
            MDB_val key = {sizeof(number), &number};
            MDB_val value = {parts->records[i].bytes,
                             (void *)(uintptr_t)parts->records[i].data};

            code = mdb_put(txn, log, &key, &value, MDB_APPEND);
        }
        put_ns += now_ns() - start;
        start = now_ns();
        code = code != 0 ? code : mdb_txn_commit(txn);
        txn = NULL;
        commit_ns += now_ns() - start;
        code = code != 0 ? code : mdb_txn_begin(env, NULL, 0, &txn);
    }
    mdb_txn_abort(txn);
    if (code == 0) {
        print_step(parts, "lmdb_put", put_ns / (double)parts->count);
        print_step(parts, "lmdb_commit", commit_ns / (double)parts->count);
    }
    return code;
}

/* The ledger as it is: everything of a ticket that the writer does. */
static enum err_code
measure_ledger(struct parts *parts, const char *dir, struct err *err)
{
    struct store_options options = {UINT64_C(8) << 30};
    struct store *store = NULL;
    struct ledger *ledger = NULL;
    double put_ns = 0;
    double commit_ns = 0;
    size_t i = 0;

    if (store_open(dir, STORE_WRITE, &options, &store, err) != ERR_OK ||
        ledger_open(store, parts->dictionary, &ledger, err) != ERR_OK) {
        store_close(&store);
        return err->code;
    }
    while (err->code == ERR_OK && i < parts->count) {
        size_t end = i + COMMIT_TICKETS < parts->count ? i + COMMIT_TICKETS
                                                       : parts->count;
        double start = now_ns();
        enum ledger_outcome outcome;

        (void)!ledger_begin(ledger, (int64_t)time(NULL) * US_PER_SECOND, err);
        for (; err->code == ERR_OK && i < end; i++) {
            (void)!ledger_put_ticket(ledger, &parts->decoded[i].ticket,
                                     &parts->verdicts[i], &outcome, err);
        }
        put_ns += now_ns() - start;
        start = now_ns();
        if (err->code == ERR_OK) {
            (void)!ledger_commit(ledger, err);
        }
        commit_ns += now_ns() - start;
    }
    if (err->code == ERR_OK) {
        print_step(parts, "ledger_put", put_ns / (double)parts->count);
        print_step(parts, "ledger_commit", commit_ns / (double)parts->count);
    }
    ledger_close(&ledger);
    store_close(&store);
    return err->code;
}

static enum err_code
measure_lmdb(struct parts *parts, const char *dir, struct err *err)
{
    MDB_env *env = NULL;
    int code = mdb_env_create(&env);

    code = code != 0 ? code : mdb_env_set_mapsize(env, (size_t)8 << 30);
    code = code != 0 ? code : mdb_env_set_maxdbs(env, 2);
    code = code != 0 ? code : mdb_env_open(env, dir, 0, 0600);
    code = code != 0 ? code : measure_puts(parts, env);
    mdb_env_close(env);
    return code == 0 ? ERR_OK
                     : err_set(err, ERR_IO, "LMDB: %s", mdb_strerror(code));
}

/* Run `measure` in a fresh directory that goes afterwards. */
static enum err_code
in_directory(struct parts *parts,
             enum err_code (*measure)(struct parts *,
                                      const char *,
                                      struct err *),
             struct err *err)
{
    char dir[SCRATCH_DIR_BYTES];

    if (scratch_dir_make(parts->dir, "parts", dir, err) == ERR_OK) {
        (void)!measure(parts, dir, err);
        scratch_dir_remove(dir, err);
    }
    return err->code;
}

static enum err_code
run(struct parts *parts,
    const struct stream_flags *stream,
    const char *only,
    struct err *err)
{
    struct generate_options options;

    if (stream_flags_settle(stream, &options, err) != ERR_OK) {
        return err->code;
    }
    /* Tickets alone, each once. */
    options.events = false;
    options.bad_permille = 0;
    options.duplicate_permille = 0;
    options.version_permille = 0;
    if (get_ready(parts, &options, err) != ERR_OK) {
        return err->code;
    }
    measure_steps(parts, only);
    if (only == NULL && encode_all(parts, err) == ERR_OK &&
        in_directory(parts, measure_lmdb, err) == ERR_OK) {
        (void)in_directory(parts, measure_ledger, err);
    }
    return err->code;
}

int
cmd_parts(int argc, char **argv)
{
    struct parts parts = {.dir = ".", .rounds = 5};
    struct stream_flags stream = {0};
    struct err err = {0};
    const char *only = NULL;
    uint64_t rounds = 5;
    int flag;

    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == FLAG_DIR) {
            parts.dir = optarg;
        } else if (flag == FLAG_ONLY) {
            only = optarg;
        } else if (flag == FLAG_DICT) {
            parts.dict = optarg;
        } else if (flag == FLAG_ROUNDS) {
            (void)flag_number("rounds", optarg, 1, 1000, &rounds, &err);
        } else if (!stream_flag_take(&stream, flag, optarg)) {
            return bench_usage(usage, true, flag == FLAG_HELP);
        }
    }
    if (optind != argc) {
        return bench_usage(usage, true, false);
    }
    parts.rounds = (unsigned)rounds;
    if (err.code == ERR_OK) {
        (void)!run(&parts, &stream, only, &err);
    }
    let_go(&parts);
    return err.code == ERR_OK ? BENCH_FINE : bench_fail(&err);
}
