/* SPDX-License-Identifier: Apache-2.0
 *
 * The breaker: when it opens, who may probe, and how it closes.
 */
#include "net/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool may_ask(struct breaker *breaker, int64_t now_us)
{
    int64_t wait_us = 0;
    return breaker_may_ask(breaker, now_us, &wait_us);
}

static void fail_times(struct breaker *breaker, int64_t now_us, int n)
{
    for (int i = 0; i < n; i++) {
        assert_true(may_ask(breaker, now_us));
        breaker_note(breaker, now_us, BREAKER_SILENT);
    }
}

static void it_opens_after_failures_in_a_row_only(void **state)
{
    (void)state;
    struct breaker breaker;
    int64_t wait_us = 0;

    breaker_init(&breaker);
    fail_times(&breaker, 0, BREAKER_MAX_FAILURES - 1);
    breaker_note(&breaker, 0, BREAKER_ANSWERED);
    fail_times(&breaker, 0, BREAKER_MAX_FAILURES - 1);
    assert_true(may_ask(&breaker, 0));
    assert_false(breaker_stats(&breaker).is_open);
    breaker_note(&breaker, 0, BREAKER_SILENT);
    assert_true(breaker_stats(&breaker).is_open);
    assert_false(breaker_may_ask(&breaker, 100, &wait_us));
    assert_int_equal(wait_us, BREAKER_MIN_PAUSE_US - 100);
    assert_int_equal(breaker_stats(&breaker).n_refusals, 1);
    breaker_done(&breaker);
}

static void one_probe_goes_through_and_an_answer_closes_it(void **state)
{
    (void)state;
    struct breaker breaker;

    breaker_init(&breaker);
    fail_times(&breaker, 0, BREAKER_MAX_FAILURES);
    assert_true(may_ask(&breaker, BREAKER_MIN_PAUSE_US));
    assert_false(may_ask(&breaker, BREAKER_MIN_PAUSE_US + 1));
    breaker_note(&breaker, BREAKER_MIN_PAUSE_US + 2, BREAKER_ANSWERED);
    assert_false(breaker_stats(&breaker).is_open);
    fail_times(&breaker, BREAKER_MIN_PAUSE_US + 3, BREAKER_MAX_FAILURES - 1);
    assert_true(may_ask(&breaker, BREAKER_MIN_PAUSE_US + 4));
    assert_int_equal(breaker_stats(&breaker).n_openings, 1);
    breaker_done(&breaker);
}

static void probes_that_fail_come_less_and_less_often_up_to_a_limit(void **state)
{
    (void)state;
    struct breaker breaker;
    int64_t now_us = 0, wait_us = 0;

    breaker_init(&breaker);
    fail_times(&breaker, now_us, BREAKER_MAX_FAILURES);
    for (int i = 0; i < 10; i++) {
        assert_false(breaker_may_ask(&breaker, now_us, &wait_us));
        assert_true(wait_us <= BREAKER_MAX_PAUSE_US);
        now_us += wait_us;
        fail_times(&breaker, now_us, 1);
    }
    assert_false(breaker_may_ask(&breaker, now_us, &wait_us));
    assert_int_equal(wait_us, BREAKER_MAX_PAUSE_US);
    breaker_done(&breaker);
}

static void a_probe_whose_end_nobody_hears_does_not_keep_it_open(void **state)
{
    (void)state;
    struct breaker breaker;
    int64_t now_us = BREAKER_MIN_PAUSE_US;

    breaker_init(&breaker);
    fail_times(&breaker, 0, BREAKER_MAX_FAILURES);
    assert_true(may_ask(&breaker, now_us)); /* and never noted */
    assert_false(may_ask(&breaker, now_us + 1));
    assert_true(may_ask(&breaker, now_us + BREAKER_MAX_PAUSE_US));
    breaker_note(&breaker, now_us + BREAKER_MAX_PAUSE_US, BREAKER_UNKNOWN);
    assert_true(may_ask(&breaker, now_us + BREAKER_MAX_PAUSE_US));
    breaker_done(&breaker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_after_failures_in_a_row_only),
        cmocka_unit_test(one_probe_goes_through_and_an_answer_closes_it),
        cmocka_unit_test(probes_that_fail_come_less_and_less_often_up_to_a_limit),
        cmocka_unit_test(a_probe_whose_end_nobody_hears_does_not_keep_it_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
