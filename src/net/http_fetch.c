/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP in a poll loop, by libcurl's multi interface. A connection of the pool is a multi with one easy and at
 * most one open socket in it. The library says which sockets it waits for and until when (on_socket,
 * on_timer), and the loop's drivers wait for those on its behalf. A request:
 *
 *     waiting    for the pool: `main` polls the pool's descriptor
 *  -> under way  `watches` poll the library's sockets, `main` wakes at its timer
 *  -> done       the connection went back, or was closed; on_done is called
 *
 * The library is never called from inside one of its callbacks, and on_done never from inside the library.
 */
#include "net/http_fetch.h"

#include "core/mem.h"
#include "net/http_curl_priv.h"

#include <assert.h>
#include <poll.h>

#define MAX_HEADER_BYTES (64 * 1024) /* of an answer */
#define MAX_URL_BYTES    (64 * 1024)

struct http_conn {
    struct http_server *server;
    CURLM *multi;
    CURL *easy;
    int socket;               /* the one kept open while idle; -1: none */
    struct http_fetch *fetch; /* whose request is under way */
};

struct http_server {
    struct http_curl curl;
    char *url, *place, *ca;
    struct curl_slist *headers;
    bool accepts_packed;
    int64_t connect_timeout_us;
    const struct clock *clock;
    struct pool *pool;
};

/* ---- what the library calls ---- */

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    struct http_fetch *fetch = ((struct http_conn *)arg)->fetch;
    (void)data;
    fetch->has_heard = true;
    fetch->n_header_bytes += size * n;
    fetch->is_too_large = fetch->n_header_bytes > MAX_HEADER_BYTES;
    return fetch->is_too_large ? 0 : size * n;
}

/* Comes with unpacked bytes, a few kilobytes at a time. */
static size_t on_bytes(char *data, size_t size, size_t n, void *arg)
{
    struct http_fetch *fetch = ((struct http_conn *)arg)->fetch;
    size_t len = size * n;
    fetch->is_too_large = len > fetch->request.max_answer_bytes - fetch->body.len;
    if (fetch->is_too_large)
        return 0; /* ends the transfer */
    buf_append(&fetch->body, data, len);
    return buf_error(&fetch->body) ? 0 : len;
}

static struct net_op *watch_find(struct http_fetch *fetch, int fd)
{
    for (size_t i = 0; i < HTTP_FETCH_WATCHES; i++)
        if (fetch->watches[i].fd == fd)
            return &fetch->watches[i];
    return NULL;
}

static void watch_end(struct http_fetch *fetch, struct net_op *watch)
{
    net_loop_remove_driver(fetch->loop, watch);
    watch->fd = -1;
}

static int on_watch_ready(struct net_op *op, short revents, struct err_info *reterr);

static void on_driver_cancel(struct net_op *op)
{
    (void)op; /* the fetch's owner ends it, and its drivers with it, before the loop gets here */
}

static const struct net_op_ops watch_ops = {.on_ready = on_watch_ready, .on_cancel = on_driver_cancel};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *own)
{
    struct http_fetch *fetch = ((struct http_conn *)arg)->fetch;
    struct net_op *watch = fetch ? watch_find(fetch, fd) : NULL;
    (void)easy;
    (void)own;
    if (what == CURL_POLL_REMOVE || !fetch) {
        if (watch)
            watch_end(fetch, watch);
        return 0;
    }
    if (!watch) {
        watch = watch_find(fetch, -1);
        if (!watch)
            return -1; /* the library ends the transfer */
        *watch = (struct net_op){.ops = &watch_ops, .fd = fd, .owner = fetch};
        net_loop_add_driver(fetch->loop, watch);
    }
    watch->events = (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct http_conn *conn = arg;
    (void)multi;
    if (conn->fetch)
        conn->fetch->main.wake_us =
            timeout_ms < 0 ? 0 : clock_mono_us(conn->server->clock) + timeout_ms * US_PER_MS;
    return 0;
}

/* ---- connections ---- */

static void conn_free(struct http_conn *conn)
{
    const struct http_curl *curl = &conn->server->curl;
    curl->easy_cleanup(conn->easy);
    curl->multi_cleanup(conn->multi);
    mem_free(conn);
}

static bool set_up(struct http_conn *conn)
{
    const struct http_server *server = conn->server;
    const struct http_curl *curl = &server->curl;
    CURL *easy = conn->easy;
    return http_set_common(curl, easy) && !curl->easy_setopt(easy, CURLOPT_HTTPHEADER, server->headers) &&
           !curl->easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) &&
           (!server->ca || !curl->easy_setopt(easy, CURLOPT_CAINFO, server->ca)) &&
           !curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                              (long)(server->connect_timeout_us / US_PER_MS)) &&
           !curl->easy_setopt(easy, CURLOPT_ACCEPT_ENCODING,
                              server->accepts_packed ? "gzip, deflate" : NULL) &&
           !curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) &&
           !curl->easy_setopt(easy, CURLOPT_HEADERDATA, conn) &&
           !curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes) &&
           !curl->easy_setopt(easy, CURLOPT_WRITEDATA, conn) &&
           !curl->multi_setopt(conn->multi, CURLMOPT_MAXCONNECTS, 1L) &&
           !curl->multi_setopt(conn->multi, CURLMOPT_SOCKETFUNCTION, on_socket) &&
           !curl->multi_setopt(conn->multi, CURLMOPT_SOCKETDATA, conn) &&
           !curl->multi_setopt(conn->multi, CURLMOPT_TIMERFUNCTION, on_timer) &&
           !curl->multi_setopt(conn->multi, CURLMOPT_TIMERDATA, conn);
}

/* Only makes room for a connection: the first request opens it, in its own loop. */
static int on_connect(void *arg, int64_t deadline_us, void **ret_conn, struct err_info *reterr)
{
    struct http_server *server = arg;
    struct http_conn *conn = mem_calloc(1, sizeof(*conn));
    (void)deadline_us;
    if (!conn)
        return http_out_of_memory(reterr);
    conn->server = server;
    conn->socket = -1;
    conn->multi = server->curl.multi_init();
    conn->easy = server->curl.easy_init();
    if (!conn->multi || !conn->easy || !set_up(conn)) {
        conn_free(conn);
        return http_out_of_memory(reterr);
    }
    *ret_conn = conn;
    return 0;
}

static bool is_alive(void *server, void *arg)
{
    const struct http_conn *conn = arg;
    (void)server;
    return conn->socket < 0 || net_socket_is_quiet(conn->socket);
}

static void on_close(void *server, void *conn)
{
    (void)server;
    conn_free(conn);
}

static const struct pool_ops pool_ops = {on_connect, is_alive, on_close};

/* ---- servers ---- */

static int add_headers(struct http_server *server, const struct http_server_options *options,
                       struct err_info *reterr)
{
    /* Without the empty one libcurl would ask before it sends a large body, which costs a round trip. */
    static const char *const common[] = {"Content-Type: application/json", "Accept: application/json",
                                         "Expect:"};
    const struct http_curl *curl = &server->curl;
    int err = 0;
    for (size_t i = 0; i < sizeof common / sizeof *common && !err; i++)
        err = http_add_header(curl, &server->headers, common[i], reterr);
    for (size_t i = 0; i < options->n_headers && !err; i++) {
        const struct http_header *header = &options->headers[i];
        struct buf line;
        if (strpbrk(header->name, "\r\n: \t") || strpbrk(header->value, "\r\n"))
            return err_set_field(reterr, ERR_INVALID, "headers", "a header must be one line");
        buf_init(&line, MAX_HEADER_BYTES);
        /* ";" is how the library takes a header without a value. */
        buf_printf(&line, *header->value ? "%s: %s" : "%s;", header->name, header->value);
        err = buf_error(&line) ? err_set_field(reterr, ERR_INVALID, "headers", "a header is too long")
                               : http_add_header(curl, &server->headers, line.data, reterr);
        buf_done(&line);
    }
    return err || !options->key || !*options->key
               ? err
               : http_add_key(curl, &server->headers, options->key_prefix, options->key, reterr);
}

static int fill(struct http_server *server, const struct http_server_options *options,
                struct err_info *reterr)
{
    const struct pool_options pool = {
        .ops = &pool_ops,
        .server = server,
        .name = options->name,
        .max_conns = options->max_conns,
        .connect_timeout_us = options->connect_timeout_us,
        .idle_timeout_us = options->idle_timeout_us,
        .workers = options->connectors,
        .clock = options->clock,
    };
    server->accepts_packed = options->accepts_packed;
    server->connect_timeout_us = options->connect_timeout_us;
    server->clock = options->clock;
    server->url = mem_strdup(options->url);
    server->ca = options->ca ? mem_strdup(options->ca) : NULL;
    if (!server->url || (options->ca && !server->ca))
        return http_out_of_memory(reterr);
    for (size_t len = strlen(server->url); len > 0 && server->url[len - 1] == '/'; len--)
        server->url[len - 1] = '\0'; /* targets begin with one */
    if (strpbrk(server->url, "?#"))
        return err_set_field(reterr, ERR_INVALID, "url", "the URL must end with its path, without ? and #");
    int err = http_read_place(&server->curl, server->url, &server->place, reterr);
    if (!err)
        err = add_headers(server, options, reterr);
    return err ? err : pool_new(&pool, &server->pool, reterr);
}

int http_server_new(const struct http_server_options *options, struct http_server **ret_server,
                    struct err_info *reterr)
{
    struct http_curl curl;
    int err = http_curl_load(&curl, reterr);
    if (err)
        return err;
    struct http_server *server = mem_calloc(1, sizeof(*server));
    if (!server)
        return http_out_of_memory(reterr);
    if (curl.global_init(CURL_GLOBAL_DEFAULT)) { /* counted: may be called again */
        mem_free(server);
        return err_set(reterr, ERR_INTERNAL, "libcurl cannot be used");
    }
    server->curl = curl;
    err = fill(server, options, reterr);
    if (err)
        http_server_free(server);
    else
        *ret_server = server;
    return err;
}

struct http_server *http_server_free(struct http_server *server)
{
    if (!server)
        return NULL;
    const struct http_curl curl = server->curl;
    pool_free(server->pool);
    curl.slist_free_all(server->headers);
    mem_free(server->ca);
    mem_free(server->place);
    mem_free(server->url);
    mem_free(server);
    curl.global_cleanup();
    return NULL;
}

const char *http_server_place(const struct http_server *server)
{
    return server->place;
}

struct pool_stats http_server_stats(struct http_server *server)
{
    return pool_stats(server->pool);
}

/* ---- a request ---- */

/* Takes the request out of the library, which lets go of its sockets, and the connection out of the fetch. */
static void leave(struct http_fetch *fetch, bool is_whole)
{
    struct http_conn *conn = fetch->conn;
    const struct http_curl *curl = &fetch->server->curl;
    curl_socket_t kept = CURL_SOCKET_BAD;
    if (!conn)
        return;
    if (fetch->is_under_way) {
        if (is_whole)
            (void)curl->easy_getinfo(conn->easy, CURLINFO_ACTIVESOCKET, &kept); /* none then */
        (void)curl->multi_remove_handle(conn->multi, conn->easy); /* it is in there: nothing can fail */
    }
    for (size_t i = 0; i < HTTP_FETCH_WATCHES; i++)
        if (fetch->watches[i].fd >= 0)
            watch_end(fetch, &fetch->watches[i]);
    fetch->is_under_way = false;
    fetch->conn = NULL;
    conn->fetch = NULL;
    conn->socket = kept;
    if (is_whole)
        pool_give(fetch->server->pool, conn);
    else
        pool_drop(fetch->server->pool, conn);
}

/* The last thing done with a fetch: its owner may free it. */
static void finish(struct http_fetch *fetch, int result, const struct err_info *err)
{
    leave(fetch, result == 0);
    net_loop_remove_driver(fetch->loop, &fetch->main);
    fetch->loop = NULL;
    fetch->on_done(fetch, result, err);
}

static int explain(const struct http_fetch *fetch, CURLcode result, struct err_info *reterr)
{
    const struct http_server *server = fetch->server;
    if (fetch->is_too_large)
        return err_set(reterr, ERR_REMOTE, "the answer of %s is larger than %zu bytes", server->place,
                       fetch->request.max_answer_bytes);
    if (result == CURLE_WRITE_ERROR)
        return err_set(reterr, ERR_NOMEM, "no memory for the answer of %s", server->place);
    return http_explain(&server->curl, server->place, fetch->conn->easy, result, reterr);
}

/* After every call of the library. */
static void look(struct http_fetch *fetch)
{
    const struct http_curl *curl = &fetch->server->curl;
    struct http_conn *conn = fetch->conn;
    struct err_info err = {0};
    int n_left, result = 0;
    const CURLMsg *message = curl->multi_info_read(conn->multi, &n_left);
    if (!message)
        return;
    fetch->status = 0;
    (void)curl->easy_getinfo(conn->easy, CURLINFO_RESPONSE_CODE, &fetch->status); /* 0 then */
    if (message->data.result)
        result = explain(fetch, message->data.result, &err);
    finish(fetch, result, &err);
}

static void act(struct http_fetch *fetch, curl_socket_t fd, int flags)
{
    const struct http_curl *curl = &fetch->server->curl;
    struct err_info err;
    int n_running;
    CURLMcode bad = curl->multi_socket_action(fetch->conn->multi, fd, flags, &n_running);
    if (!bad) {
        look(fetch);
        return;
    }
    int result = err_set(&err, ERR_INTERNAL, "%s: %s", fetch->server->place, curl->multi_strerror(bad));
    finish(fetch, result, &err);
}

static int on_watch_ready(struct net_op *op, short revents, struct err_info *reterr)
{
    int flags = (revents & (POLLIN | POLLHUP) ? CURL_CSELECT_IN : 0) |
                (revents & POLLOUT ? CURL_CSELECT_OUT : 0) |
                (revents & (POLLERR | POLLNVAL) ? CURL_CSELECT_ERR : 0);
    (void)reterr;
    act(op->owner, op->fd, flags);
    return 0;
}

static int set_request(struct http_fetch *fetch, struct http_conn *conn, struct err_info *reterr)
{
    const struct http_curl *curl = &fetch->server->curl;
    const struct http_request *request = &fetch->request;
    bool has_body = request->body.ptr != NULL;
    CURL *easy = conn->easy;
    struct buf url;
    buf_init(&url, MAX_URL_BYTES);
    buf_append_text(&url, fetch->server->url);
    buf_append_str(&url, request->target);
    bool is_set = !buf_error(&url) && !curl->easy_setopt(easy, CURLOPT_URL, url.data) &&
                  !curl->easy_setopt(easy, has_body ? CURLOPT_POST : CURLOPT_HTTPGET, 1L) &&
                  !curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (is_set && has_body)
        is_set = !curl->easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.ptr) &&
                 !curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    int res = is_set ? 0
              : buf_error(&url) == ERR_LIMIT
                  ? err_set(reterr, ERR_INVALID, "the URL is longer than %d bytes", MAX_URL_BYTES)
                  : http_out_of_memory(reterr);
    buf_done(&url);
    return res;
}

/* The connection is here: asks. What goes wrong at once is told with the loop's next turn. */
static void begin(struct http_fetch *fetch, struct http_conn *conn)
{
    const struct http_curl *curl = &fetch->server->curl;
    int n_running = 0;
    fetch->is_waiting = false;
    fetch->conn = conn;
    conn->fetch = fetch;
    fetch->main.fd = -1;
    fetch->failed = set_request(fetch, conn, &fetch->err);
    if (!fetch->failed && curl->multi_add_handle(conn->multi, conn->easy))
        fetch->failed = http_out_of_memory(&fetch->err);
    fetch->is_under_way = !fetch->failed;
    if (!fetch->failed && curl->multi_socket_action(conn->multi, CURL_SOCKET_TIMEOUT, 0, &n_running))
        fetch->failed =
            err_set(&fetch->err, ERR_INTERNAL, "%s: the request could not start", fetch->server->place);
    if (n_running == 0)
        fetch->main.wake_us = 1;
}

static int on_main_ready(struct net_op *op, short revents, struct err_info *reterr)
{
    struct http_fetch *fetch = op->owner;
    struct err_info err;
    void *conn = NULL;
    (void)revents;
    (void)reterr;
    if (fetch->is_waiting) {
        int res = pool_wait_take(&fetch->wait, &conn, &err);
        fetch->is_waiting = res > 0;
        if (res < 0)
            finish(fetch, res, &err);
        else if (res == 0)
            begin(fetch, conn);
    } else if (fetch->failed) {
        finish(fetch, fetch->failed, &fetch->err);
    } else {
        act(fetch, CURL_SOCKET_TIMEOUT, 0);
    }
    return 0;
}

static const struct net_op_ops main_ops = {.on_ready = on_main_ready, .on_cancel = on_driver_cancel};

int http_fetch_start(struct http_server *server, struct net_loop *loop, const struct http_request *request,
                     struct http_fetch *fetch, struct err_info *reterr)
{
    void *conn = NULL;
    assert(!fetch->loop);
    fetch->server = server;
    fetch->request = *request;
    fetch->status = 0;
    fetch->is_too_large = false;
    fetch->n_header_bytes = 0;
    fetch->failed = 0;
    buf_done(&fetch->body);
    buf_init(&fetch->body, request->max_answer_bytes);
    for (size_t i = 0; i < HTTP_FETCH_WATCHES; i++)
        fetch->watches[i].fd = -1;
    int res = pool_take(server->pool, &fetch->wait, &conn, reterr);
    if (res < 0)
        return res;
    fetch->loop = loop;
    fetch->is_waiting = res > 0;
    fetch->main = (struct net_op){
        .ops = &main_ops, .fd = res > 0 ? fetch->wait.fd : -1, .events = POLLIN, .owner = fetch};
    net_loop_add_driver(loop, &fetch->main);
    if (conn)
        begin(fetch, conn);
    return 0;
}

void http_fetch_end(struct http_fetch *fetch)
{
    if (fetch->loop) {
        if (fetch->is_waiting)
            pool_wait_cancel(&fetch->wait);
        fetch->is_waiting = false;
        leave(fetch, false);
        net_loop_remove_driver(fetch->loop, &fetch->main);
        fetch->loop = NULL;
    }
    buf_done(&fetch->body);
}

/* ---- asking and waiting ---- */

struct asking {
    struct net_op op;
    struct net_loop *loop;
};

static void asking_on_cancel(struct net_op *op)
{
    (void)op; /* the caller ends the fetch */
}

static void asking_on_done(struct http_fetch *fetch, int result, const struct err_info *err)
{
    struct asking *asking = fetch->owner;
    net_loop_end(asking->loop, &asking->op, result, err);
}

int http_fetch_wait(struct http_server *server, const struct http_request *request, int64_t deadline_us,
                    struct http_fetch *fetch, struct err_info *reterr)
{
    static const struct net_op_ops ops = {.on_cancel = asking_on_cancel};
    struct asking asking = {.op = {.ops = &ops, .fd = -1, .deadline_us = deadline_us}};
    struct net_op *op;
    int res = net_loop_new(server->clock, &asking.loop, reterr);
    if (res < 0)
        return res;
    fetch->on_done = asking_on_done;
    fetch->owner = &asking;
    res = http_fetch_start(server, asking.loop, request, fetch, reterr);
    if (res == 0) {
        net_loop_add(asking.loop, &asking.op);
        res = net_loop_wait(asking.loop, INT64_MAX, &op, reterr);
    }
    if (res == 0 && asking.op.result == ERR_TIMEOUT)
        res = err_set(reterr, ERR_TIMEOUT, "no answer from %s in time", server->place);
    else if (res == 0 && asking.op.result < 0) {
        res = asking.op.result;
        if (reterr)
            *reterr = asking.op.err;
    }
    if (res != 0)
        http_fetch_end(fetch); /* while its loop is there */
    net_loop_free(asking.loop);
    return res;
}
