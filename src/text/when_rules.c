/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranges over dates: between and from ... to, before, after, since, until.
 */
#include "text/when_priv.h"

/* A range that was read, and the token behind it. */
struct item {
    size_t start, end;
    struct point point; /* when it is one alone */
    struct found found;
};

static size_t skip_articles(const struct reading *reading, size_t i)
{
    size_t before;
    do {
        before = i;
        i = reading_skip(reading, i, W_THE, W_OF);
        i = reading_skip(reading, i, W_IN, W_FROM);
    } while (i > before);
    return i;
}

static struct found found_of(const struct point *point)
{
    return (struct found){.span = point->span, .unit = point->unit, .year = point->year};
}

/* Two dates that belong together share what only one of them says: "July 15 to 20", "March to June 2022". */
static bool share(const struct reading *reading, struct point *first, struct point *last)
{
    bool does_last_say = last->has_pattern && last->pattern.year,
         does_first_say = first->has_pattern && first->pattern.year;
    if (does_last_say && first->has_pattern && !first->pattern.year) {
        first->pattern.year = last->pattern.year;
        first->year = last->year;
        if (!point_settle(reading, first))
            return false;
        if (first->span.from < last->span.until)
            return true;
        first->pattern.year--; /* from November to March 2023 */
        return point_settle(reading, first);
    }
    if (last->has_pattern && !last->pattern.year && first->has_pattern) {
        int year, ignored;
        span_date_of(first->span.from, &year, &ignored, &ignored);
        struct pattern *pattern = &last->pattern;
        bool has_span = span_of_pattern(pattern, year, &last->span);
        if (has_span && last->span.until <= first->span.from)
            has_span = span_of_pattern(pattern, year + 1, &last->span);
        if (does_first_say)
            last->year = first->year;
        return has_span;
    }
    return true;
}

/* The second date of a range, at i; a bare day takes the month of the first: "May 5 to the 9th". */
static bool read_last(const struct reading *reading, size_t i, const struct point *first,
                      struct point *ret_last)
{
    i = skip_articles(reading, i);
    if (point_read(reading, i, ret_last))
        return true;
    if (reading_kind(reading, i) != W_NUMBER || !first->has_pattern || !first->pattern.day ||
        token_at(reading, i)->n_digits > 2)
        return false;
    *ret_last = (struct point){.end = i + 1, .has_pattern = true, .pattern = first->pattern};
    ret_last->pattern.day = token_at(reading, i)->value;
    size_t suffix = i + 1;
    if (reading_kind(reading, suffix) == W_SUFFIX)
        ret_last->end++;
    return ret_last->pattern.day > 0 && point_settle(reading, ret_last);
}

/* Both dates of "between X and Y", "from X to Y", "X to Y". here: the date at i, if there is one. */
static bool read_pair(const struct reading *reading, size_t i, const struct point *here, struct item *item)
{
    struct point first, last;
    enum when_kind opening = reading_kind(reading, i);
    bool is_opened = opening == W_BETWEEN || opening == W_FROM || opening == W_SINCE;
    if (here)
        first = *here;
    if (is_opened ? !point_read(reading, skip_articles(reading, i + 1), &first) : !here)
        return false;
    size_t next = first.end;
    enum when_kind joint = reading_kind(reading, next);
    enum gap gap = next < reading->n ? token_at(reading, next)->gap : GAP_HARD;
    bool has_joint = joint == W_TO || ((joint == W_AND || joint == W_UNTIL) && is_opened);
    bool has_dash = gap == GAP_RANGE || (gap == GAP_DASH && joint != W_NONE);
    if (!has_joint && !has_dash)
        return false;
    if (!read_last(reading, next + has_joint, &first, &last) || !share(reading, &first, &last) ||
        first.span.from >= last.span.until)
        return false;
    item->end = last.end;
    item->found = found_of(&first);
    item->found.span.until = last.span.until;
    item->found.unit = span_exactness_of_days(last.span.until - first.span.from);
    if (last.year != WHEN_YEAR_ANY)
        item->found.year = last.year;
    return true;
}

static void open_by(enum when_kind kind, struct found *found)
{
    struct span span = found->span;
    found->is_open_before = kind == W_BEFORE || kind == W_UNTIL;
    found->is_open_after = kind == W_AFTER || kind == W_SINCE;
    if (kind == W_BEFORE)
        found->span.until = span.from;
    else if (kind == W_AFTER)
        found->span.from = span.until;
}

static bool is_bound(enum when_kind kind)
{
    return kind == W_BEFORE || kind == W_AFTER || kind == W_SINCE || kind == W_UNTIL;
}

/* "before May 2023", "since last week" */
static bool read_bound(const struct reading *reading, size_t i, struct item *item)
{
    struct point point;
    enum when_kind kind = reading_kind(reading, i);
    bool is_compound = reading_kind(reading, i + 1) == W_DAY && token_at(reading, i + 1)->gap == GAP_DASH;
    if (!is_bound(kind) || is_compound || reading->is_unspaced) /* avant-hier */
        return false;
    size_t next = reading_skip(reading, i + 1, W_TO, W_OF); /* prior to, jusqu'à, antes de */
    if (!point_read(reading, skip_articles(reading, next), &point))
        return false;
    item->end = point.end;
    item->found = found_of(&point);
    open_by(kind, &item->found);
    return true;
}

static void take_one(const struct reading *reading, const struct point *here, struct item *item)
{
    item->point = *here;
    item->end = item->point.end;
    item->found = found_of(&item->point);
    if (!reading->is_unspaced)
        return;
    enum when_kind kind = reading_kind(reading, item->end);
    if (kind == W_AGO) /* 5月前: 前 without a count */
        kind = W_BEFORE;
    if (kind == W_TO) /* 5月から */
        kind = W_SINCE;
    if (is_bound(kind)) {
        open_by(kind, &item->found);
        item->end++;
    }
}

/* One date of the calendar and no bound. */
static bool is_plain(const struct item *item)
{
    return item->point.has_pattern && !item->found.is_open_before && !item->found.is_open_after;
}

/* "in May and June 2023": the year is May's too. */
static void lend_year(const struct reading *reading, struct item *before, const struct item *item)
{
    struct point point = before->point;
    enum when_kind joint = reading_kind(reading, before->end);
    bool is_next = item->start == before->end || (joint == W_AND && item->start == before->end + 1);
    if (!is_next || !is_plain(before) || point.year != WHEN_YEAR_ANY || !item->point.has_pattern ||
        !item->point.pattern.year)
        return;
    point.pattern.year = item->point.pattern.year;
    if (!point_settle(reading, &point))
        return;
    before->found.span = point.span;
    before->found.year = point.year;
}

static bool read_item(const struct reading *reading, size_t i, struct item *ret_item)
{
    *ret_item = (struct item){.start = i};
    struct point point;
    const struct point *here = point_read(reading, i, &point) ? &point : NULL;
    if (!read_pair(reading, i, here, ret_item) && !read_bound(reading, i, ret_item)) {
        if (!here)
            return false;
        take_one(reading, here, ret_item);
    }
    const struct token *first = token_at(reading, i), *last = token_at(reading, ret_item->end - 1);
    ret_item->found.at = first->at;
    ret_item->found.len = last->at + last->len - first->at;
    ret_item->found.is_ambiguous = ret_item->point.has_other && is_plain(ret_item);
    return true;
}

/* "In 2023, what did she do in March?": March is that year's, and the year alone says no more. */
static size_t apply_only_year(const struct reading *reading, struct item *items, size_t n)
{
    size_t n_years = 0, year_at = 0, n_moved = 0;
    for (size_t i = 0; i < n; i++) {
        const struct pattern *pattern = &items[i].point.pattern;
        if (is_plain(&items[i]) && pattern->year && items[i].point.unit == WHEN_YEAR) {
            n_years++;
            year_at = i;
        }
    }
    for (size_t i = 0; i < n && n_years == 1; i++) {
        struct point point = items[i].point;
        if (!is_plain(&items[i]) || point.year != WHEN_YEAR_ANY)
            continue;
        point.pattern.year = items[year_at].point.pattern.year;
        if (point_settle(reading, &point)) {
            items[i].found.span = point.span;
            items[i].found.year = items[year_at].point.year;
            n_moved++;
        }
    }
    if (!n_moved)
        return n;
    memmove(items + year_at, items + year_at + 1, (n - year_at - 1) * sizeof(*items));
    return n - 1;
}

/* Can a date begin with such a word? Most words are none of ours and are passed by. */
static bool may_begin(enum when_kind kind)
{
    switch (kind) {
    case W_NONE:
    case W_SUFFIX:
    case W_AGO:
    case W_AND:
    case W_TO:
    case W_IN:
    case W_OF:
    case W_THE:
    case W_YEAR_SIGN:
    case W_MONTH_SIGN:
    case W_DAY_SIGN:
        return false;
    default:
        return true;
    }
}

size_t rules_run(struct reading *reading, struct found *found, size_t max, size_t *ret_n_bytes)
{
    struct item items[WHEN_MAX];
    size_t n_items = 0, n = 0, i = 0;
    *ret_n_bytes = 0;
    while (i < reading->n && n_items < WHEN_MAX) {
        struct item *item = &items[n_items];
        reading->start = i;
        if (!may_begin(token_at(reading, i)->kind) || !read_item(reading, i, item)) {
            i++;
            continue;
        }
        if (n_items > 0)
            lend_year(reading, item - 1, item);
        *ret_n_bytes += item->found.len;
        i = item->end;
        n_items++;
    }
    n_items = apply_only_year(reading, items, n_items);
    for (i = 0; i < n_items && n < max; i++) {
        found[n++] = items[i].found;
        if (!items[i].found.is_ambiguous || n == max)
            continue;
        found[n] = items[i].found;
        found[n++].span = items[i].point.other;
    }
    return n;
}
