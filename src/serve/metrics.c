/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting. Every counter is a relaxed atomic: a reader may see one of two related counters a moment earlier
 * than the other, and nothing else depends on them.
 */
#include "serve/metrics.h"

#include "core/histogram.h"
#include "core/log.h"
#include "core/mem.h"
#include "serve/exposition.h"
#include "serve/failures.h"
#include "serve/serve_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define N_CLASSES  5 /* 1xx to 5xx */
#define N_STATUSES (SECTION_DROPPED + 1)
#define N_OUTCOMES 5

struct section_metrics {
    struct histogram by_status[N_STATUSES];
};

struct recipe_metrics {
    const struct recipe *recipe;
    struct section_metrics *sections;
};

struct metrics {
    const struct clock *clock;
    int64_t started_us; /* wall clock */
    _Atomic int64_t n_connections, n_active;
    size_t n_routes; /* of the table; one more row stands for requests without a route */
    struct histogram (*requests)[N_CLASSES];
    struct histogram builds[N_OUTCOMES];
    struct recipe_metrics *recipes;
    size_t n_recipes;
    struct failures *failures;
};

static int make_recipes(struct metrics *metrics, const struct recipe_book *recipes)
{
    if (!recipes || recipes->n == 0)
        return 0;
    metrics->recipes = mem_calloc(recipes->n, sizeof *metrics->recipes);
    if (!metrics->recipes)
        return ERR_NOMEM;
    metrics->n_recipes = recipes->n;
    for (size_t i = 0; i < recipes->n; i++) {
        const struct recipe *recipe = recipes->recipes[i];
        metrics->recipes[i].recipe = recipe;
        metrics->recipes[i].sections = mem_calloc(recipe->n_sections + 1, sizeof(struct section_metrics));
        if (!metrics->recipes[i].sections)
            return ERR_NOMEM;
    }
    return 0;
}

int metrics_new(const struct recipe_book *recipes, const struct clock *clock, struct metrics **ret_metrics,
                struct err_info *reterr)
{
    struct metrics *metrics = mem_calloc(1, sizeof *metrics);
    int rc = ERR_NOMEM;

    if (!metrics)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    metrics->clock = clock;
    metrics->started_us = clock_wall_us(clock);
    while (serve_routes[metrics->n_routes].path)
        metrics->n_routes++;
    metrics->requests = mem_calloc(metrics->n_routes + 1, sizeof *metrics->requests);
    if (metrics->requests)
        rc = failures_new(clock, &metrics->failures, NULL);
    if (rc == 0)
        rc = make_recipes(metrics, recipes);
    if (rc < 0) {
        metrics_free(metrics);
        return err_set(reterr, rc, "out of memory");
    }
    *ret_metrics = metrics;
    return 0;
}

struct metrics *metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return NULL;
    for (size_t i = 0; i < metrics->n_recipes; i++)
        mem_free(metrics->recipes[i].sections);
    mem_free(metrics->recipes);
    mem_free(metrics->requests);
    metrics->failures = failures_free(metrics->failures);
    return mem_free(metrics);
}

void metrics_connection(struct metrics *metrics, int change)
{
    atomic_fetch_add_explicit(&metrics->n_connections, change, memory_order_relaxed);
}

void metrics_request_began(struct metrics *metrics)
{
    atomic_fetch_add_explicit(&metrics->n_active, 1, memory_order_relaxed);
}

void metrics_request(struct metrics *metrics, int route, unsigned status, int64_t took_us)
{
    size_t row = route < 0 || (size_t)route >= metrics->n_routes ? metrics->n_routes : (size_t)route;

    /* Sequentially consistent, as is what a stop does: of "it is draining" here and "one is under way" there
     * at least one is seen, or the stop would wait in vain. */
    atomic_fetch_sub(&metrics->n_active, 1);
    if (status >= 100 && status < 600)
        histogram_note(&metrics->requests[row][status / 100 - 1], took_us);
}

int64_t metrics_requests_active(const struct metrics *metrics)
{
    return atomic_load(&metrics->n_active);
}

void metrics_build(struct metrics *metrics, const struct build_outcome *outcome)
{
    if ((size_t)outcome->cache < N_OUTCOMES)
        histogram_note(&metrics->builds[outcome->cache], outcome->took_us);
}

/* ---- sections ---- */

static struct section_metrics *find_section(struct metrics *metrics, const struct recipe *recipe,
                                            struct str name)
{
    for (size_t i = 0; i < metrics->n_recipes; i++) {
        if (metrics->recipes[i].recipe != recipe)
            continue;
        for (size_t k = 0; k < recipe->n_sections; k++)
            if (str_eq(recipe->sections[k].step.name, name))
                return &metrics->recipes[i].sections[k];
    }
    return NULL;
}

static void warn_of(struct metrics *metrics, const struct build_request *request, const struct recipe *recipe,
                    const struct section_report *report)
{
    uint64_t n;

    if (failures_note(metrics->failures, report->from, report->error_code, report->error, &n))
        log_event(LOG_WARN, "section failed", LOG_STR("source", report->from),
                  LOG_STR("recipe", recipe->name), LOG_STR("section", report->name),
                  LOG_CSTR("status", section_status_name(report->status)), LOG_STR("error", report->error),
                  LOG_INT("took_us", report->took_us), LOG_INT("times", (int64_t)n),
                  LOG_STR("request_id", request->request_id), LOG_END);
}

void metrics_section(void *owner, const struct build_request *request, const struct recipe *recipe,
                     const struct section_report *report)
{
    struct metrics *metrics = owner;
    struct section_metrics *section = find_section(metrics, recipe, report->name);

    if (!section || (size_t)report->status >= N_STATUSES)
        return;
    histogram_note(&section->by_status[report->status], report->took_us);
    if (report->status == SECTION_FAILED || report->status == SECTION_TIMEOUT ||
        report->status == SECTION_STALE)
        warn_of(metrics, request, recipe, report);
}

bool metrics_is_news(struct metrics *metrics, struct str what, int code, struct str sentence, uint64_t *ret_n)
{
    return failures_note(metrics->failures, what, code, sentence, ret_n);
}

/* ---- writing ---- */

static void write_histogram(struct buf *buf, const char *name, const char *labels,
                            const struct histogram *histogram)
{
    struct histogram_counts counts;

    histogram_read(histogram, &counts);
    exposition_histogram(buf, name, labels, &counts);
}

static void write_requests(struct metrics *metrics, struct buf *buf)
{
    char labels[160];

    exposition_head(buf, "precis_request_seconds", "histogram", "Time from request line to reply.");
    for (size_t row = 0; row <= metrics->n_routes; row++)
        for (int class = 0; class < N_CLASSES; class ++) {
            bool has_route = row < metrics->n_routes;
            (void)snprintf(labels, sizeof labels, "method=\"%s\",route=\"%s\",status=\"%dxx\"",
                           has_route ? route_method_name(serve_routes[row].method) : "other",
                           has_route ? serve_routes[row].path : "none", class + 1);
            write_histogram(buf, "precis_request_seconds", labels, &metrics->requests[row][class]);
        }
}

static void write_builds(struct metrics *metrics, struct buf *buf)
{
    char labels[64];

    exposition_head(buf, "precis_build_seconds", "histogram", "Time a context took, by what the cache had.");
    for (int cache = 0; cache < N_OUTCOMES; cache++) {
        struct build_outcome outcome = {.cache = (unsigned)cache};
        (void)snprintf(labels, sizeof labels, "cache=\"%s\"", build_cache_name(&outcome));
        write_histogram(buf, "precis_build_seconds", labels, &metrics->builds[cache]);
    }
}

static void write_recipe_sections(const struct recipe_metrics *of, struct buf *labels, struct buf *buf)
{
    for (size_t k = 0; k < of->recipe->n_sections; k++)
        for (int status = 0; status < N_STATUSES; status++) {
            buf_clear(labels);
            buf_append_text(labels, "recipe=\"");
            exposition_label(labels, of->recipe->name);
            buf_append_text(labels, "\",section=\"");
            exposition_label(labels, of->recipe->sections[k].step.name);
            buf_printf(labels, "\",status=\"%s\"", section_status_name((enum section_status)status));
            if (buf_error(labels) == 0)
                write_histogram(buf, "precis_section_seconds", labels->data,
                                &of->sections[k].by_status[status]);
        }
}

static void write_sections(struct metrics *metrics, struct buf *buf)
{
    struct buf labels;

    exposition_head(buf, "precis_section_seconds", "histogram",
                    "Time a section took in builds that were not cached.");
    buf_init(&labels, 4096);
    for (size_t i = 0; i < metrics->n_recipes; i++)
        write_recipe_sections(&metrics->recipes[i], &labels, buf);
    buf_done(&labels);
}

static void write_cache(const struct server *server, struct buf *buf)
{
    struct build_cache_stats stats;

    build_cache_describe(server->options.engine, &stats);
    exposition_number(buf, "precis_cache_entries", "gauge", "Contexts in the cache.",
                      (double)stats.n_entries);
    exposition_number(buf, "precis_cache_bytes", "gauge", "Bytes they take.", (double)stats.bytes);
    exposition_number(buf, "precis_cache_hits_total", "counter", "Contexts answered from the cache.",
                      (double)stats.n_hits);
    exposition_number(buf, "precis_cache_misses_total", "counter", "Contexts built anew.",
                      (double)stats.n_misses);
    exposition_number(buf, "precis_cache_stale_total", "counter",
                      "Expired contexts served because a source failed.", (double)stats.n_stale);
    exposition_number(buf, "precis_cache_shared_total", "counter", "Requests that joined a build under way.",
                      (double)stats.n_shared);
    exposition_number(buf, "precis_cache_evicted_total", "counter", "Contexts that made room for others.",
                      (double)stats.n_evicted);
    exposition_number(buf, "precis_cache_expired_total", "counter", "Contexts dropped at their end of life.",
                      (double)stats.n_expired);
}

static void write_far_cache(const struct server *server, struct buf *buf)
{
    struct build_cache_stats stats;

    build_cache_describe(server->options.engine, &stats);
    if (!stats.has_far)
        return;
    exposition_number(buf, "precis_far_cache_hits_total", "counter", "Contexts that the shared cache had.",
                      (double)stats.n_far_hits);
    exposition_number(buf, "precis_far_cache_misses_total", "counter", "Contexts that it had not.",
                      (double)stats.n_far_misses);
    exposition_number(buf, "precis_far_cache_failed_total", "counter",
                      "Questions and writes to it without an answer in time.", (double)stats.n_far_failed);
    exposition_number(buf, "precis_far_cache_refused_total", "counter",
                      "Entries that were not ours, or damaged, and not used.", (double)stats.n_far_refused);
    exposition_number(buf, "precis_far_cache_written_total", "counter", "Contexts written to it.",
                      (double)stats.n_far_written);
    exposition_number(buf, "precis_far_cache_dropped_total", "counter",
                      "Contexts not written, as too much was waiting or they were too large.",
                      (double)stats.n_far_dropped);
}

static void write_store(const struct server *server, struct buf *buf)
{
    struct store_info info;
    struct search_stats index;

    if (store_describe(server->options.store, &info, NULL) == 0) {
        exposition_number(buf, "precis_store_commits_total", "counter", "Group commits.",
                          (double)info.n_commits);
        exposition_number(buf, "precis_store_writes_total", "counter", "Writes in them.",
                          (double)info.n_writes);
        exposition_number(buf, "precis_store_bytes", "gauge", "Size of the store.", (double)info.size_bytes);
        exposition_number(buf, "precis_store_wal_bytes", "gauge", "Size of its write-ahead log.",
                          (double)info.wal_bytes);
    }
    memory_describe(server->options.memory, &index);
    exposition_number(buf, "precis_index_partitions", "gauge", "Users whose index is resident.",
                      (double)index.n_partitions);
    exposition_number(buf, "precis_index_documents", "gauge", "Rows in the resident indexes.",
                      (double)index.n_docs);
    exposition_number(buf, "precis_index_bytes", "gauge", "Bytes they take.", (double)index.bytes);
    exposition_number(buf, "precis_index_loading", "gauge", "Users whose index is still being loaded.",
                      (double)index.n_loading);
    exposition_number(buf, "precis_index_repairs_total", "counter",
                      "Indexes built anew because their number of rows was not the store's.",
                      (double)index.n_repairs);
    exposition_number(buf, "precis_index_loads_total", "counter", "Times that changes were taken in.",
                      (double)index.n_loads);
    exposition_number(buf, "precis_index_evictions_total", "counter", "Indexes dropped to make room.",
                      (double)index.n_evictions);
}

static void write_rerank(const struct server *server, struct buf *buf)
{
    struct rerank_stats stats;

    memory_describe_rerank(server->options.memory, &stats);
    exposition_number(buf, "precis_rerank_calls_total", "counter", "Requests to the re-ranker.",
                      (double)stats.n_calls);
    exposition_number(buf, "precis_rerank_failures_total", "counter",
                      "Of these without a good answer in time.", (double)stats.n_failures);
    exposition_number(buf, "precis_rerank_skipped_total", "counter",
                      "Searches that did not ask it: no time left, or it rested after failures.",
                      (double)stats.n_skipped);
}

static void write_limits(const struct server *server, struct buf *buf)
{
    struct limit_stats stats;

    if (!server->limiter)
        return;
    limiter_describe(server->limiter, &stats);
    exposition_number(buf, "precis_limit_allowed_total", "counter", "Requests within their user's rate.",
                      (double)stats.n_allowed);
    exposition_number(buf, "precis_limit_refused_total", "counter", "Requests beyond it, answered with 429.",
                      (double)stats.n_refused);
    exposition_number(buf, "precis_limit_alone_total", "counter",
                      "Requests decided by this server alone, as the shared tier did not answer.",
                      (double)stats.n_alone);
}

static void write_shared(const struct server *server, struct buf *buf)
{
    struct redis_client_stats stats;

    if (!server->options.shared)
        return;
    redis_client_describe(server->options.shared, &stats);
    exposition_number(buf, "precis_shared_up", "gauge",
                      "1 while the shared tier is asked, 0 while it rests after failures.",
                      stats.breaker.is_open ? 0 : 1);
    exposition_number(buf, "precis_shared_calls_total", "counter", "Questions to the shared tier.",
                      (double)stats.n_calls);
    exposition_number(buf, "precis_shared_failures_total", "counter", "Of these without an answer in time.",
                      (double)stats.n_failures);
    exposition_number(buf, "precis_shared_connections", "gauge", "Open connections to it.",
                      (double)stats.pool.n_open);
}

/* Resident bytes, or 0 where the kernel does not say. */
static double resident_bytes(void)
{
    char text[128];
    long n_pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    if (sscanf(text, "%*s %ld", &n_pages) != 1)
        return 0;
    return (double)n_pages * (double)sysconf(_SC_PAGESIZE);
}

void metrics_write(struct metrics *metrics, const struct server *server, struct buf *buf)
{
    write_requests(metrics, buf);
    write_builds(metrics, buf);
    write_sections(metrics, buf);
    write_cache(server, buf);
    write_store(server, buf);
    metrics_write_sources(server, buf);
    write_rerank(server, buf);
    write_far_cache(server, buf);
    write_limits(server, buf);
    write_shared(server, buf);
    exposition_number(buf, "precis_connections", "gauge", "Open connections.",
                      (double)atomic_load_explicit(&metrics->n_connections, memory_order_relaxed));
    exposition_number(buf, "precis_requests_active", "gauge", "Requests under way.",
                      (double)metrics_requests_active(metrics));
    exposition_number(buf, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
    exposition_number(buf, "process_start_time_seconds", "gauge",
                      "When the server started, seconds since 1970.", (double)metrics->started_us / 1e6);
}

int metrics_get(struct request *req, struct err_info *reterr)
{
    (void)reterr;
    req->reply.status = 200;
    req->reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(req->server->metrics, req->server, &req->reply.body);
    return 0;
}
