/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking a Redis server and waiting for the answer, on a thread that may wait, with a deadline: what the
 * shared tier does. A server that does not answer is left alone for a while (net/breaker.h). Thread-safe.
 */
#ifndef PRECIS_NET_REDIS_CLIENT_H
#define PRECIS_NET_REDIS_CLIENT_H

#include "net/breaker.h"
#include "net/redis.h"

struct redis_client_options {
    struct str url;     /* see net/redis.h */
    const char *prefix; /* of all keys; "" for none; copied */
    size_t max_conns;   /* 0: REDIS_CLIENT_MAX_CONNS */
    struct workers *connectors;
    const struct clock *clock;
};

#define REDIS_CLIENT_MAX_CONNS  16
#define REDIS_CLIENT_MAX_PREFIX 64

struct redis_client;

/* Connects to nothing. */
int redis_client_new(const struct redis_client_options *options, struct redis_client **ret_client,
                     struct err_info *reterr);
/* No call may be under way. Accepts NULL; returns NULL. */
struct redis_client *redis_client_free(struct redis_client *client);
const char *redis_client_place(const struct redis_client *client);

/* Appends the prefix, the name of what it is, and the tenant with its length, each ended by a colon: whatever
 * follows, no two tenants have a key in common. */
void redis_client_key(const struct redis_client *client, const char *what, struct str tenant,
                      struct buf *key);

/* Sends one command. *ret_reply lives in the arena; an error that the server sent is a reply, too.
 * ERR_UNAVAILABLE, ERR_TIMEOUT: it cannot be had; sent or not, it may have been run. A wait of less than 4 ms
 * that was in vain is not held against the server. */
int redis_client_call(struct redis_client *client, const struct str *args, size_t n, int64_t deadline_us,
                      struct arena *arena, struct resp *ret_reply, struct err_info *reterr);

/* A script that the server runs as a whole. Constant once made. */
struct redis_script {
    const char *text; /* borrowed */
    char sha1[41];    /* "": there is none, so the text is sent every time */
};
void redis_script_init(struct redis_script *script, const char *text);

/* Runs a script with one key: by its digest, and by its text when the server does not know it yet. An error
 * reply is an error here: ERR_REMOTE. */
int redis_client_run(struct redis_client *client, const struct redis_script *script, struct str key,
                     const struct str *args, size_t n_args, int64_t deadline_us, struct arena *arena,
                     struct resp *ret_reply, struct err_info *reterr);

/* Asks whether it answers; 0, or negative with the reason. Waits up to deadline_us. */
int redis_client_ping(struct redis_client *client, int64_t deadline_us, struct err_info *reterr);

struct redis_client_stats {
    uint64_t n_calls, n_failures; /* failures: no answer was had */
    struct pool_stats pool;
    struct breaker_stats breaker;
};
void redis_client_describe(struct redis_client *client, struct redis_client_stats *ret_stats);
/* Called after calls that had no answer, or a refusal to serve (LOADING, OOM, READONLY, MOVED, NOAUTH ...),
 * with the reason, and once when all is well again, with NULL: with an answer, 10 s after the last refusal.
 * From any thread; must not wait. Set while no call is under way; fn NULL: nobody. */
typedef void (*redis_client_observe_fn)(void *owner, const char *trouble);
void redis_client_observe(struct redis_client *client, redis_client_observe_fn observe, void *owner);
/* The sentence of the last failure or refusal, if that holds now; "" if it does not. */
void redis_client_trouble(struct redis_client *client, char ret_sentence[ERR_MESSAGE_SIZE]);

#endif
