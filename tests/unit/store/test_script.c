/* SPDX-License-Identifier: Apache-2.0
 *
 * Scripts on a file that is not a store: all of them or nothing, and what they hold checked.
 */
#include "store_fixture.h"

static const char *const make_tables = "CREATE TABLE owners (id INTEGER PRIMARY KEY);"
                                       "CREATE TABLE pets (owner REFERENCES owners (id));";

/* The error's code; what it says goes to err. */
static int run(const struct fixture *fixture, const char *second, struct err_info *err)
{
    const char *const scripts[] = {make_tables, second};

    return store_run_scripts(fixture->path, scripts, 2, err);
}

static void scripts_make_the_file_and_run_in_order(void **state)
{
    struct fixture *fixture = *state;
    const char *const more[] = {"INSERT INTO owners VALUES (2)"};
    struct err_info err = {0};

    assert_int_equal(run(fixture, "INSERT INTO owners VALUES (1); INSERT INTO pets VALUES (1)", &err), 0);
    assert_int_equal(store_run_scripts(fixture->path, more, 1, &err), 0);
    /* It stands: the same number again is refused. */
    assert_int_equal(store_run_scripts(fixture->path, more, 1, &err), ERR_CONFLICT);
}

static void failed_script_takes_those_before_it_along(void **state)
{
    struct fixture *fixture = *state;
    struct err_info err = {0};

    assert_true(run(fixture, "INSERT INTO nowhere VALUES (1)", &err) < 0);
    assert_non_null(strstr(err.message, "nowhere"));
    assert_non_null(strstr(err.message, fixture->path));
    /* The tables of the first are not there, so that it runs again. */
    assert_int_equal(run(fixture, "INSERT INTO owners VALUES (1)", &err), 0);
}

static void row_that_points_at_nothing_is_refused(void **state)
{
    struct err_info err = {0};

    assert_int_equal(run(*state, "INSERT INTO pets VALUES (7)", &err), ERR_CONFLICT);
}

static void folder_that_is_not_there_is_an_error(void **state)
{
    const char *const scripts[] = {make_tables};
    char path[128];
    struct err_info err = {0};

    fixture_path(*state, "nowhere/x.db", path, sizeof path);
    assert_int_equal(store_run_scripts(path, scripts, 1, &err), ERR_IO);
    assert_non_null(strstr(err.message, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(scripts_make_the_file_and_run_in_order),
        FIXTURE_TEST(failed_script_takes_those_before_it_along),
        FIXTURE_TEST(row_that_points_at_nothing_is_refused),
        FIXTURE_TEST(folder_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
