/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of clients that are too slow. The library ends a connection on which nothing moves; one that drips
 * a byte now and then would live for ever. One thread looks at all connections each second and shuts those
 * down that are over their time. When it finds that nothing has been looked up for a while, it gives back the
 * memory that only requests need.
 */
#ifndef PRECIS_SERVE_REAPER_H
#define PRECIS_SERVE_REAPER_H

#include "core/clock.h"
#include "core/err.h"

#include <stdatomic.h>

struct reaper;

/* One watched connection, embedded in its owner. */
struct reaper_watch {
    int fd;
    _Atomic int64_t until_us; /* monotonic; INT64_MAX: it is our turn, not the client's */
    struct reaper_watch *next, *prev;
};

int reaper_new(const struct clock *clock, struct reaper **ret_reaper, struct err_info *reterr);
/* No watch may be left. */
struct reaper *reaper_free(struct reaper *reaper);
/* fd and until_us set. The fd must stay open until reaper_remove. */
void reaper_add(struct reaper *reaper, struct reaper_watch *watch);
void reaper_remove(struct reaper *reaper, struct reaper_watch *watch);

#endif
