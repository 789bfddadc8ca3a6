/* suqiu-bench generate: the stream as a file, the truth beside it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/commands.h"

enum { OUT_BYTES = 1 << 20, FLAG_OUT = FLAG_OWN, FLAG_TRUTH };

static const struct option flags[] = {
    {"out", required_argument, NULL, FLAG_OUT},
    {"truth", required_argument, NULL, FLAG_TRUTH},
    STREAM_FLAGS,
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "generate --count N [--out FILE|-] [--truth FILE]\n"
    "  --out FILE             where the records go (standard output)\n"
    "  --truth FILE           what must be counted (standard error)\n";

static bool
write_stream(struct generator *generator, FILE *out)
{
    char *room = malloc(OUT_BYTES + GENERATE_LINE_BYTES_MAX);
    size_t used = 0;
    size_t bytes;
    bool ok = room != NULL;

    while (ok) {
        enum generated_kind kind;

        bytes = generator_line(generator, room + used, &kind);
        used += bytes;
        if (used >= OUT_BYTES || bytes == 0) {
            ok = fwrite(room, 1, used, out) == used;
            used = 0;
        }
        if (bytes == 0) {
            break;
        }
    }
    free(room);
    return ok && generator_ok(generator);
}

static FILE *
open_out(const char *path, FILE *standard, struct err *err)
{
    FILE *file;

    if (path == NULL || strcmp(path, "-") == 0) {
        return standard;
    }
    file = fopen(path, "wb");
    if (file == NULL) {
        (void)err_set(err, ERR_IO, "open %s: %s", path, strerror(errno));
    }
    return file;
}

static bool
close_out(FILE *file)
{
    bool ok = fflush(file) == 0 && !ferror(file);

    return file == stdout || file == stderr ? ok : fclose(file) == 0 && ok;
}

static enum err_code
run(const struct generate_options *options,
    const char *out_path,
    const char *truth_path,
    struct err *err)
{
    struct generator *generator = NULL;
    FILE *truth;
    FILE *out;

    if (generator_new(options, &generator, err) != ERR_OK) {
        return err->code;
    }
    out = open_out(out_path, stdout, err);
    if (out != NULL) {
        (void)setvbuf(out, NULL, _IONBF, 0);
        if (!write_stream(generator, out) || !close_out(out)) {
            (void)err_set(err, ERR_IO, "write the stream: %s", strerror(errno));
        }
    }
    if (err->code == ERR_OK) {
        truth = open_out(truth_path, stderr, err);
        if (truth != NULL) {
            generate_truth_print(generator_truth(generator), options, truth);
            if (!close_out(truth)) {
                (void)err_set(err, ERR_IO, "write the truth: %s",
                              strerror(errno));
            }
        }
    }
    generator_free(&generator);
    return err->code;
}

int
cmd_generate(int argc, char **argv)
{
    struct stream_flags stream = {{NULL}};
    struct generate_options options;
    const char *out_path = NULL;
    const char *truth_path = NULL;
    struct err err = {0};
    int flag;

    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == FLAG_OUT) {
            out_path = optarg;
        } else if (flag == FLAG_TRUTH) {
            truth_path = optarg;
        } else if (!stream_flag_take(&stream, flag, optarg)) {
            return bench_usage(usage, true, flag == FLAG_HELP);
        }
    }
    if (optind != argc) {
        return bench_usage(usage, true, false);
    }
    if (stream_flags_settle(&stream, &options, &err) != ERR_OK ||
        run(&options, out_path, truth_path, &err) != ERR_OK) {
        return bench_fail(&err);
    }
    return BENCH_FINE;
}
