/* suqiu reclassify: every stored ticket judged again, without a server. */
#include "server/rulebook/reclassify.h"
#include "analyzers/dictionary.h"
#include "server/base/progress.h"
#include "server/cli/cli.h"
#include "server/cli/offline.h"

enum { LOOK_US = 200000, OUT_BYTES_MAX = 4096 };

const struct cli_help cmd_reclassify_help = {
    .usage = "suqiu reclassify --data DIR [--dict DIR]",
    .text =
        "Judges every ticket of the store again by these tables: category, "
        "region, unit,\nclocks, repeat calls; counters move with them. "
        "Corrections of supervisors stay.\nWhat is judged by these tables "
        "already is left alone. It can be interrupted\n(Ctrl-C, kill): the "
        "next call goes on where it stood. A running server does the\nsame by "
        "itself: POST /v1/admin/reclassify.\n",
    .groups = CONFIG_DICT | CONFIG_STORE,
};

struct run {
    struct config config;
    struct offline offline;
    struct reclassify *reclassify;
};

static enum err_code
open_run(struct run *run, struct err *err)
{
    struct offline *offline = &run->offline;

    return offline_open(&run->config, "reclassify", offline, err) == ERR_OK
               ? reclassify_new(offline->store, offline->writer,
                                offline->rulebook, false, &run->reclassify, err)
               : err->code;
}

static void
close_run(struct run *run)
{
    reclassify_free(&run->reclassify);
    offline_close(&run->offline);
}

/* Start it, show how far it is, wait for its end. */
static enum err_code
reclassify_all(struct run *run,
               struct reclassify_progress *progress,
               struct err *err)
{
    struct progress line;

    offline_catch_interrupts();
    if (reclassify_start(run->reclassify, err) != ERR_OK) {
        return err->code;
    }
    progress_start(&line, "reclassify", 0);
    while (!reclassify_wait(run->reclassify, LOOK_US)) {
        reclassify_progress(run->reclassify, progress);
        line.total = progress->mark.total;
        progress_update(&line, progress->mark.done);
        if (offline_interrupted()) {
            reclassify_stop(run->reclassify);
        }
    }
    progress_stop(&line);
    reclassify_progress(run->reclassify, progress);
    if (progress->state == LONG_RUN_FAILED) {
        *err = progress->err;
    }
    return err->code;
}

static int
put_summary(const struct reclassify_progress *progress)
{
    struct buf out;
    int exit_code;

    buf_init(&out, OUT_BYTES_MAX);
    buf_printf(&out,
               "tables %s: %llu of %llu tickets looked at, %llu judged "
               "otherwise than before\n",
               progress->mark.dictionary,
               (unsigned long long)progress->mark.done,
               (unsigned long long)progress->mark.total,
               (unsigned long long)progress->mark.moved);
    exit_code = cli_put_out(&out);
    buf_release(&out);
    return exit_code;
}

int
cmd_reclassify(int argc, char **argv)
{
    struct run run = {.reclassify = NULL};
    struct reclassify_progress progress = {.state = LONG_RUN_IDLE};
    struct err err = {0};
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_reclassify_help, &argc, argv, &run.config,
                   &exit_code)) {
        return exit_code;
    }
    if (argc > 0) {
        (void)err_set(&err, ERR_USAGE,
                      "reclassify takes no arguments besides its flags");
        return cli_fail(&err);
    }
    if (open_run(&run, &err) != ERR_OK ||
        reclassify_all(&run, &progress, &err) != ERR_OK) {
        exit_code = cli_fail(&err);
    } else {
        exit_code = put_summary(&progress);
        if (progress.state == LONG_RUN_STOPPED) {
            (void)err_set(&err, ERR_BUSY,
                          "stopped; the same command goes on from here");
            exit_code = cli_fail(&err);
        }
    }
    close_run(&run);
    return exit_code;
}
