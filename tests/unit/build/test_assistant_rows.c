/* SPDX-License-Identifier: Apache-2.0
 *
 * The shipped recipe `assistant` over real rows at a fixed moment: what the whole pipeline says of them, to
 * the letter.
 */
#include "build/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const main_rows =
    "CREATE TABLE users (id, name, timezone, location, preferences);"
    "CREATE TABLE user_watchlist (user_id, symbol);"
    "CREATE TABLE calendar_events (id, user_id, title, description, start_time, end_time, location);"
    "CREATE TABLE tasks (id, user_id, title, description, priority, due_date, status);"
    "INSERT INTO users VALUES ('ann', 'Ann', 'Europe/Warsaw', 'Warsaw', '{\"temperature_unit\":\"C\"}'),"
    " ('bob', 'Bob', NULL, NULL, NULL);"
    "INSERT INTO user_watchlist VALUES ('ann', 'BTC'), ('ann', 'NVDA');"
    "INSERT INTO calendar_events VALUES"
    " ('e2', 'ann', 'Supper', NULL, '2026-03-11 18:00:00', '2026-03-11 20:00:00', NULL),"
    " ('e1', 'ann', 'Review', NULL, '2026-03-10 14:00:00', '2026-03-10 15:00:00', 'Room 1'),"
    " ('e0', 'ann', 'Over', NULL, '2026-03-10 08:00:00', '2026-03-10 09:00:00', NULL),"
    " ('e3', 'bob', 'Foreign', NULL, '2026-03-10 14:00:00', '2026-03-10 15:00:00', NULL);"
    "INSERT INTO tasks VALUES"
    " ('t1', 'ann', 'Low', NULL, 'low', NULL, 'pending'),"
    " ('t2', 'ann', 'Medium', NULL, 'medium', NULL, 'in_progress'),"
    " ('t3', 'ann', 'High later', NULL, 'high', NULL, 'pending'),"
    " ('t4', 'ann', 'High dated', NULL, 'high', '2026-03-12', 'pending'),"
    " ('t5', 'ann', 'Urgent', NULL, 'urgent', NULL, 'pending'),"
    " ('t6', 'ann', 'Cancelled', NULL, 'urgent', NULL, 'cancelled'),"
    " ('t7', 'ann', 'Completed', NULL, 'urgent', NULL, 'completed');";

static const char *const series_rows =
    "CREATE TABLE weather_data (time, location, temperature, unit, humidity, conditions, forecast);"
    "CREATE TABLE financial_data (time, symbol, price, volume, change_percent);"
    "CREATE TABLE smart_home_states (time, user_id, device_id, device_name, device_type, state);"
    "INSERT INTO weather_data VALUES"
    " ('2026-03-10 10:00:00', 'Warsaw', 0, NULL, 80, 'snow', '[{\"day\":\"Wed\",\"summary\":\"sun\"}]'),"
    " ('2026-03-10 09:00:00', 'Warsaw', 5, NULL, 70, 'rain', NULL),"
    " ('2026-03-10 11:59:00', 'Oslo', -9, NULL, 70, 'ice', NULL);"
    "INSERT INTO financial_data VALUES"
    " ('2026-03-10 11:50:00', 'BTC', '64000.10', 1, 0),"
    " ('2026-03-10 11:40:00', 'BTC', '63000.00', 1, 2.5),"
    " ('2026-03-10 11:55:00', 'NVDA', '120.5', 1, -1.25),"
    " ('2026-03-10 11:55:00', 'SPOT', '9', 1, 1);"
    "INSERT INTO smart_home_states VALUES"
    " ('2026-03-10 11:55:00', 'ann', 'd1', 'Lamp', 'light', '{\"on\":false}'),"
    " ('2026-03-10 11:45:00', 'ann', 'd1', 'Lamp', 'light', '{\"on\":true}');";

struct house {
    char folder[32];
    struct clock_manual clock;
    struct workers *workers;
    struct source_env env;
    struct source *sources[2];
    struct recipe_book book;
    struct build_engine *engine;
};

static void fill_file(const struct house *house, const char *name, const char *sql)
{
    char path[64];
    sqlite3 *db;
    (void)snprintf(path, sizeof path, "%s/%s.db", house->folder, name);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

static void open_source(struct house *house, size_t idx, const char *name)
{
    char url[64];
    struct err_info err = {0};
    (void)snprintf(url, sizeof url, "sqlite:%s/%s.db", house->folder, name);
    if (source_open(&house->env, name, str_of(url), &house->sources[idx], &err) != 0)
        fail_msg("%s", err.message);
}

static void house_init(struct house *house)
{
    struct err_info err = {0};
    memset(house, 0, sizeof *house);
    (void)snprintf(house->folder, sizeof house->folder, "/tmp/precis-rows-XXXXXX");
    assert_non_null(mkdtemp(house->folder));
    fill_file(house, "main", main_rows);
    fill_file(house, "series", series_rows);
    /* 2026-03-10T12:00:00Z, a Tuesday. The monotonic clock is the machine's, since deadlines are real. */
    clock_manual_init(&house->clock, INT64_C(1773144000) * US_PER_SEC, 0);
    house->clock.base.mono_us = clock_system.mono_us;
    assert_int_equal(workers_new("test", 4, 64, &house->workers, &err), 0);
    house->env = (struct source_env){.workers = house->workers, .clock = &house->clock.base};
    open_source(house, 0, "main");
    open_source(house, 1, "series");
    struct recipe_connection connections[] = {{STR_LIT("main"), source_ops_of(house->sources[0])},
                                              {STR_LIT("series"), source_ops_of(house->sources[1])}};
    if (recipe_book_load(NULL, 0, connections, 2, &house->book, NULL, &err) != 0)
        fail_msg("%s: %s", err.field, err.message);
    struct build_options options = {.env = &house->env,
                                    .connections = house->sources,
                                    .n_connections = 2,
                                    .recipes = &house->book,
                                    .cache_ttl_us = -1};
    assert_int_equal(build_engine_new(&options, &house->engine, &err), 0);
}

static void house_done(struct house *house)
{
    char path[64];
    build_engine_free(house->engine);
    recipe_book_done(&house->book);
    source_close(house->sources[0]);
    source_close(house->sources[1]);
    workers_free(house->workers);
    static const char *const names[] = {"main.db", "series.db"};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", house->folder, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(house->folder), 0);
}

/* What the recipe says of one section for Ann. */
static void assert_section_says(const char *name, const char *wanted)
{
    struct house house;
    struct build_outcome outcome;
    struct err_info err = {0};
    struct field params[] = {{STR_LIT("user_id"), value_text(STR_LIT("ann"))}};
    struct str names[] = {str_of(name)};
    struct build_request request = {.tenant = STR_LIT("acme"),
                                    .recipe = STR_LIT("assistant"),
                                    .params = params,
                                    .n_params = 1,
                                    .sections = names,
                                    .n_sections = 1,
                                    .has_sections = true,
                                    .deadline_ms = 20000};
    char got[2048];
    house_init(&house);
    if (build_run(house.engine, &request, &outcome, &err) != 0)
        fail_msg("%s: %s", err.field, err.message);
    (void)snprintf(got, sizeof got, "%.*s", STR_ARG(outcome.answer->context));
    assert_string_equal(got, wanted);
    assert_true(outcome.answer->is_complete);
    build_answer_unref(outcome.answer);
    house_done(&house);
}

static void tasks_are_open_ones_by_urgency_then_date(void **state)
{
    (void)state;
    assert_section_says("tasks", "## Active Tasks\n"
                                 "- [urgent] Urgent\n"
                                 "- [high] High dated (Due: Thu 12 Mar 2026, in 2 days)\n"
                                 "- [high] High later\n"
                                 "- [medium] Medium\n"
                                 "- [low] Low");
}

static void events_are_to_come_and_in_the_users_zone(void **state)
{
    (void)state;
    assert_section_says("calendar", "## Upcoming Events\n"
                                    "- Review at Tue 10 Mar 2026 15:00-16:00 (Room 1)\n"
                                    "- Supper at Wed 11 Mar 2026 19:00-21:00");
}

static void zero_degrees_in_the_users_unit_with_the_age_of_the_reading(void **state)
{
    (void)state;
    assert_section_says("weather", "## Current Weather\n"
                                   "Temperature: 0.0\xC2\xB0"
                                   "C (measured 2 hours ago)\n"
                                   "Conditions: snow, humidity 80%\n"
                                   "Forecast: Wed sun");
}

static void latest_price_of_each_watched_symbol_to_the_digit(void **state)
{
    (void)state;
    assert_section_says("financial", "## Financial Watchlist\n"
                                     "- BTC: $64000.10 (+0.00%)\n"
                                     "- NVDA: $120.50 (-1.25%)");
}

static void latest_state_of_each_device(void **state)
{
    (void)state;
    assert_section_says("smart_home", "## Smart Home Devices\n- Lamp: on: false");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_are_open_ones_by_urgency_then_date),
        cmocka_unit_test(events_are_to_come_and_in_the_users_zone),
        cmocka_unit_test(zero_degrees_in_the_users_unit_with_the_age_of_the_reading),
        cmocka_unit_test(latest_price_of_each_watched_symbol_to_the_digit),
        cmocka_unit_test(latest_state_of_each_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
