/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to a Redis or Valkey server: made on a worker (they are logged in when they come), then driven
 * without waiting. Any number of commands goes out before the first reply comes back; replies come in the
 * order of the commands. RESP does not say which reply is whose, and one too many or too few would give each
 * question the answer of another. So a mark, PING with a text of its own, goes behind every command, and a
 * reply counts only when its own mark comes behind it.
 */
#ifndef PRECIS_NET_REDIS_H
#define PRECIS_NET_REDIS_H

#include "core/clock.h"
#include "net/pool.h"
#include "net/resp.h"

#define REDIS_MAX_PENDING (4 * 1024 * 1024) /* bytes of commands not sent yet, of one connection */

/* Where it is and how to log in. Immutable; outlives its connections. */
struct redis_server;

/* redis://[user][:password]@host[:port][/db], rediss:// the same with TLS,
 * redis+unix://[user:password@]/path, with ?db=N, ?socket=PATH (instead of host and port), ?ca=FILE (the
 * authority to trust; otherwise the system's). Parts are percent-decoded. Connects to nothing. No error
 * repeats the URL. */
int redis_server_new(struct str url, const struct clock *clock, struct redis_server **ret_server,
                     struct err_info *reterr);
struct redis_server *redis_server_free(struct redis_server *server); /* accepts NULL; returns NULL */
/* "host:port" or the socket's path: what messages say. */
const char *redis_server_place(const struct redis_server *server);

/* For a pool whose `server` is a struct redis_server; its connections are struct redis_conn. */
extern const struct pool_ops redis_pool_ops;

struct redis_conn;

int redis_conn_fd(const struct redis_conn *conn);
/* What to poll for: POLLIN, and POLLOUT while something is unsent. */
short redis_conn_events(const struct redis_conn *conn);
/* Queues a command, whose reply is due then; ERR_LIMIT, ERR_NOMEM leave the connection as it was. */
int redis_conn_ask(struct redis_conn *conn, const struct str *args, size_t n, struct err_info *reterr);
/* The same for a command already in RESP. */
int redis_conn_ask_raw(struct redis_conn *conn, struct str command, struct err_info *reterr);
/* Sends and receives what can be without waiting. 1: there may be more, to be received once what is there was
 * taken. Negative: it is of no use any more; replies that came before that can still be taken. */
int redis_conn_step(struct redis_conn *conn, struct err_info *reterr);
/* The next reply: 0 with *ret_resp, which holds until the next call for this connection; 1 none is whole yet;
 * negative: the connection is of no use any more. ERR_UNAVAILABLE: what came is not the reply to what was
 * asked, which is no fault of the question. */
int redis_conn_take(struct redis_conn *conn, struct arena *arena, struct resp *ret_resp,
                    struct err_info *reterr);
/* True when every reply was taken and nothing else came: it may go back to its pool. */
bool redis_conn_is_whole(const struct redis_conn *conn);
/* True when bytes have come since the first of the commands under way was asked. */
bool redis_conn_has_heard(const struct redis_conn *conn);

/* Waits for the next reply, up to deadline_us; otherwise as redis_conn_take. ERR_TIMEOUT. */
int redis_conn_wait(struct redis_conn *conn, int64_t deadline_us, struct arena *arena, struct resp *ret_resp,
                    struct err_info *reterr);

/* The sentence for an error that a server sent, in words; always ERR_REMOTE. */
int redis_error(struct str error, struct err_info *reterr);

#endif
