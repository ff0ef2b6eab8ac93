/* SPDX-License-Identifier: Apache-2.0
 *
 * The server of cancel.c's own. Its threads are detached and counted, as a million cancelled requests are a
 * million connections.
 */
#include "cancel_peer.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_REQUEST_BYTES 2048
#define MAX_ROWS          600
#define ROW_BYTES         64

struct cancel_peer {
    int socket;
    char url[64];
    pthread_t thread;
    pthread_mutex_t mutex; /* guards n_clients */
    pthread_cond_t has_left;
    int n_clients;
};

struct client {
    struct cancel_peer *peer;
    int fd;
    char request[MAX_REQUEST_BYTES];
    char answer[MAX_ROWS * ROW_BYTES + 256];
};

static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* One request up to its empty line; GETs have no body. */
static bool read_request(struct client *client)
{
    size_t len = 0;

    while (len < sizeof client->request - 1) {
        ssize_t n = recv(client->fd, client->request + len, sizeof client->request - 1 - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        client->request[len] = '\0';
        if (strstr(client->request, "\r\n\r\n"))
            return true;
    }
    return false;
}

static bool answer(struct client *client)
{
    unsigned long long canary;
    unsigned delay_us, n_rows;
    size_t len = 0;
    char head[128];

    if (sscanf(client->request, "GET /echo/%llu/%u/%u ", &canary, &delay_us, &n_rows) != 3 ||
        n_rows > MAX_ROWS)
        return false;
    if (delay_us > 0)
        usleep(delay_us);
    client->answer[len++] = '[';
    for (unsigned i = 0; i < n_rows; i++)
        len += (size_t)snprintf(client->answer + len, ROW_BYTES, "%s{\"canary\":\"%llu:%u\"}", i ? "," : "",
                                canary, i);
    client->answer[len++] = ']';
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                     n_rows ? "200 OK" : "500 As Asked", len);
    return send_all(client->fd, head, (size_t)n) && send_all(client->fd, client->answer, len);
}

static void *client_main(void *arg)
{
    struct client *client = arg;
    struct cancel_peer *peer = client->peer;

    while (read_request(client) && answer(client))
        ;
    close(client->fd);
    free(client);
    pthread_mutex_lock(&peer->mutex);
    if (--peer->n_clients == 0)
        pthread_cond_signal(&peer->has_left);
    pthread_mutex_unlock(&peer->mutex);
    return NULL;
}

static void serve_client(struct cancel_peer *peer, int fd, const pthread_attr_t *attr)
{
    struct client *client = calloc(1, sizeof *client);
    pthread_t thread;
    int one = 1;

    if (!client)
        abort();
    client->peer = peer;
    client->fd = fd;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    pthread_mutex_lock(&peer->mutex);
    peer->n_clients++;
    pthread_mutex_unlock(&peer->mutex);
    if (pthread_create(&thread, attr, client_main, client) != 0)
        abort();
}

static void *peer_main(void *arg)
{
    struct cancel_peer *peer = arg;
    pthread_attr_t attr;
    int fd;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, (size_t)256 * 1024);
    while ((fd = accept4(peer->socket, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        serve_client(peer, fd, &attr);
    pthread_attr_destroy(&attr);
    return NULL;
}

struct cancel_peer *cancel_peer_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct cancel_peer *peer = calloc(1, sizeof *peer);

    if (!peer)
        abort();
    pthread_mutex_init(&peer->mutex, NULL);
    pthread_cond_init(&peer->has_left, NULL);
    peer->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer->socket < 0 || bind(peer->socket, (struct sockaddr *)&address, len) < 0 ||
        listen(peer->socket, 256) < 0 || getsockname(peer->socket, (struct sockaddr *)&address, &len) < 0 ||
        pthread_create(&peer->thread, NULL, peer_main, peer) != 0) {
        perror("cancel: the HTTP server");
        exit(1);
    }
    snprintf(peer->url, sizeof peer->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return peer;
}

const char *cancel_peer_url(const struct cancel_peer *peer)
{
    return peer->url;
}

struct cancel_peer *cancel_peer_stop(struct cancel_peer *peer)
{
    shutdown(peer->socket, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->socket);
    pthread_mutex_lock(&peer->mutex);
    while (peer->n_clients > 0)
        pthread_cond_wait(&peer->has_left, &peer->mutex);
    pthread_mutex_unlock(&peer->mutex);
    pthread_cond_destroy(&peer->has_left);
    pthread_mutex_destroy(&peer->mutex);
    free(peer);
    return NULL;
}
