/* SPDX-License-Identifier: Apache-2.0
 *
 * What is in memory is answered without waiting, says what the store says, and is anybody else's never.
 */
#include "fake.h"

#include <stdlib.h>

struct home {
    char folder[32];
    struct clock_manual manual;
    struct store *store;
    struct source_env env;
    struct fixture fixture;
    struct field params[1];
};

static const char *const chat = "recipe: test\n"
                                "deadline: 20s\n"
                                "cache: { ttl: 1h, stale: 0s }\n"
                                "params: { user_id: { type: text } }\n"
                                "sections:\n"
                                "  - { name: preferences, from: preferences }\n"
                                "  - { name: conversation, from: conversation }\n"
                                "  - { name: knowledge, from: memory, when: query }\n"
                                "  - { name: fixed, from: text, text: 'the end' }\n";

static void home_open(struct home *home, const char *yaml)
{
    char url[64];
    struct err_info err = {0};
    memset(home, 0, sizeof *home);
    memcpy(home->folder, "/tmp/precis-resident-XXXXXX", 28);
    assert_non_null(mkdtemp(home->folder));
    (void)snprintf(url, sizeof url, "sqlite:%s/precis.db", home->folder);
    /* A clock that stands: the index believes what it knows for a second only. */
    clock_manual_init(&home->manual, INT64_C(1795000000) * US_PER_SEC, US_PER_SEC);
    struct store_options store_options = {.url = url, .may_create = true, .clock = &clock_system};
    if (store_open(&store_options, &home->store, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(memory_new(home->store, &home->manual.base, NULL, &home->env.memory, &err), 0);
    struct build_options options = {
        .env = &home->env, .max_cache_bytes = 8 << 20, .max_cache_entries = 100, .cache_ttl_us = -1};
    fixture_init_with(&home->fixture, yaml, &options, true);
}

static void home_close(struct home *home)
{
    char command[64];
    fixture_done(&home->fixture);
    memory_free(home->env.memory);
    store_close(home->store);
    (void)snprintf(command, sizeof command, "rm -r %s", home->folder);
    assert_int_equal(system(command), 0);
}

static struct build_request ask(struct home *home, const char *tenant, const char *user)
{
    home->params[0] = (struct field){STR_LIT("user_id"), value_text(str_of(user))};
    return (struct build_request){.tenant = str_of(tenant),
                                  .recipe = STR_LIT("test"),
                                  .params = home->params,
                                  .n_params = 1,
                                  .query = STR_LIT("where is the key"),
                                  .cache = CACHE_OFF};
}

static struct scope scope_of(const char *tenant, const char *user)
{
    return (struct scope){str_of(tenant), str_of(user)};
}

static void remember(struct home *home, struct scope scope, const char *content)
{
    struct arena arena;
    struct str id;
    struct knowledge item = {.content = str_of(content), .importance = NAN};
    arena_init(&arena, 1 << 20);
    assert_int_equal(knowledge_add(home->env.memory, &scope, &item, 1, &arena, &id, NULL), 0);
    arena_done(&arena);
}

static void say(struct home *home, struct scope scope, const char *content)
{
    struct arena arena;
    struct str id;
    struct turn turn = {.session = STR_LIT("s"), .role = STR_LIT("user"), .content = str_of(content)};
    arena_init(&arena, 1 << 20);
    assert_int_equal(conversation_add(home->env.memory, &scope, &turn, &arena, &id, NULL), 0);
    arena_done(&arena);
}

static void prefer(struct home *home, struct scope scope, const char *value)
{
    struct preference preference = {.key = STR_LIT("tea"), .value = str_of(value)};
    assert_int_equal(preference_set(home->env.memory, &scope, &preference, NULL), 0);
}

static void expect_now(struct home *home, const struct build_request *request, const char *context)
{
    struct build_outcome outcome;
    struct err_info err = {0};
    int rc = build_run_now(home->fixture.engine, request, &outcome, &err);
    if (!context) {
        assert_int_equal(rc, 1);
        return;
    }
    assert_int_equal(rc, 0);
    assert_text(outcome.answer->context, context);
    build_answer_unref(outcome.answer);
}

static void expect_run(struct home *home, const struct build_request *request, const char *context)
{
    struct build_answer *answer = fixture_build(&home->fixture, request);
    assert_text(answer->context, context);
    assert_true(answer->is_complete);
    build_answer_unref(answer);
}

static void what_was_read_once_is_there_until_the_user_writes(void **state)
{
    (void)state;
    struct home home;
    home_open(&home, chat);
    struct scope ann = scope_of("acme", "ann");
    struct build_request request = ask(&home, "acme", "ann");
    prefer(&home, ann, "\"green\"");
    say(&home, ann, "hello");
    remember(&home, ann, "The key is in the shed.");
    static const char first[] = "- tea: green\n\nUser: hello\n\n- The key is in the shed.\n\n- the end";
    expect_now(&home, &request, NULL);
    expect_run(&home, &request, first);
    expect_now(&home, &request, first);

    prefer(&home, ann, "\"black\"");
    expect_now(&home, &request, NULL);
    static const char second[] = "- tea: black\n\nUser: hello\n\n- The key is in the shed.\n\n- the end";
    expect_run(&home, &request, second);
    expect_now(&home, &request, second);

    say(&home, ann, "and?");
    static const char third[] =
        "- tea: black\n\nUser: hello\nUser: and?\n\n- The key is in the shed.\n\n- the end";
    expect_now(&home, &request, NULL);
    expect_run(&home, &request, third);
    expect_now(&home, &request, third);

    remember(&home, ann, "The other key is lost.");
    expect_now(&home, &request, NULL);
    struct build_answer *answer = fixture_build(&home.fixture, &request);
    assert_true(str_find(answer->context, STR_LIT("The other key is lost.")) > 0);
    build_answer_unref(answer);
    home_close(&home);
}

static void another_user_or_tenant_is_not_answered_from_it(void **state)
{
    (void)state;
    struct home home;
    home_open(&home, chat);
    prefer(&home, scope_of("acme", "ann"), "\"green\"");
    remember(&home, scope_of("acme", "ann"), "The key is in the shed.");
    struct build_request request = ask(&home, "acme", "ann");
    static const char anns[] = "- tea: green\n\n- The key is in the shed.\n\n- the end";
    expect_run(&home, &request, anns);
    struct build_request others[] = {request, request};
    others[0].tenant = STR_LIT("other");
    expect_now(&home, &others[0], NULL);
    expect_run(&home, &others[0], "- the end");
    others[1] = ask(&home, "acme", "ben");
    expect_now(&home, &others[1], NULL);
    expect_run(&home, &others[1], "- the end");
    request = ask(&home, "acme", "ann");
    expect_now(&home, &request, anns);
    home_close(&home);
}

static void source_that_waits_is_not_even_asked(void **state)
{
    (void)state;
    struct home home;
    home_open(&home, "recipe: test\n"
                     "deadline: 20s\n"
                     "params: { user_id: { type: text } }\n"
                     "sections:\n"
                     "  - { name: fixed, from: text, text: 'the end' }\n"
                     "  - { name: slow, from: fake, rows: x=1 }\n");
    struct build_request request = ask(&home, "acme", "ann");
    expect_now(&home, &request, NULL);
    assert_int_equal(world.n_runs, 0);
    static const struct str fixed[] = {{"fixed", 5}};
    request.sections = fixed;
    request.n_sections = 1;
    request.has_sections = true;
    expect_now(&home, &request, "- the end");
    home_close(&home);
}

static void build_that_gives_up_is_no_miss_and_leaves_no_flight(void **state)
{
    (void)state;
    struct home home;
    struct build_cache_stats stats;
    home_open(&home, chat);
    struct build_request request = ask(&home, "acme", "ann");
    request.cache = CACHE_USE;
    expect_now(&home, &request, NULL);
    build_cache_describe(home.fixture.engine, &stats);
    assert_int_equal(stats.n_misses, 0);
    expect_run(&home, &request, "- the end");
    request.query = STR_LIT("what else is there");
    expect_now(&home, &request, "- the end");
    build_cache_describe(home.fixture.engine, &stats);
    assert_int_equal(stats.n_misses, 2);
    assert_int_equal(stats.n_entries, 2);
    home_close(&home);
}

/* More than a front thread should print. */
static void much_material_is_left_to_who_may_take_his_time(void **state)
{
    (void)state;
    struct home home;
    char text[12001];
    home_open(&home, "recipe: test\n"
                     "deadline: 20s\n"
                     "params: { user_id: { type: text } }\n"
                     "sections:\n"
                     "  - { name: knowledge, from: memory, when: query, dedupe: false }\n");
    memset(text, 'x', sizeof text - 1);
    memcpy(text, "The key is ", 11);
    text[sizeof text - 1] = '\0';
    struct build_request request = ask(&home, "acme", "ann");
    remember(&home, scope_of("acme", "ann"), text);
    build_answer_unref(fixture_build(&home.fixture, &request));
    struct build_outcome outcome;
    assert_int_equal(build_run_now(home.fixture.engine, &request, &outcome, NULL), 0);
    build_answer_unref(outcome.answer);
    for (int i = 0; i < 25; i++)
        remember(&home, scope_of("acme", "ann"), text);
    build_answer_unref(fixture_build(&home.fixture, &request));
    expect_now(&home, &request, NULL);
    home_close(&home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_read_once_is_there_until_the_user_writes),
        cmocka_unit_test(another_user_or_tenant_is_not_answered_from_it),
        cmocka_unit_test(source_that_waits_is_not_even_asked),
        cmocka_unit_test(build_that_gives_up_is_no_miss_and_leaves_no_flight),
        cmocka_unit_test(much_material_is_left_to_who_may_take_his_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
