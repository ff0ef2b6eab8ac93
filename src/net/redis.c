/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection at work: commands queue in `out`, bytes come into `in`, replies are taken from there in place.
 * What was taken is cut away before more is read, so that `in` holds one reply and a little more at most.
 */
#include "net/redis.h"

#include "core/utf8.h"
#include "net/redis_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define KEEP_BYTES (64 * 1024) /* a larger buffer goes when it is empty */
#define MARK_SIZE  64

int redis_conn_fd(const struct redis_conn *conn)
{
    return conn->fd;
}

short redis_conn_events(const struct redis_conn *conn)
{
    return conn->n_sent < conn->out.len ? POLLIN | POLLOUT : POLLIN;
}

bool redis_conn_is_whole(const struct redis_conn *conn)
{
    return conn->n_due == 0 && conn->n_taken == conn->in.len && conn->n_sent == conn->out.len;
}

bool redis_conn_has_heard(const struct redis_conn *conn)
{
    return conn->has_heard;
}

/* ---- asking ---- */

static size_t begin_asking(struct redis_conn *conn)
{
    if (redis_conn_is_whole(conn))
        conn->has_heard = false;
    return conn->out.len;
}

/* No two connections have the same marks for long, and no stored text is one by chance. */
static size_t print_mark(struct redis_conn *conn, uint64_t number, char mark[MARK_SIZE])
{
    if (conn->mark_seed == 0)
        conn->mark_seed =
            ((uint64_t)clock_mono_us(conn->server->clock) ^ (uint64_t)(uintptr_t)conn) * 0x9e3779b97f4a7c15 |
            1;
    return (size_t)snprintf(mark, MARK_SIZE, "precis-%016llx-%llu", (unsigned long long)conn->mark_seed,
                            (unsigned long long)number);
}

static int end_asking(struct redis_conn *conn, size_t len_before, struct err_info *reterr)
{
    char mark[MARK_SIZE];
    const struct str ping[] = {STR_LIT("PING"), {mark, print_mark(conn, conn->n_asked, mark)}};

    resp_append_command(&conn->out, ping, 2);
    int res = buf_error(&conn->out);
    if (res == 0) {
        conn->n_due++;
        conn->n_asked++;
        return 0;
    }
    conn->out.err = 0; /* what stands in it is whole commands again */
    buf_truncate(&conn->out, len_before);
    return err_set(reterr, res,
                   res == ERR_LIMIT ? "too much is asked at once: %d MB at most" : "out of memory",
                   REDIS_MAX_PENDING / 1024 / 1024);
}

int redis_conn_ask(struct redis_conn *conn, const struct str *args, size_t n, struct err_info *reterr)
{
    size_t len_before = begin_asking(conn);
    resp_append_command(&conn->out, args, n);
    return end_asking(conn, len_before, reterr);
}

int redis_conn_ask_raw(struct redis_conn *conn, struct str command, struct err_info *reterr)
{
    size_t len_before = begin_asking(conn);
    buf_append_str(&conn->out, command);
    return end_asking(conn, len_before, reterr);
}

/* ---- sending and receiving ---- */

static int broken(struct err_info *reterr, int code)
{
    return err_set(reterr, ERR_UNAVAILABLE, "the connection broke: %s",
                   code ? strerror(code) : "the server closed it");
}

/* An empty buffer that is large gives its memory back. */
static void shrink(struct buf *buf)
{
    if (buf->cap > KEEP_BYTES) {
        size_t max = buf->max;
        buf_done(buf);
        buf_init(buf, max);
    }
    buf_clear(buf);
}

static int send_some(struct redis_conn *conn, struct err_info *reterr)
{
    while (conn->n_sent < conn->out.len) {
        const char *data = conn->out.data + conn->n_sent;
        size_t len = conn->out.len - conn->n_sent;
        ssize_t n = conn->tls ? tls_write(conn->tls, data, len) : send(conn->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : broken(reterr, errno);
        conn->n_sent += (size_t)n;
    }
    conn->n_sent = 0;
    shrink(&conn->out);
    return 0;
}

/* Cuts off what was taken. */
static void compact(struct redis_conn *conn)
{
    size_t left = conn->in.len - conn->n_taken;
    if (left == 0) {
        shrink(&conn->in);
    } else if (conn->n_taken > 0) {
        memmove(conn->in.data, conn->in.data + conn->n_taken, left);
        buf_truncate(&conn->in, left);
    }
    conn->n_taken = 0;
}

/* Stops at a full buffer: the reader takes what is there first, or is told that it is too much. */
static int receive_some(struct redis_conn *conn, struct err_info *reterr)
{
    compact(conn);
    while (conn->in.len + REDIS_READ_BYTES <= conn->in.max) {
        if (buf_reserve(&conn->in, REDIS_READ_BYTES) < 0)
            return err_set(reterr, buf_error(&conn->in), "not enough memory for a reply");
        char *room = conn->in.data + conn->in.len;
        ssize_t n = conn->tls ? tls_read(conn->tls, room, REDIS_READ_BYTES)
                              : recv(conn->fd, room, REDIS_READ_BYTES, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0)
            return broken(reterr, n < 0 ? errno : 0);
        conn->in.len += (size_t)n;
        conn->in.data[conn->in.len] = '\0';
        conn->has_heard = true;
    }
    return 1;
}

int redis_conn_step(struct redis_conn *conn, struct err_info *reterr)
{
    int res = send_some(conn, reterr);
    int received = receive_some(conn, res < 0 ? NULL : reterr); /* what was said before it broke counts */
    return res < 0 ? res : received;
}

/* A user that may not PING, or a proxy that answers it by itself, has no marks; nor has a server that refuses
 * everything, as while it loads. */
static bool is_mark(struct redis_conn *conn, const struct resp *reply, const struct resp *mark)
{
    char wanted[MARK_SIZE];
    struct str text = {wanted, print_mark(conn, conn->n_answered, wanted)};

    if (mark->kind == RESP_TEXT)
        return str_eq(mark->text, text);
    if (mark->kind == RESP_STATUS)
        return str_is(mark->text, "PONG");
    return mark->kind == RESP_ERROR &&
           (reply->kind == RESP_ERROR || str_starts_with(mark->text, STR_LIT("NOPERM")));
}

/* 0 when a reply and its mark are there, in full. */
static int find_reply(struct redis_conn *conn, struct str bytes, size_t *ret_mark_len,
                      struct err_info *reterr)
{
    size_t len;
    int res = 0;

    if (conn->reply_len == 0) {
        res = resp_scan(&conn->scan, bytes, &len, reterr);
        if (res != 0)
            return res;
        conn->scan = (struct resp_scan){0};
        conn->reply_len = len;
    }
    bytes = str_slice(bytes, conn->reply_len, SIZE_MAX);
    return bytes.len == 0 ? 1 : resp_scan(&conn->scan, bytes, ret_mark_len, reterr);
}

int redis_conn_take(struct redis_conn *conn, struct arena *arena, struct resp *ret_resp,
                    struct err_info *reterr)
{
    struct str bytes = str_slice(buf_str(&conn->in), conn->n_taken, SIZE_MAX);
    struct resp mark;
    size_t mark_len;

    if (bytes.len == 0)
        return 1;
    if (conn->n_due == 0)
        return err_set(reterr, ERR_REMOTE, "it sent something that nobody asked for");
    int res = find_reply(conn, bytes, &mark_len, reterr);
    if (res == 0)
        res = resp_parse(str_slice(bytes, 0, conn->reply_len), arena, ret_resp, reterr);
    if (res == 0)
        res = resp_parse(str_slice(bytes, conn->reply_len, mark_len), arena, &mark, reterr);
    if (res == 0 && !is_mark(conn, ret_resp, &mark))
        res = err_set(reterr, ERR_UNAVAILABLE, "the connection broke: its replies are out of step");
    if (res != 0)
        return res;
    conn->scan = (struct resp_scan){0};
    conn->n_taken += conn->reply_len + mark_len;
    conn->reply_len = 0;
    conn->n_due--;
    conn->n_answered++;
    return 0;
}

/* ---- errors in words ---- */

int redis_error(struct str error, struct err_info *reterr)
{
    static const struct {
        const char *begin, *sentence;
    } known[] = {
        {"WRONGTYPE", "the key holds another type of value"},
        {"NOAUTH", "the server wants a password"},
        {"WRONGPASS", "the server refuses this user or password"},
        {"ERR invalid password", "the server refuses this password"},
        {"ERR AUTH <password> called without", "a password was given, but the server wants none"},
        {"ERR Client sent AUTH, but no password", "a password was given, but the server wants none"},
        {"NOPERM", "the server does not let this user do that"},
        {"LOADING", "the server is still loading its data"},
        {"BUSY", "the server is busy with a script"},
        {"MOVED", "the key is on another node of a cluster: connect to that node or through a proxy"},
        {"ASK", "the key is moving to another node of a cluster"},
        {"CROSSSLOT", "the keys are on different nodes of a cluster"},
        {"CLUSTERDOWN", "the server's cluster is down"},
        {"MASTERDOWN", "the server's master is down"},
        {"READONLY", "the server is a replica that can only be read"},
        {"OOM", "the server has no memory left"},
        {"MISCONF", "the server takes no writes, as it cannot save them"},
        {"NOSCRIPT", "the server does not know the script"},
        {"ERR DB index", "the server has no database of that number"},
        {"ERR invalid DB index", "the server has no database of that number"},
        {"ERR max number of clients", "the server has too many clients"},
    };
    struct str code = error, word;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_starts_with(error, str_of(known[i].begin))) {
            (void)str_next_part(&code, ' ', &word);
            return err_set(reterr, ERR_REMOTE, "%s (%.*s)", known[i].sentence,
                           (int)(word.len < 24 ? word.len : 24), word.ptr);
        }
    /* A text of the server's own may repeat what it was asked, keys and all: its beginning says enough. */
    struct buf clean;
    buf_init(&clean, ERR_MESSAGE_SIZE);
    utf8_append_clean(&clean, str_slice(error, 0, 60));
    int res = err_set(reterr, ERR_REMOTE, "the server says: %.*s", STR_ARG(buf_str(&clean)));
    buf_done(&clean);
    return res;
}
