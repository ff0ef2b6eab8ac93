/* SPDX-License-Identifier: Apache-2.0
 *
 * A PostgreSQL connection of the configuration: its pool, what is known of its statements' times, and the
 * connections that are still owed an answer when their build has ended.
 */
#include "source/postgres_priv.h"

#include "core/mem.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define DRAIN_US    (200 * US_PER_MS) /* the end of a transaction that only read takes no time */
#define KNOWN_AFTER 2                 /* samples */
#define SMOOTHING   4                 /* a new sample counts a fourth */

#define MAX_KEPT_BYTES                                                                                       \
    ((size_t)16 * 1024) /* of a statement, in both forms; that of a recipe has one or two */

static int on_connect(void *server, int64_t deadline_us, void **ret_conn, struct err_info *reterr)
{
    struct postgres *postgres = server;
    struct pg_conn *conn;
    int res = pg_conn_open(str_of(postgres->url), postgres->env.clock, deadline_us, &conn, reterr);
    if (res < 0)
        return res;
    *ret_conn = conn;
    return 0;
}

static bool is_alive(void *server, void *conn)
{
    (void)server;
    return pg_conn_is_quiet(conn);
}

static void on_close(void *server, void *conn)
{
    (void)server;
    pg_conn_close(conn);
}

static const struct pool_ops pool_ops = {on_connect, is_alive, on_close};

/* The pool must know before libpq, which keeps to it too, is there. */
static int64_t connect_timeout(struct str url)
{
    static const struct str key = {"connect_timeout=", sizeof "connect_timeout=" - 1};
    ptrdiff_t at = str_find(url, key);
    int64_t seconds = 0;

    if (at < 0)
        return SOURCE_CONNECT_TIMEOUT_US;
    for (size_t i = (size_t)at + key.len; i < url.len && url.ptr[i] >= '0' && url.ptr[i] <= '9'; i++)
        seconds = seconds < 3600 ? seconds * 10 + (url.ptr[i] - '0') : seconds;
    if (seconds < 1 || seconds > 3600)
        return SOURCE_CONNECT_TIMEOUT_US;
    return seconds * US_PER_SEC;
}

int postgres_new(const struct source_env *env, const struct source_options *options, struct postgres **ret,
                 struct err_info *reterr)
{
    struct postgres *postgres = mem_calloc(1, sizeof *postgres);
    int res = 0;

    if (!env->connectors) {
        mem_free(postgres);
        return err_set(reterr, ERR_UNSUPPORTED, "there are no threads to connect to servers with");
    }
    if (memchr(options->url.ptr, '\0', options->url.len))
        res = err_set(reterr, ERR_INVALID, "the URL has a NUL character in it");
    if (postgres) {
        postgres->env = *env;
        postgres->name = mem_strdup(options->name);
        postgres->url = mem_calloc(options->url.len + 1, 1);
        postgres->canceller = pg_canceller_new();
        postgres->opened_us = clock_mono_us(env->clock);
        pthread_mutex_init(&postgres->mutex, NULL);
        pthread_cond_init(&postgres->has_drained, NULL);
    }
    if (res == 0 && (!postgres || !postgres->name || !postgres->url || !postgres->canceller))
        res = err_set(reterr, ERR_NOMEM, "not enough memory to open '%s'", options->name);
    if (res == 0) {
        memcpy(postgres->url, options->url.ptr, options->url.len);
        const struct pool_options pool = {
            .ops = &pool_ops,
            .server = postgres,
            .name = options->name,
            .max_conns = options->max_conns ? options->max_conns : SOURCE_MAX_CONNS,
            .connect_timeout_us = connect_timeout(options->url),
            .idle_timeout_us = SOURCE_IDLE_TIMEOUT_US,
            .workers = env->connectors,
            .clock = env->clock,
        };
        res = pool_new(&pool, &postgres->pool, reterr);
    }
    if (res < 0) {
        postgres_free(postgres);
        return res;
    }
    *ret = postgres;
    return 0;
}

struct postgres *postgres_free(struct postgres *postgres)
{
    if (!postgres)
        return NULL;
    pthread_mutex_lock(&postgres->mutex);
    while (postgres->n_drains > 0)
        pthread_cond_wait(&postgres->has_drained, &postgres->mutex);
    pthread_mutex_unlock(&postgres->mutex);
    pool_free(postgres->pool);
    pg_canceller_unref(postgres->canceller);
    for (size_t i = 0; i < N_TIMES; i++)
        mem_free(postgres->times[i].text);
    pthread_cond_destroy(&postgres->has_drained);
    pthread_mutex_destroy(&postgres->mutex);
    mem_free(postgres->url);
    mem_free(postgres->name);
    return mem_free(postgres);
}

/* ---- what is known of statements ---- */

/* The statement's place, which may have been another's. */
static struct postgres_time *time_at(struct postgres *postgres, uint64_t key)
{
    struct postgres_time *time = &postgres->times[key % N_TIMES];
    if (time->key != key) {
        mem_free(time->text);
        *time = (struct postgres_time){.key = key};
    }
    return time;
}

/* False when it is not kept. The whole of it is compared: another may have the same hash. */
static bool recall(struct postgres *postgres, uint64_t key, struct str given, struct arena *arena,
                   struct str *ret_sql, size_t *ret_n)
{
    pthread_mutex_lock(&postgres->mutex);
    const struct postgres_time *time = &postgres->times[key % N_TIMES];
    bool is_kept = time->key == key && time->text && str_eq(str_make(time->text, time->given_len), given);
    if (is_kept) {
        *ret_sql = arena_copy(arena, str_make(time->text + time->given_len, time->wanted_len));
        *ret_n = time->n_values;
    }
    pthread_mutex_unlock(&postgres->mutex);
    return is_kept;
}

static void remember(struct postgres *postgres, uint64_t key, struct str given, struct str wanted,
                     size_t n_values)
{
    char *text = given.len + wanted.len <= MAX_KEPT_BYTES ? mem_alloc(given.len + wanted.len + 1) : NULL;
    if (!text)
        return; /* it is translated again the next time */
    memcpy(text, given.ptr, given.len);
    memcpy(text + given.len, wanted.ptr, wanted.len);
    pthread_mutex_lock(&postgres->mutex);
    struct postgres_time *time = time_at(postgres, key);
    mem_free(time->text);
    time->text = text;
    time->given_len = given.len;
    time->wanted_len = wanted.len;
    time->n_values = n_values;
    pthread_mutex_unlock(&postgres->mutex);
}

int postgres_statement(struct postgres *postgres, uint64_t key, struct str given, size_t n_binds,
                       struct arena *arena, struct str *ret_sql, size_t *ret_n, struct err_info *reterr)
{
    if (recall(postgres, key, given, arena, ret_sql, ret_n) && *ret_n <= n_binds)
        return arena_error(arena) ? err_set(reterr, arena_error(arena), "not enough memory for a statement")
                                  : 0;
    int res = postgres_translate(given, n_binds, arena, ret_sql, ret_n, reterr);
    if (res == 0)
        remember(postgres, key, given, *ret_sql, *ret_n);
    return res;
}

int64_t postgres_expected(struct postgres *postgres, uint64_t key)
{
    pthread_mutex_lock(&postgres->mutex);
    const struct postgres_time *time = &postgres->times[key % N_TIMES];
    int64_t us = time->key == key && time->n >= KNOWN_AFTER ? time->mean_us : -1;
    pthread_mutex_unlock(&postgres->mutex);
    return us;
}

void postgres_note_time(struct postgres *postgres, uint64_t key, int64_t took_us)
{
    pthread_mutex_lock(&postgres->mutex);
    struct postgres_time *time = time_at(postgres, key);
    if (time->n < KNOWN_AFTER)
        time->n++;
    else
        took_us = time->mean_us + (took_us - time->mean_us) / SMOOTHING;
    time->mean_us = took_us;
    pthread_mutex_unlock(&postgres->mutex);
}

size_t postgres_answer_bytes(struct postgres *postgres, uint64_t key)
{
    pthread_mutex_lock(&postgres->mutex);
    const struct postgres_time *time = &postgres->times[key % N_TIMES];
    size_t bytes = time->key == key && time->answer_bytes > 0 ? time->answer_bytes : SIZE_MAX;
    pthread_mutex_unlock(&postgres->mutex);
    return bytes;
}

void postgres_note_answer(struct postgres *postgres, uint64_t key, size_t bytes)
{
    pthread_mutex_lock(&postgres->mutex);
    struct postgres_time *time = &postgres->times[key % N_TIMES];
    if (time->key == key) /* else it is read row by row, which is never wrong */
        time->answer_bytes = bytes;
    pthread_mutex_unlock(&postgres->mutex);
}

void postgres_forget_time(struct postgres *postgres, uint64_t key)
{
    pthread_mutex_lock(&postgres->mutex);
    struct postgres_time *time = &postgres->times[key % N_TIMES];
    if (time->key == key)
        time->n = KNOWN_AFTER - 1;
    pthread_mutex_unlock(&postgres->mutex);
}

/* ---- draining ---- */

struct drain {
    struct postgres *postgres;
    struct pg_conn *conn;
};

/* False when it broke or the time is over. */
static bool wait_for(const struct clock *clock, const struct pg_conn *conn, int64_t until_us)
{
    int64_t left_us = until_us - clock_mono_us(clock);
    if (left_us <= 0)
        return false;
    struct pollfd fd = {.fd = pg_conn_fd(conn), .events = pg_conn_events(conn)};
    int n = poll(&fd, 1, (int)((left_us + US_PER_MS - 1) / US_PER_MS));
    return n >= 0 || errno == EINTR;
}

static bool drain(const struct drain *drain)
{
    const struct clock *clock = drain->postgres->env.clock;
    int64_t until_us = clock_mono_us(clock) + DRAIN_US;
    struct pg_event event;
    int res = 0;

    while (res >= 0 && !pg_conn_is_idle(drain->conn)) {
        if (!wait_for(clock, drain->conn, until_us))
            return false;
        res = pg_conn_push(drain->conn, NULL);
        if (res == 0)
            res = pg_conn_read(drain->conn, NULL);
        while (res == 0)
            res = pg_conn_next(drain->conn, &event, NULL);
    }
    return res >= 0;
}

static void drain_main(void *arg)
{
    struct drain *job = arg;
    struct postgres *postgres = job->postgres;

    if (drain(job))
        pool_give(postgres->pool, job->conn);
    else
        pool_drop(postgres->pool, job->conn);
    mem_free(job);
    pthread_mutex_lock(&postgres->mutex);
    if (--postgres->n_drains == 0)
        pthread_cond_broadcast(&postgres->has_drained);
    pthread_mutex_unlock(&postgres->mutex);
}

void postgres_drain(struct postgres *postgres, struct pg_conn *conn)
{
    struct drain *job = mem_alloc(sizeof *job);

    if (job) {
        *job = (struct drain){postgres, conn};
        pthread_mutex_lock(&postgres->mutex);
        postgres->n_drains++;
        pthread_mutex_unlock(&postgres->mutex);
        if (workers_submit(postgres->env.connectors, drain_main, job) == 0)
            return;
        pthread_mutex_lock(&postgres->mutex);
        postgres->n_drains--;
        pthread_mutex_unlock(&postgres->mutex);
    }
    mem_free(job);
    pool_drop(postgres->pool, conn);
}

/* ---- for one who may wait ---- */

int postgres_take(struct postgres *postgres, int64_t deadline_us, struct pg_conn **ret_conn,
                  struct err_info *reterr)
{
    struct pool_wait wait;
    void *conn = NULL;
    int res = pool_take(postgres->pool, &wait, &conn, reterr);

    while (res == 1) {
        int64_t left_us = deadline_us - clock_mono_us(postgres->env.clock);
        if (left_us <= 0) {
            pool_wait_cancel(&wait);
            return err_set(reterr, ERR_TIMEOUT, "no connection to the server in time");
        }
        struct pollfd fd = {.fd = wait.fd, .events = POLLIN};
        (void)poll(&fd, 1, (int)(left_us / US_PER_MS) + 1); /* whatever ended it: the wait itself is asked */
        res = pool_wait_take(&wait, &conn, reterr);
    }
    if (res == 0)
        *ret_conn = conn;
    return res;
}
