/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates that a question names, by rules: "on 15 July 2023", "last week", "between March and June 2022", "two
 * weeks ago", in English, German, French, Spanish, Polish, Chinese, Japanese and Korean. docs/dates.md lists
 * what is understood. Pure: the same text, instant and zone give the same ranges; nothing is allocated.
 */
#ifndef PRECIS_TEXT_WHEN_H
#define PRECIS_TEXT_WHEN_H

#include "core/civil.h"
#include "core/str.h"

/* How exact the words are: the length of time they name. */
enum when_unit {
    WHEN_DAY,
    WHEN_WEEK, /* also a weekend, and a third of a month */
    WHEN_MONTH,
    WHEN_SEASON, /* also a quarter, half a year and a third of one */
    WHEN_YEAR,
    WHEN_DECADE,
};

enum when_year {
    WHEN_YEAR_GIVEN,    /* the text says which: "May 2023" */
    WHEN_YEAR_RELATIVE, /* it counts from now: "last week", "on Tuesday" */
    WHEN_YEAR_ANY,      /* it says none: "in May". The range is the last such May that has begun */
};

struct when_range {
    int64_t from_us, until_us; /* [from, until); INT64_MIN or INT64_MAX: "before X", "since X" */
    enum when_unit unit;
    enum when_year year;
    bool is_ambiguous; /* 7/8/2023: the range beside it at the same place is the other reading */
    uint32_t at, len;  /* where it stands in the text, in bytes, "between" or "since" included */
};

/* More dates than this in one question do not make it clearer. */
#define WHEN_MAX 8

/* Fills ranges (room for max) in the order of the text and returns their number; 0: no date there. Only the
 * first 256 words are read. now_us: what "yesterday" counts from, kept inside the years 1 to 9999; zone:
 * whose midnights (NULL: UTC). */
size_t when_find(struct str question, int64_t now_us, const struct zone *zone, struct when_range *ranges,
                 size_t max);

/* How far time_us lies outside the range, in microseconds; 0 inside. A range of any year is taken in the year
 * nearest to time_us, unless it is open on a side. */
int64_t when_distance_us(const struct when_range *range, const struct zone *zone, int64_t time_us);

#endif
