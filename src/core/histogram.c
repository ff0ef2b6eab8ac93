/* SPDX-License-Identifier: Apache-2.0 */
#include "core/histogram.h"

#include <stdatomic.h>

static const int64_t bounds_us[HISTOGRAM_N_BOUNDS] = {
    50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 5000000,
};
static const char *const bound_names[HISTOGRAM_N_BOUNDS] = {
    "0.00005", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005",
    "0.01",    "0.025",  "0.05",    "0.1",    "0.25",  "1",      "5",
};

void histogram_note(struct histogram *histogram, int64_t took_us)
{
    int i = 0;
    while (i < HISTOGRAM_N_BOUNDS && took_us > bounds_us[i])
        i++;
    atomic_fetch_add_explicit(&histogram->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, took_us > 0 ? (uint64_t)took_us : 0, memory_order_relaxed);
}

void histogram_read(const struct histogram *histogram, struct histogram_counts *ret_counts)
{
    ret_counts->n = 0;
    for (int i = 0; i <= HISTOGRAM_N_BOUNDS; i++) {
        ret_counts->counts[i] = atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
        ret_counts->n += ret_counts->counts[i];
    }
    ret_counts->sum_us = atomic_load_explicit(&histogram->sum_us, memory_order_relaxed);
}

const char *histogram_bound_name(int idx)
{
    return bound_names[idx];
}
