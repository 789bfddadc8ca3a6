/*
 * config: the settings, from flags, environment, settings file and defaults.
 *
 * options.def is the one table. The stronger source wins: flag, then SUQIU_...,
 * then the file named by --config or SUQIU_CONFIG, then the default. Every
 * value is checked, also one that a stronger source hides.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "server/base/buf.h"
#include "server/base/json_out.h"

enum {
    CONFIG_TEXT_BYTES = 1024,
    CONFIG_FILE_BYTES_MAX = 64 * 1024,
    CONFIG_LINE_BYTES_MAX = 190 /* inih reads lines of 200 */
};

/* Which flags a command takes. */
enum config_group {
    CONFIG_DICT = 1u << 0,
    CONFIG_STORE = 1u << 1,
    CONFIG_SERVE = 1u << 2,
    CONFIG_CLIENT = 1u << 3 /* talks to a running server */
};

enum config_source {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_FLAG
};

enum config_option {
#define OPTION_TEXT(name, ...) CONFIG_OPTION_##name,
#define OPTION_CHOICE(name, ...) CONFIG_OPTION_##name,
#define OPTION_SWITCH(name, ...) CONFIG_OPTION_##name,
#define OPTION_UINT(name, ...) CONFIG_OPTION_##name,
#include "server/base/options.def"
    CONFIG_OPTION_COUNT
};

/* One member a row of options.def; a plain value, copied freely. */
struct config {
#define OPTION_TEXT(name, ...) char name[CONFIG_TEXT_BYTES];
#define OPTION_CHOICE(name, ...) char name[CONFIG_TEXT_BYTES];
#define OPTION_SWITCH(name, ...) bool name;
#define OPTION_UINT(name, ...) uint64_t name;
#include "server/base/options.def"
    enum config_source sources[CONFIG_OPTION_COUNT];
};

/* A flag that only one command knows. */
struct config_flag {
    const char *name;       /* "from" for --from */
    const char *value_name; /* "DATE"; NULL for a switch without a value */
    const char **value;     /* set to the argument; the last one wins */
    bool *given;            /* set to true; may be NULL with a value */
    const char *sentence;   /* for the help */
};

/*
 * Read all sources.
 *
 *   groups      flags of these groups are taken, others refused
 *   flags       flag_count flags of the command itself
 *   argc, argv  the arguments after the command's name; on ERR_OK argv holds
 *               only what is not a flag and *argc their number. "--" ends the
 *               flags; "-" alone is not a flag
 *   out         written on ERR_OK only
 *
 * Errors  USAGE for flags; BAD_VALUE, TOO_LONG, NOT_FOUND, IO for the file and
 *         the environment; the detail names source, line and nearest name
 */
enum err_code config_read(unsigned groups,
                          const struct config_flag *flags,
                          size_t flag_count,
                          int *argc,
                          char **argv,
                          struct config *out,
                          struct err *err) MUST_CHECK;

/* The defaults alone. For tests and for commands without settings. */
void config_init(struct config *out);

/*
 * Set one option as if `source` had said so; a weaker source than the one that
 * spoke already changes nothing, but is checked.
 *
 * Errors  BAD_VALUE with the range; NOT_FOUND with the nearest name
 */
enum err_code config_set(struct config *config,
                         const char *name,
                         const char *value,
                         enum config_source source,
                         struct err *err) MUST_CHECK;

/* The lines of --help for these groups and flags. */
void config_put_help(struct buf *buf,
                     unsigned groups,
                     const struct config_flag *flags,
                     size_t flag_count);

/* An object: name -> {value, default, unit, min, max, from, sentence}. */
void config_put_json(const struct config *config, struct json_out *json);

/* "" when there is no such name. For the nearest-name search of others. */
const char *config_option_name(enum config_option option);

#endif /* BASE_CONFIG_H */
