/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `redis`: keys of a Redis or Valkey server. All questions that a build has for a server at a time go
 * out in one pipeline on one connection, driven by a `struct round` in the build's loop:
 *
 *     on_start -> unsent        the question waits for the others
 *     on_flush -> asked         the round takes a connection, at once or when the pool has one, and sends all
 *     reply    -> ended         in the order of the questions; the round ends with its last question, and
 *                               the connection goes back if every reply was taken from it
 *     broken   -> unsent, once  what was not answered is asked again on another connection: it may have died
 *                               while it was idle. The second time the question fails
 *     late     -> abandoned     nobody waits for the reply any more, but it still has to come before those
 *                               behind it; a connection with abandoned questions alone is closed
 */
#include "net/redis.h"

#include "core/mem.h"
#include "source/redis_priv.h"

#include <assert.h>
#include <poll.h>

#define MAX_QUESTION_BYTES (1024 * 1024) /* of one command: a key and a few words */
#define MAX_TRIES          2

struct connection {
    char *name;
    struct redis_server *server;
    struct pool *pool;
};

struct ask {
    struct ask *next;
    struct source_fetch *fetch; /* NULL: abandoned */
    struct round *round;
    struct arena arena; /* of the question */
    struct redis_question question;
    struct buf command;
    int n_tries;
};

struct ask_list {
    struct ask *first, *last;
};

struct round {
    struct net_op op; /* the driver; owner is the struct connection */
    struct net_loop *loop;
    struct connection *connection;
    struct redis_conn *conn; /* NULL: none yet */
    struct pool_wait wait;
    bool is_waiting; /* for conn */
    struct ask_list unsent, asked;
};

static void list_append(struct ask_list *list, struct ask *ask)
{
    ask->next = NULL;
    if (list->last)
        list->last->next = ask;
    else
        list->first = ask;
    list->last = ask;
}

static struct ask *list_pop(struct ask_list *list)
{
    struct ask *ask = list->first;
    if (ask) {
        list->first = ask->next;
        if (!list->first)
            list->last = NULL;
    }
    return ask;
}

/* ---- questions ---- */

static void ask_free(struct ask *ask)
{
    arena_done(&ask->arena);
    buf_done(&ask->command);
    mem_free(ask);
}

/* The question is answered, or not; an abandoned one just goes. */
static void ask_end(struct ask *ask, int result, const struct err_info *err)
{
    if (ask->fetch) {
        struct err_info named = err ? *err : (struct err_info){0};
        err_prefix(&named, "%s: ", ask->round->connection->name);
        ask->fetch->state = NULL;
        net_loop_end(ask->round->loop, &ask->fetch->op, result, &named);
    }
    ask_free(ask);
}

static void end_all(struct ask_list *list, int result, const struct err_info *err)
{
    struct ask *ask;
    while ((ask = list_pop(list)))
        ask_end(ask, result, err);
}

static bool has_waiting(const struct ask_list *list)
{
    for (const struct ask *ask = list->first; ask; ask = ask->next)
        if (ask->fetch)
            return true;
    return false;
}

/* ---- rounds ---- */

/* Nobody waits for anything: the connection goes back if nothing is due on it. */
static void round_free(struct round *round)
{
    end_all(&round->unsent, 0, NULL); /* abandoned ones */
    end_all(&round->asked, 0, NULL);
    if (round->is_waiting)
        pool_wait_cancel(&round->wait);
    if (round->conn && redis_conn_is_whole(round->conn))
        pool_give(round->connection->pool, round->conn);
    else if (round->conn)
        pool_drop(round->connection->pool, round->conn);
    mem_free(round);
}

static bool round_end_if_done(struct round *round)
{
    if (has_waiting(&round->unsent) || has_waiting(&round->asked))
        return false;
    net_loop_remove_driver(round->loop, &round->op);
    round_free(round);
    return true;
}

static void watch(struct round *round)
{
    round->op.fd = round->is_waiting ? round->wait.fd : round->conn ? redis_conn_fd(round->conn) : -1;
    round->op.events = round->conn ? redis_conn_events(round->conn) : POLLIN;
}

/* Puts what was asked and not answered back before what is unsent; what had its second chance fails. */
static void take_back(struct round *round, const struct err_info *err)
{
    struct ask_list again = {NULL, NULL};
    struct ask *ask;

    while ((ask = list_pop(&round->asked))) {
        if (ask->fetch && ask->n_tries < MAX_TRIES)
            list_append(&again, ask);
        else
            ask_end(ask, err->code, err);
    }
    while ((ask = list_pop(&round->unsent)))
        list_append(&again, ask);
    round->unsent = again;
}

static void drop_conn(struct round *round)
{
    pool_drop(round->connection->pool, round->conn);
    round->conn = NULL;
}

/* Queues all that is unsent. */
static void send_unsent(struct round *round)
{
    struct ask *ask;

    while ((ask = list_pop(&round->unsent))) {
        struct err_info err = {0};
        if (!ask->fetch) {
            ask_free(ask);
            continue;
        }
        int res = redis_conn_ask_raw(round->conn, buf_str(&ask->command), &err);
        if (res < 0) {
            ask_end(ask, res, &err);
            continue;
        }
        ask->n_tries++;
        list_append(&round->asked, ask);
    }
}

static void note_heard(const struct round *round)
{
    for (const struct ask *ask = round->asked.first; ask; ask = ask->next)
        if (ask->fetch)
            ask->fetch->has_heard = true;
}

/* Reads one reply into the result of its question. */
static void answer(struct round *round, const struct resp *reply)
{
    struct ask *ask = list_pop(&round->asked);
    struct err_info err = {0};
    int res = 0;

    assert(ask);
    if (ask->fetch) {
        struct source_result *result = source_result_new();
        res = result ? redis_read_reply(&ask->question, reply, result, &err)
                     : err_set(&err, ERR_NOMEM, "not enough memory for the result");
        if (res == 0)
            ask->fetch->result = result;
        else
            source_result_free(result);
    }
    ask_end(ask, res, &err);
}

static int take_replies(struct round *round, struct err_info *reterr)
{
    struct arena arena;
    struct resp reply;
    int res = 0;

    arena_init(&arena, 2 * RESP_MAX_ITEMS * sizeof(struct resp));
    while (round->asked.first && (res = redis_conn_take(round->conn, &arena, &reply, reterr)) == 0) {
        answer(round, &reply);
        arena_reset(&arena);
    }
    arena_done(&arena);
    return res < 0 ? res : 0;
}

/* The reply at hand cannot be taken: its question fails, those behind it did not have their chance. */
static void blame_reply(struct round *round, int res, const struct err_info *err)
{
    ask_end(list_pop(&round->asked), res, err);
    for (struct ask *ask = round->asked.first; ask; ask = ask->next)
        ask->n_tries--;
}

/* Sends and receives; negative when the connection is of no use any more. A reply that is too large costs its
 * question alone. */
static int exchange(struct round *round, struct err_info *reterr)
{
    int step, res;

    do {
        step = redis_conn_step(round->conn, reterr);
        if (redis_conn_has_heard(round->conn))
            note_heard(round);
        res = take_replies(round, step < 0 ? NULL : reterr);
        if (res < 0 && step >= 0 && res != ERR_UNAVAILABLE)
            blame_reply(round, res, reterr);
    } while (step == 1 && res == 0);
    return step < 0 ? step : res;
}

/* A connection at once, or the beginning of a wait. */
static void round_take(struct round *round)
{
    struct err_info err = {0};
    void *conn = NULL;
    int res = pool_take(round->connection->pool, &round->wait, &conn, &err);

    if (res < 0)
        end_all(&round->unsent, res, &err);
    round->is_waiting = res == 1;
    round->conn = conn;
}

/* Does what can be done now; the round may be gone afterwards. */
static void round_step(struct round *round)
{
    struct err_info err = {0};

    for (;;) {
        if (round_end_if_done(round))
            return;
        if (!round->conn && !round->is_waiting)
            round_take(round);
        if (!round->conn && round->is_waiting)
            break;
        if (!round->conn)
            continue; /* nobody is left: the round ends above */
        send_unsent(round);
        if (exchange(round, &err) < 0) {
            /* Whoever has been idle since before it broke is as dead. */
            if (!redis_conn_has_heard(round->conn))
                pool_drop_idle(round->connection->pool);
            drop_conn(round);
            take_back(round, &err);
            continue;
        }
        if (round_end_if_done(round))
            return;
        break;
    }
    watch(round);
}

static int round_on_ready(struct net_op *op, short revents, struct err_info *reterr)
{
    struct round *round = (struct round *)op;
    struct err_info err = {0};
    void *conn = NULL;

    (void)revents;
    (void)reterr;
    if (round->is_waiting) {
        int res = pool_wait_take(&round->wait, &conn, &err);
        if (res == 1)
            return 0;
        round->is_waiting = false;
        round->conn = conn;
        if (res < 0)
            end_all(&round->unsent, res, &err);
    }
    round_step(round);
    return 0;
}

static void round_on_flush(struct net_op *op, bool is_last)
{
    struct round *round = (struct round *)op;
    (void)is_last;
    if (round->unsent.first && !round->is_waiting)
        round_step(round);
}

/* The loop ends. Its fetches were cancelled before this. */
static void round_on_cancel(struct net_op *op)
{
    round_free((struct round *)op);
}

static const struct net_op_ops round_ops = {round_on_ready, round_on_cancel, round_on_flush};

static struct round *round_find(struct connection *connection, struct net_loop *loop)
{
    struct round *round = (struct round *)net_loop_driver(loop, &round_ops, connection);
    if (round)
        return round;
    round = mem_calloc(1, sizeof *round);
    if (!round)
        return NULL;
    round->op = (struct net_op){.ops = &round_ops, .fd = -1, .owner = connection};
    round->loop = loop;
    round->connection = connection;
    net_loop_add_driver(loop, &round->op);
    return round;
}

/* ---- fetches ---- */

static void fetch_on_cancel(struct net_op *op)
{
    struct source_fetch *fetch = (struct source_fetch *)op;
    struct ask *ask = fetch->state;

    if (!ask) { /* answered, and nobody came for it */
        fetch->result = source_result_free(fetch->result);
        return;
    }
    fetch->state = NULL;
    ask->fetch = NULL;
    (void)round_end_if_done(ask->round);
}

static const struct net_op_ops fetch_ops = {.on_cancel = fetch_on_cancel};

static int on_start(const struct source_env *env, void *state, const struct source_request *request,
                    struct net_loop *loop, struct source_fetch *fetch, struct err_info *reterr)
{
    struct ask *ask = mem_calloc(1, sizeof *ask);

    (void)env;
    if (!ask)
        return err_set(reterr, ERR_NOMEM, "not enough memory to ask");
    arena_init(&ask->arena, MAX_QUESTION_BYTES);
    buf_init(&ask->command, MAX_QUESTION_BYTES);
    int res = redis_write_command(request, &ask->arena, &ask->question, &ask->command, reterr);
    if (res == 0 && !(ask->round = round_find(state, loop)))
        res = err_set(reterr, ERR_NOMEM, "not enough memory to ask");
    if (res < 0) {
        ask_free(ask);
        return res;
    }
    ask->fetch = fetch;
    list_append(&ask->round->unsent, ask);
    fetch->op.ops = &fetch_ops;
    fetch->state = ask;
    return 0;
}

/* ---- the connection ---- */

static void on_close(void *state)
{
    struct connection *connection = state;
    connection->pool = pool_free(connection->pool);
    connection->server = redis_server_free(connection->server);
    mem_free(connection->name);
    mem_free(connection);
}

static int on_open(const struct source_env *env, const struct source_options *options, void **ret_state,
                   struct err_info *reterr)
{
    struct connection *connection = mem_calloc(1, sizeof *connection);
    if (!connection || !(connection->name = mem_strdup(options->name))) {
        mem_free(connection);
        return err_set(reterr, ERR_NOMEM, "out of memory");
    }
    int res = redis_server_new(options->url, env->clock, &connection->server, reterr);
    const struct pool_options pool = {
        .ops = &redis_pool_ops,
        .server = connection->server,
        .name = options->name,
        .max_conns = options->max_conns ? options->max_conns : SOURCE_MAX_CONNS,
        .connect_timeout_us = SOURCE_CONNECT_TIMEOUT_US,
        .idle_timeout_us = SOURCE_IDLE_TIMEOUT_US,
        .workers = env->connectors,
        .clock = env->clock,
    };
    if (res == 0 && !env->connectors)
        res = err_set(reterr, ERR_UNSUPPORTED, "no server can be connected to here");
    if (res == 0)
        res = pool_new(&pool, &connection->pool, reterr);
    if (res < 0) {
        on_close(connection);
        return res;
    }
    *ret_state = connection;
    return 0;
}

/* The line of INFO that begins with name and a colon. */
static struct str info_of(struct str info, const char *name)
{
    struct str line, word;
    while (str_next_part(&info, '\n', &line)) {
        struct str rest = str_trim(line);
        if (str_next_part(&rest, ':', &word) && str_is(word, name))
            return rest;
    }
    return (struct str){NULL, 0};
}

static void describe(struct str info, const struct resp *size, int64_t took_us, struct buf *ret)
{
    struct str valkey = info_of(info, "valkey_version"), redis = info_of(info, "redis_version");
    if (valkey.len > 0)
        buf_printf(ret, "Valkey %.*s", STR_ARG(str_slice(valkey, 0, 20)));
    else if (redis.len > 0)
        buf_printf(ret, "Redis %.*s", STR_ARG(str_slice(redis, 0, 20)));
    else
        buf_append_text(ret, "a Redis server that does not tell its version");
    if (size->kind == RESP_INT)
        buf_printf(ret, ", %lld keys", (long long)size->integer);
    buf_printf(ret, ", answers in %.1f ms", (double)took_us / 1e3);
}

/* On a connection of its own, so that it tells what connecting says today. */
static int on_check(const struct source_env *env, void *state, int64_t deadline_us, struct buf *ret,
                    struct err_info *reterr)
{
    static const struct str info_words[] = {STR_LIT("INFO"), STR_LIT("server")};
    static const struct str size_words[] = {STR_LIT("DBSIZE")}, ping_words[] = {STR_LIT("PING")};
    struct connection *connection = state;
    struct arena arena;
    struct resp ping, info, size;
    void *conn = NULL;
    char version[4096];

    int res = redis_pool_ops.on_connect(connection->server, deadline_us, &conn, reterr);
    if (res < 0)
        return res;
    arena_init(&arena, 65536);
    int64_t asked_us = clock_mono_us(env->clock), took_us = 0;
    res = redis_conn_ask(conn, ping_words, 1, reterr);
    if (res == 0)
        res = redis_conn_wait(conn, deadline_us, &arena, &ping, reterr);
    took_us = clock_mono_us(env->clock) - asked_us;
    if (res == 0 && ping.kind == RESP_ERROR)
        res = redis_error(ping.text, reterr);
    if (res == 0)
        res = redis_conn_ask(conn, info_words, 2, reterr);
    if (res == 0)
        res = redis_conn_ask(conn, size_words, 1, reterr);
    if (res == 0)
        res = redis_conn_wait(conn, deadline_us, &arena, &info, reterr);
    if (res == 0) { /* the reply does not outlive the next one; a user without INFO is no fault */
        struct str text = info.kind == RESP_TEXT ? str_slice(info.text, 0, sizeof version) : info_words[0];
        memcpy(version, text.ptr, text.len);
        res = redis_conn_wait(conn, deadline_us, &arena, &size, reterr);
        if (res == 0)
            describe(str_make(version, text.len), &size, took_us, ret);
    }
    arena_done(&arena);
    redis_pool_ops.on_close(connection->server, conn);
    return res;
}

static void on_stats(void *state, struct pool_stats *ret_stats)
{
    *ret_stats = pool_stats(((struct connection *)state)->pool);
}

static const char *const schemes[] = {"redis", "rediss", "redis+unix", NULL};

const struct source_ops source_redis = {
    .kind = "redis",
    .schemes = schemes,
    .settings = redis_settings,
    .on_open = on_open,
    .on_close = on_close,
    .on_start = on_start,
    .on_check = on_check,
    .on_stats = on_stats,
};
