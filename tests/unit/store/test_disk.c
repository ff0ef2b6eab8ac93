/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk that is full: a limit on file sizes in a process of its own stands for it.
 */
#include "store_fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static int big_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    (void)arg;
    return store_exec(txn,
                      "INSERT INTO knowledge_history (replaced_at, tenant, user_id, id, importance, content)"
                      " VALUES (1, 't', 'u', 'x', 0, hex(zeroblob(200000)))",
                      NULL, 0, reterr);
}

static void limit_files(rlim_t max_bytes)
{
    struct rlimit limit = {.rlim_cur = max_bytes, .rlim_max = RLIM_INFINITY};

    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        _exit(10);
}

/* In the child: exit status 0 when all held, else the number of what did not. */
static int fill_up_and_recover(struct fixture *fixture)
{
    struct store *store = fixture_open(fixture);
    struct err_info err = {0};
    int n_good = 0, r;

    (void)signal(SIGXFSZ, SIG_IGN);
    if (put(store, "before") != 0)
        return 1;
    limit_files(3 * 1024 * 1024);
    while ((r = store_write(store, big_fn, NULL, &err)) == 0 && n_good < 100)
        n_good++;
    if (r != ERR_IO || err.message[0] == '\0')
        return 2;
    if (!is_there(store, "before")) /* reads go on */
        return 3;
    if (store_write(store, big_fn, NULL, NULL) != ERR_IO)
        return 4;
    limit_files(RLIM_INFINITY);
    if (put(store, "after") != 0) /* without a restart */
        return 5;
    if (store_check(store, NULL) != 0)
        return 6;
    store_close(store);
    return 0;
}

static void full_disk_fails_writes_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(fill_up_and_recover(fixture));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    fixture->store = fixture_open(fixture);
    assert_true(is_there(fixture->store, "before"));
    assert_true(is_there(fixture->store, "after"));
    assert_int_equal(store_check(fixture->store, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(full_disk_fails_writes_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
