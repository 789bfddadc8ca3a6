/* suqiu backup: a copy of the store, opened and compared before it is called
 * one. */
#include <inttypes.h>
#include <stdio.h>

#include "server/cli/cli.h"
#include "server/ledger/reader.h"

static const char *flag_to;

static const struct config_flag backup_flags[] = {
    {"to", "NEWDIR", &flag_to, NULL,
     "the directory to make; it must not exist yet"},
};

const struct cli_help cmd_backup_help = {
    .usage = "suqiu backup --data DIR --to NEWDIR",
    .text = "Copies the store into a new directory, while a server uses it: "
            "the copy is the\nstate after one commit. The copy is opened and "
            "its numbers are compared before\nthe command says that it is "
            "done.\n\n"
            "To go back: stop the server and start it with --data NEWDIR.\n",
    .flags = backup_flags,
    .flag_count = sizeof(backup_flags) / sizeof(backup_flags[0]),
    .groups = CONFIG_STORE,
};

/* What a snapshot says of itself. */
struct fingerprint {
    uint64_t seq;
    struct ledger_totals totals;
    uint64_t records; /* counted, not remembered */
    uint64_t states;
    uint64_t used_bytes;
};

static enum err_code
take_fingerprint(const struct store *store,
                 struct fingerprint *out,
                 struct err *err)
{
    struct reader reader;
    uint64_t map_bytes;
    MDB_stat stat;
    int rc;

    if (reader_begin(store, &reader, err) != ERR_OK) {
        return err->code;
    }
    out->seq = reader_seq(&reader);
    out->totals = reader_totals(&reader);
    rc = mdb_stat(reader.txn, store->db[STORE_LOG], &stat);
    out->records = stat.ms_entries;
    if (rc == 0) {
        rc = mdb_stat(reader.txn, store->db[STORE_STATE], &stat);
        out->states = stat.ms_entries;
    }
    store_usage(store, &out->used_bytes, &map_bytes);
    reader_end(&reader);
    return rc == 0 ? ERR_OK : store_err(err, rc, "count");
}

/* The copy is one commit between `before` and `after`, and whole. */
static enum err_code
compare(const struct fingerprint *before,
        const struct fingerprint *after,
        const struct fingerprint *copy,
        struct err *err)
{
    if (copy->seq < before->seq || copy->seq > after->seq ||
        copy->totals.tickets < before->totals.tickets ||
        copy->totals.tickets > after->totals.tickets ||
        copy->records != copy->seq - 1 - ledger_records_gone(&copy->totals) ||
        copy->states != ledger_tickets_there(&copy->totals)) {
        return err_set(err, ERR_CORRUPT,
                       "the copy in '%s' does not hold what the store holds "
                       "(%" PRIu64 " tickets of %" PRIu64
                       "); remove it, check the store with suqiu fsck, and "
                       "try again",
                       flag_to, copy->states,
                       ledger_tickets_there(&after->totals));
    }
    return ERR_OK;
}

static enum err_code
run_backup(const struct config *config,
           struct fingerprint *copy,
           struct err *err)
{
    struct store_options options = {config->map_size_gib << 30};
    struct fingerprint before = {0};
    struct fingerprint after = {0};
    struct store *store = NULL;
    struct store *copied = NULL;

    if (store_open(config->data, STORE_READ, &options, &store, err) == ERR_OK &&
        take_fingerprint(store, &before, err) == ERR_OK &&
        store_backup(store, flag_to, err) == ERR_OK &&
        take_fingerprint(store, &after, err) == ERR_OK &&
        store_open(flag_to, STORE_READ, &options, &copied, err) == ERR_OK &&
        take_fingerprint(copied, copy, err) == ERR_OK) {
        (void)!compare(&before, &after, copy, err);
    }
    store_close(&copied);
    store_close(&store);
    return err->code;
}

int
cmd_backup(int argc, char **argv)
{
    struct fingerprint copy = {0};
    struct config config;
    struct err err = {0};
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_backup_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    if (argc > 0 || config.data[0] == '\0' || flag_to == NULL ||
        flag_to[0] == '\0') {
        (void)err_set(&err, ERR_USAGE,
                      argc > 0 ? "backup takes no arguments besides its flags"
                      : config.data[0] == '\0' ? "say which store: --data DIR"
                                               : "say where to: --to NEWDIR");
        return cli_fail(&err);
    }
    if (run_backup(&config, &copy, &err) != ERR_OK) {
        return cli_fail(&err);
    }
    (void)printf("copied to '%s': %" PRIu64 " tickets, %" PRIu64
                 " events, %.1f MiB\n",
                 flag_to, ledger_tickets_there(&copy.totals),
                 copy.totals.events - copy.totals.expired_events,
                 (double)copy.used_bytes / (1024.0 * 1024.0));
    return cli_end_out(CLI_FINE);
}
