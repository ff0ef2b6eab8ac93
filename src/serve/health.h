/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the server can do its work. Connections are asked at most once in some seconds, however often
 * /readyz is, all at once and on threads of their own: one that hangs is waited for no longer than the bound,
 * and keeps nobody else from answering.
 */
#ifndef PRECIS_SERVE_HEALTH_H
#define PRECIS_SERVE_HEALTH_H

#include "core/clock.h"
#include "core/err.h"
#include "net/redis_client.h"
#include "source/source.h"

struct health;

/* Borrows the connections and the shared tier (NULL: there is none); they outlive it. Asks nothing yet. */
int health_new(struct source *const *connections, size_t n_connections, struct redis_client *shared,
               const struct clock *clock, struct health **ret_health, struct err_info *reterr);
/* Waits for questions under way. Accepts NULL; returns NULL. */
struct health *health_free(struct health *health);

#endif
