/*
 * calendar: working days of the national calendar, from dict/calendar.csv.
 *
 * Days not listed follow Monday to Friday; listed days are `off` (rest) or
 * `work` (make-up working day 调休). Outside the covered years the answer is
 * Monday to Friday and provisional. A year is covered when one of its days from
 * February to November is listed; rows of a neighbouring year's New Year alone
 * do not cover a year. A gap between covered years is an error.
 *
 * Columns   date,kind,name   (date as 2018-02-15; a day is listed once)
 * Source    State Council notices, table from NateScarlet/holiday-cn (MIT)
 * Effects   none after calendar_build
 */
#ifndef ANALYZERS_CALENDAR_H
#define ANALYZERS_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzers/dictionary.h"
#include "analyzers/ticket.h"

struct calendar;

enum err_code calendar_build(const struct dictionary_file *files,
                             size_t file_count,
                             struct calendar **out,
                             struct err *err) MUST_CHECK;
void calendar_free(struct calendar **calendar);

bool calendar_is_working_day(const struct calendar *calendar, int32_t day);

/* Name of the listed day ("春节"), or the empty span. */
struct span calendar_day_name(const struct calendar *calendar, int32_t day);

/* First day of the first covered year, last day of the last one. */
int32_t calendar_first_day(const struct calendar *calendar);
int32_t calendar_last_day(const struct calendar *calendar);

/*
 * The last instant (23:59:59.999999 Shanghai) of the count-th working day
 * after the day that holds from_us: that day itself does not count, so a
 * ticket accepted on a rest day starts on the next working day.
 * *provisional (may be NULL) is set to whether a day past calendar_last_day or
 * before calendar_first_day was counted.
 * count 0 gives the end of the same day if it works, else of the next that
 * does.
 * Cost    O(count) days
 */
int64_t calendar_add_working_days(const struct calendar *calendar,
                                  int64_t from_us,
                                  uint32_t count,
                                  bool *provisional);

/* Working days d with from_day < d <= to_day; O(days). */
uint32_t calendar_count_working_days(const struct calendar *calendar,
                                     int32_t from_day,
                                     int32_t to_day);

#endif /* ANALYZERS_CALENDAR_H */
