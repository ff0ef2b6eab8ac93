/* SPDX-License-Identifier: Apache-2.0
 *
 * The versions that invalidate caches, within a process and between processes.
 */
#include "store_fixture.h"

static uint64_t version_of(struct store *store, const char *user)
{
    return store_version(store, STR_LIT("t"), str_of(user));
}

static void write_raises_the_version_it_touches_and_no_other(void **state)
{
    struct fixture *fixture = *state;
    uint64_t mine, other;

    fixture->store = fixture_open(fixture);
    mine = version_of(fixture->store, "u");
    other = version_of(fixture->store, "somebody else");
    assert_int_equal(put(fixture->store, "a"), 0);
    assert_true(version_of(fixture->store, "u") > mine);
    assert_int_equal(version_of(fixture->store, "somebody else"), other);
}

static int touch_only_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    (void)arg;
    (void)reterr;
    return store_touch(txn, STR_LIT("t"), STR_LIT("u"));
}

static void write_of_another_process_raises_the_version(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before;
    int status, go[2];
    char byte = 0;
    pid_t child;

    assert_int_equal(pipe(go), 0);
    child = fork(); /* before the store is open: a handle does not survive a fork */
    if (child == 0) {
        struct store *store;

        (void)!read(go[0], &byte, 1);
        store = fixture_open(fixture);
        status = put(store, "from the child");
        store_close(store);
        _exit(status == 0 ? 0 : 1);
    }
    fixture->store = fixture_open(fixture);
    before = version_of(fixture->store, "u");
    assert_int_equal(write(go[1], &byte, 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(version_of(fixture->store, "u") > before);
    assert_true(is_there(fixture->store, "from the child"));
    (void)close(go[0]);
    (void)close(go[1]);
}

static void two_handles_in_one_process_share_rows_and_versions(void **state)
{
    struct fixture *fixture = *state;
    struct store *second;
    struct store_info info;
    uint64_t before;

    fixture->store = fixture_open(fixture);
    second = fixture_open(fixture);
    before = version_of(fixture->store, "u");
    assert_int_equal(put(second, "a"), 0);
    assert_true(version_of(fixture->store, "u") > before);
    assert_true(is_there(fixture->store, "a"));

    assert_int_equal(store_describe(fixture->store, &info, NULL), 0);
    assert_true(info.is_owner);
    assert_int_equal(store_describe(second, &info, NULL), 0);
    assert_false(info.is_owner);
    store_close(second);
    assert_int_equal(put(fixture->store, "b"), 0);
}

static int fill_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    (void)arg;
    return store_exec(txn,
                      "INSERT INTO knowledge_history (replaced_at, tenant, user_id, id, importance, content)"
                      " VALUES (1, 't', 'u', 'x', 0, hex(zeroblob(2500000)))",
                      NULL, 0, reterr);
}

static void next_one_checkpoints_when_the_owner_has_gone(void **state)
{
    struct fixture *fixture = *state;
    struct store *first = fixture_open(fixture);
    struct store_info info;

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_write(fixture->store, fill_fn, NULL, NULL),
                     0); /* more pages than a checkpoint waits for */
    assert_int_equal(store_describe(fixture->store, &info, NULL), 0);
    assert_false(info.is_owner);
    store_close(first);
    assert_int_equal(store_write(fixture->store, fill_fn, NULL, NULL), 0);
    /* A group's end comes after its waiter has been told: the second write is behind the end of the first. */
    assert_int_equal(put(fixture->store, "behind"), 0);
    assert_int_equal(store_describe(fixture->store, &info, NULL), 0);
    assert_true(info.is_owner);
    assert_true(info.size_bytes > 5000000); /* the log has been copied into the file */
}

static void file_of_another_size_is_made_anew(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s.versions", fixture->path);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("short", file) >= 0);
    assert_int_equal(fclose(file), 0);

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_write(fixture->store, touch_only_fn, NULL, NULL), 0);
    assert_int_equal(version_of(fixture->store, "u"), 1);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 65536 * 8);
    assert_int_equal(status.st_mode & 0777, 0600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(write_raises_the_version_it_touches_and_no_other),
        FIXTURE_TEST(write_of_another_process_raises_the_version),
        FIXTURE_TEST(two_handles_in_one_process_share_rows_and_versions),
        FIXTURE_TEST(next_one_checkpoints_when_the_owner_has_gone),
        FIXTURE_TEST(file_of_another_size_is_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
