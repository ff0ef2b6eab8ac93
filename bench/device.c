/* SPDX-License-Identifier: Apache-2.0
 *
 * What a whole context of a device costs beside its bare statements: the recipe `device`, all twelve
 * sections, from a PostgreSQL server.
 *
 * usage: device postgres://... PUBLIC_ID USER_ID RECIPE_FOLDER [ROUNDS]
 *
 * In one run, in turn, the medians of: `build`, from the request to the finished text, the cache off; the
 * same of a device that was not asked for before, whose number is no guess; `bare`, the statements that the
 * build asked with the values it bound, prepared, in one pipeline of libpq's and one transaction; `one by
 * one`, the same, each awaited; and those not prepared. Then with one section more, which sleeps for 50 ms,
 * beside that statement alone. The statements are those of a build: pg_conn_ask and _whole are wrapped at
 * link time.
 */
#include "build/build.h"
#include "net/pg.h"

#include <libpq-fe.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_STATEMENTS 64
#define MAX_VALUES     16
#define SLOW_SQL       "SELECT pg_sleep(0.05)::text AS slept"

static const char slow_section[] = "\n  - name: slow\n    title: Slow\n    from: fleet\n    query: " SLOW_SQL
                                   "\n    timeout: 400ms\n    item: \"{slept}\"\n";

static _Noreturn void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "device: %s: %s\n", what, why);
    exit(1);
}

static void must(int res, const struct err_info *err, const char *what)
{
    if (res < 0)
        die(what, err->message[0] ? err->message : err_name(res));
}

/* ---- what a build asks ---- */

struct statement {
    char *sql;
    char *values[MAX_VALUES];
    size_t n_values;
};

static struct statement statements[MAX_STATEMENTS];
static size_t n_statements;
static bool is_recording;

int __real_pg_conn_ask(struct pg_conn *conn, struct str sql, const char *const *values, size_t n_values,
                       void *tag, struct err_info *reterr);
int __real_pg_conn_ask_whole(struct pg_conn *conn, struct str sql, const char *const *values, size_t n_values,
                             void *tag, struct err_info *reterr);
int __wrap_pg_conn_ask(struct pg_conn *conn, struct str sql, const char *const *values, size_t n_values,
                       void *tag, struct err_info *reterr);
int __wrap_pg_conn_ask_whole(struct pg_conn *conn, struct str sql, const char *const *values, size_t n_values,
                             void *tag, struct err_info *reterr);

static void record(struct str sql, const char *const *values, size_t n_values, const void *tag)
{
    if (!is_recording || !tag) /* without one it is the transaction's */
        return;
    struct statement *statement = &statements[n_statements++];
    if (n_statements == MAX_STATEMENTS || n_values > MAX_VALUES)
        die("recording", "more than there is room for");
    statement->sql = strndup(sql.ptr, sql.len);
    statement->n_values = n_values;
    for (size_t i = 0; i < n_values; i++)
        statement->values[i] = values[i] ? strdup(values[i]) : NULL;
}

int __wrap_pg_conn_ask(struct pg_conn *conn, struct str sql, const char *const *values, size_t n_values,
                       void *tag, struct err_info *reterr)
{
    record(sql, values, n_values, tag);
    return __real_pg_conn_ask(conn, sql, values, n_values, tag, reterr);
}

int __wrap_pg_conn_ask_whole(struct pg_conn *conn, struct str sql, const char *const *values, size_t n_values,
                             void *tag, struct err_info *reterr)
{
    record(sql, values, n_values, tag);
    return __real_pg_conn_ask_whole(conn, sql, values, n_values, tag, reterr);
}

/* ---- builds ---- */

struct bench {
    char folder[64];
    struct store *store;
    struct source_env env;
    struct source *fleet;
    struct recipe_book book;
    struct build_engine *engine;
    struct field params[2];
    PGconn *pq;
    size_t n_rows; /* that the bare statements brought */
};

static char *read_recipe(const char *folder)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/device.yaml", folder);
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    if (!file || !text || fread(text, 1, (1 << 20) - 1, file) == 0)
        die(path, "cannot be read");
    (void)fclose(file);
    return text;
}

/* The recipe under another name, with the slow section. */
static void write_slow_recipe(struct bench *bench, const char *folder)
{
    char path[128];
    char *text = read_recipe(folder), *name = strstr(text, "\nrecipe: device\n");
    if (!name)
        die("device.yaml", "no line 'recipe: device'");
    (void)snprintf(path, sizeof path, "%s/recipes", bench->folder);
    (void)snprintf(path + strlen(path), sizeof path - strlen(path), "/slow.yaml");
    FILE *file = fopen(path, "w");
    if (!file ||
        fprintf(file, "%.*s\nrecipe: device_slow\n%s%s", (int)(name - text), text,
                name + strlen("\nrecipe: device\n"), slow_section) < 0 ||
        fclose(file) != 0)
        die(path, "cannot be written");
    free(text);
}

static void open_memory(struct bench *bench)
{
    struct err_info err = {0};
    struct scope scope = {STR_LIT("default"), STR_LIT("default")};
    struct arena arena;
    struct str ids[20];
    struct knowledge items[20];
    struct str tags[1] = {STR_LIT("incident")};
    char url[128];

    (void)snprintf(url, sizeof url, "sqlite:%s/precis.db", bench->folder);
    struct store_options options = {.url = url, .may_create = true, .clock = &clock_system};
    must(store_open(&options, &bench->store, &err), &err, "store_open");
    must(memory_new(bench->store, &clock_system, NULL, &bench->env.memory, &err), &err, "memory_new");
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < 20; i++)
        items[i] = (struct knowledge){
            .content = arena_printf(
                &arena, "Case %d: a till lost its network after an update; the switch was replaced.", i),
            .tags = tags,
            .n_tags = 1,
            .importance = 0.5};
    must(knowledge_add(bench->env.memory, &scope, items, 20, &arena, ids, &err), &err, "knowledge_add");
    arena_done(&arena);
}

static void open_engine(struct bench *bench, const char *url, const char *recipes)
{
    struct err_info err = {0};
    char own[128];

    (void)snprintf(bench->folder, sizeof bench->folder, "/tmp/precis-device-XXXXXX");
    if (!mkdtemp(bench->folder))
        die(bench->folder, "cannot be made");
    (void)snprintf(own, sizeof own, "mkdir %s/recipes", bench->folder);
    if (system(own) != 0)
        die(own, "failed");
    (void)snprintf(own, sizeof own, "%s/recipes", bench->folder);
    write_slow_recipe(bench, recipes);
    bench->env.clock = &clock_system;
    must(workers_new("connect", 4, 64, &bench->env.connectors, &err), &err, "workers");
    must(workers_new("fetch", 2, 64, &bench->env.workers, &err), &err, "workers");
    open_memory(bench);
    struct source_options options = {.name = "fleet", .url = str_of(url)};
    must(source_open(&bench->env, &options, &bench->fleet, &err), &err, "source_open");
    struct recipe_connection connection = {STR_LIT("fleet"), source_ops_of(bench->fleet)};
    const char *folders[] = {own};
    must(recipe_book_load(folders, 1, &connection, 1, &bench->book, NULL, &err), &err, "recipe_book_load");
    struct build_options build = {.env = &bench->env,
                                  .connections = &bench->fleet,
                                  .n_connections = 1,
                                  .recipes = &bench->book,
                                  .cache_ttl_us = -1};
    must(build_engine_new(&build, &bench->engine, &err), &err, "build_engine_new");
}

static void close_engine(struct bench *bench)
{
    char command[128];
    build_engine_free(bench->engine);
    recipe_book_done(&bench->book);
    source_close(bench->fleet);
    workers_free(bench->env.connectors);
    workers_free(bench->env.workers);
    memory_free(bench->env.memory);
    store_close(bench->store);
    (void)snprintf(command, sizeof command, "rm -rf %s", bench->folder);
    if (system(command) != 0)
        die(command, "failed");
}

static void run_build(struct bench *bench, const char *recipe, bool is_told)
{
    struct err_info err = {0};
    struct build_outcome outcome = {0};
    struct build_request request = {.tenant = STR_LIT("default"),
                                    .recipe = str_of(recipe),
                                    .params = bench->params,
                                    .n_params = 2,
                                    .query = STR_LIT("why does the till lose its connection?"),
                                    .deadline_ms = 20000, /* however busy the machine */
                                    .cache = CACHE_OFF};
    must(build_run(bench->engine, &request, &outcome, &err), &err, recipe);
    const struct build_answer *answer = outcome.answer;
    size_t n_ok = 0;
    for (size_t i = 0; i < answer->n_sections; i++)
        n_ok += answer->sections[i].status == SECTION_OK;
    if (is_told)
        printf("%s: %zu sections, %zu of them with items, %lld tokens\n", recipe, answer->n_sections, n_ok,
               (long long)answer->tokens);
    for (size_t i = 0; i < answer->n_sections; i++)
        if (answer->sections[i].error.len > 0)
            die(answer->sections[i].name.ptr, answer->sections[i].error.ptr);
    build_answer_unref(outcome.answer);
}

static void build_all(struct bench *bench)
{
    run_build(bench, "device", false);
}

/* All that is remembered of the tenant is dropped: the guess, and what is in memory of the user. */
static void build_unknown(struct bench *bench)
{
    (void)build_cache_clear(bench->engine, STR_LIT("default"), true);
    run_build(bench, "device", false);
}

static void build_slow(struct bench *bench)
{
    run_build(bench, "device_slow", false);
}

/* ---- bare ---- */

static void check(struct bench *bench, bool is_good)
{
    if (!is_good)
        die("libpq", PQerrorMessage(bench->pq));
}

static void open_bare(struct bench *bench, const char *url)
{
    char name[16];

    bench->pq = PQconnectdb(url);
    check(bench, PQstatus(bench->pq) == CONNECTION_OK);
    for (size_t i = 0; i < n_statements + 3; i++) {
        const char *sql = i < n_statements        ? statements[i].sql
                          : i == n_statements     ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                          : i == n_statements + 1 ? "COMMIT"
                                                  : SLOW_SQL;
        (void)snprintf(name, sizeof name, "s%zu", i);
        PGresult *result = PQprepare(bench->pq, name, sql, 0, NULL);
        check(bench, PQresultStatus(result) == PGRES_COMMAND_OK);
        PQclear(result);
    }
    check(bench, PQenterPipelineMode(bench->pq) && PQsetnonblocking(bench->pq, 1) == 0);
}

static void send_one(struct bench *bench, size_t i)
{
    char name[16];
    bool has_values = i < n_statements;
    (void)snprintf(name, sizeof name, "s%zu", i);
    check(bench,
          PQsendQueryPrepared(bench->pq, name, has_values ? (int)statements[i].n_values : 0,
                              has_values ? (const char *const *)statements[i].values : NULL, NULL, NULL, 0));
}

static void wait_input(struct bench *bench)
{
    struct pollfd fd = {.fd = PQsocket(bench->pq), .events = POLLIN};
    int n_left;
    while ((n_left = PQflush(bench->pq)) > 0) {
        struct pollfd out = {.fd = fd.fd, .events = POLLIN | POLLOUT};
        (void)poll(&out, 1, -1);
        check(bench, PQconsumeInput(bench->pq));
    }
    check(bench, n_left == 0);
    (void)poll(&fd, 1, -1);
    check(bench, PQconsumeInput(bench->pq));
}

/* Every value of every row is looked at, as whoever wants them would. */
static void receive(struct bench *bench, size_t n_syncs)
{
    while (n_syncs > 0) {
        while (PQisBusy(bench->pq))
            wait_input(bench);
        PGresult *result = PQgetResult(bench->pq);
        ExecStatusType status = PQresultStatus(result);
        if (!result)
            continue;
        n_syncs -= status == PGRES_PIPELINE_SYNC;
        check(bench,
              status == PGRES_PIPELINE_SYNC || status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK);
        bench->n_rows += (size_t)PQntuples(result);
        PQclear(result);
    }
}

static void bare_all(struct bench *bench)
{
    send_one(bench, n_statements);
    for (size_t i = 0; i < n_statements; i++)
        send_one(bench, i);
    send_one(bench, n_statements + 1);
    check(bench, PQpipelineSync(bench->pq));
    receive(bench, 1);
}

static void one_by_one(struct bench *bench)
{
    for (size_t i = 0; i < n_statements; i++) {
        send_one(bench, i);
        check(bench, PQpipelineSync(bench->pq));
        receive(bench, 1);
    }
}

/* As a program sends them that keeps no statements prepared, which is what most drivers do. */
static void one_by_one_unprepared(struct bench *bench)
{
    for (size_t i = 0; i < n_statements; i++) {
        check(bench, PQsendQueryParams(bench->pq, statements[i].sql, (int)statements[i].n_values, NULL,
                                       (const char *const *)statements[i].values, NULL, NULL, 0));
        check(bench, PQpipelineSync(bench->pq));
        receive(bench, 1);
    }
}

static void slow_alone(struct bench *bench)
{
    send_one(bench, n_statements + 2);
    check(bench, PQpipelineSync(bench->pq));
    receive(bench, 1);
}

/* ---- in turn ---- */

struct way {
    const char *name;
    void (*run)(struct bench *bench);
    double *ms;
};

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void run_in_turn(struct bench *bench, struct way *ways, size_t n_ways, size_t n_rounds)
{
    for (size_t w = 0; w < n_ways; w++)
        ways[w].ms = calloc(n_rounds, sizeof *ways[w].ms);
    for (size_t i = 0; i < n_rounds; i++)
        for (size_t w = 0; w < n_ways; w++) {
            int64_t began_us = clock_mono_us(&clock_system);
            ways[w].run(bench);
            ways[w].ms[i] = (double)(clock_mono_us(&clock_system) - began_us) / 1e3;
        }
    for (size_t w = 0; w < n_ways; w++) {
        qsort(ways[w].ms, n_rounds, sizeof *ways[w].ms, compare);
        printf("| %s | %.2f | %.2f | %.2f | %.2f |\n", ways[w].name, ways[w].ms[n_rounds / 10],
               ways[w].ms[n_rounds / 2], ways[w].ms[n_rounds * 99 / 100],
               ways[w].ms[n_rounds / 2] / ways[0].ms[n_rounds / 2]);
    }
}

int main(int argc, char **argv)
{
    struct bench bench = {{0}};
    size_t n_rounds = argc > 5 ? strtoul(argv[5], NULL, 10) : 1000;

    if (argc < 5 || n_rounds < 100 || sodium_init() < 0)
        die("usage", "device postgres://... PUBLIC_ID USER_ID RECIPE_FOLDER [ROUNDS, 100 at least]");
    bench.params[0] = (struct field){STR_LIT("device_id"), value_text(str_of(argv[2]))};
    bench.params[1] = (struct field){STR_LIT("user_id"), value_text(str_of(argv[3]))};
    open_engine(&bench, argv[1], argv[4]);
    for (int i = 0; i < 20; i++) { /* until the statements' times are known */
        build_all(&bench);
        build_slow(&bench);
    }
    is_recording = true;
    run_build(&bench, "device", true);
    is_recording = false;
    open_bare(&bench, argv[1]);
    printf("\n| one device, %zu statements, ms | p10 | p50 | p99 | p50 over the build's |\n| --- | --- | --- "
           "| --- | --- |\n",
           n_statements);
    struct way whole[] = {{"whole build", build_all, NULL},
                          {"its statements in one bare pipeline", bare_all, NULL},
                          {"its statements one by one", one_by_one, NULL},
                          {"its statements one by one, not prepared", one_by_one_unprepared, NULL},
                          {"whole build of a device not asked for before", build_unknown, NULL}};
    run_in_turn(&bench, whole, sizeof whole / sizeof *whole, n_rounds);
    struct way slow[] = {{"whole build with a section that sleeps 50 ms", build_slow, NULL},
                         {"that statement alone", slow_alone, NULL}};
    run_in_turn(&bench, slow, sizeof slow / sizeof *slow, n_rounds / 10);
    printf("\nwhole build / bare pipeline %.2f, / one by one %.2f, not prepared %.2f; with the slow one / "
           "that alone %.3f\n",
           whole[0].ms[n_rounds / 2] / whole[1].ms[n_rounds / 2],
           whole[0].ms[n_rounds / 2] / whole[2].ms[n_rounds / 2],
           whole[0].ms[n_rounds / 2] / whole[3].ms[n_rounds / 2],
           slow[0].ms[n_rounds / 20] / slow[1].ms[n_rounds / 20]);
    PQfinish(bench.pq);
    close_engine(&bench);
    return 0;
}
