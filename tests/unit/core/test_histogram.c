/* SPDX-License-Identifier: Apache-2.0 */
#include "core/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void each_time_falls_into_one_class(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    struct histogram_counts counts;
    const int64_t times_us[] = {-5, 0, 50, 51, 5000000, 5000001, INT64_MAX / 2};
    for (size_t i = 0; i < sizeof times_us / sizeof *times_us; i++)
        histogram_note(&histogram, times_us[i]);
    histogram_read(&histogram, &counts);
    assert_int_equal(counts.n, 7);
    assert_int_equal(counts.counts[0], 3);
    assert_int_equal(counts.counts[1], 1);
    assert_int_equal(counts.counts[HISTOGRAM_N_BOUNDS - 1], 1);
    assert_int_equal(counts.counts[HISTOGRAM_N_BOUNDS], 2);
    assert_int_equal(counts.sum_us, UINT64_C(50) + 51 + 5000000 + 5000001 + INT64_MAX / 2);
    assert_string_equal(histogram_bound_name(0), "0.00005");
    assert_string_equal(histogram_bound_name(HISTOGRAM_N_BOUNDS - 1), "5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_time_falls_into_one_class)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
