/* suqiu classify: NDJSON tickets in, NDJSON verdicts out, nothing stored. */
#include "analyzers/classify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/progress.h"
#include "server/cli/cli.h"
#include "server/cli/open_dictionary.h"
#include "server/decode/ticket_decode.h"
#include "server/serve/verdict_json.h"

enum {
    OUT_BYTES_MAX = 64 * 1024 * 1024,
    OUT_FLUSH_BYTES = 256 * 1024,
    LINE_BYTES_MAX = 2 * 1024 * 1024,
    ARENA_BLOCK_BYTES = 64 * 1024
};

const struct cli_help cmd_classify_help = {
    .usage = "suqiu classify [--dict DIR] [FILE|-]",
    .text = "Reads tickets, one JSON object a line, from FILE or standard "
            "input and writes\none verdict a line in the same order. A line "
            "that is no ticket gives\n{\"line\":…,\"code\":…,\"detail\":…} in "
            "its place and exit code 1. Nothing is stored.\n",
    .groups = CONFIG_DICT,
};

/* One run. */
struct run {
    struct dictionary *dictionary;
    struct classify_scratch *scratch;
    struct decoder *decoder;
    struct arena arena;
    struct buf out;
    FILE *in;
    char *line;
    size_t line_room;
    uint64_t lines;
    uint64_t refused;
};

static void
put_refusal(struct run *run, const struct err *err)
{
    struct json_out json;

    json_init(&json, &run->out);
    json_open_object(&json);
    json_put_uint(&json, "line", run->lines);
    json_put_text(&json, "code", err_code_name(err->code));
    json_put_text(&json, "field", err->field);
    json_put_text(&json, "detail", err->detail);
    json_close_object(&json);
    buf_put_char(&run->out, '\n');
    run->refused++;
}

static void
judge_line(struct run *run, struct span line)
{
    struct decoded decoded;
    struct verdict verdict;
    struct json_out json;
    struct err err = {0};

    arena_reset(&run->arena);
    if (decode_json(run->decoder, line, &run->arena, &decoded, &err) !=
        ERR_OK) {
        put_refusal(run, &err);
        return;
    }
    if (decoded.kind != DECODED_TICKET) {
        (void)err_set_field(&err, ERR_BAD_VALUE, "event",
                            "the line is an event; classify reads tickets");
        put_refusal(run, &err);
        return;
    }
    classify_ticket(run->dictionary, run->scratch, &decoded.ticket, &verdict);
    json_init(&json, &run->out);
    verdict_put_json(&json, run->dictionary, &decoded.ticket, &verdict);
    buf_put_char(&run->out, '\n');
}

static int
flush_out(struct run *run)
{
    int exit_code = run->out.bytes > 0 ? cli_put_out(&run->out) : CLI_FINE;

    buf_reset(&run->out);
    return exit_code;
}

static int
judge_all(struct run *run)
{
    struct progress progress;
    struct err err = {0};
    int exit_code = CLI_FINE;
    ssize_t bytes;

    progress_start(&progress, "classify", 0);
    while (exit_code == CLI_FINE &&
           (bytes = getline(&run->line, &run->line_room, run->in)) >= 0) {
        struct span line = span_trim((struct span){run->line, (size_t)bytes});

        run->lines++;
        if (line.bytes == 0) {
            continue;
        }
        if (line.bytes > LINE_BYTES_MAX) {
            (void)err_set(&err, ERR_TOO_LONG, "longer than %d bytes",
                          LINE_BYTES_MAX);
            put_refusal(run, &err);
            err = (struct err){0};
        } else {
            judge_line(run, line);
        }
        if (run->out.bytes >= OUT_FLUSH_BYTES) {
            exit_code = flush_out(run);
        }
        progress_update(&progress, run->lines);
    }
    progress_stop(&progress);
    if (exit_code == CLI_FINE && ferror(run->in)) {
        (void)err_set(&err, ERR_IO, "reading failed: %s", strerror(errno));
        exit_code = cli_fail(&err);
    }
    return exit_code == CLI_FINE ? flush_out(run) : exit_code;
}

static enum err_code
open_run(struct run *run,
         const struct config *config,
         const char *path,
         struct err *err)
{
    enum err_code code;

    if ((code = open_dictionary(config, &run->dictionary, err)) ||
        (code = classify_scratch_new(run->dictionary, &run->scratch, err)) ||
        (code = decode_new(&run->decoder, err))) {
        return code;
    }
    run->in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (run->in == NULL) {
        return err_set(err, err_from_errno(errno), "%s: %s", path,
                       strerror(errno));
    }
    return ERR_OK;
}

static void
close_run(struct run *run)
{
    if (run->in != NULL && run->in != stdin) {
        (void)fclose(run->in);
    }
    free(run->line);
    buf_release(&run->out);
    arena_release(&run->arena);
    decode_free(&run->decoder);
    classify_scratch_free(&run->scratch);
    dictionary_free(&run->dictionary);
}

int
cmd_classify(int argc, char **argv)
{
    struct config config;
    struct run run = {.in = NULL};
    struct err err = {0};
    int exit_code;

    if (!cli_begin(&cmd_classify_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    if (argc > 1) {
        (void)err_set(&err, ERR_USAGE, "classify reads one file, not %d", argc);
        return cli_fail(&err);
    }
    arena_init(&run.arena, ARENA_BLOCK_BYTES);
    buf_init(&run.out, OUT_BYTES_MAX);
    if (open_run(&run, &config, argc == 1 ? argv[0] : "-", &err) != ERR_OK) {
        exit_code = cli_fail(&err);
    } else {
        exit_code = judge_all(&run);
    }
    if (exit_code == CLI_FINE && run.refused > 0) {
        exit_code = CLI_NO;
    }
    close_run(&run);
    return cli_end_out(exit_code);
}
