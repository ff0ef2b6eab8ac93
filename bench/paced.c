/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests at a steady rate: they come at random moments, as many a second as asked for (a Poisson process), over
 * at most so many connections, and a request's time counts from the moment it came, not from that at which a
 * connection was free. One thread, so that the load itself takes little of the machine that it measures.
 *
 * usage: paced PORT PATH BODIES RATE CONNECTIONS SECONDS
 *
 * BODIES: a file of JSON, a body a line, sent in turn by POST to 127.0.0.1. Prints: requests a second, p50 and
 * p99 in ms, how many found no connection free. An answer that is not 200 ends it with an error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNS  1024
#define MAX_BODIES 4096
#define MAX_REPLY  (4 * 1024 * 1024)

struct conn {
    int fd;
    double came; /* the moment of its request, seconds; 0: it is free */
    char *reply;
    size_t len, wanted; /* wanted: of head and body, once the head is there */
};

struct load {
    struct conn conns[MAX_CONNS];
    int n_conns, n_busy, next_conn;
    char *requests[MAX_BODIES];
    size_t lens[MAX_BODIES], n_requests, n_sent;
    double *took, *waiting; /* seconds; moments of those that wait for a connection */
    size_t n_took, n_came, first_waiting, n_late;
};

static void die(const char *what)
{
    fprintf(stderr, "paced: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void read_bodies(struct load *load, const char *path, int port, const char *target)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    if (!file)
        die(path);
    while ((len = getline(&line, &cap, file)) > 0 && load->n_requests < MAX_BODIES) {
        len -= line[len - 1] == '\n';
        char **request = &load->requests[load->n_requests];
        int n = asprintf(request,
                         "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zd\r\n\r\n%.*s",
                         target, port, len, (int)len, line);
        if (n < 0)
            die("memory");
        load->lens[load->n_requests++] = (size_t)n;
    }
    free(line);
    fclose(file);
    if (!load->n_requests)
        die("no bodies");
}

static void open_conns(struct load *load, int port, int epoll)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < load->n_conns; i++) {
        struct conn *conn = &load->conns[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
        int one = 1;
        conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&address, sizeof address) < 0)
            die("connect");
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        conn->reply = malloc(MAX_REPLY + 1);
        if (!conn->reply || epoll_ctl(epoll, EPOLL_CTL_ADD, conn->fd, &event) < 0)
            die("epoll");
    }
}

/* The longest waiting requests go to the connections that are free, all of these in turn. */
static void send_waiting(struct load *load)
{
    for (int i = 0; i < load->n_conns && load->first_waiting < load->n_came; i++) {
        struct conn *conn = &load->conns[load->next_conn];
        load->next_conn = (load->next_conn + 1) % load->n_conns;
        if (conn->came > 0)
            continue;
        size_t at = load->n_sent++ % load->n_requests;
        conn->came = load->waiting[load->first_waiting++];
        conn->len = conn->wanted = 0;
        load->n_busy++;
        if (send(conn->fd, load->requests[at], load->lens[at], MSG_NOSIGNAL) != (ssize_t)load->lens[at])
            die("send");
    }
}

static size_t length_of(const struct conn *conn)
{
    const char *end = strstr(conn->reply, "\r\n\r\n"), *length = strcasestr(conn->reply, "\r\ncontent-length:");
    if (!end)
        return 0;
    if (strncmp(conn->reply, "HTTP/1.1 200", 12) != 0 || !length || length > end) {
        fprintf(stderr, "paced: %.2000s\n", conn->reply);
        exit(1);
    }
    return (size_t)(end - conn->reply) + 4 + strtoul(length + 17, NULL, 10);
}

static void receive(struct load *load, struct conn *conn)
{
    ssize_t n = recv(conn->fd, conn->reply + conn->len, MAX_REPLY - conn->len, 0);
    if (n <= 0)
        die("the connection ended");
    conn->len += (size_t)n;
    conn->reply[conn->len] = '\0';
    if (!conn->wanted)
        conn->wanted = length_of(conn);
    if (!conn->wanted || conn->len < conn->wanted)
        return;
    load->took[load->n_took++] = now() - conn->came;
    conn->came = 0;
    load->n_busy--;
}

static double next_gap(double rate)
{
    return -log(1 - drand48()) / rate;
}

static void set_timer(int timer, double at)
{
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)at, .tv_nsec = (long)((at - floor(at)) * 1e9)}};
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) < 0)
        die("timer");
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Until all that came within the seconds is answered; how long that took. */
static double run(struct load *load, int epoll, double rate, double seconds)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[64];
    if (timer < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) < 0)
        die("timer");
    double start = now(), next = start + next_gap(rate);
    while (next < start + seconds || load->n_took < load->n_came) {
        if (next < start + seconds)
            set_timer(timer, next);
        int n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            uint64_t n_rung;
            if (events[i].data.ptr)
                receive(load, events[i].data.ptr);
            else if (read(timer, &n_rung, sizeof n_rung) < 0 && errno != EAGAIN)
                die("timer");
        }
        for (; next < start + seconds && next <= now(); next += next_gap(rate)) {
            load->n_late += load->n_busy == load->n_conns;
            load->waiting[load->n_came++] = next;
        }
        send_waiting(load);
    }
    close(timer);
    return now() - start;
}

int main(int argc, char **argv)
{
    static struct load load;
    if (argc != 7) {
        fprintf(stderr, "usage: paced PORT PATH BODIES RATE CONNECTIONS SECONDS\n");
        return 2;
    }
    int port = atoi(argv[1]);
    double rate = atof(argv[4]), seconds = atof(argv[6]);
    load.n_conns = atoi(argv[5]);
    if (rate <= 0 || seconds <= 0 || load.n_conns < 1 || load.n_conns > MAX_CONNS)
        die("rate, connections and seconds must be above 0");
    size_t max = (size_t)(rate * seconds * 2) + 1000;
    load.took = calloc(max, sizeof *load.took);
    load.waiting = calloc(max, sizeof *load.waiting);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!load.took || !load.waiting || epoll < 0)
        die("memory");
    srand48(1);
    read_bodies(&load, argv[3], port, argv[2]);
    open_conns(&load, port, epoll);
    double took = run(&load, epoll, rate, seconds);
    if (!load.n_took)
        die("no request came");
    qsort(load.took, load.n_took, sizeof *load.took, compare);
    printf("%.3f %.3f %.3f %zu\n", (double)load.n_took / took, load.took[load.n_took / 2] * 1e3,
           load.took[load.n_took * 99 / 100] * 1e3, load.n_late);
    return 0;
}
