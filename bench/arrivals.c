/* Spreads tickets over hours by weights and inside the hour evenly. */
#include "bench/arrivals.h"

#include <stdlib.h>

#include "analyzers/ticket.h"

enum { HOURS_A_DAY = 24, SECONDS_AN_HOUR = 3600 };

/* Two peaks, the late afternoon lower than the morning; night calls are
 * faults. */
static const double hour_weights[HOURS_A_DAY] = {
    0.9, 0.6, 0.5, 0.4, 0.4, 0.7, 1.5, 3.2, 5.8, 7.0, 6.8, 6.2,
    4.6, 4.4, 5.2, 5.9, 5.8, 5.4, 5.6, 6.2, 5.6, 4.2, 2.6, 1.5};

/* Monday first. */
static const double weekday_weights[7] = {1.15, 1.06, 1.03, 1.02,
                                          1.04, 0.86, 0.84};

/* How many times the usual: the first day from 15:00, dying down by noon of
 * the second. */
static double
storm_weight(uint32_t hour)
{
    if (hour < 15) {
        return 1.0;
    }
    if (hour < 23) {
        return 9.0;
    }
    if (hour < 36) {
        return 4.0;
    }
    return 1.2;
}

static double
hour_weight(enum generate_scenario scenario, int32_t start_day, uint32_t hour)
{
    int32_t day = start_day + (int32_t)(hour / HOURS_A_DAY);
    double weight =
        hour_weights[hour % HOURS_A_DAY] * weekday_weights[day_weekday(day)];

    return scenario == SCENARIO_STORM ? weight * storm_weight(hour) : weight;
}

bool
arrivals_init(struct arrivals *arrivals,
              enum generate_scenario scenario,
              int32_t start_day,
              uint32_t days,
              uint32_t count)
{
    double total = 0;
    double sum = 0;
    uint32_t given = 0;

    *arrivals = (struct arrivals){0};
    arrivals->hour_count = days * HOURS_A_DAY;
    arrivals->start_s = shanghai_day_start_us(start_day) / US_PER_SECOND;
    arrivals->by_hour = calloc(arrivals->hour_count, sizeof(uint32_t));
    if (arrivals->by_hour == NULL) {
        return false;
    }
    for (uint32_t hour = 0; hour < arrivals->hour_count; hour++) {
        total += hour_weight(scenario, start_day, hour);
    }
    for (uint32_t hour = 0; hour < arrivals->hour_count; hour++) {
        uint32_t upto;

        sum += hour_weight(scenario, start_day, hour);
        upto = hour + 1 == arrivals->hour_count
                   ? count
                   : (uint32_t)((double)count * (sum / total));
        arrivals->by_hour[hour] = upto - given;
        given = upto;
    }
    return true;
}

void
arrivals_release(struct arrivals *arrivals)
{
    free(arrivals->by_hour);
    arrivals->by_hour = NULL;
}

bool
arrivals_next(struct arrivals *arrivals, struct random *random, int64_t *at_s)
{
    double inside;

    while (arrivals->hour < arrivals->hour_count &&
           arrivals->in_hour == arrivals->by_hour[arrivals->hour]) {
        arrivals->hour++;
        arrivals->in_hour = 0;
    }
    if (arrivals->hour == arrivals->hour_count) {
        return false;
    }
    inside = ((double)arrivals->in_hour + random_unit(random)) /
             (double)arrivals->by_hour[arrivals->hour];
    arrivals->in_hour++;
    *at_s = arrivals->start_s + (int64_t)arrivals->hour * SECONDS_AN_HOUR +
            (int64_t)(inside * SECONDS_AN_HOUR);
    return true;
}
