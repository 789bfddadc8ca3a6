/*
 * feed_client: a closed loop: send lines as fast as the server takes them, with
 * a bounded number of bytes that are not acknowledged yet, and time the
 * acknowledgements.
 *
 * One thread, epoll, large writes straight from memory, so that the client
 * takes little of the machine it shares with the server.
 */
#ifndef BENCH_FEED_CLIENT_H
#define BENCH_FEED_CLIENT_H

#include <stdint.h>

#include "analyzers/err.h"
#include "bench/histogram.h"
#include "bench/lines.h"

enum {
    FEED_CONNECTIONS_MAX = 256,
    FEED_BLOCK_LINES = 500, /* lines are dealt to connections in blocks */
    FEED_SILENCE_MS_MAX = 60000
};

struct feed_client_options {
    const char *host; /* numeric address */
    uint16_t port;
    unsigned connections;
    size_t window_bytes; /* not acknowledged, a connection */
};

struct feed_client_result {
    uint64_t lines; /* all of them acknowledged */
    uint64_t bytes;
    uint64_t acks; /* answers that acknowledge: committed batches */
    uint64_t refused;
    double seconds; /* first byte sent to last acknowledgement */
    double cpu_seconds;
    struct histogram ack_us; /* a line: given to the kernel until acked */
};

/*
 * Send all of `lines` and wait for every acknowledgement.
 * Errors  IO: no connection, broken, silent for FEED_SILENCE_MS_MAX, or an
 *         answer that the contract does not allow; NO_MEMORY
 */
enum err_code feed_client_run(const struct lines *lines,
                              const struct feed_client_options *options,
                              struct feed_client_result *out,
                              struct err *err) MUST_CHECK;

/* What one answer line says. */
struct feed_answer {
    bool is_ack;   /* else a refused line */
    uint64_t line; /* acknowledged up to, or refused */
};

/* False: not an answer of the feed. */
bool feed_answer_parse(const char *data, size_t bytes, struct feed_answer *out);

/* A connected, non-blocking socket, or -1 with errno. */
int feed_connect(const char *host, uint16_t port);

#endif /* BENCH_FEED_CLIENT_H */
