/* SPDX-License-Identifier: Apache-2.0
 *
 * The second level of the cache: what one server built another finds; a write through either makes it old;
 * and whatever stands in Redis instead is not used.
 */
#include "../backend.h"
#include "fake.h"

#include <sched.h>
#include <stdlib.h>

static const char *const plain = "recipe: test\n"
                                 "budget: { tokens: 500, max: 1000 }\n"
                                 "deadline: 20s\n"
                                 "cache: { ttl: 1m }\n"
                                 "params:\n"
                                 "  user_id: { type: text }\n"
                                 "  a: { type: text }\n"
                                 "sections:\n"
                                 "  - { name: one, title: One, from: fake, rows: 't={a}', how: down }\n"
                                 "  - { name: other, from: fake, rows: t=2 }\n";

/* A server: its own handle of the store, its own engine and connections to Redis. */
struct one {
    struct store *store;
    struct memory *memory;
    struct workers *connectors;
    struct redis_client *client;
    struct fixture fixture;
};

struct pair {
    char folder[32], prefix[48];
    struct one servers[2];
    struct arena arena;
};

static void open_one(struct pair *pair, struct one *one, const char *redis_url, const char *fingerprint)
{
    char url[96];
    struct err_info err = {0};
    (void)snprintf(url, sizeof url, "sqlite:%s/precis.db", pair->folder);
    const struct store_options store = {.url = url, .may_create = true, .clock = &clock_system};
    if (store_open(&store, &one->store, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(memory_new(one->store, &clock_system, NULL, &one->memory, &err), 0);
    assert_int_equal(workers_new("connect", 2, 16, &one->connectors, &err), 0);
    const struct redis_client_options client = {.url = str_of(redis_url),
                                                .prefix = pair->prefix,
                                                .connectors = one->connectors,
                                                .clock = &clock_system};
    if (redis_client_new(&client, &one->client, &err) != 0)
        fail_msg("%s", err.message);
    struct source_env env = {.clock = &clock_system, .memory = one->memory};
    const struct build_options options = {.env = &env,
                                          .max_cache_bytes = 8 << 20,
                                          .max_cache_entries = 100,
                                          .cache_ttl_us = -1,
                                          .shared = one->client,
                                          .shared_wait_us = 20 * US_PER_SEC,
                                          .fingerprint = str_of(fingerprint)};
    fixture_init_with(&one->fixture, plain, &options, false);
}

static void close_one(struct one *one)
{
    fixture_done(&one->fixture);
    redis_client_free(one->client);
    workers_free(one->connectors);
    memory_free(one->memory);
    store_close(one->store);
}

static void pair_open(struct pair *pair, const char *redis_url)
{
    static int n_pairs;
    memset(pair, 0, sizeof *pair);
    arena_init(&pair->arena, 16 * 1024 * 1024);
    (void)snprintf(pair->prefix, sizeof pair->prefix, "precis:far:%d:%d:", (int)getpid(), n_pairs++);
    (void)snprintf(pair->folder, sizeof pair->folder, "/tmp/precis-far-XXXXXX");
    assert_non_null(mkdtemp(pair->folder));
    for (int i = 0; i < 2; i++)
        open_one(pair, &pair->servers[i], redis_url, "same");
}

static void pair_close(struct pair *pair)
{
    char command[64];
    for (int i = 0; i < 2; i++)
        close_one(&pair->servers[i]);
    (void)snprintf(command, sizeof command, "rm -r %s", pair->folder);
    assert_int_equal(system(command), 0);
    arena_done(&pair->arena);
}

static struct build_cache_stats stats_of(struct one *one)
{
    struct build_cache_stats stats;
    build_cache_describe(one->fixture.engine, &stats);
    return stats;
}

/* Builds for tenant, user and a; returns the text, and says how the cache served it. */
static struct str build(struct pair *pair, struct one *one, const char *tenant, const char *user,
                        const char *a, const char *cache)
{
    const struct field params[] = {{STR_LIT("user_id"), value_text(str_of(user))},
                                   {STR_LIT("a"), value_text(str_of(a))}};
    struct build_request request = fake_request();
    struct build_outcome outcome;
    struct err_info err = {0};
    request.tenant = str_of(tenant);
    request.cache = CACHE_USE;
    request.params = params;
    request.n_params = 2;
    if (build_run(one->fixture.engine, &request, &outcome, &err) != 0)
        fail_msg("%s", err.message);
    assert_string_equal(build_cache_name(&outcome), cache);
    struct buf json;
    buf_init(&json, 1024 * 1024);
    outcome.took_us = 0;
    build_outcome_write_json(&outcome, STR_LIT("id"), &json);
    struct json *root = NULL;
    assert_int_equal(json_parse(buf_str(&json), 32, &root, &err), 0);
    assert_int_equal(json_count(json_member(root, "sections")), 2);
    assert_int_equal(outcome.answer->n_sections, 2);
    json_free(root);
    buf_done(&json);
    struct str text = arena_copy(&pair->arena, outcome.answer->context);
    build_answer_unref(outcome.answer);
    return text;
}

/* A build that is not in the first level, and its entry in the second. */
static struct str build_and_wait(struct pair *pair, struct one *one, const char *tenant, const char *user,
                                 const char *a)
{
    uint64_t n_before = stats_of(one).n_far_written;
    struct str text = build(pair, one, tenant, user, a, "miss");
    while (stats_of(one).n_far_written == n_before)
        sched_yield(); /* the writer is on its way; the test's own deadline watches */
    return text;
}

static struct resp call(struct pair *pair, const struct str *words, size_t n)
{
    struct resp reply;
    struct err_info err = {0};
    if (redis_client_call(pair->servers[0].client, words, n, clock_mono_us(&clock_system) + 20 * US_PER_SEC,
                          &pair->arena, &reply, &err) < 0)
        fail_msg("%s", err.message);
    if (reply.kind == RESP_ERROR)
        fail_msg("%.*s", STR_ARG(reply.text));
    return reply;
}

#define CALL(pair, ...)                                                                                      \
    call((pair), (struct str[]){__VA_ARGS__}, sizeof((struct str[]){__VA_ARGS__}) / sizeof(struct str))

static struct resp keys_of(struct pair *pair, const char *of)
{
    char pattern[96];
    (void)snprintf(pattern, sizeof pattern, "%scontext_cache:%s*", pair->prefix, of);
    struct resp reply = CALL(pair, STR_LIT("KEYS"), str_of(pattern));
    return reply;
}

static void what_one_server_built_another_finds(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, backend_fact("REDIS", "URL"));
    struct str text = build_and_wait(&pair, &pair.servers[0], "acme", "ann", "x");
    int n_runs = world.n_runs;
    assert_true(str_eq(build(&pair, &pair.servers[1], "acme", "ann", "x", "hit"), text));
    assert_int_equal(world.n_runs, n_runs);
    assert_int_equal(stats_of(&pair.servers[1]).n_far_hits, 1);
    assert_true(str_eq(build(&pair, &pair.servers[1], "acme", "ann", "x", "hit"), text));
    assert_int_equal(stats_of(&pair.servers[1]).n_far_hits, 1); /* the first level has it now */
    assert_int_equal(stats_of(&pair.servers[0]).n_far_misses, 1);
    assert_int_equal(stats_of(&pair.servers[0]).n_far_refused, 0); /* nothing there is nothing foreign */
    struct resp keys = keys_of(&pair, "");
    assert_int_equal(keys.n, 1);
    int64_t ms = CALL(&pair, STR_LIT("PTTL"), keys.items[0].text).integer;
    assert_true(ms > 0 && ms <= 60001);
    pair_close(&pair);
}

static void a_write_through_either_makes_it_old_for_both(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, backend_fact("REDIS", "URL"));
    const struct scope scope = {STR_LIT("acme"), STR_LIT("ann")};
    const struct preference preference = {.key = STR_LIT("tea"), .value = STR_LIT("true")};
    for (int writer = 0; writer < 2; writer++) {
        (void)build_and_wait(&pair, &pair.servers[0], "acme", "ann", "x");
        (void)build(&pair, &pair.servers[1], "acme", "ann", "x", "hit");
        assert_int_equal(preference_set(pair.servers[writer].memory, &scope, &preference, NULL), 0);
        (void)build_and_wait(&pair, &pair.servers[1], "acme", "ann", "x");
        (void)build(&pair, &pair.servers[0], "acme", "ann", "x", "hit");
        assert_int_equal(preference_set(pair.servers[writer].memory, &scope, &preference, NULL), 0);
    }
    pair_close(&pair);
}

static void tenants_users_and_configurations_do_not_meet(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, backend_fact("REDIS", "URL"));
    (void)build_and_wait(&pair, &pair.servers[0], "acme", "ann", "x");
    (void)build_and_wait(&pair, &pair.servers[1], "other", "ann", "x");
    (void)build_and_wait(&pair, &pair.servers[1], "acme", "ben", "x");
    (void)build_and_wait(&pair, &pair.servers[1], "acme", "ann", "y");
    (void)build_and_wait(&pair, &pair.servers[1], "acme:ann", "", "x");
    assert_int_equal(keys_of(&pair, "").n, 5);
    assert_int_equal(keys_of(&pair, "4:acme:").n, 3); /* every key says whose it is */
    assert_int_equal(keys_of(&pair, "5:other:").n, 1);
    assert_int_equal(keys_of(&pair, "8:acme:ann:").n, 1);
    close_one(&pair.servers[1]);
    open_one(&pair, &pair.servers[1], backend_fact("REDIS", "URL"), "another");
    (void)build(&pair, &pair.servers[1], "acme", "ann", "x", "miss");
    pair_close(&pair);
}

static void what_lacks_something_is_not_written(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, backend_fact("REDIS", "URL"));
    world.is_down = true;
    (void)build(&pair, &pair.servers[0], "acme", "ann", "x", "miss");
    world.is_down = false;
    (void)build_and_wait(&pair, &pair.servers[0], "acme", "ann", "y"); /* behind it in the writer's line */
    assert_int_equal(stats_of(&pair.servers[0]).n_far_written, 1);
    (void)build(&pair, &pair.servers[1], "acme", "ann", "x", "miss");
    pair_close(&pair);
}

static void cleared_is_cleared_for_all_servers(void **state)
{
    (void)state;
    struct pair pair;
    struct err_info err = {0};
    pair_open(&pair, backend_fact("REDIS", "URL"));
    (void)build_and_wait(&pair, &pair.servers[0], "acme", "ann", "x");
    (void)build_and_wait(&pair, &pair.servers[0], "other", "ann", "x");
    assert_int_equal(build_cache_clear_far(pair.servers[0].fixture.engine, STR_LIT("acme"), &err), 0);
    (void)build(&pair, &pair.servers[1], "acme", "ann", "x", "miss");
    (void)build(&pair, &pair.servers[1], "other", "ann", "x", "hit");
    pair_close(&pair);
}

/* ---- what is not ours ---- */

/* Puts a value under the key that holds ann's entry; server 1 must build for itself. */
static void assert_refused(struct pair *pair, struct str key, struct str value)
{
    uint64_t n_before = stats_of(&pair->servers[1]).n_far_refused;
    (void)CALL(pair, STR_LIT("SET"), key, value);
    struct str text = build(pair, &pair->servers[1], "acme", "ann", "x", "miss");
    assert_true(str_find(text, STR_LIT("x")) >= 0);
    assert_int_equal(stats_of(&pair->servers[1]).n_far_refused, n_before + 1);
    (void)build_cache_clear(pair->servers[1].fixture.engine, STR_LIT("acme"), true);
    while (stats_of(&pair->servers[1]).n_far_written < n_before + 1)
        sched_yield(); /* it wrote a good one, which must not come after the next bad one */
}

static void what_stands_there_instead_is_never_used(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, backend_fact("REDIS", "URL"));
    (void)build_and_wait(&pair, &pair.servers[0], "acme", "ann", "x");
    struct resp keys = keys_of(&pair, "4:acme:");
    assert_int_equal(keys.n, 1);
    struct str key = keys.items[0].text;
    struct str good = CALL(&pair, STR_LIT("GET"), key).text;
    (void)build_and_wait(&pair, &pair.servers[0], "other", "ann", "SECRET");
    struct str foreign = CALL(&pair, STR_LIT("GET"), keys_of(&pair, "5:other:").items[0].text).text;
    (void)build_and_wait(&pair, &pair.servers[0], "acme", "ben", "SECRET");

    char *damaged = arena_strdup(&pair.arena, good);
    assert_non_null(damaged);
    assert_refused(&pair, key, STR_LIT(""));
    assert_refused(&pair, key, STR_LIT("{\"context\":\"ours, says a cache of JSON\"}"));
    assert_refused(&pair, key, STR_LIT("precis1\n"));
    assert_refused(&pair, key, foreign);
    for (size_t len = 1; len < good.len; len = len * 2 + 3)
        assert_refused(&pair, key, str_slice(good, 0, len));
    for (size_t at = 0; at < good.len; at = at < 60 ? at + 7 : at * 2) {
        memcpy(damaged, good.ptr, good.len);
        damaged[at] ^= 0x10;
        assert_refused(&pair, key, str_make(damaged, good.len));
    }
    /* Another type of value: an error of MGET's, which says nil. */
    (void)CALL(&pair, STR_LIT("DEL"), key);
    (void)CALL(&pair, STR_LIT("LPUSH"), key, STR_LIT("x"));
    (void)build(&pair, &pair.servers[1], "acme", "ann", "x", "miss");
    pair_close(&pair);
}

static void a_dead_server_delays_and_breaks_nothing(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, "redis://127.0.0.1:1/0");
    char a[16];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(a, sizeof a, "a%d", i);
        (void)build(&pair, &pair.servers[0], "acme", "ann", a, "miss");
        (void)build(&pair, &pair.servers[0], "acme", "ann", a, "hit");
    }
    assert_int_equal(stats_of(&pair.servers[0]).n_far_failed, 20);
    struct redis_client_stats stats;
    redis_client_describe(pair.servers[0].client, &stats);
    assert_true(stats.breaker.is_open);
    struct err_info err = {0};
    assert_true(build_cache_clear_far(pair.servers[0].fixture.engine, STR_LIT("acme"), &err) < 0);
    assert_non_null(strstr(err.message, "the shared cache could not be cleared"));
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_server_built_another_finds),
        cmocka_unit_test(a_write_through_either_makes_it_old_for_both),
        cmocka_unit_test(tenants_users_and_configurations_do_not_meet),
        cmocka_unit_test(what_lacks_something_is_not_written),
        cmocka_unit_test(cleared_is_cleared_for_all_servers),
        cmocka_unit_test(what_stands_there_instead_is_never_used),
        cmocka_unit_test(a_dead_server_delays_and_breaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
