/* The program: one table of commands, their help, and nothing else. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "server/base/nearest.h"
#include "server/cli/cli.h"
#include "server/cli/manual.h"

static const struct cli_command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *line;
    const struct cli_help *help;
} commands[] = {
#define CLI_COMMAND(name, line) {#name, cmd_##name, line, &cmd_##name##_help},
#include "server/cli/commands.def"
#undef CLI_COMMAND
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static const struct cli_command *
find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int
unknown_command(const char *name)
{
    const char *names[COMMAND_COUNT];
    const char *nearest;
    struct err err = {0};

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
    }
    nearest = nearest_name(name, names, COMMAND_COUNT);
    if (nearest != NULL) {
        (void)err_set(&err, ERR_USAGE,
                      "there is no command \"%.60s\"; is it \"%s\"?", name,
                      nearest);
    } else {
        (void)err_set(&err, ERR_USAGE,
                      "there is no command \"%.60s\"; suqiu help lists them",
                      name);
    }
    return cli_fail(&err);
}

static void
put_overview(struct buf *buf)
{
    buf_put_text(buf,
                 "suqiu (诉求) takes in the work orders of an electricity "
                 "hotline, judges each one,\nstores it and counts: what "
                 "people complain about, where, who has to call again,\nand "
                 "which promise is about to be broken.\n\n"
                 "Usage: suqiu COMMAND [FLAGS] [ARGUMENTS]\n\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        buf_printf(buf, "  %-10s %s\n", commands[i].name, commands[i].line);
    }
    buf_printf(buf, "  %-10s %s\n", "help", "say more about a command");
    buf_put_text(buf,
                 "\n`suqiu help --man`, `--completion` and `--settings` print "
                 "the man page, the bash\ncompletion and a settings file with "
                 "every setting explained.\n"
                 "\nExit codes: 0 fine, 1 the answer is no, 2 wrong usage, 3 "
                 "the work failed.\n");
}

/* suqiu help --man and others: what a package installs. */
static bool
put_manual(struct buf *buf, const char *flag)
{
    const struct {
        const char *flag;
        void (*put)(struct buf *out);
    } texts[] = {{"--man", manual_put_man},
                 {"--completion", manual_put_completion},
                 {"--settings", manual_put_settings}};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (flag != NULL && strcmp(texts[i].flag, flag) == 0) {
            texts[i].put(buf);
            return true;
        }
    }
    return false;
}

/* suqiu help [COMMAND] */
static int
help_command(const char *name)
{
    struct buf buf;
    int exit_code;

    if (name != NULL && strcmp(name, "help") == 0) {
        name = NULL; /* the overview is the help of help */
    }
    buf_init(&buf, MANUAL_BYTES_MAX);
    if (name == NULL) {
        put_overview(&buf);
    } else if (find_command(name) != NULL) {
        cli_put_help(&buf, find_command(name)->help);
    } else if (!put_manual(&buf, name)) {
        buf_release(&buf);
        return unknown_command(name);
    }
    exit_code = cli_put_out(&buf);
    buf_release(&buf);
    return exit_code;
}

int
main(int argc, char **argv)
{
    const struct cli_command *command;

    (void)err_code_name(ERR_OK);    /* fills its table before any thread */
    (void)signal(SIGPIPE, SIG_IGN); /* a write says so itself */
    (void)signal(SIGXFSZ, SIG_IGN); /* the same for a file at its limit */
    if (argc < 2) {
        struct err err = {0};

        (void)err_set(&err, ERR_USAGE,
                      "a command is missing; suqiu help lists them");
        return cli_fail(&err);
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        return help_command(argc > 2 ? argv[2] : NULL);
    }
    if (strcmp(argv[1], "--version") == 0) {
        return cmd_version(0, argv + 2);
    }
    command = find_command(argv[1]);
    if (command == NULL) {
        return unknown_command(argv[1]);
    }
    return command->run(argc - 2, argv + 2);
}
