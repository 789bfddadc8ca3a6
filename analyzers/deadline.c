/* The clocks of a ticket: which row of dict/deadlines.csv, and due when. */
#include "analyzers/deadline.h"

#include <assert.h>
#include <stdlib.h>

#include "analyzers/dictionary_file.h"

enum column {
    COLUMN_PROFILE,
    COLUMN_KIND,
    COLUMN_NAME_ZH,
    COLUMN_NAME_EN,
    COLUMN_TYPE,
    COLUMN_CATEGORY,
    COLUMN_REGION,
    COLUMN_CHANNEL,
    COLUMN_FROM,
    COLUMN_TO,
    COLUMN_LIMIT,
    COLUMN_UNIT,
    COLUMN_PAUSABLE,
    COLUMN_MEASURED,
    COLUMN_SOURCE,
    COLUMN_NOTE,
    COLUMN_COUNT
};

static const char *const column_names[COLUMN_COUNT] = {
    "profile",  "kind",     "name_zh", "name_en", "type",  "category",
    "region",   "channel",  "from",    "to",      "limit", "unit",
    "pausable", "measured", "source",  "note"};

enum unit { UNIT_MINUTES, UNIT_HOURS, UNIT_DAYS, UNIT_WORKDAYS, UNIT_DAY_END };

static const char *const unit_names[] = {[UNIT_MINUTES] = "minutes",
                                         [UNIT_HOURS] = "hours",
                                         [UNIT_DAYS] = "days",
                                         [UNIT_WORKDAYS] = "workdays",
                                         [UNIT_DAY_END] = "day_end"};

enum { UNIT_COUNT = sizeof(unit_names) / sizeof(unit_names[0]) };
enum { FROM_ACCEPTED = EVENT_KIND_COUNT };

_Static_assert(EVENT_KIND_COUNT <= 32, "sets of events are 32 bits");

struct rule {
    uint32_t kind;
    uint32_t types; /* sets: 1 << value */
    uint32_t categories;
    uint32_t regions;
    uint32_t channels;
    uint32_t from; /* enum event_kind or FROM_ACCEPTED */
    uint32_t to;   /* set of events */
    uint32_t limit;
    enum unit unit;
    bool pausable;
    struct deadline_rule text;
};

struct deadline_kind {
    struct span code;
    struct span name_zh;
    struct span name_en;
};

struct deadline_table {
    struct table *table; /* owns all spans */
    struct span profile;
    struct deadline_kind kinds[DEADLINE_KINDS_MAX];
    size_t kind_count;
    struct rule rules[DEADLINE_RULES_MAX];
    size_t rule_count;
};

/* What reading one row needs. */
struct reader {
    struct deadline_table *deadlines;
    const size_t *columns;
    size_t row;
    struct err *err;
};

static struct span
cell_of(const struct reader *reader, enum column column)
{
    return table_cell(reader->deadlines->table, reader->row,
                      reader->columns[column]);
}

/* One word to its bit; false when the word is not known. */
static bool
word_bit(enum column column, struct span word, uint32_t *bit)
{
    enum ticket_type type;
    enum ticket_category category;
    enum ticket_region region;
    enum ticket_channel channel;
    enum event_kind event;

    if (column == COLUMN_TYPE && ticket_type_from(word, &type)) {
        *bit = 1u << type;
    } else if (column == COLUMN_CATEGORY &&
               ticket_category_from(word, &category)) {
        *bit = 1u << category;
    } else if (column == COLUMN_REGION && ticket_region_from(word, &region)) {
        *bit = 1u << region;
    } else if (column == COLUMN_CHANNEL &&
               ticket_channel_from(word, &channel)) {
        *bit = 1u << channel;
    } else if (column == COLUMN_TO && event_kind_from(word, &event)) {
        *bit = 1u << event;
    } else {
        return false;
    }
    return true;
}

/* A list of words to a set; an empty cell is every value. */
static enum err_code
read_set(const struct reader *reader, enum column column, uint32_t *set)
{
    struct span rest = cell_of(reader, column);
    uint32_t bit;

    *set = rest.bytes == 0 ? UINT32_MAX : 0;
    while (rest.bytes > 0) {
        struct span word = span_trim(span_split(&rest, '|'));

        if (!word_bit(column, word, &bit)) {
            return table_error(reader->deadlines->table, reader->row,
                               reader->columns[column], ERR_BAD_TABLE,
                               reader->err,
                               "'%.*s' is not a word of this column; several "
                               "words are separated by |",
                               SPAN_ARGS(word));
        }
        *set |= bit;
    }
    return ERR_OK;
}

static enum err_code
refuse(const struct reader *reader, enum column column, const char *want)
{
    return table_error(reader->deadlines->table, reader->row,
                       reader->columns[column], ERR_BAD_TABLE, reader->err,
                       "'%.*s' is not %s", SPAN_ARGS(cell_of(reader, column)),
                       want);
}

/* One of two words; *out is true for the first. */
static bool
read_choice(struct span cell, const char *first, const char *second, bool *out)
{
    *out = span_is(cell, first);
    return *out || span_is(cell, second);
}

static enum err_code
read_limit(const struct reader *reader, struct rule *rule)
{
    struct span unit = cell_of(reader, COLUMN_UNIT);
    uint64_t limit = 0;
    size_t i = 0;
    enum err_code code;

    while (i < UNIT_COUNT && !span_is(unit, unit_names[i])) {
        i++;
    }
    if (i == UNIT_COUNT) {
        return refuse(reader, COLUMN_UNIT,
                      "one of minutes, hours, days, workdays, day_end");
    }
    rule->unit = (enum unit)i;
    code = dictionary_file_number(reader->deadlines->table, reader->row,
                                  reader->columns[COLUMN_LIMIT],
                                  rule->unit == UNIT_DAY_END ? 0 : 1,
                                  DEADLINE_LIMIT_MAX, &limit, reader->err);
    rule->limit = (uint32_t)limit;
    return code;
}

static enum err_code
read_events(const struct reader *reader, struct rule *rule)
{
    struct span from = cell_of(reader, COLUMN_FROM);
    enum event_kind event;

    if (span_is(from, "accepted")) {
        rule->from = FROM_ACCEPTED;
    } else if (event_kind_from(from, &event)) {
        rule->from = event;
    } else {
        return refuse(reader, COLUMN_FROM, "'accepted' or an event kind");
    }
    if (cell_of(reader, COLUMN_TO).bytes == 0) {
        return refuse(reader, COLUMN_TO, "an event kind");
    }
    return read_set(reader, COLUMN_TO, &rule->to);
}

/* Everything of a row but its kind. */
static enum err_code
read_rule(const struct reader *reader, struct rule *rule)
{
    enum err_code code;

    if ((code = read_set(reader, COLUMN_TYPE, &rule->types)) != ERR_OK ||
        (code = read_set(reader, COLUMN_CATEGORY, &rule->categories)) !=
            ERR_OK ||
        (code = read_set(reader, COLUMN_REGION, &rule->regions)) != ERR_OK ||
        (code = read_set(reader, COLUMN_CHANNEL, &rule->channels)) != ERR_OK ||
        (code = read_events(reader, rule)) != ERR_OK ||
        (code = read_limit(reader, rule)) != ERR_OK) {
        return code;
    }
    if (!read_choice(cell_of(reader, COLUMN_PAUSABLE), "yes", "no",
                     &rule->pausable)) {
        return refuse(reader, COLUMN_PAUSABLE, "'yes' or 'no'");
    }
    if (!read_choice(cell_of(reader, COLUMN_MEASURED), "avg", "each",
                     &rule->text.averaged)) {
        return refuse(reader, COLUMN_MEASURED, "'each' or 'avg'");
    }
    if (cell_of(reader, COLUMN_SOURCE).bytes == 0) {
        return refuse(reader, COLUMN_SOURCE,
                      "a source: say where the limit is published");
    }
    rule->text.limit = cell_of(reader, COLUMN_LIMIT);
    rule->text.unit = cell_of(reader, COLUMN_UNIT);
    rule->text.source = cell_of(reader, COLUMN_SOURCE);
    rule->text.note = cell_of(reader, COLUMN_NOTE);
    rule->text.line = table_row_line(reader->deadlines->table, reader->row);
    return ERR_OK;
}

/* "contact": lower-case letters, digits, underscores. */
static bool
is_code(struct span word)
{
    bool fine = word.bytes > 0 && word.bytes <= 32;

    for (size_t i = 0; fine && i < word.bytes; i++) {
        char c = word.data[i];

        fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    }
    return fine;
}

/* Find or add the kind of a row that belongs to the profile. */
static enum err_code
read_kind(const struct reader *reader, uint32_t *out)
{
    struct deadline_table *deadlines = reader->deadlines;
    struct deadline_kind kind = {cell_of(reader, COLUMN_KIND),
                                 cell_of(reader, COLUMN_NAME_ZH),
                                 cell_of(reader, COLUMN_NAME_EN)};
    size_t at = deadline_kind_find(deadlines, kind.code);

    if (at == SIZE_MAX) {
        if (deadlines->kind_count == DEADLINE_KINDS_MAX) {
            return table_error(deadlines->table, reader->row,
                               reader->columns[COLUMN_KIND], ERR_BAD_TABLE,
                               reader->err, "more than %d kinds in one profile",
                               DEADLINE_KINDS_MAX);
        }
        at = deadlines->kind_count++;
        deadlines->kinds[at] = kind;
    } else if (!span_equal(deadlines->kinds[at].name_zh, kind.name_zh) ||
               !span_equal(deadlines->kinds[at].name_en, kind.name_en)) {
        return table_error(deadlines->table, reader->row,
                           reader->columns[COLUMN_NAME_ZH], ERR_BAD_TABLE,
                           reader->err,
                           "the kind %.*s has another name on an earlier row; "
                           "name it the same on both",
                           SPAN_ARGS(kind.code));
    }
    *out = (uint32_t)at;
    return ERR_OK;
}

static enum err_code
read_row(const struct reader *reader)
{
    struct deadline_table *deadlines = reader->deadlines;
    struct span profile = cell_of(reader, COLUMN_PROFILE);
    struct rule rule = {0};
    enum err_code code;

    if (!is_code(profile)) {
        return refuse(reader, COLUMN_PROFILE,
                      "a profile name: small letters, digits, _");
    }
    if (!is_code(cell_of(reader, COLUMN_KIND))) {
        return refuse(reader, COLUMN_KIND, "a kind: small letters, digits, _");
    }
    if (cell_of(reader, COLUMN_NAME_ZH).bytes == 0) {
        return refuse(reader, COLUMN_NAME_ZH, "a name");
    }
    code = read_rule(reader, &rule);
    if (code != ERR_OK || !span_equal(profile, deadlines->profile)) {
        return code;
    }
    if (deadlines->rule_count == DEADLINE_RULES_MAX) {
        return table_error(deadlines->table, reader->row,
                           reader->columns[COLUMN_PROFILE], ERR_BAD_TABLE,
                           reader->err, "more than %d rows in one profile",
                           DEADLINE_RULES_MAX);
    }
    code = read_kind(reader, &rule.kind);
    if (code == ERR_OK) {
        deadlines->rules[deadlines->rule_count++] = rule;
    }
    return code;
}

/* The profile asked for, as the file writes it. */
static enum err_code
choose_profile(struct deadline_table *deadlines,
               const size_t *columns,
               const char *profile,
               struct err *err)
{
    char names[256] = "";
    size_t used = 0;
    struct span last = {NULL, 0};

    for (size_t row = 0; row < table_row_count(deadlines->table); row++) {
        struct span cell =
            table_cell(deadlines->table, row, columns[COLUMN_PROFILE]);

        if (profile == NULL || span_is(cell, profile)) {
            deadlines->profile = cell;
            return ERR_OK;
        }
        if (!span_equal(cell, last) && used + cell.bytes + 2 < sizeof(names)) {
            names[used++] = ' ';
            memcpy(names + used, cell.data, cell.bytes);
            used += cell.bytes;
        }
        last = cell;
    }
    return err_set(
        err, ERR_BAD_TABLE, "%s: there is no profile '%s'; it has:%s",
        table_name(deadlines->table), profile != NULL ? profile : "", names);
}

enum err_code
deadline_build(const struct dictionary_file *files,
               size_t file_count,
               const char *profile,
               struct deadline_table **out,
               struct err *err)
{
    size_t columns[COLUMN_COUNT];
    struct deadline_table *deadlines = calloc(1, sizeof(*deadlines));
    struct reader reader = {deadlines, columns, 0, err};
    enum err_code code;

    if (deadlines == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/deadlines.csv");
    }
    code = dictionary_file_table(files, file_count, "deadlines.csv",
                                 &deadlines->table, err);
    if (code != ERR_OK) {
        goto out;
    }
    code = dictionary_file_columns(deadlines->table, column_names, COLUMN_COUNT,
                                   columns, err);
    if (code != ERR_OK) {
        goto out;
    }
    code = choose_profile(deadlines, columns, profile, err);
    while (code == ERR_OK && reader.row < table_row_count(deadlines->table)) {
        (void)!read_row(&reader);
        code = table_go_on(deadlines->table, err) ? ERR_OK : err->code;
        reader.row++;
    }
    if (code == ERR_OK && (code = table_end(deadlines->table, err)) == ERR_OK) {
        *out = deadlines;
        deadlines = NULL;
    }
out:
    deadline_free(&deadlines);
    return code;
}

void
deadline_free(struct deadline_table **table)
{
    if (*table == NULL) {
        return;
    }
    table_free(&(*table)->table);
    free(*table);
    *table = NULL;
}

size_t
deadline_kind_count(const struct deadline_table *table)
{
    return table->kind_count;
}

struct span
deadline_kind_code(const struct deadline_table *table, uint32_t kind)
{
    assert(kind < table->kind_count);
    return table->kinds[kind].code;
}

struct span
deadline_kind_chinese(const struct deadline_table *table, uint32_t kind)
{
    assert(kind < table->kind_count);
    return table->kinds[kind].name_zh;
}

struct span
deadline_kind_english(const struct deadline_table *table, uint32_t kind)
{
    assert(kind < table->kind_count);
    return table->kinds[kind].name_en;
}

size_t
deadline_kind_find(const struct deadline_table *table, struct span code)
{
    for (size_t i = 0; i < table->kind_count; i++) {
        if (span_equal(table->kinds[i].code, code)) {
            return i;
        }
    }
    return SIZE_MAX;
}

const struct deadline_rule *
deadline_rule(const struct deadline_table *table, uint32_t rule)
{
    assert(rule < table->rule_count);
    return &table->rules[rule].text;
}

struct span
deadline_profile(const struct deadline_table *table)
{
    return table->profile;
}

/* One clock being worked out. */
struct run {
    const struct rule *rule;
    const struct calendar *calendar;
    const struct deadline_input *input;
    int64_t from_us;
    int64_t stopped_us;
};

/*
 * The instant at which `length` (microseconds, or counted days) of the limit
 * is used, given_back of the same unit later for the pauses.
 */
typedef int64_t (*due_fn)(const struct run *run,
                          int64_t length,
                          int64_t given_back,
                          bool *provisional);

/* `length` in microseconds of wall time. */
static int64_t
after_wall(const struct run *run,
           int64_t length,
           int64_t given_back,
           bool *provisional)
{
    (void)provisional;
    return run->from_us + length + given_back;
}

/* Last instant of the counted day `count` after the day of from_us. */
static int64_t
day_end(const struct run *run, int64_t count, bool *provisional)
{
    if (run->rule->unit == UNIT_WORKDAYS) {
        return calendar_add_working_days(run->calendar, run->from_us,
                                         (uint32_t)count, provisional);
    }
    *provisional = false;
    return shanghai_day_start_us(shanghai_day(run->from_us) + (int32_t)count +
                                 1) -
           1;
}

/* End of the last counted day; `length` in days. */
static int64_t
after_days(const struct run *run,
           int64_t length,
           int64_t given_back,
           bool *provisional)
{
    return day_end(run, length + given_back, provisional);
}

/* When 75 % of `length` counted days is used. */
static int64_t
most_of_days(const struct run *run,
             int64_t length,
             int64_t given_back,
             bool *provisional)
{
    int64_t percent_days = length * DEADLINE_DUE_SOON_PERCENT;
    int64_t day_start =
        day_end(run, percent_days / 100 + 1 + given_back, provisional) + 1 -
        US_PER_DAY;

    return day_start + percent_days % 100 * (US_PER_DAY / 100);
}

/* What a pause gives back: wall time, or counted days. */
static int64_t
pause_length(const struct run *run, int64_t from_us, int64_t to_us, bool wall)
{
    if (wall) {
        return to_us - from_us;
    }
    if (run->rule->unit == UNIT_WORKDAYS) {
        return calendar_count_working_days(run->calendar, shanghai_day(from_us),
                                           shanghai_day(to_us));
    }
    return shanghai_day(to_us) - shanghai_day(from_us);
}

/*
 * The instant `due` gives, moved by the pauses that began before it. NEVER
 * when one of them is still open.
 */
static int64_t
with_pauses(const struct run *run,
            due_fn due,
            int64_t length,
            bool wall,
            bool *provisional)
{
    const struct deadline_input *input = run->input;
    int64_t given_back = 0;
    int64_t due_us = due(run, length, 0, provisional);

    for (size_t i = 0; run->rule->pausable && i < input->pause_count; i++) {
        int64_t from_us = input->pauses_us[2 * i];
        int64_t to_us = input->pauses_us[2 * i + 1];

        from_us = from_us < run->from_us ? run->from_us : from_us;
        if (to_us <= from_us) {
            continue;
        }
        if (from_us > due_us || from_us >= run->stopped_us) {
            break;
        }
        if (to_us == DEADLINE_NEVER) {
            return DEADLINE_NEVER;
        }
        given_back += pause_length(run, from_us, to_us, wall);
        due_us = due(run, length, given_back, provisional);
    }
    return due_us;
}

static void
set_due(const struct run *run, struct deadline_clock *clock)
{
    int64_t limit = run->rule->limit;
    int64_t wall_us;
    bool ignored = false;

    switch (run->rule->unit) {
    case UNIT_MINUTES:
    case UNIT_HOURS:
        wall_us = limit *
                  (run->rule->unit == UNIT_HOURS ? US_PER_HOUR : US_PER_MINUTE);
        clock->due_us =
            with_pauses(run, after_wall, wall_us, true, &clock->provisional);
        break;
    case UNIT_DAY_END:
        wall_us = day_end(run, limit, &ignored) - run->from_us;
        clock->due_us =
            with_pauses(run, after_days, limit, false, &clock->provisional);
        break;
    case UNIT_DAYS:
    case UNIT_WORKDAYS:
    default:
        clock->due_us =
            with_pauses(run, after_days, limit, false, &clock->provisional);
        clock->due_soon_us =
            with_pauses(run, most_of_days, limit, false, &ignored);
        return;
    }
    clock->due_soon_us =
        with_pauses(run, after_wall, wall_us / 100 * DEADLINE_DUE_SOON_PERCENT,
                    true, &ignored);
}

static int64_t
earliest_of(const struct deadline_input *input, uint32_t events)
{
    int64_t earliest_us = DEADLINE_NEVER;

    for (size_t i = 0; i < EVENT_KIND_COUNT; i++) {
        if ((events & 1u << i) != 0 && input->event_at_us[i] < earliest_us) {
            earliest_us = input->event_at_us[i];
        }
    }
    return earliest_us;
}

static bool
rule_fits(const struct rule *rule, const struct deadline_input *input)
{
    return (rule->types & 1u << input->type) != 0 &&
           (rule->categories & 1u << input->category) != 0 &&
           (rule->regions & 1u << input->region) != 0 &&
           (rule->channels & 1u << input->channel) != 0;
}

size_t
deadline_clocks(const struct deadline_table *table,
                const struct calendar *calendar,
                const struct deadline_input *input,
                struct deadline_clock *clocks)
{
    const struct rule *chosen[DEADLINE_KINDS_MAX] = {NULL};
    size_t count = 0;

    assert(input->pause_count == 0 || input->pauses_us != NULL);
    for (size_t i = 0; i < table->rule_count; i++) {
        const struct rule *rule = &table->rules[i];

        if (chosen[rule->kind] == NULL && rule_fits(rule, input)) {
            chosen[rule->kind] = rule;
        }
    }
    for (size_t kind = 0; kind < table->kind_count; kind++) {
        const struct rule *rule = chosen[kind];
        struct deadline_clock *clock = &clocks[count];
        struct run run = {rule, calendar, input, 0, 0};

        if (rule == NULL) {
            continue;
        }
        run.from_us = rule->from == FROM_ACCEPTED
                          ? input->accepted_at_us
                          : input->event_at_us[rule->from];
        if (run.from_us == DEADLINE_NEVER) {
            continue;
        }
        run.stopped_us = earliest_of(input, rule->to);
        *clock = (struct deadline_clock){0};
        clock->kind = (uint32_t)kind;
        clock->from_us = run.from_us;
        clock->stopped_us = run.stopped_us;
        clock->rule = (uint32_t)(rule - table->rules);
        set_due(&run, clock);
        if (clock->due_us == DEADLINE_NEVER ||
            clock->due_soon_us > clock->due_us) {
            clock->due_soon_us = clock->due_us;
        }
        count++;
    }
    return count;
}
