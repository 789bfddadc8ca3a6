/*
 * cli: the commands of the program.
 *
 * A command is a row of commands.def, a file <name>.c beside it with
 *   int cmd_<name>(int argc, char **argv);      the arguments after the name
 *   const struct cli_help cmd_<name>_help;      what `suqiu help <name>` says
 * and that file's name in server/CMakeLists.txt.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/err.h"
#include "server/base/config.h"

struct http_client; /* server/base/http_client.h */

/* Exit codes; scripts depend on them. */
enum cli_exit {
    CLI_FINE = 0,
    CLI_NO = 1,    /* the work was done and the answer is "no" */
    CLI_USAGE = 2, /* wrong usage */
    CLI_FAILED = 3 /* the work could not be done */
};

enum { CLI_FLAGS_MAX = 32 };

struct cli_help {
    const char *usage; /* "suqiu explain [--dict DIR] TEXT" */
    const char *text;  /* paragraphs, lines of at most 78 columns */
    const struct config_flag *flags; /* the command's own; may be NULL */
    size_t flag_count;
    unsigned groups; /* settings it takes: CONFIG_... */
};

#define CLI_COMMAND(name, line)                                                \
    int cmd_##name(int argc, char **argv);                                     \
    extern const struct cli_help cmd_##name##_help;
#include "server/cli/commands.def"
#undef CLI_COMMAND

/*
 * Read settings and flags the way every command does: --help anywhere prints
 * the help, a wrong flag prints the error.
 *
 * Returns true to go on; false: return *exit_code.
 * `help` says which flags there are; *argc and argv are as in config_read.
 * Sets the level of the log.
 */
bool cli_begin(const struct cli_help *help,
               int *argc,
               char **argv,
               struct config *config,
               int *exit_code) MUST_CHECK;

/* "suqiu: detail" on standard error; CLI_USAGE for ERR_USAGE, else
 * CLI_FAILED. */
int cli_fail(const struct err *err);

/*
 * The token of --token-file, "" when none is set, to show to a server.
 * Errors  of token_file_read
 */
enum { CLI_TOKEN_BYTES = 64 };
enum err_code cli_token(const struct config *config,
                        char out[CLI_TOKEN_BYTES],
                        struct err *err) MUST_CHECK;

/*
 * A client of the server at `url` that shows the token of --token-file and,
 * over https, trusts --ca. out     given: http_client_free; nothing is
 * connected yet Errors  USAGE (the URL); those of cli_token and
 * http_client_trust
 */
enum err_code cli_client(const struct config *config,
                         const char *url,
                         unsigned wait_s,
                         struct http_client **out,
                         struct err *err) MUST_CHECK;

/* Print all of `buf` on standard output; CLI_FINE or CLI_FAILED (told). */
int cli_put_out(const struct buf *buf);

/* Close standard output and see whether all of it arrived: returns exit_code,
 * or CLI_FAILED (told) when something was lost. */
int cli_end_out(int exit_code);

/* Print usage, text and flags of one command. */
void cli_put_help(struct buf *buf, const struct cli_help *help);

#endif /* CLI_CLI_H */
