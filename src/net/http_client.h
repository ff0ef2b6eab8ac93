/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls to one HTTP server, each a blocking one on a thread that may wait, with a deadline it keeps. TLS
 * certificates are verified; no redirect is followed, no proxy of the environment is used, nothing is read
 * from a .netrc. Connections are kept between calls. Thread-safe.
 */
#ifndef PRECIS_NET_HTTP_CLIENT_H
#define PRECIS_NET_HTTP_CLIENT_H

#include "core/buf.h"
#include "core/err.h"
#include "net/loop.h"

struct http_client_options {
    const char *url;         /* http:// or https://, without a name and password */
    const char *key;         /* sent as `Authorization: Bearer KEY`; NULL: none. No error ever names it */
    size_t max_answer_bytes; /* of a body */
    size_t max_calls;        /* at once */
};

struct http_client;

/* Copies the options; connects to nothing. ERR_INVALID for a URL or a key that cannot be used. */
int http_client_new(const struct http_client_options *options, struct http_client **ret_client,
                    struct err_info *reterr);
/* No call may be under way. Accepts NULL; returns NULL. */
struct http_client *http_client_free(struct http_client *client);
/* "host:port", for messages. */
const char *http_client_place(const struct http_client *client);

struct http_call {
    struct str body;           /* JSON */
    int64_t deadline_us;       /* on the machine's monotonic clock */
    const struct net_job *job; /* the wait ends soon after it is cancelled; NULL: it never is */
};
/* POSTs the body and appends that of a 2xx answer to `answer`, whose own maximum holds, too. Returns within a
 * few milliseconds of the deadline at the latest. The sentence of an error names the place: ERR_TIMEOUT no
 * whole answer by the deadline ERR_CANCELLED    the job was ERR_UNAVAILABLE  no such host, connection refused
 * or closed, TLS that cannot be trusted ERR_REMOTE       another status than 2xx, an answer that is too large
 * or no HTTP ERR_LIMIT        max_calls are under way; nothing was sent */
int http_client_post(struct http_client *client, const struct http_call *call, struct buf *answer,
                     struct err_info *reterr);

#endif
