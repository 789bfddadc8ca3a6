/* As a service: the manager is told, the log is JSON and names nobody, the
 * monitoring files name metrics that are there. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "server/base/clock.h"
#include "tests/lib/read_file.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

static struct temp_dir dir;
static struct server_process server;
static char data[128];

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
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

/* --- the service manager -------------------------------------------------- */

static int
manager_open(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_true(strlen(path) < sizeof(address.sun_path));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    return fd;
}

/* Read messages until one begins with `words`. */
static void
manager_wait(int fd, const char *words)
{
    const int64_t until_us = clock_mono_us() + 30000000;
    char message[512];
    ssize_t got;

    do {
        struct pollfd item = {.fd = fd, .events = POLLIN};

        if (poll(&item, 1, 30000) != 1 || clock_mono_us() > until_us) {
            fail_msg("the manager was not told %s", words);
        }
        got = recv(fd, message, sizeof(message) - 1, 0);
        assert_true(got > 0);
        message[got] = '\0';
    } while (strncmp(message, words, strlen(words)) != 0);
}

static void
the_manager_is_told_of_start_life_and_end(void **state)
{
    int fd = manager_open(temp_dir_path(&dir, "notify"));

    (void)state;
    assert_int_equal(setenv("WATCHDOG_USEC", "200000", 1), 0);
    server_process_start(&server, data, NULL);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
    manager_wait(fd, "READY=1\nSTATUS=");
    manager_wait(fd, "WATCHDOG=1");
    manager_wait(fd, "WATCHDOG=1");
    assert_int_equal(kill(server.pid, SIGTERM), 0);
    manager_wait(fd, "STOPPING=1");
    assert_int_equal(server_process_stop(&server), 0);
    (void)close(fd);
}

static void
a_loop_that_stands_is_not_told_alive(void **state)
{
    int fd = manager_open(temp_dir_path(&dir, "notify"));
    struct pollfd item = {.fd = fd, .events = POLLIN};
    char message[512];

    (void)state;
    assert_int_equal(setenv("WATCHDOG_USEC", "200000", 1), 0);
    server_process_start(&server, data, NULL);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
    manager_wait(fd, "WATCHDOG=1");
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    while (poll(&item, 1, 500) == 1) { /* what was on its way */
        assert_true(recv(fd, message, sizeof(message), 0) > 0);
    }
    assert_int_equal(poll(&item, 1, 500), 0);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    manager_wait(fd, "WATCHDOG=1");
    (void)close(fd);
}

/* --- the log -------------------------------------------------------------- */

static void
the_log_is_json_and_names_nobody(void **state)
{
    static const char *const secrets[] = {"13812345678", "张三丰", "9953788583",
                                          "文昌路8号", "三天两头停电"};
    char tables[160];
    const char *const flags[] = {"--log-format", "json", "--log-level", "debug",
                                 "--dict",       tables, NULL};
    const struct server_start how = {.flags = flags};
    struct http_client_answer answer;
    char path[200];
    char command[512];
    char *text;
    size_t lines = 0;
    FILE *file;
    size_t bytes;

    (void)state;
    /* Tables that can be spoilt while it runs. */
    (void)snprintf(tables, sizeof(tables), "%s/dict", dir.path);
    (void)snprintf(command, sizeof(command), "cp -r '%s/dict' '%s'",
                   SUQIU_SOURCE_DIR, tables);
    assert_int_equal(system(command), 0);
    server_process_start(&server, data, &how);
    assert_int_equal(
        server_process_post(
            &server, "application/x-ndjson",
            SPAN_LITERAL("{\"id\":\"L1\",\"accepted_at\":\"2018-06-01 "
                         "08:00:00\",\"caller\":\"13812345678\",\"name\":"
                         "\"张三丰\",\"customer\":\"9953788583\",\"address\":"
                         "\"文昌路8号\",\"text\":\"三天两头停电\"}\n"
                         "{\"id\":\"L2\",\"accepted_at\":\"13812345678\","
                         "\"name\":\"张三丰\"}\n张三丰 13812345678\n"),
            &answer),
        207);
    (void)snprintf(command, sizeof(command),
                   "echo 'x,y,\"z' >>'%s/calendar.csv'", tables);
    assert_int_equal(system(command), 0);
    assert_int_equal(server_process_request(&server,
                                            &(struct http_client_request){
                                                .method = "POST",
                                                .path = "/v1/admin/reload",
                                                .type = "application/json"},
                                            &answer),
                     422);
    assert_int_equal(server_process_stop(&server), 0);

    (void)snprintf(path, sizeof(path), "%s.log", data);
    text = calloc(1, 1 << 20);
    assert_non_null(text);
    file = fopen(path, "r");
    assert_non_null(file);
    bytes = fread(text, 1, (1 << 20) - 1, file);
    (void)fclose(file);
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        assert_null(strstr(text, secrets[i]));
    }
    for (struct span rest = {text, bytes}; rest.bytes > 0; lines++) {
        struct span line = span_split(&rest, '\n');

        if (!span_starts(line, SPAN_LITERAL("{\"time\":\"20")) ||
            line.data[line.bytes - 1] != '}') {
            fail_msg("no JSON: %.*s", SPAN_ARGS(line));
        }
    }
    assert_true(lines >= 2);
    assert_non_null(strstr(text, "\"level\":\"info\",\"module\":\"serve\","
                                 "\"message\":\"stopping\"}"));
    free(text);
}

/* --- monitoring ----------------------------------------------------------- */

static void
post_file(const char *path)
{
    struct http_client_answer answer;
    struct span bytes = read_source_file(path);

    assert_int_equal(
        server_process_post(&server, "application/x-ndjson", bytes, &answer),
        200);
    free((char *)(uintptr_t)bytes.data);
}

/* Every suqiu_… of the file, with its first label, is in the metrics; returns
 * how many there were. */
static size_t
check_names(const char *path, struct span metrics)
{
    struct span text = read_source_file(path);
    struct span prefix = SPAN_LITERAL("suqiu_");
    size_t count = 0;
    size_t at = 0;

    while ((at = span_find(text, prefix, at)) != SIZE_MAX) {
        char wanted[100] = "\n";
        size_t bytes = 0;

        while (strchr("abcdefghijklmnopqrstuvwxyz_0123456789",
                      text.data[at + bytes]) != NULL) {
            bytes++;
        }
        assert_true(bytes < sizeof(wanted) - 4);
        (void)snprintf(wanted, sizeof(wanted), "\n%.*s", (int)bytes,
                       text.data + at);
        if (!span_holds(metrics, strcat(wanted, " ")) &&
            (wanted[bytes + 1] = '{', !span_holds(metrics, wanted))) {
            fail_msg("%s names %.*s, which /metrics has not", path, (int)bytes,
                     text.data + at);
        }
        count++;
        at += bytes;
    }
    free((char *)(uintptr_t)text.data);
    return count;
}

static void
the_monitoring_files_name_metrics_that_are_there(void **state)
{
    struct http_client_answer answer;

    (void)state;
    server_process_start(&server, data, NULL);
    post_file("tests/data/sample/quarter.ndjson");
    post_file("tests/data/sample/events.ndjson");
    assert_int_equal(
        server_process_post(&server, "application/x-ndjson",
                            SPAN_LITERAL("{\"id\":\"N\",\"type\":\"complaint\","
                                         "\"accepted_at\":\"2098-06-01 "
                                         "08:00:00\",\"text\":\"停电\"}\n"),
                            &answer),
        200);
    assert_int_equal(
        server_process_request(
            &server,
            &(struct http_client_request){.method = "GET", .path = "/metrics"},
            &answer),
        200);
    assert_true(check_names("docs/monitoring/suqiu-alerts.yml", answer.body) >
                10);
    assert_true(
        check_names("docs/monitoring/suqiu-dashboard.json", answer.body) > 20);
    assert_int_equal(server_process_stop(&server), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_manager_is_told_of_start_life_and_end),
        TEST(a_loop_that_stands_is_not_told_alive),
        TEST(the_log_is_json_and_names_nobody),
        TEST(the_monitoring_files_name_metrics_that_are_there),
    };

    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
