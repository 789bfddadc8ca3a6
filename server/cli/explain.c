/* suqiu explain: one text judged for a person to read. */
#include "analyzers/classify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzers/taxonomy.h"
#include "server/base/display.h"
#include "server/cli/cli.h"
#include "server/cli/open_dictionary.h"

enum { OUT_BYTES_MAX = 4 * 1024 * 1024 };

static const char *explain_address;
static const char *explain_type;

static const struct config_flag explain_flags[] = {
    {"address", "ADDRESS", &explain_address, NULL,
     "the address of the ticket, for urban or rural"},
    {"type", "TYPE", &explain_type, NULL,
     "the type of the ticket (complaint, 投诉, fault, …)"},
};

const struct cli_help cmd_explain_help = {
    .usage = "suqiu explain [--dict DIR] [--type TYPE] [--address ADDRESS] "
             "TEXT",
    .text = "Judges the text of one ticket and says why: the category, the "
            "words that decided\n(marked with 「」, or in colour on a "
            "terminal), their points, and who came second.\n",
    .flags = explain_flags,
    .flag_count = sizeof(explain_flags) / sizeof(explain_flags[0]),
    .groups = CONFIG_DICT,
};

static struct span
row_name(const struct dictionary *dictionary, int32_t row)
{
    const struct taxonomy_row *found = taxonomy_row(dictionary->taxonomy, row);

    return found != NULL ? found->chinese : SPAN_LITERAL("—");
}

/* Is character `at` inside a matched word? */
static bool
is_marked(const struct verdict *verdict, uint32_t at)
{
    for (size_t i = 0; i < verdict->evidence_count; i++) {
        if (at >= verdict->evidence[i].start && at < verdict->evidence[i].end) {
            return true;
        }
    }
    return false;
}

/* The text with the matched words marked. */
static void
put_marked(struct buf *buf,
           struct span text,
           const struct verdict *verdict,
           bool colour)
{
    bool open = false;
    uint32_t at = 0;
    size_t bytes;

    while ((bytes = utf8_next(text, NULL)) > 0) {
        bool marked = is_marked(verdict, at);

        if (marked != open) {
            buf_put_text(buf, marked ? (colour ? "\x1b[1;33m" : "「")
                                     : (colour ? "\x1b[0m" : "」"));
            open = marked;
        }
        display_put(buf, (struct span){text.data, bytes});
        text.data += bytes;
        text.bytes -= bytes;
        at++;
    }
    if (open) {
        buf_put_text(buf, colour ? "\x1b[0m" : "」");
    }
    buf_put_char(buf, '\n');
}

static void
put_one(struct buf *buf, const struct evidence *one)
{
    buf_printf(buf, "  %+6.2f  ", one->weight / 100.0);
    display_put_cell(buf, span_of(ticket_category_chinese(one->category)), 14,
                     DISPLAY_LEFT);
    buf_put_text(buf, "  ");
    display_put_cell(buf, one->rule, 28, DISPLAY_LEFT);
    if (one->text.bytes > 0) {
        buf_put_text(buf, "  “");
        display_put(buf, one->text);
        buf_printf(buf, "” (%u-%u)", (unsigned)one->start, (unsigned)one->end);
    }
    buf_put_char(buf, '\n');
}

static void
put_flags(struct buf *buf, const struct verdict *verdict)
{
    static const char *const chinese[VERDICT_FLAG_COUNT] = {
        "测试工单",       "不是供电公司的事",
        "多个诉求",       "文本过长只判了前 8 KB",
        "有规则超出限度", "自称不是投诉"};

    for (unsigned i = 0; i < VERDICT_FLAG_COUNT; i++) {
        if ((verdict->flags >> i & 1) != 0) {
            buf_printf(buf, "标志      %s (%s)\n", chinese[i],
                       verdict_flag_name((enum verdict_flag)(1u << i)));
        }
    }
}

static void
put_verdict(struct buf *buf,
            const struct dictionary *dictionary,
            const struct ticket *ticket,
            const struct verdict *verdict,
            bool colour)
{
    buf_printf(buf, "判定      %s", ticket_category_chinese(verdict->category));
    if (verdict->category != TICKET_CATEGORY_NONE) {
        buf_printf(buf, " › %.*s › %.*s",
                   SPAN_ARGS(row_name(dictionary, verdict->subcategory)),
                   SPAN_ARGS(row_name(dictionary, verdict->topic)));
    } else if (verdict->matter != TAXONOMY_NONE) {
        buf_printf(buf, "（内容涉及 %.*s）",
                   SPAN_ARGS(row_name(dictionary, verdict->matter)));
    }
    buf_printf(buf, "\n置信度    %.0f %%\n",
               verdict->confidence_permille / 10.0);
    buf_printf(buf, "第二名    %s\n",
               verdict->runner_up == TICKET_CATEGORY_NONE
                   ? "无"
                   : ticket_category_chinese(verdict->runner_up));
    for (unsigned c = 1; c < TICKET_CATEGORY_COUNT; c++) {
        if ((verdict->secondary >> c & 1) != 0) {
            buf_printf(buf, "次要诉求  %s\n",
                       ticket_category_chinese((enum ticket_category)c));
        }
    }
    put_flags(buf, verdict);
    if (verdict->region == TICKET_REGION_UNKNOWN) {
        buf_put_text(buf, "城乡      未知（没有依据");
    } else {
        buf_printf(buf, "城乡      %s（依据：%.*s",
                   ticket_region_chinese(verdict->region),
                   SPAN_ARGS(verdict->region_evidence.rule));
    }
    if (verdict->region_evidence.text.bytes > 0) {
        buf_put_text(buf, " “");
        display_put(buf, verdict->region_evidence.text);
        buf_put_text(buf, "”");
    }
    buf_printf(buf, "）\n词典      %s\n\n", dictionary->version);
    put_marked(buf, ticket->text, verdict, colour);
    buf_put_text(buf,
                 verdict->evidence_count > 0 ? "\n" : "\n没有规则命中。\n");
    for (size_t i = 0; i < verdict->evidence_count; i++) {
        put_one(buf, &verdict->evidence[i]);
    }
}

static int
explain(const struct config *config, const struct ticket *ticket)
{
    struct dictionary *dictionary = NULL;
    struct classify_scratch *scratch = NULL;
    struct verdict *verdict = calloc(1, sizeof(*verdict));
    struct err err = {0};
    struct buf buf;
    int exit_code;

    buf_init(&buf, OUT_BYTES_MAX);
    if (verdict == NULL) {
        (void)err_set(&err, ERR_NO_MEMORY, "out of memory");
    }
    if (err.code != ERR_OK ||
        open_dictionary(config, &dictionary, &err) != ERR_OK ||
        classify_scratch_new(dictionary, &scratch, &err) != ERR_OK) {
        exit_code = cli_fail(&err);
    } else {
        classify_ticket(dictionary, scratch, ticket, verdict);
        put_verdict(&buf, dictionary, ticket, verdict,
                    isatty(STDOUT_FILENO) == 1);
        exit_code = cli_put_out(&buf);
    }
    buf_release(&buf);
    classify_scratch_free(&scratch);
    dictionary_free(&dictionary);
    free(verdict);
    return exit_code;
}

int
cmd_explain(int argc, char **argv)
{
    struct config config;
    struct ticket ticket = {.id = SPAN_LITERAL("-")};
    struct err err = {0};
    int exit_code;

    if (!cli_begin(&cmd_explain_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    if (argc != 1) {
        (void)err_set(&err, ERR_USAGE,
                      "explain takes one text; put it in quotes");
        return cli_fail(&err);
    }
    ticket.text = span_of(argv[0]);
    ticket.address = span_of(explain_address);
    if (explain_type != NULL &&
        !ticket_type_from(span_of(explain_type), &ticket.type)) {
        (void)err_set(&err, ERR_USAGE, "\"%.40s\" is no ticket type",
                      explain_type);
        return cli_fail(&err);
    }
    if (!utf8_valid(ticket.text) || !utf8_valid(ticket.address)) {
        (void)err_set(&err, ERR_USAGE, "the text is not valid UTF-8");
        return cli_fail(&err);
    }
    return explain(&config, &ticket);
}
