/* suqiu top against a real server, and in a real terminal. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "analyzers/ticket.h"
#include "server/base/clock.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

enum { SCREEN_BYTES = 256 * 1024, TERMINAL_PATIENCE_MS = 30000 };

static struct temp_dir dir;
static struct server_process server;
static char data[128];
static char url[64];

static void
post_today(unsigned first, unsigned count)
{
    struct http_client_answer answer;
    char time[TICKET_TIME_BYTES];
    char line[512];

    (void)ticket_time_format(clock_now_us() / 1000000 * 1000000, time);
    for (unsigned i = first; i < first + count; i++) {
        int bytes = snprintf(line, sizeof(line),
                             "{\"id\":\"T%u\",\"type\":\"complaint\","
                             "\"accepted_at\":\"%s\",\"region\":\"rural\","
                             "\"caller\":\"1381234%04u\","
                             "\"text\":\"三天两头停电\"}\n",
                             i, time, i);

        assert_int_equal(server_process_post(&server, "application/x-ndjson",
                                             (struct span){line, (size_t)bytes},
                                             &answer),
                         200);
    }
}

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
    server_process_start(&server, data, NULL);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.http_port);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (server.pid > 0) {
        server_process_kill(&server);
    }
    temp_dir_remove(&dir);
    return 0;
}

static char *
top(int wanted, const char *const *args)
{
    char *out;
    int code = run_suqiu(args, (struct span){NULL, 0}, &out);

    if (code != wanted) {
        fail_msg("%d: %s", code, out);
    }
    return out;
}

#define TOP(wanted, ...)                                                       \
    top((wanted), (const char *const[]){"top", __VA_ARGS__, NULL})

/* (A run over midnight would see another day; the test then runs again.) */
static void
one_look_shows_what_was_taken_in(void **state)
{
    char *out;

    (void)state;
    post_today(0, 3);
    out = TOP(0, "--url", url, "--once");
    assert_non_null(strstr(out, "受理 3  投诉 3"));
    assert_non_null(strstr(out, "供电质量投诉    0     3     0     3"));
    assert_non_null(strstr(out, "答复           3        0      0"));
    assert_non_null(strstr(out, "正常"));
    assert_null(strchr(out, '\x1b'));
    free(out);

    out = TOP(0, "--url", url, "--once", "--format", "json");
    assert_int_equal(json_number(span_of(out), "received"), 3);
    assert_int_equal(json_number(span_of(out), "batches_waiting"), 0);
    assert_non_null(strstr(out, "\"quality\":{\"unknown\":0,\"urban\":0,"
                                "\"rural\":3}"));
    free(out);

    /* The directory says the same, but for the process. */
    out = TOP(0, "--data", data, "--once");
    assert_non_null(strstr(out, "受理 3  投诉 3"));
    assert_non_null(strstr(out, "没有服务进程"));
    free(out);
}

static void
what_is_wrong_is_told_on_one_line(void **state)
{
    char *out = TOP(3, "--url", "http://127.0.0.1:1", "--once");

    (void)state;
    assert_non_null(strstr(out, "127.0.0.1:1"));
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
    free(out);
    free(TOP(2, "--url", url, "--interval", "0"));
    free(TOP(2, "--url", url, "--format", "xml"));
    free(TOP(2, "--url", url, "tickets"));
}

/* A server that goes away ends the plain lines with an error. */
static void
plain_lines_go_on_until_the_server_goes(void **state)
{
    const char *const args[] = {SUQIU_BINARY, "top",      "--url",
                                url,          "--format", "json",
                                "--interval", "1",        NULL};
    char line[16 * 1024];
    int pipe_fds[2];
    FILE *lines;
    pid_t pid;
    int status;

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(pipe_fds[1], STDOUT_FILENO);
        (void)close(pipe_fds[0]);
        (void)close(pipe_fds[1]);
        (void)execv(SUQIU_BINARY, (char *const *)(uintptr_t)args);
        _exit(127);
    }
    (void)close(pipe_fds[1]);
    lines = fdopen(pipe_fds[0], "r");
    assert_non_null(lines);
    assert_non_null(fgets(line, sizeof(line), lines));
    assert_non_null(strstr(line, "\"records_per_second\":null"));
    post_today(0, 2);
    do {
        assert_non_null(fgets(line, sizeof(line), lines));
    } while (json_number(span_of(line), "received") != 2);
    server_process_kill(&server);
    while (fgets(line, sizeof(line), lines) != NULL) {
    }
    (void)fclose(lines);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 3);
}

/* --- a terminal ---------------------------------------------------------- */

struct terminal {
    int fd;
    pid_t pid;
    char *seen; /* since the last look */
    size_t bytes;
};

static void
terminal_open(struct terminal *terminal, unsigned short columns)
{
    const struct winsize size = {.ws_row = 30, .ws_col = columns};
    const char *const args[] = {SUQIU_BINARY, "top", "--url", url,
                                "--interval", "1",   NULL};

    terminal->pid = forkpty(&terminal->fd, NULL, NULL, &size);
    assert_true(terminal->pid >= 0);
    if (terminal->pid == 0) {
        (void)setenv("TERM", "xterm", 1);
        (void)setenv("LC_ALL", "C", 1); /* the worst that a user may have */
        (void)unsetenv("LINES");
        (void)unsetenv("COLUMNS");
        (void)execv(SUQIU_BINARY, (char *const *)(uintptr_t)args);
        _exit(127);
    }
    terminal->seen = malloc(SCREEN_BYTES);
    assert_non_null(terminal->seen);
    terminal->bytes = 0;
}

/* Read until `words` have come; forgets what came before them. */
static void
terminal_wait(struct terminal *terminal, const char *words)
{
    const int64_t until_us =
        clock_mono_us() + (int64_t)TERMINAL_PATIENCE_MS * 1000;
    struct span wanted = span_of(words);
    size_t at;

    while ((at = span_find((struct span){terminal->seen, terminal->bytes},
                           wanted, 0)) == SIZE_MAX) {
        struct pollfd item = {.fd = terminal->fd, .events = POLLIN};
        ssize_t got;

        if (poll(&item, 1, PROCESS_PATIENCE_MS) != 1 ||
            terminal->bytes == SCREEN_BYTES || clock_mono_us() > until_us) {
            fail_msg("'%s' did not come, but\n%.*s", words,
                     (int)terminal->bytes, terminal->seen);
        }
        got = read(terminal->fd, terminal->seen + terminal->bytes,
                   SCREEN_BYTES - terminal->bytes);
        if (got <= 0) {
            fail_msg("it ended before '%s' came", words);
        }
        terminal->bytes += (size_t)got;
    }
    terminal->bytes -= at + wanted.bytes;
    memmove(terminal->seen, terminal->seen + at + wanted.bytes,
            terminal->bytes);
}

static void
terminal_close(struct terminal *terminal, int wanted)
{
    char rest[4096];
    int status;

    while (read(terminal->fd, rest, sizeof(rest)) > 0) {
    }
    assert_int_equal(waitpid(terminal->pid, &status, 0), terminal->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), wanted);
    (void)close(terminal->fd);
    free(terminal->seen);
}

static void
a_terminal_is_kept_up_to_date_resized_and_left_by_q(void **state)
{
    const struct winsize narrow = {.ws_row = 40, .ws_col = 60};
    struct terminal terminal;

    (void)state;
    post_today(0, 1);
    terminal_open(&terminal, 100);
    terminal_wait(&terminal, "诉求 suqiu");
    terminal_wait(&terminal, "供电质量投诉");
    /* New tickets appear by themselves. */
    post_today(1, 41);
    terminal_wait(&terminal, "42");
    /* In a narrow window the clocks go below. */
    assert_int_equal(ioctl(terminal.fd, TIOCSWINSZ, &narrow), 0);
    terminal_wait(&terminal, "\x1b[2J");
    terminal_wait(&terminal, "电网建设投诉");
    terminal_wait(&terminal, "时限环节");
    /* A server that goes away is told on the screen, which stays. */
    server_process_kill(&server);
    terminal_wait(&terminal, "无法读取");
    assert_int_equal(write(terminal.fd, "q", 1), 1);
    terminal_close(&terminal, 0);
}

static void
ctrl_c_gives_the_terminal_back(void **state)
{
    struct terminal terminal;

    (void)state;
    terminal_open(&terminal, 80);
    terminal_wait(&terminal, "今日投诉");
    assert_int_equal(kill(terminal.pid, 0), 0);
    assert_int_equal(write(terminal.fd, "\x03", 1), 1); /* Ctrl-C */
    terminal_wait(&terminal, "\x1b[?1049l"); /* the old screen is back */
    {
        int status;

        assert_int_equal(waitpid(terminal.pid, &status, 0), terminal.pid);
    }
    (void)close(terminal.fd);
    free(terminal.seen);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_look_shows_what_was_taken_in),
        TEST(what_is_wrong_is_told_on_one_line),
        TEST(plain_lines_go_on_until_the_server_goes),
        TEST(a_terminal_is_kept_up_to_date_resized_and_left_by_q),
        TEST(ctrl_c_gives_the_terminal_back),
    };

    return cmocka_run_group_tests_name("top live", tests, NULL, NULL);
}
