/*
 * ask: the reading side of the API, asked of a running server over HTTP or of a
 * data directory in this process.
 *
 * Both give the same bytes for the same question, but for who asks: a server
 * masks by the token it is shown, a data directory always as for a viewer.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "server/base/config.h"
#include "server/serve/list_source.h"

#define ASK_URL_DEFAULT "http://127.0.0.1:9559"

struct ask;

/*
 *   config  data, dict, token_file, ca and others; borrowed until ask_close
 *   url     the server; NULL: the directory of --data, or ASK_URL_DEFAULT when
 *           there is none
 *   wait_s  how long to wait for a server, > 0
 *   out     given: ask_close. With a directory the tables are built here (about
 *           a second); with a URL nothing is connected yet.
 *
 * Errors  those of cli_client, store_open, open_dictionary
 */
enum err_code ask_open(const struct config *config,
                       const char *url,
                       unsigned wait_s,
                       struct ask **out,
                       struct err *err) MUST_CHECK;
/* Accepts NULL. */
void ask_close(struct ask **ask);

/* What is asked: the URL or the directory; for a headline. */
const char *ask_where(const struct ask *ask);

/* Takes a piece of the answer; an error ends it. */
typedef enum err_code ask_sink(void *data, struct span piece, struct err *err);

/*
 * One list in one form (not .xlsx), as GET /v1/NAME or /v1/NAME.FORM gives it.
 *
 *   params  values as they stand, not encoded; borrowed
 *
 * Errors  those of the parameters and of the store; of a server: the code that
 *         fits its status, with its own words; TOO_LONG for an answer of more
 *         than HTTP_CLIENT_BODY_BYTES_MAX
 */
enum err_code ask_list(struct ask *ask,
                       const struct list_source *source,
                       const struct list_form *form,
                       const struct params *params,
                       ask_sink *sink,
                       void *data,
                       struct err *err) MUST_CHECK;

/* The text of /metrics; a data directory has no pipeline and no HTTP in it. */
enum err_code
ask_metrics(struct ask *ask, struct buf *out, struct err *err) MUST_CHECK;

/* The text of /v1/dictionary. */
enum err_code
ask_dictionary(struct ask *ask, struct buf *out, struct err *err) MUST_CHECK;

/* A sink whose data is a struct buf: everything in one piece. */
enum err_code ask_into_buf(void *data, struct span piece, struct err *err);

#endif /* CLI_ASK_H */
