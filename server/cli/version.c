/* suqiu version: what is running here, for a report about a fault. */
#include <event2/event.h>
#include <lmdb.h>
#include <pcre2.h>
#include <xxhash.h>

#include "server/cli/cli.h"
#include "server/cli/open_dictionary.h"

const struct cli_help cmd_version_help = {
    .usage = "suqiu version [--dict DIR]",
    .text = "Prints the version of the program, of the tables and, one a "
            "line, of the libraries\nit runs with. The version of the tables "
            "is the one in /v1/tickets/{id}, /readyz and\nclassify.\n",
    .groups = CONFIG_DICT,
};

int
cmd_version(int argc, char **argv)
{
    struct dictionary *dictionary = NULL;
    struct config config;
    struct err err = {0};
    struct buf buf;
    char pcre2[64] = "";
    int exit_code;

    if (!cli_begin(&cmd_version_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    if (argc > 0) {
        (void)err_set(&err, ERR_USAGE, "version takes no arguments");
        return cli_fail(&err);
    }
    if (pcre2_config(PCRE2_CONFIG_VERSION, NULL) <= (int)sizeof(pcre2)) {
        (void)pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    }
    if (open_dictionary(&config, &dictionary, &err) != ERR_OK) {
        return cli_fail(&err);
    }
    buf_init(&buf, 4096);
    buf_printf(&buf, "suqiu %s\n", SUQIU_VERSION);
    buf_printf(&buf, "dictionary %s\n", dictionary->version);
    dictionary_free(&dictionary);
    buf_printf(&buf, "libevent %s\n", event_get_version());
    buf_printf(&buf, "lmdb %d.%d.%d\n", MDB_VERSION_MAJOR, MDB_VERSION_MINOR,
               MDB_VERSION_PATCH);
    buf_printf(&buf, "pcre2 %s\n", pcre2);
    buf_printf(&buf, "xxhash %u\n", XXH_versionNumber());
    exit_code = cli_put_out(&buf);
    buf_release(&buf);
    return exit_code;
}
