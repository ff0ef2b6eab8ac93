/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of kinds, the life of a fetch, and kind `text`.
 */
#include "source/source.h"

#include "../fail_mem.h"
#include "world.h"

static void kinds_are_found_by_name_and_scheme(void **state)
{
    (void)state;
    for (const struct source_ops *const *kind = source_kinds(); *kind; kind++) {
        /* Several kinds of databases are `sql`: a URL tells them apart. */
        assert_string_equal(source_kind_find(str_of((*kind)->kind))->kind, (*kind)->kind);
        assert_false((*kind)->on_run && (*kind)->on_start); /* blocking or polled, never both */
        assert_true((*kind)->on_run || (*kind)->on_start || (*kind)->on_now);
        for (const struct source_setting *setting = (*kind)->settings; setting->name; setting++)
            assert_non_null(setting->about);
    }
    assert_string_equal(source_kind_for_url(STR_LIT("sqlite:/x.db"))->kind, "sql");
    assert_string_equal(source_kind_for_url(STR_LIT("SQLite:x"))->kind, "sql");
    assert_string_equal(source_kind_for_url(STR_LIT("postgresql://h/db"))->kind, "sql");
    assert_ptr_not_equal(source_kind_for_url(STR_LIT("postgres://h/db")),
                         source_kind_for_url(STR_LIT("sqlite:x")));
    assert_null(source_kind_for_url(STR_LIT("gopher://x")));
    assert_null(source_kind_for_url(STR_LIT("sqlite")));
    assert_null(source_kind_for_url(STR_LIT("")));
    assert_null(source_kind_find(STR_LIT("sq")));
}

static void unknown_scheme_is_named_without_the_secret(void **state)
{
    struct world *world = *state;
    struct source *source = NULL;
    struct err_info err = {0};

    assert_int_equal(
        source_open(&world->env,
                    &(struct source_options){.name = "main", .url = STR_LIT("gopher://me:hunter2@host")},
                    &source, &err),
        ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "gopher"));
    assert_null(strstr(err.message, "hunter2"));
    assert_string_equal(err.field, "main");
    assert_int_equal(source_open(&world->env,
                                 &(struct source_options){.name = "main", .url = STR_LIT("just-a-name")},
                                 &source, &err),
                     ERR_INVALID);
    assert_null(source);
}

static int ask_text(struct world *world, struct source *source, const char *text,
                    struct source_result **ret_result)
{
    struct value setting = text ? value_text(str_of(text)) : value_null();
    struct source_request request = {.settings = &setting, .max_rows = 10, .deadline_us = INT64_MAX};
    return world_fetch(world, source, &request, ret_result, NULL);
}

static void text_answers_without_a_worker(void **state)
{
    struct world *world = *state;
    struct source_env env = {.clock = &clock_system}; /* no workers to run on */
    struct source *source = NULL;
    struct source_result *result = NULL;

    assert_int_equal(source_open_builtin(&env, source_kind_find(STR_LIT("text")), &source, NULL), 0);
    assert_string_equal(source_name(source), "text");
    assert_int_equal(ask_text(world, source, "Be brief.", &result), 0);
    assert_int_equal(result->n_rows, 1);
    assert_cell(result, 0, "text", VALUE_TEXT, "Be brief.");
    source_result_free(result);

    assert_int_equal(ask_text(world, source, "", &result), 0);
    assert_int_equal(result->n_rows, 0);
    source_result_free(result);
    assert_int_equal(ask_text(world, source, NULL, &result), 0);
    assert_int_equal(result->n_rows, 0);
    source_result_free(result);
    source_close(source);
}

static void text_that_nobody_waited_for_is_freed(void **state)
{
    struct world *world = *state;
    struct source *source = NULL;
    struct value setting = value_text(STR_LIT("x"));
    struct source_request request = {.settings = &setting, .max_rows = 1, .deadline_us = INT64_MAX};
    struct source_fetch fetch = {.op.owner = world};

    assert_int_equal(source_open_builtin(&world->env, source_kind_find(STR_LIT("text")), &source, NULL), 0);
    assert_int_equal(source_fetch_start(source, &request, world->loop, &fetch, NULL), 0);
    assert_ptr_equal(fetch.op.owner, world);
    world->loop = net_loop_free(world->loop);
    assert_null(fetch.result);
    source_close(source);
}

static void failed_allocation_is_a_clean_error(void **state)
{
    struct world *world = *state;
    struct source *source = NULL;
    struct source_result *result = NULL;
    struct err_info err;
    bool is_pending = false;

    for (long n = 1; !is_pending; n++) {
        err = (struct err_info){0};
        fail_mem_at(n);
        int res = source_open_builtin(&world->env, source_kind_find(STR_LIT("text")), &source, &err);
        is_pending = fail_mem_is_pending();
        fail_mem_at(0);
        assert_int_equal(res, is_pending ? 0 : ERR_NOMEM);
        assert_true(is_pending || err.message[0]);
    }
    is_pending = false;
    for (long n = 1; !is_pending; n++) {
        fail_mem_at(n);
        int res = ask_text(world, source, "Be brief.", &result);
        is_pending = fail_mem_is_pending();
        fail_mem_at(0);
        assert_true(res == 0 || res == ERR_NOMEM);
        source_result_free(result);
    }
    source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_found_by_name_and_scheme),
        cmocka_unit_test_setup_teardown(unknown_scheme_is_named_without_the_secret, world_open, world_close),
        cmocka_unit_test_setup_teardown(text_answers_without_a_worker, world_open, world_close),
        cmocka_unit_test_setup_teardown(text_that_nobody_waited_for_is_freed, world_open, world_close),
        cmocka_unit_test_setup_teardown(failed_allocation_is_a_clean_error, world_open, world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
