/*
 * suqiu-bench open: the open loop over the feed: one rate, or --sweep: rates
 * that grow until the server no longer keeps up (the knee), then half of that.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/commands.h"
#include "bench/open_loop.h"

enum {
    FLAG_PORT = FLAG_OWN,
    FLAG_RATE,
    FLAG_SECONDS,
    FLAG_CONNECTIONS,
    FLAG_SWEEP,
    FLAG_END
};

enum { RATE_MAX = 5000000, SECONDS_MAX = 3600 };

static const struct option flags[] = {
    {"port", required_argument, NULL, FLAG_PORT},
    {"rate", required_argument, NULL, FLAG_RATE},
    {"seconds", required_argument, NULL, FLAG_SECONDS},
    {"connections", required_argument, NULL, FLAG_CONNECTIONS},
    {"sweep", no_argument, NULL, FLAG_SWEEP},
    STREAM_FLAGS,
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "open --port P --rate N [--seconds S]\n"
    "  --port P               of the feed on 127.0.0.1\n"
    "  --rate N               lines a second; with --sweep the first (10000)\n"
    "  --seconds S            at each rate (5)\n"
    "  --connections N        at the same time (2)\n"
    "  --sweep                grow the rate to the knee, then half of it\n"
    "  --count N              not more lines all together (20000000)\n";

/* The knee: the highest rate with 95 % of it acknowledged in time and a 99th
 * percentile below this. */
enum { KNEE_P99_US = 250000 };

struct open {
    struct generator *generator;
    struct open_loop_options options;
    double seconds;
};

static void
print_result(const char *step,
             double rate,
             const struct open_loop_result *result)
{
    const struct histogram *ack = &result->ack_us;

    printf("{\"step\":\"%s\",\"rate\":%.0f,\"lines\":%llu,\"refused\":%llu,"
           "\"seconds\":%.4f,\"lines_per_second\":%.0f,\"gave_up\":%s,"
           "\"ack_us\":{\"p50\":%llu,\"p90\":%llu,\"p99\":%llu,\"p99.9\":%llu,"
           "\"max\":%llu},\"client_cpu_seconds\":%.3f}\n",
           step, rate, (unsigned long long)result->lines,
           (unsigned long long)result->refused, result->seconds,
           (double)result->lines / result->seconds,
           result->gave_up ? "true" : "false",
           (unsigned long long)histogram_percentile(ack, 50),
           (unsigned long long)histogram_percentile(ack, 90),
           (unsigned long long)histogram_percentile(ack, 99),
           (unsigned long long)histogram_percentile(ack, 99.9),
           (unsigned long long)ack->max, result->cpu_seconds);
    (void)fflush(stdout);
}

/* One rate; *keeps_up says whether the server did. */
static enum err_code
run_rate(struct open *open,
         const char *step,
         double rate,
         bool *keeps_up,
         struct err *err)
{
    struct open_loop_result *result = calloc(1, sizeof(*result));
    struct lines lines = {0};

    *keeps_up = false;
    if (result == NULL) {
        return err_set(err, ERR_NO_MEMORY, "client");
    }
    open->options.rate = rate;
    if (lines_more(&lines, open->generator, (size_t)(rate * open->seconds),
                   err) == ERR_OK &&
        lines.count > 0 &&
        open_loop_run(&lines, &open->options, result, err) == ERR_OK) {
        print_result(step, rate, result);
        *keeps_up =
            !result->gave_up &&
            (double)lines.count / rate >= 0.95 * result->seconds - 0.05 &&
            histogram_percentile(&result->ack_us, 99) <= KNEE_P99_US &&
            lines.count >= (size_t)(rate * open->seconds);
    }
    lines_release(&lines);
    free(result);
    return err->code;
}

/* From `rate` on by `factor` until the server no longer keeps up; *knee is the
 * last rate that it did. */
static enum err_code
climb(struct open *open,
      double rate,
      double factor,
      double *knee,
      struct err *err)
{
    bool keeps_up = true;

    while (keeps_up && rate <= RATE_MAX) {
        if (run_rate(open, "sweep", rate, &keeps_up, err) != ERR_OK) {
            return err->code;
        }
        *knee = keeps_up ? rate : *knee;
        rate *= factor;
    }
    return ERR_OK;
}

static enum err_code
sweep(struct open *open, double rate, struct err *err)
{
    double knee = 0;
    bool keeps_up;

    if (climb(open, rate, 2, &knee, err) != ERR_OK ||
        (knee > 0 && climb(open, knee * 1.15, 1.15, &knee, err) != ERR_OK)) {
        return err->code;
    }
    printf("{\"step\":\"knee\",\"rate\":%.0f}\n", knee);
    return knee > 0 ? run_rate(open, "half", knee / 2, &keeps_up, err) : ERR_OK;
}

static enum err_code
run(const char *const values[FLAG_END - FLAG_OWN],
    bool sweeps,
    struct stream_flags *stream,
    struct err *err)
{
    struct generate_options generate;
    struct open open = {.options = {.host = "127.0.0.1"}};
    uint64_t port = 0;
    uint64_t rate = 10000;
    uint64_t seconds = 5;
    uint64_t connections = 2;
    bool keeps_up;

    if (values[0] == NULL) {
        return err_set(err, ERR_USAGE, "say which port: --port P");
    }
    (void)flag_number("port", values[0], 1, 65535, &port, err);
    if (values[1] != NULL) {
        (void)flag_number("rate", values[1], 1, RATE_MAX, &rate, err);
    }
    if (values[2] != NULL) {
        (void)flag_number("seconds", values[2], 1, SECONDS_MAX, &seconds, err);
    }
    if (values[3] != NULL) {
        (void)flag_number("connections", values[3], 1,
                          OPEN_LOOP_CONNECTIONS_MAX, &connections, err);
    }
    if (stream->values[0] == NULL) {
        (void)stream_flag_take(stream, FLAG_COUNT, "20000000");
    }
    if (err->code != ERR_OK ||
        stream_flags_settle(stream, &generate, err) != ERR_OK ||
        generator_new(&generate, &open.generator, err) != ERR_OK) {
        return err->code;
    }
    open.options.port = (uint16_t)port;
    open.options.connections = (unsigned)connections;
    open.seconds = (double)seconds;
    (void)!(sweeps ? sweep(&open, (double)rate, err)
                   : run_rate(&open, "rate", (double)rate, &keeps_up, err));
    generator_free(&open.generator);
    return err->code;
}

int
cmd_open(int argc, char **argv)
{
    const char *values[FLAG_END - FLAG_OWN] = {NULL};
    struct stream_flags stream = {0};
    struct err err = {0};
    bool sweeps = false;
    int flag;

    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == FLAG_SWEEP) {
            sweeps = true;
        } else if (flag >= FLAG_OWN) {
            values[flag - FLAG_OWN] = optarg;
        } else if (!stream_flag_take(&stream, flag, optarg)) {
            return bench_usage(usage, true, flag == FLAG_HELP);
        }
    }
    if (optind != argc) {
        return bench_usage(usage, true, false);
    }
    return run(values, sweeps, &stream, &err) == ERR_OK ? BENCH_FINE
                                                        : bench_fail(&err);
}
