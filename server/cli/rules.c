/* suqiu rules: the rules one by one, and how often each spoke. */
#include <stdio.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/display.h"
#include "server/cli/cli.h"
#include "server/ledger/reader.h"
#include "server/rulebook/rulebook.h"
#include "server/serve/rules_list.h"

enum { OUT_BYTES_MAX = 64 * 1024 * 1024, PATTERN_COLUMNS = 40 };

static bool flag_never_hit;
static bool flag_always_lost;
static bool flag_cost;
static const char *flag_text;
static const char *flag_order;
static const char *flag_format;

static const struct config_flag rules_flags[] = {
    {"never-hit", NULL, NULL, &flag_never_hit, "only rules that never spoke"},
    {"always-lost", NULL, NULL, &flag_always_lost,
     "only rules that spoke and were overruled every time"},
    {"text", "TEXT", &flag_text, NULL,
     "only rules that would speak on this text, with the words"},
    {"order", "table|hits|lost|cost", &flag_order, NULL,
     "as in the tables when not given; the others most first"},
    {"cost", NULL, NULL, &flag_cost,
     "measure each rule on hostile texts, about a millisecond a rule"},
    {"format", "text|csv", &flag_format, NULL, "text when not given"},
};

const struct cli_help cmd_rules_help = {
    .usage = "suqiu rules [--dict DIR] [--data DIR] [--never-hit] "
             "[--always-lost]\n"
             "            [--text TEXT] [--order WORD] [--cost] [--format "
             "text|csv]",
    .text = "Lists the rules of the tables. With --data also how often each "
            "spoke in that\nstore, when last, and what was judged instead when "
            "it was overruled; a running\nserver writes these numbers once a "
            "minute.\n",
    .flags = rules_flags,
    .flag_count = sizeof(rules_flags) / sizeof(rules_flags[0]),
    .groups = CONFIG_DICT | CONFIG_STORE,
};

static bool
load_one(void *data, const struct ledger_rule_hits *stored)
{
    rule_hits_load(data, stored);
    return true;
}

/* What the store knows of the rules; nothing without a store. */
static enum err_code
load_hits(const char *data_dir, struct rule_hits *hits, struct err *err)
{
    const struct store_options options = {0};
    struct store *store = NULL;
    struct reader reader;

    if (data_dir[0] == '\0') {
        return ERR_OK;
    }
    if (store_open(data_dir, STORE_READ, &options, &store, err) == ERR_OK &&
        reader_begin(store, &reader, err) == ERR_OK) {
        (void)!reader_rule_hits(&reader, load_one, hits, err);
        reader_end(&reader);
    }
    store_close(&store);
    return err->code;
}

static void
put_time_cell(struct display_table *table, int64_t at_us)
{
    char time[TICKET_TIME_BYTES];

    display_table_printf(table, "%.16s",
                         at_us != 0 ? ticket_time_format(at_us, time) : "-");
}

static void
put_lost_cell(struct display_table *table, const struct rule_view *view)
{
    int most = 0;

    for (int c = 1; c < TICKET_CATEGORY_COUNT; c++) {
        most = view->hits.lost[c] > view->hits.lost[most] ? c : most;
    }
    if (view->lost == 0) {
        display_table_text(table, "-");
    } else {
        display_table_printf(
            table, "%llu %s", (unsigned long long)view->lost,
            ticket_category_chinese((enum ticket_category)most));
    }
}

static void
put_text(struct buf *buf, const struct rule_list *list)
{
    static const char *const heads[] = {"编号", "类别",     "分值",
                                        "今日", "累计",     "最近命中",
                                        "否定", "最坏用时", "词句"};
    static const enum display_align aligns[] = {
        DISPLAY_LEFT, DISPLAY_LEFT, DISPLAY_RIGHT, DISPLAY_RIGHT, DISPLAY_RIGHT,
        DISPLAY_LEFT, DISPLAY_LEFT, DISPLAY_RIGHT, DISPLAY_LEFT};
    struct display_table table;
    struct err err = {0};
    struct buf words;

    buf_init(&words, 4096);
    display_table_init(&table, sizeof(heads) / sizeof(heads[0]), aligns);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        display_table_text(&table, heads[i]);
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct rule_view *view = &list->views[i];

        display_table_cell(&table, view->rule->id);
        display_table_text(&table, rule_side_name(view->rule));
        display_table_printf(&table, "%+.2f", view->rule->weight / 100.0);
        display_table_printf(&table, "%llu",
                             (unsigned long long)view->hits.today);
        display_table_printf(&table, "%llu",
                             (unsigned long long)view->hits.ever);
        put_time_cell(&table, view->hits.last_us);
        put_lost_cell(&table, view);
        if (view->cost_us >= 0) {
            display_table_printf(&table, "%.0f µs", view->cost_us);
        } else {
            display_table_text(&table, "-");
        }
        buf_reset(&words);
        display_put_cell(&words,
                         view->words != NULL ? span_of(view->words)
                                             : view->rule->pattern,
                         PATTERN_COLUMNS, DISPLAY_LEFT);
        display_table_cell(&table, span_trim(buf_view(&words)));
    }
    if (display_table_put(&table, buf, &err) != ERR_OK &&
        buf->failed == ERR_OK) {
        buf->failed = err.code; /* told by whoever writes the buffer out */
    }
    display_table_release(&table);
    buf_release(&words);
    buf_printf(buf, "%zu 条\n", list->count);
}

static void
put_csv(struct buf *buf,
        const struct dictionary *dictionary,
        const struct rule_list *list)
{
    bool with_text = flag_text != NULL;
    struct list_writer writer;
    size_t count;
    const struct list_column *columns = rules_list_columns(with_text, &count);

    list_begin(&writer, &list_form_csv, columns, count, NULL, buf, NULL);
    for (size_t i = 0; i < list->count; i++) {
        rules_list_put(&writer, dictionary, &list->views[i], with_text);
    }
    list_end(&writer);
}

static enum err_code
read_flags(const struct config *config,
           int argc,
           struct rule_query *query,
           struct err *err)
{
    *query = (struct rule_query){
        .never_hit = flag_never_hit,
        .always_lost = flag_always_lost,
        .text = span_of(flag_text != NULL ? flag_text : "")};
    if (argc > 0) {
        return err_set(err, ERR_USAGE,
                       "rules takes no arguments besides its flags");
    }
    if ((flag_never_hit || flag_always_lost) && config->data[0] == '\0') {
        return err_set(err, ERR_USAGE,
                       "say where the hits are counted: --data DIR");
    }
    if (flag_order != NULL &&
        !rule_order_from(span_of(flag_order), &query->order)) {
        return err_set(err, ERR_USAGE,
                       "--order \"%.40s\": give table, hits, lost or cost",
                       flag_order);
    }
    if (flag_format != NULL && strcmp(flag_format, "text") != 0 &&
        strcmp(flag_format, "csv") != 0) {
        return err_set(err, ERR_USAGE, "--format \"%.40s\": give text or csv",
                       flag_format);
    }
    return ERR_OK;
}

static enum err_code
list_rules(const struct config *config,
           const struct rule_query *query,
           struct buf *out,
           struct err *err)
{
    const struct edition_options options = edition_options_from(config);
    struct rule_hits *hits = rule_hits_new();
    struct edition *edition = NULL;
    struct rule_list list;

    if (hits == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "rules");
    } else if (edition_build(&options, NULL, &edition, err) == ERR_OK &&
               load_hits(config->data, hits, err) == ERR_OK) {
        if (flag_cost || query->order == RULE_ORDER_COST) {
            edition_measure(edition);
        }
        if (rule_list_build(edition->dictionary, hits,
                            atomic_load(&edition->rule_us), query,
                            clock_now_us(), &list, err) == ERR_OK) {
            if (flag_format != NULL && strcmp(flag_format, "csv") == 0) {
                put_csv(out, edition->dictionary, &list);
            } else {
                put_text(out, &list);
            }
            rule_list_release(&list);
        }
    }
    edition_release(&edition);
    rule_hits_free(&hits);
    return err->code;
}

int
cmd_rules(int argc, char **argv)
{
    struct rule_query query;
    struct config config;
    struct err err = {0};
    int exit_code;
    struct buf out;

    if (!cli_begin(&cmd_rules_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    if (read_flags(&config, argc, &query, &err) != ERR_OK) {
        return cli_fail(&err);
    }
    buf_init(&out, OUT_BYTES_MAX);
    exit_code = list_rules(&config, &query, &out, &err) == ERR_OK
                    ? cli_put_out(&out)
                    : cli_fail(&err);
    buf_release(&out);
    return cli_end_out(exit_code);
}
