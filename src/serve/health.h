/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the server can do its work. Connections are asked at most once in some seconds, however often
 * /readyz is.
 */
#ifndef PRECIS_SERVE_HEALTH_H
#define PRECIS_SERVE_HEALTH_H

#include "core/err.h"

#include <stddef.h>

struct health;

int health_new(size_t n_connections, struct health **ret_health, struct err_info *reterr);
struct health *health_free(struct health *health);

#endif
