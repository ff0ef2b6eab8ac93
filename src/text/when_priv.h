/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of when: words and their meanings (when_words.c, when_words_cjk.c), spans of days
 * (when_span.c), tokens (when_reading.c) and the rules: single dates (when_calendar.c, when_digits.c,
 * when_relative.c), then ranges of them (when_rules.c).
 */
#ifndef PRECIS_TEXT_WHEN_PRIV_H
#define PRECIS_TEXT_WHEN_PRIV_H

#include "text/when.h"

/* ---- words ---- */

enum when_kind {
    W_NONE,    /* means nothing to us */
    W_MONTH,   /* value 1..12 */
    W_WEEKDAY, /* value 0 Sunday .. 6 */
    W_UNIT,    /* value: enum span_unit */
    W_SEASON,  /* value 0 winter .. 3 autumn */
    W_FEAST,   /* value: month * 100 + day */
    W_COUNT,   /* "two", "a", "couple" */
    W_ORDINAL, /* "first"; value -1: last */
    W_NUMBER,  /* in digits */
    W_SUFFIX,  /* th, er: makes an ordinal of the number before it */
    W_QUARTER, /* the Q of Q3 */
    W_HALF,    /* the H of H1 */
    W_LAST,
    W_THIS,
    W_NEXT,
    W_AGO,     /* behind a count and a unit */
    W_AGO_PRE, /* before them: "il y a", "hace" */
    W_DAY,     /* counted from today: yesterday -1 */
    W_YEAR,    /* counted from this year: 去年 -1 */
    W_PART,    /* enum span_part */
    W_BEFORE,  /* also "vor", which with a count means ago */
    W_AFTER,
    W_SINCE,
    W_UNTIL,
    W_BETWEEN,
    W_AND,
    W_TO,
    W_FROM,
    W_IN, /* a date may follow: in, on, during */
    W_OF, /* holds the parts of a date together: of, the, de */
    W_THE,
    W_YEAR_SIGN, /* 年, and the rest of 2023年5月15日 */
    W_MONTH_SIGN,
    W_DAY_SIGN,
};

/* A word that mostly means something else (may, fall) counts only with a preposition or a year. */
#define W_WEAK 1
/* May stand behind what it belongs to: "la semaine dernière". */
#define W_POST 2
/* Up to today even without a count: "the past year". */
#define W_RUN 4

struct when_word {
    const char *text; /* folded, without diacritics unless the script is not Latin */
    unsigned char kind, flags;
    short value;
};

/* Words in byte order. */
struct when_language {
    const struct when_word *words;
    size_t n;
};

#define WHEN_N_SPACED   5
#define WHEN_N_UNSPACED 3
extern const struct when_language when_spaced[WHEN_N_SPACED], when_unspaced[WHEN_N_UNSPACED];

const struct when_word *when_find_word(const struct when_language *language, struct str word);

/* ---- spans of days ---- */

enum span_unit { U_DAY, U_WEEK, U_WEEKEND, U_MONTH, U_QUARTER, U_HALF, U_YEAR, U_DECADE };
enum span_part { PART_NONE, PART_EARLY, PART_MID, PART_LATE };

/* Local days since 1970, [from, until). */
struct span {
    int64_t from, until;
};

/* A date of the calendar, with or without its year. What is 0 is not said; the first of month, season,
 * quarter, half that is said decides, else the year. */
struct pattern {
    int year; /* 0: not said */
    bool is_decade;
    int month, day, last_day;
    int season; /* 1 + W_SEASON's value */
    int quarter, half;
    int nth;    /* 1.. or -1: "first week of"; 0: all of it */
    int nth_of; /* enum span_unit, or 100 + weekday */
    enum span_part part;
};

int64_t span_days_of(int64_t year, int month, int day);
void span_date_of(int64_t days, int *ret_year, int *ret_month, int *ret_day);
int span_weekday(int64_t days);
/* The unit that holds the day, moved by n units. */
struct span span_of_unit(int64_t day, enum span_unit unit, int64_t n);
/* The day n units later. */
int64_t span_add(int64_t day, enum span_unit unit, int64_t n);
/* The pattern in a year; false when that year has no such day (30 February, a fifth Friday). */
bool span_of_pattern(const struct pattern *pattern, int year, struct span *ret_span);
struct span span_cut_part(struct span span, enum span_unit unit, enum span_part part);
/* How exact a pattern, or a run of days, is. */
enum when_unit span_exactness(const struct pattern *pattern);
enum when_unit span_exactness_of_days(int64_t n_days);

/* ---- rules ---- */

/* Most questions have a dozen. */
#define MAX_TOKENS 256

/* What stands between a token and the one before it. */
enum gap { GAP_NONE, GAP_SPACE, GAP_DASH, GAP_SLASH, GAP_DOT, GAP_SOFT, GAP_RANGE, GAP_HARD };

struct token {
    uint32_t at, len;
    enum gap gap;
    bool has_apostrophe; /* before it: '23 */
    unsigned char n_digits;
    unsigned char kind, flags;
    int value;
};

/* A text as one language reads it. */
struct reading {
    struct str text;
    bool is_unspaced;
    int64_t today; /* local day */
    struct token tokens[MAX_TOKENS];
    size_t n;
    size_t start; /* where the date at hand begins: it does not reach across a full stop */
};

/* A date that was found. */
struct point {
    size_t end; /* the token behind it */
    struct span span;
    struct span other; /* the second reading of 7/8/2023 */
    bool has_other;
    bool has_pattern; /* a calendar date: it can take a year from its neighbour */
    struct pattern pattern;
    enum when_unit unit;
    enum when_year year;
};

/* The tokens of a text. language: an unspaced one, whose words are found with them; NULL: numbers alone have
 * a meaning until the reading is translated. */
void reading_fill(struct reading *reading, struct str text, const struct when_language *language,
                  int64_t today);
/* Gives every word its meaning in a language that parts them by spaces. */
void reading_translate(struct reading *reading, const struct when_language *language);
/* W_NONE beyond the end, and for a token that a full stop parts from the start. */
enum when_kind reading_kind(const struct reading *reading, size_t i);
/* Past words of the kinds a and b. */
size_t reading_skip(const struct reading *reading, size_t i, enum when_kind a, enum when_kind b);

/* What follows returns the token behind what was read, or 0. "three", "3", "a couple of": */
size_t reading_count(const struct reading *reading, size_t i, int *ret_count);
/* A unit; the signs of a date are units too (3年前, 先月). */
size_t reading_unit(const struct reading *reading, size_t i, enum span_unit *ret_unit);
/* "last" -1, "this" 0, "next" 1. */
size_t reading_relation(const struct reading *reading, size_t i, int *ret_move);
/* Does what stands before token i say that a date comes? */
bool reading_announces(const struct reading *reading, size_t i);

static inline const struct token *token_at(const struct reading *reading, size_t i)
{
    return &reading->tokens[i];
}

/* Between when_calendar.c and when_digits.c: a number of four digits that can be a year; a year of two
 * digits; the end of a rule that read a pattern; and the rules. */
bool calendar_is_year(const struct token *token);
int calendar_century(int two_digits);
bool calendar_finish(struct point *point, size_t end, const struct reading *reading);
bool calendar_iso(const struct reading *reading, size_t i, struct point *point);
bool calendar_digits(const struct reading *reading, size_t i, struct point *point);
bool calendar_digits_short(const struct reading *reading, size_t i, struct point *point);
bool calendar_signs(const struct reading *reading, size_t i, struct point *point);

/* The longest date of the calendar at token i. */
bool calendar_read(const struct reading *reading, size_t i, struct point *ret_point);
/* The longest date of any kind. */
bool point_read(const struct reading *reading, size_t i, struct point *ret_point);
/* Gives a pattern its span, in the assumed year when it has none; false when there is no such day. */
bool point_settle(const struct reading *reading, struct point *point);

/* Finds every date of a reading; the number of ranges, and in *ret_n_bytes how much of the text they cover.
 */
struct found {
    struct span span;
    bool is_open_before, is_open_after;
    enum when_unit unit;
    enum when_year year;
    bool is_ambiguous;
    uint32_t at, len;
};
size_t rules_run(struct reading *reading, struct found *found, size_t max, size_t *ret_n_bytes);

#endif
