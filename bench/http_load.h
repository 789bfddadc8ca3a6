/*
 * http_load: a closed loop of POST requests: so many kept connections, one
 * request in flight on each, as fast as the server answers.
 */
#ifndef BENCH_HTTP_LOAD_H
#define BENCH_HTTP_LOAD_H

#include <stdint.h>

#include "analyzers/err.h"
#include "bench/histogram.h"
#include "bench/lines.h"

enum { HTTP_LOAD_CONNECTIONS_MAX = 1024, HTTP_LOAD_SILENCE_MS_MAX = 60000 };

struct http_load_options {
    const char *host; /* numeric address */
    uint16_t port;
    const char *path;
    unsigned connections;
    size_t first; /* lines [first, first + count) are sent */
    size_t count;
    size_t lines_per_request;
};

struct http_load_result {
    uint64_t requests;
    uint64_t lines;
    uint64_t statuses[6]; /* by the first digit */
    double seconds;
    double cpu_seconds;
    struct histogram answer_us; /* request begun until answer read */
};

/* Errors  IO: no connection, broken, silent, an answer that is no HTTP or says
 *         5xx; NO_MEMORY */
enum err_code http_load_run(const struct lines *lines,
                            const struct http_load_options *options,
                            struct http_load_result *out,
                            struct err *err) MUST_CHECK;

#endif /* BENCH_HTTP_LOAD_H */
