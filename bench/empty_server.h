/*
 * empty_server: the yardstick of one ticket a request: libevent's own evhttp,
 * one thread, whose handler reads nothing and answers 200 with a few bytes.
 */
#ifndef BENCH_EMPTY_SERVER_H
#define BENCH_EMPTY_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "analyzers/err.h"

/* Fork one that listens on 127.0.0.1; it ends with its parent or by
 * empty_server_end. Errors  IO */
enum err_code
empty_server_start(pid_t *pid, uint16_t *port, struct err *err) MUST_CHECK;
void empty_server_end(pid_t pid);

#endif /* BENCH_EMPTY_SERVER_H */
