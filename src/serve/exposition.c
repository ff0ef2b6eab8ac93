/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/exposition.h"

void exposition_head(struct buf *buf, const char *name, const char *type, const char *help)
{
    buf_printf(buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void exposition_number(struct buf *buf, const char *name, const char *type, const char *help, double value)
{
    exposition_head(buf, name, type, help);
    buf_printf(buf, "%s %.17g\n", name, value);
}

void exposition_label(struct buf *buf, struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || value.ptr[i] == '\\')
            buf_append_byte(buf, '\\');
        buf_append_byte(buf, value.ptr[i] == '\n' ? ' ' : value.ptr[i]);
    }
}

void exposition_histogram(struct buf *buf, const char *name, const char *labels,
                          const struct histogram_counts *counts)
{
    uint64_t below = 0;

    if (counts->n == 0)
        return;
    for (int i = 0; i < HISTOGRAM_N_BOUNDS; i++) {
        below += counts->counts[i];
        buf_printf(buf, "%s_bucket{%s,le=\"%s\"} %llu\n", name, labels, histogram_bound_name(i),
                   (unsigned long long)below);
    }
    buf_printf(buf, "%s_bucket{%s,le=\"+Inf\"} %llu\n", name, labels, (unsigned long long)counts->n);
    buf_printf(buf, "%s_sum{%s} %.6f\n", name, labels, (double)counts->sum_us / 1e6);
    buf_printf(buf, "%s_count{%s} %llu\n", name, labels, (unsigned long long)counts->n);
}
