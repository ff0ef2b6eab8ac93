/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `sql` on real SQLite files: values, limits, deadlines, and that nothing can be written or broken
 * through it.
 */
#include "source/source.h"
#include "store/sqlite_setup.h"

#include "../fail_mem.h"
#include "world.h"

#include <math.h>

static const char schema[] =
    "CREATE TABLE tasks(id INTEGER PRIMARY KEY, user_id TEXT, title TEXT, done BOOLEAN, weight REAL,"
    " price DECIMAL(30,20), data JSON, picture BLOB, due TIMESTAMP);"
    "CREATE INDEX by_user ON tasks(user_id);"
    "INSERT INTO tasks VALUES"
    " (1, 'ann', 'Pay rent', 0, 1.5, '12345678901234567890.12', '{\"a\": [1, 2]}', NULL, '2026-11-21 "
    "05:00:00'),"
    " (2, 'ann', 'Call Bob', 1, -0.25, 'dear', 'no json', x'00ff', '2026-11-22 05:00:00'),"
    " (3, 'bob', 'Sing', 0, NULL, 7, '{broken', NULL, '2026-11-23 05:00:00'),"
    " (4, 'bob', CAST(x'61ff62' AS TEXT), 0, NULL, NULL, '5', NULL, NULL);";

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static struct source *open_file(struct world *world, const char *name)
{
    struct source *source = NULL;
    char url[600];
    snprintf(url, sizeof url, "sqlite:%s", world_path(world, name));
    assert_int_equal(
        source_open(&world->env, &(struct source_options){.name = "main", .url = str_of(url)}, &source, NULL),
        0);
    return source;
}

static struct source *open_tasks(struct world *world)
{
    run_sql(world_path(world, "tasks.db"), schema);
    return open_file(world, "tasks.db");
}

struct question {
    const char *sql;
    const struct value *binds;
    size_t n_binds;
    size_t max_rows;
    int64_t deadline_us;
};

static int ask(struct world *world, struct source *source, struct question question,
               struct source_result **ret_result, struct err_info *reterr)
{
    struct value setting = value_text(str_of(question.sql));
    struct source_request request = {
        .settings = &setting,
        .binds = question.binds,
        .n_binds = question.n_binds,
        .max_rows = question.max_rows ? question.max_rows : SOURCE_MAX_ROWS,
        .deadline_us = question.deadline_us ? question.deadline_us : INT64_MAX,
    };
    return world_fetch(world, source, &request, ret_result, reterr);
}

/* The question must succeed. */
static struct source_result *must_ask(struct world *world, struct source *source, struct question question)
{
    struct source_result *result = NULL;
    struct err_info err = {0};
    if (ask(world, source, question, &result, &err) < 0)
        fail_msg("%s: %s", question.sql, err.message);
    return result;
}

/* The question must fail with this code and these words. */
static void must_refuse(struct world *world, struct source *source, struct question question, int code,
                        const char *words)
{
    struct source_result *result = NULL;
    struct err_info err = {0};
    int res = ask(world, source, question, &result, &err);
    if (res != code || !strstr(err.message, words))
        fail_msg("%s: %d %s", question.sql, res, err.message);
}

static void assert_usable(struct world *world, struct source *source)
{
    struct source_result *result =
        must_ask(world, source, (struct question){"SELECT count(*) AS n FROM tasks"});
    assert_cell(result, 0, "n", VALUE_INT, "4");
    source_result_free(result);
}

/* ---- values ---- */

static void values_have_the_types_they_are_stored_with(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    struct source_result *result =
        must_ask(world, source, (struct question){"SELECT * FROM tasks ORDER BY id"});

    assert_int_equal(result->n_rows, 4);
    assert_int_equal(result->n_columns, 9);
    assert_false(result->is_truncated);
    assert_cell(result, 0, "id", VALUE_INT, "1");
    assert_cell(result, 0, "title", VALUE_TEXT, "Pay rent");
    assert_cell(result, 0, "done", VALUE_INT, "0");
    assert_cell(result, 0, "weight", VALUE_REAL, "1.5");
    assert_cell(result, 0, "data", VALUE_JSON, "{\"a\": [1, 2]}");
    assert_cell(result, 0, "due", VALUE_TEXT, "2026-11-21 05:00:00");
    assert_cell(result, 1, "price", VALUE_TEXT, "dear"); /* declared a number, but is none */
    assert_cell(result, 1, "data", VALUE_TEXT, "no json");
    assert_cell(result, 1, "picture", VALUE_NULL, "");
    assert_cell(result, 2, "weight", VALUE_NULL, "");
    assert_cell(result, 2, "data", VALUE_TEXT, "{broken");
    assert_cell(result, 3, "title", VALUE_TEXT,
                "a\xef\xbf\xbd"
                "b");
    assert_int_equal(result->n_malformed, 1); /* the picture */
    assert_true(str_is(result->rows[2].id, "3"));
    assert_true(isnan(result->rows[0].score));
    assert_true(result->rows[0].time_us == INT64_MIN);
    source_result_free(result);
    source_close(source);
}

static void exact_decimals_stay_exact(void **state)
{
    struct world *world = *state;
    run_sql(world_path(world, "p.db"), "CREATE TABLE p(a DECIMAL_TEXT(30), b NUMERIC); "
                                       "INSERT INTO p VALUES('12345678901234567890.120', 12.5)");
    struct source *source = open_file(world, "p.db");
    struct source_result *result = must_ask(world, source, (struct question){"SELECT a, b FROM p"});
    assert_cell(result, 0, "a", VALUE_DECIMAL, "12345678901234567890.120");
    assert_cell(result, 0, "b", VALUE_REAL, "12.5");
    source_result_free(result);
    source_close(source);
}

static void bound_values_arrive_as_they_are(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    struct value binds[] = {value_int(INT64_MIN),
                            value_real(0.1),
                            value_bool(true),
                            value_null(),
                            value_text(STR_LIT("it's")),
                            value_time(INT64_C(1795237200000000)),
                            value_json(STR_LIT("[\"a\",\"b\"]")),
                            value_decimal(STR_LIT("1.10")),
                            value_text((struct str){NULL, 0})};
    struct source_result *result =
        must_ask(world, source,
                 (struct question){
                     "SELECT ?1 AS i, ?2 AS r, ?3 AS b, ?4 IS NULL AS n, ?5 AS t, ?6 AS at, "
                     "(SELECT group_concat(value, '+') FROM json_each(?7)) AS j, ?8 AS d, length(?9) AS e",
                     binds, 9});
    assert_cell(result, 0, "i", VALUE_INT, "-9223372036854775808");
    assert_cell(result, 0, "r", VALUE_REAL, "0.1");
    assert_cell(result, 0, "b", VALUE_INT, "1");
    assert_cell(result, 0, "n", VALUE_INT, "1");
    assert_cell(result, 0, "t", VALUE_TEXT, "it's");
    assert_cell(result, 0, "at", VALUE_TEXT, "2026-11-21 05:00:00");
    assert_cell(result, 0, "j", VALUE_TEXT, "a+b");
    assert_cell(result, 0, "d", VALUE_TEXT, "1.10");
    assert_cell(result, 0, "e", VALUE_INT, "0");
    source_result_free(result);
    source_close(source);
}

static void statement_is_reused_with_new_values(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    const char *const users[] = {"ann", "bob", "nobody", "ann"};
    const size_t n_rows[] = {2, 2, 0, 2};
    for (size_t i = 0; i < 4; i++) {
        struct value bind = value_text(str_of(users[i]));
        struct source_result *result = must_ask(
            world, source, (struct question){"SELECT id, title FROM tasks WHERE user_id = ?1", &bind, 1});
        assert_int_equal(result->n_rows, n_rows[i]);
        assert_int_equal(result->n_columns, 2); /* also of no rows */
        source_result_free(result);
    }
    source_close(source);
}

static void more_statements_than_the_cache_holds(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    for (int i = 0; i < 200; i++) {
        char sql[64], text[16];
        snprintf(sql, sizeof sql, "SELECT %d AS n", i % 40);
        snprintf(text, sizeof text, "%d", i % 40);
        struct source_result *result = must_ask(world, source, (struct question){sql});
        assert_cell(result, 0, "n", VALUE_INT, text);
        source_result_free(result);
    }
    source_close(source);
}

/* ---- limits ---- */

static const char count_to[] =
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ?1) SELECT x FROM c";

static void rows_beyond_the_limit_are_said_not_failed(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    struct value n = value_int(10);
    struct source_result *result = must_ask(world, source, (struct question){count_to, &n, 1, 10});
    assert_int_equal(result->n_rows, 10);
    assert_false(result->is_truncated);
    source_result_free(result);

    n = value_int(11);
    result = must_ask(world, source, (struct question){count_to, &n, 1, 10});
    assert_int_equal(result->n_rows, 10);
    assert_true(result->is_truncated);
    source_result_free(result);
    source_close(source);
}

static void bytes_beyond_the_limit_are_said_not_failed(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    struct source_result *result = must_ask(
        world, source,
        (struct question){"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100)"
                          " SELECT x, printf('%.*c', 1000000, 'x') AS long FROM c"});
    assert_true(result->is_truncated);
    assert_in_range(result->n_rows, 7, 8);
    assert_cell(result, result->n_rows - 1, "x", VALUE_INT, result->n_rows == 7 ? "7" : "8");
    assert_int_equal(arena_error(&result->arena), 0);
    source_result_free(result);
    must_refuse(world, source, (struct question){"SELECT zeroblob(1000000000)"}, ERR_LIMIT, "too large");
    assert_usable(world, source);
    source_close(source);
}

static void huge_parameter_is_refused(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    size_t size = 10 * 1000 * 1000;
    char *huge = calloc(1, size);
    memset(huge, 'x', size);
    struct value bind = value_text(str_make(huge, size));
    must_refuse(world, source, (struct question){"SELECT length(?1)", &bind, 1}, ERR_LIMIT, "4 MB");
    bind = value_text(str_make(huge, 1000 * 1000));
    struct source_result *result =
        must_ask(world, source, (struct question){"SELECT length(?1) AS n", &bind, 1});
    assert_cell(result, 0, "n", VALUE_INT, "1000000");
    source_result_free(result);
    free(huge);
    assert_usable(world, source);
    source_close(source);
}

/* ---- what may not be done ---- */

static void bound_text_is_never_sql(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    const struct str attacks[] = {
        STR_LIT("x' OR '1'='1"),
        STR_LIT("'; DROP TABLE tasks; --"),
        STR_LIT("\" OR 1=1 --"),
        STR_LIT("ann\0' OR 1=1"),
        STR_LIT("\\' OR 1=1 --"),
        STR_LIT("\xff\xfe' OR 1=1 --"),
        STR_LIT("ann' UNION SELECT sql, 1 FROM sqlite_schema --"),
        STR_LIT("?1"),
        STR_LIT(":user_id"),
    };
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        struct value bind = value_text(attacks[i]);
        struct source_result *result =
            must_ask(world, source, (struct question){"SELECT * FROM tasks WHERE user_id = ?1", &bind, 1});
        assert_int_equal(result->n_rows, 0);
        source_result_free(result);
    }
    assert_usable(world, source);
    source_close(source);
}

static void only_reading_statements_are_taken(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    char attach[600];
    snprintf(attach, sizeof attach, "ATTACH DATABASE '%s' AS other", world_path(world, "made-by-attach.db"));
    const char *const writes[] = {
        "INSERT INTO tasks(title) VALUES('x')",
        "UPDATE tasks SET title = 'x'",
        "DELETE FROM tasks",
        "DROP TABLE tasks",
        "CREATE TABLE x(a)",
        "CREATE TEMP TABLE x(a)",
        "CREATE VIEW x AS SELECT 1",
        "ALTER TABLE tasks RENAME TO x",
        attach,
        "DETACH DATABASE main",
        "VACUUM INTO '/tmp/precis-source-vacuum.db'",
        "PRAGMA query_only = 0",
        "PRAGMA writable_schema = 1",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA database_list",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "SAVEPOINT a",
        "REINDEX",
        "ANALYZE",
        "WITH x AS (SELECT 1) DELETE FROM tasks WHERE id IN (SELECT * FROM x)",
        "INSERT INTO tasks(title) VALUES('x') RETURNING id",
    };
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++)
        must_refuse(world, source, (struct question){writes[i]}, ERR_INVALID, "");
    assert_int_not_equal(access(world_path(world, "made-by-attach.db"), F_OK), 0);
    must_refuse(world, source, (struct question){"SELECT load_extension('/tmp/evil.so')"}, ERR_REMOTE,
                "not authorized");
    must_refuse(world, source, (struct question){"UPDATE sqlite_schema SET sql = ''"}, ERR_REMOTE,
                "may not be modified");
    assert_usable(world, source);
    source_close(source);
}

static void one_statement_is_what_a_query_has(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    must_refuse(world, source, (struct question){"SELECT 1; SELECT 2"}, ERR_INVALID, "more than one");
    must_refuse(world, source, (struct question){"SELECT 1; DROP TABLE tasks"}, ERR_INVALID, "more than one");
    must_refuse(world, source, (struct question){"  -- nothing\n"}, ERR_INVALID, "no statement");
    must_refuse(world, source, (struct question){""}, ERR_INVALID, "no statement");
    must_refuse(world, source, (struct question){"SELECT ?2"}, ERR_INVALID, "wants 2 values and has 0");
    struct source_result *result =
        must_ask(world, source, (struct question){"SELECT 1 AS n; -- the end\n ; /* really */ "});
    assert_cell(result, 0, "n", VALUE_INT, "1");
    source_result_free(result);
    assert_usable(world, source);
    source_close(source);
}

static void statement_with_a_nul_is_refused(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    struct value setting = value_text(STR_LIT("SELECT 1 \0 FROM nowhere"));
    struct source_request request = {.settings = &setting, .max_rows = 1, .deadline_us = INT64_MAX};
    struct source_result *result = NULL;
    struct err_info err = {0};
    assert_int_equal(world_fetch(world, source, &request, &result, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "NUL"));
    source_close(source);
}

static void full_text_tables_can_be_read(void **state)
{
    struct world *world = *state;
    run_sql(world_path(world, "fts.db"), "CREATE VIRTUAL TABLE notes USING fts5(body);"
                                         "INSERT INTO notes VALUES('the quick brown fox'), ('a lazy dog')");
    struct source *source = open_file(world, "fts.db");
    struct value bind = value_text(STR_LIT("fox"));
    for (int i = 0; i < 2; i++) {
        struct source_result *result = must_ask(
            world, source, (struct question){"SELECT body FROM notes WHERE notes MATCH ?1", &bind, 1});
        assert_int_equal(result->n_rows, 1);
        assert_cell(result, 0, "body", VALUE_TEXT, "the quick brown fox");
        source_result_free(result);
    }
    source_close(source);
}

/* ---- failures ---- */

static void missing_file_is_named_and_not_made(void **state)
{
    struct world *world = *state;
    struct source *source = open_file(world, "nothing.db");
    must_refuse(world, source, (struct question){"SELECT 1"}, ERR_UNAVAILABLE, "nothing.db");
    assert_int_not_equal(access(world_path(world, "nothing.db"), F_OK), 0);

    run_sql(world_path(world, "nothing.db"), schema); /* it comes into being later */
    assert_usable(world, source);
    source_close(source);
}

static void missing_table_is_said_in_sqlites_words(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    must_refuse(world, source, (struct question){"SELECT * FROM tusks"}, ERR_REMOTE,
                "main: no such table: tusks");
    must_refuse(world, source, (struct question){"SELECT colour FROM tasks"}, ERR_REMOTE,
                "no such column: colour");
    must_refuse(world, source, (struct question){"SELEKT 1"}, ERR_REMOTE, "syntax error");
    assert_usable(world, source);

    /* Also when it goes away under a statement that is prepared already. */
    run_sql(world_path(world, "tasks.db"), "ALTER TABLE tasks RENAME TO chores");
    must_refuse(world, source, (struct question){"SELECT count(*) AS n FROM tasks"}, ERR_REMOTE,
                "no such table: tasks");
    run_sql(world_path(world, "tasks.db"), "ALTER TABLE chores RENAME TO tasks");
    assert_usable(world, source);
    source_close(source);
}

static void what_is_no_database_is_said(void **state)
{
    struct world *world = *state;
    FILE *file = fopen(world_path(world, "letter.db"), "w");
    for (int i = 0; i < 500; i++)
        fputs("Dear Sir or Madam, ", file);
    fclose(file);
    struct source *source = open_file(world, "letter.db");
    must_refuse(world, source, (struct question){"SELECT 1 FROM sqlite_schema"}, ERR_CORRUPT, "letter.db");
    source_close(source);

    source = open_file(world, "."); /* the folder */
    must_refuse(world, source, (struct question){"SELECT 1"}, ERR_UNAVAILABLE, "not a file");
    source_close(source);
}

static void url_without_a_file_is_refused(void **state)
{
    struct world *world = *state;
    struct source *source = NULL;
    struct err_info err = {0};
    assert_int_equal(source_open(&world->env,
                                 &(struct source_options){.name = "main", .url = STR_LIT("sqlite:")}, &source,
                                 &err),
                     ERR_INVALID);
    assert_int_equal(source_open(&world->env,
                                 &(struct source_options){.name = "main", .url = STR_LIT("sqlite::memory:")},
                                 &source, &err),
                     ERR_INVALID);
    assert_int_equal(source_open(&world->env,
                                 &(struct source_options){.name = "main", .url = STR_LIT("sqlite:a\0b")},
                                 &source, &err),
                     ERR_INVALID);
    assert_null(source);
    /* No URL parameters: this is a file of that very name, which is not there. */
    assert_int_equal(
        source_open(&world->env,
                    &(struct source_options){.name = "main", .url = STR_LIT("sqlite:file:x.db?mode=rwc")},
                    &source, &err),
        0);
    must_refuse(world, source, (struct question){"SELECT 1"}, ERR_UNAVAILABLE, "x.db?mode=rwc");
    source_close(source);
}

static void replaced_file_is_seen_at_the_next_question(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    assert_usable(world, source);

    char other[512];
    snprintf(other, sizeof other, "%s", world_path(world, "other.db"));
    run_sql(other, "CREATE TABLE tasks(id); INSERT INTO tasks VALUES(9)");
    assert_int_equal(rename(other, world_path(world, "tasks.db")), 0);
    struct source_result *result = must_ask(world, source, (struct question){"SELECT id FROM tasks"});
    assert_cell(result, 0, "id", VALUE_INT, "9");
    source_result_free(result);

    assert_int_equal(unlink(world_path(world, "tasks.db")), 0);
    must_refuse(world, source, (struct question){"SELECT id FROM tasks"}, ERR_UNAVAILABLE, "tasks.db");
    source_close(source);
}

static void file_cut_short_under_us_is_an_error(void **state)
{
    struct world *world = *state;
    run_sql(
        world_path(world, "big.db"),
        "CREATE TABLE t(x); WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2000)"
        " INSERT INTO t SELECT printf('%.*c', 1000, 'x') FROM c");
    struct source *source = open_file(world, "big.db");
    struct source_result *result = must_ask(world, source, (struct question){"SELECT count(*) FROM t"});
    source_result_free(result);
    assert_int_equal(truncate(world_path(world, "big.db"), 8192), 0);
    struct err_info err = {0};
    int res = ask(world, source, (struct question){"SELECT sum(length(x)) FROM t"}, &result, &err);
    assert_true(res == ERR_CORRUPT || res == ERR_IO);
    assert_true(err.message[0]);
    source_close(source);
}

static void locked_file_is_unavailable_within_the_deadline(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    sqlite3 *writer = NULL;
    assert_int_equal(sqlite3_open(world_path(world, "tasks.db"), &writer), SQLITE_OK);
    assert_int_equal(sqlite3_exec(writer, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    must_refuse(world, source, (struct question){"SELECT * FROM tasks", .deadline_us = world_deadline(1000)},
                ERR_UNAVAILABLE, "locked");
    assert_int_equal(sqlite3_exec(writer, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_usable(world, source);
    sqlite3_close(writer);
    source_close(source);
}

static void file_in_wal_mode_is_read_beside_its_writer(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    sqlite3 *writer = NULL;
    assert_int_equal(sqlite3_open(world_path(world, "tasks.db"), &writer), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(writer, "PRAGMA journal_mode = WAL; BEGIN; DELETE FROM tasks", NULL, NULL, NULL),
        SQLITE_OK);
    assert_usable(world, source); /* sees what is committed */
    assert_int_equal(sqlite3_exec(writer, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    struct source_result *result =
        must_ask(world, source, (struct question){"SELECT count(*) AS n FROM tasks"});
    assert_cell(result, 0, "n", VALUE_INT, "0");
    source_result_free(result);
    sqlite3_close(writer);
    source_close(source);
}

/* ---- time ---- */

static const char endless[] =
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";

static void endless_query_stops_at_its_deadline(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    assert_usable(world, source);
    must_refuse(world, source, (struct question){endless, .deadline_us = world_deadline(30)}, ERR_TIMEOUT,
                "deadline");
    assert_usable(world, source);
    source_close(source); /* waits for the run: it has stopped, or this never ends */
}

static void question_past_its_deadline_is_not_asked(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    must_refuse(world, source, (struct question){endless, .deadline_us = world_deadline(-1)}, ERR_TIMEOUT,
                "deadline");
    source_close(source);
}

static void abandoned_query_stops_and_frees_itself(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    struct source_fetch fetch = {0};
    char *sql = strdup(endless); /* gone before the query is */
    struct value setting = value_text(str_of(sql));
    struct source_request request = {.settings = &setting, .max_rows = 1, .deadline_us = INT64_MAX};
    assert_int_equal(source_fetch_start(source, &request, world->loop, &fetch, NULL), 0);
    free(sql);
    world->loop = net_loop_free(world->loop); /* the only thing that can end it: it has no deadline */
    source_close(source);
}

static void two_fetches_of_one_loop_run_at_the_same_time(void **state)
{
    struct world *world = *state;
    struct source *first = open_tasks(world), *second = open_file(world, "tasks.db");
    sqlite3 *writer = NULL;
    struct source_fetch fetches[2] = {0};
    struct value setting = value_text(STR_LIT("SELECT count(*) AS n FROM tasks"));
    struct source_request request = {.settings = &setting, .max_rows = 1, .deadline_us = INT64_MAX};

    /* Both wait for the same lock: both are under way before either can end. */
    assert_int_equal(sqlite3_open(world_path(world, "tasks.db"), &writer), SQLITE_OK);
    assert_int_equal(sqlite3_exec(writer, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(source_fetch_start(first, &request, world->loop, &fetches[0], NULL), 0);
    assert_int_equal(source_fetch_start(second, &request, world->loop, &fetches[1], NULL), 0);
    assert_int_equal(workers_load(world->env.workers), 2);
    assert_int_equal(sqlite3_exec(writer, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 2; i++) {
        struct net_op *op = NULL;
        assert_int_equal(net_loop_wait(world->loop, INT64_MAX, &op, NULL), 0);
        struct source_result *result = source_fetch_take((struct source_fetch *)op);
        assert_cell(result, 0, "n", VALUE_INT, "4");
        source_result_free(result);
    }
    sqlite3_close(writer);
    source_close(first);
    source_close(second);
}

/* ---- doctor and checker ---- */

static void check_says_what_is_there(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    struct source *missing = open_file(world, "nothing.db");
    struct err_info err = {0};
    struct buf buf;
    buf_init(&buf, 1024);
    assert_int_equal(source_check(source, world_deadline(5000), &buf, &err), 0);
    buf_append_byte(&buf, '\0');
    assert_non_null(strstr(buf.data, sqlite3_libversion()));
    assert_non_null(strstr(buf.data, "tasks.db, 1 table"));
    buf_clear(&buf);
    assert_int_equal(source_check(missing, world_deadline(5000), &buf, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "nothing.db"));
    buf_done(&buf);
    source_close(source);
    source_close(missing);
}

static void prepare_finds_errors_without_running(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    struct err_info err = {0};
    struct value good = value_text(STR_LIT("SELECT * FROM tasks WHERE id = ?1"));
    struct value bad = value_text(STR_LIT("SELECT * FROM tusks"));
    struct value slow = value_text(str_of(endless));
    assert_int_equal(source_prepare(source, &good, 1, &err), 0);
    assert_int_equal(source_prepare(source, &slow, 0, &err), 0); /* would not come back if it ran */
    assert_int_equal(source_prepare(source, &good, 0, &err), ERR_INVALID);
    assert_int_equal(source_prepare(source, &bad, 0, &err), ERR_REMOTE);
    assert_string_equal(err.message, "main: no such table: tusks");
    source_close(source);
}

/* ---- memory ---- */

static void every_failed_allocation_is_survived(void **state)
{
    struct world *world = *state;
    run_sql(world_path(world, "tasks.db"), schema);
    struct value bind = value_time(0);
    long n_failed = 0;
    bool is_pending = false;

    for (long n = 1; !is_pending; n++) {
        struct source *source = NULL;
        struct source_result *result = NULL;
        struct err_info err = {0};
        char url[600];
        snprintf(url, sizeof url, "sqlite:%s", world_path(world, "tasks.db"));
        fail_mem_at(n);
        int res = source_open(&world->env, &(struct source_options){.name = "main", .url = str_of(url)},
                              &source, &err);
        if (res == 0)
            res = ask(world, source,
                      (struct question){"SELECT * FROM tasks WHERE due > ?1 OR due IS NULL ORDER BY title",
                                        &bind, 1},
                      &result, &err);
        is_pending = fail_mem_is_pending();
        fail_mem_at(0);
        if (res == 0) { /* SQLite may do without */
            assert_int_equal(result->n_rows, 4);
            source_result_free(result);
        } else {
            n_failed++;
            assert_int_equal(res, ERR_NOMEM);
            assert_true(err.message[0]);
        }
        if (source)
            assert_usable(world, source);
        source_close(source);
    }
    assert_true(n_failed > 10);
}

static void questions_are_counted_by_how_they_ended(void **state)
{
    struct world *world = *state;
    struct source *source = open_tasks(world);
    struct source_result *result = NULL;
    struct source_stats stats;

    for (int i = 0; i < 3; i++)
        source_result_free(must_ask(world, source, (struct question){"SELECT 1"}));
    assert_true(ask(world, source, (struct question){"SELECT nothing"}, &result, NULL) < 0);
    struct question late = {.sql = "SELECT 1", .deadline_us = 1};
    assert_int_equal(ask(world, source, late, &result, NULL), ERR_TIMEOUT);
    source_stats(source, &stats);
    assert_int_equal(stats.n_by_outcome[SOURCE_ANSWERED], 3);
    assert_int_equal(stats.n_by_outcome[SOURCE_ERROR], 1);
    assert_int_equal(stats.n_by_outcome[SOURCE_TIMEOUT], 1);
    assert_int_equal(stats.n_by_outcome[SOURCE_REFUSED], 0);
    assert_int_equal(stats.took.n, 5);
    assert_false(stats.has_pool || stats.has_breaker);
    source_close(source);
}

int main(void)
{
#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)
    const struct CMUnitTest tests[] = {
        WORLD(questions_are_counted_by_how_they_ended),
        WORLD(values_have_the_types_they_are_stored_with),
        WORLD(exact_decimals_stay_exact),
        WORLD(bound_values_arrive_as_they_are),
        WORLD(statement_is_reused_with_new_values),
        WORLD(more_statements_than_the_cache_holds),
        WORLD(rows_beyond_the_limit_are_said_not_failed),
        WORLD(bytes_beyond_the_limit_are_said_not_failed),
        WORLD(huge_parameter_is_refused),
        WORLD(bound_text_is_never_sql),
        WORLD(only_reading_statements_are_taken),
        WORLD(one_statement_is_what_a_query_has),
        WORLD(statement_with_a_nul_is_refused),
        WORLD(full_text_tables_can_be_read),
        WORLD(missing_file_is_named_and_not_made),
        WORLD(missing_table_is_said_in_sqlites_words),
        WORLD(what_is_no_database_is_said),
        WORLD(url_without_a_file_is_refused),
        WORLD(replaced_file_is_seen_at_the_next_question),
        WORLD(file_cut_short_under_us_is_an_error),
        WORLD(locked_file_is_unavailable_within_the_deadline),
        WORLD(file_in_wal_mode_is_read_beside_its_writer),
        WORLD(endless_query_stops_at_its_deadline),
        WORLD(question_past_its_deadline_is_not_asked),
        WORLD(abandoned_query_stops_and_frees_itself),
        WORLD(two_fetches_of_one_loop_run_at_the_same_time),
        WORLD(check_says_what_is_there),
        WORLD(prepare_finds_errors_without_running),
        WORLD(every_failed_allocation_is_survived),
    };
    if (sqlite_setup(NULL) < 0) /* before the first connection: SQLite's allocations count too */
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
