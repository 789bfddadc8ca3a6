/* Hits of the rules between the store and the table in memory. */
#include "server/rulebook/hits_saver.h"

#include <stdlib.h>

#include "server/ledger/reader.h"

static bool
load_one(void *data, const struct ledger_rule_hits *stored)
{
    rule_hits_load(data, stored);
    return true;
}

enum err_code
hits_load(const struct store *store, struct rulebook *rulebook, struct err *err)
{
    struct reader reader;

    if (reader_begin(store, &reader, err) != ERR_OK) {
        return err->code;
    }
    (void)!reader_rule_hits(&reader, load_one, rulebook_hits(rulebook), err);
    reader_end(&reader);
    return err->code;
}

struct save {
    struct rule_hits *hits;
    struct ledger_rule_hits *rows;
    size_t count;
};

/* Writer thread. */
static enum err_code
write_rows(void *data, struct ledger *ledger, struct err *err)
{
    const struct save *save = data;

    for (size_t i = 0; i < save->count; i++) {
        if (ledger_put_rule_hits(ledger, &save->rows[i], err) != ERR_OK) {
            break;
        }
    }
    return err->code;
}

static void
rows_written(void *data, const struct err *err)
{
    struct save *save = data;

    if (err->code != ERR_OK) {
        rule_hits_unsaved(save->hits, save->rows, save->count);
    }
    free(save->rows);
    free(save);
}

void
hits_save(struct writer *writer, struct rulebook *rulebook)
{
    struct save *save = calloc(1, sizeof(*save));
    const struct err busy = {.code = ERR_BUSY};

    if (save == NULL) {
        return;
    }
    save->hits = rulebook_hits(rulebook);
    if (!rule_hits_take(save->hits, &save->rows, &save->count)) {
        free(save);
    } else if (!writer_run(writer, write_rows, rows_written, save)) {
        rows_written(save, &busy);
    }
}
