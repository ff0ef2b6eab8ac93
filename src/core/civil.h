/* SPDX-License-Identifier: Apache-2.0
 *
 * Civil time: ISO 8601 in and out, and IANA time zones read from the system's zone files without
 * touching the process-wide TZ. Instants are microseconds since 1970 UTC.
 */
#ifndef PRECIS_CORE_CIVIL_H
#define PRECIS_CORE_CIVIL_H

#include "core/buf.h"
#include "core/err.h"

struct civil {
    int year, month, day; /* month 1..12, day 1..31 */
    int hour, minute, second, us;
    int weekday;    /* 0 Sunday .. 6 Saturday */
    int offset_sec; /* east of UTC */
    char zone[8];   /* abbreviation, "CET" */
};

/* A zone; immutable after loading, shared freely between threads. */
struct zone;

/* Loads an IANA name ("Europe/Warsaw"), "UTC", or a fixed offset "+02:00". ERR_NOT_FOUND when the
 * system knows no such zone, ERR_INVALID for a name that is none ("../x"). */
int zone_new(struct str name, struct zone **ret_zone, struct err_info *reterr);
struct zone *zone_free(struct zone *zone);
/* NULL stands for UTC in all that follow. */
void civil_from_us(int64_t time_us, const struct zone *zone, struct civil *ret_civil);
/* The instant of a local time; in a gap the later side, in an overlap the earlier. Fields out of range
 * carry over (day 32); what lies beyond 64 bits gives the nearest instant that does not. */
int64_t civil_to_us(const struct civil *civil, const struct zone *zone);

/* "2026-11-21", "2026-11-21 05:37", "2026-11-21T05:37:01.25Z", "...+01:00", also SQLite's and PostgreSQL's
 * forms ("2026-11-21 05:37:01+00"). No zone given means UTC; what is finer than a microsecond is cut off.
 * *ret_is_date (may be NULL): no time of day stood there. ERR_INVALID otherwise. */
int civil_parse(struct str text, int64_t *ret_us, bool *ret_is_date);
/* "2026-11-21T05:37:01Z", with ".250000" only when there are microseconds. Years beyond 0..9999 in ISO's
 * expanded form: "+012026-...". civil_parse reads it back. */
void civil_print_iso(int64_t time_us, struct buf *buf);
/* "2026-11-21 05:37:01", UTC: how SQLite's datetime() writes it, so that comparisons as text hold. */
void civil_print_sql(int64_t time_us, struct buf *buf);

#endif
