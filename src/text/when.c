/* SPDX-License-Identifier: Apache-2.0
 *
 * A question is read in every language that has a word for a date in it; the reading that explains most of
 * the text is taken, the earlier language on a tie. The language itself need not be known.
 */
#include "text/when.h"

#include "core/clock.h"
#include "core/utf8.h"
#include "text/text_priv.h"
#include "text/when_priv.h"

/* A question is shorter; what lies behind is not read. */
#define MAX_QUESTION_BYTES 8192
/* The years 1 to 9999: what is counted from there stays far inside 64 bits. */
#define MIN_NOW_US      (INT64_C(-62135510400) * US_PER_SEC)
#define MAX_NOW_US      (INT64_C(253402214400) * US_PER_SEC)
#define MAX_SHIFT_YEARS 1

struct best {
    struct found found[WHEN_MAX];
    size_t n, n_bytes;
};

static void try_reading(struct reading *reading, struct best *best)
{
    struct best mine;
    mine.n = rules_run(reading, mine.found, WHEN_MAX, &mine.n_bytes);
    if (mine.n && mine.n_bytes > best->n_bytes)
        *best = mine;
}

static bool has_unspaced(struct str text)
{
    size_t pos = 0;
    while (pos < text.len) {
        uint32_t codepoint = utf8_next(text, &pos);
        if (codepoint >= 0x80 && char_class_of(codepoint) == CHAR_UNSPACED)
            return true;
    }
    return false;
}

static int64_t local_day(int64_t time_us, const struct zone *zone)
{
    struct civil civil;
    civil_from_us(time_us < MIN_NOW_US   ? MIN_NOW_US
                  : time_us > MAX_NOW_US ? MAX_NOW_US
                                         : time_us,
                  zone, &civil);
    return span_days_of(civil.year, civil.month, civil.day);
}

static int64_t midnight_us(int64_t day, const struct zone *zone)
{
    struct civil civil = {0};
    span_date_of(day, &civil.year, &civil.month, &civil.day);
    return civil_to_us(&civil, zone);
}

static struct when_range range_of(const struct found *found, const struct zone *zone)
{
    return (struct when_range){
        .from_us = found->is_open_before ? INT64_MIN : midnight_us(found->span.from, zone),
        .until_us = found->is_open_after ? INT64_MAX : midnight_us(found->span.until, zone),
        .unit = found->unit,
        .year = found->year,
        .is_ambiguous = found->is_ambiguous,
        .at = found->at,
        .len = found->len,
    };
}

size_t when_find(struct str question, int64_t now_us, const struct zone *zone, struct when_range *ranges,
                 size_t max)
{
    struct reading reading;
    struct best best = {.n = 0};
    int64_t today = local_day(now_us, zone);
    question = utf8_prefix(question, MAX_QUESTION_BYTES);
    reading_fill(&reading, question, NULL, today);
    for (size_t i = 0; i < WHEN_N_SPACED; i++) {
        reading_translate(&reading, &when_spaced[i]);
        try_reading(&reading, &best);
    }
    size_t n_unspaced = has_unspaced(question) ? WHEN_N_UNSPACED : 0;
    for (size_t i = 0; i < n_unspaced; i++) {
        reading_fill(&reading, question, &when_unspaced[i], today);
        try_reading(&reading, &best);
    }
    size_t n = best.n < max ? best.n : max;
    for (size_t i = 0; i < n; i++)
        ranges[i] = range_of(&best.found[i], zone);
    return n;
}

/* ---- how far ---- */

static int64_t distance(int64_t from_us, int64_t until_us, int64_t time_us)
{
    if (time_us < from_us)
        return (int64_t)((uint64_t)from_us - (uint64_t)time_us > INT64_MAX ? INT64_MAX : from_us - time_us);
    if (time_us >= until_us)
        return (uint64_t)time_us - (uint64_t)until_us >= INT64_MAX ? INT64_MAX : time_us - until_us + 1;
    return 0;
}

static int64_t move_years(int64_t time_us, const struct zone *zone, int n_years)
{
    struct civil civil;
    civil_from_us(time_us, zone, &civil);
    civil.year += n_years;
    return civil_to_us(&civil, zone);
}

int64_t when_distance_us(const struct when_range *range, const struct zone *zone, int64_t time_us)
{
    bool is_open = range->from_us == INT64_MIN || range->until_us == INT64_MAX;
    int64_t nearest = distance(range->from_us, range->until_us, time_us);
    if (range->year != WHEN_YEAR_ANY || is_open || nearest == 0)
        return nearest;
    struct civil at, from;
    civil_from_us(time_us, zone, &at);
    civil_from_us(range->from_us, zone, &from);
    for (int k = -MAX_SHIFT_YEARS; k <= MAX_SHIFT_YEARS; k++) {
        int n_years = at.year - from.year + k;
        int64_t here = distance(move_years(range->from_us, zone, n_years),
                                move_years(range->until_us, zone, n_years), time_us);
        nearest = here < nearest ? here : nearest;
    }
    return nearest;
}
