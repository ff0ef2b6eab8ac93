/* SPDX-License-Identifier: Apache-2.0
 *
 * The questions of cancel.c, by kind of server. Each kind asks in several ways: short answers and long ones,
 * slow ones, and such as are errors. In the first column of every row the canary stands, or the name of the
 * key.
 */
#include "cancel_targets.h"

#include "net/redis.h"
#include "source/vector_load.h"

#include <stdio.h>
#include <stdlib.h>

#define N_REDIS_KEYS   4096
#define REDIS_PREFIX   "precis:cancel:"
#define N_LIST_ROWS    40
#define N_POINTS       512
#define COLLECTION     "precis_cancel"
#define N_LONG_BYTES   (120 * 1024)
#define MAX_SLEEP_US   4000
#define ASK_TIMEOUT_US (60 * US_PER_SEC)

struct target_kind {
    const char *name;   /* of the connection */
    const char *server; /* in the environment; NULL: it needs none */
    const char *scheme; /* what stands before the server's own URL */
    void (*on_fill)(const struct target *target, const char *url);
    void (*on_ask)(const struct target *target, struct question *question);
};

static void must(int res, const struct err_info *err, const char *what)
{
    if (res >= 0)
        return;
    fprintf(stderr, "cancel: %s: %s\n", what, err->message[0] ? err->message : err_name(res));
    exit(1);
}

/* ---- settings ---- */

static void set(const struct target *target, struct question *question, const char *name, struct value value)
{
    const struct source_setting *settings = source_ops_of(target->source)->settings;
    size_t i = 0;
    while (settings[i].name && strcmp(settings[i].name, name) != 0)
        i++;
    if (!settings[i].name)
        abort();
    question->settings[i] = value;
}

/* What the recipe's reader does with what a section leaves out. */
static struct value fallback_of(const struct source_setting *setting)
{
    if (!setting->fallback)
        return value_null();
    switch (setting->type) {
    case SETTING_BOOL:
        return value_bool(strcmp(setting->fallback, "true") == 0);
    case SETTING_INT:
        return value_int(strtoll(setting->fallback, NULL, 10));
    case SETTING_REAL:
        return value_real(strtod(setting->fallback, NULL));
    default:
        return value_text(str_of(setting->fallback));
    }
}

static void set_fallbacks(const struct target *target, struct question *question)
{
    const struct source_setting *settings = source_ops_of(target->source)->settings;
    for (size_t i = 0; settings[i].name; i++) {
        if (i == QUESTION_MAX_SETTINGS)
            abort();
        question->settings[i] = fallback_of(&settings[i]);
    }
}

/* A number below n, of the question's random. */
static unsigned pick(struct question *question, unsigned n)
{
    uint64_t random = question->random;
    question->random = random / n;
    return (unsigned)(random % n);
}

/* ---- PostgreSQL ---- */

static void ask_postgres(const struct target *target, struct question *question)
{
    const char *sql;
    unsigned way = pick(question, 16);

    snprintf(question->text, sizeof question->text, "%llu", (unsigned long long)question->canary);
    question->binds[0] = value_text(str_of(question->text));
    question->request.n_binds = 2;
    if (way < 8) {
        sql = "SELECT ?1::text AS canary, ?2::bigint AS n";
        question->binds[1] = value_int((int64_t)way);
        question->n_rows = 1;
    } else if (way < 11) {
        sql = "SELECT ?1::text AS canary, pg_sleep(?2)::text AS slept";
        question->binds[1] = value_real((double)pick(question, MAX_SLEEP_US) / 1e6);
        question->is_slow = true;
        question->n_rows = 1;
    } else if (way < 14) {
        question->n_rows = 1 + pick(question, QUESTION_MAX_ROWS - 1);
        sql = "SELECT ?1::text || ':' || n AS canary FROM generate_series(0, ?2::int - 1) AS n";
        question->binds[1] = value_int((int64_t)question->n_rows);
    } else if (way < 15) {
        sql = "SELECT ?1::text AS canary, 1 / (?2::int - ?2::int) AS n";
        question->binds[1] = value_int(7);
        question->must_fail = true;
    } else { /* fails after some of its rows went out */
        sql = "SELECT ?1::text AS canary, 1 / (n - ?2::int) AS n FROM generate_series(0, 300) AS n";
        question->binds[1] = value_int(200);
        question->must_fail = true;
    }
    question->column = "canary";
    snprintf(question->expect, sizeof question->expect, "%llu", (unsigned long long)question->canary);
    set(target, question, "query", value_text(str_of(sql)));
}

/* ---- Redis ---- */

static void redis_do(struct redis_conn *conn, const struct str *words, size_t n)
{
    struct err_info err = {0};
    struct arena arena;
    struct resp reply;
    arena_init(&arena, 65536);
    must(redis_conn_ask(conn, words, n, &err), &err, "filling Redis");
    must(redis_conn_wait(conn, clock_mono_us(&clock_system) + ASK_TIMEOUT_US, &arena, &reply, &err), &err,
         "filling Redis");
    if (reply.kind == RESP_ERROR) {
        fprintf(stderr, "cancel: filling Redis: %.*s\n", STR_ARG(reply.text));
        exit(1);
    }
    arena_done(&arena);
}

static void redis_fill_key(struct redis_conn *conn, int number, char *long_text)
{
    char key[64], value[64], list[64], rows[N_LIST_ROWS][64];
    struct str words[N_LIST_ROWS + 2] = {STR_LIT("RPUSH"), {list, 0}};

    snprintf(key, sizeof key, REDIS_PREFIX "%d", number);
    snprintf(value, sizeof value, "canary %d;", number);
    redis_do(conn, (struct str[]){STR_LIT("SET"), str_of(key), str_of(value)}, 3);

    snprintf(list, sizeof list, REDIS_PREFIX "list:%d", number);
    words[1] = str_of(list);
    for (int i = 0; i < N_LIST_ROWS; i++) {
        snprintf(rows[i], sizeof rows[i], "canary %d; row %d", number, i);
        words[2 + i] = str_of(rows[i]);
    }
    redis_do(conn, (struct str[]){STR_LIT("DEL"), str_of(list)}, 2);
    redis_do(conn, words, N_LIST_ROWS + 2);

    if (number % 64 != 0)
        return;
    memcpy(long_text, value, strlen(value));
    snprintf(key, sizeof key, REDIS_PREFIX "long:%d", number);
    redis_do(conn, (struct str[]){STR_LIT("SET"), str_of(key), str_make(long_text, N_LONG_BYTES)}, 3);
}

static void fill_redis(const struct target *target, const char *url)
{
    (void)target;
    struct err_info err = {0};
    struct redis_server *server = NULL;
    char *long_text = malloc(N_LONG_BYTES);
    void *conn = NULL;

    if (!long_text)
        abort();
    memset(long_text, '.', N_LONG_BYTES);
    must(redis_server_new(str_of(url), &clock_system, &server, &err), &err, "Redis");
    must(redis_pool_ops.on_connect(server, clock_mono_us(&clock_system) + ASK_TIMEOUT_US, &conn, &err), &err,
         "Redis");
    for (int i = 0; i < N_REDIS_KEYS; i++)
        redis_fill_key(conn, i, long_text);
    redis_pool_ops.on_close(server, conn);
    redis_server_free(server);
    free(long_text);
}

static void ask_redis(const struct target *target, struct question *question)
{
    unsigned way = pick(question, 16), number = (unsigned)(question->canary % N_REDIS_KEYS);
    const char *type = "string", *key = REDIS_PREFIX "%u";

    question->column = "value";
    question->n_rows = 1;
    if (way >= 8 && way < 12) {
        type = "list";
        key = REDIS_PREFIX "list:%u";
        question->n_rows = N_LIST_ROWS;
    } else if (way == 12) {
        number -= number % 64;
        key = REDIS_PREFIX "long:%u";
    } else if (way == 13) { /* of the wrong type */
        type = "list";
        question->must_fail = true;
    } else if (way == 14) { /* not there */
        type = "list";
        key = REDIS_PREFIX "none:%u";
        question->n_rows = 0;
    }
    snprintf(question->text, sizeof question->text, key, number);
    snprintf(question->expect, sizeof question->expect, "canary %u;", number);
    set(target, question, "key", value_text(str_of(question->text)));
    set(target, question, "type", value_text(str_of(type)));
    if (strcmp(type, "list") == 0)
        set(target, question, "newest_first", value_bool(false));
}

/* ---- HTTP ---- */

static void ask_http(const struct target *target, struct question *question)
{
    unsigned way = pick(question, 16);

    question->column = "canary";
    question->is_slow = way >= 10 && way < 13;
    question->must_fail = way == 15;
    question->n_rows = question->must_fail ? 0 : way < 13 ? 1 : 1 + pick(question, QUESTION_MAX_ROWS - 1);
    snprintf(question->text, sizeof question->text, "/echo/%llu/%u/%zu", (unsigned long long)question->canary,
             question->is_slow ? pick(question, MAX_SLEEP_US) : 0, question->n_rows);
    snprintf(question->expect, sizeof question->expect, "%llu:", (unsigned long long)question->canary);
    set(target, question, "path", value_text(str_of(question->text)));
}

/* ---- vector databases ---- */

/* A point's item, for as long as the arena lives. */
static void free_item(void *item)
{
    json_free(item);
}

static struct vector_point make_point(const struct embedder *embedder, int number, struct arena *arena)
{
    struct err_info err = {0};
    struct json *item = NULL;
    float *vector = arena_calloc(arena, embedder_dims(embedder), sizeof *vector);
    struct str id = arena_printf(arena, "canary-%d", number),
               text = arena_printf(arena, "canary %d; it sings", number);
    struct str object =
        arena_printf(arena, "{\"content\": \"%.*s\", \"canary\": \"number %d\"}", STR_ARG(text), number);

    if (!vector || arena_error(arena))
        abort();
    must(embed_text(embedder, text, vector, &err), &err, "embedding");
    must(json_parse(object, 4, &item, &err), &err, "a point");
    must(arena_hold(arena, item, free_item), &err, "a point");
    return (struct vector_point){.id = id, .text = text, .vector = vector, .item = item};
}

static void fill_vectors(const struct target *target, const char *url)
{
    static struct vector_point points[N_POINTS];
    struct err_info err = {0};
    struct arena arena;
    const struct vector_load load = {
        .collection = STR_LIT(COLLECTION),
        .n_dims = embedder_dims(target->embedder),
        .text_field = STR_LIT("content"),
        .may_create = true,
        .deadline_us = clock_mono_us(&clock_system) + ASK_TIMEOUT_US,
    };

    (void)url;
    arena_init(&arena, (size_t)16 * 1024 * 1024);
    for (int i = 0; i < N_POINTS; i++)
        points[i] = make_point(target->embedder, i, &arena);
    must(vector_load_prepare(target->source, &load, &err), &err, target->name);
    must(vector_load_points(target->source, &load, points, N_POINTS, &err), &err, target->name);
    arena_done(&arena);
}

static void ask_vectors(const struct target *target, struct question *question)
{
    unsigned way = pick(question, 16), number = (unsigned)(question->canary % N_POINTS);

    question->column = "content";
    question->n_rows = way < 14 ? 1 : 0;
    question->must_fail = way == 15; /* 14: nothing has that field */
    /* Chroma's index may pass by the one point that its filter lets through. */
    question->may_lack = strcmp(target->name, "chroma") == 0;
    snprintf(question->text, sizeof question->text, "which canary sings? number %u", number);
    snprintf(question->where, sizeof question->where, "{\"%s\": \"number %u\"}",
             way == 14 ? "none" : "canary", number);
    snprintf(question->expect, sizeof question->expect, "canary %u;", number);
    set(target, question, "collection",
        value_text(str_of(question->must_fail ? COLLECTION "_none" : COLLECTION)));
    set(target, question, "query", value_text(str_of(question->text)));
    set(target, question, "where", value_json(str_of(question->where)));
}

/* ---- all of them ---- */

static const struct target_kind kinds[] = {
    {"postgres", "POSTGRES", "", NULL, ask_postgres},
    {"redis", "REDIS", "", fill_redis, ask_redis},
    {"http", NULL, "", NULL, ask_http},
    {"qdrant", "QDRANT", "qdrant+", fill_vectors, ask_vectors},
    {"chroma", "CHROMA", "chroma+", fill_vectors, ask_vectors},
};
#define N_KINDS (sizeof kinds / sizeof *kinds)

/* NULL, and the reason on stderr, when it cannot be had. */
static const char *url_of(const struct target_kind *kind, const char *http_url)
{
    char name[64];

    if (!kind->server)
        return http_url;
    snprintf(name, sizeof name, "TEST_%s_URL", kind->server);
    const char *url = getenv(name);
    if (url)
        return url;
    snprintf(name, sizeof name, "TEST_%s_LACKING", kind->server);
    const char *why = getenv(name);
    fprintf(stderr, "lacking: %s: %s\n", kind->name,
            why ? why : "the test was not run by tests/backends/backends.sh");
    return NULL;
}

static void target_open(const struct source_env *env, const struct target_kind *kind, const char *url,
                        size_t n_conns, struct target *target)
{
    char name[64], whole[512];
    struct err_info err = {0};
    struct source_options options = {.name = kind->name, .max_conns = n_conns};

    snprintf(name, sizeof name, "TEST_%s_KEY", kind->server ? kind->server : "");
    options.key = getenv(name);
    snprintf(whole, sizeof whole, "%s%s", kind->scheme, url);
    options.url = str_of(whole);
    *target = (struct target){.kind = kind, .name = kind->name, .embedder = env->embedder};
    must(source_open(env, &options, &target->source, &err), &err, kind->name);
    if (kind->on_fill)
        kind->on_fill(target, url);
}

size_t targets_open(const struct source_env *env, const char *only, const char *http_url, size_t n_conns,
                    struct target targets[MAX_TARGETS])
{
    size_t n = 0;
    for (size_t i = 0; i < N_KINDS; i++) {
        if (only && strcmp(only, kinds[i].name) != 0)
            continue;
        const char *url = url_of(&kinds[i], http_url);
        if (url)
            target_open(env, &kinds[i], url, n_conns, &targets[n++]);
    }
    return n;
}

void target_ask(const struct target *target, struct question *question)
{
    set_fallbacks(target, question);
    question->request = (struct source_request){
        .scope = {STR_LIT("default"), STR_LIT("u1")},
        .settings = question->settings,
        .binds = question->binds,
        .now_us = clock_wall_us(&clock_system),
        .deadline_us = clock_mono_us(&clock_system) + ASK_TIMEOUT_US,
        .max_rows = SOURCE_MAX_ROWS,
    };
    target->kind->on_ask(target, question);
}

/* ---- replies ---- */

bool target_owns(const struct question *question, const struct source_result *result, char *why, size_t size)
{
    struct str expect = str_of(question->expect);
    size_t column = 0;

    if (result->n_rows == 0 && question->may_lack)
        return true;
    if (result->n_rows != question->n_rows || result->is_truncated || result->n_malformed) {
        snprintf(why, size, "%zu rows instead of %zu", result->n_rows, question->n_rows);
        return false;
    }
    while (column < result->n_columns && !str_is(result->columns[column], question->column))
        column++;
    if (result->n_rows > 0 && column == result->n_columns) {
        snprintf(why, size, "no column '%s'", question->column);
        return false;
    }
    for (size_t i = 0; i < result->n_rows; i++) {
        struct value value = result->rows[i].values[column];
        struct str text = value.type == VALUE_TEXT ? value.text : (struct str){NULL, 0};
        if (str_starts_with(text, expect))
            continue;
        snprintf(why, size, "row %zu begins '%.*s' instead of '%s'", i, STR_ARG(str_slice(text, 0, 60)),
                 question->expect);
        return false;
    }
    return true;
}
