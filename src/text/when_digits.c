/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates of the calendar that are digits and signs: 2023-07-15, 7/15/2023, 2023年7月15日.
 */
#include "text/when_priv.h"

static bool is_date(int year, int month, int day)
{
    struct pattern pattern = {.month = month, .day = day};
    struct span ignored;
    return month >= 1 && month <= 12 && day >= 1 && span_of_pattern(&pattern, year, &ignored);
}

/* 2023-07-15, 2023/7/15, 2023.07.15, 2023-07 */
bool calendar_iso(const struct reading *reading, size_t i, struct point *point)
{
    if (reading_kind(reading, i) != W_NUMBER || !calendar_is_year(token_at(reading, i)) ||
        reading_kind(reading, i + 1) != W_NUMBER)
        return false;
    const struct token *month = token_at(reading, i + 1);
    enum gap gap = month->gap;
    if ((gap != GAP_DASH && gap != GAP_SLASH && gap != GAP_DOT) || month->n_digits > 2 || month->value < 1 ||
        month->value > 12)
        return false;
    point->pattern = (struct pattern){.year = token_at(reading, i)->value, .month = month->value};
    if (reading_kind(reading, i + 2) == W_NUMBER && token_at(reading, i + 2)->gap == gap) {
        int day = token_at(reading, i + 2)->value;
        if (!is_date(point->pattern.year, month->value, day))
            return false;
        point->pattern.day = day;
        return calendar_finish(point, i + 3, reading);
    }
    return gap == GAP_DASH && month->n_digits == 2 && calendar_finish(point, i + 2, reading);
}

static void set_other(struct point *point, int year, int month, int day)
{
    struct pattern pattern = {.year = year, .month = month, .day = day};
    point->has_other = span_of_pattern(&pattern, year, &point->other);
}

static bool is_dot_behind(const struct reading *reading, const struct token *token)
{
    size_t end = (size_t)token->at + token->len;
    return end < reading->text.len && reading->text.ptr[end] == '.';
}

/* 7/15/2023 and 15.7.2023: dots put the day first, else either order is taken that gives a date. */
bool calendar_digits(const struct reading *reading, size_t i, struct point *point)
{
    for (size_t k = 0; k < 3; k++)
        if (reading_kind(reading, i + k) != W_NUMBER)
            return false;
    const struct token *a = token_at(reading, i), *b = a + 1, *c = a + 2;
    bool is_dotted = is_dot_behind(reading, a) && is_dot_behind(reading, b); /* 15. 7. 2023 */
    if (b->gap != c->gap || (b->gap != GAP_DASH && b->gap != GAP_SLASH && !is_dotted) || a->n_digits > 2 ||
        b->n_digits > 2 || (c->n_digits != 2 && !calendar_is_year(c)))
        return false;
    int year = c->n_digits == 2 ? calendar_century(c->value) : c->value;
    bool is_month_first = !is_dotted && is_date(year, a->value, b->value);
    bool is_day_first = is_date(year, b->value, a->value);
    if (c->n_digits == 2 && is_dotted)
        return false; /* a version number */
    if (is_month_first)
        point->pattern = (struct pattern){.year = year, .month = a->value, .day = b->value};
    else if (is_day_first)
        point->pattern = (struct pattern){.year = year, .month = b->value, .day = a->value};
    else
        return false;
    if (is_month_first && is_day_first && a->value != b->value)
        set_other(point, year, b->value, a->value);
    return calendar_finish(point, i + 3, reading);
}

/* "on 7/15": only where a date is announced, for 24/7 and 1/2 are none. */
bool calendar_digits_short(const struct reading *reading, size_t i, struct point *point)
{
    if (reading_kind(reading, i) != W_NUMBER || reading_kind(reading, i + 1) != W_NUMBER ||
        reading_kind(reading, i + 2) == W_NUMBER || !reading_announces(reading, i) || reading->is_unspaced)
        return false;
    const struct token *a = token_at(reading, i), *b = a + 1;
    if ((b->gap != GAP_SLASH && b->gap != GAP_DOT) || a->n_digits > 2 || b->n_digits > 2)
        return false;
    if (b->gap == GAP_SLASH && is_date(2000, a->value, b->value))
        point->pattern = (struct pattern){.month = a->value, .day = b->value};
    else if (b->gap == GAP_SLASH && is_date(2000, b->value, a->value))
        point->pattern = (struct pattern){.month = b->value, .day = a->value};
    else
        return false;
    return calendar_finish(point, i + 2, reading);
}

/* 5月初, 8月の第一週; the token behind it. */
static size_t read_sign_part(const struct reading *reading, size_t end, struct point *point)
{
    size_t next = reading_skip(reading, end, W_OF, W_OF);
    int nth;
    enum span_unit unit;
    if (reading_kind(reading, next) == W_PART) {
        point->pattern.part = (enum span_part)token_at(reading, next)->value;
        return next + 1;
    }
    if (reading_kind(reading, next) != W_ORDINAL)
        return end;
    nth = token_at(reading, next)->value;
    next++;
    if (!nth) /* 第1 */
        next = reading_count(reading, next, &nth);
    next = next ? reading_unit(reading, next, &unit) : 0;
    if (!next || nth > 5)
        return end;
    point->pattern.nth = nth;
    point->pattern.nth_of = unit;
    return next;
}

/* 2023年5月15日, 5月15日, 2023년, 5月; also 去年5月 */
bool calendar_signs(const struct reading *reading, size_t i, struct point *point)
{
    size_t end = i;
    if (!reading->is_unspaced)
        return false;
    if (reading_kind(reading, end) == W_YEAR) {
        int year, ignored;
        span_date_of(reading->today, &year, &ignored, &ignored);
        point->pattern.year = year + token_at(reading, end)->value;
        point->year = WHEN_YEAR_RELATIVE;
        end = reading_skip(reading, end + 1, W_OF, W_OF);
    } else if (reading_kind(reading, end) == W_NUMBER && calendar_is_year(token_at(reading, end)) &&
               reading_kind(reading, end + 1) == W_YEAR_SIGN) {
        point->pattern.year = token_at(reading, end)->value;
        end = reading_skip(reading, end + 2, W_OF, W_OF);
    }
    int month;
    size_t next = reading_count(reading, end, &month);
    if (next && reading_kind(reading, next) == W_MONTH_SIGN && month >= 1 && month <= 12) {
        int day;
        point->pattern.month = month;
        end = next + 1;
        next = reading_count(reading, end, &day);
        if (next && reading_kind(reading, next) == W_DAY_SIGN && is_date(2000, month, day)) {
            point->pattern.day = day;
            end = next + 1;
        }
    } else if (reading_kind(reading, end) == W_SEASON) {
        point->pattern.season = 1 + token_at(reading, end)->value;
        end++;
    }
    return end > i && calendar_finish(point, read_sign_part(reading, end, point), reading);
}
