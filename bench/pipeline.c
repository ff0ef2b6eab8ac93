/* SPDX-License-Identifier: Apache-2.0
 *
 * What a build's questions to PostgreSQL cost: twelve small statements over a few tables.
 *
 * usage: pipeline postgres://... [N]     (2,000 rounds each)
 *
 * In one run, in turn, the medians: `fetch`, asked through a poll loop as a build does; `bare`, the same
 * statements, prepared, in one pipeline of libpq's with nothing around it, in one transaction as well; `one
 * by one`, prepared, each awaited. Then with a thirteenth that sleeps for 50 ms, beside that statement alone.
 * Tables are made under the name bench_pipeline_* and dropped at the end.
 */
#include "source/source.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N_STATEMENTS 12
#define MAX_ROUNDS   20000
#define N_ROWS       100000

static const char *const statements[N_STATEMENTS + 1] = {
    "SELECT id, name, zone FROM bench_pipeline_devices WHERE id = ?1",
    "SELECT id, kind, message, at FROM bench_pipeline_events WHERE device = ?1 ORDER BY at DESC LIMIT 10",
    "SELECT id, message FROM bench_pipeline_events WHERE device = ?1 AND kind = 3 ORDER BY at DESC LIMIT 5",
    "SELECT count(*) FROM bench_pipeline_events WHERE device = ?1",
    "SELECT max(at) FROM bench_pipeline_events WHERE device = ?1",
    "SELECT kind, count(*) FROM bench_pipeline_events WHERE device = ?1 GROUP BY kind ORDER BY kind",
    "SELECT id, kind, message, at FROM bench_pipeline_events WHERE device = ?1 ORDER BY at LIMIT 10",
    "SELECT settings FROM bench_pipeline_devices WHERE id = ?1",
    "SELECT name FROM bench_pipeline_devices WHERE id = ?1",
    "SELECT id, kind FROM bench_pipeline_events WHERE device = ?1 AND kind = 1 ORDER BY at DESC LIMIT 10",
    "SELECT id, kind FROM bench_pipeline_events WHERE device = ?1 AND kind = 2 ORDER BY at DESC LIMIT 10",
    "SELECT zone FROM bench_pipeline_devices WHERE id = ?1",
    "SELECT pg_sleep(0.05)::text AS slept, ?1::int",
};

static const char setup[] =
    "DROP TABLE IF EXISTS bench_pipeline_devices, bench_pipeline_events;"
    "CREATE TABLE bench_pipeline_devices (id int PRIMARY KEY, name text, zone text, settings jsonb);"
    "INSERT INTO bench_pipeline_devices SELECT i, 'device ' || i, 'Europe/Warsaw', '{\"level\": 3, \"tags\": "
    "[1, 2]}'"
    "  FROM generate_series(0, 999) i;"
    "CREATE TABLE bench_pipeline_events (id bigserial PRIMARY KEY, device int, kind int, message text, at "
    "timestamptz);"
    "INSERT INTO bench_pipeline_events (device, kind, message, at)"
    "  SELECT i % 1000, i % 7, 'something happened, number ' || i, now() - make_interval(secs => i)"
    "  FROM generate_series(1, 100000) i;"
    "CREATE INDEX ON bench_pipeline_events (device, at);"
    "ANALYZE bench_pipeline_devices; ANALYZE bench_pipeline_events";

static _Noreturn void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "pipeline: %s: %s\n", what, why);
    exit(1);
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

struct bench {
    struct source_env env;
    struct source *source;
    PGconn *bare, *single; /* a connection each, so that none finds its server process warmer than others */
    PGconn *pq;            /* one of them */
    size_t n_rows;         /* of the last round, so that all ways can be seen to bring the same */
};

/* ---- as a build asks ---- */

__attribute__((noinline)) static void fetch_round(struct bench *bench, size_t from, size_t n, int64_t device)
{
    struct source_fetch fetches[N_STATEMENTS + 1];
    struct value binds[1] = {value_int(device)};
    struct net_loop *loop;
    struct err_info err = {0};
    struct net_op *op;

    memset(fetches, 0, sizeof fetches);
    if (net_loop_new(bench->env.clock, &loop, &err) < 0)
        die("loop", err.message);
    for (size_t i = from; i < from + n; i++) {
        struct value setting = value_text(str_of(statements[i]));
        struct source_request request = {
            .settings = &setting,
            .binds = binds,
            .n_binds = 1,
            .deadline_us = clock_mono_us(bench->env.clock) + 20 * US_PER_SEC,
            .max_rows = 20,
        };
        if (source_fetch_start(bench->source, &request, loop, &fetches[i], &err) < 0)
            die("start", err.message);
    }
    net_loop_flush(loop, true);
    bench->n_rows = 0;
    for (size_t i = 0; i < n; i++) {
        if (net_loop_wait(loop, INT64_MAX, &op, &err) != 0)
            die("wait", err.message);
        struct source_fetch *fetch = (struct source_fetch *)op;
        if (op->result < 0)
            die("fetch", op->err.message);
        struct source_result *result = source_fetch_take(fetch);
        bench->n_rows += result->n_rows;
        source_result_free(result);
    }
    net_loop_free(loop);
}

static void fetch_all(struct bench *bench, int64_t device)
{
    fetch_round(bench, 0, N_STATEMENTS, device);
}

static void fetch_with_slow(struct bench *bench, int64_t device)
{
    fetch_round(bench, 0, N_STATEMENTS + 1, device);
}

static void fetch_slow(struct bench *bench, int64_t device)
{
    fetch_round(bench, N_STATEMENTS, 1, device);
}

/* ---- bare ---- */

static void expect(struct bench *bench, bool is_good)
{
    if (!is_good)
        die("libpq", PQerrorMessage(bench->pq));
}

static void send_one(struct bench *bench, size_t idx, int64_t device)
{
    char name[16], text[24];
    const char *values[1] = {text};
    (void)snprintf(name, sizeof name, "s%zu", idx);
    (void)snprintf(text, sizeof text, "%lld", (long long)device);
    expect(bench, PQsendQueryPrepared(bench->pq, name, 1, values, NULL, NULL, 0));
}

static void wait_readable(struct bench *bench)
{
    while (PQisBusy(bench->pq)) {
        int n_left = PQflush(bench->pq);
        struct pollfd fd = {.fd = PQsocket(bench->pq), .events = n_left > 0 ? POLLIN | POLLOUT : POLLIN};
        (void)poll(&fd, 1, -1);
        expect(bench, PQconsumeInput(bench->pq));
    }
}

static bool take(struct bench *bench)
{
    wait_readable(bench);
    PGresult *result = PQgetResult(bench->pq);
    if (!result)
        return false;
    ExecStatusType status = PQresultStatus(result);
    expect(bench, status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_PIPELINE_SYNC);
    bench->n_rows += (size_t)PQntuples(result);
    PQclear(result);
    return status == PGRES_PIPELINE_SYNC;
}

static void bare_all(struct bench *bench, int64_t device)
{
    bench->n_rows = 0;
    bench->pq = bench->bare;
    expect(bench, PQsendQueryPrepared(bench->pq, "b", 0, NULL, NULL, NULL, 0));
    for (size_t i = 0; i < N_STATEMENTS; i++)
        send_one(bench, i, device);
    expect(bench, PQsendQueryPrepared(bench->pq, "c", 0, NULL, NULL, NULL, 0));
    expect(bench, PQpipelineSync(bench->pq));
    while (!take(bench))
        ;
}

static void one_by_one(struct bench *bench, int64_t device)
{
    bench->n_rows = 0;
    bench->pq = bench->single;
    for (size_t i = 0; i < N_STATEMENTS; i++) {
        send_one(bench, i, device);
        expect(bench, PQpipelineSync(bench->pq));
        while (!take(bench))
            ;
    }
}

static void slow_alone(struct bench *bench, int64_t device)
{
    bench->n_rows = 0;
    bench->pq = bench->bare;
    send_one(bench, N_STATEMENTS, device);
    expect(bench, PQpipelineSync(bench->pq));
    while (!take(bench))
        ;
}

/* ---- the run ---- */

static void exec(struct bench *bench, const char *sql)
{
    PGresult *result = PQexec(bench->pq, sql);
    expect(bench, PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK);
    PQclear(result);
}

static void prepare(struct bench *bench, const char *name, const char *sql)
{
    char text[512];
    (void)snprintf(text, sizeof text, "%s", sql);
    for (char *c = text; *c; c++)
        if (*c == '?')
            *c = '$';
    PGresult *result = PQprepare(bench->pq, name, text, 0, NULL);
    expect(bench, PQresultStatus(result) == PGRES_COMMAND_OK);
    PQclear(result);
}

static PGconn *open_conn(struct bench *bench, const char *url, const char *sql)
{
    char name[16];
    bench->pq = PQconnectdb(url);
    expect(bench, PQstatus(bench->pq) == CONNECTION_OK);
    exec(bench, "SET client_min_messages = error");
    exec(bench, sql);
    for (size_t i = 0; i <= N_STATEMENTS; i++) {
        (void)snprintf(name, sizeof name, "s%zu", i);
        prepare(bench, name, statements[i]);
    }
    prepare(bench, "b", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    prepare(bench, "c", "COMMIT");
    expect(bench, PQenterPipelineMode(bench->pq) && PQsetnonblocking(bench->pq, 1) == 0);
    return bench->pq;
}

typedef void (*round_fn)(struct bench *bench, int64_t device);

struct way {
    const char *name;
    round_fn run;
    int64_t *us;
    size_t n_rows;
    int64_t cpu_ns; /* of this program, all rounds together */
};

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void run_in_turn(struct bench *bench, struct way *ways, size_t n_ways, size_t n_rounds)
{
    for (size_t w = 0; w < n_ways; w++)
        ways[w].us = calloc(n_rounds, sizeof *ways[w].us);
    for (size_t i = 0; i < n_rounds; i++)
        for (size_t k = 0; k < n_ways; k++) {
            size_t w = (i + k) % n_ways; /* each as often first */
            int64_t began_us = clock_mono_us(&clock_system), began_ns = cpu_ns();
            ways[w].run(bench, (int64_t)(i * 37 % 1000));
            ways[w].us[i] = clock_mono_us(&clock_system) - began_us;
            ways[w].cpu_ns += cpu_ns() - began_ns;
            ways[w].n_rows += bench->n_rows;
        }
    for (size_t w = 0; w < n_ways; w++) {
        qsort(ways[w].us, n_rounds, sizeof *ways[w].us, compare);
        printf("%-28s p10 %7lld us   p50 %7lld us   p99 %7lld us   our CPU %6.1f us   %zu rows\n",
               ways[w].name, (long long)ways[w].us[n_rounds / 10], (long long)ways[w].us[n_rounds / 2],
               (long long)ways[w].us[n_rounds * 99 / 100], (double)ways[w].cpu_ns / 1000 / (double)n_rounds,
               ways[w].n_rows);
    }
}

static double ratio(const struct way *way, const struct way *peer, size_t n_rounds)
{
    return (double)way->us[n_rounds / 2] / (double)peer->us[n_rounds / 2];
}

int main(int argc, char **argv)
{
    struct bench bench = {.env = {.clock = &clock_system}};
    struct err_info err = {0};
    size_t n_rounds = argc > 2 ? (size_t)atol(argv[2]) : 2000;

    if (argc < 2 || n_rounds < 10 || n_rounds > MAX_ROUNDS)
        die("usage", "pipeline postgres://... [10 to 20000 rounds]");
    bench.bare = open_conn(&bench, argv[1], setup);
    bench.single = open_conn(&bench, argv[1], "SELECT 1");
    struct source_options options = {.name = "main", .url = str_of(argv[1])};
    if (workers_new("connect", 4, 64, &bench.env.connectors, &err) < 0 ||
        source_open(&bench.env, &options, &bench.source, &err) < 0)
        die("open", err.message);
    for (int i = 0; i < 20; i++) { /* until the times are known */
        fetch_all(&bench, i);
        fetch_with_slow(&bench, i);
    }

    struct way small[] = {{"fetch", fetch_all, NULL, 0, 0},
                          {"bare pipeline", bare_all, NULL, 0, 0},
                          {"one by one", one_by_one, NULL, 0, 0}};
    run_in_turn(&bench, small, 3, n_rounds);
    printf("fetch / bare %.2f, fetch / one by one %.2f\n\n", ratio(&small[0], &small[1], n_rounds),
           ratio(&small[0], &small[2], n_rounds));
    size_t n_slow = n_rounds / 20 > 10 ? n_rounds / 20 : 10;
    struct way slow[] = {{"fetch with a slow one", fetch_with_slow, NULL, 0, 0},
                         {"fetch of the slow one", fetch_slow, NULL, 0, 0},
                         {"bare, the slow one alone", slow_alone, NULL, 0, 0}};
    run_in_turn(&bench, slow, 3, n_slow);
    printf("with a slow one / that alone, bare %.3f\n", ratio(&slow[0], &slow[2], n_slow));

    for (size_t i = 0; i < 3; i++) {
        free(small[i].us);
        free(slow[i].us);
    }
    PQfinish(bench.single);
    bench.pq = bench.bare;
    (void)PQexitPipelineMode(bench.pq); /* nothing is outstanding */
    exec(&bench, "DROP TABLE bench_pipeline_devices, bench_pipeline_events");
    PQfinish(bench.bare);
    source_close(bench.source);
    workers_free(bench.env.connectors);
    return 0;
}
