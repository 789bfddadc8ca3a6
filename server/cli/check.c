/* suqiu check: are the tables sound, and how well do they judge? */
#include "server/cli/check_internal.h"

#include <stdio.h>
#include <string.h>

#include "server/cli/cli.h"
#include "server/cli/open_dictionary.h"

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

/* A table that cannot be built is a finding, not a failure of the program. */
static int
say_build_error(const struct err *err)
{
    if (err_code_kind(err->code) != ERR_KIND_BAD_INPUT) {
        return cli_fail(err);
    }
    (void)printf("%s\n", err->detail);
    return CLI_NO;
}

static int
check_tables(const struct dictionary *dictionary, struct buf *out)
{
    struct check_result result = {.out = out};
    struct err err = {0};
    int exit_code;

    if (check_rule_sentences(dictionary, &result, &err) != ERR_OK ||
        check_rule_cost(dictionary, &result, &err) != ERR_OK) {
        return cli_fail(&err);
    }
    if (result.findings > 0) {
        buf_printf(out, "%zu of %zu rules: something to mend\n",
                   result.findings, result.rules);
    } else {
        buf_printf(out,
                   "fine: dictionary %s, %zu rules, slowest %.2f ms (%.*s)\n",
                   dictionary->version, result.rules, result.slowest_us / 1e3,
                   SPAN_ARGS(result.slowest_rule));
    }
    exit_code = cli_put_out(out);
    return exit_code == CLI_FINE && result.findings > 0 ? CLI_NO : exit_code;
}

static int
run_check(const struct config *config, int argc, char **argv)
{
    struct dictionary *dictionary = NULL;
    struct err err = {0};
    struct buf out;
    int exit_code;

    if (open_dictionary(config, &dictionary, &err) != ERR_OK) {
        return say_build_error(&err);
    }
    buf_init(&out, OUT_BYTES_MAX);
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
    dictionary_free(&dictionary);
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
