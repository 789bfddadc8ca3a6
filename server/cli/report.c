/* suqiu report: the numbers of a period, from a snapshot of the store. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/cli/cli.h"
#include "server/cli/open_dictionary.h"
#include "server/report/report.h"

static const char *flag_from;
static const char *flag_to;
static const char *flag_unit;
static const char *flag_format;
static const char *flag_as_of;

static const struct config_flag report_flags[] = {
    {"from", "DATE", &flag_from, NULL, "the first day, as 2018-01-01"},
    {"to", "DATE", &flag_to, NULL, "the last day, as 2018-03-31"},
    {"unit", "U", &flag_unit, NULL,
     "a supply unit's path or code, with all below it; without it all units"},
    {"format", "FORM", &flag_format, NULL,
     "text (for people), csv, json, html (for printing) or xlsx (with charts); "
     "text"},
    {"as-of", "TIME", &flag_as_of, NULL,
     "judge clocks, replies and closing as of then; the end of the period, or "
     "now when that is earlier"},
};

const struct cli_help cmd_report_help = {
    .usage =
        "suqiu report --data DIR --from DATE --to DATE [--unit U]\n"
        "                    [--format text|csv|json|html|xlsx] [--as-of TIME]",
    .text =
        "The numbers of the tickets accepted in a period: complaints by "
        "category, region and\nsecond level, repeat callers, overdue steps, "
        "replies, satisfaction, how far the\nsupervisors agreed with the "
        "judgement, and the indicators. A server may use the\nstore "
        "meanwhile. A workbook goes to a file: … --format xlsx > report.xlsx\n",
    .flags = report_flags,
    .flag_count = sizeof(report_flags) / sizeof(report_flags[0]),
    .groups = CONFIG_DICT | CONFIG_STORE,
};

static enum err_code
read_flags(const struct config *config,
           int argc,
           struct report_query *query,
           const struct report_form **form,
           struct err *err)
{
    const char *name = flag_format != NULL ? flag_format : "text";

    if (argc > 0) {
        return err_set(err, ERR_USAGE,
                       "report takes no arguments besides its flags");
    }
    if (config->data[0] == '\0') {
        return err_set(err, ERR_USAGE, "say which store: --data DIR");
    }
    *form = report_form_find(span_of(name));
    if (*form == NULL) {
        return err_set(err, ERR_USAGE,
                       "--format \"%.40s\": give " REPORT_FORM_NAMES, name);
    }
    if ((*form)->is_binary && isatty(STDOUT_FILENO)) {
        return err_set(err, ERR_USAGE,
                       "a workbook is not for a terminal: put > report.xlsx "
                       "behind the command");
    }
    if (report_range(span_of(flag_from), span_of(flag_to), span_of(flag_as_of),
                     "--", clock_now_us(), query, err) != ERR_OK) {
        err->code = ERR_USAGE;
    }
    return err->code;
}

int
cmd_report(int argc, char **argv)
{
    const struct report_form *form = NULL;
    struct report_query query = {0};
    struct store_options store_options;
    struct dictionary *dictionary = NULL;
    struct store *store = NULL;
    struct config config;
    struct err err = {0};
    struct buf out;
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_report_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    store_options.map_bytes = config.map_size_gib << 30;
    buf_init(&out, REPORT_BYTES_MAX);
    if (read_flags(&config, argc, &query, &form, &err) == ERR_OK &&
        store_open(config.data, STORE_READ, &store_options, &store, &err) ==
            ERR_OK &&
        open_dictionary(&config, &dictionary, &err) == ERR_OK) {
        (void)!report_write(form, store, dictionary, span_of(flag_unit), &query,
                            &out, &err);
    }
    exit_code = err.code != ERR_OK ? cli_fail(&err) : cli_put_out(&out);
    buf_release(&out);
    dictionary_free(&dictionary);
    store_close(&store);
    return exit_code;
}
