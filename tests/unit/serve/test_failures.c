/* SPDX-License-Identifier: Apache-2.0
 *
 * What the log is told of failures, and how often.
 */
#include "serve/failures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct clock_manual clock;
    struct failures *failures;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    clock_manual_init(&fixture.clock, 0, 7);
    *state = &fixture;
    return failures_new(&fixture.clock.base, &fixture.failures, NULL);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    fixture->failures = failures_free(fixture->failures);
    return 0;
}

static uint64_t note(struct fixture *fixture, const char *source, int code, const char *sentence)
{
    uint64_t n = 0;
    return failures_note(fixture->failures, str_of(source), code, str_of(sentence), &n) ? n : 0;
}

static void a_source_that_is_down_is_told_once_a_minute_however_it_says_so(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(note(fixture, "main", ERR_UNAVAILABLE, "main: connection refused"), 1);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(note(fixture, "main", ERR_UNAVAILABLE, "main: it will be asked again in 3 ms"), 0);
        assert_int_equal(note(fixture, "main", ERR_TIMEOUT, "no answer within 18 ms"), 0);
    }
    clock_manual_advance(&fixture->clock, FAILURES_AGAIN_US);
    assert_int_equal(note(fixture, "main", ERR_TIMEOUT, "no answer within 18 ms"), 2001);
    assert_int_equal(note(fixture, "main", ERR_UNAVAILABLE, "main: connection refused"), 0);
}

static void each_source_is_told_of(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(note(fixture, "main", ERR_TIMEOUT, "no answer"), 1);
    assert_int_equal(note(fixture, "series", ERR_TIMEOUT, "no answer"), 1);
}

static void numbers_make_no_news_and_words_do(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(note(fixture, "main", ERR_REMOTE, "row 17 is broken"), 1);
    assert_int_equal(note(fixture, "main", ERR_REMOTE, "row 18 is broken"), 0);
    assert_int_equal(note(fixture, "main", ERR_REMOTE, "no column 'a'"), 1);
    assert_int_equal(note(fixture, "main", ERR_UNAVAILABLE, "connection refused"), 1);
}

static void a_source_cannot_flood_the_log_with_texts_that_differ(void **state)
{
    struct fixture *fixture = *state;
    char sentence[64];
    int n_lines = 0;
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(sentence, sizeof sentence, "no such value '%c%c%c'", 'a' + i % 26, 'a' + i / 26 % 26,
                       'a' + i / 676);
        n_lines += note(fixture, "main", ERR_REMOTE, sentence) > 0;
    }
    assert_int_equal(n_lines, FAILURES_MAX_A_TIME);
    assert_int_equal(note(fixture, "series", ERR_REMOTE, "no table"), 1);
    clock_manual_advance(&fixture->clock, FAILURES_AGAIN_US);
    assert_true(note(fixture, "main", ERR_REMOTE, "no such value 'zzz'") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_source_that_is_down_is_told_once_a_minute_however_it_says_so,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_source_is_told_of, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_make_no_news_and_words_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_source_cannot_flood_the_log_with_texts_that_differ, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
