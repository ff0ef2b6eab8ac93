/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of a store's life fails once, SQLite's among them: each time the answer is right or a
 * clean error, and what was acknowledged is there afterwards.
 */
#include "store_fixture.h"

#include "../net/fail_mem.h"

#include <string.h>

/* Opens, writes, reads, closes. *ret_has_written: the write was acknowledged. */
static int live_once(struct fixture *fixture, const char *key, bool *ret_has_written)
{
    struct store_options options = {.url = fixture->url, .may_create = true, .clock = &clock_system};
    struct store *store = NULL;
    struct has has = {.key = key};
    int r = store_open(&options, &store, NULL);

    if (r < 0)
        return r;
    r = put(store, key);
    *ret_has_written = r == 0;
    if (r == 0)
        r = store_read(store, has_fn, &has, NULL);
    if (r == 0)
        assert_int_equal(has.n, 1);
    store_close(store);
    return r;
}

static void assert_kept(struct fixture *fixture, const char *key)
{
    fixture->store = fixture_open(fixture);
    assert_true(is_there(fixture->store, key));
    fixture->store = store_close(fixture->store);
}

static void each_failing_allocation_is_survived(void **state)
{
    struct fixture *fixture = *state;
    int n_failed = 0;

    for (long n = 1;; n++) {
        char key[32];
        bool has_written = false;
        int r;

        (void)snprintf(key, sizeof key, "%ld", n);
        fail_mem_at(n);
        r = live_once(fixture, key, &has_written);
        if (fail_mem_is_pending()) {
            fail_mem_at(0);
            assert_int_equal(r, 0);
            break;
        }
        /* SQLite does without some memory: then the answer is right. */
        assert_true(r == 0 || r == ERR_NOMEM || r == ERR_IO);
        n_failed += r != 0;
        if (has_written)
            assert_kept(fixture, key);
    }
    assert_true(n_failed > 20);
    fixture->store = fixture_open(fixture);
    assert_int_equal(store_check(fixture->store, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(each_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
