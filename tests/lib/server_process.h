/*
 * server_process: the real program, run by a test on ports of its own choice.
 *
 * Every wait has a limit; when it passes the test fails. A program that a test
 * leaves behind dies with it.
 */
#ifndef TESTS_LIB_SERVER_PROCESS_H
#define TESTS_LIB_SERVER_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "server/base/http_client.h"
#include "server/ledger/ledger.h"

enum {
    PROCESS_PATIENCE_MS = 60000,
    PROCESS_FLAGS_MAX = 24,
    PROCESS_OUT_BYTES = 64 * 1024
};

struct server_process {
    pid_t pid; /* 0: not running */
    char dir[256];
    unsigned http_port;
    unsigned feed_port;
    char ready[512]; /* what it printed when it was ready */
};

/* How to start; zero is the ordinary way. */
struct server_start {
    const char *const *flags; /* up to NULL; may be NULL */
    uint64_t file_bytes_max;  /* soft RLIMIT_FSIZE; 0: none */
};

/* Start `suqiu serve --data dir --auth off` and wait until it is ready; a flag
 * of `how` wins over those. */
void server_process_start(struct server_process *server,
                          const char *dir,
                          const struct server_start *how);

/* SIGTERM; returns the exit code. */
int server_process_stop(struct server_process *server);

/* SIGKILL, in the middle of whatever it does. */
void server_process_kill(struct server_process *server);

/*
 * Run the program to its end.
 *   args   after the program's name, up to NULL
 *   input  its standard input
 *   out    standard output and standard error together; given: free
 * Returns the exit code.
 */
int run_suqiu(const char *const *args, struct span input, char **out);

/* One HTTP request; the answer is good until the next one. */
unsigned server_process_request(const struct server_process *server,
                                const struct http_client_request *request,
                                struct http_client_answer *answer);

/* POST /v1/records. */
unsigned server_process_post(const struct server_process *server,
                             const char *type,
                             struct span body,
                             struct http_client_answer *answer);

/* A number of a flat JSON object, such as "accepted"; fails the test when it
 * is not there. */
uint64_t json_number(struct span object, const char *name);

/* Is this text in there? */
bool span_holds(struct span text, const char *wanted);

/* What the store of a data directory counts, also while a server runs. */
struct ledger_totals store_totals(const char *dir);

#endif /* TESTS_LIB_SERVER_PROCESS_H */
