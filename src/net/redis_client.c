/* SPDX-License-Identifier: Apache-2.0 */
#include "net/redis_client.h"

#include "core/mem.h"
#include "net/tls.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#define CONNECT_TIMEOUT_US (2 * US_PER_SEC)
#define IDLE_TIMEOUT_US    (300 * US_PER_SEC)
#define MAX_SCRIPT_ARGS    160
/* Who waits less than this and hears nothing has learnt nothing of the server: it may just be some way off.
 */
#define HASTY_US (4 * US_PER_MS)
/* A server that refuses writes answers reads: it is well when it has refused nothing for so long. */
#define REFUSAL_HOLD_US (10 * US_PER_SEC)

struct redis_client {
    struct redis_server *server;
    struct pool *pool;
    char *prefix;
    const struct clock *clock;
    struct breaker breaker;
    uint64_t n_calls, n_failures; /* atomic */
    pthread_mutex_t lock;         /* guards what follows */
    bool is_down;
    int64_t refused_us; /* monotonic: when it last answered, but would not do its work; 0: never */
    char trouble[ERR_MESSAGE_SIZE];
    redis_client_observe_fn observe;
    void *observe_owner;
};

/* ---- the client ---- */

struct redis_client *redis_client_free(struct redis_client *client)
{
    if (!client)
        return NULL;
    (void)pool_free(client->pool);
    (void)redis_server_free(client->server);
    breaker_done(&client->breaker);
    (void)pthread_mutex_destroy(&client->lock);
    mem_free(client->prefix);
    return mem_free(client);
}

int redis_client_new(const struct redis_client_options *options, struct redis_client **ret_client,
                     struct err_info *reterr)
{
    struct redis_client *client = mem_calloc(1, sizeof *client);
    if (!client)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    client->clock = options->clock;
    breaker_init(&client->breaker);
    (void)pthread_mutex_init(&client->lock, NULL);
    client->prefix = mem_strdup(options->prefix);
    int res = client->prefix ? 0 : err_set(reterr, ERR_NOMEM, "out of memory");
    if (res == 0 && strlen(client->prefix) > REDIS_CLIENT_MAX_PREFIX)
        res = err_set_field(reterr, ERR_INVALID, "prefix", "has at most %d bytes", REDIS_CLIENT_MAX_PREFIX);
    if (res == 0)
        res = redis_server_new(options->url, options->clock, &client->server, reterr);
    const struct pool_options pool = {
        .ops = &redis_pool_ops,
        .server = client->server,
        .name = "shared",
        .max_conns = options->max_conns ? options->max_conns : REDIS_CLIENT_MAX_CONNS,
        .connect_timeout_us = CONNECT_TIMEOUT_US,
        .idle_timeout_us = IDLE_TIMEOUT_US,
        .workers = options->connectors,
        .clock = options->clock,
    };
    if (res == 0)
        res = pool_new(&pool, &client->pool, reterr);
    if (res < 0) {
        (void)redis_client_free(client);
        return res;
    }
    *ret_client = client;
    return 0;
}

const char *redis_client_place(const struct redis_client *client)
{
    return redis_server_place(client->server);
}

void redis_client_key(const struct redis_client *client, const char *what, struct str tenant, struct buf *key)
{
    buf_printf(key, "%s%s:%zu:", client->prefix, what, tenant.len);
    buf_append_str(key, tenant);
    buf_append_byte(key, ':');
}

/* ---- calls ---- */

/* A copy that outlives the connection's buffer. */
static int copy_reply(const struct resp *reply, struct arena *arena, struct resp *ret_copy)
{
    *ret_copy = *reply;
    if (reply->text.len > 0)
        ret_copy->text = arena_copy(arena, reply->text);
    struct resp *items = reply->n ? arena_calloc(arena, reply->n, sizeof *items) : NULL;
    for (size_t i = 0; items && i < reply->n; i++)
        if (copy_reply(&reply->items[i], arena, &items[i]) < 0)
            return arena_error(arena);
    ret_copy->items = items;
    return arena_error(arena);
}

static int take_conn(struct redis_client *client, int64_t deadline_us, struct redis_conn **ret_conn,
                     struct err_info *reterr)
{
    struct pool_wait wait;
    void *conn = NULL;
    int res = pool_take(client->pool, &wait, &conn, reterr);

    while (res == 1) {
        int64_t left_us = deadline_us - clock_mono_us(client->clock);
        struct pollfd pollfd = {.fd = wait.fd, .events = POLLIN};
        int n = left_us > 0 ? poll(&pollfd, 1, (int)(left_us / US_PER_MS) + 1) : 0;
        if (n == 0 || (n < 0 && errno != EINTR)) {
            pool_wait_cancel(&wait);
            return err_set(reterr, ERR_TIMEOUT, "no connection to %s in time",
                           redis_server_place(client->server));
        }
        res = pool_wait_take(&wait, &conn, reterr);
    }
    *ret_conn = conn;
    return res;
}

static int ask(struct redis_client *client, struct redis_conn *conn, const struct str *args, size_t n,
               int64_t deadline_us, struct arena *arena, struct resp *ret_reply, struct err_info *reterr)
{
    struct resp reply;
    int res = redis_conn_ask(conn, args, n, reterr);
    if (res == 0)
        res = redis_conn_wait(conn, deadline_us, arena, &reply, reterr);
    if (res == 0 && copy_reply(&reply, arena, ret_reply) < 0)
        res = err_set(reterr, arena_error(arena), "a reply of %s takes too much memory",
                      redis_server_place(client->server));
    return res;
}

/* A connection that died while it was idle gives way to another, once. */
static int call(struct redis_client *client, const struct str *args, size_t n, int64_t deadline_us,
                struct arena *arena, struct resp *ret_reply, struct err_info *reterr)
{
    for (int n_tries = 1;; n_tries++) {
        struct redis_conn *conn = NULL;
        int res = take_conn(client, deadline_us, &conn, reterr);
        if (res < 0)
            return res;
        res = ask(client, conn, args, n, deadline_us, arena, ret_reply, reterr);
        bool was_dead = res == ERR_UNAVAILABLE && !redis_conn_has_heard(conn);
        if (res == 0 && redis_conn_is_whole(conn)) {
            pool_give(client->pool, conn);
            return 0;
        }
        pool_drop(client->pool, conn);
        if (was_dead)
            pool_drop_idle(client->pool);
        if (!was_dead || n_tries == 2)
            return res;
    }
}

static enum breaker_outcome outcome_of(int res)
{
    bool is_silent = res == ERR_UNAVAILABLE || res == ERR_TIMEOUT || res == ERR_IO;
    return res == ERR_NOMEM || res == ERR_LIMIT ? BREAKER_UNKNOWN
           : is_silent                          ? BREAKER_SILENT
                                                : BREAKER_ANSWERED;
}

/* It answers, and cannot do what it is there for: it loads, is full, a replica, another node, wants a
 * password. What is wrong with one key or one script is no such thing. */
static bool is_refusal(const struct resp *reply)
{
    return reply->kind == RESP_ERROR && !str_starts_with(reply->text, STR_LIT("ERR ")) &&
           !str_starts_with(reply->text, STR_LIT("NOSCRIPT")) &&
           !str_starts_with(reply->text, STR_LIT("WRONGTYPE"));
}

/* Remembers how it fares, and tells whoever observes. trouble: NULL when there is none. */
static void note(struct redis_client *client, const char *trouble, bool has_refused)
{
    int64_t now_us = clock_mono_us(client->clock);

    pthread_mutex_lock(&client->lock);
    bool was_down = client->is_down;
    bool is_held = !trouble && client->refused_us && now_us - client->refused_us < REFUSAL_HOLD_US;
    if (has_refused)
        client->refused_us = now_us;
    if (!is_held)
        client->is_down = trouble != NULL;
    if (trouble)
        (void)snprintf(client->trouble, sizeof client->trouble, "%s", trouble);
    pthread_mutex_unlock(&client->lock);
    if (client->observe && (trouble || (was_down && !is_held)))
        client->observe(client->observe_owner, trouble);
}

int redis_client_call(struct redis_client *client, const struct str *args, size_t n, int64_t deadline_us,
                      struct arena *arena, struct resp *ret_reply, struct err_info *reterr)
{
    struct err_info err = {0}, refusal = {0};
    int64_t wait_us, began_us = clock_mono_us(client->clock);

    __atomic_fetch_add(&client->n_calls, 1, __ATOMIC_RELAXED);
    if (!breaker_may_ask(&client->breaker, began_us, &wait_us)) {
        __atomic_fetch_add(&client->n_failures, 1, __ATOMIC_RELAXED);
        return err_set(reterr, ERR_UNAVAILABLE, "%s did not answer several times in a row",
                       redis_server_place(client->server));
    }
    int res = call(client, args, n, deadline_us, arena, ret_reply, &err);
    bool says_nothing = res == ERR_TIMEOUT && deadline_us - began_us < HASTY_US;
    enum breaker_outcome outcome = says_nothing ? BREAKER_UNKNOWN : outcome_of(res);
    bool has_refused = res == 0 && is_refusal(ret_reply);
    breaker_note(&client->breaker, clock_mono_us(client->clock), outcome);
    if (has_refused)
        (void)redis_error(ret_reply->text, &refusal);
    if (has_refused)
        note(client, refusal.message, true);
    else if (!says_nothing)
        note(client, outcome == BREAKER_SILENT || res == ERR_REMOTE ? err.message : NULL, false);
    if (res < 0)
        __atomic_fetch_add(&client->n_failures, 1, __ATOMIC_RELAXED);
    if (res < 0 && reterr)
        *reterr = err;
    return res;
}

void redis_script_init(struct redis_script *script, const char *text)
{
    *script = (struct redis_script){.text = text};
    if (!tls_sha1(text, script->sha1))
        script->sha1[0] = '\0';
}

int redis_client_run(struct redis_client *client, const struct redis_script *script, struct str key,
                     const struct str *args, size_t n_args, int64_t deadline_us, struct arena *arena,
                     struct resp *ret_reply, struct err_info *reterr)
{
    bool has_sha1 = script->sha1[0];
    struct str words[4 + MAX_SCRIPT_ARGS];
    struct resp reply;

    words[0] = has_sha1 ? STR_LIT("EVALSHA") : STR_LIT("EVAL");
    words[1] = str_of(has_sha1 ? script->sha1 : script->text);
    words[2] = STR_LIT("1");
    words[3] = key;
    if (n_args > MAX_SCRIPT_ARGS)
        return err_set(reterr, ERR_INTERNAL, "a script has at most %d arguments", MAX_SCRIPT_ARGS);
    if (n_args > 0)
        memcpy(words + 4, args, n_args * sizeof *args);
    int res = redis_client_call(client, words, 4 + n_args, deadline_us, arena, &reply, reterr);
    if (res == 0 && reply.kind == RESP_ERROR && str_starts_with(reply.text, STR_LIT("NOSCRIPT"))) {
        words[0] = STR_LIT("EVAL");
        words[1] = str_of(script->text);
        res = redis_client_call(client, words, 4 + n_args, deadline_us, arena, &reply, reterr);
    }
    if (res == 0 && reply.kind == RESP_ERROR)
        return redis_error(reply.text, reterr);
    if (res == 0)
        *ret_reply = reply;
    return res;
}

/* ---- numbers ---- */

void redis_client_describe(struct redis_client *client, struct redis_client_stats *ret_stats)
{
    *ret_stats = (struct redis_client_stats){
        .n_calls = __atomic_load_n(&client->n_calls, __ATOMIC_RELAXED),
        .n_failures = __atomic_load_n(&client->n_failures, __ATOMIC_RELAXED),
        .pool = pool_stats(client->pool),
        .breaker = breaker_stats(&client->breaker),
    };
}

void redis_client_observe(struct redis_client *client, redis_client_observe_fn observe, void *owner)
{
    client->observe = observe;
    client->observe_owner = owner;
}

void redis_client_trouble(struct redis_client *client, char ret_sentence[ERR_MESSAGE_SIZE])
{
    pthread_mutex_lock(&client->lock);
    (void)snprintf(ret_sentence, ERR_MESSAGE_SIZE, "%s", client->is_down ? client->trouble : "");
    pthread_mutex_unlock(&client->lock);
}

int redis_client_ping(struct redis_client *client, int64_t deadline_us, struct err_info *reterr)
{
    static const struct str words[] = {STR_LIT("PING")};
    struct arena arena;
    struct resp reply;

    arena_init(&arena, 4096);
    int res = redis_client_call(client, words, 1, deadline_us, &arena, &reply, reterr);
    if (res == 0 && reply.kind == RESP_ERROR)
        res = redis_error(reply.text, reterr);
    arena_done(&arena);
    return res;
}
