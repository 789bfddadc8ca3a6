/* Starts, stops and asks the real program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/ledger/reader.h"
#include "tests/lib/server_process.h"

enum { ARGS_MAX = PROCESS_FLAGS_MAX + 12 };

/* Wait for a descriptor; fails the test when nothing comes. */
static void
wait_readable(int fd, const char *what)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};

    if (poll(&item, 1, PROCESS_PATIENCE_MS) != 1) {
        fail_msg("waited too long for %s", what);
    }
}

static void
in_child(uint64_t file_bytes_max)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (file_bytes_max > 0) {
        const struct rlimit limit = {file_bytes_max, RLIM_INFINITY};

        (void)setrlimit(RLIMIT_FSIZE, &limit);
    }
}

/* Fork and run; the child's standard output is *out_fd. */
static pid_t
spawn(const char *const *args,
      int in_fd,
      int err_fd,
      uint64_t file_bytes_max,
      int *out_fd)
{
    int pipe_fds[2];
    pid_t pid;

    assert_int_equal(pipe(pipe_fds), 0);
    (void)fcntl(pipe_fds[0], F_SETFD, FD_CLOEXEC);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        in_child(file_bytes_max);
        if (in_fd >= 0) {
            (void)dup2(in_fd, STDIN_FILENO);
        }
        (void)dup2(err_fd >= 0 ? err_fd : pipe_fds[1], STDERR_FILENO);
        (void)dup2(pipe_fds[1], STDOUT_FILENO);
        (void)close(pipe_fds[1]);
        (void)execv(SUQIU_BINARY, (char *const *)(uintptr_t)args);
        _exit(127);
    }
    (void)close(pipe_fds[1]);
    *out_fd = pipe_fds[0];
    return pid;
}

static int
wait_for_exit(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0) {
        assert_int_equal(errno, EINTR);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- the server --------------------------------------------------------- */

static void
show_log(const char *path)
{
    char text[4096];
    FILE *file = fopen(path, "r");
    size_t bytes = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;

    text[bytes] = '\0';
    print_error("%s", text);
    if (file != NULL) {
        (void)fclose(file);
    }
}

static void
read_ports(struct server_process *server)
{
    char path[300];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/ports", server->dir);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(
        fscanf(file, "http=%u feed=%u", &server->http_port, &server->feed_port),
        2);
    (void)fclose(file);
}

void
server_process_start(struct server_process *server,
                     const char *dir,
                     const struct server_start *how)
{
    const char *args[ARGS_MAX] = {SUQIU_BINARY,  "serve", "--data",      dir,
                                  "--http-port", "0",     "--feed-port", "0",
                                  "--auth",      "off"};
    char log_path[300];
    char ready[512];
    size_t used = 0;
    int count = 10;
    int out_fd;
    int err_fd;

    *server = (struct server_process){0};
    (void)snprintf(server->dir, sizeof(server->dir), "%s", dir);
    for (size_t i = 0;
         how != NULL && how->flags != NULL && how->flags[i] != NULL; i++) {
        assert_true(count < ARGS_MAX - 1);
        args[count++] = how->flags[i];
    }
    (void)snprintf(log_path, sizeof(log_path), "%s.log", dir);
    err_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(err_fd >= 0);
    server->pid =
        spawn(args, -1, err_fd, how != NULL ? how->file_bytes_max : 0, &out_fd);
    (void)close(err_fd);
    do {
        ssize_t got;

        wait_readable(out_fd, "the server to be ready");
        got = read(out_fd, ready + used, sizeof(ready) - 1 - used);
        if (got <= 0) {
            show_log(log_path);
            fail_msg("the server did not start, exit code %d",
                     wait_for_exit(server->pid));
        }
        used += (size_t)got;
        ready[used] = '\0';
    } while (strchr(ready, '\n') == NULL);
    (void)close(out_fd);
    assert_non_null(strstr(ready, "is ready"));
    (void)snprintf(server->ready, sizeof(server->ready), "%s", ready);
    read_ports(server);
}

int
server_process_stop(struct server_process *server)
{
    int exit_code;

    assert_true(server->pid > 0);
    assert_int_equal(kill(server->pid, SIGTERM), 0);
    exit_code = wait_for_exit(server->pid);
    server->pid = 0;
    return exit_code;
}

void
server_process_kill(struct server_process *server)
{
    assert_true(server->pid > 0);
    assert_int_equal(kill(server->pid, SIGKILL), 0);
    assert_int_equal(wait_for_exit(server->pid), 128 + SIGKILL);
    server->pid = 0;
}

/* --- commands ----------------------------------------------------------- */

int
run_suqiu(const char *const *args, struct span input, char **out)
{
    const char *all[ARGS_MAX] = {SUQIU_BINARY};
    FILE *in = tmpfile();
    char *text = malloc(PROCESS_OUT_BYTES);
    size_t used = 0;
    int out_fd;
    pid_t pid;

    assert_non_null(in);
    assert_non_null(text);
    for (int i = 0; args[i] != NULL; i++) {
        assert_true(i < ARGS_MAX - 2);
        all[i + 1] = args[i];
    }
    if (input.bytes > 0) {
        assert_int_equal(fwrite(input.data, 1, input.bytes, in), input.bytes);
    }
    assert_int_equal(fflush(in), 0);
    assert_int_equal(lseek(fileno(in), 0, SEEK_SET), 0);
    pid = spawn(all, fileno(in), -1, 0, &out_fd);
    for (;;) {
        ssize_t got;

        wait_readable(out_fd, "the command's output");
        got = read(out_fd, text + used, PROCESS_OUT_BYTES - 1 - used);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
    }
    text[used] = '\0';
    (void)close(out_fd);
    (void)fclose(in);
    if (out != NULL) {
        *out = text;
    } else {
        free(text);
    }
    return wait_for_exit(pid);
}

/* --- questions ---------------------------------------------------------- */

unsigned
server_process_request(const struct server_process *server,
                       const struct http_client_request *request,
                       struct http_client_answer *answer)
{
    static struct http_client *client;
    struct err err = {0};
    char url[64];

    http_client_free(&client);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", server->http_port);
    if (http_client_new(url, PROCESS_PATIENCE_MS / 1000, &client, &err) !=
            ERR_OK ||
        http_client_send(client, request, answer, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    return answer->status;
}

unsigned
server_process_post(const struct server_process *server,
                    const char *type,
                    struct span body,
                    struct http_client_answer *answer)
{
    const struct http_client_request request = {
        .method = "POST", .path = "/v1/records", .type = type, .body = body};

    return server_process_request(server, &request, answer);
}

uint64_t
json_number(struct span object, const char *name)
{
    char key[64];
    size_t at;

    (void)snprintf(key, sizeof(key), "\"%s\":", name);
    at = span_find(object, span_of(key), 0);
    if (at == SIZE_MAX) {
        fail_msg("no %s in %.*s", key, SPAN_ARGS(object));
    }
    return strtoull(object.data + at + strlen(key), NULL, 10);
}

bool
span_holds(struct span text, const char *wanted)
{
    return span_find(text, span_of(wanted), 0) != SIZE_MAX;
}

struct ledger_totals
store_totals(const char *dir)
{
    const struct store_options options = {UINT64_C(64) << 30};
    struct store *store = NULL;
    struct reader reader;
    struct ledger_totals totals;
    struct err err = {0};

    if (store_open(dir, STORE_READ, &options, &store, &err) != ERR_OK ||
        reader_begin(store, &reader, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    totals = reader_totals(&reader);
    reader_end(&reader);
    store_close(&store);
    return totals;
}
