/*
 * server_process: the real server as a child: start, wait until it is ready,
 * ask it, kill it. For measurements and for the crash test.
 */
#ifndef BENCH_SERVER_PROCESS_H
#define BENCH_SERVER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "analyzers/err.h"

enum { SERVER_START_MS_MAX = 60000 };

/* Zeroed is "not started". */
struct server_process {
    pid_t pid;        /* 0: not running */
    int64_t start_us; /* when it was forked */
    int out_fd;       /* its standard output; read to the "is ready" line */
    uint16_t http_port;
    uint16_t feed_port;
    int64_t listening_us; /* from fork to the line with the ports */
    int64_t ready_us;     /* from fork to /readyz: 200 */
};

/* Monotonic microseconds. */
int64_t server_now_us(void);

/* Fork and exec argv (NULL-terminated). The child dies with its parent.
 * Errors  IO */
enum err_code server_spawn(char *const *argv,
                           struct server_process *out,
                           struct err *err) MUST_CHECK;

/*
 * Wait for the line "... is ready: http://HOST:PORT  feed HOST:PORT ...".
 * Errors  IO: it ended or said nothing for SERVER_START_MS_MAX
 */
enum err_code server_await_ports(struct server_process *process,
                                 struct err *err) MUST_CHECK;

/* Then, until /readyz answers 200. Errors  IO: another answer than 200 or 503,
 * or SERVER_START_MS_MAX are over */
enum err_code server_await_ready(struct server_process *process,
                                 struct err *err) MUST_CHECK;

/* Send a signal, wait for the end; *status as waitpid, *usage may be NULL. */
void server_end(struct server_process *process,
                int signal_number,
                int *status,
                struct rusage *usage);

/* Peak resident memory so far, from /proc; 0 if it cannot be read. */
uint64_t server_peak_kib(const struct server_process *process);

/*
 * GET `path` on 127.0.0.1. The answer's body, cut to body_room - 1 bytes and
 * ended by a zero, goes to `body` (may be NULL with body_room 0).
 * Returns the status, 0 when there was no answer.
 */
int
server_get(uint16_t http_port, const char *path, char *body, size_t body_room);

#endif /* BENCH_SERVER_PROCESS_H */
