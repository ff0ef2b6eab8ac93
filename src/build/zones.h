/* SPDX-License-Identifier: Apache-2.0
 *
 * Time zones that builds have used lately, so that not each of them reads its file.
 */
#ifndef PRECIS_BUILD_ZONES_H
#define PRECIS_BUILD_ZONES_H

#include "core/civil.h"
#include "core/clock.h"

struct zones; /* thread-safe */

int zones_new(struct zones **ret_zones);
struct zones *zones_free(struct zones *zones); /* accepts NULL; returns NULL */

/* A zone in use, counted by reference. */
struct zone_use {
    const struct zone *zone;
    int n_refs; /* atomic */
};
/* Errors are zone_new's. The use is the caller's. */
int zones_get(struct zones *zones, const struct clock *clock, struct str name, struct zone_use **ret_use,
              struct err_info *reterr);
void zone_use_unref(void *use); /* accepts NULL */

#endif
