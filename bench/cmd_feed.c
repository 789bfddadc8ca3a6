/* suqiu-bench feed: one run of the closed loop, one line of JSON. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/commands.h"
#include "bench/feed_client.h"

enum {
    FLAG_PORT = FLAG_OWN,
    FLAG_HOST,
    FLAG_FILE,
    FLAG_CONNECTIONS,
    FLAG_WINDOW,
    FLAG_TRUTH
};

static const struct option flags[] = {
    {"port", required_argument, NULL, FLAG_PORT},
    {"host", required_argument, NULL, FLAG_HOST},
    {"file", required_argument, NULL, FLAG_FILE},
    {"connections", required_argument, NULL, FLAG_CONNECTIONS},
    {"window", required_argument, NULL, FLAG_WINDOW},
    {"truth", required_argument, NULL, FLAG_TRUTH},
    STREAM_FLAGS,
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "feed --port P [--count N | --file FILE]\n"
    "  --port P               of the feed\n"
    "  --host ADDRESS         numeric (127.0.0.1)\n"
    "  --connections N        at the same time (1)\n"
    "  --window BYTES         not acknowledged, a connection (8388608)\n"
    "  --file FILE            send these lines instead of generated ones\n"
    "  --truth FILE           what must be counted\n";

struct feed_flags {
    const char *port;
    const char *host;
    const char *file;
    const char *connections;
    const char *window;
    const char *truth;
    struct stream_flags stream;
};

static void
print_result(const struct feed_client_options *options,
             const struct generate_truth *truth,
             const struct feed_client_result *result)
{
    const struct histogram *ack = &result->ack_us;
    double seconds = result->seconds > 0 ? result->seconds : 1e-9;

    printf("{\"lines\":%llu,\"tickets\":%llu,\"bytes\":%llu,\"seconds\":%.4f,"
           "\"lines_per_second\":%.0f,\"tickets_per_second\":%.0f,"
           "\"megabytes_per_second\":%.1f,\"refused\":%llu,",
           (unsigned long long)result->lines,
           (unsigned long long)truth->tickets,
           (unsigned long long)result->bytes, result->seconds,
           (double)result->lines / seconds, (double)truth->tickets / seconds,
           (double)result->bytes / seconds / 1e6,
           (unsigned long long)result->refused);
    printf("\"connections\":%u,\"window_bytes\":%zu,\"acks\":%llu,"
           "\"lines_per_ack\":%.0f,\"ack_us\":{\"p50\":%llu,\"p90\":%llu,"
           "\"p99\":%llu,\"p99.9\":%llu,\"max\":%llu},"
           "\"client_cpu_seconds\":%.3f}\n",
           options->connections, options->window_bytes,
           (unsigned long long)result->acks,
           result->acks > 0 ? (double)result->lines / (double)result->acks : 0,
           (unsigned long long)histogram_percentile(ack, 50),
           (unsigned long long)histogram_percentile(ack, 90),
           (unsigned long long)histogram_percentile(ack, 99),
           (unsigned long long)histogram_percentile(ack, 99.9),
           (unsigned long long)ack->max, result->cpu_seconds);
}

static enum err_code
write_truth(const char *path,
            const struct generate_truth *truth,
            const struct generate_options *options,
            struct err *err)
{
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        return err_set(err, ERR_IO, "cannot write %s", path);
    }
    generate_truth_print(truth, options, file);
    return fclose(file) == 0 ? ERR_OK
                             : err_set(err, ERR_IO, "cannot write %s", path);
}

static enum err_code
load(const struct feed_flags *given, struct lines *lines, struct err *err)
{
    struct generate_options options;

    if (given->file != NULL) {
        return lines_read(lines, given->file, err);
    }
    if (stream_flags_settle(&given->stream, &options, err) != ERR_OK ||
        lines_generate(lines, &options, err) != ERR_OK) {
        return err->code;
    }
    return given->truth == NULL
               ? ERR_OK
               : write_truth(given->truth, &lines->truth, &options, err);
}

static enum err_code
settle(const struct feed_flags *given,
       struct feed_client_options *options,
       struct err *err)
{
    uint64_t port = 0;
    uint64_t connections = 1;
    uint64_t window = 8 * 1024 * 1024;

    if (given->port == NULL) {
        return err_set(err, ERR_USAGE, "say which port: --port P");
    }
    if (flag_number("port", given->port, 1, 65535, &port, err) != ERR_OK ||
        (given->connections != NULL &&
         flag_number("connections", given->connections, 1, FEED_CONNECTIONS_MAX,
                     &connections, err) != ERR_OK) ||
        (given->window != NULL &&
         flag_number("window", given->window, 16384, UINT64_C(1) << 40, &window,
                     err) != ERR_OK)) {
        return err->code;
    }
    *options = (struct feed_client_options){
        .host = given->host != NULL ? given->host : "127.0.0.1",
        .port = (uint16_t)port,
        .connections = (unsigned)connections,
        .window_bytes = (size_t)window};
    return ERR_OK;
}

static enum err_code
run(const struct feed_flags *given, struct err *err)
{
    struct feed_client_options options;
    struct feed_client_result *result = calloc(1, sizeof(*result));
    struct lines lines = {0};

    if (result == NULL) {
        return err_set(err, ERR_NO_MEMORY, "client");
    }
    if (settle(given, &options, err) == ERR_OK &&
        load(given, &lines, err) == ERR_OK &&
        feed_client_run(&lines, &options, result, err) == ERR_OK) {
        print_result(&options, &lines.truth, result);
    }
    lines_release(&lines);
    free(result);
    return err->code;
}

int
cmd_feed(int argc, char **argv)
{
    struct feed_flags given = {0};
    const char **values[] = {&given.port,        &given.host,   &given.file,
                             &given.connections, &given.window, &given.truth};
    struct err err = {0};
    int flag;

    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag >= FLAG_OWN) {
            *values[flag - FLAG_OWN] = optarg;
        } else if (!stream_flag_take(&given.stream, flag, optarg)) {
            return bench_usage(usage, true, flag == FLAG_HELP);
        }
    }
    if (optind != argc) {
        return bench_usage(usage, true, false);
    }
    return run(&given, &err) == ERR_OK ? BENCH_FINE : bench_fail(&err);
}
