/* suqiu token: who may come in. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzers/ticket.h"
#include "server/access/tokens.h"
#include "server/base/clock.h"
#include "server/base/display.h"
#include "server/cli/cli.h"

enum { TOKEN_LIST_BYTES_MAX = 1 << 20 };

static const char *flag_role;

static const struct config_flag token_flags[] = {
    {.name = "role",
     .value_name = "ROLE",
     .value = &flag_role,
     .sentence = "feed, viewer, supervisor or admin; for add"},
};

const struct cli_help cmd_token_help = {
    .usage = "suqiu token add|list|revoke --data DIR [--role ROLE] [NAME]",
    .text =
        "add NAME --role ROLE  makes a token and prints it, once: only its "
        "keyed hash is kept\nlist                  id, role, time and name of "
        "every token\nrevoke NAME|ID        takes one away\n\n"
        "NAME says who uses it and stands in the audit list. Roles:\n"
        "  feed        sends records and fed values, reads nothing\n"
        "  viewer      reads; phones, names and addresses are masked\n"
        "  supervisor  also sends records, unmasks one ticket with a reason\n"
        "  admin       everything\n\n"
        "A running server reads the file again on SIGHUP.\n",
    .flags = token_flags,
    .flag_count = sizeof(token_flags) / sizeof(token_flags[0]),
    .groups = CONFIG_STORE,
};

/* What was changed holds when the server has read it: say how. */
static void
say_hangup(const char *dir)
{
    char path[SECRET_PATH_BYTES];
    long pid = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/ports", dir);
    file = fopen(path, "re");
    if (file == NULL) {
        return; /* no server runs */
    }
    if (fscanf(file, "http=%*u feed=%*u pid=%ld", &pid) == 1) {
        (void)fprintf(stderr,
                      "the running server takes notice on SIGHUP: kill -HUP "
                      "%ld\n",
                      pid);
    }
    (void)fclose(file);
}

static enum err_code
add_token(const char *dir,
          struct tokens *tokens,
          const struct secret *secret,
          const char *name,
          struct err *err)
{
    enum access_role role = flag_role != NULL
                                ? access_role_from_name(span_of(flag_role))
                                : ACCESS_NOBODY;
    char text[TOKEN_CHARS + 1];

    if (role == ACCESS_NOBODY) {
        return err_set(err, ERR_USAGE,
                       "say what it may do: --role feed, viewer, supervisor or "
                       "admin");
    }
    if (tokens_add(tokens, secret, span_of(name), role, clock_now_us(), text,
                   err) != ERR_OK ||
        tokens_write(dir, tokens, err) != ERR_OK) {
        return err->code;
    }
    (void)fprintf(stderr, "the token of \"%s\" (%s); it is not shown again:\n",
                  name, access_role_name(role));
    (void)puts(text); /* alone on standard output, for a file or a pipe */
    secret_forget(text, sizeof(text));
    return ERR_OK;
}

static enum err_code
revoke_token(const char *dir,
             struct tokens *tokens,
             const char *name,
             struct err *err)
{
    if (!tokens_remove(tokens, span_of(name))) {
        return err_set(err, ERR_NOT_FOUND,
                       "there is no token \"%.60s\"; `suqiu token list` lists "
                       "them",
                       name);
    }
    if (tokens_write(dir, tokens, err) == ERR_OK) {
        (void)fprintf(stderr, "revoked\n");
    }
    return err->code;
}

static int
list_tokens(const struct tokens *tokens)
{
    struct buf out;
    int exit_code;

    buf_init(&out, TOKEN_LIST_BYTES_MAX);
    for (size_t i = 0; i < tokens->count; i++) {
        const struct token *token = &tokens->items[i];
        char time[TICKET_TIME_BYTES];

        buf_printf(
            &out, "%s  %-10s  %s  %s\n", token->id,
            access_role_name(token->role),
            ticket_time_format(token->created_us / 1000000 * 1000000, time),
            token->name);
    }
    exit_code = cli_put_out(&out);
    buf_release(&out);
    return exit_code;
}

static enum err_code
check_dir(const char *dir, struct err *err)
{
    struct stat about;

    if (dir[0] == '\0') {
        return err_set(err, ERR_USAGE,
                       "say which data directory: suqiu token ... --data DIR");
    }
    if (stat(dir, &about) != 0 || !S_ISDIR(about.st_mode)) {
        return err_set(err, ERR_NOT_FOUND,
                       "'%s' is no directory; `suqiu serve` makes it", dir);
    }
    return ERR_OK;
}

/* Read, change and write under one lock. */
static int
run(const char *dir, const char *verb, const char *name, struct err *err)
{
    struct tokens tokens = {0};
    struct secret secret;
    struct err read_err = {0};
    int exit_code = CLI_FINE;
    int lock = -1;

    if (check_dir(dir, err) == ERR_OK &&
        secret_open(dir, true, &secret, err) == ERR_OK) {
        lock = tokens_lock(dir, err);
    }
    if (lock >= 0 && tokens_read(dir, &tokens, &read_err) != ERR_OK &&
        read_err.code != ERR_NOT_FOUND) {
        (void)err_set(err, read_err.code, "%s", read_err.detail);
    }
    if (err->code == ERR_OK) {
        if (strcmp(verb, "list") == 0) {
            exit_code = list_tokens(&tokens);
        } else if (strcmp(verb, "add") == 0) {
            (void)!add_token(dir, &tokens, &secret, name, err);
        } else {
            (void)!revoke_token(dir, &tokens, name, err);
        }
    }
    if (err->code == ERR_OK && strcmp(verb, "list") != 0) {
        say_hangup(dir);
    }
    if (lock >= 0) {
        (void)close(lock);
    }
    tokens_release(&tokens);
    secret_forget(&secret, sizeof(secret));
    return err->code != ERR_OK ? cli_fail(err) : cli_end_out(exit_code);
}

int
cmd_token(int argc, char **argv)
{
    struct config config;
    struct err err = {0};
    bool known;
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_token_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    known = (argc == 1 && strcmp(argv[0], "list") == 0) ||
            (argc == 2 &&
             (strcmp(argv[0], "add") == 0 || strcmp(argv[0], "revoke") == 0));
    if (!known) {
        (void)err_set(&err, ERR_USAGE, "%s", cmd_token_help.usage);
        return cli_fail(&err);
    }
    return run(config.data, argv[0], argc == 2 ? argv[1] : NULL, &err);
}
