/* SPDX-License-Identifier: Apache-2.0
 *
 * Making a connection: socket, TLS, login. Runs on a worker that may wait; every wait ends by the deadline.
 * Looking a host name up is the system's business and keeps the system's own deadline.
 */
#include "core/mem.h"
#include "net/redis_priv.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_LOGIN_BYTES 8192

/* ---- servers ---- */

struct redis_server *redis_server_free(struct redis_server *server)
{
    if (!server)
        return NULL;
    (void)tls_trust_free(server->trust);
    mem_free(server->host);
    mem_free(server->port);
    mem_free(server->socket);
    mem_free(server->user);
    mem_free(server->password);
    mem_free(server->place);
    mem_free(server->authority);
    return mem_free(server);
}

int redis_server_new(struct str url, const struct clock *clock, struct redis_server **ret_server,
                     struct err_info *reterr)
{
    struct redis_server *server = mem_calloc(1, sizeof *server);
    if (!server)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    server->clock = clock;
    int res = redis_url_parse(url, server, reterr);
    if (res == 0 && server->is_tls)
        res = tls_trust_new(server->authority, &server->trust, reterr);
    if (res < 0) {
        (void)redis_server_free(server);
        return res;
    }
    *ret_server = server;
    return 0;
}

const char *redis_server_place(const struct redis_server *server)
{
    return server->place;
}

/* ---- the socket ---- */

static int wait_ready(const struct redis_server *server, int fd, short events, int64_t deadline_us,
                      struct err_info *reterr)
{
    struct pollfd pollfd = {.fd = fd, .events = events};
    for (;;) {
        int64_t left_us = deadline_us - clock_mono_us(server->clock);
        if (left_us <= 0)
            return err_set(reterr, ERR_TIMEOUT, "it did not answer in time");
        int n = poll(&pollfd, 1, (int)(left_us / US_PER_MS) + 1);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_set(reterr, ERR_IO, "poll failed: %s", strerror(errno));
    }
}

static int connect_socket(const struct redis_server *server, const struct sockaddr *address, socklen_t len,
                          int64_t deadline_us, int *ret_fd, struct err_info *reterr)
{
    int one = 1, code = 0, res = 0;
    socklen_t code_len = sizeof code;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_set(reterr, ERR_UNAVAILABLE, "no socket can be made: %s", strerror(errno));
    if (address->sa_family != AF_UNIX) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* slower, not wrong, without */
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    }
    if (connect(fd, address, len) < 0) {
        code = errno;
        if (code == EINPROGRESS) {
            res = wait_ready(server, fd, POLLOUT, deadline_us, reterr);
            if (res == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &code_len) < 0)
                code = errno;
        }
        if (res == 0 && code != 0)
            res = err_set(reterr, ERR_UNAVAILABLE, "%s", strerror(code));
    }
    if (res < 0) {
        (void)close(fd);
        return res;
    }
    *ret_fd = fd;
    return 0;
}

static int connect_unix(const struct redis_server *server, int64_t deadline_us, int *ret_fd,
                        struct err_info *reterr)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(server->socket);
    if (len >= sizeof address.sun_path)
        return err_set(reterr, ERR_INVALID, "the path of a socket has at most %zu bytes",
                       sizeof address.sun_path - 1);
    memcpy(address.sun_path, server->socket, len + 1);
    return connect_socket(server, (struct sockaddr *)&address, sizeof address, deadline_us, ret_fd, reterr);
}

/* The first of the host's addresses that answers. */
static int connect_tcp(const struct redis_server *server, int64_t deadline_us, int *ret_fd,
                       struct err_info *reterr)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    int code = getaddrinfo(server->host, server->port, &hints, &addresses);
    int res = ERR_UNAVAILABLE;

    if (code != 0)
        return err_set(reterr, ERR_UNAVAILABLE, "its host is not known: %s", gai_strerror(code));
    for (const struct addrinfo *one = addresses; one && res < 0 && res != ERR_TIMEOUT; one = one->ai_next)
        res = connect_socket(server, one->ai_addr, one->ai_addrlen, deadline_us, ret_fd, reterr);
    freeaddrinfo(addresses);
    return res;
}

static int start_tls(struct redis_conn *conn, int64_t deadline_us, struct err_info *reterr)
{
    const struct redis_server *server = conn->server;
    int res = tls_new(server->trust, conn->fd, server->host, &conn->tls, reterr);
    if (res < 0)
        return res;
    for (;;) {
        int events = tls_handshake(conn->tls, reterr);
        if (events <= 0)
            return events;
        res = wait_ready(server, conn->fd, (short)events, deadline_us, reterr);
        if (res < 0)
            return res;
    }
}

/* ---- login ---- */

int redis_conn_wait(struct redis_conn *conn, int64_t deadline_us, struct arena *arena, struct resp *ret_resp,
                    struct err_info *reterr)
{
    for (;;) {
        int res = redis_conn_take(conn, arena, ret_resp, reterr);
        if (res != 1)
            return res;
        int step = redis_conn_step(conn, reterr);
        res = redis_conn_take(conn, arena, ret_resp, step < 0 ? NULL : reterr);
        if (res != 1)
            return res;
        if (step == 0)
            step = wait_ready(conn->server, conn->fd, redis_conn_events(conn), deadline_us, reterr);
        if (step < 0)
            return step;
    }
}

static int ask_login(struct redis_conn *conn, struct err_info *reterr)
{
    const struct redis_server *server = conn->server;
    char digits[24];
    int res = 0;

    if (server->password && server->user)
        res = redis_conn_ask(
            conn, (struct str[]){STR_LIT("AUTH"), str_of(server->user), str_of(server->password)}, 3, reterr);
    else if (server->password)
        res = redis_conn_ask(conn, (struct str[]){STR_LIT("AUTH"), str_of(server->password)}, 2, reterr);
    if (res == 0 && server->db > 0) {
        (void)snprintf(digits, sizeof digits, "%lld", (long long)server->db);
        res = redis_conn_ask(conn, (struct str[]){STR_LIT("SELECT"), str_of(digits)}, 2, reterr);
    }
    if (res == 0)
        res = redis_conn_ask(conn, (struct str[]){STR_LIT("CLIENT"), STR_LIT("SETNAME"), STR_LIT("precis")},
                             3, reterr);
    return res;
}

/* The name is a courtesy: a user who may not give one can be served all the same. */
static bool is_harmless(struct str error)
{
    return str_starts_with(error, STR_LIT("NOPERM")) || str_starts_with(error, STR_LIT("ERR unknown"));
}

static int log_in(struct redis_conn *conn, int64_t deadline_us, struct err_info *reterr)
{
    struct arena arena;
    struct resp resp;

    arena_init(&arena, MAX_LOGIN_BYTES);
    int res = ask_login(conn, reterr);
    while (res == 0 && conn->n_due > 0) {
        bool is_name = conn->n_due == 1;
        res = redis_conn_wait(conn, deadline_us, &arena, &resp, reterr);
        if (res == 0 && resp.kind == RESP_ERROR && !(is_name && is_harmless(resp.text)))
            res = redis_error(resp.text, reterr);
    }
    arena_done(&arena);
    return res;
}

/* ---- connections ---- */

static void conn_close(void *server, void *arg)
{
    struct redis_conn *conn = arg;
    (void)server;
    (void)tls_free(conn->tls);
    if (conn->fd >= 0)
        (void)close(conn->fd); /* nothing of it is wanted any more */
    buf_done(&conn->in);
    buf_done(&conn->out);
    mem_free(conn);
}

static int conn_open(void *arg, int64_t deadline_us, void **ret_conn, struct err_info *reterr)
{
    const struct redis_server *server = arg;
    struct redis_conn *conn = mem_calloc(1, sizeof *conn);
    if (!conn)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    conn->server = server;
    conn->fd = -1;
    buf_init(&conn->out, REDIS_MAX_PENDING);
    buf_init(&conn->in, RESP_MAX_BYTES + 2 * REDIS_READ_BYTES); /* with its mark */
    int res = server->socket ? connect_unix(server, deadline_us, &conn->fd, reterr)
                             : connect_tcp(server, deadline_us, &conn->fd, reterr);
    if (res == 0 && server->is_tls)
        res = start_tls(conn, deadline_us, reterr);
    if (res == 0)
        res = log_in(conn, deadline_us, reterr);
    if (res < 0) {
        conn_close(NULL, conn);
        /* A server that is slow to connect to is as good as none. */
        if (res == ERR_TIMEOUT && reterr)
            reterr->code = ERR_UNAVAILABLE;
        err_prefix(reterr, "no connection to %s: ", server->place);
        return res == ERR_TIMEOUT ? ERR_UNAVAILABLE : res;
    }
    *ret_conn = conn;
    return 0;
}

static bool conn_is_alive(void *server, void *arg)
{
    const struct redis_conn *conn = arg;
    (void)server;
    return net_socket_is_quiet(conn->fd);
}

const struct pool_ops redis_pool_ops = {conn_open, conn_is_alive, conn_close};
