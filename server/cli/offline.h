/*
 * offline: a store with its tables and its writer, without a server: for the
 * commands that change what is stored.
 */
#ifndef CLI_OFFLINE_H
#define CLI_OFFLINE_H

#include "server/base/config.h"
#include "server/ledger/ledger.h"
#include "server/rulebook/rulebook.h"
#include "server/writer.h"

struct offline {
    struct edition *edition;
    struct rulebook *rulebook;
    struct store *store;
    struct ledger *ledger;
    struct writer *writer;
};

/*
 * Open the store of config->data and start its writer; zero `out` first, close
 * it with offline_close also after an error.
 *   command  for the words of the error: "reclassify"
 * Errors  USAGE (no directory), LOCKED (a server has it), those of the tables
 *         and of the store
 */
enum err_code offline_open(const struct config *config,
                           const char *command,
                           struct offline *out,
                           struct err *err) MUST_CHECK;
void offline_close(struct offline *offline);

/* From now on SIGINT and SIGTERM only set what offline_interrupted says. */
void offline_catch_interrupts(void);
bool offline_interrupted(void);

#endif /* CLI_OFFLINE_H */
