/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of the Prometheus text format.
 */
#ifndef PRECIS_SERVE_EXPOSITION_H
#define PRECIS_SERVE_EXPOSITION_H

#include "core/buf.h"
#include "core/histogram.h"

/* Once for each name, before its lines. */
void exposition_head(struct buf *buf, const char *name, const char *type, const char *help);
/* A name with one line, which has no label. */
void exposition_number(struct buf *buf, const char *name, const char *type, const char *help, double value);
/* A label's value, escaped. */
void exposition_label(struct buf *buf, struct str value);
/* labels: as they stand between braces. Nothing for a histogram that saw nothing: most combinations of labels
 * never happen. */
void exposition_histogram(struct buf *buf, const char *name, const char *labels,
                          const struct histogram_counts *counts);

#endif
