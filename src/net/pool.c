/* SPDX-License-Identifier: Apache-2.0
 *
 * One mutex guards a pool; callbacks of the kind run outside of it, but for is_alive, which does not wait. A
 * connection is idle (in the stack), taken, or handed over: in the conn of a wait that is over and not ended
 * yet. n_open counts all three.
 */
#include "net/pool.h"

#include "core/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTING 4 /* at once: a server that comes back is not stormed */

struct idle_conn {
    void *conn;
    int64_t since_us;
};

struct pool {
    struct pool_options options;
    char *name;
    pthread_mutex_t mutex;
    pthread_cond_t has_connected; /* an attempt ended */
    struct idle_conn *idle;       /* a stack: the one used last is used first, so that others may age */
    size_t n_idle;
    size_t n_open, n_connecting;
    struct pool_wait *first, *last; /* who waits, the oldest first */
    size_t n_waiting;
    struct pool_stats stats; /* the counters only */
};

int pool_new(const struct pool_options *options, struct pool **ret_pool, struct err_info *reterr)
{
    assert(options->max_conns > 0);

    struct pool *pool = mem_calloc(1, sizeof *pool);
    char *name = mem_strdup(options->name);
    struct idle_conn *idle = mem_calloc(options->max_conns, sizeof *idle);
    if (!pool || !name || !idle) {
        mem_free(pool);
        mem_free(name);
        mem_free(idle);
        return err_set(reterr, ERR_NOMEM, "not enough memory for the connections of '%s'", options->name);
    }
    pool->options = *options;
    pool->options.name = pool->name = name;
    pool->idle = idle;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->has_connected, NULL);
    *ret_pool = pool;
    return 0;
}

static void close_conn(struct pool *pool, void *conn)
{
    pool->options.ops->on_close(pool->options.server, conn);
}

struct pool *pool_free(struct pool *pool)
{
    if (!pool)
        return NULL;
    pthread_mutex_lock(&pool->mutex);
    while (pool->n_connecting > 0)
        pthread_cond_wait(&pool->has_connected, &pool->mutex);
    assert(pool->n_waiting == 0 && pool->n_open == pool->n_idle);
    pthread_mutex_unlock(&pool->mutex);
    pool_drop_idle(pool);
    pthread_cond_destroy(&pool->has_connected);
    pthread_mutex_destroy(&pool->mutex);
    mem_free(pool->idle);
    mem_free(pool->name);
    return mem_free(pool);
}

void pool_drop_idle(struct pool *pool)
{
    for (;;) {
        pthread_mutex_lock(&pool->mutex);
        void *conn = pool->n_idle > 0 ? pool->idle[--pool->n_idle].conn : NULL;
        pool->n_open -= conn != NULL;
        pthread_mutex_unlock(&pool->mutex);
        if (!conn)
            return;
        close_conn(pool, conn);
    }
}

/* ---- who waits; under the mutex ---- */

static void unlink_wait(struct pool *pool, struct pool_wait *wait)
{
    if (wait->prev)
        wait->prev->next = wait->next;
    else
        pool->first = wait->next;
    if (wait->next)
        wait->next->prev = wait->prev;
    else
        pool->last = wait->prev;
    pool->n_waiting--;
}

/* The oldest wait is over, with a connection or an error. */
static void end_first_wait(struct pool *pool, void *conn, int result, const struct err_info *err)
{
    struct pool_wait *wait = pool->first;
    uint64_t one = 1;

    unlink_wait(pool, wait);
    wait->is_over = true;
    wait->conn = conn;
    wait->result = result;
    if (err)
        wait->err = *err;
    (void)!write(wait->fd, &one, sizeof one); /* a fresh counter: there is room */
}

/* ---- connecting ---- */

static int start_connecting(struct pool *pool, struct err_info *reterr);

static void connect_main(void *arg)
{
    struct pool *pool = arg;
    int64_t deadline_us = clock_mono_us(pool->options.clock) + pool->options.connect_timeout_us;
    struct err_info err = {0};
    void *conn = NULL;
    int res = pool->options.ops->on_connect(pool->options.server, deadline_us, &conn, &err);

    pthread_mutex_lock(&pool->mutex);
    pool->n_connecting--;
    if (res < 0) {
        pool->n_open--;
        pool->stats.n_connect_failures++;
        /* With others open they are waited for; with none nobody would come. */
        while (pool->first && pool->n_open == 0)
            end_first_wait(pool, NULL, res, &err);
    } else {
        pool->stats.n_connects++;
        if (pool->first)
            end_first_wait(pool, conn, 0, NULL);
        else
            pool->idle[pool->n_idle++] = (struct idle_conn){conn, clock_mono_us(pool->options.clock)};
        (void)start_connecting(pool, NULL); /* for those still waiting; if it fails they wait for this one */
    }
    pthread_cond_broadcast(&pool->has_connected);
    pthread_mutex_unlock(&pool->mutex);
}

/* Starts an attempt if one more is of use. Under the mutex. ERR_UNAVAILABLE if no worker can be had and
 * nothing else is to be waited for. */
static int start_connecting(struct pool *pool, struct err_info *reterr)
{
    if (pool->n_open >= pool->options.max_conns || pool->n_connecting >= MAX_CONNECTING ||
        pool->n_connecting >= pool->n_waiting)
        return 0;
    pool->n_open++;
    pool->n_connecting++;
    int res = workers_submit(pool->options.workers, connect_main, pool);
    if (res == 0)
        return 0;
    pool->n_open--;
    pool->n_connecting--;
    if (pool->n_open > 0)
        return 0;
    return err_set(reterr, ERR_UNAVAILABLE, "too much is waiting to connect already; try again later");
}

/* ---- taking ---- */

/* Takes an idle one for a look at it. Under the mutex. */
static void *pop_idle(struct pool *pool, bool *ret_is_good)
{
    if (pool->n_idle == 0)
        return NULL;
    struct idle_conn *idle = &pool->idle[--pool->n_idle];
    int64_t age_us = clock_mono_us(pool->options.clock) - idle->since_us;
    *ret_is_good = age_us < pool->options.idle_timeout_us &&
                   pool->options.ops->is_alive(pool->options.server, idle->conn);
    if (!*ret_is_good)
        pool->n_open--;
    return idle->conn;
}

static int begin_wait(struct pool *pool, struct pool_wait *wait, struct err_info *reterr)
{
    *wait = (struct pool_wait){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .pool = pool};
    if (wait->fd < 0)
        return err_set(reterr, ERR_UNAVAILABLE, "cannot make an event descriptor: %s", strerror(errno));
    wait->since_us = clock_mono_us(pool->options.clock);
    wait->prev = pool->last;
    if (pool->last)
        pool->last->next = wait;
    else
        pool->first = wait;
    pool->last = wait;
    pool->n_waiting++;
    pool->stats.n_waits++;
    int res = start_connecting(pool, reterr);
    if (res < 0) {
        unlink_wait(pool, wait);
        (void)close(wait->fd); /* an eventfd holds nothing that closing could lose */
        return res;
    }
    return 1;
}

int pool_take(struct pool *pool, struct pool_wait *wait, void **ret_conn, struct err_info *reterr)
{
    int res = 0;

    for (;;) {
        bool is_good = false;
        pthread_mutex_lock(&pool->mutex);
        void *conn = pop_idle(pool, &is_good);
        if (!conn)
            res = begin_wait(pool, wait, reterr);
        else if (is_good)
            *ret_conn = conn;
        else
            pool->stats.n_drops++;
        if (!conn || is_good) {
            pool->stats.n_takes++;
            pthread_mutex_unlock(&pool->mutex);
            return res;
        }
        pthread_mutex_unlock(&pool->mutex);
        close_conn(pool, conn);
    }
}

int pool_wait_take(struct pool_wait *wait, void **ret_conn, struct err_info *reterr)
{
    struct pool *pool = wait->pool;

    pthread_mutex_lock(&pool->mutex);
    bool is_over = wait->is_over;
    if (is_over)
        pool->stats.waited_us += clock_mono_us(pool->options.clock) - wait->since_us;
    pthread_mutex_unlock(&pool->mutex);
    if (!is_over)
        return 1;
    (void)close(wait->fd); /* an eventfd holds nothing that closing could lose */
    wait->fd = -1;
    if (wait->result < 0) {
        if (reterr)
            *reterr = wait->err;
        return wait->result;
    }
    *ret_conn = wait->conn;
    return 0;
}

void pool_wait_cancel(struct pool_wait *wait)
{
    struct pool *pool = wait->pool;

    pthread_mutex_lock(&pool->mutex);
    if (!wait->is_over)
        unlink_wait(pool, wait);
    pthread_mutex_unlock(&pool->mutex);
    (void)close(wait->fd); /* an eventfd holds nothing that closing could lose */
    wait->fd = -1;
    if (wait->is_over && wait->conn)
        pool_give(pool, wait->conn);
}

/* ---- giving back ---- */

void pool_give(struct pool *pool, void *conn)
{
    pthread_mutex_lock(&pool->mutex);
    if (pool->first)
        end_first_wait(pool, conn, 0, NULL);
    else
        pool->idle[pool->n_idle++] = (struct idle_conn){conn, clock_mono_us(pool->options.clock)};
    pthread_mutex_unlock(&pool->mutex);
}

void pool_drop(struct pool *pool, void *conn)
{
    struct err_info err = {0};

    close_conn(pool, conn);
    pthread_mutex_lock(&pool->mutex);
    pool->n_open--;
    pool->stats.n_drops++;
    /* Those who waited for it to come back need another. */
    if (pool->first && start_connecting(pool, &err) < 0)
        while (pool->first)
            end_first_wait(pool, NULL, err.code, &err);
    pthread_mutex_unlock(&pool->mutex);
}

struct pool_stats pool_stats(struct pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    struct pool_stats stats = pool->stats;
    stats.max_conns = pool->options.max_conns;
    stats.n_open = pool->n_open - pool->n_connecting;
    stats.n_idle = pool->n_idle;
    stats.n_connecting = pool->n_connecting;
    stats.n_waiting = pool->n_waiting;
    pthread_mutex_unlock(&pool->mutex);
    return stats;
}

bool net_socket_is_quiet(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}
