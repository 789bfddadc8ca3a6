/*
 * suqiu-bench ledger: what the writer does, alone on one core: a stream with
 * its events, decoded and judged before, put and committed group by group.
 *
 * step_put and step_commit are functions that are not inlined, so that
 * callgrind can count them: --toggle-collect=step_put. The clock of the ledger
 * stands a week after the stream's first day, so the same flags do the same
 * work on every day.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "analyzers/calendar.h"
#include "analyzers/classify.h"
#include "analyzers/dictionary.h"
#include "bench/commands.h"
#include "bench/lines.h"
#include "bench/scratch_dir.h"
#include "server/base/dict_files.h"
#include "server/decode/ticket_decode.h"
#include "server/ledger/ledger.h"

enum { FLAG_DIR = FLAG_OWN, FLAG_GROUP };

enum { LEDGER_GROUP_MAX = 1 << 20, LEDGER_DAYS_AFTER = 7 };

static const struct option flags[] = {
    {"dir", required_argument, NULL, FLAG_DIR},
    {"group", required_argument, NULL, FLAG_GROUP},
    STREAM_FLAGS,
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "ledger --count N\n"
    "  --dir DIR              where a fresh store is made and removed (.)\n"
    "  --group N              lines a commit (3200)\n";

/* A line as the workers hand it to the writer. */
struct judged {
    struct decoded decoded;
    struct verdict *verdict; /* of a ticket */
    bool refused;
    struct err why;
};

struct run {
    struct dictionary *dictionary;
    struct classify_scratch *scratch;
    struct decoder *decoder;
    struct lines lines;
    struct arena arena;
    struct judged *judged; /* [lines.count] */
    struct store *store;
    struct ledger *ledger;
    int64_t now_us;
    size_t group;
};

/* Processor time, of the program and of the system for it: it is less disturbed
 * by neighbours than the time of day. */
struct cost {
    double user_us;
    double system_us;
};

static struct cost
cost_now(void)
{
    struct rusage used;

    (void)getrusage(RUSAGE_SELF, &used);
    return (struct cost){
        (double)used.ru_utime.tv_sec * 1e6 + (double)used.ru_utime.tv_usec,
        (double)used.ru_stime.tv_sec * 1e6 + (double)used.ru_stime.tv_usec};
}

static void
add_cost(struct cost *sum, struct cost since)
{
    struct cost now = cost_now();

    sum->user_us += now.user_us - since.user_us;
    sum->system_us += now.system_us - since.system_us;
}

static struct span
line_of(const struct run *run, size_t i)
{
    uint64_t from = lines_begin(&run->lines, i);

    return (struct span){run->lines.data + from,
                         (size_t)(run->lines.ends[i] - from)};
}

/* --- getting ready ------------------------------------------------------ */

static enum err_code
judge_one(struct run *run, size_t i, struct err *err)
{
    struct judged *judged = &run->judged[i];

    if (decode_json(run->decoder, line_of(run, i), &run->arena,
                    &judged->decoded, &judged->why) != ERR_OK) {
        judged->refused = true;
        return ERR_OK;
    }
    if (judged->decoded.kind == DECODED_TICKET) {
        judged->verdict = arena_alloc(&run->arena, sizeof(*judged->verdict));
        if (judged->verdict == NULL) {
            return err_set(err, ERR_NO_MEMORY, "ledger");
        }
        classify_ticket(run->dictionary, run->scratch, &judged->decoded.ticket,
                        judged->verdict);
    }
    return ERR_OK;
}

static enum err_code
get_ready(struct run *run,
          const struct generate_options *options,
          struct err *err)
{
    struct dictionary_options of_tables = {.deadline_profile = NULL};
    struct dict_files files;

    if (dict_files_load(NULL, &files, err) != ERR_OK) {
        return err->code;
    }
    if (dictionary_build(files.files, files.count, &of_tables, &run->dictionary,
                         err) == ERR_OK) {
        (void)!classify_scratch_new(run->dictionary, &run->scratch, err);
    }
    dict_files_release(&files);
    if (err->code != ERR_OK ||
        lines_generate(&run->lines, options, err) != ERR_OK ||
        decode_new(&run->decoder, err) != ERR_OK) {
        return err->code;
    }
    arena_init(&run->arena, 1024 * 1024);
    run->judged = calloc(run->lines.count + 1, sizeof(*run->judged));
    if (run->judged == NULL) {
        return err_set(err, ERR_NO_MEMORY, "ledger");
    }
    for (size_t i = 0; i < run->lines.count; i++) {
        if (judge_one(run, i, err) != ERR_OK) {
            break;
        }
    }
    return err->code;
}

static void
let_go(struct run *run)
{
    classify_scratch_free(&run->scratch);
    dictionary_free(&run->dictionary);
    decode_free(&run->decoder);
    lines_release(&run->lines);
    arena_release(&run->arena);
    free(run->judged);
}

/* --- the writer's work -------------------------------------------------- */

__attribute__((noinline)) static enum err_code
step_put(struct run *run, size_t i, struct err *err)
{
    struct judged *judged = &run->judged[i];
    enum ledger_outcome outcome;

    if (judged->refused) {
        struct ledger_reject reject = {.at_us = run->now_us,
                                       .line = i + 1,
                                       .code = judged->why.code,
                                       .source = SPAN_LITERAL("bench"),
                                       .field = span_of(judged->why.field),
                                       .detail = span_of(judged->why.detail),
                                       .bytes = line_of(run, i),
                                       .line_bytes = line_of(run, i).bytes};

        return ledger_put_reject(run->ledger, &reject, err);
    }
    if (judged->decoded.kind == DECODED_EVENT) {
        return ledger_put_event(run->ledger, &judged->decoded.event, &outcome,
                                err);
    }
    return ledger_put_ticket(run->ledger, &judged->decoded.ticket,
                             judged->verdict, &outcome, err);
}

__attribute__((noinline)) static enum err_code
step_commit(struct run *run, struct err *err)
{
    return ledger_commit(run->ledger, err);
}

/* A rate of wrong work is worth nothing. */
static enum err_code
compare_totals(const struct run *run, struct err *err)
{
    struct ledger_totals totals = ledger_totals(run->ledger);
    const struct generate_truth *truth = &run->lines.truth;

    if (totals.tickets != truth->tickets || totals.events != truth->events ||
        totals.duplicates != truth->duplicates ||
        totals.versions != truth->versions || totals.rejects != truth->bad ||
        totals.waiting != 0) {
        return err_set(err, ERR_INTERNAL,
                       "the store has not counted what was generated");
    }
    return ERR_OK;
}

static void
print_databases(const struct run *run, struct err *err)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(run->store->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0) {
        (void)store_err(err, rc, "begin");
        return;
    }
    for (int i = 0; i < STORE_DB_COUNT; i++) {
        MDB_stat stat;

        if (mdb_stat(txn, run->store->db[i], &stat) == 0 &&
            stat.ms_entries > 0) {
            printf("{\"database\":\"%s\",\"entries\":%zu,\"bytes_a_byte\":"
                   "%.4f}\n",
                   store_db_name((enum store_db)i), stat.ms_entries,
                   (double)(stat.ms_branch_pages + stat.ms_leaf_pages +
                            stat.ms_overflow_pages) *
                       (double)stat.ms_psize / (double)run->lines.bytes);
        }
    }
    mdb_txn_abort(txn);
}

static void
print_result(const struct run *run,
             const struct cost *put,
             const struct cost *commit)
{
    double lines = (double)run->lines.count;
    uint64_t used_bytes;
    uint64_t map_bytes;

    store_usage(run->store, &used_bytes, &map_bytes);
    printf("{\"lines\":%zu,\"tickets\":%llu,\"put_us_a_line\":%.2f,"
           "\"commit_us_a_line\":%.2f,\"commit_system_us_a_line\":%.2f,"
           "\"used_bytes_a_byte\":%.3f}\n",
           run->lines.count, (unsigned long long)run->lines.truth.tickets,
           (put->user_us + put->system_us) / lines, commit->user_us / lines,
           commit->system_us / lines,
           (double)used_bytes / (double)run->lines.bytes);
}

static enum err_code
put_all(struct run *run, struct err *err)
{
    struct cost put = {0, 0};
    struct cost commit = {0, 0};
    size_t i = 0;

    while (err->code == ERR_OK && i < run->lines.count) {
        size_t end = i + run->group < run->lines.count ? i + run->group
                                                       : run->lines.count;
        struct cost since = cost_now();

        (void)!ledger_begin(run->ledger, run->now_us, err);
        for (; err->code == ERR_OK && i < end; i++) {
            (void)!step_put(run, i, err);
        }
        add_cost(&put, since);
        since = cost_now();
        if (err->code == ERR_OK) {
            (void)!step_commit(run, err);
        }
        add_cost(&commit, since);
    }
    if (err->code == ERR_OK && compare_totals(run, err) == ERR_OK) {
        print_result(run, &put, &commit);
        print_databases(run, err);
    }
    return err->code;
}

static enum err_code
measure(struct run *run, const char *parent, struct err *err)
{
    struct store_options options = {UINT64_C(8) << 30};
    char dir[SCRATCH_DIR_BYTES];

    if (scratch_dir_make(parent, "ledger", dir, err) != ERR_OK) {
        return err->code;
    }
    if (store_open(dir, STORE_WRITE, &options, &run->store, err) == ERR_OK &&
        ledger_open(run->store, run->dictionary, &run->ledger, err) == ERR_OK) {
        (void)!put_all(run, err);
    }
    ledger_close(&run->ledger);
    store_close(&run->store);
    scratch_dir_remove(dir, err);
    return err->code;
}

int
cmd_ledger(int argc, char **argv)
{
    struct generate_options options;
    struct stream_flags stream = {0};
    struct run run = {0};
    struct err err = {0};
    const char *parent = ".";
    uint64_t group = 3200;
    int flag;

    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == FLAG_DIR) {
            parent = optarg;
        } else if (flag == FLAG_GROUP) {
            (void)flag_number("group", optarg, 1, LEDGER_GROUP_MAX, &group,
                              &err);
        } else if (!stream_flag_take(&stream, flag, optarg)) {
            return bench_usage(usage, true, flag == FLAG_HELP);
        }
    }
    if (optind != argc) {
        return bench_usage(usage, true, false);
    }
    run.group = (size_t)group;
    if (err.code == ERR_OK &&
        stream_flags_settle(&stream, &options, &err) == ERR_OK) {
        run.now_us = shanghai_day_start_us(options.start_day) +
                     LEDGER_DAYS_AFTER * US_PER_DAY;
        if (get_ready(&run, &options, &err) == ERR_OK) {
            (void)!measure(&run, parent, &err);
        }
    }
    let_go(&run);
    return err.code == ERR_OK ? BENCH_FINE : bench_fail(&err);
}
