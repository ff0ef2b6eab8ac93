/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that come again in the same bytes.
 */
#include "fake.h"

#include <stdlib.h>

static const char *const plain = "recipe: test\n"
                                 "budget: { tokens: 500, max: 1000 }\n"
                                 "deadline: 20s\n"
                                 "cache: { ttl: 1m }\n"
                                 "params:\n"
                                 "  user_id: { type: text, required: true }\n"
                                 "sections:\n"
                                 "  - { name: one, from: fake, rows: 't={user_id}' }\n";

static const struct str bytes = {"{\"recipe\":\"test\"}", 17}; /* whatever they are: nobody reads them */

struct asked {
    struct field user;
    struct build_request request;
};

static void ask(struct asked *asked, const char *tenant)
{
    asked->user = (struct field){STR_LIT("user_id"), value_text(STR_LIT("ann"))};
    asked->request = fake_request();
    asked->request.tenant = str_of(tenant);
    asked->request.cache = CACHE_USE;
    asked->request.params = &asked->user;
    asked->request.n_params = 1;
    asked->request.bytes = bytes;
}

static void build_once(struct fixture *fixture, const struct build_request *request)
{
    struct build_outcome outcome;
    struct err_info err = {0};
    assert_int_equal(build_run(fixture->engine, request, &outcome, &err), 0);
    build_answer_unref(outcome.answer);
}

static int peek(struct fixture *fixture, const struct build_request *request)
{
    struct build_outcome outcome;
    struct err_info err = {0};
    int rc = build_peek(fixture->engine, request, &outcome, &err);
    if (rc == 0)
        build_answer_unref(outcome.answer);
    return rc;
}

static bool is_recalled(struct build_engine *engine, const char *tenant, struct str body)
{
    struct build_outcome outcome;
    if (build_recall(engine, str_of(tenant), body, &outcome) != 0)
        return false;
    assert_string_equal(build_cache_name(&outcome), "hit");
    build_answer_unref(outcome.answer);
    return true;
}

static void bytes_are_recalled_once_they_were_answered_from_the_cache(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    struct build_cache_stats stats;
    fixture_init_with(&fixture, plain, NULL, true);
    ask(&asked, "acme");
    assert_false(is_recalled(fixture.engine, "acme", bytes));
    build_once(&fixture, &asked.request);
    assert_int_equal(peek(&fixture, &asked.request), 0);
    assert_true(is_recalled(fixture.engine, "acme", bytes));
    build_cache_describe(fixture.engine, &stats);
    assert_int_equal(stats.n_hits, 2);
    assert_false(is_recalled(fixture.engine, "acme", STR_LIT("{\"recipe\":\"test\"} ")));
    fixture_done(&fixture);
}

static void bytes_of_one_tenant_say_nothing_to_another(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    fixture_init_with(&fixture, plain, NULL, true);
    ask(&asked, "acme");
    build_once(&fixture, &asked.request);
    assert_int_equal(peek(&fixture, &asked.request), 0);
    assert_false(is_recalled(fixture.engine, "other", bytes));
    assert_false(is_recalled(fixture.engine, "", bytes));
    assert_false(is_recalled(fixture.engine, "acme{", str_slice(bytes, 1, bytes.len)));
    fixture_done(&fixture);
}

static void expired_or_cleared_answers_are_not_recalled(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    fixture_init_with(&fixture, plain, NULL, true);
    ask(&asked, "acme");
    build_once(&fixture, &asked.request);
    assert_int_equal(peek(&fixture, &asked.request), 0);
    clock_manual_advance(&fixture.manual, 61 * US_PER_SEC);
    assert_false(is_recalled(fixture.engine, "acme", bytes));
    build_once(&fixture, &asked.request);
    assert_true(is_recalled(fixture.engine, "acme", bytes));
    assert_int_equal(build_cache_clear(fixture.engine, STR_LIT("acme"), true), 1);
    assert_false(is_recalled(fixture.engine, "acme", bytes));
    fixture_done(&fixture);
}

static void requests_around_the_cache_leave_no_note(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    fixture_init_with(&fixture, plain, NULL, true);
    ask(&asked, "acme");
    build_once(&fixture, &asked.request);
    asked.request.cache = CACHE_REFRESH;
    assert_int_equal(peek(&fixture, &asked.request), 1);
    asked.request.cache = CACHE_OFF;
    assert_int_equal(peek(&fixture, &asked.request), 1);
    assert_false(is_recalled(fixture.engine, "acme", bytes));
    fixture_done(&fixture);
}

static void write_of_the_user_ends_the_recall(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    struct err_info err = {0};
    char folder[] = "/tmp/precis-recall-XXXXXX", url[64], command[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(url, sizeof url, "sqlite:%s/precis.db", folder);
    struct store *store;
    struct source_env env = {.clock = &clock_system};
    struct store_options store_options = {.url = url, .may_create = true, .clock = &clock_system};
    assert_int_equal(store_open(&store_options, &store, &err), 0);
    assert_int_equal(memory_new(store, &clock_system, NULL, &env.memory, &err), 0);
    struct build_options options = {
        .env = &env, .max_cache_bytes = 8 << 20, .max_cache_entries = 100, .cache_ttl_us = -1};
    fixture_init_with(&fixture, plain, &options, false);

    ask(&asked, "acme");
    build_once(&fixture, &asked.request);
    assert_int_equal(peek(&fixture, &asked.request), 0);
    assert_true(is_recalled(fixture.engine, "acme", bytes));
    struct scope scope = {STR_LIT("acme"), STR_LIT("ann")};
    struct preference preference = {.key = STR_LIT("tea"), .value = STR_LIT("true")};
    assert_int_equal(preference_set(env.memory, &scope, &preference, &err), 0);
    assert_false(is_recalled(fixture.engine, "acme", bytes));

    fixture_done(&fixture);
    memory_free(env.memory);
    store_close(store);
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_recalled_once_they_were_answered_from_the_cache),
        cmocka_unit_test(bytes_of_one_tenant_say_nothing_to_another),
        cmocka_unit_test(expired_or_cleared_answers_are_not_recalled),
        cmocka_unit_test(requests_around_the_cache_leave_no_note),
        cmocka_unit_test(write_of_the_user_ends_the_recall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
