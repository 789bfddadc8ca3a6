/*
 * suqiu-bench http, http-single: POST /v1/records in a closed loop; http-single
 * beside an empty evhttp handler, alternated: server, empty, empty, server.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/commands.h"
#include "bench/empty_server.h"
#include "bench/http_load.h"

enum { FLAG_PORT = FLAG_OWN, FLAG_CONNECTIONS, FLAG_BULK };

static const struct option flags[] = {
    {"port", required_argument, NULL, FLAG_PORT},
    {"connections", required_argument, NULL, FLAG_CONNECTIONS},
    {"bulk", required_argument, NULL, FLAG_BULK},
    STREAM_FLAGS,
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "http | http-single --port P --count N\n"
    "  --port P               of the HTTP server on 127.0.0.1\n"
    "  --connections N        kept, a request in flight on each (http 4,\n"
    "                         http-single 64)\n"
    "  --bulk N               http: lines a request (500)\n";

static void
print_result(const char *target,
             const struct http_load_options *options,
             const struct http_load_result *result)
{
    const struct histogram *answer = &result->answer_us;

    printf("{\"target\":\"%s\",\"requests\":%llu,\"lines\":%llu,"
           "\"seconds\":%.4f,\"requests_per_second\":%.0f,"
           "\"lines_per_second\":%.0f,\"connections\":%u,"
           "\"lines_per_request\":%zu,",
           target, (unsigned long long)result->requests,
           (unsigned long long)result->lines, result->seconds,
           (double)result->requests / result->seconds,
           (double)result->lines / result->seconds, options->connections,
           options->lines_per_request);
    printf("\"answers_2xx\":%llu,\"answers_4xx\":%llu,\"answer_us\":{"
           "\"p50\":%llu,\"p90\":%llu,\"p99\":%llu,\"p99.9\":%llu,"
           "\"max\":%llu},\"client_cpu_seconds\":%.3f}\n",
           (unsigned long long)result->statuses[2],
           (unsigned long long)result->statuses[4],
           (unsigned long long)histogram_percentile(answer, 50),
           (unsigned long long)histogram_percentile(answer, 90),
           (unsigned long long)histogram_percentile(answer, 99),
           (unsigned long long)histogram_percentile(answer, 99.9),
           (unsigned long long)answer->max, result->cpu_seconds);
    (void)fflush(stdout);
}

static enum err_code
one_run(const char *target,
        const struct lines *lines,
        const struct http_load_options *options,
        double *rate,
        struct err *err)
{
    struct http_load_result *result = calloc(1, sizeof(*result));

    if (result == NULL) {
        return err_set(err, ERR_NO_MEMORY, "client");
    }
    if (http_load_run(lines, options, result, err) == ERR_OK) {
        print_result(target, options, result);
        *rate = (double)result->requests / result->seconds;
    }
    free(result);
    return err->code;
}

/* Half of the lines each time: a store takes a line only once. */
static enum err_code
run_beside(const struct lines *lines,
           struct http_load_options options,
           struct err *err)
{
    static const int order[] = {0, 1, 1, 0};
    uint16_t ports[2] = {options.port, 0};
    double rates[2] = {0, 0};
    size_t half = lines->count / 2;
    size_t own = 0;
    pid_t pid = 0;

    if (empty_server_start(&pid, &ports[1], err) != ERR_OK) {
        return err->code;
    }
    options.count = half;
    for (size_t i = 0; i < 4 && err->code == ERR_OK; i++) {
        double rate = 0;

        options.port = ports[order[i]];
        options.first = order[i] == 0 ? own++ * half : 0;
        (void)!one_run(order[i] == 0 ? "suqiu" : "empty evhttp", lines,
                       &options, &rate, err);
        rates[order[i]] += rate / 2;
    }
    empty_server_end(pid);
    if (err->code == ERR_OK) {
        printf("{\"target\":\"ratio\",\"requests_per_second_mean\":%.0f,"
               "\"empty_per_second_mean\":%.0f,\"ratio_to_empty\":%.3f}\n",
               rates[0], rates[1], rates[0] / rates[1]);
    }
    return err->code;
}

static enum err_code
run(bool single,
    const char *const values[3],
    const struct stream_flags *stream,
    struct err *err)
{
    struct generate_options generate;
    struct lines lines = {0};
    uint64_t port = 0;
    uint64_t connections = single ? 64 : 4;
    uint64_t bulk = single ? 1 : 500;
    double rate;

    if (values[0] == NULL) {
        return err_set(err, ERR_USAGE, "say which port: --port P");
    }
    (void)flag_number("port", values[0], 1, 65535, &port, err);
    if (values[1] != NULL) {
        (void)flag_number("connections", values[1], 1,
                          HTTP_LOAD_CONNECTIONS_MAX, &connections, err);
    }
    if (values[2] != NULL) {
        (void)flag_number("bulk", values[2], 1, 100000, &bulk, err);
    }
    if (err->code == ERR_OK &&
        stream_flags_settle(stream, &generate, err) == ERR_OK &&
        lines_generate(&lines, &generate, err) == ERR_OK) {
        struct http_load_options options = {.host = "127.0.0.1",
                                            .port = (uint16_t)port,
                                            .path = "/v1/records",
                                            .connections =
                                                (unsigned)connections,
                                            .count = lines.count,
                                            .lines_per_request = (size_t)bulk};

        (void)!(single ? run_beside(&lines, options, err)
                       : one_run("suqiu", &lines, &options, &rate, err));
    }
    lines_release(&lines);
    return err->code;
}

int
cmd_http(int argc, char **argv)
{
    const char *values[3] = {NULL, NULL, NULL};
    struct stream_flags stream = {0};
    struct err err = {0};
    int flag;

    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag >= FLAG_OWN) {
            values[flag - FLAG_OWN] = optarg;
        } else if (!stream_flag_take(&stream, flag, optarg)) {
            return bench_usage(usage, true, flag == FLAG_HELP);
        }
    }
    if (optind != argc) {
        return bench_usage(usage, true, false);
    }
    return run(strcmp(argv[0], "http-single") == 0, values, &stream, &err) ==
                   ERR_OK
               ? BENCH_FINE
               : bench_fail(&err);
}
