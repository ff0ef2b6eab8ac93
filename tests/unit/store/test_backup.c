/* SPDX-License-Identifier: Apache-2.0
 *
 * Backup while others write, and restore: what is put back, and what is refused with the store untouched.
 */
#include "store_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct backup {
    char path[128];
    char url[160];
};

static struct backup backup_name(const struct fixture *fixture, const char *name)
{
    struct backup backup;

    fixture_path(fixture, name, backup.path, sizeof backup.path);
    (void)snprintf(backup.url, sizeof backup.url, "sqlite:%s", backup.path);
    return backup;
}

static struct store *open_backup(const struct backup *backup)
{
    struct store_options options = {.url = backup->url, .clock = &clock_system};
    struct store *store = NULL;

    assert_int_equal(store_open(&options, &store, NULL), 0);
    return store;
}

struct writing {
    struct store *store;
    atomic_bool is_stopped;
    atomic_int n_written; /* keys "0" to "n-1", in this order */
};

static void *keep_writing(void *arg)
{
    struct writing *writing = arg;

    while (!atomic_load(&writing->is_stopped)) {
        char key[16];
        (void)snprintf(key, sizeof key, "%d", atomic_load(&writing->n_written));
        if (put(writing->store, key) != 0)
            break;
        (void)atomic_fetch_add(&writing->n_written, 1);
    }
    return NULL;
}

struct progress {
    int n_calls;
    int64_t n_done, n_all;
};

static void on_progress(int64_t n_done, int64_t n_all, void *arg)
{
    struct progress *progress = arg;

    assert_true(n_done >= progress->n_done);
    *progress = (struct progress){progress->n_calls + 1, n_done, n_all};
}

static void backup_under_writes_is_one_moment_of_the_store(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = backup_name(fixture, "backup.db");
    struct writing writing = {0};
    struct progress progress = {0};
    struct store *copy;
    int n_before, n_after;
    int64_t n;
    char key[16];
    pthread_t thread;

    fixture->store = writing.store = fixture_open(fixture);
    assert_int_equal(pthread_create(&thread, NULL, keep_writing, &writing), 0);
    while (atomic_load(&writing.n_written) < 20)
        ;
    n_before = atomic_load(&writing.n_written);
    assert_int_equal(store_backup(fixture->store, backup.path, on_progress, &progress, NULL), 0);
    n_after = atomic_load(&writing.n_written);
    atomic_store(&writing.is_stopped, true);
    (void)pthread_join(thread, NULL);

    assert_true(progress.n_calls > 0);
    assert_int_equal(progress.n_done, progress.n_all);
    copy = open_backup(&backup);
    n = count(copy);
    assert_in_range(n, n_before, n_after + 1);
    (void)snprintf(key, sizeof key, "%d", (int)n - 1);
    assert_true(is_there(copy, key)); /* the first n writes and no others */
    assert_int_equal(store_check(copy, NULL), 0);
    store_close(copy);
}

static void backup_does_not_replace_a_file(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = backup_name(fixture, "backup.db");
    struct stat status;
    int fd = open(backup.path, O_CREAT | O_WRONLY, 0600);

    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    fixture->store = fixture_open(fixture);
    assert_int_equal(store_backup(fixture->store, backup.path, NULL, NULL, NULL), ERR_CONFLICT);
    assert_int_equal(stat(backup.path, &status), 0);
    assert_int_equal(status.st_size, 0);
}

static void failed_backup_leaves_nothing_behind(void **state)
{
    struct fixture *fixture = *state;

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_backup(fixture->store, "/nowhere/at/all.db", NULL, NULL, NULL), ERR_IO);
}

/* A store with "a", its backup, then "b" in the store, which is closed. */
static struct backup back_up_a(struct fixture *fixture)
{
    struct backup backup = backup_name(fixture, "backup.db");

    fixture->store = fixture_open(fixture);
    assert_int_equal(put(fixture->store, "a"), 0);
    assert_int_equal(store_backup(fixture->store, backup.path, NULL, NULL, NULL), 0);
    assert_int_equal(put(fixture->store, "b"), 0);
    fixture->store = store_close(fixture->store);
    return backup;
}

static void assert_store_untouched(struct fixture *fixture)
{
    fixture->store = fixture_open(fixture);
    assert_true(is_there(fixture->store, "a"));
    assert_true(is_there(fixture->store, "b"));
    assert_int_equal(store_check(fixture->store, NULL), 0);
}

static void restore_puts_the_backup_in_place(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = back_up_a(fixture);

    assert_int_equal(store_restore(fixture->url, backup.path, NULL), 0);
    fixture->store = fixture_open(fixture);
    assert_true(is_there(fixture->store, "a"));
    assert_false(is_there(fixture->store, "b"));
    assert_int_equal(put(fixture->store, "c"), 0);
    assert_int_equal(store_check(fixture->store, NULL), 0);
}

static void restore_makes_a_store_where_there_was_none(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = back_up_a(fixture), other = backup_name(fixture, "other.db");
    struct store *store;

    assert_int_equal(store_restore(other.url, backup.path, NULL), 0);
    store = open_backup(&other);
    assert_true(is_there(store, "a"));
    store_close(store);
}

/* The log of a killed process belongs to the old file and must not reach the new one. */
static void restore_drops_the_log_of_a_killed_process(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = back_up_a(fixture);
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(put(fixture_open(fixture), "only in the log") == 0 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(store_restore(fixture->url, backup.path, NULL), 0);
    fixture->store = fixture_open(fixture);
    assert_true(is_there(fixture->store, "a"));
    assert_int_equal(count(fixture->store), 1);
    assert_int_equal(store_check(fixture->store, NULL), 0);
}

static void restore_of_an_open_store_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = back_up_a(fixture);

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_restore(fixture->url, backup.path, NULL), ERR_UNAVAILABLE);
    fixture->store = store_close(fixture->store);
    assert_store_untouched(fixture);
}

static void flip_bit(const char *path, off_t offset)
{
    int fd = open(path, O_RDWR);
    char byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    assert_int_equal(close(fd), 0);
}

static void backup_with_any_flipped_bit_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = back_up_a(fixture);
    struct stat status;

    assert_int_equal(stat(backup.path, &status), 0);
    /* Every page, wherever in it: also inside texts, where SQLite's own check sees nothing; and the seal. */
    for (off_t at = 17; at < status.st_size;
         at = at + 997 < status.st_size || at == status.st_size - 1 ? at + 997 : status.st_size - 1) {
        flip_bit(backup.path, at);
        assert_int_equal(store_restore(fixture->url, backup.path, NULL), ERR_CORRUPT);
        flip_bit(backup.path, at);
    }
    assert_store_untouched(fixture);
}

static void backup_cut_anywhere_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = back_up_a(fixture);
    struct stat status;

    assert_int_equal(stat(backup.path, &status), 0);
    for (off_t len = status.st_size - 1; len > 0; len -= len > 8192 ? 4096 - 31 : 2000) {
        assert_int_equal(truncate(backup.path, len), 0);
        assert_int_equal(store_restore(fixture->url, backup.path, NULL), ERR_CORRUPT);
    }
    assert_int_equal(truncate(backup.path, 4096), 0); /* a whole page, and no seal */
    assert_int_equal(store_restore(fixture->url, backup.path, NULL), ERR_CORRUPT);
    assert_store_untouched(fixture);
}

static int raise_schema_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    (void)arg;
    return store_exec(txn, "INSERT INTO precis_schema VALUES (99, 0)", NULL, 0, reterr);
}

static void backup_of_a_newer_program_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = back_up_a(fixture), newer = backup_name(fixture, "newer.db"),
                  other = backup_name(fixture, "other.db");
    struct store *store;

    assert_int_equal(store_restore(other.url, backup.path, NULL), 0);
    store = open_backup(&other);
    assert_int_equal(store_write(store, raise_schema_fn, NULL, NULL), 0);
    assert_int_equal(store_backup(store, newer.path, NULL, NULL, NULL), 0);
    store_close(store);
    assert_int_equal(store_restore(fixture->url, newer.path, NULL), ERR_UNSUPPORTED);
    assert_store_untouched(fixture);
}

static void missing_backup_is_not_found(void **state)
{
    struct fixture *fixture = *state;

    (void)back_up_a(fixture);
    assert_int_equal(store_restore(fixture->url, "/nowhere/at/all.db", NULL), ERR_NOT_FOUND);
    assert_store_untouched(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(backup_under_writes_is_one_moment_of_the_store),
        FIXTURE_TEST(backup_does_not_replace_a_file),
        FIXTURE_TEST(failed_backup_leaves_nothing_behind),
        FIXTURE_TEST(restore_puts_the_backup_in_place),
        FIXTURE_TEST(restore_makes_a_store_where_there_was_none),
        FIXTURE_TEST(restore_drops_the_log_of_a_killed_process),
        FIXTURE_TEST(restore_of_an_open_store_is_refused),
        FIXTURE_TEST(backup_with_any_flipped_bit_is_refused),
        FIXTURE_TEST(backup_cut_anywhere_is_refused),
        FIXTURE_TEST(backup_of_a_newer_program_is_refused),
        FIXTURE_TEST(missing_backup_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
