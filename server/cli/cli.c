/* What every command does the same way: settings, help, errors, output. */
#include "server/cli/cli.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/access/secret.h"
#include "server/access/tokens.h"
#include "server/base/http_client.h"
#include "server/base/log.h"

enum { HELP_BYTES_MAX = 256 * 1024 };

void
cli_put_help(struct buf *buf, const struct cli_help *help)
{
    buf_printf(buf, "Usage: %s\n", help->usage);
    if (help->text != NULL && help->text[0] != '\0') {
        buf_printf(buf, "\n%s", help->text);
    }
    if (help->flag_count > 0 || help->groups != 0) {
        buf_put_text(buf, "\nFlags:\n");
        config_put_help(buf, help->groups, help->flags, help->flag_count);
    }
}

bool
cli_begin(const struct cli_help *help,
          int *argc,
          char **argv,
          struct config *config,
          int *exit_code)
{
    struct err err = {0};
    enum log_level level;

    for (int i = 0; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            struct buf buf;

            buf_init(&buf, HELP_BYTES_MAX);
            cli_put_help(&buf, help);
            *exit_code = cli_put_out(&buf);
            buf_release(&buf);
            return false;
        }
    }
    if (config_read(help->groups, help->flags, help->flag_count, argc, argv,
                    config, &err) != ERR_OK) {
        /* A wrong setting is wrong usage, wherever it stands. */
        *exit_code = cli_fail(&err);
        if (err_code_kind(err.code) == ERR_KIND_BAD_INPUT) {
            *exit_code = CLI_USAGE;
        }
        return false;
    }
    if (log_level_from_name(config->log_level, &level)) {
        log_set_level(level);
    }
    log_set_json(strcmp(config->log_format, "json") == 0);
    return true;
}

int
cli_fail(const struct err *err)
{
    assert(err->code != ERR_OK);
    (void)fprintf(stderr, "suqiu: %s\n", err->detail);
    return err->code == ERR_USAGE ? CLI_USAGE : CLI_FAILED;
}

enum err_code
cli_token(const struct config *config,
          char out[CLI_TOKEN_BYTES],
          struct err *err)
{
    _Static_assert((int)CLI_TOKEN_BYTES > (int)TOKEN_CHARS, "room for a token");
    out[0] = '\0';
    return config->token_file[0] != '\0'
               ? token_file_read(config->token_file, out, err)
               : ERR_OK;
}

enum err_code
cli_client(const struct config *config,
           const char *url,
           unsigned wait_s,
           struct http_client **out,
           struct err *err)
{
    char token[CLI_TOKEN_BYTES];

    if (cli_token(config, token, err) != ERR_OK) {
        return err->code;
    }
    if (http_client_new(url, wait_s, out, err) != ERR_OK) {
        if (err->code == ERR_BAD_VALUE) {
            err->code = ERR_USAGE;
        }
    } else if (http_client_trust(*out, config->ca, err) == ERR_OK) {
        http_client_set_token(*out, token);
    } else {
        http_client_free(out);
    }
    secret_forget(token, sizeof(token));
    return err->code;
}

static int
cli_out_failed(void)
{
    (void)fprintf(stderr, "suqiu: standard output cannot be written: %s\n",
                  strerror(errno));
    return CLI_FAILED;
}

int
cli_put_out(const struct buf *buf)
{
    struct err err = {0};

    if (buf_check(buf, &err) != ERR_OK) {
        return cli_fail(&err);
    }
    if (fwrite(buf->data, 1, buf->bytes, stdout) != buf->bytes ||
        fflush(stdout) != 0) {
        return cli_out_failed();
    }
    return CLI_FINE;
}

int
cli_end_out(int exit_code)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        return cli_out_failed();
    }
    return exit_code;
}
