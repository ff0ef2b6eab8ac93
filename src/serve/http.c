/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a request between libmicrohttpd's callbacks:
 *
 *     HEADERS -> BODY -> (peek) -> ANSWERED -> QUEUED        answered on the front thread
 *     HEADERS -> AUTH ~> AUTHED -> BODY ...                  the key is asked of the store by a worker
 *     BODY -> WORK ~> ANSWERED -> QUEUED                     the handler runs on a worker
 *     HEADERS -> ANSWERED -> QUEUED                          refused; with a body, before that is read
 *
 * On ~> the connection is suspended and belongs to the worker, which resumes it as its last act. The library
 * calls again in the state it was suspended in: the header call for AUTHED, the final call for ANSWERED.
 */
#include "serve/http.h"

#include "core/log.h"
#include "core/mem.h"
#include "net/workers.h"
#include "serve/check.h"
#include "serve/reaper.h"

#include <microhttpd.h>
#include <stdio.h>
#include <unistd.h>

#define CONNECTION_BYTES ((size_t)16 * 1024) /* all headers of a request, and its reading buffer */
#define READ_STEP_BYTES  ((size_t)4096)
#define KEEP_BODY_BYTES  ((size_t)16 * 1024) /* a larger buffer goes when its request ends */
#define US_PER_BYTE      64                  /* a client slower than 16 KB a second is too slow */
/* Before 1.0 the library's own refusals of a missing Host come out with their headers twice; both of its
 * strict checks are made here anyway (head_check, uri_parse). Later versions check more. */
#define STRICTNESS    (MHD_VERSION >= 0x01000000 ? 1 : 0)
#define IDLE_GRACE_US (5 * US_PER_SEC) /* the library ends idle connections; this is for dripping ones */

struct conn {
    struct reaper_watch watch;
    struct server *server;
    uint64_t id_state;
    struct request req;
};

static struct conn *conn_of(struct request *req)
{
    return (struct conn *)((char *)req - offsetof(struct conn, req));
}

static int64_t now_us(const struct server *server)
{
    return clock_mono_us(server->options.clock);
}

static void give_time(struct request *req, int64_t us)
{
    atomic_store_explicit(&conn_of(req)->watch.until_us, us, memory_order_relaxed);
}

static int64_t idle_us(const struct server *server)
{
    return server->options.idle_timeout_sec * US_PER_SEC;
}

/* ---- connections ---- */

static void open_connection(struct server *server, struct MHD_Connection *connection, void **socket_context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct conn *conn = info ? mem_calloc(1, sizeof *conn) : NULL;

    *socket_context = conn; /* without one, its requests are turned away */
    if (!conn)
        return;
    conn->server = server;
    conn->watch.fd = info->connect_fd;
    conn->id_state = (uint64_t)now_us(server) ^ (uint64_t)(uintptr_t)conn << 20 ^ server->id_seed;
    buf_init(&conn->req.body, server->options.max_body_bytes);
    reply_init(&conn->req.reply);
    give_time(&conn->req, now_us(server) + idle_us(server) + IDLE_GRACE_US);
    reaper_add(server->reaper, &conn->watch);
    metrics_connection(server->metrics, 1);
}

static void close_connection(struct server *server, void **socket_context)
{
    struct conn *conn = *socket_context;

    if (!conn)
        return;
    reaper_remove(server->reaper, &conn->watch);
    metrics_connection(server->metrics, -1);
    buf_done(&conn->req.body);
    reply_done(&conn->req.reply);
    *socket_context = mem_free(conn);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        open_connection(cls, connection, socket_context);
    else
        close_connection(cls, socket_context);
}

/* ---- beginning and end of a request ---- */

/* splitmix64: ids need to differ, not to be secret. */
static void make_id(struct conn *conn)
{
    uint64_t z = conn->id_state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^= z >> 31;
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++)
        conn->req.id[i] = digits[z >> (4 * i) & 15];
    conn->req.id[16] = '\0';
}

static void keep_target(struct request *req, const char *target)
{
    struct str text = str_of(target ? target : "");

    req->is_target_lost = false;
    if (text.len <= sizeof req->target_room) {
        memcpy(req->target_room, text.ptr, text.len);
        req->target = str_make(req->target_room, text.len);
        return;
    }
    req->target = arena_copy(&req->arena, text);
    req->is_target_lost = arena_error(&req->arena) != 0;
}

/* The library would now take the query apart on its own, and with more parameters than its pool has room for
 * it never answers (0.9.75). Ours is read from the copy: what it finds in its buffer, which it changes in
 * place anyway, is an empty query. */
static void hide_query(const char *target)
{
    char *question = target ? strchr((char *)(uintptr_t)target, '?') : NULL;
    if (question && question[1])
        question[1] = '\0';
}

/* The request line is there. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct server *server = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct conn *conn = info ? info->socket_context : NULL;

    if (!conn)
        return NULL;
    struct request *req = &conn->req;
    req->server = server;
    req->conn = connection;
    req->stage = STAGE_HEADERS;
    req->is_refused = false;
    req->must_close = false;
    req->route = NULL;
    req->has_context = false;
    req->has_verdict = false;
    req->json = NULL;
    arena_init(&req->arena, SERVE_REQUEST_BYTES);
    reply_reset(&req->reply);
    buf_clear(&req->body);
    make_id(conn);
    keep_target(req, target);
    hide_query(target);
    req->started_us = now_us(server);
    give_time(req, req->started_us + idle_us(server));
    metrics_request_began(server->metrics);
    return req;
}

static void log_access(const struct request *req, int64_t took_us)
{
    if (!log_is_on(LOG_DEBUG))
        return;
    /* The route, not the target: that may hold what somebody asked or remembers. */
    log_event(LOG_DEBUG, "request", LOG_CSTR("request_id", req->id),
              LOG_CSTR("method", route_method_name(req->method)),
              LOG_CSTR("route", req->route ? req->route->path : ""), LOG_INT("status", req->reply.status),
              LOG_INT("took_us", took_us), LOG_END);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct server *server = cls;
    struct request *req = *con_cls;
    (void)connection, (void)code;

    if (!req)
        return;
    int64_t ended_us = now_us(server);
    log_access(req, ended_us - req->started_us);
    req->json = json_free(req->json);
    reply_reset(&req->reply);
    arena_done(&req->arena);
    if (req->body.cap > KEEP_BODY_BYTES) {
        buf_done(&req->body);
        buf_init(&req->body, server->options.max_body_bytes);
    }
    give_time(req, ended_us + idle_us(server) + IDLE_GRACE_US);
    *con_cls = NULL;
    metrics_request(server->metrics, req->route ? (int)(req->route - serve_routes) : -1,
                    req->stage == STAGE_QUEUED ? req->reply.status : 0, ended_us - req->started_us);
    server_request_ended(server);
}

/* ---- replies ---- */

/* The library sends from the reply's own bytes, which stay until the request is completed. NULL when there is
 * no memory. */
static struct MHD_Response *make_response(struct reply *reply)
{
    struct str text = reply->borrowed.ptr ? reply->borrowed : buf_str(&reply->body);

    if (!text.ptr)
        return NULL;
    return MHD_create_response_from_buffer(text.len, (void *)(uintptr_t)text.ptr, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *make_last_resort(struct reply *reply)
{
    static char text[] = "{\"error\":{\"code\":\"out_of_memory\",\"message\":\"the server is out of memory\","
                         "\"field\":null,\"request_id\":null}}\n";
    reply->status = 503;
    reply->content_type = TYPE_JSON;
    return MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
}

static bool add_number(struct MHD_Response *response, const char *name, int64_t value)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%lld", (long long)value);
    return MHD_add_response_header(response, name, digits) == MHD_YES;
}

/* Where the caller stands with its limit; a wait is told in seconds, rounded up, so that who keeps to it is
 * not refused again. */
static bool add_limit(const struct request *req, struct MHD_Response *response)
{
    const struct limit_verdict *verdict = &req->verdict;
    int64_t wait_sec = (verdict->wait_us + US_PER_SEC - 1) / US_PER_SEC;

    return add_number(response, "X-RateLimit-Limit", limiter_rate(req->server->limiter).n) &&
           add_number(response, "X-RateLimit-Remaining", verdict->n_left > 0 ? verdict->n_left : 0) &&
           add_number(response, "X-RateLimit-Reset", wait_sec) &&
           (verdict->is_allowed || add_number(response, "Retry-After", wait_sec > 0 ? wait_sec : 1));
}

static bool add_headers(struct request *req, struct MHD_Response *response)
{
    const struct reply *reply = &req->reply;
    bool is_good = MHD_add_response_header(response, "Content-Type", reply->content_type) == MHD_YES &&
                   MHD_add_response_header(response, "X-Request-Id", req->id) == MHD_YES;

    for (size_t i = 0; i < reply->n_headers; i++)
        is_good = is_good && MHD_add_response_header(response, reply->headers[i].name,
                                                     reply->headers[i].value) == MHD_YES;
    if (req->has_verdict)
        is_good = is_good && add_limit(req, response);
    if (req->must_close || atomic_load_explicit(&req->server->is_draining, memory_order_relaxed))
        is_good = is_good && MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    return is_good;
}

static enum MHD_Result queue_reply(struct request *req)
{
    struct reply *reply = &req->reply;

    if (!reply->borrowed.ptr && buf_error(&reply->body)) {
        struct err_info err = {.code = buf_error(&reply->body),
                               .message = "the answer does not fit into memory"};
        reply_failure(req, err.code, &err);
    }
    size_t len = reply->borrowed.ptr ? reply->borrowed.len : reply->body.len;
    give_time(req, now_us(req->server) + idle_us(req->server) + (int64_t)len * US_PER_BYTE);
    struct MHD_Response *response = make_response(reply);
    if (!response)
        response = make_last_resort(reply);
    if (!response)
        return MHD_NO;
    enum MHD_Result result = MHD_NO;
    if (add_headers(req, response))
        result = MHD_queue_response(req->conn, reply->status, response);
    MHD_destroy_response(response);
    req->stage = STAGE_QUEUED;
    return result;
}

/* ---- headers ---- */

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                 const char *value, size_t value_len)
{
    (void)kind;
    head_add(cls, str_make(name, name_len), str_make(value, value_len));
    return MHD_YES;
}

/* The answer to "who is calling" is there: on with the request, or not. */
static void admit(struct request *req, int rc, const struct err_info *err)
{
    if (rc == 0 && (req->route->scope & ~req->caller.scopes))
        reply_error(req, 403, err_name(ERR_FORBIDDEN), NULL, "the key lacks the scope for this");
    else if (rc < 0)
        reply_failure(req, rc, err);
    else if (check_shape(req)) {
        req->stage = STAGE_BODY;
        return;
    }
    req->stage = STAGE_ANSWERED;
}

static bool is_open_route(const struct request *req)
{
    const struct route *route = req->route;
    return route->scope == 0 ||
           (route->is_open_on_loopback && req->server->is_loopback && req->head.n_authorization == 0);
}

static void ask_on_worker(void *arg)
{
    struct request *req = arg;
    struct err_info err = {0};

    int rc = auth_ask(&req->server->auth, req->head.authorization, &req->arena, &req->caller, &err);
    admit(req, rc, &err);
    req->is_refused = req->stage == STAGE_ANSWERED;
    req->stage = STAGE_AUTHED;
    MHD_resume_connection(req->conn);
}

static void reply_busy(struct request *req)
{
    struct err_info err = {0};
    (void)err_set(&err, ERR_UNAVAILABLE, "the server is too busy to take this on");
    reply_failure(req, ERR_UNAVAILABLE, &err);
    req->stage = STAGE_ANSWERED;
}

/* Suspends the connection and hands the request to a worker. True: it is the worker's, or will be called for
 * again; leave it alone. False: turned away, the reply stands. */
static bool hand_over(struct request *req, struct workers *workers, enum request_stage stage, workers_fn fn)
{
    struct server *server = req->server;
    struct err_info err = {.code = ERR_UNAVAILABLE, .message = "the server is stopping"};

    pthread_mutex_lock(&server->hand_over_lock);
    bool is_stopping = server->is_stopping;
    int rc = ERR_CANCELLED;
    if (!is_stopping) {
        req->stage = stage;
        MHD_suspend_connection(req->conn);
        rc = workers_submit(workers, fn, req);
    }
    pthread_mutex_unlock(&server->hand_over_lock);
    if (rc == 0)
        return true;
    if (is_stopping) {
        reply_failure(req, ERR_UNAVAILABLE, &err);
        req->stage = STAGE_ANSWERED;
        return false;
    }
    reply_busy(req);
    MHD_resume_connection(req->conn);
    return true;
}

/* After the header call: a refused request with a body is answered now, which makes the library close the
 * connection instead of reading on; one without is answered in the final call, and the connection lives. */
static enum MHD_Result after_headers(struct request *req)
{
    if (req->stage == STAGE_ANSWERED && req->head.has_body)
        return queue_reply(req);
    return MHD_YES;
}

static enum MHD_Result authenticate(struct request *req)
{
    struct err_info err = {0};
    int rc = 0;

    if (is_open_route(req))
        req->caller.scopes = req->route->scope;
    else
        rc = auth_peek(&req->server->auth, req->head.authorization, &req->arena, &req->caller, &err);
    if (rc != 1)
        admit(req, rc, &err);
    else if (hand_over(req, req->server->workers, STAGE_AUTH, ask_on_worker))
        return MHD_YES;
    return after_headers(req);
}

static enum MHD_Result take_headers(struct request *req, const char *method, const char *version)
{
    memset(&req->head, 0, sizeof req->head);
    req->head.is_http_1_1 = strcmp(version, "HTTP/1.1") == 0;
    req->method = route_method_of(method, &req->is_head);
    req->caller = (struct caller){.tenant = STR_LIT("default")};
    MHD_get_connection_values_n(req->conn, MHD_HEADER_KIND, on_header, &req->head);
    if (head_id_is_good(req->head.request_id)) {
        memcpy(req->id, req->head.request_id.ptr, req->head.request_id.len);
        req->id[req->head.request_id.len] = '\0';
    }
    if (check_head(req))
        return authenticate(req);
    req->stage = STAGE_ANSWERED;
    return after_headers(req);
}

/* The worker that asked for the key is back. */
static enum MHD_Result take_caller(struct request *req)
{
    req->stage = req->is_refused ? STAGE_ANSWERED : STAGE_BODY;
    return after_headers(req);
}

/* ---- body and handler ---- */

static void take_body(struct request *req, const char *data, size_t len)
{
    if (req->stage != STAGE_BODY)
        return;
    int64_t until_us = atomic_load_explicit(&conn_of(req)->watch.until_us, memory_order_relaxed);
    give_time(req, until_us + (int64_t)len * US_PER_BYTE);
    buf_append(&req->body, data, len);
    int rc = buf_error(&req->body);
    if (rc == ERR_LIMIT) {
        reply_error(req, 413, err_name(ERR_LIMIT), NULL, "the body is larger than %zu bytes",
                    req->server->options.max_body_bytes);
        req->stage = STAGE_ANSWERED;
    } else if (rc < 0) {
        struct err_info err = {.code = rc, .message = "out of memory"};
        reply_failure(req, rc, &err);
        req->stage = STAGE_ANSWERED;
    }
}

/* rc: 0 or positive when the reply stands. */
static void finish(struct request *req, int rc, const struct err_info *err)
{
    if (rc < 0)
        reply_failure(req, rc, err);
    req->stage = STAGE_ANSWERED;
}

static void work_on_worker(void *arg)
{
    struct request *req = arg;
    struct err_info err = {0};

    int rc = req->route->on_request(req, &err);
    finish(req, rc, &err);
    MHD_resume_connection(req->conn);
}

static void ask_limit_on_worker(void *arg)
{
    struct request *req = arg;

    if (request_limit_wait(req) == 0) {
        work_on_worker(arg);
        return;
    }
    req->stage = STAGE_ANSWERED;
    MHD_resume_connection(req->conn);
}

/* A computer that finds it would have to wait leaves that to a worker. */
static void compute_on_computer(void *arg)
{
    struct request *req = arg;
    struct err_info err = {0};

    int rc = req->route->on_compute(req, &err);
    if (rc == 1 && workers_submit(req->server->workers, work_on_worker, req) == 0)
        return;
    if (rc == 1)
        reply_busy(req);
    else
        finish(req, rc, &err);
    MHD_resume_connection(req->conn);
}

/* Handing a request over and back costs a sixth of what it takes to build a context, but keeps the front
 * thread free for cached answers, which take a hundredth, and for the other connections that it holds: the
 * library gives a new one to any thread, so that all may lie on one. What waits on a connection is not seen
 * before it is read. So a request is computed where it is only while one connection alone asks for such, as
 * far as the last moments tell. */
#define ALONE_FOR_US (2 * US_PER_MS)

static bool may_compute(struct request *req)
{
    struct server *server = req->server;
    const struct MHD_Connection *last =
        atomic_exchange_explicit(&server->last_conn, req->conn, memory_order_relaxed);
    int64_t last_us = atomic_exchange_explicit(&server->last_us, req->asked_us, memory_order_relaxed);
    bool is_alone = last == req->conn || req->asked_us - last_us > ALONE_FOR_US;
    return is_alone && metrics_requests_active(server->metrics) <= server->options.n_front_threads;
}

/* What can be done on the front thread; otherwise 1 or PEEK_COMPUTE. */
static int answer_in_front(struct request *req, struct err_info *reterr)
{
    const struct route *route = req->route;
    if (!route->may_wait)
        return route->on_request(req, reterr);
    int rc = route->on_compute ? PEEK_COMPUTE : 1;
    if (route->on_peek)
        rc = route->on_peek(req, reterr);
    return rc == PEEK_COMPUTE && may_compute(req) ? route->on_compute(req, reterr) : rc;
}

static enum MHD_Result dispatch(struct request *req)
{
    struct server *server = req->server;
    struct err_info err = {0};

    req->asked_us = now_us(server);
    give_time(req, INT64_MAX);
    int limit = request_limit(req);
    if (limit == 1 && hand_over(req, server->workers, STAGE_WORK, ask_limit_on_worker))
        return MHD_YES;
    if (limit != 0) {
        req->stage = STAGE_ANSWERED;
        return queue_reply(req);
    }
    bool may_wait = req->route->may_wait;
    int rc = answer_in_front(req, &err);
    if (may_wait && rc == PEEK_COMPUTE && hand_over(req, server->computers, STAGE_WORK, compute_on_computer))
        return MHD_YES;
    if (may_wait && rc == 1 && hand_over(req, server->workers, STAGE_WORK, work_on_worker))
        return MHD_YES;
    if (!may_wait || rc <= 0)
        finish(req, rc, &err);
    return queue_reply(req);
}

static enum MHD_Result on_call(void *cls, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data, size_t *data_len,
                               void **con_cls)
{
    struct request *req = *con_cls;
    (void)cls, (void)connection, (void)url;

    if (!req)
        return MHD_NO;
    if (*data_len) {
        take_body(req, data, *data_len);
        *data_len = 0;
        return MHD_YES;
    }
    switch (req->stage) {
    case STAGE_HEADERS:
        return take_headers(req, method, version);
    case STAGE_AUTHED:
        return take_caller(req);
    case STAGE_BODY:
        return dispatch(req);
    case STAGE_ANSWERED:
        return queue_reply(req);
    case STAGE_AUTH:
    case STAGE_WORK:
    case STAGE_QUEUED:
        break;
    }
    return MHD_YES;
}

/* ---- the daemon ---- */

int http_start(struct server *server, struct err_info *reterr)
{
    const struct serve_options *options = &server->options;
    struct MHD_OptionItem pool[] = {
        /* the library takes a pool of one for a mistake */
        {options->n_front_threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
         options->n_front_threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };

    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_call, server,
        MHD_OPTION_LISTEN_SOCKET, server->listen_fd, MHD_OPTION_ARRAY, pool, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)options->max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)options->idle_timeout_sec, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, READ_STEP_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, STRICTNESS,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        server, MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_END);
    if (!server->daemon)
        return err_set(reterr, ERR_UNAVAILABLE, "the HTTP server cannot be started");
    return 0;
}

void http_quiesce(struct server *server)
{
    if (server->daemon)
        (void)MHD_quiesce_daemon(server->daemon);
}

void http_stop(struct server *server)
{
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
}
