/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates of the calendar, with or without a year: a rule reads one form at a token, and the longest that fits
 * is the date. The forms are much the same in every language; words carry the difference.
 */
#include "text/when_priv.h"

#define MAX_COUNT 999

static bool is_glued(const struct reading *reading, size_t i)
{
    return i < reading->n && reading->tokens[i].gap == GAP_NONE;
}

/* ---- parts ---- */

/* A number that may be a day, with its ending; the token behind it, or 0. */
static size_t read_day(const struct reading *reading, size_t i, int *ret_day)
{
    const struct token *token = token_at(reading, i);
    enum when_kind kind = reading_kind(reading, i);
    if (kind == W_ORDINAL && token->value > 0) {
        *ret_day = token->value;
        return i + 1;
    }
    if (kind != W_NUMBER || token->n_digits > 2 || token->value < 1 || token->value > 31 ||
        token->has_apostrophe)
        return 0;
    *ret_day = token->value;
    i++;
    return is_glued(reading, i) && reading_kind(reading, i) == W_SUFFIX ? i + 1 : i;
}

bool calendar_is_year(const struct token *token)
{
    return token->kind == W_NUMBER && token->n_digits == 4 && token->value >= 1500 && token->value < 2200;
}

int calendar_century(int two_digits)
{
    return two_digits + (two_digits < 70 ? 2000 : 1900);
}

/* "last year" at i; the token behind it, or 0. */
static size_t read_relative_year(const struct reading *reading, size_t i, int *ret_year)
{
    int move, ignored;
    enum span_unit unit;
    size_t end = reading_relation(reading, i, &move);
    if (end) {
        end = reading_unit(reading, end, &unit);
    } else {
        end = reading_unit(reading, i, &unit);
        bool is_behind = end && end < reading->n && token_at(reading, end)->flags & W_POST;
        end = is_behind ? reading_relation(reading, end, &move) : 0;
    }
    if (!end || unit != U_YEAR)
        return 0;
    span_date_of(reading->today, ret_year, &ignored, &ignored);
    *ret_year += move;
    return end;
}

/* A year at i, perhaps behind "of" and the like; the token behind it, or i when there is none. */
static size_t read_year(const struct reading *reading, size_t i, int *ret_year)
{
    size_t at = reading_skip(reading, i, W_OF, W_THE);
    if (reading_kind(reading, at) == W_IN && at + 1 < reading->n &&
        calendar_is_year(token_at(reading, at + 1)))
        at++; /* "im Mai im Jahr 2023", "in July in 2023" */
    if (reading_kind(reading, at) == W_UNIT && token_at(reading, at)->value == U_YEAR)
        at++;
    if (reading_kind(reading, at) != W_NUMBER)
        return i;
    const struct token *token = token_at(reading, at);
    if (calendar_is_year(token) && !(is_glued(reading, at + 1) && !reading->is_unspaced))
        *ret_year = token->value;
    else if (token->n_digits == 2 && token->has_apostrophe)
        *ret_year = calendar_century(token->value);
    else
        return i;
    at++;
    if (reading_kind(reading, at) == W_YEAR_SIGN)
        return at + 1;
    bool has_unit = reading_kind(reading, at) == W_UNIT && token_at(reading, at)->value == U_YEAR;
    return has_unit ? at + 1 : at; /* "w maju 2023 roku" */
}

size_t reading_count(const struct reading *reading, size_t i, int *ret_count)
{
    const struct token *token = token_at(reading, i);
    enum when_kind kind = reading_kind(reading, i);
    if (kind == W_NUMBER && token->value <= MAX_COUNT) {
        *ret_count = token->value;
        return i + 1;
    }
    if (kind != W_COUNT)
        return 0;
    *ret_count = token->value;
    i++;
    if (reading_kind(reading, i) == W_COUNT && token_at(reading, i - 1)->flags & W_WEAK) { /* a couple */
        *ret_count = token_at(reading, i)->value;
        i++;
    }
    return reading_skip(reading, i, W_OF, W_OF);
}

size_t reading_unit(const struct reading *reading, size_t i, enum span_unit *ret_unit)
{
    switch (reading_kind(reading, i)) {
    case W_UNIT:
        *ret_unit = (enum span_unit)token_at(reading, i)->value;
        return i + 1;
    case W_YEAR_SIGN:
        *ret_unit = U_YEAR;
        return i + 1;
    case W_MONTH_SIGN:
        *ret_unit = U_MONTH;
        return i + 1;
    case W_DAY_SIGN:
        *ret_unit = U_DAY;
        return i + 1;
    default:
        return 0;
    }
}

bool reading_announces(const struct reading *reading, size_t i)
{
    if (i == 0 || reading->tokens[i].gap == GAP_HARD)
        return false;
    switch (token_at(reading, i - 1)->kind) {
    case W_THE:
        return i >= 2 && reading_announces(reading, i - 1);
    case W_IN:
    case W_OF:
    case W_BEFORE:
    case W_AFTER:
    case W_SINCE:
    case W_UNTIL:
    case W_BETWEEN:
    case W_AND:
    case W_TO:
    case W_FROM:
    case W_PART:
    case W_MONTH:
        return true;
    default:
        return reading->is_unspaced;
    }
}

bool calendar_finish(struct point *point, size_t end, const struct reading *reading)
{
    point->end = end;
    point->has_pattern = true;
    return point_settle(reading, point);
}

bool point_settle(const struct reading *reading, struct point *point)
{
    struct pattern *pattern = &point->pattern;
    point->unit = span_exactness(pattern);
    if (pattern->year) {
        if (point->year != WHEN_YEAR_RELATIVE)
            point->year = WHEN_YEAR_GIVEN;
        return span_of_pattern(pattern, pattern->year, &point->span);
    }
    int year, ignored;
    span_date_of(reading->today, &year, &ignored, &ignored);
    point->year = WHEN_YEAR_ANY;
    for (int back = 0; back < 9; back++) /* 29 February may be 8 years away */
        if (span_of_pattern(pattern, year - back, &point->span) && point->span.from <= reading->today)
            return true;
    return false;
}

/* ---- months, seasons, quarters, years ---- */

/* The end of a date without a year so far. */
static bool takes_year(const struct reading *reading, size_t end, struct point *point)
{
    if (!point->pattern.year) {
        size_t next = reading_skip(reading, end, W_OF, W_THE);
        next = read_relative_year(reading, next, &point->pattern.year);
        if (next) {
            point->year = WHEN_YEAR_RELATIVE;
            return calendar_finish(point, next, reading);
        }
    }
    return calendar_finish(point, read_year(reading, end, &point->pattern.year), reading);
}

/* "15 July 2023", "15th of July", "15.-20. Juli", "Tuesday, 15 July" */
static bool rule_day_month(const struct reading *reading, size_t i, struct point *point)
{
    int day, last;
    size_t end = i;
    if (reading_kind(reading, end) == W_WEEKDAY)
        end = reading_skip(reading, end + 1, W_THE, W_IN);
    end = read_day(reading, end, &day);
    if (!end)
        return false;
    point->pattern.day = day;
    bool is_joined = reading_kind(reading, end) == W_TO || reading_kind(reading, end) == W_AND;
    enum gap gap = end < reading->n ? reading->tokens[end].gap : GAP_HARD;
    if (is_joined || gap == GAP_DASH || gap == GAP_RANGE) {
        size_t next = read_day(reading, end + is_joined, &last);
        if (!next || last <= day)
            return false;
        point->pattern.last_day = last;
        end = next;
    }
    end = reading_skip(reading, end, W_OF, W_THE);
    if (reading_kind(reading, end) != W_MONTH)
        return false;
    point->pattern.month = token_at(reading, end)->value;
    return takes_year(reading, end + 1, point);
}

/* "July 15, 2023", "July 15-20", "Tue, Jan. 3rd" */
static bool rule_month_day(const struct reading *reading, size_t i, struct point *point)
{
    int day, last;
    size_t end = i;
    if (reading_kind(reading, end) == W_WEEKDAY)
        end = reading_skip(reading, end + 1, W_THE, W_IN);
    if (reading_kind(reading, end) != W_MONTH)
        return false;
    point->pattern.month = token_at(reading, end)->value;
    end = read_day(reading, reading_skip(reading, end + 1, W_THE, W_THE), &day);
    if (!end)
        return false;
    point->pattern.day = day;
    bool is_joined = reading_kind(reading, end) == W_TO || reading_kind(reading, end) == W_AND;
    enum gap gap = end < reading->n ? reading->tokens[end].gap : GAP_HARD;
    if (is_joined || gap == GAP_DASH || gap == GAP_RANGE) {
        size_t next = read_day(reading, end + is_joined, &last);
        bool has_month = next && reading_kind(reading, next) == W_MONTH; /* May 5 to 7 June */
        if (next && !has_month && last > day) {
            point->pattern.last_day = last;
            end = next;
        }
    }
    return takes_year(reading, end, point);
}

static bool rule_month(const struct reading *reading, size_t i, struct point *point)
{
    if (reading_kind(reading, i) != W_MONTH)
        return false;
    point->pattern.month = token_at(reading, i)->value;
    if (!takes_year(reading, i + 1, point))
        return false;
    enum gap behind = point->end < reading->n ? token_at(reading, point->end)->gap : GAP_HARD;
    bool begins_range =
        (behind == GAP_DASH || behind == GAP_RANGE) && reading_kind(reading, point->end) == W_MONTH;
    return point->pattern.year || !(token_at(reading, i)->flags & W_WEAK) || reading_announces(reading, i) ||
           begins_range;
}

static bool rule_season(const struct reading *reading, size_t i, struct point *point)
{
    if (reading_kind(reading, i) != W_SEASON)
        return false;
    point->pattern.season = 1 + token_at(reading, i)->value;
    if (!takes_year(reading, i + 1, point))
        return false;
    return point->pattern.year || !(token_at(reading, i)->flags & W_WEAK) || reading_announces(reading, i);
}

static bool rule_feast(const struct reading *reading, size_t i, struct point *point)
{
    if (reading_kind(reading, i) != W_FEAST)
        return false;
    int value = token_at(reading, i)->value;
    size_t end = i + 1;
    point->pattern.month = value / 100;
    point->pattern.day = value % 100;
    if (reading_kind(reading, end) == W_UNIT && token_at(reading, end)->value == U_DAY)
        end++;
    return takes_year(reading, end, point);
}

/* "third", "3rd", "3.", 第3, 三; the token behind it, or 0. */
static size_t read_nth(const struct reading *reading, size_t i, int *ret_nth)
{
    enum when_kind kind = reading_kind(reading, i);
    if (kind == W_NUMBER)
        return read_day(reading, i, ret_nth);
    if (kind == W_ORDINAL && token_at(reading, i)->value == 0)
        return read_day(reading, i + 1, ret_nth);
    if (kind != W_ORDINAL && (kind != W_COUNT || !reading->is_unspaced))
        return 0;
    *ret_nth = token_at(reading, i)->value;
    return i + 1;
}

/* "Q3 2024", "2024 Q3", "third quarter of 2024", "H1", "first half of May" is the part's */
static bool rule_quarter(const struct reading *reading, size_t i, struct point *point)
{
    size_t end = i;
    bool is_quarter;
    int number;
    if (reading_kind(reading, end) == W_NUMBER && calendar_is_year(token_at(reading, end))) {
        point->pattern.year = token_at(reading, end)->value;
        end++;
        end += reading_kind(reading, end) == W_YEAR_SIGN;
    }
    enum when_kind kind = reading_kind(reading, end);
    if (kind == W_QUARTER || kind == W_HALF) {
        if (!is_glued(reading, end + 1) || reading_kind(reading, end + 1) != W_NUMBER)
            return false;
        is_quarter = kind == W_QUARTER;
        number = token_at(reading, end + 1)->value;
        end += 2;
    } else {
        enum span_unit unit;
        end = read_nth(reading, end, &number);
        end = end ? reading_unit(reading, end, &unit) : 0;
        if (!end || (unit != U_QUARTER && unit != U_HALF))
            return false;
        is_quarter = unit == U_QUARTER;
    }
    if (number < 1 || number > (is_quarter ? 4 : 2))
        return false;
    *(is_quarter ? &point->pattern.quarter : &point->pattern.half) = number;
    return takes_year(reading, end, point);
}

static bool is_year_at(const struct reading *reading, size_t i)
{
    return i < reading->n && calendar_is_year(token_at(reading, i));
}

/* Not a part of a number, a version or a name. */
static bool stands_free(const struct reading *reading, size_t i)
{
    enum gap before = i ? token_at(reading, i)->gap : GAP_HARD;
    enum gap behind = i + 1 < reading->n ? token_at(reading, i + 1)->gap : GAP_HARD;
    bool is_joined = before == GAP_DASH &&
                     (token_at(reading, i - 1)->kind == W_PART || is_year_at(reading, i - 1)); /* mid-2022 */
    return (before == GAP_SPACE || before == GAP_HARD || before == GAP_SOFT || before == GAP_RANGE ||
            is_joined) &&
           behind != GAP_NONE && behind != GAP_DOT && behind != GAP_SLASH;
}

/* Four digits mean a year behind a word that announces one, beside another year, or at the end. */
static bool is_year_by_place(const struct reading *reading, size_t i)
{
    enum gap behind = i + 1 < reading->n ? token_at(reading, i + 1)->gap : GAP_HARD;
    if (i + 1 == reading->n || ((behind == GAP_DASH || behind == GAP_RANGE) && is_year_at(reading, i + 1)))
        return true;
    if (i == 0)
        return false;
    const struct token *before = token_at(reading, i - 1);
    switch (before->kind) {
    case W_NUMBER:
        return is_year_at(reading, i - 1);
    case W_AND:
    case W_TO:
        return i >= 2 && is_year_at(reading, i - 2);
    case W_THE:
        return token_at(reading, i)->value > 2000;
    case W_UNIT:
        return before->value == U_YEAR;
    default:
        return !(before->flags & W_WEAK) && reading_announces(reading, i);
    }
}

/* "in 2022", "2022"; "the 1990s", "the 90s" */
static bool rule_year(const struct reading *reading, size_t i, struct point *point)
{
    if (reading_kind(reading, i) != W_NUMBER)
        return false;
    const struct token *token = token_at(reading, i);
    bool has_s = is_glued(reading, i + 1) && reading->text.ptr[reading->tokens[i + 1].at] == 's' &&
                 reading->tokens[i + 1].len == 1;
    if (has_s && token->value % 10 == 0 &&
        (calendar_is_year(token) ||
         (token->n_digits == 2 && i > 0 && token_at(reading, i - 1)->kind == W_THE))) {
        point->pattern.year = token->n_digits == 2 ? calendar_century(token->value) : token->value;
        point->pattern.is_decade = true;
        return calendar_finish(point, i + 2, reading);
    }
    if (!calendar_is_year(token) || !stands_free(reading, i) || !is_year_by_place(reading, i))
        return false;
    return calendar_finish(point, read_year(reading, i, &point->pattern.year), reading);
}

typedef bool (*calendar_rule_fn)(const struct reading *reading, size_t i, struct point *point);

static const calendar_rule_fn rules[] = {
    calendar_iso,   calendar_digits, calendar_digits_short, calendar_signs, rule_day_month,
    rule_month_day, rule_month,      rule_season,           rule_feast,     rule_quarter,
    rule_year,
};

bool calendar_read(const struct reading *reading, size_t i, struct point *ret_point)
{
    bool has_point = false;
    for (size_t k = 0; k < sizeof(rules) / sizeof(rules[0]); k++) {
        struct point point = {0};
        if (rules[k](reading, i, &point) && (!has_point || point.end > ret_point->end)) {
            *ret_point = point;
            has_point = true;
        }
    }
    return has_point;
}
