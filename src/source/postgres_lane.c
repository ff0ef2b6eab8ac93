/* SPDX-License-Identifier: Apache-2.0
 *
 * A lane: one server connection, one transaction at a time, and what was asked in it. On the loop's thread.
 *
 *     waiting -> begun      BEGIN, the statement timeout and the questions went out together
 *     begun   -> closing    COMMIT and a sync went out: with the questions when nothing can follow them,
 *                           else when the hub says so
 *             -> failed     a question was refused; those behind it are skipped up to the sync
 *     failed  -> begun      at the sync: ROLLBACK, and those that were skipped in a new transaction
 *             -> closing    at the sync, with nothing to ask again: ROLLBACK and a sync
 *     closing -> gone       at the sync the connection goes back to the pool
 *     any     -> gone       the connection broke, or was given up with answers outstanding: it is closed, and
 *                           what somebody still waits for is asked in another lane
 *
 * Between two of its questions no other lane is ever on the connection. The protocol does not say whose an
 * answer is: so the statement that sets the timeout also brings back a mark of the lane's own, and what comes
 * without it, or with another, is what was meant for somebody else.
 */
#include "source/postgres_priv.h"

#include "core/mem.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>

#define TIMEOUT_MARGIN_US (2 * US_PER_MS) /* the server stops first, which leaves the connection whole */
#define MAX_DISCARDED     5000            /* rows that come after a result was full */
#define MARK_SIZE         64
#define LATE_FACTOR       4 /* that much more than expected is a surprise */
/* Of answers, in memory: to print so many takes two tenths of a millisecond; to send them by themselves a
 * tenth of that. */
#define FLUSH_BYTES ((size_t)24 * 1024)

static const struct str begin_sql = {"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 47};
#define TIMEOUT_SQL "SELECT pg_catalog.set_config('statement_timeout', $1, true), $2::pg_catalog.text"
static const struct str timeout_sql = {TIMEOUT_SQL, sizeof TIMEOUT_SQL - 1};
static const struct str commit_sql = {"COMMIT", 6};
static const struct str rollback_sql = {"ROLLBACK", 8};

static const struct net_op_ops lane_ops;

static int64_t now_of(const struct postgres_lane *lane)
{
    return clock_mono_us(lane->hub->postgres->env.clock);
}

struct postgres_lane *postgres_lane_new(struct postgres_hub *hub)
{
    struct postgres_lane *lane = arena_calloc(&hub->arena, 1, sizeof *lane);
    if (!lane)
        return NULL;
    lane->op = (struct net_op){.ops = &lane_ops, .fd = -1, .owner = hub};
    lane->hub = hub;
    lane->number = atomic_fetch_add_explicit(&hub->postgres->n_lanes, 1, memory_order_relaxed);
    lane->next = hub->lanes;
    if (lane->next)
        lane->next->prev = lane;
    hub->lanes = lane;
    net_loop_add_driver(hub->loop, &lane->op);
    return lane;
}

/* Off the loop and the hub; it has no connection any more. Its memory is the hub's. */
static void remove_lane(struct postgres_lane *lane)
{
    struct postgres_hub *hub = lane->hub;

    net_loop_remove_driver(hub->loop, &lane->op);
    if (lane->prev)
        lane->prev->next = lane->next;
    else
        hub->lanes = lane->next;
    if (lane->next)
        lane->next->prev = lane->prev;
    if (hub->main == lane)
        hub->main = NULL;
}

/* ---- giving up ---- */

/* Without its connection; what somebody waits for is asked elsewhere, or ends with the error. */
static void disband(struct postgres_lane *lane, const struct err_info *err)
{
    struct postgres_hub *hub = lane->hub;
    struct postgres_query *query;

    remove_lane(lane);
    while ((query = postgres_queries_pop(&lane->asked)))
        postgres_hub_retry(hub, query, err);
    while ((query = postgres_queries_pop(&lane->again)))
        postgres_hub_retry(hub, query, err);
    if (hub->pending.first)
        postgres_hub_place(hub);
}

/* One that stood idle was lost with its server; so were the others. */
static void on_broken(struct postgres_lane *lane, const struct err_info *err)
{
    struct pool *pool = lane->hub->postgres->pool;

    pool_drop(pool, lane->conn);
    lane->conn = NULL;
    if (lane->is_from_idle && !lane->has_heard)
        pool_drop_idle(pool);
    disband(lane, err);
}

/* Answers are outstanding that nobody waits for: the server is asked to stop. What stands behind was not
 * looked at, or it cannot be known, which does not count as asking. */
static void give_up(struct postgres_lane *lane)
{
    struct postgres *postgres = lane->hub->postgres;

    for (struct postgres_query *query = lane->asked.first; query; query = query->next)
        query->n_asks--;
    (void)pg_conn_cancel(lane->conn, postgres->canceller); /* else statement_timeout ends it */
    pool_drop(postgres->pool, lane->conn);
    lane->conn = NULL;
    disband(lane, NULL);
}

/* What is read has grown beyond what is kept: the answer that comes now, or the row of it. One that was
 * thought small is asked again row by row. */
static void on_too_large(struct postgres_lane *lane, const struct err_info *err)
{
    struct postgres_query *query = lane->asked.first;

    if (query && query->is_small) {
        postgres_note_answer(lane->hub->postgres, query->key, SIZE_MAX);
        query->is_small = false;
    } else if (query) {
        postgres_query_end(lane->hub, query, err);
    }
    give_up(lane);
}

/* ---- asking ---- */

static void print_mark(const struct postgres_lane *lane, unsigned idx, char text[MARK_SIZE])
{
    (void)snprintf(text, MARK_SIZE, "%llx.%llx.%x", (unsigned long long)lane->hub->postgres->opened_us,
                   (unsigned long long)lane->number, idx);
}

static int ask_timeout(struct postgres_lane *lane, int64_t until_us, struct err_info *reterr)
{
    int64_t left_us = until_us - now_of(lane);
    char text[24], mark[MARK_SIZE];
    const char *values[2] = {text, mark};

    print_mark(lane, lane->n_marks++, mark);
    if (left_us > 10 * TIMEOUT_MARGIN_US)
        left_us -= TIMEOUT_MARGIN_US;
    int64_t left_ms = (left_us + US_PER_MS - 1) / US_PER_MS;
    (void)snprintf(text, sizeof text, "%lld", (long long)(left_ms > 0 ? left_ms : 1));
    lane->timeout_until_us = until_us;
    return pg_conn_ask_whole(lane->conn, timeout_sql, values, 2, NULL, reterr);
}

static int64_t last_deadline(const struct postgres_lane *lane)
{
    int64_t until_us = 0;
    for (const struct postgres_query *query = lane->again.first; query; query = query->next)
        if (query->deadline_us > until_us)
            until_us = query->deadline_us;
    return until_us;
}

static bool wants_watching(const struct postgres_lane *lane)
{
    for (const struct postgres_query *query = lane->again.first; query; query = query->next)
        if (query->expected_us < 0 || query->expected_us >= POSTGRES_SLOW_US)
            return true;
    return false;
}

static int ask_begin(struct postgres_lane *lane, struct err_info *reterr)
{
    int64_t until_us = last_deadline(lane);
    int res = 0;

    if (!lane->is_begun)
        res = pg_conn_ask_whole(lane->conn, begin_sql, NULL, 0, NULL, reterr);
    if (res == 0 && (!lane->is_begun || until_us > lane->timeout_until_us + TIMEOUT_MARGIN_US / 2))
        res = ask_timeout(lane, until_us, reterr);
    lane->is_begun = true;
    return res;
}

static int ask_end(struct postgres_lane *lane, struct err_info *reterr)
{
    int res = pg_conn_ask_whole(lane->conn, commit_sql, NULL, 0, NULL, reterr);
    if (res == 0)
        res = pg_conn_ask_sync(lane->conn, reterr);
    lane->n_syncs++;
    lane->is_closing = true;
    return res;
}

static int ask_all(struct postgres_lane *lane, struct err_info *reterr)
{
    bool is_last = lane->hub->main != lane || lane->hub->is_last;
    struct postgres_query *query;
    size_t n_bytes = 0;
    int res = ask_begin(lane, reterr);

    lane->is_watched = wants_watching(lane);
    lane->heard_us = now_of(lane);
    if (res == 0 && lane->is_watched)
        res = pg_conn_ask_flush(lane->conn, reterr);
    while (res == 0 && (query = postgres_queries_pop(&lane->again))) {
        postgres_queries_add(&lane->asked, query);
        query->asked_us = lane->heard_us;
        query->n_asks++;
        query->n_marks = lane->n_marks;
        res = (query->is_small ? pg_conn_ask_whole : pg_conn_ask)(lane->conn, query->sql, query->values,
                                                                  query->n_values, query, reterr);
        n_bytes += query->answer_bytes < POSTGRES_SMALL_BYTES ? query->answer_bytes : 0;
        if (res == 0 && (lane->is_watched || (n_bytes >= FLUSH_BYTES && lane->again.first))) {
            res = pg_conn_ask_flush(lane->conn, reterr);
            n_bytes = 0;
        }
    }
    if (res == 0 && is_last)
        res = ask_end(lane, reterr);
    else if (res == 0 && !lane->is_watched)
        res = pg_conn_ask_flush(lane->conn, reterr);
    return res;
}

/* Sends; true when the lane is still there. */
static bool push(struct postgres_lane *lane, int res, struct err_info *err)
{
    if (res == 0)
        res = pg_conn_push(lane->conn, err);
    if (res < 0) {
        on_broken(lane, err);
        return false;
    }
    lane->op.events = pg_conn_events(lane->conn);
    return true;
}

static void send_all(struct postgres_lane *lane)
{
    struct err_info err = {0};
    int res = ask_all(lane, &err);
    (void)push(lane, res, &err);
}

static void on_conn(struct postgres_lane *lane, void *conn)
{
    lane->conn = conn;
    lane->op.fd = pg_conn_fd(lane->conn);
    send_all(lane);
}

void postgres_lane_go(struct postgres_lane *lane)
{
    struct err_info err = {0};
    void *conn = NULL;

    if (lane->is_waiting || lane->has_failed)
        return; /* it asks when that is over */
    if (lane->conn) {
        send_all(lane);
        return;
    }
    int res = pool_take(lane->hub->postgres->pool, &lane->wait, &conn, &err);
    if (res < 0) {
        disband(lane, &err);
        return;
    }
    lane->is_from_idle = res == 0;
    if (res == 0) {
        on_conn(lane, conn);
        return;
    }
    lane->is_waiting = true;
    lane->op.fd = lane->wait.fd;
    lane->op.events = POLLIN;
}

void postgres_lane_close(struct postgres_lane *lane)
{
    struct err_info err = {0};

    if (!lane->conn && !lane->is_waiting)
        remove_lane(lane);
    if (!lane->conn || lane->is_closing || lane->has_failed || !lane->is_begun)
        return; /* its end follows its questions */
    int res = ask_end(lane, &err);
    (void)push(lane, res, &err);
}

/* ---- answers ---- */

/* Where answers are not timed one by one, that all came later than they should says to do so next time. */
static void note_time(struct postgres_lane *lane, const struct postgres_query *query)
{
    struct postgres *postgres = lane->hub->postgres;
    int64_t now_us = now_of(lane);
    int64_t took_us = now_us - lane->heard_us;

    if (lane->is_watched) {
        postgres_note_time(postgres, query->key, took_us);
        lane->heard_us = now_us;
    } else if (took_us > POSTGRES_SLOW_US + LATE_FACTOR * lane->expected_us) {
        postgres_forget_time(postgres, query->key);
    }
}

static void note_size(struct postgres_lane *lane, struct postgres_query *query)
{
    const struct source_result *result = query->reader.result;

    if (result)
        postgres_note_answer(lane->hub->postgres, query->key,
                             result->is_truncated ? SIZE_MAX : result->arena.used_bytes);
}

/* It is no longer asked. */
static void pop_asked(struct postgres_lane *lane)
{
    postgres_queries_pop(&lane->asked);
    if (!lane->asked.first && !lane->again.first)
        lane->expected_us = 0;
}

static void end_refused(struct postgres_lane *lane, struct postgres_query *query,
                        const struct pg_event *event)
{
    struct source_env *env = &lane->hub->postgres->env;
    struct err_info err = {0};
    (void)postgres_error(&event->error, query->sql, env->embedder ? embedder_dims(env->embedder) : 0, &err);
    postgres_query_end(lane->hub, query, &err);
}

static void on_row(struct postgres_lane *lane, struct postgres_query *query)
{
    struct err_info err = {0};
    int res = 0;

    if (!query->fetch) {
        query->n_discarded++;
        return;
    }
    if (!query->reader.result)
        query->reader.result = source_result_new();
    if (!query->reader.result)
        res = err_set(&err, ERR_NOMEM, "not enough memory for a result");
    if (res == 0)
        res = postgres_read_row(&query->reader, lane->conn, &err);
    if (res == 0)
        return;
    query->is_full = true;
    note_size(lane, query);
    postgres_query_end(lane->hub, query, res < 0 ? &err : NULL);
}

static void on_end(struct postgres_lane *lane, struct postgres_query *query)
{
    struct err_info err = {0};
    int res = 0;

    note_time(lane, query);
    pop_asked(lane);
    if (query->fetch && !query->reader.result && !(query->reader.result = source_result_new()))
        res = err_set(&err, ERR_NOMEM, "not enough memory for a result");
    if (res == 0 && query->fetch && !query->reader.has_columns)
        res = postgres_read_columns(&query->reader, lane->conn, &err);
    note_size(lane, query);
    postgres_query_end(lane->hub, query, res < 0 ? &err : NULL);
}

/* The first question that was refused, or skipped, is told; with them the transaction has failed. */
static void on_refused(struct postgres_lane *lane, struct postgres_query *query, const struct pg_event *event)
{
    if (event->kind == PG_ERROR)
        note_time(lane, query);
    pop_asked(lane);
    if (event->kind == PG_SKIPPED || (event->is_stale && query->n_asks <= 1)) {
        /* It was not looked at: that does not count as asking. */
        query->n_asks -= event->kind == PG_SKIPPED;
        if (query->fetch)
            postgres_queries_add(&lane->again, query);
    } else {
        end_refused(lane, query, event);
    }
}

/* At the sync after an error. */
static int ask_anew(struct postgres_lane *lane, struct err_info *reterr)
{
    int res = pg_conn_ask_whole(lane->conn, rollback_sql, NULL, 0, NULL, reterr);

    lane->has_failed = false;
    lane->is_begun = false;
    lane->is_closing = false;
    lane->n_marks_heard = lane->n_marks; /* what was skipped brings none */
    if (res == 0 && lane->again.first)
        return ask_all(lane, reterr);
    if (res == 0)
        res = pg_conn_ask_sync(lane->conn, reterr);
    lane->n_syncs++;
    lane->is_closing = true;
    if (lane->hub->main == lane)
        lane->hub->main = NULL; /* later statements begin another */
    return res;
}

/* False when the lane is gone. */
static bool on_synced(struct postgres_lane *lane)
{
    struct postgres *postgres = lane->hub->postgres;
    struct err_info err = {0};

    lane->n_syncs--;
    if (lane->n_syncs > 0)
        return true;
    if (lane->has_failed)
        return push(lane, ask_anew(lane, &err), &err);
    if (!lane->is_closing || !pg_conn_is_idle(lane->conn))
        return true;
    if (pg_conn_is_bloated(lane->conn))
        pool_drop(postgres->pool, lane->conn);
    else
        pool_give(postgres->pool, lane->conn);
    lane->conn = NULL;
    remove_lane(lane);
    return false;
}

/* What came is what was asked for, as far as marks tell: a row that is no question's holds the next one, and
 * a question's answer has them behind it. */
static bool is_in_step(struct postgres_lane *lane, const struct postgres_query *query,
                       const struct pg_event *event)
{
    char wanted[MARK_SIZE];
    struct str mark;

    if (query && (event->kind == PG_ROW || event->kind == PG_END))
        return lane->n_marks_heard >= query->n_marks;
    if (query || event->kind != PG_ROW)
        return true;
    print_mark(lane, lane->n_marks_heard++, wanted);
    return pg_conn_n_columns(lane->conn) == 2 && pg_conn_value(lane->conn, 1, &mark) && str_is(mark, wanted);
}

/* False when the lane is gone. */
static bool on_event(struct postgres_lane *lane, const struct pg_event *event)
{
    struct postgres_query *query = event->tag;
    struct err_info err = {0};

    lane->has_heard = true;
    if (!is_in_step(lane, query, event)) {
        (void)err_set(&err, ERR_UNAVAILABLE, "the connection broke: its answers are out of step");
        on_broken(lane, &err);
        return false;
    }
    if (event->kind == PG_SYNCED)
        return on_synced(lane);
    if (event->kind == PG_ERROR || event->kind == PG_SKIPPED) {
        bool is_first = !lane->has_failed;
        lane->has_failed = true;
        if (query)
            on_refused(lane, query, event);
        /* BEGIN or the timeout was refused: nothing can be asked here. */
        else if (event->kind == PG_ERROR && lane->asked.first) {
            (void)postgres_error(&event->error, begin_sql, 0, &err);
            err.code = ERR_UNAVAILABLE;
            on_broken(lane, &err);
            return false;
        }
        if (!is_first || lane->n_syncs > 0)
            return true;
        lane->n_syncs++;
        return push(lane, pg_conn_ask_sync(lane->conn, &err), &err);
    }
    if (query && event->kind == PG_ROW)
        on_row(lane, query);
    else if (query)
        on_end(lane, query);
    return true;
}

static bool has_live(const struct postgres_queries *queries)
{
    for (const struct postgres_query *query = queries->first; query; query = query->next)
        if (query->fetch)
            return true;
    return false;
}

/* Whether the server works on what nobody wants. */
static bool is_wasting(const struct postgres_lane *lane)
{
    const struct postgres_query *head = lane->asked.first;
    if (!head || head->fetch)
        return false;
    return head->is_full ? head->n_discarded > MAX_DISCARDED : has_live(&lane->asked);
}

/* Takes what the connection has said. */
static void listen(struct postgres_lane *lane)
{
    struct pg_event event;
    struct err_info err = {0};
    int res;

    while ((res = pg_conn_next(lane->conn, &event, &err)) == 0)
        if (!on_event(lane, &event))
            return;
    if (res < 0) {
        on_broken(lane, &err);
        return;
    }
    lane->op.events = pg_conn_events(lane->conn);
    if (is_wasting(lane))
        give_up(lane);
}

static void on_waited(struct postgres_lane *lane)
{
    struct err_info err = {0};
    void *conn = NULL;
    int res = pool_wait_take(&lane->wait, &conn, &err);

    if (res == 1)
        return;
    lane->is_waiting = false;
    if (res < 0) {
        struct postgres_query *query;
        while ((query = postgres_queries_pop(&lane->again)))
            postgres_query_end(lane->hub, query, &err);
        disband(lane, &err);
        return;
    }
    lane->has_heard = true; /* by whoever connected, a moment ago */
    on_conn(lane, conn);
}

static int lane_on_ready(struct net_op *op, short revents, struct err_info *reterr)
{
    struct postgres_lane *lane = (struct postgres_lane *)op;
    struct err_info err = {0};
    int res = 0;

    (void)reterr;
    if (lane->is_waiting) {
        on_waited(lane);
        return 0;
    }
    if (revents & POLLOUT)
        res = pg_conn_push(lane->conn, &err);
    if (res == 0 && (revents & ~POLLOUT))
        res = pg_conn_read(lane->conn, &err);
    if (res == 0)
        listen(lane);
    else if (res == ERR_LIMIT)
        on_too_large(lane, &err);
    else
        on_broken(lane, &err);
    return 0;
}

static void lane_on_cancel(struct net_op *op)
{
    (void)op; /* the hub, which is older, has ended its lanes */
}

static const struct net_op_ops lane_ops = {.on_ready = lane_on_ready, .on_cancel = lane_on_cancel};

/* ---- from outside ---- */

/* Next time each is timed. */
static void forget_times(const struct postgres_lane *lane)
{
    for (const struct postgres_query *query = lane->asked.first; query; query = query->next)
        postgres_forget_time(lane->hub->postgres, query->key);
}

void postgres_lane_abandon(struct postgres_lane *lane, struct postgres_query *query)
{
    if (!lane->conn || lane->has_failed) { /* not asked yet, or to be asked again */
        postgres_queries_remove(&lane->again, query);
        if (lane->conn || has_live(&lane->again))
            return;
        if (lane->is_waiting)
            pool_wait_cancel(&lane->wait);
        remove_lane(lane);
        return;
    }
    bool is_running = lane->asked.first == query;
    if (is_running)
        postgres_note_time(lane->hub->postgres, query->key, now_of(lane) - lane->heard_us);
    /* Where the server holds its answers back nobody knows which it is. */
    if (!lane->is_watched)
        forget_times(lane);
    if (is_running || !lane->is_watched)
        give_up(lane);
}

/* What was heard by now; true when only the transaction's end is owed. */
static bool is_answered(struct postgres_lane *lane)
{
    struct pg_event event;
    int res = pg_conn_read(lane->conn, NULL);

    while (res == 0 && (res = pg_conn_next(lane->conn, &event, NULL)) == 0) {
        lane->has_failed |= event.kind == PG_ERROR;
        if (event.tag && event.kind != PG_ROW)
            postgres_queries_pop(&lane->asked);
    }
    return res >= 0 && !lane->asked.first && !lane->has_failed;
}

void postgres_lane_end(struct postgres_lane *lane)
{
    struct postgres *postgres = lane->hub->postgres;
    struct pg_conn *conn = lane->conn;
    int res = 0;

    if (lane->is_waiting)
        pool_wait_cancel(&lane->wait);
    if (conn && is_answered(lane)) {
        if (!lane->is_closing)
            res = ask_end(lane, NULL);
        if (res == 0)
            res = pg_conn_push(conn, NULL);
        if (res < 0)
            pool_drop(postgres->pool, conn);
        else if (pg_conn_is_idle(conn))
            pool_give(postgres->pool, conn);
        else
            postgres_drain(postgres, conn);
    } else if (conn) {
        (void)pg_conn_cancel(conn, postgres->canceller); /* else statement_timeout ends it */
        pool_drop(postgres->pool, conn);
    }
    lane->conn = NULL;
    remove_lane(lane);
}
