/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions, snapshots, groups and refusals through the public face.
 */
#include "store_fixture.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>

static void written_row_is_there_after_reopening(void **state)
{
    struct fixture *fixture = *state;

    fixture->store = fixture_open(fixture);
    assert_int_equal(put(fixture->store, "a"), 0);
    fixture->store = store_close(fixture->store);
    fixture->store = fixture_open(fixture);
    assert_true(is_there(fixture->store, "a"));
    assert_int_equal(store_check(fixture->store, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(written_row_is_there_after_reopening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
