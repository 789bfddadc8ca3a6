/* A store with its tables and its writer, without a server. */
#include "server/cli/offline.h"

#include <signal.h>

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void
offline_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

bool
offline_interrupted(void)
{
    return interrupted != 0;
}

/* What was being written comes back with the error; there is nobody else to
 * tell. */
static void
on_fatal(void *data, const struct err *err)
{
    (void)data;
    (void)err;
}

enum err_code
offline_open(const struct config *config,
             const char *command,
             struct offline *out,
             struct err *err)
{
    const struct edition_options tables = edition_options_from(config);
    const struct store_options store_options = {config->map_size_gib << 30};
    struct writer_options writer_options = {
        .queue_batches_max = config->queue_batches_max,
        .group_records_max = config->batch_records_max,
        .on_fatal = on_fatal};
    struct edition *first = NULL;

    if (config->data[0] == '\0') {
        return err_set(err, ERR_USAGE, "say which store: suqiu %s --data DIR",
                       command);
    }
    if (edition_build(&tables, NULL, &first, err) != ERR_OK) {
        return err->code;
    }
    if (rulebook_new(first, &out->rulebook, err) != ERR_OK) {
        edition_release(&first);
        return err->code;
    }
    out->edition = rulebook_hold(out->rulebook);
    writer_options.rulebook = out->rulebook;
    if (store_open(config->data, STORE_WRITE, &store_options, &out->store,
                   err) == ERR_OK &&
        ledger_open(out->store, out->edition->dictionary, &out->ledger, err) ==
            ERR_OK) {
        (void)!writer_new(out->ledger, &writer_options, &out->writer, err);
    }
    return err->code;
}

void
offline_close(struct offline *offline)
{
    writer_free(&offline->writer);
    ledger_close(&offline->ledger);
    store_close(&offline->store);
    edition_release(&offline->edition);
    rulebook_free(&offline->rulebook);
}
