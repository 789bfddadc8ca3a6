/* Starts, asks and ends a server. */
#include "bench/server_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    READY_LINE_BYTES_MAX = 4096,
    ANSWER_BYTES_MAX = 64 * 1024,
    GET_TIMEOUT_S = 30
};

int64_t
server_now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* In the child; never returns. */
static void
become(char *const *argv, int out_fd, pid_t parent)
{
    sigset_t none;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (getppid() != parent || dup2(out_fd, STDOUT_FILENO) < 0) {
        _exit(126);
    }
    (void)execv(argv[0], argv);
    _exit(127);
}

enum err_code
server_spawn(char *const *argv, struct server_process *out, struct err *err)
{
    pid_t self = getpid();
    int ends[2];

    *out = (struct server_process){.out_fd = -1};
    if (pipe(ends) != 0) {
        return err_set(err, ERR_IO, "pipe: %s", strerror(errno));
    }
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    out->start_us = server_now_us();
    out->pid = fork();
    if (out->pid == 0) {
        become(argv, ends[1], self);
    }
    (void)close(ends[1]);
    if (out->pid < 0) {
        out->pid = 0;
        (void)close(ends[0]);
        return err_set(err, ERR_IO, "fork: %s", strerror(errno));
    }
    out->out_fd = ends[0];
    return ERR_OK;
}

static bool
parse_port(const char *line, const char *word, uint16_t *out)
{
    const char *at = strstr(line, word);
    unsigned port;

    if (at == NULL) {
        return false;
    }
    at += strlen(word);
    at += strcspn(at, ": \n");
    if (sscanf(at, ":%5u", &port) != 1 || port == 0 || port > 65535) {
        return false;
    }
    *out = (uint16_t)port;
    return true;
}

static enum err_code
read_ready_line(struct server_process *process, struct err *err)
{
    int64_t deadline_us = server_now_us() + SERVER_START_MS_MAX * INT64_C(1000);
    char line[READY_LINE_BYTES_MAX];
    size_t used = 0;

    for (;;) {
        struct pollfd poll_fd = {.fd = process->out_fd, .events = POLLIN};
        int64_t left_ms = (deadline_us - server_now_us()) / 1000;
        ssize_t got;

        if (left_ms <= 0 || poll(&poll_fd, 1, (int)left_ms) == 0) {
            return err_set(err, ERR_IO, "the server did not say it is ready");
        }
        got = read(process->out_fd, line + used, sizeof(line) - 1 - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0 || used + (size_t)got == sizeof(line) - 1) {
            return err_set(err, ERR_IO, "the server ended while starting");
        }
        used += (size_t)got;
        line[used] = '\0';
        if (strchr(line, '\n') == NULL) {
            continue;
        }
        return parse_port(line, "http://", &process->http_port) &&
                       parse_port(line, "feed ", &process->feed_port)
                   ? ERR_OK
                   : err_set(err, ERR_IO, "no ports in what the server said");
    }
}

enum err_code
server_await_ports(struct server_process *process, struct err *err)
{
    if (read_ready_line(process, err) == ERR_OK) {
        process->listening_us = server_now_us() - process->start_us;
    }
    return err->code;
}

enum err_code
server_await_ready(struct server_process *process, struct err *err)
{
    const struct timespec moment = {0, 500000};
    int status;

    while ((status = server_get(process->http_port, "/readyz", NULL, 0)) ==
               503 &&
           server_now_us() - process->start_us <
               SERVER_START_MS_MAX * INT64_C(1000)) {
        (void)nanosleep(&moment, NULL);
    }
    process->ready_us = server_now_us() - process->start_us;
    return status == 200 ? ERR_OK
                         : err_set(err, ERR_IO, "/readyz answers %d", status);
}

void
server_end(struct server_process *process,
           int signal_number,
           int *status,
           struct rusage *usage)
{
    *status = 0;
    if (process->pid > 0) {
        (void)kill(process->pid, signal_number);
        while (wait4(process->pid, status, 0, usage) < 0 && errno == EINTR) {
        }
        process->pid = 0;
    }
    if (process->out_fd >= 0) {
        (void)close(process->out_fd);
        process->out_fd = -1;
    }
}

uint64_t
server_peak_kib(const struct server_process *process)
{
    char path[64];
    char line[256];
    unsigned long long kib = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)process->pid);
    file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "VmHWM: %llu", &kib) == 1) {
            break;
        }
    }
    (void)fclose(file);
    return kib;
}

/* --- HTTP --------------------------------------------------------------- */

static int
open_http(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval timeout = {GET_TIMEOUT_S, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 &&
        (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) !=
             0 ||
         connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static size_t
read_answer(int fd, char *answer, size_t room)
{
    size_t used = 0;

    while (used < room) {
        ssize_t got = recv(fd, answer + used, room - used, 0);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
    }
    return used;
}

int
server_get(uint16_t http_port, const char *path, char *body, size_t body_room)
{
    char *answer = malloc(ANSWER_BYTES_MAX);
    int fd = answer != NULL ? open_http(http_port) : -1;
    char request[1024];
    int bytes = snprintf(request, sizeof(request),
                         "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                         "Connection: close\r\n\r\n",
                         path);
    int status = 0;

    if (fd >= 0 && bytes > 0 && (size_t)bytes < sizeof(request) &&
        send(fd, request, (size_t)bytes, MSG_NOSIGNAL) == bytes) {
        size_t used = read_answer(fd, answer, ANSWER_BYTES_MAX - 1);
        const char *head_end;

        answer[used] = '\0';
        head_end = strstr(answer, "\r\n\r\n");
        if (sscanf(answer, "HTTP/1.1 %3d", &status) != 1 || head_end == NULL) {
            status = 0;
        } else if (body_room > 0) {
            (void)snprintf(body, body_room, "%s", head_end + 4);
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(answer);
    return status;
}
