/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the Redis client share.
 */
#ifndef PRECIS_NET_REDIS_PRIV_H
#define PRECIS_NET_REDIS_PRIV_H

#include "net/redis.h"
#include "net/tls.h"

#define REDIS_READ_BYTES (16 * 1024) /* at a time */

struct redis_server {
    const struct clock *clock;
    char *host, *port, *socket; /* socket: instead of the other two */
    char *user, *password;      /* NULL: none */
    char *place, *authority;
    int64_t db;
    bool is_tls;
    struct tls_trust *trust;
};

/* Fills a zeroed server, all but trust. */
int redis_url_parse(struct str url, struct redis_server *server, struct err_info *reterr);

struct redis_conn {
    const struct redis_server *server;
    int fd;
    struct tls *tls;
    struct buf out;
    size_t n_sent; /* of out */
    struct buf in;
    size_t n_taken; /* of in */
    struct resp_scan scan;
    size_t reply_len; /* of a whole reply whose mark has not come yet; 0: none */
    size_t n_due;     /* replies, each with its mark */
    uint64_t mark_seed, n_asked, n_answered;
    bool has_heard;
};

#endif
