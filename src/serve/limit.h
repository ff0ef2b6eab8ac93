/* SPDX-License-Identifier: Apache-2.0
 *
 * How many requests one user of a tenant may make of one route: at most `n` in any stretch of `period_us`,
 * wherever it begins. Counted in this process, and, where there is a Redis server for it, in all processes
 * together.
 */
#ifndef PRECIS_SERVE_LIMIT_H
#define PRECIS_SERVE_LIMIT_H

#include "core/clock.h"
#include "core/err.h"
#include "net/redis_client.h"

struct limit_rate {
    int64_t n; /* 0: no limit */
    int64_t period_us;
};

#define LIMIT_MAX_RATE 1000000

/* "600/m", "10/s", "1000/h", "5/10s". */
int limit_rate_parse(struct str text, struct limit_rate *ret_rate, struct err_info *reterr);

/* Whose requests are counted together. */
struct limit_subject {
    struct str tenant, user, route;
};

struct limit_verdict {
    bool is_allowed;
    int64_t n_left;
    int64_t wait_us; /* until one more is allowed; 0 when one is now */
};

struct limiter;

/* client: borrowed; NULL: this process counts for itself alone. */
int limiter_new(struct limit_rate rate, struct redis_client *client, const struct clock *clock,
                struct limiter **ret_limiter, struct err_info *reterr);
struct limiter *limiter_free(struct limiter *limiter); /* accepts NULL; returns NULL */
struct limit_rate limiter_rate(const struct limiter *limiter);
bool limiter_is_shared(const struct limiter *limiter);

/* Counts one request in this process. Does not wait. */
struct limit_verdict limiter_count(struct limiter *limiter, const struct limit_subject *subject);
/* Counts one that limiter_count allowed among all processes; may wait a little. When the server does not
 * answer, `own`, this process's own verdict, stands. */
struct limit_verdict limiter_count_shared(struct limiter *limiter, const struct limit_subject *subject,
                                          struct limit_verdict own);

struct limit_stats {
    uint64_t n_allowed, n_refused;
    uint64_t n_alone; /* decided without the others, as the server did not answer */
};
void limiter_describe(const struct limiter *limiter, struct limit_stats *ret_stats);

#endif
