/* SPDX-License-Identifier: Apache-2.0
 *
 * A text is printed without its secrets the first time and every other time, whatever is remembered of it.
 */
#include "build/secrets.h"

#include "text/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>

#define MAX_BYTES ((size_t)64 * 1024 * 1024)
#define N_TEXTS   60000 /* more than are remembered */

static struct secrets *secrets_make(void)
{
    struct secrets *secrets = NULL;
    assert_int_equal(secrets_new(&secrets), 0);
    return secrets;
}

static void expect(struct secrets *secrets, const char *text, const char *clean)
{
    struct arena arena;
    arena_init(&arena, MAX_BYTES);
    for (int i = 0; i < 3; i++) {
        struct str result = secrets_take_out(secrets, str_of(text), &arena);
        assert_int_equal(arena_error(&arena), 0);
        assert_true(str_is(result, clean));
        assert_true(result.ptr != text); /* the arena's */
    }
    arena_done(&arena);
}

static void a_secret_goes_every_time(void **state)
{
    struct secrets *secrets = secrets_make();
    (void)state;
    expect(secrets, "pump started with password=hunter2hunter2 at noon",
           "pump started with password=[redacted:password] at noon");
    expect(secrets, "", "");
    secrets_free(secrets);
}

static void what_is_harmless_stays_as_it_is(void **state)
{
    struct secrets *secrets = secrets_make();
    (void)state;
    expect(secrets, "Till 3 lost its connection to the payment host",
           "Till 3 lost its connection to the payment host");
    expect(secrets, "short", "short");
    secrets_free(secrets);
}

static void nothing_has_to_be_remembered(void **state)
{
    (void)state;
    expect(NULL, "pump started with password=hunter2hunter2 at noon",
           "pump started with password=[redacted:password] at noon");
    expect(NULL, "Till 3 lost its connection to the payment host",
           "Till 3 lost its connection to the payment host");
}

/* Every third has a secret; they differ in one number alone, and push each other out. */
static void many_texts_never_pass_for_each_other(void **state)
{
    struct secrets *secrets = secrets_make();
    struct arena arena;
    char text[128], wanted[128];
    (void)state;
    arena_init(&arena, MAX_BYTES);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < N_TEXTS; i++) {
            bool has_secret = i % 3 == 0;
            (void)snprintf(text, sizeof text, "request %d was sent with %s=%s", i,
                           has_secret ? "api_key" : "retries", has_secret ? "Zx81kkq02maB" : "3");
            (void)snprintf(wanted, sizeof wanted, "request %d was sent with %s=%s", i,
                           has_secret ? "api_key" : "retries", has_secret ? "[redacted:api_key]" : "3");
            struct str result = secrets_take_out(secrets, str_of(text), &arena);
            if (!str_is(result, wanted))
                fail_msg("round %d: '%.*s' instead of '%s'", round, STR_ARG(result), wanted);
            if (i % 1000 == 0)
                arena_reset(&arena);
        }
    arena_done(&arena);
    secrets_free(secrets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_goes_every_time),
        cmocka_unit_test(what_is_harmless_stays_as_it_is),
        cmocka_unit_test(nothing_has_to_be_remembered),
        cmocka_unit_test(many_texts_never_pass_for_each_other),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
