/*
 * feed_send: the client's side of the feed: stream lines, read what comes back.
 *
 * Sending and reading go on at the same time, so neither side waits for the
 * other. Lines that were not acknowledged when the connection broke may be on
 * disk or not: send them again, what is there counts as a duplicate.
 *
 * Effects   one blocking TCP connection
 */
#ifndef INGEST_FEED_SEND_H
#define INGEST_FEED_SEND_H

#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

struct tls_trust; /* server/base/tls_client.h */

struct feed_send_counts {
    uint64_t lines;        /* sent */
    uint64_t acknowledged; /* of those, on disk or on the reject list */
    uint64_t refused;      /* of those, on the reject list */
};

/* Called for each answer line that refuses a line ({"line":K,"code":…}). */
typedef void feed_send_refused(void *data, struct span answer);

/* Called now and then with the lines acknowledged so far. */
typedef void feed_send_progress(void *data, uint64_t acknowledged);

struct feed_send_options {
    const char *host; /* name or numeric address */
    const char *port;
    const struct tls_trust *trust; /* over TLS; NULL: in the open */
    const char *token;             /* the first line shows it; may be NULL */
    feed_send_refused *refused;    /* may be NULL */
    feed_send_progress *progress;  /* may be NULL */
    void *data;
};

/*
 * Send all lines of `bytes` over one connection and wait until every one is
 * acknowledged. A last line without a line end is sent as a line.
 *
 *   counts   added to, also on an error
 *
 * Errors  BAD_VALUE (the server lets nobody in without a token, or not with
 *         this one: its own words; a certificate that is not accepted), IO
 *         (cannot connect; the connection broke before the last
 *         acknowledgement: the detail says how many lines were acknowledged),
 *         BUSY (no TLS handshake in time), NO_MEMORY
 */
enum err_code feed_send(const struct feed_send_options *options,
                        struct span bytes,
                        struct feed_send_counts *counts,
                        struct err *err) MUST_CHECK;

#endif /* INGEST_FEED_SEND_H */
