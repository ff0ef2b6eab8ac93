/* SPDX-License-Identifier: Apache-2.0
 *
 * Fails the n-th allocation of one build, for every n: first that one alone, then that one and all after it.
 * Each time the build must end in a clean error or a right answer, and the next build must be whole again.
 *
 * The program is linked with --wrap for malloc, calloc and realloc, so every allocation that goes through
 * mem_alloc (ours, SQLite's) counts. The Redis and HTTP servers that are asked, too, are a process of their
 * own, whose allocations do not fail.
 */
#include "../unit/net/http_peer.h"
#include "../unit/net/redis_peer.h"
#include "build/build.h"
#include "core/json.h"
#include "core/mem.h"

#include <limits.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the servers that are asked ---- */

struct peers {
    pid_t pid;
    char redis_url[64], web_url[64];
};

static const char *answer_rows(const char *path)
{
    (void)path;
    return "HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n[{\"a\":\"rain\"},{\"a\":\"then  sun\"}]";
}

static void serve_peers(int to_parent, int from_parent)
{
    static struct redis_peer redis;
    static struct peer web;
    char byte;

    redis_peer_open(&redis, "$13\r\nkept in Redis");
    web.answer = answer_rows;
    peer_start(&web);
    if (write(to_parent, redis.url, sizeof redis.url) < 0 || write(to_parent, web.url, sizeof web.url) < 0)
        _exit(1);
    (void)!read(from_parent, &byte, 1); /* until the parent has ended, however it does */
    _exit(0);
}

/* Before any thread is made. */
static int peers_open(struct peers *peers)
{
    int up[2], down[2];

    if (pipe(up) < 0 || pipe(down) < 0 || (peers->pid = fork()) < 0)
        abort();
    if (peers->pid == 0) {
        (void)close(down[1]);
        serve_peers(up[1], down[0]);
    }
    (void)close(down[0]);
    if (read(up[0], peers->redis_url, sizeof peers->redis_url) != sizeof peers->redis_url ||
        read(up[0], peers->web_url, sizeof peers->web_url) != sizeof peers->web_url)
        abort();
    (void)close(up[0]);
    (void)close(up[1]);
    return down[1];
}

static void peers_close(const struct peers *peers, int fd)
{
    (void)close(fd);
    (void)waitpid(peers->pid, NULL, 0);
}

/* ---- the heap that fails ---- */

static atomic_long n_allocations;
static atomic_long fail_at;   /* 0: never */
static atomic_bool is_sticky; /* fail all from fail_at on */
static atomic_long n_failed;

static bool must_fail(void)
{
    long n = atomic_fetch_add(&n_allocations, 1) + 1, at = atomic_load(&fail_at);
    if (!at || n < at || (n > at && !atomic_load(&is_sticky)))
        return false;
    atomic_fetch_add(&n_failed, 1);
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return must_fail() ? NULL : __real_realloc(ptr, size);
}

static void heap_fail(long at, bool sticky)
{
    atomic_store(&n_allocations, 0);
    atomic_store(&n_failed, 0);
    atomic_store(&is_sticky, sticky);
    atomic_store(&fail_at, at);
}

/* ---- what is built ---- */

static const char recipe_text[] =
    "recipe: torture\n"
    "params:\n"
    "  user_id: { type: text, required: true }\n"
    "  days: { type: int, default: 7 }\n"
    "budget: { tokens: 400, max: 4000, tokenizer: approx }\n"
    "deadline: 10s\n"
    "cache: { ttl: 5m, stale: 1h }\n"
    "zone: user.timezone\n"
    "resolve:\n"
    "  user: { from: main, query: \"SELECT id, timezone FROM users WHERE id = :user_id\", required: true }\n"
    "sections:\n"
    "  - { name: turns, title: Recent, from: conversation, limit: 5, item: \"{role|capitalize}: {content}\" "
    "}\n"
    "  - { name: knowledge, title: Knowledge, from: memory, limit: 5, item: \"- {content}\", budget: { min: "
    "20, max: 200 } }\n"
    "  - { name: preferences, title: Preferences, from: preferences, stable: true, item: \"- {key}: "
    "{value}\" }\n"
    "  - name: tasks\n"
    "    title: Tasks\n"
    "    from: main\n"
    "    query: SELECT id, title, due FROM tasks WHERE user_id = :user.id AND due < :now + 3650d ORDER BY "
    "due LIMIT :days\n"
    "    item: \"- {title}{due? (due {due|date})}\"\n"
    "  - { name: cached, title: Cached, from: store, key: \"k:{user_id}\", type: string, item: \"- {value}\" "
    "}\n"
    "  - { name: web, title: Web, from: web, path: \"/rows\", item: \"- {a}\" }\n"
    "  - { name: about, title: About, from: text, when: query, text: \"The question was: {query}\" }\n";

struct world {
    char folder[64];
    struct store *store;
    struct memory *memory;
    struct workers *workers, *connectors;
    struct source_env env;
    struct source *sources[3];
    struct recipe_book book;
    struct build_engine *engine;
};

static void must(int err, const struct err_info *info, const char *what)
{
    if (err == 0)
        return;
    fprintf(stderr, "alloc_build: %s: %s: %s %s\n", what, err_name(err), info->field, info->message);
    exit(1);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    if (sqlite3_open(path, &db) || sqlite3_exec(db, sql, NULL, NULL, &message)) {
        fprintf(stderr, "alloc_build: %s\n", message ? message : sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_close(db);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file))
        abort();
}

static void fill_memory(struct world *world, struct err_info *info)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct scope scope = {STR_LIT("default"), STR_LIT("u1")};
    struct str id;
    for (int i = 0; i < 20; i++) {
        struct knowledge item = {
            .content = arena_printf(&arena, "Fact %d: the boiler of house %d was serviced in May.", i, i),
            .importance = 0.5};
        must(knowledge_add(world->memory, &scope, &item, 1, &arena, &id, info), info, "knowledge_add");
        struct turn turn = {.session = STR_LIT("s"), .role = STR_LIT("user"), .content = item.content};
        must(conversation_add(world->memory, &scope, &turn, &arena, &id, info), info, "conversation_add");
    }
    struct preference preference = {.key = STR_LIT("units"), .value = STR_LIT("\"metric\"")};
    must(preference_set(world->memory, &scope, &preference, info), info, "preference_set");
    arena_done(&arena);
}

static void world_open(struct world *world, const struct peers *peers)
{
    struct err_info info = {0};
    char path[128], url[160], store_url[160];
    snprintf(world->folder, sizeof(world->folder), "/tmp/precis-alloc-XXXXXX");
    if (!mkdtemp(world->folder))
        abort();
    snprintf(store_url, sizeof(store_url), "sqlite:%s/precis.db", world->folder);
    struct store_options store_options = {.url = store_url, .may_create = true, .clock = &clock_system};
    must(store_open(&store_options, &world->store, &info), &info, "store_open");
    must(memory_new(world->store, &clock_system, NULL, &world->memory, &info), &info, "memory_new");
    must(workers_new("fetch", 2, 64, &world->workers, &info), &info, "workers_new");
    fill_memory(world, &info);
    snprintf(path, sizeof(path), "%s/main.db", world->folder);
    run_sql(path, "CREATE TABLE users(id TEXT PRIMARY KEY, timezone TEXT);"
                  "CREATE TABLE tasks(id INTEGER PRIMARY KEY, user_id TEXT, title TEXT, due TEXT);"
                  "INSERT INTO users VALUES('u1','Europe/Warsaw');"
                  "INSERT INTO tasks(user_id,title,due) VALUES('u1','Pay the rent',datetime('now','+1 day')),"
                  "('u1','Call the dentist',NULL),('u1','Water the plants',datetime('now','+2 days'));");
    snprintf(url, sizeof(url), "sqlite:%s", path);
    must(workers_new("connect", 2, 64, &world->connectors, &info), &info, "workers_new");
    world->env = (struct source_env){.memory = world->memory,
                                     .workers = world->workers,
                                     .connectors = world->connectors,
                                     .clock = &clock_system};
    const char *const places[][2] = {{"main", url}, {"store", peers->redis_url}, {"web", peers->web_url}};
    struct recipe_connection connections[3];
    for (size_t i = 0; i < 3; i++) {
        const struct source_options source = {.name = places[i][0], .url = str_of(places[i][1])};
        must(source_open(&world->env, &source, &world->sources[i], &info), &info, "source_open");
        connections[i] = (struct recipe_connection){str_of(places[i][0]), source_ops_of(world->sources[i])};
    }
    char recipe_folder[96];
    snprintf(recipe_folder, sizeof(recipe_folder), "%s/recipes", world->folder);
    snprintf(path, sizeof(path), "mkdir -p %s", recipe_folder);
    if (system(path))
        abort();
    snprintf(path, sizeof(path), "%s/torture.yaml", recipe_folder);
    write_file(path, recipe_text);
    const char *folders[] = {recipe_folder};
    must(recipe_book_load(folders, 1, connections, 3, &world->book, NULL, &info), &info, "recipe_book_load");
    struct build_options options = {.env = &world->env,
                                    .connections = world->sources,
                                    .n_connections = 3,
                                    .recipes = &world->book,
                                    .max_cache_bytes = 1 << 20,
                                    .max_cache_entries = 100,
                                    .cache_ttl_us = -1};
    must(build_engine_new(&options, &world->engine, &info), &info, "build_engine_new");
}

static void world_close(struct world *world)
{
    build_engine_free(world->engine);
    for (size_t i = 0; i < 3; i++)
        source_close(world->sources[i]);
    recipe_book_done(&world->book);
    workers_free(world->workers);
    workers_free(world->connectors);
    memory_free(world->memory);
    store_close(world->store);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", world->folder);
    if (system(command))
        abort();
}

static int run_build(struct world *world, enum build_cache_use cache, struct build_outcome *ret,
                     struct err_info *info)
{
    struct field param = {STR_LIT("user_id"), value_text(STR_LIT("u1"))};
    struct build_request request = {.tenant = STR_LIT("default"),
                                    .recipe = STR_LIT("torture"),
                                    .params = &param,
                                    .n_params = 1,
                                    .query = STR_LIT("when was the boiler serviced?"),
                                    .cache = cache,
                                    .wants_explain = true};
    return build_run(world->engine, &request, ret, info);
}

/* ---- the loop ---- */

static void check_answer(const struct build_answer *answer, struct str whole, long n)
{
    if (answer->tokens > answer->max_tokens) {
        fprintf(stderr, "alloc_build: %ld: %lld tokens over the budget\n", n, (long long)answer->tokens);
        exit(1);
    }
    if (answer->is_complete && !str_eq(answer->context, whole)) {
        fprintf(stderr, "alloc_build: %ld: an answer that calls itself complete lacks text:\n%.*s\n", n,
                STR_ARG(answer->context));
        exit(1);
    }
}

/* Returns how many allocations failed in all. */
static long torture(struct world *world, enum build_cache_use cache, bool sticky, struct str whole,
                    long n_all)
{
    long n_injected = 0, n_errors = 0;
    for (long n = 1; n <= n_all + 50; n++) { /* some more: the order varies between threads */
        struct build_outcome outcome = {0};
        struct err_info info = {0};
        heap_fail(n, sticky);
        int err = run_build(world, cache, &outcome, &info);
        long failed = atomic_load(&n_failed);
        heap_fail(0, false);
        n_injected += failed;
        if (err == 0) {
            check_answer(outcome.answer, whole, n);
            build_answer_unref(outcome.answer);
        } else {
            n_errors++;
            if (!failed || !info.message[0]) {
                fprintf(stderr, "alloc_build: %ld: %s without a reason: '%s'\n", n, err_name(err),
                        info.message);
                exit(1);
            }
        }
        outcome = (struct build_outcome){0};
        must(run_build(world, CACHE_OFF, &outcome, &info), &info, "the build after");
        if (!outcome.answer->is_complete || !str_eq(outcome.answer->context, whole)) {
            fprintf(stderr, "alloc_build: %ld: the build after a failure is not whole:\n%.*s\n", n,
                    STR_ARG(outcome.answer->context));
            for (size_t i = 0; i < outcome.answer->n_sections; i++)
                fprintf(stderr, "%.*s: %.*s\n", STR_ARG(outcome.answer->sections[i].name),
                        STR_ARG(outcome.answer->sections[i].error));
            exit(1);
        }
        build_answer_unref(outcome.answer);
    }
    printf("alloc_build: cache %s, %s: %ld allocations failed in %ld builds, %ld of them clean errors\n",
           cache == CACHE_OFF ? "off" : "refreshed", sticky ? "all from the n-th on" : "the n-th alone",
           n_injected, n_all + 50, n_errors);
    return n_injected;
}

#define N_COUNTED_BUILDS 32

int main(void)
{
    struct world world = {0};
    struct peers peers = {0};
    struct err_info info = {0};
    if (sodium_init() < 0)
        return 1;
    int peers_fd = peers_open(&peers);
    world_open(&world, &peers);

    /* The store's readers and statements warm up one after the other, so only the fewest of many builds
     * count. */
    struct build_outcome first = {0};
    long n_all = LONG_MAX;
    for (int i = 0; i < N_COUNTED_BUILDS; i++) {
        build_answer_unref(first.answer);
        heap_fail(0, false);
        must(run_build(&world, CACHE_OFF, &first, &info), &info, "a counted build");
        long n = atomic_load(&n_allocations);
        n_all = n < n_all ? n : n_all;
    }
    printf("alloc_build: one build allocates %ld times\n%.*s\n", n_all, STR_ARG(first.answer->context));
    if (n_all < 20 || !first.answer->is_complete)
        return 1;

    long n_injected = 0;
    struct str whole = first.answer->context;
    n_injected += torture(&world, CACHE_OFF, false, whole, n_all);
    n_injected += torture(&world, CACHE_OFF, true, whole, n_all);
    n_injected += torture(&world, CACHE_REFRESH, false, whole, n_all);
    build_answer_unref(first.answer);
    world_close(&world);
    peers_close(&peers, peers_fd);
    return n_injected > n_all ? 0 : 1;
}
