/* The indicators as rows of dict/indicators.csv, and the names of periods. */
#include "analyzers/indicator.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyzers/dictionary_file.h"
#include "analyzers/ticket.h"

enum column {
    COLUMN_NUMBER,
    COLUMN_CODE,
    COLUMN_NAME_ZH,
    COLUMN_NAME_EN,
    COLUMN_LEVEL,
    COLUMN_NUMERATOR,
    COLUMN_DENOMINATOR,
    COLUMN_FACTOR,
    COLUMN_UNIT,
    COLUMN_PERIOD,
    COLUMN_GOOD,
    COLUMN_TARGET,
    COLUMN_SOURCE,
    COLUMN_FORMULA_ZH,
    COLUMN_COUNT
};

static const char *const column_names[COLUMN_COUNT] = {
    "number",    "code",        "name_zh", "name_en",   "level",
    "numerator", "denominator", "factor",  "unit",      "period",
    "good",      "target",      "source",  "formula_zh"};

struct indicator_table {
    struct table *table; /* owns the spans */
    struct indicator_row rows[INDICATORS_MAX];
    size_t count;
};

struct reader {
    struct indicator_table *indicators;
    const size_t *columns;
    size_t row;
    struct err *err;
};

static struct span
cell_of(const struct reader *reader, enum column column)
{
    return table_cell(reader->indicators->table, reader->row,
                      reader->columns[column]);
}

static enum err_code
refuse(const struct reader *reader, enum column column, const char *want)
{
    return table_error(reader->indicators->table, reader->row,
                       reader->columns[column], ERR_BAD_TABLE, reader->err,
                       "'%.*s' is not %s", SPAN_ARGS(cell_of(reader, column)),
                       want);
}

static bool
is_name(struct span word)
{
    for (size_t i = 0; i < word.bytes; i++) {
        char c = word.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) {
            return false;
        }
    }
    return word.bytes > 0 && word.bytes <= 64;
}

/* measure:NAME, fact:NAME or fed. */
static bool
is_operand(struct span word)
{
    static const char *const prefixes[] = {"measure:", "fact:"};

    for (size_t i = 0; i < 2; i++) {
        struct span prefix = span_of(prefixes[i]);

        if (span_starts(word, prefix)) {
            return is_name((struct span){word.data + prefix.bytes,
                                         word.bytes - prefix.bytes});
        }
    }
    return span_is(word, "fed");
}

/* "100", "0.5": digits with at most one point, greater than zero. */
static bool
parse_factor(struct span word, double *out)
{
    double value = 0;
    double place = 1;
    bool point = false;

    if (word.bytes == 0 || word.bytes > 15 || word.data[0] == '.' ||
        word.data[word.bytes - 1] == '.') {
        return false;
    }
    for (size_t i = 0; i < word.bytes; i++) {
        char c = word.data[i];

        if (c == '.' && !point) {
            point = true;
        } else if (c >= '0' && c <= '9') {
            value = value * 10 + (c - '0');
            place = point ? place * 10 : place;
        } else {
            return false;
        }
    }
    *out = value / place;
    return *out > 0;
}

static enum err_code
read_source(const struct reader *reader, struct indicator_row *row)
{
    struct span source = cell_of(reader, COLUMN_SOURCE);

    if (span_is(source, "live")) {
        row->source = INDICATOR_LIVE;
    } else if (span_is(source, "proxy")) {
        row->source = INDICATOR_PROXY;
    } else if (span_is(source, "fed")) {
        row->source = INDICATOR_FED;
    } else {
        return refuse(reader, COLUMN_SOURCE, "live, proxy or fed");
    }
    if (!is_operand(row->numerator)) {
        return refuse(reader, COLUMN_NUMERATOR,
                      "measure:NAME, fact:NAME or fed");
    }
    if (!is_operand(row->denominator)) {
        return refuse(reader, COLUMN_DENOMINATOR,
                      "measure:NAME, fact:NAME or fed");
    }
    if (row->source == INDICATOR_LIVE &&
        !span_starts(row->numerator, SPAN_LITERAL("measure:"))) {
        return refuse(reader, COLUMN_NUMERATOR,
                      "measure:NAME, which a live row needs");
    }
    if (row->source == INDICATOR_LIVE && span_is(row->denominator, "fed")) {
        return refuse(reader, COLUMN_DENOMINATOR,
                      "measure:NAME or fact:NAME, which a live row needs");
    }
    return ERR_OK;
}

/* Neither number, code nor Chinese name may stand twice. */
static enum err_code
check_new(const struct reader *reader, const struct indicator_row *row)
{
    for (size_t i = 0; i < reader->indicators->count; i++) {
        const struct indicator_row *other = &reader->indicators->rows[i];

        if (other->number == row->number) {
            return refuse(reader, COLUMN_NUMBER, "a number of its own");
        }
        if (span_equal(other->code, row->code)) {
            return refuse(reader, COLUMN_CODE, "a code of its own");
        }
        if (span_equal(other->name_zh, row->name_zh)) {
            return refuse(reader, COLUMN_NAME_ZH, "a name of its own");
        }
    }
    return ERR_OK;
}

static enum err_code
read_row(const struct reader *reader)
{
    struct indicator_table *indicators = reader->indicators;
    struct indicator_row row = {0};
    uint64_t number = 0;
    enum err_code code = dictionary_file_number(indicators->table, reader->row,
                                                reader->columns[COLUMN_NUMBER],
                                                1, 9999, &number, reader->err);

    if (code != ERR_OK) {
        return code;
    }
    if (indicators->count == INDICATORS_MAX) {
        return table_error(indicators->table, reader->row,
                           reader->columns[COLUMN_NUMBER], ERR_BAD_TABLE,
                           reader->err, "more than %d indicators",
                           INDICATORS_MAX);
    }
    row.number = (uint32_t)number;
    row.code = cell_of(reader, COLUMN_CODE);
    row.name_zh = cell_of(reader, COLUMN_NAME_ZH);
    row.name_en = cell_of(reader, COLUMN_NAME_EN);
    row.level = cell_of(reader, COLUMN_LEVEL);
    row.numerator = cell_of(reader, COLUMN_NUMERATOR);
    row.denominator = cell_of(reader, COLUMN_DENOMINATOR);
    row.unit = cell_of(reader, COLUMN_UNIT);
    row.period = cell_of(reader, COLUMN_PERIOD);
    row.good = cell_of(reader, COLUMN_GOOD);
    row.target = cell_of(reader, COLUMN_TARGET);
    row.formula_zh = cell_of(reader, COLUMN_FORMULA_ZH);
    if (!is_name(row.code)) {
        return refuse(reader, COLUMN_CODE, "small letters, digits, _");
    }
    if (row.name_zh.bytes == 0) {
        return refuse(reader, COLUMN_NAME_ZH, "a name");
    }
    if (!span_is(row.level, "overall") && !span_is(row.level, "first") &&
        !span_is(row.level, "second")) {
        return refuse(reader, COLUMN_LEVEL, "overall, first or second");
    }
    if (!span_is(row.good, "up") && !span_is(row.good, "down")) {
        return refuse(reader, COLUMN_GOOD, "up or down");
    }
    if (!parse_factor(cell_of(reader, COLUMN_FACTOR), &row.factor)) {
        return refuse(reader, COLUMN_FACTOR, "a number greater than zero");
    }
    if ((code = read_source(reader, &row)) != ERR_OK ||
        (code = check_new(reader, &row)) != ERR_OK) {
        return code;
    }
    indicators->rows[indicators->count++] = row;
    return ERR_OK;
}

enum err_code
indicator_build(const struct dictionary_file *files,
                size_t file_count,
                struct indicator_table **out,
                struct err *err)
{
    size_t columns[COLUMN_COUNT];
    struct indicator_table *indicators = calloc(1, sizeof(*indicators));
    struct reader reader = {indicators, columns, 0, err};
    enum err_code code;

    if (indicators == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/indicators.csv");
    }
    code = dictionary_file_table(files, file_count, "indicators.csv",
                                 &indicators->table, err);
    if (code != ERR_OK) {
        goto out;
    }
    code = dictionary_file_columns(indicators->table, column_names,
                                   COLUMN_COUNT, columns, err);
    while (code == ERR_OK && reader.row < table_row_count(indicators->table)) {
        (void)!read_row(&reader);
        code = table_go_on(indicators->table, err) ? ERR_OK : err->code;
        reader.row++;
    }
    if (code == ERR_OK &&
        (code = table_end(indicators->table, err)) == ERR_OK) {
        *out = indicators;
        indicators = NULL;
    }
out:
    indicator_free(&indicators);
    return code;
}

void
indicator_free(struct indicator_table **table)
{
    if (*table == NULL) {
        return;
    }
    table_free(&(*table)->table);
    free(*table);
    *table = NULL;
}

size_t
indicator_count(const struct indicator_table *table)
{
    return table->count;
}

const struct indicator_row *
indicator_row(const struct indicator_table *table, size_t index)
{
    assert(index < table->count);
    return &table->rows[index];
}

const struct indicator_row *
indicator_find(const struct indicator_table *table, struct span name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (span_equal(table->rows[i].code, name) ||
            span_equal(table->rows[i].name_zh, name)) {
            return &table->rows[i];
        }
    }
    return NULL;
}

bool
indicator_value(const struct indicator_row *row,
                double numerator,
                double denominator,
                double *out)
{
    if (!(denominator > 0) && !(denominator < 0)) {
        return false;
    }
    *out = numerator / denominator * row->factor;
    return true;
}

/* --- periods --- */

/* `count` digits at *at; moves *at behind them. */
static bool
take_digits(struct span name, size_t *at, size_t count, uint32_t *out)
{
    uint32_t value = 0;

    if (name.bytes - *at < count) {
        return false;
    }
    for (size_t i = 0; i < count; i++, (*at)++) {
        char c = name.data[*at];

        if (c < '0' || c > '9') {
            return false;
        }
        value = value * 10 + (uint32_t)(c - '0');
    }
    *out = value;
    return true;
}

static bool
take_char(struct span name, size_t *at, char c)
{
    if (*at >= name.bytes || name.data[*at] != c) {
        return false;
    }
    (*at)++;
    return true;
}

/* Monday of the ISO week 1: the week that holds 4 January. */
static int32_t
first_week(int32_t year)
{
    return period_first_day(PERIOD_WEEK, day_from_date(year, 1, 4));
}

/* What follows the year of a name; false when it is no period. */
static bool
parse_rest(struct span name,
           int32_t year,
           enum period_kind *kind,
           int32_t *first_day)
{
    size_t at = 4;
    uint32_t part = 0;
    uint32_t month_day = 0;
    int32_t day;

    if (name.bytes == at) {
        *kind = PERIOD_YEAR;
        *first_day = day_from_date(year, 1, 1);
        return true;
    }
    if (!take_char(name, &at, '-')) {
        return false;
    }
    if (take_char(name, &at, 'Q')) {
        *kind = PERIOD_QUARTER;
        if (!take_digits(name, &at, 1, &part) || part < 1 || part > 4) {
            return false;
        }
        *first_day = day_from_date(year, part * 3 - 2, 1);
    } else if (take_char(name, &at, 'W')) {
        *kind = PERIOD_WEEK;
        if (!take_digits(name, &at, 2, &part) || part < 1 || part > 53) {
            return false;
        }
        *first_day = first_week(year) + (int32_t)(part - 1) * 7;
        if (*first_day >= first_week(year + 1)) {
            return false; /* a year of 52 weeks */
        }
    } else if (!take_digits(name, &at, 2, &part) || part < 1 || part > 12) {
        return false;
    } else if (at == name.bytes) {
        *kind = PERIOD_MONTH;
        *first_day = day_from_date(year, part, 1);
    } else {
        *kind = PERIOD_DAY;
        if (!take_char(name, &at, '-') ||
            !take_digits(name, &at, 2, &month_day) || month_day < 1) {
            return false;
        }
        day = day_from_date(year, part, 1) + (int32_t)month_day - 1;
        if (day >=
            period_next_day(PERIOD_MONTH, day_from_date(year, part, 1))) {
            return false;
        }
        *first_day = day;
    }
    return at == name.bytes;
}

enum err_code
period_parse(struct span name,
             enum period_kind *kind,
             int32_t *first_day,
             int32_t *last_day,
             struct err *err)
{
    enum period_kind found = PERIOD_YEAR;
    uint32_t year = 0;
    size_t at = 0;
    int32_t first = 0;

    if (!take_digits(name, &at, 4, &year) || year < 1990 || year > 2100 ||
        !parse_rest(name, (int32_t)year, &found, &first)) {
        return err_set_field(
            err, ERR_BAD_VALUE, "period",
            "'%.*s' is not a period; write 2018, 2018-Q1, "
            "2018-03, 2018-W05 or 2018-03-31, years 1990 to "
            "2100",
            SPAN_ARGS(
                ((struct span){name.data, name.bytes < 40 ? name.bytes : 40})));
    }
    *kind = found;
    *first_day = first;
    *last_day = period_next_day(found, first) - 1;
    return ERR_OK;
}

char *
period_name(enum period_kind kind, int32_t day, char out[PERIOD_NAME_BYTES])
{
    int32_t year;
    uint32_t month;
    uint32_t month_day;
    int32_t monday;

    date_from_day(day, &year, &month, &month_day);
    switch (kind) {
    case PERIOD_YEAR:
        (void)snprintf(out, PERIOD_NAME_BYTES, "%04" PRId32, year);
        break;
    case PERIOD_QUARTER:
        (void)snprintf(out, PERIOD_NAME_BYTES, "%04" PRId32 "-Q%" PRIu32, year,
                       (month + 2) / 3);
        break;
    case PERIOD_MONTH:
        (void)snprintf(out, PERIOD_NAME_BYTES, "%04" PRId32 "-%02" PRIu32, year,
                       month);
        break;
    case PERIOD_WEEK:
        /* the ISO year of a week is that of its Thursday */
        monday = period_first_day(PERIOD_WEEK, day);
        date_from_day(monday + 3, &year, &month, &month_day);
        (void)snprintf(out, PERIOD_NAME_BYTES, "%04" PRId32 "-W%02" PRId32,
                       year, (monday - first_week(year)) / 7 + 1);
        break;
    case PERIOD_DAY:
    case PERIOD_HOUR:
    default:
        assert(kind == PERIOD_DAY);
        (void)snprintf(out, PERIOD_NAME_BYTES,
                       "%04" PRId32 "-%02" PRIu32 "-%02" PRIu32, year, month,
                       month_day);
        break;
    }
    return out;
}

int32_t
period_first_day(enum period_kind kind, int32_t day)
{
    int32_t year;
    uint32_t month;
    uint32_t month_day;

    assert(kind != PERIOD_HOUR);
    date_from_day(day, &year, &month, &month_day);
    switch (kind) {
    case PERIOD_YEAR:
        return day_from_date(year, 1, 1);
    case PERIOD_QUARTER:
        return day_from_date(year, (month - 1) / 3 * 3 + 1, 1);
    case PERIOD_MONTH:
        return day_from_date(year, month, 1);
    case PERIOD_WEEK:
        return day - (int32_t)day_weekday(day);
    case PERIOD_DAY:
    case PERIOD_HOUR:
    default:
        return day;
    }
}

int32_t
period_next_day(enum period_kind kind, int32_t day)
{
    int32_t first = period_first_day(kind, day);
    int32_t year;
    uint32_t month;
    uint32_t month_day;

    date_from_day(first, &year, &month, &month_day);
    switch (kind) {
    case PERIOD_YEAR:
        return day_from_date(year + 1, 1, 1);
    case PERIOD_QUARTER:
        return month == 10 ? day_from_date(year + 1, 1, 1)
                           : day_from_date(year, month + 3, 1);
    case PERIOD_MONTH:
        return month == 12 ? day_from_date(year + 1, 1, 1)
                           : day_from_date(year, month + 1, 1);
    case PERIOD_WEEK:
        return first + 7;
    case PERIOD_DAY:
    case PERIOD_HOUR:
    default:
        return first + 1;
    }
}
