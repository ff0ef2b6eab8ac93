/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool: never more than its limit, everybody who waits is served or told, nothing is lost when those who
 * wait give up, a connection that has gone stale is not given out.
 */
#include "net/pool.h"

#include "../fail_mem.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct conn {
    atomic_bool is_dead;
    atomic_int n_users;
};

/* A server whose connecting the test can hold and fail. */
struct server {
    sem_t may_connect;
    bool is_held;
    atomic_int n_open, n_connects;
    atomic_bool is_down;
};

static int server_connect(void *arg, int64_t deadline_us, void **ret_conn, struct err_info *reterr)
{
    struct server *server = arg;
    (void)deadline_us;
    atomic_fetch_add(&server->n_connects, 1);
    if (server->is_held)
        sem_wait(&server->may_connect);
    if (atomic_load(&server->is_down))
        return err_set(reterr, ERR_UNAVAILABLE, "connection refused");
    *ret_conn = calloc(1, sizeof(struct conn));
    atomic_fetch_add(&server->n_open, 1);
    return 0;
}

static bool server_is_alive(void *server, void *conn)
{
    (void)server;
    return !atomic_load(&((struct conn *)conn)->is_dead);
}

static void server_close(void *arg, void *conn)
{
    atomic_fetch_sub(&((struct server *)arg)->n_open, 1);
    free(conn);
}

static const struct pool_ops server_ops = {server_connect, server_is_alive, server_close};

struct world {
    struct server server;
    struct workers *workers;
    struct clock_manual clock;
    struct pool *pool;
};

static int world_open(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    sem_init(&world->server.may_connect, 0, 0);
    clock_manual_init(&world->clock, 0, 0);
    assert_int_equal(workers_new("test", 4, 64, &world->workers, NULL), 0);
    const struct pool_options options = {
        .ops = &server_ops,
        .server = &world->server,
        .name = "main",
        .max_conns = 3,
        .connect_timeout_us = US_PER_SEC,
        .idle_timeout_us = 60 * US_PER_SEC,
        .workers = world->workers,
        .clock = &world->clock.base,
    };
    assert_int_equal(pool_new(&options, &world->pool, NULL), 0);
    *state = world;
    return 0;
}

static int world_close(void **state)
{
    struct world *world = *state;
    pool_free(world->pool);
    assert_int_equal(atomic_load(&world->server.n_open), 0);
    workers_free(world->workers);
    sem_destroy(&world->server.may_connect);
    free(world);
    return 0;
}

static int wait_for(struct pool_wait *wait, void **ret_conn, struct err_info *reterr)
{
    struct pollfd fd = {.fd = wait->fd, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 20000), 1);
    return pool_wait_take(wait, ret_conn, reterr);
}

static void *take(struct pool *pool)
{
    struct pool_wait wait;
    void *conn = NULL;
    int res = pool_take(pool, &wait, &conn, NULL);
    assert_true(res >= 0);
    if (res == 1)
        assert_int_equal(wait_for(&wait, &conn, NULL), 0);
    assert_non_null(conn);
    return conn;
}

static void the_one_used_last_is_given_again(void **state)
{
    struct world *world = *state;
    void *first = take(world->pool), *second = take(world->pool);

    pool_give(world->pool, first);
    pool_give(world->pool, second);
    assert_ptr_equal(take(world->pool), second);
    pool_give(world->pool, second);
    assert_int_equal(atomic_load(&world->server.n_connects), 2);
    struct pool_stats stats = pool_stats(world->pool);
    assert_int_equal(stats.n_open, 2);
    assert_int_equal(stats.n_idle, 2);
    assert_int_equal(stats.n_takes, 3);
}

static void a_full_pool_serves_those_who_wait_in_their_order(void **state)
{
    struct world *world = *state;
    void *conns[3], *conn = NULL;
    struct pool_wait first, second;

    for (int i = 0; i < 3; i++)
        conns[i] = take(world->pool);
    assert_int_equal(pool_take(world->pool, &first, &conn, NULL), 1);
    assert_int_equal(pool_take(world->pool, &second, &conn, NULL), 1);
    assert_int_equal(pool_wait_take(&first, &conn, NULL), 1);
    pool_give(world->pool, conns[1]);
    assert_int_equal(pool_wait_take(&second, &conn, NULL), 1);
    assert_int_equal(wait_for(&first, &conn, NULL), 0);
    assert_ptr_equal(conn, conns[1]);
    pool_give(world->pool, conn);
    assert_int_equal(wait_for(&second, &conn, NULL), 0);
    assert_int_equal(atomic_load(&world->server.n_connects), 3);
    for (int i = 0; i < 3; i++)
        pool_give(world->pool, conns[i]);
}

static void who_gives_up_loses_no_connection(void **state)
{
    struct world *world = *state;
    void *conn = NULL;
    struct pool_wait wait;

    world->server.is_held = true;
    assert_int_equal(pool_take(world->pool, &wait, &conn, NULL), 1);
    pool_wait_cancel(&wait); /* while it is being made */
    assert_int_equal(pool_take(world->pool, &wait, &conn, NULL), 1);
    sem_post(&world->server.may_connect);
    struct pollfd fd = {.fd = wait.fd, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 20000), 1);
    pool_wait_cancel(&wait); /* after it was handed over */
    conn = take(world->pool);
    assert_int_equal(atomic_load(&world->server.n_connects), 1);
    pool_give(world->pool, conn);
}

static void a_server_that_is_down_is_told_to_all_who_wait(void **state)
{
    struct world *world = *state;
    struct pool_wait waits[2];
    struct err_info err = {0};
    void *conn = NULL;

    atomic_store(&world->server.is_down, true);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pool_take(world->pool, &waits[i], &conn, NULL), 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(wait_for(&waits[i], &conn, &err), ERR_UNAVAILABLE);
        assert_string_equal(err.message, "connection refused");
    }
    atomic_store(&world->server.is_down, false);
    pool_give(world->pool, take(world->pool));
}

static void a_stale_or_old_one_is_closed_instead_of_given(void **state)
{
    struct world *world = *state;
    struct conn *conn = take(world->pool);

    pool_give(world->pool, conn);
    atomic_store(&conn->is_dead, true);
    conn = take(world->pool);
    assert_int_equal(atomic_load(&world->server.n_connects), 2);
    pool_give(world->pool, conn);
    clock_manual_advance(&world->clock, 61 * US_PER_SEC);
    conn = take(world->pool);
    assert_int_equal(atomic_load(&world->server.n_connects), 3);
    assert_int_equal(atomic_load(&world->server.n_open), 1);
    pool_drop(world->pool, conn);
    assert_int_equal(atomic_load(&world->server.n_open), 0);
}

static void dropping_one_makes_room_for_who_waits(void **state)
{
    struct world *world = *state;
    void *conns[3], *conn = NULL;
    struct pool_wait wait;

    for (int i = 0; i < 3; i++)
        conns[i] = take(world->pool);
    assert_int_equal(pool_take(world->pool, &wait, &conn, NULL), 1);
    pool_drop(world->pool, conns[0]);
    assert_int_equal(wait_for(&wait, &conn, NULL), 0);
    pool_give(world->pool, conn);
    pool_give(world->pool, conns[1]);
    pool_give(world->pool, conns[2]);
}

/* ---- many threads ---- */

struct user {
    struct world *world;
    unsigned seed;
    const char *trouble; /* NULL: none */
    pthread_t thread;
};

static void *user_main(void *arg)
{
    struct user *user = arg;
    struct pool *pool = user->world->pool;

    for (int i = 0; i < 400; i++) {
        struct pool_wait wait;
        struct conn *conn = NULL;
        int res = pool_take(pool, &wait, (void **)&conn, NULL);
        if (res == 1 && rand_r(&user->seed) % 3 == 0) {
            pool_wait_cancel(&wait);
            continue;
        }
        if (res == 1)
            res = wait_for(&wait, (void **)&conn, NULL);
        if (res < 0) {
            user->trouble = "no connection";
            return NULL;
        }
        if (atomic_fetch_add(&conn->n_users, 1) != 0)
            user->trouble = "shared with another";
        if (rand_r(&user->seed) % 4 == 0)
            sched_yield();
        atomic_fetch_sub(&conn->n_users, 1);
        if (rand_r(&user->seed) % 10 == 0)
            pool_drop(pool, conn);
        else
            pool_give(pool, conn);
    }
    return NULL;
}

static void many_threads_never_share_one_nor_exceed_the_limit(void **state)
{
    struct world *world = *state;
    struct user users[8];

    for (unsigned i = 0; i < 8; i++) {
        users[i] = (struct user){.world = world, .seed = i + 1};
        assert_int_equal(pthread_create(&users[i].thread, NULL, user_main, &users[i]), 0);
    }
    for (int i = 0; i < 2000; i++) {
        assert_true(atomic_load(&world->server.n_open) <= 3);
        sched_yield();
    }
    for (unsigned i = 0; i < 8; i++) {
        pthread_join(users[i].thread, NULL);
        assert_null(users[i].trouble);
    }
    assert_int_equal(pool_stats(world->pool).n_waiting, 0);
}

static void quiet_sockets_are_told_from_those_that_spoke_or_closed(void **state)
{
    (void)state;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_true(net_socket_is_quiet(fds[0]));
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_false(net_socket_is_quiet(fds[0]));
    assert_true(net_socket_is_quiet(fds[1]));
    close(fds[0]);
    assert_false(net_socket_is_quiet(fds[1]));
    close(fds[1]);
}

static void without_memory_there_is_no_pool_and_no_leak(void **state)
{
    struct world *world = *state;
    const struct pool_options options = {.ops = &server_ops,
                                         .server = &world->server,
                                         .name = "main",
                                         .max_conns = 3,
                                         .workers = world->workers,
                                         .clock = &world->clock.base};
    struct pool *pool = NULL;

    for (long n = 1; n <= 3; n++) {
        fail_mem_at(n);
        assert_int_equal(pool_new(&options, &pool, NULL), ERR_NOMEM);
        assert_false(fail_mem_is_pending());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_one_used_last_is_given_again, world_open, world_close),
        cmocka_unit_test_setup_teardown(a_full_pool_serves_those_who_wait_in_their_order, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(who_gives_up_loses_no_connection, world_open, world_close),
        cmocka_unit_test_setup_teardown(a_server_that_is_down_is_told_to_all_who_wait, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_stale_or_old_one_is_closed_instead_of_given, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(dropping_one_makes_room_for_who_waits, world_open, world_close),
        cmocka_unit_test_setup_teardown(many_threads_never_share_one_nor_exceed_the_limit, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(without_memory_there_is_no_pool_and_no_leak, world_open, world_close),
        cmocka_unit_test(quiet_sockets_are_told_from_those_that_spoke_or_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
