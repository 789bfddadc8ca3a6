/* suqiu top: the numbers of now, in a terminal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyzers/calendar.h"
#include "analyzers/indicator.h"
#include "server/base/clock.h"
#include "server/cli/ask.h"
#include "server/cli/cli.h"
#include "server/cli/top_grid.h"
#include "server/cli/top_screen.h"
#include "server/serve/dictionary_json.h"
#include "server/serve/lists.h"
#include "server/serve/status.h"

enum {
    TOP_INTERVAL_S_DEFAULT = 2,
    TOP_INTERVAL_S_MAX = 3600,
    TOP_WAIT_S = 5, /* for an answer */
    TOP_PLAIN_COLUMNS = 80,
    TOP_PLAIN_ROWS = 60,
    TOP_COUNTERS_BYTES_MAX = 1 << 20,
    TOP_TEXT_BYTES_MAX = 1 << 20
};

static const char *flag_url;
static const char *flag_interval;
static const char *flag_format;
static bool flag_once;

static const struct config_flag top_flags[] = {
    {"url", "URL", &flag_url, NULL,
     "ask this server (" ASK_URL_DEFAULT " when there is no --data either)"},
    {"interval", "SECONDS", &flag_interval, NULL,
     "look again after so long (2)"},
    {"once", NULL, NULL, &flag_once, "print the numbers once and end"},
    {"format", "FORM", &flag_format, NULL,
     "text or json (one object a line); text"},
};

const struct cli_help cmd_top_help = {
    .usage =
        "suqiu top [--url URL | --data DIR] [--interval SECONDS] [--once]\n"
        "          [--format text|json]",
    .text =
        "Today's tickets, complaints by category and region, repeat calls, "
        "clocks that run,\nare about to run out or ran out, how fast records "
        "come in and whether all is well.\nIn a terminal the screen is kept "
        "up to date; q ends it. Elsewhere the same goes\nout as plain lines, "
        "again every --interval, or --once.\n\n"
        "A server knows more than a directory: queue, connections, state. "
        "Nothing personal\nis shown.\n",
    .flags = top_flags,
    .flag_count = sizeof(top_flags) / sizeof(top_flags[0]),
    .groups = CONFIG_DICT | CONFIG_STORE | CONFIG_CLIENT,
};

/* One run. */
struct top {
    struct ask *ask;
    unsigned interval_s;
    bool json;
    bool named; /* names of clocks are known */
    struct top_numbers numbers;
    struct top_numbers before;
    bool has_before;
    struct top_rates rates;
    struct buf text;
};

/* --- reading ------------------------------------------------------------ */

static enum err_code
read_today(struct top *top, struct top_numbers *numbers, struct err *err)
{
    char day[PERIOD_NAME_BYTES];
    struct params params = {.count = 0};
    struct buf csv;

    (void)period_name(PERIOD_DAY, shanghai_day(numbers->at_us), day);
    params.items[params.count++] =
        (struct param){SPAN_LITERAL("from"), span_of(day)};
    params.items[params.count++] =
        (struct param){SPAN_LITERAL("to"), span_of(day)};
    params.items[params.count++] =
        (struct param){SPAN_LITERAL("by"), SPAN_LITERAL("category,region")};
    params.items[params.count++] =
        (struct param){SPAN_LITERAL("encoding"), SPAN_LITERAL("utf-8")};
    buf_init(&csv, TOP_COUNTERS_BYTES_MAX);
    if (ask_list(top->ask, &counters_source, &list_form_csv, &params,
                 ask_into_buf, &csv, err) == ERR_OK) {
        (void)!top_read_counters(numbers, buf_view(&csv), err);
    }
    buf_release(&csv);
    return err->code;
}

/* Names stay, so they are asked for once, as soon as there are clocks. */
static enum err_code
read_names(struct top *top, struct top_numbers *numbers, struct err *err)
{
    for (size_t i = 0; i < numbers->clock_count; i++) {
        for (size_t k = 0; k < top->numbers.clock_count; k++) {
            if (strcmp(numbers->clocks[i].kind, top->numbers.clocks[k].kind) ==
                0) {
                memcpy(numbers->clocks[i].name, top->numbers.clocks[k].name,
                       TOP_NAME_BYTES);
            }
        }
    }
    for (size_t i = 0; i < numbers->clock_count; i++) {
        if (numbers->clocks[i].name[0] == '\0') {
            if (ask_dictionary(top->ask, &top->text, err) == ERR_OK) {
                top_read_names(numbers, buf_view(&top->text));
            }
            return err->code;
        }
    }
    return ERR_OK;
}

/* New numbers; on an error the old ones stay. */
static enum err_code
read_numbers(struct top *top, struct err *err)
{
    struct top_numbers numbers = {.at_us = clock_now_us()};

    if (ask_metrics(top->ask, &top->text, err) != ERR_OK) {
        return err->code;
    }
    top_read_metrics(&numbers, buf_view(&top->text));
    if (read_today(top, &numbers, err) != ERR_OK ||
        read_names(top, &numbers, err) != ERR_OK) {
        return err->code;
    }
    top->before = top->numbers;
    top->rates = top_rates_of(top->has_before ? &top->before : NULL, &numbers);
    top->numbers = numbers;
    top->has_before = true;
    return ERR_OK;
}

/* --- plain lines -------------------------------------------------------- */

static enum err_code
put_plain(struct top *top, struct err *err)
{
    const struct top_note note = {.where = ask_where(top->ask)};
    struct top_grid grid;
    struct json_out json;

    buf_reset(&top->text);
    if (top->json) {
        json_init(&json, &top->text);
        top_put_json(&json, &top->numbers, &top->rates);
        buf_put_char(&top->text, '\n');
        return buf_check(&top->text, err);
    }
    if (top_grid_open(&grid, TOP_PLAIN_COLUMNS, TOP_PLAIN_ROWS, err) ==
        ERR_OK) {
        top_draw(&grid, &top->numbers, &top->rates, &note);
        top_grid_text(&grid, &top->text);
    }
    top_grid_close(&grid);
    return err->code == ERR_OK ? buf_check(&top->text, err) : err->code;
}

static void
rest(unsigned seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};

    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* Until it is ended, or its reader goes away. */
static int
run_plain(struct top *top, struct err *err)
{
    for (;;) {
        if (put_plain(top, err) != ERR_OK) {
            return cli_fail(err);
        }
        if (cli_put_out(&top->text) != CLI_FINE) {
            return CLI_FAILED;
        }
        if (flag_once) {
            return cli_end_out(CLI_FINE);
        }
        rest(top->interval_s);
        *err = (struct err){0};
        if (read_numbers(top, err) != ERR_OK) {
            return cli_fail(err);
        }
        if (!top->json) {
            (void)putchar('\n');
        }
    }
}

/* --- the screen --------------------------------------------------------- */

static int
run_screen(struct top *top, struct top_screen *screen, struct err *err)
{
    struct err trouble = {0};
    enum top_key key = TOP_KEY_NONE;

    while (key != TOP_KEY_QUIT) {
        const struct top_note note = {
            .where = ask_where(top->ask),
            .trouble = trouble.code != ERR_OK ? trouble.detail : NULL,
            .keys = true};
        struct top_grid grid;
        size_t columns;
        size_t rows;

        top_screen_size(screen, &columns, &rows);
        if (top_grid_open(&grid, columns, rows, err) != ERR_OK) {
            return CLI_FAILED; /* told when the screen is closed */
        }
        top_draw(&grid, &top->numbers, &top->rates, &note);
        top_screen_show(screen, &grid);
        top_grid_close(&grid);
        key = top_screen_wait(screen, top->interval_s);
        if (key == TOP_KEY_NONE) {
            trouble = (struct err){0};
            (void)!read_numbers(top, &trouble);
        }
    }
    return CLI_FINE;
}

static int
run(struct top *top, struct err *err)
{
    struct top_screen *screen = NULL;
    int exit_code;

    /* The first reading tells on standard error what is wrong. */
    if (read_numbers(top, err) != ERR_OK) {
        return cli_fail(err);
    }
    if (!flag_once && !top->json) {
        screen = top_screen_open();
    }
    if (screen == NULL) {
        return run_plain(top, err);
    }
    exit_code = run_screen(top, screen, err);
    top_screen_close(&screen);
    return err->code != ERR_OK ? cli_fail(err) : exit_code;
}

/* --- flags -------------------------------------------------------------- */

static enum err_code
read_flags(int argc, struct top *top, struct err *err)
{
    char *end = NULL;

    if (argc > 0) {
        return err_set(err, ERR_USAGE,
                       "top takes no arguments besides its flags");
    }
    top->interval_s = TOP_INTERVAL_S_DEFAULT;
    if (flag_interval != NULL) {
        unsigned long seconds = strtoul(flag_interval, &end, 10);

        if (flag_interval[0] < '0' || flag_interval[0] > '9' || *end != '\0' ||
            seconds < 1 || seconds > TOP_INTERVAL_S_MAX) {
            return err_set(err, ERR_USAGE,
                           "--interval is a number of seconds from 1 to %d, "
                           "not \"%.40s\"",
                           TOP_INTERVAL_S_MAX, flag_interval);
        }
        top->interval_s = (unsigned)seconds;
    }
    top->json = flag_format != NULL && strcmp(flag_format, "json") == 0;
    if (flag_format != NULL && !top->json && strcmp(flag_format, "text") != 0) {
        return err_set(err, ERR_USAGE, "--format \"%.40s\": give text or json",
                       flag_format);
    }
    return ERR_OK;
}

int
cmd_top(int argc, char **argv)
{
    struct top top = {.ask = NULL};
    struct config config;
    struct err err = {0};
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_top_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    buf_init(&top.text, TOP_TEXT_BYTES_MAX);
    if (read_flags(argc, &top, &err) == ERR_OK &&
        ask_open(&config, flag_url, TOP_WAIT_S, &top.ask, &err) == ERR_OK) {
        exit_code = run(&top, &err);
    } else {
        exit_code = cli_fail(&err);
    }
    ask_close(&top.ask);
    buf_release(&top.text);
    return exit_code;
}
