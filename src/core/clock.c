/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's clocks, and one that stands still for tests.
 */
#include "core/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * US_PER_SEC + now.tv_nsec / 1000;
}

static int64_t system_wall_us(const struct clock *clock)
{
    (void)clock;
    return read_us(CLOCK_REALTIME);
}

static int64_t system_mono_us(const struct clock *clock)
{
    (void)clock;
    return read_us(CLOCK_MONOTONIC);
}

const struct clock clock_system = {system_wall_us, system_mono_us};

/* Atomic, because a test may move the clock while other threads read it. */
static int64_t manual_wall_us(const struct clock *clock)
{
    return __atomic_load_n(&((const struct clock_manual *)clock)->wall_us, __ATOMIC_RELAXED);
}

static int64_t manual_mono_us(const struct clock *clock)
{
    return __atomic_load_n(&((const struct clock_manual *)clock)->mono_us, __ATOMIC_RELAXED);
}

void clock_manual_init(struct clock_manual *clock, int64_t wall_us, int64_t mono_us)
{
    *clock = (struct clock_manual){{manual_wall_us, manual_mono_us}, wall_us, mono_us};
}

void clock_manual_advance(struct clock_manual *clock, int64_t by_us)
{
    __atomic_fetch_add(&clock->wall_us, by_us, __ATOMIC_RELAXED);
    __atomic_fetch_add(&clock->mono_us, by_us, __ATOMIC_RELAXED);
}
