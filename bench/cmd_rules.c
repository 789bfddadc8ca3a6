/*
 * suqiu-bench rules: the rules for other engines, a line
 *   BIT <tab> CODE <tab> REGULAR EXPRESSION
 * each; or what they say of the tickets of a file, a line
 *   ID <tab> MASK
 * each, by PCRE2's JIT, the first ones also by its interpreter.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/commands.h"
#include "bench/lines.h"
#include "bench/portable.h"
#include "server/decode/ticket_decode.h"

enum { FLAG_BYTES = FLAG_OWN, FLAG_LABEL, FLAG_INTERPRET };

static const struct option flags[] = {
    {"bytes", required_argument, NULL, FLAG_BYTES},
    {"label", required_argument, NULL, FLAG_LABEL},
    {"interpret", required_argument, NULL, FLAG_INTERPRET},
    {"help", no_argument, NULL, FLAG_HELP},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "rules [--label FILE]\n"
    "  --bytes N              an alternation ends at so many (16384)\n"
    "  --label FILE           print what they say of the tickets of FILE\n"
    "  --interpret N          so many of them by the interpreter too (500)\n";

static void
print_rows(const struct portable *portable)
{
    for (size_t i = 0; i < portable->count; i++) {
        printf("%u\t%s\t%s\n", portable->rows[i].class_index,
               portable->rows[i].code, portable->rows[i].pattern);
    }
    (void)fprintf(stderr, "%zu rules in %zu alternations\n",
                  portable->rule_count, portable->count);
}

struct labels {
    struct portable_matcher *jit;
    struct portable_matcher *interpreter;
    struct decoder *decoder;
    struct arena arena;
};

static enum err_code
label_line(struct labels *labels, struct span line, bool both, struct err *err)
{
    struct decoded decoded;
    uint64_t mask;
    uint64_t again;

    arena_reset(&labels->arena);
    if (decode_json(labels->decoder, line, &labels->arena, &decoded, err) !=
            ERR_OK ||
        portable_match(labels->jit, decoded.ticket.text, &mask, err) !=
            ERR_OK) {
        return err->code;
    }
    if (both) {
        if (portable_match(labels->interpreter, decoded.ticket.text, &again,
                           err) != ERR_OK) {
            return err->code;
        }
        if (again != mask) {
            return err_set(
                err, ERR_IO, "ticket %.*s: JIT and interpreter differ",
                (int)decoded.ticket.id.bytes, decoded.ticket.id.data);
        }
    }
    printf("%.*s\t%" PRIu64 "\n", (int)decoded.ticket.id.bytes,
           decoded.ticket.id.data, mask);
    return ERR_OK;
}

static enum err_code
label_lines(struct labels *labels,
            const struct lines *lines,
            uint64_t interpret,
            struct err *err)
{
    for (size_t i = 0; err->code == ERR_OK && i < lines->count; i++) {
        uint64_t begin = lines_begin(lines, i);
        struct span line = {lines->data + begin,
                            (size_t)(lines->ends[i] - begin)};

        (void)label_line(labels, line, i < interpret, err);
    }
    return err->code;
}

static enum err_code
label_file(const struct portable *portable,
           const char *path,
           uint64_t interpret,
           struct err *err)
{
    struct labels labels = {0};
    struct lines lines = {0};

    arena_init(&labels.arena, 64 * 1024);
    if (portable_matcher_new(portable, 1, &labels.jit, err) == ERR_OK &&
        portable_matcher_new(portable, 0, &labels.interpreter, err) == ERR_OK &&
        decode_new(&labels.decoder, err) == ERR_OK &&
        lines_read(&lines, path, err) == ERR_OK) {
        (void)label_lines(&labels, &lines, interpret, err);
    }
    lines_release(&lines);
    decode_free(&labels.decoder);
    portable_matcher_free(&labels.interpreter);
    portable_matcher_free(&labels.jit);
    arena_release(&labels.arena);
    return err->code;
}

int
cmd_rules(int argc, char **argv)
{
    struct portable *portable = NULL;
    struct err err = {0};
    uint64_t bytes = 16384;
    uint64_t interpret = 500;
    const char *label = NULL;
    int flag;

    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        switch (flag) {
        case FLAG_BYTES:
            (void)flag_number("bytes", optarg, 1, PORTABLE_BYTES_MAX, &bytes,
                              &err);
            break;
        case FLAG_INTERPRET:
            (void)flag_number("interpret", optarg, 0, UINT32_MAX, &interpret,
                              &err);
            break;
        case FLAG_LABEL:
            label = optarg;
            break;
        default:
            return bench_usage(usage, false, flag == FLAG_HELP);
        }
    }
    if (optind != argc) {
        return bench_usage(usage, false, false);
    }
    if (err.code == ERR_OK &&
        portable_export((size_t)bytes, &portable, &err) == ERR_OK) {
        if (label == NULL) {
            print_rows(portable);
        } else {
            (void)label_file(portable, label, interpret, &err);
        }
    }
    portable_free(&portable);
    return err.code == ERR_OK ? BENCH_FINE : bench_fail(&err);
}
