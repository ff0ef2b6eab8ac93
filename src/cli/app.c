/* SPDX-License-Identifier: Apache-2.0
 *
 * Assembly of the program. The order of opening is the order of dependence; closing is its reverse.
 */
#include "cli/app.h"

#include "cli/models.h"
#include "core/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_WORKERS       32 /* blocking fetches at once: eight sections of four builds */
#define MAX_QUEUED_PER        64 /* fetches that may wait for each worker before one is refused */
#define MAX_FINGERPRINT_BYTES (1024 * 1024)
#define N_CONNECTORS          8 /* attempts to connect at once, of all connections */
#define MAX_QUEUED_CONNECTS   64
#define MAX_REPORT_SCHEME     16 /* of an unknown URL: the rest may hold a password */

static int set_up_log(const struct config *config, struct err_info *reterr)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcmp(names[i], config->log_level) == 0) {
            log_setup(levels[i], strcmp(config->log_format, "json") == 0 ? LOG_JSON : LOG_TEXT,
                      STDERR_FILENO);
            return 0;
        }
    }
    return err_set(reterr, ERR_INTERNAL, "no log level '%s'", config->log_level);
}

int app_open_config(struct app *app, const struct cli *cli, struct err_info *reterr)
{
    const struct config_request request = {
        .file = cli->config_path,
        .data_dir = cli->data_dir,
        .environment = (const char *const *)environ,
    };
    int r = config_load(&request, &app->config, reterr);
    if (r == 0)
        r = set_up_log(&app->config, reterr);
    for (size_t i = 0; r == 0 && i < app->config.warnings.n; i++)
        log_event(LOG_WARN, "configuration", LOG_CSTR("note", app->config.warnings.items[i]), LOG_END);
    return r;
}

static int set_kind(const struct config_connection *connection, struct recipe_connection *ret_kind,
                    struct err_info *reterr)
{
    struct str url = str_of(connection->url), scheme;
    const struct source_ops *ops = source_kind_for_url(url);
    if (!ops) {
        struct str rest = url;
        (void)str_next_part(&rest, ':', &scheme);
        return err_set_field(reterr, ERR_UNSUPPORTED, connection->place,
                             "connection '%s': nothing here speaks '%.*s:'", connection->name,
                             STR_ARG(str_slice(scheme, 0, MAX_REPORT_SCHEME)));
    }
    const struct source_ops *built_in = source_kind_find(str_of(connection->name));
    if (built_in && !built_in->schemes)
        return err_set_field(reterr, ERR_INVALID, connection->place,
                             "a connection cannot be called '%s', as a built-in kind of source is",
                             connection->name);
    *ret_kind = (struct recipe_connection){str_of(connection->name), ops};
    return 0;
}

int app_open_kinds(struct app *app, struct err_info *reterr)
{
    struct config *config = &app->config;
    app->kinds = arena_calloc(&config->arena, config->n_connections + 1, sizeof *app->kinds);
    if (!app->kinds)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < config->n_connections; i++) {
        int r = set_kind(&config->connections[i], &app->kinds[i], reterr);
        if (r < 0)
            return r;
    }
    return 0;
}

int app_open_recipes(struct app *app, struct recipe_report *findings, struct err_info *reterr)
{
    struct config *config = &app->config;
    int r = app_open_kinds(app, reterr);
    if (r < 0)
        return r;
    return recipe_book_load(config->recipe_folders.items, config->recipe_folders.n, app->kinds,
                            config->n_connections, &app->recipes, findings, reterr);
}

int app_open_embedder(struct app *app, struct err_info *reterr)
{
    const struct config *config = &app->config;
    struct embedder *embedder;
    int r = models_open(config, config->embedding_model, &embedder, reterr);
    if (r < 0)
        return r;
    size_t dims = embedder_dims(embedder);
    if (config->embedding_dims && (size_t)config->embedding_dims != dims) {
        (void)embedder_close(embedder);
        return err_set_field(reterr, ERR_INVALID, "embedding.dimensions",
                             "is %lld, but vectors of the model '%s' have %zu: leave it out (it is also "
                             "EMBEDDING_DIMENSIONS in the environment) or say %zu; or name a model with %lld",
                             (long long)config->embedding_dims, config->embedding_model, dims, dims,
                             (long long)config->embedding_dims);
    }
    app->embedder = embedder;
    return 0;
}

int app_make_folder(const char *path, struct err_info *reterr)
{
    char folder[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof folder)
        return err_set_field(reterr, ERR_INVALID, path, "is no name for a folder");
    memcpy(folder, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (folder[i] != '/' && folder[i] != '\0')
            continue;
        char here = folder[i];
        folder[i] = '\0';
        /* What is kept is its owner's business alone. */
        if (mkdir(folder, 0700) < 0 && errno != EEXIST)
            return err_set_field(reterr, ERR_IO, path, "cannot be made: %s", strerror(errno));
        folder[i] = here;
    }
    return 0;
}

int app_make_store_folder(const struct app *app, struct err_info *reterr)
{
    const char *path = strchr(app->config.store_url, ':');
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash || slash == path + 1)
        return 0;
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path - 1), path + 1);
    return app_make_folder(folder, reterr);
}

int app_open_rerank(struct app *app, struct err_info *reterr)
{
    const struct config *config = &app->config;
    const struct rerank_options options = {
        .url = config->rerank_url,
        .model = config->rerank_model,
        .key = config->rerank_key,
        .format = strcmp(config->rerank_format, "texts") == 0 ? RERANK_TEXTS : RERANK_DOCUMENTS,
        .n_candidates = (size_t)config->rerank_candidates,
        .timeout_us = config->rerank_timeout_us,
        .clock = &clock_system,
    };
    struct err_info why = {0};
    char field[sizeof "rerank." + ERR_FIELD_SIZE];
    int r = config->rerank_url ? rerank_new(&options, &app->rerank, &why) : 0;
    if (r == 0)
        return 0;
    (void)snprintf(field, sizeof field, "rerank%s%s", *why.field ? "." : "", why.field);
    return err_set_field(reterr, r, field, "%s", why.message);
}

int app_open_memory(struct app *app, bool may_create, struct err_info *reterr)
{
    const struct store_options options = {
        .url = app->config.store_url,
        .may_create = may_create,
        .clock = &clock_system,
    };
    int r = may_create ? app_make_store_folder(app, reterr) : 0;
    if (r < 0)
        return r;
    r = store_open(&options, &app->store, reterr);
    if (r == ERR_NOT_FOUND)
        return err_set_field(reterr, r, app->config.store_url,
                             "there is no store; `precis init` makes one (--data says where)");
    if (r < 0)
        return r;
    /* A command asks once: it waits for the whole answer. */
    struct memory_options memory = {.max_index_bytes = (size_t)app->config.max_index_bytes,
                                    .max_index_wait_us = app->is_server ? 0 : INT64_MAX,
                                    .embedder = app->embedder,
                                    .rerank = app->rerank};
    return memory_new(app->store, &clock_system, &memory, &app->memory, reterr);
}

int app_open_sources(struct app *app, struct err_info *reterr)
{
    struct config *config = &app->config;
    int n_workers = config->n_workers > 0 ? (int)config->n_workers : DEFAULT_WORKERS;
    int r = workers_new("source", n_workers, (size_t)n_workers * MAX_QUEUED_PER, &app->workers, reterr);
    if (r < 0)
        return r;
    r = workers_new("connect", N_CONNECTORS, MAX_QUEUED_CONNECTS, &app->connectors, reterr);
    if (r < 0)
        return r;
    app->env = (struct source_env){
        .memory = app->memory,
        .workers = app->workers,
        .clock = &clock_system,
        .connectors = app->connectors,
        .embedder = app->embedder,
    };
    app->connections = arena_calloc(&config->arena, config->n_connections + 1, sizeof *app->connections);
    if (!app->connections)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < config->n_connections; i++) {
        const struct config_connection *connection = &config->connections[i];
        const struct source_options options = {
            .name = connection->name,
            .url = str_of(connection->url),
            .max_conns = (size_t)connection->max_conns,
            .key = connection->key,
            .headers = connection->headers,
            .n_headers = connection->n_headers,
        };
        r = source_open(&app->env, &options, &app->connections[i], reterr);
        if (r < 0) {
            err_prefix(reterr, "connection '%s': ", connection->name);
            return r;
        }
        app->n_connections++;
    }
    return 0;
}

static int open_client(struct app *app, struct err_info *reterr)
{
    const struct config *config = &app->config;
    const char *url = config->shared_redis;
    if (!url)
        return 0;
    for (size_t i = 0; i < config->n_connections; i++)
        if (strcmp(config->connections[i].name, url) == 0)
            url = config->connections[i].url;
    const struct redis_client_options options = {
        .url = str_of(url),
        .prefix = config->shared_prefix,
        .connectors = app->connectors,
        .clock = &clock_system,
    };
    struct err_info why = {0};
    int r = redis_client_new(&options, &app->shared, &why);
    return r < 0 ? err_set_field(reterr, r, "shared.redis", "%s", why.message) : 0;
}

int app_open_shared(struct app *app, struct err_info *reterr)
{
    int r = open_client(app, reterr);
    if (r < 0)
        return r;
    bool is_shared = strcmp(app->config.shared_sessions, "true") == 0;
    r = sessions_new(is_shared ? app->shared : NULL, &clock_system, &app->sessions, reterr);
    app->env.sessions = app->sessions;
    return r;
}

/* All of the configuration that shapes answers: what two servers have in common that share some. */
static void append_fingerprint(const struct app *app, struct buf *buf)
{
    const struct config *config = &app->config;
    const char *const texts[] = {config->embedding_model, config->rerank_url, config->rerank_model,
                                 config->rerank_format};

    for (size_t i = 0; i < config->n_connections; i++) {
        const struct config_connection *connection = &config->connections[i];
        value_print_key(value_text(str_of(connection->name)), buf);
        value_print_key(value_text(str_of(connection->url)), buf);
        value_print_key(connection->key ? value_text(str_of(connection->key)) : value_null(), buf);
        value_print_key(value_int((int64_t)connection->n_headers), buf);
        for (size_t k = 0; k < connection->n_headers; k++) {
            value_print_key(value_text(str_of(connection->headers[k].name)), buf);
            value_print_key(value_text(str_of(connection->headers[k].value)), buf);
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        value_print_key(texts[i] ? value_text(str_of(texts[i])) : value_null(), buf);
    value_print_key(value_int(config->rerank_url ? config->rerank_candidates : 0), buf);
    value_print_key(value_int(app->embedder ? (int64_t)embedder_dims(app->embedder) : 0), buf);
}

int app_open_engine(struct app *app, struct err_info *reterr)
{
    bool is_shared = app->shared && strcmp(app->config.shared_cache, "true") == 0;
    struct buf fingerprint;
    buf_init(&fingerprint, MAX_FINGERPRINT_BYTES);
    append_fingerprint(app, &fingerprint);
    const struct build_options options = {
        .env = &app->env,
        .connections = app->connections,
        .n_connections = app->n_connections,
        .recipes = &app->recipes,
        .max_cache_bytes = (size_t)app->config.cache_max_bytes,
        .max_cache_entries = (size_t)app->config.cache_max_entries,
        .cache_ttl_us = app->config.cache_ttl_us,
        .shared = is_shared ? app->shared : NULL,
        .shared_wait_us = app->config.shared_cache_wait_us,
        .fingerprint = buf_str(&fingerprint),
    };
    int r = buf_error(&fingerprint) ? err_set(reterr, buf_error(&fingerprint), "out of memory")
                                    : build_engine_new(&options, &app->engine, reterr);
    buf_done(&fingerprint);
    return r;
}

int app_open_all(struct app *app, const struct cli *cli, bool may_create, struct err_info *reterr)
{
    int r = app_open_config(app, cli, reterr);
    if (r == 0)
        r = app_open_recipes(app, NULL, reterr);
    if (r == 0)
        r = app_open_embedder(app, reterr);
    if (r == 0)
        r = app_open_rerank(app, reterr);
    if (r == 0)
        r = app_open_memory(app, may_create, reterr);
    if (r == 0)
        r = app_open_sources(app, reterr);
    if (r == 0)
        r = app_open_shared(app, reterr);
    if (r == 0)
        r = app_open_engine(app, reterr);
    return r;
}

void app_close(struct app *app)
{
    app->engine = build_engine_free(app->engine);
    app->sessions = sessions_free(app->sessions);
    app->shared = redis_client_free(app->shared);
    while (app->n_connections > 0)
        (void)source_close(app->connections[--app->n_connections]);
    app->connectors = workers_free(app->connectors);
    app->workers = workers_free(app->workers);
    app->memory = memory_free(app->memory);
    app->rerank = rerank_free(app->rerank);
    app->store = store_close(app->store);
    app->embedder = embedder_close(app->embedder);
    recipe_book_done(&app->recipes);
    config_done(&app->config);
}
