/* SPDX-License-Identifier: Apache-2.0
 *
 * Time behind a seam that tests can set. Wall time is microseconds since 1970-01-01T00:00:00Z and
 * may jump; monotonic time is microseconds since an arbitrary start and never goes back: deadlines
 * and lifetimes use the latter.
 */
#ifndef PRECIS_CORE_CLOCK_H
#define PRECIS_CORE_CLOCK_H

#include <stdint.h>

#define US_PER_MS  INT64_C(1000)
#define US_PER_SEC INT64_C(1000000)

struct clock {
    int64_t (*wall_us)(const struct clock *clock);
    int64_t (*mono_us)(const struct clock *clock);
};

/* The machine's clocks. */
extern const struct clock clock_system;

/* A clock that stands still until a test moves it; `base` must stay first. */
struct clock_manual {
    struct clock base;
    int64_t wall_us;
    int64_t mono_us;
};

void clock_manual_init(struct clock_manual *clock, int64_t wall_us, int64_t mono_us);
void clock_manual_advance(struct clock_manual *clock, int64_t by_us);

static inline int64_t clock_wall_us(const struct clock *clock)
{
    return clock->wall_us(clock);
}

static inline int64_t clock_mono_us(const struct clock *clock)
{
    return clock->mono_us(clock);
}

#endif
