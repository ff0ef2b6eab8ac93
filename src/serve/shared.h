/* SPDX-License-Identifier: Apache-2.0
 *
 * What the server tells of the shared tier: in the log, in /readyz and in /metrics.
 */
#ifndef PRECIS_SERVE_SHARED_H
#define PRECIS_SERVE_SHARED_H

#include "core/buf.h"
#include "net/redis_client.h"

struct shared_watch;

/* Watches the client until freed: a failure is logged, at most once a minute, and so is its end. */
int shared_watch_new(struct redis_client *client, const struct clock *clock, struct shared_watch **ret_watch,
                     struct err_info *reterr);
struct shared_watch *shared_watch_free(struct shared_watch *watch); /* accepts NULL; returns NULL */

#endif
