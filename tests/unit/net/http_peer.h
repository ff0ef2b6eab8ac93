/* SPDX-License-Identifier: Apache-2.0
 *
 * A small HTTP server for tests, a thread a connection: it answers by what the path says, well or badly, and
 * counts.
 */
#ifndef PRECIS_TESTS_UNIT_NET_HTTP_PEER_H
#define PRECIS_TESTS_UNIT_NET_HTTP_PEER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PEER_MAX_CONNS 800

struct peer {
    int socket;
    char url[64];
    pthread_t thread;
    atomic_int n_conns, n_requests;
    pthread_mutex_t lock; /* of those who write last */
    char last[8192];      /* the latest request; read it after its answer came, while no other is under way */
    pthread_t threads[PEER_MAX_CONNS];
    int fds[PEER_MAX_CONNS];
    const char *(*answer)(const char *path); /* a whole answer, headers and all; NULL: close at once */
};

struct peer_conn {
    struct peer *peer;
    int fd;
    bool has_answered;
};

static inline void peer_send(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static inline bool peer_read(struct peer_conn *conn, char *request, size_t size)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = recv(conn->fd, request + len, size - 1 - len, 0);
        if (n <= 0 || (len == 0 && *request == 0x16)) /* the end, or TLS */
            return false;
        len += (size_t)n;
        request[len] = '\0';
        const char *end = strstr(request, "\r\n\r\n");
        const char *length = strcasestr(request, "content-length:");
        size_t n_body = end && length && length < end ? strtoul(length + 15, NULL, 10) : 0;
        if (end && len >= (size_t)(end + 4 - request) + n_body)
            return true;
        if (len == size - 1)
            return false;
    }
}

/* Paths with a meaning of their own: /hang says nothing more, /drip sends a byte at a time without end, /huge
 * sends without end, /stale answers the first request of a connection and closes with the second, /cut closes
 * in the middle, /extra sends more than it should. */
static inline void *peer_conn_main(void *arg)
{
    struct peer_conn *conn = arg;
    struct peer *peer = conn->peer;
    char request[8192], path[4096];
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    while (peer_read(conn, request, sizeof request) && sscanf(request, "%*s %4095s", path) == 1) {
        pthread_mutex_lock(&peer->lock);
        (void)snprintf(peer->last, sizeof peer->last, "%s", request);
        pthread_mutex_unlock(&peer->lock);
        atomic_fetch_add(&peer->n_requests, 1);
        const char *answer = peer->answer ? peer->answer(path) : NULL;
        if (answer) {
            peer_send(conn->fd, answer);
            if (strstr(answer, "Connection: close"))
                break;
        } else if (strncmp(path, "/hang", 5) == 0) {
            (void)recv(conn->fd, request, 1, 0); /* until the client goes */
            break;
        } else if (strncmp(path, "/drip", 5) == 0) {
            peer_send(conn->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
            while (send(conn->fd, "x", 1, MSG_NOSIGNAL) == 1)
                usleep(1000);
            break;
        } else if (strncmp(path, "/huge", 5) == 0) {
            peer_send(conn->fd, "HTTP/1.1 200 OK\r\n\r\n");
            while (send(conn->fd, request, sizeof request, MSG_NOSIGNAL) > 0)
                ;
            break;
        } else if (strncmp(path, "/stale", 6) == 0 && conn->has_answered) {
            break;
        } else if (strncmp(path, "/cut", 4) == 0) {
            peer_send(conn->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
            break;
        } else if (strncmp(path, "/extra", 6) == 0) {
            peer_send(conn->fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n");
            peer_send(conn->fd, "Content-Length: 2\r\n\r\n[]");
        } else {
            peer_send(conn->fd, ok);
        }
        conn->has_answered = true;
    }
    shutdown(conn->fd, SHUT_RDWR);
    free(conn);
    return NULL;
}

static inline void *peer_main(void *arg)
{
    struct peer *peer = arg;
    for (;;) {
        int fd = accept(peer->socket, NULL, NULL);
        int n = atomic_load(&peer->n_conns);
        if (fd < 0 || n == PEER_MAX_CONNS)
            return NULL;
        struct peer_conn *conn = calloc(1, sizeof *conn);
        *conn = (struct peer_conn){peer, fd, false};
        peer->fds[n] = fd;
        if (pthread_create(&peer->threads[n], NULL, peer_conn_main, conn) != 0)
            abort();
        atomic_store(&peer->n_conns, n + 1);
    }
}

static inline void peer_start(struct peer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    pthread_mutex_init(&peer->lock, NULL);
    peer->socket = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(peer->socket, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(peer->socket, 64), 0);
    assert_int_equal(getsockname(peer->socket, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(peer->url, sizeof peer->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&peer->thread, NULL, peer_main, peer), 0);
}

static inline void peer_stop(struct peer *peer)
{
    shutdown(peer->socket, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->socket);
    for (int i = 0; i < atomic_load(&peer->n_conns); i++) {
        shutdown(peer->fds[i], SHUT_RDWR);
        pthread_join(peer->threads[i], NULL);
        close(peer->fds[i]);
    }
    pthread_mutex_destroy(&peer->lock);
}

#endif
