/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading of precis.yaml: walks the tree, looks each key up in the table of settings and tells an unknown
 * one, or a value that does not fit, with its place.
 */
#include "cli/setting.h"

#include "core/yaml.h"

#include <stdio.h>

#define MAX_NAMES 16  /* in one block */
#define MAX_POOL  256 /* connections to one server */

static const char *const top_names[] = {"listen",  "store",     "connections", "cache",  "limits", "auth",
                                        "recipes", "embedding", "rerank",      "shared", "log"};

#define N_TOP_NAMES (sizeof top_names / sizeof *top_names)

/* What is at hand while a configuration is read. */
struct reader {
    struct config *config;
    const char *file;
    const char *const *environment;
    struct err_info *err;
};

/* "precis.yaml:4:9", in the configuration's arena; NULL when out of memory. */
static const char *place_of(const struct reader *reader, int line, int column)
{
    return arena_printf(&reader->config->arena, "%s:%d:%d", reader->file, line, column).ptr;
}

static int fail_at(const struct reader *reader, int line, int column, const char *message)
{
    const char *place = place_of(reader, line, column);
    return place ? err_set_field(reader->err, ERR_INVALID, place, "%s", message)
                 : config_out_of_memory(reader->err);
}

static int unknown_key(const struct reader *reader, const struct yaml_key *key, const char *const *names,
                       size_t n_names)
{
    char message[ERR_MESSAGE_SIZE];
    const char *nearest = str_nearest(key->name, names, n_names);
    (void)snprintf(message, sizeof message, "unknown key '%.*s'%s%s%s", STR_ARG(key->name),
                   nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    return fail_at(reader, key->line, key->column, message);
}

static int wrong_kind(const struct reader *reader, const struct yaml_node *node, struct str name,
                      const char *wanted)
{
    char message[ERR_MESSAGE_SIZE];
    (void)snprintf(message, sizeof message, "'%.*s' must be a %s, not a %s", STR_ARG(name), wanted,
                   yaml_kind_name(node));
    return fail_at(reader, node->line, node->column, message);
}

/* The scalar's text with its variables put in. */
static int read_text(const struct reader *reader, const struct yaml_node *node, struct str name,
                     const char **ret_text, const char **ret_place)
{
    if (node->kind != YAML_SCALAR)
        return wrong_kind(reader, node, name, "text");
    const char *place = place_of(reader, node->line, node->column);
    if (!place)
        return config_out_of_memory(reader->err);
    struct err_info err;
    int r = setting_expand(node->text, reader->environment, &reader->config->arena, ret_text, &err);
    if (r < 0)
        return err_set_field(reader->err, r, place, "%s", err.message);
    *ret_place = place;
    return 0;
}

/* A relative path in a file means one beside that file. */
static const char *beside_file(const struct reader *reader, const char *path)
{
    const char *slash = reader->file ? strrchr(reader->file, '/') : NULL;
    if (!slash || *path == '/')
        return path;
    return arena_printf(&reader->config->arena, "%.*s/%s", (int)(slash - reader->file), reader->file, path)
        .ptr;
}

static const char *url_beside_file(const struct reader *reader, const char *url)
{
    static const char *const schemes[] = {"sqlite:", "folder:"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (!str_starts_with(str_of(url), str_of(schemes[i])))
            continue;
        const char *path = beside_file(reader, url + strlen(schemes[i]));
        return path ? arena_printf(&reader->config->arena, "%s%s", schemes[i], path).ptr : NULL;
    }
    return url;
}

static int read_list(const struct reader *reader, const struct setting *setting, const struct yaml_node *node)
{
    struct config_list list = {NULL, 0};
    if (node->kind != YAML_LIST)
        return wrong_kind(reader, node, str_of(setting->name), "list");
    for (size_t i = 0; i < node->n; i++) {
        const char *text, *place;
        int r = read_text(reader, node->items[i], str_of(setting->name), &text, &place);
        if (r < 0)
            return r;
        if (setting->offset == offsetof(struct config, recipe_folders))
            text = beside_file(reader, text);
        if (!text || setting_list_add(reader->config, &list, text) < 0)
            return config_out_of_memory(reader->err);
    }
    *(struct config_list *)((char *)reader->config + setting->offset) = list;
    return 0;
}

static int read_setting(const struct reader *reader, const struct setting *setting,
                        const struct yaml_node *node)
{
    const char *text, *place;
    if (setting->kind == CONFIG_LIST)
        return read_list(reader, setting, node);
    int r = read_text(reader, node, str_of(setting->name), &text, &place);
    if (r < 0)
        return r;
    if (setting->offset == offsetof(struct config, store_url))
        text = url_beside_file(reader, text);
    if (setting->offset == offsetof(struct config, embedding_model) && strchr(text, '/'))
        text = beside_file(reader, text);
    return text ? setting_set(setting, reader->config, text, false, place, reader->err)
                : config_out_of_memory(reader->err);
}

static const struct setting *setting_find(const char *block, struct str name)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        bool is_in_block = block ? setting->block && strcmp(setting->block, block) == 0 : !setting->block;
        if (is_in_block && str_is(name, setting->name))
            return setting;
    }
    return NULL;
}

static int read_block(const struct reader *reader, const char *block, const struct yaml_node *map)
{
    const char *names[MAX_NAMES];
    size_t n_names = 0;
    if (map->kind != YAML_MAP)
        return wrong_kind(reader, map, str_of(block), "map");
    for (size_t i = 0; i < settings_count; i++) {
        if (settings_table[i].block && strcmp(settings_table[i].block, block) == 0 && n_names < MAX_NAMES)
            names[n_names++] = settings_table[i].name;
    }
    for (size_t i = 0; i < map->n; i++) {
        const struct setting *setting = setting_find(block, map->keys[i].name);
        int r = setting ? read_setting(reader, setting, map->items[i])
                        : unknown_key(reader, &map->keys[i], names, n_names);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_headers(const struct reader *reader, const struct yaml_node *map,
                        struct config_connection *connection)
{
    if (map->kind != YAML_MAP)
        return wrong_kind(reader, map, STR_LIT("headers"), "map");
    connection->headers = arena_calloc(&reader->config->arena, map->n + 1, sizeof *connection->headers);
    if (!connection->headers)
        return config_out_of_memory(reader->err);
    for (size_t i = 0; i < map->n; i++) {
        struct source_header *header = &connection->headers[i];
        const char *place;
        int r = read_text(reader, map->items[i], map->keys[i].name, &header->value, &place);
        if (r < 0)
            return r;
        header->name = arena_strdup(&reader->config->arena, map->keys[i].name);
        if (!header->name)
            return config_out_of_memory(reader->err);
        if (strpbrk(header->name, "\r\n: \t") || strpbrk(header->value, "\r\n"))
            return fail_at(reader, map->keys[i].line, map->keys[i].column, "is no header of one line");
        connection->n_headers++;
    }
    return 0;
}

static int read_max_conns(const struct reader *reader, const struct yaml_node *node,
                          struct config_connection *connection)
{
    const char *text, *place;
    int r = read_text(reader, node, STR_LIT("pool"), &text, &place);
    if (r < 0)
        return r;
    if (str_to_int(str_of(text), &connection->max_conns) < 0 || connection->max_conns < 1 ||
        connection->max_conns > MAX_POOL)
        return fail_at(reader, node->line, node->column, "'pool' must be a number from 1 to 256");
    return 0;
}

/* The long form of a connection: what a URL cannot say. */
static int read_connection_map(const struct reader *reader, const struct yaml_node *map,
                               struct config_connection *connection)
{
    static const char *const names[] = {"url", "key", "pool", "headers"};
    int r = 0;
    for (size_t i = 0; i < map->n && r == 0; i++) {
        const struct yaml_key *key = &map->keys[i];
        const char *place;
        if (str_is(key->name, "url"))
            r = read_text(reader, map->items[i], key->name, &connection->url, &connection->place);
        else if (str_is(key->name, "key"))
            r = read_text(reader, map->items[i], key->name, &connection->key, &place);
        else if (str_is(key->name, "pool"))
            r = read_max_conns(reader, map->items[i], connection);
        else if (str_is(key->name, "headers"))
            r = read_headers(reader, map->items[i], connection);
        else
            r = unknown_key(reader, key, names, sizeof names / sizeof *names);
    }
    return r;
}

static int read_connection(const struct reader *reader, const struct yaml_key *key,
                           const struct yaml_node *node)
{
    struct config_connection connection = {0};
    if (!config_is_connection_name(key->name))
        return fail_at(reader, key->line, key->column,
                       "a connection's name is made of a-z, 0-9, '_' and '-', at most 64 of them");
    int r = node->kind == YAML_MAP ? read_connection_map(reader, node, &connection)
                                   : read_text(reader, node, key->name, &connection.url, &connection.place);
    if (r < 0)
        return r;
    if (!connection.url || !*connection.url)
        return fail_at(reader, node->line, node->column, "a connection needs a URL");
    connection.url = url_beside_file(reader, connection.url);
    return connection.url ? config_add_connection(reader->config, key->name, &connection, reader->err)
                          : config_out_of_memory(reader->err);
}

static int read_connections(const struct reader *reader, const struct yaml_node *map)
{
    if (map->kind != YAML_MAP)
        return wrong_kind(reader, map, STR_LIT("connections"), "map");
    int r = 0;
    for (size_t i = 0; i < map->n && r == 0; i++)
        r = read_connection(reader, &map->keys[i], map->items[i]);
    return r;
}

static int read_root(const struct reader *reader, struct str text)
{
    const struct yaml_node *root;
    int r = yaml_parse(text, reader->file, &reader->config->arena, &root, reader->err);
    if (r < 0)
        return r;
    if (root->kind != YAML_MAP)
        return wrong_kind(reader, root, STR_LIT("the configuration"), "map");
    for (size_t i = 0; i < root->n && r == 0; i++) {
        const struct yaml_key *key = &root->keys[i];
        const struct setting *setting = setting_find(NULL, key->name);
        const char *const *name = top_names;
        while (name < top_names + N_TOP_NAMES && !str_is(key->name, *name))
            name++;
        if (setting)
            r = read_setting(reader, setting, root->items[i]);
        else if (name == top_names + N_TOP_NAMES)
            r = unknown_key(reader, key, top_names, N_TOP_NAMES);
        else if (str_is(key->name, "connections"))
            r = read_connections(reader, root->items[i]);
        else
            r = read_block(reader, *name, root->items[i]);
    }
    return r;
}

int config_read_file(struct config *config, struct str text, const char *const *environment,
                     struct err_info *reterr)
{
    struct reader reader = {config, config->file, environment, reterr};
    return read_root(&reader, text);
}
