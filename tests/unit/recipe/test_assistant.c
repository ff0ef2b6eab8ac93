/* SPDX-License-Identifier: Apache-2.0
 *
 * The shipped recipe `assistant` over its own tables, at a fixed time: the whole text of one user, and of one
 * with odd rows. Each row of the tables here is one that must, or must not, be seen.
 */
#include "recipe_fixture.h"

#include "build/build.h"
#include "core/embed.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

extern const struct embedded_file demo_files[];

static int64_t wall_at_0537(const struct clock *clock)
{
    (void)clock;
    return INT64_C(1795239420) * US_PER_SEC; /* Sat 21 Nov 2026 05:37 UTC */
}

static int64_t mono_of_system(const struct clock *clock)
{
    (void)clock;
    return clock_mono_us(&clock_system);
}

static const struct clock fixed_clock = {wall_at_0537, mono_of_system};

struct world {
    char folder[32];
    struct store *store;
    struct memory *memory;
    struct workers *workers;
    struct source_env env;
    struct source *sources[2];
    struct recipe_book book;
    struct build_engine *engine;
};

static struct world world;

static const char main_rows[] =
    "INSERT INTO users (id, name, email, preferences, timezone, location) VALUES"
    " ('ann', 'Ann', 'a@example.org', '{\"temperature_unit\":\"F\",\"tone\":\"concise\"}', 'Europe/Warsaw', "
    "'Warsaw'),"
    " ('bob', 'Bob', 'b@example.org', NULL, NULL, NULL);"
    "INSERT INTO calendar_events (id, user_id, title, description, start_time, end_time, location) VALUES"
    " ('e1', 'ann', 'Over', NULL, '2026-11-21 04:00:00', '2026-11-21 05:00:00', NULL),"
    " ('e2', 'ann', 'Under way', NULL, '2026-11-21 05:00:00', '2026-11-21 06:00:00', NULL),"
    " ('e3', 'ann', 'Late', 'First. Second.', '2026-11-27 22:30:00', '2026-11-27 23:30:00', 'Room 1'),"
    " ('e4', 'ann', 'Too far', NULL, '2026-11-28 06:00:00', '2026-11-28 07:00:00', NULL),"
    " ('e5', 'bob', 'Of another', NULL, '2026-11-21 08:00:00', '2026-11-21 09:00:00', NULL);"
    "INSERT INTO tasks (id, user_id, title, priority, due_date, status) VALUES"
    " ('t1', 'ann', 'Low', 'low', '2026-11-21', 'pending'),"
    " ('t2', 'ann', 'Medium', 'medium', '2026-11-22', 'in_progress'),"
    " ('t3', 'ann', 'High without date', 'high', NULL, 'pending'),"
    " ('t4', 'ann', 'High with date', 'high', '2026-12-01', 'pending'),"
    " ('t5', 'ann', 'Urgent', 'urgent', '2026-11-20', 'pending'),"
    " ('t6', 'ann', 'Done', 'urgent', '2026-11-20', 'completed'),"
    " ('t7', 'ann', 'Dropped', 'urgent', '2026-11-20', 'cancelled'),"
    " ('t8', 'bob', 'Of another', 'urgent', '2026-11-20', 'pending');"
    "INSERT INTO user_watchlist (id, user_id, symbol) VALUES ('w1', 'ann', 'BTC'), ('w2', 'ann', 'X.Y'),"
    " ('w3', 'bob', 'ETH');";

static const char series_rows[] =
    "INSERT INTO weather_data (time, location, temperature, unit, humidity, conditions, forecast) VALUES"
    " ('2026-11-21 02:00:00', 'Warsaw', 0.0, NULL, 0, 'clear', "
    "'[{\"day\":\"tonight\",\"summary\":\"snow\",\"low\":-4,"
    "\"high\":0},{\"day\":\"tomorrow\",\"summary\":\"fog\"}]'),"
    " ('2026-11-21 01:00:00', 'Warsaw', 9.0, NULL, 50, 'older', NULL),"
    " ('2026-11-21 05:30:00', 'Paris', 9.0, 'C', 50, 'elsewhere', NULL);"
    "INSERT INTO financial_data (time, symbol, price, change_percent) VALUES"
    " ('2026-11-21 05:00:00', 'BTC', '1.00', 5), ('2026-11-21 05:36:00', 'BTC', '91842.505', 0),"
    " ('2026-11-21 03:00:00', 'X.Y', '12345678901234567890.12', -1.255),"
    " ('2026-11-21 05:36:00', 'XaY', '7', 1), ('2026-11-21 05:36:00', 'BT', '7', 1),"
    " ('2026-11-21 05:36:00', 'ETH', '7', 1), ('2026-11-20 05:00:00', 'X.Y', '8', 1);"
    "INSERT INTO smart_home_states (time, user_id, device_id, device_name, state) VALUES"
    " ('2026-11-21 05:30:00', 'ann', 'd1', 'Lamp', '{\"on\":false,\"brightness\":0}'),"
    " ('2026-11-21 05:00:00', 'ann', 'd1', 'Lamp', '{\"on\":true}'),"
    " ('2026-11-21 02:37:00', 'ann', 'd2', NULL, '{\"open\":true}'),"
    " ('2026-11-21 05:30:00', 'bob', 'd3', 'Of another', '{}');";

static const char ann_text[] = "## User Profile\n"
                               "Name: Ann\n"
                               "Timezone: Europe/Warsaw\n"
                               "Location: Warsaw\n"
                               "Preferences: temperature_unit: F, tone: concise\n"
                               "\n"
                               "## Recent Conversation\n"
                               "User: Turn 3\n"
                               "User: Turn 4\n"
                               "User: Turn 5\n"
                               "User: Turn 6\n"
                               "User: Turn 7\n"
                               "User: Turn 8\n"
                               "User: Turn 9\n"
                               "User: Turn 10\n"
                               "User: Turn 11\n"
                               "User: Turn 12\n"
                               "\n"
                               "## Relevant Knowledge\n"
                               "- Ann keeps bees on the roof. (Sat 21 Nov 2026)\n"
                               "\n"
                               "## Upcoming Events\n"
                               "- Under way at Sat 21 Nov 2026 06:00-07:00\n"
                               "- Late at Fri 27 Nov 2026 23:30-00:30 (Room 1): First.\n"
                               "\n"
                               "## Active Tasks\n"
                               "- [urgent] Urgent (Due: Fri 20 Nov 2026, yesterday)\n"
                               "- [high] High with date (Due: Tue 1 Dec 2026, in 10 days)\n"
                               "- [high] High without date\n"
                               "- [medium] Medium (Due: Sun 22 Nov 2026, tomorrow)\n"
                               "- [low] Low (Due: Sat 21 Nov 2026, today)\n"
                               "\n"
                               "## Current Weather\n"
                               "Temperature: 0.0°F (measured 3 hours ago)\n"
                               "Conditions: clear, humidity 0%\n"
                               "Forecast: tonight snow -4 to 0°F; tomorrow fog\n"
                               "\n"
                               "## Financial Watchlist\n"
                               "- BTC: $91842.51 (+0.00%)\n"
                               "- X.Y: $12345678901234567890.12 (-1.26%), 2 hours ago\n"
                               "\n"
                               "## Smart Home Devices\n"
                               "- Lamp: on: false, brightness: 0\n"
                               "- unnamed device: open: true (reported 3 hours ago)";

static void run_sql(const char *path, struct str schema, const char *rows)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, schema.ptr, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, rows, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static struct str demo_file(const char *name)
{
    const struct embedded_file *file = demo_files;

    while (file->name && strcmp(file->name, name) != 0)
        file++;
    assert_non_null(file->name);
    return embedded_text(file);
}

static void open_database(size_t idx, const char *name, const char *schema, const char *rows)
{
    char path[64];
    char url[80];

    (void)snprintf(path, sizeof path, "%s/%s.db", world.folder, name);
    (void)snprintf(url, sizeof url, "sqlite:%s", path);
    run_sql(path, demo_file(schema), rows);
    assert_int_equal(source_open(&world.env, name, str_of(url), &world.sources[idx], NULL), 0);
}

static void fill_memory(void)
{
    const struct scope ann = {STR_LIT("default"), STR_LIT("ann")};
    const struct scope bob = {STR_LIT("default"), STR_LIT("bob")};
    const struct knowledge bees = {.content = STR_LIT("Ann keeps bees on the roof."), .importance = 0.5};
    const struct knowledge other = {.content = STR_LIT("Bob hates bees."), .importance = 0.5};
    struct arena arena;
    struct str id;

    arena_init(&arena, 1 << 20);
    assert_int_equal(knowledge_add(world.memory, &ann, &bees, 1, &arena, &id, NULL), 0);
    assert_int_equal(knowledge_add(world.memory, &bob, &other, 1, &arena, &id, NULL), 0);
    for (int i = 1; i <= 12; i++) {
        struct turn turn = {.session = STR_LIT("s"),
                            .role = STR_LIT("user"),
                            .content = arena_printf(&arena, "Turn %d", i),
                            .created_us = wall_at_0537(NULL) - (20 - i) * US_PER_SEC};

        assert_int_equal(conversation_add(world.memory, &ann, &turn, &arena, &id, NULL), 0);
    }
    arena_done(&arena);
}

static int setup(void **state)
{
    char url[80];

    (void)state;
    (void)snprintf(world.folder, sizeof world.folder, "/tmp/precis-assistant-XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    (void)snprintf(url, sizeof url, "sqlite:%s/precis.db", world.folder);
    struct store_options options = {.url = url, .may_create = true, .clock = &fixed_clock};
    assert_int_equal(store_open(&options, &world.store, NULL), 0);
    assert_int_equal(memory_new(world.store, &fixed_clock, 0, &world.memory, NULL), 0);
    assert_int_equal(workers_new("fetch", 2, 64, &world.workers, NULL), 0);
    world.env = (struct source_env){world.memory, world.workers, &fixed_clock};
    open_database(0, "main", "main.sql", main_rows);
    open_database(1, "series", "series.sql", series_rows);
    fill_memory();
    const struct recipe_connection connections[] = {{STR_LIT("main"), source_ops_of(world.sources[0])},
                                                    {STR_LIT("series"), source_ops_of(world.sources[1])}};
    assert_int_equal(recipe_book_load(NULL, 0, connections, 2, &world.book, NULL, NULL), 0);
    struct build_options build = {.env = &world.env,
                                  .connections = world.sources,
                                  .n_connections = 2,
                                  .recipes = &world.book,
                                  .cache_ttl_us = -1};
    assert_int_equal(build_engine_new(&build, &world.engine, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    char command[64];

    (void)state;
    build_engine_free(world.engine);
    source_close(world.sources[0]);
    source_close(world.sources[1]);
    recipe_book_done(&world.book);
    workers_free(world.workers);
    memory_free(world.memory);
    store_close(world.store);
    (void)snprintf(command, sizeof command, "rm -rf %s", world.folder);
    return system(command);
}

static struct build_answer *build_for(const char *user, const char *query)
{
    const struct field params[] = {{STR_LIT("user_id"), value_text(str_of(user))}};
    struct build_request request = {.tenant = STR_LIT("default"),
                                    .recipe = STR_LIT("assistant"),
                                    .params = params,
                                    .n_params = 1,
                                    .query = str_of(query),
                                    .deadline_ms = 30000, /* nothing here is about speed */
                                    .cache = CACHE_OFF};
    struct build_outcome outcome;
    struct err_info err = {0};

    if (build_run(world.engine, &request, &outcome, &err) < 0)
        fail_msg("%s: %s", err.field, err.message);
    return outcome.answer;
}

static void the_whole_text_is_as_it_should_be(void **state)
{
    struct build_answer *answer = build_for("ann", "what about the bees?");

    (void)state;
    assert_true(answer->is_complete);
    assert_string_equal(answer->context.ptr, ann_text);
    build_answer_unref(answer);
}

static void a_user_with_nothing_gets_no_lines_of_nothing(void **state)
{
    struct build_answer *answer = build_for("bob", "");

    (void)state;
    assert_true(answer->is_complete);
    assert_null(strstr(answer->context.ptr, "Weather"));
    assert_null(strstr(answer->context.ptr, "Knowledge"));
    assert_non_null(strstr(answer->context.ptr, "## User Profile\nName: Bob\n\n"));
    assert_non_null(strstr(answer->context.ptr, "- ETH: $7.00 (+1.00%)"));
    build_answer_unref(answer);
}

static void a_user_nobody_knows_gets_an_empty_context(void **state)
{
    struct build_answer *answer = build_for("carol", "bees");

    (void)state;
    assert_true(answer->is_complete);
    assert_int_equal(answer->context.len, 0);
    build_answer_unref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_text_is_as_it_should_be),
        cmocka_unit_test(a_user_with_nothing_gets_no_lines_of_nothing),
        cmocka_unit_test(a_user_nobody_knows_gets_an_empty_context),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
