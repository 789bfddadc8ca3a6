/* Texts written from the tables of commands and settings. */
#include "server/cli/manual.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/cli/cli.h"

enum { SETTING_TAKES_BYTES = 96, SETTING_DEFAULT_BYTES = 64 };

/* ---- the tables ---- */

static const struct manual_command {
    const char *name;
    const char *line;
    const struct cli_help *help;
} commands[] = {
#define CLI_COMMAND(name, line) {#name, line, &cmd_##name##_help},
#include "server/cli/commands.def"
#undef CLI_COMMAND
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

struct setting {
    const char *name;
    const char *sentence;
    const char *choices; /* "a|b"; NULL: a text or a number */
    const char *unit;    /* of a number; NULL: none */
    const char *text;    /* default of texts and choices; NULL: a number */
    uint64_t number;     /* default of numbers and switches */
    uint64_t min;
    uint64_t max;
    unsigned groups;
};

#define DICT CONFIG_DICT
#define STORE CONFIG_STORE
#define SERVE CONFIG_SERVE
#define CLIENT CONFIG_CLIENT

static const struct setting settings[CONFIG_OPTION_COUNT] = {
#define OPTION_TEXT(name_, default_, groups_, sentence_)                       \
    {.name = #name_,                                                           \
     .sentence = sentence_,                                                    \
     .text = default_,                                                         \
     .groups = (unsigned)(groups_)},
#define OPTION_CHOICE(name_, choices_, default_, groups_, sentence_)           \
    {.name = #name_,                                                           \
     .sentence = sentence_,                                                    \
     .choices = choices_,                                                      \
     .text = default_,                                                         \
     .groups = (unsigned)(groups_)},
#define OPTION_SWITCH(name_, default_, groups_, sentence_)                     \
    {.name = #name_,                                                           \
     .sentence = sentence_,                                                    \
     .choices = "on|off",                                                      \
     .text = (default_) ? "on" : "off",                                        \
     .groups = (unsigned)(groups_)},
#define OPTION_UINT(name_, unit_, min_, max_, default_, groups_, sentence_)    \
    {.name = #name_,                                                           \
     .sentence = sentence_,                                                    \
     .unit = unit_,                                                            \
     .number = default_,                                                       \
     .min = min_,                                                              \
     .max = max_,                                                              \
     .groups = (unsigned)(groups_)},
#include "server/base/options.def"
};

static const char *
takes_of(const struct setting *setting, char out[SETTING_TAKES_BYTES])
{
    if (setting->choices != NULL) {
        return setting->choices;
    }
    if (setting->text != NULL) {
        return "text";
    }
    (void)snprintf(out, SETTING_TAKES_BYTES, "%" PRIu64 " to %" PRIu64 " %s",
                   setting->min, setting->max, setting->unit);
    return out;
}

static const char *
default_of(const struct setting *setting, char out[SETTING_DEFAULT_BYTES])
{
    if (setting->text != NULL) {
        return setting->text;
    }
    (void)snprintf(out, SETTING_DEFAULT_BYTES, "%" PRIu64, setting->number);
    return out;
}

/* http_port -> http-port or HTTP_PORT */
static void
put_name(struct buf *out, const char *name, bool upper)
{
    for (; *name != '\0'; name++) {
        if (upper) {
            buf_put_char(
                out, (char)(*name >= 'a' && *name <= 'z' ? *name - 32 : *name));
        } else {
            buf_put_char(out, (char)(*name == '_' ? '-' : *name));
        }
    }
}

/* ---- the settings file ---- */

void
manual_put_settings(struct buf *out)
{
    buf_put_text(
        out, "# Settings of suqiu. A line is `name = value`; those that begin "
             "with ; or # are\n# comments. A flag (--http-port) or an "
             "environment variable (SUQIU_HTTP_PORT)\n# wins over this file. "
             "What stands behind a ; is what holds without the line.\n");
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        const struct setting *setting = &settings[i];
        char takes[SETTING_TAKES_BYTES];
        char value[SETTING_DEFAULT_BYTES];
        const char *given = default_of(setting, value);

        buf_printf(out, "\n# %s\n# takes: %s\n;%s =%s%s\n", setting->sentence,
                   takes_of(setting, takes), setting->name,
                   given[0] != '\0' ? " " : "", given);
    }
}

/* ---- the man page ---- */

/* Text as it stands: what roff would take for a command is hidden from it. */
static void
put_roff(struct buf *out, const char *text)
{
    bool line_start = true;

    for (; *text != '\0'; text++) {
        if (line_start && (*text == '.' || *text == '\'')) {
            buf_put_text(out, "\\&");
        }
        line_start = *text == '\n';
        if (*text == '\\') {
            buf_put_text(out, "\\e");
        } else if (*text == '-') {
            buf_put_text(out, "\\-");
        } else {
            buf_put_char(out, *text);
        }
    }
}

static void
put_roff_lines(struct buf *out, const char *text)
{
    buf_put_text(out, ".nf\n");
    put_roff(out, text);
    if (text[0] != '\0' && text[strlen(text) - 1] != '\n') {
        buf_put_char(out, '\n');
    }
    buf_put_text(out, ".fi\n");
}

static void
put_man_flag(struct buf *out, const struct config_flag *flag)
{
    buf_put_text(out, ".TP\n.B \\-\\-");
    put_roff(out, flag->name);
    if (flag->value_name != NULL) {
        buf_put_text(out, " \\fI");
        put_roff(out, flag->value_name);
        buf_put_text(out, "\\fR");
    }
    buf_put_char(out, '\n');
    put_roff(out, flag->sentence);
    buf_put_char(out, '\n');
}

static void
put_man_command(struct buf *out, const struct manual_command *command)
{
    const struct cli_help *help = command->help;
    bool first = true;

    buf_printf(out, ".SS %s\n", command->name);
    put_roff(out, command->line);
    buf_put_text(out, ".\n.PP\n");
    put_roff_lines(out, help->usage);
    if (help->text != NULL && help->text[0] != '\0') {
        buf_put_text(out, ".PP\n");
        put_roff_lines(out, help->text);
    }
    for (size_t i = 0; i < help->flag_count; i++) {
        put_man_flag(out, &help->flags[i]);
    }
    if (help->groups == 0) {
        return;
    }
    buf_put_text(out, ".PP\nSettings: ");
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        if ((settings[i].groups & help->groups) != 0) {
            buf_put_text(out, first ? "" : ", ");
            put_roff(out, settings[i].name);
            first = false;
        }
    }
    buf_put_text(out, ".\n");
}

static void
put_man_setting(struct buf *out, const struct setting *setting)
{
    char takes[SETTING_TAKES_BYTES];
    char value[SETTING_DEFAULT_BYTES];
    const char *given;

    buf_put_text(out, ".TP\n.B ");
    put_roff(out, setting->name);
    buf_put_text(out, "\n");
    put_roff(out, setting->sentence);
    buf_put_text(out, ".\nTakes ");
    put_roff(out, takes_of(setting, takes));
    given = default_of(setting, value);
    if (given[0] != '\0') {
        buf_put_text(out, "; ");
        put_roff(out, given);
        buf_put_text(out, " when it is not given");
    }
    buf_put_text(out, ".\n");
}

void
manual_put_man(struct buf *out)
{
    buf_printf(out,
               ".TH SUQIU 1 \"\" \"suqiu %s\" \"User Commands\"\n"
               ".SH NAME\nsuqiu \\- read, judge, store and count the work "
               "orders of an electricity hotline\n"
               ".SH SYNOPSIS\n.B suqiu\n.I COMMAND\n[\\fIFLAGS\\fR] "
               "[\\fIARGUMENTS\\fR]\n.PP\n.B suqiu help\n[\\fICOMMAND\\fR]\n"
               ".SH DESCRIPTION\nsuqiu takes in the work orders of an "
               "electricity hotline, judges each one, stores it and counts: "
               "what people complain about, where, who has to call again, and "
               "which promise is about to be broken.\n"
               ".SH COMMANDS\n",
               SUQIU_VERSION);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        put_man_command(out, &commands[i]);
    }
    buf_put_text(
        out, ".SH SETTINGS\nA setting is a flag (\\fB\\-\\-http\\-port\\fR "
             "\\fI9559\\fR), an environment variable "
             "(\\fBSUQIU_HTTP_PORT\\fR) or a line of the settings file "
             "(\\fBhttp_port = 9559\\fR), which \\fB\\-\\-config\\fR or "
             "\\fBSUQIU_CONFIG\\fR names. The flag wins, then the variable, "
             "then the file. Sizes in bytes take K, M or G behind the "
             "number.\n");
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        put_man_setting(out, &settings[i]);
    }
    buf_put_text(
        out,
        ".SH FILES\n.TP\n.I /etc/suqiu/suqiu.conf\nthe settings file of the "
        "service\n.TP\n.I /var/lib/suqiu\nits data directory\n"
        ".SH EXIT STATUS\n.TP\n.B 0\nfine\n.TP\n.B 1\nthe answer is \"no\": "
        "something was found or refused\n.TP\n.B 2\nwrong usage\n.TP\n.B "
        "3\nthe work failed; standard error says what and how to mend it\n"
        ".SH SEE ALSO\n.BR systemctl (1),\n.I /usr/share/doc/suqiu\n");
}

/* ---- bash completion ---- */

static void
put_completion_flags(struct buf *out, const struct cli_help *help)
{
    for (size_t i = 0; i < help->flag_count; i++) {
        buf_printf(out, " --%s", help->flags[i].name);
    }
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        if ((settings[i].groups & help->groups) != 0) {
            buf_put_text(out, " --");
            put_name(out, settings[i].name, false);
        }
    }
    if (help->groups != 0) {
        buf_put_text(out, " --config");
    }
    buf_put_text(out, " --help");
}

/* Usage "suqiu list tickets|overdue …": the words that may stand there. */
static void
put_completion_words(struct buf *out, const struct manual_command *command)
{
    const char *word = command->help->usage;
    size_t bytes;

    for (unsigned i = 0; i < 2; i++) {
        word += strcspn(word, " ");
        word += strspn(word, " ");
    }
    bytes = strcspn(word, " \n[(");
    if (memchr(word, '|', bytes) == NULL) {
        return;
    }
    for (size_t i = 0; i < bytes; i++) {
        buf_put_char(out, (char)(word[i] == '|' ? ' ' : word[i]));
    }
}

static void
put_completion_values(struct buf *out)
{
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        const struct setting *setting = &settings[i];

        if (setting->choices == NULL) {
            continue;
        }
        buf_put_text(out, "    --");
        put_name(out, setting->name, false);
        buf_put_text(out, ") words=\"");
        for (const char *c = setting->choices; *c != '\0'; c++) {
            buf_put_char(out, (char)(*c == '|' ? ' ' : *c));
        }
        buf_put_text(out, "\" ;;\n");
    }
}

void
manual_put_completion(struct buf *out)
{
    buf_put_text(out, "# bash completion of suqiu, written by `suqiu help "
                      "--completion`\n"
                      "_suqiu() {\n"
                      "    local current=${COMP_WORDS[COMP_CWORD]}\n"
                      "    local before=${COMP_WORDS[COMP_CWORD-1]}\n"
                      "    local words=\"\" flags=\"\"\n"
                      "    COMPREPLY=()\n"
                      "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                      "        words=\"");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        buf_printf(out, "%s ", commands[i].name);
    }
    buf_put_text(out, "help --version --help\"\n"
                      "        COMPREPLY=($(compgen -W \"$words\" -- "
                      "\"$current\"))\n"
                      "        return\n"
                      "    fi\n"
                      "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        buf_printf(out, "    %s)\n        flags=\"", commands[i].name);
        put_completion_flags(out, commands[i].help);
        buf_put_text(out, "\"\n        words=\"");
        put_completion_words(out, &commands[i]);
        buf_put_text(out, "\"\n        ;;\n");
    }
    buf_put_text(out, "    help)\n        words=\"");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        buf_printf(out, "%s ", commands[i].name);
    }
    buf_put_text(out, "\"\n        flags=\"--man --completion --settings\"\n"
                      "        ;;\n    esac\n"
                      "    case $before in\n");
    put_completion_values(out);
    buf_put_text(
        out, "    esac\n"
             "    case $current in\n"
             "    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$current\")) ;;\n"
             "    *)\n"
             "        if [ -n \"$words\" ]; then\n"
             "            COMPREPLY=($(compgen -W \"$words\" -- "
             "\"$current\"))\n"
             "        else\n"
             "            COMPREPLY=($(compgen -f -- \"$current\"))\n"
             "        fi\n"
             "        ;;\n"
             "    esac\n"
             "}\n"
             "complete -o filenames -F _suqiu suqiu\n");
}
