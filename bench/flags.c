/* Reads the flags that several commands share. */
#include "bench/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char stream_help[] =
    "  --count N              tickets\n"
    "  --scenario WORD        normal, storm, month-end (normal)\n"
    "  --seed N               (1)\n"
    "  --events on|off        dispatched, contacted ... revisited (on)\n"
    "  --bad PERMILLE         lines to be refused (10)\n"
    "  --duplicates PERMILLE  records sent twice (5)\n"
    "  --versions PERMILLE    tickets sent again with more text (3)\n"
    "  --late PERMILLE        records up to 20,000 lines late (3)\n"
    "  --repeats PERMILLE     tickets about a matter of the days before (60)\n"
    "  --stations N           supply stations (300)\n"
    "  --days N               spread over so many days (by the scenario)\n"
    "  --start DATE|-N        first day, or N days before today\n";

bool
stream_flag_take(struct stream_flags *flags, int flag, const char *value)
{
    if (flag < FLAG_COUNT || flag >= FLAG_HELP) {
        return false;
    }
    flags->values[flag - FLAG_COUNT] = value;
    return true;
}

enum err_code
flag_number(const char *name,
            const char *value,
            uint64_t min,
            uint64_t max,
            uint64_t *out,
            struct err *err)
{
    char *end = NULL;
    unsigned long long number;

    errno = 0;
    number = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 ||
        number < min || number > max) {
        return err_set(err, ERR_USAGE, "--%s takes a number from %llu to %llu",
                       name, (unsigned long long)min, (unsigned long long)max);
    }
    *out = number;
    return ERR_OK;
}

static const char *
value_of(const struct stream_flags *flags, enum stream_flag flag)
{
    return flags->values[flag - FLAG_COUNT];
}

static void
settle_number(const struct stream_flags *flags,
              enum stream_flag flag,
              const char *name,
              uint64_t max,
              uint32_t *out,
              struct err *err)
{
    const char *value = value_of(flags, flag);
    uint64_t number;

    if (value != NULL &&
        flag_number(name, value, 0, max, &number, err) == ERR_OK) {
        *out = (uint32_t)number;
    }
}

static void
settle_start(const char *value, int32_t *out, struct err *err)
{
    int32_t year;
    uint32_t month;
    uint32_t day;
    uint64_t back;
    char end;

    if (value == NULL) {
        return;
    }
    if (value[0] == '-') {
        if (flag_number("start", value + 1, 0, 3660, &back, err) == ERR_OK) {
            *out = shanghai_day((int64_t)time(NULL) * US_PER_SECOND) -
                   (int32_t)back;
        }
        return;
    }
    if (sscanf(value, "%4d-%2u-%2u%c", &year, &month, &day, &end) != 3 ||
        year < 1990 || month < 1 || month > 12 || day < 1 || day > 31) {
        (void)err_set(err, ERR_USAGE,
                      "--start takes a day such as 2025-03-03, or -6 for six "
                      "days before today");
        return;
    }
    *out = day_from_date(year, month, day);
}

enum err_code
stream_flags_settle(const struct stream_flags *flags,
                    struct generate_options *out,
                    struct err *err)
{
    const char *word = value_of(flags, FLAG_SCENARIO);
    const char *seed = value_of(flags, FLAG_SEED);
    enum generate_scenario scenario = SCENARIO_NORMAL;

    if (word != NULL && !generate_scenario_from(word, &scenario)) {
        return err_set(err, ERR_USAGE,
                       "--scenario is normal, storm or month-end");
    }
    *out = generate_defaults(scenario);
    if (seed != NULL) {
        (void)flag_number("seed", seed, 0, UINT64_MAX, &out->seed, err);
    }
    word = value_of(flags, FLAG_EVENTS);
    if (word != NULL && strcmp(word, "on") != 0 && strcmp(word, "off") != 0) {
        (void)err_set(err, ERR_USAGE, "--events is on or off");
    }
    out->events = word == NULL || strcmp(word, "on") == 0;
    settle_number(flags, FLAG_COUNT, "count", GENERATE_COUNT_MAX, &out->count,
                  err);
    settle_number(flags, FLAG_BAD, "bad", 500, &out->bad_permille, err);
    settle_number(flags, FLAG_DUPLICATES, "duplicates", 300,
                  &out->duplicate_permille, err);
    settle_number(flags, FLAG_VERSIONS, "versions", 300, &out->version_permille,
                  err);
    settle_number(flags, FLAG_LATE, "late", 300, &out->late_permille, err);
    settle_number(flags, FLAG_REPEATS, "repeats", 300, &out->repeat_permille,
                  err);
    settle_number(flags, FLAG_STATIONS, "stations", 1056, &out->stations, err);
    settle_number(flags, FLAG_DAYS, "days", GENERATE_DAYS_MAX, &out->days, err);
    settle_start(value_of(flags, FLAG_START), &out->start_day, err);
    if (err->code == ERR_OK && out->count == 0) {
        return err_set(err, ERR_USAGE, "say how many tickets: --count N");
    }
    return err->code;
}

int
bench_fail(const struct err *err)
{
    (void)fprintf(stderr, "suqiu-bench: %s%s%s\n", err->field,
                  err->field[0] != '\0' ? ": " : "",
                  err->detail[0] != '\0' ? err->detail
                                         : err_code_text(err->code));
    return err->code == ERR_USAGE ? BENCH_USAGE : BENCH_FAILED;
}

int
bench_usage(const char *usage, bool stream, bool asked)
{
    FILE *out = asked ? stdout : stderr;

    (void)fprintf(out, "usage: suqiu-bench %s\n%s", usage,
                  stream ? stream_help : "");
    return asked ? BENCH_FINE : BENCH_USAGE;
}
