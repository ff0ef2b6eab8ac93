/* SPDX-License-Identifier: Apache-2.0
 *
 * The calendar and ISO 8601. Years run from March inside (civil_days), so that the leap day comes last; the
 * arithmetic is Howard Hinnant's, over eras of 400 years (146,097 days).
 */
#include "core/civil_priv.h"

#include "core/clock.h"

#include <stdio.h>

#define DAYS_PER_ERA     146097
#define DAYS_TO_1970     719468 /* from 0000-03-01 */
#define SECONDS_PER_HOUR 3600

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t civil_days(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           DAYS_TO_1970;
}

static void date_of_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    days += DAYS_TO_1970;
    int64_t era = floor_div(days, DAYS_PER_ERA);
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (DAYS_PER_ERA - 1)) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

int civil_weekday(int64_t days)
{
    return (int)(((days + 4) % 7 + 7) % 7); /* the first day was a Thursday */
}

bool civil_is_leap_year(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int64_t civil_year_of(int64_t days)
{
    int64_t year;
    int month, day;
    date_of_days(days, &year, &month, &day);
    return year;
}

void civil_from_us(int64_t time_us, const struct zone *zone, struct civil *ret_civil)
{
    int64_t utc_sec = floor_div(time_us, US_PER_SEC);
    const struct local_type *local = zone_at(zone, utc_sec);
    int64_t local_sec = utc_sec + local->offset_sec;
    int64_t days = floor_div(local_sec, SECONDS_PER_DAY);
    int second_of_day = (int)(local_sec - days * SECONDS_PER_DAY);
    struct civil civil = {
        .hour = second_of_day / SECONDS_PER_HOUR,
        .minute = second_of_day / 60 % 60,
        .second = second_of_day % 60,
        .us = (int)((time_us % US_PER_SEC + US_PER_SEC) % US_PER_SEC),
        .weekday = civil_weekday(days),
        .offset_sec = local->offset_sec,
    };
    int64_t year;
    date_of_days(days, &year, &civil.month, &civil.day);
    civil.year = (int)year; /* 64 bits of microseconds hold 292,277 years each way */
    memcpy(civil.zone, local->name, sizeof(civil.zone));
    *ret_civil = civil;
}

/* Microseconds, kept inside 64 bits. */
static int64_t us_of(int64_t sec, int64_t us)
{
    __int128 total = (__int128)sec * US_PER_SEC + us;
    if (total > INT64_MAX)
        return INT64_MAX;
    return total < INT64_MIN ? INT64_MIN : (int64_t)total;
}

/* The UTC second at which clocks in the zone show local_sec. Offsets a day before and after are the only ones
 * it can have; a true one gives itself back. */
static int64_t utc_of_local(int64_t local_sec, const struct zone *zone)
{
    int64_t before = zone_at(zone, local_sec - SECONDS_PER_DAY)->offset_sec;
    int64_t after = zone_at(zone, local_sec + SECONDS_PER_DAY)->offset_sec;
    int64_t larger = before > after ? before : after;
    int64_t smaller = before > after ? after : before;
    if (zone_at(zone, local_sec - larger)->offset_sec == larger)
        return local_sec - larger; /* the earlier of two */
    return local_sec - smaller;    /* the only one, or behind the gap */
}

int64_t civil_to_us(const struct civil *civil, const struct zone *zone)
{
    int64_t month0 = (int64_t)civil->month - 1;
    int64_t year = civil->year + floor_div(month0, 12);
    int month = (int)(month0 - floor_div(month0, 12) * 12) + 1;
    int64_t days = civil_days(year, month, 1) + civil->day - 1;
    int64_t local_sec = days * SECONDS_PER_DAY + (int64_t)civil->hour * SECONDS_PER_HOUR +
                        (int64_t)civil->minute * 60 + civil->second;
    return us_of(utc_of_local(local_sec, zone), civil->us);
}

/* Exactly n digits at the front of *rest; -1 when they are not there. */
static int take_digits(struct str *rest, size_t n)
{
    int value = 0;
    if (rest->len < n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (rest->ptr[i] < '0' || rest->ptr[i] > '9')
            return -1;
        value = value * 10 + (rest->ptr[i] - '0');
    }
    *rest = str_make(rest->ptr + n, rest->len - n);
    return value;
}

static bool take_byte(struct str *rest, char byte)
{
    if (rest->len == 0 || rest->ptr[0] != byte)
        return false;
    *rest = str_make(rest->ptr + 1, rest->len - 1);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && civil_is_leap_year(year));
}

static int parse_date(struct str *rest, struct civil *civil)
{
    bool is_negative = take_byte(rest, '-');
    bool has_sign = is_negative || take_byte(rest, '+');
    civil->year = take_digits(rest, has_sign ? 6 : 4); /* ISO 8601 has six in its expanded form */
    if (civil->year < 0 || !take_byte(rest, '-'))
        return ERR_INVALID;
    if (is_negative)
        civil->year = -civil->year;
    civil->month = take_digits(rest, 2);
    if (civil->month < 1 || civil->month > 12 || !take_byte(rest, '-'))
        return ERR_INVALID;
    civil->day = take_digits(rest, 2);
    return civil->day >= 1 && civil->day <= days_in_month(civil->year, civil->month) ? 0 : ERR_INVALID;
}

/* Digits behind the point; microseconds count, what is finer is cut off. */
static int parse_fraction(struct str *rest, struct civil *civil)
{
    int scale = 100000, digit;
    size_t len = rest->len;
    while ((digit = take_digits(rest, 1)) >= 0) {
        civil->us += digit * scale;
        scale /= 10;
    }
    return rest->len < len ? 0 : ERR_INVALID;
}

static int parse_clock(struct str *rest, struct civil *civil)
{
    civil->hour = take_digits(rest, 2);
    if (civil->hour < 0 || civil->hour > 23 || !take_byte(rest, ':'))
        return ERR_INVALID;
    civil->minute = take_digits(rest, 2);
    if (civil->minute < 0 || civil->minute > 59)
        return ERR_INVALID;
    if (!take_byte(rest, ':'))
        return 0;
    civil->second = take_digits(rest, 2);
    if (civil->second < 0 || civil->second > 60) /* a leap second is the next minute's first */
        return ERR_INVALID;
    if (take_byte(rest, '.') || take_byte(rest, ','))
        return parse_fraction(rest, civil);
    return 0;
}

/* Nothing, "Z", "+02", "+0200", "+02:00" or "+02:00:00". */
static int parse_offset(struct str *rest, int32_t *ret_offset_sec)
{
    int parts[3] = {0, 0, 0};
    *ret_offset_sec = 0;
    if (rest->len == 0 || take_byte(rest, 'Z') || take_byte(rest, 'z'))
        return 0;
    bool is_west = take_byte(rest, '-');
    if (!is_west && !take_byte(rest, '+'))
        return ERR_INVALID;
    for (size_t i = 0; i < 3 && (i == 0 || rest->len > 0); i++) {
        if (i > 0)
            (void)take_byte(rest, ':'); /* may be left out */
        parts[i] = take_digits(rest, 2);
        if (parts[i] < 0 || parts[i] > (i == 0 ? 23 : 59))
            return ERR_INVALID;
    }
    int32_t offset_sec = parts[0] * SECONDS_PER_HOUR + parts[1] * 60 + parts[2];
    *ret_offset_sec = is_west ? -offset_sec : offset_sec;
    return 0;
}

int civil_parse_offset(struct str text, int32_t *ret_offset_sec)
{
    int32_t offset_sec;
    int err = text.len ? parse_offset(&text, &offset_sec) : ERR_INVALID;
    if (err || text.len > 0)
        return ERR_INVALID;
    *ret_offset_sec = offset_sec;
    return 0;
}

int civil_parse(struct str text, int64_t *ret_us, bool *ret_is_date)
{
    struct civil civil = {0};
    int32_t offset_sec = 0;
    int err = parse_date(&text, &civil);
    bool is_date = text.len == 0;
    if (!err && !is_date) {
        if (!take_byte(&text, 'T') && !take_byte(&text, ' ') && !take_byte(&text, 't'))
            return ERR_INVALID;
        err = parse_clock(&text, &civil);
        if (!err)
            err = parse_offset(&text, &offset_sec);
    }
    if (err || text.len > 0)
        return ERR_INVALID;
    civil.second -= offset_sec;
    *ret_us = civil_to_us(&civil, NULL);
    if (ret_is_date)
        *ret_is_date = is_date;
    return 0;
}

static void put_two(char *at, int number)
{
    at[0] = (char)('0' + number / 10);
    at[1] = (char)('0' + number % 10);
}

/* printf would take most of the time that a statement's times cost. */
static void print_time(const struct civil *civil, char separator, struct buf *buf)
{
    char text[] = "0000-00-00 00:00:00";
    bool has_usual_year = civil->year >= 0 && civil->year <= 9999;

    if (has_usual_year) {
        put_two(text, civil->year / 100);
        put_two(text + 2, civil->year % 100);
    } else {
        buf_printf(buf, "%+07d", civil->year);
    }
    put_two(text + 5, civil->month);
    put_two(text + 8, civil->day);
    text[10] = separator;
    put_two(text + 11, civil->hour);
    put_two(text + 14, civil->minute);
    put_two(text + 17, civil->second);
    if (has_usual_year)
        buf_append(buf, text, sizeof text - 1);
    else
        buf_append(buf, text + 4, sizeof text - 1 - 4);
}

void civil_print_iso(int64_t time_us, struct buf *buf)
{
    struct civil civil;
    civil_from_us(time_us, NULL, &civil);
    print_time(&civil, 'T', buf);
    if (civil.us)
        buf_printf(buf, ".%06d", civil.us);
    buf_append_byte(buf, 'Z');
}

void civil_print_sql(int64_t time_us, struct buf *buf)
{
    struct civil civil;
    civil_from_us(time_us, NULL, &civil);
    print_time(&civil, ' ', buf);
}
