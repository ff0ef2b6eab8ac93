/* SPDX-License-Identifier: Apache-2.0
 *
 * Words of servers and their libraries, as they say them, and what is advised.
 */
#include "cli/advice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void known_words_have_the_advice_that_fits(void **state)
{
    (void)state;
    static const struct {
        const char *error, *words;
    } cases[] = {
        {"main: could not translate host name \"db\" to address: Name or service not known", "DNS"},
        {"cache: no connection to h:6379: its host is not known: Name or service not known", "DNS"},
        {"main: connection to server at \"127.0.0.1\", port 1 failed: Connection refused", "running"},
        {"main: FATAL:  password authentication failed for user \"ann\"", "check both"},
        {"cache: the server refuses this user or password (WRONGPASS)", "check both"},
        {"cache: the server wants a password (NOAUTH)", "into the URL"},
        {"main: FATAL:  database \"facts\" does not exist", "make the database"},
        {"main: relation \"tasks\" does not exist", "make the table"},
        {"main: column \"due\" does not exist", "add the column"},
        {"main: column t.due of relation \"tasks\" does not exist", "make the table"},
        {"main: type \"vector\" does not exist", "CREATE EXTENSION vector"},
        {"series: function time_bucket(unknown, timestamptz) does not exist", "CREATE EXTENSION timescaledb"},
        {"main: different vector dimensions 256 and 384", "another model"},
        {"cache: the server's TLS certificate is refused: its authority is not trusted", "authority"},
        {"main: server does not support SSL, but SSL was required", "does not speak"},
        {"main: no pg_hba.conf entry for host \"10.0.0.9\", user \"ann\", no encryption", "pg_hba.conf says"},
        {"own: no such column: nothing", "add the column"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *advice = advice_for(str_of(cases[i].error));
        if (!advice || !strstr(advice, cases[i].words))
            fail_msg("%s: %s", cases[i].error, advice ? advice : "no advice");
    }
}

static void unknown_words_have_none(void **state)
{
    (void)state;
    assert_null(advice_for(STR_LIT("main: Passwort-Authentifizierung fehlgeschlagen")));
    assert_null(advice_for(STR_LIT("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_words_have_the_advice_that_fits),
        cmocka_unit_test(unknown_words_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
