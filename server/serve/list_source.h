/*
 * list_source: one kind of list, as the routes, the exports and the tests see
 * it.
 *
 * A source reads its filters from the query, then fills rows piece by piece.
 * The snapshot of a long export is renewed between two pieces
 * (LIST_SNAPSHOT_US): what a source borrowed from a snapshot must not outlive
 * list_source.fill. The JSON form is one piece with a cursor and totals; the
 * others go on until the end.
 */
#ifndef SERVE_LIST_SOURCE_H
#define SERVE_LIST_SOURCE_H

#include "server/ledger/reader.h"
#include "server/serve/context.h"
#include "server/serve/gathered.h"
#include "server/serve/list.h"
#include "server/serve/mask.h"
#include "server/serve/params.h"

enum {
    LIST_LIMIT_DEFAULT = 100,
    LIST_LIMIT_MAX = 1000,
    LIST_PIECE_ROWS = 500,        /* of an export, in one turn of the loop */
    LIST_SCAN_MAX = 50000,        /* tickets looked at for one piece */
    LIST_TOTAL_SCAN_MAX = 200000, /* looked at for a total */
    LIST_STATE_BYTES_MAX = 64 * 1024,
    LIST_PAGE_BYTES_MAX = 64 * 1024 * 1024,
    /* An export shows one snapshot for so long: a snapshot that a slow client
     * keeps would make the store's file grow. */
    LIST_SNAPSHOT_US = 30 * 1000 * 1000
};

/* Who asks what, when. */
struct list_request {
    const struct serve_context *context;
    const struct dictionary *dictionary;
    const struct params *params;
    enum mask_role role;
    int64_t now_us;
    size_t rows_max;           /* of this page; SIZE_MAX: all that there are */
    struct gathered *gathered; /* kept by the server; NULL: none, a source that
                                  needs it reads all tickets */
};

/* Which thread of the server writes a page. */
enum list_thread {
    LIST_ON_LOOP,    /* quick: that of the HTTP server */
    LIST_ON_SCANNER, /* may look at many tickets, until it knows the total */
    LIST_ON_GATHERER /* the one that owns list_request.gathered */
};

struct list_source {
    const char *name;          /* "tickets"; names the downloaded file */
    const char *chinese;       /* "工单"; may be NULL */
    const char *const *params; /* known ones, ended by NULL, besides those all
                                  lists have */
    size_t state_bytes;
    enum list_thread thread; /* of pages; LIST_ON_GATHERER: of open in exports,
                                too */

    /*
     * Read the filters into the zeroed state; what has to be computed as a
     * whole is computed here. `cursor` is empty or what put_cursor wrote.
     */
    enum err_code (*open)(void *state,
                          const struct list_request *request,
                          const struct reader *reader,
                          struct span cursor,
                          struct err *err);
    /* The columns of this request; valid as long as the state. */
    const struct list_column *(*columns)(const void *state, size_t *count);
    /*
     * Write up to rows_max rows; *more says whether there may be further ones.
     * May stop early with *more set, after LIST_SCAN_MAX tickets.
     */
    enum err_code (*fill)(void *state,
                          const struct list_request *request,
                          const struct reader *reader,
                          struct list_writer *writer,
                          size_t rows_max,
                          bool *more,
                          struct err *err);
    /* Text from which open can go on behind the last row. NULL: the list is
     * never cut. */
    void (*put_cursor)(const void *state, struct buf *out);
    /* Members of the page besides items, next and snapshot; may be NULL. */
    void (*put_totals)(const void *state,
                       const struct reader *reader,
                       struct json_out *json);
    void (*close)(void *state); /* may be NULL */
};

/* ---- for sources ---- */

/*
 * The rows of the reader's snapshot: those of the request, else *own, which the
 * caller frees with gathered_free. NULL and err on failure.
 */
const struct gathered *list_gathered(const struct list_request *request,
                                     const struct reader *reader,
                                     struct gathered **own,
                                     struct err *err);

/* How many rows from the beginning on a page behind `before` rows needs. */
size_t list_rows_to(const struct list_request *request, size_t before);

/* ---- for those who answer ---- */

/* Names that every list takes besides its own, ended by NULL. */
extern const char *const list_common_params[];

/*
 * The JSON page: {"items":[…],"next":…,"total":…,"snapshot":…}.
 * Errors  of the parameters and of the store
 */
enum err_code list_page(const struct list_source *source,
                        const struct list_request *request,
                        struct buf *out,
                        struct err *err) MUST_CHECK;

/* An export in pieces. */
struct list_export;

/*
 * `request` is borrowed until the end; `workbook` is NULL but for
 * list_form_xlsx, then borrowed until the end.
 * Errors  of the parameters and of the store
 */
enum err_code list_export_open(const struct list_source *source,
                               const struct list_form *form,
                               const struct list_request *request,
                               struct xlsx_writer *workbook,
                               struct list_export **out,
                               struct err *err) MUST_CHECK;

/* The form's, with the encoding that was asked for. */
const char *list_export_content_type(const struct list_export *list);
/* Log sequence of the snapshot it began with. */
uint64_t list_export_snapshot(const struct list_export *list);

/* The next piece into `out` (emptied first) or into the workbook. *more: call
 * again. `dictionary` is the one in force now. */
enum err_code list_export_next(struct list_export *list,
                               const struct dictionary *dictionary,
                               struct buf *out,
                               bool *more,
                               struct err *err) MUST_CHECK;
/* Let a snapshot older than LIST_SNAPSHOT_US go; the next piece takes a new
 * one. For a client that takes nothing meanwhile. */
void list_export_rest(struct list_export *list);
void list_export_close(struct list_export **list);

#endif /* SERVE_LIST_SOURCE_H */
