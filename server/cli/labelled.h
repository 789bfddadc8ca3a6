/*
 * labelled: tickets with what a person said of them, for check and train.
 *
 * Form      tests/corpus/README.md: a tab-separated file; or tickets as NDJSON
 *           with a tab-separated truth beside them (id, category, subcategory,
 *           secondary, region; `-` is no category)
 * Effects   reads files
 */
#ifndef CLI_LABELLED_H
#define CLI_LABELLED_H

#include "analyzers/err.h"
#include "analyzers/taxonomy.h"
#include "analyzers/ticket.h"

enum { LABELLED_BYTES_MAX = 64 * 1024 * 1024 };

/* One labelled row; its spans are borrowed for the call. */
struct labelled {
    struct ticket ticket;
    enum ticket_category category;
    int32_t subcategory; /* taxonomy rows, or TAXONOMY_NONE */
    int32_t topic;
    uint32_t secondary; /* bit set of (1u << category) */
    enum ticket_region region;
};

/* Errors  any; they end the reading */
typedef enum err_code
labelled_fn(void *context, const struct labelled *row, struct err *err);

struct table;

/* The file at `path` as a table, whatever its columns.
 * Errors  those of the file and of table_parse */
enum err_code
labelled_open(const char *path, struct table **out, struct err *err) MUST_CHECK;

/* Hand over each row of a tab-separated table. */
enum err_code labelled_each(const struct table *table,
                            const struct taxonomy *taxonomy,
                            labelled_fn *each,
                            void *context,
                            struct err *err) MUST_CHECK;

/* Hand over each row of a tab-separated file.
 * Errors  those of the file and of the table, with line and column */
enum err_code labelled_read(const char *path,
                            const struct taxonomy *taxonomy,
                            labelled_fn *each,
                            void *context,
                            struct err *err) MUST_CHECK;

/* The same for NDJSON tickets and their truth; a ticket that the truth does
 * not name is an error. */
enum err_code labelled_read_ndjson(const char *path,
                                   const char *truth_path,
                                   const struct taxonomy *taxonomy,
                                   labelled_fn *each,
                                   void *context,
                                   struct err *err) MUST_CHECK;

#endif /* CLI_LABELLED_H */
