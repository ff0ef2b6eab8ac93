/* SPDX-License-Identifier: Apache-2.0
 *
 * What opening accepts and what it refuses, and that a refused file stays as it was.
 */
#include "store_fixture.h"

#include "store/sqlite_lock.h"

#include <sqlite3.h>
#include <string.h>

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static size_t read_file(const char *path, char *bytes, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t n;

    assert_non_null(file);
    n = fread(bytes, 1, size, file);
    (void)fclose(file);
    return n;
}

/* With plain SQLite, as another program would. */
static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int open_result(struct fixture *fixture, struct store_options options, struct err_info *reterr)
{
    struct store *store = NULL;
    int r = fixture_open_with(fixture, options, &store, reterr);

    store_close(store);
    return r;
}

static void new_store_is_for_its_owner_alone(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;

    fixture->store = fixture_open(fixture);
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void missing_store_is_not_made_unasked(void **state)
{
    struct fixture *fixture = *state;
    struct err_info err = {0};
    struct stat status;

    assert_int_equal(open_result(fixture, (struct store_options){0}, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, fixture->path));
    assert_int_not_equal(stat(fixture->path, &status), 0);
}

static void unknown_urls_are_refused(void **state)
{
    static const char *const urls[] = {"", "sqlite", "sqlite:", "mysql:x", "/tmp/x.db"};

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct store_options options = {.url = urls[i], .may_create = true, .clock = &clock_system};
        struct store *store = NULL;
        struct err_info err = {0};

        assert_int_equal(store_open(&options, &store, &err), ERR_INVALID);
        assert_string_equal(err.field, "store");
        assert_null(store);
    }
}

static void missing_folder_is_an_error_that_names_the_path(void **state)
{
    struct fixture *fixture = *state;
    struct store_options options = {
        .url = "sqlite:/nowhere/at/all.db", .may_create = true, .clock = &clock_system};
    struct store *store = NULL;
    struct err_info err = {0};

    (void)fixture;
    assert_int_equal(store_open(&options, &store, &err), ERR_IO);
    assert_non_null(strstr(err.message, "/nowhere/at/all.db"));
}

static void text_file_is_refused_and_left_alone(void **state)
{
    struct fixture *fixture = *state;
    static const char text[] =
        "Dear diary, today I was mistaken for a database. It was a long day, and I was not.\n";
    struct err_info err = {0};
    char bytes[256];

    write_file(fixture->path, text);
    assert_int_equal(open_result(fixture, (struct store_options){.may_create = true}, &err), ERR_CORRUPT);
    assert_int_equal(read_file(fixture->path, bytes, sizeof bytes), sizeof text - 1);
    assert_memory_equal(bytes, text, sizeof text - 1);
}

static void database_of_another_program_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct err_info err = {0};

    run_sql(fixture->path, "CREATE TABLE theirs (a)");
    assert_int_equal(open_result(fixture, (struct store_options){.may_create = true}, &err), ERR_CORRUPT);
}

static int raise_schema_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    (void)arg;
    return store_exec(txn, "INSERT INTO precis_schema VALUES (99, 0)", NULL, 0, reterr);
}

/* Neither the file nor its log, which still holds the news, is touched. */
static void newer_schema_is_refused_and_left_alone(void **state)
{
    struct fixture *fixture = *state;
    static char bytes[4][1 << 20];
    struct err_info err = {0};
    size_t n[4];
    char log[128];
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(store_write(fixture_open(fixture), raise_schema_fn, NULL, NULL) == 0 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)snprintf(log, sizeof log, "%s-wal", fixture->path);
    n[0] = read_file(fixture->path, bytes[0], sizeof bytes[0]);
    n[1] = read_file(log, bytes[1], sizeof bytes[1]);
    assert_true(n[1] > 0);

    assert_int_equal(open_result(fixture, (struct store_options){.may_create = true}, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "99"));
    assert_non_null(strstr(err.message, fixture->path));
    n[2] = read_file(fixture->path, bytes[2], sizeof bytes[2]);
    n[3] = read_file(log, bytes[3], sizeof bytes[3]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(n[i], n[i + 2]);
        assert_memory_equal(bytes[i], bytes[i + 2], n[i]);
    }
}

static void interrupted_creation_is_taken_up(void **state)
{
    struct fixture *fixture = *state;

    write_file(fixture->path, "");
    assert_int_equal(open_result(fixture, (struct store_options){0}, NULL), ERR_NOT_FOUND);
    fixture->store = fixture_open(fixture);
    assert_int_equal(put(fixture->store, "a"), 0);
}

static void read_only_store_reads_and_refuses_writes(void **state)
{
    struct fixture *fixture = *state;
    struct err_info err = {0};

    fixture->store = fixture_open(fixture);
    assert_int_equal(put(fixture->store, "a"), 0);
    fixture->store = store_close(fixture->store);
    assert_int_equal(
        fixture_open_with(fixture, (struct store_options){.is_read_only = true}, &fixture->store, &err), 0);
    assert_true(is_there(fixture->store, "a"));
    assert_int_equal(store_write(fixture->store, put_fn, KEY("b"), &err), ERR_FORBIDDEN);
    assert_false(is_there(fixture->store, "b"));
}

static void waiting_for_the_writers_lock_ends_and_names_the_process(void **state)
{
    struct fixture *fixture = *state;
    struct sqlite_lock holder, other;
    struct err_info err = {0};
    char pid[32];

    assert_int_equal(sqlite_lock_open(fixture->path, false, &holder, NULL), 0);
    assert_int_equal(sqlite_lock_open(fixture->path, false, &other, NULL), 0);
    assert_int_equal(sqlite_lock_write(&holder, 0, NULL), 0);
    assert_int_equal(sqlite_lock_write(&other, 5, &err), ERR_UNAVAILABLE);
    (void)snprintf(pid, sizeof pid, "process %d", (int)getpid());
    assert_non_null(strstr(err.message, pid));
    sqlite_lock_write_end(&holder);
    assert_int_equal(sqlite_lock_write(&other, 0, NULL), 0);
    assert_true(sqlite_lock_own(&other));
    assert_false(sqlite_lock_own(&holder));
    sqlite_lock_close(&other);
    assert_true(sqlite_lock_own(&holder));
    sqlite_lock_close(&holder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(new_store_is_for_its_owner_alone),
        FIXTURE_TEST(missing_store_is_not_made_unasked),
        FIXTURE_TEST(unknown_urls_are_refused),
        FIXTURE_TEST(missing_folder_is_an_error_that_names_the_path),
        FIXTURE_TEST(text_file_is_refused_and_left_alone),
        FIXTURE_TEST(database_of_another_program_is_refused),
        FIXTURE_TEST(newer_schema_is_refused_and_left_alone),
        FIXTURE_TEST(interrupted_creation_is_taken_up),
        FIXTURE_TEST(read_only_store_reads_and_refuses_writes),
        FIXTURE_TEST(waiting_for_the_writers_lock_ends_and_names_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
