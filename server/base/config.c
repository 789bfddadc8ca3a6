/* Settings: one table, four sources, every value checked against its row. */
#include "server/base/config.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/span.h"
#include "server/base/nearest.h"

#define DICT ((unsigned)CONFIG_DICT)
#define STORE ((unsigned)CONFIG_STORE)
#define SERVE ((unsigned)CONFIG_SERVE)
#define CLIENT ((unsigned)CONFIG_CLIENT)

enum option_type {
    OPTION_IS_TEXT,
    OPTION_IS_CHOICE,
    OPTION_IS_SWITCH,
    OPTION_IS_UINT
};

struct option_row {
    const char *name;
    const char *unit; /* or the choices */
    const char *text; /* default of texts and choices */
    uint64_t min;
    uint64_t max;
    uint64_t number; /* default of numbers and switches */
    size_t offset;   /* in struct config */
    const char *sentence;
    enum option_type type;
    unsigned groups;
};

static const struct option_row option_rows[CONFIG_OPTION_COUNT] = {
#define AT(name) .offset = offsetof(struct config, name)
#define OPTION_TEXT(name_, default_, groups_, sentence_)                       \
    {.name = #name_,                                                           \
     .text = default_,                                                         \
     .groups = groups_,                                                        \
     .sentence = sentence_,                                                    \
     .type = OPTION_IS_TEXT,                                                   \
     AT(name_)},
#define OPTION_CHOICE(name_, choices_, default_, groups_, sentence_)           \
    {.name = #name_,                                                           \
     .unit = choices_,                                                         \
     .text = default_,                                                         \
     .groups = groups_,                                                        \
     .sentence = sentence_,                                                    \
     .type = OPTION_IS_CHOICE,                                                 \
     AT(name_)},
#define OPTION_SWITCH(name_, default_, groups_, sentence_)                     \
    {.name = #name_,                                                           \
     .unit = "on|off",                                                         \
     .number = default_,                                                       \
     .groups = groups_,                                                        \
     .sentence = sentence_,                                                    \
     .type = OPTION_IS_SWITCH,                                                 \
     AT(name_)},
#define OPTION_UINT(name_, unit_, min_, max_, default_, groups_, sentence_)    \
    {.name = #name_,                                                           \
     .unit = unit_,                                                            \
     .min = min_,                                                              \
     .max = max_,                                                              \
     .number = default_,                                                       \
     .groups = groups_,                                                        \
     .sentence = sentence_,                                                    \
     .type = OPTION_IS_UINT,                                                   \
     AT(name_)},
#include "server/base/options.def"
};

const char *
config_option_name(enum config_option option)
{
    return (size_t)option < CONFIG_OPTION_COUNT ? option_rows[option].name : "";
}

static char *
text_of(struct config *config, const struct option_row *row)
{
    return (char *)config + row->offset;
}

static void
set_text(struct config *config, const struct option_row *row, const char *text)
{
    assert(strlen(text) < CONFIG_TEXT_BYTES);
    (void)snprintf(text_of(config, row), CONFIG_TEXT_BYTES, "%s", text);
}

static void
set_number(struct config *config, const struct option_row *row, uint64_t number)
{
    bool on = number != 0;

    if (row->type == OPTION_IS_SWITCH) {
        memcpy(text_of(config, row), &on, sizeof(on));
    } else {
        memcpy(text_of(config, row), &number, sizeof(number));
    }
}

static uint64_t
number_of(const struct config *config, const struct option_row *row)
{
    uint64_t number = 0;
    bool on;

    if (row->type == OPTION_IS_SWITCH) {
        memcpy(&on, (const char *)config + row->offset, sizeof(on));
        return on;
    }
    memcpy(&number, (const char *)config + row->offset, sizeof(number));
    return number;
}

void
config_init(struct config *out)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];

        if (row->text != NULL) {
            set_text(out, row, row->text);
        } else {
            assert(row->type == OPTION_IS_SWITCH ||
                   (row->number >= row->min && row->number <= row->max));
            set_number(out, row, row->number);
        }
        out->sources[i] = CONFIG_FROM_DEFAULT;
    }
}

/* Is `value` one of "a|b|c"? */
static bool
is_choice(const char *choices, const char *value)
{
    struct span rest = span_of(choices);

    while (rest.data != NULL) {
        if (span_is(span_split(&rest, '|'), value)) {
            return true;
        }
    }
    return false;
}

/* Digits, then K, M or G where the unit is bytes; false for all else. */
static bool
parse_number(const struct option_row *row, const char *value, uint64_t *out)
{
    static const char suffixes[] = "KMG";
    uint64_t number = 0;
    const char *c = value;
    const char *suffix;

    for (; *c >= '0' && *c <= '9'; c++) {
        uint64_t digit = (uint64_t)(*c - '0');

        if (number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    if (c == value) {
        return false;
    }
    if (*c != '\0') {
        unsigned shift;

        suffix = strchr(suffixes, *c);
        if (suffix == NULL || c[1] != '\0' || strcmp(row->unit, "bytes") != 0) {
            return false;
        }
        shift = 10 * (unsigned)(suffix - suffixes + 1);
        if (number > (UINT64_MAX >> shift)) {
            return false;
        }
        number <<= shift;
    }
    *out = number;
    return number >= row->min && number <= row->max;
}

static enum err_code
set_row(struct config *config,
        const struct option_row *row,
        const char *value,
        enum config_source source,
        struct err *err)
{
    enum config_source *now = &config->sources[row - option_rows];
    uint64_t number = 0;

    switch (row->type) {
    case OPTION_IS_TEXT:
        if (strlen(value) >= CONFIG_TEXT_BYTES) {
            return err_set_field(err, ERR_BAD_VALUE, row->name,
                                 "%s is longer than %d bytes", row->name,
                                 CONFIG_TEXT_BYTES - 1);
        }
        break;
    case OPTION_IS_CHOICE:
    case OPTION_IS_SWITCH:
        if (!is_choice(row->unit, value)) {
            return err_set_field(err, ERR_BAD_VALUE, row->name,
                                 "%s is one of %s, not \"%.60s\"", row->name,
                                 row->unit, value);
        }
        number = strcmp(value, "on") == 0;
        break;
    case OPTION_IS_UINT:
        if (!parse_number(row, value, &number)) {
            return err_set_field(err, ERR_BAD_VALUE, row->name,
                                 "%s is a whole number from %" PRIu64
                                 " to %" PRIu64 " (%s), not \"%.60s\"",
                                 row->name, row->min, row->max, row->unit,
                                 value);
        }
        break;
    }
    if (source < *now) {
        return ERR_OK;
    }
    *now = source;
    if (row->text != NULL) {
        set_text(config, row, value);
    } else {
        set_number(config, row, number);
    }
    return ERR_OK;
}

/* The row of that name, hyphens and underscores being the same, or NULL. */
static const struct option_row *
find_row(const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        const char *known = option_rows[i].name;
        size_t k = 0;

        while (k < name_bytes && known[k] != '\0' &&
               (known[k] == name[k] || (known[k] == '_' && name[k] == '-'))) {
            k++;
        }
        if (k == name_bytes && known[k] == '\0') {
            return &option_rows[i];
        }
    }
    return NULL;
}

static const char *
nearest_option(const char *name)
{
    const char *names[CONFIG_OPTION_COUNT];

    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        names[i] = option_rows[i].name;
    }
    return nearest_name(name, names, CONFIG_OPTION_COUNT);
}

enum err_code
config_set(struct config *config,
           const char *name,
           const char *value,
           enum config_source source,
           struct err *err)
{
    const struct option_row *row = find_row(name, strlen(name));
    const char *nearest;

    if (row != NULL) {
        return set_row(config, row, value, source, err);
    }
    nearest = nearest_option(name);
    return err_set(err, ERR_NOT_FOUND, "there is no setting \"%.60s\"%s%s%s",
                   name, nearest != NULL ? "; is it \"" : "",
                   nearest != NULL ? nearest : "",
                   nearest != NULL ? "\"?" : "");
}

/* ---- the settings file ---- */

struct file_context {
    struct config *config;
    struct err err;
    uint8_t seen[CONFIG_OPTION_COUNT];
};

static int
file_pair_cb(void *user,
             const char *section,
             const char *name,
             const char *value)
{
    struct file_context *context = user;
    const struct option_row *row = find_row(name, strlen(name));

    if (context->err.code != ERR_OK) {
        return 1; /* only the first one is told */
    }
    if (section[0] != '\0') {
        (void)err_set(&context->err, ERR_BAD_VALUE,
                      "sections are not used; take [%.60s] out", section);
        return 0;
    }
    if (row != NULL && context->seen[row - option_rows]++ != 0) {
        (void)err_set(&context->err, ERR_BAD_VALUE, "%s is given twice",
                      row->name);
        return 0;
    }
    return config_set(context->config, name, value != NULL ? value : "",
                      CONFIG_FROM_FILE, &context->err) == ERR_OK;
}

/* inih cuts long lines silently, so they are refused before. */
static enum err_code
check_lines(const char *path, const char *text, struct err *err)
{
    int line = 1;

    for (const char *start = text; *start != '\0'; line++) {
        size_t bytes = strcspn(start, "\n");

        if (bytes > CONFIG_LINE_BYTES_MAX) {
            return err_set(err, ERR_TOO_LONG,
                           "%s: line %d: longer than %d bytes", path, line,
                           CONFIG_LINE_BYTES_MAX);
        }
        start += bytes;
        start += *start == '\n';
    }
    return ERR_OK;
}

static enum err_code
read_text(const char *path, char *text, size_t room, struct err *err)
{
    FILE *file = fopen(path, "re");
    size_t bytes;
    bool failed;

    if (file == NULL) {
        return err_set(err, err_from_errno(errno),
                       "%s: the settings file cannot be opened: %s", path,
                       strerror(errno));
    }
    bytes = fread(text, 1, room, file);
    failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed) {
        return err_set(err, ERR_IO, "%s: cannot be read", path);
    }
    if (bytes == room) {
        return err_set(err, ERR_TOO_LONG,
                       "%s: longer than %d bytes; is it a settings file?", path,
                       CONFIG_FILE_BYTES_MAX);
    }
    if (memchr(text, '\0', bytes) != NULL) {
        return err_set(err, ERR_BAD_VALUE, "%s: has a NUL byte; is it text?",
                       path);
    }
    text[bytes] = '\0';
    return ERR_OK;
}

static enum err_code
read_file(struct config *config, const char *path, struct err *err)
{
    struct file_context context = {.config = config};
    char *text = malloc(CONFIG_FILE_BYTES_MAX + 1);
    enum err_code code;
    int line;

    if (text == NULL) {
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    code = read_text(path, text, CONFIG_FILE_BYTES_MAX + 1, err);
    if (code == ERR_OK) {
        code = check_lines(path, text, err);
    }
    if (code == ERR_OK) {
        line = ini_parse_string(text, file_pair_cb, &context);
        if (line != 0) {
            code = err_set(
                err,
                context.err.code != ERR_OK ? context.err.code : ERR_BAD_VALUE,
                "%s: line %d: %s", path, line,
                context.err.code != ERR_OK ? context.err.detail
                                           : "not of the form name = value");
        }
    }
    free(text);
    return code;
}

/* ---- the environment ---- */

static enum err_code
read_environment(struct config *config, struct err *err)
{
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        char variable[64] = "SUQIU_";
        size_t used = strlen(variable);
        const char *value;

        for (const char *c = option_rows[i].name; *c != '\0'; c++) {
            assert(used < sizeof(variable) - 1);
            variable[used++] = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
        }
        variable[used] = '\0';
        value = getenv(variable);
        if (value == NULL) {
            continue;
        }
        if (set_row(config, &option_rows[i], value, CONFIG_FROM_ENVIRONMENT,
                    err) != ERR_OK) {
            return err_prefix(err, "environment variable %s", variable);
        }
    }
    return ERR_OK;
}

/* ---- the flags ---- */

struct flag_context {
    struct config *config;
    const struct config_flag *flags;
    size_t flag_count;
    unsigned groups;
    const char *config_path;
};

static enum err_code
unknown_flag(const struct flag_context *context,
             const char *name,
             size_t name_bytes,
             struct err *err)
{
    const char *names[CONFIG_OPTION_COUNT + 64];
    char typed[64];
    const char *nearest;
    char dashed[64];
    size_t count = 0;

    (void)snprintf(typed, sizeof(typed), "%.*s",
                   (int)(name_bytes < 60 ? name_bytes : 60), name);
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        if ((option_rows[i].groups & context->groups) != 0) {
            names[count++] = option_rows[i].name;
        }
    }
    for (size_t i = 0; i < context->flag_count && i < 64; i++) {
        names[count++] = context->flags[i].name;
    }
    nearest = nearest_name(typed, names, count);
    if (nearest == NULL) {
        return err_set(err, ERR_USAGE,
                       "this command has no flag --%s; --help lists them",
                       typed);
    }
    (void)snprintf(dashed, sizeof(dashed), "%s", nearest);
    for (char *c = dashed; *c != '\0'; c++) {
        *c = (char)(*c == '_' ? '-' : *c);
    }
    return err_set(err, ERR_USAGE, "this command has no flag --%s; is it --%s?",
                   typed, dashed);
}

/*
 * One flag, argv[*at]; moves *at over the value it takes.
 */
static enum err_code
take_flag(struct flag_context *context,
          int argc,
          char **argv,
          int *at,
          struct err *err)
{
    const char *name = argv[*at] + 2;
    size_t name_bytes = strcspn(name, "=");
    const char *value = name[name_bytes] == '=' ? name + name_bytes + 1 : NULL;
    const struct option_row *row = find_row(name, name_bytes);
    const struct config_flag *flag = NULL;
    bool is_config = name_bytes == 6 && strncmp(name, "config", 6) == 0;

    for (size_t i = 0; i < context->flag_count; i++) {
        if (strlen(context->flags[i].name) == name_bytes &&
            strncmp(context->flags[i].name, name, name_bytes) == 0) {
            flag = &context->flags[i];
        }
    }
    if (flag == NULL && !is_config &&
        (row == NULL || (row->groups & context->groups) == 0)) {
        return unknown_flag(context, name, name_bytes, err);
    }
    if (flag != NULL && flag->value_name == NULL) {
        if (value != NULL) {
            return err_set(err, ERR_USAGE, "--%s takes no value", flag->name);
        }
        *flag->given = true;
        return ERR_OK;
    }
    if (value == NULL) {
        if (*at + 1 >= argc) {
            return err_set(err, ERR_USAGE, "--%.*s needs a value",
                           (int)name_bytes, name);
        }
        value = argv[++*at];
    }
    if (flag != NULL) {
        *flag->value = value;
        if (flag->given != NULL) {
            *flag->given = true;
        }
        return ERR_OK;
    }
    if (is_config) {
        context->config_path = value;
        return ERR_OK;
    }
    if (set_row(context->config, row, value, CONFIG_FROM_FLAG, err) != ERR_OK) {
        err->code = ERR_USAGE;
        return ERR_USAGE;
    }
    return ERR_OK;
}

static enum err_code
read_flags(struct flag_context *context,
           int *argc,
           char **argv,
           struct err *err)
{
    int kept = 0;
    bool flags_ended = false;

    for (int i = 0; i < *argc; i++) {
        char *argument = argv[i];

        if (flags_ended || argument[0] != '-' || argument[1] == '\0') {
            argv[kept++] = argument;
        } else if (strcmp(argument, "--") == 0) {
            flags_ended = true;
        } else if (argument[1] != '-') {
            return err_set(err, ERR_USAGE,
                           "flags have two hyphens and a name; \"%.60s\" has "
                           "one (write ./%.60s for a file of that name)",
                           argument, argument);
        } else if (take_flag(context, *argc, argv, &i, err) != ERR_OK) {
            return err->code;
        }
    }
    *argc = kept;
    return ERR_OK;
}

enum err_code
config_read(unsigned groups,
            const struct config_flag *flags,
            size_t flag_count,
            int *argc,
            char **argv,
            struct config *out,
            struct err *err)
{
    struct config config;
    struct flag_context context = {
        .config = &config,
        .flags = flags,
        .flag_count = flag_count,
        .groups = groups,
        .config_path = getenv("SUQIU_CONFIG"),
    };
    enum err_code code;

    config_init(&config);
    code = read_flags(&context, argc, argv, err);
    if (code == ERR_OK) {
        code = read_environment(&config, err);
    }
    if (code == ERR_OK && context.config_path != NULL &&
        context.config_path[0] != '\0') {
        code = read_file(&config, context.config_path, err);
    }
    if (code == ERR_OK) {
        *out = config;
    }
    return code;
}

/* ---- help and listing ---- */

enum { HELP_COLUMN = 38 };

static void
put_flag_line(struct buf *buf,
              const char *name,
              const char *value_name,
              const char *sentence,
              const char *note)
{
    size_t before = buf->bytes;
    size_t used;

    buf_put_text(buf, "  --");
    for (const char *c = name; *c != '\0'; c++) {
        buf_put_char(buf, *c == '_' ? '-' : *c);
    }
    if (value_name != NULL) {
        buf_printf(buf, " %s", value_name);
    }
    used = buf->bytes - before;
    buf_printf(buf, "%*s%s%s\n",
               used < HELP_COLUMN ? (int)(HELP_COLUMN - used) : 1, "", sentence,
               note);
}

static void
put_option_line(struct buf *buf, const struct option_row *row)
{
    char note[160] = "";

    switch (row->type) {
    case OPTION_IS_TEXT:
        if (row->text[0] != '\0') {
            (void)snprintf(note, sizeof(note), " (%s)", row->text);
        }
        put_flag_line(buf, row->name, "TEXT", row->sentence, note);
        return;
    case OPTION_IS_CHOICE:
        (void)snprintf(note, sizeof(note), " (%s)", row->text);
        put_flag_line(buf, row->name, row->unit, row->sentence, note);
        return;
    case OPTION_IS_SWITCH:
        (void)snprintf(note, sizeof(note), " (%s)", row->number ? "on" : "off");
        put_flag_line(buf, row->name, row->unit, row->sentence, note);
        return;
    case OPTION_IS_UINT:
        (void)snprintf(note, sizeof(note),
                       " (%" PRIu64 "; %" PRIu64 " to %" PRIu64 " %s)",
                       row->number, row->min, row->max, row->unit);
        put_flag_line(buf, row->name, "N", row->sentence, note);
        return;
    }
}

void
config_put_help(struct buf *buf,
                unsigned groups,
                const struct config_flag *flags,
                size_t flag_count)
{
    for (size_t i = 0; i < flag_count; i++) {
        put_flag_line(buf, flags[i].name, flags[i].value_name,
                      flags[i].sentence, "");
    }
    if (groups == 0) {
        return;
    }
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        if ((option_rows[i].groups & groups) != 0) {
            put_option_line(buf, &option_rows[i]);
        }
    }
    put_flag_line(buf, "config", "FILE", "settings file, lines of name = value",
                  "");
    buf_put_text(buf,
                 "\nEvery flag is also a line of the settings file (http_port "
                 "= 9559) and an\nenvironment variable (SUQIU_HTTP_PORT). The "
                 "flag wins, then the variable.\n");
}

void
config_put_json(const struct config *config, struct json_out *json)
{
    static const char *const source_names[] = {"default", "file", "environment",
                                               "flag"};

    json_open_object(json);
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];

        json_key(json, row->name);
        json_open_object(json);
        if (row->text != NULL) {
            json_put_text(json, "value", (const char *)config + row->offset);
            json_put_text(json, "default", row->text);
        } else if (row->type == OPTION_IS_SWITCH) {
            json_put_bool(json, "value", number_of(config, row) != 0);
            json_put_bool(json, "default", row->number != 0);
        } else {
            json_put_uint(json, "value", number_of(config, row));
            json_put_uint(json, "default", row->number);
            json_put_uint(json, "min", row->min);
            json_put_uint(json, "max", row->max);
        }
        if (row->unit != NULL) {
            json_put_text(json, "unit", row->unit);
        }
        json_put_text(json, "from", source_names[config->sources[i]]);
        json_put_text(json, "sentence", row->sentence);
        json_close_object(json);
    }
    json_close_object(json);
}
