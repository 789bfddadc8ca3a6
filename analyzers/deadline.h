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
 *   from, to: `accepted` or an event kind; unit: minutes|hours|days|workdays|
 *   day_end; rows of one kind are tried in order, the first that fits counts.
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
    DEADLINE_KINDS_MAX = 16, /* distinct kinds of one profile */
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
    uint32_t kind;      /* index into deadline_kind_* */
    int64_t from_us;    /* the clock started */
    int64_t due_us;     /* the last instant in time; NEVER while paused */
    int64_t due_soon_us; /* 75 % of the limit used; NEVER while paused */
    int64_t stopped_us; /* the `to` event, or NEVER while it runs */
    bool provisional;   /* a day past the calendar was counted */
};

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

/*
 * The clocks of one ticket, at most one a kind, in kind order; a clock whose
 * `from` event has not come is left out.
 *
 *   clocks   clocks[DEADLINE_KINDS_MAX]; returns how many were written
 *
 * A clock is overdue at T when due_us < min(stopped_us, T): stopping at the
 * very instant it is due is in time.
 * Cost    O(rows of the profile)
 */
size_t deadline_clocks(const struct deadline_table *table,
                       const struct calendar *calendar,
                       const struct deadline_input *input,
                       struct deadline_clock *clocks);

#endif /* ANALYZERS_DEADLINE_H */
