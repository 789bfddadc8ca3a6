/* suqiu audit: is the audit list whole? */
#include <stdio.h>

#include "server/access/audit.h"
#include "server/cli/cli.h"

const struct cli_help cmd_audit_help = {
    .usage = "suqiu audit --data DIR",
    .text =
        "Computes the chain of hashes of the audit list again: exit 0 when it "
        "is whole, 1\nwhen an entry was changed, taken out, put in or moved, "
        "or the end was cut off. Prints\nthe number and hash of the newest "
        "entry: kept elsewhere, they prove that nobody\nwrote the whole list "
        "anew. A server may run meanwhile. GET /v1/audit lists the\n"
        "entries.\n",
    .groups = CONFIG_STORE,
};

static enum err_code
verify(const char *dir, struct audit_report *report, struct err *err)
{
    struct secret secret;

    if (dir[0] == '\0') {
        return err_set(err, ERR_USAGE,
                       "say which data directory: suqiu audit --data DIR");
    }
    if (secret_open(dir, false, &secret, err) == ERR_OK) {
        (void)!audit_verify(dir, &secret, report, err);
    }
    secret_forget(&secret, sizeof(secret));
    return err->code;
}

int
cmd_audit(int argc, char **argv)
{
    struct config config;
    struct audit_report report;
    struct err err = {0};
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_audit_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    if (argc > 0) {
        (void)err_set(&err, ERR_USAGE, "%s", cmd_audit_help.usage);
        return cli_fail(&err);
    }
    if (verify(config.data, &report, &err) != ERR_OK) {
        return cli_fail(&err);
    }
    printf("%llu entries, %llu to %llu\nnewest %llu %s\n",
           (unsigned long long)report.entries, (unsigned long long)report.first,
           (unsigned long long)report.newest, (unsigned long long)report.newest,
           report.newest_hash);
    if (report.problem[0] != '\0') {
        printf("the chain is broken: %s\n", report.problem);
        return cli_end_out(CLI_NO);
    }
    printf("the chain is whole\n");
    return cli_end_out(CLI_FINE);
}
