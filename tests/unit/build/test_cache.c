/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers that are kept, shared and let go; material for bad days.
 */
#include "fake.h"

#include <stdlib.h>

static const char *const plain = "recipe: test\n"
                                 "budget: { tokens: 500, max: 1000 }\n"
                                 "deadline: 20s\n"
                                 "cache: { ttl: 1m }\n"
                                 "params:\n"
                                 "  user_id: { type: text }\n"
                                 "  a: { type: text }\n"
                                 "  b: { type: text, default: two }\n"
                                 "sections:\n"
                                 "  - { name: one, from: fake, rows: 't={a}{b}', how: down }\n"
                                 "  - { name: other, from: fake, rows: t=2 }\n";

struct asked {
    struct field params[3];
    struct build_request request;
};

static void ask(struct asked *asked, const char *user, const char *a, const char *b)
{
    const char *const names[] = {"user_id", "a", "b"};
    const char *const values[] = {user, a, b};
    asked->request = fake_request();
    asked->request.cache = CACHE_USE;
    asked->request.params = asked->params;
    asked->request.n_params = 0;
    for (size_t i = 0; i < 3; i++)
        if (values[i])
            asked->params[asked->request.n_params++] =
                (struct field){str_of(names[i]), value_text(str_of(values[i]))};
}

static void assert_outcome(struct fixture *fixture, const struct build_request *request, const char *cache)
{
    struct build_outcome outcome;
    struct err_info err = {0};
    assert_int_equal(build_run(fixture->engine, request, &outcome, &err), 0);
    assert_string_equal(build_cache_name(&outcome), cache);
    build_answer_unref(outcome.answer);
}

static void same_request_is_answered_from_the_cache(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    struct build_outcome outcome, again;
    struct err_info err;
    ask(&asked, "ann", "x", NULL);
    fixture_init_with(&fixture, plain, NULL, true);
    assert_int_equal(build_peek(fixture.engine, &asked.request, &outcome, &err), 1);
    assert_int_equal(build_run(fixture.engine, &asked.request, &outcome, &err), 0);
    assert_string_equal(build_cache_name(&outcome), "miss");
    assert_int_equal(build_peek(fixture.engine, &asked.request, &again, &err), 0);
    assert_string_equal(build_cache_name(&again), "hit");
    assert_ptr_equal(outcome.answer, again.answer);
    assert_int_equal(world.n_runs, 2);
    build_answer_unref(outcome.answer);
    build_answer_unref(again.answer);
    struct build_cache_stats stats;
    build_cache_describe(fixture.engine, &stats);
    assert_int_equal(stats.n_entries, 1);
    assert_int_equal(stats.n_hits, 1);
    assert_int_equal(stats.n_misses, 1);
    assert_true(stats.bytes > 0 && stats.bytes <= stats.max_bytes);
    fixture_done(&fixture);
}

static void fallback_given_is_the_same_as_left_out(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    fixture_init_with(&fixture, plain, NULL, true);
    ask(&asked, "ann", "x", NULL);
    assert_outcome(&fixture, &asked.request, "miss");
    ask(&asked, "ann", "x", "two");
    assert_outcome(&fixture, &asked.request, "hit");
    fixture_done(&fixture);
}

/* Every request differs from the first in one thing that shapes the answer, or in where a value ends. */
static void everything_that_shapes_the_answer_is_in_the_key(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked[12];
    static const struct str names[] = {{"one", 3}};
    fixture_init_with(&fixture, plain, NULL, true);
    for (size_t i = 0; i < 12; i++)
        ask(&asked[i], "ann", "a:b", "c");
    ask(&asked[1], "ann", "a", "b:c");
    ask(&asked[2], "ann:a", ":b", "c");
    ask(&asked[3], "ann", "a:bc", "");
    asked[4].request.max_tokens = 400;
    asked[5].request.format = FORMAT_JSON;
    asked[6].request.query = STR_LIT("x");
    asked[7].request.tenant = STR_LIT("other");
    asked[8].request.wants_explain = true;
    asked[9].request.has_sections = true;
    asked[10].request.has_sections = true;
    asked[10].request.sections = names;
    asked[10].request.n_sections = 1;
    ask(&asked[11], NULL, "a:b", "c");
    for (size_t i = 0; i < 12; i++)
        assert_outcome(&fixture, &asked[i].request, "miss");
    for (size_t i = 0; i < 12; i++)
        assert_outcome(&fixture, &asked[i].request, "hit");
    fixture_done(&fixture);
}

static void incomplete_answer_is_not_kept(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    fixture_init_with(&fixture, plain, NULL, true);
    ask(&asked, "ann", "x", NULL);
    world.is_down = true;
    assert_outcome(&fixture, &asked.request, "miss");
    assert_outcome(&fixture, &asked.request, "miss");
    world.is_down = false;
    assert_outcome(&fixture, &asked.request, "miss");
    assert_outcome(&fixture, &asked.request, "hit");
    fixture_done(&fixture);
}

static void degraded_answer_is_not_kept(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    fixture_init_with(&fixture,
                      "recipe: test\ndeadline: 20s\ncache: { ttl: 1m }\nsections:\n"
                      "  - { name: one, from: fake, rows: t=1, how: degraded }\n",
                      NULL, true);
    ask(&asked, NULL, NULL, NULL);
    assert_outcome(&fixture, &asked.request, "miss");
    assert_outcome(&fixture, &asked.request, "miss");
    fixture_done(&fixture);
}

static void expired_answer_is_never_served(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    struct build_cache_stats stats;
    fixture_init_with(&fixture, plain, NULL, true);
    ask(&asked, "ann", "x", NULL);
    assert_outcome(&fixture, &asked.request, "miss");
    clock_manual_advance(&fixture.manual, 59 * US_PER_SEC);
    assert_outcome(&fixture, &asked.request, "hit");
    clock_manual_advance(&fixture.manual, US_PER_SEC);
    assert_outcome(&fixture, &asked.request, "miss");
    build_cache_describe(fixture.engine, &stats);
    assert_int_equal(stats.n_expired, 1);
    fixture_done(&fixture);
}

static void refresh_builds_and_replaces_and_off_does_neither(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    fixture_init_with(&fixture, plain, NULL, true);
    ask(&asked, "ann", "x", NULL);
    asked.request.cache = CACHE_OFF;
    assert_outcome(&fixture, &asked.request, "off");
    asked.request.cache = CACHE_USE;
    assert_outcome(&fixture, &asked.request, "miss");
    clock_manual_advance(&fixture.manual, 40 * US_PER_SEC);
    asked.request.cache = CACHE_REFRESH;
    assert_outcome(&fixture, &asked.request, "miss");
    clock_manual_advance(&fixture.manual, 40 * US_PER_SEC);
    asked.request.cache = CACHE_USE;
    assert_outcome(&fixture, &asked.request, "hit");
    asked.request.cache = CACHE_OFF;
    assert_outcome(&fixture, &asked.request, "off");
    assert_int_equal(world.n_runs, 8);
    fixture_done(&fixture);
}

static void recipe_without_ttl_is_not_cached(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    fixture_init_with(&fixture,
                      "recipe: test\ndeadline: 20s\ncache: { ttl: 0s }\nsections:\n  - { name: a, from: "
                      "fake, rows: t=1 }\n",
                      NULL, true);
    ask(&asked, NULL, NULL, NULL);
    assert_outcome(&fixture, &asked.request, "off");
    assert_outcome(&fixture, &asked.request, "off");
    fixture_done(&fixture);
}

static void clear_drops_expired_or_all_of_one_tenant(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked, foreign;
    fixture_init_with(&fixture, plain, NULL, true);
    ask(&asked, "ann", "x", NULL);
    ask(&foreign, "ann", "x", NULL);
    foreign.request.tenant = STR_LIT("other");
    assert_outcome(&fixture, &asked.request, "miss");
    assert_outcome(&fixture, &foreign.request, "miss");
    assert_int_equal(build_cache_clear(fixture.engine, STR_LIT("acme"), false), 0);
    assert_int_equal(build_cache_clear(fixture.engine, STR_LIT("acme"), true), 1);
    assert_outcome(&fixture, &foreign.request, "hit");
    assert_outcome(&fixture, &asked.request, "miss");
    clock_manual_advance(&fixture.manual, 61 * US_PER_SEC);
    assert_int_equal(build_cache_clear(fixture.engine, STR_LIT("other"), false), 1);
    fixture_done(&fixture);
}

/* ---- invalidation by a write of the user's own ---- */

static void write_of_the_user_makes_his_answers_old_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked ann, ben;
    struct err_info err = {0};
    char folder[] = "/tmp/precis-cache-XXXXXX", url[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(url, sizeof url, "sqlite:%s/precis.db", folder);
    struct store *store;
    struct source_env env = {.clock = &clock_system};
    struct store_options store_options = {.url = url, .may_create = true, .clock = &clock_system};
    if (store_open(&store_options, &store, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(memory_new(store, &clock_system, NULL, &env.memory, &err), 0);
    struct build_options options = {
        .env = &env, .max_cache_bytes = 8 << 20, .max_cache_entries = 100, .cache_ttl_us = -1};
    fixture_init_with(&fixture, plain, &options, false);

    ask(&ann, "ann", "x", NULL);
    ask(&ben, "ben", "x", NULL);
    assert_outcome(&fixture, &ann.request, "miss");
    assert_outcome(&fixture, &ann.request, "hit");
    struct scope scope = {STR_LIT("acme"), STR_LIT("ann")};
    struct preference preference = {.key = STR_LIT("tea"), .value = STR_LIT("true")};
    assert_int_equal(preference_set(env.memory, &scope, &preference, &err), 0);
    struct build_outcome outcome;
    assert_int_equal(build_peek(fixture.engine, &ann.request, &outcome, &err), 1);
    assert_outcome(&fixture, &ann.request, "miss");
    assert_outcome(&fixture, &ann.request, "hit");

    fixture_done(&fixture);
    memory_free(env.memory);
    store_close(store);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* ---- material for bad days ---- */

static const char *const with_stale = "recipe: test\n"
                                      "deadline: 20s\n"
                                      "cache: { ttl: 1s, stale: 1h }\n"
                                      "params:\n"
                                      "  user_id: { type: text }\n"
                                      "  a: { type: text }\n"
                                      "  b: { type: text }\n"
                                      "sections:\n"
                                      "  - { name: one, from: fake, rows: 't={a}', how: down }\n"
                                      "  - { name: other, from: fake, rows: t=2 }\n";

static void failed_source_is_stood_in_for_by_what_it_said_before(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    struct build_outcome outcome;
    struct err_info err;
    fixture_init_with(&fixture, with_stale, NULL, true);
    ask(&asked, "ann", "x", NULL);
    assert_outcome(&fixture, &asked.request, "miss");
    clock_manual_advance(&fixture.manual, 60 * US_PER_SEC);
    world.is_down = true;
    assert_int_equal(build_run(fixture.engine, &asked.request, &outcome, &err), 0);
    assert_string_equal(build_cache_name(&outcome), "stale");
    assert_status(outcome.answer, "one", SECTION_STALE);
    assert_status(outcome.answer, "other", SECTION_OK);
    assert_text(report_of(outcome.answer, "one")->error, "fake: no such table");
    assert_text(outcome.answer->context, "- x\n\n- 2");
    assert_false(outcome.answer->is_complete);
    build_answer_unref(outcome.answer);
    /* What is stale is not kept as an answer. */
    assert_outcome(&fixture, &asked.request, "stale");
    fixture_done(&fixture);
}

static void material_of_others_or_too_old_does_not_stand_in(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    fixture_init_with(&fixture, with_stale, NULL, true);
    ask(&asked, "ann", "x", NULL);
    assert_outcome(&fixture, &asked.request, "miss");
    clock_manual_advance(&fixture.manual, 2 * US_PER_SEC);
    world.is_down = true;
    ask(&asked, "ben", "x", NULL);
    assert_outcome(&fixture, &asked.request, "miss");
    ask(&asked, "ann", "y", NULL);
    assert_outcome(&fixture, &asked.request, "miss");
    ask(&asked, "ann", "x", NULL);
    asked.request.tenant = STR_LIT("other");
    assert_outcome(&fixture, &asked.request, "miss");
    ask(&asked, "ann", "x", NULL);
    assert_outcome(&fixture, &asked.request, "stale");
    clock_manual_advance(&fixture.manual, 3600 * US_PER_SEC);
    assert_outcome(&fixture, &asked.request, "miss");
    fixture_done(&fixture);
}

static void cache_off_neither_keeps_nor_uses_material(void **state)
{
    (void)state;
    struct fixture fixture;
    struct asked asked;
    fixture_init_with(&fixture, with_stale, NULL, true);
    ask(&asked, "ann", "x", NULL);
    asked.request.cache = CACHE_OFF;
    assert_outcome(&fixture, &asked.request, "off");
    world.is_down = true;
    asked.request.cache = CACHE_USE;
    assert_outcome(&fixture, &asked.request, "miss");
    world.is_down = false;
    assert_outcome(&fixture, &asked.request, "miss");
    world.is_down = true;
    asked.request.cache = CACHE_OFF;
    assert_outcome(&fixture, &asked.request, "off");
    asked.request.cache = CACHE_REFRESH;
    assert_outcome(&fixture, &asked.request, "stale");
    fixture_done(&fixture);
}

/* ---- single flight ---- */

#define N_THREADS 6

struct flyer {
    struct fixture *fixture;
    struct asked asked;
    pthread_t thread;
    int rc;
    bool is_complete;
};

static void *fly(void *arg)
{
    struct flyer *flyer = arg;
    struct build_outcome outcome;
    flyer->rc = build_run(flyer->fixture->engine, &flyer->asked.request, &outcome, NULL);
    if (flyer->rc == 0) {
        flyer->is_complete = outcome.answer->is_complete;
        build_answer_unref(outcome.answer);
    }
    return NULL;
}

static void start_flyers(struct flyer *flyers, struct fixture *fixture)
{
    for (size_t i = 0; i < N_THREADS; i++) {
        flyers[i].fixture = fixture;
        ask(&flyers[i].asked, "ann", "x", NULL);
        assert_int_equal(pthread_create(&flyers[i].thread, NULL, fly, &flyers[i]), 0);
    }
}

static void join_flyers(struct flyer *flyers)
{
    for (size_t i = 0; i < N_THREADS; i++)
        pthread_join(flyers[i].thread, NULL);
}

static void open_the_gate(void)
{
    pthread_mutex_lock(&world.lock);
    while (world.n_runs == 0)
        pthread_cond_wait(&world.changed, &world.lock);
    world.is_open = true;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
}

/* Whoever comes while the first builds, or after, gets its answer: the source is asked once. */
static void identical_requests_share_one_build(void **state)
{
    (void)state;
    struct fixture fixture;
    struct flyer flyers[N_THREADS];
    struct build_cache_stats stats;
    fixture_init(&fixture, "recipe: test\ndeadline: 20s\ncache: { ttl: 1m }\n"
                           "params: { user_id: { type: text }, a: { type: text } }\n"
                           "sections:\n  - { name: one, from: fake, rows: t=1, how: held }\n");
    start_flyers(flyers, &fixture);
    open_the_gate();
    join_flyers(flyers);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(flyers[i].rc, 0);
        assert_true(flyers[i].is_complete);
    }
    assert_int_equal(world.n_runs, 1);
    build_cache_describe(fixture.engine, &stats);
    assert_int_equal(stats.n_misses, 1);
    assert_int_equal(stats.n_hits + stats.n_shared, N_THREADS - 1);
    fixture_done(&fixture);
}

/* A required section fails for every one of them: each hears it, nobody hangs, nobody gets another's error as
 * an answer. */
static void failing_leader_leaves_nobody_waiting(void **state)
{
    (void)state;
    struct fixture fixture;
    struct flyer flyers[N_THREADS];
    fixture_init(&fixture, "recipe: test\ndeadline: 20s\ncache: { ttl: 1m }\n"
                           "params: { user_id: { type: text }, a: { type: text } }\n"
                           "sections:\n  - { name: one, from: fake, how: fail, require: true }\n");
    start_flyers(flyers, &fixture);
    join_flyers(flyers);
    for (size_t i = 0; i < N_THREADS; i++)
        assert_int_equal(flyers[i].rc, ERR_UNAVAILABLE);
    fixture_done(&fixture);
}

/* The leader may take 60 seconds, which who has one second does not wait for. */
static void short_deadline_does_not_wait_for_a_long_flight(void **state)
{
    (void)state;
    struct fixture fixture;
    struct flyer leader = {.fixture = &fixture};
    struct asked asked;
    struct build_outcome outcome;
    struct err_info err;
    fixture_init(&fixture, "recipe: test\ndeadline: 60s\ncache: { ttl: 1m }\n"
                           "params: { user_id: { type: text }, a: { type: text } }\n"
                           "sections:\n  - { name: one, from: fake, rows: t=1, how: held }\n"
                           "  - { name: two, from: fake, rows: t=2 }\n");
    ask(&leader.asked, "ann", "x", NULL);
    ask(&asked, "ann", "x", NULL);
    asked.request.deadline_ms = 100;
    assert_int_equal(pthread_create(&leader.thread, NULL, fly, &leader), 0);
    pthread_mutex_lock(&world.lock);
    while (world.n_runs < 2)
        pthread_cond_wait(&world.changed, &world.lock);
    pthread_mutex_unlock(&world.lock);
    assert_int_equal(build_run(fixture.engine, &asked.request, &outcome, &err), 0);
    assert_status(outcome.answer, "one", SECTION_TIMEOUT);
    assert_status(outcome.answer, "two", SECTION_OK);
    build_answer_unref(outcome.answer);
    open_the_gate();
    pthread_join(leader.thread, NULL);
    assert_true(leader.is_complete);
    fixture_done(&fixture);
}

/* Of requests that come at once the one that leads may have been asked for last: nobody asks a second time
 * for that. The gate stays shut, so that a second question would be seen. */
static void follower_with_a_little_less_time_joins(void **state)
{
    (void)state;
    struct fixture fixture;
    struct flyer leader = {.fixture = &fixture}, follower = {.fixture = &fixture};
    fixture_init(&fixture, "recipe: test\ncache: { ttl: 1m }\n"
                           "params: { user_id: { type: text }, a: { type: text } }\n"
                           "sections:\n  - { name: one, from: fake, rows: t=1, how: held }\n");
    ask(&leader.asked, "ann", "x", NULL);
    ask(&follower.asked, "ann", "x", NULL);
    leader.asked.request.deadline_ms = 3000;
    follower.asked.request.deadline_ms = 2800;
    assert_int_equal(pthread_create(&leader.thread, NULL, fly, &leader), 0);
    pthread_mutex_lock(&world.lock);
    while (world.n_runs == 0)
        pthread_cond_wait(&world.changed, &world.lock);
    pthread_mutex_unlock(&world.lock);
    (void)fly(&follower);
    pthread_join(leader.thread, NULL);
    assert_int_equal(world.n_runs, 1);
    assert_int_equal(follower.rc, 0);
    assert_false(follower.is_complete);
    open_the_gate();
    fixture_done(&fixture);
}

/* ---- everything at once ---- */

static void *hammer(void *arg)
{
    struct flyer *flyer = arg;
    static const char *const values[] = {"p", "q", "r", "s", "t"};
    for (size_t i = 0; i < 60; i++) {
        struct asked asked;
        struct build_outcome outcome;
        ask(&asked, "ann", values[(i * 7 + (size_t)flyer->rc) % 5], NULL);
        asked.request.cache = (enum build_cache_use)(i % 11 == 0 ? CACHE_REFRESH : CACHE_USE);
        bool is_found = build_peek(flyer->fixture->engine, &asked.request, &outcome, NULL) == 0;
        if (is_found || build_run(flyer->fixture->engine, &asked.request, &outcome, NULL) == 0) {
            flyer->is_complete &= outcome.answer->is_complete;
            build_answer_unref(outcome.answer);
        }
        if (i % 17 == 0)
            (void)build_cache_clear(flyer->fixture->engine, STR_LIT("acme"), i % 2);
    }
    return NULL;
}

static void many_threads_read_write_and_clear_together(void **state)
{
    (void)state;
    struct fixture fixture;
    struct flyer flyers[4];
    struct build_cache_stats stats;
    struct source_env env = {0};
    struct build_options options = {
        .env = &env, .max_cache_bytes = 4 << 20, .max_cache_entries = 3, .cache_ttl_us = -1};
    fixture_init_with(&fixture, plain, &options, false);
    for (int i = 0; i < 4; i++) {
        flyers[i] = (struct flyer){.fixture = &fixture, .rc = i, .is_complete = true};
        assert_int_equal(pthread_create(&flyers[i].thread, NULL, hammer, &flyers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(flyers[i].thread, NULL);
        assert_true(flyers[i].is_complete);
    }
    build_cache_describe(fixture.engine, &stats);
    assert_true(stats.n_entries <= 3);
    fixture_done(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_request_is_answered_from_the_cache),
        cmocka_unit_test(fallback_given_is_the_same_as_left_out),
        cmocka_unit_test(everything_that_shapes_the_answer_is_in_the_key),
        cmocka_unit_test(incomplete_answer_is_not_kept),
        cmocka_unit_test(degraded_answer_is_not_kept),
        cmocka_unit_test(expired_answer_is_never_served),
        cmocka_unit_test(refresh_builds_and_replaces_and_off_does_neither),
        cmocka_unit_test(recipe_without_ttl_is_not_cached),
        cmocka_unit_test(clear_drops_expired_or_all_of_one_tenant),
        cmocka_unit_test(write_of_the_user_makes_his_answers_old_at_once),
        cmocka_unit_test(failed_source_is_stood_in_for_by_what_it_said_before),
        cmocka_unit_test(material_of_others_or_too_old_does_not_stand_in),
        cmocka_unit_test(cache_off_neither_keeps_nor_uses_material),
        cmocka_unit_test(identical_requests_share_one_build),
        cmocka_unit_test(failing_leader_leaves_nobody_waiting),
        cmocka_unit_test(short_deadline_does_not_wait_for_a_long_flight),
        cmocka_unit_test(follower_with_a_little_less_time_joins),
        cmocka_unit_test(many_threads_read_write_and_clear_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
