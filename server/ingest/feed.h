/*
 * feed: the TCP intake: record lines in, acknowledgements out.
 *
 * The client sends lines; the server answers {"ack":N} when the first N lines
 * of the connection are on disk (or on the reject list), one a committed batch,
 * and before it {"line":K,"code":…,"field":…,"detail":…} for every line of the
 * batch that was refused. A slow or full server stops reading and loses
 * nothing.
 *
 * With a gate the first line is {"token":"..."}, of the role feed or admin; it
 * is not counted. Without one that fits the server says why in one line and
 * closes. A feed whose token is revoked is closed the same way.
 *
 * Threads   connections are accepted on the loop given to feed_new and spread
 *           over workers; a worker reads, judges, and hands batches to the
 *           writer
 */
#ifndef INGEST_FEED_H
#define INGEST_FEED_H

#include <stdint.h>

#include "server/writer.h"

struct event_base;
struct feed;
struct gate; /* server/access/gate.h */
struct tls;  /* server/access/tls.h */

struct feed_options {
    const char *bind;  /* numeric address; borrowed */
    uint16_t port;     /* 0: the system chooses */
    unsigned workers;  /* > 0 */
    struct gate *gate; /* borrowed; NULL: everybody may send */
    struct tls *tls;   /* borrowed; NULL: plain TCP */
    unsigned connections_max;
    size_t line_bytes_max;
    size_t batch_records_max;
};

struct feed_counts {
    uint64_t connections_open;
    uint64_t connections_total;
    uint64_t connections_refused;
    uint64_t tokens_refused; /* no token, or none that fits */
    uint64_t lines;
    uint64_t bytes;
};

/*
 * Listen and start the workers. All arguments are borrowed until feed_free.
 * Errors  as listener_new; NO_MEMORY
 */
enum err_code feed_new(struct event_base *base,
                       struct writer *writer,
                       struct rulebook *rulebook,
                       const struct feed_options *options,
                       struct feed **out,
                       struct err *err) MUST_CHECK;

uint16_t feed_port(const struct feed *feed);

void feed_counts(const struct feed *feed, struct feed_counts *out);

/* Stop reading, acknowledge what was handed to the writer, close, stop the
 * threads. The writer must still run. Accepts NULL. */
void feed_free(struct feed **feed);

#endif /* INGEST_FEED_H */
