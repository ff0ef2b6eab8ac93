/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates that count from today, and dates that count from another date ("the week before 9 June").
 */
#include "text/when_priv.h"

static bool finish(struct point *point, size_t end, struct span span)
{
    point->end = end;
    point->span = span;
    point->unit = span_exactness_of_days(span.until - span.from);
    point->year = WHEN_YEAR_RELATIVE;
    return true;
}

/* "yesterday", "yesterday evening", "avant-hier" */
static bool rule_day(const struct reading *reading, size_t i, struct point *point)
{
    enum span_unit unit;
    int move = 0;
    if (reading_kind(reading, i) == W_BEFORE && reading_kind(reading, i + 1) == W_DAY &&
        token_at(reading, i + 1)->gap == GAP_DASH) {
        move = -1;
        i++;
    }
    if (reading_kind(reading, i) != W_DAY)
        return false;
    size_t end = reading_unit(reading, i + 1, &unit);
    if (!end || unit != U_DAY)
        end = i + 1;
    return finish(point, end, span_of_unit(reading->today, U_DAY, token_at(reading, i)->value + move));
}

/* The weekday of the week n weeks from this one. */
static struct span weekday_of_week(const struct reading *reading, int weekday, int64_t n)
{
    int64_t day = span_of_unit(reading->today, U_WEEK, n).from + (weekday + 6) % 7;
    return (struct span){day, day + 1};
}

/* The last one before today, the one of this week, the first behind today. */
static struct span weekday_from_today(const struct reading *reading, int weekday, int move)
{
    int64_t today = reading->today;
    int since = (span_weekday(today) - weekday + 7) % 7;
    if (move == 0)
        return weekday_of_week(reading, weekday, 0);
    int64_t day = move < 0 ? today - (since ? since : 7) : today + 7 - since;
    return (struct span){day, day + 1};
}

/* The last that is over, the one of this year, the first that begins behind today. */
static bool pattern_from_today(const struct reading *reading, const struct pattern *pattern, int move,
                               struct span *ret_span)
{
    int year, month, ignored;
    span_date_of(reading->today, &year, &month, &ignored);
    if (move == 0) /* in January "this winter" began last year */
        return span_of_pattern(pattern, year - (pattern->season == 1 && month < 7), ret_span);
    for (int k = 1; k >= -9; k--)
        if (span_of_pattern(pattern, move < 0 ? year + k : year - k - 1, ret_span) &&
            (move < 0 ? ret_span->until <= reading->today : ret_span->from > reading->today))
            return true;
    return false;
}

/* The thing that is last, this or next, at i; the token behind it, or 0. */
static size_t read_related(const struct reading *reading, size_t i, int move, bool is_glued,
                           struct span *ret_span)
{
    struct pattern pattern = {0};
    enum span_unit unit;
    size_t end = reading_unit(reading, i, &unit);
    if (end) {
        *ret_span = span_of_unit(reading->today, unit, move);
        size_t weekday = reading_skip(reading, end, W_OF, W_OF); /* 先週の火曜日 */
        if (unit == U_WEEK && reading->is_unspaced && reading_kind(reading, weekday) == W_WEEKDAY) {
            *ret_span = weekday_of_week(reading, token_at(reading, weekday)->value, move);
            end = weekday + 1;
        }
        return end;
    }
    int value = i < reading->n ? token_at(reading, i)->value : 0;
    switch (reading_kind(reading, i)) {
    case W_WEEKDAY:
        *ret_span = is_glued ? weekday_of_week(reading, value, move) /* 上周二 */
                             : weekday_from_today(reading, value, move);
        return i + 1;
    case W_MONTH:
        pattern.month = value;
        break;
    case W_SEASON:
        pattern.season = 1 + value;
        break;
    case W_FEAST:
        pattern.month = value / 100;
        pattern.day = value % 100;
        break;
    default:
        return 0;
    }
    return pattern_from_today(reading, &pattern, move, ret_span) ? i + 1 : 0;
}

/* "last week", "this summer", "la semaine dernière", "last Tuesday" */
static bool rule_related(const struct reading *reading, size_t i, struct point *point)
{
    int move;
    struct span span;
    size_t end = reading_relation(reading, i, &move);
    if (end) {
        bool is_glued = end < reading->n && token_at(reading, end)->gap == GAP_NONE;
        end = read_related(reading, reading_skip(reading, end, W_OF, W_OF), move, is_glued, &span);
        return end && finish(point, end, span);
    }
    if (i + 1 >= reading->n || !(token_at(reading, i + 1)->flags & W_POST))
        return false;
    end = reading_relation(reading, i + 1, &move);
    return end && read_related(reading, i, move, false, &span) && finish(point, end, span);
}

/* "Tuesday of last week", "mardi de la semaine dernière" */
static bool rule_weekday_of(const struct reading *reading, size_t i, struct point *point)
{
    struct point week = {0};
    if (reading_kind(reading, i) != W_WEEKDAY)
        return false;
    size_t next = reading_skip(reading, i + 1, W_OF, W_THE);
    if (!rule_related(reading, next, &week) || week.span.until - week.span.from != 7)
        return false;
    int64_t day = week.span.from + (token_at(reading, i)->value + 6) % 7;
    return finish(point, week.end, (struct span){day, day + 1});
}

/* "on Tuesday", "since Monday", "over the weekend": the last one, today included */
static bool rule_announced(const struct reading *reading, size_t i, struct point *point)
{
    size_t before = i < reading->n && token_at(reading, i)->gap != GAP_HARD ? i : 0;
    while (before > 0 && token_at(reading, before - 1)->kind == W_THE)
        before--;
    enum when_kind opening = before ? token_at(reading, before - 1)->kind : W_NONE;
    if (opening != W_IN && opening != W_BEFORE && opening != W_AFTER && opening != W_SINCE &&
        opening != W_UNTIL && opening != W_FROM && opening != W_TO && opening != W_BETWEEN)
        return false;
    if (reading_kind(reading, i) == W_WEEKDAY) {
        int since = (span_weekday(reading->today) - token_at(reading, i)->value + 7) % 7;
        return finish(point, i + 1, span_of_unit(reading->today, U_DAY, -since));
    }
    if (reading_kind(reading, i) != W_UNIT || token_at(reading, i)->value != U_WEEKEND)
        return false;
    bool has_begun = (span_weekday(reading->today) + 6) % 7 >= 5;
    return finish(point, i + 1, span_of_unit(reading->today, U_WEEKEND, has_begun ? 0 : -1));
}

/* "past three months", "les trois derniers mois": up to today */
static bool rule_run(const struct reading *reading, size_t i, struct point *point)
{
    int move, n = 1;
    enum span_unit unit;
    int64_t today = reading->today;
    size_t end = reading_relation(reading, i, &move), counted;
    if (end) {
        counted = reading_count(reading, end, &n);
        if (!counted && !(token_at(reading, i)->flags & W_RUN))
            return false;
        end = counted ? counted : end;
    } else {
        counted = reading_count(reading, i, &n);
        end = counted ? reading_relation(reading, counted, &move) : 0;
    }
    end = end ? reading_unit(reading, end, &unit) : 0;
    if (!end || move == 0)
        return false;
    if (move < 0)
        return finish(point, end, (struct span){span_add(today, unit, -n), today + 1});
    return finish(point, end, (struct span){today, span_add(today, unit, n) + 1});
}

/* "two weeks ago", "vor zwei Wochen", "il y a un mois": the day, week, month or year it was then */
static bool rule_ago(const struct reading *reading, size_t i, struct point *point)
{
    int n = 1;
    enum span_unit unit;
    enum when_kind kind = reading_kind(reading, i);
    bool is_before = kind == W_AGO_PRE || (kind == W_BEFORE && token_at(reading, i)->flags & W_POST);
    size_t start = is_before ? reading_skip(reading, i + 1, W_TO, W_TO) : i;
    size_t end = reading_count(reading, start, &n);
    end = reading_unit(reading, end ? end : start, &unit);
    if (!end || (!is_before && reading_kind(reading, end) != W_AGO))
        return false;
    struct span span = span_of_unit(span_add(reading->today, unit, -n), unit, 0);
    return finish(point, is_before ? end : end + 1, span);
}

/* ---- from another date ---- */

/* "mid-July", "end of last month", "beginning of the year" */
static bool rule_part(const struct reading *reading, size_t i, struct point *point)
{
    if (reading_kind(reading, i) != W_PART)
        return false;
    enum span_part part = (enum span_part)token_at(reading, i)->value;
    size_t next = i + 1, before;
    enum span_unit unit;
    do {
        before = next;
        next = reading_skip(reading, next, W_OF, W_THE);
        next = reading_skip(reading, next, W_IN, W_FROM);
    } while (next > before);
    if (calendar_read(reading, next, point) && !point->pattern.part && !point->pattern.day &&
        !point->pattern.nth) {
        point->pattern.part = part;
        return point_settle(reading, point);
    }
    *point = (struct point){0};
    if (rule_related(reading, next, point)) {
        int64_t n_days = point->span.until - point->span.from;
        unit = n_days > 300 ? U_YEAR : n_days > 27 && n_days < 32 ? U_MONTH : U_WEEK;
        return finish(point, point->end, span_cut_part(point->span, unit, part));
    }
    size_t end = reading_unit(reading, next, &unit);
    if (!end || unit == U_DAY || token_at(reading, next - 1)->kind != W_THE)
        return false;
    return finish(point, end, span_cut_part(span_of_unit(reading->today, unit, 0), unit, part));
}

/* "first week of August 2023", "last Friday in May" */
static bool rule_nth(const struct reading *reading, size_t i, struct point *point)
{
    enum span_unit unit;
    const struct token *token = i < reading->n ? token_at(reading, i) : NULL;
    enum when_kind kind = reading_kind(reading, i);
    size_t next = i + 1;
    int nth = kind == W_LAST ? -1 : kind == W_ORDINAL || kind == W_NUMBER ? token->value : 0;
    if (!nth || nth > 31)
        return false;
    if (reading_kind(reading, next) == W_SUFFIX)
        next++;
    int nth_of = reading_kind(reading, next) == W_WEEKDAY ? 100 + token_at(reading, next)->value : -1;
    size_t end = nth_of >= 0 ? next + 1 : reading_unit(reading, next, &unit);
    if (!end)
        return false;
    if (nth_of < 0)
        nth_of = (int)unit;
    next = reading_skip(reading, reading_skip(reading, end, W_OF, W_THE), W_IN, W_THE);
    if (!calendar_read(reading, next, point) || point->pattern.day || point->pattern.part ||
        point->pattern.nth)
        return false;
    point->pattern.nth = nth;
    point->pattern.nth_of = nth_of;
    return point_settle(reading, point);
}

static bool read_base(const struct reading *reading, size_t i, struct point *ret_point)
{
    *ret_point = (struct point){0};
    return calendar_read(reading, i, ret_point) || rule_related(reading, i, ret_point) ||
           rule_day(reading, i, ret_point);
}

/* Moves a date that another one was counted from to what was counted. */
static bool finish_counted(struct point *point, const struct point *base, struct span span)
{
    *point = *base;
    point->has_pattern = point->has_other = false;
    point->span = span;
    point->unit = span_exactness_of_days(span.until - span.from);
    return true;
}

/* "the week of May 5", "le week-end du 15 juillet" */
static bool rule_unit_of(const struct reading *reading, size_t i, struct point *point)
{
    struct point base;
    enum span_unit unit;
    size_t end = reading_kind(reading, i) == W_UNIT ? reading_unit(reading, i, &unit) : 0;
    size_t next = end ? reading_skip(reading, end, W_OF, W_THE) : 0;
    next = next ? reading_skip(reading, next, W_FROM, W_IN) : 0;
    if (!end || next == end || unit < U_WEEK || unit > U_MONTH || !read_base(reading, next, &base) ||
        base.unit != WHEN_DAY)
        return false;
    struct span span = span_of_unit(base.span.from, unit, 0);
    if (base.year == WHEN_YEAR_ANY && unit != U_MONTH) { /* its weekday is not known */
        int64_t reach = unit == U_WEEK ? 6 : 1;
        span = (struct span){base.span.from - reach, base.span.from + reach + 1};
    }
    return finish_counted(point, &base, span);
}

/* "the week before 9 June 2023", "two days after Christmas", "last weekend before April 10" */
static bool rule_counted(const struct reading *reading, size_t i, struct point *point)
{
    struct point base;
    enum span_unit unit;
    int n = 1, move;
    size_t next = reading_relation(reading, i, &move);
    size_t end = reading_count(reading, i, &n);
    end = reading_unit(reading, next ? next : end ? end : i, &unit);
    enum when_kind kind = end ? reading_kind(reading, end) : W_NONE;
    if (kind != W_BEFORE && kind != W_AFTER)
        return false;
    next = reading_skip(reading, end + 1, W_TO, W_OF);
    next = reading_skip(reading, next, W_IN, W_THE);
    if (!read_base(reading, next, &base))
        return false;
    int64_t day = kind == W_BEFORE ? base.span.from : base.span.until - 1;
    if (unit == U_DAY || n == 1)
        return finish_counted(point, &base, span_of_unit(day, unit, kind == W_BEFORE ? -n : n));
    day = span_add(day, unit, kind == W_BEFORE ? -n : n);
    return finish_counted(point, &base, span_of_unit(day, unit, 0));
}

typedef bool (*relative_rule_fn)(const struct reading *reading, size_t i, struct point *point);

/* Of equally long ones the first is taken. */
static const relative_rule_fn rules[] = {
    calendar_read, rule_day,  rule_run, rule_related, rule_weekday_of, rule_announced,
    rule_ago,      rule_part, rule_nth, rule_unit_of, rule_counted,
};

bool point_read(const struct reading *reading, size_t i, struct point *ret_point)
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
