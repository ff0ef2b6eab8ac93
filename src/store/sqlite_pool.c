/* SPDX-License-Identifier: Apache-2.0
 *
 * The connections that read: opened when first needed, up to a maximum, and lent to one thread at a time
 * inside a transaction, which is one snapshot. Thread-safe.
 */
#include "store/sqlite_priv.h"

#include <time.h>

/* Opened as they are needed. With few, a handful of long reads (forgetting by rule) would shut others out. */
#define DEFAULT_READERS 16
#define MAX_READERS     64

void pool_init(struct pool *pool, const char *path, int n_max)
{
    pthread_condattr_t attr;

    *pool = (struct pool){.path = path, .n_max = n_max <= 0 ? DEFAULT_READERS : n_max};
    if (pool->n_max > MAX_READERS)
        pool->n_max = MAX_READERS;
    (void)pthread_mutex_init(&pool->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&pool->freed, &attr);
    (void)pthread_condattr_destroy(&attr);
}

void pool_done(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    while (pool->n_idle < pool->n_open)
        (void)pthread_cond_wait(&pool->freed, &pool->mutex);
    (void)pthread_mutex_unlock(&pool->mutex);
    while (pool->idle) {
        struct conn *conn = pool->idle;

        pool->idle = conn->next;
        conn_free(conn);
    }
    (void)pthread_cond_destroy(&pool->freed);
    (void)pthread_mutex_destroy(&pool->mutex);
}

/* An idle connection, or NULL with a place reserved for a new one. */
static int take(struct pool *pool, struct conn **ret_conn, struct err_info *reterr)
{
    struct timespec until;
    int error = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += SQLITE_PATIENCE_MS / 1000;
    (void)pthread_mutex_lock(&pool->mutex);
    while (!pool->idle && pool->n_open >= pool->n_max && error == 0)
        error = pthread_cond_timedwait(&pool->freed, &pool->mutex, &until);
    *ret_conn = pool->idle;
    if (pool->idle) {
        pool->idle = pool->idle->next;
        pool->n_idle--;
        error = 0;
    } else if (error == 0) {
        pool->n_open++;
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return error == 0 ? 0 : err_set(reterr, ERR_UNAVAILABLE, "all connections to the store are busy");
}

/* conn NULL: gives back a reserved place. */
static void give(struct pool *pool, struct conn *conn)
{
    (void)pthread_mutex_lock(&pool->mutex);
    if (conn) {
        conn->next = pool->idle;
        pool->idle = conn;
        pool->n_idle++;
    } else {
        pool->n_open--;
    }
    (void)pthread_cond_broadcast(&pool->freed);
    (void)pthread_mutex_unlock(&pool->mutex);
}

int pool_begin(struct pool *pool, struct conn **ret_conn, struct err_info *reterr)
{
    struct conn *conn;
    int r = take(pool, &conn, reterr);

    if (r < 0)
        return r;
    if (!conn)
        r = conn_new(pool->path, CONN_READER, &conn, reterr);
    if (r == 0)
        r = conn_run(conn, "BEGIN", reterr);
    if (r < 0) {
        give(pool, conn);
        return r;
    }
    *ret_conn = conn;
    return 0;
}

void pool_end(struct pool *pool, struct conn *conn)
{
    if (!sqlite3_get_autocommit(conn->db))
        (void)conn_run(conn, "ROLLBACK", NULL);
    give(pool, conn);
}
