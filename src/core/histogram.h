/* SPDX-License-Identifier: Apache-2.0
 *
 * How long things took, in a fixed number of classes, so that counting never grows. Noted from any thread;
 * every number is a relaxed atomic: a reader may see one a moment earlier than another.
 */
#ifndef PRECIS_CORE_HISTOGRAM_H
#define PRECIS_CORE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_N_BOUNDS 14 /* 50 microseconds to 5 seconds */

/* Zeroed to begin with. */
struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_N_BOUNDS + 1]; /* the last: beyond every bound */
    _Atomic uint64_t sum_us;
};

struct histogram_counts {
    uint64_t counts[HISTOGRAM_N_BOUNDS + 1]; /* up to this bound and beyond the one before */
    uint64_t n, sum_us;
};

void histogram_note(struct histogram *histogram, int64_t took_us);
void histogram_read(const struct histogram *histogram, struct histogram_counts *ret_counts);
/* A bound in seconds, as text: "0.00025". idx below HISTOGRAM_N_BOUNDS. */
const char *histogram_bound_name(int idx);

#endif
