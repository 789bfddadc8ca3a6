/* suqiu fsck: is everything in the store what its log says? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/base/progress.h"
#include "server/cli/cli.h"
#include "server/cli/open_dictionary.h"
#include "server/ledger/fsck.h"

enum { FSCK_LINES_MAX = 1000000 };

static const char *flag_lines;

static const struct config_flag fsck_flags[] = {
    {"lines", "N", &flag_lines, NULL,
     "tell this many differences one by one (100), the rest as a number"},
};

const struct cli_help cmd_fsck_help = {
    .usage = "suqiu fsck --data DIR [--dict DIR] [--lines N]",
    .text = "Reads the whole store and works everything out again from the "
            "log: chains,\nstates, clocks, repeat calls, every index and every "
            "counter. Prints one line a\ndifference, then a summary. A server "
            "may use the store meanwhile.\n\n"
            "Give the same tables (--dict, --deadline-profile) as the server "
            "has: clocks of\ntickets that other tables judged are counted, not "
            "checked.\n\n"
            "Exit code 0: no difference; 1: differences; 3: it could not be "
            "read.\n",
    .flags = fsck_flags,
    .flag_count = sizeof(fsck_flags) / sizeof(fsck_flags[0]),
    .groups = CONFIG_DICT | CONFIG_STORE,
};

static void
print_line(void *data, const char *text)
{
    struct progress *progress = data;

    progress_stop(progress);
    (void)printf("%s\n", text);
}

static void
show_progress(void *data, uint64_t done, uint64_t total)
{
    struct progress *progress = data;

    progress->total = total;
    progress_update(progress, done);
}

static void
print_summary(const struct fsck_result *r, const struct fsck_options *options)
{
    if (r->differences > options->lines_max) {
        (void)printf("... and %" PRIu64 " more differences\n",
                     r->differences - options->lines_max);
    }
    (void)printf("%" PRIu64 " tickets, %" PRIu64 " new versions, %" PRIu64
                 " events (%" PRIu64 " waiting), %" PRIu64
                 " refused lines, %" PRIu64 " fed values, %" PRIu64 " names\n",
                 r->tickets, r->versions, r->events, r->waiting, r->rejects,
                 r->facts, r->names);
    (void)printf("%" PRIu64 " log records, %" PRIu64 " clocks, %" PRIu64
                 " index entries, %" PRIu64 " counter cells with %" PRIu64
                 " numbers\n",
                 r->records, r->clocks, r->index_entries, r->counter_cells,
                 r->counter_slots);
    if (r->expired > 0) {
        (void)printf("%" PRIu64 " tickets have expired and count in %" PRIu64
                     " cells; %" PRIu64 " may rest on them: their repeat calls "
                     "stand as they were found\n",
                     r->expired, r->kept_cells, r->repeats_standing);
    }
    if (r->judged_by_others > 0) {
        (void)printf("%" PRIu64 " tickets were judged by other tables: their "
                     "clocks and repeat calls were not worked out again\n",
                     r->judged_by_others);
    }
    if (r->repeats_unchecked > 0) {
        (void)printf("%" PRIu64 " tickets share a customer number, phone or "
                     "address with too many others: their repeat calls were "
                     "not worked out again\n",
                     r->repeats_unchecked);
    }
    (void)printf("%" PRIu64 " differences\n", r->differences);
}

static enum err_code
read_flags(const struct config *config,
           int argc,
           struct fsck_options *options,
           struct err *err)
{
    char *end = NULL;

    if (argc > 0) {
        return err_set(err, ERR_USAGE,
                       "fsck takes no arguments besides its flags");
    }
    if (config->data[0] == '\0') {
        return err_set(err, ERR_USAGE, "say which store: --data DIR");
    }
    if (flag_lines != NULL) {
        options->lines_max = strtoull(flag_lines, &end, 10);
        if (flag_lines[0] < '0' || flag_lines[0] > '9' || *end != '\0' ||
            options->lines_max > FSCK_LINES_MAX) {
            return err_set(err, ERR_USAGE,
                           "--lines \"%.40s\": give a number from 0 to %d",
                           flag_lines, FSCK_LINES_MAX);
        }
    }
    return ERR_OK;
}

int
cmd_fsck(int argc, char **argv)
{
    struct progress progress = {0};
    struct fsck_options options = {.lines_max = FSCK_LINES_MAX_DEFAULT,
                                   .line = print_line,
                                   .progress = show_progress,
                                   .data = &progress};
    struct store_options store_options;
    struct dictionary *dictionary = NULL;
    struct store *store = NULL;
    struct fsck_result result;
    struct config config;
    struct err err = {0};
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_fsck_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    store_options.map_bytes = config.map_size_gib << 30;
    if (read_flags(&config, argc, &options, &err) == ERR_OK &&
        store_open(config.data, STORE_READ, &store_options, &store, &err) ==
            ERR_OK &&
        open_dictionary(&config, &dictionary, &err) == ERR_OK) {
        progress_start(&progress, "fsck", 0);
        (void)!fsck_run(store, dictionary, &options, &result, &err);
        progress_stop(&progress);
    }
    if (err.code != ERR_OK) {
        exit_code = cli_fail(&err);
    } else {
        print_summary(&result, &options);
        exit_code = cli_end_out(result.differences > 0 ? CLI_NO : CLI_FINE);
    }
    dictionary_free(&dictionary);
    store_close(&store);
    return exit_code;
}
