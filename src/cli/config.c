/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading of the configuration. The table below is all that precis.yaml may say beside `connections`; the
 * reader walks the file and looks each key up, so that an unknown one is told with its place.
 */
#include "cli/config.h"

#include "build/build.h"

#include "cli/cli.h"
#include "cli/setting.h"
#include "core/yaml.h"
#include "memory/rerank.h"
#include "text/embed.h"

#include <limits.h>
#include <unistd.h>

#define MAX_CONFIG_BYTES (4 * 1024 * 1024) /* the arena: the file's tree and what is made of it */
#define MIB              (INT64_C(1) << 20)
#define GIB              (INT64_C(1) << 30)
#define SEC              INT64_C(1000000)

static const char *const keyless_choices[] = {"auto", "allow", "never", NULL};
static const char *const rerank_choices[] = {"documents", "texts", NULL};
static const char *const bool_choices[] = {"true", "false", NULL};
static const char *const level_choices[] = {"debug", "info", "warn", "error", NULL};
static const char *const format_choices[] = {"text", "json", NULL};

#define AT(member) offsetof(struct config, member)

const struct setting settings_table[] = {
    {NULL, "listen", "PRECIS_LISTEN", CONFIG_TEXT, AT(listen), 0, 0, NULL},
    {NULL, "store", "PRECIS_STORE", CONFIG_TEXT, AT(store_url), 0, 0, NULL},
    {NULL, "recipes", "PRECIS_RECIPES", CONFIG_LIST, AT(recipe_folders), 0, 0, NULL},
    {"cache", "max_bytes", "CACHE_MAX_BYTES", CONFIG_SIZE, AT(cache_max_bytes), 0, 1024 * GIB, NULL},
    {"cache", "max_entries", "CACHE_MAX_ENTRIES", CONFIG_COUNT, AT(cache_max_entries), 0, 100000000, NULL},
    {"cache", "ttl", "CACHE_TTL_SECONDS", CONFIG_DURATION, AT(cache_ttl_us), 0, 366 * 86400 * SEC, NULL},
    {"limits", "max_body_bytes", NULL, CONFIG_SIZE, AT(max_body_bytes), 1024, GIB, NULL},
    {"limits", "max_connections", NULL, CONFIG_COUNT, AT(max_connections), 1, 100000, NULL},
    {"limits", "max_index_bytes", NULL, CONFIG_SIZE, AT(max_index_bytes), MIB, 1024 * GIB, NULL},
    {"limits", "front_threads", NULL, CONFIG_COUNT, AT(n_front_threads), 0, 256, NULL},
    {"limits", "workers", NULL, CONFIG_COUNT, AT(n_workers), 0, 1024, NULL},
    {"limits", "idle_timeout", NULL, CONFIG_DURATION, AT(idle_timeout_us), SEC, 3600 * SEC, NULL},
    {"limits", "drain", NULL, CONFIG_DURATION, AT(drain_us), 0, 600 * SEC, NULL},
    {"limits", "rate", "PRECIS_RATE", CONFIG_TEXT, AT(rate), 0, 0, NULL},
    {"shared", "redis", "REDIS_URL", CONFIG_TEXT, AT(shared_redis), 0, 0, NULL},
    {"shared", "prefix", NULL, CONFIG_TEXT, AT(shared_prefix), 0, 0, NULL},
    {"shared", "cache", NULL, CONFIG_CHOICE, AT(shared_cache), 0, 0, bool_choices},
    {"shared", "cache_wait", NULL, CONFIG_DURATION, AT(shared_cache_wait_us), 1000, 10 * SEC, NULL},
    {"shared", "sessions", NULL, CONFIG_CHOICE, AT(shared_sessions), 0, 0, bool_choices},
    {"shared", "limits", NULL, CONFIG_CHOICE, AT(shared_limits), 0, 0, bool_choices},
    {"embedding", "model", "EMBEDDING_MODEL", CONFIG_TEXT, AT(embedding_model), 0, 0, NULL},
    {"embedding", "dimensions", "EMBEDDING_DIMENSIONS", CONFIG_COUNT, AT(embedding_dims), 1, EMBED_MAX_DIMS,
     NULL},
    {"rerank", "url", "PRECIS_RERANK_URL", CONFIG_TEXT, AT(rerank_url), 0, 0, NULL},
    {"rerank", "model", "PRECIS_RERANK_MODEL", CONFIG_TEXT, AT(rerank_model), 0, 0, NULL},
    {"rerank", "key", "PRECIS_RERANK_KEY", CONFIG_TEXT, AT(rerank_key), 0, 0, NULL},
    {"rerank", "format", NULL, CONFIG_CHOICE, AT(rerank_format), 0, 0, rerank_choices},
    {"rerank", "candidates", NULL, CONFIG_COUNT, AT(rerank_candidates), 2, RERANK_MAX_CANDIDATES, NULL},
    {"rerank", "timeout", NULL, CONFIG_DURATION, AT(rerank_timeout_us), SEC / 1000, 60 * SEC, NULL},
    {"auth", "keyless", "PRECIS_KEYLESS", CONFIG_CHOICE, AT(keyless), 0, 0, keyless_choices},
    {"auth", "hosts", "PRECIS_HOSTS", CONFIG_LIST, AT(hosts), 0, 0, NULL},
    {"log", "level", "PRECIS_LOG", CONFIG_CHOICE, AT(log_level), 0, 0, level_choices},
    {"log", "format", "PRECIS_LOG_FORMAT", CONFIG_CHOICE, AT(log_format), 0, 0, format_choices},
};

const size_t settings_count = sizeof settings_table / sizeof *settings_table;

int config_out_of_memory(struct err_info *reterr)
{
    return err_set(reterr, ERR_NOMEM, "out of memory while reading the configuration");
}

const char *config_getenv(const char *const *environment, struct str name)
{
    for (const char *const *entry = environment; entry && *entry; entry++) {
        struct str text = str_of(*entry);
        if (text.len > name.len && text.ptr[name.len] == '=' && str_starts_with(text, name))
            return text.ptr + name.len + 1;
    }
    return NULL;
}

/* A connection may be named like anything that can stand behind `from:` and cannot be mistaken for a built-in
 * kind later. */
bool config_is_connection_name(struct str name)
{
    if (name.len == 0 || name.len > 64)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

int config_add_connection(struct config *config, struct str name, const struct config_connection *connection,
                          struct err_info *reterr)
{
    size_t i = 0;
    while (i < config->n_connections && !str_is(name, config->connections[i].name))
        i++;
    if (i == CONFIG_MAX_CONNECTIONS)
        return err_set_field(reterr, ERR_LIMIT, connection->place, "there are more than %d connections",
                             CONFIG_MAX_CONNECTIONS);
    const char *copy = arena_strdup(&config->arena, name);
    if (!copy)
        return config_out_of_memory(reterr);
    config->connections[i] = *connection;
    config->connections[i].name = copy;
    config->n_connections += i == config->n_connections;
    return 0;
}

static int read_environment(struct config *config, const char *const *environment, struct err_info *reterr)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        const char *value = setting->variable ? config_getenv(environment, str_of(setting->variable)) : NULL;
        if (!value || !*value)
            continue;
        const char *copy = arena_strdup(&config->arena, str_of(value));
        int r = copy ? setting_set(setting, config, copy, true, setting->variable, reterr)
                     : config_out_of_memory(reterr);
        if (r < 0)
            return r;
    }
    return config_read_connections(config, environment, reterr);
}

static int set_defaults(struct config *config, struct err_info *reterr)
{
    *config = (struct config){
        .listen = "127.0.0.1:8080",
        .data_dir = "precis-data",
        .cache_max_bytes = 64 * MIB,
        .cache_max_entries = 10000,
        .cache_ttl_us = -1,
        .max_body_bytes = 16 * MIB,
        .max_connections = 1024,
        .max_index_bytes = GIB,
        .idle_timeout_us = 30 * SEC,
        .drain_us = 10 * SEC,
        .embedding_model = "builtin",
        .rerank_format = "documents",
        .rerank_candidates = 40,
        .rerank_timeout_us = 150 * SEC / 1000,
        .shared_prefix = "precis:",
        .shared_cache = "true",
        .shared_cache_wait_us = BUILD_SHARED_WAIT_US,
        .shared_limits = "true",
        .shared_sessions = "true",
        .keyless = "auto",
        .log_level = "info",
        .log_format = "text",
    };
    arena_init(&config->arena, MAX_CONFIG_BYTES);
    config->connections = arena_calloc(&config->arena, CONFIG_MAX_CONNECTIONS, sizeof *config->connections);
    return config->connections ? 0 : config_out_of_memory(reterr);
}

/* With no connection configured, what `precis init --demo` makes in the data folder is some, where it is
 * there: what nobody has set up is not down. */
static int add_shipped_connections(struct config *config, struct err_info *reterr)
{
    static const struct {
        const char *name, *scheme, *suffix;
    } shipped[] = {{"main", "sqlite:", ".db"},
                   {"series", "sqlite:", ".db"},
                   {"fleet", "sqlite:", ".db"},
                   {"project", "folder:", ""}};
    const char *dir = config->data_dir;
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        const char *url = arena_printf(&config->arena, "%s%s/%s%s", shipped[i].scheme, dir, shipped[i].name,
                                       shipped[i].suffix)
                              .ptr;
        if (!url)
            return config_out_of_memory(reterr);
        if (access(url + strlen(shipped[i].scheme), F_OK) != 0)
            continue;
        int r = config_add_connection(config, str_of(shipped[i].name),
                                      &(struct config_connection){.url = url, .place = dir}, reterr);
        if (r < 0)
            return r;
    }
    return 0;
}

/* What follows from the data folder: the store in it, and what else lies there. */
static int set_data_dir(struct config *config, const struct config_request *request, struct err_info *reterr)
{
    const char *from_environment = config_getenv(request->environment, STR_LIT("PRECIS_DATA"));
    const char *chosen = request->data_dir ? request->data_dir : from_environment;
    if (chosen && *chosen)
        config->data_dir = arena_strdup(&config->arena, str_of(chosen));
    if (!config->data_dir)
        return config_out_of_memory(reterr);
    const char *dir = config->data_dir;
    if (!config->store_url || request->data_dir)
        config->store_url = arena_printf(&config->arena, "sqlite:%s/precis.db", dir).ptr;
    if (config->recipe_folders.n == 0) {
        const char *folder = arena_printf(&config->arena, "%s/recipes", dir).ptr;
        if (folder && access(folder, R_OK | X_OK) == 0)
            (void)setting_list_add(config, &config->recipe_folders, folder);
    }
    if (arena_error(&config->arena) < 0)
        return config_out_of_memory(reterr);
    return config->n_connections == 0 ? add_shipped_connections(config, reterr) : 0;
}

int config_load_text(const struct config_request *request, struct str text, const char *file,
                     struct config *ret_config, struct err_info *reterr)
{
    struct config config;
    int r = set_defaults(&config, reterr);
    if (r == 0 && file) {
        config.file = arena_strdup(&config.arena, str_of(file));
        r = config.file ? config_read_file(&config, text, request->environment, reterr)
                        : config_out_of_memory(reterr);
    }
    if (r == 0)
        r = read_environment(&config, request->environment, reterr);
    if (r == 0)
        r = config_check_variables(&config, request->environment, text, reterr);
    if (r == 0)
        r = set_data_dir(&config, request, reterr);
    if (r == 0) /* behind the choice of the shipped connections, which it does not replace */
        r = config_add_redis(&config, request->environment, reterr);
    if (r < 0) {
        config_done(&config);
        return r;
    }
    *ret_config = config;
    return 0;
}

int config_load(const struct config_request *request, struct config *ret_config, struct err_info *reterr)
{
    const char *named =
        request->file ? request->file : config_getenv(request->environment, STR_LIT("PRECIS_CONFIG"));
    const char *file = named && *named ? named : "precis.yaml";
    bool is_named = file == named;
    if (!is_named && access(file, F_OK) != 0)
        return config_load_text(request, (struct str){NULL, 0}, NULL, ret_config, reterr);
    struct buf text;
    buf_init(&text, YAML_MAX_BYTES);
    int r = cli_read_file(file, &text, reterr);
    if (r == 0)
        r = config_load_text(request, buf_str(&text), file, ret_config, reterr);
    buf_done(&text);
    return r;
}

void config_done(struct config *config)
{
    arena_done(&config->arena);
}
