/* suqiu facts: fed values to a running server. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/http_client.h"
#include "server/cli/cli.h"

enum { FACTS_FILE_BYTES_MAX = 4 << 20 };

static const char *flag_to;

static const struct config_flag facts_flags[] = {
    {.name = "to",
     .value_name = "URL",
     .value = &flag_to,
     .sentence = "the running server (default http://127.0.0.1:9559)"},
};

const struct cli_help cmd_facts_help = {
    .usage = "suqiu facts [--to URL] FILE",
    .text =
        "Sends fed values to a running server (PUT /v1/facts). FILE is one "
        "JSON object or\nan array of them: name (\"customers\" or an "
        "indicator's code), unit (a path, empty\nfor all), period "
        "(\"2018-Q1\", empty for any), value or numerator and denominator,\n"
        "and by: who says so. A value replaces the one of the same name, "
        "unit and period.\n",
    .flags = facts_flags,
    .flag_count = sizeof(facts_flags) / sizeof(facts_flags[0]),
    .groups = CONFIG_CLIENT,
};

static enum err_code
read_file(const char *path, char **out, size_t *bytes, struct err *err)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");

    if (file == NULL) {
        return err_set(err, err_from_errno(errno), "%s: %s", path,
                       strerror(errno));
    }
    *out = malloc(FACTS_FILE_BYTES_MAX + 1);
    *bytes = *out != NULL ? fread(*out, 1, FACTS_FILE_BYTES_MAX + 1, file) : 0;
    if (*out == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "%s", path);
    } else if (ferror(file)) {
        (void)err_set(err, ERR_IO, "%s: reading failed", path);
    } else if (*bytes > FACTS_FILE_BYTES_MAX) {
        (void)err_set(err, ERR_TOO_LONG, "%s: more than %d bytes", path,
                      FACTS_FILE_BYTES_MAX);
    }
    if (file != stdin) {
        (void)fclose(file);
    }
    return err->code;
}

static enum err_code
put_facts(const struct config *config, const char *path, struct err *err)
{
    struct http_client *client = NULL;
    struct http_client_request request = {
        .method = "PUT", .path = "/v1/facts", .type = "application/json"};
    struct http_client_answer answer;
    char *data = NULL;

    if (read_file(path, &data, &request.body.bytes, err) == ERR_OK &&
        cli_client(config, flag_to != NULL ? flag_to : "http://127.0.0.1:9559",
                   HTTP_CLIENT_WAIT_S_DEFAULT, &client, err) == ERR_OK) {
        request.body.data = data;
        if (http_client_send(client, &request, &answer, err) == ERR_OK &&
            answer.status / 100 != 2) {
            (void)err_set(err, ERR_BAD_VALUE, "the server says %u: %.*s",
                          answer.status, SPAN_ARGS(span_trim(answer.body)));
        }
    }
    http_client_free(&client);
    free(data);
    return err->code;
}

int
cmd_facts(int argc, char **argv)
{
    struct config config;
    struct err err = {0};
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_facts_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    if (argc != 1) {
        (void)err_set(&err, ERR_USAGE, "give one file: %s",
                      cmd_facts_help.usage);
        return cli_fail(&err);
    }
    if (put_facts(&config, argv[0], &err) != ERR_OK) {
        return cli_fail(&err);
    }
    (void)puts("the values are stored");
    return CLI_FINE;
}
