/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of serve/ share: the request, the route, the reply. Never leaves the folder.
 *
 * A request lives in its connection and passes through the stages of http.c. It belongs to one thread at a
 * time: to the connection's front thread, or, while the connection is suspended, to the worker or computer
 * that has it.
 */
#ifndef PRECIS_SERVE_SERVE_PRIV_H
#define PRECIS_SERVE_SERVE_PRIV_H

#include "core/arena.h"
#include "core/json.h"
#include "serve/auth.h"
#include "serve/head.h"
#include "serve/host.h"
#include "serve/limit.h"
#include "serve/metrics.h"
#include "serve/reply.h"
#include "serve/serve.h"
#include "serve/shared.h"
#include "serve/uri.h"

#include <pthread.h>
#include <stdatomic.h>

struct MHD_Connection;
struct MHD_Daemon;
struct health;
struct reaper;

#define SERVE_MAX_JSON_DEPTH   32
#define SERVE_MAX_TARGET_BYTES 8192 /* path and query: what proxies let through as well */
#define SERVE_ID_SIZE          65
/* An arena's cap: what a list of 1,000 large rows may need. */
#define SERVE_REQUEST_BYTES (64 * 1024 * 1024)

struct server {
    struct serve_options options; /* defaults filled in */
    int listen_fd;
    char address[96];
    bool is_loopback;
    struct host_set hosts;
    struct auth auth;
    struct metrics *metrics;
    struct health *health;
    struct reaper *reaper;
    struct shared_watch *shared_watch;   /* NULL: there is no shared tier */
    struct limiter *limiter;             /* NULL: no limit */
    struct workers *workers, *computers; /* for what may wait; for what does not */
    struct MHD_Daemon *daemon;
    uint64_t id_seed;
    /* Whose request was the last that a front thread could have computed, and when (http.c). */
    _Atomic(const struct MHD_Connection *) last_conn;
    atomic_int_fast64_t last_us;
    atomic_bool is_draining;        /* answers ask the client to close */
    pthread_mutex_t hand_over_lock; /* guards is_stopping: nothing is handed to workers once it is set */
    bool is_stopping;
    pthread_mutex_t drain_lock;
    pthread_cond_t drained; /* a request ended while draining */
};

/* Tells a stop that waits that one request less is under way. */
void server_request_ended(struct server *server);

enum http_method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_OTHER };
#define N_METHODS METHOD_OTHER

struct request;

#define PEEK_COMPUTE 2

/* One row of the table in route.c. */
struct route {
    enum http_method method; /* HEAD is answered as GET */
    const char *path;        /* "/memory/{id}": each {name} takes one segment */
    int scope;               /* of the caller's key; 0: open to everybody */
    bool is_open_on_loopback;
    bool may_wait;              /* runs on a worker */
    bool takes_body;            /* a JSON object */
    const char *const *params;  /* known query parameters, ended by NULL */
    const char *const *members; /* known members of the body; NULL: the handler checks them */
    /* Tried first on the front thread, must not wait: 0 answered, 1 on_request has to, PEEK_COMPUTE:
     * on_compute most likely can; negative as on_request. NULL: there is nothing to look at. */
    int (*on_peek)(struct request *req, struct err_info *reterr);
    /* Computes the answer in a fraction of a millisecond, without waiting; returns as on_peek, but not
     * PEEK_COMPUTE. NULL if there is no such way. */
    int (*on_compute)(struct request *req, struct err_info *reterr);
    /* Fills req->reply. A negative return becomes the error reply. */
    int (*on_request)(struct request *req, struct err_info *reterr);
};

#define ROUTE_MAX_ARGS 2

/* The table, ended by a row without a path. */
extern const struct route serve_routes[];
const char *route_method_name(enum http_method method);
enum http_method route_method_of(const char *name, bool *ret_is_head);
/* 0 with *ret_route; ERR_NOT_FOUND; ERR_UNSUPPORTED when the path is known with other methods only, their
 * bits in *ret_allowed. ret_args gets what the {} stood for. */
int route_find(const struct uri *uri, enum http_method method, const struct route **ret_route,
               struct str ret_args[ROUTE_MAX_ARGS], unsigned *ret_allowed);
/* For tests: whether a path pattern takes these segments. */
bool route_path_matches(const char *pattern, const struct uri *uri, struct str ret_args[ROUTE_MAX_ARGS]);

enum request_stage {
    STAGE_HEADERS,  /* nothing looked at yet */
    STAGE_AUTH,     /* suspended: a worker asks the store for the key */
    STAGE_AUTHED,   /* the worker is back */
    STAGE_BODY,     /* collecting the body */
    STAGE_WORK,     /* suspended: a worker runs the handler */
    STAGE_ANSWERED, /* the reply is ready to be queued */
    STAGE_QUEUED,   /* handed to the library */
};

struct request {
    struct server *server;
    struct MHD_Connection *conn;
    enum request_stage stage;
    bool is_refused; /* by the worker that asked for the key */
    bool must_close; /* the connection is out of step */
    struct arena arena;
    struct str target; /* as sent */
    char target_room[256];
    bool is_target_lost; /* no memory for it */
    struct head head;
    struct uri uri;
    enum http_method method;
    bool is_head;
    const struct route *route; /* NULL until found */
    struct str args[ROUTE_MAX_ARGS];
    struct caller caller;
    struct buf body;
    struct json *json;            /* the body's tree, once parsed */
    struct build_request context; /* POST /v1/context, once read */
    bool has_context;
    bool has_verdict; /* of the limiter */
    struct limit_verdict verdict;
    char id[SERVE_ID_SIZE];
    int64_t started_us, asked_us; /* monotonic: its first line, its last byte */
    struct reply reply;
};

/* The caller's tenant and the user named; checks the user. */
int request_scope(struct request *req, struct str user, struct scope *ret_scope, struct err_info *reterr);

/* The limiter's verdict on a request whose body is there, on a front thread: 0 allowed, 1 a worker has to
 * ask, by request_limit_wait, ERR_LIMIT refused: the reply stands. */
int request_limit(struct request *req);
/* The same on a worker: 0 or ERR_LIMIT. */
int request_limit_wait(struct request *req);

/* Handlers. */
int context_peek(struct request *req, struct err_info *reterr);
int context_compute(struct request *req, struct err_info *reterr);
int context_build(struct request *req, struct err_info *reterr);
int recipes_list(struct request *req, struct err_info *reterr);
int recipes_show(struct request *req, struct err_info *reterr);
int memory_add_post(struct request *req, struct err_info *reterr);
int memory_search_compute(struct request *req, struct err_info *reterr);
int memory_search_get(struct request *req, struct err_info *reterr);
int memory_list_get(struct request *req, struct err_info *reterr);
int memory_item_get(struct request *req, struct err_info *reterr);
int memory_item_patch(struct request *req, struct err_info *reterr);
int memory_item_delete(struct request *req, struct err_info *reterr);
int memory_forget_post(struct request *req, struct err_info *reterr);
int conversation_post(struct request *req, struct err_info *reterr);
int conversation_get(struct request *req, struct err_info *reterr);
int preference_post(struct request *req, struct err_info *reterr);
int preference_one_get(struct request *req, struct err_info *reterr);
int preference_all_get(struct request *req, struct err_info *reterr);
int preference_named_delete(struct request *req, struct err_info *reterr);
int preference_path_delete(struct request *req, struct err_info *reterr);
int session_one_get(struct request *req, struct err_info *reterr);
int session_one_put(struct request *req, struct err_info *reterr);
int session_one_patch(struct request *req, struct err_info *reterr);
int session_one_delete(struct request *req, struct err_info *reterr);
int cache_stats_get(struct request *req, struct err_info *reterr);
int cache_clear_delete(struct request *req, struct err_info *reterr);
int health_live_get(struct request *req, struct err_info *reterr);
int health_ready_get(struct request *req, struct err_info *reterr);
int metrics_get(struct request *req, struct err_info *reterr);
int openapi_get(struct request *req, struct err_info *reterr);
int hello_get(struct request *req, struct err_info *reterr);

#endif
