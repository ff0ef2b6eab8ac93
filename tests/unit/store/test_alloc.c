/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of a store's life fails once, SQLite's among them: each time the answer is right or a
 * clean error, and what was acknowledged is there afterwards.
 */
#define FIXTURE_PARENT "/dev/shm" /* thousands of commits, and none has to outlive the power */
#include "store_fixture.h"

#include "../fail_mem.h"

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

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

static void backup_fails_cleanly_or_is_whole(void **state)
{
    struct fixture *fixture = *state;
    char path[128], other[160];
    int n_failed = 0, r;
    bool is_over = false;

    fixture_path(fixture, "backup.db", path, sizeof path);
    (void)snprintf(other, sizeof other, "sqlite:%s/other.db", fixture->folder);
    fixture->store = fixture_open(fixture);
    assert_int_equal(put(fixture->store, "a"), 0);
    for (long n = 1; !is_over; n++) {
        fail_mem_at(n);
        r = store_backup(fixture->store, path, NULL, NULL, NULL);
        is_over = fail_mem_is_pending();
        fail_mem_at(0);
        assert_int_equal(r == 0, is_file(path)); /* no half a backup under that name */
        n_failed += r != 0;
        if (r == 0 && !is_over)
            assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(r, 0);
    assert_int_equal(store_restore(other, path, NULL), 0);
    assert_true(n_failed > 5);
    assert_int_equal(put(fixture->store, "b"), 0);
}

static void restore_fails_cleanly_or_is_done(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    int n_failed = 0, r;
    bool is_over = false;

    fixture_path(fixture, "backup.db", path, sizeof path);
    fixture->store = fixture_open(fixture);
    assert_int_equal(put(fixture->store, "a"), 0);
    assert_int_equal(store_backup(fixture->store, path, NULL, NULL, NULL), 0);
    assert_int_equal(put(fixture->store, "b"), 0);
    fixture->store = store_close(fixture->store);
    for (long n = 1; !is_over; n++) {
        fail_mem_at(n);
        r = store_restore(fixture->url, path, NULL);
        is_over = fail_mem_is_pending();
        fail_mem_at(0);
        fixture->store = fixture_open(fixture);
        assert_true(is_there(fixture->store, "a"));
        assert_int_equal(is_there(fixture->store, "b"), r != 0);
        if (r == 0)
            assert_int_equal(put(fixture->store, "b"), 0);
        fixture->store = store_close(fixture->store);
        n_failed += r != 0;
    }
    assert_int_equal(r, 0);
    assert_true(n_failed > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(each_failing_allocation_is_survived),
        FIXTURE_TEST(backup_fails_cleanly_or_is_whole),
        FIXTURE_TEST(restore_fails_cleanly_or_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
