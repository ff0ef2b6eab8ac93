/* SPDX-License-Identifier: Apache-2.0
 *
 * A Redis server for tests that knows no command: it answers PING and CLIENT as it should, and everything
 * else with the line that the test chose, or not at all.
 */
#ifndef PRECIS_TESTS_UNIT_NET_REDIS_PEER_H
#define PRECIS_TESTS_UNIT_NET_REDIS_PEER_H

#include "net/resp.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define REDIS_PEER_MAX_CONNS 800

struct redis_peer {
    int socket;
    char url[64];
    pthread_t thread;
    _Atomic(const char *) line; /* "+OK", "-OOM ..."; NULL: it says nothing any more, to PING neither */
    atomic_int n_conns;
    pthread_t threads[REDIS_PEER_MAX_CONNS];
    int fds[REDIS_PEER_MAX_CONNS];
};

struct redis_peer_conn {
    struct redis_peer *peer;
    int fd;
};

static inline void redis_peer_reply(struct redis_peer *peer, const struct resp *command, struct buf *out)
{
    const char *line = atomic_load(&peer->line);
    if (!line)
        return;
    if (str_is(command->items[0].text, "PING") && command->n == 2)
        buf_printf(out, "$%zu\r\n%.*s\r\n", command->items[1].text.len, STR_ARG(command->items[1].text));
    else if (str_is(command->items[0].text, "PING"))
        buf_append_text(out, "+PONG\r\n");
    else
        buf_printf(out, "%s\r\n", str_is(command->items[0].text, "CLIENT") ? "+OK" : line);
}

/* Answers the whole commands that stand in `in` and cuts them off. */
static inline void redis_peer_answer(struct redis_peer_conn *conn, struct buf *in)
{
    struct resp_scan scan = {0};
    struct str rest = buf_str(in);
    struct arena arena;
    struct buf out;
    size_t len;

    arena_init(&arena, 1024 * 1024);
    buf_init(&out, 1024 * 1024);
    while (rest.len > 0 && resp_scan(&scan, rest, &len, NULL) == 0) {
        struct resp command;
        if (resp_parse(str_slice(rest, 0, len), &arena, &command, NULL) == 0)
            redis_peer_reply(conn->peer, &command, &out);
        rest = str_slice(rest, len, SIZE_MAX);
        scan = (struct resp_scan){0};
    }
    (void)send(conn->fd, out.data, out.len, MSG_NOSIGNAL); /* whoever went away hears nothing */
    size_t left = rest.len;
    memmove(in->data, in->data + (in->len - left), left);
    buf_truncate(in, left);
    buf_done(&out);
    arena_done(&arena);
}

static inline void *redis_peer_serve(void *arg)
{
    struct redis_peer_conn *conn = arg;
    char bytes[4096];
    struct buf in;
    ssize_t n;

    buf_init(&in, 1024 * 1024);
    while ((n = recv(conn->fd, bytes, sizeof bytes, 0)) > 0) {
        buf_append(&in, bytes, (size_t)n);
        redis_peer_answer(conn, &in);
    }
    buf_done(&in);
    free(conn);
    return NULL;
}

static inline void *redis_peer_accept(void *arg)
{
    struct redis_peer *peer = arg;
    int fd;
    while ((fd = accept(peer->socket, NULL, NULL)) >= 0) {
        int i = atomic_load(&peer->n_conns);
        struct redis_peer_conn *conn = malloc(sizeof *conn);
        *conn = (struct redis_peer_conn){peer, fd};
        peer->fds[i] = fd;
        pthread_create(&peer->threads[i], NULL, redis_peer_serve, conn);
        if (atomic_fetch_add(&peer->n_conns, 1) + 1 == REDIS_PEER_MAX_CONNS)
            break;
    }
    return NULL;
}

static inline void redis_peer_open(struct redis_peer *peer, const char *line)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    *peer = (struct redis_peer){.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    atomic_init(&peer->line, line);
    assert_int_equal(bind(peer->socket, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(peer->socket, 64), 0);
    assert_int_equal(getsockname(peer->socket, (struct sockaddr *)&address, &len), 0);
    snprintf(peer->url, sizeof peer->url, "redis://127.0.0.1:%d", ntohs(address.sin_port));
    pthread_create(&peer->thread, NULL, redis_peer_accept, peer);
}

static inline void redis_peer_close(struct redis_peer *peer)
{
    shutdown(peer->socket, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->socket);
    for (int i = 0; i < atomic_load(&peer->n_conns); i++) {
        shutdown(peer->fds[i], SHUT_RDWR);
        pthread_join(peer->threads[i], NULL);
        close(peer->fds[i]);
    }
}

#endif
