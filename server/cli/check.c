/* suqiu check: are the tables sound, and how well do they judge? */
#include "server/cli/check_internal.h"

#include <stdio.h>
#include <string.h>

#include "analyzers/table.h"
#include "server/cli/cli.h"
#include "server/rulebook/rule_check.h"
#include "server/rulebook/rulebook.h"

enum { OUT_BYTES_MAX = 256 * 1024 * 1024 };

static bool check_corpus_given;
static bool check_time_given;
static struct check_corpus_options check_options;

static const struct config_flag check_flags[] = {
    {"corpus", NULL, NULL, &check_corpus_given,
     "judge the labelled tickets of the FILEs and print the figures"},
    {"errors", NULL, NULL, &check_options.errors,
     "with --corpus: each wrong row with its evidence"},
    {"type-known", NULL, NULL, &check_options.type_known,
     "with --errors: the errors of judging with the type given"},
    {"rules", NULL, NULL, &check_options.rules,
     "with --corpus: how often each rule spoke, and how often rightly"},
    {"truth", "FILE", &check_options.truth, NULL,
     "with --corpus: the FILEs are NDJSON tickets, their labels stand here"},
    {"time", NULL, NULL, &check_time_given,
     "with --corpus: how long each part of the judgement takes"},
};

const struct cli_help cmd_check_help = {
    .usage = "suqiu check [--dict DIR] [--corpus [--errors [--type-known]] "
             "[--rules] [--truth FILE] [--time] FILE…]",
    .text = "Checks the form of every table, every rule's own sentences, "
            "patterns that stand\ntwice, and every rule's time on hostile "
            "text. Exit code 1: something was found.\n"
            "With --corpus only the figures are printed: FILE is tab-separated "
            "with the columns\ntype, category, subcategory, topic, secondary, "
            "region, address, text.\n",
    .flags = check_flags,
    .flag_count = sizeof(check_flags) / sizeof(check_flags[0]),
    .groups = CONFIG_DICT,
};

static void
put_finding(void *data, struct span text)
{
    buf_printf(data, "%.*s\n", SPAN_ARGS(text));
}

static int
check_tables(const struct dictionary *dictionary, struct buf *out)
{
    struct rule_check check = {
        .finding = put_finding, .data = out, .rule_us_max = RULE_CHECK_US_MAX};
    struct err err = {0};
    int exit_code;

    if (rule_check_sentences(dictionary, &check, &err) != ERR_OK ||
        rule_check_cost(dictionary, &check, &err) != ERR_OK) {
        return cli_fail(&err);
    }
    if (check.findings > 0) {
        buf_printf(out, "%zu of %zu rules: something to mend\n", check.findings,
                   check.rules);
    } else {
        buf_printf(out,
                   "fine: dictionary %s, %zu rules, slowest %.2f ms (%.*s)\n",
                   dictionary->version, check.rules, check.slowest_us / 1e3,
                   SPAN_ARGS(check.slowest_rule));
    }
    exit_code = cli_put_out(out);
    return exit_code == CLI_FINE && check.findings > 0 ? CLI_NO : exit_code;
}

struct table_errors {
    struct buf *text;
    size_t count;
};

/* Every error of the tables, one after the other. */
static bool
put_table_error(void *data, const struct err *err)
{
    struct table_errors *errors = data;

    if (errors->count++ == TABLE_FAULTS_MAX) {
        buf_printf(errors->text,
                   "more than %d errors; mend these and check again\n",
                   TABLE_FAULTS_MAX);
    } else {
        buf_printf(errors->text, "%s\n", err->detail);
    }
    return true;
}

/* Tables that cannot be built are a finding, not a failure of the program. */
static int
check_build(const struct config *config, struct edition **out, struct buf *text)
{
    const struct edition_options options = edition_options_from(config);
    struct table_errors errors = {.text = text};
    struct table_faults faults = {.report = put_table_error, .data = &errors};
    struct err err = {0};

    if (edition_build(&options, &faults, out, &err) == ERR_OK) {
        return CLI_FINE;
    }
    if (err_code_kind(err.code) != ERR_KIND_BAD_INPUT) {
        return cli_fail(&err);
    }
    (void)cli_put_out(text);
    return CLI_NO;
}

static int
run_check(const struct config *config, int argc, char **argv)
{
    const struct dictionary *dictionary;
    struct edition *edition = NULL;
    struct err err = {0};
    struct buf out;
    int exit_code;

    buf_init(&out, OUT_BYTES_MAX);
    exit_code = check_build(config, &edition, &out);
    if (exit_code != CLI_FINE) {
        buf_release(&out);
        return exit_code;
    }
    dictionary = edition->dictionary;
    if (!check_corpus_given) {
        exit_code = check_tables(dictionary, &out);
    } else if ((check_time_given ? check_time : check_corpus)(
                   dictionary, argv, (size_t)argc, &check_options, &out,
                   &err) != ERR_OK) {
        exit_code = cli_fail(&err);
    } else {
        exit_code = cli_put_out(&out);
    }
    buf_release(&out);
    edition_release(&edition);
    return exit_code;
}

int
cmd_check(int argc, char **argv)
{
    struct config config;
    struct err err = {0};
    int exit_code;

    if (!cli_begin(&cmd_check_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    if (check_corpus_given ? argc == 0 : argc > 0) {
        (void)err_set(&err, ERR_USAGE,
                      check_corpus_given ? "--corpus needs at least one file"
                                         : "files are only read with --corpus");
        return cli_fail(&err);
    }
    return cli_end_out(run_check(&config, argc, argv));
}
