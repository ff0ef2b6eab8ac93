/* SPDX-License-Identifier: Apache-2.0
 *
 * The server: HTTP in front of the engine and the memory. Front threads (one a core) parse, authenticate and
 * answer what is at hand; what takes some computing goes to a computer (one a core), whatever may wait to a
 * worker. Both answer by resuming the connection.
 */
#ifndef PRECIS_SERVE_SERVE_H
#define PRECIS_SERVE_SERVE_H

#include "build/build.h"
#include "core/err.h"
#include "memory/memory.h"
#include "store/store.h"

struct sessions;

enum serve_keyless {
    KEYLESS_AUTO,  /* without a key while none exists, and on loopback only */
    KEYLESS_ALLOW, /* without a key on loopback, even when keys exist */
    KEYLESS_NEVER,
};

/* All borrowed; they outlive the server. */
struct serve_options {
    const char *listen; /* "127.0.0.1:8080", "[::1]:8080", "127.0.0.1:0" for any free port */
    struct build_engine *engine;
    struct memory *memory;
    struct store *store;
    struct source *const *connections; /* for /readyz */
    size_t n_connections;
    const struct recipe_book *recipes;
    const struct clock *clock;
    enum serve_keyless keyless;
    const char *const *hosts; /* further names this server may be called by; loopback names are known */
    size_t n_hosts;
    int n_front_threads;   /* 0: one a core */
    int n_workers;         /* 0: 32 */
    size_t max_body_bytes; /* 0: 16 MiB */
    int max_connections;   /* 0: 1024 */
    int idle_timeout_sec;  /* 0: 30 */
    const char *rate;      /* requests of a user and route: "600/m"; NULL: as many as come */
    struct sessions *sessions;
    struct redis_client *shared; /* NULL: there is no shared tier */
    bool has_shared_limits;      /* rates hold for all servers of it together */
};

struct server;

/* Binds and serves. ERR_INVALID for a bad address, ERR_FORBIDDEN for one beyond loopback while there is no
 * key, ERR_UNAVAILABLE when the port is taken. */
int server_start(const struct serve_options *options, struct server **ret_server, struct err_info *reterr);
/* "127.0.0.1:8080" with the port really bound. */
const char *server_address(const struct server *server);
/* Takes no new connections, answers what is under way for up to drain_ms, then ends. Accepts NULL; returns
 * NULL. */
struct server *server_stop(struct server *server, int drain_ms);

#endif
