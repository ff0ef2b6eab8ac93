/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `sql` on PostgreSQL, TimescaleDB included: one statement with bound values, its rows as typed values.
 * A fetch waits in the build's loop while its hub asks; see postgres_priv.h.
 */
#include "source/postgres_priv.h"
#include "source/source_priv.h"

#include "core/mem.h"

#include <errno.h>
#include <poll.h>

#define PREPARE_US (5 * US_PER_SEC)

static const struct source_setting settings[] = {
    {"query", SETTING_SQL, true, NULL, 0, 0,
     "one SELECT; :name stands for a parameter and is bound, never pasted"},
    {NULL},
};

static const char *const schemes[] = {"postgres", "postgresql", NULL};

static int on_open(const struct source_env *env, const struct source_options *options, void **ret_state,
                   struct err_info *reterr)
{
    struct postgres *postgres = NULL;
    int res = postgres_new(env, options, &postgres, reterr);
    if (res == 0)
        *ret_state = postgres;
    return res;
}

static void on_close(void *state)
{
    postgres_free(state);
}

static void on_stats(void *state, struct pool_stats *ret_stats)
{
    struct postgres *postgres = state;
    *ret_stats = pool_stats(postgres->pool);
}

/* ---- fetches ---- */

/* The deadline, or the loop's end. */
static void fetch_on_cancel(struct net_op *op)
{
    struct source_fetch *fetch = (struct source_fetch *)op;
    struct postgres_query *query = fetch->state;

    fetch->result = source_result_free(fetch->result);
    fetch->state = NULL;
    if (!query)
        return;
    struct postgres_lane *lane = query->lane;
    query->fetch = NULL;
    query->reader.result = source_result_free(query->reader.result);
    if (!lane)
        return;
    /* Waiting for others to give a connection back says nothing about the server. */
    struct postgres *postgres = lane->hub->postgres;
    struct pool_stats stats = pool_stats(postgres->pool);
    fetch->has_heard |= lane->has_heard || (lane->is_waiting && stats.n_open == stats.max_conns);
    fetch->says_nothing = lane->conn && !lane->is_watched; /* the next time it is watched */
    if (clock_mono_us(postgres->env.clock) >= op->deadline_us)
        postgres_lane_abandon(lane, query);
    /* else the loop ends, and with it the hub */
}

static const struct net_op_ops fetch_ops = {.on_cancel = fetch_on_cancel};

static int on_start(const struct source_env *env, void *state, const struct source_request *request,
                    struct net_loop *loop, struct source_fetch *fetch, struct err_info *reterr)
{
    struct postgres *postgres = state;
    struct postgres_hub *hub = NULL;
    struct postgres_query *query;

    (void)env;
    int res = postgres_hub_get(postgres, loop, &hub, reterr);
    if (res < 0)
        return res;
    query = arena_calloc(&hub->arena, 1, sizeof *query);
    if (!query)
        return err_set(reterr, arena_error(&hub->arena), "not enough memory to ask");
    struct str given = setting_text(&request->settings[0]);
    query->key = str_hash(given, 0);
    res = postgres_statement(postgres, query->key, given, request->n_binds, &hub->arena, &query->sql,
                             &query->n_values, reterr);
    if (res == 0)
        res = postgres_bind(request->binds, query->n_values, &hub->arena, &query->values, reterr);
    if (res < 0)
        return res;
    query->fetch = fetch;
    query->expected_us = postgres_expected(postgres, query->key);
    query->answer_bytes = postgres_answer_bytes(postgres, query->key);
    query->is_small = query->answer_bytes <= POSTGRES_SMALL_BYTES;
    query->deadline_us = request->deadline_us;
    query->reader.max_rows = request->max_rows;
    postgres_queries_add(&hub->pending, query);
    fetch->state = query;
    fetch->op.ops = &fetch_ops;
    return 0;
}

/* ---- questions by one who waits ---- */

struct asking {
    struct postgres *postgres;
    struct pg_conn *conn;
    int64_t deadline_us;
};

static int wait_more(const struct asking *asking, struct err_info *reterr)
{
    int64_t left_us = asking->deadline_us - clock_mono_us(asking->postgres->env.clock);
    if (left_us <= 0)
        return err_set(reterr, ERR_TIMEOUT, "no answer within the deadline");
    struct pollfd fd = {.fd = pg_conn_fd(asking->conn), .events = pg_conn_events(asking->conn)};
    if (poll(&fd, 1, (int)((left_us + US_PER_MS - 1) / US_PER_MS)) < 0 && errno != EINTR)
        return err_set(reterr, ERR_IO, "poll failed");
    int res = pg_conn_push(asking->conn, reterr);
    return res < 0 ? res : pg_conn_read(asking->conn, reterr);
}

/* Reads up to the sync. The first row goes into `ret` as one line; NULL: nobody wants rows. */
static int hear(const struct asking *asking, struct str sql, struct buf *ret, struct err_info *reterr)
{
    const struct embedder *embedder = asking->postgres->env.embedder;
    struct pg_event event;
    struct str text;
    int failure = 0, res = pg_conn_ask_sync(asking->conn, reterr);

    if (res == 0)
        res = pg_conn_push(asking->conn, reterr);
    while (res >= 0) {
        res = pg_conn_next(asking->conn, &event, reterr);
        if (res == 1)
            res = wait_more(asking, reterr);
        else if (res == 0 && event.kind == PG_SYNCED)
            return failure;
        else if (res == 0 && event.kind == PG_ERROR && failure == 0)
            failure = postgres_error(&event.error, sql, embedder ? embedder_dims(embedder) : 0, reterr);
        else if (res == 0 && event.kind == PG_ROW && ret && pg_conn_value(asking->conn, 0, &text))
            buf_append_str(ret, text);
    }
    return res;
}

static void end_asking(const struct asking *asking)
{
    if (pg_conn_is_idle(asking->conn))
        pool_give(asking->postgres->pool, asking->conn);
    else
        pool_drop(asking->postgres->pool, asking->conn);
}

/* What it is, in the server's own words. */
static const char about_sql[] =
    "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)"
    " || ', database ' || current_database()"
    " || coalesce((SELECT string_agg(', ' || CASE extname WHEN 'vector' THEN 'pgvector' ELSE extname END"
    " || ' ' || extversion, '' ORDER BY extname)"
    " FROM pg_catalog.pg_extension WHERE extname IN ('vector', 'timescaledb')), '')"
    " || CASE WHEN (SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()) THEN ', TLS' ELSE "
    "'' END";

/* The attempt to connect is this thread's own, so that its reason is heard, and its time. */
static int on_check(const struct source_env *env, void *state, int64_t deadline_us, struct buf *ret,
                    struct err_info *reterr)
{
    struct asking asking = {.postgres = state, .deadline_us = deadline_us};
    int64_t began_us = clock_mono_us(env->clock);
    struct str sql = str_of(about_sql);

    int res = pg_conn_open(str_of(asking.postgres->url), env->clock, deadline_us, &asking.conn, reterr);
    if (res < 0)
        return res;
    int64_t connected_us = clock_mono_us(env->clock);
    res = pg_conn_ask(asking.conn, sql, NULL, 0, &asking, reterr);
    if (res == 0)
        res = hear(&asking, sql, ret, reterr);
    int64_t asked_us = clock_mono_us(env->clock);
    if (res == 0)
        res = pg_conn_ask(asking.conn, STR_LIT("SELECT 1"), NULL, 0, &asking, reterr);
    if (res == 0)
        res = hear(&asking, STR_LIT("SELECT 1"), NULL, reterr);
    if (res == 0)
        buf_printf(ret, ", connects in %.1f ms, answers in %.1f ms", (double)(connected_us - began_us) / 1000,
                   (double)(clock_mono_us(env->clock) - asked_us) / 1000);
    pg_conn_close(asking.conn);
    return res;
}

static int on_prepare(const struct source_env *env, void *state, const struct value *values, size_t n_binds,
                      struct err_info *reterr)
{
    struct asking asking = {.postgres = state, .deadline_us = clock_mono_us(env->clock) + PREPARE_US};
    struct arena arena;
    struct str sql;
    size_t n_values;

    arena_init(&arena, POSTGRES_MAX_BIND_BYTES);
    int res = postgres_translate(setting_text(&values[0]), n_binds, &arena, &sql, &n_values, reterr);
    if (res == 0)
        res = postgres_take(state, asking.deadline_us, &asking.conn, reterr);
    if (res == 0) {
        res = pg_conn_describe(asking.conn, sql, &asking, reterr);
        if (res == 0)
            res = hear(&asking, sql, NULL, reterr);
        end_asking(&asking);
    }
    arena_done(&arena);
    return res;
}

const struct source_ops source_sql_postgres = {
    .kind = "sql",
    .schemes = schemes,
    .settings = settings,
    .on_open = on_open,
    .on_close = on_close,
    .on_start = on_start,
    .on_check = on_check,
    .on_prepare = on_prepare,
    .on_stats = on_stats,
};
