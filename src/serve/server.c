/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting and stopping. What a server owns is made in one order and ended in the other: socket, metrics,
 * health, reaper, computers, workers, front threads. A stop first lets what is under way finish, then takes
 * computers and workers away, then the front. Workers are many, as most of them wait; of computers there is
 * one a core, as more would only take turns.
 */
#include "core/mem.h"
#include "net/workers.h"
#include "serve/health.h"
#include "serve/http.h"
#include "serve/listen.h"
#include "serve/reaper.h"
#include "serve/serve_priv.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define N_WORKERS        32
#define MAX_QUEUED       1024 /* beyond this, requests are turned away rather than kept waiting */
#define MAX_BODY_BYTES   ((size_t)16 * 1024 * 1024)
#define MAX_CONNECTIONS  1024
#define IDLE_TIMEOUT_SEC 30

static int cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

static void fill_defaults(struct serve_options *options)
{
    if (options->n_front_threads <= 0)
        options->n_front_threads = cores();
    if (options->n_workers <= 0)
        options->n_workers = N_WORKERS;
    if (options->max_body_bytes == 0)
        options->max_body_bytes = MAX_BODY_BYTES;
    if (options->max_connections <= 0)
        options->max_connections = MAX_CONNECTIONS;
    if (options->max_connections < options->n_front_threads)
        options->max_connections = options->n_front_threads;
    if (options->idle_timeout_sec <= 0)
        options->idle_timeout_sec = IDLE_TIMEOUT_SEC;
    if (!options->clock)
        options->clock = &clock_system;
}

/* Beyond loopback nobody is served without a key, so that there has to be one. */
static int check_reach(const struct server *server, struct err_info *reterr)
{
    bool has_keys = false;

    if (server->is_loopback)
        return 0;
    int rc = auth_has_keys(server->options.memory, server->options.clock, &has_keys, reterr);
    if (rc < 0)
        return rc;
    if (!has_keys)
        return err_set_field(reterr, ERR_FORBIDDEN, "listen",
                             "%s can be reached by others and there is no key yet; make one with `precis key "
                             "create --name NAME`, "
                             "or listen on 127.0.0.1",
                             server->options.listen);
    return 0;
}

static int open_socket(struct server *server, struct err_info *reterr)
{
    struct listen_address address;
    struct str port;

    int rc = listen_parse(server->options.listen, &address, reterr);
    if (rc < 0)
        return rc;
    server->is_loopback = address.is_loopback;
    rc = check_reach(server, reterr);
    if (rc == 0)
        rc = listen_open(&address, &server->listen_fd, server->address, sizeof server->address, reterr);
    if (rc < 0)
        return rc;
    server->hosts.is_any = address.is_any;
    server->hosts.names = server->options.hosts;
    server->hosts.n_names = server->options.n_hosts;
    (void)host_split(str_of(server->address), &server->hosts.listened, &port);
    return 0;
}

static int start_limiter(struct server *server, struct err_info *reterr)
{
    const struct serve_options *options = &server->options;
    struct limit_rate rate;

    if (!options->rate)
        return 0;
    int rc = limit_rate_parse(str_of(options->rate), &rate, reterr);
    if (rc < 0) {
        err_prefix(reterr, "limits.rate: ");
        return rc;
    }
    return limiter_new(rate, options->has_shared_limits ? options->shared : NULL, options->clock,
                       &server->limiter, reterr);
}

static int start_parts(struct server *server, struct err_info *reterr)
{
    const struct serve_options *options = &server->options;

    int rc = open_socket(server, reterr);
    if (rc == 0)
        rc = metrics_new(options->recipes, options->clock, &server->metrics, reterr);
    if (rc == 0)
        rc = health_new(options->connections, options->n_connections, options->shared, options->clock,
                        &server->health, reterr);
    if (rc == 0)
        rc = start_limiter(server, reterr);
    if (rc == 0 && options->shared)
        rc = shared_watch_new(options->shared, options->clock, &server->shared_watch, reterr);
    if (rc == 0)
        rc = reaper_new(options->clock, &server->reaper, reterr);
    if (rc == 0)
        rc = workers_new("compute", cores(), MAX_QUEUED, &server->computers, reterr);
    if (rc == 0)
        rc = workers_new("serve", options->n_workers, MAX_QUEUED, &server->workers, reterr);
    if (rc < 0)
        return rc;
    auth_init(&server->auth, options->memory, options->clock, options->keyless, server->is_loopback);
    build_engine_observe(options->engine, metrics_section, server->metrics);
    return http_start(server, reterr);
}

int server_start(const struct serve_options *options, struct server **ret_server, struct err_info *reterr)
{
    struct server *server = mem_calloc(1, sizeof *server);

    if (!server)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    server->options = *options;
    fill_defaults(&server->options);
    server->listen_fd = -1;
    pthread_mutex_init(&server->hand_over_lock, NULL);
    pthread_mutex_init(&server->drain_lock, NULL);
    pthread_cond_init(&server->drained, NULL);
    server->id_seed = (uint64_t)clock_wall_us(server->options.clock) * 0x9e3779b97f4a7c15;
    int rc = start_parts(server, reterr);
    if (rc < 0) {
        server_stop(server, 0);
        return rc;
    }
    *ret_server = server;
    return 0;
}

const char *server_address(const struct server *server)
{
    return server->address;
}

void server_request_ended(struct server *server)
{
    if (!atomic_load(&server->is_draining))
        return;
    pthread_mutex_lock(&server->drain_lock);
    pthread_cond_signal(&server->drained);
    pthread_mutex_unlock(&server->drain_lock);
}

static void drain(struct server *server, int drain_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += drain_ms / 1000;
    until.tv_nsec += (long)(drain_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&server->drain_lock);
    while (metrics_requests_active(server->metrics) > 0)
        if (pthread_cond_timedwait(&server->drained, &server->drain_lock, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&server->drain_lock);
}

struct server *server_stop(struct server *server, int drain_ms)
{
    if (!server)
        return NULL;
    atomic_store(&server->is_draining, true);
    http_quiesce(server);
    if (server->daemon)
        drain(server, drain_ms);
    pthread_mutex_lock(&server->hand_over_lock);
    server->is_stopping = true;
    pthread_mutex_unlock(&server->hand_over_lock);
    server->computers = workers_free(server->computers); /* which may leave something to the workers */
    server->workers = workers_free(server->workers);
    http_stop(server);
    if (server->metrics)
        build_engine_observe(server->options.engine, NULL, NULL);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    server->reaper = reaper_free(server->reaper);
    server->limiter = limiter_free(server->limiter);
    server->shared_watch = shared_watch_free(server->shared_watch);
    server->health = health_free(server->health);
    server->metrics = metrics_free(server->metrics);
    pthread_cond_destroy(&server->drained);
    pthread_mutex_destroy(&server->drain_lock);
    pthread_mutex_destroy(&server->hand_over_lock);
    return mem_free(server);
}
