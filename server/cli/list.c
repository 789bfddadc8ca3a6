/* suqiu list: the lists of the API as a table, CSV or JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/http_client.h"
#include "server/cli/ask.h"
#include "server/cli/cli.h"
#include "server/cli/list_table.h"
#include "server/serve/lists.h"

enum { LIST_NAMES_BYTES = 320, LIST_LIMIT_BYTES = 24 };

static const struct list_source *const sources[] = {
    &tickets_source,   &repeat_callers_source, &overdue_source,
    &hot_spots_source, &rejects_source,
};

static const struct list_output {
    const char *name;
    const struct list_form *form; /* NULL: a table, from the CSV */
} outputs[] = {
    {"table", NULL},
    {"csv", &list_form_csv},
    {"json", &list_form_json},
    {"ndjson", &list_form_ndjson},
};

enum {
    SOURCE_COUNT = sizeof(sources) / sizeof(sources[0]),
    OUTPUT_COUNT = sizeof(outputs) / sizeof(outputs[0])
};

/* Every filter of these lists: parameter, flag, value, sentence. */
#define LIST_FILTERS(FILTER)                                                   \
    FILTER(from, "from", "DATE", "accepted on this day or later")              \
    FILTER(to, "to", "DATE", "accepted on this day or earlier")                \
    FILTER(unit, "unit", "U", "a supply unit's path or code, with all below")  \
    FILTER(type, "type", "WORD", "complaint, fault, …; several by commas")     \
    FILTER(channel, "channel", "WORD", "95598, 12345, …; several by commas")   \
    FILTER(category, "category", "WORD",                                       \
           "service, business, outage, quality, grid, none; several by "       \
           "commas")                                                           \
    FILTER(subcategory, "subcategory", "NAME", "second level, name or code")   \
    FILTER(region, "region", "WORD", "urban, rural, remote, unknown")          \
    FILTER(state, "state", "WORD",                                             \
           "tickets: open, replied, closed; overdue: overdue, due_soon, all")  \
    FILTER(overdue, "overdue", "X", "1, 0 or a clock: what ran out")           \
    FILTER(repeat, "repeat", "Y", "yes or no: counted as a repeat call")       \
    FILTER(complaint, "complaint", "Y", "yes or no: counted as a complaint")   \
    FILTER(flag, "flag", "WORD", "flags of the verdict")                       \
    FILTER(counter, "counter", "NAME", "the tickets behind a counter")         \
    FILTER(q, "q", "WORDS", "words that stand in the text or the id")          \
    FILTER(same_caller, "same-caller", "ID",                                   \
           "all tickets of this one's "                                        \
           "customer")                                                         \
    FILTER(min_calls, "min-calls", "N", "at least so many calls (2)")          \
    FILTER(excluded, "excluded", "Y", "with chains that do not count")         \
    FILTER(min_callers, "min-callers", "N", "at least so many callers (3)")    \
    FILTER(kind, "kind", "WORD", "a clock, by code or name")                   \
    FILTER(by, "by", "TIME", "what is overdue by then if nothing happens")     \
    FILTER(order, "order", "WORD", "oldest or newest")                         \
    FILTER(open, "open", "Y", "yes or no: not finished")                       \
    FILTER(before, "before", "N", "refused lines before this number")          \
    FILTER(limit, "limit", "N", "at most so many rows (a table: 100)")         \
    FILTER(cursor, "cursor", "TEXT", "\"next\" of the JSON before this one")

enum filter {
#define FILTER(param, flag, value, sentence) FILTER_##param,
    LIST_FILTERS(FILTER)
#undef FILTER
        FILTER_COUNT
};

static const char *const filter_params[FILTER_COUNT] = {
#define FILTER(param, flag, value, sentence) #param,
    LIST_FILTERS(FILTER)
#undef FILTER
};

static const char *filter_values[FILTER_COUNT];
static const char *flag_url;
static const char *flag_format;

static const struct config_flag list_flags[] = {
    {"url", "URL", &flag_url, NULL,
     "ask this server (" ASK_URL_DEFAULT " when there is no --data either)"},
    {"format", "FORM", &flag_format, NULL,
     "table (for people), csv, json (one page) or ndjson; table"},
#define FILTER(param, flag, value, sentence)                                   \
    {flag, value, &filter_values[FILTER_##param], NULL, sentence},
    LIST_FILTERS(FILTER)
#undef FILTER
};

const struct cli_help cmd_list_help = {
    .usage = "suqiu list tickets|repeat-callers|overdue|hot-spots|rejects\n"
             "           [--data DIR | --url URL] [FILTERS] "
             "[--format table|csv|json|ndjson]",
    .text =
        "The lists of the HTTP API, with the same filters, rows and order "
        "(docs/http-api.md).\nA list takes its own filters only and says "
        "which when it gets another one.\n\n"
        "The table shows the columns that people read first, in Chinese, 100 "
        "rows unless\n--limit says otherwise; the other forms have every "
        "column and are what the\nserver gives.\n\n"
        "From --data phones, customer numbers, names and addresses are masked "
        "as for a\nviewer; a server masks by the token that it is shown.\n",
    .flags = list_flags,
    .flag_count = sizeof(list_flags) / sizeof(list_flags[0]),
    .groups = CONFIG_DICT | CONFIG_STORE | CONFIG_CLIENT,
};

/* What was asked for. */
struct listing {
    const struct list_source *source;
    const struct list_output *output;
    struct params params;
    size_t rows_max;              /* of a table */
    char limit[LIST_LIMIT_BYTES]; /* what a table asks for */
};

/* --- flags -------------------------------------------------------------- */

static bool
is_one_of(const char *name, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool
takes(const struct list_source *source, enum filter filter)
{
    if (filter == FILTER_cursor) {
        return source->put_cursor != NULL;
    }
    return filter == FILTER_limit ||
           is_one_of(filter_params[filter], source->params);
}

static const char *
filter_flag(enum filter filter)
{
    static const char *const names[FILTER_COUNT] = {
#define FILTER(param, flag, value, sentence) "--" flag,
        LIST_FILTERS(FILTER)
#undef FILTER
    };

    return names[filter];
}

static enum err_code
not_taken(const struct list_source *source, enum filter filter, struct err *err)
{
    char names[LIST_NAMES_BYTES] = "";
    size_t used = 0;

    for (size_t i = 0; i < FILTER_COUNT && used < sizeof(names); i++) {
        if (takes(source, (enum filter)i)) {
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                     used > 0 ? ", " : "",
                                     filter_flag((enum filter)i));
        }
    }
    return err_set(err, ERR_USAGE, "list %s has no %s; it takes %s",
                   source->name, filter_flag(filter), names);
}

static enum err_code
read_filters(struct listing *listing, struct err *err)
{
    for (size_t i = 0; i < FILTER_COUNT; i++) {
        if (filter_values[i] == NULL) {
            continue;
        }
        if (!takes(listing->source, (enum filter)i)) {
            return not_taken(listing->source, (enum filter)i, err);
        }
        if (i != FILTER_limit || listing->output->form != NULL) {
            listing->params.items[listing->params.count++] = (struct param){
                span_of(filter_params[i]), span_of(filter_values[i])};
        }
    }
    return ERR_OK;
}

/* A table asks for one row more than it shows, to know whether there are. */
static enum err_code
limit_table(struct listing *listing, struct err *err)
{
    const char *text = filter_values[FILTER_limit];
    unsigned long rows = LIST_LIMIT_DEFAULT;
    char *end = NULL;

    if (listing->output->form != NULL) {
        return ERR_OK;
    }
    if (text != NULL) {
        rows = strtoul(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end != '\0' || rows < 1 ||
            rows > LIST_TABLE_ROWS_MAX) {
            return err_set(err, ERR_USAGE,
                           "--limit of a table is a number from 1 to %d, not "
                           "\"%.40s\"; --format csv or ndjson have no limit",
                           LIST_TABLE_ROWS_MAX, text);
        }
    }
    listing->rows_max = rows;
    (void)snprintf(listing->limit, sizeof(listing->limit), "%lu", rows + 1);
    listing->params.items[listing->params.count++] =
        (struct param){SPAN_LITERAL("limit"), span_of(listing->limit)};
    return ERR_OK;
}

static enum err_code
read_listing(int argc, char **argv, struct listing *listing, struct err *err)
{
    const char *format = flag_format != NULL ? flag_format : "table";

    if (argc != 1) {
        return err_set(err, ERR_USAGE, "say which list: %s",
                       cmd_list_help.usage);
    }
    for (size_t i = 0; i < SOURCE_COUNT; i++) {
        if (strcmp(sources[i]->name, argv[0]) == 0) {
            listing->source = sources[i];
        }
    }
    for (size_t i = 0; i < OUTPUT_COUNT; i++) {
        if (strcmp(outputs[i].name, format) == 0) {
            listing->output = &outputs[i];
        }
    }
    if (listing->source == NULL) {
        return err_set(err, ERR_USAGE,
                       "there is no list \"%.40s\": tickets, repeat-callers, "
                       "overdue, hot-spots, rejects",
                       argv[0]);
    }
    if (listing->output == NULL) {
        return err_set(err, ERR_USAGE,
                       "--format \"%.40s\": give table, csv, json or ndjson",
                       format);
    }
    return read_filters(listing, err) == ERR_OK ? limit_table(listing, err)
                                                : err->code;
}

/* --- output ------------------------------------------------------------- */

static enum err_code
into_stdout(void *data, struct span piece, struct err *err)
{
    (void)data;
    (void)err;
    /* cli_end_out tells when something was lost */
    (void)fwrite(piece.data, 1, piece.bytes, stdout);
    return ERR_OK;
}

static enum err_code
put_table(struct ask *ask, const struct listing *listing, struct err *err)
{
    struct buf csv;
    struct buf table;
    bool more = false;

    buf_init(&csv, LIST_TABLE_BYTES_MAX);
    buf_init(&table, LIST_TABLE_BYTES_MAX);
    if (ask_list(ask, listing->source, &list_form_csv, &listing->params,
                 ask_into_buf, &csv, err) == ERR_OK &&
        list_table_put(listing->source->name, buf_view(&csv), listing->rows_max,
                       &table, &more, err) == ERR_OK) {
        (void)!into_stdout(NULL, buf_view(&table), err);
        if (more) {
            (void)fflush(stdout);
            (void)fprintf(stderr,
                          "the first %zu rows; --limit N shows more, --format "
                          "csv all\n",
                          listing->rows_max);
        }
    }
    buf_release(&csv);
    buf_release(&table);
    return err->code;
}

int
cmd_list(int argc, char **argv)
{
    struct listing listing = {.source = NULL};
    struct config config;
    struct ask *ask = NULL;
    struct err err = {0};
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_list_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    if (read_listing(argc, argv, &listing, &err) == ERR_OK &&
        ask_open(&config, flag_url, HTTP_CLIENT_WAIT_S_DEFAULT, &ask, &err) ==
            ERR_OK) {
        if (listing.output->form == NULL) {
            (void)!put_table(ask, &listing, &err);
        } else {
            (void)!ask_list(ask, listing.source, listing.output->form,
                            &listing.params, into_stdout, NULL, &err);
        }
    }
    ask_close(&ask);
    if (err.code == ERR_OK) {
        return cli_end_out(CLI_FINE);
    }
    exit_code = cli_fail(&err);
    /* A wrong filter is wrong usage, whoever noticed it. */
    return err.field[0] != '\0' && err_code_kind(err.code) == ERR_KIND_BAD_INPUT
               ? CLI_USAGE
               : exit_code;
}
