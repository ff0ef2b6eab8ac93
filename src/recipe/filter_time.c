/* SPDX-License-Identifier: Apache-2.0
 *
 * Times as a reader wants them: in the scope's zone, with the weekday, without seconds. A date without a time
 * of day is that day everywhere and is never shifted by a zone.
 */
#include "recipe/recipe_priv.h"

#define US_PER_MINUTE (60 * US_PER_SEC)
#define US_PER_HOUR   (60 * US_PER_MINUTE)
#define US_PER_DAY    (24 * US_PER_HOUR)

/* Numbers beyond this are milliseconds since 1970, not seconds (it is the year 5138 in seconds). */
#define MAX_EPOCH_SECONDS INT64_C(100000000000)
/* Years 1 to 9999: what civil time can say and what calendars hold. */
#define MIN_TIME_US (INT64_C(-62135596800) * US_PER_SEC)
#define MAX_TIME_US (INT64_C(253402300799) * US_PER_SEC)

static bool read_number_time(int64_t number, int64_t *ret_us)
{
    bool is_ms = number > MAX_EPOCH_SECONDS || number < -MAX_EPOCH_SECONDS;
    int64_t factor = is_ms ? US_PER_MS : US_PER_SEC;

    if (number > MAX_TIME_US / factor || number < MIN_TIME_US / factor)
        return false;
    *ret_us = number * factor;
    return true;
}

static bool read_time(struct value value, int64_t *ret_us, bool *ret_is_date)
{
    *ret_is_date = false;
    switch (value.type) {
    case VALUE_TIME:
        *ret_us = value.time_us;
        break;
    case VALUE_TEXT:
        if (civil_parse(str_trim(value.text), ret_us, ret_is_date) < 0)
            return false;
        break;
    case VALUE_INT:
        return read_number_time(value.integer, ret_us);
    case VALUE_REAL:
        if (!(value.real > -1e15 && value.real < 1e15))
            return false;
        return read_number_time((int64_t)value.real, ret_us);
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_DECIMAL:
    case VALUE_JSON:
        return false;
    }
    return *ret_us >= MIN_TIME_US && *ret_us <= MAX_TIME_US;
}

static const char *weekday_name(int weekday)
{
    static const char *const names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

    return names[weekday % 7];
}

static const char *month_name(int month)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

    return names[(month + 11) % 12];
}

/* By hand: a context may hold a hundred dates, and printf takes half a microsecond for each. */
static void append_date(const struct civil *civil, struct buf *buf)
{
    buf_append(buf, weekday_name(civil->weekday), 3);
    buf_append_byte(buf, ' ');
    buf_append_int(buf, civil->day);
    buf_append_byte(buf, ' ');
    buf_append_text(buf, month_name(civil->month));
    buf_append_byte(buf, ' ');
    buf_append_int(buf, civil->year);
}

static void append_two_digits(int number, struct buf *buf)
{
    buf_append_byte(buf, (char)('0' + number / 10));
    buf_append_byte(buf, (char)('0' + number % 10));
}

static void append_clock(const struct civil *civil, struct buf *buf)
{
    if (buf->len)
        buf_append_byte(buf, ' ');
    append_two_digits(civil->hour, buf);
    buf_append_byte(buf, ':');
    append_two_digits(civil->minute, buf);
}

#define MAX_TIME_BYTES 64 /* of a date, a time of day and a weekday */

enum time_parts { SHOW_DATE = 1, SHOW_TIME = 2, SHOW_WEEKDAY = 4 };

static struct value print_time(const struct filter_call *call, unsigned parts)
{
    struct civil civil;
    int64_t time_us = 0;
    bool is_date;
    char text[MAX_TIME_BYTES];
    struct buf buf;

    if (!read_time(call->in, &time_us, &is_date))
        return call->in;
    if (is_date && parts == SHOW_TIME)
        return value_null();
    civil_from_us(time_us, is_date ? NULL : call->scope->zone, &civil);
    buf_init_fixed(&buf, text, sizeof text);
    if (parts & SHOW_DATE)
        append_date(&civil, &buf);
    if ((parts & SHOW_TIME) && !is_date)
        append_clock(&civil, &buf);
    if (parts & SHOW_WEEKDAY)
        buf_append_text(&buf, weekday_name(civil.weekday));
    return value_text(arena_copy(call->arena, buf_str(&buf)));
}

struct value filter_date(const struct filter_call *call)
{
    return print_time(call, SHOW_DATE);
}

struct value filter_time(const struct filter_call *call)
{
    return print_time(call, SHOW_TIME);
}

struct value filter_datetime(const struct filter_call *call)
{
    return print_time(call, SHOW_DATE | SHOW_TIME);
}

struct value filter_weekday(const struct filter_call *call)
{
    return print_time(call, SHOW_WEEKDAY);
}

/* Days between two calendar days, whatever their hours. */
static int64_t days_between(struct civil from, struct civil to)
{
    from.hour = from.minute = from.second = from.us = 0;
    to.hour = to.minute = to.second = to.us = 0;
    return (civil_to_us(&to, NULL) - civil_to_us(&from, NULL)) / US_PER_DAY;
}

/* As little as tells it from other times near now: the hour, the weekday before it, or the date. */
struct value filter_short(const struct filter_call *call)
{
    struct civil civil, now;
    int64_t time_us = 0;
    int64_t days;
    bool is_date;
    struct buf buf;

    if (!read_time(call->in, &time_us, &is_date))
        return call->in;
    civil_from_us(time_us, is_date ? NULL : call->scope->zone, &civil);
    civil_from_us(call->scope->now_us, call->scope->zone, &now);
    days = days_between(civil, now);
    buf_init(&buf, 64);
    if (days == 0 && is_date)
        buf_append_text(&buf, "today");
    else if (days != 0 && days > -7 && days < 7)
        buf_printf(&buf, "%.3s", weekday_name(civil.weekday));
    else if (days != 0)
        buf_printf(&buf, "%d %s", civil.day, month_name(civil.month));
    if (civil.year != now.year && (days >= 7 || days <= -7))
        buf_printf(&buf, " %d", civil.year);
    else if (!is_date)
        buf_printf(&buf, "%s%02d:%02d", buf.len ? " " : "", civil.hour, civil.minute);
    return value_text(buf_into_arena(&buf, call->arena));
}

/* The largest unit that fits at least once (days from 24 hours, weeks from 14 days, months from 60, years
 * from 730). */
static void print_span(int64_t span_us, struct buf *buf)
{
    static const struct {
        int64_t from_us, unit_us;
        const char *name;
    } units[] = {
        {730 * US_PER_DAY, 365 * US_PER_DAY, "year"}, {60 * US_PER_DAY, 30 * US_PER_DAY, "month"},
        {14 * US_PER_DAY, 7 * US_PER_DAY, "week"},    {US_PER_DAY, US_PER_DAY, "day"},
        {US_PER_HOUR, US_PER_HOUR, "hour"},           {0, US_PER_MINUTE, "minute"},
    };
    size_t i = 0;
    int64_t n;

    while (span_us < units[i].from_us)
        i++;
    n = span_us / units[i].unit_us;
    buf_printf(buf, "%lld %s%s", (long long)n, units[i].name, n == 1 ? "" : "s");
}

/* Today's date in the zone, as the UTC midnight that a date without a time is read as. */
static int64_t today_us(const struct template_scope *scope)
{
    struct civil civil;

    civil_from_us(scope->now_us, scope->zone, &civil);
    civil.hour = civil.minute = civil.second = civil.us = 0;
    return civil_to_us(&civil, NULL);
}

struct value filter_ago(const struct filter_call *call)
{
    int64_t time_us = 0;
    int64_t age_us;
    bool is_date;
    struct buf buf;

    if (!read_time(call->in, &time_us, &is_date))
        return call->in;
    age_us = (is_date ? today_us(call->scope) : call->scope->now_us) - time_us;
    if (is_date && age_us == 0)
        return value_text(STR_LIT("today"));
    if (is_date && age_us == US_PER_DAY)
        return value_text(STR_LIT("yesterday"));
    if (is_date && age_us == -US_PER_DAY)
        return value_text(STR_LIT("tomorrow"));
    if (age_us > -US_PER_MINUTE && age_us < US_PER_MINUTE)
        return value_text(STR_LIT("just now"));
    buf_init(&buf, 64);
    if (age_us < 0)
        buf_append_text(&buf, "in ");
    print_span(age_us < 0 ? -age_us : age_us, &buf);
    if (age_us > 0)
        buf_append_text(&buf, " ago");
    return value_text(buf_into_arena(&buf, call->arena));
}

/* A number that is no more than a length of time could be. */
static bool read_length(struct value value, double *ret_length)
{
    double real = 0;

    if (value.type == VALUE_INT)
        real = (double)value.integer;
    else if (value.type == VALUE_REAL)
        real = value.real;
    else if ((value.type != VALUE_TEXT && value.type != VALUE_DECIMAL) || str_to_real(value.text, &real) < 0)
        return false;
    *ret_length = real;
    return real > -9e12 && real < 9e12;
}

/* Two units at most: what is longer needs no seconds. */
static void print_length(int64_t ms, struct buf *buf)
{
    int64_t seconds = ms / 1000;

    if (ms < 1000)
        buf_printf(buf, "%lld ms", (long long)ms);
    else if (seconds < 60 && ms % 1000 >= 100)
        buf_printf(buf, "%lld.%lld s", (long long)seconds, (long long)(ms % 1000 / 100));
    else if (seconds < 60)
        buf_printf(buf, "%lld s", (long long)seconds);
    else if (seconds < 3600)
        buf_printf(buf, "%lld min %lld s", (long long)(seconds / 60), (long long)(seconds % 60));
    else if (seconds < 48 * 3600)
        buf_printf(buf, "%lld h %lld min", (long long)(seconds / 3600), (long long)(seconds % 3600 / 60));
    else
        buf_printf(buf, "%lld d %lld h", (long long)(seconds / 86400), (long long)(seconds % 86400 / 3600));
}

struct value filter_duration(const struct filter_call *call)
{
    bool is_ms = str_is(call->text, "ms");
    double length;
    struct buf buf;

    if (!read_length(call->in, &length))
        return call->in;
    buf_init(&buf, 64);
    if (length < 0)
        buf_append_byte(&buf, '-');
    print_length((int64_t)((length < 0 ? -length : length) * (is_ms ? 1 : 1000) + 0.5), &buf);
    return value_text(buf_into_arena(&buf, call->arena));
}
