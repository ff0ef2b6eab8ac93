/* SPDX-License-Identifier: Apache-2.0
 *
 * POSIX TZ rules, which say how a zone goes on after the last change its file lists:
 * "CET-1CEST,M3.5.0,M10.5.0/3". Grammar: POSIX.1-2017 section 8.3, with the wider hours of RFC 9636 (-167 to
 * 167).
 */
#include "core/civil_priv.h"

#define MAX_OFFSET_HOURS   24
#define MAX_CHANGE_HOURS   167
#define DEFAULT_CHANGE_SEC (2 * 3600)

static char first_byte(struct str s)
{
    return s.len ? s.ptr[0] : '\0';
}

static void drop_byte(struct str *rest)
{
    *rest = str_slice(*rest, 1, rest->len);
}

static bool take_byte(struct str *rest, char byte)
{
    if (first_byte(*rest) != byte)
        return false;
    drop_byte(rest);
    return true;
}

/* One to three digits, at most `max`; -1 otherwise. */
static int take_number(struct str *rest, int max)
{
    int value = 0, n = 0;
    for (; n < 3 && first_byte(*rest) >= '0' && first_byte(*rest) <= '9'; n++) {
        value = value * 10 + (first_byte(*rest) - '0');
        drop_byte(rest);
    }
    return n > 0 && value <= max ? value : -1;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, or anything printable between < and >; three at least. */
static int take_name(struct str *rest, struct local_type *type)
{
    bool is_quoted = take_byte(rest, '<');
    size_t len = 0;
    while (len < rest->len && (is_quoted ? rest->ptr[len] != '>' : is_letter(rest->ptr[len]))) {
        if (rest->ptr[len] <= ' ' || rest->ptr[len] > '~')
            return ERR_CORRUPT;
        len++;
    }
    if (len < 3 || (is_quoted && len == rest->len))
        return ERR_CORRUPT;
    size_t kept = len < sizeof(type->name) - 1 ? len : sizeof(type->name) - 1;
    memcpy(type->name, rest->ptr, kept);
    type->name[kept] = '\0';
    *rest = str_slice(*rest, len + is_quoted, rest->len);
    return 0;
}

/* [sign] hours [: minutes [: seconds]] */
static int take_time(struct str *rest, int max_hours, int32_t *ret_sec)
{
    bool is_negative = take_byte(rest, '-');
    if (!is_negative)
        (void)take_byte(rest, '+');
    int hours = take_number(rest, max_hours), minutes = 0, seconds = 0;
    if (hours >= 0 && take_byte(rest, ':'))
        minutes = take_number(rest, 59);
    if (hours >= 0 && minutes >= 0 && take_byte(rest, ':'))
        seconds = take_number(rest, 59);
    if (hours < 0 || minutes < 0 || seconds < 0)
        return ERR_CORRUPT;
    int32_t sec = hours * 3600 + minutes * 60 + seconds;
    *ret_sec = is_negative ? -sec : sec;
    return 0;
}

static int take_offset(struct str *rest, struct local_type *type)
{
    int32_t west_sec;
    int err = take_time(rest, MAX_OFFSET_HOURS, &west_sec);
    if (!err)
        type->offset_sec = -west_sec; /* POSIX counts westward */
    return err;
}

static int take_weekday_change(struct str *rest, struct zone_change *change)
{
    change->kind = CHANGE_WEEKDAY;
    change->month = take_number(rest, 12);
    if (change->month < 1 || !take_byte(rest, '.'))
        return ERR_CORRUPT;
    change->week = take_number(rest, 5);
    if (change->week < 1 || !take_byte(rest, '.'))
        return ERR_CORRUPT;
    change->day = take_number(rest, 6);
    return change->day < 0 ? ERR_CORRUPT : 0;
}

static int take_change(struct str *rest, struct zone_change *change)
{
    int err = 0;
    if (!take_byte(rest, ','))
        return ERR_CORRUPT;
    if (take_byte(rest, 'M')) {
        err = take_weekday_change(rest, change);
    } else {
        bool is_without_leap = take_byte(rest, 'J');
        change->kind = is_without_leap ? CHANGE_DAY_NO_LEAP : CHANGE_DAY;
        change->day = take_number(rest, 365);
        if (change->day < is_without_leap) /* J counts from 1 */
            err = ERR_CORRUPT;
    }
    change->time_sec = DEFAULT_CHANGE_SEC;
    if (!err && take_byte(rest, '/'))
        err = take_time(rest, MAX_CHANGE_HOURS, &change->time_sec);
    return err;
}

static int take_summer(struct str *rest, struct zone_rule *rule)
{
    int err = take_name(rest, &rule->summer);
    if (err)
        return err;
    rule->has_summer = true;
    rule->summer.offset_sec = rule->standard.offset_sec + 3600;
    if (first_byte(*rest) != ',') {
        err = take_offset(rest, &rule->summer);
        if (err)
            return err;
    }
    err = take_change(rest, &rule->to_summer);
    return err ? err : take_change(rest, &rule->to_standard);
}

int zone_rule_parse(struct str text, struct zone_rule *ret_rule)
{
    struct zone_rule rule = {0};
    int err = take_name(&text, &rule.standard);
    if (!err)
        err = take_offset(&text, &rule.standard);
    if (!err && text.len > 0)
        err = take_summer(&text, &rule);
    if (err || text.len > 0)
        return ERR_CORRUPT;
    *ret_rule = rule;
    return 0;
}

/* The local second of a year's change, on the clock that is in force before it. */
static int64_t change_sec(const struct zone_change *change, int64_t year)
{
    int64_t days;
    if (change->kind == CHANGE_WEEKDAY) {
        int64_t first = civil_days(year, change->month, 1);
        int64_t next =
            change->month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, change->month + 1, 1);
        days = first + (change->day - civil_weekday(first) + 7) % 7 + 7 * (change->week - 1);
        if (days >= next) /* week 5 is the last, which may be the fourth */
            days -= 7;
    } else {
        days = civil_days(year, 1, 1) + change->day;
        if (change->kind == CHANGE_DAY_NO_LEAP && !(civil_is_leap_year(year) && change->day >= 60))
            days -= 1; /* J60 is March 1 in every year */
    }
    return days * SECONDS_PER_DAY + change->time_sec;
}

const struct local_type *zone_rule_at(const struct zone_rule *rule, int64_t utc_sec)
{
    if (!rule->has_summer)
        return &rule->standard;
    int64_t local_sec = utc_sec + rule->standard.offset_sec;
    int64_t days = local_sec / SECONDS_PER_DAY - (local_sec % SECONDS_PER_DAY < 0);
    int64_t year = civil_year_of(days);
    int64_t summer_sec = change_sec(&rule->to_summer, year) - rule->standard.offset_sec;
    int64_t standard_sec = change_sec(&rule->to_standard, year) - rule->summer.offset_sec;
    bool is_summer = summer_sec < standard_sec ? utc_sec >= summer_sec && utc_sec < standard_sec
                                               : utc_sec >= summer_sec || utc_sec < standard_sec;
    return is_summer ? &rule->summer : &rule->standard;
}
