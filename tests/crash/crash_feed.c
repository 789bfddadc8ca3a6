/*
 * crash_feed: the real server is killed (kill -9) at random moments while it
 * takes in records, again and again over one data directory. After each kill
 * everything acknowledged must be there, once, in order, with exact counts;
 * the client sends again what was not acknowledged, and in the end the store
 * has counted exactly what was generated.
 *
 *   crash_feed --suqiu build/.../suqiu [--rounds 200] [--seed 1]
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/base/dict_files.h"
#include "tests/crash/crash.h"

enum {
    ROUNDS_DEFAULT = 200,
    FSCK_EVERY_DEFAULT = 25,
    SEGMENT_TICKETS = 20000,
    SEGMENT_DAYS = 3,
    LINES_AHEAD_MIN = 100000,
    KILL_US_MIN = 1000,
    KILL_US_MAX = 30000,
    START_KILL_PERMILLE = 100, /* rounds that kill the start instead */
    WINDOW_SHIFT_MIN = 13,     /* 8 KiB */
    WINDOW_SHIFTS = 9,         /* to 2 MiB */
    RULE_LINES_KEPT = 8,
    SPOT_CHECKS = 20
};

void
crash_fail(const struct crash *crash, const char *fmt, ...)
{
    va_list args;

    (void)fprintf(stderr, "crash_feed: seed %llu, kill %u: ",
                  (unsigned long long)crash->seed, crash->round);
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fprintf(stderr, "\ncrash_feed: the data stays in %s\n", crash->dir);
    exit(1);
}

struct span
crash_line(const struct crash *crash, size_t index)
{
    size_t begin = lines_begin(&crash->lines, index);

    return (struct span){crash->lines.data + begin,
                         crash->lines.ends[index] - 1 - begin};
}

/* --- tables ------------------------------------------------------------- */

/* A start compiles every rule, and this test starts hundreds of times: of each
 * rule table the first lines do, and no word model is needed. */
static struct span
shorten(const struct dictionary_file *file)
{
    struct span kept = {file->bytes.data, 0};

    if (strncmp(file->path, "rules/", 6) != 0) {
        return file->bytes;
    }
    for (unsigned line = 0;
         line < RULE_LINES_KEPT && kept.bytes < file->bytes.bytes; line++) {
        const char *end = memchr(kept.data + kept.bytes, '\n',
                                 file->bytes.bytes - kept.bytes);

        kept.bytes =
            end != NULL ? (size_t)(end - kept.data) + 1 : file->bytes.bytes;
    }
    return kept;
}

static void
write_table(const struct crash *crash, const struct dictionary_file *file)
{
    struct span bytes = shorten(file);
    char path[CRASH_PATH_BYTES * 2];
    char *slash;
    FILE *out;
    bool fine;

    (void)snprintf(path, sizeof(path), "%s/%s", crash->tables, file->path);
    slash = strrchr(path, '/');
    *slash = '\0';
    (void)mkdir(path, 0700); /* one level below the tables, or there */
    *slash = '/';
    out = fopen(path, "wb");
    fine = out != NULL &&
           (bytes.bytes == 0 || fwrite(bytes.data, bytes.bytes, 1, out) == 1);
    if (out == NULL || fclose(out) != 0 || !fine) {
        crash_fail(crash, "write %s: %s", path, strerror(errno));
    }
}

/* The tables inside the program, the rules cut short, as files and built. */
static void
prepare_tables(struct crash *crash)
{
    const struct dictionary_options options = {.deadline_profile = "csg"};
    struct dict_files files;
    struct err err = {0};

    if (dict_files_load(NULL, &files, &err) != ERR_OK) {
        crash_fail(crash, "tables: %s", err.detail);
    }
    if (!crash->full_tables) {
        if (mkdir(crash->tables, 0700) != 0) {
            crash_fail(crash, "mkdir %s: %s", crash->tables, strerror(errno));
        }
        for (size_t i = 0; i < files.count; i++) {
            if (strcmp(files.files[i].path, "model.tsv") != 0) {
                write_table(crash, &files.files[i]);
            }
        }
        dict_files_release(&files);
        if (dict_files_load(crash->tables, &files, &err) != ERR_OK) {
            crash_fail(crash, "tables: %s", err.detail);
        }
    }
    if (dictionary_build(files.files, files.count, &options, &crash->dictionary,
                         &err) != ERR_OK) {
        crash_fail(crash, "tables: %s", err.detail);
    }
    dict_files_release(&files);
}

/* --- the server --------------------------------------------------------- */

static void
spawn(struct crash *crash, struct server_process *server)
{
    char *argv[16];
    size_t count = 0;
    struct err err = {0};

    argv[count++] = (char *)(uintptr_t)crash->program;
    argv[count++] = (char *)(uintptr_t) "serve";
    argv[count++] = (char *)(uintptr_t) "--data";
    argv[count++] = crash->data;
    argv[count++] = (char *)(uintptr_t) "--http-port";
    argv[count++] = (char *)(uintptr_t) "0";
    argv[count++] = (char *)(uintptr_t) "--feed-port";
    argv[count++] = (char *)(uintptr_t) "0";
    argv[count++] = (char *)(uintptr_t) "--auth";
    argv[count++] = (char *)(uintptr_t) "off";
    argv[count++] = (char *)(uintptr_t) "--log-level";
    argv[count++] = (char *)(uintptr_t) "warn";
    if (!crash->full_tables) {
        argv[count++] = (char *)(uintptr_t) "--dict";
        argv[count++] = crash->tables;
    }
    argv[count] = NULL;
    if (server_spawn(argv, server, &err) != ERR_OK) {
        crash_fail(crash, "start: %s", err.detail);
    }
}

static void
start(struct crash *crash, struct server_process *server)
{
    struct err err = {0};

    spawn(crash, server);
    if (server_await_ports(server, &err) != ERR_OK) {
        crash_fail(crash, "start after a kill: %s", err.detail);
    }
    if (server->listening_us > crash->slowest_start_us) {
        crash->slowest_start_us = server->listening_us;
    }
}

/* --- rounds ------------------------------------------------------------- */

/* More of the hotline: the days after those that are there. */
static void
extend_lines(struct crash *crash)
{
    struct generate_options options = generate_defaults(SCENARIO_NORMAL);
    struct err err = {0};

    options.count = SEGMENT_TICKETS;
    options.seed = crash->seed + crash->segment_count;
    options.days = SEGMENT_DAYS;
    options.start_day += (int32_t)(SEGMENT_DAYS * crash->segment_count);
    crash->segment_count++;
    if (lines_generate(&crash->lines, &options, &err) != ERR_OK) {
        crash_fail(crash, "generate: %s", err.detail);
    }
}

static int64_t
pick_us(struct crash *crash, int64_t min_us, int64_t max_us)
{
    return min_us + random_below(&crash->random, (uint32_t)(max_us - min_us));
}

static void
kill_while_streaming(struct crash *crash)
{
    struct server_process server;
    struct crash_stream stream;
    struct crash_stream_options options = {
        .run_us = pick_us(crash, KILL_US_MIN, KILL_US_MAX),
        .after_ack = random_below(&crash->random, 3) > 0,
        .window_bytes = (size_t)1
                        << (WINDOW_SHIFT_MIN +
                            random_below(&crash->random, WINDOW_SHIFTS))};

    start(crash, &server);
    crash_stream(crash, &server, &options, &stream);
    crash_verify(crash, &stream);
    crash->position += (size_t)stream.acked;
}

/* Between fork and the last thing a start does. */
static void
kill_while_starting(struct crash *crash)
{
    const struct crash_stream nothing = {0};
    struct server_process server;
    int64_t usual_us = crash->slowest_start_us > KILL_US_MAX
                           ? crash->slowest_start_us
                           : KILL_US_MAX;
    int64_t moment_us = pick_us(crash, KILL_US_MIN, usual_us);
    struct timespec moment = {moment_us / 1000000, moment_us % 1000000 * 1000};
    int status;

    spawn(crash, &server);
    (void)nanosleep(&moment, NULL); /* the random moment of the kill */
    server_end(&server, SIGKILL, &status, NULL);
    crash_verify(crash, &nothing);
    crash->silent_rounds--; /* nothing was to be acknowledged */
    crash->starts_killed++;
}

static void
spot_check(struct crash *crash, const struct server_process *server)
{
    for (unsigned i = 0; i < SPOT_CHECKS; i++) {
        size_t index =
            random_below(&crash->random, (uint32_t)crash->lines.count);
        struct span id;
        char path[64];
        char body[8192];
        int status;

        if (crash->lines.kinds[index] == GENERATED_BAD) {
            continue;
        }
        id = model_line_id(crash_line(crash, index));
        (void)snprintf(path, sizeof(path), "/v1/tickets/%.*s", (int)id.bytes,
                       id.data);
        status = server_get(server->http_port, path, body, sizeof(body));
        if (status != 200 || strstr(body, path + 12) == NULL) {
            crash_fail(crash, "GET %s answers %d", path, status);
        }
    }
}

/* Send all the rest, stop in order, and count. */
static void
finish(struct crash *crash)
{
    const struct crash_stream_options options = {.window_bytes = (size_t)4
                                                                 << 20};
    const struct generate_truth *truth = &crash->lines.truth;
    struct server_process server;
    struct crash_stream stream;
    int status;

    start(crash, &server);
    crash_stream(crash, &server, &options, &stream);
    spot_check(crash, &server);
    server_end(&server, SIGTERM, &status, NULL);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        crash_fail(crash, "SIGTERM did not end the server with 0 (status %d)",
                   status);
    }
    crash_verify(crash, &stream);
    if (crash->model.tickets != truth->tickets ||
        crash->model.events != truth->events || crash->model.waiting != 0) {
        crash_fail(crash,
                   "generated were %llu tickets and %llu events, stored are "
                   "%llu and %llu, %llu wait",
                   (unsigned long long)truth->tickets,
                   (unsigned long long)truth->events,
                   (unsigned long long)crash->model.tickets,
                   (unsigned long long)crash->model.events,
                   (unsigned long long)crash->model.waiting);
    }
    crash_fsck(crash);
}

static void
report(const struct crash *crash, int64_t begin_us)
{
    printf("crash_feed: %u kills (%llu of them while starting) in %.1f s, "
           "seed %llu\n"
           "  %llu tickets and %llu events, each acknowledged one stored once; "
           "%llu fsck runs without a difference\n"
           "  %llu lines were on disk before the client heard of it; %llu "
           "kills came before the first acknowledgement\n"
           "  slowest start %.0f ms\n",
           crash->round, (unsigned long long)crash->starts_killed,
           (double)(server_now_us() - begin_us) / 1e6,
           (unsigned long long)crash->seed,
           (unsigned long long)crash->model.tickets,
           (unsigned long long)crash->model.events,
           (unsigned long long)crash->fsck_runs,
           (unsigned long long)crash->unacked_kept,
           (unsigned long long)crash->silent_rounds,
           (double)crash->slowest_start_us / 1e3);
}

/* --- files -------------------------------------------------------------- */

static void
prepare_dirs(struct crash *crash)
{
    const char *parent = getenv("TMPDIR");

    (void)snprintf(crash->dir, sizeof(crash->dir), "%s/suqiu-crash-XXXXXX",
                   parent != NULL && parent[0] != '\0' ? parent : "/tmp");
    if (mkdtemp(crash->dir) == NULL) {
        crash_fail(crash, "mkdtemp: %s", strerror(errno));
    }
    (void)snprintf(crash->data, sizeof(crash->data), "%s/data", crash->dir);
    (void)snprintf(crash->tables, sizeof(crash->tables), "%s/dict", crash->dir);
}

/* Remove a directory of files and directories of files. */
static void
remove_tree(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char inside[CRASH_PATH_BYTES * 2];

        if (strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        (void)snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
        if (unlink(inside) != 0) {
            remove_tree(inside);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    (void)rmdir(path);
}

/* --- main --------------------------------------------------------------- */

struct arguments {
    const char *suqiu;
    unsigned rounds;
    unsigned fsck_every;
    uint64_t seed;
    bool full_tables;
};

static bool
read_arguments(int argc, char **argv, struct arguments *out)
{
    static const struct option flags[] = {
        {"suqiu", required_argument, NULL, 's'},
        {"rounds", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 'e'},
        {"fsck-every", required_argument, NULL, 'f'},
        {"full-tables", no_argument, NULL, 't'},
        {NULL, 0, NULL, 0}};
    int flag;

    *out = (struct arguments){
        .rounds = ROUNDS_DEFAULT, .fsck_every = FSCK_EVERY_DEFAULT, .seed = 1};
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        switch (flag) {
        case 's':
            out->suqiu = optarg;
            break;
        case 'r':
            out->rounds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'e':
            out->seed = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            out->fsck_every = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 't':
            out->full_tables = true;
            break;
        default:
            return false;
        }
    }
    return out->suqiu != NULL && out->rounds > 0 && out->fsck_every > 0 &&
           optind == argc;
}

int
main(int argc, char **argv)
{
    static struct crash crash;
    int64_t begin_us = server_now_us();
    struct arguments arguments;

    if (!read_arguments(argc, argv, &arguments)) {
        (void)fprintf(stderr, "usage: crash_feed --suqiu PROGRAM [--rounds N] "
                              "[--seed N] [--fsck-every N] [--full-tables]\n");
        return 2;
    }
    crash.program = arguments.suqiu;
    crash.seed = arguments.seed;
    crash.full_tables = arguments.full_tables;
    crash.random = random_from(arguments.seed);
    crash.log_seq = 1;
    prepare_dirs(&crash);
    prepare_tables(&crash);
    for (crash.round = 1; crash.round <= arguments.rounds; crash.round++) {
        while (crash.lines.count - crash.position < LINES_AHEAD_MIN) {
            extend_lines(&crash);
        }
        if (random_permille(&crash.random, START_KILL_PERMILLE)) {
            kill_while_starting(&crash);
        } else {
            kill_while_streaming(&crash);
        }
        if (crash.round % arguments.fsck_every == 0 &&
            crash.model.tickets > 0) {
            crash_fsck(&crash);
        }
    }
    crash.round = arguments.rounds;
    finish(&crash);
    report(&crash, begin_us);
    dictionary_free(&crash.dictionary);
    lines_release(&crash.lines);
    model_release(&crash.model);
    remove_tree(crash.dir);
    return 0;
}
