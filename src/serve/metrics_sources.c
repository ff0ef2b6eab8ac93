/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of /metrics that tells of the connections: what was asked of each, how its pool is and its
 * breaker. A connection's name is the configuration's; nothing of a request is in a label.
 */
#include "serve/exposition.h"
#include "serve/serve_priv.h"

#include <stdio.h>

/* One metric: its line for a connection is a number of that connection's. */
struct row {
    const char *name, *type, *help;
    double (*value)(const struct source_stats *stats);
};

static double pool_max(const struct source_stats *stats)
{
    return (double)stats->pool.max_conns;
}

static double pool_open(const struct source_stats *stats)
{
    return (double)stats->pool.n_open;
}

static double pool_idle(const struct source_stats *stats)
{
    return (double)stats->pool.n_idle;
}

static double pool_connecting(const struct source_stats *stats)
{
    return (double)stats->pool.n_connecting;
}

static double pool_waiting(const struct source_stats *stats)
{
    return (double)stats->pool.n_waiting;
}

static double pool_takes(const struct source_stats *stats)
{
    return (double)stats->pool.n_takes;
}

static double pool_waits(const struct source_stats *stats)
{
    return (double)stats->pool.n_waits;
}

static double pool_waited(const struct source_stats *stats)
{
    return (double)stats->pool.waited_us / 1e6;
}

static double pool_connects(const struct source_stats *stats)
{
    return (double)stats->pool.n_connects;
}

static double pool_connect_failures(const struct source_stats *stats)
{
    return (double)stats->pool.n_connect_failures;
}

static double pool_drops(const struct source_stats *stats)
{
    return (double)stats->pool.n_drops;
}

static const struct row pool_rows[] = {
    {"precis_pool_max_connections", "gauge", "Connections it may have.", pool_max},
    {"precis_pool_open_connections", "gauge", "Connections it has.", pool_open},
    {"precis_pool_idle_connections", "gauge", "Of these not in use.", pool_idle},
    {"precis_pool_connecting", "gauge", "Attempts to connect under way.", pool_connecting},
    {"precis_pool_waiting", "gauge", "Builds that wait for a connection.", pool_waiting},
    {"precis_pool_takes_total", "counter", "Times a connection was wanted.", pool_takes},
    {"precis_pool_waits_total", "counter", "Of these when none was idle.", pool_waits},
    {"precis_pool_wait_seconds_total", "counter", "All waits together.", pool_waited},
    {"precis_pool_connects_total", "counter", "Connections made.", pool_connects},
    {"precis_pool_connect_failures_total", "counter", "Attempts to connect that failed.",
     pool_connect_failures},
    {"precis_pool_drops_total", "counter", "Connections closed as broken or with an answer outstanding.",
     pool_drops},
};

static double breaker_open(const struct source_stats *stats)
{
    return stats->breaker.is_open;
}

static double breaker_openings(const struct source_stats *stats)
{
    return (double)stats->breaker.n_openings;
}

static double breaker_refusals(const struct source_stats *stats)
{
    return (double)stats->breaker.n_refusals;
}

static const struct row breaker_rows[] = {
    {"precis_breaker_open", "gauge", "1 while it is not asked, since it did not answer.", breaker_open},
    {"precis_breaker_openings_total", "counter", "Times that began.", breaker_openings},
    {"precis_breaker_refusals_total", "counter", "Questions that were not asked meanwhile.",
     breaker_refusals},
};

static bool has_pool(const struct source_stats *stats)
{
    return stats->has_pool;
}

static bool has_breaker(const struct source_stats *stats)
{
    return stats->has_breaker;
}

static void write_rows(const struct server *server, const struct row *rows, size_t n_rows,
                       bool (*has)(const struct source_stats *stats), struct buf *buf)
{
    struct source_stats stats;

    for (size_t i = 0; i < n_rows; i++) {
        exposition_head(buf, rows[i].name, rows[i].type, rows[i].help);
        for (size_t k = 0; k < server->options.n_connections; k++) {
            source_stats(server->options.connections[k], &stats);
            if (has(&stats))
                buf_printf(buf, "%s{source=\"%s\"} %.17g\n", rows[i].name,
                           source_name(server->options.connections[k]), rows[i].value(&stats));
        }
    }
}

static void write_questions(const struct server *server, struct buf *buf)
{
    static const char name[] = "precis_source_questions_total";
    struct source_stats stats;

    exposition_head(buf, name, "counter", "Questions to a source, by how they ended.");
    for (size_t k = 0; k < server->options.n_connections; k++) {
        source_stats(server->options.connections[k], &stats);
        for (int outcome = 0; outcome < SOURCE_N_OUTCOMES; outcome++)
            buf_printf(buf, "%s{source=\"%s\",outcome=\"%s\"} %llu\n", name,
                       source_name(server->options.connections[k]),
                       source_outcome_name((enum source_outcome)outcome),
                       (unsigned long long)stats.n_by_outcome[outcome]);
    }
}

static void write_seconds(const struct server *server, struct buf *buf)
{
    static const char name[] = "precis_source_seconds";
    struct source_stats stats;
    char labels[128];

    exposition_head(buf, name, "histogram", "Time a question to a source took, refused ones left out.");
    for (size_t k = 0; k < server->options.n_connections; k++) {
        source_stats(server->options.connections[k], &stats);
        (void)snprintf(labels, sizeof labels, "source=\"%s\"", source_name(server->options.connections[k]));
        exposition_histogram(buf, name, labels, &stats.took);
    }
}

void metrics_write_sources(const struct server *server, struct buf *buf)
{
    if (server->options.n_connections == 0)
        return;
    write_questions(server, buf);
    write_seconds(server, buf);
    write_rows(server, pool_rows, sizeof pool_rows / sizeof *pool_rows, has_pool, buf);
    write_rows(server, breaker_rows, sizeof breaker_rows / sizeof *breaker_rows, has_breaker, buf);
}
