/* SPDX-License-Identifier: Apache-2.0
 *
 * What the server counts, in the Prometheus text format: histograms of fixed size over labels that the
 * program and the recipes define, so that nobody's traffic can make them grow. No tenant and no user appears
 * in a label.
 */
#ifndef PRECIS_SERVE_METRICS_H
#define PRECIS_SERVE_METRICS_H

#include "build/build.h"
#include "core/buf.h"

struct metrics;
struct server;

/* recipes: borrowed, may be NULL. */
int metrics_new(const struct recipe_book *recipes, const struct clock *clock, struct metrics **ret_metrics,
                struct err_info *reterr);
struct metrics *metrics_free(struct metrics *metrics);

/* All of these are for any thread; none waits but metrics_section, and that only to log. */
void metrics_connection(struct metrics *metrics, int change);
/* A request came in; the pair of metrics_request. */
void metrics_request_began(struct metrics *metrics);
/* route: row in serve_routes, or -1 when it had none. */
void metrics_request(struct metrics *metrics, int route, unsigned status, int64_t took_us);
int64_t metrics_requests_active(const struct metrics *metrics);
void metrics_build(struct metrics *metrics, const struct build_outcome *outcome);
/* A build_observe_fn: counts the section, and warns in the log of a source that failed, at most once a minute
 * (failures.h). */
void metrics_section(void *metrics, const struct build_request *request, const struct recipe *recipe,
                     const struct section_report *report);
/* Whether the log should be told of a failure of `what`; see failures_note. */
bool metrics_is_news(struct metrics *metrics, struct str what, int code, struct str sentence,
                     uint64_t *ret_n);

/* Asks the store and the index for their numbers. */
void metrics_write(struct metrics *metrics, const struct server *server, struct buf *buf);
/* The part of it that tells of the connections; metrics_sources.c. */
void metrics_write_sources(const struct server *server, struct buf *buf);

#endif
