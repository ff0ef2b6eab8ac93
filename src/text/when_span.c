/* SPDX-License-Identifier: Apache-2.0
 *
 * Days of the calendar as numbers, and what a pattern ("the first week of August") means in a year. Weeks
 * begin on Monday; seasons are three whole months (summer: June to August), a winter is named after the year
 * of its December.
 */
#include "text/when_priv.h"

#include "core/clock.h"

#define US_PER_DAY ((int64_t)86400 * US_PER_SEC)

int64_t span_days_of(int64_t year, int month, int day)
{
    struct civil civil = {.year = (int)year, .month = month, .day = day};
    return civil_to_us(&civil, NULL) / US_PER_DAY; /* exact: a midnight of UTC */
}

void span_date_of(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    struct civil civil;
    civil_from_us(days * US_PER_DAY, NULL, &civil);
    *ret_year = civil.year;
    *ret_month = civil.month;
    *ret_day = civil.day;
}

int span_weekday(int64_t days)
{
    return (int)(((days + 4) % 7 + 7) % 7); /* day 0 was a Thursday */
}

static int64_t floor_to(int64_t value, int64_t step)
{
    return value - ((value % step) + step) % step;
}

/* A run of n_months from the first month of the unit that holds the day, moved by n. */
static struct span span_of_months(int64_t day, int n_months, int64_t n)
{
    int year, month, ignored;
    span_date_of(day, &year, &month, &ignored);
    int64_t first = floor_to((int64_t)year * 12 + month - 1, n_months) + n * n_months;
    int64_t first_year = floor_to(first, 12) / 12, end_year = floor_to(first + n_months, 12) / 12;
    return (struct span){span_days_of(first_year, (int)(first - first_year * 12) + 1, 1),
                         span_days_of(end_year, (int)(first + n_months - end_year * 12) + 1, 1)};
}

struct span span_of_unit(int64_t day, enum span_unit unit, int64_t n)
{
    static const int n_months[] = {
        [U_MONTH] = 1, [U_QUARTER] = 3, [U_HALF] = 6, [U_YEAR] = 12, [U_DECADE] = 120};
    int64_t monday = day - (span_weekday(day) + 6) % 7 + 7 * n;
    switch (unit) {
    case U_DAY:
        return (struct span){day + n, day + n + 1};
    case U_WEEK:
        return (struct span){monday, monday + 7};
    case U_WEEKEND:
        return (struct span){monday + 5, monday + 7};
    default:
        return span_of_months(day, n_months[unit], n);
    }
}

int64_t span_add(int64_t day, enum span_unit unit, int64_t n)
{
    int year, month, day_of_month;
    if (unit == U_DAY)
        return day + n;
    if (unit == U_WEEK || unit == U_WEEKEND)
        return day + 7 * n;
    span_date_of(day, &year, &month, &day_of_month);
    struct span target = span_of_unit(span_days_of(year, month, 1), unit, n);
    /* The same distance into the unit; the last day of a month that is too short for it. */
    int64_t into = day - span_of_unit(day, unit, 0).from;
    return target.from + into < target.until ? target.from + into : target.until - 1;
}

struct span span_cut_part(struct span span, enum span_unit unit, enum span_part part)
{
    int year, month, day;
    int64_t first = span.from + (span.until - span.from) / 3;
    int64_t second = span.from + (span.until - span.from) * 2 / 3;
    span_date_of(span.from, &year, &month, &day);
    if (unit == U_YEAR) {
        first = span_days_of(year, 5, 1);
        second = span_days_of(year, 9, 1);
    } else if (unit == U_MONTH) {
        first = span.from + 10;
        second = span.from + 20;
    }
    switch (part) {
    case PART_EARLY:
        return (struct span){span.from, first};
    case PART_MID:
        return (struct span){first, second};
    case PART_LATE:
        return (struct span){second, span.until};
    default:
        return span;
    }
}

/* What a pattern names before nth and part. */
static bool span_of_base(const struct pattern *pattern, int year, struct span *ret_span,
                         enum span_unit *ret_unit)
{
    int64_t start = span_days_of(year, 1, 1);
    *ret_unit = U_QUARTER;
    if (pattern->month) {
        struct span month = span_of_unit(span_days_of(year, pattern->month, 1), U_MONTH, 0);
        int last = pattern->last_day ? pattern->last_day : pattern->day;
        *ret_unit = pattern->day ? U_DAY : U_MONTH;
        *ret_span = month;
        if (pattern->day)
            *ret_span = (struct span){month.from + pattern->day - 1, month.from + last};
        return ret_span->until <= month.until && ret_span->from < ret_span->until;
    }
    if (pattern->season) {
        int month = pattern->season == 1 ? 12 : 3 * (pattern->season - 1);
        int64_t from = span_days_of(year, month, 1);
        *ret_span = (struct span){from, span_add(from, U_MONTH, 3)};
    } else if (pattern->quarter) {
        *ret_span = span_of_unit(span_days_of(year, 3 * pattern->quarter, 1), U_QUARTER, 0);
    } else if (pattern->half) {
        *ret_unit = U_HALF;
        *ret_span = span_of_unit(span_days_of(year, 6 * pattern->half, 1), U_HALF, 0);
    } else {
        *ret_unit = pattern->is_decade ? U_DECADE : U_YEAR;
        *ret_span = span_of_unit(start, *ret_unit, 0);
    }
    return true;
}

/* The nth (-1: last) week, weekend, day, month or weekday of a span; of weeks the first is its first seven
 * days. */
static bool span_cut_nth(struct span *span, int nth, int nth_of)
{
    int64_t length = 1, step = 1, offset = 0, size = span->until - span->from;
    if (nth_of >= 100 || nth_of == U_WEEKEND) {
        int weekday = nth_of == U_WEEKEND ? 6 : nth_of - 100;
        offset = (weekday - span_weekday(span->from) + 7) % 7;
        length = nth_of == U_WEEKEND ? 2 : 1;
        step = 7;
    } else if (nth_of == U_WEEK) {
        length = step = 7;
    } else if (nth_of != U_DAY) {
        int64_t day = nth > 0 ? span_add(span->from, (enum span_unit)nth_of, nth - 1) : span->until - 1;
        *span = span_of_unit(day, (enum span_unit)nth_of, 0);
        return true;
    }
    int64_t from = span->from + offset + (nth - 1) * step;
    if (nth < 0) {
        int64_t n_after = (size - offset - 1) / step;
        from = nth_of == U_WEEK ? span->until - 7 : span->from + offset + n_after * step;
    }
    if (from >= span->until)
        return false;
    *span = (struct span){from, from + length};
    return true;
}

bool span_of_pattern(const struct pattern *pattern, int year, struct span *ret_span)
{
    enum span_unit unit;
    if (!span_of_base(pattern, year, ret_span, &unit))
        return false;
    if (pattern->nth && !span_cut_nth(ret_span, pattern->nth, pattern->nth_of))
        return false;
    *ret_span = span_cut_part(*ret_span, unit, pattern->part);
    return true;
}

enum when_unit span_exactness(const struct pattern *pattern)
{
    static const enum when_unit of_unit[] = {
        [U_DAY] = WHEN_DAY,        [U_WEEK] = WHEN_WEEK,   [U_WEEKEND] = WHEN_WEEK, [U_MONTH] = WHEN_MONTH,
        [U_QUARTER] = WHEN_SEASON, [U_HALF] = WHEN_SEASON, [U_YEAR] = WHEN_YEAR,    [U_DECADE] = WHEN_DECADE,
    };
    if (pattern->nth)
        return pattern->nth_of >= 100 ? WHEN_DAY : of_unit[pattern->nth_of];
    if (pattern->day && !pattern->last_day)
        return WHEN_DAY;
    if (pattern->day)
        return WHEN_WEEK;
    if (pattern->month)
        return pattern->part ? WHEN_WEEK : WHEN_MONTH;
    if (pattern->season || pattern->quarter || pattern->half)
        return pattern->part ? WHEN_MONTH : WHEN_SEASON;
    if (pattern->is_decade)
        return WHEN_DECADE;
    return pattern->part ? WHEN_SEASON : WHEN_YEAR;
}

enum when_unit span_exactness_of_days(int64_t n_days)
{
    static const struct { /* with the day on which the last year, month ... begins */
        int max_days;
        enum when_unit unit;
    } steps[] = {{1, WHEN_DAY}, {10, WHEN_WEEK}, {32, WHEN_MONTH}, {185, WHEN_SEASON}, {367, WHEN_YEAR}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (n_days <= steps[i].max_days)
            return steps[i].unit;
    return WHEN_DECADE;
}
