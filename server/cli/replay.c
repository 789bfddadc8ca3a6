/* suqiu replay: what would other tables say of the tickets that are there? */
#include <stdlib.h>
#include <string.h>

#include "server/base/display.h"
#include "server/base/progress.h"
#include "server/cli/cli.h"
#include "server/cli/open_dictionary.h"
#include "server/rulebook/replay.h"
#include "server/serve/list.h"
#include "server/serve/query.h"

enum {
    OUT_BYTES_MAX = 256 * 1024 * 1024,
    ID_COLUMNS = 18,
    RULES_BYTES_MAX = 1024
};

static const char *flag_from;
static const char *flag_to;
static const char *flag_format;
static const char *flag_limit;

static const struct config_flag replay_flags[] = {
    {"from", "DATE", &flag_from, NULL, "the first day, as 2018-01-01"},
    {"to", "DATE", &flag_to, NULL, "the last day, included"},
    {"format", "text|csv|json", &flag_format, NULL, "text when not given"},
    {"limit", "N", &flag_limit, NULL,
     "tickets listed, 0 to 10000; 100 when not given, all of them counted"},
};

const struct cli_help cmd_replay_help = {
    .usage = "suqiu replay --data DIR --dict NEW --from DATE --to DATE\n"
             "              [--format text|csv|json] [--limit N]",
    .text = "Judges the stored tickets of these days by the tables of NEW and "
            "says which would\nmove from where to where, with the rules of "
            "both sides. Nothing is changed; a server\nmay run meanwhile. "
            "Tickets that a supervisor corrected are marked: they would "
            "stay.\nAfterwards: reload the tables, and suqiu reclassify for "
            "what is there.\n",
    .flags = replay_flags,
    .flag_count = sizeof(replay_flags) / sizeof(replay_flags[0]),
    .groups = CONFIG_DICT | CONFIG_STORE,
};

struct run {
    struct config config;
    struct store *store;
    struct dictionary *dictionary;
    struct replay_options options;
    struct replay_result result;
    struct progress progress;
};

/* --- text --------------------------------------------------------------- */

static const struct replay_side *
side_of(const struct replay_move *move, bool is)
{
    return is ? &move->is : &move->was;
}

static void
put_matrix(struct buf *buf, const struct replay_result *result)
{
    enum display_align aligns[TICKET_CATEGORY_COUNT + 1] = {DISPLAY_LEFT};
    struct display_table table;
    struct err err = {0};

    for (size_t i = 1; i <= TICKET_CATEGORY_COUNT; i++) {
        aligns[i] = DISPLAY_RIGHT;
    }
    display_table_init(&table, TICKET_CATEGORY_COUNT + 1, aligns);
    display_table_text(&table, "现在 ＼ 重判");
    for (int is = 0; is < TICKET_CATEGORY_COUNT; is++) {
        display_table_text(&table,
                           ticket_category_chinese((enum ticket_category)is));
    }
    for (int was = 0; was < TICKET_CATEGORY_COUNT; was++) {
        display_table_text(&table,
                           ticket_category_chinese((enum ticket_category)was));
        for (int is = 0; is < TICKET_CATEGORY_COUNT; is++) {
            display_table_printf(&table, "%llu",
                                 (unsigned long long)result->matrix[was][is]);
        }
    }
    if (display_table_put(&table, buf, &err) != ERR_OK &&
        buf->failed == ERR_OK) {
        buf->failed = err.code; /* told by whoever writes the buffer out */
    }
    display_table_release(&table);
}

static void
put_side_text(struct buf *buf, const char *name, const struct replay_side *side)
{
    buf_printf(buf, "    %s  %s", name,
               ticket_category_chinese(side->category));
    if (side->subcategory.bytes > 0) {
        buf_printf(buf, " › %.*s", SPAN_ARGS(side->subcategory));
    }
    if (side->topic.bytes > 0) {
        buf_printf(buf, " › %.*s", SPAN_ARGS(side->topic));
    }
    buf_printf(buf, "  %s  %.0f %%", ticket_region_chinese(side->region),
               side->confidence_permille / 10.0);
    for (size_t i = 0; i < side->evidence_count; i++) {
        const struct replay_evidence *one = &side->evidence[i];

        buf_printf(buf, "%s%+.2f %.*s", i > 0 ? "，" : "  ",
                   one->weight / 100.0, SPAN_ARGS(one->rule));
        if (one->words.bytes > 0) {
            buf_put_text(buf, " “");
            display_put(buf, one->words);
            buf_put_text(buf, "”");
        }
    }
    buf_put_char(buf, '\n');
}

static void
put_text(struct buf *buf, const struct replay_result *result)
{
    char time[TICKET_TIME_BYTES];

    buf_printf(buf,
               "词典 %s 重判 %llu 件工单，什么都没有改变\n"
               "会变动 %llu 件：一级分类 %llu 件，二级 %llu 件，三级 %llu "
               "件，城乡 %llu 件；其中已改判、仍以改判为准 %llu 件\n\n",
               result->dictionary, (unsigned long long)result->tickets,
               (unsigned long long)result->moved,
               (unsigned long long)result->moved_category,
               (unsigned long long)result->moved_subcategory,
               (unsigned long long)result->moved_topic,
               (unsigned long long)result->moved_region,
               (unsigned long long)result->moved_reviewed);
    put_matrix(buf, result);
    if (result->move_count > 0) {
        buf_printf(buf, "\n变动的工单（%llu 件中的 %zu 件，先列分类变动的）\n",
                   (unsigned long long)result->moved, result->move_count);
    }
    for (size_t i = 0; i < result->move_count; i++) {
        const struct replay_move *move = &result->moves[i];

        display_put_cell(buf, move->id, ID_COLUMNS, DISPLAY_LEFT);
        buf_printf(buf, "  %s%s\n",
                   ticket_time_format(move->accepted_at_us, time),
                   move->reviewed ? "  已改判" : "");
        put_side_text(buf, "现在", &move->was);
        put_side_text(buf, "重判", &move->is);
    }
}

/* --- csv ---------------------------------------------------------------- */

static const struct list_column csv_columns[] = {
    {"id", "工单编号", LIST_DIGITS},
    {"accepted_at", "受理时间", LIST_TIME},
    {"reviewed", "已改判", LIST_BOOL},
    {"was_category", "现在一级", LIST_TEXT},
    {"was_subcategory", "现在二级", LIST_TEXT},
    {"was_topic", "现在三级", LIST_TEXT},
    {"was_region", "现在城乡", LIST_TEXT},
    {"was_confidence", "现在置信度", LIST_REAL},
    {"was_rules", "现在依据", LIST_TEXT},
    {"is_category", "重判一级", LIST_TEXT},
    {"is_subcategory", "重判二级", LIST_TEXT},
    {"is_topic", "重判三级", LIST_TEXT},
    {"is_region", "重判城乡", LIST_TEXT},
    {"is_confidence", "重判置信度", LIST_REAL},
    {"is_rules", "重判依据", LIST_TEXT},
};

static void
put_side_cells(struct list_writer *writer, const struct replay_side *side)
{
    struct buf rules;

    list_text(writer, span_of(ticket_category_wire(side->category)));
    list_text(writer, side->subcategory);
    list_text(writer, side->topic);
    list_text(writer, span_of(ticket_region_wire(side->region)));
    list_real(writer, side->confidence_permille / 1000.0);
    buf_init(&rules, RULES_BYTES_MAX);
    for (size_t i = 0; i < side->evidence_count; i++) {
        const struct replay_evidence *one = &side->evidence[i];

        buf_printf(&rules, "%s%.*s %+.2f", i > 0 ? "; " : "",
                   SPAN_ARGS(one->rule), one->weight / 100.0);
        if (one->words.bytes > 0) {
            buf_printf(&rules, " “%.*s”", SPAN_ARGS(one->words));
        }
    }
    list_text(writer, buf_view(&rules));
    buf_release(&rules);
}

static void
put_csv(struct buf *buf, const struct replay_result *result)
{
    struct list_writer writer;

    list_begin(&writer, &list_form_csv, csv_columns,
               sizeof(csv_columns) / sizeof(csv_columns[0]), NULL, buf, NULL);
    for (size_t i = 0; i < result->move_count; i++) {
        const struct replay_move *move = &result->moves[i];

        list_text(&writer, move->id);
        list_time(&writer, move->accepted_at_us);
        list_bool(&writer, move->reviewed);
        put_side_cells(&writer, side_of(move, false));
        put_side_cells(&writer, side_of(move, true));
    }
    list_end(&writer);
}

static void
put_json(struct buf *buf, const struct replay_result *result)
{
    struct json_out json;

    json_init(&json, buf);
    json_open_object(&json);
    replay_put_json(result, NULL, NULL, &json);
    json_close_object(&json);
    buf_put_char(buf, '\n');
}

static const struct form {
    const char *name;
    void (*put)(struct buf *buf, const struct replay_result *result);
} forms[] = {{"text", put_text}, {"csv", put_csv}, {"json", put_json}};

/* --- running ------------------------------------------------------------ */

static enum err_code
read_limit(size_t *out, struct err *err)
{
    unsigned long limit = REPLAY_LIST_DEFAULT;
    char *end = NULL;

    if (flag_limit != NULL) {
        limit = strtoul(flag_limit, &end, 10);
        if (flag_limit[0] < '0' || flag_limit[0] > '9' || *end != '\0' ||
            limit > REPLAY_LIST_MAX) {
            return err_set(err, ERR_USAGE,
                           "--limit \"%.40s\": give a number from 0 to %d",
                           flag_limit, REPLAY_LIST_MAX);
        }
    }
    *out = limit;
    return ERR_OK;
}

static enum err_code
read_flags(struct run *run, int argc, const struct form **form, struct err *err)
{
    const char *name = flag_format != NULL ? flag_format : "text";

    *form = NULL;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (strcmp(forms[i].name, name) == 0) {
            *form = &forms[i];
        }
    }
    if (argc > 0) {
        return err_set(err, ERR_USAGE,
                       "replay takes no arguments besides its flags");
    }
    if (run->config.data[0] == '\0') {
        return err_set(err, ERR_USAGE, "say which store: --data DIR");
    }
    if (*form == NULL) {
        return err_set(err, ERR_USAGE,
                       "--format \"%.40s\": give text, csv or json", name);
    }
    if (flag_from == NULL || flag_to == NULL) {
        return err_set(err, ERR_USAGE,
                       "say which period: --from DATE --to DATE");
    }
    if (query_time_parse(span_of(flag_from), false, "--from",
                         &run->options.from_us, err) != ERR_OK ||
        query_time_parse(span_of(flag_to), true, "--to", &run->options.to_us,
                         err) != ERR_OK ||
        read_limit(&run->options.list_max, err) != ERR_OK) {
        err->code = ERR_USAGE;
        return err->code;
    }
    if (run->options.to_us <= run->options.from_us) {
        return err_set(err, ERR_USAGE, "--to %.40s lies before --from %.40s",
                       flag_to, flag_from);
    }
    return ERR_OK;
}

static bool
show_progress(void *data, uint64_t tickets)
{
    progress_update(data, tickets);
    return true;
}

static enum err_code
replay(struct run *run, struct err *err)
{
    const struct store_options store_options = {0};
    uint64_t total = 0;

    if (open_dictionary(&run->config, &run->dictionary, err) != ERR_OK ||
        store_open(run->config.data, STORE_READ, &store_options, &run->store,
                   err) != ERR_OK ||
        replay_count(run->store, run->options.from_us, run->options.to_us,
                     &total, err) != ERR_OK) {
        return err->code;
    }
    run->options.go_on = show_progress;
    run->options.data = &run->progress;
    progress_start(&run->progress, "replay", total);
    (void)!replay_run(run->store, run->dictionary, &run->options, &run->result,
                      err);
    progress_stop(&run->progress);
    return err->code;
}

int
cmd_replay(int argc, char **argv)
{
    struct run run = {.store = NULL};
    const struct form *form;
    struct err err = {0};
    int exit_code;
    struct buf out;

    if (!cli_begin(&cmd_replay_help, &argc, argv, &run.config, &exit_code)) {
        return exit_code;
    }
    if (read_flags(&run, argc, &form, &err) != ERR_OK) {
        return cli_fail(&err);
    }
    buf_init(&out, OUT_BYTES_MAX);
    if (replay(&run, &err) != ERR_OK) {
        exit_code = cli_fail(&err);
    } else {
        form->put(&out, &run.result);
        exit_code = cli_put_out(&out);
    }
    buf_release(&out);
    replay_release(&run.result);
    store_close(&run.store);
    dictionary_free(&run.dictionary);
    return cli_end_out(exit_code);
}
