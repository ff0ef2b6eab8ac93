/* SPDX-License-Identifier: Apache-2.0
 *
 * /healthz says that the process answers; /readyz that it can serve. Without the store it cannot (503); with
 * a source down it can, degraded: a section is missing, not the answer. The sentences of failures are for
 * loopback only, they may name hosts.
 */
#include "serve/health.h"

#include "core/civil.h"
#include "core/mem.h"
#include "serve/serve_priv.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define ASK_AGAIN_US      (5 * US_PER_SEC)
#define ASK_DOWN_AGAIN_US (1 * US_PER_SEC) /* so that a recovery is seen soon */
#define ASK_FOR_US        (500 * US_PER_MS)
#define MAX_THREADS       16

/* A connection, or the shared tier: never asked, being asked, or answered. */
struct probe {
    struct health *health;
    struct source *source; /* NULL: the shared tier */
    struct redis_client *shared;
    bool is_asking;
    bool has_answer, is_ready; /* of the last question that ended */
    int64_t asked_us;          /* monotonic: when the last one began */
    int64_t down_since_us;     /* wall clock; 0: it is not */
    char message[ERR_MESSAGE_SIZE];
};

struct health {
    const struct clock *clock;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t answered;
    struct workers *workers; /* NULL until the first question */
    struct probe *probes;
    size_t n_probes;
};

int health_new(struct source *const *connections, size_t n_connections, struct redis_client *shared,
               const struct clock *clock, struct health **ret_health, struct err_info *reterr)
{
    struct health *health = mem_calloc(1, sizeof *health);
    pthread_condattr_t attr;

    if (health)
        health->probes = mem_calloc(n_connections + 1, sizeof *health->probes);
    if (!health || !health->probes) {
        mem_free(health);
        return err_set(reterr, ERR_NOMEM, "out of memory");
    }
    health->clock = clock;
    health->n_probes = n_connections + (shared ? 1 : 0);
    for (size_t i = 0; i < health->n_probes; i++)
        health->probes[i] = (struct probe){
            .health = health, .source = i < n_connections ? connections[i] : NULL, .shared = shared};
    pthread_mutex_init(&health->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&health->answered, &attr);
    pthread_condattr_destroy(&attr);
    *ret_health = health;
    return 0;
}

struct health *health_free(struct health *health)
{
    if (!health)
        return NULL;
    health->workers = workers_free(health->workers);
    pthread_cond_destroy(&health->answered);
    pthread_mutex_destroy(&health->lock);
    mem_free(health->probes);
    return mem_free(health);
}

static struct str name_of(const struct probe *probe)
{
    return probe->source ? str_of(source_name(probe->source)) : STR_LIT("shared");
}

/* False for a kind that has none. */
static bool breaker_of(const struct probe *probe, struct breaker_stats *ret_breaker)
{
    if (probe->source) {
        struct source_stats stats;
        source_stats(probe->source, &stats);
        *ret_breaker = stats.breaker;
        return stats.has_breaker;
    }
    struct redis_client_stats stats;
    redis_client_describe(probe->shared, &stats);
    *ret_breaker = stats.breaker;
    return true;
}

/* ---- asking ---- */

/* When it went down: builds may have met it before the first question did. */
static int64_t down_since(const struct probe *probe, int64_t noticed_us)
{
    const struct clock *clock = probe->health->clock;
    struct breaker_stats breaker;

    (void)breaker_of(probe, &breaker);
    int64_t since_us = breaker.failing_since_us;
    if (since_us == 0 || since_us > noticed_us)
        since_us = noticed_us;
    return clock_wall_us(clock) - (clock_mono_us(clock) - since_us);
}

static void take_answer(struct probe *probe, int rc, const struct err_info *err)
{
    pthread_mutex_lock(&probe->health->lock);
    if (rc == 0)
        probe->down_since_us = 0;
    else if (probe->down_since_us == 0)
        probe->down_since_us = down_since(probe, probe->asked_us);
    probe->is_asking = false;
    probe->has_answer = true;
    probe->is_ready = rc == 0;
    memcpy(probe->message, err->message, sizeof probe->message);
    pthread_cond_broadcast(&probe->health->answered);
    pthread_mutex_unlock(&probe->health->lock);
}

/* One that answers, and would not do what it was asked to a moment ago, is not well either. */
static int ask_shared(const struct probe *probe, int64_t deadline_us, struct err_info *reterr)
{
    char trouble[ERR_MESSAGE_SIZE];
    int rc = redis_client_ping(probe->shared, deadline_us, reterr);

    if (rc < 0)
        return rc;
    redis_client_trouble(probe->shared, trouble);
    return trouble[0] ? err_set(reterr, ERR_REMOTE, "%s", trouble) : 0;
}

/* On a worker. */
static void ask(void *arg)
{
    struct probe *probe = arg;
    struct err_info err = {0};
    struct buf said;

    buf_init(&said, 4096);
    int64_t deadline_us = probe->asked_us + ASK_FOR_US;
    int rc = probe->source ? source_check(probe->source, deadline_us, &said, &err)
                           : ask_shared(probe, deadline_us, &err);
    buf_done(&said);
    take_answer(probe, rc, &err);
}

static bool is_due(const struct probe *probe, int64_t now_us)
{
    struct breaker_stats breaker;

    if (probe->is_asking || !probe->has_answer)
        return !probe->is_asking;
    (void)breaker_of(probe, &breaker);
    bool is_well = probe->is_ready && breaker.failing_since_us == 0;
    return now_us - probe->asked_us >= (is_well ? ASK_AGAIN_US : ASK_DOWN_AGAIN_US);
}

static int make_workers(struct health *health, struct err_info *reterr)
{
    int n_threads = health->n_probes < MAX_THREADS ? (int)health->n_probes : MAX_THREADS;

    return health->workers ? 0 : workers_new("health", n_threads, health->n_probes, &health->workers, reterr);
}

/* Locked. A question that cannot be asked leaves its connection as if it were down. */
static void ask_due(struct health *health)
{
    int64_t now_us = clock_mono_us(health->clock);

    for (size_t i = 0; i < health->n_probes; i++) {
        struct probe *probe = &health->probes[i];
        struct err_info err = {0};
        if (!is_due(probe, now_us))
            continue;
        probe->asked_us = now_us;
        int rc = make_workers(health, &err);
        if (rc == 0)
            rc = workers_submit(health->workers, ask, probe);
        probe->is_asking = rc == 0;
        if (rc == 0)
            continue;
        probe->has_answer = true;
        probe->is_ready = false;
        (void)snprintf(probe->message, sizeof probe->message, "it could not be asked: %s",
                       err.message[0] ? err.message : err_name(rc));
    }
}

/* Locked. Until each has answered or had its time. */
static void wait_answers(struct health *health)
{
    for (size_t i = 0; i < health->n_probes; i++) {
        const struct probe *probe = &health->probes[i];
        int64_t left_us = probe->asked_us + ASK_FOR_US - clock_mono_us(health->clock);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t until_us = until.tv_sec * US_PER_SEC + until.tv_nsec / 1000 + (left_us > 0 ? left_us : 0);
        until.tv_sec = until_us / US_PER_SEC;
        until.tv_nsec = (long)(until_us % US_PER_SEC) * 1000;
        while (probe->is_asking && left_us > 0)
            if (pthread_cond_timedwait(&health->answered, &health->lock, &until) == ETIMEDOUT)
                break;
    }
}

/* ---- telling ---- */

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

static void write_store(struct json_writer *writer, bool is_ready, const char *message)
{
    json_open_object(writer);
    json_put_member_text(writer, "name", STR_LIT("store"));
    json_put_member_bool(writer, "ready", is_ready);
    if (!is_ready && message)
        json_put_member_text(writer, "message", str_of(message));
    json_close_object(writer);
}

/* One that is still being asked after its time is down, whatever it will say. */
static bool is_up(const struct probe *probe, int64_t now_us)
{
    return probe->has_answer && probe->is_ready &&
           !(probe->is_asking && now_us - probe->asked_us >= ASK_FOR_US);
}

/* Locked. One that has not answered yet was noticed with this question: later answers say the same. */
static void write_since(struct probe *probe, struct json_writer *writer)
{
    struct buf text;

    if (probe->down_since_us == 0)
        probe->down_since_us = down_since(probe, probe->asked_us);
    buf_init(&text, 64);
    civil_print_iso(probe->down_since_us, &text);
    json_put_member_text(writer, "down_since", buf_str(&text));
    buf_done(&text);
}

static void write_probe(struct probe *probe, bool is_ready, bool may_explain, struct json_writer *writer)
{
    struct breaker_stats breaker;
    bool has_breaker = breaker_of(probe, &breaker);

    json_open_object(writer);
    json_put_member_text(writer, "name", name_of(probe));
    json_put_member_bool(writer, "ready", is_ready);
    if (!is_ready) {
        write_since(probe, writer);
        if (may_explain)
            json_put_member_text(writer, "message",
                                 probe->is_asking ? STR_LIT("it does not answer") : str_of(probe->message));
    }
    if (has_breaker)
        json_put_member_text(writer, "breaker",
                             breaker.is_probing ? STR_LIT("probing")
                             : breaker.is_open  ? STR_LIT("open")
                                                : STR_LIT("closed"));
    json_close_object(writer);
}

/* Locked. */
static size_t write_degraded(const struct health *health, int64_t now_us, struct json_writer *writer)
{
    size_t n_down = 0;

    json_put_name(writer, "degraded");
    json_open_array(writer);
    for (size_t i = 0; i < health->n_probes; i++) {
        if (is_up(&health->probes[i], now_us))
            continue;
        json_put_text(writer, name_of(&health->probes[i]));
        n_down++;
    }
    json_close_array(writer);
    return n_down;
}

int health_ready_get(struct request *req, struct err_info *reterr)
{
    struct server *server = req->server;
    struct health *health = server->health;
    struct json_writer writer;
    struct err_info err = {0};

    (void)reterr;
    bool is_store_ready = store_read(server->options.store, ask_one_row, NULL, &err) == 0;
    bool is_ready = is_store_ready && !atomic_load(&server->is_draining);
    pthread_mutex_lock(&health->lock);
    ask_due(health);
    wait_answers(health);
    int64_t now_us = clock_mono_us(health->clock);
    reply_start_json(req, is_ready ? 200 : 503, &writer);
    json_open_object(&writer);
    json_put_name(&writer, "checks");
    json_open_array(&writer);
    write_store(&writer, is_store_ready, server->is_loopback ? err.message : NULL);
    for (size_t i = 0; i < health->n_probes; i++)
        write_probe(&health->probes[i], is_up(&health->probes[i], now_us), server->is_loopback, &writer);
    json_close_array(&writer);
    size_t n_down = write_degraded(health, now_us, &writer);
    pthread_mutex_unlock(&health->lock);
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
