/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded set of connections to one server. One that is idle is given at once; else whoever wants one waits
 * for a descriptor while another is made on a worker or comes back. An attempt to connect outlives the one
 * who wanted it: its connection serves the next. Only whole connections come back: one with an answer
 * outstanding is dropped. Thread-safe; a wait belongs to one thread.
 */
#ifndef PRECIS_NET_POOL_H
#define PRECIS_NET_POOL_H

#include "core/clock.h"
#include "core/err.h"
#include "net/workers.h"

#include <stdbool.h>
#include <stddef.h>

struct pool_ops {
    /* A new connection, ready for questions. On a worker; ends by deadline_us (monotonic). */
    int (*on_connect)(void *server, int64_t deadline_us, void **ret_conn, struct err_info *reterr);
    /* True when an idle one has said nothing unasked and is not closed. Does not wait. */
    bool (*is_alive)(void *server, void *conn);
    void (*on_close)(void *server, void *conn); /* does not wait */
};

struct pool_options {
    const struct pool_ops *ops;
    void *server;     /* handed to ops; outlives the pool */
    const char *name; /* of the connection, for messages; copied */
    size_t max_conns;
    int64_t connect_timeout_us;
    int64_t idle_timeout_us; /* one that was idle for longer is closed before it is used again */
    struct workers *workers; /* outlives the pool */
    const struct clock *clock;
};

struct pool;

int pool_new(const struct pool_options *options, struct pool **ret_pool, struct err_info *reterr);
/* Closes what is idle, after attempts under way have ended. Nothing may be taken or waited for. Accepts NULL;
 * returns NULL. */
struct pool *pool_free(struct pool *pool);

/* Somebody waiting; in the owner's memory. */
struct pool_wait {
    int fd; /* readable when the wait is over */
    /* the pool's own */
    struct pool *pool;
    struct pool_wait *next, *prev;
    void *conn;
    int result;
    struct err_info err;
    bool is_over;
    int64_t since_us;
};

/* 0 with *ret_conn; 1 the wait has begun, to be ended by one of the next two; negative: no. */
int pool_take(struct pool *pool, struct pool_wait *wait, void **ret_conn, struct err_info *reterr);
/* 0 with *ret_conn, 1 not yet, negative: no connection can be had (ERR_UNAVAILABLE mostly). Ends the wait
 * unless 1. */
int pool_wait_take(struct pool_wait *wait, void **ret_conn, struct err_info *reterr);
void pool_wait_cancel(struct pool_wait *wait);

/* A whole connection comes back. */
void pool_give(struct pool *pool, void *conn);
/* A broken one, or one with an answer outstanding, is closed. */
void pool_drop(struct pool *pool, void *conn);
/* Closes all that is idle: the server was seen to restart. */
void pool_drop_idle(struct pool *pool);

struct pool_stats {
    size_t max_conns, n_open, n_idle, n_connecting, n_waiting;
    uint64_t n_connects, n_connect_failures, n_drops, n_takes, n_waits;
    int64_t waited_us; /* all waits together */
};
struct pool_stats pool_stats(struct pool *pool);

/* True when nothing is to be read from the socket and its peer has not closed it: how most kinds answer
 * is_alive. */
bool net_socket_is_quiet(int fd);

#endif
