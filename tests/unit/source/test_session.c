/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `session`: one row of what is kept, its own user's only; nothing where there is no session; an error
 * where none can be had.
 */
#include "world.h"

#include "memory/session.h"

#include "../fail_mem.h"

#define FIELD(name, value)                                                                                   \
    {                                                                                                        \
        STR_LIT(name), STR_LIT(value)                                                                        \
    }

struct home {
    struct world *world;
    struct sessions *sessions;
    struct source *source;
};

static const struct scope ann = {STR_LIT("acme"), STR_LIT("ann")};
static const struct scope bob = {STR_LIT("acme"), STR_LIT("bob")};

static int home_open(void **state)
{
    struct home *home = calloc(1, sizeof *home);
    world_open((void **)&home->world);
    assert_int_equal(sessions_new(NULL, &clock_system, &home->sessions, NULL), 0);
    home->world->env.sessions = home->sessions;
    assert_int_equal(
        source_open_builtin(&home->world->env, source_kind_find(STR_LIT("session")), &home->source, NULL), 0);
    *state = home;
    return 0;
}

static int home_close(void **state)
{
    struct home *home = *state;
    home->world->loop = net_loop_free(home->world->loop);
    source_close(home->source);
    sessions_free(home->sessions);
    world_close((void **)&home->world);
    free(home);
    return 0;
}

static int ask(struct home *home, const struct scope *scope, const char *id, size_t max_rows,
               struct source_result **ret_result, struct err_info *reterr)
{
    const struct value settings[] = {value_text(str_of(id))};
    const struct source_request request = {
        .scope = *scope, .settings = settings, .deadline_us = world_deadline(20000), .max_rows = max_rows};
    return world_fetch(home->world, home->source, &request, ret_result, reterr);
}

static void keep(struct home *home, const struct session_field *fields, size_t n)
{
    struct err_info err = {0};
    if (session_put(home->sessions, &ann, STR_LIT("s1"), fields, n, 60 * US_PER_SEC, world_deadline(20000),
                    &err) < 0)
        fail_msg("%s", err.message);
}

static void assert_nothing(struct home *home, const struct scope *scope, const char *id, size_t max_rows)
{
    struct source_result *result;
    struct err_info err = {0};
    if (ask(home, scope, id, max_rows, &result, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(result->n_rows, 0);
    source_result_free(result);
}

static void session_is_one_row_of_its_fields(void **state)
{
    static const struct session_field fields[] = {FIELD("step", "\"address\""), FIELD("n", "3"),
                                                  FIELD("open", "true"), FIELD("gone", "null"),
                                                  FIELD("cart", "[1,{\"a\":2}]")};
    struct home *home = *state;
    struct source_result *result;
    struct err_info err = {0};
    keep(home, fields, 5);
    if (ask(home, &ann, "s1", 10, &result, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(result->n_rows, 1);
    assert_int_equal(result->n_columns, 5);
    assert_int_equal(result->n_malformed, 0);
    assert_cell(result, 0, "step", VALUE_TEXT, "address");
    assert_cell(result, 0, "n", VALUE_INT, "3");
    assert_cell(result, 0, "open", VALUE_BOOL, "true");
    assert_cell(result, 0, "gone", VALUE_NULL, "");
    assert_cell(result, 0, "cart", VALUE_JSON, "[1,{\"a\":2}]");
    source_result_free(result);
}

static void nothing_is_found_for_others_and_where_there_is_nothing(void **state)
{
    static const struct session_field fields[] = {FIELD("a", "1")};
    struct home *home = *state;
    keep(home, fields, 1);
    assert_nothing(home, &bob, "s1", 10);
    assert_nothing(home, &ann, "s2", 10);
    assert_nothing(home, &ann, "", 10);
    assert_nothing(home, &ann, "s1", 0);
    keep(home, NULL, 0); /* it is there, and has no field to show */
    assert_nothing(home, &ann, "s1", 10);
}

static void error_says_what_is_wrong(void **state)
{
    static char id[SESSION_MAX_ID_BYTES + 2];
    struct home *home = *state;
    struct source_result *result;
    struct err_info err = {0};
    memset(id, 'x', sizeof id - 1);
    assert_int_equal(ask(home, &ann, id, 10, &result, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "256 bytes"));
    home->world->env.sessions = NULL; /* as in a command that is no server */
    source_close(home->source);
    assert_int_equal(
        source_open_builtin(&home->world->env, source_kind_find(STR_LIT("session")), &home->source, NULL), 0);
    assert_int_equal(ask(home, &ann, "s1", 10, &result, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "no sessions"));
}

/* One after the other every allocation fails: an error or the whole row, and nothing is left behind. */
static void failing_allocation_is_an_error_and_no_loss(void **state)
{
    static const struct session_field fields[] = {FIELD("step", "\"address\""), FIELD("cart", "[1,2]")};
    struct home *home = *state;
    bool has_failed = true;
    keep(home, fields, 2);
    for (long nth = 1; has_failed; nth++) {
        struct source_result *result = NULL;
        fail_mem_at(nth);
        int res = ask(home, &ann, "s1", 10, &result, NULL);
        has_failed = !fail_mem_is_pending();
        fail_mem_at(0);
        assert_true(res == 0 || res == ERR_NOMEM);
        if (res == 0) {
            assert_int_equal(result->n_rows, 1);
            assert_cell(result, 0, "step", VALUE_TEXT, "address");
            assert_cell(result, 0, "cart", VALUE_JSON, "[1,2]");
        }
        source_result_free(result);
        assert_true(nth < 1000);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, home_open, home_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(session_is_one_row_of_its_fields),
        CASE(nothing_is_found_for_others_and_where_there_is_nothing),
        CASE(error_says_what_is_wrong),
        CASE(failing_allocation_is_an_error_and_no_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
