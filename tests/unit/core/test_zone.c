/* SPDX-License-Identifier: Apache-2.0
 *
 * Zones beside the C library's own reading of the same files, and by hand where clocks change.
 */
#include "core/civil_priv.h"

#include "core/clock.h"

#include <stdlib.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fail_mem.h"

static struct zone *open_zone(const char *name)
{
    struct zone *zone = NULL;
    struct err_info info = {0};
    if (zone_new(str_of(name), &zone, &info))
        fail_msg("%s", info.message);
    return zone;
}

static int64_t us_of(const char *text)
{
    int64_t time_us;
    assert_int_equal(civil_parse(str_of(text), &time_us, NULL), 0);
    return time_us;
}

/* Local fields, given as if they were UTC. */
static int64_t to_us(const char *local, const struct zone *zone)
{
    struct civil civil;
    civil_from_us(us_of(local), NULL, &civil);
    return civil_to_us(&civil, zone);
}

static void zones_agree_with_the_c_library(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Europe/Warsaw",     "America/New_York",
        "Africa/Casablanca", "Asia/Gaza",
        "Europe/Dublin",     "America/Nuuk",
        "Asia/Tehran",       "Australia/Lord_Howe",
        "Antarctica/Troll",  "Pacific/Apia",
        "Etc/GMT+5",         "America/St_Johns",
        "Asia/Kolkata",      "UTC",
    };
    srandom(5);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct zone *zone = open_zone(names[i]);
        setenv("TZ", names[i], 1);
        tzset();
        for (int n = 0; n < 2000; n++) {
            time_t at = (time_t)(random() * INT64_C(12) % 25000000000) - 3000000000; /* 1874 to 2667 */
            struct tm wanted;
            struct civil civil;
            localtime_r(&at, &wanted);
            civil_from_us((int64_t)at * US_PER_SEC, zone, &civil);
            assert_int_equal(civil.offset_sec, wanted.tm_gmtoff);
            assert_int_equal(civil.hour * 60 + civil.minute, wanted.tm_hour * 60 + wanted.tm_min);
            assert_int_equal(civil.day, wanted.tm_mday);
            assert_int_equal(civil.weekday, wanted.tm_wday);
            assert_string_equal(civil.zone, wanted.tm_zone);
        }
        zone_free(zone);
    }
    unsetenv("TZ");
    tzset();
}

static void local_times_come_back(void **state)
{
    (void)state;
    struct zone *zone = open_zone("Europe/Warsaw");
    for (int64_t at = us_of("2024-01-01"); at < us_of("2026-01-01"); at += 17 * 60 * US_PER_SEC) {
        struct civil civil, again;
        civil_from_us(at, zone, &civil);
        int64_t back = civil_to_us(&civil, zone);
        civil_from_us(back, zone, &again);
        assert_int_equal(again.hour, civil.hour);
        assert_int_equal(again.minute, civil.minute);
        assert_true(back == at || back == at - 3600 * US_PER_SEC); /* the overlap gives its earlier hour */
    }
    zone_free(zone);
}

static void gap_gives_the_later_side_and_overlap_the_earlier(void **state)
{
    (void)state;
    struct zone *zone = open_zone("Europe/Warsaw");
    assert_true(to_us("2025-03-30T02:30", zone) == us_of("2025-03-30T01:30Z")); /* reads 03:30 */
    assert_true(to_us("2025-10-26T02:30", zone) == us_of("2025-10-26T00:30Z")); /* still in summer time */
    assert_true(to_us("2025-10-26T03:00", zone) == us_of("2025-10-26T02:00Z"));
    assert_true(to_us("2060-07-01T12:00", zone) == us_of("2060-07-01T10:00Z")); /* by the rule at the end */
    assert_true(to_us("2060-01-01T12:00", zone) == us_of("2060-01-01T11:00Z"));
    zone_free(zone);
}

static void fixed_offsets_are_zones(void **state)
{
    (void)state;
    struct civil civil;
    struct zone *zone = open_zone("-03:30");
    civil_from_us(us_of("2025-11-21T05:00Z"), zone, &civil);
    assert_int_equal(civil.hour * 60 + civil.minute, 90);
    assert_string_equal(civil.zone, "-03:30");
    assert_true(to_us("2025-11-21T01:30", zone) == us_of("2025-11-21T05:00Z"));
    zone_free(zone);
    civil_from_us(0, NULL, &civil);
    assert_string_equal(civil.zone, "UTC");
}

static void names_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "../etc/passwd",
        "/etc/passwd",
        "Europe/../UTC",
        "Europe//Warsaw",
        "Europe/",
        "a b",
        "tzdata.zi",
        "Europe/Warsaw\n",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct zone *zone = NULL;
    struct err_info info;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(zone_new(str_of(bad[i]), &zone, &info), ERR_INVALID);
    assert_int_equal(zone_new(str_make("UTC\0x", 5), &zone, &info), ERR_INVALID);
    assert_int_equal(zone_new(STR_LIT("Europe/Nowhere"), &zone, &info), ERR_NOT_FOUND);
    assert_non_null(strstr(info.message, "Europe/Nowhere"));
    assert_int_equal(zone_new(STR_LIT("Europe"), &zone, &info), ERR_NOT_FOUND);
    assert_int_equal(zone_new(STR_LIT("Europe/Warsaw/x"), &zone, &info), ERR_NOT_FOUND);
    assert_null(zone);
}

static void rules_are_read_to_the_letter(void **state)
{
    (void)state;
    static const char *const good[] = {"UTC0",
                                       "CET-1CEST,M3.5.0,M10.5.0/3",
                                       "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                                       "EET-2EEST,M3.4.4/50,M10.4.4/50",
                                       "AAA3BBB,J60/0,300/26",
                                       "XXX3EDT4,0/0,J365/23"};
    static const char *const bad[] = {"",
                                      "CE-1",
                                      "CET",
                                      "CET-1CEST",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-1CEST,M3.6.0,M10.5.0",
                                      "CET-1CEST,M3.5.7,M10.5.0",
                                      "CET-1CEST,J0,J1",
                                      "CET-1CEST,366,1",
                                      "CET-25",
                                      "<CET-1",
                                      "CET-1x",
                                      "CET-1CEST,M3.5.0,M10.5.0x",
                                      "CET-1CEST,M3.5.0/168,M10.5.0"};
    struct zone_rule rule;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(zone_rule_parse(str_of(good[i]), &rule), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (zone_rule_parse(str_of(bad[i]), &rule) != ERR_CORRUPT)
            fail_msg("'%s' is taken", bad[i]);
}

static void summer_across_the_new_year_is_summer(void **state)
{
    (void)state;
    struct zone_rule rule;
    assert_int_equal(zone_rule_parse(STR_LIT("AEST-10AEDT,M10.1.0,M4.1.0/3"), &rule), 0);
    assert_string_equal(zone_rule_at(&rule, us_of("2040-01-01") / US_PER_SEC)->name, "AEDT");
    assert_string_equal(zone_rule_at(&rule, us_of("2040-12-31") / US_PER_SEC)->name, "AEDT");
    assert_string_equal(zone_rule_at(&rule, us_of("2040-07-01") / US_PER_SEC)->name, "AEST");
}

static void damaged_zone_file_is_an_error(void **state)
{
    (void)state;
    static const char head[] =
        "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1"
        "\0\0\0\0\0\0\0"
        "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4"
        "\0\0\0\0\0\0UTC\0\nUTC0\n";
    struct str whole = STR_LIT(head);
    struct zone *zone = NULL;
    assert_int_equal(zone_from_bytes(whole, &zone), 0);
    assert_string_equal(zone_at(zone, 0)->name, "UTC");
    zone = zone_free(zone);
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(zone_from_bytes(str_slice(whole, 0, len), &zone), ERR_CORRUPT);
    assert_null(zone);
}

static void any_failing_allocation_is_a_clean_error(void **state)
{
    (void)state;
    static const char *const names[] = {"Europe/Warsaw", "+01:00"};
    for (size_t i = 0; i < 2; i++) {
        int n = 0;
        for (bool is_done = false; !is_done; n++) {
            struct zone *zone = NULL;
            fail_mem_at(n + 1);
            int err = zone_new(str_of(names[i]), &zone, NULL);
            is_done = fail_mem_is_pending();
            fail_mem_at(0);
            assert_int_equal(err, is_done ? 0 : ERR_NOMEM);
            zone_free(zone);
        }
        assert_true(n > 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_agree_with_the_c_library),
        cmocka_unit_test(local_times_come_back),
        cmocka_unit_test(gap_gives_the_later_side_and_overlap_the_earlier),
        cmocka_unit_test(fixed_offsets_are_zones),
        cmocka_unit_test(names_that_are_none_are_refused),
        cmocka_unit_test(rules_are_read_to_the_letter),
        cmocka_unit_test(summer_across_the_new_year_is_summer),
        cmocka_unit_test(damaged_zone_file_is_an_error),
        cmocka_unit_test(any_failing_allocation_is_a_clean_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
