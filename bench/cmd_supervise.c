/*
 * suqiu-bench supervise: runs a server, tells in one line of JSON when it is
 * ready, and in a second one, after SIGTERM or SIGINT or when the server ends
 * by itself, what it used.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "bench/commands.h"
#include "bench/server_process.h"

static const char usage_text[] =
    "supervise PROGRAM ARGUMENTS...\n"
    "  Starts PROGRAM (a path), prints when it is ready; ends it on SIGTERM\n"
    "  and prints what it used.\n";

static double
seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void
block_signals(sigset_t *signals)
{
    (void)sigemptyset(signals);
    (void)sigaddset(signals, SIGTERM);
    (void)sigaddset(signals, SIGINT);
    (void)sigaddset(signals, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, signals, NULL);
}

static int
report_end(struct server_process *server)
{
    struct rusage usage = {0};
    uint64_t peak_kib = server_peak_kib(server);
    int status;
    int code;

    server_end(server, SIGTERM, &status, &usage);
    code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    printf("{\"exit\":%d,\"peak_rss_kib\":%llu,\"cpu_user_seconds\":%.3f,"
           "\"cpu_system_seconds\":%.3f}\n",
           code,
           (unsigned long long)(peak_kib > 0 ? peak_kib
                                             : (uint64_t)usage.ru_maxrss),
           seconds_of(usage.ru_utime), seconds_of(usage.ru_stime));
    (void)fflush(stdout);
    return code == 0 ? BENCH_FINE : BENCH_FAILED;
}

int
cmd_supervise(int argc, char **argv)
{
    struct server_process server = {.out_fd = -1};
    struct err err = {0};
    sigset_t signals;
    int status;

    if (argc < 2 || strncmp(argv[1], "--", 2) == 0) {
        return bench_usage(usage_text, false,
                           argc > 1 && strcmp(argv[1], "--help") == 0);
    }
    block_signals(&signals);
    if (server_spawn(argv + 1, &server, &err) != ERR_OK ||
        server_await_ports(&server, &err) != ERR_OK ||
        server_await_ready(&server, &err) != ERR_OK) {
        server_end(&server, SIGKILL, &status, NULL);
        return bench_fail(&err);
    }
    printf("{\"pid\":%ld,\"http\":%u,\"feed\":%u,\"listening_us\":%lld,"
           "\"ready_us\":%lld}\n",
           (long)server.pid, (unsigned)server.http_port,
           (unsigned)server.feed_port, (long long)server.listening_us,
           (long long)server.ready_us);
    (void)fflush(stdout);
    while (sigwaitinfo(&signals, NULL) < 0 && errno == EINTR) {
    }
    return report_end(&server);
}
