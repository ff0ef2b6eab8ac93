/* SPDX-License-Identifier: Apache-2.0
 *
 * Slices, comparisons, and the readers of numbers and durations at their edges.
 */
#include "core/str.h"

#include "core/clock.h"
#include "core/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void slices_are_clamped(void **state)
{
    (void)state;
    struct str s = STR_LIT("abcdef");
    assert_true(str_is(str_slice(s, 2, 3), "cde"));
    assert_true(str_is(str_slice(s, 4, 99), "ef"));
    assert_true(str_is_empty(str_slice(s, 6, 1)));
    assert_true(str_is_empty(str_slice(s, SIZE_MAX, SIZE_MAX)));
    assert_true(str_is(str_slice(s, 1, SIZE_MAX), "bcdef"));
}

static void trimming_takes_white_space_only(void **state)
{
    (void)state;
    assert_true(str_is(str_trim(STR_LIT(" \t a b \r\n")), "a b"));
    assert_true(str_is_empty(str_trim(STR_LIT(" \n "))));
    assert_true(str_is_empty(str_trim((struct str){NULL, 0})));
}

static void comparison_is_by_bytes_then_length(void **state)
{
    (void)state;
    assert_true(str_compare(STR_LIT("a"), STR_LIT("b")) < 0);
    assert_true(str_compare(STR_LIT("ab"), STR_LIT("a")) > 0);
    assert_true(str_compare(STR_LIT("\xff"), STR_LIT("a")) > 0);
    assert_int_equal(str_compare((struct str){NULL, 0}, STR_LIT("")), 0);
    assert_true(str_eq_nocase(STR_LIT("HoSt"), STR_LIT("hOsT")));
    assert_false(str_eq_nocase(STR_LIT("a"), STR_LIT("ab")));
    assert_false(str_eq_nocase(STR_LIT("["), STR_LIT("{"))); /* 32 apart, but no letters */
}

static void find_gives_the_first_place(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR_LIT("abcabc"), STR_LIT("ca")), 2);
    assert_int_equal(str_find(STR_LIT("abc"), STR_LIT("abcd")), -1);
    assert_int_equal(str_find(STR_LIT("abc"), STR_LIT("")), 0);
    assert_int_equal(str_find((struct str){NULL, 0}, STR_LIT("a")), -1);
}

static void parts_come_with_the_empty_ones(void **state)
{
    (void)state;
    static const char *const wanted[] = {"a", "", "b", ""};
    struct str rest = STR_LIT("a,,b,"), part;
    size_t n = 0;
    while (str_next_part(&rest, ',', &part))
        assert_true(n < 4 && str_is(part, wanted[n++]));
    assert_int_equal(n, 4);
}

static void integers_are_whole_and_in_range(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "-", "1x", " 1", "1 ", "1.0", "0x1", "--1"};
    int64_t value = 5;
    assert_int_equal(str_to_int(STR_LIT("9223372036854775807"), &value), 0);
    assert_true(value == INT64_MAX);
    assert_int_equal(str_to_int(STR_LIT("-9223372036854775808"), &value), 0);
    assert_true(value == INT64_MIN);
    assert_int_equal(str_to_int(STR_LIT("9223372036854775808"), &value), ERR_LIMIT);
    assert_int_equal(str_to_int(STR_LIT("-9223372036854775809"), &value), ERR_LIMIT);
    assert_int_equal(str_to_int(STR_LIT("99999999999999999999999"), &value), ERR_LIMIT);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(str_to_int(str_of(bad[i]), &value), ERR_INVALID);
    assert_true(value == INT64_MIN); /* untouched by failures */
}

static void reals_are_decimal_and_finite(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "-", "e5", "1e", "1e+", "0x10", "inf", "nan", "1 ", "1,5"};
    double value;
    assert_int_equal(str_to_real(STR_LIT("-12.5e-1"), &value), 0);
    assert_true(value == -1.25);
    assert_int_equal(str_to_real(STR_LIT(".5"), &value), 0);
    assert_true(value == 0.5);
    assert_int_equal(str_to_real(STR_LIT("1e999"), &value), ERR_LIMIT);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(str_to_real(str_of(bad[i]), &value), ERR_INVALID);
}

static void durations_need_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"250ms", 250 * US_PER_MS},
        {"5s", 5 * US_PER_SEC},
        {"10m", 600 * US_PER_SEC},
        {"1h", 3600 * US_PER_SEC},
        {"7d", 604800 * US_PER_SEC},
        {"2w", 1209600 * US_PER_SEC},
        {"0s", 0},
    };
    static const char *const bad[] = {"", "5", "s", "5 s", "5sec", "1.5s"};
    int64_t us;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(str_to_duration_us(str_of(good[i].text), &us), 0);
        assert_true(us == good[i].us);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_true(str_to_duration_us(str_of(bad[i]), &us) < 0);
    assert_int_equal(str_to_duration_us(STR_LIT("9223372036854775807w"), &us), ERR_LIMIT);
}

static void hash_differs_by_seed_and_by_length(void **state)
{
    (void)state;
    assert_true(str_hash(STR_LIT("abc"), 1) == str_hash(STR_LIT("abc"), 1));
    assert_true(str_hash(STR_LIT("abc"), 1) != str_hash(STR_LIT("abc"), 2));
    assert_true(str_hash(str_make("\0\0", 1), 1) != str_hash(str_make("\0\0", 2), 1));
}

static void nearest_name_is_found_within_reach(void **state)
{
    (void)state;
    static const char *const names[] = {"priority", "query", "limit"};
    assert_string_equal(str_nearest(STR_LIT("pririty"), names, 3), "priority");
    assert_string_equal(str_nearest(STR_LIT("QUERY"), names, 3), "query");
    assert_null(str_nearest(STR_LIT("weather"), names, 3));
    assert_int_equal(str_distance(STR_LIT("kitten"), STR_LIT("sitting"), 9), 3);
    assert_int_equal(str_distance(STR_LIT("abc"), STR_LIT("xyz"), 1), 2); /* capped */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_are_clamped),
        cmocka_unit_test(trimming_takes_white_space_only),
        cmocka_unit_test(comparison_is_by_bytes_then_length),
        cmocka_unit_test(find_gives_the_first_place),
        cmocka_unit_test(parts_come_with_the_empty_ones),
        cmocka_unit_test(integers_are_whole_and_in_range),
        cmocka_unit_test(reals_are_decimal_and_finite),
        cmocka_unit_test(durations_need_a_unit),
        cmocka_unit_test(hash_differs_by_seed_and_by_length),
        cmocka_unit_test(nearest_name_is_found_within_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
