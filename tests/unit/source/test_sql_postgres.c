/* SPDX-License-Identifier: Apache-2.0
 *
 * The kind `sql` on a real PostgreSQL server: values in and out, and what holds when statements travel
 * together, fail, are slow, or lose their server.
 */
#include "source/postgres_priv.h"

#include "world.h"

#include "../backend.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MAX_ASKED 16

/* ---- a world with one PostgreSQL connection ---- */

static struct workers *connectors;

static struct source *open_url(struct world *world, const char *url, size_t max_conns)
{
    struct source *source = NULL;
    struct source_options options = {.name = "pg", .url = str_of(url), .max_conns = max_conns};
    if (!connectors)
        assert_int_equal(workers_new("connect", 4, 64, &connectors, NULL), 0);
    world->env.connectors = connectors;
    assert_int_equal(source_open(&world->env, &options, &source, NULL), 0);
    return source;
}

static struct source *open_pg(struct world *world)
{
    return open_url(world, backend_fact("POSTGRES", "URL"), 0);
}

static int stop_connectors(void **state)
{
    (void)state;
    connectors = workers_free(connectors);
    return 0;
}

static void close_pg(struct world *world, struct source *source)
{
    world->loop = net_loop_free(world->loop);
    source_close(source);
    assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
}

/* Writes with a connection of its own: those of the kind cannot. */
static void write_sql_at(const char *url, const char *sql)
{
    struct pg_conn *conn = NULL;
    struct pg_event event;
    struct err_info err = {0};
    bool is_done = false;
    int res = pg_conn_open(str_of(url), &clock_system, world_deadline(5000), &conn, &err);
    assert_int_equal(res, 0);
    assert_int_equal(
        pg_conn_ask(conn, STR_LIT("SET default_transaction_read_only = off"), NULL, 0, conn, NULL), 0);
    assert_int_equal(pg_conn_ask_sync(conn, NULL), 0);
    struct str rest = str_of(sql), one;
    while (str_next_part(&rest, ';', &one))
        if (!str_is_empty(str_trim(one))) {
            assert_int_equal(pg_conn_ask(conn, str_trim(one), NULL, 0, conn, NULL), 0);
            assert_int_equal(pg_conn_ask_sync(conn, NULL), 0);
        }
    assert_int_equal(pg_conn_ask_sync(conn, NULL), 0);
    while (!is_done) {
        assert_int_equal(pg_conn_push(conn, NULL), 0);
        res = pg_conn_next(conn, &event, &err);
        if (res < 0)
            fail_msg("%s", err.message);
        if (res == 0 && event.kind == PG_ERROR)
            fail_msg("%.*s", STR_ARG(event.error.message));
        is_done = pg_conn_is_idle(conn);
        if (res == 1 && !is_done)
            (void)pg_conn_read(conn, NULL);
    }
    pg_conn_close(conn);
}

static void write_sql(const char *sql)
{
    write_sql_at(backend_fact("POSTGRES", "URL"), sql);
}

struct asked {
    struct source_fetch fetch;
    struct source_result *result;
    struct err_info err;
    int res;
    bool is_over;
};

static int ask(struct world *world, struct source *source, const char *sql, const struct value *binds,
               size_t n, int64_t timeout_ms, struct asked *asked)
{
    struct value setting = value_text(str_of(sql));
    struct source_request request = {.settings = &setting,
                                     .binds = binds,
                                     .n_binds = n,
                                     .deadline_us = world_deadline(timeout_ms),
                                     .max_rows = 100};
    memset(asked, 0, sizeof *asked);
    asked->res = source_fetch_start(source, &request, world->loop, &asked->fetch, &asked->err);
    asked->is_over = asked->res < 0;
    return asked->res;
}

/* Until all have ended; the order in which they did. */
static size_t wait_all(struct world *world, struct asked *asked, size_t n, size_t *ret_order)
{
    size_t n_ended = 0;
    for (;;) {
        size_t n_open = 0;
        for (size_t i = 0; i < n; i++)
            n_open += !asked[i].is_over;
        struct net_op *op = NULL;
        if (n_open == 0 || net_loop_wait(world->loop, INT64_MAX, &op, NULL) != 0)
            return n_ended;
        struct asked *one = (struct asked *)(void *)op;
        one->res = op->result;
        one->err = op->err;
        one->result = source_fetch_take(&one->fetch);
        one->is_over = true;
        if (ret_order)
            ret_order[n_ended] = (size_t)(one - asked);
        n_ended++;
    }
}

static void done_asked(struct asked *asked, size_t n)
{
    for (size_t i = 0; i < n; i++)
        asked[i].result = source_result_free(asked[i].result);
}

/* One statement, its first row's first column as text. */
static int ask_one(struct world *world, struct source *source, const char *sql, const struct value *binds,
                   size_t n, struct buf *text, struct err_info *reterr)
{
    struct asked asked;
    (void)ask(world, source, sql, binds, n, 5000, &asked);
    net_loop_flush(world->loop, true);
    wait_all(world, &asked, 1, NULL);
    buf_clear(text);
    if (asked.result && asked.result->n_rows > 0)
        value_print(asked.result->rows[0].values[0], text);
    if (reterr)
        *reterr = asked.err;
    int res = asked.res;
    done_asked(&asked, 1);
    world->loop = net_loop_free(world->loop);
    assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
    return res;
}

static void expect_text(struct world *world, struct source *source, const char *sql, const char *expected)
{
    struct buf text;
    struct err_info err = {0};
    buf_init(&text, 1 << 20);
    int res = ask_one(world, source, sql, NULL, 0, &text, &err);
    if (res < 0)
        fail_msg("%s: %s", sql, err.message);
    assert_string_equal(text.data ? text.data : "", expected);
    buf_done(&text);
}

static void expect_type(struct world *world, struct source *source, const char *sql, enum value_type type,
                        const char *json)
{
    struct asked asked;
    struct buf text;
    buf_init(&text, 1 << 20);
    (void)ask(world, source, sql, NULL, 0, 5000, &asked);
    net_loop_flush(world->loop, true);
    wait_all(world, &asked, 1, NULL);
    if (asked.res < 0)
        fail_msg("%s: %s", sql, asked.err.message);
    assert_int_equal(asked.result->n_rows, 1);
    struct value value = asked.result->rows[0].values[0];
    value_print_json(value, &text);
    if (value.type != type || strcmp(text.data, json) != 0)
        fail_msg("%s: %s %s, not %s", sql, value_type_name(value.type), text.data, json);
    buf_done(&text);
    done_asked(&asked, 1);
    world->loop = net_loop_free(world->loop);
    assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
}

/* Until the pool is at rest; what is drained on a worker needs a moment. */
static void expect_idle(struct source *source)
{
    struct source_stats stats;
    int64_t until_us = world_deadline(5000);
    do {
        source_stats(source, &stats);
        if (stats.pool.n_open == stats.pool.n_idle && stats.pool.n_connecting == 0 &&
            stats.pool.n_waiting == 0)
            return;
        sched_yield();
    } while (clock_mono_us(&clock_system) < until_us);
    fail_msg("%zu of %zu connections idle, %zu waiting", stats.pool.n_idle, stats.pool.n_open,
             stats.pool.n_waiting);
}

/* ---- values out ---- */

static void values_of_every_type_keep_their_meaning(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    static const struct {
        const char *sql;
        enum value_type type;
        const char *json;
    } cases[] = {
        {"SELECT true", VALUE_BOOL, "true"},
        {"SELECT 7::int2", VALUE_INT, "7"},
        {"SELECT '-9223372036854775808'::int8", VALUE_INT, "-9223372036854775808"},
        {"SELECT 0.1::float4", VALUE_REAL, "0.1"},
        {"SELECT 0.1::float8 + 0.2", VALUE_REAL, "0.30000000000000004"},
        {"SELECT 'NaN'::float8", VALUE_DECIMAL, "\"NaN\""},
        {"SELECT '-Infinity'::float8", VALUE_DECIMAL, "\"-Infinity\""},
        {"SELECT 1234567890123456789012345678.90::numeric", VALUE_DECIMAL, "1234567890123456789012345678.90"},
        {"SELECT 'NaN'::numeric", VALUE_DECIMAL, "\"NaN\""},
        {"SELECT 'Łódź \"東京\"'::text", VALUE_TEXT, "\"Łódź \\\"東京\\\"\""},
        {"SELECT ''::varchar", VALUE_TEXT, "\"\""},
        {"SELECT timestamptz '2026-11-21 06:37:01.25+01'", VALUE_TIME, "\"2026-11-21T05:37:01.250000Z\""},
        {"SELECT timestamp '2026-11-21 05:37:01'", VALUE_TIME, "\"2026-11-21T05:37:01Z\""},
        {"SELECT timestamptz 'infinity'", VALUE_TEXT, "\"infinity\""},
        {"SELECT timestamptz '0044-03-15 12:00 BC'", VALUE_TEXT, "\"0044-03-15 12:00:00+00 BC\""},
        {"SELECT date '2026-11-21'", VALUE_TEXT, "\"2026-11-21\""},
        {"SELECT time '05:37:01'", VALUE_TEXT, "\"05:37:01\""},
        {"SELECT interval '1 day 2 hours'", VALUE_TEXT, "\"1 day 02:00:00\""},
        {"SELECT '00000000-0000-4000-8000-0000000000AB'::uuid", VALUE_TEXT,
         "\"00000000-0000-4000-8000-0000000000ab\""},
        {"SELECT '{\"a\":1.50,\"b\":[null]}'::jsonb", VALUE_JSON, "{\"a\": 1.50, \"b\": [null]}"},
        {"SELECT '{\"b\":1,\"a\":2}'::json", VALUE_JSON, "{\"b\":1,\"a\":2}"},
        {"SELECT '\"plain\"'::jsonb", VALUE_TEXT, "\"plain\""},
        {"SELECT '12'::jsonb", VALUE_INT, "12"},
        {"SELECT 'null'::jsonb", VALUE_NULL, "null"},
        {"SELECT NULL::text", VALUE_NULL, "null"},
        {"SELECT '\\x00ff'::bytea", VALUE_NULL, "null"},
        {"SELECT ARRAY[1,2,NULL]", VALUE_JSON, "[1,2,null]"},
        {"SELECT '{}'::int[]", VALUE_JSON, "[]"},
        {"SELECT '[5:6]={1,2}'::int[]", VALUE_JSON, "[1,2]"},
        {"SELECT ARRAY[[1.5,2],[3,4]]::numeric[]", VALUE_JSON, "[[1.5,2],[3,4]]"},
        {"SELECT ARRAY['a b','c\"d\\e','NULL','',NULL,'{x}']", VALUE_JSON,
         "[\"a b\",\"c\\\"d\\\\e\",\"NULL\",\"\",null,\"{x}\"]"},
        {"SELECT ARRAY['{\"a\": [1]}'::jsonb]", VALUE_JSON, "[{\"a\": [1]}]"},
        {"SELECT ARRAY[true,false]", VALUE_JSON, "[true,false]"},
        {"SELECT ARRAY[timestamptz '2026-11-21 05:37:01+00']", VALUE_JSON, "[\"2026-11-21T05:37:01Z\"]"},
        {"SELECT ARRAY['00000000-0000-4000-8000-0000000000ab'::uuid]", VALUE_JSON,
         "[\"00000000-0000-4000-8000-0000000000ab\"]"},
        {"SELECT '[1,2.5,-3]'::vector", VALUE_JSON, "[1,2.5,-3]"},
        {"SELECT '1.2.3.4'::inet", VALUE_TEXT, "\"1.2.3.4\""},
        {"SELECT ROW(1,'x')", VALUE_TEXT, "\"(1,x)\""},
    };

    write_sql("CREATE EXTENSION IF NOT EXISTS vector");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_type(world, source, cases[i].sql, cases[i].type, cases[i].json);
    expect_idle(source);
    close_pg(world, source);
}

static void rows_beyond_the_limit_are_left_out_and_said(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked[2];

    (void)ask(world, source, "SELECT i AS id, 'x' || i FROM generate_series(1, 20000) i", NULL, 0, 5000,
              &asked[0]);
    (void)ask(world, source, "SELECT 'after'", NULL, 0, 5000, &asked[1]);
    net_loop_flush(world->loop, true);
    wait_all(world, asked, 2, NULL);
    assert_int_equal(asked[0].res, 0);
    assert_int_equal(asked[0].result->n_rows, 100);
    assert_true(asked[0].result->is_truncated);
    assert_true(str_is(asked[0].result->rows[4].id, "5"));
    assert_int_equal(asked[1].res, 0);
    assert_int_equal(asked[1].result->n_rows, 1);
    done_asked(asked, 2);
    close_pg(world, source);
}

static struct asked ask_in_new_loop(struct world *world, struct source *source, const char *sql)
{
    struct asked asked;
    (void)ask(world, source, sql, NULL, 0, 20000, &asked);
    net_loop_flush(world->loop, true);
    wait_all(world, &asked, 1, NULL);
    world->loop = net_loop_free(world->loop);
    assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
    return asked;
}

static long peak_kb(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void answer_that_grows_from_one_row_to_300_megabytes_is_cut_and_takes_no_memory(void **state)
{
    static const char sql[] = "SELECT i AS id, repeat('x', 1000) AS text"
                              " FROM generate_series(1, (SELECT n FROM pg_grows)) i";
    struct world *world = *state;
    struct source *source = open_pg(world);

    write_sql(
        "DROP TABLE IF EXISTS pg_grows; CREATE TABLE pg_grows (n int); INSERT INTO pg_grows VALUES (1)");
    for (int i = 0; i < 4; i++) {
        struct asked asked = ask_in_new_loop(world, source, sql);
        assert_int_equal(asked.res, 0);
        assert_int_equal(asked.result->n_rows, 1);
        done_asked(&asked, 1);
    }
    write_sql("UPDATE pg_grows SET n = 300000");
    long before_kb = peak_kb();
    for (int i = 0; i < 2; i++) { /* from what was thought small, and then from what is known not to be */
        struct asked asked = ask_in_new_loop(world, source, sql);
        if (asked.res < 0)
            fail_msg("%s", asked.err.message);
        assert_int_equal(asked.result->n_rows, 100);
        assert_true(asked.result->is_truncated);
        assert_true(str_is(asked.result->rows[99].id, "100"));
        done_asked(&asked, 1);
    }
    assert_true(peak_kb() - before_kb < 64 * 1024);
    write_sql("DROP TABLE pg_grows");
    close_pg(world, source);
}

static void row_of_forty_megabytes_ends_its_own_statement_alone(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked[3];

    (void)ask(world, source, "SELECT 'before'", NULL, 0, 20000, &asked[0]);
    (void)ask(world, source, "SELECT repeat('x', 40 * 1024 * 1024) AS big", NULL, 0, 20000, &asked[1]);
    (void)ask(world, source, "SELECT 'after'", NULL, 0, 20000, &asked[2]);
    net_loop_flush(world->loop, true);
    wait_all(world, asked, 3, NULL);
    assert_int_equal(asked[0].res, 0);
    assert_int_equal(asked[1].res, ERR_LIMIT);
    assert_int_equal(asked[2].res, 0);
    assert_true(str_is(asked[2].result->rows[0].values[0].text, "after"));
    done_asked(asked, 3);
    close_pg(world, source);
}

static void columns_are_known_without_rows(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked;

    (void)ask(world, source, "SELECT 1 AS one, 2 AS two WHERE false", NULL, 0, 5000, &asked);
    net_loop_flush(world->loop, true);
    wait_all(world, &asked, 1, NULL);
    assert_int_equal(asked.res, 0);
    assert_int_equal(asked.result->n_rows, 0);
    assert_int_equal(asked.result->n_columns, 2);
    assert_true(str_is(asked.result->columns[1], "two"));
    done_asked(&asked, 1);
    close_pg(world, source);
}

static void value_of_ten_megabytes_is_refused(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked[2];

    (void)ask(world, source, "SELECT 'small'", NULL, 0, 20000, &asked[0]);
    (void)ask(world, source, "SELECT repeat('x', 10 * 1024 * 1024) AS big", NULL, 0, 20000, &asked[1]);
    net_loop_flush(world->loop, true);
    wait_all(world, asked, 2, NULL);
    assert_int_equal(asked[0].res, 0);
    assert_int_equal(asked[1].res, ERR_LIMIT);
    assert_non_null(strstr(asked[1].err.message, "'big' is too large"));
    done_asked(asked, 2);
    close_pg(world, source);
}

/* ---- values in ---- */

static void parameter_fits_the_column_it_meets(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct buf text;
    struct value uuid[] = {value_text(STR_LIT("00000000-0000-4000-8000-0000000000ab"))};
    struct value number[] = {value_int(7)}, number_text[] = {value_text(STR_LIT("7"))};
    struct value time[] = {value_time(INT64_C(1795239421250000))};
    struct value list[] = {value_json(STR_LIT("[\"AAPL\",\"BTC\"]"))};
    static const struct value nothing[1];
    struct err_info err = {0};

    buf_init(&text, 4096);
    assert_int_equal(
        ask_one(
            world, source,
            "SELECT 'hit' FROM (SELECT '00000000-0000-4000-8000-0000000000ab'::uuid AS id) t WHERE id = ?1",
            uuid, 1, &text, &err),
        0);
    assert_string_equal(text.data, "hit");
    assert_int_equal(
        ask_one(world, source, "SELECT 'hit' FROM (SELECT 7 AS id) t WHERE id = ?1", number, 1, &text, &err),
        0);
    assert_string_equal(text.data, "hit");
    assert_int_equal(ask_one(world, source, "SELECT 'hit' FROM (SELECT 7 AS id) t WHERE id = ?1", number_text,
                             1, &text, &err),
                     0);
    assert_string_equal(text.data, "hit");
    assert_int_equal(ask_one(world, source, "SELECT 'hit' FROM (SELECT '7'::text AS id) t WHERE id = ?1",
                             number, 1, &text, &err),
                     0);
    assert_string_equal(text.data, "hit");
    assert_int_equal(
        ask_one(world, source,
                "SELECT 'hit' FROM (SELECT timestamptz '2026-11-21 05:37:01.25+00' AS at) t WHERE at = ?1",
                time, 1, &text, &err),
        0);
    assert_string_equal(text.data, "hit");
    assert_int_equal(
        ask_one(world, source,
                "SELECT 'hit' FROM (SELECT '2026-11-21 05:37:01.250000'::text AS at) t WHERE at = ?1", time,
                1, &text, &err),
        0);
    assert_string_equal(text.data, "hit");
    assert_int_equal(
        ask_one(world, source,
                "SELECT 'hit' FROM (SELECT 'BTC'::text AS symbol) t WHERE ?1 LIKE '%\"' || symbol || '\"%'",
                list, 1, &text, &err),
        0);
    assert_string_equal(text.data, "hit");
    assert_int_equal(ask_one(world, source,
                             "SELECT COALESCE(unit, ?1, 'C') FROM (SELECT NULL::text AS unit) t", nothing, 1,
                             &text, &err),
                     0);
    assert_string_equal(text.data, "C");
    assert_int_equal(ask_one(world, source,
                             "SELECT 'hit' FROM (SELECT 1 AS x) t WHERE CAST(?1 AS int) IS NULL OR x = ?1",
                             nothing, 1, &text, &err),
                     0);
    assert_string_equal(text.data, "hit");
    buf_done(&text);
    close_pg(world, source);
}

static void parameter_is_never_read_as_sql(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    static const char *const texts[] = {"'; DROP TABLE users; --",
                                        "\\'; SELECT 1",
                                        "$1",
                                        "?1",
                                        "E'\\x00'",
                                        "\"quoted\"",
                                        "$$x$$",
                                        "it''s",
                                        "%_\\",
                                        "\xF0\x9F\x98\x80"};
    struct buf text;

    buf_init(&text, 4096);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct value binds[] = {value_text(str_of(texts[i]))};
        assert_int_equal(
            ask_one(world, source, "SELECT ?1::text /* ?1 */ AS \"?1\" -- ?1", binds, 1, &text, NULL), 0);
        assert_string_equal(text.data, texts[i]);
        assert_int_equal(
            ask_one(world, source, "SELECT '?1 ''?2' || $x$?3$x$ || E'\\'?4' || ?1", binds, 1, &text, NULL),
            0);
        assert_int_equal(strncmp(text.data, "?1 '?2?3'?4", 11), 0);
    }
    buf_done(&text);
    close_pg(world, source);
}

static void parameter_that_cannot_be_sent_is_refused(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    char *big = calloc(1, 10 * 1024 * 1024 + 1);
    memset(big, 'x', 10 * 1024 * 1024);
    struct value nul[] = {value_text(STR_LIT("a\0b"))}, bad[] = {value_text(STR_LIT("a\xff"))};
    struct value large[] = {value_text(str_of(big))};
    struct asked asked;

    assert_int_equal(ask(world, source, "SELECT ?1::text", nul, 1, 1000, &asked), ERR_INVALID);
    assert_non_null(strstr(asked.err.message, "NUL"));
    assert_int_equal(ask(world, source, "SELECT ?1::text", bad, 1, 1000, &asked), ERR_INVALID);
    assert_non_null(strstr(asked.err.message, "UTF-8"));
    assert_int_equal(ask(world, source, "SELECT ?1::text", large, 1, 1000, &asked), ERR_LIMIT);
    assert_non_null(strstr(asked.err.message, "4 MB"));
    assert_int_equal(ask(world, source, "SELECT ?2::text", nul, 1, 1000, &asked), ERR_INVALID);
    free(big);
    close_pg(world, source);
}

static void type_that_nobody_knows_asks_for_a_cast(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct value binds[] = {value_time(0)};
    struct err_info err = {0};
    struct buf text;

    buf_init(&text, 4096);
    assert_int_equal(ask_one(world, source, "SELECT date_trunc('day', ?1)", binds, 1, &text, &err),
                     ERR_REMOTE);
    assert_non_null(strstr(err.message, "42725"));
    assert_non_null(strstr(err.message, ":name::timestamptz"));
    buf_done(&text);
    close_pg(world, source);
}

/* ---- together ---- */

static void error_costs_its_own_statement_alone(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked[7];
    static const char *const sql[] = {
        "SELECT 'a'", "SELECT nothing FROM pg_class", "SELECT 'b'", "SELECT 1 / 0", "SELECT 'c'", "SELEC 1",
        "SELECT 'd'"};

    for (int round = 0; round < 3; round++) { /* unknown, and known times */
        for (size_t i = 0; i < 7; i++)
            (void)ask(world, source, sql[i], NULL, 0, 5000, &asked[i]);
        net_loop_flush(world->loop, true);
        wait_all(world, asked, 7, NULL);
        for (size_t i = 0; i < 7; i += 2) {
            assert_int_equal(asked[i].res, 0);
            assert_int_equal(asked[i].result->n_rows, 1);
        }
        for (size_t i = 1; i < 7; i += 2)
            assert_int_equal(asked[i].res, ERR_REMOTE);
        assert_non_null(strstr(asked[1].err.message,
                               "pg: column \"nothing\" does not exist (42703) at 'nothing FROM pg_class'"));
        assert_non_null(strstr(asked[3].err.message, "(22012)"));
        assert_non_null(strstr(asked[5].err.message, "(42601) at 'SELEC 1'"));
        done_asked(asked, 7);
        world->loop = net_loop_free(world->loop);
        assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
        expect_idle(source);
    }
    close_pg(world, source);
}

/* The transaction is still open to more, so its sync is sent when the error comes. */
static void error_in_an_open_transaction_leaves_the_others_their_own(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked[5];
    static const char *const sql[] = {"SELECT 'a'", "SELECT 1 / 0", "SELECT 'b'",
                                      "SELECT 1 / (n - 5) FROM generate_series(0, 9) AS n", "SELECT 'c'"};
    static const char *const expected[] = {"a", NULL, "b", NULL, "c"};

    for (int round = 0; round < 3; round++) { /* unknown, and known times */
        for (size_t i = 0; i < 5; i++)
            (void)ask(world, source, sql[i], NULL, 0, 5000, &asked[i]);
        net_loop_flush(world->loop, false);
        wait_all(world, asked, 5, NULL);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(asked[i].res, expected[i] ? 0 : ERR_REMOTE);
            if (!expected[i])
                continue;
            assert_int_equal(asked[i].result->n_rows, 1);
            assert_true(str_is(asked[i].result->rows[0].values[0].text, expected[i]));
        }
        done_asked(asked, 5);
        world->loop = net_loop_free(world->loop);
        assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
        expect_idle(source);
    }
    close_pg(world, source);
}

static void statement_cannot_write(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct err_info err = {0};
    struct buf text;

    buf_init(&text, 4096);
    assert_int_equal(ask_one(world, source, "SELECT nextval('pg_temp.none')", NULL, 0, &text, &err),
                     ERR_REMOTE);
    assert_int_equal(
        ask_one(world, source, "WITH x AS (SELECT lo_creat(-1)) SELECT * FROM x", NULL, 0, &text, &err),
        ERR_REMOTE);
    assert_non_null(strstr(err.message, "25006"));
    buf_done(&text);
    close_pg(world, source);
}

static void later_flush_sees_the_same_snapshot(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked[2];
    struct buf text;

    buf_init(&text, 64);
    write_sql("DROP TABLE IF EXISTS pg_snapshot; CREATE TABLE pg_snapshot (n int); INSERT INTO pg_snapshot "
              "VALUES (1)");
    (void)ask(world, source, "SELECT count(*) FROM pg_snapshot", NULL, 0, 5000, &asked[0]);
    net_loop_flush(world->loop, false);
    wait_all(world, asked, 1, NULL);
    assert_int_equal(asked[0].res, 0);
    write_sql("INSERT INTO pg_snapshot VALUES (2)");
    (void)ask(world, source, "SELECT count(*), pg_backend_pid() FROM pg_snapshot", NULL, 0, 5000, &asked[1]);
    net_loop_flush(world->loop, true);
    wait_all(world, &asked[1], 1, NULL);
    assert_int_equal(asked[1].res, 0);
    assert_int_equal(asked[0].result->rows[0].values[0].integer, 1);
    assert_int_equal(asked[1].result->rows[0].values[0].integer, 1);
    done_asked(asked, 2);
    world->loop = net_loop_free(world->loop);
    assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
    expect_idle(source);
    expect_text(world, source, "SELECT count(*) FROM pg_snapshot", "2");
    write_sql("DROP TABLE pg_snapshot");
    buf_done(&text);
    close_pg(world, source);
}

static void statement_is_prepared_once_a_connection(void **state)
{
    struct world *world = *state;
    struct source *source = open_url(world, backend_fact("POSTGRES", "URL"), 1);
    struct value binds[] = {value_int(1)};
    struct buf text;

    buf_init(&text, 64);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask_one(world, source, "SELECT 40 + ?1::int", binds, 1, &text, NULL), 0);
    expect_text(world, source,
                "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT 40 +%'", "1");
    buf_done(&text);
    close_pg(world, source);
}

static void prepared_statements_are_bounded(void **state)
{
    struct world *world = *state;
    struct source *source = open_url(world, backend_fact("POSTGRES", "URL"), 1);
    char sql[64];

    for (int i = 0; i < 150; i++) {
        (void)snprintf(sql, sizeof sql, "SELECT %d", i);
        char expected[16];
        (void)snprintf(expected, sizeof expected, "%d", i);
        expect_text(world, source, sql, expected);
    }
    expect_text(world, source, "SELECT count(*) <= 96 FROM pg_prepared_statements", "true");
    close_pg(world, source);
}

static void changed_table_is_asked_anew(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);

    write_sql("DROP TABLE IF EXISTS pg_changed; CREATE TABLE pg_changed (a int); INSERT INTO pg_changed "
              "VALUES (1)");
    expect_text(world, source, "SELECT * FROM pg_changed", "1");
    write_sql("ALTER TABLE pg_changed ALTER COLUMN a TYPE text");
    expect_text(world, source, "SELECT * FROM pg_changed", "1");
    write_sql("DROP TABLE pg_changed");
    close_pg(world, source);
}

/* True when the slow one went its own way and ended last. */
static bool is_apart(const struct asked *asked, const size_t *order)
{
    int64_t slow_pid = asked[0].result->rows[0].values[1].integer;
    int64_t fast_pid = asked[1].result->rows[0].values[1].integer;
    return order[2] == 0 && slow_pid != fast_pid && fast_pid == asked[2].result->rows[0].values[1].integer;
}

static void slow_statement_does_not_hold_the_others(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked[3];
    size_t order[3];
    bool was_apart = false;

    /* Its times have to be known first; on a machine that is busy others seem slow as well. */
    for (int round = 0; round < 50 && !was_apart; round++) {
        (void)ask(world, source, "SELECT pg_sleep(0.05)::text, pg_backend_pid()", NULL, 0, 5000, &asked[0]);
        (void)ask(world, source, "SELECT 'fast', pg_backend_pid()", NULL, 0, 5000, &asked[1]);
        (void)ask(world, source, "SELECT 'fast as well', pg_backend_pid()", NULL, 0, 5000, &asked[2]);
        net_loop_flush(world->loop, true);
        wait_all(world, asked, 3, order);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(asked[i].res, 0);
        was_apart = is_apart(asked, order);
        done_asked(asked, 3);
        world->loop = net_loop_free(world->loop);
        assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
    }
    assert_true(was_apart);
    expect_idle(source);
    close_pg(world, source);
}

/* ---- what goes wrong ---- */

static void statement_beyond_its_deadline_is_stopped_at_the_server(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked[3];
    struct buf text;

    /* The first takes up the time of the second's own statement_timeout: the client has to cancel. */
    (void)ask(world, source, "SELECT 'quick'", NULL, 0, 5000, &asked[0]);
    (void)ask(world, source, "SELECT pg_sleep(60)::text AS pg_test_stopped", NULL, 0, 150, &asked[1]);
    (void)ask(world, source, "SELECT 'behind'", NULL, 0, 5000, &asked[2]);
    net_loop_flush(world->loop, true);
    wait_all(world, asked, 3, NULL);
    assert_int_equal(asked[0].res, 0);
    assert_int_equal(asked[1].res, ERR_TIMEOUT);
    assert_int_equal(asked[2].res, 0);
    assert_int_equal(asked[2].result->n_rows, 1);
    done_asked(asked, 3);
    world->loop = net_loop_free(world->loop);
    assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
    expect_idle(source);
    buf_init(&text, 64);
    int64_t until_us = world_deadline(5000);
    do
        assert_int_equal(ask_one(world, source,
                                 "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query "
                                 "LIKE '%AS pg_test_stopped'",
                                 NULL, 0, &text, NULL),
                         0);
    while (strcmp(text.data, "0") != 0 && clock_mono_us(&clock_system) < until_us);
    assert_string_equal(text.data, "0");
    buf_done(&text);
    close_pg(world, source);
}

static void who_waits_behind_many_that_are_stopped_is_answered(void **state)
{
    enum { N_STOPPED = 6 };
    struct world *world = *state;
    struct source *source = open_url(world, backend_fact("POSTGRES", "URL"), 1);
    struct asked asked[N_STOPPED + 1];

    for (int i = 0; i < N_STOPPED; i++)
        (void)ask(world, source, "SELECT pg_sleep(60)::text", NULL, 0, 100 * (i + 1), &asked[i]);
    (void)ask(world, source, "SELECT 'behind'", NULL, 0, 20000, &asked[N_STOPPED]);
    net_loop_flush(world->loop, true);
    wait_all(world, asked, N_STOPPED + 1, NULL);
    for (int i = 0; i < N_STOPPED; i++)
        assert_int_equal(asked[i].res, ERR_TIMEOUT);
    assert_int_equal(asked[N_STOPPED].res, 0);
    assert_int_equal(asked[N_STOPPED].result->n_rows, 1);
    done_asked(asked, N_STOPPED + 1);
    close_pg(world, source);
}

static void statement_timeout_leaves_the_connection_whole(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked;

    expect_text(world, source, "SELECT 1", "1");
    (void)ask(world, source, "SELECT pg_sleep(60)::text", NULL, 0, 300, &asked);
    net_loop_flush(world->loop, true);
    wait_all(world, &asked, 1, NULL);
    assert_int_equal(asked.res, ERR_TIMEOUT);
    assert_true(asked.fetch.has_heard);
    done_asked(&asked, 1);
    close_pg(world, source);
}

static void build_that_ends_early_leaves_no_connection_behind(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked[2];

    (void)ask(world, source, "SELECT pg_sleep(60)::text", NULL, 0, 60000, &asked[0]);
    (void)ask(world, source, "SELECT 1", NULL, 0, 60000, &asked[1]);
    net_loop_flush(world->loop, false);
    world->loop = net_loop_free(world->loop);
    assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
    expect_idle(source);
    expect_text(world, source, "SELECT 1", "1");
    /* Again, now that there is a connection: answers are outstanding. */
    (void)ask(world, source, "SELECT pg_sleep(60)::text", NULL, 0, 60000, &asked[0]);
    net_loop_flush(world->loop, true);
    world->loop = net_loop_free(world->loop);
    assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
    expect_idle(source);
    close_pg(world, source);
}

static void idle_connection_that_was_killed_is_replaced(void **state)
{
    struct world *world = *state;
    struct source *source = open_url(world, backend_fact("POSTGRES", "URL"), 1);
    struct buf pid;
    char sql[96];

    buf_init(&pid, 64);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask_one(world, source, "SELECT pg_backend_pid()", NULL, 0, &pid, NULL), 0);
        (void)snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%s)", pid.data);
        write_sql(sql); /* at once, and sometimes not noticed before the next use */
        expect_text(world, source, "SELECT 'alive'", "alive");
    }
    buf_done(&pid);
    close_pg(world, source);
}

static void connection_killed_in_the_middle_costs_a_second_try(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked[3];

    /* It ends its own connection, each time that it is asked. */
    (void)ask(world, source, "SELECT 'before'", NULL, 0, 5000, &asked[0]);
    (void)ask(world, source, "SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(1)::text", NULL, 0,
              5000, &asked[1]);
    (void)ask(world, source, "SELECT 'after'", NULL, 0, 5000, &asked[2]);
    net_loop_flush(world->loop, true);
    wait_all(world, asked, 3, NULL);
    assert_int_equal(asked[0].res, 0);
    assert_int_equal(asked[1].res, ERR_UNAVAILABLE);
    assert_non_null(strstr(asked[1].err.message, "connection was lost"));
    done_asked(asked, 3);
    close_pg(world, source);
}

static void wrong_password_is_said_without_it(void **state)
{
    struct world *world = *state;
    const char *good = backend_fact("POSTGRES", "URL");
    const char *at = strchr(good, '@');
    char url[512];
    struct buf text;
    struct err_info err = {0};

    (void)snprintf(url, sizeof url, "postgres://postgres:wrong-secret%s", at);
    struct source *source = open_url(world, url, 0);
    buf_init(&text, 4096);
    assert_int_equal(source_check(source, world_deadline(5000), &text, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "password authentication failed"));
    assert_null(strstr(err.message, "wrong-secret"));
    assert_int_equal(ask_one(world, source, "SELECT 1", NULL, 0, &text, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "password authentication failed"));
    close_pg(world, source);

    (void)snprintf(url, sizeof url, "postgres://postgres:sec@ret%s", at);
    source = open_url(world, url, 0);
    assert_int_equal(source_check(source, world_deadline(5000), &text, &err), ERR_INVALID);
    assert_null(strstr(err.message, "ret@"));
    close_pg(world, source);
    buf_done(&text);
}

static void unreachable_server_is_said(void **state)
{
    struct world *world = *state;
    struct source *source = open_url(world, "postgres://u:p@127.0.0.1:1/db", 0);
    struct buf text;
    struct err_info err = {0};

    buf_init(&text, 4096);
    assert_int_equal(source_check(source, world_deadline(5000), &text, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "Connection refused"));
    assert_int_equal(ask_one(world, source, "SELECT 1", NULL, 0, &text, &err), ERR_UNAVAILABLE);
    buf_done(&text);
    close_pg(world, source);
}

static void tls_is_verified(void **state)
{
    struct world *world = *state;
    const char *url = backend_fact("POSTGRES", "TLS_URL");
    struct source *source = open_url(world, url, 0);
    struct buf text;
    struct err_info err = {0};

    buf_init(&text, 4096);
    int res = source_check(source, world_deadline(5000), &text, &err);
    if (res < 0)
        fail_msg("%s", err.message);
    assert_non_null(strstr(text.data, ", TLS"));
    expect_text(world, source, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "true");
    expect_text(world, source, "SELECT length(repeat('x', 300000)) || left(repeat('y', 300000), 1)",
                "300000y");
    close_pg(world, source);

    char other[1024];
    const char *end = strstr(url, "sslrootcert=");
    (void)snprintf(other, sizeof other, "%.*ssslrootcert=%s", (int)(end - url), url,
                   backend_authority(false));
    source = open_url(world, other, 0);
    assert_int_equal(source_check(source, world_deadline(5000), &text, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "certificate verify failed"));
    buf_done(&text);
    close_pg(world, source);
}

/* ---- for doctor and recipe check ---- */

static void check_says_what_the_server_is(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct buf text;

    write_sql("CREATE EXTENSION IF NOT EXISTS vector");
    buf_init(&text, 4096);
    assert_int_equal(source_check(source, world_deadline(5000), &text, NULL), 0);
    assert_non_null(strstr(text.data, "PostgreSQL "));
    assert_non_null(strstr(text.data, ", database "));
    assert_non_null(strstr(text.data, ", pgvector "));
    assert_non_null(strstr(text.data, " ms"));
    buf_done(&text);
    close_pg(world, source);
}

static void prepare_tells_what_is_missing(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct err_info err = {0};
    struct value good = value_text(STR_LIT("SELECT oid FROM pg_class WHERE relname = ?1"));
    struct value table = value_text(STR_LIT("SELECT 1 FROM no_such_table"));
    struct value column = value_text(STR_LIT("SELECT relnam FROM pg_class"));

    assert_int_equal(source_prepare(source, &good, 1, &err), 0);
    assert_int_equal(source_prepare(source, &table, 0, &err), ERR_REMOTE);
    assert_non_null(strstr(err.message, "relation \"no_such_table\" does not exist (42P01)"));
    assert_int_equal(source_prepare(source, &column, 0, &err), ERR_REMOTE);
    assert_non_null(strstr(err.message, "Perhaps you meant to reference the column"));
    assert_int_equal(source_prepare(source, &good, 0, &err), ERR_INVALID);
    expect_idle(source);
    close_pg(world, source);
}

/* ---- extensions ---- */

static void filter_beside_a_vector_search_finds_all(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct asked asked;

    write_sql("CREATE EXTENSION IF NOT EXISTS vector;"
              "DROP TABLE IF EXISTS pg_vectors;"
              "CREATE TABLE pg_vectors (id serial, owner int, v vector(3));"
              "INSERT INTO pg_vectors (owner, v) SELECT (i % 200 = 0)::int, ARRAY[random(), random(), "
              "random()]::vector(3) FROM generate_series(1, 4000) i;"
              "CREATE INDEX ON pg_vectors USING hnsw (v vector_l2_ops);"
              "ANALYZE pg_vectors");
    /* Twenty rows are the owner's. The planner is made to take the index. */
    (void)ask(world, source,
              "SELECT id FROM pg_vectors WHERE owner = (SELECT 1) ORDER BY v <-> '[1,0,0]' LIMIT 20", NULL, 0,
              5000, &asked);
    net_loop_flush(world->loop, true);
    wait_all(world, &asked, 1, NULL);
    assert_int_equal(asked.res, 0);
    assert_int_equal(asked.result->n_rows, 20);
    done_asked(&asked, 1);
    world->loop = net_loop_free(world->loop);
    assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
    expect_text(world, source, "SELECT current_setting('hnsw.iterative_scan')", "strict_order");
    write_sql("DROP TABLE pg_vectors");
    close_pg(world, source);
}

static void wrong_dimension_is_said(void **state)
{
    struct world *world = *state;
    struct source *source = open_pg(world);
    struct buf text;
    struct err_info err = {0};

    write_sql("CREATE EXTENSION IF NOT EXISTS vector");
    buf_init(&text, 4096);
    assert_int_equal(
        ask_one(world, source, "SELECT '[1,2,3]'::vector <=> '[1,2]'::vector", NULL, 0, &text, &err),
        ERR_REMOTE);
    assert_non_null(strstr(err.message, "different vector dimensions 3 and 2"));
    buf_done(&text);
    close_pg(world, source);
}

static void time_buckets_of_timescale_are_plain_sql(void **state)
{
    struct world *world = *state;
    const char *url = backend_fact("TIMESCALE", "URL");
    struct source *source = open_url(world, url, 0);
    struct value binds[] = {value_time(INT64_C(1795239421000000))};
    struct buf text;
    struct err_info err = {0};

    write_sql_at(url, "CREATE EXTENSION IF NOT EXISTS timescaledb;"
                      "DROP TABLE IF EXISTS pg_series;"
                      "CREATE TABLE pg_series (at timestamptz NOT NULL, value float8);"
                      "SELECT create_hypertable('pg_series', 'at');"
                      "INSERT INTO pg_series SELECT timestamptz '2026-11-21 00:00Z' + i * interval '1 "
                      "minute', i FROM generate_series(0, 300) i");
    buf_init(&text, 4096);
    int res = ask_one(world, source,
                      "SELECT string_agg(hour || '=' || mean, ' ' ORDER BY hour) FROM (SELECT extract(hour "
                      "FROM time_bucket('1 hour', at)) AS hour,"
                      " avg(value) AS mean FROM pg_series WHERE at < ?1 GROUP BY 1) t",
                      binds, 1, &text, &err);
    if (res < 0)
        fail_msg("%s", err.message);
    assert_string_equal(text.data, "0=29.5 1=89.5 2=149.5 3=209.5 4=269.5 5=300");
    buf_clear(&text);
    assert_int_equal(source_check(source, world_deadline(5000), &text, NULL), 0);
    assert_non_null(strstr(text.data, "timescaledb"));
    write_sql_at(url, "DROP TABLE pg_series");
    buf_done(&text);
    close_pg(world, source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
        CASE(values_of_every_type_keep_their_meaning),
        CASE(rows_beyond_the_limit_are_left_out_and_said),
        CASE(answer_that_grows_from_one_row_to_300_megabytes_is_cut_and_takes_no_memory),
        CASE(row_of_forty_megabytes_ends_its_own_statement_alone),
        CASE(columns_are_known_without_rows),
        CASE(value_of_ten_megabytes_is_refused),
        CASE(parameter_fits_the_column_it_meets),
        CASE(parameter_is_never_read_as_sql),
        CASE(parameter_that_cannot_be_sent_is_refused),
        CASE(type_that_nobody_knows_asks_for_a_cast),
        CASE(error_costs_its_own_statement_alone),
        CASE(error_in_an_open_transaction_leaves_the_others_their_own),
        CASE(statement_cannot_write),
        CASE(later_flush_sees_the_same_snapshot),
        CASE(statement_is_prepared_once_a_connection),
        CASE(prepared_statements_are_bounded),
        CASE(changed_table_is_asked_anew),
        CASE(slow_statement_does_not_hold_the_others),
        CASE(statement_beyond_its_deadline_is_stopped_at_the_server),
        CASE(who_waits_behind_many_that_are_stopped_is_answered),
        CASE(statement_timeout_leaves_the_connection_whole),
        CASE(build_that_ends_early_leaves_no_connection_behind),
        CASE(idle_connection_that_was_killed_is_replaced),
        CASE(connection_killed_in_the_middle_costs_a_second_try),
        CASE(wrong_password_is_said_without_it),
        CASE(unreachable_server_is_said),
        CASE(tls_is_verified),
        CASE(check_says_what_the_server_is),
        CASE(prepare_tells_what_is_missing),
        CASE(filter_beside_a_vector_search_finds_all),
        CASE(wrong_dimension_is_said),
        CASE(time_buckets_of_timescale_are_plain_sql),
    };
    return cmocka_run_group_tests(tests, NULL, stop_connectors);
}
