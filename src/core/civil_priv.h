/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the calendar (civil.c), zone files (zone.c) and the rules at their end (zone_rule.c). Seconds and
 * days count from 1970-01-01 UTC.
 */
#ifndef PRECIS_CORE_CIVIL_PRIV_H
#define PRECIS_CORE_CIVIL_PRIV_H

#include "core/civil.h"

#define SECONDS_PER_DAY 86400

/* Days of a date in the Gregorian calendar, extended both ways. month 1..12; day may lie
 * outside its month. */
int64_t civil_days(int64_t year, int month, int day);
/* 0 Sunday .. 6 Saturday. */
int civil_weekday(int64_t days);
bool civil_is_leap_year(int64_t year);
/* The year in which a day lies. */
int64_t civil_year_of(int64_t days);

/* "Z", "+02", "+0200", "+02:00", "+02:00:00"; ERR_INVALID otherwise. */
int civil_parse_offset(struct str text, int32_t *ret_offset_sec);

/* What a clock on the wall is set to. */
struct local_type {
    int32_t offset_sec; /* east of UTC */
    char name[8];       /* "CET"; longer ones are cut */
};

/* One of the two yearly changes of a POSIX TZ rule. */
struct zone_change {
    enum { CHANGE_WEEKDAY, CHANGE_DAY_NO_LEAP, CHANGE_DAY } kind; /* Mm.w.d, Jn, n */
    int month, week, day;
    int32_t time_sec; /* after local midnight; may be negative or beyond a day */
};

struct zone_rule {
    struct local_type standard, summer;
    bool has_summer;
    struct zone_change to_summer, to_standard;
};

/* Reads "CET-1CEST,M3.5.0,M10.5.0/3"; ERR_CORRUPT when it is none. */
int zone_rule_parse(struct str text, struct zone_rule *ret_rule);
const struct local_type *zone_rule_at(const struct zone_rule *rule, int64_t utc_sec);

/* The content of a zone file (TZif version 2 or later); ERR_CORRUPT when it is none. */
int zone_from_bytes(struct str bytes, struct zone **ret_zone);
/* zone NULL is UTC; what is returned lives as long as the zone. */
const struct local_type *zone_at(const struct zone *zone, int64_t utc_sec);

#endif
