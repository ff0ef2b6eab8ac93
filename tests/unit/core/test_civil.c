/* SPDX-License-Identifier: Apache-2.0
 *
 * The calendar and ISO 8601, at the edges of both.
 */
#include "core/civil_priv.h"

#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int64_t parse(const char *text)
{
    int64_t time_us = -1;
    if (civil_parse(str_of(text), &time_us, NULL))
        fail_msg("'%s' is refused", text);
    return time_us;
}

static void every_form_of_an_instant_is_the_same(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "2025-11-21T05:37:01Z",     "2025-11-21 05:37:01",      "2025-11-21t05:37:01z",
        "2025-11-21 05:37:01+00",   "2025-11-21 06:37:01+01",   "2025-11-21T06:37:01+01:00",
        "2025-11-21T00:07:01-0530", "2025-11-21T05:37:01.000Z", "2025-11-21T05:37:01,0",
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        assert_true(parse(forms[i]) == 1763703421 * US_PER_SEC);
    assert_true(parse("1970-01-01") == 0);
    assert_true(parse("2016-12-31T23:59:60Z") == parse("2017-01-01"));
    assert_true(parse("2025-11-21T05:37") == parse("2025-11-21T05:37:00Z"));
}

static void fraction_is_cut_to_microseconds(void **state)
{
    (void)state;
    assert_true(parse("1970-01-01T00:00:00.5Z") == 500000);
    assert_true(parse("1970-01-01T00:00:00.1234567899Z") == 123456);
    assert_true(parse("1969-12-31T23:59:59.75Z") == -250000);
}

static void date_alone_is_told(void **state)
{
    (void)state;
    int64_t time_us;
    bool is_date = false;
    assert_int_equal(civil_parse(STR_LIT("2024-02-29"), &time_us, &is_date), 0);
    assert_true(is_date);
    assert_int_equal(civil_parse(STR_LIT("2024-02-29 00:00"), &time_us, &is_date), 0);
    assert_false(is_date);
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2025",
        "2025-11",
        "2025-1-21",
        "2025-00-10",
        "2025-13-01",
        "2025-11-31",
        "2025-02-29",
        "1900-02-29",
        "2025-11-21T",
        "2025-11-21T5:37",
        "2025-11-21T24:00",
        "2025-11-21T05:60",
        "2025-11-21T05:37:61",
        "2025-11-21T05:37:01.",
        "2025-11-21T05:37Zx",
        "2025-11-21Z",
        "2025-11-21T05:37+24",
        "2025-11-21T05:37+1",
        "2025-11-21  05:37",
        " 2025-11-21",
        "2025-11-21 ",
        "now",
        "infinity",
        "20251121",
        "-2025-11-21",
    };
    int64_t time_us = 7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (civil_parse(str_of(bad[i]), &time_us, NULL) != ERR_INVALID)
            fail_msg("'%s' is taken", bad[i]);
    assert_true(time_us == 7);
}

static void assert_prints(int64_t time_us, const char *iso, const char *sql)
{
    struct buf buf;
    buf_init(&buf, 100);
    civil_print_iso(time_us, &buf);
    assert_string_equal(buf.data, iso);
    assert_true(parse(buf.data) == time_us);
    buf_clear(&buf);
    civil_print_sql(time_us, &buf);
    assert_string_equal(buf.data, sql);
    buf_done(&buf);
}

static void printed_time_reads_back(void **state)
{
    (void)state;
    assert_prints(0, "1970-01-01T00:00:00Z", "1970-01-01 00:00:00");
    assert_prints(-1, "1969-12-31T23:59:59.999999Z", "1969-12-31 23:59:59");
    assert_prints(1763703421250000, "2025-11-21T05:37:01.250000Z", "2025-11-21 05:37:01");
    assert_prints(parse("0000-01-01"), "0000-01-01T00:00:00Z", "0000-01-01 00:00:00");
    assert_prints(parse("9999-12-31"), "9999-12-31T00:00:00Z", "9999-12-31 00:00:00");
    assert_prints(parse("+010000-01-01"), "+010000-01-01T00:00:00Z", "+010000-01-01 00:00:00");
    assert_prints(parse("-000044-03-15"), "-000044-03-15T00:00:00Z", "-000044-03-15 00:00:00");
    assert_prints(INT64_MIN, "-290308-12-21T19:59:05.224192Z", "-290308-12-21 19:59:05");
    assert_prints(INT64_MAX, "+294247-01-10T04:00:54.775807Z", "+294247-01-10 04:00:54");
}

static void days_follow_one_another(void **state)
{
    (void)state;
    struct civil before, after;
    for (int64_t day = -150000; day < 150000; day++) {
        civil_from_us((day - 1) * SECONDS_PER_DAY * US_PER_SEC, NULL, &before);
        civil_from_us(day * SECONDS_PER_DAY * US_PER_SEC, NULL, &after);
        bool is_next_day = after.day == before.day + 1 && after.month == before.month;
        bool is_next_month = after.day == 1 && before.day >= 28 && after.month == before.month % 12 + 1;
        assert_true(is_next_day || is_next_month);
        assert_int_equal(after.weekday, (before.weekday + 1) % 7);
        assert_true(civil_days(after.year, after.month, after.day) == day);
    }
}

static void fields_out_of_range_carry_over(void **state)
{
    (void)state;
    assert_true(civil_to_us(&(struct civil){.year = 2025, .month = 11, .day = 32}, NULL) ==
                parse("2025-12-02"));
    assert_true(civil_to_us(&(struct civil){.year = 2025, .month = 14, .day = 1}, NULL) ==
                parse("2026-02-01"));
    assert_true(civil_to_us(&(struct civil){.year = 2025, .month = 0, .day = 1}, NULL) ==
                parse("2024-12-01"));
    assert_true(civil_to_us(&(struct civil){.year = 2025, .month = 1, .day = 1, .second = -1}, NULL) ==
                parse("2024-12-31T23:59:59"));
    assert_true(civil_to_us(&(struct civil){.year = 2025, .month = 1, .day = 1, .hour = 49}, NULL) ==
                parse("2025-01-03T01:00"));
    assert_true(civil_to_us(&(struct civil){.year = INT32_MAX, .month = 1, .day = 1}, NULL) == INT64_MAX);
    assert_true(civil_to_us(&(struct civil){.year = INT32_MIN, .month = 1, .day = 1}, NULL) == INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_an_instant_is_the_same),
        cmocka_unit_test(fraction_is_cut_to_microseconds),
        cmocka_unit_test(date_alone_is_told),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(printed_time_reads_back),
        cmocka_unit_test(days_follow_one_another),
        cmocka_unit_test(fields_out_of_range_carry_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
