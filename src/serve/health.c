/* SPDX-License-Identifier: Apache-2.0
 *
 * /healthz says that the process answers; /readyz that it can serve. Without the store it cannot (503); with
 * a source down it can, degraded: a section is missing, not the answer. The sentences of failures are for
 * loopback only, they may name hosts.
 */
#include "serve/health.h"

#include "core/mem.h"
#include "serve/serve_priv.h"

#include <pthread.h>

#define ASK_AGAIN_US (5 * US_PER_SEC)
#define ASK_FOR_US   (300 * US_PER_MS)

struct connection_state {
    int64_t asked_us; /* monotonic; 0: never */
    bool is_ready;
    char message[ERR_MESSAGE_SIZE];
};

struct health {
    pthread_mutex_t lock; /* one asks, the others wait for its answer */
    struct connection_state *connections;
    struct connection_state shared;
};

int health_new(size_t n_connections, struct health **ret_health, struct err_info *reterr)
{
    struct health *health = mem_calloc(1, sizeof *health);

    if (health)
        health->connections = mem_calloc(n_connections + 1, sizeof *health->connections);
    if (!health || !health->connections) {
        mem_free(health);
        return err_set(reterr, ERR_NOMEM, "out of memory");
    }
    pthread_mutex_init(&health->lock, NULL);
    *ret_health = health;
    return 0;
}

struct health *health_free(struct health *health)
{
    if (!health)
        return NULL;
    pthread_mutex_destroy(&health->lock);
    mem_free(health->connections);
    return mem_free(health);
}

static int take_row(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    (void)columns, (void)n_columns, (void)arg, (void)reterr;
    return 1;
}

static int ask_one_row(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    (void)arg;
    return store_query(txn, "SELECT 1", NULL, 0, take_row, NULL, reterr);
}

static void ask_connection(struct server *server, size_t idx)
{
    struct connection_state *state = &server->health->connections[idx];
    struct err_info err = {0};
    struct buf said;
    int64_t now_us = clock_mono_us(server->options.clock);

    if (state->asked_us && now_us - state->asked_us < ASK_AGAIN_US)
        return;
    buf_init(&said, 4096);
    int rc = source_check(server->options.connections[idx], now_us + ASK_FOR_US, &said, &err);
    buf_done(&said);
    state->asked_us = now_us ? now_us : 1;
    state->is_ready = rc == 0;
    memcpy(state->message, err.message, sizeof state->message);
}

static void ask_shared(struct server *server)
{
    struct connection_state *state = &server->health->shared;
    struct err_info err = {0};
    int64_t now_us = clock_mono_us(server->options.clock);

    if (state->asked_us && now_us - state->asked_us < ASK_AGAIN_US)
        return;
    state->is_ready = shared_ask(server->options.shared, now_us + ASK_FOR_US, &err) == 0;
    state->asked_us = now_us ? now_us : 1;
    memcpy(state->message, err.message, sizeof state->message);
}

static void write_check(struct json_writer *writer, struct str name, bool is_ready, const char *message)
{
    json_open_object(writer);
    json_put_member_text(writer, "name", name);
    json_put_member_bool(writer, "ready", is_ready);
    if (!is_ready && message)
        json_put_member_text(writer, "message", str_of(message));
    json_close_object(writer);
}

/* Writes "checks" and returns how many connections are down. */
static size_t write_connections(struct server *server, struct json_writer *writer)
{
    struct health *health = server->health;
    size_t n_down = 0;

    pthread_mutex_lock(&health->lock);
    for (size_t i = 0; i < server->options.n_connections; i++) {
        ask_connection(server, i);
        const struct connection_state *state = &health->connections[i];
        n_down += !state->is_ready;
        write_check(writer, str_of(source_name(server->options.connections[i])), state->is_ready,
                    server->is_loopback ? state->message : NULL);
    }
    if (server->options.shared) {
        ask_shared(server);
        n_down += !health->shared.is_ready;
        write_check(writer, STR_LIT("shared"), health->shared.is_ready,
                    server->is_loopback ? health->shared.message : NULL);
    }
    pthread_mutex_unlock(&health->lock);
    return n_down;
}

static void write_degraded(struct server *server, struct json_writer *writer)
{
    struct health *health = server->health;

    json_put_name(writer, "degraded");
    json_open_array(writer);
    pthread_mutex_lock(&health->lock);
    for (size_t i = 0; i < server->options.n_connections; i++)
        if (!health->connections[i].is_ready)
            json_put_text(writer, str_of(source_name(server->options.connections[i])));
    if (server->options.shared && !health->shared.is_ready)
        json_put_text(writer, STR_LIT("shared"));
    pthread_mutex_unlock(&health->lock);
    json_close_array(writer);
}

int health_ready_get(struct request *req, struct err_info *reterr)
{
    struct server *server = req->server;
    struct json_writer writer;
    struct err_info err = {0};

    (void)reterr;
    bool is_store_ready = store_read(server->options.store, ask_one_row, NULL, &err) == 0;
    bool is_ready = is_store_ready && !atomic_load(&server->is_draining);
    reply_start_json(req, is_ready ? 200 : 503, &writer);
    json_open_object(&writer);
    json_put_name(&writer, "checks");
    json_open_array(&writer);
    write_check(&writer, STR_LIT("store"), is_store_ready, server->is_loopback ? err.message : NULL);
    size_t n_down = write_connections(server, &writer);
    json_close_array(&writer);
    write_degraded(server, &writer);
    json_put_member_text(&writer, "status", str_of(!is_ready ? "not ready" : n_down ? "degraded" : "ready"));
    json_close_object(&writer);
    if (!is_ready)
        reply_add_header(&req->reply, "Retry-After", "1");
    return 0;
}

int health_live_get(struct request *req, struct err_info *reterr)
{
    (void)reterr;
    reply_borrow(req, 200, TYPE_JSON, STR_LIT("{\"status\":\"ok\"}\n"), NULL, NULL);
    return 0;
}
