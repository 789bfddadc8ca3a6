/* suqiu expire: old tickets out of the store, without a server. */
#include <stdio.h>
#include <string.h>

#include "analyzers/ticket.h"
#include "server/access/audit.h"
#include "server/base/clock.h"
#include "server/base/progress.h"
#include "server/cli/cli.h"
#include "server/cli/offline.h"
#include "server/serve/query.h"
#include "server/upkeep/expire.h"

enum { LOOK_US = 200000, OUT_BYTES_MAX = 4096 };

static const char *flag_before;
static bool flag_open;

static const struct config_flag expire_flags[] = {
    {"before", "DATE", &flag_before, NULL,
     "what was accepted before this day, as 2020-01-01"},
    {"open", NULL, NULL, &flag_open,
     "also tickets that were never closed and have no running clock"},
};

const struct cli_help cmd_expire_help = {
    .usage = "suqiu expire --data DIR --before DATE [--open]",
    .text =
        "Takes closed tickets that were accepted before DATE out of the "
        "store, with all\ntheir versions and events, and the lines that were "
        "refused before it.\nCounters, indicators and reports keep their "
        "numbers. Tickets with a running\nclock stay, and those that a "
        "younger one names. The file does not shrink, but\nwhat comes takes "
        "the room; suqiu backup writes a smaller copy. It cannot be\nundone: "
        "make a backup first.\n\n"
        "It can be interrupted (Ctrl-C, kill): the next call goes on. A "
        "running server\ndoes the same by itself: POST /v1/admin/expire, or "
        "keep_days in the settings.\n",
    .flags = expire_flags,
    .flag_count = sizeof(expire_flags) / sizeof(expire_flags[0]),
    .groups = CONFIG_DICT | CONFIG_STORE,
};

struct run {
    struct config config;
    int64_t before_us;
    struct offline offline;
    struct expire *expire;
};

/* Who has the directory may do it; that it was done is on the audit list. */
static enum err_code
enter(const struct run *run, struct err *err)
{
    char object[128];
    struct audit_entry entry = {.action = "expire", .ok = true};
    struct secret secret;
    struct audit *audit = NULL;

    (void)snprintf(object, sizeof(object), "suqiu expire --before %.40s%s",
                   flag_before, flag_open ? " --open" : "");
    entry.object = span_of(object);
    if (secret_open(run->config.data, true, &secret, err) == ERR_OK &&
        audit_open(run->config.data, &secret, &audit, err) == ERR_OK) {
        (void)!audit_put(audit, &entry, clock_now_us(), err);
    }
    audit_close(&audit);
    secret_forget(&secret, sizeof(secret));
    return err->code;
}

static enum err_code
open_run(struct run *run, struct err *err)
{
    struct offline *offline = &run->offline;

    if (flag_before == NULL) {
        return err_set(err, ERR_USAGE, "say which tickets: --before DATE");
    }
    if (query_time_parse(span_of(flag_before), false, "--before",
                         &run->before_us, err) != ERR_OK ||
        offline_open(&run->config, "expire", offline, err) != ERR_OK) {
        return err->code;
    }
    return expire_new(offline->store, offline->writer, offline->rulebook, false,
                      &run->expire, err);
}

static void
close_run(struct run *run)
{
    expire_free(&run->expire);
    offline_close(&run->offline);
}

/* Start it, show how far it is, wait for its end. */
static enum err_code
expire_all(struct run *run, struct expire_progress *progress, struct err *err)
{
    struct progress line;

    offline_catch_interrupts();
    if (expire_start(run->expire, run->before_us, flag_open, err) != ERR_OK) {
        return err->code;
    }
    progress_start(&line, "expire", 0);
    while (!expire_wait(run->expire, LOOK_US)) {
        expire_progress(run->expire, progress);
        progress_update(&line, progress->mark.tickets);
        if (offline_interrupted()) {
            expire_stop(run->expire);
        }
    }
    progress_stop(&line);
    expire_progress(run->expire, progress);
    if (progress->state == LONG_RUN_FAILED) {
        *err = progress->err;
    }
    return err->code;
}

static int
put_summary(const struct ledger_expire *mark)
{
    struct buf out;
    int exit_code;

    buf_init(&out, OUT_BYTES_MAX);
    buf_printf(&out,
               "%llu tickets expired, with %llu waiting events and %llu "
               "refused lines; of those before the date %llu stay that are "
               "not closed or have a running clock, and %llu that a younger "
               "ticket names\n",
               (unsigned long long)mark->tickets,
               (unsigned long long)mark->events,
               (unsigned long long)mark->rejects,
               (unsigned long long)mark->open, (unsigned long long)mark->named);
    exit_code = cli_put_out(&out);
    buf_release(&out);
    return exit_code;
}

int
cmd_expire(int argc, char **argv)
{
    struct run run = {.expire = NULL};
    struct expire_progress progress = {.state = LONG_RUN_IDLE};
    struct err err = {0};
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_expire_help, &argc, argv, &run.config, &exit_code)) {
        return exit_code;
    }
    if (argc > 0) {
        (void)err_set(&err, ERR_USAGE,
                      "expire takes no arguments besides its flags");
        return cli_fail(&err);
    }
    if (open_run(&run, &err) != ERR_OK || enter(&run, &err) != ERR_OK ||
        expire_all(&run, &progress, &err) != ERR_OK) {
        exit_code = cli_fail(&err);
    } else {
        exit_code = put_summary(&progress.mark);
        if (progress.state == LONG_RUN_STOPPED) {
            (void)err_set(&err, ERR_BUSY,
                          "stopped; the same command goes on from here");
            exit_code = cli_fail(&err);
        }
    }
    close_run(&run);
    return exit_code;
}
