/*
 * imports: uploaded files on their way into the store.
 *
 *   upload -> [look: columns, verdicts, errors] -> confirm -> [run] -> rejects
 *
 * Looking and running are work of two helper threads, one file at a time each.
 * A file waits in DATA/imports until it is run, then its refused rows wait
 * there as CSV and workbook. What nobody touched for IMPORT_KEEP_S goes; so
 * does everything when the server ends: upload the file again, what was stored
 * already counts as a duplicate.
 *
 * Every function belongs to the thread of the loop.
 */
#ifndef IMPORTS_IMPORTS_H
#define IMPORTS_IMPORTS_H

#include <stdatomic.h>

#include "server/imports/import_look.h"
#include "server/ingest/import_report.h"
#include "server/writer.h"

enum {
    IMPORTS_MAX = 16, /* at a time; a further one is refused */
    IMPORT_KEEP_S = 3600,
    IMPORT_NAME_BYTES = 200,
    IMPORT_SHEET_BYTES = 128,
    IMPORT_ID_BYTES = 17, /* 16 hex digits: nobody guesses it */
    IMPORT_PATH_BYTES = 1200
};

enum import_state {
    IMPORT_PREVIEW,
    IMPORT_RUNNING,
    IMPORT_DONE,
    IMPORT_FAILED
};
/* "preview", … */
const char *import_state_name(enum import_state state);

struct imports;

/* What a person may change before the file is run. */
struct import_choice {
    char sheet[IMPORT_SHEET_BYTES]; /* "": the first */
    bool fields_given;
    enum decode_field fields[CSV_COLUMNS_MAX];
    size_t field_count;
};

/* One uploaded file; read by whoever answers questions. */
struct import_item {
    char id[IMPORT_ID_BYTES];
    char name[IMPORT_NAME_BYTES];
    enum import_state state;
    bool busy; /* a helper thread has it: look at the atomics only */
    uint64_t bytes;
    int64_t created_us;
    int64_t touched_us;
    struct import_choice choice;
    struct import_look look;

    /* while it runs */
    _Atomic uint64_t received;
    _Atomic uint64_t rejected_so_far;
    _Atomic unsigned permille;
    /* afterwards */
    struct import_report report;
    struct buf errors; /* a JSON array of the first ones */
    struct err problem;
};

struct imports_options {
    const char *directory; /* made when it is not there; emptied */
    struct writer *writer;
    struct rulebook *rulebook;
    size_t batch_records_max;
    size_t batch_bytes_max;
    size_t line_bytes_max;
};

struct event_base; /* libevent */

/* What the options point to is borrowed until imports_free; the directory is
 * copied.
 * Errors  IO, NO_MEMORY */
enum err_code imports_new(struct event_base *base,
                          const struct imports_options *options,
                          struct imports **out,
                          struct err *err) MUST_CHECK;

/* Before the writer and the loop: stops what runs and removes all files.
 * Accepts NULL. */
void imports_free(struct imports **imports);

/* Called once, on the loop, when a look has ended; `item` is NULL when the file
 * was not taken (*err says why). */
typedef void
imports_looked(void *data, struct import_item *item, const struct err *err);

/*
 * Take a file and look at it.
 *   body  taken (free)
 * Errors  BUSY (IMPORTS_MAX, or too many looks at a time): `done` is not called
 */
enum err_code imports_add(struct imports *imports,
                          struct span name,
                          struct span sheet,
                          char *body,
                          size_t body_bytes,
                          imports_looked *done,
                          void *done_data,
                          struct err *err) MUST_CHECK;

/* NULL: there is none of this id. Touches it. */
struct import_item *imports_find(struct imports *imports, struct span id);
/* The i-th, newest first; NULL behind the last. */
struct import_item *imports_at(struct imports *imports, size_t i);

/*
 * Look again with another choice. Errors  BUSY, BAD_VALUE (not in the preview)
 */
enum err_code imports_look_again(struct imports *imports,
                                 struct import_item *item,
                                 const struct import_choice *choice,
                                 imports_looked *done,
                                 void *done_data,
                                 struct err *err) MUST_CHECK;

/*
 * Take its records. The sheet must be the one that was looked at.
 * Errors  BUSY, BAD_VALUE (not in the preview), NO_COLUMN, DUPLICATE_FIELD
 */
enum err_code imports_run(struct imports *imports,
                          struct import_item *item,
                          const struct import_choice *choice,
                          struct err *err) MUST_CHECK;

/* Forget it. False: it is running. */
bool imports_remove(struct imports *imports, struct import_item *item);

/* The refused rows as a file, open for reading, or -1.
 * Errors  NOT_FOUND (none was refused), BUSY (still running), IO */
int imports_open_rejects(struct imports *imports,
                         const struct import_item *item,
                         bool workbook,
                         struct err *err);

#endif /* IMPORTS_IMPORTS_H */
