/*
 * suqiu-bench query: supervisors' queries at a rate, each kind by a thread of
 * its own, while a feed runs at a fixed rate. The latency of a query is from
 * when it was to be sent. Or, with --alone, one query after the other at a
 * server that has nothing else to do.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/commands.h"
#include "bench/open_loop.h"
#include "bench/server_process.h"
#include "server/base/http_client.h"

enum {
    FLAG_HTTP = FLAG_OWN,
    FLAG_FEED,
    FLAG_RATE,
    FLAG_FEED_RATE,
    FLAG_SECONDS,
    FLAG_FROM,
    FLAG_UPTO,
    FLAG_ALONE,
    FLAG_END
};

enum {
    IDS_MAX = 1000,
    ID_BYTES_MAX = 65,
    LIST_BYTES_MAX = 4 * 1024 * 1024,
    PATH_BYTES_MAX = 256,
    QUERY_RATE_MAX = 10000
};

static const struct option flags[] = {
    {"http", required_argument, NULL, FLAG_HTTP},
    {"feed", required_argument, NULL, FLAG_FEED},
    {"rate", required_argument, NULL, FLAG_RATE},
    {"feed-rate", required_argument, NULL, FLAG_FEED_RATE},
    {"seconds", required_argument, NULL, FLAG_SECONDS},
    {"from", required_argument, NULL, FLAG_FROM},
    {"to", required_argument, NULL, FLAG_UPTO},
    {"alone", required_argument, NULL, FLAG_ALONE},
    STREAM_FLAGS,
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "query --http P --feed P --from DATE --to DATE\n"
    "  --http P, --feed P     ports on 127.0.0.1\n"
    "  --rate N               queries a second, all kinds together (50)\n"
    "  --feed-rate N          lines a second meanwhile; 0: none (5000)\n"
    "  --seconds S            (10)\n"
    "  --from DATE, --to DATE of the month that is asked for\n"
    "  --alone N              every list N times, one answer after the other;\n"
    "                         no feed and no rate\n"
    "  the flags below choose the lines of the feed; --count has a default\n";

/* What is asked; %s are from and to. The id is put in by ask. The first
 * KINDS_BESIDE are asked while a feed runs, all of them with --alone. */
static const struct {
    const char *name;
    const char *path;
} kinds[] = {
    {"repeat_callers", "/v1/repeat-callers?from=%s&to=%s&min_calls=3"},
    {"overdue", "/v1/overdue?state=overdue"},
    {"ticket", NULL},
    {"counters", "/v1/counters?from=%s&to=%s"},
    {"tickets", "/v1/tickets?from=%s&to=%s&category=outage&limit=100"},
    {"repeat_callers_all", "/v1/repeat-callers?from=%s&to=%s&min_calls=2"},
    {"overdue_open", "/v1/overdue?state=overdue&open=1&limit=3"},
    {"due_soon", "/v1/overdue?state=due_soon&limit=3"},
    {"overdue_and_running", "/v1/overdue?state=all"},
    {"hot_spots", "/v1/hot-spots?from=%s&to=%s&min_callers=2&limit=6"},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), KINDS_BESIDE = 5 };

struct query_options {
    uint16_t http_port;
    double rate;    /* of one kind; 0: as soon as the one before is answered */
    uint64_t times; /* how often a kind is asked */
    const char *from;
    const char *to;
};

struct asker {
    const struct query_options *options;
    size_t kind;
    char (*ids)[ID_BYTES_MAX];
    size_t id_count;
    uint64_t asked;
    uint64_t bytes;
    uint64_t first_us; /* --alone: the first answer, not in answer_us */
    struct histogram *answer_us;
    struct err err;
};

static void
sleep_until(int64_t at_us)
{
    struct timespec at = {.tv_sec = at_us / 1000000,
                          .tv_nsec = at_us % 1000000 * 1000};

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void
path_of(const struct asker *asker, char path[PATH_BYTES_MAX])
{
    const struct query_options *options = asker->options;

    if (kinds[asker->kind].path == NULL) {
        (void)snprintf(path, PATH_BYTES_MAX, "/v1/tickets/%s",
                       asker->ids[asker->asked * 7919 % asker->id_count]);
        return;
    }
    const char *at = strstr(kinds[asker->kind].path, "from=%s");

    if (at == NULL) {
        (void)snprintf(path, PATH_BYTES_MAX, "%s", kinds[asker->kind].path);
    } else {
        (void)snprintf(path, PATH_BYTES_MAX, "%.*sfrom=%s&to=%s%s",
                       (int)(at - kinds[asker->kind].path),
                       kinds[asker->kind].path, options->from, options->to,
                       at + strlen("from=%s&to=%s"));
    }
}

static void *
ask(void *data)
{
    struct asker *asker = data;
    const struct query_options *options = asker->options;
    struct http_client *client = NULL;
    int64_t begin_us = server_now_us();
    char url[64];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u",
                   (unsigned)options->http_port);
    if (http_client_new(url, 30, &client, &asker->err) != ERR_OK) {
        return NULL;
    }
    while (asker->asked < options->times) {
        int64_t at_us = options->rate > 0
                            ? begin_us + (int64_t)((double)asker->asked * 1e6 /
                                                   options->rate)
                            : server_now_us();
        struct http_client_request request = {.method = "GET"};
        struct http_client_answer answer;
        char path[PATH_BYTES_MAX];

        path_of(asker, path);
        request.path = path;
        sleep_until(at_us);
        if (http_client_send(client, &request, &answer, &asker->err) !=
            ERR_OK) {
            break;
        }
        if (answer.status != 200) {
            (void)err_set(&asker->err, ERR_IO, "%s answers %u", path,
                          answer.status);
            break;
        }
        histogram_add(asker->answer_us, (uint64_t)(server_now_us() - at_us), 1);
        asker->bytes += answer.body.bytes;
        asker->asked++;
    }
    http_client_free(&client);
    return NULL;
}

/* The next "id":" at or behind `at`, NULL when there is none. */
static const char *
find_id(const char *at, const char *end)
{
    static const char head[] = "\"id\":\"";
    size_t bytes = sizeof(head) - 1;

    while (at != NULL && (size_t)(end - at) > bytes) {
        if (memcmp(at, head, bytes) == 0) {
            return at;
        }
        at = memchr(at + 1, '"', (size_t)(end - at - 1));
    }
    return NULL;
}

/* Numbers of tickets that are there. */
static enum err_code
read_ids(const struct query_options *options,
         char (*ids)[ID_BYTES_MAX],
         size_t *count,
         struct err *err)
{
    char path[PATH_BYTES_MAX];
    struct http_client *client = NULL;
    struct http_client_request request = {.method = "GET", .path = path};
    struct http_client_answer answer = {0};
    const char *at;
    const char *end;
    char url[64];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u",
                   (unsigned)options->http_port);
    (void)snprintf(path, sizeof(path), "/v1/tickets?from=%s&to=%s&limit=%d",
                   options->from, options->to, IDS_MAX);
    *count = 0;
    if (http_client_new(url, 30, &client, err) != ERR_OK ||
        http_client_send(client, &request, &answer, err) != ERR_OK) {
        http_client_free(&client);
        return err->code;
    }
    at = answer.body.data;
    end = at + answer.body.bytes;
    while (answer.status == 200 && *count < IDS_MAX &&
           (at = find_id(at, end)) != NULL) {
        const char *stop = memchr(at + 6, '"', (size_t)(end - at - 6));

        if (stop == NULL) {
            break;
        }
        if (stop - at - 6 < ID_BYTES_MAX) {
            (void)snprintf(ids[(*count)++], ID_BYTES_MAX, "%.*s",
                           (int)(stop - at - 6), at + 6);
        }
        at = stop;
    }
    http_client_free(&client);
    return *count > 0 ? ERR_OK
                      : err_set(err, ERR_IO, "no tickets from %s to %s",
                                options->from, options->to);
}

struct feeder {
    struct lines lines;
    struct open_loop_options options;
    struct open_loop_result result;
    atomic_bool stop;
    struct err err;
};

static void *
feed(void *data)
{
    struct feeder *feeder = data;

    (void)!open_loop_run(&feeder->lines, &feeder->options, &feeder->result,
                         &feeder->err);
    return NULL;
}

static void
print_asker(const struct asker *asker)
{
    const struct histogram *answer = asker->answer_us;

    printf("{\"query\":\"%s\",\"asked\":%llu,\"rate\":%.1f,"
           "\"bytes_an_answer\":%llu,\"first_us\":%llu,\"answer_us\":{\"p50\":%"
           "llu,"
           "\"p90\":%llu,\"p99\":%llu,\"max\":%llu}}\n",
           kinds[asker->kind].name, (unsigned long long)asker->asked,
           asker->options->rate,
           (unsigned long long)(asker->asked > 0 ? asker->bytes / asker->asked
                                                 : 0),
           (unsigned long long)asker->first_us,
           (unsigned long long)histogram_percentile(answer, 50),
           (unsigned long long)histogram_percentile(answer, 90),
           (unsigned long long)histogram_percentile(answer, 99),
           (unsigned long long)answer->max);
}

static bool
asker_init(struct asker *asker,
           const struct query_options *options,
           size_t kind,
           char (*ids)[ID_BYTES_MAX],
           size_t id_count)
{
    *asker = (struct asker){.options = options,
                            .kind = kind,
                            .ids = ids,
                            .id_count = id_count,
                            .answer_us = calloc(1, sizeof(struct histogram))};
    return asker->answer_us != NULL;
}

/* Print what it found, unless something failed. */
static void
asker_end(struct asker *asker, struct err *err)
{
    if (err->code == ERR_OK && asker->err.code != ERR_OK) {
        *err = asker->err;
    }
    if (err->code == ERR_OK) {
        print_asker(asker);
    }
    free(asker->answer_us);
}

static enum err_code
ask_all(const struct query_options *options,
        char (*ids)[ID_BYTES_MAX],
        size_t id_count,
        struct err *err)
{
    struct asker askers[KINDS_BESIDE];
    pthread_t threads[KINDS_BESIDE];
    size_t started = 0;

    memset(askers, 0, sizeof(askers));
    for (size_t i = 0; i < KINDS_BESIDE; i++) {
        if (!asker_init(&askers[i], options, i, ids, id_count) ||
            pthread_create(&threads[i], NULL, ask, &askers[i]) != 0) {
            (void)err_set(err, ERR_NO_MEMORY, "client");
            free(askers[i].answer_us);
            break;
        }
        started++;
    }
    for (size_t i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
        asker_end(&askers[i], err);
    }
    return err->code;
}

/* One kind after the other, one query after the other. The first answer after a
 * start may wait until the server has read what it keeps. */
static enum err_code
ask_alone(const struct query_options *options,
          char (*ids)[ID_BYTES_MAX],
          size_t id_count,
          struct err *err)
{
    struct query_options once = *options;

    once.times = 1;
    for (size_t i = 0; i < KINDS && err->code == ERR_OK; i++) {
        struct asker asker;

        if (!asker_init(&asker, &once, i, ids, id_count)) {
            return err_set(err, ERR_NO_MEMORY, "client");
        }
        (void)ask(&asker);
        asker.first_us = asker.answer_us->max;
        memset(asker.answer_us, 0, sizeof(*asker.answer_us));
        asker.asked = 0;
        asker.bytes = 0;
        asker.options = options;
        if (asker.err.code == ERR_OK) {
            (void)ask(&asker);
        }
        asker_end(&asker, err);
    }
    return err->code;
}

static enum err_code
run_beside_feed(const struct query_options *options,
                struct feeder *feeder,
                struct err *err)
{
    char(*ids)[ID_BYTES_MAX] = calloc(IDS_MAX, sizeof(*ids));
    bool feeds = feeder->lines.count > 0;
    size_t id_count;
    pthread_t thread;

    if (ids == NULL) {
        return err_set(err, ERR_NO_MEMORY, "client");
    }
    if (read_ids(options, ids, &id_count, err) == ERR_OK) {
        if (feeds && pthread_create(&thread, NULL, feed, feeder) != 0) {
            feeds = false;
            (void)err_set(err, ERR_NO_MEMORY, "client");
        }
        if (err->code == ERR_OK && options->rate > 0) {
            (void)ask_all(options, ids, id_count, err);
        } else if (err->code == ERR_OK) {
            (void)ask_alone(options, ids, id_count, err);
        }
        if (feeds) {
            atomic_store(&feeder->stop, true);
            (void)pthread_join(thread, NULL);
            if (err->code == ERR_OK) {
                *err = feeder->err;
            }
        }
    }
    free(ids);
    return err->code;
}

static void
print_feeder(const struct feeder *feeder)
{
    const struct histogram *ack = &feeder->result.ack_us;

    printf("{\"query\":\"feed\",\"rate\":%.0f,\"lines\":%llu,"
           "\"bytes\":%llu,"
           "\"lines_per_second\":%.0f,\"gave_up\":%s,\"ack_us\":{"
           "\"p50\":%llu,\"p99\":%llu,\"p99.9\":%llu,\"max\":%llu}}\n",
           feeder->options.rate, (unsigned long long)feeder->result.lines,
           (unsigned long long)lines_begin(&feeder->lines,
                                           (size_t)feeder->result.lines),
           (double)feeder->result.lines / feeder->result.seconds,
           feeder->result.gave_up ? "true" : "false",
           (unsigned long long)histogram_percentile(ack, 50),
           (unsigned long long)histogram_percentile(ack, 99),
           (unsigned long long)histogram_percentile(ack, 99.9),
           (unsigned long long)ack->max);
}

static enum err_code
number_or(const char *value,
          const char *name,
          uint64_t max,
          uint64_t *out,
          struct err *err)
{
    return value == NULL ? err->code
                         : flag_number(name, value, 0, max, out, err);
}

static enum err_code
run(const char *const values[FLAG_END - FLAG_OWN],
    struct stream_flags *stream,
    struct err *err)
{
    uint64_t http = 0;
    uint64_t feed_port = 0;
    uint64_t rate = 50;
    uint64_t feed_rate = 5000;
    uint64_t seconds = 10;
    uint64_t alone = 0;
    struct generate_options generate;
    struct feeder *feeder = calloc(1, sizeof(*feeder));
    char count[32];

    if (feeder == NULL) {
        return err_set(err, ERR_NO_MEMORY, "client");
    }
    if (values[0] == NULL || values[FLAG_FROM - FLAG_OWN] == NULL ||
        values[FLAG_UPTO - FLAG_OWN] == NULL) {
        (void)err_set(err, ERR_USAGE, "say --http, --from and --to");
    }
    (void)number_or(values[0], "http", 65535, &http, err);
    (void)number_or(values[1], "feed", 65535, &feed_port, err);
    (void)number_or(values[2], "rate", QUERY_RATE_MAX, &rate, err);
    (void)number_or(values[3], "feed-rate", 1000000, &feed_rate, err);
    (void)number_or(values[4], "seconds", 3600, &seconds, err);
    (void)number_or(values[FLAG_ALONE - FLAG_OWN], "alone", 1000000, &alone,
                    err);
    if (err->code == ERR_OK && feed_rate > 0 && feed_port > 0 && alone == 0) {
        (void)snprintf(count, sizeof(count), "%llu",
                       (unsigned long long)(feed_rate * (seconds + 1)));
        if (stream->values[0] == NULL) {
            (void)stream_flag_take(stream, FLAG_COUNT, count);
        }
        if (stream_flags_settle(stream, &generate, err) == ERR_OK) {
            (void)!lines_generate(&feeder->lines, &generate, err);
        }
    }
    if (err->code == ERR_OK) {
        double kind_rate =
            alone > 0 ? 0 : (double)(rate > 0 ? rate : 1) / KINDS_BESIDE;
        struct query_options options = {
            .http_port = (uint16_t)http,
            .rate = kind_rate,
            .times =
                alone > 0 ? alone : (uint64_t)(kind_rate * (double)seconds),
            .from = values[FLAG_FROM - FLAG_OWN],
            .to = values[FLAG_UPTO - FLAG_OWN]};

        feeder->options =
            (struct open_loop_options){.host = "127.0.0.1",
                                       .port = (uint16_t)feed_port,
                                       .connections = 2,
                                       .rate = (double)feed_rate,
                                       .stop = &feeder->stop};
        if (run_beside_feed(&options, feeder, err) == ERR_OK &&
            feeder->lines.count > 0) {
            print_feeder(feeder);
        }
    }
    lines_release(&feeder->lines);
    free(feeder);
    return err->code;
}

int
cmd_query(int argc, char **argv)
{
    const char *values[FLAG_END - FLAG_OWN] = {NULL};
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
    return run(values, &stream, &err) == ERR_OK ? BENCH_FINE : bench_fail(&err);
}
