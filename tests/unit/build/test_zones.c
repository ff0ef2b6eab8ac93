/* SPDX-License-Identifier: Apache-2.0
 *
 * A zone is read once and shared, as long as anybody uses it; what is none is told each time.
 */
#include "build/zones.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int64_t hour_in(const struct zone_use *use)
{
    struct civil civil;
    civil_from_us(INT64_C(1795000000) * US_PER_SEC, use->zone, &civil);
    return civil.hour;
}

static struct zone_use *get(struct zones *zones, const struct clock *clock, const char *name)
{
    struct zone_use *use = NULL;
    struct err_info err = {0};
    if (zones_get(zones, clock, str_of(name), &use, &err) != 0)
        fail_msg("%s: %s", name, err.message);
    return use;
}

static void zone_is_shared_while_it_is_fresh(void **state)
{
    (void)state;
    struct clock_manual manual;
    struct zones *zones = NULL;
    clock_manual_init(&manual, INT64_C(1795000000) * US_PER_SEC, US_PER_SEC);
    assert_int_equal(zones_new(&zones), 0);
    struct zone_use *first = get(zones, &manual.base, "+02:00");
    struct zone_use *again = get(zones, &manual.base, "+02:00");
    struct zone_use *other = get(zones, &manual.base, "+03:00");
    assert_ptr_equal(first, again);
    assert_int_equal(hour_in(other), (hour_in(first) + 1) % 24);
    clock_manual_advance(&manual, 3600 * US_PER_SEC);
    struct zone_use *later = get(zones, &manual.base, "+02:00");
    assert_ptr_not_equal(first, later); /* read anew, while the old one is in use */
    assert_int_equal(hour_in(first), hour_in(later));
    zone_use_unref(first);
    zone_use_unref(again);
    zone_use_unref(other);
    zones_free(zones);
    assert_int_equal(hour_in(later), hour_in(later)); /* it outlives those who kept it */
    zone_use_unref(later);
    zone_use_unref(NULL);
    assert_null(zones_free(NULL));
}

static void what_is_no_zone_is_told_each_time(void **state)
{
    (void)state;
    struct zones *zones = NULL;
    struct zone_use *use = NULL;
    struct err_info err = {0};
    assert_int_equal(zones_new(&zones), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(zones_get(zones, &clock_system, STR_LIT("Nowhere/Town"), &use, &err), ERR_NOT_FOUND);
        assert_true(err.message[0]);
        assert_int_equal(zones_get(zones, &clock_system, STR_LIT("../x"), &use, &err), ERR_INVALID);
    }
    assert_null(use);
    zones_free(zones);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(zone_is_shared_while_it_is_fresh),
        cmocka_unit_test(what_is_no_zone_is_told_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
