/* Working days: dict/calendar.csv as one cell a day of the covered years. */
#include "analyzers/calendar.h"

#include <assert.h>
#include <stdlib.h>

#include "analyzers/dictionary_file.h"

enum { CALENDAR_YEAR_MIN = 1990, CALENDAR_YEAR_MAX = 2100 };

enum day_kind { DAY_NOT_LISTED, DAY_OFF, DAY_WORK };

struct calendar {
    struct table *table; /* owns the names */
    struct calendar_day {
        uint32_t row; /* of the table, when listed */
        enum day_kind kind;
    } * days;          /* days[day_count], the first is days_from */
    int32_t days_from; /* 1 January of CALENDAR_YEAR_MIN */
    size_t day_count;
    int32_t first_day;
    int32_t last_day;
    size_t name_column;
};

/* "2018-02-15", and nothing else. */
static bool
parse_date(struct span cell, int32_t *year, int32_t *day)
{
    uint32_t part[3] = {0, 0, 0};
    uint32_t month;
    uint32_t month_day;
    int32_t again;

    if (cell.bytes != 10 || cell.data[4] != '-' || cell.data[7] != '-') {
        return false;
    }
    for (size_t i = 0, p = 0; i < cell.bytes; i++) {
        if (i == 4 || i == 7) {
            p++;
            continue;
        }
        if (cell.data[i] < '0' || cell.data[i] > '9') {
            return false;
        }
        part[p] = part[p] * 10 + (uint32_t)(cell.data[i] - '0');
    }
    if (part[0] < CALENDAR_YEAR_MIN || part[0] > CALENDAR_YEAR_MAX ||
        part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31) {
        return false;
    }
    *year = (int32_t)part[0];
    *day = day_from_date(*year, part[1], part[2]);
    date_from_day(*day, &again, &month, &month_day);
    return again == *year && month == part[1] && month_day == part[2];
}

static struct calendar_day *
day_of(const struct calendar *calendar, int32_t day)
{
    if (day < calendar->days_from ||
        (size_t)(day - calendar->days_from) >= calendar->day_count) {
        return NULL;
    }
    return &calendar->days[day - calendar->days_from];
}

/*
 * A year is covered when a row lies between February and November: rows of
 * the last days of December and of January alone come from the notice for the
 * neighbouring year's New Year.
 */
static enum err_code
find_coverage(struct calendar *calendar, struct err *err)
{
    int32_t first_year = 0;
    int32_t last_year = 0;

    for (int32_t year = CALENDAR_YEAR_MIN; year <= CALENDAR_YEAR_MAX; year++) {
        int32_t to = day_from_date(year, 11, 30);

        for (int32_t day = day_from_date(year, 2, 1); day <= to; day++) {
            if (day_of(calendar, day)->kind == DAY_NOT_LISTED) {
                continue;
            }
            if (last_year != 0 && last_year < year - 1) {
                return err_set(err, ERR_BAD_TABLE,
                               "%s: no days of the year %d, between %d and %d; "
                               "add its rest days and make-up working days",
                               table_name(calendar->table), (int)last_year + 1,
                               (int)first_year, (int)year);
            }
            first_year = first_year == 0 ? year : first_year;
            last_year = year;
            break;
        }
    }
    if (first_year == 0) {
        return err_set(err, ERR_BAD_TABLE,
                       "%s: no whole year is listed; add the rest days and "
                       "make-up working days of at least one year",
                       table_name(calendar->table));
    }
    calendar->first_day = day_from_date(first_year, 1, 1);
    calendar->last_day = day_from_date(last_year, 12, 31);
    return ERR_OK;
}

static enum err_code
read_row(struct calendar *calendar,
         size_t row,
         const size_t *columns,
         struct err *err)
{
    struct table *table = calendar->table;
    struct span date = table_cell(table, row, columns[0]);
    struct span kind = table_cell(table, row, columns[1]);
    struct calendar_day *cell;
    int32_t year;
    int32_t day;

    if (!parse_date(date, &year, &day)) {
        return table_error(table, row, columns[0], ERR_BAD_TABLE, err,
                           "'%.*s' is not a date of the form 2018-02-15, "
                           "years %d to %d",
                           SPAN_ARGS(date), CALENDAR_YEAR_MIN,
                           CALENDAR_YEAR_MAX);
    }
    cell = day_of(calendar, day);
    assert(cell != NULL);
    if (cell->kind != DAY_NOT_LISTED) {
        return table_error(table, row, columns[0], ERR_BAD_TABLE, err,
                           "%.*s is listed already on line %zu; keep one of "
                           "the two",
                           SPAN_ARGS(date), table_row_line(table, cell->row));
    }
    if (span_is(kind, "off")) {
        cell->kind = DAY_OFF;
    } else if (span_is(kind, "work")) {
        cell->kind = DAY_WORK;
    } else {
        return table_error(table, row, columns[1], ERR_BAD_TABLE, err,
                           "'%.*s' is neither 'off' (rest day) nor 'work' "
                           "(make-up working day)",
                           SPAN_ARGS(kind));
    }
    cell->row = (uint32_t)row;
    return ERR_OK;
}

enum err_code
calendar_build(const struct dictionary_file *files,
               size_t file_count,
               struct calendar **out,
               struct err *err)
{
    static const char *const names[] = {"date", "kind", "name"};
    size_t columns[3];
    struct calendar *calendar = calloc(1, sizeof(*calendar));
    enum err_code code = ERR_NO_MEMORY;

    if (calendar == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/calendar.csv");
    }
    calendar->days_from = day_from_date(CALENDAR_YEAR_MIN, 1, 1);
    calendar->day_count = (size_t)(day_from_date(CALENDAR_YEAR_MAX + 1, 1, 1) -
                                   calendar->days_from);
    calendar->days = calloc(calendar->day_count, sizeof(*calendar->days));
    if (calendar->days == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "dict/calendar.csv");
        goto out;
    }
    code = dictionary_file_table(files, file_count, "calendar.csv",
                                 &calendar->table, err);
    if (code != ERR_OK) {
        goto out;
    }
    code = dictionary_file_columns(calendar->table, names, 3, columns, err);
    if (code != ERR_OK) {
        goto out;
    }
    calendar->name_column = columns[2];
    for (size_t row = 0; row < table_row_count(calendar->table); row++) {
        (void)!read_row(calendar, row, columns, err);
        if (!table_go_on(calendar->table, err)) {
            code = err->code;
            goto out;
        }
    }
    code = table_end(calendar->table, err);
    if (code != ERR_OK) {
        goto out;
    }
    code = find_coverage(calendar, err);
    if (code != ERR_OK) {
        goto out;
    }
    *out = calendar;
    calendar = NULL;
out:
    calendar_free(&calendar);
    return code;
}

void
calendar_free(struct calendar **calendar)
{
    if (*calendar == NULL) {
        return;
    }
    table_free(&(*calendar)->table);
    free((*calendar)->days);
    free(*calendar);
    *calendar = NULL;
}

bool
calendar_is_working_day(const struct calendar *calendar, int32_t day)
{
    const struct calendar_day *cell = day_of(calendar, day);

    if (cell != NULL && cell->kind != DAY_NOT_LISTED) {
        return cell->kind == DAY_WORK;
    }
    return day_weekday(day) < 5;
}

struct span
calendar_day_name(const struct calendar *calendar, int32_t day)
{
    const struct calendar_day *cell = day_of(calendar, day);

    if (cell == NULL || cell->kind == DAY_NOT_LISTED) {
        return (struct span){NULL, 0};
    }
    return table_cell(calendar->table, cell->row, calendar->name_column);
}

int32_t
calendar_first_day(const struct calendar *calendar)
{
    return calendar->first_day;
}

int32_t
calendar_last_day(const struct calendar *calendar)
{
    return calendar->last_day;
}

int64_t
calendar_add_working_days(const struct calendar *calendar,
                          int64_t from_us,
                          uint32_t count,
                          bool *provisional)
{
    int32_t from_day = shanghai_day(from_us);
    int32_t day = from_day;

    if (count == 0) {
        while (!calendar_is_working_day(calendar, day)) {
            day++;
        }
    }
    for (uint32_t left = count; left > 0;) {
        day++;
        if (calendar_is_working_day(calendar, day)) {
            left--;
        }
    }
    if (provisional != NULL) {
        *provisional =
            day > calendar->last_day || from_day < calendar->first_day;
    }
    return shanghai_day_start_us(day + 1) - 1;
}

uint32_t
calendar_count_working_days(const struct calendar *calendar,
                            int32_t from_day,
                            int32_t to_day)
{
    uint32_t count = 0;

    for (int32_t day = from_day + 1; day <= to_day; day++) {
        count += calendar_is_working_day(calendar, day) ? 1 : 0;
    }
    return count;
}
