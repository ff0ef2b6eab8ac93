/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading of the sample data. SQL goes to the databases that the connections `main`, `series` and `fleet`
 * name when nothing else is configured, files to the folder that `project` names; memory goes through
 * memory/, as a client's would.
 */
#include "cli/demo.h"

#include "core/embed.h"
#include "core/json.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* main.sql, sample-main.sql, series.sql, sample-series.sql, fleet.sql, sample-fleet.sql, sample-memory.json,
 * sample-incidents.jsonl, sample-project.json */
extern const struct embedded_file demo_files[];

#define SAMPLE_TAG      "sample" /* marks what a later run replaces */
#define MAX_JSON_DEPTH  16
#define MAX_ARENA_BYTES (32 * 1024 * 1024)
#define N_STEPS         8
#define DAY_US          (86400 * US_PER_SEC)
#define MINUTE_US       (60 * US_PER_SEC)

struct loader {
    struct memory *memory;
    struct scope scope;
    int64_t now_us;
    struct arena arena;
};

static const struct embedded_file *file_find(const char *name)
{
    const struct embedded_file *file = demo_files;
    while (file->name && strcmp(file->name, name) != 0)
        file++;
    return file->name ? file : NULL;
}

/* DIR/NAME.db from NAME.sql and sample-NAME.sql. */
static int load_database(const char *dir, const char *name, struct err_info *reterr)
{
    char path[PATH_MAX], schema_name[64], sample_name[64];
    int len = snprintf(path, sizeof path, "%s/%s.db", dir, name);
    (void)snprintf(schema_name, sizeof schema_name, "%s.sql", name);
    (void)snprintf(sample_name, sizeof sample_name, "sample-%s.sql", name);
    if (len < 0 || (size_t)len >= sizeof path)
        return err_set_field(reterr, ERR_INVALID, dir, "is too long a name");
    const struct embedded_file *schema = file_find(schema_name), *sample = file_find(sample_name);
    if (!schema || !sample)
        return err_set(reterr, ERR_INTERNAL, "the sample data of '%s' is not in this program", name);
    /* What is embedded ends in a NUL. */
    const char *const scripts[] = {(const char *)schema->data, (const char *)sample->data};
    return store_run_scripts(path, scripts, 2, reterr);
}

static int forget_sample(struct loader *loader, struct err_info *reterr)
{
    const struct str tag = STR_LIT(SAMPLE_TAG);
    const struct knowledge_rule rule = {.tags = &tag, .n_tags = 1, .before_us = INT64_MIN};
    struct str *ids;
    size_t n;
    return knowledge_forget(loader->memory, &loader->scope, &rule, false, &loader->arena, &ids, &n, reterr);
}

static int read_knowledge(struct loader *loader, const struct json *node, struct knowledge *ret_item,
                          struct err_info *reterr)
{
    const struct json *tags = json_member(node, "tags");
    size_t n_tags = json_count(tags);
    struct str *texts = arena_calloc(&loader->arena, n_tags + 1, sizeof *texts);
    if (!texts)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < n_tags; i++)
        texts[i] = json_text_of(json_at(tags, i));
    texts[n_tags] = STR_LIT(SAMPLE_TAG);
    *ret_item = (struct knowledge){
        .content = json_text_of(json_member(node, "content")),
        .source = json_text_of(json_member(node, "source")),
        .tags = texts,
        .n_tags = n_tags + 1,
        .importance = json_real_of(json_member(node, "importance")),
        .created_us =
            loader->now_us - (int64_t)(json_real_of(json_member(node, "days_ago")) * (double)DAY_US),
    };
    return 0;
}

static int load_knowledge(struct loader *loader, const struct json *list, struct err_info *reterr)
{
    size_t n = json_count(list);
    struct knowledge *items = arena_calloc(&loader->arena, n, sizeof *items);
    struct str *ids = arena_calloc(&loader->arena, n, sizeof *ids);
    int r = items && ids ? forget_sample(loader, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
    for (size_t i = 0; r == 0 && i < n; i++)
        r = read_knowledge(loader, json_at(list, i), &items[i], reterr);
    return r < 0 ? r : knowledge_add(loader->memory, &loader->scope, items, n, &loader->arena, ids, reterr);
}

static int load_turns(struct loader *loader, const struct json *conversation, struct err_info *reterr)
{
    struct str session = json_text_of(json_member(conversation, "session_id")), id;
    const struct json *list = json_member(conversation, "turns");
    struct turn *present;
    size_t n_present;
    int r = conversation_list(loader->memory, &loader->scope, session, 1, (struct str){NULL, 0},
                              &loader->arena, &present, &n_present, reterr);
    for (size_t i = 0; r == 0 && n_present == 0 && i < json_count(list); i++) {
        const struct json *node = json_at(list, i);
        const struct turn turn = {
            .session = session,
            .role = json_text_of(json_member(node, "role")),
            .content = json_text_of(json_member(node, "content")),
            .created_us = loader->now_us - json_int_of(json_member(node, "minutes_ago")) * MINUTE_US,
        };
        r = conversation_add(loader->memory, &loader->scope, &turn, &loader->arena, &id, reterr);
    }
    return r;
}

static int load_preferences(struct loader *loader, const struct json *list, struct err_info *reterr)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_count(list); i++) {
        const struct json *node = json_at(list, i);
        struct buf value;
        buf_init(&value, 64 * 1024);
        json_print(json_member(node, "value"), &value);
        const struct preference preference = {
            .key = json_text_of(json_member(node, "key")),
            .value = buf_str(&value),
            .category = json_text_of(json_member(node, "category")),
        };
        r = buf_error(&value) < 0 ? err_set(reterr, buf_error(&value), "out of memory")
                                  : preference_set(loader->memory, &loader->scope, &preference, reterr);
        buf_done(&value);
    }
    return r;
}

static int read_json(const char *name, struct json **ret_root, struct err_info *reterr)
{
    const struct embedded_file *file = file_find(name);
    if (!file)
        return err_set(reterr, ERR_INTERNAL, "%s is not in this program", name);
    return json_parse(embedded_text(file), MAX_JSON_DEPTH, ret_root, reterr);
}

static int load_memory(struct loader *loader, struct err_info *reterr)
{
    struct json *root = NULL;
    int r = read_json("sample-memory.json", &root, reterr);
    if (r < 0)
        return r;
    loader->scope = (struct scope){STR_LIT(CLI_TENANT), json_text_of(json_member(root, "user_id"))};
    r = load_knowledge(loader, json_member(root, "knowledge"), reterr);
    cli_progress("memory", 4, N_STEPS);
    const struct json *conversations = json_member(root, "conversations");
    for (size_t i = 0; r == 0 && i < json_count(conversations); i++)
        r = load_turns(loader, json_at(conversations, i), reterr);
    cli_progress("conversations", 5, N_STEPS);
    if (r == 0)
        r = load_preferences(loader, json_member(root, "preferences"), reterr);
    cli_progress("preferences", 6, N_STEPS);
    (void)json_free(root);
    return r;
}

/* A file of an object a line, as one array. */
static int read_json_lines(const char *name, struct json **ret_root, struct err_info *reterr)
{
    const struct embedded_file *file = file_find(name);
    struct str rest = file ? embedded_text(file) : (struct str){NULL, 0}, line;
    struct buf array;
    buf_init(&array, MAX_ARENA_BYTES);
    while (str_next_part(&rest, '\n', &line))
        if (!str_is_empty(line))
            buf_printf(&array, "%c%.*s", array.len == 0 ? '[' : ',', STR_ARG(line));
    buf_append_byte(&array, ']');
    int r = buf_error(&array) < 0 ? err_set(reterr, buf_error(&array), "out of memory")
                                  : json_parse(buf_str(&array), MAX_JSON_DEPTH, ret_root, reterr);
    buf_done(&array);
    return r;
}

/* Past cases of devices: for whoever asks without a name, and for the sample's user. */
static int load_incidents(struct loader *loader, struct err_info *reterr)
{
    static const char *const users[] = {"default", "sam"};
    struct json *root = NULL;
    int r = read_json_lines("sample-incidents.jsonl", &root, reterr);
    for (size_t i = 0; r == 0 && i < sizeof users / sizeof *users; i++) {
        loader->scope = (struct scope){STR_LIT(CLI_TENANT), str_of(users[i])};
        r = load_knowledge(loader, root, reterr);
    }
    (void)json_free(root);
    return r;
}

/* Makes the folders on the way to the file, then the file. The names are our own. */
static int write_file(const char *dir, struct str name, struct str text, struct err_info *reterr)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%.*s", dir, STR_ARG(name));
    if (len < 0 || (size_t)len >= sizeof path)
        return err_set_field(reterr, ERR_INVALID, dir, "is too long a name");
    for (char *slash = strchr(path + strlen(dir) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            return err_set_field(reterr, ERR_IO, path, "cannot be made: %s", strerror(errno));
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    if (!file)
        return err_set_field(reterr, ERR_IO, path, "cannot be written: %s", strerror(errno));
    bool is_written = fwrite(text.ptr, 1, text.len, file) == text.len;
    if (fclose(file) != 0 || !is_written)
        return err_set_field(reterr, ERR_IO, path, "cannot be written: %s", strerror(errno));
    return 0;
}

/* The source tree of the sample's system, as the section `knowledge` of the recipe `device` shows it. */
static int load_project(const char *data_dir, struct err_info *reterr)
{
    struct json *root = NULL;
    const struct json *text = NULL;
    struct str name;
    size_t pos = 0;
    int r = read_json("sample-project.json", &root, reterr);
    while (r == 0 && json_next_member(root, &pos, &name, &text)) {
        char path[PATH_MAX];
        int len = snprintf(path, sizeof path, "project/%.*s", STR_ARG(name));
        r = len < 0 || (size_t)len >= sizeof path
                ? err_set(reterr, ERR_INTERNAL, "a sample file has too long a name")
                : write_file(data_dir, str_of(path), json_text_of(text), reterr);
    }
    (void)json_free(root);
    return r;
}

static int load_databases(const char *data_dir, struct err_info *reterr)
{
    static const struct {
        const char *name, *what;
    } databases[] = {{"main", "people and plans"}, {"series", "measurements"}, {"fleet", "devices"}};
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof databases / sizeof *databases; i++) {
        cli_progress(databases[i].what, (int64_t)i, N_STEPS);
        r = load_database(data_dir, databases[i].name, reterr);
    }
    cli_progress("memory", 3, N_STEPS);
    return r;
}

int demo_load(struct app *app, struct err_info *reterr)
{
    struct loader loader = {.memory = app->memory, .now_us = clock_wall_us(&clock_system)};
    int r = app_make_folder(app->config.data_dir, reterr);
    arena_init(&loader.arena, MAX_ARENA_BYTES);
    if (r == 0)
        r = load_databases(app->config.data_dir, reterr);
    if (r == 0)
        r = load_memory(&loader, reterr);
    if (r == 0)
        r = load_incidents(&loader, reterr);
    cli_progress("incidents", 7, N_STEPS);
    if (r == 0)
        r = load_project(app->config.data_dir, reterr);
    cli_progress("project", N_STEPS, N_STEPS);
    arena_done(&loader.arena);
    return r;
}
