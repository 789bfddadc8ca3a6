/* suqiu-bench: makes load and measures. One file a command. */
#include <stdio.h>
#include <string.h>

#include "bench/commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *line;
} commands[] = {
    {"generate", cmd_generate, "write an invented stream of records"},
    {"feed", cmd_feed, "send a stream to a feed port and measure"},
    {"open", cmd_open, "send a stream at a fixed rate and measure"},
    {"http", cmd_http, "POST many lines a request and measure"},
    {"http-single", cmd_http, "POST a line a request, beside an empty server"},
    {"query", cmd_query, "ask as supervisors do while a feed runs"},
    {"parts", cmd_parts, "measure each step of a ticket alone"},
    {"ledger", cmd_ledger, "measure what the writer does alone"},
    {"lmdb", cmd_lmdb, "append the same bytes to a bare LMDB and measure"},
    {"flush", cmd_flush, "measure the flush of the disk"},
    {"supervise", cmd_supervise, "start a server, say when it is ready"},
    {"totals", cmd_totals, "print what a data directory has counted"},
    {"rules", cmd_rules, "write the rules for other engines"},
    {"agree", cmd_agree, "compare the rules with PCRE2 alone"},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

int
main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    (void)fprintf(stderr, "usage: suqiu-bench COMMAND [--help]\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        (void)fprintf(stderr, "  %-11s %s\n", commands[i].name,
                      commands[i].line);
    }
    return BENCH_USAGE;
}
