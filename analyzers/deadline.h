/*
 * deadline: the clocks that run on a ticket, from dict/deadlines.csv.
 *
 * A row is one clock: which tickets (profile, type, category, region), from
 * which event to which event, and its limit in minutes, hours, calendar days
 * or working days. A ticket may run several clocks at once; suspend and resume
 * stop and start those rows that say `pausable`.
 *
 * Flow      ticket times -> [deadline] -> ledger (due index, overdue counters)
 * Effects   none after deadline_build
 * Source    each row of dict/deadlines.csv names its own
 *
 * Columns   profile,kind,name_zh,name_en,type,category,region,channel,
 *           from,to,limit,unit,pausable,measured,source,note
 *   type, category, region, channel: words, `|`-separated, empty = any
 *   from: `accepted` or an event kind
 *   to: event kinds, `|`-separated; the earliest stops the clock, so that a
 *   ticket whose feed skips a step does not run for ever
 *   unit, and what `limit` of it means:
 *     minutes, hours   wall time from `from`
 *     workdays         the end (23:59:59.999999 Shanghai) of the limit-th
 *                      working day after the day of `from`
 *     days             the same in calendar days
 *     day_end          the end of the day `limit` calendar days after the day
 *                      of `from`; 0 is the same day
 *   pausable: yes|no; measured: each (every ticket) or avg (the promise speaks
 *   of an average; the lists are by ticket all the same)
 *   Rows of one kind are tried in order, the first that fits counts. Every row
 *   must name its source. Rows of all profiles are checked, those of one used.
 *
 * Pauses    A pause gives back what it took, of the time that was left:
 *   minutes, hours   its wall time is added to the due instant
 *   workdays, days   its counted days are added, counted as the limit itself
 *                    is: the day of suspension does not count, the day of
 *                    resumption does. Suspended on Tuesday, resumed on
 *                    Thursday: two days more, and as many working days are
 *                    left on Thursday as were on Tuesday. Suspended and
 *                    resumed on one day: nothing, so that a minute's pause
 *                    buys no day.
 *   A pause that begins after the due instant or after the clock stopped
 *   changes nothing: what is late stays late.
 *
 * Due soon  minutes, hours, day_end: when 75 % of the wall time is used.
 *   workdays, days: when 75 % of the counted days is used, each 24 hours long:
 *   of 5 working days at 18:00 of the fourth, of 4 at the beginning of the
 *   fourth. Rest days use nothing, so no warning falls on one.
 */
#ifndef ANALYZERS_DEADLINE_H
#define ANALYZERS_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/calendar.h"
#include "analyzers/dictionary.h"
#include "analyzers/ticket.h"

enum {
    DEADLINE_KINDS_MAX = 16,    /* distinct kinds of one profile */
    DEADLINE_RULES_MAX = 256,   /* rows of one profile */
    DEADLINE_LIMIT_MAX = 10000, /* of any unit */
    DEADLINE_DUE_SOON_PERCENT = 75
};

#define DEADLINE_NEVER INT64_MAX

struct deadline_table;

/* What the clocks of one ticket depend on. Instants not known are
 * DEADLINE_NEVER. */
struct deadline_input {
    enum ticket_type type;
    enum ticket_channel channel;
    enum ticket_category category;
    enum ticket_region region;
    int64_t accepted_at_us;
    int64_t event_at_us[EVENT_KIND_COUNT]; /* first of each kind */
    const int64_t *pauses_us; /* pause_count pairs (from, to), ascending, not
                                 overlapping; an open pause ends NEVER */
    size_t pause_count;
};

struct deadline_clock {
    uint32_t kind;       /* index into deadline_kind_* */
    int64_t from_us;     /* the clock started */
    int64_t due_us;      /* the last instant in time; NEVER while paused */
    int64_t due_soon_us; /* 75 % of the limit used; NEVER while paused */
    int64_t stopped_us;  /* the `to` event, or NEVER while it runs */
    bool provisional;    /* a day past the calendar was counted */
    uint32_t rule;       /* the row that set the limit, for deadline_rule */
};

/* A row as evidence; spans borrowed from the table. */
struct deadline_rule {
    struct span limit;  /* "45" */
    struct span unit;   /* "minutes" */
    struct span source; /* where the limit is published */
    struct span note;
    size_t line;   /* of dict/deadlines.csv */
    bool averaged; /* the promise speaks of an average */
};

/*
 * The rows of `profile` ("csg", "sgcc"); NULL is the first profile of the file.
 *
 * Errors  NO_COLUMN; BAD_TABLE naming line and column; an unknown profile is
 *         BAD_TABLE and names those the file has
 */
enum err_code deadline_build(const struct dictionary_file *files,
                             size_t file_count,
                             const char *profile,
                             struct deadline_table **out,
                             struct err *err) MUST_CHECK;
void deadline_free(struct deadline_table **table);

/* Kinds of the chosen profile, in the order of the file. */
size_t deadline_kind_count(const struct deadline_table *table);
struct span deadline_kind_code(const struct deadline_table *table,
                               uint32_t kind); /* "contact" */
struct span deadline_kind_chinese(const struct deadline_table *table,
                                  uint32_t kind);
struct span deadline_kind_english(const struct deadline_table *table,
                                  uint32_t kind);
/* Position of a kind by its code, or SIZE_MAX. */
size_t deadline_kind_find(const struct deadline_table *table, struct span code);

/* The row deadline_clock.rule names; borrowed from the table. */
const struct deadline_rule *deadline_rule(const struct deadline_table *table,
                                          uint32_t rule);

/* Name of the profile in use. */
struct span deadline_profile(const struct deadline_table *table);

/*
 * The clocks of one ticket, at most one a kind, in kind order; a clock whose
 * `from` event has not come is left out.
 *
 *   clocks   clocks[DEADLINE_KINDS_MAX]; returns how many were written
 *
 * A clock is overdue at T when due_us < min(stopped_us, T): stopping at the
 * very instant it is due is in time.
 *   input->pauses_us must be ascending and not overlap; a pause without
 *   length and one that ends before the clock starts are ignored
 *
 * Cost    O(rows of the profile + pauses + days of the limits)
 */
size_t deadline_clocks(const struct deadline_table *table,
                       const struct calendar *calendar,
                       const struct deadline_input *input,
                       struct deadline_clock *clocks);

#endif /* ANALYZERS_DEADLINE_H */
