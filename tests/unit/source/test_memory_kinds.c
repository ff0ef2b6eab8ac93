/* SPDX-License-Identifier: Apache-2.0
 *
 * Kinds `memory`, `conversation` and `preferences` over a real store.
 */
#include "source/source.h"

#include "../fail_mem.h"
#include "world.h"

#include <math.h>

#define NOW_US INT64_C(1795237200000000) /* 2026-11-21 05:00 UTC */
#define DAY_US (86400 * US_PER_SEC)

struct home {
    struct world *world;
    struct store *store;
    struct source *memory, *conversation, *preferences;
};

static const struct scope ann = {STR_LIT("acme"), STR_LIT("ann")};
static const struct scope bob = {STR_LIT("acme"), STR_LIT("bob")};

static int home_open(void **state)
{
    struct home *home = calloc(1, sizeof *home);
    char url[600];

    world_open((void **)&home->world);
    struct source_env *env = &home->world->env;
    snprintf(url, sizeof url, "sqlite:%s", world_path(home->world, "store.db"));
    struct store_options options = {.url = url, .may_create = true, .clock = &clock_system};
    assert_int_equal(store_open(&options, &home->store, NULL), 0);
    assert_int_equal(memory_new(home->store, &clock_system, NULL, &env->memory, NULL), 0);
    assert_int_equal(source_open_builtin(env, source_kind_find(STR_LIT("memory")), &home->memory, NULL), 0);
    assert_int_equal(
        source_open_builtin(env, source_kind_find(STR_LIT("conversation")), &home->conversation, NULL), 0);
    assert_int_equal(
        source_open_builtin(env, source_kind_find(STR_LIT("preferences")), &home->preferences, NULL), 0);
    *state = home;
    return 0;
}

static int home_close(void **state)
{
    struct home *home = *state;
    home->world->loop =
        net_loop_free(home->world->loop); /* a test that failed may have left something in it */
    source_close(home->memory);
    source_close(home->conversation);
    source_close(home->preferences);
    memory_free(home->world->env.memory);
    store_close(home->store);
    world_close((void **)&home->world);
    free(home);
    return 0;
}

static struct source_result *ask(struct home *home, struct source *source, const struct value *settings,
                                 size_t max_rows)
{
    struct source_request request = {
        .scope = ann, .settings = settings, .now_us = NOW_US, .deadline_us = INT64_MAX, .max_rows = max_rows};
    struct source_result *result = NULL;
    struct err_info err = {0};
    if (world_fetch(home->world, source, &request, &result, &err) < 0)
        fail_msg("%s", err.message);
    return result;
}

/* ---- memory ---- */

static void remember(struct home *home, const struct scope *scope, const char *content, const char *source,
                     const char *tag, int64_t created_us)
{
    struct str tags[] = {str_of(tag)}, id;
    struct knowledge item = {.content = str_of(content),
                             .source = str_of(source),
                             .tags = tags,
                             .n_tags = *tag ? 1 : 0,
                             .metadata = STR_LIT("{\"page\":3}"),
                             .created_us = created_us,
                             .importance = 0.75};
    struct arena arena;
    arena_init(&arena, 65536);
    assert_int_equal(knowledge_add(home->world->env.memory, scope, &item, 1, &arena, &id, NULL), 0);
    arena_done(&arena);
}

static void remember_all(struct home *home)
{
    remember(home, &ann, "The boiler was serviced in May.", "mail", "house", NOW_US - 40 * DAY_US);
    remember(home, &ann, "The boiler makes a noise.", "chat", "house", NOW_US - 2 * DAY_US);
    remember(home, &ann, "Bob likes jazz.", "chat", "music", NOW_US - DAY_US);
    remember(home, &bob, "Bob's boiler is new.", "chat", "house", NOW_US - DAY_US);
}

/* query, source, tags, min_score, since, until */
#define MEMORY_SETTINGS(text)                                                                                \
    {                                                                                                        \
        value_text(STR_LIT(text)), value_null(), value_null(), value_null(), value_null(), value_null()      \
    }

static void memory_finds_what_is_asked_for_and_the_users_own_only(void **state)
{
    struct home *home = *state;
    struct value settings[] = MEMORY_SETTINGS("boiler serviced");
    remember_all(home);
    struct source_result *result = ask(home, home->memory, settings, 10);
    assert_int_equal(result->n_rows, 2);
    assert_cell(result, 0, "content", VALUE_TEXT, "The boiler was serviced in May.");
    assert_cell(result, 0, "source", VALUE_TEXT, "mail");
    assert_cell(result, 0, "tags", VALUE_JSON, "[\"house\"]");
    assert_cell(result, 0, "metadata", VALUE_JSON, "{\"page\":3}");
    assert_cell(result, 0, "importance", VALUE_REAL, "0.75");
    assert_cell(result, 0, "created_at", VALUE_TIME, "2026-10-12T05:00:00Z");
    assert_true(result->rows[0].score > result->rows[1].score);
    assert_true(result->rows[0].score <= 1);
    assert_true(result->rows[0].time_us == NOW_US - 40 * DAY_US);
    assert_true(str_starts_with(result->rows[0].id, STR_LIT("mem_")));
    assert_true(str_is_empty(result->degraded));
    source_result_free(result);
}

static void memory_without_a_question_gives_the_newest(void **state)
{
    struct home *home = *state;
    struct value settings[] = MEMORY_SETTINGS("  ");
    remember_all(home);
    struct source_result *result = ask(home, home->memory, settings, 2);
    assert_int_equal(result->n_rows, 2);
    assert_cell(result, 0, "content", VALUE_TEXT, "Bob likes jazz.");
    assert_cell(result, 1, "content", VALUE_TEXT, "The boiler makes a noise.");
    assert_cell(result, 0, "score", VALUE_NULL, "");
    assert_true(isnan(result->rows[0].score));
    source_result_free(result);
}

static void memory_filters_hold_with_and_without_a_question(void **state)
{
    struct home *home = *state;
    const struct str queries[] = {STR_LIT("boiler jazz"), STR_LIT("")};
    remember_all(home);
    for (size_t i = 0; i < 2; i++) {
        struct value settings[] = MEMORY_SETTINGS("");
        settings[0] = value_text(queries[i]);
        settings[1] = value_text(STR_LIT("chat"));
        settings[2] = value_json(STR_LIT("[\"house\"]"));
        struct source_result *result = ask(home, home->memory, settings, 10);
        assert_int_equal(result->n_rows, 1);
        assert_cell(result, 0, "content", VALUE_TEXT, "The boiler makes a noise.");
        source_result_free(result);

        settings[1] = settings[2] = value_null();
        settings[4] = value_int(30 * DAY_US);         /* since */
        settings[5] = value_int(DAY_US + DAY_US / 2); /* until */
        result = ask(home, home->memory, settings, 10);
        assert_int_equal(result->n_rows, 1);
        assert_cell(result, 0, "content", VALUE_TEXT, "The boiler makes a noise.");
        source_result_free(result);

        settings[4] = settings[5] = value_null();
        settings[2] = value_json(STR_LIT("[\"house\",\"music\"]"));
        result = ask(home, home->memory, settings, 10);
        assert_int_equal(result->n_rows, 0);
        assert_int_equal(result->n_columns, 8);
        source_result_free(result);
    }
}

static void memory_of_many_pages_is_filtered_to_the_end(void **state)
{
    struct home *home = *state;
    struct value settings[] = MEMORY_SETTINGS("");
    struct knowledge items[350];
    struct str ids[350], tags[] = {STR_LIT("rare")};
    struct arena arena;
    arena_init(&arena, 1024 * 1024);
    for (int i = 0; i < 350; i++)
        items[i] = (struct knowledge){.content = arena_printf(&arena, "item %d", i),
                                      .tags = tags,
                                      .n_tags = i % 100 == 0 ? 1 : 0,
                                      .created_us = NOW_US - i * US_PER_SEC,
                                      .importance = NAN};
    assert_int_equal(knowledge_add(home->world->env.memory, &ann, items, 350, &arena, ids, NULL), 0);
    arena_done(&arena);

    settings[2] = value_json(STR_LIT("[\"rare\"]"));
    struct source_result *result = ask(home, home->memory, settings, 10);
    assert_int_equal(result->n_rows, 4);
    assert_cell(result, 3, "content", VALUE_TEXT, "item 300");
    source_result_free(result);
    settings[2] = value_null();
    result = ask(home, home->memory, settings, 250);
    assert_int_equal(result->n_rows, 250);
    assert_cell(result, 249, "content", VALUE_TEXT, "item 249");
    source_result_free(result);
}

static void memory_says_what_is_wrong_with_a_setting(void **state)
{
    struct home *home = *state;
    struct value settings[] = MEMORY_SETTINGS("boiler");
    struct source_request request = {
        .scope = ann, .settings = settings, .deadline_us = INT64_MAX, .max_rows = 10};
    struct source_result *result = NULL;
    struct err_info err = {0};
    settings[3] = value_real(7);
    assert_int_equal(world_fetch(home->world, home->memory, &request, &result, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "min_score"));
}

/* ---- conversation ---- */

static void say(struct home *home, const char *session, const char *role, const char *content)
{
    struct turn turn = {.session = str_of(session), .role = str_of(role), .content = str_of(content)};
    struct arena arena;
    struct str id;
    arena_init(&arena, 65536);
    assert_int_equal(conversation_add(home->world->env.memory, &ann, &turn, &arena, &id, NULL), 0);
    arena_done(&arena);
}

static void conversation_gives_the_newest_first(void **state)
{
    struct home *home = *state;
    struct value settings[] = {value_null()};
    say(home, "s1", "user", "one");
    say(home, "s1", "assistant", "two");
    say(home, "s2", "user", "three");
    struct source_result *result = ask(home, home->conversation, settings, 2);
    assert_int_equal(result->n_rows, 2);
    assert_true(result->is_oldest_last);
    assert_true(result->is_truncated);
    assert_cell(result, 0, "content", VALUE_TEXT, "three");
    assert_cell(result, 0, "session_id", VALUE_TEXT, "s2");
    assert_cell(result, 1, "content", VALUE_TEXT, "two");
    assert_cell(result, 1, "role", VALUE_TEXT, "assistant");
    assert_false(str_is_empty(result->rows[0].id));
    source_result_free(result);

    settings[0] = value_text(STR_LIT("s1"));
    result = ask(home, home->conversation, settings, SOURCE_MAX_ROWS);
    assert_int_equal(result->n_rows, 2);
    assert_false(result->is_truncated);
    assert_cell(result, 1, "content", VALUE_TEXT, "one");
    source_result_free(result);

    settings[0] = value_text(STR_LIT("no such session"));
    result = ask(home, home->conversation, settings, 5);
    assert_int_equal(result->n_rows, 0);
    source_result_free(result);
}

/* ---- preferences ---- */

static void prefer(struct home *home, const char *key, const char *value, const char *category)
{
    struct preference preference = {.key = str_of(key), .value = str_of(value), .category = str_of(category)};
    assert_int_equal(preference_set(home->world->env.memory, &ann, &preference, NULL), 0);
}

static void preferences_come_by_key_with_their_own_types(void **state)
{
    struct home *home = *state;
    struct value settings[] = {value_null(), value_null()};
    prefer(home, "units", "\"metric\"", "display");
    prefer(home, "age", "41", "");
    prefer(home, "dark", "true", "display");
    prefer(home, "ratio", "0.5", "");
    prefer(home, "limits", "{\"max\":5}", "");
    prefer(home, "gone", "null", "");
    struct source_result *result = ask(home, home->preferences, settings, 10);
    assert_int_equal(result->n_rows, 6);
    assert_cell(result, 0, "key", VALUE_TEXT, "age");
    assert_cell(result, 0, "value", VALUE_INT, "41");
    assert_cell(result, 0, "category", VALUE_NULL, "");
    assert_cell(result, 1, "value", VALUE_BOOL, "true");
    assert_cell(result, 2, "value", VALUE_NULL, "");
    assert_cell(result, 3, "value", VALUE_JSON, "{\"max\":5}");
    assert_cell(result, 4, "value", VALUE_REAL, "0.5");
    assert_cell(result, 5, "value", VALUE_TEXT, "metric");
    assert_cell(result, 5, "category", VALUE_TEXT, "display");
    assert_true(str_is(result->rows[5].id, "units"));
    assert_int_equal(result->n_malformed, 0);
    source_result_free(result);

    settings[0] = value_text(STR_LIT("display"));
    result = ask(home, home->preferences, settings, 10);
    assert_int_equal(result->n_rows, 2);
    source_result_free(result);

    settings[1] = value_json(STR_LIT("[\"units\",\"age\",\"no such\"]"));
    result = ask(home, home->preferences, settings, 10);
    assert_int_equal(result->n_rows, 1);
    assert_cell(result, 0, "key", VALUE_TEXT, "units");
    source_result_free(result);

    settings[0] = settings[1] = value_null();
    result = ask(home, home->preferences, settings, 4);
    assert_int_equal(result->n_rows, 4);
    assert_true(result->is_truncated);
    source_result_free(result);
}

/* ---- all ---- */

static void every_failed_allocation_is_survived(void **state)
{
    struct home *home = *state;
    struct value memory_found[] = MEMORY_SETTINGS("boiler"), memory_newest[] = MEMORY_SETTINGS("");
    struct value nothing[] = {value_null(), value_null()};
    const struct {
        struct source *source;
        const struct value *settings;
        size_t n_rows;
    } questions[] = {{home->memory, memory_found, 2},
                     {home->memory, memory_newest, 3},
                     {home->conversation, nothing, 1},
                     {home->preferences, nothing, 1}};
    remember_all(home);
    say(home, "s1", "user", "one");
    prefer(home, "units", "\"metric\"", "display");

    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        bool is_pending = false;
        for (long n = 1; !is_pending; n++) {
            struct source_request request = {.scope = ann,
                                             .settings = questions[i].settings,
                                             .now_us = NOW_US,
                                             .deadline_us = INT64_MAX,
                                             .max_rows = 10};
            struct source_result *result = NULL;
            struct err_info err = {0};
            fail_mem_at(n);
            int res = world_fetch(home->world, questions[i].source, &request, &result, &err);
            is_pending = fail_mem_is_pending();
            fail_mem_at(0);
            if (res == 0 &&
                str_is_empty(result->degraded)) /* an index without memory says that rows may lack */
                assert_int_equal(result->n_rows, questions[i].n_rows);
            assert_true(res == 0 || err.message[0]);
            source_result_free(result);
        }
    }
}

int main(void)
{
#define HOME(test) cmocka_unit_test_setup_teardown(test, home_open, home_close)
    const struct CMUnitTest tests[] = {
        HOME(memory_finds_what_is_asked_for_and_the_users_own_only),
        HOME(memory_without_a_question_gives_the_newest),
        HOME(memory_filters_hold_with_and_without_a_question),
        HOME(memory_of_many_pages_is_filtered_to_the_end),
        HOME(memory_says_what_is_wrong_with_a_setting),
        HOME(conversation_gives_the_newest_first),
        HOME(preferences_come_by_key_with_their_own_types),
        HOME(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
