/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to one HTTP server that wait in a build's poll loop. A server's connections are kept between
 * builds: each question takes a whole one from the server's pool and gives it back whole; one with an answer
 * outstanding is closed. TLS certificates are verified; no redirect is followed, no proxy of the environment
 * is used, nothing is read from a .netrc. A server is thread-safe, a fetch belongs to its loop's thread.
 *
 * A request must be one that may be sent twice: when a kept connection turns out to be dead before a byte of
 * the answer came, it is sent again, once, on a new one.
 */
#ifndef PRECIS_NET_HTTP_FETCH_H
#define PRECIS_NET_HTTP_FETCH_H

#include "core/buf.h"
#include "net/loop.h"
#include "net/pool.h"

struct http_header {
    const char *name, *value;
};

struct http_server_options {
    const char *name;       /* of the connection, for messages */
    const char *url;        /* http:// or https://, without a name and password, query or fragment */
    const char *key;        /* NULL: none. No error ever names it */
    const char *key_prefix; /* what stands before it: "Authorization: Bearer", "api-key:" */
    const struct http_header *headers;
    size_t n_headers;
    const char *ca;      /* the file with the authority whose certificates are trusted; NULL: the system's */
    bool accepts_packed; /* lets the server compress its answers */
    size_t max_conns;
    int64_t connect_timeout_us;
    int64_t idle_timeout_us;
    struct workers *connectors; /* outlives the server */
    const struct clock *clock;
};

struct http_server;

/* Copies the options; connects to nothing. ERR_INVALID with the field `url`, `key` or `headers` for what
 * cannot be used. */
int http_server_new(const struct http_server_options *options, struct http_server **ret_server,
                    struct err_info *reterr);
/* No request may be under way. Accepts NULL; returns NULL. */
struct http_server *http_server_free(struct http_server *server);
/* "host:port", for messages. */
const char *http_server_place(const struct http_server *server);
struct pool_stats http_server_stats(struct http_server *server);

/* All borrowed until the answer is there. */
struct http_request {
    const char *method;      /* "GET"; NULL: POST where there is a body */
    struct str target;       /* path and query, after the path of the server's URL */
    struct str body;         /* JSON; {NULL, 0}: none */
    size_t max_answer_bytes; /* of the body, as unpacked */
};

#define HTTP_FETCH_WATCHES                                                                                   \
    4 /* sockets of one request at once: looking up, and connecting to two addresses                         \
       */

struct http_fetch {
    /* the caller's. Called once for each start, on the loop's thread and never inside http_fetch_start: 0
     * with status and body, whatever the status; ERR_UNAVAILABLE the server could not be reached; ERR_REMOTE
     * it sent no HTTP, or more than the maximum. It may start again, or end the fetch. */
    void (*on_done)(struct http_fetch *fetch, int result, const struct err_info *err);
    void *owner;
    /* the answer, until the next start or the end */
    long status;
    struct buf body;
    bool has_heard; /* some of an answer came */
    /* its own */
    struct http_server *server;
    struct net_loop *loop;
    struct http_request request;
    struct http_conn *conn;
    struct pool_wait wait;
    bool is_waiting, is_under_way, is_too_large;
    size_t n_header_bytes;
    int failed; /* it could not start */
    struct err_info err;
    struct net_op main; /* the pool's descriptor, then the library's timer */
    struct net_op watches[HTTP_FETCH_WATCHES];
};

/* Starts asking. fetch is zeroed but for on_done and owner, or had its on_done. Negative: it could not start,
 * and on_done will not be called. Who asks keeps the deadline, by http_fetch_end. */
int http_fetch_start(struct http_server *server, struct net_loop *loop, const struct http_request *request,
                     struct http_fetch *fetch, struct err_info *reterr);
/* Lets go of everything; what is under way is broken off. Accepts a zeroed one and a second call. */
void http_fetch_end(struct http_fetch *fetch);

/* Asks and waits, on a thread that may wait. fetch is zeroed; its answer stands until http_fetch_end, which
 * is due in any case. ERR_TIMEOUT after deadline_us (monotonic). */
int http_fetch_wait(struct http_server *server, const struct http_request *request, int64_t deadline_us,
                    struct http_fetch *fetch, struct err_info *reterr);

#endif
